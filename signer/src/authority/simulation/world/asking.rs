//! What owner and agent of a world say and ask, and what they really signed of it.

use super::*;

impl World {
    pub(crate) fn draft(
        &mut self,
        facts: StatementFacts,
        origin: Origin,
    ) -> Result<(StatementId, String), Box<Answer>> {
        match self.one(Asked::Draft(facts, origin)) {
            Answer::Drafted(drafted) => Ok((drafted.statement, drafted.text)),
            other => Err(Box::new(other)),
        }
    }

    /// Writes down that the owner signs this.
    pub(crate) fn remember(
        &mut self,
        statement: StatementId,
        facts: StatementFacts,
        password: bool,
    ) {
        let said = self.history.said.entry(statement).or_insert(Said {
            facts,
            with_password: false,
        });
        said.with_password |= password;
    }

    pub(crate) fn signature(&self, text: &str) -> OwnerSignature {
        OwnerSignature {
            owner: self.known.owner,
            envelope: Envelope::Ed25519Plain,
            signature: sign_text(&owner_key(), text),
        }
    }

    /// Drafts over `admin.sock`, signs as the owner, hands in.
    pub(crate) fn say(
        &mut self,
        facts: StatementFacts,
        password: Option<bool>,
    ) -> Result<u64, Box<Answer>> {
        let (statement, text) = self.draft(facts.clone(), Origin::Admin)?;
        self.remember(statement, facts, password == Some(true));
        let signatures = vec![self.signature(&text)];
        match self.one(Asked::Submit(
            statement,
            signatures,
            Origin::Admin,
            password,
        )) {
            Answer::Sequence(sequence) => Ok(sequence),
            other => Err(Box::new(other)),
        }
    }

    pub(crate) fn adopt(
        &mut self,
        policy: &PolicyDocument,
        password: Option<bool>,
    ) -> Result<u64, Box<Answer>> {
        let facts = self.policy_facts(policy);
        self.say(facts, password)
    }

    pub(crate) fn policy_facts(&mut self, policy: &PolicyDocument) -> StatementFacts {
        let document = policy.to_bytes();
        self.history
            .policies
            .insert(document.clone(), Arc::new(policy.clone()));
        StatementFacts::AdoptPolicy { document }
    }

    /// A grant inside of the starting policy.
    pub(crate) fn grant(&self, credential: Credential) -> SessionGrant {
        let mut wallets = vec![self.known.evm, self.known.solana];
        wallets.sort();
        let limit = |asset: AssetId| SessionLimit {
            asset,
            per_transaction: Amount::from_base_units(400_000),
            total: Amount::from_base_units(4_000_000),
        };
        let mut limits = vec![limit(solana().native_asset()), limit(EVM.native_asset())];
        limits.sort_by_key(|limit| limit.asset);
        let wall = self
            .history
            .entries
            .last()
            .map_or(NOW, |entry| entry.event.clocks.wall.millis());
        SessionGrant {
            wallets,
            limits,
            count: 60,
            expires: WallTime::from_millis(wall.max(self.machine.borrow().reading.wall) + 40 * DAY),
            credential,
            recipients: None,
            operations: None,
            renewal: None,
            agent: None,
        }
    }

    pub(crate) fn grant_session(&mut self, grant: SessionGrant) -> Result<Session, Box<Answer>> {
        let credential = grant.credential;
        let sequence = self.say(StatementFacts::GrantSession { grant }, None)?;
        let granted = self
            .history
            .entries
            .iter()
            .find(|entry| entry.sequence == sequence);
        let Some(EventBody::SessionGranted { session, .. }) =
            granted.map(|entry| &entry.event.body)
        else {
            panic!("the answer names the grant's event")
        };
        let session = Session {
            id: *session,
            credential,
        };
        self.known.sessions.push(session);
        Ok(session)
    }

    pub(crate) fn wallet_on(&self, chain: ChainId) -> (WalletId, Account) {
        match chain {
            ChainId::Solana(_) => (self.known.solana, self.known.solana_address),
            ChainId::Evm(_) => (self.known.evm, self.known.evm_address),
        }
    }

    /// A request for a payment, signed by the agent if the session is bound to its key.
    pub(crate) fn request(
        &mut self,
        session: Session,
        key: &str,
        chain: ChainId,
        to: u8,
        amount: u128,
    ) -> SpendRequest {
        self.requests += 1;
        let (wallet, from) = self.wallet_on(chain);
        let to = recipient(chain, to);
        let body = format!(
            r#"{{"signer":"{}","wallet":"{wallet}","network":"{chain}","to":"{to}","amount_base":"{amount}"}}"#,
            self.known.signer,
        )
        .into_bytes();
        let asking = Asking {
            wallet,
            chain,
            to: bytes(&to),
            amount,
        };
        self.history.asked.insert(body_digest(&body), asking);
        let request = SpendRequest {
            session: session.id,
            method: "POST".to_owned(),
            path: "/v1/transactions".to_owned(),
            query: "?".to_owned(),
            idempotency_key: key.to_owned(),
            body,
            signature_input: String::new(),
            signature: String::new(),
            unsigned: unsigned(chain, &from, &to, amount, self.requests).0,
            used: None,
            replaced: None,
            dry_run: false,
        };
        let nonce = format!("nonce-{:016}", self.requests);
        self.sign_as_agent(session, request, &nonce)
    }

    /// Signs as the agent as of now, if the session is bound to its key.
    pub(crate) fn sign_as_agent(
        &mut self,
        session: Session,
        request: SpendRequest,
        nonce: &str,
    ) -> SpendRequest {
        if matches!(session.credential, Credential::Bearer(_)) {
            return request;
        }
        let key = idempotency(&session.credential, session.id, &request.idempotency_key);
        let body = body_digest(&request.body);
        self.history.agents_signed.insert((session.id, key, body));
        sign_request(request, &agent_key(), nonce, self.signers_wall() / 1000)
    }

    /// The signer's own wall clock, as an agent learns it from the `Date` field.
    pub(super) fn signers_wall(&self) -> u64 {
        let clock = self
            .signer
            .as_ref()
            .and_then(|signer| signer.clock.as_ref());
        let now = self.machine.borrow().reading;
        clock.map_or(now.wall, |clock| clock.clone().observe(now).wall.millis())
    }
}
