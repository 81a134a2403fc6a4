//! Any facts in any state: no panic, the form holds, and what the text says is what the facts are,
//! read back by a parser of its own (P11).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::agent_samples::agent_id;
use super::owner_samples::{change_id, owner_id};
use super::samples::*;
use super::*;
use crate::address::{EvmAddress, SolanaAddress};
use crate::amount::Decimals;
use crate::digest::Digest;
use crate::event::Charge;
use crate::ids::TransactionId;
use crate::intent::Wait;
use crate::keys::AgentKey;
use crate::memo::Memo;
use crate::policy::document::{AssetRule, MATURITY_LONGEST, Recipient};
use crate::policy::limits::Counts;
use crate::session::{
    Credential, Operation, RENEWAL_LEAST, Renewal, SessionLimit, SessionRecipients,
};
use crate::statement::{GuardianStop, TEXT_LIMIT};
use crate::time::{Millis, WallTime};

fn any_chain() -> impl Strategy<Value = ChainId> {
    prop::sample::select(vec![
        "solana:localnet",
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
        "eip155:1",
        "eip155:31337",
    ])
    .prop_map(read)
}

fn account_on(chain: ChainId) -> impl Strategy<Value = Account> {
    any::<[u8; 32]>().prop_map(move |bytes| match chain {
        ChainId::Solana(_) => Account::Solana(SolanaAddress::from_bytes(bytes)),
        ChainId::Evm(_) => Account::Evm(EvmAddress::from_bytes(
            bytes.first_chunk().copied().expect("32 is above 20"),
        )),
    })
}

fn any_asset() -> impl Strategy<Value = AssetId> {
    (any_chain(), any::<bool>(), 0_u8..3).prop_map(|(chain, native, number)| {
        let token = match chain {
            _ if native => crate::caip::Token::Native,
            ChainId::Solana(_) => crate::caip::Token::Mint(SolanaAddress::from_bytes([number; 32])),
            ChainId::Evm(_) => crate::caip::Token::Erc20(EvmAddress::from_bytes([number; 20])),
        };
        AssetId::new(chain, token).expect("one family")
    })
}

fn any_amount() -> impl Strategy<Value = Amount> {
    prop_oneof![any::<u128>(), any::<u64>().prop_map(u128::from), 0_u128..10].prop_map(units)
}

fn any_account_id() -> impl Strategy<Value = AccountId> {
    any_chain().prop_flat_map(|chain| {
        account_on(chain)
            .prop_map(move |account| AccountId::new(chain, account).expect("one family"))
    })
}

fn any_time() -> impl Strategy<Value = WallTime> {
    prop_oneof![any::<u64>(), 0_u64..4_000_000_000_000].prop_map(WallTime::from_millis)
}

fn any_rule() -> impl Strategy<Value = AssetRule> {
    let amounts = prop::collection::vec(any_amount(), 11);
    (
        any_asset(),
        "[A-Za-z0-9]{1,12}",
        0_u8..=36,
        amounts,
        (any::<bool>(), any::<bool>(), prop::option::of(1_u32..)),
    )
        .prop_map(
            |(asset, symbol, places, mut amounts, (fee, sign_only, day_count))| {
                let native = asset.token() == crate::caip::Token::Native;
                let evm_native = native && matches!(asset.chain(), ChainId::Evm(_));
                amounts[..9].sort_unstable();
                AssetRule {
                    instant_up_to: amounts[0],
                    notify_up_to: amounts[1],
                    delay_up_to: amounts[2],
                    approve_up_to: amounts[3],
                    per_transaction: amounts[4],
                    hour: amounts[5],
                    day: amounts[6],
                    week: amounts[7],
                    month: amounts[8],
                    counts: Counts {
                        day: day_count,
                        ..Counts::default()
                    },
                    fee_ceiling: (native && fee).then_some(amounts[9]),
                    outstanding: matches!(asset.chain(), ChainId::Evm(_)).then_some(amounts[10]),
                    sign_only: sign_only && evm_native,
                    ..AssetRule::closed(asset, &symbol, Decimals::new(places).expect("in range"))
                }
            },
        )
}

