//! Decisions that nobody asked for: alarms over the signer's own events, escalated violations, and the
//! dead-man time. What goes off is an event in the same commit as what set it off, which an alarm that
//! stops keeps back. Everything is read from the state, so that a log gives the same alarms again.
//! Denials suspend a session at most (invariant 16).

use std::collections::BTreeSet;

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::{EventBody, Origin, Spend};
use waiaas_shared::ids::{SessionId, TransactionId, WalletId};
use waiaas_shared::owner_change::Standing;
use waiaas_shared::policy::alarm::judge::{self, Paying, Seen};
use waiaas_shared::policy::alarm::{
    Action, Alarm, Condition, Escalation, Remedy, Subject, Trigger, by_agent,
};
use waiaas_shared::policy::evaluate::{listed_charges, payments};
use waiaas_shared::policy::history::WalletHistory;
use waiaas_shared::request_signature::SignedRequest;
use waiaas_shared::time::{Clocks, Millis, RunTime};

use super::command::{Command, Context, MessageRequest, Outcome, SpendRequest, Submission, Used};
use super::proof::Route;
use super::state::{KillPhase, OpenStatement, State};
use super::{Decision, decide_intent, decide_owner, decide_session, decide_spend, proof};

/// Events of what goes off in one decision, and the strongest remedy among them.
struct Raised<'a> {
    state: &'a State,
    events: Vec<EventBody>,
    strongest: Remedy,
}

impl<'a> Raised<'a> {
    const fn new(state: &'a State) -> Self {
        Self {
            state,
            events: Vec::new(),
            strongest: Remedy::Tell,
        }
    }

    /// One goes off: its record, then what it stops, each thing once.
    fn raise(
        &mut self,
        trigger: Trigger,
        subject: Subject,
        session: Option<SessionId>,
        seen: Seen,
    ) {
        let remedy = trigger.remedy();
        self.events.push(EventBody::AlarmRaised {
            trigger,
            subject,
            session,
            observed: seen.observed,
            asset: seen.asset,
            mark: seen.mark,
        });
        let state = self.state;
        let origin = Origin::Signer;
        let stop = match (remedy, subject, session) {
            (None, ..) => vec![EventBody::Paused {
                wallet: None,
                origin,
            }],
            (Some(Remedy::Tell), ..) => Vec::new(),
            (Some(Remedy::SuspendSession), _, Some(session)) => {
                vec![EventBody::SessionSuspended { session }]
            }
            (Some(Remedy::PauseWallet), Subject::Wallet(wallet), _) => vec![EventBody::Paused {
                wallet: Some(wallet),
                origin,
            }],
            (Some(Remedy::Kill), Subject::Wallet(_), _) => {
                let epoch = state.kill.epoch.saturating_add(1);
                let mut events = vec![EventBody::Killed { epoch, origin }];
                events.extend(decide_intent::all_killed(state));
                events
            }
            // No document says so: denials suspend at most, and nobody's session is to blame for none.
            (Some(_), ..) => Vec::new(),
        };
        if stop.is_empty() {
            return;
        }
        self.strongest = self.strongest.max(remedy.unwrap_or(Remedy::PauseWallet));
        for event in stop {
            if !self.events.contains(&event) {
                self.events.push(event);
            }
        }
    }

    /// Why what set them off is not done; none if they only tell.
    const fn refusal(&self) -> Option<Code> {
        match self.strongest {
            Remedy::Tell => None,
            Remedy::SuspendSession => Some(Code::SessionSuspended),
            Remedy::PauseWallet => Some(Code::WalletPaused),
            Remedy::Kill => Some(Code::Killed),
        }
    }
}

/// The alarms of all binding documents, each once, in one order.
fn alarms(state: &State, now: Clocks) -> BTreeSet<&Alarm> {
    let documents = state.binding(now.run).iter();
    documents
        .flat_map(|policy| &policy.document.alarms)
        .collect()
}

