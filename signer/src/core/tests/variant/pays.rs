//! Speeding up: the same payment on the same nonce with a higher fee, charged as one.

use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::UnsignedTransaction;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::{Counts, Limits};
use waiaas_shared::policy::scope::{Scope, ScopeRule};
use waiaas_shared::policy::windows::Window;
use waiaas_shared::time::Millis;
use waiaas_shared::transaction::EvmFees;

use super::*;
use crate::core::command::Release;

#[test]
fn invariant_06_a_replacement_has_the_nonce_the_effect_and_a_higher_fee() {
    let mut world = World::new();
    let first = paid(&mut world, "a");
    let second = vary(&mut world, first, pays(2)).expect("a higher fee");
    let (spend, variant) = newest(&world);
    assert_eq!((spend.transaction, spend.nonce), (second, Some(0)));
    assert_eq!(
        (variant.of, variant.first, variant.number),
        (first, first, 1)
    );
    let to = Account::Evm(evm_recipient(RECIPIENT));
    let asset = EVM.native_asset();
    let units = Amount::from_base_units;
    let effects = [
        Effect::Transfer {
            asset,
            to,
            amount: units(AMOUNT),
        },
        Effect::Fee {
            asset,
            max: units(2 * FEE),
        },
    ];
    assert_eq!(spend.effects, effects);
    // The next payment has the next nonce.
    paid(&mut world, "b");
    assert_eq!(world.spends().last().expect("a payment").nonce, Some(1));
}

#[test]
fn invariant_06_only_the_same_effect_is_signed_again() {
    let mut world = World::new();
    let first = paid(&mut world, "a");
    let other = |amount, to| Change::Pay {
        unsigned: bytes(2, amount, to),
    };
    for change in [
        other(AMOUNT + 1, RECIPIENT),
        other(AMOUNT - 1, RECIPIENT),
        other(0, RECIPIENT),
        other(AMOUNT, STRANGER),
    ] {
        assert_eq!(refused(&mut world, first, change), [Code::BodyMismatch]);
    }
    let numbered = Change::Pay {
        unsigned: world::unsigned(31_337, 1, AMOUNT, evm_recipient(RECIPIENT)),
    };
    assert_eq!(refused(&mut world, first, numbered), [Code::NonceNotZero]);
    let elsewhere = Change::Pay {
        unsigned: world::unsigned(1, 0, AMOUNT, evm_recipient(RECIPIENT)),
    };
    let unread = [Code::TransactionUndecodable];
    assert_eq!(refused(&mut world, first, elsewhere), unread);
    // A gateway's own transfer of nothing to the wallet is no payment either.
    let wallet = world.state.wallets[&world.evm_wallet].account;
    let Account::Evm(wallet) = wallet else {
        panic!("an EVM wallet")
    };
    let own = UnsignedTransaction {
        to: wallet,
        value: 0,
        chain_id: 31_337,
        nonce: 0,
        max_priority_fee_per_gas: 2,
        max_fee_per_gas: 2,
        gas_limit: 21_000,
        data: Vec::new(),
    };
    let own = Change::Pay {
        unsigned: own.encode(),
    };
    assert_eq!(refused(&mut world, first, own), unread);
}

#[test]
fn invariant_06_the_fee_rises_by_a_tenth_and_stays_under_the_ceiling() {
    let mut world = World::new();
    adopt(&mut world, 2, |document| {
        for rule in &mut document.assets {
            rule.fee_ceiling = Some(Amount::from_base_units(12 * FEE));
            rule.instant_up_to = rule.notify_up_to;
        }
    });
    let first = paid(&mut world, "a");
    assert_eq!(refused(&mut world, first, pays(1)), [Code::VariantFee]);
    let second = vary(&mut world, first, pays(10)).expect("a higher fee");
    assert_eq!(refused(&mut world, second, pays(10)), [Code::VariantFee]);
    assert_eq!(refused(&mut world, second, cancels(10)), [Code::VariantFee]);
    let uneven = Change::Cancel {
        fees: EvmFees {
            gas_limit: 21_000,
            max_fee_per_gas: 11,
            max_priority_fee_per_gas: 10,
        },
    };
    assert_eq!(refused(&mut world, second, uneven), [Code::VariantFee]);
    let third = vary(&mut world, second, pays(11)).expect("a tenth more");
    // A tenth of 11 is more than one, and 13 wei a gas are above the document's ceiling.
    assert_eq!(refused(&mut world, third, pays(12)), [Code::VariantFee]);
    assert_eq!(refused(&mut world, third, pays(13)), [Code::FeeCeiling]);
    assert_eq!(refused(&mut world, third, cancels(13)), [Code::FeeCeiling]);
}

