//! A key and the way in which it signs a statement's text: here with a key file, or elsewhere with the
//! owner's wallet, whose signature is pasted. Signs nothing but the text of a statement. Called by
//! `statement` and by the commands that register a key.

use std::io::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::verify::{Envelope, payload};

use crate::failure::{Exit, Failure};
use crate::home::{cannot, create_new};
use crate::output::Output;
use crate::owner_key::KeyFile;
use crate::prompt::{confirm, line};

/// A pasted signature, in characters: 65 bytes in hexadecimal are 132.
const PASTED_LIMIT: usize = 256;

/// A key and the way in which it signs.
#[derive(Debug)]
pub(crate) struct Pen {
    /// The public key.
    pub(crate) key: OwnerKey,
    /// How the text is wrapped.
    pub(crate) envelope: Envelope,
    /// The private key, if it is here.
    pub(crate) file: Option<KeyFile>,
    /// Where the text is written for a wallet elsewhere.
    pub(crate) text_out: Option<PathBuf>,
}

impl Pen {
    /// A key file signs the plain text.
    pub(crate) fn of_file(file: KeyFile) -> Self {
        Self {
            key: file.owner(),
            envelope: Envelope::Ed25519Plain,
            file: Some(file),
            text_out: None,
        }
    }

    /// Shows the text, asks, and signs it; or takes the signature that a wallet made elsewhere.
    pub(crate) fn sign(&self, output: &Output, text: &str, yes: bool) -> Result<Vec<u8>, Failure> {
        // Refuses every text that is not a statement's: printable ASCII, so it cannot steer a terminal.
        let bytes = payload(text, self.envelope, &self.key).map_err(|error| {
            Failure::new(Exit::Failure, "the statement cannot be signed this way").why(error)
        })?;
        let rule = "-".repeat(72);
        output.say(format!("{rule}\n{text}\n{rule}"));
        if let Some(key) = &self.file {
            if !yes && !confirm(output, &format!("Sign this as {}?", self.key))? {
                return Err(Failure::new(
                    Exit::Failure,
                    "not signed: nothing was changed",
                ));
            }
            return Ok(key.sign(&bytes).to_vec());
        }
        if let Some(path) = &self.text_out {
            create_new(path)?
                .write_all(text.as_bytes())
                .map_err(|error| cannot("written", path, &error))?;
            output.say(format!("The exact text stands in {}.", path.display()));
        }
        output.say(format!(
            "Sign exactly this text with {} ({}), then paste the signature here (base58, hexadecimal or base64):",
            self.key,
            self.envelope.as_str()
        ));
        pasted(&line(PASTED_LIMIT)?)
    }
}

/// A signature as wallets print it.
fn pasted(text: &str) -> Result<Vec<u8>, Failure> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let bytes = if matches!(digits.len(), 128 | 130) {
        hex::decode(digits).ok()
    } else if text.ends_with('=') {
        STANDARD.decode(text).ok()
    } else {
        bs58::decode(text).into_vec().ok()
    };
    bytes.filter(|bytes| matches!(bytes.len(), 64 | 65)).ok_or_else(|| {
        Failure::usage("this is not a signature")
            .why("64 bytes (Ed25519) or 65 bytes (secp256k1) are needed, in base58, hexadecimal or base64")
            .next("run the command again: it drafts a new statement")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden file ends with a line feed, the text does not.
    const TEXT: &str =
        include_str!("../../shared/tests/golden/statements/release-pause.txt").trim_ascii_end();

    #[test]
    fn a_key_file_signs_the_text_and_nothing_else() {
        let key = KeyFile::generate().unwrap();
        let owner = key.owner();
        let pen = Pen::of_file(key);
        let output = Output::new(false);
        let signature = pen.sign(&output, TEXT, true).unwrap();
        let OwnerKey::Ed25519(address) = owner else {
            panic!("an Ed25519 key")
        };
        let verifying = ed25519_dalek::VerifyingKey::from_bytes(address.as_bytes()).unwrap();
        let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
        assert!(verifying.verify_strict(TEXT.as_bytes(), &signature).is_ok());
        assert!(pen.sign(&output, "Pay everything", true).is_err());
    }

    #[test]
    fn signatures_are_pasted_as_wallets_print_them() {
        let ed25519 = [7; 64];
        let secp256k1 = [8; 65];
        for text in [
            bs58::encode(ed25519).into_string(),
            hex::encode(ed25519),
            format!(" 0x{}\r", hex::encode(ed25519)),
            STANDARD.encode(ed25519),
        ] {
            assert_eq!(pasted(&text).unwrap(), ed25519, "{text}");
        }
        assert_eq!(
            pasted(&format!("0x{}", hex::encode(secp256k1))).unwrap(),
            secp256k1
        );
        for wrong in ["", "abc", "0x12", &hex::encode([1; 66])] {
            assert_eq!(pasted(wrong).unwrap_err().exit(), Exit::Usage, "{wrong}");
        }
    }
}
