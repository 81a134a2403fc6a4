//! An owner's signature as text, in the one form of its curve: base58 of 64 bytes for Ed25519, `0x` and lower-case
//! hexadecimal digits of 65 bytes for secp256k1. Whether it holds is judged elsewhere.

use waiaas_shared::keys::OwnerKey;

/// Longest text: 65 bytes as `0x` and digits.
const TEXT_LIMIT: usize = 132;
const ED25519_BYTES: usize = 64;
const SECP256K1_BYTES: usize = 65;

/// The bytes, if the text is of the form of this key's signatures.
pub(super) fn read(key: &OwnerKey, text: &str) -> Option<Vec<u8>> {
    if text.len() > TEXT_LIMIT {
        return None;
    }
    match key {
        OwnerKey::Ed25519(_) => {
            let bytes = bs58::decode(text).into_vec().ok()?;
            (bytes.len() == ED25519_BYTES).then_some(bytes)
        }
        OwnerKey::Secp256k1(_) => {
            let digits = text.strip_prefix("0x")?;
            let lower = digits
                .bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
            let bytes = hex::decode(digits).ok()?;
            (lower && bytes.len() == SECP256K1_BYTES).then_some(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use waiaas_shared::address::{EvmAddress, SolanaAddress};

    use super::*;

    #[test]
    fn one_form_for_each_curve() {
        let ed25519 = OwnerKey::Ed25519(SolanaAddress::from_bytes([1; 32]));
        let secp256k1 = OwnerKey::Secp256k1(EvmAddress::from_bytes([1; 20]));
        let base58 = |length| bs58::encode(vec![7_u8; length]).into_string();
        let digits = |length| format!("0x{}", hex::encode(vec![0xab_u8; length]));
        assert_eq!(read(&ed25519, &base58(64)), Some(vec![7; 64]));
        assert_eq!(read(&secp256k1, &digits(65)), Some(vec![0xab; 65]));
        for wrong in [
            base58(63),
            base58(65),
            digits(64),
            digits(65),
            String::new(),
        ] {
            assert_eq!(read(&ed25519, &wrong), None, "{wrong}");
        }
        for wrong in [
            digits(64),
            digits(66),
            digits(65).to_uppercase(),
            digits(65).replace("0xab", "0xAB"),
            hex::encode([0xab; 65]),
            format!(" {}", digits(65)),
            base58(65),
            String::new(),
        ] {
            assert_eq!(read(&secp256k1, &wrong), None, "{wrong}");
        }
    }
}
