//! What the signer shows of its state: the canonical views that both sockets answer with.

use minicbor::{Decode, Encode};

use crate::address::Account;
use crate::agent::AgentStage;
use crate::amount::Amount;
use crate::caip::{AccountId, ChainId};
use crate::ids::{OwnerId, SessionId, WalletId};
use crate::keys::{KeyPath, OwnerKey};
use crate::owner_change::{NewKey, PendingChange, Standing};
use crate::policy::evaluate::WindowLeft;
use crate::session::{SessionGrant, SessionUsage};
use crate::statement::verify::Envelope;
use crate::time::{RunTime, WallTime};

/// One wallet.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WalletView {
    /// Its identifier.
    #[n(0)]
    pub wallet: WalletId,
    /// Where its key comes from.
    #[n(1)]
    pub path: KeyPath,
    /// Its address.
    #[n(2)]
    pub account: Account,
    /// Its networks.
    #[n(3)]
    pub networks: Vec<ChainId>,
    /// Whether it is paused.
    #[n(4)]
    pub paused: bool,
    /// Nonces by EVM network.
    #[n(5)]
    pub nonces: Vec<NonceView>,
    /// Whether it is closed: only withdrawals are signed for it.
    #[n(6)]
    pub closed: bool,
    /// The keys it had before; withdrawals alone are signed with them.
    #[n(7)]
    pub former: Vec<FormerKey>,
}

/// A key that a wallet had before a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FormerKey {
    /// Where it comes from.
    #[n(0)]
    pub path: KeyPath,
    /// Its address.
    #[n(1)]
    pub account: Account,
    /// Its nonces by EVM network.
    #[n(2)]
    pub nonces: Vec<NonceView>,
}

/// Nonces of a wallet on an EVM chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct NonceView {
    /// Which chain.
    #[n(0)]
    pub chain: ChainId,
    /// The next one to be issued.
    #[n(1)]
    pub next: u64,
    /// The one that the owner last attested.
    #[n(2)]
    pub attested: u64,
    /// Value that this key signed since, in base units of the native asset.
    #[n(3)]
    pub outstanding: Amount,
}

/// One owner.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OwnerView {
    /// Its identifier.
    #[n(0)]
    pub owner: OwnerId,
    /// Its public key.
    #[n(1)]
    pub key: OwnerKey,
    /// The envelope that its wallet produces.
    #[n(2)]
    pub envelope: Envelope,
    /// Addresses that withdrawals may go to now (the same for every owner).
    #[n(3)]
    pub withdrawals: Vec<AccountId>,
    /// What it may sign now.
    #[n(4)]
    pub standing: Standing,
    /// How many owners must sign (the same for every owner, as is what follows).
    #[n(5)]
    pub quorum: u32,
    /// Guardians.
    #[n(6)]
    pub guardians: Vec<NewKey>,
    /// Changes that wait, the oldest first.
    #[n(7)]
    pub pending: Vec<PendingChange>,
    /// The DELAY clock now, for telling how long they wait.
    #[n(8)]
    pub now: RunTime,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SessionView {
    /// Its identifier.
    #[n(0)]
    pub session: SessionId,
    /// Its constraints.
    #[n(1)]
    pub grant: SessionGrant,
    /// What it has used.
    #[n(2)]
    pub usage: SessionUsage,
    /// Whether it can still be used.
    #[n(3)]
    pub state: SessionState,
    /// What may still be spent now, under session and policy together, by wallet and asset.
    #[n(4)]
    pub remaining: Vec<Remaining>,
    /// When it ends unless it is renewed again.
    #[n(5)]
    pub ends: WallTime,
    /// How often it was renewed.
    #[n(6)]
    pub renewals: u32,
    /// The stage of the agent that it belongs to; none: it belongs to none.
    #[n(7)]
    pub stage: Option<AgentStage>,
}

/// Whether a session can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[cbor(index_only)]
pub enum SessionState {
    /// It can.
    #[n(0)]
    Active,
    /// Its end has passed.
    #[n(1)]
    Expired,
    /// It was revoked.
    #[n(2)]
    Revoked,
    /// It signs nothing until an owner resumes it.
    #[n(3)]
    Suspended,
}

/// What may still be spent from one wallet in one asset.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Remaining {
    /// From which wallet.
    #[n(0)]
    pub wallet: WalletId,
    /// In which asset.
    #[n(1)]
    pub asset: crate::caip::AssetId,
    /// Most in one transaction now, fee included, base units.
    #[n(2)]
    pub per_transaction: Amount,
    /// What the tightest rolling limit leaves now, base units.
    #[n(3)]
    pub window: Amount,
    /// What the session leaves, base units.
    #[n(4)]
    pub session: Amount,
    /// The tightest limit of each rolling window, by all binding documents, shortest first.
    #[n(5)]
    pub windows: Vec<WindowLeft>,
}
