//! What an owner's policy says of an EVM network as a whole: which forms of transaction it takes, and how much
//! it may ask for data beside gas. Judges nothing. Asked by the decoder through `transaction::Known`.

use minicbor::{Decode, Encode};

use crate::amount::Amount;

/// Forms of a transaction.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[cbor(index_only)]
pub enum Form {
    /// Type 0x02 (EIP-1559): a fee with a tip in it.
    #[n(0)]
    Eip1559,
    /// Without a type, with a chain id (EIP-155): one gas price, which is paid in full.
    #[n(1)]
    Legacy,
}

/// The terms of one network, as every binding document allows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkTerms {
    /// Whether legacy transactions with the chain's id are taken beside those of EIP-1559.
    pub legacy: bool,
    /// The most that one transaction pays for its data beside gas, in base units of the network's coin. No
    /// transaction bounds that by itself, so it counts in full in every one.
    pub data_fee: Option<Amount>,
}

impl NetworkTerms {
    /// For bytes out of the signer's own log, which were judged when they were signed: every form is read,
    /// and the fee is that of the gas alone. What was charged stands in the event.
    pub const RECORDED: Self = Self {
        legacy: true,
        data_fee: Some(Amount::ZERO),
    };

    /// The form in which new transactions are built.
    #[must_use]
    pub const fn form(self) -> Form {
        if self.legacy {
            Form::Legacy
        } else {
            Form::Eip1559
        }
    }

    /// What every transaction pays for its data, at worst.
    #[must_use]
    pub fn data_fee(self) -> Amount {
        self.data_fee.unwrap_or_default()
    }
}
