//! The second fold: what a log means, event by event, and whether each was allowed to be written.

use waiaas_shared::intent::Intent;

use super::payments::clock;
use super::*;

pub(super) struct Granted {
    pub(super) grant: SessionGrant,
    pub(super) spent: BTreeMap<AssetId, u128>,
    pub(super) count: u32,
    pub(super) by_kill: bool,
}

#[derive(Clone)]
pub(super) struct Nonces {
    pub(super) next: u64,
    pub(super) attested: u64,
    /// Left out by an attestation: nobody but an owner's withdrawal has them.
    pub(super) left_out: Vec<std::ops::Range<u64>>,
}

pub(super) struct Holder {
    pub(super) address: Vec<u8>,
    pub(super) networks: Vec<ChainId>,
    pub(super) nonces: BTreeMap<ChainId, Nonces>,
}

/// A payment that waits, and until when it may be released once owners approved it (run clock).
pub(super) struct Waiting {
    wait: Wait,
    approved_until: Option<u64>,
}

pub(super) struct Model<'history> {
    pub(super) history: &'history History,
    pub(super) gate: Gate,
    pub(super) last: Option<&'history Entry>,
    pub(super) epoch: u64,
    pub(super) kill_epoch: u64,
    pub(super) open: BTreeMap<StatementId, (u64, &'history StatementFacts)>,
    pub(super) withdrawals: BTreeMap<AccountId, u64>,
    pub(super) wallets: BTreeMap<WalletId, Holder>,
    pub(super) sessions: BTreeMap<SessionId, Granted>,
    /// Until when a request's nonce may not come again.
    pub(super) request_nonces: BTreeMap<(SessionId, &'history str), u64>,
    pub(super) charges: Charges,
    pub(super) waiting: BTreeMap<TransactionId, Waiting>,
    pub(super) keys: BTreeSet<Digest>,
    pub(super) unlocked_in: u64,
    pub(super) stated_in: u64,
    /// The latest time that an owner stated: no later event lies before it.
    pub(super) stated: u64,
    /// Run and budget clock at the start of this life of the process, and what was vouched for in it.
    pub(super) base: (u64, u64),
    pub(super) vouched: u64,
}

impl<'history> Model<'history> {
    pub(super) fn new(history: &'history History) -> Self {
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
            charges: Charges::default(),
            waiting: BTreeMap::new(),
            keys: BTreeSet::new(),
            unlocked_in: 0,
            stated_in: 0,
            stated: 0,
            base: (0, 0),
            vouched: 0,
        }
    }

    pub(super) fn take(&mut self, entry: &'history Entry) -> Result<(), Broken> {
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
                    left_out: std::iter::once(0..*first_nonce).collect(),
                };
                let evm = matches!(account, Account::Evm(_));
                let holder = Holder {
                    address: address(account),
                    networks: networks.clone(),
                    nonces: networks
                        .iter()
                        .filter(|_| evm)
                        .map(|chain| (*chain, first.clone()))
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
            EventBody::IntentOpened(intent) => {
                self.long_enough(entry, intent)?;
                let waiting = Waiting {
                    wait: intent.wait,
                    approved_until: None,
                };
                if self.waiting.insert(intent.transaction, waiting).is_some() {
                    return Err(Broken::Authority(at, "two waits of one name"));
                }
            }
            EventBody::IntentApproved {
                transaction,
                statement,
                until,
                ..
            } => {
                let (facts, _) = self.said(entry, *statement, false)?;
                let transaction = *transaction;
                if *facts != (StatementFacts::ApprovePayment { transaction }) {
                    return Err(Broken::Authority(at, "another payment's approval"));
                }
                if let Some(waiting) = self.waiting.get_mut(&transaction) {
                    waiting.approved_until = Some(until.millis());
                }
            }
            EventBody::IntentsEnded {
                transactions,
                cause,
            } => {
                if let IntentEnd::Rejected { statement, .. } = cause {
                    self.said(entry, *statement, false)?;
                }
                for transaction in transactions {
                    if self.waiting.remove(transaction).is_none() {
                        return Err(Broken::Authority(at, "the end of what did not wait"));
                    }
                }
            }
            EventBody::SpendCommitted(spend) => {
                self.waited(entry, spend)?;
                self.spent(entry, spend)?;
            }
            EventBody::Withdrawn {
                statement, spend, ..
            } => {
                self.withdrawn(entry, *statement, spend)?;
            }
            // No script asks for any of these yet.
            EventBody::SessionRenewed { .. }
            | EventBody::SignedIn(_)
            | EventBody::TransferAuthorized { .. }
            | EventBody::SpendReplaced { .. }
            | EventBody::WalletClosed { .. }
            | EventBody::WalletRotated { .. }
            | EventBody::AgentRegistered { .. }
            | EventBody::AgentActivated { .. }
            | EventBody::AgentStopped { .. }
            | EventBody::AgentTerminated { .. } => {
                return Err(Broken::Authority(at, "an event that nobody asked for"));
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
                    // No simulated wallet ever has a second key.
                    from: None,
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
                nonces.left_out.push(nonces.next..*next);
                (nonces.next, nonces.attested) = (*next, *next);
                self.charges.attested(*wallet, *chain, None);
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
                self.stated = self.stated.max(wall.millis());
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
            EventBody::DenialsCounted { .. } | EventBody::SnapshotTaken { .. } => {}
            EventBody::HeadMissed { .. } => self.gate.frozen = true,
            // An address that was enrolled takes effect: no sooner than was announced.
            EventBody::OwnerChangeEffective { .. } => {
                let run = clocks.run.millis();
                if !self.withdrawals.values().any(|effective| *effective <= run) {
                    return Err(Broken::Authority(at, "a change before its time"));
                }
            }
            // The script has one owner, who says nothing about owners.
            EventBody::OwnerChangeScheduled { .. }
            | EventBody::OwnerChangeCancelled { .. }
            | EventBody::OwnerChangeVoided { .. }
            | EventBody::OwnerSuspended { .. }
            | EventBody::SuspensionLifted { .. }
            | EventBody::Credited { .. }
            | EventBody::GuardianStopped { .. }
            | EventBody::Retired { .. }
            // Nor does any of its policies have an alarm.
            | EventBody::SessionSuspended { .. }
            | EventBody::SessionResumed { .. }
            | EventBody::AlarmRaised { .. }
            | EventBody::OwnerAlive { .. }
            | EventBody::DenialNoted { .. } => {
                return Err(Broken::Authority(at, "nobody asked for this"));
            }
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
        if now.wall.millis() < self.stated {
            return Err(Broken::Monotone(at, "a stated time was forgotten"));
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
        let of_turn = self
            .history
            .entries
            .iter()
            .filter(|entry| entry.moment.turn == turn);
        let vouched = of_turn.map(|entry| match &entry.event.body {
            EventBody::Unlocked { vouched, .. } => vouched.millis(),
            _ => 0,
        });
        let vouched = vouched.max().unwrap_or(0);
        let asked = self.history.vouched.contains(&turn);
        if vouched > 0 && (!asked || self.vouched + vouched > first.moment.off) {
            return Err(Broken::Monotone(
                first.sequence,
                "time that nobody vouched for",
            ));
        }
        Ok(vouched)
    }

    /// A payment waits as long, and for as many owners, as every binding document asks for (O3, O4).
    fn long_enough(&self, entry: &Entry, intent: &Intent) -> Result<(), Broken> {
        let at = entry.sequence;
        let now = clock(entry);
        let bound = binding(&self.gate.policies, now.run);
        let judged = self.waits_for(at, intent)?;
        // Neither the delay nor the quorum depends on the fee, which comes with the bytes.
        let said = judge_all(bound, &judged, &self.charges, None, now);
        match intent.wait {
            Wait::Delay { ready } if ready.millis() < now.run + said.delay => {
                Err(Broken::Authority(at, "a delay that is too short"))
            }
            Wait::Approval { quorum } if quorum < said.quorum => {
                Err(Broken::Authority(at, "an approval by too few"))
            }
            _ => Ok(()),
        }
    }

    /// What waits is what was asked, to the last part.
    fn waits_for(&self, at: u64, intent: &Intent) -> Result<Judged, Broken> {
        let asked = self.history.asked.get(&intent.body);
        let asked = asked.ok_or(Broken::Bytes(at, "nobody asked"))?;
        let first = (intent.asset, intent.to, intent.amount.base_units());
        let more = intent.more.iter().flatten();
        let more = more.map(|one| (one.asset, one.to, one.amount.base_units()));
        let most = if asked.told.is_some() { 1 } else { usize::MAX };
        let parts = asked.parts.iter().take(most);
        let parts = parts.map(|part| (part.asset, part.to.account(), part.amount));
        let memo = intent.memo.as_ref().map(|memo| memo.as_str());
        let told = intent.call.as_ref().map(|call| {
            let words = call.arguments.iter().map(|word| *word.as_bytes());
            (call.function.to_string(), words.collect::<Vec<_>>())
        });
        let wanted = asked.told.as_ref();
        let wanted = wanted.map(|told| (told.function.clone(), told.words.clone()));
        let same = [first].into_iter().chain(more).eq(parts)
            && (intent.wallet, memo) == (asked.wallet, asked.memo.as_deref())
            && told == wanted;
        if same {
            Ok(Judged {
                session: intent.session,
                bearer: false,
                submit: intent.submit,
                ..asked.clone()
            })
        } else {
            Err(Broken::Bytes(at, "waits for something else"))
        }
    }

    /// A payment that had to wait did (O3), or owners approved it (O4).
    fn waited(&mut self, entry: &Entry, spend: &Spend) -> Result<(), Broken> {
        let at = entry.sequence;
        let run = entry.event.clocks.run.millis();
        let waiting = self.waiting.remove(&spend.transaction);
        if spend.tier <= Tier::Notify {
            return match waiting {
                None => Ok(()),
                Some(_) => Err(Broken::Authority(at, "signed at once and waiting")),
            };
        }
        let waiting = waiting.ok_or(Broken::Authority(at, "it never waited"))?;
        match waiting.wait {
            Wait::Delay { ready } if ready.millis() > run => {
                Err(Broken::Authority(at, "before its delay had passed"))
            }
            Wait::Delay { .. } => Ok(()),
            Wait::Approval { .. } if waiting.approved_until.is_some_and(|until| run < until) => {
                Ok(())
            }
            Wait::Approval { .. } => Err(Broken::Authority(at, "without an approval")),
        }
    }

    /// The facts that an owner signed for an open statement, which is used up now.
    pub(super) fn said(
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
        let document = self.history.policies.get(document);
        let document = document.ok_or(Broken::Authority(at, "a policy that nobody wrote"))?;
        if document.epoch != epoch || epoch != self.epoch + 1 {
            return Err(Broken::Monotone(at, "policy epoch"));
        }
        let run = entry.event.clocks.run.millis();
        let real = |chain: &ChainId| matches!(chain, ChainId::Evm(1));
        let grown_up = self
            .wallets
            .values()
            .any(|wallet| wallet.networks.iter().any(real));
        let longest = binding(&self.gate.policies, run)
            .iter()
            .map(|one| one.document.maturity.millis())
            .max();
        let longest = longest.filter(|_| !self.gate.policies.is_empty());
        let delay = match longest {
            None if with_password => 0,
            None => return Err(Broken::Authority(at, "first policy without password")),
            Some(_) if !grown_up => 0,
            Some(_) if with_password => HOUR,
            Some(longest) => longest,
        };
        if matures < run + delay {
            return Err(Broken::Authority(at, "matures too soon"));
        }
        self.epoch = epoch;
        self.gate.policies.push(Adopted {
            document: Arc::clone(document),
            matures: Some(matures),
            signers: Vec::new(),
        });
        Ok(())
    }
}
