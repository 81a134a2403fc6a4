//! The start as a list, readable aloud: arguments, log, configuration, TLS, database, chains, signer,
//! listener, serve. Each step says what is wrong in one line and which exit code it means; only `main`
//! prints it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

use crate::app::{App, Parts};
use crate::chain::Chain;
use crate::chain_port::ChainPort;
use crate::chain_terms::ChainTerms;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::database::{Database, OpenError};
use crate::http::guard::Guard;
use crate::http::owner::LoginOrigin;
use crate::http::token::Tokens;
use crate::http::{self, openapi, server};
use crate::incoming;
use crate::notify::{self, ChannelError, Channels};
use crate::projection;
use crate::signer_client::SocketSigner;

/// How often it is looked whether the token secret's day is over.
const ROTATION_LOOK: Duration = Duration::from_secs(60);

/// The gateway of WAIaaS: HTTP in, signed payments out. Holds no key.
#[derive(Debug, Parser)]
#[command(name = "waiaas-gateway", version)]
struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", required_unless_present = "openapi")]
    config: Option<PathBuf>,
    /// Check the configuration and end.
    #[arg(long)]
    check_config: bool,
    /// Send a trial message through a channel and end.
    #[arg(long, value_name = "NAME", conflicts_with = "check_config")]
    try_channel: Option<String>,
    /// Print the HTTP description (OpenAPI 3.1) and end.
    #[arg(long, exclusive = true)]
    openapi: bool,
    /// Where to listen, in place of the file's `listen`.
    #[arg(long, env = "WAIAAS_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// What to log, to stderr: error, warn, info, debug, or a filter by module.
    #[arg(
        long,
        env = "WAIAAS_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    log: String,
}

/// Why the process ends. The numbers follow sysexits(3).
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log filter is refused.
    #[error("WAIAAS_LOG: not a filter")]
    Filter,
    /// A channel is refused.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// There is no channel of this name.
    #[error("no channel is named {0}: {1}")]
    NoChannel(String, String),
    /// A channel did not take the trial message.
    #[error("channel {0}: {1}")]
    Trial(String, notify::SendError),
    /// TLS cannot be set up.
    #[error("tls: {0}")]
    Tls(#[from] server::TlsError),
    /// No TLS implementation.
    #[error("TLS cannot be set up in this process")]
    TlsProvider,
    /// The database cannot be opened.
    #[error("{}: {error}", path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// The HTTP secrets cannot be read or made.
    #[error("the HTTP secrets cannot be read or made: {0}")]
    Secrets(#[from] crate::database::DatabaseError),
    /// A chain's client cannot be made.
    #[error("chain: {0}")]
    Chain(#[from] crate::chain::RpcSetupError),
    /// The address cannot be listened at.
    #[error("listen: {address}: {error}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
    /// The system refuses something else.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl StartError {
    /// 64 usage, 69 a service is unavailable, 70 internal, 77 permission, 78 configuration.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(ConfigError::Permissions { .. })
            | Self::Tls(server::TlsError::Permissions(_)) => 77,
            Self::Config(ConfigError::Unreadable { error, .. }) | Self::Listen { error, .. }
                if error.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                77
            }
            Self::NoChannel(..) => 64,
            Self::Trial(..) => 69,
            Self::Config(_) | Self::Tls(_) | Self::Filter | Self::Channel(_) => 78,
            _ => 70,
        }
    }
}

