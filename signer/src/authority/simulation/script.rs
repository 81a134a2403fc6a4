//! The script: from one seed, everything that owners, agents, a hostile gateway, the disk and the clocks
//! do, in an order that nobody chose. Each step is one line of a trace; the checker judges at every
//! restart and at the end, and at the end an honest payment must succeed again (O8).

mod kinds;
mod names;
mod owners;
mod payments;
mod policies;
mod waiting;

use std::collections::BTreeMap;

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{SessionId, StatementId, TransactionId};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::policy::document::{PolicyDocument, Recipient, UsdPrice};
use waiaas_shared::session::Credential;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::OwnerSignature;
use waiaas_shared::time::{Millis, WallTime};
use waiaas_shared::view::SessionState;

use super::checker::check;
use super::machine::Passing;
use super::post::{Answer, Asked};
use super::world::{DAY, HOUR, Session, World, rule_of, starting_policy, starting_rule};
use crate::authority::OpenError;
use crate::core::command::SpendRequest;
use crate::core::state::KillPhase;
use crate::ledger::memory::Fault;
use crate::model::asking::Asking;
use crate::model::people::{
    EVM, FEE, MAIN, Terms, account, bearer, key_bound, owner_public, proposed, recipient,
    sign_text, solana, stranger_key, unsigned,
};
use crate::model::random::Random;

use self::names::{kind, name, request_of, short};

/// A run in progress.
pub(crate) struct Script {
    seed: u64,
    pub(crate) world: World,
    random: Random,
    trace: Vec<String>,
    sent: Vec<(Session, SpendRequest)>,
    transactions: Vec<TransactionId>,
    /// Payments that were accepted and waited: what was asked for.
    waiting: Vec<(TransactionId, Asking)>,
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
    let mut world = World::new(random.next(), random.once_in(2));
    // Half of the runs take snapshots, and start from them, wherever it falls.
    world.take_snapshots((seed % 2 == 1).then_some(2 + seed % 29));
    let mut script = Script {
        seed,
        world,
        random,
        trace: Vec::new(),
        sent: Vec::new(),
        transactions: Vec::new(),
        waiting: Vec::new(),
        prepared: Vec::new(),
        texts: Vec::new(),
        keys: 0,
        faulty: false,
        counts: BTreeMap::new(),
    };
    if script.random.once_in(2) {
        script.begin_with_waits();
    }
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
                0..=38 => self.burst(),
                39..=44 => self.wait(),
                45..=47 => self.squeeze(),
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
        let what = self.random.below(11);
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
            9 => {
                let draw = self.random.below(4);
                self.world.machine.borrow_mut().entropy_fails_in = Some(draw);
            }
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
        machine.entropy_fails_in = None;
    }

    /// Asks, and checks that refusals alone leave nothing behind (O9).
    fn deliver(&mut self, asked: Vec<Asked>) -> Vec<Answer> {
        let gone = self.random.once_in(12);
        let place = usize::try_from(self.random.below(asked.len() as u64)).expect("small");
        let gone = gone.then_some(place);
        let entries = self.world.history.entries.len();
        let names: Vec<_> = asked.iter().map(name).collect();
        let requests: Vec<_> = asked.iter().map(request_of).collect();
        let answers = self.world.deliver(asked, gone);
        let shown: Vec<_> = names
            .iter()
            .zip(&answers)
            .map(|(name, answer)| format!("{name}: {}", short(answer)))
            .collect();
        self.say(shown.join(", "));
        for (answer, request) in answers.iter().zip(requests) {
            for code in answer.codes() {
                self.count(code.as_str());
            }
            if let (Answer::Waiting(transaction), Some(request)) = (answer, &request) {
                self.count("waits");
                self.accepted(*transaction, request);
            }
            if let Answer::Signed(signed) = answer {
                self.count(if signed.replay { "replayed" } else { "signed" });
                self.transactions.push(signed.transaction);
                // What was signed is asked for again more often than what was not.
                let sent = request.and_then(|request| {
                    let mut sessions = self.world.known.sessions.iter();
                    let session = sessions.find(|session| session.id == request.session)?;
                    Some((*session, request))
                });
                self.sent
                    .extend(sent.into_iter().flat_map(|sent| vec![sent; 3]));
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
                        | EventBody::OwnerChangeEffective { .. }
                        | EventBody::SessionExpired { .. }
                        | EventBody::ClockStepped { .. }
                        | EventBody::SnapshotTaken { .. }
                        | EventBody::IntentsEnded {
                            cause: IntentEnd::Expired | IntentEnd::SessionEnded,
                            ..
                        }
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
            1 => drop(self.one(Asked::Unlock(false, self.keys.is_multiple_of(2)))),
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
                    key: owner_public(&stranger_key()),
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
            from: None,
        };
        self.expect(probe.clone(), None);
        if self.world.status().clock_closed {
            let wall = self.stateable();
            // In the end the clock is set right before its owner states the time.
            self.world.machine.borrow_mut().set_right(wall.millis());
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
        self.count_kinds();
        for _ in 0..self.world.from_snapshots {
            self.count("started from a snapshot");
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
        from: None,
    }
}
