//! One event of each kind, and more of those whose fields differ much. Only values: nothing is checked
//! here. Used by `main`.

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::agent::AgentStage;
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AccountId, ChainId, Family};
use waiaas_shared::denial::{Code, Violation};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{Charge, EventBody, Origin, Replaces, RequestNonce, Spend, Waited};
use waiaas_shared::ids::{
    AgentId, OwnerId, SessionId, SignerId, StatementId, TransactionId, WalletId,
};
use waiaas_shared::intent::{Intent, IntentEnd, Moved, Wait};
use waiaas_shared::keys::{AgentKey, KeyPath, OwnerKey};
use waiaas_shared::owner_change::{KnownKey, NewKey, OwnerChange};
use waiaas_shared::policy::alarm::{
    Action, Alarm, Condition, Escalation, Remedy, Subject, Trigger,
};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::Counts;
use waiaas_shared::policy::scope::{Hours, Scope};
use waiaas_shared::policy::windows::Window;
use waiaas_shared::request;
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit};
use waiaas_shared::statement::text::{NonceFacts, Quorum, StatementView, WalletFacts, compose};
use waiaas_shared::statement::verify::Envelope;
use waiaas_shared::statement::{GuardianStop, StatementFacts, StatementHeader};
use waiaas_shared::time::{BudgetTime, Millis, RunTime, WallTime};

use crate::agents::about_agents;
use crate::authorizations::authorizations;
use crate::kind;
use crate::programs::about_programs;
use crate::sign_ins::logins;
use crate::stakes::about_stakes;
use crate::variants::about_variants;

pub(crate) fn bytes(first: u8) -> [u8; 16] {
    [first; 16]
}

pub(crate) fn statement() -> StatementId {
    StatementId::from_bytes(bytes(0x10))
}

fn owner() -> OwnerId {
    OwnerId::from_bytes(bytes(0x20))
}

pub(crate) fn evm_wallet() -> WalletId {
    WalletId::from_bytes(bytes(0x30))
}

pub(crate) fn solana_wallet() -> WalletId {
    WalletId::from_bytes(bytes(0x31))
}

pub(crate) fn session() -> SessionId {
    SessionId::from_bytes(bytes(0x40))
}

pub(crate) fn evm() -> ChainId {
    ChainId::Evm(31_337)
}

fn solana() -> ChainId {
    "solana:localnet".parse().unwrap()
}

pub(crate) fn evm_account() -> Account {
    Account::Evm(EvmAddress::from_bytes([0xa1; 20]))
}

fn solana_account() -> Account {
    Account::Solana(SolanaAddress::from_bytes([0xb2; 32]))
}

pub(crate) fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

pub(crate) fn wall() -> WallTime {
    WallTime::from_millis(1_795_000_000_000)
}

fn document() -> PolicyDocument {
    let rule = |chain: ChainId, symbol: &str, places| AssetRule {
        per_transaction: units(100),
        hour: units(200),
        day: units(300),
        week: units(400),
        month: units(1 << 70),
        counts: Counts {
            day: Some(10),
            ..Counts::default()
        },
        instant_up_to: units(10),
        notify_up_to: units(50),
        delay_up_to: units(60),
        approve_up_to: units(80),
        fee_ceiling: Some(units(5)),
        outstanding: (chain.family() == Family::Evm).then(|| units(1000)),
        sign_only: chain.family() == Family::Evm,
        ..AssetRule::closed(chain.native_asset(), symbol, Decimals::new(places).unwrap())
    };
    let mut document = PolicyDocument {
        assets: vec![rule(evm(), "ETH", 18), rule(solana(), "SOL", 9)],
        recipients: vec![
            Recipient {
                account: AccountId::new(evm(), evm_account()).unwrap(),
                name: "hosting".to_owned(),
            },
            Recipient {
                account: AccountId::new(solana(), solana_account()).unwrap(),
                name: "data".to_owned(),
            },
        ],
        ..PolicyDocument::closed(1)
    };
    document.sort();
    document.check().unwrap();
    document
}

