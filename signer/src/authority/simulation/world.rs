//! One simulated signer with its machine, disk and history: it starts and ends the process, turns the
//! loop, works passwords off in between, and writes down what became durable and what left. No thread,
//! no wall clock, no chance of its own.

mod asking;
mod policies;
mod record;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use waiaas_shared::address::Account;
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AssetId, ChainId, Family};
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::ids::{OwnerId, SessionId, SignerId, StatementId, WalletId};
use waiaas_shared::log::{SignedHead, Verifier};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient};
use waiaas_shared::session::{Credential, Operation, SessionGrant, SessionLimit};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::time::{Millis, WallTime};

use super::history::{Ack, Acked, Entry, History, Moment, Release, Said, Seen};
use super::machine::{Disk, Machine, Passing, SimulatedSystem};
use super::post::{Answer, Asked, Poll, post};
use crate::authority::lanes::Lanes;
use crate::authority::password::{KdfWork, queue};
use crate::authority::{Authority, Fatal, OpenError, Parts};
use crate::core::apply::apply;
use crate::core::clock::Reading;
use crate::core::command::SpendRequest;
use crate::core::state::State;
use crate::ledger::Ledger;
use crate::ledger::memory::MemoryLedger;
use crate::model::asking::Asking;
use crate::model::people::{
    EVM, MAIN, account, agent_key, bearer, body_digest, idempotency, key_bound, owner_key,
    owner_public, recipient, sign_request, sign_text, solana, token_on, unsigned,
};
use crate::model::random::Random;
use crate::sys::memory::SecretArena;
use crate::vault::FILE_NAME;
use crate::vault::testing::arena;

pub(crate) use self::policies::{
    DEPOSIT, DEPOSITS, rule_of, starting_policy, starting_rule, vault,
};
use self::record::note;

pub(crate) const NOW: u64 = 1_800_000_000_000;
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAY: u64 = 24 * HOUR;

pub(crate) type Signer = Authority<Disk, SimulatedSystem>;

/// A session and how requests of it are proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) credential: Credential,
}

impl Session {
    pub(crate) const fn is_bearer(&self) -> bool {
        matches!(self.credential, Credential::Bearer(_))
    }
}

/// Names that the script uses.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) signer: SignerId,
    pub(crate) owner: OwnerId,
    pub(crate) evm: WalletId,
    pub(crate) evm_address: Account,
    pub(crate) solana: WalletId,
    pub(crate) solana_address: Account,
    pub(crate) sessions: Vec<Session>,
}

/// A process that can be started, run and lost.
pub(crate) struct World {
    pub(crate) signer: Option<Signer>,
    pub(crate) lanes: Lanes,
    kdf: KdfWork,
    arena: SecretArena,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) disk: Disk,
    pub(crate) machine: Rc<RefCell<Machine>>,
    pub(crate) known: Known,
    pub(crate) history: History,
    pub(crate) turn: u64,
    pub(crate) life: u64,
    folded: State,
    /// Events from one snapshot to the next, in processes started from now on; none: as shipped.
    snapshot_every: Option<u64>,
    /// How many processes started from one.
    pub(crate) from_snapshots: u64,
    pub(crate) requests: u64,
    /// Why the last process ended, if it did by itself.
    pub(crate) fatal: Option<Fatal>,
}

/// A world that was set up once, to begin runs from.
struct Base {
    ledger: MemoryLedger,
    keystore: Vec<u8>,
    history: History,
    known: Known,
    reading: Reading,
    turn: u64,
    life: u64,
}

impl World {
    /// A machine without anything.
    pub(crate) fn blank(seed: u64) -> Self {
        let nobody = WalletId::from_bytes([0; 16]);
        let (_, kdf) = queue();
        Self {
            signer: None,
            lanes: Lanes::default(),
            kdf,
            arena: arena(),
            folder: tempfile::tempdir().expect("a folder"),
            disk: Disk::default(),
            machine: Rc::new(RefCell::new(Machine::new(NOW, Random::new(seed)))),
            known: Known {
                signer: SignerId::from_bytes([0; 16]),
                owner: OwnerId::from_bytes([0; 16]),
                evm: nobody,
                evm_address: recipient(EVM, 9),
                solana: nobody,
                solana_address: recipient(solana(), 9),
                sessions: Vec::new(),
            },
            history: History::default(),
            turn: 0,
            life: 0,
            folded: State::default(),
            snapshot_every: None,
            from_snapshots: 0,
            requests: 0,
            fatal: None,
        }
    }

