//! What an agent asks of routes that are not its own: another agent's payments, owners' business, messages that are no
//! messages, and whatever might lie about.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use xtask::agent::fresh;

use super::stage::{EVM, Stage, answer, code, field};
use super::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "G17",
        "another session's payments and wallets",
        anothers_payments,
    ),
    case("G16", "owners' and operators' routes", owners_routes),
    case(
        "G24",
        "transactions and digests as messages to be signed",
        bytes_as_messages,
    ),
    case(
        "G25",
        "logins for foreign sites, and such as imitate an approval",
        foreign_logins,
    ),
    case(
        "G26",
        "a search for keys over every route",
        a_search_for_keys,
    ),
];

fn anothers_payments(stage: &mut Stage) -> Result<()> {
    // One that is done, and one that waits.
    let (status, done) = stage.pay(9000, &fresh()?, 60)?;
    ensure!(status == 201, "{done}");
    let (status, waits) = stage.pay(super::stage::ASKED, &fresh()?, 0)?;
    ensure!(status == 202, "{waits}");
    let before = stage.paid()?;
    for payment in [&done, &waits] {
        let id = field(payment, "transaction")?;
        for thief in [&stage.other, &stage.bound] {
            let (status, told) =
                answer(thief.send(&thief.get(&format!("/v1/transactions/{id}")))?)?;
            ensure!(
                (status, code(&told)) == (404, "transaction_unknown"),
                "{status} {told}"
            );
            for what in ["cancel", "speed-up"] {
                let target = format!("/v1/transactions/{id}/{what}");
                let (status, told) =
                    answer(thief.send(&thief.post(&target, &fresh()?, &json!({}))?)?)?;
                ensure!(
                    (status, code(&told)) == (404, "transaction_unknown"),
                    "{what}: {status} {told}"
                );
            }
            for filter in ["", "?limit=100", "?before=999999"] {
                let (status, told) =
                    answer(thief.send(&thief.get(&format!("/v1/transactions{filter}")))?)?;
                ensure!(status == 200 && !told.to_string().contains(id), "{told}");
            }
            for filter in ["session", "wallet", "all", "owner"] {
                let target = format!("/v1/transactions?{filter}={}", stage.bearer.session);
                let (status, told) = answer(thief.send(&thief.get(&target))?)?;
                ensure!(
                    (status, code(&told)) == (400, "query_malformed"),
                    "{status} {told}"
                );
            }
        }
        // What names it as its own earlier one.
        let mut body = stage.body(1000);
        body["wallet"] = json!(stage.other_wallet);
        body["replaces"] = json!(id);
        let request = stage.other.post("/v1/transactions", &fresh()?, &body)?;
        let (status, told) = answer(stage.other.send(&request)?)?;
        ensure!((400..500).contains(&status), "{status} {told}");
    }
    for what in ["balances", "history", "nonce"] {
        let target = format!("/v1/wallets/{}/{what}", stage.wallet);
        let (status, told) = answer(stage.other.send(&stage.other.get(&target))?)?;
        ensure!(
            (status, code(&told)) == (404, "wallet_unknown"),
            "{what}: {status} {told}"
        );
    }
    for target in [
        "/v1/session",
        "/v1/policy",
        "/v1/wallets",
        "/v1/transactions",
    ] {
        let (status, told) = answer(stage.other.send(&stage.other.get(target))?)?;
        ensure!(
            status == 200 && !told.to_string().contains(&stage.wallet),
            "{target}: {told}"
        );
    }
    // From a wallet that the session does not cover, or stops.
    let mut body = stage.body(1000);
    body["wallet"] = json!(stage.other_wallet);
    let (status, told) = stage.ask(&body)?;
    ensure!(status == 403, "{status} {told}");
    let pause = json!({ "wallet": stage.other_wallet });
    let (status, told) = answer(stage.bearer.send(&stage.bearer.post(
        "/v1/pause",
        &fresh()?,
        &pause,
    )?)?)?;
    ensure!([403, 404].contains(&status), "{status} {told}");
    let id = field(&waits, "transaction")?;
    let (status, shown) = answer(
        stage
            .bearer
            .send(&stage.bearer.get(&format!("/v1/transactions/{id}")))?,
    )?;
    ensure!(status == 200 && shown["status"] == "QUEUED", "{shown}");
    stage.unpaid_since(&before)?;
    stage.home.cli(&["payment", "cancel", id])?;
    Ok(())
}

