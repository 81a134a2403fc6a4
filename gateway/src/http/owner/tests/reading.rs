//! What owners read: the dashboard, wallets, policies, the log in words and in two languages; and that nothing secret
//! is among it.

use axum::http::Method;
use serde_json::{Value, json};
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::StatementId;
use waiaas_shared::policy::toml_form;
use waiaas_shared::time::RunTime;

use crate::testing::{Call, Hand, SECRET, Waits, World, bearer, code, policy, text, wallet};

async fn read(world: &World, token: &str, target: &str) -> Value {
    let (status, answer) = world.owner_get(token, target).await;
    assert_eq!(status.as_u16(), 200, "{target} {answer}");
    answer
}

/// Has the fake signer's log tell that its policy was adopted.
async fn adopted(world: &World, token: &str) {
    let document = policy();
    // The first one, which nothing precedes.
    world.signer.with(|inside| inside.documents.clear());
    let facts = json!({"kind": "adopt-policy", "policy": toml_form::write(&document)});
    let (status, draft) = world
        .owner_post(token, "/v1/owner/statements", &facts)
        .await;
    assert_eq!(status.as_u16(), 201, "{draft}");
    world.signer.with(|inside| inside.documents.push(policy()));
    let statement: StatementId = text(&draft["statement"]).parse().expect("an identifier");
    world.signer.append(EventBody::PolicyAdopted {
        statement,
        signers: vec![Hand::Evm.owner()],
        epoch: document.epoch,
        digest: document.digest(),
        matures: RunTime::from_millis(0),
    });
}

#[tokio::test]
async fn a_dashboard_in_one_answer() {
    let world = World::waiting(Waits::Owner).await;
    let token = world.log_in(Hand::Evm).await;
    world.pay("k", &world.body()).await;
    world.signer.append(EventBody::SessionGranted {
        session: bearer(),
        statement: StatementId::from_bytes([9; 16]),
        signers: Vec::new(),
    });
    let figures = read(&world, &token, "/v1/owner/overview").await;
    assert_eq!(
        figures["waiting"],
        json!({"count": 1, "ask_owners": 1, "delayed": 0})
    );
    assert_eq!(
        figures["wallets"],
        json!({"count": 2, "paused": 0, "closed": 0})
    );
    assert_eq!(figures["signer"]["kill"], "NORMAL");
    assert_eq!(figures["attention"]["log_fault"], false);
    assert_eq!(figures["sessions"][0]["session"], bearer().to_string());
    assert_eq!(figures["sessions"][0]["limits"][0]["total"], "5000000");
    assert_eq!(figures["balances"][0]["wallet"], wallet().to_string());
    assert_eq!(figures["alarms"], json!([]));
    let wallets = read(&world, &token, "/v1/owner/wallets").await;
    assert_eq!(wallets["wallets"].as_array().map(Vec::len), Some(2));
    let target = format!("/v1/owner/wallets/{}/balances", wallet());
    let balances = read(&world, &token, &target).await;
    assert!(
        balances["balances"][0]["amount_base"].is_string(),
        "{balances}"
    );
    assert_eq!(
        read(&world, &token, "/v1/owner/pools").await,
        json!({"pools": []})
    );
    assert_eq!(
        read(&world, &token, "/v1/owner/channels").await,
        json!({"channels": []})
    );
    assert_eq!(
        read(&world, &token, "/v1/owner/webhooks").await,
        json!({"webhooks": []})
    );
    let (status, problem) = world
        .owner_post(&token, "/v1/owner/channels/phone/test", &json!({}))
        .await;
    assert_eq!((status.as_u16(), code(&problem)), (404, "channel_unknown"));
}

