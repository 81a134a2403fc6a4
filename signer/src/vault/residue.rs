//! F06: after unlock, signatures and lock, no key byte stands anywhere but in the arena. Scans the
//! test's own memory. The secrets are held masked, so that the search does not find itself.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use ed25519_dalek::hazmat::ExpandedSecretKey;
use sha2::{Digest as _, Sha512};
use waiaas_shared::caip::Family;
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SignerId;
use waiaas_shared::keys::KeyPath;

use crate::sys::memory::{LockedBytes, SecretArena, scrub_stack};

use super::format::Envelope;
use super::kdf::derive;
use super::*;

const MASK: u8 = 0xa5;
/// Fewer bytes than this would be found by chance.
const NEEDLE: usize = 12;

/// Larger mappings are the KDF's working memory in tests beside this one; ours takes 8 KiB.
const LARGEST: u64 = 64 << 20;

/// What is looked for, masked, with a name.
#[derive(Default)]
struct Needles(Vec<(&'static str, [u8; NEEDLE])>);

impl Needles {
    /// Both ends and the middle of a secret.
    #[inline(never)]
    fn add(&mut self, name: &'static str, secret: &LockedBytes) {
        let length = secret.len();
        for start in [0, (length - NEEDLE) / 2, length - NEEDLE] {
            let mut needle = [0; NEEDLE];
            secret.expose(|bytes| {
                for (to, from) in needle.iter_mut().zip(&bytes[start..]) {
                    *to = std::hint::black_box(*from) ^ MASK;
                }
            });
            self.0.push((name, needle));
            // Numbers stand in memory with the last byte first.
            needle.reverse();
            self.0.push((name, needle));
        }
        scrub_stack();
    }

    /// Names of the secrets that stand in `memory`.
    fn found_in(&self, memory: &[u8], found: &mut Vec<&'static str>) {
        let mut first = vec![false; 1 << 16];
        for (_, needle) in &self.0 {
            first[usize::from(needle[0]) << 8 | usize::from(needle[1])] = true;
        }
        for window in memory.windows(NEEDLE) {
            let key = usize::from(window[0] ^ MASK) << 8 | usize::from(window[1] ^ MASK);
            if !first[key] {
                continue;
            }
            let same = |needle: &[u8; NEEDLE]| {
                needle
                    .iter()
                    .zip(window)
                    .all(|(needle, byte)| *needle == byte ^ MASK)
            };
            found.extend(
                self.0
                    .iter()
                    .filter(|(_, needle)| same(needle))
                    .map(|(name, _)| *name),
            );
        }
    }
}

/// Searches every writable mapping but the one that holds `within`.
fn scan(needles: &Needles, within: usize) -> Vec<&'static str> {
    let memory = File::open("/proc/self/mem").unwrap();
    let mut found = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    for line in std::fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let mut fields = line.split(' ');
        let (start, end) = fields.next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        let writable = fields.next().unwrap().starts_with("rw");
        let within = u64::try_from(within).unwrap();
        if !writable || (start..end).contains(&within) || end - start > LARGEST {
            continue;
        }
        let mut place = start;
        while place < end {
            let wanted = usize::try_from(end - place).unwrap().min(buffer.len());
            let Ok(read) = memory.read_at(&mut buffer[..wanted], place) else {
                break;
            };
            needles.found_in(&buffer[..read], &mut found);
            if read == 0 || place + u64::try_from(read).unwrap() >= end {
                break;
            }
            place += u64::try_from(read - NEEDLE.min(read - 1)).unwrap();
        }
    }
    found
}

/// A password nobody knows: drawn straight into locked memory.
#[inline(never)]
fn password(arena: &SecretArena) -> LockedBytes {
    let mut password = arena.take(32).unwrap();
    password.fill(|bytes| KernelEntropy.fill(bytes).unwrap());
    password
}

/// The form in which an Ed25519 scalar is computed with.
#[inline(never)]
fn reduced_scalar(seed: &LockedBytes, arena: &SecretArena) -> LockedBytes {
    let mut scalar = arena.take(32).unwrap();
    seed.expose(|seed| {
        let digest = zeroize::Zeroizing::new(<[u8; 64]>::from(Sha512::digest(seed)));
        let expanded = ExpandedSecretKey::from_bytes(&digest);
        scalar.fill(|to| to.copy_from_slice(expanded.scalar.as_bytes()));
    });
    scalar
}

/// A keystore, and every secret that it can lead to.
struct Rig {
    arena: SecretArena,
    state: tempfile::TempDir,
    password: LockedBytes,
    kek: LockedBytes,
    phrase: LockedBytes,
    keystore: Keystore,
    needles: Needles,
}

const PATHS: [KeyPath; 2] = [
    KeyPath {
        family: Family::Solana,
        index: 3,
    },
    KeyPath {
        family: Family::Evm,
        index: 3,
    },
];

