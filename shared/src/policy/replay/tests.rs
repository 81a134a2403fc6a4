//! Small logs by hand, each judged by a document that was, or was not, the one that bound.

use super::*;
use crate::caip::{AssetId, ChainId};
use crate::codec::{from_canonical, to_canonical};
use crate::denial::Code;
use crate::digest::Digest;
use crate::event::{Charge, Origin};
use crate::ids::{OwnerId, SessionId, StatementId, WalletId};
use crate::intent::{IntentEnd, Wait};
use crate::keys::AgentKey;
use crate::policy::document::tests::sample;
use crate::policy::evaluate::Tier;
use crate::session::{Credential, SessionGrant};
use crate::statement::StatementFacts;
use crate::time::{BudgetTime, Millis, RunTime, WallTime};

const CHAIN: ChainId = ChainId::Evm(31_337);
const LISTED: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const STRANGER: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const WALLET: WalletId = WalletId::from_bytes([1; 16]);
const SESSION: SessionId = SessionId::from_bytes([2; 16]);
const MONDAY: u64 = 1_795_392_000_000;
const HOUR: u64 = 3_600_000;
const FEE: u128 = 1;

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    millis: u64,
    names: u8,
}

impl Log {
    fn under(document: &PolicyDocument) -> Self {
        let mut log = Self::default();
        log.adopt(document, 0);
        log.grant();
        log
    }

    fn hours(&mut self, hours: u64) -> &mut Self {
        self.millis += hours * HOUR;
        self
    }

    fn clocks(&self) -> Clocks {
        Clocks {
            wall: WallTime::from_millis(MONDAY + self.millis),
            run: RunTime::from_millis(self.millis),
            budget: BudgetTime::from_millis(self.millis),
        }
    }

    fn push(&mut self, body: EventBody) -> &mut Self {
        let clocks = self.clocks();
        self.events.push(Event { clocks, body });
        self
    }

    fn name(&mut self) -> u8 {
        self.names += 1;
        self.names
    }

    fn drafted(&mut self, facts: StatementFacts) -> StatementId {
        let statement = StatementId::from_bytes([self.name(); 16]);
        let text = to_canonical(&"text".to_owned());
        self.push(EventBody::StatementIssued {
            statement,
            facts,
            policy_epoch: 0,
            expires: WallTime::from_millis(u64::MAX),
            origin: Origin::Admin,
            text: from_canonical(&text).expect("a text"),
        });
        statement
    }

