//! Signed requests, from outside: one form verifies, every other form of the same thing is refused,
//! and no covered part can be changed (ATTACKS S02 to S04, S06, S09).
#![expect(clippy::unwrap_used, reason = "helpers of tests may be blunt")]

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::ids::SessionId;
use waiaas_shared::keys::AgentKey;
use waiaas_shared::request_signature::{
    Parameters, Request, RequestNonce, RequestSignatureError as Error, SignatureFields,
    SignedRequest, content_digest, sign_request, signature_base, verify,
};

const BODY: &[u8] = br#"{"amount":"1000","to":"5aAeb6"}"#;
const SESSION: &str = "session_01jd3v8k7rf5q8w2x6n4c9b0mt";
const INPUT: &str = concat!(
    r#"waiaas=("@method" "@path" "@query" "content-digest" "idempotency-key")"#,
    r#";created=1763717399;nonce="0123456789abcdef""#,
    r#";keyid="session_01jd3v8k7rf5q8w2x6n4c9b0mt";alg="ed25519";tag="waiaas/v1""#
);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn agent() -> AgentKey {
    AgentKey::from_bytes(key().verifying_key().to_bytes())
}

fn request() -> Request<'static> {
    Request {
        method: "POST",
        path: "/v1/transactions",
        query: "?",
        body: BODY,
        idempotency_key: "7d9f-0001",
    }
}

fn parameters() -> Parameters {
    Parameters::new(
        1_763_717_399,
        "0123456789abcdef".parse().unwrap(),
        SESSION.parse().unwrap(),
    )
    .unwrap()
}

fn signed() -> SignatureFields {
    sign_request(&request(), &parameters(), |base| {
        key().sign(base).to_bytes()
    })
    .unwrap()
}

fn check(request: Request<'_>, input: &str, signature: &str) -> Result<(), Error> {
    let signed = SignedRequest {
        request,
        signature_input: input,
        signature,
    };
    verify(&signed, &agent()).map(|_| ())
}

#[test]
fn the_one_form_verifies() {
    let fields = signed();
    assert_eq!(fields.signature_input, INPUT);
    assert_eq!(fields.content_digest, content_digest(BODY));
    let verified = verify(
        &SignedRequest {
            request: request(),
            signature_input: &fields.signature_input,
            signature: &fields.signature,
        },
        &agent(),
    )
    .unwrap();
    assert_eq!(verified.created_seconds, 1_763_717_399);
    assert_eq!(verified.nonce.as_str(), "0123456789abcdef");
    assert_eq!(verified.session, SESSION.parse::<SessionId>().unwrap());
    assert_eq!(verified.body_digest, hash(Domain::RequestBody, &[BODY]));
}

/// The signed text, byte for byte: clients in other languages are written against this. Digest and
/// signature were computed with Python's hashlib and pyca/cryptography.
#[test]
fn the_signature_base_is_fixed() {
    let expected = [
        r#""@method": POST"#,
        r#""@path": /v1/transactions"#,
        r#""@query": ?"#,
        r#""content-digest": sha-256=:9HPUch6boznFTGEZEwWwA/MNUJYSIDpAiyeWNllu/zo=:"#,
        r#""idempotency-key": 7d9f-0001"#,
        &format!(
            r#""@signature-params": {}"#,
            INPUT.strip_prefix("waiaas=").unwrap()
        ),
    ]
    .join("\n");
    assert_eq!(signature_base(&request(), &parameters()), Ok(expected));
    assert_eq!(
        signed().signature,
        "waiaas=:n/lwc735L9CXgeWqG3gJ2OJ6wrN5/QogRbBDj953KJYgUexc2wsdtsKicd0AkJoZ4VyTjouncuyFADLkuPUoAw==:"
    );
}

