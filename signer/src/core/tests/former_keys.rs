//! What a wallet's earlier keys signed, as long as it can land; and the owner's own bytes, given again.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{EventBody, Origin, Spend};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::rotation::{outstanding, own_account, prior, rotate, view, world};
use super::world::{EVM, FEE, RECIPIENT, World, policy};
use crate::core::command::{Command, Outcome, Prior, Release, Submission};

/// What the old key signed can land for as long as nobody says that it cannot: the new key's nonce says
/// nothing of it. To the unit of the cap.
#[test]
fn invariant_06_each_keys_nonce_ends_what_that_key_has_outstanding() {
    let mut world = world();
    let old = own_account(&world);
    let attest = |world: &World, next, from| StatementFacts::AttestNonce {
        wallet: world.evm_wallet,
        chain: EVM,
        next,
        from,
    };
    let mut capped = policy(2);
    for rule in &mut capped.assets {
        rule.outstanding = rule.outstanding.map(|_| Amount::from_base_units(600_000));
    }
    world.adopt(&capped, true).expect("a lower cap");
    world.bearer_pay("a", 300_000 - FEE).expect("a payment");
    rotate(&mut world, 7).expect("rotated");
    world.bearer_pay("b", 200_000 - FEE).expect("a payment");
    assert_eq!(outstanding(&world), (200_000, vec![300_000]));
    // The new address's nonce: what the new key signed is over, and no more.
    let facts = attest(&world, 1, None);
    world.say(facts, false).expect("attested");
    assert_eq!(outstanding(&world), (0, vec![300_000]));
    assert_eq!(
        world.bearer_pay("c", 300_001 - FEE).map(drop),
        Err(vec![Code::OutstandingCap]),
        "one unit more than the cap leaves beside the old key's"
    );
    world.bearer_pay("c", 300_000 - FEE).expect("to the unit");
    // The old address's: never lower, and of no address that was never the wallet's.
    let lower = attest(&world, 0, Some(old));
    assert_eq!(
        world.say(lower, false).map(drop),
        Err(vec![Code::NonceLower])
    );
    let stranger = Account::Evm(EvmAddress::from_bytes([9; 20]));
    let facts = attest(&world, 1, Some(stranger));
    assert_eq!(
        world.say(facts, false).map(drop),
        Err(vec![Code::WalletUnknown])
    );
    let facts = attest(&world, 1, Some(old));
    world.say(facts, false).expect("attested");
    assert_eq!(outstanding(&world), (300_000, vec![0]));
    world.bearer_pay("d", 200_000 - FEE).expect("room again");
    let nonces = &view(&world).nonces;
    assert_eq!((nonces[0].next, nonces[0].attested), (3, 1));
    // And it is spoken of under its own address after one more rotation too.
    rotate(&mut world, 8).expect("rotated");
    assert_eq!(outstanding(&world), (0, vec![0, 500_000]));
}

fn bytes(outcome: Result<Outcome, Vec<Code>>) -> Result<Vec<u8>, Vec<Code>> {
    match outcome? {
        Outcome::Sign(order) => Ok(order.transaction().bytes().to_vec()),
        other => panic!("{other:?}"),
    }
}

/// A lost answer does not close the way out: the owner gets the same bytes wherever a withdrawal is signed,
/// frozen and RECOVERING included, and a gateway gets them never.
#[test]
fn invariant_17_a_withdrawals_bytes_are_given_again_to_its_owner_alone() {
    let mut world = world();
    world.withdraw(RECIPIENT, 5_000_000).expect("withdrawn");
    let Some(EventBody::Withdrawn { spend, .. }) = world.events.last() else {
        panic!("{:?}", world.events.last());
    };
    let spend = spend.clone();
    let entry = prior(&world, spend.clone());
    let again = |world: &mut World, origin| {
        let events = world.events.len();
        let given = bytes(world.run(&Command::Resend(entry.clone(), origin)));
        assert_eq!(world.events.len(), events, "nothing is charged again");
        given
    };
    assert_eq!(again(&mut world, Origin::Admin), Ok(spend.unsigned.clone()));
    let refused = Err(vec![Code::AdminOnly]);
    assert_eq!(again(&mut world, Origin::Gateway), refused);
    // Nor as the release of something that waited.
    let released = world.run(&Command::Release(Release {
        transaction: spend.transaction,
        unsigned: Vec::new(),
        prior: Some(entry.clone()),
    }));
    assert_eq!(bytes(released), refused);
    let pause = |wallet| Command::Pause {
        wallet,
        origin: Origin::Gateway,
    };
    for wallet in [Some(world.evm_wallet), None] {
        world.run(&pause(wallet)).expect("paused");
        assert_eq!(again(&mut world, Origin::Admin), Ok(spend.unsigned.clone()));
    }
    world.run(&Command::Kill(Origin::Gateway)).expect("killed");
    assert_eq!(again(&mut world, Origin::Admin), Err(vec![Code::Killed]));
    let release = StatementFacts::ReleaseKill {
        epoch: 1,
        sessions: vec![],
    };
    world.say(release, true).expect("released");
    assert_eq!(again(&mut world, Origin::Admin), Ok(spend.unsigned.clone()));
}

