//! The judgement of one payment by one binding document: every rule that it breaks, or how it is
//! released. Reads effects, history and time; never anything that a caller said about them. The rules
//! themselves stand in `rule`, one file for each family.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::alarm::Action;
use super::document::PolicyDocument;
use super::history::History;
use super::rule;
use super::windows::Window;
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId, ChainId};
use crate::denial::{Code, Violation};
use crate::effect::Effect;
use crate::event::Charge;
use crate::ids::{SessionId, WalletId};
use crate::time::{BudgetTime, Millis, WallTime};

/// How a payment is released, strictest last.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
#[cbor(index_only)]
pub enum Tier {
    /// Signed at once.
    #[n(0)]
    Instant,
    /// Signed at once; the owner is told.
    #[n(1)]
    Notify,
    /// The owner is told; signed after a wait, unless the owner cancels.
    #[n(2)]
    Delay,
    /// Signed if the owner approves.
    #[n(3)]
    Approval,
}

impl Tier {
    /// All of them, strictest last.
    pub const ALL: [Self; 4] = [Self::Instant, Self::Notify, Self::Delay, Self::Approval];

    /// The name as people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instant => "INSTANT",
            Self::Notify => "NOTIFY",
            Self::Delay => "DELAY",
            Self::Approval => "APPROVAL",
        }
    }

    /// The tier of this name.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == text)
    }
}

/// What a payment charges to each asset, fees included: base units, one entry an asset.
pub type Charges = BTreeMap<AssetId, Amount>;

/// Charges as an event lists them, by asset.
#[must_use]
pub fn listed_charges(charges: &[Charge]) -> Charges {
    let charges = charges.iter();
    charges
        .map(|charge| (charge.asset, charge.amount))
        .collect()
}

/// Sums the effects of a payment by asset.
///
/// # Errors
/// [`Code::Overflow`] if a sum does not fit.
pub fn charges(effects: &[Effect]) -> Result<Charges, Code> {
    let mut sums = Charges::new();
    for effect in effects {
        let sum = sums.entry(effect.asset()).or_default();
        *sum = sum.checked_add(effect.amount()).ok_or(Code::Overflow)?;
    }
    Ok(sums)
}

/// As how many payments a transaction counts: one for each recipient's transfer or approval, so that a
/// limit on their number is not passed by putting several into one; one at least.
#[must_use]
pub fn payments(effects: &[Effect]) -> u32 {
    counted(effects, |_| true)
}

/// The same in one asset; one also where only costs are charged to it.
pub(super) fn payments_in(asset: AssetId, effects: &[Effect]) -> u32 {
    counted(effects, |effect| effect.asset() == asset)
}

/// The same in one asset to one recipient.
pub(super) fn payments_to(to: (AssetId, AccountId), effects: &[Effect]) -> u32 {
    let (asset, account) = to;
    counted(effects, |effect| {
        effect.asset() == asset && effect.recipient() == Some(account.account())
    })
}

fn counted(effects: &[Effect], which: impl Fn(&Effect) -> bool) -> u32 {
    let paid = effects.iter().filter(|effect| effect.recipient().is_some());
    let count = paid.filter(|effect| which(effect)).count();
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

/// What each recipient is paid, or may take, in each asset. An account of the other family is left out,
/// and refused elsewhere.
pub(super) fn received(
    chain: ChainId,
    effects: &[Effect],
) -> BTreeMap<(AssetId, AccountId), Amount> {
    let mut sums = BTreeMap::new();
    for effect in effects {
        let account = effect
            .recipient()
            .and_then(|account| AccountId::new(chain, account).ok());
        if let Some(account) = account {
            let sum: &mut Amount = sums.entry((effect.asset(), account)).or_default();
            *sum = sum.checked_add(effect.amount()).unwrap_or(Amount::MAX);
        }
    }
    sums
}

/// A payment to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Payment<'a> {
    /// Which wallet pays.
    pub wallet: WalletId,
    /// Which session asks.
    pub session: SessionId,
    /// Whether the session has no agent's key.
    pub bearer: bool,
    /// On which chain.
    pub chain: ChainId,
    /// What it does, as derived from its bytes.
    pub effects: &'a [Effect],
    /// Whether it is sent once it is signed.
    pub submit: bool,
}

