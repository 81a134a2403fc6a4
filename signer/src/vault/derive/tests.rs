//! Published BIP-32 vectors, and the wallets that solders and eth-account derive.

use super::super::testing::{arena, locked};
use super::*;

const BIP32: &str = include_str!("../../../../docs/vectors/bip32/index.json");

fn bytes(value: &serde_json::Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn step(text: &str) -> u32 {
    match text.strip_suffix('\'') {
        Some(index) => index.parse::<u32>().unwrap() | HARDENED,
        None => text.parse().unwrap(),
    }
}

fn assert_node(node: &LockedBytes, expected: &serde_json::Value) {
    node.expose(|node| {
        assert_eq!(key_of(node), bytes(&expected["privKey"]));
        assert_eq!(chain_code_of(node), bytes(&expected["chainCode"]));
        let point = compressed_point(key_of(node)).unwrap();
        assert_eq!(point.to_vec(), bytes(&expected["pubKey"]));
    });
}

#[test]
fn published_bip32_vectors() {
    let arena = arena();
    let vectors: serde_json::Value = serde_json::from_str(BIP32).unwrap();
    let mut nodes = 0;
    for vector in vectors["valid"].as_array().unwrap() {
        let master = &vector["master"];
        let root = [bytes(&master["privKey"]), bytes(&master["chainCode"])].concat();
        let root = locked(&arena, &root);
        if master["seed"].is_string() {
            let seed = locked(&arena, &bytes(&master["seed"]));
            assert_node(&walk(Curve::Secp256k1, &seed, &[], &arena).unwrap(), master);
            for expected in vector["children"].as_array().unwrap() {
                let path = expected["path"].as_str().unwrap();
                let steps: Vec<u32> = path.split('/').skip(1).map(step).collect();
                let node = walk(Curve::Secp256k1, &seed, &steps, &arena).unwrap();
                assert_node(&node, expected);
                nodes += 1;
            }
            continue;
        }
        for expected in vector["children"].as_array().unwrap() {
            let path = expected["path"].as_str().unwrap();
            let node =
                path.split('/')
                    .skip(1)
                    .map(step)
                    .fold(None, |node: Option<LockedBytes>, step| {
                        let parent = node.as_ref().unwrap_or(&root);
                        Some(child(Curve::Secp256k1, parent, step, &arena).unwrap())
                    });
            assert_node(&node.unwrap(), expected);
            nodes += 1;
        }
    }
    assert_eq!(nodes, 13);
}

#[test]
fn an_index_is_never_hardened_twice() {
    let arena = arena();
    let seed = locked(&arena, &[5; 64]);
    for family in [Family::Solana, Family::Evm] {
        let derived = |index| derive_key(&seed, KeyPath { family, index }, &arena);
        assert!(derived(HARDENED - 1).is_ok());
        for index in [HARDENED, HARDENED + 1, u32::MAX] {
            assert!(matches!(derived(index), Err(DerivationError::Index)));
        }
    }
}

#[test]
fn scalars_outside_of_the_group_are_no_keys() {
    let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    let mut order = order.unwrap();
    assert!(!is_scalar(&order));
    assert!(!is_scalar(&[0; 32]));
    assert!(!is_scalar(&[0xff; 32]));
    assert!(!is_scalar(&[1; 31]));
    order[31] -= 1;
    assert!(is_scalar(&order));
    // The sum of a key and its negative is zero.
    let mut left = <[u8; 32]>::try_from(order.as_slice()).unwrap();
    let mut one = [0; 32];
    one[31] = 1;
    assert_eq!(add_parent(&one, &mut left), None);
}

#[test]
fn a_full_arena_is_an_error() {
    let small = SecretArena::new(64).unwrap();
    let seed = locked(&small, &[1; 64]);
    let path = KeyPath {
        family: Family::Solana,
        index: 0,
    };
    let mut taken = Vec::new();
    while let Ok(slot) = small.take(64) {
        taken.push(slot);
    }
    assert!(matches!(
        derive_key(&seed, path, &small),
        Err(DerivationError::Memory(MemoryError::Full { .. }))
    ));
}
