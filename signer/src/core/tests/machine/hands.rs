//! The keys of this test's owners and agents: real ones, made once.

use std::sync::OnceLock;

use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::keys::{AgentKey, OwnerKey};
use waiaas_shared::session::Credential;
use waiaas_shared::statement::verify::{Envelope, payload};

use crate::model::people::owner_public;

/// So many owners' keys there are; the last one is nobody's.
pub(super) const KEYS: usize = 8;
pub(super) const STRANGER: usize = KEYS - 1;

pub(super) struct Hand {
    pub(super) key: SigningKey,
    pub(super) public: OwnerKey,
}

fn hands() -> &'static [Hand] {
    static HANDS: OnceLock<Vec<Hand>> = OnceLock::new();
    HANDS.get_or_init(|| {
        let seeds = 0..u8::try_from(KEYS).expect("few");
        let keys = seeds.map(|seed| SigningKey::from_bytes(&[150 + seed; 32]));
        let hand = |key: SigningKey| Hand {
            public: owner_public(&key),
            key,
        };
        keys.map(hand).collect()
    })
}

pub(super) fn hand(place: usize) -> &'static Hand {
    &hands()[place % KEYS]
}

/// Which of them a public key is.
pub(super) fn place(key: &OwnerKey) -> usize {
    let found = hands().iter().position(|hand| hand.public == *key);
    found.expect("one of the test's keys")
}

/// The hand's signature over a statement's text.
pub(super) fn sign(hand: &Hand, text: &str) -> Vec<u8> {
    let bytes = payload(text, Envelope::Ed25519Plain, &hand.public).expect("a statement");
    hand.key.sign(&bytes).to_bytes().to_vec()
}

/// One of two agents.
pub(super) fn agent(place: usize) -> &'static SigningKey {
    static AGENTS: OnceLock<[SigningKey; 2]> = OnceLock::new();
    let agents = AGENTS.get_or_init(|| [200, 201].map(|seed| SigningKey::from_bytes(&[seed; 32])));
    &agents[place % 2]
}

pub(super) fn bound_to(place: usize) -> Credential {
    Credential::AgentKey(AgentKey::from_bytes(
        agent(place).verifying_key().to_bytes(),
    ))
}
