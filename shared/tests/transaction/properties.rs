//! What holds for all bytes and for all that is built.

use proptest::prelude::*;
use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::caip::ChainId;
use waiaas_shared::evm::{self, EvmError};
use waiaas_shared::solana::{self, SolanaError};
use waiaas_shared::transaction::{DecodeError, Known, decode};

use crate::reference::{Called, Reference};
use crate::{
    evm_bytes, evm_request, evm_wallet, read_evm, read_solana, solana_bytes, solana_request,
    solana_wallet, token_bytes, token_request, version_zero_bytes,
};

#[derive(Debug, Clone)]
enum Edit {
    Set(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Repeat(usize, usize),
    Swap(usize, usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, value)| Edit::Set(at, value)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, value)| Edit::Insert(at, value)),
        any::<usize>().prop_map(Edit::Remove),
        (any::<usize>(), 1..40_usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
        (any::<usize>(), any::<usize>()).prop_map(|(one, other)| Edit::Swap(one, other)),
    ];
    prop::collection::vec(edit, 1..5)
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let length = bytes.len();
        if length == 0 {
            break;
        }
        match *edit {
            Edit::Set(at, value) => bytes[at % length] = value,
            Edit::Insert(at, value) => bytes.insert(at % length, value),
            Edit::Remove(at) => {
                bytes.remove(at % length);
            }
            Edit::Repeat(at, count) => {
                let start = at % length;
                let part = bytes[start..length.min(start + count)].to_vec();
                bytes.splice(start..start, part);
            }
            Edit::Swap(one, other) => bytes.swap(one % length, other % length),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>, first in prop::sample::select(vec![0_u8, 1, 2, 0x80, 0x81])) {
        let led = [&[first], &bytes[..]].concat();
        for bytes in [&bytes, &led] {
            prop_assert!(read_solana(bytes).is_err());
            prop_assert!(read_evm(bytes).is_err());
        }
    }

    #[test]
    fn whatever_is_accepted_reads_the_same_elsewhere(edits in edits()) {
        for bytes in [solana_bytes(), version_zero_bytes()] {
            let bytes = edited(bytes, &edits);
            if let Ok(decoded) = read_solana(&bytes) {
                prop_assert_eq!(decoded.bytes(), &bytes[..]);
                prop_assert_eq!(Reference::of(&decoded), Reference::solana(&bytes));
            }
        }
        for bytes in token_bytes().into_iter().chain([evm_bytes()]) {
            let bytes = edited(bytes, &edits);
            if let Ok(decoded) = read_evm(&bytes) {
                prop_assert_eq!(decoded.bytes(), &bytes[..]);
                prop_assert_eq!(Reference::of(&decoded), Reference::evm(&bytes));
            }
        }
    }

    #[test]
    fn what_is_built_on_solana_is_read_back(
        to: [u8; 32], lamports: u64, blockhash: [u8; 32],
        compute_unit_limit in 0..=solana::MAX_COMPUTE_UNITS, price in 0..1_u64 << 40,
    ) {
        let request = solana::build::TransferRequest {
            from: solana_wallet(),
            to: SolanaAddress::from_bytes(to),
            lamports,
            blockhash,
            compute_unit_limit,
            micro_lamports_per_compute_unit: price,
        };
        let bytes = solana::build::transfer(&request).unwrap();
        let decoded = read_solana(&bytes).unwrap();
        prop_assert_eq!(decoded.account_nonce(), None);
        prop_assert_eq!(decoded.require_zero_nonce(), Ok(()));
        prop_assert_eq!(decoded.with_nonce(0), Err(DecodeError::NonceNotUsed));
        prop_assert_eq!(Reference::of(&decoded), Reference::solana(&bytes));
        prop_assert_eq!(
            Reference::of(&decoded),
            Reference {
                transfers: vec![(Account::Solana(request.to), lamports.into())],
                fee: 5000 + (u128::from(compute_unit_limit) * u128::from(price)).div_ceil(1_000_000),
                token: None,
            }
        );
    }

    #[test]
    fn what_is_built_on_evm_is_read_back(
        to: [u8; 20], value in 0..1_u128 << 120, gas_limit in evm::MIN_GAS_LIMIT..=evm::MAX_GAS_LIMIT,
        fees in (0..1_u128 << 100, 0..1_u128 << 100), nonce in 0..u64::MAX,
    ) {
        let request = evm::build::TransferRequest {
            to: EvmAddress::from_bytes(to),
            value,
            gas_limit,
            max_fee_per_gas: fees.0.max(fees.1),
            max_priority_fee_per_gas: fees.0.min(fees.1),
            ..evm_request()
        };
        let bytes = evm::build::transfer(&request).unwrap();
        let decoded = read_evm(&bytes).unwrap();
        prop_assert_eq!(decoded.require_zero_nonce(), Ok(()));
        prop_assert_eq!(Reference::of(&decoded), Reference::evm(&bytes));
        prop_assert_eq!(
            Reference::of(&decoded),
            Reference {
                transfers: vec![(Account::Evm(request.to), value)],
                fee: u128::from(gas_limit) * request.max_fee_per_gas,
                token: None,
            }
        );
        // INVARIANT 6: the nonce changes the bytes and nothing else.
        let numbered = decoded.with_nonce(nonce).unwrap();
        prop_assert_eq!(numbered.account_nonce(), Some(nonce));
        prop_assert_eq!(numbered.effects(), decoded.effects());
        prop_assert_eq!(read_evm(numbered.bytes()), Ok(numbered.clone()));
        prop_assert_eq!(numbered.bytes() == decoded.bytes(), nonce == 0);
        prop_assert_eq!(numbered.require_zero_nonce().is_ok(), nonce == 0);
        prop_assert_eq!(numbered.with_nonce(0), Ok(decoded.clone()));
        prop_assert_eq!(decoded.with_nonce(u64::MAX), Err(EvmError::NonceLimit.into()));
    }

    #[test]
    fn token_calls_that_are_built_are_read_back(
        to: [u8; 20], token: [u8; 20], amount in 0..u128::MAX, gas_limit in evm::MIN_GAS_LIMIT..=evm::MAX_CALL_GAS_LIMIT,
        fees in (0..1_u128 << 100, 0..1_u128 << 100), nonce in 0..u64::MAX, approval: bool,
    ) {
        let request = evm::build::TokenRequest {
            to: EvmAddress::from_bytes(to),
            token: EvmAddress::from_bytes(token),
            amount,
            gas_limit,
            max_fee_per_gas: fees.0.max(fees.1),
            max_priority_fee_per_gas: fees.0.min(fees.1),
            ..token_request()
        };
        let build = if approval { evm::build::approve } else { evm::build::token_transfer };
        let bytes = build(&request).unwrap();
        let decoded = read_evm(&bytes).unwrap();
        prop_assert_eq!(Reference::of(&decoded), Reference::evm(&bytes));
        prop_assert_eq!(
            Reference::of(&decoded),
            Reference {
                transfers: vec![(Account::Evm(request.to), amount)],
                fee: u128::from(gas_limit) * request.max_fee_per_gas,
                token: Some(Called {
                    contract: request.token,
                    what: if approval { "approve" } else { "erc20" },
                    id: None,
                }),
            }
        );
        let numbered = decoded.with_nonce(nonce).unwrap();
        prop_assert_eq!(numbered.effects(), decoded.effects());
        prop_assert_eq!(numbered.with_nonce(0), Ok(decoded));
    }
}

