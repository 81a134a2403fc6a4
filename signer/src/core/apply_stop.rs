//! The part of the fold that is about pauses. Evaluates no rule.

use waiaas_shared::ids::WalletId;
use waiaas_shared::statement::StatementFacts;

use super::state::{Freeze, State};

/// A stop voids every release that was written before it: one that was signed and kept back never
/// undoes a later pause (invariants 14 and 16). It keeps its place until it expires: whoever drafts and
/// pauses in turn must not write to the log without end.
pub(super) fn void_releases(state: &mut State) {
    for open in state.statements.values_mut() {
        open.void |= matches!(open.facts, StatementFacts::ReleasePause { .. });
    }
}

/// Everything is paused until an owner resumes.
pub(super) fn freeze(state: &mut State, why: Freeze) {
    state.frozen.insert(why);
    void_releases(state);
}

pub(super) fn set_wallet_paused(state: &mut State, wallet: WalletId, paused: bool) {
    if let Some(wallet) = state.wallets.get_mut(&wallet) {
        wallet.paused = paused;
    }
}
