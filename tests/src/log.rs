//! Reads a signer's whole log over its socket and verifies it, as an auditor would.

use std::time::Duration;

use anyhow::{Context as _, Result};
use waiaas_client::{Client, Socket};
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody, Spend};
use waiaas_shared::ids::SignerId;
use waiaas_shared::log::{Head, SignedHead, Verifier};

use crate::signer::Home;

/// A log that verified.
#[derive(Debug)]
pub struct Audited {
    /// Its head.
    pub head: Head,
    /// Its events in order.
    pub events: Vec<Event>,
}

/// Verifies everything from the genesis on; the public key comes from the keystore's header.
///
/// # Errors
/// When anything does not verify.
pub async fn audit<S: Socket>(
    home: &Home,
    client: &Client<S>,
    signer: SignerId,
) -> Result<Audited> {
    let keystore = std::fs::read(home.state().join("keystore"))?;
    // Offset 64 (docs/keystore-format.md): read here by the document, not with the signer's code.
    let key = keystore
        .get(64..96)
        .context("a keystore's header")?
        .try_into()?;
    let mut verifier = Verifier::new(signer, key);
    let mut events = Vec::new();
    loop {
        let page = client
            .events(verifier.head().sequence, 200_000, Duration::ZERO)
            .await?;
        if page.events.is_empty() {
            break;
        }
        let heads = page
            .heads
            .iter()
            .map(|note| note.parse::<SignedHead>())
            .collect::<Result<Vec<_>, _>>()?;
        for record in page.events {
            verifier.event(record.sequence, &record.body, record.hash)?;
            let signed = heads
                .iter()
                .find(|head| head.head_unverified().sequence == record.sequence);
            if let Some(head) = signed {
                verifier.signed_head(head)?;
            }
            events.push(from_canonical(&record.body)?);
        }
    }
    Ok(Audited {
        head: verifier.finish()?,
        events,
    })
}

impl Audited {
    /// Every payment that was charged for a session.
    pub fn spends(&self) -> impl Iterator<Item = &Spend> {
        self.events.iter().filter_map(|event| match &event.body {
            EventBody::SpendCommitted(spend) => Some(spend),
            _ => None,
        })
    }
}
