//! What was spent, as evaluation reads it: by wallet and by session. The signer folds it from its log;
//! sums of pools and of everything are made from the wallets' own charges, so that joining or leaving
//! a pool sheds nothing.

mod variant;

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::evaluate::{Charges, payments, payments_in, payments_to, received};
use super::windows::{Usage, Window};
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId, ChainId};
use crate::effect::Effect;
use crate::ids::{SessionId, WalletId};
use crate::time::{BudgetTime, Millis};

/// Where evaluation reads what was spent before.
pub trait History {
    /// What a wallet spent.
    fn wallet(&self, wallet: WalletId) -> Option<&WalletHistory>;
    /// What a session spent.
    fn session(&self, session: SessionId) -> Option<&SessionHistory>;
    /// What every wallet spent.
    fn wallets(&self) -> Box<dyn Iterator<Item = (WalletId, &WalletHistory)> + '_>;
}

/// A payment that was charged.
#[derive(Debug, Clone, Copy)]
pub struct Charged<'a> {
    /// When.
    pub at: BudgetTime,
    /// On which chain.
    pub chain: ChainId,
    /// What, by asset.
    pub charges: &'a Charges,
    /// What it did.
    pub effects: &'a [Effect],
}

/// Nothing was spent before.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl History for Nothing {
    fn wallet(&self, _: WalletId) -> Option<&WalletHistory> {
        None
    }

    fn session(&self, _: SessionId) -> Option<&SessionHistory> {
        None
    }

    fn wallets(&self) -> Box<dyn Iterator<Item = (WalletId, &WalletHistory)> + '_> {
        Box::new(std::iter::empty())
    }
}

/// What one wallet spent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct WalletHistory {
    /// By asset, fees included.
    #[n(0)]
    assets: BTreeMap<AssetId, Usage>,
    /// By asset and recipient, as long as a window sees it.
    #[n(1)]
    recipients: BTreeMap<(AssetId, AccountId), Usage>,
    /// Everybody who was ever paid.
    #[n(2)]
    paid: BTreeSet<AccountId>,
    /// Payments, whatever they moved.
    #[n(3)]
    payments: Usage,
    /// The newest payment.
    #[n(4)]
    last: Option<BudgetTime>,
    /// What the present key signed of each asset of an EVM chain since the owner last attested the chain's
    /// nonce for it.
    #[n(5)]
    outstanding: BTreeMap<AssetId, Amount>,
    /// The same of each key that the wallet had before, the oldest first.
    #[n(6)]
    of_former: Vec<BTreeMap<AssetId, Amount>>,
    /// What was signed as transfer authorizations, by whichever key. They use no nonce of the account.
    #[n(7)]
    authorized: BTreeMap<AssetId, Usage>,
}

/// What one session spent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct SessionHistory {
    /// By asset, fees included.
    #[n(0)]
    assets: BTreeMap<AssetId, Usage>,
    /// Payments, whatever they moved.
    #[n(1)]
    payments: Usage,
    /// The newest payment.
    #[n(2)]
    last: Option<BudgetTime>,
}

/// As long an authorization counts as outstanding, on the budget clock: four times the longest that one holds
/// ([`VALID_LONGEST`](crate::authorization::VALID_LONGEST)), so that it is certainly past though the host's clock
/// was ahead when it was signed.
const AUTHORIZED: Window = Window::Hour;

/// How often entries that no window sees any more are looked for.
const SWEEP: Millis = Millis::from_hours(24);

impl WalletHistory {
    /// Counts a payment.
    pub fn charge(&mut self, payment: &Charged<'_>) {
        self.count(payment);
        if matches!(payment.chain, ChainId::Evm(_)) {
            for (asset, amount) in payment.charges {
                let sum = self.outstanding.entry(*asset).or_default();
                *sum = sum.checked_add(*amount).unwrap_or(Amount::MAX);
            }
        }
    }

    /// Counts a payment whose signed thing is a transfer authorization: no nonce that is attested ends it, its
    /// own time does.
    pub fn authorize(&mut self, payment: &Charged<'_>) {
        self.count(payment);
        for (asset, amount) in payment.charges {
            let usage = self.authorized.entry(*asset).or_default();
            usage.add(payment.at, *amount);
        }
    }

    fn count(&mut self, payment: &Charged<'_>) {
        charge(&mut self.assets, payment);
        let Charged {
            at, chain, effects, ..
        } = *payment;
        let made = payments(effects);
        self.payments.charge_several(at, Amount::ZERO, made);
        let swept = |time: BudgetTime| time.millis() / SWEEP.millis();
        if self.last.is_none_or(|last| swept(last) != swept(at)) {
            self.recipients.retain(|_, usage| !usage.is_forgotten(at));
        }
        for ((asset, account), amount) in received(chain, effects) {
            let usage = self.recipients.entry((asset, account)).or_default();
            let times = payments_to((asset, account), effects);
            usage.charge_several(at, amount, times);
            self.paid.insert(account);
        }
        self.last = Some(at);
    }

