//! A document as a list of everything that it says, each with its words and with the direction in which
//! it loosens. `diff` and the documents' words are made from it, so that neither can forget a value.
//! Judges nothing.

use std::collections::BTreeSet;

use super::alarm::{Action, Alarm, Condition};
use super::document::{AssetRule, PolicyDocument, TokenExtension};
use super::evaluate::Tier;
use super::limits::Limits;
use super::scope::{Hours, ScopeRule};
use super::windows::Window;
use crate::amount::{Amount, Decimals};
use crate::caip::AssetId;
use crate::time::Millis;

/// How amounts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// In the asset's unit.
    Plain,
    /// In the asset's unit and in base units, which are what counts.
    Exact,
}

/// One entry of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What kind of entry it is.
    pub place: Place,
    /// What tells it from every other entry, and stands before its values in a change; empty for the
    /// document itself.
    pub label: String,
    /// All of it in a few words.
    pub summary: String,
    /// Its values.
    pub items: Vec<Item>,
    pub(super) presence: Presence,
}

/// Kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// What stands above all entries.
    Document,
    /// An asset.
    Asset(AssetId),
    /// A contact.
    Recipient,
    /// Any other.
    Other,
}

/// What an entry does by being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is always there.
    Always,
    /// It lets more pass.
    Grant,
    /// It lets less pass.
    Guard,
}

/// One value of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub name: String,
    /// What it says.
    pub value: String,
    pub(super) rank: Rank,
}

/// What makes a value looser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rank {
    /// More; none: no limit.
    Ceiling(Option<u128>),
    /// Less.
    Floor(u128),
    /// Being given.
    Leave(bool),
    /// Any change.
    Choice,
    /// One more; none: all.
    Only(Option<BTreeSet<String>>),
    /// One less.
    Members(BTreeSet<String>),
}

/// What a limit that is not there says.
pub(super) const NO_LIMIT: &str = "no limit";

impl Item {
    /// Whether it says anything at all.
    #[must_use]
    pub fn says_something(&self) -> bool {
        !matches!(
            self.rank,
            Rank::Ceiling(None) | Rank::Floor(0) | Rank::Leave(false) | Rank::Only(None)
        )
    }
}

/// Everything that a document says.
#[must_use]
pub fn sections(document: &PolicyDocument, style: Style) -> Vec<Section> {
    let unit = |asset: AssetId| Unit::of(document, asset, style);
    let mut sections = vec![head(document)];
    sections.extend(document.assets.iter().map(|rule| asset(rule, style)));
    sections.extend(document.recipients.iter().map(|known| Section {
        place: Place::Recipient,
        label: format!("recipient {}", known.account),
        summary: format!("recipient {}, called {}", known.account, known.name),
        items: vec![choice("called", known.name.clone())],
        presence: Presence::Grant,
    }));
    sections.extend(document.denied.iter().map(|account| {
        let label = format!("refused recipient {account}");
        bare(label, Presence::Guard)
    }));
    sections.extend(document.pools.iter().map(|pool| {
        let wallets: BTreeSet<String> = pool.wallets.iter().map(ToString::to_string).collect();
        let label = format!("pool {}", pool.name);
        Section {
            items: vec![Item {
                name: "wallets".to_owned(),
                value: joined(&wallets),
                rank: Rank::Members(wallets),
            }],
            ..bare(label, Presence::Guard)
        }
    }));
    sections.extend(document.calls.iter().map(|rule| {
        let value = unit(rule.target.chain().native_asset());
        let label = format!(
            "calls of {} with 0x{}",
            rule.target,
            hex::encode(&rule.method)
        );
        Section {
            summary: format!("{label}, {}", rule.tier.as_str()),
            items: vec![
                tier("tier, at least", Some(rule.tier)),
                value.ceiling("most that one carries", Some(rule.value_up_to)),
            ],
            ..bare(label, Presence::Grant)
        }
    }));
    let scopes = document.scopes.iter();
    sections.extend(scopes.map(|rule| scope(rule, &unit)));
    let alarms = document.alarms.iter();
    sections.extend(alarms.map(|alarm| bare(alarm_in_words(alarm), Presence::Guard)));
    sections.extend(document.escalations.iter().map(|entry| {
        let (words, presence) = match entry.action {
            Action::Tell => ("telling you of", Presence::Guard),
            Action::Ask => ("asking you instead of refusing on", Presence::Grant),
            Action::SuspendSession => ("suspending the session on", Presence::Guard),
        };
        bare(format!("{words} {}", entry.code), presence)
    }));
    sections
}

fn bare(label: String, presence: Presence) -> Section {
    Section {
        place: Place::Other,
        summary: label.clone(),
        label,
        items: Vec::new(),
        presence,
    }
}