    /// Everything set up and unlocked: owner, two wallets, a policy, four sessions. `grown_up`: the EVM
    /// wallet is bound to a main network too, so that policies wait before they mature.
    pub(crate) fn new(seed: u64, grown_up: bool) -> Self {
        static TEST: OnceLock<Base> = OnceLock::new();
        static GROWN_UP: OnceLock<Base> = OnceLock::new();
        let cell = if grown_up { &GROWN_UP } else { &TEST };
        let base = cell.get_or_init(|| {
            let mut world = Self::set_up(grown_up, &starting_policy());
            for credential in [key_bound(), key_bound(), bearer(1), bearer(2)] {
                let grant = world.grant(credential);
                world.grant_session(grant).expect("a session");
            }
            world.as_base()
        });
        Self::begun(seed, base)
    }

    /// Owner and wallets, one of them on a main network, this policy, and no session yet.
    pub(crate) fn with_policy(seed: u64, policy: &PolicyDocument) -> Self {
        Self::begun(seed, &Self::set_up(true, policy).as_base())
    }

    fn begun(seed: u64, base: &Base) -> Self {
        let mut world = Self::blank(seed);
        *world.disk.0.borrow_mut() = base.ledger.clone();
        write_keystore(&world.folder, &base.keystore);
        world.machine.borrow_mut().reading = base.reading;
        world.history = base.history.clone();
        world.known = base.known.clone();
        (world.turn, world.life) = (base.turn, base.life);
        world.machine.borrow_mut().gone(1_000, false);
        for entry in &world.history.entries {
            apply(&mut world.folded, &entry.event);
            world.folded.committed();
        }
        world.open().expect("the base opens");
        assert!(matches!(
            world.one(Asked::Unlock(true, false)),
            Answer::Done
        ));
        world
    }

    fn set_up(grown_up: bool, policy: &PolicyDocument) -> Self {
        let mut world = Self::blank(u64::from(grown_up));
        world.open().expect("an empty folder");
        let Answer::Signer(signer) = world.one(Asked::Initialize) else {
            panic!("a new signer")
        };
        world.known.signer = signer;
        let facts = StatementFacts::EnrolOwner {
            key: owner_public(&owner_key()),
            withdrawals: vec![account(EVM, 0), account(solana(), 0)],
        };
        let (statement, text) = world.draft(facts.clone(), Origin::Admin).expect("a draft");
        world.remember(statement, facts, true);
        let signature = sign_text(&owner_key(), &text);
        let Answer::Owner(owner) = world.one(Asked::Enrol(true, statement, signature)) else {
            panic!("an owner")
        };
        world.known.owner = owner;
        let networks = if grown_up { vec![MAIN, EVM] } else { vec![EVM] };
        let mut wallet =
            |family, networks| match world.one(Asked::CreateWallet(true, family, networks)) {
                Answer::Wallet(view) => (view.wallet, view.account),
                other => panic!("a wallet: {other:?}"),
            };
        let evm = wallet(Family::Evm, networks);
        let solana_wallet = wallet(Family::Solana, vec![solana()]);
        (world.known.evm, world.known.evm_address) = evm;
        (world.known.solana, world.known.solana_address) = solana_wallet;
        world.adopt(policy, Some(true)).expect("the first policy");
        world
    }

    fn as_base(&self) -> Base {
        let keystore = std::fs::read(self.folder.path().join(FILE_NAME)).expect("a keystore");
        Base {
            ledger: self.disk.0.borrow().clone(),
            keystore,
            history: self.history.clone(),
            known: self.known.clone(),
            reading: self.machine.borrow().reading,
            turn: self.turn,
            life: self.life,
        }
    }

