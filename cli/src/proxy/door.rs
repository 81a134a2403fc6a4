//! Where the proxy listens: a Unix socket that this user alone can open, or a loopback port behind a local token.
//! Makes and removes the socket, makes and reads the token's file. Reads no request.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use tokio::net::{TcpListener, UnixListener};
use zeroize::Zeroizing;

use super::rules;
use crate::failure::{Exit, Failure};
use crate::home::{cannot, create_new};
use crate::owner_key::read_private;
use crate::rest::random_name;

/// A token's file, in bytes: one line.
const TOKEN_FILE_LIMIT: u64 = 256;
/// The shortest token that is one.
const TOKEN_LEAST: usize = 24;

/// An open door.
pub(crate) enum Door {
    /// A Unix socket.
    Socket {
        listener: UnixListener,
        _file: SocketFile,
    },
    /// A loopback port.
    Loopback {
        listener: TcpListener,
        port: u16,
        token: Zeroizing<String>,
    },
}

impl fmt::Debug for Door {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the token.
        formatter.write_str(match self {
            Self::Socket { .. } => "Socket",
            Self::Loopback { .. } => "Loopback",
        })
    }
}

impl Door {
    /// Listens on a Unix socket of mode 0600.
    pub(crate) fn socket(path: &Path) -> Result<Self, Failure> {
        closed_folder(path)?;
        clear(path)?;
        // Nobody may come in between its making and its mode.
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = std::os::unix::net::UnixListener::bind(path);
        umask(before);
        let failed = |error: io::Error| cannot("opened", path, &error);
        let bound = bound.map_err(failed)?;
        let _file = SocketFile::of(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        bound.set_nonblocking(true).map_err(failed)?;
        let listener = UnixListener::from_std(bound).map_err(failed)?;
        Ok(Self::Socket { listener, _file })
    }

    /// Listens on a loopback address, behind the token of this file.
    pub(crate) fn loopback(address: SocketAddr, token_file: &Path) -> Result<Self, Failure> {
        if !address.ip().is_loopback() {
            return Err(Failure::usage("--listen takes a loopback address")
                .why("the proxy signs for whoever reaches it, and speaks without TLS"));
        }
        let token = token(token_file)?;
        let failed = |error: io::Error| {
            let exit = match error.kind() {
                io::ErrorKind::PermissionDenied => Exit::Permission,
                _ => Exit::Failure,
            };
            Failure::new(exit, format!("{address} cannot be listened on")).why(error)
        };
        let bound = std::net::TcpListener::bind(address).map_err(failed)?;
        bound.set_nonblocking(true).map_err(failed)?;
        let port = bound.local_addr().map_err(failed)?.port();
        let listener = TcpListener::from_std(bound).map_err(failed)?;
        Ok(Self::Loopback {
            listener,
            port,
            token,
        })
    }

    /// The loopback address, with the real port.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Socket { .. } => None,
            Self::Loopback { listener, .. } => listener.local_addr().ok(),
        }
    }

    /// What a caller has to hold to here.
    pub(super) fn rules(&self) -> rules::Door<'_> {
        match self {
            Self::Socket { .. } => rules::Door::Socket,
            Self::Loopback { port, token, .. } => rules::Door::Loopback {
                port: *port,
                token: token.as_str(),
            },
        }
    }
}

/// A socket's file, removed with the value, if it is still the same.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path)?,
        })
    }
}

/// What tells a file from any other.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let facts = std::fs::symlink_metadata(path)?;
    Ok((facts.dev(), facts.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _best_effort = std::fs::remove_file(&self.path);
        }
    }
}

/// Callers trust a socket by its folder: nobody else may put another one in its place.
fn closed_folder(path: &Path) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let facts = std::fs::metadata(folder).map_err(|error| cannot("read", folder, &error))?;
    let own = [0, nix::unistd::geteuid().as_raw()].contains(&facts.uid());
    if facts.is_dir() && own && facts.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Permission,
        format!("{} is not safe", folder.display()),
    )
    .why("others could put another socket in the proxy's place")
    .next("give --socket in a folder that only you can write"))
}

