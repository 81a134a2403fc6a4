//! Every charge there ever was, one by one, and exact sums over them. The product counts in buckets and
//! rounds against the spender, so a sum here has two bounds: what the window certainly holds, and what
//! one bucket more could still hold.

use std::collections::{BTreeMap, BTreeSet};

use waiaas_shared::caip::{AccountId, AssetId, ChainId};
use waiaas_shared::ids::{SessionId, WalletId};

use super::asking::{Asking, Received};
use super::{DAY, HOUR, MINUTE};

/// Windows by their place: length, and how much longer a charge may count at most.
pub(crate) const WINDOWS: [(u64, u64); 4] = [
    (HOUR, MINUTE),
    (DAY, 15 * MINUTE),
    (7 * DAY, HOUR),
    (30 * DAY, 4 * HOUR),
];

/// The least and the most that something can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) least: u128,
    pub(crate) most: u128,
}

impl Bounds {
    pub(crate) const fn exactly(value: u128) -> Self {
        Self {
            least: value,
            most: value,
        }
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            least: self.least + other.least,
            most: self.most + other.most,
        }
    }

    pub(crate) fn map(self, of: impl Fn(u128) -> u128) -> Self {
        Self {
            least: of(self.least),
            most: of(self.most),
        }
    }
}

/// One payment as it was charged.
#[derive(Debug, Clone)]
pub(crate) struct Charge {
    /// Budget clock.
    pub(crate) at: u64,
    pub(crate) wallet: WalletId,
    pub(crate) session: SessionId,
    /// What it took of each asset, costs included, less what was credited.
    pub(crate) took: BTreeMap<AssetId, u128>,
    /// What accounts received of it, or may take, and in how many payments.
    pub(crate) paid: Received,
    /// As how many payments it counts, and in each asset.
    pub(crate) made: u32,
    pub(crate) times: Vec<(AssetId, u32)>,
    /// A credit takes one payment out of its assets' counts, and none out of the count of payments.
    pub(crate) credited: BTreeSet<AssetId>,
    /// Whether it is a payment: the fee of a cancelled nonce is none.
    pub(crate) counted: bool,
    /// It was signed as an authorization, which no nonce ends.
    pub(crate) authorization: bool,
}

/// All charges, the oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Charges {
    list: Vec<Charge>,
    /// What was signed of each asset of an EVM chain since its nonce was attested; by the key that signed,
    /// of which each wallet's first is the 0th.
    outstanding: BTreeMap<(WalletId, usize, AssetId), u128>,
    /// How many keys a wallet had before its present one.
    keys: BTreeMap<WalletId, usize>,
    /// When a charge was ever made or moved to.
    touched: Vec<(WalletId, AssetId, u64)>,
}

impl Charges {
    pub(crate) fn add(&mut self, charge: Charge) -> usize {
        for (asset, amount) in &charge.took {
            self.touched.push((charge.wallet, *asset, charge.at));
            if matches!(asset.chain(), ChainId::Evm(_)) && !charge.authorization {
                let key = self.key(charge.wallet);
                let sum = self.outstanding.entry((charge.wallet, key, *asset));
                *sum.or_default() += amount;
            }
        }
        self.list.push(charge);
        self.list.len() - 1
    }

    fn key(&self, wallet: WalletId) -> usize {
        self.keys.get(&wallet).copied().unwrap_or_default()
    }

    /// The wallet has another key.
    pub(crate) fn rotated(&mut self, wallet: WalletId) {
        *self.keys.entry(wallet).or_default() += 1;
    }

    /// A nonce of the present key was attested, or of an earlier one.
    pub(crate) fn attested(&mut self, wallet: WalletId, chain: ChainId, key: Option<usize>) {
        let key = key.unwrap_or_else(|| self.key(wallet));
        self.outstanding
            .retain(|(of, by, asset), _| (*of, *by) != (wallet, key) || asset.chain() != chain);
    }

    pub(crate) fn outstanding(&self, wallet: WalletId, asset: AssetId) -> u128 {
        let sums = self.outstanding.iter();
        let sums = sums.filter(|((of, _, what), _)| (*of, *what) == (wallet, asset));
        sums.map(|(_, sum)| sum).sum()
    }

