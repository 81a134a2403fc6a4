//! The one place where refusals become HTTP: `codes` (code -> status), `hints` (what to do next), and problem+json (RFC
//! 9457). What a client reads is made here from codes and values; what happened inside goes to the log and nowhere
//! else. No message holds a path, a secret or a stranger's text, except a chain's own bounded words.

mod codes;
mod hints;
#[cfg(test)]
mod tests;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::{Code, Denial, Next, Violation};

use crate::chain::{ChainError, RpcError};
use crate::clock::{Clock, rfc3339, up_to_second};
use crate::database::DatabaseError;
use crate::pipeline::Refusal;
use crate::pipeline::authenticate::AuthenticateError;
use crate::signer_client::SignerError;
use waiaas_shared::time::{Millis, WallTime};

pub use codes::{GatewayCode, status_of};

use hints::{allowed_now, denial_hint, gateway_hint, next_of, retry_after};

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
    /// The asset that `allowed_now` is in (CAIP-19).
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<String>,
    /// What to do next, of all violations together: `pay_less` (`allowed_now` says how much), `wait` (`retry_at` says
    /// how long), `ask_owner` or `stop`.
    #[schema(value_type = String)]
    next: Next,
    /// What to do next, in words.
    hint: String,
    /// When to try again; absent where waiting does not help.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
    /// The same as a moment of the gateway's clock (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
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
            asset: None,
            next: code.next(),
            hint: gateway_hint(code).to_owned(),
            retry_after_seconds: (code.next() == Next::Wait).then_some(1),
            retry_at: None,
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
            asset: allowed_now
                .and(violations.first())
                .and_then(|broken| broken.asset)
                .map(|asset| asset.to_string()),
            next: next_of(violations, allowed_now),
            allowed_now: allowed_now.map(|amount| amount.to_string()),
            retry_after_seconds: retry_after,
            retry_at: None,
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

    /// With the moment at which to try again: as it leaves.
    #[must_use]
    pub fn timed(mut self) -> Self {
        self.0.retry_at = self.0.retry_after_seconds.map(|seconds| {
            let now = Clock::system().now();
            rfc3339(up_to_second(now.after(Millis::from_secs(seconds))))
        });
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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry = self.0.retry_after_seconds;
        let mut response = (status, Json(self.timed())).into_response();
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
