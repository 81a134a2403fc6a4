//! The signer's heart: a pure function over an authenticated log.
//!
//! `decide(state, command, context)` reads nothing but its arguments; `apply(state, event)` evaluates
//! no rule and reads no clock. State is the fold of the log and exists nowhere else. Called by the
//! authority thread and, with simulated clock, entropy and ledger, by the simulator.

pub mod apply;
mod apply_owner;
mod apply_payment;
mod apply_stop;
pub mod clock;
pub mod command;
mod decide_agent;
mod decide_alarm;
mod decide_authorization;
mod decide_credit;
mod decide_intent;
mod decide_login;
mod decide_message;
mod decide_owner;
mod decide_policy;
mod decide_renewal;
mod decide_replace;
mod decide_session;
mod decide_spend;
mod decide_statement;
mod decide_stop;
mod decide_token;
mod decide_variant;
mod decide_wallet;
mod drafted;
pub mod journal;
mod network;
mod owners;
mod proof;
mod proposal;
mod reading;
mod reads;
mod recorded;
mod request_nonces;
pub mod state;
mod stopped;
mod tables;
mod view;
mod waited;
mod wallet;
mod watch;

use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::{Event, EventBody};

pub use self::command::{AgentStop, Command, Context, Outcome, Sealed, SigningOrder};
pub use self::state::State;

/// What a command leads to: events to be made durable first, then the outcome. A refusal may carry
/// events too (an expiry once seen is durable).
#[derive(Debug)]
pub struct Decision {
    /// To append, in order.
    pub events: Vec<EventBody>,
    /// To let out after the events are durable.
    pub outcome: Result<Outcome, Denial>,
}

impl Decision {
    fn event(body: EventBody) -> Self {
        Self {
            events: vec![body],
            outcome: Ok(Outcome::Done),
        }
    }

    fn denied(denial: impl Into<Denial>) -> Self {
        Self {
            events: Vec::new(),
            outcome: Err(denial.into()),
        }
    }
}

impl From<Result<Self, Denial>> for Decision {
    fn from(result: Result<Self, Denial>) -> Self {
        result.unwrap_or_else(Self::denied)
    }
}

