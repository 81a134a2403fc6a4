//! The kinds of events with their groups, for filters.

/// Every kind, as `event_words` names it, with its group.
pub(crate) const KINDS: &[(&str, &str)] = &[
    ("Created", "signer"),
    ("Unlocked", "signer"),
    ("Locked", "signer"),
    ("ClockStepped", "stops"),
    ("OwnerEnrolled", "owners"),
    ("WalletCreated", "signer"),
    ("StatementIssued", "owners"),
    ("PolicyAdopted", "policy"),
    ("SessionGranted", "sessions"),
    ("SessionRevoked", "sessions"),
    ("SessionExpired", "sessions"),
    ("SpendCommitted", "payments"),
    ("Withdrawn", "payments"),
    ("SpendReplaced", "payments"),
    ("Paused", "stops"),
    ("PauseReleased", "stops"),
    ("Killed", "stops"),
    ("KillReleased", "stops"),
    ("NonceAttested", "owners"),
    ("TimeStated", "owners"),
    ("WithdrawalEnrolled", "owners"),
    ("DenialsCounted", "payments"),
    ("IntentOpened", "payments"),
    ("IntentApproved", "payments"),
    ("IntentsEnded", "payments"),
    ("OwnerChangeScheduled", "owners"),
    ("OwnerChangeCancelled", "owners"),
    ("OwnerChangeEffective", "owners"),
    ("OwnerChangeVoided", "owners"),
    ("OwnerSuspended", "owners"),
    ("SuspensionLifted", "owners"),
    ("Credited", "payments"),
    ("GuardianStopped", "stops"),
    ("Retired", "signer"),
    ("SessionRenewed", "sessions"),
    ("WalletClosed", "signer"),
    ("WalletRotated", "signer"),
    ("AgentRegistered", "sessions"),
    ("AgentActivated", "sessions"),
    ("AgentStopped", "stops"),
    ("AgentTerminated", "sessions"),
    ("SnapshotTaken", "signer"),
    ("HeadMissed", "stops"),
    ("SessionSuspended", "stops"),
    ("SessionResumed", "sessions"),
    ("AlarmRaised", "stops"),
    ("OwnerAlive", "owners"),
    ("DenialNoted", "payments"),
    ("SignedIn", "sessions"),
    ("TransferAuthorized", "payments"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the kinds, from the source of the events: none is without a group.
    #[test]
    fn every_kind_has_a_group() {
        let source = include_str!("../../shared/src/event.rs");
        let body = source.split("pub enum EventBody {").nth(1).unwrap();
        let body = body.split("\n}\n").next().unwrap();
        let lines: Vec<&str> = body.lines().collect();
        let mut known = 0;
        for pair in lines.windows(2) {
            if pair[0].starts_with("    #[n(") {
                let name: String = pair[1]
                    .trim_start()
                    .chars()
                    .take_while(char::is_ascii_alphabetic)
                    .collect();
                assert!(KINDS.iter().any(|(kind, _)| *kind == name), "{name}");
                known += 1;
            }
        }
        assert_eq!(known, KINDS.len());
    }
}
