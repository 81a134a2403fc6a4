//! Cancelling: the signer's own transfer of nothing, charged as a fee, and what may be credited then.

use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Charge, Origin};
use waiaas_shared::evm::UnsignedTransaction;
use waiaas_shared::policy::limits::{Counts, Limits};
use waiaas_shared::policy::scope::{Scope, ScopeRule};
use waiaas_shared::policy::windows::Window;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;
use waiaas_shared::transaction::EvmFees;

use super::people::Hand;
use super::*;
use crate::core::command::Submission;

#[test]
fn invariant_06_a_cancellation_is_the_signers_own_transfer_of_nothing() {
    let mut world = World::new();
    let first = paid(&mut world, "a");
    let cancelled = vary(&mut world, first, cancels(2)).expect("a cancellation");
    let (spend, variant) = newest(&world);
    assert_eq!((spend.transaction, spend.nonce), (cancelled, Some(0)));
    assert!(variant.cancels);
    let Account::Evm(wallet) = world.state.wallets[&world.evm_wallet].account else {
        panic!("an EVM wallet")
    };
    let built = UnsignedTransaction {
        chain_id: 31_337,
        nonce: 0,
        max_priority_fee_per_gas: 2,
        max_fee_per_gas: 2,
        gas_limit: 21_000,
        to: wallet,
        value: 0,
        data: Vec::new(),
    };
    assert_eq!(spend.unsigned, built.encode());
    // It pays nobody, so nobody is a recipient that was paid.
    let account = AccountId::new(EVM, Account::Evm(wallet)).expect("an account");
    let history = &world.state.wallets[&world.evm_wallet].history;
    assert!(!history.has_paid(account));
    // Once cancelled it is never paid again, and cancelled again only for more.
    let dead = refused(&mut world, cancelled, pays(5));
    assert_eq!(dead, [Code::VariantCancelled]);
    assert_eq!(
        refused(&mut world, cancelled, cancels(2)),
        [Code::VariantFee]
    );
    adopt(&mut world, 2, |document| {
        for rule in &mut document.assets {
            rule.fee_ceiling = Some(Amount::from_base_units(10 * FEE));
        }
    });
    vary(&mut world, cancelled, cancels(3)).expect("a cancellation again");
    for gas_limit in [20_999, 100_001] {
        let fees = EvmFees {
            gas_limit,
            max_fee_per_gas: 50,
            max_priority_fee_per_gas: 50,
        };
        let mut world = World::new();
        let first = paid(&mut world, "a");
        let unread = refused(&mut world, first, Change::Cancel { fees });
        assert_eq!(unread, [Code::TransactionUndecodable], "{gas_limit}");
    }
}

/// The old bytes may still land: their charge stays. Only a fee above it adds anything.
#[test]
fn invariant_06_a_cancellation_charges_its_fee_and_gives_nothing_back() {
    let mut world = World::new();
    let each = AMOUNT + FEE;
    let first = paid(&mut world, "a");
    world.pass(Millis::from_secs(600));
    let cancelled = vary(&mut world, first, cancels(2)).expect("a cancellation");
    for window in Window::ALL {
        assert_eq!(spent(&world, window), each.max(2 * FEE), "{window:?}");
        assert_eq!(payments(&world, window), 1);
        assert_eq!(native_count(&world, window), 1);
        assert_eq!(to_recipient(&world, window), AMOUNT);
    }
    assert_eq!(session_spent(&world), (each.max(2 * FEE), 1));
    assert_eq!(outstanding(&world), each.max(2 * FEE));
    let (_, variant) = newest(&world);
    assert_eq!(variant.taken, [native(each.min(2 * FEE))]);
    // Two hours later the hour sees only what is signed now.
    world.pass(Millis::from_hours(2));
    adopt(&mut world, 2, |document| {
        for rule in &mut document.assets {
            rule.fee_ceiling = Some(Amount::from_base_units(10 * FEE));
        }
    });
    vary(&mut world, cancelled, cancels(3)).expect("a cancellation again");
    assert_eq!(spent(&world, Window::Hour), 3 * FEE);
    assert_eq!(spent(&world, Window::Day), 3 * FEE);
}

fn native(amount: u128) -> Charge {
    Charge {
        asset: EVM.native_asset(),
        amount: Amount::from_base_units(amount),
    }
}

/// A larger payment keeps what its cancellation does not take, and so much may be credited.
#[test]
fn invariant_06_what_a_cancelled_payment_keeps_may_be_credited_once() {
    let mut world = World::new();
    let big = 80_000;
    let outcome = world.bearer_pay("a", big).expect("a payment");
    let Outcome::Sign(order) = outcome else {
        panic!("{outcome:?}")
    };
    let first = order.sealed().transaction;
    world.commit();
    let cancelled = vary(&mut world, first, cancels(2)).expect("a cancellation");
    let (_, variant) = newest(&world);
    assert_eq!(variant.taken, [native(2 * FEE)]);
    assert_eq!(variant.kept, [native(big - FEE)]);
    assert_eq!(spent(&world, Window::Hour), big + FEE);
    let of_first = entry(&world, first).expect("an entry");
    let more = credit(&of_first, big - FEE + 1);
    assert_eq!(
        give(&mut world, more, &of_first),
        Err(vec![Code::CreditMismatch])
    );
    let all = credit(&of_first, big - FEE);
    give(&mut world, all.clone(), &of_first).expect("a credit");
    assert_eq!(spent(&world, Window::Hour), 2 * FEE);
    assert_eq!(
        give(&mut world, all, &of_first),
        Err(vec![Code::CreditUsed])
    );
    // What the cancellation cost is not given back, and one payment never counts less than none.
    let of_second = entry(&world, cancelled).expect("an entry");
    let fee = credit(&of_second, 2 * FEE);
    assert_eq!(
        give(&mut world, fee, &of_second),
        Err(vec![Code::CreditMismatch])
    );
    assert_eq!(session_spent(&world), (2 * FEE, 0));
}

