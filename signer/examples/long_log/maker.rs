//! Makes the log: the core decides, the ledger keeps, the log key signs each head. Nothing is signed for a
//! chain, which a start never looks at.

use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AccountId, ChainId, Family};
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::{Event, Origin};
use waiaas_shared::evm::UnsignedTransaction;
use waiaas_shared::ids::{OwnerId, SessionId, SignerId, StatementId, WalletId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::log::{Head, SignedHead, genesis, link};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient};
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::time::{BudgetTime, Clocks, Millis, RunTime, WallTime};
use waiaas_signer::core::apply::apply;
use waiaas_signer::core::command::{
    Command, Context, Outcome, Rehearsal, SpendRequest, Submission, UnlockFacts, WalletRequest,
};
use waiaas_signer::core::{State, step};
use waiaas_signer::ledger::sqlite::SqliteLedger;
use waiaas_signer::ledger::{Batch, Ledger as _, SpendIndex, StoredEvent};
use waiaas_signer::sys::memory::{LockedBytes, SecretArena};
use waiaas_signer::vault::kdf::derive;
use waiaas_signer::vault::{KernelEntropy, KeystoreFolder, NewKeystore, Unlocked};

use crate::Result;

pub(crate) const PASSWORD: &[u8] = b"correct horse battery staple";
const CHAIN: ChainId = ChainId::Evm(31_337);
const START: u64 = 1_800_000_000_000;
/// Between two payments: a million of them are most of a year.
const STEP: Millis = Millis::from_secs(25);
const RECIPIENTS: u16 = 200;
/// Payments under one session.
const SESSION: u64 = 50_000;
/// Events in one commit.
const COMMIT: usize = 16;

pub(crate) struct Maker {
    folder: std::path::PathBuf,
    ledger: Option<SqliteLedger>,
    unlocked: Unlocked,
    state: State,
    head: Head,
    clocks: Clocks,
    events: Vec<StoredEvent>,
    spends: Vec<SpendIndex>,
    decisions: u64,
    owner: OwnerId,
    wallet: WalletId,
    session: SessionId,
    paid: u64,
}

/// A password in locked memory.
pub(crate) fn locked(arena: &SecretArena, bytes: &[u8]) -> Result<LockedBytes> {
    let mut locked = arena.take(bytes.len())?;
    locked.fill(|to| to.copy_from_slice(bytes));
    Ok(locked)
}

impl Maker {
    /// A keystore, and a log with an owner, a wallet, a policy.
    pub(crate) fn new(folder: &Path, arena: &SecretArena) -> Result<Self> {
        let signer = SignerId::from_bytes([5; 16]);
        let mut source = KernelEntropy;
        let keystore = NewKeystore::generate(signer, arena, &mut source)?;
        let first = genesis(signer, &keystore.log_public_key());
        let kek = derive(&locked(arena, PASSWORD)?, &keystore.kdf_request(), arena)?;
        let place = KeystoreFolder::open(folder)?;
        let (_, unlocked) = keystore.write(place, first, &kek, arena, &mut source)?;
        let mut maker = Self {
            folder: folder.to_owned(),
            ledger: Some(SqliteLedger::open(folder)?),
            unlocked,
            state: State::default(),
            head: Head {
                signer,
                sequence: 0,
                hash: first,
            },
            clocks: Clocks {
                wall: WallTime::from_millis(START),
                run: RunTime::default(),
                budget: BudgetTime::default(),
            },
            events: Vec::new(),
            spends: Vec::new(),
            decisions: 0,
            owner: OwnerId::from_bytes([0; 16]),
            wallet: WalletId::from_bytes([0; 16]),
            session: SessionId::from_bytes([0; 16]),
            paid: 0,
        };
        maker.run(&Command::Create { signer })?;
        maker.run(&Command::Unlocked(UnlockFacts {
            journal: maker.state.journal(),
            vouched: Millis::default(),
            failures: 0,
            journal_lost: false,
            missed: None,
        }))?;
        maker.set_up()?;
        Ok(maker)
    }

