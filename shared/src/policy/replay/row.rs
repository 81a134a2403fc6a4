//! One payment of a replay: how it went, how it would have gone, and what is different. Compares; counts
//! nothing.

use serde::Serialize;

use super::super::document::PolicyDocument;
use super::super::evaluate::{Reason, Tier, Verdict, payments};
use super::Judgement;
use crate::address::Account;
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId, ChainId};
use crate::denial::{Code, Violation};
use crate::effect::Effect;
use crate::event::Spend;
use crate::ids::{SessionId, TransactionId, WalletId};
use crate::intent::{Intent, IntentEnd, Wait};
use crate::time::{Millis, WallTime};

/// What would have been different about a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// Nothing.
    Same,
    /// Refused.
    Denied,
    /// The owner would have been asked, or more owners.
    Asks,
    /// It would have waited, or longer.
    Waits,
    /// The owner would have been told.
    Told,
    /// It would have passed more easily.
    Easier,
}

/// How a payment is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Its tier.
    pub tier: Tier,
    /// How long DELAY waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Millis>,
    /// How many owners APPROVAL asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u8>,
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was signed.
    Signed,
    /// It still waits.
    Waits,
    /// It ended without being signed.
    Ended(Ending),
}

/// Why a payment ended without being signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Somebody stopped it.
    Cancelled,
    /// An owner signed its rejection.
    Rejected,
    /// Its time ran out.
    Expired,
    /// Its session ended.
    SessionEnded,
    /// The kill switch was thrown.
    Killed,
    /// Its wallet was closed or moved to a new key.
    WalletClosed,
}

/// A rule, as statistics and tables name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A denial code.
    Broken(Code),
    /// What raised the tier.
    Raised(&'static str),
}

impl Rule {
    /// The denial's code, or what raised the tier.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Broken(code) => code.as_str(),
            Self::Raised(reason) => reason,
        }
    }
}

impl Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A payment as it went, and as it would have gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The event that decided it.
    pub sequence: u64,
    /// When.
    pub at: WallTime,
    /// Its name.
    pub transaction: TransactionId,
    /// Under which session.
    pub session: SessionId,
    /// Which wallet.
    pub wallet: WalletId,
    /// On which chain.
    pub chain: ChainId,
    /// What moved.
    pub asset: AssetId,
    /// Who received.
    #[serde(serialize_with = "as_text")]
    pub to: Account,
    /// Base units.
    pub amount: Amount,
    /// How many transfers the same transaction makes besides.
    #[serde(skip_serializing_if = "is_none")]
    pub more: u32,
    /// The same in the asset's unit, where a document knows it.
    pub amount_text: Option<String>,
    /// The contact, where a document knows it.
    pub contact: Option<String>,
    /// How it was released.
    pub was: Decision,
    /// What became of it.
    pub fate: Fate,
    /// How it would have been released; none: refused.
    pub would: Option<Decision>,
    /// What would have been different.
    pub difference: Difference,
    /// The rules that refuse it, or that raise its tier.
    pub why: Vec<Rule>,
    /// The refusals' values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
    #[serde(skip)]
    pub(super) explained: bool,
}

/// A refusal with its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Which rule.
    pub code: Code,
    /// The asset that the values are in.
    pub asset: Option<AssetId>,
    /// What the payment asked for.
    pub observed: Option<Amount>,
    /// What the rule would have allowed.
    pub allowed: Option<Amount>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_none(more: &u32) -> bool {
    *more == 0
}

fn as_text<S: serde::Serializer>(account: &Account, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(account)
}

impl Decision {
    pub(super) const fn of_tier(tier: Tier) -> Self {
        Self {
            tier,
            delay: None,
            quorum: None,
        }
    }

    pub(super) fn of(verdict: &Verdict) -> Self {
        Self {
            tier: verdict.tier,
            delay: (verdict.tier == Tier::Delay).then_some(verdict.delay),
            quorum: (verdict.tier == Tier::Approval).then_some(verdict.quorum),
        }
    }

    pub(super) fn of_intent(intent: &Intent) -> Self {
        let (delay, quorum): (Option<Millis>, Option<u8>) = match intent.wait {
            Wait::Delay { ready } => (Some(ready.since(intent.opened)), None),
            Wait::Approval { quorum } => (None, Some(quorum)),
        };
        Self {
            tier: intent.tier(),
            delay,
            quorum,
        }
    }
}

impl Fate {
    pub(super) const fn ended(cause: &IntentEnd) -> Self {
        Self::Ended(match cause {
            IntentEnd::Cancelled { .. } => Ending::Cancelled,
            IntentEnd::Rejected { .. } => Ending::Rejected,
            IntentEnd::Expired => Ending::Expired,
            IntentEnd::SessionEnded => Ending::SessionEnded,
            IntentEnd::Killed => Ending::Killed,
            IntentEnd::WalletClosed => Ending::WalletClosed,
        })
    }
}

impl From<Reason> for Rule {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Amount => Self::Raised("amount"),
            Reason::Cumulative => Self::Raised("cumulative"),
            Reason::FirstPayment => Self::Raised("first_payment"),
            Reason::Allowance => Self::Raised("allowance"),
            Reason::Call => Self::Raised("call"),
            Reason::Asked(code) => Self::Broken(code),
        }
    }
}

