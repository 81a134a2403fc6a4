//! The bytes of a committed payment, read once more before they leave again: by the key that signed them, and only
//! if they still do what their entry says. Reads nothing of what owners registered since, but for lookup tables: the
//! bytes were judged by what held then, and what holds now judges the entry's effects. Called for replays.

use waiaas_shared::address::Account;
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{Origin, Spend};
use waiaas_shared::evm::{NetworkTerms, Registered};
use waiaas_shared::keys::KeyPath;
use waiaas_shared::solana::ProgramMethod;
use waiaas_shared::time::Clocks;
use waiaas_shared::transaction::{DecodedTransaction, Known, decode_recorded};

use super::command::Prior;
use super::state::{KillPhase, State, Wallet};
use super::{decide_owner, network, proposal, tables};

/// The key that signed a payment. EVM bytes do not name their sender: what was charged before the
/// wallet got its present key must not be signed with this one, which would pay a second time.
pub(super) fn key_of(wallet: &Wallet, prior: &Prior) -> Result<(KeyPath, Account), Code> {
    match prior.spend.from {
        Some(account) => {
            let former = wallet.former(account).ok_or(Code::WalletClosed)?;
            Ok((former.path, former.account))
        }
        // What the wallet's owner withdrew stays the owner's, by the key that the wallet had then.
        None if prior.spend.session.is_none() => wallet.key_at(prior.charged_at),
        None if wallet.rotated().is_some_and(|at| prior.charged_at <= at) => {
            Err(Code::WalletClosed)
        }
        None => Ok((wallet.path, wallet.account)),
    }
}

/// The bytes of a withdrawal are its owner's alone, who may have kept them from being sent, and are given
/// again wherever a withdrawal is signed: also while everything is paused, and to an address that is open still
/// (invariant 17).
pub(super) fn may_withdraw_again(
    state: &State,
    spend: &Spend,
    origin: Origin,
    now: Clocks,
) -> Result<(), Denial> {
    if origin != Origin::Admin {
        return Err(Code::AdminOnly.into());
    }
    if state.kill.phase == KillPhase::Activated {
        return Err(Code::Killed.into());
    }
    let mut recipients = spend.effects.iter().filter_map(Effect::recipient);
    recipients.try_for_each(|to| decide_owner::withdrawal_open(state, spend.chain, to, now))
}

/// The bytes, as they are read today.
pub(super) fn read(
    state: &State,
    account: Account,
    spend: &Spend,
    now: Clocks,
) -> Result<DecodedTransaction, Denial> {
    let owners: Vec<Account> = spend.effects.iter().filter_map(Effect::recipient).collect();
    let function = Registered::of_effects(&spend.effects);
    let network = match spend.session {
        Some(_) => network::terms(state, spend.chain, now),
        None => NetworkTerms::RECORDED,
    };
    let tables = tables::agreed(state, spend.chain, &spend.unsigned, now)?;
    let known = Known {
        owners: &owners,
        tokens: &[],
        function: function.as_ref(),
        seed: spend.effects.iter().find_map(Effect::seed),
        program: ProgramMethod::of_effects(&spend.effects),
        network,
        // Whatever was brought was charged with its fee, or without.
        sponsored: !spend.effects.iter().any(Effect::is_fee),
        tables: &tables,
    };
    let transaction = decode_recorded(spend.chain, account, &spend.unsigned, known)
        .map_err(|error| proposal::undecodable(&error))?;
    tables::does_as_charged(&tables, &transaction, spend)?;
    if does(&transaction, spend, network) {
        Ok(transaction)
    } else {
        Err(Code::RecordedDiffers.into())
    }
}

/// Whether the bytes do what was judged and charged, and cost no more. What a network takes for data is nobody's
/// word but policy's, so of the fee on an EVM chain the gas alone is compared.
fn does(transaction: &DecodedTransaction, spend: &Spend, network: NetworkTerms) -> bool {
    let paid = |effects: &[Effect]| -> Vec<Effect> {
        let all = effects.iter().filter(|effect| !effect.is_fee());
        all.cloned().collect()
    };
    let fee = spend.effects.iter().find_map(|effect| match effect {
        Effect::Fee { max, .. } => Some(*max),
        _ => None,
    });
    let fee = fee.unwrap_or_default();
    let costs = match spend.chain {
        ChainId::Solana(_) => transaction.fee_max() == fee,
        ChainId::Evm(_) => transaction.fee_max().remaining_after(network.data_fee()) <= fee,
    };
    costs
        && paid(transaction.effects()) == paid(&spend.effects)
        && transaction.account_nonce() == spend.nonce
        && transaction.memo() == spend.memo.as_ref()
}
