//! From arguments to serving: configuration, the one-instance lock, sockets, lockdown, threads. Only
//! this file prints, and only before the process is sealed or as it ends.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::fcntl::{Flock, FlockArg};
use tokio::sync::watch;
use waiaas_signer::authority::lanes::Lanes;
use waiaas_signer::authority::system::Kernel;
use waiaas_signer::authority::{Authority, Fatal, OpenError, Parts, password};
use waiaas_signer::config::{Config, ConfigError};
use waiaas_signer::ledger::LedgerError;
use waiaas_signer::ledger::sqlite::SqliteLedger;
use waiaas_signer::rpc;
use waiaas_signer::sandbox::{self, Role, SandboxError, ThreadEnd};
use waiaas_signer::sys::memory::{MemoryError, SecretArena};

/// Locked memory for every secret: keys, passwords, the phrase. Far below the usual memlock limit.
const SECRET_BYTES: usize = 256 * 1024;
/// The file whose lock says that a signer works on this state directory.
const LOCK_NAME: &str = "lock";

const HELP: &str = "waiaas-signer: the sealed process of a WAIaaS wallet.

Usage: waiaas-signer --config FILE [--check-config]

  --config FILE    the configuration (docs/operations.md lists every key)
  --check-config   read and check it, then end
  --version        print the version
  --help           print this

There is no option that turns any part of the lockdown off.
";

/// Why the signer does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Wrong arguments.
    #[error("{0}; see --help")]
    Usage(&'static str),
    /// The configuration cannot be used.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The state directory or a socket's directory is not safe.
    #[error("{path}: {problem}")]
    Unsafe {
        /// Which path.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: &'static str,
    },
    /// Another signer works on the same state.
    #[error("{0}: another signer is running on this state directory")]
    SecondInstance(PathBuf),
    /// A file or socket cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// Which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Locked memory cannot be had.
    #[error("locked memory: {0}")]
    Memory(#[from] MemoryError),
    /// The process could not be sealed.
    #[error("lockdown: {0}")]
    Sandbox(#[from] SandboxError),
    /// The state cannot be opened: closed, never started from zero.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The authority ended.
    #[error("ended: {0}")]
    Ended(#[from] Fatal),
    /// The authority panicked.
    #[error("ended: the authority thread failed")]
    Panicked,
}

impl StartError {
    /// One line on stderr, and the exit code of sysexits.h.
    pub(crate) fn report(&self) -> ExitCode {
        // Nothing can be done about a closed stderr.
        let _best_effort = writeln!(io::stderr(), "waiaas-signer: {self}");
        ExitCode::from(match self {
            Self::Usage(_) => 64,
            Self::Unsafe { .. } => 77,
            Self::Config(_) => 78,
            Self::SecondInstance(_) => 75,
            Self::Io { .. } => 74,
            Self::Open(_) => 65,
            Self::Memory(_) | Self::Sandbox(_) => 71,
            Self::Ended(_) | Self::Panicked => 70,
        })
    }
}

enum Arguments {
    Serve(PathBuf),
    Check(PathBuf),
    Print(&'static str),
}

fn arguments() -> Result<Arguments, StartError> {
    let mut config = None;
    let mut check = false;
    let mut rest = std::env::args_os().skip(1);
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("--config") => config = rest.next().map(PathBuf::from),
            Some("--check-config") => check = true,
            Some("--version") => {
                return Ok(Arguments::Print(concat!(
                    "waiaas-signer ",
                    env!("CARGO_PKG_VERSION"),
                    "\n"
                )));
            }
            Some("--help" | "-h") => return Ok(Arguments::Print(HELP)),
            _ => return Err(StartError::Usage("unknown argument")),
        }
    }
    let config = config.ok_or(StartError::Usage("--config FILE is needed"))?;
    Ok(if check {
        Arguments::Check(config)
    } else {
        Arguments::Serve(config)
    })
}

/// Starts, seals and serves.
///
/// # Errors
/// [`StartError`]; the process ends with its code.
pub(crate) fn run() -> Result<ExitCode, StartError> {
    match arguments()? {
        Arguments::Print(text) => print(text),
        Arguments::Check(path) => {
            Config::read(&path)?;
            print("the configuration is sound\n")
        }
        Arguments::Serve(path) => serve(&path),
    }
}

fn print(text: &str) -> Result<ExitCode, StartError> {
    io::stdout()
        .write_all(text.as_bytes())
        .map(|()| ExitCode::SUCCESS)
        .map_err(|source| StartError::Io {
            path: PathBuf::from("stdout"),
            source,
        })
}

fn serve(config: &Path) -> Result<ExitCode, StartError> {
    let config = Config::read(config)?;
    let prepared = sandbox::prepare()?;
    private_directory(&config.state_directory)?;
    let _only_instance = lock(&config.state_directory)?;
    let gateway = listen(&config.gateway_socket, config.gateway_uids.is_empty())?;
    let admin = listen(&config.admin_socket, config.admin_uids.is_empty())?;
    let arena = SecretArena::new(SECRET_BYTES)?;
    let mut confined = prepared.confine(&config.state_directory, &arena)?;

    let lanes = Lanes::default();
    let (published, last_sequence) = watch::channel(0);
    let (kdf, kdf_work) = password::queue();
    let channels = rpc::Channels {
        lanes: lanes.clone(),
        last_sequence,
        arena: arena.clone(),
    };
    let own = nix::unistd::geteuid().as_raw();
    let (gateway_uids, admin_uids) = (
        or_own(&config.gateway_uids, own),
        or_own(&config.admin_uids, own),
    );
    let claim_holds = rpc::claim_holds(own, &gateway_uids, &admin_uids);
    let gateway_peers = rpc::PeerPolicy {
        allowed_uids: gateway_uids,
        claim_holds,
    };
    let admin_peers = rpc::PeerPolicy {
        allowed_uids: admin_uids,
        claim_holds,
    };

    let (state_directory, authority_lanes, authority_arena) =
        (config.state_directory.clone(), lanes.clone(), arena.clone());
    // What opens the state tells its own error; the thread's set-up can only say that it failed.
    let (told, telling) = std::sync::mpsc::sync_channel(1);
    let opened = confined.spawn(
        Role::Authority,
        "authority",
        move || {
            let opened = open(Parts {
                ledger: (),
                system: Kernel::default(),
                folder: state_directory,
                arena: authority_arena,
                lanes: authority_lanes,
                kdf,
                published,
            });
            opened.map_err(|error| {
                let _receiver_waits = told.send(error);
                io::Error::from(ErrorKind::InvalidData)
            })
        },
        |authority, _sandboxed| authority.run(),
    );
    let authority = match opened {
        Ok(thread) => thread,
        Err(error) => {
            return Err(telling
                .try_recv()
                .map_or_else(|_| error.into(), StartError::from));
        }
    };
    let kdf_arena = arena.clone();
    let kdf_lanes = lanes;
    let _kdf = confined.spawn(
        Role::Kdf,
        "kdf",
        || Ok(()),
        move |(), _sandboxed| {
            kdf_work.run(&kdf_lanes, &kdf_arena);
        },
    )?;
    let gateway_channels = channels.clone();
    let _gateway = confined.spawn(
        Role::Rpc,
        "rpc-gateway",
        move || rpc::prepare(gateway, rpc::Role::Gateway, gateway_channels, gateway_peers),
        rpc::run,
    )?;
    let admin_channels = rpc::Channels {
        lanes: channels.lanes.with_reserve(),
        ..channels
    };
    let _admin = confined.spawn(
        Role::Rpc,
        "rpc-admin",
        move || rpc::prepare(admin, rpc::Role::Admin, admin_channels, admin_peers),
        rpc::run,
    )?;
    // Said before the seal, which leaves this thread no way to write; the sockets answer after it.
    print("ready\n")?;
    confined.seal()?;
    match authority.join() {
        Ok(fatal) => Err(fatal.into()),
        Err(ThreadEnd::Panicked | ThreadEnd::NeverSealed) => Err(StartError::Panicked),
    }
}

fn open(parts: Parts<(), Kernel>) -> Result<Authority<SqliteLedger, Kernel>, OpenError> {
    let Parts {
        ledger: (),
        system,
        folder,
        arena,
        lanes,
        kdf,
        published,
    } = parts;
    let ledger = SqliteLedger::open(&folder).map_err(OpenError::Ledger)?;
    Authority::open(Parts {
        ledger,
        system,
        folder,
        arena,
        lanes,
        kdf,
        published,
    })
}

fn or_own(uids: &[u32], own: u32) -> Vec<u32> {
    if uids.is_empty() {
        vec![own]
    } else {
        uids.to_vec()
    }
}

/// The state directory: made if missing, the signer's own, closed to everybody else.
fn private_directory(path: &Path) -> Result<(), StartError> {
    let io_error = |source| StartError::Io {
        path: path.to_owned(),
        source,
    };
    match std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
    {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(io_error(error)),
    }
    let facts = std::fs::symlink_metadata(path).map_err(io_error)?;
    let own = facts.uid() == nix::unistd::geteuid().as_raw();
    if !facts.is_dir() || !own || facts.mode() & 0o077 != 0 {
        return Err(StartError::Unsafe {
            path: path.to_owned(),
            problem: "the state directory must be the signer's own, with mode 0700",
        });
    }
    Ok(())
}

/// One signer on one state: the lock lives as long as the process.
fn lock(state: &Path) -> Result<Flock<File>, StartError> {
    let path = state.join(LOCK_NAME);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|source| StartError::Io {
            path: path.clone(),
            source,
        })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| StartError::SecondInstance(state.to_owned()))
}

