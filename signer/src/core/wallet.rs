//! A wallet in the state: its key, the keys it had before, nonces and history. A wallet that gets a new
//! key stays the same wallet; a key that was its own stays its own for ever (invariant 7).

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use waiaas_shared::address::Account;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::event::Spend;
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::history::WalletHistory;
use waiaas_shared::time::BudgetTime;

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Wallet {
    #[n(0)]
    pub(super) path: KeyPath,
    #[n(1)]
    pub(super) account: Account,
    #[n(2)]
    pub(super) networks: Vec<ChainId>,
    #[n(3)]
    pub(super) paused: bool,
    #[n(4)]
    pub(super) history: WalletHistory,
    #[n(5)]
    pub(super) nonces: BTreeMap<ChainId, Nonce>,
    /// Nothing is signed for it but withdrawals.
    #[n(6)]
    pub(super) closed: bool,
    /// Keys that it had before; nothing is signed with them but withdrawals.
    #[n(7)]
    pub(super) former: Vec<FormerKey>,
    /// Issued nonces that an owner's withdrawal took, until the owner attests the chain's nonce.
    #[n(9)]
    pub(super) withdrawn: BTreeSet<(ChainId, u64)>,
}

/// A key that a wallet had before a rotation. It stays this wallet's for ever (invariant 7).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct FormerKey {
    #[n(0)]
    pub(super) path: KeyPath,
    #[n(1)]
    pub(super) account: Account,
    #[n(2)]
    pub(super) nonces: BTreeMap<ChainId, Nonce>,
    /// When the wallet got its next key: what was charged until then was signed with this one, or one before.
    #[n(3)]
    pub(super) until: BudgetTime,
}

impl Wallet {
    /// A wallet that just came to be.
    pub(super) fn new(
        path: KeyPath,
        account: Account,
        networks: &[ChainId],
        first_nonce: u64,
    ) -> Self {
        Self {
            path,
            account,
            networks: networks.to_vec(),
            paused: false,
            history: WalletHistory::default(),
            nonces: first_nonces(first_nonce, path.family, networks),
            closed: false,
            former: Vec::new(),
            withdrawn: BTreeSet::new(),
        }
    }

    /// Whether payments may be signed for it.
    pub(super) const fn may_pay(&self) -> Result<(), Code> {
        if self.closed {
            Err(Code::WalletClosed)
        } else if self.paused {
            Err(Code::WalletPaused)
        } else {
            Ok(())
        }
    }

    /// The key of one of its former addresses.
    pub(super) fn former(&self, account: Account) -> Option<&FormerKey> {
        self.former.iter().find(|key| key.account == account)
    }

    /// When it last got a new key: what was charged until then was signed with another one.
    pub(super) fn rotated(&self) -> Option<BudgetTime> {
        self.former.last().map(|key| key.until)
    }

    /// The key that it had at a time. In the millisecond of a rotation nobody can tell, and none is named: with
    /// the wrong one EVM bytes would pay once more, from another address.
    pub(super) fn key_at(&self, at: BudgetTime) -> Result<(KeyPath, Account), Code> {
        let mut former = self.former.iter();
        match former.find(|key| at <= key.until) {
            Some(key) if at == key.until => Err(Code::WalletClosed),
            Some(key) => Ok((key.path, key.account)),
            None => Ok((self.path, self.account)),
        }
    }

    /// It goes on with another key: what was charged remains, nonces begin afresh.
    pub(super) fn rotate(
        &mut self,
        path: KeyPath,
        account: Account,
        first_nonce: u64,
        at: BudgetTime,
    ) {
        let fresh = first_nonces(first_nonce, path.family, &self.networks);
        self.former.push(FormerKey {
            path: self.path,
            account: self.account,
            nonces: std::mem::replace(&mut self.nonces, fresh),
            until: at,
        });
        (self.path, self.account) = (path, account);
        self.withdrawn.clear();
        self.history.rotated();
    }

