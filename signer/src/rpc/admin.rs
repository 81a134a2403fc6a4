//! The methods of `admin.sock` alone: keystore, wallets, owners, what needs the password, the owner's
//! way out. Passwords arrive by ticket, in locked memory, and leave here for the authority unread.

use std::rc::Rc;

use capnp::Error;
use waiaas_schema::admin_capnp::admin;
use waiaas_shared::denial::{Code, Denial};

use super::convert::{self, known, parsed};
use super::desk::{AtAdmin, Desk, Stand as _, exception};
use super::secret_slots::{Direction, SlotError};
use crate::authority::ask::{Ask, UnlockWish};
use crate::core::command::{Recovery, Rehearsal};
use crate::sys::memory::LockedBytes;

impl Desk<AtAdmin> {
    /// The secret that the peer put into locked memory under this ticket.
    fn secret(&self, ticket: &[u8]) -> Result<LockedBytes, Denial> {
        let secret = self
            .socket
            .secrets
            .take(ticket, self.peer_uid, Direction::In);
        secret.ok_or_else(|| Code::SecretUnknown.into())
    }
}

impl admin::Server for Desk<AtAdmin> {
    async fn initialize(
        self: Rc<Self>,
        params: admin::InitializeParams,
        mut results: admin::InitializeResults,
    ) -> Result<(), Error> {
        let password = {
            let params = params.get()?;
            known::<admin::initialize_params::Builder<'_>>(params)?;
            self.secret(params.get_password()?)
                .map_err(|denial| exception(&denial))?
        };
        drop(params);
        // A place for the words first: once the keystore exists they must find one.
        let place = self.socket.secrets.reserve().map_err(|error| {
            exception(&match error {
                SlotError::Full => Code::Overloaded.into(),
                SlotError::Entropy => Code::EntropyFailed.into(),
            })
        })?;
        let answer = self.ask(|reply| Ask::Initialize(password, reply)).await?;
        let created = answer.map_err(|denial| exception(&denial))?;
        let ticket = place.fill(self.peer_uid, Direction::Out, created.phrase);
        let mut results = results.get();
        results.set_signer_id(created.signer.to_string());
        results.set_phrase(ticket.as_bytes());
        Ok(())
    }

    async fn unlock(
        self: Rc<Self>,
        params: admin::UnlockParams,
        mut results: admin::UnlockResults,
    ) -> Result<(), Error> {
        let (password, wish) = {
            let params = params.get()?;
            known::<admin::unlock_params::Builder<'_>>(params)?;
            let note = params.get_presented_head()?.to_str()?;
            let wish = UnlockWish {
                vouch: params.get_vouch_for_time_off(),
                presented: (!note.is_empty()).then(|| note.to_owned()),
            };
            (self.secret(params.get_password()?), wish)
        };
        drop(params);
        let answer = match password {
            Ok(password) => self.ask(|reply| Ask::Unlock(password, wish, reply)).await?,
            Err(denial) => Err(denial),
        };
        if let Err(denial) = answer {
            convert::write_violations(&denial, |length| results.get().init_violations(length));
        }
        Ok(())
    }

    async fn lock(
        self: Rc<Self>,
        _: admin::LockParams,
        _: admin::LockResults,
    ) -> Result<(), Error> {
        let answer = self.ask(|reply| Ask::Lock(AtAdmin::ORIGIN, reply)).await?;
        answer.map_err(|denial| exception(&denial))
    }

    async fn create_wallet(
        self: Rc<Self>,
        params: admin::CreateWalletParams,
        mut results: admin::CreateWalletResults,
    ) -> Result<(), Error> {
        let (password, family, networks, first_nonce) = {
            let params = params.get()?;
            known::<admin::create_wallet_params::Builder<'_>>(params)?;
            let family = convert::family(params.get_family()?)?;
            let networks = convert::networks(params.get_networks()?)?;
            (
                self.secret(params.get_password()?),
                family,
                networks,
                params.get_first_nonce(),
            )
        };
        drop(params);
        let answer = match password {
            Ok(password) => {
                self.ask(|reply| Ask::CreateWallet(password, family, networks, first_nonce, reply))
                    .await?
            }
            Err(denial) => Err(denial),
        };
        let mut results = results.get();
        match answer {
            Ok(view) => {
                results.set_wallet(view.wallet.to_string());
                results.set_account(view.account.to_string());
            }
            Err(denial) => {
                convert::write_violations(&denial, |length| results.init_violations(length))
            }
        }
        Ok(())
    }

