//! Who waits to look at a transaction again, and for what: what a node's websocket tells ends a pause, and nothing
//! else. No message of a socket is believed and none is passed on: whoever was woken asks the nodes as always, so a
//! socket that lies or is silent changes when they are asked, within a bound, and never what is concluded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// What a socket can be asked to tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// Solana: a transaction's execution, once.
    Signature {
        /// Its name.
        name: [u8; 64],
        /// In a block that no fork can undo; else in one that two thirds of the stake have voted for.
        finalized: bool,
    },
    /// EVM: every new block.
    Heads,
}

/// What is waited for on one chain.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    topics: Mutex<HashMap<Topic, watch::Sender<()>>>,
    /// Changes with the set of topics.
    changes: watch::Sender<()>,
}

impl Wakes {
    /// A bell for this topic, for as long as it is kept.
    pub(super) fn on(self: &Arc<Self>, topic: Topic) -> Wake {
        let mut topics = self.topics();
        let news = !topics.contains_key(&topic);
        let rung = topics.entry(topic).or_default().subscribe();
        drop(topics);
        if news {
            self.changes.send_replace(());
        }
        Wake(Some(Bell {
            topic,
            rung,
            wakes: Arc::clone(self),
        }))
    }

    /// What somebody waits for now.
    pub(super) fn wanted(&self) -> Vec<Topic> {
        self.topics().keys().copied().collect()
    }

    /// Changes with what [`Self::wanted`] says.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Wakes whoever waits for this.
    pub(super) fn ring(&self, topic: Topic) {
        if let Some(bell) = self.topics().get(&topic) {
            bell.send_replace(());
        }
    }

