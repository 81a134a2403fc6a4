//! The tables of `gateway.db` and every statement on payments and the cursor. Functions of a
//! connection, called inside jobs of `database`; no state and no decision but the table of arrows.

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::{SessionId, SignerId, TransactionId, WalletId};
use waiaas_shared::memo::Memo;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request::Action;
use waiaas_shared::status::Status;
use waiaas_shared::time::WallTime;

use crate::chain::{ChainText, ChainTransactionId, Validity};
use crate::payment::{Facts, OwnSignature, Payment, Progress, Waiting};

/// Version 9 of the tables.
pub const TABLES: &str = "
CREATE TABLE cursor(
    one INTEGER PRIMARY KEY CHECK (one = 1),
    signer TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    hash BLOB NOT NULL,
    -- Events up to here were read again after gateway.db was lost: whether their payments were sent
    -- is not known from it.
    rebuilt_through INTEGER NOT NULL
) STRICT;
CREATE TABLE payment(
    id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    session TEXT,
    wallet TEXT NOT NULL,
    chain TEXT NOT NULL,
    action TEXT NOT NULL,
    asset TEXT NOT NULL,
    recipient TEXT NOT NULL,
    amount TEXT NOT NULL,
    -- Canonical bytes of what a contract is told.
    call BLOB,
    more BLOB NOT NULL,
    memo TEXT,
    -- Canonical bytes of a stake account's seed and address.
    stake BLOB,
    -- Canonical bytes of what a program is told.
    program BLOB,
    fee_max TEXT NOT NULL,
    tier TEXT NOT NULL,
    submit INTEGER NOT NULL,
    nonce INTEGER,
    idempotency BLOB NOT NULL,
    body BLOB NOT NULL,
    replaces TEXT,
    created INTEGER NOT NULL,
    status TEXT NOT NULL,
    ready INTEGER,
    expires INTEGER,
    chain_transaction TEXT,
    own_signature TEXT,
    own_signer TEXT,
    validity TEXT,
    position INTEGER,
    fee_paid TEXT,
    detail TEXT,
    updated INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX payment_by_session ON payment(session, listed);
CREATE INDEX payment_by_wallet ON payment(session, wallet, created, id);
CREATE INDEX payment_by_idempotency ON payment(idempotency);
CREATE INDEX payment_by_replaced ON payment(replaces) WHERE replaces IS NOT NULL;
CREATE INDEX payment_under_way ON payment(status) WHERE submit = 1 AND status IN ('PENDING', 'QUEUED', 'EXECUTING', 'SUBMITTED');
CREATE TABLE token_secret(
    kid TEXT PRIMARY KEY,
    secret BLOB NOT NULL,
    created INTEGER NOT NULL,
    accepted_until INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE request_nonce(
    session TEXT NOT NULL,
    nonce TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (session, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_nonce_by_end ON request_nonce(expires);
";

/// How far the log was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Whose log.
    pub signer: SignerId,
    /// Number of the last event taken.
    pub sequence: u64,
    /// Its hash.
    pub hash: Digest,
    /// See [`TABLES`].
    pub rebuilt_through: u64,
}

/// The cursor, if an event was ever taken.
pub fn cursor(connection: &Connection) -> rusqlite::Result<Option<Cursor>> {
    connection
        .prepare_cached("SELECT signer, sequence, hash, rebuilt_through FROM cursor")?
        .query_row([], |row| {
            Ok(Cursor {
                signer: parsed(row, 0)?,
                sequence: unsigned(row, 1)?,
                hash: Digest::from_bytes(row.get(2)?),
                rebuilt_through: unsigned(row, 3)?,
            })
        })
        .optional()
}

/// Moves the cursor.
pub fn set_cursor(connection: &Connection, cursor: &Cursor) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO cursor VALUES (1, ?1, ?2, ?3, ?4)")?
        .execute(params![
            cursor.signer.to_string(),
            signed(cursor.sequence),
            cursor.hash.as_bytes(),
            signed(cursor.rebuilt_through)
        ])?;
    Ok(())
}

/// Writes a payment down. One that is known already keeps its status and takes over what was not known of
/// its progress, the nonce, and the facts of the event that charged it, if only the one that let it wait
/// was known.
pub fn put(connection: &Connection, payment: &Payment) -> rusqlite::Result<()> {
    let Payment { facts, progress } = payment;
    connection
        .prepare_cached(
            "INSERT INTO payment VALUES (:id, :sequence, :listed, :session, :wallet, :chain, :action, :asset, :recipient,
                :amount, :call, :more, :memo, :stake, :program, :fee_max, :tier, :submit, :nonce, :idempotency, :body, :replaces, :created, :status, :ready,
                :expires, :chain_transaction, :own_signature, :own_signer, :validity, :position, :fee_paid, :detail, :updated)
             ON CONFLICT(id) DO UPDATE SET
                amount = iif(excluded.sequence > sequence, excluded.amount, amount),
                fee_max = iif(excluded.sequence > sequence, excluded.fee_max, fee_max),
                created = iif(excluded.sequence > sequence, excluded.created, created),
                sequence = max(excluded.sequence, sequence),
                nonce = coalesce(excluded.nonce, nonce),
                chain_transaction = coalesce(chain_transaction, excluded.chain_transaction),
                own_signature = coalesce(own_signature, excluded.own_signature),
                own_signer = coalesce(own_signer, excluded.own_signer),
                validity = coalesce(validity, excluded.validity)",
        )?
        .execute(named_params! {
            ":id": facts.id.to_string(),
            ":sequence": signed(facts.sequence),
            ":listed": signed(facts.listed),
            ":session": facts.session.map(|session| session.to_string()),
            ":wallet": facts.wallet.to_string(),
            ":chain": facts.chain.to_string(),
            ":action": facts.action.as_str(),
            ":asset": facts.asset.to_string(),
            ":recipient": facts.to.to_string(),
            ":amount": facts.amount.to_string(),
            ":call": facts.call.as_deref().map(to_canonical),
            ":more": to_canonical(&facts.more),
            ":memo": facts.memo.as_ref().map(Memo::as_str),
            ":stake": facts.stake.as_ref().map(to_canonical),
            ":program": facts.program.as_deref().map(to_canonical),
            ":fee_max": facts.fee_max.to_string(),
            ":tier": facts.tier.as_str(),
            ":submit": facts.submit,
            ":nonce": facts.nonce.map(signed),
            ":idempotency": facts.idempotency.as_bytes(),
            ":body": facts.body.as_bytes(),
            ":replaces": facts.replaces.map(|earlier| earlier.to_string()),
            ":created": signed(facts.created.millis()),
            ":status": progress.status.name(),
            ":ready": progress.waiting.and_then(|wait| wait.ready).map(|at| signed(at.millis())),
            ":expires": progress.waiting.map(|wait| signed(wait.expires.millis())),
            ":chain_transaction": progress.chain_transaction.map(|id| id.to_string()),
            ":own_signature": progress.own_signature.map(|own| own.id.to_string()),
            ":own_signer": progress.own_signature.map(|own| own.signer.to_string()),
            ":validity": progress.validity.and_then(|validity| serde_json::to_string(&validity).ok()),
            ":position": progress.position.map(signed),
            ":fee_paid": progress.fee_paid.map(|fee| fee.to_string()),
            ":detail": progress.detail.as_ref().map(ChainText::as_str),
            ":updated": signed(progress.updated.millis()),
        })?;
    Ok(())
}

/// Writes a payment down whose event says that it was charged: one that waited waits no longer.
pub fn commit(connection: &Connection, payment: &Payment) -> rusqlite::Result<()> {
    put(connection, payment)?;
    let (id, at) = (payment.facts.id, payment.progress.updated);
    if status(connection, id)? == Some(Status::Queued) {
        advance(connection, id, Status::Executing, &Change::default(), at)?;
        if !payment.facts.submit {
            // Nobody else sends it: the bytes are for the agent alone.
            advance(connection, id, Status::Submitted, &Change::default(), at)?;
        }
    }
    Ok(())
}

/// From when on a waiting payment may be signed, as it is known now.
pub fn set_ready(connection: &Connection, id: TransactionId, at: WallTime) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE payment SET ready = ?2 WHERE id = ?1 AND status = 'QUEUED'")?
        .execute(params![id.to_string(), signed(at.millis())])?;
    Ok(())
}

