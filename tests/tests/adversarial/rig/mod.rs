//! A running signer with an owner beside it and a hostile gateway in front, and the record of
//! everything that the gateway got out of it. Cases work through this; `checks` reads the record.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use ed25519_dalek::SigningKey;
use tokio::runtime::Runtime;
use tokio::task::{LocalSet, spawn_local};
use waiaas_client::{
    Client, ClientError, Drafted, GatewayClient, Paid, SignedPayment, SignerStatus, SpendRequest,
    Submitted,
};
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::payload;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_tests::agent::{Agent, Transfer};
use waiaas_tests::owner::Owner;
use waiaas_tests::stage::{EVM, EVM_TO, SOLANA_TO, solana};
use xtask::process::Process;

use crate::stand::{Cast, GATEWAY_UID, Home, as_user};

/// Calls that one connection keeps in flight here.
const AT_ONCE: usize = 128;

/// A payment that left.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) proposed: Vec<u8>,
    pub(crate) signed: SignedPayment,
    pub(crate) requested: Instant,
}

/// What the gateway got, and what it was entitled to change.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Every signature that left, replays included.
    pub(crate) releases: Vec<Release>,
    /// Signed bytes that a case read out of frames by hand.
    pub(crate) raws: Vec<Vec<u8>>,
    /// Payments asked for whose answer was lost: each may stand in the log or not.
    pub(crate) unanswered: u64,
    /// Changes that the signer accepted in this case, payments aside.
    pub(crate) accepted: u64,
    /// New payments that it accepted in this case.
    pub(crate) paid: u64,
    /// When kills were acknowledged; and when they were released.
    pub(crate) kills: Vec<Instant>,
    pub(crate) kill_ends: Vec<Instant>,
    /// Every byte and text that came back outside of typed answers.
    pub(crate) captured: Vec<u8>,
    /// The last status seen.
    pub(crate) status: Option<SignerStatus>,
    /// Heads that the owner kept.
    pub(crate) heads: Vec<String>,
}

/// The rig.
pub(crate) struct Rig {
    gateway: Option<Rc<GatewayClient>>,
    owner: Option<Owner>,
    local: LocalSet,
    runtime: Runtime,
    process: Option<Process>,
    pub(crate) home: Home,
    pub(crate) cast: Cast,
    pub(crate) record: Record,
    /// Why no honest payment is expected afterwards; the next case gets another rig.
    pub(crate) spent: Option<&'static str>,
    /// For how long the process ran before its last start, and when that was.
    ran: Duration,
    started: Instant,
    keys: u64,
}

