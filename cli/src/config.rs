//! `config.toml` of the command line: read once into checked values. Unknown keys, a file that others
//! may write and relative paths are refused, naming file and key.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{Exit, Failure};
use crate::home::{Home, cannot};

/// Where the gateway listens unless told otherwise.
pub(crate) const GATEWAY_URL: &str = "http://127.0.0.1:3100";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Raw {
    admin_socket: Option<PathBuf>,
    gateway_url: Option<String>,
    signer_binary: Option<PathBuf>,
    gateway_binary: Option<PathBuf>,
}

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// The owner's way to the signer; `run/admin.sock` unless told otherwise.
    pub(crate) admin_socket: PathBuf,
    /// Where the gateway serves.
    pub(crate) gateway_url: String,
    /// The signer's program; beside this one unless told otherwise.
    pub(crate) signer_binary: PathBuf,
    /// The gateway's program; beside this one unless told otherwise.
    pub(crate) gateway_binary: PathBuf,
}

impl Config {
    /// Reads the file of this home. Without a file every key has its documented value.
    pub(crate) fn read(home: &Home) -> Result<Self, Failure> {
        let path = home.config();
        let Some(text) = home.read(&path)? else {
            return Self::parse(home, &path, "");
        };
        let facts = std::fs::metadata(&path).map_err(|error| cannot("read", &path, &error))?;
        let own = facts.uid() == nix::unistd::geteuid().as_raw() || facts.uid() == 0;
        if !own || facts.mode() & 0o022 != 0 {
            return Err(
                Failure::new(Exit::Permission, format!("{} is not safe", path.display()))
                    .why("others may write it, or own it")
                    .next(format!("chmod go-w {}", path.display())),
            );
        }
        Self::parse(home, &path, &text)
    }

    fn parse(home: &Home, path: &Path, text: &str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::new(
                Exit::Configuration,
                format!("{} cannot be used", path.display()),
            )
            .why(why)
        };
        let raw: Raw = toml::from_str(text).map_err(|error| {
            wrong(error.to_string().trim_end().to_owned())
                .next("keys: admin-socket, gateway-url, signer-binary, gateway-binary")
        })?;
        for (key, value) in [
            ("admin-socket", &raw.admin_socket),
            ("signer-binary", &raw.signer_binary),
            ("gateway-binary", &raw.gateway_binary),
        ] {
            if value.as_ref().is_some_and(|value| !value.is_absolute()) {
                return Err(wrong(format!("{key} must be an absolute path")));
            }
        }
        let gateway_url = raw.gateway_url.unwrap_or_else(|| GATEWAY_URL.to_owned());
        if !is_gateway_url(&gateway_url) {
            return Err(wrong(
                "gateway-url must be http:// or https:// with a host, without path or query"
                    .to_owned(),
            ));
        }
        Ok(Self {
            admin_socket: raw.admin_socket.unwrap_or_else(|| home.admin_socket()),
            gateway_url,
            signer_binary: raw.signer_binary.unwrap_or_else(|| beside("waiaas-signer")),
            gateway_binary: raw
                .gateway_binary
                .unwrap_or_else(|| beside("waiaas-gateway")),
        })
    }

    /// The file that `init` writes.
    pub(crate) fn file(&self) -> String {
        let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
        format!(
            "# The owner's command line (docs/cli.md). Unknown keys are refused.\n\
             admin-socket = {}\ngateway-url = {}\nsigner-binary = {}\ngateway-binary = {}\n",
            quoted(&self.admin_socket),
            toml::Value::String(self.gateway_url.clone()),
            quoted(&self.signer_binary),
            quoted(&self.gateway_binary),
        )
    }
}

/// An origin: scheme, host, perhaps a port, and nothing else.
pub(crate) fn is_gateway_url(text: &str) -> bool {
    let known = text.starts_with("http://") || text.starts_with("https://");
    known
        && reqwest::Url::parse(text).is_ok_and(|url| {
            url.has_host()
                && matches!(url.path(), "" | "/")
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        })
}

/// The program of this name in the folder of this one.
fn beside(name: &str) -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join(name)))
        .unwrap_or_else(|| PathBuf::from("/usr/bin").join(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn home(folder: &tempfile::TempDir) -> Home {
        let home = Home::at(folder.path().join("home")).unwrap();
        home.create().unwrap();
        home
    }

    #[test]
    fn what_init_writes_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let config = Config::read(&home).unwrap();
        assert_eq!(config.admin_socket, home.admin_socket());
        home.write(&home.config(), config.file().as_bytes())
            .unwrap();
        assert_eq!(Config::read(&home).unwrap(), config);
    }

    #[test]
    fn one_flaw_refuses_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        for (text, named) in [
            ("admin-sock = \"/x\"", "admin-sock"),
            ("admin_socket = \"/x\"", "admin_socket"),
            ("admin-socket = \"x\"", "admin-socket"),
            ("signer-binary = 1", "signer-binary"),
            ("gateway-url = \"127.0.0.1:3100\"", "gateway-url"),
            ("gateway-url = \"http://127.0.0.1:3100/v1\"", "gateway-url"),
            ("gateway-url = \"http://user@127.0.0.1\"", "gateway-url"),
            ("gateway-url = \"ftp://127.0.0.1\"", "gateway-url"),
            (
                "gateway-url = \"http://a\"\ngateway-url = \"http://b\"",
                "gateway-url",
            ),
        ] {
            home.write(&home.config(), text.as_bytes()).unwrap();
            let failure = Config::read(&home).unwrap_err();
            assert_eq!(failure.exit(), Exit::Configuration, "{text}");
            assert!(
                failure.human().contains(named),
                "{text}: {}",
                failure.human()
            );
            assert!(failure.human().contains("config.toml"), "{text}");
        }
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        home.write(&home.config(), b"").unwrap();
        std::fs::set_permissions(home.config(), std::fs::Permissions::from_mode(0o620)).unwrap();
        assert_eq!(Config::read(&home).unwrap_err().exit(), Exit::Permission);
    }
}
