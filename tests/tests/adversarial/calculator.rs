//! The second calculator: what every signature took at worst, read from its bytes, against every
//! document that bound when it was made. Exact sums over exact windows; none of the product's
//! decoders, windows or evaluation. The product rounds against the spender, so what it lets through
//! must always pass here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::Account;
use waiaas_shared::caip::{AccountId, ChainId};
use waiaas_shared::event::{Event, EventBody, Spend};
use waiaas_shared::ids::{SessionId, StatementId, WalletId};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};
use waiaas_shared::session::SessionGrant;
use waiaas_shared::statement::StatementFacts;

use crate::bytes::{Outflow, read_evm, read_solana};

const HOUR: u64 = 3_600_000;

/// A charge as this calculator counts it.
#[derive(Debug, Clone, Copy)]
struct Charged {
    wallet: WalletId,
    chain: ChainId,
    session: SessionId,
    at: u64,
    amount: u128,
}

/// What the log has said so far.
#[derive(Debug, Default)]
pub(crate) struct Calculator {
    statements: BTreeMap<StatementId, StatementFacts>,
    documents: Vec<(u64, PolicyDocument)>,
    sessions: BTreeMap<SessionId, SessionGrant>,
    wallets: BTreeMap<WalletId, (Account, Vec<ChainId>)>,
    nonces: BTreeMap<(WalletId, ChainId), u64>,
    outstanding: BTreeMap<(WalletId, ChainId), u128>,
    charged: Vec<Charged>,
    used: BTreeSet<StatementId>,
    /// Between a kill and its release; between a pause of everything and its end.
    killed: bool,
    frozen: bool,
    kill_epoch: u64,
    last_run: u64,
    /// What does not hold, with the check it belongs to.
    pub(crate) failures: Vec<String>,
}

/// The worst case of unsigned bytes.
pub(crate) fn outflow(account: Account, unsigned: &[u8]) -> Result<Outflow> {
    match account {
        Account::Solana(_) => read_solana(unsigned),
        Account::Evm(_) => read_evm(unsigned),
    }
}

/// The chain's own bytes of an account.
pub(crate) fn account_bytes(account: Account) -> Vec<u8> {
    match account {
        Account::Solana(address) => address.as_bytes().to_vec(),
        Account::Evm(address) => address.as_bytes().to_vec(),
    }
}

impl Calculator {
    fn fail(&mut self, check: &str, what: impl std::fmt::Display) {
        self.failures.push(format!("{check}: {what}"));
    }

    /// Takes the next event of the log.
    pub(crate) fn take(&mut self, event: &Event) {
        let (run, budget) = (event.clocks.run.millis(), event.clocks.budget.millis());
        if run < self.last_run {
            self.fail("O5", "the waiting clock went back");
        }
        self.last_run = run;
        match &event.body {
            EventBody::StatementIssued {
                statement, facts, ..
            } => {
                self.statements.insert(*statement, facts.clone());
            }
            EventBody::WalletCreated {
                wallet,
                account,
                networks,
                first_nonce,
                ..
            } => {
                self.wallets.insert(*wallet, (*account, networks.clone()));
                for network in networks {
                    self.nonces.insert((*wallet, *network), *first_nonce);
                }
            }
            EventBody::PolicyAdopted {
                statement,
                epoch,
                matures,
                ..
            } => {
                self.used_once(*statement);
                self.adopted(*statement, *epoch, matures.millis(), run);
            }
            EventBody::SessionGranted {
                session, statement, ..
            } => {
                self.used_once(*statement);
                if let Some(StatementFacts::GrantSession { grant }) = self.statements.get(statement)
                {
                    self.sessions.insert(*session, grant.clone());
                } else {
                    self.fail("O4", "a session without its grant");
                }
            }
            EventBody::SpendCommitted(spend) => {
                if let Err(broken) = self.spend(spend, run, budget) {
                    self.fail("O2", format!("{}: {broken:#}", spend.transaction));
                }
            }
            EventBody::Withdrawn {
                statement, spend, ..
            } => {
                self.used_once(*statement);
                if let Err(broken) = self.withdrawal(*statement, spend) {
                    self.fail("O4", format!("withdrawal: {broken:#}"));
                }
            }
            EventBody::NonceAttested {
                wallet,
                chain,
                next,
                statement,
                ..
            } => {
                self.used_once(*statement);
                self.outstanding.remove(&(*wallet, *chain));
                let before = self.nonces.insert((*wallet, *chain), *next);
                if before.is_some_and(|before| *next < before) {
                    self.fail("O5", "an attestation lowered a nonce");
                }
            }
            EventBody::Killed { epoch, .. } => {
                if *epoch <= self.kill_epoch {
                    self.fail("O5", "the kill epoch did not rise");
                }
                (self.killed, self.kill_epoch) = (true, *epoch);
            }
            EventBody::KillReleased {
                statement, epoch, ..
            } => {
                self.used_once(*statement);
                let facts = self.statements.get(statement);
                let said = matches!(facts, Some(StatementFacts::ReleaseKill { epoch: said, .. }) if said == epoch);
                if !said || *epoch != self.kill_epoch {
                    self.fail("O6", "a release without its statement");
                }
                // The owner resumes by a statement of its own.
                (self.killed, self.frozen) = (false, true);
            }
            EventBody::Paused { wallet: None, .. } => self.frozen = true,
            EventBody::PauseReleased {
                wallet, statement, ..
            } => {
                self.used_once(*statement);
                self.frozen &= wallet.is_some();
            }
            EventBody::TimeStated { statement, .. }
            | EventBody::WithdrawalEnrolled { statement, .. }
            | EventBody::OwnerEnrolled { statement, .. } => self.used_once(*statement),
            _ => {}
        }
    }

