//! The part of the fold that is about pauses, and about statements that lost their meaning before they
//! were brought. Evaluates no rule.
//!
//! A void statement keeps its place until it expires: whoever drafts and stops in turn must not write to
//! the log without end.

use waiaas_shared::address::Account;
use waiaas_shared::caip::ChainId;
use waiaas_shared::ids::{AgentId, SessionId, WalletId};
use waiaas_shared::session::Credential;
use waiaas_shared::statement::StatementFacts;

use super::state::{Freeze, State};

/// A stop voids every release that was written before it: one that was signed and kept back never
/// undoes a later pause (invariants 14 and 16).
pub(super) fn void_releases(state: &mut State) {
    void(state, |facts| {
        matches!(facts, StatementFacts::ReleasePause { .. })
    });
}

/// The same for an agent that was stopped since.
pub(super) fn void_of_agent(state: &mut State, agent: AgentId) {
    let holders = holders(state, agent);
    void(state, |facts| undoes_stop(facts, agent, &holders));
}

/// Who holds an agent's sessions.
pub(super) fn holders(state: &State, agent: AgentId) -> Vec<Credential> {
    let grants = state.sessions.values().map(|session| &session.grant);
    let of_agent = grants.filter(|grant| grant.agent == Some(agent));
    of_agent.map(|grant| grant.credential).collect()
}

/// Whether a statement would let an agent spend again: its activation, or another session for whoever
/// holds one of its own, as another agent's or as nobody's.
pub(super) fn undoes_stop(facts: &StatementFacts, agent: AgentId, holders: &[Credential]) -> bool {
    match facts {
        StatementFacts::ActivateAgent { agent: of } => *of == agent,
        StatementFacts::GrantSession { grant } => holders.contains(&grant.credential),
        _ => false,
    }
}

/// A session was stopped: what would give its holder another one was written before (invariants 14 and 16).
pub(super) fn void_grants(state: &mut State, session: SessionId) {
    let stopped = state.sessions.get(&session);
    let Some(credential) = stopped.map(|session| session.grant.credential) else {
        return;
    };
    void(
        state,
        |facts| matches!(facts, StatementFacts::GrantSession { grant } if grant.credential == credential),
    );
}

/// What owners read beside a wallet's address means nothing for its next key: a nonce that was attested
/// for the old address would close the new one (invariants 6 and 13).
pub(super) fn void_of_former_key(state: &mut State, wallet: WalletId) {
    void(state, |facts| match facts {
        StatementFacts::AttestNonce {
            wallet: of,
            from: None,
            ..
        }
        | StatementFacts::RotateWallet { wallet: of, .. }
        | StatementFacts::CloseWallet { wallet: of }
        | StatementFacts::Withdraw {
            wallet: of,
            from: None,
            ..
        } => *of == wallet,
        _ => false,
    });
}

/// A key's next nonce is another one: what owners read of it, and of what an attestation would skip and end, was
/// written beside the one before (invariants 6 and 13).
pub(super) fn void_attestations(
    state: &mut State,
    wallet: WalletId,
    chain: ChainId,
    from: Option<Account>,
) {
    void(
        state,
        |facts| matches!(facts, StatementFacts::AttestNonce { wallet: of, chain: on, from: by, .. } if (*of, *on, *by) == (wallet, chain, from)),
    );
}

/// The time was stated: what was written for the same step opens no later one.
pub(super) fn void_times(state: &mut State) {
    void(state, |facts| {
        matches!(facts, StatementFacts::StateTime { .. })
    });
}

fn void(state: &mut State, of: impl Fn(&StatementFacts) -> bool) {
    for open in state.statements.values_mut() {
        open.void |= of(&open.facts);
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
