//! What must never come out, in every form that somebody might hide it in, and the search for it.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use k256::elliptic_curve::PrimeField as _;
use sha2::Sha512;

use crate::owner::PASSWORD;

/// Bytes that are looked up before a needle is compared whole.
const START: usize = 8;
const HARDENED: u32 = 1 << 31;

/// The needles by their first bytes.
#[derive(Debug)]
pub struct Secrets(HashMap<[u8; START], Vec<(String, Vec<u8>)>>);

impl Secrets {
    /// Everything secret of a signer with these words: the words, what they stand for, the seed, the
    /// private keys of its first wallets by the public standards, and the password.
    ///
    /// # Errors
    /// If these are no such words.
    pub fn of(phrase: &[u8]) -> Result<Self> {
        let words = std::str::from_utf8(phrase)?;
        let mnemonic = bip39::Mnemonic::parse(words)?;
        let seed = mnemonic.to_seed("");
        let mut secrets = Self(HashMap::new());
        secrets.hide("password", PASSWORD);
        secrets.hide("entropy", &mnemonic.to_entropy());
        secrets.hide("seed", &seed);
        for index in 0..3 {
            secrets.hide(&format!("solana key {index}"), &solana_key(&seed, index)?);
            secrets.hide(&format!("evm key {index}"), &evm_key(&seed, index)?);
        }
        let words: Vec<_> = words.split(' ').collect();
        for some in words.windows(4) {
            secrets.add("four words", some.join(" ").into_bytes());
            let reversed: Vec<_> = some.iter().rev().copied().collect();
            secrets.add("four words reversed", reversed.join(" ").into_bytes());
        }
        Ok(secrets)
    }

    fn hide(&mut self, name: &str, secret: &[u8]) {
        let reversed: Vec<u8> = secret.iter().rev().copied().collect();
        let (front, back) = secret.split_at(secret.len() / 2);
        for bytes in [secret, &reversed, front, back] {
            self.add(name, bytes.to_vec());
            self.add(name, hex::encode(bytes).into_bytes());
            self.add(name, hex::encode_upper(bytes).into_bytes());
            self.add(name, bs58::encode(bytes).into_vec());
            self.add(
                name,
                STANDARD
                    .encode(bytes)
                    .trim_end_matches('=')
                    .as_bytes()
                    .to_vec(),
            );
        }
    }

    fn add(&mut self, name: &str, needle: Vec<u8>) {
        if let Some(start) = needle.first_chunk::<START>() {
            let named = (name.to_owned(), needle.clone());
            self.0.entry(*start).or_default().push(named);
        }
    }

    /// The names of the secrets that stand in these bytes.
    #[must_use]
    pub fn within(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for (place, window) in bytes.windows(START).enumerate() {
            let Some(named) = window
                .first_chunk::<START>()
                .and_then(|start| self.0.get(start))
            else {
                continue;
            };
            for (name, needle) in named {
                if bytes
                    .get(place..)
                    .is_some_and(|rest| rest.starts_with(needle))
                {
                    found.push(name.clone());
                }
            }
        }
        found
    }
}

fn step(chain: &[u8], data: &[u8]) -> Result<[u8; 64]> {
    let mut mac = Hmac::<Sha512>::new_from_slice(chain)?;
    mac.update(data);
    Ok(mac.finalize().into_bytes().into())
}

/// SLIP-10 for Ed25519, `m/44'/501'/index'/0'`.
fn solana_key(seed: &[u8], index: u32) -> Result<[u8; 32]> {
    let mut node = step(b"ed25519 seed", seed)?;
    for number in [44, 501, index, 0] {
        let (key, chain) = node.split_at(32);
        let data = [&[0][..], key, &(number | HARDENED).to_be_bytes()].concat();
        node = step(chain, &data)?;
    }
    Ok(*node.first_chunk().context("a key")?)
}

/// BIP-32, `m/44'/60'/0'/0/index`.
fn evm_key(seed: &[u8], index: u32) -> Result<[u8; 32]> {
    let mut node = step(b"Bitcoin seed", seed)?;
    for number in [44 | HARDENED, 60 | HARDENED, HARDENED, 0, index] {
        let (key, chain) = node.split_at(32);
        let key: [u8; 32] = key.try_into()?;
        let secret = k256::SecretKey::from_slice(&key)?;
        let start = if number >= HARDENED {
            [&[0][..], &key].concat()
        } else {
            secret.public_key().to_sec1_bytes().to_vec()
        };
        let following = step(chain, &[&start[..], &number.to_be_bytes()].concat())?;
        let tweak: [u8; 32] = *following.first_chunk().context("a key")?;
        let tweak = Option::<k256::Scalar>::from(k256::Scalar::from_repr(tweak.into()))
            .context("a scalar")?;
        let sum = tweak + *secret.to_nonzero_scalar();
        let sum: [u8; 32] = sum.to_repr().into();
        node = following;
        node.iter_mut().zip(sum).for_each(|(to, from)| *to = from);
    }
    Ok(*node.first_chunk().context("a key")?)
}

/// The addresses that these derivations give, so that the search is known to look for the right keys:
/// 32 bytes of Solana's, 20 of EVM's.
///
/// # Errors
/// If these are no such words.
pub fn first_addresses(phrase: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let seed = bip39::Mnemonic::parse(std::str::from_utf8(phrase)?)?.to_seed("");
    let solana = ed25519_dalek::SigningKey::from_bytes(&solana_key(&seed, 0)?);
    let evm = k256::SecretKey::from_slice(&evm_key(&seed, 0)?)?;
    let point = k256::ecdsa::VerifyingKey::from(evm.public_key()).to_sec1_point(false);
    let hash = alloy_primitives::keccak256(point.as_bytes().get(1..).context("a point")?);
    Ok((
        solana.verifying_key().to_bytes().to_vec(),
        hash.get(12..).context("20 bytes")?.to_vec(),
    ))
}
