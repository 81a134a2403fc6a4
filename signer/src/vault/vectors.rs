//! Runs docs/vectors/keystore and docs/vectors/derivation, which programs that are not ours wrote.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use waiaas_shared::caip::Family;
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SignerId;
use waiaas_shared::keys::KeyPath;

use super::entropy::{Entropy, EntropyError};
use super::kdf::{KdfParams, derive};
use super::testing::{Repeating, arena, locked};
use super::*;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/vectors")
        .join(name)
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(vector, field)).unwrap()
}

/// Gives the recorded draws, in the order in which a keystore asks for them.
struct Recorded(Vec<Vec<u8>>);

impl Entropy for Recorded {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.copy_from_slice(&self.0.remove(0));
        Ok(())
    }
}

fn load(file: &[u8]) -> Result<Keystore, LoadError> {
    let state = tempfile::tempdir().unwrap();
    let mut options = std::fs::OpenOptions::new();
    let path = state.path().join(FILE_NAME);
    let mut placed = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    std::io::Write::write_all(&mut placed, file).unwrap();
    Keystore::load(KeystoreFolder::open(state.path()).unwrap())
}

#[test]
fn keystore_vectors() {
    let mut outcomes = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(folder("keystore")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let vector: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let expected = text(&vector, "expect");
        let found = outcome(&vector);
        assert_eq!(found, expected, "{}: {}", path.display(), vector["rule"]);
        if expected == "opens" {
            same_bytes_from_the_same_draws(&vector);
        }
        *outcomes.entry(expected.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(outcomes["opens"], 2);
    assert_eq!(outcomes["WrongPassword"], 18);
    assert_eq!(outcomes.values().sum::<u32>(), 41);
}

fn outcome(vector: &Value) -> String {
    let arena = arena();
    let keystore = match load(&bytes(vector, "file")) {
        Ok(keystore) => keystore,
        Err(LoadError::Malformed(error)) => return format!("{error:?}"),
        Err(error) => return format!("{error:?}"),
    };
    match keystore.unlock(&locked(&arena, &bytes(vector, "kek")), &arena) {
        Ok(unlocked) => {
            assert_eq!(
                hex::encode(unlocked.log_public_key()),
                vector["log_public_key"]
            );
            "opens".to_owned()
        }
        Err(UnlockError::Malformed(error)) => format!("{error:?}"),
        Err(error) => format!("{error:?}"),
    }
}

fn same_bytes_from_the_same_draws(vector: &Value) {
    let arena = arena();
    let signer_id = SignerId::from_bytes(bytes(vector, "signer_id").try_into().unwrap());
    let genesis = Digest::from_bytes(bytes(vector, "genesis").try_into().unwrap());
    let loaded = load(&bytes(vector, "file")).unwrap();
    assert_eq!(loaded.identity().signer_id, signer_id);
    assert_eq!(loaded.identity().genesis, genesis);

    let password = locked(&arena, text(vector, "password").as_bytes());
    let kek = derive(&password, &loaded.kdf_request(), &arena).unwrap();
    assert!(kek.matches(&bytes(vector, "kek")));

    // New keystores have the default cost, so only that one can be written again.
    if loaded.kdf_request().params != KdfParams::DEFAULT {
        return;
    }
    let order = [
        "seed",
        "log_seed",
        "slot_id",
        "salt",
        "data_key",
        "body_nonce",
        "wrap_nonce",
    ];
    let mut draws = Recorded(order.map(|draw| bytes(&vector["draws"], draw)).to_vec());
    let new = NewKeystore::generate(signer_id, &arena, &mut draws).unwrap();
    assert_eq!(new.kdf_request(), loaded.kdf_request());
    let state = tempfile::tempdir().unwrap();
    let place = KeystoreFolder::open(state.path()).unwrap();
    new.write(place, genesis, &kek, &arena, &mut draws).unwrap();
    let written = std::fs::read(state.path().join(FILE_NAME)).unwrap();
    assert_eq!(hex::encode(written), text(vector, "file"));
}

#[test]
fn wallets_of_other_programs() {
    let path = folder("derivation").join("wallets.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut count = 0;
    for (entropy, phrase) in vectors["phrases"].as_object().unwrap() {
        let arena = arena();
        let phrase = phrase.as_str().unwrap();
        let parsed = parse_phrase(&locked(&arena, phrase.as_bytes()), &arena).unwrap();
        assert!(parsed.matches(&hex::decode(entropy).unwrap()));
        let mut unlocked = recovered(&arena, parsed);
        let mut copied = arena.take(PHRASE_MAX_BYTES).unwrap();
        let length = unlocked.copy_phrase(&mut copied).unwrap();
        copied.expose(|copied| assert_eq!(&copied[..length], phrase.as_bytes()));

        for wallet in vectors["wallets"].as_array().unwrap() {
            if wallet["entropy"] == *entropy {
                same_wallet(&mut unlocked, wallet);
                count += 1;
            }
        }
    }
    assert_eq!(count, 30);
}

fn recovered(
    arena: &crate::sys::memory::SecretArena,
    entropy: crate::sys::memory::LockedBytes,
) -> Unlocked {
    let source = &mut Repeating::new(1);
    let new = NewKeystore::recover(SignerId::from_bytes([1; 16]), entropy, arena, source)
        .unwrap()
        .with_weak_kdf();
    let kek = derive(&locked(arena, b"password"), &new.kdf_request(), arena).unwrap();
    let state = tempfile::tempdir().unwrap();
    let place = KeystoreFolder::open(state.path()).unwrap();
    let genesis = Digest::from_bytes([2; 32]);
    new.write(place, genesis, &kek, arena, source).unwrap().1
}

fn same_wallet(unlocked: &mut Unlocked, wallet: &Value) {
    let index = u32::try_from(wallet["index"].as_u64().unwrap()).unwrap();
    let solana = text(wallet, "family") == "solana";
    let family = if solana { Family::Solana } else { Family::Evm };
    let path = KeyPath { family, index };
    let public = unlocked.register(path).unwrap();
    assert_eq!(
        public.account().to_string(),
        text(wallet, "address"),
        "{path}"
    );
    match public {
        PublicKey::Ed25519(_) => {
            let signature = unlocked.sign_ed25519(path, &bytes(wallet, "message"));
            assert_eq!(hex::encode(signature.unwrap()), text(wallet, "signature"));
        }
        PublicKey::Secp256k1 { point, .. } => {
            assert_eq!(hex::encode(point), text(wallet, "point"));
            let digest = bytes(wallet, "prehash").try_into().unwrap();
            let signature = unlocked.sign_secp256k1(path, &digest).unwrap();
            assert_eq!(hex::encode(signature.r), text(wallet, "r"));
            assert_eq!(hex::encode(signature.s), text(wallet, "s"));
            assert_eq!(
                u64::from(signature.y_parity),
                wallet["y_parity"].as_u64().unwrap()
            );
        }
    }
}
