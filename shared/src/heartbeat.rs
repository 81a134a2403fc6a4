//! The signed heartbeat: what state the signer says it is in, and what waits, over the log key's
//! signature. A C2SP signed note as heads are, with an origin line of its own, so that neither ever
//! passes for the other. Whoever brings it cannot change it; that it came at all is what a gateway can
//! prevent. docs/log.md has its form and vectors.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::address::Account;
use crate::amount::Amount;
use crate::caip::AssetId;
use crate::digest::Digest;
use crate::ids::{SignerId, TransactionId, WalletId};
use crate::intent::Moved;
use crate::log::{LogError, NoteSignature, key_id};
use crate::policy::evaluate::Tier;
use crate::time::{BudgetTime, Clocks, Millis, RunTime, WallTime};

/// The first line, before the signer's id.
const ORIGIN: &str = "waiaas/heartbeat/v1";
/// Waiting payments that are named one by one; `waiting` counts all.
pub const PAYMENTS_LIMIT: usize = 100;

/// Where the kill switch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// Not thrown.
    Normal,
    /// Thrown: nothing is signed.
    Activated,
    /// Released, everything paused until the owner resumes.
    Recovering,
}

impl Kill {
    const ALL: [Self; 3] = [Self::Normal, Self::Activated, Self::Recovering];

    /// The name on the wire and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Activated => "ACTIVATED",
            Self::Recovering => "RECOVERING",
        }
    }
}

/// What the signer says of itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Who.
    pub signer: SignerId,
    /// When, on its three clocks.
    pub clocks: Clocks,
    /// Number of the newest event.
    pub sequence: u64,
    /// Its hash.
    pub hash: Digest,
    /// Epoch of the newest adopted policy; 0: none.
    pub policy_epoch: u64,
    /// Epoch and digest of each document that binds, oldest first.
    pub policies: Vec<(u64, Digest)>,
    /// Where the kill switch stands.
    pub kill: Kill,
    /// How often it was thrown.
    pub kill_epoch: u64,
    /// Whether everything is paused.
    pub frozen: bool,
    /// Whether a step of the clock closed signing.
    pub clock_closed: bool,
    /// How long until everything pauses without a word from an owner; none if no policy says so.
    pub dead_man: Option<Millis>,
    /// How many wallets there are.
    pub wallets: u64,
    /// How many sessions are neither revoked nor at their end.
    pub sessions: u64,
    /// How many of them are suspended.
    pub suspended: u64,
    /// How many requests were ever refused, as far as the log counted them.
    pub denials: u64,
    /// How many payments wait.
    pub waiting: u64,
    /// The first [`PAYMENTS_LIMIT`] of them, by name.
    pub payments: Vec<WaitingPayment>,
}

/// A payment that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingPayment {
    /// Which.
    pub transaction: TransactionId,
    /// Who pays.
    pub wallet: WalletId,
    /// DELAY, or APPROVAL.
    pub tier: Tier,
    /// Base units.
    pub amount: Amount,
    /// Of which asset.
    pub asset: AssetId,
    /// To whom.
    pub to: Account,
    /// Its end, on the wall clock.
    pub expires: WallTime,
    /// What else it moves, in the same transaction.
    pub more: Vec<Moved>,
}

/// Its line, without the transfers behind the first.
impl fmt::Display for WaitingPayment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} {} {} {} {} {}",
            self.transaction,
            self.wallet,
            self.tier.as_str(),
            self.amount,
            self.asset,
            self.to,
            self.expires.millis()
        )
    }
}

impl WaitingPayment {
    /// Reads a line; words behind it are seen when it is written again.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let mut word = || words.next();
        Some(Self {
            transaction: word()?.parse().ok()?,
            wallet: word()?.parse().ok()?,
            tier: Tier::from_text(word()?)?,
            amount: word()?.parse().ok()?,
            asset: word()?.parse().ok()?,
            to: word()?.parse().ok()?,
            expires: WallTime::from_millis(word()?.parse().ok()?),
            more: Vec::new(),
        })
    }
}

fn moved(line: &str) -> Option<Moved> {
    let mut words = line.split(' ');
    let mut word = || words.next();
    Some(Moved {
        amount: word()?.parse().ok()?,
        asset: word()?.parse().ok()?,
        to: word()?.parse().ok()?,
    })
}

