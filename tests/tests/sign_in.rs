//! Logins at web sites by the sealed signer as a process, and over HTTP by the whole product: fields in, a message that
//! viem, @solana/kit, eth-account and solders verify out, the same one after a restart, and none where policy does not
//! name the site.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use waiaas_client::{NewWallet, SignedLogin};
use waiaas_shared::caip::ChainId;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Event, EventBody, SignedIn};
use waiaas_shared::policy::document::{PolicyDocument, SignInRule};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::Counts;
use waiaas_shared::session::{Operation, SessionGrant};
use waiaas_shared::time::Millis;
use waiaas_tests::agent::{Agent, grant, key, now};
use waiaas_tests::books::text;
use waiaas_tests::foreign;
use waiaas_tests::owner::Owner;
use waiaas_tests::signer::Home;
use waiaas_tests::stage::{EVM, LIMIT, SOLANA_TO, Stage, account, codes, gateway, run, solana};
use xtask::product::Product;

const SITE: &str = "app.example.org";
const ROUTE: &str = "/v1/messages/sign-in";

fn site() -> SignInRule {
    let mut networks = vec![EVM, solana()];
    networks.sort_unstable();
    SignInRule {
        domain: SITE.to_owned(),
        networks,
        uri: None,
        tier: Tier::Notify,
        counts: Counts {
            day: Some(3),
            ..Counts::default()
        },
        valid_for: Millis::from_secs(600),
        resources: Vec::new(),
    }
}

/// Another document, with the site, and an agent that may sign in.
async fn prepared(stage: &Stage) -> Result<Agent> {
    let rules = vec![
        waiaas_tests::owner::rule(EVM, LIMIT, LIMIT * 10),
        waiaas_tests::owner::rule(solana(), LIMIT, LIMIT * 10),
    ];
    let document = PolicyDocument {
        epoch: 2,
        sign_ins: Some(vec![site()]),
        ..waiaas_tests::owner::policy(rules, &[account(solana(), SOLANA_TO)])
    };
    stage.owner.adopt(&document).await?;
    let key = key(29);
    let wallets = [stage.evm, stage.solana];
    let session = stage
        .owner
        .grant(SessionGrant {
            operations: Some(vec![Operation::SignIn]),
            ..grant(&key, &wallets, &[EVM, solana()], LIMIT, u128::MAX)
        })
        .await?;
    Ok(Agent {
        signer: stage.agent.signer,
        session,
        key,
    })
}

fn body(agent: &Agent, wallet: NewWallet, network: ChainId) -> Value {
    json!({
        "signer": agent.signer,
        "wallet": wallet.wallet,
        "network": network,
        "domain": SITE,
        "uri": format!("https://{SITE}/login"),
        "nonce": "oBbLoEldZs",
        "statement": "I accept the Terms: https://app.example.org/tos",
    })
}

fn expected(login: &SignedLogin, wallet: NewWallet, network: ChainId) -> Value {
    let mut value = json!({
        "family": network.family(),
        "text": login.text,
        "payload": hex::encode(&login.payload),
        "signature": hex::encode(&login.signature),
        "account": wallet.account,
        "domain": SITE,
        "uri": format!("https://{SITE}/login"),
        "nonce": "oBbLoEldZs",
        "statement": "I accept the Terms: https://app.example.org/tos",
    });
    if let (ChainId::Evm(id), Some(fields)) = (network, value.as_object_mut()) {
        fields.insert("chainId".to_owned(), json!(id));
    }
    value
}

/// What the log says of a login.
async fn logged(owner: &Owner, sequence: u64) -> Result<SignedIn> {
    let after = sequence.saturating_sub(1);
    let page = owner
        .admin
        .events(after, 1, std::time::Duration::ZERO)
        .await?;
    let record = page.events.first().context("the event")?;
    match from_canonical::<Event>(&record.body)?.body {
        EventBody::SignedIn(entry) => Ok(entry),
        other => anyhow::bail!("another event: {other:?}"),
    }
}

