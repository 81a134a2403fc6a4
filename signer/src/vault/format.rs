//! The keystore file, byte by byte, as docs/keystore-format.md lays it out. Owns offsets and the
//! strict parser; knows no key and opens no file. Called by `seal` and `keystore`.

use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SignerId;

use super::cost::{KEK_BYTES, KdfLimit, KdfParams, KdfRequest, SALT_BYTES};

/// First bytes of every keystore.
pub(super) const MAGIC: [u8; 8] = *b"WAIAASKS";
/// The only version there is.
const VERSION: u16 = 1;
/// AES-256-GCM with HKDF-SHA256.
const SUITE: u16 = 1;
/// Slots of version 1: one password.
const SLOTS: u16 = 1;
/// Kind of a password slot.
const KIND_PASSWORD: u16 = 1;
/// Argon2id, version 0x13.
const KDF_ARGON2ID: u16 = 1;

/// Length of an AES-GCM nonce, bytes.
pub(super) const NONCE_BYTES: usize = 12;
/// Length of an AES-GCM tag, bytes.
pub(super) const TAG_BYTES: usize = 16;
/// Length of the data key, bytes.
pub(super) const DEK_BYTES: usize = KEK_BYTES;
/// Length of a slot's name, bytes.
pub(super) const SLOT_ID_BYTES: usize = 16;
/// Length of the key commitment, bytes.
pub(super) const COMMITMENT_BYTES: usize = 32;
/// Data key and tag.
pub(super) const WRAPPED_BYTES: usize = DEK_BYTES + TAG_BYTES;

/// Header before the first slot.
pub(super) const FIXED_BYTES: usize = 114;
/// A password slot without its wrapped key.
pub(super) const SLOT_FIELDS_BYTES: usize = 110;
/// A password slot.
const SLOT_BYTES: usize = SLOT_FIELDS_BYTES + WRAPPED_BYTES;
/// What a slot says about its own length: all after kind and length.
const SLOT_REST_BYTES: u16 = 154;
/// Everything before the body: the associated data of the body.
pub(super) const HEADER_BYTES: usize = FIXED_BYTES + SLOT_BYTES;
/// Seed entropy, log key, number of imported keys.
pub(super) const BODY_BYTES: usize = 32 + 32 + 2;
/// Body and tag.
pub(super) const SEALED_BODY_BYTES: usize = BODY_BYTES + TAG_BYTES;
/// The whole file, bytes.
pub const FILE_BYTES: usize = HEADER_BYTES + SEALED_BODY_BYTES;

const FILE_LENGTH: u32 = 354;
const SEALED_BODY_LENGTH: u32 = 82;

// The lengths that stand in the file are the lengths of the code.
const _: () = assert!(FILE_BYTES == 354 && SEALED_BODY_BYTES == 82 && SLOT_BYTES == 158);

/// Why bytes are not a keystore: a fault of structure, found before any password is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Not exactly as long as a keystore is: torn, truncated or extended.
    #[error("the file has {found} bytes instead of {FILE_BYTES}")]
    Length {
        /// Bytes seen.
        found: usize,
    },
    /// Does not begin as a keystore does.
    #[error("the file is not a keystore")]
    Magic,
    /// A version that this program does not know.
    #[error("keystore version {0} is unknown")]
    Version(u16),
    /// A cipher suite that this program does not know.
    #[error("keystore cipher suite {0} is unknown")]
    Suite(u16),
    /// A length field differs from the length it is about.
    #[error("a length field of the keystore is wrong")]
    LengthField,
    /// Not exactly one slot.
    #[error("a keystore of version 1 has one slot, not {0}")]
    SlotCount(u16),
    /// A kind of slot that this program does not know.
    #[error("key slot kind {0} is unknown")]
    SlotKind(u16),
    /// A KDF that this program does not know.
    #[error("KDF {0} is unknown")]
    Kdf(u16),
    /// A KDF cost outside of the limits.
    #[error(transparent)]
    Limit(#[from] KdfLimit),
    /// The body opened, but what it holds is not as version 1 lays it out.
    #[error("the content of the keystore is not consistent")]
    Body,
}

/// Who a keystore belongs to. Public, authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The signer.
    pub signer_id: SignerId,
    /// First link of the signer's log.
    pub genesis: Digest,
    /// Ed25519 key (RFC 8032) that signs the log's heads.
    pub log_public_key: [u8; 32],
}

impl Identity {
    /// Whose keystore these bytes claim to be: the strict parser and nothing else, for tools and
    /// fuzzing.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn of_file(file: &[u8]) -> Result<Self, FormatError> {
        Envelope::parse(file).map(|envelope| envelope.identity)
    }
}

