//! Ethereum keystores, version 3 (Web3 Secret Storage Definition), as geth, eth-account and wallets that
//! export one write them: AES-128-CTR under scrypt or PBKDF2. Read only, never written. Costs are capped
//! before anything is computed, the MAC is checked before anything is decrypted, and the key must be the
//! one of the file's address. Called by `signing_key`.

use std::fmt;

use aes::Aes128;
use alloy_primitives::keccak256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use k256::ecdsa::{RecoveryId, Signature, SigningKey};
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use waiaas_shared::address::EvmAddress;
use waiaas_shared::evm::address_of;
use zeroize::Zeroizing;

/// A keystore has 500 bytes; some wallets add descriptions of their own.
pub(crate) const FILE_LIMIT_BYTES: u64 = 16 * 1024;
/// Memory that scrypt may take, 128 N r: four times what geth and eth-account write.
const SCRYPT_MEMORY_LIMIT: u64 = 1 << 30;
/// Work that scrypt may do, N r p: eight times the usual.
const SCRYPT_WORK_LIMIT: u64 = 1 << 24;
/// Rounds of PBKDF2; eth-account writes a million.
const PBKDF2_ROUNDS_LIMIT: u32 = 10_000_000;
/// Bytes of salt; every known program writes 16 or 32.
const SALT_LIMIT: usize = 128;

/// A secp256k1 key out of a keystore. In one place of its own, so that moving it leaves no copies
/// behind; wiped when dropped.
pub(crate) struct EthereumKey {
    key: Box<SigningKey>,
    address: EvmAddress,
}

/// Why a keystore gives no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeystoreError {
    /// Not the JSON of a keystore.
    #[error("it is not an Ethereum keystore in JSON, version 3")]
    Form,
    /// Another version of the file.
    #[error("it is a keystore of another version than 3")]
    Version,
    /// An algorithm that version 3 does not have.
    #[error("it names a cipher or a key derivation other than aes-128-ctr with scrypt or pbkdf2")]
    Algorithm,
    /// More than is ever needed, or nothing at all.
    #[error("its cost of key derivation is out of bounds")]
    Cost,
    /// The MAC does not fit.
    #[error("the password is wrong, or the file was changed")]
    Password,
    /// The number that was decrypted is no private key.
    #[error("it holds no secp256k1 key")]
    Key,
    /// The key is another one than the file says.
    #[error("its key is not the one of the address that it names")]
    Address,
}

#[derive(Deserialize)]
struct Raw {
    version: u64,
    // MyEtherWallet and the first versions of geth write it with a capital.
    #[serde(alias = "Crypto")]
    crypto: RawCrypto,
    address: Option<String>,
}

#[derive(Deserialize)]
struct RawCrypto {
    cipher: String,
    cipherparams: RawCipher,
    ciphertext: String,
    kdf: String,
    kdfparams: RawKdf,
    mac: String,
}

#[derive(Deserialize)]
struct RawCipher {
    iv: String,
}

#[derive(Deserialize)]
struct RawKdf {
    dklen: u32,
    salt: String,
    n: Option<u64>,
    r: Option<u32>,
    p: Option<u32>,
    c: Option<u32>,
    prf: Option<String>,
}

/// A keystore that is understood, with costs inside of the bounds.
#[derive(Debug)]
pub(crate) struct Keystore {
    kdf: Kdf,
    salt: Vec<u8>,
    iv: [u8; 16],
    ciphertext: [u8; 32],
    mac: [u8; 32],
    address: Option<EvmAddress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kdf {
    Scrypt { log_n: u8, r: u32, p: u32 },
    Pbkdf2 { rounds: u32 },
}

impl Keystore {
    /// Reads the JSON; computes nothing.
    pub(crate) fn parse(text: &str) -> Result<Self, KeystoreError> {
        let raw: Raw = serde_json::from_str(text).map_err(|_| KeystoreError::Form)?;
        if raw.version != 3 {
            return Err(KeystoreError::Version);
        }
        if raw.crypto.cipher != "aes-128-ctr" {
            return Err(KeystoreError::Algorithm);
        }
        let salt = hex::decode(&raw.crypto.kdfparams.salt).map_err(|_| KeystoreError::Form)?;
        if salt.len() > SALT_LIMIT {
            return Err(KeystoreError::Cost);
        }
        Ok(Self {
            kdf: Kdf::parse(&raw.crypto.kdf, &raw.crypto.kdfparams)?,
            salt,
            iv: bytes(&raw.crypto.cipherparams.iv)?,
            ciphertext: bytes(&raw.crypto.ciphertext)?,
            mac: bytes(&raw.crypto.mac)?,
            address: match raw.address.as_deref() {
                // Some wallets leave it out, to tell nobody whose key it is.
                None | Some("") => None,
                Some(text) => Some(EvmAddress::from_bytes(bytes(
                    text.strip_prefix("0x").unwrap_or(text),
                )?)),
            },
        })
    }

