//! The secret channel: a connection of its own that carries one password to the signer's locked memory,
//! or the recovery phrase out of it. docs/admin-socket.md has the bytes.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::connect::open;
use crate::{AdminClient, ClientError, Result};

/// The longest secret.
pub const SECRET_LIMIT_BYTES: usize = 1024;
const PREFACE: &[u8; 8] = b"WAIASSEC";
const PUT: u8 = b'P';
const TAKE: u8 = b'T';
const PATIENCE: Duration = Duration::from_secs(10);

/// Names one secret that waits in the signer: for one use, one minute, this user.
#[derive(Clone, Copy)]
pub struct Ticket([u8; 16]);

impl Ticket {
    /// The ticket of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ticket(secret)")
    }
}

impl AdminClient {
    /// Puts a secret into the signer's locked memory, straight from the caller's buffer.
    ///
    /// # Errors
    /// [`ClientError::SecretLength`], [`ClientError::SecretRefused`], [`ClientError::TimedOut`].
    pub async fn put_secret(&self, secret: &[u8]) -> Result<Ticket> {
        let length = u16::try_from(secret.len()).map_err(|_| ClientError::SecretLength)?;
        if secret.is_empty() || secret.len() > SECRET_LIMIT_BYTES {
            return Err(ClientError::SecretLength);
        }
        let exchange = async {
            let mut stream = open(&self.path, PREFACE).await?;
            let mut ticket = [0; 16];
            let refused = |_| ClientError::SecretRefused;
            stream.write_all(&[PUT]).await.map_err(refused)?;
            stream
                .write_all(&length.to_le_bytes())
                .await
                .map_err(refused)?;
            stream.write_all(secret).await.map_err(refused)?;
            stream.read_exact(&mut ticket).await.map_err(refused)?;
            Ok(Ticket(ticket))
        };
        timeout(PATIENCE, exchange)
            .await
            .map_err(|_| ClientError::TimedOut)?
    }

    /// Fetches a secret that the signer made; it is gone there afterwards.
    ///
    /// # Errors
    /// [`ClientError::SecretRefused`], [`ClientError::TimedOut`].
    pub async fn take_secret(&self, ticket: &Ticket) -> Result<Zeroizing<Vec<u8>>> {
        let exchange = async {
            let mut stream = open(&self.path, PREFACE).await?;
            let refused = |_| ClientError::SecretRefused;
            stream.write_all(&[TAKE]).await.map_err(refused)?;
            stream.write_all(ticket.as_bytes()).await.map_err(refused)?;
            let mut length = [0; 2];
            stream.read_exact(&mut length).await.map_err(refused)?;
            let mut secret = Zeroizing::new(vec![0; u16::from_le_bytes(length).into()]);
            stream.read_exact(&mut secret).await.map_err(refused)?;
            Ok(secret)
        };
        timeout(PATIENCE, exchange)
            .await
            .map_err(|_| ClientError::TimedOut)?
    }
}
