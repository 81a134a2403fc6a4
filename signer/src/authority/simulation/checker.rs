//! The second calculator: judges a whole history by the rules of the design, with plain numbers, exact
//! sliding windows (`model`) and its own reading of the bytes. It shares no code with the product's
//! policy, windows, decoders, decisions or fold; it never looks into the signer.

mod model;
mod payments;
mod releases;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waiaas_shared::address::Account;
use waiaas_shared::caip::{AccountId, AssetId, ChainId};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{EventBody, Spend};
use waiaas_shared::ids::{SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::intent::{IntentEnd, Wait};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::{Credential, SessionGrant};
use waiaas_shared::statement::StatementFacts;

use crate::model::binding::{Adopted, binding, judge_all};
use crate::model::charges::{Charge, Charges};
use crate::model::decoder::{Decoded, read, read_signed};
use crate::model::policy::{Asking as Judged, Moment as Clock};

use super::history::{Acked, Entry, History, Release, Seen, Stamp};

use self::model::Model;
use self::releases::{left, shown};

use crate::model::HOUR;

/// A rule that does not hold, with the event's sequence (or the release's) and the rule's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Sequence, clocks, epochs or nonces do not rise as they must (O5).
    Monotone(u64, &'static str),
    /// An owner's authority is missing (O4).
    Authority(u64, &'static str),
    /// The bytes do something else than was asked, charged or signed for (O10).
    Bytes(u64, &'static str),
    /// More than a limit in force allows (O2).
    Limit(u64, &'static str),
    /// A payment or signature although something had stopped it (O6).
    Stopped(u64, &'static str),
    /// Outside of its session's grant.
    Session(u64, &'static str),
    /// A signature without its durable record (O7).
    Record(u64, &'static str),
    /// One idempotency key, two signatures.
    Twice(u64),
    /// A head that was shown is no longer part of the log (O7).
    Head(u64),
    /// `status` showed less than what was acknowledged.
    Status(u64, &'static str),
}

/// Judges everything.
pub(crate) fn check(history: &History) -> Result<(), Broken> {
    let mut model = Model::new(history);
    let mut gates = vec![model.gate.clone()];
    for entry in &history.entries {
        model.take(entry)?;
        gates.push(model.gate.clone());
    }
    let mut bytes_of: BTreeMap<Digest, &[u8]> = BTreeMap::new();
    for release in &history.releases {
        left(history, &gates, release)?;
        if let Some(key) = release.key
            && *bytes_of.entry(key).or_insert(&release.raw) != release.raw
        {
            return Err(Broken::Twice(release.sequence));
        }
    }
    for (sequence, hash) in &history.heads {
        if entry(history, *sequence).map(|entry| entry.hash) != Some(*hash) {
            return Err(Broken::Head(*sequence));
        }
    }
    history
        .statuses
        .iter()
        .try_for_each(|seen| shown(history, seen))
}

fn entry(history: &History, sequence: u64) -> Option<&Entry> {
    let place = usize::try_from(sequence.checked_sub(1)?).ok()?;
    history.entries.get(place)
}

fn address(account: &Account) -> Vec<u8> {
    match account {
        Account::Solana(address) => address.as_bytes().to_vec(),
        Account::Evm(address) => address.as_bytes().to_vec(),
    }
}

fn spend_of(body: &EventBody) -> Option<&Spend> {
    match body {
        EventBody::SpendCommitted(spend)
        | EventBody::Withdrawn { spend, .. }
        | EventBody::SpendReplaced { spend, .. }
        | EventBody::TransferAuthorized { spend, .. } => Some(spend),
        _ => None,
    }
}

/// What decides whether a signature may leave; one for each length of the log.
#[derive(Debug, Clone, Default)]
struct Gate {
    killed: bool,
    frozen: bool,
    closed: bool,
    paused: BTreeSet<WalletId>,
    dead: BTreeSet<SessionId>,
    /// The life of the process in which keys are open.
    open: Option<u64>,
    policies: Vec<Adopted>,
    /// Wall clock of the last event, and run clock at the start of this life.
    wall: u64,
    run: u64,
}

impl Gate {
    fn stops(&self, wallet: WalletId) -> Option<&'static str> {
        match () {
            () if self.killed => Some("killed"),
            () if self.frozen => Some("frozen"),
            () if self.closed => Some("clock closed"),
            () if self.paused.contains(&wallet) => Some("wallet paused"),
            () => None,
        }
    }
}