    /// Derives, checks, decrypts, checks.
    pub(crate) fn open(&self, password: &[u8]) -> Result<EthereumKey, KeystoreError> {
        let derived = self.kdf.derive(password, &self.salt)?;
        let (encryption, authentication) = derived.split_at(16);
        let authenticated = Zeroizing::new([authentication, &self.ciphertext].concat());
        if !bool::from(keccak256(&*authenticated).0.ct_eq(&self.mac)) {
            return Err(KeystoreError::Password);
        }
        let mut secret = Zeroizing::new(self.ciphertext);
        Ctr128BE::<Aes128>::new_from_slices(encryption, &self.iv)
            .map_err(|_| KeystoreError::Form)?
            .apply_keystream(&mut *secret);
        let key = SigningKey::from_slice(&*secret).map_err(|_| KeystoreError::Key)?;
        let address = address_of(key.verifying_key());
        if self.address.is_some_and(|named| named != address) {
            return Err(KeystoreError::Address);
        }
        Ok(EthereumKey {
            key: Box::new(key),
            address,
        })
    }
}

impl Kdf {
    fn parse(name: &str, raw: &RawKdf) -> Result<Self, KeystoreError> {
        if raw.dklen != 32 {
            return Err(KeystoreError::Cost);
        }
        match name {
            "scrypt" => {
                let given = (raw.n, raw.r, raw.p);
                let (Some(n), Some(r), Some(p)) = given else {
                    return Err(KeystoreError::Form);
                };
                let product = |last: u64| {
                    n.checked_mul(u64::from(r))
                        .and_then(|product| product.checked_mul(last))
                };
                let fits = |product: Option<u64>, limit| {
                    product.is_some_and(|product| (1..=limit).contains(&product))
                };
                let sound = n.is_power_of_two()
                    && n > 1
                    && fits(product(128), SCRYPT_MEMORY_LIMIT)
                    && fits(product(u64::from(p)), SCRYPT_WORK_LIMIT);
                let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| KeystoreError::Cost)?;
                match sound {
                    true => Ok(Self::Scrypt { log_n, r, p }),
                    false => Err(KeystoreError::Cost),
                }
            }
            "pbkdf2" => match (raw.prf.as_deref(), raw.c) {
                (Some("hmac-sha256"), Some(rounds @ 1..=PBKDF2_ROUNDS_LIMIT)) => {
                    Ok(Self::Pbkdf2 { rounds })
                }
                (Some("hmac-sha256"), Some(_)) => Err(KeystoreError::Cost),
                (Some(_), Some(_)) => Err(KeystoreError::Algorithm),
                _ => Err(KeystoreError::Form),
            },
            _ => Err(KeystoreError::Algorithm),
        }
    }

    fn derive(self, password: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        let mut derived = Zeroizing::new([0; 32]);
        match self {
            Self::Scrypt { log_n, r, p } => {
                let params = scrypt::Params::new(log_n, r, p).map_err(|_| KeystoreError::Cost)?;
                scrypt::scrypt(password, salt, &params, &mut *derived)
                    .map_err(|_| KeystoreError::Cost)?;
            }
            Self::Pbkdf2 { rounds } => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut *derived);
            }
        }
        Ok(derived)
    }
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], KeystoreError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| KeystoreError::Form)?;
    Ok(bytes)
}

impl EthereumKey {
    /// Its account.
    pub(crate) const fn address(&self) -> EvmAddress {
        self.address
    }

    /// Signs what EIP-191 hashes: r, s and v (27 or 28). Deterministic (RFC 6979), with a low s.
    pub(crate) fn sign(&self, payload: &[u8]) -> [u8; 65] {
        let prehash = keccak256(payload).0;
        let (signature, recovery): (Signature, RecoveryId) =
            self.key.sign_prehash_recoverable(&prehash);
        let mut bytes = [27; 65];
        let (r_and_s, v) = bytes.split_at_mut(64);
        r_and_s.copy_from_slice(&signature.to_bytes());
        if recovery.is_y_odd() {
            v.fill(28);
        }
        bytes
    }
}

impl fmt::Debug for EthereumKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EthereumKey")
    }
}

#[cfg(test)]
#[path = "keystore_v3_tests.rs"]
mod tests;
