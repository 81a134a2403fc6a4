//! Lookup tables where policy pins one (a part of X03): an index is what the owner pinned on this network, whatever the
//! chain or a node says, and only bytes that the agent itself brings look anything up. Beside everything that is
//! refused the honest transaction is signed, and counted by the second reading.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use waiaas_client::SpendRequest;
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::caip::{AccountId, ChainId};
use waiaas_shared::denial::Code;
use waiaas_shared::policy::document::TableRule;
use waiaas_tests::stage::{SOLANA_TO, solana};

use super::{AMOUNT, Draft, Key, SYSTEM, instruction, named, thief};
use crate::bytes::{Message, compact, lamports};
use crate::calculator::account_bytes;
use crate::rig::Rig;

const PATH: &str = "/v1/transactions/sign";
/// Of the pinned table: where the recipient, the attacker, the wallet and the System program stand.
const RECIPIENT: u8 = 1;
const THIEF: u8 = 2;
const WALLET: u8 = 3;
const SYSTEM_AT: u8 = 4;

const REFUSED: [Code; 7] = [
    Code::BroughtTable,
    Code::BroughtTableIndex,
    Code::BroughtMalformed,
    Code::TransactionUndecodable,
    Code::RecipientNotListed,
    Code::BodyMismatch,
    Code::BroughtRole,
];

/// One lookup: the table, what is written of it, what is read.
type Lookup<'a> = (Key, &'a [u8], &'a [u8]);

fn table() -> Key {
    thief(45)
}

/// A table that is pinned for another network alone.
fn elsewhere() -> Key {
    thief(46)
}

/// What is written of the pinned table.
fn own(writable: &[u8]) -> Lookup<'_> {
    (table(), writable, &[])
}

fn wallet(rig: &Rig) -> Key {
    let account = account_bytes(rig.cast.solana.account).try_into();
    account.unwrap_or_default()
}

