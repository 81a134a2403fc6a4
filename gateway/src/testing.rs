//! A world without sockets for tests: a signer that keeps a real chained and signed log in memory, a
//! chain that follows a script, a clock that is set, and requests as agents make them.

mod waiting;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use ed25519_dalek::{Signer as _, SigningKey};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Notify;
use tower::ServiceExt as _;
use waiaas_client::{
    EventPage, EventRecord, Paid, Renewed, SessionRequest, SignedLogin, SignedPayment,
    SignedTransfer, SignerStatus, SpendRequest, WouldAllow,
};
use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::authorization::{TokenDomain, TransferAuthorization};
use waiaas_shared::caip::{AccountId, AssetId, ChainId, Family};
use waiaas_shared::claim::Claim;
use waiaas_shared::codec::to_canonical;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::{Charge, Event, EventBody, Origin, Replaces, Spend};
use waiaas_shared::evm::{Form, NetworkTerms};
use waiaas_shared::ids::{MessageId, SessionId, SignerId, TransactionId, WalletId};
use waiaas_shared::intent::{IntentEnd, IntentView};
use waiaas_shared::keys::{AgentKey, KeyPath};
use waiaas_shared::log::{Head, SignedHead, genesis, link};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request::{Speed, Transfer, TransferRequest};
use waiaas_shared::request_signature::{self, Parameters, SignedRequest, sign_request};
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit, SessionUsage};
use waiaas_shared::time::{Clocks, RunTime, WallTime};
use waiaas_shared::transaction::{EvmFees, Known, decode};
use waiaas_shared::view::{SessionState, SessionView, WalletView};

use crate::app::{App, Parts};
use crate::chain::tracker::Pace;
use crate::chain::{
    ChainError, ChainText, ChainTransactionId, Cursors, EndpointHealth, FeeEstimate, FeeMarket,
    Health, Landing, Offer, Prepared, RpcError, Seen, Sent, TokenBalance, TokenFacts, UnitPrice,
    Validity, Watched,
};
use crate::chain_port::ChainPort;
use crate::clock::Clock;
use crate::database::Database;
use crate::http::guard::Guard;
use crate::http::router;
use crate::http::token::Tokens;
use crate::projection;
use crate::signer_client::{Answer, NoConnection, SignerError, SignerPort};
use waiting::Kept;
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

fn view(id: SessionId, credential: Credential) -> SessionView {
    SessionView {
        session: id,
        grant: SessionGrant {
            wallets: vec![wallet()],
            limits: vec![SessionLimit {
                asset: chain_id().native_asset(),
                per_transaction: amount(1_000_000),
                total: amount(5_000_000),
            }],
            count: 100,
            expires: WallTime::from_millis(NOON + 30 * 24 * 3_600_000),
            credential,
            recipients: None,
            operations: None,
            renewal: None,
            agent: None,
        },
        usage: SessionUsage::default(),
        state: SessionState::Active,
        remaining: Vec::new(),
        ends: WallTime::from_millis(NOON + 30 * 24 * 3_600_000),
        renewals: 0,
        stage: None,
    }
}

/// How the signer behaves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    #[default]
    Fine,
    Down,
    /// Commits, and the connection ends before the answer.
    DiesAfterCommit,
    Denies(Denial),
}

#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) id: SignerId,
    pub(crate) log_key: SigningKey,
    pub(crate) mood: Mood,
    pub(crate) sessions: HashMap<SessionId, SessionView>,
    pub(crate) documents: Vec<PolicyDocument>,
    pub(crate) events: Vec<EventRecord>,
    heads: Vec<SignedHead>,
    spends: HashMap<Digest, SignedPayment>,
    bodies: HashMap<Digest, Digest>,
    pub(crate) calls: Vec<&'static str>,
    pub(crate) signed: Vec<SpendRequest>,
    pub(crate) renewals: Vec<SessionRequest>,
    pub(crate) logins: Vec<SessionRequest>,
    pub(crate) authorizations: Vec<SessionRequest>,
    /// What the payments asked for from now on wait for.
    pub(crate) waits: Waits,
    /// Milliseconds of the DELAY clock.
    pub(crate) run: u64,
    pub(crate) kept: Vec<Kept>,
}

