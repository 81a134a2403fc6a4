//! An owner's signature over the signer's own text: draft, check that the text is about what was asked
//! and comes from the pinned signer, show it whole, ask, sign (here with a key file, or elsewhere with
//! the owner's wallet). Nothing else is ever signed for an owner.

mod check;

use std::io::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature, payload};
use waiaas_shared::view::OwnerView;

use self::check::check;
use crate::failure::{Exit, Failure};
use crate::home::{cannot, create_new};
use crate::output::Output;
use crate::owner_key::KeyFile;
use crate::prompt::{confirm, line};
use crate::signer::{Signer, failed};

/// A pasted signature, in characters: 65 bytes in hexadecimal are 132.
const PASTED_LIMIT: usize = 256;

/// How an owner signs.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SigningArgs {
    /// Sign with this Ed25519 key file (a JSON array of 64 numbers); repeat it for each owner
    #[arg(long, value_name = "FILE", conflicts_with_all = ["envelope", "text_out"])]
    owner_key: Vec<PathBuf>,
    /// Sign elsewhere, as this owner (if there is only one: that one), repeated for each; the
    /// signatures are read from stdin, a line each
    #[arg(long, value_name = "OWNER")]
    owner: Vec<OwnerId>,
    /// How the wallet wraps the text: ed25519-plain, ed25519-offchain-v0, ed25519-offchain-v1, eip191
    #[arg(long, value_name = "NAME", value_parser = envelope)]
    envelope: Option<Envelope>,
    /// Write the exact text to this new file, for a wallet that signs elsewhere
    #[arg(long, value_name = "FILE")]
    text_out: Option<PathBuf>,
    /// Sign without being asked; the text is still shown on stderr
    #[arg(long)]
    yes: bool,
}

/// Reads the name of an envelope.
pub(crate) fn envelope(text: &str) -> Result<Envelope, String> {
    Envelope::from_text(text).ok_or_else(|| {
        let known: Vec<_> = Envelope::ALL
            .iter()
            .map(|envelope| envelope.as_str())
            .collect();
        format!("one of {}", known.join(", "))
    })
}

/// A signed statement, ready to be submitted.
#[derive(Debug)]
pub(crate) struct SignedStatement {
    /// Which statement.
    pub(crate) statement: StatementId,
    /// Its text, for a new key that signs it too.
    pub(crate) text: String,
    /// The signatures over its text.
    pub(crate) signatures: Vec<OwnerSignature>,
}

/// Who may sign, and how: an owner or a guardian.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signatory {
    /// The identifier under which it signs.
    pub(crate) id: OwnerId,
    /// The public key.
    pub(crate) key: OwnerKey,
    /// What its wallet produces.
    pub(crate) envelope: Envelope,
}

impl From<&OwnerView> for Signatory {
    fn from(view: &OwnerView) -> Self {
        Self {
            id: view.owner,
            key: view.key,
            envelope: view.envelope,
        }
    }
}

impl SigningArgs {
    /// Key files and identifiers of those who sign, for commands that name them otherwise.
    pub(crate) const fn new(
        owner_key: Vec<PathBuf>,
        owner: Vec<OwnerId>,
        envelope: Option<Envelope>,
        text_out: Option<PathBuf>,
        yes: bool,
    ) -> Self {
        Self {
            owner_key,
            owner,
            envelope,
            text_out,
            yes,
        }
    }

    /// How many owners sign.
    pub(crate) fn signers(&self) -> usize {
        self.owner_key.len().saturating_add(self.owner.len()).max(1)
    }

    /// Whether signing needs no question.
    pub(crate) const fn yes(&self) -> bool {
        self.yes
    }

    /// Has the signer write the statement's text, and the owners sign it.
    pub(crate) async fn sign(
        &self,
        output: &Output,
        signer: &Signer,
        facts: &StatementFacts,
    ) -> Result<SignedStatement, Failure> {
        let owners = signer
            .client
            .owners()
            .await
            .map_err(failed("no list of owners"))?;
        let owners: Vec<_> = owners.iter().map(Signatory::from).collect();
        self.sign_as(output, signer, facts, &owners).await
    }

    /// The same, by some of these.
    pub(crate) async fn sign_as(
        &self,
        output: &Output,
        signer: &Signer,
        facts: &StatementFacts,
        known: &[Signatory],
    ) -> Result<SignedStatement, Failure> {
        let hands = self.hands(known)?;
        let (statement, text) = draft(signer, facts).await?;
        let signatures = self.signatures(output, &hands, &text)?;
        Ok(SignedStatement {
            statement,
            text,
            signatures,
        })
    }

    /// Signatures over a text that was drafted before; none if nobody is named.
    pub(crate) fn sign_text_if_any(
        &self,
        output: &Output,
        text: &str,
        known: &[Signatory],
    ) -> Result<Vec<OwnerSignature>, Failure> {
        if self.owner_key.is_empty() && self.owner.is_empty() {
            return Ok(Vec::new());
        }
        self.signatures(output, &self.hands(known)?, text)
    }

