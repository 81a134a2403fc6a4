//! Payments that wait for their time or for the owner (T01 to T07, T11, and what P02 to P36 say of
//! approvals). Helpers here; a file a theme.

pub(super) mod approval;
pub(super) mod delay;
pub(super) mod release;

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::task::spawn_local;
use waiaas_client::{ClientError, Paid, SignedPayment, SpendRequest};
use waiaas_shared::codec::from_canonical;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::agent::{Transfer, unsigned};

use crate::rig::Rig;
use crate::stand::{DELAY, DELAYED};

/// How long a delay may take to pass on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every code with which bytes of another effect may be refused.
const OTHER_BYTES: [Code; 7] = [
    Code::TransactionUndecodable,
    Code::BodyMismatch,
    Code::NonceNotZero,
    Code::FeeCeiling,
    Code::BodyTooLarge,
    Code::PerTransactionLimit,
    Code::TierNotAvailable,
];

/// A payment that waits, with bytes that may release it.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) transaction: TransactionId,
    pub(super) unsigned: Vec<u8>,
}

/// Opens an honest one.
pub(super) fn open(rig: &mut Rig, transfer: &Transfer) -> Result<Open> {
    Ok(Open {
        transaction: rig.open(transfer)?,
        unsigned: unsigned(transfer)?,
    })
}

/// Opens one under the session for which the gateway speaks.
pub(super) fn invent(rig: &mut Rig, transfer: &Transfer) -> Result<Open> {
    let request = rig.invented(transfer)?;
    Ok(Open {
        transaction: rig.wait(&request)?.intent.transaction,
        unsigned: request.unsigned,
    })
}

/// Opens one of the other agent, out of its own wallet of the same chain.
pub(super) fn open_other(rig: &mut Rig, amount: u128) -> Result<Open> {
    let transfer = Transfer {
        from: rig.cast.other_evm,
        ..rig.to_evm(amount)
    };
    let key = rig.fresh_key();
    let request = rig.cast.other.request(&transfer, &key)?;
    Ok(Open {
        transaction: rig.wait(&request)?.intent.transaction,
        unsigned: request.unsigned,
    })
}

/// Lets the first policy's delay pass.
pub(super) fn mature() {
    std::thread::sleep(DELAY + Duration::from_millis(50));
}

/// What a sweep up to the end of a delay saw.
#[derive(Debug)]
pub(super) struct Sweep {
    /// Refusals before the end.
    pub(super) refused: usize,
    /// What the signer said was left at the last of them, milliseconds.
    pub(super) last_left: u64,
    pub(super) signed: SignedPayment,
}

/// What is left of a delay, by the refusal.
fn left(answer: Result<SignedPayment, ClientError>) -> Result<Result<SignedPayment, u64>> {
    match answer {
        Ok(signed) => Ok(Ok(signed)),
        Err(ClientError::Denied(denial)) => {
            let first = denial.violations().first().context("a reason")?;
            ensure!(first.code == Code::IntentNotReady, "{}", first.code);
            let left = first.retry_after.context("what is left")?;
            ensure!(left.millis() > 0, "refused with nothing left to wait");
            Ok(Err(left.millis()))
        }
        Err(error) => bail!("not a refusal: {error}"),
    }
}

