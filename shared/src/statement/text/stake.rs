//! The lines of a waiting payment about a stake account: what is staked with whom, or what is asked of an account
//! that is there; whose it is and stays; and what the policy knows of the validator.

use super::lines::Lines;
use super::unit::Unit;
use crate::caip::AccountId;
use crate::denial::Code;
use crate::intent::Intent;
use crate::policy::document::PolicyDocument;
use crate::request::Action;

pub(super) fn write(
    lines: &mut Lines,
    intent: &Intent,
    policy: Option<&PolicyDocument>,
) -> Result<(), Code> {
    let account = intent.stake.as_ref().ok_or(Code::StatementMalformed)?;
    if intent.action() == Action::Stake {
        let staked = Unit::of(intent.asset, policy).amount_of_asset(intent.amount);
        lines.field("Stakes", staked);
        lines.field("Validator", intent.to);
        let chain = intent.asset.chain();
        let validator = AccountId::new(chain, intent.to).map_err(|_| Code::StatementMalformed)?;
        match policy.and_then(|policy| policy.validator(validator)) {
            Some(known) => lines.field(
                "The validator is",
                format_args!("@{} in your policy", known.name),
            ),
            None => {
                lines.field("The validator is", "not named in your policy");
                lines.field(
                    "WARNING",
                    "your newest policy does not let coins be staked with this validator: it will be refused",
                );
            }
        }
        lines.field(
            "Comes back",
            "by unstaking and withdrawing, into this wallet alone, which takes days",
        );
    }
    lines.field("Stake account", account.address());
    lines.field("Its seed", account.seed());
    lines.field("Who may move it", "this wallet alone, without a lockup");
    if intent.action() == Action::Unstake {
        lines.field("Unstakes", "all of it, once the epoch has ended");
    }
    if intent.action() == Action::WithdrawStake {
        lines.field("Withdraws", "all that lies in it, to this wallet");
    }
    Ok(())
}
