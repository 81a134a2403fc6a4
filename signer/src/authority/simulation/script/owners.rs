//! What owners say, well or badly: policies that tighten and loosen, grants, releases, withdrawals,
//! attestations; and what they do to get service back.

use super::*;

impl Script {
    /// The next thing that an owner does to get service back.
    pub(super) fn heal(&mut self) {
        let status = self.world.status();
        if !status.unlocked {
            if self.random.once_in(3) {
                // Randomness gives out somewhere in the middle of it.
                let draw = self.random.below(3);
                self.faulty = true;
                self.world.machine.borrow_mut().entropy_fails_in = Some(draw);
            }
            let vouch = self.random.once_in(2);
            self.one(Asked::Unlock(true, vouch));
        } else if status.kill == "ACTIVATED" {
            let mut sessions: Vec<SessionId> = Vec::new();
            for session in self.world.known.sessions.clone() {
                if self.random.once_in(3) {
                    sessions.push(session.id);
                }
            }
            sessions.sort();
            let epoch = status.kill_epoch;
            let release = |sessions| StatementFacts::ReleaseKill { epoch, sessions };
            if !self.owner_says(release(sessions), Some(true)) {
                self.owner_says(release(Vec::new()), Some(true));
            }
        } else if status.clock_closed {
            let wall = self.stateable();
            if self.random.once_in(2) {
                self.world.machine.borrow_mut().set_right(wall.millis());
            }
            self.owner_says(StatementFacts::StateTime { wall }, None);
        } else if status.frozen {
            self.owner_says(StatementFacts::ReleasePause { wallet: None }, None);
        } else {
            let wallet = Some(self.world.known.evm);
            self.owner_says(StatementFacts::ReleasePause { wallet }, None);
            let wallet = Some(self.world.known.solana);
            self.owner_says(StatementFacts::ReleasePause { wallet }, None);
        }
    }

    /// A time that the signer can be told.
    pub(super) fn stateable(&mut self) -> WallTime {
        let now = self.world.machine.borrow().reading;
        let clock = self
            .world
            .signer
            .as_ref()
            .and_then(|signer| signer.clock.clone());
        let known = clock.map_or(0, |mut clock| clock.observe(now).wall.millis());
        WallTime::from_millis(known + self.random.below(60_000))
    }

    /// Drafts over `admin.sock`, signs and hands in; whether it was carried out.
    pub(super) fn owner_says(&mut self, facts: StatementFacts, password: Option<bool>) -> bool {
        let Answer::Drafted(drafted) = self.one(Asked::Draft(facts.clone(), Origin::Admin)) else {
            return false;
        };
        self.world
            .remember(drafted.statement, facts, password == Some(true));
        let signatures = vec![self.world.signature(&drafted.text)];
        let submit = Asked::Submit(drafted.statement, signatures, Origin::Admin, password);
        matches!(self.one(submit), Answer::Sequence(_))
    }

    /// The owner says something, well or badly.
    pub(super) fn owner(&mut self) {
        let facts = self.facts();
        let origin = if self.random.once_in(3) {
            Origin::Gateway
        } else {
            Origin::Admin
        };
        let Answer::Drafted(drafted) = self.one(Asked::Draft(facts.clone(), origin)) else {
            return;
        };
        let (statement, text) = (drafted.statement, drafted.text);
        let sound = self.world.signature(&text);
        let mut password = match self.random.below(4) {
            0 => None,
            1 => Some(self.random.once_in(2)),
            _ => Some(true),
        };
        let signatures = match self.random.below(12) {
            0 => vec![OwnerSignature {
                signature: sign_text(&stranger_key(), &text),
                ..sound
            }],
            1 => {
                let mut flipped = sound;
                flipped.signature[7] ^= 1;
                vec![flipped]
            }
            2 if !self.texts.is_empty() => {
                // What the owner signed for something else.
                let (other, said, text) = self.texts[0].clone();
                self.world.remember(other, said, false);
                vec![self.world.signature(&text)]
            }
            3 => Vec::new(),
            _ => {
                self.world
                    .remember(statement, facts.clone(), password == Some(true));
                vec![sound]
            }
        };
        self.texts.insert(0, (statement, facts, text));
        self.texts.truncate(8);
        let origin = if password.is_none() && self.random.once_in(2) {
            Origin::Gateway
        } else {
            Origin::Admin
        };
        let mut asked = vec![Asked::Submit(
            statement,
            signatures.clone(),
            origin,
            password,
        )];
        if self.random.once_in(4) {
            password = None;
            asked.push(Asked::Submit(statement, signatures, origin, password));
        }
        for _ in 0..self.random.below(4) {
            let payment = self.payment();
            asked.push(payment);
        }
        self.deliver(asked);
    }

