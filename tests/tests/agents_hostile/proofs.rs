//! What a thief of a token, or of recorded requests, tries against a session that is bound to its agent's key.

use anyhow::{Result, ensure};
use serde_json::json;
use waiaas_shared::request_signature::content_digest;
use xtask::agent::fresh;
use xtask::http::Request;

use super::stage::{Stage, code, now};
use super::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "S01",
        "a bound session's token without its key",
        a_token_alone,
    ),
    case(
        "S02",
        "a proof once more, also after a restart",
        a_proof_twice,
    ),
    case("S03", "a genuine proof over another body", another_body),
    case(
        "S04",
        "a signature that covers too little, or another request",
        covers_too_little,
    ),
    case(
        "S06",
        "times of long ago, of the future, and of no form",
        other_times,
    ),
];

const MUTATING: [&str; 5] = [
    "/v1/transactions",
    "/v1/session/renew",
    "/v1/session/revoke",
    "/v1/pause",
    "/v1/kill",
];

fn a_token_alone(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let token = ("Authorization", format!("Bearer {}", stage.bound.token()));
    let key = || anyhow::Ok(("Idempotency-Key", fresh()?));
    for target in MUTATING {
        let body = match target {
            "/v1/transactions" => stage.body(1000),
            "/v1/session/renew" => json!({ "signer": stage.bound.signer }),
            "/v1/pause" => json!({ "wallet": stage.wallet }),
            _ => json!({}),
        };
        let request = Request {
            method: "POST",
            target: target.to_owned(),
            headers: vec![token.clone(), key()?],
            body: body.to_string().into_bytes(),
        };
        let (status, told) = stage.send(&request)?;
        ensure!(
            (status, code(&told)) == (401, "request_signature_missing"),
            "{target}: {status} {told}"
        );
    }
    stage.unpaid_since(&before)
}

fn a_proof_twice(stage: &mut Stage) -> Result<()> {
    // A token's request: its nonce counts once.
    let mut login = stage.signed_now("/v1/session/token", &fresh()?, b"")?;
    login.headers.retain(|(name, _)| *name != "Authorization");
    let (status, told) = stage.send(&login)?;
    ensure!(status == 200, "{told}");
    let again = |stage: &Stage| {
        let (status, told) = stage.send(&login)?;
        ensure!(
            (status, code(&told)) == (401, "request_nonce_reused"),
            "{status} {told}"
        );
        anyhow::Ok(())
    };
    again(stage)?;
    // A payment's: the same bytes are the same payment; its proof is of no use for another key.
    let key = fresh()?;
    let body = stage.body(2000).to_string().into_bytes();
    let payment = stage.signed_now("/v1/transactions?wait=60", &key, &body)?;
    let (status, first) = stage.send(&payment)?;
    ensure!(status == 201, "{first}");
    let before = stage.paid()?;
    let replays = |stage: &Stage| {
        let (status, told) = stage.send(&payment)?;
        let same = told["transaction"] == first["transaction"];
        ensure!(status == 401 || (status == 200 && same), "{status} {told}");
        let mut renamed = payment.clone();
        for (name, value) in &mut renamed.headers {
            if *name == "Idempotency-Key" {
                *value = fresh()?;
            }
        }
        let (status, told) = stage.send(&renamed)?;
        ensure!(
            (status, code(&told)) == (401, "request_signature_invalid"),
            "{status} {told}"
        );
        anyhow::Ok(())
    };
    replays(stage)?;
    stage.restart()?;
    again(stage)?;
    replays(stage)?;
    stage.unpaid_since(&before)
}

fn another_body(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let key = fresh()?;
    let body = stage.body(3000).to_string().into_bytes();
    let sound = stage.signed_now("/v1/transactions", &key, &body)?;
    for place in 0..body.len() {
        let mut changed = sound.clone();
        if let Some(byte) = changed.body.get_mut(place) {
            *byte ^= 1;
        }
        let (status, told) = stage.send(&changed)?;
        ensure!(
            (status, code(&told)) == (401, "content_digest_invalid"),
            "byte {place}: {status} {told}"
        );
        // With the digest of the other body, the signature is of something else.
        if place % 8 == 0 {
            let digest = content_digest(&changed.body);
            for (name, value) in &mut changed.headers {
                if *name == "Content-Digest" {
                    value.clone_from(&digest);
                }
            }
            let (status, told) = stage.send(&changed)?;
            ensure!(
                [400, 401, 403, 404, 422].contains(&status),
                "byte {place}: {status} {told}"
            );
        }
    }
    stage.unpaid_since(&before)
}

