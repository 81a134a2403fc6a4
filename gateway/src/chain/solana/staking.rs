//! Stake accounts: what is built, for how many compute units, and how much lies in one that is taken back. What a
//! node says of it only makes that come to the wallet, or fail. Called by the adapter.

use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::request::Speed;
use waiaas_shared::solana::build::{StakingRequest, staking as build};
use waiaas_shared::solana::{StakeAccount, Staking};
use waiaas_shared::transaction::Known;

use super::super::rpc_error::ChainText;
use super::super::{ChainError, Prepared};
use super::Solana;

/// What a stake is given, the settings included: account, authorities and delegation take some 20,000 units.
const STAKE_UNITS: u32 = 80_000;
/// What unstaking takes is some 11,000, and withdrawing 7,000, and more with each epoch in between.
const UNSTAKE_UNITS: u32 = 60_000;
const WITHDRAW_UNITS: u32 = 100_000;

impl Solana {
    /// The unsigned message of one of the templates.
    pub(super) async fn prepare_staking(
        &self,
        from: SolanaAddress,
        account: &StakeAccount,
        staking: Staking,
        offer: (Amount, Speed),
    ) -> Result<Prepared, ChainError> {
        let (staking, units) = match staking {
            Staking::Delegate { .. } => (staking, STAKE_UNITS),
            Staking::Deactivate => (staking, UNSTAKE_UNITS),
            Staking::Withdraw { .. } => {
                let amount = self.balance(account.address()).await?;
                if amount == Amount::ZERO {
                    return Err(ChainError::WouldFail {
                        reason: ChainText::new(&format!(
                            "there is no stake account of seed {}: {}",
                            account.seed(),
                            account.address()
                        )),
                    });
                }
                (Staking::Withdraw { amount }, WITHDRAW_UNITS)
            }
        };
        let (price, latest) = self.terms(&[from, account.address()], units, offer).await?;
        let built = build(&StakingRequest {
            from,
            account,
            staking,
            blockhash: *latest.value.blockhash.as_bytes(),
            compute_unit_limit: units,
            micro_lamports_per_compute_unit: price,
        });
        let known = Known::NOTHING.staking(Some(account.seed()));
        self.prepared(from, built, known, &latest)
    }
}
