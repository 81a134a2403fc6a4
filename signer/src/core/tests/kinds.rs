//! Every kind of statement against every other: a signature for one never passes for another
//! (invariant 14).

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::Family;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Charge, EventBody, Origin};
use waiaas_shared::ids::StatementId;
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::alarm::{Alarm, Condition, Remedy};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::{GuardianStop, StatementFacts};

use super::people::{Hand, account};
use super::world::{EVM, FEE, RECIPIENT, STRANGER, World, evm_recipient, policy, solana, unsigned};
use crate::core::command::{Command, DerivedKey, Prior, Recovery, Submission, Withdrawal};

/// A second address for withdrawals.
const OTHER: &str = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB";

struct Drafted {
    facts: StatementFacts,
    statement: StatementId,
    text: String,
}

/// A world in which every kind of statement can be drafted at once, and all of them drafted.
fn all_kinds() -> (World, Hand, Hand, Prior, Vec<Drafted>) {
    let mut world = World::empty();
    world.owner = world
        .enrol(vec![account(RECIPIENT), account(OTHER)])
        .expect("owner and address");
    world.evm_wallet = world
        .wallet(Family::Evm, [1; 32], vec![EVM])
        .expect("a wallet");
    world.solana_wallet = world
        .wallet(Family::Solana, [2; 32], vec![solana()])
        .expect("a wallet");
    let suspends = PolicyDocument {
        alarms: vec![Alarm {
            condition: Condition::DenialsInARow { count: 1 },
            remedy: Remedy::SuspendSession,
        }],
        ..policy(1)
    };
    world.adopt(&suspends, true).expect("a policy");
    let one = Hand::first(&world);
    let second = world.add_owner(2, &[&one]);
    let third = world.add_owner(3, &[&one]);
    let guardian = world.add_guardian(5, &[&one]);
    world.bearer = world.grant_as(&[&one]).expect("a session");
    world
        .say_as(
            StatementFacts::RegisterAgent { active: false },
            &[&one],
            false,
        )
        .expect("an agent");
    let Some(EventBody::AgentRegistered { agent, .. }) = world.events.last().cloned() else {
        panic!("an agent")
    };
    world.pays(world.bearer).expect("a payment");
    let place = world.events.len() - 1;
    let too_much = world.request(world.bearer, "too-much", 900_000, RECIPIENT);
    world.run(&Command::Spend(too_much)).expect_err("suspended");
    let EventBody::SpendCommitted(spend) = world.events[place].clone() else {
        panic!("a payment")
    };
    let entry = Prior {
        sequence: place as u64 + 1,
        charged_at: world.clocks.budget,
        spend,
        variant: None,
    };
    world
        .run(&Command::SuspendOwner { owner: third.id })
        .expect("suspended");
    let seen = waiaas_shared::time::WallTime::from_millis(1);
    world.run(&Command::ClockStepped { seen }).expect("closed");
    world
        .run(&Command::Pause {
            wallet: None,
            origin: Origin::Admin,
        })
        .expect("paused");
    world.run(&Command::Kill(Origin::Gateway)).expect("killed");
    // Killed: what would wait is drafted, and none of it is carried out.
    let new = Hand::new(9);
    let mut kinds = vec![
        StatementFacts::ReleaseKill {
            epoch: 1,
            sessions: vec![],
        },
        StatementFacts::ReleasePause { wallet: None },
        StatementFacts::AdoptPolicy {
            document: policy(2).to_bytes(),
        },
        StatementFacts::GrantSession {
            grant: world.a_grant(super::world::key_bound()),
        },
        StatementFacts::Withdraw {
            wallet: world.evm_wallet,
            asset: EVM.native_asset(),
            to: RECIPIENT.parse().expect("an address"),
            amount: Amount::from_base_units(1000),
            fee_ceiling: Amount::from_base_units(FEE),
            nonce: None,
            from: None,
        },
        StatementFacts::AttestNonce {
            wallet: world.evm_wallet,
            chain: EVM,
            next: 90,
            from: None,
        },
        StatementFacts::StateTime {
            wall: world.clocks.wall,
        },
        StatementFacts::EnrolWithdrawal {
            account: account(STRANGER),
        },
        StatementFacts::RemoveWithdrawal {
            account: account(OTHER),
        },
        StatementFacts::AddOwner {
            key: new.owner_key(),
        },
        StatementFacts::RemoveOwner { owner: second.id },
        StatementFacts::SetQuorum { quorum: 2 },
        StatementFacts::SuspendOwner { owner: second.id },
        StatementFacts::LiftSuspension { owner: third.id },
        StatementFacts::Credit {
            sequence: entry.sequence,
            transaction: entry.spend.transaction,
            wallet: entry.spend.wallet,
            amounts: vec![Charge {
                asset: EVM.native_asset(),
                amount: Amount::from_base_units(1),
            }],
        },
        StatementFacts::AddGuardian {
            key: new.owner_key(),
        },
        StatementFacts::RemoveGuardian {
            guardian: guardian.id,
        },
        StatementFacts::GuardianStop {
            stop: GuardianStop::Kill,
        },
        StatementFacts::RecoverOwners {
            key: new.owner_key(),
        },
        StatementFacts::Retire,
        StatementFacts::CloseWallet {
            wallet: world.evm_wallet,
        },
        StatementFacts::RotateWallet {
            wallet: world.evm_wallet,
            first_nonce: 0,
        },
        StatementFacts::RegisterAgent { active: true },
        StatementFacts::ActivateAgent { agent },
        StatementFacts::ResumeSession {
            session: world.bearer,
        },
        StatementFacts::SignOfLife,
    ];
    // A recovery is the one change that waits here, so that there is something to cancel.
    let mut waiting = Hand::new(8);
    let change = world.recover(&mut waiting, &[]).expect("begun");
    kinds.retain(|facts| !matches!(facts, StatementFacts::RecoverOwners { .. }));
    kinds.push(StatementFacts::CancelOwnerChange { change });
    let drafted = (0..)
        .zip(kinds)
        .map(|(place, facts): (u32, _)| {
            let origin = if place % 2 == 0 {
                Origin::Admin
            } else {
                Origin::Gateway
            };
            let command = match &facts {
                StatementFacts::Credit { .. } => Command::DraftCredit {
                    facts: facts.clone(),
                    origin,
                    entry: Some(Box::new(entry.clone())),
                },
                _ => Command::Draft {
                    facts: facts.clone(),
                    origin,
                },
            };
            let outcome = world.run(&command);
            let Ok(crate::core::command::Outcome::Drafted { statement, text }) = outcome else {
                panic!("{facts:?}: {outcome:?}")
            };
            Drafted {
                facts,
                statement,
                text: text.as_str().to_owned(),
            }
        })
        .collect();
    (world, one, guardian, entry, drafted)
}