/// One header of a sound request changed.
fn changed(sound: &Request, header: &str, change: impl Fn(&str) -> String) -> Request {
    let mut request = sound.clone();
    for (name, value) in &mut request.headers {
        if *name == header {
            *value = change(value);
        }
    }
    request
}

fn covers_too_little(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let key = fresh()?;
    let body = stage.body(4000).to_string().into_bytes();
    let sound = stage.signed_now("/v1/transactions", &key, &body)?;
    let input = |change: &dyn Fn(&str) -> String| changed(&sound, "Signature-Input", change);
    let mut tried = Vec::new();
    for component in [
        "\"@method\" ",
        "\"@path\" ",
        "\"@query\" ",
        "\"content-digest\" ",
        " \"idempotency-key\"",
    ] {
        tried.push(input(&|text| text.replacen(component, "", 1)));
    }
    for parameter in [";nonce=", ";keyid=", ";alg=", ";tag=", ";created="] {
        tried.push(input(&|text| {
            let Some((start, rest)) = text.split_once(parameter) else {
                return String::new();
            };
            let end = rest
                .find(';')
                .map_or("", |end| rest.get(end..).unwrap_or_default());
            format!("{start}{end}")
        }));
    }
    for (from, to) in [
        ("tag=\"waiaas/v1\"", "tag=\"other\""),
        ("alg=\"ed25519\"", "alg=\"hmac-sha256\""),
        ("waiaas=(", "other=("),
        ("(\"@method\" \"@path\"", "(\"@path\" \"@method\""),
        ("\"@query\"", "\"@query\" \"@query\""),
        ("\"@path\"", "\"@path\";bs"),
        ("waiaas=(", "waiaas=(\"@authority\" "),
    ] {
        tried.push(input(&|text| text.replacen(from, to, 1)));
    }
    tried.push(input(&|text| format!("{text}, {text}")));
    tried.push(input(&|text| {
        format!("{text}, other={}", text.trim_start_matches("waiaas="))
    }));
    for change in [
        (&|text: &str| format!("{text}, {text}")) as &dyn Fn(&str) -> String,
        &|text: &str| text.replace("waiaas=", "other="),
        &|_: &str| "waiaas=::".to_owned(),
        &|_: &str| String::new(),
    ] {
        tried.push(changed(&sound, "Signature", change));
    }
    for target in [
        "/v1/transactions?wait=1",
        "/v1/transactions/sign",
        "/v1/pause",
        "/v1/kill",
    ] {
        let mut elsewhere = sound.clone();
        target.clone_into(&mut elsewhere.target);
        tried.push(elsewhere);
    }
    for (place, request) in tried.iter().enumerate() {
        let (status, told) = stage.send(request)?;
        ensure!(
            [400, 401].contains(&status),
            "form {place}: {status} {told}"
        );
    }
    let mut put = sound.clone();
    put.method = "PUT";
    let (status, _) = stage.send(&put)?;
    ensure!(status == 405, "{status}");
    stage.unpaid_since(&before)
}

fn other_times(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let body = stage.body(5000).to_string().into_bytes();
    let present = now()?;
    for created in [
        0,
        1,
        present - 3600,
        present - 180,
        present + 180,
        present + 86_400,
        present * 1000,
        253_402_300_800,
        999_999_999_999_999,
    ] {
        let request = stage.signed("/v1/transactions", &fresh()?, &body, created)?;
        let (status, told) = stage.send(&request)?;
        ensure!(
            (status, code(&told)) == (401, "request_time_skew"),
            "{created}: {status} {told}"
        );
        let theirs = told["server_time_seconds"].as_u64().unwrap_or_default();
        ensure!(theirs.abs_diff(present) < 60, "{told}");
    }
    let sound = stage.signed_now("/v1/transactions", &fresh()?, &body)?;
    let created = format!("created={present}");
    for form in [
        "-1",
        "1e9",
        "+1",
        "01",
        "0x10",
        "1.5",
        "\"1\"",
        "",
        "9999999999999999999999",
        "1;created=2",
    ] {
        let request = changed(&sound, "Signature-Input", |text| {
            let start = text.find("created=").unwrap_or_default();
            let rest = text.get(start..).unwrap_or_default();
            let end = rest.find(';').unwrap_or(rest.len());
            text.replacen(
                rest.get(..end).unwrap_or(&created),
                &format!("created={form}"),
                1,
            )
        });
        let (status, told) = stage.send(&request)?;
        ensure!(
            (status, code(&told)) == (401, "request_signature_invalid"),
            "{form}: {status} {told}"
        );
    }
    stage.unpaid_since(&before)
}
