//! Answers of the signer as domain values, read strictly: what is not understood is an error, never
//! a default.

use capnp::struct_list;
use waiaas_schema::types_capnp::{
    authorization_result, draft, event_page, outcome, renew_result, sign_in_result, status,
    submit_result, verdict, violation,
};
use waiaas_shared::amount::Amount;
use waiaas_shared::authorization::TransferAuthorization;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::{MessageId, SignerId, StatementId, TransactionId};
use waiaas_shared::intent::IntentView;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::time::{Millis, WallTime};

use super::{ClientError, Result};

/// What state the signer is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerStatus {
    /// Whose log; none before `initialize`.
    pub signer: Option<SignerId>,
    /// Whether keys are open.
    pub unlocked: bool,
    /// NORMAL, ACTIVATED or RECOVERING.
    pub kill: String,
    /// How often the kill switch was thrown.
    pub kill_epoch: u64,
    /// Whether everything is paused.
    pub frozen: bool,
    /// Whether signing is closed until the owner states the time.
    pub clock_closed: bool,
    /// Epoch of the newest policy; 0 if none.
    pub policy_epoch: u64,
    /// Number of the newest event.
    pub sequence: u64,
    /// Signed note over it; empty before the first.
    pub head: String,
    /// What the lockdown achieved and what the kernel lacks, a line each.
    pub sandbox: Vec<String>,
    /// Whether gateway, signer and owner run under different users.
    pub claim_holds: bool,
    /// Wrong passwords since the last unlock.
    pub unlock_failures: u32,
    /// Version of the signer.
    pub version: String,
    /// Whether its log has ended for good.
    pub retired: bool,
    /// Changes of owners that wait: `owners` shows them.
    pub owner_changes: u32,
    /// How long until everything pauses without a word from an owner; none if no policy says so.
    pub dead_man_left: Option<Millis>,
    /// Whether everything is paused for want of one.
    pub dead_man_paused: bool,
    /// Sessions that are suspended until an owner resumes them.
    pub suspended_sessions: u32,
    /// Why everything is paused: `asked`, `journal_lost`, `head_missed`, `recovered`, `kill_released`.
    pub frozen_by: Vec<String>,
}

/// A part of the log, to be verified with `waiaas_shared::log` before anything is believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventPage {
    /// Events in order.
    pub events: Vec<EventRecord>,
    /// Signed notes of the batches that end inside the page.
    pub heads: Vec<String>,
    /// Number of the newest event in the log.
    pub last: u64,
}

/// One event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Its number, from 1.
    pub sequence: u64,
    /// Canonical bytes of a `waiaas_shared::event::Event`.
    pub body: Vec<u8>,
    /// Chained hash.
    pub hash: Digest,
}

/// What came of a payment request that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paid {
    /// It is signed.
    Signed(SignedPayment),
    /// It was accepted and waits: for its delay, or for its owners.
    Waiting {
        /// What waits.
        view: Box<IntentView>,
        /// The event that opened it; 0 if an earlier request did.
        opened: u64,
    },
}

impl Paid {
    /// The signed payment; none if it waits.
    #[must_use]
    pub fn signed(self) -> Option<SignedPayment> {
        match self {
            Self::Signed(payment) => Some(payment),
            Self::Waiting { .. } => None,
        }
    }
}

/// A signed payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPayment {
    /// The payment.
    pub transaction: TransactionId,
    /// The event that charged it.
    pub sequence: u64,
    /// Signed bytes, ready to send.
    pub raw: Vec<u8>,
    /// The chain's own name for it: base58 signature, or 0x hash.
    pub chain_transaction: String,
    /// How it was released.
    pub tier: Tier,
    /// Whether these are the bytes of an earlier answer; nothing was charged again.
    pub replay: bool,
}

/// A session that was renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// The event that renewed it.
    pub sequence: u64,
    /// When it ends now.
    pub ends: WallTime,
}

/// A signed login at a web site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLogin {
    /// The message.
    pub message: MessageId,
    /// The event that counted it.
    pub sequence: u64,
    /// What the site reads.
    pub text: String,
    /// What the signature is over.
    pub payload: Vec<u8>,
    /// 65 bytes r, s, v of secp256k1, or 64 bytes of Ed25519.
    pub signature: Vec<u8>,
    /// How it was released.
    pub tier: Tier,
    /// Whether this is an earlier message; nothing was counted again.
    pub replay: bool,
}

/// A signed transfer authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransfer {
    /// The payment.
    pub transaction: TransactionId,
    /// The event that charged it.
    pub sequence: u64,
    /// What was signed.
    pub authorization: TransferAuthorization,
    /// 65 bytes r, s, v of secp256k1.
    pub signature: Vec<u8>,
    /// How it was released.
    pub tier: Tier,
    /// Whether this is an earlier authorization; nothing was charged again.
    pub replay: bool,
}

/// A dry run that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WouldAllow {
    /// How the payment would be released.
    pub tier: Tier,
    /// Worst-case fee, base units of the native asset.
    pub fee: Amount,
}

