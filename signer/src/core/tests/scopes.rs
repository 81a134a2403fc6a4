//! The rules of a policy over the fold: what was charged is counted wherever a document counts it.

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::Family;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::{Counts, Limits};
use waiaas_shared::policy::scope::{AssetLimits, Hours, Scope, ScopeRule};
use waiaas_shared::session::Credential;
use waiaas_shared::time::{Millis, WallTime};

use super::world::{EVM, FEE, NOW, World, key_bound, policy};
use crate::core::command::{Command, Outcome};

/// A world under the policy with a change; all networks are test networks, so it matures at once.
fn under(change: impl FnOnce(&mut PolicyDocument)) -> World {
    let mut world = World::new();
    let mut document = policy(2);
    change(&mut document);
    document.sort();
    world.adopt(&document, true).expect("a sound document");
    world
}

fn one_payment_a_day(scope: Scope) -> ScopeRule {
    ScopeRule {
        usd: Some(Limits {
            counts: Counts {
                day: Some(1),
                ..Counts::default()
            },
            ..Limits::default()
        }),
        ..ScopeRule::new(scope)
    }
}

fn ceiling(scope: Scope, per_transaction: u128) -> ScopeRule {
    ScopeRule {
        limits: vec![AssetLimits {
            asset: EVM.native_asset(),
            limits: Limits {
                per_transaction: Some(Amount::from_base_units(per_transaction)),
                ..Limits::default()
            },
        }],
        ..ScopeRule::new(scope)
    }
}

#[test]
fn invariant_09_scopes_count_over_what_stands_below_them() {
    let mut world = under(|document| document.scopes = vec![one_payment_a_day(Scope::Global)]);
    world.bearer_pay("a", 1000).expect("the first");
    let keyed = world.signed_request("b", 1000);
    assert_eq!(
        world.run(&Command::Spend(keyed)).map(drop),
        Err(vec![Code::PaymentCount]),
        "another session is no other budget"
    );
    let mut world =
        under(|document| document.scopes = vec![one_payment_a_day(Scope::EverySession)]);
    world.bearer_pay("a", 1000).expect("the first");
    assert_eq!(
        world.bearer_pay("b", 1000).map(drop),
        Err(vec![Code::PaymentCount])
    );
    let keyed = world.signed_request("c", 1000);
    world.run(&Command::Spend(keyed)).expect("each by itself");
    world.pass(Millis::from_hours(25));
    world.bearer_pay("d", 1000).expect("another day");
}

/// Limits of an asset hold for each wallet; those of the global scope, as the starter policy has it, for all.
#[test]
fn invariant_09_a_new_wallet_brings_no_fresh_budget() {
    let limited = ScopeRule {
        limits: vec![AssetLimits {
            asset: EVM.native_asset(),
            limits: Limits {
                day: Some(Amount::from_base_units(2 * (1000 + FEE))),
                ..Limits::default()
            },
        }],
        ..ScopeRule::new(Scope::Global)
    };
    let mut world = under(|document| document.scopes = vec![limited]);
    for key in ["a", "b"] {
        world.bearer_pay(key, 1000).expect("within the limit");
    }
    let fresh = world
        .wallet(Family::Evm, [0x77; 32], vec![EVM])
        .expect("another wallet");
    world.evm_wallet = fresh;
    let secret = Credential::Bearer(hash(Domain::SessionSecret, &[b"for the new wallet"]));
    world.bearer = world.grant(secret).expect("another session");
    let refused = world.bearer_pay("c", 1).map(drop);
    assert_eq!(refused, Err(vec![Code::DayLimit]));
}

#[test]
fn invariant_09_what_one_recipient_was_paid_is_counted() {
    let mut world = under(|document| {
        for rule in &mut document.assets {
            rule.recipient = Some(Limits {
                day: Some(Amount::from_base_units(5000)),
                ..Limits::default()
            });
        }
    });
    // Fees are paid to nobody.
    world.bearer_pay("a", 4000).expect("most of it");
    assert_eq!(
        world.bearer_pay("b", 1001).map(drop),
        Err(vec![Code::RecipientLimit])
    );
    world.bearer_pay("c", 1000).expect("the rest");
}