impl Rig {
    fn new() -> Self {
        let arena = SecretArena::new(64 * 1024).unwrap();
        let state = tempfile::tempdir().unwrap();
        let password = password(&arena);
        let id = SignerId::from_bytes([9; 16]);
        let new = NewKeystore::generate(id, &arena, &mut KernelEntropy).unwrap();
        let new = new.with_weak_kdf();
        let kek = derive(&password, &new.kdf_request(), &arena).unwrap();
        let folder = KeystoreFolder::open(state.path()).unwrap();
        let genesis = Digest::from_bytes([8; 32]);
        let source = &mut KernelEntropy;
        let (keystore, mut unlocked) = new.write(folder, genesis, &kek, &arena, source).unwrap();

        let mut needles = Needles::default();
        needles.add("password", &password);
        needles.add("kek", &kek);
        for path in PATHS {
            unlocked.register(path).unwrap();
            let key = unlocked.derive(path);
            needles.add("derived key", &key);
            if path.family == Family::Solana {
                needles.add("reduced scalar", &reduced_scalar(&key, &arena));
            }
        }
        unlocked.needles(&mut |name, secret| needles.add(name, secret));
        let file = std::fs::read(state.path().join(FILE_NAME)).unwrap();
        let envelope = Envelope::parse(&file).unwrap();
        let body = seal::open(&envelope, &kek, &arena).unwrap();
        let mut log_seed = arena.take(32).unwrap();
        body.expose(|from| log_seed.fill(|to| to.copy_from_slice(&from[32..64])));
        needles.add("log seed", &log_seed);

        let mut room = arena.take(PHRASE_MAX_BYTES).unwrap();
        let length = unlocked.copy_phrase(&mut room).unwrap();
        let mut phrase = arena.take(length).unwrap();
        room.expose(|from| phrase.fill(|to| to.copy_from_slice(&from[..length])));
        needles.add("phrase", &phrase);
        assert_eq!(needles.0.len(), 6 * 12);
        Self {
            arena,
            state,
            password,
            kek,
            phrase,
            keystore,
            needles,
        }
    }

    /// What stands outside of the arena now. Nothing scrubs the stack before the scan but the
    /// operation itself.
    fn found(&self) -> Vec<&'static str> {
        let within = self.kek.expose(|bytes| bytes.as_ptr().addr());
        scan(&self.needles, within)
    }

    fn assert_clean(&self, after: &str) {
        assert_eq!(self.found(), Vec::<&str>::new(), "after {after}");
    }
}

#[test]
fn no_key_byte_stands_outside_of_the_arena() {
    let mut rig = Rig::new();
    rig.assert_clean("creation");
    derive(&rig.password, &rig.keystore.kdf_request(), &rig.arena).unwrap();
    rig.assert_clean("the KDF");
    parse_phrase(&rig.phrase, &rig.arena).unwrap();
    rig.assert_clean("reading a phrase");
    rig.keystore
        .rewrite(&rig.kek, &rig.arena, &mut KernelEntropy)
        .unwrap();
    rig.assert_clean("a write");
    rig.keystore.is_key(&rig.kek, &rig.arena).unwrap();
    rig.assert_clean("a check of the password");

    let mut unlocked = rig.keystore.unlock(&rig.kek, &rig.arena).unwrap();
    rig.assert_clean("unlock");
    for path in PATHS {
        unlocked.register(path).unwrap();
        rig.assert_clean("derivation");
    }
    let mut digest = [1_u8; 32];
    for _ in 0..1000 {
        digest[0] = digest[0].wrapping_add(1);
        unlocked.sign_ed25519(PATHS[0], &digest).unwrap();
    }
    rig.assert_clean("Ed25519 signatures");
    for _ in 0..1000 {
        digest[0] = digest[0].wrapping_add(1);
        unlocked.sign_secp256k1(PATHS[1], &digest).unwrap();
    }
    rig.assert_clean("secp256k1 signatures");
    unlocked.sign_note(&digest).unwrap();
    rig.assert_clean("a signed head");
    let mut room = rig.arena.take(PHRASE_MAX_BYTES).unwrap();
    unlocked.copy_phrase(&mut room).unwrap();
    rig.assert_clean("writing a phrase");
    drop(unlocked);
    rig.assert_clean("lock");
    assert!(rig.state.path().exists());
}

/// The scan is able to see.
#[test]
fn a_copy_outside_of_the_arena_is_found() {
    let rig = Rig::new();
    let copy = std::hint::black_box(rig.kek.expose(<[u8]>::to_vec));
    let found = rig.found();
    assert!(found.contains(&"kek"), "{found:?}");
    assert!(!found.contains(&"entropy"), "{found:?}");
    drop(copy);
}