/// Hands one statement in through its own door, with the right keys' signatures over another's text.
fn crossed(
    entry: &Prior,
    one: &Hand,
    guardian: &Hand,
    target: &Drafted,
    source: &Drafted,
) -> Command {
    let new = Hand::new(9);
    let signer = match target.facts {
        StatementFacts::GuardianStop { .. } => guardian,
        _ => one,
    };
    let signatures = vec![signer.signature(&source.text)];
    let submission = Submission {
        statement: target.statement,
        signatures: signatures.clone(),
        origin: Origin::Admin,
        with_password: true,
    };
    match target.facts {
        StatementFacts::Withdraw { .. } => Command::Withdraw(Withdrawal {
            statement: target.statement,
            signatures,
            unsigned: unsigned(31_337, 0, 1000, evm_recipient(RECIPIENT)),
        }),
        StatementFacts::AddOwner { .. } | StatementFacts::AddGuardian { .. } => Command::Register {
            rehearsal: new.rehearsal(target.statement, &target.text),
            submission,
        },
        StatementFacts::RotateWallet { .. } => Command::Rotate {
            submission,
            key: DerivedKey {
                path: KeyPath {
                    family: Family::Evm,
                    index: 1,
                },
                account: account(STRANGER).account(),
            },
        },
        StatementFacts::Credit { .. } => Command::Credit {
            submission,
            entry: Some(Box::new(entry.clone())),
        },
        _ => Command::Submit(submission),
    }
}

#[test]
fn invariant_14_no_kinds_signature_passes_for_any_other_kind() {
    let (world, one, guardian, entry, drafted) = all_kinds();
    let mut pairs = 0;
    for target in &drafted {
        for source in drafted
            .iter()
            .filter(|source| source.statement != target.statement)
        {
            let command = crossed(&entry, &one, &guardian, target, source);
            let outcome = world.clone().run(&command).map(drop);
            assert_eq!(
                outcome,
                Err(vec![Code::StatementSignature]),
                "{} for {}",
                source.facts.heading(),
                target.facts.heading()
            );
            pairs += 1;
        }
        // The same door with the right text gets past the signatures: the test is about them.
        let own = crossed(&entry, &one, &guardian, target, target);
        let outcome = world.clone().run(&own).map(drop);
        assert_ne!(
            outcome,
            Err(vec![Code::StatementSignature]),
            "{}",
            target.facts.heading()
        );
    }
    assert_eq!(pairs, 26 * 25);
}

/// What the new key signed for one kind enrols it as nothing else.
#[test]
fn invariant_14_a_rehearsal_serves_its_own_statement_alone() {
    let mut world = World::new();
    let (one, new) = (Hand::first(&world), Hand::new(9));
    let kinds = [
        StatementFacts::AddOwner {
            key: new.owner_key(),
        },
        StatementFacts::AddGuardian {
            key: new.owner_key(),
        },
        StatementFacts::RecoverOwners {
            key: new.owner_key(),
        },
    ];
    let drafted: Vec<_> = kinds
        .into_iter()
        .map(|facts| {
            let (statement, text) = world.draft(facts.clone(), Origin::Admin).expect("a draft");
            Drafted {
                facts,
                statement,
                text,
            }
        })
        .collect();
    for target in &drafted {
        for source in drafted
            .iter()
            .filter(|source| source.statement != target.statement)
        {
            let rehearsal = crate::core::command::Rehearsal {
                statement: target.statement,
                ..new.rehearsal(source.statement, &source.text)
            };
            let command = match target.facts {
                StatementFacts::RecoverOwners { .. } => Command::Recover(Recovery {
                    rehearsal,
                    guardians: vec![],
                }),
                _ => Command::Register {
                    submission: Submission {
                        statement: target.statement,
                        signatures: vec![one.signature(&target.text)],
                        origin: Origin::Admin,
                        with_password: true,
                    },
                    rehearsal,
                },
            };
            assert_eq!(
                world.clone().run(&command).map(drop),
                Err(vec![Code::StatementSignature])
            );
        }
    }
}