/// Nothing that loosens has a route for an agent, by whatever name.
fn owners_routes(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let paths = [
        "/v1/policy/adopt",
        "/v1/policy/draft",
        "/v1/policies",
        "/v1/policy",
        "/v1/statements",
        "/v1/statement",
        "/v1/approve",
        "/v1/approvals",
        "/v1/transactions/x/approve",
        "/v1/transactions/x/release",
        "/v1/kill/release",
        "/v1/pause/release",
        "/v1/release",
        "/v1/unlock",
        "/v1/lock",
        "/v1/init",
        "/v1/owners",
        "/v1/owner",
        "/v1/owner/agents",
        "/v1/owner/policies",
        "/v1/owner/sessions",
        "/v1/owner/wallets",
        "/v1/owner/kill/release",
        "/v1/sessions",
        "/v1/sessions/grant",
        "/v1/session/grant",
        "/v1/agents",
        "/v1/agents/activate",
        "/v1/keys",
        "/v1/keys/export",
        "/v1/keys/import",
        "/v1/wallets/export",
        "/v1/wallets/import",
        "/v1/backup",
        "/v1/restore",
        "/v1/credit",
        "/v1/withdraw",
        "/v1/retire",
        "/v1/time",
        "/v1/guardian/kill",
        "/admin",
        "/v1/admin",
        "/debug",
    ];
    for path in paths {
        for agent in [&stage.bearer, &stage.bound] {
            for body in [json!({}), json!({ "password": "x" })] {
                let request = agent.post(path, &fresh()?, &body)?;
                let answer = agent.send(&request)?;
                ensure!(
                    [401, 403, 404, 405].contains(&answer.status),
                    "POST {path}: {}",
                    answer.status
                );
            }
        }
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        for path in [
            "/v1/policy",
            "/v1/session",
            "/v1/wallets",
            "/v1/transactions",
            "/v1/kill",
        ] {
            let mut request = stage.bearer.post(path, &fresh()?, &json!({}))?;
            request.method = method;
            let status = stage.bearer.send(&request)?.status;
            ensure!(status == 405, "{method} {path}: {status}");
        }
    }
    stage.unpaid_since(&before)
}

/// Bodies that are transactions, digests or typed data, wherever a message has a text.
fn bytes_as_messages(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let mut corpus: Vec<Vec<u8>> = Vec::new();
    let mut state: u32 = 7;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    // First bytes of Solana's legacy, v0 and v1 messages, of EVM's types, of EIP-191 and EIP-712, and plain digests.
    for start in [
        &[1, 0, 1][..],
        &[0x80, 1, 0],
        &[0x81, 1, 0],
        &[2, 0xf8],
        &[1, 0xf8],
        &[3, 0xf8],
        &[4, 0xf8],
        &[0xf8, 0x6c],
        &[0x19, 0x45],
        &[0x19, 1],
        &[0xff, b's'],
        &[],
    ] {
        for length in [32, 64, 65, 110, 200] {
            let mut bytes = start.to_vec();
            bytes.resize_with(length, &mut next);
            corpus.push(bytes);
        }
    }
    let mut tried = 0;
    for bytes in &corpus {
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for form in [
            format!("0x{text}"),
            text.clone(),
            BASE64.encode(bytes),
            bs58::encode(bytes).into_string(),
        ] {
            let login = |name: &str| {
                let mut body = json!({
                    "signer": stage.bearer.signer, "wallet": stage.wallet, "network": EVM,
                    "domain": "app.example.org", "uri": "https://app.example.org", "nonce": "12345678",
                });
                body[name] = json!(form);
                body
            };
            for (target, body) in [
                ("/v1/messages/sign-in", login("statement")),
                ("/v1/messages/sign-in", login("message")),
                (
                    "/v1/messages/transfer-authorization",
                    json!({ "digest": form }),
                ),
                (
                    "/v1/transactions/sign",
                    json!({
                        "signer": stage.bearer.signer, "wallet": stage.wallet, "network": EVM, "transaction": form,
                    }),
                ),
            ] {
                let request = stage.bearer.post(target, &fresh()?, &body)?;
                let (status, told) = answer(stage.bearer.send(&request)?)?;
                ensure!(
                    (400..500).contains(&status),
                    "{target} {body}: {status} {told}"
                );
                ensure!(
                    told.get("signature").is_none() && told.get("signed_transaction").is_none(),
                    "{told}"
                );
                tried += 1;
            }
        }
    }
    ensure!(tried >= 500, "{tried}");
    for path in [
        "/v1/messages/sign",
        "/v1/messages",
        "/v1/sign",
        "/v1/messages/typed-data",
        "/v1/messages/personal",
    ] {
        let request = stage
            .bearer
            .post(path, &fresh()?, &json!({ "message": "hello" }))?;
        ensure!(stage.bearer.send(&request)?.status == 404, "{path}");
    }
    stage.unpaid_since(&before)
}

