//! The log's events in words and for programs. Shows; believes nothing that was not verified before. Called by the
//! command line and by the gateway's routes for owners.

mod effects;
pub mod names;

use crate::amount::Amount;
use crate::caip::AssetId;
use crate::event::{EventBody, Origin, Replaces, Spend, Variant};
use crate::ids::SessionId;
use crate::intent::{Intent, IntentEnd, Wait};
use crate::memo::Memo;
use crate::policy::alarm::{Condition, Subject, Trigger};
use crate::policy::items::alarm_in_words as in_words;
use crate::request::Action;
use crate::time::WallTime;
use serde_json::{Value, json};

use self::effects::{called, done, staked};
use self::names::Names;
use crate::event_about::About;

/// The kind's name and one line about the event.
#[must_use]
pub fn words(body: &EventBody, names: &Names) -> (&'static str, String) {
    match body {
        EventBody::Created { signer } => ("Created", signer.to_string()),
        EventBody::Unlocked {
            vouched,
            failures,
            journal_lost,
            ..
        } => {
            let lost = if *journal_lost {
                ", the journal was LOST"
            } else {
                ""
            };
            let vouched = match vouched.millis() {
                0 => String::new(),
                millis => format!(", {} off vouched for", crate::duration::words(millis)),
            };
            (
                "Unlocked",
                format!("after {failures} wrong passwords{vouched}{lost}"),
            )
        }
        EventBody::Locked { origin } => ("Locked", by(*origin).to_owned()),
        EventBody::ClockStepped { seen } => (
            "ClockStepped",
            format!("the clock shows {seen}; signing is closed"),
        ),
        EventBody::OwnerEnrolled {
            owner,
            key,
            withdrawals,
            ..
        } => (
            "OwnerEnrolled",
            format!(
                "{owner}, key {key}, {} withdrawal addresses",
                withdrawals.len()
            ),
        ),
        EventBody::WalletCreated {
            wallet,
            account,
            networks,
            ..
        } => {
            let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
            (
                "WalletCreated",
                format!("{wallet}, {account}, on {}", networks.join(" ")),
            )
        }
        EventBody::StatementIssued {
            statement,
            facts,
            origin,
            ..
        } => (
            "StatementIssued",
            format!("{statement}, {}, {}", facts.heading(), by(*origin)),
        ),
        EventBody::PolicyAdopted { epoch, digest, .. } => {
            ("PolicyAdopted", format!("epoch {epoch}, digest {digest}"))
        }
        EventBody::SessionGranted { session, .. } => ("SessionGranted", session.to_string()),
        EventBody::SessionRevoked { session, origin } => {
            ("SessionRevoked", format!("{session}, {}", by(*origin)))
        }
        EventBody::SessionExpired { session } => ("SessionExpired", session.to_string()),
        EventBody::SpendCommitted(spend) => ("SpendCommitted", payment(spend, names)),
        EventBody::Withdrawn { spend, .. } => ("Withdrawn", payment(spend, names)),
        EventBody::SpendReplaced { spend, variant } => {
            ("SpendReplaced", varied(spend, variant, names))
        }
        EventBody::Paused { wallet, origin } => {
            let what = wallet.map_or_else(|| "everything".to_owned(), |wallet| wallet.to_string());
            ("Paused", format!("{what}, {}", by(*origin)))
        }
        EventBody::PauseReleased { wallet, .. } => (
            "PauseReleased",
            wallet.map_or_else(|| "everything".to_owned(), |wallet| wallet.to_string()),
        ),
        EventBody::Killed { epoch, origin } => {
            ("Killed", format!("epoch {epoch}, {}", by(*origin)))
        }
        EventBody::KillReleased {
            epoch, sessions, ..
        } => (
            "KillReleased",
            format!("epoch {epoch}, sessions restored: {}", sessions.len()),
        ),
        EventBody::NonceAttested {
            wallet,
            chain,
            next,
            from,
            ..
        } => (
            "NonceAttested",
            match from {
                None => format!("{wallet} on {chain}: next is {next}"),
                Some(from) => format!("{wallet} on {chain}: next of its old {from} is {next}"),
            },
        ),
        EventBody::TimeStated { wall, .. } => ("TimeStated", wall.to_string()),
        EventBody::WithdrawalEnrolled { account, .. } => {
            ("WithdrawalEnrolled", account.to_string())
        }
        EventBody::OwnerChangeScheduled {
            change, statement, ..
        } => (
            "OwnerChangeScheduled",
            format!("{statement}: {change}; in effect after 72 hours"),
        ),
        EventBody::OwnerChangeCancelled { change, .. } => {
            ("OwnerChangeCancelled", change.to_string())
        }
        EventBody::OwnerChangeEffective { change } => ("OwnerChangeEffective", change.to_string()),
        EventBody::OwnerChangeVoided { change, code } => {
            ("OwnerChangeVoided", format!("{change}: {code}"))
        }
        EventBody::OwnerSuspended {
            owner,
            policies,
            sessions,
            changes,
            ..
        } => (
            "OwnerSuspended",
            format!(
                "{owner}; sessions revoked: {}, policies void: {}, changes void: {}",
                sessions.len(),
                policies.len(),
                changes.len()
            ),
        ),
        EventBody::SuspensionLifted { owner, .. } => ("SuspensionLifted", owner.to_string()),
        EventBody::Credited {
            sequence, amounts, ..
        } => {
            let amounts: Vec<_> = amounts
                .iter()
                .map(|given| names.amount(given.asset, given.amount))
                .collect();
            (
                "Credited",
                format!("the payment of event {sequence}: {}", amounts.join(", ")),
            )
        }
        EventBody::GuardianStopped { guardians, .. } => {
            let guardians: Vec<_> = guardians.iter().map(ToString::to_string).collect();
            ("GuardianStopped", guardians.join(" "))
        }
        EventBody::Retired { .. } => ("Retired", "the log ends here".to_owned()),
        EventBody::SnapshotTaken {
            sequence, digest, ..
        } => (
            "SnapshotTaken",
            format!("of the state after event {sequence}, digest {digest}"),
        ),
        EventBody::HeadMissed { sequence, hash, .. } => (
            "HeadMissed",
            format!(
                "the log does not go through event {sequence} with hash {hash}, which the owner kept: everything is paused"
            ),
        ),
        EventBody::SessionRenewed { session, ends, .. } => {
            ("SessionRenewed", format!("{session}, until {ends}"))
        }
        EventBody::WalletClosed { wallet, .. } => ("WalletClosed", wallet.to_string()),
        EventBody::WalletRotated {
            wallet, account, ..
        } => ("WalletRotated", format!("{wallet}, now {account}")),
        EventBody::AgentRegistered { agent, stage, .. } => {
            ("AgentRegistered", format!("{agent}, {stage}"))
        }
        EventBody::AgentActivated { agent, .. } => ("AgentActivated", agent.to_string()),
        EventBody::AgentStopped {
            agent,
            stage,
            origin,
        } => (
            "AgentStopped",
            format!("{agent} is {stage}, {}", by(*origin)),
        ),
        EventBody::AgentTerminated { agent, sessions } => (
            "AgentTerminated",
            format!("{agent}; sessions revoked: {}", sessions.len()),
        ),
        EventBody::SessionSuspended { session } => (
            "SessionSuspended",
            format!("{session}; waiaas session resume lets it spend again"),
        ),
        EventBody::SessionResumed { session, .. } => ("SessionResumed", session.to_string()),
        EventBody::AlarmRaised {
            trigger,
            subject,
            session,
            observed,
            asset,
            ..
        } => (
            "AlarmRaised",
            alarm(trigger, *subject, *session, *observed, *asset),
        ),
        EventBody::OwnerAlive { signers, .. } => ("OwnerAlive", list(signers)),
        EventBody::SignedIn(login) => (
            "SignedIn",
            format!(
                "{}, {} at {} as {}, {}, {}",
                login.message,
                login.wallet,
                login.fields.domain,
                login.fields.account,
                login.tier.as_str(),
                login.session
            ),
        ),
        EventBody::TransferAuthorized {
            spend,
            authorization,
        } => {
            let ends = authorization.valid_before.saturating_mul(1000);
            let ends = WallTime::from_millis(ends);
            (
                "TransferAuthorized",
                format!("{}, may be used before {ends}", payment(spend, names)),
            )
        }
        EventBody::DenialNoted { session, code, .. } => {
            ("DenialNoted", format!("{code}, {session}"))
        }
        EventBody::DenialsCounted {
            session,
            code,
            count,
        } => {
            let whose =
                session.map_or_else(|| "no session".to_owned(), |session| session.to_string());
            ("DenialsCounted", format!("{count} of {code}, {whose}"))
        }
        EventBody::IntentOpened(intent) => ("IntentOpened", waits(intent, names)),
        EventBody::IntentApproved {
            transaction,
            signers,
            ..
        } => (
            "IntentApproved",
            format!("{transaction}, signed by {}", list(signers)),
        ),
        EventBody::IntentsEnded {
            transactions,
            cause,
        } => {
            let why = match cause {
                IntentEnd::Cancelled { origin } => format!("cancelled, {}", by(*origin)),
                IntentEnd::Rejected { signers, .. } => format!("rejected by {}", list(signers)),
                IntentEnd::Expired => "waited too long".to_owned(),
                IntentEnd::SessionEnded => "the session ended".to_owned(),
                IntentEnd::Killed => "the kill switch was thrown".to_owned(),
                IntentEnd::WalletClosed => "the wallet was closed or moved to a new key".to_owned(),
            };
            ("IntentsEnded", format!("{}: {why}", list(transactions)))
        }
    }
}

