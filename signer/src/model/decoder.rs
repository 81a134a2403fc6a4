//! A second, tiny reader of transactions, for the checker alone: it knows just the forms that the
//! script proposes, takes the worst case from the bytes, and verifies signatures. It shares nothing
//! with the product's decoders but the primitives (curves, Keccak-256).

use alloy_primitives::keccak256;
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use k256::ecdsa::{RecoveryId, Signature as EcdsaSignature, VerifyingKey as EcdsaKey};
use sha2::{Digest as _, Sha256};
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::caip::Token;

use super::asking::{Asking, Does};
use super::calls::word_of;
use super::people::bytes;

/// What some bytes do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// The bytes that are signed.
    pub(crate) unsigned: Vec<u8>,
    /// Everything, in order.
    pub(crate) done: Vec<Done>,
    pub(crate) memo: Option<String>,
    /// Base units, at worst.
    pub(crate) fee: u128,
    /// EIP-155 chain id and nonce.
    pub(crate) evm: Option<(u64, u64)>,
}

/// One thing that some bytes do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Done {
    /// A token account is made, at this wallet's expense.
    Created { account: Vec<u8>, owner: Vec<u8> },
    /// Coins go to somebody.
    Coins { to: Vec<u8>, amount: u128 },
    /// Solana: tokens go to an account.
    Tokens { account: Vec<u8>, amount: u128 },
    /// EVM: a contract gets coins and is told something.
    Told {
        to: Vec<u8>,
        value: u128,
        data: Vec<u8>,
    },
    /// Solana: a program that nobody here reads is called, with these accounts and rights.
    Ran {
        program: Vec<u8>,
        places: Vec<(Vec<u8>, bool)>,
        data: Vec<u8>,
    },
}

/// What a token account costs that is made, lamports.
pub(crate) const RENT: u128 = 2_039_280;

impl Decoded {
    /// Whether these bytes do exactly what is asked, costs included, and nothing else.
    pub(crate) fn does(&self, asking: &Asking) -> bool {
        let moved = self.done.iter();
        let moved = moved.filter(|done| !matches!(done, Done::Created { .. }));
        let owners = self.done.iter().filter_map(|done| match done {
            Done::Created { account, owner } => Some((account, owner)),
            _ => None,
        });
        // What is made is a recipient's own.
        let theirs = owners.into_iter().all(|(account, owner)| {
            let mut parts = asking.parts.iter();
            parts.any(|part| {
                let to = bytes(&part.to.account());
                to == *owner && token_account(&to, &mint()) == *account
            })
        });
        moved.cloned().eq(wanted(asking))
            && theirs
            && self.rent() == asking.rent
            && self.memo == asking.memo
            && self.fee == asking.fee
    }

    /// What the accounts cost that are made.
    pub(crate) fn rent(&self) -> u128 {
        let made = |done: &&Done| matches!(done, Done::Created { .. });
        let made = self.done.iter().filter(made).count();
        u128::try_from(made).expect("few") * RENT
    }

    /// The only one to whom coins go, and how many.
    pub(crate) fn coins(&self) -> Option<(Vec<u8>, u128)> {
        match self.done.as_slice() {
            [Done::Coins { to, amount }] if self.memo.is_none() => Some((to.clone(), *amount)),
            _ => None,
        }
    }
}

/// What is asked, as bytes do it.
pub(crate) fn wanted(asking: &Asking) -> Vec<Done> {
    let word = |amount: u128| word_of(&amount.to_be_bytes());
    if let (Some(told), Some(first)) = (&asking.told, asking.parts.first()) {
        let begins = &keccak256(told.function.as_bytes())[..4];
        return vec![Done::Told {
            to: bytes(&first.to.account()),
            value: first.amount,
            data: [begins, told.words.as_flattened()].concat(),
        }];
    }
    if let (Some(ran), Some(first)) = (&asking.ran, asking.parts.first()) {
        let places = ran.places.iter();
        return vec![Done::Ran {
            program: bytes(&first.to.account()),
            places: places.map(|(key, is)| (key.to_vec(), *is)).collect(),
            data: ran.data.clone(),
        }];
    }
    let parts = asking.parts.iter().map(|part| {
        let (to, amount) = (bytes(&part.to.account()), part.amount);
        let call = |contract: &[u8], begins: [u8; 4]| Done::Told {
            to: contract.to_vec(),
            value: 0,
            data: [&begins[..], &word_of(&to), &word(amount)].concat(),
        };
        match (part.asset.token(), part.does) {
            (Token::Erc20(contract), Does::Pays) => {
                call(contract.as_bytes(), [0xa9, 0x05, 0x9c, 0xbb])
            }
            (Token::Erc20(contract), _) => call(contract.as_bytes(), [0x09, 0x5e, 0xa7, 0xb3]),
            (Token::Mint(mint), _) => Done::Tokens {
                account: token_account(&to, mint.as_bytes()),
                amount,
            },
            _ => Done::Coins { to, amount },
        }
    });
    parts.collect()
}