/// What an owner approved under one ceiling is not signed above it later, whatever the documents say.
#[test]
fn invariant_06_the_fee_keeps_to_what_was_agreed_when_the_payment_waited() {
    let mut world = World::new();
    adopt(&mut world, 2, |document| {
        for rule in &mut document.assets {
            rule.instant_up_to = Amount::ZERO;
            rule.notify_up_to = Amount::ZERO;
        }
    });
    let waits = match world.bearer_pay("a", AMOUNT).expect("it waits") {
        Outcome::Waiting(view) => view.intent,
        other => panic!("{other:?}"),
    };
    world.commit();
    assert_eq!(waits.fee_ceiling, Amount::from_base_units(50_000));
    world.pass(Millis::from_hours(1));
    let release = Release {
        transaction: waits.transaction,
        unsigned: bytes(1, AMOUNT, RECIPIENT),
        prior: None,
    };
    let released = world.run(&Command::Release(release)).expect("released");
    assert!(matches!(released, Outcome::Sign(_)));
    world.commit();
    adopt(&mut world, 3, |document| {
        for rule in &mut document.assets {
            rule.instant_up_to = Amount::ZERO;
            rule.notify_up_to = Amount::ZERO;
            rule.fee_ceiling = Some(Amount::from_base_units(100 * FEE));
        }
    });
    world.pass(Millis::from_hours(24 * 8));
    let first = waits.transaction;
    assert_eq!(refused(&mut world, first, pays(3)), [Code::FeeCeiling]);
    // It waited once; the same effect needs no second wait.
    let second = vary(&mut world, first, pays(2)).expect("under the agreed fee");
    let (spend, _) = newest(&world);
    assert_eq!((spend.tier, spend.transaction), (Tier::Delay, second));
}

#[test]
fn invariant_06_approved_stays_approved_unless_policy_asks_for_more() {
    let mut world = World::new();
    let first = paid(&mut world, "a");
    assert_eq!(world.spends()[0].tier, Tier::Instant);
    adopt(&mut world, 2, |document| {
        for rule in &mut document.assets {
            rule.instant_up_to = Amount::ZERO;
            rule.notify_up_to = Amount::ZERO;
        }
    });
    assert_eq!(refused(&mut world, first, pays(2)), [Code::TierRaised]);
    // A cancellation pays nobody: no tier is asked for it.
    vary(&mut world, first, cancels(2)).expect("a cancellation");
}

/// What a higher fee makes of a payment is said: the owner is told of it.
#[test]
fn invariant_06_a_higher_fee_may_raise_the_tier_to_notify() {
    let mut world = World::new();
    adopt(&mut world, 2, |document| {
        for rule in &mut document.assets {
            rule.instant_up_to = Amount::from_base_units(AMOUNT + FEE);
        }
    });
    let first = paid(&mut world, "a");
    assert_eq!(world.spends()[0].tier, Tier::Instant);
    vary(&mut world, first, pays(2)).expect("a higher fee");
    assert_eq!(newest(&world).0.tier, Tier::Notify);
}

#[test]
fn invariant_06_a_variant_charges_what_it_exceeds_in_the_same_window() {
    let mut world = World::new();
    paid(&mut world, "before");
    let first = paid(&mut world, "a");
    let each = AMOUNT + FEE;
    assert_eq!(spent(&world, Window::Hour), 2 * each);
    world.pass(Millis::from_secs(600));
    let second = vary(&mut world, first, pays(2)).expect("a higher fee");
    for window in Window::ALL {
        assert_eq!(spent(&world, window), 2 * each + FEE, "{window:?}");
        assert_eq!(payments(&world, window), 2, "{window:?}");
        assert_eq!(to_recipient(&world, window), 2 * AMOUNT, "{window:?}");
    }
    assert_eq!(session_spent(&world), (2 * each + FEE, 2));
    assert_eq!(outstanding(&world), 2 * each + FEE);
    // Two hours later the hour has forgotten both: the whole counts there, the excess elsewhere.
    world.pass(Millis::from_hours(2));
    adopt(&mut world, 2, |document| {
        for rule in &mut document.assets {
            rule.fee_ceiling = Some(Amount::from_base_units(10 * FEE));
        }
    });
    assert_eq!(spent(&world, Window::Hour), 0);
    vary(&mut world, second, pays(3)).expect("a higher fee");
    assert_eq!(spent(&world, Window::Hour), AMOUNT + 3 * FEE);
    assert_eq!(spent(&world, Window::Day), 2 * each + 2 * FEE);
    assert_eq!(
        (
            payments(&world, Window::Hour),
            payments(&world, Window::Day)
        ),
        (1, 2)
    );
    assert_eq!(session_spent(&world), (2 * each + 2 * FEE, 2));
    assert_eq!(outstanding(&world), 2 * each + 2 * FEE);
}

/// Every limit sees the sum with the excess, and not a second payment.
#[test]
fn invariant_06_limits_bind_the_excess_to_the_unit() {
    let each = AMOUNT + FEE;
    for (allowed, passes) in [(each + FEE, true), (each + FEE - 1, false)] {
        let mut world = World::new();
        adopt(&mut world, 2, |document| {
            for rule in &mut document.assets {
                rule.hour = Amount::from_base_units(allowed);
                rule.per_transaction = Amount::from_base_units(allowed);
                rule.instant_up_to = Amount::from_base_units(allowed);
                rule.notify_up_to = Amount::from_base_units(allowed);
                rule.delay_up_to = Amount::from_base_units(allowed);
                rule.approve_up_to = Amount::from_base_units(allowed);
                rule.outstanding = rule.outstanding.map(|_| Amount::from_base_units(allowed));
            }
            let counts = Counts {
                hour: Some(1),
                ..Counts::default()
            };
            let once = Limits {
                counts,
                ..Limits::default()
            };
            document.scopes = vec![ScopeRule {
                usd: Some(once),
                ..ScopeRule::new(Scope::Global)
            }];
        });
        let first = paid(&mut world, "a");
        let outcome = vary(&mut world, first, pays(2));
        let codes = [
            Code::PerTransactionLimit,
            Code::HourLimit,
            Code::TierNotAvailable,
            Code::OutstandingCap,
        ];
        match outcome {
            Ok(_) => assert!(passes),
            Err(broken) => {
                assert!(!passes, "{broken:?}");
                assert_eq!(broken, codes);
            }
        }
    }
}
