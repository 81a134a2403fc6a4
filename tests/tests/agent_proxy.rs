//! `waiaas agent proxy` as it is used: curl over its Unix socket and Python over loopback pay on real local chains,
//! and neither knows of keys, tokens or signatures.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::foreign;
use waiaas_tests::proxied::KeyHolder;
use waiaas_tests::setting::Setting;
use xtask::chains::{Anvil, Surfnet};

const EVM: &str = "eip155:31337/slip44:60";
const EVM_TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const SOLANA: &str = "solana:localnet/slip44:501";
const SOLANA_TO: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";

/// One wallet on one chain, an agent whose key is in a file, and what it asks for.
struct Stage {
    setting: Setting,
    agent: KeyHolder,
    body: Value,
}

fn stage(asset: &str, to: &str, url: &str, rule: &str, amount: u128) -> Result<Stage> {
    let (network, _) = asset.split_once('/').context("an asset")?;
    let setting = Setting::start(network, url, &[])?;
    let policy = format!(
        "version = 1\nepoch = 1\n\n[[asset]]\nid = \"{asset}\"\n{rule}\nper-transaction = \"1\"\nhour = \"3\"\n\
         day = \"3\"\nweek = \"3\"\nmonth = \"3\"\ninstant-up-to = \"0.5\"\nnotify-up-to = \"1\"\n\
         fee-ceiling = \"0.01\"\n\n[[recipient]]\nname = \"shop\"\naccount = \"{network}:{to}\"\n"
    );
    setting.home.adopt(&policy, &setting.owner)?;
    let (wallet, limit) = (&setting.wallet.0, format!("{asset}=1/10"));
    let grant = ["--wallet", wallet, "--limit", &limit];
    let agent = KeyHolder::create(&setting.home, &setting.owner, "worker", &grant)?;
    let body = json!({
        "signer": setting.home.signer_id()?,
        "wallet": wallet,
        "network": network,
        "to": "@shop",
        "amount_base": amount.to_string(),
    });
    Ok(Stage {
        setting,
        agent,
        body,
    })
}

/// What curl was answered: the status, and the body as JSON.
fn curl(socket: &str, arguments: &[&str], target: &str) -> Result<(u16, Value)> {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "90",
            "--unix-socket",
            socket,
        ])
        .args(["--write-out", "\n%{http_code}"])
        .args(arguments)
        .arg(format!("http://localhost{target}"))
        .output()
        .context("curl is not installed")?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.success(),
        "curl {target}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let (body, status) = said.rsplit_once('\n').context("a status")?;
    let body = serde_json::from_str(body).with_context(|| format!("{target}: {body}"))?;
    Ok((status.parse()?, body))
}

fn code(problem: &Value) -> &str {
    problem
        .get("code")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    let text = value.get(name).and_then(Value::as_str);
    text.with_context(|| format!("{name} in {value}"))
}