pub(crate) fn grant() -> SessionGrant {
    let limit = |chain: ChainId| SessionLimit {
        asset: chain.native_asset(),
        per_transaction: units(20),
        total: units(500),
    };
    let mut limits = vec![limit(evm()), limit(solana())];
    limits.sort_by_key(|limit| limit.asset);
    let grant = SessionGrant {
        wallets: vec![evm_wallet(), solana_wallet()],
        limits,
        count: 100,
        expires: wall().after(Millis::from_hours(24)),
        credential: Credential::AgentKey(AgentKey::from_bytes([0xc3; 32])),
        recipients: None,
        operations: None,
        renewal: None,
        agent: None,
    };
    assert!(grant.is_well_formed());
    grant
}

fn spend() -> Spend {
    Spend {
        transaction: TransactionId::from_bytes(bytes(0x50)),
        session: Some(session()),
        wallet: evm_wallet(),
        chain: evm(),
        unsigned: vec![0x02, 0xc0],
        effects: vec![
            Effect::Transfer {
                asset: evm().native_asset(),
                to: evm_account(),
                amount: units(1 << 64),
            },
            Effect::Fee {
                asset: evm().native_asset(),
                max: units(21_000),
            },
        ],
        charges: vec![Charge {
            asset: evm().native_asset(),
            amount: units((1 << 64) + 21_000),
        }],
        tier: Tier::Notify,
        policy_epoch: 1,
        nonce: Some(7),
        idempotency: hash(Domain::Idempotency, &[b"agent", b"key"]),
        body: hash(Domain::RequestBody, &[b"{}"]),
        kept_until: wall().after(Millis::from_hours(24)),
        request_nonce: Some(RequestNonce {
            nonce: "nonce-0001".to_owned(),
            expires: wall().after(Millis::from_secs(120)),
        }),
        submit: true,
        from: None,
        fee_ceiling: None,
        replaces: None,
        waited: None,
        memo: None,
    }
}

fn replaces() -> Replaces {
    Replaces {
        transaction: TransactionId::from_bytes(bytes(0x51)),
        tries: 1,
    }
}

pub(crate) fn withdrawal() -> Spend {
    Spend {
        session: None,
        wallet: solana_wallet(),
        chain: solana(),
        unsigned: vec![0x01],
        effects: vec![
            Effect::Transfer {
                asset: solana().native_asset(),
                to: solana_account(),
                amount: units(u64::MAX.into()),
            },
            Effect::Fee {
                asset: solana().native_asset(),
                max: units(5000),
            },
        ],
        charges: vec![Charge {
            asset: solana().native_asset(),
            amount: units(u128::from(u64::MAX) + 5000),
        }],
        tier: Tier::Instant,
        policy_epoch: 0,
        nonce: None,
        request_nonce: None,
        submit: false,
        ..spend()
    }
}

pub(crate) fn transaction() -> TransactionId {
    spend().transaction
}

/// A call of which the first argument is an amount of a token.
fn told() -> waiaas_shared::evm::abi::Invocation {
    let own = waiaas_shared::address::EvmAddress::from_bytes([0xb2; 20]);
    let function = "deposit(uint256,address)".parse().expect("a function");
    let arguments = ["700".to_owned(), own.to_string()];
    let told = waiaas_shared::evm::abi::Invocation::read(own, function, &arguments);
    let token = "eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
    waiaas_shared::evm::abi::Invocation {
        spends: vec![Some(token.parse().expect("a token")), None],
        ..told.expect("its arguments")
    }
}