const fn by(origin: Origin) -> &'static str {
    match origin {
        Origin::Gateway => "asked over gateway.sock",
        Origin::Admin => "asked over admin.sock",
        Origin::Signer => "by an alarm",
    }
}

fn alarm(
    trigger: &Trigger,
    subject: Subject,
    session: Option<SessionId>,
    observed: Amount,
    asset: Option<AssetId>,
) -> String {
    let whom = match subject {
        Subject::Session(session) => session.to_string(),
        Subject::Wallet(wallet) => wallet.to_string(),
        Subject::Everything => "everything".to_owned(),
    };
    let what = match trigger {
        Trigger::Alarm(alarm) => {
            let seen = match (&alarm.condition, asset) {
                (_, Some(asset)) => format!("{observed} base units of {asset}"),
                (Condition::OutsideHours { .. }, None) => String::new(),
                (Condition::Idle { .. }, None) => duration(observed),
                _ => observed.to_string(),
            };
            let seen = if seen.is_empty() {
                seen
            } else {
                format!(", seen: {seen}")
            };
            format!("{}{seen}", in_words(alarm))
        }
        Trigger::Violation(escalation) => format!(
            "a refusal with {}, {}",
            escalation.code,
            escalation.action.as_str()
        ),
        Trigger::DeadMan { .. } => {
            format!("no word from an owner for {}", duration(observed))
        }
    };
    let by = session
        .filter(|session| subject != Subject::Session(*session))
        .map_or_else(String::new, |session| format!(", by {session}"));
    format!("{whom}: {what}{by}")
}

