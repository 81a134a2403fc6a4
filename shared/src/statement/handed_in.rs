//! What goes with a statement's signatures when it is handed in: nothing, the password, or what a command of its own
//! asks for. For whoever leads an owner there; the signer demands it by itself.

use super::StatementFacts;

/// What goes with a kind's signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandedIn {
    /// Nothing.
    Alone,
    /// The password, over `admin.sock`.
    WithPassword,
    /// More than a signature: by its own command, which asks for it.
    Own(&'static str),
}

impl StatementFacts {
    /// How the command line hands it in. A policy that is not the first may come without the password, and waits
    /// longer then.
    #[must_use]
    pub const fn handed_in(&self) -> HandedIn {
        match self {
            Self::EnrolOwner { .. } => HandedIn::Own("waiaas owner enrol"),
            Self::AddOwner { .. } => HandedIn::Own("waiaas owner add"),
            Self::AddGuardian { .. } => HandedIn::Own("waiaas guardian add"),
            Self::RecoverOwners { .. } => HandedIn::Own("waiaas owner recover"),
            Self::Withdraw { .. } => HandedIn::Own("waiaas withdraw"),
            Self::AdoptPolicy { .. }
            | Self::ReleaseKill { .. }
            | Self::EnrolWithdrawal { .. }
            | Self::RemoveWithdrawal { .. }
            | Self::RemoveOwner { .. }
            | Self::SetQuorum { .. }
            | Self::LiftSuspension { .. }
            | Self::RemoveGuardian { .. }
            | Self::Retire => HandedIn::WithPassword,
            Self::GrantSession { .. }
            | Self::ReleasePause { .. }
            | Self::AttestNonce { .. }
            | Self::StateTime { .. }
            | Self::ApprovePayment { .. }
            | Self::RejectPayment { .. }
            | Self::CancelOwnerChange { .. }
            | Self::SuspendOwner { .. }
            | Self::Credit { .. }
            | Self::CloseWallet { .. }
            | Self::RotateWallet { .. }
            | Self::RegisterAgent { .. }
            | Self::ActivateAgent { .. }
            | Self::ResumeSession { .. }
            | Self::SignOfLife
            | Self::GuardianStop { .. } => HandedIn::Alone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::SolanaAddress;
    use crate::keys::OwnerKey;

    #[test]
    fn what_more_goes_with_is_handed_in_by_its_own_command() {
        let key = OwnerKey::Ed25519(SolanaAddress::from_bytes([1; 32]));
        assert!(matches!(
            StatementFacts::AddOwner { key }.handed_in(),
            HandedIn::Own(_)
        ));
        assert!(matches!(
            StatementFacts::RecoverOwners { key }.handed_in(),
            HandedIn::Own(_)
        ));
        let wallet = None;
        assert_eq!(
            StatementFacts::ReleasePause { wallet }.handed_in(),
            HandedIn::Alone
        );
        let active = true;
        assert_eq!(
            StatementFacts::RegisterAgent { active }.handed_in(),
            HandedIn::Alone
        );
        assert_eq!(StatementFacts::Retire.handed_in(), HandedIn::WithPassword);
        let quorum = 2;
        assert_eq!(
            StatementFacts::SetQuorum { quorum }.handed_in(),
            HandedIn::WithPassword
        );
    }
}
