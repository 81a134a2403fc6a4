//! Bodies of requests: read strictly, resolved by one document, refused by code.

use super::*;
use crate::claim::BATCH_LIMIT;
use crate::policy::call::tests::{VAULT, deposit};
use crate::policy::document::tests::sample;

const BODY: &str = r#"{"signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"eip155:31337","to":"@hosting","amount":"0.00000001"}"#;

fn wallet() -> Account {
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
        .parse()
        .expect("an address")
}

#[test]
fn contacts_and_units_come_from_the_policy() {
    let request = TransferRequest::parse(BODY.as_bytes()).expect("a sound body");
    let claim = request
        .resolve(&sample(), wallet())
        .expect("all names known");
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
        assert_eq!(
            request.resolve(&sample(), wallet()),
            Err(code),
            "{from} -> {to}"
        );
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
    let claim = TransferRequest::parse(body.as_bytes())?.resolve(&of_token(), wallet())?;
    Ok(claim.single().expect("one approval").clone())
}

#[test]
fn an_approval_says_so_and_names_its_spender() {
    let approval = asked("", "").expect("sound");
    assert!(matches!(
        approval.effects().as_slice(),
        [Effect::Approval { amount, .. }] if *amount == Amount::from_base_units(12_500_000)
    ));
    let in_units = asked("\"amount_base\":\"12500000\"", "\"amount\":\"12.5\"");
    assert_eq!(in_units, Ok(approval));
    // Nothing is what takes an approval back.
    let none = asked("12500000", "0").expect("sound");
    assert_eq!(none.amount, Amount::ZERO);
    // A transfer may say what it is, and is what it was without saying so.
    let named = BODY.replacen('{', "{\"type\":\"transfer\",", 1);
    assert_eq!(
        TransferRequest::parse(named.as_bytes()),
        TransferRequest::parse(BODY.as_bytes())
    );
}