fn any_policy(epoch: u64) -> impl Strategy<Value = PolicyDocument> {
    let rules = prop::collection::vec(any_rule(), 0..10);
    let accounts = prop::collection::vec(any_account_id(), 0..10);
    (rules, accounts, 0..=MATURITY_LONGEST.millis()).prop_map(
        move |(mut assets, accounts, maturity)| {
            assets.sort_by_key(|rule| rule.asset);
            assets.dedup_by_key(|rule| rule.asset);
            let recipients = (0..)
                .zip(accounts)
                .map(|(number, account): (u32, _)| Recipient {
                    account,
                    name: format!("c-{number}"),
                })
                .collect();
            let mut document = PolicyDocument {
                maturity: Millis::from_millis(maturity),
                assets,
                recipients,
                ..PolicyDocument::closed(epoch)
            };
            document.sort();
            document
        },
    )
}

type Narrowing = (
    Option<SessionRecipients>,
    Option<Vec<Operation>>,
    Option<(Millis, Millis, u32)>,
    Option<AgentId>,
);

/// Constraints beside the limits, mostly well formed.
fn any_narrowing() -> impl Strategy<Value = Narrowing> {
    let contacts = prop::sample::subsequence(vec!["data", "hosting", "hosting-2"], 0..=3);
    let recipients = (
        contacts,
        prop::collection::btree_set(any_account_id(), 0..4),
    )
        .prop_map(|(contacts, accounts)| SessionRecipients {
            contacts: contacts.into_iter().map(str::to_owned).collect(),
            accounts: accounts.into_iter().collect(),
        });
    let operations = prop::sample::subsequence(Operation::ALL.to_vec(), 0..=Operation::ALL.len());
    let renewal =
        (0_u64..1 << 40, 0_u64..1 << 40, 0_u32..20_000).prop_map(|(extends, later, count)| {
            let extends = Millis::from_millis(extends.saturating_add(RENEWAL_LEAST.millis()));
            (extends, Millis::from_millis(later), count)
        });
    let agent = prop_oneof![4 => Just(agent_id()), 1 => Just(AgentId::from_bytes([9; 16]))];
    (
        prop::option::of(recipients),
        prop::option::of(operations),
        prop::option::of(renewal),
        prop::option::of(agent),
    )
}

fn any_grant() -> impl Strategy<Value = SessionGrant> {
    let limit =
        (any_asset(), any_amount(), any_amount()).prop_map(|(asset, one, other)| SessionLimit {
            asset,
            per_transaction: one.min(other),
            total: one.max(other),
        });
    let credential = prop_oneof![
        any::<[u8; 32]>().prop_map(|key| Credential::AgentKey(AgentKey::from_bytes(key))),
        any::<[u8; 32]>().prop_map(|digest| Credential::Bearer(Digest::from_bytes(digest))),
    ];
    let wallets = prop::collection::btree_set(1_u8..5, 0..4);
    (
        wallets,
        prop::collection::vec(limit, 0..17),
        any::<u32>(),
        any_time(),
        credential,
        any_narrowing(),
    )
        .prop_map(
            |(wallets, mut limits, count, expires, credential, narrowing)| {
                let (recipients, operations, renewal, agent) = narrowing;
                limits.sort_by_key(|limit| limit.asset);
                limits.dedup_by_key(|limit| limit.asset);
                let wallets = wallets.into_iter().map(wallet_id).collect();
                SessionGrant {
                    wallets,
                    limits,
                    count,
                    expires,
                    credential,
                    recipients,
                    operations,
                    renewal: renewal.map(|(extends, later, count)| Renewal {
                        extends,
                        until: expires.after(later),
                        count,
                    }),
                    agent,
                }
            },
        )
}

