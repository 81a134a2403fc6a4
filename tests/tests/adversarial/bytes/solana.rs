//! The second reading of Solana messages: what the wallet loses by one, in each of its three forms.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};

use super::read::Cursor;
use super::{Instruction, Moved, Outflow, ProgramTold};

type Key = [u8; 32];

/// Lookup tables: where each lies, and what a document says is in it.
pub(crate) type Tables = BTreeMap<Key, Vec<Key>>;

const SYSTEM: Key = [0; 32];
/// SPL Token.
pub(crate) const TOKEN: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
const ASSOCIATED: &str = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
const COMPUTE_BUDGET: &str = "ComputeBudget111111111111111111111111111111";
const MEMO: &str = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";

fn key(text: &str) -> Result<Key> {
    let bytes = bs58::decode(text).into_vec()?;
    bytes.try_into().ok().context("32 bytes")
}

/// Where an owner's tokens lie, by the runtime's rule: the first address off the curve, counted down.
pub(crate) fn associated(owner: &[u8], mint: &[u8], program: &str) -> Result<Key> {
    let seeds = [owner, &key(program)?, mint].concat();
    let behind = [&key(ASSOCIATED)?[..], b"ProgramDerivedAddress"].concat();
    let derived = (0..=u8::MAX)
        .rev()
        .map(|bump| Key::from(Sha256::digest([&seeds[..], &[bump], &behind].concat())));
    let mut off_curve = derived.filter(|bytes| VerifyingKey::from_bytes(bytes).is_err());
    off_curve.next().context("an address off the curve")
}

/// Signatures and message of a whole transaction: in front, or at the end in version 1.
pub(super) fn parts(raw: &[u8]) -> Result<(&[[u8; 64]], &[u8])> {
    let (signatures, message) = if raw.first() == Some(&0x81) {
        let count = usize::from(*raw.get(1).context("a count")?);
        let length = raw.len().checked_sub(64 * count).context("cut off")?;
        let (message, signatures) = raw.split_at(length);
        (signatures, message)
    } else {
        let (count, rest) = raw.split_first().context("a count")?;
        let length = 64 * usize::from(*count);
        rest.split_at_checked(length).context("cut off")?
    };
    let (signatures, behind) = signatures.as_chunks();
    ensure!(behind.is_empty(), "half a signature");
    Ok((signatures, message))
}

/// A message, taken apart.
struct Parts {
    header: [u8; 3],
    /// Those of the message itself, then what it looks up to be written, then what it looks up to be read.
    keys: Vec<Key>,
    /// How many of them the message has itself, and how many may be written behind those.
    own: usize,
    looked_up_to_write: usize,
    instructions: Vec<Instruction>,
    /// Lamports beside the fee for signatures, where the header says so.
    priority: Option<u64>,
}

impl Parts {
    fn read(message: &[u8], tables: &Tables) -> Result<Self> {
        match message.first() {
            Some(0x81) => Self::of_version_one(message),
            _ => Self::of_older(message, tables),
        }
    }

    fn of_older(message: &[u8], tables: &Tables) -> Result<Self> {
        let mut cursor = Cursor(message);
        let looks_up = message.first() == Some(&0x80);
        if looks_up {
            cursor.byte()?;
        }
        let header = cursor.array()?;
        let mut keys = Vec::new();
        for _ in 0..cursor.compact()? {
            keys.push(cursor.array()?);
        }
        cursor.take(32)?;
        let mut instructions = Vec::new();
        for _ in 0..cursor.compact()? {
            let program = cursor.byte()?;
            let count = cursor.compact()?;
            let accounts = cursor.take(count)?.to_vec();
            let count = cursor.compact()?;
            let data = cursor.take(count)?.to_vec();
            instructions.push(Instruction {
                program,
                accounts,
                data,
            });
        }
        let own = keys.len();
        let mut found = [Vec::new(), Vec::new()];
        let lookups = if looks_up { cursor.compact()? } else { 0 };
        for _ in 0..lookups {
            let table: Key = cursor.array()?;
            let content = tables.get(&table).context("a table that is known")?;
            for side in &mut found {
                let count = cursor.compact()?;
                for index in cursor.take(count)? {
                    let key = content.get(usize::from(*index));
                    side.push(*key.context("an index of the table")?);
                }
            }
        }
        ensure!(cursor.0.is_empty(), "bytes behind");
        let [written, read] = found;
        let looked_up_to_write = written.len();
        keys.extend(written);
        keys.extend(read);
        Ok(Self {
            header,
            keys,
            own,
            looked_up_to_write,
            instructions,
            priority: None,
        })
    }

