//! A signature made elsewhere, as people paste it: hexadecimal with or without `0x`, base64 with or
//! without its filling, base58. One text can be read in several ways; which of them is meant shows by
//! whose signature it is. Called by `pen` and by `waiaas statement submit`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::verify::envelope_of;

use crate::failure::Failure;
use crate::pen::Made;

/// In characters: 65 bytes in hexadecimal are 132.
pub(crate) const TEXT_LIMIT: usize = 256;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What was pasted, in each way in which it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pasted(Vec<Vec<u8>>);

impl Pasted {
    /// Reads it; refuses what is no signature in any way.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let readings = [
            hex::decode(digits).ok(),
            BASE64.decode(text).ok(),
            bs58::decode(text).into_vec().ok(),
        ];
        let sound = |bytes: &Vec<u8>| text.len() <= TEXT_LIMIT && matches!(bytes.len(), 64 | 65);
        let readings: Vec<_> = readings.into_iter().flatten().filter(sound).collect();
        if readings.is_empty() {
            return Err(Failure::usage("this is not a signature")
                .why("64 bytes (Ed25519) or 65 bytes (secp256k1) are needed, in base58, base64 or hexadecimal")
                .next("give what your wallet showed, whole"));
        }
        Ok(Self(readings))
    }

    /// The signature, and how the text was wrapped for it, if this key made it over this text.
    pub(crate) fn made_by(&self, key: &OwnerKey, text: &str) -> Option<Made> {
        self.0.iter().find_map(|signature| {
            let envelope = envelope_of(text, key, signature)?;
            Some(Made {
                envelope,
                signature: signature.clone(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

    use super::*;
    use crate::failure::Exit;

    #[test]
    fn signatures_are_pasted_as_wallets_print_them() {
        for signature in [vec![7; 64], vec![8; 65]] {
            for text in [
                bs58::encode(&signature).into_string(),
                hex::encode(&signature),
                hex::encode_upper(&signature),
                format!(" 0x{}\r", hex::encode(&signature)),
                STANDARD.encode(&signature),
                STANDARD_NO_PAD.encode(&signature),
            ] {
                let pasted = Pasted::parse(&text).unwrap();
                assert!(pasted.0.contains(&signature), "{text}");
            }
        }
        let long = "1".repeat(TEXT_LIMIT + 1);
        for wrong in ["", "abc", "0x12", &hex::encode([1; 66]), "signature", &long] {
            let refused = Pasted::parse(wrong).unwrap_err();
            assert_eq!(refused.exit(), Exit::Usage, "{wrong}");
        }
    }
}
