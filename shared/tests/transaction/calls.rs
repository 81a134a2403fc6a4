//! Calls of registered functions: what is built is read back to the last argument, every change of a byte is
//! refused or is another call, and nothing but the registered function of the registered contract is read.

use proptest::prelude::*;
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::abi::{Function, Invocation, Word};
use waiaas_shared::evm::{self, EvmError, Registered, build};
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};

use crate::{evm_wallet, read_evm, token_bytes};

const CHAIN: ChainId = ChainId::Evm(31_337);
const VAULT: EvmAddress = EvmAddress::from_bytes([0xd4; 20]);

fn token() -> waiaas_shared::caip::AssetId {
    "eip155:31337/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        .parse()
        .unwrap()
}

/// `deposit(uint256,address)`, whose first argument is an amount of a token.
fn registered() -> Registered {
    Registered {
        contract: VAULT,
        function: "deposit(uint256,address)".parse().unwrap(),
        spends: vec![Some(token()), None],
    }
}

fn told(known: &Registered, arguments: &[&str]) -> Invocation {
    let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    Invocation {
        spends: known.spends.clone(),
        ..Invocation::read(evm_wallet(), known.function.clone(), &texts).unwrap()
    }
}

fn built(known: &Registered, value: u128, told: &Invocation) -> Vec<u8> {
    let effects = evm::call_effects(CHAIN, VAULT, Amount::from_base_units(value), told).unwrap();
    let message = build::message(evm_wallet(), &effects[0]).unwrap();
    let terms = build::Terms {
        chain_id: 31_337,
        from: evm_wallet(),
        gas_limit: 65_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
    };
    build::transaction(&terms, message, Some(known)).unwrap()
}

fn read(known: &Registered, bytes: &[u8]) -> Result<DecodedTransaction, DecodeError> {
    let known = Known::NOTHING.calling(Some(known));
    decode(CHAIN, Account::Evm(evm_wallet()), bytes, known)
}

fn sample() -> Vec<u8> {
    let known = registered();
    let own = evm_wallet().to_string();
    built(&known, 5, &told(&known, &["700", &own]))
}

#[test]
fn a_call_is_read_to_its_last_argument() {
    let known = registered();
    let own = evm_wallet().to_string();
    let told = told(&known, &["700", &own]);
    let decoded = read(&known, &sample()).unwrap();
    let target = Account::Evm(VAULT);
    let method = vec![0x6e, 0x55, 0x3f, 0x65];
    assert_eq!(
        decoded.effects(),
        [
            Effect::Call {
                target,
                method: method.clone(),
                asset: CHAIN.native_asset(),
                value: Amount::from_base_units(5),
                told: Some(Box::new(told)),
            },
            Effect::Call {
                target,
                method,
                asset: token(),
                value: Amount::from_base_units(700),
                told: None,
            },
            Effect::Fee {
                asset: CHAIN.native_asset(),
                max: Amount::from_base_units(65_000 * 30_000_000_000),
            },
        ]
    );
    // What was understood stays understood with the signer's nonce, and with other fees.
    let numbered = decoded.with_nonce(9).unwrap();
    assert_eq!(numbered.effects(), decoded.effects());
    let mut fees = numbered.evm_fees().unwrap();
    fees.max_fee_per_gas += 1;
    let dearer = numbered.with_evm_fees(fees).unwrap();
    assert_eq!(dearer.effects()[..2], decoded.effects()[..2]);
    assert_eq!(dearer.account_nonce(), Some(9));
}

