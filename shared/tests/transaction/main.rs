//! Transactions from outside: `vectors` walks the case files, `changes` tries every small change of a
//! valid transaction, `properties` holds for all bytes, `signatures` for what is assembled, `tokens` does
//! all of this for transfers of tokens, `stakes` for templates of the stake program, `programs` and `calls` for
//! calls of registered methods and functions, `legacy` for legacy transactions, `brought` for what agents bring,
//! `tables` for accounts out of lookup tables. `reference`
//! is a second reader to compare with. No panic, nothing accepted that another reader would read
//! differently, nothing built that is not read back, nothing assembled with a faulty signature.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may be blunt"
)]

mod batch;
mod brought;
mod calls;
mod changes;
mod legacy;
mod programs;
mod properties;
mod reference;
mod signatures;
mod stakes;
mod tables;
mod tokens;
mod vectors;

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::effect::Effect;
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};
use waiaas_shared::{evm, solana};

pub(crate) fn solana_chain() -> ChainId {
    "solana:localnet".parse().unwrap()
}

pub(crate) fn solana_key() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[7; 32])
}

pub(crate) fn solana_wallet() -> SolanaAddress {
    SolanaAddress::from_bytes(solana_key().verifying_key().to_bytes())
}

pub(crate) fn evm_key() -> k256::ecdsa::SigningKey {
    k256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap()
}

pub(crate) fn evm_wallet() -> EvmAddress {
    evm::address_of(evm_key().verifying_key())
}

pub(crate) fn read_solana(bytes: &[u8]) -> Result<DecodedTransaction, DecodeError> {
    decode(
        solana_chain(),
        Account::Solana(solana_wallet()),
        bytes,
        Known::NOTHING,
    )
}

pub(crate) fn read_evm(bytes: &[u8]) -> Result<DecodedTransaction, DecodeError> {
    decode(
        ChainId::Evm(31_337),
        Account::Evm(evm_wallet()),
        bytes,
        Known::NOTHING,
    )
}

pub(crate) fn solana_request() -> solana::build::TransferRequest {
    solana::build::TransferRequest {
        from: solana_wallet(),
        to: SolanaAddress::from_bytes([0xa1; 32]),
        lamports: 0x0102_0304_0506_0708,
        blockhash: [0xb2; 32],
        compute_unit_limit: 450,
        micro_lamports_per_compute_unit: 100_000,
    }
}

pub(crate) fn evm_request() -> evm::build::TransferRequest {
    evm::build::TransferRequest {
        chain_id: 31_337,
        from: evm_wallet(),
        to: EvmAddress::from_bytes([0xa1; 20]),
        value: 0x0102_0304_0506_0708,
        gas_limit: 21_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
    }
}

pub(crate) fn token_request() -> evm::build::TokenRequest {
    evm::build::TokenRequest {
        chain_id: 31_337,
        from: evm_wallet(),
        token: EvmAddress::from_bytes([0xc3; 20]),
        to: EvmAddress::from_bytes([0xa1; 20]),
        amount: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
        gas_limit: 65_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
    }
}

/// A transfer of a token, an approval, a piece, and some of a kind.
pub(crate) fn token_bytes() -> [Vec<u8>; 4] {
    let request = token_request();
    [
        evm::build::token_transfer(&request).unwrap(),
        evm::build::approve(&request).unwrap(),
        piece_bytes("erc721", 1),
        piece_bytes("erc1155", 0x0102_0304),
    ]
}

/// So many pieces of number 2^200 + 7.
pub(crate) fn piece_bytes(kind: &str, amount: u128) -> Vec<u8> {
    let request = token_request();
    let id = "1606938044258990275541962092341162602522202993782792835301383";
    let asset = format!("eip155:31337/{kind}:{}/{id}", request.token);
    let effect = Effect::Transfer {
        asset: asset.parse().unwrap(),
        to: Account::Evm(request.to),
        amount: Amount::from_base_units(amount),
    };
    let terms = evm::build::Terms {
        chain_id: request.chain_id,
        from: request.from,
        gas_limit: request.gas_limit,
        max_fee_per_gas: request.max_fee_per_gas,
        max_priority_fee_per_gas: request.max_priority_fee_per_gas,
    };
    let message = evm::build::message(request.from, &effect).unwrap();
    evm::build::transaction(&terms, message, None).unwrap()
}

pub(crate) fn solana_bytes() -> Vec<u8> {
    solana::build::transfer(&solana_request()).unwrap()
}

pub(crate) fn evm_bytes() -> Vec<u8> {
    evm::build::transfer(&evm_request()).unwrap()
}

/// A transfer in version 0: marker in front, empty table list behind.
pub(crate) fn version_zero_bytes() -> Vec<u8> {
    [&[0x80][..], &solana_bytes(), &[0]].concat()
}