/// What a token program of Solana lets somebody take is no approval that this version signs.
#[test]
fn an_approval_of_a_mint_is_not_supported() {
    let body = r#"{"type":"approve","signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"solana:localnet","asset":"solana:localnet/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v","spender":"9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM","amount_base":"5"}"#;
    assert_eq!(several_asked(body).map(drop), Err(Code::Unsupported));
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

/// Whoever asks for a permit, or has typed data to be signed, hears what to ask for in its place.
#[test]
fn permits_and_typed_data_have_a_code_of_their_own() {
    let refused = |from: &str, to: &str| {
        let body = APPROVAL.replacen(from, to, 1);
        assert_ne!(body, APPROVAL, "{to}");
        TransferRequest::parse(body.as_bytes()).expect_err(to)
    };
    for kind in [
        "permit",
        "Permit",
        "permit2",
        "permit-single",
        "PermitWitnessTransferFrom",
    ] {
        let code = refused("\"approve\"", &format!("\"{kind}\""));
        assert_eq!(code, Code::TypedDataUnsupported, "{kind}");
    }
    for field in ["primaryType", "primary_type", "types", "typed_data"] {
        let code = refused("{", &format!("{{\"{field}\":{{}},"));
        assert_eq!(code, Code::TypedDataUnsupported, "{field}");
    }
    assert!(
        Code::TypedDataUnsupported
            .message()
            .contains("exact approval (`approve`)")
    );
    // The exact approval is what passes, and any other flaw is any other flaw.
    assert!(TransferRequest::parse(APPROVAL.as_bytes()).is_ok());
    assert_eq!(refused("\"approve\"", "\"allow\""), Code::BodyMalformed);
    assert_eq!(refused("{", "{\"type\":\"permit\","), Code::BodyMalformed);
}

const CALL: &str = r#"{"type":"call","signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"eip155:31337","contract":"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB","function":"deposit(uint256,address)","args":["1000","0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"],"value":"7"}"#;

fn called(from: &str, to: &str) -> Result<Transfer, Code> {
    let body = CALL.replacen(from, to, 1);
    assert!(from == to || body != CALL, "{from}");
    let mut document = of_token();
    document.calls = vec![deposit()];
    let claim = TransferRequest::parse(body.as_bytes())?.resolve(&document, wallet())?;
    Ok(claim.single().expect("one call").clone())
}

#[test]
fn a_call_is_read_to_its_last_argument() {
    let call = called("", "").expect("sound");
    assert_eq!(call.amount, Amount::from_base_units(7));
    let effects = call.effects();
    let [
        Effect::Call {
            target,
            method,
            asset,
            value,
            told: Some(told),
        },
    ] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!(target.to_string(), VAULT);
    assert_eq!(method.as_slice(), [0x6e, 0x55, 0x3f, 0x65]);
    assert_eq!(
        (*asset, value.base_units()),
        (ChainId::Evm(31_337).native_asset(), 7)
    );
    assert_eq!(Account::Evm(told.from), wallet());
    assert_eq!(told.shown(), ["1000", &wallet().to_string()]);
    // Most calls carry nothing.
    let plain = called(",\"value\":\"7\"", "").expect("sound");
    assert_eq!(plain.amount, Amount::ZERO);
    assert_ne!(plain.effects(), call.effects());
}

#[test]
fn calls_that_are_none_are_refused_whole() {
    for (from, to) in [
        ("\"contract\":", "\"to\":"),
        ("\"type\":\"call\",", ""),
        ("\"call\"", "\"approve\""),
        (",\"function\":\"deposit(uint256,address)\"", ""),
        ("\"value\":\"7\"", "\"value\":7"),
        ("\"value\":\"7\"", "\"value\":\"-7\""),
        ("\"value\":\"7\"", "\"amount\":\"7\""),
        ("\"value\":\"7\"", "\"amount_base\":\"7\""),
        ("\"value\":\"7\"", "\"asset\":\"eip155:31337/slip44:60\""),
        ("\"1000\",", ""),
        ("\"1000\"", "1000"),
        ("\"1000\"", "\"1000\",\"1000\""),
        ("\"1000\"", "\"0x3e8\""),
        ("\"1000\"", "\"01000\""),
        ("deposit(uint256,address)", "deposit(uint,address)"),
        ("deposit(uint256,address)", "deposit(uint256, address)"),
        ("deposit(uint256,address)", "deposit(bytes,address)"),
        ("0xdbF0", "0xdbf0"),
    ] {
        assert_eq!(called(from, to), Err(Code::BodyMalformed), "{from} -> {to}");
    }
    // A transfer tells no contract anything.
    let more = APPROVAL.replacen('{', "{\"args\":[],", 1);
    assert_eq!(
        TransferRequest::parse(more.as_bytes()).err(),
        Some(Code::BodyMalformed)
    );
    // What no document registered: another function, or another contract.
    for (from, to) in [
        ("deposit(uint256,address)", "mint(uint256,address)"),
        (VAULT, "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"),
    ] {
        assert_eq!(called(from, to), Err(Code::CallNotListed), "{from} -> {to}");
    }
}

#[test]
fn an_amount_that_nobody_can_count_is_no_call() {
    let mut document = of_token();
    let token = document.assets.iter().find(|rule| rule.symbol == "USDC");
    let token = token.expect("the token").asset;
    let mut counted = deposit();
    if let Some(function) = &mut counted.function {
        function.arguments[0].spends = Some(token);
    }
    document.calls = vec![counted];
    let beyond = CALL.replacen("1000", "340282366920938463463374607431768211456", 1);
    let resolve = |body: &str| {
        TransferRequest::parse(body.as_bytes())
            .and_then(|request| request.resolve(&document, wallet()))
    };
    assert_eq!(resolve(&beyond), Err(Code::AmountInvalid));
    let effects = resolve(CALL).expect("counted").effects();
    assert!(matches!(
        effects.last(),
        Some(Effect::Call { asset, value, told: None, .. })
            if *asset == token && value.base_units() == 1000
    ));
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
    TransferRequest::parse(body.as_bytes())?.resolve(&of_solana(), wallet())
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
            "without names",
            list(&[r#"[null,"9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",null,"5"]"#]),
            Code::BodyMalformed,
        ),
        (
            "a type of another form",
            SOLANA.replacen('{', "{\"type\":{\"transfer\":null},", 1),
            Code::BodyMalformed,
        ),
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
            "a memo that a narrow display breaks in two",
            SOLANA.replace("payroll 11", "payroll  11"),
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
