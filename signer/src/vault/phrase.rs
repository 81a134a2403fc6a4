//! The recovery phrase (BIP-39, English): entropy to words, words to entropy, entropy to seed, all
//! of it between locked buffers. No secret word or bit is put on the heap, so of the bip39 crate
//! only the word list serves. Called by `keystore` and `unlocked`.

use bip39::Language;
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::sys::memory::{LockedBytes, MemoryError, SecretArena, scrub_stack};

/// Entropy of a wallet, bytes: 24 words.
pub const ENTROPY_BYTES: usize = 32;
/// Words of a phrase.
pub const PHRASE_WORDS: usize = 24;
/// Room for any phrase: 24 words of at most eight letters and 23 spaces.
pub const PHRASE_MAX_BYTES: usize = 24 * 8 + 23;
/// The BIP-39 seed, bytes.
pub(super) const SEED_BYTES: usize = 64;

/// Bits in a word.
const WORD_BITS: u32 = 11;
/// BIP-39: 2048 rounds of PBKDF2-HMAC-SHA512.
const ROUNDS: u32 = 2048;
const SALT_PREFIX: &[u8] = b"mnemonic";

/// Why a phrase is not accepted. It does not say which word, and repeats none.
#[derive(Debug, thiserror::Error)]
pub enum PhraseError {
    /// Not 24 words with one space between, in small letters, and nothing else.
    #[error("a recovery phrase has 24 words with one space between them")]
    WordCount,
    /// A word that is not in the English list.
    #[error("a word is not in the English BIP-39 list")]
    UnknownWord,
    /// The last word does not fit the others: a word is wrong or in the wrong place.
    #[error("the checksum of the recovery phrase does not fit")]
    Checksum,
    /// The buffer for the phrase is too short.
    #[error("a recovery phrase needs a buffer of {PHRASE_MAX_BYTES} bytes")]
    Buffer,
    /// No room in locked memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// Reads a phrase of 24 words into the 32 bytes of entropy that it stands for.
///
/// # Errors
/// See [`PhraseError`]. Nothing is repaired: no other spacing, case or language is read.
pub fn parse_phrase(phrase: &LockedBytes, arena: &SecretArena) -> Result<LockedBytes, PhraseError> {
    let mut entropy = arena.take(ENTROPY_BYTES)?;
    let parsed = phrase.expose(|text| entropy.fill(|bytes| words_to_entropy(text, bytes)));
    scrub_stack();
    parsed?;
    Ok(entropy)
}

/// Writes the phrase of `entropy` to the front of `out`, zeros behind it; returns its length.
pub(super) fn write_phrase(
    entropy: &LockedBytes,
    out: &mut LockedBytes,
) -> Result<usize, PhraseError> {
    let written = entropy.expose(|bytes| out.fill(|text| entropy_to_words(bytes, text)));
    scrub_stack();
    written.ok_or(PhraseError::Buffer)
}

/// The BIP-39 seed of `entropy`, without a passphrase.
pub(super) fn seed_of(
    entropy: &LockedBytes,
    arena: &SecretArena,
) -> Result<LockedBytes, PhraseError> {
    let mut phrase = arena.take(PHRASE_MAX_BYTES)?;
    let length = write_phrase(entropy, &mut phrase)?;
    let mut seed = arena.take(SEED_BYTES)?;
    phrase.expose(|text| {
        let words = text.get(..length).unwrap_or_default();
        seed.fill(|out| words_to_seed(words, b"", out));
    });
    scrub_stack();
    Ok(seed)
}

/// PBKDF2 as BIP-39 has it; `passphrase` is for the published vectors, ours is empty.
#[inline(never)]
fn words_to_seed(words: &[u8], passphrase: &[u8], out: &mut [u8]) {
    let salt = [SALT_PREFIX, passphrase].concat();
    pbkdf2::pbkdf2_hmac::<Sha512>(words, &salt, ROUNDS, out);
}

/// First byte of SHA-256: its top bits, one for each 32 of entropy, end the last word.
fn checksum(entropy: &[u8]) -> u8 {
    let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(entropy)));
    let [first, ..] = *digest;
    first
}

/// `None` if `out` is too short.
#[inline(never)]
fn entropy_to_words(entropy: &[u8], out: &mut [u8]) -> Option<usize> {
    out.fill(0);
    let list = Language::English.word_list();
    let checksum = checksum(entropy);
    let words = entropy.len() / 4 * 3;
    let mut bytes = entropy.iter().chain(std::iter::once(&checksum));
    let (mut window, mut bits) = (Zeroizing::new(0_u32), 0);
    let mut length = 0;
    for place in 0..words {
        while bits < WORD_BITS {
            *window = (*window << 8) | u32::from(*bytes.next()?);
            bits += 8;
        }
        bits -= WORD_BITS;
        let index = usize::try_from((*window >> bits) & 0x7ff).ok()?;
        let word = list.get(index)?.as_bytes();
        let start = length + usize::from(place > 0);
        let end = start + word.len();
        if place > 0 {
            *out.get_mut(length)? = b' ';
        }
        out.get_mut(start..end)?.copy_from_slice(word);
        length = end;
    }
    Some(length)
}

/// The number of words follows from the length of `entropy`.
#[inline(never)]
fn words_to_entropy(text: &[u8], entropy: &mut [u8]) -> Result<(), PhraseError> {
    entropy.fill(0);
    let words = entropy.len() / 4 * 3;
    if text.split(|byte| *byte == b' ').count() != words {
        return Err(PhraseError::WordCount);
    }
    let list = Language::English.word_list();
    let (mut window, mut bits) = (Zeroizing::new(0_u32), 0);
    let mut places = entropy.iter_mut();
    for word in text.split(|byte| *byte == b' ') {
        let index = list
            .binary_search_by(|known| known.as_bytes().cmp(word))
            .map_err(|_| PhraseError::UnknownWord)?;
        let index = u32::try_from(index).map_err(|_| PhraseError::UnknownWord)?;
        *window = (*window << WORD_BITS) | index;
        bits += WORD_BITS;
        while bits >= 8 {
            let Some(place) = places.next() else { break };
            bits -= 8;
            let [.., byte] = (*window >> bits).to_be_bytes();
            *place = byte;
        }
    }
    // What is left over is the checksum: 4 bits for 12 words, 8 for 24.
    let expected = u32::from(checksum(entropy)) >> (8 - bits.min(8));
    if *window & ((1 << bits) - 1) == expected {
        Ok(())
    } else {
        entropy.fill(0);
        Err(PhraseError::Checksum)
    }
}

#[cfg(test)]
mod tests;
