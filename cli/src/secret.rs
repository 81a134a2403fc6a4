//! One secret on its way: a fixed buffer that is wiped when it is dropped, filled byte by byte and
//! never copied. From here a password goes straight to the signer's secret channel. Knows neither
//! terminal nor file.

use std::fmt;

use unicode_normalization::{IsNormalized, is_nfc_quick};
use waiaas_client::SECRET_LIMIT_BYTES;
use zeroize::{Zeroize as _, Zeroizing};

use crate::failure::Failure;

/// The shortest password for a new keystore, in bytes.
const NEW_PASSWORD_LEAST: usize = 8;

/// A password, as it was typed.
pub(crate) struct Secret {
    bytes: Box<Zeroizing<[u8; SECRET_LIMIT_BYTES]>>,
    length: usize,
}

impl Secret {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            bytes: Box::new(Zeroizing::new([0; SECRET_LIMIT_BYTES])),
            length: 0,
        }
    }

    /// One more byte; false if there is no room.
    pub(crate) fn push(&mut self, byte: u8) -> bool {
        match self.bytes.get_mut(self.length) {
            Some(place) => {
                *place = byte;
                self.length += 1;
                true
            }
            None => false,
        }
    }

    /// Takes the last character back: its UTF-8 continuation bytes, then its first byte.
    pub(crate) fn pop_character(&mut self) {
        while let Some(last) = self.length.checked_sub(1) {
            self.length = last;
            let removed = self.bytes.get_mut(last).map(std::mem::take);
            if removed.is_none_or(|byte| byte & 0xc0 != 0x80) {
                return;
            }
        }
    }

    /// Takes everything back.
    pub(crate) fn clear(&mut self) {
        self.bytes.zeroize();
        self.length = 0;
    }

    /// The bytes.
    pub(crate) fn expose(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Whether it can be a password at all. Two Unicode forms of one text are two passwords
    /// (docs/keystore-format.md): what is not in normalisation form C for certain is refused, not
    /// changed, so that what was typed is what counts.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.length == 0 {
            return Err(Failure::usage("the password is empty"));
        }
        let text = std::str::from_utf8(self.expose())
            .map_err(|_| Failure::usage("the password is not UTF-8 text"))?;
        if is_nfc_quick(text.chars()) != IsNormalized::Yes {
            return Err(Failure::usage("the password has decomposed characters")
                .why("an accent or a syllable came as several marks, which another keyboard might join")
                .next("type it with a keyboard that composes characters, or use other ones"));
        }
        Ok(())
    }

    /// Whether it may protect a new keystore.
    pub(crate) fn check_new(&self) -> Result<(), Failure> {
        self.check()?;
        if self.length < NEW_PASSWORD_LEAST {
            return Err(Failure::usage("the password is too short")
                .why(format!("a new one has {NEW_PASSWORD_LEAST} bytes at least"))
                .next("several words make a good one"));
        }
        Ok(())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        let mut secret = Secret::new();
        assert!(text.bytes().all(|byte| secret.push(byte)));
        secret
    }

    #[test]
    fn a_whole_character_is_taken_back() {
        let mut typed = secret("aé한");
        typed.pop_character();
        assert_eq!(typed.expose(), "aé".as_bytes());
        typed.pop_character();
        typed.pop_character();
        typed.pop_character();
        assert_eq!(typed.expose(), b"");
        assert!(
            typed.bytes.iter().all(|byte| *byte == 0),
            "taken back means wiped"
        );
    }

    #[test]
    fn the_buffer_has_an_end() {
        let mut typed = secret(&"x".repeat(SECRET_LIMIT_BYTES));
        assert!(!typed.push(b'y'));
        assert_eq!(typed.expose().len(), SECRET_LIMIT_BYTES);
        typed.clear();
        assert!(typed.push(b'y'));
    }

    #[test]
    fn only_composed_text_is_a_password() {
        assert!(secret("pass word é 한글").check().is_ok());
        for wrong in ["", "e\u{301}", "\u{1112}\u{1161}\u{11ab}"] {
            assert!(secret(wrong).check().is_err(), "{wrong:?}");
        }
        let mut broken = Secret::new();
        broken.push(0xff);
        assert!(broken.check().is_err());
        assert!(secret("1234567").check_new().is_err());
        assert!(secret("12345678").check_new().is_ok());
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", secret("hunter22")), "Secret");
    }
}
