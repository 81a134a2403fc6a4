//! The script: from one seed, everything that owners, agents, a hostile gateway, the disk and the clocks
//! do, in an order that nobody chose. Each step is one line of a trace; the checker judges at every
//! restart and at the end, and at the end an honest payment must succeed again (O8).

use std::collections::BTreeMap;

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{SessionId, StatementId, TransactionId};
use waiaas_shared::session::Credential;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::OwnerSignature;
use waiaas_shared::time::{Millis, WallTime};
use waiaas_shared::view::SessionState;

use super::checker::check;
use super::history::PolicyNumbers;
use super::machine::Passing;
use super::people::{
    EVM, FEE, MAIN, account, bearer, bytes, key_bound, recipient, sign_text, solana, stranger_key,
    unsigned,
};
use super::post::{Answer, Asked};
use super::random::Random;
use super::world::{DAY, HOUR, Session, World, starting_policy};
use crate::authority::OpenError;
use crate::core::command::SpendRequest;
use crate::core::state::KillPhase;
use crate::ledger::memory::Fault;

/// A run in progress.
pub(crate) struct Script {
    seed: u64,
    pub(crate) world: World,
    random: Random,
    trace: Vec<String>,
    sent: Vec<(Session, SpendRequest)>,
    transactions: Vec<TransactionId>,
    /// Signed statements that were not handed in yet, or were already.
    prepared: Vec<(StatementId, Vec<OwnerSignature>)>,
    texts: Vec<(StatementId, StatementFacts, String)>,
    keys: u64,
    faulty: bool,
    /// How often what happened: a run that does nothing proves nothing.
    pub(crate) counts: BTreeMap<String, u64>,
}

/// A panic names the seed and what came before it.
impl Drop for Script {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let from = self.trace.len().saturating_sub(30);
            for line in self.trace.iter().skip(from) {
                eprintln!("{line}");
            }
            eprintln!("seed {} failed after {} steps", self.seed, self.trace.len());
        }
    }
}

/// Runs one seed to its end and judges it.
pub(crate) fn run(seed: u64, steps: u64) -> Script {
    let mut random = Random::new(seed);
    let world = World::new(random.next(), random.once_in(3));
    let mut script = Script {
        seed,
        world,
        random,
        trace: Vec::new(),
        sent: Vec::new(),
        transactions: Vec::new(),
        prepared: Vec::new(),
        texts: Vec::new(),
        keys: 0,
        faulty: false,
        counts: BTreeMap::new(),
    };
    for _ in 0..steps {
        script.step();
    }
    script.recover();
    script.judge();
    script.tally();
    script
}

impl Script {
    /// What happened, a line a step.
    pub(super) fn trace(&self) -> &[String] {
        &self.trace
    }

