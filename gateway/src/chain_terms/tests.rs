//! Terms are kept for a moment and read back exactly; no two messages are equal, none above its ceiling.

use std::collections::HashSet;

use waiaas_shared::address::SolanaAddress;
use waiaas_shared::solana::build::{StakingRequest, TokenTransferRequest, token_transfer};
use waiaas_shared::solana::{StakeAccount, Staking, Token, TokenProgram};

use super::*;
use crate::testing::{FakeChain, from_account, to_account};

fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

fn terms(unit_price: u64) -> Terms {
    Terms {
        blockhash: [3; 32],
        unit_limit: 450,
        unit_price,
        validity: Validity::Unlimited,
    }
}

fn pays(amount: u128) -> Transfer {
    Transfer {
        action: waiaas_shared::request::Action::Transfer,
        asset: FakeChain::default().id().native_asset(),
        to: to_account(),
        amount: units(amount),
        mint: None,
        call: None,
        stake: None,
        program: None,
    }
}

fn prepared(terms: &Terms) -> Prepared {
    let unsigned = terms.message(from_account(), &pays(5)).expect("built");
    Prepared {
        unsigned,
        fee_max: units(0),
        data_fee: None,
        validity: terms.validity,
    }
}

#[test]
fn what_the_node_decided_is_read_back() {
    for price in [0, 1, 123_456] {
        let terms = terms(price);
        assert_eq!(
            Terms::of(&prepared(&terms), from_account(), &pays(5)),
            Some(terms)
        );
    }
    let built = prepared(&terms(1));
    assert_eq!(Terms::of(&built, from_account(), &pays(6)), None);
    assert_eq!(Terms::of(&built, to_account(), &pays(5)), None);
    for length in [0, 131, 150, 180] {
        let cut = Prepared {
            unsigned: built.unsigned[..length].to_vec(),
            ..built.clone()
        };
        assert_eq!(Terms::of(&cut, from_account(), &pays(5)), None);
    }
}

/// Two equal payments under one blockhash are two transactions.
#[tokio::test]
async fn no_two_messages_are_equal() {
    for seed in [0, 16_380, u64::MAX - 5] {
        let chain = ChainTerms::new(FakeChain::default(), seed);
        let mut seen = HashSet::new();
        for _ in 0..200 {
            let prepared = chain
                .prepare_transfer(
                    from_account(),
                    &pays(5),
                    Some(units(5000)).into(),
                    ELSEWHERE,
                )
                .await
                .expect("prepared");
            assert!(prepared.fee_max <= units(5000));
            assert!(seen.insert(prepared.unsigned), "the same message twice");
        }
    }
}

