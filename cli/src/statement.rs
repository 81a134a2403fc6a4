//! An owner's signature over the signer's own text: draft, check that the text is about what was asked
//! and comes from the pinned signer, show it whole, ask, sign (here with a key file, or elsewhere with
//! the owner's wallet). Nothing else is ever signed for an owner.

mod check;

use std::io::Write as _;
use std::path::{Path, PathBuf};

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
    /// Sign with this Ed25519 key file, a JSON array of 64 numbers (repeat where several owners must sign)
    #[arg(long = "owner-key", value_name = "FILE", conflicts_with_all = ["owners", "envelope", "text_out"])]
    owner_keys: Vec<PathBuf>,
    /// Sign elsewhere, as this owner (if there is only one: that one); the signature is read from stdin
    /// (repeat where several must sign)
    #[arg(long = "owner", value_name = "OWNER")]
    owners: Vec<OwnerId>,
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
    /// The signatures over its text, each another owner's.
    pub(crate) signatures: Vec<OwnerSignature>,
}

impl SigningArgs {
    /// How many owners sign.
    pub(crate) fn signers(&self) -> usize {
        self.owner_keys.len().max(self.owners.len()).max(1)
    }

    /// Has the signer write the statement's text, and each owner sign it.
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
        let hands = self.hands(&owners)?;
        let (statement, text) = draft(signer, facts).await?;
        let signatures = hands
            .iter()
            .map(|hand| hand.sign(output, &text, self.yes))
            .collect::<Result<_, _>>()?;
        Ok(SignedStatement {
            statement,
            signatures,
        })
    }

    /// Which owners sign, and how.
    fn hands(&self, owners: &[OwnerView]) -> Result<Vec<Hand>, Failure> {
        let hands = if !self.owner_keys.is_empty() {
            let of_file = |path: &PathBuf| Hand::of_file(path, owners);
            self.owner_keys
                .iter()
                .map(of_file)
                .collect::<Result<_, _>>()?
        } else if self.owners.is_empty() {
            vec![self.only(owners)?]
        } else {
            self.elsewhere(owners)?
        };
        for (place, hand) in hands.iter().enumerate() {
            if hands
                .iter()
                .skip(place + 1)
                .any(|other| other.owner == hand.owner)
            {
                return Err(Failure::usage(format!("{} is named twice", hand.owner))
                    .why("each signature must be another owner's"));
            }
        }
        Ok(hands)
    }

    fn only(&self, owners: &[OwnerView]) -> Result<Hand, Failure> {
        match owners {
            [only] => Ok(self.hand(only, self.text_out.clone())),
            [] => {
                Err(Failure::usage("there is no owner yet")
                    .next("waiaas owner enrol --key-file FILE"))
            }
            _ => Err(Failure::usage(
                "which owner signs? give --owner or --owner-key",
            )),
        }
    }

    fn elsewhere(&self, owners: &[OwnerView]) -> Result<Vec<Hand>, Failure> {
        // One text for all: it is written once.
        let mut text_out = self.text_out.clone();
        let each = self.owners.iter().map(|id| {
            let view = owners.iter().find(|view| view.owner == *id);
            let view = view.ok_or_else(|| {
                Failure::usage(format!("no owner {id}")).next("waiaas owner list")
            })?;
            Ok(self.hand(view, text_out.take()))
        });
        each.collect()
    }

    fn hand(&self, view: &OwnerView, text_out: Option<PathBuf>) -> Hand {
        Hand {
            owner: view.owner,
            pen: Pen {
                key: view.key,
                envelope: self.envelope.unwrap_or(view.envelope),
                file: None,
                text_out,
            },
        }
    }
}

#[derive(Debug)]
struct Hand {
    owner: OwnerId,
    pen: Pen,
}

impl Hand {
    fn of_file(path: &Path, owners: &[OwnerView]) -> Result<Self, Failure> {
        let key = KeyFile::read(path)?;
        let owner = owners
            .iter()
            .find(|view| view.key == key.owner())
            .ok_or_else(|| {
                Failure::usage(format!("{} is no owner's key", path.display()))
                    .why(format!("its public key is {}", key.owner()))
                    .next("waiaas owner list; the first one: waiaas owner enrol")
            })?;
        Ok(Self {
            owner: owner.owner,
            pen: Pen::of_file(key),
        })
    }

    fn sign(&self, output: &Output, text: &str, yes: bool) -> Result<OwnerSignature, Failure> {
        Ok(OwnerSignature {
            owner: self.owner,
            envelope: self.pen.envelope,
            signature: self.pen.sign(output, text, yes)?,
        })
    }
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

    #[test]
    fn several_owners_sign_each_once() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            signing: SigningArgs,
        }
        let parse = |arguments: &[&str]| {
            let line = std::iter::once("x").chain(arguments.iter().copied());
            <Line as clap::Parser>::try_parse_from(line).map(|line| line.signing)
        };
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        let mut views = Vec::new();
        for number in 0..3_u8 {
            let key = KeyFile::generate().unwrap();
            let path = folder.path().join(format!("{number}.json"));
            key.write(&path).unwrap();
            files.push(path.to_str().unwrap().to_owned());
            views.push(OwnerView {
                owner: OwnerId::from_bytes([number; 16]),
                key: key.owner(),
                envelope: Envelope::Ed25519Plain,
                withdrawals: Vec::new(),
            });
        }
        let [first, second, third] = [&files[0], &files[1], &files[2]].map(String::as_str);
        let owners = |hands: Vec<Hand>| hands.iter().map(|hand| hand.owner).collect::<Vec<_>>();
        let two = parse(&["--owner-key", first, "--owner-key", second]).unwrap();
        assert_eq!(two.signers(), 2);
        assert_eq!(
            owners(two.hands(&views).unwrap()),
            [views[0].owner, views[1].owner]
        );
        let output = Output::new(false);
        let signed = two.hands(&views).unwrap()[1]
            .sign(&output, TEXT, true)
            .unwrap();
        assert_eq!((signed.owner, signed.signature.len()), (views[1].owner, 64));
        let twice = parse(&["--owner-key", first, "--owner-key", first]).unwrap();
        assert!(twice.hands(&views).unwrap_err().human().contains("twice"));
        let stranger = parse(&["--owner-key", third]).unwrap();
        assert!(stranger.hands(&views[..2]).is_err());
        let ids = views.iter().map(|view| view.owner.to_string());
        let ids: Vec<_> = ids.collect();
        let elsewhere =
            parse(&["--owner", &ids[0], "--owner", &ids[2], "--text-out", "t"]).unwrap();
        let hands = elsewhere.hands(&views).unwrap();
        let written = hands.iter().filter(|hand| hand.pen.text_out.is_some());
        assert_eq!((hands.len(), written.count()), (2, 1));
        assert_eq!(parse(&[]).unwrap().signers(), 1);
        assert!(
            parse(&[]).unwrap().hands(&views).is_err(),
            "which of three?"
        );
        assert_eq!(parse(&[]).unwrap().hands(&views[..1]).unwrap().len(), 1);
        assert!(parse(&["--owner-key", first, "--owner", &ids[1]]).is_err());
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
