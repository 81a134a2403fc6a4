//! Policies changed behind the log's back, so that what was signed breaks them: each must be seen.

use anyhow::{Result, bail};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AccountId, AssetId};
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::policy::document::{PolicyDocument, UsdPrice};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::{Counts, Cumulative, Limits};
use waiaas_shared::policy::scope::{AssetLimits, Scope, ScopeRule};
use waiaas_shared::policy::windows::Window;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::stage::{EVM, EVM_TO, account, solana};

use super::waiting::Change;
use crate::stand::ASKED;

pub(super) fn faults<'a>() -> Vec<(&'static str, &'static str, Change<'a>)> {
    fn changed<'a>(change: impl FnOnce(&mut PolicyDocument) + 'a) -> Change<'a> {
        Box::new(move |events| policy(events, change))
    }
    let hour = |most: u128| Limits {
        hour: Some(Amount::from_base_units(most)),
        ..Limits::default()
    };
    vec![
        (
            "a sum of the hour that asks",
            "not at once",
            changed(|document| {
                for rule in &mut document.assets {
                    rule.cumulative = vec![Cumulative {
                        window: Window::Hour,
                        above: Amount::from_base_units(1),
                        tier: Tier::Delay,
                    }];
                }
            }),
        ),
        (
            "a first payment that asks",
            "not at once",
            changed(|document| document.first_payment = Some(Tier::Approval)),
        ),
        (
            "a quorum of two",
            "a quorum of 1",
            changed(|document| document.approval.quorum = 2),
        ),
        (
            "a budget of everything",
            "1 hours:",
            changed(move |document| {
                limited(document, Scope::Global, EVM.native_asset(), hour(ASKED));
            }),
        ),
        (
            "a session's count",
            "1 in 1 hours",
            changed(|document| {
                let limits = Limits {
                    counts: Counts {
                        hour: Some(1),
                        ..Counts::default()
                    },
                    ..Limits::default()
                };
                let asset = solana().native_asset();
                limited(document, Scope::EverySession, asset, limits);
            }),
        ),
        (
            "a budget in USD",
            "1 hours:",
            changed(move |document| {
                for rule in &mut document.assets {
                    rule.price = Some(UsdPrice(1_000_000_000));
                }
                document.scopes = vec![ScopeRule {
                    usd: Some(hour(1_000_000)),
                    ..ScopeRule::new(Scope::Global)
                }];
            }),
        ),
        (
            "an asset without a price",
            "a price",
            changed(move |document| {
                document.scopes = vec![ScopeRule {
                    usd: Some(hour(u128::MAX)),
                    ..ScopeRule::new(Scope::Global)
                }];
            }),
        ),
        (
            "a recipient's limit",
            "per transaction",
            changed(|document| {
                for rule in &mut document.assets {
                    rule.recipient = Some(Limits {
                        per_transaction: Some(Amount::from_base_units(ASKED - 1)),
                        ..Limits::default()
                    });
                }
            }),
        ),
        (
            "a denied recipient",
            "a denied recipient",
            changed(|document| {
                let denied: AccountId = account(EVM, EVM_TO);
                document.denied = vec![denied];
            }),
        ),
    ]
}

/// Changes the first policy, as if the owner had signed it so.
fn policy(events: &mut [Event], change: impl FnOnce(&mut PolicyDocument)) -> Result<()> {
    for event in events {
        if let EventBody::StatementIssued {
            facts: StatementFacts::AdoptPolicy { document },
            ..
        } = &mut event.body
        {
            let mut read = PolicyDocument::from_bytes(document)?;
            change(&mut read);
            read.sort();
            *document = read.to_bytes();
            return Ok(());
        }
    }
    bail!("a policy")
}

fn limited(document: &mut PolicyDocument, scope: Scope, asset: AssetId, limits: Limits) {
    document.scopes = vec![ScopeRule {
        limits: vec![AssetLimits { asset, limits }],
        ..ScopeRule::new(scope)
    }];
}
