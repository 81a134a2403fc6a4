//! Every code of a rule, once broken and once kept to the unit; and what holds for all documents: no
//! input panics, and one more scope never lets more pass.

use proptest::prelude::*;

use super::super::alarm::Escalation;
use super::super::document::tests::{full, sample};
use super::super::document::{CallRule, Recipient, UsdPrice};
use super::super::history::{Charged, Nothing, SessionHistory, WalletHistory};
use super::super::limits::{Counts, Cumulative, Limits};
use super::super::scope::{AssetLimits, Hours, Pool, Scope, ScopeRule};
use super::*;
use crate::address::Account;

const LISTED: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const STRANGER: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const PAYER: WalletId = WalletId::from_bytes([1; 16]);
const OTHER: WalletId = WalletId::from_bytes([2; 16]);
const SESSION: SessionId = SessionId::from_bytes([1; 16]);
const NOW: Now = Now {
    budget: BudgetTime::from_millis(1_000_000),
    // A Monday, 00:00 UTC.
    wall: WallTime::from_millis(1_795_392_000_000),
};

fn chain() -> ChainId {
    ChainId::Evm(31_337)
}

fn native() -> AssetId {
    chain().native_asset()
}

fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

fn to(text: &str) -> Account {
    text.parse().expect("an address")
}

fn transfer(amount: u128, recipient: &str) -> Effect {
    Effect::Transfer {
        asset: native(),
        to: to(recipient),
        amount: units(amount),
    }
}

fn fee(amount: u128) -> Effect {
    Effect::Fee {
        asset: native(),
        max: units(amount),
    }
}

fn payment(amount: u128, of_fee: u128) -> Vec<Effect> {
    vec![transfer(amount, LISTED), fee(of_fee)]
}

/// Two wallets and one session.
#[derive(Debug, Default, Clone)]
struct Past {
    payer: WalletHistory,
    other: WalletHistory,
    session: SessionHistory,
}

impl History for Past {
    fn wallet(&self, wallet: WalletId) -> Option<&WalletHistory> {
        match wallet {
            PAYER => Some(&self.payer),
            OTHER => Some(&self.other),
            _ => None,
        }
    }

    fn session(&self, session: SessionId) -> Option<&SessionHistory> {
        (session == SESSION).then_some(&self.session)
    }

    fn wallets(&self) -> Box<dyn Iterator<Item = (WalletId, &WalletHistory)> + '_> {
        Box::new([(PAYER, &self.payer), (OTHER, &self.other)].into_iter())
    }
}

impl Past {
    /// The payer, in the session, paid `amount` to the listed recipient at so many milliseconds.
    fn paid(mut self, at: u64, amount: u128) -> Self {
        let effects = [transfer(amount, LISTED)];
        let charges = charges(&effects).expect("fits");
        let charged = Charged {
            at: BudgetTime::from_millis(at),
            chain: chain(),
            charges: &charges,
            effects: &effects,
        };
        self.payer.charge(&charged);
        self.session.charge(charged.at, &charges);
        self
    }

    /// The other wallet did.
    fn other_paid(mut self, at: u64, amount: u128) -> Self {
        let effects = [transfer(amount, LISTED)];
        self.other.charge(&Charged {
            at: BudgetTime::from_millis(at),
            chain: chain(),
            charges: &charges(&effects).expect("fits"),
            effects: &effects,
        });
        self
    }

    fn attested(mut self) -> Self {
        self.payer.attested(chain());
        self
    }
}

fn request(effects: &[Effect]) -> Payment<'_> {
    Payment {
        wallet: PAYER,
        session: SESSION,
        bearer: false,
        chain: chain(),
        effects,
        submit: true,
    }
}

fn codes(violations: &[Violation]) -> Vec<Code> {
    violations.iter().map(|violation| violation.code).collect()
}

fn judge(document: &PolicyDocument, effects: &[Effect], past: &Past) -> Result<Tier, Vec<Code>> {
    assert_eq!(document.check(), Ok(()));
    evaluate(document, &request(effects), past, NOW)
        .map(|verdict| verdict.tier)
        .map_err(|violations| codes(&violations))
}

/// The sample with a scope of its own.
fn scoped(scope: Scope, fill: impl FnOnce(&mut ScopeRule)) -> PolicyDocument {
    let mut document = sample();
    let mut rule = ScopeRule::new(scope);
    fill(&mut rule);
    document.scopes = vec![rule];
    document.pools = vec![Pool {
        name: "ops".to_owned(),
        wallets: vec![PAYER, OTHER],
    }];
    document
}

fn limited(scope: Scope, limits: Limits) -> PolicyDocument {
    scoped(scope, |rule| {
        rule.limits = vec![AssetLimits {
            asset: native(),
            limits,
        }];
    })
}