    fn used_once(&mut self, statement: StatementId) {
        if !self.statements.contains_key(&statement) {
            self.fail("O4", format!("{statement} was never issued"));
        }
        if !self.used.insert(statement) {
            self.fail("O4", format!("{statement} was used twice"));
        }
    }

    fn adopted(&mut self, statement: StatementId, epoch: u64, matures: u64, run: u64) {
        let Some(StatementFacts::AdoptPolicy { document }) = self.statements.get(&statement) else {
            return self.fail("O4", "a policy without its statement");
        };
        let Ok(document) = PolicyDocument::from_bytes(document) else {
            return self.fail("O2", "a policy that cannot be read");
        };
        let before = self
            .documents
            .last()
            .map_or(0, |(_, document)| document.epoch);
        if epoch != document.epoch || epoch != before + 1 {
            self.fail("O5", format!("policy epoch {epoch} after {before}"));
        }
        // Test networks only, or the first: at once. Else an hour at least, with the password.
        let main = self
            .wallets
            .values()
            .any(|(_, networks)| networks.iter().any(|network| !network.is_test_network()));
        if main && before > 0 && matures < run + HOUR {
            self.fail("O3", format!("policy {epoch} matures within the hour"));
        }
        self.documents.push((matures, document));
    }

    /// A document binds until a later one has matured.
    fn binding(&self, run: u64) -> impl Iterator<Item = &PolicyDocument> {
        let newest = self
            .documents
            .iter()
            .rposition(|(matures, _)| *matures <= run);
        let binding = self.documents.iter().skip(newest.unwrap_or(0));
        binding.map(|(_, document)| document)
    }

