//! What the core shows of its state. Reads only; the amounts here inform, they never judge.

use std::collections::BTreeMap;

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::heartbeat::{Heartbeat, Kill, PAYMENTS_LIMIT, WaitingPayment};
use waiaas_shared::ids::SessionId;
use waiaas_shared::log::Head;
use waiaas_shared::policy::evaluate::{Left, Now, Payment, left};
use waiaas_shared::session::Credential;
use waiaas_shared::time::Clocks;
use waiaas_shared::view::{
    FormerKey, NonceView, OwnerView, Remaining, SessionState, SessionView, WalletView,
};

use super::decide_session;
use super::state::{KillPhase, Nonce, Session, State};

fn nonces(
    nonces: &BTreeMap<ChainId, Nonce>,
    outstanding: impl Fn(ChainId) -> Amount,
) -> Vec<NonceView> {
    nonces
        .iter()
        .map(|(chain, nonce)| NonceView {
            chain: *chain,
            next: nonce.next,
            attested: nonce.attested,
            outstanding: outstanding(*chain),
        })
        .collect()
}

impl State {
    /// Every wallet.
    #[must_use]
    pub fn wallet_views(&self) -> Vec<WalletView> {
        self.wallets
            .iter()
            .map(|(id, wallet)| WalletView {
                wallet: *id,
                path: wallet.path,
                account: wallet.account,
                networks: wallet.networks.clone(),
                paused: wallet.paused,
                nonces: nonces(&wallet.nonces, |chain| {
                    wallet.history.outstanding_of(None, chain.native_asset())
                }),
                closed: wallet.closed,
                former: wallet
                    .former
                    .iter()
                    .enumerate()
                    .map(|(place, key)| FormerKey {
                        path: key.path,
                        account: key.account,
                        nonces: nonces(&key.nonces, |chain| {
                            let asset = chain.native_asset();
                            wallet.history.outstanding_of(Some(place), asset)
                        }),
                    })
                    .collect(),
            })
            .collect()
    }

    /// Every owner, with what is the same for all of them.
    #[must_use]
    pub fn owner_views(&self, now: Clocks) -> Vec<OwnerView> {
        let owners = &self.owners;
        owners
            .keys
            .iter()
            .map(|(id, owner)| OwnerView {
                owner: *id,
                key: owner.key,
                envelope: owner.envelope,
                withdrawals: owners.withdrawals.iter().copied().collect(),
                standing: owner.standing,
                quorum: owners.quorum,
                guardians: owners.guardians.values().copied().collect(),
                pending: owners.pending.clone(),
                now: now.run,
            })
            .collect()
    }

    /// Canonical bytes of every binding document, oldest first.
    #[must_use]
    pub fn binding_documents(&self, now: Clocks) -> Vec<Vec<u8>> {
        self.binding(now.run)
            .iter()
            .map(|policy| policy.document.to_bytes())
            .collect()
    }

    /// Sessions that could be used if they were not suspended.
    #[must_use]
    pub fn suspended_sessions(&self, now: Clocks) -> usize {
        let suspended = self.watch.suspended.iter();
        suspended
            .filter(|id| {
                decide_session::usable(self, **id, now).err() == Some(Code::SessionSuspended)
            })
            .count()
    }

    /// What the signer says of itself at `head`.
    #[must_use]
    pub fn heartbeat(&self, head: Head, now: Clocks) -> Heartbeat {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let binding = self.binding(now.run).iter();
        // Where there are too many, those that could be signed next.
        let mut waiting = self.intent_views(now);
        waiting.sort_by_key(|view| {
            let ready = view.ready_in();
            (ready.is_none(), ready, view.intent.expires)
        });
        let payments = waiting.iter().take(PAYMENTS_LIMIT).map(|view| {
            let intent = &view.intent;
            WaitingPayment {
                transaction: intent.transaction,
                wallet: intent.wallet,
                tier: intent.tier(),
                amount: intent.amount,
                asset: intent.asset,
                to: intent.to,
                expires: intent.expires,
                more: intent.more.clone().unwrap_or_default(),
            }
        });
        let suspended = self.suspended_sessions(now);
        let usable = self.sessions.keys();
        let usable = usable.filter(|id| decide_session::usable(self, **id, now).is_ok());
        Heartbeat {
            signer: head.signer,
            clocks: now,
            sequence: head.sequence,
            hash: head.hash,
            policy_epoch: self.policy_epoch,
            policies: binding
                .map(|policy| (policy.document.epoch, policy.document.digest()))
                .collect(),
            kill: match self.kill.phase {
                KillPhase::Normal => Kill::Normal,
                KillPhase::Activated => Kill::Activated,
                KillPhase::Recovering => Kill::Recovering,
            },
            kill_epoch: self.kill.epoch,
            frozen: self.frozen(),
            clock_closed: self.clock_closed,
            dead_man: self.dead_man_left(now.run),
            wallets: count(self.wallets.len()),
            sessions: count(usable.count().saturating_add(suspended)),
            suspended: count(suspended),
            denials: self.watch.denials,
            payments: payments.collect(),
            waiting: count(waiting.len()),
        }
    }

    /// A session with what may still be spent under it.
    #[must_use]
    pub fn session_view(&self, id: SessionId, now: Clocks) -> Option<SessionView> {
        let session = self.sessions.get(&id)?;
        let state = match decide_session::usable(self, id, now) {
            Err(Code::SessionExpired) => SessionState::Expired,
            Err(Code::SessionSuspended) => SessionState::Suspended,
            _ => session.state,
        };
        Some(SessionView {
            session: id,
            grant: session.grant.clone(),
            usage: session.usage.clone(),
            state,
            remaining: self.remaining(id, session, now),
            ends: session.ends,
            renewals: session.renewals,
            stage: session
                .grant
                .agent
                .and_then(|agent| self.agents.get(&agent).copied()),
        })
    }

    fn remaining(&self, id: SessionId, session: &Session, now: Clocks) -> Vec<Remaining> {
        let binding = self.binding(now.run);
        let wallets = session
            .grant
            .wallets
            .iter()
            .filter_map(|wallet| Some((*wallet, self.wallets.get(wallet)?)));
        let pairs = wallets.flat_map(|(wallet, known)| {
            let limits = session.grant.limits.iter();
            limits
                .filter(|limit| known.networks.contains(&limit.asset.chain()))
                .map(move |limit| (wallet, limit))
        });
        let now = Now {
            budget: now.budget,
            wall: now.wall,
            // What is left does not depend on the hour.
            steady: now.wall,
        };
        pairs
            .map(|(wallet, limit)| {
                let payer = Payment {
                    wallet,
                    session: id,
                    bearer: matches!(session.grant.credential, Credential::Bearer(_)),
                    chain: limit.asset.chain(),
                    effects: &[],
                    submit: true,
                };
                let left = binding
                    .iter()
                    .map(|policy| left(&policy.document, &payer, limit.asset, self, now))
                    .reduce(Left::tightest);
                let (per_transaction, window, windows) = match left {
                    Some(left) => (left.per_transaction, left.window, left.windows),
                    None => Default::default(),
                };
                let spent = session.usage.spent.get(&limit.asset);
                Remaining {
                    wallet,
                    asset: limit.asset,
                    per_transaction: per_transaction.min(limit.per_transaction),
                    window,
                    session: limit
                        .total
                        .remaining_after(spent.copied().unwrap_or_default()),
                    windows,
                }
            })
            .collect()
    }
}
