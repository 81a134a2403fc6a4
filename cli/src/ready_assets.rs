//! Common assets of the networks that are ready: where each stands, and who says so. Printed for an owner who
//! takes them into a policy, and believed nowhere: what binds is the policy, as the owner signed it. Each
//! address was taken from the publication beside it, whose checksum a test compares.

/// One token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadyAsset {
    /// The network's name.
    pub(crate) network: &'static str,
    /// What it calls itself.
    pub(crate) symbol: &'static str,
    /// Places between its unit and its base unit.
    pub(crate) decimals: u8,
    /// Its contract or mint.
    pub(crate) address: &'static str,
    /// Who publishes that.
    pub(crate) source: &'static str,
}

/// The issuer of USDC: developers.circle.com/stablecoins/usdc-contract-addresses, and the same in its
/// repository.
const CIRCLE: &str = "Circle (circlefin/skills, use-usdc)";
/// The issuer of EURC, and the list below.
const EURC: &str = "Circle (developers.circle.com/stablecoins/eurc-contract-addresses)";
/// The list that the bridges of the OP stack use, reviewed in public.
const OPTIMISM: &str = "ethereum-optimism/ethereum-optimism.github.io, data/";
/// A list reviewed in public.
const UNISWAP: &str = "Uniswap/default-token-list, src/tokens/";
/// Where the token program says which mint stands for wrapped SOL.
const SOLANA: &str = "solana.com/developers/docs/tokens/basics/sync-native";

const fn asset(
    network: &'static str,
    symbol: &'static str,
    decimals: u8,
    address: &'static str,
    source: &'static str,
) -> ReadyAsset {
    ReadyAsset {
        network,
        symbol,
        decimals,
        address,
        source,
    }
}

/// All of them, by network. Bridged forms under a name of their own issuer are left out, and so is what its
/// issuer no longer supports.
#[rustfmt::skip]
pub(crate) const READY: &[ReadyAsset] = &[
    asset("ethereum", "USDC", 6, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", CIRCLE),
    asset("ethereum", "USDT", 6, "0xdAC17F958D2ee523a2206206994597C13D831ec7", UNISWAP),
    asset("ethereum", "DAI", 18, "0x6B175474E89094C44Da98b954EedeAC495271d0F", OPTIMISM),
    asset("ethereum", "WETH", 18, "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", UNISWAP),
    asset("ethereum", "EURC", 6, "0x1aBaEA1f7C830bD89Acc67eC4af516284b1bC33c", UNISWAP),
    asset("sepolia", "USDC", 6, "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238", CIRCLE),
    asset("sepolia", "WETH", 18, "0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14", UNISWAP),
    asset("base", "USDC", 6, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", CIRCLE),
    asset("base", "EURC", 6, "0x60a3E35Cc302bFA44Cb288Bc5a4F316Fdb1adb42", EURC),
    asset("base", "DAI", 18, "0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb", OPTIMISM),
    asset("base", "WETH", 18, "0x4200000000000000000000000000000000000006", OPTIMISM),
    asset("base-sepolia", "USDC", 6, "0x036CbD53842c5426634e7929541eC2318f3dCF7e", CIRCLE),
    asset("arbitrum", "USDC", 6, "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", CIRCLE),
    asset("arbitrum", "USDT0", 6, "0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9", UNISWAP),
    asset("arbitrum", "WETH", 18, "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1", UNISWAP),
    asset("arbitrum-sepolia", "USDC", 6, "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", CIRCLE),
    asset("optimism", "USDC", 6, "0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85", CIRCLE),
    asset("optimism", "USDT0", 6, "0x01bFF41798a0BcF287b996046Ca68b395DbC1071", UNISWAP),
    asset("optimism", "DAI", 18, "0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1", OPTIMISM),
    asset("optimism", "WETH", 18, "0x4200000000000000000000000000000000000006", OPTIMISM),
    asset("optimism-sepolia", "USDC", 6, "0x5fd84259d66Cd46123540766Be93DFE6D43130D7", CIRCLE),
    asset("polygon", "USDC", 6, "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", CIRCLE),
    asset("polygon", "USDT", 6, "0xc2132D05D31c914a87C6611C10748AEb04B58e8F", UNISWAP),
    asset("polygon", "DAI", 18, "0x8f3Cf7ad23Cd3CaDbD9735AFf958023239c6A063", UNISWAP),
    asset("polygon", "WETH", 18, "0x7ceB23fD6bC0adD59E62ac25578270cFf1b9f619", UNISWAP),
    asset("amoy", "USDC", 6, "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582", CIRCLE),
    asset("solana", "USDC", 6, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", CIRCLE),
    asset("solana", "USDT", 6, "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", UNISWAP),
    asset("solana", "EURC", 6, "HzwqbKZw8HxMN6bF2yFZNrht3c2iXXzpKcFu7uBEDKtr", UNISWAP),
    asset("solana", "WSOL", 9, "So11111111111111111111111111111111111111112", SOLANA),
    asset("solana-devnet", "USDC", 6, "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU", CIRCLE),
    asset("solana-devnet", "WSOL", 9, "So11111111111111111111111111111111111111112", SOLANA),
];

#[cfg(test)]
mod tests {
    use waiaas_shared::address::Account;
    use waiaas_shared::caip::Family;
    use waiaas_shared::network;

    use super::*;

    /// An address of the wrong chain, or with a digit changed, does not read: the checksum of EIP-55 is in the
    /// case of its letters, and a mint has 32 bytes.
    #[test]
    fn every_address_reads_in_its_only_form() {
        for ready in READY {
            let network = network::named(ready.network).expect(ready.network);
            let account: Account = ready.address.parse().expect(ready.address);
            let family = match account {
                Account::Solana(_) => Family::Solana,
                Account::Evm(_) => Family::Evm,
            };
            assert_eq!(family, network.chain().family(), "{ready:?}");
            assert_eq!(account.to_string(), ready.address);
            assert!(!ready.source.is_empty());
        }
    }

    #[test]
    fn every_network_has_its_dollars_and_no_asset_twice() {
        for network in network::NETWORKS {
            let own = READY.iter().filter(|ready| ready.network == network.name);
            assert!(
                own.clone().any(|ready| ready.symbol == "USDC"),
                "{}",
                network.name
            );
            let count = own.clone().count();
            let mut symbols: Vec<_> = own.clone().map(|ready| ready.symbol).collect();
            let mut addresses: Vec<_> = own.map(|ready| ready.address).collect();
            for list in [&mut symbols, &mut addresses] {
                list.sort_unstable();
                list.dedup();
                assert_eq!(list.len(), count, "{}", network.name);
            }
        }
    }

    /// As their issuers publish them, once more and apart from the table.
    #[test]
    fn dollars_stand_where_their_issuer_says() {
        for (network, address) in [
            ("ethereum", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"),
            ("base", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
            ("arbitrum", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"),
            ("optimism", "0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85"),
            ("polygon", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"),
            ("solana", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"),
        ] {
            let of_circle = READY
                .iter()
                .find(|ready| ready.network == network && ready.symbol == "USDC");
            assert_eq!(
                of_circle.map(|ready| (ready.address, ready.decimals)),
                Some((address, 6))
            );
        }
    }
}
