//! The policy that worlds begin with, and edits of one asset's rule.

use super::*;

/// Wide limits on both chains, for two contacts; nothing waits.
pub(crate) fn starting_policy() -> PolicyDocument {
    let chains = [solana(), EVM];
    let contacts = chains
        .into_iter()
        .flat_map(|chain| [0, 1].map(|which| (chain, which)));
    let mut document = PolicyDocument {
        maturity: Millis::from_millis(DAY),
        assets: chains.map(starting_rule).to_vec(),
        recipients: contacts
            .map(|(chain, which)| Recipient {
                account: account(chain, which),
                name: format!("contact-{which}"),
            })
            .collect(),
        ..PolicyDocument::closed(1)
    };
    document.sort();
    document
}

/// The rule of a chain's own coin in that policy.
pub(crate) fn starting_rule(chain: ChainId) -> AssetRule {
    let units = Amount::from_base_units;
    AssetRule {
        per_transaction: units(500_000),
        hour: units(1_000_000),
        day: units(1_500_000),
        week: units(4_000_000),
        month: units(9_000_000),
        instant_up_to: units(100_000),
        notify_up_to: units(500_000),
        delay_up_to: units(500_000),
        approve_up_to: units(500_000),
        fee_ceiling: Some(units(50_000)),
        outstanding: (chain == EVM).then_some(units(1_600_000)),
        ..AssetRule::closed(
            chain.native_asset(),
            "COIN",
            Decimals::new(9).expect("in range"),
        )
    }
}

/// The rule of a chain's own coin, as it is in the starting policy if there is none.
pub(crate) fn rule_of(document: &mut PolicyDocument, chain: ChainId) -> &mut AssetRule {
    let asset = chain.native_asset();
    if !document.assets.iter().any(|rule| rule.asset == asset) {
        document.assets.push(starting_rule(chain));
    }
    let mut rules = document.assets.iter_mut();
    rules.find(|rule| rule.asset == asset).expect("it is there")
}
