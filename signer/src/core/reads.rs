//! The state as policy and statements read it: what was spent, and what a text says of wallets, sessions,
//! owners. Reads only.

use waiaas_shared::address::Account;
use waiaas_shared::agent::AgentStage;
use waiaas_shared::caip::ChainId;
use waiaas_shared::ids::{AgentId, OwnerId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::intent::Intent;
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::owner_change::OwnerChange;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::history::{History, SessionHistory, WalletHistory};
use waiaas_shared::session::SessionGrant;
use waiaas_shared::statement::text::{NonceFacts, Quorum, StatementView, WalletFacts};

use super::state::State;

impl History for State {
    fn wallet(&self, wallet: WalletId) -> Option<&WalletHistory> {
        self.wallets.get(&wallet).map(|wallet| &wallet.history)
    }

    fn session(&self, session: SessionId) -> Option<&SessionHistory> {
        self.sessions.get(&session).map(|session| &session.history)
    }

    fn wallets(&self) -> Box<dyn Iterator<Item = (WalletId, &WalletHistory)> + '_> {
        let wallets = self.wallets.iter();
        Box::new(wallets.map(|(id, wallet)| (*id, &wallet.history)))
    }
}

impl StatementView for State {
    fn wallet(&self, wallet: WalletId) -> Option<WalletFacts> {
        let wallet = self.wallets.get(&wallet)?;
        Some(WalletFacts {
            account: wallet.account,
            networks: wallet.networks.clone(),
            former: wallet.former.iter().map(|key| key.account).collect(),
        })
    }

    fn nonces(
        &self,
        wallet: WalletId,
        from: Option<Account>,
        chain: ChainId,
    ) -> Option<NonceFacts> {
        let nonces = self.wallets.get(&wallet)?.nonces_of(from)?;
        let known = nonces.get(&chain)?;
        Some(NonceFacts {
            next: known.next,
            gaps: known.gaps.clone(),
        })
    }

    fn agent(&self, agent: AgentId) -> Option<AgentStage> {
        self.agents.get(&agent).copied()
    }

    fn newest_policy(&self) -> Option<&PolicyDocument> {
        let sound = self.policies.iter().rev().find(|policy| !policy.is_void());
        sound.map(|policy| policy.document.as_ref())
    }

    fn wallets_on(&self, chain: ChainId) -> usize {
        self.wallets
            .values()
            .filter(|wallet| wallet.networks.contains(&chain))
            .count()
    }

    fn session(&self, session: SessionId) -> Option<&SessionGrant> {
        self.sessions.get(&session).map(|session| &session.grant)
    }

    fn intent(&self, transaction: TransactionId) -> Option<&Intent> {
        self.intents.get(&transaction).map(|open| &open.intent)
    }

    fn policy_epoch(&self) -> u64 {
        self.policy_epoch
    }

    fn quorum(&self) -> Quorum {
        Quorum {
            needed: self.owners.quorum,
            owners: self.owners.active(),
        }
    }

    fn owner_key(&self, owner: OwnerId) -> Option<OwnerKey> {
        self.owners.keys.get(&owner).map(|owner| owner.key)
    }

    fn guardian_key(&self, guardian: OwnerId) -> Option<OwnerKey> {
        self.owners.guardians.get(&guardian).map(|known| known.key)
    }

    fn pending(&self, statement: StatementId) -> Option<&OwnerChange> {
        self.owners.waiting(statement).map(|waits| &waits.change)
    }

    fn pauses(&self) -> Vec<&'static str> {
        let silent = "the pause for want of a word from an owner";
        let frozen = self.frozen.iter().map(|why| why.in_words());
        frozen.chain(self.watch.silent.then_some(silent)).collect()
    }
}
