//! What agents ask for, and what a gateway makes of it: fresh payments, replays, stolen and altered
//! requests, several at once.

use super::*;

impl Script {
    /// Several asks at once, as a busy or hostile gateway sends them.
    pub(super) fn burst(&mut self) {
        let mut asked = Vec::new();
        for _ in 0..self.random.between(1, 6) {
            let ask = self.payment();
            asked.push(ask);
        }
        if self.random.once_in(8) {
            let stop = self.stopping();
            asked.insert(usize::from(self.random.once_in(2)), stop);
        }
        if self.random.once_in(6)
            && let Some(place) = usize::try_from(self.random.next()).ok()
            && !self.prepared.is_empty()
        {
            let (statement, signatures) = self.prepared[place % self.prepared.len()].clone();
            let origin = if self.random.once_in(2) {
                Origin::Gateway
            } else {
                Origin::Admin
            };
            let at = place % (asked.len() + 1);
            asked.insert(at, Asked::Submit(statement, signatures, origin, None));
        }
        if self.random.once_in(10) {
            asked.push(Asked::Status);
        }
        self.deliver(asked);
    }

    pub(super) fn payment(&mut self) -> Asked {
        let place = usize::try_from(self.random.next() >> 1).unwrap_or_default();
        let earlier = (!self.sent.is_empty()).then(|| self.sent[place % self.sent.len()].clone());
        match (self.random.below(20), earlier) {
            // The same once more: exactly, or signed anew by the agent, or asked for by its name.
            (0, Some((_, request))) => return Asked::Sign(Box::new(request)),
            (1 | 2, Some((session, request))) => {
                let nonce = self.nonce();
                let request = self.world.sign_as_agent(session, request, &nonce);
                return Asked::Sign(Box::new(request));
            }
            (3, _) if !self.transactions.is_empty() => {
                return Asked::Resend(self.transactions[place % self.transactions.len()]);
            }
            // The same key for something else, in its own session or in another one of the agent.
            (4, Some((session, request))) => {
                let chain = if self.random.once_in(2) {
                    EVM
                } else {
                    solana()
                };
                let amount = u128::from(self.random.between(1, 5000));
                let request =
                    self.world
                        .request(session, &request.idempotency_key, chain, 0, amount);
                return Asked::Sign(Box::new(request));
            }
            (5, Some((session, request))) => {
                let other = self.session();
                if matches!(session.credential, Credential::AgentKey(_))
                    && other.credential == session.credential
                {
                    let nonce = self.nonce();
                    let moved = SpendRequest {
                        session: other.id,
                        ..request
                    };
                    let moved = self.world.sign_as_agent(other, moved, &nonce);
                    return Asked::Sign(Box::new(moved));
                }
            }
            // What the agent signed, changed on the way.
            (6, Some((session, mut request)))
                if matches!(session.credential, Credential::AgentKey(_)) =>
            {
                match self.random.below(4) {
                    0 => request.body.push(b' '),
                    1 => request.idempotency_key.push('x'),
                    2 => request.path.push('x'),
                    _ => request.session = self.session().id,
                }
                return Asked::Sign(Box::new(request));
            }
            _ => {}
        }
        if self.random.once_in(4) {
            return self.of_another_kind();
        }
        let session = self.session();
        let chain = if self.random.once_in(2) {
            EVM
        } else {
            solana()
        };
        let amount = self.amount(session, chain);
        let to = match self.random.below(12) {
            0 => 2,
            1..=3 => 1,
            _ => 0,
        };
        self.keys += 1;
        let key = format!("key-{}", self.keys);
        let mut request = self.world.request(session, &key, chain, to, amount);
        match self.random.below(24) {
            // Bytes that do something else than the body says.
            0 => {
                let (_, from) = self.world.wallet_on(chain);
                let to = recipient(chain, 1 - to.min(1));
                request.unsigned = unsigned(chain, &from, &to, amount, 7).0;
            }
            1 => {
                let (_, from) = self.world.wallet_on(chain);
                request.unsigned = unsigned(chain, &from, &recipient(chain, to), amount + 1, 7).0;
            }
            2 => request.unsigned.push(0),
            3 => request.session = SessionId::from_bytes([9; 16]),
            // A nonce of the agent's that was used before.
            4 => {
                let nonce = format!(
                    "nonce-{:016}",
                    self.world
                        .requests
                        .saturating_sub(self.random.between(1, 2))
                );
                request = self.world.sign_as_agent(session, request, &nonce);
            }
            // A gateway that would number payments itself.
            6 if chain == EVM => {
                request.unsigned = waiaas_shared::evm::UnsignedTransaction {
                    chain_id: 31_337,
                    nonce: self.next_nonce().max(1),
                    max_priority_fee_per_gas: 1,
                    max_fee_per_gas: 1,
                    gas_limit: 21_000,
                    to: EvmAddress::from_bytes([40; 20]),
                    value: amount,
                    data: Vec::new(),
                }
                .encode();
            }
            5 => return Asked::Decide(Box::new(request)),
            _ => {}
        }
        self.sent.push((session, request.clone()));
        Asked::Sign(Box::new(request))
    }

    pub(super) fn nonce(&mut self) -> String {
        format!("again-{:016}", self.random.below(1 << 40))
    }

    /// One of the sessions, mostly one that can be used.
    pub(super) fn session(&mut self) -> Session {
        let alive: Vec<Session> = self.alive().collect();
        if self.random.once_in(12) || alive.is_empty() {
            let any = &self.world.known.sessions;
            return self.random.pick(any).expect("there are sessions");
        }
        self.random.pick(&alive).expect("not empty")
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = Session> {
        let sessions = self.world.known.sessions.iter();
        sessions.copied().filter(|session| {
            let Some(signer) = &self.world.signer else {
                return false;
            };
            let now = signer.state.clocks();
            let view = signer.state.session_view(session.id, now);
            view.is_some_and(|view| view.state == SessionState::Active)
        })
    }

    /// Small, large, or to the unit what is left.
    pub(super) fn amount(&mut self, session: Session, chain: ChainId) -> u128 {
        let fee = if chain == EVM { FEE } else { 5000 };
        match self.random.below(10) {
            0..=3 => self.random.between(1, 5_000).into(),
            4..=6 => self.random.between(5_000, 120_000).into(),
            7 => self.random.between(100_000, 600_000).into(),
            _ => {
                let Answer::Remaining(Some(view)) = self.world.one(Asked::Remaining(session.id))
                else {
                    return 1000;
                };
                let left = view
                    .remaining
                    .iter()
                    .find(|left| left.asset == chain.native_asset());
                let left = left.map_or(0, |left| {
                    left.per_transaction
                        .min(left.window)
                        .min(left.session)
                        .base_units()
                });
                let most = left.saturating_sub(fee).max(1);
                self.count("to the unit");
                most + u128::from(self.random.once_in(3))
            }
        }
    }
}
