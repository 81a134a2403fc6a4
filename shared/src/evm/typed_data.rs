//! Hashing of structures as EIP-712 says it, for types that are compiled in: a structure is its type's text and
//! one word for each field. Reads no description of types and takes no digest from a caller. Called by
//! `authorization`, whose types are the only ones that a key signs.

use super::keccak256;
use crate::address::EvmAddress;

/// 32 bytes: a field as it is hashed, or a hash.
pub(crate) type Word = [u8; 32];

/// A field of type `string` or `bytes`.
pub(crate) fn bytes(bytes: &[u8]) -> Word {
    keccak256(bytes)
}

/// A field of type `uint256`.
pub(crate) fn number(number: u128) -> Word {
    let mut word = [0; 32];
    let (_, low) = word.split_at_mut(16);
    low.copy_from_slice(&number.to_be_bytes());
    word
}

/// A field of type `address`.
pub(crate) fn address(address: EvmAddress) -> Word {
    let mut word = [0; 32];
    let (_, low) = word.split_at_mut(12);
    low.copy_from_slice(address.as_bytes());
    word
}

/// `hashStruct`: the type's text, as `encodeType` writes it, then every field in its order.
pub(crate) fn hash_struct(type_text: &str, fields: &[Word]) -> Word {
    let type_hash = keccak256(type_text.as_bytes());
    let words = std::iter::once(&type_hash).chain(fields);
    keccak256(&words.flatten().copied().collect::<Vec<u8>>())
}

/// What a key signs the Keccak-256 hash of: the prefix of EIP-191 version 1, the domain, the structure.
pub(crate) fn signed_bytes(domain: Word, structure: Word) -> Vec<u8> {
    [&[0x19, 0x01][..], &domain, &structure].concat()
}
