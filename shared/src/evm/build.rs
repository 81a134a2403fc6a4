//! Builds unsigned transactions, always with nonce 0: the signer issues the nonce (invariant 6).

use super::call::Call;
use super::{EvmError, Form, Registered, Transaction, UnsignedTransaction, check, effects};
use crate::address::{Account, EvmAddress};
use crate::caip::Token;
use crate::effect::Effect;

/// A transfer of the chain's own coin with its fee settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferRequest {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The wallet.
    pub from: EvmAddress,
    /// The recipient.
    pub to: EvmAddress,
    /// Wei.
    pub value: u128,
    /// Units of gas, 21 000 to 100 000.
    pub gas_limit: u64,
    /// Wei per gas in all, at most.
    pub max_fee_per_gas: u128,
    /// Wei per gas for the block's producer, at most.
    pub max_priority_fee_per_gas: u128,
}

/// The unsigned bytes of a transfer, with nonce 0.
///
/// # Errors
/// [`EvmError`] where `decode` would refuse the transaction.
pub fn transfer(request: &TransferRequest) -> Result<Vec<u8>, EvmError> {
    let transaction = UnsignedTransaction {
        chain_id: request.chain_id,
        nonce: 0,
        max_priority_fee_per_gas: request.max_priority_fee_per_gas,
        max_fee_per_gas: request.max_fee_per_gas,
        gas_limit: request.gas_limit,
        to: request.to,
        value: request.value,
        data: Vec::new(),
    };
    encode_as(Form::Eip1559, request.from, transaction, None)
}

/// A call of a token with its fee settings: a transfer of the wallet's tokens, or an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRequest {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The wallet.
    pub from: EvmAddress,
    /// The token's contract.
    pub token: EvmAddress,
    /// Who receives, or may take.
    pub to: EvmAddress,
    /// Base units of the token.
    pub amount: u128,
    /// Units of gas, 21 000 to 500 000.
    pub gas_limit: u64,
    /// Wei per gas in all, at most.
    pub max_fee_per_gas: u128,
    /// Wei per gas for the block's producer, at most.
    pub max_priority_fee_per_gas: u128,
}

/// The unsigned bytes of an ERC-20 `transfer`, with nonce 0.
///
/// # Errors
/// [`EvmError`] where `decode` would refuse the transaction.
pub fn token_transfer(request: &TokenRequest) -> Result<Vec<u8>, EvmError> {
    let (to, amount) = (request.to, request.amount);
    call(request, Call::Transfer { to, amount })
}

/// The unsigned bytes of an ERC-20 `approve`, with nonce 0.
///
/// # Errors
/// [`EvmError`] where `decode` would refuse the transaction.
pub fn approve(request: &TokenRequest) -> Result<Vec<u8>, EvmError> {
    let (spender, amount) = (request.to, request.amount);
    call(request, Call::Approve { spender, amount })
}

/// What a node has to execute to try an effect: whom the wallet calls, with how many wei, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The recipient, or the contract.
    pub to: EvmAddress,
    /// Wei.
    pub value: u128,
    /// Call data, empty in a plain transfer.
    pub data: Vec<u8>,
}

/// An effect of this wallet as a message; nothing for what is no transfer, approval or call of an EVM chain
/// of its own.
#[must_use]
pub fn message(wallet: EvmAddress, effect: &Effect) -> Option<Message> {
    let amount = effect.amount().base_units();
    if let Effect::Call {
        target: Account::Evm(to),
        told: Some(told),
        ..
    } = effect
    {
        return Some(Message {
            to: *to,
            value: amount,
            data: told.data(),
        });
    }
    let Some(Account::Evm(to)) = effect.recipient() else {
        return None;
    };
    let (contract, call) = match (effect, effect.asset().token()) {
        (Effect::Transfer { .. }, Token::Native) => {
            return Some(Message {
                to,
                value: amount,
                data: Vec::new(),
            });
        }
        (Effect::Transfer { .. }, Token::Erc20(contract)) => {
            (contract, Call::Transfer { to, amount })
        }
        (Effect::Approval { .. }, Token::Erc20(contract)) => {
            let spender = to;
            (contract, Call::Approve { spender, amount })
        }
        (Effect::Transfer { .. }, Token::Erc721(contract, id)) if amount == 1 => {
            let from = wallet;
            (contract, Call::MovePiece { from, to, id })
        }
        (Effect::Transfer { .. }, Token::Erc1155(contract, id)) => {
            let from = wallet;
            let call = Call::MoveKind {
                from,
                to,
                id,
                amount,
            };
            (contract, call)
        }
        _ => return None,
    };
    Some(Message {
        to: contract,
        value: 0,
        data: call.encode(),
    })
}

/// What a transaction needs besides its message. In the legacy form both fees are the gas price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The wallet.
    pub from: EvmAddress,
    /// Units of gas: 21 000 to 100 000, for a call to 500 000.
    pub gas_limit: u64,
    /// Wei per gas in all, at most.
    pub max_fee_per_gas: u128,
    /// Wei per gas for the block's producer, at most.
    pub max_priority_fee_per_gas: u128,
}

/// The unsigned bytes of a message, with nonce 0; `known` if it calls a registered function.
///
/// # Errors
/// [`EvmError`] where `decode` would refuse the transaction.
pub fn transaction(
    terms: &Terms,
    message: Message,
    known: Option<&Registered>,
) -> Result<Vec<u8>, EvmError> {
    transaction_as(Form::Eip1559, terms, message, known)
}

/// The same in a form that the network takes.
///
/// # Errors
/// [`EvmError`] where `decode` would refuse the transaction; [`EvmError::GasPrice`] for two different fees in
/// the legacy form.
pub fn transaction_as(
    form: Form,
    terms: &Terms,
    message: Message,
    known: Option<&Registered>,
) -> Result<Vec<u8>, EvmError> {
    let transaction = UnsignedTransaction {
        chain_id: terms.chain_id,
        nonce: 0,
        max_priority_fee_per_gas: terms.max_priority_fee_per_gas,
        max_fee_per_gas: terms.max_fee_per_gas,
        gas_limit: terms.gas_limit,
        to: message.to,
        value: message.value,
        data: message.data,
    };
    encode_as(form, terms.from, transaction, known)
}

fn call(request: &TokenRequest, call: Call) -> Result<Vec<u8>, EvmError> {
    let transaction = UnsignedTransaction {
        chain_id: request.chain_id,
        nonce: 0,
        max_priority_fee_per_gas: request.max_priority_fee_per_gas,
        max_fee_per_gas: request.max_fee_per_gas,
        gas_limit: request.gas_limit,
        to: request.token,
        value: 0,
        data: call.encode(),
    };
    encode_as(Form::Eip1559, request.from, transaction, None)
}

fn encode_as(
    form: Form,
    from: EvmAddress,
    fields: UnsignedTransaction,
    known: Option<&Registered>,
) -> Result<Vec<u8>, EvmError> {
    check(fields.chain_id, from, &fields)?;
    effects(from, &fields, known)?;
    Ok(Transaction::new(fields, form)?.encode())
}
