//! Decisions that stop: kill, pause, lock's counterpart unlock, and clock steps. Nothing here
//! loosens but unlocking, which needs the password.

use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::WalletId;
use waiaas_shared::time::WallTime;

use super::command::{Outcome, UnlockFacts};
use super::state::{KillPhase, State};
use super::{Decision, decide_intent};

/// The password opened the keystore. After a journal that was lost, or beside a head that the owner kept
/// and that this log does not go through, everything starts paused (invariant 16).
pub(super) fn unlocked(_state: &State, facts: &UnlockFacts) -> Decision {
    let mut decision = Decision::event(EventBody::Unlocked {
        journal: facts.journal,
        vouched: facts.vouched,
        failures: facts.failures,
        journal_lost: facts.journal_lost,
    });
    let missed = facts.missed.as_ref();
    decision
        .events
        .extend(missed.map(|missed| EventBody::HeadMissed {
            sequence: missed.head.sequence,
            hash: missed.head.hash,
            signature: missed.signature.to_vec(),
        }));
    decision
}

/// An unexplained step closes signing; once is enough.
pub(super) fn clock_stepped(state: &State, seen: WallTime) -> Decision {
    if state.clock_closed {
        return Decision {
            events: Vec::new(),
            outcome: Ok(Outcome::Done),
        };
    }
    Decision::event(EventBody::ClockStepped { seen })
}

/// Whoever reaches a socket may throw it (invariant 15); throwing it again changes nothing.
pub(super) fn kill(state: &State, origin: Origin) -> Decision {
    if state.kill.phase == KillPhase::Activated {
        // Nothing is signed in this phase, and the keys that the owner's password opened serve its
        // release: a gateway that throws the switch again and again must not keep that from happening.
        let outcome = match origin {
            Origin::Gateway | Origin::Signer => Outcome::Done,
            Origin::Admin => Outcome::WipeKeys,
        };
        return Decision {
            events: Vec::new(),
            outcome: Ok(outcome),
        };
    }
    let epoch = state.kill.epoch.saturating_add(1);
    let mut events = vec![EventBody::Killed { epoch, origin }];
    events.extend(decide_intent::all_killed(state));
    Decision {
        events,
        outcome: Ok(Outcome::WipeKeys),
    }
}

pub(super) fn pause(state: &State, wallet: Option<WalletId>, origin: Origin) -> Decision {
    let paused = match wallet {
        None => state.frozen(),
        Some(id) => match state.wallets.get(&id) {
            None => return Decision::denied(Code::WalletUnknown),
            Some(wallet) => wallet.paused,
        },
    };
    // An open release was written before this pause and must not undo it.
    if paused && !state.releases_wait() {
        return Decision {
            events: Vec::new(),
            outcome: Ok(Outcome::Done),
        };
    }
    Decision::event(EventBody::Paused { wallet, origin })
}