/// Milliseconds in words.
fn duration(millis: Amount) -> String {
    crate::duration::words(u64::try_from(millis.base_units()).unwrap_or(u64::MAX))
}

fn list(names: &[impl ToString]) -> String {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    names.join(" ")
}

fn waits(intent: &Intent, names: &Names) -> String {
    let wait = match intent.wait {
        Wait::Delay { ready } => {
            let delay = ready.since(intent.opened).millis();
            format!("waits {}", crate::duration::words(delay))
        }
        Wait::Approval { quorum } => {
            format!(
                "waits for {}",
                crate::duration::counted(quorum.into(), "owner")
            )
        }
    };
    let native = intent.asset.chain().native_asset();
    let claim = intent.claim();
    let what = claim.transfers().map(|transfer| {
        let amount = names.amount(transfer.asset, transfer.amount);
        let to = names.account(transfer.asset, transfer.to);
        match transfer.action {
            Action::Transfer => format!("{amount} to {to}"),
            Action::Approve => format!("leave for {to} to take {amount}"),
            Action::Call => called(&to, &amount, transfer.call.as_deref()),
            Action::Stake | Action::Unstake | Action::WithdrawStake => transfer
                .effects()
                .iter()
                .map(|effect| staked(effect, names))
                .collect(),
        }
    });
    let what: Vec<_> = what.collect();
    format!(
        "{}{}, fee up to {}, {wait}, until {}; {} from {}{}",
        what.join(", "),
        noted(intent.memo.as_ref()),
        names.amount(native, intent.fee_ceiling),
        intent.expires,
        intent.transaction,
        intent.wallet,
        replaces(intent.replaces),
    )
}

/// A memo, in quotation marks: the agent's words.
fn noted(memo: Option<&Memo>) -> String {
    memo.map_or_else(String::new, |memo| format!(", memo {:?}", memo.as_str()))
}

fn replaces(earlier: Option<Replaces>) -> String {
    earlier.map_or_else(String::new, |earlier| {
        format!(", replaces {}", earlier.transaction)
    })
}

fn varied(spend: &Spend, variant: &Variant, names: &Names) -> String {
    let what = if variant.cancels {
        "cancels"
    } else {
        "speeds up"
    };
    format!("{}; {what} {}", payment(spend, names), variant.of)
}

fn payment(spend: &Spend, names: &Names) -> String {
    let effects: Vec<_> = spend
        .effects
        .iter()
        .map(|effect| done(effect, spend.chain, names))
        .collect();
    let nonce = spend
        .nonce
        .map_or_else(String::new, |nonce| format!(", nonce {nonce}"));
    let sent = if spend.submit { "" } else { ", not sent" };
    format!(
        "{}{}, {}; {} from {}{nonce}{sent}{}",
        effects.join(", "),
        noted(spend.memo.as_ref()),
        spend.tier.as_str(),
        spend.transaction,
        spend.wallet,
        replaces(spend.replaces),
    )
}

/// For programs: kind, words, and the identifiers worth filtering by.
#[must_use]
pub fn machine(sequence: u64, wall_millis: u64, kind: &str, text: String, about: &About) -> Value {
    // Several are named in the words.
    let transaction = match about.transactions.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    json!({
        "sequence": sequence,
        "unix_millis": wall_millis,
        "kind": kind,
        "text": text,
        "session": about.session,
        "wallet": about.wallet,
        "transaction": transaction,
    })
}

#[cfg(all(test, feature = "toml"))]
mod tests;