/// Rules about which owners are asked.
fn broken() -> Vec<Violation> {
    let (observed, allowed) = (Amount::from_base_units(9), Amount::from_base_units(7));
    let asset = intent().asset;
    vec![
        Violation {
            window: Some(Window::Hour),
            ..Violation::limit(Code::HourLimit, asset, observed, allowed)
        },
        Violation {
            scope: Some(Scope::Pool("ops".to_owned())),
            window: Some(Window::Month),
            recipient: AccountId::new(evm(), evm_account()).ok(),
            ..Violation::limit(Code::RecipientLimit, asset, observed, allowed)
        },
        Violation::of(Code::RecipientNotListed),
    ]
}

fn intent() -> Intent {
    Intent {
        transaction: transaction(),
        session: session(),
        wallet: evm_wallet(),
        asset: evm().native_asset(),
        to: evm_account(),
        amount: units(9),
        fee_ceiling: units(5),
        wait: Wait::Approval { quorum: 2 },
        opened: RunTime::from_millis(4000),
        expires: wall().after(Millis::from_hours(12)),
        release_within: Millis::from_hours(1),
        policy_epoch: 1,
        idempotency: hash(Domain::Idempotency, &[b"key"]),
        body: hash(Domain::RequestBody, &[b"body"]),
        kept_until: wall().after(Millis::from_hours(24)),
        request_nonce: Some(RequestNonce {
            nonce: "0123456789abcdef".to_owned(),
            expires: wall().after(Millis::from_secs(120)),
        }),
        submit: true,
        first_payment: true,
        replaces: None,
        action: None,
        rent_ceiling: None,
        call: None,
        more: None,
        memo: None,
        stake: None,
        asked: None,
        program: None,
    }
}

/// What the texts are written from.
struct View(PolicyDocument, SessionGrant, Intent);

impl StatementView for View {
    fn wallet(&self, wallet: WalletId) -> Option<WalletFacts> {
        let (account, network) = if wallet == evm_wallet() {
            (evm_account(), evm())
        } else {
            (solana_account(), solana())
        };
        Some(WalletFacts {
            account,
            networks: vec![network],
            former: vec![Account::Evm(EvmAddress::from_bytes([0xa7; 20]))],
        })
    }

    fn nonces(&self, _: WalletId, _: Option<Account>, _: ChainId) -> Option<NonceFacts> {
        Some(NonceFacts {
            next: 7,
            gaps: vec![],
        })
    }

    fn agent(&self, _: AgentId) -> Option<AgentStage> {
        Some(AgentStage::Suspended)
    }

    fn newest_policy(&self) -> Option<&PolicyDocument> {
        Some(&self.0)
    }

    fn wallets_on(&self, _: ChainId) -> usize {
        1
    }

    fn session(&self, _: SessionId) -> Option<&SessionGrant> {
        Some(&self.1)
    }

    fn intent(&self, _: TransactionId) -> Option<&Intent> {
        Some(&self.2)
    }

    fn policy_epoch(&self) -> u64 {
        self.0.epoch
    }

    fn quorum(&self) -> Quorum {
        Quorum {
            needed: 1,
            owners: 1,
        }
    }

    fn owner_key(&self, _: OwnerId) -> Option<OwnerKey> {
        Some(key())
    }

    fn guardian_key(&self, _: OwnerId) -> Option<OwnerKey> {
        Some(key())
    }

    fn pending(&self, _: StatementId) -> Option<&OwnerChange> {
        Some(&OwnerChange::SetQuorum { quorum: 2 })
    }

    fn pauses(&self) -> Vec<&'static str> {
        vec!["a pause that somebody asked for"]
    }
}

fn key() -> OwnerKey {
    OwnerKey::Ed25519(SolanaAddress::from_bytes([0xd4; 32]))
}

fn new_key() -> NewKey {
    NewKey {
        id: owner(),
        key: key(),
        envelope: Envelope::Ed25519OffchainV1,
    }
}

fn known_key() -> KnownKey {
    KnownKey {
        id: owner(),
        key: key(),
    }
}

fn credit() -> Vec<Charge> {
    vec![Charge {
        asset: evm().native_asset(),
        amount: units(1 << 64),
    }]
}

