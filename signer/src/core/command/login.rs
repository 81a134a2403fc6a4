//! What asks the core for a login at a web site.

use waiaas_shared::event::SignedIn;
use waiaas_shared::time::BudgetTime;

use super::{SessionRequest, Used};

/// A login that an agent asks for.
#[derive(Debug, Clone)]
pub struct LoginRequest {
    /// The request as it came over HTTP; its body holds fields and no text to sign.
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