impl Rig {
    /// Starts and unlocks the signer of a home.
    pub(crate) fn start(home: Home, cast: Cast) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut rig = Self {
            gateway: None,
            owner: None,
            local: LocalSet::new(),
            runtime,
            process: None,
            home,
            cast,
            record: Record::default(),
            spent: None,
            ran: Duration::ZERO,
            started: Instant::now(),
            keys: 0,
        };
        rig.resume()?;
        rig.record.accepted = 0;
        Ok(rig)
    }

    /// Starts the process, unlocks, connects.
    pub(crate) fn resume(&mut self) -> Result<()> {
        self.restart()?;
        self.unlock()
    }

    /// Starts the process and connects: it is locked.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.started = Instant::now();
        self.process = Some(self.home.start()?);
        self.owner = Some(self.block(Owner::connect(&self.home.admin_socket()))?);
        self.reconnect()
    }

    /// Opens the keystore.
    pub(crate) fn unlock(&mut self) -> Result<()> {
        self.block(self.owner().unlock())?;
        self.record.accepted += 1;
        Ok(())
    }

    /// The gateway connects anew.
    pub(crate) fn reconnect(&mut self) -> Result<()> {
        self.gateway = None;
        let path = self.home.gateway_socket();
        let connected = as_user(GATEWAY_UID, || self.block(Client::connect(&path)))?;
        self.gateway = Some(Rc::new(connected?));
        Ok(())
    }

    /// kill -9.
    pub(crate) fn crash(&mut self) {
        self.gateway = None;
        self.owner = None;
        if self.process.take().is_some() {
            self.ran += self.started.elapsed();
        }
    }

    /// For how long the signer has run, by this program's clock.
    pub(crate) fn ran(&self) -> Duration {
        self.ran + self.started.elapsed()
    }

    pub(crate) fn process_id(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("a running signer")?.id())
    }

    /// Whether the process has ended by itself.
    pub(crate) fn ended(&mut self) -> Result<bool> {
        let process = self.process.as_mut().context("a started signer")?;
        Ok(process.ended()?.is_some())
    }

    pub(crate) fn block<T>(&self, future: impl Future<Output = T>) -> T {
        self.local.block_on(&self.runtime, future)
    }

    pub(crate) fn owner(&self) -> &Owner {
        self.owner.as_ref().expect("set by restart")
    }

    pub(crate) fn gateway(&self) -> Rc<GatewayClient> {
        Rc::clone(self.gateway.as_ref().expect("set by restart"))
    }

    pub(crate) fn status(&self) -> Result<SignerStatus> {
        Ok(self.block(self.gateway().status())?)
    }

    /// A name that was not used before.
    pub(crate) fn fresh_key(&mut self) -> String {
        self.keys += 1;
        format!("key-{}", self.keys)
    }

    /// The rig cannot serve another case.
    pub(crate) fn use_up(&mut self, why: &'static str) {
        self.spent = Some(why);
    }

    // ---- payments ----

    pub(crate) fn to_evm(&self, amount: u128) -> Transfer {
        Transfer {
            from: self.cast.evm,
            network: EVM,
            to: EVM_TO.parse().expect("an address"),
            amount,
        }
    }

    pub(crate) fn to_solana(&self, amount: u128) -> Transfer {
        Transfer {
            from: self.cast.solana,
            network: solana(),
            to: SOLANA_TO.parse().expect("an address"),
            amount,
        }
    }

    /// An agent's honest request, under a fresh idempotency key.
    pub(crate) fn request(&mut self, transfer: &Transfer) -> Result<SpendRequest> {
        let key = self.fresh_key();
        self.cast.agent.request(transfer, &key)
    }

    /// The same body and bytes under the bearer session, which the gateway can speak for.
    pub(crate) fn invented(&mut self, transfer: &Transfer) -> Result<SpendRequest> {
        let key = self.fresh_key();
        Ok(SpendRequest {
            session: self.cast.bearer,
            signature_input: String::new(),
            signature: String::new(),
            ..self.cast.agent.request(transfer, &key)?
        })
    }

    /// Sends a request and notes what comes.
    pub(crate) fn send(&mut self, request: &SpendRequest) -> Result<SignedPayment, ClientError> {
        let requested = Instant::now();
        let gateway = self.gateway();
        let answer = self.block(gateway.sign(request)).and_then(at_once);
        self.note(request, requested, &answer);
        answer
    }

    /// Notes an answer that a case got by itself.
    pub(crate) fn note(
        &mut self,
        request: &SpendRequest,
        requested: Instant,
        answer: &Result<SignedPayment, ClientError>,
    ) {
        match answer {
            Ok(signed) => {
                self.record.paid += u64::from(!signed.replay);
                self.record.releases.push(Release {
                    proposed: request.unsigned.clone(),
                    signed: signed.clone(),
                    requested,
                });
            }
            Err(ClientError::Denied(_)) => {}
            Err(error) => {
                self.record.unanswered += 1;
                self.record.captured.extend(error.to_string().bytes());
            }
        }
    }

    /// Sends many at once, in order, as many as a connection takes.
    pub(crate) fn send_all(
        &mut self,
        requests: &[SpendRequest],
    ) -> Result<Vec<Result<SignedPayment, ClientError>>> {
        let mut answers = Vec::new();
        for chunk in requests.chunks(AT_ONCE) {
            let requested = Instant::now();
            let gateway = self.gateway();
            let together = self.block(async {
                let tasks: Vec<_> = chunk
                    .iter()
                    .cloned()
                    .map(|request| {
                        let gateway = Rc::clone(&gateway);
                        spawn_local(async move { gateway.sign(&request).await.and_then(at_once) })
                    })
                    .collect();
                let mut together = Vec::new();
                for task in tasks {
                    together.push(task.await?);
                }
                Ok::<_, anyhow::Error>(together)
            })?;
            for (request, answer) in chunk.iter().zip(&together) {
                self.note(request, requested, answer);
            }
            answers.extend(together);
        }
        Ok(answers)
    }

    /// Sends an honest payment that must pass.
    pub(crate) fn pay(&mut self, transfer: &Transfer) -> Result<SignedPayment> {
        let request = self.request(transfer)?;
        self.send(&request).context("an honest payment")
    }

    /// Every one of these must be refused, with one of the codes; how often each code came first.
    pub(crate) fn refused(
        &mut self,
        attempts: &[(String, SpendRequest)],
        codes: &[Code],
    ) -> Result<BTreeMap<Code, usize>> {
        let requests: Vec<_> = attempts
            .iter()
            .map(|(_, request)| request.clone())
            .collect();
        let mut counted = BTreeMap::new();
        let answers = self.send_all(&requests)?;
        for ((what, _), answer) in attempts.iter().zip(answers) {
            let code = refusal(answer).with_context(|| what.clone())?;
            ensure!(codes.contains(&code), "{what}: refused as {code}");
            *counted.entry(code).or_default() += 1;
        }
        ensure!(!counted.is_empty(), "nothing was attempted");
        Ok(counted)
    }

    /// The same for one.
    pub(crate) fn refuse(
        &mut self,
        what: &str,
        request: SpendRequest,
        codes: &[Code],
    ) -> Result<()> {
        self.refused(&[(what.to_owned(), request)], codes)?;
        Ok(())
    }

    // ---- owner statements, over the gateway's socket ----

    pub(crate) fn draft(&mut self, facts: &StatementFacts) -> Result<Drafted, ClientError> {
        let gateway = self.gateway();
        let drafted = self.block(gateway.draft_statement(facts));
        self.record.accepted += u64::from(drafted.is_ok());
        drafted
    }

    pub(crate) fn submit(
        &mut self,
        statement: StatementId,
        signatures: &[OwnerSignature],
    ) -> Result<Submitted, ClientError> {
        let gateway = self.gateway();
        let submitted = self.block(gateway.submit_statement(statement, signatures));
        self.record.accepted += u64::from(submitted.is_ok());
        submitted
    }

    /// The owner's own signature over a text, whatever it says.
    pub(crate) fn owner_signature(&self, text: &str) -> Result<OwnerSignature> {
        self.signature_by(&owner_key(), text.as_bytes())
    }

    /// A signature in the owner's name.
    pub(crate) fn signature_by(&self, key: &SigningKey, bytes: &[u8]) -> Result<OwnerSignature> {
        Ok(self.signature_by_id(self.owner_id()?, key, bytes))
    }

    /// The same, in the name of this owner.
    pub(crate) fn signature_by_id(
        &self,
        owner: OwnerId,
        key: &SigningKey,
        bytes: &[u8],
    ) -> OwnerSignature {
        use ed25519_dalek::Signer as _;
        OwnerSignature {
            owner,
            envelope: Envelope::Ed25519Plain,
            signature: key.sign(bytes).to_bytes().to_vec(),
        }
    }

    pub(crate) fn owner_id(&self) -> Result<OwnerId> {
        let owners = self.block(self.owner().admin.owners())?;
        Ok(owners.first().context("an owner")?.owner)
    }

    /// The owner signs and the gateway passes on, honestly.
    pub(crate) fn say(&mut self, facts: &StatementFacts) -> Result<Submitted> {
        let drafted = self.draft(facts)?;
        let signature = self.owner_signature(&drafted.text)?;
        Ok(self.submit(drafted.statement, &[signature])?)
    }

    /// The owner signs and brings it to the owner's socket, with the password.
    pub(crate) fn say_with_password(&mut self, facts: &StatementFacts) -> Result<Submitted> {
        self.record.accepted += 2;
        self.block(self.owner().say(facts))
    }

    /// The document that follows the newest, changed.
    pub(crate) fn next_policy(
        &self,
        change: impl FnOnce(&mut PolicyDocument),
    ) -> Result<PolicyDocument> {
        let newest = self
            .block(self.gateway().policy())?
            .pop()
            .context("a policy")?;
        let mut document = PolicyDocument::from_bytes(&newest)?;
        document.epoch = self.status()?.policy_epoch + 1;
        change(&mut document);
        document.sort();
        Ok(document)
    }

    /// Adopts a document over the gateway's socket.
    pub(crate) fn adopt(&mut self, document: &PolicyDocument) -> Result<Submitted> {
        self.say(&StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        })
    }

    pub(crate) fn pause(&mut self) -> Result<()> {
        self.block(self.gateway().pause(None))?;
        self.record.accepted += 1;
        Ok(())
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        self.block(self.gateway().kill())?;
        self.record.kills.push(Instant::now());
        self.record.accepted += 1;
        Ok(())
    }

    pub(crate) fn agent(&self) -> Agent {
        self.cast.agent.clone()
    }
}

/// The owner's key, as `waiaas_tests::owner` has it.
pub(crate) fn owner_key() -> SigningKey {
    SigningKey::from_bytes(&[11; 32])
}

/// The bytes that the owner's wallet signs in an envelope.
pub(crate) fn owner_payload(text: &str, envelope: Envelope) -> Result<Vec<u8>> {
    let key = SolanaAddress::from_bytes(owner_key().verifying_key().to_bytes());
    Ok(payload(text, envelope, &OwnerKey::Ed25519(key))?)
}

/// The first code of a refusal; anything else is an error.
pub(crate) fn refusal<T>(answer: Result<T, ClientError>) -> Result<Code> {
    match answer {
        Ok(_) => bail!("it was accepted"),
        Err(ClientError::Denied(denial)) => {
            let first = denial.violations().first().context("a reason")?;
            Ok(first.code)
        }
        Err(error) => bail!("not a refusal: {error}"),
    }
}

/// A payment of which no policy here asks that it waits.
pub(crate) fn at_once(paid: Paid) -> Result<SignedPayment, ClientError> {
    paid.signed().ok_or(ClientError::Protocol)
}
