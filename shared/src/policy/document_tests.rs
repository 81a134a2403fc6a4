//! Documents that must be refused whole, one flaw each.

use super::super::alarm::{Condition, Remedy};
use super::super::call::tests::deposit;
use super::super::program::tests::{deposit as program_deposit, rule as program_rule};
use super::super::scope::{AssetLimits, Hours};
use super::super::windows::Window;
use super::*;
use crate::address::{Account, SolanaAddress};
use crate::caip::ChainId;

fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

pub(crate) fn sample() -> PolicyDocument {
    let asset = |id: &str, outstanding: Option<u128>| AssetRule {
        per_transaction: units(100),
        hour: units(200),
        day: units(300),
        week: units(400),
        month: units(500),
        counts: Counts {
            day: Some(10),
            ..Counts::default()
        },
        instant_up_to: units(10),
        notify_up_to: units(50),
        delay_up_to: units(60),
        approve_up_to: units(80),
        fee_ceiling: Some(units(5)),
        outstanding: outstanding.map(units),
        ..AssetRule::closed(
            id.parse().expect(id),
            "COIN",
            Decimals::new(9).expect("in range"),
        )
    };
    let mut document = PolicyDocument {
        assets: vec![
            asset("solana:localnet/slip44:501", None),
            asset("eip155:31337/slip44:60", Some(1000)),
        ],
        recipients: vec![Recipient {
            account: "eip155:31337:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
                .parse()
                .expect("an account"),
            name: "hosting".to_owned(),
        }],
        ..PolicyDocument::closed(1)
    };
    document.sort();
    document
}

const VOTE: &str = "9QU2QSxhb24FUX3Tu2FpczXjpK3VYrvRudywSZaM29mF";
const TABLE: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
/// Makes the last asset the coin of another chain.
fn coin(document: &mut PolicyDocument, chain: u64, symbol: &str, places: u8) {
    let rule = &mut document.assets[2];
    rule.asset = ChainId::Evm(chain).native_asset();
    rule.symbol = symbol.to_owned();
    rule.decimals = Decimals::new(places).expect("in range");
}

#[test]
fn a_known_network_is_adopted_with_its_own_coin_and_data_fee() {
    for (chain, symbol) in [(1, "ETH"), (8453, "ETH"), (137, "POL"), (4242, "COIN")] {
        let mut document = full();
        document.scopes.clear();
        document.calls.clear();
        coin(&mut document, chain, symbol, 18);
        document.sort();
        assert_eq!(document.check(), Ok(()), "{chain}");
    }
}

