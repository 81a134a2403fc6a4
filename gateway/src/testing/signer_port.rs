//! What the fake signer answers to each call of the gateway.

use std::sync::Arc;
use std::time::Duration;

use waiaas_client::{
    Drafted, EventPage, Paid, Renewed, SessionRequest, SignedLogin, SignedPayment, SignedTransfer,
    SignerStatus, SpendRequest, Submitted, WouldAllow,
};
use waiaas_shared::address::EvmAddress;
use waiaas_shared::agent::{AgentStage, AgentView};
use waiaas_shared::amount::Amount;
use waiaas_shared::authorization::{TokenDomain, TransferAuthorization};
use waiaas_shared::caip::Family;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{AgentId, MessageId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::intent::{IntentEnd, IntentView};
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request::TransferRequest;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::OwnerSignature;
use waiaas_shared::transaction::{EvmFees, Known, decode};
use waiaas_shared::view::{FormerKey, OwnerView, SessionState, SessionView, WalletView};

use super::signer::{FakeSigner, Inside, Mood};
use super::{account, chain_id, from_account, wallet};
use crate::signer_client::{Answer, NoConnection, SignerError, SignerPort};

impl FakeSigner {
    fn stop_agent(&self, call: &'static str, agent: AgentId, stage: AgentStage) -> Answer<u64> {
        let known = self.with(|inside| {
            let mut agents = inside.agents.iter_mut();
            let view = agents.find(|view| view.agent == agent);
            view.map(|view| view.stage = stage).is_some()
        });
        if !known {
            return self.answer(call, |_| Err(Code::AgentUnknown.into()));
        }
        let origin = Origin::Gateway;
        let stopped = EventBody::AgentStopped {
            agent,
            stage,
            origin,
        };
        self.tightening(call, stopped)
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
        self.answer("wallets", |inside| {
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
            let mut own = view(wallet(), inside.rotated.unwrap_or(from_account()));
            if inside.rotated.is_some() {
                own.former.push(FormerKey {
                    path: own.path,
                    account: from_account(),
                    nonces: Vec::new(),
                });
            }
            Ok(vec![own, view(foreign, account(13))])
        })
    }

    fn owners(&self) -> Answer<Vec<OwnerView>> {
        self.answer("owners", |inside| Ok(inside.owners.clone()))
    }

    fn agents(&self) -> Answer<Vec<AgentView>> {
        self.answer("agents", |inside| Ok(inside.agents.clone()))
    }

    fn suspend_agent(&self, agent: AgentId) -> Answer<u64> {
        self.stop_agent("suspend_agent", agent, AgentStage::Suspended)
    }

    fn terminate_agent(&self, agent: AgentId) -> Answer<u64> {
        self.stop_agent("terminate_agent", agent, AgentStage::Terminating)
    }

    fn draft_statement(&self, facts: StatementFacts) -> Answer<Drafted> {
        let asked = self.answer("draft_statement", |_| Ok(()));
        let drafted = self.draft(facts);
        self.news.notify_waiters();
        Box::pin(async move {
            asked.await?;
            drafted
        })
    }

    fn submit_statement(
        &self,
        statement: StatementId,
        signatures: Vec<OwnerSignature>,
    ) -> Answer<Submitted> {
        let asked = self.answer("submit_statement", |_| Ok(()));
        let submitted = self.submit(statement, &signatures);
        Box::pin(async move {
            asked.await?;
            submitted
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
