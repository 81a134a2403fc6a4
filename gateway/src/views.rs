//! What the gateway remembers of the signer's state, so that a payment needs one call: wallets,
//! binding policy documents, session grants. Forgotten when the event feed says so and after some
//! seconds in any case. Never authoritative: the signer judges by its own state.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::session::SessionGrant;
use waiaas_shared::time::WallTime;
use waiaas_shared::view::{SessionState, WalletView};

use crate::signer_client::{SignerError, SignerPort};

/// The event feed tells of every change; this bounds the harm of a feed that stands still.
const LASTS: Duration = Duration::from_secs(10);
/// A document stops binding with time, without an event.
const POLICY_LASTS: Duration = Duration::from_secs(2);
/// Sessions remembered at once.
const SESSIONS: usize = 4096;

/// A session as far as the gateway needs it for each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSession {
    /// Which.
    pub id: SessionId,
    /// Its constraints and credential.
    pub grant: SessionGrant,
    /// Whether it could be used when it was read.
    pub state: SessionState,
    /// When it ends unless it is renewed.
    pub ends: WallTime,
}

/// Every wallet, in the signer's order.
pub type Wallets = Arc<Vec<WalletView>>;
/// Every binding document, oldest first.
pub type Documents = Arc<Vec<PolicyDocument>>;

/// The memory.
#[derive(Debug, Default)]
pub struct Views {
    /// Raised by everything that is forgotten: an answer that was asked for before is not kept.
    generation: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    sessions: HashMap<SessionId, (Instant, Arc<KnownSession>)>,
    wallets: Option<(Instant, Wallets)>,
    policy: Option<(Instant, Documents)>,
}

/// What an event makes stale.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stale {
    /// Every session.
    pub all_sessions: bool,
    /// These sessions.
    pub sessions: Vec<SessionId>,
    /// Wallets.
    pub wallets: bool,
    /// Policy documents.
    pub policy: bool,
}

impl Stale {
    /// Everything, after the connection was lost.
    #[must_use]
    pub const fn everything() -> Self {
        Self {
            all_sessions: true,
            sessions: Vec::new(),
            wallets: true,
            policy: true,
        }
    }

    /// Whether nothing is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Views {
    /// Forgets.
    pub fn forget(&self, stale: &Stale) {
        if stale.is_nothing() {
            return;
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.with(|kept| {
            if stale.all_sessions {
                kept.sessions.clear();
            }
            for session in &stale.sessions {
                kept.sessions.remove(session);
            }
            if stale.wallets {
                kept.wallets = None;
            }
            if stale.policy {
                kept.policy = None;
            }
        });
    }

    /// A session; none if the signer knows none.
    ///
    /// # Errors
    /// [`SignerError`] if it has to be asked for and is not told.
    pub async fn session(
        &self,
        signer: &dyn SignerPort,
        id: SessionId,
    ) -> Result<Option<Arc<KnownSession>>, SignerError> {
        if let Some(known) = self.with(|kept| fresh(kept.sessions.get(&id), LASTS)) {
            return Ok(Some(known));
        }
        let generation = self.generation.load(Ordering::SeqCst);
        let Some(view) = signer.remaining(id).await? else {
            return Ok(None);
        };
        let known = Arc::new(KnownSession {
            id,
            grant: view.grant,
            state: view.state,
            ends: view.ends,
        });
        self.keep(generation, |kept| {
            if kept.sessions.len() >= SESSIONS {
                kept.sessions.clear();
            }
            kept.sessions
                .insert(id, (Instant::now(), Arc::clone(&known)));
        });
        Ok(Some(known))
    }

    /// Every wallet.
    ///
    /// # Errors
    /// [`SignerError`].
    pub async fn wallets(&self, signer: &dyn SignerPort) -> Result<Wallets, SignerError> {
        if let Some(wallets) = self.with(|kept| fresh(kept.wallets.as_ref(), LASTS)) {
            return Ok(wallets);
        }
        let generation = self.generation.load(Ordering::SeqCst);
        let wallets = Arc::new(signer.wallets().await?);
        self.keep(generation, |kept| {
            kept.wallets = Some((Instant::now(), Arc::clone(&wallets)))
        });
        Ok(wallets)
    }

    /// One wallet.
    ///
    /// # Errors
    /// [`SignerError`].
    pub async fn wallet(
        &self,
        signer: &dyn SignerPort,
        id: WalletId,
    ) -> Result<Option<WalletView>, SignerError> {
        let wallets = self.wallets(signer).await?;
        Ok(wallets.iter().find(|wallet| wallet.wallet == id).cloned())
    }

    /// The binding documents.
    ///
    /// # Errors
    /// [`SignerError`].
    pub async fn policy(&self, signer: &dyn SignerPort) -> Result<Documents, SignerError> {
        if let Some(documents) = self.with(|kept| fresh(kept.policy.as_ref(), POLICY_LASTS)) {
            return Ok(documents);
        }
        let generation = self.generation.load(Ordering::SeqCst);
        let documents = Arc::new(signer.policy().await?);
        self.keep(generation, |kept| {
            kept.policy = Some((Instant::now(), Arc::clone(&documents)))
        });
        Ok(documents)
    }

    fn keep(&self, generation: u64, keep: impl FnOnce(&mut Kept)) {
        self.with(|kept| {
            if self.generation.load(Ordering::SeqCst) == generation {
                keep(kept);
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn fresh<T>(kept: Option<&(Instant, Arc<T>)>, lasts: Duration) -> Option<Arc<T>> {
    kept.filter(|(since, _)| since.elapsed() < lasts)
        .map(|(_, value)| Arc::clone(value))
}
