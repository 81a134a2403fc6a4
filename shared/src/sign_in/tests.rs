//! The template against published vectors and against fields that would forge a line; what its bytes can
//! never be.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::address::SolanaAddress;
use crate::keys::OwnerKey;
use crate::statement::verify::{Envelope, EnvelopeError, payload};
use crate::time::Millis;
use crate::transaction::{Known, Signature, SignatureError, decode};

fn issued() -> WallTime {
    WallTime::from_millis(1_763_717_399_123)
}

fn evm() -> SignIn {
    SignIn {
        chain: ChainId::Evm(8453),
        account: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
            .parse()
            .expect("an address"),
        domain: "app.example.org:8443".to_owned(),
        uri: "https://app.example.org:8443/login?next=%2Fhome#top".to_owned(),
        nonce: "oBbLoEldZs".to_owned(),
        statement: Some("I accept the Terms: https://example.org/tos".to_owned()),
        issued: issued(),
        expires: issued().after(Millis::from_secs(300)),
        request_id: Some("req-1".to_owned()),
        resources: vec!["ipfs://Qme7".to_owned(), "https://example.org/a".to_owned()],
    }
}

fn solana() -> SignIn {
    SignIn {
        chain: "solana:localnet".parse().expect("a chain"),
        account: Account::Solana(SolanaAddress::from_bytes([7; 32])),
        ..evm()
    }
}

#[test]
fn the_text_is_that_of_eip_4361() {
    let text = "app.example.org:8443 wants you to sign in with your Ethereum account:\n\
        0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n\nI accept the Terms: https://example.org/tos\n\n\
        URI: https://app.example.org:8443/login?next=%2Fhome#top\nVersion: 1\nChain ID: 8453\n\
        Nonce: oBbLoEldZs\nIssued At: 2025-11-21T09:29:59.123Z\n\
        Expiration Time: 2025-11-21T09:34:59.123Z\nRequest ID: req-1\n\
        Resources:\n- ipfs://Qme7\n- https://example.org/a";
    let message = SignInMessage::compose(&evm()).expect("sound");
    assert_eq!(message.text(), text);
    let prefix = format!("\x19Ethereum Signed Message:\n{}", text.len());
    assert_eq!(
        message.payload(),
        [prefix.as_bytes(), text.as_bytes()].concat()
    );
}

#[test]
fn the_text_is_that_of_the_wallet_standard() {
    let plain = SignIn {
        statement: None,
        request_id: None,
        resources: Vec::new(),
        ..solana()
    };
    let message = SignInMessage::compose(&plain).expect("sound");
    let text = "app.example.org:8443 wants you to sign in with your Solana account:\n\
        US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx\n\n\
        URI: https://app.example.org:8443/login?next=%2Fhome#top\nVersion: 1\nChain ID: solana:localnet\n\
        Nonce: oBbLoEldZs\nIssued At: 2025-11-21T09:29:59.123Z\n\
        Expiration Time: 2025-11-21T09:34:59.123Z";
    assert_eq!(message.text(), text);
    let header = [&b"\xffsolana offchain\x01\x01"[..], &[7; 32]].concat();
    assert_eq!(
        message.payload(),
        [header.as_slice(), text.as_bytes()].concat()
    );
    // A statement stands between two empty lines on both chains.
    let both = [evm(), solana()].map(|fields| {
        let message = SignInMessage::compose(&fields).expect("sound");
        let lines: Vec<_> = message.text().lines().map(str::to_owned).collect();
        lines[2..6].to_vec()
    });
    assert_eq!(both[0], both[1]);
    for (reference, name) in [
        ("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana:mainnet"),
        ("EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "solana:devnet"),
        ("4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z", "solana:testnet"),
    ] {
        let chain = format!("solana:{reference}").parse().expect("a chain");
        let fields = SignIn { chain, ..solana() };
        let message = SignInMessage::compose(&fields).expect("sound");
        let line = format!("\nChain ID: {name}\n");
        assert!(message.text().contains(&line), "{name}");
    }
}

/// Neither a transaction nor an owner's statement, whatever the fields are (invariants 1 and 14): bytes
/// begin as no transaction does, and no text of an owner's begins with a domain.
#[test]
fn invariant_01_a_sign_in_is_no_transaction_and_no_statement() {
    for fields in [evm(), solana()] {
        let message = SignInMessage::compose(&fields).expect("sound");
        let first = message.payload().first().copied();
        assert!(matches!(first, Some(0x19 | 0xff)), "{first:?}");
        for bytes in [message.payload(), message.text().as_bytes()] {
            let read = decode(fields.chain, fields.account, bytes, Known::NOTHING);
            assert!(read.is_err(), "{read:?}");
        }
        let key = match fields.account {
            Account::Solana(address) => OwnerKey::Ed25519(address),
            Account::Evm(address) => OwnerKey::Secp256k1(address),
        };
        for envelope in Envelope::ALL {
            let signed = payload(message.text(), envelope, &key);
            assert_eq!(signed, Err(EnvelopeError::NotAStatement), "{envelope:?}");
        }
    }
    // Every kind of statement, as its golden file has it.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/statements");
    let mut statements = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        let name = path.to_string_lossy();
        if name.contains(".payloads.") || name.contains("signatures") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a text");
        let first = text.split(' ').next().unwrap_or_default();
        assert!(!is_domain(first), "{text}");
        statements += 1;
    }
    assert!(statements > 30, "{statements}");
}

