//! One change each, both ways: what is a loosening one way is never one the other way, except where
//! neither way is tighter.

use super::super::alarm::Action;
use super::super::document::tests::{full, sample};
use super::super::document::{
    Accepts, AccountAccepts, ArgumentRule, AssetRule, CallProgram, FieldAccepts, Recipient,
    SignInRule, TableRule, TokenExtension, UsdPrice,
};
use super::super::evaluate::Tier;
use super::super::limits::Limits;
use super::super::scope::{AssetLimits, Scope, ScopeRule};
use super::*;
use crate::address::{Account, SolanaAddress};
use crate::amount::{Amount, Decimals};
use crate::caip::AccountId;
use crate::evm::abi::Word;
use crate::time::Millis;

type Change = fn(&mut PolicyDocument);

fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

fn usd(document: &mut PolicyDocument) -> &mut Limits {
    document.scopes[0].usd.get_or_insert_default()
}

fn site(document: &mut PolicyDocument) -> &mut SignInRule {
    &mut document.sign_ins.as_mut().expect("sites")[0]
}

fn address(byte: u8) -> SolanaAddress {
    SolanaAddress::from_bytes([byte; 32])
}

fn table(document: &mut PolicyDocument) -> &mut Vec<SolanaAddress> {
    &mut document.tables.as_mut().expect("tables")[0].addresses
}

fn program(document: &mut PolicyDocument) -> &mut CallProgram {
    document.calls[0].program.as_mut().expect("a program")
}

fn argument(document: &mut PolicyDocument, place: usize) -> &mut ArgumentRule {
    let function = document.calls[1].function.as_mut();
    &mut function.expect("a function").arguments[place]
}

