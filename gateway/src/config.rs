//! The gateway's configuration: one TOML file, unknown keys refused, read once into checked values.
//! Never falls back silently: what is missing or contradictory stops the start, naming file and key.
//! Called by `start`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use waiaas_shared::keys::AgentKey;

use crate::chain::ChainConfig;
use crate::notify::{ChannelError, NotifyConfig, RawChannel};

/// A file larger than this is no configuration.
const LIMIT_BYTES: u64 = 1024 * 1024;
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3100);

/// Everything that is configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where HTTP is served. Port 0: any free one.
    pub listen: SocketAddr,
    /// The signer's `gateway.sock`.
    pub signer_socket: PathBuf,
    /// The projection and the HTTP state.
    pub database: PathBuf,
    /// The public half of the signer's log key. Without it, continuity of the log is checked and its
    /// signatures are not.
    pub log_key: Option<[u8; 32]>,
    /// Certificate and key, if the gateway terminates TLS itself.
    pub tls: Option<Tls>,
    /// Somebody else terminates TLS in front of this gateway.
    pub trusted_proxy: bool,
    /// Names besides the loopback ones that `Host` may carry, in lower case.
    pub allowed_hosts: Vec<String>,
    /// What `Origin` may be; empty: no browser may call.
    pub allowed_origins: Vec<String>,
    /// The chains.
    pub chains: Vec<ChainConfig>,
    /// Where owners are told.
    pub notify: NotifyConfig,
}

/// Files in PEM form.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Others may write the configuration, or read a private key.
    #[error("{}: permissions are too loose: {rule}", path.display())]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// What they have to be.
        rule: &'static str,
    },
    /// Not TOML, or not these keys.
    #[error("{}: {error}", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// What and where.
        error: Box<toml::de::Error>,
    },
    /// A channel is refused.
    #[error("{}: {error}", path.display())]
    Channel {
        /// Which file.
        path: PathBuf,
        /// What and where.
        error: ChannelError,
    },
    /// A key's value is refused.
    #[error("{}: {key}: {rule}", path.display())]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawConfig {
    listen: Option<SocketAddr>,
    signer_socket: PathBuf,
    database: PathBuf,
    log_key: Option<String>,
    tls: Option<RawTls>,
    #[serde(default)]
    trusted_proxy: bool,
    #[serde(default)]
    allowed_hosts: Vec<String>,
    #[serde(default)]
    allowed_origins: Vec<String>,
    #[serde(default, rename = "chain")]
    chains: Vec<ChainConfig>,
    approval_origin: Option<String>,
    #[serde(default, rename = "channel")]
    channels: Vec<RawChannel>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawTls {
    certificate: PathBuf,
    key: PathBuf,
}

impl Config {
    /// Reads and checks a file; `listen` (the variable `WAIAAS_LISTEN`) overrides the file's key.
    /// Relative paths start at the file's own folder.
    ///
    /// # Errors
    /// [`ConfigError`] naming file and key.
    pub fn read(path: &Path, listen: Option<SocketAddr>) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable {
            path: path.to_owned(),
            error,
        };
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if metadata.permissions().mode() & 0o022 != 0 {
            return Err(ConfigError::Permissions {
                path: path.to_owned(),
                rule: "nobody but its owner may write it",
            });
        }
        if metadata.size() > LIMIT_BYTES {
            return Err(refused(path, "file", "it is larger than 1 MiB"));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(path, &text, listen)
    }

