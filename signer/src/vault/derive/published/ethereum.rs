//! Transactions that hardware wallets sign, by their published fields: with the same phrase, path and fields, the
//! signature here is theirs, whatever the decoder says of them; and what it says stands in a table, by name.

use std::collections::BTreeMap;

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::caip::ChainId;
use waiaas_shared::transaction::{
    Known, Signature, SigningPayload, assemble, decode, signing_payload,
};

use super::*;

/// What the decoder says of transactions of type 2. Gas of 20 units pays for nothing, and is refused.
const FEE_MARKET: [(&str, &str); 8] = [
    ("Base", "evm_gas_limit"),
    ("Ledger Live legacy path", "evm_gas_limit"),
    ("data_1", "evm_unknown_method"),
    ("data_2_bigdata", "evm_unknown_method"),
    ("erc20", "evm_gas_limit"),
    ("large_chainid", "evm_gas_limit"),
    ("long_fees", "evm_gas_limit"),
    ("nodata", "evm_gas_limit"),
];

/// What it says of all transactions from before there were types.
const LEGACY: &str = "evm_legacy";

/// The files of those, with how many there are.
const LEGACY_FILES: [(&str, usize); 3] = [
    ("trezor-ethereum/sign_tx.json", 27),
    ("trezor-ethereum/sign_tx_eip155.json", 11),
    ("trezor-ethereum/sign_tx_erc20.json", 19),
];

/// A string of RLP.
pub(super) fn string(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [byte] if *byte < 0x80 => vec![*byte],
        _ => [prefix(0x80, bytes.len()), bytes.to_vec()].concat(),
    }
}

fn prefix(base: u8, length: usize) -> Vec<u8> {
    if length < 56 {
        return vec![base + u8::try_from(length).unwrap()];
    }
    let digits = trimmed(&length.to_be_bytes());
    [
        vec![base + 55 + u8::try_from(digits.len()).unwrap()],
        digits,
    ]
    .concat()
}

pub(super) fn list(fields: &[Vec<u8>]) -> Vec<u8> {
    let payload = fields.concat();
    [prefix(0xc0, payload.len()), payload].concat()
}

fn trimmed(bytes: &[u8]) -> Vec<u8> {
    let significant = bytes.iter().copied().skip_while(|byte| *byte == 0);
    significant.collect()
}

/// A number, as the files write them: `0x`-text, or JSON's own.
pub(super) fn number(value: &Value) -> Vec<u8> {
    let number = match value.as_u64() {
        Some(number) => u128::from(number),
        None => u128::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap(),
    };
    string(&trimmed(&number.to_be_bytes()))
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap_or_default();
    hex::decode(digits.trim_start_matches("0x")).unwrap()
}

/// What is hashed and signed: type 2 with an empty access list, or nine fields by EIP-155.
fn unsigned(fields: &Value) -> Vec<u8> {
    let of = |name: &str| number(&fields[name]);
    let (to, data) = (bytes(&fields["to_address"]), bytes(&fields["data"]));
    let (to, data) = (string(&to), string(&data));
    let empty = string(&[]);
    if !fields["max_gas_fee"].is_null() {
        let (chain, nonce, gas) = (of("chain_id"), of("nonce"), of("gas_limit"));
        let (tip, fee, value) = (of("max_priority_fee"), of("max_gas_fee"), of("value"));
        let fields = [chain, nonce, tip, fee, gas, to, value, data, list(&[])];
        return [vec![2], list(&fields)].concat();
    }
    let price = of("gas_price");
    let mut all = Vec::new();
    // Wanchain's own kind of transaction stands in front.
    if let Some(kind) = fields["tx_type"].as_u64() {
        all.push(string(&trimmed(&kind.to_be_bytes())));
    }
    all.extend([of("nonce"), price, of("gas_limit"), to, of("value"), data]);
    all.extend([of("chain_id"), empty.clone(), empty]);
    list(&all)
}

/// Signs a published transaction as they do; what the decoder says of it.
fn signed_alike(file: &Value, test: &Value) -> &'static str {
    let arena = arena();
    let (name, fields) = (text(test, "name"), &test["parameters"]);
    let seed = seed_of(file, &arena);
    let key = key_at(Curve::Secp256k1, &seed, text(fields, "path"), &arena);
    let key = Secp256k1Key::from_scalar(&key, &arena).unwrap();
    let bytes = unsigned(fields);
    let digest = *alloy_primitives::keccak256(&bytes);
    let ours = key.sign_unverified(&digest).unwrap();
    let result = &test["result"];
    assert_eq!(hex::encode(ours.r), text(result, "sig_r"), "{name}");
    assert_eq!(hex::encode(ours.s), text(result, "sig_s"), "{name}");
    // Of either form: 0 or 1, or the same counted from a chain's own number.
    // One of them is beyond 64 bits, and JSON's reader rounds it.
    if let Some(parity) = result["sig_v"].as_u64() {
        let odd = u64::from(!fields["max_gas_fee"].is_null());
        assert_eq!(ours.y_parity, parity % 2 == odd, "{name}");
    }

    let chain = ChainId::Evm(fields["chain_id"].as_u64().unwrap());
    let account = key.public_key().account();
    match decode(chain, account, &bytes, Known::NOTHING) {
        Err(error) => error.code(),
        Ok(decoded) => {
            assert_eq!(
                signing_payload(&decoded),
                SigningPayload::Secp256k1Prehash(digest)
            );
            let signature = Signature::Secp256k1 {
                r_and_s: [ours.r, ours.s].concat().try_into().unwrap(),
                y_is_odd: ours.y_parity,
            };
            assemble(&decoded, &signature).unwrap();
            "accepted"
        }
    }
}

#[test]
fn fee_market_transactions_are_signed_as_hardware_wallets_do() {
    let Some(file) = published("trezor-ethereum/sign_tx_eip1559.json") else {
        return;
    };
    let tests = file["tests"].as_array().unwrap();
    let found: BTreeMap<&str, &str> = tests
        .iter()
        .map(|test| (text(test, "name"), signed_alike(&file, test)))
        .collect();
    assert_eq!(found, FEE_MARKET.into());
    assert_eq!(tests.len(), FEE_MARKET.len());
}

#[test]
fn legacy_transactions_are_signed_as_hardware_wallets_do() {
    for (name, count) in LEGACY_FILES {
        let Some(file) = published(name) else {
            return;
        };
        let tests = file["tests"].as_array().unwrap();
        for test in tests {
            assert_eq!(signed_alike(&file, test), LEGACY, "{}", text(test, "name"));
        }
        assert_eq!(tests.len(), count, "{name}");
    }
}

/// A transaction that would hand the account to other code is not read, whoever asks.
#[test]
fn published_set_code_transactions_are_refused() {
    let Some(file) = published("trezor-ethereum/sign_tx_eip7702_mainnet.json") else {
        return;
    };
    let tests = file["tests"].as_array().unwrap();
    for test in tests {
        let signed = bytes(&test["result"]["tx_bytes_hex"]);
        let chain = ChainId::Evm(test["parameters"]["chain_id"].as_u64().unwrap());
        let wallet = Account::Evm(EvmAddress::from_bytes([7; 20]));
        let said = decode(chain, wallet, &signed, Known::NOTHING);
        assert_eq!(said.map_err(|error| error.code()), Err("evm_set_code"));
    }
    assert_eq!(tests.len(), 2);
}
