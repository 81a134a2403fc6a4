//! The one place where refusals become HTTP: code -> status, and problem+json (RFC 9457). What a
//! client reads is made here from codes and values; what happened inside goes to the log and nowhere
//! else. No message holds a path, a secret or a stranger's text, except a chain's own bounded words.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::{Code, Denial, Next, Violation};

use crate::chain::{ChainError, RpcError};
use crate::clock::rfc3339;
use crate::database::DatabaseError;
use crate::pipeline::Refusal;
use crate::pipeline::authenticate::AuthenticateError;
use crate::signer_client::SignerError;
use waiaas_shared::time::WallTime;

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
    QueryMalformed = "query_malformed", BAD_REQUEST, Stop, "The query has unknown, doubled or malformed parameters.";
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, Stop, "The body did not arrive in time.";
    BodyIncomplete = "body_incomplete", BAD_REQUEST, Stop, "The body ended early.";
    // Who asks.
    TokenMissing = "token_missing", UNAUTHORIZED, Stop, "The request carries no session token.";
    TokenInvalid = "token_invalid", UNAUTHORIZED, Stop, "The session token is not one of this gateway's, or has expired.";
    CredentialInvalid = "credential_invalid", UNAUTHORIZED, Stop, "The session's secret or signature is not right, or there is no such session.";
    ContentDigest = "content_digest_invalid", UNAUTHORIZED, Stop, "Content-Digest is missing or is not the body's.";
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
        | Code::AuthorizationExpired => StatusCode::CONFLICT,
        Code::IntentTooMany => StatusCode::TOO_MANY_REQUESTS,
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
        | Code::ReplacesUnknown => StatusCode::NOT_FOUND,
        // Rules of session, wallet and policy; and what belongs to admin.sock alone.
        _ => StatusCode::FORBIDDEN,
    }
}

/// A refusal on its way to the client.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<ProblemBody>);

/// A refusal as clients read it (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:waiaas:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The first reason, in one plain sentence.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The first reason's stable code.
    code: String,
    /// More about this one case.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Every rule that was broken.
    violations: Vec<Broken>,
    /// The largest amount that the broken limits allow now, base units, worst-case fee included; absent
    /// where no amount would pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_now: Option<String>,
    /// What to do next, in words.
    hint: String,
    /// When to try again; absent where waiting does not help.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
    /// What the request signature had to be made over.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_signature_base: Option<String>,
    /// The gateway's clock, Unix time in seconds, where a time was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    server_time_seconds: Option<u64>,
}

/// One rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Broken {
    /// Stable code, see docs/policy.md.
    pub code: String,
    /// One plain sentence.
    pub message: String,
    /// The asset that the values are in (CAIP-19).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// What was asked for, in base units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    /// What the rule allows now, in base units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// When the same request passes this rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// Which argument of a call it is about, from 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument: Option<u8>,
    /// `pay_less`, `wait`, `ask_owner` or `stop`.
    #[schema(value_type = String)]
    pub next: Next,
}

impl From<&Violation> for Broken {
    fn from(violation: &Violation) -> Self {
        Self {
            code: violation.code.as_str().to_owned(),
            message: violation.code.message().to_owned(),
            asset: violation.asset.map(|asset| asset.to_string()),
            observed: violation.observed.map(|observed| observed.to_string()),
            allowed: violation.allowed.map(|allowed| allowed.to_string()),
            retry_after_seconds: violation
                .retry_after
                .map(|wait| wait.millis().div_ceil(1000)),
            argument: violation.argument,
            next: violation.code.next(),
        }
    }
}

impl Problem {
    /// A problem of the gateway's own.
    #[must_use]
    pub fn of(code: GatewayCode) -> Self {
        Self(Box::new(ProblemBody {
            kind: kind(code.as_str()),
            title: code.message().to_owned(),
            status: code.status().as_u16(),
            code: code.as_str().to_owned(),
            detail: None,
            violations: vec![Broken {
                code: code.as_str().to_owned(),
                message: code.message().to_owned(),
                asset: None,
                observed: None,
                allowed: None,
                retry_after_seconds: None,
                argument: None,
                next: code.next(),
            }],
            allowed_now: None,
            hint: gateway_hint(code).to_owned(),
            retry_after_seconds: (code.next() == Next::Wait).then_some(1),
            expected_signature_base: None,
            server_time_seconds: None,
        }))
    }

    /// A denial with every rule that was broken.
    #[must_use]
    pub fn denied(denial: &Denial) -> Self {
        let violations = denial.violations();
        // The status of what is most fundamental: an unreachable state before a rule.
        let weight = |code: Code| match status_of(code).as_u16() {
            503 | 507 | 500 => 0,
            400 | 413 | 422 | 409 | 429 => 1,
            401 => 2,
            404 => 3,
            _ => 4,
        };
        let lightest = violations
            .iter()
            .map(|broken| broken.code)
            .min_by_key(|code| weight(*code));
        let code = lightest.unwrap_or(Code::BodyMalformed);
        let allowed_now = allowed_now(violations).filter(|left| *left > Amount::ZERO);
        let retry_after = retry_after(violations);
        Self(Box::new(ProblemBody {
            kind: kind(code.as_str()),
            title: code.message().to_owned(),
            status: status_of(code).as_u16(),
            code: code.as_str().to_owned(),
            detail: None,
            violations: violations.iter().map(Broken::from).collect(),
            hint: denial_hint(violations, allowed_now, retry_after),
            allowed_now: allowed_now.map(|amount| amount.to_string()),
            retry_after_seconds: retry_after,
            expected_signature_base: None,
            server_time_seconds: None,
        }))
    }

