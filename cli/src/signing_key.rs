//! A private key of an owner or a guardian that is in a file here: an Ed25519 key file of the Solana
//! command line, or an Ethereum keystore under a password. Which of the two it is shows in the file.
//! Signs nothing but what `pen` gives it.

use std::path::{Path, PathBuf};

use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::verify::Envelope;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::keystore_v3::{EthereumKey, FILE_LIMIT_BYTES, Keystore, KeystoreError};
use crate::output::Output;
use crate::owner_key::{KeyFile, read_private};
use crate::prompt::file_password;

/// A key that signs here.
#[derive(Debug)]
pub(crate) enum SigningKey {
    /// Signs the plain text.
    Ed25519(KeyFile),
    /// Signs by EIP-191.
    Ethereum(EthereumKey),
}

impl SigningKey {
    /// Reads a key's file, which nobody else may be able to read. The password of a keystore comes from the
    /// descriptor `password_fd`, or somebody is asked for it.
    pub(crate) fn read(
        path: &Path,
        password_fd: Option<u32>,
        output: &Output,
    ) -> Result<Self, Failure> {
        KeyText::read(path)?.open(path, password_fd, output)
    }

    /// Reads every file, in order; each keystore takes the next descriptor, if there is one.
    pub(crate) fn read_all(
        paths: &[PathBuf],
        password_fds: &[u32],
        output: &Output,
    ) -> Result<Vec<Self>, Failure> {
        let mut descriptors = password_fds.iter().copied();
        let mut keys = Vec::with_capacity(paths.len());
        for path in paths {
            let text = KeyText::read(path)?;
            let descriptor = match &text {
                KeyText::Keystore(_) => descriptors.next(),
                KeyText::Ed25519(_) => None,
            };
            keys.push(text.open(path, descriptor, output)?);
        }
        match descriptors.next() {
            None => Ok(keys),
            Some(number) => Err(Failure::usage(format!(
                "nothing takes the password of descriptor {number}"
            ))
            .why("there are fewer keystores than descriptors; a plain key file has no password")),
        }
    }

    /// The public key.
    pub(crate) fn owner(&self) -> OwnerKey {
        match self {
            Self::Ed25519(key) => key.owner(),
            Self::Ethereum(key) => OwnerKey::Secp256k1(key.address()),
        }
    }

    /// How it wraps a text.
    pub(crate) const fn envelope(&self) -> Envelope {
        match self {
            Self::Ed25519(_) => Envelope::Ed25519Plain,
            Self::Ethereum(_) => Envelope::Eip191,
        }
    }

    /// Signs the bytes of its envelope.
    pub(crate) fn sign(&self, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(payload).to_vec(),
            Self::Ethereum(key) => key.sign(payload).to_vec(),
        }
    }
}

/// A key's file as it lies there.
enum KeyText {
    Ed25519(KeyFile),
    Keystore(Keystore),
}

impl KeyText {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text: Zeroizing<String> =
            read_private(path, FILE_LIMIT_BYTES)?.ok_or_else(|| neither(path))?;
        match text.trim_start().as_bytes().first() {
            Some(b'[') => KeyFile::parse(&text)
                .map(Self::Ed25519)
                .ok_or_else(|| neither(path)),
            Some(b'{') => Keystore::parse(&text)
                .map(Self::Keystore)
                .map_err(|error| unusable(path, error)),
            _ => Err(neither(path)),
        }
    }

    fn open(
        self,
        path: &Path,
        password_fd: Option<u32>,
        output: &Output,
    ) -> Result<SigningKey, Failure> {
        let keystore = match self {
            Self::Ed25519(key) => return Ok(SigningKey::Ed25519(key)),
            Self::Keystore(keystore) => keystore,
        };
        let password = file_password(path, password_fd, output)?;
        match keystore.open(password.expose()) {
            Ok(key) => Ok(SigningKey::Ethereum(key)),
            Err(error @ KeystoreError::Password) => Err(Failure::new(
                Exit::Failure,
                format!("{} does not open", path.display()),
            )
            .why(error)
            .next("run the command again with the password of that file, not the signer's")),
            Err(error) => Err(unusable(path, error)),
        }
    }
}

