//! A memo: a short text that a transaction carries on the chain, beside what it moves. It is the agent's, it
//! is public, and owners read it before they sign; so it has no character that any place where it is
//! shown could take for something else. Moves nothing.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

/// A memo, at most, in bytes.
pub const MEMO_LIMIT: usize = 128;

/// 1 to [`MEMO_LIMIT`] printable ASCII characters without `|`, which separates the fields of an owner's
/// text on some wallets, with no space at either end, where nobody would see it, and no two in a row, behind
/// which a narrow display would show the rest as a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Memo(String);

/// The text is no memo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a memo is 1 to {MEMO_LIMIT} printable ASCII characters without `|`, with single spaces, and none at its ends"
)]
pub struct MemoError;

impl Memo {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Memo {
    type Err = MemoError;

    fn from_str(text: &str) -> Result<Self, MemoError> {
        let printable = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'|';
        let fits = (1..=MEMO_LIMIT).contains(&text.len());
        let spaced = text.trim_matches(' ') == text && !text.contains("  ");
        if fits && text.bytes().all(printable) && spaced {
            Ok(Self(text.to_owned()))
        } else {
            Err(MemoError)
        }
    }
}

impl fmt::Display for Memo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<C> Encode<C> for Memo {
    fn encode<W: encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Memo {
    fn decode(decoder: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let text = decoder.str()?;
        text.parse()
            .map_err(|_| decode::Error::message("not a memo"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{from_canonical, to_canonical};

    #[test]
    fn what_could_be_taken_for_something_else_is_no_memo() {
        let longest = "m".repeat(MEMO_LIMIT);
        for text in [
            "1",
            "invoice 4711",
            r#"{"order":"a-1"} <b>"#,
            "~!",
            &longest,
        ] {
            let memo: Memo = text.parse().expect(text);
            assert_eq!(memo.as_str(), text);
            assert_eq!(from_canonical(&to_canonical(&memo)), Ok(memo));
        }
        let too_long = "m".repeat(MEMO_LIMIT + 1);
        for text in [
            "",
            " ",
            " a",
            "a ",
            "a|b",
            "a\nb",
            "a\tb",
            "a\0",
            "a\x1b[31m",
            "a\x7f",
            "caf\u{e9}",
            "a\u{202e}b",
            "a\u{200b}b",
            &too_long,
        ] {
            assert_eq!(text.parse::<Memo>(), Err(MemoError), "{text:?}");
            assert!(from_canonical::<Memo>(&to_canonical(&text)).is_err());
        }
    }
}
