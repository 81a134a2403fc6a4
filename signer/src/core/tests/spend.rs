//! Payments: invariants 3 to 9, 11, 18, 19.

use proptest::prelude::*;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::EventBody;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{BudgetTime, Millis, WallTime};

use super::world::{
    EVM, FEE, NOW, RECIPIENT, STRANGER, World, agent_key, evm_recipient, policy, sign_request,
    unsigned,
};
use crate::core::command::{Command, Outcome, Prior, SigningOrder, Used};

fn order(outcome: Result<Outcome, Vec<Code>>) -> SigningOrder {
    match outcome {
        Ok(Outcome::Sign(order)) => *order,
        other => panic!("expected an order to sign: {other:?}"),
    }
}

#[test]
fn invariant_04_the_charge_is_in_the_log_before_the_order_to_sign() {
    let mut world = World::new();
    let order = order(world.bearer_pay("a", 1000));
    let Some(EventBody::SpendCommitted(spend)) = world.events.last() else {
        panic!("a charge comes first")
    };
    assert_eq!(spend.unsigned, order.transaction().bytes());
    assert_eq!(spend.charges.len(), 1);
    assert_eq!(spend.charges[0].amount, Amount::from_base_units(1000 + FEE));
}

#[test]
fn invariant_03_effects_and_amounts_are_derived_never_claimed() {
    let mut world = World::new();
    for (claim, bytes) in [
        (
            "amount",
            unsigned(31_337, 0, 1001, evm_recipient(RECIPIENT)),
        ),
        (
            "recipient",
            unsigned(31_337, 0, 1000, evm_recipient(STRANGER)),
        ),
    ] {
        let mut request = world.request(world.bearer, "a", 1000, RECIPIENT);
        request.unsigned = bytes;
        assert_eq!(
            world.run(&Command::Spend(request)).map(drop),
            Err(vec![Code::BodyMismatch]),
            "{claim}"
        );
    }
    // A wrong chain inside the bytes is not decodable for the wallet's network.
    let mut request = world.request(world.bearer, "a", 1000, RECIPIENT);
    request.unsigned = unsigned(1, 0, 1000, evm_recipient(RECIPIENT));
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::TransactionUndecodable])
    );
    assert!(world.spends().is_empty());
}

#[test]
fn invariant_06_nonces_are_the_signers_own_and_sequential() {
    let mut world = World::new();
    for expected in 0..5 {
        let order = order(world.bearer_pay(&format!("key {expected}").replace(' ', "-"), 1000));
        assert_eq!(order.transaction().account_nonce(), Some(expected));
        assert_eq!(
            world.spends().last().and_then(|spend| spend.nonce),
            Some(expected)
        );
    }
    let mut request = world.request(world.bearer, "named", 1000, RECIPIENT);
    request.unsigned = unsigned(31_337, 9, 1000, evm_recipient(RECIPIENT));
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::NonceNotZero])
    );
}

/// Every wallet is made with an attested nonce for each of its chains; where one were missing, none would
/// be made up.
#[test]
fn invariant_06_without_an_attested_nonce_nothing_is_issued() {
    let mut world = World::new();
    let mut kept = world.clone();
    let wallet = world.state.wallets.get_mut(&world.evm_wallet);
    wallet.expect("the wallet").nonces.remove(&EVM);
    assert_eq!(
        world.bearer_pay("a", 1000).map(drop),
        Err(vec![Code::NonceNotAttested])
    );
    let order = order(kept.bearer_pay("a", 1000));
    assert_eq!(order.transaction().account_nonce(), Some(0));
}

#[test]
fn invariant_06_an_attestation_never_lowers_the_next_nonce() {
    let mut world = World::new();
    for key in ["a", "b", "c"] {
        order(world.bearer_pay(key, 1000));
    }
    let attest = |next| StatementFacts::AttestNonce {
        wallet: super::world::World::new().evm_wallet,
        chain: EVM,
        next,
        from: None,
    };
    assert_eq!(
        world.say(attest(2), false).map(drop),
        Err(vec![Code::NonceLower])
    );
    world.say(attest(7), false).expect("a higher one");
    let order = order(world.bearer_pay("d", 1000));
    assert_eq!(order.transaction().account_nonce(), Some(7));
}

#[test]
fn invariant_06_hoarding_ends_at_the_outstanding_cap() {
    let mut world = World::new();
    let mut signed = 0;
    // Three months, paying whatever the rolling limits leave, in both sessions' names.
    for day in 0..90 {
        world.pass(Millis::from_hours(24));
        world.commit();
        for part in 0..5 {
            let outcome = world.bearer_pay(&format!("{day}-{part}"), 100_000);
            match outcome {
                Ok(_) => signed += 100_000 + FEE,
                Err(codes) => assert!(!codes.is_empty()),
            }
        }
    }
    assert!(signed <= 2_500_000, "{signed}");
}

