//! Published BIP-39 vectors, and everything that is nearly a phrase.

use super::super::testing::{arena, locked};
use super::*;

const PUBLISHED: &str = include_str!("../../../../docs/vectors/bip39/vectors.json");

/// Entropy, phrase, seed with the passphrase TREZOR, master key.
fn published() -> Vec<[String; 4]> {
    let all: serde_json::Value = serde_json::from_str(PUBLISHED).unwrap();
    let english: Vec<[String; 4]> = serde_json::from_value(all["english"].clone()).unwrap();
    assert_eq!(english.len(), 24);
    english
}

#[test]
fn published_vectors() {
    for [entropy, phrase, seed, _] in published() {
        let entropy = hex::decode(entropy).unwrap();
        let mut text = [0xff; PHRASE_MAX_BYTES];
        let length = entropy_to_words(&entropy, &mut text).unwrap();
        assert_eq!(&text[..length], phrase.as_bytes());
        assert!(text[length..].iter().all(|byte| *byte == 0));

        let mut parsed = vec![0; entropy.len()];
        words_to_entropy(phrase.as_bytes(), &mut parsed).unwrap();
        assert_eq!(parsed, entropy);

        let mut computed = [0; SEED_BYTES];
        words_to_seed(phrase.as_bytes(), b"TREZOR", &mut computed);
        assert_eq!(hex::encode(computed), seed);
    }
}

fn parse(phrase: &str) -> Result<Vec<u8>, PhraseError> {
    let arena = arena();
    parse_phrase(&locked(&arena, phrase.as_bytes()), &arena)
        .map(|entropy| entropy.expose(<[u8]>::to_vec))
}

#[test]
fn only_24_words_are_read() {
    for [entropy, phrase, _, _] in published() {
        let words = phrase.split(' ').count();
        match parse(&phrase) {
            Ok(parsed) => assert_eq!((words, hex::encode(parsed)), (24, entropy)),
            Err(error) => {
                assert!(matches!(error, PhraseError::WordCount));
                assert_ne!(words, 24);
            }
        }
    }
}

#[test]
fn nothing_is_repaired() {
    let art = format!("{}art", "abandon ".repeat(23));
    assert_eq!(parse(&art).unwrap(), [0; 32]);
    for (phrase, wanted) in [
        (String::new(), "WordCount"),
        (" ".repeat(23), "UnknownWord"),
        (format!(" {art}"), "WordCount"),
        (format!("{art} "), "WordCount"),
        (format!("{art}\n"), "UnknownWord"),
        (art.replacen(' ', "  ", 1), "WordCount"),
        (art.replacen(' ', "\t", 1), "WordCount"),
        (art.replacen(' ', "\u{3000}", 1), "WordCount"),
        (art.to_uppercase(), "UnknownWord"),
        (art.replacen("abandon", "abando", 1), "UnknownWord"),
        (art.replacen("abandon", "abandonn", 1), "UnknownWord"),
        (art.replacen("abandon", "\u{e1}bandon", 1), "UnknownWord"),
        // Spanish, and the same word under another list.
        (art.replacen("abandon", "\u{e1}baco", 1), "UnknownWord"),
        (art.replace("art", "abandon"), "Checksum"),
        (art.replacen("abandon", "ability", 1), "Checksum"),
        (art.replacen("abandon ", "", 1), "WordCount"),
    ] {
        let error = parse(&phrase).err().unwrap();
        assert!(
            format!("{error:?}").starts_with(wanted),
            "{phrase:?} gave {error:?}"
        );
    }
}

#[test]
fn one_word_in_256_fits_as_the_last() {
    let head = "abandon ".repeat(23);
    let fitting = Language::English
        .word_list()
        .iter()
        .filter(|word| parse(&format!("{head}{word}")).is_ok())
        .count();
    assert_eq!(fitting, 8);
}

#[test]
fn every_bit_comes_back() {
    let arena = arena();
    for bit in 0..256 {
        let mut bytes = [0; 32];
        bytes[bit / 8] |= 1 << (bit % 8);
        let mut phrase = arena.take(PHRASE_MAX_BYTES).unwrap();
        let length = write_phrase(&locked(&arena, &bytes), &mut phrase).unwrap();
        let text = phrase.expose(|text| locked(&arena, &text[..length]));
        assert!(parse_phrase(&text, &arena).unwrap().matches(&bytes));
    }
}

#[test]
fn a_short_buffer_is_refused() {
    let arena = arena();
    let entropy = locked(&arena, &[0; 32]);
    // 23 times "abandon", 23 spaces, "art".
    for (room, fits) in [(0, false), (186, false), (187, true), (188, true)] {
        let mut phrase = arena.take(room).unwrap();
        assert_eq!(write_phrase(&entropy, &mut phrase).is_ok(), fits, "{room}");
    }
}
