//! What others pay for a compute unit, at three speeds, and what that makes of a fee. A node's word: it moves a fee
//! under its ceiling and nothing else.

use serde_json::json;
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::request::Speed;
use waiaas_shared::solana::LAMPORTS_PER_SIGNATURE;

use super::super::offer::{FeeEstimate, UnitPrice};
use super::super::rpc_error::RpcError;
use super::{MICRO_LAMPORTS_PER_LAMPORT, Solana, TRANSFER_UNITS, affordable_price};

/// Micro-lamports per unit that a fast transaction offers at least: where nobody has paid anything, a little
/// is ahead of everybody. For a transfer of lamports it is less than one, for tokens hundreds.
const FAST_LEAST: u64 = 10_000;

impl Solana {
    /// What others paid for a unit in transactions that lock these accounts, lately and from low to high.
    pub(super) async fn paid(&self, writable: &[SolanaAddress]) -> Result<Vec<u64>, RpcError> {
        let told: Vec<PrioritizationFee> = self
            .rpc
            .call("getRecentPrioritizationFees", json!([writable]))
            .await?;
        let mut paid: Vec<u64> = told.into_iter().map(|fee| fee.prioritization_fee).collect();
        paid.sort_unstable();
        Ok(paid)
    }

    /// A transfer of lamports at each speed.
    pub(in super::super) async fn fee_estimates(
        &self,
        ceiling: Amount,
    ) -> Result<Vec<FeeEstimate>, RpcError> {
        let paid = self.paid(&[]).await?;
        Ok(Speed::ALL
            .into_iter()
            .map(|speed| estimate(price(&paid, speed), speed, ceiling))
            .collect())
    }
}

fn estimate(usual: u64, speed: Speed, ceiling: Amount) -> FeeEstimate {
    let most = affordable_price(ceiling, TRANSFER_UNITS);
    let price = most.as_ref().map_or(0, |most| usual.min(*most));
    let units = u128::from(price).saturating_mul(TRANSFER_UNITS.into());
    let lamports = units.div_ceil(MICRO_LAMPORTS_PER_LAMPORT);
    let fee = lamports.saturating_add(LAMPORTS_PER_SIGNATURE.into());
    FeeEstimate {
        speed,
        fee_max: Amount::from_base_units(fee),
        price: UnitPrice::Compute(price),
        above_ceiling: most.is_err(),
    }
}

/// What a transaction of this speed offers for a unit, by what others paid, from low to high. Nothing where
/// nobody paid, but for a fast one.
pub(super) fn price(paid: &[u64], speed: Speed) -> u64 {
    let parts = match speed {
        Speed::Slow => 25,
        Speed::Normal => 50,
        Speed::Fast => 90,
    };
    let place = paid.len().saturating_mul(parts) / 100;
    let usual = paid.get(place).copied().unwrap_or(0);
    match speed {
        Speed::Fast => usual.max(FAST_LEAST),
        _ => usual,
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrioritizationFee {
    /// Micro-lamports per compute unit.
    prioritization_fee: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(paid: &[u64]) -> [u64; 3] {
        Speed::ALL.map(|speed| price(paid, speed))
    }

    #[test]
    fn prices_are_of_what_was_paid() {
        assert_eq!(prices(&[]), [0, 0, FAST_LEAST]);
        assert_eq!(prices(&[0, 0, 0, 0]), [0, 0, FAST_LEAST]);
        assert_eq!(prices(&[7]), [7, 7, FAST_LEAST]);
        assert_eq!(prices(&[0, 5, u64::MAX]), [0, 5, u64::MAX]);
        let many: Vec<u64> = (0..100).map(|part| part * 1_000_000).collect();
        assert_eq!(prices(&many), [25_000_000, 50_000_000, 90_000_000]);
    }

    #[test]
    fn no_estimate_leaves_the_ceiling() {
        let ceiling = Amount::from_base_units(5100);
        for usual in [0, 1, 1_000_000, u64::MAX] {
            let told = estimate(usual, Speed::Fast, ceiling);
            assert!(told.fee_max <= ceiling && !told.above_ceiling, "{told:?}");
        }
        let least = Amount::from_base_units(5000);
        let told = estimate(u64::MAX, Speed::Fast, Amount::from_base_units(4999));
        assert!(told.above_ceiling && told.fee_max == least, "{told:?}");
        assert_eq!(told.price, UnitPrice::Compute(0));
        assert_eq!(estimate(0, Speed::Slow, least).fee_max, least);
    }
}