/// A document in which every kind of entry stands, and every value is set.
pub(crate) fn full() -> PolicyDocument {
    let mut document = sample();
    let sol = document.assets[0].asset;
    let limits = Limits {
        per_transaction: Some(units(90)),
        hour: Some(units(190)),
        day: Some(units(290)),
        week: Some(units(390)),
        month: Some(units(490)),
        counts: Counts {
            hour: Some(3),
            day: Some(4),
            week: Some(5),
            month: Some(6),
        },
        instant_up_to: Some(units(9)),
        notify_up_to: Some(units(49)),
        delay_up_to: Some(units(59)),
        approve_up_to: Some(units(79)),
        cumulative: vec![Cumulative {
            window: Window::Day,
            above: units(100),
            tier: Tier::Approval,
        }],
    };
    document.delay = Millis::from_secs(1000);
    document.approval = Approval {
        quorum: 2,
        lifetime: Millis::from_hours(6),
    };
    document.release_within = Millis::from_secs(600);
    document.recipients_open = true;
    document.first_payment = Some(Tier::Approval);
    document.denied = vec![
        "eip155:31337:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
            .parse()
            .expect("an account"),
    ];
    document.dead_man = Some(Millis::from_hours(24 * 30));
    let native = &mut document.assets[0];
    native.counts.month = Some(100);
    native.cumulative.clone_from(&limits.cumulative);
    native.recipient = Some(limits.clone());
    native.rent_ceiling = Some(units(4));
    native.price = Some(UsdPrice(200_000_000));
    document.assets[1].price = Some(UsdPrice(4_000_000_000));
    document.assets[1].sign_only = true;
    document.assets[1].data_fee = Some(units(3));
    document.assets[1].transactions = Some(Form::Legacy);
    let mint = "solana:localnet/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
    document.assets.push(AssetRule {
        extensions: vec![
            TokenExtension::TransferFee {
                basis_points: 50,
                most: units(1000),
            },
            TokenExtension::PermanentDelegate,
            TokenExtension::InterestBearing,
            TokenExtension::Metadata,
            TokenExtension::MintCloseAuthority,
            TokenExtension::DefaultAccountState,
        ],
        ..AssetRule::closed(
            mint.parse().expect("an asset"),
            "USDC",
            Decimals::new(6).expect("in range"),
        )
    });
    document.pools = vec![Pool {
        name: "ops".to_owned(),
        wallets: vec![WalletId::from_bytes([1; 16]), WalletId::from_bytes([2; 16])],
    }];
    document.calls = vec![
        CallRule {
            method: vec![0xa9, 0x05, 0x9c, 0xbb],
            ..program_rule(program_deposit())
        },
        deposit(),
    ];
    document.validators = Some(vec![Validator {
        account: format!("solana:localnet:{VOTE}")
            .parse()
            .expect("an account"),
        name: "one".to_owned(),
    }]);
    document.tables = Some(vec![TableRule {
        account: format!("solana:localnet:{TABLE}")
            .parse()
            .expect("an account"),
        addresses: [1, 2, 3]
            .map(|byte| SolanaAddress::from_bytes([byte; 32]))
            .to_vec(),
    }]);
    let hours = vec![Hours {
        utc_offset: 540,
        days: 0x1f,
        from: 540,
        to: 1080,
    }];
    let whole = |scope| ScopeRule {
        limits: vec![AssetLimits {
            asset: sol,
            limits: limits.clone(),
        }],
        usd: Some(limits.clone()),
        networks: Some(vec![sol.chain()]),
        assets: Some(vec![sol]),
        recipients: Some(vec!["hosting".to_owned()]),
        hours: Some(hours.clone()),
        cool_down: Some(Millis::from_secs(5)),
        delay: Some(Millis::from_hours(2)),
        first_payment: Some(Tier::Delay),
        ..ScopeRule::new(scope)
    };
    document.scopes = vec![
        whole(Scope::Global),
        whole(Scope::Pool("ops".to_owned())),
        whole(Scope::Wallet(WalletId::from_bytes([1; 16]))),
        whole(Scope::EverySession),
        whole(Scope::Session(crate::ids::SessionId::from_bytes([1; 16]))),
        whole(Scope::BearerSessions),
    ];
    let window = Millis::from_hours(1);
    document.alarms = [
        (
            Condition::DenialsInARow { count: 5 },
            Remedy::SuspendSession,
        ),
        (
            Condition::Signatures { count: 100, window },
            Remedy::PauseWallet,
        ),
        (Condition::Velocity { times: 5, window }, Remedy::Tell),
        (Condition::OutsideHours { hours }, Remedy::Kill),
        (Condition::OpenPayments { count: 8 }, Remedy::Tell),
        (Condition::Idle { after: window }, Remedy::PauseWallet),
    ]
    .into_iter()
    .map(|(condition, remedy)| Alarm { condition, remedy })
    .collect();
    document.escalations = vec![
        Escalation {
            code: Code::HourLimit,
            action: Action::Ask,
        },
        Escalation {
            code: Code::FeeCeiling,
            action: Action::Tell,
        },
        Escalation {
            code: Code::RecipientDenied,
            action: Action::SuspendSession,
        },
    ];
    document.sign_ins = Some(vec![SignInRule {
        domain: "app.example.org".to_owned(),
        networks: vec!["eip155:31337".parse().expect("a chain"), sol.chain()],
        uri: Some("https://app.example.org/login".to_owned()),
        tier: Tier::Notify,
        counts: Counts {
            hour: Some(2),
            day: Some(4),
            ..Counts::default()
        },
        valid_for: Millis::from_secs(600),
        resources: vec!["ipfs://a".to_owned()],
    }]);
    document.sort();
    document
}

fn site(document: &mut PolicyDocument) -> &mut SignInRule {
    &mut document.sign_ins.as_mut().expect("sites")[0]
}

#[test]
fn a_sound_document_round_trips() {
    let document = sample();
    assert_eq!(
        PolicyDocument::from_bytes(&document.to_bytes()),
        Ok(document)
    );
}

#[test]
fn a_full_document_round_trips() {
    let document = full();
    assert_eq!(document.check(), Ok(()));
    assert_eq!(
        PolicyDocument::from_bytes(&document.to_bytes()),
        Ok(document)
    );
}

fn solana_account(bytes: [u8; 32]) -> AccountId {
    let chain = "solana:localnet".parse().expect("a chain");
    AccountId::new(chain, Account::Solana(SolanaAddress::from_bytes(bytes))).expect("an account")
}

