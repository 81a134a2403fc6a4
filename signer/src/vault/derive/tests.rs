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

/// The flaws of the same file, as far as anything here could take them. Nodes are neither read nor written as
/// extended keys (`xprv`, `xpub`) and paths are not read as text, so of those only the private key that is none can
/// be tried.
#[test]
fn published_bip32_flaws_are_refused() {
    let arena = arena();
    let vectors: serde_json::Value = serde_json::from_str(BIP32).unwrap();
    let invalid = vectors["invalid"].as_object().unwrap();
    let counts: Vec<_> = invalid
        .iter()
        .map(|(kind, cases)| (kind.as_str(), cases.as_array().unwrap().len()))
        .collect();
    assert_eq!(
        counts,
        [
            ("derive", 4),
            ("deriveHardened", 4),
            ("derivePath", 7),
            ("fromBase58", 13),
            ("fromSeed", 2)
        ]
    );
    // Seeds too short and too long, on both curves.
    for case in invalid["fromSeed"].as_array().unwrap() {
        let seed = locked(&arena, &bytes(&case["seed"]));
        for family in [Family::Solana, Family::Evm] {
            let derived = derive_key(&seed, KeyPath { family, index: 0 }, &arena);
            assert!(matches!(derived, Err(DerivationError::Seed)), "{case}");
        }
    }
    // Indexes: one that a path can hold is refused, the others are no value of its type.
    let seed = locked(&arena, &[5; 64]);
    let mut refused = 0;
    let indexes = ["deriveHardened", "derive"].map(|kind| invalid[kind].as_array().unwrap());
    for case in indexes.into_iter().flatten() {
        let index = case["index"].as_u64().map(u32::try_from);
        let Some(Ok(index)) = index else {
            assert!(index.is_none() || case["index"].as_u64() > Some(u32::MAX.into()));
            continue;
        };
        for family in [Family::Solana, Family::Evm] {
            let derived = derive_key(&seed, KeyPath { family, index }, &arena);
            assert!(matches!(derived, Err(DerivationError::Index)), "{case}");
            refused += 1;
        }
    }
    assert_eq!(refused, 2);
    // A private key of 33 bytes, of which the first is not zero, is a number beyond the group's.
    let cases = invalid["fromBase58"].as_array().unwrap().iter();
    let mut no_keys = 0;
    for case in cases.filter(|case| case["exception"] == "Invalid private key") {
        let decoded = base58(case["string"].as_str().unwrap());
        // Version, depth, parent and index; chain code; the key; a checksum.
        let key = &decoded[45..78];
        assert_ne!(key.first(), Some(&0), "{case}");
        assert!(!is_scalar(key), "{case}");
        assert_eq!(compressed_point(key), None);
        no_keys += 1;
    }
    assert_eq!(no_keys, 1);
}

/// The bytes of a text in base58, with its checksum.
fn base58(text: &str) -> Vec<u8> {
    const DIGITS: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes: Vec<u8> = Vec::new();
    for digit in text.chars() {
        let mut carry = DIGITS.find(digit).unwrap();
        for byte in bytes.iter_mut().rev() {
            carry += 58 * usize::from(*byte);
            *byte = u8::try_from(carry & 0xff).unwrap();
            carry >>= 8;
        }
        if carry > 0 {
            bytes.insert(0, u8::try_from(carry).unwrap());
        }
    }
    bytes
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