fn some(amount: u128) -> Option<Amount> {
    Some(units(amount))
}

#[test]
fn tiers_hold_to_the_unit_and_fees_count() {
    let none = Past::default();
    for (amount, of_fee, tier) in [
        (10, 0, Tier::Instant),
        (9, 1, Tier::Instant),
        (10, 1, Tier::Notify),
        (45, 5, Tier::Notify),
        (46, 5, Tier::Delay),
        (60, 0, Tier::Delay),
        (61, 0, Tier::Approval),
        (80, 0, Tier::Approval),
    ] {
        assert_eq!(judge(&sample(), &payment(amount, of_fee), &none), Ok(tier));
    }
    assert_eq!(
        judge(&sample(), &payment(81, 0), &none),
        Err(vec![Code::TierNotAvailable])
    );
    assert_eq!(
        judge(&sample(), &payment(1, 6), &none),
        Err(vec![Code::FeeCeiling])
    );
}

#[test]
fn every_broken_rule_is_named() {
    let past = Past::default().paid(999_000, 190);
    assert_eq!(judge(&sample(), &payment(10, 0), &past), Ok(Tier::Instant));
    assert_eq!(
        judge(&sample(), &payment(11, 0), &past),
        Err(vec![Code::HourLimit])
    );
    let mut document = sample();
    document.assets[1].outstanding = some(500);
    assert_eq!(
        judge(&document, &payment(400, 6), &past),
        Err(vec![
            Code::PerTransactionLimit,
            Code::HourLimit,
            Code::DayLimit,
            Code::WeekLimit,
            Code::MonthLimit,
            Code::TierNotAvailable,
            Code::OutstandingCap,
            Code::FeeCeiling,
        ])
    );
    let none = Past::default();
    assert_eq!(
        judge(&sample(), &[], &none),
        Err(vec![Code::TransactionUndecodable])
    );
    assert_eq!(
        judge(&sample(), &[fee(1)], &none),
        Err(vec![Code::TransactionUndecodable])
    );
    assert_eq!(
        judge(&sample(), &payment(u128::MAX, 1), &none),
        Err(vec![Code::Overflow])
    );
    // An effect on another chain, in an asset without an entry.
    let elsewhere = Effect::Transfer {
        asset: ChainId::Evm(1).native_asset(),
        to: to(LISTED),
        amount: units(1),
    };
    assert_eq!(
        judge(&sample(), &[transfer(1, LISTED), elsewhere], &none),
        Err(vec![Code::TransactionUndecodable, Code::AssetNotListed])
    );
}

#[test]
fn windows_of_every_length_hold_and_say_when() {
    for (code, at, limit) in [
        (Code::HourLimit, 0, 200),
        (Code::DayLimit, 0, 300),
        (Code::WeekLimit, 0, 400),
        (Code::MonthLimit, 0, 500),
    ] {
        // Each window alone: the others allow more than is ever spent.
        let mut document = sample();
        let rule = &mut document.assets[1];
        (rule.week, rule.month) = (units(100_000), units(100_000));
        match code {
            Code::HourLimit => rule.day = units(100_000),
            Code::DayLimit => (rule.hour, rule.day) = (units(limit), units(limit)),
            Code::WeekLimit => {
                (rule.hour, rule.day, rule.week) = (units(limit), units(limit), units(limit));
            }
            _ => {
                (rule.hour, rule.day) = (units(limit), units(limit));
                (rule.week, rule.month) = (units(limit), units(limit));
            }
        }
        let past = Past::default().paid(at, limit - 5).attested();
        assert_eq!(judge(&document, &payment(5, 0), &past), Ok(Tier::Instant));
        let effects = payment(6, 0);
        let broken = evaluate(&document, &request(&effects), &past, NOW).expect_err("one too many");
        let last = broken.last().expect("at least one");
        assert_eq!((last.code, last.allowed), (code, some(5)));
        let wait = broken.iter().filter_map(|one| one.retry_after).max();
        let later = |wait: Millis| Now {
            budget: NOW.budget.after(wait),
            ..NOW
        };
        let wait = wait.expect("waiting helps");
        assert!(evaluate(&document, &request(&effects), &past, later(wait)).is_ok());
        let early = Millis::from_millis(wait.millis() - 1);
        assert!(evaluate(&document, &request(&effects), &past, later(early)).is_err());
    }
    // More than the whole window never passes.
    let effects = payment(201, 0);
    let broken = evaluate(&sample(), &request(&effects), &Nothing, NOW).expect_err("too much");
    assert_eq!(broken[1].code, Code::HourLimit);
    assert_eq!(broken[1].retry_after, None);
}

