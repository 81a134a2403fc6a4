//! The way to the signer: connecting, checking that it is the pinned one with a log that goes on, and
//! what its refusals mean here. Every command that speaks with the signer begins here.

use std::path::Path;

use waiaas_client::path::PathError;
use waiaas_client::{AdminClient, ClientError, SignerStatus, Ticket};
use waiaas_shared::amount::Decimals;
use waiaas_shared::caip::AssetId;
use waiaas_shared::caip::{ChainId, Token};
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::log::Head;
use waiaas_shared::policy::document::PolicyDocument;

use crate::app::App;
use crate::continuity;
use crate::failure::{Exit, Failure};
use crate::secret::Secret;
use crate::witness::Pin;

/// A connection to the pinned signer, whose log goes on from what was seen.
#[derive(Debug)]
pub(crate) struct Signer {
    /// The connection.
    pub(crate) client: AdminClient,
    /// Its state at the beginning of the command.
    pub(crate) status: SignerStatus,
    /// What this home knows of it.
    pub(crate) pin: Pin,
    /// Where the gateway serves its signing page.
    pub(crate) gateway_url: String,
}

/// Connects and nothing else: what stops something asks no more than this.
pub(crate) async fn reach(app: &App) -> Result<AdminClient, Failure> {
    connect(&app.config.admin_socket).await
}

/// Connects to this socket.
pub(crate) async fn connect(socket: &Path) -> Result<AdminClient, Failure> {
    AdminClient::connect(socket)
        .await
        .map_err(failed("not connected"))
}

impl Signer {
    /// Connects and checks.
    pub(crate) async fn connect(app: &App) -> Result<Self, Failure> {
        let signer = Self::connect_unwitnessed(app).await?;
        if !signer.status.head.is_empty() {
            signer.witness(app, &signer.status.head).await?;
        }
        Ok(signer)
    }

    /// Compares a head of this signer with the last one seen, and keeps the newer if the log leads there.
    pub(crate) async fn witness(&self, app: &App, note: &str) -> Result<Head, Failure> {
        continuity::witness(app, &self.client, &self.pin, note).await
    }

    /// Connects and checks who answers, not whether its log goes on from what was seen: for unlocking, at
    /// which the signer itself compares.
    pub(crate) async fn connect_unwitnessed(app: &App) -> Result<Self, Failure> {
        let client = reach(app).await?;
        let status = client.status().await.map_err(failed("no status"))?;
        let Some(signer) = status.signer else {
            let code = waiaas_shared::denial::Code::NotInitialized;
            let violation = waiaas_shared::denial::Violation::of(code);
            return Err(Failure::denied("this signer is new", &[violation]));
        };
        let pin = Pin::require(&app.home)?;
        if signer != pin.signer {
            return Err(Failure::new(Exit::Failure, "another signer answers")
                .why(format!(
                    "this home is pinned to {}, the socket leads to {signer}",
                    pin.signer
                ))
                .next("check `admin-socket` in config.toml"));
        }
        if !status.head.is_empty() {
            pin.verify(&status.head)?;
        }
        Ok(Self {
            client,
            status,
            pin,
            gateway_url: app.config.gateway_url.clone(),
        })
    }

    /// Puts a password into the signer's locked memory.
    pub(crate) async fn put(&self, password: &Secret) -> Result<Ticket, Failure> {
        put(&self.client, password).await
    }

    /// The newest adopted policy document, matured or not.
    pub(crate) async fn newest_policy(&self) -> Result<Option<PolicyDocument>, Failure> {
        Ok(self.policies().await?.pop())
    }

    /// Every binding document, oldest first.
    pub(crate) async fn policies(&self) -> Result<Vec<PolicyDocument>, Failure> {
        let documents = self.client.policy().await.map_err(failed("no policy"))?;
        documents
            .iter()
            .map(|bytes| {
                PolicyDocument::adopted(bytes).map_err(|error| {
                    Failure::internal("the signer's policy is not understood").why(error)
                })
            })
            .collect()
    }

