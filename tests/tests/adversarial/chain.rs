//! The log as an auditor of another house would follow it: hashes and signed notes by docs/log.md, in
//! a few lines of this program's own. Only the events' own form is the product's.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use waiaas_client::{EventPage, EventRecord};
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::Event;
use waiaas_shared::ids::SignerId;

/// Follows one log.
#[derive(Debug)]
pub(crate) struct Log {
    signer: SignerId,
    key: VerifyingKey,
    /// The hash after each event, the genesis first.
    hashes: Vec<[u8; 32]>,
    /// Number of the last event under a head.
    signed: usize,
    pub(crate) events: Vec<Event>,
    /// The export form, line by line.
    pub(crate) lines: Vec<String>,
}

fn digest(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

impl Log {
    /// An empty log of a signer, by the key in its keystore's header.
    pub(crate) fn new(signer: SignerId, key: [u8; 32]) -> Result<Self> {
        let first = format!(
            "{{\"signer\":\"{signer}\",\"log_key\":\"{}\"}}",
            hex::encode(key)
        );
        Ok(Self {
            signer,
            key: VerifyingKey::from_bytes(&key)?,
            hashes: vec![digest("waiaas/v1/genesis", &[signer.as_bytes(), &key])],
            signed: 0,
            events: Vec::new(),
            lines: vec![first],
        })
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.events.len() as u64
    }

    /// Takes the next page.
    pub(crate) fn follow(&mut self, page: &EventPage) -> Result<()> {
        let mut heads = page.heads.iter();
        let mut head = heads.next();
        for record in &page.events {
            self.event(record)?;
            while let Some(note) = head
                && self.place(note)? <= self.events.len()
            {
                ensure!(
                    self.place(note)? == self.events.len(),
                    "a head out of place"
                );
                self.goes_through(note)?;
                self.signed = self.events.len();
                self.lines
                    .push(serde_json::json!({ "head": note }).to_string());
                head = heads.next();
            }
        }
        Ok(())
    }

    fn event(&mut self, record: &EventRecord) -> Result<()> {
        let sequence = self.sequence() + 1;
        ensure!(record.sequence == sequence, "event {sequence} is missing");
        let previous = self.hashes.last().context("a genesis")?;
        let hash = digest(
            "waiaas/v1/event",
            &[previous, &sequence.to_be_bytes(), &record.body],
        );
        ensure!(
            record.hash.as_bytes() == &hash,
            "event {sequence} does not follow"
        );
        self.hashes.push(hash);
        self.events.push(from_canonical(&record.body)?);
        self.lines.push(format!(
            "{{\"sequence\":{sequence},\"body\":\"{}\",\"hash\":\"{}\"}}",
            STANDARD.encode(&record.body),
            hex::encode(hash)
        ));
        Ok(())
    }

    fn place(&self, note: &str) -> Result<usize> {
        Ok(note.lines().nth(1).context("a note")?.parse()?)
    }

    /// Whether a head that somebody kept lies on this log.
    pub(crate) fn goes_through(&self, note: &str) -> Result<()> {
        let place = self.place(note)?;
        let hash = self.hashes.get(place).context("a head beyond the log")?;
        let text = format!(
            "waiaas/log/v1/{}\n{place}\n{}\n",
            self.signer,
            STANDARD.encode(hash)
        );
        let signed = note
            .strip_prefix(&text)
            .with_context(|| format!("head {place} is of another log"))?;
        let blob = signed
            .split(' ')
            .nth(2)
            .context("a signature line")?
            .trim_end();
        let blob = STANDARD.decode(blob)?;
        let signature = Signature::from_slice(blob.get(4..).context("a signature")?)?;
        self.key.verify_strict(text.as_bytes(), &signature)?;
        Ok(())
    }

    /// The newest event must stand under a head.
    pub(crate) fn finish(&self) -> Result<()> {
        ensure!(
            self.signed == self.events.len(),
            "the newest event is unsigned"
        );
        Ok(())
    }
}
