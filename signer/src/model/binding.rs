//! Invariant 10 as the design says it: a document binds until a later one has matured, and a payment
//! must pass every binding document, under the strictest tier and the longest delay of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use waiaas_shared::denial::Code;
use waiaas_shared::ids::OwnerId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;

use super::charges::Charges;
use super::policy::{Asking, Moment, judge};

/// A document that was adopted.
#[derive(Debug, Clone)]
pub(crate) struct Adopted {
    pub(crate) document: Arc<PolicyDocument>,
    /// Run clock; none: its signer was suspended before, so it never matures.
    pub(crate) matures: Option<u64>,
    pub(crate) signers: Vec<OwnerId>,
}

/// The documents that bind at `run`: the newest that has matured, and every later one.
pub(crate) fn binding(adopted: &[Adopted], run: u64) -> &[Adopted] {
    let matured = |one: &Adopted| one.matures.is_some_and(|at| at <= run);
    let newest = adopted.iter().rposition(matured).unwrap_or(0);
    &adopted[newest..]
}

/// What all binding documents say of a payment together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Codes that a refusal must name; if any, it is refused.
    pub(crate) must: BTreeSet<Code>,
    /// Codes that a refusal may name; one is refused for them only if a bucket still counts.
    pub(crate) may: BTreeSet<Code>,
    /// The tier, at least and at most.
    pub(crate) tier: (Tier, Tier),
    pub(crate) delay: u64,
    pub(crate) quorum: u8,
    pub(crate) lifetime: u64,
    pub(crate) release_within: u64,
    pub(crate) first_payment: bool,
    /// Broken rules about which owners are asked: those that certainly are, and those that may be.
    pub(crate) asked: BTreeSet<Code>,
    pub(crate) maybe_asked: BTreeSet<Code>,
}

/// Judges a payment by every one of them; `without`: the charge that does not count against itself.
pub(crate) fn judge_all(
    binding: &[Adopted],
    asking: &Asking,
    charges: &Charges,
    without: Option<usize>,
    now: Moment,
) -> Said {
    let mut said = Said {
        must: BTreeSet::new(),
        may: BTreeSet::new(),
        tier: (Tier::Instant, Tier::Instant),
        delay: 0,
        quorum: 0,
        lifetime: u64::MAX,
        release_within: u64::MAX,
        first_payment: false,
        asked: BTreeSet::new(),
        maybe_asked: BTreeSet::new(),
    };
    if binding.is_empty() {
        said.must.insert(Code::PolicyMissing);
    }
    for one in binding {
        let document = &one.document;
        let found = judge(document, asking, charges, without, now);
        let asks = |code: &Code| {
            let mut entries = document.escalations.iter();
            entries.any(|entry| {
                entry.code == *code && entry.action == waiaas_shared::policy::alarm::Action::Ask
            })
        };
        let mut tier = found.tier;
        if found.certain.iter().any(|code| !asks(code)) {
            said.must.extend(&found.certain);
            said.may.extend(&found.possible);
        } else if found.possible.iter().any(|code| !asks(code)) {
            said.may.extend(found.certain.iter().chain(&found.possible));
            tier = (tier.0, Tier::Approval);
        }
        // What is only asked about is no refusal; it raises the tier.
        said.asked.extend(&found.certain);
        said.maybe_asked.extend(&found.possible);
        if !found.certain.is_empty() {
            tier = (Tier::Approval, Tier::Approval);
        } else if !found.possible.is_empty() {
            tier = (tier.0, Tier::Approval);
        }
        said.tier = (said.tier.0.max(tier.0), said.tier.1.max(tier.1));
        said.delay = said.delay.max(found.delay);
        said.quorum = said.quorum.max(document.approval.quorum);
        said.lifetime = said.lifetime.min(document.approval.lifetime.millis());
        said.release_within = said.release_within.min(document.release_within.millis());
        said.first_payment |= found.first_payment;
    }
    said
}