/// Asset 0 of the full document is Solana's coin, 1 its mint, 2 the EVM chain's coin; scope 0 is the
/// global one. Each change lets more pass.
const LOOSER: [(&str, Change); 83] = [
    ("later policies wait", |it| {
        it.maturity = Millis::from_hours(23)
    }),
    ("DELAY waits", |it| it.delay = Millis::from_secs(999)),
    ("owners who must approve", |it| it.approval.quorum = 1),
    ("an approval may take", |it| {
        it.approval.lifetime = Millis::from_hours(7)
    }),
    ("released payments", |it| {
        it.release_within = Millis::from_secs(601)
    }),
    ("first payment", |it| it.first_payment = Some(Tier::Delay)),
    ("first payment", |it| it.first_payment = None),
    ("everything pauses", |it| it.dead_man = None),
    ("everything pauses", |it| {
        it.dead_man = Some(Millis::from_hours(721))
    }),
    ("most in one transaction", |it| {
        it.assets[0].per_transaction = units(101)
    }),
    ("most in any hour", |it| it.assets[0].hour = units(201)),
    ("most in any 24 hours", |it| it.assets[0].day = units(301)),
    ("most in any 7 days", |it| it.assets[0].week = units(401)),
    ("most in any 30 days", |it| it.assets[0].month = units(501)),
    ("most payments in any 24 hours", |it| {
        it.assets[0].counts.day = Some(11)
    }),
    ("most payments in any 24 hours", |it| {
        it.assets[0].counts.day = None
    }),
    ("without telling you", |it| {
        it.assets[0].instant_up_to = units(11)
    }),
    ("signed at once, up to", |it| {
        it.assets[0].notify_up_to = units(51)
    }),
    ("without asking you", |it| {
        it.assets[0].delay_up_to = units(61)
    }),
    ("signed at all", |it| it.assets[0].approve_up_to = units(81)),
    ("24 hours without APPROVAL", |it| {
        it.assets[0].cumulative[0].above = units(101)
    }),
    ("24 hours without APPROVAL", |it| {
        it.assets[0].cumulative.clear()
    }),
    ("to one recipient, most in any hour", |it| {
        it.assets[0].recipient.as_mut().unwrap().hour = units(191).into()
    }),
    ("highest fee", |it| {
        it.assets[0].fee_ceiling = Some(units(6))
    }),
    ("highest rent", |it| {
        it.assets[0].rent_ceiling = Some(units(5))
    }),
    ("attestations", |it| {
        it.assets[2].outstanding = Some(units(1001))
    }),
    ("ceiling price", |it| {
        it.assets[0].price = Some(UsdPrice(199_999_999))
    }),
    ("new recipient", |it| {
        let account = "solana:localnet:7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
            .parse()
            .expect("an account");
        it.recipients.push(Recipient {
            account,
            name: "other".to_owned(),
        });
    }),
    ("no more refused recipient", |it| it.denied.clear()),
    ("pool ops, wallets", |it| it.pools[0].wallets.truncate(1)),
    ("new calls of", |it| {
        let mut other = it.calls[0].clone();
        other.method = vec![0];
        it.calls.insert(0, other);
    }),
    ("argument 1 (uint256): up to 1001", |it| {
        argument(it, 0).accepts = Accepts::Max(Word::from_number(1001))
    }),
    ("argument 1 (uint256): anything", |it| {
        argument(it, 0).accepts = Accepts::Any
    }),
    ("argument 2 (address): anything", |it| {
        argument(it, 1).accepts = Accepts::Any
    }),
    ("tier, at least", |it| it.calls[0].tier = Tier::Instant),
    ("most that one carries", |it| {
        it.calls[1].value_up_to = units(4)
    }),
    (
        "counted as leaving each time, solana:localnet/slip44:501",
        |it| program(it).outflow[0].up_to = units(4),
    ),
    ("account 3: one of", |it| {
        if let AccountAccepts::OneOf(accounts) = &mut program(it).accounts[2].accepts {
            accounts.push(crate::address::SolanaAddress::from_bytes([0xff; 32]));
        }
    }),
    ("argument 1 (u64): up to 1001", |it| {
        program(it).fields[0].accepts = FieldAccepts::Max(units(1001))
    }),
    ("argument 1 (u64): anything", |it| {
        program(it).fields[0].accepts = FieldAccepts::Any
    }),
    ("argument 2 (address): anything", |it| {
        program(it).fields[1].accepts = FieldAccepts::Any
    }),
    ("argument 3 (bytes2): anything", |it| {
        program(it).fields[2].accepts = FieldAccepts::Any
    }),
    ("bytes of anything behind the arguments", |it| {
        program(it).tail = 5
    }),
    ("no more scope global", |it| drop(it.scopes.remove(0))),
    (
        "scope global, solana:localnet/slip44:501, most in any hour",
        |it| it.scopes[0].limits[0].limits.hour = None,
    ),
    (
        "scope global, solana:localnet/slip44:501, most in any 30 days",
        |it| it.scopes[0].limits[0].limits.month = Some(units(491)),
    ),
    ("scope global, all assets, most in any hour", |it| {
        usd(it).hour = Some(units(191))
    }),
    (
        "scope global, all assets, most payments in any hour",
        |it| usd(it).counts.hour = None,
    ),
    ("scope global, networks", |it| it.scopes[0].networks = None),
    ("scope global, networks", |it| {
        it.scopes[0]
            .networks
            .as_mut()
            .unwrap()
            .push("eip155:1".parse().expect("a chain"))
    }),
    ("scope global, assets", |it| it.scopes[0].assets = None),
    ("scope global, contacts", |it| {
        it.scopes[0].recipients = None
    }),
    ("time between two payments", |it| {
        it.scopes[0].cool_down = None
    }),
    ("time between two payments", |it| {
        it.scopes[0].cool_down = Some(Millis::from_secs(4))
    }),
    ("scope global, a payment in DELAY", |it| {
        it.scopes[0].delay = None
    }),
    ("scope global, a first payment", |it| {
        it.scopes[0].first_payment = None
    }),
    ("scope global, a first payment", |it| {
        it.scopes[0].first_payment = Some(Tier::Notify)
    }),
    ("no more alarm on 5 refusals in a row", |it| {
        drop(it.alarms.remove(0))
    }),
    ("no more alarm on 100 signatures", |it| {
        drop(it.alarms.remove(1))
    }),
    ("no more alarm on 5 times", |it| drop(it.alarms.remove(2))),
    ("no more alarm on a payment outside", |it| {
        drop(it.alarms.remove(3))
    }),
    ("no more alarm on 8 payments", |it| {
        drop(it.alarms.remove(4))
    }),
    ("no more alarm on no payment", |it| {
        drop(it.alarms.remove(5))
    }),
    ("no more telling you of fee_ceiling", |it| {
        it.escalations.retain(|entry| entry.action != Action::Tell)
    }),
    ("no more suspending the session", |it| {
        it.escalations
            .retain(|entry| entry.action != Action::SuspendSession)
    }),
    ("extensions", |it| {
        it.assets[1]
            .extensions
            .push(TokenExtension::DefaultAccountState)
    }),
    ("new asset", |it| {
        let mint = "solana:localnet/token:Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB";
        let id = mint.parse().expect("an asset");
        it.assets
            .push(AssetRule::closed(id, "USDT", Decimals::ZERO));
    }),
    ("asking you instead of refusing on day_limit", |it| {
        let mut other = it.escalations[0];
        other.code = crate::denial::Code::DayLimit;
        it.escalations.push(other);
    }),
    ("signed without being sent", |it| {
        it.assets[2].sign_only = true
    }),
    (
        "new sign-in at b.example, NOTIFY, under https://app",
        |it| {
            let mut other = site(it).clone();
            other.domain = "b.example".to_owned();
            it.sign_ins.as_mut().unwrap().push(other);
        },
    ),
    ("networks", |it| {
        site(it).networks.push("eip155:1".parse().expect("a chain"))
    }),
    ("tier, at least", |it| site(it).tier = Tier::Instant),
    ("a message holds at most", |it| {
        site(it).valid_for = Millis::from_secs(601)
    }),
    ("most logins of one wallet in any hour", |it| {
        site(it).counts.hour = None
    }),
    ("most logins of one wallet in any 24 hours", |it| {
        site(it).counts.day = Some(5)
    }),
    ("resources in the message", |it| {
        site(it).resources.push("ipfs://b".to_owned())
    }),
    ("most logins of one wallet in any hour", |it| {
        site(it).counts.hour = Some(3)
    }),
    ("sign-in at app.example.org, a message", |it| {
        site(it).valid_for = Millis::from_hours(24)
    }),
    ("counted for data in each transaction", |it| {
        it.assets[2].data_fee = Some(units(2))
    }),
    ("legacy transactions: may be signed", |it| {
        it.assets[2].transactions = Some(crate::evm::Form::Legacy)
    }),
    (
        "new lookup table solana:localnet:YMN9Qj5jPNp7j14VPcML1B6xGgcPWVZUGLFU3Mnyfaf, 1 address",
        |it| {
            let chain = it.assets[0].asset.chain();
            let account = Account::Solana(address(8));
            it.tables.as_mut().unwrap().push(TableRule {
                account: AccountId::new(chain, account).expect("an account"),
                addresses: vec![address(9)],
            });
        },
    ),
    (
        "AWWM, addresses by index: 3 is 11111111111111111111111111111111, new; 4 instead of 3 in all",
        |it| table(it).push(address(0)),
    ),
    (
        "addresses by index: 200 changed or new; 203 instead of 3 in all",
        |it| {
            table(it).extend([address(9); 200]);
        },
    ),
];