    async fn submit_with_password(
        self: Rc<Self>,
        params: admin::SubmitWithPasswordParams,
        mut results: admin::SubmitWithPasswordResults,
    ) -> Result<(), Error> {
        let (password, statement, signatures) = {
            let params = params.get()?;
            known::<admin::submit_with_password_params::Builder<'_>>(params)?;
            let statement = parsed(params.get_statement()?, "statement")?;
            let signatures = convert::signatures(params.get_signatures()?)?;
            (self.secret(params.get_password()?), statement, signatures)
        };
        drop(params);
        let answer = match password {
            Ok(password) => {
                let ask = |reply| {
                    Ask::Submit(
                        statement,
                        signatures,
                        AtAdmin::ORIGIN,
                        Some(password),
                        reply,
                    )
                };
                self.ask(ask).await?
            }
            Err(denial) => Err(denial),
        };
        convert::write_submitted(
            &answer.map(|sequence| (sequence, None)),
            results.get().init_result(),
        );
        Ok(())
    }

    async fn enrol_owner(
        self: Rc<Self>,
        params: admin::EnrolOwnerParams,
        mut results: admin::EnrolOwnerResults,
    ) -> Result<(), Error> {
        let (password, statement, envelope, signature) = {
            let params = params.get()?;
            known::<admin::enrol_owner_params::Builder<'_>>(params)?;
            let statement = parsed(params.get_statement()?, "statement")?;
            let envelope = convert::envelope(params.get_envelope()?)?;
            let signature = convert::signature(params.get_signature()?)?;
            (
                self.secret(params.get_password()?),
                statement,
                envelope,
                signature,
            )
        };
        drop(params);
        let answer = match password {
            Ok(password) => {
                self.ask(|reply| Ask::Enrol(password, statement, envelope, signature, reply))
                    .await?
            }
            Err(denial) => Err(denial),
        };
        let mut results = results.get();
        match answer {
            Ok(owner) => results.set_owner(owner.to_string()),
            Err(denial) => {
                convert::write_violations(&denial, |length| results.init_violations(length))
            }
        }
        Ok(())
    }

    async fn withdraw(
        self: Rc<Self>,
        params: admin::WithdrawParams,
        mut results: admin::WithdrawResults,
    ) -> Result<(), Error> {
        let (statement, signatures, unsigned) = {
            let params = params.get()?;
            known::<admin::withdraw_params::Builder<'_>>(params)?;
            let statement = parsed(params.get_statement()?, "statement")?;
            let signatures = convert::signatures(params.get_signatures()?)?;
            (
                statement,
                signatures,
                convert::unsigned(params.get_unsigned()?),
            )
        };
        drop(params);
        let answer = match unsigned {
            Ok(unsigned) => {
                self.ask(|reply| Ask::Withdraw(statement, signatures, unsigned, reply))
                    .await?
            }
            Err(code) => Err(code.into()),
        };
        let answer = answer.map(|signed| (signed.sequence, Some(signed)));
        convert::write_submitted(&answer, results.get().init_result());
        Ok(())
    }

    async fn signed_transaction(
        self: Rc<Self>,
        params: admin::SignedTransactionParams,
        mut results: admin::SignedTransactionResults,
    ) -> Result<(), Error> {
        let transaction = {
            let params = params.get()?;
            known::<admin::signed_transaction_params::Builder<'_>>(params)?;
            parsed(params.get_transaction()?, "transaction")?
        };
        drop(params);
        let answer = self
            .ask(|reply| Ask::SignedTransaction(transaction, AtAdmin::ORIGIN, reply))
            .await?;
        let answer = answer.map(|signed| (signed.sequence, Some(signed)));
        convert::write_submitted(&answer, results.get().init_result());
        Ok(())
    }

