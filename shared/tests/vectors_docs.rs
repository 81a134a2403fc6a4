//! Runs docs/vectors/{identifiers,encoding,log,heartbeat}, which `tests/reference/vectors.py` wrote, a program that
//! shares no code with this one; and has that program check them, too.
#![expect(clippy::unwrap_used, reason = "helpers of tests may be blunt")]

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AccountId, AssetId, ChainId, Family};
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::Event;
use waiaas_shared::heartbeat::SignedHeartbeat;
use waiaas_shared::ids::{
    AgentId, OwnerId, SessionId, SignerId, StatementId, TransactionId, WalletId,
};
use waiaas_shared::keys::AgentKey;
use waiaas_shared::log::{LogError, SignedHead, Verifier};
use waiaas_shared::session::SessionLimit;
use waiaas_shared::time::{Clocks, Millis};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn vector(path: &str) -> Value {
    let path = root().join("docs/vectors").join(path);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn list<'a>(vector: &'a Value, field: &str) -> &'a [Value] {
    let list = vector[field].as_array().unwrap();
    assert!(!list.is_empty(), "{field}");
    list
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} of {value}"))
}

fn bytes(value: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(value, field)).unwrap()
}

/// Bytes of the identifier of this kind that the text names.
fn identifier(prefix: &str, text: &str) -> Option<[u8; 16]> {
    macro_rules! of {
        ($($kind:ty),*) => {
            match prefix {
                $(<$kind>::PREFIX => text.parse::<$kind>().ok().map(|id| *id.as_bytes()),)*
                other => panic!("an unknown kind of identifier: {other}"),
            }
        };
    }
    of!(
        SignerId,
        WalletId,
        OwnerId,
        SessionId,
        TransactionId,
        StatementId,
        AgentId
    )
}

/// The identifier of this kind as text: of these bytes, or derived.
fn written(prefix: &str, bytes: &[u8], counter: Option<u32>) -> String {
    macro_rules! of {
        ($($kind:ty),*) => {
            match prefix {
                $(<$kind>::PREFIX => match counter {
                    None => <$kind>::from_bytes(bytes.try_into().unwrap()).to_string(),
                    Some(counter) => <$kind>::derive(bytes.try_into().unwrap(), counter).to_string(),
                },)*
                other => panic!("an unknown kind of identifier: {other}"),
            }
        };
    }
    of!(
        SignerId,
        WalletId,
        OwnerId,
        SessionId,
        TransactionId,
        StatementId,
        AgentId
    )
}

#[test]
fn identifiers_are_typeids() {
    let vector = vector("identifiers/typeid.json");
    for case in list(&vector, "valid") {
        let (prefix, value) = (text(case, "prefix"), bytes(case, "bytes"));
        assert_eq!(written(prefix, &value, None), text(case, "text"));
        assert_eq!(
            identifier(prefix, text(case, "text"))
                .as_ref()
                .map(<[u8; 16]>::as_slice),
            Some(&value[..])
        );
    }
    for case in list(&vector, "refused") {
        assert_eq!(
            identifier(text(case, "prefix"), text(case, "text")),
            None,
            "{case}"
        );
    }
}

#[test]
fn new_identifiers_are_derived() {
    for case in list(&vector("identifiers/derive.json"), "derived") {
        let counter = u32::try_from(case["counter"].as_u64().unwrap()).unwrap();
        assert_eq!(
            written(text(case, "prefix"), &bytes(case, "entropy"), Some(counter)),
            text(case, "text"),
            "{case}"
        );
    }
}

#[test]
fn chains_assets_and_accounts_have_one_form() {
    let chains = vector("identifiers/chains.json");
    for case in list(&chains, "valid") {
        let chain: ChainId = text(case, "text").parse().unwrap();
        assert_eq!(chain.to_string(), text(case, "text"));
        let family = match chain.family() {
            Family::Solana => "solana",
            Family::Evm => "evm",
        };
        assert_eq!(family, text(case, "family"));
        assert_eq!(
            Value::from(chain.is_test_network()),
            case["test_network"],
            "{case}"
        );
    }
    fn one_form<T: std::str::FromStr + ToString>(path: &str) {
        let vector = vector(path);
        for case in list(&vector, "valid") {
            let shown = case.as_str().unwrap_or_else(|| text(case, "text"));
            let value: T = shown.parse().unwrap_or_else(|_| panic!("{shown}"));
            assert_eq!(value.to_string(), shown);
        }
        for case in list(&vector, "refused") {
            assert!(case.as_str().unwrap().parse::<T>().is_err(), "{case}");
        }
    }
    one_form::<ChainId>("identifiers/chains.json");
    one_form::<AssetId>("identifiers/assets.json");
    one_form::<AccountId>("identifiers/accounts.json");
}

