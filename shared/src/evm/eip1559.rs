//! The codec of fee-market transactions (EIP-1559, type 0x02) without an access list:
//! `0x02 || rlp([chain_id, nonce, max_priority_fee_per_gas, max_fee_per_gas, gas_limit, to, value,
//! data, access_list])`. Strict: one byte sequence per transaction. Judges no value.

use alloy_rlp::{Encodable, Error as RlpError, Header};

use super::call;
use super::{EvmError, Registered};
use crate::address::EvmAddress;

const TYPE: u8 = 0x02;

/// The fields of an unsigned transaction. The access list is empty by type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedTransaction {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Account nonce; zero until the signer has issued one.
    pub nonce: u64,
    /// Wei per gas for the block's producer, at most.
    pub max_priority_fee_per_gas: u128,
    /// Wei per gas in all, at most.
    pub max_fee_per_gas: u128,
    /// Units of gas.
    pub gas_limit: u64,
    /// The recipient, or the contract that is called.
    pub to: EvmAddress,
    /// Wei that it gets.
    pub value: u128,
    /// What a contract is told; empty in a plain transfer.
    pub data: Vec<u8>,
}

impl UnsignedTransaction {
    /// The only byte form: what is hashed and signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        enveloped(&self.payload())
    }

    /// The signed form: the same fields, then `y_parity, r, s` as integers.
    pub(super) fn encode_signed(&self, r_and_s: &[u8; 64], y_is_odd: bool) -> Vec<u8> {
        let mut payload = self.payload();
        y_is_odd.encode(&mut payload);
        encode_scalars(r_and_s, &mut payload);
        enveloped(&payload)
    }

    fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(128 + self.data.len());
        self.chain_id.encode(&mut payload);
        self.nonce.encode(&mut payload);
        self.max_priority_fee_per_gas.encode(&mut payload);
        self.max_fee_per_gas.encode(&mut payload);
        self.gas_limit.encode(&mut payload);
        self.to.as_bytes().encode(&mut payload);
        self.value.encode(&mut payload);
        self.data.as_slice().encode(&mut payload);
        let access_list = Header {
            list: true,
            payload_length: 0,
        };
        access_list.encode(&mut payload);
        payload
    }

    /// Reads the byte form, and no other.
    pub(super) fn parse(bytes: &[u8], known: Option<&Registered>) -> Result<Self, EvmError> {
        let (first, rest) = bytes.split_first().ok_or(EvmError::Empty)?;
        match *first {
            TYPE => {}
            0x01 => return Err(EvmError::TypeOne),
            0x03 => return Err(EvmError::Blob),
            0x04 => return Err(EvmError::SetCode),
            // EIP-2718: a first byte that begins an RLP list.
            0xc0..=0xfe => return Err(EvmError::Legacy),
            _ => return Err(EvmError::UnknownType),
        }
        let mut fields = Fields {
            payload: open(rest)?,
        };
        let mut transaction = Self {
            chain_id: fields.number_64()?,
            nonce: fields.number_64()?,
            max_priority_fee_per_gas: fields.number_128()?,
            max_fee_per_gas: fields.number_128()?,
            gas_limit: fields.number_64()?,
            to: fields.recipient()?,
            value: fields.number_128()?,
            data: Vec::new(),
        };
        let (call_data_is_list, call_data) = fields.item()?;
        let (access_list_is_list, access_list) = fields.item()?;
        if call_data_is_list || !access_list_is_list {
            return Err(EvmError::Malformed);
        }
        if !fields.payload.is_empty() {
            return Err(EvmError::FieldCount);
        }
        if !access_list.is_empty() {
            return Err(EvmError::AccessList);
        }
        transaction.data = call::bounded(call_data, known)?.to_vec();
        // INVARIANT 2. The reading above already accepts one form only; this holds it to that.
        if transaction.encode() == bytes {
            Ok(transaction)
        } else {
            Err(EvmError::NotCanonical)
        }
    }
}

fn enveloped(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![TYPE];
    bytes.extend(list(payload));
    bytes
}

/// The list with this content.
pub(super) fn list(payload: &[u8]) -> Vec<u8> {
    let header = Header {
        list: true,
        payload_length: payload.len(),
    };
    let mut bytes = Vec::with_capacity(payload.len() + 9);
    header.encode(&mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

/// `r` and `s` as integers.
pub(super) fn encode_scalars(r_and_s: &[u8; 64], payload: &mut Vec<u8>) {
    let (r, s) = r_and_s.split_at(32);
    for scalar in [r, s] {
        let zeros = scalar.iter().take_while(|byte| **byte == 0).count();
        scalar.get(zeros..).unwrap_or_default().encode(payload);
    }
}

/// The content of the one list that these bytes are.
pub(super) fn open(mut bytes: &[u8]) -> Result<&[u8], EvmError> {
    let list = Header::decode(&mut bytes).map_err(|error| refusal(&error))?;
    if !list.list {
        return Err(EvmError::Malformed);
    }
    let (payload, behind) = bytes
        .split_at_checked(list.payload_length)
        .ok_or(EvmError::Malformed)?;
    if behind.is_empty() {
        Ok(payload)
    } else {
        Err(EvmError::TrailingBytes)
    }
}

/// The fields of the list that are not read yet.
pub(super) struct Fields<'bytes> {
    pub(super) payload: &'bytes [u8],
}

impl<'bytes> Fields<'bytes> {
    /// The next item: whether it is a list, and its content.
    fn item(&mut self) -> Result<(bool, &'bytes [u8]), EvmError> {
        if self.payload.is_empty() {
            return Err(EvmError::FieldCount);
        }
        let header = Header::decode(&mut self.payload).map_err(|error| refusal(&error))?;
        let (content, rest) = self
            .payload
            .split_at_checked(header.payload_length)
            .ok_or(EvmError::Malformed)?;
        self.payload = rest;
        Ok((header.list, content))
    }

    pub(super) fn string(&mut self) -> Result<&'bytes [u8], EvmError> {
        match self.item()? {
            (false, content) => Ok(content),
            (true, _) => Err(EvmError::Malformed),
        }
    }

    pub(super) fn number_128(&mut self) -> Result<u128, EvmError> {
        let digits = self.string()?;
        if digits.first() == Some(&0) {
            return Err(EvmError::NotCanonical);
        }
        if digits.len() > 16 {
            return Err(EvmError::NumberTooLarge);
        }
        Ok(digits
            .iter()
            .fold(0, |number, digit| (number << 8) | u128::from(*digit)))
    }

    pub(super) fn number_64(&mut self) -> Result<u64, EvmError> {
        u64::try_from(self.number_128()?).map_err(|_| EvmError::NumberTooLarge)
    }

    pub(super) fn recipient(&mut self) -> Result<EvmAddress, EvmError> {
        match self.string()? {
            [] => Err(EvmError::ContractCreation),
            bytes => bytes
                .try_into()
                .map(EvmAddress::from_bytes)
                .map_err(|_| EvmError::RecipientLength),
        }
    }
}

const fn refusal(error: &RlpError) -> EvmError {
    match error {
        RlpError::LeadingZero | RlpError::NonCanonicalSingleByte | RlpError::NonCanonicalSize => {
            EvmError::NotCanonical
        }
        _ => EvmError::Malformed,
    }
}