    /// SIMD-0385: header, mask of settings, lifetime, counts, keys, settings, then heads of instructions and
    /// what they hold.
    fn of_version_one(message: &[u8]) -> Result<Self> {
        let mut cursor = Cursor(message);
        cursor.byte()?;
        let header = cursor.array()?;
        let mask = u32::from_le_bytes(cursor.array()?);
        cursor.take(32)?;
        let (count, addresses) = (cursor.byte()?, cursor.byte()?);
        let mut keys = Vec::new();
        for _ in 0..addresses {
            keys.push(cursor.array()?);
        }
        // Two bits of a priority fee, then limits of units and of loaded accounts.
        ensure!(mask & 3 != 1 && mask & 3 != 2 && mask >> 4 == 0, "settings");
        let priority = match mask & 3 {
            0 => 0,
            _ => u64::from_le_bytes(cursor.array()?),
        };
        for bit in [2, 3] {
            if mask >> bit & 1 == 1 {
                cursor.take(4)?;
            }
        }
        let mut heads = Vec::new();
        for _ in 0..count {
            let head = (cursor.byte()?, cursor.byte()?);
            heads.push((head, u16::from_le_bytes(cursor.array()?)));
        }
        let mut instructions = Vec::new();
        for ((program, accounts), data) in heads {
            instructions.push(Instruction {
                program,
                accounts: cursor.take(accounts.into())?.to_vec(),
                data: cursor.take(data.into())?.to_vec(),
            });
        }
        ensure!(cursor.0.is_empty(), "bytes behind");
        Ok(Self {
            header,
            own: keys.len(),
            looked_up_to_write: 0,
            keys,
            instructions,
            priority: Some(priority),
        })
    }

    fn key(&self, index: u8) -> Result<Key> {
        let key = self.keys.get(usize::from(index));
        key.copied().context("an index in range")
    }

    fn is_writable(&self, index: u8) -> bool {
        let [signers, read_only_signers, read_only] = self.header.map(usize::from);
        let index = usize::from(index);
        if index < signers {
            index + read_only_signers < signers
        } else if index < self.own {
            index + read_only < self.own
        } else {
            index < self.own + self.looked_up_to_write
        }
    }
}

/// What an unsigned Solana message takes from a wallet, read by these lookup tables; only what this reading knows,
/// else an error.
pub(crate) fn read_solana(wallet: &[u8], message: &[u8], tables: &Tables) -> Result<Outflow> {
    let parts = Parts::read(message, tables)?;
    // The wallet signs alone, or behind who pays.
    let sponsored = match parts.header {
        [1, ..] => false,
        [2, ..] => true,
        _ => bail!("one signature, or two"),
    };
    let own = u8::from(sponsored);
    ensure!(parts.key(own)? == *wallet, "another wallet's");
    let budget = key(COMPUTE_BUDGET)?;
    let (tokens, memos) = (key(TOKEN)?, key(MEMO)?);
    let (mut limit, mut price, mut units) = (None, 0_u64, 0_u64);
    let mut read = Outflow {
        transfers: Vec::new(),
        memo: None,
        moved: Vec::new(),
        told: None,
        program: None,
        carried: 0,
        fee: 0,
        nonce: None,
        sponsored,
    };
    for instruction in &parts.instructions {
        let program = parts.key(instruction.program)?;
        let (accounts, data) = (instruction.accounts.as_slice(), instruction.data.as_slice());
        match (program, data) {
            (SYSTEM, [2, 0, 0, 0, amount @ ..]) => {
                let [from, to] = accounts else {
                    bail!("two accounts")
                };
                ensure!(*from == own, "from the wallet");
                let to = parts.key(*to)?.to_vec();
                let amount = u64::from_le_bytes(amount.try_into()?);
                read.transfers.push((to, amount.into()));
                units += 200_000;
            }
            (program, [2, most @ ..]) if program == budget => {
                limit = Some(u32::from_le_bytes(most.try_into()?).into());
            }
            (program, [3, micro @ ..]) if program == budget => {
                price = u64::from_le_bytes(micro.try_into()?);
                units += 3_000;
            }
            (program, text) if program == memos => {
                ensure!(accounts.is_empty() && read.memo.is_none(), "one memo");
                read.memo = Some(text.to_vec());
                units += 200_000;
            }
            (program, [12, rest @ ..]) if program == tokens => {
                read.moved.push(moved(&parts, own, accounts, rest)?);
                units += 200_000;
            }
            (program, data) => {
                ensure!(read.program.is_none(), "a second program");
                let used = accounts.iter();
                let used = used.map(|index| Ok((parts.key(*index)?, parts.is_writable(*index))));
                read.program = Some(ProgramTold {
                    program,
                    accounts: used.collect::<Result<_>>()?,
                    data: data.to_vec(),
                });
                units += 200_000;
            }
        }
    }
    let nothing = read.transfers.is_empty() && read.moved.is_empty() && read.memo.is_none();
    ensure!(
        read.program.is_none() || (nothing && !sponsored),
        "an instruction that the second reading does not know"
    );
    let units: u128 = limit.unwrap_or_else(|| u128::from(units).min(1_400_000));
    let priority = match parts.priority {
        Some(lamports) => lamports.into(),
        None => (units * u128::from(price)).div_ceil(1_000_000),
    };
    read.fee = if sponsored { 0 } else { 5000 + priority };
    Ok(read)
}

/// A checked transfer out of the wallet's own account for a token.
fn moved(parts: &Parts, own: u8, accounts: &[u8], rest: &[u8]) -> Result<Moved> {
    let [source, mint, to, authority] = accounts else {
        bail!("four accounts")
    };
    let (amount, decimals) = rest.split_at_checked(8).context("an amount")?;
    let [decimals] = decimals else {
        bail!("places, and nothing behind")
    };
    let mint = parts.key(*mint)?;
    let theirs = associated(&parts.key(own)?, &mint, TOKEN)?;
    ensure!(
        *authority == own && parts.key(*source)? == theirs,
        "out of the wallet's own account"
    );
    Ok(Moved {
        token: mint.to_vec(),
        to: parts.key(*to)?.to_vec(),
        amount: u64::from_le_bytes(amount.try_into()?).into(),
        decimals: Some(*decimals),
    })
}
