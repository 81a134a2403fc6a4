//! Asks, answers and events in the words of a run's trace.

use super::*;

pub(super) fn name(asked: &Asked) -> String {
    match asked {
        Asked::Sign(request) => format!("sign {}", request.idempotency_key),
        Asked::Decide(_) => "decide".to_owned(),
        Asked::Draft(facts, _) => format!("draft {}", facts.heading()),
        Asked::Submit(_, _, origin, password) => format!("submit {origin:?} {password:?}"),
        Asked::Withdraw(..) => "withdraw".to_owned(),
        other => format!("{other:?}"),
    }
}

pub(super) fn short(answer: &Answer) -> String {
    match answer {
        Answer::Signed(signed) => format!(
            "signed at {}{}",
            signed.sequence,
            if signed.replay { " again" } else { "" }
        ),
        Answer::Refused(_) => answer
            .codes()
            .iter()
            .map(|code: &Code| code.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        Answer::Sequence(sequence) => format!("done at {sequence}"),
        Answer::Drafted(_) => "drafted".to_owned(),
        Answer::Verdict(verdict) => format!("would be signed, {}", verdict.tier.as_str()),
        Answer::Status(status) => format!(
            "{} open {} frozen {} closed {}",
            status.kill, status.unlocked, status.frozen, status.clock_closed
        ),
        Answer::Remaining(_) => "view".to_owned(),
        Answer::Events(_) => "page".to_owned(),
        Answer::Wallet(view) => match view.account {
            Account::Evm(address) => format!("wallet {address}"),
            Account::Solana(address) => format!("wallet {address}"),
        },
        other => format!("{other:?}"),
    }
}

pub(super) fn kind(body: &EventBody) -> &'static str {
    match body {
        EventBody::Created { .. } => "Created",
        EventBody::Unlocked { .. } => "Unlocked",
        EventBody::Locked { .. } => "Locked",
        EventBody::ClockStepped { .. } => "ClockStepped",
        EventBody::OwnerEnrolled { .. } => "OwnerEnrolled",
        EventBody::WalletCreated { .. } => "WalletCreated",
        EventBody::StatementIssued { .. } => "StatementIssued",
        EventBody::PolicyAdopted { .. } => "PolicyAdopted",
        EventBody::SessionGranted { .. } => "SessionGranted",
        EventBody::SessionRevoked { .. } => "SessionRevoked",
        EventBody::SessionExpired { .. } => "SessionExpired",
        EventBody::SpendCommitted(_) => "SpendCommitted",
        EventBody::Withdrawn { .. } => "Withdrawn",
        EventBody::SpendReplaced { .. } => "SpendReplaced",
        EventBody::Paused { .. } => "Paused",
        EventBody::PauseReleased { .. } => "PauseReleased",
        EventBody::Killed { .. } => "Killed",
        EventBody::KillReleased { .. } => "KillReleased",
        EventBody::NonceAttested { .. } => "NonceAttested",
        EventBody::TimeStated { .. } => "TimeStated",
        EventBody::WithdrawalEnrolled { .. } => "WithdrawalEnrolled",
        EventBody::DenialsCounted { .. } => "DenialsCounted",
        EventBody::IntentOpened(_) => "IntentOpened",
        EventBody::IntentApproved { .. } => "IntentApproved",
        EventBody::IntentsEnded { .. } => "IntentsEnded",
        EventBody::OwnerChangeScheduled { .. } => "OwnerChangeScheduled",
        EventBody::OwnerChangeCancelled { .. } => "OwnerChangeCancelled",
        EventBody::OwnerChangeEffective { .. } => "OwnerChangeEffective",
        EventBody::OwnerChangeVoided { .. } => "OwnerChangeVoided",
        EventBody::OwnerSuspended { .. } => "OwnerSuspended",
        EventBody::SuspensionLifted { .. } => "SuspensionLifted",
        EventBody::Credited { .. } => "Credited",
        EventBody::GuardianStopped { .. } => "GuardianStopped",
        EventBody::Retired { .. } => "Retired",
        EventBody::SnapshotTaken { .. } => "SnapshotTaken",
        EventBody::HeadMissed { .. } => "HeadMissed",
        EventBody::SessionRenewed { .. } => "SessionRenewed",
        EventBody::WalletClosed { .. } => "WalletClosed",
        EventBody::WalletRotated { .. } => "WalletRotated",
        EventBody::AgentRegistered { .. } => "AgentRegistered",
        EventBody::AgentActivated { .. } => "AgentActivated",
        EventBody::AgentStopped { .. } => "AgentStopped",
        EventBody::AgentTerminated { .. } => "AgentTerminated",
        EventBody::SessionSuspended { .. } => "SessionSuspended",
        EventBody::SessionResumed { .. } => "SessionResumed",
        EventBody::AlarmRaised { .. } => "AlarmRaised",
        EventBody::OwnerAlive { .. } => "OwnerAlive",
        EventBody::DenialNoted { .. } => "DenialNoted",
        EventBody::SignedIn(_) => "SignedIn",
        EventBody::TransferAuthorized { .. } => "TransferAuthorized",
    }
}

/// The request of a payment.
pub(super) fn request_of(asked: &Asked) -> Option<SpendRequest> {
    match asked {
        Asked::Sign(request) => Some(SpendRequest::clone(request)),
        _ => None,
    }
}
