//! Both forms say the same, and nothing else is read.

use proptest::prelude::*;

use super::super::document::tests::{full, sample};
use super::super::document::{AssetRule, CallFunction, CallRule, UsdPrice};
use super::super::evaluate::Tier;
use super::super::scope::Hours;
use super::*;
use crate::amount::{Amount, Decimals};
use crate::time::Millis;

#[test]
fn both_forms_say_the_same() {
    for document in [sample(), full(), PolicyDocument::closed(1)] {
        let text = write(&document);
        assert_eq!(parse(&text).expect(&text), document, "{text}");
    }
}

#[test]
fn what_is_left_out_is_the_default_and_nothing_more() {
    let text = "version = 1\nepoch = 7\n";
    assert_eq!(parse(text).expect("enough"), PolicyDocument::closed(7));
    // Without the tiers that wait or ask, nothing above NOTIFY passes.
    let mut document = sample();
    let text: String = write(&document)
        .lines()
        .filter(|line| !line.starts_with("delay-up-to") && !line.starts_with("approve-up-to"))
        .map(|line| format!("{line}\n"))
        .collect();
    for rule in &mut document.assets {
        (rule.delay_up_to, rule.approve_up_to) = (rule.notify_up_to, rule.notify_up_to);
    }
    assert_eq!(parse(&text).expect("enough"), document);
}

/// The starter policy as its file has it, and the next one with the alarm that stands in it as a comment, in
/// canonical bytes: the signer's own tests adopt these (`signer/src/core/tests/starter.rs`).
#[test]
fn the_starter_policy_is_its_golden_file() {
    const STARTER: &str = include_str!("../../../../docs/starter-policy.toml");
    let (plain, alarm) = STARTER
        .split_once("# [[alarm]]\n")
        .expect("an alarm to switch on");
    let switched: String = alarm
        .lines()
        .map(|line| line.strip_prefix("# ").expect("the file's end").to_owned() + "\n")
        .collect();
    let next = format!("{plain}[[alarm]]\n{switched}").replacen("epoch = 1\n", "epoch = 2\n", 1);
    for (name, text) in [("starter", STARTER), ("starter-alarm", &next)] {
        let document = parse(text).expect(name);
        assert_eq!(document.alarms.len(), usize::from(name != "starter"));
        let file = format!(
            "{}/tests/golden/policies/{name}.txt",
            env!("CARGO_MANIFEST_DIR")
        );
        let bytes = hex::encode(document.to_bytes()) + "\n";
        if std::env::var_os("WAIAAS_REGENERATE").is_some() {
            std::fs::write(&file, &bytes).expect("the golden folder is writable");
        }
        let golden = std::fs::read_to_string(&file).expect(&file);
        assert!(golden == bytes, "{name} has changed: WAIAAS_REGENERATE=1");
    }
}

/// A severity is another word for its remedy: the same document, the same bytes, written as the remedy.
#[test]
fn a_severity_stands_for_its_remedy() {
    let text = |last: &str| {
        format!("version = 1\nepoch = 7\n[[alarm]]\nkind = \"open-payments\"\ncount = 3\n{last}\n")
    };
    for (severity, remedy) in [
        ("low", "tell"),
        ("medium", "suspend-session"),
        ("high", "pause-wallet"),
        ("critical", "kill"),
    ] {
        let by_severity = parse(&text(&format!("severity = {severity:?}"))).expect("a severity");
        let by_remedy = parse(&text(&format!("remedy = {remedy:?}"))).expect("a remedy");
        assert_eq!(by_severity.to_bytes(), by_remedy.to_bytes());
        assert!(write(&by_severity).contains(remedy) && !write(&by_severity).contains("severity"));
    }
    for both in ["", "remedy = \"tell\"\nseverity = \"low\""] {
        let refused = parse(&text(both)).expect_err("exactly one").to_string();
        assert!(
            refused.contains("exactly one of remedy and severity"),
            "{refused}"
        );
    }
    // What a document may not have, it has by no other name.
    let kill = "version = 1\nepoch = 7\n[[alarm]]\nkind = \"denials-in-a-row\"\ncount = 3\n\
                severity = \"critical\"\n";
    assert!(parse(kill).is_err());
}