#[test]
fn invariant_08_without_a_policy_everything_is_denied() {
    let mut world = World::empty();
    world.owner = world.enrol(vec![]).expect("an owner");
    world.evm_wallet = world
        .wallet(waiaas_shared::caip::Family::Evm, [1; 32], vec![EVM])
        .expect("a wallet");
    world.solana_wallet = world
        .wallet(
            waiaas_shared::caip::Family::Solana,
            [2; 32],
            vec![super::world::solana()],
        )
        .expect("a wallet");
    assert_eq!(
        world.grant(super::world::key_bound()).map(drop),
        Err(vec![Code::PolicyMissing])
    );
}

#[test]
fn invariant_08_what_no_document_names_is_denied() {
    let mut world = World::new();
    let request = world.request(world.bearer, "a", 1000, STRANGER);
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::RecipientNotListed])
    );
    let mut without = policy(2);
    without.assets.remove(1);
    world.adopt(&without, false).expect("a stricter policy");
    assert_eq!(
        world.bearer_pay("a", 1000).map(drop),
        Err(vec![Code::AssetNotListed])
    );
}

#[test]
fn invariant_09_limits_hold_to_the_unit_over_every_window() {
    let mut world = World::new();
    let largest = 400_000 - FEE;
    order(world.bearer_pay("one", largest));
    assert_eq!(
        world.bearer_pay("more", largest + 1).map(drop),
        Err(vec![Code::SessionPerTransaction])
    );
    order(world.bearer_pay("two", largest));
    // 200,000 of the hour are left, fees included.
    assert_eq!(
        world.bearer_pay("three", 200_000 - FEE + 1).map(drop),
        Err(vec![Code::HourLimit])
    );
    let order = order(world.bearer_pay("three", 200_000 - FEE));
    assert_eq!(order.sealed().tier, Tier::Notify);
    assert_eq!(
        world.bearer_pay("four", 0).map(drop),
        Err(vec![Code::AmountInvalid])
    );
    assert_eq!(
        world.bearer_pay("four", 1).map(drop),
        Err(vec![Code::HourLimit])
    );
    world.pass(Millis::from_secs(3600 + 60));
    assert!(world.bearer_pay("four", 400_000 - FEE).is_ok());
    // The day is 1,500,000: 100,000 left.
    assert_eq!(
        world.bearer_pay("five", 100_001 - FEE).map(drop),
        Err(vec![Code::DayLimit])
    );
    assert!(world.bearer_pay("five", 100_000 - FEE).is_ok());
}

#[test]
fn invariant_09_a_new_session_brings_no_fresh_budget() {
    let mut world = World::new();
    for key in ["a", "b"] {
        order(world.bearer_pay(key, 400_000 - FEE));
    }
    let fresh = world
        .grant(waiaas_shared::session::Credential::Bearer(
            waiaas_shared::digest::Digest::from_bytes([7; 32]),
        ))
        .expect("a session");
    let request = world.request(fresh, "c", 200_001 - FEE, RECIPIENT);
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::HourLimit])
    );
}

/// What a session is told of a window is what is judged: not a unit more passes than is left, nor any moment before
/// it was said.
#[test]
fn what_is_told_of_a_window_is_what_is_judged() {
    let mut world = World::new();
    for key in ["a", "b"] {
        order(world.bearer_pay(key, 400_000 - FEE));
    }
    let view = world.state.session_view(world.bearer, world.clocks);
    let view = view.expect("a session");
    let told = view
        .remaining
        .iter()
        .find(|left| left.asset == EVM.native_asset());
    let hour = told.expect("the coin").windows[0];
    let left = hour.left.base_units();
    assert_eq!((hour.limit.base_units(), left), (1_000_000, 200_000));
    let too_much = left + 1 - FEE;
    let refused = Err(vec![Code::HourLimit]);
    assert_eq!(world.bearer_pay("c", too_much).map(drop), refused);
    let wait = hour.more_in.expect("something was spent");
    world.pass(Millis::from_millis(wait.millis() - 1));
    assert_eq!(world.bearer_pay("d", too_much).map(drop), refused);
    world.pass(Millis::from_millis(1));
    order(world.bearer_pay("e", too_much));
}

