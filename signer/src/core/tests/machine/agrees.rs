//! After every step: what the signer holds is what the book says, place by place.

use std::collections::BTreeSet;
use std::fmt::Debug;

use waiaas_shared::agent::AgentStage;
use waiaas_shared::owner_change::Standing as OwnerStanding;
use waiaas_shared::view::SessionState;

use super::book::{Book, Kill, Stage, Standing};
use super::run::{Checked, Run};
use super::tallies::tallies;
use crate::core::state::{KillPhase, State};
use crate::model::people::token_on;

pub(super) fn same<T: PartialEq + Debug>(what: &str, signer: T, book: T) -> Checked {
    if signer == book {
        Ok(())
    } else {
        Err(format!(
            "{what}: the signer has {signer:?}, the book {book:?}"
        ))
    }
}

impl Run {
    pub(super) fn agrees(&self) -> Checked {
        let (state, book) = (&self.state, &self.book);
        stops(state, book)?;
        policies(state, book)?;
        wallets(state, book)?;
        sessions(state, book)?;
        waiting(state, book)?;
        agents(state, book)?;
        tallies(state, book)?;
        same("heard", state.watch.heard.millis(), book.watch.heard)?;
        let suspended = state.watch.suspended.clone();
        same(
            "suspended sessions",
            suspended,
            book.watch.suspended.clone(),
        )?;
        owners(state, book)
    }
}

fn stops(state: &State, book: &Book) -> Checked {
    let phase = match book.kill {
        Kill::Normal => KillPhase::Normal,
        Kill::Activated => KillPhase::Activated,
        Kill::Recovering => KillPhase::Recovering,
    };
    same("kill", state.kill().phase, phase)?;
    same("kill epoch", state.kill().epoch, book.kill_epoch)?;
    same("frozen", state.frozen(), book.frozen)?;
    same("clock closed", state.clock_closed(), book.closed)
}

/// Epoch and moment of maturity of every document that binds; the fold forgets by its last event.
fn policies(state: &State, book: &Book) -> Checked {
    same("policy epoch", state.policy_epoch(), book.epoch())?;
    let run = waiaas_shared::time::RunTime::from_millis(book.now().run);
    let of_signer: Vec<_> = state
        .binding(run)
        .iter()
        .map(|one| {
            (
                one.document.epoch,
                (!one.is_void()).then(|| one.matures.millis()),
            )
        })
        .collect();
    let of_book: Vec<_> = book
        .binding()
        .iter()
        .map(|one| (one.document.epoch, one.matures))
        .collect();
    same("binding documents", of_signer, of_book)
}

fn wallets(state: &State, book: &Book) -> Checked {
    for wallet in &book.wallets {
        let known = state.wallets.get(&wallet.id).ok_or("a wallet is gone")?;
        same("paused", known.paused, wallet.paused)?;
        let nonces = known.nonces.get(&wallet.chain);
        let nonces = nonces.map(|nonce| (nonce.next, nonce.attested));
        same("nonces", nonces, wallet.nonces)?;
        same("closed", known.closed, wallet.closed)?;
        same("address", known.account, wallet.account)?;
        let former: Vec<_> = known
            .former
            .iter()
            .map(|key| {
                let nonces = key.nonces.get(&wallet.chain);
                (key.account, nonces.map(|one| (one.next, one.attested)))
            })
            .collect();
        same("former keys", former, wallet.former.clone())?;
        for asset in [wallet.chain.native_asset(), token_on(wallet.chain)] {
            let outstanding = known.history.outstanding(asset).base_units();
            let of_book = book.charges.outstanding(wallet.id, asset);
            same("outstanding", outstanding, of_book)?;
        }
    }
    same("wallets", state.wallets.len(), book.wallets.len())
}

fn sessions(state: &State, book: &Book) -> Checked {
    for session in &book.sessions {
        let known = state.sessions.get(&session.id).ok_or("a session is gone")?;
        let standing = match known.state {
            SessionState::Active => Standing::Active,
            SessionState::Expired => Standing::Expired,
            SessionState::Revoked => Standing::Revoked,
            // Only a view says so: a suspension stands beside what a session is.
            SessionState::Suspended => return Err("a session of another kind".into()),
        };
        same("session", standing, session.standing)?;
        same("by kill", known.killed, session.by_kill)?;
        let life = (known.ends.millis(), known.renewals);
        same("session's end", life, (session.ends, session.renewals))?;
        same("session's count", known.usage.count, session.count)?;
        for (asset, spent) in &session.spent {
            let known = known.usage.spent.get(asset).copied().unwrap_or_default();
            same("session's total", known.base_units(), *spent)?;
        }
    }
    same("sessions", state.sessions.len(), book.sessions.len())
}

fn agents(state: &State, book: &Book) -> Checked {
    let of_signer: Vec<_> = state
        .agents
        .iter()
        .map(|(agent, stage)| {
            let stage = match stage {
                AgentStage::Created => Stage::Created,
                AgentStage::Active => Stage::Active,
                AgentStage::Suspended => Stage::Suspended,
                AgentStage::Terminating => Stage::Terminating,
                AgentStage::Terminated => Stage::Terminated,
            };
            (*agent, stage)
        })
        .collect();
    let of_book: Vec<_> = book
        .agents
        .iter()
        .map(|(id, stage)| (*id, *stage))
        .collect();
    same("agents", of_signer, of_book)?;
    // Whom each replaced payment gave way to.
    let mut of_book: Vec<_> = book
        .paid
        .iter()
        .filter(|(name, paid)| paid.placed.is_some() || book.is_replaced(**name))
        .map(|(name, _)| name)
        .collect();
    of_book.sort();
    let of_signer: Vec<_> = state.replaced.keys().collect();
    same("replaced payments", of_signer, of_book)
}

fn waiting(state: &State, book: &Book) -> Checked {
    let wall = book.now().wall;
    let open = state.statements.iter();
    let open = open.filter(|(_, one)| one.expires.millis() > wall);
    let of_signer: BTreeSet<_> = open.map(|(id, one)| (*id, one.void)).collect();
    let drafts = book.drafts.iter().filter(|(_, one)| one.expires > wall);
    let of_book: BTreeSet<_> = drafts.map(|(id, one)| (*id, one.void)).collect();
    same("open statements", of_signer, of_book)?;
    let of_signer: Vec<_> = state
        .intents
        .iter()
        .map(|(id, open)| (*id, open.approval.is_some()))
        .collect();
    let of_book: Vec<_> = book
        .waits
        .iter()
        .map(|(id, wait)| (*id, wait.approval.is_some()))
        .collect();
    same("waiting payments", of_signer, of_book)
}

fn owners(state: &State, book: &Book) -> Checked {
    let owners = &book.owners;
    same("quorum", state.owners.quorum as usize, owners.quorum)?;
    let of_signer: Vec<_> = state
        .owners
        .keys
        .iter()
        .map(|(id, owner)| (*id, owner.standing == OwnerStanding::Active))
        .collect();
    let of_book: Vec<_> = owners.keys.iter().map(|(id, (_, is))| (*id, *is)).collect();
    same("owners", of_signer, of_book)?;
    let pending = state.owners.pending.iter();
    let of_signer: Vec<_> = pending
        .map(|one| (one.statement, one.effective.millis()))
        .collect();
    let pending = owners.pending.iter();
    let of_book: Vec<_> = pending.map(|one| (one.statement, one.effective)).collect();
    same("changes of owners", of_signer, of_book)?;
    let withdrawals = state.owners.withdrawals.clone();
    same(
        "withdrawal addresses",
        withdrawals,
        owners.withdrawals.clone(),
    )
}
