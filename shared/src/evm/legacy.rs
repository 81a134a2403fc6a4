//! The codec of legacy transactions with a chain id (EIP-155): what is signed is `rlp([nonce, gas_price,
//! gas_limit, to, value, data, chain_id, 0, 0])`, what is sent ends in `v, r, s` with
//! `v = 35 + 2 * chain_id + parity`. Strict: one byte sequence per transaction. The gas price is both fees of
//! [`UnsignedTransaction`]. Judges no value; whether a network takes this form is policy.

use alloy_rlp::Encodable;

use super::eip1559::{Fields, encode_scalars, list, open};
use super::{EvmError, Registered, UnsignedTransaction, call};

/// The only byte form: what is hashed and signed.
pub(super) fn encode(transaction: &UnsignedTransaction) -> Vec<u8> {
    let mut payload = fields(transaction);
    transaction.chain_id.encode(&mut payload);
    payload.extend([alloy_rlp::EMPTY_STRING_CODE; 2]);
    list(&payload)
}

/// The signed form.
pub(super) fn encode_signed(
    transaction: &UnsignedTransaction,
    r_and_s: &[u8; 64],
    y_is_odd: bool,
) -> Vec<u8> {
    let mut payload = fields(transaction);
    // 64 bits twice and a little more always fit in 128.
    let v = 35 + 2 * u128::from(transaction.chain_id) + u128::from(y_is_odd);
    v.encode(&mut payload);
    encode_scalars(r_and_s, &mut payload);
    list(&payload)
}

fn fields(transaction: &UnsignedTransaction) -> Vec<u8> {
    let mut payload = Vec::with_capacity(128 + transaction.data.len());
    transaction.nonce.encode(&mut payload);
    transaction.max_fee_per_gas.encode(&mut payload);
    transaction.gas_limit.encode(&mut payload);
    transaction.to.as_bytes().encode(&mut payload);
    transaction.value.encode(&mut payload);
    transaction.data.as_slice().encode(&mut payload);
    payload
}

/// Reads the byte form, and no other.
pub(super) fn parse(
    bytes: &[u8],
    known: Option<&Registered>,
) -> Result<UnsignedTransaction, EvmError> {
    let mut fields = Fields {
        payload: open(bytes)?,
    };
    let nonce = fields.number_64()?;
    let gas_price = fields.number_128()?;
    let gas_limit = fields.number_64()?;
    let to = fields.recipient()?;
    let value = fields.number_128()?;
    let data = fields.string()?;
    if fields.payload.is_empty() {
        return Err(EvmError::Unprotected);
    }
    let chain_id = fields.number_64()?;
    // Where a signature would stand, its r and s.
    for _ in 0..2 {
        if !fields.string()?.is_empty() {
            return Err(EvmError::Malformed);
        }
    }
    if !fields.payload.is_empty() {
        return Err(EvmError::FieldCount);
    }
    let transaction = UnsignedTransaction {
        chain_id,
        nonce,
        max_priority_fee_per_gas: gas_price,
        max_fee_per_gas: gas_price,
        gas_limit,
        to,
        value,
        data: call::bounded(data, known)?.to_vec(),
    };
    // INVARIANT 2. The reading above already accepts one form only; this holds it to that.
    if encode(&transaction) == bytes {
        Ok(transaction)
    } else {
        Err(EvmError::NotCanonical)
    }
}