fn any_facts() -> impl Strategy<Value = StatementFacts> {
    let key = prop_oneof![
        any::<[u8; 32]>().prop_map(|key| OwnerKey::Ed25519(SolanaAddress::from_bytes(key))),
        any::<[u8; 32]>().prop_map(|key| OwnerKey::Secp256k1(EvmAddress::from_bytes(
            key.first_chunk().copied().expect("32 is above 20")
        ))),
    ];
    let wallet = || (1_u8..5).prop_map(wallet_id);
    let withdraw = (
        any_asset(),
        any_chain(),
        wallet(),
        any_amount(),
        any_amount(),
        any::<Option<u64>>(),
    )
        .prop_flat_map(|(asset, other, wallet, amount, fee_ceiling, nonce)| {
            // Mostly an address of the asset's chain.
            prop_oneof![4 => account_on(asset.chain()), 1 => account_on(other)].prop_map(
                move |to| StatementFacts::Withdraw {
                    wallet,
                    asset,
                    to,
                    amount,
                    fee_ceiling,
                    nonce,
                    from: None,
                },
            )
        });
    prop_oneof![
        (key, prop::collection::vec(any_account_id(), 0..40))
            .prop_map(|(key, withdrawals)| StatementFacts::EnrolOwner { key, withdrawals }),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|document| StatementFacts::AdoptPolicy { document }),
        (1_u64..4)
            .prop_flat_map(any_policy)
            .prop_map(|document| StatementFacts::AdoptPolicy {
                document: document.to_bytes()
            }),
        any_grant().prop_map(|grant| StatementFacts::GrantSession { grant }),
        (any::<u64>(), prop::collection::btree_set(1_u8..4, 0..3)).prop_map(|(epoch, sessions)| {
            StatementFacts::ReleaseKill {
                epoch,
                sessions: sessions.into_iter().map(session_id).collect(),
            }
        }),
        prop::option::of(wallet()).prop_map(|wallet| StatementFacts::ReleasePause { wallet }),
        withdraw,
        (wallet(), any_chain(), any::<u64>()).prop_map(|(wallet, chain, next)| {
            StatementFacts::AttestNonce {
                wallet,
                chain,
                next,
                from: None,
            }
        }),
        any_time().prop_map(|wall| StatementFacts::StateTime { wall }),
        any_account_id().prop_map(|account| StatementFacts::EnrolWithdrawal { account }),
        any_account_id().prop_map(|account| StatementFacts::RemoveWithdrawal { account }),
        about_owners(),
    ]
}

fn any_key() -> impl Strategy<Value = OwnerKey> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|key| OwnerKey::Ed25519(SolanaAddress::from_bytes(key))),
        any::<[u8; 32]>().prop_map(|key| OwnerKey::Secp256k1(EvmAddress::from_bytes(
            key.first_chunk().copied().expect("32 is above 20")
        ))),
    ]
}

fn about_owners() -> impl Strategy<Value = StatementFacts> {
    let owner = || (1_u8..5).prop_map(owner_id);
    let change = || (1_u8..10).prop_map(change_id);
    let amount = (any_asset(), any_amount()).prop_map(|(asset, amount)| Charge { asset, amount });
    let credit = (
        any::<u64>(),
        any::<[u8; 16]>(),
        1_u8..5,
        prop::collection::vec(amount, 0..4),
    );
    prop_oneof![
        any_key().prop_map(|key| StatementFacts::AddOwner { key }),
        owner().prop_map(|owner| StatementFacts::RemoveOwner { owner }),
        any::<u32>().prop_map(|quorum| StatementFacts::SetQuorum { quorum }),
        change().prop_map(|change| StatementFacts::CancelOwnerChange { change }),
        owner().prop_map(|owner| StatementFacts::SuspendOwner { owner }),
        owner().prop_map(|owner| StatementFacts::LiftSuspension { owner }),
        credit.prop_map(|(sequence, transaction, wallet, mut amounts)| {
            amounts.sort_by_key(|given| given.asset);
            StatementFacts::Credit {
                sequence,
                transaction: TransactionId::from_bytes(transaction),
                wallet: wallet_id(wallet),
                amounts,
            }
        }),
        any_key().prop_map(|key| StatementFacts::RecoverOwners { key }),
        any_key().prop_map(|key| StatementFacts::AddGuardian { key }),
        owner().prop_map(|guardian| StatementFacts::RemoveGuardian { guardian }),
        prop_oneof![
            Just(GuardianStop::PauseAll),
            Just(GuardianStop::Kill),
            change().prop_map(|change| GuardianStop::CancelChange { change }),
        ]
        .prop_map(|stop| StatementFacts::GuardianStop { stop }),
        Just(StatementFacts::Retire),
        (1_u8..5).prop_map(|number| StatementFacts::CloseWallet {
            wallet: wallet_id(number)
        }),
        ((1_u8..5).prop_map(wallet_id), any::<u64>()).prop_map(|(wallet, first_nonce)| {
            StatementFacts::RotateWallet {
                wallet,
                first_nonce,
            }
        }),
        any::<bool>().prop_map(|active| StatementFacts::RegisterAgent { active }),
        prop_oneof![Just(agent_id()), Just(AgentId::from_bytes([9; 16]))]
            .prop_map(|agent| StatementFacts::ActivateAgent { agent }),
        (1_u8..4).prop_map(|session| StatementFacts::ResumeSession {
            session: session_id(session),
        }),
        Just(StatementFacts::SignOfLife),
    ]
}