/// Five lamports from the payer to an index, in version 0.
fn message(rig: &Rig, to: u8, lookups: &[Lookup<'_>]) -> Message {
    let tail = lookups.iter().flat_map(|(table, writable, read_only)| {
        let (written, read) = (compact(writable.len()), compact(read_only.len()));
        [&table[..], &written, writable, &read, read_only].concat()
    });
    Message {
        version: Some(0x80),
        header: [1, 0, 1],
        keys: vec![wallet(rig), named(SYSTEM)],
        instructions: vec![instruction(1, &[0, to], lamports(AMOUNT))],
        tail: [compact(lookups.len()), tail.collect()].concat(),
    }
}

/// The bearer session brings these bytes.
fn brings(rig: &mut Rig, bytes: &[u8]) -> Result<SpendRequest> {
    let transfer = rig.to_solana(1);
    let request = rig.invented(&transfer)?;
    let whole = [&[1][..], &[0; 64], bytes].concat();
    let body = json!({
        "signer": rig.cast.agent.signer,
        "wallet": rig.cast.solana.wallet,
        "network": solana(),
        "transaction": STANDARD.encode(whole),
    });
    Ok(SpendRequest {
        path: PATH.to_owned(),
        body: body.to_string().into_bytes(),
        unsigned: bytes.to_vec(),
        ..request
    })
}

fn pinned(network: ChainId, at: Key, addresses: &[Key]) -> Result<TableRule> {
    Ok(TableRule {
        account: AccountId::new(network, Account::Solana(SolanaAddress::from_bytes(at)))?,
        addresses: addresses
            .iter()
            .copied()
            .map(SolanaAddress::from_bytes)
            .collect(),
    })
}

/// Adopts a document that pins these tables.
fn pin(rig: &mut Rig, tables: Vec<TableRule>) -> Result<()> {
    let document = rig.next_policy(|document| document.tables = Some(tables))?;
    rig.adopt(&document)?;
    Ok(())
}

/// Where earlier documents bind on, a table that one adds is none yet: content that a stolen key signed moves nothing
/// before the others have ended.
pub(super) fn while_it_waits(rig: &mut Rig) -> Result<()> {
    let false_content = [thief(47), named(SOLANA_TO)];
    let tables = vec![pinned(solana(), table(), &false_content)?];
    pin(rig, tables)?;
    let bytes = message(rig, 2, &[own(&[RECIPIENT])]).bytes();
    let attempt = ("a table that waits".to_owned(), brings(rig, &bytes)?);
    rig.refused(&[attempt], &[Code::BroughtTable])?;
    Ok(())
}

/// Everything that a looked-up account could be bent to; how many attempts were refused.
pub(super) fn with_a_table(rig: &mut Rig) -> Result<String> {
    let content = [
        thief(47),
        named(SOLANA_TO),
        thief(2),
        wallet(rig),
        named(SYSTEM),
    ];
    let mainnet: ChainId = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp".parse()?;
    let tables = vec![
        pinned(solana(), table(), &content)?,
        pinned(mainnet, elsewhere(), &content)?,
    ];
    pin(rig, tables)?;
    let honest = message(rig, 2, &[own(&[RECIPIENT])]).bytes();
    let passes = brings(rig, &honest)?;
    let gateway = rig.gateway();
    let would = rig.block(gateway.decide(&passes));
    ensure!(would.is_ok(), "the honest transaction: {would:?}");

    let mut attempts = Vec::new();
    let drafts: [(&str, u8, Vec<Lookup<'_>>); 14] = [
        ("the attacker out of the table", 2, vec![own(&[THIEF])]),
        (
            "the attacker listed behind",
            3,
            vec![own(&[RECIPIENT, THIEF])],
        ),
        ("the wallet out of the table", 2, vec![own(&[WALLET])]),
        ("an index beyond what is pinned", 2, vec![own(&[5])]),
        ("the last index", 2, vec![own(&[255])]),
        ("the recipient twice", 2, vec![own(&[RECIPIENT, RECIPIENT])]),
        (
            "a recipient that is only read",
            2,
            vec![(table(), &[], &[RECIPIENT])],
        ),
        ("an account without use", 2, vec![own(&[RECIPIENT, 0])]),
        ("no index at all", 2, vec![own(&[])]),
        ("the table twice", 2, vec![own(&[RECIPIENT]), own(&[THIEF])]),
        (
            "a table that nobody pinned",
            2,
            vec![(thief(48), &[RECIPIENT], &[])],
        ),
        (
            "a pinned one and one that is not",
            2,
            vec![own(&[RECIPIENT]), (thief(48), &[0], &[])],
        ),
        (
            "a table of another network",
            2,
            vec![(elsewhere(), &[RECIPIENT], &[])],
        ),
        ("an index behind all of them", 9, vec![own(&[RECIPIENT])]),
    ];
    for (what, to, lookups) in drafts {
        let bytes = message(rig, to, &lookups).bytes();
        attempts.push((what.to_owned(), brings(rig, &bytes)?));
    }
    let mut program = message(rig, 2, &[(table(), &[RECIPIENT], &[SYSTEM_AT])]);
    program.keys.pop();
    program.header = [1, 0, 0];
    program.instructions = vec![instruction(2, &[0, 1], lamports(AMOUNT))];
    attempts.push((
        "the program out of the table".to_owned(),
        brings(rig, &program.bytes())?,
    ));
    let mut listed = message(rig, 1, &[own(&[RECIPIENT])]);
    listed.keys.insert(1, named(SOLANA_TO));
    listed.instructions = vec![instruction(2, &[0, 1], lamports(AMOUNT))];
    attempts.push((
        "an account that is listed too".to_owned(),
        brings(rig, &listed.bytes())?,
    ));
    let mut signs = message(rig, 2, &[own(&[RECIPIENT])]);
    signs.header = [2, 0, 0];
    attempts.push(("a second signer".to_owned(), brings(rig, &signs.bytes())?));
    // Every bit of it that is neither the amount nor the blockhash: refused, or it pays nobody who may receive.
    let tail = honest.len() - 36;
    let amount = tail - 8;
    for bit in 0..honest.len() * 8 {
        let at = bit / 8;
        let blockhash = 69..101;
        if blockhash.contains(&at) || (amount..tail).contains(&at) {
            continue;
        }
        let mut changed = honest.clone();
        if let Some(byte) = changed.get_mut(at) {
            *byte ^= 1 << (bit % 8);
        }
        attempts.push((format!("bit {bit}"), brings(rig, &changed)?));
    }
    // Other bytes than the agent brought, and a lookup in what the gateway itself builds.
    let stolen = message(rig, 2, &[own(&[THIEF])]).bytes();
    attempts.push((
        "bytes that the agent did not bring".to_owned(),
        SpendRequest {
            unsigned: stolen,
            ..passes.clone()
        },
    ));
    let (_, plain) = Draft::honest(rig).request(rig)?;
    attempts.push((
        "a lookup for a plain request".to_owned(),
        SpendRequest {
            unsigned: honest.clone(),
            ..plain
        },
    ));
    let counted = rig.refused(&attempts, &REFUSED).context("a pinned table")?;
    for code in [Code::BroughtTable, Code::BroughtTableIndex] {
        ensure!(counted.contains_key(&code), "{code} is never the reason");
    }
    let signed = rig.send(&passes).context("the honest transaction")?;
    ensure!(
        signed.raw.ends_with(&honest),
        "other bytes than were brought"
    );
    Ok(format!("{} of a pinned table {counted:?}", attempts.len()))
}
