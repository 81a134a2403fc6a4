//! How much one socket may have written into the log as statements: a hostile gateway asks for one text
//! after the other, and none of them is ever signed. How many are open at once, `decide_statement` bounds.

use waiaas_shared::amount::Amount;
use waiaas_shared::codec::to_canonical;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::event::Origin;
use waiaas_shared::policy::windows::{Usage, Window};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::text::StatementText;
use waiaas_shared::time::BudgetTime;

/// Bytes of statements that `gateway.sock` may have drafted in a day: a dozen large policies and every
/// approval that fits into the hours, and no more than a third of a gigabyte in a year. The owner's own
/// socket has no such bound: whoever reaches it may do worse.
pub(super) const DAY_LIMIT: Amount = Amount::from_base_units(1 << 20);

/// What a statement takes in the log, but for a few bytes around it.
fn size(facts: &StatementFacts, text: &StatementText) -> Amount {
    let bytes = to_canonical(facts)
        .len()
        .saturating_add(text.as_str().len());
    Amount::from_base_units(u128::try_from(bytes).unwrap_or(u128::MAX))
}

/// Whether one more may be written.
pub(super) fn room(
    drafted: &Usage,
    facts: &StatementFacts,
    text: &StatementText,
    origin: Origin,
    now: BudgetTime,
) -> Result<(), Denial> {
    if origin != Origin::Gateway {
        return Ok(());
    }
    let before = drafted.spent(Window::Day, now);
    let fits = before
        .checked_add(size(facts, text))
        .is_some_and(|total| total <= DAY_LIMIT);
    if fits {
        return Ok(());
    }
    Err(Violation {
        retry_after: drafted.leaving(Window::Day, now).next(),
        ..Violation::of(Code::StatementTooMany)
    }
    .into())
}

/// Counts one that was written.
pub(super) fn fold(
    drafted: &mut Usage,
    facts: &StatementFacts,
    text: &StatementText,
    origin: Origin,
    at: BudgetTime,
) {
    if origin == Origin::Gateway {
        drafted.charge(at, size(facts, text));
    }
}