#[test]
fn invariant_09_a_session_keeps_to_its_total_and_count() {
    let mut world = World::new();
    for round in 0..5 {
        order(world.bearer_pay(&format!("r{round}"), 400_000 - FEE));
        world.pass(Millis::from_hours(24 * 7 + 2));
    }
    // 2,000,000 in all are spent.
    let codes = world
        .bearer_pay("more", 1)
        .map(drop)
        .expect_err("nothing is left");
    assert!(codes.contains(&Code::SessionTotal), "{codes:?}");
}

#[test]
fn invariant_11_an_expired_session_stays_expired() {
    let mut world = World::new();
    world.pass(Millis::from_hours(24 * 40));
    assert_eq!(
        world.bearer_pay("a", 1000).map(drop),
        Err(vec![Code::SessionExpired])
    );
    assert!(matches!(
        world.events.last(),
        Some(EventBody::SessionExpired { .. })
    ));
    // A clock that claims an earlier time changes nothing.
    world.clocks.wall = WallTime::from_millis(NOW);
    assert_eq!(
        world.bearer_pay("b", 1000).map(drop),
        Err(vec![Code::SessionExpired])
    );
}

#[test]
fn invariant_18_a_bound_session_signs_nothing_without_its_agent() {
    let mut world = World::new();
    let bare = world.request(world.keyed, "a", 1000, RECIPIENT);
    assert_eq!(
        world.run(&Command::Spend(bare)).map(drop),
        Err(vec![Code::RequestSignatureMissing])
    );
    let sound = world.signed_request("a", 1000);
    type Change = fn(&mut crate::core::command::SpendRequest);
    let changes: [(&str, Change); 6] = [
        ("body", |request| request.body.push(b' ')),
        ("method", |request| request.method = "PUT".to_owned()),
        ("path", |request| {
            request.path = "/v1/transactions/dry-run".to_owned()
        }),
        ("query", |request| request.query = "?wait=1".to_owned()),
        ("idempotency key", |request| {
            request.idempotency_key = "b".to_owned()
        }),
        ("signature", |request| {
            request.signature = request.signature.replace('A', "B")
        }),
    ];
    for (case, change) in changes {
        let mut changed = sound.clone();
        change(&mut changed);
        if changed.signature == sound.signature && case == "signature" {
            continue;
        }
        let codes = world
            .run(&Command::Spend(changed))
            .map(drop)
            .expect_err(case);
        assert_eq!(codes, [Code::RequestSignatureInvalid], "{case}");
    }
    let foreign = sign_request(
        world.request(world.keyed, "a", 1000, RECIPIENT),
        &ed25519_dalek::SigningKey::from_bytes(&[99; 32]),
        "nonce-of-a-stranger",
        NOW / 1000,
    );
    assert_eq!(
        world.run(&Command::Spend(foreign)).map(drop),
        Err(vec![Code::RequestSignatureInvalid])
    );
    order(world.run(&Command::Spend(sound)));
}

#[test]
fn invariant_18_a_request_signature_is_young_and_used_once() {
    let mut world = World::new();
    for seconds in [NOW / 1000 - 121, NOW / 1000 + 121, 0, u64::from(u32::MAX)] {
        let request = world.request(world.keyed, "a", 1000, RECIPIENT);
        let old = sign_request(request, &agent_key(), "nonce-0000000000001", seconds);
        assert_eq!(
            world.run(&Command::Spend(old)).map(drop),
            Err(vec![Code::RequestTimeSkew]),
            "{seconds}"
        );
    }
    let now = NOW / 1000;
    let request = world.request(world.keyed, "a", 1000, RECIPIENT);
    order(world.run(&Command::Spend(sign_request(
        request,
        &agent_key(),
        "nonce-0000000000001",
        now,
    ))));
    world.commit();
    let request = world.request(world.keyed, "b", 1000, RECIPIENT);
    let again = sign_request(request, &agent_key(), "nonce-0000000000001", now);
    assert_eq!(
        world.run(&Command::Spend(again)).map(drop),
        Err(vec![Code::RequestNonceReused])
    );
}

#[test]
fn invariant_18_a_signature_for_another_route_is_no_payment() {
    let mut world = World::new();
    for (method, path) in [
        ("POST", "/v1/transactions/dry-run"),
        ("POST", "/v1/session/token"),
        ("PUT", "/v1/transactions"),
        ("POST", "/v2/transactions"),
    ] {
        let mut request = world.request(world.keyed, "a", 1000, RECIPIENT);
        request.method = method.to_owned();
        request.path = path.to_owned();
        let signed = sign_request(request, &agent_key(), "nonce-of-another-route", NOW / 1000);
        let refused = world.run(&Command::Spend(signed)).map(drop);
        assert_eq!(
            refused,
            Err(vec![Code::RequestSignatureInvalid]),
            "{method} {path}"
        );
    }
}

