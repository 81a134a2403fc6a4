//! After every step, what the signer counts is what the book counts: what each wallet spent in every window, within
//! what a bucket may add, its payments, which entries were credited, and how much each wallet ever signed.

use std::collections::{BTreeMap, BTreeSet};

use waiaas_shared::policy::windows::Window;
use waiaas_shared::time::BudgetTime;

use super::agrees::same;
use super::book::Book;
use super::run::Checked;
use crate::core::state::State;
use crate::model::charges::{Bounds, Charge};
use crate::model::people::token_on;

pub(super) fn tallies(state: &State, book: &Book) -> Checked {
    for wallet in &book.wallets {
        let history = state.wallets.get(&wallet.id).map(|known| &known.history);
        let history = history.ok_or("a wallet is gone")?;
        let of = |charge: &Charge| charge.wallet == wallet.id;
        let now = book.now().budget;
        let budget = BudgetTime::from_millis(now);
        for (place, window) in Window::ALL.into_iter().enumerate() {
            for asset in [wallet.chain.native_asset(), token_on(wallet.chain)] {
                let spent = history.asset(asset);
                let spent = spent.map_or(0, |usage| usage.spent(window, budget).base_units());
                let value = |charge: &Charge| charge.of(asset);
                let bounds = book.charges.sum(place, now, None, &of, &value);
                within("spent in a window", spent, bounds)?;
            }
            let made = history.payments().count(window, budget);
            let bounds = book.charges.sum(place, now, None, &of, &Charge::once);
            within("payments in a window", made.into(), bounds)?;
        }
    }
    let credited = book.paid.values().filter(|paid| paid.credited);
    let credited: BTreeSet<u64> = credited.map(|paid| paid.sequence).collect();
    same("credited", state.credited.clone(), credited)?;
    let some = |signed: &BTreeMap<_, u64>| -> BTreeMap<_, u64> {
        let signed = signed.iter().filter(|(_, number)| **number > 0);
        signed.map(|(wallet, number)| (*wallet, *number)).collect()
    };
    same(
        "ever signed",
        some(&state.watch.signed),
        some(&book.alarms.signed),
    )
}

fn within(what: &str, signer: u128, book: Bounds) -> Checked {
    if (book.least..=book.most).contains(&signer) {
        Ok(())
    } else {
        Err(format!(
            "{what}: the signer has {signer}, the book {} to {}",
            book.least, book.most
        ))
    }
}
