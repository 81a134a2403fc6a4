//! What a document says of address lookup tables: the content of each, as an owner read it from a Solana network.
//! A message that looks an address up is read by this content alone. It may be the beginning of a table, never
//! more than the table holds; what the table's authority appends later is outside.

use minicbor::{Decode, Encode};

use super::check::{Flaw, require};
use super::document::PolicyDocument;
use crate::address::{Account, SolanaAddress};
use crate::caip::{AccountId, ChainId};
use crate::solana::{LookupTable, TABLE_LIMIT};

/// Tables of one document, at most: whole ones take 140 KiB of its 256.
pub(super) const TABLES_LIMIT: usize = 16;

/// A lookup table and its content.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TableRule {
    /// On which network, and where: the same address holds other content elsewhere.
    #[n(0)]
    pub account: AccountId,
    /// Its addresses, from the first on, in the table's order.
    #[n(1)]
    pub addresses: Vec<SolanaAddress>,
}

impl PolicyDocument {
    /// All of them.
    pub fn tables(&self) -> impl Iterator<Item = &TableRule> {
        self.tables.iter().flatten()
    }

    /// Those of one network, as the decoder takes them.
    #[must_use]
    pub fn lookup_tables(&self, chain: ChainId) -> Vec<LookupTable<'_>> {
        let of_chain = self.tables().filter(|table| table.account.chain() == chain);
        of_chain.filter_map(TableRule::lookup).collect()
    }
}

impl TableRule {
    fn lookup(&self) -> Option<LookupTable<'_>> {
        match self.account.account() {
            Account::Solana(address) => Some(LookupTable {
                address,
                addresses: &self.addresses,
            }),
            Account::Evm(_) => None,
        }
    }

    pub(super) fn check(&self) -> Result<(), Flaw> {
        let count = (1..=TABLE_LIMIT).contains(&self.addresses.len());
        require(count && self.lookup().is_some(), Flaw::Table)
    }
}