/// Adds what goes off for the payment that a decision is about to sign or to let wait. If it stops
/// anything, the payment is refused and nothing of it is kept: nothing charged, no nonce given, nothing ended for it.
pub(super) fn heed(state: &State, decision: &mut Decision, context: &Context) {
    let mut raised = Raised::new(state);
    for event in &decision.events {
        match event {
            EventBody::SpendCommitted(spend) | EventBody::TransferAuthorized { spend, .. } => {
                pays(&mut raised, spend, context);
            }
            EventBody::IntentOpened(intent) => {
                let ended = ended_by(&decision.events);
                let of = (intent.wallet, intent.session);
                waits(&mut raised, of, &ended, context.clocks);
            }
            _ => {}
        }
    }
    if let Some(code) = raised.refusal() {
        decision.outcome = Err(code.into());
        decision.events.clear();
    }
    // The payment's own event stays last: its number is what an answer names.
    raised.events.append(&mut decision.events);
    decision.events = raised.events;
}

/// For whom an alarm over a wallet's payments goes off, and where it counts anew then. A remedy that stops
/// one session leaves all the others to set it off themselves.
fn subject(alarm: &Alarm, wallet: WalletId, session: Option<SessionId>) -> Subject {
    match session {
        Some(session) if alarm.remedy == Remedy::SuspendSession => Subject::Session(session),
        _ => Subject::Wallet(wallet),
    }
}

fn pays(raised: &mut Raised<'_>, spend: &Spend, context: &Context) {
    let state = raised.state;
    let charges = listed_charges(&spend.charges);
    let unused = WalletHistory::default();
    let history = state.wallets.get(&spend.wallet).map(|known| &known.history);
    for alarm in alarms(state, context.clocks) {
        let paying = Paying {
            history: history.unwrap_or(&unused),
            charges: &charges,
            signed: state.watch.signed.get(&spend.wallet).copied().unwrap_or(0),
            made: payments(&spend.effects),
            goes_on: alarm.remedy == Remedy::Tell,
        };
        let trigger = Trigger::Alarm(alarm.clone());
        let subject = subject(alarm, spend.wallet, spend.session);
        let mark = state.watch.mark(&trigger, subject);
        let seen = judge::on_payment(&alarm.condition, &paying, mark, context.rules());
        if let Some(seen) = seen {
            raised.raise(trigger, subject, spend.session, seen);
        }
    }
}

/// What waits no longer with these events.
fn ended_by(events: &[EventBody]) -> Vec<TransactionId> {
    let ended = events.iter().filter_map(|event| match event {
        EventBody::IntentsEnded { transactions, .. } => Some(transactions),
        _ => None,
    });
    ended.flatten().copied().collect()
}

fn waits(
    raised: &mut Raised<'_>,
    (wallet, session): (WalletId, SessionId),
    ended: &[TransactionId],
    now: Clocks,
) {
    let state = raised.state;
    let beside = decide_intent::waiting(state, now)
        .filter(|intent| intent.wallet == wallet && !ended.contains(&intent.transaction));
    let waiting = u64::try_from(beside.count())
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    for alarm in alarms(state, now) {
        if !matches!(alarm.condition, Condition::OpenPayments { .. }) {
            continue;
        }
        let trigger = Trigger::Alarm(alarm.clone());
        let subject = subject(alarm, wallet, Some(session));
        let mark = state.watch.mark(&trigger, subject);
        if let Some(seen) = judge::on_number(&alarm.condition, waiting, mark) {
            raised.raise(trigger, subject, Some(session), seen);
        }
    }
}

/// A request of an agent, as far as its refusal can be held against its session.
pub(super) struct Asked<'a> {
    session: SessionId,
    signed: SignedRequest<'a>,
    used: Option<&'a Used>,
    dry_run: bool,
    routes: &'static [Route],
}

impl<'a> Asked<'a> {
    /// Of a payment.
    pub(super) fn payment(request: &'a SpendRequest) -> Self {
        Self {
            session: request.session,
            signed: decide_spend::signed_request(request),
            used: request.used.as_ref(),
            dry_run: request.dry_run,
            routes: &proof::PAYMENTS,
        }
    }

    /// Of a login or an authorization, by its route.
    pub(super) fn message(asked: &'a MessageRequest, routes: &'static [Route]) -> Self {
        Self {
            session: asked.request.session,
            signed: asked.request.signed(),
            used: asked.used.as_ref(),
            dry_run: asked.dry_run,
            routes,
        }
    }
}

