//! An owner's signature over the signer's own text: draft, check that the text is about what was asked
//! and comes from the pinned signer, show it whole, ask, sign (here with a key file, or elsewhere with
//! the owner's wallet). Nothing else is ever signed for an owner.

mod check;

use std::path::PathBuf;

use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::view::OwnerView;

use self::check::check;
use crate::failure::Failure;
use crate::output::Output;
use crate::owner_key::KeyFile;
use crate::pen::Pen;
use crate::signer::{Signer, failed};

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
}
