//! What a payment does, effect by effect, in words.

use crate::address::Account;
use crate::amount::Amount;
use crate::caip::ChainId;
use crate::effect::Effect;
use crate::evm::abi::Invocation;
use crate::solana::{ProgramCall, Staking};

use super::names::Names;

/// One effect of a payment on this chain.
pub(super) fn done(effect: &Effect, chain: ChainId, names: &Names) -> String {
    match effect {
        Effect::Transfer { asset, to, amount } => format!(
            "{} to {}",
            names.amount(*asset, *amount),
            names.account(*asset, *to)
        ),
        Effect::Fee { asset, max } => format!("fee up to {}", names.amount(*asset, *max)),
        Effect::Approval {
            asset,
            spender,
            amount,
        } => format!(
            "leave for {} to take {}",
            names.account(*asset, *spender),
            names.amount(*asset, *amount)
        ),
        Effect::Rent { asset, amount } => format!("rent of {}", names.amount(*asset, *amount)),
        Effect::Stake { .. } => staked(effect, names),
        Effect::Program { asset, value, told } => {
            let target = names.account(*asset, Account::Solana(told.method.program));
            ran(&target, &names.amount(*asset, *value), told)
        }
        // What an argument lets leave besides the call itself.
        Effect::Call {
            asset,
            value,
            told: None,
            ..
        } if *asset != chain.native_asset() => {
            format!("{} counted as leaving", names.amount(*asset, *value))
        }
        Effect::Call {
            target,
            asset,
            value,
            told,
            ..
        } => called(
            &names.account(*asset, *target),
            &names.amount(*asset, *value),
            told.as_deref(),
        ),
    }
}

/// A call with every argument.
pub(super) fn called(target: &str, carried: &str, told: Option<&Invocation>) -> String {
    let what = told.map_or_else(String::new, |told| {
        format!(" by {} of {}", told.function, told.shown().join(" "))
    });
    format!("call of {target}{what} with up to {carried}")
}

/// A call of a program with every argument and account.
pub(super) fn ran(target: &str, leaving: &str, told: &ProgramCall) -> String {
    let arguments = told
        .fields()
        .map(|(field, value)| format!(" {}", field.kind.show(value)));
    let arguments: String = arguments.collect();
    let behind = match told.tail() {
        [] => String::new(),
        bytes => format!(" then 0x{}", hex::encode(bytes)),
    };
    let accounts: Vec<String> = told.accounts.iter().map(ToString::to_string).collect();
    format!(
        "call of {target} with 0x{}{arguments}{behind} on {}, {leaving} counted as leaving",
        hex::encode(&told.method.begins),
        accounts.join(" ")
    )
}

/// What is done with a stake account, with its seed and address.
pub(super) fn staked(effect: &Effect, names: &Names) -> String {
    let Effect::Stake {
        asset,
        account,
        staking,
    } = effect
    else {
        return String::new();
    };
    let which = format!("stake {} at {}", account.seed(), account.address());
    match staking {
        Staking::Delegate { validator, amount } => format!(
            "{} into {which} with {}",
            names.amount(*asset, *amount),
            names.account(*asset, Account::Solana(*validator))
        ),
        Staking::Deactivate => format!("end of {which}"),
        Staking::Withdraw { amount } if *amount == Amount::ZERO => {
            format!("all back out of {which}")
        }
        Staking::Withdraw { amount } => {
            format!("{} back out of {which}", names.amount(*asset, *amount))
        }
    }
}