/// A signature of another account, over another text, in the other curve or its high-s form never leaves.
#[test]
fn invariant_04_only_a_verified_signature_leaves() {
    use ed25519_dalek::{Signer as _, SigningKey};
    let key = SigningKey::from_bytes(&[3; 32]);
    let account = SolanaAddress::from_bytes(key.verifying_key().to_bytes());
    let fields = SignIn {
        account: Account::Solana(account),
        ..solana()
    };
    let message = || SignInMessage::compose(&fields).expect("sound");
    let sign = |bytes: &[u8]| Signature::Ed25519(key.sign(bytes).to_bytes());
    let signed = message().assemble(&sign(message().payload()));
    assert_eq!(signed.map(|signed| signed.signature.len()), Ok(64));
    // Not the text alone: its first bytes are the caller's, to a part.
    assert_eq!(
        message().assemble(&sign(message().text().as_bytes())),
        Err(SignatureError::Invalid)
    );
    let secp = Signature::Secp256k1 {
        r_and_s: [1; 64],
        y_is_odd: false,
    };
    assert_eq!(message().assemble(&secp), Err(SignatureError::WrongCurve));
    let on_evm = SignInMessage::compose(&evm()).expect("sound");
    assert_eq!(
        on_evm.clone().assemble(&sign(on_evm.payload())),
        Err(SignatureError::WrongCurve)
    );
    assert!(on_evm.assemble(&secp).is_err());
}

