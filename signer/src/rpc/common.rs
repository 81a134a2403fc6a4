//! The methods that both sockets have: reading, drafting and submitting statements, stopping,
//! and signing an issued nonce once more. Each turns its parameters into one ask and its answer into results.

use std::rc::Rc;
use std::time::Duration;

use capnp::Error;
use tokio::time::timeout;
use waiaas_schema::common_capnp::common;
use waiaas_shared::codec::to_canonical;

use super::convert::{self, Unfit, known, parsed, parsed_if_any};
use super::desk::{Desk, Stand, exception};
use crate::authority::ask::Ask;
use crate::core::AgentStop;
use crate::core::command::Change;

/// The longest wait for the next event.
const WAIT_LIMIT: Duration = Duration::from_secs(30);
/// The largest page of events, in bytes of their bodies.
const EVENTS_LIMIT_BYTES: usize = 256 * 1024;

impl<S: Stand> common::Server for Desk<S> {
    async fn status(
        self: Rc<Self>,
        _: common::StatusParams,
        mut results: common::StatusResults,
    ) -> Result<(), Error> {
        let status = self
            .ask(Ask::Status)
            .await?
            .map_err(|denial| exception(&denial))?;
        let mut builder = results.get().init_status();
        convert::write_status(&status, &mut builder);
        builder
            .set_claim_holds(self.socket.peers.claim_holds && self.peer_uid != self.socket.own_uid);
        builder.set_version(env!("CARGO_PKG_VERSION"));
        let lines = &self.socket.sandbox;
        let mut list = builder.init_sandbox(u32::try_from(lines.len()).unwrap_or(0));
        for (place, line) in (0..list.len()).zip(lines) {
            list.set(place, line);
        }
        Ok(())
    }

    async fn events(
        self: Rc<Self>,
        params: common::EventsParams,
        mut results: common::EventsResults,
    ) -> Result<(), Error> {
        let (after, max_bytes, wait) = {
            let params = params.get()?;
            known::<common::events_params::Builder<'_>>(params)?;
            let wait = Duration::from_millis(params.get_wait_millis().into());
            (
                params.get_after(),
                params.get_max_bytes(),
                wait.min(WAIT_LIMIT),
            )
        };
        drop(params);
        let mut last = self.socket.channels.last_sequence.clone();
        // Time passed, or no authority any more: the ask says which.
        let _ = timeout(wait, last.wait_for(|newest| *newest > after)).await;
        let max_bytes = usize::try_from(max_bytes)
            .unwrap_or(EVENTS_LIMIT_BYTES)
            .min(EVENTS_LIMIT_BYTES);
        let _turn = self.link.page().await?;
        let answer = self
            .ask(|reply| Ask::Events(after, max_bytes, reply))
            .await?;
        let answer = answer.map_err(|denial| exception(&denial))?;
        convert::write_page(&answer, results.get().init_page());
        Ok(())
    }

    async fn remaining(
        self: Rc<Self>,
        params: common::RemainingParams,
        mut results: common::RemainingResults,
    ) -> Result<(), Error> {
        let session = {
            let params = params.get()?;
            known::<common::remaining_params::Builder<'_>>(params)?;
            parsed(params.get_session()?, "session")?
        };
        drop(params);
        let _turn = self.link.page().await?;
        let answer = self.ask(|reply| Ask::Remaining(session, reply)).await?;
        if let Some(view) = answer.map_err(|denial| exception(&denial))? {
            let canonical = to_canonical(&view);
            convert::fits([&canonical])?;
            results.get().set_canonical(&canonical);
        }
        Ok(())
    }

    async fn wallets(
        self: Rc<Self>,
        _: common::WalletsParams,
        mut results: common::WalletsResults,
    ) -> Result<(), Error> {
        let _turn = self.link.page().await?;
        let views = self
            .ask(Ask::Wallets)
            .await?
            .map_err(|denial| exception(&denial))?;
        write_list(
            &views.iter().map(to_canonical).collect::<Vec<_>>(),
            |length| results.get().init_canonical(length),
        )
    }

    async fn owners(
        self: Rc<Self>,
        _: common::OwnersParams,
        mut results: common::OwnersResults,
    ) -> Result<(), Error> {
        let _turn = self.link.page().await?;
        let views = self
            .ask(Ask::Owners)
            .await?
            .map_err(|denial| exception(&denial))?;
        write_list(
            &views.iter().map(to_canonical).collect::<Vec<_>>(),
            |length| results.get().init_canonical(length),
        )
    }

