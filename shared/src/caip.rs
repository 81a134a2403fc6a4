//! Chain, asset and account names in the forms of CAIP-2, CAIP-19 and CAIP-10, for the two chain
//! families that exist here, and the compiled-in list of test networks.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::U256;

use crate::address::{Account, AddressError, EvmAddress, SolanaAddress};

/// Why a text is not a chain, asset or account name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaipError {
    /// Not `solana:<reference>` or `eip155:<chain id>`.
    #[error("a chain is named solana:<genesis hash prefix> or eip155:<chain id> (CAIP-2)")]
    Chain,
    /// Not a CAIP-19 name of a native coin, SPL mint, ERC-20 contract, or piece of an ERC-721 or ERC-1155
    /// contract.
    #[error(
        "an asset is named <chain>/slip44:501, <chain>/slip44:60, <chain>/token:<mint>, <chain>/erc20:<address>, <chain>/erc721:<address>/<id> or <chain>/erc1155:<address>/<id> (CAIP-19)"
    )]
    Asset,
    /// Not `<chain>:<address>`.
    #[error("an account is named <chain>:<address> (CAIP-10)")]
    Account,
    /// The address part is wrong.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// The two chain families; a wallet's key belongs to one of them.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    minicbor::Encode,
    minicbor::Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[cbor(index_only)]
pub enum Family {
    /// Solana clusters; Ed25519 keys.
    #[n(0)]
    Solana,
    /// EVM chains; secp256k1 keys.
    #[n(1)]
    Evm,
}

/// A Solana cluster: the CAIP-2 reference, by rule the first 32 characters of the genesis hash, or
/// `localnet` for a chain on the same machine whose genesis changes at each start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cluster {
    length: u8,
    text: [u8; 32],
}

impl Cluster {
    /// Main network.
    pub const MAINNET: &'static str = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp";
    /// Development network.
    pub const DEVNET: &'static str = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1";
    /// Test network.
    pub const TESTNET: &'static str = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z";
    /// A chain on the same machine.
    pub const LOCALNET: &'static str = "localnet";

    /// The reference text.
    #[must_use]
    pub fn reference(&self) -> &str {
        let bytes = self
            .text
            .get(..usize::from(self.length))
            .unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl FromStr for Cluster {
    type Err = CaipError;

    fn from_str(reference: &str) -> Result<Self, CaipError> {
        let genesis = reference.len() == 32 && bs58::decode(reference).into_vec().is_ok();
        if !genesis && reference != Self::LOCALNET {
            return Err(CaipError::Chain);
        }
        let mut text = [0; 32];
        text.iter_mut()
            .zip(reference.bytes())
            .for_each(|(to, from)| *to = from);
        Ok(Self {
            length: u8::try_from(reference.len()).map_err(|_| CaipError::Chain)?,
            text,
        })
    }
}

/// A chain (CAIP-2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainId {
    /// `solana:<reference>`.
    Solana(Cluster),
    /// `eip155:<chain id>`; never zero.
    Evm(u64),
}

impl ChainId {
    /// Which family the chain belongs to.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Solana(_) => Family::Solana,
            Self::Evm(_) => Family::Evm,
        }
    }

    /// Whether the chain's coins are play money. Compiled in: no document can declare a network to
    /// be a test network.
    #[must_use]
    pub fn is_test_network(&self) -> bool {
        match self {
            Self::Solana(cluster) => [Cluster::DEVNET, Cluster::TESTNET, Cluster::LOCALNET]
                .contains(&cluster.reference()),
            // Anvil/Hardhat, Geth dev; Sepolia, Hoodi; Base, Optimism, Arbitrum Sepolia; Polygon Amoy.
            Self::Evm(id) => [
                31_337, 1337, 11_155_111, 560_048, 84_532, 11_155_420, 421_614, 80_002,
            ]
            .contains(id),
        }
    }

    /// The asset in which the chain takes its fees.
    #[must_use]
    pub const fn native_asset(self) -> AssetId {
        AssetId {
            chain: self,
            token: Token::Native,
        }
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Solana(cluster) => write!(formatter, "solana:{}", cluster.reference()),
            Self::Evm(id) => write!(formatter, "eip155:{id}"),
        }
    }
}

impl FromStr for ChainId {
    type Err = CaipError;

    fn from_str(text: &str) -> Result<Self, CaipError> {
        match text.split_once(':') {
            Some(("solana", reference)) => reference.parse().map(Self::Solana),
            Some(("eip155", digits)) => {
                let plain =
                    digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
                let id = if plain { digits.parse().ok() } else { None };
                id.map(Self::Evm).ok_or(CaipError::Chain)
            }
            _ => Err(CaipError::Chain),
        }
    }
}

