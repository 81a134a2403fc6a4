//! Builds the messages of the stake program's templates.

use super::super::stake::{
    ACCOUNT_BYTES, CLOCK, CONFIG, HISTORY, PROGRAM, RENT, STAKE_RENT, StakeAccount, Staking,
    deactivate_data, delegate_data, initialize_data, withdraw_data,
};
use super::super::system::CreateWithSeed;
use super::super::{SolanaError, decode, system};
use super::Draft;
use crate::address::SolanaAddress;
use crate::amount::Amount;
use crate::transaction::Known;

/// What is done with a stake account of the wallet's own, with its fee settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StakingRequest<'a> {
    /// The wallet: sole signer, fee payer, and both authorities of the account.
    pub from: SolanaAddress,
    /// The account.
    pub account: &'a StakeAccount,
    /// What is done.
    pub staking: Staking,
    /// A recent blockhash; with it the message expires.
    pub blockhash: [u8; 32],
    /// Compute units.
    pub compute_unit_limit: u32,
    /// Priority fee in millionths of a lamport per compute unit.
    pub micro_lamports_per_compute_unit: u64,
}

/// The unsigned message.
///
/// # Errors
/// [`SolanaError`] where `decode` would refuse the message.
pub fn staking(request: &StakingRequest<'_>) -> Result<Vec<u8>, SolanaError> {
    let StakingRequest { from, account, .. } = *request;
    let address = account.address();
    let draft = |read_only: &[SolanaAddress]| {
        Draft::new(
            &[from, address],
            read_only,
            request.compute_unit_limit,
            request.micro_lamports_per_compute_unit,
        )
    };
    let draft = match request.staking {
        Staking::Delegate { validator, amount } => {
            let sysvars = [CLOCK, RENT, HISTORY, CONFIG];
            let others = [validator, system::PROGRAM, PROGRAM];
            let mut draft = draft(&[&sysvars[..], &others].concat());
            let lamports = lamports(amount)?
                .checked_add(STAKE_RENT)
                .ok_or(SolanaError::StakeAmount)?;
            let create = CreateWithSeed {
                base: from,
                seed: account.seed().as_str().as_bytes(),
                lamports,
                space: ACCOUNT_BYTES,
                owner: PROGRAM,
            };
            draft.add(system::PROGRAM, &[from, address], create.data())?;
            draft.add(PROGRAM, &[address, RENT], initialize_data(from))?;
            let delegate = [address, validator, CLOCK, HISTORY, CONFIG, from];
            draft.add(PROGRAM, &delegate, delegate_data())?;
            draft
        }
        Staking::Deactivate => {
            let mut draft = draft(&[CLOCK, PROGRAM]);
            draft.add(PROGRAM, &[address, CLOCK, from], deactivate_data())?;
            draft
        }
        Staking::Withdraw { amount } => {
            let mut draft = draft(&[CLOCK, HISTORY, PROGRAM]);
            let accounts = [address, from, CLOCK, HISTORY, from];
            draft.add(PROGRAM, &accounts, withdraw_data(lamports(amount)?))?;
            draft
        }
    };
    let bytes = draft.encode(request.blockhash)?;
    decode(from, &bytes, Known::NOTHING.staking(Some(account.seed())))?;
    Ok(bytes)
}

fn lamports(amount: Amount) -> Result<u64, SolanaError> {
    u64::try_from(amount.base_units()).map_err(|_| SolanaError::StakeAmount)
}
