//! What an agent writes into a payment's fields to be read otherwise than it is judged.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use xtask::agent::fresh;

use super::stage::{EVM, FEE_CEILING, PER_TRANSACTION, Stage, TO, answer, code};
use super::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "G06",
        "numbers that two programs read in two ways",
        number_forms,
    ),
    case(
        "G08",
        "what is the signer's to say, said in the request",
        said_by_the_agent,
    ),
    case(
        "G11",
        "another body under a used key",
        another_body_under_a_key,
    ),
    case("G01", "amounts at and beyond every edge", edges),
    case("G07", "units and decimals of the agent's own", units),
    case("G09", "a recipient in other forms", recipient_forms),
    case("G10", "an address that looks like a contact's", look_alike),
];

/// Refused, and nothing else happened.
fn refused(stage: &Stage, body: &Value) -> Result<Value> {
    let (status, told) = stage.ask(body)?;
    ensure!((400..500).contains(&status), "{body}: {status} {told}");
    for name in ["code", "hint", "next"] {
        ensure!(told[name].is_string(), "{body}: {told} lacks {name}");
    }
    Ok(told)
}

fn number_forms(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let mut forms: Vec<String> = [
        "",
        " ",
        "1e3",
        "1E3",
        "1e-3",
        "+1",
        "-1",
        "-0",
        " 1",
        "1 ",
        "1\t",
        "\n1",
        "01",
        "00",
        "0x10",
        "0X10",
        "0b1",
        "0o7",
        "1_000",
        "1,000",
        "1,0",
        "1'000",
        "1 000",
        "\u{ff11}",
        "\u{0661}",
        "\u{0967}",
        "\u{00b2}",
        "\u{2460}",
        "1\u{200b}",
        "\u{feff}1",
        "1\u{0}",
        "\u{2212}1",
        "1.",
        ".1",
        "1.0",
        "1..0",
        "1.0.0",
        "0.",
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "inf",
        "null",
        "true",
        "one",
        "1/2",
        "50%",
        "$1",
        "1ETH",
        "1 ETH",
        "1wei",
        "1n",
        "1f",
        "1u128",
        "(1)",
        "1;2",
        "1|2",
        "1&2",
        "{}",
        "[]",
        "[1]",
        "\"1\"",
        "0x",
        "--1",
        "++1",
        "+-1",
        "1+1",
        "1*2",
        "340282366920938463463374607431768211456",
        "115792089237316195423570985008687907853269984665640564039457584007913129639935",
        "18446744073709551616000000000000000000000",
    ]
    .map(str::to_owned)
    .into();
    forms.push("9".repeat(1000));
    ensure!(forms.len() >= 60, "{}", forms.len());
    for form in &forms {
        refused(stage, &stage.body_with("amount_base", json!(form)))?;
    }
    // As a number, of which some programs make a float, and in the asset's unit.
    for number in [
        json!(1),
        json!(1.5),
        json!(1e300),
        json!(-1),
        json!(null),
        json!(true),
        json!([1]),
        json!({}),
    ] {
        refused(stage, &stage.body_with("amount_base", number))?;
    }
    let mut by_unit = stage.body(1);
    for form in [
        "1.0000000000000000001",
        "0.0000000000000000001",
        "1e-18",
        ".5",
        "0,5",
        "00.5",
        "0.50 ",
        "5.",
        "0",
        "0.0",
    ] {
        if let Some(fields) = by_unit.as_object_mut() {
            fields.remove("amount_base");
            fields.insert("amount".to_owned(), json!(form));
        }
        refused(stage, &by_unit)?;
    }
    stage.unpaid_since(&before)
}

