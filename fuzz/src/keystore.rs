//! The keystore file: the signer's own parser and the cost limits that it asks, included by their paths, so that the
//! signer need not show them. No password is tried here: what a file says before that.

#[allow(
    dead_code,
    unreachable_pub,
    reason = "the signer's own file, of which a part is used here"
)]
#[path = "../../signer/src/vault/cost.rs"]
mod cost;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the signer's own file, of which a part is used here"
)]
#[path = "../../signer/src/vault/format.rs"]
mod format;

use std::path::Path;

use format::{Envelope, FILE_BYTES, Identity};

/// A keystore file.
pub fn keystore(data: &[u8]) -> bool {
    let identity = Identity::of_file(data);
    let Ok(envelope) = Envelope::parse(data) else {
        assert!(identity.is_err(), "read in part");
        return false;
    };
    assert_eq!(data.len(), FILE_BYTES);
    assert_eq!(identity, Ok(envelope.identity));
    // Every byte has one meaning: what was read is written again.
    assert_eq!(envelope.to_bytes(), data, "another file than was read");
    assert!(data.starts_with(&envelope.header()));
    // No file makes a guess cheaper than the floor, or asks for more memory than the ceiling.
    let cost = envelope.slot.kdf.params;
    let again = cost::KdfParams::new(cost.memory_kib(), cost.passes(), cost.lanes());
    assert_eq!(again, Ok(cost));
    // A byte less or more is no keystore.
    let (_, short) = data.split_first().expect("a file");
    assert!(Envelope::parse(short).is_err());
    assert!(Envelope::parse(&[data, &[0]].concat()).is_err());
    true
}

/// The files of the documentation's vectors whose form is sound, whatever they open to.
pub fn keystore_seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors/keystore");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the vectors")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    paths.sort();
    let files = paths.iter().filter_map(|path| {
        let text = std::fs::read_to_string(path).expect("a text");
        let (_, file) = text.split_once("\"file\": \"")?;
        let (file, _) = file.split_once('"')?;
        Some(super::documents::unhex(file))
    });
    files.filter(|file| keystore(file)).collect()
}
