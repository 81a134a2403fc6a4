//! The golden files are what `waiaas policy replay` says of a small log, in words and as JSON.

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{Charge, Event, EventBody, Origin, SignedIn, Spend};
use waiaas_shared::ids::{MessageId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::intent::{Intent, IntentEnd, Wait};
use waiaas_shared::keys::AgentKey;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::replay::Replay;
use waiaas_shared::policy::toml_form;
use waiaas_shared::session::{Credential, SessionGrant};
use waiaas_shared::sign_in::SignIn;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{BudgetTime, Clocks, Millis, RunTime, WallTime};

use super::*;

const BOUND: &str = r#"
version = 1
epoch = 1
delay = "15m"

[[asset]]
id = "solana:localnet/slip44:501"
symbol = "SOL"
decimals = 9
instant-up-to = "1"
notify-up-to = "2"
delay-up-to = "5"
approve-up-to = "10"
per-transaction = "10"
hour = "25"
day = "25"
week = "40"
month = "80"
fee-ceiling = "0.001"

[[recipient]]
name = "hosting"
account = "solana:localnet:7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"

[[sign-in]]
domain = "app.example.org"
networks = ["solana:localnet"]
tier = "INSTANT"
valid-for = "10m"
count = { day = 10 }
"#;

/// Less a day and in one payment, fewer without asking; one login a day, and the owner is told.
const PROPOSED: [(&str, &str); 8] = [
    ("epoch = 1", "epoch = 2"),
    ("instant-up-to = \"1\"", "instant-up-to = \"0.5\""),
    ("delay-up-to = \"5\"", "delay-up-to = \"2\""),
    ("approve-up-to = \"10\"", "approve-up-to = \"8\""),
    ("per-transaction = \"10\"", "per-transaction = \"8\""),
    ("hour = \"25\"\nday = \"25\"", "hour = \"9\"\nday = \"9\""),
    ("tier = \"INSTANT\"", "tier = \"NOTIFY\""),
    ("count = { day = 10 }", "count = { day = 1 }"),
];

const HOSTING: &str = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";
const SESSION: SessionId = SessionId::from_bytes([2; 16]);
const WALLET: WalletId = WalletId::from_bytes([3; 16]);
const MINUTE: u64 = 60_000;
const SOL: u128 = 1_000_000_000;
const FEE: u128 = 5000;

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    minutes: u64,
}

impl Log {
    fn clocks(&self) -> Clocks {
        let millis = self.minutes * MINUTE;
        Clocks {
            wall: WallTime::from_millis(1_795_219_200_000 + millis),
            run: RunTime::from_millis(millis),
            budget: BudgetTime::from_millis(millis),
        }
    }

    fn push(&mut self, minutes: u64, body: EventBody) {
        self.minutes += minutes;
        let clocks = self.clocks();
        self.events.push(Event { clocks, body });
    }

    fn drafted(&mut self, number: u8, facts: StatementFacts) -> StatementId {
        let statement = StatementId::from_bytes([number; 16]);
        let text = to_canonical(&"text".to_owned());
        let body = EventBody::StatementIssued {
            statement,
            facts,
            policy_epoch: 0,
            expires: WallTime::from_millis(u64::MAX),
            origin: Origin::Admin,
            text: from_canonical(&text).unwrap(),
        };
        self.push(0, body);
        statement
    }

    fn signed(&mut self, minutes: u64, number: u8, amount: u128, tier: Tier) {
        let asset = asset();
        let units = Amount::from_base_units;
        let spend = Spend {
            transaction: TransactionId::from_bytes([number; 16]),
            session: Some(SESSION),
            wallet: WALLET,
            chain: asset.chain(),
            unsigned: vec![],
            effects: vec![
                Effect::Transfer {
                    asset,
                    to: HOSTING.parse().unwrap(),
                    amount: units(amount),
                },
                Effect::Fee {
                    asset,
                    max: units(FEE),
                },
            ],
            charges: vec![Charge {
                asset,
                amount: units(amount + FEE),
            }],
            tier,
            policy_epoch: 1,
            nonce: None,
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
        };
        self.push(minutes, EventBody::SpendCommitted(spend));
    }