/// The refusal, with what it brings besides. An expiry once seen is durable, of the request's own session: a replay
/// also judges the one that paid. A dry run writes nothing.
pub(super) fn refusal(
    state: &State,
    request: &Asked<'_>,
    denial: Denial,
    context: &Context,
) -> Decision {
    let mut events = Vec::new();
    if !request.dry_run {
        let ended = decide_session::expired_now(state, request.session, context.clocks);
        events.extend(ended);
        events.extend(refused(state, request, &denial, context));
    }
    Decision {
        events,
        outcome: Err(denial),
    }
}

/// What a refusal of an agent's request brings besides. Only requests that the agent itself made count,
/// each body once, and no more of them are written down than an alarm waits for: neither an agent that
/// repeats itself nor a gateway fills the log or suspends a session that is bound to a key.
fn refused(
    state: &State,
    request: &Asked<'_>,
    denial: &Denial,
    context: &Context,
) -> Vec<EventBody> {
    let now = context.clocks;
    if !is_the_agents(state, request, context) {
        return Vec::new();
    }
    let session = request.session;
    let subject = Subject::Session(session);
    let codes: BTreeSet<Code> = denial
        .violations()
        .iter()
        .map(|broken| broken.code)
        .collect();
    let mut raised = Raised::new(state);
    for escalation in escalations(state, now) {
        let trigger = Trigger::Violation(*escalation);
        // Once until a payment of the session is signed, or an owner resumes it.
        if codes.contains(&escalation.code) && state.watch.mark(&trigger, subject).is_none() {
            let seen = Seen {
                observed: Amount::from_base_units(1),
                asset: None,
                mark: 0,
            };
            raised.raise(trigger, subject, Some(session), seen);
        }
    }
    let mut events = Vec::new();
    let first = denial.violations().first().map(|broken| broken.code);
    if let Some(code) = first.filter(|_| codes.iter().all(|code| by_agent(*code))) {
        let body = hash(Domain::RequestBody, &[request.signed.request.body]);
        if let Some(number) = in_a_row(state, session, &body, now) {
            events.push(EventBody::DenialNoted {
                session,
                body,
                code,
            });
            for alarm in alarms(state, now) {
                if !matches!(alarm.condition, Condition::DenialsInARow { .. }) {
                    continue;
                }
                let trigger = Trigger::Alarm(alarm.clone());
                let mark = state.watch.mark(&trigger, subject);
                if let Some(seen) = judge::on_number(&alarm.condition, number, mark) {
                    raised.raise(trigger, subject, Some(session), seen);
                }
            }
        }
    }
    events.append(&mut raised.events);
    events
}

/// Whether the session's agent made this request, as far as anybody can prove it, and made it anew: not a
/// dry run, not a payment that it asked for before, and not a request that was let through already. Of a
/// bearer session's request nobody can: whoever speaks for the gateway may make one, for that session.
fn is_the_agents(state: &State, request: &Asked<'_>, context: &Context) -> bool {
    let Ok(session) = decide_session::usable(state, request.session, context.clocks) else {
        return false;
    };
    let key = request.signed.request.idempotency_key;
    let Some(idempotency) = state.idempotency(request.session, key) else {
        return false;
    };
    let used = request.used.or_else(|| state.uncommitted(&idempotency));
    let again = used.is_some_and(|used| *used.idempotency() == idempotency);
    if request.dry_run || again {
        return false;
    }
    let (id, signed) = (request.session, &request.signed);
    request.routes.iter().any(|route| {
        let proof = proof::authenticate(session, id, signed, *route, context);
        proof.is_ok_and(|proof| proof::first_use(state, id, proof.as_ref()).is_ok())
    })
}

/// Escalations of all binding documents that bring something besides the refusal, each once.
fn escalations(state: &State, now: Clocks) -> BTreeSet<&Escalation> {
    let documents = state.binding(now.run).iter();
    documents
        .flat_map(|policy| &policy.document.escalations)
        .filter(|escalation| escalation.action != Action::Ask)
        .collect()
}

/// How many different requests were refused in a row with this one; none if it is not to be counted: no
/// alarm asks, it was counted, or the longest row that any alarm waits for is full.
fn in_a_row(state: &State, session: SessionId, body: &Digest, now: Clocks) -> Option<u64> {
    let longest = alarms(state, now)
        .into_iter()
        .filter_map(|alarm| match alarm.condition {
            Condition::DenialsInARow { count } => Some(u64::from(count)),
            _ => None,
        });
    let longest = longest.max()?;
    let row = state.watch.rows.get(&session);
    if row.is_some_and(|row| row.contains(body)) {
        return None;
    }
    let before = row.map_or(0, |row| u64::try_from(row.len()).unwrap_or(u64::MAX));
    (before < longest).then(|| before.saturating_add(1))
}