    /// The event with this number.
    pub(crate) async fn event(&self, sequence: u64) -> Result<EventBody, Failure> {
        let after = sequence.saturating_sub(1);
        let page = self
            .client
            .events(after, 1, std::time::Duration::ZERO)
            .await
            .map_err(failed("no event"))?;
        let record = page
            .events
            .iter()
            .find(|record| record.sequence == sequence);
        record
            .and_then(|record| from_canonical::<Event>(&record.body).ok())
            .map(|event| event.body)
            .ok_or_else(|| {
                Failure::internal(format!(
                    "event {sequence} is not in the log or not understood"
                ))
            })
    }
}

/// Puts a password into the signer's locked memory.
pub(crate) async fn put(client: &AdminClient, password: &Secret) -> Result<Ticket, Failure> {
    client
        .put_secret(password.expose())
        .await
        .map_err(failed("the password was not handed over"))
}

/// Places between an asset's unit and its base unit: by the policy, else by the chain's own rules for
/// its coin; none for a token that no policy names.
pub(crate) fn decimals(asset: AssetId, policy: Option<&PolicyDocument>) -> Option<Decimals> {
    let listed = policy
        .and_then(|document| document.asset(asset))
        .map(|rule| rule.decimals);
    listed.or_else(|| match (asset.token(), asset.chain()) {
        (Token::Native, ChainId::Solana(_)) => Decimals::new(9).ok(),
        (Token::Native, ChainId::Evm(_)) => Decimals::new(18).ok(),
        _ => None,
    })
}

/// Turns the client's error into a failure of this action.
pub(crate) fn failed(what: &'static str) -> impl Fn(ClientError) -> Failure {
    move |error| {
        match error {
        ClientError::Denied(denial) => Failure::denied(what, denial.violations()),
        ClientError::Unsafe(PathError::Unreadable { source, path }) => match source.kind() {
            std::io::ErrorKind::NotFound => not_running(path.display()),
            std::io::ErrorKind::PermissionDenied => {
                Failure::new(Exit::Permission, "the signer's socket is not yours to use")
                    .why(format!("{}: {source}", path.display()))
                    .next("run the command as the owner's user (`admin-uids` in the signer's configuration)")
            }
            _ => Failure::new(Exit::Failure, what).why(format!("{}: {source}", path.display())),
        },
        ClientError::Unsafe(error) => {
            Failure::new(Exit::Permission, "the signer's socket cannot be trusted").why(error)
        }
        ClientError::Connect { path, source } => match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => not_running(path.display()),
            std::io::ErrorKind::PermissionDenied => {
                Failure::new(Exit::Permission, "the signer's socket is not yours to use")
                    .why(format!("{}: {source}", path.display()))
                    .next("run the command as the owner's user (`admin-uids` in the signer's configuration)")
            }
            _ => Failure::new(Exit::Unavailable, what).why(format!("{}: {source}", path.display())),
        },
        ClientError::NotAdmitted => Failure::new(Exit::Permission, what)
            .why(ClientError::NotAdmitted)
            .next("run the command as the owner's user, and not too many at once"),
        ClientError::Disconnected => Failure::new(Exit::Unavailable, what)
            .why("the connection ended; whether it was carried out is not known")
            .next("waiaas status, then waiaas audit show"),
        ClientError::TimedOut => Failure::new(Exit::Unavailable, what)
            .why(ClientError::TimedOut)
            .next("waiaas status"),
        ClientError::SecretRefused => Failure::new(Exit::Unavailable, what)
            .why(ClientError::SecretRefused)
            .next("wait a minute and try again: passwords that were handed over and not used are in the way"),
        ClientError::SecretLength => Failure::usage(what).why(ClientError::SecretLength),
        error @ (ClientError::Malformed | ClientError::Protocol) => {
            Failure::internal(what).why(error).next("compare `waiaas --version` with the signer's in `waiaas status`")
        }
    }
    }
}

fn not_running(path: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Unavailable, "the signer is not running")
        .why(format!("nobody listens at {path}"))
        .next("waiaas start")
}
