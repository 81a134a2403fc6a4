//! What owner and agent of a world say and ask, and what they really signed of it.

use waiaas_shared::address::EvmAddress;

use super::*;
use crate::model::asking::Does;

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
        let chains = [solana(), EVM].into_iter();
        let assets = chains.flat_map(|chain| [chain.native_asset(), token_on(chain)]);
        let mut limits: Vec<SessionLimit> = assets.map(limit).collect();
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
            operations: Some(vec![
                Operation::NativeTransfer,
                Operation::TokenTransfer,
                Operation::TokenApproval,
                Operation::Call,
            ]),
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
        let (wallet, from) = self.wallet_on(chain);
        let to = account(chain, to);
        let payer = (wallet, session.id, session.is_bearer());
        let asking = Asking::coins(payer, to, amount, 0);
        let salt = self.requests + 1;
        let bytes = unsigned(chain, &from, &to.account(), amount, salt).0;
        self.asks(session, key, asking, bytes)
    }

    /// The same for whatever is asked for, with these bytes.
    pub(crate) fn asks(
        &mut self,
        session: Session,
        key: &str,
        asking: Asking,
        unsigned: Vec<u8>,
    ) -> SpendRequest {
        self.requests += 1;
        let body = format!(
            r#"{{"signer":"{}","wallet":"{}","network":"{}",{}}}"#,
            self.known.signer,
            asking.wallet,
            asking.chain,
            written(&asking),
        )
        .into_bytes();
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
            unsigned,
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

/// What is asked for, as a body says it.
fn written(asking: &Asking) -> String {
    if let (Some(told), Some(contract)) = (&asking.told, asking.called()) {
        let [amount, whom] = told.words.as_slice() else {
            panic!("a deposit")
        };
        let (_, amount) = amount.split_last_chunk::<16>().expect("a word");
        let (_, whom) = whom.split_last_chunk::<20>().expect("a word");
        return format!(
            r#""type":"call","contract":"{}","function":"{}","args":["{}","{}"]"#,
            contract.account(),
            told.function,
            u128::from_be_bytes(*amount),
            EvmAddress::from_bytes(*whom),
        );
    }
    let whom = |does| match does {
        Does::LetsTake => r#""type":"approve","spender""#,
        _ => r#""to""#,
    };
    let items = asking.parts.iter().map(|part| {
        let asset = if part.asset == asking.native() {
            String::new()
        } else {
            format!(r#""asset":"{}","#, part.asset)
        };
        let to = part.to.account();
        format!(
            r#"{asset}{}:"{to}","amount_base":"{}""#,
            whom(part.does),
            part.amount
        )
    });
    let items: Vec<String> = items.collect();
    let memo = asking.memo.iter();
    let memo: String = memo.map(|memo| format!(r#","memo":"{memo}""#)).collect();
    match items.as_slice() {
        [one] => format!("{one}{memo}"),
        several => format!(r#""transfers":[{{{}}}]{memo}"#, several.join("},{")),
    }
}