    /// Starts the process.
    pub(crate) fn open(&mut self) -> Result<(), OpenError> {
        self.signer = None;
        let lanes = Lanes::default();
        let (queue, kdf) = queue();
        self.life += 1;
        let last_wall = self
            .history
            .entries
            .last()
            .map_or(0, |entry| entry.event.clocks.wall.millis());
        // What an owner stated is known, though its event has the clocks of before it.
        let stated = self
            .history
            .entries
            .iter()
            .map(|entry| match entry.event.body {
                EventBody::TimeStated { wall, .. } => wall.millis(),
                _ => 0,
            });
        let known = stated
            .max()
            .map_or(last_wall, |stated| stated.max(last_wall));
        self.machine.borrow_mut().started(known);
        let signer = Authority::open(Parts {
            ledger: self.disk.clone(),
            system: SimulatedSystem(Rc::clone(&self.machine)),
            folder: self.folder.path().to_owned(),
            arena: self.arena.clone(),
            lanes: lanes.clone(),
            kdf: queue,
            published: tokio::sync::watch::channel(0).0,
        })?;
        self.from_snapshots += u64::from(signer.snapshots.newest().sequence > 0);
        (self.signer, self.lanes, self.kdf) = (Some(signer), lanes, kdf);
        self.take_snapshots(self.snapshot_every);
        self.fatal = None;
        Ok(())
    }

    /// Takes a snapshot after so many events, from now on and in every later process; none: as shipped.
    pub(crate) fn take_snapshots(&mut self, every: Option<u64>) {
        self.snapshot_every = every;
        if let (Some(signer), Some(events)) = (&mut self.signer, every) {
            signer.snapshots.set_every(events);
        }
    }

    /// Ends the process, as a crash does.
    pub(crate) fn crash(&mut self) {
        self.signer = None;
    }

    /// Forgets what was known of a disk that is about to be replaced.
    pub(crate) fn forget(&mut self) {
        self.history.entries.clear();
        self.history.heads.clear();
        self.folded = State::default();
    }

    /// Reads a disk that somebody else wrote.
    pub(crate) fn look(&mut self) {
        let moment = self.moment();
        self.absorb(moment);
    }

    pub(crate) fn moment(&self) -> Moment {
        let machine = self.machine.borrow();
        Moment {
            turn: self.turn,
            life: self.life,
            run: machine.run,
            budget: machine.budget,
            wall: machine.reading.wall,
            off: machine.off,
            strange: machine.is_strange(),
        }
    }

    /// One turn of the loop; what became durable is written down even if the process ends.
    pub(crate) fn turn_once(&mut self) {
        let Some(mut signer) = self.signer.take() else {
            return;
        };
        self.turn += 1;
        let moment = self.moment();
        let ended = signer.turn(Instant::now());
        self.absorb(moment);
        match ended {
            Err(fatal) => self.fatal = Some(fatal),
            Ok(()) => {
                // State exists nowhere but in the log (O7), and a refusal leaves nothing behind (O9).
                assert!(
                    signer.state == self.folded,
                    "the state is not the fold of the log"
                );
                // Where a refused commit goes back to, and what a snapshot holds.
                assert!(
                    signer.settled.folded.state == self.folded,
                    "what is settled is not the fold of the log"
                );
                if let Some(head) = signer.head.filter(|head| head.sequence > 0) {
                    self.history.heads.push((head.sequence, head.hash));
                    self.history.heads.dedup();
                }
                self.signer = Some(signer);
            }
        }
    }

    /// Writes down what became durable.
    fn absorb(&mut self, moment: Moment) {
        let known = self.history.entries.len() as u64;
        let page = {
            let mut ledger = self.disk.0.borrow_mut();
            ledger.set_unreadable(false);
            ledger.read(known, usize::MAX).expect("memory")
        };
        for stored in page.events {
            let event: Event = from_canonical(&stored.body).expect("canonical");
            if let EventBody::TimeStated { wall, .. } = event.body {
                self.machine.borrow_mut().time_stated(wall.millis());
            }
            apply(&mut self.folded, &event);
            self.folded.committed();
            self.history.entries.push(Entry {
                sequence: stored.sequence,
                hash: stored.hash,
                event,
                moment,
            });
        }
    }

