//! Stage 4, tier: sign now, wait, or ask. The signer alone decides the tier; this gateway
//! follows payments that were signed. What the owner is to be told of a NOTIFY
//! payment leaves here.

use waiaas_shared::policy::evaluate::Tier;

use crate::payment::Payment;

/// Tells the owner of a payment that asks for it. The log line is the only channel of this version.
pub fn told(payment: &Payment) {
    let facts = &payment.facts;
    match facts.tier {
        Tier::Instant => {}
        Tier::Notify | Tier::Delay | Tier::Approval => tracing::info!(
            transaction = %facts.id,
            wallet = %facts.wallet,
            asset = %facts.asset,
            amount = %facts.amount,
            "a payment that the owner is to be told of was signed"
        ),
    }
}
