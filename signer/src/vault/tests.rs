//! The keystore under attack: every byte, every length, every failing step.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use waiaas_shared::caip::Family;
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SignerId;
use waiaas_shared::keys::KeyPath;

use crate::sys::memory::{LockedBytes, SecretArena};

use super::format::{Envelope, HEADER_BYTES};
use super::kdf::{KdfLimit, KdfParams, derive};
use super::testing::{Repeating, arena, create, locked};
use super::*;

const SOLANA: KeyPath = KeyPath {
    family: Family::Solana,
    index: 0,
};
const EVM: KeyPath = KeyPath {
    family: Family::Evm,
    index: 0,
};

/// A state folder with a keystore in it.
struct Rig {
    state: tempfile::TempDir,
    arena: SecretArena,
    entropy: Repeating,
    keystore: Keystore,
    unlocked: Unlocked,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let state = tempfile::tempdir().unwrap();
        let arena = arena();
        let mut entropy = Repeating::new(seed);
        let (keystore, unlocked) = create(state.path(), b"first", &arena, &mut entropy);
        Self {
            state,
            arena,
            entropy,
            keystore,
            unlocked,
        }
    }

    fn file(&self) -> Vec<u8> {
        fs::read(self.state.path().join(FILE_NAME)).unwrap()
    }

    fn put(&self, bytes: &[u8]) {
        fs::write(self.state.path().join(FILE_NAME), bytes).unwrap();
    }

    fn load(&self) -> Result<Keystore, LoadError> {
        load(self.state.path())
    }

    fn kek(&self, password: &[u8]) -> LockedBytes {
        kek(&self.keystore, password, &self.arena)
    }

    fn change(&mut self, old: &[u8], new: &[u8]) -> Result<(), WriteError> {
        let password = self.keystore.new_password(&mut self.entropy).unwrap();
        let password = password.with_weak_kdf();
        let request = password.kdf_request();
        let old = self.kek(old);
        let new = derive(&locked(&self.arena, new), &request, &self.arena).unwrap();
        self.keystore
            .change_password(&old, password, &new, &self.arena, &mut self.entropy)
    }

    /// The address that identifies the seed.
    fn address(&mut self) -> String {
        self.unlocked
            .register(SOLANA)
            .unwrap()
            .account()
            .to_string()
    }
}

fn load(path: &Path) -> Result<Keystore, LoadError> {
    Keystore::load(KeystoreFolder::open(path).unwrap())
}

fn kek(keystore: &Keystore, password: &[u8], arena: &SecretArena) -> LockedBytes {
    derive(&locked(arena, password), &keystore.kdf_request(), arena).unwrap()
}

fn opens(path: &Path, password: &[u8]) -> Option<String> {
    let arena = arena();
    let keystore = load(path).ok()?;
    let mut unlocked = keystore
        .unlock(&kek(&keystore, password, &arena), &arena)
        .ok()?;
    Some(unlocked.register(SOLANA).unwrap().account().to_string())
}

#[test]
fn created_loaded_unlocked() {
    let mut rig = Rig::new(1);
    let address = rig.address();
    let loaded = rig.load().unwrap();
    assert_eq!(loaded.identity(), rig.keystore.identity());
    assert_eq!(loaded.identity().signer_id, SignerId::from_bytes([9; 16]));
    let mut again = loaded.unlock(&rig.kek(b"first"), &rig.arena).unwrap();
    assert_eq!(again.log_public_key(), loaded.identity().log_public_key);
    assert_eq!(
        again.register(SOLANA).unwrap().account().to_string(),
        address
    );
    assert_eq!(again.sign_note(b"note"), rig.unlocked.sign_note(b"note"));
    assert!(loaded.is_key(&rig.kek(b"first"), &rig.arena).unwrap());
    assert!(!loaded.is_key(&rig.kek(b"other"), &rig.arena).unwrap());
    assert!(matches!(
        loaded.unlock(&rig.kek(b"other"), &rig.arena),
        Err(UnlockError::WrongPassword)
    ));
}