#[test]
fn invariant_18_bearer_sessions_have_their_own_ceilings() {
    let most = 400_000 - 1;
    let mut world = under(|document| {
        document.scopes = vec![ceiling(Scope::BearerSessions, most)];
    });
    let bearer = Credential::Bearer(hash(Domain::SessionSecret, &[b"other"]));
    assert_eq!(
        world.grant(bearer).map(drop),
        Err(vec![Code::SessionAboveCeiling])
    );
    world.grant(key_bound()).expect("not meant");
    // A session that was granted before keeps to them too.
    assert_eq!(
        world.bearer_pay("a", most - FEE + 1).map(drop),
        Err(vec![Code::PerTransactionLimit])
    );
    world.bearer_pay("b", most - FEE).expect("to the unit");
}

#[test]
fn a_payment_that_would_wait_or_ask_is_not_signed() {
    for tier in [Tier::Delay, Tier::Approval] {
        let mut world = under(|document| document.first_payment = Some(tier));
        match world.bearer_pay("a", 1000) {
            Ok(Outcome::Waiting(view)) => assert_eq!(view.intent.tier(), tier),
            other => panic!("{other:?}"),
        }
        assert!(world.spends().is_empty());
    }
    let mut world = under(|document| document.first_payment = Some(Tier::Notify));
    for key in ["a", "b"] {
        world.bearer_pay(key, 1000).expect("signed at once");
    }
    let tiers: Vec<Tier> = world.spends().iter().map(|spend| spend.tier).collect();
    assert_eq!(tiers, [Tier::Notify, Tier::Instant]);
}

#[test]
fn invariant_19_a_replay_is_not_refused_for_its_own_count_or_its_own_time() {
    let mut world = under(|document| {
        let mut rule = one_payment_a_day(Scope::EverySession);
        rule.cool_down = Some(Millis::from_hours(1));
        document.scopes = vec![rule];
    });
    world.bearer_pay("a", 1000).expect("the first");
    world.bearer_pay("a", 1000).expect("the same once more");
    assert_eq!(
        world.bearer_pay("b", 1000).map(drop),
        Err(vec![Code::CoolDown, Code::PaymentCount])
    );
    assert_eq!(world.spends().len(), 1);
}

/// Monday to Friday, 9 to 17 UTC.
fn office() -> Hours {
    Hours {
        utc_offset: 0,
        days: 0x1f,
        from: 9 * 60,
        to: 17 * 60,
    }
}

/// The upper side never comes back from a clock that was ahead at a start: what is let through by the hour keeps to
/// both sides, and an honest host's small gap costs its minutes and no more.
#[test]
fn invariant_11_a_clock_that_was_ahead_opens_no_other_hours() {
    const MINUTE: u64 = 60_000;
    // NOW is a Friday, 08:00 UTC.
    let after = |minutes: u64| WallTime::from_millis(NOW + minutes * MINUTE);
    let pays = |shown: u64, ahead: u64| {
        let mut world = under(|document| {
            let mut rule = ScopeRule::new(Scope::Global);
            rule.hours = Some(vec![office()]);
            document.scopes = vec![rule];
        });
        world.steady = Some(after(shown));
        world.clocks.wall = after(shown + ahead);
        world.bearer_pay("a", 1000).map(drop)
    };
    let closed = Err(vec![Code::OutsideHours]);
    let saturday = 24 * 60;
    for (shown, ahead, expected) in [
        (60, 0, Ok(())),
        // Forty hours ahead: Saturday 17:00 is no Monday 9:00.
        (saturday + 9 * 60, 40 * 60, closed.clone()),
        // Five minutes apart: from where both are in to where one is out.
        (59, 5, closed.clone()),
        (60, 5, Ok(())),
        (9 * 60 - 6, 5, Ok(())),
        (9 * 60 - 5, 5, closed.clone()),
        (9 * 60, 5, closed),
    ] {
        assert_eq!(pays(shown, ahead), expected, "{shown} {ahead}");
    }
}
