//! A second try after an unseen end: invariant 5.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Charge, EventBody, Origin, Replaces};
use waiaas_shared::ids::{SessionId, SignerId, TransactionId};
use waiaas_shared::policy::document::{PolicyDocument, Recipient};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::Cumulative;
use waiaas_shared::policy::windows::Window;
use waiaas_shared::solana::build;
use waiaas_shared::statement::StatementFacts;

use super::people::Hand;
use super::world::{RECIPIENT, World, agent_key, key_bound, policy, sign_request, solana};
use crate::core::command::{Command, Outcome, Prior, SpendRequest, Submission, Used};

const SHOP: [u8; 32] = [7; 32];
const OTHER: [u8; 32] = [8; 32];
/// Lamports of one signature.
const SOLANA_FEE: u128 = 5000;
const AMOUNT: u64 = 10_000;

fn world_with(change: impl FnOnce(&mut PolicyDocument)) -> World {
    let mut world = World::new();
    let mut document = policy(2);
    for (bytes, name) in [(SHOP, "shop"), (OTHER, "other")] {
        let account = Account::Solana(SolanaAddress::from_bytes(bytes));
        document.recipients.push(Recipient {
            account: AccountId::new(solana(), account).expect("an account"),
            name: name.to_owned(),
        });
    }
    change(&mut document);
    document.sort();
    world.adopt(&document, true).expect("a sound document");
    world
}

/// What is asked for, in a body and in bytes of their own.
#[derive(Clone, Copy)]
struct Try<'a> {
    session: SessionId,
    key: &'a str,
    amount: u64,
    to: [u8; 32],
    replaces: Option<TransactionId>,
}

impl<'a> Try<'a> {
    fn first(world: &World, key: &'a str) -> Self {
        Self {
            session: world.bearer,
            key,
            amount: AMOUNT,
            to: SHOP,
            replaces: None,
        }
    }

    fn again(world: &World, key: &'a str, replaces: TransactionId) -> Self {
        Self {
            replaces: Some(replaces),
            ..Self::first(world, key)
        }
    }