#[derive(Debug)]
pub(crate) struct FakeSigner {
    inside: Mutex<Inside>,
    news: Arc<Notify>,
}

impl FakeSigner {
    fn new() -> Arc<Self> {
        let secret = hash(Domain::SessionSecret, &[&SECRET]);
        let key = AgentKey::from_bytes(agent().verifying_key().to_bytes());
        let sessions = [
            view(bearer(), Credential::Bearer(secret)),
            view(bound(), Credential::AgentKey(key)),
            view(other(), Credential::Bearer(secret)),
        ];
        let signer = Self {
            inside: Mutex::new(Inside {
                id: SignerId::from_bytes([8; 16]),
                log_key: SigningKey::from_bytes(&[7; 32]),
                mood: Mood::Fine,
                sessions: sessions.map(|view| (view.session, view)).into(),
                documents: vec![policy()],
                events: Vec::new(),
                heads: Vec::new(),
                spends: HashMap::new(),
                bodies: HashMap::new(),
                calls: Vec::new(),
                signed: Vec::new(),
                renewals: Vec::new(),
                logins: Vec::new(),
                authorizations: Vec::new(),
                waits: Waits::default(),
                run: 0,
                kept: Vec::new(),
            }),
            news: Arc::new(Notify::new()),
        };
        let id = signer.with(|inside| inside.id);
        signer.append(EventBody::Created { signer: id });
        Arc::new(signer)
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Inside) -> T) -> T {
        act(&mut self.inside.lock().expect("no panic under it"))
    }

    pub(crate) fn id(&self) -> SignerId {
        self.with(|inside| inside.id)
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.with(|inside| inside.mood = mood);
        self.news.notify_waiters();
    }

    pub(crate) fn count(&self, call: &str) -> usize {
        self.with(|inside| inside.calls.iter().filter(|known| **known == call).count())
    }

    pub(crate) fn append(&self, body: EventBody) -> u64 {
        let sequence = self.with(|inside| inside.append(body));
        self.news.notify_waiters();
        sequence
    }

    /// Throws the newest events away, as a restored older log would.
    pub(crate) fn roll_back_to(&self, sequence: usize) {
        self.with(|inside| {
            inside.events.truncate(sequence);
            inside.heads.truncate(sequence);
        });
        self.news.notify_waiters();
    }

    fn answer<T: Send + 'static>(
        &self,
        call: &'static str,
        act: impl FnOnce(&mut Inside) -> Result<T, SignerError>,
    ) -> Answer<T> {
        let answer = self.with(|inside| {
            inside.calls.push(call);
            match inside.mood {
                Mood::Down => Err(SignerError::Unreachable(NoConnection::NobodyListens)),
                _ => act(inside),
            }
        });
        Box::pin(std::future::ready(answer))
    }

    fn tightening(&self, call: &'static str, body: EventBody) -> Answer<u64> {
        let answer = self.answer(call, |inside| Ok(inside.append(body)));
        self.news.notify_waiters();
        answer
    }
}

impl Inside {
    fn public(&self) -> [u8; 32] {
        self.log_key.verifying_key().to_bytes()
    }

    /// Wall and DELAY clock go alike.
    fn clocks(&self) -> Clocks {
        Clocks {
            wall: WallTime::from_millis(NOON + self.run),
            run: RunTime::from_millis(self.run),
            ..Clocks::default()
        }
    }

