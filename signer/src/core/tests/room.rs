//! What is bounded, and where an emergency finds room behind the bound (invariant 17): keys of wallets and of
//! owners, places in one answer, documents that bind, nonces and the gaps between them.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::caip::{AccountId, ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::{OwnerId, WalletId};
use waiaas_shared::owner_change::{NewKey, OwnerChange};
use waiaas_shared::policy::document::Recipient;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::Envelope;
use waiaas_shared::time::Millis;

use super::locked_out::{with_address, withdraw_with};
use super::people::{Hand, main_network};
use super::world::{EVM, World, policy};
use crate::core::command::{Command, DerivedKey, Submission};
use crate::core::decide_policy::{BINDING_BYTES, BINDING_RESERVED};
use crate::core::decide_wallet::{
    FORMER_LIMIT, KEYS_LIMIT, PLACES_LIMIT, ROTATION_KEYS, ROTATION_PLACES,
};
use crate::core::wallet::{GAPS_LIMIT, NONCE_END};

/// Moves an EVM wallet to a key that nobody has.
fn rotated(world: &mut World, wallet: WalletId, number: usize) -> Result<(), Vec<Code>> {
    let facts = StatementFacts::RotateWallet {
        wallet,
        first_nonce: 0,
    };
    let (statement, text) = world.draft(facts, Origin::Admin)?;
    let submission = Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin: Origin::Admin,
        with_password: false,
    };
    let mut address = [0xd4; 20];
    address[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let key = DerivedKey {
        path: world.state.next_path(Family::Evm),
        account: Account::Evm(EvmAddress::from_bytes(address)),
    };
    world.run(&Command::Rotate { submission, key }).map(drop)
}

