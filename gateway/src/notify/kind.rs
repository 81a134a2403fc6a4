//! The kinds of messages: their stable names, which events they tell of, and which of them wait for nobody's night.

use waiaas_shared::event::EventBody;
use waiaas_shared::policy::evaluate::Tier;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $urgent:literal;)*) => {
        /// What a message tells of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its stable name: a group, a point, and what happened.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// Whether quiet hours do not hold it back.
            #[must_use]
            pub const fn is_urgent(self) -> bool {
                match self {
                    $(Self::$kind => $urgent,)*
                }
            }
        }
    };
}

kinds! {
    /// A payment waits: for its delay, or for the owners.
    PaymentWaiting = "payment.waiting", true;
    /// The owners of a waiting one have signed.
    PaymentApproved = "payment.approved", false;
    /// A waiting one ended without being signed.
    PaymentEnded = "payment.ended", false;
    /// One was signed whose tier is NOTIFY or above.
    PaymentSigned = "payment.signed", false;
    /// One was signed at tier INSTANT.
    PaymentInstant = "payment.instant", false;
    /// The chain refused one that had been sent.
    PaymentFailed = "payment.failed", false;
    /// Requests were refused.
    PaymentDenied = "payment.denied", false;
    /// An owner's withdrawal was signed.
    PaymentWithdrawn = "payment.withdrawn", true;
    /// An owner gave a charge back.
    PaymentCredited = "payment.credited", false;
    /// A sign-in message was signed.
    MessageSigned = "message.signed", false;
    /// An alarm went off.
    AlarmRaised = "alarm.raised", true;
    /// The machine's clock moved without an explanation.
    ClockStepped = "alarm.clock", true;
    /// The log is not the one whose head the owner kept.
    HeadMissed = "alarm.log", true;
    /// A policy document was adopted.
    PolicyAdopted = "policy.adopted", true;
    /// Owners, guardians or withdrawal addresses change, or are about to.
    OwnersChanged = "owners.changed", true;
    /// An owner attested a nonce or stated the time.
    OwnersStated = "owners.stated", false;
    /// A session was granted, renewed or resumed.
    SessionOpened = "session.opened", false;
    /// A session was revoked, ended or was suspended.
    SessionClosed = "session.closed", false;
    /// An agent's stage changed.
    AgentChanged = "agent.changed", false;
    /// A wallet was made, closed or moved to a new key.
    WalletChanged = "wallet.changed", false;
    /// A wallet, or everything, was paused.
    Paused = "stop.paused", true;
    /// A pause was released.
    PauseReleased = "stop.resumed", true;
    /// The kill switch was thrown.
    Killed = "kill.thrown", true;
    /// The kill switch was released.
    KillReleased = "kill.released", true;
    /// The keystore was opened.
    Unlocked = "signer.unlocked", true;
    /// Keys were wiped from memory.
    Locked = "signer.locked", true;
    /// The log has ended.
    Retired = "signer.retired", true;
    /// Messages begin, or begin again after gateway.db was lost.
    Begins = "gateway.begins", false;
    /// A channel takes no messages.
    Silent = "gateway.silent", true;
    /// The weekly word, with the log's signed head.
    Weekly = "gateway.weekly", false;
    /// A trial of a channel.
    Trial = "gateway.trial", true;
}