    fn append(&mut self, body: EventBody) -> u64 {
        let clocks = self.clocks();
        let body = to_canonical(&Event { clocks, body });
        let previous = self
            .events
            .last()
            .map_or_else(|| genesis(self.id, &self.public()), |event| event.hash);
        let sequence = self.events.len() as u64 + 1;
        let hash = link(previous, sequence, &body);
        self.events.push(EventRecord {
            sequence,
            body,
            hash,
        });
        let head = Head {
            signer: self.id,
            sequence,
            hash,
        };
        let signature = self.log_key.sign(head.note_text().as_bytes()).to_bytes();
        self.heads
            .push(SignedHead::new(head, &self.public(), signature));
        sequence
    }

    fn owner(&self, request: &SpendRequest) -> Digest {
        let key = self.sessions[&request.session].grant.credential;
        let owner = match &key {
            Credential::AgentKey(key) => key.as_bytes().to_vec(),
            Credential::Bearer(_) => request.session.as_bytes().to_vec(),
        };
        hash(
            Domain::Idempotency,
            &[&owner, request.idempotency_key.as_bytes()],
        )
    }

    fn spend(&mut self, request: SpendRequest) -> Result<Paid, SignerError> {
        if let Mood::Denies(denial) = &self.mood {
            return Err(SignerError::Denied(denial.clone()));
        }
        let body = TransferRequest::parse(&request.body).map_err(SignerError::from)?;
        self.verify(&request)?;
        let idempotency = self.owner(&request);
        let digest = hash(Domain::RequestBody, &[&request.body]);
        if let Some(earlier) = self.spends.get(&idempotency) {
            if self.bodies[&idempotency] != digest {
                return Err(Code::IdempotencyConflict.into());
            }
            return Ok(Paid::Signed(SignedPayment {
                replay: true,
                ..earlier.clone()
            }));
        }
        if let Some(answer) = self.waiting(&request, &body, idempotency, digest) {
            return answer;
        }
        let transaction = self.name();
        let spend = Spend {
            transaction,
            session: Some(request.session),
            wallet: body.wallet,
            chain: body.network,
            unsigned: request.unsigned.clone(),
            effects: Vec::new(),
            charges: Vec::new(),
            tier: Tier::Instant,
            policy_epoch: 1,
            nonce: None,
            idempotency,
            body: digest,
            kept_until: WallTime::from_millis(u64::MAX),
            request_nonce: None,
            submit: body.submit,
            from: None,
            fee_ceiling: None,
            replaces: body.replaces.map(|transaction| Replaces {
                transaction,
                tries: 1,
            }),
            waited: None,
            memo: None,
        };
        self.signed.push(request);
        self.commit(spend).map(Paid::Signed)
    }

    /// As the signer does: the agent signed the request, where its session is bound to a key.
    fn verify(&self, request: &SpendRequest) -> Result<(), SignerError> {
        let Credential::AgentKey(key) = &self.sessions[&request.session].grant.credential else {
            return Ok(());
        };
        let signed = SignedRequest {
            request: request_signature::Request {
                method: &request.method,
                path: &request.path,
                query: &request.query,
                body: &request.body,
                idempotency_key: &request.idempotency_key,
            },
            signature_input: &request.signature_input,
            signature: &request.signature,
        };
        match request_signature::verify(&signed, key) {
            Ok(_) => Ok(()),
            Err(_) => Err(Code::RequestSignatureInvalid.into()),
        }
    }

    /// A name for a new payment.
    fn name(&self) -> TransactionId {
        let number = u8::try_from(self.events.len()).expect("a short test");
        TransactionId::from_bytes([number; 16])
    }

