//! Connections: preface, Cap'n Proto over the stream, and the bootstrap interface.

use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use capnp::any_pointer;
use capnp::capability::FromClientHook as _;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, twoparty};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};
use waiaas_schema::{admin_capnp, common_capnp, gateway_capnp};

use crate::{ClientError, Result, path};

/// First bytes of a connection that carries Cap'n Proto.
const PREFACE: &[u8; 8] = b"WAIASRPC";
/// How long the signer may take to answer a new connection. It answers at once unless it is stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which socket a client is connected to.
pub trait Socket: 'static {
    /// Its own interface, beside what both have in common.
    type Interface: capnp::capability::FromClientHook + Clone;
}

/// `gateway.sock`.
#[derive(Debug)]
pub struct GatewaySocket;

/// `admin.sock`.
#[derive(Debug)]
pub struct AdminSocket;

impl Socket for GatewaySocket {
    type Interface = gateway_capnp::gateway::Client;
}

impl Socket for AdminSocket {
    type Interface = admin_capnp::admin::Client;
}

/// A connection to `gateway.sock`.
pub type GatewayClient = Client<GatewaySocket>;
/// A connection to `admin.sock`.
pub type AdminClient = Client<AdminSocket>;

/// A connection. Calls may run at once, up to [`waiaas_schema::CALLS_IN_FLIGHT`]; dropping one leaves
/// open whether it was carried out. Dropping the client ends the connection.
pub struct Client<S: Socket> {
    pub(crate) own: S::Interface,
    pub(crate) common: common_capnp::common::Client,
    pub(crate) path: PathBuf,
    driver: JoinHandle<()>,
    _socket: PhantomData<S>,
}

impl<S: Socket> std::fmt::Debug for Client<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Client")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl<S: Socket> Client<S> {
    /// Connects to the socket at `path`. Call it inside a `LocalSet`.
    ///
    /// # Errors
    /// [`ClientError::Unsafe`], [`ClientError::Connect`], [`ClientError::NotAdmitted`],
    /// [`ClientError::TimedOut`].
    pub async fn connect(path: &Path) -> Result<Self> {
        let path = path::trusted(path)?;
        match timeout(PATIENCE, Self::introduce(path)).await {
            Ok(client) => client,
            Err(_) => Err(ClientError::TimedOut),
        }
    }

    async fn introduce(path: PathBuf) -> Result<Self> {
        let stream = open(&path, PREFACE).await?;
        let (reader, writer) = stream.into_split();
        let network = twoparty::VatNetwork::new(
            reader.compat(),
            writer.compat_write(),
            Side::Client,
            waiaas_schema::reader_options(),
        );
        let mut system = RpcSystem::new(Box::new(network), None);
        let own: S::Interface = system.bootstrap(Side::Server);
        let driver = spawn_local(async move {
            // Its end shows in the calls that it carried.
            let _ = system.await;
        });
        let common: common_capnp::common::Client = own.clone().cast_to();
        let client = Self {
            own,
            common,
            path,
            driver,
            _socket: PhantomData,
        };
        // Any answer shows that the signer let this user in. A method that does not exist is answered by
        // the thread that serves the socket, also while the authority is busy.
        let probe = client
            .common
            .client
            .new_call::<any_pointer::Owned, any_pointer::Owned>(0, 0, None);
        match probe.send().promise.await {
            Err(error) if error.kind == capnp::ErrorKind::Unimplemented => Ok(client),
            Err(error) if error.kind == capnp::ErrorKind::Disconnected => {
                Err(ClientError::NotAdmitted)
            }
            _ => Err(ClientError::Protocol),
        }
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }
}

impl<S: Socket> Drop for Client<S> {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Opens a connection and says what it is for. The path was found to be trusted.
pub(crate) async fn open(path: &Path, preface: &[u8]) -> Result<UnixStream> {
    let connect = |source: io::Error| ClientError::Connect {
        path: path.to_owned(),
        source,
    };
    let mut stream = UnixStream::connect(path).await.map_err(connect)?;
    // A signer that refuses closes at once, which may show here already.
    stream
        .write_all(preface)
        .await
        .map_err(|_| ClientError::NotAdmitted)?;
    Ok(stream)
}
