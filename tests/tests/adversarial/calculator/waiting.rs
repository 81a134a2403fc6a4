//! Payments that wait, as the log tells: each opens once, waits as long as every document that bound
//! demands, is approved by a decision of its own, and ends once: signed with the effect that waited,
//! or for a reason that holds (O3, O4).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::Account;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::event::Spend;
use waiaas_shared::ids::{OwnerId, SessionId, TransactionId, WalletId};
use waiaas_shared::intent::{Intent, IntentEnd, Wait as For};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request::Action;
use waiaas_shared::time::Clocks;

use super::calls::told_of;
use super::limits::Demand;
use super::owners::Owners;
use super::{HOUR, account_bytes, tokens};
use crate::bytes::Outflow;

/// As docs/policy.md says: of one session at once, of one wallet at once, of one session in an hour.
const OF_SESSION: usize = 16;
const OF_WALLET: usize = 64;
const IN_AN_HOUR: usize = 60;

/// One that waits.
#[derive(Debug)]
pub(super) struct Wait {
    intent: Intent,
    approval: Option<Approval>,
}

#[derive(Debug)]
struct Approval {
    signers: BTreeSet<OwnerId>,
    until: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Waits {
    open: BTreeMap<TransactionId, Wait>,
    /// Every name that ever waited.
    known: BTreeSet<TransactionId>,
    /// When each session opened one, on the budget clock.
    opened: Vec<(SessionId, u64)>,
}

impl Waits {
    pub(super) fn any(&self) -> bool {
        !self.open.is_empty()
    }

    pub(super) fn open(
        &mut self,
        intent: &Intent,
        clocks: Clocks,
        binding: &[&PolicyDocument],
    ) -> Result<()> {
        let (run, budget) = (clocks.run.millis(), clocks.budget.millis());
        ensure!(intent.opened.millis() == run, "opened at another time");
        if let For::Delay { ready } = intent.wait {
            let longest = binding.iter().map(|document| document.delay.millis()).max();
            let longest = longest.unwrap_or(u64::MAX);
            ensure!(
                ready.millis() >= run + longest,
                "ready after {} of {longest} ms",
                ready.millis() - run
            );
        }
        if let For::Approval { quorum } = intent.wait {
            let most = binding
                .iter()
                .map(|document| document.approval.quorum)
                .max();
            ensure!(Some(quorum) >= most, "a quorum of {quorum}");
            let shortest = binding
                .iter()
                .map(|document| document.approval.lifetime.millis())
                .min();
            let lives = intent.expires.since(clocks.wall).millis();
            ensure!(shortest >= Some(lives), "it waits {lives} ms");
        }
        let shortest = binding
            .iter()
            .map(|document| document.release_within.millis())
            .min();
        ensure!(
            shortest >= Some(intent.release_within.millis()),
            "it may be released for too long"
        );
        let ceiling = binding.iter().filter_map(|document| {
            let rule = document.asset(intent.asset.chain().native_asset())?;
            rule.fee_ceiling
        });
        ensure!(
            ceiling.min().is_some_and(|most| intent.fee_ceiling <= most),
            "the fee's ceiling"
        );
        let waiting = || {
            let open = self.open.values().map(|wait| &wait.intent);
            open.filter(|other| other.expires > clocks.wall)
        };
        let of_session = waiting().filter(|other| other.session == intent.session);
        let of_wallet = waiting().filter(|other| other.wallet == intent.wallet);
        ensure!(of_session.count() < OF_SESSION, "too many of one session");
        ensure!(of_wallet.count() < OF_WALLET, "too many of one wallet");
        let lately = self
            .opened
            .iter()
            .filter(|(session, at)| *session == intent.session && at + HOUR > budget);
        ensure!(lately.count() < IN_AN_HOUR, "too many in an hour");
        self.opened.push((intent.session, budget));
        ensure!(
            self.known.insert(intent.transaction),
            "a name that was used before"
        );
        let wait = Wait {
            intent: intent.clone(),
            approval: None,
        };
        self.open.insert(intent.transaction, wait);
        Ok(())
    }