    /// Charges and signs what these bytes do.
    fn commit(&mut self, spend: Spend) -> Result<SignedPayment, SignerError> {
        let tables = self.documents.last().expect("a policy");
        let tables = tables.lookup_tables(spend.chain);
        let known = Known::NOTHING.sponsored(true).looking_up(&tables);
        let decoded =
            decode(spend.chain, from_account(), &spend.unsigned, known).expect("decodable");
        let spend = Spend {
            effects: decoded.effects().to_vec(),
            memo: decoded.memo().cloned(),
            charges: vec![Charge {
                asset: spend.chain.native_asset(),
                amount: amount(1),
            }],
            ..spend
        };
        let signature = [u8::try_from(self.events.len()).expect("a short test"); 64];
        let (raw, chain_transaction) = if decoded.is_sponsored() {
            let signatures = [[0; 64], signature].concat();
            (
                [&[2][..], &signatures, &spend.unsigned].concat(),
                String::new(),
            )
        } else {
            let raw = [&[1][..], &signature, &spend.unsigned].concat();
            (raw, bs58::encode(signature).into_string())
        };
        let (transaction, tier, key, digest) =
            (spend.transaction, spend.tier, spend.idempotency, spend.body);
        let sequence = self.append(EventBody::SpendCommitted(spend));
        let payment = SignedPayment {
            transaction,
            sequence,
            raw,
            chain_transaction,
            tier,
            replay: false,
        };
        self.spends.insert(key, payment.clone());
        self.bodies.insert(key, digest);
        if self.mood == Mood::DiesAfterCommit {
            self.mood = Mood::Down;
            return Err(SignerError::Interrupted);
        }
        Ok(payment)
    }
}

impl SignerPort for FakeSigner {
    fn status(&self) -> Answer<SignerStatus> {
        self.answer("status", |inside| {
            Ok(SignerStatus {
                signer: Some(inside.id),
                unlocked: inside.mood == Mood::Fine,
                kill: "NORMAL".to_owned(),
                kill_epoch: 0,
                frozen: false,
                clock_closed: false,
                policy_epoch: 1,
                sequence: inside.events.len() as u64,
                head: inside
                    .heads
                    .last()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                sandbox: Vec::new(),
                claim_holds: false,
                unlock_failures: 0,
                version: "test".to_owned(),
                retired: false,
                owner_changes: 0,
                dead_man_left: None,
                dead_man_paused: false,
                suspended_sessions: 0,
                frozen_by: Vec::new(),
            })
        })
    }

    fn events(&self, after: u64, _: u32, wait: Duration) -> Answer<EventPage> {
        let page = |inside: &mut Inside| EventPage {
            events: inside
                .events
                .iter()
                .skip(usize::try_from(after).expect("a short test"))
                .cloned()
                .collect(),
            heads: inside
                .heads
                .iter()
                .skip(usize::try_from(after).expect("a short test"))
                .map(ToString::to_string)
                .collect(),
            last: inside.events.len() as u64,
        };
        let news = Arc::clone(&self.news);
        let now = self.with(|inside| match inside.mood {
            Mood::Down => Err(SignerError::Unreachable(NoConnection::NobodyListens)),
            _ => Ok(page(inside)),
        });
        Box::pin(async move {
            let now = now?;
            if now.events.is_empty() && now.last == after {
                // Whoever asks again sees what is new by then.
                let _ = tokio::time::timeout(wait.min(Duration::from_millis(20)), news.notified())
                    .await;
            }
            Ok(now)
        })
    }

    fn remaining(&self, session: SessionId) -> Answer<Option<SessionView>> {
        self.answer("remaining", |inside| {
            Ok(inside.sessions.get(&session).cloned())
        })
    }

    fn wallets(&self) -> Answer<Vec<WalletView>> {
        self.answer("wallets", |_| {
            let view = |id, account| WalletView {
                wallet: id,
                path: KeyPath {
                    family: Family::Solana,
                    index: 0,
                },
                account,
                networks: vec![chain_id()],
                paused: false,
                nonces: Vec::new(),
                closed: false,
                former: Vec::new(),
            };
            let foreign = WalletId::from_bytes([6; 16]);
            Ok(vec![
                view(wallet(), from_account()),
                view(foreign, account(13)),
            ])
        })
    }

    fn policy(&self) -> Answer<Vec<PolicyDocument>> {
        self.answer("policy", |inside| Ok(inside.documents.clone()))
    }

