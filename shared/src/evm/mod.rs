//! EVM chains: typed transactions in, wei out. `eip1559` is the strict codec, this file the judgement
//! of what was read, `signature` the curve, `build` makes transactions. No contract call is understood
//! yet, so call data must be empty; a selector will be a new file beside these. Asks no node. Called
//! by `transaction`; `build` by the gateway and the command line.

pub mod build;
pub(crate) mod cancel;
mod eip1559;
mod error;
mod signature;

use crate::address::EvmAddress;
use crate::amount::Amount;
use crate::transaction::SignatureError;

pub use eip1559::UnsignedTransaction;
pub use error::EvmError;
pub use signature::address_of;

/// Gas of a plain transfer to an account without code: the least that any transaction uses.
pub const MIN_GAS_LIMIT: u64 = 21_000;
/// The most gas that a plain transfer may be given. Above 21 000 because rollups add gas for their
/// data, and a receiving contract may run a few instructions.
pub const MAX_GAS_LIMIT: u64 = 100_000;

/// Addresses below this number are precompiled or system contracts (0x01 to 0x11 on mainnet, 0x100
/// by EIP-7951, up to 0x8000 and more on rollups); nobody holds a key to them.
const FIRST_ORDINARY_ADDRESS: u128 = 0x1_0000;

/// Keccak-256 as Ethereum uses it (not SHA3-256).
pub(crate) fn keccak256(bytes: &[u8]) -> [u8; 32] {
    alloy_primitives::keccak256(bytes).0
}

/// Reads a transaction of `wallet` on the chain with this id; second the worst-case fee in wei.
pub(crate) fn decode(
    chain_id: u64,
    wallet: EvmAddress,
    unsigned: &[u8],
) -> Result<(UnsignedTransaction, Amount), EvmError> {
    let transaction = UnsignedTransaction::parse(unsigned)?;
    let fee_max = check(chain_id, wallet, &transaction)?;
    Ok((transaction, fee_max))
}

/// What must hold of any transaction that was read; the worst-case fee.
fn check(
    chain_id: u64,
    wallet: EvmAddress,
    transaction: &UnsignedTransaction,
) -> Result<Amount, EvmError> {
    if transaction.chain_id != chain_id || chain_id == 0 {
        return Err(EvmError::ChainId);
    }
    if transaction.nonce == u64::MAX {
        return Err(EvmError::NonceLimit);
    }
    if is_system_address(transaction.to) {
        return Err(EvmError::SystemRecipient);
    }
    if transaction.to == wallet {
        return Err(EvmError::TransferToSelf);
    }
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas {
        return Err(EvmError::TipAboveFee);
    }
    if !(MIN_GAS_LIMIT..=MAX_GAS_LIMIT).contains(&transaction.gas_limit) {
        return Err(EvmError::GasLimit);
    }
    let fee_max = u128::from(transaction.gas_limit)
        .checked_mul(transaction.max_fee_per_gas)
        .ok_or(EvmError::CostOverflow)?;
    // Nobody can pay a total beyond 128 bits; refusing it here keeps every later sum small.
    fee_max
        .checked_add(transaction.value)
        .ok_or(EvmError::CostOverflow)?;
    Ok(Amount::from_base_units(fee_max))
}

/// The zero address, precompiles and system contracts.
fn is_system_address(address: EvmAddress) -> bool {
    let mut number = [0; 16];
    let (high, low) = address.as_bytes().split_at(4);
    number
        .iter_mut()
        .zip(low)
        .for_each(|(to, from)| *to = *from);
    high.iter().all(|byte| *byte == 0) && u128::from_be_bytes(number) < FIRST_ORDINARY_ADDRESS
}

/// The signed transaction, if the signature is the wallet's over these very fields.
pub(crate) fn assemble(
    wallet: EvmAddress,
    transaction: &UnsignedTransaction,
    r_and_s: &[u8; 64],
    y_is_odd: bool,
) -> Result<Vec<u8>, SignatureError> {
    let prehash = keccak256(&transaction.encode());
    if signature::recover(&prehash, r_and_s, y_is_odd)? != wallet {
        return Err(SignatureError::Invalid);
    }
    Ok(transaction.encode_signed(r_and_s, y_is_odd))
}

#[cfg(test)]
mod tests;
