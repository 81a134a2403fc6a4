//! Samples of the statements about owners, the owners in the state that they are drafted in, and second
//! tries of payments. Only values. Used by `samples`.

use super::samples::{
    OWNER_ED25519, OWNER_EVM, RECIPIENT_EVM, RECIPIENT_SOLANA, Sample, TestView, USDC,
    first_policy, intent, read, session_id, transaction_id, units, wallet_id,
};
use super::*;
use crate::event::{Charge, Replaces};
use crate::ids::TransactionId;
use crate::intent::{Moved, Wait};
use crate::owner_change::{KnownKey, NewKey};
use crate::request::Action;
use crate::statement::GuardianStop;
use crate::statement::verify::Envelope;

pub(in crate::statement) fn owner_id(number: u8) -> OwnerId {
    OwnerId::from_bytes([number; 16])
}

pub(in crate::statement) fn change_id(number: u8) -> StatementId {
    StatementId::from_bytes([number; 16])
}

/// Owners 1 (Solana) and 2 (EVM).
pub(in crate::statement) fn owners() -> Vec<(OwnerId, OwnerKey)> {
    vec![
        (owner_id(1), OwnerKey::Ed25519(read(OWNER_ED25519))),
        (owner_id(2), OwnerKey::Secp256k1(read(OWNER_EVM))),
    ]
}

/// Guardian 3.
pub(in crate::statement) fn guardian() -> (OwnerId, OwnerKey) {
    (owner_id(3), OwnerKey::Ed25519(read(NEW_KEY)))
}

const NEW_KEY: &str = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T";

fn new_key() -> OwnerKey {
    OwnerKey::Ed25519(read("US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx"))
}

fn new(number: u8) -> NewKey {
    NewKey {
        id: owner_id(number),
        key: new_key(),
        envelope: Envelope::Ed25519Plain,
    }
}

/// Changes 1 to 8, one of each kind, that wait.
pub(in crate::statement) fn pending() -> Vec<(StatementId, OwnerChange)> {
    let known = KnownKey {
        id: owner_id(2),
        key: OwnerKey::Secp256k1(read(OWNER_EVM)),
    };
    let changes = [
        OwnerChange::AddOwner(new(4)),
        OwnerChange::RemoveOwner(known),
        OwnerChange::SetQuorum { quorum: 2 },
        OwnerChange::AddGuardian(new(4)),
        OwnerChange::RemoveGuardian(KnownKey {
            id: guardian().0,
            key: guardian().1,
        }),
        OwnerChange::EnrolWithdrawal {
            account: read(RECIPIENT_EVM),
        },
        OwnerChange::Recover {
            key: new(5),
            guardians: vec![guardian().0],
        },
        OwnerChange::RemoveWithdrawal {
            account: read(RECIPIENT_EVM),
        },
    ];
    (1..)
        .zip(changes)
        .map(|(number, change)| (change_id(number), change))
        .collect()
}

/// At least one of each kind.
pub(in crate::statement) fn owner_samples() -> Vec<Sample> {
    let view = TestView::new(Some(first_policy()));
    let sample = |name, facts| Sample {
        name,
        view: view.clone(),
        facts,
    };
    let (owner, guardian) = (owner_id(2), guardian().0);
    vec![
        sample("add-owner", StatementFacts::AddOwner { key: new_key() }),
        sample("remove-owner", StatementFacts::RemoveOwner { owner }),
        sample("set-quorum", StatementFacts::SetQuorum { quorum: 2 }),
        sample(
            "cancel-owner-change",
            StatementFacts::CancelOwnerChange {
                change: change_id(1),
            },
        ),
        sample("suspend-owner", StatementFacts::SuspendOwner { owner }),
        sample("lift-suspension", StatementFacts::LiftSuspension { owner }),
        sample(
            "credit",
            StatementFacts::Credit {
                sequence: 41,
                transaction: TransactionId::from_bytes([6; 16]),
                wallet: wallet_id(1),
                amounts: vec![Charge {
                    asset: read("solana:localnet/slip44:501"),
                    amount: units(250_005_000),
                }],
            },
        ),
        sample(
            "recover-owners",
            StatementFacts::RecoverOwners { key: new_key() },
        ),
        sample(
            "add-guardian",
            StatementFacts::AddGuardian { key: new_key() },
        ),
        sample(
            "remove-guardian",
            StatementFacts::RemoveGuardian { guardian },
        ),
        sample(
            "guardian-stop-pause",
            StatementFacts::GuardianStop {
                stop: GuardianStop::PauseAll,
            },
        ),
        sample(
            "guardian-stop-kill",
            StatementFacts::GuardianStop {
                stop: GuardianStop::Kill,
            },
        ),
        sample(
            "guardian-stop-cancel",
            StatementFacts::GuardianStop {
                stop: GuardianStop::CancelChange {
                    change: change_id(7),
                },
            },
        ),
        sample("retire-signer", StatementFacts::Retire),
        sample(
            "resume-session",
            StatementFacts::ResumeSession {
                session: session_id(1),
            },
        ),
        sample("sign-of-life", StatementFacts::SignOfLife),
    ]
}

/// An agent asks that a contact may take a token later.
pub(in crate::statement) fn allowance(number: u8, amount: u128) -> Intent {
    Intent {
        transaction: transaction_id(number),
        asset: read(USDC),
        to: read("0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"),
        amount: units(amount),
        action: Some(Action::Approve),
        ..intent(1)
    }
}

/// A Solana payment that replaces one; 3: the first try, 4: the second of two.
pub(in crate::statement) fn another_try(number: u8) -> Intent {
    Intent {
        transaction: transaction_id(number),
        wallet: wallet_id(1),
        asset: read("solana:localnet/slip44:501"),
        to: read::<AccountId>(RECIPIENT_SOLANA).account(),
        amount: units(250_000_000),
        fee_ceiling: units(10_000),
        wait: Wait::Approval { quorum: 1 },
        replaces: Some(Replaces {
            transaction: transaction_id(0x50 + number),
            tries: u32::from(number) - 2,
        }),
        ..intent(1)
    }
}

/// Several transfers in one transaction, with a memo: to a contact, to a stranger, to the contact again.
pub(in crate::statement) fn batch(number: u8) -> Intent {
    let token = "solana:localnet/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
    Intent {
        transaction: transaction_id(number),
        wallet: wallet_id(1),
        asset: read("solana:localnet/slip44:501"),
        to: read::<AccountId>(RECIPIENT_SOLANA).account(),
        amount: units(250_000_000),
        fee_ceiling: units(10_000),
        rent_ceiling: Some(units(2_039_280)),
        wait: Wait::Approval { quorum: 1 },
        first_payment: true,
        more: Some(vec![
            Moved {
                asset: read(token),
                to: read("4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA"),
                amount: units(12_500_000),
            },
            Moved {
                asset: read("solana:localnet/slip44:501"),
                to: read::<AccountId>(RECIPIENT_SOLANA).account(),
                amount: units(1),
            },
        ]),
        memo: Some(read("payroll 11: \"November\"")),
        ..intent(1)
    }
}
