//! Opening: keystore header, the log verified and folded (from a snapshot, or whole), the journal's start
//! entry written. A missing, unreadable or broken part means closed, never "start from zero".

use std::path::Path;

use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::log::{LogError, Verifier, genesis};
use waiaas_shared::time::WallTime;

use super::denials::Denials;
use super::fold::{self, Folded, KeptSnapshot, Opened};
use super::locked::Journal;
use super::snapshots::Snapshots;
use super::system::System;
use super::{Authority, Parts, Settled, Vault};
use crate::core::clock::{ClockKeeper, Reading};
use crate::core::journal::JournalEntry;
use crate::ledger::{Ledger, LedgerError};
use crate::vault::{FileError, Keystore, KeystoreFolder, LoadError};

/// Why the signer does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The keystore cannot be used.
    #[error("keystore: {0}")]
    Keystore(#[source] Box<LoadError>),
    /// The ledger cannot be used.
    #[error("ledger: {0}")]
    Ledger(#[from] LedgerError),
    /// The log does not verify.
    #[error("the log does not verify: {0}")]
    Log(#[from] LogError),
    /// An event is of a kind that this program does not know, or not in its canonical form.
    #[error("event {0} is unknown to this version of the signer: is it older than the log?")]
    UnknownEvent(u64),
    /// A log without its keystore.
    #[error("there is a log but no keystore: restore the keystore beside it")]
    KeystoreMissing,
    /// A keystore without its log.
    #[error(
        "there is a keystore but no log: restore the log beside it. If `init` was interrupted before it showed \
         the recovery phrase, remove the keystore and run `init` again"
    )]
    LogMissing,
    /// The keystore belongs to another log.
    #[error("keystore and log belong to different signers")]
    Foreign,
    /// The clocks cannot be read.
    #[error("the system's clocks cannot be read")]
    Clock,
}

impl<L: Ledger, S: System> Authority<L, S> {
    /// Opens keystore and log.
    ///
    /// # Errors
    /// [`OpenError`]: the signer does not start.
    pub fn open(parts: Parts<L, S>) -> Result<Self, OpenError> {
        let Parts {
            mut ledger,
            mut system,
            folder,
            arena,
            lanes,
            kdf,
            published,
        } = parts;
        let reading = system.clocks().ok_or(OpenError::Clock)?;
        let keystore = load(&folder)?;
        let first = ledger.read(0, 1)?.events.into_iter().next();
        let empty = first.is_none();
        let (vault, folded, head, note, clock, kept) = match keystore {
            None if empty => (
                Vault::None,
                Folded::default(),
                None,
                String::new(),
                None,
                KeptSnapshot::default(),
            ),
            None => return Err(OpenError::KeystoreMissing),
            Some(_) if empty => return Err(OpenError::LogMissing),
            Some(keystore) => {
                let identity = keystore.identity();
                let named = first.and_then(|stored| from_canonical::<Event>(&stored.body).ok());
                let foreign = matches!(
                    named.map(|event| event.body),
                    Some(EventBody::Created { signer }) if signer != identity.signer_id
                );
                if foreign
                    || identity.genesis != genesis(identity.signer_id, &identity.log_public_key)
                {
                    return Err(OpenError::Foreign);
                }
                let genesis = Verifier::new(identity.signer_id, identity.log_public_key);
                let Opened {
                    folded,
                    head,
                    note,
                    snapshot,
                } = fold::open(&mut ledger, genesis)?;
                if folded.state.signer() != Some(identity.signer_id) {
                    return Err(OpenError::Foreign);
                }
                let clock = ClockKeeper::start(folded.state.clocks(), reading);
                (
                    Vault::Locked(Box::new(keystore)),
                    folded,
                    Some(head),
                    note,
                    Some(clock),
                    snapshot.unwrap_or_default(),
                )
            }
        };
        let mut journal = Journal::continue_from(folded.state.journal(), &ledger.journal()?);
        if head.is_some() {
            // The start entry; it also makes SQLite open everything that it will ever open.
            let entry = JournalEntry::Started {
                wall: WallTime::from_millis(reading.wall),
            };
            ledger.journal_append(&journal.next(&entry))?;
        }
        published.send_replace(head.map_or(0, |head| head.sequence));
        Ok(Self {
            ledger,
            system,
            folder,
            arena,
            lanes,
            kdf,
            published,
            vault,
            state: folded.state.clone(),
            settled: Settled { folded, head },
            head,
            note,
            clock,
            denials: Denials::default(),
            journal,
            snapshots: Snapshots::after(kept),
            audit: None,
        })
    }

    /// Begins the clocks of a fresh log.
    pub(super) fn begin_clock(&mut self, reading: Reading) {
        self.clock = Some(ClockKeeper::start(crate::core::clock::zero(), reading));
    }
}

fn load(folder: &Path) -> Result<Option<Keystore>, OpenError> {
    let opened = KeystoreFolder::open(folder).map_err(LoadError::from)?;
    match Keystore::load(opened) {
        Ok(keystore) => Ok(Some(keystore)),
        Err(LoadError::File(FileError::Missing)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
