//! What stops variants, the same call again, how many there are, and whose nonce it is.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::StatementId;
use waiaas_shared::policy::windows::Window;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::*;
use crate::core::command::Withdrawal;

#[test]
fn invariant_06_what_stops_signing_stops_variants() {
    let stops: [(Command, Code); 3] = [
        (Command::Kill(Origin::Gateway), Code::Killed),
        (
            Command::Pause {
                wallet: None,
                origin: Origin::Gateway,
            },
            Code::Frozen,
        ),
        (
            Command::Pause {
                wallet: Some(World::new().evm_wallet),
                origin: Origin::Gateway,
            },
            Code::WalletPaused,
        ),
    ];
    for (stop, code) in stops {
        let mut world = World::new();
        let first = paid(&mut world, "a");
        let second = vary(&mut world, first, cancels(2)).expect("a cancellation");
        let third = paid(&mut world, "b");
        world.run(&stop).expect("stopped");
        assert_eq!(refused(&mut world, third, pays(2)), [code]);
        assert_eq!(refused(&mut world, third, cancels(2)), [code]);
        // Nor are the bytes of one given again.
        assert_eq!(refused(&mut world, first, cancels(2)), [code]);
        let prior = entry(&world, second).expect("an entry");
        let again = world
            .run(&Command::Resend(prior, Origin::Gateway))
            .map(drop);
        assert_eq!(again, Err(vec![code]));
    }
}

