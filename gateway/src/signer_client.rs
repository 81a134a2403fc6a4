//! What the gateway asks of the signer, as a trait: `waiaas-client` over `gateway.sock` in the
//! daemon, a script in tests. Owns the time limits of calls; decides nothing, keeps no state.

use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use waiaas_client::{
    ClientError, Drafted, EventPage, GatewayClient, GatewaySocket, Paid, Remote, Renewed,
    SessionRequest, SignedLogin, SignedPayment, SignedTransfer, SignerStatus, SpendRequest,
    Submitted, WouldAllow,
};
use waiaas_shared::agent::AgentView;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::ids::{AgentId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::intent::IntentView;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::OwnerSignature;
use waiaas_shared::transaction::EvmFees;
use waiaas_shared::view::{OwnerView, SessionView, WalletView};

/// Time for one call, connecting included.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Calls under way at once; the wire allows 256 on one connection.
const CALLS_AT_ONCE: usize = 224;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// The signer's answer is no.
    #[error("the signer refuses")]
    Denied(Denial),
    /// There is no connection: the call was not made.
    #[error("the signer cannot be reached: {0}")]
    Unreachable(NoConnection),
    /// The connection ended while the call was under way: whether it was carried out shows in the log.
    #[error("the connection to the signer ended during the call")]
    Interrupted,
    /// No answer in time; it may still be carried out.
    #[error("the signer did not answer in time")]
    TimedOut,
    /// The two programs do not understand each other.
    #[error("the signer speaks another version of the interface")]
    Version,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoConnection {
    /// The socket is missing, or others could have put another one in its place.
    #[error("its socket is missing, or others may write its folder")]
    Untrusted,
    /// Nobody listens.
    #[error("nobody listens on its socket")]
    NobodyListens,
    /// It closed the connection at once.
    #[error("it does not admit this user, or too many are connected")]
    NotAdmitted,
    /// It has no keystore yet, and so no log to follow.
    #[error("it has no keystore yet")]
    NotInitialized,
}

impl From<Code> for SignerError {
    fn from(code: Code) -> Self {
        Self::Denied(code.into())
    }
}

impl From<ClientError> for SignerError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Denied(denial) => Self::Denied(denial),
            ClientError::Unsafe(_) => Self::Unreachable(NoConnection::Untrusted),
            ClientError::Connect { .. } => Self::Unreachable(NoConnection::NobodyListens),
            ClientError::NotAdmitted => Self::Unreachable(NoConnection::NotAdmitted),
            ClientError::Disconnected => Self::Interrupted,
            ClientError::TimedOut => Self::TimedOut,
            _ => Self::Version,
        }
    }
}

/// The answer to a call.
pub type Answer<T> = BoxFuture<'static, Result<T, SignerError>>;

