//! The tables of transfers into wallets, and every statement on them. Functions of a connection, called inside jobs of
//! `database`. Bounded for each asset: the smallest go first, so that no flood of dust pushes out what counts.

use rusqlite::{Connection, Row, named_params, params};
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::time::WallTime;

use crate::chain::{ChainTransactionId, Cursors, Incoming, Seen};

/// Transfers of one asset into one account that are kept.
const KEPT: u32 = 2000;
/// Assets of one account that are kept apart from those of the policy: anybody can make as many as they like.
const STRANGERS: u32 = 200;

/// The tables.
pub const TABLES: &str = "
CREATE TABLE incoming(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    chain TEXT NOT NULL,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    place INTEGER NOT NULL,
    asset TEXT NOT NULL,
    sender TEXT,
    amount TEXT NOT NULL,
    position INTEGER NOT NULL,
    nodes INTEGER NOT NULL,
    -- When the gateway saw it first.
    seen INTEGER NOT NULL,
    UNIQUE (chain, account, name, asset, place)
) STRICT;
CREATE INDEX incoming_by_account ON incoming(account, chain, seen, number);
CREATE INDEX incoming_by_asset ON incoming(account, asset);
CREATE TABLE incoming_cursor(
    chain TEXT NOT NULL,
    part TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (chain, part)
) STRICT, WITHOUT ROWID;
";

/// A transfer that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its place among all that were ever seen.
    pub number: u64,
    /// What came in.
    pub incoming: Incoming,
    /// When the gateway saw it first.
    pub seen: WallTime,
}

