//! The signer's log, read from the first event: verified with the pinned key while it is read, and
//! compared with the last head seen. Called by `audit` and `session list`.

use std::time::Duration;

use waiaas_client::EventRecord;
use waiaas_shared::log::{Head, LogError, SignedHead, Verifier};

use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::signer::{Signer, failed};
use crate::witness::Pin;

/// Bytes of events asked for at once; the signer's own limit.
const PAGE_BYTES: u32 = 256 * 1024;

/// One part of a log, in order.
#[derive(Debug)]
pub(crate) enum Part {
    /// An event.
    Event(EventRecord),
    /// The signed note over the event before it.
    Head(String),
}

/// Follows a log and remembers what was seen of it.
#[derive(Debug)]
pub(crate) struct Follower {
    pin: Pin,
    verifier: Verifier,
    seen: Option<Head>,
    note: Option<String>,
}

impl Follower {
    /// At the genesis of the pinned log.
    pub(crate) fn new(home: &Home, pin: Pin) -> Result<Self, Failure> {
        Ok(Self {
            pin,
            verifier: Verifier::new(pin.signer, pin.log_key),
            seen: pin.last_seen(home)?,
            note: None,
        })
    }

    /// Takes the next part.
    pub(crate) fn take(&mut self, home: &Home, part: &Part) -> Result<(), Failure> {
        match part {
            Part::Event(record) => {
                self.verifier
                    .event(record.sequence, &record.body, record.hash)
                    .map_err(broken)?;
                // What was seen before must lie on the way.
                let head = self.verifier.head();
                match self.seen {
                    Some(seen) if seen.sequence == head.sequence && seen.hash != head.hash => {
                        Err(self.pin.older(home, seen, head))
                    }
                    _ => Ok(()),
                }
            }
            Part::Head(note) => {
                let signed: SignedHead = note.parse().map_err(broken)?;
                self.verifier.signed_head(&signed).map_err(broken)?;
                self.note = Some(note.clone());
                Ok(())
            }
        }
    }

    /// The verified end: signed, and not before what was seen. It is remembered.
    pub(crate) fn finish(self, home: &Home) -> Result<Head, Failure> {
        let head = self.verifier.finish().map_err(broken)?;
        match self.seen {
            Some(seen) if head.sequence < seen.sequence => Err(self.pin.older(home, seen, head)),
            Some(seen) if head.sequence == seen.sequence => Ok(head),
            _ => match &self.note {
                Some(note) => self.pin.witness(home, note),
                None => Ok(head),
            },
        }
    }
}

/// Reads and verifies the whole log of the connected signer; each part goes to `each` once verified.
pub(crate) async fn follow(
    home: &Home,
    signer: &Signer,
    mut each: impl FnMut(&Part) -> Result<(), Failure>,
) -> Result<Head, Failure> {
    let mut follower = Follower::new(home, signer.pin)?;
    let mut after = 0;
    loop {
        let page = signer
            .client
            .events(after, PAGE_BYTES, Duration::ZERO)
            .await;
        let page = page.map_err(failed("the log cannot be read"))?;
        let Some(last) = page.events.last().map(|record| record.sequence) else {
            break;
        };
        let parts = ordered(page.events, page.heads)?;
        for part in &parts {
            follower.take(home, part)?;
            each(part)?;
        }
        after = last;
        if after >= page.last {
            break;
        }
    }
    follower.finish(home)
}

/// Puts each head behind the event that it signs.
fn ordered(events: Vec<EventRecord>, heads: Vec<String>) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::with_capacity(events.len().saturating_add(heads.len()));
    let mut heads = heads.into_iter().peekable();
    for record in events {
        let sequence = record.sequence;
        parts.push(Part::Event(record));
        while let Some(note) = heads.peek() {
            let signed: SignedHead = note.parse().map_err(broken)?;
            if signed.head_unverified().sequence > sequence {
                break;
            }
            parts.extend(heads.next().map(Part::Head));
        }
    }
    parts.extend(heads.map(Part::Head));
    Ok(parts)
}

/// A log that does not verify.
pub(crate) fn broken(error: LogError) -> Failure {
    Failure::new(Exit::Failure, "the log does NOT verify")
        .why(error)
        .next(
            "keep a copy (waiaas audit export), throw the kill switch, and look for who changed it",
        )
}

#[cfg(test)]
pub(crate) mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use waiaas_shared::digest::Digest;
    use waiaas_shared::ids::SignerId;
    use waiaas_shared::log::{genesis, link};

    use super::*;

    pub(crate) fn pin() -> Pin {
        Pin {
            signer: SignerId::from_bytes([1; 16]),
            log_key: SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes(),
        }
    }

    /// A log of so many events, every second of them signed.
    pub(crate) fn log(events: u8, salt: u8) -> Vec<Part> {
        let key = SigningKey::from_bytes(&[7; 32]);
        let mut hash = genesis(pin().signer, &pin().log_key);
        let mut parts = Vec::new();
        for place in 1..=events {
            let body = vec![place, salt];
            hash = link(hash, place.into(), &body);
            parts.push(Part::Event(EventRecord {
                sequence: place.into(),
                body,
                hash,
            }));
            if place % 2 == 0 {
                parts.push(Part::Head(note(&key, place.into(), hash)));
            }
        }
        parts
    }

    fn note(key: &SigningKey, sequence: u64, hash: Digest) -> String {
        let head = Head {
            signer: pin().signer,
            sequence,
            hash,
        };
        let signature = key.sign(head.note_text().as_bytes()).to_bytes();
        SignedHead::new(head, &pin().log_key, signature).to_string()
    }

    fn verify(home: &Home, parts: &[Part]) -> Result<u64, Failure> {
        let mut follower = Follower::new(home, pin())?;
        parts
            .iter()
            .try_for_each(|part| follower.take(home, part))?;
        follower.finish(home).map(|head| head.sequence)
    }

    fn home(folder: &tempfile::TempDir) -> Home {
        let home = Home::at(folder.path().join("home")).unwrap();
        home.create().unwrap();
        home
    }

    #[test]
    fn a_log_that_goes_on_verifies_and_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        assert_eq!(verify(&home, &log(4, 0)).unwrap(), 4);
        assert_eq!(verify(&home, &log(4, 0)).unwrap(), 4);
        assert_eq!(verify(&home, &log(6, 0)).unwrap(), 6);
        assert_eq!(pin().last_seen(&home).unwrap().unwrap().sequence, 6);
    }

    /// A log that was cut short, and one that was written anew and is longer, are both refused.
    #[test]
    fn a_cut_or_rewritten_log_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        verify(&home, &log(4, 0)).unwrap();
        assert!(
            verify(&home, &log(2, 0))
                .unwrap_err()
                .human()
                .contains("seen before")
        );
        assert!(
            verify(&home, &log(6, 1))
                .unwrap_err()
                .human()
                .contains("seen before")
        );
        assert!(
            verify(&home, &log(5, 0))
                .unwrap_err()
                .human()
                .contains("signed head")
        );
        assert_eq!(pin().last_seen(&home).unwrap().unwrap().sequence, 4);
    }

    #[test]
    fn heads_stand_behind_their_events() {
        let (mut events, mut heads) = (Vec::new(), Vec::new());
        for part in log(5, 0) {
            match part {
                Part::Event(record) => events.push(record),
                Part::Head(note) => heads.push(note),
            }
        }
        let kinds: Vec<_> = ordered(events, heads)
            .unwrap()
            .iter()
            .map(|part| matches!(part, Part::Head(_)))
            .collect();
        assert_eq!(kinds, [false, false, true, false, false, true, false]);
    }
}