    fn decide(&self, spend: SpendRequest) -> Answer<WouldAllow> {
        self.answer("decide", |inside| match &inside.mood {
            Mood::Denies(denial) => Err(SignerError::Denied(denial.clone())),
            _ => {
                let body = TransferRequest::parse(&spend.body).map_err(SignerError::from)?;
                let known = Known::NOTHING.sponsored(body.brought.is_some());
                let decoded = decode(body.network, from_account(), &spend.unsigned, known)
                    .expect("decodable");
                Ok(WouldAllow {
                    tier: Tier::Instant,
                    fee: decoded.fee_max(),
                })
            }
        })
    }

    fn sign(&self, spend: SpendRequest) -> Answer<Paid> {
        let answer = self.answer("sign", |inside| inside.spend(spend));
        self.news.notify_waiters();
        answer
    }

    fn intents(&self) -> Answer<Vec<IntentView>> {
        self.answer("intents", |inside| Ok(inside.views()))
    }

    fn release(&self, transaction: TransactionId, unsigned: Vec<u8>) -> Answer<SignedPayment> {
        let answer = self.answer("release", |inside| inside.release(transaction, unsigned));
        self.news.notify_waiters();
        answer
    }

    fn cancel_intent(&self, transaction: TransactionId) -> Answer<u64> {
        let answer = self.answer("cancel", |inside| {
            let origin = Origin::Gateway;
            inside.end(&[transaction], IntentEnd::Cancelled { origin })
        });
        self.news.notify_waiters();
        answer
    }

    // Every payment here is on a Solana chain.
    fn replace_transaction(&self, _: TransactionId, _: Vec<u8>) -> Answer<SignedPayment> {
        self.answer("replace_transaction", |_| {
            Err(Code::VariantUnsupported.into())
        })
    }

    fn cancel_transaction(&self, _: TransactionId, _: EvmFees) -> Answer<SignedPayment> {
        self.answer("cancel_transaction", |_| {
            Err(Code::VariantUnsupported.into())
        })
    }

    fn signed_transaction(&self, transaction: TransactionId) -> Answer<SignedPayment> {
        self.answer("signed_transaction", |inside| {
            if let Mood::Denies(denial) = &inside.mood {
                return Err(SignerError::Denied(denial.clone()));
            }
            let found = inside
                .spends
                .values()
                .find(|payment| payment.transaction == transaction);
            let found = found.ok_or(SignerError::from(Code::TransactionUnknown))?;
            Ok(SignedPayment {
                replay: true,
                ..found.clone()
            })
        })
    }

    fn pause(&self, wallet: Option<WalletId>) -> Answer<u64> {
        self.tightening(
            "pause",
            EventBody::Paused {
                wallet,
                origin: Origin::Gateway,
            },
        )
    }

    fn sign_in(&self, request: SessionRequest) -> Answer<SignedLogin> {
        let replay = self.with(|inside| {
            let again = inside.logins.iter().any(|known| known.body == request.body);
            inside.logins.push(request.clone());
            again
        });
        self.answer("sign_in", move |inside| {
            if let Mood::Denies(denial) = &inside.mood {
                return Err(SignerError::Denied(denial.clone()));
            }
            Ok(SignedLogin {
                message: MessageId::from_bytes([9; 16]),
                sequence: 78,
                text: "app.example.org wants you to sign in".to_owned(),
                payload: vec![0xff, 1],
                signature: vec![7; 64],
                tier: Tier::Notify,
                replay,
            })
        })
    }

    fn decide_sign_in(&self, _: SessionRequest) -> Answer<Tier> {
        self.answer("decide_sign_in", |inside| match &inside.mood {
            Mood::Denies(denial) => Err(SignerError::Denied(denial.clone())),
            _ => Ok(Tier::Notify),
        })
    }