/// A drafted statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// Its identifier.
    pub statement: StatementId,
    /// Exactly what the owner signs.
    pub text: String,
}

/// A statement that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Its event.
    pub sequence: u64,
    /// The signed transaction of a withdrawal; else empty.
    pub raw: Vec<u8>,
    /// The chain's name for it; else empty.
    pub chain_transaction: String,
}

type Violations<'a> = struct_list::Reader<'a, violation::Owned>;

/// What a reader of any kind did not understand.
pub(crate) fn protocol<E>(_: E) -> ClientError {
    ClientError::Protocol
}

pub(crate) fn owned(text: capnp::Result<capnp::text::Reader<'_>>) -> Result<String> {
    text.map_err(protocol)?.to_string().map_err(protocol)
}

pub(crate) fn parsed<T: std::str::FromStr>(
    text: capnp::Result<capnp::text::Reader<'_>>,
) -> Result<T> {
    text.map_err(protocol)?
        .to_str()
        .map_err(protocol)?
        .parse()
        .map_err(protocol)
}

fn parsed_if_any<T: std::str::FromStr>(
    text: capnp::Result<capnp::text::Reader<'_>>,
) -> Result<Option<T>> {
    let text = text.map_err(protocol)?;
    if text.is_empty() {
        Ok(None)
    } else {
        parsed(Ok(text)).map(Some)
    }
}

pub(crate) fn bytes(data: capnp::Result<&[u8]>) -> Result<Vec<u8>> {
    data.map(<[u8]>::to_vec).map_err(protocol)
}

fn tier(text: capnp::Result<capnp::text::Reader<'_>>) -> Result<Tier> {
    let text = owned(text)?;
    Tier::from_text(&text).ok_or(ClientError::Protocol)
}

/// The refusal that these violations make; none if there are none.
pub(crate) fn denial(list: capnp::Result<Violations<'_>>) -> Result<Option<Denial>> {
    let violations = list.map_err(protocol)?.iter().map(|reader| {
        let code = owned(reader.get_code())?;
        let wait = reader.get_retry_after_millis();
        Ok(Violation {
            asset: parsed_if_any(reader.get_asset())?,
            observed: parsed_if_any(reader.get_observed())?,
            allowed: parsed_if_any(reader.get_allowed())?,
            retry_after: (wait > 0).then(|| Millis::from_millis(wait)),
            argument: Some(reader.get_argument()).filter(|place| *place > 0),
            ..Violation::of(Code::from_text(&code).ok_or(ClientError::Protocol)?)
        })
    });
    Ok(Denial::from_violations(violations.collect::<Result<_>>()?))
}

/// The refusal in an answer that is one.
fn refusal(list: capnp::Result<Violations<'_>>) -> ClientError {
    match denial(list) {
        Ok(Some(denial)) => ClientError::Denied(denial),
        Ok(None) => ClientError::Protocol,
        Err(error) => error,
    }
}

pub(crate) fn status(reader: status::Reader<'_>) -> Result<SignerStatus> {
    let sandbox = reader.get_sandbox().map_err(protocol)?;
    let frozen_by = reader.get_frozen_by().map_err(protocol)?;
    Ok(SignerStatus {
        signer: parsed_if_any(reader.get_signer_id())?,
        unlocked: reader.get_unlocked(),
        kill: owned(reader.get_kill())?,
        kill_epoch: reader.get_kill_epoch(),
        frozen: reader.get_frozen(),
        clock_closed: reader.get_clock_closed(),
        policy_epoch: reader.get_policy_epoch(),
        sequence: reader.get_sequence(),
        head: owned(reader.get_head())?,
        sandbox: sandbox.iter().map(owned).collect::<Result<_>>()?,
        claim_holds: reader.get_claim_holds(),
        unlock_failures: reader.get_unlock_failures(),
        version: owned(reader.get_version())?,
        retired: reader.get_retired(),
        owner_changes: reader.get_owner_changes(),
        dead_man_left: reader
            .get_has_dead_man()
            .then(|| Millis::from_millis(reader.get_dead_man_millis_left())),
        dead_man_paused: reader.get_dead_man_paused(),
        suspended_sessions: reader.get_suspended_sessions(),
        frozen_by: frozen_by.iter().map(owned).collect::<Result<_>>()?,
    })
}

pub(crate) fn page(reader: event_page::Reader<'_>) -> Result<EventPage> {
    let events = reader.get_events().map_err(protocol)?.iter().map(|event| {
        let hash: [u8; 32] = event
            .get_hash()
            .map_err(protocol)?
            .try_into()
            .map_err(protocol)?;
        Ok(EventRecord {
            sequence: event.get_sequence(),
            body: bytes(event.get_body())?,
            hash: Digest::from_bytes(hash),
        })
    });
    Ok(EventPage {
        events: events.collect::<Result<_>>()?,
        heads: reader
            .get_heads()
            .map_err(protocol)?
            .iter()
            .map(owned)
            .collect::<Result<_>>()?,
        last: reader.get_last(),
    })
}