    /// The whole log once more, from its genesis, by the public verifier.
    pub(crate) fn verify_log(&self) {
        let Some(signer) = &self.signer else { return };
        let (crate::authority::Vault::Open(keystore, _)
        | crate::authority::Vault::Locked(keystore)) = &signer.vault
        else {
            return;
        };
        let identity = keystore.identity();
        let mut verifier = Verifier::new(identity.signer_id, identity.log_public_key);
        let page = self
            .disk
            .0
            .borrow_mut()
            .read(0, usize::MAX)
            .expect("memory");
        let mut heads = page.heads.iter();
        let mut next = heads.next();
        for stored in &page.events {
            verifier
                .event(stored.sequence, &stored.body, stored.hash)
                .expect("chained");
            if let Some((_, note)) = next.filter(|(sequence, _)| *sequence == stored.sequence) {
                let signed: SignedHead = note.parse().expect("a note");
                verifier.signed_head(&signed).expect("signed");
                next = heads.next();
            }
        }
        verifier.finish().expect("the last event is signed for");
        assert!(next.is_none(), "a head without its event");
    }

    /// Puts asks into the lanes together and turns the loop until all are answered. `gone`: nobody
    /// waits for the answer of the ask at that place.
    pub(crate) fn deliver(&mut self, asked: Vec<Asked>, gone: Option<usize>) -> Vec<Answer> {
        let mut waiting: Vec<(Asked, Option<Poll>, Answer)> = Vec::new();
        let mut passwords = false;
        for (place, asked) in asked.into_iter().enumerate() {
            let (ask, poll) = post(asked.clone(), &self.arena);
            passwords |= matches!(asked, Asked::Unlock(_, true));
            let full = self.lanes.push(ask).is_err();
            let poll = (!full && gone != Some(place)).then_some(poll);
            waiting.push((asked, poll, Answer::Lost));
        }
        loop {
            if passwords {
                self.history.vouched.insert(self.turn + 1);
            }
            self.turn_once();
            for (place, (asked, poll, answer)) in waiting.iter_mut().enumerate() {
                if let Some(found) = poll.as_mut().and_then(|poll| poll()) {
                    *poll = None;
                    *answer = found;
                    note(
                        &mut self.history,
                        self.turn,
                        place,
                        asked,
                        answer,
                        moment_of(&self.machine, self.turn, self.life),
                    );
                }
            }
            let Some(signer) = &self.signer else { break };
            let audits = signer.audit.is_some();
            if !self.kdf.drain(&self.lanes, &self.arena) && !audits {
                break;
            }
        }
        waiting.into_iter().map(|(_, _, answer)| answer).collect()
    }

    /// Asks one thing.
    pub(crate) fn one(&mut self, asked: Asked) -> Answer {
        self.deliver(vec![asked], None).pop().expect("one answer")
    }

    pub(crate) fn status(&mut self) -> crate::authority::ask::Status {
        match self.one(Asked::Status) {
            Answer::Status(status) => status,
            other => panic!("a status: {other:?}"),
        }
    }

    pub(crate) fn pass(&mut self, passing: Passing) {
        self.machine.borrow_mut().pass(passing);
    }
}

fn moment_of(machine: &Rc<RefCell<Machine>>, turn: u64, life: u64) -> Moment {
    let machine = machine.borrow();
    Moment {
        turn,
        life,
        run: machine.run,
        budget: machine.budget,
        wall: machine.reading.wall,
        off: machine.off,
        strange: machine.is_strange(),
    }
}

pub(crate) fn write_keystore(folder: &tempfile::TempDir, bytes: &[u8]) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(folder.path().join(FILE_NAME)).expect("a file");
    file.write_all(bytes).expect("room");
}