#[test]
fn counts_of_every_window_hold_and_say_when() {
    let counted = |counts| {
        let mut document = sample();
        document.assets[1].counts = counts;
        document
    };
    let none = Counts::default();
    for (code, counts) in [
        (
            Code::HourCount,
            Counts {
                hour: Some(2),
                ..none
            },
        ),
        (
            Code::DayCount,
            Counts {
                day: Some(2),
                ..none
            },
        ),
        (
            Code::WeekCount,
            Counts {
                week: Some(2),
                ..none
            },
        ),
        (
            Code::MonthCount,
            Counts {
                month: Some(2),
                ..none
            },
        ),
    ] {
        let document = counted(counts);
        let once = Past::default().paid(1, 0);
        assert_eq!(judge(&document, &payment(1, 0), &once), Ok(Tier::Instant));
        let twice = once.paid(2, 0);
        assert_eq!(judge(&document, &payment(1, 0), &twice), Err(vec![code]));
        let effects = payment(1, 0);
        let broken = evaluate(&document, &request(&effects), &twice, NOW).expect_err("a third");
        let later = Now {
            budget: NOW
                .budget
                .after(broken[0].retry_after.expect("waiting helps")),
            ..NOW
        };
        assert!(evaluate(&document, &request(&effects), &twice, later).is_ok());
    }
}

#[test]
fn outstanding_value_ends_with_an_attestation() {
    let mut document = sample();
    document.assets[1].outstanding = some(50);
    let past = Past::default().paid(0, 45);
    assert_eq!(judge(&document, &payment(5, 0), &past), Ok(Tier::Instant));
    assert_eq!(
        judge(&document, &payment(6, 0), &past),
        Err(vec![Code::OutstandingCap])
    );
    assert_eq!(
        judge(&document, &payment(6, 0), &past.attested()),
        Ok(Tier::Instant)
    );
}

#[test]
fn what_is_signed_and_not_sent_needs_leave() {
    let effects = payment(1, 0);
    let kept = Payment {
        submit: false,
        ..request(&effects)
    };
    let mut document = sample();
    let refused = evaluate(&document, &kept, &Nothing, NOW).expect_err("no leave");
    assert_eq!(codes(&refused), [Code::SessionSignOnly]);
    document.assets[1].sign_only = true;
    assert!(evaluate(&document, &kept, &Nothing, NOW).is_ok());
}

#[test]
fn recipients_are_contacts_unless_open_and_never_the_denied() {
    let none = Past::default();
    let stranger = [transfer(1, STRANGER)];
    let mut document = sample();
    assert_eq!(
        judge(&document, &stranger, &none),
        Err(vec![Code::RecipientNotListed])
    );
    document.recipients_open = true;
    assert_eq!(judge(&document, &stranger, &none), Ok(Tier::Instant));
    document.denied = vec![AccountId::new(chain(), to(STRANGER)).expect("an account")];
    assert_eq!(
        judge(&document, &stranger, &none),
        Err(vec![Code::RecipientDenied])
    );
    assert_eq!(judge(&document, &payment(1, 0), &none), Ok(Tier::Instant));
    // A contact may be denied too, and the address of another family is nobody's.
    document.denied = vec![document.recipients[0].account];
    assert_eq!(
        judge(&document, &payment(1, 0), &none),
        Err(vec![Code::RecipientDenied])
    );
    let foreign = [transfer(1, "11111111111111111111111111111111")];
    assert_eq!(
        judge(&document, &foreign, &none),
        Err(vec![Code::RecipientNotListed])
    );
}

#[test]
fn limits_to_one_recipient_bind_each_by_itself() {
    let mut document = sample();
    document.recipients_open = true;
    document.assets[1].recipient = Some(Limits {
        per_transaction: some(8),
        day: some(10),
        counts: Counts {
            day: Some(2),
            ..Counts::default()
        },
        ..Limits::default()
    });
    let none = Past::default();
    assert_eq!(judge(&document, &payment(8, 5), &none), Ok(Tier::Notify));
    assert_eq!(
        judge(&document, &payment(9, 0), &none),
        Err(vec![Code::RecipientLimit])
    );
    let past = none.paid(1, 6);
    assert_eq!(judge(&document, &payment(4, 0), &past), Ok(Tier::Instant));
    assert_eq!(
        judge(&document, &payment(5, 0), &past),
        Err(vec![Code::RecipientLimit])
    );
    assert_eq!(
        judge(&document, &[transfer(8, STRANGER)], &past),
        Ok(Tier::Instant)
    );
    // Two parts to one recipient are one payment to it.
    let parts = [transfer(4, STRANGER), transfer(5, STRANGER)];
    assert_eq!(
        judge(&document, &parts, &past),
        Err(vec![Code::RecipientLimit])
    );
    let past = past.paid(2, 1);
    assert_eq!(
        judge(&document, &payment(1, 0), &past),
        Err(vec![Code::RecipientCount])
    );
}

