//! Builds the message of a call of a program that an owner registered.

use super::super::program::ProgramCall;
use super::super::{SolanaError, decode};
use super::{Draft, add};
use crate::transaction::Known;

/// A call of a program with its fee settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRequest<'a> {
    /// What is called by whom, with every account and the data.
    pub told: &'a ProgramCall,
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
pub fn call(request: &CallRequest<'_>) -> Result<Vec<u8>, SolanaError> {
    let told = request.told;
    let program = told.method.program;
    let (mut writable, mut read_only) = (vec![told.from], Vec::new());
    for (account, writes) in told.uses() {
        add(
            if writes {
                &mut writable
            } else {
                &mut read_only
            },
            &[account],
        );
    }
    add(&mut read_only, &[program]);
    // An account that stands at two places has the rights of both.
    read_only.retain(|account| !writable.contains(account));
    let mut draft = Draft::new(
        &writable,
        &read_only,
        request.compute_unit_limit,
        request.micro_lamports_per_compute_unit,
    );
    draft.add(program, &told.accounts, told.data.clone())?;
    let bytes = draft.encode(request.blockhash)?;
    let known = Known::NOTHING.running(Some(&told.method));
    decode(told.from, &bytes, known)?;
    Ok(bytes)
}