#[test]
fn unknown_keys_and_loose_values_are_refused() {
    let text = write(&full());
    for (from, to) in [
        ("symbol", "simbol"),
        ("version = 1", "version = 1\nextra = 1"),
        ("hour = \"0.0000002\"", "hour = \"2e-7\""),
        ("hour = \"0.0000002\"", "hour = 2"),
        ("maturity = \"24h\"", "maturity = 24"),
        ("maturity = \"24h\"", "maturity = \"24\""),
        ("maturity = \"24h\"", "maturity = \"24 h\""),
        ("maturity = \"24h\"", "maturity = \"h\""),
        (
            "first-payment = \"APPROVAL\"",
            "first-payment = \"approval\"",
        ),
        ("\"0xa9059cbb\"", "\"a9059cbb\""),
        ("\"0xa9059cbb\"", "\"0xA9059CBB\""),
        ("deposit(uint256,address)", "deposit(uint256)"),
        ("deposit(uint256,address)", "deposit(uint256, address)"),
        ("max = \"1000\"", "max = \"-1\""),
        ("max = \"1000\"", "max = 1000"),
        ("max = \"1000\"", "max = \"1000\"\nany = true"),
        ("max = \"1000\"", "min = \"1000\""),
        ("max = \"1000\"", "one-of = []"),
        ("max = \"1000\"", "any = false"),
        ("max = \"1000\"", "spends = \"eip155:31337/slip44:60\""),
        ("wallet = true", "wallet = false"),
        ("\"09:00\"", "\"9:00\""),
        ("\"09:00\"", "\"24:01\""),
        ("\"+09:00\"", "\"09:00\""),
        ("\"mon\"", "\"monday\""),
        ("\"pool:ops\"", "\"pool ops\""),
        ("\"denials-in-a-row\"", "\"denials\""),
        ("count = 5", "times = 5"),
        ("\"suspend-session\"", "\"suspend\""),
        (
            "remedy = \"suspend-session\"",
            "severity = \"suspend-session\"",
        ),
        ("remedy = \"suspend-session\"", "severity = \"Medium\""),
        (
            "remedy = \"suspend-session\"",
            "remedy = \"suspend-session\"\nseverity = \"medium\"",
        ),
        ("remedy = \"suspend-session\"\n", ""),
        ("valid-for = \"10m\"", "valid-for = 600"),
        ("valid-for = \"10m\"", "validity = \"10m\""),
        (
            "domain = \"app.example.org\"",
            "domain = \"app.example.org/\"",
        ),
        ("\"hour_limit\"", "\"hour-limit\""),
        ("\"ask\"", "\"approve\""),
        ("window = \"day\"", "window = \"24h\""),
        ("basis-points = 50", "basis-points = 0.5"),
        ("usd-price = \"200\"", "usd-price = \"200.0000001\""),
        ("usd-price = \"200\"", "usd-price = \"20000000000000\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}\n{text}");
        assert!(parse(&changed).is_err(), "{from} -> {to}");
    }
}