#[test]
fn the_ceiling_holds_for_every_variation() {
    let inside = Inside {
        chain: FakeChain::default(),
        kept: Mutex::default(),
        variation: AtomicU64::new(0),
    };
    // 5000 for the signature, 450 units at 2 222 222 micro-lamports make 1000 more.
    let terms = terms(2_222_222);
    let from = from_account();
    let mut seen = HashSet::new();
    for ceiling in [6000, 6003, 7000] {
        for _ in 0..100 {
            let built = inside
                .build(from, &pays(5), Some(units(ceiling)).into(), &terms)
                .expect("fits");
            assert!(built.fee_max <= units(ceiling), "{}", built.fee_max);
            assert!(built.fee_max >= units(5990), "{}", built.fee_max);
            assert!(seen.insert(built.unsigned));
        }
    }
    assert!(
        inside
            .build(from, &pays(5), Some(units(4999)).into(), &terms)
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn terms_are_kept_for_a_second_and_renewed_before() {
    let chain = ChainTerms::new(FakeChain::default(), 0);
    let asked = || chain.inside.chain.prepared.load(Ordering::SeqCst);
    let asked_for = pays(5);
    let prepare =
        || chain.prepare_transfer(from_account(), &asked_for, Offer::default(), ELSEWHERE);
    for _ in 0..10 {
        prepare().await.expect("prepared");
    }
    assert_eq!(asked(), 1);
    tokio::time::advance(Duration::from_millis(400)).await;
    for _ in 0..10 {
        prepare().await.expect("prepared");
        tokio::task::yield_now().await;
    }
    assert_eq!(asked(), 2, "renewed once, in the background");
    // A node that is down is noticed within the second.
    chain.inside.chain.down.store(true, Ordering::SeqCst);
    prepare().await.expect("still known");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(prepare().await.is_err());
}

/// Two equal transfers of tokens under one blockhash are two transactions, whichever form they have.
#[test]
fn no_two_messages_of_tokens_are_equal() {
    let inside = Inside {
        chain: FakeChain::default(),
        kept: Mutex::default(),
        variation: AtomicU64::new(16_300),
    };
    let asked = Transfer {
        mint: Some(Token {
            mint: SolanaAddress::from_bytes([8; 32]),
            decimals: 6,
            program: TokenProgram::Token,
        }),
        ..pays(5)
    };
    let (Account::Solana(from), Account::Solana(to)) = (from_account(), asked.to) else {
        panic!("accounts of Solana")
    };
    for create in [false, true] {
        for price in [0, 100_000] {
            let request = TokenTransferRequest {
                from,
                to,
                token: asked.mint.expect("a mint"),
                amount: 5,
                create,
                blockhash: [9; 32],
                compute_unit_limit: 40_000,
                micro_lamports_per_compute_unit: price,
            };
            let prepared = Prepared {
                unsigned: token_transfer(&request).expect("built"),
                fee_max: units(9000),
                data_fee: None,
                validity: Validity::Unlimited,
            };
            let mut seen = HashSet::new();
            for _ in 0..200 {
                let varied = inside
                    .vary(
                        from_account(),
                        Known::of(&asked.to, &asked.mint),
                        Some(units(10_000)).into(),
                        &prepared,
                    )
                    .expect("it has a place for other settings");
                assert!(varied.fee_max <= units(10_000), "{}", varied.fee_max);
                assert!(seen.insert(varied.unsigned), "the same message twice");
            }
        }
    }
}

/// Two equal ends of a stake under one blockhash are two transactions, and what a stake is asked goes to the chain
/// each time.
#[test]
fn no_two_messages_of_stakes_are_equal() {
    let inside = Inside {
        chain: FakeChain::default(),
        kept: Mutex::default(),
        variation: AtomicU64::new(16_300),
    };
    let Account::Solana(from) = from_account() else {
        panic!("an account of Solana")
    };
    let account = StakeAccount::of(from, "june-1".parse().expect("a seed"));
    let amount = units(5);
    for staking in [
        Staking::Delegate {
            validator: SolanaAddress::from_bytes([8; 32]),
            amount,
        },
        Staking::Deactivate,
        Staking::Withdraw { amount },
    ] {
        let request = StakingRequest {
            from,
            account: &account,
            staking,
            blockhash: [9; 32],
            compute_unit_limit: 60_000,
            micro_lamports_per_compute_unit: 0,
        };
        let prepared = Prepared {
            unsigned: waiaas_shared::solana::build::staking(&request).expect("built"),
            fee_max: units(5000),
            data_fee: None,
            validity: Validity::Unlimited,
        };
        let known = Known::NOTHING.staking(Some(account.seed()));
        let mut seen = HashSet::new();
        for _ in 0..200 {
            let varied = inside.vary(from_account(), known, Some(units(10_000)).into(), &prepared);
            let varied = varied.expect("it has a place for other settings");
            assert!(seen.insert(varied.unsigned), "the same message twice");
        }
    }
}

/// Two equal batches under one blockhash are two transactions, and each does what was asked.
#[tokio::test]
async fn no_two_batches_are_equal() {
    let chain = ChainTerms::new(FakeChain::default(), 16_300);
    let memo = "order 7".parse().expect("a memo");
    let claim = Claim::new(pays(5), vec![pays(6)], Some(memo));
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let prepared = chain
            .prepare_batch(from_account(), &claim, Some(units(10_000)).into())
            .await
            .expect("built");
        let read = decode(
            chain.id(),
            from_account(),
            &prepared.unsigned,
            Known::NOTHING,
        );
        assert!(claim.is_done_by(&read.expect("readable")));
        assert!(seen.insert(prepared.unsigned));
    }
}
