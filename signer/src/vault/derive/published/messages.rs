//! Messages and authorizations that hardware wallets sign. The signature over the same digest is theirs; what hands
//! an account over to other code (EIP-7702) is no transaction here, theirs or refused by them alike.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::caip::ChainId;
use waiaas_shared::transaction::{Known, decode};

use super::ethereum::{list, number, string};
use super::*;

/// The signature over these bytes' Keccak-256 by the key at the path, as r, s and v.
fn signed(file: &Value, path: &str, bytes: &[u8]) -> String {
    let arena = arena();
    let seed = seed_of(file, &arena);
    let key = key_at(Curve::Secp256k1, &seed, path, &arena);
    let key = Secp256k1Key::from_scalar(&key, &arena).unwrap();
    let digest = *alloy_primitives::keccak256(bytes);
    let ours = key.sign_unverified(&digest).unwrap();
    let v = 27 + u8::from(ours.y_parity);
    hex::encode([&ours.r[..], &ours.s, &[v]].concat())
}

fn plain(digits: &str) -> &str {
    digits.strip_prefix("0x").unwrap_or(digits)
}

#[test]
fn personal_messages_are_signed_as_hardware_wallets_do() {
    let Some(file) = published("trezor-ethereum/signmessage.json") else {
        return;
    };
    let tests = file["tests"].as_array().unwrap();
    for test in tests {
        let message = text(&test["parameters"], "msg");
        let bytes = format!("\x19Ethereum Signed Message:\n{}{message}", message.len());
        let ours = signed(&file, text(&test["parameters"], "path"), bytes.as_bytes());
        assert_eq!(ours, text(&test["result"], "sig"), "{message}");
    }
    assert_eq!(tests.len(), 9);
}

#[test]
fn typed_data_is_signed_as_hardware_wallets_do() {
    let Some(file) = published("trezor-ethereum/sign_typed_data.json") else {
        return;
    };
    let tests = file["tests"].as_array().unwrap();
    for test in tests {
        let given = &test["parameters"];
        let hash = |name: &str| {
            let digits = given[name].as_str().unwrap_or_default();
            hex::decode(plain(digits)).unwrap()
        };
        // Whoever signs a domain alone signs nothing behind it.
        let domain = hash("domain_separator_hash");
        let bytes = [&[0x19, 0x01][..], &domain, &hash("message_hash")].concat();
        let ours = signed(&file, text(given, "path"), &bytes);
        let theirs = plain(text(&test["result"], "sig"));
        assert_eq!(ours, theirs, "{}", test["name"]);
    }
    assert_eq!(tests.len(), 10);
}

/// `0x05`, then chain, code and nonce: what is signed to hand an account over.
#[test]
fn published_authorizations_of_other_code_are_refused() {
    let mut refused = 0;
    for name in ["sign_auth_eip7702", "sign_auth_eip7702_errors"] {
        let Some(file) = published(&format!("trezor-ethereum/{name}.json")) else {
            return;
        };
        for test in file["tests"].as_array().unwrap() {
            let given = &test["parameters"];
            let delegate = hex::decode(plain(text(given, "delegate"))).unwrap();
            let chain = number(&given["chain_id"]);
            let fields = [chain, string(&delegate), number(&given["tuple_nonce"])];
            let bytes = [&[5][..], &list(&fields)].concat();
            if let Some(r) = test["result"]["sig_r"].as_str() {
                // These are the bytes that they sign.
                let ours = signed(&file, text(given, "path"), &bytes);
                assert!(ours.starts_with(r), "{}", test["name"]);
            }
            for chain in [1, given["chain_id"].as_u64().unwrap_or(1)] {
                let wallet = Account::Evm(EvmAddress::from_bytes([7; 20]));
                let said = decode(ChainId::Evm(chain), wallet, &bytes, Known::NOTHING);
                assert_eq!(said.map_err(|error| error.code()), Err("evm_unknown_type"));
            }
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused}");
}