#[test]
fn a_first_payment_raises_the_tier_once() {
    let mut document = sample();
    document.first_payment = Some(Tier::Approval);
    let effects = payment(1, 0);
    let verdict = evaluate(&document, &request(&effects), &Nothing, NOW).expect("passes");
    assert_eq!(verdict.tier, Tier::Approval);
    assert!(verdict.first_payment);
    assert_eq!(verdict.raised_by, [Reason::FirstPayment]);
    let past = Past::default().paid(0, 1);
    let verdict = evaluate(&document, &request(&effects), &past, NOW).expect("passes");
    assert_eq!(
        (verdict.tier, verdict.first_payment),
        (Tier::Instant, false)
    );
    assert!(verdict.raised_by.is_empty());
    // Another wallet's payments do not make a recipient known.
    let past = Past::default().other_paid(0, 1);
    assert_eq!(judge(&document, &effects, &past), Ok(Tier::Approval));
    let document = scoped(Scope::EverySession, |rule| {
        rule.first_payment = Some(Tier::Delay)
    });
    assert_eq!(judge(&document, &effects, &past), Ok(Tier::Delay));
}

#[test]
fn sums_of_a_window_raise_the_tier() {
    let mut document = sample();
    document.assets[1].cumulative = vec![Cumulative {
        window: Window::Day,
        above: units(50),
        tier: Tier::Approval,
    }];
    let past = Past::default().paid(0, 45);
    assert_eq!(judge(&document, &payment(5, 0), &past), Ok(Tier::Instant));
    let effects = payment(6, 0);
    let verdict = evaluate(&document, &request(&effects), &past, NOW).expect("asks");
    assert_eq!(verdict.tier, Tier::Approval);
    assert_eq!(verdict.raised_by, [Reason::Cumulative]);
    let full = Past::default().paid(0, u128::MAX);
    let mut open = document;
    for limit in ["hour", "day", "week", "month"] {
        let rule = &mut open.assets[1];
        match limit {
            "hour" => rule.hour = Amount::MAX,
            "day" => rule.day = Amount::MAX,
            "week" => rule.week = Amount::MAX,
            _ => rule.month = Amount::MAX,
        }
    }
    // What does not fit is above every limit.
    assert!(judge(&open, &payment(1, 0), &full).is_err());
}

#[test]
fn rent_counts_and_has_a_ceiling_of_its_own() {
    let solana: ChainId = "solana:localnet".parse().expect("a chain");
    let coin = solana.native_asset();
    let recipient: AccountId = "solana:localnet:7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
        .parse()
        .expect("an account");
    let mut document = sample();
    document.recipients.push(Recipient {
        account: recipient,
        name: "data".to_owned(),
    });
    document.sort();
    let effects = [
        Effect::Transfer {
            asset: coin,
            to: recipient.account(),
            amount: units(8),
        },
        Effect::Rent {
            asset: coin,
            amount: units(3),
        },
    ];
    let judged = |document: &PolicyDocument| {
        let payment = Payment {
            chain: solana,
            ..request(&effects)
        };
        evaluate(document, &payment, &Nothing, NOW)
    };
    let refused = judged(&document).expect_err("no rent may be paid");
    assert_eq!(codes(&refused), [Code::RentCeiling]);
    let place = usize::from(document.assets[0].asset != coin);
    document.assets[place].rent_ceiling = some(3);
    assert_eq!(judged(&document).expect("under it").tier, Tier::Notify);
    document.assets[place].rent_ceiling = some(2);
    assert!(judged(&document).is_err());
}

#[test]
fn leave_to_take_money_counts_in_full_and_asks() {
    let allow = |amount, spender| {
        [Effect::Approval {
            asset: native(),
            spender: to(spender),
            amount: units(amount),
        }]
    };
    let none = Past::default();
    assert_eq!(
        judge(&sample(), &allow(1, LISTED), &none),
        Ok(Tier::Approval)
    );
    assert_eq!(
        judge(&sample(), &allow(1, STRANGER), &none),
        Err(vec![Code::RecipientNotListed])
    );
    assert_eq!(
        judge(&sample(), &allow(81, LISTED), &none),
        Err(vec![Code::TierNotAvailable])
    );
}