    pub(super) fn approved(
        &mut self,
        transaction: TransactionId,
        signers: &[OwnerId],
        quorum: usize,
        until: u64,
        run: u64,
    ) -> Result<()> {
        let wait = self
            .open
            .get_mut(&transaction)
            .context("nothing waits under this name")?;
        let For::Approval { quorum: of_policy } = wait.intent.wait else {
            anyhow::bail!("it waits for nobody");
        };
        let signers: BTreeSet<_> = signers.iter().copied().collect();
        ensure!(
            signers.len() >= quorum.max(of_policy.into()),
            "{} owners",
            signers.len()
        );
        ensure!(wait.approval.is_none(), "two decisions for one payment");
        ensure!(
            until <= run + wait.intent.release_within.millis(),
            "for too long"
        );
        wait.approval = Some(Approval { signers, until });
        Ok(())
    }

    /// Approvals of a suspended owner are void.
    pub(super) fn void(&mut self, owner: OwnerId) {
        for wait in self.open.values_mut() {
            let approval = wait.approval.take();
            wait.approval = approval.filter(|approval| !approval.signers.contains(&owner));
        }
    }

    /// It ends without being signed.
    pub(super) fn ended(&mut self, transaction: TransactionId) -> Result<Wait> {
        let wait = self.open.remove(&transaction);
        wait.with_context(|| format!("{transaction} did not wait"))
    }

    /// It is signed: what waited under the name, or nothing ever did.
    pub(super) fn take(&mut self, transaction: TransactionId) -> Result<Option<Wait>> {
        let wait = self.open.remove(&transaction);
        ensure!(
            wait.is_some() || !self.known.contains(&transaction),
            "{transaction} had ended (O4)"
        );
        Ok(wait)
    }
}

/// What moves, of which asset, to whom; the first, then more of the same transaction.
fn parts(intent: &Intent) -> impl Iterator<Item = (AssetId, Account, u128)> {
    let first = (intent.asset, intent.to, intent.amount.base_units());
    let more = intent.more.iter().flatten();
    let more = more.map(|one| (one.asset, one.to, one.amount.base_units()));
    [first].into_iter().chain(more)
}

/// What waits of the chain's coin.
fn coins(intent: &Intent, chain: ChainId) -> Result<Vec<(Vec<u8>, u128)>> {
    let known = [None, Some(Action::Transfer), Some(Action::Approve)];
    ensure!(known.contains(&intent.action), "a payment, or a call");
    let coins = parts(intent).filter(|(asset, ..)| *asset == chain.native_asset());
    Ok(coins
        .map(|(_, to, amount)| (account_bytes(to), amount))
        .collect())
}

/// Whether what waits of tokens is what the bytes move, or let be taken later, in its order.
fn moves(intent: &Intent, chain: ChainId, outflow: &Outflow) -> Result<bool> {
    let later = intent.action == Some(Action::Approve);
    let waits: Vec<_> = parts(intent)
        .filter(|(asset, ..)| *asset != chain.native_asset())
        .collect();
    let same = waits.len() == outflow.moved.len();
    let mut pairs = waits.iter().zip(&outflow.moved);
    pairs.try_fold(same, |same, ((asset, to, amount), moved)| {
        let is = tokens::asset(chain, moved)? == *asset
            && tokens::receives(*to, moved)
            && (moved.amount, moved.later) == (*amount, later);
        Ok(same && is)
    })
}

impl Wait {
    /// Of which wallet.
    pub(super) const fn wallet(&self) -> WalletId {
        self.intent.wallet
    }

    /// On the waiting clock, once it may be released.
    fn until(&self) -> Option<u64> {
        match self.intent.wait {
            For::Delay { ready } => Some(ready.millis() + self.intent.release_within.millis()),
            For::Approval { .. } => self.approval.as_ref().map(|approval| approval.until),
        }
    }

