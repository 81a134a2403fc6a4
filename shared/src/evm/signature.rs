//! secp256k1 as EVM chains use it: an account is the hash of a public key, and a signature names its
//! key by recovery. Holds no private key.

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};

use super::keccak256;
use crate::address::EvmAddress;
use crate::transaction::SignatureError;

/// The account of a public key: the last 20 bytes of Keccak-256 over its two coordinates.
#[must_use]
pub fn address_of(key: &VerifyingKey) -> EvmAddress {
    let point = key.to_sec1_point(false);
    // The first byte only says that the point is uncompressed.
    let coordinates = point.as_bytes().get(1..).unwrap_or_default();
    let mut address = [0; 20];
    address
        .iter_mut()
        .zip(keccak256(coordinates).iter().skip(12))
        .for_each(|(to, from)| *to = *from);
    EvmAddress::from_bytes(address)
}

/// Who signed this digest. Only the low-s form is accepted (EIP-2).
pub(crate) fn recover(
    prehash: &[u8; 32],
    r_and_s: &[u8; 64],
    y_is_odd: bool,
) -> Result<EvmAddress, SignatureError> {
    let signature = Signature::from_slice(r_and_s).map_err(|_| SignatureError::Invalid)?;
    if signature.normalize_s() != signature {
        return Err(SignatureError::HighS);
    }
    // An x coordinate beyond the group order (1 in 2^127) has no place in a transaction's y parity.
    let recovery = RecoveryId::new(y_is_odd, false);
    VerifyingKey::recover_from_prehash(prehash, &signature, recovery)
        .map(|key| address_of(&key))
        .map_err(|_| SignatureError::Invalid)
}
