//! Canonical bytes: policies, statements, events of the log; and the policy's form for people.

use std::path::Path;

use waiaas_shared::address::SolanaAddress;
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::policy::document::{PolicyDocument, TableRule};
use waiaas_shared::policy::toml_form;
use waiaas_shared::statement::StatementFacts;

const EXAMPLES: [&str; 2] = [
    include_str!("../../docs/examples/policy.toml"),
    include_str!("../../docs/starter-policy.toml"),
];

/// A policy as people write it.
pub fn policy_toml(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(document) = toml_form::parse(text) else {
        return false;
    };
    // One document in both forms, which both can be read.
    let written = toml_form::write(&document);
    assert_eq!(
        toml_form::parse(&written).expect("what is written is read"),
        document
    );
    assert_eq!(
        PolicyDocument::from_bytes(&document.to_bytes()),
        Ok(document)
    );
    true
}

/// The examples of the documentation, and a lookup table.
pub fn policy_toml_seeds() -> Vec<Vec<u8>> {
    let mut seeds = EXAMPLES.map(|text| text.as_bytes().to_vec()).to_vec();
    seeds.push(toml_form::write(&with_a_table()).into_bytes());
    seeds
}

fn with_a_table() -> PolicyDocument {
    let address = |byte| SolanaAddress::from_bytes([byte; 32]);
    let account = format!("solana:localnet:{}", address(0x7a));
    PolicyDocument {
        tables: Some(vec![TableRule {
            account: account.parse().expect("an account"),
            addresses: [1, 2, 3].map(address).to_vec(),
        }]),
        ..PolicyDocument::closed(1)
    }
}

/// A policy as owners sign it.
pub fn policy_canonical(data: &[u8]) -> bool {
    let Ok(document) = PolicyDocument::adopted(data) else {
        return false;
    };
    assert_eq!(document.to_bytes(), data);
    // Whatever its values are, the check ends with a verdict.
    if document.check().is_ok() {
        assert_eq!(PolicyDocument::from_bytes(data), Ok(document));
    }
    true
}

/// The same documents, canonical.
pub fn policy_canonical_seeds() -> Vec<Vec<u8>> {
    let documents = EXAMPLES.map(|text| toml_form::parse(text).expect("a sound policy"));
    let mut seeds: Vec<_> = documents.iter().map(PolicyDocument::to_bytes).collect();
    seeds.push(PolicyDocument::closed(1).to_bytes());
    seeds.push(with_a_table().to_bytes());
    seeds
}

/// What an owner says.
pub fn statement(data: &[u8]) -> bool {
    let Ok(facts) = from_canonical::<StatementFacts>(data) else {
        return false;
    };
    assert_eq!(to_canonical(&facts), data);
    true
}

/// Every statement of the golden events.
pub fn statement_seeds() -> Vec<Vec<u8>> {
    let events = event_seeds();
    let issued = events.iter().filter_map(|bytes| {
        match from_canonical::<Event>(bytes).expect("a golden event").body {
            EventBody::StatementIssued { facts, .. } => Some(to_canonical(&facts)),
            _ => None,
        }
    });
    issued.collect()
}

/// A record of the log.
pub fn event(data: &[u8]) -> bool {
    let Ok(event) = from_canonical::<Event>(data) else {
        return false;
    };
    assert_eq!(to_canonical(&event), data);
    true
}

/// The golden events: every kind.
pub fn event_seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/golden/events");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the golden events")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).expect("a text");
            unhex(text.lines().next().expect("a first line"))
        })
        .collect()
}

pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("hexadecimal digits")
        })
        .collect()
}
