//! The terms of an EVM network as the binding documents state them, each with the network's own coin. What
//! more of them allow holds only if all do; what costs more counts.

use super::document::PolicyDocument;
use crate::amount::Amount;
use crate::caip::ChainId;
use crate::evm::{Form, NetworkTerms};

/// The terms under which a payment passes every one of these documents.
pub fn network_terms<'a>(
    documents: impl IntoIterator<Item = &'a PolicyDocument>,
    chain: ChainId,
) -> NetworkTerms {
    let native = chain.native_asset();
    let mut data_fee: Option<Amount> = None;
    let mut legacy = None;
    for document in documents {
        let rule = document.asset(native);
        let registers = rule.is_some_and(|rule| rule.transactions == Some(Form::Legacy));
        legacy = Some(legacy.unwrap_or(true) && registers);
        data_fee = data_fee.max(rule.and_then(|rule| rule.data_fee));
    }
    NetworkTerms {
        legacy: legacy.unwrap_or(false),
        data_fee,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::document::tests::sample;

    const CHAIN: ChainId = ChainId::Evm(31_337);

    fn document(data_fee: Option<u128>, transactions: Option<Form>) -> PolicyDocument {
        let mut document = sample();
        let rule = document.assets.iter_mut();
        for rule in rule.filter(|rule| rule.asset == CHAIN.native_asset()) {
            rule.data_fee = data_fee.map(Amount::from_base_units);
            rule.transactions = transactions;
        }
        document
    }

    #[test]
    fn every_document_must_register_the_form_and_the_highest_fee_counts() {
        let plain = document(None, None);
        let legacy = document(Some(5), Some(Form::Legacy));
        let dearer = document(Some(7), Some(Form::Legacy));
        let typed = document(Some(6), Some(Form::Eip1559));
        for (documents, allows, fee) in [
            (vec![], false, None),
            (vec![&plain], false, None),
            (vec![&legacy], true, Some(5)),
            (vec![&legacy, &dearer], true, Some(7)),
            (vec![&dearer, &legacy], true, Some(7)),
            (vec![&legacy, &plain], false, Some(5)),
            (vec![&plain, &legacy], false, Some(5)),
            (vec![&typed, &legacy], false, Some(6)),
        ] {
            let terms = network_terms(documents, CHAIN);
            assert_eq!(terms.legacy, allows);
            assert_eq!(terms.data_fee, fee.map(Amount::from_base_units));
        }
        let elsewhere = network_terms([&legacy], ChainId::Evm(1));
        assert_eq!(elsewhere, NetworkTerms::default());
    }
}