    async fn register_key(
        self: Rc<Self>,
        params: admin::RegisterKeyParams,
        mut results: admin::RegisterKeyResults,
    ) -> Result<(), Error> {
        let (password, signatures, rehearsal) = {
            let params = params.get()?;
            known::<admin::register_key_params::Builder<'_>>(params)?;
            let rehearsal = Rehearsal {
                statement: parsed(params.get_statement()?, "statement")?,
                envelope: convert::envelope(params.get_envelope()?)?,
                signature: convert::signature(params.get_signature()?)?,
            };
            let signatures = convert::signatures(params.get_signatures()?)?;
            (self.secret(params.get_password()?), signatures, rehearsal)
        };
        drop(params);
        let answer = match password {
            Ok(password) => {
                self.ask(|reply| Ask::Register(password, signatures, rehearsal, reply))
                    .await?
            }
            Err(denial) => Err(denial),
        };
        let mut results = results.get();
        match answer {
            Ok(owner) => results.set_owner(owner.to_string()),
            Err(denial) => {
                convert::write_violations(&denial, |length| results.init_violations(length))
            }
        }
        Ok(())
    }

    async fn recover_owners(
        self: Rc<Self>,
        params: admin::RecoverOwnersParams,
        mut results: admin::RecoverOwnersResults,
    ) -> Result<(), Error> {
        let (secrets, recovery) = {
            let params = params.get()?;
            known::<admin::recover_owners_params::Builder<'_>>(params)?;
            let rehearsal = Rehearsal {
                statement: parsed(params.get_statement()?, "statement")?,
                envelope: convert::envelope(params.get_envelope()?)?,
                signature: convert::signature(params.get_signature()?)?,
            };
            let guardians = convert::signatures(params.get_guardians()?)?;
            // Both tickets are used up, whichever is wrong.
            let password = self.secret(params.get_password()?);
            let phrase = self.secret(params.get_phrase()?);
            let recovery = Recovery {
                rehearsal,
                guardians,
            };
            (
                password.and_then(|password| Ok((password, phrase?))),
                recovery,
            )
        };
        drop(params);
        let answer = match secrets {
            Ok((password, phrase)) => {
                self.ask(|reply| Ask::Recover(password, phrase, recovery, reply))
                    .await?
            }
            Err(denial) => Err(denial),
        };
        convert::write_submitted(
            &answer.map(|sequence| (sequence, None)),
            results.get().init_result(),
        );
        Ok(())
    }

    async fn suspend_owner(
        self: Rc<Self>,
        params: admin::SuspendOwnerParams,
        mut results: admin::SuspendOwnerResults,
    ) -> Result<(), Error> {
        let (password, owner) = {
            let params = params.get()?;
            known::<admin::suspend_owner_params::Builder<'_>>(params)?;
            let owner = parsed(params.get_owner()?, "owner")?;
            (self.secret(params.get_password()?), owner)
        };
        drop(params);
        let answer = match password {
            Ok(password) => {
                self.ask(|reply| Ask::SuspendOwner(password, owner, reply))
                    .await?
            }
            Err(denial) => Err(denial),
        };
        convert::write_submitted(
            &answer.map(|sequence| (sequence, None)),
            results.get().init_result(),
        );
        Ok(())
    }

    async fn audit(
        self: Rc<Self>,
        _: admin::AuditParams,
        mut results: admin::AuditResults,
    ) -> Result<(), Error> {
        let answer = self.ask(Ask::Audit).await?;
        let audited = answer.map_err(|denial| exception(&denial))?;
        let mut results = results.get();
        results.set_sequence(audited.sequence);
        results.set_hash(audited.hash.as_bytes());
        results.set_snapshots(audited.snapshots);
        let problems = u32::try_from(audited.problems.len()).unwrap_or(u32::MAX);
        let mut list = results.init_problems(problems);
        for (place, problem) in (0..problems).zip(&audited.problems) {
            list.set(place, problem);
        }
        Ok(())
    }
}
