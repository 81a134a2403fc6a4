//! Transfers that somebody else brings to the chain (EIP-3009): the fields of a `TransferWithAuthorization` and
//! what each of them may hold. An authorization is a payment whose signed thing is no transaction. Judges nothing.

mod message;
#[cfg(test)]
#[path = "authorization/published_tests.rs"]
mod published_tests;
#[cfg(test)]
mod tests;

use minicbor::{Decode, Encode};

use crate::address::{Account, EvmAddress};
use crate::amount::Amount;
use crate::caip::{AssetId, ChainId, Token};
use crate::denial::Code;
use crate::effect::Effect;
use crate::evm;
use crate::time::Millis;

pub use self::message::{AuthorizationMessage, SignedAuthorization, TYPE_TEXT};

/// The longest that an authorization may hold: whoever has it may use it until then. Compiled in; policy says less.
pub const VALID_LONGEST: Millis = Millis::from_secs(15 * 60);
/// From when on every authorization holds, in seconds: at once, whatever the chain's clock shows. The contract asks
/// for a block after it.
pub const VALID_AFTER: u64 = 0;
/// A token's name or version, at most, in characters.
const TEXT_LIMIT: usize = 64;

/// What a token calls itself in its EIP-712 domain. Which token it is, chain and contract say: a wrong name makes a
/// signature that the token refuses, never one that another takes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenDomain {
    /// `name` of the domain, printable ASCII.
    #[n(0)]
    pub name: String,
    /// `version` of the domain, printable ASCII.
    #[n(1)]
    pub version: String,
}

impl TokenDomain {
    /// Whether both are 1 to 64 printable ASCII characters without `|`, no space at either end: what an owner reads
    /// of them looks like nothing else.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        [&self.name, &self.version].into_iter().all(|text| {
            (1..=TEXT_LIMIT).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| matches!(byte, b' '..=b'~') && byte != b'|')
                && text.trim() == text.as_str()
        })
    }
}

/// Everything that a transfer authorization says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TransferAuthorization {
    /// The token: `chainId` and `verifyingContract` of the domain.
    #[n(0)]
    pub asset: AssetId,
    /// The rest of the domain, as policy has it.
    #[n(1)]
    pub domain: TokenDomain,
    /// Who pays: the wallet's own address.
    #[n(2)]
    pub from: EvmAddress,
    /// Who receives.
    #[n(3)]
    pub to: EvmAddress,
    /// Base units.
    #[n(4)]
    pub value: Amount,
    /// The token takes it in blocks after this time, in seconds: [`VALID_AFTER`].
    #[n(5)]
    pub valid_after: u64,
    /// And before this one, in seconds, by the signer's clock.
    #[n(6)]
    pub valid_before: u64,
    /// The signer's own random number: the token takes each once for each payer.
    #[n(7)]
    #[cbor(with = "minicbor::bytes")]
    pub nonce: [u8; 32],
}

impl TransferAuthorization {
    /// Chain id and contract of the token; none of what is no ERC-20 token.
    #[must_use]
    pub const fn token(&self) -> Option<(u64, EvmAddress)> {
        match (self.asset.chain(), self.asset.token()) {
            (ChainId::Evm(chain), Token::Erc20(contract)) => Some((chain, contract)),
            _ => None,
        }
    }

    /// What it does once it is used: the same as a transfer of the token.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        Effect::Transfer {
            asset: self.asset,
            to: Account::Evm(self.to),
            amount: self.value,
        }
    }

    /// As no transfer is made: to the zero address, the chain's own machinery, the token or the wallet itself.
    fn pays_nobody(&self) -> bool {
        evm::is_system_address(self.to)
            || self.to == self.from
            || self
                .token()
                .is_some_and(|(_, contract)| contract == self.to)
    }

    /// Checks every field by itself.
    ///
    /// # Errors
    /// [`Code::AuthorizationNotListed`] of what is no ERC-20 token, [`Code::AmountInvalid`] of nothing,
    /// [`Code::AuthorizationRecipient`], [`Code::BodyMalformed`].
    pub fn check(&self) -> Result<(), Code> {
        if self.token().is_none() {
            return Err(Code::AuthorizationNotListed);
        }
        if self.value == Amount::ZERO {
            return Err(Code::AmountInvalid);
        }
        if self.pays_nobody() {
            return Err(Code::AuthorizationRecipient);
        }
        if !self.domain.is_sound() || self.valid_after >= self.valid_before {
            return Err(Code::BodyMalformed);
        }
        Ok(())
    }
}