    fn parse(path: &Path, text: &str, listen: Option<SocketAddr>) -> Result<Self, ConfigError> {
        let raw: RawConfig = toml::from_str(text).map_err(|error| ConfigError::Form {
            path: path.to_owned(),
            error: Box::new(error),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let listen = listen.or(raw.listen).unwrap_or(DEFAULT_LISTEN);
        if !listen.ip().is_loopback() && raw.tls.is_none() && !raw.trusted_proxy {
            return Err(refused(
                path,
                "listen",
                "beyond loopback needs [tls], or trusted-proxy = true if another program terminates TLS",
            ));
        }
        let log_key = match raw.log_key {
            None => None,
            Some(text) => Some(
                *AgentKey::from_base58(&text)
                    .map_err(|_| refused(path, "log-key", "an Ed25519 public key in base58"))?
                    .as_bytes(),
            ),
        };
        let tls = raw.tls.map(|tls| Tls {
            certificate: folder.join(tls.certificate),
            key: folder.join(tls.key),
        });
        if !raw.allowed_hosts.iter().all(|name| is_host(name)) {
            let rule = "names in lower case, with or without a port";
            return Err(refused(path, "allowed-hosts", rule));
        }
        if !raw.allowed_origins.iter().all(|origin| is_origin(origin)) {
            let rule = "origins such as https://wallet.example.org, without a path";
            return Err(refused(path, "allowed-origins", rule));
        }
        let mut ids: Vec<_> = raw.chains.iter().map(|chain| chain.id).collect();
        ids.sort_unstable();
        if !ids.is_sorted_by(|one, other| one < other) {
            return Err(refused(path, "chain", "each id once"));
        }
        if !raw.approval_origin.as_deref().is_none_or(is_origin) {
            let rule = "an origin such as https://wallet.example.org, without a path";
            return Err(refused(path, "approval-origin", rule));
        }
        let notify = NotifyConfig::check(raw.channels, raw.approval_origin, folder);
        let notify = notify.map_err(|error| ConfigError::Channel {
            path: path.to_owned(),
            error,
        })?;
        Ok(Self {
            listen,
            signer_socket: folder.join(raw.signer_socket),
            database: folder.join(raw.database),
            log_key,
            tls,
            trusted_proxy: raw.trusted_proxy,
            allowed_hosts: raw.allowed_hosts,
            allowed_origins: raw.allowed_origins,
            chains: raw.chains,
            notify,
        })
    }
}

fn refused(path: &Path, key: &'static str, rule: &'static str) -> ConfigError {
    ConfigError::Value {
        path: path.to_owned(),
        key,
        rule,
    }
}

fn is_host(name: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    (1..=255).contains(&name.len()) && name.bytes().all(plain)
}

fn is_origin(origin: &str) -> bool {
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    host.is_some_and(is_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "signer-socket = \"gateway.sock\"\ndatabase = \"/state/gateway.db\"\n";

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("/etc/waiaas/gateway.toml"), text, None)
    }

    #[test]
    fn the_least_configuration() {
        let config = parse(LEAST).expect("complete");
        assert_eq!(config.listen.to_string(), "127.0.0.1:3100");
        assert_eq!(config.signer_socket, Path::new("/etc/waiaas/gateway.sock"));
        assert_eq!(config.database, Path::new("/state/gateway.db"));
        assert!(config.chains.is_empty() && config.tls.is_none() && !config.trusted_proxy);
    }

    /// N22: a public listener without TLS or a stated proxy does not start.
    #[test]
    fn beyond_loopback_only_with_tls_or_a_proxy() {
        for (listen, more, starts) in [
            ("127.0.0.1:0", "", true),
            ("127.8.0.1:1", "", true),
            ("[::1]:1", "", true),
            ("0.0.0.0:3100", "", false),
            ("[::]:3100", "", false),
            ("192.0.2.1:3100", "", false),
            ("0.0.0.0:3100", "trusted-proxy = true\n", true),
            (
                "0.0.0.0:3100",
                "[tls]\ncertificate = \"c\"\nkey = \"k\"\n",
                true,
            ),
        ] {
            let text = format!("listen = \"{listen}\"\n{LEAST}{more}");
            assert_eq!(parse(&text).is_ok(), starts, "{listen} {more}");
        }
        let variable = Some("0.0.0.0:1".parse().expect("an address"));
        let refused = Config::parse(Path::new("x"), LEAST, variable).expect_err("also by variable");
        assert!(refused.to_string().starts_with("x: listen: "), "{refused}");
    }

    #[test]
    fn anything_unknown_or_contradictory_stops() {
        for (case, text) in [
            ("unknown key", format!("{LEAST}lisen = \"127.0.0.1:1\"\n")),
            ("snake case", format!("{LEAST}trusted_proxy = true\n")),
            ("missing socket", "database = \"d\"\n".to_owned()),
            (
                "unknown in tls",
                format!("{LEAST}[tls]\ncertificate = \"c\"\nkey = \"k\"\nca = \"x\"\n"),
            ),
            (
                "half of tls",
                format!("{LEAST}[tls]\ncertificate = \"c\"\n"),
            ),
            ("log key", format!("{LEAST}log-key = \"abc\"\n")),
            (
                "host",
                format!("{LEAST}allowed-hosts = [\"Example.org/\"]\n"),
            ),
            (
                "origin",
                format!("{LEAST}allowed-origins = [\"example.org\"]\n"),
            ),
            (
                "chain twice",
                format!(
                    "{LEAST}{0}{0}",
                    "[[chain]]\nid = \"eip155:31337\"\nrpc = [\"http://127.0.0.1:8545\"]\n"
                ),
            ),
        ] {
            assert!(parse(&text).is_err(), "{case}");
        }
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, LEAST).expect("written");
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
        mode(0o600).expect("set");
        assert!(Config::read(&path, None).is_ok());
        mode(0o620).expect("set");
        assert!(matches!(
            Config::read(&path, None),
            Err(ConfigError::Permissions { .. })
        ));
        let missing = Config::read(&folder.path().join("none"), None);
        assert!(matches!(missing, Err(ConfigError::Unreadable { .. })));
    }
}