/// The signer, as `gateway.sock` offers it.
pub trait SignerPort: Send + Sync + fmt::Debug {
    /// What state the signer is in.
    fn status(&self) -> Answer<SignerStatus>;
    /// Events after a sequence; waits for the first one at most so long.
    fn events(&self, after: u64, max_bytes: u32, wait: Duration) -> Answer<EventPage>;
    /// A session with what is left of it; none if unknown.
    fn remaining(&self, session: SessionId) -> Answer<Option<SessionView>>;
    /// Every wallet.
    fn wallets(&self) -> Answer<Vec<WalletView>>;
    /// Every owner.
    fn owners(&self) -> Answer<Vec<OwnerView>>;
    /// Every agent.
    fn agents(&self) -> Answer<Vec<AgentView>>;
    /// Every binding policy document, oldest first.
    fn policy(&self) -> Answer<Vec<PolicyDocument>>;
    /// Dry run.
    fn decide(&self, spend: SpendRequest) -> Answer<WouldAllow>;
    /// Charge and sign, or let the payment wait.
    fn sign(&self, spend: SpendRequest) -> Answer<Paid>;
    /// Every payment that waits.
    fn intents(&self) -> Answer<Vec<IntentView>>;
    /// Charge and sign a payment whose wait is over, with fresh bytes.
    fn release(&self, transaction: TransactionId, unsigned: Vec<u8>) -> Answer<SignedPayment>;
    /// End a waiting payment.
    fn cancel_intent(&self, transaction: TransactionId) -> Answer<u64>;
    /// Sign the nonce of an EVM payment once more, with fresh bytes of the same effect.
    fn replace_transaction(
        &self,
        transaction: TransactionId,
        unsigned: Vec<u8>,
    ) -> Answer<SignedPayment>;
    /// Cancel an EVM payment on its nonce.
    fn cancel_transaction(
        &self,
        transaction: TransactionId,
        fees: EvmFees,
    ) -> Answer<SignedPayment>;
    /// The bytes of a committed payment once more.
    fn signed_transaction(&self, transaction: TransactionId) -> Answer<SignedPayment>;
    /// Pause a wallet, or everything.
    fn pause(&self, wallet: Option<WalletId>) -> Answer<u64>;
    /// Sign a login at a web site.
    fn sign_in(&self, request: SessionRequest) -> Answer<SignedLogin>;
    /// Dry run of one: its tier.
    fn decide_sign_in(&self, request: SessionRequest) -> Answer<Tier>;
    /// Charge a transfer authorization and sign it.
    fn authorize_transfer(&self, request: SessionRequest) -> Answer<SignedTransfer>;
    /// Dry run of one.
    fn decide_authorization(&self, request: SessionRequest) -> Answer<Tier>;
    /// Renew a session.
    fn renew_session(&self, request: SessionRequest) -> Answer<Renewed>;
    /// Revoke a session.
    fn revoke_session(&self, session: SessionId) -> Answer<u64>;
    /// Suspend an agent.
    fn suspend_agent(&self, agent: AgentId) -> Answer<u64>;
    /// Begin an agent's end.
    fn terminate_agent(&self, agent: AgentId) -> Answer<u64>;
    /// Have the text of a statement written.
    fn draft_statement(&self, facts: StatementFacts) -> Answer<Drafted>;
    /// Hand in owners' signatures over a statement.
    fn submit_statement(
        &self,
        statement: StatementId,
        signatures: Vec<OwnerSignature>,
    ) -> Answer<Submitted>;
    /// Throw the kill switch.
    fn kill(&self) -> Answer<u64>;
}

/// The signer behind its socket. Two connections: pages of events never stand before a payment. Calls are
/// made on the thread that serves HTTP, so that a payment wakes nobody between its request and the signer.
#[derive(Debug)]
pub struct SocketSigner {
    calls: Remote<GatewaySocket>,
    feed: Remote<GatewaySocket>,
    places: Arc<Semaphore>,
}

impl SocketSigner {
    /// Makes the connections, which connect with the first call. To be called in a `LocalSet`.
    ///
    /// # Errors
    /// The feed's thread cannot be made.
    pub fn start(socket: PathBuf) -> std::io::Result<Self> {
        Ok(Self {
            calls: Remote::here(socket.clone()),
            feed: Remote::on_a_thread(socket)?,
            places: Arc::new(Semaphore::new(CALLS_AT_ONCE)),
        })
    }

    fn call<T, F, A>(&self, call: F) -> Answer<T>
    where
        T: Send + 'static,
        F: FnOnce(Rc<GatewayClient>) -> A + Send + 'static,
        A: Future<Output = waiaas_client::Result<T>> + 'static,
    {
        let (remote, places) = (self.calls.clone(), Arc::clone(&self.places));
        Box::pin(async move {
            let Ok(_place) = places.try_acquire() else {
                return Err(Code::Overloaded.into());
            };
            within(CALL_TIMEOUT, remote.call(call)).await
        })
    }
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = waiaas_client::Result<T>>,
) -> Result<T, SignerError> {
    match timeout(limit, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(SignerError::TimedOut),
    }
}

impl SignerPort for SocketSigner {
    fn status(&self) -> Answer<SignerStatus> {
        self.call(|client| async move { client.status().await })
    }

    fn events(&self, after: u64, max_bytes: u32, wait: Duration) -> Answer<EventPage> {
        let remote = self.feed.clone();
        Box::pin(async move {
            let limit = CALL_TIMEOUT.saturating_add(wait);
            let ask = move |client: Rc<GatewayClient>| async move {
                client.events(after, max_bytes, wait).await
            };
            within(limit, remote.call(ask)).await
        })
    }

