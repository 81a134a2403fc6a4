//! What the core shows of its state. Reads only; the amounts here inform, they never judge.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::SessionId;
use waiaas_shared::policy::evaluate::window_limit;
use waiaas_shared::policy::windows::Window;
use waiaas_shared::time::Clocks;
use waiaas_shared::view::{NonceView, OwnerView, Remaining, SessionState, SessionView, WalletView};

use super::decide_session;
use super::state::{Session, State};

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
                nonces: wallet
                    .nonces
                    .iter()
                    .map(|(chain, nonce)| NonceView {
                        chain: *chain,
                        next: nonce.next,
                        attested: nonce.attested,
                        outstanding: wallet.history.outstanding(*chain),
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

    /// A session with what may still be spent under it.
    #[must_use]
    pub fn session_view(&self, id: SessionId, now: Clocks) -> Option<SessionView> {
        let session = self.sessions.get(&id)?;
        let state = match decide_session::usable(self, id, now) {
            Ok(_) => SessionState::Active,
            Err(Code::SessionExpired) => SessionState::Expired,
            Err(_) => SessionState::Revoked,
        };
        Some(SessionView {
            session: id,
            grant: session.grant.clone(),
            usage: session.usage.clone(),
            state,
            remaining: self.remaining(session, now),
        })
    }

    fn remaining(&self, session: &Session, now: Clocks) -> Vec<Remaining> {
        let binding = self.binding(now.run);
        let wallets = session
            .grant
            .wallets
            .iter()
            .filter_map(|id| Some((*id, self.wallets.get(id)?)));
        wallets
            .flat_map(|(id, wallet)| {
                let networks = &wallet.networks;
                let limits = session
                    .grant
                    .limits
                    .iter()
                    .filter(|limit| networks.contains(&limit.asset.chain()));
                limits.map(move |limit| {
                    let spent = session
                        .usage
                        .spent
                        .get(&limit.asset)
                        .copied()
                        .unwrap_or_default();
                    let nothing = waiaas_shared::policy::windows::Usage::default();
                    let usage = wallet.history.asset(limit.asset).unwrap_or(&nothing);
                    let tightest =
                        |of: &dyn Fn(&waiaas_shared::policy::document::AssetRule) -> Amount| {
                            let rules = binding
                                .iter()
                                .map(|policy| policy.document.asset(limit.asset));
                            rules
                                .map(|rule| rule.map_or(Amount::ZERO, of))
                                .min()
                                .unwrap_or_default()
                        };
                    Remaining {
                        wallet: id,
                        asset: limit.asset,
                        per_transaction: tightest(&|rule| {
                            rule.per_transaction.min(rule.approve_up_to)
                        })
                        .min(limit.per_transaction),
                        window: tightest(&|rule| {
                            let left = Window::ALL.into_iter().map(|window| {
                                let spent = usage.spent(window, now.budget);
                                window_limit(rule, window).remaining_after(spent)
                            });
                            left.min().unwrap_or_default()
                        }),
                        session: limit.total.remaining_after(spent),
                    }
                })
            })
            .collect()
    }
}