/// The full document with room for each change above.
fn before() -> PolicyDocument {
    let mut document = full();
    document.assets[1].extensions.pop();
    document.assets[2].sign_only = false;
    document.assets[2].transactions = None;
    document
}

#[test]
fn each_change_loosens_one_way_and_tightens_the_other() {
    for (words, change) in LOOSER {
        let before = before();
        let mut after = before.clone();
        change(&mut after);
        after.sort();
        assert_eq!(after.check(), Ok(()), "{words}");
        let there = diff(&before, &after);
        let [loosening] = there.loosenings.as_slice() else {
            panic!("{words}: {there:?}")
        };
        assert!(loosening.words.contains(words), "{words}: {loosening:?}");
        assert!(there.tightenings.is_empty(), "{words}: {there:?}");
        let back = diff(&after, &before);
        assert_eq!(back.tightenings.len(), 1, "{words}: {back:?}");
        assert!(back.loosenings.is_empty(), "{words}: {back:?}");
    }
}

#[test]
fn names_units_and_hours_never_change_unseen() {
    let changes: [Change; 10] = [
        // Another address, or another order, is another recipient.
        |it| table(it)[1] = address(9),
        |it| table(it).swap(0, 2),
        |it| program(it).accounts[1].writable = false,
        |it| program(it).accounts[2].writable = false,
        |it| {
            let other = program(it).accounts[3].clone();
            program(it).accounts[1] = other;
        },
        |it| site(it).uri = None,
        |it| it.assets[0].decimals = Decimals::ZERO,
        |it| it.assets[0].symbol = "ETH".to_owned(),
        |it| it.recipients[0].name = "rent".to_owned(),
        |it| it.scopes[0].hours.as_mut().unwrap()[0].to = 1000,
    ];
    let before = full();
    for change in changes {
        let mut after = before.clone();
        change(&mut after);
        for (one, other) in [(&before, &after), (&after, &before)] {
            let found = diff(one, other);
            assert_eq!((found.loosenings.len(), found.tightenings.len()), (1, 0));
        }
    }
}