/// A whole table fits, and as many as a document may have.
#[test]
fn sixteen_whole_tables_fit() {
    let mut document = sample();
    let whole = |byte: u8| TableRule {
        account: solana_account([byte; 32]),
        addresses: vec![SolanaAddress::from_bytes([byte; 32]); 256],
    };
    document.tables = Some((0..16).map(whole).collect());
    assert_eq!(
        PolicyDocument::from_bytes(&document.to_bytes()),
        Ok(document.clone())
    );
    let of_chain = document.lookup_tables("solana:localnet".parse().expect("a chain"));
    assert_eq!(of_chain.len(), 16);
    // The same addresses hold other content on another network.
    let elsewhere = document.lookup_tables(
        "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
            .parse()
            .expect("a chain"),
    );
    assert!(elsewhere.is_empty());
}

type Change = fn(&mut PolicyDocument);

/// Asset 0 is Solana's coin, 1 its mint, 2 the EVM chain's coin; scope 0 is the global one.
const FLAWS: [(Flaw, &str, Change); 95] = [
    (Flaw::Version, "the document", |it| it.version = 2),
    (Flaw::Epoch, "the document", |it| it.epoch = 0),
    (Flaw::Wait, "the document", |it| {
        it.maturity = Millis::from_hours(721)
    }),
    (Flaw::Wait, "the document", |it| {
        it.delay = Millis::from_hours(721)
    }),
    (Flaw::Quorum, "the document", |it| it.approval.quorum = 0),
    (Flaw::Quorum, "the document", |it| it.approval.quorum = 17),
    (Flaw::Duration, "the document", |it| {
        it.approval.lifetime = Millis::default()
    }),
    (Flaw::Duration, "the document", |it| {
        it.release_within = Millis::default()
    }),
    (Flaw::Duration, "the document", |it| {
        it.dead_man = Some(Millis::from_hours(24 * 367))
    }),
    (Flaw::FirstPayment, "the document", |it| {
        it.first_payment = Some(Tier::Instant)
    }),
    (Flaw::Order, "[[asset]]", |it| it.assets.reverse()),
    (Flaw::Order, "[[asset]]", |it| {
        it.assets.push(it.assets[2].clone())
    }),
    (Flaw::Name, "[[asset]]", |it| {
        it.assets[0].symbol = "U$D".to_owned()
    }),
    (Flaw::Name, "[[asset]]", |it| {
        it.assets[0].symbol = String::new()
    }),
    (Flaw::LimitOrder, "[[asset]]", |it| {
        it.assets[0].day = units(199)
    }),
    (Flaw::LimitOrder, "[[asset]]", |it| {
        it.assets[0].instant_up_to = Amount::MAX
    }),
    (Flaw::LimitOrder, "[[asset]]", |it| {
        it.assets[0].delay_up_to = units(49)
    }),
    (Flaw::LimitOrder, "[[asset]]", |it| {
        it.assets[0].approve_up_to = units(101)
    }),
    (Flaw::LimitOrder, "[[asset]]", |it| {
        it.assets[0].counts.hour = Some(11)
    }),
    (Flaw::ZeroCount, "[[asset]]", |it| {
        it.assets[0].counts.hour = Some(0)
    }),
    (Flaw::Cumulative, "[[asset]]", |it| {
        it.assets[0].cumulative[0].tier = Tier::Instant
    }),
    (Flaw::Cumulative, "[[asset]]", |it| {
        let entry = it.assets[0].cumulative[0];
        it.assets[0].cumulative.push(entry);
    }),
    (Flaw::Empty, "[[asset]]", |it| {
        it.assets[0].recipient = Some(Limits::default())
    }),
    (Flaw::NativeOnly, "[[asset]]", |it| {
        it.assets[0].outstanding = Some(Amount::MAX)
    }),
    (Flaw::NativeOnly, "[[asset]]", |it| {
        it.assets[2].outstanding = None
    }),
    (Flaw::NativeOnly, "[[asset]]", |it| {
        it.assets[0].sign_only = true
    }),
    (Flaw::NativeOnly, "[[asset]]", |it| {
        it.assets[1].fee_ceiling = Some(units(1))
    }),
    (Flaw::NativeOnly, "[[asset]]", |it| {
        it.assets[2].rent_ceiling = Some(units(1))
    }),
    (Flaw::Network, "[[asset]]", |it| {
        it.assets[0].data_fee = Some(units(1))
    }),
    (Flaw::Network, "[[asset]]", |it| {
        it.assets[1].transactions = Some(Form::Legacy)
    }),
    (Flaw::Network, "[[asset]]", |it| {
        let token = "eip155:31337/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        it.assets[2].asset = token.parse().expect("an asset");
        it.assets[2].fee_ceiling = None;
        it.assets[2].sign_only = false;
    }),
    // Coins of networks that are known.
    (Flaw::NativeCoin, "[[asset]]", |it| coin(it, 1, "COIN", 18)),
    (Flaw::NativeCoin, "[[asset]]", |it| coin(it, 1, "ETH", 9)),
    (Flaw::NativeCoin, "[[asset]]", |it| {
        coin(it, 137, "MATIC", 18)
    }),
    (Flaw::DataFee, "[[asset]]", |it| {
        coin(it, 8453, "ETH", 18);
        it.assets[2].data_fee = None;
    }),
    (Flaw::DataFee, "[[asset]]", |it| {
        coin(it, 11_155_420, "ETH", 18);
        it.assets[2].data_fee = Some(Amount::ZERO);
    }),
    (Flaw::Price, "[[asset]]", |it| {
        it.assets[0].price = Some(UsdPrice(0))
    }),
    (Flaw::Extensions, "[[asset]]", |it| {
        it.assets[0].extensions = vec![TokenExtension::Metadata]
    }),
    (Flaw::Extensions, "[[asset]]", |it| {
        it.assets[1].extensions = vec![TokenExtension::Metadata, TokenExtension::Metadata]
    }),
    (Flaw::Extensions, "[[asset]]", |it| {
        it.assets[1].extensions = vec![TokenExtension::TransferFee {
            basis_points: 10_001,
            most: units(1),
        }]
    }),
    (Flaw::TokenProgram, "[[asset]]", |it| {
        it.assets[0].program = Some(TokenProgram::Token2022)
    }),
    (Flaw::TokenProgram, "[[asset]]", |it| {
        it.assets[1].program = Some(TokenProgram::Token)
    }),
    (Flaw::Order, "[[recipient]]", |it| {
        it.recipients.push(it.recipients[0].clone())
    }),
    (Flaw::Name, "[[recipient]]", |it| {
        it.recipients[0].name = "Hosting".to_owned()
    }),
    (Flaw::Order, "denied", |it| it.denied.push(it.denied[0])),
    (Flaw::Empty, "the document", |it| {
        it.validators = Some(vec![])
    }),
    (Flaw::Order, "[[validator]]", |it| {
        let known = it.validators.as_mut().unwrap();
        known.push(known[0].clone());
    }),
    // One name for two of them.
    (Flaw::Order, "[[validator]]", |it| {
        let known = it.validators.as_mut().unwrap();
        let account = "solana:localnet:9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
        known.push(Validator {
            account: account.parse().expect("an account"),
            ..known[0].clone()
        });
        it.sort();
    }),
    (Flaw::Name, "[[validator]]", |it| {
        it.validators.as_mut().unwrap()[0].name = "One".to_owned()
    }),
    (Flaw::Validator, "[[validator]]", |it| {
        let account = it.recipients[0].account;
        it.validators.as_mut().unwrap()[0].account = account;
    }),
    (Flaw::Unknown, "[[validator]]", |it| {
        it.assets.remove(0);
    }),
    (Flaw::Empty, "the document", |it| it.tables = Some(vec![])),
    (Flaw::TooMany, "the document", |it| {
        let tables = it.tables.as_mut().unwrap();
        let more = (0..16).map(|byte| TableRule {
            account: solana_account([byte; 32]),
            addresses: tables[0].addresses.clone(),
        });
        tables.extend(more.collect::<Vec<_>>());
        it.sort();
    }),
    (Flaw::Order, "[[table]]", |it| {
        let tables = it.tables.as_mut().unwrap();
        tables.push(tables[0].clone());
    }),
    (Flaw::Table, "[[table]]", |it| {
        it.tables.as_mut().unwrap()[0].addresses.clear()
    }),
    (Flaw::Table, "[[table]]", |it| {
        let table = &mut it.tables.as_mut().unwrap()[0];
        table.addresses = vec![SolanaAddress::from_bytes([1; 32]); 257];
    }),
    (Flaw::Table, "[[table]]", |it| {
        let account = "eip155:31337:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
        it.tables.as_mut().unwrap()[0].account = account.parse().expect("an account");
    }),
    (Flaw::Name, "[[pool]]", |it| {
        it.pools[0].name = "Ops".to_owned()
    }),
    (Flaw::Empty, "[[pool]]", |it| it.pools[0].wallets.clear()),
    (Flaw::TwoPools, "[[pool]]", |it| {
        it.pools.push(Pool {
            name: "ops-2".to_owned(),
            ..it.pools[0].clone()
        })
    }),
    (Flaw::Method, "[[call]]", |it| it.calls[0].method.clear()),
    (Flaw::Method, "[[call]]", |it| {
        it.calls[0].method = vec![0; 17]
    }),
    (Flaw::Order, "[[call]]", |it| {
        it.calls.push(it.calls[1].clone())
    }),
    (Flaw::Order, "[[scope]]", |it| it.scopes.reverse()),
    (Flaw::Empty, "[[scope]]", |it| {
        it.scopes[0] = ScopeRule::new(Scope::Global)
    }),
    (Flaw::Empty, "[[scope]]", |it| {
        it.scopes[0].networks = Some(vec![])
    }),
    (Flaw::Empty, "[[scope]]", |it| {
        it.scopes[0].hours = Some(vec![])
    }),
    (Flaw::Unknown, "[[scope]]", |it| {
        it.scopes[1].scope = Scope::Pool("opt".to_owned())
    }),
    (Flaw::Unknown, "[[scope]]", |it| {
        it.scopes[0].recipients = Some(vec!["nobody".to_owned()])
    }),
    (Flaw::Hours, "[[scope]]", |it| {
        it.scopes[0].hours.as_mut().unwrap()[0].to = 540
    }),
    (Flaw::Duration, "[[scope]]", |it| {
        it.scopes[0].cool_down = Some(Millis::default())
    }),
    (Flaw::Remedy, "[[alarm]]", |it| {
        it.alarms[0].remedy = Remedy::PauseWallet
    }),
    (Flaw::Duration, "[[alarm]]", |it| {
        it.alarms[5].condition = Condition::Idle {
            after: Millis::default(),
        }
    }),
    (Flaw::Remedy, "[[alarm]]", |it| {
        it.alarms[5].remedy = Remedy::SuspendSession
    }),
    (Flaw::Row, "[[alarm]]", |it| {
        it.alarms[0].condition = Condition::DenialsInARow { count: 257 }
    }),
    (Flaw::Duration, "[[alarm]]", |it| {
        it.alarms[1].condition = Condition::Signatures {
            count: 1,
            window: Millis::from_hours(24 * 30 + 1),
        }
    }),
    (Flaw::Duration, "[[alarm]]", |it| {
        it.alarms[2].condition = Condition::Velocity {
            times: 2,
            window: Millis::from_hours(24 * 7 + 1),
        }
    }),
    (Flaw::Ask, "[[escalation]]", |it| {
        it.escalations[1].action = Action::Ask
    }),
    // A gateway could bring it about with the bytes that it proposes.
    (Flaw::Escalation, "[[escalation]]", |it| {
        it.escalations[1].action = Action::SuspendSession
    }),
    // Nothing that an agent asked brings it about.
    (Flaw::Escalation, "[[escalation]]", |it| {
        it.escalations[0] = Escalation {
            code: Code::Frozen,
            action: Action::Tell,
        }
    }),
    (Flaw::Empty, "the document", |it| it.sign_ins = Some(vec![])),
    (Flaw::Order, "[[sign-in]]", |it| {
        let again = site(it).clone();
        it.sign_ins.as_mut().unwrap().push(again)
    }),
    (Flaw::SiteDomain, "[[sign-in]]", |it| {
        site(it).domain = "App.example.org".to_owned()
    }),
    (Flaw::SiteDomain, "[[sign-in]]", |it| {
        site(it).domain = "https://app.example.org".to_owned()
    }),
    (Flaw::SiteNetworks, "[[sign-in]]", |it| {
        site(it).networks.clear()
    }),
    (Flaw::SiteNetworks, "[[sign-in]]", |it| {
        site(it).networks.reverse()
    }),
    (Flaw::SiteUri, "[[sign-in]]", |it| {
        site(it).uri = Some("app.example.org".to_owned())
    }),
    (Flaw::SiteTier, "[[sign-in]]", |it| {
        site(it).tier = Tier::Delay
    }),
    (Flaw::SiteTier, "[[sign-in]]", |it| {
        site(it).tier = Tier::Approval
    }),
    (Flaw::SiteCount, "[[sign-in]]", |it| {
        site(it).counts.day = None
    }),
    (Flaw::ZeroCount, "[[sign-in]]", |it| {
        site(it).counts.hour = Some(0)
    }),
    (Flaw::LimitOrder, "[[sign-in]]", |it| {
        site(it).counts.hour = Some(5)
    }),
    (Flaw::SiteValidity, "[[sign-in]]", |it| {
        site(it).valid_for = Millis::from_millis(999)
    }),
    (Flaw::SiteValidity, "[[sign-in]]", |it| {
        site(it).valid_for = Millis::from_hours(25)
    }),
    (Flaw::SiteResources, "[[sign-in]]", |it| {
        site(it).resources = vec!["plain".to_owned()]
    }),
];

