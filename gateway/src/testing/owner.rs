//! Owners in the fake signer: two with keys that sign here, statements whose text is written and whose signatures are
//! verified as the real one does, and an owner's login over HTTP.

use axum::http::{Method, StatusCode};
use ed25519_dalek::{Signer as _, SigningKey};
use k256::ecdsa::SigningKey as EvmKey;
use serde_json::{Value, json};
use waiaas_client::{Drafted, Submitted};
use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::agent::{AgentStage, AgentView};
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{AgentId, OwnerId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::intent::{Intent, IntentEnd};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::owner_change::{OwnerChange, Standing};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::session::SessionGrant;
use waiaas_shared::statement::text::{
    NonceFacts, Quorum, StatementText, StatementView, WalletFacts, compose,
};
use waiaas_shared::statement::verify::{Envelope, OwnerSignature, verify};
use waiaas_shared::statement::{LIFETIME, StatementFacts, StatementHeader};
use waiaas_shared::time::RunTime;
use waiaas_shared::view::OwnerView;

use super::signer::Inside;
use super::{Call, FakeSigner, World, chain_id, from_account, text, wallet};
use crate::signer_client::SignerError;

/// Whose key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hand {
    /// The owner with a Solana wallet.
    Solana,
    /// The owner with an Ethereum wallet.
    Evm,
    /// Nobody's key, of a Solana wallet.
    Stranger,
}

fn ed25519(hand: Hand) -> SigningKey {
    SigningKey::from_bytes(&[if hand == Hand::Stranger { 66 } else { 31 }; 32])
}

fn secp256k1() -> EvmKey {
    EvmKey::from_slice(&[32; 32]).expect("a key")
}

fn keccak256(bytes: &[u8]) -> [u8; 32] {
    alloy_primitives::keccak256(bytes).0
}

impl Hand {
    pub(crate) fn owner(self) -> OwnerId {
        OwnerId::from_bytes([if self == Self::Evm { 52 } else { 51 }; 16])
    }

    pub(crate) fn key(self) -> OwnerKey {
        match self {
            Self::Evm => {
                let point = secp256k1().verifying_key().to_sec1_point(false);
                let hash = keccak256(&point.as_bytes()[1..]);
                let address = hash[12..].try_into().expect("twenty bytes");
                OwnerKey::Secp256k1(EvmAddress::from_bytes(address))
            }
            _ => OwnerKey::Ed25519(SolanaAddress::from_bytes(
                ed25519(self).verifying_key().to_bytes(),
            )),
        }
    }

    /// What its wallet gives for a text: `solana:signMessage`, `personal_sign`.
    pub(crate) fn sign(self, text: &str) -> String {
        match self {
            Self::Evm => {
                let prefix = format!("\x19Ethereum Signed Message:\n{}", text.len());
                let digest = keccak256(&[prefix.as_bytes(), text.as_bytes()].concat());
                let (signature, recovery) = secp256k1().sign_prehash_recoverable(&digest);
                let mut bytes = signature.to_bytes().to_vec();
                bytes.push(27 + u8::from(recovery.is_y_odd()));
                format!("0x{}", hex::encode(bytes))
            }
            _ => bs58::encode(ed25519(self).sign(text.as_bytes()).to_bytes()).into_string(),
        }
    }
}

pub(crate) fn agent_id() -> AgentId {
    AgentId::from_bytes([71; 16])
}

pub(super) fn agents() -> Vec<AgentView> {
    vec![AgentView {
        agent: agent_id(),
        stage: AgentStage::Active,
        sessions: Vec::new(),
        waiting: 0,
    }]
}

pub(super) fn owners() -> Vec<OwnerView> {
    let view = |hand: Hand, envelope| OwnerView {
        owner: hand.owner(),
        key: hand.key(),
        envelope,
        withdrawals: Vec::new(),
        standing: Standing::Active,
        quorum: 1,
        guardians: Vec::new(),
        pending: Vec::new(),
        now: RunTime::from_millis(0),
    };
    vec![
        view(Hand::Solana, Envelope::Ed25519Plain),
        view(Hand::Evm, Envelope::Eip191),
    ]
}

/// A statement that may be signed.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    facts: StatementFacts,
    text: StatementText,
}

impl StatementView for Inside {
    fn wallet(&self, id: WalletId) -> Option<WalletFacts> {
        (id == wallet()).then(|| WalletFacts {
            account: from_account(),
            networks: vec![chain_id()],
            former: Vec::new(),
        })
    }

    fn nonces(&self, _: WalletId, _: Option<Account>, _: ChainId) -> Option<NonceFacts> {
        None
    }

    fn newest_policy(&self) -> Option<&PolicyDocument> {
        self.documents.last()
    }

    fn wallets_on(&self, chain: ChainId) -> usize {
        usize::from(chain == chain_id())
    }

    fn agent(&self, agent: AgentId) -> Option<AgentStage> {
        let mut known = self.agents.iter();
        known
            .find(|view| view.agent == agent)
            .map(|view| view.stage)
    }

    fn session(&self, session: SessionId) -> Option<&SessionGrant> {
        self.sessions.get(&session).map(|view| &view.grant)
    }

    fn intent(&self, transaction: TransactionId) -> Option<&Intent> {
        let mut kept = self.kept.iter();
        kept.find(|kept| kept.intent.transaction == transaction)
            .map(|kept| &kept.intent)
    }

