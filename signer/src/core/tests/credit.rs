//! Credits: invariant 5.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Charge, EventBody, Origin};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::statement::StatementFacts;

use super::people::{Hand, account};
use super::world::{EVM, FEE, RECIPIENT, World};
use crate::core::command::{Command, Outcome, Prior, Submission, Used};

/// The payment that was made last, as the ledger finds it.
fn entry(world: &World) -> Prior {
    let place = world
        .events
        .iter()
        .rposition(|body| {
            matches!(
                body,
                EventBody::SpendCommitted(_) | EventBody::Withdrawn { .. }
            )
        })
        .expect("a payment");
    let (EventBody::SpendCommitted(spend) | EventBody::Withdrawn { spend, .. }) =
        &world.events[place]
    else {
        panic!("no payment")
    };
    Prior {
        sequence: place as u64 + 1,
        charged_at: world.clocks.budget,
        spend: spend.clone(),
        variant: None,
    }
}

fn credit(entry: &Prior, amount: u128) -> StatementFacts {
    StatementFacts::Credit {
        sequence: entry.sequence,
        transaction: entry.spend.transaction,
        wallet: entry.spend.wallet,
        amounts: vec![Charge {
            asset: EVM.native_asset(),
            amount: Amount::from_base_units(amount),
        }],
    }
}

fn draft(
    world: &mut World,
    facts: StatementFacts,
    entry: &Prior,
) -> Result<(waiaas_shared::ids::StatementId, String), Vec<Code>> {
    let command = Command::DraftCredit {
        facts,
        origin: Origin::Admin,
        entry: Some(Box::new(entry.clone())),
    };
    match world.run(&command)? {
        Outcome::Drafted { statement, text } => Ok((statement, text.as_str().to_owned())),
        other => panic!("{other:?}"),
    }
}

fn give(world: &mut World, facts: StatementFacts, entry: &Prior) -> Result<(), Vec<Code>> {
    let owner = Hand::first(world);
    let (statement, text) = draft(world, facts, entry)?;
    let submission = Submission {
        statement,
        signatures: vec![owner.signature(&text)],
        origin: Origin::Admin,
        with_password: false,
    };
    let entry = Some(Box::new(entry.clone()));
    world.run(&Command::Credit { submission, entry }).map(drop)
}

#[test]
fn invariant_05_a_credit_gives_back_one_charge_once() {
    let mut world = World::new();
    // The hour's million, to the unit.
    for key in ["a", "b"] {
        world
            .bearer_pay(key, 400_000 - FEE)
            .map(drop)
            .expect("within limits");
    }
    world
        .bearer_pay("c", 200_000 - FEE)
        .map(drop)
        .expect("to the unit");
    let paid = entry(&world);
    assert!(world.bearer_pay("d", 1).is_err(), "the hour is full");
    give(&mut world, credit(&paid, 200_000), &paid).expect("an owner credits it");
    assert!(
        world.bearer_pay("e", 200_001 - FEE).is_err(),
        "not a unit more than it was charged"
    );
    world
        .bearer_pay("f", 200_000 - FEE)
        .map(drop)
        .expect("given back");
    assert_eq!(
        give(&mut world, credit(&paid, 1), &paid),
        Err(vec![Code::CreditUsed])
    );
    let view = world
        .state
        .session_view(world.bearer, world.clocks)
        .expect("a session");
    let spent = view.usage.spent[&EVM.native_asset()];
    assert_eq!(spent, Amount::from_base_units(1_000_000));
    assert_eq!(view.usage.count, 3);
}

#[test]
fn invariant_05_a_credit_is_capped_by_its_charge_and_names_what_the_log_says() {
    let mut world = World::new();
    world.bearer_pay("a", 100_000).map(drop).expect("a payment");
    let paid = entry(&world);
    let charged = 100_000 + FEE;
    let change = |change: &dyn Fn(&mut StatementFacts)| {
        let mut facts = credit(&paid, charged);
        change(&mut facts);
        facts
    };
    let wrong = [
        credit(&paid, charged + 1),
        change(&|facts| {
            if let StatementFacts::Credit { sequence, .. } = facts {
                *sequence += 1;
            }
        }),
        change(&|facts| {
            if let StatementFacts::Credit { transaction, .. } = facts {
                *transaction = TransactionId::from_bytes([9; 16]);
            }
        }),
        change(&|facts| {
            if let StatementFacts::Credit { amounts, .. } = facts {
                amounts[0].asset = super::world::solana().native_asset();
            }
        }),
        {
            let other = world.solana_wallet;
            change(&|facts| {
                if let StatementFacts::Credit { wallet, .. } = facts {
                    *wallet = other;
                }
            })
        },
    ];
    for facts in wrong {
        assert_eq!(
            draft(&mut world, facts.clone(), &paid).map(drop),
            Err(vec![Code::CreditMismatch]),
            "{facts:?}"
        );
    }
    let unknown = Command::DraftCredit {
        facts: credit(&paid, 1),
        origin: Origin::Admin,
        entry: None,
    };
    assert_eq!(
        world.run(&unknown).map(drop),
        Err(vec![Code::CreditMismatch])
    );
    // Two that were drafted before either was used: one is.
    let owner = Hand::first(&world);
    let submissions: Vec<_> = (0..2)
        .map(|_| {
            let (statement, text) =
                draft(&mut world, credit(&paid, charged), &paid).expect("a draft");
            Submission {
                statement,
                signatures: vec![owner.signature(&text)],
                origin: Origin::Gateway,
                with_password: false,
            }
        })
        .collect();
    let outcomes: Vec<_> = submissions
        .into_iter()
        .map(|submission| {
            let entry = Some(Box::new(paid.clone()));
            world.run(&Command::Credit { submission, entry }).map(drop)
        })
        .collect();
    assert_eq!(outcomes, [Ok(()), Err(vec![Code::CreditUsed])]);
}

#[test]
fn invariant_05_a_credited_payments_bytes_are_never_given_again() {
    let mut world = World::new();
    world.bearer_pay("a", 100_000).map(drop).expect("a payment");
    let paid = entry(&world);
    world.commit();
    let resend = Command::Resend(Box::new(paid.clone()), Origin::Gateway);
    assert!(matches!(world.run(&resend), Ok(Outcome::Sign(_))));
    give(&mut world, credit(&paid, 100_000 + FEE), &paid).expect("credited");
    assert_eq!(
        world.run(&resend).map(drop),
        Err(vec![Code::PaymentCredited])
    );
    let mut again = world.request(world.bearer, "a", 100_000, RECIPIENT);
    again.used = Some(Used::Paid(Box::new(paid)));
    assert_eq!(
        world.run(&Command::Spend(again)).map(drop),
        Err(vec![Code::PaymentCredited])
    );
    world
        .bearer_pay("b", 100_000)
        .map(drop)
        .expect("another payment is another matter");
}

#[test]
fn invariant_05_nothing_else_is_credited() {
    let mut world = World::empty();
    world.owner = world.enrol(vec![account(RECIPIENT)]).expect("an owner");
    world.evm_wallet = world
        .wallet(waiaas_shared::caip::Family::Evm, [1; 32], vec![EVM])
        .expect("a wallet");
    world.withdraw(RECIPIENT, 1000).expect("a withdrawal");
    let withdrawn = entry(&world);
    assert_eq!(
        draft(&mut world, credit(&withdrawn, 1), &withdrawn).map(drop),
        Err(vec![Code::CreditMismatch]),
        "a withdrawal was charged to nobody"
    );
}
