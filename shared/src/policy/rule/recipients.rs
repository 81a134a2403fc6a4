//! Who may receive: contacts, or anybody; never who is denied. What one wallet pays to one recipient,
//! and its first payment to it.

use super::measure::{Measure, Unit};
use super::{Case, Findings, limited};
use crate::denial::{Code, Violation};
use crate::policy::evaluate::{Reason, payments_to};

pub(super) fn judge(case: &Case<'_>, findings: &mut Findings) {
    // What cannot be an account of the chain is in no list.
    let meant = case
        .payment
        .effects
        .iter()
        .filter_map(|effect| Some((effect.asset(), effect.recipient()?)));
    for (asset, account) in meant {
        let known = case
            .received
            .keys()
            .any(|(of, to)| (*of, to.account()) == (asset, account));
        if !known {
            findings.refuse(Violation::of(Code::RecipientNotListed));
        }
    }
    for ((asset, account), sum) in &case.received {
        if case.document.denies(*account) {
            findings.refuse(Violation::of(Code::RecipientDenied));
        }
        if !case.document.recipients_open && case.document.recipient(*account).is_none() {
            findings.refuse(Violation {
                recipient: Some(*account),
                ..Violation::of(Code::RecipientNotListed)
            });
        }
        if !case.wallet.is_some_and(|wallet| wallet.has_paid(*account)) {
            findings.first_payment = true;
            if let Some(tier) = case.document.first_payment {
                findings.raise(tier, Reason::FirstPayment);
            }
        }
        let rule = case.document.asset(*asset);
        if let Some(limits) = rule.and_then(|rule| rule.recipient.as_ref()) {
            let usage = case
                .wallet
                .and_then(|wallet| wallet.recipient(*asset, *account));
            let measure = Measure::of(usage);
            limited(
                limits,
                (*sum, payments_to((*asset, *account), case.payment.effects)),
                &measure,
                Unit::Recipient(*asset, *account),
                case,
                findings,
            );
        }
    }
}
