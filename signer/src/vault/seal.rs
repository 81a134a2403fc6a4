//! Encrypts and opens the content of a keystore. Owns the data key for the length of a call, its
//! wrapping under a slot's key, and the key commitment; never reads a file and never asks for a
//! password. Called by `keystore`.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::sys::memory::{LockedBytes, MemoryError, SecretArena, scrub_stack};

use super::entropy::{Entropy, EntropyError, draw, draw_array};
use super::format::{
    BODY_BYTES, COMMITMENT_BYTES, DEK_BYTES, Envelope, Identity, NONCE_BYTES, SLOT_ID_BYTES,
    SlotFields, TAG_BYTES, slot_context,
};
use super::kdf::{KEK_BYTES, KdfRequest};

/// HKDF labels (RFC 5869 `info`), each followed by the slot's id and the wrap nonce.
const COMMIT_LABEL: &[u8] = b"waiaas/v1/keystore/commit";
const WRAP_LABEL: &[u8] = b"waiaas/v1/keystore/wrap";

/// Why a keystore could not be sealed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A cryptographic routine refused lengths that are constants here, or the sealed file did not
    /// open again: a fault of program or machine.
    #[error("the keystore could not be encrypted")]
    Fault,
}

/// Why a keystore did not open.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// Another password, or any byte that is not as it was sealed. One answer for all of them.
    #[error("wrong password, or the keystore was altered")]
    WrongPassword,
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// What makes a slot: its name and where its key comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotPlan {
    pub(super) id: [u8; SLOT_ID_BYTES],
    pub(super) kdf: KdfRequest,
}

/// Encrypts `body` under a fresh data key, and that under `kek`. Every call draws a new data key
/// and new nonces. The result was opened again and compared before it is returned.
pub(super) fn seal(
    body: &LockedBytes,
    identity: Identity,
    plan: SlotPlan,
    kek: &LockedBytes,
    arena: &SecretArena,
    entropy: &mut dyn Entropy,
) -> Result<Envelope, SealError> {
    let sealed = encrypt(body, identity, plan, kek, arena, entropy);
    scrub_stack();
    let envelope = sealed?;
    let opened = open(&envelope, kek, arena).map_err(|error| match error {
        OpenError::WrongPassword => SealError::Fault,
        OpenError::Memory(memory) => SealError::Memory(memory),
    })?;
    if body.expose(|content| opened.matches(content)) {
        Ok(envelope)
    } else {
        Err(SealError::Fault)
    }
}

/// Decrypts the body. The commitment is compared before anything is decrypted: AES-GCM alone would
/// let one file answer for many passwords at once.
pub(super) fn open(
    envelope: &Envelope,
    kek: &LockedBytes,
    arena: &SecretArena,
) -> Result<LockedBytes, OpenError> {
    let opened = decrypt(envelope, kek, arena);
    scrub_stack();
    opened
}

/// Whether `kek` is the key of the file's slot; decrypts nothing.
pub(super) fn is_key_of(
    envelope: &Envelope,
    kek: &LockedBytes,
    arena: &SecretArena,
) -> Result<bool, MemoryError> {
    let keys = slot_keys(&envelope.slot, kek, arena);
    scrub_stack();
    Ok(commits(&keys?, envelope))
}

#[inline(never)]
fn encrypt(
    body: &LockedBytes,
    identity: Identity,
    plan: SlotPlan,
    kek: &LockedBytes,
    arena: &SecretArena,
    entropy: &mut dyn Entropy,
) -> Result<Envelope, SealError> {
    let mut dek = arena.take(DEK_BYTES)?;
    dek.fill(|bytes| draw(entropy, bytes))?;
    let body_nonce = draw_array(entropy)?;
    let mut slot = SlotFields {
        id: plan.id,
        kdf: plan.kdf,
        wrap_nonce: draw_array(entropy)?,
        commitment: [0; COMMITMENT_BYTES],
    };
    let keys = slot_keys(&slot, kek, arena)?;
    slot.commitment = keys.commitment;
    let context = slot_context(&identity, &body_nonce, &slot);
    let wrapped = encrypt_copy(&keys.wrap, &slot.wrap_nonce, &context, &dek, arena)?;
    let mut envelope = Envelope {
        identity,
        body_nonce,
        slot,
        wrapped,
        body: [0; BODY_BYTES + TAG_BYTES],
    };
    envelope.body = encrypt_copy(&dek, &body_nonce, &envelope.header(), body, arena)?;
    Ok(envelope)
}

