//! Payments that wait: opened, released, stopped, with what came of them noted for the checks.

use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::task::spawn_local;
use waiaas_client::{ClientError, Paid, SignedPayment, SpendRequest, Submitted};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::intent::IntentView;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::agent::Transfer;

use super::{AT_ONCE, Rig, refusal};

impl Rig {
    /// Asks for a payment that must wait.
    pub(crate) fn wait(&mut self, request: &SpendRequest) -> Result<IntentView> {
        match self.ask(request)? {
            Paid::Waiting { view, .. } => Ok(*view),
            Paid::Signed(signed) => bail!("{} was signed at once", signed.transaction),
        }
    }

    /// An honest one.
    pub(crate) fn open(&mut self, transfer: &Transfer) -> Result<TransactionId> {
        let request = self.request(transfer)?;
        Ok(self.wait(&request)?.intent.transaction)
    }

    /// Brings bytes for it.
    pub(crate) fn release(
        &mut self,
        transaction: TransactionId,
        unsigned: &[u8],
    ) -> Result<SignedPayment, ClientError> {
        let requested = Instant::now();
        let gateway = self.gateway();
        let answer = self.block(gateway.release(transaction, unsigned));
        self.note_release(unsigned, requested, &answer);
        answer
    }

    /// Brings bytes that must be refused.
    pub(crate) fn unreleased(
        &mut self,
        what: &str,
        transaction: TransactionId,
        unsigned: &[u8],
        codes: &[Code],
    ) -> Result<Code> {
        let answer = self.release(transaction, unsigned);
        let code = refusal(answer).with_context(|| what.to_owned())?;
        ensure!(codes.contains(&code), "{what}: refused as {code}");
        Ok(code)
    }

    /// Brings many bytes at once, in order.
    pub(crate) fn release_all(
        &mut self,
        proposals: &[(TransactionId, Vec<u8>)],
    ) -> Result<Vec<Result<SignedPayment, ClientError>>> {
        let mut answers = Vec::new();
        for chunk in proposals.chunks(AT_ONCE) {
            let requested = Instant::now();
            let gateway = self.gateway();
            let together = self.block(async {
                let tasks = chunk.iter().cloned().map(|(transaction, unsigned)| {
                    let gateway = Rc::clone(&gateway);
                    spawn_local(async move { gateway.release(transaction, &unsigned).await })
                });
                let mut together = Vec::new();
                for task in tasks.collect::<Vec<_>>() {
                    together.push(task.await?);
                }
                Ok::<_, anyhow::Error>(together)
            })?;
            for ((_, unsigned), answer) in chunk.iter().zip(&together) {
                self.note_release(unsigned, requested, answer);
            }
            answers.extend(together);
        }
        Ok(answers)
    }

    /// Everything that waits.
    pub(crate) fn intents(&self) -> Result<Vec<IntentView>> {
        Ok(self.block(self.gateway().intents())?)
    }

    pub(crate) fn cancel(&mut self, transaction: TransactionId) -> Result<u64, ClientError> {
        let cancelled = self.block(self.gateway().cancel_intent(transaction));
        self.record.accepted += u64::from(cancelled.is_ok());
        cancelled
    }

    pub(crate) fn revoke(&mut self, session: SessionId) -> Result<()> {
        self.block(self.gateway().revoke_session(session))?;
        self.record.accepted += 1;
        Ok(())
    }

    pub(crate) fn approve(&mut self, transaction: TransactionId) -> Result<Submitted> {
        self.say(&StatementFacts::ApprovePayment { transaction })
    }

    pub(crate) fn reject(&mut self, transaction: TransactionId) -> Result<Submitted> {
        self.say(&StatementFacts::RejectPayment { transaction })
    }
}
