//! Owners' keys in this program's hands, of both kinds, and what they sign in each form that their wallets have.

use anyhow::{Result, bail};
use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::address::{EvmAddress, SolanaAddress};
use waiaas_shared::ids::OwnerId;
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature, payload};

use crate::bytes::keccak;

/// An owner.
#[derive(Debug, Clone)]
pub(crate) struct Hand {
    pub(crate) id: OwnerId,
    key: Key,
}

#[derive(Debug, Clone)]
enum Key {
    Ed25519(SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
}

impl Hand {
    /// With an Ed25519 key, as an owner of Solana has.
    pub(crate) fn ed25519(seed: u8) -> Self {
        Self {
            id: OwnerId::from_bytes([0; 16]),
            key: Key::Ed25519(SigningKey::from_bytes(&[seed; 32])),
        }
    }

    /// With a secp256k1 key, as an owner of an EVM chain has.
    pub(crate) fn secp256k1(seed: u8) -> Result<Self> {
        Ok(Self {
            id: OwnerId::from_bytes([0; 16]),
            key: Key::Secp256k1(k256::ecdsa::SigningKey::from_slice(&[seed; 32])?),
        })
    }

    /// Under the name by which the signer knows it.
    pub(crate) fn known_as(self, id: OwnerId) -> Self {
        Self { id, ..self }
    }

    pub(crate) fn public(&self) -> OwnerKey {
        match &self.key {
            Key::Ed25519(key) => {
                OwnerKey::Ed25519(SolanaAddress::from_bytes(key.verifying_key().to_bytes()))
            }
            Key::Secp256k1(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let hash = keccak(point.as_bytes().get(1..).unwrap_or_default());
                let mut address = [0; 20];
                address.copy_from_slice(&hash[12..]);
                OwnerKey::Secp256k1(EvmAddress::from_bytes(address))
            }
        }
    }

    /// The form that its wallet makes of itself.
    pub(crate) const fn envelope(&self) -> Envelope {
        match self.key {
            Key::Ed25519(_) => Envelope::Ed25519Plain,
            Key::Secp256k1(_) => Envelope::Eip191,
        }
    }

    /// Over a text of the signer.
    pub(crate) fn signature(&self, text: &str) -> Result<OwnerSignature> {
        self.signature_in(self.envelope(), text)
    }

    /// In one of its forms.
    pub(crate) fn signature_in(&self, envelope: Envelope, text: &str) -> Result<OwnerSignature> {
        let bytes = payload(text, envelope, &self.public())?;
        Ok(OwnerSignature {
            owner: self.id,
            envelope,
            signature: self.raw(&bytes)?,
        })
    }

    fn raw(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        match &self.key {
            Key::Ed25519(key) => Ok(key.sign(bytes).to_bytes().to_vec()),
            Key::Secp256k1(key) => {
                let (signature, recovery) = key.sign_prehash_recoverable(&keccak(bytes));
                let v = 27 + u8::from(recovery.is_y_odd());
                Ok([signature.to_bytes().as_slice(), &[v]].concat())
            }
        }
    }
}

/// The other signature that anybody makes of one: the negated scalar, and the other parity where there is one.
pub(crate) fn malleated(honest: &OwnerSignature) -> Result<OwnerSignature> {
    let mut other = honest.clone();
    match honest.envelope {
        Envelope::Eip191 => {
            let Some((r_and_s, [v])) = honest.signature.split_at_checked(64) else {
                bail!("65 bytes");
            };
            let signature = k256::ecdsa::Signature::from_slice(r_and_s)?;
            let (r, s) = signature.split_scalars();
            let high = k256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes())?;
            // 27 and 28 change places.
            other.signature = [high.to_bytes().as_slice(), &[55 - v]].concat();
        }
        _ => {
            // The scalar and the group's order: the same number modulo it, another encoding.
            let order =
                hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")?;
            let mut carry = 0;
            for (digit, more) in other.signature.iter_mut().skip(32).zip(order) {
                let sum = u16::from(*digit) + u16::from(more) + carry;
                carry = sum >> 8;
                *digit = u8::try_from(sum & 0xff)?;
            }
        }
    }
    Ok(other)
}