/// Which asset of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Token {
    /// The coin in which fees are paid: SOL (`slip44:501`), or the EVM chain's own (`slip44:60`).
    Native,
    /// An SPL Token or Token-2022 mint.
    Mint(SolanaAddress),
    /// An ERC-20 contract.
    Erc20(EvmAddress),
    /// One piece of an ERC-721 contract, of which there is one.
    Erc721(EvmAddress, TokenId),
    /// One kind of an ERC-1155 contract, of which there may be many.
    Erc1155(EvmAddress, TokenId),
}

/// Which piece of a contract: a number of 256 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; 32]);

impl TokenId {
    /// From its 32 bytes, big endian.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes, big endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Plain decimal digits.
impl fmt::Display for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&U256::from_be_bytes(self.0), formatter)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for TokenId {
    type Err = CaipError;

    fn from_str(text: &str) -> Result<Self, CaipError> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'));
        // 2^256 has 78 digits.
        if !plain || !(1..=78).contains(&text.len()) {
            return Err(CaipError::Asset);
        }
        let number = U256::from_str_radix(text, 10).map_err(|_| CaipError::Asset)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// An asset (CAIP-19).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetId {
    chain: ChainId,
    token: Token,
}

impl AssetId {
    /// The asset `token` on `chain`, if the two are of one family.
    ///
    /// # Errors
    /// [`CaipError::Asset`] for a mint on an EVM chain or a contract on Solana.
    pub const fn new(chain: ChainId, token: Token) -> Result<Self, CaipError> {
        match (chain, token) {
            (_, Token::Native)
            | (ChainId::Solana(_), Token::Mint(_))
            | (ChainId::Evm(_), Token::Erc20(_) | Token::Erc721(..) | Token::Erc1155(..)) => {
                Ok(Self { chain, token })
            }
            _ => Err(CaipError::Asset),
        }
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }

    /// Which asset of the chain.
    #[must_use]
    pub const fn token(&self) -> Token {
        self.token
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/", self.chain)?;
        match (self.token, self.chain) {
            (Token::Native, ChainId::Solana(_)) => formatter.write_str("slip44:501"),
            (Token::Native, ChainId::Evm(_)) => formatter.write_str("slip44:60"),
            (Token::Mint(mint), _) => write!(formatter, "token:{mint}"),
            (Token::Erc20(contract), _) => write!(formatter, "erc20:{contract}"),
            (Token::Erc721(contract, id), _) => write!(formatter, "erc721:{contract}/{id}"),
            (Token::Erc1155(contract, id), _) => write!(formatter, "erc1155:{contract}/{id}"),
        }
    }
}

impl FromStr for AssetId {
    type Err = CaipError;

    fn from_str(text: &str) -> Result<Self, CaipError> {
        let (chain, token) = text.split_once('/').ok_or(CaipError::Asset)?;
        let chain: ChainId = chain.parse()?;
        let token = match (
            chain.family(),
            token.split_once(':').ok_or(CaipError::Asset)?,
        ) {
            (Family::Solana, ("slip44", "501")) | (Family::Evm, ("slip44", "60")) => Token::Native,
            (Family::Solana, ("token", mint)) => Token::Mint(mint.parse()?),
            (Family::Evm, ("erc20", contract)) => Token::Erc20(contract.parse()?),
            (Family::Evm, (kind @ ("erc721" | "erc1155"), piece)) => {
                let (contract, id) = piece.split_once('/').ok_or(CaipError::Asset)?;
                let (contract, id) = (contract.parse()?, id.parse()?);
                if kind == "erc721" {
                    Token::Erc721(contract, id)
                } else {
                    Token::Erc1155(contract, id)
                }
            }
            _ => return Err(CaipError::Asset),
        };
        Self::new(chain, token)
    }
}

/// An account on a chain (CAIP-10).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId {
    chain: ChainId,
    account: Account,
}

impl AccountId {
    /// The account on the chain, if the two are of one family.
    ///
    /// # Errors
    /// [`CaipError::Account`] for an address of the other family.
    pub const fn new(chain: ChainId, account: Account) -> Result<Self, CaipError> {
        match (chain, account) {
            (ChainId::Solana(_), Account::Solana(_)) | (ChainId::Evm(_), Account::Evm(_)) => {
                Ok(Self { chain, account })
            }
            _ => Err(CaipError::Account),
        }
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }

    /// The address.
    #[must_use]
    pub const fn account(&self) -> Account {
        self.account
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.chain, self.account)
    }
}

impl FromStr for AccountId {
    type Err = CaipError;

    fn from_str(text: &str) -> Result<Self, CaipError> {
        let (chain, account) = text.rsplit_once(':').ok_or(CaipError::Account)?;
        Self::new(chain.parse()?, account.parse()?)
    }
}

/// These names travel as text in both encodings: one form, readable in a dump of the log.
macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.str(&self.to_string())?;
                Ok(())
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                decoder.str()?.parse().map_err(minicbor::decode::Error::custom)
            }
        }
    )*};
}

impl fmt::Display for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reference())
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reference())
    }
}

as_text!(ChainId AssetId AccountId);

#[cfg(test)]
#[path = "caip_tests.rs"]
mod tests;
