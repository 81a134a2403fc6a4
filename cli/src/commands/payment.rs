//! `waiaas payment`: payments as the owner sees them: list what waits, approve, reject, cancel, and speed up
//! what was signed. Wholly over `admin.sock`: what is shown and signed comes from the signer, never from a
//! gateway.

mod nonce;

use serde_json::{Value, json};
use waiaas_client::ClientError;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::intent::{IntentView, Wait};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::request::Action;
use waiaas_shared::statement::StatementFacts;

use crate::app::App;
use crate::commands::session_words::shown;
use crate::duration::words;
use crate::failure::Failure;
use crate::signer::{Signer, failed, reach};
use crate::statement::SigningArgs;
use crate::table::pairs;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show what waits: for its delay, or for owners
    List,
    /// Let a payment that waits for owners be made, once: takes the signatures of as many as it asks for
    Approve {
        /// Which
        transaction: TransactionId,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// End a waiting payment for good, with an owner's signature
    Reject {
        /// Which
        transaction: TransactionId,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// End a waiting payment for good, without a signature; one that was signed on an EVM chain is cancelled
    /// on its nonce
    Cancel {
        /// Which
        transaction: TransactionId,
        #[command(flatten)]
        args: nonce::Args,
    },
    /// Sign a payment on an EVM chain once more with a higher fee, on the same nonce: one of them lands
    SpeedUp {
        /// Which, or any later transaction of its nonce
        transaction: TransactionId,
        #[command(flatten)]
        args: nonce::Args,
    },
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => list(app).await,
        Command::Approve {
            transaction,
            signing,
        } => approve(app, transaction, &signing).await,
        Command::Reject {
            transaction,
            signing,
        } => {
            let signer = Signer::connect(app).await?;
            let facts = StatementFacts::RejectPayment { transaction };
            let sequence = submit(app, &signer, &signing, &facts, "not rejected").await?;
            let words = format!("Rejected: {transaction} will not be paid.");
            app.output.data(words, &ended(transaction, sequence))
        }
        Command::SpeedUp { transaction, args } => nonce::speed_up(app, transaction, &args).await,
        Command::Cancel { transaction, args } => {
            // It only stops something, so it asks nothing of the log first.
            let cancelled = reach(app).await?.cancel_intent(transaction).await;
            let sequence = match cancelled {
                // Nothing of this name waits: it may have been signed.
                Err(ClientError::Denied(denial)) if is_unknown(&denial) => {
                    return nonce::cancel(app, transaction, &args).await;
                }
                other => other.map_err(failed("NOT cancelled"))?,
            };
            let words = format!("Cancelled: {transaction} will not be paid.");
            app.output.data(words, &ended(transaction, sequence))
        }
    }
}

fn is_unknown(denial: &Denial) -> bool {
    let mut broken = denial.violations().iter();
    broken.any(|broken| broken.code == Code::IntentUnknown)
}

fn ended(transaction: TransactionId, sequence: u64) -> Value {
    json!({ "transaction": transaction, "waits": false, "sequence": sequence })
}

async fn approve(
    app: &App,
    transaction: TransactionId,
    signing: &SigningArgs,
) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let views = waiting(&signer).await?;
    let view = views
        .iter()
        .find(|view| view.intent.transaction == transaction)
        .ok_or_else(|| Failure::denied("not approved", &[Violation::of(Code::IntentUnknown)]))?;
    // What is missing shows before anybody signs.
    match view.intent.wait {
        Wait::Delay { .. } => {
            return Err(
                Failure::usage("this payment waits for its delay, not for an owner")
                    .next(format!("to stop it: waiaas payment cancel {transaction}")),
            );
        }
        Wait::Approval { quorum } if signing.signers() < usize::from(quorum) => {
            return Err(Failure::usage(format!(
                "{quorum} different owners must sign this payment"
            ))
            .next("repeat --owner-key FILE or --owner OWNER, once for each"));
        }
        Wait::Approval { .. } => {}
    }
    let facts = StatementFacts::ApprovePayment { transaction };
    let sequence = submit(app, &signer, signing, &facts, "not approved").await?;
    let words = format!("Approved: {transaction} is paid as soon as a gateway brings it.");
    let data = json!({ "transaction": transaction, "approved": true, "sequence": sequence });
    app.output.data(words, &data)
}

async fn submit(
    app: &App,
    signer: &Signer,
    signing: &SigningArgs,
    facts: &StatementFacts,
    otherwise: &'static str,
) -> Result<u64, Failure> {
    let signed = signing.sign(&app.output, signer, facts).await?;
    let submitted = signer
        .client
        .submit_statement(signed.statement, &signed.signatures)
        .await;
    Ok(submitted.map_err(failed(otherwise))?.sequence)
}

async fn waiting(signer: &Signer) -> Result<Vec<IntentView>, Failure> {
    let views = signer.client.intents().await;
    views.map_err(failed("no list of waiting payments"))
}