    fn opened(&mut self, minutes: u64, number: u8, amount: u128, wait: Wait) -> TransactionId {
        self.minutes += minutes;
        let transaction = TransactionId::from_bytes([number; 16]);
        let opened = self.clocks().run;
        let intent = Intent {
            transaction,
            session: SESSION,
            wallet: WALLET,
            asset: asset(),
            to: HOSTING.parse().unwrap(),
            amount: Amount::from_base_units(amount),
            fee_ceiling: Amount::from_base_units(1_000_000),
            wait: match wait {
                Wait::Delay { .. } => Wait::Delay {
                    ready: opened.after(Millis::from_secs(900)),
                },
                asks => asks,
            },
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
        };
        self.push(0, EventBody::IntentOpened(intent));
        transaction
    }
}

fn signed_in(log: &mut Log, minutes: u64, number: u8) {
    log.minutes += minutes;
    let issued = log.clocks().wall;
    let entry = SignedIn {
        message: MessageId::from_bytes([number; 16]),
        session: SESSION,
        wallet: WALLET,
        fields: SignIn {
            chain: asset().chain(),
            account: HOSTING.parse().unwrap(),
            domain: "app.example.org".to_owned(),
            uri: "https://app.example.org".to_owned(),
            nonce: "abcdefgh".to_owned(),
            statement: None,
            issued,
            expires: issued.after(Millis::from_secs(600)),
            request_id: None,
            resources: vec![],
        },
        text: String::new(),
        tier: Tier::Instant,
        policy_epoch: 1,
        idempotency: Digest::from_bytes([0; 32]),
        body: Digest::from_bytes([0; 32]),
        kept_until: WallTime::from_millis(0),
        request_nonce: None,
    };
    log.push(0, EventBody::SignedIn(entry));
}

fn asset() -> AssetId {
    "solana:localnet/slip44:501".parse().unwrap()
}

fn log(bound: &PolicyDocument) -> Vec<Event> {
    let mut log = Log::default();
    let document = bound.to_bytes();
    let statement = log.drafted(1, StatementFacts::AdoptPolicy { document });
    let adopted = EventBody::PolicyAdopted {
        statement,
        signers: vec![],
        epoch: 1,
        digest: bound.digest(),
        matures: RunTime::from_millis(0),
    };
    log.push(0, adopted);
    let grant = SessionGrant {
        wallets: vec![WALLET],
        limits: vec![],
        count: 9,
        expires: WallTime::from_millis(u64::MAX),
        credential: Credential::AgentKey(AgentKey::from_bytes([7; 32])),
        recipients: None,
        operations: None,
        renewal: None,
        agent: None,
    };
    let statement = log.drafted(2, StatementFacts::GrantSession { grant });
    let granted = EventBody::SessionGranted {
        session: SESSION,
        statement,
        signers: vec![],
    };
    log.push(0, granted);
    log.signed(30, 10, SOL / 4, Tier::Instant);
    log.signed(45, 11, 3 * SOL / 4, Tier::Instant);
    let delay = Wait::Delay {
        ready: RunTime::default(),
    };
    let delayed = log.opened(24 * 60, 12, 4 * SOL, delay);
    log.signed(15, 12, 4 * SOL, Tier::Delay);
    assert_eq!(delayed, TransactionId::from_bytes([12; 16]));
    let asks = Wait::Approval { quorum: 1 };
    log.opened(60, 13, 7 * SOL, asks);
    log.signed(30, 13, 7 * SOL, Tier::Approval);
    let rejected = log.opened(10, 14, 9 * SOL, asks);
    let ended = EventBody::IntentsEnded {
        transactions: vec![rejected],
        cause: IntentEnd::Rejected {
            statement: StatementId::from_bytes([9; 16]),
            signers: vec![],
        },
    };
    log.push(5, ended);
    let refused = EventBody::DenialsCounted {
        session: Some(SESSION),
        code: Code::DayLimit,
        count: 12,
    };
    log.push(5, refused);
    signed_in(&mut log, 1, 20);
    signed_in(&mut log, 1, 21);
    log.events
}

#[test]
fn a_replay_in_words_and_as_json() {
    let bound = toml_form::parse(BOUND).unwrap();
    let mut text = BOUND.to_owned();
    for (from, to) in PROPOSED {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let mut replay = Replay::new(toml_form::parse(&text).unwrap(), 3);
    for (sequence, event) in (1..).zip(&log(&bound)) {
        replay.event(sequence, event);
    }
    let report = replay.finish();
    let json = serde_json::to_string_pretty(&report).unwrap();
    for (name, said) in [
        ("policy-replay.txt", words(&report)),
        ("policy-replay.json", json),
    ] {
        let file = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("WAIAAS_REGENERATE").is_some() {
            std::fs::write(&file, &said).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(said, golden, "{name}: WAIAAS_REGENERATE=1");
    }
}
