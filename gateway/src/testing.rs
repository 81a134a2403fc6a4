//! A world without sockets for tests: a `signer` that keeps a real chained and signed log in memory, a `chain` that
//! follows a script, a clock that is set, and requests as agents make them (`call`). Payments that wait: `waiting`.
//! Owners and what they sign: `owner`.

mod call;
mod chain;
mod owner;
mod signer;
mod signer_port;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;
use tower::ServiceExt as _;
use waiaas_shared::address::Account;
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AccountId, ChainId};
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient};
use waiaas_shared::request_signature::{Parameters, sign_request};
use waiaas_shared::time::WallTime;

use crate::app::{App, Parts};
use crate::chain::Landing;
use crate::chain_port::ChainPort;
use crate::clock::Clock;
use crate::database::Database;
use crate::http::guard::Guard;
use crate::http::owner::LoginOrigin;
use crate::http::router;
use crate::http::token::Tokens;
use crate::notify::Channels;
use crate::projection;
use crate::signer_client::SignerPort;

pub(crate) use call::{Call, code};
pub(crate) use chain::FakeChain;
pub(crate) use owner::{Hand, agent_id};
use signer::Inside;
pub(crate) use signer::{FakeSigner, Mood};
pub(crate) use waiting::{MINUTE, Waits, id, text};

/// 2026-11-21 00:00:00 UTC, in milliseconds.
pub(crate) const NOON: u64 = 1_795_219_200_000;
pub(crate) const SECRET: [u8; 32] = [5; 32];

