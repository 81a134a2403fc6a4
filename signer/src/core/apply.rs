//! The fold: one event into the state. Total; evaluates no rule and reads no clock but the event's.

use waiaas_shared::agent::AgentStage;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::owner_change::OwnerChange;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::windows::Usage;
use waiaas_shared::session::SessionUsage;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::view::SessionState;

use super::apply_owner;
use super::apply_payment::{
    charge, charge_authorization, open_intent, remember, remember_authorization, remember_nonce,
    sign_in, take_nonce, vary,
};
use super::apply_stop::{
    freeze, set_wallet_paused, void_attestations, void_grants, void_of_agent, void_of_former_key,
    void_releases, void_times,
};
use super::state::{
    Approval, BindingPolicy, Freeze, Kill, KillPhase, OpenStatement, Session, State, Wallet,
};
use super::{drafted, watch};

/// Folds one event.
pub fn apply(state: &mut State, event: &Event) {
    state.clocks = event.clocks;
    forget_expired(state);
    match &event.body {
        EventBody::Created { signer } => state.signer = Some(*signer),
        EventBody::Unlocked {
            journal,
            vouched: _,
            failures: _,
            journal_lost,
        } => {
            state.journal = *journal;
            state.unlock_failures = 0;
            if *journal_lost {
                freeze(state, Freeze::JournalLost);
            }
        }
        EventBody::Locked { origin: _ } => {}
        EventBody::ClockStepped { seen: _ } => state.clock_closed = true,
        EventBody::OwnerEnrolled {
            owner,
            key,
            envelope,
            withdrawals,
            statement,
        } => {
            state.statements.remove(statement);
            apply_owner::enrolled(state, *owner, *key, *envelope, withdrawals);
        }
        EventBody::WalletCreated {
            wallet,
            path,
            account,
            networks,
            first_nonce,
        } => {
            let created = Wallet::new(*path, *account, networks, *first_nonce);
            state.wallets.insert(*wallet, created);
        }
        EventBody::StatementIssued {
            statement,
            facts,
            policy_epoch: _,
            expires,
            origin,
            text,
        } => {
            drafted::fold(
                &mut state.drafted,
                facts,
                text,
                *origin,
                event.clocks.budget,
            );
            let open = OpenStatement {
                facts: facts.clone(),
                text: text.clone(),
                expires: *expires,
                origin: *origin,
                void: false,
            };
            state.statements.insert(*statement, open);
        }
        EventBody::PolicyAdopted {
            statement,
            signers,
            epoch,
            digest: _,
            matures,
        } => {
            if let Some(OpenStatement {
                facts: StatementFacts::AdoptPolicy { document },
                ..
            }) = state.statements.remove(statement)
            {
                // What cannot be read at all lets nothing pass: the document before must not bind alone.
                let document = PolicyDocument::adopted(&document);
                let document = document.unwrap_or_else(|_| PolicyDocument::closed(*epoch));
                state.policy_epoch = *epoch;
                // What owners read in them was judged by the policy before.
                let keep = |facts: &StatementFacts| {
                    !matches!(facts, StatementFacts::ApprovePayment { .. })
                };
                state.statements.retain(|_, open| keep(&open.facts));
                state.policies.push(BindingPolicy {
                    document: document.into(),
                    matures: *matures,
                    signers: signers.clone(),
                });
            }
        }
        EventBody::SessionGranted {
            session,
            statement,
            signers,
        } => {
            if let Some(OpenStatement {
                facts: StatementFacts::GrantSession { grant },
                ..
            }) = state.statements.remove(statement)
            {
                let granted = Session {
                    ends: grant.expires,
                    renewals: 0,
                    grant,
                    usage: SessionUsage::default(),
                    history: Default::default(),
                    state: SessionState::Active,
                    killed: false,
                    opened: Usage::default(),
                    signers: signers.clone(),
                };
                state.sessions.insert(*session, granted);
            }
        }
        EventBody::SessionRevoked { session, origin: _ } => {
            void_grants(state, *session);
            if let Some(session) = state.sessions.get_mut(session) {
                session.revoke();
            }
        }
        EventBody::SessionExpired { session } => {
            if let Some(session) = state.sessions.get_mut(session) {
                session.state = SessionState::Expired;
            }
        }
        EventBody::SpendCommitted(spend) => {
            charge(state, spend, event.clocks.budget);
            remember(state, spend, None, event.clocks.budget);
        }
        EventBody::TransferAuthorized {
            spend,
            authorization,
        } => {
            charge_authorization(state, spend, event.clocks.budget);
            remember_authorization(state, spend, authorization, event.clocks.budget);
        }
        EventBody::Withdrawn {
            statement,
            signers: _,
            spend,
        } => {
            state.statements.remove(statement);
            // Outside limits (invariant 17): the owner's own way out takes nothing from what agents may spend.
            take_nonce(state, spend);
            remember(state, spend, None, event.clocks.budget);
        }
        EventBody::SpendReplaced { spend, variant } => {
            vary(state, spend, variant, event.clocks.budget);
        }
        EventBody::SessionRenewed {
            session,
            ends,
            request_nonce,
        } => {
            if let Some(session) = state.sessions.get_mut(session) {
                session.ends = *ends;
                session.renewals = session.renewals.saturating_add(1);
            }
            remember_nonce(state, *session, request_nonce.as_ref());
        }
        EventBody::WalletClosed {
            wallet,
            statement,
            signers: _,
        } => {
            state.statements.remove(statement);
            if let Some(wallet) = state.wallets.get_mut(wallet) {
                wallet.closed = true;
            }
        }
        EventBody::WalletRotated {
            wallet,
            path,
            account,
            first_nonce,
            statement,
            signers: _,
        } => {
            state.statements.remove(statement);
            void_of_former_key(state, *wallet);
            if let Some(wallet) = state.wallets.get_mut(wallet) {
                wallet.rotate(*path, *account, *first_nonce, event.clocks.budget);
            }
        }
        EventBody::AgentRegistered {
            agent,
            stage,
            statement,
            signers: _,
        } => {
            state.statements.remove(statement);
            state.agents.insert(*agent, *stage);
        }
        EventBody::AgentActivated {
            agent,
            statement,
            signers: _,
        } => {
            state.statements.remove(statement);
            state.agents.insert(*agent, AgentStage::Active);
        }
        EventBody::AgentStopped {
            agent,
            stage,
            origin: _,
        } => {
            state.agents.insert(*agent, *stage);
            void_of_agent(state, *agent);
        }
        EventBody::AgentTerminated { agent, sessions } => {
            state.agents.insert(*agent, AgentStage::Terminated);
            for id in sessions {
                if let Some(session) = state.sessions.get_mut(id) {
                    session.revoke();
                }
            }
        }
        EventBody::Paused { wallet, origin: _ } => match wallet {
            None => freeze(state, Freeze::Asked),
            Some(wallet) => {
                set_wallet_paused(state, *wallet, true);
                void_releases(state);
            }
        },
        EventBody::PauseReleased {
            wallet,
            statement,
            signers: _,
        } => {
            state.statements.remove(statement);
            match wallet {
                None => state.frozen.clear(),
                Some(wallet) => set_wallet_paused(state, *wallet, false),
            }
            if wallet.is_none() && state.kill.phase == KillPhase::Recovering {
                state.kill.phase = KillPhase::Normal;
            }
        }
        EventBody::Killed { epoch, origin: _ } => {
            state.kill = Kill {
                phase: KillPhase::Activated,
                epoch: *epoch,
            };
            for session in state.sessions.values_mut() {
                if session.state == SessionState::Active {
                    session.state = SessionState::Revoked;
                    session.killed = true;
                }
            }
            state.statements.clear();
            apply_owner::killed(state);
        }
        EventBody::KillReleased {
            epoch: _,
            sessions,
            statement,
            signers: _,
        } => {
            state.statements.remove(statement);
            state.kill.phase = KillPhase::Recovering;
            freeze(state, Freeze::KillReleased);
            for (id, session) in &mut state.sessions {
                if session.killed && sessions.contains(id) {
                    session.state = SessionState::Active;
                }
                session.killed = false;
            }
        }
        EventBody::NonceAttested {
            wallet,
            chain,
            next,
            statement,
            signers: _,
            from,
        } => {
            state.statements.remove(statement);
            void_attestations(state, *wallet, *chain, *from);
            if let Some(wallet) = state.wallets.get_mut(wallet) {
                wallet.attest_nonce(*chain, *next, *from);
            }
        }
        EventBody::TimeStated {
            wall,
            statement,
            signers: _,
        } => {
            state.stated = state.stated.max(*wall);
            state.statements.remove(statement);
            void_times(state);
            state.clock_closed = false;
        }
        EventBody::WithdrawalEnrolled {
            account,
            effective,
            statement,
            signers,
        } => {
            let change = OwnerChange::EnrolWithdrawal { account: *account };
            apply_owner::scheduled(state, &change, *effective, *statement, signers);
        }
        EventBody::OwnerChangeScheduled {
            change,
            effective,
            statement,
            signers,
        } => apply_owner::scheduled(state, change, *effective, *statement, signers),
        EventBody::OwnerChangeCancelled {
            change,
            statement,
            signers: _,
        } => apply_owner::cancelled(state, *change, *statement),
        EventBody::OwnerChangeEffective { change } => apply_owner::effective(state, *change),
        EventBody::OwnerChangeVoided { change, code: _ } => apply_owner::voided(state, *change),
        EventBody::OwnerSuspended {
            owner,
            policies,
            sessions,
            changes,
            statement,
            signers: _,
        } => {
            if let Some(statement) = statement {
                state.statements.remove(statement);
            }
            apply_owner::suspended(state, *owner, policies, sessions, changes);
        }
        EventBody::SuspensionLifted {
            owner,
            statement,
            signers: _,
        } => apply_owner::lifted(state, *owner, *statement),
        EventBody::Credited {
            sequence,
            wallet,
            session,
            charged_at,
            amounts,
            statement,
            signers: _,
        } => {
            if let Some(OpenStatement {
                facts: StatementFacts::Credit { transaction, .. },
                ..
            }) = state.statements.remove(statement)
            {
                state.kept.remove(&transaction);
            }
            state.credited.insert(*sequence);
            apply_owner::credited(state, *wallet, *session, *charged_at, amounts);
        }
        EventBody::GuardianStopped {
            statement,
            guardians: _,
        } => {
            state.statements.remove(statement);
        }
        EventBody::Retired {
            statement: _,
            signers: _,
        } => {
            state.retired = true;
            state.statements.clear();
            state.owners.pending.clear();
        }
        EventBody::SignedIn(entry) => sign_in(state, entry, event.clocks.budget),
        // Folded with what the signer watches, below.
        EventBody::DenialsCounted { .. }
        | EventBody::SessionSuspended { .. }
        | EventBody::SessionResumed { .. }
        | EventBody::AlarmRaised { .. }
        | EventBody::OwnerAlive { .. }
        | EventBody::DenialNoted { .. } => {}
        EventBody::SnapshotTaken {
            version: _,
            sequence: _,
            digest: _,
        } => {}
        EventBody::HeadMissed {
            sequence: _,
            hash: _,
            signature: _,
        } => freeze(state, Freeze::HeadMissed),
        EventBody::IntentOpened(intent) => open_intent(state, intent, event.clocks.budget),
        EventBody::IntentApproved {
            transaction,
            statement,
            signers,
            until,
        } => {
            state.statements.remove(statement);
            if let Some(open) = state.intents.get_mut(transaction) {
                open.approval = Some(Approval {
                    signers: signers.clone(),
                    until: *until,
                });
            }
        }
        EventBody::IntentsEnded {
            transactions,
            cause,
        } => {
            if let IntentEnd::Rejected { statement, .. } = cause {
                state.statements.remove(statement);
            }
            for transaction in transactions {
                if let Some(ended) = state.intents.remove(transaction)
                    && let Some(earlier) = ended.intent.replaces
                {
                    // Nothing took its place: it may be tried again.
                    state.replaced.remove(&earlier.transaction);
                }
            }
        }
    }
    watch::fold(state, event);
}

/// Drops what can no longer matter, by the event's own clocks: an expiry once seen is durable.
fn forget_expired(state: &mut State) {
    let now = state.clocks;
    state.statements.retain(|_, open| open.expires > now.wall);
    state.request_nonces.forget(now.run);
    let matured = state
        .policies
        .iter()
        .rposition(|policy| policy.matures <= now.run)
        .unwrap_or(0);
    state.policies.drain(..matured);
}