/// Takes away what an earlier proxy left behind, and nothing else.
fn clear(path: &Path) -> Result<(), Failure> {
    let facts = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot("read", path, &error)),
        Ok(facts) => facts,
    };
    let taken = |why: &str| {
        Failure::new(Exit::Failure, format!("{} exists already", path.display()))
            .why(why)
            .next("give another --socket")
    };
    if !facts.file_type().is_socket() {
        return Err(taken("it is no socket, and never written over"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(taken("somebody listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|error| cannot("removed", path, &error))
        }
        Err(error) => Err(cannot("opened", path, &error)),
    }
}

/// The local token: the line of its file, which is made if there is none.
fn token(path: &Path) -> Result<Zeroizing<String>, Failure> {
    use std::io::Write as _;
    if !path.exists() {
        let made = Zeroizing::new(random_name()?);
        let mut file = create_new(path)?;
        writeln!(file, "{}", made.as_str())
            .and_then(|()| file.sync_all())
            .map_err(|error| cannot("written", path, &error))?;
        return Ok(made);
    }
    let text = read_private(path, TOKEN_FILE_LIMIT)?;
    let line = text.as_ref().map(|text| text.trim());
    match line {
        Some(line)
            if line.len() >= TOKEN_LEAST && line.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(Zeroizing::new(line.to_owned()))
        }
        _ => Err(Failure::new(
            Exit::Configuration,
            format!("{} holds no token", path.display()),
        )
        .why("it is one line of at least 24 visible ASCII characters")
        .next("remove it, and the proxy makes a new one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        folder
    }

    fn inside<T>(test: impl FnOnce() -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        test()
    }

    #[test]
    fn a_socket_is_this_users_alone_and_goes_with_its_proxy() {
        inside(|| {
            let folder = folder();
            let path = folder.path().join("agent.sock");
            let door = Door::socket(&path).unwrap();
            let facts = std::fs::metadata(&path).unwrap();
            assert_eq!(facts.mode() & 0o777, 0o600);
            // Not while it listens.
            assert_eq!(Door::socket(&path).unwrap_err().exit(), Exit::Failure);
            drop(door);
            assert!(!path.exists());
            // What a killed one left behind is taken away.
            drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
            assert!(path.exists());
            drop(Door::socket(&path).unwrap());
            std::fs::write(&path, "mine").unwrap();
            assert_eq!(Door::socket(&path).unwrap_err().exit(), Exit::Failure);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        });
    }

    #[test]
    fn a_folder_that_others_can_write_holds_no_socket() {
        inside(|| {
            let folder = folder();
            for mode in [0o770, 0o707, 0o1777] {
                std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode))
                    .unwrap();
                let refused = Door::socket(&folder.path().join("agent.sock")).unwrap_err();
                assert_eq!(refused.exit(), Exit::Permission, "{mode:o}");
            }
        });
    }

    #[test]
    fn a_port_is_loopback_and_its_token_is_kept_to_this_user() {
        inside(|| {
            let folder = folder();
            let file = folder.path().join("token");
            for open in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
                let refused = Door::loopback(open.parse().unwrap(), &file).unwrap_err();
                assert_eq!(refused.exit(), Exit::Usage, "{open}");
            }
            let token = |door: &Door| match door {
                Door::Loopback { token, .. } => token.to_string(),
                Door::Socket { .. } => String::new(),
            };
            let address = "127.0.0.1:0".parse().unwrap();
            let first = token(&Door::loopback(address, &file).unwrap());
            assert!(first.len() >= TOKEN_LEAST);
            assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
            assert_eq!(token(&Door::loopback(address, &file).unwrap()), first);
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(
                Door::loopback(address, &file).unwrap_err().exit(),
                Exit::Permission
            );
            let short = folder.path().join("short");
            std::fs::write(&short, "short\n").unwrap();
            std::fs::set_permissions(&short, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(
                Door::loopback(address, &short).unwrap_err().exit(),
                Exit::Configuration
            );
        });
    }
}
