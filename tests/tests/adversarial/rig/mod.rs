//! A running signer with an owner beside it and a hostile gateway in front, and the record of
//! everything that the gateway got out of it. Cases work through this; `checks` reads the record.

mod authorizations;
mod lives;
mod logins;
mod owner;
mod payments;
mod waiting;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use waiaas_client::{
    Client, ClientError, GatewayClient, SignedPayment, SignedTransfer, SignerStatus,
};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{OwnerId, TransactionId};
use waiaas_tests::agent::Agent;
use waiaas_tests::owner::Owner;
use xtask::process::Process;

pub(crate) use self::authorizations::AUTHORIZATION;
pub(crate) use self::lives::RENEWAL;
pub(crate) use self::owner::{owner_key, owner_payload};
use crate::stand::{Cast, GATEWAY_UID, Home, as_user};

/// Calls that one connection keeps in flight here.
const AT_ONCE: usize = 128;

/// A payment that left.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) proposed: Vec<u8>,
    pub(crate) signed: SignedPayment,
    pub(crate) requested: Instant,
    /// For how long the signer had run when it had been answered.
    pub(crate) answered: Duration,
}

/// An authorization that left.
#[derive(Debug, Clone)]
pub(crate) struct Authorized {
    pub(crate) signed: SignedTransfer,
    pub(crate) requested: Instant,
}

/// What the gateway got, and what it was entitled to change.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Every signature that left, replays included.
    pub(crate) releases: Vec<Release>,
    /// Every authorization of a transfer that left, replays included.
    pub(crate) authorized: Vec<Authorized>,
    /// Signed bytes that a case read out of frames by hand.
    pub(crate) raws: Vec<Vec<u8>>,
    /// Payments asked for whose answer was lost: each may stand in the log or not.
    pub(crate) unanswered: u64,
    /// Changes that the signer accepted in this case, payments aside.
    pub(crate) accepted: u64,
    /// New payments that it accepted in this case.
    pub(crate) paid: u64,
    /// Payments that it let wait in this case.
    pub(crate) waiting: u64,
    /// Those of all cases, with how long the signer had run when they were asked for.
    pub(crate) opened: BTreeMap<TransactionId, Duration>,
    /// Everything that owners' keys put their signatures to, and whose.
    pub(crate) owner_signed: RefCell<BTreeSet<(OwnerId, Vec<u8>)>>,
    /// When kills were acknowledged; and when they were released.
    pub(crate) kills: Vec<Instant>,
    pub(crate) kill_ends: Vec<Instant>,
    /// Every byte and text that came back outside of typed answers.
    pub(crate) captured: Vec<u8>,
    /// The last status seen.
    pub(crate) status: Option<SignerStatus>,
    /// Heads that the owner kept.
    pub(crate) heads: Vec<String>,
}

/// The rig.
pub(crate) struct Rig {
    gateway: Option<Rc<GatewayClient>>,
    owner: Option<Owner>,
    local: LocalSet,
    runtime: Runtime,
    process: Option<Process>,
    pub(crate) home: Home,
    pub(crate) cast: Cast,
    pub(crate) record: Record,
    /// Why no honest payment is expected afterwards; the next case gets another rig.
    pub(crate) spent: Option<&'static str>,
    /// For how long the process ran before its last start, and when that was.
    ran: Duration,
    started: Instant,
    keys: u64,
}