    /// More about this one case.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    fn with_clock(mut self, now: WallTime) -> Self {
        self.0.server_time_seconds = Some(now.millis() / 1000);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// A refused proof of who asks.
    #[must_use]
    pub fn unauthenticated(error: AuthenticateError, now: WallTime) -> Self {
        match error {
            AuthenticateError::Session(code) => Self::denied(&code.into()),
            AuthenticateError::Missing => Self::denied(&Code::RequestSignatureMissing.into()),
            AuthenticateError::Digest => Self::of(GatewayCode::ContentDigest),
            AuthenticateError::Skew => Self::denied(&Code::RequestTimeSkew.into())
                .with_detail(format!("The gateway's time is {}.", rfc3339(now)))
                .with_clock(now),
            AuthenticateError::Signature { error, expected } => {
                let mut problem = Self::denied(&Code::RequestSignatureInvalid.into())
                    .with_detail(format!("{}: {error}.", error.code()))
                    .with_clock(now);
                problem.0.expected_signature_base = expected;
                problem
            }
        }
    }
}

fn kind(code: &str) -> String {
    format!("urn:waiaas:problem:{code}")
}

impl From<GatewayCode> for Problem {
    fn from(code: GatewayCode) -> Self {
        Self::of(code)
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::denied(&code.into())
    }
}

impl From<SignerError> for Problem {
    fn from(error: SignerError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(denial) => Self::denied(&denial),
            Refusal::Signer(error) => match error {
                SignerError::Denied(denial) => Self::denied(&denial),
                SignerError::Unreachable(_) => Self::of(GatewayCode::SignerUnreachable),
                SignerError::Interrupted | SignerError::TimedOut => {
                    Self::of(GatewayCode::SignerInterrupted)
                }
                SignerError::Version => Self::of(GatewayCode::SignerVersion),
            },
            Refusal::Chain(error) => of_chain(&error),
            Refusal::ChainNotConfigured(chain) => {
                Self::of(GatewayCode::ChainNotConfigured).with_detail(chain.to_string())
            }
            Refusal::Database(DatabaseError::Overloaded) => Self::of(GatewayCode::Overloaded),
            Refusal::Database(_) => Self::of(GatewayCode::Storage),
            Refusal::Log(fault) => {
                Self::of(GatewayCode::LogRolledBack).with_detail(fault.to_string())
            }
            Refusal::Behind => Self::of(GatewayCode::ProjectionBehind),
            Refusal::NotEnded(status) => Self::of(GatewayCode::ReplacesNotEnded)
                .with_detail(format!("The payment is {status}.")),
            Refusal::Unauthenticated { error, now } => Self::unauthenticated(error, now),
            Refusal::Internal => Self::of(GatewayCode::Internal),
        }
    }
}

fn of_chain(error: &ChainError) -> Problem {
    let asset = match error {
        ChainError::InsufficientTokens { asset, .. } | ChainError::TokenTakesFee { asset, .. } => {
            Some(**asset)
        }
        _ => None,
    };
    let (code, values) = match error {
        ChainError::Rpc(RpcError::Lies(_)) => (GatewayCode::ChainLies, None),
        ChainError::Rpc(_) => (GatewayCode::ChainUnreachable, None),
        ChainError::FamilyMismatch
        | ChainError::AmountTooLarge
        | ChainError::Unbuildable(_)
        | ChainError::NotSigned => (GatewayCode::AccountMismatch, None),
        ChainError::GasAboveLimit { .. } | ChainError::WouldFail { .. } => {
            (GatewayCode::WouldFail, None)
        }
        ChainError::InsufficientFunds { balance, needed } => {
            (GatewayCode::InsufficientFunds, Some((*needed, *balance)))
        }
        ChainError::InsufficientTokens {
            balance, needed, ..
        } => (GatewayCode::InsufficientTokens, Some((*needed, *balance))),
        ChainError::NoToken(_) => (GatewayCode::TokenUnknown, None),
        ChainError::TokenTakesFee { sent, received, .. } => {
            (GatewayCode::TokenTakesFee, Some((*sent, *received)))
        }
        ChainError::DataFeeAboveCeiling { needed, ceiling } => {
            (GatewayCode::DataFeeCeiling, Some((*needed, *ceiling)))
        }
        ChainError::FeeAboveCeiling { needed, ceiling } => {
            let broken = Violation {
                observed: Some(*needed),
                allowed: Some(*ceiling),
                ..Violation::of(Code::FeeCeiling)
            };
            let mut problem = Problem::denied(&broken.into()).with_detail(error.to_string());
            "The network asks more than the fee ceiling of policy or configuration: wait until fees fall, \
             or ask the owner to raise the ceiling."
                .clone_into(&mut problem.0.hint);
            return problem;
        }
    };
    let mut problem = Problem::of(code).with_detail(error.to_string());
    if let (Some((observed, allowed)), Some(broken)) = (values, problem.0.violations.first_mut()) {
        broken.observed = Some(observed.to_string());
        broken.allowed = Some(allowed.to_string());
        broken.asset = asset.map(|asset| asset.to_string());
    }
    problem
}

