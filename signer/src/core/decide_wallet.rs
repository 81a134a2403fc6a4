//! Decisions over a wallet's key: a fresh one, bound to its networks for ever (invariant 7); its end; a
//! new one in its place. A wallet that gets a new key stays the same wallet: identifier, sessions,
//! rules, pools and everything that was charged remain, so that no rotation brings a fresh budget
//! (invariant 9), and the old key stays this wallet's, for withdrawals alone.

use std::collections::BTreeSet;

use waiaas_shared::address::Account;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{OwnerId, StatementId, WalletId};
use waiaas_shared::statement::StatementFacts;

use super::command::{Context, DerivedKey, Outcome, Submission, WalletRequest};
use super::state::{KillPhase, State};
use super::wallet::NONCE_END;
use super::{Decision, decide_intent, decide_owner};

/// Keys of all wallets, former ones too: locked memory holds each of them, twice over. A key more than it
/// holds would keep the signer locked for ever.
pub(super) const KEYS_LIMIT: usize = 512;
/// The same, each counted on each of its networks: one answer tells of them all.
pub(super) const PLACES_LIMIT: usize = 2_048;
/// Keys that one wallet had before.
pub(super) const FORMER_LIMIT: usize = 32;
/// What is left for rotations where no more wallets are made: a key in danger is replaced all the same.
pub(super) const ROTATION_KEYS: usize = 64;
/// The same of [`PLACES_LIMIT`].
pub(super) const ROTATION_PLACES: usize = 256;

/// Whether there is room for one more key on so many networks, with so many keys and places to spare.
fn room(state: &State, networks: usize, spare: (usize, usize)) -> Result<(), Code> {
    let keys = state.keys().count();
    let wallets = state.wallets.values();
    let places = wallets.map(|wallet| wallet.keys().count().saturating_mul(wallet.networks.len()));
    let places: usize = places.sum();
    let places = places.saturating_add(networks).saturating_add(spare.1);
    if keys.saturating_add(spare.0) >= KEYS_LIMIT || places > PLACES_LIMIT {
        Err(Code::KeysTooMany)
    } else {
        Ok(())
    }
}

const fn nonce_fits(first: u64) -> Result<(), Code> {
    if first > NONCE_END {
        Err(Code::NonceRange)
    } else {
        Ok(())
    }
}

/// A wallet is bound to its networks at creation; a Solana wallet to exactly one (invariant 7).
pub(super) fn create_wallet(
    state: &State,
    request: &WalletRequest,
    context: &Context,
) -> Result<Decision, Denial> {
    let family = request.path.family;
    let account_fits = matches!(
        (family, request.account),
        (Family::Solana, Account::Solana(_)) | (Family::Evm, Account::Evm(_))
    );
    let distinct: BTreeSet<&ChainId> = request.networks.iter().collect();
    let networks_fit = distinct.len() == request.networks.len()
        && request
            .networks
            .iter()
            .all(|network| network.family() == family)
        && match family {
            Family::Solana => request.networks.len() == 1 && request.first_nonce == 0,
            Family::Evm => (1..=16).contains(&request.networks.len()),
        };
    if !account_fits || !networks_fit {
        return Err(Code::NetworkNotBound.into());
    }
    if request.path != state.next_path(family)
        || state.keys().any(|(_, account)| account == request.account)
    {
        return Err(Code::KeyKnown.into());
    }
    nonce_fits(request.first_nonce)?;
    room(
        state,
        request.networks.len(),
        (ROTATION_KEYS, ROTATION_PLACES),
    )?;
    let wallet = WalletId::derive(&context.entropy, 0);
    let event = EventBody::WalletCreated {
        wallet,
        path: request.path,
        account: request.account,
        networks: request.networks.clone(),
        first_nonce: request.first_nonce,
    };
    Ok(Decision {
        events: vec![event],
        outcome: Ok(Outcome::Wallet(wallet)),
    })
}

/// What must hold for the end of a wallet or its key, when drafted and again when carried out.
pub(super) fn check_open(state: &State, wallet: WalletId) -> Result<(), Denial> {
    let known = state.wallets.get(&wallet).ok_or(Code::WalletUnknown)?;
    if known.closed {
        Err(Code::WalletClosed.into())
    } else {
        Ok(())
    }
}

/// What must hold for a rotation.
pub(super) fn check_rotation(
    state: &State,
    wallet: WalletId,
    first_nonce: u64,
) -> Result<(), Denial> {
    check_open(state, wallet)?;
    let known = state.wallets.get(&wallet).ok_or(Code::WalletUnknown)?;
    // Solana has no account nonces.
    if known.path.family == Family::Solana && first_nonce != 0 {
        return Err(Code::StatementMalformed.into());
    }
    nonce_fits(first_nonce)?;
    if known.former.len() >= FORMER_LIMIT {
        return Err(Code::KeysTooMany.into());
    }
    Ok(room(state, known.networks.len(), (0, 0))?)
}

/// Nothing is signed for it any more but withdrawals: final.
pub(super) fn close(
    state: &State,
    wallet: WalletId,
    statement: StatementId,
    signers: Vec<OwnerId>,
) -> Decision {
    let mut decision = Decision {
        events: decide_intent::wallet_closed(state, wallet),
        outcome: Ok(Outcome::Done),
    };
    decision.events.push(EventBody::WalletClosed {
        wallet,
        statement,
        signers,
    });
    decision
}

/// The wallet goes on with a key that was never given before.
pub(super) fn rotate(
    state: &State,
    submission: &Submission,
    key: &DerivedKey,
    context: &Context,
) -> Result<Decision, Denial> {
    let open = decide_owner::open(state, submission.statement, context.clocks)?;
    let StatementFacts::RotateWallet {
        wallet,
        first_nonce,
    } = open.facts
    else {
        return Err(Code::StatementMismatch.into());
    };
    let signers = decide_owner::quorum(state, open, &submission.signatures)?;
    check_rotation(state, wallet, first_nonce)?;
    if state.kill.phase == KillPhase::Activated {
        return Err(Code::Killed.into());
    }
    let family = state.wallets.get(&wallet).map(|known| known.path.family);
    let account_fits = matches!(
        (family, key.account),
        (Some(Family::Solana), Account::Solana(_)) | (Some(Family::Evm), Account::Evm(_))
    );
    if !account_fits
        || Some(key.path) != family.map(|family| state.next_path(family))
        || state.keys().any(|(_, account)| account == key.account)
    {
        return Err(Code::KeyKnown.into());
    }
    let mut events = decide_intent::wallet_closed(state, wallet);
    events.push(EventBody::WalletRotated {
        wallet,
        path: key.path,
        account: key.account,
        first_nonce,
        statement: submission.statement,
        signers,
    });
    Ok(Decision {
        events,
        outcome: Ok(Outcome::Done),
    })
}
