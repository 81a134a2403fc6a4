//! The start of a signer on a log that `maker` made: the real opening, without its threads, turned by hand.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use waiaas_signer::authority::ask::{Ask, Audited, Reply, UnlockWish};
use waiaas_signer::authority::lanes::Lanes;
use waiaas_signer::authority::password::queue;
use waiaas_signer::authority::system::System;
use waiaas_signer::authority::{Authority, Parts};
use waiaas_signer::core::clock::Reading;
use waiaas_signer::ledger::sqlite::SqliteLedger;
use waiaas_signer::sys::memory::SecretArena;
use waiaas_signer::vault::{Entropy, EntropyError, KernelEntropy};

use crate::Result;
use crate::maker::{PASSWORD, locked};

/// The kernel's entropy and a clock that stands at the log's end.
struct Simulated {
    wall: u64,
    started: Instant,
    source: KernelEntropy,
}

impl System for Simulated {
    fn clocks(&mut self) -> Option<Reading> {
        let ran = u64::try_from(self.started.elapsed().as_millis()).ok()?;
        Some(Reading {
            wall: self.wall + ran,
            monotonic: ran,
            boottime: ran,
        })
    }

    fn entropy(&mut self) -> std::result::Result<[u8; 32], EntropyError> {
        let mut bytes = [0; 32];
        self.source.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn source(&mut self) -> &mut dyn Entropy {
        &mut self.source
    }
}

/// An authority without its threads: turned by hand.
pub(crate) struct Opened {
    authority: Authority<SqliteLedger, Simulated>,
    lanes: Lanes,
    kdf: waiaas_signer::authority::password::KdfWork,
}

/// The start: the ledger opened, the log verified and folded.
pub(crate) fn open(folder: &Path, arena: &SecretArena, wall: u64) -> Result<Opened> {
    let lanes = Lanes::default();
    let (queue, kdf) = queue();
    let authority = Authority::open(Parts {
        ledger: SqliteLedger::open(folder)?,
        system: Simulated {
            wall,
            started: Instant::now(),
            source: KernelEntropy,
        },
        folder: folder.to_owned(),
        arena: arena.clone(),
        lanes: lanes.clone(),
        kdf: queue,
        published: tokio::sync::watch::channel(0).0,
    })?;
    Ok(Opened {
        authority,
        lanes,
        kdf,
    })
}

impl Opened {
    fn ask<T>(
        &mut self,
        make: impl FnOnce(Reply<T>) -> Ask,
    ) -> Result<oneshot::Receiver<std::result::Result<T, waiaas_shared::denial::Denial>>> {
        let (reply, answer) = oneshot::channel();
        let pushed = self.lanes.push(make(reply));
        pushed.map_err(|_| "the lanes are full")?;
        self.authority.turn(Instant::now())?;
        Ok(answer)
    }

    /// Unlocks; how long the turn took in which a snapshot was due.
    pub(crate) fn unlock_and_settle(&mut self, arena: &SecretArena) -> Result<Duration> {
        let password = locked(arena, PASSWORD)?;
        let mut answer = self.ask(|reply| Ask::Unlock(password, UnlockWish::default(), reply))?;
        self.kdf.drain(&self.lanes, arena);
        let from = Instant::now();
        self.authority.turn(Instant::now())?;
        let took = from.elapsed();
        match answer.try_recv()? {
            Ok(()) => Ok(took),
            Err(denial) => Err(format!("not unlocked: {denial:?}").into()),
        }
    }

    /// The signer's own fold of its whole log, compared with its state and with every snapshot.
    pub(crate) fn audit(&mut self) -> Result<Audited> {
        let mut answer = self.ask(Ask::Audit)?;
        loop {
            match answer.try_recv() {
                Ok(Ok(audited)) => return Ok(audited),
                Ok(Err(denial)) => return Err(format!("no audit: {denial:?}").into()),
                Err(_) => self.authority.turn(Instant::now())?,
            }
        }
    }
}
