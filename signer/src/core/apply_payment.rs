//! The part of the fold that is about payments and logins: what waits, what was charged and counted, nonces
//! and keys that were used. Evaluates no rule.

use waiaas_shared::amount::Amount;
use waiaas_shared::authorization::TransferAuthorization;
use waiaas_shared::event::{Replaces, RequestNonce, SignedIn, Spend, Variant};
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::intent::Intent;
use waiaas_shared::policy::evaluate::{Charges, listed_charges, payments};
use waiaas_shared::policy::history::{Charged, WalletHistory};
use waiaas_shared::time::BudgetTime;

use super::apply_stop::void_attestations;
use super::command::{Prior, PriorAuthorization, PriorLogin, Used};
use super::state::{OpenIntent, State};

/// A payment waits.
pub(super) fn open_intent(state: &mut State, intent: &Intent, at: BudgetTime) {
    if let Some(session) = state.sessions.get_mut(&intent.session) {
        // Only the number is read.
        session.opened.charge(at, Amount::ZERO);
    }
    remember_nonce(state, intent.session, intent.request_nonce.as_ref());
    replace(state, intent.replaces, intent.transaction);
    let used = Used::Waited(Box::new(intent.clone()));
    state.uncommitted.insert(intent.idempotency, used);
    let open = OpenIntent {
        intent: intent.clone(),
        approval: None,
    };
    state.intents.insert(intent.transaction, open);
}

fn replace(state: &mut State, earlier: Option<Replaces>, by: TransactionId) {
    if let Some(earlier) = earlier {
        state.replaced.insert(earlier.transaction, by);
    }
}

/// A request signature is used once.
pub(super) fn remember_nonce(state: &mut State, session: SessionId, nonce: Option<&RequestNonce>) {
    if let Some(request) = nonce {
        let (nonce, end) = (&request.nonce, request.expires);
        let at = state.clocks.run;
        state.request_nonces.insert(session, nonce, end, at);
    }
}

/// A payment is charged; its signature is an effect of the event.
pub(super) fn charge(state: &mut State, spend: &Spend, at: BudgetTime) {
    charge_as(state, spend, at, WalletHistory::charge);
}

/// The same of a payment whose signed thing is a transfer authorization.
pub(super) fn charge_authorization(state: &mut State, spend: &Spend, at: BudgetTime) {
    charge_as(state, spend, at, WalletHistory::authorize);
}

fn charge_as(
    state: &mut State,
    spend: &Spend,
    at: BudgetTime,
    charge: fn(&mut WalletHistory, &Charged<'_>),
) {
    // A payment that waited waits no longer.
    state.intents.remove(&spend.transaction);
    replace(state, spend.replaces, spend.transaction);
    issue_nonce(state, spend);
    let charges = listed_charges(&spend.charges);
    let charged = Charged {
        at,
        chain: spend.chain,
        charges: &charges,
        effects: &spend.effects,
    };
    if let Some(wallet) = state.wallets.get_mut(&spend.wallet) {
        charge(&mut wallet.history, &charged);
    }
    if let Some(id) = spend.session {
        if let Some(session) = state.sessions.get_mut(&id) {
            session.usage.charge(&charges, payments(&spend.effects));
            session.history.charge(&charged);
        }
        remember_nonce(state, id, spend.request_nonce.as_ref());
    }
}

/// An issued nonce was signed once more: its transactions are charged as one.
pub(super) fn vary(state: &mut State, spend: &Spend, variant: &Variant, at: BudgetTime) {
    state.replaced.insert(variant.of, spend.transaction);
    if !variant.kept.is_empty() {
        state.kept.insert(variant.of, variant.kept.clone());
    }
    let (taken, charges) = (
        listed_charges(&variant.taken),
        listed_charges(&spend.charges),
    );
    let back = Charged {
        at: variant.charged_at,
        chain: spend.chain,
        charges: &taken,
        effects: &spend.effects,
    };
    let new = Charged {
        at,
        charges: &charges,
        ..back
    };
    let whole = !variant.cancels;
    if let Some(wallet) = state.wallets.get_mut(&spend.wallet) {
        wallet.history.vary(&back, &new, whole);
    }
    if let Some(session) = spend.session.and_then(|id| state.sessions.get_mut(&id)) {
        session.usage.vary(&taken, &charges);
        session.history.vary(&back, &new, whole);
    }
    remember(state, spend, Some(variant), at);
}

/// An owner's withdrawal has the nonce now: if it was issued before, no session speaks for it any more.
pub(super) fn take_nonce(state: &mut State, spend: &Spend) {
    if let Some(wallet) = state.wallets.get_mut(&spend.wallet) {
        wallet.withdraw_nonce(spend);
    }
    issue_nonce(state, spend);
}

/// The nonce in the signed bytes is given. If it is a new one, what owners read beside the one before is void.
fn issue_nonce(state: &mut State, spend: &Spend) {
    if let Some(wallet) = state.wallets.get_mut(&spend.wallet)
        && wallet.issue_nonce(spend)
    {
        void_attestations(state, spend.wallet, spend.chain, spend.from);
    }
}

/// Within its own batch a payment is found here; the ledger's index knows it only afterwards. The
/// authority fills in the sequence ([`State::place`]).
pub(super) fn remember(
    state: &mut State,
    spend: &Spend,
    variant: Option<&Variant>,
    at: BudgetTime,
) {
    let prior = Prior {
        sequence: 0,
        charged_at: at,
        spend: spend.clone(),
        variant: variant.cloned(),
    };
    let used = Used::Paid(Box::new(prior));
    state.uncommitted.insert(spend.idempotency, used);
}

/// The same of an authorization.
pub(super) fn remember_authorization(
    state: &mut State,
    spend: &Spend,
    authorization: &TransferAuthorization,
    at: BudgetTime,
) {
    let prior = PriorAuthorization {
        sequence: 0,
        charged_at: at,
        spend: spend.clone(),
        authorization: authorization.clone(),
    };
    let used = Used::Authorized(Box::new(prior));
    state.uncommitted.insert(spend.idempotency, used);
}

/// A login is counted, at its site and as a transaction of its session; its signature is an effect of the
/// event.
pub(super) fn sign_in(state: &mut State, entry: &SignedIn, at: BudgetTime) {
    // What no window reaches any more is not kept, or the state would grow with every site ever seen.
    state.logins.retain(|_, usage| !usage.is_forgotten(at));
    let key = (entry.wallet, entry.fields.domain.clone());
    // Only the number is read.
    state
        .logins
        .entry(key)
        .or_default()
        .charge(at, Amount::ZERO);
    if let Some(session) = state.sessions.get_mut(&entry.session) {
        session.usage.charge(&Charges::new(), 1);
    }
    remember_nonce(state, entry.session, entry.request_nonce.as_ref());
    let prior = PriorLogin {
        sequence: 0,
        counted_at: at,
        entry: entry.clone(),
    };
    let used = Used::SignedIn(Box::new(prior));
    state.uncommitted.insert(entry.idempotency, used);
}