/// Decides one command. Default closed: before the first event only `Create` passes.
#[must_use]
pub fn decide(state: &State, command: &Command, context: &Context) -> Decision {
    if !state.created() && !matches!(command, Command::Create { .. }) {
        return Decision::denied(Code::NotInitialized);
    }
    // The log has ended: nothing is signed, and nothing is appended.
    if state.retired() {
        return Decision::denied(Code::Retired);
    }
    if let Some(code) = decide_replace::withheld(state, command) {
        return Decision::denied(code);
    }
    match command {
        Command::Create { signer } if state.created() => {
            let _known = signer;
            Decision::denied(Code::AlreadyInitialized)
        }
        Command::Create { signer } => Decision::event(EventBody::Created { signer: *signer }),
        Command::Unlocked(facts) => decide_stop::unlocked(state, facts),
        Command::Lock(origin) => Decision::event(EventBody::Locked { origin: *origin }),
        Command::ClockStepped { seen } => decide_stop::clock_stepped(state, *seen),
        Command::Kill(origin) => decide_stop::kill(state, *origin),
        Command::Pause { wallet, origin } => decide_stop::pause(state, *wallet, *origin),
        Command::RevokeSession { session, origin } => {
            decide_session::revoke(state, *session, *origin)
        }
        Command::StopAgent {
            agent,
            stop,
            origin,
        } => match stop {
            AgentStop::Suspend => decide_agent::suspend(state, *agent, *origin),
            AgentStop::Terminate => decide_agent::terminate(state, *agent, *origin),
        },
        Command::Renew(request) => decide_renewal::renew(state, request, context),
        Command::SignIn(asked) => decide_login::sign_in(state, asked, context),
        Command::AuthorizeTransfer(asked) => decide_authorization::authorize(state, asked, context),
        Command::Rotate { submission, key } => {
            decide_wallet::rotate(state, submission, key, context).into()
        }
        Command::CreateWallet(request) => {
            decide_wallet::create_wallet(state, request, context).into()
        }
        Command::Draft { facts, origin } => {
            decide_statement::draft(state, facts, *origin, context).into()
        }
        Command::Enrol(rehearsal) => decide_statement::enrol(state, rehearsal, context).into(),
        Command::Submit(submission) => decide_statement::submit(state, submission, context).into(),
        Command::Register {
            submission,
            rehearsal,
        } => decide_owner::register(state, submission, rehearsal, context).into(),
        Command::Recover(recovery) => decide_owner::recover(state, recovery, context).into(),
        Command::SuspendOwner { owner } => {
            decide_owner::suspend_by_password(state, *owner, context).into()
        }
        Command::DraftCredit {
            facts,
            origin,
            entry,
        } => decide_credit::draft(state, facts, *origin, entry.as_deref(), context).into(),
        Command::Credit { submission, entry } => {
            decide_credit::submit(state, submission, entry.as_deref(), context).into()
        }
        Command::Withdraw(withdrawal) => decide_spend::withdraw(state, withdrawal, context).into(),
        Command::Spend(request) => decide_spend::spend(state, request, context),
        Command::Resend(spend, origin) => {
            decide_spend::replay(state, spend, *origin, context).into()
        }
        Command::Release(release) => decide_intent::release(state, release, context),
        Command::Vary(request) => decide_variant::vary(state, request, context),
        Command::CancelIntent {
            transaction,
            origin,
        } => decide_intent::cancel(state, *transaction, *origin),
        Command::EndExpired => decide_intent::end_expired(state, context.clocks),
        Command::Watch => decide_alarm::watch(state, context.clocks),
        Command::NameSnapshot(name) => Decision::event(EventBody::SnapshotTaken {
            version: name.version,
            sequence: name.sequence,
            digest: name.digest,
        }),
        Command::CountDenials(counted) => Decision {
            events: counted
                .iter()
                .map(|(session, code, count)| EventBody::DenialsCounted {
                    session: *session,
                    code: *code,
                    count: *count,
                })
                .collect(),
            outcome: Ok(Outcome::Done),
        },
    }
}

/// Decides a command and folds its events into the state, each with the context's clocks. What the
/// daemon and the simulator both do for each command of a batch. Changes of owners whose time has come
/// take effect before it, unless it is a kill, and so does the dead-man pause; alarms go off with it;
/// agents of which nothing waits any more end after it.
pub fn step(
    state: &mut State,
    command: &Command,
    context: &Context,
) -> (Vec<Event>, Result<Outcome, Denial>) {
    let mut events = Vec::new();
    let mut fold = |state: &mut State, body| {
        let event = Event {
            clocks: context.clocks,
            body,
        };
        apply::apply(state, &event);
        events.push(event);
    };
    while !goes_first(command) {
        let due = decide_owner::due(state, context.clocks.run);
        if due.is_empty() {
            break;
        }
        due.into_iter().for_each(|body| fold(state, body));
    }
    for body in decide_alarm::due(state, command, context.clocks) {
        fold(state, body);
    }
    let mut decision = decide(state, command, context);
    decide_alarm::heed(state, &mut decision, context);
    for body in decision.events {
        fold(state, body);
    }
    while let Some(body) = decide_agent::finished(state) {
        fold(state, body);
    }
    (events, decision.outcome)
}

/// Whether changes of owners whose time has come still wait behind it: a kill voids them, also one that was
/// thrown while the signer was locked, where nothing could take effect; its unlock comes right before it.
const fn goes_first(command: &Command) -> bool {
    matches!(
        command,
        Command::Kill(_) | Command::Unlocked(_) | Command::ClockStepped { .. }
    )
}

#[cfg(test)]
mod tests;