/// The attacker is given the right key, so only authentication can catch the change.
#[test]
fn every_changed_bit_of_the_file_is_refused() {
    let rig = Rig::new(2);
    let kek = rig.kek(b"first");
    let file = rig.file();
    assert_eq!(file.len(), FILE_BYTES);
    for place in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[place] ^= 1 << bit;
            // Fields that name structure or cost: refused before any password.
            let structural = matches!(place, 0..16 | 108..118 | 134..148);
            match Envelope::parse(&changed) {
                Err(_) => assert!(structural, "byte {place}"),
                Ok(envelope) => {
                    assert!(!structural, "byte {place}");
                    assert!(matches!(
                        seal::open(&envelope, &kek, &rig.arena),
                        Err(seal::OpenError::WrongPassword)
                    ));
                }
            }
        }
    }
}

#[test]
fn costs_within_the_limits_are_authenticated_too() {
    let rig = Rig::new(3);
    let mut envelope = Envelope::parse(&rig.file()).unwrap();
    let kek = rig.kek(b"first");
    assert!(seal::open(&envelope, &kek, &rig.arena).is_ok());
    for (memory, passes, lanes) in [(262_144, 3, 1), (262_145, 3, 1), (4_194_304, 16, 4)] {
        envelope.slot.kdf.params = KdfParams::new(memory, passes, lanes).unwrap();
        assert!(seal::open(&envelope, &kek, &rig.arena).is_err());
    }
}

#[test]
fn a_hostile_cost_is_refused_at_loading() {
    let rig = Rig::new(4);
    let original = rig.file();
    for (offset, value, wanted) in [
        (136, 64 << 20, KdfLimit::Memory(64 << 20)),
        (136, u32::MAX, KdfLimit::Memory(u32::MAX)),
        (136, 0, KdfLimit::Memory(0)),
        (140, 1000, KdfLimit::Memory(8)),
        (144, 255, KdfLimit::Memory(8)),
    ] {
        let mut file = original.clone();
        file[offset..offset + 4].copy_from_slice(&u32::to_be_bytes(value));
        rig.put(&file);
        match rig.load() {
            Err(LoadError::Malformed(FormatError::Limit(limit))) => assert_eq!(limit, wanted),
            other => panic!("{other:?}"),
        }
    }
}

/// D09: whatever length survives, the file is refused, and nothing takes its place.
#[test]
fn a_torn_file_never_becomes_a_new_key() {
    let rig = Rig::new(5);
    let file = rig.file();
    for length in (0..file.len()).chain([file.len() + 1, file.len() + 4096]) {
        let mut torn = file.clone();
        torn.resize(length, 0);
        rig.put(&torn);
        assert!(
            matches!(rig.load(), Err(LoadError::Malformed(_))),
            "{length} bytes"
        );
        let source = &mut Repeating::new(99);
        let id = SignerId::from_bytes([7; 16]);
        let new = NewKeystore::generate(id, &rig.arena, source).unwrap();
        let folder = KeystoreFolder::open(rig.state.path()).unwrap();
        let genesis = Digest::from_bytes([0; 32]);
        let written = new.write(folder, genesis, &rig.kek(b"first"), &rig.arena, source);
        assert!(matches!(
            written.err(),
            Some(WriteError::File(FileError::Exists))
        ));
        assert_eq!(rig.file(), torn);
    }
    // A file whose end was lost but whose length was not.
    for end in 0..file.len() {
        let mut torn = file.clone();
        torn[end..].fill(0);
        rig.put(&torn);
        assert_eq!(opens(rig.state.path(), b"first"), None, "{end}");
    }
}