/// Statements about owners.
fn facts_about_owners() -> Vec<(&'static str, StatementFacts)> {
    let change = StatementId::from_bytes(bytes(0x11));
    vec![
        ("add-owner", StatementFacts::AddOwner { key: key() }),
        (
            "remove-owner",
            StatementFacts::RemoveOwner { owner: owner() },
        ),
        ("set-quorum", StatementFacts::SetQuorum { quorum: 2 }),
        (
            "cancel-owner-change",
            StatementFacts::CancelOwnerChange { change },
        ),
        (
            "suspend-owner",
            StatementFacts::SuspendOwner { owner: owner() },
        ),
        (
            "lift-suspension",
            StatementFacts::LiftSuspension { owner: owner() },
        ),
        (
            "credit",
            StatementFacts::Credit {
                sequence: 300,
                transaction: spend().transaction,
                wallet: evm_wallet(),
                amounts: credit(),
            },
        ),
        (
            "recover-owners",
            StatementFacts::RecoverOwners { key: key() },
        ),
        ("add-guardian", StatementFacts::AddGuardian { key: key() }),
        (
            "remove-guardian",
            StatementFacts::RemoveGuardian { guardian: owner() },
        ),
        (
            "guardian-stop",
            StatementFacts::GuardianStop {
                stop: GuardianStop::PauseAll,
            },
        ),
        (
            "guardian-stop-kill",
            StatementFacts::GuardianStop {
                stop: GuardianStop::Kill,
            },
        ),
        (
            "guardian-stop-cancel",
            StatementFacts::GuardianStop {
                stop: GuardianStop::CancelChange { change },
            },
        ),
        ("retire", StatementFacts::Retire),
        (
            "resume-session",
            StatementFacts::ResumeSession { session: session() },
        ),
        ("sign-of-life", StatementFacts::SignOfLife),
    ]
}

/// Events that nobody asked for, and what lifts them: an alarm has a file for each condition, and one for
/// each other trigger.
fn about_alarms() -> Vec<(String, EventBody)> {
    let window = Millis::from_hours(1);
    let hours = vec![Hours {
        utc_offset: 540,
        days: 0x1f,
        from: 540,
        to: 1080,
    }];
    let alarm = |condition, remedy| Trigger::Alarm(Alarm { condition, remedy });
    let of_session = Subject::Session(session());
    let of_wallet = Subject::Wallet(evm_wallet());
    let raised = [
        (
            "",
            alarm(
                Condition::DenialsInARow { count: 10 },
                Remedy::SuspendSession,
            ),
            of_session,
        ),
        (
            "-signatures",
            alarm(
                Condition::Signatures { count: 100, window },
                Remedy::PauseWallet,
            ),
            of_wallet,
        ),
        (
            "-velocity",
            alarm(Condition::Velocity { times: 5, window }, Remedy::Tell),
            of_wallet,
        ),
        (
            "-hours",
            alarm(Condition::OutsideHours { hours }, Remedy::Kill),
            of_wallet,
        ),
        (
            "-open",
            alarm(Condition::OpenPayments { count: 8 }, Remedy::Tell),
            of_wallet,
        ),
        (
            "-idle",
            alarm(Condition::Idle { after: window }, Remedy::PauseWallet),
            of_wallet,
        ),
        (
            "-violation",
            Trigger::Violation(Escalation {
                code: Code::RecipientDenied,
                action: Action::SuspendSession,
            }),
            of_session,
        ),
        (
            "-dead-man",
            Trigger::DeadMan {
                after: Millis::from_hours(24 * 30),
            },
            Subject::Everything,
        ),
    ];
    let mut samples: Vec<_> = raised
        .into_iter()
        .map(|(name, trigger, subject)| {
            let body = EventBody::AlarmRaised {
                trigger,
                subject,
                session: (subject != Subject::Everything).then(session),
                observed: units(1 << 65),
                asset: (name == "-velocity").then(|| evm().native_asset()),
                mark: 300,
            };
            (format!("alarm-raised{name}"), body)
        })
        .collect();
    let (signers, statement) = (vec![owner()], statement());
    let others = [
        EventBody::SessionSuspended { session: session() },
        EventBody::SessionResumed {
            session: session(),
            statement,
            signers: signers.clone(),
        },
        EventBody::OwnerAlive { statement, signers },
        EventBody::DenialNoted {
            session: session(),
            body: hash(Domain::RequestBody, &[b"{}"]),
            code: Code::DayLimit,
        },
    ];
    samples.extend(others.map(|body| (kind(&body).to_owned(), body)));
    samples.push((
        "paused-by-alarm".to_owned(),
        EventBody::Paused {
            wallet: Some(evm_wallet()),
            origin: Origin::Signer,
        },
    ));
    samples
}