/// Reads unsigned bytes of a wallet with this address.
pub(crate) fn read(wallet: &[u8], unsigned: &[u8]) -> Option<Decoded> {
    match wallet.len() {
        20 => {
            let (fields, payload) = list(unsigned.strip_prefix(&[2])?)?;
            (fields.len() == 9).then_some(())?;
            evm(&fields, payload)
        }
        _ => solana(wallet, unsigned),
    }
}

/// Reads a signed transaction; nothing if its signature is not this wallet's over those bytes.
pub(crate) fn read_signed(wallet: &[u8], raw: &[u8]) -> Option<Decoded> {
    if wallet.len() == 20 {
        let (fields, _) = list(raw.strip_prefix(&[2])?)?;
        (fields.len() == 12).then_some(())?;
        let unsigned: Vec<u8> = fields[..9].concat();
        let decoded = evm(&fields[..9], &unsigned)?;
        let number = |field: &[u8]| {
            let digits = if field[0] < 0x80 { field } else { &field[1..] };
            let mut padded = [0; 32];
            padded[32 - digits.len()..].copy_from_slice(digits);
            padded
        };
        let signature =
            EcdsaSignature::from_scalars(number(fields[10]), number(fields[11])).ok()?;
        let is_odd = RecoveryId::new(fields[9] == [1], false);
        let hash = keccak256(&decoded.unsigned);
        let key = EcdsaKey::recover_from_prehash(&hash.0, &signature, is_odd).ok()?;
        let point = key.to_sec1_point(false);
        (keccak256(&point.as_bytes()[1..])[12..] == *wallet).then_some(decoded)
    } else {
        let (count, rest) = raw.split_first()?;
        let (signature, message) = rest.split_first_chunk::<64>()?;
        let key = VerifyingKey::from_bytes(wallet.try_into().ok()?).ok()?;
        key.verify(message, &Signature::from_bytes(signature))
            .ok()?;
        (*count == 1).then(|| solana(wallet, message)).flatten()
    }
}

/// Chain id, nonce, tip, fee, gas, to, value, data, access list.
fn evm(fields: &[&[u8]], payload: &[u8]) -> Option<Decoded> {
    let number = |place: usize| {
        let field = fields[place];
        let digits = if field[0] < 0x80 { field } else { &field[1..] };
        digits
            .iter()
            .fold(0_u128, |sum, digit| sum * 256 + u128::from(*digit))
    };
    (fields[8] == [0xc0] && fields[5].len() == 21).then_some(())?;
    let (to, value) = (fields[5][1..].to_vec(), number(6));
    let data = match *fields[7] {
        [0x80] => None,
        // Longer than 55 bytes, as every call that is asked for here.
        [0xb8, _, ref data @ ..] => Some(data.to_vec()),
        [_, ref data @ ..] => Some(data.to_vec()),
        [] => return None,
    };
    let done = match data {
        None => Done::Coins { to, amount: value },
        Some(data) => Done::Told { to, value, data },
    };
    let mut unsigned = vec![2];
    match payload.len() {
        short @ 0..=55 => unsigned.push(0xc0 + u8::try_from(short).ok()?),
        long => unsigned.extend([0xf8, u8::try_from(long).ok()?]),
    }
    unsigned.extend_from_slice(payload);
    Some(Decoded {
        unsigned,
        done: vec![done],
        memo: None,
        fee: number(3) * number(4),
        evm: Some((
            u64::try_from(number(0)).ok()?,
            u64::try_from(number(1)).ok()?,
        )),
    })
}

/// The items of an RLP list, each with its header, and the list's payload.
fn list(bytes: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let payload = match *bytes.first()? {
        short @ 0xc0..=0xf7 => bytes.get(1..1 + usize::from(short - 0xc0))?,
        0xf8 => bytes.get(2..2 + usize::from(*bytes.get(1)?))?,
        _ => return None,
    };
    let mut fields = Vec::new();
    let mut rest = payload;
    while let Some(first) = rest.first() {
        let length = match *first {
            0..=0x7f => 1,
            text @ 0x80..=0xb7 => 1 + usize::from(text - 0x80),
            0xb8 => 2 + usize::from(*rest.get(1)?),
            list @ 0xc0..=0xf7 => 1 + usize::from(list - 0xc0),
            _ => return None,
        };
        fields.push(rest.get(..length)?);
        rest = rest.get(length..)?;
    }
    Some((fields, payload))
}

/// The mint of the test's token on Solana.
pub(crate) fn mint() -> [u8; 32] {
    [0x5f; 32]
}

