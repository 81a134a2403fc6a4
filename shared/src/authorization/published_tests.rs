//! All 130 structures that ethers.js publishes with their digests, and those that hardware wallets sign, hashed with
//! the functions that hash an authorization. What reads their types stands here and nowhere else: the product knows one type and reads none.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::evm::typed_data::{Word, address, bytes, hash_struct, number, signed_bytes};
use crate::evm::{keccak256, recover};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/vectors/ethers/typed-data.json.gz"
);

type Fields = Vec<(String, String)>;
type Types = BTreeMap<String, Fields>;

fn published() -> Vec<Value> {
    let output = Command::new("gzip")
        .args(["--decompress", "--stdout", FILE])
        .stdin(Stdio::null())
        .output()
        .expect("gzip is a part of every Debian");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn types(value: &Value) -> Types {
    let all = value.as_object().unwrap().iter();
    all.map(|(name, fields)| {
        let fields = fields.as_array().unwrap().iter();
        let fields = fields.map(|field| {
            (
                text(&field["name"]).to_owned(),
                text(&field["type"]).to_owned(),
            )
        });
        (name.clone(), fields.collect())
    })
    .collect()
}

/// `encodeType`: the structure, then all that it refers to, by name.
fn type_text(name: &str, types: &Types) -> String {
    fn reach(name: &str, types: &Types, found: &mut BTreeSet<String>) {
        for (_, kind) in types.get(name).into_iter().flatten() {
            let inner = kind.split('[').next().unwrap();
            if types.contains_key(inner) && found.insert(inner.to_owned()) {
                reach(inner, types, found);
            }
        }
    }
    let mut referred = BTreeSet::new();
    reach(name, types, &mut referred);
    referred.remove(name);
    let one = |name: &str| {
        let fields = types[name].iter();
        let fields: Vec<String> = fields
            .map(|(field, kind)| format!("{kind} {field}"))
            .collect();
        format!("{name}({})", fields.join(","))
    };
    let others = referred.iter().map(|name| one(name));
    std::iter::once(one(name)).chain(others).collect()
}

/// A whole number of up to 256 bits, two's complement if it is below zero.
fn integer(value: &Value) -> Word {
    let decimal = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (digits, negative) = match decimal.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (decimal.as_str(), false),
    };
    let mut word = [0; 32];
    let (radix, digits) = match digits.strip_prefix("0x") {
        Some(digits) => (16, digits),
        None => (10, digits),
    };
    for digit in digits.chars() {
        let mut carry = digit.to_digit(radix).unwrap();
        for byte in word.iter_mut().rev() {
            carry += u32::from(*byte) * radix;
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
    }
    if negative {
        let mut carry = true;
        for byte in word.iter_mut().rev() {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (sum, over);
        }
    }
    word
}

fn raw(value: &Value) -> Vec<u8> {
    hex::decode(text(value).strip_prefix("0x").unwrap()).unwrap()
}

fn field(kind: &str, value: &Value, types: &Types) -> Word {
    if let Some((inner, _)) = kind.rsplit_once('[') {
        let elements = value.as_array().unwrap().iter();
        let words: Vec<u8> = elements
            .flat_map(|element| field(inner, element, types))
            .collect();
        return keccak256(&words);
    }
    if types.contains_key(kind) {
        return structure(kind, value, types);
    }
    match kind {
        "string" => bytes(text(value).as_bytes()),
        "bytes" => bytes(&raw(value)),
        "bool" => number(value.as_bool().unwrap().into()),
        "address" => {
            let parsed = raw(value).try_into().unwrap();
            address(crate::address::EvmAddress::from_bytes(parsed))
        }
        _ if kind.starts_with("bytes") => {
            let mut word = [0; 32];
            let raw = raw(value);
            word[..raw.len()].copy_from_slice(&raw);
            word
        }
        _ => integer(value),
    }
}

fn structure(name: &str, value: &Value, types: &Types) -> Word {
    let fields = types[name].iter();
    let words: Vec<Word> = fields
        .map(|(name, kind)| field(kind, &value[name], types))
        .collect();
    hash_struct(&type_text(name, types), &words)
}

/// The domain's type is what fields it has, in the standard's order.
fn domain(value: &Value) -> Word {
    let all = [
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
        ("salt", "bytes32"),
    ];
    let present = all.into_iter().filter(|(name, _)| !value[*name].is_null());
    let fields = present.map(|(name, kind)| (name.to_owned(), kind.to_owned()));
    let types = Types::from([("EIP712Domain".to_owned(), fields.collect())]);
    structure("EIP712Domain", value, &types)
}

#[test]
fn every_published_structure_has_its_digest() {
    let published = published();
    assert_eq!(published.len(), 130);
    for case in published {
        let types = types(&case["types"]);
        let structure = structure(text(&case["primaryType"]), &case["data"], &types);
        let digest = keccak256(&signed_bytes(domain(&case["domain"]), structure));
        assert_eq!(
            format!("0x{}", hex::encode(digest)),
            text(&case["digest"]),
            "{}",
            case["name"]
        );
    }
}

/// Signatures of hardware wallets: both hashes are theirs, and so the signer is. One of theirs hashes lists as
/// nobody does since version 4, and is another hash here.
#[test]
fn hardware_wallets_sign_the_same_digests() {
    let Some(file) = crate::published::published("trezor-ethereum/sign_typed_data.json") else {
        return;
    };
    let (mut alike, mut older) = (0, 0);
    for case in file["tests"].as_array().unwrap() {
        let (name, given) = (&case["name"], &case["parameters"]);
        let data = &given["data"];
        let types = types(&data["types"]);
        let hash = |name: &str| given[name].as_str().map(|_| word(&given[name]));
        let domain = structure("EIP712Domain", &data["domain"], &types);
        assert_eq!(Some(domain), hash("domain_separator_hash"), "{name}");
        let primary = text(&data["primaryType"]);
        // Whoever signs a domain alone signs nothing behind it.
        let structure =
            (primary != "EIP712Domain").then(|| structure(primary, &data["message"], &types));
        if given["metamask_v4_compat"] == false {
            assert_ne!(structure, hash("message_hash"), "{name}");
            older += 1;
            continue;
        }
        assert_eq!(structure, hash("message_hash"), "{name}");
        let payload = match structure {
            Some(structure) => signed_bytes(domain, structure),
            None => [&[0x19, 0x01][..], &domain].concat(),
        };
        let signature = raw(&case["result"]["sig"]);
        let (r_and_s, v) = signature.split_first_chunk::<64>().unwrap();
        let signer = recover(&keccak256(&payload), r_and_s, v == [28]).unwrap();
        assert_eq!(
            signer.to_string(),
            text(&case["result"]["address"]),
            "{name}"
        );
        alike += 1;
    }
    assert_eq!((alike, older), (9, 1));
}

fn word(value: &Value) -> Word {
    raw(value).try_into().unwrap()
}