    fn policy_epoch(&self) -> u64 {
        self.documents.last().map_or(0, |document| document.epoch)
    }

    fn quorum(&self) -> Quorum {
        Quorum {
            needed: 1,
            owners: self.owners.len(),
        }
    }

    fn owner_key(&self, owner: OwnerId) -> Option<OwnerKey> {
        let mut owners = self.owners.iter();
        owners.find(|view| view.owner == owner).map(|view| view.key)
    }

    fn guardian_key(&self, _: OwnerId) -> Option<OwnerKey> {
        None
    }

    fn pending(&self, _: StatementId) -> Option<&OwnerChange> {
        None
    }

    fn pauses(&self) -> Vec<&'static str> {
        vec!["a pause that somebody asked for"]
    }
}

impl FakeSigner {
    /// Changes what an owner's key may do.
    pub(crate) fn stand(&self, hand: Hand, standing: Standing) {
        self.with(|inside| {
            let mut owners = inside.owners.iter_mut();
            let view = owners.find(|view| view.owner == hand.owner());
            view.expect("an owner").standing = standing;
        });
    }

    pub(super) fn draft(&self, facts: StatementFacts) -> Result<Drafted, SignerError> {
        self.with(|inside| {
            let number = u8::try_from(inside.events.len()).expect("a short test");
            let statement = StatementId::from_bytes([number; 16]);
            let header = StatementHeader {
                signer: inside.id,
                statement,
                policy_epoch: inside.policy_epoch(),
                expires: inside.clocks().wall.after(LIFETIME),
            };
            let text = compose(&header, &facts, &*inside).map_err(SignerError::from)?;
            inside.append(EventBody::StatementIssued {
                statement,
                facts: facts.clone(),
                policy_epoch: header.policy_epoch,
                expires: header.expires,
                origin: Origin::Gateway,
                text: text.clone(),
            });
            let words = text.as_str().to_owned();
            inside.statements.insert(statement, Open { facts, text });
            Ok(Drafted {
                statement,
                text: words,
            })
        })
    }

    pub(super) fn submit(
        &self,
        statement: StatementId,
        signatures: &[OwnerSignature],
    ) -> Result<Submitted, SignerError> {
        let open = self.with(|inside| {
            let open = inside.statements.get(&statement).cloned();
            let open = open.ok_or(SignerError::from(Code::StatementUnknown))?;
            for signature in signatures {
                let key = inside
                    .owner_key(signature.owner)
                    .ok_or(SignerError::from(Code::StatementSignature))?;
                verify(&open.text, &key, signature.envelope, &signature.signature)
                    .map_err(|_| SignerError::from(Code::StatementSignature))?;
            }
            inside.statements.remove(&statement);
            Ok::<_, SignerError>(open)
        })?;
        let signers = signatures.iter().map(|one| one.owner).collect();
        let before = self.with(|inside| inside.events.len() as u64);
        match open.facts {
            StatementFacts::ApprovePayment { transaction } => self.approve(transaction),
            StatementFacts::RejectPayment { transaction } => {
                let cause = IntentEnd::Rejected { statement, signers };
                self.end(transaction, cause);
            }
            StatementFacts::GrantSession { .. } => {
                let session = SessionId::from_bytes([81; 16]);
                self.append(EventBody::SessionGranted {
                    session,
                    statement,
                    signers,
                });
            }
            StatementFacts::ReleasePause { wallet } => {
                self.append(EventBody::PauseReleased {
                    wallet,
                    statement,
                    signers,
                });
            }
            // What the password goes with.
            _ => return Err(Code::AdminOnly.into()),
        }
        Ok(Submitted {
            sequence: before + 1,
            raw: Vec::new(),
            chain_transaction: String::new(),
        })
    }
}

impl World {
    /// Asks for a challenge.
    pub(crate) async fn challenge(&self, account: &str) -> Value {
        let body = json!({ "account": account }).to_string();
        let call = Call::new(Method::POST, "/v1/owner/login/challenge");
        let (status, given) = self.call(call.json(&body)).await;
        assert_eq!(status.as_u16(), 200, "{given}");
        given
    }

    /// Answers one.
    pub(crate) async fn answer(&self, body: &Value) -> (StatusCode, Value) {
        let call = Call::new(Method::POST, "/v1/owner/login");
        self.call(call.json(&body.to_string())).await
    }

    /// The token of an owner who logs in.
    pub(crate) async fn log_in(&self, hand: Hand) -> String {
        let given = self.challenge(&hand.key().to_string()).await;
        let words = text(&given["text"]);
        let body = json!({"login": given["login"], "text": words, "signature": hand.sign(words)});
        let (status, made) = self.answer(&body).await;
        assert_eq!(status.as_u16(), 200, "{made}");
        text(&made["token"]).to_owned()
    }

    /// An owner's request.
    pub(crate) async fn owner_get(&self, token: &str, target: &str) -> (StatusCode, Value) {
        self.call(Call::new(Method::GET, target).token(token).empty())
            .await
    }

    /// The same with a body.
    pub(crate) async fn owner_post(
        &self,
        token: &str,
        target: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let call = Call::new(Method::POST, target).token(token);
        self.call(call.json(&body.to_string())).await
    }
}
