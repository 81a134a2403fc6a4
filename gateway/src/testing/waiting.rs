//! Payments that wait, in the fake signer: opened, approved, released and ended as the real one does, on
//! a DELAY clock that the test sets; and how a test lets time pass and looks at them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::Value;
use waiaas_client::{Paid, SignedPayment, SpendRequest};
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::{Code, Violation};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{EventBody, Replaces, Spend};
use waiaas_shared::ids::{StatementId, TransactionId};
use waiaas_shared::intent::{Intent, IntentEnd, IntentView, Moved, Wait};
use waiaas_shared::request::TransferRequest;
use waiaas_shared::time::{Millis, RunTime, WallTime};
use waiaas_shared::transaction::{Known, decode};

use super::{Call, FakeSigner, Inside, Mood, NOON, World, bearer, confirmed, from_account, policy};
use crate::signer_client::SignerError;

/// What payments wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Waits {
    #[default]
    Nothing,
    Time(Millis),
    Owner,
}

/// A payment that waits, or waited.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) intent: Intent,
    approved_until: Option<RunTime>,
    open: bool,
}

impl FakeSigner {
    /// An owner signs.
    pub(crate) fn approve(&self, transaction: TransactionId) {
        self.with(|inside| {
            let until = RunTime::from_millis(inside.run + 1_000_000);
            inside.open(transaction).expect("it waits").approved_until = Some(until);
            inside.append(EventBody::IntentApproved {
                transaction,
                statement: StatementId::from_bytes([1; 16]),
                signers: Vec::new(),
                until,
            })
        });
        self.news.notify_waiters();
    }

    /// Ends a wait.
    pub(crate) fn end(&self, transaction: TransactionId, cause: IntentEnd) {
        self.with(|inside| inside.end(&[transaction], cause).expect("it waits"));
        self.news.notify_waiters();
    }

    /// Ends every wait of a kind, if there is one.
    pub(super) fn end_all(&self, cause: IntentEnd, which: impl Fn(&Intent) -> bool) {
        self.with(|inside| {
            let open = inside.kept.iter().filter(|kept| kept.open);
            let ids: Vec<_> = open
                .filter(|kept| which(&kept.intent))
                .map(|kept| kept.intent.transaction)
                .collect();
            if !ids.is_empty() {
                inside.end(&ids, cause).expect("they wait");
            }
        });
        self.news.notify_waiters();
    }
}

impl Inside {
    fn open(&mut self, transaction: TransactionId) -> Option<&mut Kept> {
        self.kept
            .iter_mut()
            .find(|kept| kept.open && kept.intent.transaction == transaction)
    }

    fn view(&self, kept: &Kept) -> IntentView {
        IntentView {
            intent: kept.intent.clone(),
            now: self.clocks(),
            approved_until: kept.approved_until,
        }
    }

    pub(super) fn views(&self) -> Vec<IntentView> {
        let open = self.kept.iter().filter(|kept| kept.open);
        open.map(|kept| self.view(kept)).collect()
    }

    /// The answer for a payment that waits, did already, or waits no more; none if it has not to.
    pub(super) fn waiting(
        &mut self,
        request: &SpendRequest,
        body: &TransferRequest,
        idempotency: Digest,
        digest: Digest,
    ) -> Option<Result<Paid, SignerError>> {
        let earlier = self
            .kept
            .iter()
            .find(|kept| kept.intent.idempotency == idempotency);
        if let Some(kept) = earlier {
            return Some(if kept.intent.body != digest {
                Err(Code::IdempotencyConflict.into())
            } else if kept.open {
                let view = Box::new(self.view(kept));
                Ok(Paid::Waiting { view, opened: 0 })
            } else {
                Err(Code::IntentClosed.into())
            });
        }
        let opened = RunTime::from_millis(self.run);
        let wait = match self.waits {
            Waits::Nothing => return None,
            Waits::Time(delay) => Wait::Delay {
                ready: opened.after(delay),
            },
            Waits::Owner => Wait::Approval { quorum: 1 },
        };
        let claim = body.resolve(&policy(), from_account()).expect("sound");
        let transfer = claim.first().clone();
        let more: Vec<Moved> = claim.more().iter().map(Moved::from).collect();
        let intent = Intent {
            transaction: self.name(),
            session: request.session,
            wallet: body.wallet,
            asset: transfer.asset,
            to: transfer.to,
            amount: transfer.amount,
            fee_ceiling: Amount::from_base_units(20_000),
            wait,
            opened,
            expires: WallTime::from_millis(NOON + 3_600_000),
            release_within: Millis::from_hours(1),
            policy_epoch: 1,
            idempotency,
            body: digest,
            kept_until: WallTime::from_millis(u64::MAX),
            request_nonce: None,
            submit: body.submit,
            first_payment: false,
            replaces: body.replaces.map(|transaction| Replaces {
                transaction,
                tries: 1,
            }),
            action: None,
            rent_ceiling: None,
            call: transfer.call.clone(),
            more: (!more.is_empty()).then_some(more),
            memo: claim.memo().cloned(),
            stake: transfer.stake.clone(),
            asked: None,
            program: transfer.program.clone(),
        };
        let kept = Kept {
            intent: intent.clone(),
            approved_until: None,
            open: true,
        };
        let view = Box::new(self.view(&kept));
        self.kept.push(kept);
        let opened = self.append(EventBody::IntentOpened(intent));
        if self.mood == Mood::DiesAfterCommit {
            self.mood = Mood::Down;
            return Some(Err(SignerError::Interrupted));
        }
        Some(Ok(Paid::Waiting { view, opened }))
    }