    /// The owner says which nonce a key's address has next: of what that key signed before nothing can land
    /// any more. What another key signed is not spoken of.
    pub(super) fn attest_nonce(&mut self, chain: ChainId, next: u64, from: Option<Account>) {
        let former = match from {
            None => {
                self.nonces.entry(chain).or_default().attest(next);
                self.withdrawn.retain(|(of, _)| *of != chain);
                None
            }
            Some(account) => {
                let mut keys = self.former.iter();
                let Some(place) = keys.position(|key| key.account == account) else {
                    return;
                };
                if let Some(key) = self.former.get_mut(place) {
                    key.nonces.entry(chain).or_default().attest(next);
                }
                Some(place)
            }
        };
        self.history.attested(chain, former);
    }

    /// Nonces of the present key, or of a former address.
    pub(super) fn nonces_of(&self, from: Option<Account>) -> Option<&BTreeMap<ChainId, Nonce>> {
        match from {
            None => Some(&self.nonces),
            Some(account) => self.former(account).map(|key| &key.nonces),
        }
    }

    /// A withdrawal takes a nonce of the present key that was issued before.
    pub(super) fn withdraw_nonce(&mut self, spend: &Spend) {
        let known = self.nonces.get(&spend.chain);
        if let (None, Some(known), Some(nonce)) = (spend.from, known, spend.nonce)
            && nonce < known.next
        {
            self.withdrawn.insert((spend.chain, nonce));
        }
    }

    /// Whether a nonce that was issued to a session may still be used by it: neither attested as used up
    /// nor taken by an owner's withdrawal.
    pub(super) fn holds_nonce(&self, chain: ChainId, nonce: u64) -> bool {
        let known = self.nonces.get(&chain);
        known.is_some_and(|known| (known.attested..known.next).contains(&nonce))
            && !self.withdrawn.contains(&(chain, nonce))
    }

    /// The nonce in the signed bytes is given: the next one is higher. Whether it was not given before.
    pub(super) fn issue_nonce(&mut self, spend: &Spend) -> bool {
        let nonces = match spend.from {
            None => Some(&mut self.nonces),
            Some(account) => {
                let mut former = self.former.iter_mut();
                let former = former.find(|key| key.account == account);
                former.map(|key| &mut key.nonces)
            }
        };
        let nonce = nonces.and_then(|nonces| nonces.get_mut(&spend.chain));
        match (nonce, spend.nonce) {
            (Some(nonce), Some(issued)) if issued >= nonce.next => {
                nonce.next = issued.saturating_add(1);
                true
            }
            _ => false,
        }
    }

    /// Every key that is or was its own.
    pub(super) fn keys(&self) -> impl Iterator<Item = (KeyPath, Account)> {
        let own = std::iter::once((self.path, self.account));
        own.chain(self.former.iter().map(|key| (key.path, key.account)))
    }
}

/// Nonces of one wallet on one EVM chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Nonce {
    #[n(0)]
    pub(super) next: u64,
    #[n(1)]
    pub(super) attested: u64,
    /// What attestations skipped, and no agent ever got: the first of each gap and the one after its last.
    #[n(2)]
    pub(super) gaps: Vec<(u64, u64)>,
}

impl Nonce {
    /// The owner attests the next one.
    pub(super) fn attest(&mut self, next: u64) {
        if next > self.next {
            match self.gaps.last_mut().filter(|(_, end)| *end == self.next) {
                Some((_, end)) => *end = next,
                None => self.gaps.push((self.next, next)),
            }
        }
        (self.next, self.attested) = (next, next);
    }

    /// Whether an owner's withdrawal may have it: from the attested one to the next one, or one that an
    /// attestation skipped. Of those the chain has used each, and nothing lands, or it waits for just that.
    pub(super) fn for_withdrawal(&self, nonce: u64) -> bool {
        let mut gaps = self.gaps.iter();
        (self.attested..=self.next).contains(&nonce)
            || gaps.any(|(first, end)| (*first..*end).contains(&nonce))
    }
}

/// The first nonces that an owner attests for a new key.
fn first_nonces(first: u64, family: Family, networks: &[ChainId]) -> BTreeMap<ChainId, Nonce> {
    let mut nonce = Nonce::default();
    nonce.attest(first);
    let nonces = networks.iter().map(|network| (*network, nonce.clone()));
    match family {
        Family::Solana => BTreeMap::new(),
        Family::Evm => nonces.collect(),
    }
}
