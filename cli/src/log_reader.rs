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
pub(crate) const PAGE_BYTES: u32 = 256 * 1024;

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
    heads: Heads,
}

/// Which signatures over heads are verified. The hashes of all events are, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heads {
    /// Every one.
    Every,
    /// The last one, which covers every event before it. The others must name the hashes of the chain.
    Last,
}

impl Follower {
    /// At the genesis of the pinned log.
    pub(crate) fn new(home: &Home, pin: Pin, heads: Heads) -> Result<Self, Failure> {
        Ok(Self {
            pin,
            verifier: Verifier::new(pin.signer, pin.log_key),
            seen: pin.last_seen(home)?,
            note: None,
            heads,
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
                let head = signed.head_unverified();
                match self.heads {
                    Heads::Every => self.verifier.signed_head(&signed).map_err(broken)?,
                    Heads::Last if head == self.verifier.head() => {}
                    Heads::Last => return Err(broken(LogError::Head(head.sequence))),
                }
                self.note = Some(note.clone());
                Ok(())
            }
        }
    }

    /// The verified end of a part of the log: signed, and possibly before what was seen.
    pub(crate) fn finish_part(&mut self) -> Result<Head, Failure> {
        if let (Heads::Last, Some(note)) = (self.heads, &self.note) {
            let signed: SignedHead = note.parse().map_err(broken)?;
            // An event behind the last head is not signed for.
            if signed.head_unverified() == self.verifier.head() {
                self.verifier.signed_head(&signed).map_err(broken)?;
            }
        }
        self.verifier.finish().map_err(broken)
    }

    /// The verified end: signed, and not before what was seen. It is remembered.
    pub(crate) fn finish(&mut self, home: &Home) -> Result<Head, Failure> {
        let head = self.finish_part()?;
        match self.seen {
            Some(seen) if head.sequence < seen.sequence => Err(self.pin.older(home, seen, head)),
            Some(seen) if head.sequence == seen.sequence => Ok(head),
            _ => match &self.note {
                Some(note) => self.pin.keep(home, note),
                None => Ok(head),
            },
        }
    }
}

/// The log of the connected signer, page by page, each verified as it comes.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    home: &'a Home,
    signer: &'a Signer,
    follower: Follower,
    after: u64,
}

impl<'a> Reader<'a> {
    /// Before the first event.
    pub(crate) fn new(home: &'a Home, signer: &'a Signer, heads: Heads) -> Result<Self, Failure> {
        Ok(Self {
            home,
            signer,
            follower: Follower::new(home, signer.pin, heads)?,
            after: 0,
        })
    }

    /// The next parts, waiting for one so long at most, and whether there are more.
    pub(crate) async fn page(&mut self, wait: Duration) -> Result<(Vec<Part>, bool), Failure> {
        let page = self
            .signer
            .client
            .events(self.after, PAGE_BYTES, wait)
            .await;
        let page = page.map_err(failed("the log cannot be read"))?;
        let Some(last) = page.events.last().map(|record| record.sequence) else {
            return Ok((Vec::new(), false));
        };
        let parts = ordered(page.events, page.heads)?;
        for part in &parts {
            self.follower.take(self.home, part)?;
        }
        self.after = last;
        Ok((parts, last < page.last))
    }

    /// The verified end, so far. It is remembered.
    pub(crate) fn finish(&mut self) -> Result<Head, Failure> {
        self.follower.finish(self.home)
    }
}

/// Reads and verifies the whole log of the connected signer; each part goes to `each` once verified.
pub(crate) async fn follow(
    home: &Home,
    signer: &Signer,
    heads: Heads,
    mut each: impl FnMut(&Part) -> Result<(), Failure>,
) -> Result<Head, Failure> {
    let mut reader = Reader::new(home, signer, heads)?;
    loop {
        let (parts, more) = reader.page(Duration::ZERO).await?;
        parts.iter().try_for_each(&mut each)?;
        if !more {
            return reader.finish();
        }
    }
}

/// Puts each head behind the event that it signs.
pub(crate) fn ordered(events: Vec<EventRecord>, heads: Vec<String>) -> Result<Vec<Part>, Failure> {
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
        verify_with(home, parts, Heads::Every)
    }

    fn verify_with(home: &Home, parts: &[Part], heads: Heads) -> Result<u64, Failure> {
        let mut follower = Follower::new(home, pin(), heads)?;
        parts
            .iter()
            .try_for_each(|part| follower.take(home, part))?;
        follower.finish(home).map(|head| head.sequence)
    }

    /// The last head alone covers every event; a false one anywhere, and an event that none covers, are
    /// refused all the same.
    #[test]
    fn the_last_head_covers_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let sound = log(4, 0);
        assert_eq!(verify_with(&home, &sound, Heads::Last).unwrap(), 4);
        let key = SigningKey::from_bytes(&[7; 32]);
        let other = SigningKey::from_bytes(&[8; 32]);
        for (place, sequence) in [(2, 2), (5, 4)] {
            let mut wrong = log(4, 0);
            wrong[place] = Part::Head(note(&key, sequence, genesis(pin().signer, &[0; 32])));
            assert!(verify_with(&home, &wrong, Heads::Last).is_err(), "{place}");
        }
        let mut forged = log(4, 0);
        let Part::Event(last) = &forged[4] else {
            panic!("an event")
        };
        forged[5] = Part::Head(note(&other, 4, last.hash));
        assert!(verify_with(&home, &forged, Heads::Last).is_err());
        assert!(verify_with(&home, &log(5, 0), Heads::Last).is_err());
        let mut headless = log(4, 0);
        headless.retain(|part| matches!(part, Part::Event(_)));
        assert!(verify_with(&home, &headless, Heads::Last).is_err());
        // A part that ends before what was seen is a part of the same log.
        let mut follower = Follower::new(&home, pin(), Heads::Last).unwrap();
        for part in log(2, 0) {
            follower.take(&home, &part).unwrap();
        }
        assert_eq!(follower.finish_part().unwrap().sequence, 2);
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