fn head(document: &PolicyDocument) -> Section {
    let open = document.recipients_open;
    Section {
        place: Place::Document,
        label: String::new(),
        summary: String::new(),
        items: vec![
            wait("later policies wait", Some(document.maturity)),
            wait("a payment in DELAY waits", Some(document.delay)),
            Item {
                name: "owners who must approve".to_owned(),
                value: document.approval.quorum.to_string(),
                rank: Rank::Floor(document.approval.quorum.into()),
            },
            lifetime("an approval may take", Some(document.approval.lifetime)),
            lifetime(
                "released payments may be signed for",
                Some(document.release_within),
            ),
            Item {
                name: "who is no contact".to_owned(),
                value: if open { "may receive" } else { "is refused" }.to_owned(),
                rank: Rank::Leave(open),
            },
            tier(
                "a first payment to a recipient, at least",
                document.first_payment,
            ),
            lifetime(
                "everything pauses without word from an owner for",
                document.dead_man,
            ),
        ],
        presence: Presence::Always,
    }
}

fn asset(rule: &AssetRule, style: Style) -> Section {
    let unit = Unit::of_rule(rule, style);
    let fee = rule
        .fee_ceiling
        .map(|fee| format!(", fee up to {}", unit.shown(fee)))
        .unwrap_or_default();
    let called = format!("{} with {} decimals", rule.symbol, rule.decimals.places());
    let mut items = vec![choice("called", called.clone())];
    limits("", &rule.limits(), &unit, &mut items);
    if let Some(of_recipient) = &rule.recipient {
        limits("to one recipient, ", of_recipient, &unit, &mut items);
    }
    // An absent one allows nothing, and counts as zero.
    items.push(unit.ceiling(
        "highest fee of one transaction",
        Some(rule.fee_ceiling.unwrap_or_default()),
    ));
    items.push(unit.ceiling(
        "highest rent of one transaction",
        Some(rule.rent_ceiling.unwrap_or_default()),
    ));
    items.push(unit.ceiling(
        "most signed between two attestations of the nonce",
        Some(rule.outstanding.unwrap_or_default()),
    ));
    let yes_or_no = if rule.sign_only { "yes" } else { "no" };
    items.push(Item {
        name: "may be signed without being sent".to_owned(),
        value: yes_or_no.to_owned(),
        rank: Rank::Leave(rule.sign_only),
    });
    items.push(Item {
        name: "ceiling price".to_owned(),
        value: rule.price.map_or_else(
            || "none".to_owned(),
            |price| format!("{} USD", micro(Amount::from_base_units(price.0.into()))),
        ),
        // Without a price no rule in USD lets the asset pass.
        rank: Rank::Floor(rule.price.map_or(u128::MAX, |price| price.0.into())),
    });
    let extensions: Vec<String> = rule
        .extensions
        .iter()
        .map(|one| extension_in_words(one, &unit))
        .collect();
    items.push(Item {
        name: "extensions of the token".to_owned(),
        value: if extensions.is_empty() {
            "none".to_owned()
        } else {
            extensions.join(", ")
        },
        rank: Rank::Only(Some(extensions.into_iter().collect())),
    });
    Section {
        place: Place::Asset(rule.asset),
        label: rule.asset.to_string(),
        summary: format!(
            "asset {}, called {called}, up to {} a transaction{fee}",
            rule.asset,
            unit.shown(rule.per_transaction)
        ),
        items,
        presence: Presence::Grant,
    }
}

fn scope(rule: &ScopeRule, unit: &dyn Fn(AssetId) -> Unit) -> Section {
    let mut items = Vec::new();
    for entry in &rule.limits {
        let before = format!("{}, ", entry.asset);
        limits(&before, &entry.limits, &unit(entry.asset), &mut items);
    }
    let nothing = Limits::default();
    let usd = rule.usd.as_ref().unwrap_or(&nothing);
    limits("all assets, ", usd, &Unit::usd(), &mut items);
    items.push(only("networks", rule.networks.as_deref()));
    items.push(only("assets", rule.assets.as_deref()));
    items.push(only("contacts", rule.recipients.as_deref()));
    let hours = rule.hours.as_deref().map(hours_in_words);
    items.push(choice("hours", hours.unwrap_or_else(|| "any".to_owned())));
    items.push(wait("time between two payments", rule.cool_down));
    items.push(wait("a payment in DELAY waits", rule.delay));
    items.push(tier(
        "a first payment to a recipient, at least",
        rule.first_payment,
    ));
    let label = format!("scope {}", rule.scope);
    Section {
        items,
        ..bare(label, Presence::Guard)
    }
}

