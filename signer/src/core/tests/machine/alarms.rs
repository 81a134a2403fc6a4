//! Alarms over payments and idle wallets, a second time: which must go off and which may, by exact lists;
//! what was seen to go off is one of them, and what it stops was not done.

use std::collections::{BTreeMap, BTreeSet};

use waiaas_shared::caip::AssetId;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::policy::alarm::{Alarm, Condition, Remedy, Subject, Trigger};

use super::book::Book;
use super::expect::Expect;
use super::run::{Checked, Run};
use crate::core::command::Command;
use crate::model::charges::WINDOWS;
use crate::model::policy::Asking;
use crate::model::scopes::are_open;
use crate::model::{DAY, MINUTE};

/// What a payment is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Signed,
    Waiting,
}

/// Payments that each wallet ever signed for sessions, and where alarms count anew: for the wallet, or for
/// the one session that they suspend.
#[derive(Debug, Clone, Default)]
pub(super) struct Alarms {
    pub(super) signed: BTreeMap<WalletId, u64>,
    marks: BTreeMap<(Alarm, Subject), u64>,
}

impl Alarms {
    /// Marks stay for what the new document says, or one that bound when it was adopted.
    pub(super) fn adopted(&mut self, known: &BTreeSet<Alarm>) {
        self.marks.retain(|(alarm, _), _| known.contains(alarm));
    }
}

/// One alarm that would go off: for certain, or if a bucket still counts; and where it counts anew then.
struct Due {
    alarm: Alarm,
    certain: bool,
    mark: u64,
}

impl Book {
    pub(super) fn all_alarms(&self) -> BTreeSet<Alarm> {
        let documents = self.binding().iter();
        documents
            .flat_map(|one| one.document.alarms.iter().cloned())
            .collect()
    }

    fn due(&self, asking: &Asking, doing: Doing) -> Vec<Due> {
        let alarms = self.all_alarms().into_iter();
        alarms
            .filter_map(|alarm| self.is_due(&alarm, asking, doing))
            .collect()
    }

    fn is_due(&self, alarm: &Alarm, asking: &Asking, doing: Doing) -> Option<Due> {
        let now = self.now();
        let wallet = asking.wallet;
        let before = (alarm.clone(), goes_off_for(alarm, asking));
        let before = self.alarms.marks.get(&before).copied();
        let due = |certain: bool, mark: u64| {
            Some(Due {
                alarm: alarm.clone(),
                certain,
                mark,
            })
        };
        match (&alarm.condition, doing) {
            (Condition::Signatures { count, window }, Doing::Signed) => {
                let signed = self.alarms.signed.get(&wallet).copied().unwrap_or(0);
                let made = u64::from(asking.made());
                // One that told of a payment which another alarm kept back may be ahead.
                let fresh = (signed + made).saturating_sub(before.unwrap_or(0));
                let within = |longer: u64| {
                    let length = window.millis() + longer.max(1);
                    self.charges.younger(wallet, now.budget, length)
                };
                let longer = longest_bucket(window.millis());
                let (least, most) = (within(0) + made, within(longer) + made);
                let count = u64::from(*count);
                let goes_on = alarm.remedy == Remedy::Tell;
                let mark = if goes_on { signed + made } else { signed };
                if most.min(fresh) >= count {
                    due(least.min(fresh) >= count, mark)
                } else {
                    None
                }
            }
            (Condition::Velocity { times, window }, Doing::Signed) => {
                let length = window.millis();
                // It counts anew a whole window after it went off.
                if before.is_some_and(|mark| now.budget < mark + length) {
                    return None;
                }
                let (mut certain, mut possible) = (false, false);
                for (asset, charge) in asking.sums() {
                    let found = self.fast(wallet, asset, charge, (*times).into(), length);
                    (certain, possible) = (certain | found.0, possible | found.1);
                }
                if possible {
                    due(certain, now.budget)
                } else {
                    None
                }
            }
            (Condition::OutsideHours { hours }, Doing::Signed) => {
                let open = |wall: u64| hours.iter().any(|hours| are_open(hours, wall));
                let both = |later: u64| open(now.wall + later) && open(now.steady + later);
                let told = before.is_some_and(|until| now.wall < until);
                if both(0) || told {
                    return None;
                }
                // The next minute of the week, by either side, at which both are within; a day later without one.
                let mut first = [now.wall, now.steady].map(|side| MINUTE - side % MINUTE);
                first.sort_unstable();
                let minutes = 0..=7 * 24 * 60;
                let mut minutes = minutes.flat_map(|minute| first.map(|at| at + minute * MINUTE));
                let begins = minutes.find(|later| both(*later));
                due(true, now.wall + begins.unwrap_or(DAY))
            }
            (Condition::OpenPayments { count }, Doing::Waiting) => {
                let open = self.waits.values();
                let open = open.filter(|wait| !wait.is_over(now) && wait.asking.wallet == wallet);
                let number = open.count() as u64 + 1;
                let count = u64::from(*count);
                let reached = number == count || (number > count && before.is_none());
                if reached { due(true, number) } else { None }
            }
            _ => None,
        }
    }

