//! A second, tiny reader of transactions, for the checker alone: it knows just the forms that the
//! script proposes, takes the worst case from the bytes, and verifies signatures. It shares nothing
//! with the product's decoders but the primitives (curves, Keccak-256).

use alloy_primitives::keccak256;
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use k256::ecdsa::{RecoveryId, Signature as EcdsaSignature, VerifyingKey as EcdsaKey};

/// What some bytes do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// The bytes that are signed.
    pub(crate) unsigned: Vec<u8>,
    /// Address of the recipient: 20 or 32 bytes.
    pub(crate) to: Vec<u8>,
    /// Base units.
    pub(crate) amount: u128,
    /// Base units, at worst.
    pub(crate) fee: u128,
    /// EIP-155 chain id and nonce.
    pub(crate) evm: Option<(u64, u64)>,
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
    (fields[7] == [0x80] && fields[8] == [0xc0] && fields[5].len() == 21).then_some(())?;
    let mut unsigned = vec![2];
    match payload.len() {
        short @ 0..=55 => unsigned.push(0xc0 + u8::try_from(short).ok()?),
        long => unsigned.extend([0xf8, u8::try_from(long).ok()?]),
    }
    unsigned.extend_from_slice(payload);
    Some(Decoded {
        unsigned,
        to: fields[5][1..].to_vec(),
        amount: number(6),
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
            list @ 0xc0..=0xf7 => 1 + usize::from(list - 0xc0),
            _ => return None,
        };
        fields.push(rest.get(..length)?);
        rest = rest.get(length..)?;
    }
    Some((fields, payload))
}

/// A legacy message: one transfer of the system program, and compute budget settings.
fn solana(wallet: &[u8], message: &[u8]) -> Option<Decoded> {
    let accounts = usize::from(*message.get(3)?);
    let account = |index: u8| {
        let from = 4 + usize::from(index) * 32;
        message.get(from..from + 32)
    };
    (message.first() == Some(&1) && account(0)? == wallet && accounts < 128).then_some(())?;
    let mut rest = message.get(4 + accounts * 32 + 32..)?;
    let (count, behind) = rest.split_first()?;
    rest = behind;
    let (mut transfer, mut units, mut price) = (None, 0_u128, 0_u128);
    for _ in 0..*count {
        let (program, behind) = rest.split_first()?;
        let (uses, behind) = behind.split_first()?;
        let (used, behind) = behind.split_at_checked(usize::from(*uses))?;
        let (length, behind) = behind.split_first()?;
        let (data, behind) = behind.split_at_checked(usize::from(*length))?;
        rest = behind;
        if account(*program)? == [0; 32] {
            let lamports = data.strip_prefix(&[2, 0, 0, 0])?.try_into().ok()?;
            let payer = account(*used.first()?)?;
            (payer == wallet && transfer.is_none()).then_some(())?;
            transfer = Some((account(*used.get(1)?)?, u64::from_le_bytes(lamports)));
        } else {
            match data {
                [2, limit @ ..] => units = u32::from_le_bytes(limit.try_into().ok()?).into(),
                [3, of @ ..] => price = u64::from_le_bytes(of.try_into().ok()?).into(),
                _ => return None,
            }
        }
    }
    let (to, lamports) = transfer?;
    rest.is_empty().then(|| Decoded {
        unsigned: message.to_vec(),
        to: to.to_vec(),
        amount: lamports.into(),
        fee: 5000 + (units * price).div_ceil(1_000_000),
        evm: None,
    })
}
