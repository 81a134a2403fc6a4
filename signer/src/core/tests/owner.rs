//! Owner statements, policies, wallets, withdrawals: invariants 7, 10, 13, 14, 17.

use ed25519_dalek::Signer as _;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AccountId, ChainId, Family};
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::policy::document::{CallRule, PolicyDocument};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::OwnerSignature;
use waiaas_shared::time::Millis;

use super::world::{EVM, FEE, NOW, RECIPIENT, STRANGER, World, policy, sign_text, solana};
use crate::core::apply::apply;
use crate::core::command::{Command, Outcome, Submission};
use crate::core::state::State;

fn account(text: &str) -> AccountId {
    AccountId::new(EVM, text.parse().expect("an address")).expect("an account")
}

#[test]
fn invariant_07_a_key_belongs_to_one_wallet_and_a_wallet_to_its_networks() {
    let mut world = World::new();
    assert_eq!(
        world.wallet(Family::Evm, [1; 32], vec![EVM]),
        Err(vec![Code::KeyKnown])
    );
    let two = vec![
        solana(),
        "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
            .parse()
            .expect("a chain"),
    ];
    assert_eq!(
        world.wallet(Family::Solana, [8; 32], two),
        Err(vec![Code::NetworkNotBound])
    );
    assert_eq!(
        world.wallet(Family::Solana, [8; 32], vec![EVM]),
        Err(vec![Code::NetworkNotBound])
    );
    assert_eq!(
        world.wallet(Family::Evm, [8; 32], vec![EVM, EVM]),
        Err(vec![Code::NetworkNotBound])
    );
    assert_eq!(
        world.wallet(Family::Evm, [8; 32], vec![]),
        Err(vec![Code::NetworkNotBound])
    );
    // An index is given once, also after more wallets came.
    let path = world.state.next_path(Family::Evm);
    assert_eq!(path.index, 1);
    world
        .wallet(Family::Evm, [8; 32], vec![EVM, ChainId::Evm(84_532)])
        .expect("a second wallet");
    assert_eq!(world.state.next_path(Family::Evm).index, 2);
    // A network that the wallet is not bound to.
    let mut request = world.request(world.bearer, "a", 1000, RECIPIENT);
    request.body = String::from_utf8(request.body)
        .expect("text")
        .replace("eip155:31337", "eip155:84532")
        .into();
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::NetworkNotBound])
    );
}

#[test]
fn invariant_10_epochs_rise_by_one_and_documents_are_taken_whole() {
    let mut world = World::new();
    for epoch in [0, 1, 3, u64::MAX] {
        let codes = world
            .adopt(&policy(epoch), true)
            .map(drop)
            .expect_err("epoch");
        assert!(
            codes == [Code::PolicyEpoch] || codes == [Code::PolicyMalformed],
            "{epoch}: {codes:?}"
        );
    }
    let mut bytes = policy(2).to_bytes();
    bytes.push(0);
    let facts = StatementFacts::AdoptPolicy { document: bytes };
    assert_eq!(
        world.say(facts, true).map(drop),
        Err(vec![Code::PolicyMalformed])
    );
    world.adopt(&policy(2), false).expect("the next one");
}

#[test]
fn invariant_10_the_first_policy_comes_over_admin_with_the_password() {
    let mut world = World::empty();
    world.owner = world.enrol(vec![]).expect("an owner");
    assert_eq!(
        world.adopt(&policy(1), false).map(drop),
        Err(vec![Code::AdminOnly])
    );
    let facts = StatementFacts::AdoptPolicy {
        document: policy(1).to_bytes(),
    };
    assert_eq!(
        world.draft(facts.clone(), Origin::Gateway).map(drop),
        Err(vec![Code::AdminOnly])
    );
    let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
    let signatures = vec![world.signature(&text)];
    let over_gateway = Submission {
        statement,
        signatures,
        origin: Origin::Gateway,
        with_password: true,
    };
    assert_eq!(
        world.run(&Command::Submit(over_gateway)).map(drop),
        Err(vec![Code::AdminOnly])
    );
    world.adopt(&policy(1), true).expect("with the password");
}

/// A world whose wallets include a main network: documents wait.
fn grown_up() -> World {
    let mut world = World::new();
    world
        .wallet(Family::Evm, [9; 32], vec![ChainId::Evm(1)])
        .expect("a main-network wallet");
    world
}

