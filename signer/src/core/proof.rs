//! The proof that the agent itself asked (invariant 18): its HTTP Message Signature over this very
//! route, young, and used once. Each route is a domain of its own: what was signed for one never serves
//! another. Called by the decisions over payments, messages and
//! renewals.

use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::RequestNonce;
use waiaas_shared::ids::SessionId;
use waiaas_shared::request::{TransferRequest, is_idempotency_key};
use waiaas_shared::request_signature::{self, SignedRequest};
use waiaas_shared::session::Credential;
use waiaas_shared::time::{Millis, WallTime};

use super::command::{Context, SessionRequest};
use super::state::{Session, State};

/// How far a request signature's creation time may lie before the lower side of the signer's clock, and beyond its
/// upper side.
pub(super) const SKEW: Millis = Millis::from_secs(120);

/// What a signature is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    method: &'static str,
    path: &'static str,
}

/// The route whose signature makes a payment.
const PAYMENT: Route = Route {
    method: "POST",
    path: "/v1/transactions",
};
/// The route whose signature has a transaction signed that the agent brings.
const BROUGHT: Route = Route {
    method: "POST",
    path: "/v1/transactions/sign",
};
/// Both.
pub(super) const PAYMENTS: [Route; 2] = [PAYMENT, BROUGHT];
/// The route whose signature renews a session.
pub(super) const RENEWAL: Route = Route {
    method: "POST",
    path: "/v1/session/renew",
};

/// The route whose signature signs in at a web site.
pub(super) const SIGN_IN: Route = Route {
    method: "POST",
    path: "/v1/messages/sign-in",
};

/// The route of a payment with this body.
pub(super) const fn of_payment(body: &TransferRequest) -> Route {
    match body.brought {
        None => PAYMENT,
        Some(_) => BROUGHT,
    }
}

/// The route whose signature authorizes a transfer.
pub(super) const AUTHORIZATION: Route = Route {
    method: "POST",
    path: "/v1/messages/transfer-authorization",
};

/// Who asks, as far as it was proven.
pub(super) struct Proven {
    /// Who owns the idempotency key, and the key.
    pub(super) idempotency: Digest,
    /// Nothing of a bearer session.
    pub(super) nonce: Option<RequestNonce>,
}

/// The proof of a request that carries no transaction, with its idempotency key.
pub(super) fn proven(
    state: &State,
    session: &Session,
    request: &SessionRequest,
    route: Route,
    context: &Context,
) -> Result<Proven, Denial> {
    if !is_idempotency_key(&request.idempotency_key) {
        return Err(Code::IdempotencyKeyInvalid.into());
    }
    let signed = request.signed();
    let nonce = authenticate(session, request.session, &signed, route, context)?;
    let idempotency = state.idempotency(request.session, &request.idempotency_key);
    Ok(Proven {
        idempotency: idempotency.ok_or(Code::SessionUnknown)?,
        nonce,
    })
}

/// The nonce of the agent's signature; nothing for a bearer session.
pub(super) fn authenticate(
    session: &Session,
    id: SessionId,
    signed: &SignedRequest<'_>,
    route: Route,
    context: &Context,
) -> Result<Option<RequestNonce>, Denial> {
    let Credential::AgentKey(key) = &session.grant.credential else {
        return Ok(None);
    };
    if signed.signature.is_empty() || signed.signature_input.is_empty() {
        return Err(Code::RequestSignatureMissing.into());
    }
    // The agent signed for this route and nothing else: a dry run has the same body as a payment.
    if signed.request.method != route.method || signed.request.path != route.path {
        return Err(Code::RequestSignatureInvalid.into());
    }
    let verified =
        request_signature::verify(signed, key).map_err(|_| Code::RequestSignatureInvalid)?;
    if verified.session != id {
        return Err(Code::RequestSignatureInvalid.into());
    }
    let created = WallTime::from_millis(verified.created_seconds.saturating_mul(1000));
    // Between the sides nobody knows what time it is: an upper one that was ahead stays ahead for good.
    let apart = created.since(context.clocks.wall);
    let apart = apart.max(context.steady.since(created));
    if apart > SKEW {
        return Err(Code::RequestTimeSkew.into());
    }
    Ok(Some(RequestNonce {
        nonce: verified.nonce.as_str().to_owned(),
        expires: created.after(SKEW),
    }))
}

/// A signature counts once, on whatever route: its nonce is remembered, and of what was forgotten no such old one
/// counts again, whatever a clock says.
pub(super) fn first_use(
    state: &State,
    session: SessionId,
    proof: Option<&RequestNonce>,
) -> Result<(), Denial> {
    match proof {
        Some(proof) if state.request_nonces.contains(session, &proof.nonce) => {
            Err(Code::RequestNonceReused.into())
        }
        Some(proof)
            if state
                .request_nonces
                .may_be_forgotten(session, proof.expires) =>
        {
            Err(Code::RequestTimeSkew.into())
        }
        _ => Ok(()),
    }
}
