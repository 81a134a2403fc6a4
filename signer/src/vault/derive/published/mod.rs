//! Published vectors against this derivation and these signatures: SLIP-10 here; of hardware wallets, accounts in
//! `accounts`, transactions in `ethereum` and `solana`, messages in `messages`. Their licences (CC-BY-SA, LGPL) do not
//! allow a copy in this project, so they are read from the folder that `WAIAAS_VECTORS` names, or from
//! `shared/vectors` beside the checkout. Where there is none, each test says so on standard error and runs the
//! project's own vectors of the same kind alone.

mod accounts;
mod ethereum;
#[path = "../../../../../shared/src/published.rs"]
mod files;
mod messages;
mod solana;

use serde_json::Value;

use self::files::published;

use super::super::sign::{Ed25519Key, Secp256k1Key};
use super::super::testing::{arena, locked};
use super::*;

/// Made by docs/vectors/slip10/reference.py, which gives the published nodes as well.
const OWN: &str = include_str!("../../../../../docs/vectors/slip10/nodes.json");

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field}: {value}"))
}

/// `m/44'/501'` as numbers.
fn steps(path: &str) -> Vec<u32> {
    let steps = path.split('/').skip(1);
    steps
        .map(|step| match step.strip_suffix('\'') {
            Some(index) => index.parse::<u32>().unwrap() | HARDENED,
            None => step.parse().unwrap(),
        })
        .collect()
}

/// The BIP-39 seed of a vector file's own phrase, of whatever length.
fn seed_of(file: &Value, arena: &SecretArena) -> LockedBytes {
    let setup = &file["setup"];
    let salt = format!("mnemonic{}", text(setup, "passphrase"));
    let mut seed = [0; 64];
    let words = text(setup, "mnemonic");
    pbkdf2::pbkdf2_hmac::<Sha512>(words.as_bytes(), salt.as_bytes(), 2048, &mut seed);
    locked(arena, &seed)
}

fn key_at(curve: Curve, seed: &LockedBytes, path: &str, arena: &SecretArena) -> LockedBytes {
    derive(curve, seed, &steps(path), arena).unwrap()
}

fn assert_node(curve: Curve, seed: &str, expected: &Value, arena: &SecretArena) {
    let path = text(expected, "path");
    let seed = locked(arena, &hex::decode(seed).unwrap());
    let node = walk(curve, &seed, &steps(path), arena).unwrap();
    node.expose(|node| {
        assert_eq!(
            hex::encode(key_of(node)),
            text(expected, "private"),
            "{path}"
        );
        assert_eq!(
            hex::encode(chain_code_of(node)),
            text(expected, "chain code"),
            "{path}"
        );
    });
    // Where a file has it: the point, or Ed25519's own key behind a zero.
    if let Some(public) = expected["public"].as_str() {
        let key = derive(curve, &seed, &steps(path), arena).unwrap();
        let ours = match curve {
            Curve::Ed25519 => {
                let key = Ed25519Key::from_seed(&key, arena).unwrap();
                format!("00{}", hex::encode(key.public_key().as_bytes()))
            }
            Curve::Secp256k1 => key.expose(|key| hex::encode(compressed_point(key).unwrap())),
        };
        assert_eq!(ours, public, "{path}");
    }
}

#[test]
fn own_slip10_nodes() {
    let arena = arena();
    let nodes: Value = serde_json::from_str(OWN).unwrap();
    let nodes = nodes.as_array().unwrap();
    for node in nodes {
        assert_node(Curve::Ed25519, text(node, "seed"), node, &arena);
    }
    assert_eq!(nodes.len(), 36);
}

#[test]
fn published_slip10_nodes() {
    let Some(file) = published("slip10/slip-0010.json") else {
        return;
    };
    let arena = arena();
    let (mut nodes, mut others) = (0, 0);
    for vector in file.as_array().unwrap() {
        let chains = vector["chains"].as_array().unwrap();
        let curve = match text(vector, "title").rsplit(' ').next() {
            Some("ed25519") => Curve::Ed25519,
            Some("secp256k1") => Curve::Secp256k1,
            // NIST P-256 and Curve25519: no chain here has keys of theirs.
            _ => {
                others += chains.len();
                continue;
            }
        };
        for node in chains {
            assert_node(curve, text(vector, "seed"), node, &arena);
            nodes += 1;
        }
    }
    assert_eq!((nodes, others), (24, 24));
}