/// Why a waiting payment is not signed yet, or nothing.
pub fn note(
    connection: &Connection,
    id: TransactionId,
    detail: Option<&ChainText>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE payment SET detail = ?2 WHERE id = ?1 AND status = 'QUEUED'")?
        .execute(params![id.to_string(), detail.map(ChainText::as_str)])?;
    Ok(())
}

/// What holds a payment up that has left and that no block has taken, or nothing.
pub fn note_stuck(
    connection: &Connection,
    id: TransactionId,
    detail: Option<&ChainText>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE payment SET detail = ?2 WHERE id = ?1 AND status = 'SUBMITTED'")?
        .execute(params![id.to_string(), detail.map(ChainText::as_str)])?;
    Ok(())
}

/// Every transaction of an EVM payment's nonce with where it stands, itself among them.
pub fn family(
    connection: &Connection,
    id: TransactionId,
) -> rusqlite::Result<Vec<(TransactionId, Status)>> {
    connection
        .prepare_cached(
            "WITH RECURSIVE family(id) AS (
                SELECT ?1
                UNION SELECT later.id FROM family JOIN payment AS later ON later.replaces = family.id
                    WHERE later.chain LIKE 'eip155:%'
                UNION SELECT earlier.id FROM family JOIN payment AS own ON own.id = family.id
                    JOIN payment AS earlier ON earlier.id = own.replaces WHERE own.chain LIKE 'eip155:%')
             SELECT payment.id, payment.status FROM payment JOIN family ON payment.id = family.id",
        )?
        .query_map([id.to_string()], |row| Ok((parsed(row, 0)?, parsed(row, 1)?)))?
        .collect()
}