impl Heartbeat {
    /// The text that the log key signs, every line with a newline.
    #[must_use]
    pub fn note_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _written = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        let Clocks { wall, run, budget } = self.clocks;
        writeln!(text, "{ORIGIN}/{}", self.signer)?;
        writeln!(
            text,
            "time {} {} {}",
            wall.millis(),
            run.millis(),
            budget.millis()
        )?;
        let hash = STANDARD.encode(self.hash.as_bytes());
        writeln!(text, "head {} {hash}", self.sequence)?;
        writeln!(text, "policy-epoch {}", self.policy_epoch)?;
        for (epoch, digest) in &self.policies {
            writeln!(text, "policy {epoch} {digest}")?;
        }
        writeln!(text, "kill {} {}", self.kill.as_str(), self.kill_epoch)?;
        writeln!(text, "frozen {}", yes_or_no(self.frozen))?;
        writeln!(text, "clock-closed {}", yes_or_no(self.clock_closed))?;
        match self.dead_man {
            Some(left) => writeln!(text, "dead-man {}", left.millis())?,
            None => writeln!(text, "dead-man none")?,
        }
        writeln!(text, "wallets {}", self.wallets)?;
        writeln!(text, "sessions {} {}", self.sessions, self.suspended)?;
        writeln!(text, "denials {}", self.denials)?;
        writeln!(text, "waiting {}", self.waiting)?;
        for payment in &self.payments {
            writeln!(text, "payment {payment}")?;
            for Moved { asset, to, amount } in &payment.more {
                writeln!(text, "and {amount} {asset} {to}")?;
            }
        }
        Ok(())
    }

    /// Reads the lines; what is not in its one form is seen when they are written again.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split_terminator('\n').peekable();
        let origin = lines.next()?.strip_prefix(ORIGIN)?.strip_prefix('/')?;
        let signer = origin.parse().ok()?;
        let mut field = |name: &str| value(lines.next()?, name);
        let (wall, rest) = field("time")?.split_once(' ')?;
        let (run, budget) = rest.split_once(' ')?;
        let clocks = Clocks {
            wall: WallTime::from_millis(wall.parse().ok()?),
            run: RunTime::from_millis(run.parse().ok()?),
            budget: BudgetTime::from_millis(budget.parse().ok()?),
        };
        let (sequence, hash) = field("head")?.split_once(' ')?;
        let hash: [u8; 32] = STANDARD.decode(hash).ok()?.try_into().ok()?;
        let policy_epoch = field("policy-epoch")?.parse().ok()?;
        let mut policies = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("policy ")) {
            let (epoch, digest) = value(line, "policy")?.split_once(' ')?;
            policies.push((epoch.parse().ok()?, Digest::from_hex(digest).ok()?));
        }
        let mut field = |name: &str| value(lines.next()?, name);
        let (kill, kill_epoch) = field("kill")?.split_once(' ')?;
        let frozen = flag(field("frozen")?)?;
        let clock_closed = flag(field("clock-closed")?)?;
        let dead_man = match field("dead-man")? {
            "none" => None,
            left => Some(Millis::from_millis(left.parse().ok()?)),
        };
        let wallets = field("wallets")?.parse().ok()?;
        let (sessions, suspended) = field("sessions")?.split_once(' ')?;
        let denials = field("denials")?.parse().ok()?;
        let waiting: u64 = field("waiting")?.parse().ok()?;
        let mut payments = Vec::new();
        while let Some(line) = lines.next() {
            let mut payment = WaitingPayment::parse(value(line, "payment")?)?;
            while let Some(more) = lines.peek().and_then(|line| value(line, "and")) {
                payment.more.push(moved(more)?);
                lines.next();
            }
            payments.push(payment);
        }
        // All that wait are named, or as many as may be.
        let named = u64::try_from(payments.len()).ok()?;
        let most = u64::try_from(PAYMENTS_LIMIT).ok()?;
        (named == waiting.min(most)).then_some(())?;
        Some(Self {
            signer,
            clocks,
            sequence: sequence.parse().ok()?,
            hash: Digest::from_bytes(hash),
            policy_epoch,
            policies,
            kill: Kill::ALL.into_iter().find(|phase| phase.as_str() == kill)?,
            kill_epoch: kill_epoch.parse().ok()?,
            frozen,
            clock_closed,
            dead_man,
            wallets,
            sessions: sessions.parse().ok()?,
            suspended: suspended.parse().ok()?,
            denials,
            waiting,
            payments,
        })
    }
}

fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.strip_prefix(name)?.strip_prefix(' ')
}

const fn yes_or_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// A heartbeat with the log key's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeartbeat {
    heartbeat: Heartbeat,
    signed: NoteSignature,
}

impl SignedHeartbeat {
    /// Puts a heartbeat and the signature over its [`Heartbeat::note_text`] together.
    #[must_use]
    pub fn new(heartbeat: Heartbeat, log_key: &[u8; 32], signature: [u8; 64]) -> Self {
        let signed = NoteSignature {
            key_id: key_id(heartbeat.signer, log_key),
            signature,
        };
        Self { heartbeat, signed }
    }

    /// The heartbeat, if the log key signed it.
    ///
    /// # Errors
    /// [`LogError::NoteSignature`].
    pub fn verify(&self, log_key: &[u8; 32]) -> Result<&Heartbeat, LogError> {
        let text = self.heartbeat.note_text();
        self.signed.verify(self.heartbeat.signer, &text, log_key)?;
        Ok(&self.heartbeat)
    }
}

/// The note: text, empty line, one signature line.
impl fmt::Display for SignedHeartbeat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.signed.line(self.heartbeat.signer);
        writeln!(formatter, "{}\n{line}", self.heartbeat.note_text())
    }
}

impl FromStr for SignedHeartbeat {
    type Err = LogError;

    fn from_str(note: &str) -> Result<Self, LogError> {
        let parse = || {
            let (text, line) = note.split_once("\n\n")?;
            let heartbeat = Heartbeat::parse(text)?;
            let signed = NoteSignature::parse(line.strip_suffix('\n')?, heartbeat.signer)?;
            Some(Self { heartbeat, signed })
        };
        // One text form only.
        parse()
            .filter(|parsed| parsed.to_string() == note)
            .ok_or(LogError::NoteForm)
    }
}

#[cfg(test)]
#[path = "heartbeat_tests.rs"]
mod tests;
