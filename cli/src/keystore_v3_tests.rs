//! The published vectors, and everything near them that must not open.

use serde_json::{Value, json};

use super::*;

/// Test data of the Web3 Secret Storage Definition, unedited.
const PUBLISHED: &str = include_str!("../tests/vectors/keystore-v3/basic_tests.json");
/// The account of the published private key.
const ADDRESS: &str = "008aeeda4d805471df9b2a5b0f38a0c3bcba786b";

fn published() -> Vec<(Value, String, String)> {
    let all: Value = serde_json::from_str(PUBLISHED).unwrap();
    let text = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    let each = all.as_object().unwrap().values();
    each.map(|case| {
        (
            case["json"].clone(),
            text(case, "password"),
            text(case, "priv"),
        )
    })
    .collect()
}

fn parse(value: &Value) -> Result<Keystore, KeystoreError> {
    Keystore::parse(&value.to_string())
}

/// The cheaper one of the two.
fn sound() -> (Value, String) {
    let (mut keystore, password, _) = published().remove(0);
    keystore["address"] = json!(ADDRESS);
    (keystore, password)
}

fn changed(pointer: &str, to: Value) -> Value {
    let (mut keystore, _) = sound();
    *keystore.pointer_mut(pointer).unwrap() = to;
    keystore
}

#[test]
fn the_published_vectors_open() {
    let cases = published();
    let kinds: Vec<_> = cases
        .iter()
        .map(|(keystore, ..)| keystore["crypto"]["kdf"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["pbkdf2", "scrypt"]);
    for (keystore, password, secret) in &cases {
        let key = parse(keystore).unwrap().open(password.as_bytes()).unwrap();
        assert_eq!(hex::encode(key.key.to_bytes()), *secret);
        assert_eq!(hex::encode(key.address().as_bytes()), ADDRESS);
        let wrong = parse(keystore).unwrap().open(b"testpasswore");
        assert_eq!(wrong.unwrap_err(), KeystoreError::Password);
    }
}

/// Wallet files of several programs, as ethers.js publishes them: each opens to its address. The two of the
/// crowdsale of 2014 are another format.
#[test]
fn the_published_wallets_of_other_programs_open() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/tests/vectors/ethers/wallets.json.gz"
    );
    let output = std::process::Command::new("gzip")
        .args(["--decompress", "--stdout", file])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("gzip is a part of every Debian");
    let wallets: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (mut opened, mut refused) = (0, 0);
    for wallet in wallets.as_array().unwrap() {
        let text = |name: &str| wallet[name].as_str().unwrap();
        let keystore = Keystore::parse(text("content"));
        if text("type") == "crowdsale" {
            assert_eq!(keystore.unwrap_err(), KeystoreError::Form);
            refused += 1;
            continue;
        }
        let password = hex::decode(text("password").trim_start_matches("0x")).unwrap();
        let key = keystore.unwrap().open(&password).unwrap();
        assert_eq!(
            key.address().to_string(),
            text("address"),
            "{}",
            text("name")
        );
        opened += 1;
    }
    assert_eq!((opened, refused), (7, 2));
}

#[test]
fn the_address_is_the_keys_own() {
    let (keystore, password) = sound();
    for named in [
        json!(ADDRESS),
        json!(format!("0x{ADDRESS}")),
        json!(ADDRESS.to_uppercase()),
        json!(""),
        Value::Null,
    ] {
        let mut keystore = keystore.clone();
        keystore["address"] = named;
        assert!(parse(&keystore).unwrap().open(password.as_bytes()).is_ok());
    }
    let other = changed(
        "/address",
        json!("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"),
    );
    let opened = parse(&other).unwrap().open(password.as_bytes());
    assert_eq!(opened.unwrap_err(), KeystoreError::Address);
}

/// Whoever changes the file gets no key out of it that the password did not protect.
#[test]
fn a_changed_file_does_not_open() {
    let (keystore, password) = sound();
    let flipped = |pointer: &str| {
        let text = keystore.pointer(pointer).unwrap().as_str().unwrap();
        let other = if text.starts_with('0') { "1" } else { "0" };
        changed(pointer, json!(format!("{other}{}", &text[1..])))
    };
    for (case, expected) in [
        (flipped("/crypto/ciphertext"), KeystoreError::Password),
        (flipped("/crypto/mac"), KeystoreError::Password),
        (flipped("/crypto/kdfparams/salt"), KeystoreError::Password),
        (
            changed("/crypto/kdfparams/c", json!(262_143)),
            KeystoreError::Password,
        ),
        // The MAC does not cover it: another key comes out, and the address tells.
        (flipped("/crypto/cipherparams/iv"), KeystoreError::Address),
    ] {
        let opened = parse(&case).unwrap().open(password.as_bytes());
        assert_eq!(opened.unwrap_err(), expected, "{case}");
    }
}