    fn spend(&mut self, spend: &Spend, run: u64, budget: u64) -> Result<()> {
        ensure!(!self.killed && !self.frozen, "signed although stopped (O6)");
        let (account, networks) = self.wallets.get(&spend.wallet).context("a wallet")?.clone();
        ensure!(networks.contains(&spend.chain), "a network of the wallet");
        let outflow = outflow(account, &spend.unsigned)?;
        let total = outflow.total();
        let charged: Vec<_> = spend
            .charges
            .iter()
            .map(|charge| (charge.asset, charge.amount.base_units()))
            .collect();
        ensure!(
            charged == [(spend.chain.native_asset(), total)],
            "charged {charged:?} for {total}"
        );
        self.next_nonce(spend, outflow.nonce)?;
        let session = spend.session.context("a session")?;
        let grant = self.sessions.get(&session).context("a granted session")?;
        ensure!(
            grant.wallets.contains(&spend.wallet),
            "the session's wallet"
        );
        let limit = grant
            .limit(spend.chain.native_asset())
            .context("the session's asset")?;
        let own: Vec<_> = self
            .charged
            .iter()
            .filter(|one| one.session == session)
            .collect();
        let so_far: u128 = own
            .iter()
            .filter(|one| one.chain == spend.chain)
            .map(|one| one.amount)
            .sum();
        ensure!(
            total <= limit.per_transaction.base_units(),
            "the session's size"
        );
        ensure!(
            so_far + total <= limit.total.base_units(),
            "the session's total"
        );
        ensure!(
            own.len() < usize::try_from(grant.count)?,
            "the session's count"
        );
        let key = (spend.wallet, spend.chain);
        let outstanding = self.outstanding.get(&key).copied().unwrap_or(0) + total;
        let mut bound = 0;
        for document in self.binding(run) {
            let rule = document
                .asset(spend.chain.native_asset())
                .context("a rule")?;
            self.within(rule, spend, total, budget)?;
            let ceiling = rule.fee_ceiling.context("a fee ceiling")?;
            ensure!(outflow.fee <= ceiling.base_units(), "the fee's ceiling");
            ensure!(
                total <= rule.notify_up_to.base_units(),
                "more than is signed at once (O3)"
            );
            if let Some(cap) = rule.outstanding {
                ensure!(outstanding <= cap.base_units(), "outstanding");
            }
            for (to, _) in &outflow.transfers {
                let listed = document.recipients.iter().any(|known| {
                    known.account.chain() == spend.chain
                        && account_bytes(known.account.account()) == *to
                });
                ensure!(listed, "an unlisted recipient");
            }
            bound += 1;
        }
        ensure!(bound > 0, "no policy bound");
        self.outstanding.insert(key, outstanding);
        let (wallet, chain) = key;
        self.charged.push(Charged {
            wallet,
            chain,
            session,
            at: budget,
            amount: total,
        });
        Ok(())
    }

    fn next_nonce(&mut self, spend: &Spend, nonce: Option<u64>) -> Result<()> {
        ensure!(nonce == spend.nonce, "another nonce than recorded");
        if let Some(nonce) = nonce {
            let next = self
                .nonces
                .get_mut(&(spend.wallet, spend.chain))
                .context("a nonce")?;
            ensure!(*next == nonce, "nonce {nonce}, not {next} (O5)");
            *next += 1;
        }
        Ok(())
    }

    fn within(&self, rule: &AssetRule, spend: &Spend, total: u128, now: u64) -> Result<()> {
        ensure!(
            total <= rule.per_transaction.base_units(),
            "per transaction"
        );
        let own = || {
            let charged = self.charged.iter();
            charged.filter(|one| one.wallet == spend.wallet && one.chain == spend.chain)
        };
        for (hours, limit) in [
            (1, rule.hour),
            (24, rule.day),
            (168, rule.week),
            (720, rule.month),
        ] {
            let inside = own().filter(|one| one.at + hours * HOUR > now);
            let sum: u128 = inside.map(|one| one.amount).sum();
            ensure!(
                sum + total <= limit.base_units(),
                "{hours} hours: {sum} and {total}"
            );
        }
        if let Some(most) = rule.counts.day {
            let count = own().filter(|one| one.at + 24 * HOUR > now).count();
            ensure!(count < usize::try_from(most)?, "{count} in a day");
        }
        Ok(())
    }

    fn withdrawal(&mut self, statement: StatementId, spend: &Spend) -> Result<()> {
        let (account, _) = self.wallets.get(&spend.wallet).context("a wallet")?;
        let outflow = outflow(*account, &spend.unsigned)?;
        let Some(StatementFacts::Withdraw {
            wallet,
            asset,
            to,
            amount,
            fee_ceiling,
            nonce,
            ..
        }) = self.statements.get(&statement)
        else {
            anyhow::bail!("no such statement");
        };
        let to = AccountId::new(asset.chain(), *to)?.account();
        ensure!(
            *wallet == spend.wallet && asset.chain() == spend.chain,
            "another wallet"
        );
        ensure!(
            outflow.transfers == [(account_bytes(to), amount.base_units())],
            "another effect"
        );
        ensure!(outflow.fee <= fee_ceiling.base_units(), "a higher fee");
        if nonce.is_none() {
            self.next_nonce(spend, outflow.nonce)?;
        }
        Ok(())
    }
}