#[test]
fn calls_are_named_with_their_tier_and_value() {
    let call = |method: &[u8], value| {
        [Effect::Call {
            target: to(STRANGER),
            method: method.to_vec(),
            asset: native(),
            value: units(value),
        }]
    };
    let none = Past::default();
    let mut document = sample();
    let method = [1, 2, 3, 4];
    assert_eq!(
        judge(&document, &call(&method, 0), &none),
        Err(vec![Code::CallNotListed])
    );
    document.calls = vec![CallRule {
        target: AccountId::new(chain(), to(STRANGER)).expect("an account"),
        method: method.to_vec(),
        tier: Tier::Delay,
        value_up_to: units(5),
    }];
    assert_eq!(judge(&document, &call(&method, 5), &none), Ok(Tier::Delay));
    assert_eq!(
        judge(&document, &call(&method, 6), &none),
        Err(vec![Code::CallValue])
    );
    assert_eq!(
        judge(&document, &call(&[1, 2, 3, 5], 0), &none),
        Err(vec![Code::CallNotListed])
    );
    document.denied = vec![document.calls[0].target];
    assert_eq!(
        judge(&document, &call(&method, 0), &none),
        Err(vec![Code::RecipientDenied])
    );
}

#[test]
fn scopes_bind_the_sum_over_everything_below_them() {
    let day = || Limits {
        day: some(100),
        ..Limits::default()
    };
    let past = Past::default().paid(0, 40).other_paid(0, 50);
    for (scope, left) in [
        (Scope::Global, 10),
        (Scope::Pool("ops".to_owned()), 10),
        (Scope::Wallet(PAYER), 60),
        (Scope::EverySession, 60),
        (Scope::Session(SESSION), 60),
    ] {
        let document = limited(scope.clone(), day());
        assert!(
            judge(&document, &payment(left, 0), &past).is_ok(),
            "{scope}"
        );
        assert_eq!(
            judge(&document, &payment(left + 1, 0), &past),
            Err(vec![Code::DayLimit]),
            "{scope}"
        );
    }
    for scope in [
        Scope::Wallet(OTHER),
        Scope::Session(SessionId::from_bytes([9; 16])),
        Scope::BearerSessions,
    ] {
        let document = limited(
            scope.clone(),
            Limits {
                day: some(0),
                ..Limits::default()
            },
        );
        assert!(judge(&document, &payment(1, 0), &past).is_ok(), "{scope}");
    }
    // A wallet outside of the pool has nothing to do with it.
    let mut document = limited(Scope::Pool("ops".to_owned()), day());
    document.pools[0].wallets = vec![OTHER];
    assert!(judge(&document, &payment(60, 0), &past).is_ok());
    let effects = payment(1, 0);
    let bearer = Payment {
        bearer: true,
        ..request(&effects)
    };
    let document = limited(
        Scope::BearerSessions,
        Limits {
            per_transaction: some(0),
            ..Limits::default()
        },
    );
    let refused = evaluate(&document, &bearer, &past, NOW).expect_err("lower ceilings");
    assert_eq!(codes(&refused), [Code::PerTransactionLimit]);
}

#[test]
fn a_scope_allows_networks_assets_and_contacts() {
    let none = Past::default();
    let elsewhere = ChainId::Evm(1);
    let document = scoped(Scope::Global, |rule| rule.networks = Some(vec![elsewhere]));
    assert_eq!(
        judge(&document, &payment(1, 0), &none),
        Err(vec![Code::NetworkNotAllowed])
    );
    let document = scoped(Scope::Global, |rule| rule.networks = Some(vec![chain()]));
    assert_eq!(judge(&document, &payment(1, 0), &none), Ok(Tier::Instant));

    let coin: AssetId = "solana:localnet/slip44:501".parse().expect("an asset");
    let document = scoped(Scope::Global, |rule| rule.assets = Some(vec![coin]));
    assert_eq!(
        judge(&document, &payment(1, 0), &none),
        Err(vec![Code::AssetNotAllowed])
    );
    let document = scoped(Scope::Global, |rule| rule.assets = Some(vec![native()]));
    assert_eq!(judge(&document, &payment(1, 1), &none), Ok(Tier::Instant));

    let mut document = scoped(Scope::Global, |rule| {
        rule.recipients = Some(vec!["hosting".to_owned()]);
    });
    assert_eq!(judge(&document, &payment(1, 0), &none), Ok(Tier::Instant));
    document.recipients_open = true;
    assert_eq!(
        judge(&document, &[transfer(1, STRANGER)], &none),
        Err(vec![Code::RecipientNotAllowed])
    );
}