/// What a change of status brings along.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Slot or block number.
    pub position: Option<u64>,
    /// What the chain took.
    pub fee_paid: Option<Amount>,
    /// Why, in plain words.
    pub detail: Option<ChainText>,
    /// What the chain calls it, where that was not known, or might have been otherwise.
    pub name: Option<ChainTransactionId>,
}

/// Moves a payment along an arrow of the one table; says whether it stands at `next` now. Where there
/// is no arrow nothing changes.
pub fn advance(
    connection: &Connection,
    id: TransactionId,
    next: Status,
    change: &Change,
    at: WallTime,
) -> rusqlite::Result<bool> {
    let Some(current) = status(connection, id)? else {
        return Ok(false);
    };
    if !current.can_become(next) {
        return Ok(current == next);
    }
    connection
        .prepare_cached(
            "UPDATE payment SET status = ?2, updated = ?3, position = coalesce(?4, position),
                fee_paid = coalesce(?5, fee_paid), detail = ?6,
                chain_transaction = coalesce(?7, chain_transaction) WHERE id = ?1",
        )?
        .execute(params![
            id.to_string(),
            next.name(),
            signed(at.millis()),
            change.position.map(signed),
            change.fee_paid.map(|fee| fee.to_string()),
            change.detail.as_ref().map(ChainText::as_str),
            change.name.map(|name| name.to_string()),
        ])?;
    Ok(true)
}

fn status(connection: &Connection, id: TransactionId) -> rusqlite::Result<Option<Status>> {
    connection
        .prepare_cached("SELECT status FROM payment WHERE id = ?1")?
        .query_row([id.to_string()], |row| parsed(row, 0))
        .optional()
}

/// Every column, and the newest payment that takes this one's place: one that ended while it waited took
/// none.
macro_rules! payments {
    ($rest:literal) => {
        concat!(
            "SELECT payment.*, (SELECT later.id FROM payment AS later WHERE later.replaces = payment.id
                AND NOT (later.status IN ('CANCELLED', 'EXPIRED') AND later.expires IS NOT NULL
                    AND later.sequence = later.listed)
                ORDER BY later.listed DESC LIMIT 1) AS replaced_by
             FROM payment ",
            $rest
        )
    };
}

/// A payment by its name.
pub fn payment(connection: &Connection, id: TransactionId) -> rusqlite::Result<Option<Payment>> {
    connection
        .prepare_cached(payments!("WHERE id = ?1"))?
        .query_row([id.to_string()], read)
        .optional()
}

/// The payment that used an idempotency key.
pub fn by_idempotency(connection: &Connection, key: Digest) -> rusqlite::Result<Option<Payment>> {
    connection
        .prepare_cached(payments!("WHERE idempotency = ?1 LIMIT 1"))?
        .query_row([key.as_bytes()], read)
        .optional()
}

/// A session's payments, newest first, from before an event on: by when they were first told of.
pub fn of_session(
    connection: &Connection,
    session: SessionId,
    before: Option<u64>,
    limit: u32,
) -> rusqlite::Result<Vec<Payment>> {
    connection
        .prepare_cached(payments!(
            "WHERE session = ?1 AND listed < ?2 ORDER BY listed DESC LIMIT ?3"
        ))?
        .query_map(
            params![session.to_string(), before.map_or(i64::MAX, signed), limit],
            read,
        )?
        .collect()
}

/// A session's payments from a wallet, newest first, from before a moment and a name on; on one chain or on all.
pub fn of_wallet(
    connection: &Connection,
    session: SessionId,
    wallet: WalletId,
    chain: Option<ChainId>,
    before: (i64, &str),
    limit: u32,
) -> rusqlite::Result<Vec<Payment>> {
    connection
        .prepare_cached(payments!(
            "WHERE session = ?1 AND wallet = ?2 AND (?3 IS NULL OR chain = ?3) AND (created, id) < (?4, ?5)
             ORDER BY created DESC, id DESC LIMIT ?6"
        ))?
        .query_map(
            params![
                session.to_string(),
                wallet.to_string(),
                chain.map(|chain| chain.to_string()),
                before.0,
                before.1,
                limit
            ],
            read,
        )?
        .collect()
}

