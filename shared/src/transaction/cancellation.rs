//! Fee settings of EVM transactions, and the cancellation of an issued nonce (invariant 6): the second
//! and last way to a [`DecodedTransaction`], from a nonce and fee settings and from nothing else.

use super::{DecodeError, DecodedTransaction, EvmWire, Wire};
use crate::address::Account;
use crate::amount::Amount;
use crate::caip::ChainId;
use crate::effect::Effect;
use crate::evm::{self, Form, NetworkTerms, Transaction, UnsignedTransaction};

/// The fee settings of an EVM transaction; in the legacy form both prices are the gas price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvmFees {
    /// Units of gas.
    pub gas_limit: u64,
    /// Wei per gas in all, at most.
    pub max_fee_per_gas: u128,
    /// Wei per gas for the block's producer, at most.
    pub max_priority_fee_per_gas: u128,
}

impl EvmFees {
    /// Whether nodes take a transaction with these fees in the place of one with `others` at the same
    /// nonce: they ask for a tenth more in both, and for more at all.
    #[must_use]
    pub const fn outbid(&self, others: &Self) -> bool {
        outbids(self.max_fee_per_gas, others.max_fee_per_gas)
            && outbids(
                self.max_priority_fee_per_gas,
                others.max_priority_fee_per_gas,
            )
    }

    /// The least that outbids these, with the same gas.
    #[must_use]
    pub const fn least_above(&self) -> Self {
        Self {
            gas_limit: self.gas_limit,
            max_fee_per_gas: above(self.max_fee_per_gas),
            max_priority_fee_per_gas: above(self.max_priority_fee_per_gas),
        }
    }
}

const fn above(price: u128) -> u128 {
    let tenth = price.div_ceil(10);
    price.saturating_add(if tenth == 0 { 1 } else { tenth })
}

const fn outbids(new: u128, old: u128) -> bool {
    new > old && new >= above(old)
}

impl DecodedTransaction {
    /// Its fee settings, on an EVM chain.
    #[must_use]
    pub fn evm_fees(&self) -> Option<EvmFees> {
        match &self.wire {
            Wire::Solana(_) => None,
            Wire::Evm(evm) => Some(EvmFees {
                gas_limit: evm.transaction.fields.gas_limit,
                max_fee_per_gas: evm.transaction.fields.max_fee_per_gas,
                max_priority_fee_per_gas: evm.transaction.fields.max_priority_fee_per_gas,
            }),
        }
    }

    /// Its form, on an EVM chain.
    #[must_use]
    pub fn evm_form(&self) -> Option<Form> {
        match &self.wire {
            Wire::Solana(_) => None,
            Wire::Evm(evm) => Some(evm.transaction.form),
        }
    }

    /// The same transaction with other fee settings, encoded and judged from the start.
    ///
    /// # Errors
    /// [`DecodeError`] on Solana, and where `decode` would refuse it.
    pub fn with_evm_fees(&self, fees: EvmFees) -> Result<Self, DecodeError> {
        let Wire::Evm(evm) = &self.wire else {
            return Err(DecodeError::NonceNotUsed);
        };
        let paid = UnsignedTransaction {
            gas_limit: fees.gas_limit,
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
            ..evm.transaction.fields.clone()
        };
        let paid = Transaction::new(paid, evm.transaction.form)?;
        super::decode(self.chain, self.from, &paid.encode(), evm.known())
    }
}

/// The transaction that does nothing but use a nonce of `from` up, in the form of the one that had it.
///
/// # Errors
/// [`DecodeError`] on Solana, and for fee settings that no transaction may have.
pub fn cancellation(
    chain: ChainId,
    from: Account,
    nonce: u64,
    fees: EvmFees,
    how: (Form, NetworkTerms),
) -> Result<DecodedTransaction, DecodeError> {
    let (ChainId::Evm(chain_id), Account::Evm(wallet)) = (chain, from) else {
        return Err(DecodeError::NonceNotUsed);
    };
    let built = evm::cancel::build(chain_id, wallet, nonce, fees, how)?;
    Ok(decoded(chain, from, built, how.1))
}

/// A cancellation as the signer once built it, read back from its log. Its fee is that of its gas: what was
/// charged stands in its event.
///
/// # Errors
/// [`DecodeError`] for everything that [`cancellation`] does not build.
pub fn read_cancellation(
    chain: ChainId,
    from: Account,
    unsigned: &[u8],
) -> Result<DecodedTransaction, DecodeError> {
    let (ChainId::Evm(chain_id), Account::Evm(wallet)) = (chain, from) else {
        return Err(DecodeError::NonceNotUsed);
    };
    let read = evm::cancel::read(chain_id, wallet, unsigned)?;
    Ok(decoded(chain, from, read, NetworkTerms::RECORDED))
}

