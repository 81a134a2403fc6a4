//! Solana transactions that must never be signed, whatever the decoder can read: how they are drafted.
//! The gateway speaks for a bearer session here, so that only bytes and rules stand in its way.

mod batch;
mod brought;
mod called;
mod lookups;
pub(super) mod message;
pub(super) mod program;
mod registered;
mod stake;
pub(super) mod token;

use anyhow::{Context as _, Result, ensure};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_tests::agent::key;
use waiaas_tests::stage::SOLANA_TO;

use crate::bytes::{Instruction, Message, Tables, lamports, read_solana, system};
use crate::calculator::account_bytes;
use crate::rig::Rig;

/// What the body says in all of these: five lamports to the listed recipient.
const AMOUNT: u64 = 5;

const SYSTEM: &str = "11111111111111111111111111111111";
const COMPUTE_BUDGET: &str = "ComputeBudget111111111111111111111111111111";
const MEMO: &str = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";
const TOKEN: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
const TOKEN_2022: &str = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb";
const ASSOCIATED: &str = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
const STAKE: &str = "Stake11111111111111111111111111111111111111";
const SYSVAR_RECENT_BLOCKHASHES: &str = "SysvarRecentB1ockHashes11111111111111111111";

/// Rules that may refuse a spoilt transaction; the first as a rule.
const DENIED: [Code; 5] = [
    Code::TransactionUndecodable,
    Code::BodyMismatch,
    Code::AssetNotListed,
    Code::RecipientNotListed,
    Code::BodyTooLarge,
];

type Key = [u8; 32];

fn named(text: &str) -> Key {
    let mut bytes = [0; 32];
    let decoded = bs58::decode(text).into_vec().unwrap_or_default();
    bytes
        .iter_mut()
        .zip(decoded)
        .for_each(|(to, from)| *to = from);
    bytes
}

/// A key of the attacker's.
fn thief(number: u8) -> Key {
    key(200 + number).verifying_key().to_bytes()
}

fn instruction(program: u8, accounts: &[u8], data: Vec<u8>) -> Instruction {
    Instruction {
        program,
        accounts: accounts.to_vec(),
        data,
    }
}

/// A message that somebody drafts for the wallet.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    name: String,
    message: Message,
}

impl Draft {
    /// Writable accounts behind the payer and the recipient, then read-only ones; the honest transfer
    /// first if its program (System, the first read-only one) is there.
    fn new(
        rig: &Rig,
        name: &str,
        writable: &[Key],
        read_only: &[&str],
        more: Vec<Instruction>,
    ) -> Self {
        let wallet: Key = account_bytes(rig.cast.solana.account)
            .try_into()
            .unwrap_or_default();
        let mut keys = vec![wallet, named(SOLANA_TO)];
        keys.extend(writable);
        let system_at = u8::try_from(keys.len()).unwrap_or(0);
        keys.extend(read_only.iter().map(|text| named(text)));
        let mut instructions = Vec::new();
        if read_only.first() == Some(&SYSTEM) {
            instructions.push(instruction(system_at, &[0, 1], lamports(AMOUNT)));
        }
        instructions.extend(more);
        Self {
            name: name.to_owned(),
            message: Message {
                version: None,
                header: [1, 0, u8::try_from(read_only.len()).unwrap_or(0)],
                keys,
                instructions,
                tail: Vec::new(),
            },
        }
    }

    /// What the wallet would sign if only this were in it.
    fn honest(rig: &Rig) -> Self {
        Self::new(rig, "honest", &[], &[SYSTEM], vec![])
    }

    /// The honest transfer and one more instruction of a program, over payer and recipient.
    fn beside(rig: &Rig, name: &str, program: &str, data: Vec<u8>) -> Self {
        Self::new(
            rig,
            name,
            &[],
            &[SYSTEM, program],
            vec![instruction(3, &[0, 1], data)],
        )
    }

    pub(super) fn memo(rig: &Rig) -> Self {
        Self::beside(rig, "memo", MEMO, b"hello".to_vec())
    }