/// Events about owners: the change that is scheduled has a file for each of its kinds.
fn about_owners() -> Vec<(String, EventBody)> {
    let (signers, statement) = (vec![owner()], statement());
    let change = StatementId::from_bytes(bytes(0x11));
    let scheduled = |name: &str, change| {
        let body = EventBody::OwnerChangeScheduled {
            change,
            effective: RunTime::from_millis(72 * 3_600_000),
            statement,
            signers: signers.clone(),
        };
        (format!("owner-change-scheduled{name}"), body)
    };
    let account = AccountId::new(evm(), evm_account()).unwrap();
    let recovery = OwnerChange::Recover {
        key: new_key(),
        guardians: vec![owner()],
    };
    let bodies = [
        EventBody::OwnerChangeCancelled {
            change,
            statement,
            signers: signers.clone(),
        },
        EventBody::OwnerChangeEffective { change },
        EventBody::OwnerChangeVoided {
            change,
            code: Code::QuorumRange,
        },
        EventBody::OwnerSuspended {
            owner: owner(),
            policies: vec![3, 4],
            sessions: vec![session()],
            changes: vec![change],
            statement: Some(statement),
            signers: signers.clone(),
        },
        EventBody::SuspensionLifted {
            owner: owner(),
            statement,
            signers: signers.clone(),
        },
        EventBody::Credited {
            sequence: 300,
            wallet: evm_wallet(),
            session: session(),
            charged_at: BudgetTime::from_millis(4_000),
            amounts: credit(),
            statement,
            signers: signers.clone(),
        },
        EventBody::GuardianStopped {
            statement,
            guardians: signers.clone(),
        },
        EventBody::Retired {
            statement,
            signers: signers.clone(),
        },
        EventBody::SnapshotTaken {
            version: 1,
            sequence: 8_192,
            digest: Digest::from_bytes([0x17; 32]),
        },
        EventBody::HeadMissed {
            sequence: 9_000,
            hash: Digest::from_bytes([0x18; 32]),
            signature: vec![0x19; 64],
        },
    ];
    let mut samples = vec![
        scheduled("", OwnerChange::AddOwner(new_key())),
        scheduled("-remove", OwnerChange::RemoveOwner(known_key())),
        scheduled("-quorum", OwnerChange::SetQuorum { quorum: 2 }),
        scheduled("-guardian", OwnerChange::AddGuardian(new_key())),
        scheduled("-guardian-remove", OwnerChange::RemoveGuardian(known_key())),
        scheduled("-withdrawal", OwnerChange::EnrolWithdrawal { account }),
        scheduled("-recovery", recovery),
        (
            "owner-suspended-by-password".to_owned(),
            EventBody::OwnerSuspended {
                owner: owner(),
                policies: Vec::new(),
                sessions: Vec::new(),
                changes: Vec::new(),
                statement: None,
                signers: Vec::new(),
            },
        ),
    ];
    samples.extend(bodies.map(|body| (kind(&body).to_owned(), body)));
    samples
}