#[inline(never)]
fn decrypt(
    envelope: &Envelope,
    kek: &LockedBytes,
    arena: &SecretArena,
) -> Result<LockedBytes, OpenError> {
    let slot = &envelope.slot;
    let keys = slot_keys(slot, kek, arena)?;
    if !commits(&keys, envelope) {
        return Err(OpenError::WrongPassword);
    }
    let context = slot_context(&envelope.identity, &envelope.body_nonce, slot);
    let dek = decrypt_copy(
        &keys.wrap,
        &slot.wrap_nonce,
        &context,
        &envelope.wrapped,
        arena,
    )?;
    decrypt_copy(
        &dek,
        &envelope.body_nonce,
        &envelope.header(),
        &envelope.body,
        arena,
    )
}

/// What a slot's key gives.
struct SlotKeys {
    commitment: [u8; COMMITMENT_BYTES],
    wrap: LockedBytes,
}

/// HKDF-SHA256 of the KDF's output: the salt is the slot's salt; the label is followed by slot id
/// and wrap nonce, so each write has a wrapping key of its own.
#[inline(never)]
fn slot_keys(
    slot: &SlotFields,
    kek: &LockedBytes,
    arena: &SecretArena,
) -> Result<SlotKeys, MemoryError> {
    let mut commitment = [0; COMMITMENT_BYTES];
    let mut wrap = arena.take(KEK_BYTES)?;
    let hkdf = kek.expose(|key| Hkdf::<Sha256>::new(Some(&slot.kdf.salt), key));
    let expand = |label: &[u8], out: &mut [u8]| {
        hkdf.expand_multi_info(&[label, &slot.id, &slot.wrap_nonce], out)
            .expect("HKDF-SHA256 gives up to 8160 bytes and both outputs have 32");
    };
    expand(COMMIT_LABEL, &mut commitment);
    wrap.fill(|key| expand(WRAP_LABEL, key));
    Ok(SlotKeys { commitment, wrap })
}

fn commits(keys: &SlotKeys, envelope: &Envelope) -> bool {
    bool::from(keys.commitment.ct_eq(&envelope.slot.commitment))
}

fn cipher(key: &LockedBytes) -> Option<Aes256Gcm> {
    key.expose(|bytes| Aes256Gcm::new_from_slice(bytes).ok())
}

/// Encrypts a copy of `plain` in locked memory; only ciphertext and tag leave it.
fn encrypt_copy<const N: usize>(
    key: &LockedBytes,
    nonce: &[u8; NONCE_BYTES],
    context: &[u8],
    plain: &LockedBytes,
    arena: &SecretArena,
) -> Result<[u8; N], SealError> {
    let cipher = cipher(key).ok_or(SealError::Fault)?;
    let mut copy = arena.take(plain.len())?;
    let tag = copy
        .fill(|to| {
            plain.expose(|from| to.copy_from_slice(from));
            cipher.encrypt_inout_detached(&Nonce::from(*nonce), context, to.into())
        })
        .map_err(|_| SealError::Fault)?;
    let mut out = [0; N];
    let (text, tail) = out
        .split_at_mut_checked(copy.len())
        .filter(|(_, tail)| tail.len() == TAG_BYTES)
        .ok_or(SealError::Fault)?;
    copy.expose(|from| text.copy_from_slice(from));
    tail.copy_from_slice(&tag);
    Ok(out)
}

fn decrypt_copy(
    key: &LockedBytes,
    nonce: &[u8; NONCE_BYTES],
    context: &[u8],
    sealed: &[u8],
    arena: &SecretArena,
) -> Result<LockedBytes, OpenError> {
    let (text, tag) = sealed
        .split_last_chunk::<TAG_BYTES>()
        .ok_or(OpenError::WrongPassword)?;
    let cipher = cipher(key).ok_or(OpenError::WrongPassword)?;
    let mut plain = arena.take(text.len())?;
    plain
        .fill(|to| {
            to.copy_from_slice(text);
            cipher.decrypt_inout_detached(
                &Nonce::from(*nonce),
                context,
                to.into(),
                &Tag::from(*tag),
            )
        })
        .map_err(|_| OpenError::WrongPassword)?;
    Ok(plain)
}
