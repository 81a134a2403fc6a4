//! The policy document's form for people: TOML with kebab-case keys and amounts in each asset's own
//! unit. Only clients read it; the signer takes canonical bytes.

use serde::Deserialize;

use super::document::{
    AssetRule, MATURITY_DEFAULT, PolicyDocument, PolicyError, Recipient, VERSION,
};
use crate::amount::{Amount, AmountError, Decimals};
use crate::caip::{AccountId, AssetId};
use crate::time::Millis;

/// Why a TOML text is not a policy document.
#[derive(Debug, thiserror::Error)]
pub enum TomlError {
    /// Not TOML of this shape.
    #[error("{0}")]
    Shape(#[from] toml::de::Error),
    /// An amount in a wrong form.
    #[error("{asset}: {key} = {text:?}: {error}")]
    Amount {
        /// Whose entry.
        asset: AssetId,
        /// Which key.
        key: &'static str,
        /// What stands there.
        text: Box<str>,
        /// What is wrong with it.
        error: AmountError,
    },
    /// A document that would be refused.
    #[error(transparent)]
    Document(#[from] PolicyError),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    version: u16,
    epoch: u64,
    maturity_hours: Option<u64>,
    #[serde(default)]
    asset: Vec<Asset>,
    #[serde(default)]
    recipient: Vec<Contact>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Asset {
    id: AssetId,
    symbol: String,
    decimals: Decimals,
    per_transaction: String,
    hour: String,
    day: String,
    week: String,
    month: String,
    day_count: Option<u32>,
    instant_up_to: String,
    notify_up_to: String,
    fee_ceiling: Option<String>,
    outstanding: Option<String>,
    #[serde(default)]
    sign_only: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Contact {
    account: AccountId,
    name: String,
}

/// Reads a policy document from its TOML form.
///
/// # Errors
/// [`TomlError`] naming the entry; unknown keys refuse the whole.
pub fn parse(text: &str) -> Result<PolicyDocument, TomlError> {
    let form: Document = toml::from_str(text)?;
    let mut document = PolicyDocument {
        version: form.version,
        epoch: form.epoch,
        maturity: form
            .maturity_hours
            .map_or(MATURITY_DEFAULT, Millis::from_hours),
        assets: form.asset.into_iter().map(rule).collect::<Result<_, _>>()?,
        recipients: form
            .recipient
            .into_iter()
            .map(|contact| Recipient {
                account: contact.account,
                name: contact.name,
            })
            .collect(),
    };
    document.sort();
    document.check()?;
    Ok(document)
}

fn rule(form: Asset) -> Result<AssetRule, TomlError> {
    let read = |key: &'static str, text: &str| {
        Amount::parse_decimal(text, form.decimals).map_err(|error| TomlError::Amount {
            asset: form.id,
            key,
            text: text.into(),
            error,
        })
    };
    let maybe = |key: &'static str, text: &Option<String>| {
        text.as_deref().map(|text| read(key, text)).transpose()
    };
    Ok(AssetRule {
        asset: form.id,
        decimals: form.decimals,
        per_transaction: read("per-transaction", &form.per_transaction)?,
        hour: read("hour", &form.hour)?,
        day: read("day", &form.day)?,
        week: read("week", &form.week)?,
        month: read("month", &form.month)?,
        day_count: form.day_count,
        instant_up_to: read("instant-up-to", &form.instant_up_to)?,
        notify_up_to: read("notify-up-to", &form.notify_up_to)?,
        fee_ceiling: maybe("fee-ceiling", &form.fee_ceiling)?,
        outstanding: maybe("outstanding", &form.outstanding)?,
        sign_only: form.sign_only,
        symbol: form.symbol,
    })
}

/// Writes a document in its TOML form.
#[must_use]
pub fn write(document: &PolicyDocument) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _infallible = writeln!(
        text,
        "version = {}\nepoch = {}\nmaturity-hours = {}",
        VERSION,
        document.epoch,
        document.maturity.millis() / 3_600_000
    );
    for rule in &document.assets {
        let shown = |amount: Amount| amount.format_decimal(rule.decimals);
        let _infallible = write!(
            text,
            "\n[[asset]]\nid = \"{}\"\nsymbol = \"{}\"\ndecimals = {}\nper-transaction = \"{}\"\nhour = \"{}\"\nday = \"{}\"\nweek = \"{}\"\nmonth = \"{}\"\ninstant-up-to = \"{}\"\nnotify-up-to = \"{}\"\n",
            rule.asset,
            rule.symbol,
            rule.decimals.places(),
            shown(rule.per_transaction),
            shown(rule.hour),
            shown(rule.day),
            shown(rule.week),
            shown(rule.month),
            shown(rule.instant_up_to),
            shown(rule.notify_up_to),
        );
        if let Some(count) = rule.day_count {
            let _infallible = writeln!(text, "day-count = {count}");
        }
        if let Some(ceiling) = rule.fee_ceiling {
            let _infallible = writeln!(text, "fee-ceiling = \"{}\"", shown(ceiling));
        }
        if let Some(cap) = rule.outstanding {
            let _infallible = writeln!(text, "outstanding = \"{}\"", shown(cap));
        }
        if rule.sign_only {
            text.push_str("sign-only = true\n");
        }
    }
    for known in &document.recipients {
        let _infallible = write!(
            text,
            "\n[[recipient]]\nname = \"{}\"\naccount = \"{}\"\n",
            known.name, known.account
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::sample;
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let document = sample();
        assert_eq!(parse(&write(&document)).expect("our own text"), document);
    }

    #[test]
    fn unknown_keys_and_loose_amounts_are_refused() {
        let text = write(&sample());
        assert!(parse(&text.replace("symbol", "simbol")).is_err());
        assert!(parse(&text.replace("version = 1", "version = 1\nextra = 1")).is_err());
        assert!(parse(&text.replace("hour = \"0.0000002\"", "hour = \"2e-7\"")).is_err());
        assert!(parse(&text.replace("hour = \"0.0000002\"", "hour = 2")).is_err());
    }
}