    /// Tightens hard, then loosens again, with payments and replays after each: what tightens must hold
    /// at once, what loosens must wait where wallets are on a main network.
    pub(super) fn squeeze(&mut self) {
        let chain = self.chain();
        let mut policy = self.newest();
        policy.epoch += 1;
        policy.maturity = Millis::from_millis(DAY);
        let rule = rule_of(&mut policy, chain);
        rule.per_transaction = rule.hour.min(Amount::from_base_units(30_000));
        rule.approve_up_to = rule.per_transaction;
        rule.delay_up_to = rule.per_transaction;
        rule.notify_up_to = rule.per_transaction;
        rule.instant_up_to = Amount::ZERO;
        let facts = self.world.policy_facts(&policy);
        if self.owner_says(facts, None) {
            self.burst();
            policy.epoch += 1;
            *rule_of(&mut policy, chain) = starting_rule(chain);
            let facts = self.world.policy_facts(&policy);
            let password = self.random.once_in(2).then_some(true);
            self.owner_says(facts, password);
            self.burst();
        }
    }

    /// A statement that is signed now and handed in some time.
    pub(super) fn prepare(&mut self) {
        let facts = self.facts();
        if let Answer::Drafted(drafted) = self.one(Asked::Draft(facts.clone(), Origin::Gateway)) {
            self.world.remember(drafted.statement, facts, false);
            let signatures = vec![self.world.signature(&drafted.text)];
            self.prepared.push((drafted.statement, signatures));
            if self.prepared.len() > 6 {
                self.prepared.remove(0);
            }
        }
    }

    pub(super) fn facts(&mut self) -> StatementFacts {
        let (evm, solana_wallet) = (self.world.known.evm, self.world.known.solana);
        match self.random.below(16) {
            0..=5 => {
                let policy = self.policy();
                self.world.policy_facts(&policy)
            }
            6 => StatementFacts::ReleasePause { wallet: None },
            7 => StatementFacts::ReleasePause { wallet: Some(evm) },
            8 => StatementFacts::ReleasePause {
                wallet: Some(solana_wallet),
            },
            9 | 10 => {
                let next = self.next_nonce();
                let next = match self.random.below(4) {
                    0 => next.saturating_sub(1),
                    1 => next + self.random.below(4),
                    _ => next,
                };
                StatementFacts::AttestNonce {
                    wallet: evm,
                    chain: EVM,
                    next,
                    from: None,
                }
            }
            11 => StatementFacts::StateTime {
                wall: self.stateable(),
            },
            12 => StatementFacts::EnrolWithdrawal {
                account: account(EVM, 1),
            },
            13 => {
                let epoch = self.kill_epoch();
                StatementFacts::ReleaseKill {
                    epoch,
                    sessions: Vec::new(),
                }
            }
            14 => self.withdrawal(EVM).0,
            _ => {
                let mut grant = self.world.grant(key_bound());
                grant.count = u32::try_from(self.random.between(1, 80)).expect("small");
                if self.random.once_in(3) {
                    grant.limits[0].per_transaction = Amount::from_base_units(450_001);
                }
                StatementFacts::GrantSession { grant }
            }
        }
    }

