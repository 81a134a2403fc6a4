//! What the signer watches by itself, folded from the log like everything else: suspended sessions,
//! refusals in a row, where alarms count anew, and when an owner was last heard of. `decide_alarm` reads
//! it; only the fold changes it.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{Event, EventBody, Spend};
use waiaas_shared::ids::{OwnerId, SessionId, WalletId};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::owner_change::Standing;
use waiaas_shared::policy::alarm::{Alarm, Condition, Subject, Trigger};
use waiaas_shared::policy::evaluate::payments;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::RunTime;

use super::apply_stop::void_grants;
use super::state::State;

/// Everything of this kind that the log says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub(super) struct Watch {
    /// Sessions that sign nothing until an owner resumes them.
    #[n(0)]
    pub(super) suspended: BTreeSet<SessionId>,
    /// Different requests that a session was refused since its last signed one.
    #[n(1)]
    pub(super) rows: BTreeMap<SessionId, BTreeSet<Digest>>,
    /// Where what went off counts anew, for whom it went off.
    #[n(2)]
    pub(super) marks: BTreeMap<(Trigger, Subject), u64>,
    /// Payments that a wallet ever signed for sessions, each transfer of a batch.
    #[n(3)]
    pub(super) signed: BTreeMap<WalletId, u64>,
    /// When an owner was last heard of.
    #[n(4)]
    pub(super) heard: RunTime,
    /// The dead-man time passed, and no owner has resumed since.
    #[n(5)]
    pub(super) silent: bool,
    /// Refusals that the log counted.
    #[n(6)]
    pub(super) denials: u64,
}

impl Watch {
    /// The mark of what went off for a subject.
    pub(super) fn mark(&self, trigger: &Trigger, subject: Subject) -> Option<u64> {
        self.marks.get(&(trigger.clone(), subject)).copied()
    }

    /// A payment of the session was signed, or the session is another's business now: refusals in a row
    /// begin anew. One that only waits ends no row, for it may be cancelled and costs nothing. What went off
    /// for its payments counts on from its mark.
    fn forget_row(&mut self, session: SessionId) {
        self.rows.remove(&session);
        self.marks.retain(|(trigger, subject), _| {
            *subject != Subject::Session(session) || !is_over_refusals(trigger)
        });
    }

    /// The session is over for good.
    fn forget(&mut self, session: SessionId) {
        self.rows.remove(&session);
        self.marks
            .retain(|(_, subject), _| *subject != Subject::Session(session));
    }

    fn signed(&mut self, spend: &Spend) {
        if let Some(session) = spend.session {
            self.forget_row(session);
            let signed = self.signed.entry(spend.wallet).or_default();
            *signed = signed.saturating_add(payments(&spend.effects).into());
        }
    }
}

/// Folds one event, after everything else of the state.
pub(super) fn fold(state: &mut State, event: &Event) {
    if is_word(state, &event.body) {
        state.watch.heard = event.clocks.run;
    }
    let watch = &mut state.watch;
    match &event.body {
        EventBody::SessionSuspended { session } => {
            watch.suspended.insert(*session);
            // One that was written before never undoes this suspension (invariants 14 and 16).
            let resumes = StatementFacts::ResumeSession { session: *session };
            for open in state.statements.values_mut() {
                open.void |= open.facts == resumes;
            }
            void_grants(state, *session);
        }
        EventBody::SessionResumed {
            session, statement, ..
        } => {
            watch.suspended.remove(session);
            watch.forget_row(*session);
            state.statements.remove(statement);
        }
        EventBody::AlarmRaised {
            trigger,
            subject,
            mark,
            ..
        } => {
            watch.silent |= matches!(trigger, Trigger::DeadMan { .. });
            watch.marks.insert((trigger.clone(), *subject), *mark);
        }
        EventBody::OwnerAlive { statement, .. } => {
            state.statements.remove(statement);
        }
        EventBody::DenialNoted { session, body, .. } => {
            watch.rows.entry(*session).or_default().insert(*body);
        }
        EventBody::DenialsCounted { count, .. } => {
            watch.denials = watch.denials.saturating_add((*count).into());
        }
        EventBody::SpendCommitted(spend) | EventBody::TransferAuthorized { spend, .. } => {
            watch.signed(spend);
        }
        EventBody::SessionRevoked { session, .. } | EventBody::SessionExpired { session } => {
            watch.forget(*session);
        }
        EventBody::PauseReleased { wallet: None, .. } => watch.silent = false,
        EventBody::PolicyAdopted { .. } => adopted(state),
        _ => {}
    }
}

/// Whether it goes off over what a session was refused.
const fn is_over_refusals(trigger: &Trigger) -> bool {
    match trigger {
        Trigger::Alarm(alarm) => matches!(alarm.condition, Condition::DenialsInARow { .. }),
        Trigger::Violation(_) => true,
        Trigger::DeadMan { .. } => false,
    }
}

/// Refusals in a row begin anew under a new document; marks go with the last document that had their
/// alarm.
fn adopted(state: &mut State) {
    let kept = |alarm: &Alarm| {
        let mut documents = state.policies.iter().map(|policy| &policy.document);
        documents.any(|document| document.alarms.contains(alarm))
    };
    state.watch.rows.clear();
    state.watch.marks.retain(|(trigger, _), _| match trigger {
        Trigger::Alarm(alarm) => !is_over_refusals(trigger) && kept(alarm),
        Trigger::Violation(_) | Trigger::DeadMan { .. } => false,
    });
}

/// Whether an owner was heard of: the password at an unlock or with what it accompanies, or the signature
/// of a key that is not suspended. A guardian is no owner, and a suspended key may be a thief's.
fn is_word(state: &State, body: &EventBody) -> bool {
    let active = |signers: &[OwnerId]| {
        let keys = &state.owners.keys;
        let standing = |owner| keys.get(owner).map(|known| known.standing);
        signers
            .iter()
            .any(|owner| standing(owner) == Some(Standing::Active))
    };
    match body {
        EventBody::Created { .. }
        | EventBody::Unlocked { .. }
        | EventBody::OwnerEnrolled { .. }
        | EventBody::WalletCreated { .. } => true,
        // A recovery takes phrase and password, and a suspension may take the password alone.
        EventBody::OwnerChangeScheduled {
            change, signers, ..
        } => change.is_recovery() || active(signers),
        EventBody::OwnerSuspended {
            statement, signers, ..
        } => statement.is_none() || active(signers),
        EventBody::PolicyAdopted { signers, .. }
        | EventBody::SessionGranted { signers, .. }
        | EventBody::Withdrawn { signers, .. }
        | EventBody::PauseReleased { signers, .. }
        | EventBody::KillReleased { signers, .. }
        | EventBody::NonceAttested { signers, .. }
        | EventBody::TimeStated { signers, .. }
        | EventBody::WithdrawalEnrolled { signers, .. }
        | EventBody::IntentApproved { signers, .. }
        | EventBody::IntentsEnded {
            cause: IntentEnd::Rejected { signers, .. },
            ..
        }
        | EventBody::OwnerChangeCancelled { signers, .. }
        | EventBody::SuspensionLifted { signers, .. }
        | EventBody::Credited { signers, .. }
        | EventBody::SessionResumed { signers, .. }
        | EventBody::WalletClosed { signers, .. }
        | EventBody::WalletRotated { signers, .. }
        | EventBody::AgentRegistered { signers, .. }
        | EventBody::AgentActivated { signers, .. }
        | EventBody::OwnerAlive { signers, .. } => active(signers),
        _ => false,
    }
}
