//! Address lookup tables as owners pin them, and what a message of version 0 loads from them. Content comes from an
//! owner's document and never from a node: an index beyond what is pinned loads nothing, whatever stands there on
//! the chain. The order is the runtime's: what is writable of every table, then what is only read. Knows no program.

use solana_message::VersionedMessage;
use solana_message::v0::MessageAddressTableLookup;

use super::message::{MAX_MESSAGE_BYTES, encode, read};
use super::{SolanaError, compute_budget};
use crate::address::SolanaAddress;

/// Addresses of one table, at most: what an index of one byte reaches.
pub const TABLE_LIMIT: usize = 256;

const ADDRESS_BYTES: usize = 32;

/// A lookup table with the beginning of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupTable<'a> {
    /// Where it stands.
    pub address: SolanaAddress,
    /// What stands in it, from its first place on.
    pub addresses: &'a [SolanaAddress],
}

/// What a message loads from tables, in the order in which its indices count on behind its own accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Accounts that may be written.
    pub writable: Vec<SolanaAddress>,
    /// Accounts that are only read.
    pub read_only: Vec<SolanaAddress>,
}

/// What a message loads from tables of which this is known; nothing if it names none.
///
/// # Errors
/// [`SolanaError`]: no message, or a table, or an index in it, that is not known.
pub fn loaded(unsigned: &[u8], tables: &[LookupTable<'_>]) -> Result<Loaded, SolanaError> {
    let message = read(unsigned)?;
    Loaded::resolve(message.address_table_lookups().unwrap_or_default(), tables)
}

/// Whether what a message does that looks addresses up fits one that lists every account, with both settings of the
/// fee: as whoever builds it anew would build it, in the legacy form.
///
/// # Errors
/// [`SolanaError`]: no message.
pub fn fits_listed(unsigned: &[u8]) -> Result<bool, SolanaError> {
    let VersionedMessage::V0(mut message) = read(unsigned)? else {
        return Ok(true);
    };
    let lookups = std::mem::take(&mut message.address_table_lookups);
    if lookups.is_empty() {
        return Ok(true);
    }
    let loads = |lookup: &MessageAddressTableLookup| {
        let writable = lookup.writable_indexes.len();
        writable.saturating_add(lookup.readonly_indexes.len())
    };
    let loaded: usize = lookups.iter().map(loads).sum();
    let budget = compute_budget::PROGRAM;
    let settings = message
        .account_keys
        .iter()
        .position(|key| key.to_bytes() == *budget.as_bytes());
    if let Some(settings) = settings {
        message
            .instructions
            .retain(|instruction| usize::from(instruction.program_id_index) != settings);
        message.account_keys.remove(settings);
    }
    // Without the version and the count of lookups, and with what sets the fee.
    let bare = encode(&VersionedMessage::V0(message))?.len();
    let listed = bare
        .saturating_add(loaded.saturating_add(1).saturating_mul(ADDRESS_BYTES))
        .saturating_add(compute_budget::INSTRUCTIONS_BYTES)
        .saturating_sub(2);
    Ok(listed <= MAX_MESSAGE_BYTES)
}

impl Loaded {
    /// Resolves lookups by these tables: each table known and named once, each index within its content, no lookup
    /// that loads nothing.
    pub(super) fn resolve(
        lookups: &[MessageAddressTableLookup],
        tables: &[LookupTable<'_>],
    ) -> Result<Self, SolanaError> {
        let mut loaded = Self::default();
        for (place, lookup) in lookups.iter().enumerate() {
            let mut before = lookups.iter().take(place);
            if before.any(|other| other.account_key == lookup.account_key) {
                return Err(SolanaError::LookupRepeated);
            }
            let address = SolanaAddress::from_bytes(lookup.account_key.to_bytes());
            let known = tables.iter().find(|table| table.address == address);
            let table = known.ok_or(SolanaError::LookupTable)?;
            if lookup.writable_indexes.is_empty() && lookup.readonly_indexes.is_empty() {
                return Err(SolanaError::LookupEmpty);
            }
            table.load(&lookup.writable_indexes, &mut loaded.writable)?;
            table.load(&lookup.readonly_indexes, &mut loaded.read_only)?;
            if loaded.writable.len().saturating_add(loaded.read_only.len()) > TABLE_LIMIT {
                // More than indices of one byte name: some have no use.
                return Err(SolanaError::UnusedAccount);
            }
        }
        Ok(loaded)
    }

    /// Whether nothing is loaded.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.writable.is_empty() && self.read_only.is_empty()
    }
}

impl LookupTable<'_> {
    fn load(&self, indices: &[u8], into: &mut Vec<SolanaAddress>) -> Result<(), SolanaError> {
        for index in indices {
            let address = self.addresses.get(usize::from(*index));
            into.push(*address.ok_or(SolanaError::LookupIndex)?);
        }
        Ok(())
    }
}