    pub(super) fn release(
        &mut self,
        transaction: TransactionId,
        unsigned: Vec<u8>,
    ) -> Result<SignedPayment, SignerError> {
        if let Mood::Denies(denial) = &self.mood {
            return Err(SignerError::Denied(denial.clone()));
        }
        let now = RunTime::from_millis(self.run);
        let Some(kept) = self.open(transaction) else {
            let earlier = self
                .spends
                .values()
                .find(|payment| payment.transaction == transaction);
            let earlier = earlier.ok_or(SignerError::from(Code::IntentUnknown))?;
            return Ok(SignedPayment {
                replay: true,
                ..earlier.clone()
            });
        };
        match kept.intent.wait {
            Wait::Delay { ready } if ready > now => {
                let violation = Violation {
                    retry_after: Some(ready.since(now)),
                    ..Violation::of(Code::IntentNotReady)
                };
                return Err(SignerError::Denied(violation.into()));
            }
            Wait::Approval { .. } if kept.approved_until.is_none() => {
                return Err(Code::IntentNotApproved.into());
            }
            _ => {}
        }
        kept.open = false;
        let intent = kept.intent.clone();
        let chain = intent.asset.chain();
        let decoded = decode(chain, from_account(), &unsigned, Known::NOTHING).expect("decodable");
        assert!(intent.claim().is_done_by(&decoded), "another effect");
        assert!(decoded.fee_max() <= intent.fee_ceiling, "a higher fee");
        self.commit(Spend {
            transaction,
            session: Some(intent.session),
            wallet: intent.wallet,
            chain,
            unsigned,
            effects: Vec::new(),
            charges: Vec::new(),
            tier: intent.tier(),
            policy_epoch: 1,
            nonce: None,
            idempotency: intent.idempotency,
            body: intent.body,
            kept_until: intent.kept_until,
            request_nonce: None,
            submit: intent.submit,
            from: None,
            fee_ceiling: Some(intent.fee_ceiling),
            replaces: intent.replaces,
            waited: None,
            memo: None,
        })
    }

    pub(super) fn end(
        &mut self,
        transactions: &[TransactionId],
        cause: IntentEnd,
    ) -> Result<u64, SignerError> {
        for transaction in transactions {
            self.open(*transaction).ok_or(Code::IntentUnknown)?.open = false;
        }
        Ok(self.append(EventBody::IntentsEnded {
            transactions: transactions.to_vec(),
            cause,
        }))
    }
}

/// How long delays are in tests.
pub(crate) const MINUTE: Millis = Millis::from_secs(60);

/// A string of an answer.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// Which payment an answer is about.
pub(crate) fn id(paid: &Value) -> TransactionId {
    text(&paid["transaction"]).parse().expect("an identifier")
}

impl World {
    /// Payments that are asked for wait, and land once they are sent.
    pub(crate) async fn waiting(waits: Waits) -> Self {
        let world = Self::new().await;
        world.chain.land(confirmed());
        world.signer.with(|inside| inside.waits = waits);
        world
    }

    /// Time passes for everybody, and somebody unlocks, so that nobody sleeps through it.
    pub(crate) fn pass(&self, time: Millis) {
        self.clock.fetch_add(time.millis(), Ordering::SeqCst);
        self.signer.with(|inside| inside.run += time.millis());
        self.stir();
    }

    pub(crate) fn stir(&self) {
        self.signer.append(EventBody::Unlocked {
            journal: Digest::from_bytes([0; 32]),
            vouched: Millis::default(),
            failures: 0,
            journal_lost: false,
        });
    }

    pub(crate) async fn shown(&self, paid: &Value) -> Value {
        let target = format!("/v1/transactions/{}", text(&paid["transaction"]));
        self.get(&target, bearer()).await.1
    }

    /// The payment once it has ended.
    pub(crate) async fn ended(&self, paid: &Value) -> Value {
        let target = format!("/v1/transactions/{}?wait=20", text(&paid["transaction"]));
        self.get(&target, bearer()).await.1
    }

    /// The payment once this holds of it.
    pub(crate) async fn until_shown(&self, paid: &Value, holds: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..2000 {
            let shown = self.shown(paid).await;
            if holds(&shown) {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("it never became so: {}", self.shown(paid).await);
    }

    pub(crate) async fn cancel(&self, paid: &Value) -> (StatusCode, Value) {
        let target = format!("/v1/transactions/{}/cancel", text(&paid["transaction"]));
        let call = Call::new(Method::POST, &target).token(&self.token(bearer()));
        self.call(call.empty()).await
    }
}
