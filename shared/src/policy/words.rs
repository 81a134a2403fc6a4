//! A policy document in words, as an owner reads it before adopting, and what changes from one to the
//! next. Informs; the signer's own text is what is signed. Called by the command line and by the gateway's routes
//! for owners.

use std::fmt::Write as _;

use crate::policy::diff::{Change, diff};
use crate::policy::document::PolicyDocument;
use crate::policy::items::{Place, Section, Style, sections};

/// The whole document.
#[must_use]
pub fn words(document: &PolicyDocument) -> String {
    let mut text = format!(
        "Policy epoch {}. What is not named here is refused.\n",
        document.epoch
    );
    let mut before = Place::Document;
    for section in sections(document, Style::Plain) {
        let nobody = document.recipients.is_empty() && !document.recipients_open;
        if section.place == Place::Document && nobody {
            text.push_str("Nobody may receive: every payment is refused.\n");
        }
        // One block for all contacts.
        if section.place != Place::Document && (section.place, before) != CONTACTS {
            text.push('\n');
        }
        before = section.place;
        section_in_words(&mut text, &section);
    }
    text
}

/// A contact after another.
const CONTACTS: (Place, Place) = (Place::Recipient, Place::Recipient);

fn section_in_words(text: &mut String, section: &Section) {
    match section.place {
        Place::Document => {}
        // A contact's name stands in its summary.
        Place::Recipient => {
            let _infallible = writeln!(text, "{}", section.summary);
            return;
        }
        Place::Asset(asset) => {
            let worth = if asset.chain().is_test_network() {
                "a test network"
            } else {
                "real value"
            };
            let _infallible = writeln!(text, "{}, {worth}", section.label);
        }
        Place::Other => {
            let _infallible = writeln!(text, "{}", section.label);
        }
    }
    for item in section.items.iter().filter(|item| item.says_something()) {
        let _infallible = writeln!(text, "  {}: {}", item.name, item.value);
    }
}

/// What gets looser and what tighter.
#[must_use]
pub fn changes(before: &PolicyDocument, after: &PolicyDocument) -> String {
    let diff = diff(before, after);
    let mut text = String::new();
    let parts = [
        (
            "Looser, so it waits",
            "Nothing gets looser.",
            &diff.loosenings,
        ),
        (
            "Tighter, so it holds at once",
            "Nothing gets tighter.",
            &diff.tightenings,
        ),
    ];
    for (heading, none, changes) in parts {
        listed(&mut text, heading, none, changes);
    }
    text
}

fn listed(text: &mut String, heading: &str, none: &str, changes: &[Change]) {
    if changes.is_empty() {
        let _infallible = writeln!(text, "{none}");
        return;
    }
    let _infallible = writeln!(text, "{heading}:");
    for change in changes {
        let _infallible = writeln!(text, "  {}", change.words);
    }
}

#[cfg(all(test, feature = "toml"))]
mod tests {
    use crate::policy::toml_form;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../docs/examples/policy.toml");

    /// The documents of the documentation, in words: the golden files are what `waiaas policy check`
    /// says.
    #[test]
    fn the_examples_in_words() {
        let starter = include_str!("../../../docs/starter-policy.toml");
        for (name, text) in [("example", EXAMPLE), ("starter", starter)] {
            let document = toml_form::parse(text).unwrap();
            let file = format!(
                "{}/tests/golden/policy-words/{name}.txt",
                env!("CARGO_MANIFEST_DIR")
            );
            if std::env::var_os("WAIAAS_REGENERATE").is_some() {
                std::fs::write(&file, words(&document)).unwrap();
            }
            let golden = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(words(&document), golden, "{name}: WAIAAS_REGENERATE=1");
        }
    }

    #[test]
    fn both_directions_are_told() {
        let before = toml_form::parse(EXAMPLE).unwrap();
        let mut after = before.clone();
        after.recipients_open = true;
        after.maturity = crate::time::Millis::from_hours(48);
        assert_eq!(
            changes(&before, &after),
            "Looser, so it waits:\n  who is no contact: may receive instead of is refused\n\
             Tighter, so it holds at once:\n  later policies wait: 48 hours instead of 24 hours\n"
        );
        assert_eq!(
            changes(&before, &before),
            "Nothing gets looser.\nNothing gets tighter.\n"
        );
    }
}
