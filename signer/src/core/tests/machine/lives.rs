//! The lives of sessions and agents: renewals inside of what an owner signed, and the five stages, in which
//! whoever reaches a socket may only go forward.

use waiaas_shared::denial::Code;
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{AgentId, SessionId, SignerId, StatementId};
use waiaas_shared::statement::StatementFacts;

use super::book::{Book, Session, Stage, Standing};
use super::expect::Expect;
use super::payments::Request;
use super::requests::{origin, same};
use super::run::{Checked, Run, SIGNER, Sent};
use super::step::Spoilt;
use super::wanted::{Wanted, What};
use crate::core::command::{AgentStop, Command, Outcome, SessionRequest, SpendRequest};

impl Session {
    /// From when on a renewal gains at least half of its time; none if none is left.
    pub(super) fn renewable_from(&self) -> Option<u64> {
        let renewal = self.grant.renewal?;
        let left = self.renewals < renewal.count && self.ends < renewal.until.millis();
        let extends = renewal.extends.millis();
        left.then(|| (self.ends + extends / 2).saturating_sub(extends))
    }
}

impl Book {
    /// What the stage of a session's agent forbids.
    pub(super) fn staged(&self, session: &Session, expect: &mut Expect) {
        let code = match session
            .grant
            .agent
            .and_then(|agent| self.agents.get(&agent))
        {
            None | Some(Stage::Active) => return,
            Some(Stage::Created) => Code::AgentNotActive,
            Some(Stage::Suspended) => Code::AgentSuspended,
            Some(Stage::Terminating | Stage::Terminated) => Code::AgentTerminated,
        };
        expect.when(true, code);
    }

    /// Whether the agent of a session is on its way out, or gone.
    pub(super) fn is_ending(&self, agent: AgentId) -> bool {
        let stage = self.agents.get(&agent);
        matches!(stage, Some(Stage::Terminating | Stage::Terminated))
    }

    /// A terminating agent of which nothing waits is terminated, and so are its sessions.
    pub(super) fn agents_end(&mut self) {
        let waits = |agent: AgentId| {
            let mut sessions = self.waits.values().map(|wait| wait.asking.session);
            sessions.any(|id| self.session(id).and_then(|one| one.grant.agent) == Some(agent))
        };
        let ending = self.agents.iter();
        let ended: Vec<AgentId> = ending
            .filter(|(agent, stage)| **stage == Stage::Terminating && !waits(**agent))
            .map(|(agent, _)| *agent)
            .collect();
        for agent in ended {
            self.agents.insert(agent, Stage::Terminated);
            for session in &mut self.sessions {
                let spends = session.by_kill || session.standing == Standing::Active;
                if session.grant.agent == Some(agent) && spends {
                    session.standing = Standing::Revoked;
                    session.by_kill = false;
                }
            }
        }
    }

    fn expect_renewal(&self, request: &Request) -> (Expect, u64) {
        let mut expect = Expect::default();
        expect.when(request.spoilt == Spoilt::OtherSigner, Code::SignerMismatch);
        self.usable(request.session, &mut expect);
        let Some(session) = self.session(request.session) else {
            return (expect, 0);
        };
        let (signed, spoilt) = (request.signed.as_ref(), request.spoilt);
        self.proven(session, signed, spoilt, false, &mut expect);
        self.all_stopped(&mut expect);
        let Some(bounds) = session.grant.renewal else {
            expect.when(true, Code::SessionNotRenewable);
            return (expect, 0);
        };
        let (now, until) = (self.now().wall, bounds.until.millis());
        expect.when(session.renewals >= bounds.count, Code::SessionRenewalCount);
        expect.when(session.ends >= until, Code::SessionRenewalEnd);
        let early = session.renewable_from().is_some_and(|from| now < from);
        expect.when(early, Code::SessionRenewalEarly);
        (expect, until.min(now + bounds.extends.millis()))
    }
}

