//! Waiting payments about stake accounts, and a policy that names the validator. Only values. Used by the tests of
//! texts.

use super::samples::{first_policy, intent, read, transaction_id, units, wallet_id};
use super::*;
use crate::address::SolanaAddress;
use crate::intent::Wait;
use crate::policy::document::Validator;
use crate::request::Action;
use crate::solana::{STAKE_RENT, StakeAccount};

const VOTE: &str = "9QU2QSxhb24FUX3Tu2FpczXjpK3VYrvRudywSZaM29mF";
const COIN: &str = "solana:localnet/slip44:501";

/// 9: stakes two and a half coins; 10: unstakes them; 11: takes them back.
pub(in crate::statement) fn stakes(number: u8) -> Intent {
    // As the view has wallet 1.
    let wallet = SolanaAddress::from_bytes([1; 32]);
    let account = StakeAccount::of(wallet, read("june-1"));
    let own = Account::Solana(account.address());
    let (action, to, amount) = match number {
        9 => (Action::Stake, read(VOTE), 2_500_000_000),
        10 => (Action::Unstake, own, 0),
        _ => (Action::WithdrawStake, own, 0),
    };
    Intent {
        transaction: transaction_id(number),
        wallet: wallet_id(1),
        asset: read(COIN),
        to,
        amount: units(amount),
        fee_ceiling: units(10_000),
        rent_ceiling: (action == Action::Stake).then(|| units(STAKE_RENT.into())),
        wait: Wait::Approval { quorum: 1 },
        action: Some(action),
        stake: Some(account),
        ..intent(1)
    }
}

/// The first policy with the validator.
pub(in crate::statement) fn policy() -> PolicyDocument {
    let mut document = first_policy();
    document.validators = Some(vec![Validator {
        account: read(&format!("solana:localnet:{VOTE}")),
        name: "validator-one".to_owned(),
    }]);
    document.sort();
    assert_eq!(document.check(), Ok(()));
    document
}
