//! What the tests of statements are made of: a small signer state, and one statement or more of each
//! kind, named as its golden files are.

pub(in crate::statement) use super::test_view::TestView;
use super::*;
use crate::amount::Decimals;
use crate::digest::{Domain, hash};
use crate::intent::Wait;
use crate::keys::AgentKey;
use crate::policy::document::{AssetRule, Recipient};
use crate::policy::limits::Counts;
use crate::session::{Credential, SessionLimit};
use crate::time::{Millis, RunTime, WallTime};

pub(in crate::statement) const RECIPIENT_SOLANA: &str =
    "solana:localnet:7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";
pub(in crate::statement) const RECIPIENT_EVM: &str =
    "eip155:31337:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
/// The public key of RFC 8032 section 7.1, test 1.
pub(in crate::statement) const OWNER_ED25519: &str = "FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z";
/// The account of the private key in EIP-155's example.
pub(in crate::statement) const OWNER_EVM: &str = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F";

pub(in crate::statement) fn read<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().expect(text)
}

pub(in crate::statement) fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

pub(in crate::statement) fn wallet_id(number: u8) -> WalletId {
    WalletId::from_bytes([number; 16])
}

pub(in crate::statement) fn session_id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

/// A rule of which `whole` units may be spent in a transaction, and more in longer windows.
pub(in crate::statement) fn rule(asset: &str, symbol: &str, places: u8, whole: u128) -> AssetRule {
    let asset: AssetId = read(asset);
    let native = coin_of(asset);
    let unit = 10_u128.pow(places.into());
    AssetRule {
        per_transaction: units(whole * unit),
        hour: units(2 * whole * unit),
        day: units(5 * whole * unit),
        week: units(10 * whole * unit),
        month: units(20 * whole * unit),
        counts: Counts {
            day: Some(100),
            ..Counts::default()
        },
        instant_up_to: units(whole * unit / 2),
        notify_up_to: units(whole * unit),
        fee_ceiling: native.then(|| units(unit / 100)),
        outstanding: matches!(asset.chain(), ChainId::Evm(_)).then(|| units(whole * unit)),
        delay_up_to: units(whole * unit),
        approve_up_to: units(whole * unit),
        ..AssetRule::closed(asset, symbol, Decimals::new(places).expect("in range"))
    }
}

fn coin_of(asset: AssetId) -> bool {
    asset.token() == crate::caip::Token::Native
}

pub(in crate::statement) const USDC: &str =
    "eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";

pub(in crate::statement) fn first_policy() -> PolicyDocument {
    let mut document = PolicyDocument {
        assets: vec![
            rule("solana:localnet/slip44:501", "SOL", 9, 1),
            rule("eip155:31337/slip44:60", "ETH", 18, 1),
        ],
        recipients: vec![
            Recipient {
                account: read(RECIPIENT_EVM),
                name: "hosting".to_owned(),
            },
            Recipient {
                account: read(RECIPIENT_SOLANA),
                name: "data".to_owned(),
            },
        ],
        ..PolicyDocument::closed(1)
    };
    document.sort();
    document
}

/// The first one with a change of each kind.
pub(in crate::statement) fn later_policy() -> PolicyDocument {
    let mut document = first_policy();
    document.epoch = 2;
    document.maturity = Millis::from_hours(1);
    for rule in &mut document.assets {
        if matches!(rule.asset.chain(), ChainId::Evm(_)) {
            rule.sign_only = true;
            rule.outstanding = Some(units(2_500_000_000_000_000_000));
        } else {
            rule.month = units(30_000_000_000);
            rule.counts = Counts::default();
            rule.hour = units(1_500_000_000);
        }
    }
    document.assets.push(rule(USDC, "USDC", 6, 50));
    document.recipients.retain(|known| known.name != "data");
    document.recipients.push(Recipient {
        account: read("eip155:1:0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"),
        name: "exchange".to_owned(),
    });
    for known in &mut document.recipients {
        if known.name == "hosting" {
            known.name = "hosting-2".to_owned();
        }
    }
    document.sort();
    document.check().expect("a sound document");
    document
}

