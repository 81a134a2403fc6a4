//! An owner's signature over the signer's own text: draft, check that the text is about what was asked
//! and comes from the pinned signer, show it whole, ask, sign (here with a key from a file, or elsewhere
//! with the owner's wallet). Nothing else is ever signed for an owner. One group of arguments for every
//! command that takes an owner's signature.

mod check;

use std::path::PathBuf;

use serde_json::json;
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::{OwnerId, SignerId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::view::OwnerView;

use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::pen::{Elsewhere, Pen};
use crate::signer::{Signer, failed};
use crate::signing_key::SigningKey;
use crate::signing_page::link;

/// How an owner signs.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SigningArgs {
    /// Sign with this key's file: an Ed25519 key file (a JSON array of 64 numbers) or an Ethereum keystore
    /// (version 3); repeat it for each owner
    #[arg(long, value_name = "FILE", conflicts_with_all = ["envelope", "text_out", "draft"])]
    pub(crate) owner_key: Vec<PathBuf>,
    /// Read a keystore's password from this open file descriptor instead of asking; repeat it for each
    /// keystore
    #[arg(long, value_name = "N", requires = "owner_key")]
    pub(crate) owner_password_fd: Vec<u32>,
    /// Sign elsewhere, as this owner (if there is only one: that one), repeated for each; the
    /// signatures are read from stdin, a line each
    #[arg(long, value_name = "OWNER", conflicts_with = "draft")]
    pub(crate) owner: Vec<OwnerId>,
    /// How the wallet must have wrapped the text: ed25519-plain, ed25519-offchain-v0,
    /// ed25519-offchain-v1, eip191; without it that is found from the signature
    #[arg(long, value_name = "NAME", value_parser = envelope, conflicts_with = "draft")]
    pub(crate) envelope: Option<Envelope>,
    /// Write the exact text to this new file, for a wallet that signs elsewhere
    #[arg(long, value_name = "FILE", conflicts_with = "draft")]
    pub(crate) text_out: Option<PathBuf>,
    /// Print the text and end with 6: it is signed elsewhere and handed in with `waiaas statement submit`
    #[arg(long)]
    pub(crate) draft: bool,
    /// Sign without being asked; the text is still shown on stderr
    #[arg(long)]
    pub(crate) yes: bool,
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
    /// The draft, for a new key that signs it too.
    pub(crate) draft: Draft,
    /// The signatures over its text.
    pub(crate) signatures: Vec<OwnerSignature>,
}

/// A text that the signer wrote, checked to be the one that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// Which statement.
    pub(crate) statement: StatementId,
    /// Exactly what is signed.
    pub(crate) text: String,
    /// As recomputed here from what was asked; the text's last line has the same.
    pub(crate) digest: Digest,
}

impl Draft {
    /// Checks a text against what was asked.
    pub(crate) fn check(
        text: String,
        statement: StatementId,
        signer: SignerId,
        facts: &StatementFacts,
    ) -> Result<Self, Failure> {
        let digest = check::check(&text, statement, signer, facts).map_err(|flaw| {
            Failure::internal("the signer's text is not the one that was asked for")
                .why(flaw)
                .next("do not sign it; compare `waiaas --version` with the signer's in `waiaas status`")
        })?;
        Ok(Self {
            statement,
            text,
            digest,
        })
    }

    /// Shows the text byte for byte, and the digest. Whoever calls has found it to be a statement's text.
    pub(crate) fn show(&self, output: &Output) {
        let rule = "-".repeat(72);
        output.say(format!(
            "{rule}\n{}\n{rule}\nDigest, recomputed here from what was asked: {}",
            self.text, self.digest
        ));
    }

    /// Prints it for a wallet elsewhere. The command was not carried out, and ends so.
    fn leave(self, output: &Output, gateway_url: &str) -> Failure {
        let submit = format!(
            "waiaas statement submit {} --signature SIGNATURE",
            self.statement
        );
        let page = link(gateway_url, &self.text);
        let data = json!({
            "statement": self.statement,
            "text": self.text,
            "digest": self.digest.to_string(),
            "page": page,
            "submit": submit,
        });
        match output.data(&self.text, &data) {
            Err(failure) => failure,
            Ok(()) => Failure::new(Exit::Pending, "drafted, nothing is changed yet")
                .why(format!("{} waits for its signature, for an hour", self.statement))
                .next(format!(
                    "sign exactly this text, in a browser wallet by\n{page}\nor in your own copy of that page \
                     (waiaas statement page FILE); then: {submit}"
                )),
        }
    }
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
    /// How many owners sign; with a draft nobody does yet, and whoever hands it in is told.
    pub(crate) fn signers(&self) -> usize {
        if self.draft {
            return usize::MAX;
        }
        self.owner_key.len().saturating_add(self.owner.len()).max(1)
    }

