//! What a login and an authorization begin with, alike: whose signer is meant, the session, the agent's own signature,
//! and what the idempotency key did before. What each asks for is judged in its own file.

use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::ids::SignerId;

use super::command::{Context, MessageRequest, Used};
use super::proof::{Proven, Route};
use super::state::{Session, State};
use super::{decide_session, proof};

/// A request whose sender is known, as far as one has to be.
pub(super) enum Begun<'a> {
    /// To be judged.
    New {
        session: &'a Session,
        /// Digest of its body.
        body: Digest,
        /// Nothing of a dry run, for which nobody signs.
        proven: Option<Proven>,
    },
    /// The same key with the same body did this before.
    Again(&'a Used),
}

/// Who asks, and whether it was asked before. The index of used keys is only a hint; the log's own entry must agree.
pub(super) fn begin<'a>(
    state: &'a State,
    asked: &'a MessageRequest,
    signer: SignerId,
    route: Route,
    context: &Context,
) -> Result<Begun<'a>, Denial> {
    let request = &asked.request;
    if Some(signer) != state.signer {
        return Err(Code::SignerMismatch.into());
    }
    let session = decide_session::usable(state, request.session, context.clocks)?;
    let body = hash(Domain::RequestBody, &[&request.body]);
    let new = |proven| Begun::New {
        session,
        body,
        proven,
    };
    if asked.dry_run {
        return Ok(new(None));
    }
    let proven = proof::proven(state, session, request, route, context)?;
    let known = asked.used.as_ref();
    let used = known.or_else(|| state.uncommitted(&proven.idempotency));
    match used.filter(|used| *used.idempotency() == proven.idempotency) {
        Some(used) if *used.body() == body => Ok(Begun::Again(used)),
        Some(_) => Err(Code::IdempotencyConflict.into()),
        None => {
            proof::first_use(state, request.session, proven.nonce.as_ref())?;
            Ok(new(Some(proven)))
        }
    }
}
