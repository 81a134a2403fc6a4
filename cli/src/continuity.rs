//! Whether the signer's log goes on from the head that this home keeps. A newer head takes its place only
//! once the chain was followed to it, event by event: numbers say nothing, an old copy that was put back
//! grows past them. What leads elsewhere leaves the kept head as it is, for it is the only evidence.
//! Called by every command that speaks with the signer, stops excepted.

use std::time::Duration;

use waiaas_client::{AdminClient, EventPage};
use waiaas_shared::log::{Head, SignedHead, Verifier};

use crate::app::App;
use crate::failure::Failure;
use crate::home::Home;
use crate::log_reader::{PAGE_BYTES, Part, broken, ordered};
use crate::signer::failed;
use crate::witness::Pin;

/// After so many pages (16 MiB of events) a long way tells how far it is.
const PAGES_QUIET: u32 = 64;

/// Compares a signed head of this signer with the last one seen, and keeps the newer. A note that does not
/// verify, a shorter log, another of the same length, and a longer one that does not lead through the kept
/// head are refused.
pub(crate) async fn witness(
    app: &App,
    client: &AdminClient,
    pin: &Pin,
    note: &str,
) -> Result<Head, Failure> {
    let home = &app.home;
    let head = pin.verify(note)?;
    let Some(seen) = pin.last_seen(home)? else {
        pin.keep(home, note)?;
        return Ok(head);
    };
    if head == seen {
        return Ok(head);
    }
    if head.sequence <= seen.sequence {
        return Err(pin.older(home, seen, head));
    }
    let mut way = Way::new(home, *pin, seen, head);
    let mut pages = 0_u32;
    loop {
        let page = client.events(way.reached(), PAGE_BYTES, Duration::ZERO);
        let page = page.await.map_err(failed("the log cannot be read"))?;
        if way.take(page)? {
            pin.keep(home, note)?;
            return Ok(head);
        }
        pages = pages.saturating_add(1);
        if pages.is_multiple_of(PAGES_QUIET) {
            app.output.say(format!(
                "Following the log from the last head seen: event {} of {}",
                way.reached(),
                head.sequence
            ));
        }
    }
}

/// The way from the kept head to a newer one.
struct Way<'a> {
    home: &'a Home,
    pin: Pin,
    seen: Head,
    goal: Head,
    verifier: Verifier,
}

impl<'a> Way<'a> {
    const fn new(home: &'a Home, pin: Pin, seen: Head, goal: Head) -> Self {
        Self {
            home,
            pin,
            seen,
            goal,
            verifier: Verifier::after(seen, pin.log_key),
        }
    }

    /// The last event that was followed.
    const fn reached(&self) -> u64 {
        self.verifier.head().sequence
    }

    /// Follows the events of a page; whether the goal is reached. The newest signed head on the way is
    /// kept, so that a way that is broken off goes on from there.
    fn take(&mut self, page: EventPage) -> Result<bool, Failure> {
        let began = self.reached();
        let mut newest = None;
        for part in ordered(page.events, page.heads)? {
            match part {
                Part::Event(_) if self.reached() == self.goal.sequence => break,
                Part::Event(record) => self.event(record.sequence, &record.body, record.hash)?,
                Part::Head(note) => {
                    let signed: SignedHead = note.parse().map_err(broken)?;
                    if signed.head_unverified() == self.verifier.head() {
                        newest = Some(note);
                    }
                }
            }
        }
        if self.reached() == self.goal.sequence {
            return match self.verifier.head() == self.goal {
                true => Ok(true),
                false => Err(self.other()),
            };
        }
        if self.reached() == began {
            return Err(self.other());
        }
        if let Some(note) = newest {
            self.pin.keep(self.home, &note)?;
        }
        Ok(false)
    }

    fn event(
        &mut self,
        sequence: u64,
        body: &[u8],
        hash: waiaas_shared::digest::Digest,
    ) -> Result<(), Failure> {
        let first = self.verifier.head() == self.seen;
        let followed = self.verifier.event(sequence, body, hash);
        // The first event's hash is made over the kept head's: another log shows there.
        followed.map_err(|error| match first {
            true => self.other(),
            false => broken(error),
        })
    }

