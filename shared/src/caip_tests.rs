//! Names of chains, assets and accounts: one form each, and none of the others.

use super::*;
use crate::codec::{from_canonical, to_canonical};

#[test]
fn names_have_one_form() {
    for text in [
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/slip44:501",
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
        "solana:localnet/slip44:501",
        "eip155:1/slip44:60",
        "eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
        "eip155:1/erc721:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/771769",
        "eip155:1/erc721:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/0",
        "eip155:1/erc1155:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/115792089237316195423570985008687907853269984665640564039457584007913129639935",
    ] {
        let asset: AssetId = text.parse().expect(text);
        assert_eq!(asset.to_string(), text);
        assert_eq!(from_canonical::<AssetId>(&to_canonical(&asset)), Ok(asset));
    }
    let account = "eip155:1:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    assert_eq!(
        account.parse::<AccountId>().expect(account).to_string(),
        account
    );
}

#[test]
fn other_names_are_refused() {
    for text in [
        "eip155:0",
        "eip155:01",
        "eip155:+1",
        "eip155:",
        "eip155:18446744073709551616",
        "EIP155:1",
        "eip155:1 ",
        "solana:",
        "solana:mainnet",
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvd",
        "bip122:0",
        "",
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvd0",
    ] {
        assert!(text.parse::<ChainId>().is_err(), "{text}");
    }
    for text in [
        "eip155:1/slip44:501",
        "solana:localnet/slip44:60",
        "eip155:1/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
        "eip155:1",
        "eip155:1/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
        "eip155:1/erc721:0x0",
        "eip155:1/erc721:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "eip155:1/erc721:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/",
        "eip155:1/erc721:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/01",
        "eip155:1/erc721:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/+1",
        "eip155:1/erc721:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/1_0",
        "eip155:1/erc721:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/0x1",
        "eip155:1/erc721:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/1/2",
        "eip155:1/erc1155:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/115792089237316195423570985008687907853269984665640564039457584007913129639936",
        "solana:localnet/erc721:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed/1",
    ] {
        assert!(text.parse::<AssetId>().is_err(), "{text}");
    }
    assert!(
        "eip155:1:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
            .parse::<AccountId>()
            .is_err()
    );
}

#[test]
fn main_networks_are_not_test_networks() {
    for text in [
        "eip155:1",
        "eip155:8453",
        "eip155:137",
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
    ] {
        assert!(!text.parse::<ChainId>().expect(text).is_test_network());
    }
    for text in [
        "eip155:31337",
        "solana:localnet",
        "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
    ] {
        assert!(text.parse::<ChainId>().expect(text).is_test_network());
    }
}
