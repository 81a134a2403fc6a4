//! Calls of contracts against a node that says what suits it: that there is no contract, or that it reverts.

use waiaas_shared::caip::ChainId;
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::abi::Invocation;

use super::*;

/// `deposit(uint256)` with 7, and 3 wei.
fn deposit() -> Transfer {
    let Account::Evm(from) = account(ALICE) else {
        panic!("an EVM account")
    };
    let function = "deposit(uint256)".parse().expect("a function");
    let told = Invocation::read(from, function, &["7".to_owned()]).expect("its argument");
    Transfer {
        action: Action::Call,
        asset: ChainId::Evm(31_337).native_asset(),
        to: account(BOB),
        amount: coins(3),
        mint: None,
        call: Some(Box::new(told)),
        stake: None,
        program: None,
    }
}

/// A node with this code at the contract, of which the call takes 50,000 gas or reverts.
fn contract_node(code: &'static str, reverts: bool) -> MockNode {
    evm_node(move |name, params| match name {
        "eth_getCode" => Some(Reply::Result(json!(code))),
        "eth_estimateGas" | "eth_call" if reverts => {
            Some(Reply::Error(3, "execution reverted: closed"))
        }
        "eth_estimateGas" => {
            assert_eq!(params[0]["value"], "0x3");
            Some(Reply::Result(json!("0xc350")))
        }
        "eth_call" => Some(Reply::Result(json!("0x"))),
        _ => None,
    })
}

#[tokio::test]
async fn a_call_is_what_the_signer_reads() {
    let node = contract_node("0x6001", false);
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let asked = deposit();
    let prepared = chain.prepare_transfer(account(ALICE), &asked, None, NetworkTerms::default());
    let prepared = prepared.await.expect("an honest node");
    let function = asked.function();
    let known = Known::NOTHING.calling(function.as_ref());
    let read = decode(chain.id(), account(ALICE), &prepared.unsigned, known).expect("readable");
    let done: Vec<Effect> = read
        .effects()
        .iter()
        .filter(|effect| !effect.is_cost())
        .cloned()
        .collect();
    assert_eq!(done, asked.effects());
    chain
        .simulate(
            &prepared.unsigned,
            account(ALICE),
            Known::NOTHING.calling(function.as_ref()),
        )
        .await
        .expect("it would succeed");
    // Without the function the same bytes are nothing that anybody reads.
    assert!(
        chain
            .simulate(&prepared.unsigned, account(ALICE), Known::NOTHING)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_address_without_code_is_not_called() {
    let node = contract_node("0x", false);
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let asked = deposit();
    let refused = chain
        .prepare_transfer(account(ALICE), &asked, None, NetworkTerms::default())
        .await;
    assert!(
        matches!(&refused, Err(ChainError::WouldFail { reason }) if reason.as_str().contains("no contract")),
        "{refused:?}"
    );
    assert_eq!(node.count("eth_estimateGas"), 0);
}

#[tokio::test]
async fn a_contract_that_reverts_is_told_before_anything_is_signed() {
    let node = contract_node("0x6001", true);
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let asked = deposit();
    let refused = chain
        .prepare_transfer(account(ALICE), &asked, None, NetworkTerms::default())
        .await;
    assert!(
        matches!(&refused, Err(ChainError::WouldFail { reason }) if reason.as_str().contains("closed")),
        "{refused:?}"
    );
}
