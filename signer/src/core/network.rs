//! What the binding documents say of an EVM network: forms of transaction, and the fee for data that counts in
//! each. Never what a gateway says. Called by the decisions that read or build EVM bytes.

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::policy::network::network_terms;
use waiaas_shared::time::Clocks;

use super::state::State;

/// The terms for an agent's transactions.
pub(super) fn terms(state: &State, chain: ChainId, now: Clocks) -> NetworkTerms {
    let binding = state.binding(now.run).iter();
    network_terms(binding.map(|policy| policy.document.as_ref()), chain)
}

/// The most that a document makes a withdrawal count for data: far beyond any fee, and its sum with gas and
/// amount still fits into 128 bits.
const COUNTED: Amount = Amount::from_base_units(u128::MAX >> 2);

/// The terms for an owner's withdrawal, which no document may block: any form, and what documents that
/// are not void know of the fee for data. What the withdrawal may cost in all is what the owner signed.
pub(super) fn of_withdrawal(state: &State, chain: ChainId, now: Clocks) -> NetworkTerms {
    let sound = state.binding(now.run).iter().filter(|one| !one.is_void());
    let known = network_terms(sound.map(|policy| policy.document.as_ref()), chain);
    NetworkTerms {
        legacy: true,
        data_fee: Some(known.data_fee().min(COUNTED)),
    }
}
