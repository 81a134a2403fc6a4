//! What both sockets offer: reading, drafting and submitting statements, stopping.

use std::time::Duration;

use capnp::struct_list;
use waiaas_schema::types_capnp::owner_signature;
use waiaas_shared::agent::AgentView;
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::ids::{AgentId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::intent::IntentView;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::OwnerSignature;
use waiaas_shared::transaction::EvmFees;
use waiaas_shared::view::{OwnerView, SessionView, WalletView};

use crate::answer::{self, Drafted, EventPage, SignedPayment, SignerStatus, Submitted, protocol};
use crate::{Client, Result, Socket};

impl<S: Socket> Client<S> {
    /// What state the signer is in.
    ///
    /// # Errors
    /// [`crate::ClientError`], here and below.
    pub async fn status(&self) -> Result<SignerStatus> {
        let response = self.common.status_request().send().promise.await?;
        answer::status(response.get()?.get_status().map_err(protocol)?)
    }

    /// Events after a sequence, up to about so many bytes: at once if there are any, else as soon as
    /// there are, or an empty page after `wait` (30 seconds at most).
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn events(&self, after: u64, max_bytes: u32, wait: Duration) -> Result<EventPage> {
        let mut request = self.common.events_request();
        let mut params = request.get();
        params.set_after(after);
        params.set_max_bytes(max_bytes);
        params.set_wait_millis(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
        let response = request.send().promise.await?;
        answer::page(response.get()?.get_page().map_err(protocol)?)
    }

    /// A session with what is left of it; nothing if there is no such session.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn remaining(&self, session: SessionId) -> Result<Option<SessionView>> {
        let mut request = self.common.remaining_request();
        request.get().set_session(session.to_string());
        let response = request.send().promise.await?;
        let canonical = response.get()?.get_canonical().map_err(protocol)?;
        if canonical.is_empty() {
            return Ok(None);
        }
        from_canonical(canonical).map(Some).map_err(protocol)
    }

    /// Every wallet.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn wallets(&self) -> Result<Vec<WalletView>> {
        let response = self.common.wallets_request().send().promise.await?;
        let list = response.get()?.get_canonical().map_err(protocol)?;
        list.iter()
            .map(|view| from_canonical(view.map_err(protocol)?).map_err(protocol))
            .collect()
    }

    /// Every owner.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn owners(&self) -> Result<Vec<OwnerView>> {
        let response = self.common.owners_request().send().promise.await?;
        let list = response.get()?.get_canonical().map_err(protocol)?;
        list.iter()
            .map(|view| from_canonical(view.map_err(protocol)?).map_err(protocol))
            .collect()
    }

    /// Canonical bytes of every binding policy document, oldest first.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn policy(&self) -> Result<Vec<Vec<u8>>> {
        let response = self.common.policy_request().send().promise.await?;
        response
            .get()?
            .get_documents()
            .map_err(protocol)?
            .iter()
            .map(answer::bytes)
            .collect()
    }

    /// Has the signer write the text of a statement for an owner to sign.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn draft_statement(&self, facts: &StatementFacts) -> Result<Drafted> {
        let mut request = self.common.draft_statement_request();
        request.get().set_facts(&to_canonical(facts));
        let response = request.send().promise.await?;
        answer::drafted(response.get()?.get_draft().map_err(protocol)?)
    }

    /// Hands in owners' signatures over a drafted statement.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn submit_statement(
        &self,
        statement: StatementId,
        signatures: &[OwnerSignature],
    ) -> Result<Submitted> {
        let mut request = self.common.submit_statement_request();
        let mut params = request.get();
        params.set_statement(statement.to_string());
        write_signatures(signatures, |length| params.init_signatures(length));
        let response = request.send().promise.await?;
        answer::submitted(response.get()?.get_result().map_err(protocol)?)
    }

    /// Pauses a wallet, or everything; the event's number.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn pause(&self, wallet: Option<WalletId>) -> Result<u64> {
        let mut request = self.common.pause_request();
        request
            .get()
            .set_wallet(wallet.map(|wallet| wallet.to_string()).unwrap_or_default());
        Ok(request.send().promise.await?.get()?.get_sequence())
    }

    /// Revokes a session; the event's number.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn revoke_session(&self, session: SessionId) -> Result<u64> {
        let mut request = self.common.revoke_session_request();
        request.get().set_session(session.to_string());
        Ok(request.send().promise.await?.get()?.get_sequence())
    }

    /// Every agent.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn agents(&self) -> Result<Vec<AgentView>> {
        let response = self.common.agents_request().send().promise.await?;
        let list = response.get()?.get_canonical().map_err(protocol)?;
        list.iter()
            .map(|view| from_canonical(view.map_err(protocol)?).map_err(protocol))
            .collect()
    }

    /// Suspends an agent; the event's number.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn suspend_agent(&self, agent: AgentId) -> Result<u64> {
        let mut request = self.common.suspend_agent_request();
        request.get().set_agent(agent.to_string());
        Ok(request.send().promise.await?.get()?.get_sequence())
    }

    /// Begins an agent's end; the event's number.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn terminate_agent(&self, agent: AgentId) -> Result<u64> {
        let mut request = self.common.terminate_agent_request();
        request.get().set_agent(agent.to_string());
        Ok(request.send().promise.await?.get()?.get_sequence())
    }

    /// Everything that waits.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn intents(&self) -> Result<Vec<IntentView>> {
        let response = self.common.intents_request().send().promise.await?;
        let list = response.get()?.get_canonical().map_err(protocol)?;
        list.iter()
            .map(|view| from_canonical(view.map_err(protocol)?).map_err(protocol))
            .collect()
    }

    /// What the signer says of itself, a note signed by the log key: to be verified before anything of
    /// it is believed. Refused while the signer is locked.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn heartbeat(&self) -> Result<String> {
        let response = self.common.heartbeat_request().send().promise.await?;
        answer::owned(response.get()?.get_note())
    }

    /// Ends a waiting payment for good; the event's number.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn cancel_intent(&self, transaction: TransactionId) -> Result<u64> {
        let mut request = self.common.cancel_intent_request();
        request.get().set_transaction(transaction.to_string());
        Ok(request.send().promise.await?.get()?.get_sequence())
    }

    /// Signs the nonce of a committed EVM payment once more: fresh bytes (nonce 0) of the same effect with
    /// a higher fee.
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them. After `Disconnected` the same call gives the same bytes.
    pub async fn replace_transaction(
        &self,
        transaction: TransactionId,
        unsigned: &[u8],
    ) -> Result<SignedPayment> {
        let mut request = self.common.replace_transaction_request();
        let mut params = request.get();
        params.set_transaction(transaction.to_string());
        params.set_unsigned(unsigned);
        let response = request.send().promise.await?;
        answer::payment(response.get()?.get_outcome().map_err(protocol)?)
    }

    /// Cancels a committed EVM payment on its nonce, with these fees.
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them. After `Disconnected` the same call gives the same bytes.
    pub async fn cancel_transaction(
        &self,
        transaction: TransactionId,
        fees: EvmFees,
    ) -> Result<SignedPayment> {
        let mut request = self.common.cancel_transaction_request();
        let mut params = request.get();
        params.set_transaction(transaction.to_string());
        let mut written = params.init_fees();
        written.set_gas_limit(fees.gas_limit);
        written.set_max_fee_per_gas(fees.max_fee_per_gas.to_string());
        written.set_max_priority_fee_per_gas(fees.max_priority_fee_per_gas.to_string());
        let response = request.send().promise.await?;
        answer::payment(response.get()?.get_outcome().map_err(protocol)?)
    }

    /// Throws the kill switch: keys wiped, sessions revoked, durable before this returns; the event's
    /// number.
    ///
    /// # Errors
    /// [`crate::ClientError`].
    pub async fn kill(&self) -> Result<u64> {
        Ok(self
            .common
            .kill_request()
            .send()
            .promise
            .await?
            .get()?
            .get_sequence())
    }
}

pub(crate) fn write_signatures<'a>(
    signatures: &[OwnerSignature],
    init: impl FnOnce(u32) -> struct_list::Builder<'a, owner_signature::Owned>,
) {
    let mut list = init(u32::try_from(signatures.len()).unwrap_or(u32::MAX));
    for (place, signature) in (0..).zip(signatures) {
        let mut entry = list.reborrow().get(place);
        entry.set_owner(signature.owner.to_string());
        entry.set_envelope(signature.envelope.as_str());
        entry.set_signature(&signature.signature);
    }
}
