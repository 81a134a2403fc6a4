//! Attacks on the login (S10, O03): whatever differs from what was given out by a byte, comes late, twice, or from
//! another key, opens nothing.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use waiaas_shared::owner_change::Standing;

use crate::http::owner::access::Peer;
use crate::testing::{Call, Hand, Mood, NOON, World, bearer, code, text};

/// A whole login, with changes of what is asked for, signed and sent.
async fn attempt(
    world: &World,
    hand: Hand,
    change: impl Fn(&str) -> String,
    sends_the_change: bool,
) -> (StatusCode, Value) {
    let given = world.challenge(&hand.key().to_string()).await;
    let issued = text(&given["text"]).to_owned();
    let signed = change(&issued);
    let sent = if sends_the_change { &signed } else { &issued };
    let body = json!({"login": given["login"], "text": sent, "signature": hand.sign(&signed)});
    world.answer(&body).await
}

async fn refused(world: &World, body: &Value, why: &str) {
    let (status, problem) = world.answer(body).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (401, "login_invalid"),
        "{why}"
    );
}

#[tokio::test]
async fn owners_of_both_families_log_in_and_out() {
    let world = World::new().await;
    for hand in [Hand::Solana, Hand::Evm] {
        let given = world.challenge(&hand.key().to_string()).await;
        let words = text(&given["text"]);
        assert!(words.starts_with("127.0.0.1:3100 wants you to sign in with your "));
        assert!(words.contains(&format!("as an owner of {}", world.signer.id())));
        assert!(words.contains(text(&given["request_id"])));
        let body = json!({"login": given["login"], "text": words, "signature": hand.sign(words)});
        let (status, made) = world.answer(&body).await;
        assert_eq!(status.as_u16(), 200, "{made}");
        assert_eq!(made["owner"], hand.owner().to_string());
        assert_eq!(made["expires_in"], 900);
        let token = text(&made["token"]);
        let (status, people) = world.owner_get(token, "/v1/owner/owners").await;
        assert_eq!((status.as_u16(), &people["you"]), (200, &made["owner"]));
        // Used once.
        refused(&world, &body, "the same nonce").await;
        let (status, _) = world
            .owner_post(token, "/v1/owner/logout", &json!({}))
            .await;
        assert_eq!(status.as_u16(), 200);
        let (status, problem) = world.owner_get(token, "/v1/owner/owners").await;
        assert_eq!((status.as_u16(), code(&problem)), (401, "login_ended"));
    }
}

#[tokio::test]
async fn logging_out_everywhere_ends_every_login_of_the_owner_alone() {
    let world = World::new().await;
    let (one, two) = (world.log_in(Hand::Evm).await, world.log_in(Hand::Evm).await);
    let other = world.log_in(Hand::Solana).await;
    let everywhere = json!({"everywhere": true});
    let (status, _) = world
        .owner_post(&one, "/v1/owner/logout", &everywhere)
        .await;
    assert_eq!(status.as_u16(), 200);
    for (token, expected) in [(&one, 401), (&two, 401), (&other, 200)] {
        let (status, _) = world.owner_get(token, "/v1/owner/agents").await;
        assert_eq!(status.as_u16(), expected);
    }
}

/// S10: each of these texts is signed well, by the owner's own key; none is the one that was given out. Signed and
/// sent, and signed while the issued one is sent.
type Change = Box<dyn Fn(&str) -> String>;