/// A genuine signature over the text that this profile would build, were the part permitted: so a
/// case below is refused for its form and not for a signature that would not verify anyway.
fn signature_over(input: &str) -> String {
    let base = signature_base(&request(), &parameters()).unwrap();
    let ours = INPUT.strip_prefix("waiaas=").unwrap();
    let theirs = input.split_once('=').map_or(input, |(_, rest)| rest);
    let text = base.replace(ours, theirs);
    use base64::Engine as _;
    let signature = key().sign(text.as_bytes()).to_bytes();
    format!(
        "waiaas=:{}:",
        base64::engine::general_purpose::STANDARD.encode(signature)
    )
}

#[test]
fn other_signature_inputs_are_refused() {
    let components = r#"("@method" "@path" "@query" "content-digest" "idempotency-key")"#;
    let created = ";created=1763717399";
    let nonce = r#";nonce="0123456789abcdef""#;
    let keyid = r#";keyid="session_01jd3v8k7rf5q8w2x6n4c9b0mt""#;
    let (alg, tag) = (r#";alg="ed25519""#, r#";tag="waiaas/v1""#);
    let with = |components: &str, parameters: &[&str]| {
        format!("waiaas={components}{}", parameters.concat())
    };
    let all = [created, nonce, keyid, alg, tag];
    assert_eq!(with(components, &all), INPUT);
    let set = |index: usize, other: &str| {
        let mut all = all.map(str::to_owned);
        all[index] = other.to_owned();
        format!("waiaas={components}{}", all.concat())
    };
    let covered = |list: &str| with(list, &all);

    let cases: Vec<(&str, String, Error)> = vec![
        ("nothing", String::new(), Error::Label),
        ("no label", INPUT.replace("waiaas=(", "("), Error::Label),
        (
            "other label",
            INPUT.replacen("waiaas", "sig1", 1),
            Error::Label,
        ),
        (
            "label in capitals",
            INPUT.replacen("waiaas", "WAIAAS", 1),
            Error::Label,
        ),
        (
            "longer label",
            INPUT.replacen("waiaas", "waiaas2", 1),
            Error::Label,
        ),
        ("blank in front", format!(" {INPUT}"), Error::Label),
        (
            "blank before the equals sign",
            INPUT.replacen('=', " =", 1),
            Error::Label,
        ),
        (
            "blank behind the equals sign",
            INPUT.replacen('=', "= ", 1),
            Error::Components,
        ),
        ("blank behind", format!("{INPUT} "), Error::Trailing),
        ("tab behind", format!("{INPUT}\t"), Error::Trailing),
        ("line feed behind", format!("{INPUT}\n"), Error::Trailing),
        (
            "two signatures, same label",
            format!("{INPUT}, {INPUT}"),
            Error::Trailing,
        ),
        (
            "two signatures, other label behind",
            format!("{INPUT}, sig1=()"),
            Error::Trailing,
        ),
        (
            "two signatures, other label in front",
            format!("sig1=(), {INPUT}"),
            Error::Label,
        ),
        ("nothing covered", covered("()"), Error::Components),
        ("no list", covered(""), Error::Components),
        (
            "method stripped",
            covered(&components.replace("\"@method\" ", "")),
            Error::Components,
        ),
        (
            "path stripped",
            covered(&components.replace("\"@path\" ", "")),
            Error::Components,
        ),
        (
            "query stripped",
            covered(&components.replace("\"@query\" ", "")),
            Error::Components,
        ),
        (
            "digest stripped",
            covered(&components.replace("\"content-digest\" ", "")),
            Error::Components,
        ),
        (
            "key stripped",
            covered(&components.replace(" \"idempotency-key\"", "")),
            Error::Components,
        ),
        (
            "component doubled",
            covered(&components.replace("\"@path\"", "\"@path\" \"@path\"")),
            Error::Components,
        ),
        (
            "component added",
            covered(&components.replace(')', " \"@authority\")")),
            Error::Components,
        ),
        (
            "other order",
            covered(&components.replace("\"@method\" \"@path\"", "\"@path\" \"@method\"")),
            Error::Components,
        ),
        (
            "two blanks",
            covered(&components.replace("\"@path\" ", "\"@path\"  ")),
            Error::Components,
        ),
        (
            "blank inside of the bracket",
            covered(&components.replace('(', "( ")),
            Error::Components,
        ),
        (
            "request parameter",
            covered(&components.replace("\"@method\"", "\"@method\";req")),
            Error::Components,
        ),
        (
            "byte sequence parameter",
            covered(&components.replace("\"content-digest\"", "\"content-digest\";bs")),
            Error::Components,
        ),
        (
            "component in capitals",
            covered(&components.replace("content-digest", "Content-Digest")),
            Error::Components,
        ),
        (
            "target URI in place of path",
            covered(&components.replace("@path", "@target-uri")),
            Error::Components,
        ),
        (
            "component as a token",
            covered(&components.replace("\"@method\"", "@method")),
            Error::Components,
        ),
        ("created missing", set(0, ""), Error::Created),
        ("created empty", set(0, ";created="), Error::Created),
        (
            "created negative",
            set(0, ";created=-1763717399"),
            Error::Created,
        ),
        (
            "created with plus",
            set(0, ";created=+1763717399"),
            Error::Created,
        ),
        (
            "created with leading zero",
            set(0, ";created=01763717399"),
            Error::Created,
        ),
        (
            "created fractional",
            set(0, ";created=1763717399.5"),
            Error::Created,
        ),
        (
            "created as string",
            set(0, ";created=\"1763717399\""),
            Error::Created,
        ),
        (
            "created with exponent",
            set(0, ";created=1e9"),
            Error::Created,
        ),
        (
            "created of 16 digits",
            set(0, ";created=1763717399000000"),
            Error::Created,
        ),
        (
            "created as date",
            set(0, ";created=@1763717399"),
            Error::Created,
        ),
        (
            "created in other digits",
            set(0, ";created=１７６３７１７３９９"),
            Error::Created,
        ),
        (
            "created twice",
            set(0, ";created=1763717399;created=1763717399"),
            Error::Nonce,
        ),
        (
            "blank before a parameter",
            set(0, "; created=1763717399"),
            Error::Created,
        ),
        (
            "expires added",
            set(0, ";created=1763717399;expires=1763717999"),
            Error::Nonce,
        ),
        ("nonce missing", set(1, ""), Error::Nonce),
        (
            "nonce too short",
            set(1, ";nonce=\"0123456789abcde\""),
            Error::Nonce,
        ),
        (
            "nonce too long",
            set(1, &format!(";nonce=\"{}\"", "a".repeat(65))),
            Error::Nonce,
        ),
        (
            "nonce with blank",
            set(1, ";nonce=\"0123456789 abcdef\""),
            Error::Nonce,
        ),
        (
            "nonce with line feed",
            set(1, ";nonce=\"0123456789\nabcdef\""),
            Error::Nonce,
        ),
        (
            "nonce with escape",
            set(1, r#";nonce="0123456789\\abcdef""#),
            Error::Nonce,
        ),
        (
            "nonce with escaped quote",
            set(1, r#";nonce="0123456789abcdef\"x""#),
            Error::KeyId,
        ),
        (
            "nonce beyond ASCII",
            set(1, ";nonce=\"0123456789abcdéf\""),
            Error::Nonce,
        ),
        (
            "nonce as token",
            set(1, ";nonce=0123456789abcdef"),
            Error::Nonce,
        ),
        (
            "nonce not closed",
            set(1, ";nonce=\"0123456789abcdef"),
            Error::KeyId,
        ),
        (
            "nonce in capitals",
            set(1, ";Nonce=\"0123456789abcdef\""),
            Error::Nonce,
        ),
        ("keyid missing", set(2, ""), Error::KeyId),
        (
            "keyid of another kind",
            set(2, ";keyid=\"wallet_01jd3v8k7rf5q8w2x6n4c9b0mt\""),
            Error::KeyId,
        ),
        (
            "keyid in capitals",
            set(2, ";keyid=\"session_01JD3V8K7RF5Q8W2X6N4C9B0MT\""),
            Error::KeyId,
        ),
        ("keyid empty", set(2, ";keyid=\"\""), Error::KeyId),
        ("keyid doubled", set(2, &keyid.repeat(2)), Error::Algorithm),
        ("alg missing", set(3, ""), Error::Algorithm),
        ("alg none", set(3, ";alg=\"none\""), Error::Algorithm),
        (
            "alg symmetric",
            set(3, ";alg=\"hmac-sha256\""),
            Error::Algorithm,
        ),
        (
            "alg of another curve",
            set(3, ";alg=\"ecdsa-p256-sha256\""),
            Error::Algorithm,
        ),
        (
            "alg in capitals",
            set(3, ";alg=\"Ed25519\""),
            Error::Algorithm,
        ),
        ("alg as token", set(3, ";alg=ed25519"), Error::Algorithm),
        ("tag missing", set(4, ""), Error::Tag),
        (
            "tag of another version",
            set(4, ";tag=\"waiaas/v2\""),
            Error::Tag,
        ),
        (
            "tag of another application",
            set(4, ";tag=\"web-bot-auth\""),
            Error::Tag,
        ),
        ("tag doubled", set(4, &tag.repeat(2)), Error::Trailing),
        ("parameter added", format!("{INPUT};x=1"), Error::Trailing),
        ("semicolon behind", format!("{INPUT};"), Error::Trailing),
        (
            "parameters in other order",
            with(components, &[nonce, created, keyid, alg, tag]),
            Error::Created,
        ),
        (
            "alg and tag swapped",
            with(components, &[created, nonce, keyid, tag, alg]),
            Error::Algorithm,
        ),
    ];
    assert!(cases.len() >= 70);
    for (name, input, error) in &cases {
        assert_eq!(
            check(request(), input, &signature_over(input)),
            Err(*error),
            "{name}: {input}"
        );
    }
    // The helper's signature is genuine for the one form.
    assert_eq!(check(request(), INPUT, &signature_over(INPUT)), Ok(()));
}

#[test]
fn other_signature_fields_are_refused() {
    let good = signed().signature;
    let text = good
        .strip_prefix("waiaas=:")
        .and_then(|rest| rest.strip_suffix(':'))
        .unwrap()
        .to_owned();
    assert_eq!(text.len(), 88);
    assert!(text.ends_with("=="));
    // The last character before the padding carries four bits that must be zero.
    let mut loose = text.clone().into_bytes();
    loose[85] += 1;
    let loose = String::from_utf8(loose).unwrap();
    for (name, field) in [
        ("nothing", String::new()),
        ("no label", format!(":{text}:")),
        ("other label", format!("sig1=:{text}:")),
        ("without colons", format!("waiaas={text}")),
        ("as a string", format!("waiaas=\"{text}\"")),
        ("without padding", format!("waiaas=:{}:", &text[..86])),
        ("unused bits set", format!("waiaas=:{loose}:")),
        (
            "URL alphabet",
            format!("waiaas=:{}:", "-_".repeat(43) + "=="),
        ),
        ("blank in front", format!(" {good}")),
        ("blank behind", format!("{good} ")),
        ("blank inside", good.replacen("=:", "= :", 1)),
        ("parameter behind", format!("{good};x=1")),
        ("two signatures", format!("{good}, {good}")),
        (
            "two signatures, other label",
            format!("{good}, sig1=:{text}:"),
        ),
        (
            "two signatures, other label in front",
            format!("sig1=:{text}:, {good}"),
        ),
        ("63 bytes", format!("waiaas=:{}:", &text[..84])),
        ("empty", "waiaas=::".to_owned()),
        ("two values in one", format!("waiaas=:{text}{text}:")),
        ("line feed", good.replacen(":", ":\n", 1)),
    ] {
        assert_eq!(
            check(request(), INPUT, &field),
            Err(Error::SignatureForm),
            "{name}: {field}"
        );
    }
}

#[test]
fn covered_parts_cannot_change() {
    let fields = signed();
    let refused = |request: Request<'_>| {
        check(request, &fields.signature_input, &fields.signature).unwrap_err()
    };
    let base = request();
    for (name, request, error) in [
        (
            "method",
            Request {
                method: "PUT",
                ..base
            },
            Error::Invalid,
        ),
        (
            "method in lower case",
            Request {
                method: "post",
                ..base
            },
            Error::Method,
        ),
        (
            "method with line feed",
            Request {
                method: "POST\n",
                ..base
            },
            Error::Method,
        ),
        ("no method", Request { method: "", ..base }, Error::Method),
        (
            "path",
            Request {
                path: "/v1/withdrawals",
                ..base
            },
            Error::Invalid,
        ),
        (
            "path with a slash behind",
            Request {
                path: "/v1/transactions/",
                ..base
            },
            Error::Path,
        ),
        (
            "path with an empty segment",
            Request {
                path: "//v1/transactions",
                ..base
            },
            Error::Path,
        ),
        (
            "path with a dot segment",
            Request {
                path: "/v1/./transactions",
                ..base
            },
            Error::Path,
        ),
        (
            "path that climbs",
            Request {
                path: "/v1/x/../transactions",
                ..base
            },
            Error::Path,
        ),
        (
            "path with encoding",
            Request {
                path: "/v1/%74ransactions",
                ..base
            },
            Error::Path,
        ),
        (
            "path with a query",
            Request {
                path: "/v1/transactions?a",
                ..base
            },
            Error::Path,
        ),
        (
            "path with parameters",
            Request {
                path: "/v1/transactions;a",
                ..base
            },
            Error::Path,
        ),
        (
            "path in capitals",
            Request {
                path: "/V1/transactions",
                ..base
            },
            Error::Invalid,
        ),
        (
            "path without slash",
            Request {
                path: "v1/transactions",
                ..base
            },
            Error::Path,
        ),
        (
            "path of a URI",
            Request {
                path: "http://a/v1/transactions",
                ..base
            },
            Error::Path,
        ),
        (
            "path with line feed",
            Request {
                path: "/v1/a\nb",
                ..base
            },
            Error::Path,
        ),
        ("no path", Request { path: "", ..base }, Error::Path),
        (
            "query",
            Request {
                query: "?wait=1",
                ..base
            },
            Error::Invalid,
        ),
        (
            "query without mark",
            Request { query: "", ..base },
            Error::Query,
        ),
        (
            "query doubled mark",
            Request {
                query: "??",
                ..base
            },
            Error::Invalid,
        ),
        (
            "query with line feed",
            Request {
                query: "?a\n",
                ..base
            },
            Error::Query,
        ),
        (
            "query with blank",
            Request {
                query: "? ",
                ..base
            },
            Error::Query,
        ),
        (
            "query with fragment",
            Request {
                query: "?a#b",
                ..base
            },
            Error::Query,
        ),
        ("body empty", Request { body: b"", ..base }, Error::Invalid),
        (
            "key",
            Request {
                idempotency_key: "7d9f-0002",
                ..base
            },
            Error::Invalid,
        ),
        (
            "no key",
            Request {
                idempotency_key: "",
                ..base
            },
            Error::IdempotencyKey,
        ),
        (
            "key with blank",
            Request {
                idempotency_key: "7d9f 0001",
                ..base
            },
            Error::IdempotencyKey,
        ),
        (
            "key with blank behind",
            Request {
                idempotency_key: "7d9f-0001 ",
                ..base
            },
            Error::IdempotencyKey,
        ),
        (
            "key that adds a line",
            Request {
                idempotency_key: "a\n\"@signature-params\": ()",
                ..base
            },
            Error::IdempotencyKey,
        ),
    ] {
        assert_eq!(refused(request), error, "{name}");
    }
    let long = "k".repeat(129);
    let request = Request {
        idempotency_key: &long,
        ..base
    };
    assert_eq!(refused(request), Error::IdempotencyKey);
    let long = format!("/{}", "p".repeat(1024));
    assert_eq!(
        refused(Request {
            path: &long,
            ..base
        }),
        Error::Path
    );

    // Every bit of the body.
    for bit in 0..BODY.len() * 8 {
        let mut body = BODY.to_vec();
        body[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            refused(Request {
                body: &body,
                ..base
            }),
            Error::Invalid
        );
    }
    // Parts cannot move from one line to the next.
    assert_eq!(
        refused(Request {
            path: "/v1",
            query: "?/transactions",
            ..base
        }),
        Error::Invalid
    );
}

#[test]
fn another_key_verifies_nothing() {
    let fields = signed();
    let signed = SignedRequest {
        request: request(),
        signature_input: &fields.signature_input,
        signature: &fields.signature,
    };
    let other = SigningKey::from_bytes(&[10; 32]).verifying_key().to_bytes();
    for key in [other, [0; 32], [0xff; 32]] {
        assert_eq!(
            verify(&signed, &AgentKey::from_bytes(key)),
            Err(Error::Invalid)
        );
    }
}

/// S09: the time, the nonce and the session are signed as well.
#[test]
fn parameters_cannot_change() {
    let signature = signed().signature;
    for (from, to) in [
        ("1763717399", "1763717400"),
        ("1763717399", "0"),
        ("0123456789abcdef", "0123456789abcdeg"),
        ("9b0mt", "9b0ms"),
    ] {
        assert_eq!(
            check(request(), &INPUT.replace(from, to), &signature),
            Err(Error::Invalid)
        );
    }
}

#[test]
fn every_character_of_the_fields_counts() {
    let fields = signed();
    for position in 0..INPUT.len() {
        for value in 0x20..0x7f_u8 {
            let mut changed = INPUT.as_bytes().to_vec();
            changed[position] = value;
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(
                check(request(), &changed, &fields.signature).is_ok(),
                changed == INPUT,
                "{changed}"
            );
        }
        assert!(check(request(), &INPUT[..position], &fields.signature).is_err());
    }
    for position in 0..fields.signature.len() {
        for value in 0x20..0x7f_u8 {
            let mut changed = fields.signature.clone().into_bytes();
            changed[position] = value;
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(
                check(request(), INPUT, &changed).is_ok(),
                changed == fields.signature,
                "{changed}"
            );
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics(input: String, signature: String, path: String, query: String, key: String, body: Vec<u8>) {
        let request = Request { method: "POST", path: &path, query: &query, body: &body, idempotency_key: &key };
        prop_assert!(check(request, &input, &signature).is_err());
        let _unused = check(request, INPUT, &signature);
        let longer = format!("{INPUT}{input}x");
        prop_assert!(Parameters::parse(&longer).is_err());
    }

    #[test]
    fn whatever_is_signed_verifies(
        created in 0..=999_999_999_999_999_u64,
        nonce in "[!#-\\[\\]-~]{16,64}",
        session: [u8; 16],
        method in "[A-Z]{1,16}",
        path in "(/[a-zA-Z0-9_~:-]{1,20}){1,5}",
        query in "\\?[!-\"$-~]{0,100}",
        key in "[!-~]{1,128}",
        body: Vec<u8>,
    ) {
        let nonce: RequestNonce = nonce.parse().unwrap();
        let parameters = Parameters::new(created, nonce, SessionId::from_bytes(session)).unwrap();
        let request = Request { method: &method, path: &path, query: &query, body: &body, idempotency_key: &key };
        let fields = sign_request(&request, &parameters, |base| self::key().sign(base).to_bytes()).unwrap();
        prop_assert_eq!(Parameters::parse(&fields.signature_input), Ok(parameters.clone()));
        let signed = SignedRequest { request, signature_input: &fields.signature_input, signature: &fields.signature };
        let verified = verify(&signed, &agent()).unwrap();
        prop_assert_eq!(verified.created_seconds, created);
        prop_assert_eq!(verified.session, parameters.session());
        prop_assert_eq!(&verified.nonce, parameters.nonce());
    }
}

#[test]
fn a_time_of_sixteen_digits_is_not_signed() {
    let nonce: RequestNonce = "0123456789abcdef".parse().unwrap();
    let session = SESSION.parse().unwrap();
    assert_eq!(
        Parameters::new(1_000_000_000_000_000, nonce, session),
        Err(Error::Created)
    );
}
