//! The product on one chain, as most process-level tests want it: a home in a folder of its own, signer and gateway
//! running, an owner enrolled and one wallet. A test adds coins, its policy and its agent.

use std::path::PathBuf;

use anyhow::Result;
use tempfile::TempDir;
use xtask::home::{Home, Running};
use xtask::product::Product;

/// Everything that runs, and where.
#[derive(Debug)]
pub struct Setting {
    /// The owner's command line.
    pub home: Home,
    /// Signer, unlocked, and gateway.
    pub running: Running,
    /// The owner's key file.
    pub owner: PathBuf,
    /// Identifier and address, on the one network.
    pub wallet: (String, String),
    /// Where the home stands.
    pub folder: TempDir,
}

impl Setting {
    /// On this network (CAIP-2) with one node; what the owner withdraws goes to these accounts (CAIP-10).
    ///
    /// # Errors
    /// What cannot be started.
    pub fn start(network: &str, node: &str, withdrawals: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let product = Product::for_tests()?;
        let chains = [(network, node)];
        let home = Home::create(&product, &folder.path().join("home"), &chains)?;
        home.set_chains(&chains)?;
        let running = home.start_unlocked()?;
        let owner = home.owner(withdrawals)?;
        let family = if network.starts_with("solana:") {
            "solana"
        } else {
            "evm"
        };
        let wallet = home.wallet(family, network)?;
        Ok(Self {
            home,
            running,
            owner,
            wallet,
            folder,
        })
    }
}