#[test]
fn nothing_else_is_read_by_it() {
    let bytes = sample();
    let unknown = Err(DecodeError::Evm(EvmError::UnknownMethod));
    assert_eq!(read_evm(&bytes).map(drop), unknown, "nothing is registered");
    let elsewhere = Registered {
        contract: EvmAddress::from_bytes([0xd5; 20]),
        ..registered()
    };
    assert_eq!(read(&elsewhere, &bytes).map(drop), unknown);
    let other = Registered {
        function: "mint(uint256,address)".parse().unwrap(),
        ..registered()
    };
    assert_eq!(read(&other, &bytes).map(drop), unknown);
    // A method of tokens is read as one, whoever registered it under whatever name.
    for token in token_bytes() {
        let plain = read_evm(&token).unwrap();
        assert_eq!(
            read(&registered(), &token).unwrap().effects(),
            plain.effects()
        );
        let begins = Registered {
            contract: EvmAddress::from_bytes([0xc3; 20]),
            function: "many_msg_babbage(bytes1)".parse().unwrap(),
            spends: vec![None],
        };
        assert_eq!(read(&begins, &token).unwrap().effects(), plain.effects());
    }
    // An amount that nobody can count is refused.
    let known = registered();
    let own = evm_wallet().to_string();
    let mut beyond = told(&known, &["700", &own]);
    beyond.arguments[0] = Word::from_bytes([0xff; 32]);
    let uncounted = Registered {
        spends: vec![None, None],
        ..registered()
    };
    let plain = Invocation {
        spends: vec![None, None],
        ..beyond
    };
    let bytes = built(&uncounted, 0, &plain);
    assert!(read(&uncounted, &bytes).is_ok());
    assert_eq!(
        read(&known, &bytes).map(drop),
        Err(DecodeError::Evm(EvmError::NumberTooLarge))
    );
}

/// Each byte to each value: refused, or another call, value, or fee; never the same call from other bytes
/// of it.
#[test]
fn single_byte_changes_of_a_call() {
    let known = registered();
    let original = sample();
    let before = read(&known, &original).unwrap();
    let data = original.len() - 1 - known.function.data_length();
    let mut accepted = 0;
    for position in 0..original.len() {
        for value in 0..=255_u8 {
            let mut changed = original.clone();
            changed[position] = value;
            let (Ok(after), true) = (read(&known, &changed), changed != original) else {
                continue;
            };
            accepted += 1;
            assert_eq!(after.bytes(), changed);
            if position >= data {
                assert_ne!(after.effects(), before.effects(), "{position} {value}");
                assert_eq!(after.fee_max(), before.fee_max());
                assert!(position >= data + 4, "another selector was read");
                let padding = data + 36..data + 48;
                assert!(!padding.contains(&position), "a dirty address was read");
            }
        }
    }
    // The lower half of the amount and the address are free.
    assert!(accepted > 36 * 200, "{accepted}");
}

#[test]
fn every_other_length_is_refused() {
    let known = registered();
    let original = sample();
    for length in 0..original.len() {
        assert!(read(&known, &original[..length]).is_err(), "{length}");
    }
    for more in [1, 31, 32, 64] {
        let longer = [&original[..], &vec![0; more]].concat();
        assert!(read(&known, &longer).is_err(), "{more}");
    }
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        kinds in prop::collection::vec(prop::sample::select(vec![
            "uint8", "uint128", "uint256", "int64", "int256", "address", "bool", "bytes32",
        ]), 0..8),
        words in prop::collection::vec(any::<[u8; 32]>(), 8),
        value in 0..u128::from(u64::MAX),
    ) {
        let function: Function = format!("f({})", kinds.join(",")).parse().unwrap();
        // The nearest word of each type.
        let arguments: Vec<Word> = function
            .parameters()
            .iter()
            .zip(words)
            .map(|(kind, word)| {
                let word = Word::from_bytes(word);
                if kind.holds(&word) { word } else { Word::from_number(1) }
            })
            .collect();
        let known = Registered {
            contract: VAULT,
            spends: vec![None; arguments.len()],
            function: function.clone(),
        };
        let told = Invocation {
            from: evm_wallet(),
            function,
            spends: known.spends.clone(),
            arguments,
        };
        let bytes = built(&known, value, &told);
        let decoded = read(&known, &bytes).unwrap();
        let found = match &decoded.effects()[0] {
            Effect::Call { told: Some(found), value: carried, .. } => (found.as_ref(), *carried),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(found, (&told, Amount::from_base_units(value)));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let typed = [&[0x02][..], &bytes].concat();
        let _ = read(&registered(), &typed);
    }
}