/// A text, read back: its lines as name and value.
struct Fields<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    fn parse(text: &'a str) -> Self {
        let mut fields = BTreeMap::new();
        for line in text.lines().skip(2) {
            let (name, value) = line.split_once(": ").expect("a field");
            // A caution has no number: it may stand for several assets.
            assert!(
                fields.insert(name, value).is_none() || name == "CAUTION",
                "{name} stands twice"
            );
        }
        Self(fields)
    }

    fn value<T: std::str::FromStr>(&self, name: &str) -> T {
        read(self.0[name])
    }

    /// The values of `name 1 of n`, up to n.
    fn list(&self, name: &str) -> Vec<&'a str> {
        let is_of_list = |key: &&str| {
            key.strip_prefix(name)
                .is_some_and(|rest| rest.contains(" of "))
        };
        let count = self.0.keys().copied().filter(is_of_list).count();
        (1..=count)
            .map(|place| self.0[format!("{name} {place} of {count}").as_str()])
            .collect()
    }
}

/// Reads `0.5 SOL (500000000 base units)` and its other forms; both numbers must be the same.
fn amount_of(text: &str, decimals: Option<Decimals>) -> Amount {
    let Some(decimals) = decimals else {
        return read(text.split_once(" base units").expect("base units").0);
    };
    let (shown, rest) = text.split_once(" (").expect("both forms");
    let base: Amount = read(rest.split_once(" base units").expect("base units").0);
    let (number, _unit) = shown.split_once(' ').expect("a unit");
    assert_eq!(Amount::parse_decimal(number, decimals), Ok(base), "{text}");
    base
}

fn decimals_of(asset: AssetId, view: &TestView) -> Option<Decimals> {
    let rule = view
        .policy
        .as_ref()
        .and_then(|document| document.asset(asset));
    rule.map(|rule| rule.decimals)
        .or(super::unit::coin_decimals(asset))
}

fn assert_grant(fields: &Fields<'_>, whose: &str, grant: &SessionGrant, view: &TestView) {
    let limits = fields.list(&format!("{whose}Limit"));
    assert_eq!(limits.len(), grant.limits.len());
    for (shown, limit) in limits.iter().zip(&grant.limits) {
        let parts: Vec<_> = shown.split(", ").collect();
        let decimals = decimals_of(limit.asset, view);
        assert_eq!(read::<AssetId>(parts[0]), limit.asset);
        assert_eq!(
            amount_of(
                parts[1].strip_suffix(" a transaction").expect(shown),
                decimals
            ),
            limit.per_transaction
        );
        assert_eq!(
            amount_of(parts[2].strip_suffix(" in all").expect(shown), decimals),
            limit.total
        );
    }
    let wallets: Vec<WalletId> = fields
        .list(&format!("{whose}Wallet"))
        .iter()
        .map(|shown| read(shown.split_once(", ").expect(shown).0))
        .collect();
    assert_eq!(wallets, grant.wallets);
    assert_eq!(
        fields.0[format!("{whose}Transactions").as_str()],
        format!("{} at most", grant.count)
    );
    assert_narrowing(fields, whose, grant);
    let (key, bearer) = (format!("{whose}Agent key"), format!("{whose}Credential"));
    match grant.credential {
        Credential::AgentKey(agent) => {
            assert_eq!(fields.0[key.as_str()], agent.to_string());
            assert!(!fields.0.contains_key(bearer.as_str()));
        }
        Credential::Bearer(_) => {
            assert!(fields.0[bearer.as_str()].starts_with("BEARER: anyone"));
            assert!(!fields.0.contains_key(key.as_str()));
        }
    }
}