fn said_by_the_agent(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    for (name, value) in [
        ("tier", json!("INSTANT")),
        ("price", json!("1")),
        ("usd", json!("0.01")),
        ("effects", json!([])),
        ("approved", json!(true)),
        ("approval", json!("yes")),
        ("owner_signature", json!("AA==")),
        ("signature", json!("AA==")),
        ("fee", json!("0")),
        ("fee_max_base", json!("0")),
        ("max_fee", json!("1")),
        ("gas", json!(21_000)),
        ("gas_price", json!("1")),
        ("nonce", json!(7)),
        ("decimals", json!(0)),
        ("symbol", json!("ETH")),
        ("policy", json!({})),
        ("policy_epoch", json!(9)),
        ("session", json!(stage.other.session)),
        ("agent", json!("owner")),
        ("role", json!("owner")),
        ("transaction", json!("tx_00000000000000000000000001")),
        ("idempotency_key", json!("other")),
        ("raw", json!("0x02")),
        ("data", json!("0x")),
        ("digest", json!("00")),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("charged", json!("0")),
        ("limits", json!([])),
        ("delay", json!(0)),
        ("wait", json!(0)),
        ("first_payment", json!(false)),
        ("__proto__", json!({})),
    ] {
        let told = refused(stage, &stage.body_with(name, value))?;
        ensure!(code(&told) == "body_malformed", "{name}: {told}");
    }
    // A field twice, of which each of two programs might read another one.
    let sound = stage.body(1000).to_string();
    for doubled in [
        "\"amount_base\":\"1\"",
        "\"to\":\"@shop\"",
        "\"wallet\":\"x\"",
        "\"submit\":true,\"submit\":false",
    ] {
        let body = sound.replacen('{', &format!("{{{doubled},"), 1);
        let (status, told) = stage.ask_bytes(body.into_bytes())?;
        ensure!(status == 400, "{doubled}: {status} {told}");
    }
    stage.unpaid_since(&before)
}

fn another_body_under_a_key(stage: &mut Stage) -> Result<()> {
    let key = fresh()?;
    let (status, first) = stage.pay(7000, &key, 60)?;
    ensure!(status == 201, "{first}");
    let before = stage.paid()?;
    let sound = stage.body(7000);
    for (name, value) in [
        ("amount_base", json!("7001")),
        ("amount_base", json!("1")),
        ("to", json!("@shop")),
        ("to", json!("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359")),
        ("reason", json!("another")),
        ("speed", json!("fast")),
        ("submit", json!(true)),
        ("asset", json!(format!("{EVM}/slip44:60"))),
        ("type", json!("transfer")),
    ] {
        let mut other = sound.clone();
        other[name] = value;
        let request = stage.bearer.post("/v1/transactions", &key, &other)?;
        let (status, told) = answer(stage.bearer.send(&request)?)?;
        // Whom policy does not list is refused for that first.
        let stranger = name == "to" && code(&told) == "recipient_not_listed";
        ensure!(
            stranger || code(&told) == "idempotency_conflict",
            "{name}: {status} {told}"
        );
    }
    // Also one that says the same with other bytes.
    let spaced = sound.to_string().replace("\":\"", "\": \"");
    let request = stage
        .bearer
        .post_bytes("/v1/transactions", &key, spaced.into_bytes())?;
    let (status, told) = answer(stage.bearer.send(&request)?)?;
    ensure!(status == 409, "{status} {told}");
    let (status, again) = stage.pay(7000, &key, 60)?;
    ensure!(
        status == 200 && again["transaction"] == first["transaction"],
        "{again}"
    );
    stage.unpaid_since(&before)
}

fn edges(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let judged = |amount: &str| {
        let body = stage.body_with("amount_base", json!(amount));
        let request = stage
            .bearer
            .post("/v1/transactions/dry-run", &fresh()?, &body)?;
        answer(stage.bearer.send(&request)?)
    };
    // Up to the limit with the fee, and not one unit more, by what the judgement says itself.
    let below = PER_TRANSACTION - FEE_CEILING;
    let (status, told) = judged(&below.to_string())?;
    ensure!(status == 200 && told["allowed"] == true, "{told}");
    let (status, told) = judged(&PER_TRANSACTION.to_string())?;
    ensure!(status == 200 && told["allowed"] == false, "{told}");
    let most = told["refusal"]["allowed_now"].as_str().unwrap_or_default();
    ensure!(most == PER_TRANSACTION.to_string(), "{told}");
    for amount in [
        "0".to_owned(),
        (PER_TRANSACTION + 1).to_string(),
        u64::MAX.to_string(),
        "18446744073709551616".to_owned(),
        u128::MAX.to_string(),
        "340282366920938463463374607431768211456".to_owned(),
        "115792089237316195423570985008687907853269984665640564039457584007913129639935".to_owned(),
    ] {
        let told = refused(stage, &stage.body_with("amount_base", json!(amount)))?;
        ensure!(
            told["allowed_now"].is_null() || told["next"] == "pay_less",
            "{told}"
        );
    }
    stage.unpaid_since(&before)?;
    // One base unit is a payment.
    let balance = stage.chain.balance(TO)?;
    let (status, told) = stage.pay(1, &fresh()?, 60)?;
    ensure!(status == 201, "{told}");
    ensure!(stage.chain.balance(TO)? == balance + 1);
    Ok(())
}