/// A password slot without its wrapped key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotFields {
    pub(super) id: [u8; SLOT_ID_BYTES],
    pub(super) kdf: KdfRequest,
    pub(super) wrap_nonce: [u8; NONCE_BYTES],
    pub(super) commitment: [u8; COMMITMENT_BYTES],
}

/// A keystore taken apart. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) identity: Identity,
    pub(super) body_nonce: [u8; NONCE_BYTES],
    pub(super) slot: SlotFields,
    pub(super) wrapped: [u8; WRAPPED_BYTES],
    pub(super) body: [u8; SEALED_BODY_BYTES],
}

impl Envelope {
    /// Reads a whole file: every byte has one meaning, and none is left over.
    pub(super) fn parse(file: &[u8]) -> Result<Self, FormatError> {
        let length = FormatError::Length { found: file.len() };
        let mut reader = Reader { rest: file, length };
        if reader.array()? != MAGIC {
            return Err(FormatError::Magic);
        }
        expect(reader.u16()?, VERSION, FormatError::Version)?;
        expect(reader.u16()?, SUITE, FormatError::Suite)?;
        if file.len() != FILE_BYTES {
            return Err(length);
        }
        expect(reader.u32()?, FILE_LENGTH, |_| FormatError::LengthField)?;
        let identity = Identity {
            signer_id: SignerId::from_bytes(reader.array()?),
            genesis: Digest::from_bytes(reader.array()?),
            log_public_key: reader.array()?,
        };
        let body_nonce = reader.array()?;
        expect(reader.u32()?, SEALED_BODY_LENGTH, |_| {
            FormatError::LengthField
        })?;
        expect(reader.u16()?, SLOTS, FormatError::SlotCount)?;
        let slot = reader.slot()?;
        let envelope = Self {
            identity,
            body_nonce,
            slot,
            wrapped: reader.array()?,
            body: reader.array()?,
        };
        match reader.rest {
            [] => Ok(envelope),
            _ => Err(length),
        }
    }

    /// The file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut file = self.header();
        file.extend_from_slice(&self.body);
        file
    }

    /// All before the body: the body's associated data.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut header = slot_context(&self.identity, &self.body_nonce, &self.slot);
        header.reserve_exact(WRAPPED_BYTES + SEALED_BODY_BYTES);
        header.extend_from_slice(&self.wrapped);
        header
    }
}

/// The fixed header and a slot's fields: the associated data of that slot's wrapped key.
pub(super) fn slot_context(
    identity: &Identity,
    body_nonce: &[u8; NONCE_BYTES],
    slot: &SlotFields,
) -> Vec<u8> {
    let params = slot.kdf.params;
    let parts: [&[u8]; 19] = [
        &MAGIC,
        &VERSION.to_be_bytes(),
        &SUITE.to_be_bytes(),
        &FILE_LENGTH.to_be_bytes(),
        identity.signer_id.as_bytes(),
        identity.genesis.as_bytes(),
        &identity.log_public_key,
        body_nonce,
        &SEALED_BODY_LENGTH.to_be_bytes(),
        &SLOTS.to_be_bytes(),
        // The slot.
        &[KIND_PASSWORD.to_be_bytes(), SLOT_REST_BYTES.to_be_bytes()].concat(),
        &slot.id,
        &KDF_ARGON2ID.to_be_bytes(),
        &params.memory_kib().to_be_bytes(),
        &params.passes().to_be_bytes(),
        &params.lanes().to_be_bytes(),
        &slot.kdf.salt,
        &slot.wrap_nonce,
        &slot.commitment,
    ];
    parts.concat()
}

fn expect<T: PartialEq>(
    found: T,
    wanted: T,
    error: impl FnOnce(T) -> FormatError,
) -> Result<(), FormatError> {
    if found == wanted {
        Ok(())
    } else {
        Err(error(found))
    }
}

/// What is left to read. Integers are big endian.
struct Reader<'a> {
    rest: &'a [u8],
    length: FormatError,
}

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(self.length)?;
        self.rest = rest;
        Ok(*head)
    }

    fn u16(&mut self) -> Result<u16, FormatError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_be_bytes)
    }

    fn slot(&mut self) -> Result<SlotFields, FormatError> {
        expect(self.u16()?, KIND_PASSWORD, FormatError::SlotKind)?;
        expect(self.u16()?, SLOT_REST_BYTES, |_| FormatError::LengthField)?;
        let id = self.array()?;
        expect(self.u16()?, KDF_ARGON2ID, FormatError::Kdf)?;
        let params = KdfParams::new(self.u32()?, self.u32()?, self.u32()?)?;
        Ok(SlotFields {
            id,
            kdf: KdfRequest {
                params,
                salt: self.array::<SALT_BYTES>()?,
            },
            wrap_nonce: self.array()?,
            commitment: self.array()?,
        })
    }
}
