//! What a contract says when it reverts, in words: `Error(string)` and `Panic(uint256)` as Solidity encodes them, and
//! the errors that tokens have in common. Bytes of a stranger: bounded, printable, shown and never interpreted.
//! Source: Solidity's documentation ("Error handling"), ERC-6093. Used by `rpc`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// `Error(string)` and `Panic(uint256)`.
const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];
/// Characters of a node's data that are looked at: a reason of some hundred characters, encoded.
const LIMIT: usize = 4096;

/// Errors that many contracts have, with what they mean for a payment.
const KNOWN: [(&str, &str); 9] = [
    (
        "ERC20InsufficientBalance(address,uint256,uint256)",
        "the sender does not hold that much of the token",
    ),
    (
        "ERC20InsufficientAllowance(address,uint256,uint256)",
        "the spender was not approved for that much of the token",
    ),
    (
        "ERC20InvalidReceiver(address)",
        "the token does not go to this recipient",
    ),
    ("ERC721NonexistentToken(uint256)", "there is no such piece"),
    (
        "ERC721IncorrectOwner(address,uint256,address)",
        "the sender does not own the piece",
    ),
    (
        "ERC721InsufficientApproval(address,uint256)",
        "the sender may not move the piece",
    ),
    (
        "ERC1155InsufficientBalance(address,uint256,uint256,uint256)",
        "the sender does not hold that much of the kind",
    ),
    (
        "OwnableUnauthorizedAccount(address)",
        "only the contract's owner may do that",
    ),
    ("EnforcedPause()", "the contract is paused"),
];

/// The words of returned data, if it has a form that is known.
pub(super) fn words(data: &[u8]) -> Option<String> {
    let (selector, rest) = data.split_first_chunk::<4>()?;
    let why = match *selector {
        ERROR => reason(rest)?,
        PANIC => panic(rest)?.to_owned(),
        other => named(other)
            .map(ToOwned::to_owned)
            .unwrap_or_else(|| format!("the contract's own error 0x{}", hex::encode(other))),
    };
    Some(format!("execution reverted: {why}"))
}

fn reason(encoded: &[u8]) -> Option<String> {
    let (offset, rest) = encoded.split_first_chunk::<32>()?;
    let (length, content) = rest.split_first_chunk::<32>()?;
    if small(offset)? != 32 {
        return None;
    }
    let content = content.get(..small(length)?)?;
    Some(String::from_utf8_lossy(content).into_owned())
}

fn panic(encoded: &[u8]) -> Option<&'static str> {
    let code = small(encoded.first_chunk::<32>()?)?;
    Some(match code {
        0x01 => "an assertion failed",
        0x11 => "a number is too large or too small",
        0x12 => "a division by zero",
        0x21 => "a value outside of its kind",
        0x22 => "damaged storage",
        0x31 => "nothing is left to take",
        0x32 => "an index beyond the end",
        0x41 => "too much memory",
        0x51 => "a function that is none",
        _ => "the contract panicked",
    })
}

fn named(selector: [u8; 4]) -> Option<&'static str> {
    let found = KNOWN.iter().find(|(signature, _)| {
        alloy_primitives::keccak256(signature)
            .0
            .starts_with(&selector)
    });
    found.map(|(_, words)| *words)
}

/// A word as a number that a length or a code can be.
fn small(word: &[u8; 32]) -> Option<usize> {
    let (high, low) = word.split_last_chunk::<4>()?;
    if high.iter().any(|byte| *byte != 0) {
        return None;
    }
    usize::try_from(u32::from_be_bytes(*low)).ok()
}

/// The `data` of a JSON-RPC error, as far as it is text that holds bytes; anything else is passed over, however large
/// or deep it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorData(Option<Vec<u8>>);

impl ErrorData {
    /// Its words, if it has a form that is known.
    pub(super) fn words(&self) -> Option<String> {
        words(self.0.as_deref()?)
    }
}

impl<'de> Deserialize<'de> for ErrorData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Data;

        impl<'de> Visitor<'de> for Data {
            type Value = ErrorData;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("anything")
            }

            fn visit_str<E>(self, text: &str) -> Result<ErrorData, E> {
                let digits = text.strip_prefix("0x").filter(|it| it.len() <= LIMIT);
                Ok(ErrorData(
                    digits.and_then(|digits| hex::decode(digits).ok()),
                ))
            }

            fn visit_unit<E>(self) -> Result<ErrorData, E> {
                Ok(ErrorData::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<ErrorData, E> {
                Ok(ErrorData::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<ErrorData, E> {
                Ok(ErrorData::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<ErrorData, E> {
                Ok(ErrorData::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<ErrorData, E> {
                Ok(ErrorData::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ErrorData, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(ErrorData::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ErrorData, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(ErrorData::default())
            }
        }

        deserializer.deserialize_any(Data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(number: u32) -> Vec<u8> {
        [&[0; 28][..], &number.to_be_bytes()].concat()
    }

    fn error(length: u32, content: &[u8]) -> Vec<u8> {
        [&ERROR[..], &word(32), &word(length), content].concat()
    }

    #[test]
    fn reasons_and_panics_are_told_in_words() {
        let told = |data: Vec<u8>| words(&data);
        let reverted = |why: &str| Some(format!("execution reverted: {why}"));
        assert_eq!(told(error(6, b"closed\0\0")), reverted("closed"));
        assert_eq!(told(error(0, b"")), reverted(""));
        let code = |code: u32| [&PANIC[..], &word(code)].concat();
        assert_eq!(
            told(code(0x11)),
            reverted("a number is too large or too small")
        );
        assert_eq!(told(code(0x99)), reverted("the contract panicked"));
        let own = alloy_primitives::keccak256("EnforcedPause()");
        assert_eq!(told(own[..4].to_vec()), reverted("the contract is paused"));
        assert_eq!(
            told(vec![0xde, 0xad, 0xbe, 0xef, 1]),
            reverted("the contract's own error 0xdeadbeef")
        );
    }

    #[test]
    fn selectors_are_those_of_the_signatures() {
        for (selector, signature) in [(ERROR, "Error(string)"), (PANIC, "Panic(uint256)")] {
            let hash = alloy_primitives::keccak256(signature);
            assert_eq!(hash.0[..4], selector, "{signature}");
        }
    }

    #[test]
    fn what_is_cut_or_too_long_says_nothing() {
        let whole = error(6, b"closed");
        for length in 0..whole.len() {
            let told = words(&whole[..length]);
            assert_eq!(told, None, "{length}");
        }
        assert_eq!(words(&error(u32::MAX, b"closed")), None);
        assert_eq!(words(&[&ERROR[..], &[0xff; 64]].concat()), None);
        assert_eq!(words(&[&PANIC[..], &[0xff; 32]].concat()), None);
    }

    #[test]
    fn any_data_of_an_error_is_read_or_passed_over() {
        let read = |text: &str| serde_json::from_str::<ErrorData>(text).ok();
        assert_eq!(read("\"0x01ff\""), Some(ErrorData(Some(vec![1, 255]))));
        let long = format!("\"0x{}\"", "00".repeat(LIMIT));
        for other in [
            "null",
            "true",
            "1",
            "-1",
            "1.5",
            "[[1]]",
            "{\"data\":\"0x01\"}",
            "\"01\"",
            "\"0x0\"",
            &long,
        ] {
            assert_eq!(read(other), Some(ErrorData::default()), "{other}");
        }
        assert_eq!(read("[1"), None);
    }
}
