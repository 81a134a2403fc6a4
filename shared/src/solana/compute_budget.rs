//! The ComputeBudget program, and the fee that follows from it. Only the unit limit and the unit
//! price are accepted, each at most once; none where the message's own header says the fee (version 1), for
//! the chain would ignore it. Source: the program's interface,
//! `ComputeBudgetInstruction` (discriminator u8; fields little endian).

use super::message::Instruction;
use super::{LAMPORTS_PER_SIGNATURE, SolanaError};
use crate::address::SolanaAddress;
use crate::amount::Amount;

/// `ComputeBudget111111111111111111111111111111`.
pub(super) const PROGRAM: SolanaAddress = SolanaAddress::from_bytes(
    bs58::decode(b"ComputeBudget111111111111111111111111111111".as_slice())
        .into_array_const_unwrap(),
);

/// The most compute units that the chain grants one transaction.
pub const MAX_COMPUTE_UNITS: u32 = 1_400_000;

/// Compute units that an instruction of another program counts for when no limit is set. Newer clusters
/// count built-in programs lower; this is the highest value of any.
const DEFAULT_UNITS_PER_INSTRUCTION: u32 = 200_000;
/// The same for an instruction of this program: since SIMD-170 it counts as any built-in program's does,
/// and before for nothing.
const DEFAULT_UNITS_PER_SETTING: u32 = 3_000;
const MICRO_LAMPORTS_PER_LAMPORT: u128 = 1_000_000;

/// What both settings take in a message, beside the program's address: each its index, no account, the length of
/// its data, and its data.
pub(super) const INSTRUCTIONS_BYTES: usize = 3 + 5 + 3 + 9;

const SET_UNIT_LIMIT: u8 = 2;
const SET_UNIT_PRICE: u8 = 3;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// Compute units.
    UnitLimit(u32),
    /// Millionths of a lamport per compute unit.
    UnitPrice(u64),
}

impl Setting {
    /// The instruction data.
    pub(super) fn data(self) -> Vec<u8> {
        match self {
            Self::UnitLimit(units) => [&[SET_UNIT_LIMIT][..], &units.to_le_bytes()].concat(),
            Self::UnitPrice(price) => [&[SET_UNIT_PRICE][..], &price.to_le_bytes()].concat(),
        }
    }
}

pub(super) fn parse(instruction: &Instruction<'_>) -> Result<Setting, SolanaError> {
    let (discriminator, rest) = instruction
        .data
        .split_first()
        .ok_or(SolanaError::InstructionData)?;
    let setting = match *discriminator {
        SET_UNIT_LIMIT => rest
            .try_into()
            .map(|units| Setting::UnitLimit(u32::from_le_bytes(units))),
        SET_UNIT_PRICE => rest
            .try_into()
            .map(|price| Setting::UnitPrice(u64::from_le_bytes(price))),
        _ => return Err(SolanaError::ComputeBudgetInstruction),
    };
    let setting = setting.map_err(|_| SolanaError::InstructionData)?;
    if !instruction.accounts.is_empty() {
        return Err(SolanaError::InstructionAccounts);
    }
    if matches!(setting, Setting::UnitLimit(units) if units > MAX_COMPUTE_UNITS) {
        return Err(SolanaError::ComputeUnitLimit);
    }
    Ok(setting)
}

/// The settings of one message.
#[derive(Debug, Default)]
pub(super) struct Request {
    unit_limit: Option<u32>,
    unit_price: Option<u64>,
    /// What the message's header says instead, in lamports.
    stated: Option<u64>,
}

impl Request {
    /// Of a message that says so much in its own header, or nothing.
    pub(super) fn stated(priority_fee: Option<u64>) -> Self {
        Self {
            stated: priority_fee,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, setting: Setting) -> Result<(), SolanaError> {
        if self.stated.is_some() {
            return Err(SolanaError::ComputeBudgetInstruction);
        }
        let repeated = match setting {
            Setting::UnitLimit(units) => self.unit_limit.replace(units).is_some(),
            Setting::UnitPrice(price) => self.unit_price.replace(price).is_some(),
        };
        if repeated {
            return Err(SolanaError::RepeatedComputeBudget);
        }
        Ok(())
    }

    /// Lamports at worst, for one signature and so many instructions of other programs: the
    /// signature fee, and limit times price rounded up.
    pub(super) fn fee_max(&self, other_instructions: usize) -> Result<Amount, SolanaError> {
        let units = self.unit_limit.unwrap_or_else(|| {
            let settings = u32::from(self.unit_price.is_some());
            u32::try_from(other_instructions)
                .unwrap_or(u32::MAX)
                .saturating_mul(DEFAULT_UNITS_PER_INSTRUCTION)
                .saturating_add(settings.saturating_mul(DEFAULT_UNITS_PER_SETTING))
                .min(MAX_COMPUTE_UNITS)
        });
        let by_units = u128::from(units)
            .checked_mul(self.unit_price.unwrap_or(0).into())
            .map(|micro_lamports| micro_lamports.div_ceil(MICRO_LAMPORTS_PER_LAMPORT));
        self.stated
            .map_or(by_units, |lamports| Some(lamports.into()))
            .and_then(|priority| priority.checked_add(LAMPORTS_PER_SIGNATURE.into()))
            .filter(|fee| *fee <= u64::MAX.into())
            .map(Amount::from_base_units)
            .ok_or(SolanaError::FeeTooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fee_is_rounded_up_and_worst_case() {
        for (limit, price, instructions, lamports) in [
            (None, None, 1, Some(5000)),
            (Some(200_000), None, 1, Some(5000)),
            (Some(1), Some(1), 1, Some(5001)),
            (Some(1_000_000), Some(1), 1, Some(5001)),
            (Some(1_000_000), Some(2), 1, Some(5002)),
            (Some(0), Some(u64::MAX), 1, Some(5000)),
            // No limit: 200 000 units for each instruction and 3 000 for the price's own, never above the
            // chain's maximum.
            (None, Some(1_000_000), 1, Some(208_000)),
            (None, Some(1_000_000), 6, Some(1_208_000)),
            (None, Some(1_000_000), 7, Some(1_405_000)),
            (None, Some(1_000_000), 60, Some(1_405_000)),
            (None, Some(1_000_000), usize::MAX, Some(1_405_000)),
            (Some(1_000_000), Some(u64::MAX - 5000), 1, Some(u64::MAX)),
            (Some(1_000_000), Some(u64::MAX - 4999), 1, None),
            (Some(MAX_COMPUTE_UNITS), Some(u64::MAX), 1, None),
            (Some(u32::MAX), Some(u64::MAX), 1, None),
        ] {
            let request = Request {
                unit_limit: limit,
                unit_price: price,
                stated: None,
            };
            assert_eq!(
                request.fee_max(instructions).ok().map(Amount::base_units),
                lamports.map(u128::from),
                "{limit:?} {price:?} {instructions}"
            );
        }
    }

    #[test]
    fn a_header_says_the_fee_alone() {
        for (stated, lamports) in [
            (0, Some(5000)),
            (1, Some(5001)),
            (u64::MAX - 5000, Some(u64::MAX)),
            (u64::MAX - 4999, None),
        ] {
            let mut request = Request::stated(Some(stated));
            let fee = request.fee_max(60).ok().map(Amount::base_units);
            assert_eq!(fee, lamports.map(u128::from), "{stated}");
            for setting in [Setting::UnitLimit(1), Setting::UnitPrice(1)] {
                let refused = Err(SolanaError::ComputeBudgetInstruction);
                assert_eq!(request.add(setting), refused);
            }
        }
    }
}