/// How far a chain was read.
pub fn cursors(connection: &Connection, chain: ChainId) -> rusqlite::Result<Cursors> {
    connection
        .prepare_cached("SELECT part, value FROM incoming_cursor WHERE chain = ?1")?
        .query_map([chain.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Takes what a look has seen together with its cursors. `known`: the assets of the policy.
pub fn take(
    connection: &Connection,
    chain: ChainId,
    seen: &Seen,
    known: &[AssetId],
    now: WallTime,
) -> rusqlite::Result<()> {
    for one in &seen.found {
        if known.contains(&one.asset) || has_room(connection, one)? {
            put(connection, one, now)?;
        }
    }
    for (part, value) in &seen.cursors {
        connection
            .prepare_cached("INSERT OR REPLACE INTO incoming_cursor VALUES (?1, ?2, ?3)")?
            .execute(params![chain.to_string(), part, value])?;
    }
    Ok(())
}

/// Whether an asset that the policy does not name is one of those that are kept.
fn has_room(connection: &Connection, one: &Incoming) -> rusqlite::Result<bool> {
    let (others, this): (u32, bool) = connection
        .prepare_cached(
            "SELECT count(DISTINCT asset), coalesce(max(asset = ?2), 0) FROM incoming WHERE account = ?1",
        )?
        .query_row(params![one.account.to_string(), one.asset.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(this || others < STRANGERS)
}

fn put(connection: &Connection, one: &Incoming, now: WallTime) -> rusqlite::Result<()> {
    let added = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO incoming(chain, account, name, place, asset, sender, amount, position, nodes, seen)
             VALUES (:chain, :account, :name, :place, :asset, :sender, :amount, :position, :nodes, :seen)",
        )?
        .execute(named_params! {
            ":chain": one.asset.chain().to_string(),
            ":account": one.account.to_string(),
            ":name": one.transaction.to_string(),
            ":place": one.place,
            ":asset": one.asset.to_string(),
            ":sender": one.from.map(|from| from.to_string()),
            ":amount": one.amount.to_string(),
            ":position": one.position.cast_signed(),
            ":nodes": one.nodes,
            ":seen": now.millis().cast_signed(),
        })?;
    if added > 0 {
        connection
            .prepare_cached(
                "DELETE FROM incoming WHERE number IN (SELECT number FROM incoming
                    WHERE account = ?1 AND asset = ?2
                    ORDER BY length(amount) DESC, amount DESC, number DESC LIMIT -1 OFFSET ?3)",
            )?
            .execute(params![
                one.account.to_string(),
                one.asset.to_string(),
                KEPT
            ])?;
    }
    Ok(())
}

/// Which part of what came into an account.
#[derive(Debug, Clone)]
pub struct Part {
    /// The account.
    pub account: Account,
    /// Only on this chain.
    pub chain: Option<ChainId>,
    /// Only these assets; none: all.
    pub assets: Option<Vec<AssetId>>,
    /// Only from before this moment and name.
    pub before: (i64, String),
    /// How many, at most.
    pub limit: u32,
}

/// What came in, newest first.
pub fn list(connection: &Connection, part: &Part) -> rusqlite::Result<Vec<Kept>> {
    let texts = |assets: &Vec<AssetId>| {
        let texts: Vec<String> = assets.iter().map(ToString::to_string).collect();
        serde_json::Value::from(texts).to_string()
    };
    connection
        .prepare_cached(
            "SELECT * FROM incoming WHERE account = :account AND (:chain IS NULL OR chain = :chain)
                AND (:assets IS NULL OR asset IN (SELECT value FROM json_each(:assets)))
                AND (seen, printf('%020d', number)) < (:at, :name)
             ORDER BY seen DESC, number DESC LIMIT :limit",
        )?
        .query_map(
            named_params! {
                ":account": part.account.to_string(),
                ":chain": part.chain.map(|chain| chain.to_string()),
                ":assets": part.assets.as_ref().map(texts),
                ":at": part.before.0,
                ":name": part.before.1,
                ":limit": part.limit,
            },
            read,
        )?
        .collect()
}

impl Kept {
    /// Its name in the order of the list.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{:020}", self.number)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let number = |column: &str| row.get::<_, i64>(column).map(i64::cast_unsigned);
    Ok(Kept {
        number: number("number")?,
        incoming: Incoming {
            account: text(row, "account")?,
            transaction: text::<ChainTransactionId>(row, "name")?,
            place: row.get("place")?,
            asset: text(row, "asset")?,
            from: match row.get::<_, Option<String>>("sender")? {
                None => None,
                Some(_) => Some(text(row, "sender")?),
            },
            amount: text::<Amount>(row, "amount")?,
            position: number("position")?,
            nodes: row.get("nodes")?,
        },
        seen: WallTime::from_millis(number("seen")?),
    })
}

fn text<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T: std::str::FromStr,
{
    let text = row.get::<_, String>(column)?;
    text.parse().map_err(|_| rusqlite::Error::InvalidQuery)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: ChainId = ChainId::Evm(31_337);

    fn open() -> Connection {
        let connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch(TABLES).expect("made");
        connection
    }

    fn account() -> Account {
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
            .parse()
            .expect("an address")
    }

    fn token(number: u8) -> AssetId {
        let token = waiaas_shared::address::EvmAddress::from_bytes([number; 20]);
        AssetId::new(CHAIN, waiaas_shared::caip::Token::Erc20(token)).expect("of the chain")
    }

    fn came(number: u32, asset: AssetId, amount: u128) -> Incoming {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        Incoming {
            account: account(),
            transaction: ChainTransactionId::Evm(hash),
            place: 0,
            asset,
            from: None,
            amount: Amount::from_base_units(amount),
            position: 7,
            nodes: 1,
        }
    }

    fn seen(found: Vec<Incoming>) -> Seen {
        Seen {
            found,
            ..Seen::default()
        }
    }

    fn all(connection: &Connection, assets: Option<Vec<AssetId>>) -> Vec<Kept> {
        let part = Part {
            account: account(),
            chain: None,
            assets,
            before: (i64::MAX, String::new()),
            limit: 10_000,
        };
        list(connection, &part).expect("listed")
    }

    fn now(millis: u64) -> WallTime {
        WallTime::from_millis(millis)
    }

    #[test]
    fn what_is_seen_twice_is_kept_once_with_the_cursor() {
        let connection = open();
        let coin = CHAIN.native_asset();
        let mut look = seen(vec![came(1, coin, 5)]);
        look.cursors.insert("blocks".to_owned(), "9".to_owned());
        for at in [10, 20] {
            take(&connection, CHAIN, &look, &[coin], now(at)).expect("taken");
        }
        let kept = all(&connection, None);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].incoming, came(1, coin, 5));
        assert_eq!(kept[0].seen, now(10));
        assert_eq!(cursors(&connection, CHAIN).expect("read"), look.cursors);
        assert!(
            cursors(&connection, ChainId::Evm(1))
                .expect("read")
                .is_empty()
        );
    }

    #[test]
    fn dust_and_strange_assets_push_nothing_out() {
        let connection = open();
        let coin = CHAIN.native_asset();
        let real = came(0, coin, 1_000_000);
        take(
            &connection,
            CHAIN,
            &seen(vec![real.clone()]),
            &[coin],
            now(1),
        )
        .expect("taken");
        let dust = (1..=KEPT + 50).map(|number| came(number, coin, 1));
        take(&connection, CHAIN, &seen(dust.collect()), &[coin], now(2)).expect("taken");
        let kept = all(&connection, Some(vec![coin]));
        assert_eq!(kept.len(), usize::try_from(KEPT).expect("small"));
        assert!(kept.iter().any(|kept| kept.incoming == real));
        // As many tokens as anybody likes.
        let strange = (0..=250).map(|number| came(number.into(), token(number), 9));
        let strange: Vec<Incoming> = strange.collect();
        take(&connection, CHAIN, &seen(strange), &[coin], now(3)).expect("taken");
        let assets: std::collections::HashSet<AssetId> = all(&connection, None)
            .iter()
            .map(|kept| kept.incoming.asset)
            .collect();
        assert_eq!(assets.len(), usize::try_from(STRANGERS).expect("small"));
        // One of the policy is kept all the same, and can be listed alone.
        let own = token(251);
        let look = seen(vec![came(9, own, 3)]);
        take(&connection, CHAIN, &look, &[coin, own], now(4)).expect("taken");
        assert_eq!(all(&connection, Some(vec![own])).len(), 1);
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let connection = open();
        let coin = CHAIN.native_asset();
        // Seen at the same moment.
        let found: Vec<Incoming> = (0..7).map(|number| came(number, coin, 1)).collect();
        take(&connection, CHAIN, &seen(found), &[coin], now(5)).expect("taken");
        let (mut before, mut read) = ((i64::MAX, String::new()), Vec::new());
        loop {
            let part = Part {
                account: account(),
                chain: Some(CHAIN),
                assets: None,
                before,
                limit: 3,
            };
            let page = list(&connection, &part).expect("listed");
            let Some(last) = page.last() else { break };
            before = (5, last.name());
            read.extend(page.iter().map(|kept| kept.number));
        }
        assert_eq!(read, [7, 6, 5, 4, 3, 2, 1]);
    }
}
