//! A transaction in one of the two forms that are read: its fields and how they are written. Judges no value.

use super::terms::{Form, NetworkTerms};
use super::{EvmError, Registered, UnsignedTransaction, legacy};

/// Fields and form. In the legacy form both fees are the gas price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) fields: UnsignedTransaction,
    pub(crate) form: Form,
}

impl Transaction {
    /// Fields in a form that can carry them.
    pub(crate) fn new(fields: UnsignedTransaction, form: Form) -> Result<Self, EvmError> {
        let one_price = fields.max_fee_per_gas == fields.max_priority_fee_per_gas;
        if form == Form::Legacy && !one_price {
            return Err(EvmError::GasPrice);
        }
        Ok(Self { fields, form })
    }

    /// Reads bytes of a form that the network takes.
    pub(super) fn parse(
        bytes: &[u8],
        known: Option<&Registered>,
        network: NetworkTerms,
    ) -> Result<Self, EvmError> {
        let (fields, form) = match bytes.first() {
            // EIP-2718: a first byte that begins an RLP list.
            Some(0xc0..=0xfe) if network.legacy => (legacy::parse(bytes, known)?, Form::Legacy),
            _ => (UnsignedTransaction::parse(bytes, known)?, Form::Eip1559),
        };
        Ok(Self { fields, form })
    }

    /// The only byte form: what is hashed and signed.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self.form {
            Form::Eip1559 => self.fields.encode(),
            Form::Legacy => legacy::encode(&self.fields),
        }
    }

    /// With its signature.
    pub(super) fn encode_signed(&self, r_and_s: &[u8; 64], y_is_odd: bool) -> Vec<u8> {
        match self.form {
            Form::Eip1559 => self.fields.encode_signed(r_and_s, y_is_odd),
            Form::Legacy => legacy::encode_signed(&self.fields, r_and_s, y_is_odd),
        }
    }
}
