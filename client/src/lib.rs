//! Client of the signer's two sockets: typed calls for gateway, command line and tests, and the way of
//! secrets. It trusts a socket by the permissions of its directory ([`path`]); it decides nothing and
//! keeps no state. Connections live on one thread, inside a `tokio::task::LocalSet`; [`Remote`] lends
//! one to programs with many.
#![forbid(unsafe_code)]

mod admin;
mod answer;
mod common;
mod connect;
mod gateway;
pub mod path;
mod remote;
mod secret;

pub use admin::{Audited, Initialized, NewWallet};
pub use answer::{
    Drafted, EventPage, EventRecord, Paid, Renewed, SignedLogin, SignedPayment, SignedTransfer,
    SignerStatus, Submitted, WouldAllow,
};
pub use connect::{AdminClient, AdminSocket, Client, GatewayClient, GatewaySocket, Socket};
pub use gateway::{SessionRequest, SpendRequest};
pub use remote::Remote;
pub use secret::{SECRET_LIMIT_BYTES, Ticket};

use waiaas_shared::denial::{Code, Denial};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The signer refuses, with every rule that was broken.
    #[error("refused: {}", codes(.0))]
    Denied(Denial),
    /// The socket cannot be trusted.
    #[error(transparent)]
    Unsafe(#[from] path::PathError),
    /// Nobody listens there.
    #[error("cannot connect to {path}: {source}", path = path.display())]
    Connect {
        /// The socket.
        path: std::path::PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The signer closed the connection before it answered: this user may not connect, or all places
    /// are taken.
    #[error(
        "the signer closed the connection: this user may not connect, or too many are connected"
    )]
    NotAdmitted,
    /// The connection ended. Whether the call was carried out is unknown: ask again with the same
    /// idempotency key, or read the log.
    #[error("the connection to the signer ended")]
    Disconnected,
    /// The signer took too long.
    #[error("the signer did not answer in time")]
    TimedOut,
    /// The signer found the parameters malformed: a mistake of this program, or another version.
    #[error("the signer found the parameters malformed")]
    Malformed,
    /// The answer is not one of this version's interface.
    #[error("the signer's answer is not understood: is it of another version?")]
    Protocol,
    /// The secret is empty or longer than [`SECRET_LIMIT_BYTES`].
    #[error("a secret has 1 to {SECRET_LIMIT_BYTES} bytes")]
    SecretLength,
    /// The signer did not take or give the secret: too many wait, or the ticket is unknown or used.
    #[error("the signer closed the secret channel")]
    SecretRefused,
}

fn codes(denial: &Denial) -> String {
    let codes: Vec<_> = denial
        .violations()
        .iter()
        .map(|violation| violation.code.as_str())
        .collect();
    codes.join(", ")
}

impl From<capnp::Error> for ClientError {
    /// Refusals without a place in the answer come as exceptions with a stable code as text.
    fn from(error: capnp::Error) -> Self {
        match error.kind {
            capnp::ErrorKind::Overloaded => Self::Denied(Code::Overloaded.into()),
            capnp::ErrorKind::Disconnected => Self::Disconnected,
            capnp::ErrorKind::Failed => {
                let text = error.extra.strip_prefix("remote exception: ");
                match text.and_then(Code::from_text) {
                    Some(code) => Self::Denied(code.into()),
                    None if text.is_some_and(|text| text.starts_with("malformed")) => {
                        Self::Malformed
                    }
                    None => Self::Protocol,
                }
            }
            _ => Self::Protocol,
        }
    }
}

/// The answer of a call, or why there is none.
pub type Result<T> = std::result::Result<T, ClientError>;