pub(crate) fn session(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

/// A bearer session, one bound to [`agent`]'s key, and a second bearer session of the same wallet.
pub(crate) fn bearer() -> SessionId {
    session(1)
}
pub(crate) fn bound() -> SessionId {
    session(2)
}
pub(crate) fn other() -> SessionId {
    session(3)
}

pub(crate) fn agent() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

pub(crate) fn wallet() -> WalletId {
    WalletId::from_bytes([4; 16])
}

pub(crate) fn chain_id() -> ChainId {
    "solana:localnet".parse().expect("a cluster")
}

pub(crate) fn from_account() -> Account {
    account(11)
}

pub(crate) fn to_account() -> Account {
    account(12)
}

fn account(number: u8) -> Account {
    bs58::encode([number; 32])
        .into_string()
        .parse()
        .expect("an address")
}

fn amount(units: u128) -> Amount {
    Amount::from_base_units(units)
}

pub(crate) fn policy() -> PolicyDocument {
    PolicyDocument {
        assets: vec![AssetRule {
            per_transaction: amount(1_000_000),
            hour: amount(2_000_000),
            day: amount(2_000_000),
            week: amount(2_000_000),
            month: amount(2_000_000),
            instant_up_to: amount(100_000),
            notify_up_to: amount(1_000_000),
            delay_up_to: amount(1_000_000),
            approve_up_to: amount(1_000_000),
            fee_ceiling: Some(amount(20_000)),
            ..AssetRule::closed(
                chain_id().native_asset(),
                "SOL",
                Decimals::new(9).expect("nine"),
            )
        }],
        recipients: vec![Recipient {
            account: AccountId::new(chain_id(), to_account()).expect("of the chain"),
            name: "hosting".to_owned(),
        }],
        ..PolicyDocument::closed(1)
    }
}

/// A success.
pub(crate) fn confirmed() -> Landing {
    Landing::Confirmed {
        position: 77,
        fee: Some(amount(5000)),
    }
}

/// Everything together, the log being followed.
pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) signer: Arc<FakeSigner>,
    pub(crate) chain: Arc<FakeChain>,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) router: Router,
    feed: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.feed.abort();
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = Database::in_memory().expect("opens");
        Self::with(FakeSigner::new(), Arc::default(), database).await
    }

    /// A gateway over what an earlier one left behind.
    pub(crate) async fn with(
        signer: Arc<FakeSigner>,
        chain: Arc<FakeChain>,
        database: Database,
    ) -> Self {
        let clock = Arc::new(AtomicU64::new(NOON));
        let reading = Arc::clone(&clock);
        let clock_of_app =
            Clock::from_fn(move || WallTime::from_millis(reading.load(Ordering::SeqCst)));
        let tokens = Tokens::load(&database, clock_of_app.now())
            .await
            .expect("loads");
        let app = App::new(Parts {
            signer: Arc::clone(&signer) as Arc<dyn SignerPort>,
            chains: vec![Arc::clone(&chain) as Arc<dyn ChainPort>],
            clock: clock_of_app,
            database,
            tokens,
            login_origin: LoginOrigin::find(
                None,
                "http",
                "127.0.0.1:3100".parse().expect("an address"),
            ),
            guard: Guard::new(
                vec!["wallet.example.org".to_owned()],
                vec!["https://console.example.org".to_owned()],
            ),
            channels: Channels::default(),
            log_key: Some(signer.with(|inside| inside.public())),
        });
        let feed = tokio::spawn(projection::follow(Arc::clone(&app)));
        let router = router(Arc::clone(&app));
        let world = Self {
            app,
            signer,
            chain,
            clock,
            router,
            feed,
        };
        world
            .until(|world| world.app.feed().is_caught_up() || world.app.feed().fault().is_some())
            .await;
        world
    }

    /// Waits for something that a task brings about.
    pub(crate) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if condition(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("it never happened");
    }

    pub(crate) fn token(&self, session: SessionId) -> String {
        self.app
            .tokens
            .issue(session, self.app.clock.now())
            .expect("issued")
            .token
    }

    pub(crate) fn body(&self) -> String {
        format!(
            r#"{{"signer":"{}","wallet":"{}","network":"{}","to":"@hosting","amount_base":"5"}}"#,
            self.signer.id(),
            wallet(),
            chain_id()
        )
    }

    pub(crate) async fn call(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20)
            .await
            .expect("a body");
        let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        (status, value)
    }

    /// A payment by a bearer session.
    pub(crate) async fn pay(&self, key: &str, body: &str) -> (StatusCode, Value) {
        self.call(self.payment("/v1/transactions", bearer(), key, body))
            .await
    }

    pub(crate) fn payment(
        &self,
        target: &str,
        session: SessionId,
        key: &str,
        body: &str,
    ) -> Request<Body> {
        Call::new(Method::POST, target)
            .token(&self.token(session))
            .header("idempotency-key", key)
            .json(body)
    }

    pub(crate) async fn get(&self, target: &str, session: SessionId) -> (StatusCode, Value) {
        self.call(
            Call::new(Method::GET, target)
                .token(&self.token(session))
                .empty(),
        )
        .await
    }

    /// A request of the bound session, signed by the agent.
    pub(crate) fn signed(&self, target: &str, nonce: &str, body: &str) -> Call {
        self.signed_by(&agent(), target, nonce, body)
    }

    pub(crate) fn signed_by(
        &self,
        key: &SigningKey,
        target: &str,
        nonce: &str,
        body: &str,
    ) -> Call {
        let seconds = self.clock.load(Ordering::SeqCst) / 1000;
        let parameters =
            Parameters::new(seconds, nonce.parse().expect("a nonce"), bound()).expect("a time");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = format!("?{query}");
        let request = waiaas_shared::request_signature::Request {
            method: "POST",
            path,
            query: &query,
            body: body.as_bytes(),
            idempotency_key: "key-of-agent",
        };
        let fields =
            sign_request(&request, &parameters, |bytes| key.sign(bytes).to_bytes()).expect("plain");
        Call::new(Method::POST, target)
            .header("idempotency-key", "key-of-agent")
            .header("content-digest", &fields.content_digest)
            .header("signature-input", &fields.signature_input)
            .header("signature", &fields.signature)
    }
}
