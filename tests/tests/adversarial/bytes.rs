//! Transactions written by hand, legal or not, field by field; and what the second reading finds in signed
//! ones. Shares no code with the product's builders and decoders.

mod read;
mod solana;
pub(crate) mod typed_data;

use std::collections::BTreeMap;

pub(crate) use self::read::{name_of, read_evm, recovers, verified};
pub(crate) use self::solana::{TOKEN, Tables, associated, read_solana};

/// An instruction as its bytes name things: by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) program: u8,
    pub(crate) accounts: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// A Solana message, whatever it says.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The version's byte; none in the legacy form.
    pub(crate) version: Option<u8>,
    pub(crate) header: [u8; 3],
    pub(crate) keys: Vec<[u8; 32]>,
    pub(crate) instructions: Vec<Instruction>,
    /// What stands behind the instructions.
    pub(crate) tail: Vec<u8>,
}

/// A length in the chain's compact form.
pub(crate) fn compact(length: usize) -> Vec<u8> {
    let mut rest = length;
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap_or(0);
        rest >>= 7;
        if rest == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

impl Message {
    /// The bytes, with this writing of lengths.
    pub(crate) fn with_lengths(&self, length: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.version.into_iter().chain(self.header).collect();
        bytes.extend(length(self.keys.len()));
        self.keys.iter().for_each(|key| bytes.extend(key));
        bytes.extend([7; 32]);
        bytes.extend(length(self.instructions.len()));
        for instruction in &self.instructions {
            bytes.push(instruction.program);
            bytes.extend(length(instruction.accounts.len()));
            bytes.extend(&instruction.accounts);
            bytes.extend(length(instruction.data.len()));
            bytes.extend(&instruction.data);
        }
        bytes.extend(&self.tail);
        bytes
    }

    /// The bytes as the chain reads them.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.with_lengths(compact)
    }
}

/// Data of a System program's instruction: number, then the rest.
pub(crate) fn system(number: u32, rest: &[u8]) -> Vec<u8> {
    [&number.to_le_bytes()[..], rest].concat()
}

/// Data of a System transfer.
pub(crate) fn lamports(amount: u64) -> Vec<u8> {
    system(2, &amount.to_le_bytes())
}

/// An RLP item.
#[derive(Debug, Clone)]
pub(crate) enum Rlp {
    Bytes(Vec<u8>),
    List(Vec<Rlp>),
    /// Written as it stands.
    Raw(Vec<u8>),
}

impl Rlp {
    /// A number in its one form.
    pub(crate) fn number(number: u128) -> Self {
        Self::Bytes(trimmed(&number.to_be_bytes()))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => match bytes.as_slice() {
                [single @ 0..=0x7f] => vec![*single],
                bytes => [prefix(0x80, bytes.len()), bytes.to_vec()].concat(),
            },
            Self::List(items) => {
                let payload: Vec<u8> = items.iter().flat_map(Self::encode).collect();
                [prefix(0xc0, payload.len()), payload].concat()
            }
            Self::Raw(bytes) => bytes.clone(),
        }
    }
}

/// Without zeros in front.
pub(crate) fn trimmed(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default().to_vec()
}

/// The bytes in front of a string (0x80) or a list (0xc0).
pub(crate) fn prefix(kind: u8, length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(short @ 0..=55) => vec![kind + short],
        _ => {
            let digits = trimmed(&length.to_be_bytes());
            let count = u8::try_from(digits.len()).unwrap_or(8);
            [vec![kind + 55 + count], digits].concat()
        }
    }
}

/// The nine fields of a fee-market transaction.
pub(crate) fn fields(chain: u128, to: &[u8], value: u128, data: &[u8]) -> Vec<Rlp> {
    vec![
        Rlp::number(chain),
        Rlp::number(0),
        Rlp::number(1_000_000_000),
        Rlp::number(1_000_000_000),
        Rlp::number(21_000),
        Rlp::Bytes(to.to_vec()),
        Rlp::number(value),
        Rlp::Bytes(data.to_vec()),
        Rlp::List(Vec::new()),
    ]
}

/// The fields under a type's byte.
pub(crate) fn typed(kind: u8, fields: Vec<Rlp>) -> Vec<u8> {
    [vec![kind], Rlp::List(fields).encode()].concat()
}

pub(crate) fn keccak(bytes: &[u8]) -> [u8; 32] {
    alloy_primitives::keccak256(bytes).0
}

/// What a transaction takes from the wallet at worst, by the second reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outflow {
    /// To whom, in the chain's bytes, and how many base units.
    pub(crate) transfers: Vec<(Vec<u8>, u128)>,
    /// What is written to the chain's log.
    pub(crate) memo: Option<Vec<u8>>,
    /// Tokens that leave.
    pub(crate) moved: Vec<Moved>,
    /// The contract that is called.
    pub(crate) told: Option<Told>,
    /// The program of Solana that is called, and nobody here knows.
    pub(crate) program: Option<ProgramTold>,
    /// What leaves with that call of the chain's coin, by the owner's word.
    pub(crate) carried: u128,
    pub(crate) fee: u128,
    pub(crate) nonce: Option<u64>,
    /// Somebody else brings it to the chain, and pays for that.
    pub(crate) sponsored: bool,
}

/// Tokens that leave: of which mint or contract, to which account in the chain's bytes, base units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) token: Vec<u8>,
    pub(crate) to: Vec<u8>,
    pub(crate) amount: u128,
    /// Places, as the bytes say them.
    pub(crate) decimals: Option<u8>,
}

/// A program that is called: each account with whether it is writable, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramTold {
    pub(crate) program: [u8; 32],
    pub(crate) accounts: Vec<([u8; 32], bool)>,
    pub(crate) data: Vec<u8>,
}

/// A contract that is called, with how many wei, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) to: Vec<u8>,
    pub(crate) value: u128,
    pub(crate) data: Vec<u8>,
}

impl Outflow {
    /// Of the chain's own coin.
    pub(crate) fn total(&self) -> u128 {
        let carried = self.told.as_ref().map_or(0, |told| told.value);
        self.transfers
            .iter()
            .map(|(_, amount)| *amount)
            .chain([carried, self.carried])
            .fold(self.fee, u128::saturating_add)
    }

    /// Whether it takes of the chain's own coin, be it for its fee alone.
    pub(crate) fn takes_coins(&self) -> bool {
        !self.sponsored || !self.transfers.is_empty()
    }

    /// As how many payments it counts.
    pub(crate) fn payments(&self) -> usize {
        (self.transfers.len() + self.moved.len()).max(1)
    }

    /// What each recipient gets, and in how many payments.
    pub(crate) fn received(&self) -> BTreeMap<&[u8], (u128, usize)> {
        let mut received = BTreeMap::new();
        for (to, amount) in &self.transfers {
            let (sum, times): &mut (u128, usize) = received.entry(to.as_slice()).or_default();
            *sum = sum.saturating_add(*amount);
            *times += 1;
        }
        received
    }
}