fn with_limit(
    epoch: u64,
    per_transaction: u128,
) -> waiaas_shared::policy::document::PolicyDocument {
    let mut document = policy(epoch);
    let coin = document
        .assets
        .iter_mut()
        .find(|rule| rule.asset == super::world::EVM.native_asset());
    if let Some(rule) = coin {
        rule.per_transaction = Amount::from_base_units(per_transaction);
        let most = Amount::from_base_units(per_transaction.min(500_000));
        (rule.notify_up_to, rule.delay_up_to, rule.approve_up_to) = (most, most, most);
        rule.instant_up_to = Amount::from_base_units(per_transaction.min(50_000));
    }
    document
}

#[test]
fn invariant_10_what_tightens_holds_at_once_and_what_loosens_waits() {
    let mut world = grown_up();
    world.adopt(&with_limit(2, 50_000), false).expect("tighter");
    let codes = world
        .bearer_pay("a", 40_000)
        .map(drop)
        .expect_err("tighter at once");
    assert!(codes.contains(&Code::PerTransactionLimit), "{codes:?}");
    world.adopt(&with_limit(3, 400_000), false).expect("looser");
    assert!(world.bearer_pay("b", 40_000).is_err(), "looser waits");
    world.pass(Millis::from_hours(23));
    assert!(world.bearer_pay("c", 40_000).is_err(), "looser still waits");
    world.pass(Millis::from_hours(1));
    assert!(
        world.bearer_pay("d", 40_000).is_ok(),
        "all three have matured: the newest binds alone"
    );
}

#[test]
fn invariant_10_maturity_is_the_longest_of_the_binding_documents_and_an_hour_with_the_password() {
    let mut world = grown_up();
    let mut slow = with_limit(2, 50_000);
    slow.maturity = Millis::from_hours(100);
    world.adopt(&slow, true).expect("with the password");
    let mut quick = with_limit(3, 400_000);
    quick.maturity = Millis::from_hours(0);
    world.adopt(&quick, false).expect("without");
    world.pass(Millis::from_hours(99));
    assert!(world.bearer_pay("a", 40_000).is_err());
    world.pass(Millis::from_hours(1));
    assert!(world.bearer_pay("b", 40_000).is_ok());

    let mut world = grown_up();
    world.adopt(&with_limit(2, 50_000), true).expect("tighter");
    world
        .adopt(&with_limit(3, 400_000), true)
        .expect("looser, with the password");
    world.pass(Millis::from_secs(3599));
    assert!(world.bearer_pay("c", 40_000).is_err());
    world.pass(Millis::from_secs(1));
    assert!(world.bearer_pay("d", 40_000).is_ok());
}

#[test]
fn invariant_10_time_that_only_budgets_see_matures_nothing() {
    let mut world = grown_up();
    world.adopt(&with_limit(2, 50_000), false).expect("tighter");
    world.adopt(&with_limit(3, 400_000), false).expect("looser");
    let day = Millis::from_hours(48);
    world.clocks.budget = world.clocks.budget.after(day);
    world.clocks.wall = world.clocks.wall.after(day);
    assert!(world.bearer_pay("a", 40_000).is_err());
}

#[test]
fn invariant_10_counters_survive_every_change() {
    let mut world = World::new();
    for key in ["a", "b"] {
        world
            .bearer_pay(key, 400_000 - FEE)
            .map(drop)
            .expect("within limits");
    }
    world.adopt(&policy(2), true).expect("the same again");
    let codes = world
        .bearer_pay("c", 200_001 - FEE)
        .map(drop)
        .expect_err("nothing was reset");
    assert!(codes.contains(&Code::HourLimit));
}

#[test]
fn invariant_10_at_most_eight_documents_bind_over_the_gateway() {
    let mut world = grown_up();
    for epoch in 2..=8 {
        world.adopt(&policy(epoch), false).expect("up to eight");
    }
    let facts = StatementFacts::AdoptPolicy {
        document: policy(9).to_bytes(),
    };
    let (statement, text) = world.draft(facts, Origin::Gateway).expect("a draft");
    let signatures = vec![world.signature(&text)];
    let submission = Submission {
        statement,
        signatures,
        origin: Origin::Gateway,
        with_password: false,
    };
    assert_eq!(
        world.run(&Command::Submit(submission)).map(drop),
        Err(vec![Code::PolicyTooMany])
    );
}