fn assert_narrowing(fields: &Fields<'_>, whose: &str, grant: &SessionGrant) {
    let field = |name: &str| fields.0.get(format!("{whose}{name}").as_str()).copied();
    let ends = field("Ends").expect("an end");
    match grant.renewal {
        None => {
            assert_eq!(ends, grant.expires.to_string());
            assert_eq!((field("Renewal"), field("Absolute end")), (None, None));
        }
        Some(renewal) => {
            assert_eq!(ends, format!("{}, unless renewed", grant.expires));
            let words = field("Renewal").expect("renewable");
            assert!(words.ends_with(&format!(", {} at most", renewal.count)));
            let end = field("Absolute end").expect("renewable");
            assert!(end.starts_with(&format!("{}, ", renewal.until)));
        }
    }
    assert_eq!(
        field("Agent"),
        grant.agent.map(|id| id.to_string()).as_deref()
    );
    let operations = fields.list(&format!("{whose}Operation"));
    assert_eq!(
        operations.len(),
        grant.operations.as_ref().map_or(0, Vec::len)
    );
    let shown = fields.list(&format!("{whose}Only recipient"));
    let (contacts, accounts): (Vec<_>, Vec<_>) =
        shown.into_iter().partition(|line| line.starts_with('@'));
    let contacts: Vec<_> = contacts
        .iter()
        .map(|line| line[1..].split_once(' ').expect("words").0.to_owned())
        .collect();
    let accounts: Vec<AccountId> = accounts.iter().map(|line| read(line)).collect();
    let named = grant.recipients.clone().unwrap_or(SessionRecipients {
        contacts: vec![],
        accounts: vec![],
    });
    assert_eq!((contacts, accounts), (named.contacts, named.accounts));
}

fn assert_policy(fields: &Fields<'_>, bytes: &[u8], view: &TestView) {
    let document = PolicyDocument::from_bytes(bytes).expect("composed");
    assert_eq!(fields.0["Document"], document.digest().to_string());
    assert_eq!(fields.value::<u64>("Document epoch"), document.epoch);
    let losses = fields.list("Worst loss");
    if document.assets.len() <= 8 || view.policy.is_none() {
        assert_eq!(losses.len(), document.assets.len());
    }
    for shown in losses {
        let (asset, rest) = shown.split_once(", ").expect(shown);
        let rule = document.asset(read(asset)).expect(asset);
        let factor = u128::try_from(view.wallets_on(rule.asset.chain()).max(1)).expect("few");
        let (day, rest) = rest.split_once(" a day, ").expect(shown);
        let (month, rest) = rest.split_once(" a month, ").expect(shown);
        let (day_alone, month_alone) = if rest.starts_with("all of it without you, ") {
            (day, month)
        } else {
            let alone = rest.strip_prefix("without you ").expect(shown);
            let (day, rest) = alone.split_once(" a day, ").expect(shown);
            (day, rest.split_once(" a month, ").expect(shown).0)
        };
        let least = |bounds: [(Amount, u128); 4]| {
            let bounds = bounds.into_iter();
            let fitting = bounds.filter_map(|(limit, times)| limit.checked_mul(times));
            fitting.min().and_then(|least| least.checked_mul(factor))
        };
        let in_a_day = least([
            (rule.hour, 24),
            (rule.day, 1),
            (rule.week, 1),
            (rule.month, 1),
        ]);
        let in_a_month = least([
            (rule.hour, 720),
            (rule.day, 30),
            (rule.week, 5),
            (rule.month, 1),
        ]);
        let asks_always = rule.delay_up_to == Amount::ZERO;
        let alone = |all: Option<Amount>| if asks_always { Some(Amount::ZERO) } else { all };
        for (text, amount) in [
            (day, in_a_day),
            (month, in_a_month),
            (day_alone, alone(in_a_day)),
            (month_alone, alone(in_a_month)),
        ] {
            assert_eq!(
                Some(amount_of(text, Some(rule.decimals))),
                amount,
                "{shown}"
            );
        }
    }
    let (new, shown) = match &view.policy {
        None if document.recipients.len() > 8 => return,
        None => (
            document.recipients.iter().collect::<Vec<_>>(),
            fields.list("Recipient"),
        ),
        Some(before) => {
            let new = document
                .recipients
                .iter()
                .filter(|known| before.recipient(known.account).is_none())
                .collect();
            let words = fields.list("Loosening");
            (
                new,
                words
                    .into_iter()
                    .filter_map(|words| words.strip_prefix("new recipient "))
                    .collect(),
            )
        }
    };
    let whole: Vec<_> = new
        .iter()
        .map(|known| format!("{}, called {}", known.account, known.name))
        .collect();
    assert_eq!(shown, whole);
}

