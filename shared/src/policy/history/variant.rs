//! One more transaction for an issued nonce, as the sums count it (invariant 6): of all transactions of a
//! nonce one lands at most, so a part of the earlier charge moves to the new one's time and only the
//! excess is added. A window that the earlier charge has left counts the new one whole.

use std::collections::BTreeMap;

use super::{Charged, SessionHistory, WalletHistory, charge, uncharge};
use crate::amount::Amount;
use crate::caip::AssetId;
use crate::policy::evaluate::received;
use crate::policy::windows::Usage;

impl WalletHistory {
    /// `taken` back of an earlier transaction of the nonce, `new` charged. With `whole` it is the same
    /// payment: it counts once, at the new one's time, with what its recipients get. Without, the new one
    /// pays nobody and is no payment: amounts move, and the earlier one counts on where it is.
    pub fn vary(&mut self, taken: &Charged<'_>, new: &Charged<'_>, whole: bool) {
        moved(&mut self.assets, taken, new, whole);
        if whole {
            self.payments.uncharge(taken.at, Amount::ZERO);
            self.payments.charge(new.at, Amount::ZERO);
            for (key, amount) in received(new.chain, new.effects) {
                let usage = self.recipients.entry(key).or_default();
                usage.uncharge(taken.at, amount);
                usage.charge(new.at, amount);
            }
            self.last = Some(new.at);
        }
        for (asset, amount) in taken.charges {
            if let Some(sum) = self.outstanding.get_mut(asset) {
                *sum = sum.remaining_after(*amount);
            }
        }
        for (asset, amount) in new.charges {
            if let Some(sum) = self.outstanding.get_mut(asset) {
                *sum = sum.checked_add(*amount).unwrap_or(Amount::MAX);
            }
        }
    }
}

impl SessionHistory {
    /// As [`WalletHistory::vary`].
    pub fn vary(&mut self, taken: &Charged<'_>, new: &Charged<'_>, whole: bool) {
        moved(&mut self.assets, taken, new, whole);
        if whole {
            self.payments.uncharge(taken.at, Amount::ZERO);
            self.payments.charge(new.at, Amount::ZERO);
            self.last = Some(new.at);
        }
    }
}

fn moved(
    assets: &mut BTreeMap<AssetId, Usage>,
    taken: &Charged<'_>,
    new: &Charged<'_>,
    whole: bool,
) {
    if whole {
        uncharge(assets, taken);
        charge(assets, new);
        return;
    }
    for (asset, amount) in taken.charges {
        if let Some(usage) = assets.get_mut(asset) {
            usage.take(taken.at, *amount);
        }
    }
    for (asset, amount) in new.charges {
        assets.entry(*asset).or_default().add(new.at, *amount);
    }
}
