//! A waiting call of a contract, and a policy that lets it be called. Only values. Used by `samples`.

use super::samples::{USDC, first_policy, intent, read, transaction_id, units};
use super::*;
use crate::amount::Decimals;
use crate::evm::abi::{Invocation, Word};
use crate::policy::document::{Accepts, ArgumentRule, AssetRule, CallFunction, CallRule};
use crate::policy::evaluate::Tier;
use crate::request::Action;

const VAULT: &str = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB";
const SIGNATURE: &str = "deposit(uint256,address)";

/// Twelve and a half units of a token into a vault, for the wallet itself.
pub(in crate::statement) fn deposit(number: u8) -> Intent {
    let own = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
    let arguments = ["12500000".to_owned(), own.to_owned()];
    let told = Invocation::read(read(own), read(SIGNATURE), &arguments).expect("its arguments");
    Intent {
        transaction: transaction_id(number),
        asset: read("eip155:1/slip44:60"),
        to: read(VAULT),
        amount: units(0),
        action: Some(Action::Call),
        call: Some(Box::new(Invocation {
            spends: vec![Some(read(USDC)), None],
            ..told
        })),
        ..intent(1)
    }
}

/// The first policy with the vault's function.
pub(in crate::statement) fn policy() -> PolicyDocument {
    let mut document = first_policy();
    let token: AssetId = read(USDC);
    let coin = token.chain().native_asset();
    for (asset, symbol, places) in [(token, "USDC", 6), (coin, "ETH", 18)] {
        if document.asset(asset).is_none() {
            let decimals = Decimals::new(places).expect("in range");
            document.assets.push(AssetRule {
                outstanding: Some(units(0)),
                ..AssetRule::closed(asset, symbol, decimals)
            });
        }
    }
    let function = CallFunction {
        signature: read(SIGNATURE),
        arguments: vec![
            ArgumentRule {
                accepts: Accepts::Max(Word::from_number(20_000_000)),
                spends: Some(token),
            },
            ArgumentRule {
                accepts: Accepts::Wallet,
                spends: None,
            },
        ],
    };
    let target = read(&format!("eip155:1:{VAULT}"));
    document.calls = vec![CallRule::of_function(target, function, Tier::Approval)];
    document.sort();
    assert_eq!(document.check(), Ok(()));
    document
}