#[tokio::test]
async fn no_other_text_logs_in() {
    let world = World::new().await;
    let replace = |from: &'static str, to: &'static str| {
        move |issued: &str| {
            assert!(issued.contains(from), "{from}: {issued}");
            issued.replacen(from, to, 1)
        }
    };
    let cases: Vec<(&str, Change)> = vec![
        (
            "other domain",
            Box::new(replace("127.0.0.1:3100 wants", "evil.example wants")),
        ),
        (
            "other port",
            Box::new(replace("127.0.0.1:3100 wants", "127.0.0.1:3101 wants")),
        ),
        (
            "other URI",
            Box::new(replace(
                "URI: http://127.0.0.1:3100/",
                "URI: http://evil.example/",
            )),
        ),
        (
            "other path",
            Box::new(replace("/v1/owner/login", "/v1/owner/login/")),
        ),
        (
            "other scheme",
            Box::new(replace("URI: http:", "URI: https:")),
        ),
        (
            "other version",
            Box::new(replace("Version: 1", "Version: 2")),
        ),
        (
            "other chain",
            Box::new(replace("Chain ID: ", "Chain ID: 1")),
        ),
        ("other nonce", Box::new(replace("Nonce: ", "Nonce: 1"))),
        (
            "issued in the future",
            Box::new(replace("Issued At: 2026-11-21", "Issued At: 2027-11-21")),
        ),
        (
            "issued before",
            Box::new(replace("Issued At: 2026-11-21", "Issued At: 2025-11-21")),
        ),
        (
            "a longer life",
            Box::new(replace("Expiration Time: 2026", "Expiration Time: 2027")),
        ),
        (
            "expired",
            Box::new(replace("Expiration Time: 2026", "Expiration Time: 2025")),
        ),
        (
            "no expiration",
            Box::new(|issued: &str| {
                let lines = issued
                    .lines()
                    .filter(|line| !line.starts_with("Expiration"));
                lines.collect::<Vec<_>>().join("\n")
            }),
        ),
        (
            "other request",
            Box::new(replace("Request ID: ", "Request ID: 0")),
        ),
        (
            "an extra line",
            Box::new(|issued: &str| format!("{issued}\nResources:\n- https://evil.example")),
        ),
        (
            "not before",
            Box::new(replace(
                "\nRequest ID",
                "\nNot Before: 2026-11-20T00:00:00.000Z\nRequest ID",
            )),
        ),
        (
            "a line feed behind",
            Box::new(|issued: &str| format!("{issued}\n")),
        ),
        (
            "a space behind",
            Box::new(|issued: &str| format!("{issued} ")),
        ),
        (
            "a space before",
            Box::new(|issued: &str| format!(" {issued}")),
        ),
        (
            "carriage returns",
            Box::new(|issued: &str| issued.replace('\n', "\r\n")),
        ),
        ("a lost empty line", Box::new(replace("\n\n", "\n"))),
        ("two spaces", Box::new(replace("wants you", "wants  you"))),
        (
            "a no-break space",
            Box::new(replace("wants you", "wants\u{a0}you")),
        ),
        ("another case", Box::new(replace("URI:", "Uri:"))),
        (
            "another statement",
            Box::new(replace("approves nothing", "approves all")),
        ),
        (
            "no statement",
            Box::new(|issued: &str| {
                let lines = issued.lines().filter(|line| !line.starts_with("Log in"));
                lines.collect::<Vec<_>>().join("\n")
            }),
        ),
        ("nothing", Box::new(|_: &str| String::new())),
    ];
    for hand in [Hand::Solana, Hand::Evm] {
        for (case, change) in &cases {
            for sends in [true, false] {
                let (status, problem) = attempt(&world, hand, change, sends).await;
                assert_eq!(
                    (status.as_u16(), code(&problem)),
                    (401, "login_invalid"),
                    "{case} {hand:?} {sends}"
                );
            }
        }
        // Each refusal was of the change.
        let (status, _) = attempt(&world, hand, str::to_owned, true).await;
        assert_eq!(status.as_u16(), 200);
    }
}

/// Another key's signature, whoever it is, and the owner's own over another challenge.
#[tokio::test]
async fn no_other_key_and_no_other_challenge_logs_in() {
    let world = World::new().await;
    for (asked, signs) in [
        (Hand::Solana, Hand::Stranger),
        (Hand::Solana, Hand::Evm),
        (Hand::Evm, Hand::Solana),
        (Hand::Stranger, Hand::Stranger),
        (Hand::Stranger, Hand::Solana),
    ] {
        let given = world.challenge(&asked.key().to_string()).await;
        let words = text(&given["text"]);
        let body = json!({"login": given["login"], "text": words, "signature": signs.sign(words)});
        refused(&world, &body, &format!("{asked:?} {signs:?}")).await;
    }
    // O03: who has text and signature of a login, and not its key, has nothing.
    let given = world.challenge(&Hand::Evm.key().to_string()).await;
    let thiefs = world.challenge(&Hand::Evm.key().to_string()).await;
    let words = text(&given["text"]);
    let signature = Hand::Evm.sign(words);
    for login in [
        thiefs["login"].clone(),
        given["request_id"].clone(),
        json!(""),
        json!("1".repeat(5000)),
    ] {
        let body = json!({"login": login, "text": words, "signature": signature});
        refused(&world, &body, "another key of a challenge").await;
    }
    let body = json!({"login": given["login"], "text": words, "signature": signature});
    let (status, made) = world.answer(&body).await;
    assert_eq!(status.as_u16(), 200, "{made}");
}

