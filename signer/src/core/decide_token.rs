//! What the signer knows of Solana mints: decimals and token program, as every binding document that names
//! the mint has them registered. No node's word, and no caller's, is among it. And what a payment may lock up as
//! rent. Called by the decisions that read bytes.

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId, Token};
use waiaas_shared::claim::Claim;
use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::request::Action;
use waiaas_shared::solana;
use waiaas_shared::time::Clocks;

use super::state::State;

/// The mint of an asset as it is registered; nothing for any asset that is no mint.
pub(super) fn registered(
    state: &State,
    asset: AssetId,
    now: Clocks,
) -> Result<Option<solana::Token>, Code> {
    match registrations(state, asset, now)?.as_slice() {
        [only] => Ok(*only),
        // The bytes can agree with one of them only, and a payment must pass both.
        _ => Err(Code::TokenConflict),
    }
}

/// Every mint that an asset is registered as, each once and at least one: a withdrawal passes with the one
/// under which its bytes do what its owner signed, so that no document closes the way out.
pub(super) fn registrations(
    state: &State,
    asset: AssetId,
    now: Clocks,
) -> Result<Vec<Option<solana::Token>>, Code> {
    let Token::Mint(_) = asset.token() else {
        return Ok(vec![None]);
    };
    // A void document names nothing.
    let sound = state.binding(now.run).iter().filter(|one| !one.is_void());
    let known = sound
        .filter_map(|policy| policy.document.asset(asset))
        .filter_map(|rule| rule.mint());
    let mut distinct: Vec<Option<solana::Token>> = Vec::new();
    for mint in known {
        if !distinct.contains(&Some(mint)) {
            distinct.push(Some(mint));
        }
    }
    if distinct.is_empty() {
        return Err(Code::AssetNotListed);
    }
    Ok(distinct)
}

/// The mints that a request moves, each once, as they are registered.
pub(super) fn of_claim(
    state: &State,
    claim: &Claim,
    now: Clocks,
) -> Result<Vec<solana::Token>, Code> {
    let mut tokens: Vec<solana::Token> = Vec::new();
    for transfer in claim.transfers() {
        let token = registered(state, transfer.asset, now)?;
        tokens.extend(token.filter(|token| !tokens.contains(token)));
    }
    Ok(tokens)
}

/// The most that a payment may lock up for its recipients' accounts, or for the stake account that it makes: what
/// these accounts take, each once, under every binding document; nothing where a document lets none be created.
pub(super) fn rent_ceiling(
    state: &State,
    claim: &Claim,
    tokens: &[solana::Token],
    chain: ChainId,
    now: Clocks,
) -> Option<Amount> {
    let mut accounts = Vec::new();
    let mut rent = Amount::ZERO;
    for transfer in claim.transfers() {
        if transfer.action == Action::Stake {
            let account = Amount::from_base_units(solana::STAKE_RENT.into());
            rent = rent.checked_add(account).unwrap_or(Amount::MAX);
        }
        let Token::Mint(mint) = transfer.asset.token() else {
            continue;
        };
        let token = tokens.iter().find(|token| token.mint == mint);
        if let Some(token) = token
            && !accounts.contains(&(mint, transfer.to))
        {
            accounts.push((mint, transfer.to));
            let account = Amount::from_base_units(token.account_rent().into());
            rent = rent.checked_add(account).unwrap_or(Amount::MAX);
        }
    }
    let native = chain.native_asset();
    let ceilings = state.binding(now.run).iter().map(|policy| {
        let rule = policy.document.asset(native);
        rule.and_then(|rule| rule.rent_ceiling).unwrap_or_default()
    });
    let most = ceilings.min().unwrap_or_default().min(rent);
    (most > Amount::ZERO).then_some(most)
}

/// What a transaction locks up for accounts that it creates.
pub(super) fn rent(effects: &[Effect]) -> Amount {
    let rent = effects.iter().filter_map(|effect| match effect {
        Effect::Rent { amount, .. } => Some(*amount),
        _ => None,
    });
    rent.fold(Amount::ZERO, |sum, amount| {
        sum.checked_add(amount).unwrap_or(Amount::MAX)
    })
}
