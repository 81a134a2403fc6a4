//! The small signer state that the tests of statements are written against.

use std::collections::BTreeMap;

use super::samples::*;
use super::*;
use crate::ids::{SignerId, StatementId};
use crate::time::WallTime;

/// A signer's state: wallets 1 and 2 on Solana, wallet 3 on two EVM chains, sessions 1 and 2, owners 1
/// and 2, guardian 3, changes of owners 1 to 7.
#[derive(Debug, Clone)]
pub(in crate::statement) struct TestView {
    pub(in crate::statement) wallets: BTreeMap<WalletId, WalletFacts>,
    pub(in crate::statement) policy: Option<PolicyDocument>,
    pub(in crate::statement) sessions: BTreeMap<SessionId, SessionGrant>,
    pub(in crate::statement) intents: BTreeMap<TransactionId, Intent>,
    pub(in crate::statement) owners: BTreeMap<OwnerId, OwnerKey>,
    pub(in crate::statement) guardians: BTreeMap<OwnerId, OwnerKey>,
    pub(in crate::statement) pending: BTreeMap<StatementId, OwnerChange>,
}

impl StatementView for TestView {
    fn wallet(&self, wallet: WalletId) -> Option<WalletFacts> {
        self.wallets.get(&wallet).cloned()
    }

    /// Wallet 3 gave 9 nonces on each of its chains, and an attestation skipped 4 and 5 among them.
    fn nonces(
        &self,
        wallet: WalletId,
        from: Option<Account>,
        chain: ChainId,
    ) -> Option<NonceFacts> {
        let known = self.wallets.get(&wallet)?;
        let own = from.is_none_or(|from| known.former.contains(&from));
        let on_evm = matches!(chain, ChainId::Evm(_)) && known.networks.contains(&chain);
        (own && on_evm).then(|| NonceFacts {
            next: 9,
            gaps: vec![(4, 6)],
        })
    }

    fn agent(&self, agent: AgentId) -> Option<AgentStage> {
        (agent == agent_samples::agent_id()).then_some(AgentStage::Suspended)
    }

    fn newest_policy(&self) -> Option<&PolicyDocument> {
        self.policy.as_ref()
    }

    fn wallets_on(&self, chain: ChainId) -> usize {
        self.wallets
            .values()
            .filter(|facts| facts.networks.contains(&chain))
            .count()
    }

    fn session(&self, session: SessionId) -> Option<&SessionGrant> {
        self.sessions.get(&session)
    }

    fn intent(&self, transaction: TransactionId) -> Option<&Intent> {
        self.intents.get(&transaction)
    }

    fn policy_epoch(&self) -> u64 {
        self.policy.as_ref().map_or(0, |document| document.epoch)
    }

    fn quorum(&self) -> Quorum {
        Quorum {
            needed: 1,
            owners: self.owners.len(),
        }
    }

    fn owner_key(&self, owner: OwnerId) -> Option<OwnerKey> {
        self.owners.get(&owner).copied()
    }

    fn guardian_key(&self, guardian: OwnerId) -> Option<OwnerKey> {
        self.guardians.get(&guardian).copied()
    }

    fn pending(&self, statement: StatementId) -> Option<&OwnerChange> {
        self.pending.get(&statement)
    }

    fn pauses(&self) -> Vec<&'static str> {
        vec!["a pause that somebody asked for", "the pause after a kill"]
    }
}

impl TestView {
    pub(in crate::statement) fn new(policy: Option<PolicyDocument>) -> Self {
        let solana = |number: u8| WalletFacts {
            account: Account::Solana(crate::address::SolanaAddress::from_bytes([number; 32])),
            networks: vec![read("solana:localnet")],
            former: vec![],
        };
        let evm = WalletFacts {
            account: read("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"),
            networks: vec![read("eip155:1"), read("eip155:31337")],
            former: vec![read("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")],
        };
        Self {
            wallets: BTreeMap::from([
                (wallet_id(1), solana(1)),
                (wallet_id(2), solana(2)),
                (wallet_id(3), evm),
            ]),
            policy,
            sessions: BTreeMap::from([
                (session_id(1), agent_grant()),
                (session_id(2), bearer_grant()),
            ]),
            intents: BTreeMap::from([
                (transaction_id(1), intent(1)),
                (transaction_id(2), intent(2)),
                (transaction_id(3), owner_samples::another_try(3)),
                (transaction_id(4), owner_samples::another_try(4)),
                (transaction_id(5), owner_samples::allowance(5, 12_500_000)),
                (transaction_id(6), owner_samples::allowance(6, 0)),
                (transaction_id(7), owner_samples::batch(7)),
                (transaction_id(8), call_samples::deposit(8)),
                (transaction_id(9), stake_samples::stakes(9)),
                (transaction_id(10), stake_samples::stakes(10)),
                (transaction_id(11), stake_samples::stakes(11)),
                (transaction_id(12), program_samples::deposit(12)),
            ]),
            owners: owner_samples::owners().into_iter().collect(),
            guardians: BTreeMap::from([owner_samples::guardian()]),
            pending: owner_samples::pending().into_iter().collect(),
        }
    }

    pub(in crate::statement) fn header(&self) -> StatementHeader {
        StatementHeader {
            signer: SignerId::from_bytes([0x11; 16]),
            statement: StatementId::from_bytes([0x22; 16]),
            policy_epoch: self.policy.as_ref().map_or(0, |document| document.epoch),
            expires: WallTime::from_millis(1_795_257_000_000),
        }
    }
}