pub(crate) fn paid(reader: outcome::Reader<'_>) -> Result<Paid> {
    match reader.which().map_err(protocol)? {
        outcome::Signed(signed) => Ok(Paid::Signed(SignedPayment {
            transaction: parsed(reader.get_transaction())?,
            sequence: reader.get_sequence(),
            raw: bytes(signed.get_raw())?,
            chain_transaction: owned(signed.get_chain_transaction())?,
            tier: tier(signed.get_tier())?,
            replay: signed.get_replay(),
        })),
        outcome::Waiting(canonical) => {
            let view = from_canonical(canonical.map_err(protocol)?).map_err(protocol)?;
            Ok(Paid::Waiting {
                view: Box::new(view),
                opened: reader.get_sequence(),
            })
        }
        outcome::Denied(list) => Err(refusal(list)),
    }
}

/// The outcome of what cannot wait.
pub(crate) fn payment(reader: outcome::Reader<'_>) -> Result<SignedPayment> {
    match paid(reader)? {
        Paid::Signed(payment) => Ok(payment),
        Paid::Waiting { .. } => Err(ClientError::Protocol),
    }
}

pub(crate) fn would_allow(reader: verdict::Reader<'_>) -> Result<WouldAllow> {
    match reader.which().map_err(protocol)? {
        verdict::Allowed(allowed) => Ok(WouldAllow {
            tier: tier(allowed.get_tier())?,
            fee: parsed(allowed.get_fee())?,
        }),
        verdict::Denied(list) => Err(refusal(list)),
    }
}

pub(crate) fn drafted(reader: draft::Reader<'_>) -> Result<Drafted> {
    match reader.which().map_err(protocol)? {
        draft::Issued(issued) => Ok(Drafted {
            statement: parsed(issued.get_statement())?,
            text: owned(issued.get_text())?,
        }),
        draft::Denied(list) => Err(refusal(list)),
    }
}

pub(crate) fn renewed(reader: renew_result::Reader<'_>) -> Result<Renewed> {
    match reader.which().map_err(protocol)? {
        renew_result::Renewed(renewed) => Ok(Renewed {
            sequence: renewed.get_sequence(),
            ends: WallTime::from_millis(renewed.get_ends_unix_millis()),
        }),
        renew_result::Denied(list) => Err(refusal(list)),
    }
}

pub(crate) fn signed_login(reader: sign_in_result::Reader<'_>) -> Result<SignedLogin> {
    match reader.which().map_err(protocol)? {
        sign_in_result::Signed(signed) => Ok(SignedLogin {
            message: parsed(reader.get_message())?,
            sequence: reader.get_sequence(),
            text: owned(signed.get_text())?,
            payload: bytes(signed.get_payload())?,
            signature: bytes(signed.get_signature())?,
            tier: tier(signed.get_tier())?,
            replay: signed.get_replay(),
        }),
        sign_in_result::Denied(list) => Err(refusal(list)),
        sign_in_result::WouldSign(_) => Err(ClientError::Protocol),
    }
}

pub(crate) fn would_sign_in(reader: sign_in_result::Reader<'_>) -> Result<Tier> {
    match reader.which().map_err(protocol)? {
        sign_in_result::WouldSign(text) => tier(text),
        sign_in_result::Denied(list) => Err(refusal(list)),
        sign_in_result::Signed(_) => Err(ClientError::Protocol),
    }
}

pub(crate) fn signed_transfer(reader: authorization_result::Reader<'_>) -> Result<SignedTransfer> {
    match reader.which().map_err(protocol)? {
        authorization_result::Signed(signed) => {
            let authorization = signed.get_authorization().map_err(protocol)?;
            Ok(SignedTransfer {
                transaction: parsed(reader.get_transaction())?,
                sequence: reader.get_sequence(),
                authorization: from_canonical(authorization).map_err(protocol)?,
                signature: bytes(signed.get_signature())?,
                tier: tier(signed.get_tier())?,
                replay: signed.get_replay(),
            })
        }
        authorization_result::Denied(list) => Err(refusal(list)),
        authorization_result::WouldSign(_) => Err(ClientError::Protocol),
    }
}

pub(crate) fn would_authorize(reader: authorization_result::Reader<'_>) -> Result<Tier> {
    match reader.which().map_err(protocol)? {
        authorization_result::WouldSign(text) => tier(text),
        authorization_result::Denied(list) => Err(refusal(list)),
        authorization_result::Signed(_) => Err(ClientError::Protocol),
    }
}

pub(crate) fn submitted(reader: submit_result::Reader<'_>) -> Result<Submitted> {
    match reader.which().map_err(protocol)? {
        submit_result::Accepted(accepted) => Ok(Submitted {
            sequence: accepted.get_sequence(),
            raw: bytes(accepted.get_raw())?,
            chain_transaction: owned(accepted.get_chain_transaction())?,
        }),
        submit_result::Denied(list) => Err(refusal(list)),
    }
}
