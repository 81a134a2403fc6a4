//! Stage 4, tier: sign now, wait, or ask. The signer alone decides the tier. What the owner is to be
//! told of a payment leaves here.

use waiaas_shared::policy::evaluate::Tier;

use crate::payment::Payment;

/// Tells the owner of a payment that asks for it: once it is signed, or once it waits. The log line is
/// the only channel of this version.
pub fn told(payment: &Payment) {
    let facts = &payment.facts;
    let what = match facts.tier {
        Tier::Instant => return,
        Tier::Notify => "a payment that the owner is to be told of was signed",
        Tier::Delay => "a payment waits for its delay: the owner may cancel it",
        Tier::Approval => "a payment waits for its owners' signatures",
    };
    tracing::info!(
        transaction = %facts.id,
        wallet = %facts.wallet,
        asset = %facts.asset,
        amount = %facts.amount,
        transfers = facts.more.len() + 1,
        "{what}"
    );
}
