//! Calls of programs: how many compute units one takes, as a node that tries it tells, and what is built. The node's
//! word sets the limit of units and nothing else: with too few the call fails. Called by the adapter.

use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::request::Speed;
use waiaas_shared::solana::build::{CallRequest, call};
use waiaas_shared::solana::{MAX_COMPUTE_UNITS, ProgramCall};
use waiaas_shared::transaction::{DecodeError, Known};

use super::super::{ChainError, Prepared};
use super::Solana;

/// What a call is given whose units no node tells: what the chain grants an instruction.
const USUAL_UNITS: u32 = 200_000;
/// What is added to the units of a trial, in hundredths: accounts may hold more when the call lands.
const MARGIN: u32 = 130;
/// What the settings take besides, and room for what a program does not tell.
const LEAST_UNITS: u32 = 2_000;

impl Solana {
    /// The unsigned message of a call.
    pub(super) async fn prepare_call(
        &self,
        told: &ProgramCall,
        offer: (Amount, Speed),
    ) -> Result<Prepared, ChainError> {
        let build = |blockhash, units, price| {
            call(&CallRequest {
                told,
                blockhash,
                compute_unit_limit: units,
                micro_lamports_per_compute_unit: price,
            })
        };
        let trial = self.latest_blockhash().await?;
        let trial = build(*trial.value.blockhash.as_bytes(), MAX_COMPUTE_UNITS, 0);
        let trial = trial.map_err(DecodeError::from)?;
        let units = self.tried(&trial).await?.map_or(USUAL_UNITS, padded);
        let written: Vec<SolanaAddress> = told
            .accounts
            .iter()
            .zip(&told.method.accounts)
            .filter_map(|(account, writable)| writable.then_some(*account))
            .chain([told.from])
            .collect();
        let (price, latest) = self.terms(&written, units, offer).await?;
        let built = build(*latest.value.blockhash.as_bytes(), units, price);
        let known = Known::NOTHING.running(Some(&told.method));
        self.prepared(told.from, built, known, &latest)
    }
}

/// Units with room for what is different when the call lands.
fn padded(units: u64) -> u32 {
    let units = u32::try_from(units).unwrap_or(MAX_COMPUTE_UNITS);
    let padded = units.min(MAX_COMPUTE_UNITS).saturating_mul(MARGIN) / 100;
    padded.saturating_add(LEAST_UNITS).min(MAX_COMPUTE_UNITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_room_and_an_end() {
        assert_eq!(padded(0), 2_000);
        assert_eq!(padded(10_000), 15_000);
        assert_eq!(padded(1_400_000), MAX_COMPUTE_UNITS);
        assert_eq!(padded(u64::MAX), MAX_COMPUTE_UNITS);
    }
}
