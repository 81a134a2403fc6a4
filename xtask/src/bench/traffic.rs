//! Generated traffic: a log of three months, as a signer would have written it. Every payment was judged
//! by the document that bound when it was asked for, and again when it was released; what was refused is
//! a count. The same seed gives the same log.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{Charge, Event, EventBody, Origin, RequestNonce, Spend};
use waiaas_shared::ids::{SessionId, SignerId, StatementId, TransactionId, WalletId};
use waiaas_shared::intent::{Intent, IntentEnd, Wait};
use waiaas_shared::keys::AgentKey;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::{Now, Payment, Tier, charges, evaluate};
use waiaas_shared::policy::history::{Charged, History, SessionHistory, WalletHistory};
use waiaas_shared::session::{Credential, SessionGrant};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{BudgetTime, Clocks, Millis, RunTime, WallTime};

use super::judgement::{CHAIN, address, token};

/// A Monday.
const BEGINS: u64 = 1_795_392_000_000;
/// Mean time between two requests: 100,000 of them take three months.
const BETWEEN_MILLIS: u64 = 78_000;
const WALLETS: u8 = 4;
const SESSIONS: u8 = 16;
const CONTACTS: u64 = 1000;
const TOKENS: u64 = 99;
/// Bytes of an unsigned token transfer.
const UNSIGNED_BYTES: usize = 110;

/// A log, and what it holds.
pub(super) struct Traffic {
    /// Canonical bytes of its events.
    pub(super) events: Vec<Vec<u8>>,
    /// Payments that were accepted.
    pub(super) payments: u64,
}

/// So many payments under a document.
pub(super) fn generate(document: &PolicyDocument, payments: u64) -> Result<Traffic> {
    let mut log = Log::new(document)?;
    while log.payments < payments {
        let pause = 1 + log.random.below(2 * BETWEEN_MILLIS);
        log.pass(pause)?;
        log.ask()?;
    }
    log.settle(u64::MAX)?;
    Ok(Traffic {
        events: log.events,
        payments: log.payments,
    })
}

/// SplitMix64.
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

struct Log<'a> {
    document: &'a PolicyDocument,
    events: Vec<Vec<u8>>,
    payments: u64,
    millis: u64,
    random: Random,
    wallets: BTreeMap<WalletId, WalletHistory>,
    sessions: BTreeMap<SessionId, SessionHistory>,
    /// What waits, by when something becomes of it.
    waiting: BTreeMap<(u64, u64), (Intent, Vec<Effect>)>,
}

impl History for Log<'_> {
    fn wallet(&self, wallet: WalletId) -> Option<&WalletHistory> {
        self.wallets.get(&wallet)
    }

    fn session(&self, session: SessionId) -> Option<&SessionHistory> {
        self.sessions.get(&session)
    }

    fn wallets(&self) -> Box<dyn Iterator<Item = (WalletId, &WalletHistory)> + '_> {
        Box::new(self.wallets.iter().map(|(id, history)| (*id, history)))
    }
}

impl<'a> Log<'a> {
    /// One in which the document binds and the sessions are granted.
    fn new(document: &'a PolicyDocument) -> Result<Self> {
        let mut log = Self {
            document,
            events: Vec::new(),
            payments: 0,
            millis: 0,
            random: Random(1),
            wallets: BTreeMap::new(),
            sessions: BTreeMap::new(),
            waiting: BTreeMap::new(),
        };
        log.push(EventBody::Created {
            signer: SignerId::from_bytes([1; 16]),
        });
        let adoption = StatementId::from_bytes([1; 16]);
        log.draft(
            adoption,
            StatementFacts::AdoptPolicy {
                document: document.to_bytes(),
            },
        )?;
        log.push(EventBody::PolicyAdopted {
            statement: adoption,
            signers: vec![],
            epoch: document.epoch,
            digest: document.digest(),
            matures: RunTime::default(),
        });
        for number in 0..SESSIONS {
            let statement = StatementId::from_bytes([100 + number; 16]);
            let grant = SessionGrant {
                wallets: (0..WALLETS).map(wallet).collect(),
                limits: vec![],
                count: u32::MAX,
                expires: WallTime::from_millis(u64::MAX),
                credential: Credential::AgentKey(AgentKey::from_bytes([number; 32])),
                recipients: None,
                operations: None,
                renewal: None,
                agent: None,
            };
            log.draft(statement, StatementFacts::GrantSession { grant })?;
            log.push(EventBody::SessionGranted {
                session: session(number),
                statement,
                signers: vec![],
            });
        }
        Ok(log)
    }