#[test]
fn curl_pays_over_the_unix_socket() -> Result<()> {
    let chain = Anvil::start()?;
    let amount = 123_456_789_012_345;
    let rule = "symbol = \"ETH\"\ndecimals = 18\noutstanding = \"10\"";
    let Stage {
        mut setting,
        agent,
        body,
    } = stage(EVM, EVM_TO, chain.url(), rule, amount)?;
    chain.fund(&setting.wallet.1, 10_000_000_000_000_000_000)?;
    let mut serving = agent.serve(&setting.home, &[])?;
    let socket = serving.place.clone();
    let mode = std::fs::metadata(&socket)?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "{mode:o}");
    let (status, session) = curl(&socket, &[], "/v1/session")?;
    ensure!(
        status == 200 && field(&session, "session")? == agent.session,
        "{session}"
    );

    // Without a name of the caller's own nothing is done.
    let text = body.to_string();
    let json = [
        "--header",
        "content-type: application/json",
        "--data",
        &text,
    ];
    let (status, told) = curl(&socket, &json, "/v1/transactions?wait=30")?;
    ensure!(
        (status, code(&told)) == (400, "idempotency_key_missing"),
        "{told}"
    );
    let (_, listed) = curl(&socket, &[], "/v1/transactions")?;
    ensure!(listed["transactions"] == json!([]), "{listed}");
    let named = [&json[..], &["--header", "idempotency-key: invoice-17"]].concat();
    let (status, paid) = curl(&socket, &named, "/v1/transactions?wait=60")?;
    ensure!(
        status == 201 && field(&paid, "status")? == "CONFIRMED",
        "{status} {paid}"
    );
    ensure!(chain.balance(EVM_TO)? == amount);
    let (status, again) = curl(&socket, &named, "/v1/transactions?wait=60")?;
    ensure!(
        status == 200 && again["transaction"] == paid["transaction"],
        "{again}"
    );
    ensure!(chain.balance(EVM_TO)? == amount, "paid twice");
    // The wait is the gateway's own, and no key is asked for it.
    let shown = format!("/v1/transactions/{}?wait=5", field(&paid, "transaction")?);
    ensure!(curl(&socket, &[], &shown)?.0 == 200);

    for (arguments, target, refused) in [
        (
            &["--header", "host: evil.example"][..],
            "/v1/session",
            (403, "proxy_host"),
        ),
        (
            &["--header", "origin: http://localhost"],
            "/v1/session",
            (403, "proxy_origin"),
        ),
        (
            &["--request-target", "http://evil.example/v1/session"],
            "/",
            (400, "target_malformed"),
        ),
        (
            &["--path-as-is"],
            "/v1/wallets/../owner",
            (400, "target_malformed"),
        ),
        (&[], "/v1/owner/agents", (403, "proxy_not_for_agents")),
        (
            &["--request", "POST"],
            "/v1/session/token",
            (403, "proxy_not_for_agents"),
        ),
        (&[], "/sign", (404, "not_found")),
    ] {
        let (status, told) = curl(&socket, arguments, target)?;
        ensure!(
            (status, code(&told)) == refused,
            "{target}: {status} {told}"
        );
    }

    // The gateway goes away, and comes back.
    setting.running.gateway.stop(Duration::from_secs(10))?;
    let (status, told) = curl(&socket, &named, "/v1/transactions")?;
    ensure!(
        (status, code(&told)) == (502, "gateway_unreachable"),
        "{told}"
    );
    ensure!(
        field(&told, "hint")?.contains("same Idempotency-Key"),
        "{told}"
    );
    setting.running.gateway = setting.home.start_gateway()?;
    let (status, again) = curl(&socket, &named, "/v1/transactions")?;
    ensure!(
        status == 200 && again["transaction"] == paid["transaction"],
        "{again}"
    );

    // The owner ends the session: it says what to ask for.
    setting.home.cli(&["session", "revoke", &agent.session])?;
    let until = Instant::now() + Duration::from_secs(10);
    let (status, told) = loop {
        let (status, told) = curl(&socket, &named, "/v1/transactions")?;
        // The gateway hears of it from the signer's log.
        if status != 200 || Instant::now() > until {
            break (status, told);
        }
    };
    ensure!(
        (status, code(&told)) == (401, "session_revoked"),
        "{status} {told}"
    );
    let hint = field(&told, "hint")?;
    ensure!(
        hint.contains(&agent.session) && hint.contains(&agent.key),
        "{hint}"
    );

    let ended = serving.process.stop(Duration::from_secs(10))?;
    ensure!(ended.code() == Some(0), "{ended}");
    ensure!(!std::path::Path::new(&socket).exists(), "the socket stays");
    // A line for each request, and no secret, body, query or name in any.
    let log = std::fs::read_to_string(&serving.log)?;
    ensure!(log.lines().count() >= 16, "{log}");
    ensure!(log.contains("POST /v1/transactions 201 "), "{log}");
    ensure!(log.contains("400 idempotency_key_missing"), "{log}");
    let key = std::fs::read_to_string(&agent.file)?;
    for secret in [
        "invoice-17",
        "wait=",
        "Bearer",
        "eyJ",
        "evil",
        field(&body, "wallet")?,
        key.trim(),
    ] {
        ensure!(!log.contains(secret), "{secret} in {log}");
    }
    // Now its session has ended before it starts: it does not serve.
    let mut late = setting
        .home
        .command(&["agent", "proxy", "--session", &agent.session]);
    let late = late.arg("--agent-key").arg(&agent.file).output()?;
    ensure!(late.status.code() == Some(5), "{late:?}");
    Ok(())
}

#[test]
fn python_pays_over_loopback_behind_the_local_token() -> Result<()> {
    let chain = Surfnet::start(400)?;
    let rule = "symbol = \"SOL\"\ndecimals = 9";
    let amount = 12_345_678;
    let Stage {
        setting,
        agent,
        body,
    } = stage(SOLANA, SOLANA_TO, chain.url(), rule, amount)?;
    chain.fund(&setting.wallet.1, 10_000_000_000)?;
    let serving = agent.serve(&setting.home, &["--listen", "127.0.0.1:0"])?;
    let token = setting.home.folder().join("run/agent-proxy.token");
    ensure!(std::fs::metadata(&token)?.permissions().mode() & 0o777 == 0o600);
    let before = chain.balance(SOLANA_TO)?;
    let text = body.to_string();
    let arguments = [
        serving.place.as_str(),
        token.to_str().context("a path of text")?,
        "invoice-18",
        &text,
    ];
    let told: Value = serde_json::from_str(&foreign::python("loopback.py", &arguments)?)?;
    for (case, status, said) in [
        ("unnamed", 400, "idempotency_key_missing"),
        ("origin", 403, "proxy_origin"),
        ("owner", 403, "proxy_not_for_agents"),
        ("stranger", 401, "proxy_token_invalid"),
    ] {
        ensure!(
            told[case][0] == status && code(&told[case][1]) == said,
            "{case}: {told}"
        );
    }
    ensure!(
        told["session"][1]["session"] == json!(agent.session),
        "{told}"
    );
    ensure!(
        told["paid"][0] == 201 && told["paid"][1]["status"] == "CONFIRMED",
        "{told}"
    );
    ensure!(
        told["again"][0] == 200 && told["again"][1]["replay"] == true,
        "{told}"
    );
    ensure!(told["judged"][1]["allowed"] == true, "{told}");
    ensure!(
        u128::from(chain.balance(SOLANA_TO)? - before) == amount,
        "{told}"
    );
    // Beyond loopback it does not listen at all.
    let mut open = setting
        .home
        .command(&["agent", "proxy", "--listen", "0.0.0.0:0"]);
    open.args(["--session", &agent.session])
        .arg("--agent-key")
        .arg(&agent.file);
    ensure!(open.output()?.status.code() == Some(64));
    Ok(())
}
