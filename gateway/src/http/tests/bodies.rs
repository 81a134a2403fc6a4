//! A body has one form, one type and a limit; so has a query.

use axum::body::Body;
use axum::http::Method;
use waiaas_shared::denial::Code;

use crate::testing::{Call, World, bearer, chain_id, code};

/// G06, G08, N04: a body has one form.
#[tokio::test]
async fn loose_bodies_are_refused() {
    let world = World::new().await;
    let body = world.body();
    let cases: Vec<(&str, String, u16)> = vec![
        ("empty", String::new(), 400),
        ("not JSON", "pay".to_owned(), 400),
        ("an array", format!("[{body}]"), 400),
        ("trailing", format!("{body}{body}"), 400),
        (
            "unknown field",
            body.replacen('{', "{\"tier\":\"INSTANT\",", 1),
            400,
        ),
        (
            "approved",
            body.replacen('{', "{\"approved\":true,", 1),
            400,
        ),
        (
            "doubled field",
            body.replacen('{', "{\"to\":\"@hosting\",", 1),
            400,
        ),
        ("number as amount", body.replace("\"5\"", "5"), 400),
        ("huge number", body.replace("\"5\"", "1e400"), 400),
        (
            "both amounts",
            body.replacen('{', "{\"amount\":\"1\",", 1),
            422,
        ),
        ("no amount", body.replace(",\"amount_base\":\"5\"", ""), 422),
        ("zero", body.replace("\"5\"", "\"0\""), 422),
        ("exponent", body.replace("\"5\"", "\"1e3\""), 400),
        ("sign", body.replace("\"5\"", "\"+1\""), 400),
        ("negative", body.replace("\"5\"", "\"-1\""), 400),
        ("blank", body.replace("\"5\"", "\" 1\""), 400),
        ("leading zero", body.replace("\"5\"", "\"01\""), 400),
        ("separator", body.replace("\"5\"", "\"1_000\""), 400),
        ("hex", body.replace("\"5\"", "\"0x10\""), 400),
        ("full width", body.replace("\"5\"", "\"\u{ff11}\""), 400),
        (
            "over 128 bits",
            body.replace("\"5\"", "\"340282366920938463463374607431768211456\""),
            400,
        ),
        (
            "too fine",
            body.replace(
                "\"amount_base\":\"5\"",
                "\"amount\":\"1.0000000000000000001\"",
            ),
            422,
        ),
        ("unknown contact", body.replace("@hosting", "@nobody"), 403),
        (
            "unlisted recipient",
            body.replace("@hosting", "11111111111111111111111111111112"),
            403,
        ),
        (
            "evm recipient",
            body.replace("@hosting", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
            400,
        ),
        ("a name", body.replace("@hosting", "vitalik.eth"), 400),
        (
            "a malformed signer",
            body.replace("signer_", "signer_0"),
            400,
        ),
        (
            "foreign wallet",
            body.replace(
                &crate::testing::wallet().to_string(),
                "wallet_00000000000000000000000009",
            ),
            403,
        ),
        (
            "other network",
            body.replace(&chain_id().to_string(), "eip155:1"),
            403,
        ),
        (
            "control",
            body.replacen('{', "{\"reason\":\"a\\u0000b\",", 1),
            400,
        ),
        (
            "long reason",
            body.replacen('{', &format!("{{\"reason\":\"{}\",", "x".repeat(201)), 1),
            400,
        ),
        ("lone surrogate", body.replace("@hosting", "\\ud800"), 400),
        ("deep", "[".repeat(30_000), 400),
    ];
    for (case, text, expected) in cases {
        assert_ne!(text, body, "{case}");
        let (status, problem) = world.pay("k", &text).await;
        assert_eq!(status.as_u16(), expected, "{case}: {problem}");
        assert!(
            Code::from_text(code(&problem)).is_some(),
            "{case}: {problem}"
        );
        assert!(
            problem["violations"]
                .as_array()
                .is_some_and(|broken| !broken.is_empty()),
            "{case}"
        );
        assert!(
            problem["hint"]
                .as_str()
                .is_some_and(|hint| !hint.is_empty()),
            "{case}"
        );
    }
    let other_signer = body.replace(
        &world.signer.id().to_string(),
        "signer_00000000000000000000000001",
    );
    let (status, problem) = world.pay("k", &other_signer).await;
    assert_eq!((status.as_u16(), code(&problem)), (422, "signer_mismatch"));
    assert_eq!(world.signer.count("sign"), 0);
}

/// N03: size, type and encoding of a body.
#[tokio::test]
async fn bodies_are_small_json() {
    let world = World::new().await;
    let large = " ".repeat(64 * 1024 + 1);
    let (status, problem) = world.pay("k", &large).await;
    assert_eq!((status.as_u16(), code(&problem)), (413, "body_too_large"));
    // A length alone is enough: nothing of it is read.
    let announced = Call::new(Method::POST, "/v1/transactions")
        .token(&world.token(bearer()))
        .header("content-length", "1073741824")
        .header("idempotency-key", "k")
        .json("{}");
    assert_eq!(world.call(announced).await.0.as_u16(), 413);
    let call = || {
        Call::new(Method::POST, "/v1/transactions")
            .token(&world.token(bearer()))
            .header("idempotency-key", "k")
    };
    for (name, value, expected) in [
        ("content-type", "text/plain", 415),
        ("content-type", "application/x-www-form-urlencoded", 415),
        ("content-type", "multipart/form-data; boundary=x", 415),
        ("content-type", "application/json; charset=utf-16", 415),
        ("content-encoding", "gzip", 415),
        ("transfer-encoding", "chunked", 411),
    ] {
        let request = call().header(name, value);
        let mut request = if name == "content-type" {
            request.empty()
        } else {
            request.json("")
        };
        *request.body_mut() = Body::from(world.body());
        let (status, _) = world.call(request).await;
        assert_eq!(status.as_u16(), expected, "{name}: {value}");
    }
    for target in [
        "/v1/transactions?wait=61",
        "/v1/transactions?wait=-1",
        "/v1/transactions?wait=x",
        "/v1/transactions?wait=1&wait=2",
        "/v1/transactions?wat=1",
        "/v1/transactions?wait=1&x=1",
    ] {
        let (status, problem) = world
            .call(world.payment(target, bearer(), "k", &world.body()))
            .await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (400, "query_malformed"),
            "{target}"
        );
    }
    for target in [
        "?limit=0",
        "?limit=101",
        "?before=-1",
        "?session=x",
        "?limit=1&limit=2",
    ] {
        let (status, _) = world
            .get(&format!("/v1/transactions{target}"), bearer())
            .await;
        assert_eq!(status.as_u16(), 400, "{target}");
    }
}
