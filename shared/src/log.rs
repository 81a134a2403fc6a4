//! The authenticated log as bytes: the chain of hashes over events, and the signed note over a head
//! (C2SP signed-note form; a chain's head, not a Merkle tree's checkpoint). Everybody can verify with
//! the log's public key: signer (also locked), command line, gateway, an independent program.
//! docs/log.md has test vectors.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::digest::{Digest, Domain, hash};
use crate::ids::SignerId;

/// The first line of a head's note, before the signer's id.
const ORIGIN: &str = "waiaas/log/v1";
/// Signature type byte of an Ed25519 note signature (C2SP signed-note).
const NOTE_ED25519: u8 = 1;

/// Why a log or a note does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Not a signed note of this form.
    #[error("not a signed note over a log head")]
    NoteForm,
    /// The signature is not by the log's key.
    #[error("the note's signature is not by this log's key")]
    NoteSignature,
    /// An event's hash does not follow from the event before it.
    #[error("event {0} does not follow from the one before it")]
    Chain(u64),
    /// Sequence numbers skip or repeat.
    #[error("event {0} is out of sequence")]
    Sequence(u64),
    /// The events do not end in the head that was signed.
    #[error("event {0} is not the head that was signed for it")]
    Head(u64),
    /// The newest event has no signed head.
    #[error("the log does not end with a signed head")]
    Unsigned,
}

/// The hash before the first event: binds the log to its signer and its key.
#[must_use]
pub fn genesis(signer: SignerId, log_key: &[u8; 32]) -> Digest {
    hash(Domain::Genesis, &[signer.as_bytes(), log_key])
}

/// The hash of the event with this `sequence` (from 1) and canonical `body`, after `previous`.
#[must_use]
pub fn link(previous: Digest, sequence: u64, body: &[u8]) -> Digest {
    hash(
        Domain::Event,
        &[previous.as_bytes(), &sequence.to_be_bytes(), body],
    )
}

/// How far a log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whose log.
    pub signer: SignerId,
    /// Number of its last event; 0 for an empty log.
    pub sequence: u64,
    /// Hash of its last event, or the genesis hash.
    pub hash: Digest,
}

impl Head {
    /// The text that the log key signs: origin with signer id, sequence, hash in base64; each with
    /// a newline.
    #[must_use]
    pub fn note_text(&self) -> String {
        format!(
            "{ORIGIN}/{}\n{}\n{}\n",
            self.signer,
            self.sequence,
            STANDARD.encode(self.hash.as_bytes())
        )
    }
}

/// A head with the log key's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    head: Head,
    signed: NoteSignature,
}

impl SignedHead {
    /// Puts a head and the signature over its [`Head::note_text`] together.
    #[must_use]
    pub fn new(head: Head, log_key: &[u8; 32], signature: [u8; 64]) -> Self {
        let signed = NoteSignature {
            key_id: key_id(head.signer, log_key),
            signature,
        };
        Self { head, signed }
    }

    /// The head, if the log key signed it.
    ///
    /// # Errors
    /// [`LogError::NoteSignature`].
    pub fn verify(&self, log_key: &[u8; 32]) -> Result<Head, LogError> {
        let text = self.head.note_text();
        self.signed.verify(self.head.signer, &text, log_key)?;
        Ok(self.head)
    }

    /// The signature over the head's [`Head::note_text`].
    #[must_use]
    pub const fn signature(&self) -> &[u8; 64] {
        &self.signed.signature
    }

    /// The head as claimed, before any verification.
    #[must_use]
    pub const fn head_unverified(&self) -> Head {
        self.head
    }
}

/// The signature line of a note: who signed with which key, and the signature over the text above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoteSignature {
    pub(crate) key_id: [u8; 4],
    pub(crate) signature: [u8; 64],
}

impl NoteSignature {
    /// Whether the log key of this signer made it over `text`.
    pub(crate) fn verify(
        &self,
        signer: SignerId,
        text: &str,
        log_key: &[u8; 32],
    ) -> Result<(), LogError> {
        let key = VerifyingKey::from_bytes(log_key).map_err(|_| LogError::NoteSignature)?;
        if self.key_id != key_id(signer, log_key) {
            return Err(LogError::NoteSignature);
        }
        let signature = Signature::from_bytes(&self.signature);
        key.verify_strict(text.as_bytes(), &signature)
            .map_err(|_| LogError::NoteSignature)
    }