fn verify(list: &[Value]) -> Result<()> {
    let argument = serde_json::to_string(list)?;
    let checked = json!({ "checked": list.len() });
    let node = foreign::node("sign_in.mjs", &[&argument])?;
    let python = foreign::python("sign_in.py", &[&argument])?;
    for said in [node, python] {
        let said: Value = serde_json::from_str(&said)?;
        ensure!(said == checked, "{said}");
    }
    Ok(())
}

#[test]
fn logins_on_both_chains_verify_with_foreign_code_and_are_signed_once() {
    run(async {
        let home = Home::new()?;
        let signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        let agent = prepared(&stage).await?;
        let wire = gateway(&home.gateway_socket()).await?;
        let mut list = Vec::new();
        let mut first = None;
        for (wallet, network) in [(stage.evm, EVM), (stage.solana, solana())] {
            let body = body(&agent, wallet, network).to_string();
            let asked = agent.session_request(ROUTE, body.as_bytes(), &network.to_string())?;
            let tier = wire.decide_sign_in(&asked).await?;
            let login = wire.sign_in(&asked).await?;
            ensure!((login.tier, tier, login.replay) == (Tier::Notify, Tier::Notify, false));
            let entry = logged(&stage.owner, login.sequence).await?;
            ensure!(entry.text == login.text && entry.fields.account == wallet.account);
            let mut told = expected(&login, wallet, network);
            told["now"] = json!(now().millis());
            told["expires"] = json!(entry.fields.expires.millis());
            list.push(told);
            first.get_or_insert((body, login));
        }
        verify(&list)?;
        // The foreign check can fail: another account.
        let mut wrong = list.clone();
        wrong[0]["account"] = json!("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
        ensure!(verify(&wrong).is_err(), "a wrong account must not pass");

        // After a restart the same request gives the same message, and another body is an error.
        drop((wire, signer));
        let _signer = home.start()?;
        let owner = Owner::connect(&home.admin_socket()).await?;
        owner.unlock().await?;
        let wire = gateway(&home.gateway_socket()).await?;
        let (body, before) = first.context("a login")?;
        let again = agent.session_request(ROUTE, body.as_bytes(), &EVM.to_string())?;
        let again = wire.sign_in(&again).await?;
        ensure!(again.replay && again.sequence == before.sequence);
        ensure!((&again.text, &again.signature) == (&before.text, &before.signature));
        let other = body.replace("oBbLoEldZs", "oBbLoEldZt");
        let other = agent.session_request(ROUTE, other.as_bytes(), &EVM.to_string())?;
        let refused = wire.sign_in(&other).await.expect_err("another body");
        ensure!(codes(&refused) == [Code::IdempotencyConflict], "{refused}");
        Ok(())
    });
}

#[test]
fn what_policy_does_not_name_is_not_signed() {
    run(async {
        let home = Home::new()?;
        let _signer = home.start()?;
        let stage = Stage::set_up(&home).await?;
        let wire = gateway(&home.gateway_socket()).await?;
        // A session that names no operations, and a policy that names no site.
        let plain = body(&stage.agent, stage.evm, EVM).to_string();
        let asked = stage.agent.session_request(ROUTE, plain.as_bytes(), "a")?;
        let refused = wire.sign_in(&asked).await.expect_err("no site");
        ensure!(codes(&refused) == [Code::SessionOperation, Code::SignInNotListed]);
        let agent = prepared(&stage).await?;
        let honest = body(&agent, stage.evm, EVM);
        for (field, value, code) in [
            ("domain", json!("evil.example"), Code::SignInNotListed),
            (
                "uri",
                json!("https://app.example.org.evil.com/login"),
                Code::SignInUri,
            ),
            ("resources", json!(["ipfs://a"]), Code::SignInResource),
            ("expires_in", json!(601), Code::SignInValidity),
            ("nonce", json!("1234567"), Code::SignInMalformed),
            (
                "statement",
                json!("a\nURI: https://evil.com"),
                Code::SignInMalformed,
            ),
            ("message", json!("anything"), Code::BodyMalformed),
        ] {
            let mut body = honest.clone();
            body[field] = value;
            let asked = agent.session_request(ROUTE, body.to_string().as_bytes(), field)?;
            let refused = wire.sign_in(&asked).await.expect_err(field);
            ensure!(codes(&refused) == [code], "{field}: {refused}");
        }
        // A payment's signature signs in nowhere, and a login's pays nothing.
        let honest = honest.to_string();
        let mut moved = agent.session_request("/v1/transactions", honest.as_bytes(), "b")?;
        moved.path = ROUTE.to_owned();
        let refused = wire.sign_in(&moved).await.expect_err("another route");
        ensure!(
            codes(&refused) == [Code::RequestSignatureInvalid],
            "{refused}"
        );
        // Three a day.
        for number in 0..3 {
            let asked =
                agent.session_request(ROUTE, honest.as_bytes(), &format!("day-{number}"))?;
            wire.sign_in(&asked).await?;
        }
        let asked = agent.session_request(ROUTE, honest.as_bytes(), "day-3")?;
        let refused = wire.sign_in(&asked).await.expect_err("a fourth");
        ensure!(codes(&refused) == [Code::SignInCount], "{refused}");
        wire.pause(None).await?;
        let asked = agent.session_request(ROUTE, honest.as_bytes(), "day-0")?;
        let refused = wire.sign_in(&asked).await.expect_err("paused");
        ensure!(codes(&refused) == [Code::Frozen], "{refused}");
        Ok(())
    });
}

const EVM_COIN: &str = "eip155:31337/slip44:60";
const SOLANA_COIN: &str = "solana:localnet/slip44:501";

fn policy_of_the_site() -> String {
    let coin = |id: &str, symbol: &str, decimals: u8, more: &str| {
        format!(
            "[[asset]]\nid = \"{id}\"\nsymbol = \"{symbol}\"\ndecimals = {decimals}\nper-transaction = \"1\"\n\
             hour = \"1\"\nday = \"1\"\nweek = \"1\"\nmonth = \"1\"\ninstant-up-to = \"1\"\n\
             notify-up-to = \"1\"\n{more}\n"
        )
    };
    format!(
        "version = 1\nepoch = 1\n\n{}{}[[sign-in]]\ndomain = \"{SITE}\"\n\
         networks = [\"eip155:31337\", \"solana:localnet\"]\ntier = \"NOTIFY\"\nvalid-for = \"10m\"\n\
         count = {{ day = 3 }}\n",
        coin(EVM_COIN, "ETH", 18, "outstanding = \"1\"\n"),
        coin(SOLANA_COIN, "SOL", 9, ""),
    )
}

/// An answer's message as the foreign programs are told of it; issued between these two moments, for five minutes.
fn answered(
    said: &Value,
    body: &Value,
    family: &str,
    account: &str,
    between: [waiaas_shared::time::WallTime; 2],
) -> Result<Value> {
    let lines = text(said, "text")?.lines();
    let line = |name: &str| lines.clone().find_map(|line| line.strip_prefix(name));
    let issued = line("Issued At: ").context("a time")?;
    let expires = line("Expiration Time: ").context("an end")?;
    for (told, later) in [(issued, 0), (expires, 300)] {
        let [from, to] = between.map(|at| at.after(Millis::from_secs(later)).rfc3339());
        ensure!(
            from.as_str() <= told && told <= to.as_str(),
            "{told}: {from} {to}"
        );
    }
    let signature = text(said, "signature")?;
    let (signature, envelope) = match family {
        "evm" => (signature.trim_start_matches("0x").to_owned(), "eip191"),
        _ => (
            hex::encode(bs58::decode(signature).into_vec()?),
            "offchain-v1",
        ),
    };
    ensure!(text(said, "envelope")? == envelope, "{said}");
    let mut told = json!({
        "family": family,
        "text": said["text"],
        "payload": hex::encode(BASE64.decode(text(said, "payload")?)?),
        "signature": signature,
        "account": account,
        "now": now().millis(),
        "expires": expires,
    });
    let fields = told.as_object_mut().context("an object")?;
    for name in ["domain", "uri", "nonce", "statement"] {
        fields.insert(name.to_owned(), body.get(name).context(name)?.clone());
    }
    if family == "evm" {
        fields.insert("chainId".to_owned(), json!(31_337));
    }
    Ok(told)
}

/// By the gateway as its users run it. No node is asked, so none is there.
#[test]
fn logins_over_http_verify_with_foreign_code() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let product = Product::for_tests()?;
    let chains = [
        ("eip155:31337", "http://127.0.0.1:9"),
        ("solana:localnet", "http://127.0.0.1:9"),
    ];
    let home = xtask::home::Home::create(&product, &folder.path().join("home"), &chains)?;
    home.set_chains(&chains)?;
    let _running = home.start_unlocked()?;
    let owner = home.owner(&[])?;
    let families = ["evm", "solana"];
    let wallets = [
        home.wallet(families[0], chains[0].0)?,
        home.wallet(families[1], chains[1].0)?,
    ];
    home.adopt(&policy_of_the_site(), &owner)?;
    let agent = home.agent_with(
        &owner,
        &[&wallets[0].0, &wallets[1].0],
        &[&format!("{EVM_COIN}=1/1"), &format!("{SOLANA_COIN}=1/1")],
        false,
        &["--operation", "sign-in"],
    )?;
    let ask = |key: &str, body: &Value| agent.send(&agent.post(ROUTE, key, body)?);
    let mut list = Vec::new();
    for ((family, (network, _)), (wallet, account)) in families.iter().zip(chains).zip(&wallets) {
        let body = json!({
            "signer": agent.signer,
            "wallet": wallet,
            "network": network,
            "domain": SITE,
            "uri": format!("https://{SITE}/login"),
            "nonce": "oBbLoEldZs",
            "statement": "I accept the Terms: https://app.example.org/tos",
            "expires_in": 300,
        });
        let before = now();
        let answer = ask(family, &body)?;
        let said = answer.json()?;
        ensure!(answer.status == 201 && said["replay"] == false, "{said}");
        list.push(answered(&said, &body, family, account, [before, now()])?);
        // Under its key the same message again, and no other.
        let again = ask(family, &body)?;
        ensure!(again.status == 200, "{}", again.status);
        let again = again.json()?;
        ensure!(again["replay"] == true, "{again}");
        for name in ["text", "signature", "payload", "message", "sequence"] {
            ensure!(again[name] == said[name], "{name}: {again}");
        }
        let other = foreign::with(&body, [("nonce", json!("oBbLoEldZt"))]);
        for (case, key, body, status, code) in [
            (
                "another body",
                (*family).to_owned(),
                other,
                409,
                "idempotency_conflict",
            ),
            (
                "another site",
                format!("{family}-elsewhere"),
                foreign::with(&body, [("domain", json!("evil.example"))]),
                403,
                "sign_in_not_listed",
            ),
            (
                "longer than policy lets",
                format!("{family}-longer"),
                foreign::with(&body, [("expires_in", json!(601))]),
                403,
                "sign_in_validity",
            ),
            (
                "a text",
                format!("{family}-text"),
                foreign::with(&body, [("message", json!("anything"))]),
                400,
                "body_malformed",
            ),
        ] {
            let answer = ask(&key, &body)?;
            let problem = answer.json()?;
            ensure!(
                answer.status == status && text(&problem, "code")? == code,
                "{case}: {} {problem}",
                answer.status
            );
        }
    }
    verify(&list)?;
    // A signature that is another's does not pass.
    list[0]["signature"] = json!(format!("{}1b", "11".repeat(64)));
    ensure!(verify(&list).is_err(), "a forged signature must not pass");
    home.cli(&["audit", "verify"])?;
    Ok(())
}