#[tokio::test]
async fn policies_are_told_compared_and_tried() {
    let world = World::new().await;
    let token = world.log_in(Hand::Evm).await;
    adopted(&world, &token).await;
    let listed = read(&world, &token, "/v1/owner/policies").await;
    let line = &listed["policies"][0];
    assert_eq!(
        (&line["epoch"], &line["binds"]),
        (&json!(1), &json!(true)),
        "{listed}"
    );
    assert_eq!(line["signers"][0], Hand::Evm.owner().to_string());
    let shown = read(&world, &token, "/v1/owner/policies/1").await;
    assert!(
        text(&shown["words"]).starts_with("Policy epoch 1. What is not named here is refused.")
    );
    assert_eq!(
        toml_form::parse(text(&shown["toml"])).expect("a policy"),
        policy()
    );
    for target in ["/v1/owner/policies/2", "/v1/owner/policies/x"] {
        let (status, problem) = world.owner_get(&token, target).await;
        assert_eq!((status.as_u16(), code(&problem)), (404, "policy_unknown"));
    }

    let mut after = policy();
    after.epoch = 2;
    after.recipients_open = true;
    let draft = toml_form::write(&after);
    let post = |path: &'static str, body: Value| {
        let (world, token) = (&world, &token);
        async move {
            world
                .owner_post(token, &format!("/v1/owner/policies/{path}"), &body)
                .await
        }
    };
    let (status, told) = post("explain", json!({ "policy": draft })).await;
    assert_eq!(status.as_u16(), 200, "{told}");
    assert_eq!(
        (&told["epoch"], &told["next_epoch"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(told["digest"], after.digest().to_string());
    assert!(
        told["changes"]["loosenings"][0]
            .as_str()
            .is_some_and(|words| words.contains("may receive"))
    );
    assert_eq!(told["changes"]["tightenings"], json!([]));
    let (_, changes) = post(
        "diff",
        json!({"before": draft, "after": toml_form::write(&policy())}),
    )
    .await;
    assert_eq!(changes["loosenings"], json!([]), "{changes}");
    let (_, changes) = post("diff", json!({ "after": draft })).await;
    assert_eq!(changes, told["changes"]);
    let (status, replayed) = post("replay", json!({"policy": draft, "limit": 5})).await;
    assert_eq!(status.as_u16(), 200, "{replayed}");
    assert_eq!(replayed["replay"]["epoch"], 2);
    assert_eq!(replayed["sequence"], replayed["replay"]["events"]);
    for (path, body, expected) in [
        ("explain", json!({"policy": "epoch ="}), "policy_malformed"),
        ("diff", json!({"after": "version = 1"}), "policy_malformed"),
        (
            "replay",
            json!({"policy": draft, "limit": 501}),
            "body_malformed",
        ),
        (
            "explain",
            json!({"policy": draft, "adopt": true}),
            "body_malformed",
        ),
    ] {
        let (_, problem) = post(path, body).await;
        assert_eq!(code(&problem), expected, "{problem}");
    }
    let (_, problem) = post("explain", json!({"policy": "epoch = 1\ncolour = 1\n"})).await;
    assert!(text(&problem["detail"]).contains("colour"), "{problem}");
}

#[tokio::test]
async fn the_log_is_read_forwards_and_backwards() {
    let world = World::new().await;
    let token = world.log_in(Hand::Evm).await;
    for _ in 0..6 {
        world.signer.append(EventBody::Paused {
            wallet: None,
            origin: Origin::Gateway,
        });
    }
    let numbers = |page: &Value| -> Vec<u64> {
        let events = page["events"].as_array().expect("events");
        events
            .iter()
            .filter_map(|event| event["sequence"].as_u64())
            .collect()
    };
    let newest = read(&world, &token, "/v1/owner/audit?limit=3").await;
    assert_eq!(numbers(&newest), [5, 6, 7]);
    assert_eq!((&newest["last"], &newest["before"]), (&json!(7), &json!(5)));
    let event = &newest["events"][0];
    assert_eq!(
        (&event["kind"], &event["title"]),
        (&json!("Paused"), &json!("Paused"))
    );
    assert_eq!(event["text"], "everything, asked over gateway.sock");
    let older = read(&world, &token, "/v1/owner/audit?limit=3&before=5").await;
    assert_eq!(numbers(&older), [2, 3, 4]);
    let oldest = read(&world, &token, "/v1/owner/audit?limit=3&before=2").await;
    assert_eq!(numbers(&oldest), [1]);
    assert!(oldest.get("before").is_none(), "{oldest}");
    assert_eq!(oldest["events"][0]["kind"], "Created");
    let forwards = read(&world, &token, "/v1/owner/audit?limit=4&after=3").await;
    assert_eq!(numbers(&forwards), [4, 5, 6, 7]);
    let end = read(&world, &token, "/v1/owner/audit?after=7").await;
    assert_eq!((numbers(&end).len(), &end["after"]), (0, &json!(7)));
    let head = read(&world, &token, "/v1/owner/audit/head").await;
    assert_eq!(head["sequence"], 7);
    assert!(
        text(&head["head"]).contains(&world.signer.id().to_string()),
        "{head}"
    );
    for query in [
        "limit=0",
        "limit=201",
        "before=2&after=1",
        "kind=x",
        "after=-1",
    ] {
        let (status, _) = world
            .owner_get(&token, &format!("/v1/owner/audit?{query}"))
            .await;
        assert_eq!(status.as_u16(), 400, "{query}");
    }
}

/// Titles, lines and refusals in Korean where they are asked for; codes are the same.
#[tokio::test]
async fn owners_read_korean_where_they_ask_for_it() {
    let world = World::waiting(Waits::Owner).await;
    let token = world.log_in(Hand::Evm).await;
    world.pay("k", &world.body()).await;
    let get = |target: &'static str, token: &str| {
        Call::new(Method::GET, target)
            .token(token)
            .header("accept-language", "ko-KR,ko;q=0.9,en;q=0.5")
            .empty()
    };
    let (_, listed) = world.call(get("/v1/owner/waiting", &token)).await;
    let seen = &listed["waiting"][0];
    assert_eq!(seen["title"], "결제가 승인을 기다리고 있습니다");
    assert!(
        seen["lines"].to_string().contains("지갑: wallet_"),
        "{seen}"
    );
    let (status, problem) = world.call(get("/v1/owner/waiting/x", &token)).await;
    assert_eq!((status.as_u16(), code(&problem)), (404, "intent_unknown"));
    assert_eq!(problem["title"], "그런 대기 중인 결제가 없습니다.");
    assert_eq!(problem["violations"][0]["message"], problem["title"]);
    let (status, problem) = world.call(get("/v1/owner/waiting", "x")).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (401, "owner_token_invalid")
    );
    assert!(text(&problem["title"]).contains("소유자"), "{problem}");
    // An agent's routes stay as they are.
    let (_, problem) = world.call(get("/v1/session", "x")).await;
    assert!(text(&problem["title"]).is_ascii(), "{problem}");
}

/// No answer to an owner holds a session's secret or its digest.
#[tokio::test]
async fn nothing_secret_leaves() {
    let world = World::new().await;
    let token = world.log_in(Hand::Evm).await;
    world.signer.append(EventBody::SessionGranted {
        session: bearer(),
        statement: StatementId::from_bytes([9; 16]),
        signers: Vec::new(),
    });
    let digest = hash(Domain::SessionSecret, &[&SECRET]);
    let secrets = [
        bs58::encode(SECRET).into_string(),
        hex::encode(SECRET),
        digest.to_string(),
        token.clone(),
    ];
    for target in [
        "/v1/owner/overview",
        "/v1/owner/sessions",
        "/v1/owner/audit?limit=200",
        "/v1/owner/owners",
        "/v1/owner/channels",
        "/v1/owner/policies",
    ] {
        let answer = read(&world, &token, target).await.to_string();
        for secret in &secrets {
            assert!(!answer.contains(secret), "{target}");
        }
    }
}