    fn authorize_transfer(&self, request: SessionRequest) -> Answer<SignedTransfer> {
        let replay = self.with(|inside| {
            let mut known = inside.authorizations.iter();
            let again = known.any(|known| known.body == request.body);
            inside.authorizations.push(request.clone());
            again
        });
        self.answer("authorize_transfer", move |inside| {
            if let Mood::Denies(denial) = &inside.mood {
                return Err(SignerError::Denied(denial.clone()));
            }
            Ok(SignedTransfer {
                transaction: TransactionId::from_bytes([9; 16]),
                sequence: 79,
                authorization: TransferAuthorization {
                    asset: "eip155:84532/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e"
                        .parse()
                        .expect("an asset"),
                    domain: TokenDomain {
                        name: "Test Dollar".to_owned(),
                        version: "1".to_owned(),
                    },
                    from: EvmAddress::from_bytes([1; 20]),
                    to: EvmAddress::from_bytes([2; 20]),
                    value: Amount::from_base_units(10_000),
                    valid_after: 0,
                    valid_before: 1_800_000_300,
                    nonce: [3; 32],
                },
                signature: vec![7; 65],
                tier: Tier::Instant,
                replay,
            })
        })
    }

    fn decide_authorization(&self, _: SessionRequest) -> Answer<Tier> {
        self.answer("decide_authorization", |inside| match &inside.mood {
            Mood::Denies(denial) => Err(SignerError::Denied(denial.clone())),
            _ => Ok(Tier::Instant),
        })
    }

    fn renew_session(&self, request: SessionRequest) -> Answer<Renewed> {
        self.with(|inside| inside.renewals.push(request.clone()));
        self.answer("renew", move |inside| {
            let view = inside.sessions.get_mut(&request.session);
            let view = view.ok_or(Code::SessionUnknown)?;
            let renewal = view.grant.renewal.ok_or(Code::SessionNotRenewable)?;
            view.ends = renewal.until;
            view.renewals += 1;
            Ok(Renewed {
                sequence: 77,
                ends: renewal.until,
            })
        })
    }

    fn revoke_session(&self, session: SessionId) -> Answer<u64> {
        self.with(|inside| {
            if let Some(view) = inside.sessions.get_mut(&session) {
                view.state = SessionState::Revoked;
            }
        });
        let answer = self.tightening(
            "revoke",
            EventBody::SessionRevoked {
                session,
                origin: Origin::Gateway,
            },
        );
        self.end_all(IntentEnd::SessionEnded, |intent| intent.session == session);
        answer
    }

    fn kill(&self) -> Answer<u64> {
        let answer = self.tightening(
            "kill",
            EventBody::Killed {
                epoch: 1,
                origin: Origin::Gateway,
            },
        );
        self.end_all(IntentEnd::Killed, |_| true);
        answer
    }
}

/// A chain that does as it is told.
#[derive(Debug, Default)]
pub(crate) struct FakeChain {
    pub(crate) down: AtomicBool,
    /// Wallets hold more tokens than a node can list.
    pub(crate) crowded: AtomicBool,
    /// What becomes of everything that was sent.
    pub(crate) landing: Mutex<Option<Landing>>,
    pub(crate) sent: Mutex<Vec<Vec<u8>>>,
    pub(crate) simulation: Mutex<Option<ChainError>>,
    pub(crate) simulated: AtomicU64,
    pub(crate) prepared: AtomicU64,
    /// What each look at incoming transfers sees.
    pub(crate) seen: Mutex<Seen>,
    /// What was offered for each.
    pub(crate) offers: Mutex<Vec<Offer>>,
    /// Seconds between two sendings; at once if zero.
    pub(crate) resend: AtomicU64,
}

impl FakeChain {
    fn answer<T: Send + 'static>(
        &self,
        answer: Result<T, ChainError>,
    ) -> BoxFuture<'_, Result<T, ChainError>> {
        let down = self.down.load(Ordering::SeqCst);
        let answer = if down {
            Err(ChainError::Rpc(RpcError::Unreachable))
        } else {
            answer
        };
        Box::pin(std::future::ready(answer))
    }

    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        self.sent.lock().expect("no panic under it").clone()
    }

    pub(crate) fn land(&self, landing: Landing) {
        *self.landing.lock().expect("no panic under it") = Some(landing);
    }
}