/// Binds a path socket in a directory that nobody else can write. A stale socket is replaced, a live
/// one is not.
fn listen(path: &Path, only_own: bool) -> Result<UnixListener, StartError> {
    let io_error = |source| StartError::Io {
        path: path.to_owned(),
        source,
    };
    let parent = path.parent().unwrap_or(Path::new("/"));
    let facts = std::fs::metadata(parent).map_err(|source| StartError::Io {
        path: parent.to_owned(),
        source,
    })?;
    let own = nix::unistd::geteuid().as_raw();
    let foreign = facts.uid() != own && facts.uid() != 0;
    if foreign
        || facts.mode() & 0o002 != 0
        || (facts.mode() & 0o020 != 0 && facts.mode() & 0o1000 == 0)
    {
        return Err(StartError::Unsafe {
            path: parent.to_owned(),
            problem: "others may put a socket of their own here: take their right to write away",
        });
    }
    if std::fs::symlink_metadata(path).is_ok() {
        if UnixStream::connect(path).is_ok() {
            return Err(StartError::Unsafe {
                path: path.to_owned(),
                problem: "another process is listening on this socket",
            });
        }
        std::fs::remove_file(path).map_err(io_error)?;
    }
    let listener = UnixListener::bind(path).map_err(io_error)?;
    // The directory decides who reaches the socket; the uid is checked at each accept.
    let mode = if only_own { 0o600 } else { 0o666 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(io_error)?;
    Ok(listener)
}

impl From<LedgerError> for StartError {
    fn from(error: LedgerError) -> Self {
        Self::Open(OpenError::Ledger(error))
    }
}