impl Difference {
    /// Whether the payment would not have gone as it went.
    #[must_use]
    pub const fn holds_up(self) -> bool {
        matches!(self, Self::Denied | Self::Asks | Self::Waits)
    }

    fn between(was: Decision, would: Decision) -> Self {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let stricter = would
            .tier
            .cmp(&was.tier)
            .then_with(|| would.delay.cmp(&was.delay))
            .then_with(|| would.quorum.cmp(&was.quorum));
        match (stricter, would.tier) {
            (Equal, _) => Self::Same,
            (Less, _) => Self::Easier,
            (Greater, Tier::Approval) => Self::Asks,
            (Greater, Tier::Delay) => Self::Waits,
            (Greater, Tier::Notify | Tier::Instant) => Self::Told,
        }
    }
}

impl Row {
    /// A payment that was signed at once; nothing if its effects name no transfer or stake. Of several the
    /// first is named.
    pub(super) fn of_spend(
        sequence: u64,
        at: WallTime,
        spend: &Spend,
        was: Decision,
    ) -> Option<Self> {
        let (asset, to, amount) = spend.effects.iter().find_map(|effect| match effect {
            Effect::Transfer { asset, to, amount }
            | Effect::Approval {
                asset,
                spender: to,
                amount,
            }
            | Effect::Call {
                asset,
                target: to,
                value: amount,
                told: Some(_),
                ..
            } => Some((*asset, *to, *amount)),
            Effect::Program { asset, value, told } => {
                let program = Account::Solana(told.method.program);
                Some((*asset, program, *value))
            }
            Effect::Stake { asset, account, .. } => {
                let own = Account::Solana(account.address());
                Some((*asset, effect.called().unwrap_or(own), effect.amount()))
            }
            _ => None,
        })?;
        Some(Self {
            sequence,
            at,
            transaction: spend.transaction,
            session: spend.session?,
            wallet: spend.wallet,
            chain: spend.chain,
            asset,
            to,
            amount,
            more: payments(&spend.effects).saturating_sub(1),
            amount_text: None,
            contact: None,
            was,
            fate: Fate::Signed,
            would: None,
            difference: Difference::Same,
            why: Vec::new(),
            broken: Vec::new(),
            explained: false,
        })
    }

    /// A payment that had to wait.
    pub(super) fn of_intent(sequence: u64, at: WallTime, intent: &Intent, was: Decision) -> Self {
        let more = intent.more.as_ref().map_or(0, Vec::len);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        Self {
            sequence,
            at,
            transaction: intent.transaction,
            session: intent.session,
            wallet: intent.wallet,
            chain: intent.asset.chain(),
            asset: intent.asset,
            to: intent.to,
            amount: intent.amount,
            more,
            amount_text: None,
            contact: None,
            was,
            fate: Fate::Waits,
            would: None,
            difference: Difference::Same,
            why: Vec::new(),
            broken: Vec::new(),
            explained: false,
        }
    }

    pub(super) fn judged(mut self, would: Judgement, explained: bool) -> Self {
        self.explained = explained;
        match would {
            Ok(verdict) => self.passes(&verdict),
            Err(violations) => self.refuse(violations),
        }
        self
    }

    /// Judged once more, at its release: the stricter of both counts.
    pub(super) fn again(&mut self, would: Judgement) {
        match would {
            _ if self.difference == Difference::Denied => {}
            Err(violations) => self.refuse(violations),
            Ok(verdict) if self.would.is_some_and(|first| verdict.tier > first.tier) => {
                self.passes(&verdict);
            }
            Ok(_) => {}
        }
    }

    fn passes(&mut self, verdict: &Verdict) {
        let would = Decision::of(verdict);
        self.would = Some(would);
        self.difference = Difference::between(self.was, would);
        self.why = verdict
            .raised_by
            .iter()
            .map(|reason| (*reason).into())
            .collect();
    }

    fn refuse(&mut self, violations: Vec<Violation>) {
        self.would = None;
        self.difference = Difference::Denied;
        self.why.clear();
        for broken in &violations {
            let rule = Rule::Broken(broken.code);
            if !self.why.contains(&rule) {
                self.why.push(rule);
            }
        }
        self.broken = violations
            .into_iter()
            .map(|broken| Broken {
                code: broken.code,
                asset: broken.asset,
                observed: broken.observed,
                allowed: broken.allowed,
            })
            .collect();
    }

    /// By the first document that knows the asset, and the first that knows the recipient.
    pub(super) fn name<'a>(&mut self, documents: impl Iterator<Item = &'a PolicyDocument> + Clone) {
        let rule = documents.clone().find_map(|known| known.asset(self.asset));
        self.amount_text = rule.map(|rule| {
            format!(
                "{} {}",
                self.amount.format_decimal(rule.decimals),
                rule.symbol
            )
        });
        let account = AccountId::new(self.chain, self.to).ok();
        let contact = account.and_then(|account| {
            let mut known = documents;
            known.find_map(|document| document.recipient(account))
        });
        self.contact = contact.map(|contact| contact.name.clone());
    }

    pub(super) fn stopped_and_would_pass(&self) -> bool {
        let stopped = matches!(self.fate, Fate::Ended(Ending::Cancelled | Ending::Rejected));
        stopped && self.would.is_some_and(|would| would.tier <= Tier::Notify)
    }
}
