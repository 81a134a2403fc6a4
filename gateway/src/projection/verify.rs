//! Whether what the signer tells of its log continues what was seen before. Pure; the feed calls it
//! with each page and after each connection.

use waiaas_client::{EventPage, SignerStatus};
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SignerId;
use waiaas_shared::log::{Head, SignedHead, link};

use super::store::Cursor;

/// What is wrong with the log. Stable words for people and for the alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    /// The log ends before an event that was seen.
    #[error("the signer's log is shorter than it was")]
    RolledBack,
    /// Another event stands where one was seen.
    #[error("the signer's log is not the one that was followed")]
    Forked,
    /// Another signer answers.
    #[error("another signer answers on the socket")]
    OtherSigner,
    /// An event does not follow from the one before it.
    #[error("an event does not follow from the one before it")]
    Chain,
    /// A head is missing or not signed by the pinned log key.
    #[error("the log's head is not signed by the pinned log key")]
    Signature,
    /// An event that this program does not know: an older program follows a newer signer.
    #[error("the log holds an event that this version does not know")]
    UnknownEvent,
}

/// The hash before the first event. Without the log's key it is not known; the first event's own hash
/// is then taken as it is told, once.
pub(super) fn genesis(signer: SignerId, log_key: Option<[u8; 32]>) -> Digest {
    match log_key {
        Some(key) => waiaas_shared::log::genesis(signer, &key),
        None => Digest::from_bytes([0; 32]),
    }
}

/// After a connection: is it the same log, and no shorter?
pub(super) fn status(
    status: &SignerStatus,
    cursor: Option<&Cursor>,
    log_key: Option<[u8; 32]>,
) -> Result<(), LogFault> {
    let head = head_of(&status.head, log_key)?;
    let Some(cursor) = cursor else { return Ok(()) };
    if status.signer != Some(cursor.signer) {
        return Err(LogFault::OtherSigner);
    }
    if status.sequence < cursor.sequence {
        return Err(LogFault::RolledBack);
    }
    match head {
        Some(head) if head.signer != cursor.signer => Err(LogFault::OtherSigner),
        Some(head) if head.sequence == cursor.sequence && head.hash != cursor.hash => {
            Err(LogFault::Forked)
        }
        _ => Ok(()),
    }
}

/// The cursor after a page whose events continue the log. Of its heads the newest one's signature is
/// verified: the chain that leads to it binds every event and every head before.
pub(super) fn page(
    page: &EventPage,
    cursor: &Cursor,
    log_key: Option<[u8; 32]>,
) -> Result<Cursor, LogFault> {
    if page.last < cursor.sequence {
        return Err(LogFault::RolledBack);
    }
    let heads = page.heads.iter().map(|note| note.parse::<SignedHead>());
    let heads = heads
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| LogFault::Signature)?;
    let mut heads = heads.iter().peekable();
    let mut newest = None;
    let mut now = *cursor;
    for event in &page.events {
        if now.sequence.checked_add(1) != Some(event.sequence) {
            return Err(LogFault::Chain);
        }
        let trusted_first = now.sequence == 0 && log_key.is_none();
        if !trusted_first && link(now.hash, event.sequence, &event.body) != event.hash {
            // The first of a page hangs on what was seen before it.
            let first = now.sequence == cursor.sequence;
            return Err(if first {
                LogFault::Forked
            } else {
                LogFault::Chain
            });
        }
        now = Cursor {
            sequence: event.sequence,
            hash: event.hash,
            ..now
        };
        while let Some(signed) =
            heads.next_if(|signed| signed.head_unverified().sequence <= now.sequence)
        {
            let head = signed.head_unverified();
            if head.signer != now.signer || (head.sequence == now.sequence && head.hash != now.hash)
            {
                return Err(LogFault::Forked);
            }
            newest = Some(signed);
        }
    }
    let Some(key) = log_key else {
        return Ok(now);
    };
    match newest {
        Some(signed) => {
            let head = signed.verify(&key).map_err(|_| LogFault::Signature)?;
            // The newest event of a log always ends a batch, and so has a head.
            if now.sequence == page.last && head.sequence != now.sequence {
                return Err(LogFault::Signature);
            }
        }
        None if now.sequence == page.last && now.sequence != cursor.sequence => {
            return Err(LogFault::Signature);
        }
        None => {}
    }
    Ok(now)
}

/// The head of a note; none for a log without events. Verified if the log's key is pinned.
fn head_of(note: &str, log_key: Option<[u8; 32]>) -> Result<Option<Head>, LogFault> {
    if note.is_empty() {
        return Ok(None);
    }
    let signed: SignedHead = note.parse().map_err(|_| LogFault::Signature)?;
    match log_key {
        Some(key) => signed
            .verify(&key)
            .map(Some)
            .map_err(|_| LogFault::Signature),
        None => Ok(Some(signed.head_unverified())),
    }
}