fn neither(path: &Path) -> Failure {
    Failure::new(Exit::Configuration, format!("{} is not a key file", path.display())).why(
        "it must be a JSON array of 64 numbers, as `solana-keygen` writes it, or an Ethereum keystore, version 3",
    )
}

fn unusable(path: &Path, error: KeystoreError) -> Failure {
    Failure::new(
        Exit::Configuration,
        format!("{} cannot be used", path.display()),
    )
    .why(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn keystore() -> String {
        let all: serde_json::Value = serde_json::from_str(include_str!(
            "../tests/vectors/keystore-v3/basic_tests.json"
        ))
        .unwrap();
        all["test1"]["json"].to_string()
    }

    #[test]
    fn a_file_tells_its_kind_and_loose_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(false);
        let plain = folder.path().join("plain.json");
        KeyFile::generate().unwrap().write(&plain).unwrap();
        let key = SigningKey::read(&plain, None, &output).unwrap();
        assert_eq!(key.envelope(), Envelope::Ed25519Plain);
        let tight = file(folder.path(), "keystore.json", &keystore(), 0o600);
        // Nobody can be asked here.
        let asked = SigningKey::read(&tight, None, &output).unwrap_err();
        assert_eq!(asked.exit(), Exit::Usage);
        for mode in [0o640, 0o604, 0o660] {
            let loose = file(folder.path(), &format!("{mode:o}"), &keystore(), mode);
            let refused = SigningKey::read(&loose, None, &output).unwrap_err();
            assert_eq!(refused.exit(), Exit::Permission);
        }
        for (number, text) in ["", "x", "[1,2]", "{}", &"[".repeat(20_000)]
            .iter()
            .enumerate()
        {
            let path = file(folder.path(), &format!("wrong-{number}"), text, 0o600);
            let refused = SigningKey::read(&path, None, &output).unwrap_err();
            assert_eq!(refused.exit(), Exit::Configuration, "{text}");
        }
        let unused = SigningKey::read_all(&[plain], &[9], &output).unwrap_err();
        assert_eq!(unused.exit(), Exit::Usage);
    }

    /// Descriptor 0 is the terminal's; others are opened by number.
    #[test]
    fn each_keystore_takes_the_next_password() {
        use std::os::fd::AsRawFd as _;

        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(false);
        let path = file(folder.path(), "keystore.json", &keystore(), 0o600);
        let plain = folder.path().join("plain.json");
        KeyFile::generate().unwrap().write(&plain).unwrap();
        let password = |name: &str, text: &str| {
            let path = file(folder.path(), name, text, 0o600);
            std::fs::File::open(path).unwrap()
        };
        let right = password("right", "testpassword\n");
        let wrong = password("wrong", "testpasswore");
        let number = |file: &std::fs::File| u32::try_from(file.as_raw_fd()).unwrap();
        let paths = [plain, path.clone(), path];
        let keys =
            SigningKey::read_all(&paths, &[number(&right), number(&right)], &output).unwrap();
        let envelopes: Vec<_> = keys.iter().map(SigningKey::envelope).collect();
        assert_eq!(
            envelopes,
            [Envelope::Ed25519Plain, Envelope::Eip191, Envelope::Eip191]
        );
        let failed =
            SigningKey::read_all(&paths, &[number(&right), number(&wrong)], &output).unwrap_err();
        assert_eq!(failed.exit(), Exit::Failure);
        assert!(
            failed.human().contains("password is wrong"),
            "{}",
            failed.human()
        );
        assert!(!failed.human().contains("testpass"), "{}", failed.human());
    }
}