    /// Whether a wallet spends so many times its usual of an asset with one more charge: certainly, and
    /// if buckets count what they may. Usual is what a window saw on average in the 30 days before it.
    fn fast(
        &self,
        wallet: WalletId,
        asset: AssetId,
        charge: u128,
        times: u128,
        window: u64,
    ) -> (bool, bool) {
        let now = self.now().budget;
        let spent =
            |length: u64, longer: u64| self.charges.spent(wallet, asset, now, length + longer);
        let (month, of_month) = WINDOWS[3];
        let longer = longest_bucket(window);
        // A charge at a window's very edge still counts.
        let recent = (spent(window, 1), spent(window, longer));
        let all = (spent(month, 1), spent(month, of_month));
        let before = (
            all.0.saturating_sub(recent.1),
            all.1.saturating_sub(recent.0),
        );
        let known = |length: u64| self.charges.known_since(wallet, asset, now, length);
        let windows = |since: Option<u64>, more: u64| {
            let age = since.map_or(0, |since| now - since + more);
            u128::from(age.saturating_sub(window) / window)
        };
        let fewest = windows(known(month + 1), 0);
        let most = windows(known(month + of_month), of_month);
        let usual = |before: u128, windows: u128| (before / windows).max(1) * times;
        let certain = fewest >= 3 && before.0 > 0 && recent.0 + charge >= usual(before.1, fewest);
        let possible = most >= 3 && before.1 > 0 && recent.1 + charge >= usual(before.0, most);
        (certain, possible)
    }

    /// What alarms may bring for a payment instead of its signature or its wait.
    pub(super) fn expect_alarms(&self, asking: &Asking, doings: &[Doing], expect: &mut Expect) {
        for doing in doings {
            for due in self.due(asking, *doing) {
                if let Some(code) = refusal(due.alarm.remedy) {
                    expect.maybe_late.insert(code);
                }
            }
        }
    }
}

/// For whom it goes off.
fn goes_off_for(alarm: &Alarm, asking: &Asking) -> Subject {
    if alarm.remedy == Remedy::SuspendSession {
        Subject::Session(asking.session)
    } else {
        Subject::Wallet(asking.wallet)
    }
}

/// Why what set an alarm off is not done.
const fn refusal(remedy: Remedy) -> Option<Code> {
    match remedy {
        Remedy::Tell => None,
        Remedy::SuspendSession => Some(Code::SessionSuspended),
        Remedy::PauseWallet => Some(Code::WalletPaused),
        Remedy::Kill => Some(Code::Killed),
    }
}

/// The bucket of the finest window that reaches back so far.
fn longest_bucket(window: u64) -> u64 {
    let found = WINDOWS.iter().find(|(length, _)| *length >= window);
    found.map_or(0, |(_, bucket)| *bucket)
}

impl Run {
    /// What went off with the last command, of alarms over payments.
    fn went_off(&self) -> Vec<(Alarm, Subject, u64)> {
        let raised = self.raised.iter();
        raised
            .filter_map(|(trigger, subject, mark)| match trigger {
                Trigger::Alarm(alarm)
                    if !matches!(alarm.condition, Condition::DenialsInARow { .. }) =>
                {
                    Some((alarm.clone(), *subject, *mark))
                }
                _ => None,
            })
            .collect()
    }