    /// An owner credits what a payment at `at` was charged, or a part of it (invariant 5).
    pub fn credit(&mut self, at: BudgetTime, charges: &Charges) {
        credit(&mut self.assets, at, charges);
    }

    /// Takes a payment out again: only for judging it once more, on a copy. Its recipients stay paid.
    pub fn uncharge(&mut self, payment: &Charged<'_>) {
        self.discount(payment);
        for (asset, amount) in payment.charges {
            if let Some(sum) = self.outstanding.get_mut(asset) {
                *sum = sum.remaining_after(*amount);
            }
        }
    }

    /// The same of a transfer authorization.
    pub fn unauthorize(&mut self, payment: &Charged<'_>) {
        self.discount(payment);
        for (asset, amount) in payment.charges {
            if let Some(usage) = self.authorized.get_mut(asset) {
                usage.take(payment.at, *amount);
            }
        }
    }

    fn discount(&mut self, payment: &Charged<'_>) {
        uncharge(&mut self.assets, payment);
        let Charged {
            at, chain, effects, ..
        } = *payment;
        let made = payments(effects);
        self.payments.uncharge_several(at, Amount::ZERO, made);
        for (key, amount) in received(chain, effects) {
            if let Some(usage) = self.recipients.get_mut(&key) {
                usage.uncharge_several(at, amount, payments_to(key, effects));
            }
        }
        self.last = self.last.filter(|last| *last != at);
    }

    /// The owner attested the chain's nonce for the present key, or for the former one at a place. What
    /// another key signed can land still, and counts on.
    pub fn attested(&mut self, chain: ChainId, former: Option<usize>) {
        let sums = match former {
            None => Some(&mut self.outstanding),
            Some(place) => self.of_former.get_mut(place),
        };
        if let Some(sums) = sums {
            sums.retain(|asset, _| asset.chain() != chain);
        }
    }

    /// The wallet goes on with another key.
    pub fn rotated(&mut self) {
        self.of_former.push(std::mem::take(&mut self.outstanding));
    }

    /// What was charged in an asset.
    #[must_use]
    pub fn asset(&self, asset: AssetId) -> Option<&Usage> {
        self.assets.get(&asset)
    }

    /// Every asset that was charged.
    pub fn assets(&self) -> impl Iterator<Item = (AssetId, &Usage)> {
        self.assets.iter().map(|(asset, usage)| (*asset, usage))
    }

    /// What one recipient was paid in an asset.
    #[must_use]
    pub fn recipient(&self, asset: AssetId, account: AccountId) -> Option<&Usage> {
        self.recipients.get(&(asset, account))
    }

    /// Whether an account was ever paid.
    #[must_use]
    pub fn has_paid(&self, account: AccountId) -> bool {
        self.paid.contains(&account)
    }

    /// Payments, whatever they moved.
    #[must_use]
    pub const fn payments(&self) -> &Usage {
        &self.payments
    }

    /// When the newest payment was charged.
    #[must_use]
    pub const fn last(&self) -> Option<BudgetTime> {
        self.last
    }

    /// What was signed of an asset as transfer authorizations and is not certainly past.
    #[must_use]
    pub fn authorized(&self, asset: AssetId, now: BudgetTime) -> Amount {
        let usage = self.authorized.get(&asset);
        usage.map_or(Amount::ZERO, |usage| usage.spent(AUTHORIZED, now))
    }

    /// What was signed of an asset of an EVM chain as transactions since the owner last attested the chain's
    /// nonce, by every key that the wallet has or had.
    #[must_use]
    pub fn outstanding(&self, asset: AssetId) -> Amount {
        let sums = std::iter::once(&self.outstanding).chain(&self.of_former);
        let sums = sums.filter_map(|sums| sums.get(&asset));
        sums.fold(Amount::ZERO, |all, sum| {
            all.checked_add(*sum).unwrap_or(Amount::MAX)
        })
    }

    /// The same of the present key alone, or of the former one at a place.
    #[must_use]
    pub fn outstanding_of(&self, former: Option<usize>, asset: AssetId) -> Amount {
        let sums = match former {
            None => Some(&self.outstanding),
            Some(place) => self.of_former.get(place),
        };
        let sum = sums.and_then(|sums| sums.get(&asset));
        sum.copied().unwrap_or_default()
    }
}