/// Asks for a release again and again, from now until it is signed; near the end as fast as a
/// connection takes it. The signer must never have counted more of the delay than this program's
/// clock has seen.
pub(super) fn sweep(rig: &mut Rig, open: &Open, delay: Duration) -> Result<Sweep> {
    let asked = rig.record.opened.get(&open.transaction).copied();
    let asked = asked.context("when it was asked for")?;
    let start = Instant::now();
    let (mut refused, mut last_left) = (0, u64::MAX);
    loop {
        ensure!(start.elapsed() < PATIENCE, "it never matures");
        let count = if last_left < 60 { 64 } else { 1 };
        let proposals = vec![(open.transaction, open.unsigned.clone()); count];
        let answers = rig.release_all(&proposals)?;
        let passed = rig.ran() - asked;
        let mut released = None;
        for answer in answers {
            match left(answer)? {
                Ok(signed) => released = released.or(Some(signed)),
                Err(left) => {
                    ensure!(released.is_none(), "refused behind its release");
                    let counted = delay.saturating_sub(Duration::from_millis(left));
                    ensure!(
                        counted <= passed + Duration::from_millis(2),
                        "{counted:?} counted after {passed:?}"
                    );
                    last_left = last_left.min(left);
                    refused += 1;
                }
            }
        }
        if let Some(signed) = released {
            ensure!(!signed.replay, "a replay of nothing");
            return Ok(Sweep {
                refused,
                last_left,
                signed,
            });
        }
        if last_left > 120 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Approves with the owner's true signature over the signer's text.
pub(super) fn approval(transaction: TransactionId) -> StatementFacts {
    StatementFacts::ApprovePayment { transaction }
}

pub(super) fn rejection(transaction: TransactionId) -> StatementFacts {
    StatementFacts::RejectPayment { transaction }
}

/// Whether a payment waits.
pub(super) fn waits(rig: &Rig, transaction: TransactionId) -> Result<bool> {
    let intents = rig.intents()?;
    Ok(intents
        .iter()
        .any(|view| view.intent.transaction == transaction))
}

/// Adopts the newest policy with a change that tightens.
pub(super) fn tighten(rig: &mut Rig, change: impl FnOnce(&mut PolicyDocument)) -> Result<()> {
    let tighter = rig.next_policy(change)?;
    rig.adopt(&tighter)?;
    Ok(())
}

/// What a wallet was charged in the present hour, by what the signer says is left.
pub(super) fn spent(rig: &Rig) -> Result<u128> {
    let gateway = rig.gateway();
    let session = rig.block(gateway.remaining(rig.cast.agent.session))?;
    let session = session.context("a session")?;
    let native = waiaas_tests::stage::EVM.native_asset();
    let rest = session
        .remaining
        .iter()
        .find(|rest| rest.wallet == rig.cast.evm.wallet && rest.asset == native);
    let rest = rest.context("a rest")?.window.base_units();
    crate::stand::WINDOW.checked_sub(rest).context("a window")
}

/// One request many times at once: one payment waits, one event opened it, and whoever asks again is
/// told of it, before its release, beside it and behind it. How many answers agreed.
pub(super) fn asked_at_once(rig: &mut Rig) -> Result<usize> {
    let mut agreed = 0;
    for round in 0..4 {
        let transfer = rig.to_evm(DELAYED + round);
        let request = rig.request(&transfer)?;
        let mut tellings = Vec::new();
        for answer in all_at_once(rig, &request, None)? {
            match answer? {
                Paid::Waiting { view, opened } => tellings.push((view.intent.transaction, opened)),
                Paid::Signed(signed) => bail!("{} at once", signed.transaction),
            }
        }
        let (transaction, _) = tellings.first().copied().context("an answer")?;
        let same = tellings.iter().all(|(told, _)| *told == transaction);
        ensure!(same, "one request opened several payments");
        let openings: Vec<u64> = tellings
            .iter()
            .map(|(_, opened)| *opened)
            .filter(|opened| *opened > 0)
            .collect();
        let [opened] = openings[..] else {
            bail!("opened by the events {openings:?}");
        };
        let gateway = rig.gateway();
        let page = rig.block(gateway.events(opened - 1, 1, Duration::ZERO))?;
        let record = page.events.first().context("the event")?;
        let event: Event = from_canonical(&record.body)?;
        ensure!(
            matches!(&event.body, EventBody::IntentOpened(intent) if intent.transaction == transaction),
            "event {opened} opened something else"
        );
        mature();
        let mut left: Option<SignedPayment> = None;
        for answer in all_at_once(rig, &request, Some(transaction))? {
            match answer? {
                Paid::Signed(signed) => {
                    let first = left.get_or_insert_with(|| signed.clone());
                    ensure!(signed.raw == first.raw, "two forms of one payment");
                }
                Paid::Waiting { view, .. } => ensure!(view.intent.transaction == transaction),
            }
            agreed += 1;
        }
        let first = left.context("it was released")?;
        let again = rig.agent().sign(request)?;
        let again = rig.send(&again)?;
        ensure!(again.replay && again.raw == first.raw, "other bytes");
        agreed += tellings.len();
    }
    Ok(agreed)
}

/// The agent's request, signed anew each time, many times on one connection; with a name, a release of
/// it among them.
fn all_at_once(
    rig: &mut Rig,
    request: &SpendRequest,
    release: Option<TransactionId>,
) -> Result<Vec<Result<Paid, ClientError>>> {
    let mut copies = Vec::new();
    for _ in 0..12 {
        copies.push(rig.agent().sign(request.clone())?);
    }
    let gateway = rig.gateway();
    let requested = Instant::now();
    let (asked, released) = rig.block(async {
        let mut tasks = Vec::new();
        let mut releases = Vec::new();
        for (place, copy) in copies.iter().cloned().enumerate() {
            if let Some(transaction) = release.filter(|_| place == 5) {
                let (gateway, unsigned) = (Rc::clone(&gateway), request.unsigned.clone());
                releases.push(spawn_local(async move {
                    gateway.release(transaction, &unsigned).await
                }));
            }
            let gateway = Rc::clone(&gateway);
            tasks.push(spawn_local(async move { gateway.sign(&copy).await }));
        }
        let (mut asked, mut released) = (Vec::new(), Vec::new());
        for task in tasks {
            asked.push(task.await?);
        }
        for task in releases {
            released.push(task.await?);
        }
        Ok::<_, anyhow::Error>((asked, released))
    })?;
    for (copy, answer) in copies.iter().zip(&asked) {
        rig.note(copy, requested, answer);
    }
    for answer in &released {
        rig.note_release(&request.unsigned, requested, answer);
    }
    let released = released.into_iter();
    Ok(asked
        .into_iter()
        .chain(released.map(|answer| answer.map(Paid::Signed)))
        .collect())
}
