//! Single values of a document in words.

use super::{Item, NO_LIMIT, Rank, Style};
use crate::amount::{Amount, Decimals};
use crate::caip::AssetId;
use crate::policy::alarm::{Alarm, Condition, Remedy};
use crate::policy::document::{AssetRule, PolicyDocument, TokenExtension};
use crate::policy::scope::Hours;
use crate::policy::windows::Window;
use crate::time::Millis;

pub(crate) const fn window_in_words(window: Window) -> &'static str {
    match window {
        Window::Hour => "hour",
        Window::Day => "24 hours",
        Window::Week => "7 days",
        Window::Month => "30 days",
    }
}

pub(super) fn extension_in_words(extension: &TokenExtension, unit: &Unit) -> String {
    match extension {
        TokenExtension::TransferFee { basis_points, most } => format!(
            "its own fee of {basis_points} basis points up to {}",
            unit.shown(*most)
        ),
        TokenExtension::PermanentDelegate => "somebody may take it back".to_owned(),
        TokenExtension::InterestBearing => "interest is shown".to_owned(),
        TokenExtension::Metadata => "metadata".to_owned(),
        TokenExtension::MintCloseAuthority => "the mint may be closed".to_owned(),
        TokenExtension::DefaultAccountState => "accounts may begin frozen".to_owned(),
    }
}

pub(super) fn hours_in_words(list: &[Hours]) -> String {
    let one = |hours: &Hours| {
        let days: Vec<&str> = (0..7_u8)
            .zip(DAYS)
            .filter(|(day, _)| hours.days & (1 << day) != 0)
            .map(|(_, name)| name)
            .collect();
        format!(
            "{} {} to {} UTC{}",
            days.join(" "),
            clock(hours.from),
            clock(hours.to),
            offset(hours.utc_offset)
        )
    };
    list.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// Days of a week as documents name them, Monday first.
pub(in crate::policy) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `09:30`.
pub(in crate::policy) fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `+09:00`.
pub(in crate::policy) fn offset(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{}", clock(minutes.unsigned_abs()))
}

/// When an alarm goes off and what it does.
#[must_use]
pub fn alarm_in_words(alarm: &Alarm) -> String {
    let condition = match &alarm.condition {
        Condition::DenialsInARow { count } => format!("{count} refusals in a row"),
        Condition::Signatures { count, window } => {
            format!("{count} signatures in {}", duration(*window))
        }
        Condition::Velocity { times, window } => {
            format!("{times} times the usual spending in {}", duration(*window))
        }
        Condition::OutsideHours { hours } => {
            format!("a payment outside of {}", hours_in_words(hours))
        }
        Condition::OpenPayments { count } => format!("{count} payments waiting"),
        Condition::Idle { after } => format!("no payment for {}", duration(*after)),
    };
    let remedy = match alarm.remedy {
        Remedy::Tell => "you are told",
        Remedy::SuspendSession => "the session is suspended",
        Remedy::PauseWallet => "the wallet is paused",
        Remedy::Kill => "the kill switch is thrown",
    };
    format!("alarm on {condition}, {remedy}")
}

/// In the largest unit that has no remainder.
#[must_use]
pub fn duration(wait: Millis) -> String {
    let millis = wait.millis();
    let units = [(3_600_000, "hour"), (60_000, "minute"), (1000, "second")];
    let whole = units
        .into_iter()
        .find(|(length, _)| millis.is_multiple_of(*length));
    let (length, name) = whole.unwrap_or((1, "millisecond"));
    let count = millis / length;
    if count == 1 {
        format!("1 {name}")
    } else {
        format!("{count} {name}s")
    }
}

/// Decimals of a US dollar in millionths.
const MICRO: Decimals = match Decimals::new(6) {
    Ok(decimals) => decimals,
    Err(_) => panic!("at most 36 places"),
};

/// Millionths of a US dollar as dollars.
pub(super) fn micro(amount: Amount) -> String {
    amount.format_decimal(MICRO)
}

/// In what amounts are written.
pub(super) struct Unit {
    name: String,
    decimals: Decimals,
    style: Style,
}

impl Unit {
    pub(super) fn of_rule(rule: &AssetRule, style: Style) -> Self {
        Self {
            name: rule.symbol.clone(),
            decimals: rule.decimals,
            style,
        }
    }

    /// An asset that no checked document would leave out is counted in base units.
    pub(super) fn of(document: &PolicyDocument, asset: AssetId, style: Style) -> Self {
        match document.asset(asset) {
            Some(rule) => Self::of_rule(rule, style),
            None => Self {
                name: "base units".to_owned(),
                decimals: Decimals::ZERO,
                style: Style::Plain,
            },
        }
    }

    pub(super) fn usd() -> Self {
        Self {
            name: "USD".to_owned(),
            decimals: MICRO,
            style: Style::Plain,
        }
    }

    /// What people call it.
    pub(super) fn symbol(&self) -> &str {
        &self.name
    }

    pub(super) fn shown(&self, amount: Amount) -> String {
        let plain = format!("{} {}", amount.format_decimal(self.decimals), self.name);
        match self.style {
            Style::Plain => plain,
            Style::Exact => format!("{plain} ({amount} base units)"),
        }
    }

    pub(super) fn ceiling(&self, name: &str, amount: Option<Amount>) -> Item {
        Item {
            name: name.to_owned(),
            value: amount.map_or_else(|| NO_LIMIT.to_owned(), |amount| self.shown(amount)),
            rank: Rank::Ceiling(amount.map(Amount::base_units)),
        }
    }
}