fn vectors(name: &str) -> Vec<(String, Value)> {
    let path = format!(
        "{}/tests/vectors/siwe/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).expect("a file");
    match serde_json::from_str(&text).expect("JSON") {
        Value::Object(cases) => cases.into_iter().collect(),
        other => panic!("{other}"),
    }
}

/// The instant of a text, if it has exactly our form: texts of one length sort as instants do.
fn instant(text: &str) -> Option<WallTime> {
    let (mut low, mut high) = (0_u64, 253_402_300_799_999_u64);
    while low < high {
        let middle = u64::midpoint(low, high);
        if WallTime::from_millis(middle).rfc3339().as_str() < text {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let found = WallTime::from_millis(low);
    (found.rfc3339() == text).then_some(found)
}

/// The fields of a vector, if each has a form that ours can have; without an end, an hour.
fn fields(of: &Value) -> Option<SignIn> {
    let text = |name: &str| Some(of.get(name)?.as_str()?.to_owned());
    let issued = instant(&text("issuedAt")?)?;
    let expires = match of.get("expirationTime") {
        Some(end) => instant(end.as_str()?)?,
        None => issued.after(Millis::from_hours(1)),
    };
    let resources = of.get("resources").map(|list| {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|one| one.as_str().map(str::to_owned))
            .collect()
    });
    if text("version")? != "1" {
        return None;
    }
    Some(SignIn {
        chain: ChainId::Evm(of.get("chainId")?.as_u64()?),
        account: text("address")?.parse().ok()?,
        domain: text("domain")?,
        uri: text("uri")?,
        nonce: text("nonce")?,
        statement: text("statement"),
        issued,
        expires,
        request_id: text("requestId"),
        resources: resources.unwrap_or_default(),
    })
}

#[test]
fn published_texts_are_what_the_template_writes() {
    let mut rebuilt = 0;
    for (name, case) in vectors("parsing_positive") {
        let told = &case["fields"];
        let published = case["message"].as_str().expect("a text");
        // A user, an IPv6 address or a scheme before the domain is more than we let anybody sign in at.
        let ours = !["userinfo", "domain ipv6", "scheme"]
            .iter()
            .any(|kind| name.contains(kind));
        let Some(fields) = fields(told) else {
            // Times in other forms than the one that we write.
            assert!(instant(told["issuedAt"].as_str().expect("a time")).is_none());
            continue;
        };
        let message = SignInMessage::compose(&fields);
        if !ours {
            assert_eq!(message, Err(Code::SignInMalformed), "{name}");
            continue;
        }
        let message = message.unwrap_or_else(|code| panic!("{name}: {code}"));
        let end = format!("\nExpiration Time: {}", fields.expires.rfc3339());
        // Ours always ends; theirs only where they say so.
        let text = if told.get("expirationTime").is_some() {
            message.text().to_owned()
        } else {
            message.text().replace(&end, "")
        };
        assert_eq!(text, published, "{name}");
        rebuilt += 1;
    }
    assert_eq!(rebuilt, 12);
}

#[test]
fn published_flaws_are_refused() {
    let mut refused = 0;
    for (name, case) in vectors("parsing_negative_objects") {
        if name == "non-ISO 8601 notBefore" {
            // No message of ours has that line.
            continue;
        }
        let message = fields(&case).map(|fields| SignInMessage::compose(&fields));
        assert!(!matches!(message, Some(Ok(_))), "{name}: {message:?}");
        refused += 1;
    }
    assert!(refused >= 15, "{refused}");
}

/// What of a signed message is not ours to say, and what of it is: each published case, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ours {
    /// Our text, to the letter, and its signature leaves.
    Whole,
    /// Our text but for its end, or for a beginning that no text of ours has: the signature is no signature of ours.
    OtherLines,
    /// It ended before it was issued, or on a day that does not exist: no such text is written.
    Refused,
    /// It was issued on a day that does not exist, and nobody signed it so.
    NoDay,
    /// Our text, and a signature of somebody else's or of nobody's.
    WrongSignature,
    /// Our text and signature; which domain, nonce or time a site takes is the site's to say.
    OfTheSite,
}

const POSITIVE: [(&str, Ours); 4] = [
    ("example message", Ours::Whole),
    ("expired message", Ours::Refused),
    ("not yet valid", Ours::OtherLines),
    ("recovery byte starting at 0", Ours::OtherLines),
];
const NEGATIVE: [(&str, Ours); 10] = [
    ("custom nonce", Ours::OfTheSite),
    ("custom time", Ours::OfTheSite),
    ("domain binding", Ours::OfTheSite),
    ("expired message", Ours::Refused),
    ("invalid expirationTime", Ours::Refused),
    ("invalid issuedAt", Ours::NoDay),
    ("invalid notBefore", Ours::OtherLines),
    ("malformed signature", Ours::WrongSignature),
    ("not yet valid", Ours::OtherLines),
    ("wrong signature", Ours::WrongSignature),
];

/// Bytes of a signature, and what they are as one: 65 bytes with 0, 1, 27 or 28 at the end.
fn signature(case: &Value) -> Option<Signature> {
    let text = case["signature"].as_str()?.strip_prefix("0x")?;
    let bytes = hex::decode(text).ok()?;
    let (v, r_and_s) = bytes.split_last()?;
    Some(Signature::Secp256k1 {
        r_and_s: r_and_s.try_into().ok()?,
        y_is_odd: match v {
            0 | 27 => false,
            1 | 28 => true,
            _ => return None,
        },
    })
}

/// The text that was signed, out of ours: times as they were written, without an end where there was none, and the
/// line that no text of ours has.
fn theirs(case: &Value, ours: &str, fields: &SignIn) -> String {
    let line = |name: &str, field: &str| {
        let value = case[field].as_str();
        value.map_or_else(String::new, |value| format!("\n{name}: {value}"))
    };
    let times = format!(
        "\nIssued At: {}\nExpiration Time: {}",
        fields.issued.rfc3339(),
        fields.expires.rfc3339()
    );
    let said = [
        line("Issued At", "issuedAt"),
        line("Expiration Time", "expirationTime"),
        line("Not Before", "notBefore"),
    ];
    assert!(ours.contains(&times), "{ours}");
    ours.replace(&times, &said.concat())
}

/// Every signed message of both files: the signature is over the text that the template writes, times aside; and
/// what of it we would sign ourselves.
#[test]
fn published_signatures_fit_and_others_do_not() {
    let files = [
        ("verification_positive", &POSITIVE[..]),
        ("verification_negative", &NEGATIVE),
    ];
    for (file, expected) in files {
        let cases = vectors(file);
        assert_eq!(cases.len(), expected.len(), "{file}");
        for (name, ours) in expected {
            let found = cases.iter().find(|(known, _)| known == name);
            let (_, case) = found.unwrap_or_else(|| panic!("{file}: {name}"));
            signed_message(&format!("{file}: {name}"), case, *ours);
        }
    }
}

fn signed_message(name: &str, case: &Value, ours: Ours) {
    let told = fields(case);
    // An hour from now in the place of times that are none of ours.
    let mut plain = case.clone();
    for field in ["issuedAt", "expirationTime"] {
        if case[field]
            .as_str()
            .is_some_and(|text| instant(text).is_none())
        {
            plain[field] = Value::Null;
        }
    }
    plain["issuedAt"] = match plain["issuedAt"].as_str() {
        Some(text) => text.into(),
        None => issued().rfc3339().into(),
    };
    if plain["expirationTime"].is_null() {
        let known = plain.as_object_mut().expect("an object");
        known.remove("expirationTime");
    }
    let plain = fields(&plain).expect(name);
    let message = SignInMessage::compose(&plain).expect(name);
    let signature = signature(case);
    // The template's text and no other was signed, by the account, unless the case is about just that.
    let text = theirs(case, message.text(), &plain);
    let recovered = match &signature {
        Some(Signature::Secp256k1 { r_and_s, y_is_odd }) => {
            let prehash = crate::evm::keccak256(&crate::statement::verify::personal(&text));
            let signer = crate::evm::recover(&prehash, r_and_s, *y_is_odd).ok();
            signer.map(Account::Evm)
        }
        _ => None,
    };
    let by_account = recovered == Some(plain.account);
    let signed = !matches!(ours, Ours::WrongSignature | Ours::NoDay);
    assert_eq!(by_account, signed, "{name}: {text}");
    let assembled = signature.map(|signature| message.clone().assemble(&signature));
    let leaves = matches!(assembled, Some(Ok(_)));
    match ours {
        Ours::Whole | Ours::OfTheSite => {
            assert_eq!(message.text(), text, "{name}");
            assert!(leaves, "{name}");
        }
        Ours::OtherLines => {
            assert_ne!(message.text(), text, "{name}");
            assert!(!leaves, "{name}");
        }
        Ours::Refused | Ours::NoDay => {
            assert!(told.is_none(), "{name}: a time that we could write");
            // A time that exists, in our form: over before it was issued.
            let end = case["expirationTime"].as_str().unwrap_or_default();
            if let Some(expires) = instant(&end.replace('Z', ".000Z")) {
                let ended = SignIn {
                    expires,
                    ..plain.clone()
                };
                let composed = SignInMessage::compose(&ended);
                assert_eq!(composed, Err(Code::SignInMalformed), "{name}");
            }
            assert!(!leaves, "{name}");
        }
        Ours::WrongSignature => assert!(!leaves, "{name}"),
    }
    if ours == Ours::OfTheSite {
        of_the_site(name, case, &plain, &text);
    }
}

/// What the site compares stands in the text, once, and is another than what the case demands.
fn of_the_site(name: &str, case: &Value, plain: &SignIn, text: &str) {
    let demanded = |field: &str| case[field].as_str().map(str::to_owned);
    if let Some(nonce) = demanded("matchNonce") {
        assert_ne!(plain.nonce, nonce, "{name}");
        assert_eq!(
            text.matches(&format!("\nNonce: {}\n", plain.nonce)).count(),
            1
        );
    } else if let Some(time) = demanded("time") {
        let end = plain.expires.rfc3339();
        assert!(end.as_str() < time.as_str(), "{name}");
        assert_eq!(
            text.matches(&format!("\nExpiration Time: {end}")).count(),
            1
        );
    } else {
        // An agent signs in where policy names the domain, and at no other.
        let domain = demanded("domainBinding").expect(name);
        assert_ne!(plain.domain, domain, "{name}");
        assert!(text.starts_with(&format!("{} wants you", plain.domain)));
        assert!(!text.contains(&domain), "{name}");
    }
}

#[test]
fn domains_and_uris_have_one_plain_form() {
    for domain in [
        "a",
        "a.b",
        "xn--bcher-kva.example",
        "127.0.0.1:8080",
        "localhost:1",
    ] {
        assert!(is_domain(domain), "{domain}");
    }
    let long = format!("{}.{}", "a".repeat(63), "b".repeat(190));
    for domain in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "A.b",
        "a_b",
        "a b",
        "a/b",
        "a:",
        "a:0",
        "a:01",
        "a:65536",
        "a:1:2",
        "u@a",
        "[::1]",
        "https://a",
        "a\n",
        "\u{430}.example",
        &long,
    ] {
        assert!(!is_domain(domain), "{domain}");
    }
    for uri in [
        "https://a",
        "http://localhost:3000/x?y=../z",
        "https://a/b.c/..d",
        "https://a/b%20c?to=%2Fd%5C%25",
    ] {
        assert!(is_web_uri(uri), "{uri}");
    }
    for uri in [
        "",
        "https://",
        "https:/a",
        "HTTPS://a",
        "ftp://a",
        "https://a/../b",
        "https://a/./b",
        "https://a/..",
        "https://a/%2e%2E/b",
        "https://a/b%2Fc",
        "https://a/b%2f..%2fc",
        "https://a/b%5cc",
        "https://a/b%5C..",
        "https://a/%252e%252e/b",
        "https://a/b%25",
        "https://a/%",
        "https://a/%zz",
        "https://a b",
        "https://a\\b",
        "https://a\"",
        "https://a\n",
        "https://\u{e9}",
        "https://a|b",
    ] {
        assert!(!is_web_uri(uri), "{uri}");
    }
    let site = "https://app.example.org";
    for uri in [
        site,
        "https://app.example.org/",
        "https://app.example.org?a",
        "https://app.example.org#a",
    ] {
        assert!(is_within(uri, site), "{uri}");
    }
    for uri in [
        "https://app.example.org.evil.com",
        "https://app.example.org@evil.com",
        "https://app.example.org:8080",
        "http://app.example.org",
        "https://evil.com/https://app.example.org",
    ] {
        assert!(!is_within(uri, site), "{uri}");
    }
    assert!(is_within("https://a/login/x", "https://a/login/"));
    assert!(!is_within("https://a/loginx", "https://a/login"));
}