#[test]
fn invariant_18_another_sessions_signature_is_of_no_use() {
    let mut world = World::new();
    let second = world
        .grant(super::world::key_bound())
        .expect("a second session of the same agent");
    let mut request = world.signed_request("a", 1000);
    request.session = second;
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::RequestSignatureInvalid])
    );
}

fn prior(world: &World) -> Option<Used> {
    let spend = (*world.spends().last()?).clone();
    Some(Used::Paid(Box::new(Prior {
        sequence: 42,
        charged_at: world.clocks.budget,
        spend,
        variant: None,
    })))
}

#[test]
fn invariant_19_the_same_key_and_body_give_the_same_bytes_and_no_second_charge() {
    let mut world = World::new();
    let first = order(world.bearer_pay("a", 400_000 - FEE));
    // In the same batch, and later from the ledger's index.
    let events = world.events.len();
    let same = order(world.bearer_pay("a", 400_000 - FEE));
    assert_eq!(same.transaction().bytes(), first.transaction().bytes());
    world.commit();
    let mut request = world.request(world.bearer, "a", 400_000 - FEE, RECIPIENT);
    request.used = prior(&world);
    let later = order(world.run(&Command::Spend(request)));
    assert_eq!(later.transaction().bytes(), first.transaction().bytes());
    assert_eq!(later.sealed().replay_of, Some(42));
    assert_eq!(world.events.len(), events);
}

#[test]
fn invariant_19_a_replay_is_judged_without_its_own_charge_but_judged() {
    let mut world = World::new();
    // Everything of the hour is spent; the replay of a part of it still passes.
    for key in ["a", "b"] {
        order(world.bearer_pay(key, 400_000 - FEE));
    }
    order(world.bearer_pay("c", 200_000 - FEE));
    let again = prior(&world);
    world.commit();
    let mut request = world.request(world.bearer, "c", 200_000 - FEE, RECIPIENT);
    request.used.clone_from(&again);
    order(world.run(&Command::Spend(request.clone())));
    // A stricter policy, a pause, a revocation: the caller gets no bytes.
    let mut strict = policy(2);
    for rule in &mut strict.assets {
        rule.per_transaction = Amount::from_base_units(100_000);
        let most = Amount::from_base_units(100_000);
        (rule.notify_up_to, rule.delay_up_to, rule.approve_up_to) = (most, most, most);
    }
    let mut stricter = world.clone();
    stricter.adopt(&strict, false).expect("a stricter policy");
    let codes = stricter
        .run(&Command::Spend(request.clone()))
        .map(drop)
        .expect_err("too much now");
    assert!(codes.contains(&Code::PerTransactionLimit), "{codes:?}");
    let origin = waiaas_shared::event::Origin::Gateway;
    world
        .run(&Command::RevokeSession {
            session: world.bearer,
            origin,
        })
        .expect("revoked");
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::SessionRevoked])
    );
}

#[test]
fn invariant_19_another_body_under_the_same_key_is_an_error() {
    let mut world = World::new();
    order(world.bearer_pay("a", 1000));
    assert_eq!(
        world.bearer_pay("a", 1001).map(drop),
        Err(vec![Code::IdempotencyConflict])
    );
    let found = prior(&world);
    world.commit();
    let mut request = world.request(world.bearer, "a", 1001, RECIPIENT);
    request.used = found;
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::IdempotencyConflict])
    );
}

#[test]
fn invariant_19_a_false_index_entry_is_not_believed() {
    let mut world = World::new();
    order(world.bearer_pay("a", 1000));
    let of_another_key = prior(&world);
    world.commit();
    let mut request = world.request(world.bearer, "b", 2000, RECIPIENT);
    request.used = of_another_key;
    let order = order(world.run(&Command::Spend(request)));
    assert_eq!(order.sealed().replay_of, None);
    assert_eq!(world.spends().len(), 2);
}