#[test]
fn one_flaw_refuses_the_whole() {
    for (flaw, entry, change) in FLAWS {
        let mut document = full();
        change(&mut document);
        match PolicyDocument::from_bytes(&document.to_bytes()) {
            Err(PolicyError::Flawed {
                entry: named,
                flaw: found,
            }) => {
                assert_eq!(found, flaw, "{named}");
                assert!(named.to_string().starts_with(entry), "{flaw:?}: {named}");
            }
            other => panic!("{flaw:?}: {other:?}"),
        }
    }
}

#[test]
fn what_names_an_unknown_asset_is_refused() {
    let changes: [Change; 3] = [
        |it| it.scopes[0].limits[0].asset = "eip155:1/slip44:60".parse().expect("an asset"),
        |it| it.scopes[0].assets = Some(vec!["eip155:1/slip44:60".parse().expect("an asset")]),
        |it| {
            it.calls[1].target = "eip155:31338:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
                .parse()
                .expect("an account")
        },
    ];
    for change in changes {
        let mut document = full();
        change(&mut document);
        let refused = document.check();
        assert!(
            matches!(
                refused,
                Err(PolicyError::Flawed {
                    flaw: Flaw::Unknown,
                    ..
                })
            ),
            "{refused:?}"
        );
    }
}

