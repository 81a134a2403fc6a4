//! What a wallet's earlier keys signed, as long as it can land; and the owner's own bytes, given again.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::statement::StatementFacts;

use super::rotation::{outstanding, own_account, prior, rotate, view, world};
use super::world::{EVM, FEE, RECIPIENT, World, policy};
use crate::core::command::{Command, Outcome, Release};

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