/// When a payment is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For windows and waits between payments.
    pub budget: BudgetTime,
    /// For the hours of a day: the wall clock's upper side.
    pub wall: WallTime,
    /// And its lower side: the hours are those of both, for the upper one never comes back from a clock that was
    /// ahead.
    pub steady: WallTime,
}

impl Now {
    /// Both sides of the wall clock.
    pub(super) const fn sides(&self) -> [WallTime; 2] {
        [self.steady, self.wall]
    }
}

/// How a payment is released.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Verdict {
    /// Its tier.
    #[n(0)]
    pub tier: Tier,
    /// How long DELAY waits.
    #[n(1)]
    pub delay: Millis,
    /// How many different owners APPROVAL asks for.
    #[n(2)]
    pub quorum: u8,
    /// How long it waits for them.
    #[n(3)]
    pub approval_lifetime: Millis,
    /// How long it may still be released after its wait or approval.
    #[n(4)]
    pub release_within: Millis,
    /// Whether the wallet pays a recipient for the first time.
    #[n(5)]
    pub first_payment: bool,
    /// What raised the tier, each once.
    #[n(6)]
    pub raised_by: Vec<Reason>,
    /// Broken rules about which the owner is asked, each once in each place, without when they would pass.
    #[n(7)]
    pub asked: Vec<Violation>,
    /// The tier that it has whatever a window holds besides: neither sums nor limits of windows raised it.
    #[n(8)]
    pub by_itself: Tier,
}

/// What raises a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Reason {
    /// The amount of this payment.
    #[n(0)]
    Amount,
    /// The sum of a window.
    #[n(1)]
    Cumulative,
    /// A recipient that the wallet never paid.
    #[n(2)]
    FirstPayment,
    /// Somebody may take money later.
    #[n(3)]
    Allowance,
    /// A program or contract.
    #[n(4)]
    Call,
    /// A violation about which the owner is asked.
    #[n(5)]
    Asked(#[n(0)] Code),
}

impl Verdict {
    /// The verdict under which both documents are kept.
    #[must_use]
    pub fn strictest(mut self, other: Self) -> Self {
        for reason in other.raised_by {
            if !self.raised_by.contains(&reason) {
                self.raised_by.push(reason);
            }
        }
        for broken in other.asked {
            if !self.asked.contains(&broken) {
                self.asked.push(broken);
            }
        }
        Self {
            tier: self.tier.max(other.tier),
            delay: self.delay.max(other.delay),
            quorum: self.quorum.max(other.quorum),
            approval_lifetime: self.approval_lifetime.min(other.approval_lifetime),
            release_within: self.release_within.min(other.release_within),
            first_payment: self.first_payment || other.first_payment,
            raised_by: self.raised_by,
            asked: self.asked,
            by_itself: self.by_itself.max(other.by_itself),
        }
    }
}

/// Judges a payment by `document`.
///
/// # Errors
/// Every rule that the payment breaks; never an empty list.
pub fn evaluate(
    document: &PolicyDocument,
    payment: &Payment<'_>,
    history: &dyn History,
    now: Now,
) -> Result<Verdict, Vec<Violation>> {
    let charges = charges(payment.effects).map_err(|code| vec![Violation::of(code)])?;
    let received = received(payment.chain, payment.effects);
    let case = rule::Case {
        document,
        payment,
        history,
        wallet: history.wallet(payment.wallet),
        now,
        charges,
        received,
    };
    let mut findings = rule::Findings::default();
    rule::judge(&case, &mut findings);
    let asks = |code| document.action(code) == Some(Action::Ask);
    if findings.violations.iter().any(|broken| !asks(broken.code)) {
        return Err(refused(findings.violations));
    }
    let mut asked = std::mem::take(&mut findings.violations);
    for broken in &mut asked {
        // Who is asked need not wait for it.
        broken.retry_after = None;
        let reason = Reason::Asked(broken.code);
        if broken.window.is_some() {
            findings.raise_by_window(Tier::Approval, reason);
        } else {
            findings.raise(Tier::Approval, reason);
        }
    }
    Ok(Verdict {
        tier: findings.tier,
        delay: findings.delay.max(document.delay),
        quorum: document.approval.quorum,
        approval_lifetime: document.approval.lifetime,
        release_within: document.release_within,
        first_payment: findings.first_payment,
        raised_by: findings.raised_by,
        asked,
        by_itself: findings.by_itself,
    })
}

