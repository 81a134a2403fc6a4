//! Amounts as an owner reads them: in the asset's unit, and in base units, which are what is signed.

use crate::amount::{Amount, Decimals};
use crate::caip::{AssetId, ChainId, Token};
use crate::policy::document::{AssetRule, PolicyDocument};

/// The unit of an asset: as the newest policy has it, or of a chain's own coin as compiled in.
pub(super) struct Unit<'a> {
    asset: AssetId,
    name_and_decimals: Option<(&'a str, Decimals)>,
}

/// SOL counts lamports: 10^9 of them.
const SOL: Decimals = decimals(9);
/// The coin of an EVM chain counts wei: 10^18 of them.
const EVM_COIN: Decimals = decimals(18);

const fn decimals(places: u8) -> Decimals {
    match Decimals::new(places) {
        Ok(decimals) => decimals,
        Err(_) => panic!("at most 36 places"),
    }
}

/// Decimals of a chain's own coin, by the chain's rules; none for a token.
pub(super) const fn coin_decimals(asset: AssetId) -> Option<Decimals> {
    match (asset.chain(), asset.token()) {
        (ChainId::Solana(_), Token::Native) => Some(SOL),
        (ChainId::Evm(_), Token::Native) => Some(EVM_COIN),
        _ => None,
    }
}

impl<'a> Unit<'a> {
    /// The unit of an asset under this policy.
    pub(super) fn of(asset: AssetId, policy: Option<&'a PolicyDocument>) -> Self {
        if let Some(rule) = policy.and_then(|document| document.asset(asset)) {
            return Self::of_rule(rule);
        }
        // An EVM chain's coin is not always called ETH.
        let name = if matches!(asset.chain(), ChainId::Solana(_)) {
            "SOL"
        } else {
            "native coin"
        };
        Self {
            asset,
            name_and_decimals: coin_decimals(asset).map(|decimals| (name, decimals)),
        }
    }

    /// The unit that a rule gives its asset.
    pub(super) fn of_rule(rule: &'a AssetRule) -> Self {
        Self {
            asset: rule.asset,
            name_and_decimals: Some((&rule.symbol, rule.decimals)),
        }
    }

    /// `0.5 SOL (500000000 base units)`, where the asset stands on the same line already.
    pub(super) fn amount(&self, amount: Amount) -> String {
        match self.name_and_decimals {
            Some((name, decimals)) => {
                format!(
                    "{} {name} ({amount} base units)",
                    amount.format_decimal(decimals)
                )
            }
            None => format!("{amount} base units (decimals unknown)"),
        }
    }

    /// `0.5 SOL (500000000 base units of solana:localnet/slip44:501)`.
    pub(super) fn amount_of_asset(&self, amount: Amount) -> String {
        let asset = self.asset;
        match self.name_and_decimals {
            Some((name, decimals)) => {
                format!(
                    "{} {name} ({amount} base units of {asset})",
                    amount.format_decimal(decimals)
                )
            }
            None => format!("{amount} base units of {asset} (decimals unknown)"),
        }
    }
}
