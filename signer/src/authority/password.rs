//! The kdf thread: turns passwords into keys, one at a time, and brings each back to the authority
//! with what it was for. Touches no file and no socket; 256 MiB of its own while it works.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::ids::{OwnerId, SignerId, StatementId};
use waiaas_shared::log::SignedHead;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::view::WalletView;

use super::ask::{Ask, Initialized, Reply};
use super::lanes::Lanes;
use crate::core::command::{Recovery, Rehearsal};
use crate::sys::memory::{LockedBytes, SecretArena};
use crate::vault::NewKeystore;
use crate::vault::kdf::{KdfError, KdfRequest, derive};

/// Passwords that wait at once.
const WAITING_LIMIT: usize = 4;

/// What a password is for.
pub enum Purpose {
    /// A new keystore of this signer.
    Initialize(SignerId, Box<NewKeystore>, Reply<Initialized>),
    /// Opening the keystore; whether the owner vouches for time off, and the head that the owner kept,
    /// which the log key signed.
    Unlock(bool, Option<Box<SignedHead>>, Reply<()>),
    /// Enrolling an owner.
    Enrol(StatementId, Envelope, Vec<u8>, Reply<OwnerId>),
    /// Creating a wallet.
    CreateWallet(Family, Vec<ChainId>, u64, Reply<WalletView>),
    /// Registering a new owner's or guardian's key.
    Register(Vec<OwnerSignature>, Rehearsal, Reply<OwnerId>),
    /// Beginning a recovery, for which the phrase is compared in the vault.
    Recover(LockedBytes, Recovery, Reply<u64>),
    /// Suspending an owner's key.
    SuspendOwner(OwnerId, Reply<u64>),
    /// Carrying out what owners signed.
    Submit(StatementId, Vec<OwnerSignature>, Reply<u64>),
}

impl std::fmt::Debug for Purpose {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Purpose")
    }
}

/// A password's key.
#[derive(Debug)]
pub struct Derived {
    /// What it is for.
    pub purpose: Purpose,
    /// The key-encryption key, or why there is none.
    pub kek: Result<LockedBytes, KdfError>,
}

/// One password to work on.
#[derive(Debug)]
struct Job {
    password: LockedBytes,
    request: KdfRequest,
    purpose: Purpose,
}

/// The authority's end.
#[derive(Debug, Clone)]
pub struct KdfQueue(SyncSender<Job>);

/// The kdf thread's end.
#[derive(Debug)]
pub struct KdfWork(Receiver<Job>);

/// Both ends.
#[must_use]
pub fn queue() -> (KdfQueue, KdfWork) {
    let (sender, receiver) = sync_channel(WAITING_LIMIT);
    (KdfQueue(sender), KdfWork(receiver))
}

impl KdfQueue {
    /// Hands a password over.
    ///
    /// # Errors
    /// The purpose comes back if four passwords wait already.
    pub fn push(
        &self,
        password: LockedBytes,
        request: KdfRequest,
        purpose: Purpose,
    ) -> Result<(), Purpose> {
        self.0
            .try_send(Job {
                password,
                request,
                purpose,
            })
            .map_err(|error| match error {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => job.purpose,
            })
    }
}

impl KdfWork {
    /// Works until the authority is gone.
    pub fn run(&self, lanes: &Lanes, arena: &SecretArena) {
        while let Ok(job) = self.0.recv() {
            work(job, lanes, arena);
        }
    }

    /// Works off what waits now, on the caller's thread; whether there was anything. For what has no
    /// threads: tests and measurements.
    pub fn drain(&self, lanes: &Lanes, arena: &SecretArena) -> bool {
        let mut worked = false;
        while let Ok(job) = self.0.try_recv() {
            work(job, lanes, arena);
            worked = true;
        }
        worked
    }
}

fn work(job: Job, lanes: &Lanes, arena: &SecretArena) {
    let kek = derive(&job.password, &job.request, arena);
    drop(job.password);
    let derived = Box::new(Derived {
        purpose: job.purpose,
        kek,
    });
    // A Derived always finds room (see `Lanes::push`).
    let _always_ok = lanes.push(Ask::Derived(derived));
}
