//! Published vectors whose licence does not allow a copy in this project: read from the folder that
//! `WAIAAS_VECTORS` names, or from `shared/vectors` beside the checkout. For tests alone, of this crate and, by its
//! path, of the signer. Where there is no folder, each test says so on standard error; and one of each crate, whose
//! output is shown though it passes, for all.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn folder() -> PathBuf {
    std::env::var_os("WAIAAS_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    )
}

/// Said past the harness, which keeps to itself what a test that passes prints.
fn say(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// A published file; without its folder, that is said aloud.
pub(crate) fn published(name: &str) -> Option<Value> {
    let folder = folder();
    if !folder.is_dir() {
        say(&format!("NOT RUN: the published vectors {name}\n"));
        return None;
    }
    let file = folder.join(name);
    let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// Shown by `cargo nextest` at the end of every run (`.config/nextest.toml`), as `cargo xtask test` says it.
#[test]
fn published_vectors_are_there_or_named_as_not_run() {
    let folder = folder();
    let place = folder.display();
    if folder.is_dir() {
        say(&format!("published vectors: run from {place}\n"));
    } else {
        say(&format!(
            "NOT RUN: published vectors that are not copied here: there is no folder {place}; WAIAAS_VECTORS names one\n"
        ));
    }
}