#[test]
fn a_scope_keeps_hours_and_distance() {
    let seoul = |from| {
        scoped(Scope::EverySession, |rule| {
            rule.hours = Some(vec![Hours {
                utc_offset: 540,
                days: 1,
                from,
                to: 1080,
            }]);
        })
    };
    let none = Past::default();
    let effects = payment(1, 0);
    // 00:00 UTC is 09:00 there.
    assert_eq!(judge(&seoul(540), &effects, &none), Ok(Tier::Instant));
    let refused = evaluate(&seoul(541), &request(&effects), &none, NOW).expect_err("too early");
    assert_eq!(codes(&refused), [Code::OutsideHours]);
    assert_eq!(refused[0].retry_after, Some(Millis::from_secs(60)));

    let rested = scoped(Scope::EverySession, |rule| {
        rule.cool_down = Some(Millis::from_secs(10));
    });
    assert_eq!(judge(&rested, &effects, &none), Ok(Tier::Instant));
    let past = Past::default().paid(990_001, 1);
    let refused = evaluate(&rested, &request(&effects), &past, NOW).expect_err("too soon");
    assert_eq!(codes(&refused), [Code::CoolDown]);
    assert_eq!(refused[0].retry_after, Some(Millis::from_millis(1)));
    let past = Past::default().paid(990_000, 1);
    assert_eq!(judge(&rested, &effects, &past), Ok(Tier::Instant));
}

/// One unit of the sample's assets is 10^9 base units: at this price one base unit is one dollar.
const DOLLAR_EACH: UsdPrice = UsdPrice(1_000_000 * 1_000_000_000);

fn in_usd(limits: Limits) -> PolicyDocument {
    let mut document = scoped(Scope::Global, |rule| rule.usd = Some(limits));
    document.assets[1].price = Some(DOLLAR_EACH);
    document
}

#[test]
fn sums_in_usd_run_over_assets_by_the_documents_own_prices() {
    let dollars = |amount: u128| some(amount * 1_000_000);
    let document = in_usd(Limits {
        per_transaction: dollars(30),
        day: dollars(60),
        ..Limits::default()
    });
    let past = Past::default().paid(0, 20).other_paid(0, 20);
    assert!(judge(&document, &payment(20, 0), &past).is_ok());
    let effects = payment(21, 0);
    let refused = evaluate(&document, &request(&effects), &past, NOW).expect_err("too much");
    assert_eq!(codes(&refused), [Code::UsdLimit]);
    assert_eq!(refused[0].asset, None);
    assert_eq!(refused[0].allowed, dollars(20));
    assert_eq!(
        judge(&document, &payment(31, 0), &Past::default()),
        Err(vec![Code::UsdLimit])
    );
    // Repriced: everything that was spent is worth twice as much.
    let mut dearer = document.clone();
    dearer.assets[1].price = Some(UsdPrice(2 * DOLLAR_EACH.0));
    assert_eq!(
        judge(&dearer, &payment(1, 0), &past),
        Err(vec![Code::UsdLimit])
    );
    let mut unpriced = document;
    unpriced.assets[1].price = None;
    assert_eq!(
        judge(&unpriced, &payment(1, 0), &past),
        Err(vec![Code::UsdPriceMissing])
    );
}

#[test]
fn usd_raises_tiers_and_counts_payments_in_whatever_asset() {
    let document = in_usd(Limits {
        notify_up_to: some(5_000_000),
        ..Limits::default()
    });
    let none = Past::default();
    assert_eq!(judge(&document, &payment(5, 0), &none), Ok(Tier::Instant));
    assert_eq!(judge(&document, &payment(6, 0), &none), Ok(Tier::Delay));
    let counts = Limits {
        counts: Counts {
            day: Some(1),
            ..Counts::default()
        },
        ..Limits::default()
    };
    let mut document = in_usd(counts);
    // Counting asks for no price.
    document.assets[1].price = None;
    assert_eq!(judge(&document, &payment(1, 0), &none), Ok(Tier::Instant));
    let past = Past::default().other_paid(0, 1);
    assert_eq!(
        judge(&document, &payment(1, 0), &past),
        Err(vec![Code::PaymentCount])
    );
}

#[test]
fn a_violation_may_ask_instead_if_nothing_else_is_broken() {
    let mut document = sample();
    document.escalations = vec![
        Escalation {
            code: Code::RecipientNotListed,
            action: Action::Ask,
        },
        Escalation {
            code: Code::HourCount,
            action: Action::Tell,
        },
    ];
    document.assets[1].counts.hour = Some(1);
    let stranger = [transfer(1, STRANGER)];
    let verdict = evaluate(&document, &request(&stranger), &Nothing, NOW).expect("asks");
    assert_eq!(verdict.tier, Tier::Approval);
    assert_eq!(verdict.raised_by, [Reason::Asked(Code::RecipientNotListed)]);
    let past = Past::default().paid(0, 1);
    assert_eq!(
        judge(&document, &stranger, &past),
        Err(vec![Code::HourCount, Code::RecipientNotListed])
    );
}

