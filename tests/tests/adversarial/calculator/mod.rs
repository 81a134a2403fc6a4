//! The second calculator: what every signature took at worst, read from its bytes, against every
//! document that bound when it was made, and what it had to wait for. Exact sums over exact windows;
//! none of the product's decoders, windows or evaluation. The product rounds against the spender, so
//! what it lets through must always pass here.

mod aside;
pub(crate) mod authorized;
mod calls;
mod limits;
mod lives;
mod owners;
mod programs;
mod state;
mod tokens;
mod variants;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::Account;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{Event, EventBody, Spend};
use waiaas_shared::ids::{OwnerId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::SessionGrant;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Clocks;

use self::limits::{Case, Demand, demand};
use self::lives::Lives;
use self::owners::Owners;
use self::waiting::Waits;
use crate::bytes::{Moved, Outflow, Tables, Told, read_evm, read_solana};

const HOUR: u64 = 3_600_000;

/// A charge as this calculator counts it.
#[derive(Debug, Clone)]
struct Charged {
    sequence: u64,
    transaction: TransactionId,
    wallet: WalletId,
    chain: ChainId,
    session: SessionId,
    at: u64,
    /// Of the chain's own coin, and whether it took of that at all.
    amount: u128,
    native: bool,
    /// Of tokens, as every document that bound says of the call's arguments.
    tokens: BTreeMap<AssetId, u128>,
    transfers: Vec<(Vec<u8>, u128)>,
    moved: Vec<Moved>,
    told: Option<Told>,
    fee: u128,
    nonce: Option<u64>,
    /// It is an authorization, which no nonce ends.
    outstands: bool,
    tier: Tier,
    /// Whether it is a payment, and not the fee of a cancelled nonce or what stays of one that moved.
    counted: bool,
    /// Whether nothing took its place on its nonce.
    newest: bool,
}

impl Charged {
    /// What it took of an asset.
    fn of(&self, asset: AssetId) -> u128 {
        if asset == self.chain.native_asset() {
            self.amount
        } else {
            self.tokens.get(&asset).copied().unwrap_or(0)
        }
    }

    /// As how many payments it counts.
    fn payments(&self) -> usize {
        if self.counted {
            (self.transfers.len() + self.moved.len()).max(1)
        } else {
            0
        }
    }
}

/// A document, with when earlier ones stop binding; never, if it was voided.
#[derive(Debug)]
struct Adopted {
    matures: Option<u64>,
    document: PolicyDocument,
    signers: Vec<OwnerId>,
}

/// What the log has said so far.
#[derive(Debug, Default)]
pub(crate) struct Calculator {
    sequence: u64,
    owners: Owners,
    /// Changes of owners that wait and void documents: this owner's, or everybody's.
    voiding: BTreeMap<StatementId, Option<OwnerId>>,
    waits: Waits,
    lives: Lives,
    documents: Vec<Adopted>,
    sessions: BTreeMap<SessionId, SessionGrant>,
    /// Sessions that were revoked or expired; and those that a kill ended, which its release may restore.
    ended: BTreeSet<SessionId>,
    by_kill: BTreeSet<SessionId>,
    wallets: BTreeMap<WalletId, (Account, Vec<ChainId>)>,
    paused: BTreeSet<WalletId>,
    nonces: BTreeMap<(WalletId, ChainId), u64>,
    /// Below these the owner said that nonces are used.
    attested: BTreeMap<(WalletId, ChainId), u64>,
    outstanding: BTreeMap<(WalletId, ChainId), u128>,
    charged: Vec<Charged>,
    credited: BTreeSet<u64>,
    /// Random numbers of authorizations.
    authorized: BTreeSet<[u8; 32]>,
    /// Idempotency keys of which a payment came: one each, waiting or not.
    asked: BTreeMap<Digest, TransactionId>,
    /// Between a kill and its release; between a pause of everything and its end; between a clock's
    /// step and the owner's word on the time.
    killed: bool,
    frozen: bool,
    closed: bool,
    kill_epoch: u64,
    last_run: u64,
    /// What does not hold, with the check it belongs to.
    pub(crate) failures: Vec<String>,
}

/// The worst case of unsigned bytes, read by the lookup tables of each document that binds: the same by all of them.
pub(crate) fn outflow(account: Account, unsigned: &[u8], tables: &[Tables]) -> Result<Outflow> {
    let Account::Solana(own) = account else {
        return read_evm(unsigned);
    };
    let read = |tables: &Tables| read_solana(own.as_bytes(), unsigned, tables);
    let Some((first, others)) = tables.split_first() else {
        return read(&Tables::new());
    };
    let outflow = read(first)?;
    for other in others {
        ensure!(read(other)? == outflow, "read in two ways");
    }
    Ok(outflow)
}

/// What a document says is in the lookup tables of a network.
fn tables_of(document: &PolicyDocument, chain: ChainId) -> Tables {
    let of_chain = document.tables().filter(|one| one.account.chain() == chain);
    of_chain
        .filter_map(|one| {
            let at = account_bytes(one.account.account()).try_into().ok()?;
            let addresses = one.addresses.iter();
            Some((at, addresses.map(|address| *address.as_bytes()).collect()))
        })
        .collect()
}

/// The chain's own bytes of an account.
pub(crate) fn account_bytes(account: Account) -> Vec<u8> {
    match account {
        Account::Solana(address) => address.as_bytes().to_vec(),
        Account::Evm(address) => address.as_bytes().to_vec(),
    }
}

/// What an event says was charged is what the bytes take.
fn charged(spend: &Spend, taken: &BTreeMap<AssetId, u128>) -> Result<()> {
    let charges = spend.charges.iter();
    let charged: BTreeMap<_, _> = charges
        .map(|charge| (charge.asset, charge.amount.base_units()))
        .collect();
    ensure!(
        charged == *taken && charged.len() == spend.charges.len(),
        "charged {charged:?} for {taken:?}"
    );
    Ok(())
}

impl Outflow {
    /// Base units of everything that it takes.
    fn taken(&self, chain: ChainId, tokens: &BTreeMap<AssetId, u128>) -> BTreeMap<AssetId, u128> {
        let mut taken = tokens.clone();
        if self.takes_coins() {
            taken.insert(chain.native_asset(), self.total());
        }
        taken
    }
}

impl Calculator {
    fn fail(&mut self, check: &str, what: impl std::fmt::Display) {
        self.failures.push(format!("{check}: {what}"));
    }

    fn must(&mut self, check: &str, result: Result<()>) {
        if let Err(broken) = result {
            self.fail(check, format!("event {}: {broken:#}", self.sequence));
        }
    }

    /// Takes the next event of the log.
    pub(crate) fn take(&mut self, event: &Event) {
        self.sequence += 1;
        let run = event.clocks.run.millis();
        if run < self.last_run {
            self.fail("O5", "the waiting clock went back");
        }
        self.last_run = run;
        let decided = self.owners.take(&event.body, event.clocks);
        self.must("O4", decided);
        let lived = self.live(&event.body, event.clocks);
        self.must("O4", lived);
        match &event.body {
            EventBody::IntentOpened(intent) => {
                let result = self.opened(intent, event.clocks);
                self.must("O3", result);
            }
            EventBody::IntentApproved {
                transaction,
                statement,
                signers,
                until,
            } => {
                let says = matches!(self.owners.facts(*statement),
                    Some(StatementFacts::ApprovePayment { transaction: said }) if said == transaction);
                let quorum = self.owners.quorum();
                let result = if says && !self.killed {
                    let until = until.millis();
                    self.waits
                        .approved(*transaction, signers, quorum, until, run)
                } else {
                    Err(anyhow::anyhow!("{transaction}: another decision"))
                };
                self.must("O4", result);
            }
            EventBody::IntentsEnded {
                transactions,
                cause,
            } => {
                let result = transactions.iter().try_for_each(|transaction| {
                    let wait = self.waits.ended(*transaction)?;
                    if matches!(cause, IntentEnd::WalletClosed) {
                        self.lives.wallet_ends(wait.wallet());
                    }
                    wait.may_end(cause, event.clocks, self.killed, &self.ended, &self.owners)
                });
                self.must("O9", result);
            }
            EventBody::SpendCommitted(spend) => {
                let result = self.spend(spend, event.clocks);
                self.must("O2", result);
            }
            EventBody::TransferAuthorized {
                spend,
                authorization,
            } => {
                let result = self.authorized(spend, authorization, event.clocks);
                self.must("O2", result);
            }
            EventBody::SpendReplaced { spend, variant } => {
                let result = self.varied(spend, variant, event.clocks);
                self.must("O2", result);
            }
            EventBody::Withdrawn {
                statement, spend, ..
            } => {
                let result = self.withdrawal(*statement, spend);
                self.must("O4", result);
            }
            EventBody::Credited {
                sequence, amounts, ..
            } => {
                let result = self.credit(*sequence, amounts);
                self.must("O4", result);
            }
            body => self.state(body, run),
        }
    }

    /// A document binds until a later one has matured.
    fn binding(&self, run: u64) -> impl Iterator<Item = &PolicyDocument> {
        let matured = |adopted: &Adopted| adopted.matures.is_some_and(|matures| matures <= run);
        let newest = self.documents.iter().rposition(matured);
        let binding = self.documents.iter().skip(newest.unwrap_or(0));
        binding.map(|adopted| &adopted.document)
    }

    /// Whether anything of this session and wallet may be let through now.
    fn open_to(&self, session: SessionId, wallet: WalletId, wall: u64) -> Result<&SessionGrant> {
        let stopped = self.killed || self.frozen || self.closed || self.paused.contains(&wallet);
        ensure!(!stopped, "although stopped (O6)");
        let ended = self.ended.contains(&session) || self.by_kill.contains(&session);
        ensure!(!ended, "of an ended session (O6)");
        let grant = self.sessions.get(&session).context("a granted session")?;
        self.lives.open_to(session, grant, wallet, wall)?;
        ensure!(grant.wallets.contains(&wallet), "the session's wallet");
        Ok(grant)
    }

    fn opened(&mut self, intent: &waiaas_shared::intent::Intent, clocks: Clocks) -> Result<()> {
        self.open_to(intent.session, intent.wallet, clocks.wall.millis())?;
        let asked = self.asked.insert(intent.idempotency, intent.transaction);
        ensure!(asked.is_none(), "one request opened two payments (O4)");
        ensure!(!self.documents.is_empty(), "no policy bound");
        let mut waits = std::mem::take(&mut self.waits);
        let binding: Vec<_> = self.binding(clocks.run.millis()).collect();
        let opened = waits.open(intent, clocks, &binding);
        self.waits = waits;
        opened
    }

    fn spend(&mut self, spend: &Spend, clocks: Clocks) -> Result<()> {
        let (run, budget) = (clocks.run.millis(), clocks.budget.millis());
        let session = spend.session.context("a session")?;
        let grant = self
            .open_to(session, spend.wallet, clocks.wall.millis())?
            .clone();
        let (account, networks) = self.wallets.get(&spend.wallet).context("a wallet")?.clone();
        ensure!(networks.contains(&spend.chain), "a network of the wallet");
        let documents: Vec<_> = self.binding(run).collect();
        let tables = documents.iter().map(|one| tables_of(one, spend.chain));
        let mut outflow = outflow(account, &spend.unsigned, &tables.collect::<Vec<_>>())?;
        let tokens = tokens::counted(&documents, spend.chain, &mut outflow)?;
        let taken = outflow.taken(spend.chain, &tokens);
        let total = outflow.total();
        charged(spend, &taken)?;
        ensure!(
            !(outflow.sponsored && spend.submit),
            "sent without its payer"
        );
        let memo = spend.memo.as_ref().map(|memo| memo.as_str().as_bytes());
        ensure!(
            memo == outflow.memo.as_deref(),
            "another memo than recorded"
        );
        self.next_nonce(spend, outflow.nonce)?;
        self.session_has(session, &grant, &taken)?;
        self.session_counts(session, &grant, outflow.payments())?;
        calls::may_call(&grant, &outflow)?;
        programs::may_call(&grant, &outflow)?;
        let key = (spend.wallet, spend.chain);
        let outstanding = self.outstanding.get(&key).copied().unwrap_or(0) + total;
        let mut asks = Demand::default();
        let mut bound = 0;
        for document in self.binding(run) {
            asks = asks.strictest(demand(&Case {
                document,
                spend,
                outflow: &outflow,
                tokens: &tokens,
                account,
                grant: &grant,
                session,
                charged: &self.charged,
                outstanding,
                attested: self.attested.get(&key).copied(),
                now: budget,
            })?);
            bound += 1;
        }
        ensure!(bound > 0, "no policy bound");
        ensure!(!self.known(spend.transaction), "signed twice (O4)");
        let asked = self.asked.insert(spend.idempotency, spend.transaction);
        ensure!(
            asked.is_none_or(|asked| asked == spend.transaction),
            "one request made two payments (O4)"
        );
        match self.waits.take(spend.transaction)? {
            Some(wait) => wait.release(spend, &outflow, &asks, clocks, &self.owners)?,
            None => {
                ensure!(
                    asks.tier <= Tier::Notify,
                    "not at once: {:?} (O3)",
                    asks.tier
                );
                ensure!(
                    (asks.tier..=Tier::Notify).contains(&spend.tier),
                    "recorded as {:?}",
                    spend.tier
                );
            }
        }
        self.outstanding.insert(key, outstanding);
        self.charged.push(Charged {
            sequence: self.sequence,
            transaction: spend.transaction,
            wallet: spend.wallet,
            chain: spend.chain,
            session,
            at: budget,
            amount: total,
            native: outflow.takes_coins(),
            outstands: false,
            tokens,
            moved: outflow.moved,
            told: outflow.told,
            fee: outflow.fee,
            nonce: outflow.nonce,
            tier: spend.tier,
            counted: true,
            newest: true,
            transfers: outflow.transfers,
        });
        Ok(())
    }

    fn session_counts(
        &self,
        session: SessionId,
        grant: &SessionGrant,
        payments: usize,
    ) -> Result<()> {
        let own = self.charged.iter().filter(|one| one.session == session);
        let count: usize = own.map(Charged::payments).sum();
        ensure!(
            count + payments <= usize::try_from(grant.count)?,
            "the session's count"
        );
        Ok(())
    }

    fn session_has(
        &self,
        session: SessionId,
        grant: &SessionGrant,
        taken: &BTreeMap<AssetId, u128>,
    ) -> Result<()> {
        for (asset, total) in taken {
            let limit = grant.limit(*asset).context("the session's asset")?;
            let own = self.charged.iter().filter(|one| one.session == session);
            let so_far: u128 = own.map(|one| one.of(*asset)).sum();
            ensure!(
                *total <= limit.per_transaction.base_units(),
                "the session's size"
            );
            ensure!(
                so_far.saturating_add(*total) <= limit.total.base_units(),
                "the session's total"
            );
        }
        Ok(())
    }

    /// Whether anything was signed under this name.
    fn known(&self, transaction: TransactionId) -> bool {
        let mut charged = self.charged.iter();
        charged.any(|one| one.transaction == transaction)
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
}
