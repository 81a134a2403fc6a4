//! Payments whose nonce was signed once more, and one that keeps the fee it was agreed to. Only values:
//! nothing is checked here. Used by `samples`.

use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{Charge, EventBody, Spend, Variant};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::time::BudgetTime;

use crate::samples::bytes;

fn charge(chain: ChainId, amount: u128) -> Charge {
    Charge {
        asset: chain.native_asset(),
        amount: Amount::from_base_units(amount),
    }
}

pub(crate) fn about_variants(first: &Spend, wallet: Account) -> Vec<(String, EventBody)> {
    let chain = first.chain;
    let native = chain.native_asset();
    let with_fee = |to: Account, amount: Amount, max: u128| {
        let max = Amount::from_base_units(max);
        vec![
            Effect::Transfer {
                asset: native,
                to,
                amount,
            },
            Effect::Fee { asset: native, max },
        ]
    };
    let (to, amount) = first
        .effects
        .iter()
        .find_map(|effect| match effect {
            Effect::Transfer { to, amount, .. } => Some((*to, *amount)),
            _ => None,
        })
        .expect("a payment");
    let sped_up = Spend {
        transaction: TransactionId::from_bytes(bytes(0x52)),
        effects: with_fee(to, amount, 42_000),
        charges: vec![charge(chain, (1 << 64) + 42_000)],
        idempotency: Variant::key(first.transaction),
        body: hash(Domain::RequestBody, &[b"pay", &first.unsigned]),
        request_nonce: None,
        ..first.clone()
    };
    let of_first = Variant {
        of: first.transaction,
        first: first.transaction,
        number: 1,
        cancels: false,
        charged_at: BudgetTime::from_millis(60_000),
        taken: first.charges.clone(),
        kept: vec![],
    };
    let cancelled = Spend {
        transaction: TransactionId::from_bytes(bytes(0x53)),
        effects: with_fee(wallet, Amount::ZERO, 63_000),
        charges: vec![charge(chain, 63_000)],
        idempotency: Variant::key(sped_up.transaction),
        body: hash(Domain::RequestBody, &[b"cancel"]),
        ..sped_up.clone()
    };
    let of_second = Variant {
        of: sped_up.transaction,
        number: 2,
        cancels: true,
        taken: vec![charge(chain, 63_000)],
        kept: vec![charge(chain, (1 << 64) - 21_000)],
        ..of_first.clone()
    };
    let waited = Spend {
        fee_ceiling: Some(Amount::from_base_units(50_000)),
        request_nonce: None,
        ..first.clone()
    };
    let replaced = |spend, variant| EventBody::SpendReplaced { spend, variant };
    [
        ("spend-replaced", replaced(sped_up, of_first)),
        ("spend-replaced-cancels", replaced(cancelled, of_second)),
        ("spend-committed-ceiling", EventBody::SpendCommitted(waited)),
    ]
    .into_iter()
    .map(|(name, body)| (name.to_owned(), body))
    .collect()
}
