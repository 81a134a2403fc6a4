//! A local Solana chain for the tour and the tests, and nothing else: no shipped code depends on it.
//! Listens on loopback with free ports, prints one JSON line (`rpc`, `ws`, `payer`, `secret`) and serves
//! until its standard input closes, so it cannot outlive whoever started it.
//! The one argument is the slot time in milliseconds; 0 (the default) makes a block per transaction,
//! in which blockhashes never expire. Started by `xtask::chains`.

use std::process::ExitCode;

use surfpool_sdk::{BlockProductionMode, Signer, Surfnet};

/// sysexits: the command was used wrongly.
const EX_USAGE: u8 = 64;
/// sysexits: the chain did not start.
const EX_UNAVAILABLE: u8 = 69;

#[tokio::main]
async fn main() -> ExitCode {
    let slot_ms: u64 = match std::env::args().nth(1).map(|text| text.parse()) {
        None => 0,
        Some(Ok(slot_ms)) => slot_ms,
        Some(Err(_)) => {
            eprintln!("usage: surfnet [SLOT_MILLISECONDS]");
            return ExitCode::from(EX_USAGE);
        }
    };
    let (mode, slot_ms) = match slot_ms {
        // The builder wants a time in both modes; it is not used when blocks follow transactions.
        0 => (BlockProductionMode::Transaction, 1),
        _ => (BlockProductionMode::Clock, slot_ms),
    };
    let started = Surfnet::builder()
        .offline(true)
        .block_production_mode(mode)
        .slot_time_ms(slot_ms)
        .start()
        .await;
    let surfnet = match started {
        Ok(surfnet) => surfnet,
        Err(error) => {
            eprintln!("surfnet: did not start: {error}");
            return ExitCode::from(EX_UNAVAILABLE);
        }
    };
    // Addresses and base58 need no JSON escaping. The secret is a throw-away key of a throw-away chain.
    println!(
        "{{\"rpc\":\"{}\",\"ws\":\"{}\",\"payer\":\"{}\",\"secret\":\"{}\"}}",
        surfnet.rpc_url(),
        surfnet.ws_url(),
        surfnet.payer().pubkey(),
        surfnet.payer().to_base58_string()
    );
    // Whatever ends the read, end or error, the starter is gone.
    let _ =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
            .await;
    ExitCode::SUCCESS
}