/// A signature has one form: no second signature is made out of a first, and no other envelope is taken for it.
#[tokio::test]
async fn a_signature_has_one_form() {
    let world = World::new().await;
    let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let high_s = |signature: &str| {
        let bytes = hex::decode(&signature[2..]).expect("digits");
        let (order, mut borrow) = (hex::decode(order).expect("digits"), 0_i16);
        let mut flipped = bytes.clone();
        for place in (0..32).rev() {
            let left = i16::from(order[place]) - i16::from(bytes[32 + place]) - borrow;
            borrow = i16::from(left < 0);
            flipped[32 + place] = u8::try_from(left.rem_euclid(256)).expect("a byte");
        }
        flipped[64] = 55 - flipped[64];
        format!("0x{}", hex::encode(flipped))
    };
    type Bent = fn(&str) -> String;
    let evm: [(&str, Bent); 4] = [
        ("upper case", |signature| {
            signature.to_uppercase().replacen("0X", "0x", 1)
        }),
        ("no prefix", |signature| signature[2..].to_owned()),
        ("no v", |signature| signature[..130].to_owned()),
        ("EIP-155 v", |signature| format!("{}25", &signature[..130])),
    ];
    let solana: [(&str, Bent); 2] = [
        ("hexadecimal", |signature| {
            hex::encode(bs58::decode(signature).into_vec().expect("base58"))
        }),
        ("a byte more", |signature| {
            let mut bytes = bs58::decode(signature).into_vec().expect("base58");
            bytes.push(0);
            bs58::encode(bytes).into_string()
        }),
    ];
    for (hand, bent) in [(Hand::Evm, &evm[..]), (Hand::Solana, &solana[..])] {
        for (case, bend) in bent {
            let given = world.challenge(&hand.key().to_string()).await;
            let words = text(&given["text"]);
            let body = json!({"login": given["login"], "text": words, "signature": bend(&hand.sign(words))});
            refused(&world, &body, case).await;
        }
    }
    let given = world.challenge(&Hand::Evm.key().to_string()).await;
    let words = text(&given["text"]);
    let body = json!({"login": given["login"], "text": words, "signature": high_s(&Hand::Evm.sign(words))});
    refused(&world, &body, "high s").await;
    for (hand, envelope) in [
        (Hand::Evm, "ed25519-plain"),
        (Hand::Solana, "ed25519-offchain-v0"),
        (Hand::Solana, "ed25519-offchain-v1"),
        (Hand::Solana, "eip191"),
        (Hand::Solana, "anything"),
    ] {
        let given = world.challenge(&hand.key().to_string()).await;
        let words = text(&given["text"]);
        let body = json!({"login": given["login"], "text": words, "signature": hand.sign(words), "envelope": envelope});
        refused(&world, &body, envelope).await;
    }
}

#[tokio::test]
async fn a_challenge_ends_with_its_five_minutes_and_with_a_clock_that_goes_back() {
    let world = World::new().await;
    for (shift, passes) in [(299_999_i64, true), (300_000, false), (-1, false)] {
        world.clock.store(NOON, Ordering::SeqCst);
        let given = world.challenge(&Hand::Solana.key().to_string()).await;
        let words = text(&given["text"]);
        world
            .clock
            .store(NOON.saturating_add_signed(shift), Ordering::SeqCst);
        let body =
            json!({"login": given["login"], "text": words, "signature": Hand::Solana.sign(words)});
        let (status, _) = world.answer(&body).await;
        assert_eq!(status.is_success(), passes, "{shift}");
    }
}

/// An owner who is suspended, replaced or removed neither logs in nor stays in, from this moment on.
#[tokio::test]
async fn a_suspended_owner_is_out_at_once() {
    for standing in [Standing::Suspended, Standing::Replaced] {
        let world = World::new().await;
        let token = world.log_in(Hand::Evm).await;
        let given = world.challenge(&Hand::Evm.key().to_string()).await;
        world.signer.stand(Hand::Evm, standing);
        let (status, problem) = world.owner_get(&token, "/v1/owner/waiting").await;
        assert_eq!((status.as_u16(), code(&problem)), (401, "login_ended"));
        let words = text(&given["text"]);
        let body =
            json!({"login": given["login"], "text": words, "signature": Hand::Evm.sign(words)});
        refused(&world, &body, "asked for before the suspension").await;
        let (status, _) = attempt(&world, Hand::Evm, str::to_owned, true).await;
        assert_eq!(status.as_u16(), 401);
        // Lifted, the old login stays ended.
        world.signer.stand(Hand::Evm, Standing::Active);
        let (status, _) = world.owner_get(&token, "/v1/owner/waiting").await;
        assert_eq!(status.as_u16(), 401);
        world.log_in(Hand::Evm).await;
    }
    let world = World::new().await;
    let token = world.log_in(Hand::Evm).await;
    world.signer.with(|inside| inside.owners.truncate(1));
    let (status, problem) = world.owner_get(&token, "/v1/owner/waiting").await;
    assert_eq!((status.as_u16(), code(&problem)), (401, "login_ended"));
}

