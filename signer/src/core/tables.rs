//! What the signer knows of address lookup tables: their content as the binding documents have it, and only where all
//! of them have the same. INVARIANT 10: a table that a document adds, or gives other content, is read by it once no
//! earlier document binds; what a document takes away is read by nobody. Called where brought bytes are read.

use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::event::Spend;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::solana::{self, LookupTable, SolanaError};
use waiaas_shared::time::Clocks;
use waiaas_shared::transaction::DecodedTransaction;

use super::state::{BindingPolicy, State};

/// The tables by which a message is read: none if it looks nothing up, else those of the newest sound document, if
/// every other one that binds loads the same accounts for it. A void one names nothing, and what it corrected or took
/// away stays so: else a stolen key would bring a false reading back by suspending whoever signed against it.
pub(super) fn agreed<'a>(
    state: &'a State,
    chain: ChainId,
    unsigned: &[u8],
    now: Clocks,
) -> Result<Vec<LookupTable<'a>>, Code> {
    let ChainId::Solana(_) = chain else {
        return Ok(Vec::new());
    };
    // Without any table only a message that names one has one too few.
    if solana::loaded(unsigned, &[]) != Err(SolanaError::LookupTable) {
        return Ok(Vec::new());
    }
    let binding = state.binding(now.run);
    let read = |policy: &'a BindingPolicy| {
        let tables = policy.document.lookup_tables(chain);
        let loaded = solana::loaded(unsigned, &tables).map_err(code_of)?;
        Ok::<_, Code>((tables, loaded))
    };
    let newest = binding.iter().rfind(|one| !one.is_void());
    let (tables, loaded) = read(newest.ok_or(Code::PolicyMissing)?)?;
    for policy in binding.iter().rev() {
        let (_, other) = read(policy)?;
        if other != loaded {
            return Err(Code::BroughtTableConflict);
        }
    }
    Ok(tables)
}

/// What was charged is signed again only while its tables say that it does that: a document that corrects one says
/// that the same bytes do something else.
pub(super) fn does_as_charged(
    tables: &[LookupTable<'_>],
    transaction: &DecodedTransaction,
    spend: &Spend,
) -> Result<(), Code> {
    if tables.is_empty() || transaction.effects() == spend.effects {
        Ok(())
    } else {
        Err(Code::BroughtTableConflict)
    }
}

/// What waits is built anew, and nothing that is built looks an address up: what fits in no other way does not wait.
pub(super) fn may_pass(tier: Tier, transaction: &DecodedTransaction) -> Result<(), Code> {
    if tier <= Tier::Notify {
        return Ok(());
    }
    let fits = match transaction.chain() {
        ChainId::Solana(_) => solana::fits_listed(transaction.bytes()).map_err(code_of)?,
        ChainId::Evm(_) => true,
    };
    if fits {
        Ok(())
    } else {
        Err(Code::BroughtTableWaits)
    }
}

const fn code_of(error: SolanaError) -> Code {
    match error {
        SolanaError::LookupTable => Code::BroughtTable,
        SolanaError::LookupIndex => Code::BroughtTableIndex,
        _ => Code::TransactionUndecodable,
    }
}
