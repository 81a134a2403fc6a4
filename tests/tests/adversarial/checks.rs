//! The checks after every case: what must hold of everything that the gateway got and of the whole
//! log, whatever was tried.
//!
//! | check | |
//! |---|---|
//! | O1 | no secret in anything that came out or was written, and no core file |
//! | O2 | worst cases of all signatures within every binding document, by the second calculator |
//! | O3 | what has to wait waited, by the log and by this program's clock; no clock ran ahead |
//! | O4 | each owner decision was issued, in time, used once, and truly signed by the owner's key |
//! | O5 | epochs, nonces, clocks and the log never go back |
//! | O6 | nothing left between an acknowledged kill and its release |
//! | O7 | each signature has its record in a log that verifies and goes through the kept heads |
//! | O8 | an honest payment passes in time, or the signer is closed for a reason that the case names |
//! | O9 | what was refused left nothing but counted denials |
//! | O10 | the signature verifies over the bytes that were judged |

mod authorized;
pub(crate) mod cores;
mod decisions;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::Account;
use waiaas_shared::event::{Event, EventBody, Spend};
use waiaas_shared::intent::{IntentEnd, Wait};

use crate::bytes::{name_of, trimmed, verified};
use crate::calculator::{Calculator, account_bytes};
use crate::chain::Log;
use crate::rig::Rig;
use waiaas_tests::secrets::Secrets;

/// The slowest honest payment that counts as being served, on a machine that does other work too.
const SERVED_WITHIN: Duration = Duration::from_secs(5);
/// Two readings of a clock of milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);
/// What the signer's clocks may be ahead of this program's: rounding.
const CLOCK_SLACK: u64 = 200;

/// The checks' own memory of one signer, over all cases that it serves.
pub(crate) struct Checks {
    pub(crate) log: Log,
    calculator: Calculator,
    secrets: Secrets,
    /// Transactions and the bytes with which each left.
    left: BTreeMap<String, Vec<u8>>,
    read: usize,
    authorized: usize,
    captured: usize,
    /// Releases and events that the checks have gone over, and events before the rig's first case.
    waited: usize,
    decided: usize,
    /// The waiting and the budget clock when the rig started.
    clocks: Option<(u64, u64)>,
}

impl Checks {
    pub(crate) fn new(rig: &Rig) -> Result<Self> {
        let keystore = fs::read(rig.home.state().join("keystore"))?;
        // Offset 64, by docs/keystore-format.md.
        let key = keystore
            .get(64..96)
            .context("a keystore's header")?
            .try_into()?;
        let mut checks = Self {
            log: Log::new(rig.cast.agent.signer, key)?,
            calculator: Calculator::default(),
            secrets: Secrets::of(&rig.cast.phrase)?,
            left: BTreeMap::new(),
            read: 0,
            authorized: 0,
            captured: 0,
            waited: 0,
            decided: 0,
            clocks: None,
        };
        checks.follow(rig)?;
        checks.decided = checks.log.events.len();
        let newest = checks.log.events.last().context("a log")?.clocks;
        checks.clocks = Some((newest.run.millis(), newest.budget.millis()));
        Ok(checks)
    }

    fn follow(&mut self, rig: &Rig) -> Result<Vec<Event>> {
        let from = self.log.events.len();
        loop {
            let page = rig
                .owner()
                .admin
                .events(self.log.sequence(), 200_000, Duration::ZERO);
            let page = rig.block(page)?;
            if page.events.is_empty() {
                break;
            }
            self.log.follow(&page)?;
        }
        self.log.finish()?;
        let new: Vec<_> = self.log.events.iter().skip(from).cloned().collect();
        new.iter().for_each(|event| self.calculator.take(event));
        Ok(new)
    }

