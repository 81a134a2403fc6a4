//! A served socket with an authority made of a closure, and sample values.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use waiaas_client::{AdminSocket, Client, ClientError, GatewaySocket, SpendRequest};
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, Family};
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::ids::{OwnerId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::time::Millis;
use waiaas_shared::view::{FormerKey, WalletView};

use super::super::*;
use crate::authority::ask::{Ask, Signed};

/// A served socket with an authority made of a closure.
pub(super) struct Rig {
    pub(super) folder: tempfile::TempDir,
    pub(super) lanes: Lanes,
    pub(super) sequence: watch::Sender<u64>,
    pub(super) arena: SecretArena,
    pub(super) stop: Arc<AtomicBool>,
}

impl Rig {
    pub(super) fn new(role: Role, mut answer: impl FnMut(Ask) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let (sequence, last_sequence) = watch::channel(0);
        let (lanes, arena) = (Lanes::default(), SecretArena::new(16 * 1024).unwrap());
        let channels = Channels {
            lanes: lanes.clone(),
            last_sequence,
            arena: arena.clone(),
        };
        let peers = PeerPolicy {
            allowed_uids: vec![nix::unistd::geteuid().as_raw()],
            claim_holds: true,
        };
        let serve_for_ever =
            move || serve(prepare(listener, role, channels, peers).unwrap(), lines());
        std::thread::Builder::new().spawn(serve_for_ever).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (inbox, stopped) = (lanes.clone(), Arc::clone(&stop));
        let work = move || {
            while !stopped.load(Ordering::Relaxed) {
                let taken = inbox.take(Instant::now() + Duration::from_millis(20));
                taken
                    .urgent
                    .into_iter()
                    .chain(taken.reads)
                    .chain(taken.commands)
                    .for_each(&mut answer);
            }
        };
        std::thread::Builder::new().spawn(work).unwrap();
        Self {
            folder,
            lanes,
            sequence,
            arena,
            stop,
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(super) fn with<S: waiaas_client::Socket>(&self, test: impl AsyncFnOnce(Client<S>)) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let path = self.path();
        LocalSet::new().block_on(&runtime, async move {
            test(Client::connect(&path).await.unwrap()).await
        });
    }

    pub(super) fn gateway(&self, test: impl AsyncFnOnce(Client<GatewaySocket>)) {
        self.with(test);
    }

    pub(super) fn admin(&self, test: impl AsyncFnOnce(Client<AdminSocket>)) {
        self.with(test);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

pub(super) fn lines() -> Vec<String> {
    vec!["secrets in memfd_secret".to_owned(), "MDWE on".to_owned()]
}

pub(super) fn denial() -> Denial {
    let asset: AssetId = "solana:localnet/slip44:501".parse().unwrap();
    let limit = Violation {
        retry_after: Some(Millis::from_millis(1234)),
        ..Violation::limit(
            Code::DayLimit,
            asset,
            Amount::MAX,
            Amount::from_base_units(7),
        )
    };
    let other = Violation {
        argument: Some(3),
        ..Violation::of(Code::CallArgumentValue)
    };
    Denial::from_violations(vec![limit, Violation::of(Code::RecipientNotListed), other]).unwrap()
}

pub(super) fn denied<T: std::fmt::Debug>(result: waiaas_client::Result<T>) -> Denial {
    match result {
        Err(ClientError::Denied(denial)) => denial,
        other => panic!("{other:?}"),
    }
}

pub(super) fn code(code: Code) -> Denial {
    code.into()
}

pub(super) fn wallet() -> WalletView {
    WalletView {
        wallet: WalletId::from_bytes([1; 16]),
        path: KeyPath {
            family: Family::Solana,
            index: 3,
        },
        account: account(),
        networks: vec!["solana:localnet".parse().unwrap()],
        paused: true,
        nonces: Vec::new(),
        closed: true,
        former: vec![FormerKey {
            path: KeyPath {
                family: Family::Solana,
                index: 2,
            },
            account: account(),
            nonces: Vec::new(),
        }],
    }
}

pub(super) fn account() -> Account {
    "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
        .parse()
        .unwrap()
}

pub(super) fn signed() -> Signed {
    Signed {
        transaction: TransactionId::from_bytes([5; 16]),
        sequence: 42,
        raw: vec![1; 300],
        chain_transaction: "5sig".to_owned(),
        tier: Tier::Notify,
        replay: true,
    }
}

pub(super) fn spend() -> SpendRequest {
    SpendRequest {
        session: SessionId::from_bytes([2; 16]),
        method: "POST".to_owned(),
        path: "/v1/transactions".to_owned(),
        query: "?a=b".to_owned(),
        idempotency_key: "order-1".to_owned(),
        body: b"{\"a\":1}".to_vec(),
        signature_input: "sig1=()".to_owned(),
        signature: "sig1=:AAAA:".to_owned(),
        unsigned: vec![9; 200],
    }
}

pub(super) fn signature() -> OwnerSignature {
    OwnerSignature {
        owner: OwnerId::from_bytes([8; 16]),
        envelope: Envelope::Ed25519OffchainV0,
        signature: vec![6; 64],
    }
}

pub(super) const STATEMENT: StatementId = StatementId::from_bytes([4; 16]);

/// Each method answers once as wanted, once with a refusal.
pub(super) fn alternating() -> impl FnMut() -> bool {
    let mut refuse = true;
    move || {
        refuse = !refuse;
        refuse
    }
}