/// D04: blobs do not move between files, not even between writes of one keystore.
#[test]
fn parts_of_two_files_do_not_mix() {
    let mut rig = Rig::new(6);
    let mut files = vec![rig.file(), Rig::new(7).file()];
    let kek = rig.kek(b"first");
    rig.keystore
        .rewrite(&kek, &rig.arena, &mut rig.entropy)
        .unwrap();
    files.push(rig.file());
    // Identity; body nonce; slot; wrapped key; body.
    let cuts = [
        16,
        96,
        108,
        118,
        148,
        180,
        192,
        224,
        HEADER_BYTES,
        FILE_BYTES,
    ];
    for base in 0..files.len() {
        for donor in 0..files.len() {
            for window in cuts.windows(2) {
                let mut mixed = files[base].clone();
                mixed[window[0]..window[1]].copy_from_slice(&files[donor][window[0]..window[1]]);
                if files.contains(&mixed) {
                    continue;
                }
                let envelope = Envelope::parse(&mixed).unwrap();
                assert!(seal::open(&envelope, &kek, &rig.arena).is_err());
            }
        }
    }
}

/// D03: one data key, body nonce and wrap nonce for each write.
#[test]
fn a_thousand_writes_share_nothing() {
    let mut rig = Rig::new(8);
    let kek = rig.kek(b"first");
    let mut seen: [HashSet<Vec<u8>>; 4] = std::array::from_fn(|_| HashSet::new());
    for _ in 0..1000 {
        rig.keystore
            .rewrite(&kek, &rig.arena, &mut KernelEntropy)
            .unwrap();
        let envelope = Envelope::parse(&rig.file()).unwrap();
        let parts: [&[u8]; 4] = [
            &envelope.body_nonce,
            &envelope.slot.wrap_nonce,
            &envelope.wrapped,
            &envelope.body,
        ];
        for (seen, part) in seen.iter_mut().zip(parts) {
            assert!(seen.insert(part.to_vec()));
        }
    }
    assert_eq!(opens(rig.state.path(), b"first").unwrap(), rig.address());
}

/// D08: the new password opens the new file alone, the old one the old file alone.
#[test]
fn a_password_change_re_encrypts() {
    let mut rig = Rig::new(9);
    let address = rig.address();
    let old = rig.file();
    assert!(matches!(
        rig.change(b"wrong", b"second"),
        Err(WriteError::WrongPassword)
    ));
    assert_eq!(rig.file(), old);
    rig.change(b"first", b"second").unwrap();

    let new = rig.file();
    let [before, after] = [&old, &new].map(|file| Envelope::parse(file).unwrap());
    assert_eq!(before.identity, after.identity);
    assert_ne!(before.slot.id, after.slot.id);
    assert_ne!(before.slot.kdf.salt, after.slot.kdf.salt);
    assert_ne!(before.slot.commitment, after.slot.commitment);
    assert_ne!(before.body, after.body);

    assert_eq!(opens(rig.state.path(), b"second"), Some(address.clone()));
    assert_eq!(opens(rig.state.path(), b"first"), None);
    rig.put(&old);
    assert_eq!(opens(rig.state.path(), b"second"), None);
    assert_eq!(opens(rig.state.path(), b"first"), Some(address));
}

/// F05: whichever draw fails, nothing is made and nothing is written.
#[test]
fn a_failing_source_refuses_every_operation() {
    let rig = Rig::new(10);
    let draws = rig.entropy.calls();
    assert_eq!(draws, 7);
    for failing in 0..draws {
        let state = tempfile::tempdir().unwrap();
        let mut source = Repeating::new(10);
        source.fails_at = Some(failing);
        let id = SignerId::from_bytes([9; 16]);
        let result = NewKeystore::generate(id, &rig.arena, &mut source).and_then(|new| {
            let folder = KeystoreFolder::open(state.path()).unwrap();
            let genesis = Digest::from_bytes([8; 32]);
            new.write(folder, genesis, &rig.kek(b"first"), &rig.arena, &mut source)
        });
        assert!(
            matches!(result.err(), Some(WriteError::Entropy(_))),
            "{failing}"
        );
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
    }

    let mut rig = Rig::new(11);
    let before = rig.file();
    let kek = rig.kek(b"first");
    for failing in 0..3 {
        rig.entropy.fails_at = Some(rig.entropy.calls() + failing);
        let result = rig.keystore.rewrite(&kek, &rig.arena, &mut rig.entropy);
        assert!(matches!(result, Err(WriteError::Entropy(_))));
        assert_eq!(rig.file(), before);
        rig.entropy.fails_at = None;
    }
}

