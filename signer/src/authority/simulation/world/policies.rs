//! The policy that worlds begin with, and edits of one asset's rule.

use waiaas_shared::address::EvmAddress;
use waiaas_shared::caip::AccountId;
use waiaas_shared::evm::abi::Word;
use waiaas_shared::policy::document::{Accepts, ArgumentRule, CallFunction, CallRule};
use waiaas_shared::policy::evaluate::Tier;

use super::*;
use crate::model::decoder::DECIMALS;

/// Wide limits on both chains, for two contacts; nothing waits. A token on each, and a vault that is paid
/// up to [`DEPOSIT`] of it at once, for the wallet itself.
pub(crate) fn starting_policy() -> PolicyDocument {
    let chains = [solana(), EVM];
    let contacts = chains
        .into_iter()
        .flat_map(|chain| [0, 1].map(|which| (chain, which)));
    let mut document = PolicyDocument {
        maturity: Millis::from_millis(DAY),
        assets: chains
            .into_iter()
            .flat_map(|chain| [starting_rule(chain), token_rule(chain)])
            .collect(),
        calls: vec![deposit_rule()],
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

/// Most of one deposit.
pub(crate) const DEPOSIT: u128 = 3_000;

/// A function of a vault: so much of the token, for whom.
pub(crate) const DEPOSITS: &str = "deposit(uint256,address)";

pub(crate) fn vault() -> AccountId {
    let address = EvmAddress::from_bytes([0x77; 20]);
    AccountId::new(EVM, Account::Evm(address)).expect("of the family")
}

fn deposit_rule() -> CallRule {
    let amount = ArgumentRule {
        accepts: Accepts::Max(Word::from_number(DEPOSIT)),
        spends: Some(token_on(EVM)),
    };
    let whom = ArgumentRule {
        accepts: Accepts::Wallet,
        spends: None,
    };
    let function = CallFunction {
        signature: DEPOSITS.parse().expect("a function"),
        arguments: vec![amount, whom],
    };
    CallRule::of_function(vault(), function, Tier::Instant)
}

/// The rule of a chain's token.
fn token_rule(chain: ChainId) -> AssetRule {
    AssetRule {
        asset: token_on(chain),
        decimals: Decimals::new(DECIMALS).expect("in range"),
        fee_ceiling: None,
        ..starting_rule(chain)
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
