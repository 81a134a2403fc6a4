//! EVM transactions that an agent brings: the nonce in them is the one that the signer issues next, or nothing is
//! signed.

use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::ids::SignerId;
use waiaas_shared::time::Millis;

use super::brought::{PATH, order};
use super::tokens_solana::{refused, units};
use super::world::{EVM, FEE, RECIPIENT, World, evm_recipient, unsigned as evm_unsigned};
use crate::core::command::{Command, SpendRequest};

fn evm_request(world: &World, key: &str, bytes: &[u8]) -> SpendRequest {
    let body = format!(
        r#"{{"signer":"{}","wallet":"{}","network":"{EVM}","transaction":"0x{}","submit":true}}"#,
        SignerId::from_bytes([5; 16]),
        world.evm_wallet,
        hex::encode(bytes),
    );
    SpendRequest {
        path: PATH.to_owned(),
        body: body.into_bytes(),
        unsigned: bytes.to_vec(),
        ..world.request(world.bearer, key, 1, RECIPIENT)
    }
}

/// INVARIANT 6: the nonce is the signer's to issue. A brought transaction carries the very next one.
#[test]
fn invariant_06_a_brought_transaction_has_the_next_nonce_or_none() {
    let mut world = World::new();
    let to = evm_recipient(RECIPIENT);
    let bytes = |nonce| evm_unsigned(31_337, nonce, 50_000, to);
    for wrong in [1, 2, 1 << 40] {
        let request = evm_request(&world, "a", &bytes(wrong));
        let outcome = world.run(&Command::Spend(request));
        assert_eq!(refused(outcome), [Code::BroughtNonce], "{wrong}");
    }
    for nonce in 0..3 {
        let request = evm_request(&world, &format!("k{nonce}"), &bytes(nonce));
        let order = order(world.run(&Command::Spend(request)));
        assert_eq!(order.transaction().bytes(), bytes(nonce));
        let spend = world.spends().pop().expect("charged").clone();
        assert_eq!(spend.nonce, Some(nonce));
        assert_eq!(
            spend.effects.last().map(Effect::amount),
            Some(units(FEE)),
            "the fee is the wallet's"
        );
        // The nonce is used up.
        let late = evm_request(&world, "late", &bytes(nonce));
        let outcome = world.run(&Command::Spend(late));
        assert_eq!(refused(outcome), [Code::BroughtNonce]);
    }
    // What the gateway builds takes the next one.
    world.pass(Millis::from_secs(1));
    order(world.bearer_pay("built", 50_000));
    assert_eq!(world.spends().pop().expect("charged").nonce, Some(3));
}

/// Numbers in the refusal are the ones to build it anew with.
#[test]
fn the_refusal_names_the_next_nonce() {
    let world = World::new();
    let bytes = evm_unsigned(31_337, 7, 50_000, evm_recipient(RECIPIENT));
    let request = evm_request(&world, "a", &bytes);
    let context = crate::core::command::Context {
        clocks: world.clocks,
        steady: world.clocks.wall,
        entropy: [1; 32],
    };
    let mut state = world.state;
    let (_, outcome) = crate::core::step(&mut state, &Command::Spend(request), &context);
    let denial = outcome.map(drop).expect_err("another nonce");
    let [broken] = denial.violations() else {
        panic!("{denial:?}")
    };
    assert_eq!(broken.code, Code::BroughtNonce);
    assert_eq!(
        (broken.observed, broken.allowed),
        (Some(units(7)), Some(units(0)))
    );
}