fn decoded(
    chain: ChainId,
    from: Account,
    (transaction, fee_max): (Transaction, Amount),
    network: NetworkTerms,
) -> DecodedTransaction {
    let asset = chain.native_asset();
    let nothing = Effect::Transfer {
        asset,
        to: from,
        amount: Amount::ZERO,
    };
    let fee = Effect::Fee {
        asset,
        max: fee_max,
    };
    DecodedTransaction {
        chain,
        from,
        effects: vec![nothing, fee],
        memo: None,
        fee_max,
        bytes: transaction.encode(),
        wire: Wire::Evm(Box::new(EvmWire {
            transaction,
            function: None,
            network,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::EvmAddress;
    use crate::transaction::{Known, decode};

    const CHAIN: ChainId = ChainId::Evm(1);
    const PLAIN: (Form, NetworkTerms) = (
        Form::Eip1559,
        NetworkTerms {
            legacy: false,
            data_fee: None,
        },
    );

    fn wallet() -> Account {
        Account::Evm(EvmAddress::from_bytes([0x5a; 20]))
    }

    fn fees(max: u128, tip: u128) -> EvmFees {
        EvmFees {
            gas_limit: 21_000,
            max_fee_per_gas: max,
            max_priority_fee_per_gas: tip,
        }
    }

    #[test]
    fn a_cancellation_reads_back_and_passes_for_no_payment() {
        let built = cancellation(CHAIN, wallet(), 7, fees(100, 3), PLAIN).unwrap();
        assert_eq!(built.account_nonce(), Some(7));
        assert_eq!(built.fee_max(), Amount::from_base_units(2_100_000));
        assert_eq!(built.evm_fees(), Some(fees(100, 3)));
        let again = read_cancellation(CHAIN, wallet(), built.bytes()).unwrap();
        assert_eq!(again.bytes(), built.bytes());
        assert_eq!(again.effects(), built.effects());
        assert!(decode(CHAIN, wallet(), built.bytes(), Known::NOTHING).is_err());
        let other = Account::Evm(EvmAddress::from_bytes([0x5b; 20]));
        assert!(read_cancellation(CHAIN, other, built.bytes()).is_err());
        assert!(read_cancellation(ChainId::Evm(2), wallet(), built.bytes()).is_err());
    }

    #[test]
    fn only_a_transfer_of_nothing_to_itself_is_a_cancellation() {
        let Account::Evm(address) = wallet() else {
            unreachable!("an EVM account")
        };
        let built = evm::cancel::build(1, address, 7, fees(100, 3), PLAIN).unwrap();
        let mut transaction = built.0.fields;
        transaction.value = 1;
        assert!(read_cancellation(CHAIN, wallet(), &transaction.encode()).is_err());
        transaction.value = 0;
        transaction.to = EvmAddress::from_bytes([0x77; 20]);
        assert!(read_cancellation(CHAIN, wallet(), &transaction.encode()).is_err());
    }

    #[test]
    fn a_cancellation_has_the_form_of_what_it_cancels() {
        let network = NetworkTerms {
            legacy: true,
            data_fee: Some(Amount::from_base_units(9)),
        };
        let how = (Form::Legacy, network);
        let built = cancellation(CHAIN, wallet(), 7, fees(100, 100), how).unwrap();
        assert_eq!(built.evm_form(), Some(Form::Legacy));
        assert_eq!(built.bytes().first(), Some(&0xdf));
        // The data counts on top of the gas.
        assert_eq!(built.fee_max(), Amount::from_base_units(2_100_009));
        let again = read_cancellation(CHAIN, wallet(), built.bytes()).unwrap();
        assert_eq!(again.evm_fees(), Some(fees(100, 100)));
        assert_eq!(again.evm_form(), Some(Form::Legacy));
        // One price has no tip in it.
        let two = cancellation(CHAIN, wallet(), 7, fees(100, 3), how);
        assert_eq!(two, Err(evm::EvmError::GasPrice.into()));
    }

    #[test]
    fn fee_settings_have_bounds() {
        let build = |fees| cancellation(CHAIN, wallet(), 7, fees, PLAIN);
        assert!(build(fees(3, 4)).is_err());
        assert!(build(fees(u128::MAX, 0)).is_err());
        for gas_limit in [0, 20_999, 100_001] {
            let odd = EvmFees {
                gas_limit,
                ..fees(100, 3)
            };
            assert!(build(odd).is_err(), "{gas_limit}");
        }
        assert!(cancellation(CHAIN, wallet(), u64::MAX, fees(100, 3), PLAIN).is_err());
        assert!(cancellation(ChainId::Evm(0), wallet(), 7, fees(100, 3), PLAIN).is_err());
    }

    #[test]
    fn a_tenth_more_in_both_fees_outbids() {
        let old = fees(100, 10);
        for (max, tip, outbid) in [
            (110, 11, true),
            (109, 11, false),
            (110, 10, false),
            (200, 10, false),
            (100, 20, false),
            (1000, 1000, true),
        ] {
            assert_eq!(fees(max, tip).outbid(&old), outbid, "{max} {tip}");
        }
        assert!(!fees(1, 0).outbid(&fees(0, 0)));
        assert!(fees(1, 1).outbid(&fees(0, 0)));
        for old in [fees(0, 0), fees(1, 1), fees(101, 9), fees(12_345, 678)] {
            assert!(old.least_above().outbid(&old), "{old:?}");
        }
    }
}
