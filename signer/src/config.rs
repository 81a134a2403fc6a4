//! The signer's configuration: one TOML file, read once before anything is locked down. Unknown keys,
//! loose permissions and unreadable files stop the start, naming file and key.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Somebody else may write it.
    #[error("{0}: others may write this file or own it: `chmod go-w` it and make it your own")]
    Loose(PathBuf),
    /// Not TOML of this shape.
    #[error("{path}: {source}")]
    Shape {
        /// Which file.
        path: PathBuf,
        /// Where, and what is wrong.
        source: Box<toml::de::Error>,
    },
    /// A path that must be absolute.
    #[error("{path}: {key} must be an absolute path")]
    Relative {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Raw {
    state_directory: PathBuf,
    gateway_socket: PathBuf,
    admin_socket: PathBuf,
    #[serde(default)]
    gateway_uids: Vec<u32>,
    #[serde(default)]
    admin_uids: Vec<u32>,
}

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Holds keystore and ledger; 0700, the signer's own.
    pub state_directory: PathBuf,
    /// Where the gateway connects.
    pub gateway_socket: PathBuf,
    /// Where the owner's command line connects.
    pub admin_socket: PathBuf,
    /// User ids that may use the gateway's socket; empty: the signer's own.
    pub gateway_uids: Vec<u32>,
    /// User ids that may use the admin socket; empty: the signer's own.
    pub admin_uids: Vec<u32>,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let facts = std::fs::metadata(path).map_err(unreadable)?;
        let own = nix::unistd::geteuid().as_raw();
        if facts.mode() & 0o022 != 0 || (facts.uid() != own && facts.uid() != 0) {
            return Err(ConfigError::Loose(path.to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|source| ConfigError::Shape {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        for (key, value) in [
            ("state-directory", &raw.state_directory),
            ("gateway-socket", &raw.gateway_socket),
            ("admin-socket", &raw.admin_socket),
        ] {
            if !value.is_absolute() {
                return Err(ConfigError::Relative {
                    path: path.to_owned(),
                    key,
                });
            }
        }
        Ok(Self {
            state_directory: raw.state_directory,
            gateway_socket: raw.gateway_socket,
            admin_socket: raw.admin_socket,
            gateway_uids: raw.gateway_uids,
            admin_uids: raw.admin_uids,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "state-directory = \"/var/lib/waiaas\"\ngateway-socket = \"/run/waiaas/gateway.sock\"\nadmin-socket = \"/run/waiaas-admin/admin.sock\"\n";

    #[test]
    fn unknown_keys_and_relative_paths_stop_the_start() {
        let path = Path::new("signer.toml");
        assert!(Config::parse(path, SOUND).is_ok());
        assert!(matches!(
            Config::parse(path, &format!("{SOUND}no-sandbox = true\n")),
            Err(ConfigError::Shape { .. })
        ));
        assert!(matches!(
            Config::parse(path, &SOUND.replace("/var/lib/waiaas", "waiaas")),
            Err(ConfigError::Relative {
                key: "state-directory",
                ..
            })
        ));
        assert!(matches!(
            Config::parse(path, ""),
            Err(ConfigError::Shape { .. })
        ));
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("signer.toml");
        std::fs::write(&path, SOUND).expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("own file");
        assert!(Config::read(&path).is_ok());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o620)).expect("own file");
        assert!(matches!(Config::read(&path), Err(ConfigError::Loose(_))));
    }
}