fn assert_says(text: &str, facts: &StatementFacts, view: &TestView) {
    let fields = Fields::parse(text);
    let header = view.header();
    assert_eq!(fields.value::<u64>("Policy epoch"), header.policy_epoch);
    assert_eq!(fields.0["Signer"], header.signer.to_string());
    assert_eq!(fields.0["Statement"], header.statement.to_string());
    assert_eq!(fields.0["Sign before"], header.expires.to_string());
    assert_eq!(fields.0["Digest"], digest(&header, facts).to_string());
    let assert_wallet = |wallet: WalletId| {
        assert_eq!(fields.value::<WalletId>("Wallet"), wallet);
        assert_eq!(
            fields.value::<Account>("Wallet address"),
            view.wallets[&wallet].account
        );
    };
    let assert_network = |chain: ChainId| {
        let worth = if chain.is_test_network() {
            "a test network"
        } else {
            "real value"
        };
        assert_eq!(fields.0["Network"], format!("{chain}, {worth}"));
    };
    match facts {
        StatementFacts::EnrolOwner { key, withdrawals } => {
            assert_eq!(fields.0["Key"], key.to_string());
            let shown: Vec<AccountId> = fields
                .list("Withdrawal address")
                .into_iter()
                .map(read)
                .collect();
            assert_eq!(&shown, withdrawals);
        }
        StatementFacts::AdoptPolicy { document } => assert_policy(&fields, document, view),
        StatementFacts::GrantSession { grant } => assert_grant(&fields, "", grant, view),
        StatementFacts::ReleaseKill { epoch, sessions } => {
            assert_eq!(fields.value::<u64>("Kill epoch"), *epoch);
            assert_eq!(fields.value::<usize>("Sessions restored"), sessions.len());
            for (place, session) in (1..).zip(sessions) {
                assert_eq!(
                    fields.value::<SessionId>(&format!("Session {place}")),
                    *session
                );
                assert_grant(
                    &fields,
                    &format!("Session {place} "),
                    &view.sessions[session],
                    view,
                );
            }
        }
        StatementFacts::ReleasePause { wallet: None } => assert_eq!(fields.0["Wallets"], "ALL"),
        StatementFacts::ReleasePause {
            wallet: Some(wallet),
        } => assert_wallet(*wallet),
        StatementFacts::Withdraw {
            wallet,
            asset,
            to,
            amount,
            fee_ceiling,
            nonce,
            from,
        } => {
            let native = asset.chain().native_asset();
            assert_eq!(
                amount_of(fields.0["Amount"], decimals_of(*asset, view)),
                *amount
            );
            assert!(fields.0["Amount"].contains(&format!(" base units of {asset}")));
            assert_eq!(fields.value::<Account>("To"), *to);
            assert_network(asset.chain());
            assert_eq!(
                amount_of(fields.0["Fee at most"], decimals_of(native, view)),
                *fee_ceiling
            );
            assert!(fields.0["Fee at most"].contains(&format!(" base units of {native}")));
            let shown = match (nonce, asset.chain()) {
                (Some(nonce @ (4 | 5)), _) => {
                    Some(format!("{nonce}, which an attestation skipped"))
                }
                (Some(nonce), _) => Some(format!("{nonce}, used again")),
                (None, ChainId::Evm(_)) => Some("the next one".to_owned()),
                (None, ChainId::Solana(_)) => None,
            };
            assert_eq!(fields.0.get("Nonce").copied(), shown.as_deref());
            match from {
                None => assert_wallet(*wallet),
                Some(from) => {
                    assert_eq!(fields.value::<WalletId>("Wallet"), *wallet);
                    let shown: Account = fields.value("From its old address");
                    assert_eq!(shown, *from);
                }
            }
        }
        StatementFacts::AttestNonce {
            wallet,
            chain,
            next,
            from,
        } => {
            assert_eq!(fields.value::<u64>("Next nonce"), *next);
            assert_eq!(fields.value::<u64>("Signer's own next nonce"), 9);
            assert_skips(&fields, 9, *next);
            assert_network(*chain);
            match from {
                None => assert_wallet(*wallet),
                Some(from) => {
                    assert_eq!(fields.value::<WalletId>("Wallet"), *wallet);
                    assert_eq!(fields.value::<Account>("Its old address"), *from);
                }
            }
        }
        StatementFacts::StateTime { wall } => {
            assert_eq!(fields.0["Stated time"], wall.to_string());
            assert_eq!(
                fields.0["Unix time"],
                format!("{} milliseconds", wall.millis())
            );
            let now = header.expires.millis() - 3_600_000;
            let shown = fields.0["Signer's own time so far"];
            assert_eq!(shown, WallTime::from_millis(now).to_string());
            let ahead = fields.0["Moves it ahead"];
            if wall.millis() <= now {
                assert!(ahead.starts_with("not at all"), "{ahead}");
            } else {
                let words: Vec<&str> = ahead.split([' ', ',']).collect();
                let part = |place: usize, unit: u64| read::<u64>(words[place]) * unit;
                let seconds = part(0, 86_400) + part(2, 3600) + part(4, 60) + part(6, 1);
                assert_eq!(seconds, (wall.millis() - now).div_ceil(1000), "{ahead}");
                assert!(ahead.ends_with("nothing takes this back"), "{ahead}");
            }
        }
        StatementFacts::EnrolWithdrawal { account } => {
            assert_eq!(fields.value::<Account>("Address"), account.account());
            assert_network(account.chain());
        }
        StatementFacts::RemoveWithdrawal { account } => {
            assert_eq!(fields.value::<Account>("Address"), account.account());
            assert_network(account.chain());
            assert!(fields.0["Takes effect"].starts_with("after 72 hours"));
        }
        StatementFacts::ApprovePayment { transaction }
        | StatementFacts::RejectPayment { transaction } => {
            let intent = &view.intents[transaction];
            let chain = intent.asset.chain();
            assert_eq!(
                fields.value::<TransactionId>("Payment request"),
                *transaction
            );
            let claim = intent.claim();
            let count = claim.transfers().count();
            for (place, transfer) in (1..).zip(claim.transfers()) {
                let numbered = |name: &str| match count {
                    1 => name.to_owned(),
                    _ => format!("{name} {place} of {count}"),
                };
                let decimals = decimals_of(transfer.asset, view);
                let shown = fields.0[numbered("Amount").as_str()];
                assert_eq!(amount_of(shown, decimals), transfer.amount);
                let to = match intent.action {
                    Some(_) => "Spender",
                    None => "To",
                };
                assert_eq!(fields.value::<Account>(&numbered(to)), transfer.to);
            }
            assert_eq!(fields.0.contains_key("Transfers"), count > 1);
            let memo = fields.0.get("Memo by the agent, public");
            assert_eq!(memo.copied(), claim.memo().map(Memo::as_str));
            assert_network(chain);
            assert_eq!(
                amount_of(
                    fields.0["Fee at most"],
                    decimals_of(chain.native_asset(), view)
                ),
                intent.fee_ceiling
            );
            assert_wallet(intent.wallet);
            assert_eq!(fields.value::<SessionId>("Session"), intent.session);
            assert_eq!(fields.0["Request ends"], intent.expires.to_string());
            assert_eq!(fields.0.contains_key("Payment"), intent.first_payment);
            match intent.wait {
                Wait::Approval { quorum } => {
                    assert_eq!(fields.value::<u8>("Owners who must sign"), quorum);
                }
                Wait::Delay { .. } => assert!(fields.0.contains_key("Waits")),
            }
        }
        StatementFacts::Credit {
            sequence,
            transaction,
            wallet,
            amounts,
        } => {
            assert_eq!(fields.value::<u64>("Log entry"), *sequence);
            assert_eq!(fields.value::<TransactionId>("Payment"), *transaction);
            assert_wallet(*wallet);
            let shown = fields.list("Credit");
            assert_eq!(shown.len(), amounts.len());
            for (shown, given) in shown.iter().zip(amounts) {
                let decimals = decimals_of(given.asset, view);
                assert_eq!(amount_of(shown, decimals), given.amount);
                assert!(shown.contains(&format!(" base units of {}", given.asset)));
            }
        }
        StatementFacts::CloseWallet { wallet } => {
            assert_wallet(*wallet);
            assert_eq!(fields.0["Afterwards"], "only WITHDRAW pays from it");
            assert_eq!(fields.0["Undone by"], "nothing");
        }
        StatementFacts::RotateWallet {
            wallet,
            first_nonce,
        } => {
            let facts = &view.wallets[wallet];
            assert_eq!(fields.value::<WalletId>("Wallet"), *wallet);
            assert_eq!(fields.value::<Account>("Old address"), facts.account);
            if matches!(facts.account, Account::Evm(_)) {
                let shown: u64 = fields.value("First nonce of the new address");
                assert_eq!(shown, *first_nonce);
                assert_skips(&fields, 0, *first_nonce);
            }
            assert!(fields.0["Kept"].contains("no limit begins afresh"));
            assert_eq!(fields.0["Undone by"], "nothing");
        }
        StatementFacts::RegisterAgent { active } => {
            assert_eq!(fields.0["Stage"].starts_with("active"), *active);
        }
        StatementFacts::ActivateAgent { agent } => {
            assert_eq!(fields.value::<AgentId>("Agent"), *agent);
            assert!(fields.0["Stage"].ends_with("then active"));
        }
        StatementFacts::ResumeSession { session } => {
            assert_eq!(fields.value::<SessionId>("Session"), *session);
            assert_grant(&fields, "", &view.sessions[session], view);
        }
        StatementFacts::SignOfLife => assert_eq!(fields.0["Changes"], "nothing else"),
        about_owners => assert_owners(&fields, about_owners, view),
    }
}

