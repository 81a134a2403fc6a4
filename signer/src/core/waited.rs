//! Whether a payment went through as much as the rules ask of it now: when it is released, and each time
//! that its bytes are given again (invariants 4, 10 and 19). A document that was adopted meanwhile binds
//! what left the log and not yet the signer, as it binds what still waits.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::effect::Effect;
use waiaas_shared::event::Spend;
use waiaas_shared::ids::OwnerId;
use waiaas_shared::intent::Intent;
use waiaas_shared::owner_change::Standing;
use waiaas_shared::policy::evaluate::{Payment, Tier, Verdict};
use waiaas_shared::time::{Clocks, RunTime};

use super::command::Context;
use super::decide_spend::judge_all;
use super::owners::count;
use super::state::{OpenIntent, Session, State};

/// What a payment has behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behind<'a> {
    /// How it was judged when it was asked for.
    pub(super) tier: Tier,
    /// When its wait began; none: it did not wait.
    pub(super) since: Option<RunTime>,
    /// Who approved it.
    pub(super) approved: &'a [OwnerId],
    /// The broken rules that they read of.
    pub(super) asked: &'a [Violation],
    /// Charged, and judged as a whole then: by its entry's policies.
    charged: Option<&'a Spend>,
    /// It is that very payment, to the last unit.
    unchanged: bool,
}

impl<'a> Behind<'a> {
    /// What a payment that waits has behind it, with those of its signers who stand.
    pub(super) fn waiting(intent: &'a Intent, approved: &'a [OwnerId]) -> Self {
        Self {
            tier: intent.tier(),
            since: Some(intent.opened),
            approved,
            asked: intent.asked.as_deref().unwrap_or_default(),
            charged: None,
            unchanged: false,
        }
    }

    /// What the bytes of a committed payment went through.
    pub(super) fn of(spend: &'a Spend) -> Self {
        Self {
            unchanged: true,
            ..Self::varied(spend)
        }
    }

    /// The same, for another transaction of its nonce that may cost more.
    pub(super) fn varied(spend: &'a Spend) -> Self {
        let waited = spend.waited.as_ref();
        Self {
            tier: spend.tier,
            since: waited.map(|waited| waited.since),
            approved: waited.map_or(&[], |waited| &waited.approved),
            asked: waited
                .and_then(|waited| waited.asked.as_deref())
                .unwrap_or_default(),
            charged: Some(spend),
            unchanged: false,
        }
    }

    /// Whether that is as much as a verdict asks for.
    pub(super) fn suffices(
        &self,
        state: &State,
        verdict: &Verdict,
        now: Clocks,
    ) -> Result<(), Denial> {
        // Under the same documents a charged payment is asked for no more than it was: what others took of a window
        // since was judged with this one in it, or the nonce of one that was signed at once would block them all.
        let same = self
            .charged
            .is_some_and(|spend| !adopted_since(state, spend, now));
        let settled = same && self.unchanged;
        let tier = if settled {
            verdict.by_itself.max(verdict.tier.min(self.tier))
        } else {
            verdict.tier
        };
        if tier > self.tier.max(Tier::Notify) {
            return Err(Code::TierRaised.into());
        }
        match tier {
            Tier::Instant | Tier::Notify => Ok(()),
            Tier::Delay => {
                let since = self.since.ok_or(Code::TierRaised)?;
                let ready = since.after(verdict.delay);
                if ready > now.run {
                    return Err(Violation {
                        retry_after: Some(ready.since(now.run)),
                        ..Violation::of(Code::IntentNotReady)
                    }
                    .into());
                }
                Ok(())
            }
            // As many as policy asks for and as must sign for the owner at all.
            Tier::Approval => {
                let needed = usize::from(verdict.quorum).max(count(state.owners.quorum));
                let few = standing(state, self.approved).count() < needed;
                // What asks now and is not what they were asked about, or is broken further: they never read
                // of it. What was charged is not broken further by what was charged since.
                let covers = |read: &Violation, broken: &Violation| match same {
                    true => read.covers_charged(broken),
                    false => read.covers(broken),
                };
                let unread =
                    |broken: &Violation| !self.asked.iter().any(|read| covers(read, broken));
                let mut asked = verdict.asked.iter();
                if few
                    || asked.any(|broken| !(settled && broken.window.is_some()) && unread(broken))
                {
                    return Err(Code::TierRaised.into());
                }
                Ok(())
            }
        }
    }
}

/// The broken rules about which owners are asked, as far as a payment may go until its release: with the most that
/// it may cost then, for its fee is another one by then. Where that would be refused outright, as it is proposed.
pub(super) fn told(
    state: &State,
    session: &Session,
    payment: &Payment<'_>,
    (fee, rent): (Amount, Option<Amount>),
    asked: Vec<Violation>,
    context: &Context,
) -> Vec<Violation> {
    let asset = payment.chain.native_asset();
    let paid = payment.effects.iter().filter(|effect| !effect.is_cost());
    let mut effects: Vec<Effect> = paid.cloned().collect();
    effects.extend(rent.map(|amount| Effect::Rent { asset, amount }));
    effects.push(Effect::Fee { asset, max: fee });
    let worst = Payment {
        effects: &effects,
        ..*payment
    };
    let (grant, usage) = (&session.grant, &session.usage);
    judge_all(state, grant, usage, &worst, state, context).map_or(asked, |verdict| verdict.asked)
}

/// Whether a document binds that was adopted after the payment was charged, or none does.
pub(super) fn adopted_since(state: &State, spend: &Spend, now: Clocks) -> bool {
    let newest = state.binding(now.run).last();
    newest.is_none_or(|policy| policy.document.epoch > spend.policy_epoch)
}

/// Whether a waiting payment was approved, and not as much as an equal one is judged to need now: nothing but time
/// could release it.
pub(super) fn outlived(state: &State, open: &OpenIntent, verdict: &Verdict, now: Clocks) -> bool {
    let Some(approval) = &open.approval else {
        return false;
    };
    let approved: Vec<OwnerId> = standing(state, &approval.signers).collect();
    let behind = Behind::waiting(&open.intent, &approved);
    behind.suffices(state, verdict, now).is_err()
}

/// Those who are owners still and not suspended.
pub(super) fn standing<'a>(
    state: &'a State,
    signers: &'a [OwnerId],
) -> impl Iterator<Item = OwnerId> + 'a {
    signers.iter().copied().filter(|owner| {
        let known = state.owners.keys.get(owner);
        known.is_some_and(|owner| owner.standing == Standing::Active)
    })
}