#[test]
fn builders_refuse_what_decoders_refuse() {
    let build = |change: &dyn Fn(&mut solana::build::TransferRequest)| {
        let mut request = solana_request();
        change(&mut request);
        solana::build::transfer(&request).err()
    };
    assert_eq!(build(&|_| ()), None);
    // The wallet, listed twice.
    assert_eq!(
        build(&|request| request.to = request.from),
        Some(SolanaError::DuplicateAccount)
    );
    assert_eq!(
        build(&|request| request.to = SolanaAddress::from_bytes([0; 32])),
        Some(SolanaError::DuplicateAccount)
    );
    assert_eq!(
        build(&|request| request.compute_unit_limit = u32::MAX),
        Some(SolanaError::ComputeUnitLimit)
    );

    let build = |change: &dyn Fn(&mut evm::build::TransferRequest)| {
        let mut request = evm_request();
        change(&mut request);
        evm::build::transfer(&request).err()
    };
    assert_eq!(build(&|_| ()), None);
    assert_eq!(
        build(&|request| request.to = request.from),
        Some(EvmError::TransferToSelf)
    );
    assert_eq!(
        build(&|request| request.chain_id = 0),
        Some(EvmError::ChainId)
    );
    assert_eq!(
        build(&|request| request.gas_limit = 0),
        Some(EvmError::GasLimit)
    );
    assert_eq!(
        build(&|request| request.max_fee_per_gas = u128::MAX),
        Some(EvmError::CostOverflow)
    );

    let approve = |change: &dyn Fn(&mut evm::build::TokenRequest)| {
        let mut request = token_request();
        change(&mut request);
        evm::build::approve(&request).err()
    };
    assert_eq!(approve(&|_| ()), None);
    assert_eq!(
        approve(&|request| request.amount = u128::MAX),
        Some(EvmError::UnlimitedApproval)
    );
    assert_eq!(
        approve(&|request| request.to = request.token),
        Some(EvmError::RecipientIsToken)
    );
    assert_eq!(
        approve(&|request| request.token = request.from),
        Some(EvmError::TransferToSelf)
    );
}

/// No chain id of zero, even for a chain that claims it.
#[test]
fn chain_zero_does_not_exist() {
    let mut bytes = evm_bytes();
    // 31337 is 0x82 0x7a 0x69 at the start of the list; zero is 0x80.
    let start = bytes
        .windows(3)
        .position(|part| part == [0x82, 0x7a, 0x69])
        .unwrap();
    bytes.splice(start..start + 3, [0x80]);
    bytes[1] -= 2;
    assert_eq!(
        decode(
            ChainId::Evm(0),
            Account::Evm(evm_wallet()),
            &bytes,
            Known::NOTHING
        ),
        Err(EvmError::ChainId.into())
    );
}