pub(in crate::statement) fn agent_grant() -> SessionGrant {
    let key = AgentKey::from_bytes([7; 32]);
    let limit = |asset: &str, one: u128, all: u128| SessionLimit {
        asset: read(asset),
        per_transaction: units(one),
        total: units(all),
    };
    SessionGrant {
        wallets: vec![wallet_id(1), wallet_id(3)],
        limits: vec![
            limit("solana:localnet/slip44:501", 500_000_000, 5_000_000_000),
            limit(
                "eip155:31337/slip44:60",
                10_000_000_000_000_000,
                100_000_000_000_000_000,
            ),
        ],
        count: 40,
        expires: WallTime::from_millis(1_795_512_600_000),
        credential: Credential::AgentKey(key),
        recipients: None,
        operations: None,
        renewal: None,
        agent: None,
    }
}

pub(in crate::statement) fn bearer_grant() -> SessionGrant {
    SessionGrant {
        wallets: vec![wallet_id(3)],
        limits: vec![SessionLimit {
            asset: read(USDC),
            per_transaction: units(1_500_000),
            total: units(10_000_000),
        }],
        count: 8,
        expires: WallTime::from_millis(1_795_339_800_000),
        credential: Credential::Bearer(hash(Domain::SessionSecret, &[b"a secret"])),
        recipients: None,
        operations: None,
        renewal: None,
        agent: None,
    }
}

pub(in crate::statement) fn transaction_id(number: u8) -> TransactionId {
    TransactionId::from_bytes([number; 16])
}

