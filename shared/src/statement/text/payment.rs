//! The text of a waiting payment, to approve or reject it: what is paid and to whom comes first, in full,
//! with what the policy knows of the recipient. An agent's own words never stand here.

use super::lines::Lines;
use super::unit::Unit;
use super::{StatementView, broken, call, network, program, require_network, stake, wallet};
use crate::address::Account;
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId};
use crate::claim::Claim;
use crate::denial::Code;
use crate::event::Replaces;
use crate::intent::{Intent, Wait};
use crate::policy::document::PolicyDocument;
use crate::policy::evaluate::charges;
use crate::request::{Action, Transfer};
use crate::session::Credential;

/// Characters at either end of an address that people compare, and forgers match.
const COMPARED: usize = 4;

/// What approving it does, in one sentence, of all but transfers.
pub(super) const fn purpose(intent: &Intent) -> Option<&'static str> {
    match intent.action() {
        Action::Transfer => None,
        Action::Approve => Some(
            "Signing this lets the spender below take from your wallet later, up to the amount, without asking again.",
        ),
        Action::Call if intent.program.is_some() => Some(
            "Signing this lets your wallet call the program below once, with exactly these accounts and arguments.",
        ),
        Action::Call => Some(
            "Signing this lets your wallet call the contract below once, with exactly these arguments.",
        ),
        Action::Stake => {
            Some("Signing this lets your wallet stake coins with the validator below once.")
        }
        Action::Unstake => Some(
            "Signing this lets the stake account below be deactivated: what lies in it earns no more.",
        ),
        Action::WithdrawStake => {
            Some("Signing this brings what lies in the stake account below back into your wallet.")
        }
    }
}

pub(super) fn write(
    lines: &mut Lines,
    intent: &Intent,
    view: &dyn StatementView,
) -> Result<(), Code> {
    let chain = intent.asset.chain();
    let policy = view.newest_policy();
    let claim = intent.claim();
    let several = !claim.more().is_empty();
    match (intent.action(), intent.program.as_deref()) {
        (Action::Call, Some(told)) => program::write(lines, intent, told, policy)?,
        (Action::Call, None) => call::write(lines, intent, policy)?,
        (Action::Transfer | Action::Approve, _) => payments(lines, intent, &claim, policy)?,
        (Action::Stake | Action::Unstake | Action::WithdrawStake, _) => {
            stake::write(lines, intent, policy)?;
        }
    }
    broken::write(lines, intent, policy)?;
    if let Some(memo) = claim.memo() {
        // The agent's words, and public for ever: part of what is signed, so shown whole.
        lines.field("Memo by the agent, public", memo);
    }
    network(lines, chain);
    lines.field(
        "Fee at most",
        Unit::of(chain.native_asset(), policy).amount_of_asset(intent.fee_ceiling),
    );
    if let Some(rent) = intent.rent_ceiling {
        let rent = Unit::of(chain.native_asset(), policy).amount_of_asset(rent);
        let why = if intent.action() == Action::Stake {
            "for the stake account, until all of it is withdrawn"
        } else if several {
            "if recipients have no account for their token yet"
        } else {
            "if the recipient has no account for this token yet"
        };
        lines.field("Rent at most", format_args!("{rent}, {why}"));
    }
    if let Some(earlier) = intent.replaces {
        replaces(lines, intent, earlier, policy)?;
    }
    let facts = wallet(lines, intent.wallet, view)?;
    require_network(&facts, chain)?;
    lines.field("Session", intent.session);
    match view.session(intent.session).map(|grant| grant.credential) {
        Some(Credential::AgentKey(key)) => lines.field("Asked by agent key", key),
        Some(Credential::Bearer(_)) => lines.field(
            "Asked by",
            "a bearer session: the gateway's word alone says that an agent asked",
        ),
        None => return Err(Code::SessionUnknown),
    }
    lines.field("Payment request", intent.transaction);
    match intent.wait {
        Wait::Approval { quorum } => lines.field("Owners who must sign", quorum),
        Wait::Delay { .. } => lines.field("Waits", "for its delay, then it is paid"),
    }
    lines.field("Request ends", intent.expires);
    Ok(())
}

