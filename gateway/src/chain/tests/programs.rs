//! Calls of programs against a Solana node that says what suits it: whatever it tells of compute units, what is built
//! is what was asked, within the ceiling.

use waiaas_shared::address::SolanaAddress;
use waiaas_shared::claim::Claim;
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::solana::{Leaving, ProgramCall, ProgramMethod};

use super::*;

fn address(text: &str) -> SolanaAddress {
    text.parse().expect("an address")
}

/// A method with a byte of data, the wallet and another account; five lamports leave.
fn asked(chain: &Chain) -> Transfer {
    let native = chain.id().native_asset();
    let method = ProgramMethod {
        program: SolanaAddress::from_bytes([0xd1; 32]),
        begins: vec![9],
        fields: Vec::new(),
        tail: 1,
        accounts: vec![true, true],
        outflow: vec![Leaving {
            asset: native,
            up_to: coins(5),
        }],
    };
    let accounts = [address(CAROL), address(DAVE)];
    let told = ProgramCall::read(address(CAROL), &method, &accounts, &[9, 7]);
    Transfer {
        action: Action::Call,
        to: Account::Solana(method.program),
        program: Some(Box::new(told.expect("of its form"))),
        ..pays(chain, DAVE, 5)
    }
}

async fn prepare(told: Value) -> (Claim, Result<Prepared, ChainError>) {
    let node = solana_node(move |method, _| {
        let told = json!({ "context": { "slot": 2000 }, "value": told });
        (method == "simulateTransaction").then_some(Reply::Result(told))
    });
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let asked = asked(&chain);
    let terms = NetworkTerms::default();
    let prepared = chain
        .prepare_transfer(account(CAROL), &asked, None, terms)
        .await;
    assert_eq!(node.count("simulateTransaction"), 1);
    (Claim::of(asked), prepared)
}

/// The unit limit of a message that is built here: the first instruction's.
fn units(bytes: &[u8]) -> u32 {
    let begins = 4 + 32 * usize::from(bytes[3]) + 32 + 1;
    let limit = &bytes[begins + 3..];
    assert_eq!(limit[0], 2, "a unit limit");
    u32::from_le_bytes(limit[1..5].try_into().expect("four bytes"))
}

#[tokio::test]
async fn what_is_built_of_a_call_is_what_the_signer_reads() {
    for (told, limit) in [
        (json!({ "err": null, "unitsConsumed": 10_000 }), 15_000),
        (json!({ "err": null, "unitsConsumed": 0 }), 2_000),
        (json!({ "err": null, "unitsConsumed": u64::MAX }), 1_400_000),
        (json!({ "err": null, "unitsConsumed": null }), 200_000),
        (json!({ "err": null }), 200_000),
    ] {
        let (claim, prepared) = prepare(told).await;
        let prepared = prepared.expect("a node that tries it");
        let known = Known::NOTHING.running(claim.program());
        let chain: ChainId = DEVNET.parse().expect("a chain");
        let read = decode(chain, account(CAROL), &prepared.unsigned, known).expect("readable");
        assert!(claim.is_done_by(&read));
        assert_eq!(prepared.fee_max, read.fee_max());
        assert_eq!(units(&prepared.unsigned), limit);
    }
}

#[tokio::test]
async fn a_call_that_would_fail_is_not_built() {
    let told = json!({ "err": { "InstructionError": [2, { "Custom": 7 }] }, "unitsConsumed": 9 });
    let (_, prepared) = prepare(told).await;
    let Err(ChainError::WouldFail { reason }) = prepared else {
        panic!("{prepared:?}")
    };
    assert!(reason.to_string().contains("Custom"), "{reason}");
}