/// A signer that is away uses no challenge up, and says so; a stranger does not even make the gateway ask it.
#[tokio::test]
async fn a_signer_that_is_away_costs_no_challenge() {
    let world = World::new().await;
    let given = world.challenge(&Hand::Solana.key().to_string()).await;
    let words = text(&given["text"]);
    let body =
        json!({"login": given["login"], "text": words, "signature": Hand::Solana.sign(words)});
    world.signer.set(Mood::Down);
    let (status, problem) = world.answer(&body).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (503, "signer_unreachable")
    );
    world.signer.set(Mood::Fine);
    let asked = world.signer.count("owners");
    refused(
        &world,
        &json!({"login": "x", "text": "x", "signature": "x"}),
        "nobody's",
    )
    .await;
    assert_eq!(world.signer.count("owners"), asked);
    let (status, _) = world.answer(&body).await;
    assert_eq!(status.as_u16(), 200);
}

#[tokio::test]
async fn malformed_requests_and_strangers_tokens_are_no_login() {
    let world = World::new().await;
    let post = |target: &'static str, body: Value| {
        let call = Call::new(Method::POST, target).json(&body.to_string());
        world.call(call)
    };
    let account = Hand::Evm.key().to_string();
    for body in [
        json!({}),
        json!({"account": account.to_lowercase()}),
        json!({"account": "not an address"}),
        json!({"account": account, "domain": "evil.example"}),
        json!({"account": account, "network": "eip155"}),
    ] {
        let (status, problem) = post("/v1/owner/login/challenge", body).await;
        assert_eq!((status.as_u16(), code(&problem)), (400, "body_malformed"));
    }
    let other_family = json!({"account": account, "network": "solana:localnet"});
    let (status, problem) = post("/v1/owner/login/challenge", other_family).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (422, "sign_in_malformed")
    );
    for body in [
        json!({}),
        json!({"login": "x", "text": "x", "signature": "x", "owner": "me"}),
        json!({"login": "x", "text": "x", "signature": ["x"]}),
    ] {
        let (status, problem) = post("/v1/owner/login", body).await;
        assert_eq!((status.as_u16(), code(&problem)), (400, "body_malformed"));
    }
    let (status, problem) = post("/v1/owner/login?token=x", json!({})).await;
    assert_eq!((status.as_u16(), code(&problem)), (400, "query_malformed"));
    let session = world.token(bearer());
    let (status, problem) = world.owner_get(&session, "/v1/owner/overview").await;
    assert_eq!((status.as_u16(), code(&problem)), (403, "owner_only"));
    let owner = world.log_in(Hand::Evm).await;
    let (status, problem) = world.owner_get(&owner, "/v1/session").await;
    assert_eq!((status.as_u16(), code(&problem)), (401, "token_invalid"));
}

/// Nobody learns from a challenge whose account is an owner's.
#[tokio::test]
async fn a_challenge_tells_nobody_who_is_an_owner() {
    let world = World::new().await;
    let shape = |given: &Value| {
        let words = text(&given["text"]).lines().count();
        let fields: Vec<String> = given
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        (
            fields,
            words,
            given["login"].as_str().map(str::len).is_some(),
        )
    };
    let owners = world.challenge(&Hand::Solana.key().to_string()).await;
    let nobodys = world.challenge(&Hand::Stranger.key().to_string()).await;
    assert_eq!(shape(&owners), shape(&nobodys));
}

/// O03: whatever a relay in between says of itself, the text names this gateway's own address, and the address from
/// which the challenge was asked for.
#[tokio::test]
async fn a_relay_changes_neither_domain_nor_address() {
    let world = World::new().await;
    let body = json!({"account": Hand::Evm.key().to_string()}).to_string();
    for (name, value) in [
        ("host", "wallet.example.org"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-for", "198.51.100.1"),
        ("forwarded", "for=198.51.100.1;host=evil.example"),
        ("referer", "https://evil.example/"),
    ] {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/v1/owner/login/challenge")
            .header("content-type", "application/json");
        if name != "host" {
            request = request.header("host", "127.0.0.1:3100");
        }
        let request = request.header(name, value).body(Body::from(body.clone()));
        let mut request = request.expect("a request");
        let peer = Peer("203.0.113.7".parse().expect("an address"));
        request.extensions_mut().insert(peer);
        let (status, given) = world.call(request).await;
        assert_eq!(status.as_u16(), 200, "{given}");
        let words = text(&given["text"]);
        assert!(
            words.starts_with("127.0.0.1:3100 wants you"),
            "{name}: {words}"
        );
        assert!(
            words.contains("\nURI: http://127.0.0.1:3100/v1/owner/login\n"),
            "{name}: {words}"
        );
        assert!(
            words.contains("Asked for from 203.0.113.7."),
            "{name}: {words}"
        );
        assert!(
            !words.contains("198.51.100.1") && !words.contains("evil"),
            "{name}: {words}"
        );
    }
}
