//! EVM chains: transactions in, effects out. `eip1559` and `legacy` are the strict codecs, `wire` what they
//! have in common, `terms` what policy says of a network, `typed_data` the hashing of EIP-712, `call` the calls that are understood, `abi` and
//! `registered` those that an owner registered, `reserved` those that nobody can, this file the judgement of
//! what was read, `signature` the curve, `build` makes transactions. Asks no node. Called by `transaction`;
//! `build` by the gateway and the command line.

pub mod abi;
pub mod build;
mod call;
pub(crate) mod cancel;
mod eip1559;
mod error;
mod legacy;
mod registered;
mod reserved;
mod signature;
mod terms;
pub(crate) mod typed_data;
mod wire;

use crate::address::{Account, EvmAddress};
use crate::amount::Amount;
use crate::caip::{AssetId, ChainId, Token};
use crate::effect::Effect;
use crate::network;
use crate::transaction::SignatureError;
use abi::Invocation;
use call::Call;

pub use eip1559::UnsignedTransaction;
pub use error::EvmError;
pub use registered::{Registered, effects as call_effects, outflows};
pub use reserved::reserved;
pub use signature::address_of;
pub(crate) use signature::recover;
pub use terms::{Form, NetworkTerms};
pub(crate) use wire::Transaction;

/// Gas of a plain transfer to an account without code: the least that any transaction uses.
pub const MIN_GAS_LIMIT: u64 = 21_000;
/// The most gas that a plain transfer may be given. Above 21 000 because rollups add gas for their
/// data, and a receiving contract may run a few instructions.
pub const MAX_GAS_LIMIT: u64 = 100_000;
/// The most gas that a call of a token may be given. A common token uses 30 000 to 65 000, one behind
/// proxies or with bookkeeping of its own several times that, and rollups add gas for their data. What
/// it costs is bounded by the owner's fee ceiling; this bounds it where the ceiling is high.
pub const MAX_CALL_GAS_LIMIT: u64 = 500_000;

/// What wallets and contracts take for "without limit" beside 2^256 - 1: the largest numbers of 96 and
/// 128 bits (Compound's and Uniswap's tokens read the former so).
const UNLIMITED: [u128; 2] = [(1 << 96) - 1, u128::MAX];

/// Addresses below this number are precompiled or system contracts (0x01 to 0x11 on mainnet, 0x100
/// by EIP-7951, up to 0x8000 and more on rollups); nobody holds a key to them.
const FIRST_ORDINARY_ADDRESS: u128 = 0x1_0000;

/// Whether an approval of this amount counts as one without limit.
#[must_use]
pub fn is_unlimited(amount: Amount) -> bool {
    UNLIMITED.contains(&amount.base_units())
}

/// Keccak-256 as Ethereum uses it (not SHA3-256).
pub(crate) fn keccak256(bytes: &[u8]) -> [u8; 32] {
    alloy_primitives::keccak256(bytes).0
}

/// A transaction that was understood.
pub(crate) struct Understood {
    pub(crate) transaction: Transaction,
    /// What it does, beside its fee.
    pub(crate) effects: Vec<Effect>,
    /// Worst case, in wei.
    pub(crate) fee_max: Amount,
}

/// Reads a transaction of `wallet` on the chain with this id.
pub(crate) fn decode(
    chain_id: u64,
    wallet: EvmAddress,
    unsigned: &[u8],
    known: Option<&Registered>,
    network: NetworkTerms,
) -> Result<Understood, EvmError> {
    let transaction = Transaction::parse(unsigned, known, network)?;
    let gas = check(chain_id, wallet, &transaction.fields)?;
    let fee_max = with_data_fee(chain_id, gas, transaction.fields.value, network)?;
    let effects = effects(wallet, &transaction.fields, known)?;
    Ok(Understood {
        transaction,
        effects,
        fee_max,
    })
}

