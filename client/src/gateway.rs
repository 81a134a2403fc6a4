//! What `gateway.sock` offers alone: an agent's payment, judged or signed, its bytes once more, its login at
//! a web site, its authorization of a transfer, and the renewal of a session.

use waiaas_schema::types_capnp::{session_request, spend_request};
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::policy::evaluate::Tier;

use crate::answer::{
    self, Paid, Renewed, SignedLogin, SignedPayment, SignedTransfer, WouldAllow, protocol,
};
use crate::{GatewayClient, Result};

/// An agent's request as it came over HTTP, and the bytes proposed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendRequest {
    /// Under which session.
    pub session: SessionId,
    /// `@method` of the HTTP request (RFC 9421 section 2.2).
    pub method: String,
    /// `@path`.
    pub path: String,
    /// `@query`, with its leading `?`.
    pub query: String,
    /// The agent's key for this request.
    pub idempotency_key: String,
    /// Raw body, as signed.
    pub body: Vec<u8>,
    /// `Signature-Input`; empty for a bearer session.
    pub signature_input: String,
    /// `Signature`; empty for a bearer session.
    pub signature: String,
    /// Proposed transaction; EVM: nonce 0.
    pub unsigned: Vec<u8>,
}

impl SpendRequest {
    fn write(&self, mut builder: spend_request::Builder<'_>) {
        builder.set_session(self.session.to_string());
        builder.set_method(&self.method);
        builder.set_path(&self.path);
        builder.set_query(&self.query);
        builder.set_idempotency_key(&self.idempotency_key);
        builder.set_body(&self.body);
        builder.set_signature_input(&self.signature_input);
        builder.set_signature(&self.signature);
        builder.set_unsigned(&self.unsigned);
    }
}

/// An agent's request that carries no transaction, as it came over HTTP: a renewal, a login, or the
/// authorization of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRequest {
    /// Which session.
    pub session: SessionId,
    /// `@method` of the HTTP request (RFC 9421 section 2.2).
    pub method: String,
    /// `@path`.
    pub path: String,
    /// `@query`, with its leading `?`.
    pub query: String,
    /// The agent's key for this request.
    pub idempotency_key: String,
    /// Raw body, as signed.
    pub body: Vec<u8>,
    /// `Signature-Input`; empty for a bearer session.
    pub signature_input: String,
    /// `Signature`; empty for a bearer session.
    pub signature: String,
}

impl SessionRequest {
    fn write(&self, mut builder: session_request::Builder<'_>) {
        builder.set_session(self.session.to_string());
        builder.set_method(&self.method);
        builder.set_path(&self.path);
        builder.set_query(&self.query);
        builder.set_idempotency_key(&self.idempotency_key);
        builder.set_body(&self.body);
        builder.set_signature_input(&self.signature_input);
        builder.set_signature(&self.signature);
    }
}

impl GatewayClient {
    /// Signs a login at a web site that policy names.
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them. After `Disconnected` the same request gives the same
    /// message.
    pub async fn sign_in(&self, asked: &SessionRequest) -> Result<SignedLogin> {
        let mut request = self.own.sign_in_request();
        asked.write(request.get().init_request());
        let response = request.send().promise.await?;
        answer::signed_login(response.get()?.get_result().map_err(protocol)?)
    }

    /// Dry run of a login: how it would be released; nothing is reserved.
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them.
    pub async fn decide_sign_in(&self, asked: &SessionRequest) -> Result<Tier> {
        let mut request = self.own.sign_in_request();
        asked.write(request.get().init_request());
        request.get().set_dry_run(true);
        let response = request.send().promise.await?;
        answer::would_sign_in(response.get()?.get_result().map_err(protocol)?)
    }

    /// Charges a transfer of a token and signs an authorization of it (EIP-3009).
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them. After `Disconnected` the same request gives the same
    /// authorization.
    pub async fn authorize_transfer(&self, asked: &SessionRequest) -> Result<SignedTransfer> {
        let mut request = self.own.authorize_transfer_request();
        asked.write(request.get().init_request());
        let response = request.send().promise.await?;
        answer::signed_transfer(response.get()?.get_result().map_err(protocol)?)
    }

    /// Dry run of an authorization: how it would be released; nothing is reserved.
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them.
    pub async fn decide_authorization(&self, asked: &SessionRequest) -> Result<Tier> {
        let mut request = self.own.authorize_transfer_request();
        asked.write(request.get().init_request());
        request.get().set_dry_run(true);
        let response = request.send().promise.await?;
        answer::would_authorize(response.get()?.get_result().map_err(protocol)?)
    }

    /// Renews a session inside of the bounds that its owner signed.
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them.
    pub async fn renew_session(&self, asked: &SessionRequest) -> Result<Renewed> {
        let mut request = self.own.renew_session_request();
        asked.write(request.get().init_request());
        let response = request.send().promise.await?;
        answer::renewed(response.get()?.get_result().map_err(protocol)?)
    }

    /// Dry run: what `sign` would decide now; nothing is reserved and no request signature is needed.
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them.
    pub async fn decide(&self, spend: &SpendRequest) -> Result<WouldAllow> {
        let mut request = self.own.decide_request();
        spend.write(request.get().init_request());
        let response = request.send().promise.await?;
        answer::would_allow(response.get()?.get_verdict().map_err(protocol)?)
    }

    /// Charges and signs, or lets the payment wait.
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them. After `Disconnected` the same request gives the
    /// same bytes.
    pub async fn sign(&self, spend: &SpendRequest) -> Result<Paid> {
        let mut request = self.own.sign_request();
        spend.write(request.get().init_request());
        let response = request.send().promise.await?;
        answer::paid(response.get()?.get_outcome().map_err(protocol)?)
    }

    /// Signs a payment whose wait is over, with fresh bytes (EVM: nonce 0) of the same effect.
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them.
    pub async fn release(
        &self,
        transaction: TransactionId,
        unsigned: &[u8],
    ) -> Result<SignedPayment> {
        let mut request = self.own.release_request();
        let mut params = request.get();
        params.set_transaction(transaction.to_string());
        params.set_unsigned(unsigned);
        let response = request.send().promise.await?;
        answer::payment(response.get()?.get_outcome().map_err(protocol)?)
    }

    /// The bytes of a committed payment once more.
    ///
    /// # Errors
    /// [`crate::ClientError`], `Denied` among them.
    pub async fn signed_transaction(&self, transaction: TransactionId) -> Result<SignedPayment> {
        let mut request = self.own.signed_transaction_request();
        request.get().set_transaction(transaction.to_string());
        let response = request.send().promise.await?;
        answer::payment(response.get()?.get_outcome().map_err(protocol)?)
    }
}