    /// Reads the line; nothing if it names another signer.
    pub(crate) fn parse(line: &str, signer: SignerId) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        if name != signer.to_string() {
            return None;
        }
        let bytes = STANDARD.decode(encoded).ok()?;
        let (key_id, signature) = bytes.split_first_chunk::<4>()?;
        Some(Self {
            key_id: *key_id,
            signature: signature.try_into().ok()?,
        })
    }

    /// The line, without its newline.
    pub(crate) fn line(&self, signer: SignerId) -> String {
        let mut bytes = self.key_id.to_vec();
        bytes.extend_from_slice(&self.signature);
        format!("\u{2014} {signer} {}", STANDARD.encode(bytes))
    }
}

/// First four bytes of SHA-256 over key name, newline, type and key (C2SP signed-note).
pub(crate) fn key_id(signer: SignerId, log_key: &[u8; 32]) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(signer.to_string());
    hasher.update([b'\n', NOTE_ED25519]);
    hasher.update(log_key);
    let digest: [u8; 32] = hasher.finalize().into();
    let [first, second, third, fourth, ..] = digest;
    [first, second, third, fourth]
}

/// The note: text, empty line, one signature line.
impl fmt::Display for SignedHead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.head.note_text();
        writeln!(formatter, "{text}\n{}", self.signed.line(self.head.signer))
    }
}

impl FromStr for SignedHead {
    type Err = LogError;

    fn from_str(note: &str) -> Result<Self, LogError> {
        let parsed = parse_note(note).ok_or(LogError::NoteForm)?;
        // One text form only.
        if parsed.to_string() == note {
            Ok(parsed)
        } else {
            Err(LogError::NoteForm)
        }
    }
}

fn parse_note(note: &str) -> Option<SignedHead> {
    let mut lines = note.split('\n');
    let signer: SignerId = lines
        .next()?
        .strip_prefix(ORIGIN)?
        .strip_prefix('/')?
        .parse()
        .ok()?;
    let sequence = lines.next()?.parse().ok()?;
    let hash = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
    lines.next().filter(|empty| empty.is_empty())?;
    let signed = NoteSignature::parse(lines.next()?, signer)?;
    let head = Head {
        signer,
        sequence,
        hash: Digest::from_bytes(hash),
    };
    Some(SignedHead { head, signed })
}

/// Follows a log event by event, from any verified point.
#[derive(Debug, Clone)]
pub struct Verifier {
    log_key: [u8; 32],
    head: Head,
    signed: u64,
}

impl Verifier {
    /// Begins at the genesis of a log.
    #[must_use]
    pub fn new(signer: SignerId, log_key: [u8; 32]) -> Self {
        let head = Head {
            signer,
            sequence: 0,
            hash: genesis(signer, &log_key),
        };
        Self {
            log_key,
            head,
            signed: 0,
        }
    }

    /// Begins at a head that is only claimed: what follows shows whether a later head that the log key
    /// signed goes through it, and with that everything that its hash binds.
    #[must_use]
    pub const fn after(head: Head, log_key: [u8; 32]) -> Self {
        Self {
            log_key,
            head,
            signed: 0,
        }
    }

    /// The same log key, from a claimed head on.
    #[must_use]
    pub const fn continue_after(&self, head: Head) -> Self {
        Self::after(head, self.log_key)
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// [`LogError`] naming the event.
    pub fn event(&mut self, sequence: u64, body: &[u8], claimed: Digest) -> Result<(), LogError> {
        if self.head.sequence.checked_add(1) != Some(sequence) {
            return Err(LogError::Sequence(sequence));
        }
        let hash = link(self.head.hash, sequence, body);
        if hash != claimed {
            return Err(LogError::Chain(sequence));
        }
        self.head = Head {
            sequence,
            hash,
            ..self.head
        };
        Ok(())
    }

    /// Takes the signed head of a batch that ends at the event just taken.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn signed_head(&mut self, signed: &SignedHead) -> Result<(), LogError> {
        let head = signed.verify(&self.log_key)?;
        if head != self.head {
            return Err(LogError::Head(head.sequence));
        }
        self.signed = head.sequence;
        Ok(())
    }