    fn other(&self) -> Failure {
        self.pin.older(self.home, self.seen, self.goal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_reader::tests::{log, pin};

    fn home(folder: &tempfile::TempDir) -> Home {
        let home = Home::at(folder.path().join("home")).unwrap();
        home.create().unwrap();
        home
    }

    /// A page of a log: its parts after one event, up to another.
    fn page(parts: Vec<Part>, after: u64, to: u64) -> EventPage {
        let (mut events, mut heads) = (Vec::new(), Vec::new());
        let mut last = 0;
        for part in parts {
            match part {
                Part::Event(record) => {
                    last = record.sequence;
                    if last > after && last <= to {
                        events.push(record);
                    }
                }
                Part::Head(note) if last > after && last <= to => heads.push(note),
                Part::Head(_) => {}
            }
        }
        EventPage {
            events,
            heads,
            last,
        }
    }

    /// The signed heads of a log, by their events.
    fn head(events: u8, salt: u8) -> (Head, String) {
        let newest = log(events, salt)
            .into_iter()
            .rev()
            .find_map(|part| match part {
                Part::Head(note) => Some(note),
                Part::Event(_) => None,
            });
        let note = newest.unwrap();
        (pin().verify(&note).unwrap(), note)
    }

    #[test]
    fn a_log_that_goes_on_is_followed_page_by_page() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let (seen, note) = head(2, 0);
        pin().keep(&home, &note).unwrap();
        let (goal, _) = head(8, 0);
        let mut way = Way::new(&home, pin(), seen, goal);
        assert!(!way.take(page(log(9, 0), 2, 5)).unwrap());
        // Broken off here, the next command begins at the signed head on the way.
        assert_eq!(pin().last_seen(&home).unwrap().unwrap().sequence, 4);
        assert!(!way.take(page(log(9, 0), 5, 7)).unwrap());
        // The log went on meanwhile; what is compared is the head that was shown.
        assert!(way.take(page(log(9, 0), 7, 9)).unwrap());
    }

    /// An old copy that was put back and grew past the kept head: its own head is genuine and its number
    /// higher, and still the kept one stays.
    #[test]
    fn invariant_16_a_longer_fork_never_replaces_the_kept_head() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let (seen, note) = head(4, 0);
        pin().keep(&home, &note).unwrap();
        let (goal, _) = head(8, 1);
        for to in [5, 6, 8] {
            let mut way = Way::new(&home, pin(), seen, goal);
            let refused = way.take(page(log(8, 1), 4, to)).unwrap_err();
            assert!(
                refused.human().contains("seen before"),
                "{}",
                refused.human()
            );
            assert!(refused.human().contains("event 4 was seen"));
        }
        assert_eq!(pin().kept_note(&home).unwrap(), Some(note));
    }

    /// Events that lead to another head than the one that was shown, and a log that ends before it.
    #[test]
    fn the_way_must_end_at_the_head_that_was_shown() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let (seen, note) = head(4, 0);
        pin().keep(&home, &note).unwrap();
        let (other, _) = head(8, 1);
        let mut way = Way::new(&home, pin(), seen, other);
        assert!(way.take(page(log(8, 0), 4, 8)).is_err());
        let (goal, _) = head(8, 0);
        let mut way = Way::new(&home, pin(), seen, goal);
        assert!(!way.take(page(log(8, 0), 4, 5)).unwrap());
        assert!(way.take(page(log(5, 0), 5, 5)).is_err(), "nothing more");
        // Behind the first event it is no other log, but a broken one.
        let mut way = Way::new(&home, pin(), seen, goal);
        let mut broken = page(log(8, 0), 4, 8);
        broken.events[1].body.push(0);
        let refused = way.take(broken).unwrap_err();
        assert!(refused.human().contains("does NOT verify"));
        assert_eq!(pin().kept_note(&home).unwrap(), Some(note));
    }
}