async fn list(app: &App) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let views = waiting(&signer).await?;
    let policy = signer.newest_policy().await?;
    let each: Vec<_> = views
        .iter()
        .map(|view| human(view, policy.as_ref()))
        .collect();
    let words = if each.is_empty() {
        "Nothing waits.".to_owned()
    } else {
        each.join("\n")
    };
    let data = json!({ "payments": views.iter().map(machine).collect::<Vec<_>>() });
    app.output.data(words, &data)
}

fn human(view: &IntentView, policy: Option<&PolicyDocument>) -> String {
    let intent = &view.intent;
    let native = intent.asset.chain().native_asset();
    let first = if intent.first_payment && intent.more.is_some() {
        ", one of them for the first time"
    } else if intent.first_payment {
        ", for the first time"
    } else {
        ""
    };
    let claim = intent.claim();
    let mut rows = vec![("payment", intent.transaction.to_string())];
    for transfer in claim.transfers() {
        let amount = format!(
            "{} ({} base units of {})",
            shown(transfer.asset, transfer.amount, policy),
            transfer.amount,
            transfer.asset
        );
        let to = match transfer.action {
            Action::Transfer => "to",
            Action::Approve => "may be taken by",
            Action::Call => "calls",
            Action::Stake => "staked with",
            Action::Unstake => "unstakes",
            Action::WithdrawStake => "all back out of",
        };
        rows.push(("amount", amount));
        rows.push((to, transfer.to.to_string()));
    }
    if let Some((_, last)) = rows.last_mut() {
        last.push_str(first);
    }
    if let Some(told) = intent.call.as_deref() {
        rows.push(("function", told.function.to_string()));
        rows.extend(told.shown().into_iter().map(|one| ("argument", one)));
    }
    if let Some(told) = intent.program.as_deref() {
        rows.push(("data", format!("0x{}", hex::encode(&told.data))));
        let accounts = told.uses().map(|(account, writable)| {
            let access = if writable { "writable" } else { "read-only" };
            ("account", format!("{account}, {access}"))
        });
        rows.extend(accounts);
    }
    if let Some(stake) = &intent.stake {
        rows.push(("stake account", stake.address().to_string()));
        rows.push(("its seed", stake.seed().to_string()));
    }
    if let Some(memo) = claim.memo() {
        rows.push(("memo, public", memo.to_string()));
    }
    rows.extend([
        ("wallet", intent.wallet.to_string()),
        ("session", intent.session.to_string()),
        ("fee at most", shown(native, intent.fee_ceiling, policy)),
        ("waits for", waits(view)),
        ("ends", intent.expires.to_string()),
    ]);
    pairs(&rows)
}

fn waits(view: &IntentView) -> String {
    let transaction = view.intent.transaction;
    match (view.intent.wait, view.ready_in()) {
        (Wait::Approval { quorum }, None) => {
            let owners = match quorum {
                1 => "an owner's signature".to_owned(),
                more => format!("the signatures of {more} different owners"),
            };
            format!("{owners}: waiaas payment approve {transaction} --owner-key FILE")
        }
        (Wait::Approval { .. }, Some(_)) => "a gateway: it is approved".to_owned(),
        (Wait::Delay { .. }, left) => match left.map_or(0, |left| left.millis()) {
            0 => "a gateway: its delay has passed".to_owned(),
            left => format!(
                "its delay, {} more; to stop it: waiaas payment cancel {transaction}",
                words(left)
            ),
        },
    }
}

fn machine(view: &IntentView) -> Value {
    let intent = &view.intent;
    let quorum = match intent.wait {
        Wait::Approval { quorum } => Some(quorum),
        Wait::Delay { .. } => None,
    };
    json!({
        "transaction": intent.transaction,
        "tier": intent.tier().as_str(),
        "type": intent.action().as_str(),
        "asset": intent.asset,
        "amount_base": intent.amount,
        "to": intent.to,
        "seed": intent.stake.as_ref().map(|stake| stake.seed().to_string()),
        "stake_account": intent.stake.as_ref().map(|stake| stake.address()),
        "function": intent.call.as_ref().map(|told| told.function.to_string()),
        "args": intent.call.as_ref().map(|told| told.shown()),
        "data": intent.program.as_ref().map(|told| format!("0x{}", hex::encode(&told.data))),
        "accounts": intent.program.as_ref().map(|told| told.accounts.clone()),
        "transfers": intent.more.as_ref().map(|_| {
            let claim = intent.claim();
            let each = claim.transfers().map(|transfer| {
                json!({
                    "asset": transfer.asset,
                    "amount_base": transfer.amount,
                    "to": transfer.to,
                })
            });
            each.collect::<Vec<_>>()
        }),
        "memo": intent.memo.as_ref().map(ToString::to_string),
        "first_payment": intent.first_payment,
        "wallet": intent.wallet,
        "session": intent.session,
        "fee_ceiling_base": intent.fee_ceiling,
        "submit": intent.submit,
        "policy_epoch": intent.policy_epoch,
        "owners_needed": quorum,
        "approved": quorum.map(|_| view.approved_until.is_some()),
        "ready_in_millis": view.ready_in().map(|left| left.millis()),
        "expires_unix_millis": intent.expires.millis(),
    })
}

