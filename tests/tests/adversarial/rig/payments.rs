//! Payments through the rig: honest ones and inventions, at once and many together, with what came of
//! them noted for the checks.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tokio::task::spawn_local;
use waiaas_client::{ClientError, Paid, SignedPayment, SpendRequest};
use waiaas_shared::denial::Code;
use waiaas_tests::agent::Transfer;
use waiaas_tests::stage::{EVM, EVM_TO, SOLANA_TO, solana};

use super::{AT_ONCE, Release, Rig, refusal};

/// The route of transactions that an agent brings.
pub(crate) const BROUGHT: &str = "/v1/transactions/sign";

impl Rig {
    pub(crate) fn to_evm(&self, amount: u128) -> Transfer {
        Transfer {
            from: self.cast.evm,
            network: EVM,
            to: EVM_TO.parse().expect("an address"),
            amount,
        }
    }

    pub(crate) fn to_solana(&self, amount: u128) -> Transfer {
        Transfer {
            from: self.cast.solana,
            network: solana(),
            to: SOLANA_TO.parse().expect("an address"),
            amount,
        }
    }

    /// An agent's honest request, under a fresh idempotency key.
    pub(crate) fn request(&mut self, transfer: &Transfer) -> Result<SpendRequest> {
        let key = self.fresh_key();
        self.cast.agent.request(transfer, &key)
    }

    /// The same body and bytes under the bearer session, which the gateway can speak for.
    pub(crate) fn invented(&mut self, transfer: &Transfer) -> Result<SpendRequest> {
        let key = self.fresh_key();
        Ok(SpendRequest {
            session: self.cast.bearer,
            signature_input: String::new(),
            signature: String::new(),
            ..self.cast.agent.request(transfer, &key)?
        })
    }

    /// Sends a request and notes what comes.
    pub(crate) fn ask(&mut self, request: &SpendRequest) -> Result<Paid, ClientError> {
        let requested = Instant::now();
        let gateway = self.gateway();
        let answer = self.block(gateway.sign(request));
        self.note(request, requested, &answer);
        answer
    }

    /// The same for a payment that is signed at once or refused.
    pub(crate) fn send(&mut self, request: &SpendRequest) -> Result<SignedPayment, ClientError> {
        self.ask(request).and_then(at_once)
    }

    /// Notes an answer that a case got by itself.
    pub(crate) fn note(
        &mut self,
        request: &SpendRequest,
        requested: Instant,
        answer: &Result<Paid, ClientError>,
    ) {
        match answer {
            Ok(Paid::Signed(signed)) => {
                self.note_release(&request.unsigned, requested, &Ok(signed.clone()));
                if let Some(newest) = self.record.releases.last_mut() {
                    newest.brought = request.path == BROUGHT;
                }
            }
            Ok(Paid::Waiting { view, .. }) => {
                let ran = self.ran_at(requested);
                let transaction = view.intent.transaction;
                let before = self.record.opened.insert(transaction, ran);
                if let Some(before) = before {
                    // Asked for again: it waits since the first time.
                    self.record.opened.insert(transaction, before.min(ran));
                } else {
                    self.record.waiting += 1;
                }
            }
            Err(ClientError::Denied(_)) => {}
            Err(error) => self.lost(error),
        }
    }

    /// Notes what came of bytes that were proposed.
    pub(crate) fn note_release(
        &mut self,
        proposed: &[u8],
        requested: Instant,
        answer: &Result<SignedPayment, ClientError>,
    ) {
        match answer {
            Ok(signed) => {
                self.record.paid += u64::from(!signed.replay);
                self.record.releases.push(Release {
                    proposed: proposed.to_vec(),
                    brought: false,
                    signed: signed.clone(),
                    requested,
                    answered: self.ran(),
                });
            }
            Err(ClientError::Denied(_)) => {}
            Err(error) => self.lost(error),
        }
    }

    pub(super) fn lost(&mut self, error: &ClientError) {
        self.record.unanswered += 1;
        self.record.captured.extend(error.to_string().bytes());
    }

    /// Sends many at once, in order, as many as a connection takes.
    pub(crate) fn send_all(
        &mut self,
        requests: &[SpendRequest],
    ) -> Result<Vec<Result<SignedPayment, ClientError>>> {
        let mut answers = Vec::new();
        for chunk in requests.chunks(AT_ONCE) {
            let requested = Instant::now();
            let gateway = self.gateway();
            let together = self.block(async {
                let tasks: Vec<_> = chunk
                    .iter()
                    .cloned()
                    .map(|request| {
                        let gateway = Rc::clone(&gateway);
                        spawn_local(async move { gateway.sign(&request).await })
                    })
                    .collect();
                let mut together = Vec::new();
                for task in tasks {
                    together.push(task.await?);
                }
                Ok::<_, anyhow::Error>(together)
            })?;
            for (request, answer) in chunk.iter().zip(&together) {
                self.note(request, requested, answer);
            }
            let together = together.into_iter();
            answers.extend(together.map(|answer| answer.and_then(at_once)));
        }
        Ok(answers)
    }

    /// Sends an honest payment that must pass.
    pub(crate) fn pay(&mut self, transfer: &Transfer) -> Result<SignedPayment> {
        let request = self.request(transfer)?;
        self.send(&request).context("an honest payment")
    }

    /// Every one of these must be refused, with one of the codes; how often each code came first.
    pub(crate) fn refused(
        &mut self,
        attempts: &[(String, SpendRequest)],
        codes: &[Code],
    ) -> Result<BTreeMap<Code, usize>> {
        let requests: Vec<_> = attempts
            .iter()
            .map(|(_, request)| request.clone())
            .collect();
        let mut counted = BTreeMap::new();
        let answers = self.send_all(&requests)?;
        for ((what, _), answer) in attempts.iter().zip(answers) {
            let code = refusal(answer).with_context(|| what.clone())?;
            ensure!(codes.contains(&code), "{what}: refused as {code}");
            *counted.entry(code).or_default() += 1;
        }
        ensure!(!counted.is_empty(), "nothing was attempted");
        Ok(counted)
    }

    /// The same for one.
    pub(crate) fn refuse(
        &mut self,
        what: &str,
        request: SpendRequest,
        codes: &[Code],
    ) -> Result<()> {
        self.refused(&[(what.to_owned(), request)], codes)?;
        Ok(())
    }
}

/// A payment of which no policy here asks that it waits.
pub(crate) fn at_once(paid: Paid) -> Result<SignedPayment, ClientError> {
    paid.signed().ok_or(ClientError::Protocol)
}
