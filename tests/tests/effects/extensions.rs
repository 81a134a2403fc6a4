//! What Token-2022 has beside `TransferChecked`: instructions of its extensions, which are refused, and accounts
//! that a mint's hook would ask for. What such a mint takes of a transfer is counted gross, because nothing but the
//! amount that leaves is read.

use waiaas_shared::solana::TokenProgram;

use crate::random::Random;
use crate::solana::{Draft, Use};

/// A transfer of the program becomes something of an extension.
pub(crate) fn change(random: &mut Random, draft: &mut Draft) {
    let program = *TokenProgram::Token2022.id().as_bytes();
    let more = Use(random.pick(&draft.pool), random.chance(50));
    let transfers = draft.told.iter_mut().filter(|told| told.program == program);
    let Some(told) = transfers.last() else {
        return;
    };
    let amount: Vec<u8> = told.data.get(1..).unwrap_or_default().to_vec();
    let fee = random.next() >> random.below(64);
    match random.below(6) {
        // TransferFeeExtension: TransferCheckedWithFee, and what takes withheld fees out.
        0 | 1 => told.data = [&[26, 1][..], &amount, &fee.to_le_bytes()].concat(),
        2 => told.data = vec![26, random.byte() % 6],
        // CPI guard, memo transfers, confidential transfers, metadata and the rest.
        3 => told.data = [&[24 + random.byte() % 20][..], &amount].concat(),
        // A fee behind what is read.
        4 => told.data.extend(fee.to_le_bytes()),
        // A hook's accounts.
        _ => told.uses.push(more),
    }
}
