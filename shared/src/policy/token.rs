//! What an entry of the asset table says of a Solana mint: its extensions, and with them which token program
//! it belongs to. The signer knows mints from here alone.

use minicbor::{Decode, Encode};

use super::document::AssetRule;
use crate::amount::Amount;
use crate::caip::Token;
use crate::solana::{self, TokenProgram};

/// A Token-2022 extension that the owner accepts in a mint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum TokenExtension {
    /// The mint keeps a part of each transfer.
    #[n(0)]
    TransferFee {
        /// Ten-thousandths, at most 10,000.
        #[n(0)]
        basis_points: u16,
        /// Most of one transfer, in base units.
        #[n(1)]
        most: Amount,
    },
    /// Somebody may move or burn every holder's balance.
    #[n(1)]
    PermanentDelegate,
    /// Balances are shown with interest.
    #[n(2)]
    InterestBearing,
    /// Name and address of its description stand in the mint.
    #[n(3)]
    Metadata,
    /// Somebody may close the mint.
    #[n(4)]
    MintCloseAuthority,
    /// Accounts begin frozen or thawed as the mint says.
    #[n(5)]
    DefaultAccountState,
}

impl AssetRule {
    /// The Solana mint as it is registered here; nothing for any other asset.
    #[must_use]
    pub fn mint(&self) -> Option<solana::Token> {
        let Token::Mint(mint) = self.asset.token() else {
            return None;
        };
        let implied = match self.extensions.as_slice() {
            [] => TokenProgram::Token,
            _ => TokenProgram::Token2022,
        };
        Some(solana::Token {
            mint,
            decimals: self.decimals.places(),
            program: self.program.unwrap_or(implied),
        })
    }
}
