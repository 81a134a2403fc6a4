//! A document as a list of everything that it says, each with its words and with the direction in which
//! it loosens. `diff` and the documents' words are made from it, so that neither can forget a value.
//! Judges nothing.

mod calls;
mod programs;
mod sites;
mod words;

use std::collections::BTreeSet;

pub(crate) use self::words::window_in_words;
#[cfg(feature = "toml")]
pub(super) use self::words::{DAYS, clock, offset};
use self::words::{Unit, extension_in_words, hours_in_words, micro};
pub use self::words::{alarm_in_words, duration};
use super::alarm::Action;
use super::document::{AssetRule, PolicyDocument};
use super::evaluate::Tier;
use super::limits::Limits;
use super::scope::ScopeRule;
use super::windows::Window;
use crate::amount::Amount;
use crate::caip::{AssetId, Family, Token};
use crate::evm::Form;
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
        let silent = match &self.rank {
            Rank::Ceiling(limit) => limit.is_none(),
            Rank::Floor(least) => *least == 0 || *least == u128::MAX,
            Rank::Leave(given) => !given,
            Rank::Choice => self.value == ANY,
            Rank::Only(list) => list.as_ref().is_none_or(BTreeSet::is_empty),
            Rank::Members(members) => members.is_empty(),
        };
        // That an argument is not bounded is said.
        !silent || self.value == calls::ANYTHING
    }
}

/// What a choice that was not made says.
const ANY: &str = "any";

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
    let called = document.calls.iter();
    sections.extend(called.map(|rule| calls::call(rule, &unit)));
    sections.extend(document.validators().map(|known| {
        let label = format!("validator {}", known.account);
        Section {
            summary: format!(
                "{label}, called {}: coins may be staked with it",
                known.name
            ),
            items: vec![choice("called", known.name.clone())],
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
    sections.extend(document.sites().iter().map(sites::site));
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
    let native = rule.asset == rule.asset.chain().native_asset();
    let evm = rule.asset.chain().family() == Family::Evm;
    let ceilings = [
        ("highest fee of one transaction", rule.fee_ceiling, native),
        (
            "highest rent of one transaction",
            rule.rent_ceiling,
            native && !evm,
        ),
        (
            "most signed between two attestations of the nonce",
            rule.outstanding,
            evm,
        ),
    ];
    for (name, ceiling, _) in ceilings.into_iter().filter(|(_, _, belongs)| *belongs) {
        items.push(unit.ceiling(name, Some(ceiling.unwrap_or_default())));
    }
    if native && evm {
        items.extend(network(rule, &unit));
    }
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
    if matches!(rule.asset.token(), Token::Erc20(_)) {
        items.push(authorization(rule));
    }
    if let Some(mint) = rule.mint() {
        items.push(choice("token program", mint.program.as_str().to_owned()));
    }
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

/// How a token may be moved by authorization: any other name or time counts as looser.
fn authorization(rule: &AssetRule) -> Item {
    let said = rule.authorization.as_ref().map(|authorization| {
        let domain = &authorization.domain;
        format!(
            "as {}, version {}, for up to {}",
            domain.name,
            domain.version,
            duration(authorization.valid_for)
        )
    });
    Item {
        name: "moved by authorization".to_owned(),
        value: said.clone().unwrap_or_else(|| "not at all".to_owned()),
        rank: Rank::Only(Some(said.into_iter().collect())),
    }
}

/// What is said of the whole network with its coin, where it is not what holds by itself.
fn network(rule: &AssetRule, unit: &Unit) -> [Item; 2] {
    let data_fee = rule.data_fee.unwrap_or_default();
    let legacy = rule.transactions == Some(Form::Legacy);
    [
        Item {
            name: "counted for data in each transaction".to_owned(),
            value: unit.shown(data_fee),
            // Less of it is counted against every limit.
            rank: Rank::Floor(data_fee.base_units()),
        },
        Item {
            name: "legacy transactions".to_owned(),
            value: if legacy {
                "may be signed"
            } else {
                "are refused"
            }
            .to_owned(),
            rank: Rank::Leave(legacy),
        },
    ]
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
    items.push(choice("hours", hours.unwrap_or_else(|| ANY.to_owned())));
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
