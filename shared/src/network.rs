//! The networks that are ready: names, coins, and what is peculiar to each. A convenience of the gateway's
//! configuration and of the command line, and two things that a policy document is held to: what the coin is
//! called, and that a fee for data is stated where there is one. Everything else about a network, and every
//! other network, is by configuration and policy. Sources: chain ids and coins as in viem 2.56 (`viem/chains`),
//! fees for data as the OP stack has them (`GasPriceOracle`).

use crate::amount::Decimals;
use crate::caip::{ChainId, Cluster};

/// One network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// How it is named in configuration and on the command line.
    pub name: &'static str,
    /// How people call it.
    pub title: &'static str,
    id: Id,
    /// What its coin is called.
    pub symbol: &'static str,
    decimals: u8,
    /// Milliseconds from one block (or slot) to the next.
    pub block_millis: u32,
    /// Blocks after which a payment counts as confirmed unless the configuration says otherwise; nothing on
    /// Solana, which has commitment levels.
    pub confirmations: Option<u32>,
    /// The most that the gateway offers as the fee of one transaction unless the configuration says otherwise,
    /// in base units: protection from lying nodes. What binds is the owner's policy.
    pub max_fee: u128,
    /// Whether it takes a fee for data beside gas.
    pub data_fee: DataFee,
}

/// How a network is paid for a transaction's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFee {
    /// Within gas, as far as it is paid at all.
    InGas,
    /// Beside gas, bounded by no field of a transaction (the OP stack).
    BesideGas,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Id {
    Evm(u64),
    Solana(&'static str),
}

impl Network {
    /// Its CAIP-2 name.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        match self.id {
            Id::Evm(id) => ChainId::Evm(id),
            // Each reference is one that `Cluster` itself defines; a test parses them all.
            Id::Solana(reference) => reference
                .parse()
                .map_or(ChainId::Evm(u64::MAX), ChainId::Solana),
        }
    }

    /// Places between its coin's unit and its base unit.
    #[must_use]
    pub fn decimals(&self) -> Decimals {
        Decimals::new(self.decimals).unwrap_or(Decimals::ZERO)
    }
}

/// All of them.
pub static NETWORKS: [Network; 12] = [
    evm("ethereum", "Ethereum", 1, 12_000, 12),
    evm("sepolia", "Ethereum Sepolia", 11_155_111, 12_000, 3),
    op("base", "Base", 8453, 10),
    op("base-sepolia", "Base Sepolia", 84_532, 3),
    evm("arbitrum", "Arbitrum One", 42_161, 250, 20),
    evm("arbitrum-sepolia", "Arbitrum Sepolia", 421_614, 250, 8),
    op("optimism", "OP Mainnet", 10, 10),
    op("optimism-sepolia", "OP Sepolia", 11_155_420, 3),
    polygon("polygon", "Polygon PoS", 137, 32),
    polygon("amoy", "Polygon Amoy", 80_002, 8),
    solana("solana", "Solana", Cluster::MAINNET),
    solana("solana-devnet", "Solana Devnet", Cluster::DEVNET),
];

/// 0.005 of the coin: a plain transfer at 238 gwei.
const ETHER_FEE: u128 = 5_000_000_000_000_000;
/// Half a coin, which is worth far less than an ether: a token's transfer at 5000 gwei.
const POL_FEE: u128 = 500_000_000_000_000_000;
/// 0.0001 SOL: twenty times the fee of one signature.
const SOL_FEE: u128 = 100_000;

const fn evm(
    name: &'static str,
    title: &'static str,
    id: u64,
    block_millis: u32,
    confirmations: u32,
) -> Network {
    Network {
        name,
        title,
        id: Id::Evm(id),
        symbol: "ETH",
        decimals: 18,
        block_millis,
        confirmations: Some(confirmations),
        max_fee: ETHER_FEE,
        data_fee: DataFee::InGas,
    }
}

const fn op(name: &'static str, title: &'static str, id: u64, confirmations: u32) -> Network {
    Network {
        data_fee: DataFee::BesideGas,
        ..evm(name, title, id, 2_000, confirmations)
    }
}