    /// A payment counts as never made, as far as its amounts go.
    pub(crate) fn credit(&mut self, place: usize, amounts: &[(AssetId, u128)]) {
        let charge = &mut self.list[place];
        for (asset, given) in amounts {
            charge.credited.insert(*asset);
            if let Some(amount) = charge.took.get_mut(asset) {
                *amount -= given;
            }
        }
    }

    /// One payment, signed again with a higher fee: it happened now, once.
    pub(crate) fn moves(&mut self, place: usize, at: u64, took: BTreeMap<AssetId, u128>) {
        let charge = &mut self.list[place];
        charge.at = at;
        let before = std::mem::replace(&mut charge.took, took.clone());
        let wallet = charge.wallet;
        for (asset, total) in took {
            self.touched.push((wallet, asset, at));
            let less = before.get(&asset).copied().unwrap_or_default();
            self.outstands(wallet, asset, less, total);
        }
    }

    /// So much of a charge is another's now, at most all that is left of it.
    pub(crate) fn take(&mut self, place: usize, asset: AssetId, most: u128) -> u128 {
        let charge = &mut self.list[place];
        let taken = charge.of(asset).min(most);
        if let Some(amount) = charge.took.get_mut(&asset) {
            *amount -= taken;
        }
        let wallet = charge.wallet;
        self.outstands(wallet, asset, taken, 0);
        taken
    }

    /// The fee that uses a charged nonce up: a charge of its own, and what it took of the earlier one.
    pub(crate) fn cancel(
        &mut self,
        place: usize,
        at: u64,
        asset: AssetId,
        fee: u128,
    ) -> (usize, u128) {
        let before = self.list[place].clone();
        let taken = self.take(place, asset, fee);
        if !before.counted {
            self.list[place].at = at;
            self.list[place].took = BTreeMap::from([(asset, fee)]);
            self.touched.push((before.wallet, asset, at));
            self.outstands(before.wallet, asset, 0, fee);
            return (place, taken);
        }
        let own = Charge {
            at,
            took: BTreeMap::from([(asset, fee)]),
            paid: Received::new(),
            credited: BTreeSet::new(),
            counted: false,
            ..before
        };
        (self.add(own), taken)
    }

    fn outstands(&mut self, wallet: WalletId, asset: AssetId, less: u128, more: u128) {
        let key = self.key(wallet);
        if let Some(sum) = self.outstanding.get_mut(&(wallet, key, asset)) {
            // What was charged before an attestation is no part of it.
            *sum = sum.saturating_sub(less) + more;
        }
    }

    pub(crate) fn get(&self, place: usize) -> &Charge {
        &self.list[place]
    }