/// Each kind of statement, by the name of its golden file.
fn facts() -> Vec<(&'static str, StatementFacts)> {
    let next_document = PolicyDocument {
        epoch: 2,
        ..document()
    };
    let evm_recipient = AccountId::new(evm(), evm_account()).unwrap();
    vec![
        (
            "enrol-owner",
            StatementFacts::EnrolOwner {
                key: OwnerKey::Ed25519(SolanaAddress::from_bytes([0xd4; 32])),
                withdrawals: vec![evm_recipient],
            },
        ),
        (
            "adopt-policy",
            StatementFacts::AdoptPolicy {
                document: next_document.to_bytes(),
            },
        ),
        (
            "grant-session",
            StatementFacts::GrantSession { grant: grant() },
        ),
        (
            "release-kill",
            StatementFacts::ReleaseKill {
                epoch: 1,
                sessions: vec![session()],
            },
        ),
        (
            "release-pause",
            StatementFacts::ReleasePause {
                wallet: Some(evm_wallet()),
            },
        ),
        (
            "release-pause-all",
            StatementFacts::ReleasePause { wallet: None },
        ),
        (
            "withdraw",
            StatementFacts::Withdraw {
                wallet: evm_wallet(),
                asset: evm().native_asset(),
                to: evm_account(),
                amount: units(9),
                fee_ceiling: units(5),
                nonce: Some(6),
                from: None,
            },
        ),
        (
            "attest-nonce",
            StatementFacts::AttestNonce {
                wallet: evm_wallet(),
                chain: evm(),
                next: 9,
                from: None,
            },
        ),
        ("state-time", StatementFacts::StateTime { wall: wall() }),
        (
            "enrol-withdrawal",
            StatementFacts::EnrolWithdrawal {
                account: evm_recipient,
            },
        ),
        (
            "approve-payment",
            StatementFacts::ApprovePayment {
                transaction: transaction(),
            },
        ),
        (
            "reject-payment",
            StatementFacts::RejectPayment {
                transaction: transaction(),
            },
        ),
    ]
}

pub(crate) fn issued(facts: StatementFacts) -> EventBody {
    let header = StatementHeader {
        signer: SignerId::from_bytes(bytes(0x01)),
        statement: statement(),
        policy_epoch: 1,
        expires: wall().after(Millis::from_hours(1)),
    };
    let text = compose(&header, &facts, &View(document(), grant(), intent())).unwrap();
    EventBody::StatementIssued {
        statement: header.statement,
        facts,
        policy_epoch: header.policy_epoch,
        expires: header.expires,
        origin: Origin::Admin,
        text,
    }
}