    /// Whether this may be why it ended.
    pub(super) fn may_end(
        &self,
        cause: &IntentEnd,
        clocks: Clocks,
        killed: bool,
        ended: &BTreeSet<SessionId>,
        owners: &Owners,
    ) -> Result<()> {
        use waiaas_shared::statement::StatementFacts;
        let transaction = self.intent.transaction;
        let sound = match cause {
            IntentEnd::Cancelled { .. } => true,
            IntentEnd::Rejected { statement, .. } => matches!(
                owners.facts(*statement),
                Some(StatementFacts::RejectPayment { transaction: said }) if *said == transaction
            ),
            IntentEnd::Expired => {
                let run = clocks.run.millis();
                self.intent.expires <= clocks.wall || self.until().is_some_and(|until| until <= run)
            }
            IntentEnd::SessionEnded => ended.contains(&self.intent.session),
            IntentEnd::Killed => killed,
            // Its wallet's own event must follow: `lives`.
            IntentEnd::WalletClosed => true,
        };
        ensure!(sound, "{transaction} ended without a reason: {cause:?}");
        Ok(())
    }

    /// Whether it may be signed now, with these bytes.
    pub(super) fn release(
        &self,
        spend: &Spend,
        outflow: &Outflow,
        asks: &Demand,
        clocks: Clocks,
        owners: &Owners,
    ) -> Result<()> {
        let intent = &self.intent;
        let run = clocks.run.millis();
        let (transfers, told) = match &intent.call {
            None => (coins(intent, spend.chain)?, None),
            Some(call) => {
                let value = intent.amount.base_units();
                (Vec::new(), Some(told_of(intent.to, value, call)))
            }
        };
        let memo = intent.memo.as_ref().map(|memo| memo.as_str().as_bytes());
        ensure!(
            outflow.transfers == transfers
                && outflow.told == told
                && moves(intent, spend.chain, outflow)?
                && outflow.program.is_none()
                && !outflow.sponsored
                && outflow.memo.as_deref() == memo
                && spend.wallet == intent.wallet,
            "another effect than waited (O3)"
        );
        ensure!(
            spend.session == Some(intent.session)
                && spend.idempotency == intent.idempotency
                && spend.body == intent.body
                && spend.submit == intent.submit,
            "another request than waited (O4)"
        );
        ensure!(
            outflow.fee <= intent.fee_ceiling.base_units(),
            "a higher fee than was agreed (O3)"
        );
        let rent = intent.rent_ceiling.unwrap_or_default();
        ensure!(
            outflow.rent <= rent.base_units(),
            "more rent than was agreed (O3)"
        );
        ensure!(intent.expires > clocks.wall, "it had expired (O3)");
        ensure!(
            self.until().is_none_or(|until| run < until),
            "its time had passed (O3)"
        );
        let waited = run - intent.opened.millis();
        match intent.wait {
            For::Delay { ready } => {
                ensure!(run >= ready.millis(), "{waited} ms are too early (O3)");
                ensure!(asks.tier <= Tier::Delay, "without its owners (O4)");
                ensure!(spend.tier == Tier::Delay, "recorded as {:?}", spend.tier);
            }
            For::Approval { quorum } => {
                let approval = self.approval.as_ref();
                let approval = approval.context("without a decision of an owner (O4)")?;
                let standing = approval.signers.iter().filter(|owner| owners.active(owner));
                let needed = owners.quorum().max(quorum.into());
                let needed = match asks.tier {
                    Tier::Approval => needed.max(asks.quorum.into()),
                    _ => needed,
                };
                ensure!(standing.count() >= needed, "too few owners (O4)");
                ensure!(spend.tier == Tier::Approval, "recorded as {:?}", spend.tier);
            }
        }
        if asks.tier == Tier::Delay {
            ensure!(waited >= asks.delay, "{waited} of {} ms (O3)", asks.delay);
        }
        Ok(())
    }
}