fn units(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    // Whole units in place of base units are judged as what they say: 100 of them are above every limit.
    let mut whole = stage.body(1);
    if let Some(fields) = whole.as_object_mut() {
        fields.remove("amount_base");
        fields.insert("amount".to_owned(), json!("100"));
    }
    let told = refused(stage, &whole)?;
    ensure!(
        told["violations"][0]["observed"]
            .as_str()
            .is_some_and(|seen| seen.len() > 20),
        "{told}"
    );
    for decimals in [0, 6, 9, 18] {
        refused(stage, &stage.body_with("decimals", json!(decimals)))?;
    }
    let mut both = stage.body(1);
    both["amount"] = json!("0.000000000000000001");
    refused(stage, &both)?;
    for asset in [
        format!("{EVM}/slip44:0"),
        format!("{EVM}/slip44:501"),
        "solana:localnet/slip44:501".to_owned(),
        "eip155:1/slip44:60".to_owned(),
        format!("{EVM}/erc20:{TO}"),
        "ETH".to_owned(),
        "USDC".to_owned(),
    ] {
        refused(stage, &stage.body_with("asset", json!(asset)))?;
    }
    stage.unpaid_since(&before)
}

fn recipient_forms(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let digits = TO.trim_start_matches("0x");
    for to in [
        TO.to_ascii_lowercase(),
        format!("0x{}", digits.to_ascii_uppercase()),
        format!("0X{digits}"),
        digits.to_owned(),
        format!(" {TO}"),
        format!("{TO} "),
        format!("{TO}\n"),
        format!("{TO}\u{0}"),
        format!("\u{200b}{TO}"),
        format!("0x00{digits}"),
        format!("0x{}", &digits.chars().skip(1).collect::<String>()),
        // One letter's case: the checksum says it.
        TO.replacen('A', "a", 1),
        format!("{EVM}:{TO}"),
        format!("eip155:1:{TO}"),
        format!("ethereum:{TO}"),
        "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM".to_owned(),
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq".to_owned(),
        "shop".to_owned(),
        "@Shop".to_owned(),
        "@shop ".to_owned(),
        "@@shop".to_owned(),
        "@sh\u{043e}p".to_owned(),
        "@".to_owned(),
        "vitalik.eth".to_owned(),
        "toly.sol".to_owned(),
        String::new(),
        "0x0000000000000000000000000000000000000000".to_owned(),
    ] {
        refused(stage, &stage.body_with("to", json!(to)))?;
    }
    for to in [json!(null), json!(7), json!([TO]), json!({ "address": TO })] {
        refused(stage, &stage.body_with("to", to))?;
    }
    stage.unpaid_since(&before)
}

/// The first and last six digits are the contact's.
fn look_alike(stage: &mut Stage) -> Result<()> {
    let before = stage.paid()?;
    let bytes: Vec<u8> = (0..20).map(|place| 0x31 + place).collect();
    let middle: String = bytes
        .iter()
        .take(14)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let digits = TO.trim_start_matches("0x").to_ascii_lowercase();
    let (head, tail) = (
        digits.get(..6).unwrap_or_default(),
        digits.get(34..).unwrap_or_default(),
    );
    let made: String = [head, &middle, tail].concat();
    let mut plain = [0; 20];
    hex::decode_to_slice(made, &mut plain)?;
    let like = waiaas_shared::address::EvmAddress::from_bytes(plain).to_string();
    ensure!(like != TO && like.len() == TO.len());
    let told = refused(stage, &stage.body_with("to", json!(like)))?;
    ensure!(code(&told) == "recipient_not_listed", "{told}");
    stage.unpaid_since(&before)
}
