//! The second calculator: judges a whole history by the rules of the design, with plain numbers, exact
//! sliding windows and its own reading of the bytes. It shares no code with the product's policy,
//! windows, decoders, decisions or fold; it never looks into the signer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waiaas_shared::address::Account;
use waiaas_shared::caip::{AccountId, ChainId};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{EventBody, Spend};
use waiaas_shared::ids::{SessionId, StatementId, WalletId};
use waiaas_shared::session::{Credential, SessionGrant};
use waiaas_shared::statement::StatementFacts;

use super::decoder::{Decoded, read, read_signed};
use super::history::{Acked, Entry, History, PolicyNumbers, Release, Seen, Stamp};

const HOUR: u64 = 3_600_000;
const WINDOWS: [(&str, u64); 4] = [
    ("hour", HOUR),
    ("day", 24 * HOUR),
    ("week", 7 * 24 * HOUR),
    ("month", 30 * 24 * HOUR),
];

/// A rule that does not hold, with the event's sequence (or the release's) and the rule's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Sequence, clocks, epochs or nonces do not rise as they must (O5).
    Monotone(u64, &'static str),
    /// An owner's authority is missing (O4).
    Authority(u64, &'static str),
    /// The bytes do something else than was asked, charged or signed for (O10).
    Bytes(u64, &'static str),
    /// More than a limit in force allows (O2).
    Limit(u64, &'static str),
    /// A payment or signature although something had stopped it (O6).
    Stopped(u64, &'static str),
    /// Outside of its session's grant.
    Session(u64, &'static str),
    /// A signature without its durable record (O7).
    Record(u64, &'static str),
    /// One idempotency key, two signatures.
    Twice(u64),
    /// A head that was shown is no longer part of the log (O7).
    Head(u64),
    /// `status` showed less than what was acknowledged.
    Status(u64, &'static str),
}

/// Judges everything.
pub(crate) fn check(history: &History) -> Result<(), Broken> {
    let mut model = Model::new(history);
    let mut gates = vec![model.gate.clone()];
    for entry in &history.entries {
        model.take(entry)?;
        gates.push(model.gate.clone());
    }
    let mut bytes_of: BTreeMap<Digest, &[u8]> = BTreeMap::new();
    for release in &history.releases {
        left(history, &gates, release)?;
        if let Some(key) = release.key
            && *bytes_of.entry(key).or_insert(&release.raw) != release.raw
        {
            return Err(Broken::Twice(release.sequence));
        }
    }
    for (sequence, hash) in &history.heads {
        if entry(history, *sequence).map(|entry| entry.hash) != Some(*hash) {
            return Err(Broken::Head(*sequence));
        }
    }
    history
        .statuses
        .iter()
        .try_for_each(|seen| shown(history, seen))
}

fn entry(history: &History, sequence: u64) -> Option<&Entry> {
    let place = usize::try_from(sequence.checked_sub(1)?).ok()?;
    history.entries.get(place)
}

fn address(account: &Account) -> Vec<u8> {
    match account {
        Account::Solana(address) => address.as_bytes().to_vec(),
        Account::Evm(address) => address.as_bytes().to_vec(),
    }
}

fn spend_of(body: &EventBody) -> Option<&Spend> {
    match body {
        EventBody::SpendCommitted(spend) | EventBody::Withdrawn { spend, .. } => Some(spend),
        _ => None,
    }
}

/// What decides whether a signature may leave; one for each length of the log.
#[derive(Debug, Clone, Default)]
struct Gate {
    killed: bool,
    frozen: bool,
    closed: bool,
    paused: BTreeSet<WalletId>,
    dead: BTreeSet<SessionId>,
    /// The life of the process in which keys are open.
    open: Option<u64>,
    policies: Vec<(Arc<PolicyNumbers>, u64)>,
    /// Wall clock of the last event, and run clock at the start of this life.
    wall: u64,
    run: u64,
}

impl Gate {
    fn stops(&self, wallet: WalletId) -> Option<&'static str> {
        match () {
            () if self.killed => Some("killed"),
            () if self.frozen => Some("frozen"),
            () if self.closed => Some("clock closed"),
            () if self.paused.contains(&wallet) => Some("wallet paused"),
            () => None,
        }
    }

    /// The newest matured document and all after it.
    fn binding(&self, run: u64) -> &[(Arc<PolicyNumbers>, u64)] {
        let mut first = 0;
        for (place, (_, matures)) in self.policies.iter().enumerate() {
            if *matures <= run {
                first = place;
            }
        }
        &self.policies[first..]
    }
}

struct Granted {
    grant: SessionGrant,
    spent: BTreeMap<ChainId, u128>,
    count: u32,
    by_kill: bool,
}

#[derive(Clone, Copy)]
struct Nonces {
    next: u64,
    attested: u64,
    outstanding: u128,
}

struct Holder {
    address: Vec<u8>,
    networks: Vec<ChainId>,
    nonces: BTreeMap<ChainId, Nonces>,
}

struct Charged {
    at: u64,
    wallet: WalletId,
    chain: ChainId,
    amount: u128,
}

struct Model<'history> {
    history: &'history History,
    gate: Gate,
    last: Option<&'history Entry>,
    epoch: u64,
    kill_epoch: u64,
    open: BTreeMap<StatementId, (u64, &'history StatementFacts)>,
    withdrawals: BTreeMap<AccountId, u64>,
    wallets: BTreeMap<WalletId, Holder>,
    sessions: BTreeMap<SessionId, Granted>,
    /// Until when a request's nonce may not come again.
    request_nonces: BTreeMap<(SessionId, &'history str), u64>,
    charged: Vec<Charged>,
    keys: BTreeSet<Digest>,
    unlocked_in: u64,
    stated_in: u64,
    /// Run and budget clock at the start of this life of the process, and what was vouched for in it.
    base: (u64, u64),
    vouched: u64,
}

impl<'history> Model<'history> {
    fn new(history: &'history History) -> Self {
        Self {
            history,
            gate: Gate::default(),
            last: None,
            epoch: 0,
            kill_epoch: 0,
            open: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
            wallets: BTreeMap::new(),
            sessions: BTreeMap::new(),
            request_nonces: BTreeMap::new(),
            charged: Vec::new(),
            keys: BTreeSet::new(),
            unlocked_in: 0,
            stated_in: 0,
            base: (0, 0),
            vouched: 0,
        }
    }

    fn take(&mut self, entry: &'history Entry) -> Result<(), Broken> {
        self.clocks(entry)?;
        let clocks = entry.event.clocks;
        self.gate.wall = clocks.wall.millis();
        self.gate.run = self.base.0;
        self.last = Some(entry);
        let at = entry.sequence;
        match &entry.event.body {
            EventBody::Created { .. } => {
                if at != 1 {
                    return Err(Broken::Monotone(at, "created twice"));
                }
            }
            EventBody::Unlocked { journal_lost, .. } => {
                self.gate.open = Some(entry.moment.life);
                self.gate.frozen |= *journal_lost;
                self.unlocked_in = entry.moment.turn;
            }
            EventBody::Locked { .. } => self.gate.open = None,
            EventBody::ClockStepped { .. } => self.gate.closed = true,
            EventBody::OwnerEnrolled {
                statement,
                withdrawals,
                ..
            } => {
                self.said(entry, *statement, true)?;
                for account in withdrawals {
                    self.withdrawals.insert(*account, 0);
                }
            }
            EventBody::WalletCreated {
                wallet,
                account,
                networks,
                first_nonce,
                ..
            } => {
                let first = Nonces {
                    next: *first_nonce,
                    attested: *first_nonce,
                    outstanding: 0,
                };
                let evm = matches!(account, Account::Evm(_));
                let holder = Holder {
                    address: address(account),
                    networks: networks.clone(),
                    nonces: networks
                        .iter()
                        .filter(|_| evm)
                        .map(|chain| (*chain, first))
                        .collect(),
                };
                if self
                    .wallets
                    .values()
                    .any(|known| known.address == holder.address)
                {
                    return Err(Broken::Authority(at, "a key in two wallets"));
                }
                self.wallets.insert(*wallet, holder);
            }
            EventBody::StatementIssued {
                statement,
                facts,
                expires,
                ..
            } => {
                self.open.insert(*statement, (expires.millis(), facts));
            }
            EventBody::PolicyAdopted {
                statement,
                epoch,
                matures,
                ..
            } => {
                self.adopted(entry, *statement, *epoch, matures.millis())?;
            }
            EventBody::SessionGranted {
                session, statement, ..
            } => {
                let (facts, _) = self.said(entry, *statement, false)?;
                let StatementFacts::GrantSession { grant } = facts else {
                    return Err(Broken::Authority(at, "not a grant"));
                };
                let granted = Granted {
                    grant: grant.clone(),
                    spent: BTreeMap::new(),
                    count: 0,
                    by_kill: false,
                };
                self.sessions.insert(*session, granted);
            }
            EventBody::SessionRevoked { session, .. } => {
                self.gate.dead.insert(*session);
                if let Some(session) = self.sessions.get_mut(session) {
                    session.by_kill = false;
                }
            }
            EventBody::SessionExpired { session } => {
                self.gate.dead.insert(*session);
            }
            EventBody::SpendCommitted(spend) => self.spent(entry, spend)?,
            EventBody::Withdrawn {
                statement, spend, ..
            } => {
                self.withdrawn(entry, *statement, spend)?;
            }
            EventBody::Paused { wallet: None, .. } => self.gate.frozen = true,
            EventBody::Paused {
                wallet: Some(wallet),
                ..
            } => {
                self.gate.paused.insert(*wallet);
            }
            EventBody::PauseReleased {
                wallet, statement, ..
            } => {
                let (facts, _) = self.said(entry, *statement, false)?;
                if *facts != (StatementFacts::ReleasePause { wallet: *wallet }) {
                    return Err(Broken::Authority(at, "another pause"));
                }
                match wallet {
                    None => self.gate.frozen = false,
                    Some(wallet) => {
                        self.gate.paused.remove(wallet);
                    }
                }
            }
            EventBody::Killed { epoch, .. } => {
                if *epoch != self.kill_epoch + 1 {
                    return Err(Broken::Monotone(at, "kill epoch"));
                }
                self.kill_epoch = *epoch;
                self.gate.killed = true;
                self.open.clear();
                for (id, session) in &mut self.sessions {
                    session.by_kill |= self.gate.dead.insert(*id);
                }
                if self.unlocked_in != entry.moment.turn {
                    self.gate.open = None;
                }
            }
            EventBody::KillReleased {
                epoch,
                sessions,
                statement,
                ..
            } => {
                let (facts, with_password) = self.said(entry, *statement, false)?;
                let signed = StatementFacts::ReleaseKill {
                    epoch: *epoch,
                    sessions: sessions.clone(),
                };
                if *facts != signed || !with_password || *epoch != self.kill_epoch {
                    return Err(Broken::Authority(at, "kill release"));
                }
                self.gate.killed = false;
                self.gate.frozen = true;
                for (id, session) in &mut self.sessions {
                    if session.by_kill && sessions.contains(id) {
                        self.gate.dead.remove(id);
                    }
                    session.by_kill = false;
                }
            }
            EventBody::NonceAttested {
                wallet,
                chain,
                next,
                statement,
                ..
            } => {
                let (facts, _) = self.said(entry, *statement, false)?;
                let signed = StatementFacts::AttestNonce {
                    wallet: *wallet,
                    chain: *chain,
                    next: *next,
                };
                let holder = self.wallets.get_mut(wallet);
                let nonces = holder.and_then(|holder| holder.nonces.get_mut(chain));
                let nonces = nonces.ok_or(Broken::Authority(at, "attested what"))?;
                if *facts != signed {
                    return Err(Broken::Authority(at, "another attestation"));
                }
                if *next < nonces.next {
                    return Err(Broken::Monotone(at, "nonce lowered"));
                }
                *nonces = Nonces {
                    next: *next,
                    attested: *next,
                    outstanding: 0,
                };
            }
            EventBody::TimeStated {
                wall, statement, ..
            } => {
                let (facts, _) = self.said(entry, *statement, false)?;
                if *facts != (StatementFacts::StateTime { wall: *wall }) {
                    return Err(Broken::Authority(at, "another time"));
                }
                self.gate.closed = false;
                self.stated_in = entry.moment.turn;
            }
            EventBody::WithdrawalEnrolled {
                account,
                effective,
                statement,
                ..
            } => {
                let (facts, with_password) = self.said(entry, *statement, false)?;
                if *facts != (StatementFacts::EnrolWithdrawal { account: *account })
                    || !with_password
                {
                    return Err(Broken::Authority(at, "withdrawal address"));
                }
                if effective.millis() < clocks.run.millis() + 72 * HOUR {
                    return Err(Broken::Authority(at, "withdrawal address too soon"));
                }
                self.withdrawals.insert(*account, effective.millis());
            }
            EventBody::DenialsCounted { .. } => {}
        }
        Ok(())
    }

    /// Sequence and the three clocks: none falls, none of the lower bounds runs ahead of the machine.
    fn clocks(&mut self, entry: &Entry) -> Result<(), Broken> {
        let at = entry.sequence;
        let Some(last) = self.last else {
            return if at == 1 {
                Ok(())
            } else {
                Err(Broken::Monotone(at, "sequence"))
            };
        };
        let (before, now) = (last.event.clocks, entry.event.clocks);
        if at != last.sequence + 1 {
            return Err(Broken::Monotone(at, "sequence"));
        }
        if now.wall < before.wall || now.run < before.run || now.budget < before.budget {
            return Err(Broken::Monotone(at, "a clock fell"));
        }
        // A life begins where the log ended; nothing is credited for the time between.
        if entry.moment.life != last.moment.life {
            self.base = (before.run.millis(), before.budget.millis());
            self.vouched = 0;
        }
        if entry.moment.turn != last.moment.turn {
            self.vouched += self.vouched_in(entry)?;
        }
        let (run, budget) = self.base;
        if now.run.millis() > run + entry.moment.run {
            return Err(Broken::Monotone(at, "run clock ahead"));
        }
        if now.budget.millis() > budget + entry.moment.budget + self.vouched {
            return Err(Broken::Monotone(at, "budget clock ahead"));
        }
        Ok(())
    }

    /// What an unlock vouches for is credited from its turn's first event on.
    fn vouched_in(&self, first: &Entry) -> Result<u64, Broken> {
        let turn = first.moment.turn;
        let of_turn = self.history.entries.iter().filter(|entry| entry.moment.turn == turn);
        let vouched = of_turn.map(|entry| match &entry.event.body {
            EventBody::Unlocked { vouched, .. } => vouched.millis(),
            _ => 0,
        });
        let vouched = vouched.max().unwrap_or(0);
        let asked = self.history.vouched.contains(&turn);
        if vouched > 0 && (!asked || self.vouched + vouched > first.moment.off) {
            return Err(Broken::Monotone(first.sequence, "time that nobody vouched for"));
        }
        Ok(vouched)
    }

    /// The facts that an owner signed for an open statement, which is used up now.
    fn said(
        &mut self,
        entry: &Entry,
        statement: StatementId,
        rehearsal: bool,
    ) -> Result<(&'history StatementFacts, bool), Broken> {
        let at = entry.sequence;
        let (expires, issued) = self
            .open
            .remove(&statement)
            .ok_or(Broken::Authority(at, "no open statement"))?;
        if expires <= entry.event.clocks.wall.millis() {
            return Err(Broken::Authority(at, "expired statement"));
        }
        let said = self.history.said.get(&statement);
        let said = said.ok_or(Broken::Authority(at, "the owner never signed"))?;
        if said.facts != *issued {
            return Err(Broken::Authority(at, "the owner signed something else"));
        }
        if self.gate.killed && !matches!(issued, StatementFacts::ReleaseKill { .. }) && !rehearsal {
            return Err(Broken::Stopped(at, "a statement while killed"));
        }
        Ok((issued, said.with_password))
    }

    fn adopted(
        &mut self,
        entry: &'history Entry,
        statement: StatementId,
        epoch: u64,
        matures: u64,
    ) -> Result<(), Broken> {
        let at = entry.sequence;
        let (facts, with_password) = self.said(entry, statement, false)?;
        let StatementFacts::AdoptPolicy { document } = facts else {
            return Err(Broken::Authority(at, "not a policy"));
        };
        let numbers = self.history.policies.get(document);
        let numbers = numbers.ok_or(Broken::Authority(at, "a policy that nobody wrote"))?;
        if numbers.epoch != epoch || epoch != self.epoch + 1 {
            return Err(Broken::Monotone(at, "policy epoch"));
        }
        let run = entry.event.clocks.run.millis();
        let real = |chain: &ChainId| matches!(chain, ChainId::Evm(1));
        let grown_up = self
            .wallets
            .values()
            .any(|wallet| wallet.networks.iter().any(real));
        let longest = self
            .gate
            .binding(run)
            .iter()
            .map(|(policy, _)| policy.maturity)
            .max();
        let delay = match longest {
            None if with_password => 0,
            None => return Err(Broken::Authority(at, "first policy without password")),
            Some(_) if !grown_up => 0,
            Some(longest) if with_password => longest.min(HOUR),
            Some(longest) => longest,
        };
        if matures < run + delay {
            return Err(Broken::Authority(at, "matures too soon"));
        }
        self.epoch = epoch;
        self.gate.policies.push((Arc::clone(numbers), matures));
        Ok(())
    }

    fn wallet_bytes(&self, at: u64, spend: &Spend) -> Result<Decoded, Broken> {
        let holder = self.wallets.get(&spend.wallet);
        let holder = holder.ok_or(Broken::Bytes(at, "no such wallet"))?;
        if !holder.networks.contains(&spend.chain) {
            return Err(Broken::Bytes(at, "network not bound"));
        }
        let decoded =
            read(&holder.address, &spend.unsigned).ok_or(Broken::Bytes(at, "not read"))?;
        let chain = match spend.chain {
            ChainId::Evm(id) => Some(id),
            ChainId::Solana(_) => None,
        };
        if decoded.evm.map(|(id, _)| id) != chain || decoded.unsigned != spend.unsigned {
            return Err(Broken::Bytes(at, "another chain or form"));
        }
        let claimed = |charge: &waiaas_shared::event::Charge| {
            charge.asset == spend.chain.native_asset()
                && charge.amount.base_units() == decoded.amount + decoded.fee
        };
        if spend.charges.len() != 1 || !spend.charges.iter().all(claimed) {
            return Err(Broken::Bytes(at, "charged something else"));
        }
        Ok(decoded)
    }

    /// A payment: everything that could forbid it.
    fn spent(&mut self, entry: &'history Entry, spend: &'history Spend) -> Result<(), Broken> {
        let at = entry.sequence;
        let decoded = self.wallet_bytes(at, spend)?;
        self.stopped(entry, spend.wallet)?;
        let asked = self.history.asked.get(&spend.body);
        let asked = asked.ok_or(Broken::Bytes(at, "nobody asked"))?;
        let does = (spend.wallet, spend.chain, &decoded.to, decoded.amount);
        if does != (asked.wallet, asked.chain, &asked.to, asked.amount) {
            return Err(Broken::Bytes(at, "not what was asked"));
        }
        if !self.keys.insert(spend.idempotency) {
            return Err(Broken::Twice(at));
        }
        let total = decoded.amount + decoded.fee;
        self.within_session(entry, spend, total)?;
        self.within_policy(entry, spend, &decoded)?;
        if let Some((_, nonce)) = decoded.evm {
            let holder = self.wallets.get_mut(&spend.wallet);
            let nonces = holder.and_then(|holder| holder.nonces.get_mut(&spend.chain));
            let nonces = nonces.ok_or(Broken::Monotone(at, "nonce"))?;
            if nonce != nonces.next || spend.nonce != Some(nonce) {
                return Err(Broken::Monotone(at, "nonce"));
            }
            nonces.next += 1;
            nonces.outstanding += total;
        }
        self.charged.push(Charged {
            at: entry.event.clocks.budget.millis(),
            wallet: spend.wallet,
            chain: spend.chain,
            amount: total,
        });
        Ok(())
    }

    fn stopped(&self, entry: &Entry, wallet: WalletId) -> Result<(), Broken> {
        let at = entry.sequence;
        if let Some(why) = self.gate.stops(wallet) {
            return Err(Broken::Stopped(at, why));
        }
        if entry.moment.strange && self.stated_in != entry.moment.turn {
            return Err(Broken::Stopped(at, "strange clock"));
        }
        if self.gate.open != Some(entry.moment.life) {
            return Err(Broken::Stopped(at, "locked"));
        }
        Ok(())
    }

    fn within_session(
        &mut self,
        entry: &Entry,
        spend: &'history Spend,
        total: u128,
    ) -> Result<(), Broken> {
        let at = entry.sequence;
        let broken = |why| Err(Broken::Session(at, why));
        let Some(id) = spend.session else {
            return broken("none");
        };
        let Some(session) = self.sessions.get_mut(&id) else {
            return broken("unknown");
        };
        if self.gate.dead.contains(&id) || session.grant.expires <= entry.event.clocks.wall {
            return broken("over");
        }
        if !session.grant.wallets.contains(&spend.wallet) {
            return broken("wallet");
        }
        let native = spend.chain.native_asset();
        let limit = session
            .grant
            .limits
            .iter()
            .find(|limit| limit.asset == native);
        let Some(limit) = limit else {
            return broken("asset");
        };
        let spent = session.spent.entry(spend.chain).or_default();
        *spent += total;
        session.count += 1;
        if total > limit.per_transaction.base_units() {
            return broken("per transaction");
        }
        if *spent > limit.total.base_units() {
            return broken("total");
        }
        if session.count > session.grant.count {
            return broken("count");
        }
        match (&session.grant.credential, &spend.request_nonce) {
            (Credential::Bearer(_), None) => Ok(()),
            (Credential::AgentKey(_), Some(nonce)) => {
                let kept = (id, nonce.nonce.as_str());
                let before = self.request_nonces.insert(kept, nonce.expires.millis());
                if before.is_some_and(|until| until >= entry.event.clocks.wall.millis()) {
                    return broken("request nonce used twice");
                }
                let signed = (id, spend.idempotency, spend.body);
                if self.history.agents_signed.contains(&signed) {
                    Ok(())
                } else {
                    broken("the agent never signed")
                }
            }
            _ => broken("credential"),
        }
    }

    fn within_policy(&self, entry: &Entry, spend: &Spend, decoded: &Decoded) -> Result<(), Broken> {
        let at = entry.sequence;
        let now = entry.event.clocks;
        let binding = self.gate.binding(now.run.millis());
        let total = decoded.amount + decoded.fee;
        let Some((newest, _)) = binding.last() else {
            return Err(Broken::Limit(at, "no policy"));
        };
        if newest.epoch != spend.policy_epoch {
            return Err(Broken::Monotone(at, "policy epoch of a payment"));
        }
        for (policy, _) in binding {
            by_itself(policy, spend.chain, decoded).map_err(|why| Broken::Limit(at, why))?;
            let Some(limits) = policy.assets.get(&spend.chain) else {
                continue;
            };
            let earlier = |length: u64| {
                let from = now.budget.millis().saturating_sub(length);
                self.charged.iter().filter(move |charged| {
                    charged.at >= from
                        && charged.wallet == spend.wallet
                        && charged.chain == spend.chain
                })
            };
            for ((name, length), limit) in WINDOWS.into_iter().zip(limits.windows) {
                let sum: u128 = earlier(length).map(|charged| charged.amount).sum();
                if sum + total > limit {
                    return Err(Broken::Limit(at, name));
                }
            }
            let most = limits.day_count.map_or(usize::MAX, |most| most as usize);
            if earlier(24 * HOUR).count() >= most {
                return Err(Broken::Limit(at, "day count"));
            }
            let outstanding = self
                .wallets
                .get(&spend.wallet)
                .and_then(|holder| holder.nonces.get(&spend.chain))
                .map_or(0, |nonces| nonces.outstanding);
            if limits
                .outstanding
                .is_some_and(|cap| outstanding + total > cap)
            {
                return Err(Broken::Limit(at, "outstanding"));
            }
        }
        Ok(())
    }

    /// A withdrawal: exactly what the owner signed, outside of limits and pauses.
    fn withdrawn(
        &mut self,
        entry: &'history Entry,
        statement: StatementId,
        spend: &'history Spend,
    ) -> Result<(), Broken> {
        let at = entry.sequence;
        let decoded = self.wallet_bytes(at, spend)?;
        let (facts, _) = self.said(entry, statement, false)?;
        let StatementFacts::Withdraw {
            wallet,
            asset,
            to,
            amount,
            fee_ceiling,
            nonce,
        } = facts
        else {
            return Err(Broken::Authority(at, "not a withdrawal"));
        };
        let asked = (*wallet, asset.chain(), address(to), amount.base_units());
        if (
            spend.wallet,
            spend.chain,
            decoded.to.clone(),
            decoded.amount,
        ) != asked
            || decoded.fee > fee_ceiling.base_units()
        {
            return Err(Broken::Bytes(at, "not the withdrawal that was signed"));
        }
        let account = AccountId::new(spend.chain, *to).map_err(|_| Broken::Bytes(at, "address"))?;
        let enrolled = self.withdrawals.get(&account);
        if enrolled.is_none_or(|effective| *effective > entry.event.clocks.run.millis()) {
            return Err(Broken::Authority(at, "address not enrolled"));
        }
        if self.gate.killed || self.gate.open != Some(entry.moment.life) {
            return Err(Broken::Stopped(at, "withdrawal"));
        }
        if let Some((_, issued)) = decoded.evm {
            let holder = self.wallets.get_mut(&spend.wallet);
            let nonces = holder.and_then(|holder| holder.nonces.get_mut(&spend.chain));
            let nonces = nonces.ok_or(Broken::Monotone(at, "nonce"))?;
            if issued != nonce.unwrap_or(nonces.next)
                || issued < nonces.attested
                || issued > nonces.next
            {
                return Err(Broken::Monotone(at, "nonce of a withdrawal"));
            }
            nonces.next = nonces.next.max(issued + 1);
        }
        Ok(())
    }
}

/// The rules of one document that look at the payment alone.
fn by_itself(
    policy: &PolicyNumbers,
    chain: ChainId,
    decoded: &Decoded,
) -> Result<(), &'static str> {
    let limits = policy.assets.get(&chain).ok_or("asset not listed")?;
    let total = decoded.amount + decoded.fee;
    if total > limits.per_transaction || total > limits.notify_up_to {
        return Err("per transaction");
    }
    if decoded.fee > limits.fee_ceiling.unwrap_or(0) {
        return Err("fee");
    }
    if policy.recipients.contains(&(chain, decoded.to.clone())) {
        Ok(())
    } else {
        Err("recipient")
    }
}

/// A signature that left: recorded before, over those bytes, by that key, and nothing forbade it.
fn left(history: &History, gates: &[Gate], release: &Release) -> Result<(), Broken> {
    let at = release.sequence;
    let known = entry(history, at).ok_or(Broken::Record(at, "no entry"))?;
    let spend = spend_of(&known.event.body).ok_or(Broken::Record(at, "no payment"))?;
    if known.moment.turn > release.moment.turn {
        return Err(Broken::Record(at, "recorded later"));
    }
    let created = history
        .entries
        .iter()
        .find_map(|entry| match &entry.event.body {
            EventBody::WalletCreated {
                wallet, account, ..
            } if *wallet == spend.wallet => Some(address(account)),
            _ => None,
        });
    let wallet = created.ok_or(Broken::Record(at, "no wallet"))?;
    let decoded = read_signed(&wallet, &release.raw).ok_or(Broken::Bytes(at, "signature"))?;
    if decoded.unsigned != spend.unsigned {
        return Err(Broken::Bytes(at, "other bytes than recorded"));
    }
    if release.key.is_some_and(|key| key != spend.idempotency) {
        return Err(Broken::Bytes(at, "another key's payment"));
    }
    let last = history
        .entries
        .iter()
        .rev()
        .find(|entry| entry.moment.turn <= release.moment.turn);
    let last = last.map_or(0, |entry| entry.sequence);
    acknowledged(
        history,
        release,
        spend,
        if release.replay { last } else { at },
    )?;
    if !release.replay {
        // Its own entry was judged where it stands.
        return Ok(());
    }
    // Somewhere between what was certain before and the end of its turn it must have been allowed.
    let certain = history
        .entries
        .iter()
        .filter(|entry| entry.moment.turn < release.moment.turn)
        .map(|entry| entry.sequence)
        .chain(
            history
                .acks
                .iter()
                .filter(|ack| ack.stamp < release.stamp && ack.stamp.0 == release.stamp.0)
                .map(|ack| ack.sequence),
        )
        .max()
        .unwrap_or(0);
    let mut why = Err(Broken::Record(at, "no moment"));
    for length in certain..=last {
        let place = usize::try_from(length).map_err(|_| Broken::Record(at, "length"))?;
        let gate = gates.get(place).ok_or(Broken::Record(at, "length"))?;
        let stated = || {
            history.entries.iter().any(|entry| {
                entry.moment.turn == release.moment.turn
                    && matches!(entry.event.body, EventBody::TimeStated { .. })
            })
        };
        if release.moment.strange && !stated() {
            return Err(Broken::Stopped(at, "strange clock"));
        }
        why = again(gate, release, spend, &decoded, history);
        if why.is_ok() {
            break;
        }
    }
    why
}

/// The same bytes once more, at one moment.
fn again(
    gate: &Gate,
    release: &Release,
    spend: &Spend,
    decoded: &Decoded,
    history: &History,
) -> Result<(), Broken> {
    let at = release.sequence;
    if let Some(why) = gate.stops(spend.wallet) {
        return Err(Broken::Stopped(at, why));
    }
    if gate.open != Some(release.moment.life) {
        return Err(Broken::Stopped(at, "locked"));
    }
    let Some(session) = spend.session else {
        return Ok(());
    };
    if gate.dead.contains(&session) {
        return Err(Broken::Session(at, "over"));
    }
    let wall = if release.moment.strange {
        gate.wall
    } else {
        gate.wall.max(release.moment.wall)
    };
    let expired =
        history.entries.iter().any(|entry| match &entry.event.body {
            EventBody::SessionGranted {
                session: granted,
                statement,
                ..
            } if *granted == session => history.said.get(statement).is_some_and(|said| match &said
                .facts
            {
                StatementFacts::GrantSession { grant } => grant.expires.millis() <= wall,
                _ => false,
            }),
            _ => false,
        });
    if expired {
        return Err(Broken::Session(at, "expired"));
    }
    let run = gate.run + release.moment.run;
    for (policy, _) in gate.binding(run) {
        by_itself(policy, spend.chain, decoded).map_err(|why| Broken::Limit(at, why))?;
    }
    Ok(())
}

/// Nothing that was acknowledged to have stopped it before is still in force.
fn acknowledged(
    history: &History,
    release: &Release,
    spend: &Spend,
    until: u64,
) -> Result<(), Broken> {
    let at = release.sequence;
    let undone = |after: u64, by: &dyn Fn(&EventBody) -> bool| {
        history
            .entries
            .iter()
            .any(|entry| entry.sequence > after && entry.sequence <= until && by(&entry.event.body))
    };
    for ack in history.acks.iter().filter(|ack| ack.stamp < release.stamp) {
        let (why, gone) = match ack.what {
            Acked::Kill => (
                "acknowledged kill",
                undone(ack.sequence, &|body| {
                    matches!(body, EventBody::KillReleased { .. })
                }),
            ),
            Acked::Pause(paused) if !release.withdrawal => {
                let concerns = paused.is_none_or(|wallet| wallet == spend.wallet);
                let released = |body: &EventBody| match body {
                    EventBody::PauseReleased { wallet, .. } => *wallet == paused,
                    _ => false,
                };
                (
                    "acknowledged pause",
                    !concerns || undone(ack.sequence, &released),
                )
            }
            Acked::Revoke(session) => ("acknowledged revocation", spend.session != Some(session)),
            Acked::Lock => (
                "acknowledged lock",
                history.entries.iter().any(|entry| {
                    entry.moment.turn >= ack.stamp.0
                        && entry.sequence <= until
                        && matches!(entry.event.body, EventBody::Unlocked { .. })
                }),
            ),
            Acked::Pause(_) | Acked::Submit => continue,
        };
        if !gone {
            return Err(Broken::Stopped(at, why));
        }
    }
    Ok(())
}

/// `status` shows every kill and total pause that was acknowledged in an earlier turn.
fn shown(history: &History, seen: &Seen) -> Result<(), Broken> {
    let (turn, _): Stamp = seen.stamp;
    let undone = |after: u64, by: &dyn Fn(&EventBody) -> bool| {
        history.entries.iter().any(|entry| {
            entry.sequence > after && entry.moment.turn <= turn && by(&entry.event.body)
        })
    };
    for ack in history.acks.iter().filter(|ack| ack.stamp.0 < turn) {
        match ack.what {
            Acked::Kill => {
                let released = |body: &EventBody| matches!(body, EventBody::KillReleased { .. });
                if seen.kill != "ACTIVATED" && !undone(ack.sequence, &released) {
                    return Err(Broken::Status(turn, "kill"));
                }
            }
            Acked::Pause(None) => {
                let released = |body: &EventBody| {
                    matches!(body, EventBody::PauseReleased { wallet: None, .. })
                };
                if !seen.frozen && !undone(ack.sequence, &released) {
                    return Err(Broken::Status(turn, "frozen"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