/// The largest amount that would pass now, if only limits of one asset stand in the way.
fn allowed_now(violations: &[Violation]) -> Option<Amount> {
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
fn retry_after(violations: &[Violation]) -> Option<u64> {
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

fn denial_hint(
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
        _ => "Pay less.",
    };
    words.to_owned()
}

const fn gateway_hint(code: GatewayCode) -> &'static str {
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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry = self.0.retry_after_seconds;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = retry
            && let Ok(value) = HeaderValue::from_str(&seconds.to_string())
        {
            headers.insert(header::RETRY_AFTER, value);
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"waiaas\"");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waiaas_shared::caip::ChainId;
    use waiaas_shared::time::Millis;

    fn limit(code: Code, allowed: u128, wait: Option<u64>) -> Violation {
        let asset = ChainId::Evm(1).native_asset();
        let amount = Amount::from_base_units;
        Violation {
            retry_after: wait.map(Millis::from_millis),
            ..Violation::limit(code, asset, amount(100), amount(allowed))
        }
    }

    fn problem(violations: Vec<Violation>) -> ProblemBody {
        *Problem::denied(&Denial::from_violations(violations).expect("some")).0
    }

    #[test]
    fn the_smallest_limit_is_what_may_be_paid_now() {
        let told = problem(vec![
            limit(Code::PerTransactionLimit, 50, None),
            limit(Code::HourLimit, 7, Some(1500)),
        ]);
        assert_eq!(told.allowed_now.as_deref(), Some("7"));
        assert_eq!(told.status, 403);
        // The first rule never passes by waiting.
        assert_eq!(told.retry_after_seconds, None);
        let told = problem(vec![
            limit(Code::HourLimit, 7, Some(1500)),
            limit(Code::DayLimit, 9, Some(9001)),
        ]);
        assert_eq!(told.retry_after_seconds, Some(10));
        // Nothing is left: no amount is named.
        let told = problem(vec![limit(Code::HourLimit, 0, Some(1500))]);
        assert_eq!(told.allowed_now, None);
        assert!(
            told.hint.starts_with("Wait for retry_after_seconds"),
            "{}",
            told.hint
        );
    }

    #[test]
    fn no_hint_names_a_field_that_is_absent() {
        for code in Code::ALL {
            let told = problem(vec![Violation::of(*code)]);
            let named = told.hint.contains("retry_after_seconds");
            assert!(!named || told.retry_after_seconds.is_some(), "{code}");
        }
        let rent = problem(vec![limit(Code::RentCeiling, 7, None)]);
        assert!(rent.hint.starts_with("Ask the owner"), "{}", rent.hint);
    }

    #[test]
    fn no_amount_is_promised_where_another_rule_stands_in_the_way() {
        let other = Violation::of(Code::RecipientNotListed);
        let told = problem(vec![limit(Code::HourLimit, 7, Some(1)), other]);
        assert_eq!(told.allowed_now, None);
        assert_eq!(told.retry_after_seconds, None);
        assert_eq!(told.violations.len(), 2);
    }

    #[test]
    fn a_state_outranks_a_rule() {
        let told = problem(vec![
            limit(Code::HourLimit, 7, Some(1)),
            Violation::of(Code::Locked),
        ]);
        assert_eq!((told.status, told.code.as_str()), (503, "locked"));
        assert_eq!(told.retry_after_seconds, None);
    }

    #[test]
    fn every_code_has_a_status_for_refusals_and_a_name_of_its_own() {
        for code in Code::ALL {
            assert!(
                status_of(*code).is_client_error() || status_of(*code).is_server_error(),
                "{code}"
            );
        }
        for (place, code) in GatewayCode::ALL.iter().enumerate() {
            assert!(Code::from_text(code.as_str()).is_none(), "{code:?}");
            let later = GatewayCode::ALL.iter().skip(place + 1);
            assert!(
                later
                    .into_iter()
                    .all(|other| other.as_str() != code.as_str()),
                "{code:?}"
            );
            assert!(code.status().as_u16() >= 400 && code.message().ends_with('.'));
        }
    }

    /// docs/api.md has a row for each code of the gateway's own, with its status.
    #[test]
    fn every_code_of_the_gateway_is_documented() {
        let document = include_str!("../../../docs/api.md");
        for code in GatewayCode::ALL {
            let row = format!("| `{}` | {} |", code.as_str(), code.status().as_u16());
            assert!(document.contains(&row), "docs/api.md lacks {row}");
        }
    }

    #[test]
    fn problems_are_problem_json() {
        let response = Problem::of(GatewayCode::Overloaded).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert_eq!(response.headers()["retry-after"], "1");
    }
}
