//! What a client can do about a refusal: how much may be paid, when to try again, and what to do next, in words.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::{Code, Next, Violation};

use super::GatewayCode;

/// The largest amount that would pass now, if only limits of one asset stand in the way.
pub(super) fn allowed_now(violations: &[Violation]) -> Option<Amount> {
    let asset = violations.first()?.asset?;
    let mut smallest: Option<Amount> = None;
    for broken in violations {
        let by_amount = matches!(
            broken.code,
            Code::SessionPerTransaction
                | Code::SessionTotal
                | Code::PerTransactionLimit
                | Code::HourLimit
                | Code::DayLimit
                | Code::WeekLimit
                | Code::MonthLimit
                | Code::TierNotAvailable
                | Code::OutstandingCap
        );
        if !by_amount || broken.asset != Some(asset) {
            return None;
        }
        let allowed = broken.allowed?;
        smallest = Some(smallest.map_or(allowed, |known| known.min(allowed)));
    }
    smallest
}

/// When every rule would pass; nothing if waiting does not help with one of them.
pub(super) fn retry_after(violations: &[Violation]) -> Option<u64> {
    let waits = violations
        .iter()
        .map(|broken| match (broken.retry_after, broken.code) {
            (Some(wait), _) => Some(wait.millis().div_ceil(1000)),
            (None, Code::Overloaded | Code::StorageFull) => Some(1),
            // One of them may end at any time.
            (None, Code::IntentTooMany) => Some(60),
            _ => None,
        });
    waits.collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// What to do about all violations together: where one stands that nothing helps against, nothing else does.
pub(super) fn next_of(violations: &[Violation], allowed_now: Option<Amount>) -> Next {
    if allowed_now.is_some() {
        return Next::PayLess;
    }
    let says = |next| violations.iter().any(|broken| broken.code.next() == next);
    if says(Next::Stop) {
        Next::Stop
    } else if says(Next::AskOwner) {
        Next::AskOwner
    } else if retry_after(violations).is_some() || says(Next::Wait) {
        Next::Wait
    } else if is_used_up(violations) {
        Next::AskOwner
    } else {
        Next::PayLess
    }
}

/// Whether nothing at all is left of a limit.
fn is_used_up(violations: &[Violation]) -> bool {
    let mut allowed = violations.iter().map(|broken| broken.allowed);
    allowed.any(|allowed| allowed == Some(Amount::ZERO))
}

pub(super) fn denial_hint(
    violations: &[Violation],
    allowed_now: Option<Amount>,
    retry_after: Option<u64>,
) -> String {
    let nexts: Vec<Next> = violations.iter().map(|broken| broken.code.next()).collect();
    if let Some(left) = allowed_now {
        return format!(
            "Pay at most {left} base units, the worst-case fee included, under a new Idempotency-Key."
        );
    }
    let first = violations.first().map(|broken| broken.code);
    let words = match first {
        Some(Code::RequestSignatureMissing) => {
            "Sign the request with the session's agent key (RFC 9421), see docs/api.md."
        }
        Some(Code::RequestSignatureInvalid) => {
            "Compare expected_signature_base with what was signed."
        }
        Some(Code::RequestTimeSkew) => "Set the clock, or sign with the gateway's time.",
        Some(Code::RequestNonceReused) => "Sign again with a fresh nonce.",
        Some(Code::IdempotencyConflict) => {
            "Use a new Idempotency-Key for a new request, or send the first body again."
        }
        Some(Code::IntentDuplicate) => {
            "Wait for the payment that is waiting already, or cancel it: GET /v1/transactions shows it."
        }
        Some(Code::IntentTooMany) => {
            "Wait until some of the waiting payments have ended, or cancel them."
        }
        Some(
            Code::IntentClosed
            | Code::IntentExpired
            | Code::TierRaised
            | Code::AuthorizationExpired,
        ) => "Ask again under a new Idempotency-Key.",
        Some(Code::Overloaded) => {
            "Send the same request with the same Idempotency-Key again in a moment."
        }
        Some(Code::SigningFault | Code::EntropyFailed) => {
            "Nothing was signed. Tell the owner: the signer's machine may be failing."
        }
        _ if nexts.contains(&Next::Stop) => "Correct the request; repeating it is of no use.",
        _ if nexts.contains(&Next::AskOwner) => "Ask the owner: only the owner can change this.",
        _ if nexts.contains(&Next::Wait) && retry_after.is_some() => {
            "Wait for retry_after_seconds, then send the request under a new Idempotency-Key."
        }
        _ if nexts.contains(&Next::Wait) => {
            "Send the request again later, under a new Idempotency-Key."
        }
        _ if is_used_up(violations) => {
            "Ask the owner: nothing is left of this limit, and waiting does not help."
        }
        _ => "Pay less.",
    };
    words.to_owned()
}

pub(super) const fn gateway_hint(code: GatewayCode) -> &'static str {
    match code {
        GatewayCode::SignerUnreachable
        | GatewayCode::SignerInterrupted
        | GatewayCode::ProjectionBehind
        | GatewayCode::ChainUnreachable
        | GatewayCode::Storage
        | GatewayCode::Overloaded => {
            "Send the same request with the same Idempotency-Key again: it is never carried out twice."
        }
        GatewayCode::TokenMissing | GatewayCode::TokenInvalid => {
            "Get a token with POST /v1/session/token and send it as Authorization: Bearer."
        }
        GatewayCode::CredentialInvalid => {
            "Send Authorization: Bearer waiaas_<session>_<secret>, or sign the request with the session's agent key."
        }
        GatewayCode::OwnerTokenMissing
        | GatewayCode::OwnerTokenInvalid
        | GatewayCode::LoginEnded => {
            "Log in with an owner's wallet: POST /v1/owner/login/challenge, then POST /v1/owner/login."
        }
        GatewayCode::LoginInvalid => {
            "Ask for a new challenge, and sign exactly its text within five minutes with the wallet of an owner who is not suspended."
        }
        GatewayCode::LoginUnavailable => {
            "Set approval-origin in the gateway's configuration to the address at which owners reach it."
        }
        GatewayCode::OwnerOnly => {
            "Leave it to the owner: GET /v1/session shows what this session may do."
        }
        GatewayCode::ChannelFailed => {
            "Look at detail, and at the channel's entry in the gateway's configuration."
        }
        GatewayCode::InsufficientFunds | GatewayCode::InsufficientTokens => {
            "Pay less, or fund the wallet."
        }
        GatewayCode::TokenTakesFee => {
            "Pay in another token, or agree on another way with the recipient."
        }
        GatewayCode::DataFeeCeiling => {
            "Wait until the fee falls, or ask the owner for a higher data-fee-ceiling."
        }
        GatewayCode::NotWaiting => {
            "What was signed cannot be cancelled, except on an EVM chain while it is under way: GET the transaction to see what becomes of it."
        }
        GatewayCode::NotUnderWay => "GET the transaction to see where it stands.",
        GatewayCode::ReplacesNotEnded => {
            "GET that payment: replace it once it is EXPIRED; one that is CONFIRMED has been made."
        }
        GatewayCode::LogRolledBack
        | GatewayCode::SignerVersion
        | GatewayCode::ChainLies
        | GatewayCode::TokenUnknown
        | GatewayCode::ChainNotConfigured => "Tell the owner.",
        GatewayCode::Internal => {
            "Send the same request with the same Idempotency-Key again: it is never carried out twice. Tell the owner if it stays."
        }
        GatewayCode::HostNotAllowed => {
            "Call the gateway by a loopback name, or list the name in allowed-hosts."
        }
        GatewayCode::OriginNotAllowed => {
            "Call from a program, or list the origin in allowed-origins."
        }
        _ => "Correct the request; see docs/api.md.",
    }
}
