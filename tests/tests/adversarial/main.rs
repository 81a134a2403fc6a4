//! A gateway in the attacker's hands, against a real signer process: every attack of `catalogue.rs`,
//! and after each the checks O1 to O10, written without the product's code (`checks`).
//!
//! The signer runs as one user, this program connects as another (the gateway's) and, as root, as the
//! owner. `cargo xtask attacks` prints the table of all cases. It has its own `main` because it becomes
//! other users for moments, which no other thread may see, and because a case is a row and not a test:
//! a section is one test, and a failure lists every failed case of it.

#![expect(
    clippy::indexing_slicing,
    reason = "fields of JSON bodies and fixed arrays; a panic fails the case and no other"
)]

mod bytes;
mod calculator;
mod cases;
mod catalogue;
mod chain;
mod checks;
mod hand;
mod long;
mod machine;
mod pending;
mod raw;
mod rig;
mod runner;
mod self_test;
mod stand;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    runner::run(&arguments)
}