impl SessionHistory {
    /// Counts a payment.
    pub fn charge(&mut self, payment: &Charged<'_>) {
        charge(&mut self.assets, payment);
        let made = payments(payment.effects);
        self.payments.charge_several(payment.at, Amount::ZERO, made);
        self.last = Some(payment.at);
    }

    /// An owner credits what a payment at `at` was charged, or a part of it (invariant 5).
    pub fn credit(&mut self, at: BudgetTime, charges: &Charges) {
        credit(&mut self.assets, at, charges);
    }

    /// Takes one payment out again: only for judging it once more, on a copy.
    pub fn uncharge(&mut self, payment: &Charged<'_>) {
        uncharge(&mut self.assets, payment);
        let made = payments(payment.effects);
        self.payments
            .uncharge_several(payment.at, Amount::ZERO, made);
        self.last = self.last.filter(|last| *last != payment.at);
    }

    /// What was charged in an asset.
    #[must_use]
    pub fn asset(&self, asset: AssetId) -> Option<&Usage> {
        self.assets.get(&asset)
    }

    /// Every asset that was charged.
    pub fn assets(&self) -> impl Iterator<Item = (AssetId, &Usage)> {
        self.assets.iter().map(|(asset, usage)| (*asset, usage))
    }

    /// Payments, whatever they moved.
    #[must_use]
    pub const fn payments(&self) -> &Usage {
        &self.payments
    }

    /// When the newest payment was charged.
    #[must_use]
    pub const fn last(&self) -> Option<BudgetTime> {
        self.last
    }
}

/// A history without one payment: for judging it once more without its own earlier charge.
#[derive(Debug)]
pub struct Without<'a, H> {
    history: &'a H,
    wallet: (WalletId, WalletHistory),
    session: (SessionId, SessionHistory),
}

impl<'a, H: History> Without<'a, H> {
    /// `history` without `payment`, which this wallet made in this session.
    pub fn new(
        history: &'a H,
        wallet: WalletId,
        session: SessionId,
        payment: &Charged<'_>,
    ) -> Self {
        Self::with(history, (wallet, session), payment, WalletHistory::uncharge)
    }

    /// The same of a payment that was signed as a transfer authorization.
    pub fn authorization(
        history: &'a H,
        wallet: WalletId,
        session: SessionId,
        payment: &Charged<'_>,
    ) -> Self {
        let uncharge = WalletHistory::unauthorize;
        Self::with(history, (wallet, session), payment, uncharge)
    }

    fn with(
        history: &'a H,
        (wallet, session): (WalletId, SessionId),
        payment: &Charged<'_>,
        uncharge: fn(&mut WalletHistory, &Charged<'_>),
    ) -> Self {
        let mut of_wallet = history.wallet(wallet).cloned().unwrap_or_default();
        uncharge(&mut of_wallet, payment);
        let mut of_session = history.session(session).cloned().unwrap_or_default();
        of_session.uncharge(payment);
        Self {
            history,
            wallet: (wallet, of_wallet),
            session: (session, of_session),
        }
    }
}

impl<H: History> History for Without<'_, H> {
    fn wallet(&self, wallet: WalletId) -> Option<&WalletHistory> {
        if wallet == self.wallet.0 {
            Some(&self.wallet.1)
        } else {
            self.history.wallet(wallet)
        }
    }

    fn session(&self, session: SessionId) -> Option<&SessionHistory> {
        if session == self.session.0 {
            Some(&self.session.1)
        } else {
            self.history.session(session)
        }
    }

    fn wallets(&self) -> Box<dyn Iterator<Item = (WalletId, &WalletHistory)> + '_> {
        let all = self.history.wallets();
        Box::new(all.map(|(wallet, history)| {
            let without = wallet == self.wallet.0;
            (wallet, if without { &self.wallet.1 } else { history })
        }))
    }
}

fn charge(assets: &mut BTreeMap<AssetId, Usage>, payment: &Charged<'_>) {
    for (asset, amount) in payment.charges {
        let times = payments_in(*asset, payment.effects);
        let usage = assets.entry(*asset).or_default();
        usage.charge_several(payment.at, *amount, times);
    }
}

fn uncharge(assets: &mut BTreeMap<AssetId, Usage>, payment: &Charged<'_>) {
    for (asset, amount) in payment.charges {
        if let Some(usage) = assets.get_mut(asset) {
            let times = payments_in(*asset, payment.effects);
            usage.uncharge_several(payment.at, *amount, times);
        }
    }
}

/// Takes amounts out, and one payment of each asset: never more than was charged, whatever a batch counted.
fn credit(assets: &mut BTreeMap<AssetId, Usage>, at: BudgetTime, charges: &Charges) {
    for (asset, amount) in charges {
        if let Some(usage) = assets.get_mut(asset) {
            usage.uncharge(at, *amount);
        }
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
