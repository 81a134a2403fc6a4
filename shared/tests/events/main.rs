//! Every kind of event as bytes: `golden/events` holds each one's canonical hexadecimal and its readable
//! form. A shipped file never changes: logs full of these bytes exist. Each file decodes and encodes
//! again to the identical bytes, and no kind is without a file. `WAIAAS_REGENERATE=1` rewrites them, for
//! a kind that has not shipped.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may be blunt"
)]

mod agents;
mod authorizations;
mod programs;
mod samples;
mod sign_ins;
mod stakes;
mod variants;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::SignerId;
use waiaas_shared::time::{BudgetTime, Clocks, RunTime};

use samples::{samples, wall};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/events")
}

/// The name of a kind's files. Without a wildcard: a new kind does not compile before it has a name.
pub(crate) fn kind(body: &EventBody) -> &'static str {
    match body {
        EventBody::Created { .. } => "created",
        EventBody::Unlocked { .. } => "unlocked",
        EventBody::Locked { .. } => "locked",
        EventBody::ClockStepped { .. } => "clock-stepped",
        EventBody::OwnerEnrolled { .. } => "owner-enrolled",
        EventBody::WalletCreated { .. } => "wallet-created",
        EventBody::StatementIssued { .. } => "statement-issued",
        EventBody::PolicyAdopted { .. } => "policy-adopted",
        EventBody::SessionGranted { .. } => "session-granted",
        EventBody::SessionRevoked { .. } => "session-revoked",
        EventBody::SessionExpired { .. } => "session-expired",
        EventBody::SpendCommitted(_) => "spend-committed",
        EventBody::Withdrawn { .. } => "withdrawn",
        EventBody::SpendReplaced { .. } => "spend-replaced",
        EventBody::Paused { .. } => "paused",
        EventBody::PauseReleased { .. } => "pause-released",
        EventBody::Killed { .. } => "killed",
        EventBody::KillReleased { .. } => "kill-released",
        EventBody::NonceAttested { .. } => "nonce-attested",
        EventBody::TimeStated { .. } => "time-stated",
        EventBody::WithdrawalEnrolled { .. } => "withdrawal-enrolled",
        EventBody::DenialsCounted { .. } => "denials-counted",
        EventBody::IntentOpened(_) => "intent-opened",
        EventBody::IntentApproved { .. } => "intent-approved",
        EventBody::IntentsEnded { .. } => "intents-ended",
        EventBody::OwnerChangeScheduled { .. } => "owner-change-scheduled",
        EventBody::OwnerChangeCancelled { .. } => "owner-change-cancelled",
        EventBody::OwnerChangeEffective { .. } => "owner-change-effective",
        EventBody::OwnerChangeVoided { .. } => "owner-change-voided",
        EventBody::OwnerSuspended { .. } => "owner-suspended",
        EventBody::SuspensionLifted { .. } => "suspension-lifted",
        EventBody::Credited { .. } => "credited",
        EventBody::GuardianStopped { .. } => "guardian-stopped",
        EventBody::Retired { .. } => "retired",
        EventBody::SnapshotTaken { .. } => "snapshot-taken",
        EventBody::HeadMissed { .. } => "head-missed",
        EventBody::SessionRenewed { .. } => "session-renewed",
        EventBody::WalletClosed { .. } => "wallet-closed",
        EventBody::WalletRotated { .. } => "wallet-rotated",
        EventBody::AgentRegistered { .. } => "agent-registered",
        EventBody::AgentActivated { .. } => "agent-activated",
        EventBody::AgentStopped { .. } => "agent-stopped",
        EventBody::AgentTerminated { .. } => "agent-terminated",
        EventBody::SessionSuspended { .. } => "session-suspended",
        EventBody::SessionResumed { .. } => "session-resumed",
        EventBody::AlarmRaised { .. } => "alarm-raised",
        EventBody::OwnerAlive { .. } => "owner-alive",
        EventBody::DenialNoted { .. } => "denial-noted",
        EventBody::SignedIn(_) => "signed-in",
        EventBody::TransferAuthorized { .. } => "transfer-authorized",
    }
}

