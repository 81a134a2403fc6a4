//! Stake accounts against a Solana node that says what suits it: whatever it tells of one, what is built is what was
//! asked, and comes to the wallet.

use waiaas_shared::address::SolanaAddress;
use waiaas_shared::claim::Claim;
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::solana::{StakeAccount, Staking};

use super::*;

fn own() -> StakeAccount {
    let Account::Solana(wallet) = account(CAROL) else {
        panic!("an account of Solana")
    };
    StakeAccount::of(wallet, "june-1".parse().expect("a seed"))
}

fn asked(chain: &Chain, action: Action, amount: u128) -> Transfer {
    let to = match action {
        Action::Stake => DAVE.to_owned(),
        _ => own().address().to_string(),
    };
    Transfer {
        action,
        stake: Some(own()),
        program: None,
        ..pays(chain, &to, amount)
    }
}

/// A node that says so much lies in every account.
fn node(held: u64) -> MockNode {
    solana_node(move |method, _| {
        (method == "getBalance")
            .then(|| Reply::Result(json!({ "context": { "slot": 2000 }, "value": held })))
    })
}

async fn prepare(
    node: &MockNode,
    action: Action,
    amount: u128,
) -> (Claim, Result<Prepared, ChainError>) {
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let asked = asked(&chain, action, amount);
    let terms = NetworkTerms::default();
    let prepared = chain
        .prepare_transfer(account(CAROL), &asked, None, terms)
        .await;
    (Claim::of(asked), prepared)
}

#[tokio::test]
async fn what_is_built_of_a_stake_is_what_the_signer_reads() {
    let node = node(7);
    let validator: SolanaAddress = DAVE.parse().expect("an address");
    let amount = coins(5);
    for (action, asked, expected) in [
        (Action::Stake, 5, Staking::Delegate { validator, amount }),
        (Action::Unstake, 0, Staking::Deactivate),
        // All that the node says lies there.
        (
            Action::WithdrawStake,
            0,
            Staking::Withdraw { amount: coins(7) },
        ),
    ] {
        let (claim, prepared) = prepare(&node, action, asked).await;
        let prepared = prepared.expect("an honest node");
        let known = Known::NOTHING.staking(claim.seed());
        let chain: ChainId = DEVNET.parse().expect("a chain");
        let read = decode(chain, account(CAROL), &prepared.unsigned, known).expect("readable");
        assert!(claim.is_done_by(&read), "{action:?}");
        let stakes = read.effects().iter().filter_map(|effect| match effect {
            Effect::Stake { staking, .. } => Some(*staking),
            _ => None,
        });
        assert_eq!(stakes.collect::<Vec<_>>(), [expected]);
        assert_eq!(prepared.fee_max, read.fee_max());
        // Only what comes back is asked for.
        let looked = usize::from(action == Action::WithdrawStake);
        assert_eq!(node.count("getBalance"), looked, "{action:?}");
    }
}

#[tokio::test]
async fn nothing_is_taken_out_of_an_account_that_is_not_there() {
    let node = node(0);
    let (_, prepared) = prepare(&node, Action::WithdrawStake, 0).await;
    let Err(ChainError::WouldFail { reason }) = prepared else {
        panic!("{prepared:?}")
    };
    let reason = reason.to_string();
    assert!(reason.contains("june-1"), "{reason}");
    assert!(reason.contains(&own().address().to_string()), "{reason}");
    assert_eq!(node.count("getLatestBlockhash"), 0);
}

#[tokio::test]
async fn a_stake_that_no_message_can_hold_is_refused() {
    let node = node(7);
    for amount in [0, u128::from(u64::MAX), u128::MAX] {
        let (_, prepared) = prepare(&node, Action::Stake, amount).await;
        assert!(
            matches!(prepared, Err(ChainError::Unbuildable(_))),
            "{amount}"
        );
    }
}
