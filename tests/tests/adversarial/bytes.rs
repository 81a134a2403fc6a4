//! Transactions written by hand, legal or not, field by field; and the second reading of signed ones.
//! Shares no code with the product's builders and decoders.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};

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
    /// The contract that is called.
    pub(crate) told: Option<Told>,
    pub(crate) fee: u128,
    pub(crate) nonce: Option<u64>,
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
            .fold(self.fee.saturating_add(carried), u128::saturating_add)
    }

    /// As how many payments it counts.
    pub(crate) fn payments(&self) -> usize {
        self.transfers.len().max(1)
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

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).context("cut off")?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        self.take(1)?.first().copied().context("cut off")
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    fn compact(&mut self) -> Result<usize> {
        let mut length = 0;
        for place in 0..3 {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(length);
            }
        }
        bail!("a length of more than three bytes")
    }

    fn rlp(&mut self) -> Result<Vec<u8>> {
        let first = self.byte()?;
        let length = match first {
            0..=0x7f => return Ok(vec![first]),
            0x80..=0xb7 => usize::from(first - 0x80),
            0xb8..=0xbf => self.long(first - 0xb7)?,
            0xc0..=0xf7 => usize::from(first - 0xc0),
            0xf8..=0xff => self.long(first - 0xf7)?,
        };
        Ok(self.take(length)?.to_vec())
    }

    fn long(&mut self, digits: u8) -> Result<usize> {
        let digits = self.take(usize::from(digits))?;
        Ok(digits
            .iter()
            .fold(0, |length, digit| length << 8 | usize::from(*digit)))
    }

    fn number(&mut self) -> Result<u128> {
        let digits = self.rlp()?;
        ensure!(digits.len() <= 16, "a number of more than 128 bits");
        Ok(digits
            .iter()
            .fold(0, |number, digit| number << 8 | u128::from(*digit)))
    }
}

/// What an unsigned Solana message does; only what this reading knows, else an error.
pub(crate) fn read_solana(message: &[u8]) -> Result<Outflow> {
    const SYSTEM: [u8; 32] = [0; 32];
    const COMPUTE_BUDGET: [u8; 32] = [
        3, 6, 70, 111, 229, 33, 23, 50, 255, 236, 173, 186, 114, 195, 155, 231, 188, 140, 229, 187,
        197, 247, 18, 107, 44, 67, 155, 58, 64, 0, 0, 0,
    ];
    let memos = bs58::decode("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr").into_vec()?;
    let mut cursor = Cursor(message);
    let tables = message.first() == Some(&0x80);
    if tables {
        cursor.byte()?;
    }
    let header: [u8; 3] = cursor.array()?;
    ensure!(header.first() == Some(&1), "one signature");
    let mut keys = Vec::new();
    for _ in 0..cursor.compact()? {
        keys.push(cursor.array::<32>()?);
    }
    cursor.take(32)?;
    let (mut transfers, mut limit, mut price, mut units) = (Vec::new(), None, 0_u64, 0_u64);
    let mut memo = None;
    for _ in 0..cursor.compact()? {
        let program = keys.get(usize::from(cursor.byte()?)).context("a program")?;
        let count = cursor.compact()?;
        let accounts = cursor.take(count)?;
        let count = cursor.compact()?;
        let data = cursor.take(count)?;
        match (*program, data) {
            (SYSTEM, [2, 0, 0, 0, amount @ ..]) => {
                let [from, to] = accounts else {
                    bail!("two accounts")
                };
                ensure!(*from == 0, "from the payer");
                let to = keys.get(usize::from(*to)).context("a recipient")?;
                transfers.push((to.to_vec(), u64::from_le_bytes(amount.try_into()?).into()));
                units += 200_000;
            }
            (COMPUTE_BUDGET, [2, most @ ..]) => {
                limit = Some(u32::from_le_bytes(most.try_into()?).into());
            }
            (COMPUTE_BUDGET, [3, micro @ ..]) => {
                price = u64::from_le_bytes(micro.try_into()?);
                units += 3_000;
            }
            (program, text) if program.as_slice() == memos => {
                ensure!(accounts.is_empty() && memo.is_none(), "one memo of nobody");
                memo = Some(text.to_vec());
                units += 200_000;
            }
            _ => bail!("an instruction that the second reading does not know"),
        }
    }
    if tables {
        ensure!(cursor.compact()? == 0, "no lookup table");
    }
    ensure!(cursor.0.is_empty(), "bytes behind");
    let units: u128 = limit.unwrap_or_else(|| u128::from(units).min(1_400_000));
    Ok(Outflow {
        transfers,
        memo,
        told: None,
        fee: 5000 + (units * u128::from(price)).div_ceil(1_000_000),
        nonce: None,
    })
}

