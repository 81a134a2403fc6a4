//! How soon a payment that waits should land, as its request said: the signer's log keeps no such thing, so what is
//! lost with `gateway.db` goes on at the normal speed. Functions of a connection, called inside jobs of `database`.

use rusqlite::{Connection, OptionalExtension as _, params};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::request::Speed;

/// The table, with a row for each payment that waited and was not to go at the normal speed.
pub const TABLES: &str = "
CREATE TABLE payment_speed(
    id TEXT PRIMARY KEY,
    speed TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Writes down what was asked for.
pub fn put(connection: &Connection, id: TransactionId, speed: Speed) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO payment_speed VALUES (?1, ?2)")?
        .execute(params![id.to_string(), speed.as_str()])?;
    Ok(())
}

/// What was asked for, as far as it is known.
pub fn of(connection: &Connection, id: TransactionId) -> rusqlite::Result<Speed> {
    let text: Option<String> = connection
        .prepare_cached("SELECT speed FROM payment_speed WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?;
    Ok(text
        .and_then(|text| Speed::from_text(&text))
        .unwrap_or_default())
}