    async fn policy(
        self: Rc<Self>,
        _: common::PolicyParams,
        mut results: common::PolicyResults,
    ) -> Result<(), Error> {
        let _turn = self.link.page().await?;
        let documents = self
            .ask(Ask::Policy)
            .await?
            .map_err(|denial| exception(&denial))?;
        write_list(&documents, |length| results.get().init_documents(length))
    }

    async fn draft_statement(
        self: Rc<Self>,
        params: common::DraftStatementParams,
        mut results: common::DraftStatementResults,
    ) -> Result<(), Error> {
        let facts = {
            let params = params.get()?;
            known::<common::draft_statement_params::Builder<'_>>(params)?;
            convert::facts(params.get_facts()?)
        };
        drop(params);
        let answer = match facts {
            Ok(facts) => {
                self.ask(|reply| Ask::Draft(facts, S::ORIGIN, reply))
                    .await?
            }
            Err(Unfit::Denied(denial)) => Err(denial),
            Err(Unfit::Malformed(malformed)) => return Err(malformed.into()),
        };
        convert::write_draft(&answer, results.get().init_draft());
        Ok(())
    }

    async fn submit_statement(
        self: Rc<Self>,
        params: common::SubmitStatementParams,
        mut results: common::SubmitStatementResults,
    ) -> Result<(), Error> {
        let (statement, signatures) = {
            let params = params.get()?;
            known::<common::submit_statement_params::Builder<'_>>(params)?;
            (
                parsed(params.get_statement()?, "statement")?,
                convert::signatures(params.get_signatures()?)?,
            )
        };
        drop(params);
        let answer = self
            .ask(|reply| Ask::Submit(statement, signatures, S::ORIGIN, None, reply))
            .await?;
        convert::write_submitted(
            &answer.map(|sequence| (sequence, None)),
            results.get().init_result(),
        );
        Ok(())
    }

    async fn pause(
        self: Rc<Self>,
        params: common::PauseParams,
        mut results: common::PauseResults,
    ) -> Result<(), Error> {
        let wallet = {
            let params = params.get()?;
            known::<common::pause_params::Builder<'_>>(params)?;
            parsed_if_any(params.get_wallet()?, "wallet")?
        };
        drop(params);
        let answer = self
            .ask(|reply| Ask::Pause(wallet, S::ORIGIN, reply))
            .await?;
        results
            .get()
            .set_sequence(answer.map_err(|denial| exception(&denial))?);
        Ok(())
    }

    async fn revoke_session(
        self: Rc<Self>,
        params: common::RevokeSessionParams,
        mut results: common::RevokeSessionResults,
    ) -> Result<(), Error> {
        let session = {
            let params = params.get()?;
            known::<common::revoke_session_params::Builder<'_>>(params)?;
            parsed(params.get_session()?, "session")?
        };
        drop(params);
        let answer = self
            .ask(|reply| Ask::Revoke(session, S::ORIGIN, reply))
            .await?;
        results
            .get()
            .set_sequence(answer.map_err(|denial| exception(&denial))?);
        Ok(())
    }

    async fn intents(
        self: Rc<Self>,
        _: common::IntentsParams,
        mut results: common::IntentsResults,
    ) -> Result<(), Error> {
        let _turn = self.link.page().await?;
        let views = self
            .ask(Ask::Intents)
            .await?
            .map_err(|denial| exception(&denial))?;
        write_list(
            &views.iter().map(to_canonical).collect::<Vec<_>>(),
            |length| results.get().init_canonical(length),
        )
    }

    async fn heartbeat(
        self: Rc<Self>,
        _: common::HeartbeatParams,
        mut results: common::HeartbeatResults,
    ) -> Result<(), Error> {
        let _turn = self.link.page().await?;
        let note = self
            .ask(Ask::Heartbeat)
            .await?
            .map_err(|denial| exception(&denial))?;
        results.get().set_note(&note);
        Ok(())
    }

    async fn cancel_intent(
        self: Rc<Self>,
        params: common::CancelIntentParams,
        mut results: common::CancelIntentResults,
    ) -> Result<(), Error> {
        let transaction = {
            let params = params.get()?;
            known::<common::cancel_intent_params::Builder<'_>>(params)?;
            parsed(params.get_transaction()?, "transaction")?
        };
        drop(params);
        let answer = self
            .ask(|reply| Ask::CancelIntent(transaction, S::ORIGIN, reply))
            .await?;
        results
            .get()
            .set_sequence(answer.map_err(|denial| exception(&denial))?);
        Ok(())
    }

