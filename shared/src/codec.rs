//! The one canonical encoding of everything that is signed or hashed: CBOR in the core
//! deterministic form of RFC 8949 section 4.2.1, maps with integer keys. A value is read only if
//! encoding it again gives the identical bytes: unknown fields, long-form integers, unsorted or
//! doubled keys, indefinite lengths and trailing bytes are all refused by that single rule.

use minicbor::{Decode, Encode};

/// The bytes are not the canonical encoding of a value of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Not CBOR, or not a value of this type.
    #[error("the bytes are not a value of the expected type")]
    Malformed,
    /// A value, but not in its only permitted form (or with fields that this version does not know).
    #[error("the bytes are not in canonical form, or have unknown fields")]
    NotCanonical,
}

/// The canonical bytes of `value`.
#[must_use]
pub fn to_canonical<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    match minicbor::encode(value, &mut bytes) {
        Ok(()) => bytes,
        // Writing to a vector cannot fail (`Infallible`) and no encoder of ours reports an error.
        Err(_) => Vec::new(),
    }
}

/// Reads a value from its canonical bytes, and from nothing else.
///
/// # Errors
/// [`CodecError`] if the bytes are not a value of `T`, or another form of one.
pub fn from_canonical<'b, T: Decode<'b, ()> + Encode<()>>(
    bytes: &'b [u8],
) -> Result<T, CodecError> {
    let value: T = minicbor::decode(bytes).map_err(|_| CodecError::Malformed)?;
    if to_canonical(&value) == bytes {
        Ok(value)
    } else {
        Err(CodecError::NotCanonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Encode, Decode)]
    #[cbor(map)]
    struct Sample {
        #[n(0)]
        first: u64,
        #[n(1)]
        second: Option<String>,
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        let value = Sample {
            first: 1,
            second: None,
        };
        let bytes = to_canonical(&value);
        assert_eq!(bytes, [0xa1, 0x00, 0x01]);
        assert_eq!(from_canonical::<Sample>(&bytes), Ok(value));
        for (case, bytes) in [
            ("long integer", &[0xa1, 0x00, 0x18, 0x01][..]),
            ("unknown field", &[0xa2, 0x00, 0x01, 0x02, 0x01]),
            ("doubled key", &[0xa2, 0x00, 0x01, 0x00, 0x01]),
            ("unsorted keys", &[0xa2, 0x01, 0x61, 0x61, 0x00, 0x01]),
            ("indefinite map", &[0xbf, 0x00, 0x01, 0xff]),
            ("trailing byte", &[0xa1, 0x00, 0x01, 0x00]),
            ("explicit null", &[0xa2, 0x00, 0x01, 0x01, 0xf6]),
        ] {
            assert!(from_canonical::<Sample>(bytes).is_err(), "{case}");
        }
    }
}