/// Characters that could end a line, begin a field, or be read as something else.
fn odd() -> impl Strategy<Value = String> {
    "[ -~\n\r\t|%:/.\u{e9}\u{2028}]{0,24}"
}

proptest! {
    /// Whatever the fields hold: either refused, or each stands on its own line and nothing else does.
    #[test]
    fn no_field_forges_a_line(
        domain in prop_oneof![Just("a.example".to_owned()), odd()],
        path in prop_oneof![Just(String::new()), odd()],
        nonce in prop_oneof![Just("12345678".to_owned()), odd()],
        statement in proptest::option::of(odd()),
        request_id in proptest::option::of(odd()),
        resources in proptest::collection::vec(odd(), 0..3),
        on_solana in any::<bool>(),
    ) {
        let fields = SignIn {
            domain,
            uri: format!("https://a.example{path}"),
            nonce,
            statement,
            request_id,
            resources,
            ..if on_solana { solana() } else { evm() }
        };
        let Ok(message) = SignInMessage::compose(&fields) else { return Ok(()) };
        let text = message.text();
        prop_assert!(text.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)));
        let mut lines = text.lines();
        let kind = if on_solana { "Solana" } else { "Ethereum" };
        let first = format!("{} wants you to sign in with your {kind} account:", fields.domain);
        prop_assert_eq!(lines.next(), Some(first.as_str()));
        let account = fields.account.to_string();
        prop_assert_eq!(lines.next(), Some(account.as_str()));
        prop_assert_eq!(lines.next(), Some(""));
        match &fields.statement {
            Some(statement) => {
                prop_assert_eq!(lines.next(), Some(statement.as_str()));
                prop_assert_eq!(lines.next(), Some(""));
            }
            None if on_solana => {}
            None => prop_assert_eq!(lines.next(), Some("")),
        }
        let mut expected = vec![
            format!("URI: {}", fields.uri),
            "Version: 1".to_owned(),
            if on_solana { "Chain ID: solana:localnet" } else { "Chain ID: 8453" }.to_owned(),
            format!("Nonce: {}", fields.nonce),
            format!("Issued At: {}", fields.issued.rfc3339()),
            format!("Expiration Time: {}", fields.expires.rfc3339()),
        ];
        expected.extend(fields.request_id.iter().map(|id| format!("Request ID: {id}")));
        if !fields.resources.is_empty() {
            expected.push("Resources:".to_owned());
            expected.extend(fields.resources.iter().map(|uri| format!("- {uri}")));
        }
        prop_assert_eq!(lines.map(str::to_owned).collect::<Vec<_>>(), expected);
    }
}

