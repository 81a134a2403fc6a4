//! Session grants: what an owner lets one agent do, and the judgement of a payment by them. The
//! signer registers grants and counts; a gateway's token only points at one.

mod constraints;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::amount::Amount;
use crate::caip::{AccountId, AssetId, ChainId};
use crate::denial::{Code, Violation};
use crate::digest::Digest;
use crate::effect::Effect;
use crate::ids::{AgentId, WalletId};
use crate::keys::AgentKey;
use crate::policy::document::PolicyDocument;
use crate::policy::evaluate::Charges;
use crate::time::WallTime;

pub use self::constraints::{Operation, RENEWAL_LEAST, RENEWALS_LIMIT, Renewal, SessionRecipients};

/// How a request proves that it belongs to the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Credential {
    /// Every mutating request carries an HTTP Message Signature by this key, which the signer verifies.
    #[n(0)]
    AgentKey(#[n(0)] AgentKey),
    /// A bearer secret, kept as its digest. A compromised gateway can spend such a session's limits.
    #[n(1)]
    Bearer(#[n(0)] Digest),
}

/// A grant as the owner signs it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SessionGrant {
    /// Wallets that it covers; sorted, each once, at least one.
    #[n(0)]
    pub wallets: Vec<WalletId>,
    /// Assets that it covers; sorted, each once, at least one.
    #[n(1)]
    pub limits: Vec<SessionLimit>,
    /// Most transactions in its whole life.
    #[n(2)]
    pub count: u32,
    /// Its end unless it is renewed, on the upper-bound clock.
    #[n(3)]
    pub expires: WallTime,
    /// How requests prove that they belong to it.
    #[n(4)]
    pub credential: Credential,
    /// Who may receive; none: whom policy lets.
    #[n(5)]
    pub recipients: Option<SessionRecipients>,
    /// What a payment may do; sorted, each once, at least one. None: transfers.
    #[n(6)]
    pub operations: Option<Vec<Operation>>,
    /// How far it may be renewed; none: not at all.
    #[n(7)]
    pub renewal: Option<Renewal>,
    /// The agent that it belongs to; none: only itself.
    #[n(8)]
    pub agent: Option<AgentId>,
}

/// Limits of one asset, in base units, fees included.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SessionLimit {
    /// The asset.
    #[n(0)]
    pub asset: AssetId,
    /// Most in one transaction.
    #[n(1)]
    pub per_transaction: Amount,
    /// Most in the session's whole life.
    #[n(2)]
    pub total: Amount,
}

/// What a session has used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct SessionUsage {
    /// Base units by asset, over its whole life.
    #[n(0)]
    pub spent: BTreeMap<AssetId, Amount>,
    /// Payments made: one a transaction, of several transfers each of them.
    #[n(1)]
    pub count: u32,
}

/// Most wallets or assets that one grant may name: more could not be read by the owner.
pub const ENTRIES_LIMIT: usize = 16;