/// Every payment that the gateway sends and that has not ended.
pub fn under_way(connection: &Connection) -> rusqlite::Result<Vec<Payment>> {
    connection
        .prepare_cached(payments!(
            "WHERE submit = 1
                AND status IN ('PENDING', 'QUEUED', 'EXECUTING', 'SUBMITTED') ORDER BY sequence"
        ))?
        .query_map([], read)?
        .collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Payment> {
    let tier: String = row.get("tier")?;
    let tier = Tier::from_text(&tier);
    let action: String = row.get("action")?;
    let action = Action::from_text(&action);
    let validity: Option<String> = row.get("validity")?;
    let text = |name: &str| row.get::<_, Option<String>>(name);
    let number = |name: &str| row.get::<_, Option<i64>>(name);
    let ready = number("ready")?;
    Ok(Payment {
        facts: Facts {
            id: parsed(row, "id")?,
            sequence: unsigned(row, "sequence")?,
            listed: unsigned(row, "listed")?,
            session: text("session")?
                .map(|id| id.parse().map_err(malformed))
                .transpose()?,
            wallet: parsed(row, "wallet")?,
            chain: parsed(row, "chain")?,
            action: action.ok_or(rusqlite::Error::InvalidQuery)?,
            asset: parsed(row, "asset")?,
            to: parsed(row, "recipient")?,
            amount: parsed(row, "amount")?,
            call: row
                .get::<_, Option<Vec<u8>>>("call")?
                .map(|bytes| from_canonical(&bytes).map(Box::new).map_err(malformed))
                .transpose()?,
            more: from_canonical(&row.get::<_, Vec<u8>>("more")?)
                .map_err(|_| rusqlite::Error::InvalidQuery)?,
            memo: text("memo")?
                .map(|memo| memo.parse().map_err(malformed))
                .transpose()?,
            stake: row
                .get::<_, Option<Vec<u8>>>("stake")?
                .map(|bytes| from_canonical(&bytes).map_err(malformed))
                .transpose()?,
            program: row
                .get::<_, Option<Vec<u8>>>("program")?
                .map(|bytes| from_canonical(&bytes).map(Box::new).map_err(malformed))
                .transpose()?,
            fee_max: parsed(row, "fee_max")?,
            tier: tier.ok_or(rusqlite::Error::InvalidQuery)?,
            submit: row.get("submit")?,
            nonce: number("nonce")?.map(i64::cast_unsigned),
            idempotency: Digest::from_bytes(row.get("idempotency")?),
            body: Digest::from_bytes(row.get("body")?),
            replaces: text("replaces")?
                .map(|id| id.parse().map_err(malformed))
                .transpose()?,
            created: WallTime::from_millis(unsigned(row, "created")?),
        },
        progress: Progress {
            status: parsed(row, "status")?,
            waiting: number("expires")?.map(|expires| Waiting {
                ready: ready.map(|at| WallTime::from_millis(at.cast_unsigned())),
                expires: WallTime::from_millis(expires.cast_unsigned()),
            }),
            chain_transaction: text("chain_transaction")?
                .map(|id| id.parse::<ChainTransactionId>().map_err(malformed))
                .transpose()?,
            own_signature: own_signature(row)?,
            validity: validity
                .map(|json| serde_json::from_str::<Validity>(&json).map_err(malformed))
                .transpose()?,
            position: number("position")?.map(i64::cast_unsigned),
            fee_paid: text("fee_paid")?
                .map(|fee| fee.parse().map_err(malformed))
                .transpose()?,
            detail: text("detail")?.map(|detail| ChainText::new(&detail)),
            replaced_by: text("replaced_by")?
                .map(|id| id.parse().map_err(malformed))
                .transpose()?,
            updated: WallTime::from_millis(unsigned(row, "updated")?),
        },
    })
}

fn own_signature(row: &Row<'_>) -> rusqlite::Result<Option<OwnSignature>> {
    if row.get_ref("own_signature")? == ValueRef::Null {
        return Ok(None);
    }
    Ok(Some(OwnSignature {
        id: parsed(row, "own_signature")?,
        signer: parsed(row, "own_signer")?,
    }))
}

fn malformed<E: std::error::Error + Send + Sync + 'static>(error: E) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
}

fn parsed<T>(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.get::<_, String>(column)?.parse().map_err(malformed)
}

/// SQLite's integers are signed; the same 64 bits.
const fn signed(value: u64) -> i64 {
    value.cast_signed()
}

fn unsigned(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<u64> {
    row.get(column).map(i64::cast_unsigned)
}