    pub(super) fn next_nonce(&self) -> u64 {
        let views = self
            .world
            .signer
            .as_ref()
            .map(|signer| signer.state.wallet_views());
        let nonces = views.into_iter().flatten().flat_map(|view| view.nonces);
        nonces
            .filter(|nonce| nonce.chain == EVM)
            .map(|nonce| nonce.next)
            .max()
            .unwrap_or(0)
    }

    pub(super) fn kill_epoch(&self) -> u64 {
        self.world
            .signer
            .as_ref()
            .map_or(0, |signer| signer.state.kill().epoch)
    }

    pub(super) fn chain(&mut self) -> ChainId {
        if self.random.once_in(2) {
            EVM
        } else {
            solana()
        }
    }

    pub(super) fn withdrawal(&mut self, chain: ChainId) -> (StatementFacts, Vec<u8>) {
        let (wallet, from) = self.world.wallet_on(chain);
        let to = recipient(chain, u8::from(self.random.once_in(4)));
        let amount = u128::from(self.random.between(1, 3_000_000));
        let nonce = (chain == EVM && self.random.once_in(2)).then(|| {
            let next = self.next_nonce();
            self.random.between(next.saturating_sub(3), next + 1)
        });
        let fee = self.random.pick(&[FEE, FEE, FEE, 4999]).unwrap_or(FEE);
        let facts = StatementFacts::Withdraw {
            wallet,
            asset: chain.native_asset(),
            to,
            amount: Amount::from_base_units(amount),
            fee_ceiling: Amount::from_base_units(fee),
            nonce,
            from: None,
        };
        let (to, amount) = match self.random.below(10) {
            0 => (recipient(chain, 2), amount),
            1 => (to, amount + 1),
            _ => (to, amount),
        };
        (facts, unsigned(chain, &from, &to, amount, 1).0)
    }

    pub(super) fn withdraw(&mut self) {
        let chain = if self.random.once_in(2) {
            EVM
        } else {
            solana()
        };
        let (facts, unsigned) = self.withdrawal(chain);
        let Answer::Drafted(drafted) = self.one(Asked::Draft(facts.clone(), Origin::Admin)) else {
            return;
        };
        let signatures = if self.random.once_in(8) {
            vec![OwnerSignature {
                signature: sign_text(&stranger_key(), &drafted.text),
                ..self.world.signature(&drafted.text)
            }]
        } else {
            self.world.remember(drafted.statement, facts, false);
            vec![self.world.signature(&drafted.text)]
        };
        let ask = Asked::Withdraw(drafted.statement, signatures, unsigned);
        let twice = self.random.once_in(4);
        let mut asked = vec![ask.clone()];
        if twice {
            asked.push(ask);
        }
        if self.random.once_in(3) {
            asked.push(self.stopping());
        }
        self.deliver(asked);
    }

    pub(super) fn new_session(&mut self) {
        let credential = if self.random.once_in(2) {
            key_bound()
        } else {
            bearer(self.random.next())
        };
        let mut grant = self.world.grant(credential);
        if self.random.once_in(2) {
            // A narrow one.
            grant.count = u32::try_from(self.random.between(1, 4)).expect("small");
            for limit in &mut grant.limits {
                limit.total = Amount::from_base_units(self.random.between(400_000, 900_000).into());
            }
            let known = self.stateable().millis();
            let wall = self.world.machine.borrow().reading.wall.max(known);
            grant.expires = WallTime::from_millis(wall)
                .after(Millis::from_millis(self.random.between(HOUR, 4 * DAY)));
        }
        match self.world.grant_session(grant) {
            Ok(session) => {
                self.say(format!("granted {}", session.id));
                let sessions = &mut self.world.known.sessions;
                if sessions.len() > 8 {
                    sessions.remove(0);
                }
            }
            Err(answer) => self.say(format!("not granted: {}", short(&answer))),
        }
    }

    pub(super) fn expect(&mut self, facts: StatementFacts, password: Option<bool>) {
        let heading = facts.heading();
        if let Err(answer) = self.world.say(facts, password) {
            panic!("the owner cannot {heading}: {answer:?}");
        }
    }
}
