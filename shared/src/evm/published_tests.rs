//! All 3,200 transactions that ethers.js publishes, in all their forms: the form that is read here is written and
//! signed to the same bytes, and every other is refused for what it is. Most are beyond what this wallet signs
//! (gas, calls that nobody registered), so the layers below `decode` are called directly.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::*;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/vectors/ethers/transactions.json.gz"
);

/// The forms that are not read where nothing is registered, with the reason. Of them, EIP-155 is read where an owner
/// registered it: `legacy_transactions_are_written_and_signed_alike`.
const REFUSED: [(&str, &str, EvmError); 4] = [
    ("unsignedLegacy", "signedLegacy", EvmError::Legacy),
    ("unsignedEip155", "signedEip155", EvmError::Legacy),
    ("unsignedBerlin", "signedBerlin", EvmError::TypeOne),
    ("unsignedCancun", "signedCancun", EvmError::Blob),
];

fn published() -> Vec<Value> {
    let output = Command::new("gzip")
        .args(["--decompress", "--stdout", FILE])
        .stdin(Stdio::null())
        .output()
        .expect("gzip is a part of every Debian");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or("0x");
    hex::decode(text.strip_prefix("0x").unwrap()).unwrap()
}

/// `0x`-text, JSON's own number, or nothing for zero.
fn number(value: &Value) -> u128 {
    match value.as_str() {
        Some(text) => u128::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap(),
        None => value.as_u64().unwrap_or_default().into(),
    }
}

fn small(value: &Value) -> u64 {
    number(value).try_into().unwrap()
}

/// The fields of a transaction with a recipient and without an access list.
fn plain(transaction: &Value) -> Option<UnsignedTransaction> {
    let listed = transaction["accessList"].as_array();
    let to = transaction["to"].as_str()?;
    listed
        .is_none_or(Vec::is_empty)
        .then(|| UnsignedTransaction {
            chain_id: small(&transaction["chainId"]),
            nonce: small(&transaction["nonce"]),
            max_priority_fee_per_gas: number(&transaction["maxPriorityFeePerGas"]),
            max_fee_per_gas: number(&transaction["maxFeePerGas"]),
            gas_limit: small(&transaction["gasLimit"]),
            to: to.parse().unwrap(),
            value: number(&transaction["value"]),
            data: bytes(&transaction["data"]),
        })
}

#[test]
fn fee_market_transactions_are_written_and_signed_alike() {
    let (mut alike, mut read, mut refused) = (0, 0, 0);
    for case in published() {
        let name = case["name"].as_str().unwrap();
        let unsigned = bytes(&case["unsignedLondon"]);
        let parsed = UnsignedTransaction::parse(&unsigned, None);
        let Some(transaction) = plain(&case["transaction"]) else {
            // No recipient, or an access list.
            assert!(
                matches!(
                    parsed,
                    Err(EvmError::ContractCreation | EvmError::AccessList)
                ),
                "{name}: {parsed:?}"
            );
            refused += 1;
            continue;
        };
        assert_eq!(
            hex::encode(transaction.encode()),
            hex::encode(&unsigned),
            "{name}"
        );
        if transaction.data.is_empty() {
            assert_eq!(parsed.as_ref(), Ok(&transaction), "{name}");
            read += 1;
        } else {
            assert!(parsed.is_err(), "{name}: nobody registered what it calls");
        }
        let key = k256::ecdsa::SigningKey::from_slice(&bytes(&case["privateKey"])).unwrap();
        let (signature, recovery) = key.sign_prehash_recoverable(&keccak256(&unsigned));
        let signed = assemble(
            address_of(key.verifying_key()),
            &Transaction::new(transaction, Form::Eip1559).unwrap(),
            &signature.to_bytes().into(),
            recovery.is_y_odd(),
        );
        let theirs = bytes(&case["signedLondon"]);
        assert_eq!(signed.map(hex::encode), Ok(hex::encode(&theirs)), "{name}");
        // What is signed already is no unsigned transaction.
        assert!(UnsignedTransaction::parse(&theirs, None).is_err(), "{name}");
        alike += 1;
    }
    assert_eq!((alike, read, refused), (PLAIN, READ, 3200 - PLAIN));
}

