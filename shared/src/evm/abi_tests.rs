//! One text and one byte sequence for each value, and nothing else is read.

use proptest::prelude::*;

use super::*;

const OWN: EvmAddress = EvmAddress::from_bytes([0x5a; 20]);
const LISTED: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

fn function(text: &str) -> Function {
    text.parse().expect(text)
}

fn parse(function: &Function, data: &[u8]) -> Result<Invocation, EvmError> {
    let known = Registered {
        contract: EvmAddress::from_bytes([0xc3; 20]),
        spends: vec![None; function.parameters().len()],
        function: function.clone(),
    };
    Invocation::parse(OWN, &known, data)
}

#[test]
fn selectors_are_those_of_the_signatures() {
    // Solidity's own examples and well-known contracts.
    for (text, begins) in [
        ("baz(uint32,bool)", "cdcd77c0"),
        ("deposit()", "d0e30db0"),
        ("withdraw(uint256)", "2e1a7d4d"),
        ("deposit(uint256,address)", "6e553f65"),
        ("redeem(uint256,address,address)", "ba087652"),
        // Famous for beginning as `burn(uint256)` does.
        ("collate_propagate_storage(bytes16)", "42966c68"),
        ("burn(uint256)", "42966c68"),
    ] {
        let read = function(text);
        assert_eq!(hex::encode(read.selector()), begins, "{text}");
        assert_eq!(read.to_string(), text);
    }
}

#[test]
fn a_known_call_encodes_as_solidity_does() {
    // From the ABI specification: baz(69, true).
    let told = Invocation::read(
        OWN,
        function("baz(uint32,bool)"),
        &["69".to_owned(), "true".to_owned()],
    )
    .expect("sound");
    let mut data = hex::decode("cdcd77c0").expect("hex");
    data.extend([[0; 31].as_slice(), &[69], &[0; 31], &[1]].concat());
    assert_eq!(told.data(), data);
    assert_eq!(parse(&told.function, &data), Ok(told));
}

#[test]
fn other_signatures_are_no_functions() {
    for text in [
        "",
        "deposit",
        "deposit(",
        "deposit)",
        "(uint256)",
        "deposit(uint256) ",
        " deposit(uint256)",
        "deposit(uint256, address)",
        "deposit(uint256 amount)",
        "deposit(uint)",
        "deposit(int)",
        "deposit(byte)",
        "deposit(uint7)",
        "deposit(uint08)",
        "deposit(uint0)",
        "deposit(uint264)",
        "deposit(bytes)",
        "deposit(bytes0)",
        "deposit(bytes33)",
        "deposit(string)",
        "deposit(uint256[])",
        "deposit(uint256[2])",
        "deposit((uint256,address))",
        "deposit(function)",
        "deposit(uint256,)",
        "deposit(,uint256)",
        "deposit(uint256)(uint256)",
        "1deposit()",
        "depo-sit()",
        "d\u{e9}posit()",
    ] {
        assert!(text.parse::<Function>().is_err(), "{text}");
    }
    let many = |count| format!("many({})", vec!["bool"; count].join(","));
    assert!(many(PARAMETERS_LIMIT).parse::<Function>().is_ok());
    assert!(many(PARAMETERS_LIMIT + 1).parse::<Function>().is_err());
    assert!(format!("{}()", "n".repeat(64)).parse::<Function>().is_ok());
    assert!(format!("{}()", "n".repeat(65)).parse::<Function>().is_err());
}

#[test]
fn values_have_one_text_and_a_range() {
    let kind = |text: &str| text.parse::<Kind>().expect(text);
    for (of, texts) in [
        ("uint8", &["0", "1", "255"][..]),
        (
            "uint256",
            &["115792089237316195423570985008687907853269984665640564039457584007913129639935"],
        ),
        ("int8", &["-128", "-1", "0", "127"]),
        (
            "int256",
            &[
                "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
                "57896044618658097711785492504343953926634992332820282019728792003956564819967",
            ],
        ),
        ("address", &[LISTED]),
        ("bool", &["true", "false"]),
        ("bytes2", &["0x0000", "0x12ff"]),
    ] {
        for text in texts {
            let word = kind(of).read(text).expect(text);
            assert!(kind(of).holds(&word), "{of} {text}");
            assert_eq!(kind(of).show(&word), *text, "{of}");
        }
    }
    for (of, texts) in [
        (
            "uint8",
            &["256", "-1", "01", "+1", "", "1.0", "0x1", " 1", "1e2"][..],
        ),
        (
            "uint256",
            &["115792089237316195423570985008687907853269984665640564039457584007913129639936"],
        ),
        ("int8", &["128", "-129", "-0", "--1", "-"]),
        (
            "int256",
            &[
                "57896044618658097711785492504343953926634992332820282019728792003956564819968",
                "-57896044618658097711785492504343953926634992332820282019728792003956564819969",
                // Its opposite has the same bits as 1.
                "-115792089237316195423570985008687907853269984665640564039457584007913129639935",
            ],
        ),
        (
            "address",
            &[
                "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
                "@hosting",
                "0x",
            ],
        ),
        ("bool", &["1", "0", "True", "yes"]),
        ("bytes2", &["0x12", "0x123456", "0x12FF", "12ff", "0x12f"]),
    ] {
        for text in texts {
            assert_eq!(kind(of).read(text), Err(AbiError::Value), "{of} {text}");
        }
    }
}

