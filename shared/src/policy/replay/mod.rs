//! Past traffic against a proposed document: every payment and login that the log tells of is judged by it, with
//! the history as it was and at the event's own clocks, and again by the documents that bound then.
//! The same evaluation as the signer's. Takes events one by one; believes that they were verified.
//! Pure: command line and owner API show the [`Report`].

mod login;
mod past;
mod report;
mod row;

use std::collections::BTreeMap;

pub use self::login::{LoginCounts, LoginDifference, LoginRow, Logins};
use self::past::Past;
pub use self::report::{Counts, Day, Frequent, Report};
pub use self::row::{Broken, Decision, Difference, Ending, Fate, Row, Rule};
use super::document::PolicyDocument;
use super::evaluate::{Now, Payment, Verdict, evaluate, listed_charges};
use super::history::Charged;
use crate::amount::Amount;
use crate::denial::Violation;
use crate::effect::Effect;
use crate::event::{Event, EventBody, SignedIn, Spend};
use crate::ids::TransactionId;
use crate::intent::Intent;
use crate::time::Clocks;

/// Judges a log by a proposed document, event by event.
#[derive(Debug)]
pub struct Replay {
    proposed: PolicyDocument,
    past: Past,
    waiting: BTreeMap<TransactionId, Row>,
    report: Report,
    limit: usize,
}

impl Replay {
    /// Before the first event. The report lists at most `limit` payments.
    #[must_use]
    pub fn new(proposed: PolicyDocument, limit: usize) -> Self {
        Self {
            report: Report::new(proposed.epoch, proposed.digest()),
            proposed,
            past: Past::default(),
            waiting: BTreeMap::new(),
            limit,
        }
    }

    /// Takes the log's next event.
    pub fn event(&mut self, sequence: u64, event: &Event) {
        self.report.read(event.clocks.wall);
        self.past.time_passes(event.clocks.run);
        match &event.body {
            EventBody::SpendCommitted(spend) => self.spend(sequence, spend, event.clocks, false),
            EventBody::TransferAuthorized { spend, .. } => {
                self.spend(sequence, spend, event.clocks, true);
            }
            EventBody::IntentOpened(intent) => self.opened(sequence, intent, event.clocks),
            EventBody::IntentsEnded {
                transactions,
                cause,
            } => {
                for transaction in transactions {
                    self.close(*transaction, Fate::ended(cause));
                }
            }
            EventBody::SignedIn(entry) => self.signed_in(sequence, entry, event.clocks),
            EventBody::DenialsCounted { code, count, .. } => self.report.refused(*code, *count),
            other => self.past.fold(other, event.clocks),
        }
    }

