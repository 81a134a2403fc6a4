//! A signer that keeps a real chained and signed log in memory, and says and signs what a test lets it. What it answers
//! to each call: `signer_port`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ed25519_dalek::{Signer as _, SigningKey};
use tokio::sync::Notify;
use waiaas_client::{EventRecord, Paid, SessionRequest, SignedPayment, SpendRequest};
use waiaas_shared::address::Account;
use waiaas_shared::agent::AgentView;
use waiaas_shared::codec::to_canonical;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::{Charge, Event, EventBody, Replaces, Spend};
use waiaas_shared::ids::{SessionId, SignerId, StatementId, TransactionId};
use waiaas_shared::keys::AgentKey;
use waiaas_shared::log::{Head, SignedHead, genesis, link};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request::TransferRequest;
use waiaas_shared::request_signature::{self, SignedRequest};
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit, SessionUsage};
use waiaas_shared::time::{Clocks, RunTime, WallTime};
use waiaas_shared::transaction::{Known, decode};
use waiaas_shared::view::{OwnerView, SessionState, SessionView};

use super::owner::{self, Open};
use super::waiting::{Kept, Waits};
use super::{
    NOON, SECRET, agent, amount, bearer, bound, chain_id, from_account, other, policy, wallet,
};
use crate::signer_client::{Answer, NoConnection, SignerError};

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
    pub(crate) owners: Vec<OwnerView>,
    pub(crate) agents: Vec<AgentView>,
    pub(crate) statements: HashMap<StatementId, Open>,
    pub(crate) events: Vec<EventRecord>,
    pub(super) heads: Vec<SignedHead>,
    pub(super) spends: HashMap<Digest, SignedPayment>,
    pub(super) bodies: HashMap<Digest, Digest>,
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
    /// The account that the wallet was moved to.
    pub(crate) rotated: Option<Account>,
}

#[derive(Debug)]
pub(crate) struct FakeSigner {
    pub(super) inside: Mutex<Inside>,
    pub(super) news: Arc<Notify>,
}

impl FakeSigner {
    pub(super) fn new() -> Arc<Self> {
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
                owners: owner::owners(),
                agents: owner::agents(),
                statements: HashMap::new(),
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
                rotated: None,
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

    pub(super) fn answer<T: Send + 'static>(
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

    pub(super) fn tightening(&self, call: &'static str, body: EventBody) -> Answer<u64> {
        let answer = self.answer(call, |inside| Ok(inside.append(body)));
        self.news.notify_waiters();
        answer
    }
}

impl Inside {
    pub(super) fn public(&self) -> [u8; 32] {
        self.log_key.verifying_key().to_bytes()
    }

    /// Wall and DELAY clock go alike.
    pub(super) fn clocks(&self) -> Clocks {
        Clocks {
            wall: WallTime::from_millis(NOON + self.run),
            run: RunTime::from_millis(self.run),
            ..Clocks::default()
        }
    }

    pub(super) fn append(&mut self, body: EventBody) -> u64 {
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

    pub(super) fn owner(&self, request: &SpendRequest) -> Digest {
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

    pub(super) fn spend(&mut self, request: SpendRequest) -> Result<Paid, SignerError> {
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
    pub(super) fn verify(&self, request: &SpendRequest) -> Result<(), SignerError> {
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
    pub(super) fn name(&self) -> TransactionId {
        let number = u8::try_from(self.events.len()).expect("a short test");
        TransactionId::from_bytes([number; 16])
    }

    /// Charges and signs what these bytes do.
    pub(super) fn commit(&mut self, spend: Spend) -> Result<SignedPayment, SignerError> {
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