    fn adopt(&mut self, document: &PolicyDocument, matures: u64) {
        let statement = self.drafted(StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        });
        self.push(EventBody::PolicyAdopted {
            statement,
            signers: vec![],
            epoch: document.epoch,
            digest: document.digest(),
            matures: RunTime::from_millis(matures),
        });
    }

    fn grant(&mut self) {
        let grant = SessionGrant {
            wallets: vec![WALLET],
            limits: vec![],
            count: 100,
            expires: WallTime::from_millis(u64::MAX),
            credential: Credential::AgentKey(AgentKey::from_bytes([1; 32])),
            recipients: None,
            operations: None,
            renewal: None,
            agent: None,
        };
        let statement = self.drafted(StatementFacts::GrantSession { grant });
        self.push(EventBody::SessionGranted {
            session: SESSION,
            statement,
            signers: vec![],
        });
    }

    fn pays(&mut self, amount: u128, tier: Tier) -> &mut Self {
        let transaction = TransactionId::from_bytes([self.name(); 16]);
        self.signs(transaction, amount, tier)
    }

    fn signs(&mut self, transaction: TransactionId, amount: u128, tier: Tier) -> &mut Self {
        let effects = vec![
            Effect::Transfer {
                asset: native(),
                to: LISTED.parse().expect("an address"),
                amount: units(amount),
            },
            Effect::Fee {
                asset: native(),
                max: units(FEE),
            },
        ];
        self.push(EventBody::SpendCommitted(Spend {
            transaction,
            session: Some(SESSION),
            wallet: WALLET,
            chain: CHAIN,
            unsigned: vec![],
            charges: vec![Charge {
                asset: native(),
                amount: units(amount + FEE),
            }],
            effects,
            tier,
            policy_epoch: 1,
            nonce: Some(0),
            idempotency: Digest::from_bytes([0; 32]),
            body: Digest::from_bytes([0; 32]),
            kept_until: WallTime::from_millis(0),
            request_nonce: None,
            submit: true,
            from: None,
            fee_ceiling: None,
            replaces: None,
            waited: None,
            memo: None,
        }))
    }

    fn waits(&mut self, amount: u128, wait: Wait) -> TransactionId {
        let transaction = TransactionId::from_bytes([self.name(); 16]);
        let opened = self.clocks().run;
        self.push(EventBody::IntentOpened(Intent {
            transaction,
            session: SESSION,
            wallet: WALLET,
            asset: native(),
            to: LISTED.parse().expect("an address"),
            amount: units(amount),
            fee_ceiling: units(5),
            wait,
            opened,
            expires: WallTime::from_millis(u64::MAX),
            release_within: Millis::from_hours(1),
            policy_epoch: 1,
            idempotency: Digest::from_bytes([0; 32]),
            body: Digest::from_bytes([0; 32]),
            kept_until: WallTime::from_millis(0),
            request_nonce: None,
            submit: true,
            first_payment: false,
            replaces: None,
            action: None,
            rent_ceiling: None,
            call: None,
            more: None,
            memo: None,
            stake: None,
            asked: None,
            program: None,
        }));
        transaction
    }

    fn delay(&self, document: &PolicyDocument) -> Wait {
        Wait::Delay {
            ready: self.clocks().run.after(document.delay),
        }
    }

    fn ends(&mut self, transaction: TransactionId, cause: IntentEnd) -> &mut Self {
        self.push(EventBody::IntentsEnded {
            transactions: vec![transaction],
            cause,
        })
    }

    fn judged_by(&self, document: &PolicyDocument) -> Report {
        self.judged(document, 100)
    }

    fn judged(&self, document: &PolicyDocument, limit: usize) -> Report {
        assert_eq!(document.check(), Ok(()));
        let mut replay = Replay::new(document.clone(), limit);
        for (sequence, event) in (1..).zip(&self.events) {
            replay.event(sequence, event);
        }
        replay.finish()
    }
}

fn native() -> AssetId {
    CHAIN.native_asset()
}

fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

fn open_to_all() -> PolicyDocument {
    let mut document = sample();
    document.delay = Millis::from_hours(1);
    document
}

fn with_rule(change: impl FnOnce(&mut crate::policy::document::AssetRule)) -> PolicyDocument {
    let mut document = open_to_all();
    let mut rules = document.assets.iter_mut();
    let rule = rules.find(|rule| rule.asset == native());
    change(rule.expect("the sample has it"));
    document
}

/// One payment of each kind.
fn everyday() -> Log {
    let document = open_to_all();
    let mut log = Log::under(&document);
    log.hours(1).pays(5, Tier::Instant);
    log.hours(1).pays(20, Tier::Notify);
    log.hours(24);
    let delay = log.delay(&document);
    let delayed = log.waits(52, delay);
    log.hours(1).signs(delayed, 52, Tier::Delay);
    log.hours(24);
    let asked = Wait::Approval { quorum: 1 };
    let approved = log.waits(70, asked);
    log.hours(1).signs(approved, 70, Tier::Approval);
    let rejected = log.waits(70, asked);
    let cause = IntentEnd::Rejected {
        statement: StatementId::from_bytes([9; 16]),
        signers: vec![OwnerId::from_bytes([9; 16])],
    };
    log.ends(rejected, cause);
    let _waits_still = log.waits(75, asked);
    log
}

#[test]
fn the_document_that_bound_decides_everything_the_same() {
    let report = everyday().judged_by(&open_to_all());
    let same = Counts {
        same: 6,
        ..Counts::default()
    };
    assert_eq!(report.counts, same, "{:#?}", report.rows);
    assert_eq!(report.unexplained, 0);
    assert_eq!((report.rows.len(), report.left_out), (0, 0));
    assert_eq!(report.worst_day, None);
}

