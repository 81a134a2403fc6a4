//! Budgets of several wallets and in USD, where a policy holds at once and ends the one before it: no
//! change of pools, windows, assets or prices frees what was spent (parts of P18 and P25).

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::policy::document::{PolicyDocument, UsdPrice};
use waiaas_shared::policy::limits::Limits;
use waiaas_shared::policy::scope::{AssetLimits, Pool, Scope, ScopeRule};
use waiaas_tests::agent::Transfer;
use waiaas_tests::stage::EVM;

use super::units;
use crate::cases::time::FEE;
use crate::rig::Rig;
use crate::stand::fee_mint;

/// Of each payment here, fee included: signed at once.
const CHARGE: u128 = 500_000_000_000_000;
/// Payments that the pool has room for.
const ROOM: u128 = 6;

fn pay_from(rig: &mut Rig, other: bool) -> Result<waiaas_client::SpendRequest> {
    let from = if other {
        rig.cast.other_evm
    } else {
        rig.cast.evm
    };
    let transfer = Transfer {
        from,
        ..rig.to_evm(CHARGE - FEE)
    };
    let key = rig.fresh_key();
    let agent = if other {
        &rig.cast.other
    } else {
        &rig.cast.agent
    };
    agent.request(&transfer, &key)
}

/// Pools of these names and wallets, each with room for [`ROOM`] payments in an hour.
fn pooled(document: &mut PolicyDocument, pools: &[(&str, &[WalletId])]) {
    document.pools = pools
        .iter()
        .map(|(name, wallets)| Pool {
            name: (*name).to_owned(),
            wallets: wallets.to_vec(),
        })
        .collect();
    document.scopes = pools
        .iter()
        .map(|(name, _)| {
            let hour = Some(units(CHARGE * ROOM));
            ScopeRule {
                limits: vec![AssetLimits {
                    asset: EVM.native_asset(),
                    limits: Limits {
                        hour,
                        day: hour,
                        ..Limits::default()
                    },
                }],
                ..ScopeRule::new(Scope::Pool((*name).to_owned()))
            }
        })
        .collect();
}

fn change(rig: &mut Rig, change: impl FnOnce(&mut PolicyDocument)) -> Result<()> {
    let document = rig.next_policy(change)?;
    rig.adopt(&document)?;
    let binding = rig.block(rig.gateway().policy())?.len();
    ensure!(binding == 1, "{binding} documents bind on test networks");
    Ok(())
}

/// A hub and its spoke: what each spent counts wherever both are.
pub(super) fn pools_shed_nothing(rig: &mut Rig) -> Result<String> {
    let (hub, spoke) = (rig.cast.evm.wallet, rig.cast.other_evm.wallet);
    let (both, alone) = ([hub, spoke], [hub]);
    change(rig, |document| pooled(document, &[("team", &both)]))?;
    for other in [false, true, false, true, false, true] {
        let request = pay_from(rig, other)?;
        rig.send(&request).context("inside the pool's budget")?;
    }
    let mut tried = 0;
    let mut refused = |rig: &mut Rig, what: &str| -> Result<()> {
        for other in [false, true] {
            let request = pay_from(rig, other)?;
            rig.refuse(what, request, &[Code::HourLimit])?;
            tried += 1;
        }
        Ok(())
    };
    refused(rig, "the pool is used up")?;
    // Under another name; split in two and together again; without an hour, and with one again.
    change(rig, |document| pooled(document, &[("another", &both)]))?;
    refused(rig, "a pool of another name")?;
    change(rig, |document| {
        pooled(document, &[("hub", &alone), ("spoke", &[spoke])])
    })?;
    let own = pay_from(rig, false)?;
    rig.send(&own).context("its own pool has room")?;
    change(rig, |document| pooled(document, &[("team", &both)]))?;
    refused(rig, "together again")?;
    change(rig, |document| pooled(document, &[]))?;
    let outside = pay_from(rig, true)?;
    rig.send(&outside).context("without a pool")?;
    change(rig, |document| pooled(document, &[("team", &both)]))?;
    refused(rig, "what was spent outside counts inside")?;
    // Windows of other lengths, other assets, and the whole table gone for a while.
    change(rig, |document| {
        for rule in &mut document.scopes {
            for entry in &mut rule.limits {
                entry.limits.hour = None;
            }
        }
    })?;
    for other in [false, true] {
        let request = pay_from(rig, other)?;
        rig.refuse("by the day", request, &[Code::DayLimit])?;
    }
    change(rig, |document| {
        pooled(document, &[]);
        document.assets.clear();
        document.calls.clear();
    })?;
    let gone = pay_from(rig, false)?;
    rig.refuse("no asset", gone, &[Code::AssetNotListed])?;
    let mut first = rig.cast.policy.clone();
    // As much as one text shows whole.
    first.assets.retain(|rule| rule.asset != fee_mint());
    change(rig, |document| {
        *document = PolicyDocument {
            epoch: document.epoch,
            ..first
        };
        pooled(document, &[("team", &both)]);
    })?;
    refused(rig, "the table back again")?;
    // A new session, and its count, begins no new budget.
    let transfer = rig.to_evm(CHARGE - FEE);
    let bearer = rig.invented(&transfer)?;
    rig.refuse("another session", bearer, &[Code::HourLimit])?;
    rig.use_up("the pool is used up");
    Ok(format!(
        "{} payments of a pool behind 9 changes of pools, windows and assets refused",
        tried + 3
    ))
}