impl Rig {
    /// Starts and unlocks the signer of a home.
    pub(crate) fn start(home: Home, cast: Cast) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut rig = Self {
            gateway: None,
            owner: None,
            local: LocalSet::new(),
            runtime,
            process: None,
            home,
            cast,
            record: Record::default(),
            spent: None,
            ran: Duration::ZERO,
            started: Instant::now(),
            keys: 0,
        };
        rig.resume()?;
        rig.record.accepted = 0;
        Ok(rig)
    }

    /// Starts the process, unlocks, connects.
    pub(crate) fn resume(&mut self) -> Result<()> {
        self.restart()?;
        self.unlock()
    }

    /// Starts the process and connects: it is locked.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.started = Instant::now();
        self.process = Some(self.home.start()?);
        self.owner = Some(self.block(Owner::connect(&self.home.admin_socket()))?);
        self.reconnect()
    }

    /// Opens the keystore.
    pub(crate) fn unlock(&mut self) -> Result<()> {
        self.block(self.owner().unlock())?;
        self.record.accepted += 1;
        Ok(())
    }

    /// The gateway connects anew.
    pub(crate) fn reconnect(&mut self) -> Result<()> {
        self.gateway = None;
        let path = self.home.gateway_socket();
        let connected = as_user(GATEWAY_UID, || self.block(Client::connect(&path)))?;
        self.gateway = Some(Rc::new(connected?));
        Ok(())
    }

    /// kill -9.
    pub(crate) fn crash(&mut self) {
        self.gateway = None;
        self.owner = None;
        if self.process.take().is_some() {
            self.ran += self.started.elapsed();
        }
    }

    /// Ends the process by the signal that asks for a core file; how it ended.
    pub(crate) fn abort(&mut self) -> Result<ExitStatus> {
        let process = self.process.as_mut().context("a running signer")?;
        let id = Pid::from_raw(i32::try_from(process.id())?);
        kill(id, Signal::SIGABRT)?;
        let status = process.wait(Duration::from_secs(10))?;
        self.crash();
        Ok(status)
    }

    /// For how long the signer has run, by this program's clock.
    pub(crate) fn ran(&self) -> Duration {
        self.ran + self.started.elapsed()
    }

    /// Lets time pass for the signer, on a machine in this program's hand.
    pub(crate) fn pass(&mut self, time: Duration) -> Result<()> {
        self.home.machine()?.pass(time)?;
        self.ran += time;
        Ok(())
    }

    /// For how long it had run at an instant since its last start.
    pub(crate) fn ran_at(&self, instant: Instant) -> Duration {
        self.ran + instant.saturating_duration_since(self.started)
    }

    pub(crate) fn process_id(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("a running signer")?.id())
    }

    /// Whether the process has ended by itself.
    pub(crate) fn ended(&mut self) -> Result<bool> {
        let process = self.process.as_mut().context("a started signer")?;
        Ok(process.ended()?.is_some())
    }

    pub(crate) fn block<T>(&self, future: impl Future<Output = T>) -> T {
        self.local.block_on(&self.runtime, future)
    }

    pub(crate) fn owner(&self) -> &Owner {
        self.owner.as_ref().expect("set by restart")
    }

    pub(crate) fn gateway(&self) -> Rc<GatewayClient> {
        Rc::clone(self.gateway.as_ref().expect("set by restart"))
    }

    pub(crate) fn status(&self) -> Result<SignerStatus> {
        Ok(self.block(self.gateway().status())?)
    }

    /// A name that was not used before.
    pub(crate) fn fresh_key(&mut self) -> String {
        self.keys += 1;
        format!("key-{}", self.keys)
    }

    /// The rig cannot serve another case.
    pub(crate) fn use_up(&mut self, why: &'static str) {
        self.spent = Some(why);
    }

    pub(crate) fn pause(&mut self) -> Result<()> {
        self.block(self.gateway().pause(None))?;
        self.record.accepted += 1;
        Ok(())
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        self.block(self.gateway().kill())?;
        self.record.kills.push(Instant::now());
        self.record.accepted += 1;
        Ok(())
    }

    /// The process ended, or was ended, by itself.
    pub(crate) fn ended_by_itself(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.ended()? {
            anyhow::ensure!(Instant::now() < end, "the signer still runs");
            std::thread::sleep(Duration::from_millis(2));
        }
        self.crash();
        Ok(())
    }

    pub(crate) fn agent(&self) -> Agent {
        self.cast.agent.clone()
    }
}

/// The first code of a refusal; anything else is an error.
pub(crate) fn refusal<T>(answer: Result<T, ClientError>) -> Result<Code> {
    match answer {
        Ok(_) => bail!("it was accepted"),
        Err(ClientError::Denied(denial)) => {
            let first = denial.violations().first().context("a reason")?;
            Ok(first.code)
        }
        Err(error) => bail!("not a refusal: {error}"),
    }
}
