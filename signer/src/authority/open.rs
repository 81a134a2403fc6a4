//! Opening: keystore header, the whole log verified and folded, the journal's start entry written.
//! A missing, unreadable or broken part means closed, never "start from zero".

use std::path::Path;

use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::SignerId;
use waiaas_shared::log::{LogError, SignedHead, Verifier, genesis};
use waiaas_shared::time::WallTime;

use super::denials::Denials;
use super::locked::Journal;
use super::system::System;
use super::{Authority, Parts, Vault};
use crate::core::apply::apply;
use crate::core::clock::{ClockKeeper, Reading};
use crate::core::journal::JournalEntry;
use crate::core::state::State;
use crate::ledger::{Ledger, LedgerError, SpendIndex};
use crate::vault::{FileError, Keystore, KeystoreFolder, LoadError};

/// Bytes of events read at once while folding.
const FOLD_BYTES: usize = 4 * 1024 * 1024;

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

/// Verifies and folds everything after the genesis.
pub(super) fn fold<L: Ledger>(
    ledger: &mut L,
    signer: SignerId,
    log_key: [u8; 32],
) -> Result<(State, Verifier, String), OpenError> {
    let mut state = State::default();
    let mut verifier = Verifier::new(signer, log_key);
    let mut note = String::new();
    loop {
        let page = ledger.read(verifier.head().sequence, FOLD_BYTES)?;
        if page.events.is_empty() {
            break;
        }
        let mut heads = page.heads.into_iter().peekable();
        for stored in page.events {
            verifier.event(stored.sequence, &stored.body, stored.hash)?;
            if let Some((_, text)) = heads.next_if(|(sequence, _)| *sequence == stored.sequence) {
                let signed: SignedHead = text.parse()?;
                verifier.signed_head(&signed)?;
                note = text;
            }
            let event: Event = from_canonical(&stored.body)
                .map_err(|_| OpenError::UnknownEvent(stored.sequence))?;
            apply(&mut state, &event);
            if let Some(index) = SpendIndex::of(&event.body, stored.sequence) {
                ledger.repair_index(&index)?;
            }
            state.committed();
        }
    }
    verifier.finish()?;
    Ok((state, verifier, note))
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
        let (vault, state, head, note, clock) = match keystore {
            None if empty => (Vault::None, State::default(), None, String::new(), None),
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
                let (state, verifier, note) =
                    fold(&mut ledger, identity.signer_id, identity.log_public_key)?;
                if state.signer() != Some(identity.signer_id) {
                    return Err(OpenError::Foreign);
                }
                let clock = ClockKeeper::start(state.clocks(), reading);
                (
                    Vault::Locked(Box::new(keystore)),
                    state,
                    Some(verifier.head()),
                    note,
                    Some(clock),
                )
            }
        };
        let mut journal = Journal::continue_from(state.journal(), &ledger.journal()?);
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
            state,
            head,
            note,
            clock,
            denials: Denials::default(),
            journal,
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