#[test]
fn invariant_13_only_the_signers_exact_text_counts() {
    let mut world = World::new();
    world
        .run(&Command::Pause {
            wallet: None,
            origin: Origin::Gateway,
        })
        .expect("paused");
    let facts = StatementFacts::ReleasePause { wallet: None };
    let (statement, text) = world.draft(facts, Origin::Gateway).expect("a draft");
    let submit = |world: &mut World, signatures: Vec<OwnerSignature>| {
        let submission = Submission {
            statement,
            signatures,
            origin: Origin::Gateway,
            with_password: false,
        };
        world.run(&Command::Submit(submission)).map(drop)
    };
    let sound = world.signature(&text);
    for place in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[place] ^= 1;
        let mut forged = sound.clone();
        forged.signature = super::world::owner_key().sign(&changed).to_bytes().to_vec();
        assert_eq!(
            submit(&mut world, vec![forged]),
            Err(vec![Code::StatementSignature]),
            "{place}"
        );
    }
    for place in 0..64 {
        let mut flipped = sound.clone();
        flipped.signature[place] ^= 1;
        assert_eq!(
            submit(&mut world, vec![flipped]),
            Err(vec![Code::StatementSignature])
        );
    }
    let mut stranger = sound.clone();
    stranger.signature = sign_text(&super::world::agent_key(), &text);
    assert_eq!(
        submit(&mut world, vec![stranger]),
        Err(vec![Code::StatementSignature])
    );
    assert_eq!(submit(&mut world, vec![]), Err(vec![Code::QuorumMissing]));
    submit(&mut world, vec![sound]).expect("the exact text");
}

#[test]
fn invariant_14_a_statement_is_used_once_and_expires() {
    let mut world = World::new();
    let pause = Command::Pause {
        wallet: None,
        origin: Origin::Gateway,
    };
    world.run(&pause).expect("paused");
    let facts = StatementFacts::ReleasePause { wallet: None };
    let (statement, text) = world.draft(facts.clone(), Origin::Admin).expect("a draft");
    let submission = Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin: Origin::Admin,
        with_password: false,
    };
    world
        .run(&Command::Submit(submission.clone()))
        .expect("released");
    world.run(&pause).expect("paused again");
    assert_eq!(
        world.run(&Command::Submit(submission)).map(drop),
        Err(vec![Code::StatementUnknown])
    );

    let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
    let signatures = vec![world.signature(&text)];
    world.pass(Millis::from_hours(1));
    let late = Submission {
        statement,
        signatures,
        origin: Origin::Admin,
        with_password: false,
    };
    let codes = world
        .run(&Command::Submit(late))
        .map(drop)
        .expect_err("too late");
    assert!(codes == [Code::StatementExpired] || codes == [Code::StatementUnknown]);
}

#[test]
fn invariant_14_one_kinds_signature_never_passes_for_another() {
    let mut world = World::new();
    world
        .run(&Command::Pause {
            wallet: None,
            origin: Origin::Gateway,
        })
        .expect("paused");
    let release = StatementFacts::ReleasePause { wallet: None };
    let attest = StatementFacts::AttestNonce {
        wallet: world.evm_wallet,
        chain: EVM,
        next: 9,
        from: None,
    };
    let (_, release_text) = world.draft(release, Origin::Admin).expect("a draft");
    let (attest_id, _) = world.draft(attest, Origin::Admin).expect("a draft");
    let crossed = Submission {
        statement: attest_id,
        signatures: vec![world.signature(&release_text)],
        origin: Origin::Admin,
        with_password: true,
    };
    assert_eq!(
        world.run(&Command::Submit(crossed)).map(drop),
        Err(vec![Code::StatementSignature])
    );
}