    fn set_up(&mut self) -> Result<()> {
        let key = SolanaAddress::from_bytes(owner_key().verifying_key().to_bytes());
        let (statement, text) = self.draft(StatementFacts::EnrolOwner {
            key: OwnerKey::Ed25519(key),
            withdrawals: Vec::new(),
        })?;
        let rehearsal = Rehearsal {
            statement,
            envelope: Envelope::Ed25519Plain,
            signature: sign(&text),
        };
        let Outcome::Owner(owner) = self.run(&Command::Enrol(rehearsal))? else {
            return Err("no owner".into());
        };
        self.owner = owner;
        let request = WalletRequest {
            path: self.state.next_path(Family::Evm),
            account: Account::Evm(address(u16::MAX)),
            networks: vec![CHAIN],
            first_nonce: 0,
        };
        let Outcome::Wallet(wallet) = self.run(&Command::CreateWallet(request))? else {
            return Err("no wallet".into());
        };
        self.wallet = wallet;
        let document = policy()?.to_bytes();
        self.say(StatementFacts::AdoptPolicy { document })?;
        Ok(())
    }

    /// Pays until the log has so many events.
    pub(crate) fn pay_until(&mut self, events: u64) -> Result<()> {
        while self.head.sequence < events {
            if self.paid.is_multiple_of(SESSION) {
                self.grant()?;
            }
            self.clocks = Clocks {
                wall: self.clocks.wall.after(STEP),
                run: self.clocks.run.after(STEP),
                budget: self.clocks.budget.after(STEP),
            };
            let to = address(u16::try_from(self.paid % u64::from(RECIPIENTS))?);
            let amount = 1_000 + u128::from(self.paid % 1_000);
            let body = format!(
                r#"{{"signer":"{}","wallet":"{}","network":"{CHAIN}","to":"{to}","amount_base":"{amount}"}}"#,
                self.head.signer, self.wallet,
            );
            let unsigned = UnsignedTransaction {
                chain_id: 31_337,
                nonce: 0,
                max_priority_fee_per_gas: 1,
                max_fee_per_gas: 1,
                gas_limit: 21_000,
                to,
                value: amount,
                data: Vec::new(),
            };
            let request = SpendRequest {
                session: self.session,
                method: "POST".to_owned(),
                path: "/v1/transactions".to_owned(),
                query: "?".to_owned(),
                idempotency_key: format!("payment-{}", self.paid),
                body: body.into_bytes(),
                signature_input: String::new(),
                signature: String::new(),
                unsigned: unsigned.encode(),
                used: None,
                replaced: None,
                dry_run: false,
            };
            self.run(&Command::Spend(request))?;
            self.paid += 1;
        }
        self.commit()?;
        // Somebody else opens it now.
        self.ledger = None;
        Ok(())
    }

    /// Takes in what the signer itself has written meanwhile.
    pub(crate) fn follow(&mut self) -> Result<()> {
        let mut ledger = SqliteLedger::open(&self.folder)?;
        for stored in ledger.read(self.head.sequence, usize::MAX)?.events {
            let event: Event = from_canonical(&stored.body)?;
            apply(&mut self.state, &event);
            self.state.committed();
            self.clocks = event.clocks;
            self.head = Head {
                sequence: stored.sequence,
                hash: stored.hash,
                ..self.head
            };
        }
        self.ledger = Some(ledger);
        Ok(())
    }

    pub(crate) const fn sequence(&self) -> u64 {
        self.head.sequence
    }

    pub(crate) const fn wall(&self) -> u64 {
        self.clocks.wall.millis()
    }

    fn run(&mut self, command: &Command) -> Result<Outcome> {
        self.decisions += 1;
        let context = Context {
            clocks: self.clocks,
            steady: self.clocks.wall,
            entropy: *hash(Domain::Identifier, &[&self.decisions.to_be_bytes()]).as_bytes(),
        };
        let (events, outcome) = step(&mut self.state, command, &context);
        for event in events {
            let body = to_canonical(&event);
            let sequence = self.head.sequence + 1;
            let hash = link(self.head.hash, sequence, &body);
            self.head = Head {
                sequence,
                hash,
                ..self.head
            };
            self.spends
                .extend(SpendIndex::of(&event.body, sequence, hash));
            self.events.push(StoredEvent {
                sequence,
                body,
                hash,
            });
        }
        if self.events.len() >= COMMIT {
            self.commit()?;
        }
        outcome.map_err(|denial| format!("{command:?}: {denial:?}").into())
    }

