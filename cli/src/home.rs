//! The owner's folder: where everything lies, that it is closed to others, and writing into it so
//! that a crash leaves the old file or the new one. Knows names, not contents.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};

/// The longest path that a Unix socket can have, without its closing zero (unix(7)).
const SOCKET_PATH_LIMIT: usize = 107;

/// `~/.waiaas`, or where `WAIAAS_HOME` says.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    root: PathBuf,
}

impl Home {
    /// Where the environment puts it; nothing is read or made.
    pub(crate) fn locate() -> Result<Self, Failure> {
        let root = match std::env::var_os("WAIAAS_HOME") {
            Some(root) => PathBuf::from(root),
            None => match std::env::var_os("HOME") {
                Some(home) => PathBuf::from(home).join(".waiaas"),
                None => {
                    return Err(Failure::new(Exit::Configuration, "no place for data")
                        .why("neither WAIAAS_HOME nor HOME is set")
                        .next("set WAIAAS_HOME to an absolute path"));
                }
            },
        };
        Self::at(root)
    }

    /// At this absolute path.
    pub(crate) fn at(root: PathBuf) -> Result<Self, Failure> {
        if !root.is_absolute() {
            return Err(Failure::new(Exit::Configuration, "no place for data")
                .why("WAIAAS_HOME must be an absolute path"));
        }
        Ok(Self { root })
    }

    /// Makes the folders that are missing, closed to others.
    pub(crate) fn create(&self) -> Result<(), Failure> {
        let longest = self.gateway_socket();
        if longest.as_os_str().len() > SOCKET_PATH_LIMIT {
            return Err(
                Failure::new(Exit::Configuration, "the folder's path is too long")
                    .why(format!(
                        "{}: a socket's path has at most {SOCKET_PATH_LIMIT} bytes",
                        longest.display()
                    ))
                    .next("set WAIAAS_HOME to a shorter path"),
            );
        }
        let folders = [
            self.root.clone(),
            self.signer_state(),
            self.gateway_state(),
            self.run(),
            self.owners(),
            self.agents(),
        ];
        for folder in &folders {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| cannot("made", folder, &error))?;
        }
        self.check()
    }

    /// Whether the folder is ours alone. A folder that is not there is the caller's to judge.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match std::fs::symlink_metadata(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(cannot("read", &self.root, &error)),
            Ok(facts) if facts.is_symlink() => {
                // A link is its owner's choice; what it leads to is judged.
                let facts = std::fs::metadata(&self.root)
                    .map_err(|error| cannot("read", &self.root, &error))?;
                self.judge(&facts)
            }
            Ok(facts) => self.judge(&facts),
        }
    }

    fn judge(&self, facts: &std::fs::Metadata) -> Result<(), Failure> {
        let own = facts.uid() == nix::unistd::geteuid().as_raw();
        if facts.is_dir() && own && facts.mode() & 0o077 == 0 {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Permission,
            format!("{} is not safe", self.root.display()),
        )
        .why("it must be a folder of yours that nobody else can open")
        .next(format!("chmod 700 {}", self.root.display())))
    }

    /// Writes a file whole, readable for us alone: a crash leaves the old one or the new one.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let failed = |error: io::Error| cannot("written", path, &error);
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut file = create_new(&new)?;
        file.write_all(bytes).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&new, path).map_err(failed)?;
        let folder = path.parent().unwrap_or(&self.root);
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)
    }

    /// The text of one of our small files, or nothing if there is none.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<String>, Failure> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("read", path, &error)),
        }
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The command line's configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// The signer's configuration.
    pub(crate) fn signer_config(&self) -> PathBuf {
        self.root.join("signer.toml")
    }

    /// The gateway's configuration.
    pub(crate) fn gateway_config(&self) -> PathBuf {
        self.root.join("gateway.toml")
    }

    /// The signer's state: keystore and ledger.
    pub(crate) fn signer_state(&self) -> PathBuf {
        self.root.join("signer")
    }

    /// The gateway's state: its projection.
    pub(crate) fn gateway_state(&self) -> PathBuf {
        self.root.join("gateway")
    }

    /// Sockets, pid files, logs.
    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The gateway's way to the signer.
    pub(crate) fn gateway_socket(&self) -> PathBuf {
        self.run().join("gateway.sock")
    }

    /// The owner's way to the signer.
    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.run().join("admin.sock")
    }

    /// Where an agent's proxy listens.
    pub(crate) fn agent_socket(&self) -> PathBuf {
        self.run().join("agent.sock")
    }

    /// The local token of an agent's proxy on loopback.
    pub(crate) fn proxy_token(&self) -> PathBuf {
        self.run().join("agent-proxy.token")
    }

    /// The pinned log key.
    pub(crate) fn log_key(&self) -> PathBuf {
        self.root.join("log-key")
    }

    /// The last signed head of the log that was seen.
    pub(crate) fn head(&self) -> PathBuf {
        self.root.join("head")
    }

    /// Owners' trial keys.
    pub(crate) fn owners(&self) -> PathBuf {
        self.root.join("owner")
    }

    /// Agents' keys.
    pub(crate) fn agents(&self) -> PathBuf {
        self.root.join("agents")
    }
}

/// A new file for us alone; refuses one that is there.
pub(crate) fn create_new(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(Exit::Failure, format!("{} exists already", path.display()))
                .why("it is never written over")
                .next("give another name")
        }
        _ => cannot("written", path, &error),
    })
}

/// A file that cannot be used, with the exit code of the reason.
pub(crate) fn cannot(done: &str, path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::Permission,
        _ => Exit::Failure,
    };
    Failure::new(exit, format!("{} cannot be {done}", path.display())).why(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_open_to_others_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home")).unwrap();
        assert!(home.check().is_ok(), "not there yet");
        home.create().unwrap();
        assert_eq!(
            std::fs::metadata(home.owners()).unwrap().mode() & 0o777,
            0o700
        );
        std::fs::set_permissions(home.root(), std::fs::Permissions::from_mode(0o750)).unwrap();
        assert_eq!(home.check().unwrap_err().exit(), Exit::Permission);
    }

    #[test]
    fn paths_are_absolute_and_short_enough_for_sockets() {
        assert_eq!(
            Home::at("home".into()).unwrap_err().exit(),
            Exit::Configuration
        );
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("x".repeat(120))).unwrap();
        assert_eq!(home.create().unwrap_err().exit(), Exit::Configuration);
    }

    #[test]
    fn files_are_replaced_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home")).unwrap();
        home.create().unwrap();
        assert_eq!(home.read(&home.head()).unwrap(), None);
        home.write(&home.head(), b"one").unwrap();
        std::fs::write(home.root().join("head.new"), "left by a crash").unwrap();
        home.write(&home.head(), b"two").unwrap();
        assert_eq!(home.read(&home.head()).unwrap().as_deref(), Some("two"));
        assert_eq!(
            std::fs::metadata(home.head()).unwrap().mode() & 0o777,
            0o600
        );
    }
}
