//! What asks the core for what is signed and is no transaction: a login at a web site, or a transfer authorization.

use waiaas_shared::authorization::TransferAuthorization;
use waiaas_shared::event::{SignedIn, Spend};
use waiaas_shared::time::BudgetTime;

use super::{SessionRequest, Used};

/// A login or an authorization that an agent asks for.
#[derive(Debug, Clone)]
pub struct MessageRequest {
    /// The request as it came over HTTP; its body holds fields, and no text or bytes to sign.
    pub request: SessionRequest,
    /// What already used its idempotency key, as the ledger's index found it. The core checks that it is
    /// the right one.
    pub used: Option<Used>,
    /// A dry run: judged, without the request's signature, and never committed.
    pub dry_run: bool,
}

/// A login that was counted, from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorLogin {
    /// The event's number.
    pub sequence: u64,
    /// When it was counted.
    pub counted_at: BudgetTime,
    /// The login.
    pub entry: SignedIn,
}

/// A transfer authorization that was charged, from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorAuthorization {
    /// The event's number.
    pub sequence: u64,
    /// When it was charged.
    pub charged_at: BudgetTime,
    /// The payment.
    pub spend: Spend,
    /// What is signed.
    pub authorization: TransferAuthorization,
}