pub(crate) fn confirmed() -> Landing {
    Landing::Confirmed {
        position: 77,
        fee: Some(amount(5000)),
    }
}

impl FakeChain {
    fn built(&self, from: Account, claim: &Claim) -> BoxFuture<'_, Result<Prepared, ChainError>> {
        let unsigned = crate::pipeline::evaluate::nominal(chain_id(), from, claim);
        let unsigned = unsigned.ok_or(ChainError::AmountTooLarge);
        self.answer(unsigned.map(|unsigned| Prepared {
            unsigned,
            fee_max: Amount::from_base_units(5000),
            data_fee: None,
            validity: Validity::UntilBlockHeight {
                last_valid: 1000,
                fetched_at_slot: 5000,
            },
        }))
    }
}

impl ChainPort for FakeChain {
    fn id(&self) -> ChainId {
        chain_id()
    }

    fn pace(&self) -> Pace {
        let quick = Duration::from_millis(1);
        let resend = Duration::from_secs(self.resend.load(Ordering::SeqCst)).max(quick);
        Pace {
            look: quick,
            look_slowest: quick,
            resend,
            resend_slowest: resend,
            soonest_expiry: Duration::ZERO,
        }
    }

    fn max_fee(&self) -> Amount {
        amount(100_000)
    }