    /// A memo as one is written that was asked for; nobody asked.
    pub(super) fn noted(rig: &Rig) -> Self {
        let memo = instruction(3, &[], b"hello".to_vec());
        Self::new(rig, "a memo of its own", &[], &[SYSTEM, MEMO], vec![memo])
    }

    pub(super) fn token(rig: &Rig, number: u8) -> Self {
        let data = [&[number][..], &AMOUNT.to_le_bytes(), &[6]].concat();
        Self::new(
            rig,
            "token",
            &[thief(0), thief(1)],
            &[TOKEN],
            vec![instruction(4, &[2, 3, 1, 0], data)],
        )
    }

    pub(super) fn two_transfers(rig: &Rig) -> Self {
        let second = instruction(3, &[0, 2], lamports(1));
        Self::new(rig, "two transfers", &[thief(0)], &[SYSTEM], vec![second])
    }

    fn bytes(self, rig: &mut Rig, bytes: Vec<u8>) -> Result<(String, SpendRequest)> {
        let transfer = rig.to_solana(AMOUNT.into());
        let request = SpendRequest {
            unsigned: bytes,
            ..rig.invented(&transfer)?
        };
        Ok((self.name, request))
    }

    pub(super) fn request(self, rig: &mut Rig) -> Result<(String, SpendRequest)> {
        let bytes = self.message.bytes();
        self.bytes(rig, bytes)
    }

