//! Accounts of hardware wallets: with the same phrase and path, key, chain code and address here are theirs.

use super::*;

fn tests(file: &Value) -> &Vec<Value> {
    file["tests"].as_array().unwrap()
}

#[test]
fn ethereum_addresses_are_those_of_hardware_wallets() {
    let Some(file) = published("trezor-ethereum/getaddress.json") else {
        return;
    };
    let arena = arena();
    let seed = seed_of(&file, &arena);
    for test in tests(&file) {
        let path = text(&test["parameters"], "path");
        let key = key_at(Curve::Secp256k1, &seed, path, &arena);
        let key = Secp256k1Key::from_scalar(&key, &arena).unwrap();
        let address = text(&test["result"], "address");
        assert_eq!(key.public_key().account().to_string(), address, "{path}");
    }
    assert_eq!(tests(&file).len(), 6);
}

#[test]
fn ethereum_public_keys_are_those_of_hardware_wallets() {
    let Some(file) = published("trezor-ethereum/getpublickey.json") else {
        return;
    };
    let arena = arena();
    let seed = seed_of(&file, &arena);
    for test in tests(&file) {
        let (path, result) = (text(&test["parameters"], "path"), &test["result"]);
        let node = walk(Curve::Secp256k1, &seed, &steps(path), &arena).unwrap();
        let chain_code = node.expose(|node| hex::encode(chain_code_of(node)));
        assert_eq!(chain_code, text(result, "chain_code"), "{path}");
        let key = key_at(Curve::Secp256k1, &seed, path, &arena);
        let point = key.expose(|key| hex::encode(compressed_point(key).unwrap()));
        assert_eq!(point, text(result, "public_key"), "{path}");
    }
    assert_eq!(tests(&file).len(), 4);
}

#[test]
fn solana_accounts_are_those_of_hardware_wallets() {
    let mut checked = 0;
    for (name, field) in [
        ("get_address", "expected_address"),
        ("get_public_key", "expected_public_key"),
    ] {
        let Some(file) = published(&format!("trezor-solana/{name}.json")) else {
            return;
        };
        let arena = arena();
        let seed = seed_of(&file, &arena);
        for test in tests(&file) {
            let path = text(&test["parameters"], "path");
            let key = key_at(Curve::Ed25519, &seed, path, &arena);
            let key = Ed25519Key::from_seed(&key, &arena).unwrap().public_key();
            let said = text(&test["result"], field);
            assert!(
                said == key.to_string() || said == hex::encode(key.as_bytes()),
                "{path}"
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 6);
}
