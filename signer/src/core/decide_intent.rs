//! Decisions about payments that wait (invariant 12): opening, approval, rejection, release, end. Kept
//! is the effect; the bytes are brought at release, and everything is judged again then. A wait moves
//! on the DELAY clock, an end on the upper bound; whatever ends a wait is final.

use waiaas_shared::amount::Amount;
use waiaas_shared::claim::Claim;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{EventBody, Origin, Replaces, RequestNonce, Spend, Waited};
use waiaas_shared::ids::{OwnerId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::intent::{Intent, IntentEnd, IntentView, Moved, Wait};
use waiaas_shared::owner_change::Standing;
use waiaas_shared::policy::evaluate::{Payment, Tier, Verdict, charges};
use waiaas_shared::policy::windows::Window;
use waiaas_shared::request::Action;
use waiaas_shared::statement::text::can_be_read;
use waiaas_shared::time::{Clocks, WallTime};
use waiaas_shared::transaction::Known;

use super::Decision;
use super::command::{Context, Outcome, Release, Submission};
use super::state::{OpenIntent, OpenStatement, State};
use super::waited::Behind;
use super::{
    decide_agent, decide_owner, decide_session, decide_spend, decide_token, network, proposal,
    waited,
};

/// Payments of one session that may wait at once.
const SESSION_LIMIT: usize = 16;
/// Payments of one wallet that may wait at once.
const WALLET_LIMIT: usize = 64;
/// Waiting payments that one session may open in an hour, ended ones included: opening and cancelling
/// again and again neither tires the owner nor fills the log.
const HOUR_LIMIT: u32 = 60;

/// A request that passed every rule and has to wait.
pub(super) struct Opening {
    pub(super) session: SessionId,
    pub(super) wallet: WalletId,
    pub(super) claim: Claim,
    pub(super) fee_ceiling: Amount,
    pub(super) rent_ceiling: Option<Amount>,
    pub(super) policy_epoch: u64,
    pub(super) idempotency: Digest,
    pub(super) body: Digest,
    pub(super) kept_until: WallTime,
    pub(super) request_nonce: Option<RequestNonce>,
    pub(super) submit: bool,
    pub(super) replaces: Option<Replaces>,
}

/// Lets it wait, within bounds.
pub(super) fn open(
    state: &State,
    opening: Opening,
    verdict: &Verdict,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let outlived = room(state, &opening, verdict, now)?;
    let (wait, expires) = match verdict.tier {
        Tier::Approval => {
            let wait = Wait::Approval {
                quorum: verdict.quorum,
            };
            (wait, now.wall.after(verdict.approval_lifetime))
        }
        _ => {
            let wait = Wait::Delay {
                ready: now.run.after(verdict.delay),
            };
            // Time that does not count for the delay counts for this end.
            let end = now
                .wall
                .after(verdict.delay)
                .after(verdict.approval_lifetime);
            (wait, end)
        }
    };
    let first = opening.claim.first();
    let more: Vec<Moved> = opening.claim.more().iter().map(Moved::from).collect();
    let intent = Intent {
        transaction: TransactionId::derive(&context.entropy, 0),
        session: opening.session,
        wallet: opening.wallet,
        asset: first.asset,
        to: first.to,
        amount: first.amount,
        fee_ceiling: opening.fee_ceiling,
        wait,
        opened: now.run,
        expires,
        release_within: verdict.release_within,
        policy_epoch: opening.policy_epoch,
        idempotency: opening.idempotency,
        body: opening.body,
        kept_until: opening.kept_until,
        request_nonce: opening.request_nonce,
        submit: opening.submit,
        first_payment: verdict.first_payment,
        replaces: opening.replaces,
        action: (first.action != Action::Transfer).then_some(first.action),
        rent_ceiling: opening.rent_ceiling,
        call: first.call.clone(),
        more: (!more.is_empty()).then_some(more),
        memo: opening.claim.memo().cloned(),
        stake: first.stake.clone(),
        asked: (!verdict.asked.is_empty()).then(|| verdict.asked.clone()),
        program: first.program.clone(),
    };
    // What cannot be shown whole could be approved and rejected by nobody.
    if can_be_read(&intent, state).is_err() {
        return Err(Code::IntentTooLong.into());
    }
    let view = IntentView {
        intent: intent.clone(),
        now,
        approved_until: None,
    };
    // With its approval: nobody pays twice what was agreed to once.
    let origin = Origin::Gateway;
    let mut events = some_ended(outlived, IntentEnd::Cancelled { origin });
    events.push(EventBody::IntentOpened(intent));
    Ok(Decision {
        events,
        outcome: Ok(Outcome::Waiting(Box::new(view))),
    })
}

/// Whether one more may wait; and which equal ones end for it, whose approval suffices no more.
fn room(
    state: &State,
    opening: &Opening,
    verdict: &Verdict,
    now: Clocks,
) -> Result<Vec<TransactionId>, Denial> {
    let unexpired = || {
        let open = state.intents.values();
        open.filter(|open| open.intent.expires > now.wall)
    };
    let waiting = || unexpired().map(|open| &open.intent);
    let of_session = |intent: &&Intent| intent.session == opening.session;
    let equal = |intent: &Intent| {
        intent.wallet == opening.wallet
            && intent.claim().is_same(&opening.claim)
            && intent.tier() == Tier::Approval
    };
    // An owner is asked once for the same thing, and anew if what was agreed to is not enough any more.
    let mut outlived = Vec::new();
    if verdict.tier == Tier::Approval {
        for open in unexpired().filter(|open| of_session(&&open.intent) && equal(&open.intent)) {
            if !waited::outlived(state, open, verdict, now) {
                return Err(Code::IntentDuplicate.into());
            }
            outlived.push(open.intent.transaction);
        }
    }
    let in_wallet = waiting().filter(|intent| intent.wallet == opening.wallet);
    let opened = state
        .sessions
        .get(&opening.session)
        .map_or(HOUR_LIMIT, |session| {
            session.opened.count(Window::Hour, now.budget)
        });
    if waiting().filter(of_session).count() >= SESSION_LIMIT
        || in_wallet.count() >= WALLET_LIMIT
        || opened >= HOUR_LIMIT
    {
        return Err(Code::IntentTooMany.into());
    }
    Ok(outlived)
}

/// The same request again while its payment waits.
pub(super) fn again(state: &State, intent: &Intent, now: Clocks) -> Result<Decision, Denial> {
    let open = state
        .intents
        .get(&intent.transaction)
        .filter(|open| !is_over(open, now))
        .ok_or(Code::IntentClosed)?;
    Ok(Decision {
        events: Vec::new(),
        outcome: Ok(Outcome::Waiting(Box::new(view(open, now)))),
    })
}

/// Signs a payment whose wait is over: fresh bytes of the same effect, judged as if it were new.
pub(super) fn release(state: &State, release: &Release, context: &Context) -> Decision {
    let now = context.clocks;
    let transaction = release.transaction;
    let Some(open) = state.intents.get(&transaction) else {
        // Signed already: the same bytes again, if they may still leave.
        let prior = release
            .prior
            .as_deref()
            .filter(|prior| prior.spend.transaction == transaction);
        return match prior {
            Some(prior) => decide_spend::replay(state, prior, Origin::Gateway, context).into(),
            None => Decision::denied(Code::IntentUnknown),
        };
    };
    if is_over(open, now) {
        return Decision {
            events: vec![ended(vec![transaction], IntentEnd::Expired)],
            outcome: Err(Code::IntentExpired.into()),
        };
    }
    match signed(state, open, release, context) {
        Ok(decision) => decision,
        Err(denial) => Decision {
            events: decide_session::expired_now(state, open.intent.session, now),
            outcome: Err(denial),
        },
    }
}

fn signed(
    state: &State,
    open: &OpenIntent,
    release: &Release,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let intent = &open.intent;
    if let Some(code) = state.stopped() {
        return Err(code.into());
    }
    let session = decide_session::usable(state, intent.session, now)?;
    let wallet = state
        .wallets
        .get(&intent.wallet)
        .ok_or(Code::WalletUnknown)?;
    wallet.may_pay()?;
    if let Wait::Delay { ready } = intent.wait
        && ready > now.run
    {
        return Err(Violation {
            retry_after: Some(ready.since(now.run)),
            ..Violation::of(Code::IntentNotReady)
        }
        .into());
    }
    let signers = open.approval.iter().flat_map(|approval| &approval.signers);
    let signers: Vec<OwnerId> = signers.copied().collect();
    let approved: Vec<OwnerId> = waited::standing(state, &signers).collect();
    if let Wait::Approval { quorum } = intent.wait
        && approved.len() < usize::from(quorum)
    {
        return Err(Code::IntentNotApproved.into());
    }
    let chain = intent.asset.chain();
    let claim = intent.claim();
    let tokens = decide_token::of_claim(state, &claim, now)?;
    let function = claim.function();
    let known = Known {
        owners: &claim.owners(),
        tokens: &tokens,
        function: function.as_ref(),
        seed: claim.seed(),
        program: claim.program(),
        network: network::terms(state, chain, now),
        sponsored: false,
        tables: &[],
    };
    let transaction = proposal::proposed(wallet, chain, &release.unsigned, known)?;
    if !claim.is_done_by(&transaction) {
        return Err(Code::BodyMismatch.into());
    }
    if transaction.fee_max() > intent.fee_ceiling {
        let native = chain.native_asset();
        return Err(Violation::limit(
            Code::FeeCeiling,
            native,
            transaction.fee_max(),
            intent.fee_ceiling,
        )
        .into());
    }
    let rent = decide_token::rent(transaction.effects());
    let rent_ceiling = intent.rent_ceiling.unwrap_or_default();
    if rent > rent_ceiling {
        let native = chain.native_asset();
        return Err(Violation::limit(Code::RentCeiling, native, rent, rent_ceiling).into());
    }
    let payment = Payment {
        wallet: intent.wallet,
        session: intent.session,
        bearer: decide_spend::is_bearer(session),
        chain,
        effects: transaction.effects(),
        submit: intent.submit,
    };
    let (grant, usage) = (&session.grant, &session.usage);
    let verdict = decide_spend::judge_all(state, grant, usage, &payment, state, context)?;
    // A document adopted meanwhile may demand a longer wait, or more owners.
    let behind = Behind::waiting(intent, &approved);
    behind.suffices(state, &verdict, now)?;
    let newest = state.binding(now.run).last().ok_or(Code::PolicyMissing)?;
    let spend = Spend {
        transaction: intent.transaction,
        session: Some(intent.session),
        wallet: intent.wallet,
        chain,
        unsigned: transaction.bytes().to_vec(),
        effects: transaction.effects().to_vec(),
        charges: decide_spend::listed(charges(transaction.effects())?),
        tier: intent.tier(),
        policy_epoch: newest.document.epoch,
        nonce: transaction.account_nonce(),
        idempotency: intent.idempotency,
        body: intent.body,
        kept_until: intent.kept_until,
        request_nonce: intent.request_nonce.clone(),
        submit: intent.submit,
        from: None,
        replaces: intent.replaces,
        waited: Some(Waited {
            since: intent.opened,
            approved,
            asked: intent.asked.clone(),
        }),
        fee_ceiling: Some(intent.fee_ceiling),
        memo: transaction.memo().cloned(),
    };
    Ok(decide_spend::signed(
        wallet.path,
        transaction,
        spend,
        None,
        EventBody::SpendCommitted,
    ))
}

/// What must hold for an approval or rejection, when drafted and again when carried out.
pub(super) fn check(
    state: &State,
    transaction: TransactionId,
    approves: bool,
    now: Clocks,
) -> Result<(), Denial> {
    let open = state.intents.get(&transaction).ok_or(Code::IntentUnknown)?;
    if is_over(open, now) {
        return Err(Code::IntentExpired.into());
    }
    let waits_for_owners = matches!(open.intent.wait, Wait::Approval { .. });
    if approves && (!waits_for_owners || open.approval.is_some()) {
        return Err(Code::StatementMismatch.into());
    }
    // It could never be released.
    let session = state.sessions.get(&open.intent.session);
    if approves && let Some(session) = session {
        decide_agent::may_be_granted(state, &session.grant)?;
    }
    Ok(())
}

/// As many owners approved as policy and the owners' own quorum ask for: it may be released for a while.
pub(super) fn approved(
    state: &State,
    transaction: TransactionId,
    statement: StatementId,
    signers: Vec<OwnerId>,
    now: Clocks,
) -> Result<EventBody, Denial> {
    let open = state.intents.get(&transaction).ok_or(Code::IntentUnknown)?;
    match open.intent.wait {
        Wait::Approval { quorum } if signers.len() >= usize::from(quorum) => {}
        _ => return Err(Code::QuorumMissing.into()),
    }
    Ok(EventBody::IntentApproved {
        transaction,
        statement,
        signers,
        until: now.run.after(open.intent.release_within),
    })
}

/// One owner rejects, a suspended one too: final, and also while killed, for it only stops.
pub(super) fn reject(
    state: &State,
    statement: &OpenStatement,
    transaction: TransactionId,
    submission: &Submission,
    now: Clocks,
) -> Result<Decision, Denial> {
    check(state, transaction, false, now)?;
    let standings = [Standing::Active, Standing::Suspended];
    let signers = decide_owner::any_owner(state, statement, &submission.signatures, &standings)?;
    let cause = IntentEnd::Rejected {
        statement: submission.statement,
        signers,
    };
    Ok(Decision::event(ended(vec![transaction], cause)))
}

/// Anybody who reaches a socket may end a wait; it tightens.
pub(super) fn cancel(state: &State, transaction: TransactionId, origin: Origin) -> Decision {
    if state.intents.contains_key(&transaction) {
        Decision::event(ended(vec![transaction], IntentEnd::Cancelled { origin }))
    } else {
        Decision::denied(Code::IntentUnknown)
    }
}

/// Ends what waited too long: an end once seen is durable.
pub(super) fn end_expired(state: &State, now: Clocks) -> Decision {
    let over = state
        .intents
        .iter()
        .filter(|(_, open)| is_over(open, now))
        .map(|(id, _)| *id)
        .collect();
    Decision {
        events: some_ended(over, IntentEnd::Expired),
        outcome: Ok(Outcome::Done),
    }
}

/// The end of everything that waits under a session.
pub(super) fn session_ended(state: &State, session: SessionId) -> Vec<EventBody> {
    let of_session = state
        .intents
        .iter()
        .filter(|(_, open)| open.intent.session == session)
        .map(|(id, _)| *id)
        .collect();
    some_ended(of_session, IntentEnd::SessionEnded)
}

/// The end of everything that waits to be paid from a wallet.
pub(super) fn wallet_closed(state: &State, wallet: WalletId) -> Vec<EventBody> {
    let of_wallet = state
        .intents
        .iter()
        .filter(|(_, open)| open.intent.wallet == wallet)
        .map(|(id, _)| *id)
        .collect();
    some_ended(of_wallet, IntentEnd::WalletClosed)
}

/// The end of everything that waits.
pub(super) fn all_killed(state: &State) -> Vec<EventBody> {
    some_ended(state.intents.keys().copied().collect(), IntentEnd::Killed)
}

/// Payments that wait.
pub(super) fn waiting(state: &State, now: Clocks) -> impl Iterator<Item = &Intent> {
    let waiting = state.intents.values();
    let waiting = waiting.filter(move |open| !is_over(open, now));
    waiting.map(|open| &open.intent)
}

fn some_ended(transactions: Vec<TransactionId>, cause: IntentEnd) -> Vec<EventBody> {
    if transactions.is_empty() {
        Vec::new()
    } else {
        vec![ended(transactions, cause)]
    }
}

const fn ended(transactions: Vec<TransactionId>, cause: IntentEnd) -> EventBody {
    EventBody::IntentsEnded {
        transactions,
        cause,
    }
}

/// Whether its time has run out: altogether, or for the release that it waited for.
fn is_over(open: &OpenIntent, now: Clocks) -> bool {
    let until = match (open.intent.wait, &open.approval) {
        (Wait::Delay { ready }, _) => Some(ready.after(open.intent.release_within)),
        (Wait::Approval { .. }, Some(approval)) => Some(approval.until),
        (Wait::Approval { .. }, None) => None,
    };
    open.intent.expires <= now.wall || until.is_some_and(|until| until <= now.run)
}

fn view(open: &OpenIntent, now: Clocks) -> IntentView {
    IntentView {
        intent: open.intent.clone(),
        now,
        approved_until: open.approval.as_ref().map(|approval| approval.until),
    }
}

impl State {
    /// Everything that waits, oldest name first.
    #[must_use]
    pub fn intent_views(&self, now: Clocks) -> Vec<IntentView> {
        let waiting = self.intents.values().filter(|open| !is_over(open, now));
        waiting.map(|open| view(open, now)).collect()
    }

    /// Whether the time of a waiting payment ran out and its end is not in the log yet.
    #[must_use]
    pub fn has_expired_intents(&self, now: Clocks) -> bool {
        self.intents.values().any(|open| is_over(open, now))
    }
}
