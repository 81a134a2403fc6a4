//! Legacy transactions with a chain id: every change of a byte is refused or is another transaction that a
//! second reader reads alike, and nothing of another form is read as one.

use proptest::prelude::*;
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::build::{Message, Terms, transaction_as};
use waiaas_shared::evm::{EvmError, Form, NetworkTerms};
use waiaas_shared::transaction::{
    DecodeError, DecodedTransaction, Known, Signature, SigningPayload, assemble, decode,
    signing_payload,
};

use crate::{evm_bytes, evm_key, evm_wallet, read_evm};

const CHAIN: ChainId = ChainId::Evm(31_337);

fn registered() -> NetworkTerms {
    NetworkTerms {
        legacy: true,
        data_fee: None,
    }
}

fn built(price: u128, value: u128) -> Vec<u8> {
    let terms = Terms {
        chain_id: 31_337,
        from: evm_wallet(),
        gas_limit: 21_000,
        max_fee_per_gas: price,
        max_priority_fee_per_gas: price,
    };
    let message = Message {
        to: EvmAddress::from_bytes([0xa1; 20]),
        value,
        data: Vec::new(),
    };
    transaction_as(Form::Legacy, &terms, message, None).unwrap()
}

fn read(bytes: &[u8]) -> Result<DecodedTransaction, DecodeError> {
    let known = Known::NOTHING.on(registered());
    decode(CHAIN, Account::Evm(evm_wallet()), bytes, known)
}

/// The items of a short RLP list, as numbers and as bytes.
fn items(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = match bytes[0] {
        short @ 0xc0..=0xf7 => &bytes[1..=usize::from(short - 0xc0)],
        _ => &bytes[2..],
    };
    let mut items = Vec::new();
    while let Some((first, behind)) = rest.split_first() {
        let length = match *first {
            small @ 0..=0x7f => {
                items.push(vec![small]);
                rest = behind;
                continue;
            }
            text => usize::from(text - 0x80),
        };
        items.push(behind[..length].to_vec());
        rest = &behind[length..];
    }
    items
}

fn number(digits: &[u8]) -> u128 {
    digits
        .iter()
        .fold(0, |sum, digit| sum * 256 + u128::from(*digit))
}

#[test]
fn single_byte_changes_of_a_legacy_transaction() {
    let original = built(30_000_000_000, 0x0102_0304_0506_0708);
    assert!(read(&original).is_ok());
    let mut accepted = 0;
    for position in 0..original.len() {
        for value in 0..=255_u8 {
            let mut changed = original.clone();
            changed[position] = value;
            let (Ok(decoded), true) = (read(&changed), changed != original) else {
                continue;
            };
            accepted += 1;
            let fields = items(&changed);
            assert_eq!(fields.len(), 9, "{position} {value}");
            let [transfer, fee] = decoded.effects() else {
                panic!("a transfer and its fee: {position} {value}")
            };
            let to = <[u8; 20]>::try_from(fields[3].as_slice()).unwrap();
            let expected = Effect::Transfer {
                asset: CHAIN.native_asset(),
                to: Account::Evm(EvmAddress::from_bytes(to)),
                amount: Amount::from_base_units(number(&fields[4])),
            };
            assert_eq!(transfer, &expected, "{position} {value}");
            assert_eq!(
                fee.amount(),
                Amount::from_base_units(number(&fields[1]) * number(&fields[2]))
            );
            assert_eq!(
                u128::from(decoded.account_nonce().unwrap()),
                number(&fields[0])
            );
            assert_eq!(number(&fields[6]), 31_337, "{position} {value}");
            assert!(fields[5].is_empty() && fields[7].is_empty() && fields[8].is_empty());
            assert_eq!(decoded.bytes(), changed);
        }
    }
    assert!(accepted > 30 * 200, "the free fields are free: {accepted}");
}

#[test]
fn every_first_byte_where_the_form_is_registered() {
    for first in 0..=255_u8 {
        let mut bytes = built(30_000_000_000, 7);
        let length = bytes[0];
        bytes[0] = first;
        assert_eq!(read(&bytes).is_ok(), first == length, "{first:#x}");
        let mut bytes = evm_bytes();
        bytes[0] = first;
        let expected = match first {
            2 => None,
            1 => Some(EvmError::TypeOne),
            3 => Some(EvmError::Blob),
            4 => Some(EvmError::SetCode),
            0xc0..=0xfe => continue,
            _ => Some(EvmError::UnknownType),
        };
        let read = read(&bytes).err();
        assert_eq!(read, expected.map(DecodeError::Evm), "{first:#x}");
    }
    // A typed transaction without its type is no legacy one: its list has other fields.
    assert!(read(&evm_bytes()[1..]).is_err());
    assert_eq!(
        read_evm(&built(1, 1)).err(),
        Some(EvmError::Legacy.into()),
        "not registered"
    );
}

/// `v` says chain and parity, and other code recovers the wallet from it.
#[test]
fn the_signature_is_bound_to_the_chain() {
    let decoded = read(&built(30_000_000_000, 7))
        .unwrap()
        .with_nonce(9)
        .unwrap();
    let SigningPayload::Secp256k1Prehash(prehash) = signing_payload(&decoded) else {
        panic!("an EVM transaction")
    };
    let (signature, recovery) = evm_key().sign_prehash_recoverable(&prehash);
    let r_and_s: [u8; 64] = signature.to_bytes().into();
    let y_is_odd = recovery.is_y_odd();
    let signed = assemble(&decoded, &Signature::Secp256k1 { r_and_s, y_is_odd }).unwrap();
    let fields = items(signed.bytes());
    assert_eq!(fields.len(), 9);
    assert_eq!(number(&fields[0]), 9);
    assert_eq!(number(&fields[6]), 35 + 2 * 31_337 + u128::from(y_is_odd));
    let other = Signature::Secp256k1 {
        r_and_s,
        y_is_odd: !y_is_odd,
    };
    assert!(assemble(&decoded, &other).is_err(), "the other parity");
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(price: u64, value: u64, nonce in 0..u64::MAX, data_fee: u64) {
        let bytes = built(price.into(), value.into());
        let network = NetworkTerms { data_fee: Some(Amount::from_base_units(data_fee.into())), ..registered() };
        let known = Known::NOTHING.on(network);
        let decoded = decode(CHAIN, Account::Evm(evm_wallet()), &bytes, known).unwrap();
        let numbered = decoded.with_nonce(nonce).unwrap();
        prop_assert_eq!(numbered.account_nonce(), Some(nonce));
        prop_assert_eq!(numbered.effects(), decoded.effects());
        prop_assert_eq!(numbered.evm_form(), Some(Form::Legacy));
        let fee = 21_000 * u128::from(price) + u128::from(data_fee);
        prop_assert_eq!(decoded.fee_max(), Amount::from_base_units(fee));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, first in 0xc0_u8..) {
        let _either = read(&bytes);
        let _either = read(&[&[first][..], &bytes].concat());
    }
}