#[test]
fn invariant_06_a_charge_that_moved_is_credited_with_the_newest_only() {
    let mut world = World::new();
    let first = paid(&mut world, "a");
    let second = vary(&mut world, first, pays(2)).expect("a higher fee");
    let of_first = entry(&world, first).expect("an entry");
    let gone = credit(&of_first, 1);
    assert_eq!(
        give(&mut world, gone, &of_first),
        Err(vec![Code::PaymentReplaced])
    );
    let of_second = entry(&world, second).expect("an entry");
    let all = credit(&of_second, AMOUNT + 2 * FEE);
    give(&mut world, all, &of_second).expect("a credit");
    assert_eq!(spent(&world, Window::Hour), 0);
    // What its owner credited is neither sped up nor cancelled.
    assert_eq!(
        refused(&mut world, second, pays(3)),
        [Code::PaymentCredited]
    );
    assert_eq!(
        refused(&mut world, second, cancels(3)),
        [Code::PaymentCredited]
    );
}

fn credit(entry: &Prior, amount: u128) -> StatementFacts {
    StatementFacts::Credit {
        sequence: entry.sequence,
        transaction: entry.spend.transaction,
        wallet: entry.spend.wallet,
        amounts: vec![native(amount)],
    }
}

fn give(world: &mut World, facts: StatementFacts, entry: &Prior) -> Result<(), Vec<Code>> {
    let owner = Hand::first(world);
    let entry = Some(Box::new(entry.clone()));
    let draft = Command::DraftCredit {
        facts,
        origin: Origin::Admin,
        entry: entry.clone(),
    };
    let Outcome::Drafted { statement, text } = world.run(&draft)? else {
        panic!("a text")
    };
    let submission = Submission {
        statement,
        signatures: vec![owner.signature(text.as_str())],
        origin: Origin::Admin,
        with_password: false,
    };
    world.run(&Command::Credit { submission, entry }).map(drop)
}

/// It must be possible to clear a nonce where the payment itself would be refused.
#[test]
fn invariant_06_a_cancellation_outlives_session_recipient_and_counts() {
    let mut world = World::new();
    let first = paid(&mut world, "a");
    paid(&mut world, "b");
    adopt(&mut world, 2, |document| {
        document.recipients.clear();
        let once = Limits {
            counts: Counts {
                hour: Some(1),
                ..Counts::default()
            },
            ..Limits::default()
        };
        document.scopes = vec![ScopeRule {
            usd: Some(once),
            ..ScopeRule::new(Scope::Global)
        }];
    });
    let broken = refused(&mut world, first, pays(2));
    assert_eq!(broken, [Code::RecipientNotListed, Code::PaymentCount]);
    let revoke = Command::RevokeSession {
        session: world.bearer,
        origin: Origin::Gateway,
    };
    world.run(&revoke).expect("revoked");
    assert_eq!(refused(&mut world, first, pays(2)), [Code::SessionRevoked]);
    vary(&mut world, first, cancels(2)).expect("a cancellation");
}

/// Amounts still bind: those of every document, and those of the session, ended or not.
#[test]
fn invariant_06_a_cancellation_keeps_to_every_limit_on_amounts() {
    let each = AMOUNT + FEE;
    let mut world = World::new();
    let first = paid(&mut world, "a");
    adopt(&mut world, 2, |document| {
        for rule in &mut document.assets {
            let most = Amount::from_base_units(2 * FEE - 1);
            rule.hour = most;
            rule.per_transaction = most;
            rule.instant_up_to = most;
            rule.notify_up_to = most;
            rule.delay_up_to = most;
            rule.approve_up_to = most;
            rule.outstanding = rule.outstanding.map(|_| most);
        }
    });
    let all = [
        Code::PerTransactionLimit,
        Code::HourLimit,
        Code::OutstandingCap,
    ];
    assert!(each < 2 * FEE);
    assert_eq!(refused(&mut world, first, cancels(2)), all);
    adopt(&mut world, 3, |document| {
        document.assets.retain(|rule| rule.asset.chain() != EVM);
        document.recipients.clear();
    });
    // Test networks: the newest document alone binds. Without an entry for the coin nothing may be spent.
    assert_eq!(
        refused(&mut world, first, cancels(2)),
        [Code::AssetNotListed]
    );

    let mut world = World::new();
    let first = paid(&mut world, "a");
    let session = world
        .state
        .sessions
        .get_mut(&world.bearer)
        .expect("a session");
    for limit in &mut session.grant.limits {
        limit.total = Amount::from_base_units(2 * FEE - 1);
    }
    assert_eq!(refused(&mut world, first, cancels(2)), [Code::SessionTotal]);
}