/// The account of an owner's tokens: the first address off the curve, counted down.
pub(crate) fn token_account(owner: &[u8], mint: &[u8]) -> Vec<u8> {
    let program = address(ASSOCIATED);
    let derived = (0..=255_u8).rev().map(|bump| {
        let mut hash = Sha256::new();
        for seed in [owner, &address(TOKENS), mint, &[bump], &program] {
            hash.update(seed);
        }
        hash.update(b"ProgramDerivedAddress");
        <[u8; 32]>::from(hash.finalize())
    });
    let mut off_curve = derived.filter(|bytes| VerifyingKey::from_bytes(bytes).is_err());
    off_curve.next().expect("one of them").to_vec()
}

const TOKENS: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
const ASSOCIATED: &str = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
const BUDGET: &str = "ComputeBudget111111111111111111111111111111";
const MEMOS: &str = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";

fn address(text: &str) -> [u8; 32] {
    let address: SolanaAddress = text.parse().expect("an address");
    *address.as_bytes()
}

/// A legacy message: transfers of the system program and of the test's token, accounts for these, a memo,
/// and compute budget settings.
fn solana(wallet: &[u8], message: &[u8]) -> Option<Decoded> {
    let accounts = usize::from(*message.get(3)?);
    let account = |index: u8| {
        let from = 4 + usize::from(index) * 32;
        (usize::from(index) < accounts).then(|| message.get(from..from + 32))?
    };
    (message.first() == Some(&1) && account(0)? == wallet && accounts < 128).then_some(())?;
    let mut rest = message.get(4 + accounts * 32 + 32..)?;
    let (count, behind) = rest.split_first()?;
    rest = behind;
    let (mut done, mut memo, mut units, mut price) = (Vec::new(), None, 0_u128, 0_u128);
    let programs = [TOKENS, ASSOCIATED, BUDGET, MEMOS].map(address);
    for _ in 0..*count {
        let (program, behind) = rest.split_first()?;
        let (uses, behind) = behind.split_first()?;
        let (used, behind) = behind.split_at_checked(usize::from(*uses))?;
        let (data, behind) = short(behind)?;
        rest = behind;
        let program = account(*program)?;
        let read_only = usize::from(*message.get(2)?);
        let writable = |index: &u8| *index == 0 || usize::from(*index) + read_only < accounts;
        let rights: Vec<bool> = used.iter().map(writable).collect();
        let used: Vec<&[u8]> = used
            .iter()
            .map(|index| account(*index))
            .collect::<Option<_>>()?;
        let place = programs.iter().position(|known| known == program);
        match (place, used.as_slice()) {
            (None, [payer, to]) if program == [0; 32] && *payer == wallet => {
                let lamports = data.strip_prefix(&[2, 0, 0, 0])?.try_into().ok()?;
                done.push(Done::Coins {
                    to: to.to_vec(),
                    amount: u64::from_le_bytes(lamports).into(),
                });
            }
            (Some(0), [source, of, account, owner]) if *owner == wallet => {
                let amount = data.strip_prefix(&[12])?.strip_suffix(&[DECIMALS])?;
                let own = token_account(wallet, of) == *source && **of == mint();
                own.then_some(())?;
                done.push(Done::Tokens {
                    account: account.to_vec(),
                    amount: u64::from_le_bytes(amount.try_into().ok()?).into(),
                });
            }
            (Some(1), [payer, account, owner, of, _, _]) if *payer == wallet => {
                (data == [1] && **of == mint()).then_some(())?;
                done.push(Done::Created {
                    account: account.to_vec(),
                    owner: owner.to_vec(),
                });
            }
            (Some(2), []) => match data {
                [2, limit @ ..] => units = u32::from_le_bytes(limit.try_into().ok()?).into(),
                [3, of @ ..] => price = u64::from_le_bytes(of.try_into().ok()?).into(),
                _ => return None,
            },
            (Some(3), []) if memo.is_none() => memo = Some(String::from_utf8(data.to_vec()).ok()?),
            (None, _) if program != [0; 32] && done.is_empty() => {
                let places = used.iter().map(|key| key.to_vec()).zip(rights);
                done.push(Done::Ran {
                    program: program.to_vec(),
                    places: places.collect(),
                    data: data.to_vec(),
                });
            }
            _ => return None,
        }
    }
    rest.is_empty().then(|| Decoded {
        unsigned: message.to_vec(),
        done,
        memo,
        fee: 5000 + (units * price).div_ceil(1_000_000),
        evm: None,
    })
}

/// Places of the test's token.
pub(crate) const DECIMALS: u8 = 5;

/// Bytes behind their length, which takes two bytes from 128 on.
fn short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match *bytes {
        [low, high, ref rest @ ..] if low >= 0x80 => {
            rest.split_at_checked(usize::from(low & 0x7f) + (usize::from(high) << 7))
        }
        [length, ref rest @ ..] => rest.split_at_checked(length.into()),
        [] => None,
    }
}