    fn called(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// All of these must be refused; and the honest one must pass, so that they were not refused for it.
fn deny(rig: &mut Rig, drafts: Vec<Draft>) -> Result<String> {
    let mut attempts = Vec::new();
    for draft in drafts {
        attempts.push(draft.request(rig)?);
    }
    deny_requests(rig, &attempts)
}

fn deny_requests(rig: &mut Rig, attempts: &[(String, SpendRequest)]) -> Result<String> {
    let counted = rig.refused(attempts, &DENIED)?;
    let (_, honest) = Draft::honest(rig).request(rig)?;
    rig.send(&honest).context("the honest message")?;
    Ok(format!("{} refused {counted:?}", attempts.len()))
}

// ---- for cases elsewhere ----

/// Payments that are brought in every role, and a call of a program.
pub(super) fn one_of_each(rig: &mut Rig) -> Result<()> {
    brought::honest_ones(rig)?;
    called::honest_ones(rig)
}

/// Where an advance of a durable nonce may stand among the instructions.
pub(super) fn nonce_places() -> [usize; 3] {
    [0, 1, 2]
}

/// Messages with a durable nonce's instruction in that place, in both versions, with each authority.
pub(super) fn durable_nonce(rig: &Rig, place: usize) -> Vec<(String, Vec<u8>)> {
    let mut messages = Vec::new();
    for number in [4, 5, 6, 7, 12] {
        for authority in [0, 2] {
            for version in [None, Some(0x80)] {
                let data = system(number, &[]);
                let advance = instruction(4, &[3, 5, authority], data);
                let mut draft = Draft::new(
                    rig,
                    "",
                    &[thief(0), thief(1)],
                    &[SYSTEM, SYSVAR_RECENT_BLOCKHASHES, COMPUTE_BUDGET],
                    vec![instruction(
                        6,
                        &[],
                        [&[2][..], &450_u32.to_le_bytes()].concat(),
                    )],
                );
                draft.message.instructions.insert(place, advance);
                draft.message.version = version;
                draft.message.tail = version.map(|_| 0).into_iter().collect();
                let name = format!(
                    "nonce instruction {number} at {place}, authority {authority}, {version:?}"
                );
                messages.push((name, draft.message.bytes()));
            }
        }
    }
    messages
}

/// Transactions in which nothing is a transfer.
pub(super) fn no_op_messages(rig: &mut Rig) -> Result<Vec<(String, SpendRequest)>> {
    let budget =
        |program: u8| instruction(program, &[], [&[2][..], &450_u32.to_le_bytes()].concat());
    let mut drafts = vec![
        Draft::new(rig, "nothing", &[], &[], vec![]),
        Draft::new(
            rig,
            "only a budget",
            &[],
            &[COMPUTE_BUDGET],
            vec![budget(2)],
        ),
        Draft::new(
            rig,
            "only a memo",
            &[],
            &[MEMO],
            vec![instruction(2, &[0], b"hi".to_vec())],
        ),
        Draft::new(
            rig,
            "a memo that is empty",
            &[],
            &[MEMO],
            vec![instruction(2, &[], vec![])],
        ),
        Draft::new(
            rig,
            "a budget and a memo",
            &[],
            &[COMPUTE_BUDGET, MEMO],
            vec![budget(2), instruction(3, &[0, 1], vec![1])],
        ),
    ];
    let unknown = bs58::encode(thief(9)).into_string();
    for count in [1, 5, 30] {
        let more = (0..count)
            .map(|number| instruction(2, &[], vec![number]))
            .collect();
        drafts.push(Draft::new(
            rig,
            &format!("{count} of an unknown program"),
            &[],
            &[&unknown],
            more,
        ));
    }
    ensure!(drafts.iter().all(|draft| {
        draft
            .message
            .instructions
            .iter()
            .all(|one| one.data != lamports(AMOUNT))
    }));
    drafts.into_iter().map(|draft| draft.request(rig)).collect()
}

/// Puts another amount into a transfer's bytes; the whole that they then take.
pub(super) fn enlarge(message: &mut [u8]) -> Result<u128> {
    let large = 90_000_000_000_000_001_u64;
    let place = message
        .windows(4)
        .rposition(|window| window == [2, 0, 0, 0])
        .context("a transfer")?;
    let amount = message
        .get_mut(place + 4..place + 12)
        .context("an amount")?;
    amount.copy_from_slice(&large.to_le_bytes());
    let payer = message.get(4..36).context("a payer")?;
    let taken = read_solana(payer, message, &Tables::new())?.total();
    Ok(taken + u128::from(u64::MAX))
}

/// The same message with this amount in every transfer of [`AMOUNT`].
pub(super) fn with_amount(mut message: Vec<u8>, amount: u128) -> Result<Vec<u8>> {
    let (from, to) = (lamports(AMOUNT), lamports(u64::try_from(amount)?));
    for place in 0..message.len().saturating_sub(from.len()) {
        if let Some(found) = message.get_mut(place..place + from.len())
            && *found == from
        {
            found.copy_from_slice(&to);
        }
    }
    Ok(message)
}

/// Messages that hold a transfer of this amount to the recipient, and do something else as well or
/// instead.
pub(super) fn something_else(rig: &Rig, amount: u128) -> Result<Vec<(String, Vec<u8>)>> {
    let mut drafts = vec![
        Draft::memo(rig),
        Draft::noted(rig),
        Draft::two_transfers(rig),
        Draft::token(rig, 12),
        Draft::new(
            rig,
            "the transfer twice",
            &[],
            &[SYSTEM],
            vec![instruction(2, &[0, 1], lamports(AMOUNT))],
        ),
        Draft::beside(rig, "a stake", STAKE, vec![2, 0, 0, 0]),
        Draft::beside(rig, "a token account", ASSOCIATED, vec![1]),
    ];
    let mut stranger = Draft::honest(rig).called("to a stranger");
    if let Some(recipient) = stranger.message.keys.get_mut(1) {
        *recipient = thief(0);
    }
    let mut foreign = Draft::honest(rig).called("from a stranger");
    if let Some(payer) = foreign.message.keys.first_mut() {
        *payer = thief(0);
    }
    let mut other = Draft::honest(rig).called("from the other wallet");
    if let Some(payer) = other.message.keys.first_mut() {
        *payer = account_bytes(rig.cast.other_solana.account)
            .try_into()
            .unwrap_or_default();
    }
    drafts.extend([stranger, foreign, other]);
    let price = |micro: u64| [&[3][..], &micro.to_le_bytes()].concat();
    drafts.push(Draft::new(
        rig,
        "the highest price",
        &[],
        &[SYSTEM, COMPUTE_BUDGET],
        vec![instruction(3, &[], price(u64::MAX))],
    ));
    drafts
        .into_iter()
        .map(|draft| Ok((draft.name, with_amount(draft.message.bytes(), amount)?)))
        .collect()
}
