//! Bodies of requests: read strictly, resolved by one document, refused by code.

use super::*;
use crate::policy::document::tests::sample;

const BODY: &str = r#"{"signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"eip155:31337","to":"@hosting","amount":"0.00000001"}"#;

#[test]
fn contacts_and_units_come_from_the_policy() {
    let request = TransferRequest::parse(BODY.as_bytes()).expect("a sound body");
    let claim = request.resolve(&sample()).expect("all names known");
    let transfer = claim.single().expect("one transfer and no memo");
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
    let claim = TransferRequest::parse(body.as_bytes())?.resolve(&of_token())?;
    Ok(*claim.single().expect("one approval"))
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

const SOLANA: &str = r#"{"signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"solana:localnet","transfers":[{"to":"9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM","amount_base":"5"},{"to":"4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA","amount":"0.000000007"},{"to":"9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM","amount_base":"5"}],"memo":"payroll 11"}"#;

fn of_solana() -> PolicyDocument {
    let mut document = sample();
    let native = "solana:localnet/slip44:501".parse().expect("SOL");
    if document.asset(native).is_none() {
        let decimals = Decimals::new(9).expect("nine");
        document
            .assets
            .push(crate::policy::document::AssetRule::closed(
                native, "SOL", decimals,
            ));
        document.sort();
    }
    document
}

fn several_asked(body: &str) -> Result<Claim, Code> {
    TransferRequest::parse(body.as_bytes())?.resolve(&of_solana())
}

#[test]
fn several_transfers_keep_their_order_and_their_memo() {
    let claim = several_asked(SOLANA).expect("sound");
    let amounts = claim.transfers().map(|one| one.amount.base_units());
    assert_eq!(amounts.collect::<Vec<_>>(), [5, 7, 5]);
    assert_eq!(claim.more().len(), 2);
    assert_eq!(claim.memo().map(Memo::as_str), Some("payroll 11"));
    assert_eq!(claim.single(), None);
    let effects = claim.effects();
    assert_eq!(effects[0], effects[2]);
    assert!(claim.is_same(&claim.clone()));
    // Every part of it tells two claims apart.
    for (from, to) in [
        (
            "\"amount_base\":\"5\"},{\"to\":\"4f",
            "\"amount_base\":\"6\"},{\"to\":\"4f",
        ),
        ("payroll 11", "payroll 12"),
        (",\"memo\":\"payroll 11\"", ""),
        ("0.000000007", "0.000000005"),
        (
            "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA",
            "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
        ),
    ] {
        let body = SOLANA.replacen(from, to, 1);
        assert_ne!(body, SOLANA, "{from}");
        let other = several_asked(&body).expect("sound");
        assert!(
            !claim.is_same(&other) && !other.is_same(&claim),
            "{from} -> {to}"
        );
    }
    // One in a list is one.
    let first = r#"{"to":"9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM","amount_base":"5"}"#;
    let start = SOLANA.find('[').expect("a list");
    let end = SOLANA.find(']').expect("a list");
    let body = format!("{}[{first}{}", &SOLANA[..start], &SOLANA[end..]);
    let listed = several_asked(&body.replace(",\"memo\":\"payroll 11\"", "")).expect("sound");
    assert!(listed.single().is_some());
}

#[test]
fn loose_lists_and_memos_are_refused_whole() {
    let list = |items: &[&str]| {
        let (start, end) = (
            SOLANA.find('[').expect("a list"),
            SOLANA.find(']').expect("a list"),
        );
        format!("{}[{}{}", &SOLANA[..start], items.join(","), &SOLANA[end..])
    };
    let one = r#"{"to":"9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM","amount_base":"5"}"#;
    assert!(several_asked(&list(&[one; BATCH_LIMIT])).is_ok());
    assert_eq!(
        several_asked(&list(&[one; BATCH_LIMIT + 1])),
        Err(Code::BatchTooLarge)
    );
    for (case, body, code) in [
        ("none", list(&[]), Code::BodyMalformed),
        (
            "a field more",
            list(&[&one.replace('{', "{\"memo\":\"x\",")]),
            Code::BodyMalformed,
        ),
        (
            "a type",
            list(&[&one.replace('{', "{\"type\":\"transfer\",")]),
            Code::BodyMalformed,
        ),
        (
            "no recipient",
            list(&[r#"{"amount_base":"5"}"#]),
            Code::BodyMalformed,
        ),
        (
            "no amount",
            list(&[one, &one.replace(",\"amount_base\":\"5\"", "")]),
            Code::AmountInvalid,
        ),
        (
            "nothing",
            list(&[one, &one.replace("\"5\"", "\"0\"")]),
            Code::AmountInvalid,
        ),
        (
            "an asset of another chain",
            list(&[one, &one.replace('{', "{\"asset\":\"eip155:1/slip44:60\",")]),
            Code::BodyMalformed,
        ),
        (
            "an address of another chain",
            list(&[
                one,
                &one.replace(
                    "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
                    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                ),
            ]),
            Code::BodyMalformed,
        ),
        (
            "a stranger's name",
            list(&[one, r#"{"to":"@nobody","amount_base":"5"}"#]),
            Code::RecipientNotListed,
        ),
        ("in a list", list(&["[1]"]), Code::BodyMalformed),
        (
            "beside a recipient",
            SOLANA.replacen('{', "{\"to\":\"@hosting\",", 1),
            Code::BodyMalformed,
        ),
        (
            "beside an amount",
            SOLANA.replacen('{', "{\"amount\":\"1\",", 1),
            Code::BodyMalformed,
        ),
        (
            "beside base units",
            SOLANA.replacen('{', "{\"amount_base\":\"1\",", 1),
            Code::BodyMalformed,
        ),
        (
            "beside an asset",
            SOLANA.replacen('{', "{\"asset\":\"solana:localnet/slip44:501\",", 1),
            Code::BodyMalformed,
        ),
        (
            "approvals",
            SOLANA.replacen('{', "{\"type\":\"approve\",", 1),
            Code::BodyMalformed,
        ),
        (
            "two lists",
            SOLANA.replacen('{', "{\"transfers\":[],", 1),
            Code::BodyMalformed,
        ),
        (
            "on an EVM chain",
            SOLANA.replace("solana:localnet", "eip155:31337"),
            Code::SolanaOnly,
        ),
        (
            "a memo on an EVM chain",
            BODY.replacen('{', "{\"memo\":\"x\",", 1),
            Code::SolanaOnly,
        ),
        (
            "a number for a memo",
            SOLANA.replace("\"payroll 11\"", "11"),
            Code::BodyMalformed,
        ),
        (
            "an empty memo",
            SOLANA.replace("payroll 11", ""),
            Code::MemoMalformed,
        ),
        (
            "a memo of two lines",
            SOLANA.replace("payroll 11", "a\\nb"),
            Code::MemoMalformed,
        ),
        (
            "a memo with a bar",
            SOLANA.replace("payroll 11", "a|b"),
            Code::MemoMalformed,
        ),
        (
            "a memo with more than ASCII",
            SOLANA.replace("payroll 11", "\u{430}"),
            Code::MemoMalformed,
        ),
        (
            "a long memo",
            SOLANA.replace("payroll 11", &"m".repeat(129)),
            Code::MemoMalformed,
        ),
    ] {
        assert_eq!(several_asked(&body), Err(code), "{case}");
    }
}
