//! What a token may say and how long it is believed; forged ones are signed with the real secret.

use serde_json::{Value, json};
use waiaas_shared::time::WallTime;

use super::*;

const NOW: u64 = 1_795_219_200_000;

fn at(seconds: i64) -> WallTime {
    WallTime::from_millis(NOW.saturating_add_signed(seconds * 1000))
}

fn session() -> SessionId {
    SessionId::from_bytes([1; 16])
}

async fn tokens() -> (Database, Tokens) {
    let database = Database::in_memory().expect("opens");
    let tokens = Tokens::load(&database, at(0)).await.expect("loads");
    (database, tokens)
}

fn part(value: &Value) -> String {
    BASE64URL.encode(value.to_string())
}

/// A token with any header and claims, signed with the real secret.
fn forge(tokens: &Tokens, header: &str, claims: &Value) -> String {
    let message = format!("{header}.{}", part(claims));
    let secret = tokens.secrets().current;
    let signature = jsonwebtoken::crypto::sign(
        message.as_bytes(),
        &secret.session.encoding,
        Algorithm::HS256,
    )
    .expect("signs");
    format!("{message}.{signature}")
}

fn claims() -> Value {
    let seconds = NOW / 1000;
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": session(), "iat": seconds, "exp": seconds + 900})
}

#[tokio::test]
async fn a_token_lives_a_quarter_of_an_hour() {
    let (_database, tokens) = tokens().await;
    let issued = tokens.issue(session(), at(0)).expect("issued");
    assert_eq!(tokens.session(&issued.token, at(0)), Ok(session()));
    assert_eq!(tokens.session(&issued.token, at(899)), Ok(session()));
    for later in [900, 901, 86_400] {
        assert_eq!(tokens.session(&issued.token, at(later)), Err(TokenError));
    }
    // Born in the future: only a clock that went back.
    assert_eq!(tokens.session(&issued.token, at(-3)), Err(TokenError));
}

/// S05, S06: what a token may say, field by field, signed with the real secret. The unchanged one
/// passes, so each refusal is of the change.
#[tokio::test]
async fn no_other_claims_pass() {
    let (_database, tokens) = tokens().await;
    let header = tokens.secrets().current.session.header_text.clone();
    let seconds = NOW / 1000;
    assert_eq!(
        tokens.session(&forge(&tokens, &header, &claims()), at(0)),
        Ok(session())
    );
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().expect("an object").remove(name);
        claims
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let cases = [
        without("iss"),
        without("aud"),
        without("sub"),
        without("iat"),
        without("exp"),
        with("iss", json!("other")),
        with("iss", json!([ISSUER, "other"])),
        with("aud", json!("other")),
        with("aud", json!([AUDIENCE])),
        with("aud", json!("")),
        with("sub", json!("wallet_00000000000000000000000001")),
        with("sub", json!("")),
        with("sub", json!(null)),
        with("iat", json!(seconds + 60)),
        with("iat", json!(-1)),
        with("iat", json!(1e300)),
        with("iat", json!(0)),
        with("exp", json!(seconds)),
        with("exp", json!(seconds - 1)),
        with("exp", json!(seconds + 901)),
        with("exp", json!(u64::MAX)),
        with("exp", json!(-5)),
        with("exp", json!("1895219200")),
        with("exp", json!(null)),
        with("exp", json!(seconds as f64 + 0.5)),
        with("nbf", json!(seconds)),
        with("role", json!("owner")),
        with("wallets", json!(["*"])),
        json!([]),
        json!("text"),
        json!(null),
    ];
    for claims in cases {
        assert_eq!(
            tokens.session(&forge(&tokens, &header, &claims), at(0)),
            Err(TokenError),
            "{claims}"
        );
    }
    let doubled = claims()
        .to_string()
        .replacen('{', &format!("{{\"sub\":\"{}\",", session()), 1);
    let message = format!("{header}.{}", BASE64URL.encode(doubled));
    let secret = tokens.secrets().current;
    let signature = jsonwebtoken::crypto::sign(
        message.as_bytes(),
        &secret.session.encoding,
        Algorithm::HS256,
    )
    .expect("signs");
    assert_eq!(
        tokens.session(&format!("{message}.{signature}"), at(0)),
        Err(TokenError),
        "doubled claim"
    );
}