    fn signatures(
        &self,
        output: &Output,
        hands: &[Hand],
        text: &str,
    ) -> Result<Vec<OwnerSignature>, Failure> {
        hands
            .iter()
            .map(|hand| {
                Ok(OwnerSignature {
                    owner: hand.id,
                    envelope: hand.pen.envelope,
                    signature: hand.pen.sign(output, text, self.yes)?,
                })
            })
            .collect()
    }

    /// Who signs, and how.
    fn hands(&self, known: &[Signatory]) -> Result<Vec<Hand>, Failure> {
        let mut hands = Vec::new();
        for path in &self.owner_key {
            let key = KeyFile::read(path)?;
            let signatory = known
                .iter()
                .find(|known| known.key == key.owner())
                .ok_or_else(|| {
                    Failure::usage(format!(
                        "{} is nobody's key who may sign this",
                        path.display()
                    ))
                    .why(format!("its public key is {}", key.owner()))
                    .next("waiaas owner list; the first one: waiaas owner enrol")
                })?;
            hands.push(Hand {
                id: signatory.id,
                pen: Pen::of_file(key),
            });
        }
        let named = match (self.owner.as_slice(), known) {
            ([], _) if !hands.is_empty() => Vec::new(),
            ([], [only]) => vec![only],
            ([], []) => {
                return Err(Failure::usage("there is nobody yet who may sign this")
                    .next("waiaas owner enrol --key-file FILE"));
            }
            ([], _) => {
                return Err(Failure::usage(
                    "who signs? give --owner or --owner-key, once for each",
                ));
            }
            (ids, _) => ids
                .iter()
                .map(|id| {
                    known.iter().find(|known| known.id == *id).ok_or_else(|| {
                        Failure::usage(format!("{id} may not sign this")).next("waiaas owner list")
                    })
                })
                .collect::<Result<_, _>>()?,
        };
        for signatory in named {
            // The text is the same for all of them: one file is enough.
            let text_out = self.text_out.clone().filter(|_| hands.is_empty());
            hands.push(Hand {
                id: signatory.id,
                pen: Pen {
                    key: signatory.key,
                    envelope: self.envelope.unwrap_or(signatory.envelope),
                    file: None,
                    text_out,
                },
            });
        }
        Ok(hands)
    }
}

struct Hand {
    id: OwnerId,
    pen: Pen,
}

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

/// Has the signer write a text, and checks that it is the text for these facts.
pub(crate) async fn draft(
    signer: &Signer,
    facts: &StatementFacts,
) -> Result<(StatementId, String), Failure> {
    let drafted = signer
        .client
        .draft_statement(facts)
        .await
        .map_err(failed("no text to sign was written"))?;
    check(&drafted.text, drafted.statement, signer.pin.signer, facts).map_err(|flaw| {
        Failure::internal("the signer's text is not the one that was asked for")
            .why(flaw)
            .next("do not sign it; compare `waiaas --version` with the signer's in `waiaas status`")
    })?;
    Ok((drafted.statement, drafted.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden file ends with a line feed, the text does not.
    const TEXT: &str =
        include_str!("../../shared/tests/golden/statements/release-pause.txt").trim_ascii_end();

    /// Each signs the same text, with a file or elsewhere, in one go.
    #[test]
    fn several_owners_sign_in_one_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        let mut known = Vec::new();
        for number in 0..3_u8 {
            let key = KeyFile::generate().unwrap();
            let path = folder.path().join(format!("{number}.json"));
            key.write(&path).unwrap();
            files.push(path);
            known.push(Signatory {
                id: OwnerId::from_bytes([number; 16]),
                key: key.owner(),
                envelope: Envelope::Ed25519Plain,
            });
        }
        let signing = |files: &[PathBuf], owners: Vec<OwnerId>| {
            SigningArgs::new(files.to_vec(), owners, None, Some("text".into()), true)
        };
        let two = signing(&files[..2], Vec::new());
        let output = Output::new(false);
        let hands = two.hands(&known).unwrap();
        let signed = two.signatures(&output, &hands, TEXT).unwrap();
        let owners: Vec<_> = signed.iter().map(|signature| signature.owner).collect();
        assert_eq!((two.signers(), owners), (2, vec![known[0].id, known[1].id]));
        assert_ne!(signed[0].signature, signed[1].signature);
        let mixed = signing(&files[..1], vec![known[2].id]);
        assert_eq!(
            (mixed.signers(), mixed.hands(&known).unwrap().len()),
            (2, 2)
        );
        let elsewhere = signing(&[], vec![known[0].id, known[2].id]);
        let hands = elsewhere.hands(&known).unwrap();
        let written = hands.iter().filter(|hand| hand.pen.text_out.is_some());
        assert_eq!(
            (hands.len(), written.count()),
            (2, 1),
            "the text is written once"
        );
        assert!(signing(&files[2..], Vec::new()).hands(&known[..2]).is_err());
        let nobody = signing(&[], Vec::new());
        assert!(nobody.hands(&known).is_err(), "which of three?");
        assert_eq!(
            (nobody.signers(), nobody.hands(&known[..1]).unwrap().len()),
            (1, 1)
        );
    }

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
