//! The methods of `gateway.sock` alone: an agent's payment, judged or signed, its bytes once more, its login
//! at a web site, its authorization of a transfer, and the renewal of a session.

use std::rc::Rc;

use capnp::Error;
use waiaas_schema::gateway_capnp::gateway;

use super::convert::{self, Unfit, known, parsed};
use super::desk::{AtGateway, Desk, Stand as _};
use crate::authority::ask::Ask;

impl gateway::Server for Desk<AtGateway> {
    async fn decide(
        self: Rc<Self>,
        params: gateway::DecideParams,
        mut results: gateway::DecideResults,
    ) -> Result<(), Error> {
        let request = {
            let params = params.get()?;
            known::<gateway::decide_params::Builder<'_>>(params)?;
            convert::spend(params.get_request()?, true)
        };
        drop(params);
        let answer = match request {
            Ok(request) => {
                self.ask(|reply| Ask::Decide(Box::new(request), reply))
                    .await?
            }
            Err(Unfit::Denied(denial)) => Err(denial),
            Err(Unfit::Malformed(malformed)) => return Err(malformed.into()),
        };
        convert::write_verdict(&answer, results.get().init_verdict());
        Ok(())
    }

    async fn sign(
        self: Rc<Self>,
        params: gateway::SignParams,
        mut results: gateway::SignResults,
    ) -> Result<(), Error> {
        let request = {
            let params = params.get()?;
            known::<gateway::sign_params::Builder<'_>>(params)?;
            convert::spend(params.get_request()?, false)
        };
        drop(params);
        let answer = match request {
            Ok(request) => {
                self.ask(|reply| Ask::Sign(Box::new(request), reply))
                    .await?
            }
            Err(Unfit::Denied(denial)) => Err(denial),
            Err(Unfit::Malformed(malformed)) => return Err(malformed.into()),
        };
        convert::write_paid(&answer, results.get().init_outcome());
        Ok(())
    }

    async fn release(
        self: Rc<Self>,
        params: gateway::ReleaseParams,
        mut results: gateway::ReleaseResults,
    ) -> Result<(), Error> {
        let (transaction, unsigned) = {
            let params = params.get()?;
            known::<gateway::release_params::Builder<'_>>(params)?;
            (
                parsed(params.get_transaction()?, "transaction")?,
                convert::unsigned(params.get_unsigned()?),
            )
        };
        drop(params);
        let answer = match unsigned {
            Ok(unsigned) => {
                self.ask(|reply| Ask::Release(transaction, unsigned, reply))
                    .await?
            }
            Err(code) => Err(code.into()),
        };
        convert::write_outcome(&answer, results.get().init_outcome());
        Ok(())
    }

    async fn renew_session(
        self: Rc<Self>,
        params: gateway::RenewSessionParams,
        mut results: gateway::RenewSessionResults,
    ) -> Result<(), Error> {
        let request = {
            let params = params.get()?;
            known::<gateway::renew_session_params::Builder<'_>>(params)?;
            convert::session_request(params.get_request()?)
        };
        drop(params);
        let answer = match request {
            Ok(request) => {
                self.ask(|reply| Ask::Renew(Box::new(request), reply))
                    .await?
            }
            Err(Unfit::Denied(denial)) => Err(denial),
            Err(Unfit::Malformed(malformed)) => return Err(malformed.into()),
        };
        convert::write_renewed(&answer, results.get().init_result());
        Ok(())
    }

    async fn sign_in(
        self: Rc<Self>,
        params: gateway::SignInParams,
        mut results: gateway::SignInResults,
    ) -> Result<(), Error> {
        let (request, dry_run) = {
            let params = params.get()?;
            known::<gateway::sign_in_params::Builder<'_>>(params)?;
            let request = convert::session_request(params.get_request()?);
            (request, params.get_dry_run())
        };
        drop(params);
        let request = match request {
            Ok(request) => Box::new(request),
            Err(Unfit::Denied(denial)) => {
                convert::write_signed_in(&Err(denial), results.get().init_result());
                return Ok(());
            }
            Err(Unfit::Malformed(malformed)) => return Err(malformed.into()),
        };
        if dry_run {
            let answer = self.ask(|reply| Ask::DecideSignIn(request, reply)).await?;
            convert::write_would_sign_in(&answer, results.get().init_result());
        } else {
            let answer = self.ask(|reply| Ask::SignIn(request, reply)).await?;
            convert::write_signed_in(&answer, results.get().init_result());
        }
        Ok(())
    }

    async fn authorize_transfer(
        self: Rc<Self>,
        params: gateway::AuthorizeTransferParams,
        mut results: gateway::AuthorizeTransferResults,
    ) -> Result<(), Error> {
        let (request, dry_run) = {
            let params = params.get()?;
            known::<gateway::authorize_transfer_params::Builder<'_>>(params)?;
            let request = convert::session_request(params.get_request()?);
            (request, params.get_dry_run())
        };
        drop(params);
        let request = match request {
            Ok(request) => Box::new(request),
            Err(Unfit::Denied(denial)) => {
                convert::write_authorized(&Err(denial), results.get().init_result());
                return Ok(());
            }
            Err(Unfit::Malformed(malformed)) => return Err(malformed.into()),
        };
        if dry_run {
            let answer = self
                .ask(|reply| Ask::DecideAuthorization(request, reply))
                .await?;
            convert::write_would_authorize(&answer, results.get().init_result());
        } else {
            let answer = self
                .ask(|reply| Ask::AuthorizeTransfer(request, reply))
                .await?;
            convert::write_authorized(&answer, results.get().init_result());
        }
        Ok(())
    }

    async fn signed_transaction(
        self: Rc<Self>,
        params: gateway::SignedTransactionParams,
        mut results: gateway::SignedTransactionResults,
    ) -> Result<(), Error> {
        let transaction = {
            let params = params.get()?;
            known::<gateway::signed_transaction_params::Builder<'_>>(params)?;
            parsed(params.get_transaction()?, "transaction")?
        };
        drop(params);
        let answer = self
            .ask(|reply| Ask::SignedTransaction(transaction, AtGateway::ORIGIN, reply))
            .await?;
        convert::write_outcome(&answer, results.get().init_outcome());
        Ok(())
    }
}
