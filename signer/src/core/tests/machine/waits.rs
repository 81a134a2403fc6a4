//! Payments of a run that wait or were signed: the bytes once more, fresh bytes, and the end of a wait.

use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};

use super::alarms::Doing;
use super::bytes::{of_bytes, propose};
use super::expect::Expect;
use super::requests::{origin, same};
use super::run::{Checked, Run};
use super::step::Spoilt;
use super::tries::Went;
use super::wanted::token_owners;
use crate::core::command::{Command, Outcome, Release};
use crate::model::decoder::RENT;
use crate::model::people::fee;
use crate::model::policy::Asking;

impl Run {
    pub(super) fn resend(&mut self, which: usize) -> Checked {
        let names = &self.names_of_payments;
        let Some(transaction) = names.get(which % names.len().max(1)).copied() else {
            return Ok(());
        };
        let Some(prior) = self.prior(transaction) else {
            return Ok(());
        };
        self.look()?;
        let expect = self.book.expect_replay(transaction);
        let (_, outcome) = self.foreseen(&Command::Resend(prior, Origin::Gateway), &expect)?;
        match outcome {
            Some(Outcome::Sign(order)) => self.again_signed(transaction, &order),
            None => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    pub(super) fn release(&mut self, which: usize, price: u64, spoilt: Spoilt) -> Checked {
        let names = &self.names_of_payments;
        let mut newest = names.iter().rev();
        let Some(transaction) = newest.nth(which % names.len().max(1)).copied() else {
            return Ok(());
        };
        self.look()?;
        let prior = self.prior(transaction);
        let release = |unsigned| {
            Command::Release(Release {
                transaction,
                unsigned,
                prior: prior.clone(),
            })
        };
        let Some(wait) = self.book.waits.get(&transaction).cloned() else {
            // It was signed, or it ended.
            let mut expect = self.book.expect_replay(transaction);
            if prior.is_none() {
                expect = Expect::default();
                expect.when(true, Code::IntentUnknown);
            }
            let (_, outcome) = self.foreseen(&release(Vec::new()), &expect)?;
            return match outcome {
                Some(Outcome::Sign(order)) => self.again_signed(transaction, &order),
                None => Ok(()),
                other => Err(format!("{other:?}")),
            };
        };
        let spoilt = of_bytes(spoilt, &wait.asking);
        // With a higher price the gateway lets other accounts be made than at first.
        let accounts = u128::try_from(token_owners(&wait.asking.parts).len()).expect("few");
        let solana = matches!(wait.asking.chain, waiaas_shared::caip::ChainId::Solana(_));
        let asking = Asking {
            fee: fee(wait.asking.chain, price),
            rent: match price {
                2 if solana => accounts * RENT,
                3 => 0,
                _ => wait.asking.rent,
            },
            ..wait.asking.clone()
        };
        let from = self.book.wallet(asking.wallet).account;
        let unsigned = propose(&from, &asking, (price, 1), 77, spoilt);
        let over = wait.is_over(self.book.now());
        let mut expect = self.book.expect_release(&wait, &asking, spoilt);
        let doings = [Doing::Signed];
        self.book.expect_alarms(&asking, &doings, &mut expect);
        let (events, outcome) = self.foreseen(&release(unsigned), &expect)?;
        match (outcome, events.as_slice()) {
            (None, _) => {
                if over {
                    self.book.waits.remove(&transaction);
                } else {
                    self.book.see_expiry(wait.asking.session);
                }
                let codes = std::mem::take(&mut self.refusal);
                self.alarmed(&asking, &doings, Some(&codes)).map(drop)
            }
            (Some(Outcome::Sign(order)), [EventBody::SpendCommitted(spend)]) => {
                same("name", spend.transaction, transaction)?;
                same("tier", spend.tier, wait.tier())?;
                self.alarmed(&asking, &doings, None)?;
                self.book.waits.remove(&transaction);
                let signers = wait.approval.iter().flat_map(|(signers, _)| signers);
                let approved = signers.filter(|owner| self.book.owners.may_sign(**owner));
                let went = Went {
                    replaces: wait.replaces,
                    waited: Some((wait.opened, approved.copied().collect())),
                    told: wait.told.clone(),
                };
                self.signed(&order, spend, asking, went)?;
                let paid = self.book.paid.get_mut(&transaction).ok_or("it was paid")?;
                paid.agreed = Some(wait.fee_ceiling);
                Ok(())
            }
            (outcome, events) => Err(format!("{outcome:?} with {events:?}")),
        }
    }

    pub(super) fn cancel(&mut self, which: usize, admin: bool) -> Checked {
        let names = &self.names_of_payments;
        let Some(transaction) = names.get(which % names.len().max(1)).copied() else {
            return Ok(());
        };
        self.look()?;
        let mut expect = Expect::default();
        let waits = self.book.waits.contains_key(&transaction);
        expect.when(!waits, Code::IntentUnknown);
        let command = Command::CancelIntent {
            transaction,
            origin: origin(admin),
        };
        if self.foreseen(&command, &expect)?.1.is_some() {
            self.book.waits.remove(&transaction);
            self.count("cancelled");
        }
        Ok(())
    }

    pub(super) fn end_expired(&mut self) -> Checked {
        self.look()?;
        self.accepted(&Command::EndExpired)?;
        let now = self.book.now();
        self.book.waits.retain(|_, wait| !wait.is_over(now));
        Ok(())
    }
}
