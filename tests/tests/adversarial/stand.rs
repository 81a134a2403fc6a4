//! Where a signer of these tests lives: a home whose signer, gateway and owner are three users, as the
//! claim demands, copied from one that was set up once. Needs root, to become the other users.

mod policy;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use waiaas_client::NewWallet;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::ids::SessionId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::session::{Credential, Operation, SessionGrant, SessionLimit};
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::agent::{Agent, grant, key};
use waiaas_tests::owner::{Owner, PASSWORD};
use waiaas_tests::stage::{EVM, EVM_TO, LIMIT, SOLANA_TO, account, solana};
use xtask::process::Process;
use xtask::product::Product;

pub(crate) use self::policy::{
    AUTHORIZED_FOR, CHEAP, CONTRACT, DEPOSIT, FEE_MINT, FUNCTION, LEAVES, MINT, MIXED, MOST,
    PROGRAM, SHORT, TOKEN_NAME, VALUE_UP_TO, VAULT, fee_mint, first_policy, mint, token,
};
use crate::hand::Hand;
use crate::machine::{Clock, Machine};

/// The signer's user.
pub(crate) const SIGNER_UID: u32 = 64_001;
/// The gateway's: the attacker.
pub(crate) const GATEWAY_UID: u32 = 64_002;
/// A user who is neither, nor the owner (root, here).
pub(crate) const STRANGER_UID: u32 = 64_003;
/// Window limits of the first policy, base units.
pub(crate) const WINDOW: u128 = LIMIT * 10;
/// Tiers of the first policy on both chains, base units: signed at once up to the second, then after
/// [`DELAY`], then by the owner's approval, up to [`LIMIT`].
pub(crate) const INSTANT_UP_TO: u128 = LIMIT / 100;
pub(crate) const NOTIFY_UP_TO: u128 = LIMIT / 50;
pub(crate) const DELAY_UP_TO: u128 = LIMIT / 20;
/// Amounts that wait for their time, and for the owner.
pub(crate) const DELAYED: u128 = LIMIT / 25;
pub(crate) const ASKED: u128 = LIMIT / 10;
/// Most that a fee may be.
pub(crate) const FEE_CEILING: u128 = LIMIT / 1000;
/// How long DELAY waits by the first policy.
pub(crate) const DELAY: Duration = Duration::from_millis(800);
/// A main network: as long as one wallet is bound to it, policies wait to mature.
pub(crate) const MAIN: ChainId = ChainId::Evm(1);
/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who plays in these tests.
#[derive(Debug, Clone)]
pub(crate) struct Cast {
    /// A wallet on the local EVM chain, and one on the local Solana.
    pub(crate) evm: NewWallet,
    pub(crate) solana: NewWallet,
    /// Another of each, of which only `other` may spend.
    pub(crate) other_evm: NewWallet,
    pub(crate) other_solana: NewWallet,
    /// On the main network, without a rule; where all networks are for tests, another on the local one.
    pub(crate) main: NewWallet,
    /// An agent with its key, for the first two wallets.
    pub(crate) agent: Agent,
    /// Another agent, for the other two.
    pub(crate) other: Agent,
    /// A session with a bearer secret, for the first two: what the gateway says passes for the agent.
    pub(crate) bearer: SessionId,
    /// The first policy.
    pub(crate) policy: PolicyDocument,
    /// The 24 words.
    pub(crate) phrase: Vec<u8>,
    /// The owners, the first one first, and how many must sign.
    pub(crate) owners: Vec<Hand>,
    pub(crate) quorum: usize,
}

/// State and sockets of one signer.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
    /// A copy of the signer that every user may run: the build folder may be closed to others.
    program: PathBuf,
    mounted: bool,
    machine: Option<Machine>,
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg("-l").arg(self.state()).status();
        }
    }
}

impl Home {
    /// An empty home, with a program of its own.
    pub(crate) fn new() -> Result<Self> {
        let mut home = Self::with_program(PathBuf::new())?;
        home.program = home.path().join("waiaas-signer");
        fs::copy(Product::for_tests()?.signer(), &home.program)?;
        fs::set_permissions(&home.program, fs::Permissions::from_mode(0o755))?;
        Ok(home)
    }