#[test]
fn invariant_17_keys_are_few_enough_to_unlock() {
    let mut world = World::new();
    let bytes = |number: usize| {
        let mut bytes = [0xc3; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        bytes
    };
    let mut made = 2;
    let mut wallets = Vec::new();
    while made < KEYS_LIMIT - ROTATION_KEYS {
        let wallet = world.wallet(Family::Evm, bytes(made), vec![EVM]);
        wallets.push(wallet.expect("room"));
        made += 1;
    }
    let more = world.wallet(Family::Evm, bytes(made), vec![EVM]);
    assert_eq!(more, Err(vec![Code::KeysTooMany]));
    // A key in danger finds another one where no more wallets are made, and there is an end to that too.
    for number in 0..ROTATION_KEYS {
        rotated(&mut world, wallets[number % 4], number).expect("room for a rotation");
    }
    let full = rotated(&mut world, wallets[9], ROTATION_KEYS);
    assert_eq!(full, Err(vec![Code::KeysTooMany]));

    // Few keys on many networks fill an answer too.
    let mut world = World::new();
    let networks: Vec<ChainId> = (1..=16).map(|id| ChainId::Evm(500_000 + id)).collect();
    let mut places = 2;
    let mut made = 2;
    let mut wallets = Vec::new();
    while places + networks.len() <= PLACES_LIMIT - ROTATION_PLACES {
        let wallet = world.wallet(Family::Evm, bytes(made), networks.clone());
        wallets.push(wallet.expect("room"));
        (places, made) = (places + networks.len(), made + 1);
    }
    let more = world.wallet(Family::Evm, bytes(made), networks.clone());
    assert_eq!(more, Err(vec![Code::KeysTooMany]));
    let mut number = 0;
    while places + networks.len() <= PLACES_LIMIT {
        rotated(&mut world, wallets[number], number).expect("room for a rotation");
        (places, number) = (places + networks.len(), number + 1);
    }
    assert_eq!(number, ROTATION_PLACES / networks.len());
    let full = rotated(&mut world, wallets[0], number);
    assert_eq!(full, Err(vec![Code::KeysTooMany]));
}

#[test]
fn invariant_17_a_wallet_is_rotated_few_times_enough() {
    let mut world = World::new();
    let wallet = world.evm_wallet;
    for number in 0..FORMER_LIMIT {
        rotated(&mut world, wallet, number).expect("rotated");
    }
    let full = rotated(&mut world, wallet, FORMER_LIMIT);
    assert_eq!(full, Err(vec![Code::KeysTooMany]));
}

/// Adds an owner; the key waits from then on.
fn asked_to_add(world: &mut World, seed: u8, hands: &[&Hand]) -> Result<OwnerId, Vec<Code>> {
    let new = Hand::new(seed);
    let facts = StatementFacts::AddOwner {
        key: new.owner_key(),
    };
    // A draft that is refused is no registration.
    world.draft(facts.clone(), Origin::Admin)?;
    world.register(facts, hands, &new)
}

#[test]
fn invariant_17_who_takes_a_suspended_owners_place_finds_room() {
    let mut world = World::new();
    let one = Hand::first(&world);
    let mut owners = Vec::new();
    for seed in 42..=56 {
        owners.push(asked_to_add(&mut world, seed, &[&one]).expect("room"));
        world.pass(Millis::from_hours(72));
    }
    let full = Err(vec![Code::OwnerChangeTooMany]);
    assert_eq!(asked_to_add(&mut world, 57, &[&one]).map(drop), full);
    // A stolen key that is suspended takes nobody's place; guardians wait until it is removed.
    world
        .run(&Command::SuspendOwner { owner: owners[0] })
        .expect("suspended");
    let guardian = StatementFacts::AddGuardian {
        key: Hand::new(120).owner_key(),
    };
    let drafted = world.draft(guardian, Origin::Admin).map(drop);
    assert_eq!(drafted, full);
    owners.push(asked_to_add(&mut world, 57, &[&one]).expect("another in its place"));
    assert_eq!(asked_to_add(&mut world, 58, &[&one]).map(drop), full);
    world.pass(Millis::from_hours(72));
    // Eight more, and no further: then suspended ones are removed first, in the same hour.
    for seed in 58..=64 {
        let owner = owners[usize::from(seed) - 57];
        world
            .run(&Command::SuspendOwner { owner })
            .expect("suspended");
        owners.push(asked_to_add(&mut world, seed, &[&one]).expect("another"));
        world.pass(Millis::from_hours(72));
    }
    let owner = owners[8];
    world
        .run(&Command::SuspendOwner { owner })
        .expect("suspended");
    assert_eq!(asked_to_add(&mut world, 73, &[&one]).map(drop), full);
    let remove = StatementFacts::RemoveOwner { owner };
    world.say_as(remove, &[&one], true).expect("asked");
    asked_to_add(&mut world, 73, &[&one]).expect("in its place");
}

#[test]
fn invariant_06_nonces_end_and_what_attestations_skip_is_bounded() {
    let mut world = with_address();
    let attest = |world: &mut World, next| {
        let facts = StatementFacts::AttestNonce {
            wallet: world.evm_wallet,
            chain: EVM,
            next,
            from: None,
        };
        world.say(facts, false).map(drop)
    };
    for gap in 0..GAPS_LIMIT as u64 {
        attest(&mut world, gap * 3 + 2).expect("remembered");
        let between = withdraw_with(&mut world, None);
        assert_eq!(between, Ok(gap * 3 + 2), "it lies between two gaps");
    }
    let next = GAPS_LIMIT as u64 * 3;
    assert_eq!(attest(&mut world, next + 1), Err(vec![Code::NonceGaps]));
    // Every one of them is still withdrawn with, and what skips nothing is attested as before.
    assert_eq!(withdraw_with(&mut world, Some(0)), Ok(0));
    assert_eq!(withdraw_with(&mut world, Some(next - 2)), Ok(next - 2));
    attest(&mut world, next).expect("no gap");
    // A gap that goes on is no further one.
    let mut world = with_address();
    for step in 1..=GAPS_LIMIT as u64 * 2 {
        attest(&mut world, step * 2).expect("one gap");
    }
    // The end: one above would have no next one, and be given twice.
    for beyond in [NONCE_END + 1, u64::MAX] {
        assert_eq!(attest(&mut world, beyond), Err(vec![Code::NonceRange]));
    }
    attest(&mut world, NONCE_END).expect("the last one");
    world.bearer_pay("last", 1).expect("signed with it");
    let after = world.bearer_pay("after", 1).map(drop);
    assert_eq!(after, Err(vec![Code::NonceRange]));
    assert_eq!(withdraw_with(&mut world, None), Err(vec![Code::NonceRange]));
    assert_eq!(withdraw_with(&mut world, Some(NONCE_END)), Ok(NONCE_END));
    // A rotated wallet begins afresh, and not beyond the end either.
    let facts = StatementFacts::RotateWallet {
        wallet: world.evm_wallet,
        first_nonce: NONCE_END + 1,
    };
    let beyond = world.draft(facts, Origin::Admin).map(drop);
    assert_eq!(beyond, Err(vec![Code::NonceRange]));
    let wallet = world.evm_wallet;
    rotated(&mut world, wallet, 1).expect("rotated");
    world.bearer_pay("fresh", 1).expect("nonce 0");
}

#[test]
fn invariant_17_documents_that_bind_fit_one_answer() {
    let mut world = World::empty();
    world.owner = world.enrol(vec![]).expect("the first owner");
    main_network(&mut world);
    let of_size = |epoch, recipients: u64| {
        let mut document = policy(epoch);
        for number in 0..recipients {
            let mut address = [0xe5; 20];
            address[..8].copy_from_slice(&number.to_be_bytes());
            let to = Account::Evm(EvmAddress::from_bytes(address));
            document.recipients.push(Recipient {
                account: AccountId::new(EVM, to).expect("an account"),
                name: format!("recipient-{number}"),
            });
        }
        document.sort();
        document
    };
    world.adopt(&of_size(1, 2_500), true).expect("the first");
    let mut epoch = 2;
    let mut last = 0;
    // A smaller one is adopted where a larger one is not, until nothing more fits.
    for recipients in [2_500, 500, 100] {
        let refused = loop {
            let document = of_size(epoch, recipients);
            last = document.to_bytes().len();
            match world.adopt(&document, false) {
                Ok(_) => epoch += 1,
                Err(codes) => break codes,
            }
        };
        assert_eq!(refused, [Code::PoliciesTooLarge]);
    }
    let binding = |world: &World| -> usize {
        let documents = world.state.binding_documents(world.clocks);
        documents.iter().map(Vec::len).sum()
    };
    let (total, open) = (binding(&world), BINDING_BYTES - BINDING_RESERVED);
    assert!(total <= open && total + last > open, "{total}");
    // With the password there is room where nobody else finds any, and it ends too.
    let refused = loop {
        match world.adopt(&of_size(epoch, 100), true) {
            Ok(_) => epoch += 1,
            Err(codes) => break codes,
        }
    };
    assert_eq!(refused, [Code::PoliciesTooLarge]);
    let total_with_password = binding(&world);
    assert!((total + 1..=BINDING_BYTES).contains(&total_with_password));
}

/// Owners come back beside those who took their places, and one submission carries no more signatures than this.
#[test]
fn invariant_17_no_quorum_needs_more_signatures_than_a_submission_carries() {
    let most = waiaas_shared::owner_change::KEYS_LIMIT;
    let (world, _) = super::people::two_owners();
    let mut owners = world.state.owners.clone();
    for seed in 100..108 + u8::try_from(most).expect("few") {
        let hand = super::people::Hand::new(seed);
        owners.make(&OwnerChange::AddOwner(NewKey {
            id: hand.id,
            key: hand.owner_key(),
            envelope: Envelope::Ed25519Plain,
        }));
    }
    assert!(owners.active() > most);
    let most = u32::try_from(most).expect("few");
    let set = |quorum| owners.fits(&OwnerChange::SetQuorum { quorum });
    assert_eq!(set(most), Ok(()));
    assert_eq!(set(most + 1), Err(Code::QuorumRange));
}
