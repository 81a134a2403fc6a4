//! What the signer does by itself, a second time: refusals that suspend a session, and the silence of owners
//! that pauses everything. Kept from what was observed; when something goes off follows from plain numbers.

use std::collections::{BTreeMap, BTreeSet};

use waiaas_shared::denial::Code;
use waiaas_shared::ids::{OwnerId, SessionId};
use waiaas_shared::policy::alarm::{Action, Condition, Remedy};
use waiaas_shared::statement::StatementFacts;

use super::book::{Book, Kill};
use super::expect::Expect;
use super::payments::Request;

/// What is watched.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    /// Run clock at the last word of an owner.
    pub(super) heard: u64,
    pub(super) suspended: BTreeSet<SessionId>,
    /// Different requests that were refused since the session's last signed one.
    rows: BTreeMap<SessionId, BTreeSet<Vec<u8>>>,
    /// Numbers at which an alarm over refusals went off for a session, and violations that were escalated.
    went_off: BTreeSet<(SessionId, u32, Remedy)>,
    escalated: BTreeSet<(SessionId, Code, Action)>,
}

impl Watch {
    /// A session is another's business now: what was counted begins anew.
    pub(super) fn begin_anew(&mut self, session: SessionId) {
        self.rows.remove(&session);
        self.went_off.retain(|(of, ..)| *of != session);
        self.escalated.retain(|(of, ..)| *of != session);
    }

    /// Under another document everything is counted anew.
    pub(super) fn adopted(&mut self) {
        self.rows.clear();
        self.went_off.clear();
        self.escalated.clear();
    }
}

/// Refusals that follow from what an agent asked, and not from what a gateway made of it: those of this
/// test, as docs/policy.md lists them.
const fn is_asked(code: Code) -> bool {
    matches!(
        code,
        Code::PerTransactionLimit
            | Code::HourLimit
            | Code::DayLimit
            | Code::WeekLimit
            | Code::MonthLimit
            | Code::HourCount
            | Code::DayCount
            | Code::WeekCount
            | Code::MonthCount
            | Code::RecipientLimit
            | Code::RecipientCount
            | Code::RecipientNotListed
            | Code::RecipientNotAllowed
            | Code::UsdLimit
            | Code::PaymentCount
            | Code::SessionWallet
            | Code::SessionAsset
            | Code::SessionPerTransaction
            | Code::SessionTotal
            | Code::SessionCount
            | Code::SessionSignOnly
            | Code::NetworkNotBound
            | Code::AssetNotListed
            | Code::TierNotAvailable
            | Code::OutstandingCap
            | Code::RecipientDenied
            | Code::NetworkNotAllowed
            | Code::AssetNotAllowed
            | Code::SessionOperation
            | Code::CallNotListed
            | Code::CallValue
            | Code::CallArgumentLimit
            | Code::CallArgumentValue
            | Code::CallArgumentWallet
            | Code::CallAccount
            | Code::CallOwnAccount
            | Code::AuthorizationNotListed
            | Code::AuthorizationValidity
            | Code::AuthorizationWaits
            | Code::UsdPriceMissing
            | Code::OutsideHours
            | Code::CoolDown
            | Code::IntentTooMany
            | Code::IntentDuplicate
    )
}

impl Book {
    /// Some of these owners, who may sign, were heard of.
    pub(super) fn word(&mut self, signers: &[OwnerId]) {
        if signers.iter().any(|owner| self.owners.may_sign(*owner)) {
            self.watch.heard = self.now().run;
        }
    }

    /// Nobody was heard of for as long as some binding document says: everything pauses.
    pub(super) fn silence(&mut self) -> bool {
        let documents = self.binding().iter();
        let after = documents.filter_map(|one| one.document.dead_man).min();
        let silent = after.is_some_and(|after| {
            self.now().run - self.watch.heard >= after.millis()
                && !self.frozen
                && self.kill != Kill::Activated
        });
        if silent {
            self.paused(None);
        }
        silent
    }

    /// Whether a request is the agent's own, made anew, as far as anybody can prove it.
    pub(super) fn is_the_agents(&self, request: &Request) -> bool {
        let mut expect = Expect::default();
        self.usable(request.session, &mut expect);
        let Some(session) = self.session(request.session) else {
            return false;
        };
        let used = self.used(session.holder(), &request.key).is_some();
        let signed = request.signed.as_ref();
        self.proven(session, signed, request.spoilt, false, &mut expect);
        !(request.dry_run || used || expect.is_refused())
    }

    /// What a refusal of such a request with these codes brings; whether the session is suspended.
    pub(super) fn refused(&mut self, request: &Request, codes: &BTreeSet<Code>) -> bool {
        let session = request.session;
        let mut suspends = false;
        let binding = self.binding().to_vec();
        for entry in binding.iter().flat_map(|one| &one.document.escalations) {
            if entry.action != Action::Ask && codes.contains(&entry.code) {
                let fresh = (session, entry.code, entry.action);
                let goes_off = self.watch.escalated.insert(fresh);
                suspends |= goes_off && entry.action == Action::SuspendSession;
            }
        }
        let alarms = binding.iter().flat_map(|one| &one.document.alarms);
        let rows: BTreeSet<(u32, Remedy)> = alarms
            .filter_map(|alarm| match alarm.condition {
                Condition::DenialsInARow { count } => Some((count, alarm.remedy)),
                _ => None,
            })
            .collect();
        let longest = rows.last().map_or(0, |(count, _)| *count) as usize;
        let row = self.watch.rows.entry(session).or_default();
        let counts = codes.iter().all(|code| is_asked(*code))
            && row.len() < longest
            && row.insert(request.body.clone());
        let number = row.len();
        for (count, remedy) in rows.into_iter().filter(|_| counts) {
            let before = self.watch.went_off.contains(&(session, count, remedy));
            let reached = number == count as usize || (number > count as usize && !before);
            if reached {
                self.watch.went_off.insert((session, count, remedy));
                suspends |= remedy == Remedy::SuspendSession;
            }
        }
        if suspends {
            self.suspend_session(session);
        }
        suspends
    }

    /// Nothing is signed for it until an owner resumes it, by a text that is written from now on.
    pub(super) fn suspend_session(&mut self, session: SessionId) {
        self.watch.suspended.insert(session);
        let void = StatementFacts::ResumeSession { session };
        for draft in self.drafts.values_mut() {
            draft.void |= draft.facts == void;
        }
        self.void_grants(session);
    }

    /// A session was stopped: no grant to the same holder that was written before gives it another one.
    pub(super) fn void_grants(&mut self, session: SessionId) {
        let Some(stopped) = self.session(session).map(|one| one.grant.credential) else {
            return;
        };
        for draft in self.drafts.values_mut() {
            if let StatementFacts::GrantSession { grant } = &draft.facts {
                draft.void |= grant.credential == stopped;
            }
        }
    }
}