    /// What the whole log comes to.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let waiting: Vec<_> = self.waiting.keys().copied().collect();
        for transaction in waiting {
            self.close(transaction, Fate::Waits);
        }
        self.report.finish();
        self.report
    }

    fn spend(&mut self, sequence: u64, spend: &Spend, clocks: Clocks, authorized: bool) {
        // A withdrawal is no event of this kind; whatever names no session was charged to nobody.
        let Some(session) = spend.session else { return };
        let payment = Payment {
            wallet: spend.wallet,
            session,
            bearer: self.past.is_bearer(session),
            chain: spend.chain,
            effects: &spend.effects,
            // An authorization is brought to the chain by whoever has it.
            submit: spend.submit || authorized,
        };
        let would = judge(&self.proposed, &payment, &self.past, clocks);
        match self.waiting.remove(&spend.transaction) {
            // Its decision fell when it was opened; signing it was judged once more.
            Some(mut row) => {
                row.again(would);
                row.fate = Fate::Signed;
                self.report_named(row);
            }
            None => {
                let was = Decision::of_tier(spend.tier);
                let bound = self.past.judge(&payment, clocks);
                let explained = bound.is_ok_and(|verdict| verdict.tier == spend.tier);
                if let Some(row) = Row::of_spend(sequence, clocks.wall, spend, was) {
                    let row = row.judged(would, explained);
                    self.report_named(row);
                }
            }
        }
        let charges = listed_charges(&spend.charges);
        let paid = Charged {
            at: clocks.budget,
            chain: spend.chain,
            charges: &charges,
            effects: &spend.effects,
        };
        if authorized {
            self.past.authorize(spend.wallet, session, &paid);
        } else {
            self.past.charge(spend.wallet, session, &paid);
        }
    }

    /// The log holds how long the message holds, not whether the agent asked for that: one that holds as
    /// long as the documents then let it is taken to have named no time of its own.
    fn signed_in(&mut self, sequence: u64, entry: &SignedIn, clocks: Clocks) {
        let held = login::held(entry);
        let bound = self.past.judge_login(entry, clocks.budget);
        let longest = bound
            .as_ref()
            .is_ok_and(|allowed| allowed.valid_for == held);
        let explained =
            bound.is_ok_and(|allowed| allowed.tier == entry.tier && allowed.valid_for >= held);
        let asked = (!longest).then_some(held);
        let earlier = self.past.logins(entry);
        let would = login::judge(&self.proposed, entry, asked, earlier, clocks.budget);
        let row = LoginRow::judged(sequence, clocks.wall, entry, would);
        self.report.login(row, explained, self.limit);
        self.past.signed_in(entry, clocks.budget);
    }

    /// The log holds the effect of a payment that waits and the most that its fee may be, not the fee of
    /// the bytes that were judged. It is judged without a fee, or with the most, whichever gives the
    /// decision that the log tells.
    fn opened(&mut self, sequence: u64, intent: &Intent, clocks: Clocks) {
        let native = intent.asset.chain().native_asset();
        let bearer = self.past.is_bearer(intent.session);
        let was = Decision::of_intent(intent);
        let explains = |fee: Amount| {
            let effects = effects(intent, fee);
            let bound = self.past.judge(&payment(intent, bearer, &effects), clocks);
            bound.is_ok_and(|verdict| Decision::of(&verdict) == was)
        };
        let without = explains(Amount::ZERO);
        let explained = without || explains(intent.fee_ceiling);
        let fee = if without {
            Amount::ZERO
        } else {
            // What builds it keeps to the lower of the two ceilings.
            let rule = self.proposed.asset(native);
            let ceiling = rule.and_then(|rule| rule.fee_ceiling).unwrap_or_default();
            intent.fee_ceiling.min(ceiling)
        };
        let effects = effects(intent, fee);
        let payment = payment(intent, bearer, &effects);
        let would = judge(&self.proposed, &payment, &self.past, clocks);
        let row = Row::of_intent(sequence, clocks.wall, intent, was).judged(would, explained);
        self.waiting.insert(intent.transaction, row);
    }

    fn close(&mut self, transaction: TransactionId, fate: Fate) {
        if let Some(mut row) = self.waiting.remove(&transaction) {
            row.fate = fate;
            self.report_named(row);
        }
    }

    /// Counts a payment, named as people know its asset and recipient.
    fn report_named(&mut self, mut row: Row) {
        if row.difference != Difference::Same {
            let documents = std::iter::once(&self.proposed).chain(self.past.binding().rev());
            row.name(documents);
        }
        self.report.count(row, self.limit);
    }
}

/// What a payment that waits does, with this fee.
fn effects(intent: &Intent, max: Amount) -> Vec<Effect> {
    let mut effects = intent.claim().effects();
    effects.push(Effect::Fee {
        asset: intent.asset.chain().native_asset(),
        max,
    });
    effects
}

const fn payment<'a>(intent: &Intent, bearer: bool, effects: &'a [Effect]) -> Payment<'a> {
    Payment {
        wallet: intent.wallet,
        session: intent.session,
        bearer,
        chain: intent.asset.chain(),
        effects,
        submit: intent.submit,
    }
}

/// What a document says of a payment.
type Judgement = Result<Verdict, Vec<Violation>>;

fn judge(
    document: &PolicyDocument,
    payment: &Payment<'_>,
    past: &Past,
    clocks: Clocks,
) -> Judgement {
    let now = Now {
        budget: clocks.budget,
        wall: clocks.wall,
        // The log does not tell the lower side.
        steady: clocks.wall,
    };
    evaluate(document, payment, past, now)
}

#[cfg(test)]
mod tests;
