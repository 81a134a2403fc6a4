//! Decisions over credits: an owner gives back what one payment was charged, because it never took
//! place and never can. It names one entry of the log, counts once, and is at most what that entry
//! charged (invariant 5). The entry comes in from the log beside the statement.

use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::{Charge, EventBody, Origin, Spend};
use waiaas_shared::statement::StatementFacts;

use super::command::{Context, Prior, Submission};
use super::state::{KillPhase, State};
use super::{Decision, decide_owner, decide_statement};

/// Writes the text of a credit.
pub(super) fn draft(
    state: &State,
    facts: &StatementFacts,
    origin: Origin,
    entry: Option<&Prior>,
    context: &Context,
) -> Result<Decision, Denial> {
    credited(state, facts, entry)?;
    decide_statement::draft(state, facts, origin, context)
}

/// Carries out a credit that owners signed.
pub(super) fn submit(
    state: &State,
    submission: &Submission,
    entry: Option<&Prior>,
    context: &Context,
) -> Result<Decision, Denial> {
    let open = decide_statement::open(state, submission.statement, context.clocks)?;
    let signers = decide_owner::quorum(state, open, &submission.signatures)?;
    if state.kill.phase == KillPhase::Activated {
        return Err(Code::Killed.into());
    }
    let (session, entry) = credited(state, &open.facts, entry)?;
    let StatementFacts::Credit {
        sequence,
        wallet,
        amounts,
        ..
    } = &open.facts
    else {
        return Err(Code::StatementMismatch.into());
    };
    Ok(Decision::event(EventBody::Credited {
        sequence: *sequence,
        wallet: *wallet,
        session,
        charged_at: entry.charged_at,
        amounts: amounts.clone(),
        statement: submission.statement,
        signers,
    }))
}

/// Whether a later transaction of its nonce took its place, and its charge.
fn is_varied(state: &State, spend: &Spend) -> bool {
    spend.nonce.is_some() && state.replaced.contains_key(&spend.transaction)
}

/// The session and the entry that the facts name, if they say of it what the log says.
fn credited<'a>(
    state: &State,
    facts: &StatementFacts,
    entry: Option<&'a Prior>,
) -> Result<(waiaas_shared::ids::SessionId, &'a Prior), Denial> {
    let StatementFacts::Credit {
        sequence,
        transaction,
        wallet,
        amounts,
    } = facts
    else {
        return Err(Code::StatementMismatch.into());
    };
    if state.credited.contains(sequence) {
        return Err(Code::CreditUsed.into());
    }
    let entry = entry.ok_or(Code::CreditMismatch)?;
    let spend = &entry.spend;
    // Of a payment whose nonce was signed once more only what was not taken back is still charged.
    let charges = match state.kept.get(transaction) {
        Some(kept) => kept,
        None if is_varied(state, spend) => return Err(Code::PaymentReplaced.into()),
        None => &spend.charges,
    };
    let charged = |given: &Charge| {
        charges
            .iter()
            .any(|charge| charge.asset == given.asset && given.amount <= charge.amount)
    };
    let agrees = entry.sequence == *sequence
        && spend.transaction == *transaction
        && spend.wallet == *wallet
        && amounts.iter().all(charged);
    // A withdrawal was charged to nobody, and a cancellation only what it cost to try.
    match spend.session {
        Some(session) if agrees && !entry.cancels() => Ok((session, entry)),
        _ => Err(Code::CreditMismatch.into()),
    }
}