impl SessionGrant {
    /// Whether lists are sorted, doubled or empty, and limits contradictory.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let limits_rise = self
            .limits
            .iter()
            .all(|limit| limit.per_transaction <= limit.total);
        (1..=ENTRIES_LIMIT).contains(&self.wallets.len())
            && (1..=ENTRIES_LIMIT).contains(&self.limits.len())
            && self.wallets.is_sorted_by(|one, other| one < other)
            && self
                .limits
                .is_sorted_by(|one, other| one.asset < other.asset)
            && limits_rise
            && self.count > 0
            && self
                .recipients
                .as_ref()
                .is_none_or(SessionRecipients::is_well_formed)
            && self.operations.as_ref().is_none_or(|operations| {
                !operations.is_empty() && operations.is_sorted_by(|one, other| one < other)
            })
            && self
                .renewal
                .is_none_or(|renewal| renewal.is_well_formed(self.expires))
    }

    /// The end that no renewal moves.
    #[must_use]
    pub fn absolute_end(&self) -> WallTime {
        self.renewal.map_or(self.expires, |renewal| renewal.until)
    }

    /// Whether a payment may do this.
    #[must_use]
    pub fn allows(&self, operation: Operation) -> bool {
        match &self.operations {
            Some(operations) => operations.contains(&operation),
            None => operation.is_transfer(),
        }
    }

    /// The limits of an asset.
    #[must_use]
    pub fn limit(&self, asset: AssetId) -> Option<&SessionLimit> {
        self.limits.iter().find(|limit| limit.asset == asset)
    }

    /// Every rule of the session that a transaction from `wallet` breaks which counts as so many payments;
    /// empty if none.
    #[must_use]
    pub fn violations(
        &self,
        wallet: WalletId,
        charges: &Charges,
        payments: u32,
        usage: &SessionUsage,
    ) -> Vec<Violation> {
        let mut violations = Vec::new();
        if !self.wallets.contains(&wallet) {
            violations.push(Violation::of(Code::SessionWallet));
        }
        if usage.count.saturating_add(payments) > self.count {
            violations.push(Violation::of(Code::SessionCount));
        }
        self.limited(charges, usage, &mut violations);
        violations
    }

    fn limited(&self, charges: &Charges, usage: &SessionUsage, violations: &mut Vec<Violation>) {
        for (asset, charge) in charges {
            let Some(limit) = self.limit(*asset) else {
                violations.push(Violation {
                    asset: Some(*asset),
                    ..Violation::of(Code::SessionAsset)
                });
                continue;
            };
            if *charge > limit.per_transaction {
                violations.push(Violation::limit(
                    Code::SessionPerTransaction,
                    *asset,
                    *charge,
                    limit.per_transaction,
                ));
            }
            let before = usage.spent.get(asset).copied().unwrap_or_default();
            if before
                .checked_add(*charge)
                .is_none_or(|total| total > limit.total)
            {
                let left = limit.total.remaining_after(before);
                violations.push(Violation::limit(Code::SessionTotal, *asset, *charge, left));
            }
        }
    }

    /// Every limit on amounts that the fee of a cancelled nonce breaks; empty if none. What else the
    /// session may do, and whether it still lives, is nothing to a transaction that pays nobody.
    #[must_use]
    pub fn fee_violations(&self, charges: &Charges, usage: &SessionUsage) -> Vec<Violation> {
        let mut violations = Vec::new();
        self.limited(charges, usage, &mut violations);
        violations
    }

    /// Every constraint on operations and recipients that a payment breaks under these binding
    /// documents; empty if none.
    #[must_use]
    pub fn narrowed<'a>(
        &self,
        chain: ChainId,
        effects: &[Effect],
        documents: impl Iterator<Item = &'a PolicyDocument> + Clone,
    ) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut operations = effects
            .iter()
            .filter_map(|effect| Operation::of(effect, chain));
        if !operations.all(|operation| self.allows(operation)) {
            violations.push(Violation::of(Code::SessionOperation));
        }
        if let Some(recipients) = &self.recipients {
            // A session that names who receives names what is called, and to whom coins are delegated.
            let mut receivers = effects
                .iter()
                .filter_map(|effect| effect.recipient().or_else(|| effect.called()));
            let all = receivers.all(|to| {
                // What cannot be an account of the chain is in no list.
                AccountId::new(chain, to)
                    .is_ok_and(|account| recipients.allow(account, documents.clone()))
            });
            if !all {
                violations.push(Violation::of(Code::SessionRecipient));
            }
        }
        violations
    }
}

impl SessionUsage {
    /// Takes one transaction out again, which counted as so many payments: only for judging its replay, on
    /// a copy.
    pub fn uncharge(&mut self, charges: &Charges, payments: u32) {
        self.count = self.count.saturating_sub(payments);
        self.take(charges);
    }

    /// One more transaction for an issued nonce: `taken` back of the one before, the new one charged; of
    /// them all one lands, so they count as one.
    pub fn vary(&mut self, taken: &Charges, charges: &Charges) {
        self.take(taken);
        self.add(charges);
    }

    /// Takes amounts out, and no transaction.
    pub fn take(&mut self, charges: &Charges) {
        for (asset, charge) in charges {
            if let Some(spent) = self.spent.get_mut(asset) {
                *spent = spent.remaining_after(*charge);
            }
        }
    }

    fn add(&mut self, charges: &Charges) {
        for (asset, charge) in charges {
            let spent = self.spent.entry(*asset).or_default();
            *spent = spent.checked_add(*charge).unwrap_or(Amount::MAX);
        }
    }

    /// Counts one transaction as so many payments.
    pub fn charge(&mut self, charges: &Charges, payments: u32) {
        self.count = self.count.saturating_add(payments);
        self.add(charges);
    }
}