/// A login of owners: the message's own account, in every envelope that its wallet may produce, and nothing else.
/// Invariant 14: no statement is a sign-in message, so neither signature passes for the other.
#[test]
fn invariant_14_a_login_is_signed_by_its_account_and_is_no_statement() {
    use ed25519_dalek::Signer as _;

    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let address = SolanaAddress::from_bytes(key.verifying_key().to_bytes());
    let fields = SignIn {
        account: Account::Solana(address),
        ..solana()
    };
    let message = SignInMessage::compose(&fields).expect("sound");
    let owner = OwnerKey::Ed25519(address);
    let another = OwnerKey::Ed25519(SolanaAddress::from_bytes([7; 32]));
    for envelope in Envelope::ALL {
        // The text alone is signed by a wallet of this kind; of a statement it never could be.
        assert_eq!(
            payload(message.text(), envelope, &owner),
            Err(EnvelopeError::NotAStatement)
        );
        let signature = match envelope {
            Envelope::Ed25519Plain => key.sign(message.text().as_bytes()),
            Envelope::Ed25519OffchainV1 => key.sign(message.payload()),
            _ => continue,
        };
        let signature = signature.to_bytes();
        for other in Envelope::ALL {
            assert_eq!(
                message.is_signed_by(&owner, other, &signature),
                other == envelope,
                "{envelope:?} {other:?}"
            );
        }
        assert!(!message.is_signed_by(&another, envelope, &signature));
        assert!(!message.is_signed_by(&owner, envelope, &signature[..63]));
        let later = SignIn {
            issued: fields.issued.after(Millis::from_millis(1)),
            ..fields.clone()
        };
        let later = SignInMessage::compose(&later).expect("sound");
        assert!(!later.is_signed_by(&owner, envelope, &signature));
    }
}