#[test]
fn malformed_requests_are_refused_with_nothing_changed() {
    let mut world = World::new();
    let events = world.events.len();
    let mut wrong_signer = world.request(world.bearer, "a", 1000, RECIPIENT);
    wrong_signer.body = String::from_utf8(wrong_signer.body)
        .expect("text")
        .replace("signer_0", "signer_1")
        .into_bytes();
    assert_eq!(
        world.run(&Command::Spend(wrong_signer)).map(drop),
        Err(vec![Code::SignerMismatch])
    );
    for key in ["", "with space", "ü", &"k".repeat(129), "new\nline"] {
        let request = world.request(world.bearer, key, 1000, RECIPIENT);
        assert_eq!(
            world.run(&Command::Spend(request)).map(drop),
            Err(vec![Code::IdempotencyKeyInvalid])
        );
    }
    let mut junk = world.request(world.bearer, "a", 1000, RECIPIENT);
    junk.unsigned.push(0);
    assert_eq!(
        world.run(&Command::Spend(junk)).map(drop),
        Err(vec![Code::TransactionUndecodable])
    );
    let unknown = world.request(
        waiaas_shared::ids::SessionId::from_bytes([9; 16]),
        "a",
        1000,
        RECIPIENT,
    );
    assert_eq!(
        world.run(&Command::Spend(unknown)).map(drop),
        Err(vec![Code::SessionUnknown])
    );
    assert_eq!(world.events.len(), events);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// invariant_09: whatever is asked, in whatever order and spacing, no hour ever holds more than
    /// its limit, computed here by a second calculator.
    #[test]
    fn invariant_09_no_sequence_overspends(
        steps in proptest::collection::vec((0_u64..2_000, 1_u128..300_000, any::<bool>()), 1..60),
    ) {
        let mut world = World::new();
        let mut charged: Vec<(BudgetTime, u128)> = Vec::new();
        for (place, (seconds, amount, keyed)) in steps.into_iter().enumerate() {
            world.pass(Millis::from_secs(seconds));
            let key = format!("k{place}");
            let outcome = if keyed {
                let request = world.signed_request(&key, amount);
                world.run(&Command::Spend(request))
            } else {
                world.bearer_pay(&key, amount)
            };
            if outcome.is_ok() {
                charged.push((world.clocks.budget, amount + FEE));
            }
            for (length, limit) in [(3600_u64, 1_000_000_u128), (86_400, 1_500_000), (7 * 86_400, 2_000_000)] {
                let from = world.clocks.budget.millis().saturating_sub(length * 1000);
                let sum: u128 =
                    charged.iter().filter(|(at, _)| at.millis() >= from).map(|(_, units)| units).sum();
                prop_assert!(sum <= limit, "{sum} in {length} s");
            }
        }
    }
}

#[test]
fn invariant_19_a_replay_of_an_expired_session_ends_no_other() {
    let mut world = World::new();
    let request = world.signed_request("k", 1000);
    order(world.run(&Command::Spend(request)));
    let earlier = prior(&world);
    world.commit();
    world.pass(Millis::from_hours(24 * 39));
    world.keyed = world
        .grant(super::world::key_bound())
        .expect("the agent's next session");
    world.pass(Millis::from_hours(24 * 2));
    // The agent's client retries an old key under its new session.
    let mut retry = world.signed_request("k", 1000);
    retry.used = earlier;
    assert_eq!(
        world.run(&Command::Spend(retry)).map(drop),
        Err(vec![Code::SessionExpired])
    );
    let fresh = world.signed_request("fresh", 1000);
    order(world.run(&Command::Spend(fresh)));
}

/// A clock that was five minutes ahead and was set right leaves the upper side where it was, for good: requests that
/// are young by either side count.
#[test]
fn invariant_18_a_small_step_of_the_clock_shuts_no_agent_out() {
    let minutes = |number: u64| Millis::from_secs(60 * number);
    let mut world = World::new();
    world.steady = Some(world.clocks.wall);
    world.clocks.wall = world.clocks.wall.after(minutes(5));
    let (now, ahead) = (NOW / 1000, NOW / 1000 + 300);
    let asked = |world: &mut World, key: &str, seconds: u64| {
        let request = world.request(world.keyed, key, 1000, RECIPIENT);
        let nonce = format!("nonce-{key:0>16}");
        let signed = sign_request(request, &agent_key(), &nonce, seconds);
        world.run(&Command::Spend(signed)).map(drop)
    };
    for seconds in [now - 121, ahead + 121] {
        assert_eq!(
            asked(&mut world, "late", seconds),
            Err(vec![Code::RequestTimeSkew]),
            "{seconds}"
        );
    }
    for (key, seconds) in [("a", now), ("b", now - 120), ("c", ahead + 120)] {
        assert_eq!(asked(&mut world, key, seconds), Ok(()), "{key}");
    }
    // Nor does what was used before and is forgotten: by as far as two steps that nobody explains put the sides apart.
    world.pass(Millis::from_secs(24 * 60 + 1));
    world.bearer_pay("meanwhile", 1000).expect("paid");
    world.steady = Some(WallTime::from_millis(
        world.clocks.wall.millis() - 20 * 60_000,
    ));
    let oldest = world.clocks.wall.millis() / 1000 - 20 * 60 - 120;
    assert_eq!(asked(&mut world, "d", oldest), Ok(()));
}