#[test]
fn a_tighter_document_tells_what_it_holds_up() {
    let tighter = with_rule(|rule| {
        rule.instant_up_to = units(1);
        rule.notify_up_to = units(10);
        rule.delay_up_to = units(30);
        rule.approve_up_to = units(60);
        rule.per_transaction = units(60);
    });
    let report = everyday().judged_by(&tighter);
    let counts = Counts {
        told: 1,
        waits: 1,
        asks: 1,
        denied: 3,
        ..Counts::default()
    };
    assert_eq!(report.counts, counts, "{:#?}", report.rows);
    let found: Vec<_> = report
        .rows
        .iter()
        .map(|row| (row.difference, row.why.clone(), row.fate))
        .collect();
    let amount = vec![Rule::Raised("amount")];
    let broken = vec![
        Rule::Broken(Code::PerTransactionLimit),
        Rule::Broken(Code::TierNotAvailable),
    ];
    assert_eq!(
        found,
        [
            (Difference::Told, amount.clone(), Fate::Signed),
            (Difference::Waits, amount.clone(), Fate::Signed),
            (Difference::Asks, amount, Fate::Signed),
            (Difference::Denied, broken.clone(), Fate::Signed),
            (
                Difference::Denied,
                broken.clone(),
                Fate::Ended(Ending::Rejected)
            ),
            (Difference::Denied, broken, Fate::Waits),
        ]
    );
    let worst = report.worst_day.expect("some were held up");
    assert_eq!((worst.payments, worst.held_up), (3, 3));
    assert_eq!(worst.begins.millis(), MONDAY + 48 * HOUR);
    assert_eq!(
        report.rules.first(),
        Some(&Frequent {
            rule: Rule::Broken(Code::PerTransactionLimit),
            payments: 3
        })
    );
    let refused = report.rows.last().expect("the last one");
    assert_eq!(refused.would, None);
    let values = refused.broken.first().expect("it breaks a rule");
    assert_eq!(values.allowed, Some(units(60)));
    assert_eq!(refused.contact.as_deref(), Some("hosting"));
    assert_eq!(refused.amount_text.as_deref(), Some("0.000000075 COIN"));
}

/// What an owner stopped and a looser document would have let pass is named apart.
#[test]
fn a_looser_document_tells_what_it_lets_pass() {
    let looser = with_rule(|rule| {
        rule.instant_up_to = units(80);
        rule.notify_up_to = units(80);
        rule.delay_up_to = units(80);
    });
    let report = everyday().judged_by(&looser);
    let counts = Counts {
        same: 1,
        easier: 5,
        ..Counts::default()
    };
    assert_eq!(report.counts, counts);
    assert_eq!(report.stopped_and_would_pass, 1);
    assert_eq!(report.worst_day, None);
    assert!(report.rules.is_empty());
}

#[test]
fn waits_and_quorums_are_compared_too() {
    let mut longer = open_to_all();
    longer.delay = Millis::from_hours(2);
    longer.approval.quorum = 2;
    let report = everyday().judged_by(&longer);
    assert_eq!((report.counts.waits, report.counts.asks), (1, 3));
    let mut shorter = open_to_all();
    shorter.delay = Millis::from_secs(60);
    assert_eq!(everyday().judged_by(&shorter).counts.easier, 1);
}

/// Sums are those of what was really spent, also where the proposed document would have refused.
#[test]
fn the_history_is_as_it_was() {
    let mut log = Log::under(&open_to_all());
    for _ in 0..4 {
        log.hours(1).pays(9, Tier::Instant);
    }
    let tight = with_rule(|rule| {
        rule.per_transaction = units(20);
        rule.instant_up_to = units(20);
        rule.notify_up_to = units(20);
        rule.delay_up_to = units(20);
        rule.approve_up_to = units(20);
        rule.hour = units(25);
        rule.day = units(25);
    });
    let report = log.judged_by(&tight);
    assert_eq!((report.counts.same, report.counts.denied), (2, 2));
    let last = report.rows.last().expect("the fourth");
    let day = last.broken.iter().find(|one| one.code == Code::DayLimit);
    assert_eq!(day.expect("it breaks the day").allowed, Some(units(0)));
    // A credit gives back what was charged.
    let mut credited = Log::under(&open_to_all());
    for _ in 0..2 {
        credited.hours(1).pays(9, Tier::Instant);
    }
    let charged_at = credited.clocks().budget;
    credited.push(EventBody::Credited {
        sequence: 5,
        wallet: WALLET,
        session: SESSION,
        charged_at,
        amounts: vec![Charge {
            asset: native(),
            amount: units(10),
        }],
        statement: StatementId::from_bytes([8; 16]),
        signers: vec![],
    });
    credited.hours(1).pays(9, Tier::Instant);
    assert_eq!(credited.judged_by(&tight).counts.same, 3);
}