/// The whole process. Prints `ready <address>` on stdout once requests are served; everything else
/// goes to stderr.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let usage = error.use_stderr();
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            return if usage {
                ExitCode::from(64)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell_stderr(&format!("waiaas-gateway: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn start(arguments: Arguments) -> Result<(), StartError> {
    let Some(path) = arguments.config.filter(|_| !arguments.openapi) else {
        return Ok(tell(openapi::text().trim_end())?);
    };
    let config = Config::read(&path, arguments.listen)?;
    let filter = EnvFilter::try_new(&arguments.log).map_err(|_| StartError::Filter)?;
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| StartError::TlsProvider)?;
    let tls = config.tls.as_ref().map(server::acceptor).transpose()?;
    let channels = Channels::new(config.notify.clone())?;
    if arguments.check_config {
        return Ok(tell("configuration ok")?);
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    // One thread serves HTTP and speaks with the signer, whose one authority decides everything in turn:
    // more threads would only hand requests to each other.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match arguments.try_channel {
        Some(name) => runtime.block_on(try_out(&channels, name)),
        None => LocalSet::new().block_on(&runtime, serve(config, tls, channels)),
    }
}

/// Sends a trial message and says what came of it.
async fn try_out(channels: &Channels, name: String) -> Result<(), StartError> {
    match channels.try_out(&name, Clock::system().now()).await {
        Some(Ok(())) => Ok(tell(&format!("channel {name} took the trial message"))?),
        Some(Err(error)) => Err(StartError::Trial(name, error)),
        None => {
            let known: Vec<&str> = channels.names().collect();
            let known = match known.as_slice() {
                [] => "none is configured".to_owned(),
                known => format!("configured are {}", known.join(", ")),
            };
            Err(StartError::NoChannel(name, known))
        }
    }
}

async fn serve(
    config: Config,
    tls: Option<tokio_rustls::TlsAcceptor>,
    channels: Channels,
) -> Result<(), StartError> {
    let clock = Clock::system();
    let database = Database::open(&config.database).map_err(|error| StartError::Database {
        path: config.database.clone(),
        error,
    })?;
    let tokens = Tokens::load(&database, clock.now()).await?;
    let chains = config
        .chains
        .into_iter()
        .map(|chain| {
            let chain = ChainTerms::new(Chain::new(chain)?, seed()?);
            Ok(Arc::new(chain) as Arc<dyn ChainPort>)
        })
        .collect::<Result<_, StartError>>()?;
    let address = config.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Listen { address, error })?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let bound = listener.local_addr()?;
    let approval_origin = config.notify.approval_origin.as_deref();
    let login_origin = LoginOrigin::find(approval_origin, scheme, bound);
    let app = App::new(Parts {
        signer: Arc::new(SocketSigner::start(config.signer_socket)?),
        chains,
        clock,
        database,
        tokens,
        login_origin,
        guard: Guard::new(config.allowed_hosts, config.allowed_origins),
        channels,
        log_key: config.log_key,
    });
    if config.log_key.is_none() {
        tracing::warn!(
            "no log-key is configured: the signer's log is followed without its signatures"
        );
    }
    tokio::spawn(projection::follow(Arc::clone(&app)));
    for chain in app.chains.values().cloned() {
        tokio::spawn({
            let chain = Arc::clone(&chain);
            async move { chain.listen().await }
        });
        tokio::spawn(incoming::watch(Arc::clone(&app), chain));
    }
    notify::start(&app);
    tokio::spawn(rotate(Arc::clone(&app)));
    let stop = stop_signal()?;
    tell(&format!("ready {scheme}://{bound}"))?;
    server::serve(listener, tls, http::router(app), stop).await;
    Ok(())
}

/// Where this process begins to number its messages.
fn seed() -> Result<u64, StartError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| StartError::Randomness)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Replaces the secret of tokens once a day.
async fn rotate(app: Arc<App>) {
    loop {
        tokio::time::sleep(ROTATION_LOOK).await;
        match app
            .tokens
            .rotate_if_due(&app.database, app.clock.now())
            .await
        {
            Ok(false) => {}
            Ok(true) => tracing::info!("the secret of session tokens was replaced"),
            Err(error) => tracing::error!(%error, "the secret of session tokens stays the old one"),
        }
    }
}

/// Becomes true at SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Nobody serves any more if nobody listens.
        let _ = sender.send(true);
    });
    Ok(receiver)
}

fn tell(line: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn tell_stderr(line: &str) {
    use std::io::Write as _;
    // There is nowhere left to complain.
    let _ = writeln!(std::io::stderr(), "{line}");
}
