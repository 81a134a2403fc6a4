//! The vault: the keystore file, the keys inside it while they are open, and the only code that
//! makes signatures. It decides nothing: what may be signed, when, and how often a password may be
//! tried is the authority's business. It opens no socket and reads no clock; randomness comes in.
//!
//! Life of a key: [`Keystore::load`] reads the file, [`kdf::derive`] (kdf thread) turns the password
//! into a key, [`Keystore::unlock`] gives [`Unlocked`], dropping that wipes everything.
#![forbid(unsafe_code)]

mod cost;
mod derive;
mod entropy;
mod file;
mod format;
pub mod kdf;
mod keystore;
mod phrase;
mod seal;
mod sign;
mod unlocked;

pub use derive::DerivationError;
pub use entropy::{Entropy, EntropyError, KernelEntropy};
pub use file::{FILE_NAME, FileError, KeystoreFolder, Step, TEMPORARY_NAME};
pub use format::{FILE_BYTES, FormatError, Identity};
pub use keystore::{Keystore, LoadError, NewKeystore, NewPassword, UnlockError, WriteError};
pub use phrase::{ENTROPY_BYTES, PHRASE_MAX_BYTES, PHRASE_WORDS, PhraseError, parse_phrase};
pub use sign::{PublicKey, RecoverableSignature, SignError};
pub use unlocked::{RegisterError, Unlocked};

#[cfg(test)]
mod residue;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