impl Run {
    /// An agent renews its session.
    pub(super) fn renew(&mut self, session: usize, spoilt: Spoilt) -> Checked {
        self.look()?;
        let session = &self.book.sessions[session % self.book.sessions.len()];
        let (id, bound) = (session.id, !session.bearer());
        let id = if spoilt == Spoilt::UnknownSession {
            SessionId::from_bytes([9; 16])
        } else {
            id
        };
        let signer = if spoilt == Spoilt::OtherSigner {
            SignerId::from_bytes([6; 16])
        } else {
            SIGNER
        };
        let body = format!(r#"{{"signer":"{signer}"}}"#).into_bytes();
        let key = format!("renewal-{}", self.sequence());
        let mut sent = Sent {
            wanted: Wanted {
                session: id,
                wallet: 0,
                what: What::Pays {
                    items: Vec::new(),
                    several: false,
                    memo: None,
                },
                creates: 0,
                fee: 0,
                submit: false,
                replaces: None,
            },
            request: Request {
                session: id,
                key: key.clone(),
                body: body.clone(),
                asking: Err(Code::BodyMalformed),
                written: None,
                spoilt,
                signed: None,
                dry_run: false,
                from: self.book.wallets[0].account,
                replaces: None,
            },
            proposed: SpendRequest {
                session: id,
                method: "POST".to_owned(),
                path: "/v1/session/renew".to_owned(),
                query: "?".to_owned(),
                idempotency_key: key,
                body,
                signature_input: String::new(),
                signature: String::new(),
                unsigned: Vec::new(),
                used: None,
                replaced: None,
                dry_run: false,
            },
        };
        if bound && spoilt != Spoilt::NoSignature && spoilt != Spoilt::UnknownSession {
            self.sign_as_agent(&mut sent, spoilt)?;
        }
        let (expect, ends) = self.book.expect_renewal(&sent.request);
        let proposed = sent.proposed;
        let command = Command::Renew(SessionRequest {
            session: proposed.session,
            method: proposed.method,
            path: proposed.path,
            query: proposed.query,
            idempotency_key: proposed.idempotency_key,
            body: proposed.body,
            signature_input: proposed.signature_input,
            signature: proposed.signature,
        });
        let (events, outcome) = self.foreseen(&command, &expect)?;
        match (outcome, events.as_slice()) {
            (None, _) => {
                self.book.see_expiry(id);
                Ok(())
            }
            (Some(Outcome::Renewed(at)), [EventBody::SessionRenewed { session, .. }]) => {
                same("renewed", (*session, at.millis()), (id, ends))?;
                if let Some((nonce, created)) = sent.request.signed {
                    let used = (created * 1000, self.book.now().run);
                    let known = self.book.request_nonces.entry((id, nonce));
                    known.or_default().push(used);
                }
                let session = self.book.session_mut(id).ok_or("a session")?;
                session.ends = ends;
                session.renewals += 1;
                self.count("renewed");
                Ok(())
            }
            (outcome, events) => Err(format!("{outcome:?} with {events:?}")),
        }
    }

    /// Anybody suspends an agent or begins its end: never back, and what would bring it back is void.
    pub(super) fn stop_agent(&mut self, which: usize, ends: bool, admin: bool) -> Checked {
        self.look()?;
        let agents: Vec<AgentId> = self.book.agents.keys().copied().collect();
        let known = agents.get(which % (agents.len() + 1)).copied();
        let agent = known.unwrap_or_else(|| AgentId::from_bytes([8; 16]));
        let mut expect = Expect::default();
        expect.when(known.is_none(), Code::AgentUnknown);
        let command = Command::StopAgent {
            agent,
            stop: if ends {
                AgentStop::Terminate
            } else {
                AgentStop::Suspend
            },
            origin: origin(admin),
        };
        if self.foreseen(&command, &expect)?.1.is_none() {
            return Ok(());
        }
        let stage = self.book.agents.get_mut(&agent).ok_or("an agent")?;
        if matches!(stage, Stage::Terminating | Stage::Terminated) {
            return Ok(());
        }
        *stage = if ends {
            Stage::Terminating
        } else {
            Stage::Suspended
        };
        let void = StatementFacts::ActivateAgent { agent };
        for draft in self.book.drafts.values_mut() {
            draft.void |= draft.facts == void;
        }
        let of_agent = self.book.sessions.iter();
        let of_agent = of_agent.filter(|session| session.grant.agent == Some(agent));
        for session in of_agent.map(|session| session.id).collect::<Vec<_>>() {
            self.book.void_grants(session);
        }
        self.count(if ends {
            "terminated"
        } else {
            "agent suspended"
        });
        Ok(())
    }

    /// An owner registered or activated an agent.
    pub(super) fn staged_by_owner(
        &mut self,
        statement: StatementId,
        agent: AgentId,
        stage: Stage,
    ) -> Checked {
        let before = self.book.agents.insert(agent, stage);
        self.book.drafts.remove(&statement);
        let fits = match before {
            // A new one.
            None => true,
            Some(before) => matches!(before, Stage::Created | Stage::Suspended),
        };
        if fits {
            Ok(())
        } else {
            Err(format!("{agent} was {before:?}"))
        }
    }
}
