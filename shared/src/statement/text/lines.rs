//! The form of every text: a first line, a sentence, fields, a digest. Owns the character set and the
//! length, which hold for each text whatever its facts are.

use std::fmt::{Display, Write as _};

use crate::denial::Code;
use crate::digest::Digest;
use crate::statement::TEXT_LIMIT;

/// How each text begins. Its first bytes, read as the header of a Solana message, demand more signers
/// and read-only accounts than the message would have accounts: no text is a transaction.
const BEGINNING: &str = "WAIaaS ";
/// How the last line begins.
const LAST: &str = "Digest: ";

/// A text being written.
pub(super) struct Lines {
    text: String,
    sound: bool,
}

impl Lines {
    /// Begins with what is signed and what signing does.
    pub(super) fn new(heading: &str, purpose: &str) -> Self {
        Self {
            text: format!("{BEGINNING}{heading}\n{purpose}"),
            sound: true,
        }
    }

    /// One field on its line.
    pub(super) fn field(&mut self, name: &str, value: impl Display) {
        let start = self.text.len();
        // Writing to a String fails only if the value's own `Display` reports an error.
        self.sound &= write!(self.text, "\n{name}: {value}").is_ok();
        // What a value brings in must not look like another line.
        let line = self
            .text
            .get(start..)
            .and_then(|line| line.strip_prefix('\n'));
        self.sound &= line.is_some_and(|line| line.bytes().all(is_permitted));
    }

    /// One field for each value, numbered so that none can be missing unseen.
    pub(super) fn list<T: Display>(&mut self, name: &str, values: &[T]) {
        let count = values.len();
        for (place, value) in (1_usize..).zip(values) {
            self.field(&format!("{name} {place} of {count}"), value);
        }
    }

    /// Ends with the digest.
    pub(super) fn finish(mut self, digest: Digest) -> Result<String, Code> {
        self.field("Digest", digest);
        if self.sound && is_statement_text(&self.text) {
            Ok(self.text)
        } else {
            Err(Code::StatementMalformed)
        }
    }
}

/// Printable ASCII without `|`, which separates fields where a wallet takes no line feed.
const fn is_permitted(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'|'
}

/// Whether a text has the form of a statement's: beginning, characters, length, and the digest's line
/// at the end.
pub(in crate::statement) fn is_statement_text(text: &str) -> bool {
    let last = text
        .rsplit('\n')
        .next()
        .and_then(|line| line.strip_prefix(LAST));
    text.len() <= TEXT_LIMIT
        && text.starts_with(BEGINNING)
        && text
            .split('\n')
            .all(|line| !line.is_empty() && line.bytes().all(is_permitted))
        && last.is_some_and(|digest| Digest::from_hex(digest).is_ok())
}