fn foreign_logins(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let login = |name: &str, value: &str| {
        let mut body = json!({
            "signer": stage.bearer.signer, "wallet": stage.wallet, "network": EVM,
            "domain": "app.example.org", "uri": "https://app.example.org", "nonce": "12345678",
        });
        body[name] = json!(value);
        body
    };
    for body in [
        login("domain", "evil.example"),
        login("domain", "APP.EXAMPLE.ORG"),
        login("domain", "app.example.org.evil.example"),
        login("domain", "localhost"),
        login("domain", "waiaas"),
        login("uri", "https://evil.example/"),
        login("statement", "WAIaaS: approve payment tx_1 of 100 ETH"),
        login("statement", "line one\nWAIaaS approves"),
        login("statement", "a\u{202e}b"),
        login("nonce", "short"),
        login("nonce", "with blank 1"),
    ] {
        let request = stage
            .bearer
            .post("/v1/messages/sign-in", &fresh()?, &body)?;
        let (status, told) = answer(stage.bearer.send(&request)?)?;
        ensure!(
            (400..500).contains(&status) && told.get("signature").is_none(),
            "{body}: {status} {told}"
        );
    }
    stage.unpaid_since(&before)
}

fn a_search_for_keys(stage: &mut Stage) -> Result<()> {
    let (status, document) = answer(stage.bearer.send(&stage.bearer.get("/openapi.json"))?)?;
    ensure!(status == 200);
    let described = document["paths"].as_object().context("paths")?;
    let mut targets: Vec<String> = described
        .iter()
        // A stream has no end to be searched to.
        .filter(|(_, methods)| !methods.to_string().contains("text/event-stream"))
        .map(|(path, _)| {
            path.replace("{wallet}", &stage.wallet)
                .replace("{network}", EVM)
                .replace("{transaction}", "tx_00000000000000000000000001")
        })
        .collect();
    targets.extend(
        [
            "/",
            "/debug/pprof",
            "/metrics",
            "/env",
            "/config",
            "/config.toml",
            "/gateway.toml",
            "/.env",
            "/.git/config",
            "/backup",
            "/backups",
            "/keystore",
            "/v1/keystore",
            "/signer",
            "/logs",
            "/gateway.log",
            "/gateway.db",
            "/actuator/env",
            "/server-status",
            "/heapdump",
            "/core",
            "/console",
            "/swagger",
            "/docs",
            "/graphql",
        ]
        .map(str::to_owned),
    );
    let canaries = [
        xtask::home::PASSWORD.to_owned(),
        stage
            .secret
            .rsplit_once('_')
            .context("a secret")?
            .1
            .to_owned(),
        stage
            .key
            .to_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        bs58::encode(stage.key.to_bytes()).into_string(),
        stage
            .home
            .folder()
            .to_str()
            .context("a path of text")?
            .to_owned(),
        "gateway.sock".to_owned(),
    ];
    for target in &targets {
        for method in ["GET", "OPTIONS", "TRACE"] {
            let mut request = stage.bearer.get(target);
            request.method = method;
            let answer = stage.bearer.send(&request)?;
            ensure!(
                answer.status < 500 || target == "/ready",
                "{method} {target}: {}",
                answer.status
            );
            let text = String::from_utf8_lossy(&answer.body);
            for canary in &canaries {
                ensure!(!text.contains(canary), "{method} {target} tells {canary}");
            }
            for (name, value) in &answer.headers {
                ensure!(
                    !canaries.iter().any(|canary| value.contains(canary)),
                    "{target}: {name}: {value}"
                );
            }
        }
    }
    Ok(())
}
