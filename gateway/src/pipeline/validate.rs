//! Stage 1, validate: the body is exactly a transfer, or several, for this signer, from a wallet of the session.
//! Reads nothing but the request; whatever passes is judged again by the signer.

use waiaas_shared::denial::Code;
use waiaas_shared::ids::SignerId;
use waiaas_shared::request::{TransferRequest, is_idempotency_key};

use super::Refusal;
use crate::views::KnownSession;

/// Reads a body.
///
/// # Errors
/// [`Refusal::Denied`] with the first code.
pub fn validate(
    body: &[u8],
    session: &KnownSession,
    signer: Option<SignerId>,
) -> Result<TransferRequest, Refusal> {
    let request = TransferRequest::parse(body)?;
    if signer.is_some_and(|signer| signer != request.signer) {
        return Err(Code::SignerMismatch.into());
    }
    if !session.grant.wallets.contains(&request.wallet) {
        return Err(Code::SessionWallet.into());
    }
    Ok(request)
}

/// Checks the key under which a payment is remembered.
///
/// # Errors
/// [`Code::IdempotencyKeyInvalid`].
pub fn idempotency_key(key: &str) -> Result<(), Refusal> {
    if is_idempotency_key(key) {
        Ok(())
    } else {
        Err(Code::IdempotencyKeyInvalid.into())
    }
}