    /// Wakes everybody.
    pub(super) fn ring_all(&self) {
        for bell in self.topics().values() {
            bell.send_replace(());
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, watch::Sender<()>>> {
        // Held for assignments only; no panic can happen under it.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pause that may end early.
#[derive(Debug)]
pub struct Wake(Option<Bell>);

#[derive(Debug)]
struct Bell {
    topic: Topic,
    rung: watch::Receiver<()>,
    wakes: Arc<Wakes>,
}

impl Drop for Bell {
    fn drop(&mut self) {
        let mut topics = self.wakes.topics();
        let last = topics
            .get(&self.topic)
            // This one still counts.
            .is_some_and(|bell| bell.receiver_count() <= 1);
        if last {
            topics.remove(&self.topic);
            drop(topics);
            self.wakes.changes.send_replace(());
        }
    }
}

impl Wake {
    /// Where nothing tells anything: a pause lasts as long as it lasts.
    #[must_use]
    pub const fn never() -> Self {
        Self(None)
    }

    /// Rests for this time, or until it is worth looking; says whether it was woken. However loud a socket is, a
    /// quarter of the pause is always kept: a lie costs at most four times as many questions.
    pub async fn rest(&mut self, pause: Duration) -> bool {
        self.rest_keeping(pause, pause / 4).await
    }

    /// A bell that never stops.
    #[cfg(test)]
    pub(crate) fn ringing() -> Self {
        let wakes = Arc::new(Wakes::default());
        let wake = wakes.on(Topic::Heads);
        tokio::spawn(async move {
            while !wakes.wanted().is_empty() {
                wakes.ring_all();
                sleep(Duration::from_millis(1)).await;
            }
        });
        wake
    }

    async fn rest_keeping(&mut self, pause: Duration, kept: Duration) -> bool {
        let Some(bell) = &mut self.0 else {
            sleep(pause).await;
            return false;
        };
        sleep(kept).await;
        // The sender lives as long as this bell keeps its topic.
        let rung = timeout(pause - kept, bell.rung.changed()).await;
        matches!(rung, Ok(Ok(())))
    }
}

/// The pauses between the looks at one transaction. A ring is worth two looks, the second a moment later: the node that
/// is asked may be behind the one that woke. The pause behind these is kept to its half, so that both together stay
/// within what [`Wake::rest`] promises, and a ring meanwhile waits until then.
#[derive(Debug)]
pub struct Pauses {
    wake: Wake,
    next: Next,
}

/// What the next pause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The schedule's, with nothing behind it.
    Scheduled,
    /// The moment between the two looks.
    Moment,
    /// The schedule's, after two looks.
    AfterTwo,
}

impl Pauses {
    /// Pauses that this bell shortens.
    #[must_use]
    pub const fn new(wake: Wake) -> Self {
        Self {
            wake,
            next: Next::Scheduled,
        }
    }

    /// Rests for a pause of the schedule, or less.
    pub async fn rest(&mut self, pause: Duration, moment: Duration) {
        let kept = match self.next {
            Next::Scheduled => pause / 4,
            Next::AfterTwo => pause / 2,
            Next::Moment => {
                self.next = Next::AfterTwo;
                sleep(pause.min(moment)).await;
                return;
            }
        };
        let woken = self.wake.rest_keeping(pause, kept).await;
        self.next = if woken { Next::Moment } else { Next::Scheduled };
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const SIGNATURE: Topic = Topic::Signature {
        name: [7; 64],
        finalized: false,
    };
    const PAUSE: Duration = Duration::from_secs(4);

    #[tokio::test(start_paused = true)]
    async fn a_bell_ends_a_pause_and_never_all_of_it() {
        let wakes = Arc::new(Wakes::default());
        let mut wake = wakes.on(SIGNATURE);
        let started = Instant::now();
        assert!(!wake.rest(PAUSE).await);
        assert_eq!(started.elapsed(), PAUSE);
        // Rung before anybody listens, any number of times: one pause is a quarter as long.
        let started = Instant::now();
        for _ in 0..1000 {
            wakes.ring(SIGNATURE);
        }
        wakes.ring(Topic::Heads);
        assert!(wake.rest(PAUSE).await);
        assert_eq!(started.elapsed(), PAUSE / 4);
        assert!(!wake.rest(PAUSE).await);
        assert_eq!(started.elapsed(), PAUSE / 4 + PAUSE);
        let started = Instant::now();
        let mut never = Wake::never();
        assert!(!never.rest(PAUSE).await);
        assert_eq!(started.elapsed(), PAUSE);
    }

    /// How many looks there are in an hour of these pauses; between two, the bell is rung if it is asked for.
    async fn looks(pauses: &mut Pauses, pause: Duration, moment: Duration, ring: bool) -> u32 {
        let (started, mut looks) = (Instant::now(), 0);
        while started.elapsed() < Duration::from_secs(3600) {
            if ring && let Wake(Some(bell)) = &pauses.wake {
                bell.wakes.ring(bell.topic);
            }
            pauses.rest(pause, moment).await;
            looks += 1;
        }
        looks
    }

    #[tokio::test(start_paused = true)]
    async fn a_bell_that_always_rings_costs_four_times_as_many_looks_at_most() {
        let moment = Duration::from_millis(500);
        for pause in [
            Duration::from_secs(60),
            Duration::from_secs(2),
            moment,
            moment / 2,
        ] {
            let wakes = Arc::new(Wakes::default());
            let mut pauses = Pauses::new(wakes.on(Topic::Heads));
            let quiet = looks(&mut pauses, pause, moment, false).await;
            // Timers go by whole milliseconds.
            let scheduled = 3_600_000 / pause.as_millis();
            assert!(
                (scheduled * 99 / 100..=scheduled).contains(&u128::from(quiet)),
                "{pause:?}: {quiet}"
            );
            let loud = looks(&mut pauses, pause, moment, true).await;
            assert!(loud > quiet, "{pause:?}: {loud}");
            assert!(loud <= 4 * quiet + 1, "{pause:?}: {loud} for {quiet}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_ring_is_worth_two_looks_and_none_is_lost() {
        let wakes = Arc::new(Wakes::default());
        let mut pauses = Pauses::new(wakes.on(SIGNATURE));
        let moment = PAUSE / 8;
        wakes.ring(SIGNATURE);
        let mut rest = async |ring: bool| {
            let started = Instant::now();
            if ring {
                wakes.ring(SIGNATURE);
            }
            pauses.rest(PAUSE, moment).await;
            started.elapsed()
        };
        assert_eq!(rest(false).await, PAUSE / 4);
        assert_eq!(rest(true).await, moment);
        assert_eq!(rest(false).await, PAUSE / 2);
        assert_eq!(rest(false).await, moment);
        assert_eq!(rest(false).await, PAUSE);
        assert_eq!(rest(true).await, PAUSE / 4);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_wanted() {
        let wakes = Arc::new(Wakes::default());
        let mut changes = wakes.changes();
        let one = wakes.on(Topic::Heads);
        let other = wakes.on(Topic::Heads);
        assert_eq!(wakes.wanted(), [Topic::Heads]);
        assert!(changes.has_changed().expect("its sender lives"));
        changes.mark_unchanged();
        drop(one);
        assert_eq!(wakes.wanted(), [Topic::Heads]);
        assert!(!changes.has_changed().expect("its sender lives"));
        drop(other);
        assert_eq!(wakes.wanted(), []);
        assert!(changes.has_changed().expect("its sender lives"));
    }
}
