//! A scripted world around the core: keys of owner and agent, clocks that move when told, entropy
//! from a counter. Every event is also folded into a second state from its bytes, so that each test
//! checks that the log alone gives the same state.

use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AccountId, AssetId, ChainId, Family};
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{Event, EventBody, Origin, Spend};
use waiaas_shared::ids::{OwnerId, SessionId, SignerId, StatementId, WalletId};
use waiaas_shared::keys::{AgentKey, OwnerKey};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient};
use waiaas_shared::request_signature::{self, Parameters};
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature, payload};
use waiaas_shared::time::{BudgetTime, Clocks, Millis, RunTime, WallTime};

use crate::core::apply::apply;
use crate::core::command::{
    Command, Context, Outcome, Rehearsal, SpendRequest, Submission, WalletRequest, Withdrawal,
};
use crate::core::state::State;
use crate::core::step;

pub(super) const NOW: u64 = 1_800_000_000_000;
pub(super) const EVM: ChainId = ChainId::Evm(31_337);
pub(super) const RECIPIENT: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
pub(super) const STRANGER: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
/// Fee of every EVM payment here: 21,000 gas at 1 wei.
pub(super) const FEE: u128 = 21_000;

pub(super) fn solana() -> ChainId {
    "solana:localnet".parse().expect("a chain")
}

pub(super) fn evm_recipient(text: &str) -> EvmAddress {
    text.parse().expect("an address")
}

#[derive(Clone)]
pub(super) struct World {
    pub(super) state: State,
    pub(super) clocks: Clocks,
    /// The wall clock's lower side, where it is another than the upper one.
    pub(super) steady: Option<WallTime>,
    pub(super) events: Vec<EventBody>,
    times: Vec<BudgetTime>,
    pub(super) owner: OwnerId,
    pub(super) evm_wallet: WalletId,
    pub(super) solana_wallet: WalletId,
    pub(super) keyed: SessionId,
    pub(super) bearer: SessionId,
    entropy: u64,
    nonce: u64,
}

pub(super) fn owner_key() -> SigningKey {
    SigningKey::from_bytes(&[11; 32])
}

pub(super) fn agent_key() -> SigningKey {
    SigningKey::from_bytes(&[22; 32])
}

impl World {
    /// Only a log.
    pub(super) fn empty() -> Self {
        let zero = WalletId::from_bytes([0; 16]);
        let mut world = Self {
            state: State::default(),
            clocks: Clocks {
                wall: WallTime::from_millis(NOW),
                run: RunTime::from_millis(0),
                budget: BudgetTime::from_millis(0),
            },
            steady: None,
            events: Vec::new(),
            times: Vec::new(),
            owner: OwnerId::from_bytes([0; 16]),
            evm_wallet: zero,
            solana_wallet: zero,
            keyed: SessionId::from_bytes([0; 16]),
            bearer: SessionId::from_bytes([0; 16]),
            entropy: 0,
            nonce: 0,
        };
        world
            .run(&Command::Create {
                signer: SignerId::from_bytes([5; 16]),
            })
            .expect("a log begins");
        world
    }

    /// Everything set up.
    pub(super) fn new() -> Self {
        let mut world = Self::empty();
        world.owner = world.enrol(vec![]).expect("the first owner");
        world.evm_wallet = world
            .wallet(Family::Evm, [1; 32], vec![EVM])
            .expect("a wallet");
        world.solana_wallet = world
            .wallet(Family::Solana, [2; 32], vec![solana()])
            .expect("a wallet");
        world.adopt(&policy(1), true).expect("the first policy");
        world.keyed = world.grant(key_bound()).expect("a session");
        world.bearer = world
            .grant(Credential::Bearer(hash(
                Domain::SessionSecret,
                &[b"secret"],
            )))
            .expect("a session");
        world
    }

    pub(super) fn run(&mut self, command: &Command) -> Result<Outcome, Vec<Code>> {
        self.entropy += 1;
        let mut entropy = [0; 32];
        entropy[..8].copy_from_slice(&self.entropy.to_be_bytes());
        let context = Context {
            clocks: self.clocks,
            steady: self.steady.unwrap_or(self.clocks.wall),
            entropy,
        };
        let mut folded = self.state.clone();
        let (events, outcome) = step(&mut self.state, command, &context);
        for event in &events {
            let read: Event = from_canonical(&to_canonical(event)).expect("canonical");
            assert_eq!(&read, event);
            apply(&mut folded, &read);
        }
        assert_eq!(folded, self.state, "the log alone gives the same state");
        self.is_its_snapshot();
        for event in events {
            self.times.push(event.clocks.budget);
            self.events.push(event.body);
        }
        outcome.map_err(|denial| {
            denial
                .violations()
                .iter()
                .map(|broken| broken.code)
                .collect()
        })
    }

    /// The batch is durable: only the ledger knows its payments now.
    /// Encoded and read back the state is the same, so that from any point on a snapshot and what follows
    /// give what the whole log gives.
    fn is_its_snapshot(&self) {
        let mut state = self.state.clone();
        state.committed();
        let read: Result<State, _> = from_canonical(&to_canonical(&state));
        assert_eq!(read.as_ref(), Ok(&state), "a snapshot is another state");
    }