/// Of the 3,200 with a recipient and without an access list, and of those without call data.
const PLAIN: usize = 793;
const READ: usize = 384;

#[test]
fn every_other_form_is_refused_for_what_it_is() {
    let mut refused = 0;
    for case in published() {
        let name = case["name"].as_str().unwrap();
        for (unsigned, signed, reason) in REFUSED {
            // Without a chain there is no EIP-155, without a recipient no blob: some have no such form.
            let told = |form: &&str| case[*form].as_str() != Some("");
            for form in [unsigned, signed].into_iter().filter(told) {
                let said = UnsignedTransaction::parse(&bytes(&case[form]), None);
                assert_eq!(said, Err(reason), "{name} {form}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 2 * (2 * 3200 + 2 * 1664));
}

/// EIP-155 where it is registered; what has no chain id is refused there as well.
#[test]
fn legacy_transactions_are_written_and_signed_alike() {
    let registered = NetworkTerms {
        legacy: true,
        data_fee: None,
    };
    let read_as = |form: &Value| Transaction::parse(&bytes(form), None, registered);
    let (mut alike, mut read, mut creations, mut unprotected) = (0, 0, 0, 0);
    for case in published() {
        let name = case["name"].as_str().unwrap();
        assert!(read_as(&case["signedLegacy"]).is_err(), "{name}");
        unprotected += usize::from(read_as(&case["unsignedLegacy"]) == Err(EvmError::Unprotected));
        // Some are of no chain.
        if case["unsignedEip155"].as_str() == Some("") {
            continue;
        }
        let parsed = read_as(&case["unsignedEip155"]);
        let fields = &case["transaction"];
        let Some(to) = fields["to"].as_str() else {
            assert_eq!(parsed, Err(EvmError::ContractCreation), "{name}");
            creations += 1;
            continue;
        };
        let price = number(&fields["gasPrice"]);
        let plain = UnsignedTransaction {
            chain_id: small(&fields["chainId"]),
            nonce: small(&fields["nonce"]),
            max_priority_fee_per_gas: price,
            max_fee_per_gas: price,
            gas_limit: small(&fields["gasLimit"]),
            to: to.parse().unwrap(),
            value: number(&fields["value"]),
            data: bytes(&fields["data"]),
        };
        let transaction = Transaction::new(plain, Form::Legacy).unwrap();
        let unsigned = transaction.encode();
        assert_eq!(unsigned, bytes(&case["unsignedEip155"]), "{name}");
        if transaction.fields.data.is_empty() {
            assert_eq!(parsed.as_ref(), Ok(&transaction), "{name}");
            read += 1;
        } else {
            assert!(parsed.is_err(), "{name}: nobody registered what it calls");
        }
        let key = k256::ecdsa::SigningKey::from_slice(&bytes(&case["privateKey"])).unwrap();
        let (signature, recovery) = key.sign_prehash_recoverable(&keccak256(&unsigned));
        let signed = assemble(
            address_of(key.verifying_key()),
            &transaction,
            &signature.to_bytes().into(),
            recovery.is_y_odd(),
        );
        assert_eq!(signed.as_ref(), Ok(&bytes(&case["signedEip155"])), "{name}");
        assert!(read_as(&case["signedEip155"]).is_err(), "{name}");
        alike += 1;
    }
    assert_eq!((alike, creations), (896, 768));
    assert_eq!((read, unprotected), (LEGACY_READ, UNPROTECTED));
}

/// Of those with a recipient and a chain, without call data; and of all, in the form from before EIP-155 with a
/// recipient.
const LEGACY_READ: usize = 384;
const UNPROTECTED: usize = 1664;
