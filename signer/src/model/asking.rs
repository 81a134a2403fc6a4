//! What one request does, as plain values: one payment or several, leave to take money later, or the call
//! of a contract, with what it costs to send. The sums and numbers that rules speak of are counted here.

use std::collections::BTreeMap;

use waiaas_shared::address::EvmAddress;
use waiaas_shared::caip::{AccountId, AssetId, ChainId};
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_shared::solana::FieldKind;

/// What one part of a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Does {
    /// An amount goes to somebody.
    Pays,
    /// Somebody may take an amount later.
    LetsTake,
    /// A contract that is called carries an amount away.
    Carries,
}

/// One part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) does: Does,
    pub(crate) asset: AssetId,
    /// Who receives or may take, or the contract.
    pub(crate) to: AccountId,
    /// Base units.
    pub(crate) amount: u128,
}

/// What a contract is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Who calls.
    pub(crate) from: EvmAddress,
    /// As Solidity names it.
    pub(crate) function: String,
    /// A word for each parameter.
    pub(crate) words: Vec<[u8; 32]>,
    /// Of what each is an amount, as owners registered it.
    pub(crate) spends: Vec<Option<AssetId>>,
}

/// A program of Solana that is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Who calls.
    pub(crate) from: [u8; 32],
    /// Each account with whether it may be written.
    pub(crate) places: Vec<([u8; 32], bool)>,
    pub(crate) data: Vec<u8>,
    /// How owners registered the method, if they did.
    pub(crate) shape: Option<Shape>,
}

/// A method of a program as it is registered, without what it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) method: Vec<u8>,
    pub(crate) rights: Vec<bool>,
    pub(crate) fields: Vec<(FieldKind, Option<AssetId>)>,
    pub(crate) tail: u16,
    pub(crate) outflow: Vec<(AssetId, u128)>,
}

/// A request that is to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asking {
    pub(crate) wallet: WalletId,
    pub(crate) session: SessionId,
    pub(crate) bearer: bool,
    pub(crate) chain: ChainId,
    /// In order; of a call first what it carries of the chain's own coin.
    pub(crate) parts: Vec<Part>,
    pub(crate) told: Option<Told>,
    pub(crate) ran: Option<Ran>,
    pub(crate) memo: Option<String>,
    pub(crate) fee: u128,
    /// Locked up for accounts that are created.
    pub(crate) rent: u128,
    pub(crate) submit: bool,
    /// Somebody else brings it to the chain and pays for that.
    pub(crate) sponsored: bool,
}

/// What one account receives of one asset, or may take, and in how many payments.
pub(crate) type Received = BTreeMap<(AssetId, AccountId), (u128, u32)>;

impl Asking {
    /// One payment of the chain's own coin, that is sent.
    pub(crate) fn coins(
        (wallet, session, bearer): (WalletId, SessionId, bool),
        to: AccountId,
        amount: u128,
        fee: u128,
    ) -> Self {
        let chain = to.chain();
        let part = Part {
            does: Does::Pays,
            asset: chain.native_asset(),
            to,
            amount,
        };
        Self {
            wallet,
            session,
            bearer,
            chain,
            parts: vec![part],
            told: None,
            ran: None,
            memo: None,
            fee,
            rent: 0,
            submit: true,
            sponsored: false,
        }
    }

    pub(crate) const fn native(&self) -> AssetId {
        self.chain.native_asset()
    }

    /// The asset that it is about.
    pub(crate) fn asset(&self) -> AssetId {
        let named = self.parts.iter().find(|part| part.amount > 0);
        named
            .or_else(|| self.parts.first())
            .map_or(self.native(), |part| part.asset)
    }

    /// What it takes of each asset, costs included.
    pub(crate) fn sums(&self) -> BTreeMap<AssetId, u128> {
        let mut sums = BTreeMap::new();
        if !self.sponsored {
            sums.insert(self.native(), self.fee + self.rent);
        }
        for part in &self.parts {
            *sums.entry(part.asset).or_default() += part.amount;
        }
        sums
    }

    pub(crate) fn total(&self, asset: AssetId) -> u128 {
        self.sums().get(&asset).copied().unwrap_or_default()
    }

    /// Payments among its parts: each amount that goes to somebody, or that somebody may take.
    fn payments(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.does != Does::Carries)
    }

    /// As how many payments it counts.
    pub(crate) fn made(&self) -> u32 {
        number(self.payments().count()).max(1)
    }

    /// The same in each asset that it takes.
    pub(crate) fn times(&self) -> Vec<(AssetId, u32)> {
        let counted = |asset: AssetId| self.payments().filter(|part| part.asset == asset).count();
        let assets = self.sums().into_keys();
        assets
            .map(|asset| (asset, number(counted(asset)).max(1)))
            .collect()
    }

    pub(crate) fn received(&self) -> Received {
        let mut received = Received::new();
        for part in self.payments() {
            let (amount, times) = received.entry((part.asset, part.to)).or_default();
            *amount += part.amount;
            *times += 1;
        }
        received
    }

    /// The contract or program that is called.
    pub(crate) fn called(&self) -> Option<AccountId> {
        if self.told.is_none() && self.ran.is_none() {
            return None;
        }
        self.parts.first().map(|part| part.to)
    }

    /// Whether both do the same, whatever it costs to send.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.wallet, &self.parts, &self.told, &self.ran, &self.memo)
            == (
                other.wallet,
                &other.parts,
                &other.told,
                &other.ran,
                &other.memo,
            )
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("few")
}