/// Judges a transaction that pays nobody and costs its fee: the cancellation of an issued nonce. Ceilings
/// and limits on amounts bind it; what speaks of recipients, operations, hours, counts or tiers does not,
/// for nothing is paid. Of `payment` the effects are the fee alone.
///
/// # Errors
/// Every rule that the fee breaks; never an empty list. Nobody is asked about it.
pub fn evaluate_fee(
    document: &PolicyDocument,
    payment: &Payment<'_>,
    history: &dyn History,
    now: Now,
) -> Result<(), Vec<Violation>> {
    let charges = charges(payment.effects).map_err(|code| vec![Violation::of(code)])?;
    let case = rule::Case {
        document,
        payment,
        history,
        wallet: history.wallet(payment.wallet),
        now,
        charges,
        received: BTreeMap::new(),
    };
    let mut findings = rule::Findings::default();
    rule::judge_fee(&case, &mut findings);
    if findings.violations.is_empty() {
        Ok(())
    } else {
        Err(refused(findings.violations))
    }
}

/// Broken rules as whoever is refused reads them, each once.
fn refused(violations: Vec<Violation>) -> Vec<Violation> {
    let mut refused: Vec<Violation> = Vec::new();
    for broken in violations.into_iter().map(Violation::refused) {
        if !refused.contains(&broken) {
            refused.push(broken);
        }
    }
    refused
}

/// What a document's limits leave of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Most in one transaction, whatever its tier, in base units.
    pub per_transaction: Amount,
    /// What the tightest rolling limit leaves, in base units.
    pub window: Amount,
    /// The tightest limit of each window that has one, shortest first.
    pub windows: Vec<WindowLeft>,
}

/// What one rolling limit leaves of an asset, in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WindowLeft {
    /// Over which window.
    #[n(0)]
    pub window: Window,
    /// Most in it.
    #[n(1)]
    pub limit: Amount,
    /// What is left of that now.
    #[n(2)]
    pub left: Amount,
    /// How long until more is left, if nothing else is spent; none if nothing was spent in it.
    #[n(3)]
    pub more_in: Option<Millis>,
    /// How long until all of it is left again.
    #[n(4)]
    pub whole_in: Option<Millis>,
}

impl Left {
    /// What both documents leave.
    #[must_use]
    pub fn tightest(mut self, other: Self) -> Self {
        self.per_transaction = self.per_transaction.min(other.per_transaction);
        self.window = self.window.min(other.window);
        for told in other.windows {
            self.tighten(told);
        }
        self
    }

    /// The tighter of two limits on one window; of two that leave the same, the one that does longer.
    pub(super) fn tighten(&mut self, told: WindowLeft) {
        let tightness = |one: &WindowLeft| (one.left, std::cmp::Reverse(one.more_in), one.limit);
        match self
            .windows
            .binary_search_by_key(&told.window, |known| known.window)
        {
            Err(place) => self.windows.insert(place, told),
            Ok(place) => {
                if let Some(known) = self.windows.get_mut(place)
                    && tightness(&told) < tightness(known)
                {
                    *known = told;
                }
            }
        }
    }
}

/// What `document` leaves of an asset to a payer, as far as limits in this asset say. Informs, never
/// judges. The effects of `payer` are not read.
#[must_use]
pub fn left(
    document: &PolicyDocument,
    payer: &Payment<'_>,
    asset: AssetId,
    history: &dyn History,
    now: Now,
) -> Left {
    let case = rule::Case {
        document,
        payment: payer,
        history,
        wallet: history.wallet(payer.wallet),
        now,
        charges: Charges::new(),
        received: BTreeMap::new(),
    };
    rule::left(&case, asset)
}

#[cfg(test)]
#[path = "evaluate_tests/mod.rs"]
mod tests;
