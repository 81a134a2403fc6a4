//! The codec and the signature against the published vectors of ethers.js. Most of those transactions
//! are beyond what this wallet signs (gas, chain), so the layers below `decode` are called directly.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    chain_id: String,
    nonce: String,
    max_priority_fee_per_gas: String,
    max_fee_per_gas: String,
    gas_limit: String,
    value: String,
    to: EvmAddress,
    private_key: String,
    unsigned: String,
    signed: String,
}

#[test]
fn published_transactions_encode_parse_and_sign_alike() {
    let file: File =
        serde_json::from_str(include_str!("../../tests/vectors/ethers-eip1559.json")).unwrap();
    assert_eq!(file.cases.len(), 24);
    for case in file.cases {
        let name = &case.name;
        let transaction = UnsignedTransaction {
            chain_id: case.chain_id.parse().unwrap(),
            nonce: case.nonce.parse().unwrap(),
            max_priority_fee_per_gas: case.max_priority_fee_per_gas.parse().unwrap(),
            max_fee_per_gas: case.max_fee_per_gas.parse().unwrap(),
            gas_limit: case.gas_limit.parse().unwrap(),
            to: case.to,
            value: case.value.parse().unwrap(),
            data: Vec::new(),
        };
        let unsigned = transaction.encode();
        assert_eq!(hex::encode(&unsigned), case.unsigned, "{name}");
        assert_eq!(
            UnsignedTransaction::parse(&unsigned, None).as_ref(),
            Ok(&transaction),
            "{name}"
        );
        let key = hex::decode(&case.private_key).unwrap();
        let key = k256::ecdsa::SigningKey::from_slice(&key).unwrap();
        let (signature, recovery) = key.sign_prehash_recoverable(&keccak256(&unsigned));
        let signed = assemble(
            address_of(key.verifying_key()),
            &Transaction::new(transaction, Form::Eip1559).unwrap(),
            &signature.to_bytes().into(),
            recovery.is_y_odd(),
        );
        assert_eq!(signed.map(hex::encode), Ok(case.signed), "{name}");
    }
}

#[derive(Deserialize)]
struct LegacyFile {
    cases: Vec<LegacyCase>,
}

#[derive(Deserialize)]
struct LegacyCase {
    name: String,
    chain_id: String,
    nonce: String,
    gas_price: String,
    gas_limit: String,
    value: String,
    to: EvmAddress,
    private_key: String,
    unsigned: String,
    signed: String,
}

#[test]
fn published_legacy_transactions_encode_parse_and_sign_alike() {
    let file: LegacyFile =
        serde_json::from_str(include_str!("../../tests/vectors/ethers-eip155.json")).unwrap();
    assert_eq!(file.cases.len(), 24);
    let registered = NetworkTerms {
        legacy: true,
        data_fee: None,
    };
    for case in file.cases {
        let name = &case.name;
        let price = case.gas_price.parse().unwrap();
        let fields = UnsignedTransaction {
            chain_id: case.chain_id.parse().unwrap(),
            nonce: case.nonce.parse().unwrap(),
            max_priority_fee_per_gas: price,
            max_fee_per_gas: price,
            gas_limit: case.gas_limit.parse().unwrap(),
            to: case.to,
            value: case.value.parse().unwrap(),
            data: Vec::new(),
        };
        let transaction = Transaction::new(fields, Form::Legacy).unwrap();
        let unsigned = transaction.encode();
        assert_eq!(hex::encode(&unsigned), case.unsigned, "{name}");
        let read = Transaction::parse(&unsigned, None, registered);
        assert_eq!(read.as_ref(), Ok(&transaction), "{name}");
        let plain = Transaction::parse(&unsigned, None, NetworkTerms::default());
        assert_eq!(plain, Err(EvmError::Legacy), "{name}");
        let key = hex::decode(&case.private_key).unwrap();
        let key = k256::ecdsa::SigningKey::from_slice(&key).unwrap();
        let (signature, recovery) = key.sign_prehash_recoverable(&keccak256(&unsigned));
        let signed = assemble(
            address_of(key.verifying_key()),
            &transaction,
            &signature.to_bytes().into(),
            recovery.is_y_odd(),
        );
        assert_eq!(signed.map(hex::encode), Ok(case.signed), "{name}");
    }
}

#[test]
fn a_legacy_transaction_has_one_price() {
    let fields = |tip| UnsignedTransaction {
        chain_id: 1,
        nonce: 0,
        max_priority_fee_per_gas: tip,
        max_fee_per_gas: 7,
        gas_limit: 21_000,
        to: EvmAddress::from_bytes([9; 20]),
        value: 1,
        data: Vec::new(),
    };
    assert!(Transaction::new(fields(7), Form::Legacy).is_ok());
    for tip in [0, 6, 8] {
        let two = Transaction::new(fields(tip), Form::Legacy);
        assert_eq!(two, Err(EvmError::GasPrice), "{tip}");
    }
    assert!(Transaction::new(fields(6), Form::Eip1559).is_ok());
}

#[test]
fn system_addresses_end_where_keys_begin() {
    let address = |number: u128| {
        let mut bytes = [0; 20];
        bytes[4..].copy_from_slice(&number.to_be_bytes());
        EvmAddress::from_bytes(bytes)
    };
    for number in [0, 1, 0xff, 0x100, 0x8001, 0xffff] {
        assert!(is_system_address(address(number)), "{number:#x}");
    }
    for number in [0x1_0000, u128::MAX] {
        assert!(!is_system_address(address(number)), "{number:#x}");
    }
    let mut high = [0; 20];
    high[0] = 1;
    assert!(!is_system_address(EvmAddress::from_bytes(high)));
}
