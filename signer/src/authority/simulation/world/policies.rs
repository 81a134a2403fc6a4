//! Policies in plain numbers, and the same numbers as a document.

use super::*;

/// The policy that every world begins with.
pub(crate) fn starting_policy() -> PolicyNumbers {
    let numbers = |outstanding| AssetNumbers {
        per_transaction: 500_000,
        windows: [1_000_000, 1_500_000, 4_000_000, 9_000_000],
        day_count: None,
        instant_up_to: 100_000,
        notify_up_to: 500_000,
        fee_ceiling: Some(50_000),
        outstanding,
    };
    PolicyNumbers {
        epoch: 1,
        maturity: DAY,
        assets: [(solana(), numbers(None)), (EVM, numbers(Some(1_600_000)))].into(),
        recipients: [solana(), EVM]
            .into_iter()
            .flat_map(|chain| [0, 1].map(|which| (chain, bytes(&recipient(chain, which)))))
            .collect(),
    }
}

/// The same numbers as a document.
pub(crate) fn document(policy: &PolicyNumbers) -> PolicyDocument {
    let units = Amount::from_base_units;
    let assets = policy.assets.iter().map(|(chain, numbers)| {
        let [hour, day, week, month] = numbers.windows;
        AssetRule {
            asset: chain.native_asset(),
            symbol: "COIN".to_owned(),
            decimals: Decimals::new(9).expect("in range"),
            per_transaction: units(numbers.per_transaction),
            hour: units(hour),
            day: units(day),
            week: units(week),
            month: units(month),
            day_count: numbers.day_count,
            instant_up_to: units(numbers.instant_up_to),
            notify_up_to: units(numbers.notify_up_to),
            fee_ceiling: numbers.fee_ceiling.map(units),
            outstanding: numbers.outstanding.map(units),
            sign_only: false,
        }
    });
    let recipients = policy.recipients.iter().map(|(chain, to)| {
        let which = to[0] - 40;
        Recipient {
            account: account(*chain, which),
            name: format!("contact-{which}"),
        }
    });
    let mut document = PolicyDocument {
        version: VERSION,
        epoch: policy.epoch,
        maturity: Millis::from_millis(policy.maturity),
        assets: assets.collect(),
        recipients: recipients.collect(),
    };
    document.sort();
    document
}