#[test]
fn dirty_words_are_refused() {
    let of = |types: &str| function(&format!("f({types})"));
    let word = |place: usize, byte: u8| {
        let mut word = [0; 32];
        word[place] = byte;
        word
    };
    for (types, dirty, clean) in [
        ("uint8", word(30, 1), word(31, 0xff)),
        ("uint128", word(15, 1), word(16, 0xff)),
        ("address", word(11, 1), word(12, 0xff)),
        ("bool", word(31, 2), word(31, 1)),
        ("bytes4", word(4, 1), word(3, 0xff)),
        ("bytes31", word(31, 1), word(30, 1)),
        // -128 without its sign above, and 127.
        ("int8", word(31, 0x80), word(31, 0x7f)),
    ] {
        let function = of(types);
        let data = |word: [u8; 32]| [&function.selector()[..], &word].concat();
        assert_eq!(
            parse(&function, &data(dirty)),
            Err(EvmError::CallDataPadding),
            "{types}"
        );
        assert!(parse(&function, &data(clean)).is_ok(), "{types}");
    }
    let mut half = [0xff; 32];
    half[30] = 0x7f;
    let function = of("int8");
    let data = [&function.selector()[..], &half].concat();
    assert!(parse(&function, &data).is_err());
}

#[test]
fn a_call_has_exactly_its_functions_length_and_selector() {
    let function = function("deposit(uint256,address)");
    let data = [&function.selector()[..], &[0; 64]].concat();
    let read = |data: &[u8]| parse(&function, data).map(drop);
    assert_eq!(read(&data), Ok(()));
    for length in 0..data.len() {
        assert!(read(&data[..length]).is_err(), "{length}");
    }
    for more in 1..65 {
        let longer = [&data[..], &vec![0; more]].concat();
        assert_eq!(read(&longer), Err(EvmError::CallDataLength), "{more}");
    }
    let mut other = data;
    other[3] ^= 1;
    assert_eq!(read(&other), Err(EvmError::UnknownMethod));
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        (1_u16..=32).prop_map(|bytes| Kind::Uint(bytes * 8)),
        (1_u16..=32).prop_map(|bytes| Kind::Int(bytes * 8)),
        Just(Kind::Address),
        Just(Kind::Bool),
        (1_u8..=32).prop_map(Kind::Bytes),
    ]
}

/// Words that are often sound: few bits, many bits, or all the same.
fn any_word() -> impl Strategy<Value = Word> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(Word),
        any::<u8>().prop_map(|number| Word::from_number(number.into())),
        any::<u128>().prop_map(Word::from_number),
        (any::<[u8; 32]>(), 0_usize..=32).prop_map(|(mut word, kept)| {
            word[kept..].fill(0);
            Word(word)
        }),
        (any::<[u8; 32]>(), 0_usize..=32, any::<bool>()).prop_map(|(mut word, high, ones)| {
            word[..high].fill(if ones { 0xff } else { 0 });
            Word(word)
        }),
    ]
}

proptest! {
    #[test]
    fn text_and_word_are_one(kind in any_kind(), word in any_word()) {
        if kind.holds(&word) {
            prop_assert_eq!(kind.read(&kind.show(&word)), Ok(word));
        }
    }

    #[test]
    fn what_is_read_holds_and_is_written_back(kind in any_kind(), text in "-?[0-9a-fx]{0,20}|true|false") {
        if let Ok(word) = kind.read(&text) {
            prop_assert!(kind.holds(&word));
            prop_assert_eq!(kind.show(&word), text);
        }
    }

    #[test]
    fn a_word_is_read_exactly_if_it_holds(typed in prop::collection::vec((any_kind(), any_word()), 0..=PARAMETERS_LIMIT)) {
        let kinds: Vec<String> = typed.iter().map(|(kind, _)| kind.to_string()).collect();
        let function = function(&format!("f({})", kinds.join(",")));
        let mut data = function.selector().to_vec();
        typed.iter().for_each(|(_, word)| data.extend_from_slice(word.as_bytes()));
        let read = parse(&function, &data);
        prop_assert_eq!(read.is_ok(), typed.iter().all(|(kind, word)| kind.holds(word)));
        if let Ok(read) = read {
            prop_assert_eq!(read.data(), data);
            let again = Invocation::read(OWN, function, &read.shown());
            prop_assert_eq!(again, Ok(read));
        }
    }
}