fn limits(before: &str, limits: &Limits, unit: &Unit, items: &mut Vec<Item>) {
    let thresholds = [
        (
            "signed at once without telling you, up to",
            limits.instant_up_to,
        ),
        ("signed at once, up to", limits.notify_up_to),
        ("signed without asking you, up to", limits.delay_up_to),
        ("signed at all, up to", limits.approve_up_to),
        ("most in one transaction", limits.per_transaction),
    ];
    for (name, amount) in thresholds {
        items.push(unit.ceiling(&format!("{before}{name}"), amount));
    }
    for window in Window::ALL {
        let name = format!("{before}most in any {}", window_in_words(window));
        items.push(unit.ceiling(&name, limits.window(window)));
    }
    for window in Window::ALL {
        let count = limits.counts.window(window);
        items.push(Item {
            name: format!("{before}most payments in any {}", window_in_words(window)),
            value: count.map_or_else(|| NO_LIMIT.to_owned(), |count| count.to_string()),
            rank: Rank::Ceiling(count.map(u128::from)),
        });
    }
    for entry in &limits.cumulative {
        let name = format!(
            "{before}sum of any {} without {}",
            window_in_words(entry.window),
            entry.tier.as_str()
        );
        items.push(unit.ceiling(&name, Some(entry.above)));
    }
}

fn choice(name: &str, value: String) -> Item {
    Item {
        name: name.to_owned(),
        value,
        rank: Rank::Choice,
    }
}

fn wait(name: &str, length: Option<Millis>) -> Item {
    Item {
        name: name.to_owned(),
        value: duration(length.unwrap_or_default()),
        rank: Rank::Floor(length.unwrap_or_default().millis().into()),
    }
}

fn lifetime(name: &str, length: Option<Millis>) -> Item {
    Item {
        name: name.to_owned(),
        value: length.map_or_else(|| NO_LIMIT.to_owned(), duration),
        rank: Rank::Ceiling(length.map(|length| length.millis().into())),
    }
}

fn tier(name: &str, tier: Option<Tier>) -> Item {
    let tier = tier.unwrap_or(Tier::Instant);
    let place = Tier::ALL.iter().position(|one| *one == tier);
    Item {
        name: name.to_owned(),
        value: tier.as_str().to_owned(),
        rank: Rank::Floor(
            place
                .and_then(|place| u128::try_from(place).ok())
                .unwrap_or_default(),
        ),
    }
}

fn only<T: ToString>(name: &str, list: Option<&[T]>) -> Item {
    let set: Option<BTreeSet<String>> = list.map(|list| list.iter().map(T::to_string).collect());
    Item {
        name: name.to_owned(),
        value: set.as_ref().map_or_else(|| "all".to_owned(), joined),
        rank: Rank::Only(set),
    }
}

fn joined(set: &BTreeSet<String>) -> String {
    set.iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

const fn window_in_words(window: Window) -> &'static str {
    match window {
        Window::Hour => "hour",
        Window::Day => "24 hours",
        Window::Week => "7 days",
        Window::Month => "30 days",
    }
}

fn extension_in_words(extension: &TokenExtension, unit: &Unit) -> String {
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

fn hours_in_words(list: &[Hours]) -> String {
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
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `09:30`.
pub(super) fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `+09:00`.
pub(super) fn offset(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{}", clock(minutes.unsigned_abs()))
}

fn alarm_in_words(alarm: &Alarm) -> String {
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
        super::alarm::Remedy::Tell => "you are told",
        super::alarm::Remedy::SuspendSession => "the session is suspended",
        super::alarm::Remedy::PauseWallet => "the wallet is paused",
        super::alarm::Remedy::Kill => "the kill switch is thrown",
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
fn micro(amount: Amount) -> String {
    amount.format_decimal(MICRO)
}

/// In what amounts are written.
struct Unit {
    name: String,
    decimals: Decimals,
    style: Style,
}

impl Unit {
    fn of_rule(rule: &AssetRule, style: Style) -> Self {
        Self {
            name: rule.symbol.clone(),
            decimals: rule.decimals,
            style,
        }
    }

    /// An asset that no checked document would leave out is counted in base units.
    fn of(document: &PolicyDocument, asset: AssetId, style: Style) -> Self {
        match document.asset(asset) {
            Some(rule) => Self::of_rule(rule, style),
            None => Self {
                name: "base units".to_owned(),
                decimals: Decimals::ZERO,
                style: Style::Plain,
            },
        }
    }

    fn usd() -> Self {
        Self {
            name: "USD".to_owned(),
            decimals: MICRO,
            style: Style::Plain,
        }
    }

    fn shown(&self, amount: Amount) -> String {
        let plain = format!("{} {}", amount.format_decimal(self.decimals), self.name);
        match self.style {
            Style::Plain => plain,
            Style::Exact => format!("{plain} ({amount} base units)"),
        }
    }

    fn ceiling(&self, name: &str, amount: Option<Amount>) -> Item {
        Item {
            name: name.to_owned(),
            value: amount.map_or_else(|| NO_LIMIT.to_owned(), |amount| self.shown(amount)),
            rank: Rank::Ceiling(amount.map(Amount::base_units)),
        }
    }
}
