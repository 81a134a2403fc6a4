//! Tokens that leave, as this calculator counts them (O2): what the bytes move, whom they pay, and what else
//! leaves by the arguments of a call. A token account says whose it is only by its address, derived here again.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::caip::{AccountId, AssetId, ChainId, Token};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::{Operation, SessionGrant};
use waiaas_shared::solana::TokenProgram;

use super::limits::{Case, Demand, holds};
use super::{account_bytes, calls, programs};
use crate::bytes::{Moved, Outflow, TOKEN, TOKEN_2022, associated};

/// Base units of each token that leave, by every document that binds alike; what leaves of the coin by an
/// owner's word is noted in the outflow.
pub(super) fn counted(
    documents: &[&PolicyDocument],
    chain: ChainId,
    outflow: &mut Outflow,
) -> Result<BTreeMap<AssetId, u128>> {
    let mut tokens = calls::agreed(documents.iter().copied(), chain, outflow)?;
    for (asset, amount) in programs::agreed(documents, chain, outflow)? {
        if asset == chain.native_asset() {
            outflow.carried = amount;
        } else {
            tokens.insert(asset, amount);
        }
    }
    for moved in &outflow.moved {
        let sum = tokens.entry(asset(chain, moved)?).or_default();
        *sum = sum.checked_add(moved.amount).context("a sum")?;
    }
    Ok(tokens)
}

pub(super) fn asset(chain: ChainId, moved: &Moved) -> Result<AssetId> {
    let token = moved.token.as_slice();
    let token = match chain {
        ChainId::Evm(_) => Token::Erc20(EvmAddress::from_bytes(token.try_into()?)),
        ChainId::Solana(_) => Token::Mint(SolanaAddress::from_bytes(token.try_into()?)),
    };
    Ok(AssetId::new(chain, token)?)
}

/// Whether what is moved is this account's from then on, or may be taken by it.
pub(super) fn receives(account: Account, moved: &Moved) -> bool {
    match account {
        Account::Evm(address) => moved.to == address.as_bytes(),
        Account::Solana(owner) => moved.program.is_some_and(|program| {
            let theirs = associated(owner.as_bytes(), &moved.token, program);
            theirs.is_ok_and(|theirs| moved.to == theirs)
        }),
    }
}

/// Which program keeps a mint, by what a document registers it with.
pub(super) const fn program_of(rule: &AssetRule) -> &'static str {
    match rule.program {
        Some(TokenProgram::Token) => TOKEN,
        Some(TokenProgram::Token2022) => TOKEN_2022,
        None if rule.extensions.is_empty() => TOKEN,
        None => TOKEN_2022,
    }
}

/// Only a session that names approvals gives leave to take tokens later.
pub(super) fn may_move(grant: &SessionGrant, outflow: &Outflow) -> Result<()> {
    for moved in &outflow.moved {
        let needed = if moved.later {
            Operation::TokenApproval
        } else {
            Operation::TokenTransfer
        };
        let named = grant.operations.as_ref();
        ensure!(
            named.map_or(!moved.later, |named| named.contains(&needed)),
            "a session without {}",
            needed.as_str()
        );
    }
    Ok(())
}

/// As how many payments it counts in an asset.
pub(super) fn times(chain: ChainId, outflow: &Outflow, of: AssetId) -> usize {
    if of == chain.native_asset() {
        return outflow.transfers.len().max(1);
    }
    let moved = outflow.moved.iter();
    let moved = moved.filter(|moved| asset(chain, moved).is_ok_and(|asset| asset == of));
    moved.count().max(1)
}

/// Who may receive tokens, for the first time or again.
pub(super) fn recipients(case: &Case<'_>, asks: &mut Demand) -> Result<()> {
    let (document, spend) = (case.document, case.spend);
    for moved in &case.outflow.moved {
        let asset = asset(spend.chain, moved)?;
        let rule = document.asset(asset).context("a rule of the token")?;
        ensure!(rule.recipient.is_none(), "a limit that is not judged here");
        let places = rule.decimals.places();
        ensure!(
            moved.decimals.is_none_or(|said| said == places),
            "other places than the policy's"
        );
        ensure!(
            moved
                .program
                .is_none_or(|program| program == program_of(rule)),
            "another program than the mint is registered with"
        );
        if moved.later {
            asks.tier = asks.tier.max(Tier::Approval);
        }
        let is = |account: &AccountId| {
            account.chain() == spend.chain && receives(account.account(), moved)
        };
        ensure!(!document.denied.iter().any(is), "a denied recipient");
        let contact = document.recipients.iter().find(|known| is(&known.account));
        ensure!(
            contact.is_some() || document.recipients_open,
            "an unlisted recipient"
        );
        let known = contact.map(|contact| account_bytes(contact.account.account()));
        let paid = case.charged.iter().any(|one| {
            let coins = one.transfers.iter().map(|(to, _)| to);
            one.wallet == spend.wallet
                && one.chain == spend.chain
                && (one.moved.iter().any(|earlier| earlier.to == moved.to)
                    || coins.into_iter().any(|to| Some(to) == known.as_ref()))
        });
        if !paid {
            let scopes = document.scopes.iter();
            let scopes = scopes.filter(|rule| holds(case, &rule.scope));
            let firsts = scopes.filter_map(|rule| rule.first_payment);
            for tier in firsts.chain(document.first_payment) {
                asks.tier = asks.tier.max(tier);
            }
        }
    }
    Ok(())
}