/// What time alone brings before a command is decided: the dead-man pause. An unlock is the owner's word
/// itself, and nothing could be signed before it.
pub(super) fn due(state: &State, command: &Command, now: Clocks) -> Vec<EventBody> {
    if matches!(
        command,
        Command::Create { .. } | Command::Unlocked(_) | Command::ClockStepped { .. }
    ) {
        return Vec::new();
    }
    let Some(after) = state.dead_man(now.run) else {
        return Vec::new();
    };
    let silence = now.run.since(state.watch.heard);
    if silence < after
        || state.frozen()
        || state.kill.phase == KillPhase::Activated
        || state.retired
    {
        return Vec::new();
    }
    let mut raised = Raised::new(state);
    let seen = Seen {
        observed: Amount::from_base_units(silence.millis().into()),
        asset: None,
        mark: state.watch.heard.millis(),
    };
    raised.raise(Trigger::DeadMan { after }, Subject::Everything, None, seen);
    raised.events
}

/// What time alone brings while nobody asks anything: wallets that sign nothing for too long.
pub(super) fn watch(state: &State, now: Clocks) -> Decision {
    let mut raised = Raised::new(state);
    for (wallet, alarm, seen) in idle(state, now) {
        let trigger = Trigger::Alarm(alarm.clone());
        raised.raise(trigger, Subject::Wallet(wallet), None, seen);
    }
    Decision {
        events: raised.events,
        outcome: Ok(Outcome::Done),
    }
}

/// Wallets that are idle for too long; none while something stops them, which explains it.
fn idle(state: &State, now: Clocks) -> Vec<(WalletId, &Alarm, Seen)> {
    if state.stopped().is_some() || state.retired {
        return Vec::new();
    }
    let alarms = alarms(state, now);
    let used = state.wallets.iter();
    let used = used.filter(|(_, wallet)| wallet.may_pay().is_ok());
    let used = used.filter_map(|(id, wallet)| Some((*id, wallet.history.last()?)));
    used.flat_map(|(id, last)| {
        alarms.iter().filter_map(move |alarm| {
            let trigger = Trigger::Alarm((*alarm).clone());
            let mark = state.watch.mark(&trigger, Subject::Wallet(id));
            let seen = judge::on_idle(&alarm.condition, last, mark, now.budget)?;
            Some((id, *alarm, seen))
        })
    })
    .collect()
}

/// One owner says that they are there.
pub(super) fn alive(
    state: &State,
    open: &OpenStatement,
    submission: &Submission,
) -> Result<Decision, Denial> {
    let standings = [Standing::Active];
    let signers = decide_owner::any_owner(state, open, &submission.signatures, &standings)?;
    // Killed: only the release passes.
    if state.kill.phase == KillPhase::Activated {
        return Err(Code::Killed.into());
    }
    Ok(Decision::event(EventBody::OwnerAlive {
        statement: submission.statement,
        signers,
    }))
}

impl State {
    /// Whether time alone has brought something that is not in the log yet.
    #[must_use]
    pub fn has_alarms(&self, now: Clocks) -> bool {
        !due(self, &Command::Watch, now).is_empty() || !idle(self, now).is_empty()
    }

    /// The shortest dead-man time of all binding documents.
    pub(super) fn dead_man(&self, now: RunTime) -> Option<Millis> {
        let documents = self.binding(now).iter();
        documents
            .filter_map(|policy| policy.document.dead_man)
            .min()
    }

    /// How long until everything pauses without a word from an owner; none if no document says so.
    #[must_use]
    pub fn dead_man_left(&self, now: RunTime) -> Option<Millis> {
        let silence = now.since(self.watch.heard).millis();
        let after = self.dead_man(now)?;
        Some(Millis::from_millis(after.millis().saturating_sub(silence)))
    }

    /// Whether everything is paused because no owner was heard of.
    #[must_use]
    pub fn dead_man_paused(&self) -> bool {
        self.watch.silent && self.frozen()
    }
}