/// Nothing is computed before the costs are judged.
#[test]
fn costs_are_capped_before_they_are_paid() {
    let (mut scrypt, ..) = published().remove(1);
    for (n, r, p) in [
        (0_u64, 8, 1),
        (1, 8, 1),
        (3, 8, 1),
        (262_143, 8, 1),
        (262_144, 0, 1),
        (262_144, 8, 0),
        (1 << 21, 8, 1),
        (262_144, 64, 1),
        (262_144, 8, 9),
        (2, 1, u32::MAX),
        (1 << 63, 1, 1),
        (1 << 63, u32::MAX, u32::MAX),
    ] {
        scrypt["crypto"]["kdfparams"]["n"] = json!(n);
        scrypt["crypto"]["kdfparams"]["r"] = json!(r);
        scrypt["crypto"]["kdfparams"]["p"] = json!(p);
        let judged = parse(&scrypt).unwrap_err();
        assert_eq!(judged, KeystoreError::Cost, "{n} {r} {p}");
    }
    for (n, r, p) in [(1 << 20, 8, 1), (262_144, 8, 8), (4096, 8, 6)] {
        scrypt["crypto"]["kdfparams"]["n"] = json!(n);
        scrypt["crypto"]["kdfparams"]["r"] = json!(r);
        scrypt["crypto"]["kdfparams"]["p"] = json!(p);
        assert!(parse(&scrypt).is_ok(), "{n} {r} {p}");
    }
    for (pointer, to) in [
        ("/crypto/kdfparams/c", json!(0)),
        ("/crypto/kdfparams/c", json!(10_000_001)),
        ("/crypto/kdfparams/c", json!(u32::MAX)),
        ("/crypto/kdfparams/dklen", json!(31)),
        ("/crypto/kdfparams/dklen", json!(64)),
        ("/crypto/kdfparams/dklen", json!(u32::MAX)),
        ("/crypto/kdfparams/salt", json!("00".repeat(129))),
    ] {
        let judged = parse(&changed(pointer, to)).unwrap_err();
        assert_eq!(judged, KeystoreError::Cost, "{pointer}");
    }
}

#[test]
fn other_files_are_no_keystores() {
    for (pointer, to, expected) in [
        ("/version", json!(1), KeystoreError::Version),
        ("/version", json!(4), KeystoreError::Version),
        ("/version", json!("3"), KeystoreError::Form),
        (
            "/crypto/cipher",
            json!("aes-256-ctr"),
            KeystoreError::Algorithm,
        ),
        (
            "/crypto/cipher",
            json!("aes-128-cbc"),
            KeystoreError::Algorithm,
        ),
        ("/crypto/kdf", json!("bcrypt"), KeystoreError::Algorithm),
        ("/crypto/kdf", json!("scrypt"), KeystoreError::Form),
        (
            "/crypto/kdfparams/prf",
            json!("hmac-sha1"),
            KeystoreError::Algorithm,
        ),
        ("/crypto/kdfparams/prf", Value::Null, KeystoreError::Form),
        ("/crypto/kdfparams/c", json!(-1), KeystoreError::Form),
        ("/crypto/kdfparams/c", json!(1.5), KeystoreError::Form),
        ("/crypto/kdfparams/salt", json!("0"), KeystoreError::Form),
        ("/crypto/cipherparams/iv", json!("00"), KeystoreError::Form),
        (
            "/crypto/ciphertext",
            json!("00".repeat(33)),
            KeystoreError::Form,
        ),
        ("/crypto/mac", json!("zz".repeat(32)), KeystoreError::Form),
        ("/address", json!("00"), KeystoreError::Form),
        ("/crypto", json!({}), KeystoreError::Form),
    ] {
        let judged = parse(&changed(pointer, to.clone())).unwrap_err();
        assert_eq!(judged, expected, "{pointer} {to}");
    }
    let (keystore, _) = sound();
    let twice = keystore
        .to_string()
        .replacen("\"version\":3", "\"version\":3,\"version\":3", 1);
    for text in ["", "{}", "[1,2]", "null", &twice] {
        assert_eq!(
            Keystore::parse(text).unwrap_err(),
            KeystoreError::Form,
            "{text}"
        );
    }
}

/// The private key of EIP-155's example, over a text that viem and eth-account signed
/// (shared/tests/golden/statements/signatures.txt).
#[test]
fn what_is_signed_is_what_other_programs_sign() {
    let key = SigningKey::from_slice(&[0x46; 32]).unwrap();
    let key = EthereumKey {
        address: address_of(key.verifying_key()),
        key: Box::new(key),
    };
    let text = include_str!("../../shared/tests/golden/statements/release-pause.txt").trim_end();
    let signed = include_str!("../../shared/tests/golden/statements/signatures.txt");
    let theirs = signed
        .lines()
        .find_map(|line| line.strip_prefix("release-pause eip191 "))
        .unwrap();
    let payload = format!("\x19Ethereum Signed Message:\n{}{text}", text.len());
    assert_eq!(hex::encode(key.sign(payload.as_bytes())), theirs);
    assert_eq!(format!("{key:?}"), "EthereumKey");
}