/// The text says which nonce the signer gives next, and what an attestation skips: once more was signed that is
/// another thing, and what was written before says it no more.
#[test]
fn invariant_06_an_attestation_speaks_of_the_nonces_that_it_was_written_beside() {
    let mut world = world();
    let old = own_account(&world);
    world.bearer_pay("a", 100_000 - FEE).expect("nonce 0");
    rotate(&mut world, 7).expect("rotated");
    world
        .bearer_pay("b", 100_000 - FEE)
        .expect("nonce 0 of the new key");
    let written = |world: &mut World, next, from| {
        let facts = StatementFacts::AttestNonce {
            wallet: world.evm_wallet,
            chain: EVM,
            next,
            from,
        };
        let (statement, text) = world.draft(facts, Origin::Admin).expect("a text");
        let signatures = vec![world.signature(&text)];
        Command::Submit(Submission {
            statement,
            signatures,
            origin: Origin::Admin,
            with_password: false,
        })
    };
    let stale = written(&mut world, 5, None);
    let same_nonce = written(&mut world, 1, None);
    let of_old = written(&mut world, 1, Some(old));
    world.bearer_pay("c", 100_000 - FEE).expect("nonce 1");
    for command in [stale, same_nonce] {
        let refused = world.run(&command).map(drop);
        assert_eq!(refused, Err(vec![Code::StatementUnknown]));
    }
    assert_eq!(outstanding(&world), (200_000, vec![100_000]));
    // Another key's nonces did not move.
    world.run(&of_old).expect("attested");
    assert_eq!(outstanding(&world), (200_000, vec![0]));
    // Nor does one attestation leave another beside it.
    let [one, two] = [3, 4].map(|next| written(&mut world, next, None));
    world.run(&one).expect("attested");
    assert_eq!(outstanding(&world), (0, vec![0]));
    let refused = world.run(&two).map(drop);
    assert_eq!(refused, Err(vec![Code::StatementUnknown]));
    // A withdrawal with the next nonce is no other thing than a payment; one that uses an issued nonce again is.
    let fresh = written(&mut world, 9, None);
    world.withdraw(RECIPIENT, 1000).expect("nonce 3");
    let refused = world.run(&fresh).map(drop);
    assert_eq!(refused, Err(vec![Code::StatementUnknown]));
    let fresh = written(&mut world, 9, None);
    super::rotation::withdraw(&mut world, None, Some(3)).expect("nonce 3 again");
    world.run(&fresh).expect("the next nonce is the same");
}

/// What the owner withdrew before a rotation was signed by the key of then, and is given again as it was.
#[test]
fn invariant_17_a_withdrawal_of_before_a_rotation_is_given_again() {
    let mut world = world();
    let withdrawn = |world: &mut World| {
        world.withdraw(RECIPIENT, 5_000_000).expect("withdrawn");
        let Some(EventBody::Withdrawn { spend, .. }) = world.events.last() else {
            panic!("{:?}", world.events.last());
        };
        let entry = prior(world, spend.clone());
        (own_account(world), entry)
    };
    let again = |world: &mut World, entry: &Prior| match world
        .run(&Command::Resend(Box::new(entry.clone()), Origin::Admin))
    {
        Ok(Outcome::Sign(order)) => Ok((
            order.transaction().from(),
            order.transaction().bytes().to_vec(),
        )),
        Ok(other) => panic!("{other:?}"),
        Err(codes) => Err(codes),
    };
    let mut entries = Vec::new();
    for seed in [7, 8] {
        entries.push(withdrawn(&mut world));
        world.pass(Millis::from_millis(1));
        rotate(&mut world, seed).expect("rotated");
        world.pass(Millis::from_millis(1));
    }
    entries.push(withdrawn(&mut world));
    for (account, entry) in &entries {
        let given = again(&mut world, entry);
        assert_eq!(given, Ok((*account, entry.spend.unsigned.clone())));
    }
    // An agent's payment of the old key stays closed.
    let mut paid = self::world();
    paid.bearer_pay("a", 100_000 - FEE).expect("a payment");
    let spend = (*paid.spends().last().expect("a payment")).clone();
    let entry = prior(&paid, spend);
    paid.pass(Millis::from_millis(1));
    rotate(&mut paid, 7).expect("rotated");
    assert_eq!(again(&mut paid, &entry), Err(vec![Code::WalletClosed]));
    // In the millisecond of the rotation nobody can tell whose it was, and nothing is signed with another's key.
    let mut world = self::world();
    let (_, entry) = withdrawn(&mut world);
    rotate(&mut world, 7).expect("rotated");
    assert_eq!(again(&mut world, &entry), Err(vec![Code::WalletClosed]));
}

/// Bytes that would do something else than what was judged and charged do not leave again.
#[test]
fn invariant_04_recorded_bytes_leave_for_their_recorded_effects_alone() {
    let mut world = world();
    world.bearer_pay("a", 100_000 - FEE).expect("a payment");
    let spend = (*world.spends().last().expect("a payment")).clone();
    let entry = prior(&world, spend);
    let again = |world: &mut World, change: &dyn Fn(&mut Spend)| {
        let mut entry = entry.clone();
        change(&mut entry.spend);
        bytes(world.run(&Command::Resend(entry, Origin::Gateway)))
    };
    assert_eq!(again(&mut world, &|_| {}), Ok(entry.spend.unsigned.clone()));
    let native = EVM.native_asset();
    let changes: [&dyn Fn(&mut Spend); 5] = [
        &|spend| spend.nonce = Some(7),
        &|spend| spend.memo = "order 7".parse().ok(),
        &|spend| {
            spend.effects.retain(Effect::is_fee);
        },
        &|spend| {
            for effect in &mut spend.effects {
                if let Effect::Transfer { amount, .. } = effect {
                    *amount = Amount::from_base_units(1);
                }
            }
        },
        &|spend| {
            spend.effects.retain(|effect| !effect.is_fee());
            spend.effects.push(Effect::Fee {
                asset: native,
                max: Amount::from_base_units(FEE - 1),
            });
        },
    ];
    for (place, change) in changes.into_iter().enumerate() {
        let refused = Err(vec![Code::RecordedDiffers]);
        assert_eq!(again(&mut world, change), refused, "{place}");
    }
}
