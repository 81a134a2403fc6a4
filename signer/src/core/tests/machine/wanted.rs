//! What an agent wants, how much of it is at an edge, and the bytes that a gateway proposes for it.

use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::policy::document::PolicyDocument;

use super::book::{Book, Session};
use super::step::{Pay, Size, Spoilt};
use crate::model::charges::Charge;
use crate::model::people::{Terms, account, recipient, transfer};
use crate::model::policy::{Asking, Numbers};

/// What an agent wants, before a contact's name is looked up.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) session: SessionId,
    pub(super) wallet: usize,
    pub(super) to: u8,
    pub(super) by_name: bool,
    pub(super) amount: u128,
    pub(super) fee: u128,
    pub(super) submit: bool,
    /// The payment that it says it replaces.
    pub(super) replaces: Option<TransactionId>,
}

impl Book {
    /// What a request asks for now: a contact is whom every document names that may still mature.
    pub(super) fn resolve(&self, wanted: &Wanted) -> Result<Asking, Code> {
        let wallet = &self.wallets[wanted.wallet];
        let to = account(wallet.chain, wanted.to);
        let name = format!("contact-{}", wanted.to);
        let sound = self.binding().iter().filter(|one| one.matures.is_some());
        // Read by one document after the other, the name before the amount.
        for one in sound {
            let mut contacts = one.document.recipients.iter();
            let known = contacts.any(|one| one.name == name && one.account == to);
            if wanted.by_name && !known {
                return Err(Code::RecipientNotListed);
            }
            if wanted.amount == 0 {
                return Err(Code::AmountInvalid);
            }
        }
        Ok(Asking {
            wallet: wallet.id,
            session: wanted.session,
            bearer: self.session(wanted.session).is_some_and(Session::bearer),
            to,
            amount: wanted.amount,
            fee: wanted.fee,
            submit: wanted.submit,
        })
    }

    /// Amounts, fee included, at which a verdict may change.
    fn edges(&self, asking: &Asking) -> Vec<u128> {
        let now = self.now().budget;
        let mut found = Vec::new();
        let asset = asking.asset();
        let spent = |window: usize, of: &dyn Fn(&Charge) -> bool| {
            let sum = self
                .charges
                .sum(window, now, None, of, &|one| one.of(asset));
            [sum.least, sum.most]
        };
        let mut edges_of = |numbers: &Numbers, of: &dyn Fn(&Charge) -> bool| {
            found.extend(numbers.per_transaction);
            found.extend(numbers.up_to.into_iter().flatten());
            let windows = numbers.windows.into_iter().enumerate();
            let limits = windows.filter_map(|(window, most)| Some((window, most?)));
            // Rare among all the others: a few times each.
            let thresholds = numbers
                .cumulative
                .iter()
                .flat_map(|(window, above, _)| [(*window, *above); 4]);
            for (window, most) in limits.chain(thresholds) {
                found.extend(spent(window, of).map(|spent| most.saturating_sub(spent)));
            }
        };
        for one in self.binding() {
            let document: &PolicyDocument = &one.document;
            for rule in document.assets.iter().filter(|rule| rule.asset == asset) {
                let of_wallet = |charge: &Charge| charge.wallet == asking.wallet;
                edges_of(&Numbers::from(rule), &of_wallet);
                if let Some(limits) = &rule.recipient {
                    edges_of(&Numbers::from(limits), &|charge| charge.paid.1 == asking.to);
                }
            }
            for entry in document.scopes.iter().flat_map(|scope| &scope.limits) {
                if entry.asset == asset {
                    edges_of(&Numbers::from(&entry.limits), &|_| true);
                    edges_of(&Numbers::from(&entry.limits), &|charge| {
                        charge.session == asking.session
                    });
                }
            }
        }
        if let Some(session) = self.session(asking.session) {
            for limit in session.grant.limits.iter().filter(|one| one.asset == asset) {
                let spent = session.spent.get(&asset).copied().unwrap_or(0);
                found.push(limit.per_transaction.base_units());
                found.push(limit.total.base_units().saturating_sub(spent));
            }
        }
        found.retain(|edge| *edge < 2_000_000);
        found
    }

    pub(super) fn size(&self, pay: &Pay, wanted: &mut Wanted) {
        wanted.amount = match pay.size {
            Size::Plain(amount) => amount.into(),
            Size::Edge { which, beside } => {
                wanted.amount = 1;
                let edges = self.resolve(wanted).map(|asking| self.edges(&asking));
                let edges = edges.unwrap_or_default();
                let edge = edges.get(which % edges.len().max(1)).copied().unwrap_or(0);
                let total = edge.saturating_add_signed(beside.into());
                total.saturating_sub(wanted.fee)
            }
        };
    }
}

/// Bytes that a gateway proposes, and their worst fee.
pub(super) fn propose(
    book: &Book,
    wanted: &Wanted,
    price: u64,
    salt: u64,
    spoilt: Spoilt,
) -> (Vec<u8>, u128) {
    let wallet = &book.wallets[wanted.wallet];
    let to = match spoilt {
        Spoilt::OtherRecipient => recipient(wallet.chain, wanted.to + 1),
        _ => recipient(wallet.chain, wanted.to),
    };
    let amount = wanted.amount + u128::from(spoilt == Spoilt::OtherAmount);
    let (mut proposed, fee) = transfer(
        match (spoilt, wallet.chain) {
            (Spoilt::OtherNetwork, ChainId::Evm(id)) => ChainId::Evm(id + 1),
            (_, chain) => chain,
        },
        &wallet.account,
        &to,
        amount,
        Terms {
            price,
            salt,
            nonce: u64::from(spoilt == Spoilt::NonceOne),
        },
    );
    let solana = matches!(wallet.chain, ChainId::Solana(_));
    let only_evm = matches!(spoilt, Spoilt::NonceOne | Spoilt::OtherNetwork);
    if spoilt == Spoilt::TrailingByte || (solana && only_evm) {
        proposed.push(0);
    }
    (proposed, fee)
}

/// On a Solana chain bytes are spoilt in one way where there is no nonce and no chain id.
pub(super) const fn spoilt_as(spoilt: Spoilt, chain: ChainId) -> Spoilt {
    match (spoilt, chain) {
        (Spoilt::NonceOne | Spoilt::OtherNetwork, ChainId::Solana(_)) => Spoilt::TrailingByte,
        _ => spoilt,
    }
}