/// 1: a contact is paid, by an agent's key, after two owners agree. 2: an address that begins and ends as
/// a contact's does, for the first time, by a bearer session, after a delay.
pub(in crate::statement) fn intent(number: u8) -> Intent {
    let to_twin = "0x5aAe0000000000000000000000000000000bEAed".to_lowercase();
    let [first, second]: [Account; 2] = [
        read::<AccountId>(RECIPIENT_EVM).account(),
        Account::Evm(crate::address::EvmAddress::from_bytes(
            hex::decode(&to_twin[2..])
                .expect("hexadecimal")
                .try_into()
                .expect("20 bytes"),
        )),
    ];
    let contact = number == 1;
    Intent {
        transaction: transaction_id(number),
        session: session_id(number),
        wallet: wallet_id(3),
        asset: read("eip155:31337/slip44:60"),
        to: if contact { first } else { second },
        amount: units(250_000_000_000_000_000),
        fee_ceiling: units(420_000_000_000_000),
        wait: if contact {
            Wait::Approval { quorum: 2 }
        } else {
            Wait::Delay {
                ready: RunTime::from_millis(900_000),
            }
        },
        opened: RunTime::from_millis(0),
        expires: WallTime::from_millis(1_795_296_600_000),
        release_within: Millis::from_hours(1),
        policy_epoch: 1,
        idempotency: hash(Domain::Idempotency, &[b"key"]),
        body: hash(Domain::RequestBody, &[b"body"]),
        kept_until: WallTime::from_millis(1_795_512_600_000),
        request_nonce: None,
        submit: true,
        first_payment: !contact,
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

/// A statement in the state that it was drafted in.
#[derive(Debug, Clone)]
pub(in crate::statement) struct Sample {
    pub(in crate::statement) name: &'static str,
    pub(in crate::statement) view: TestView,
    pub(in crate::statement) facts: StatementFacts,
}

impl Sample {
    pub(in crate::statement) fn text(&self) -> StatementText {
        compose(&self.view.header(), &self.facts, &self.view).expect(self.name)
    }
}

/// All of them, and the same kinds in other states.
pub(in crate::statement) fn all_samples() -> Vec<Sample> {
    let mut samples = samples();
    samples.extend(state_samples::state_samples());
    samples
}

/// At least one of each kind.
pub(in crate::statement) fn samples() -> Vec<Sample> {
    let none = TestView::new(None);
    let first = TestView::new(Some(first_policy()));
    let later = TestView::new(Some(later_policy()));
    let sol: AssetId = read("solana:localnet/slip44:501");
    let eth: AssetId = read("eip155:1/slip44:60");
    let [to_solana, to_evm]: [AccountId; 2] = [read(RECIPIENT_SOLANA), read(RECIPIENT_EVM)];
    let sample = |name, view: &TestView, facts| Sample {
        name,
        view: view.clone(),
        facts,
    };
    let mut samples = vec![
        sample(
            "enrol-owner",
            &none,
            StatementFacts::EnrolOwner {
                key: OwnerKey::Ed25519(read(OWNER_ED25519)),
                withdrawals: vec![to_solana, to_evm],
            },
        ),
        sample(
            "enrol-owner-later",
            &first,
            StatementFacts::EnrolOwner {
                key: OwnerKey::Secp256k1(read(OWNER_EVM)),
                withdrawals: vec![],
            },
        ),
        sample(
            "adopt-policy",
            &none,
            StatementFacts::AdoptPolicy {
                document: first_policy().to_bytes(),
            },
        ),
        sample(
            "adopt-policy-later",
            &first,
            StatementFacts::AdoptPolicy {
                document: later_policy().to_bytes(),
            },
        ),
        sample(
            "grant-session",
            &first,
            StatementFacts::GrantSession {
                grant: agent_grant(),
            },
        ),
        sample(
            "grant-session-bearer",
            &first,
            StatementFacts::GrantSession {
                grant: bearer_grant(),
            },
        ),
        sample(
            "release-kill",
            &first,
            StatementFacts::ReleaseKill {
                epoch: 3,
                sessions: vec![session_id(1), session_id(2)],
            },
        ),
        sample(
            "release-kill-alone",
            &first,
            StatementFacts::ReleaseKill {
                epoch: 4,
                sessions: vec![],
            },
        ),
        sample(
            "release-pause",
            &first,
            StatementFacts::ReleasePause { wallet: None },
        ),
        sample(
            "release-pause-wallet",
            &first,
            StatementFacts::ReleasePause {
                wallet: Some(wallet_id(2)),
            },
        ),
        sample(
            "withdraw",
            &first,
            StatementFacts::Withdraw {
                wallet: wallet_id(1),
                asset: sol,
                to: to_solana.account(),
                amount: units(500_000_000),
                fee_ceiling: units(10_000),
                nonce: None,
                from: None,
            },
        ),
        sample(
            "withdraw-evm",
            &first,
            StatementFacts::Withdraw {
                wallet: wallet_id(3),
                asset: eth,
                to: to_evm.account(),
                amount: units(1_250_000_000_000_000_000),
                fee_ceiling: units(420_000_000_000_000),
                nonce: Some(7),
                from: None,
            },
        ),
        sample(
            "attest-nonce",
            &first,
            StatementFacts::AttestNonce {
                wallet: wallet_id(3),
                chain: read("eip155:31337"),
                next: 12,
                from: None,
            },
        ),
        sample(
            "state-time",
            &first,
            StatementFacts::StateTime {
                wall: WallTime::from_millis(1_795_253_400_000),
            },
        ),
        sample(
            "enrol-withdrawal",
            &first,
            StatementFacts::EnrolWithdrawal { account: to_evm },
        ),
        sample(
            "remove-withdrawal",
            &first,
            StatementFacts::RemoveWithdrawal { account: to_evm },
        ),
        sample(
            "approve-payment",
            &first,
            StatementFacts::ApprovePayment {
                transaction: transaction_id(1),
            },
        ),
        sample(
            "approve-payment-second-try",
            &first,
            StatementFacts::ApprovePayment {
                transaction: transaction_id(3),
            },
        ),
        sample(
            "approve-payment-third-try",
            &first,
            StatementFacts::ApprovePayment {
                transaction: transaction_id(4),
            },
        ),
        sample(
            "approve-payment-allowance",
            &later,
            StatementFacts::ApprovePayment {
                transaction: transaction_id(5),
            },
        ),
        sample(
            "approve-payment-allowance-taken-back",
            &later,
            StatementFacts::ApprovePayment {
                transaction: transaction_id(6),
            },
        ),
        sample(
            "approve-payment-batch",
            &first,
            StatementFacts::ApprovePayment {
                transaction: transaction_id(7),
            },
        ),
        sample(
            "reject-payment",
            &first,
            StatementFacts::RejectPayment {
                transaction: transaction_id(2),
            },
        ),
    ];
    samples.extend(owner_samples::owner_samples());
    samples.extend(agent_samples::agent_samples());
    samples
}
