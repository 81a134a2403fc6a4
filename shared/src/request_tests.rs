//! Bodies of requests: read strictly, resolved by one document, refused by code.

use super::*;
use crate::policy::document::tests::sample;

const BODY: &str = r#"{"signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"eip155:31337","to":"@hosting","amount":"0.00000001"}"#;

#[test]
fn contacts_and_units_come_from_the_policy() {
    let request = TransferRequest::parse(BODY.as_bytes()).expect("a sound body");
    let transfer = request.resolve(&sample()).expect("all names known");
    assert_eq!(
        transfer.to.to_string(),
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    );
    assert_eq!(transfer.amount, Amount::from_base_units(10));
    assert!(request.submit);
}

#[test]
fn loose_bodies_are_refused_whole() {
    for (case, from, to) in [
        ("unknown field", "\"to\"", "\"tier\":\"INSTANT\",\"to\""),
        ("doubled field", "\"to\":", "\"to\":\"@x\",\"to\":"),
        ("number for amount", "\"0.00000001\"", "1"),
        (
            "missing wallet",
            "\"wallet\":\"wallet_00000000000000000000000001\",",
            "",
        ),
        ("wrong id", "wallet_0", "owner_0"),
        ("trailing", "}", "} x"),
        ("control in reason", "\"to\"", "\"reason\":\"a\\nb\",\"to\""),
        ("lone surrogate", "@hosting", "\\ud800"),
    ] {
        let body = BODY.replacen(from, to, 1);
        assert_ne!(body, BODY, "{case}");
        assert_eq!(
            TransferRequest::parse(body.as_bytes()),
            Err(Code::BodyMalformed),
            "{case}"
        );
    }
    // The values in the order of the fields, without their names.
    let listed = r#"["signer_00000000000000000000000001","wallet_00000000000000000000000001","eip155:31337",null,"@hosting","0.00000001",null,null,true,null]"#;
    for list in [listed, &format!(" {listed}"), "null", "\"x\"", "7"] {
        assert_eq!(
            TransferRequest::parse(list.as_bytes()),
            Err(Code::BodyMalformed)
        );
    }
    let signer = r#"{"signer":"signer_00000000000000000000000001"}"#;
    assert!(SignerRequest::parse(signer.as_bytes()).is_ok());
    assert_eq!(
        SignerRequest::parse(br#"["signer_00000000000000000000000001"]"#),
        Err(Code::BodyMalformed)
    );
    let deep = format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(
        TransferRequest::parse(deep.as_bytes()),
        Err(Code::BodyMalformed)
    );
    assert_eq!(
        TransferRequest::parse(&vec![b' '; BODY_LIMIT_BYTES + 1]),
        Err(Code::BodyTooLarge)
    );
}

#[test]
fn unresolvable_requests_are_refused_by_code() {
    for (from, to, code) in [
        ("@hosting", "@nobody", Code::RecipientNotListed),
        (
            "@hosting",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            Code::BodyMalformed,
        ),
        (
            "@hosting",
            "11111111111111111111111111111111",
            Code::BodyMalformed,
        ),
        ("0.00000001", "0.0000000001", Code::AmountInvalid),
        ("0.00000001", "0", Code::AmountInvalid),
        (
            "\"amount\"",
            "\"amount_base\":\"1\",\"amount\"",
            Code::AmountInvalid,
        ),
        (",\"amount\":\"0.00000001\"", "", Code::AmountInvalid),
        ("eip155:31337", "eip155:1", Code::RecipientNotListed),
        (
            "\"to\"",
            "\"asset\":\"eip155:1/slip44:60\",\"to\"",
            Code::BodyMalformed,
        ),
    ] {
        let body = BODY.replacen(from, to, 1);
        let request = TransferRequest::parse(body.as_bytes()).expect("the shape is right");
        assert_eq!(request.resolve(&sample()), Err(code), "{from} -> {to}");
    }
}

const APPROVAL: &str = r#"{"type":"approve","signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"eip155:31337","asset":"eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913","spender":"@hosting","amount_base":"12500000"}"#;

fn of_token() -> PolicyDocument {
    let mut document = sample();
    let asset = APPROVAL
        .split('"')
        .find(|part| part.contains("erc20"))
        .and_then(|part| part.parse().ok())
        .expect("a token");
    let decimals = Decimals::new(6).expect("six");
    document
        .assets
        .push(crate::policy::document::AssetRule::closed(
            asset, "USDC", decimals,
        ));
    document.sort();
    document
}

fn asked(from: &str, to: &str) -> Result<Transfer, Code> {
    let body = APPROVAL.replacen(from, to, 1);
    assert!(from == to || body != APPROVAL, "{from}");
    TransferRequest::parse(body.as_bytes())?.resolve(&of_token())
}

#[test]
fn an_approval_says_so_and_names_its_spender() {
    let approval = asked("", "").expect("sound");
    assert!(matches!(
        approval.effect(),
        Effect::Approval { amount, .. } if amount == Amount::from_base_units(12_500_000)
    ));
    let in_units = asked("\"amount_base\":\"12500000\"", "\"amount\":\"12.5\"");
    assert_eq!(in_units, Ok(approval));
    // Nothing is what takes an approval back.
    let none = asked("12500000", "0").expect("sound");
    assert_eq!(none.effect().amount(), Amount::ZERO);
    // A transfer may say what it is, and is what it was without saying so.
    let named = BODY.replacen('{', "{\"type\":\"transfer\",", 1);
    assert_eq!(
        TransferRequest::parse(named.as_bytes()),
        TransferRequest::parse(BODY.as_bytes())
    );
}

#[test]
fn approvals_without_limit_have_a_code_of_their_own() {
    for amount in [
        "115792089237316195423570985008687907853269984665640564039457584007913129639935",
        "340282366920938463463374607431768211456",
        "340282366920938463463374607431768211455",
        "79228162514264337593543950335",
    ] {
        assert_eq!(
            asked("12500000", amount),
            Err(Code::ApprovalUnlimited),
            "{amount}"
        );
        let in_units = format!("\"amount\":\"{amount}\"");
        let told = asked("\"amount_base\":\"12500000\"", &in_units);
        let fits = amount.len() < 30;
        let expected = (!fits).then_some(Code::ApprovalUnlimited);
        assert_eq!(told.err(), expected, "{amount}");
    }
    assert!(asked("12500000", "79228162514264337593543950334").is_ok());
    // Of a transfer such a number is no amount.
    let body = APPROVAL
        .replace("\"type\":\"approve\",", "")
        .replace("spender", "to")
        .replace("12500000", "340282366920938463463374607431768211456");
    assert_eq!(
        TransferRequest::parse(body.as_bytes()),
        Err(Code::BodyMalformed)
    );
}

#[test]
fn approvals_of_another_form_are_refused() {
    for (from, to) in [
        ("\"approve\"", "\"transfer\""),
        ("\"approve\"", "\"Approve\""),
        ("\"approve\"", "\"permit\""),
        ("\"approve\"", "\"increase-allowance\""),
        ("\"approve\"", "null"),
        ("\"approve\"", "1"),
        ("\"spender\"", "\"to\""),
        ("\"spender\"", "\"to\":\"@hosting\",\"spender\""),
        ("\"type\":\"approve\",", ""),
        (
            "\"asset\":\"eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913\",",
            "",
        ),
        (
            "eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
            "eip155:31337/slip44:60",
        ),
        ("\"12500000\"", "\"-1\""),
        ("\"12500000\"", "\"0x1\""),
        ("\"12500000\"", "\"unlimited\""),
        (
            "\"type\":\"approve\"",
            "\"type\":\"approve\",\"type\":\"approve\"",
        ),
    ] {
        assert_eq!(asked(from, to), Err(Code::BodyMalformed), "{from} -> {to}");
    }
    assert_eq!(
        asked("\"amount_base\":\"12500000\"", "\"reason\":\"x\""),
        Err(Code::AmountInvalid)
    );
}