#[test]
fn the_longest_delay_and_the_strictest_of_all_documents_hold() {
    let mut document = scoped(Scope::EverySession, |rule| {
        rule.delay = Some(Millis::from_hours(2));
    });
    document.approval.quorum = 2;
    let effects = payment(55, 0);
    let one = evaluate(&document, &request(&effects), &Nothing, NOW).expect("waits");
    assert_eq!((one.tier, one.delay), (Tier::Delay, Millis::from_hours(2)));
    let mut other = sample();
    other.release_within = Millis::from_secs(1);
    other.approval.lifetime = Millis::from_secs(2);
    other.first_payment = Some(Tier::Approval);
    let other = evaluate(&other, &request(&effects), &Nothing, NOW).expect("asks");
    assert_eq!(other.delay, super::super::document::DELAY_DEFAULT);
    let both = one.clone().strictest(other.clone());
    assert_eq!(
        both,
        Verdict {
            tier: Tier::Approval,
            delay: Millis::from_hours(2),
            quorum: 2,
            approval_lifetime: Millis::from_secs(2),
            release_within: Millis::from_secs(1),
            first_payment: true,
            raised_by: vec![Reason::Amount, Reason::FirstPayment],
        }
    );
    let turned = other.strictest(one);
    assert_eq!((turned.tier, turned.delay), (both.tier, both.delay));
}

fn any_amount() -> impl Strategy<Value = u128> {
    prop_oneof![any::<u128>(), 0_u128..200, Just(u128::MAX)]
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let amounts = prop::collection::vec(prop::option::of(0_u128..300), 9);
    let counts = prop::collection::vec(prop::option::of(1_u32..4), 4);
    let cumulative = prop::option::of((0_u128..200, 1_usize..4, 0_usize..4));
    (amounts, counts, cumulative).prop_map(|(amounts, counts, cumulative)| {
        let mut present: Vec<u128> = amounts.iter().flatten().copied().collect();
        present.sort_unstable();
        let mut present = present.into_iter();
        let mut next = |place: usize| amounts[place].and_then(|_| present.next()).map(units);
        let mut some: Vec<u32> = counts.iter().flatten().copied().collect();
        some.sort_unstable();
        let mut some = some.into_iter();
        let mut count = |place: usize| counts[place].and_then(|_| some.next());
        Limits {
            instant_up_to: next(0),
            notify_up_to: next(1),
            delay_up_to: next(2),
            approve_up_to: next(3),
            per_transaction: next(4),
            hour: next(5),
            day: next(6),
            week: next(7),
            month: next(8),
            counts: Counts {
                hour: count(0),
                day: count(1),
                week: count(2),
                month: count(3),
            },
            cumulative: cumulative
                .map(|(above, tier, window)| Cumulative {
                    window: Window::ALL[window],
                    above: units(above),
                    tier: Tier::ALL[tier],
                })
                .into_iter()
                .collect(),
        }
    })
}

fn any_scope() -> impl Strategy<Value = ScopeRule> {
    let scope = prop::sample::select(vec![
        Scope::Global,
        Scope::Pool("ops".to_owned()),
        Scope::Wallet(PAYER),
        Scope::Wallet(OTHER),
        Scope::EverySession,
        Scope::Session(SESSION),
        Scope::BearerSessions,
    ]);
    let lists = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let times = (
        prop::option::of((0_u16..1440, 1_u8..128)),
        prop::option::of(1_u64..2_000_000),
        prop::option::of(0_u64..9_000_000),
        prop::option::of(1_usize..4),
    );
    (
        scope,
        prop::option::of(any_limits()),
        prop::option::of(any_limits()),
        lists,
        times,
    )
        .prop_map(
            |(scope, limits, usd, lists, (hours, pause, delay, first))| ScopeRule {
                limits: limits
                    .map(|limits| AssetLimits {
                        asset: native(),
                        limits,
                    })
                    .into_iter()
                    .collect(),
                usd,
                networks: lists
                    .0
                    .then(|| vec![if lists.1 { chain() } else { ChainId::Evm(1) }]),
                assets: lists.2.then(|| vec![native()]),
                recipients: lists.3.then(|| vec!["hosting".to_owned()]),
                hours: hours.map(|(from, days)| {
                    vec![Hours {
                        utc_offset: 0,
                        days,
                        from,
                        to: 1440,
                    }]
                }),
                cool_down: pause.map(Millis::from_millis),
                delay: delay.map(Millis::from_millis),
                first_payment: first.map(|tier| Tier::ALL[tier]),
                ..ScopeRule::new(scope)
            },
        )
}

