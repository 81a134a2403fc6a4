//! The log: hidden, changed, flooded, faked (P30 to P33).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::statement::StatementFacts;

use super::{Case, case};
use crate::checks::Checks;
use crate::raw::{Wire, bootstrap};
use crate::rig::{Rig, refusal};
use crate::runner::Template;

pub(super) const CASES: &[Case] = &[
    case("P30", no_hand_on_the_log),
    case("P31", changed_copies),
    case("P32", buried),
    case("P33", faked_entries),
];

fn no_hand_on_the_log(rig: &mut Rig, _: &Template) -> Result<String> {
    let before = rig.status()?;
    let gateway = rig.gateway();
    // Reading with every strange cursor changes nothing and gives nothing that is not there.
    let mut pages = 0;
    for after in [
        0,
        1,
        before.sequence,
        before.sequence + 1,
        u64::MAX - 1,
        u64::MAX,
    ] {
        for bytes in [0, 1, u32::MAX] {
            let page = rig.block(gateway.events(after, bytes, Duration::ZERO))?;
            ensure!(page.last == before.sequence, "another end: {}", page.last);
            ensure!(
                page.events.iter().all(|event| event.sequence > after),
                "an event before the cursor"
            );
            pages += 1;
        }
    }
    let transfer = rig.to_evm(1);
    let signed = rig.pay(&transfer)?;
    rig.reconnect()?;
    let after = rig.status()?;
    ensure!(after.sequence == before.sequence + 1 && signed.sequence == after.sequence);
    Ok(format!(
        "{pages} pages read; methods and files: W09, W22; the first record is where it was"
    ))
}