/// One event of each kind and more of those whose fields differ much, by the name of the golden file.
pub(crate) fn samples() -> Vec<(String, EventBody)> {
    let signers = vec![owner()];
    let bodies = [
        EventBody::Created {
            signer: SignerId::from_bytes(bytes(0x01)),
        },
        EventBody::Unlocked {
            journal: hash(Domain::Journal, &[]),
            vouched: Millis::from_hours(2),
            failures: 3,
            journal_lost: false,
        },
        EventBody::Locked {
            origin: Origin::Admin,
        },
        EventBody::ClockStepped {
            seen: wall().after(Millis::from_hours(240)),
        },
        EventBody::OwnerEnrolled {
            owner: owner(),
            key: OwnerKey::Secp256k1(EvmAddress::from_bytes([0xd4; 20])),
            envelope: Envelope::Eip191,
            withdrawals: vec![AccountId::new(evm(), evm_account()).unwrap()],
            statement: statement(),
        },
        EventBody::WalletCreated {
            wallet: evm_wallet(),
            path: KeyPath {
                family: Family::Evm,
                index: 0,
            },
            account: evm_account(),
            networks: vec![evm()],
            first_nonce: 4,
        },
        EventBody::PolicyAdopted {
            statement: statement(),
            signers: signers.clone(),
            epoch: 1,
            digest: document().digest(),
            matures: RunTime::from_millis(3_600_000),
        },
        EventBody::SessionGranted {
            session: session(),
            statement: statement(),
            signers: signers.clone(),
        },
        EventBody::SessionRevoked {
            session: session(),
            origin: Origin::Gateway,
        },
        EventBody::SessionExpired { session: session() },
        EventBody::SpendCommitted(spend()),
        EventBody::Withdrawn {
            statement: statement(),
            signers: signers.clone(),
            spend: withdrawal(),
        },
        EventBody::Paused {
            wallet: Some(evm_wallet()),
            origin: Origin::Gateway,
        },
        EventBody::PauseReleased {
            wallet: Some(evm_wallet()),
            statement: statement(),
            signers: signers.clone(),
        },
        EventBody::Killed {
            epoch: 1,
            origin: Origin::Gateway,
        },
        EventBody::KillReleased {
            epoch: 1,
            sessions: vec![session()],
            statement: statement(),
            signers: signers.clone(),
        },
        EventBody::NonceAttested {
            wallet: evm_wallet(),
            chain: evm(),
            next: 9,
            statement: statement(),
            signers: signers.clone(),
            from: None,
        },
        EventBody::TimeStated {
            wall: wall(),
            statement: statement(),
            signers: signers.clone(),
        },
        EventBody::WithdrawalEnrolled {
            account: AccountId::new(solana(), solana_account()).unwrap(),
            effective: RunTime::from_millis(72 * 3_600_000),
            statement: statement(),
            signers: signers.clone(),
        },
        EventBody::DenialsCounted {
            session: Some(session()),
            code: Code::DayLimit,
            count: 12,
        },
        EventBody::IntentOpened(intent()),
        EventBody::IntentApproved {
            transaction: transaction(),
            statement: statement(),
            signers: signers.clone(),
            until: RunTime::from_millis(3_604_000),
        },
        EventBody::IntentsEnded {
            transactions: vec![transaction()],
            cause: IntentEnd::Cancelled {
                origin: Origin::Gateway,
            },
        },
    ];
    let more = [
        (
            "wallet-created-solana",
            EventBody::WalletCreated {
                wallet: solana_wallet(),
                path: KeyPath {
                    family: Family::Solana,
                    index: 1,
                },
                account: solana_account(),
                networks: vec![solana()],
                first_nonce: 0,
            },
        ),
        (
            "paused-all",
            EventBody::Paused {
                wallet: None,
                origin: Origin::Admin,
            },
        ),
        (
            "pause-released-all",
            EventBody::PauseReleased {
                wallet: None,
                statement: statement(),
                signers: signers.clone(),
            },
        ),
        (
            "denials-counted-no-session",
            EventBody::DenialsCounted {
                session: None,
                code: Code::NotInitialized,
                count: 1,
            },
        ),
        (
            "intent-opened-delay",
            EventBody::IntentOpened(Intent {
                wait: Wait::Delay {
                    ready: RunTime::from_millis(904_000),
                },
                request_nonce: None,
                ..intent()
            }),
        ),
        (
            "nonce-attested-former",
            EventBody::NonceAttested {
                wallet: evm_wallet(),
                chain: evm(),
                next: 9,
                statement: statement(),
                signers: signers.clone(),
                from: Some(evm_account()),
            },
        ),
        (
            "intent-opened-asked",
            EventBody::IntentOpened(Intent {
                asked: Some(broken()),
                ..intent()
            }),
        ),
        (
            "intent-opened-approve",
            EventBody::IntentOpened(Intent {
                asset: "eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
                    .parse()
                    .expect("a token"),
                action: Some(request::Action::Approve),
                ..intent()
            }),
        ),
        (
            "intent-opened-call",
            EventBody::IntentOpened(Intent {
                amount: Amount::from_base_units(7),
                action: Some(request::Action::Call),
                call: Some(Box::new(told())),
                ..intent()
            }),
        ),
        (
            "spend-committed-call",
            EventBody::SpendCommitted(Spend {
                effects: waiaas_shared::evm::call_effects(
                    intent().asset.chain(),
                    waiaas_shared::address::EvmAddress::from_bytes([0xd4; 20]),
                    Amount::from_base_units(7),
                    &told(),
                )
                .expect("counted"),
                ..spend()
            }),
        ),
        (
            "intent-opened-replaces",
            EventBody::IntentOpened(Intent {
                replaces: Some(replaces()),
                ..intent()
            }),
        ),
        (
            "intent-opened-token",
            EventBody::IntentOpened(Intent {
                wallet: solana_wallet(),
                asset: "solana:localnet/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
                    .parse()
                    .unwrap(),
                to: solana_account(),
                rent_ceiling: Some(units(2_039_280)),
                ..intent()
            }),
        ),
        (
            "intent-opened-batch",
            EventBody::IntentOpened(Intent {
                wallet: solana_wallet(),
                asset: "solana:localnet/slip44:501".parse().unwrap(),
                to: solana_account(),
                more: Some(vec![Moved {
                    asset: "solana:localnet/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
                        .parse()
                        .unwrap(),
                    to: solana_account(),
                    amount: units(12_500_000),
                }]),
                memo: Some("payroll 11".parse().unwrap()),
                ..intent()
            }),
        ),
        (
            "spend-committed-memo",
            EventBody::SpendCommitted(Spend {
                memo: Some("payroll 11".parse().unwrap()),
                ..spend()
            }),
        ),
        (
            "spend-committed-replaces",
            EventBody::SpendCommitted(Spend {
                replaces: Some(replaces()),
                ..spend()
            }),
        ),
        (
            "spend-committed-waited",
            EventBody::SpendCommitted(Spend {
                tier: Tier::Approval,
                waited: Some(Waited {
                    since: RunTime::from_millis(4000),
                    approved: signers.clone(),
                    asked: None,
                }),
                ..spend()
            }),
        ),
        (
            "spend-committed-waited-asked",
            EventBody::SpendCommitted(Spend {
                tier: Tier::Approval,
                waited: Some(Waited {
                    since: RunTime::from_millis(4000),
                    approved: signers.clone(),
                    asked: Some(broken()),
                }),
                ..spend()
            }),
        ),
        (
            "intents-ended-rejected",
            EventBody::IntentsEnded {
                transactions: vec![transaction()],
                cause: IntentEnd::Rejected {
                    statement: statement(),
                    signers: signers.clone(),
                },
            },
        ),
        (
            "intents-ended-expired",
            EventBody::IntentsEnded {
                transactions: vec![transaction()],
                cause: IntentEnd::Expired,
            },
        ),
        (
            "intents-ended-session",
            EventBody::IntentsEnded {
                transactions: vec![transaction()],
                cause: IntentEnd::SessionEnded,
            },
        ),
        (
            "intents-ended-killed",
            EventBody::IntentsEnded {
                transactions: vec![],
                cause: IntentEnd::Killed,
            },
        ),
    ];
    let statements = facts()
        .into_iter()
        .chain(facts_about_owners())
        .map(|(name, facts)| (format!("statement-issued-{name}"), issued(facts)));
    bodies
        .into_iter()
        .map(|body| (kind(&body).to_owned(), body))
        .chain(more.into_iter().map(|(name, body)| (name.to_owned(), body)))
        .chain(statements)
        .chain(about_owners())
        .chain(about_agents(&signers))
        .chain(logins())
        .chain(authorizations(&spend()))
        .chain(about_variants(&spend(), evm_account()))
        .chain(about_stakes(&intent(), &spend()))
        .chain(about_programs(&intent(), &spend()))
        .chain(about_alarms())
        .collect()
}
