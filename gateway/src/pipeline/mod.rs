//! The life of a payment in six stages, one file each: validate, authenticate, evaluate, tier, sign,
//! confirm; and `waiting` between the last two, for what is not signed at once. The gateway refuses early what it can see; the signer's answer is the one that counts.
//! Called by `http`; the statuses are those of `waiaas_shared::status`.

pub mod authenticate;
pub mod confirm;
pub mod evaluate;
pub mod sign;
pub mod tier;
pub mod validate;
pub mod vary;
pub(crate) mod waiting;

use std::sync::Arc;

use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::request::TransferRequest;
use waiaas_shared::session::Credential;
use waiaas_shared::status::Status;
use waiaas_shared::time::WallTime;

use crate::app::App;
use crate::chain::ChainError;
use crate::database::{DatabaseError, Durability};
use crate::payment::Payment;
use crate::projection::{LogFault, store};
use crate::signer_client::SignerError;
use crate::views::KnownSession;
use authenticate::{AgentRequest, AuthenticateError, authenticate};
use sign::Signed;

/// Why a request was not carried out. Whose fault: in the variants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Rules are broken; by the signer's judgement, or already by the gateway's.
    #[error("denied")]
    Denied(Denial),
    /// The signer gave no answer.
    #[error(transparent)]
    Signer(SignerError),
    /// The chain's part cannot be done.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// No node is configured for the chain.
    #[error("{0} is not configured in this gateway")]
    ChainNotConfigured(ChainId),
    /// The gateway's own storage failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The signer's log is not the one seen before.
    #[error(transparent)]
    Log(LogFault),
    /// The projection has not caught up.
    #[error("the projection is behind the signer's log")]
    Behind,
    /// The payment that is to be replaced stands at this.
    #[error("the payment to be replaced is {0}")]
    NotEnded(Status),
    /// The request does not belong to its session.
    #[error("{error}")]
    Unauthenticated {
        /// Why.
        error: AuthenticateError,
        /// The time by which that was judged.
        now: WallTime,
    },
    /// A mistake of this program.
    #[error("internal error")]
    Internal,
}

impl From<SignerError> for Refusal {
    fn from(error: SignerError) -> Self {
        match error {
            SignerError::Denied(denial) => Self::Denied(denial),
            other => Self::Signer(other),
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::Denied(code.into())
    }
}

/// A payment request that was read and whose session is known.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Under which session.
    pub session: Arc<KnownSession>,
    /// As it came over HTTP.
    pub agent: AgentRequest,
    /// What its body says.
    pub body: TransferRequest,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// The payment.
    pub payment: Payment,
    /// Its signed bytes, if the agent sends them itself and the signer let them out.
    pub raw: Option<Vec<u8>>,
    /// Whether the idempotency key had been used before: this is the earlier payment.
    pub replay: bool,
}

/// Carries a payment out, or tells the earlier one that used the idempotency key. The signer verifies
/// the agent's signature of what it accepts; every other answer is only for whose signature verifies here.
///
/// # Errors
/// [`Refusal`].
pub async fn pay(app: &Arc<App>, asked: Asked) -> Result<Paid, Refusal> {
    app.require_sound_log()?;
    let refusal = match attempt(app, &asked).await {
        Ok(paid) => return Ok(paid),
        Err(refusal) => refusal,
    };
    let now = app.clock.now();
    authenticate(&asked.session, &asked.agent, now)
        .map_err(|error| Refusal::Unauthenticated { error, now })?;
    if is_about_now(&refusal) {
        // Whatever stands in the way now, the earlier payment has its status (invariant 19).
        return earlier(app, &asked, refusal).await;
    }
    Err(refusal)
}

async fn attempt(app: &Arc<App>, asked: &Asked) -> Result<Paid, Refusal> {
    let evaluated = evaluate::evaluate(app, asked).await?;
    evaluate::may_replace(app, asked).await?;
    let prepared = sign::build(
        app,
        evaluated.from,
        &evaluated.claim,
        (evaluated.offer(asked), evaluated.network),
        asked.body.submit,
    )
    .await?;
    // From here on nothing may be left half-done because a client hangs up.
    let (app, asked) = (Arc::clone(app), asked.clone());
    let rest = async move {
        match sign::sign(&app, &asked, &evaluated, prepared).await? {
            Signed::Now(signed) => {
                tier::told(&signed.payment);
                confirm::release(&app, signed).await
            }
            Signed::Later { payment, replay } => {
                if !replay {
                    tier::told(&payment);
                }
                Ok(Paid {
                    payment,
                    raw: None,
                    replay,
                })
            }
        }
    };
    tokio::spawn(rest).await.map_err(|_| Refusal::Internal)?
}

/// Whether a refusal says nothing about the idempotency key itself.
fn is_about_now(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Denied(denial) => {
            let conflict = |code| {
                matches!(
                    code,
                    Code::IdempotencyConflict
                        | Code::RequestSignatureInvalid
                        | Code::RequestSignatureMissing
                        | Code::RequestTimeSkew
                )
            };
            !denial
                .violations()
                .iter()
                .any(|broken| conflict(broken.code))
        }
        _ => true,
    }
}

async fn earlier(app: &Arc<App>, asked: &Asked, refusal: Refusal) -> Result<Paid, Refusal> {
    let key = idempotency(&asked.session, &asked.agent.idempotency_key);
    let find = move |connection: &rusqlite::Connection| store::by_idempotency(connection, key);
    match app.database.run(Durability::Process, find).await {
        Ok(Some(payment)) if payment.facts.body == body_digest(&asked.agent.body) => Ok(Paid {
            payment,
            raw: None,
            replay: true,
        }),
        Ok(Some(_)) => Err(Code::IdempotencyConflict.into()),
        Ok(None) | Err(_) => Err(refusal),
    }
}

/// A payment by its name, as the projection has it. One that was made a moment ago is in the signer's
/// log before it is here.
///
/// # Errors
/// [`Refusal`].
pub async fn find(app: &App, id: TransactionId) -> Result<Option<Payment>, Refusal> {
    if let Some(payment) = look_up(app, id).await? {
        return Ok(Some(payment));
    }
    let status = app.signer.status().await?;
    app.caught_up(status.sequence).await?;
    look_up(app, id).await
}

/// The same for a payment that an event tells of.
async fn recorded(app: &App, id: TransactionId, sequence: u64) -> Result<Payment, Refusal> {
    app.caught_up(sequence).await?;
    look_up(app, id).await?.ok_or(Refusal::Behind)
}

async fn look_up(app: &App, id: TransactionId) -> Result<Option<Payment>, Refusal> {
    let find = move |connection: &rusqlite::Connection| store::payment(connection, id);
    Ok(app.database.run(Durability::Process, find).await?)
}

/// Digest under which the signer's log knows an idempotency key: it belongs to the agent, or to the
/// session of a bearer (invariant 19).
fn idempotency(session: &KnownSession, key: &str) -> Digest {
    let owner: &[u8] = match &session.grant.credential {
        Credential::AgentKey(agent) => agent.as_bytes(),
        Credential::Bearer(_) => session.id.as_bytes(),
    };
    hash(Domain::Idempotency, &[owner, key.as_bytes()])
}

fn body_digest(body: &[u8]) -> Digest {
    hash(Domain::RequestBody, &[body])
}