/// Number and name of each kind, from the source of the events.
fn kinds() -> BTreeMap<u32, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/event.rs");
    let source = std::fs::read_to_string(source).unwrap();
    let body = source.split("pub enum EventBody {").nth(1).unwrap();
    let body = body.split("\n}\n").next().unwrap();
    let lines: Vec<&str> = body.lines().collect();
    lines
        .windows(2)
        .filter_map(|pair| {
            let number = pair[0].strip_prefix("    #[n(")?.strip_suffix(")]")?;
            let name: String = pair[1]
                .strip_prefix("    ")?
                .chars()
                .take_while(char::is_ascii_alphabetic)
                .collect();
            Some((number.parse().ok()?, kebab(&name)))
        })
        .collect()
}

fn kebab(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

fn event(body: EventBody) -> Event {
    let clocks = Clocks {
        wall: wall(),
        run: RunTime::from_millis(5_000),
        budget: BudgetTime::from_millis(6_000),
    };
    Event { clocks, body }
}

fn golden(event: &Event) -> String {
    format!("{}\n\n{event:#?}\n", hex::encode(to_canonical(event)))
}

fn regenerate() -> bool {
    std::env::var_os("WAIAAS_REGENERATE").is_some()
}

/// The bytes of every kind are those of the golden file, and come back identical.
#[test]
fn each_kind_is_its_golden_file() {
    for (name, body) in samples() {
        let event = event(body);
        let path = folder().join(format!("{name}.txt"));
        if regenerate() {
            std::fs::write(&path, golden(&event)).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(kept, golden(&event), "{name}");
        let encoded = hex::decode(kept.lines().next().unwrap()).unwrap();
        assert_eq!(
            from_canonical::<Event>(&encoded).as_ref(),
            Ok(&event),
            "{name}"
        );
        assert_eq!(to_canonical(&event), encoded, "{name}");
    }
}

/// Each golden file is read with nothing but what stands in it, and nothing stands beside them.
#[test]
fn each_golden_file_encodes_again_to_its_bytes() {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let encoded = hex::decode(text.lines().next().unwrap()).unwrap();
        let event: Event =
            from_canonical(&encoded).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(name.starts_with(kind(&event.body)), "{name}");
        assert_eq!(golden(&event), text, "{name}");
        found.push(name);
    }
    let mut expected: Vec<String> = samples().into_iter().map(|(name, _)| name).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "a file without a sample, or the reverse");
}

/// No kind of event is without a golden file, and each has its number (given once: the encoder's
/// derivation refuses a second).
#[test]
fn every_kind_has_a_golden_file_and_its_number() {
    let kinds = kinds();
    assert!(
        kinds.len() >= 21,
        "the source was not understood: {kinds:?}"
    );
    for (number, name) in &kinds {
        let sample = samples()
            .into_iter()
            .find(|(_, body)| kind(body) == name)
            .unwrap_or_else(|| panic!("{name} has no sample"));
        // [clocks, [number, fields]]: three clocks of known widths stand in front.
        let encoded = to_canonical(&event(sample.1));
        let clocks = to_canonical(
            &event(EventBody::Created {
                signer: SignerId::from_bytes([0; 16]),
            })
            .clocks,
        );
        assert_eq!(encoded[0], 0x82, "{name}");
        let body = &encoded[1 + clocks.len()..];
        assert_eq!(
            from_canonical::<u32>(&body[1..if *number < 24 { 2 } else { 3 }]),
            Ok(*number),
            "{name}"
        );
    }
}

/// A byte more, a byte less or another number of kind is no event.
#[test]
fn changed_frames_are_no_events() {
    for (name, body) in samples() {
        let encoded = to_canonical(&event(body));
        for end in 0..encoded.len() {
            assert!(
                from_canonical::<Event>(&encoded[..end]).is_err(),
                "{name} up to {end}"
            );
        }
        let longer = [encoded.as_slice(), &[0]].concat();
        assert!(
            from_canonical::<Event>(&longer).is_err(),
            "{name} and a byte"
        );
    }
    // [[0, 0, 0], [23, []]]: a kind of a later version.
    let unknown = [0x82, 0x83, 0, 0, 0, 0x82, 0x17, 0x80];
    assert!(from_canonical::<Event>(&unknown).is_err());
}