    /// For what is not handed in by `waiaas statement submit`.
    pub(crate) fn refuse_draft(&self, because: &str) -> Result<(), Failure> {
        match self.draft {
            false => Ok(()),
            true => Err(Failure::usage("this is signed while the command waits")
                .why(because)
                .next("leave --draft out, and paste the signature when it is asked for")),
        }
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
        if self.draft {
            let draft = draft(signer, facts).await?;
            return Err(draft.leave(output, &signer.gateway_url));
        }
        let hands = self.hands(output, known, &signer.gateway_url)?;
        let draft = draft(signer, facts).await?;
        let signatures = self.signatures(output, &hands, &draft)?;
        Ok(SignedStatement {
            statement: draft.statement,
            draft,
            signatures,
        })
    }

    /// Signatures over a text that was drafted before; none if nobody is named.
    pub(crate) fn sign_text_if_any(
        &self,
        output: &Output,
        signer: &Signer,
        draft: &Draft,
        known: &[Signatory],
    ) -> Result<Vec<OwnerSignature>, Failure> {
        if self.owner_key.is_empty() && self.owner.is_empty() {
            return Ok(Vec::new());
        }
        let hands = self.hands(output, known, &signer.gateway_url)?;
        self.signatures(output, &hands, draft)
    }

    fn signatures(
        &self,
        output: &Output,
        hands: &[Hand],
        draft: &Draft,
    ) -> Result<Vec<OwnerSignature>, Failure> {
        hands
            .iter()
            .map(|hand| {
                let made = hand.pen.sign(output, draft, self.yes)?;
                Ok(OwnerSignature {
                    owner: hand.id,
                    envelope: made.envelope,
                    signature: made.signature,
                })
            })
            .collect()
    }

    /// Who signs, and how.
    fn hands(
        &self,
        output: &Output,
        known: &[Signatory],
        gateway_url: &str,
    ) -> Result<Vec<Hand>, Failure> {
        let mut hands = Vec::new();
        let keys = SigningKey::read_all(&self.owner_key, &self.owner_password_fd, output)?;
        for (path, key) in self.owner_key.iter().zip(keys) {
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
                pen: Pen::Here(key),
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
                pen: Pen::Elsewhere(Elsewhere {
                    key: signatory.key,
                    usual: signatory.envelope,
                    envelope: self.envelope,
                    text_out,
                    gateway_url: gateway_url.to_owned(),
                }),
            });
        }
        Ok(hands)
    }
}

struct Hand {
    id: OwnerId,
    pen: Pen,
}

/// Has the signer write a text, and checks that it is the text for these facts.
pub(crate) async fn draft(signer: &Signer, facts: &StatementFacts) -> Result<Draft, Failure> {
    let drafted = signer
        .client
        .draft_statement(facts)
        .await
        .map_err(failed("no text to sign was written"))?;
    Draft::check(drafted.text, drafted.statement, signer.pin.signer, facts)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::owner_key::KeyFile;

    /// The golden file ends with a line feed, the text does not.
    pub(crate) const TEXT: &str =
        include_str!("../../shared/tests/golden/statements/release-pause.txt").trim_ascii_end();

    /// A draft of this text, without any check.
    pub(crate) fn draft_of(text: &str) -> Draft {
        Draft {
            statement: StatementId::from_bytes([0x22; 16]),
            text: text.to_owned(),
            digest: Digest::from_bytes([0; 32]),
        }
    }

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
        let signing = |files: &[PathBuf], owners: Vec<OwnerId>| SigningArgs {
            owner_key: files.to_vec(),
            owner: owners,
            text_out: Some("text".into()),
            yes: true,
            ..SigningArgs::default()
        };
        let output = Output::new(false);
        let hands = |signing: &SigningArgs, known: &[Signatory]| {
            signing.hands(&output, known, "http://127.0.0.1:3100")
        };
        let two = signing(&files[..2], Vec::new());
        let pens = hands(&two, &known).unwrap();
        let signed = two.signatures(&output, &pens, &draft_of(TEXT)).unwrap();
        let owners: Vec<_> = signed.iter().map(|signature| signature.owner).collect();
        assert_eq!((two.signers(), owners), (2, vec![known[0].id, known[1].id]));
        assert_ne!(signed[0].signature, signed[1].signature);
        let mixed = signing(&files[..1], vec![known[2].id]);
        assert_eq!(
            (mixed.signers(), hands(&mixed, &known).unwrap().len()),
            (2, 2)
        );
        let elsewhere = signing(&[], vec![known[0].id, known[2].id]);
        let pens = hands(&elsewhere, &known).unwrap();
        let written = pens.iter().filter(|hand| match &hand.pen {
            Pen::Elsewhere(elsewhere) => elsewhere.text_out.is_some(),
            Pen::Here(_) => false,
        });
        assert_eq!(
            (pens.len(), written.count()),
            (2, 1),
            "the text is written once"
        );
        assert!(hands(&signing(&files[2..], Vec::new()), &known[..2]).is_err());
        let nobody = signing(&[], Vec::new());
        assert!(hands(&nobody, &known).is_err(), "which of three?");
        assert_eq!(
            (nobody.signers(), hands(&nobody, &known[..1]).unwrap().len()),
            (1, 1)
        );
    }
}
