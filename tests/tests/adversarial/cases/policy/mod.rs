//! Policies to attack.

pub(super) mod counter;
pub(super) mod document;
mod pool;

use waiaas_shared::amount::Amount;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::stage::EVM;

fn adoption(document: &PolicyDocument) -> StatementFacts {
    StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    }
}

fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

/// Sets every limit of the EVM chain's coin.
fn limit(document: &mut PolicyDocument, per_transaction: u128, window: u128) {
    for rule in document
        .assets
        .iter_mut()
        .filter(|rule| rule.asset == EVM.native_asset())
    {
        rule.instant_up_to = units(per_transaction);
        rule.notify_up_to = units(per_transaction);
        rule.delay_up_to = rule.notify_up_to;
        rule.approve_up_to = rule.notify_up_to;
        rule.per_transaction = units(per_transaction);
        for of_window in [
            &mut rule.hour,
            &mut rule.day,
            &mut rule.week,
            &mut rule.month,
        ] {
            *of_window = units(window);
        }
        rule.outstanding = Some(units(window));
        rule.fee_ceiling = Some(units(per_transaction));
    }
}

/// Looser in as few words as the owner's text has room for.
fn loosen(document: &mut PolicyDocument, per_transaction: u128) {
    let rules = document.assets.iter_mut();
    for rule in rules.filter(|rule| rule.asset == EVM.native_asset()) {
        rule.notify_up_to = units(per_transaction);
        rule.delay_up_to = rule.notify_up_to;
        rule.approve_up_to = rule.notify_up_to;
        rule.per_transaction = units(per_transaction);
    }
}
