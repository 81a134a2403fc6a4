//! A key and the way in which it signs a statement's text: here with a key from a file, or elsewhere with
//! the owner's wallet, whose signature is pasted. What was pasted must be this key's over this text, in
//! an envelope that the signer knows, before anything is handed in. Signs nothing but the text of a
//! statement. Called by `statement` and by the commands that register a key.

use std::io::Write as _;
use std::path::PathBuf;

use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::verify::{Envelope, payload};

use crate::failure::{Exit, Failure};
use crate::home::{cannot, create_new};
use crate::output::Output;
use crate::pasted::{Pasted, TEXT_LIMIT};
use crate::prompt::{confirm, line};
use crate::signing_key::SigningKey;
use crate::signing_page::link;
use crate::statement::Draft;

/// A key and the way in which it signs.
#[derive(Debug)]
pub(crate) enum Pen {
    /// The private key is here.
    Here(SigningKey),
    /// It is in a wallet elsewhere.
    Elsewhere(Elsewhere),
}

/// A key in a wallet elsewhere.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    /// The public key.
    pub(crate) key: OwnerKey,
    /// How the wallet wrapped a text at enrolment, or will most likely.
    pub(crate) usual: Envelope,
    /// How it must have wrapped this one; found from the signature if nobody says it.
    pub(crate) envelope: Option<Envelope>,
    /// Where the text is written for the wallet.
    pub(crate) text_out: Option<PathBuf>,
    /// Where the gateway serves its signing page.
    pub(crate) gateway_url: String,
}

/// A signature, and how the text was wrapped for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// How.
    pub(crate) envelope: Envelope,
    /// The bytes.
    pub(crate) signature: Vec<u8>,
}

impl Pen {
    /// The public key.
    pub(crate) fn key(&self) -> OwnerKey {
        match self {
            Self::Here(key) => key.owner(),
            Self::Elsewhere(elsewhere) => elsewhere.key,
        }
    }

    /// Shows the text, asks, and signs it; or takes the signature that a wallet made elsewhere.
    pub(crate) fn sign(&self, output: &Output, draft: &Draft, yes: bool) -> Result<Made, Failure> {
        match self {
            Self::Here(key) => sign_here(key, output, draft, yes),
            Self::Elsewhere(elsewhere) => elsewhere.ask(output, draft),
        }
    }
}

fn sign_here(key: &SigningKey, output: &Output, draft: &Draft, yes: bool) -> Result<Made, Failure> {
    // Refuses every text that is not a statement's: printable ASCII, so it cannot steer a terminal.
    let envelope = key.envelope();
    let bytes = payload(&draft.text, envelope, &key.owner()).map_err(unfit)?;
    draft.show(output);
    if !yes && !confirm(output, &format!("Sign this as {}?", key.owner()))? {
        return Err(Failure::new(
            Exit::Failure,
            "not signed: nothing was changed",
        ));
    }
    Ok(Made {
        envelope,
        signature: key.sign(&bytes),
    })
}

/// How a wallet of this key wraps a text unless it has to do otherwise.
pub(crate) const fn usual_envelope(key: &OwnerKey) -> Envelope {
    match key {
        OwnerKey::Ed25519(_) => Envelope::Ed25519Plain,
        OwnerKey::Secp256k1(_) => Envelope::Eip191,
    }
}

impl Elsewhere {
    fn ask(&self, output: &Output, draft: &Draft) -> Result<Made, Failure> {
        // A text that the wallet's envelope has no room for is not worth showing.
        let likely = self.envelope.unwrap_or(self.usual);
        let _fits = payload(&draft.text, likely, &self.key).map_err(unfit)?;
        draft.show(output);
        if let Some(path) = &self.text_out {
            create_new(path)?
                .write_all(draft.text.as_bytes())
                .map_err(|error| cannot("written", path, &error))?;
            output.say(format!("The exact text stands in {}.", path.display()));
        }
        output.say(format!(
            "Sign exactly this text with {}. In a browser wallet, by the gateway's page:\n{}\n\
             (or in your own copy of it: waiaas statement page FILE)\n\
             Then paste the signature here (base58, base64 or hexadecimal):",
            self.key,
            link(&self.gateway_url, &draft.text)
        ));
        let typed = line(TEXT_LIMIT)?;
        if typed.trim().is_empty() {
            let statement = draft.statement;
            return Err(
                Failure::new(Exit::Failure, "no signature came: nothing was changed").next(
                    format!(
                        "within the hour: waiaas statement submit {statement} --signature SIGNATURE"
                    ),
                ),
            );
        }
        self.judge(&Pasted::parse(&typed)?, &draft.text)
    }