/// The worst-case fee: what the gas costs, and what the network may take for the data, which no field of a
/// transaction bounds. Fails closed where a network is known to take that and nobody said how much.
pub(crate) fn with_data_fee(
    chain_id: u64,
    gas: Amount,
    value: u128,
    network: NetworkTerms,
) -> Result<Amount, EvmError> {
    if network.data_fee.is_none() && network::takes_data_fee(ChainId::Evm(chain_id)) {
        return Err(EvmError::DataFee);
    }
    let fee = gas
        .checked_add(network.data_fee())
        .ok_or(EvmError::CostOverflow)?;
    fee.checked_add(Amount::from_base_units(value))
        .ok_or(EvmError::CostOverflow)?;
    Ok(fee)
}

/// What it does, beside its fee. Methods of tokens are read as such whatever an owner registered.
fn effects(
    wallet: EvmAddress,
    transaction: &UnsignedTransaction,
    known: Option<&Registered>,
) -> Result<Vec<Effect>, EvmError> {
    match known {
        Some(known) if !transaction.data.is_empty() && !call::is_known(&transaction.data) => {
            // The same function of another contract is another thing.
            if transaction.to != known.contract {
                return Err(EvmError::UnknownMethod);
            }
            let told = Invocation::parse(wallet, known, &transaction.data)?;
            let chain = ChainId::Evm(transaction.chain_id);
            let value = Amount::from_base_units(transaction.value);
            call_effects(chain, transaction.to, value, &told)
        }
        _ => effect(wallet, transaction).map(|effect| vec![effect]),
    }
}

/// What a transfer or a call of a token does. Whether a contract is a token that anybody wants is policy.
fn effect(wallet: EvmAddress, transaction: &UnsignedTransaction) -> Result<Effect, EvmError> {
    let chain = ChainId::Evm(transaction.chain_id);
    let contract = transaction.to;
    if transaction.data.is_empty() {
        return Ok(Effect::Transfer {
            asset: chain.native_asset(),
            to: Account::Evm(contract),
            amount: Amount::from_base_units(transaction.value),
        });
    }
    if transaction.value != 0 {
        return Err(EvmError::ValueWithCall);
    }
    let call = Call::parse(&transaction.data)?;
    let (owner, other, token, amount) = match call {
        Call::Transfer { to, amount } => (wallet, to, Token::Erc20(contract), amount),
        Call::Approve { spender, amount } => (wallet, spender, Token::Erc20(contract), amount),
        Call::MovePiece { from, to, id } => (from, to, Token::Erc721(contract, id), 1),
        Call::MoveKind {
            from,
            to,
            id,
            amount,
        } => (from, to, Token::Erc1155(contract, id), amount),
    };
    if owner != wallet {
        return Err(EvmError::ForeignOwner);
    }
    may_receive(wallet, other)?;
    if other == contract {
        return Err(EvmError::RecipientIsToken);
    }
    let asset = AssetId::new(chain, token).map_err(|_| EvmError::SystemRecipient)?;
    let to = Account::Evm(other);
    let amount = Amount::from_base_units(amount);
    Ok(match call {
        Call::Approve { .. } if is_unlimited(amount) => return Err(EvmError::UnlimitedApproval),
        Call::Approve { .. } => Effect::Approval {
            asset,
            spender: to,
            amount,
        },
        _ => Effect::Transfer { asset, to, amount },
    })
}

/// Nothing is sent to nobody, to the chain's own machinery, or from the wallet to itself.
fn may_receive(wallet: EvmAddress, other: EvmAddress) -> Result<(), EvmError> {
    if is_system_address(other) {
        return Err(EvmError::SystemRecipient);
    }
    if other == wallet {
        return Err(EvmError::TransferToSelf);
    }
    Ok(())
}

/// What must hold of any transaction that was read; what its gas costs at worst.
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
    may_receive(wallet, transaction.to)?;
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas {
        return Err(EvmError::TipAboveFee);
    }
    let most = if transaction.data.is_empty() {
        MAX_GAS_LIMIT
    } else {
        MAX_CALL_GAS_LIMIT
    };
    if !(MIN_GAS_LIMIT..=most).contains(&transaction.gas_limit) {
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
pub(crate) fn is_system_address(address: EvmAddress) -> bool {
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
    transaction: &Transaction,
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
mod published_tests;
#[cfg(test)]
mod tests;