    fn request(&self, world: &World) -> SpendRequest {
        let to = SolanaAddress::from_bytes(self.to);
        let named = self
            .replaces
            .map_or_else(String::new, |earlier| format!(r#","replaces":"{earlier}""#));
        let body = format!(
            r#"{{"signer":"{}","wallet":"{}","network":"{}","to":"{to}","amount_base":"{}"{named}}}"#,
            SignerId::from_bytes([5; 16]),
            world.solana_wallet,
            solana(),
            self.amount,
        );
        let mut blockhash = [0; 32];
        for (place, byte) in blockhash.iter_mut().zip(self.key.bytes()) {
            *place = byte;
        }
        let unsigned = build::transfer(&build::TransferRequest {
            from: SolanaAddress::from_bytes([2; 32]),
            to,
            lamports: self.amount,
            blockhash,
            compute_unit_limit: 450,
            micro_lamports_per_compute_unit: 0,
        })
        .expect("a transfer");
        SpendRequest {
            body: body.into_bytes(),
            unsigned,
            replaced: self.replaces.and_then(|earlier| entry(world, earlier)),
            ..world.request(self.session, self.key, 1, RECIPIENT)
        }
    }

    fn run(&self, world: &mut World) -> Result<Outcome, Vec<Code>> {
        let request = self.request(world);
        world.run(&Command::Spend(request))
    }

    /// Signed at once.
    fn signed(&self, world: &mut World) -> TransactionId {
        match self.run(world) {
            Ok(Outcome::Sign(_)) => {}
            other => panic!("it must be signed: {other:?}"),
        }
        world.commit();
        world.spends().last().expect("a payment").transaction
    }

    fn refused(&self, world: &mut World) -> Vec<Code> {
        self.run(world).map(drop).expect_err("it must be refused")
    }
}

/// A payment's entry, as the ledger finds it.
fn entry(world: &World, transaction: TransactionId) -> Option<Box<Prior>> {
    (1..).zip(&world.events).find_map(|(sequence, body)| {
        let (EventBody::SpendCommitted(spend) | EventBody::Withdrawn { spend, .. }) = body else {
            return None;
        };
        (spend.transaction == transaction).then(|| {
            Box::new(Prior {
                sequence,
                charged_at: world.clocks.budget,
                spend: spend.clone(),
                variant: None,
            })
        })
    })
}

#[test]
fn invariant_05_a_second_try_is_a_new_payment_that_names_the_first_and_is_charged_again() {
    let mut world = world_with(|_| {});
    let first = Try::first(&world, "a").signed(&mut world);
    let second = Try::again(&world, "b", first).signed(&mut world);
    let third = Try::again(&world, "c", second).signed(&mut world);
    let named: Vec<_> = world.spends().iter().map(|spend| spend.replaces).collect();
    let replaces = |transaction, tries| Some(Replaces { transaction, tries });
    assert_eq!(named, [None, replaces(first, 1), replaces(second, 2)]);
    assert_ne!(second, third);
    let native = solana().native_asset();
    let spent = world.state.sessions[&world.bearer].usage.spent[&native];
    let each = u128::from(AMOUNT) + SOLANA_FEE;
    assert_eq!(spent, Amount::from_base_units(3 * each));
    assert_eq!(world.state.sessions[&world.bearer].usage.count, 3);
}

/// Limits count both tries, and so do the tiers of sums; the owner reads what both come to.
#[test]
fn invariant_05_limits_and_tiers_count_every_try() {
    let each = u128::from(AMOUNT) + SOLANA_FEE;
    let mut limited = world_with(|document| {
        for rule in &mut document.assets {
            rule.per_transaction = Amount::from_base_units(each);
            rule.instant_up_to = Amount::from_base_units(each);
            rule.notify_up_to = Amount::from_base_units(each);
            rule.delay_up_to = Amount::from_base_units(each);
            rule.approve_up_to = Amount::from_base_units(each);
            rule.hour = Amount::from_base_units(2 * each - 1);
        }
    });
    let first = Try::first(&limited, "a").signed(&mut limited);
    let again = Try::again(&limited, "b", first);
    assert_eq!(again.refused(&mut limited), [Code::HourLimit]);

    let mut asking = asking();
    let first = Try::first(&asking, "a").signed(&mut asking);
    let waits = match Try::again(&asking, "b", first).run(&mut asking) {
        Ok(Outcome::Waiting(view)) => view.intent,
        other => panic!("the sum asks the owner: {other:?}"),
    };
    let facts = StatementFacts::ApprovePayment {
        transaction: waits.transaction,
    };
    let (_, text) = asking.draft(facts, Origin::Admin).expect("a text");
    assert!(text.contains(&format!("\nReplaces: {first}\n")), "{text}");
    let worst = "WARNING: the first try may still land; worst case both are paid, 0.00002 COIN \
                 (20000 base units of solana:localnet/slip44:501) in total, and a fee each";
    assert!(text.contains(worst), "{text}");
}

/// INSTANT once, and then the owner is asked.
fn asking() -> World {
    world_with(|document| {
        for rule in &mut document.assets {
            rule.cumulative = vec![Cumulative {
                window: Window::Hour,
                above: Amount::from_base_units(u128::from(AMOUNT) + SOLANA_FEE),
                tier: Tier::Approval,
            }];
        }
    })
}

#[test]
fn invariant_05_a_second_try_is_of_the_same_payment_by_the_same_agent() {
    let mut world = world_with(|_| {});
    let first = Try::first(&world, "a").signed(&mut world);
    let again = Try::again(&world, "b", first);
    let unknown = TransactionId::from_bytes([9; 16]);
    for (case, wrong, code) in [
        (
            "nobody's",
            Try {
                replaces: Some(unknown),
                ..again
            },
            Code::ReplacesUnknown,
        ),
        (
            "another amount",
            Try {
                amount: AMOUNT + 1,
                ..again
            },
            Code::ReplacesOther,
        ),
        (
            "another recipient",
            Try { to: OTHER, ..again },
            Code::ReplacesOther,
        ),
    ] {
        assert_eq!(wrong.refused(&mut world), [code], "{case}");
    }
    // What the index found is compared with what the body names.
    let other = Try {
        amount: AMOUNT + 1,
        ..Try::first(&world, "c")
    }
    .signed(&mut world);
    let mut request = again.request(&world);
    request.replaced = entry(&world, other);
    let refused = world.run(&Command::Spend(request)).map(drop);
    assert_eq!(refused, Err(vec![Code::ReplacesUnknown]));
    // Another session's payment; but of the same agent's key it may be.
    let keyed = |world: &World, session, key, replaces, nonce: &str| {
        let request = Try {
            session,
            ..Try::again(world, key, replaces)
        }
        .request(world);
        let seconds = world.clocks.wall.millis() / 1000;
        Command::Spend(sign_request(request, &agent_key(), nonce, seconds))
    };
    let stranger = keyed(&world, world.keyed, "k", first, "nonce-of-a-request-1");
    let refused = world.run(&stranger).map(drop);
    assert_eq!(refused, Err(vec![Code::ReplacesUnknown]));
    let own = Try {
        session: world.keyed,
        ..Try::first(&world, "k1")
    }
    .request(&world);
    let seconds = world.clocks.wall.millis() / 1000;
    let own = sign_request(own, &agent_key(), "nonce-of-a-request-2", seconds);
    world.run(&Command::Spend(own)).expect("the agent pays");
    world.commit();
    let paid = world.spends().last().expect("a payment").transaction;
    let later = world.grant(key_bound()).expect("another session");
    let again = keyed(&world, later, "k2", paid, "nonce-of-a-request-3");
    world.run(&again).expect("the same agent");
    assert!(world.spends().last().is_some_and(|spend| {
        spend
            .replaces
            .is_some_and(|earlier| earlier.transaction == paid)
    }));
}

/// A payment is replaced once: by one that waits or was signed. One that ended unsigned took no place.
#[test]
fn invariant_05_a_payment_is_replaced_once() {
    let mut world = world_with(|_| {});
    let first = Try::first(&world, "a").signed(&mut world);
    Try::again(&world, "b", first).signed(&mut world);
    let twice = Try::again(&world, "c", first);
    assert_eq!(twice.refused(&mut world), [Code::ReplacesTaken]);

    let mut asking = asking();
    let first = Try::first(&asking, "a").signed(&mut asking);
    let waits = match Try::again(&asking, "b", first).run(&mut asking) {
        Ok(Outcome::Waiting(view)) => view.intent.transaction,
        other => panic!("{other:?}"),
    };
    let twice = Try::again(&asking, "c", first);
    assert_eq!(twice.refused(&mut asking), [Code::ReplacesTaken]);
    asking
        .run(&Command::CancelIntent {
            transaction: waits,
            origin: Origin::Gateway,
        })
        .expect("it waits");
    assert!(matches!(twice.run(&mut asking), Ok(Outcome::Waiting(_))));
}

/// The bytes of a replaced payment are not given again, by whatever way they are asked for; those of the
/// one that took its place are, and nothing is charged for it.
#[test]
fn invariant_05_replaced_bytes_stay_where_they_are() {
    let mut world = world_with(|_| {});
    let first = Try::first(&world, "a").signed(&mut world);
    let resend = Command::Resend(entry(&world, first).expect("its entry"), Origin::Gateway);
    world.run(&resend).expect("nothing took its place yet");
    let second = Try::again(&world, "b", first);
    second.signed(&mut world);
    assert_eq!(
        world.run(&resend).map(drop),
        Err(vec![Code::PaymentReplaced])
    );
    let mut replay = Try::first(&world, "a").request(&world);
    replay.used = Some(Used::Paid(entry(&world, first).expect("its entry")));
    assert_eq!(
        world.run(&Command::Spend(replay)).map(drop),
        Err(vec![Code::PaymentReplaced])
    );
    let mut replay = second.request(&world);
    let newest = world.spends().last().expect("a payment").transaction;
    replay.used = Some(Used::Paid(entry(&world, newest).expect("its entry")));
    let before = world.events.len();
    assert!(matches!(
        world.run(&Command::Spend(replay)),
        Ok(Outcome::Sign(_))
    ));
    assert_eq!(world.events.len(), before);
}

#[test]
fn invariant_05_what_an_owner_credited_is_not_replaced() {
    let mut world = world_with(|_| {});
    let first = Try::first(&world, "a").signed(&mut world);
    let prior = entry(&world, first).expect("its entry");
    let facts = StatementFacts::Credit {
        sequence: prior.sequence,
        transaction: first,
        wallet: world.solana_wallet,
        amounts: vec![Charge {
            asset: solana().native_asset(),
            amount: Amount::from_base_units(u128::from(AMOUNT)),
        }],
    };
    let owner = Hand::first(&world);
    let draft = Command::DraftCredit {
        facts,
        origin: Origin::Admin,
        entry: Some(prior.clone()),
    };
    let (statement, text) = match world.run(&draft) {
        Ok(Outcome::Drafted { statement, text }) => (statement, text.as_str().to_owned()),
        other => panic!("{other:?}"),
    };
    let submission = Submission {
        statement,
        signatures: vec![owner.signature(&text)],
        origin: Origin::Admin,
        with_password: false,
    };
    world
        .run(&Command::Credit {
            submission,
            entry: Some(prior),
        })
        .expect("a credit");
    let again = Try::again(&world, "b", first);
    assert_eq!(again.refused(&mut world), [Code::ReplacesCredited]);
}

/// A signed EVM payment can land for ever, and a later nonce lands only after it.
#[test]
fn invariant_05_an_evm_payment_is_never_replaced_by_another_nonce() {
    let mut world = World::new();
    world.bearer_pay("a", 1000).expect("a payment");
    world.commit();
    let first = world.spends().last().expect("a payment").transaction;
    let mut request = world.request(world.bearer, "b", 1000, RECIPIENT);
    let body = String::from_utf8(request.body).expect("text");
    let named = format!(r#","replaces":"{first}"}}"#);
    request.body = body.replacen('}', &named, 1).into_bytes();
    request.replaced = entry(&world, first);
    let mut dry = request.clone();
    dry.dry_run = true;
    for request in [dry, request] {
        assert_eq!(
            world.run(&Command::Spend(request)).map(drop),
            Err(vec![Code::ReplacesEvm])
        );
    }
    assert_eq!(world.spends().len(), 1);
}