/// S05: no other header passes, though signed with the real secret.
#[tokio::test]
async fn no_other_header_passes() {
    let (_database, tokens) = tokens().await;
    let secret = tokens.secrets().current;
    let header: Value = serde_json::to_value(&secret.session.header).expect("JSON");
    assert_eq!(header["alg"], "HS256");
    assert_eq!(header["typ"], TYPE);
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        part(&header)
    };
    let cases = [
        with("alg", json!("none")),
        with("alg", json!("None")),
        with("alg", json!("")),
        with("alg", json!("HS384")),
        with("alg", json!("RS256")),
        with("alg", json!("EdDSA")),
        with("alg", json!(["HS256"])),
        with("typ", json!("JWT")),
        with("typ", json!(null)),
        with("kid", json!("other")),
        with("kid", json!("../../../dev/null")),
        with("kid", json!("' OR 1=1 --")),
        with("jwk", json!({"kty": "oct", "k": "AAAA"})),
        with("jku", json!("http://127.0.0.1/keys")),
        with("x5u", json!("http://127.0.0.1/cert")),
        with("crit", json!(["exp"])),
        with("b64", json!(false)),
        with("cty", json!("JWT")),
        with("zip", json!("DEF")),
        part(&json!({"alg": "HS256"})),
        part(&json!({})),
        String::new(),
        format!("{}=", secret.session.header_text),
        format!(" {}", secret.session.header_text),
    ];
    for header in cases {
        assert_eq!(
            tokens.session(&forge(&tokens, &header, &claims()), at(0)),
            Err(TokenError),
            "{header}"
        );
    }
}

#[tokio::test]
async fn malformed_texts_are_refused() {
    let (_database, tokens) = tokens().await;
    let token = tokens.issue(session(), at(0)).expect("issued").token;
    let parts: Vec<&str> = token.split('.').collect();
    let (header, body, signature) = (parts[0], parts[1], parts[2]);
    let flipped = signature.replacen(
        &signature[3..4],
        if &signature[3..4] == "A" { "B" } else { "A" },
        1,
    );
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        format!("{header}.{body}"),
        format!("{header}.{body}."),
        format!("{header}.{body}.{flipped}"),
        format!("{header}.{body}.{signature}."),
        format!("{header}.{body}.{signature}.{signature}"),
        format!("{token} "),
        format!("{token}="),
        format!("{header}..{signature}"),
        "a".repeat(5000),
        format!("{header}.{}.{signature}", "a".repeat(5000)),
        "ü.ü.ü".to_owned(),
    ] {
        assert_eq!(tokens.session(&text, at(0)), Err(TokenError), "{text:.80}");
    }
}

/// S08: the secret of yesterday is accepted for a minute, and never again.
#[tokio::test]
async fn secrets_rotate_and_overlap_a_minute() {
    let (database, tokens) = tokens().await;
    let day = 24 * 3600;
    assert_eq!(
        tokens.rotate_if_due(&database, at(day - 1)).await,
        Ok(false)
    );
    let old = tokens.issue(session(), at(day - 1)).expect("issued").token;
    assert_eq!(tokens.rotate_if_due(&database, at(day)).await, Ok(true));
    let new = tokens.issue(session(), at(day)).expect("issued").token;
    for (seconds, old_passes) in [(0, true), (59, true), (60, false), (600, false)] {
        assert_eq!(
            tokens.session(&old, at(day + seconds)).is_ok(),
            old_passes,
            "{seconds}"
        );
        assert!(tokens.session(&new, at(day + seconds)).is_ok(), "{seconds}");
    }
    // After a restart the same holds.
    let again = Tokens::load(&database, at(day + 10)).await.expect("loads");
    assert!(again.session(&old, at(day + 10)).is_ok());
    assert!(again.session(&new, at(day + 10)).is_ok());
    assert!(again.session(&old, at(day + 60)).is_err());
    // A second rotation forgets the first secret.
    assert_eq!(again.rotate_if_due(&database, at(2 * day)).await, Ok(true));
    let count = |connection: &rusqlite::Connection| {
        connection.query_row("SELECT count(*) FROM token_secret", [], |row| {
            row.get::<_, i64>(0)
        })
    };
    assert_eq!(database.run(Durability::Process, count).await, Ok(2));
    // A secret from a time to come was made under a wrong clock.
    assert_eq!(again.rotate_if_due(&database, at(0)).await, Ok(true));
}

#[tokio::test]
async fn two_gateways_do_not_accept_each_others_tokens() {
    let (_one_database, one) = tokens().await;
    let (_two_database, two) = tokens().await;
    let token = one.issue(session(), at(0)).expect("issued").token;
    assert!(two.session(&token, at(0)).is_err());
}