    /// What was pasted, if it is this key's over this text.
    fn judge(&self, pasted: &Pasted, text: &str) -> Result<Made, Failure> {
        let found = pasted.made_by(&self.key, text);
        match (found, self.envelope) {
            (Some(made), None) => Ok(made),
            (Some(made), Some(named)) if made.envelope == named => Ok(made),
            (Some(made), Some(named)) => Err(Failure::usage(format!(
                "the wallet wrapped the text as {}, not as {}",
                made.envelope.as_str(),
                named.as_str()
            ))
            .next("run the command again without --envelope: it drafts a new statement")),
            (None, _) => Err(Failure::usage(format!(
                "this is not a signature of {} over this text",
                self.key
            ))
            .why("another key signed, or a text that differs from this one by a byte at least")
            .next("run the command again: it drafts a new statement")),
        }
    }
}

fn unfit(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failure, "the statement cannot be signed this way").why(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner_key::KeyFile;
    use crate::statement::tests::{TEXT, draft_of};

    fn elsewhere(key: OwnerKey, envelope: Option<Envelope>) -> Elsewhere {
        Elsewhere {
            key,
            usual: Envelope::Ed25519Plain,
            envelope,
            text_out: None,
            gateway_url: "http://127.0.0.1:3100".to_owned(),
        }
    }

    #[test]
    fn a_key_file_signs_the_text_and_nothing_else() {
        let key = KeyFile::generate().unwrap();
        let owner = key.owner();
        let pen = Pen::Here(SigningKey::Ed25519(key));
        let output = Output::new(false);
        let made = pen.sign(&output, &draft_of(TEXT), true).unwrap();
        let OwnerKey::Ed25519(address) = owner else {
            panic!("an Ed25519 key")
        };
        let verifying = ed25519_dalek::VerifyingKey::from_bytes(address.as_bytes()).unwrap();
        let signature = ed25519_dalek::Signature::from_slice(&made.signature).unwrap();
        assert!(verifying.verify_strict(TEXT.as_bytes(), &signature).is_ok());
        let other = draft_of("Pay everything");
        assert!(pen.sign(&output, &other, true).is_err());
        assert!(elsewhere(owner, None).ask(&output, &other).is_err());
    }

    /// Whoever pasted it is told at once, before anything is handed in.
    #[test]
    fn only_this_keys_signature_over_this_text_is_taken() {
        let key = KeyFile::generate().unwrap();
        let stranger = KeyFile::generate().unwrap();
        let owner = key.owner();
        let sign = |key: &KeyFile, text: &str, envelope| {
            let bytes = payload(text, envelope, &key.owner()).unwrap();
            Pasted::parse(&hex::encode(key.sign(&bytes))).unwrap()
        };
        for envelope in [
            Envelope::Ed25519Plain,
            Envelope::Ed25519OffchainV0,
            Envelope::Ed25519OffchainV1,
        ] {
            let pasted = sign(&key, TEXT, envelope);
            let made = elsewhere(owner, None).judge(&pasted, TEXT).unwrap();
            assert_eq!(made.envelope, envelope, "found from the signature");
            let named = elsewhere(owner, Some(Envelope::Ed25519OffchainV1));
            assert_eq!(
                named.judge(&pasted, TEXT).is_ok(),
                envelope == Envelope::Ed25519OffchainV1
            );
        }
        let later = TEXT.replace("Policy epoch: 1", "Policy epoch: 2");
        for pasted in [
            sign(&stranger, TEXT, Envelope::Ed25519Plain),
            sign(&key, &later, Envelope::Ed25519Plain),
        ] {
            let refused = elsewhere(owner, None).judge(&pasted, TEXT).unwrap_err();
            assert_eq!(refused.exit(), Exit::Usage);
        }
    }
}
