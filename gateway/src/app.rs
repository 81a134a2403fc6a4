//! What all requests and tasks share. Made once by `start` (and by tests with a fake signer and fake
//! chains); holds no key and no decision.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use waiaas_shared::caip::ChainId;
use waiaas_shared::ids::SignerId;

use crate::chain_port::ChainPort;
use crate::clock::Clock;
use crate::database::Database;
use crate::http::guard::Guard;
use crate::http::owner::{LoginOrigin, OwnerDesk};
use crate::http::token::Tokens;
use crate::notify::Channels;
use crate::pipeline::Refusal;
use crate::pipeline::confirm::Tracker;
use crate::projection::{self, FeedState};
use crate::signer_client::SignerPort;
use crate::views::Views;

/// How long a reader waits for the projection to take an event that was told of already.
const CATCH_UP: Duration = Duration::from_secs(3);

/// The shared parts.
#[derive(Debug)]
pub struct App {
    /// The signer.
    pub signer: Arc<dyn SignerPort>,
    /// The configured chains.
    pub chains: BTreeMap<ChainId, Arc<dyn ChainPort>>,
    /// The wall clock.
    pub clock: Clock,
    /// `gateway.db`.
    pub database: Database,
    /// Secrets of session tokens.
    pub tokens: Tokens,
    /// What is remembered of the signer.
    pub views: Views,
    /// Payments under way.
    pub tracker: Tracker,
    /// Logins of owners, and what their routes remember.
    pub owners: OwnerDesk,
    /// Which requests are let in at all.
    pub guard: Guard,
    /// Where owners are told.
    pub channels: Arc<Channels>,
    /// The pinned public half of the log key.
    pub log_key: Option<[u8; 32]>,
    feed: watch::Sender<FeedState>,
    known_signer: RwLock<Option<SignerId>>,
    rebuilt_through: AtomicU64,
}

/// What is needed to make an [`App`].
#[derive(Debug)]
pub struct Parts {
    /// The signer.
    pub signer: Arc<dyn SignerPort>,
    /// The configured chains.
    pub chains: Vec<Arc<dyn ChainPort>>,
    /// The wall clock.
    pub clock: Clock,
    /// `gateway.db`.
    pub database: Database,
    /// Secrets of session tokens.
    pub tokens: Tokens,
    /// Where owners log in; none: nobody can.
    pub login_origin: Option<LoginOrigin>,
    /// Which requests are let in at all.
    pub guard: Guard,
    /// Where owners are told.
    pub channels: Channels,
    /// The pinned public half of the log key.
    pub log_key: Option<[u8; 32]>,
}

impl App {
    /// Puts the parts together; starts nothing.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            signer: parts.signer,
            chains: parts
                .chains
                .into_iter()
                .map(|chain| (chain.id(), chain))
                .collect(),
            clock: parts.clock,
            database: parts.database,
            tokens: parts.tokens,
            views: Views::default(),
            tracker: Tracker::default(),
            owners: OwnerDesk::new(parts.login_origin),
            guard: parts.guard,
            channels: Arc::new(parts.channels),
            log_key: parts.log_key,
            feed: projection::channel(),
            known_signer: RwLock::new(None),
            rebuilt_through: AtomicU64::new(u64::MAX),
        })
    }

    /// A configured chain.
    ///
    /// # Errors
    /// [`Refusal::ChainNotConfigured`].
    pub fn chain(&self, id: ChainId) -> Result<Arc<dyn ChainPort>, Refusal> {
        self.chains
            .get(&id)
            .map(Arc::clone)
            .ok_or(Refusal::ChainNotConfigured(id))
    }

    /// How the log is being followed.
    #[must_use]
    pub fn feed(&self) -> FeedState {
        *self.feed.borrow()
    }

    pub(crate) fn set_feed(&self, change: impl FnOnce(&mut FeedState)) {
        self.feed.send_modify(change);
    }

    /// Refuses if the log is not the one that was seen before.
    ///
    /// # Errors
    /// [`Refusal::Log`].
    pub fn require_sound_log(&self) -> Result<(), Refusal> {
        self.feed()
            .fault()
            .map_or(Ok(()), |fault| Err(Refusal::Log(fault)))
    }

    /// Waits until the projection has taken an event.
    ///
    /// # Errors
    /// [`Refusal::Behind`] if it does not in time.
    pub async fn caught_up(&self, sequence: u64) -> Result<(), Refusal> {
        let mut feed = self.feed.subscribe();
        let reached = feed.wait_for(|feed| feed.sequence >= sequence);
        match tokio::time::timeout(CATCH_UP, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Refusal::Behind),
        }
    }

    /// Waits until the projection has taken everything that the signer told of, from a sound log.
    pub async fn up_to_date(&self) {
        let mut feed = self.feed.subscribe();
        // It cannot close: its sender lives as long as this.
        let _ = feed.wait_for(FeedState::is_caught_up).await;
    }

    /// The signer, once it has told its name.
    #[must_use]
    pub fn known_signer(&self) -> Option<SignerId> {
        *self
            .known_signer
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn know_signer(&self, cursor: &projection::store::Cursor) {
        let mut known = self
            .known_signer
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Some(cursor.signer);
        self.rebuilt_through
            .store(cursor.rebuilt_through, Ordering::SeqCst);
    }

    /// Whether `gateway.db` has always known of this event: then it also knows whether its payment was
    /// sent.
    #[must_use]
    pub fn has_always_known(&self, sequence: u64) -> bool {
        sequence > self.rebuilt_through.load(Ordering::SeqCst)
    }
}