/// What is paid to whom, or may be taken.
fn payments(
    lines: &mut Lines,
    intent: &Intent,
    claim: &Claim,
    policy: Option<&PolicyDocument>,
) -> Result<(), Code> {
    let several = !claim.more().is_empty();
    if several {
        let count = claim.transfers().count();
        let together = format_args!("{count}, all of them in one transaction or none");
        lines.field("Transfers", together);
        totals(lines, claim, policy)?;
    }
    for (place, transfer) in (1_usize..).zip(claim.transfers()) {
        let number = several.then(|| (place, claim.transfers().count()));
        receives(lines, transfer, number, policy)?;
    }
    if intent.first_payment && several {
        lines.field(
            "Payment",
            "the first one to at least one of these recipients",
        );
    } else if intent.first_payment {
        lines.field("Payment", "the first one to this recipient");
    }
    let allowance = intent.action() == Action::Approve;
    if allowance && intent.amount == Amount::ZERO {
        lines.field("Allowance", "what the spender was let take is taken back");
    } else if allowance {
        lines.field(
            "WARNING",
            "nothing is paid now; the spender may take it at any time, in parts, also after the session ends",
        );
    }
    Ok(())
}

/// What is paid to one recipient, and what the policy knows of it; of several with its number.
fn receives(
    lines: &mut Lines,
    transfer: &Transfer,
    number: Option<(usize, usize)>,
    policy: Option<&PolicyDocument>,
) -> Result<(), Code> {
    let named = |name: &str| match number {
        Some((place, count)) => format!("{name} {place} of {count}"),
        None => name.to_owned(),
    };
    let amount = Unit::of(transfer.asset, policy).amount_of_asset(transfer.amount);
    lines.field(&named("Amount"), amount);
    let (to, whose) = match transfer.action {
        Action::Approve => ("Spender", "The spender is"),
        _ => ("To", "Recipient"),
    };
    lines.field(&named(to), transfer.to);
    let chain = transfer.asset.chain();
    let receiver = AccountId::new(chain, transfer.to).map_err(|_| Code::StatementMalformed)?;
    let known = policy.and_then(|policy| policy.recipient(receiver));
    match known {
        Some(contact) => lines.field(
            &named(whose),
            format_args!("@{} in your policy", contact.name),
        ),
        None => lines.field(&named(whose), "not named in your policy"),
    }
    if known.is_none()
        && let Some(twin) = policy.and_then(|policy| twin(policy, receiver))
    {
        lines.field(
            &named("WARNING"),
            format_args!("another address than @{twin}, which begins and ends alike"),
        );
    }
    Ok(())
}

/// What leaves in all, of each asset that is named more than once.
fn totals(lines: &mut Lines, claim: &Claim, policy: Option<&PolicyDocument>) -> Result<(), Code> {
    let often = |asset: &AssetId| {
        let same = claim.transfers().filter(|one| one.asset == *asset);
        same.count() > 1
    };
    let sums = charges(&claim.effects())?.into_iter();
    let totals: Vec<_> = sums
        .filter(|(asset, _)| often(asset))
        .map(|(asset, sum)| Unit::of(asset, policy).amount_of_asset(sum).to_string())
        .collect();
    lines.list("In total", &totals);
    Ok(())
}

/// A second try: what was signed before may land too, and the owner reads what that comes to.
fn replaces(
    lines: &mut Lines,
    intent: &Intent,
    earlier: Replaces,
    policy: Option<&PolicyDocument>,
) -> Result<(), Code> {
    lines.field("Replaces", earlier.transaction);
    let payments = u128::from(earlier.tries).checked_add(1);
    let payments = payments.ok_or(Code::StatementMalformed)?;
    let mut totals = Vec::new();
    for (asset, sum) in charges(&intent.claim().effects())? {
        let total = sum.checked_mul(payments).ok_or(Code::StatementMalformed)?;
        totals.push(Unit::of(asset, policy).amount_of_asset(total).to_string());
    }
    let total = totals.join(" and ");
    if earlier.tries == 1 {
        lines.field(
            "WARNING",
            format_args!(
                "the first try may still land; worst case both are paid, {total} in total, and a fee each"
            ),
        );
    } else {
        lines.field(
            "WARNING",
            format_args!(
                "the {} tries before may still land; worst case all {payments} are paid, {total} in total, and a fee each",
                earlier.tries
            ),
        );
    }
    Ok(())
}

/// The name of a contact on the same chain whose address begins and ends like this one.
fn twin(policy: &PolicyDocument, receiver: AccountId) -> Option<&str> {
    let ends = |account: Account| {
        let text = account.to_string().to_lowercase();
        let text = text.strip_prefix("0x").unwrap_or(&text).to_owned();
        let start: String = text.chars().take(COMPARED).collect();
        let end: String = text.chars().rev().take(COMPARED).collect();
        (start, end)
    };
    let wanted = ends(receiver.account());
    policy
        .recipients
        .iter()
        .filter(|known| known.account.chain() == receiver.chain() && known.account != receiver)
        .find(|known| ends(known.account.account()) == wanted)
        .map(|known| known.name.as_str())
}