/// Two documents bind until the later one matures; the strictest tier of both is what happened.
#[test]
fn what_bound_then_explains_what_happened() {
    let mut log = Log::under(&open_to_all());
    let mut looser = with_rule(|rule| rule.instant_up_to = units(40));
    looser.epoch = 2;
    log.hours(1).pays(20, Tier::Notify);
    log.adopt(&looser, 24 * HOUR);
    log.hours(1).pays(20, Tier::Notify);
    log.hours(24).pays(20, Tier::Instant);
    let report = log.judged_by(&looser);
    assert_eq!(report.unexplained, 0);
    assert_eq!((report.counts.easier, report.counts.same), (2, 1));
    // One that its owner's suspension voided never ends the one before it.
    let mut voided = Log::under(&open_to_all());
    voided.adopt(&looser, 24 * HOUR);
    voided.push(EventBody::OwnerSuspended {
        owner: OwnerId::from_bytes([3; 16]),
        policies: vec![2],
        sessions: vec![],
        changes: vec![],
        statement: None,
        signers: vec![],
    });
    voided.hours(48).pays(20, Tier::Notify);
    assert_eq!(voided.judged_by(&looser).unexplained, 0);
    // What no document explains is told.
    let mut strange = Log::under(&open_to_all());
    strange.hours(1).pays(20, Tier::Instant);
    assert_eq!(strange.judged_by(&open_to_all()).unexplained, 1);
}

#[test]
fn a_stranger_is_refused_and_refusals_are_counted_only() {
    let mut log = everyday();
    log.push(EventBody::DenialsCounted {
        session: Some(SESSION),
        code: Code::DayLimit,
        count: 7,
    });
    log.push(EventBody::DenialsCounted {
        session: None,
        code: Code::DayLimit,
        count: 2,
    });
    let mut elsewhere = open_to_all();
    for contact in &mut elsewhere.recipients {
        contact.account = format!("eip155:31337:{STRANGER}")
            .parse()
            .expect("an account");
    }
    let report = log.judged_by(&elsewhere);
    assert_eq!(report.counts.denied, 6);
    assert_eq!(report.refused.get(&Code::DayLimit), Some(&9));
    let rule = Rule::Broken(Code::RecipientNotListed);
    let most = report.rules.first().map(|most| (most.rule, most.payments));
    assert_eq!(most, Some((rule, 6)));
}

#[test]
fn the_list_is_bounded_and_newest() {
    let tighter = with_rule(|rule| rule.instant_up_to = units(0));
    let mut log = Log::under(&open_to_all());
    for _ in 0..9 {
        log.hours(3).pays(5, Tier::Instant);
    }
    let report = log.judged(&tighter, 4);
    assert_eq!((report.counts.told, report.left_out), (9, 5));
    let sequences: Vec<_> = report.rows.iter().map(|row| row.sequence).collect();
    assert_eq!(sequences, [10, 11, 12, 13]);
    assert_eq!(log.judged(&tighter, 0).left_out, 9);
}

/// At its release a payment is judged once more: sums of others count then.
#[test]
fn a_release_is_judged_too() {
    let document = open_to_all();
    let mut log = Log::under(&document);
    log.hours(1);
    let delay = log.delay(&document);
    let waiting = log.waits(52, delay);
    log.pays(30, Tier::Notify);
    log.hours(1).signs(waiting, 52, Tier::Delay);
    let tight = with_rule(|rule| {
        rule.per_transaction = units(80);
        rule.hour = units(80);
        rule.day = units(80);
    });
    let report = log.judged_by(&tight);
    assert_eq!((report.counts.same, report.counts.denied), (1, 1));
    let row = report.rows.first().expect("the one that waited");
    assert_eq!(
        row.why,
        [Rule::Broken(Code::HourLimit), Rule::Broken(Code::DayLimit)]
    );
    assert_eq!(row.fate, Fate::Signed);
}

mod logins;
mod voided;