    /// Charges that `of` picks, but for one.
    fn picked<'a>(
        &'a self,
        without: Option<usize>,
        of: &'a dyn Fn(&Charge) -> bool,
    ) -> impl Iterator<Item = &'a Charge> {
        let all = self.list.iter().enumerate();
        all.filter(move |(place, charge)| Some(*place) != without && of(charge))
            .map(|(_, charge)| charge)
    }

    /// Bounds of a sum over the window that ends now; a charge at its very edge still counts.
    pub(crate) fn sum(
        &self,
        window: usize,
        now: u64,
        without: Option<usize>,
        of: &dyn Fn(&Charge) -> bool,
        value: &dyn Fn(&Charge) -> u128,
    ) -> Bounds {
        let (length, longer) = WINDOWS[window];
        let mut bounds = Bounds::default();
        for charge in self.picked(without, of) {
            let age = now - charge.at;
            if age <= length {
                bounds.least += value(charge);
            }
            if age < length + longer {
                bounds.most += value(charge);
            }
        }
        bounds
    }

    /// When the newest of them was charged.
    pub(crate) fn last(&self, without: Option<usize>, of: &dyn Fn(&Charge) -> bool) -> Option<u64> {
        let paid = self.picked(without, of).filter(|charge| charge.counted);
        paid.map(|charge| charge.at).max()
    }

    /// How many payments of a wallet are younger than this.
    pub(crate) fn younger(&self, wallet: WalletId, now: u64, length: u64) -> u64 {
        let of_wallet = self.list.iter().filter(|charge| charge.wallet == wallet);
        let young = of_wallet.filter(|charge| now - charge.at < length);
        young.map(|charge| u64::from(charge.made())).sum()
    }

    /// What a wallet spent of an asset in charges that are younger than this.
    pub(crate) fn spent(&self, wallet: WalletId, asset: AssetId, now: u64, length: u64) -> u128 {
        let of_wallet = self.list.iter().filter(|charge| charge.wallet == wallet);
        let young = of_wallet.filter(|charge| now - charge.at < length);
        young.map(|charge| charge.of(asset)).sum()
    }

    /// The oldest moment, younger than this, at which anything of an asset was charged to a wallet.
    pub(crate) fn known_since(
        &self,
        wallet: WalletId,
        asset: AssetId,
        now: u64,
        length: u64,
    ) -> Option<u64> {
        let of_asset = self
            .touched
            .iter()
            .filter(|one| (one.0, one.1) == (wallet, asset));
        let young = of_asset.map(|one| one.2).filter(|at| now - at < length);
        young.min()
    }

    /// Which assets were ever charged, by wallet or over all of them.
    pub(crate) fn kinds(
        &self,
        of: &dyn Fn(&Charge) -> bool,
        by_wallet: bool,
    ) -> BTreeSet<(Option<WalletId>, AssetId)> {
        let kinds = self.picked(None, of).flat_map(|charge| {
            let wallet = by_wallet.then_some(charge.wallet);
            charge.took.keys().map(move |asset| (wallet, *asset))
        });
        kinds.collect()
    }

    /// Whether the wallet ever paid this account.
    pub(crate) fn has_paid(&self, wallet: WalletId, to: AccountId) -> bool {
        let mut all = self.list.iter();
        all.any(|charge| charge.wallet == wallet && charge.paid.keys().any(|(_, paid)| *paid == to))
    }

    /// Moments at which a charge leaves a window, at the earliest and at the latest.
    pub(crate) fn leaving(&self, now: u64) -> Vec<u64> {
        let newest = self.list.iter().rev().take(3).enumerate();
        let moments = newest.flat_map(|(place, charge)| {
            // Of most of them the short windows will do.
            let windows = WINDOWS.iter().take(if place == 0 { 4 } else { 2 });
            windows.flat_map(|(length, longer)| [charge.at + length, charge.at + length + longer])
        });
        moments.filter(|moment| *moment > now).collect()
    }
}

impl Charge {
    /// A payment that was charged now.
    pub(crate) fn made_now(asking: &Asking, at: u64) -> Self {
        Self {
            at,
            wallet: asking.wallet,
            session: asking.session,
            took: asking.sums(),
            paid: asking.received(),
            made: asking.made(),
            times: asking.times(),
            credited: BTreeSet::new(),
            counted: true,
            authorization: asking.sponsored,
        }
    }

    pub(crate) fn of(&self, asset: AssetId) -> u128 {
        self.took.get(&asset).copied().unwrap_or_default()
    }

    /// As how many payments it counts in the asset.
    pub(crate) fn counts(&self, asset: AssetId) -> u128 {
        let mut all = self.times.iter().filter(|_| self.counted);
        let times = all.find(|(of, _)| *of == asset);
        let times = times.map_or(0, |(_, times)| *times);
        let less = u32::from(times > 0 && self.credited.contains(&asset));
        (times - less).into()
    }

    /// As how many payments it counts at all.
    pub(crate) fn once(&self) -> u128 {
        self.made().into()
    }

    fn made(&self) -> u32 {
        if self.counted { self.made } else { 0 }
    }

    /// What an account received of an asset, or may take, and in how many payments.
    pub(crate) fn to(&self, asset: AssetId, account: AccountId) -> (u128, u32) {
        let found = self.paid.get(&(asset, account));
        found.copied().unwrap_or_default()
    }
}
