//! The signer's whole dependency closure equals a checked-in list, and nothing in it speaks to a network.
//! A new dependency of the signer is a change of `tests/signer-dependencies.txt`, in a commit with a reason.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Crates that must never reach the signer, whatever the list says.
const FORBIDDEN: [&str; 30] = [
    "reqwest",
    "hyper",
    "hyper-util",
    "h2",
    "http",
    "axum",
    "tower",
    "ureq",
    "curl",
    "isahc",
    "rustls",
    "tokio-rustls",
    "native-tls",
    "openssl",
    "openssl-sys",
    "ring",
    "aws-lc-rs",
    "aws-lc-sys",
    "webpki",
    "hickory-resolver",
    "trust-dns-resolver",
    "quinn",
    "tungstenite",
    "tokio-tungstenite",
    "alloy-provider",
    "alloy-transport",
    "solana-rpc-client",
    "solana-client",
    "jsonrpsee",
    "socks",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
}

/// Names of every crate that the package's program is made of, on the target that ships.
fn closure(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args([
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args([
            "--target",
            "x86_64-unknown-linux-gnu",
            "--locked",
            "--offline",
        ])
        .output()
        .expect("cargo tree runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("cargo writes text");
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_signers_closure_is_the_list() {
    let list =
        std::fs::read_to_string(root().join("tests/signer-dependencies.txt")).expect("the list");
    let listed: BTreeSet<String> = list
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(str::to_owned)
        .collect();
    let found = closure("waiaas-signer");
    let new: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "not on the list: {new:?}; no longer there: {gone:?}"
    );
}

#[test]
fn nothing_in_the_signer_speaks_to_a_network() {
    let found = closure("waiaas-signer");
    let bad: Vec<_> = FORBIDDEN
        .iter()
        .filter(|name| found.contains(**name))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    // The check can fail: the gateway is full of them.
    let gateway = closure("waiaas-gateway");
    assert!(FORBIDDEN.iter().any(|name| gateway.contains(*name)));
}

#[test]
fn signer_and_gateway_never_depend_on_each_other() {
    assert!(!closure("waiaas-signer").contains("waiaas-gateway"));
    assert!(!closure("waiaas-gateway").contains("waiaas-signer"));
}
