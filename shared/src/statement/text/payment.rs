//! The text of a waiting payment, to approve or reject it: what is paid and to whom comes first, in full,
//! with what the policy knows of the recipient. An agent's own words never stand here.

use super::lines::Lines;
use super::unit::Unit;
use super::{StatementView, call, network, require_network, wallet};
use crate::address::Account;
use crate::amount::Amount;
use crate::caip::AccountId;
use crate::denial::Code;
use crate::event::Replaces;
use crate::ids::TransactionId;
use crate::intent::{Intent, Wait};
use crate::policy::document::PolicyDocument;
use crate::request::Action;
use crate::session::Credential;

/// Characters at either end of an address that people compare, and forgers match.
const COMPARED: usize = 4;

pub(super) fn write(
    lines: &mut Lines,
    transaction: TransactionId,
    view: &dyn StatementView,
) -> Result<(), Code> {
    let intent = view.intent(transaction).ok_or(Code::IntentUnknown)?;
    let chain = intent.asset.chain();
    let policy = view.newest_policy();
    if intent.action() == Action::Call {
        call::write(lines, intent, policy)?;
    } else {
        payment(lines, intent, policy)?;
    }
    network(lines, chain);
    lines.field(
        "Fee at most",
        Unit::of(chain.native_asset(), policy).amount_of_asset(intent.fee_ceiling),
    );
    if let Some(rent) = intent.rent_ceiling {
        let rent = Unit::of(chain.native_asset(), policy).amount_of_asset(rent);
        let why = "if the recipient has no account for this token yet";
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
    lines.field("Payment request", transaction);
    match intent.wait {
        Wait::Approval { quorum } => lines.field("Owners who must sign", quorum),
        Wait::Delay { .. } => lines.field("Waits", "for its delay, then it is paid"),
    }
    lines.field("Request ends", intent.expires);
    Ok(())
}

/// What is paid, or may be taken, and who the recipient is.
fn payment(
    lines: &mut Lines,
    intent: &Intent,
    policy: Option<&PolicyDocument>,
) -> Result<(), Code> {
    let chain = intent.asset.chain();
    lines.field(
        "Amount",
        Unit::of(intent.asset, policy).amount_of_asset(intent.amount),
    );
    let allowance = intent.action() == Action::Approve;
    let (to, whose) = if allowance {
        ("Spender", "The spender is")
    } else {
        ("To", "Recipient")
    };
    lines.field(to, intent.to);
    let receiver = AccountId::new(chain, intent.to).map_err(|_| Code::StatementMalformed)?;
    let known = policy.and_then(|policy| policy.recipient(receiver));
    match known {
        Some(contact) => lines.field(whose, format_args!("@{} in your policy", contact.name)),
        None => lines.field(whose, "not named in your policy"),
    }
    if known.is_none()
        && let Some(twin) = policy.and_then(|policy| twin(policy, receiver))
    {
        lines.field(
            "WARNING",
            format_args!("another address than @{twin}, which begins and ends alike"),
        );
    }
    if intent.first_payment {
        lines.field("Payment", "the first one to this recipient");
    }
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

/// What a waiting payment does; nothing if none waits under this name.
pub(super) fn action(transaction: TransactionId, view: &dyn StatementView) -> Option<Action> {
    view.intent(transaction).map(Intent::action)
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
    let total = payments.and_then(|payments| intent.amount.checked_mul(payments));
    let (Some(payments), Some(total)) = (payments, total) else {
        return Err(Code::StatementMalformed);
    };
    let total = Unit::of(intent.asset, policy).amount_of_asset(total);
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