    fn remaining(&self, session: SessionId) -> Answer<Option<SessionView>> {
        self.call(move |client| async move { client.remaining(session).await })
    }

    fn wallets(&self) -> Answer<Vec<WalletView>> {
        self.call(|client| async move { client.wallets().await })
    }

    fn owners(&self) -> Answer<Vec<OwnerView>> {
        self.call(|client| async move { client.owners().await })
    }

    fn agents(&self) -> Answer<Vec<AgentView>> {
        self.call(|client| async move { client.agents().await })
    }

    fn policy(&self) -> Answer<Vec<PolicyDocument>> {
        let documents = self.call(|client| async move { client.policy().await });
        Box::pin(async move {
            let documents = documents.await?;
            let read = documents.iter().map(|bytes| PolicyDocument::adopted(bytes));
            read.collect::<Result<_, _>>()
                .map_err(|_| SignerError::Version)
        })
    }

    fn decide(&self, spend: SpendRequest) -> Answer<WouldAllow> {
        self.call(move |client| async move { client.decide(&spend).await })
    }

    fn sign(&self, spend: SpendRequest) -> Answer<Paid> {
        self.call(move |client| async move { client.sign(&spend).await })
    }

    fn intents(&self) -> Answer<Vec<IntentView>> {
        self.call(|client| async move { client.intents().await })
    }

    fn release(&self, transaction: TransactionId, unsigned: Vec<u8>) -> Answer<SignedPayment> {
        self.call(move |client| async move { client.release(transaction, &unsigned).await })
    }

    fn cancel_intent(&self, transaction: TransactionId) -> Answer<u64> {
        self.call(move |client| async move { client.cancel_intent(transaction).await })
    }

    fn replace_transaction(
        &self,
        transaction: TransactionId,
        unsigned: Vec<u8>,
    ) -> Answer<SignedPayment> {
        self.call(
            move |client| async move { client.replace_transaction(transaction, &unsigned).await },
        )
    }

    fn cancel_transaction(
        &self,
        transaction: TransactionId,
        fees: EvmFees,
    ) -> Answer<SignedPayment> {
        self.call(move |client| async move { client.cancel_transaction(transaction, fees).await })
    }

    fn signed_transaction(&self, transaction: TransactionId) -> Answer<SignedPayment> {
        self.call(move |client| async move { client.signed_transaction(transaction).await })
    }

    fn pause(&self, wallet: Option<WalletId>) -> Answer<u64> {
        self.call(move |client| async move { client.pause(wallet).await })
    }

    fn sign_in(&self, request: SessionRequest) -> Answer<SignedLogin> {
        self.call(move |client| async move { client.sign_in(&request).await })
    }

    fn decide_sign_in(&self, request: SessionRequest) -> Answer<Tier> {
        self.call(move |client| async move { client.decide_sign_in(&request).await })
    }

    fn authorize_transfer(&self, request: SessionRequest) -> Answer<SignedTransfer> {
        self.call(move |client| async move { client.authorize_transfer(&request).await })
    }

    fn decide_authorization(&self, request: SessionRequest) -> Answer<Tier> {
        self.call(move |client| async move { client.decide_authorization(&request).await })
    }

    fn renew_session(&self, request: SessionRequest) -> Answer<Renewed> {
        self.call(move |client| async move { client.renew_session(&request).await })
    }

    fn revoke_session(&self, session: SessionId) -> Answer<u64> {
        self.call(move |client| async move { client.revoke_session(session).await })
    }

    fn suspend_agent(&self, agent: AgentId) -> Answer<u64> {
        self.call(move |client| async move { client.suspend_agent(agent).await })
    }

    fn terminate_agent(&self, agent: AgentId) -> Answer<u64> {
        self.call(move |client| async move { client.terminate_agent(agent).await })
    }

    fn draft_statement(&self, facts: StatementFacts) -> Answer<Drafted> {
        self.call(move |client| async move { client.draft_statement(&facts).await })
    }

    fn submit_statement(
        &self,
        statement: StatementId,
        signatures: Vec<OwnerSignature>,
    ) -> Answer<Submitted> {
        self.call(
            move |client| async move { client.submit_statement(statement, &signatures).await },
        )
    }

    fn kill(&self) -> Answer<u64> {
        self.call(|client| async move { client.kill().await })
    }
}