#[test]
fn invariant_14_open_statements_are_bounded_per_socket() {
    let mut world = World::new();
    let facts = StatementFacts::AttestNonce {
        wallet: world.evm_wallet,
        chain: EVM,
        next: 9,
        from: None,
    };
    for _ in 0..waiaas_shared::statement::OPEN_LIMIT {
        world
            .draft(facts.clone(), Origin::Gateway)
            .expect("within the bound");
    }
    assert_eq!(
        world.draft(facts.clone(), Origin::Gateway).map(drop),
        Err(vec![Code::StatementTooMany])
    );
    // A gateway that fills its own share cannot keep the owner from the admin socket.
    world
        .draft(facts.clone(), Origin::Admin)
        .expect("the owner's share");
    world.pass(Millis::from_hours(1));
    world
        .draft(facts, Origin::Gateway)
        .expect("expired ones are gone");
}

#[test]
fn invariant_14_enrolment_is_a_rehearsal_on_admin() {
    let mut world = World::empty();
    let key =
        waiaas_shared::keys::OwnerKey::Ed25519(waiaas_shared::address::SolanaAddress::from_bytes(
            super::world::agent_key().verifying_key().to_bytes(),
        ));
    let facts = StatementFacts::EnrolOwner {
        key,
        withdrawals: vec![],
    };
    assert_eq!(
        world.draft(facts.clone(), Origin::Gateway).map(drop),
        Err(vec![Code::AdminOnly])
    );
    // The rehearsal must be signed by the key that is enrolled, not by another.
    let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
    let rehearsal = crate::core::command::Rehearsal {
        statement,
        envelope: waiaas_shared::statement::verify::Envelope::Ed25519Plain,
        signature: sign_text(&super::world::owner_key(), &text),
    };
    assert_eq!(
        world.run(&Command::Enrol(rehearsal)).map(drop),
        Err(vec![Code::StatementSignature])
    );
}

#[test]
fn invariant_17_withdrawals_go_to_enrolled_addresses_only_and_always() {
    let mut world = World::empty();
    world.owner = world
        .enrol(vec![account(RECIPIENT)])
        .expect("owner and address");
    world.evm_wallet = world
        .wallet(Family::Evm, [1; 32], vec![EVM])
        .expect("a wallet");
    world.solana_wallet = world
        .wallet(Family::Solana, [2; 32], vec![solana()])
        .expect("a wallet");
    // Without any policy, above any limit, and frozen.
    world
        .run(&Command::Pause {
            wallet: None,
            origin: Origin::Gateway,
        })
        .expect("frozen");
    assert!(matches!(
        world.withdraw(RECIPIENT, 10_u128.pow(20)),
        Ok(Outcome::Sign(_))
    ));
    assert!(matches!(
        world.events.last(),
        Some(EventBody::Withdrawn { .. })
    ));
    assert_eq!(
        world.withdraw(STRANGER, 1).map(drop),
        Err(vec![Code::WithdrawalAddress])
    );
    // A new address waits 72 hours on the DELAY clock.
    let enrol = StatementFacts::EnrolWithdrawal {
        account: account(STRANGER),
    };
    assert_eq!(
        world.say(enrol.clone(), false).map(drop),
        Err(vec![Code::AdminOnly])
    );
    world.say(enrol, true).expect("with the password");
    world.clocks.wall = world.clocks.wall.after(Millis::from_hours(100));
    world.clocks.budget = world.clocks.budget.after(Millis::from_hours(100));
    assert_eq!(
        world.withdraw(STRANGER, 1).map(drop),
        Err(vec![Code::WithdrawalAddress])
    );
    world.pass(Millis::from_hours(72));
    world.withdraw(STRANGER, 1).expect("after 72 hours");
}

#[test]
fn invariant_17_a_withdrawal_takes_nothing_from_what_agents_may_spend() {
    let mut world = World::empty();
    world.owner = world
        .enrol(vec![account(RECIPIENT)])
        .expect("owner and address");
    world.evm_wallet = world
        .wallet(Family::Evm, [1; 32], vec![EVM])
        .expect("a wallet");
    world.solana_wallet = world
        .wallet(Family::Solana, [2; 32], vec![solana()])
        .expect("a wallet");
    world.adopt(&policy(1), true).expect("a policy");
    world.bearer = world.grant(super::world::key_bound()).expect("a session");
    world.keyed = world.bearer;
    world
        .withdraw(RECIPIENT, 10_u128.pow(20))
        .expect("far above every limit");
    let request = world.signed_request("a", 1000);
    let Ok(Outcome::Sign(order)) = world.run(&Command::Spend(request)) else {
        panic!("the agent's budget is untouched");
    };
    assert_eq!(
        order.transaction().account_nonce(),
        Some(1),
        "the nonce is given once"
    );
}