/// F01, D09: each step fails once; the old or the new keystore is there, whole.
#[test]
fn every_failing_step_leaves_a_whole_keystore() {
    for (step, renamed) in [
        (Step::RemoveTemporary, false),
        (Step::CreateTemporary, false),
        (Step::Write, false),
        (Step::SyncFile, false),
        (Step::Open, false),
        (Step::ReadTemporary, false),
        (Step::Rename, false),
        (Step::SyncFolder, true),
        (Step::ReadBack, true),
    ] {
        let mut rig = Rig::new(12);
        let address = rig.address();
        let before = rig.file();
        rig.keystore.folder().fail_at.set(Some(step));
        let error = rig.change(b"first", b"second").unwrap_err();
        match error {
            WriteError::File(FileError::System { step: failed, .. }) => {
                assert_eq!((failed, renamed), (step, false));
                assert_eq!(rig.file(), before);
                assert!(!rig.state.path().join(TEMPORARY_NAME).exists());
            }
            WriteError::File(FileError::Unknown { step: failed, .. }) => {
                assert_eq!((failed, renamed), (step, true));
                assert_ne!(rig.file(), before);
            }
            other => panic!("{other:?}"),
        }
        let expected: &[u8] = if renamed { b"second" } else { b"first" };
        assert_eq!(opens(rig.state.path(), expected), Some(address));
    }
}

#[test]
fn what_an_earlier_crash_left_is_replaced() {
    let mut rig = Rig::new(13);
    let temporary = rig.state.path().join(TEMPORARY_NAME);
    fs::write(&temporary, b"half").unwrap();
    rig.change(b"first", b"second").unwrap();
    assert!(!temporary.exists());
    // A link in its place is removed, not followed.
    let bait = rig.state.path().join("bait");
    fs::write(&bait, b"untouched").unwrap();
    std::os::unix::fs::symlink(&bait, &temporary).unwrap();
    rig.change(b"second", b"third").unwrap();
    assert_eq!(fs::read(&bait).unwrap(), b"untouched");
    assert!(opens(rig.state.path(), b"third").is_some());
}

#[test]
fn loose_permissions_refuse_loading() {
    let rig = Rig::new(14);
    let path = rig.state.path().join(FILE_NAME);
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    for loose in [0o640, 0o604, 0o660, 0o644, 0o700, 0o400, 0o4600] {
        mode(loose);
        match rig.load() {
            Err(LoadError::File(FileError::Mode { mode })) => assert_eq!(mode, loose),
            other => panic!("{other:?}"),
        }
    }
    mode(0o600);
    rig.load().unwrap();

    let real = rig.state.path().join("elsewhere");
    fs::rename(&path, &real).unwrap();
    assert!(matches!(
        rig.load(),
        Err(LoadError::File(FileError::Missing))
    ));
    std::os::unix::fs::symlink(&real, &path).unwrap();
    assert!(matches!(
        rig.load(),
        Err(LoadError::File(FileError::System {
            step: Step::Open,
            ..
        }))
    ));
    assert!(
        KeystoreFolder::open(rig.state.path())
            .unwrap()
            .is_taken()
            .unwrap()
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(
        rig.load(),
        Err(LoadError::File(FileError::NotAFile))
    ));
}