fn any_effects() -> impl Strategy<Value = Vec<Effect>> {
    let account = || {
        prop::sample::select(vec![LISTED, STRANGER, "11111111111111111111111111111111"])
            .prop_map(to)
    };
    let asset = || {
        prop::sample::select(vec![
            native(),
            ChainId::Evm(1).native_asset(),
            "solana:localnet/slip44:501".parse().expect("an asset"),
        ])
    };
    let amount = || any_amount().prop_map(units);
    let effect = prop_oneof![
        4 => (account(), 0_u128..120).prop_map(|(to, amount)| Effect::Transfer {
            asset: native(),
            to,
            amount: units(amount),
        }),
        1 => (asset(), account(), amount())
            .prop_map(|(asset, to, amount)| Effect::Transfer { asset, to, amount }),
        1 => (asset(), amount()).prop_map(|(asset, max)| Effect::Fee { asset, max }),
        1 => (asset(), account(), amount())
            .prop_map(|(asset, spender, amount)| Effect::Approval { asset, spender, amount }),
        1 => (asset(), amount()).prop_map(|(asset, amount)| Effect::Rent { asset, amount }),
        1 => (account(), prop::collection::vec(any::<u8>(), 0..20), asset(), amount())
            .prop_map(|(target, method, asset, value)| Effect::Call { target, method, asset, value }),
    ];
    prop::collection::vec(effect, 0..4)
}

fn any_past() -> impl Strategy<Value = Past> {
    let payments = prop::collection::vec((0_u64..1_100_000, 0_u128..60, any::<bool>()), 0..4);
    payments.prop_map(|mut payments| {
        payments.sort_unstable();
        payments
            .into_iter()
            .fold(Past::default(), |past, (at, amount, other)| {
                if other {
                    past.other_paid(at, amount)
                } else {
                    past.paid(at, amount)
                }
            })
    })
}

/// The sample, open to strangers or not, with a price or not, and with what may be asked.
fn any_document() -> impl Strategy<Value = PolicyDocument> {
    any::<(bool, bool, bool, bool)>().prop_map(|(open, price, asks, all)| {
        let mut document = if all { full() } else { sample() };
        document.scopes.clear();
        document.recipients_open = open;
        document.pools = vec![Pool {
            name: "ops".to_owned(),
            wallets: vec![PAYER, OTHER],
        }];
        let coin = document
            .assets
            .iter_mut()
            .find(|rule| rule.asset == native());
        if let Some(rule) = coin {
            rule.price = price.then_some(DOLLAR_EACH);
        }
        document.escalations = if asks {
            let codes = Code::ALL
                .iter()
                .filter(|code| super::super::alarm::may_ask(**code));
            let ask = codes.map(|code| Escalation {
                code: *code,
                action: Action::Ask,
            });
            ask.collect()
        } else {
            Vec::new()
        };
        document.sort();
        document
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// invariant_08: one more scope never turns a refusal into a pass, nor lowers a tier, nor shortens
    /// a wait; and no input panics.
    #[test]
    fn invariant_08_one_more_scope_never_lets_more_pass(
        mut document in any_document(),
        before in prop::collection::vec(any_scope(), 0..2),
        more in any_scope(),
        effects in any_effects(),
        past in any_past(),
        bearer: bool,
        submit: bool,
        wall: u64,
    ) {
        let payment = Payment { bearer, submit, ..request(&effects) };
        let now = Now { wall: WallTime::from_millis(wall), ..NOW };
        document.scopes = before;
        let without = evaluate(&document, &payment, &past, now);
        document.scopes.push(more);
        let with = evaluate(&document, &payment, &past, now);
        match (without, with) {
            (Ok(without), Ok(with)) => {
                prop_assert!(with.tier >= without.tier);
                prop_assert!(with.delay >= without.delay);
            }
            (Err(without), Err(with)) => {
                prop_assert!(without.iter().all(|broken| with.contains(broken)));
            }
            (Ok(_), Err(with)) => prop_assert!(!with.is_empty()),
            (Err(broken), Ok(_)) => prop_assert!(false, "{broken:?} passes with one more scope"),
        }
    }

    #[test]
    fn nothing_panics_at_any_width(
        document in any_document(),
        effects in any_effects(),
        amounts in prop::collection::vec((any::<u64>(), any_amount()), 0..6),
        budget: u64,
        wall: u64,
    ) {
        let mut past = Past::default();
        for (at, amount) in amounts {
            past = past.paid(at, amount);
        }
        let now = Now {
            budget: BudgetTime::from_millis(budget),
            wall: WallTime::from_millis(wall),
        };
        for document in [document, full()] {
            if let Err(broken) = evaluate(&document, &request(&effects), &past, now) {
                prop_assert!(!broken.is_empty());
            }
        }
    }
}
