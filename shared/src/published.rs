//! Published vectors whose licence does not allow a copy in this project: read from the folder that
//! `WAIAAS_VECTORS` names, or from `shared/vectors` beside the checkout. For tests alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A published file; without its folder, that is said aloud.
pub(crate) fn published(name: &str) -> Option<Value> {
    let folder = std::env::var_os("WAIAAS_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        let said = format!(
            "NOT RUN: the published vectors {name}: there is no folder {}; WAIAAS_VECTORS names one\n",
            folder.display()
        );
        // Not by `eprintln`, which a test that passes keeps to itself.
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return None;
    }
    let file = folder.join(name);
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    Some(serde_json::from_slice(&bytes).unwrap())
}