#[test]
fn somebody_elses_file_refuses_loading() {
    let rig = Rig::new(19);
    let path = rig.state.path().join(FILE_NAME);
    let mine = fs::metadata(&path).unwrap().uid();
    let stranger = mine + 1;
    match std::os::unix::fs::chown(&path, Some(stranger), None) {
        Ok(()) => match rig.load() {
            Err(LoadError::File(FileError::Owner { found, expected })) => {
                assert_eq!((found, expected), (stranger, mine));
            }
            other => panic!("{other:?}"),
        },
        // Only root can give a file away; then whoever is not root cannot be given one either.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
    }
}

#[test]
fn paths_and_curves_are_kept_apart() {
    let mut rig = Rig::new(15);
    assert_eq!(
        rig.unlocked.sign_ed25519(SOLANA, b"m"),
        Err(SignError::UnknownKey)
    );
    assert_eq!(rig.unlocked.public_key(SOLANA), None);
    let solana = rig.unlocked.register(SOLANA).unwrap();
    let evm = rig.unlocked.register(EVM).unwrap();
    assert_eq!(rig.unlocked.register(SOLANA).unwrap(), solana);
    assert_eq!(rig.unlocked.public_key(EVM), Some(evm));
    assert_eq!(
        rig.unlocked.sign_ed25519(EVM, b"m"),
        Err(SignError::WrongCurve)
    );
    assert_eq!(
        rig.unlocked.sign_secp256k1(SOLANA, &[1; 32]),
        Err(SignError::WrongCurve)
    );
    let first = rig.unlocked.sign_ed25519(SOLANA, b"m").unwrap();
    assert_eq!(rig.unlocked.sign_ed25519(SOLANA, b"m"), Ok(first));
    let first = rig.unlocked.sign_secp256k1(EVM, &[1; 32]).unwrap();
    assert_eq!(rig.unlocked.sign_secp256k1(EVM, &[1; 32]), Ok(first));
    rig.unlocked.flip(SOLANA, 100);
    rig.unlocked.flip(EVM, 100);
    assert_eq!(
        rig.unlocked.sign_ed25519(SOLANA, b"m"),
        Err(SignError::Fault)
    );
    assert_eq!(
        rig.unlocked.sign_secp256k1(EVM, &[1; 32]),
        Err(SignError::Fault)
    );
}

#[test]
fn a_full_arena_changes_nothing() {
    let mut rig = Rig::new(16);
    let mut taken = Vec::new();
    while let Ok(slot) = rig.arena.take(64) {
        taken.push(slot);
    }
    assert!(matches!(
        rig.unlocked.register(SOLANA),
        Err(RegisterError::Derivation(_))
    ));
    assert_eq!(rig.unlocked.public_key(SOLANA), None);
    drop(taken);
    rig.unlocked.register(SOLANA).unwrap();
}

#[test]
fn the_file_shows_no_secret() {
    let rig = Rig::new(17);
    let file = rig.file();
    let body = seal::open(
        &Envelope::parse(&file).unwrap(),
        &rig.kek(b"first"),
        &rig.arena,
    );
    body.unwrap().expose(|body| {
        for secret in body.windows(8).take(57) {
            assert!(!file.windows(8).any(|window| window == secret));
        }
    });
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(0_u8.., 0..400)) {
        let _ = Identity::of_file(&bytes);
    }

    #[test]
    fn what_parses_is_written_the_same(
        place in 0..FILE_BYTES,
        value in 0_u8..,
        extra in proptest::collection::vec(0_u8.., 0..3),
    ) {
        let mut file = FILE.with(Clone::clone);
        file[place] = value;
        file.extend(extra);
        if let Ok(envelope) = Envelope::parse(&file) {
            proptest::prop_assert_eq!(envelope.to_bytes(), file);
        }
    }
}

thread_local! {
    static FILE: Vec<u8> = Rig::new(18).file();
}
