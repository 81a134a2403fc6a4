//! The decision over a renewal: inside of the bounds that the owner signed, without the owner. The
//! session keeps its identifier and its counters (invariant 18); nothing else of it changes.

use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::event::EventBody;
use waiaas_shared::request::{SignerRequest, is_idempotency_key};
use waiaas_shared::time::{Clocks, Millis, WallTime};

use super::command::{Context, Outcome, SessionRequest};
use super::state::{Session, State};
use super::{Decision, decide_session, proof};

/// Renews a session.
pub(super) fn renew(state: &State, request: &SessionRequest, context: &Context) -> Decision {
    let now = context.clocks;
    match renewed(state, request, context) {
        Ok(decision) => decision,
        Err(denial) => Decision {
            // An expiry once seen is durable: the clock may be set back, the session stays over.
            events: decide_session::expired_now(state, request.session, now),
            outcome: Err(denial),
        },
    }
}

fn renewed(state: &State, request: &SessionRequest, context: &Context) -> Result<Decision, Denial> {
    let now = context.clocks;
    let body = SignerRequest::parse(&request.body)?;
    if Some(body.signer) != state.signer {
        return Err(Code::SignerMismatch.into());
    }
    let session = decide_session::usable(state, request.session, now)?;
    if !is_idempotency_key(&request.idempotency_key) {
        return Err(Code::IdempotencyKeyInvalid.into());
    }
    let signed = request.signed();
    let proof = proof::authenticate(session, request.session, &signed, proof::RENEWAL, context)?;
    proof::first_use(state, request.session, proof.as_ref())?;
    if let Some(code) = state.stopped() {
        return Err(code.into());
    }
    let ends = new_end(session, now)?;
    Ok(Decision {
        events: vec![EventBody::SessionRenewed {
            session: request.session,
            ends,
            request_nonce: proof,
        }],
        outcome: Ok(Outcome::Renewed(ends)),
    })
}

/// When the session would end, or why it is not renewed now.
fn new_end(session: &Session, now: Clocks) -> Result<WallTime, Denial> {
    let renewal = session.grant.renewal.ok_or(Code::SessionNotRenewable)?;
    if session.renewals >= renewal.count {
        return Err(Code::SessionRenewalCount.into());
    }
    if session.ends >= renewal.until {
        return Err(Code::SessionRenewalEnd.into());
    }
    // Half of a renewal's time passes between two of them: a flood neither fills the log nor uses the
    // number of renewals up.
    let asked = now.wall.after(renewal.extends);
    let half = Millis::from_millis(renewal.extends.millis() / 2);
    let gained = asked.since(session.ends);
    if gained < half {
        let missing = session.ends.after(half).since(asked);
        return Err(Violation {
            retry_after: Some(missing),
            ..Violation::of(Code::SessionRenewalEarly)
        }
        .into());
    }
    Ok(asked.min(renewal.until))
}