    /// All checks; what does not hold.
    pub(crate) fn after(&mut self, rig: &mut Rig) -> Vec<String> {
        let mut failures = Vec::new();
        let mut check = |name: &str, result: Result<()>| {
            if let Err(error) = result {
                failures.push(format!("{name}: {error:#}"));
            }
        };
        check("O5", self.monotone(rig));
        match self.follow(rig) {
            Ok(new) => check("O9", clean(rig, &new)),
            Err(error) => check("O7", Err(error)),
        }
        check("O10", self.same_bytes(rig));
        check("O10", self.authorized(rig));
        check("O6", stopped(rig));
        check("O3", self.clocks_keep_time(rig));
        check("O3", self.waited(rig));
        check("O4", self.truly_signed(rig));
        check("O8", alive(rig));
        match self.follow(rig) {
            Ok(_) => {}
            Err(error) => check("O7", Err(error)),
        }
        check("O7", self.kept_heads(rig));
        check("O1", self.no_secret(rig));
        failures.append(&mut self.calculator.failures);
        rig.record.accepted = 0;
        rig.record.paid = 0;
        rig.record.waiting = 0;
        rig.record.unanswered = 0;
        rig.record.raws.clear();
        failures
    }

    /// Once for a signer, at its end: it ends without a core file, the whole log goes before the judge in
    /// another language, and every file through the search for secrets.
    pub(crate) fn at_the_end(&self, rig: &mut Rig) -> Vec<String> {
        let mut failures = Vec::new();
        if let Err(error) = cores::none_at_the_end(rig) {
            failures.push(format!("O1: a core file: {error:#}"));
        }
        let export = rig.home.path().join("export.jsonl");
        let verify = || -> Result<()> {
            fs::write(&export, self.log.lines.join("\n") + "\n")?;
            judged_elsewhere(&export, true)
        };
        if let Err(error) = verify() {
            failures.push(format!("O2 and O7, in another language: {error:#}"));
        }
        let mut folders = vec![rig.home.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(bytes) = fs::read(&path) {
                    for name in self.secrets.within(&bytes) {
                        failures.push(format!("O1: {name} in {}", path.display()));
                    }
                }
            }
        }
        failures
    }

    fn monotone(&self, rig: &mut Rig) -> Result<()> {
        let now = rig.status()?;
        if let Some(before) = rig.record.status.replace(now.clone()) {
            ensure!(now.sequence >= before.sequence, "the log became shorter");
            ensure!(
                now.policy_epoch >= before.policy_epoch,
                "the policy's epoch fell"
            );
            ensure!(now.kill_epoch >= before.kill_epoch, "the kill's epoch fell");
        }
        if !now.head.is_empty() {
            rig.record.heads.push(now.head);
        }
        Ok(())
    }

    fn kept_heads(&self, rig: &Rig) -> Result<()> {
        rig.record
            .heads
            .iter()
            .try_for_each(|head| self.log.goes_through(head))
    }

    /// Payments, each with the address that its wallet had then.
    fn spends(&self) -> Vec<(u64, &Spend, Account)> {
        let mut accounts = BTreeMap::new();
        let mut found = Vec::new();
        for (sequence, event) in (1..).zip(&self.log.events) {
            match &event.body {
                EventBody::WalletCreated {
                    wallet, account, ..
                }
                | EventBody::WalletRotated {
                    wallet, account, ..
                } => {
                    accounts.insert(*wallet, *account);
                }
                EventBody::SpendCommitted(spend)
                | EventBody::Withdrawn { spend, .. }
                | EventBody::SpendReplaced { spend, .. } => {
                    let own = accounts.get(&spend.wallet).copied();
                    found.extend(spend.from.or(own).map(|account| (sequence, spend, account)));
                }
                _ => {}
            }
        }
        found
    }

    fn same_bytes(&mut self, rig: &Rig) -> Result<()> {
        let records: BTreeMap<_, _> = self
            .spends()
            .into_iter()
            .map(|(sequence, spend, account)| {
                let name = spend.transaction.to_string();
                (name, (sequence, spend.clone(), account))
            })
            .collect();
        for release in rig.record.releases.iter().skip(self.read) {
            let name = release.signed.transaction.to_string();
            let (sequence, spend, account) = records
                .get(&name)
                .with_context(|| format!("{name} left without a record (O7)"))?;
            ensure!(
                *sequence == release.signed.sequence,
                "{name}: another event (O7)"
            );
            let unsigned = verified(&release.signed.raw, &account_bytes(*account))
                .with_context(|| name.clone())?;
            ensure!(
                unsigned == spend.unsigned,
                "{name}: signed over other bytes"
            );
            let proposed = match spend.nonce {
                None => release.proposed.clone(),
                Some(nonce) => with_nonce(&release.proposed, nonce)?,
            };
            // A replay answers with the bytes of the first request, whatever came with the second.
            ensure!(
                release.signed.replay || unsigned == proposed,
                "{name}: other bytes than were proposed"
            );
            let hash = name_of(&release.signed.raw, &account_bytes(*account))?;
            ensure!(
                hash == release.signed.chain_transaction,
                "{name}: another name"
            );
            let before = self.left.insert(name.clone(), release.signed.raw.clone());
            ensure!(
                before.is_none_or(|before| before == release.signed.raw),
                "{name} left in two forms (O4)"
            );
        }
        self.read = rig.record.releases.len();
        for raw in &rig.record.raws {
            let recorded = records.values().any(|(_, spend, account)| {
                verified(raw, &account_bytes(*account))
                    .is_ok_and(|unsigned| unsigned == spend.unsigned)
            });
            ensure!(recorded, "signed bytes left without a record (O7)");
        }
        Ok(())
    }

    fn clocks_keep_time(&self, rig: &Rig) -> Result<()> {
        let (run, budget) = self.clocks.context("clocks")?;
        let newest = self.log.events.last().context("an event")?.clocks;
        let passed = u64::try_from(rig.ran().as_millis())? + CLOCK_SLACK;
        ensure!(
            newest.run.millis() - run <= passed,
            "the waiting clock runs ahead"
        );
        ensure!(
            newest.budget.millis() - budget <= passed,
            "the budget clock runs ahead (O2)"
        );
        Ok(())
    }

    /// By this program's own clock: from when a payment was asked for until it had left, the signer
    /// ran at least as long as its delay. What the log says of the delay, the calculator judges.
    fn waited(&mut self, rig: &Rig) -> Result<()> {
        let delays: BTreeMap<_, _> = self
            .log
            .events
            .iter()
            .filter_map(|event| match &event.body {
                EventBody::IntentOpened(intent) => match intent.wait {
                    Wait::Delay { ready } => Some((intent.transaction, ready.since(intent.opened))),
                    Wait::Approval { .. } => None,
                },
                _ => None,
            })
            .collect();
        for release in rig.record.releases.iter().skip(self.waited) {
            let transaction = release.signed.transaction;
            let asked = rig.record.opened.get(&transaction);
            if let (Some(delay), Some(asked)) = (delays.get(&transaction), asked) {
                let delay = Duration::from_millis(delay.millis());
                let passed = release.answered.saturating_sub(*asked) + ROUNDING;
                ensure!(
                    passed >= delay,
                    "{transaction} left after {passed:?} of {delay:?}"
                );
            }
        }
        self.waited = rig.record.releases.len();
        Ok(())
    }

    fn no_secret(&mut self, rig: &Rig) -> Result<()> {
        let captured = rig.record.captured.get(self.captured..).unwrap_or_default();
        let found = self.secrets.within(captured);
        self.captured = rig.record.captured.len();
        ensure!(found.is_empty(), "{found:?} came out");
        for bytes in [
            fs::read(rig.home.errors())?,
            self.log.lines.concat().into_bytes(),
        ] {
            let found = self.secrets.within(&bytes);
            ensure!(found.is_empty(), "{found:?} was written");
        }
        Ok(())
    }
}