    fn with_program(program: PathBuf) -> Result<Self> {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "the hostile gateway is a user of its own: run this as root"
        );
        let folder = tempfile::tempdir()?;
        let home = Self {
            folder,
            program,
            mounted: false,
            machine: None,
        };
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o711))?;
        for (name, mode) in [("state", 0o700), ("run", 0o755)] {
            let path = home.path().join(name);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            chown(&path, Some(SIGNER_UID), Some(SIGNER_UID))?;
        }
        let config = format!(
            "state-directory = {:?}\ngateway-socket = {:?}\nadmin-socket = {:?}\n\
             gateway-uids = [{GATEWAY_UID}]\nadmin-uids = [0]\n",
            home.state(),
            home.gateway_socket(),
            home.admin_socket()
        );
        fs::write(home.config(), config)?;
        fs::set_permissions(home.config(), fs::Permissions::from_mode(0o644))?;
        Ok(home)
    }

    /// A home with the state of another, as it is set up.
    pub(crate) fn like(template: &Self) -> Result<Self> {
        let home = Self::with_program(template.program.clone())?;
        home.take_state(template)?;
        Ok(home)
    }

    /// The same, on a disk of its own of so many bytes.
    pub(crate) fn on_small_disk(template: &Self, bytes: u64) -> Result<Self> {
        let mut home = Self::with_program(template.program.clone())?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!(
                "size={bytes},mode=700,uid={SIGNER_UID},gid={SIGNER_UID}"
            ))
            .arg("tmpfs")
            .arg(home.state())
            .status()?;
        ensure!(mounted.success(), "a small disk needs the right to mount");
        home.mounted = true;
        home.take_state(template)?;
        Ok(home)
    }

    /// With the machine under the signer in the test's hand.
    pub(crate) fn in_hand(mut self) -> Result<Self> {
        self.machine = Some(Machine::new(self.path())?);
        Ok(self)
    }

    pub(crate) fn machine(&self) -> Result<&Machine> {
        self.machine
            .as_ref()
            .context("a machine in the test's hand")
    }

    fn take_state(&self, template: &Self) -> Result<()> {
        for entry in fs::read_dir(template.state())? {
            let entry = entry?;
            let to = self.state().join(entry.file_name());
            fs::copy(entry.path(), &to)?;
            chown(&to, Some(SIGNER_UID), Some(SIGNER_UID))?;
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("signer.toml")
    }

    pub(crate) fn gateway_socket(&self) -> PathBuf {
        self.path().join("run/gateway.sock")
    }

    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.path().join("run/admin.sock")
    }

    /// What the signer printed on its standard error, over all its starts.
    pub(crate) fn errors(&self) -> PathBuf {
        self.path().join("stderr")
    }

    /// Starts the signer under its own user.
    pub(crate) fn start(&self) -> Result<Process> {
        let mut options = File::options();
        let errors = options.create(true).append(true).open(self.errors())?;
        let machine = self.machine.iter().flat_map(Machine::variables);
        let mut process = Process::spawn(
            "waiaas-signer",
            Command::new(&self.program)
                .envs(machine)
                .arg("--config")
                .arg(self.config())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(errors)
                .uid(SIGNER_UID)
                .gid(SIGNER_UID),
        )?;
        process
            .ready(PATIENCE, |line| (line == "ready").then_some(()))
            .context("the signer did not become ready")?;
        Ok(process)
    }
}

/// Runs `action` as another user; connections made in it belong to that user. Only the main thread of
/// these tests calls it.
pub(crate) fn as_user<T>(uid: u32, action: impl FnOnce() -> T) -> Result<T> {
    nix::unistd::seteuid(uid.into())?;
    let result = action();
    nix::unistd::seteuid(0.into())?;
    Ok(result)
}

/// How a signer is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetUp {
    /// Of the fifth wallet.
    pub(crate) network: ChainId,
    /// Whether it has three owners of whom two must sign. The time that this takes passes on the machine in the
    /// test's hand, which begins as long ago.
    pub(crate) three_owners: bool,
}

/// What a change of owners waits, and a little more.
pub(crate) const OWNERS_WAIT: Duration = Duration::from_secs(72 * 3600 + 60);

