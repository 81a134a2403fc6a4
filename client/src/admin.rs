//! What `admin.sock` offers alone. Passwords are put into the signer's locked memory first
//! ([`Client::put_secret`](crate::Client)) and named by their tickets.

use waiaas_shared::address::Account;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::{OwnerId, SignerId, StatementId, TransactionId, WalletId};
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};

use crate::answer::{self, Submitted, protocol};
use crate::common::write_signatures;
use crate::{AdminClient, ClientError, Result, Ticket};

/// A new signer.
#[derive(Debug)]
pub struct Initialized {
    /// Its identifier.
    pub signer: SignerId,
    /// Fetches the 24 words, once and within a minute: [`AdminClient::take_secret`].
    pub phrase: Ticket,
}

/// A new wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewWallet {
    /// Its identifier.
    pub wallet: WalletId,
    /// Its address.
    pub account: Account,
}

/// What the signer's fold of its whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// The newest event that was folded.
    pub sequence: u64,
    /// Its hash.
    pub hash: Digest,
    /// Snapshots that were compared.
    pub snapshots: u32,
    /// What is not as the log says; empty: everything is.
    pub problems: Vec<String>,
}

impl AdminClient {
    /// Creates keystore and log under the password.
    ///
    /// # Errors
    /// [`ClientError`], here and below.
    pub async fn initialize(&self, password: &Ticket) -> Result<Initialized> {
        let mut request = self.own.initialize_request();
        request.get().set_password(password.as_bytes());
        let response = request.send().promise.await?;
        let answer = response.get()?;
        let ticket = answer.get_phrase().map_err(protocol)?;
        Ok(Initialized {
            signer: answer::parsed(answer.get_signer_id())?,
            phrase: Ticket::from_bytes(ticket.try_into().map_err(protocol)?),
        })
    }