/// Runs the reference verifier over many exports in one process; its verdicts.
fn verdicts(exports: &[Vec<String>], kept: &str) -> Result<Vec<String>> {
    const PROGRAM: &str = "
import json, sys
sys.path.insert(0, sys.argv[1])
import verify_log
work = json.load(sys.stdin)
key = bytes.fromhex(json.loads(work['exports'][0][0])['log_key'])
said = []
for lines in work['exports']:
    try:
        verify_log.verify(lines, key).goes_through(work['head'])
        said.append('verified')
    except verify_log.Refused as refused:
        said.append(refused.rule)
json.dump(said, sys.stdout)
";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference");
    let mut child = Command::new("python3")
        .args(["-B", "-c", PROGRAM])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let work = json!({ "exports": exports, "head": kept });
    child
        .stdin
        .take()
        .context("a pipe")?
        .write_all(work.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "the verifier ended with {}",
        output.status
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn changed_copies(rig: &mut Rig, _: &Template) -> Result<String> {
    for number in 0..5 {
        let transfer = rig.to_evm(100 + number);
        rig.pay(&transfer)?;
    }
    let kept = rig.status()?.head;
    let log = Checks::new(rig)?.log.lines;
    let mut exports = vec![log.clone()];
    let mut names = vec!["unchanged".to_owned()];
    for place in 0..log.len() {
        let mut without = log.clone();
        let line: Value = serde_json::from_str(&without.remove(place))?;
        // A head in the middle may be missing: every later one covers what it covered.
        let middle_head = line.get("head").is_some() && place + 1 < log.len();
        if !middle_head {
            exports.push(without);
            names.push(format!("line {place} withheld"));
        }
        let mut doubled = log.clone();
        doubled.insert(place, log.get(place).cloned().unwrap_or_default());
        if line.get("head").is_none() {
            exports.push(doubled);
            names.push(format!("line {place} doubled"));
        }
        if place + 1 < log.len() {
            let mut swapped = log.clone();
            swapped.swap(place, place + 1);
            exports.push(swapped);
            names.push(format!("line {place} moved"));
        }
        let mut cut = log.clone();
        cut.truncate(place);
        exports.push(cut);
        names.push(format!("cut at line {place}"));
        for field in ["body", "hash", "head", "sequence", "signer", "log_key"] {
            let mut line = line.clone();
            let Some(value) = line.get_mut(field) else {
                continue;
            };
            *value = match (field, &value) {
                ("sequence", value) => json!(value.as_u64().unwrap_or(0) + 1),
                ("body", Value::String(text)) => {
                    let mut bytes = STANDARD.decode(text)?;
                    let middle = bytes.len() / 2;
                    if let Some(byte) = bytes.get_mut(middle) {
                        *byte ^= 1;
                    }
                    json!(STANDARD.encode(bytes))
                }
                (_, Value::String(text)) => {
                    let middle = text.len() * 2 / 3;
                    let mut text = text.clone().into_bytes();
                    if let Some(byte) = text.get_mut(middle) {
                        *byte = if *byte == b'a' { b'b' } else { b'a' };
                    }
                    json!(String::from_utf8_lossy(&text))
                }
                (_, other) => (*other).clone(),
            };
            let mut changed = log.clone();
            if let Some(place) = changed.get_mut(place) {
                *place = line.to_string();
            }
            exports.push(changed);
            names.push(format!("line {place}: {field} changed"));
        }
    }
    // An older log, whole in itself, against the head that the owner kept.
    let said = verdicts(&exports, &kept)?;
    ensure!(said.len() == exports.len());
    let mut refused = 0;
    for (name, verdict) in names.iter().zip(&said) {
        if name == "unchanged" {
            ensure!(verdict == "verified", "the true log: {verdict}");
        } else {
            ensure!(verdict != "verified", "{name}: verified");
            refused += 1;
        }
    }
    Ok(format!(
        "{refused} changed copies of {} lines, all seen by the independent verifier",
        log.len()
    ))
}

fn buried(rig: &mut Rig, _: &Template) -> Result<String> {
    let transfer = rig.to_evm(42);
    let signed = rig.pay(&transfer)?;
    let before = rig.status()?.sequence;
    let mut asked = 0;
    for round in 0..10_u8 {
        let mut requests = Vec::new();
        for number in 0..200_u8 {
            let transfer = rig.to_evm(u128::MAX / 2);
            let mut request = rig.invented(&rig_transfer(&transfer, number))?;
            // A third under invented sessions: they must not multiply entries.
            if number % 3 == 0 {
                request.session =
                    SessionId::from_bytes([number.wrapping_mul(7).wrapping_add(round); 16]);
            }
            request.unsigned.truncate(usize::from(number % 20));
            requests.push(request);
        }
        for answer in rig.send_all(&requests)? {
            refusal(answer)?;
            asked += 1;
        }
    }
    let grown = rig.status()?.sequence - before;
    ensure!(grown <= 16, "{grown} events for {asked} refusals");
    let gateway = rig.gateway();
    let page = rig.block(gateway.events(signed.sequence - 1, 1, Duration::ZERO))?;
    ensure!(
        page.events
            .first()
            .is_some_and(|event| event.sequence == signed.sequence),
        "it is buried"
    );
    let (rounds, written) = drafted_and_paused(rig)?;
    rig.use_up("statements are open, a wallet is paused");
    Ok(format!(
        "{rounds} texts and pauses in turn wrote {written} events; {asked} refusals left {grown} events; the signature's record is where it was"
    ))
}

/// What is accepted and leads nowhere, again and again: a pause voids the text that would release it,
/// and frees no place for another. How many rounds, and how many events they left.
fn drafted_and_paused(rig: &mut Rig) -> Result<(usize, u64)> {
    let wallet = Some(rig.cast.main.wallet);
    let facts = StatementFacts::ReleasePause { wallet };
    let before = rig.status()?.sequence;
    let rounds = 100;
    for _ in 0..rounds {
        rig.block(rig.gateway().pause(wallet))?;
        rig.record.accepted += 1;
        if let Err(error) = rig.draft(&facts) {
            let code = refusal::<()>(Err(error))?;
            ensure!(code == Code::StatementTooMany, "{code}");
        }
    }
    let written = rig.status()?.sequence - before;
    ensure!(written <= 40, "{written} events of {rounds} rounds");
    Ok((rounds, written))
}

/// The same transfer with an amount that can be built.
fn rig_transfer(
    transfer: &waiaas_tests::agent::Transfer,
    number: u8,
) -> waiaas_tests::agent::Transfer {
    waiaas_tests::agent::Transfer {
        amount: 1 + u128::from(number),
        ..*transfer
    }
}

fn faked_entries(rig: &mut Rig, _: &Template) -> Result<String> {
    let texts = [
        "a\nb",
        "a\r\nb",
        "a\0b",
        "\u{1b}[2J",
        "\u{202e}gnirts",
        "\u{200b}",
        "{\"sequence\":1}",
        "\"},{\"sequence\":2,\"body\":\"\"}",
        "<script>",
        "'; DROP TABLE event; --",
        "%s%n",
        "\u{2028}",
    ];
    let transfer = rig.to_evm(8);
    let honest = rig.invented(&transfer)?;
    let body: Value = serde_json::from_slice(&honest.body)?;
    let before = rig.status()?.sequence;
    let (mut refused, mut accepted) = (0, 0);
    for text in texts {
        // As the idempotency key, as parts of the request line, as an agent's reason, as a recipient.
        let mut reasoned = body.clone();
        reasoned["reason"] = json!(text);
        let mut named = body.clone();
        named["to"] = json!(format!("@{text}"));
        let long = format!("{text}{}", "x".repeat(300));
        let mut requests = vec![
            SpendRequest {
                idempotency_key: text.to_owned(),
                ..honest.clone()
            },
            SpendRequest {
                idempotency_key: long,
                ..honest.clone()
            },
            SpendRequest {
                body: named.to_string().into_bytes(),
                ..honest.clone()
            },
            SpendRequest {
                body: reasoned.to_string().into_bytes(),
                ..honest.clone()
            },
            SpendRequest {
                body: text.as_bytes().to_vec(),
                ..honest.clone()
            },
        ];
        for request in requests.iter_mut().skip(2) {
            request.idempotency_key = rig.fresh_key();
        }
        for request in requests {
            match rig.send(&request) {
                Ok(_) => accepted += 1,
                Err(error) => {
                    refusal::<()>(Err(error))?;
                    refused += 1;
                }
            }
        }
    }
    let grown = rig.status()?.sequence - before;
    // What was accepted is one record each, and a reason never stands in it.
    ensure!(
        grown >= accepted && grown <= accepted + 2,
        "{grown} events for {accepted} payments"
    );
    let gateway = rig.gateway();
    let page = rig.block(gateway.events(before, u32::MAX, Duration::ZERO))?;
    for event in &page.events {
        for text in texts.iter().filter(|text| text.len() > 5) {
            let inside = event
                .body
                .windows(text.len())
                .any(|window| window == text.as_bytes());
            ensure!(!inside, "{text:?} stands in event {}", event.sequence);
        }
    }
    ensure!(refused > 20, "{refused} refused");
    Ok(format!(
        "{refused} refused, {accepted} with odd but harmless words signed: one record each, no text of theirs in it"
    ))
}

/// Sessions that an older gateway remembers, and payments that never were.
pub(super) fn older_sessions(rig: &mut Rig) -> Result<()> {
    let before = rig.status()?;
    let gateway = rig.gateway();
    for number in 0..50_u8 {
        let unknown = TransactionId::from_bytes([number; 16]);
        let code = refusal(rig.block(gateway.signed_transaction(unknown)))?;
        ensure!(code == Code::TransactionUnknown, "{code}");
        let session = SessionId::from_bytes([number; 16]);
        ensure!(
            rig.block(gateway.remaining(session))?.is_none(),
            "a session out of nothing"
        );
    }
    // A session that was revoked meanwhile stays revoked, whatever the gateway remembers.
    let transfer = rig.to_evm(1);
    let old = rig.invented(&transfer)?;
    rig.send(&old)?;
    rig.revoke(rig.cast.bearer)?;
    let mut attempts = vec![("its old request".to_owned(), old.clone())];
    attempts.push((
        "a new one".to_owned(),
        SpendRequest {
            idempotency_key: rig.fresh_key(),
            ..old
        },
    ));
    rig.refused(&attempts, &[Code::SessionRevoked])?;
    let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
    ensure!(wire.push(&bootstrap(1), Duration::from_secs(1)));
    ensure!(
        wire.closes(Duration::from_secs(3))?,
        "a second introduction"
    );
    rig.crash();
    rig.resume()?;
    let request = rig.invented(&transfer)?;
    rig.refuse("behind a restart", request, &[Code::SessionRevoked])?;
    ensure!(rig.status()?.sequence > before.sequence);
    rig.use_up("the bearer session is revoked");
    Ok(())
}