    /// How far the log was followed.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The head, if the last event taken was signed for.
    ///
    /// # Errors
    /// [`LogError::Unsigned`].
    pub fn finish(&self) -> Result<Head, LogError> {
        if self.signed == self.head.sequence {
            Ok(self.head)
        } else {
            Err(LogError::Unsigned)
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn signer() -> SignerId {
        SignerId::from_bytes([1; 16])
    }

    fn sign(head: Head) -> SignedHead {
        let key = key();
        let signature = key.sign(head.note_text().as_bytes()).to_bytes();
        SignedHead::new(head, key.verifying_key().as_bytes(), signature)
    }

    type Record = (u64, Vec<u8>, Digest);

    /// Three events in two batches.
    fn log() -> (Vec<Record>, Vec<SignedHead>) {
        let mut hash = genesis(signer(), key().verifying_key().as_bytes());
        let mut events = Vec::new();
        let mut heads = Vec::new();
        for sequence in 1..=3 {
            let body = vec![u8::try_from(sequence).expect("small"); 5];
            hash = link(hash, sequence, &body);
            events.push((sequence, body, hash));
            if sequence != 2 {
                heads.push(sign(Head {
                    signer: signer(),
                    sequence,
                    hash,
                }));
            }
        }
        (events, heads)
    }

    fn check(events: &[Record], heads: &[SignedHead]) -> Result<Head, LogError> {
        let mut verifier = Verifier::new(signer(), *key().verifying_key().as_bytes());
        for (sequence, body, hash) in events {
            verifier.event(*sequence, body, *hash)?;
            for head in heads
                .iter()
                .filter(|signed| signed.head.sequence == *sequence)
            {
                verifier.signed_head(head)?;
            }
        }
        verifier.finish()
    }

    #[test]
    fn a_sound_log_verifies() {
        let (events, heads) = log();
        assert_eq!(check(&events, &heads).map(|head| head.sequence), Ok(3));
    }

    /// From a claimed head on, only the true one leads to the signed end.
    #[test]
    fn a_log_is_followed_from_a_claimed_head() {
        let (events, heads) = log();
        let key = *key().verifying_key().as_bytes();
        let follow = |hash: Digest| {
            let claimed = Head {
                signer: signer(),
                sequence: 1,
                hash,
            };
            let mut verifier = Verifier::after(claimed, key);
            assert!(verifier.finish().is_err(), "a claim is not a signed head");
            for (sequence, body, hash) in &events[1..] {
                verifier.event(*sequence, body, *hash)?;
            }
            verifier.signed_head(&heads[1])?;
            verifier.finish()
        };
        assert_eq!(follow(events[0].2).map(|head| head.sequence), Ok(3));
        assert_eq!(follow(Digest::from_bytes([9; 32])), Err(LogError::Chain(2)));
    }

    /// invariant_07_trace: every mutation of every record is seen.
    #[test]
    fn mutated_records_are_seen() {
        let (events, heads) = log();
        for place in 0..events.len() {
            let mut mutated = events.clone();
            mutated[place].1[0] ^= 1;
            assert!(check(&mutated, &heads).is_err(), "body of {place}");
            let mut missing = events.clone();
            missing.remove(place);
            assert!(check(&missing, &heads).is_err(), "{place} withheld");
            let mut doubled = events.clone();
            doubled.insert(place, events[place].clone());
            assert!(check(&doubled, &heads).is_err(), "{place} doubled");
        }
        assert_eq!(check(&events, &heads[..1]), Err(LogError::Unsigned));
        let mut forged = heads.clone();
        forged[1].signed.signature[3] ^= 1;
        assert_eq!(check(&events, &forged), Err(LogError::NoteSignature));
    }

    #[test]
    fn a_note_has_one_form() {
        let (_, heads) = log();
        let note = heads[0].to_string();
        assert_eq!(note.parse(), Ok(heads[0].clone()));
        for wrong in [
            note.replace("v1", "v2"),
            note.replace("\n1\n", "\n01\n"),
            note.replace("\n1\n", "\n+1\n"),
            note.trim_end().to_owned(),
            format!("{note}\n"),
            note.replace('\u{2014}', "-"),
            String::new(),
        ] {
            assert_eq!(
                wrong.parse::<SignedHead>(),
                Err(LogError::NoteForm),
                "{wrong:?}"
            );
        }
    }
}