    /// Opens the keystore. `vouch_for_time_off`: the time since the signer last ran counts for budgets.
    /// `presented`: the newest signed head that the owner kept, as a note; a log that does not go through
    /// it unlocks with everything paused.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unlock(
        &self,
        password: &Ticket,
        vouch_for_time_off: bool,
        presented: Option<&str>,
    ) -> Result<()> {
        let mut request = self.own.unlock_request();
        request.get().set_password(password.as_bytes());
        request.get().set_vouch_for_time_off(vouch_for_time_off);
        request
            .get()
            .set_presented_head(presented.unwrap_or_default());
        let response = request.send().promise.await?;
        match answer::denial(response.get()?.get_violations())? {
            None => Ok(()),
            Some(denial) => Err(ClientError::Denied(denial)),
        }
    }

    /// Folds the whole log once more in the signer, and compares. Takes as long as the log is long.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn audit(&self) -> Result<Audited> {
        let response = self.own.audit_request().send().promise.await?;
        let answer = response.get()?;
        let hash = answer.get_hash().map_err(protocol)?;
        let problems = answer.get_problems().map_err(protocol)?;
        Ok(Audited {
            sequence: answer.get_sequence(),
            hash: Digest::from_bytes(hash.try_into().map_err(protocol)?),
            snapshots: answer.get_snapshots(),
            problems: problems.iter().map(answer::owned).collect::<Result<_>>()?,
        })
    }

    /// Wipes the keys.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn lock(&self) -> Result<()> {
        self.own.lock_request().send().promise.await?;
        Ok(())
    }

    /// Creates a wallet, bound to its networks for ever. `first_nonce`: the owner's attestation for
    /// every EVM network named; 0 for a key that never sent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_wallet(
        &self,
        password: &Ticket,
        family: Family,
        networks: &[ChainId],
        first_nonce: u64,
    ) -> Result<NewWallet> {
        let mut request = self.own.create_wallet_request();
        let mut params = request.get();
        params.set_password(password.as_bytes());
        params.set_family(match family {
            Family::Solana => "solana",
            Family::Evm => "evm",
        });
        params.set_first_nonce(first_nonce);
        let mut list = params.init_networks(u32::try_from(networks.len()).unwrap_or(u32::MAX));
        for (place, network) in (0..).zip(networks) {
            list.set(place, network.to_string());
        }
        let response = request.send().promise.await?;
        let answer = response.get()?;
        if let Some(denial) = answer::denial(answer.get_violations())? {
            return Err(ClientError::Denied(denial));
        }
        Ok(NewWallet {
            wallet: answer::parsed(answer.get_wallet())?,
            account: answer::parsed(answer.get_account())?,
        })
    }

    /// As [`submit_statement`](crate::Client::submit_statement), with the password that some kinds
    /// demand.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn submit_with_password(
        &self,
        password: &Ticket,
        statement: StatementId,
        signatures: &[OwnerSignature],
    ) -> Result<Submitted> {
        let mut request = self.own.submit_with_password_request();
        let mut params = request.get();
        params.set_password(password.as_bytes());
        params.set_statement(statement.to_string());
        write_signatures(signatures, |length| params.init_signatures(length));
        let response = request.send().promise.await?;
        answer::submitted(response.get()?.get_result().map_err(protocol)?)
    }

    /// Enrols an owner: the rehearsal signature over an `EnrolOwner` statement.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn enrol_owner(
        &self,
        password: &Ticket,
        statement: StatementId,
        envelope: Envelope,
        signature: &[u8],
    ) -> Result<OwnerId> {
        let mut request = self.own.enrol_owner_request();
        let mut params = request.get();
        params.set_password(password.as_bytes());
        params.set_statement(statement.to_string());
        params.set_envelope(envelope.as_str());
        params.set_signature(signature);
        let response = request.send().promise.await?;
        let answer = response.get()?;
        if let Some(denial) = answer::denial(answer.get_violations())? {
            return Err(ClientError::Denied(denial));
        }
        answer::parsed(answer.get_owner())
    }

    /// The owner's way out: a signed `Withdraw` statement and the transaction that carries it out.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn withdraw(
        &self,
        statement: StatementId,
        signatures: &[OwnerSignature],
        unsigned: &[u8],
    ) -> Result<Submitted> {
        let mut request = self.own.withdraw_request();
        let mut params = request.get();
        params.set_statement(statement.to_string());
        params.set_unsigned(unsigned);
        write_signatures(signatures, |length| params.init_signatures(length));
        let response = request.send().promise.await?;
        answer::submitted(response.get()?.get_result().map_err(protocol)?)
    }

    /// The bytes of a withdrawal, or of another committed payment, once more.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn signed_transaction(&self, transaction: TransactionId) -> Result<Submitted> {
        let mut request = self.own.signed_transaction_request();
        request.get().set_transaction(transaction.to_string());
        let response = request.send().promise.await?;
        answer::submitted(response.get()?.get_result().map_err(protocol)?)
    }

    /// Registers a new owner's or guardian's key after 72 hours: owners' signatures over an `AddOwner`
    /// or `AddGuardian` statement, and the key's own.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn register_key(
        &self,
        password: &Ticket,
        statement: StatementId,
        signatures: &[OwnerSignature],
        envelope: Envelope,
        signature: &[u8],
    ) -> Result<OwnerId> {
        let mut request = self.own.register_key_request();
        let mut params = request.get();
        params.set_password(password.as_bytes());
        params.set_statement(statement.to_string());
        params.set_envelope(envelope.as_str());
        params.set_signature(signature);
        write_signatures(signatures, |length| params.init_signatures(length));
        let response = request.send().promise.await?;
        let answer = response.get()?;
        if let Some(denial) = answer::denial(answer.get_violations())? {
            return Err(ClientError::Denied(denial));
        }
        answer::parsed(answer.get_owner())
    }

    /// Begins a recovery: the new key's signature over a `RecoverOwners` statement, with password and
    /// recovery phrase; guardians' signatures are recorded.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn recover_owners(
        &self,
        password: &Ticket,
        phrase: &Ticket,
        statement: StatementId,
        rehearsal: (Envelope, &[u8]),
        guardians: &[OwnerSignature],
    ) -> Result<Submitted> {
        let (envelope, signature) = rehearsal;
        let mut request = self.own.recover_owners_request();
        let mut params = request.get();
        params.set_password(password.as_bytes());
        params.set_phrase(phrase.as_bytes());
        params.set_statement(statement.to_string());
        params.set_envelope(envelope.as_str());
        params.set_signature(signature);
        write_signatures(guardians, |length| params.init_guardians(length));
        let response = request.send().promise.await?;
        answer::submitted(response.get()?.get_result().map_err(protocol)?)
    }

    /// Suspends an owner's key with the password alone.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn suspend_owner(&self, password: &Ticket, owner: OwnerId) -> Result<Submitted> {
        let mut request = self.own.suspend_owner_request();
        request.get().set_password(password.as_bytes());
        request.get().set_owner(owner.to_string());
        let response = request.send().promise.await?;
        answer::submitted(response.get()?.get_result().map_err(protocol)?)
    }
}