    fn clocks(&self) -> Clocks {
        Clocks {
            wall: WallTime::from_millis(BEGINS + self.millis),
            run: RunTime::from_millis(self.millis),
            budget: BudgetTime::from_millis(self.millis),
        }
    }

    fn push(&mut self, body: EventBody) {
        let clocks = self.clocks();
        self.events.push(to_canonical(&Event { clocks, body }));
    }

    fn draft(&mut self, statement: StatementId, facts: StatementFacts) -> Result<()> {
        let text = to_canonical(&"A statement's text has its place here.".to_owned());
        self.push(EventBody::StatementIssued {
            statement,
            facts,
            policy_epoch: 0,
            expires: WallTime::from_millis(u64::MAX),
            origin: Origin::Admin,
            text: from_canonical(&text)?,
        });
        Ok(())
    }

    fn pass(&mut self, millis: u64) -> Result<()> {
        let now = self.millis + millis;
        self.settle(now)?;
        self.millis = now;
        Ok(())
    }

    /// What becomes of payments whose time comes before `until`.
    fn settle(&mut self, until: u64) -> Result<()> {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((at, _), (intent, effects)) = entry.remove_entry();
            self.millis = self.millis.max(at);
            // One owner's approval in five does not come.
            let comes = matches!(intent.wait, Wait::Delay { .. }) || self.random.below(5) > 0;
            let passes = self.judge(intent.wallet, intent.session, &effects);
            if comes && passes.is_ok_and(|verdict| verdict.tier <= intent.tier()) {
                let tier = intent.tier();
                self.sign(
                    intent.transaction,
                    intent.wallet,
                    intent.session,
                    effects,
                    tier,
                )?;
            } else {
                self.push(EventBody::IntentsEnded {
                    transactions: vec![intent.transaction],
                    cause: IntentEnd::Expired,
                });
            }
        }
        Ok(())
    }

    /// An agent asks for a payment: mostly small ones, mostly to few recipients in few assets.
    fn ask(&mut self) -> Result<()> {
        let few = |random: &mut Random, all: u64| {
            let bound = 1 + random.below(all);
            random.below(bound)
        };
        let recipient = few(&mut self.random, CONTACTS);
        let asset = token(u16::try_from(few(&mut self.random, TOKENS))?).context("a token")?;
        let bits = self.random.below(20);
        let amount = 1 + self.random.below(1 << bits);
        let wallet = wallet(u8::try_from(self.random.below(WALLETS.into()))?);
        let session = session(u8::try_from(self.random.below(SESSIONS.into()))?);
        let effects = vec![
            Effect::Transfer {
                asset,
                to: Account::Evm(address(u16::try_from(recipient)?)),
                amount: Amount::from_base_units(amount.into()),
            },
            Effect::Fee {
                asset: CHAIN.native_asset(),
                max: Amount::from_base_units(u128::from(1 + self.random.below(900))),
            },
        ];
        let transaction = TransactionId::from_bytes(self.name());
        match self.judge(wallet, session, &effects) {
            Err(code) => self.push(EventBody::DenialsCounted {
                session: Some(session),
                code,
                count: 1,
            }),
            Ok(verdict) if verdict.tier <= Tier::Notify => {
                self.payments += 1;
                self.sign(transaction, wallet, session, effects, verdict.tier)?;
            }
            Ok(verdict) => {
                self.payments += 1;
                let wait = self.millis.saturating_add(match verdict.tier {
                    Tier::Delay => verdict.delay.millis(),
                    _ => 1 + self.random.below(Millis::from_hours(11).millis()),
                });
                let opened = self.clocks().run;
                let intent = Intent {
                    transaction,
                    session,
                    wallet,
                    asset,
                    to: Account::Evm(address(u16::try_from(recipient)?)),
                    amount: Amount::from_base_units(amount.into()),
                    fee_ceiling: Amount::from_base_units(1000),
                    wait: match verdict.tier {
                        Tier::Delay => Wait::Delay {
                            ready: opened.after(verdict.delay),
                        },
                        _ => Wait::Approval {
                            quorum: verdict.quorum,
                        },
                    },
                    opened,
                    expires: self.clocks().wall.after(Millis::from_hours(12)),
                    release_within: verdict.release_within,
                    policy_epoch: self.document.epoch,
                    idempotency: Digest::from_bytes([5; 32]),
                    body: Digest::from_bytes([6; 32]),
                    kept_until: WallTime::from_millis(u64::MAX),
                    request_nonce: None,
                    submit: true,
                    first_payment: verdict.first_payment,
                    replaces: None,
                    action: None,
                    rent_ceiling: None,
                    call: None,
                    more: None,
                    memo: None,
                    stake: None,
                    asked: None,
                    program: None,
                };
                self.waiting
                    .insert((wait, self.payments), (intent.clone(), effects));
                self.push(EventBody::IntentOpened(intent));
            }
        }
        Ok(())
    }

    fn judge(
        &self,
        wallet: WalletId,
        session: SessionId,
        effects: &[Effect],
    ) -> Result<waiaas_shared::policy::evaluate::Verdict, Code> {
        let payment = Payment {
            wallet,
            session,
            bearer: false,
            chain: CHAIN,
            effects,
            submit: true,
        };
        let now = Now {
            budget: self.clocks().budget,
            wall: self.clocks().wall,
            steady: self.clocks().wall,
        };
        evaluate(self.document, &payment, self, now).map_err(|broken| {
            let first = broken.first();
            first.map_or(Code::PolicyMissing, |violation| violation.code)
        })
    }

    fn sign(
        &mut self,
        transaction: TransactionId,
        wallet: WalletId,
        session: SessionId,
        effects: Vec<Effect>,
        tier: Tier,
    ) -> Result<()> {
        let sums = charges(&effects).map_err(|code| anyhow::anyhow!("{code}"))?;
        let charged = Charged {
            at: self.clocks().budget,
            chain: CHAIN,
            charges: &sums,
            effects: &effects,
        };
        self.wallets.entry(wallet).or_default().charge(&charged);
        let history = self.sessions.entry(session).or_default();
        history.charge(&charged);
        let charges = sums
            .iter()
            .map(|(asset, amount): (&AssetId, &Amount)| Charge {
                asset: *asset,
                amount: *amount,
            })
            .collect();
        let spend = Spend {
            transaction,
            session: Some(session),
            wallet,
            chain: CHAIN,
            unsigned: vec![0x5a; UNSIGNED_BYTES],
            effects,
            charges,
            tier,
            policy_epoch: self.document.epoch,
            nonce: Some(self.payments),
            idempotency: Digest::from_bytes([5; 32]),
            body: Digest::from_bytes([6; 32]),
            kept_until: WallTime::from_millis(u64::MAX),
            request_nonce: Some(RequestNonce {
                nonce: "0123456789abcdef0123456789abcdef".to_owned(),
                expires: self.clocks().wall.after(Millis::from_secs(120)),
            }),
            submit: true,
            from: None,
            fee_ceiling: None,
            replaces: None,
            waited: None,
            memo: None,
        };
        self.push(EventBody::SpendCommitted(spend));
        Ok(())
    }

    fn name(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        for (place, byte) in bytes.iter_mut().zip(
            self.random
                .next()
                .to_be_bytes()
                .into_iter()
                .chain(self.random.next().to_be_bytes()),
        ) {
            *place = byte;
        }
        bytes
    }
}

const fn wallet(number: u8) -> WalletId {
    WalletId::from_bytes([1 + number; 16])
}

const fn session(number: u8) -> SessionId {
    SessionId::from_bytes([1 + number; 16])
}
