//! A policy document in words, as an owner reads it before adopting. Informs; the signer's own text is
//! what is signed.

use std::fmt::Write as _;

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};

/// The whole document.
pub(crate) fn words(document: &PolicyDocument) -> String {
    let waits = crate::duration::counted(document.maturity.millis() / 3_600_000, "hour");
    let mut text = format!(
        "Policy epoch {}. A later policy waits {waits} before this one stops binding.\n\
         What is not named here is refused.\n",
        document.epoch
    );
    for rule in &document.assets {
        text.push('\n');
        text.push_str(&asset(rule));
    }
    text.push('\n');
    if document.recipients.is_empty() {
        text.push_str("Nobody may receive: every payment is refused.\n");
    } else {
        text.push_str("Only these may receive:\n");
    }
    for known in &document.recipients {
        let _infallible = writeln!(
            text,
            "  @{}  {}{}",
            known.name,
            known.account,
            worth(known.account.chain())
        );
    }
    text
}

fn asset(rule: &AssetRule) -> String {
    let shown =
        |amount: Amount| format!("{} {}", amount.format_decimal(rule.decimals), rule.symbol);
    let mut lines = vec![
        format!("signed at once up to {}", shown(rule.instant_up_to)),
        format!(
            "signed at once and told to you up to {}; above, refused",
            shown(rule.notify_up_to)
        ),
        format!(
            "at most {} a transaction, fee included",
            shown(rule.per_transaction)
        ),
        format!(
            "per wallet at most {} in any hour, {} in any 24 hours, {} in any 7 days, {} in any 30 days",
            shown(rule.hour),
            shown(rule.day),
            shown(rule.week),
            shown(rule.month)
        ),
    ];
    if let Some(count) = rule.day_count {
        lines.push(format!(
            "per wallet at most {count} transactions in any 24 hours"
        ));
    }
    if let Some(ceiling) = rule.fee_ceiling {
        lines.push(format!("at most {} of fee a transaction", shown(ceiling)));
    } else if rule.asset == rule.asset.chain().native_asset() {
        lines.push("no fee may be paid in it: nothing can be sent on this network".to_owned());
    }
    if let Some(cap) = rule.outstanding {
        lines.push(format!(
            "at most {} signed between two attestations of the nonce",
            shown(cap)
        ));
    }
    if rule.sign_only {
        lines.push("may be signed without being sent: such a signature does not expire".to_owned());
    }
    let mut text = format!(
        "{} is {}{}\n",
        rule.symbol,
        rule.asset,
        worth(rule.asset.chain())
    );
    for line in lines {
        let _infallible = writeln!(text, "  {line}");
    }
    text
}

fn worth(chain: ChainId) -> &'static str {
    if chain.is_test_network() {
        ", a test network"
    } else {
        ", real value"
    }
}

#[cfg(test)]
mod tests {
    use waiaas_shared::policy::toml_form;

    use super::*;

    /// The example of the documentation, in words: the golden file is what `waiaas policy check` says.
    #[test]
    fn the_example_in_words() {
        let example = include_str!("../../docs/examples/policy.toml");
        let document = toml_form::parse(example).unwrap();
        assert_eq!(
            words(&document),
            include_str!("../tests/golden/policy-example.txt")
        );
    }
}
