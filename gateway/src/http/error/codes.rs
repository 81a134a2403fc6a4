//! Reasons with their HTTP status: the gateway's own codes, and the status of each code of the signer. Held against
//! docs/api.md by a test.

use axum::http::StatusCode;
use waiaas_shared::denial::{Code, Next};

macro_rules! gateway_codes {
    ($($variant:ident = $text:literal, $status:ident, $next:ident, $message:literal;)*) => {
        /// Reasons that only the gateway has; beside `waiaas_shared::denial::Code`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum GatewayCode {
            $(#[doc = $message] $variant,)*
        }

        impl GatewayCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable text form.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// What the caller can do.
            #[must_use]
            pub const fn next(self) -> Next {
                match self { $(Self::$variant => Next::$next,)* }
            }

            /// One plain sentence.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)* }
            }
        }
    };
}

gateway_codes! {
    // The request as HTTP.
    NotFound = "not_found", NOT_FOUND, Stop, "There is nothing at this path.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, Stop, "This path does not take this method.";
    HostNotAllowed = "host_not_allowed", FORBIDDEN, Stop, "The Host header names none of this gateway's names.";
    OriginNotAllowed = "origin_not_allowed", FORBIDDEN, Stop, "Browsers may not call from this origin.";
    TargetMalformed = "target_malformed", BAD_REQUEST, Stop, "The request target must be a plain path without host, empty or dot segments and percent encoding.";
    HeaderMalformed = "header_malformed", BAD_REQUEST, Stop, "A header is doubled, or is not plain ASCII.";
    LengthRequired = "length_required", LENGTH_REQUIRED, Stop, "A body is sent with Content-Length, not in chunks.";
    MediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, Stop, "A body is sent as application/json, without Content-Encoding.";
    CommitmentUnknown = "commitment_unknown", UNPROCESSABLE_ENTITY, Stop, "The network knows no commitment of this name.";
    NoNonce = "no_nonce", UNPROCESSABLE_ENTITY, Stop, "Only EVM networks have nonces.";
    QueryMalformed = "query_malformed", BAD_REQUEST, Stop, "The query has unknown, doubled or malformed parameters.";
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, Stop, "The body did not arrive in time.";
    BodyIncomplete = "body_incomplete", BAD_REQUEST, Stop, "The body ended early.";
    // Who asks.
    TokenMissing = "token_missing", UNAUTHORIZED, Stop, "The request carries no session token.";
    TokenInvalid = "token_invalid", UNAUTHORIZED, Stop, "The session token is not one of this gateway's, or has expired.";
    CredentialInvalid = "credential_invalid", UNAUTHORIZED, Stop, "The session's secret or signature is not right, or there is no such session.";
    ContentDigest = "content_digest_invalid", UNAUTHORIZED, Stop, "Content-Digest is missing or is not the body's.";
    OwnerTokenMissing = "owner_token_missing", UNAUTHORIZED, Stop, "The request carries no owner's token.";
    OwnerTokenInvalid = "owner_token_invalid", UNAUTHORIZED, Stop, "The owner's token is not one of this gateway's, or has expired.";
    OwnerOnly = "owner_only", FORBIDDEN, AskOwner, "This route is the owner's: a session's token does not open it.";
    LoginInvalid = "login_invalid", UNAUTHORIZED, Stop, "The login is refused: another text, used before, too late, or not signed by an owner who may log in.";
    LoginEnded = "login_ended", UNAUTHORIZED, Stop, "The login has ended: logged out, or its key is no active owner's any more.";
    LoginUnavailable = "login_unavailable", SERVICE_UNAVAILABLE, AskOwner, "This gateway does not know at which address its owners reach it.";
    // What owners look for.
    PolicyUnknown = "policy_unknown", NOT_FOUND, Stop, "No policy of this epoch was adopted.";
    ChannelUnknown = "channel_unknown", NOT_FOUND, Stop, "No channel of this name is configured.";
    ChannelFailed = "channel_failed", BAD_GATEWAY, Stop, "The channel did not take the message.";
    // The world behind the gateway.
    SignerUnreachable = "signer_unreachable", SERVICE_UNAVAILABLE, Wait, "The signer cannot be reached: nothing was signed.";
    SignerInterrupted = "signer_interrupted", SERVICE_UNAVAILABLE, Wait, "The signer went away during the request: it may have been carried out.";
    SignerVersion = "signer_version", BAD_GATEWAY, AskOwner, "Gateway and signer are of different versions.";
    LogRolledBack = "log_rolled_back", SERVICE_UNAVAILABLE, AskOwner, "The signer's log is not the one that this gateway has followed: payments stop until the owner looks.";
    ProjectionBehind = "projection_behind", SERVICE_UNAVAILABLE, Wait, "The gateway has not read the signer's log up to this point yet.";
    ChainNotConfigured = "chain_not_configured", UNPROCESSABLE_ENTITY, AskOwner, "This gateway has no node of that network.";
    ChainUnreachable = "chain_unreachable", SERVICE_UNAVAILABLE, Wait, "No node of the network gives a usable answer.";
    ChainLies = "chain_lies", BAD_GATEWAY, AskOwner, "A node of the network gives answers that are certainly wrong.";
    WouldFail = "would_fail", UNPROCESSABLE_ENTITY, Stop, "The chain would refuse the transaction: nothing was signed.";
    InsufficientFunds = "insufficient_funds", UNPROCESSABLE_ENTITY, PayLess, "The wallet does not hold the amount and the worst-case fee.";
    InsufficientTokens = "insufficient_tokens", UNPROCESSABLE_ENTITY, PayLess, "The wallet does not hold that much of the token.";
    TokenUnknown = "token_unknown", UNPROCESSABLE_ENTITY, AskOwner, "No token answers on the network under the asset's name.";
    TokenTakesFee = "token_takes_fee", UNPROCESSABLE_ENTITY, Stop, "The token keeps a part of what is transferred: the recipient would get less than the amount.";
    DataFeeCeiling = "data_fee_ceiling", UNPROCESSABLE_ENTITY, Wait, "The network's fee for data is above what policy counts for it.";
    NotWaiting = "not_waiting", CONFLICT, Stop, "The payment does not wait: it was signed, or has ended.";
    NotUnderWay = "not_under_way", CONFLICT, Stop, "The payment is not under way on an EVM chain: only such a payment is sped up.";
    ReplacesNotEnded = "replaces_not_ended", CONFLICT, Stop, "The payment that `replaces` names has not ended unseen: it is under way, waits, or is on the chain.";
    AccountMismatch = "account_mismatch", UNPROCESSABLE_ENTITY, Stop, "The transaction cannot be built from these accounts and this amount.";
    Storage = "gateway_storage", INSUFFICIENT_STORAGE, Wait, "The gateway's disk is full or fails.";
    Overloaded = "gateway_overloaded", SERVICE_UNAVAILABLE, Wait, "Too many requests are under way.";
    Internal = "internal", INTERNAL_SERVER_ERROR, Stop, "The gateway made a mistake; its log says more.";
}