const fn polygon(name: &'static str, title: &'static str, id: u64, confirmations: u32) -> Network {
    Network {
        symbol: "POL",
        max_fee: POL_FEE,
        ..evm(name, title, id, 2_000, confirmations)
    }
}

const fn solana(name: &'static str, title: &'static str, reference: &'static str) -> Network {
    Network {
        name,
        title,
        id: Id::Solana(reference),
        symbol: "SOL",
        decimals: 9,
        block_millis: 400,
        confirmations: None,
        max_fee: SOL_FEE,
        data_fee: DataFee::InGas,
    }
}

/// The network of a chain, if it is ready.
#[must_use]
pub fn of(chain: ChainId) -> Option<&'static Network> {
    NETWORKS.iter().find(|network| match (network.id, chain) {
        (Id::Evm(id), ChainId::Evm(asked)) => id == asked,
        (Id::Solana(reference), ChainId::Solana(cluster)) => cluster.reference() == reference,
        _ => false,
    })
}

/// The network of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Network> {
    NETWORKS.iter().find(|network| network.name == name)
}

/// A chain by its name here, or by its CAIP-2 name.
///
/// # Errors
/// [`UnknownNetwork`].
pub fn chain(text: &str) -> Result<ChainId, UnknownNetwork> {
    match named(text) {
        Some(network) => Ok(network.chain()),
        None => text.parse().map_err(|_| UnknownNetwork),
    }
}

/// Neither a network that is ready, nor a CAIP-2 name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a network is one of ethereum, sepolia, base, base-sepolia, arbitrum, arbitrum-sepolia, optimism, optimism-sepolia, polygon, amoy, solana, solana-devnet, or eip155:<chain id>, or solana:<genesis hash prefix>"
)]
pub struct UnknownNetwork;

/// Whether a network is known to take a fee for data beside gas.
#[must_use]
pub fn takes_data_fee(chain: ChainId) -> bool {
    of(chain).is_some_and(|network| network.data_fee == DataFee::BesideGas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_chains_are_distinct_and_read_back() {
        for (place, network) in NETWORKS.iter().enumerate() {
            let chain = network.chain();
            assert_eq!(of(chain), Some(network), "{}", network.name);
            assert_eq!(named(network.name), Some(network));
            assert_eq!(super::chain(network.name), Ok(chain));
            assert_eq!(super::chain(&chain.to_string()), Ok(chain));
            assert_ne!(chain, ChainId::Evm(u64::MAX), "{}", network.name);
            let others = NETWORKS.iter().skip(place + 1);
            assert!(others.clone().all(|other| other.name != network.name));
            assert!(others.clone().all(|other| other.chain() != chain));
            assert!(UnknownNetwork.to_string().contains(network.name));
            let of_evm = matches!(chain, ChainId::Evm(_));
            assert_eq!(network.confirmations.is_some(), of_evm);
            assert_eq!(network.decimals().places(), if of_evm { 18 } else { 9 });
        }
        for text in ["", "Base", "mainnet", "eip155:0", "eip155:", "8453"] {
            assert_eq!(super::chain(text), Err(UnknownNetwork), "{text}");
        }
    }

    /// As published: the chain ids that a wallet signs for must be those very networks.
    #[test]
    fn chain_ids_are_the_published_ones() {
        for (name, id, test) in [
            ("ethereum", 1, false),
            ("sepolia", 11_155_111, true),
            ("base", 8453, false),
            ("base-sepolia", 84_532, true),
            ("arbitrum", 42_161, false),
            ("arbitrum-sepolia", 421_614, true),
            ("optimism", 10, false),
            ("optimism-sepolia", 11_155_420, true),
            ("polygon", 137, false),
            ("amoy", 80_002, true),
        ] {
            let chain = super::chain(name).unwrap();
            assert_eq!(chain, ChainId::Evm(id), "{name}");
            assert_eq!(chain.is_test_network(), test, "{name}");
            let beside = name.starts_with("base") || name.starts_with("optimism");
            assert_eq!(takes_data_fee(chain), beside, "{name}");
        }
        assert!(!takes_data_fee(ChainId::Evm(31_337)));
        assert!(!super::chain("solana").unwrap().is_test_network());
        assert!(super::chain("solana-devnet").unwrap().is_test_network());
    }
}
