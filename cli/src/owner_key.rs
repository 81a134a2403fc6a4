//! Key files of owners and agents: Ed25519 in the form of the Solana command line, a JSON array of 64
//! numbers (seed, then public key). For trials; an owner of real value signs with a wallet. Private
//! bytes are wiped when dropped and shown nowhere.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::keys::{AgentKey, OwnerKey};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::home::{cannot, create_new};

/// 64 numbers of up to three digits with their commas, and some blanks.
const FILE_LIMIT_BYTES: u64 = 1024;

/// An Ed25519 key from a file. In one place of its own, so that moving it leaves no copies behind.
pub(crate) struct KeyFile(Box<SigningKey>);

impl KeyFile {
    /// A new key from the system's random source.
    pub(crate) fn generate() -> Result<Self, Failure> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed)
            .map_err(|error| Failure::internal("the system's random source failed").why(error))?;
        Ok(Self(Box::new(SigningKey::from_bytes(&seed))))
    }

    /// Reads a file that nobody else can read.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_private(path, FILE_LIMIT_BYTES)?;
        text.and_then(|text| Self::parse(&text)).ok_or_else(|| {
            Failure::new(
                Exit::Configuration,
                format!("{} is not a key file", path.display()),
            )
            .why("it must be a JSON array of 64 numbers, as `solana-keygen` writes it")
        })
    }

    /// The key of such a file's text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
        let mut pair = Zeroizing::new([0; 64]);
        let mut numbers = inner.split(',');
        for place in pair.iter_mut() {
            *place = numbers.next()?.trim().parse().ok()?;
        }
        if numbers.next().is_some() {
            return None;
        }
        // Refuses a public half that is not the seed's.
        SigningKey::from_keypair_bytes(&pair)
            .ok()
            .map(|key| Self(Box::new(key)))
    }

    /// Writes a new file, readable for its owner alone. An existing one is never replaced.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut text = Zeroizing::new(String::with_capacity(512));
        let pair = Zeroizing::new(self.0.to_keypair_bytes());
        for (place, byte) in pair.iter().enumerate() {
            text.push(if place == 0 { '[' } else { ',' });
            push_number(&mut text, *byte);
        }
        text.push_str("]\n");
        let mut file = create_new(path)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| cannot("written", path, &error))
    }

    /// The public key, as an owner's.
    pub(crate) fn owner(&self) -> OwnerKey {
        OwnerKey::Ed25519(SolanaAddress::from_bytes(self.0.verifying_key().to_bytes()))
    }

    /// The public key, as an agent's.
    pub(crate) fn agent(&self) -> AgentKey {
        AgentKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs (RFC 8032).
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyFile")
    }
}

/// The text of a private key's file, which nobody else may be able to read; nothing if it is longer than
/// any such file, or no text. With its capacity from the start, it is never copied to a larger place.
pub(crate) fn read_private(path: &Path, limit: u64) -> Result<Option<Zeroizing<String>>, Failure> {
    let failed = |error: std::io::Error| cannot("read", path, &error);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    if facts.mode() & 0o077 != 0 {
        return Err(Failure::new(
            Exit::Permission,
            format!("{} is open to others", path.display()),
        )
        .why("a private key must be readable for its owner alone")
        .next(format!("chmod 600 {}", path.display())));
    }
    if facts.len() > limit {
        return Ok(None);
    }
    let room = usize::try_from(limit).unwrap_or_default();
    let mut text = Zeroizing::new(String::with_capacity(room.saturating_add(64)));
    let read = (&mut file).take(limit).read_to_string(&mut text);
    Ok(read.is_ok().then_some(text))
}

/// Digits of a byte, without a string of their own.
fn push_number(text: &mut String, byte: u8) {
    let digits = [byte / 100, byte / 10 % 10, byte % 10];
    let leading = digits
        .iter()
        .take(2)
        .take_while(|digit| **digit == 0)
        .count();
    for digit in digits.iter().skip(leading) {
        text.push(char::from(b'0' + digit));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        let key = KeyFile::generate().unwrap();
        key.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let numbers: Vec<u8> =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(numbers.len(), 64);
        assert_eq!(KeyFile::read(&path).unwrap().owner(), key.owner());
        assert!(KeyFile::generate().unwrap().write(&path).is_err());
        assert_eq!(KeyFile::read(&path).unwrap().owner(), key.owner());
    }

    #[test]
    fn numbers_are_plain_json() {
        let mut text = String::new();
        for byte in [0, 7, 10, 99, 100, 105, 255] {
            push_number(&mut text, byte);
            text.push(' ');
        }
        assert_eq!(text, "0 7 10 99 100 105 255 ");
    }

    #[test]
    fn loose_or_broken_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        KeyFile::generate().unwrap().write(&path).unwrap();
        let sound = std::fs::read_to_string(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(KeyFile::read(&path).unwrap_err().exit(), Exit::Permission);
        for wrong in [
            String::new(),
            "[]".to_owned(),
            sound.replacen('[', "[1,", 1),
            sound.replacen('[', "[256,", 1),
            sound.replace(']', ""),
            format!("[{}]", ["1"; 64].join(",")),
        ] {
            assert!(KeyFile::parse(&wrong).is_none(), "{wrong}");
        }
    }
}