/// The HTTP status of a signer's code.
#[must_use]
pub const fn status_of(code: Code) -> StatusCode {
    match code {
        Code::NotInitialized
        | Code::Locked
        | Code::Killed
        | Code::Frozen
        | Code::ClockClosed
        | Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        Code::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::SigningFault | Code::EntropyFailed => StatusCode::INTERNAL_SERVER_ERROR,
        Code::BodyMalformed | Code::IdempotencyKeyInvalid | Code::BroughtMalformed => {
            StatusCode::BAD_REQUEST
        }
        Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::SignerMismatch
        | Code::BodyMismatch
        | Code::AmountInvalid
        | Code::ApprovalUnlimited
        | Code::TypedDataUnsupported
        | Code::MemoMalformed
        | Code::SolanaOnly
        | Code::BatchTooLarge
        | Code::CallData
        | Code::CallAccounts
        | Code::IntentTooLong
        | Code::TransactionUndecodable
        | Code::NonceNotZero
        | Code::ReplacesOther
        | Code::ReplacesEvm
        | Code::Overflow
        | Code::SignInMalformed
        | Code::StatementMalformed
        | Code::PolicyMalformed
        | Code::BroughtRole
        | Code::BroughtRecipient
        | Code::BroughtSubmit
        | Code::AuthorizationRecipient
        | Code::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
        Code::IdempotencyConflict
        | Code::BroughtNonce
        | Code::BroughtTableConflict
        | Code::IntentClosed
        | Code::IntentNotReady
        | Code::IntentNotApproved
        | Code::IntentExpired
        | Code::IntentDuplicate
        | Code::SessionRenewalEarly
        | Code::ReplacesTaken
        | Code::ReplacesCredited
        | Code::PaymentReplaced
        | Code::VariantUnsupported
        | Code::VariantNonceUsed
        | Code::VariantFee
        | Code::VariantTooMany
        | Code::VariantCancelled
        | Code::StatementExpired
        | Code::StatementMismatch
        | Code::NotPaused
        | Code::AuthorizationExpired => StatusCode::CONFLICT,
        Code::IntentTooMany | Code::StatementTooMany => StatusCode::TOO_MANY_REQUESTS,
        Code::RequestSignatureMissing
        | Code::RequestSignatureInvalid
        | Code::RequestTimeSkew
        | Code::RequestNonceReused
        | Code::SessionUnknown
        | Code::SessionExpired
        | Code::SessionRevoked => StatusCode::UNAUTHORIZED,
        Code::TransactionUnknown
        | Code::WalletUnknown
        | Code::IntentUnknown
        | Code::AgentUnknown
        | Code::StatementUnknown
        | Code::ReplacesUnknown => StatusCode::NOT_FOUND,
        // Rules of session, wallet and policy; and what belongs to admin.sock alone.
        _ => StatusCode::FORBIDDEN,
    }
}