/// Limits in USD: the price is the document's, and reprices what was spent.
pub(super) fn prices_of_the_owner(rig: &mut Rig) -> Result<String> {
    // 2000 dollars a coin here, 100 there; at most four dollars an hour over everything.
    let in_usd = |price: u64, hour: u128| {
        move |document: &mut PolicyDocument| {
            for rule in &mut document.assets {
                let evm = rule.asset == EVM.native_asset();
                rule.price = evm.then_some(UsdPrice(price));
            }
            let limits = Limits {
                hour: Some(units(hour)),
                ..Limits::default()
            };
            document.scopes = vec![ScopeRule {
                usd: Some(limits),
                ..ScopeRule::new(Scope::Global)
            }];
        }
    };
    let dollars = |number: u128| number * 1_000_000;
    // Each payment is worth one dollar at 2000 a coin.
    change(rig, in_usd(2_000_000_000, dollars(4)))?;
    let mut tried = 0;
    for other in [false, true, false, true] {
        let request = pay_from(rig, other)?;
        rig.send(&request).context("four dollars")?;
    }
    let mut refused = |rig: &mut Rig, what: &str, code: Code| -> Result<()> {
        for other in [false, true] {
            let request = pay_from(rig, other)?;
            rig.refuse(what, request, &[code])?;
            tried += 1;
        }
        Ok(())
    };
    refused(rig, "a fifth dollar", Code::UsdLimit)?;
    // A higher price makes all of it worth more, the spent part too; a lower one only by the owner's hand.
    change(rig, in_usd(4_000_000_000, dollars(8)))?;
    refused(rig, "at twice the price", Code::UsdLimit)?;
    for price in [u64::MAX, u64::MAX / 2, 1 << 40] {
        change(rig, in_usd(price, dollars(1000)))?;
        refused(rig, "at the highest prices", Code::UsdLimit)?;
    }
    // Without a price nothing that is limited in USD passes, neither it nor another asset beside it.
    change(rig, |document| {
        in_usd(1, dollars(4))(document);
        document
            .assets
            .iter_mut()
            .for_each(|rule| rule.price = None);
    })?;
    refused(rig, "without a price", Code::UsdPriceMissing)?;
    let transfer = rig.to_solana(5);
    let beside = rig.request(&transfer)?;
    rig.refuse("an asset without a price", beside, &[Code::UsdPriceMissing])?;
    // At a price so low that a payment rounds down to nothing: it rounds up, against the spender.
    change(rig, in_usd(1, 2))?;
    let one = pay_from(rig, false)?;
    rig.refuse("a crumb of a dollar", one, &[Code::UsdLimit])?;
    change(rig, in_usd(2_000_000_000, dollars(5)))?;
    let last = pay_from(rig, true)?;
    rig.send(&last)
        .context("the fifth dollar, by the owner's hand")?;
    refused(rig, "a sixth", Code::UsdLimit)?;
    rig.use_up("the budget in USD is used up");
    Ok(format!(
        "{} payments above the owner's prices refused",
        tried + 2
    ))
}