/// The proposed EVM bytes with the signer's nonce in the place of the zero.
fn with_nonce(proposed: &[u8], nonce: u64) -> Result<Vec<u8>> {
    use crate::bytes::{Rlp, prefix};
    ensure!(proposed.first() == Some(&2), "of type 2");
    // Past the type and the list's prefix: the chain id, then the nonce's one byte.
    let header = match proposed.get(1) {
        Some(0xf8) => 3,
        Some(0xf9) => 4,
        _ => 2,
    };
    let fields = proposed.get(header..).context("fields")?;
    let chain = match fields.first() {
        Some(short @ 0x80..=0xb7) => 1 + usize::from(short - 0x80),
        _ => 1,
    };
    let (chain, rest) = fields.split_at_checked(chain).context("a chain id")?;
    let rest = rest.strip_prefix(&[0x80]).context("nonce 0")?;
    let number = Rlp::Bytes(trimmed(&nonce.to_be_bytes())).encode();
    let payload = [chain, &number, rest].concat();
    Ok([vec![2], prefix(0xc0, payload.len()), payload].concat())
}

/// The judgement of a log in another language, with decoders of its own: the limits, and the chain with its
/// heads, unless it was changed on purpose.
pub(crate) fn judged_elsewhere(export: &Path, chained: bool) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/judge_log.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(script).arg(export);
    if !chained {
        command.arg("--unchained");
    }
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// O9: every new event was caused by something that was accepted, or by time; the calculator judges
/// whether the time had come.
fn clean(rig: &Rig, new: &[Event]) -> Result<()> {
    let record = &rig.record;
    let (mut paid, mut waiting, mut others) = (0, 0, 0);
    for event in new {
        match &event.body {
            EventBody::SpendCommitted(_)
            | EventBody::SpendReplaced { .. }
            | EventBody::TransferAuthorized { .. } => paid += 1,
            EventBody::IntentOpened(_) => waiting += 1,
            EventBody::DenialsCounted { .. }
            | EventBody::SnapshotTaken { .. }
            | EventBody::IntentsEnded {
                cause:
                    IntentEnd::Expired
                    | IntentEnd::SessionEnded
                    | IntentEnd::Killed
                    | IntentEnd::WalletClosed,
                ..
            } => {}
            _ => others += 1,
        }
    }
    let most = record.paid + record.unanswered;
    ensure!(
        (record.paid..=most).contains(&paid),
        "{paid} payments charged, {} signed, {} without an answer",
        record.paid,
        record.unanswered
    );
    let most = record.waiting + record.unanswered;
    ensure!(
        (record.waiting..=most).contains(&waiting),
        "{waiting} payments opened, {} waited, {} without an answer",
        record.waiting,
        record.unanswered
    );
    ensure!(
        others <= record.accepted,
        "{others} events for {} accepted changes",
        record.accepted
    );
    Ok(())
}

/// O6, by this program's clock: nothing that was asked for after a kill was acknowledged left before
/// its release.
fn stopped(rig: &Rig) -> Result<()> {
    for kill in &rig.record.kills {
        let end = rig.record.kill_ends.iter().find(|end| *end > kill);
        for release in &rig.record.releases {
            let inside =
                release.requested > *kill && end.is_none_or(|end| release.requested < *end);
            ensure!(!inside, "{} left after a kill", release.signed.transaction);
        }
        for one in &rig.record.authorized {
            let inside = one.requested > *kill && end.is_none_or(|end| one.requested < *end);
            ensure!(!inside, "{} left after a kill", one.signed.transaction);
        }
    }
    Ok(())
}

/// O8.
fn alive(rig: &mut Rig) -> Result<()> {
    if rig.spent.is_some() {
        return Ok(());
    }
    let start = Instant::now();
    let transfer = rig.to_evm(1);
    rig.pay(&transfer)?;
    let took = start.elapsed();
    ensure!(took < SERVED_WITHIN, "an honest payment took {took:?}");
    Ok(())
}