/// Without a wildcard: a new domain does not compile before it stands here, and then has no vector.
const fn domain_text(domain: Domain) -> &'static str {
    match domain {
        Domain::Identifier => "waiaas/v1/identifier",
        Domain::Genesis => "waiaas/v1/genesis",
        Domain::Event => "waiaas/v1/event",
        Domain::Journal => "waiaas/v1/journal",
        Domain::Policy => "waiaas/v1/policy",
        Domain::Statement => "waiaas/v1/statement",
        Domain::RequestBody => "waiaas/v1/request-body",
        Domain::SessionSecret => "waiaas/v1/session-secret",
        Domain::Effect => "waiaas/v1/effect",
        Domain::Snapshot => "waiaas/v1/snapshot",
        Domain::Idempotency => "waiaas/v1/idempotency",
        Domain::PaymentIndex => "waiaas/v1/payment-index",
        Domain::AuthorizationNonce => "waiaas/v1/authorization-nonce",
    }
}

const DOMAINS: [Domain; 13] = [
    Domain::Identifier,
    Domain::Genesis,
    Domain::Event,
    Domain::Journal,
    Domain::Policy,
    Domain::Statement,
    Domain::RequestBody,
    Domain::SessionSecret,
    Domain::Effect,
    Domain::Snapshot,
    Domain::Idempotency,
    Domain::PaymentIndex,
    Domain::AuthorizationNonce,
];