    fn prepare_transfer<'a>(
        &'a self,
        from: Account,
        transfer: &'a Transfer,
        offer: Offer,
        _: NetworkTerms,
    ) -> BoxFuture<'a, Result<Prepared, ChainError>> {
        self.offers.lock().expect("no panic under it").push(offer);
        self.prepared.fetch_add(1, Ordering::SeqCst);
        self.built(from, &Claim::of(transfer.clone()))
    }

    fn prepare_batch<'a>(
        &'a self,
        from: Account,
        claim: &'a Claim,
        offer: Offer,
    ) -> BoxFuture<'a, Result<Prepared, ChainError>> {
        self.offers.lock().expect("no panic under it").push(offer);
        self.prepared.fetch_add(1, Ordering::SeqCst);
        self.built(from, claim)
    }

    fn fee_estimates(
        &self,
        ceiling: Amount,
        _: NetworkTerms,
    ) -> BoxFuture<'_, Result<Vec<FeeEstimate>, ChainError>> {
        let estimate = |speed| FeeEstimate {
            speed,
            fee_max: ceiling,
            price: UnitPrice::Compute(7),
            above_ceiling: false,
        };
        self.answer(Ok(Speed::ALL.map(estimate).to_vec()))
    }

    fn simulate<'a>(
        &'a self,
        _: &'a [u8],
        _: Account,
        _: Known<'a>,
    ) -> BoxFuture<'a, Result<(), ChainError>> {
        self.simulated.fetch_add(1, Ordering::SeqCst);
        let failure = self.simulation.lock().expect("no panic under it").clone();
        self.answer(failure.map_or(Ok(()), Err))
    }

    fn send<'a>(&'a self, raw: &'a [u8]) -> BoxFuture<'a, Result<Sent, ChainError>> {
        let signature = raw.get(1..65).and_then(|bytes| bytes.try_into().ok());
        let id = ChainTransactionId::Solana(signature.expect("signed bytes"));
        self.sent
            .lock()
            .expect("no panic under it")
            .push(raw.to_vec());
        let down = self.down.load(Ordering::SeqCst);
        let taken = if down {
            Err(RpcError::Unreachable)
        } else {
            Ok(())
        };
        Box::pin(std::future::ready(Ok(Sent { id, taken })))
    }

    fn status_of<'a>(
        &'a self,
        id: &'a ChainTransactionId,
        _: &'a Validity,
    ) -> BoxFuture<'a, Result<Landing, ChainError>> {
        let name = id.to_string();
        let known = self
            .sent()
            .iter()
            .any(|raw| bs58::encode(&raw[1..65]).into_string() == name);
        let landing = self.landing.lock().expect("no panic under it").clone();
        // What was never sent cannot land, but it can lapse.
        let landing = match landing {
            Some(landing) if known || landing == Landing::Expired => landing,
            _ => Landing::Unknown,
        };
        self.answer(Ok(landing))
    }

    fn fee_market(&self, _: Form) -> BoxFuture<'_, Result<Option<FeeMarket>, ChainError>> {
        self.answer(Ok(None))
    }

    fn cancellation_gas(&self, _: Account) -> BoxFuture<'_, Result<u64, ChainError>> {
        self.answer(Err(ChainError::FamilyMismatch))
    }

    fn account_nonce(&self, _: Account) -> BoxFuture<'_, Result<Option<u64>, ChainError>> {
        self.answer(Ok(None))
    }

    fn balance(&self, _: Account) -> BoxFuture<'_, Result<Amount, ChainError>> {
        self.answer(Ok(Amount::from_base_units(123)))
    }

    fn token_balance(&self, _: Account, _: AssetId) -> BoxFuture<'_, Result<Amount, ChainError>> {
        self.answer(Ok(Amount::from_base_units(456)))
    }

    fn token_facts(&self, _: AssetId) -> BoxFuture<'_, Result<TokenFacts, ChainError>> {
        self.answer(Ok(TokenFacts {
            symbol: Some(ChainText::new("FAKE")),
            decimals: Some(7),
        }))
    }

    fn token_balances(&self, _: Account) -> BoxFuture<'_, Result<Vec<TokenBalance>, ChainError>> {
        if self.crowded.load(Ordering::SeqCst) {
            return self.answer(Err(ChainError::Rpc(RpcError::TooLarge)));
        }
        let mint = waiaas_shared::caip::Token::Mint(SolanaAddress::from_bytes([7; 32]));
        self.answer(Ok(vec![TokenBalance {
            asset: AssetId::new(chain_id(), mint).expect("one family"),
            amount: Amount::from_base_units(456),
            elsewhere: None,
        }]))
    }

    fn incoming_every(&self) -> Option<Duration> {
        Some(Duration::from_secs(3600))
    }

    fn incoming<'a>(
        &'a self,
        _: &'a [Watched],
        _: &'a Cursors,
    ) -> BoxFuture<'a, Result<Seen, ChainError>> {
        self.answer(Ok(self.seen.lock().expect("no panic under it").clone()))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let down = self.down.load(Ordering::SeqCst);
        let head = if down {
            Err(RpcError::Unreachable)
        } else {
            Ok(9)
        };
        let latency = Some(Duration::from_micros(1500));
        let endpoints = vec![EndpointHealth {
            head,
            latency,
            contradicts: 0,
        }];
        Box::pin(std::future::ready(Health { endpoints }))
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
            guard: Guard::new(
                vec!["wallet.example.org".to_owned()],
                vec!["https://console.example.org".to_owned()],
            ),
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

/// A request being made.
pub(crate) struct Call(axum::http::request::Builder);

impl Call {
    pub(crate) fn new(method: Method, target: &str) -> Self {
        Self(
            Request::builder()
                .method(method)
                .uri(target)
                .header("host", "127.0.0.1:3100"),
        )
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn empty(self) -> Request<Body> {
        self.0.body(Body::empty()).expect("a request")
    }

    pub(crate) fn json(self, body: &str) -> Request<Body> {
        self.header("content-type", "application/json")
            .0
            .body(Body::from(body.to_owned()))
            .expect("a request")
    }
}

/// The code of a problem.
pub(crate) fn code(value: &Value) -> &str {
    value["code"].as_str().unwrap_or_default()
}