impl Kind {
    /// What an event is told as; none: nobody is told of it.
    #[must_use]
    pub const fn of(event: &EventBody) -> Option<Self> {
        Some(match event {
            EventBody::IntentOpened(_) => Self::PaymentWaiting,
            EventBody::IntentApproved { .. } => Self::PaymentApproved,
            EventBody::IntentsEnded { .. } => Self::PaymentEnded,
            EventBody::SpendCommitted(spend)
            | EventBody::SpendReplaced { spend, .. }
            | EventBody::TransferAuthorized { spend, .. } => match spend.tier {
                Tier::Instant => Self::PaymentInstant,
                _ => Self::PaymentSigned,
            },
            EventBody::Withdrawn { .. } => Self::PaymentWithdrawn,
            EventBody::Credited { .. } => Self::PaymentCredited,
            EventBody::DenialsCounted { .. } => Self::PaymentDenied,
            EventBody::SignedIn(_) => Self::MessageSigned,
            EventBody::AlarmRaised { .. } => Self::AlarmRaised,
            EventBody::ClockStepped { .. } => Self::ClockStepped,
            EventBody::HeadMissed { .. } => Self::HeadMissed,
            EventBody::PolicyAdopted { .. } => Self::PolicyAdopted,
            EventBody::OwnerEnrolled { .. }
            | EventBody::OwnerChangeScheduled { .. }
            | EventBody::OwnerChangeCancelled { .. }
            | EventBody::OwnerChangeEffective { .. }
            | EventBody::OwnerChangeVoided { .. }
            | EventBody::OwnerSuspended { .. }
            | EventBody::SuspensionLifted { .. }
            | EventBody::WithdrawalEnrolled { .. } => Self::OwnersChanged,
            EventBody::NonceAttested { .. } | EventBody::TimeStated { .. } => Self::OwnersStated,
            EventBody::SessionGranted { .. }
            | EventBody::SessionRenewed { .. }
            | EventBody::SessionResumed { .. } => Self::SessionOpened,
            EventBody::SessionRevoked { .. }
            | EventBody::SessionExpired { .. }
            | EventBody::SessionSuspended { .. } => Self::SessionClosed,
            EventBody::AgentRegistered { .. }
            | EventBody::AgentActivated { .. }
            | EventBody::AgentStopped { .. }
            | EventBody::AgentTerminated { .. } => Self::AgentChanged,
            EventBody::WalletCreated { .. }
            | EventBody::WalletClosed { .. }
            | EventBody::WalletRotated { .. } => Self::WalletChanged,
            EventBody::Paused { .. } => Self::Paused,
            EventBody::PauseReleased { .. } => Self::PauseReleased,
            EventBody::Killed { .. } => Self::Killed,
            EventBody::KillReleased { .. } => Self::KillReleased,
            EventBody::Unlocked { .. } => Self::Unlocked,
            EventBody::Locked { .. } => Self::Locked,
            EventBody::Retired { .. } => Self::Retired,
            // The stop that a guardian asked for follows as an event of its own; refusals are told when they are
            // counted; drafts and the log's own housekeeping are nobody's news.
            EventBody::GuardianStopped { .. }
            | EventBody::DenialNoted { .. }
            | EventBody::Created { .. }
            | EventBody::StatementIssued { .. }
            | EventBody::OwnerAlive { .. }
            | EventBody::SnapshotTaken { .. } => return None,
        })
    }
}

/// Which kinds a channel wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// All but payments at tier INSTANT.
    Usual,
    /// These.
    These(Vec<Kind>),
}

impl Choice {
    /// Whether this kind is wanted. A trial always is.
    #[must_use]
    pub fn wants(&self, kind: Kind) -> bool {
        match self {
            _ if kind == Kind::Trial => true,
            Self::Usual => kind != Kind::PaymentInstant,
            Self::These(kinds) => kinds.contains(&kind),
        }
    }

    /// Reads names of kinds; `kill.*` is a whole group.
    ///
    /// # Errors
    /// The first name that is no kind's or group's.
    pub fn parse(names: &[String]) -> Result<Self, String> {
        let mut chosen = Vec::new();
        for name in names {
            let before = chosen.len();
            let group = name.strip_suffix('*');
            chosen.extend(Kind::ALL.iter().copied().filter(|kind| {
                let own = kind.as_str();
                match group {
                    Some(group) => group.ends_with('.') && own.starts_with(group),
                    None => own == name,
                }
            }));
            if chosen.len() == before {
                return Err(name.clone());
            }
        }
        Ok(Self::These(chosen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_chosen_by_name_and_group() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let choice = Choice::parse(&names(&["kill.*", "payment.waiting"])).expect("known");
        assert!(choice.wants(Kind::Killed) && choice.wants(Kind::KillReleased));
        assert!(choice.wants(Kind::PaymentWaiting) && !choice.wants(Kind::PaymentSigned));
        assert!(choice.wants(Kind::Trial), "a trial is always wanted");
        assert!(!Choice::Usual.wants(Kind::PaymentInstant) && Choice::Usual.wants(Kind::Silent));
        for unknown in [
            "kill",
            "kill.",
            "*",
            "kil*",
            "payment.wait*",
            "Kill.thrown",
            "",
        ] {
            assert_eq!(
                Choice::parse(&names(&[unknown])),
                Err(unknown.to_owned()),
                "{unknown:?}"
            );
        }
    }

    /// docs/notifications.md has a row for each kind, and says which are urgent.
    #[test]
    fn every_kind_is_documented() {
        let page = include_str!("../../../docs/notifications.md");
        let section = page.split("## Kinds").nth(1).expect("the section");
        let section = section.split("\n## ").next().expect("its text");
        let rows: Vec<&str> = section
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        assert_eq!(rows.len(), Kind::ALL.len());
        for (row, kind) in rows.iter().zip(Kind::ALL) {
            assert!(
                row.starts_with(&format!("| `{}` |", kind.as_str())),
                "{row}"
            );
            assert_eq!(row.ends_with("| yes |"), kind.is_urgent(), "{row}");
        }
    }
}