#[test]
fn digests_are_those_of_another_program() {
    let vector = vector("encoding/digests.json");
    let cases = list(&vector, "digests");
    for case in cases {
        let domain = DOMAINS
            .into_iter()
            .find(|domain| domain_text(*domain) == text(case, "domain"))
            .unwrap();
        let parts: Vec<Vec<u8>> = case["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| hex::decode(part.as_str().unwrap()).unwrap())
            .collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        assert_eq!(
            hash(domain, &parts).to_string(),
            text(case, "digest"),
            "{case}"
        );
    }
    for domain in DOMAINS {
        assert!(
            cases
                .iter()
                .any(|case| text(case, "domain") == domain_text(domain)),
            "{domain:?} has no vector"
        );
    }
}

#[test]
fn amounts_have_one_encoding() {
    let vector = vector("encoding/amounts.json");
    for case in list(&vector, "valid") {
        let amount: Amount = text(case, "units").parse().unwrap();
        assert_eq!(to_canonical(&amount), bytes(case, "bytes"), "{case}");
        assert_eq!(from_canonical(&bytes(case, "bytes")), Ok(amount), "{case}");
    }
    for case in list(&vector, "refused") {
        assert!(
            from_canonical::<Amount>(&bytes(case, "bytes")).is_err(),
            "{case}"
        );
    }
}

#[test]
fn values_have_one_encoding() {
    let vector = vector("encoding/canonical.json");
    let reads = |case: &Value| {
        let encoded = bytes(case, "bytes");
        match text(case, "type") {
            "session-limit" => from_canonical::<SessionLimit>(&encoded).is_ok(),
            "clocks" => from_canonical::<Clocks>(&encoded).is_ok(),
            other => panic!("an unknown type: {other}"),
        }
    };
    for case in list(&vector, "valid") {
        assert!(reads(case), "{case}");
    }
    for case in list(&vector, "refused") {
        assert!(!reads(case), "{case}");
    }
}

/// What the product says of an exported log, in the words of the vectors.
fn judged(export: &[Value]) -> Value {
    let refused = |rule: &str| serde_json::json!({ "refused": rule });
    let at = |rule: &str, event: u64| serde_json::json!({ "refused": rule, "event": event });
    let said = |error: LogError| match error {
        LogError::NoteForm => refused("note_form"),
        LogError::NoteSignature => refused("note_signature"),
        LogError::Unsigned => refused("unsigned"),
        LogError::Chain(event) => at("chain", event),
        LogError::Sequence(event) => at("sequence", event),
        LogError::Head(event) => at("head", event),
    };
    let (first, lines) = export.split_first().unwrap();
    let key = text(first, "log_key");
    let key = match hex::decode(key) {
        Ok(key) => key.try_into().unwrap(),
        Err(_) => *AgentKey::from_base58(key).unwrap().as_bytes(),
    };
    let mut verifier = Verifier::new(text(first, "signer").parse().unwrap(), key);
    let mut clocks = Clocks::default();
    for line in lines {
        let followed = match line.get("head") {
            Some(note) => note
                .as_str()
                .unwrap()
                .parse::<SignedHead>()
                .and_then(|head| verifier.signed_head(&head)),
            None => {
                let sequence = line["sequence"].as_u64().unwrap();
                let body = STANDARD.decode(text(line, "body")).unwrap();
                let claimed = Digest::from_hex(text(line, "hash")).unwrap();
                let followed = verifier.event(sequence, &body, claimed);
                if followed.is_ok() {
                    let Ok(event) = from_canonical::<Event>(&body) else {
                        return at("body", sequence);
                    };
                    let before = clocks;
                    clocks = event.clocks;
                    if clocks.wall < before.wall
                        || clocks.run < before.run
                        || clocks.budget < before.budget
                    {
                        return at("clock", sequence);
                    }
                }
                followed
            }
        };
        if let Err(error) = followed {
            return said(error);
        }
    }
    match verifier.finish() {
        Ok(head) => {
            serde_json::json!({ "verified": { "sequence": head.sequence, "hash": head.hash.to_string() } })
        }
        Err(error) => said(error),
    }
}

#[test]
fn logs_are_judged_as_by_another_program() {
    let mut cases = 0;
    for entry in std::fs::read_dir(root().join("docs/vectors/log")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let vector = vector(&format!("log/{name}"));
        let mut expected = vector.clone();
        let fields = expected.as_object_mut().unwrap();
        assert!(
            fields.remove("rule").is_some() && fields.remove("export").is_some(),
            "{name}"
        );
        assert_eq!(judged(list(&vector, "export")), expected, "{name}");
        cases += 1;
    }
    assert!(cases > 40, "{cases}");
}

/// What the product says of a heartbeat, in the words of the vectors.
fn heard(vector: &Value) -> Value {
    let refused = |rule: &str| serde_json::json!({ "refused": rule });
    let key: [u8; 32] = bytes(vector, "log_key").try_into().unwrap();
    let read = match text(vector, "note").parse::<SignedHeartbeat>() {
        Err(LogError::NoteForm) => return refused("note_form"),
        read => read.unwrap(),
    };
    let Ok(heartbeat) = read.verify(&key) else {
        return refused("note_signature");
    };
    if heartbeat.signer.to_string() != text(vector, "signer") {
        return refused("other_signer");
    }
    let Clocks { wall, run, budget } = heartbeat.clocks;
    let policies: Vec<_> = heartbeat
        .policies
        .iter()
        .map(|(epoch, digest)| serde_json::json!([epoch, digest.to_string()]))
        .collect();
    let payments: Vec<Vec<String>> = heartbeat
        .payments
        .iter()
        .map(|payment| {
            let mut lines = payment.to_string();
            for more in &payment.more {
                lines += &format!(" {} {} {}", more.amount, more.asset, more.to);
            }
            lines.split(' ').map(str::to_owned).collect()
        })
        .collect();
    serde_json::json!({ "said": {
        "time": [wall.millis(), run.millis(), budget.millis()],
        "sequence": heartbeat.sequence,
        "hash": heartbeat.hash.to_string(),
        "policy_epoch": heartbeat.policy_epoch,
        "policies": policies,
        "kill": [heartbeat.kill.as_str(), heartbeat.kill_epoch],
        "frozen": heartbeat.frozen,
        "clock_closed": heartbeat.clock_closed,
        "dead_man": heartbeat.dead_man.map(Millis::millis),
        "wallets": heartbeat.wallets,
        "sessions": [heartbeat.sessions, heartbeat.suspended],
        "denials": heartbeat.denials,
        "waiting": heartbeat.waiting,
        "payments": payments,
    }})
}

#[test]
fn heartbeats_are_judged_as_by_another_program() {
    let mut cases = 0;
    for entry in std::fs::read_dir(root().join("docs/vectors/heartbeat")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let vector = vector(&format!("heartbeat/{name}"));
        let mut expected = vector.clone();
        let fields = expected.as_object_mut().unwrap();
        for given in ["rule", "signer", "log_key", "note"] {
            assert!(fields.remove(given).is_some(), "{name}: {given}");
        }
        assert_eq!(heard(&vector), expected, "{name}");
        cases += 1;
    }
    assert!(cases > 25, "{cases}");
}

/// The other program agrees with every file, and with the golden events of this one.
#[test]
fn the_reference_program_agrees() {
    let reference = root().join("tests/reference");
    let run = |arguments: &[&Path]| {
        let output = Command::new("python3")
            .arg("-B")
            .args(arguments)
            .output()
            .expect("python3 is installed");
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    };
    run(&[&reference.join("vectors.py")]);
    run(&[
        &reference.join("vectors.py"),
        Path::new("--events"),
        &root().join("shared/tests/golden/events"),
    ]);
}
