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
        let Some(bell) = &mut self.0 else {
            sleep(pause).await;
            return false;
        };
        sleep(pause / 4).await;
        // The sender lives as long as this bell keeps its topic.
        let rung = timeout(pause - pause / 4, bell.rung.changed()).await;
        matches!(rung, Ok(Ok(())))
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