    pub(super) fn commit(&mut self) {
        self.state.committed();
    }

    pub(super) fn pass(&mut self, time: Millis) {
        self.clocks = Clocks {
            wall: self.clocks.wall.after(time),
            run: self.clocks.run.after(time),
            budget: self.clocks.budget.after(time),
        };
    }

    pub(super) fn enrol(&mut self, withdrawals: Vec<AccountId>) -> Result<OwnerId, Vec<Code>> {
        let key = SolanaAddress::from_bytes(owner_key().verifying_key().to_bytes());
        let facts = StatementFacts::EnrolOwner {
            key: OwnerKey::Ed25519(key),
            withdrawals,
        };
        let (statement, text) = self.draft(facts, Origin::Admin)?;
        let signature = sign_text(&owner_key(), &text);
        let rehearsal = Rehearsal {
            statement,
            envelope: Envelope::Ed25519Plain,
            signature,
        };
        match self.run(&Command::Enrol(rehearsal))? {
            Outcome::Owner(owner) => Ok(owner),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn wallet(
        &mut self,
        family: Family,
        bytes: [u8; 32],
        networks: Vec<ChainId>,
    ) -> Result<WalletId, Vec<Code>> {
        let account = match family {
            Family::Solana => Account::Solana(SolanaAddress::from_bytes(bytes)),
            Family::Evm => {
                let mut address = [0; 20];
                address.copy_from_slice(&bytes[..20]);
                Account::Evm(EvmAddress::from_bytes(address))
            }
        };
        let path = self.state.next_path(family);
        let request = WalletRequest {
            path,
            account,
            networks,
            first_nonce: 0,
        };
        match self.run(&Command::CreateWallet(request))? {
            Outcome::Wallet(wallet) => Ok(wallet),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn draft(
        &mut self,
        facts: StatementFacts,
        origin: Origin,
    ) -> Result<(StatementId, String), Vec<Code>> {
        match self.run(&Command::Draft { facts, origin })? {
            Outcome::Drafted { statement, text } => Ok((statement, text.as_str().to_owned())),
            other => panic!("{other:?}"),
        }
    }

    /// Drafts, signs as the owner, submits over `admin.sock`.
    pub(super) fn say(
        &mut self,
        facts: StatementFacts,
        with_password: bool,
    ) -> Result<Outcome, Vec<Code>> {
        let (statement, text) = self.draft(facts, Origin::Admin)?;
        let signatures = vec![self.signature(&text)];
        let submission = Submission {
            statement,
            signatures,
            origin: Origin::Admin,
            with_password,
        };
        self.run(&Command::Submit(submission))
    }

    pub(super) fn signature(&self, text: &str) -> OwnerSignature {
        OwnerSignature {
            owner: self.owner,
            envelope: Envelope::Ed25519Plain,
            signature: sign_text(&owner_key(), text),
        }
    }

    pub(super) fn adopt(
        &mut self,
        document: &PolicyDocument,
        with_password: bool,
    ) -> Result<Outcome, Vec<Code>> {
        self.say(
            StatementFacts::AdoptPolicy {
                document: document.to_bytes(),
            },
            with_password,
        )
    }

    pub(super) fn grant(&mut self, credential: Credential) -> Result<SessionId, Vec<Code>> {
        let grant = self.a_grant(credential);
        match self.say(StatementFacts::GrantSession { grant }, false)? {
            Outcome::Session(session) => Ok(session),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn a_grant(&self, credential: Credential) -> SessionGrant {
        let mut wallets = vec![self.evm_wallet, self.solana_wallet];
        wallets.sort();
        let limit = |asset: AssetId| SessionLimit {
            asset,
            per_transaction: Amount::from_base_units(400_000),
            total: Amount::from_base_units(2_000_000),
        };
        SessionGrant {
            wallets,
            limits: vec![limit(solana().native_asset()), limit(EVM.native_asset())],
            count: 50,
            expires: self.clocks.wall.after(Millis::from_hours(24 * 40)),
            credential,
            recipients: None,
            operations: None,
            renewal: None,
            agent: None,
        }
    }

    /// A bearer payment of `amount` wei, fee beside it.
    pub(super) fn bearer_pay(&mut self, key: &str, amount: u128) -> Result<Outcome, Vec<Code>> {
        let request = self.request(self.bearer, key, amount, RECIPIENT);
        self.run(&Command::Spend(request))
    }

    pub(super) fn request(
        &self,
        session: SessionId,
        key: &str,
        amount: u128,
        to: &str,
    ) -> SpendRequest {
        let body = format!(
            r#"{{"signer":"{}","wallet":"{}","network":"{EVM}","to":"{to}","amount_base":"{amount}"}}"#,
            SignerId::from_bytes([5; 16]),
            self.evm_wallet,
        );
        SpendRequest {
            session,
            method: "POST".to_owned(),
            path: "/v1/transactions".to_owned(),
            query: "?".to_owned(),
            idempotency_key: key.to_owned(),
            body: body.into_bytes(),
            signature_input: String::new(),
            signature: String::new(),
            unsigned: unsigned(31_337, 0, amount, evm_recipient(to)),
            used: None,
            replaced: None,
            dry_run: false,
        }
    }

    /// The same, signed by the agent's key as of now.
    pub(super) fn signed_request(&mut self, key: &str, amount: u128) -> SpendRequest {
        self.nonce += 1;
        let nonce = format!("nonce-{:016}", self.nonce);
        let request = self.request(self.keyed, key, amount, RECIPIENT);
        sign_request(
            request,
            &agent_key(),
            &nonce,
            self.clocks.wall.millis() / 1000,
        )
    }

    pub(super) fn withdraw(&mut self, to: &str, amount: u128) -> Result<Outcome, Vec<Code>> {
        let facts = StatementFacts::Withdraw {
            wallet: self.evm_wallet,
            asset: EVM.native_asset(),
            to: to.parse().expect("an address"),
            amount: Amount::from_base_units(amount),
            fee_ceiling: Amount::from_base_units(FEE),
            nonce: None,
            from: None,
        };
        let (statement, text) = self.draft(facts, Origin::Admin)?;
        let signatures = vec![self.signature(&text)];
        let unsigned = unsigned(31_337, 0, amount, evm_recipient(to));
        self.run(&Command::Withdraw(Withdrawal {
            statement,
            signatures,
            unsigned,
        }))
    }

    /// Every event with its number in the log and its time on the budget clock.
    pub(super) fn moments(&self) -> impl Iterator<Item = (u64, BudgetTime, &EventBody)> {
        let timed = self.times.iter().zip(&self.events);
        (1..)
            .zip(timed)
            .map(|(sequence, (at, body))| (sequence, *at, body))
    }

    pub(super) fn spends(&self) -> Vec<&Spend> {
        self.events
            .iter()
            .filter_map(|body| match body {
                EventBody::SpendCommitted(spend) => Some(spend),
                _ => None,
            })
            .collect()
    }
}

pub(super) fn key_bound() -> Credential {
    Credential::AgentKey(AgentKey::from_bytes(agent_key().verifying_key().to_bytes()))
}

pub(super) fn sign_text(key: &SigningKey, text: &str) -> Vec<u8> {
    let owner = OwnerKey::Ed25519(SolanaAddress::from_bytes(key.verifying_key().to_bytes()));
    let bytes = payload(text, Envelope::Ed25519Plain, &owner).expect("a statement");
    key.sign(&bytes).to_bytes().to_vec()
}

pub(super) fn sign_request(
    request: SpendRequest,
    key: &SigningKey,
    nonce: &str,
    created_seconds: u64,
) -> SpendRequest {
    let nonce = nonce.parse().expect("a nonce");
    let parameters = Parameters::new(created_seconds, nonce, request.session).expect("parameters");
    let parts = request_signature::Request {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        body: &request.body,
        idempotency_key: &request.idempotency_key,
    };
    let fields =
        request_signature::sign_request(&parts, &parameters, |base| key.sign(base).to_bytes())
            .expect("a request that can be signed");
    SpendRequest {
        signature_input: fields.signature_input,
        signature: fields.signature,
        ..request
    }
}

pub(super) fn unsigned(chain_id: u64, nonce: u64, value: u128, to: EvmAddress) -> Vec<u8> {
    waiaas_shared::evm::UnsignedTransaction {
        chain_id,
        nonce,
        max_priority_fee_per_gas: 1,
        max_fee_per_gas: 1,
        gas_limit: 21_000,
        to,
        value,
        data: Vec::new(),
    }
    .encode()
}

/// Per transaction 500,000; an hour 1,000,000; a day 1,500,000; INSTANT to 100,000, NOTIFY to 500,000.
pub(super) fn policy(epoch: u64) -> PolicyDocument {
    let units = Amount::from_base_units;
    let rule = |asset: AssetId, outstanding: Option<u128>| AssetRule {
        per_transaction: units(500_000),
        hour: units(1_000_000),
        day: units(1_500_000),
        week: units(2_000_000),
        month: units(3_000_000),
        instant_up_to: units(100_000),
        notify_up_to: units(500_000),
        delay_up_to: units(500_000),
        approve_up_to: units(500_000),
        fee_ceiling: Some(units(50_000)),
        outstanding: outstanding.map(units),
        ..AssetRule::closed(asset, "COIN", Decimals::new(9).expect("in range"))
    };
    let recipient =
        AccountId::new(EVM, Account::Evm(evm_recipient(RECIPIENT))).expect("an account");
    let mut document = PolicyDocument {
        assets: vec![
            rule(solana().native_asset(), None),
            rule(EVM.native_asset(), Some(2_500_000)),
        ],
        recipients: vec![Recipient {
            account: recipient,
            name: "hosting".to_owned(),
        }],
        ..PolicyDocument::closed(epoch)
    };
    document.sort();
    document
}
