//! The local chains and the foreign verifiers answer: what every other process-level test stands on.
//! Needs what `cargo xtask fetch-tools` installs. Tests named `solana` need the slow build and are run last.

use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use xtask::chains::{Anvil, Surfnet};
use xtask::tools;

const EVM_ADDRESS: &str = "0x00000000000000000000000000000000000000aa";
const SOLANA_ADDRESS: &str = "4uQeVj5tqViQh7yWWGStvkEG1Zmhx6uasJtWCJziofM";

#[test]
fn anvil_is_the_chain_it_says_and_holds_what_it_is_told_to() {
    let anvil = Anvil::start().unwrap();
    assert_eq!(
        anvil.rpc().call("eth_chainId", json!([])).unwrap(),
        json!("0x7a69")
    );
    assert_eq!(anvil.balance(EVM_ADDRESS).unwrap(), 0);
    let wei = 3_000_000_000_000_000_000_000_000_u128;
    anvil.fund(EVM_ADDRESS, wei).unwrap();
    assert_eq!(anvil.balance(EVM_ADDRESS).unwrap(), wei);
}

#[test]
fn anvil_runs_side_by_side_and_ends_with_its_handle() {
    let (first, second) = (Anvil::start().unwrap(), Anvil::start().unwrap());
    assert_ne!(first.url(), second.url());
    let address: SocketAddr = first
        .url()
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    assert!(TcpStream::connect(address).is_ok());
    drop(first);
    assert!(
        TcpStream::connect(address).is_err(),
        "the port is still open"
    );
    assert_eq!(second.balance(EVM_ADDRESS).unwrap(), 0);
}

#[test]
fn anvil_says_why_it_does_not_start() {
    let error = Anvil::start_with(&["--no-such-option"]).unwrap_err();
    assert!(
        format!("{error:#}").contains("anvil ended with"),
        "{error:#}"
    );
}

#[test]
fn javascript_verifiers_can_be_imported() {
    let source = "const kit = await import('@solana/kit'); const viem = await import('viem');\n\
                  console.log(typeof kit.getTransactionDecoder, typeof viem.parseTransaction, process.argv[1]);";
    let output = tools::node(source, ["an argument"])
        .unwrap()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim_end(),
        "function function an argument"
    );
}

#[test]
fn python_verifiers_can_be_imported() {
    let source = "import solders.transaction, eth_account, sys; print(sys.argv[1])";
    let output = tools::python()
        .unwrap()
        .args(["-c", source, "an argument"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim_end(),
        "an argument"
    );
}

#[test]
fn solana_confirms_an_airdrop_at_once_and_with_slots() {
    for slot_ms in [0, 50] {
        let surfnet = Surfnet::start(slot_ms).unwrap();
        assert_eq!(surfnet.balance(SOLANA_ADDRESS).unwrap(), 0);
        surfnet.fund(SOLANA_ADDRESS, 2_000_000_000).unwrap();
        assert_eq!(surfnet.balance(SOLANA_ADDRESS).unwrap(), 2_000_000_000);
        assert!(surfnet.balance(surfnet.payer()).unwrap() > 0);
    }
}

#[test]
fn solana_runs_side_by_side_and_ends_with_its_handle() {
    let (first, second) = (Surfnet::start(0).unwrap(), Surfnet::start(0).unwrap());
    first.fund(SOLANA_ADDRESS, 2_000_000_000).unwrap();
    assert_eq!(second.balance(SOLANA_ADDRESS).unwrap(), 0);
    // 32 bytes in base58.
    assert!((32..=44).contains(&first.genesis_hash().unwrap().len()));
    for url in [first.url(), first.ws_url()] {
        let address: SocketAddr = url.rsplit('/').next().unwrap().parse().unwrap();
        assert!(address.ip().is_loopback());
        assert!(TcpStream::connect(address).is_ok(), "{url}");
    }
    let address: SocketAddr = first
        .url()
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    drop(first);
    assert!(
        TcpStream::connect(address).is_err(),
        "the port is still open"
    );
}

#[test]
fn solana_slots_pass_by_themselves() {
    let surfnet = Surfnet::start(20).unwrap();
    let slot = || {
        surfnet
            .rpc()
            .call("getSlot", json!([]))
            .unwrap()
            .as_u64()
            .unwrap()
    };
    let (first, deadline) = (slot(), Instant::now() + Duration::from_secs(20));
    while slot() < first + 3 {
        assert!(Instant::now() < deadline, "no new slot");
        thread::sleep(Duration::from_millis(10));
    }
}
