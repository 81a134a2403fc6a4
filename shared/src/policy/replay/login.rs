//! Logins of a replay: how each went, how it would have gone, what is different, and how many there are of
//! each. Compares and counts; what a document says is [`PolicyDocument::judge_login`]'s to say.

use std::collections::VecDeque;

use serde::Serialize;

use super::super::document::PolicyDocument;
use super::super::evaluate::Tier;
use super::super::sign_in::{Allowed, Login};
use super::super::windows::Usage;
use crate::caip::ChainId;
use crate::denial::{Code, Violation};
use crate::event::SignedIn;
use crate::ids::{MessageId, SessionId, WalletId};
use crate::time::{BudgetTime, Millis, WallTime};

/// What would have been different about a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginDifference {
    /// Nothing.
    Same,
    /// Refused.
    Denied,
    /// The owner would have been told.
    Told,
    /// Its message would have held for a shorter time.
    Shorter,
    /// The owner would not have been told, or the message would have held for longer.
    Easier,
}

/// Logins by what would have been different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LoginCounts {
    /// Nothing.
    pub same: u64,
    /// Refused.
    pub denied: u64,
    /// The owner would have been told.
    pub told: u64,
    /// Its message would have held for a shorter time.
    pub shorter: u64,
    /// It would have passed more easily.
    pub easier: u64,
}

impl LoginCounts {
    /// All logins.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.same
            .saturating_add(self.denied)
            .saturating_add(self.told)
            .saturating_add(self.shorter)
            .saturating_add(self.easier)
    }
}

/// A login as it went, and as it would have gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoginRow {
    /// The event that decided it.
    pub sequence: u64,
    /// When.
    pub at: WallTime,
    /// Its name.
    pub message: MessageId,
    /// Under which session.
    pub session: SessionId,
    /// Which wallet.
    pub wallet: WalletId,
    /// On which chain.
    pub chain: ChainId,
    /// At which site.
    pub domain: String,
    /// How it was released.
    pub was: Tier,
    /// For how long its message held.
    pub held: Millis,
    /// How it would have been released; none: refused.
    pub would: Option<Tier>,
    /// For how long its message would have held.
    pub would_hold: Option<Millis>,
    /// What would have been different.
    pub difference: LoginDifference,
    /// The rules that refuse it.
    pub why: Vec<Code>,
}

/// All logins of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Logins {
    /// By what would have been different.
    pub counts: LoginCounts,
    /// The newest of those that would have been decided differently, in the log's order.
    pub rows: VecDeque<LoginRow>,
    /// How many of them are not listed.
    pub left_out: u64,
}

impl Logins {
    pub(super) fn count(&mut self, row: LoginRow, limit: usize) {
        let counts = &mut self.counts;
        let counter = match row.difference {
            LoginDifference::Same => &mut counts.same,
            LoginDifference::Denied => &mut counts.denied,
            LoginDifference::Told => &mut counts.told,
            LoginDifference::Shorter => &mut counts.shorter,
            LoginDifference::Easier => &mut counts.easier,
        };
        *counter = counter.saturating_add(1);
        if row.difference != LoginDifference::Same {
            self.rows.push_back(row);
            if self.rows.len() > limit {
                self.rows.pop_front();
                self.left_out = self.left_out.saturating_add(1);
            }
        }
    }
}

/// For how long the message of a login held.
pub(super) fn held(entry: &SignedIn) -> Millis {
    entry.fields.expires.since(entry.fields.issued)
}

/// What a document says of a login that was signed.
pub(super) fn judge(
    document: &PolicyDocument,
    entry: &SignedIn,
    valid_for: Option<Millis>,
    earlier: Option<&Usage>,
    now: BudgetTime,
) -> Result<Allowed, Vec<Violation>> {
    let login = Login {
        domain: &entry.fields.domain,
        chain: entry.fields.chain,
        uri: &entry.fields.uri,
        resources: &entry.fields.resources,
        valid_for,
        earlier,
    };
    document.judge_login(&login, now)
}

impl LoginRow {
    pub(super) fn judged(
        sequence: u64,
        at: WallTime,
        entry: &SignedIn,
        would: Result<Allowed, Vec<Violation>>,
    ) -> Self {
        let mut row = Self {
            sequence,
            at,
            message: entry.message,
            session: entry.session,
            wallet: entry.wallet,
            chain: entry.fields.chain,
            domain: entry.fields.domain.clone(),
            was: entry.tier,
            held: held(entry),
            would: None,
            would_hold: None,
            difference: LoginDifference::Denied,
            why: Vec::new(),
        };
        match would {
            Ok(allowed) => {
                row.would = Some(allowed.tier);
                row.would_hold = Some(allowed.valid_for);
                row.difference = row.difference_to(allowed);
            }
            Err(violations) => {
                for broken in violations {
                    if !row.why.contains(&broken.code) {
                        row.why.push(broken.code);
                    }
                }
            }
        }
        row
    }

    fn difference_to(&self, would: Allowed) -> LoginDifference {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match (would.tier.cmp(&self.was), would.valid_for.cmp(&self.held)) {
            (Greater, _) => LoginDifference::Told,
            (Less, _) | (Equal, Greater) => LoginDifference::Easier,
            (Equal, Less) => LoginDifference::Shorter,
            (Equal, Equal) => LoginDifference::Same,
        }
    }
}
