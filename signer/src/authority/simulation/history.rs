//! What happened in a simulated run, as somebody outside of the signer knows it: what became durable
//! and when, what left, what was acknowledged, what owner and agents really signed. The checker judges
//! it; tests doctor it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waiaas_shared::digest::Digest;
use waiaas_shared::event::Event;
use waiaas_shared::ids::{SessionId, StatementId, WalletId};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;

use crate::model::asking::Asking;

/// The order in which answers left: turn of the loop, then place in it.
pub(crate) type Stamp = (u64, u64);

/// One run.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
    pub(crate) releases: Vec<Release>,
    pub(crate) acks: Vec<Ack>,
    pub(crate) statuses: Vec<Seen>,
    /// Heads that were shown: sequence and hash.
    pub(crate) heads: Vec<(u64, Digest)>,
    /// What the owner signed.
    pub(crate) said: BTreeMap<StatementId, Said>,
    /// Each policy document that was ever proposed, by its bytes, as whoever wrote it meant it.
    pub(crate) policies: BTreeMap<Vec<u8>, Arc<PolicyDocument>>,
    /// What agents signed: session, idempotency digest, body digest.
    pub(crate) agents_signed: BTreeSet<(SessionId, Digest, Digest)>,
    /// What request bodies ask for, without what it costs to send.
    pub(crate) asked: BTreeMap<Digest, Asking>,
    /// Turns in which an unlock that vouches was on its way.
    pub(crate) vouched: BTreeSet<u64>,
}

/// A durable event, and the second clock at the turn in which it became durable.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) hash: Digest,
    pub(crate) event: Event,
    pub(crate) moment: Moment,
}

/// When, by the machine and not by the signer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) turn: u64,
    /// Which life of the process.
    pub(crate) life: u64,
    /// Milliseconds since this life began: running, and with suspends.
    pub(crate) run: u64,
    pub(crate) budget: u64,
    pub(crate) wall: u64,
    /// What an owner could vouch for in this life.
    pub(crate) off: u64,
    /// The wall clock shows what nobody explains.
    pub(crate) strange: bool,
}

/// A signature that left.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) stamp: Stamp,
    pub(crate) moment: Moment,
    pub(crate) raw: Vec<u8>,
    pub(crate) sequence: u64,
    pub(crate) replay: bool,
    /// Owner of the idempotency key, and the key.
    pub(crate) key: Option<Digest>,
    /// Digest of the body that it answers.
    pub(crate) body: Option<Digest>,
    /// Asked for as a withdrawal.
    pub(crate) withdrawal: bool,
}

/// An acknowledgement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ack {
    pub(crate) stamp: Stamp,
    pub(crate) sequence: u64,
    pub(crate) what: Acked,
}

/// What was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acked {
    Kill,
    Pause(Option<WalletId>),
    Revoke(SessionId),
    Lock,
    Submit,
}

/// What `status` showed.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) stamp: Stamp,
    pub(crate) kill: &'static str,
    pub(crate) frozen: bool,
}

/// What the owner signed.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) facts: StatementFacts,
    /// It was also handed in with the right password.
    pub(crate) with_password: bool,
}