#[test]
fn a_call_is_closed_where_nothing_is_said() {
    let head = write(&sample()).replace("call = []\n", "");
    let read = |call: &str| parse(&format!("{head}\n[[call]]\n{call}")).map(|it| it.calls);
    let target = "target = \"eip155:31337:0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB\"";
    // Tier and value are the strictest if they are left out.
    let least = read(&format!("{target}\nfunction = \"claim()\"")).expect("enough");
    assert_eq!(
        least[0],
        CallRule::of_function(
            least[0].target,
            CallFunction {
                signature: "claim()".parse().expect("a function"),
                arguments: vec![],
            },
            Tier::Approval,
        )
    );
    // Values are put in order, and read in their own form.
    let listed = read(&format!(
        "{target}\nfunction = \"f(uint8,int8)\"\narguments = [{{ one-of = [\"9\", \"10\"] }}, {{ one-of = [\"-1\", \"1\"] }}]"
    ));
    assert_eq!(listed.expect("sound").len(), 1);
    for wrong in [
        String::from("function = \"claim()\""),
        target.to_owned(),
        format!("{target}\nmethod = \"0x4e71d92d\""),
        format!("{target}\nmethod = \"0x4e71d92d\"\nfunction = \"claim()\""),
        format!("{target}\nfunction = \"f(bool)\""),
        format!("{target}\nfunction = \"f(bool)\"\narguments = [{{}}]"),
        format!("{target}\nfunction = \"f(bool)\"\narguments = [{{ max = \"1\" }}]"),
        format!("{target}\nfunction = \"f(bool)\"\narguments = [{{ wallet = true }}]"),
        format!(
            "{target}\nfunction = \"f(bool)\"\narguments = [{{ any = true }}, {{ any = true }}]"
        ),
        format!(
            "{target}\nfunction = \"approve(address,uint256)\"\narguments = [{{ any = true }}, {{ any = true }}]"
        ),
    ] {
        assert!(read(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_program_is_written_with_its_accounts_arguments_and_outflow() {
    let head = write(&sample()).replace("call = []\n", "");
    let read = |call: &str| parse(&format!("{head}\n[[call]]\n{call}")).map(|it| it.calls);
    let one = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";
    let least = format!("target = \"solana:localnet:{one}\"\nmethod = \"0x01\"");
    let known = read(&least).expect("enough");
    assert_eq!(known[0].tier, Tier::Approval);
    let program = known[0].program.as_ref().expect("a program");
    assert_eq!((program.accounts.len(), program.fields.len()), (0, 0));
    let coin = "solana:localnet/slip44:501";
    let whole = format!(
        "{least}\nmore-bytes = 9\naccounts = [{{ wallet = true }}, {{ address = \"{one}\", writable = true }}, {{ any = true }}]\narguments = [{{ type = \"u64\", max = \"7\", spends = \"{coin}\" }}, {{ type = \"bytes2\", one-of = [\"0x0b0a\", \"0x0a0b\"] }}]\noutflow = [{{ asset = \"{coin}\", up-to = \"0.000000002\" }}]"
    );
    let known = read(&whole).expect("sound");
    let program = known[0].program.as_ref().expect("a program");
    assert_eq!(program.outflow[0].up_to.base_units(), 2);
    assert!(program.signs() && program.accounts[1].writable && !program.accounts[2].writable);
    for wrong in [
        // Neither of a function.
        format!("{least}\nvalue-up-to = \"0\""),
        format!("{least}\nfunction = \"f()\""),
        whole.replace("any = true", ""),
        whole.replace("any = true", "any = true, wallet = true"),
        whole.replace("wallet = true", "wallet = true, writable = true"),
        whole.replace("type = \"u64\", ", ""),
        whole.replace("\"u64\"", "\"uint64\""),
        whole.replace("0x0a0b", "0x0A0B"),
        whole.replace("max = \"7\"", "max = \"7\", any = true"),
        whole.replace("more-bytes = 9", "more-bytes = 70000"),
        whole.replace("0.000000002", "2 SOL"),
        whole.replace("up-to", "at-most"),
    ] {
        assert!(read(&wrong).is_err(), "{wrong}");
    }
    // What belongs to a program belongs to no function.
    let target = "target = \"eip155:31337:0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB\"";
    for more in ["accounts = []", "outflow = []", "more-bytes = 1"] {
        assert!(read(&format!("{target}\nfunction = \"claim()\"\n{more}")).is_err());
    }
    let typed = "arguments = [{ type = \"u64\", any = true }]";
    assert!(read(&format!("{target}\nfunction = \"f(uint64)\"\n{typed}")).is_err());
}

#[test]
fn what_is_wrong_is_named_with_its_entry() {
    let text = write(&full());
    for (from, to, named) in [
        (
            "hour = \"0.0000002\"",
            "hour = \"2e-7\"",
            "[[asset]] solana:localnet/slip44:501: hour",
        ),
        ("\"pool:ops\"", "\"pool:opt\"", "[[scope]] pool:opt"),
        (
            "wallets = [",
            "wallets = [ ] #",
            "[[pool]] ops: an empty list",
        ),
        (
            "maturity = \"24h\"",
            "maturity = \"1d1h\"",
            "the document: maturity",
        ),
        ("\"0xa9059cbb\"", "\"0x\"", "[[call]] solana:localnet:"),
        ("wallet = true", "", "[[call]] solana:localnet:"),
        ("\"u64\"", "\"i64\"", "[[call]] solana:localnet:"),
        (
            "more-bytes = 4",
            "more-bytes = 257",
            "[[call]] solana:localnet:",
        ),
        (
            "\"deposit(uint256,address)\"",
            "\"deposit(uint,address)\"",
            "[[call]] eip155:31337:",
        ),
    ] {
        let changed = text.replacen(from, to, 1);
        let error = parse(&changed).expect_err(to).to_string();
        assert!(error.contains(named), "{error}");
    }
}

/// Any amounts, decimals and times in any document of every kind of entry.
fn any_document() -> impl Strategy<Value = PolicyDocument> {
    let durations = prop::collection::vec(1_u64..2_000_000_000, 6);
    let amounts = prop::collection::vec(any::<u128>(), 9);
    let hours = (-840_i16..=840, 1_u8..128, 0_u16..1440);
    (
        durations,
        amounts,
        0_u8..=36,
        1..u64::MAX,
        hours,
        any::<u8>(),
    )
        .prop_map(
            |(durations, mut amounts, places, price, (utc_offset, days, from), parts)| {
                let mut document = full();
                let millis = |place: usize| Millis::from_millis(durations[place]);
                document.maturity = millis(0);
                document.delay = millis(1);
                document.approval.lifetime = millis(2);
                document.release_within = millis(3);
                document.dead_man = (parts & 1 != 0).then(|| millis(4));
                amounts.sort_unstable();
                let rule = &mut document.assets[0];
                rule.decimals = Decimals::new(places).expect("in range");
                let units = Amount::from_base_units;
                *rule = AssetRule {
                    instant_up_to: units(amounts[0]),
                    notify_up_to: units(amounts[1]),
                    delay_up_to: units(amounts[2]),
                    approve_up_to: units(amounts[3]),
                    per_transaction: units(amounts[4]),
                    hour: units(amounts[5]),
                    day: units(amounts[6]),
                    week: units(amounts[7]),
                    month: units(amounts[8]),
                    price: Some(UsdPrice(price)),
                    ..rule.clone()
                };
                let scope = &mut document.scopes[0];
                scope.cool_down = Some(millis(5));
                scope.hours = Some(vec![Hours {
                    utc_offset,
                    days,
                    from,
                    to: 1440,
                }]);
                if parts & 2 != 0 {
                    scope.usd = None;
                    scope.networks = None;
                }
                if parts & 4 != 0 {
                    document.scopes.truncate(3);
                }
                if parts & 8 != 0 {
                    document.alarms.clear();
                    document.escalations.clear();
                }
                document
            },
        )
}

proptest! {
    #[test]
    fn every_document_is_written_and_read_again(document in any_document()) {
        prop_assert_eq!(document.check(), Ok(()));
        let text = write(&document);
        let read = parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(read, document);
    }
}
