//! A second try after an unseen end (invariant 5): a new request that names the payment it replaces. That
//! the first one never lands is nobody's word to give: the new one is judged and charged as any other,
//! and both count. Checked here is only that it is a second try of the same.

use waiaas_shared::caip::ChainId;
use waiaas_shared::claim::Claim;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::{Replaces, Spend};
use waiaas_shared::ids::SessionId;
use waiaas_shared::request::TransferRequest;
use waiaas_shared::session::Credential;

use super::command::{Command, Prior, SpendRequest, Used};
use super::decide_variant;
use super::state::State;

/// What a request replaces; nothing if it says nothing.
pub(super) fn replaces(
    state: &State,
    request: &SpendRequest,
    body: &TransferRequest,
    asked: &Claim,
) -> Result<Option<Replaces>, Denial> {
    let Some(named) = body.replaces else {
        return Ok(None);
    };
    // A signed EVM payment can land for ever, and a later nonce only after it: a second one would pay
    // twice, never instead.
    if matches!(body.network, ChainId::Evm(_)) {
        return Err(Code::ReplacesEvm.into());
    }
    let earlier = request.replaced.as_deref();
    let earlier = earlier
        .filter(|prior| prior.spend.transaction == named && prior.spend.wallet == body.wallet)
        .filter(|prior| same_agent(state, prior.spend.session, request.session))
        .ok_or(Code::ReplacesUnknown)?;
    if !paid(&earlier.spend, asked) {
        return Err(Code::ReplacesOther.into());
    }
    if state.credited.contains(&earlier.sequence) {
        return Err(Code::ReplacesCredited.into());
    }
    if state.replaced.contains_key(&named) {
        return Err(Code::ReplacesTaken.into());
    }
    let before = earlier.spend.replaces.map_or(0, |first| first.tries);
    Ok(Some(Replaces {
        transaction: named,
        tries: before.saturating_add(1),
    }))
}

/// Why the bytes of a payment that a command asks for again are not given: its owner credited it, or
/// something took its place.
pub(super) fn withheld(state: &State, command: &Command) -> Option<Code> {
    let entry = asked_again(state, command)?;
    if state.credited.contains(&entry.sequence) {
        Some(Code::PaymentCredited)
    } else if state.replaced.contains_key(&entry.spend.transaction) {
        Some(Code::PaymentReplaced)
    } else {
        None
    }
}

fn asked_again<'a>(state: &'a State, command: &'a Command) -> Option<&'a Prior> {
    match command {
        Command::Resend(prior, _) => Some(prior.as_ref()),
        Command::Release(release) => release.prior.as_deref(),
        Command::Vary(request) => decide_variant::asked_again(state, request),
        Command::Spend(request) if !request.dry_run => {
            let idempotency = state.idempotency(request.session, &request.idempotency_key)?;
            let known = request.used.as_ref();
            match known.or_else(|| state.uncommitted(&idempotency)) {
                Some(Used::Paid(prior)) if prior.spend.idempotency == idempotency => {
                    Some(prior.as_ref())
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether the session that paid is the one that asks, or of the same agent's key.
fn same_agent(state: &State, paid: Option<SessionId>, asks: SessionId) -> bool {
    let agent = |session: &SessionId| match state.sessions.get(session)?.grant.credential {
        Credential::AgentKey(key) => Some(key),
        Credential::Bearer(_) => None,
    };
    paid.is_some_and(|paid| {
        paid == asks || agent(&paid).is_some_and(|key| agent(&asks) == Some(key))
    })
}

/// Whether a payment moved exactly this, in this order and with this memo.
fn paid(spend: &Spend, asked: &Claim) -> bool {
    asked.is_moved_by(&spend.effects, spend.memo.as_ref())
}