#[test]
fn an_open_list_of_recipients_is_one_loosening() {
    let mut open = sample();
    open.recipients_open = true;
    let found = diff(&sample(), &open);
    assert_eq!(
        found.loosenings[0].words,
        "who is no contact: may receive instead of is refused"
    );
    assert_eq!(diff(&open, &sample()).tightenings.len(), 1);
}

#[test]
fn an_absent_fee_ceiling_is_a_ceiling_of_zero() {
    let mut none = sample();
    none.assets[1].fee_ceiling = None;
    let mut zero = sample();
    zero.assets[1].fee_ceiling = Some(Amount::ZERO);
    let same = diff(&none, &zero);
    assert!(same.loosenings.is_empty() && same.tightenings.is_empty());
    assert_eq!(
        diff(&none, &sample()).loosenings[0].words,
        "eip155:31337/slip44:60, highest fee of one transaction: 0.000000005 COIN (5 base units) instead of 0 COIN (0 base units)"
    );
}

#[test]
fn the_epoch_alone_changes_nothing() {
    let mut next = full();
    next.epoch = 2;
    let found = diff(&full(), &next);
    assert!(found.loosenings.is_empty() && found.tightenings.is_empty());
}

#[test]
fn limits_that_come_and_go_with_their_scope_are_one_change() {
    let mut narrowed = sample();
    let coin = narrowed.assets[0].asset;
    narrowed.scopes = vec![ScopeRule {
        limits: vec![AssetLimits {
            asset: coin,
            limits: Limits {
                day: Some(units(1)),
                ..Limits::default()
            },
        }],
        ..ScopeRule::new(Scope::Global)
    }];
    let there = diff(&sample(), &narrowed);
    assert_eq!((there.loosenings.len(), there.tightenings.len()), (0, 1));
    // Another asset's limit within a scope that stays is a change of its own.
    let mut more = narrowed.clone();
    let other = more.assets[1].asset;
    let mut entry = more.scopes[0].limits[0].clone();
    entry.asset = other;
    more.scopes[0].limits.push(entry);
    assert_eq!(diff(&narrowed, &more).tightenings.len(), 1);
    assert_eq!(
        diff(&more, &narrowed).loosenings[0].words,
        "scope global, eip155:31337/slip44:60, most in any 24 hours: no limit instead of 0.000000001 COIN (1 base units)"
    );
}