#[test]
fn entries_are_bounded() {
    let mut document = sample();
    let alarm = |count| Alarm {
        condition: Condition::OpenPayments { count },
        remedy: Remedy::Tell,
    };
    document.alarms = (1..=16).map(alarm).collect();
    assert_eq!(document.check(), Ok(()));
    document.alarms.push(alarm(17));
    assert!(matches!(
        document.check(),
        Err(PolicyError::Flawed {
            flaw: Flaw::TooMany,
            ..
        })
    ));
}

#[test]
fn prices_are_rounded_up_and_never_wrap() {
    let six = Decimals::new(6).expect("in range");
    assert_eq!(UsdPrice(1).of(units(1), six), units(1));
    assert_eq!(
        UsdPrice(2_000_000).of(units(1_500_000), six),
        units(3_000_000)
    );
    assert_eq!(UsdPrice(u64::MAX).of(Amount::ZERO, six), Amount::ZERO);
    assert_eq!(
        UsdPrice(u64::MAX).of(Amount::MAX, Decimals::ZERO),
        Amount::MAX
    );
    let most = Decimals::new(36).expect("in range");
    assert_eq!(
        UsdPrice(1_000_000).of(Amount::MAX, most),
        units(340_282_367)
    );
}

#[test]
fn the_longest_method_that_fits_says_what_a_call_may() {
    let mut document = full();
    let mut wider = document.calls[0].clone();
    wider.method = vec![0xa9];
    document.calls.insert(0, wider.clone());
    assert_eq!(document.check(), Ok(()));
    let data = [0xa9, 0x05, 0x9c, 0xbb, 0x00];
    assert_eq!(document.call(wider.target, &data), Some(&document.calls[1]));
    assert_eq!(document.call(wider.target, &data[..3]), Some(&wider));
    assert_eq!(document.call(wider.target, &data[1..]), None);
    assert_eq!(document.call(wider.target, &[]), None);
}

#[test]
fn unknown_fields_and_truncation_refuse_the_whole() {
    let bytes = full().to_bytes();
    for length in 0..bytes.len() {
        assert!(PolicyDocument::from_bytes(&bytes[..length]).is_err());
    }
    // One more entry of the outer map, which has 20.
    let mut more = bytes.clone();
    assert_eq!(more[0], 0xb4);
    more[0] = 0xb5;
    more.extend_from_slice(&[0x18, 0x1f, 0x01]);
    assert!(PolicyDocument::from_bytes(&more).is_err());
}
