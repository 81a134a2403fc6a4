//! Second tries of a run: which payment a request names as replaced, and what a payment went through before
//! it was signed; and what its bytes do.

use waiaas_shared::address::Account;
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Violation;
use waiaas_shared::event::Replaces;
use waiaas_shared::ids::{OwnerId, TransactionId};

use super::book::{Book, Earlier};
use super::requests::same;
use super::run::{Checked, Run};
use super::step::Pay;
use super::wanted::{Wanted, What, again};
use crate::model::decoder;
use crate::model::people::{bytes, fee};
use crate::model::policy::Asking;

impl Run {
    /// A request may name a payment of before: mostly of the same again.
    pub(super) fn second_try(&self, pay: &Pay, wanted: &mut Wanted) {
        let Some((which, same, by_payer)) = pay.replaces else {
            return;
        };
        let solana = |name: &TransactionId| {
            let paid = self.book.paid.get(name);
            paid.is_some_and(|paid| matches!(paid.asking.chain, ChainId::Solana(_)))
        };
        let names = self.names_of_payments.iter().rev().copied();
        let (of_solana, others): (Vec<_>, Vec<_>) = names.partition(solana);
        let names = if of_solana.is_empty() {
            others
        } else {
            of_solana
        };
        let Some(name) = names.get(which % names.len().max(1)).copied() else {
            return;
        };
        wanted.replaces = Some(name);
        if let Some(paid) = self.book.paid.get(&name) {
            let asking = &paid.asking;
            // A call is of its own chain: by another wallet it names nothing of its own.
            let on_solana = matches!(asking.chain, ChainId::Solana(_));
            let elsewhere = match wanted.what {
                What::Calls(_) => on_solana,
                What::Runs(_) => !on_solana,
                _ => false,
            };
            if elsewhere && asking.called().is_some() {
                return;
            }
            let mut wallets = self.book.wallets.iter();
            let place = wallets.position(|wallet| wallet.id == asking.wallet);
            wanted.wallet = place.unwrap_or(wanted.wallet);
            if by_payer {
                wanted.session = asking.session;
            }
            // A call names its contract, of which nothing is tried again.
            if asking.called().is_none() {
                wanted.what = again(asking);
            }
            if let (false, What::Pays { items, memo, .. }) = (same, &mut wanted.what) {
                match pay.memo {
                    Some(which) if matches!(asking.chain, ChainId::Solana(_)) => {
                        *memo = Some(format!("try {which}"));
                    }
                    _ => items[0].amount += 1,
                }
            }
            wanted.fee = fee(asking.chain, pay.price);
        }
    }
}

/// What a payment went through, beside what it asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Went {
    pub(super) replaces: Option<Earlier>,
    pub(super) waited: Option<(u64, Vec<OwnerId>)>,
    /// Broken rules of which owners read meanwhile.
    pub(super) told: Vec<Violation>,
}

impl Book {
    /// The payment that another one replaces, and how many there were for the same end with it.
    pub(super) fn earlier(&self, named: Option<TransactionId>) -> Option<Earlier> {
        let named = named?;
        let before = self.paid.get(&named)?.replaces;
        Some((named, before.map_or(0, |(_, tries)| tries) + 1))
    }
}

pub(super) const fn replaced((transaction, tries): Earlier) -> Replaces {
    Replaces { transaction, tries }
}

/// The bytes, read a second time.
pub(super) fn does(
    from: &Account,
    unsigned: &[u8],
    asking: &Asking,
    nonce: Option<u64>,
) -> Checked {
    let read = decoder::read(&bytes(from), unsigned).ok_or("bytes that nobody can read")?;
    if !read.does(asking) {
        return Err(format!("{read:?}, expected {asking:?}"));
    }
    let chain = match asking.chain {
        ChainId::Evm(id) => nonce.map(|nonce| (id, nonce)),
        ChainId::Solana(_) => None,
    };
    same("chain and nonce", read.evm, chain)
}
