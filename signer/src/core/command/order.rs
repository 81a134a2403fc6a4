//! The one signing door (invariant 1): an order to sign, which only the core makes, for one of three
//! things that nobody outside can make at will: a transaction that was understood to its last byte, a message of
//! the signer's own template, or typed data of the one type that is compiled in.

use std::fmt::Debug;

use waiaas_shared::authorization::AuthorizationMessage;
use waiaas_shared::ids::{MessageId, TransactionId};
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::sign_in::SignInMessage;
use waiaas_shared::transaction::{DecodedTransaction, SigningPayload, signing_payload};

/// What a wallet's key signs. Three kinds, and no other can be added outside of this file.
pub trait Signable: sealed::Sealed + Debug {
    /// What the answer says beside the signature.
    type Seal: Copy + Debug;

    /// What the key signs, computed from what was understood or written.
    fn payload(&self) -> SigningPayload<'_>;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::DecodedTransaction {}
    impl Sealed for super::SignInMessage {}
    impl Sealed for super::AuthorizationMessage {}
}

impl Signable for DecodedTransaction {
    type Seal = Sealed;

    fn payload(&self) -> SigningPayload<'_> {
        signing_payload(self)
    }
}

impl Signable for SignInMessage {
    type Seal = MessageSeal;

    fn payload(&self) -> SigningPayload<'_> {
        self.signing_payload()
    }
}

impl Signable for AuthorizationMessage {
    type Seal = Sealed;

    fn payload(&self) -> SigningPayload<'_> {
        self.signing_payload()
    }
}

/// An order to sign. Only the core makes one, and only beside (or for) the event that charged it.
#[derive(Debug)]
pub struct SigningOrder<T: Signable = DecodedTransaction> {
    path: KeyPath,
    signable: T,
    sealed: T::Seal,
}

/// What the answer of a signed payment or authorization says beside what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Which payment.
    pub transaction: TransactionId,
    /// How it was released.
    pub tier: Tier,
    /// The event that charged it, if it was charged earlier.
    pub replay_of: Option<u64>,
}

/// What a signed message's answer says beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageSeal {
    /// Which message.
    pub message: MessageId,
    /// How it was released.
    pub tier: Tier,
    /// The event that counted it, if it was counted earlier.
    pub replay_of: Option<u64>,
}

impl<T: Signable> SigningOrder<T> {
    pub(in crate::core) const fn new(path: KeyPath, signable: T, sealed: T::Seal) -> Self {
        Self {
            path,
            signable,
            sealed,
        }
    }

    /// Which key signs.
    #[must_use]
    pub const fn path(&self) -> KeyPath {
        self.path
    }

    /// What the key signs.
    #[must_use]
    pub fn payload(&self) -> SigningPayload<'_> {
        self.signable.payload()
    }

    /// What the answer says beside the signature.
    #[must_use]
    pub const fn sealed(&self) -> T::Seal {
        self.sealed
    }
}

impl SigningOrder {
    /// What is signed.
    #[must_use]
    pub const fn transaction(&self) -> &DecodedTransaction {
        &self.signable
    }
}

impl SigningOrder<SignInMessage> {
    /// What is signed.
    #[must_use]
    pub const fn message(&self) -> &SignInMessage {
        &self.signable
    }

    /// What is signed, to be joined with its signature.
    #[must_use]
    pub fn into_message(self) -> SignInMessage {
        self.signable
    }
}

impl SigningOrder<AuthorizationMessage> {
    /// What is signed.
    #[must_use]
    pub const fn authorization(&self) -> &AuthorizationMessage {
        &self.signable
    }

    /// What is signed, to be joined with its signature.
    #[must_use]
    pub fn into_authorization(self) -> AuthorizationMessage {
        self.signable
    }
}