#[test]
fn invariant_06_the_same_call_gives_the_same_bytes_once() {
    for (change, other) in [(pays(2), pays(3)), (cancels(2), cancels(3))] {
        let mut world = World::new();
        let first = paid(&mut world, "a");
        let second = vary(&mut world, first, change.clone()).expect("a variant");
        let (charged, length) = (spent(&world, Window::Hour), world.events.len());
        let unsigned = newest(&world).0.unsigned.clone();
        match ask(&mut world, first, change.clone()).expect("again") {
            Outcome::Sign(order) => {
                assert_eq!(order.sealed().transaction, second);
                assert_eq!(order.sealed().replay_of, Some(length as u64));
                assert_eq!(order.transaction().bytes(), unsigned);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(
            (spent(&world, Window::Hour), world.events.len()),
            (charged, length)
        );
        // One thing takes the place of a transaction, and of that the bytes of the newest leave.
        assert_eq!(refused(&mut world, first, other), [Code::PaymentReplaced]);
        let prior = entry(&world, first).expect("an entry");
        let old = world
            .run(&Command::Resend(prior, Origin::Gateway))
            .map(drop);
        assert_eq!(old, Err(vec![Code::PaymentReplaced]));
        let prior = entry(&world, second).expect("an entry");
        let order = world
            .run(&Command::Resend(prior, Origin::Gateway))
            .expect("the newest");
        assert!(matches!(order, Outcome::Sign(order) if order.transaction().bytes() == unsigned));
    }
}

/// In one batch the ledger knows neither the payment nor its variant yet.
#[test]
fn invariant_06_two_variants_in_one_batch_count_once() {
    let mut world = World::new();
    adopt(&mut world, 2, |document| {
        for rule in &mut document.assets {
            rule.fee_ceiling = Some(Amount::from_base_units(10 * FEE));
        }
    });
    let fresh = |world: &World, of: TransactionId, change: Change| {
        let prior = world.state.uncommitted_transaction(of).cloned();
        Command::Vary(VariantRequest {
            transaction: of,
            change,
            prior: prior.map(Box::new),
            used: None,
        })
    };
    let name = |outcome| match outcome {
        Ok(Outcome::Sign(order)) => order.sealed().transaction,
        other => panic!("{other:?}"),
    };
    let first = name(world.bearer_pay("a", AMOUNT));
    let command = fresh(&world, first, pays(2));
    let second = name(world.run(&command));
    assert_eq!(name(world.run(&command)), second);
    let command = fresh(&world, second, pays(3));
    name(world.run(&command));
    assert_eq!(spent(&world, Window::Hour), AMOUNT + 3 * FEE);
    assert_eq!(payments(&world, Window::Hour), 1);
    let late = fresh(&world, first, pays(9));
    assert_eq!(world.run(&late).map(drop), Err(vec![Code::PaymentReplaced]));
}

#[test]
fn invariant_06_variants_of_a_nonce_are_bounded() {
    let mut world = World::new();
    adopt(&mut world, 2, |document| {
        for rule in &mut document.assets {
            rule.fee_ceiling = Some(Amount::from_base_units(20 * FEE));
        }
    });
    let mut newest = paid(&mut world, "a");
    for price in 2..=16 {
        let before = price - 1;
        let next = before + u128::div_ceil(before, 10);
        newest = match vary(&mut world, newest, pays(next.max(price))) {
            Ok(name) => name,
            Err(broken) => {
                // A tenth is more than one from here on.
                assert_eq!(broken, [Code::VariantFee]);
                break;
            }
        };
    }
    // However many there were: sixteen at most, and as many again to cancel.
    for (number, change, bounded) in [
        (14, pays(17), false),
        (15, pays(17), true),
        (15, cancels(17), false),
        (30, cancels(17), false),
        (31, cancels(17), true),
    ] {
        let mut world = world.clone();
        let mut prior = entry(&world, newest).expect("an entry");
        prior.variant.as_mut().expect("a variant").number = number;
        let request = VariantRequest {
            transaction: newest,
            change,
            prior: Some(prior),
            used: None,
        };
        let outcome = world.run(&Command::Vary(request)).map(drop);
        let broken = Err(vec![Code::VariantTooMany]);
        assert_eq!(outcome == broken, bounded, "{number}: {outcome:?}");
        assert!(bounded || outcome.is_ok(), "{number}: {outcome:?}");
    }
}

#[test]
fn invariant_06_only_a_payment_of_this_log_has_variants() {
    let mut world = World::new();
    let first = paid(&mut world, "a");
    let other = TransactionId::from_bytes([9; 16]);
    assert_eq!(
        refused(&mut world, other, cancels(2)),
        [Code::TransactionUnknown]
    );
    // The entry of another payment is not the named one's.
    let request = VariantRequest {
        transaction: other,
        change: cancels(2),
        prior: entry(&world, first),
        used: None,
    };
    let outcome = world.run(&Command::Vary(request)).map(drop);
    assert_eq!(outcome, Err(vec![Code::TransactionUnknown]));
    // The record of another variant is no answer to this call.
    let second = vary(&mut world, first, pays(2)).expect("a higher fee");
    let third = paid(&mut world, "b");
    let request = VariantRequest {
        transaction: third,
        change: pays(2),
        prior: entry(&world, third),
        used: by_key(&world, first),
    };
    match world
        .run(&Command::Vary(request))
        .expect("a variant of its own")
    {
        Outcome::Sign(order) => assert_ne!(order.sealed().transaction, second),
        other => panic!("{other:?}"),
    }
}

#[test]
fn invariant_06_an_attested_nonce_is_never_signed_again() {
    let mut world = World::new();
    let first = paid(&mut world, "a");
    world
        .say(
            StatementFacts::AttestNonce {
                wallet: world.evm_wallet,
                chain: EVM,
                next: 1,
                from: None,
            },
            false,
        )
        .expect("attested");
    assert_eq!(
        refused(&mut world, first, pays(2)),
        [Code::VariantNonceUsed]
    );
    assert_eq!(
        refused(&mut world, first, cancels(2)),
        [Code::VariantNonceUsed]
    );
    let second = paid(&mut world, "b");
    vary(&mut world, second, pays(2)).expect("issued since");
}

/// No agent's transaction outbids the owner's way out at its nonce (invariant 17).
#[test]
fn invariant_06_a_nonce_that_a_withdrawal_took_is_the_owners() {
    let mut world = World::new();
    let home = "eip155:31337:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
    let account = home.parse().expect("an account");
    let facts = StatementFacts::EnrolWithdrawal { account };
    world.say(facts, true).expect("enrolled");
    world.pass(Millis::from_hours(73));
    let first = paid(&mut world, "a");
    let second = paid(&mut world, "b");
    let statement = withdraw(&mut world, 0).expect("at the nonce of the first");
    assert_eq!(
        refused(&mut world, first, pays(3)),
        [Code::VariantNonceUsed]
    );
    assert_eq!(
        refused(&mut world, first, cancels(3)),
        [Code::VariantNonceUsed]
    );
    vary(&mut world, second, pays(2)).expect("another nonce");
    // The withdrawal itself is nobody's to speed up or cancel.
    assert_eq!(
        refused(&mut world, statement, cancels(3)),
        [Code::VariantUnsupported]
    );
}

fn withdraw(world: &mut World, nonce: u64) -> Result<TransactionId, Vec<Code>> {
    let facts = StatementFacts::Withdraw {
        wallet: world.evm_wallet,
        asset: EVM.native_asset(),
        to: STRANGER.parse().expect("an address"),
        amount: Amount::from_base_units(AMOUNT),
        fee_ceiling: Amount::from_base_units(5 * FEE),
        nonce: Some(nonce),
        from: None,
    };
    let (statement, text): (StatementId, String) = world.draft(facts, Origin::Admin)?;
    let signatures = vec![world.signature(&text)];
    let withdrawal = Withdrawal {
        statement,
        signatures,
        unsigned: bytes(2, AMOUNT, STRANGER),
    };
    match world.run(&Command::Withdraw(withdrawal))? {
        Outcome::Sign(order) => {
            world.commit();
            Ok(order.sealed().transaction)
        }
        other => panic!("{other:?}"),
    }
}