    /// A payment was let pass, or refused with these codes: exactly the alarms went off that had to, or one
    /// of those that could; and they stop what they stop. Whether the payment was.
    pub(super) fn alarmed(
        &mut self,
        asking: &Asking,
        doings: &[Doing],
        refused: Option<&BTreeSet<Code>>,
    ) -> Checked<bool> {
        let seen = self.went_off();
        let of_alarm = |code: &Code| {
            matches!(
                code,
                Code::SessionSuspended | Code::WalletPaused | Code::Killed
            )
        };
        let stopped = refused.is_some_and(|codes| !seen.is_empty() && codes.iter().all(of_alarm));
        if refused.is_some() && !stopped {
            return if seen.is_empty() {
                Ok(false)
            } else {
                Err(format!("{seen:?} for what was refused anyway"))
            };
        }
        let fits = doings.iter().any(|doing| {
            let due = self.book.due(asking, *doing);
            let possible = seen.iter().all(|(alarm, subject, mark)| {
                let mut due = due.iter();
                *subject == goes_off_for(alarm, asking)
                    && due.any(|due| due.alarm == *alarm && due.mark == *mark)
            });
            let mut certain = due.iter().filter(|due| due.certain);
            possible && certain.all(|due| seen.iter().any(|(alarm, ..)| *alarm == due.alarm))
        });
        if !fits {
            return Err(format!("{seen:?} went off"));
        }
        let strongest = seen.iter().map(|(alarm, ..)| alarm.remedy).max();
        let code = strongest.and_then(refusal);
        match (code, refused) {
            (None, None) => {}
            (Some(code), Some(codes)) if codes.len() == 1 && codes.contains(&code) => {}
            (code, refused) => return Err(format!("{code:?} and {refused:?}")),
        }
        for (alarm, subject, mark) in seen {
            self.count("alarm");
            if matches!(alarm.condition, Condition::Velocity { .. }) {
                self.count("velocity");
            }
            let remedy = alarm.remedy;
            self.book.alarms.marks.insert((alarm, subject), mark);
            match remedy {
                Remedy::Tell => {}
                Remedy::SuspendSession => self.book.suspend_session(asking.session),
                Remedy::PauseWallet => {
                    let mut wallets = self.book.wallets.iter();
                    let place = wallets.position(|known| known.id == asking.wallet);
                    self.book.paused(place);
                }
                Remedy::Kill => self.book.killed(),
            }
        }
        Ok(stopped)
    }

    /// The signer looks by itself: wallets that were used and sign nothing for too long.
    pub(super) fn look_around(&mut self) -> Checked {
        self.look()?;
        self.accepted(&Command::Watch)?;
        let book = &self.book;
        let quiet = book.kill == super::book::Kill::Activated || book.closed || book.frozen;
        let mut due = BTreeSet::new();
        let may_pay = |one: &&super::book::Wallet| !(one.paused || one.closed || quiet);
        for wallet in book.wallets.iter().filter(may_pay) {
            let last = book
                .charges
                .last(None, &|charge| charge.wallet == wallet.id);
            for alarm in book.all_alarms() {
                let Condition::Idle { after } = alarm.condition else {
                    continue;
                };
                let Some(last) = last else { continue };
                let subject = Subject::Wallet(wallet.id);
                let before = book.alarms.marks.get(&(alarm.clone(), subject));
                let idle = book.now().budget - last >= after.millis();
                if idle && before != Some(&last) {
                    due.insert((alarm, subject, last));
                }
            }
        }
        let seen: BTreeSet<_> = self.went_off().into_iter().collect();
        if seen != due {
            return Err(format!("{seen:?} went off, expected {due:?}"));
        }
        for (alarm, subject, mark) in due {
            self.count("idle");
            let remedy = alarm.remedy;
            self.book.alarms.marks.insert((alarm, subject), mark);
            if remedy == Remedy::PauseWallet {
                let mut wallets = self.book.wallets.iter();
                let place = wallets.position(|known| Subject::Wallet(known.id) == subject);
                self.book.paused(place);
            }
        }
        Ok(())
    }
}
