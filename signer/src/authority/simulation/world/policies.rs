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
            per_transaction: units(numbers.per_transaction),
            hour: units(hour),
            day: units(day),
            week: units(week),
            month: units(month),
            counts: Counts {
                day: numbers.day_count,
                ..Counts::default()
            },
            instant_up_to: units(numbers.instant_up_to),
            notify_up_to: units(numbers.notify_up_to),
            delay_up_to: units(numbers.notify_up_to),
            approve_up_to: units(numbers.notify_up_to),
            fee_ceiling: numbers.fee_ceiling.map(units),
            outstanding: numbers.outstanding.map(units),
            ..AssetRule::closed(
                chain.native_asset(),
                "COIN",
                Decimals::new(9).expect("in range"),
            )
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
        maturity: Millis::from_millis(policy.maturity),
        assets: assets.collect(),
        recipients: recipients.collect(),
        ..PolicyDocument::closed(policy.epoch)
    };
    document.sort();
    document
}