#[cfg(test)]
mod tests {
    use waiaas_shared::amount::Amount;
    use waiaas_shared::digest::Digest;
    use waiaas_shared::ids::{SessionId, WalletId};
    use waiaas_shared::intent::{Intent, Moved};
    use waiaas_shared::time::{Clocks, Millis, RunTime, WallTime};

    use super::*;

    fn view(wait: Wait, approved: bool) -> IntentView {
        let asset = "eip155:31337/slip44:60".parse().unwrap();
        IntentView {
            intent: Intent {
                transaction: TransactionId::from_bytes([1; 16]),
                session: SessionId::from_bytes([2; 16]),
                wallet: WalletId::from_bytes([3; 16]),
                asset,
                to: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
                    .parse()
                    .unwrap(),
                amount: Amount::from_base_units(250_000_000_000_000_000),
                fee_ceiling: Amount::from_base_units(10_000_000_000_000_000),
                wait,
                opened: RunTime::from_millis(1000),
                expires: WallTime::from_millis(1_795_219_200_000),
                release_within: Millis::from_hours(1),
                policy_epoch: 4,
                idempotency: Digest::from_bytes([0; 32]),
                body: Digest::from_bytes([0; 32]),
                kept_until: WallTime::from_millis(1_795_219_200_000),
                request_nonce: None,
                submit: true,
                first_payment: true,
                replaces: None,
                action: None,
                rent_ceiling: None,
                call: None,
                more: None,
                memo: None,
                stake: None,
                asked: None,
                program: None,
            },
            now: Clocks {
                run: RunTime::from_millis(1000),
                ..Clocks::default()
            },
            approved_until: approved.then(|| RunTime::from_millis(5000)),
        }
    }

    #[test]
    fn an_owner_reads_what_waits_and_for_whom() {
        let asks = view(Wait::Approval { quorum: 2 }, false);
        let text = human(&asks, None);
        for part in [
            "0.25 (250000000000000000 base units of eip155:31337/slip44:60)",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed, for the first time",
            "fee at most  0.01",
            "the signatures of 2 different owners: waiaas payment approve tx_",
            "2026-11-21",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let data = machine(&asks);
        assert_eq!(
            (&data["tier"], &data["owners_needed"], &data["approved"]),
            (&json!("APPROVAL"), &json!(2), &json!(false))
        );
        assert_eq!(data["ready_in_millis"], Value::Null);
        assert_eq!(data["amount_base"], "250000000000000000");
        let one = view(Wait::Approval { quorum: 1 }, false);
        assert!(waits(&one).starts_with("an owner's signature: "));
        let approved = view(Wait::Approval { quorum: 2 }, true);
        assert_eq!(waits(&approved), "a gateway: it is approved");
        assert_eq!(machine(&approved)["approved"], true);
    }

    #[test]
    fn an_owner_reads_every_transfer_and_the_memo() {
        let mut asks = view(Wait::Approval { quorum: 1 }, false);
        let single = machine(&asks);
        assert_eq!(
            (&single["transfers"], &single["memo"]),
            (&Value::Null, &Value::Null)
        );
        let second = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
        asks.intent.more = Some(vec![Moved {
            asset: asks.intent.asset,
            to: second.parse().unwrap(),
            amount: Amount::from_base_units(7),
        }]);
        asks.intent.memo = Some("payroll 11".parse().unwrap());
        let text = human(&asks, None);
        for part in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359, one of them for the first time",
            "(7 base units of eip155:31337/slip44:60)",
            "memo, public  payroll 11",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let data = machine(&asks);
        assert_eq!(data["transfers"][0]["amount_base"], "250000000000000000");
        assert_eq!(data["transfers"][1]["to"], second);
        assert_eq!(data["memo"], "payroll 11");
    }

    #[test]
    fn a_delay_is_told_by_the_signers_clock() {
        let ready = RunTime::from_millis(91_000);
        let text = waits(&view(Wait::Delay { ready }, false));
        assert!(
            text.starts_with("its delay, 1 minute 30 seconds more"),
            "{text}"
        );
        let data = machine(&view(Wait::Delay { ready }, false));
        assert_eq!(
            (&data["tier"], &data["ready_in_millis"]),
            (&json!("DELAY"), &json!(90_000))
        );
        let over = Wait::Delay {
            ready: RunTime::from_millis(500),
        };
        assert_eq!(waits(&view(over, false)), "a gateway: its delay has passed");
    }
}
