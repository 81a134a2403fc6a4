//! An owner's signature over the signer's own text: draft, check that the text is about what was asked
//! and comes from the pinned signer, show it whole, ask, sign (here with a key file, or elsewhere with
//! the owner's wallet). Nothing else is ever signed for an owner.

use std::path::PathBuf;

use waiaas_shared::digest::Digest;
use waiaas_shared::ids::{OwnerId, SignerId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::text::digest;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::statement::{StatementFacts, StatementHeader};
use waiaas_shared::time::WallTime;
use waiaas_shared::view::OwnerView;

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
        self.owner_key.len().max(self.owner.len()).max(1)
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

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Flaw {
    /// Another kind of statement.
    #[error("its first line names another kind of statement")]
    Heading,
    /// The last five lines are not those of every statement.
    #[error("its last five lines are not policy epoch, signer, statement, time and digest")]
    Form,
    /// Another signer's.
    #[error("it names another signer than the pinned one")]
    Signer,
    /// Another statement's.
    #[error("it names another statement")]
    Statement,
    /// The digest is not that of header and facts.
    #[error("its digest is not that of what was asked")]
    Digest,
    /// Another policy document.
    #[error("it names another policy document than the file's")]
    Document,
}

/// The kind, the signer, the statement, the digest over header and facts, and the document's digest of
/// a policy: all computed here from what was asked.
fn check(
    text: &str,
    statement: StatementId,
    signer: SignerId,
    facts: &StatementFacts,
) -> Result<(), Flaw> {
    if text.lines().next() != Some(format!("WAIaaS {}", facts.heading()).as_str()) {
        return Err(Flaw::Heading);
    }
    let mut last: Vec<_> = text.lines().rev().take(5).collect();
    last.reverse();
    let [epoch, by, which, before, stated] = last.try_into().map_err(|_| Flaw::Form)?;
    let policy_epoch = value(epoch, "Policy epoch: ")?
        .parse()
        .map_err(|_| Flaw::Form)?;
    if value(by, "Signer: ")? != signer.to_string() {
        return Err(Flaw::Signer);
    }
    if value(which, "Statement: ")? != statement.to_string() {
        return Err(Flaw::Statement);
    }
    let second = seconds(value(before, "Sign before: ")?).ok_or(Flaw::Form)?;
    let stated = Digest::from_hex(value(stated, "Digest: ")?).map_err(|_| Flaw::Form)?;
    // The text states the second, the digest covers the millisecond: one of a thousand must fit.
    let fits = (0..1000).any(|part| {
        let header = StatementHeader {
            signer,
            statement,
            policy_epoch,
            expires: WallTime::from_millis(second.saturating_mul(1000).saturating_add(part)),
        };
        digest(&header, facts) == stated
    });
    if !fits {
        return Err(Flaw::Digest);
    }
    if let StatementFacts::AdoptPolicy { document } = facts {
        let own = PolicyDocument::from_bytes(document)
            .map_err(|_| Flaw::Document)?
            .digest();
        let named = text
            .lines()
            .find_map(|line| line.strip_prefix("Document: "));
        if named != Some(own.to_string().as_str()) {
            return Err(Flaw::Document);
        }
    }
    Ok(())
}

fn value<'a>(line: &'a str, name: &str) -> Result<&'a str, Flaw> {
    line.strip_prefix(name).ok_or(Flaw::Form)
}

/// Unix time of `2026-11-21 10:30:00 UTC`, in seconds.
fn seconds(text: &str) -> Option<u64> {
    let civil: jiff::civil::DateTime = text.strip_suffix(" UTC")?.parse().ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    u64::try_from(zoned.timestamp().as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden file ends with a line feed, the text does not.
    const TEXT: &str =
        include_str!("../../shared/tests/golden/statements/release-pause.txt").trim_ascii_end();

    fn facts() -> StatementFacts {
        StatementFacts::ReleasePause { wallet: None }
    }

    fn ids(text: &str) -> (StatementId, SignerId) {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap()
        };
        (
            field("Statement: ").parse().unwrap(),
            field("Signer: ").parse().unwrap(),
        )
    }

    #[test]
    fn the_signers_text_for_what_was_asked_passes() {
        let (statement, signer) = ids(TEXT);
        assert_eq!(check(TEXT, statement, signer, &facts()), Ok(()));
    }

    #[test]
    fn every_other_text_is_refused() {
        let (statement, signer) = ids(TEXT);
        let other_signer = SignerId::from_bytes([9; 16]);
        let other_statement = StatementId::from_bytes([9; 16]);
        assert_eq!(
            check(TEXT, statement, other_signer, &facts()),
            Err(Flaw::Signer)
        );
        assert_eq!(
            check(TEXT, other_statement, signer, &facts()),
            Err(Flaw::Statement)
        );
        let another = StatementFacts::ReleaseKill {
            epoch: 1,
            sessions: Vec::new(),
        };
        assert_eq!(check(TEXT, statement, signer, &another), Err(Flaw::Heading));
        let wallet = waiaas_shared::ids::WalletId::from_bytes([3; 16]);
        let narrower = StatementFacts::ReleasePause {
            wallet: Some(wallet),
        };
        assert_eq!(check(TEXT, statement, signer, &narrower), Err(Flaw::Digest));
        let later = TEXT.replace("Sign before: 2026", "Sign before: 2027");
        assert_eq!(
            check(&later, statement, signer, &facts()),
            Err(Flaw::Digest)
        );
        let epoch = TEXT.replace("Policy epoch: 1", "Policy epoch: 2");
        assert_eq!(
            check(&epoch, statement, signer, &facts()),
            Err(Flaw::Digest)
        );
        let longer = format!("{TEXT}\nmore: 1");
        assert_eq!(check(&longer, statement, signer, &facts()), Err(Flaw::Form));
        assert_eq!(check("", statement, signer, &facts()), Err(Flaw::Heading));
    }
}