    fn commit(&mut self) -> Result<()> {
        let Some(ledger) = self.ledger.as_mut().filter(|_| !self.events.is_empty()) else {
            return Ok(());
        };
        let signature = self.unlocked.sign_note(self.head.note_text().as_bytes())?;
        let note = SignedHead::new(self.head, &self.unlocked.log_public_key(), signature);
        ledger.append(&Batch {
            events: std::mem::take(&mut self.events),
            head: note.to_string(),
            spends: std::mem::take(&mut self.spends),
            clear_journal: false,
            snapshot: None,
        })?;
        self.state.committed();
        Ok(())
    }

    fn draft(&mut self, facts: StatementFacts) -> Result<(StatementId, String)> {
        let command = Command::Draft {
            facts,
            origin: Origin::Admin,
        };
        match self.run(&command)? {
            Outcome::Drafted { statement, text } => Ok((statement, text.as_str().to_owned())),
            other => Err(format!("{other:?}").into()),
        }
    }

    fn say(&mut self, facts: StatementFacts) -> Result<Outcome> {
        let (statement, text) = self.draft(facts)?;
        let signature = OwnerSignature {
            owner: self.owner,
            envelope: Envelope::Ed25519Plain,
            signature: sign(&text),
        };
        self.run(&Command::Submit(Submission {
            statement,
            signatures: vec![signature],
            origin: Origin::Admin,
            with_password: true,
        }))
    }

    fn grant(&mut self) -> Result<()> {
        let secret: Digest = hash(Domain::SessionSecret, &[&self.paid.to_be_bytes()]);
        let grant = SessionGrant {
            wallets: vec![self.wallet],
            limits: vec![SessionLimit {
                asset: CHAIN.native_asset(),
                per_transaction: Amount::from_base_units(1_000_000),
                total: Amount::from_base_units(1 << 60),
            }],
            count: u32::try_from(2 * SESSION)?,
            expires: self.clocks.wall.after(Millis::from_hours(24 * 30)),
            credential: Credential::Bearer(secret),
            recipients: None,
            operations: None,
            renewal: None,
            agent: None,
        };
        match self.say(StatementFacts::GrantSession { grant })? {
            Outcome::Session(session) => self.session = session,
            other => return Err(format!("{other:?}").into()),
        }
        Ok(())
    }
}

fn owner_key() -> SigningKey {
    SigningKey::from_bytes(&[11; 32])
}

fn sign(text: &str) -> Vec<u8> {
    // The plain envelope is the text itself.
    owner_key().sign(text.as_bytes()).to_bytes().to_vec()
}

fn address(number: u16) -> EvmAddress {
    let mut bytes = [7; 20];
    let [high, low] = number.to_be_bytes();
    (bytes[0], bytes[1]) = (high, low);
    EvmAddress::from_bytes(bytes)
}

fn policy() -> Result<PolicyDocument> {
    let units = Amount::from_base_units;
    let rule = AssetRule {
        per_transaction: units(1_000_000),
        hour: units(1 << 50),
        day: units(1 << 52),
        week: units(1 << 54),
        month: units(1 << 56),
        instant_up_to: units(1_000_000),
        notify_up_to: units(1_000_000),
        delay_up_to: units(1_000_000),
        approve_up_to: units(1_000_000),
        fee_ceiling: Some(units(50_000)),
        outstanding: Some(units(1 << 60)),
        ..AssetRule::closed(CHAIN.native_asset(), "COIN", Decimals::new(9)?)
    };
    let recipients = (0..RECIPIENTS).map(|number| {
        let account = AccountId::new(CHAIN, Account::Evm(address(number)))?;
        Ok(Recipient {
            account,
            name: format!("contact-{number}"),
        })
    });
    let mut document = PolicyDocument {
        assets: vec![rule],
        recipients: recipients.collect::<Result<_>>()?,
        ..PolicyDocument::closed(1)
    };
    document.sort();
    Ok(document)
}