    async fn replace_transaction(
        self: Rc<Self>,
        params: common::ReplaceTransactionParams,
        mut results: common::ReplaceTransactionResults,
    ) -> Result<(), Error> {
        let (transaction, unsigned) = {
            let params = params.get()?;
            known::<common::replace_transaction_params::Builder<'_>>(params)?;
            (
                parsed(params.get_transaction()?, "transaction")?,
                convert::unsigned(params.get_unsigned()?),
            )
        };
        drop(params);
        let answer = match unsigned {
            Ok(unsigned) => {
                let change = Change::Pay { unsigned };
                self.ask(|reply| Ask::Vary(transaction, change, reply))
                    .await?
            }
            Err(code) => Err(code.into()),
        };
        convert::write_outcome(&answer, results.get().init_outcome());
        Ok(())
    }

    async fn cancel_transaction(
        self: Rc<Self>,
        params: common::CancelTransactionParams,
        mut results: common::CancelTransactionResults,
    ) -> Result<(), Error> {
        let (transaction, fees) = {
            let params = params.get()?;
            known::<common::cancel_transaction_params::Builder<'_>>(params)?;
            (
                parsed(params.get_transaction()?, "transaction")?,
                convert::evm_fees(params.get_fees()?)?,
            )
        };
        drop(params);
        let change = Change::Cancel { fees };
        let answer = self
            .ask(|reply| Ask::Vary(transaction, change, reply))
            .await?;
        convert::write_outcome(&answer, results.get().init_outcome());
        Ok(())
    }

    async fn agents(
        self: Rc<Self>,
        _: common::AgentsParams,
        mut results: common::AgentsResults,
    ) -> Result<(), Error> {
        let _turn = self.link.page().await?;
        let views = self
            .ask(Ask::Agents)
            .await?
            .map_err(|denial| exception(&denial))?;
        write_list(
            &views.iter().map(to_canonical).collect::<Vec<_>>(),
            |length| results.get().init_canonical(length),
        )
    }

    async fn suspend_agent(
        self: Rc<Self>,
        params: common::SuspendAgentParams,
        mut results: common::SuspendAgentResults,
    ) -> Result<(), Error> {
        let agent = {
            let params = params.get()?;
            known::<common::suspend_agent_params::Builder<'_>>(params)?;
            parsed(params.get_agent()?, "agent")?
        };
        drop(params);
        let answer = self
            .ask(|reply| Ask::StopAgent(agent, AgentStop::Suspend, S::ORIGIN, reply))
            .await?;
        results
            .get()
            .set_sequence(answer.map_err(|denial| exception(&denial))?);
        Ok(())
    }

    async fn terminate_agent(
        self: Rc<Self>,
        params: common::TerminateAgentParams,
        mut results: common::TerminateAgentResults,
    ) -> Result<(), Error> {
        let agent = {
            let params = params.get()?;
            known::<common::terminate_agent_params::Builder<'_>>(params)?;
            parsed(params.get_agent()?, "agent")?
        };
        drop(params);
        let answer = self
            .ask(|reply| Ask::StopAgent(agent, AgentStop::Terminate, S::ORIGIN, reply))
            .await?;
        results
            .get()
            .set_sequence(answer.map_err(|denial| exception(&denial))?);
        Ok(())
    }

    async fn kill(
        self: Rc<Self>,
        _: common::KillParams,
        mut results: common::KillResults,
    ) -> Result<(), Error> {
        // Parameters of a stranger's making do not keep anybody from stopping.
        let answer = self.ask(|reply| Ask::Kill(S::ORIGIN, reply)).await?;
        results
            .get()
            .set_sequence(answer.map_err(|denial| exception(&denial))?);
        Ok(())
    }
}

/// Byte strings, into the list that `init` makes.
fn write_list<'a>(
    parts: &[Vec<u8>],
    init: impl FnOnce(u32) -> capnp::data_list::Builder<'a>,
) -> Result<(), Error> {
    convert::fits(parts)?;
    let mut list = init(u32::try_from(parts.len()).unwrap_or(u32::MAX));
    for (place, part) in (0..).zip(parts) {
        list.set(place, part);
    }
    Ok(())
}
