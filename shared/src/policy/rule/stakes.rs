//! Stakes: to which validators coins may be delegated. How much, the limits of the coin say, against which a
//! stake counts in full. What comes back needs no leave of a document: it comes to the wallet, and costs its fee.

use super::{Case, Findings};
use crate::address::Account;
use crate::caip::AccountId;
use crate::denial::{Code, Violation};
use crate::effect::Effect;
use crate::solana::Staking;

pub(super) fn judge(case: &Case<'_>, findings: &mut Findings) {
    for effect in case.payment.effects {
        let Effect::Stake {
            staking: Staking::Delegate { validator, .. },
            ..
        } = effect
        else {
            continue;
        };
        // What cannot be an account of the chain is in no list.
        let account = AccountId::new(case.payment.chain, Account::Solana(*validator)).ok();
        if account.is_some_and(|account| case.document.denies(account)) {
            findings.refuse(Violation::of(Code::RecipientDenied));
        }
        let known = account.and_then(|account| case.document.validator(account));
        if known.is_none() {
            findings.refuse(Violation::of(Code::ValidatorNotListed));
        }
    }
}
