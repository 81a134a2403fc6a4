//! What a call of a function does that an owner registered: the call with what it carries, and each
//! argument that is an amount of a token as leaving the wallet in full. Only with one of these do the bytes
//! of such a call read as anything (`transaction::Known`). Judges no value.

use super::EvmError;
use super::abi::{Function, Invocation};
use crate::address::{Account, EvmAddress};
use crate::amount::Amount;
use crate::caip::{AssetId, ChainId};
use crate::effect::Effect;

/// A function that an owner registered at a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The contract.
    pub contract: EvmAddress,
    /// What may be called.
    pub function: Function,
    /// For each parameter the asset of which it is an amount, if it is one.
    pub spends: Vec<Option<AssetId>>,
}

impl Registered {
    /// The function of a call that is known to the last argument.
    #[must_use]
    pub fn of(contract: EvmAddress, told: &Invocation) -> Self {
        Self {
            contract,
            function: told.function.clone(),
            spends: told.spends.clone(),
        }
    }

    /// The function of a call that was judged before, as its effects name it.
    #[must_use]
    pub fn of_effects(effects: &[Effect]) -> Option<Self> {
        effects.iter().find_map(|effect| match effect {
            Effect::Call {
                target: Account::Evm(contract),
                told: Some(told),
                ..
            } => Some(Self::of(*contract, told)),
            _ => None,
        })
    }
}

/// Everything that a call does beside its fee: first the call with the wei that it carries, then what
/// its arguments let leave.
///
/// # Errors
/// [`EvmError::NumberTooLarge`] for an amount of more than 128 bits.
pub fn effects(
    chain: ChainId,
    contract: EvmAddress,
    value: Amount,
    told: &Invocation,
) -> Result<Vec<Effect>, EvmError> {
    let target = Account::Evm(contract);
    let method = told.function.selector().to_vec();
    let mut effects = vec![Effect::Call {
        target,
        method: method.clone(),
        asset: chain.native_asset(),
        value,
        told: Some(Box::new(told.clone())),
    }];
    for (asset, value) in outflows(told)? {
        effects.push(Effect::Call {
            target,
            method: method.clone(),
            asset,
            value,
            told: None,
        });
    }
    Ok(effects)
}

/// What the arguments of a call let leave, in their order.
///
/// # Errors
/// [`EvmError::NumberTooLarge`] for an amount of more than 128 bits.
pub fn outflows(told: &Invocation) -> Result<Vec<(AssetId, Amount)>, EvmError> {
    let spent = told.arguments.iter().zip(&told.spends);
    spent
        .filter_map(|(word, asset)| {
            let asset = (*asset)?;
            let amount = word.number().map(Amount::from_base_units);
            Some(
                amount
                    .map(|amount| (asset, amount))
                    .ok_or(EvmError::NumberTooLarge),
            )
        })
        .collect()
}
