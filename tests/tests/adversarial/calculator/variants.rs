//! One nonce signed again, as this calculator counts it (O2): of all transactions of a nonce one lands.
//! A payment that is sped up is one charge that moved; a cancellation is a fee that the nonce's charge
//! covers as far as it is there. Everything is read from the bytes.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::Account;
use waiaas_shared::caip::AssetId;
use waiaas_shared::event::{Spend, Variant};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::time::Clocks;

use super::limits::{Case, Demand, demand, fee_within};
use super::{Calculator, Charged, account_bytes, calls, charged, outflow};
use crate::bytes::Outflow;

impl Calculator {
    pub(super) fn varied(
        &mut self,
        spend: &Spend,
        variant: &Variant,
        clocks: Clocks,
    ) -> Result<()> {
        let (run, budget) = (clocks.run.millis(), clocks.budget.millis());
        let session = spend.session.context("a session")?;
        let place = self
            .charged
            .iter()
            .position(|one| one.transaction == variant.of)
            .context("the transaction before")?;
        let before = self.charged.get(place).context("a charge")?.clone();
        ensure!(before.newest, "two in the place of one (O4)");
        ensure!(
            !self.credited.contains(&before.sequence),
            "of what was credited (O4)"
        );
        let whose = (before.wallet, before.chain, before.session, before.nonce);
        ensure!(
            whose == (spend.wallet, spend.chain, session, spend.nonce) && spend.nonce.is_some(),
            "another wallet, chain, session or nonce (O5)"
        );
        let attested = self.attested.get(&(spend.wallet, spend.chain));
        ensure!(
            spend.nonce >= attested.copied(),
            "a nonce below the attested one (O5)"
        );
        let (account, _) = self.wallets.get(&spend.wallet).context("a wallet")?.clone();
        let outflow = outflow(account, &spend.unsigned, &[])?;
        ensure!(outflow.nonce == spend.nonce, "another nonce than recorded");
        let total = outflow.total();
        let tokens = calls::agreed(self.binding(run), spend.chain, &outflow)?;
        charged(spend, &outflow.taken(spend.chain, &tokens))?;
        let mut others = self.charged.clone();
        let moved = before.amount.min(total);
        if let Some(one) = others.get_mut(place) {
            (one.amount, one.newest) = (one.amount - moved, false);
            // The payment moves whole; one that is cancelled stays a payment.
            one.counted &= variant.cancels;
            if !variant.cancels {
                one.transfers.clear();
                one.tokens.clear();
            }
        }
        let key = (spend.wallet, spend.chain);
        let outstanding = self.outstanding.get(&key).copied().unwrap_or(0) - moved + total;
        let granted = self
            .sessions
            .get(&session)
            .context("a granted session")?
            .clone();
        let grant = if variant.cancels {
            let stopped =
                self.killed || self.frozen || self.closed || self.paused.contains(&spend.wallet);
            ensure!(!stopped, "although stopped (O6)");
            let nothing = [(account_bytes(account), 0)];
            ensure!(outflow.transfers == nothing, "a cancellation that pays");
            granted
        } else {
            ensure!(before.counted, "paid after its cancellation (O4)");
            ensure!(
                outflow.transfers == before.transfers && outflow.told == before.told,
                "another payment (O2)"
            );
            ensure!(outflow.fee > before.fee, "no higher fee");
            self.open_to(session, spend.wallet, clocks.wall.millis())?
                .clone()
        };
        let all = std::mem::replace(&mut self.charged, others);
        let judged = self.judged(
            spend,
            (&outflow, &tokens, account),
            variant.cancels,
            &grant,
            outstanding,
            (run, budget),
        );
        if let Err(broken) = judged {
            self.charged = all;
            return Err(broken);
        }
        ensure!(spend.tier == before.tier, "another tier");
        let asked = self.asked.insert(spend.idempotency, spend.transaction);
        ensure!(asked.is_none(), "one request made two payments (O4)");
        self.outstanding.insert(key, outstanding);
        self.charged.push(Charged {
            sequence: self.sequence,
            transaction: spend.transaction,
            at: budget,
            amount: total,
            tokens,
            told: outflow.told,
            fee: outflow.fee,
            counted: !variant.cancels,
            transfers: if variant.cancels {
                Vec::new()
            } else {
                outflow.transfers
            },
            ..before
        });
        Ok(())
    }

    fn judged(
        &self,
        spend: &Spend,
        (outflow, tokens, account): (&Outflow, &BTreeMap<AssetId, u128>, Account),
        cancels: bool,
        grant: &waiaas_shared::session::SessionGrant,
        outstanding: u128,
        (run, now): (u64, u64),
    ) -> Result<()> {
        let session = spend.session.context("a session")?;
        let mut asks = Demand::default();
        let mut bound = 0;
        for document in self.binding(run) {
            let case = Case {
                document,
                spend,
                outflow,
                tokens,
                account,
                grant,
                session,
                charged: &self.charged,
                outstanding,
                attested: self.attested.get(&(spend.wallet, spend.chain)).copied(),
                now,
            };
            if cancels {
                fee_within(&case)?;
            } else {
                asks = asks.strictest(demand(&case)?);
            }
            bound += 1;
        }
        ensure!(bound > 0, "no policy bound");
        ensure!(
            asks.tier <= spend.tier.max(Tier::Notify),
            "a tier that was not agreed (O3)"
        );
        self.session_has(session, grant, &outflow.taken(spend.chain, tokens))?;
        if !cancels {
            self.session_counts(session, grant, outflow.payments())?;
            calls::may_call(grant, outflow)?;
        }
        Ok(())
    }
}