/// What lies between the signer's own nonce and the one that is named.
fn assert_skips(fields: &Fields<'_>, own: u64, named: u64) {
    let shown = fields.0.get("Skips").copied();
    assert_eq!(shown.is_some(), named > own);
    if let Some(shown) = shown {
        let gap = format!("{own} to {}, never signed here", named - 1);
        assert!(shown.starts_with(&gap), "{shown}");
    }
}

fn assert_owners(fields: &Fields<'_>, facts: &StatementFacts, view: &TestView) {
    let waits = "after 72 hours of the signer's running time";
    let key = |key: &OwnerKey| {
        assert_eq!(fields.0["Key"], key.to_string());
        assert!(fields.0["Kind of key"].starts_with(match key {
            OwnerKey::Ed25519(_) => "Ed25519",
            OwnerKey::Secp256k1(_) => "secp256k1",
        }));
    };
    let takes_effect = |when: &str| assert_eq!(fields.0["Takes effect"], when);
    let known = |name: &str, id: OwnerId, of: &BTreeMap<OwnerId, OwnerKey>| {
        assert_eq!(fields.value::<OwnerId>(name), id);
        key(&of[&id]);
    };
    let change = |change: &StatementId| {
        assert_eq!(fields.value::<StatementId>("Change"), *change);
        let words = view.pending[change].to_string();
        assert_eq!(fields.0["What it would do"], words);
    };
    match facts {
        StatementFacts::AddOwner { key: new }
        | StatementFacts::AddGuardian { key: new }
        | StatementFacts::RecoverOwners { key: new } => {
            key(new);
            takes_effect(waits);
        }
        StatementFacts::RemoveOwner { owner } => {
            known("Owner", *owner, &view.owners);
            takes_effect(waits);
        }
        StatementFacts::RemoveGuardian { guardian } => {
            known("Guardian", *guardian, &view.guardians);
            takes_effect(waits);
        }
        StatementFacts::SetQuorum { quorum } => {
            assert_eq!(
                fields.value::<u32>("Owners who must sign together"),
                *quorum
            );
            takes_effect(waits);
        }
        StatementFacts::SuspendOwner { owner } | StatementFacts::LiftSuspension { owner } => {
            known("Owner", *owner, &view.owners);
            takes_effect("at once");
        }
        StatementFacts::CancelOwnerChange { change: id } => change(id),
        StatementFacts::GuardianStop { stop } => match stop {
            GuardianStop::PauseAll => assert_eq!(fields.0["Stop"], "pause everything"),
            GuardianStop::Kill => assert_eq!(fields.0["Stop"], "throw the kill switch"),
            GuardianStop::CancelChange { change: id } => change(id),
        },
        StatementFacts::Retire => {
            assert_eq!(
                fields.0["Afterwards"],
                "no payment, no withdrawal, no unlock"
            );
        }
        other => panic!("not about owners: {other:?}"),
    }
}

#[test]
fn the_samples_say_what_their_facts_are() {
    for sample in samples() {
        assert_says(sample.text().as_str(), &sample.facts, &sample.view);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_text_says_what_its_facts_are(facts in any_facts(), policy in prop::option::of((1_u64..3).prop_flat_map(any_policy))) {
        let view = TestView::new(policy);
        if let Ok(text) = compose(&view.header(), &facts, &view) {
            let text = text.as_str();
            prop_assert!(text.len() <= TEXT_LIMIT);
            prop_assert!(text.bytes().all(|byte| byte == b'\n' || (0x20..=0x7e).contains(&byte)));
            prop_assert!(is_statement_text(text));
            assert_says(text, &facts, &view);
        }
    }

    #[test]
    fn other_facts_have_another_text(one in any_facts(), other in any_facts()) {
        let view = TestView::new(None);
        let texts = [&one, &other].map(|facts| compose(&view.header(), facts, &view));
        if let [Ok(first), Ok(second)] = texts {
            prop_assert_eq!(one == other, first == second);
        }
    }
}