/// Two more owners, one of them with the other kind of key; then two of three must sign.
async fn two_more(home: &Home, owner: &Owner) -> Result<Vec<Hand>> {
    let mut hands = Vec::new();
    for hand in [Hand::ed25519(12), Hand::secp256k1(13)?] {
        let key = hand.public();
        let admin = &owner.admin;
        let drafted = admin
            .draft_statement(&StatementFacts::AddOwner { key })
            .await?;
        let rehearsal = hand.signature(&drafted.text)?;
        let ticket = admin.put_secret(PASSWORD).await?;
        let id = admin
            .register_key(
                &ticket,
                drafted.statement,
                &[owner.signature(&drafted.text)?],
                rehearsal.envelope,
                &rehearsal.signature,
            )
            .await?;
        hands.push(hand.known_as(id));
    }
    home.machine()?.pass(OWNERS_WAIT)?;
    owner.say(&StatementFacts::SetQuorum { quorum: 2 }).await?;
    Ok(hands)
}

/// Sets a signer up, from nothing: owner, wallets, policy, sessions.
pub(crate) async fn set_up(home: &Home, how: SetUp) -> Result<Cast> {
    if how.three_owners {
        let ago = i64::try_from(OWNERS_WAIT.as_millis())? * -2;
        home.machine()?.shift(Clock::Wall, ago)?;
    }
    let mut owner = Owner::connect(&home.admin_socket()).await?;
    let phrase = owner.initialize().await?;
    owner
        .enrol(vec![account(EVM, EVM_TO), account(solana(), SOLANA_TO)])
        .await?;
    let evm = owner.wallet(Family::Evm, EVM).await?;
    let solana_wallet = owner.wallet(Family::Solana, solana()).await?;
    let other_evm = owner.wallet(Family::Evm, EVM).await?;
    let other_solana = owner.wallet(Family::Solana, solana()).await?;
    let main = owner.wallet(Family::Evm, how.network).await?;
    let policy = first_policy();
    owner.adopt(&policy).await?;
    let id = owner.admin.owners().await?;
    let id = id.first().context("an owner")?.owner;
    let mut owners = vec![Hand::ed25519(11).known_as(id)];
    if how.three_owners {
        owners.extend(two_more(home, &owner).await?);
    }
    let signer = owner.admin.status().await?.signer.context("a signer")?;
    let networks = [EVM, solana()];
    let mut agents = Vec::new();
    for (number, wallets) in [(22, [evm, solana_wallet]), (33, [other_evm, other_solana])] {
        let key = key(number);
        let session = owner
            .grant(grant(&key, &wallets, &networks, LIMIT, u128::MAX))
            .await?;
        agents.push(Agent {
            signer,
            session,
            key,
        });
    }
    let mut unbound = SessionGrant {
        credential: Credential::Bearer(hash(Domain::SessionSecret, &[b"bearer secret"])),
        ..grant(&key(22), &[evm, solana_wallet], &networks, LIMIT, u128::MAX)
    };
    let tokens = [token(), mint(), fee_mint()];
    unbound.limits.extend(tokens.map(|asset| SessionLimit {
        asset,
        per_transaction: Amount::from_base_units(LIMIT),
        total: Amount::MAX,
    }));
    unbound.limits.sort_by_key(|limit| limit.asset);
    unbound.operations = Some(vec![
        Operation::NativeTransfer,
        Operation::TokenTransfer,
        Operation::TokenApproval,
        Operation::Call,
        Operation::TransferAuthorization,
    ]);
    let bearer = owner.grant(unbound).await?;
    let mut quorum = 1;
    if how.three_owners {
        // The clocks are where everybody else's are again, and the quorum holds.
        home.machine()?.pass(OWNERS_WAIT)?;
        owner.admin.pause(Some(main.wallet)).await?;
        quorum = 2;
    }
    let other = agents.pop().context("two agents")?;
    let agent = agents.pop().context("two agents")?;
    Ok(Cast {
        evm,
        solana: solana_wallet,
        other_evm,
        other_solana,
        main,
        agent,
        other,
        bearer,
        policy,
        phrase,
        owners,
        quorum,
    })
}