/// What an unsigned fee-market transaction does.
pub(crate) fn read_evm(transaction: &[u8]) -> Result<Outflow> {
    let mut cursor = Cursor(transaction);
    ensure!(cursor.byte()? == 2, "of type 2");
    let list = cursor.rlp()?;
    ensure!(cursor.0.is_empty(), "bytes behind");
    let mut list = Cursor(&list);
    list.number()?;
    let nonce = u64::try_from(list.number()?)?;
    list.number()?;
    let (fee, gas) = (list.number()?, list.number()?);
    let to = list.rlp()?;
    let value = list.number()?;
    let data = list.rlp()?;
    ensure!(list.rlp()?.is_empty() && list.0.is_empty());
    let (transfers, told) = if data.is_empty() {
        (vec![(to, value)], None)
    } else {
        (Vec::new(), Some(Told { to, value, data }))
    };
    Ok(Outflow {
        transfers,
        memo: None,
        told,
        fee: fee.checked_mul(gas).context("fee")?,
        nonce: Some(nonce),
    })
}

/// The unsigned bytes inside of signed ones, after the signature over them was verified by the
/// curves' own libraries.
pub(crate) fn verified(raw: &[u8], account: &[u8]) -> Result<Vec<u8>> {
    if account.len() == 32 {
        let mut cursor = Cursor(raw);
        ensure!(cursor.byte()? == 1, "one signature");
        let signature = ed25519_dalek::Signature::from_bytes(&cursor.array()?);
        let key = ed25519_dalek::VerifyingKey::from_bytes(account.try_into()?)?;
        key.verify_strict(cursor.0, &signature)?;
        return Ok(cursor.0.to_vec());
    }
    let mut cursor = Cursor(raw);
    ensure!(cursor.byte()? == 2, "of type 2");
    let list = cursor.rlp()?;
    let mut rest = Cursor(&list);
    for _ in 0..9 {
        rest.rlp()?;
    }
    let unsigned_fields = list
        .get(..list.len() - rest.0.len())
        .context("nine fields")?;
    let unsigned = [
        vec![2],
        prefix(0xc0, unsigned_fields.len()),
        unsigned_fields.to_vec(),
    ]
    .concat();
    let parity = rest.number()?;
    let mut scalars = [0; 64];
    for half in scalars.chunks_mut(32) {
        let digits = rest.rlp()?;
        ensure!(digits.len() <= 32 && digits.first() != Some(&0), "a scalar");
        let start = 32 - digits.len();
        half.iter_mut()
            .skip(start)
            .zip(digits)
            .for_each(|(to, from)| *to = from);
    }
    ensure!(rest.0.is_empty() && parity <= 1, "bytes behind");
    let signature = k256::ecdsa::Signature::from_slice(&scalars)?;
    ensure!(signature.normalize_s() == signature, "a low s");
    let recovery = k256::ecdsa::RecoveryId::new(parity == 1, false);
    let key =
        k256::ecdsa::VerifyingKey::recover_from_prehash(&keccak(&unsigned), &signature, recovery)?;
    let point = key.to_sec1_point(false);
    let hash = keccak(point.as_bytes().get(1..).context("a point")?);
    ensure!(hash.get(12..) == Some(account), "signed by another key");
    Ok(unsigned)
}