    fn say(&mut self, line: String) {
        self.trace.push(format!("{:4} {line}", self.trace.len()));
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn judge(&mut self) {
        self.world.verify_log();
        if let Err(broken) = check(&self.world.history) {
            panic!("{broken:?}");
        }
    }

    fn step(&mut self) {
        self.arm();
        if self.is_stopped() && self.random.once_in(2) {
            self.heal();
        } else if self.alive().nth(1).is_none() && self.random.once_in(2) {
            self.new_session();
        } else {
            match self.random.below(100) {
                0..=47 => self.burst(),
                48..=53 => self.read(),
                54..=63 => self.owner(),
                64..=68 => self.prepare(),
                69..=73 => self.withdraw(),
                74..=83 => self.clocks(),
                84..=88 => self.stop(),
                89..=91 => self.lock(),
                92..=95 => self.restart(),
                96..=97 => self.new_session(),
                _ => self.odd(),
            }
        }
        self.disarm();
        if self.world.signer.is_none() {
            self.start();
        }
    }

    /// What fails in this step.
    fn arm(&mut self) {
        if !self.random.once_in(7) {
            return;
        }
        self.faulty = true;
        let what = self.random.below(10);
        self.say(format!("fault {what}"));
        self.count("fault");
        let mut disk = self.world.disk.0.borrow_mut();
        match what {
            0..=2 => disk.fail_next(Fault::Refused),
            3 => {
                disk.fail_next(Fault::Refused);
                disk.fail_next(Fault::Refused);
            }
            4 => disk.fail_next(Fault::UnknownLost),
            5 | 6 => disk.fail_next(Fault::UnknownWritten),
            7 => disk.set_unreadable(true),
            8 => self.world.machine.borrow_mut().entropy_fails = true,
            _ => self.world.machine.borrow_mut().clocks_fail = true,
        }
    }

    fn disarm(&mut self) {
        if let Some(fatal) = self.world.fatal.take() {
            assert!(self.faulty, "the process ended without a cause: {fatal}");
            self.say(format!("ended: {fatal}"));
            self.count("ended by a fault");
        }
        self.faulty = false;
        let mut disk = self.world.disk.0.borrow_mut();
        disk.forget_faults();
        disk.set_unreadable(false);
        let mut machine = self.world.machine.borrow_mut();
        (machine.entropy_fails, machine.clocks_fail) = (false, false);
    }

    /// Asks, and checks that refusals alone leave nothing behind (O9).
    fn deliver(&mut self, asked: Vec<Asked>) -> Vec<Answer> {
        let gone = self.random.once_in(12);
        let place = usize::try_from(self.random.below(asked.len() as u64)).expect("small");
        let gone = gone.then_some(place);
        let entries = self.world.history.entries.len();
        let names: Vec<_> = asked.iter().map(name).collect();
        let answers = self.world.deliver(asked, gone);
        let shown: Vec<_> = names
            .iter()
            .zip(&answers)
            .map(|(name, answer)| format!("{name}: {}", short(answer)))
            .collect();
        self.say(shown.join(", "));
        for answer in &answers {
            for code in answer.codes() {
                self.count(code.as_str());
            }
            if let Answer::Signed(signed) = answer {
                self.count(if signed.replay { "replayed" } else { "signed" });
                self.transactions.push(signed.transaction);
            }
        }
        if answers
            .iter()
            .all(|answer| matches!(answer, Answer::Refused(_)))
        {
            for entry in &self.world.history.entries[entries..] {
                let harmless = matches!(
                    entry.event.body,
                    EventBody::DenialsCounted { .. }
                        | EventBody::SessionExpired { .. }
                        | EventBody::ClockStepped { .. }
                );
                assert!(harmless, "a refusal left {:?}", entry.event.body);
            }
        }
        answers
    }

    fn one(&mut self, asked: Asked) -> Answer {
        self.deliver(vec![asked]).pop().expect("one answer")
    }

    fn start(&mut self) {
        let armed = self.random.once_in(3);
        if armed {
            let mut disk = self.world.disk.0.borrow_mut();
            disk.fail_next(Fault::UnknownWritten);
        }
        while let Err(error) = self.world.open() {
            let explained = match error {
                OpenError::Ledger(_) => armed || self.faulty,
                OpenError::Clock => self.faulty,
                _ => false,
            };
            assert!(explained, "does not start: {error}");
            self.disarm();
        }
        self.disarm();
        self.say("started".to_owned());
        self.count("started");
        self.judge();
    }

    fn restart(&mut self) {
        let off = match self.random.below(6) {
            0 => 0,
            1 => self.random.below(60_000),
            2 => self.random.below(HOUR),
            3 => self.random.below(3 * DAY),
            4 => self.random.below(29 * DAY),
            _ => 31 * DAY,
        };
        let reboot = self.random.once_in(2);
        self.world.crash();
        self.world.machine.borrow_mut().gone(off, reboot);
        if self.random.once_in(8) {
            self.world.pass(Passing::Stepped(-1_000_000));
        }
        self.say(format!("crash, off {off} ms, reboot {reboot}"));
        self.start();
        if self.random.once_in(2) {
            let vouch = self.random.once_in(2);
            self.one(Asked::Unlock(true, vouch));
        }
    }

    fn is_stopped(&mut self) -> bool {
        let Some(signer) = &self.world.signer else {
            return true;
        };
        let state = &signer.state;
        !signer.unlocked()
            || state.kill().phase != KillPhase::Normal
            || state.frozen()
            || state.clock_closed()
            || state.wallet_views().iter().any(|view| view.paused)
    }

    /// The next thing that an owner does to get service back.
    fn heal(&mut self) {
        let status = self.world.status();
        if !status.unlocked {
            let vouch = self.random.once_in(2);
            self.one(Asked::Unlock(true, vouch));
        } else if status.kill == "ACTIVATED" {
            let mut sessions: Vec<SessionId> = Vec::new();
            for session in self.world.known.sessions.clone() {
                if self.random.once_in(3) {
                    sessions.push(session.id);
                }
            }
            sessions.sort();
            let epoch = status.kill_epoch;
            let release = |sessions| StatementFacts::ReleaseKill { epoch, sessions };
            if !self.owner_says(release(sessions), Some(true)) {
                self.owner_says(release(Vec::new()), Some(true));
            }
        } else if status.clock_closed {
            let wall = self.stateable();
            self.owner_says(StatementFacts::StateTime { wall }, None);
        } else if status.frozen {
            self.owner_says(StatementFacts::ReleasePause { wallet: None }, None);
        } else {
            let wallet = Some(self.world.known.evm);
            self.owner_says(StatementFacts::ReleasePause { wallet }, None);
            let wallet = Some(self.world.known.solana);
            self.owner_says(StatementFacts::ReleasePause { wallet }, None);
        }
    }

    /// A time that the signer can be told.
    fn stateable(&mut self) -> WallTime {
        let now = self.world.machine.borrow().reading;
        let clock = self
            .world
            .signer
            .as_ref()
            .and_then(|signer| signer.clock.clone());
        let known = clock.map_or(0, |mut clock| clock.observe(now).wall.millis());
        WallTime::from_millis(known + self.random.below(60_000))
    }

    /// Drafts over `admin.sock`, signs and hands in; whether it was carried out.
    fn owner_says(&mut self, facts: StatementFacts, password: Option<bool>) -> bool {
        let Answer::Drafted(drafted) = self.one(Asked::Draft(facts.clone(), Origin::Admin)) else {
            return false;
        };
        self.world
            .remember(drafted.statement, facts, password == Some(true));
        let signatures = vec![self.world.signature(&drafted.text)];
        let submit = Asked::Submit(drafted.statement, signatures, Origin::Admin, password);
        matches!(self.one(submit), Answer::Sequence(_))
    }

    /// Several asks at once, as a busy or hostile gateway sends them.
    fn burst(&mut self) {
        let mut asked = Vec::new();
        for _ in 0..self.random.between(1, 6) {
            let ask = self.payment();
            asked.push(ask);
        }
        if self.random.once_in(8) {
            let stop = self.stopping();
            asked.insert(usize::from(self.random.once_in(2)), stop);
        }
        if self.random.once_in(6)
            && let Some(place) = usize::try_from(self.random.next()).ok()
            && !self.prepared.is_empty()
        {
            let (statement, signatures) = self.prepared[place % self.prepared.len()].clone();
            let origin = if self.random.once_in(2) {
                Origin::Gateway
            } else {
                Origin::Admin
            };
            let at = place % (asked.len() + 1);
            asked.insert(at, Asked::Submit(statement, signatures, origin, None));
        }
        if self.random.once_in(10) {
            asked.push(Asked::Status);
        }
        self.deliver(asked);
    }

    fn payment(&mut self) -> Asked {
        let place = usize::try_from(self.random.next() >> 1).unwrap_or_default();
        let earlier = (!self.sent.is_empty()).then(|| self.sent[place % self.sent.len()].clone());
        match (self.random.below(20), earlier) {
            // The same once more: exactly, or signed anew by the agent, or asked for by its name.
            (0 | 1, Some((_, request))) => return Asked::Sign(Box::new(request)),
            (2, Some((session, request))) => {
                let nonce = self.nonce();
                let request = self.world.sign_as_agent(session, request, &nonce);
                return Asked::Sign(Box::new(request));
            }
            (3, _) if !self.transactions.is_empty() => {
                return Asked::Resend(self.transactions[place % self.transactions.len()]);
            }
            // The same key for something else, in its own session or in another one of the agent.
            (4, Some((session, request))) => {
                let chain = if self.random.once_in(2) {
                    EVM
                } else {
                    solana()
                };
                let amount = u128::from(self.random.between(1, 5000));
                let request =
                    self.world
                        .request(session, &request.idempotency_key, chain, 0, amount);
                return Asked::Sign(Box::new(request));
            }
            (5, Some((session, request))) => {
                let other = self.session();
                if matches!(session.credential, Credential::AgentKey(_))
                    && other.credential == session.credential
                {
                    let nonce = self.nonce();
                    let moved = SpendRequest {
                        session: other.id,
                        ..request
                    };
                    let moved = self.world.sign_as_agent(other, moved, &nonce);
                    return Asked::Sign(Box::new(moved));
                }
            }
            // What the agent signed, changed on the way.
            (6, Some((session, mut request)))
                if matches!(session.credential, Credential::AgentKey(_)) =>
            {
                match self.random.below(4) {
                    0 => request.body.push(b' '),
                    1 => request.idempotency_key.push('x'),
                    2 => request.path.push('x'),
                    _ => request.session = self.session().id,
                }
                return Asked::Sign(Box::new(request));
            }
            _ => {}
        }
        let session = self.session();
        let chain = if self.random.once_in(2) {
            EVM
        } else {
            solana()
        };
        let amount = self.amount(session, chain);
        let to = match self.random.below(12) {
            0 => 2,
            1..=3 => 1,
            _ => 0,
        };
        self.keys += 1;
        let key = format!("key-{}", self.keys);
        let mut request = self.world.request(session, &key, chain, to, amount);
        match self.random.below(24) {
            // Bytes that do something else than the body says.
            0 => {
                let (_, from) = self.world.wallet_on(chain);
                let to = recipient(chain, 1 - to.min(1));
                request.unsigned = unsigned(chain, &from, &to, amount, 7).0;
            }
            1 => {
                let (_, from) = self.world.wallet_on(chain);
                request.unsigned = unsigned(chain, &from, &recipient(chain, to), amount + 1, 7).0;
            }
            2 => request.unsigned.push(0),
            3 => request.session = SessionId::from_bytes([9; 16]),
            // A nonce of the agent's that was used before.
            4 => {
                let nonce = format!("nonce-{:016}", self.world.requests.saturating_sub(self.random.between(1, 2)));
                request = self.world.sign_as_agent(session, request, &nonce);
            }
            // A gateway that would number payments itself.
            6 if chain == EVM => {
                request.unsigned = waiaas_shared::evm::UnsignedTransaction {
                    chain_id: 31_337,
                    nonce: self.next_nonce().max(1),
                    max_priority_fee_per_gas: 1,
                    max_fee_per_gas: 1,
                    gas_limit: 21_000,
                    to: EvmAddress::from_bytes([40; 20]),
                    value: amount,
                }
                .encode();
            }
            5 => return Asked::Decide(Box::new(request)),
            _ => {}
        }
        self.sent.push((session, request.clone()));
        Asked::Sign(Box::new(request))
    }

    fn nonce(&mut self) -> String {
        format!("again-{:016}", self.random.below(1 << 40))
    }

    /// One of the sessions, mostly one that can be used.
    fn session(&mut self) -> Session {
        let alive: Vec<Session> = self.alive().collect();
        if self.random.once_in(12) || alive.is_empty() {
            let any = &self.world.known.sessions;
            return self.random.pick(any).expect("there are sessions");
        }
        self.random.pick(&alive).expect("not empty")
    }

    fn alive(&self) -> impl Iterator<Item = Session> {
        let sessions = self.world.known.sessions.iter();
        sessions.copied().filter(|session| {
            let Some(signer) = &self.world.signer else {
                return false;
            };
            let now = signer.state.clocks();
            let view = signer.state.session_view(session.id, now);
            view.is_some_and(|view| view.state == SessionState::Active)
        })
    }

    /// Small, large, or to the unit what is left.
    fn amount(&mut self, session: Session, chain: ChainId) -> u128 {
        let fee = if chain == EVM { FEE } else { 5000 };
        match self.random.below(10) {
            0..=3 => self.random.between(1, 5_000).into(),
            4..=6 => self.random.between(5_000, 120_000).into(),
            7 => self.random.between(100_000, 600_000).into(),
            _ => {
                let Answer::Remaining(Some(view)) = self.world.one(Asked::Remaining(session.id))
                else {
                    return 1000;
                };
                let left = view
                    .remaining
                    .iter()
                    .find(|left| left.asset == chain.native_asset());
                let left = left.map_or(0, |left| {
                    left.per_transaction
                        .min(left.window)
                        .min(left.session)
                        .base_units()
                });
                let most = left.saturating_sub(fee).max(1);
                self.count("to the unit");
                most + u128::from(self.random.once_in(3))
            }
        }
    }

    fn stopping(&mut self) -> Asked {
        let origin = if self.random.once_in(2) {
            Origin::Gateway
        } else {
            Origin::Admin
        };
        match self.random.below(8) {
            0 | 1 => Asked::Kill(origin),
            2 => Asked::Pause(None, origin),
            3 => Asked::Pause(Some(self.world.known.evm), origin),
            4 => Asked::Pause(Some(self.world.known.solana), origin),
            5 => Asked::Lock,
            _ => Asked::Revoke(self.session().id),
        }
    }

    fn stop(&mut self) {
        let mut asked = vec![self.stopping()];
        if self.random.once_in(3) {
            asked.push(self.stopping());
        }
        if self.random.once_in(2) {
            asked.push(Asked::Status);
        }
        self.deliver(asked);
    }

    fn lock(&mut self) {
        match self.random.below(4) {
            0 => drop(self.one(Asked::Lock)),
            1 => drop(self.one(Asked::Unlock(false, self.keys % 2 == 0))),
            2 => drop(self.deliver(vec![
                Asked::Unlock(true, false),
                Asked::Unlock(true, true),
                Asked::Status,
            ])),
            _ => {
                let payment = self.payment();
                self.deliver(vec![
                    Asked::Lock,
                    Asked::Unlock(true, false),
                    payment,
                    Asked::Status,
                ]);
            }
        }
    }

    fn read(&mut self) {
        let session = self.session();
        let after = self
            .random
            .below(1 + self.world.history.entries.len() as u64);
        self.deliver(vec![
            Asked::Status,
            Asked::Remaining(session.id),
            Asked::Events(after),
        ]);
    }

    /// The owner says something, well or badly.
    fn owner(&mut self) {
        let facts = self.facts();
        let origin = if self.random.once_in(3) {
            Origin::Gateway
        } else {
            Origin::Admin
        };
        let Answer::Drafted(drafted) = self.one(Asked::Draft(facts.clone(), origin)) else {
            return;
        };
        let (statement, text) = (drafted.statement, drafted.text);
        let sound = self.world.signature(&text);
        let mut password = match self.random.below(4) {
            0 => None,
            1 => Some(self.random.once_in(2)),
            _ => Some(true),
        };
        let signatures = match self.random.below(12) {
            0 => vec![OwnerSignature {
                signature: sign_text(&stranger_key(), &text),
                ..sound
            }],
            1 => {
                let mut flipped = sound;
                flipped.signature[7] ^= 1;
                vec![flipped]
            }
            2 if !self.texts.is_empty() => {
                // What the owner signed for something else.
                let (other, said, text) = self.texts[0].clone();
                self.world.remember(other, said, false);
                vec![self.world.signature(&text)]
            }
            3 => Vec::new(),
            _ => {
                self.world
                    .remember(statement, facts.clone(), password == Some(true));
                vec![sound]
            }
        };
        self.texts.insert(0, (statement, facts, text));
        self.texts.truncate(8);
        let origin = if password.is_none() && self.random.once_in(2) {
            Origin::Gateway
        } else {
            Origin::Admin
        };
        let mut asked = vec![Asked::Submit(
            statement,
            signatures.clone(),
            origin,
            password,
        )];
        if self.random.once_in(4) {
            password = None;
            asked.push(Asked::Submit(statement, signatures, origin, password));
        }
        if self.random.once_in(3) {
            let payment = self.payment();
            asked.push(payment);
        }
        self.deliver(asked);
    }

    /// A statement that is signed now and handed in some time.
    fn prepare(&mut self) {
        let facts = self.facts();
        if let Answer::Drafted(drafted) = self.one(Asked::Draft(facts.clone(), Origin::Gateway)) {
            self.world.remember(drafted.statement, facts, false);
            let signatures = vec![self.world.signature(&drafted.text)];
            self.prepared.push((drafted.statement, signatures));
            if self.prepared.len() > 6 {
                self.prepared.remove(0);
            }
        }
    }

    fn facts(&mut self) -> StatementFacts {
        let (evm, solana_wallet) = (self.world.known.evm, self.world.known.solana);
        match self.random.below(16) {
            0..=5 => {
                let policy = self.policy();
                self.world.policy_facts(&policy)
            }
            6 => StatementFacts::ReleasePause { wallet: None },
            7 => StatementFacts::ReleasePause { wallet: Some(evm) },
            8 => StatementFacts::ReleasePause {
                wallet: Some(solana_wallet),
            },
            9 | 10 => {
                let next = self.next_nonce();
                let next = match self.random.below(4) {
                    0 => next.saturating_sub(1),
                    1 => next + self.random.below(4),
                    _ => next,
                };
                StatementFacts::AttestNonce {
                    wallet: evm,
                    chain: EVM,
                    next,
                }
            }
            11 => StatementFacts::StateTime {
                wall: self.stateable(),
            },
            12 => StatementFacts::EnrolWithdrawal {
                account: account(EVM, 1),
            },
            13 => {
                let epoch = self.kill_epoch();
                StatementFacts::ReleaseKill {
                    epoch,
                    sessions: Vec::new(),
                }
            }
            14 => self.withdrawal(EVM).0,
            _ => {
                let mut grant = self.world.grant(key_bound());
                grant.count = u32::try_from(self.random.between(1, 80)).expect("small");
                if self.random.once_in(3) {
                    grant.limits[0].per_transaction = Amount::from_base_units(450_001);
                }
                StatementFacts::GrantSession { grant }
            }
        }
    }

    fn next_nonce(&self) -> u64 {
        let views = self
            .world
            .signer
            .as_ref()
            .map(|signer| signer.state.wallet_views());
        let nonces = views.into_iter().flatten().flat_map(|view| view.nonces);
        nonces
            .filter(|nonce| nonce.chain == EVM)
            .map(|nonce| nonce.next)
            .max()
            .unwrap_or(0)
    }

    fn kill_epoch(&self) -> u64 {
        self.world
            .signer
            .as_ref()
            .map_or(0, |signer| signer.state.kill().epoch)
    }

    /// The policy that was adopted last.
    fn newest(&self) -> PolicyNumbers {
        let history = &self.world.history;
        let mut statements = history.entries.iter().rev();
        let adopted = statements.find_map(|entry| match &entry.event.body {
            EventBody::PolicyAdopted { statement, .. } => history.said.get(statement),
            _ => None,
        });
        match adopted.map(|said| &said.facts) {
            Some(StatementFacts::AdoptPolicy { document }) => {
                PolicyNumbers::clone(&history.policies[document])
            }
            _ => starting_policy(),
        }
    }

    /// Some policy, tighter or looser than the last, in at most eight points: more must be split.
    fn policy(&mut self) -> PolicyNumbers {
        let mut policy = self.newest();
        policy.epoch += if self.random.once_in(10) {
            self.random.below(3)
        } else {
            1
        };
        if self.random.once_in(4) {
            let maturities = [0, HOUR, DAY, 2 * DAY];
            policy.maturity = self.random.pick(&maturities).unwrap_or(DAY);
        }
        let chain = self.chain();
        let start = starting_policy();
        let mut numbers = policy.assets.get(&chain).copied().unwrap_or(start.assets[&chain]);
        if self.random.once_in(2) {
            let mut window = numbers.per_transaction;
            for (limit, most) in numbers.windows.iter_mut().zip([1_000_000, 1_500_000, 3_000_000, 9_000_000]) {
                window += u128::from(self.random.below(most));
                *limit = window;
            }
        } else {
            let most = u64::try_from(numbers.windows[0]).unwrap_or(u64::MAX).min(900_000);
            let per_transaction = self.random.between(most.min(25_000), most);
            let notify_up_to = self.random.between(per_transaction / 2, per_transaction);
            numbers.per_transaction = per_transaction.into();
            numbers.notify_up_to = notify_up_to.into();
            numbers.instant_up_to = self.random.below(notify_up_to).into();
        }
        match self.random.below(6) {
            0 => {
                let few = u32::try_from(self.random.between(3, 40)).expect("small");
                numbers.day_count = self.random.once_in(2).then_some(few);
            }
            1 => {
                let fees = [Some(21_000), Some(50_000), Some(20_999), None];
                numbers.fee_ceiling = self.random.pick(&fees).flatten();
            }
            2 if chain == EVM => {
                numbers.outstanding = Some(self.random.between(500_000, 9_000_000).into());
            }
            _ => {}
        }
        policy.assets.insert(chain, numbers);
        if self.random.once_in(15) {
            policy.assets.remove(&chain);
        }
        if self.random.once_in(5) {
            let listed = (chain, bytes(&recipient(chain, 1)));
            if !policy.recipients.remove(&listed) {
                policy.recipients.insert(listed);
            }
        }
        policy
    }

    fn chain(&mut self) -> ChainId {
        if self.random.once_in(2) {
            EVM
        } else {
            solana()
        }
    }

    fn withdrawal(&mut self, chain: ChainId) -> (StatementFacts, Vec<u8>) {
        let (wallet, from) = self.world.wallet_on(chain);
        let to = recipient(chain, u8::from(self.random.once_in(4)));
        let amount = u128::from(self.random.between(1, 3_000_000));
        let nonce = (chain == EVM && self.random.once_in(2)).then(|| {
            let next = self.next_nonce();
            self.random.between(next.saturating_sub(3), next + 1)
        });
        let fee = self.random.pick(&[FEE, FEE, FEE, 4999]).unwrap_or(FEE);
        let facts = StatementFacts::Withdraw {
            wallet,
            asset: chain.native_asset(),
            to,
            amount: Amount::from_base_units(amount),
            fee_ceiling: Amount::from_base_units(fee),
            nonce,
        };
        let (to, amount) = match self.random.below(10) {
            0 => (recipient(chain, 2), amount),
            1 => (to, amount + 1),
            _ => (to, amount),
        };
        (facts, unsigned(chain, &from, &to, amount, 1).0)
    }

    fn withdraw(&mut self) {
        let chain = if self.random.once_in(2) {
            EVM
        } else {
            solana()
        };
        let (facts, unsigned) = self.withdrawal(chain);
        let Answer::Drafted(drafted) = self.one(Asked::Draft(facts.clone(), Origin::Admin)) else {
            return;
        };
        let signatures = if self.random.once_in(8) {
            vec![OwnerSignature {
                signature: sign_text(&stranger_key(), &drafted.text),
                ..self.world.signature(&drafted.text)
            }]
        } else {
            self.world.remember(drafted.statement, facts, false);
            vec![self.world.signature(&drafted.text)]
        };
        let ask = Asked::Withdraw(drafted.statement, signatures, unsigned);
        let twice = self.random.once_in(4);
        let mut asked = vec![ask.clone()];
        if twice {
            asked.push(ask);
        }
        if self.random.once_in(3) {
            asked.push(self.stopping());
        }
        self.deliver(asked);
    }

    fn clocks(&mut self) {
        let passing = match self.random.below(12) {
            0 => Passing::Running(0),
            1 | 2 => Passing::Running(self.random.below(60_000)),
            3 | 4 => Passing::Running(self.random.below(HOUR)),
            5 => Passing::Running(self.random.below(DAY)),
            6 => Passing::Running(HOUR),
            7 => Passing::Running(self.random.below(10 * DAY)),
            8 | 9 => Passing::Suspended(self.random.below(2 * DAY)),
            10 => Passing::Stepped(if self.random.once_in(2) {
                300_000
            } else {
                -300_000
            }),
            _ => {
                let far = [
                    1_200_000,
                    -1_200_000,
                    86_400_000 * 3,
                    -86_400_000 * 400,
                    86_400_000 * 4000,
                ];
                Passing::Stepped(self.random.pick(&far).unwrap_or_default())
            }
        };
        self.world.pass(passing);
        self.say(format!("{passing:?}"));
    }

    fn new_session(&mut self) {
        let credential = if self.random.once_in(2) {
            key_bound()
        } else {
            bearer(self.random.next())
        };
        let mut grant = self.world.grant(credential);
        if self.random.once_in(2) {
            // A narrow one.
            grant.count = u32::try_from(self.random.between(1, 4)).expect("small");
            for limit in &mut grant.limits {
                limit.total = Amount::from_base_units(self.random.between(400_000, 900_000).into());
            }
            let known = self.stateable().millis();
            let wall = self.world.machine.borrow().reading.wall.max(known);
            grant.expires = WallTime::from_millis(wall)
                .after(Millis::from_millis(self.random.between(HOUR, 4 * DAY)));
        }
        match self.world.grant_session(grant) {
            Ok(session) => {
                self.say(format!("granted {}", session.id));
                let sessions = &mut self.world.known.sessions;
                if sessions.len() > 8 {
                    sessions.remove(0);
                }
            }
            Err(answer) => self.say(format!("not granted: {}", short(&answer))),
        }
    }

    fn odd(&mut self) {
        match self.random.below(5) {
            0 => drop(self.one(Asked::Initialize)),
            1 => {
                let right = self.random.once_in(2);
                self.one(Asked::CreateWallet(
                    right,
                    Family::Evm,
                    vec![ChainId::Evm(84_532)],
                ));
            }
            2 => drop(self.one(Asked::Revoke(SessionId::from_bytes([1; 16])))),
            3 => drop(self.one(Asked::Resend(TransactionId::from_bytes([1; 16])))),
            _ => {
                let facts = StatementFacts::EnrolOwner {
                    key: super::people::owner_public(&stranger_key()),
                    withdrawals: vec![account(EVM, 2)],
                };
                let origin = if self.random.once_in(2) {
                    Origin::Gateway
                } else {
                    Origin::Admin
                };
                let answer = self.one(Asked::Draft(facts, origin));
                assert!(!matches!(answer, Answer::Drafted(_)), "a second owner");
            }
        }
    }

    /// Afterwards the owner gets service back, and an honest payment on each chain succeeds (O8).
    fn recover(&mut self) {
        self.say("recovery".to_owned());
        // Drafts of the script expire, statements have room again.
        self.world.pass(Passing::Running(2 * HOUR));
        let unlocked = self.world.status().unlocked;
        if !unlocked {
            let answer = self.world.one(Asked::Unlock(true, true));
            assert!(matches!(answer, Answer::Done), "unlock: {answer:?}");
        }
        let status = self.world.status();
        // A strange clock shows with the first decision at the latest.
        let (evm, solana_wallet) = (self.world.known.evm, self.world.known.solana);
        if status.kill == "ACTIVATED" {
            let facts = StatementFacts::ReleaseKill {
                epoch: status.kill_epoch,
                sessions: Vec::new(),
            };
            self.expect(facts, Some(true));
        }
        let probe = StatementFacts::AttestNonce {
            wallet: evm,
            chain: EVM,
            next: self.next_nonce(),
        };
        self.expect(probe.clone(), None);
        if self.world.status().clock_closed {
            let wall = self.stateable();
            self.expect(StatementFacts::StateTime { wall }, None);
        }
        if self.world.status().frozen {
            self.expect(StatementFacts::ReleasePause { wallet: None }, None);
        }
        for wallet in [evm, solana_wallet] {
            let signer = self.world.signer.as_ref().expect("alive");
            if signer
                .state
                .wallet_views()
                .iter()
                .any(|view| view.wallet == wallet && view.paused)
            {
                self.expect(
                    StatementFacts::ReleasePause {
                        wallet: Some(wallet),
                    },
                    None,
                );
            }
        }
        self.loosen();
        // It matures, and the windows empty.
        self.world.pass(Passing::Running(31 * DAY));
        self.expect(probe_now(self), None);
        let grant = self.world.grant(key_bound());
        let session = self.world.grant_session(grant).expect("a session");
        for chain in [EVM, solana()] {
            let request = self
                .world
                .request(session, &format!("honest-{chain}"), chain, 0, 1000);
            let answer = self.world.one(Asked::Sign(Box::new(request)));
            assert!(
                matches!(answer, Answer::Signed(_)),
                "not alive on {chain}: {answer:?}"
            );
        }
    }

    /// Back to the starting policy, in documents of few points each.
    fn loosen(&mut self) {
        let start = starting_policy();
        for chain in [EVM, solana()] {
            for part in 0..3 {
                let mut policy = self.newest();
                policy.epoch += 1;
                policy.maturity = DAY;
                let goal = start.assets[&chain];
                let numbers = policy.assets.entry(chain).or_insert(goal);
                match part {
                    0 => numbers.windows = goal.windows,
                    1 => *numbers = goal,
                    _ => policy.recipients.clone_from(&start.recipients),
                }
                let facts = self.world.policy_facts(&policy);
                self.expect(facts, Some(true));
            }
        }
    }

    fn expect(&mut self, facts: StatementFacts, password: Option<bool>) {
        let heading = facts.heading();
        if let Err(answer) = self.world.say(facts, password) {
            panic!("the owner cannot {heading}: {answer:?}");
        }
    }

    fn tally(&mut self) {
        let kinds: Vec<&'static str> = self
            .world
            .history
            .entries
            .iter()
            .map(|entry| kind(&entry.event.body))
            .collect();
        for kind in kinds {
            self.count(kind);
        }
        if self.world.history.entries.iter().any(|entry| matches!(&entry.event.body, EventBody::WalletCreated { networks, .. } if networks.contains(&MAIN))) {
            self.count("grown up");
        }
    }
}

fn probe_now(script: &Script) -> StatementFacts {
    StatementFacts::AttestNonce {
        wallet: script.world.known.evm,
        chain: EVM,
        next: script.next_nonce(),
    }
}

fn name(asked: &Asked) -> String {
    match asked {
        Asked::Sign(request) => format!("sign {}", request.idempotency_key),
        Asked::Decide(_) => "decide".to_owned(),
        Asked::Draft(facts, _) => format!("draft {}", facts.heading()),
        Asked::Submit(_, _, origin, password) => format!("submit {origin:?} {password:?}"),
        Asked::Withdraw(..) => "withdraw".to_owned(),
        other => format!("{other:?}"),
    }
}

fn short(answer: &Answer) -> String {
    match answer {
        Answer::Signed(signed) => format!(
            "signed at {}{}",
            signed.sequence,
            if signed.replay { " again" } else { "" }
        ),
        Answer::Refused(_) => answer
            .codes()
            .iter()
            .map(|code: &Code| code.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        Answer::Sequence(sequence) => format!("done at {sequence}"),
        Answer::Drafted(_) => "drafted".to_owned(),
        Answer::Status(status) => format!(
            "{} open {} frozen {} closed {}",
            status.kill, status.unlocked, status.frozen, status.clock_closed
        ),
        Answer::Remaining(_) => "view".to_owned(),
        Answer::Events(_) => "page".to_owned(),
        Answer::Wallet(view) => match view.account {
            Account::Evm(address) => format!("wallet {address}"),
            Account::Solana(address) => format!("wallet {address}"),
        },
        other => format!("{other:?}"),
    }
}

fn kind(body: &EventBody) -> &'static str {
    match body {
        EventBody::Created { .. } => "Created",
        EventBody::Unlocked { .. } => "Unlocked",
        EventBody::Locked { .. } => "Locked",
        EventBody::ClockStepped { .. } => "ClockStepped",
        EventBody::OwnerEnrolled { .. } => "OwnerEnrolled",
        EventBody::WalletCreated { .. } => "WalletCreated",
        EventBody::StatementIssued { .. } => "StatementIssued",
        EventBody::PolicyAdopted { .. } => "PolicyAdopted",
        EventBody::SessionGranted { .. } => "SessionGranted",
        EventBody::SessionRevoked { .. } => "SessionRevoked",
        EventBody::SessionExpired { .. } => "SessionExpired",
        EventBody::SpendCommitted(_) => "SpendCommitted",
        EventBody::Withdrawn { .. } => "Withdrawn",
        EventBody::Paused { .. } => "Paused",
        EventBody::PauseReleased { .. } => "PauseReleased",
        EventBody::Killed { .. } => "Killed",
        EventBody::KillReleased { .. } => "KillReleased",
        EventBody::NonceAttested { .. } => "NonceAttested",
        EventBody::TimeStated { .. } => "TimeStated",
        EventBody::WithdrawalEnrolled { .. } => "WithdrawalEnrolled",
        EventBody::DenialsCounted { .. } => "DenialsCounted",
    }
}
