//! What was observed of a payment, part by part: its charges, what waits for it, and of what kind it is.

use std::collections::BTreeMap;

use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::intent::Intent;
use waiaas_shared::request::Action;

use super::requests::same;
use super::run::{Checked, Run};
use crate::model::asking::{Does, Told};
use crate::model::people::bytes;
use crate::model::policy::Asking;

impl Run {
    /// What kinds of payment were signed.
    pub(super) fn count_kind(&mut self, asking: &Asking) {
        let kinds = [
            ("batch", asking.parts.len() > 1 && asking.called().is_none()),
            ("program", asking.ran.is_some()),
            ("memo", asking.memo.is_some()),
            ("rent", asking.rent > 0),
            (
                "allowance",
                asking.parts.iter().any(|one| one.does == Does::LetsTake),
            ),
            ("call", asking.told.is_some()),
            ("spends", asking.told.is_some() && asking.parts.len() > 1),
            (
                "ERC-20",
                asking.told.is_none()
                    && asking.asset() != asking.native()
                    && matches!(asking.chain, ChainId::Evm(_)),
            ),
        ];
        for (kind, is) in kinds {
            if is {
                self.count(kind);
            }
        }
    }
}

/// Charges as an event lists them.
pub(super) fn charged(charges: &[waiaas_shared::event::Charge]) -> BTreeMap<AssetId, u128> {
    let charges = charges.iter();
    charges
        .map(|one| (one.asset, one.amount.base_units()))
        .collect()
}

/// What waits is what was asked, to the last part.
pub(super) fn waits_for(intent: &Intent, asking: &Asking) -> Checked {
    let first = (intent.asset, bytes(&intent.to), intent.amount.base_units());
    let more = intent.more.iter().flatten();
    let more = more.map(|one| (one.asset, bytes(&one.to), one.amount.base_units()));
    let of_intent: Vec<_> = [first].into_iter().chain(more).collect();
    // What arguments of a call let leave follows from the call.
    let most = if asking.called().is_some() {
        1
    } else {
        usize::MAX
    };
    let parts = asking.parts.iter().take(most);
    let parts = parts.map(|part| (part.asset, bytes(&part.to.account()), part.amount));
    same("parts", of_intent, parts.collect())?;
    let memo = intent.memo.as_ref().map(|memo| memo.as_str());
    same("memo", memo, asking.memo.as_deref())?;
    let does = match intent.action {
        None => Does::Pays,
        Some(Action::Approve) => Does::LetsTake,
        Some(_) => Does::Carries,
    };
    same(
        "action",
        Some(does),
        asking.parts.first().map(|part| part.does),
    )?;
    let ran = intent.program.as_ref().map(|told| {
        let accounts = told.accounts.iter().map(|one| *one.as_bytes());
        (accounts.collect::<Vec<_>>(), told.data.clone())
    });
    let wanted = asking.ran.as_ref().map(|ran| {
        let accounts = ran.places.iter().map(|(key, _)| *key);
        (accounts.collect::<Vec<_>>(), ran.data.clone())
    });
    same("program", ran, wanted)?;
    let told = intent.call.as_ref().map(|call| Told {
        from: call.from,
        function: call.function.to_string(),
        words: call.arguments.iter().map(|word| *word.as_bytes()).collect(),
        spends: call.spends.clone(),
    });
    same("call", told, asking.told.clone())
}
