//! Every kind of event and of the gateway's own words, in both languages.

use std::fs;
use std::path::Path;

use waiaas_shared::codec::from_canonical;

use super::*;
use crate::notify::kind::Kind;

const LANGUAGES: [Language; 2] = [Language::English, Language::Korean];

/// One event of each kind, as the log's own golden files have them.
fn events() -> Vec<(String, Event)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/golden/events");
    let mut events: Vec<(String, Event)> = fs::read_dir(folder)
        .expect("the events' golden files")
        .filter_map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_stem()?.to_str()?.to_owned();
            let text = fs::read_to_string(&path).expect("readable");
            let first = text.lines().next()?;
            let bytes = hex::decode(first.trim()).ok()?;
            Some((name, from_canonical(&bytes).expect("an event")))
        })
        .collect();
    events.sort_by(|one, other| one.0.cmp(&other.0));
    events
}

fn notice(event: Event) -> Notice {
    Notice {
        name: "evt_7".to_owned(),
        at: event.clocks.wall,
        told: Told::Event(7, Box::new(event)),
    }
}

fn owns() -> [Own; 5] {
    [
        Own::Begins { sequence: 7 },
        Own::Silent {
            channel: "phone".to_owned(),
            since: WallTime::from_millis(1_700_000_000_000),
        },
        Own::Failed {
            transaction: waiaas_shared::ids::TransactionId::from_bytes([1; 16]),
            wallet: waiaas_shared::ids::WalletId::from_bytes([2; 16]),
            why: Some("out of gas".to_owned()),
        },
        Own::Weekly {
            head: "a head\n7\nabc\n".to_owned(),
            sequence: 7,
            signed: 3,
            waiting: 1,
        },
        Own::Trial {
            channel: "phone".to_owned(),
        },
    ]
}

fn is_korean(text: &str) -> bool {
    text.chars()
        .any(|character| ('가'..='힣').contains(&character))
}

#[test]
fn every_kind_has_words_in_both_languages() {
    let mut kinds: Vec<Kind> = Vec::new();
    let events = events();
    assert!(events.len() >= 50, "only {} events were read", events.len());
    let own = owns().map(|own| Notice::own(own, WallTime::from_millis(1_700_000_000_000)));
    let told = events
        .into_iter()
        .map(|(_, event)| notice(event))
        .chain(own);
    for notice in told {
        let Some(kind) = notice.kind() else { continue };
        kinds.push(kind);
        for language in LANGUAGES {
            let now = notice.at;
            let (title, lines) = of(&notice, &Names::default(), now, language);
            assert!(!title.is_empty(), "{kind:?}");
            assert_eq!(is_korean(&title), language == Language::Korean, "{title}");
            for line in &lines {
                assert!(!line.text.is_empty(), "{kind:?}: {line:?}");
                let label = line.label.text(language);
                assert!(
                    label.is_empty() || is_korean(label) == (language == Language::Korean),
                    "{label}"
                );
            }
        }
    }
    for kind in Kind::ALL {
        assert!(kinds.contains(kind), "no message tells of {kind:?}");
    }
}

#[test]
fn a_waiting_payment_says_how_long_and_how_to_stop_it() {
    let (_, event) = events()
        .into_iter()
        .find(|(_, event)| matches!(&event.body, EventBody::IntentOpened(intent) if intent.more.is_none()))
        .expect("a waiting payment");
    let EventBody::IntentOpened(intent) = event.body.clone() else {
        unreachable!("it was chosen for that");
    };
    let now = event.clocks.wall;
    let (_, lines) = of(&notice(event), &Names::default(), now, Language::English);
    let all: Vec<String> = lines.iter().map(|line| line.text.clone()).collect();
    let all = all.join("\n");
    for part in [
        intent.to.to_string(),
        intent.amount.to_string(),
        intent.wallet.to_string(),
        intent.session.to_string(),
        format!("waiaas payment cancel {}", intent.transaction),
        intent.expires.to_string(),
    ] {
        assert!(all.contains(&part), "{part} is missing in\n{all}");
    }
}

#[test]
fn time_is_told_in_two_units() {
    let minutes = |minutes: u64| Millis::from_millis(minutes * 60_000 + 59_999);
    for (left, english, korean) in [
        (0, "in 0 min", "0분 남음"),
        (59, "in 59 min", "59분 남음"),
        (61, "in 1 h 1 min", "1시간 1분 남음"),
        (1500, "in 1 d 1 h", "1일 1시간 남음"),
    ] {
        assert_eq!(span(minutes(left), Language::English), english);
        assert_eq!(span(minutes(left), Language::Korean), korean);
    }
}