#[test]
fn invariant_17_a_withdrawal_does_exactly_what_was_signed() {
    let mut world = World::empty();
    world.owner = world
        .enrol(vec![account(RECIPIENT)])
        .expect("owner and address");
    world.evm_wallet = world
        .wallet(Family::Evm, [1; 32], vec![EVM])
        .expect("a wallet");
    let facts = |fee| StatementFacts::Withdraw {
        wallet: world.evm_wallet,
        asset: EVM.native_asset(),
        to: RECIPIENT.parse().expect("an address"),
        amount: Amount::from_base_units(1000),
        fee_ceiling: Amount::from_base_units(fee),
        nonce: None,
        from: None,
    };
    let (exact, low_fee) = (facts(FEE), facts(FEE - 1));
    for (facts, amount, to) in [
        (exact.clone(), 1001, RECIPIENT),
        (exact, 1000, STRANGER),
        (low_fee, 1000, RECIPIENT),
    ] {
        let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
        let withdrawal = crate::core::command::Withdrawal {
            statement,
            signatures: vec![world.signature(&text)],
            unsigned: super::world::unsigned(31_337, 0, amount, super::world::evm_recipient(to)),
        };
        assert_eq!(
            world.run(&Command::Withdraw(withdrawal)).map(drop),
            Err(vec![Code::StatementMismatch])
        );
    }
}

#[test]
fn a_session_grant_keeps_to_the_policys_ceilings() {
    let mut world = World::new();
    let mut grant = world.a_grant(super::world::key_bound());
    grant.limits[0].per_transaction = Amount::from_base_units(500_001);
    let facts = StatementFacts::GrantSession { grant };
    assert_eq!(
        world.say(facts, true).map(drop),
        Err(vec![Code::SessionAboveCeiling])
    );
    let mut grant = world.a_grant(super::world::key_bound());
    grant.wallets.reverse();
    let facts = StatementFacts::GrantSession { grant };
    assert_eq!(
        world.say(facts, true).map(drop),
        Err(vec![Code::StatementMalformed])
    );
    let mut grant = world.a_grant(super::world::key_bound());
    grant.expires = waiaas_shared::time::WallTime::from_millis(NOW);
    let facts = StatementFacts::GrantSession { grant };
    assert_eq!(
        world.say(facts, true).map(drop),
        Err(vec![Code::SessionExpired])
    );
}

/// What binds was checked when it was adopted. A later program that would refuse it, or that cannot read it,
/// must not let an earlier document bind in its place.
#[test]
fn invariant_10_an_adopted_document_binds_whatever_a_later_program_refuses() {
    let mut world = World::new();
    let before = world.state.clone();
    let clocks = world.clocks;
    let events = world.events.len();
    world.adopt(&policy(2), true).expect("adopted");
    let said: Vec<EventBody> = world.events[events..].to_vec();
    let mut refused = policy(2);
    refused.calls = vec![CallRule {
        target: account(RECIPIENT),
        method: vec![1, 2, 3, 4],
        tier: Tier::Approval,
        value_up_to: Amount::ZERO,
        function: None,
        program: None,
    }];
    assert!(PolicyDocument::from_bytes(&refused.to_bytes()).is_err());
    for (bytes, binds) in [
        (refused.to_bytes(), refused),
        (vec![0xff], PolicyDocument::closed(2)),
    ] {
        let mut state = before.clone();
        for mut body in said.clone() {
            if let EventBody::StatementIssued {
                facts: StatementFacts::AdoptPolicy { document },
                ..
            } = &mut body
            {
                document.clone_from(&bytes);
            }
            apply(&mut state, &Event { clocks, body });
        }
        assert_eq!(state.policy_epoch(), 2);
        let later = clocks.run.after(Millis::from_hours(100_000));
        let newest = state.binding(later).last().expect("one binds");
        assert_eq!(*newest.document, binds);
        let read: State = from_canonical(&to_canonical(&state)).expect("its snapshot");
        assert_eq!(read, state);
    }
}
