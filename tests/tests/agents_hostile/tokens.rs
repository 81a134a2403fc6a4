//! What is tried with tokens: forged ones, old ones, those of sessions that have ended, and where they lie about.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use xtask::agent::{Agent, fresh};
use xtask::http::Request;

use super::stage::{Stage, answer, code};
use super::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "S05",
        "tokens that say how they are to be verified",
        forged_tokens,
    ),
    case("S09", "a token changed in every character", every_character),
    case(
        "S13",
        "tokens, secrets and keys in files, logs and answers",
        lying_about,
    ),
    case(
        "S07",
        "a session used after its revocation",
        after_revocation,
    ),
];

fn with_token(stage: &Stage, token: &str) -> Result<(u16, Value)> {
    stage.send(&Request {
        method: "GET",
        target: "/v1/session".to_owned(),
        headers: vec![("Authorization", format!("Bearer {token}"))],
        body: vec![],
    })
}

fn refused(stage: &Stage, token: &str) -> Result<()> {
    let (status, told) = with_token(stage, token)?;
    ensure!(
        (status, code(&told)) == (401, "token_invalid"),
        "{token}: {status} {told}"
    );
    Ok(())
}

fn forged_tokens(stage: &mut Stage) -> Result<()> {
    let genuine = stage.bearer.token().to_owned();
    ensure!(with_token(stage, &genuine)?.0 == 200);
    let parts: Vec<&str> = genuine.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        anyhow::bail!("not three parts");
    };
    let header_now: Value = serde_json::from_slice(&BASE64URL.decode(header)?)?;
    let encoded = |value: &Value| BASE64URL.encode(value.to_string());
    let mut forged = Vec::new();
    for algorithm in [
        "none", "None", "NONE", "", "HS384", "HS512", "RS256", "ES256", "EdDSA", "PS256", "hs256",
    ] {
        let mut other = header_now.clone();
        other["alg"] = json!(algorithm);
        for end in ["", signature, "AA"] {
            forged.push(format!("{}.{claims}.{end}", encoded(&other)));
        }
    }
    for (name, value) in [
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("' OR 1=1 --")),
        ("jwk", json!({ "kty": "oct", "k": "AAAA" })),
        ("jku", json!("http://127.0.0.1:9/keys")),
        ("x5u", json!("http://127.0.0.1:9/certificate")),
        ("x5c", json!(["AAAA"])),
        ("crit", json!(["exp"])),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("typ", json!("JWT")),
        ("b64", json!(false)),
    ] {
        let mut other = header_now.clone();
        other[name] = value;
        forged.push(format!("{}.{claims}.{signature}", encoded(&other)));
    }
    let said: Value = serde_json::from_slice(&BASE64URL.decode(claims)?)?;
    for (name, value) in [
        ("sub", json!(stage.other.session)),
        ("sub", json!("wallet_00000000000000000000000001")),
        ("exp", json!(u64::MAX)),
        ("exp", json!("never")),
        ("aud", json!("*")),
        ("iss", json!("owner")),
        ("role", json!("owner")),
    ] {
        let mut other = said.clone();
        other[name] = value;
        for end in ["", signature] {
            forged.push(format!("{header}.{}.{end}", encoded(&other)));
        }
    }
    for text in [
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{signature}."),
        format!("{header}.{claims}.{signature}.{signature}"),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{}.{claims}.{signature}", header.to_ascii_lowercase()),
        format!("{header}=.{claims}.{signature}"),
        BASE64URL.encode(&genuine),
        format!("{{\"payload\":\"{claims}\",\"signature\":\"{signature}\"}}"),
        stage.secret.clone(),
        "x".repeat(8000),
    ] {
        forged.push(text);
    }
    ensure!(forged.len() >= 60, "{}", forged.len());
    forged.iter().try_for_each(|token| refused(stage, token))
}

/// The wallet, the chain, limits or a role stand in no token; whatever is changed in one breaks it.
fn every_character(stage: &mut Stage) -> Result<()> {
    let genuine = stage.bearer.token().to_owned();
    for place in 0..genuine.len() {
        let mut bytes = genuine.clone().into_bytes();
        let Some(byte) = bytes.get_mut(place) else {
            continue;
        };
        // The last character's lowest bits say nothing: the next letter but three says something else.
        *byte = match *byte {
            b'.' => b'A',
            b'A'..=b'Z' => b'A' + (*byte - b'A' + 4) % 26,
            b'a'..=b'z' => b'a' + (*byte - b'a' + 4) % 26,
            _ => b'Q',
        };
        refused(stage, &String::from_utf8(bytes)?)?;
    }
    Ok(())
}

