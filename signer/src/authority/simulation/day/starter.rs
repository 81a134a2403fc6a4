//! The starter policy that comes with the product, as the day goes by it: read from its file.

use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::{Counts, Cumulative, Limits};
use waiaas_shared::policy::scope::{AssetLimits, Scope, ScopeRule};
use waiaas_shared::policy::windows::Window;

use crate::model::people::EVM;

/// The policy that comes with the product, whose numbers this day goes by.
const STARTER: &str = include_str!("../../../../../docs/starter-policy.toml");
pub(super) const UNIT: u128 = 1_000_000;

/// A number of the starter's entry for USDC, in base units.
fn of_usdc(key: &str) -> Amount {
    let entry = STARTER.split("[[asset]]").nth(1).expect("an entry");
    let line = entry.lines().find_map(|line| {
        let value = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        value.strip_suffix('"')
    });
    let units: u128 = line.expect(key).parse().expect("whole units");
    Amount::from_base_units(units * UNIT)
}

/// The starter policy for the coin of a local chain in place of USDC: fees are paid in the same coin, which
/// is stricter.
pub(super) fn starter() -> PolicyDocument {
    for line in [
        "maturity = \"24h\"",
        "delay = \"15m\"",
        "approval-quorum = 1",
        "approval-lifetime = \"12h\"",
        "recipients-open = true",
        "first-payment = \"APPROVAL\"",
        "count = { hour = 60, day = 300 }",
        "window = \"day\"\nabove = \"50\"\ntier = \"APPROVAL\"",
        "window = \"month\"\nabove = \"500\"\ntier = \"APPROVAL\"",
        "scope = \"global\"",
        "[scope.limit.limits]\nhour = \"500\"\nday = \"1000\"\nweek = \"2500\"\nmonth = \"5000\"",
        "limits = { per-transaction = \"10\", day = \"20\", month = \"100\" }",
    ] {
        assert!(STARTER.contains(line), "the starter policy has no {line}");
    }
    let units = |units: u128| Amount::from_base_units(units * UNIT);
    let asks = |window, above| Cumulative {
        window,
        above: units(above),
        tier: Tier::Approval,
    };
    let rule = AssetRule {
        instant_up_to: of_usdc("instant-up-to"),
        notify_up_to: of_usdc("notify-up-to"),
        delay_up_to: of_usdc("delay-up-to"),
        approve_up_to: of_usdc("approve-up-to"),
        per_transaction: of_usdc("per-transaction"),
        hour: of_usdc("hour"),
        day: of_usdc("day"),
        week: of_usdc("week"),
        month: of_usdc("month"),
        counts: Counts {
            hour: Some(60),
            day: Some(300),
            ..Counts::default()
        },
        cumulative: vec![asks(Window::Day, 50), asks(Window::Month, 500)],
        fee_ceiling: Some(Amount::from_base_units(UNIT / 10)),
        outstanding: Some(units(5000)),
        ..AssetRule::closed(
            EVM.native_asset(),
            "COIN",
            Decimals::new(6).expect("in range"),
        )
    };
    let of_all = AssetLimits {
        asset: EVM.native_asset(),
        limits: Limits {
            hour: Some(rule.hour),
            day: Some(rule.day),
            week: Some(rule.week),
            month: Some(rule.month),
            cumulative: rule.cumulative.clone(),
            ..Limits::default()
        },
    };
    let of_bearers = AssetLimits {
        asset: EVM.native_asset(),
        limits: Limits {
            per_transaction: Some(units(10)),
            day: Some(units(20)),
            month: Some(units(100)),
            ..Limits::default()
        },
    };
    PolicyDocument {
        assets: vec![rule],
        recipients_open: true,
        first_payment: Some(Tier::Approval),
        scopes: vec![
            ScopeRule {
                limits: vec![of_all],
                ..ScopeRule::new(Scope::Global)
            },
            ScopeRule {
                limits: vec![of_bearers],
                ..ScopeRule::new(Scope::BearerSessions)
            },
        ],
        ..PolicyDocument::closed(1)
    }
}
