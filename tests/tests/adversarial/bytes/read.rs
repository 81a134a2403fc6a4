//! The second reading: bytes from their beginning, unsigned transactions of EVM chains, and what was signed,
//! by the curves' own libraries.

use anyhow::{Context as _, Result, bail, ensure};

use super::{Moved, Outflow, Told, keccak, prefix, solana};

/// Bytes that are read from their beginning.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).context("cut off")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.take(1)?.first().copied().context("cut off")
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    pub(super) fn compact(&mut self) -> Result<usize> {
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
    let moved = of_token(&to, value, &data)?;
    let (transfers, told) = if data.is_empty() {
        (vec![(to, value)], None)
    } else if moved.is_some() {
        (Vec::new(), None)
    } else {
        (Vec::new(), Some(Told { to, value, data }))
    };
    Ok(Outflow {
        transfers,
        memo: None,
        moved: moved.into_iter().collect(),
        told,
        program: None,
        carried: 0,
        rent: 0,
        fee: fee.checked_mul(gas).context("fee")?,
        nonce: Some(nonce),
        sponsored: false,
    })
}

/// ERC-20's `transfer` and `approve`, whose selectors are read as these whatever a contract means by them.
fn of_token(token: &[u8], value: u128, data: &[u8]) -> Result<Option<Moved>> {
    let (later, words) = match data {
        [0xa9, 0x05, 0x9c, 0xbb, words @ ..] => (false, words),
        [0x09, 0x5e, 0xa7, 0xb3, words @ ..] => (true, words),
        _ => return Ok(None),
    };
    let ([whom, amount], []) = words.as_chunks::<32>() else {
        bail!("two arguments, and nothing behind");
    };
    let (front, whom) = whom.split_at(12);
    let (high, amount) = amount.split_at(16);
    ensure!(value == 0, "coins with a token");
    ensure!(
        front == [0; 12] && high == [0; 16],
        "a dirty word, or more than can be counted"
    );
    ensure!(whom != token, "a token for its own contract");
    let amount = u128::from_be_bytes(amount.try_into()?);
    // What some tokens read as without end.
    ensure!(
        !later || ![u128::MAX, u128::MAX >> 32].contains(&amount),
        "leave without end"
    );
    Ok(Some(Moved {
        token: token.to_vec(),
        to: whom.to_vec(),
        amount,
        decimals: None,
        program: None,
        later,
    }))
}

/// The unsigned bytes inside of signed ones, after the signature over them was verified by the
/// curves' own libraries.
pub(crate) fn verified(raw: &[u8], account: &[u8]) -> Result<Vec<u8>> {
    if account.len() == 32 {
        let (signatures, message) = solana::parts(raw)?;
        let signature = match signatures {
            [own] => own,
            // Who pays the fee signs first, elsewhere.
            [others, own] => {
                ensure!(*others == [0; 64], "a signature of somebody else");
                own
            }
            _ => bail!("one signature, or two"),
        };
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        let key = ed25519_dalek::VerifyingKey::from_bytes(account.try_into()?)?;
        key.verify_strict(message, &signature)?;
        return Ok(message.to_vec());
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
    recovers(&unsigned, &scalars, parity == 1, account)?;
    Ok(unsigned)
}

/// Whether a secp256k1 signature over the hash of these bytes is this account's, in its one form.
pub(crate) fn recovers(signed: &[u8], scalars: &[u8], odd: bool, account: &[u8]) -> Result<()> {
    let signature = k256::ecdsa::Signature::from_slice(scalars)?;
    ensure!(signature.normalize_s() == signature, "a low s");
    let recovery = k256::ecdsa::RecoveryId::new(odd, false);
    let hash = keccak(signed);
    let key = k256::ecdsa::VerifyingKey::recover_from_prehash(&hash, &signature, recovery)?;
    let point = key.to_sec1_point(false);
    let hash = keccak(point.as_bytes().get(1..).context("a point")?);
    ensure!(hash.get(12..) == Some(account), "signed by another key");
    Ok(())
}

/// By what name a chain knows signed bytes; none that lack the signature of who pays.
pub(crate) fn name_of(raw: &[u8], account: &[u8]) -> Result<String> {
    if account.len() == 20 {
        return Ok(format!("0x{}", hex::encode(keccak(raw))));
    }
    let (signatures, _) = solana::parts(raw)?;
    let first = signatures.first().context("a signature")?;
    Ok(match signatures {
        [_] => bs58::encode(first).into_string(),
        _ => String::new(),
    })
}