fn lying_about(stage: &mut Stage) -> Result<()> {
    // Wherever a careless client puts them.
    let (token, secret) = (stage.bearer.token().to_owned(), stage.secret.clone());
    let mut answers = Vec::new();
    for target in [
        format!("/v1/session?token={token}"),
        format!("/v1/session?access_token={secret}"),
        format!("/v1/session/token?secret={secret}"),
        format!("/v1/{token}"),
        format!("/{secret}"),
    ] {
        for method in ["GET", "POST"] {
            let request = Request {
                method,
                target: target.clone(),
                headers: vec![("Referer", format!("http://127.0.0.1/{token}"))],
                body: vec![],
            };
            let answer = stage.bearer.send(&request)?;
            ensure!(
                (400..500).contains(&answer.status),
                "{method} {target}: {}",
                answer.status
            );
            answers.push(answer.body);
        }
    }
    for target in [
        "/health",
        "/ready",
        "/openapi.json",
        "/v1/status",
        "/metrics",
    ] {
        answers.push(stage.bearer.send(&stage.other.get(target))?.body);
    }
    let (_, kept) = stage.secret.rsplit_once('_').context("a secret")?;
    let key: String = stage
        .key
        .to_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let canaries = [token.as_str(), kept, xtask::home::PASSWORD, &key];
    let holds = |bytes: &[u8], canary: &str| {
        let forms = [
            canary.as_bytes().to_vec(),
            BASE64URL.encode(canary).into_bytes(),
        ];
        forms.iter().any(|form| {
            bytes
                .windows(form.len())
                .any(|part| part == form.as_slice())
        })
    };
    ensure!(
        holds(format!("x{token}").as_bytes(), &token),
        "the search finds nothing"
    );
    for (place, body) in answers.iter().enumerate() {
        for canary in canaries {
            ensure!(!holds(body, canary), "answer {place} holds {canary}");
        }
    }
    // The database, the log, and whatever else lies in the home of gateway and signer.
    let mut searched = 0;
    let mut folders = vec![stage.home.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let facts = std::fs::symlink_metadata(&path)?;
            if facts.is_dir() {
                folders.push(path);
            } else if facts.is_file() {
                let bytes = std::fs::read(&path)?;
                searched += 1;
                for canary in canaries {
                    ensure!(!holds(&bytes, canary), "{} holds {canary}", path.display());
                }
            }
        }
    }
    ensure!(searched > 5, "{searched} files");
    Ok(())
}

/// At once, by another gateway's start, and by a database from before.
fn after_revocation(stage: &mut Stage) -> Result<()> {
    let (thief, secret) = stage.session()?;
    let uses = |thief: &Agent| answer(thief.send(&thief.get("/v1/session"))?);
    ensure!(uses(&thief)?.0 == 200);
    // The gateway's database from before: a session that it knew as good.
    let database = stage.home.folder().join("gateway/gateway.db");
    stage.running.gateway.stop(Duration::from_secs(10))?;
    let before = std::fs::read(&database)?;
    stage.running.gateway = stage.home.start_gateway()?;
    ensure!(uses(&thief)?.0 == 200);
    stage
        .home
        .cli(&["session", "revoke", &thief.session.to_string()])?;
    let until = Instant::now() + Duration::from_secs(10);
    while uses(&thief)?.0 == 200 {
        ensure!(Instant::now() < until, "it is still used");
    }
    let ended = |stage: &Stage| {
        let (status, told) = uses(&thief)?;
        // An older database may have other secrets: then no token from before is any more.
        let known = ["session_revoked", "token_invalid"].contains(&code(&told));
        ensure!(status == 401 && known, "{status} {told}");
        let pay = thief.post("/v1/transactions", &fresh()?, &stage.body(1000))?;
        let (status, told) = answer(thief.send(&pay)?)?;
        ensure!(status == 401, "{status} {told}");
        // Nor does the secret open it again.
        let again = Agent::log_in(
            &thief.gateway,
            thief.signer,
            thief.session,
            xtask::agent::Proof::Bearer(secret.clone()),
        );
        ensure!(again.is_err(), "a token for a session that has ended");
        anyhow::Ok(())
    };
    ended(stage)?;
    stage.restart()?;
    ended(stage)?;
    stage.running.gateway.stop(Duration::from_secs(10))?;
    for rest in ["-wal", "-shm"] {
        let mut path = database.clone().into_os_string();
        path.push(rest);
        let _not_there = std::fs::remove_file(path);
    }
    std::fs::write(&database, &before)?;
    stage.running.gateway = stage.home.start_gateway()?;
    for agent in [&mut stage.bound, &mut stage.bearer, &mut stage.other] {
        agent.renew()?;
    }
    ended(stage)
}
