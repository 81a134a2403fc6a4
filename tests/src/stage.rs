//! A signer that is set up: owner, a wallet on each family, a policy, one key-bound session.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use waiaas_client::{Client, ClientError, GatewaySocket, NewWallet};
use waiaas_shared::caip::{AccountId, ChainId, Family};
use waiaas_shared::denial::Code;

use crate::agent::{Agent, Transfer, grant, key};
use crate::owner::{Owner, policy, rule};
use crate::signer::Home;

/// The local EVM chain.
pub const EVM: ChainId = ChainId::Evm(31_337);
/// The recipient on the EVM chain that policy lists.
pub const EVM_TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
/// The recipient on Solana that policy lists.
pub const SOLANA_TO: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
/// Per transaction, in wei and in lamports: a tenth of an ether.
pub const LIMIT: u128 = 100_000_000_000_000_000;

/// The local Solana chain.
///
/// # Panics
/// Never: the name is sound.
#[must_use]
pub fn solana() -> ChainId {
    "solana:localnet".parse().expect("a chain")
}

/// An account of a policy's list.
///
/// # Panics
/// For an address of another family.
#[must_use]
pub fn account(chain: ChainId, text: &str) -> AccountId {
    AccountId::new(chain, text.parse().expect("an address")).expect("an account")
}

/// An initialised signer with owner, wallets, policy and a key-bound session.
#[derive(Debug)]
pub struct Stage {
    /// The owner, connected to admin.sock.
    pub owner: Owner,
    /// The recovery phrase, as the signer gave it once.
    pub phrase: Vec<u8>,
    /// The wallet on the EVM chain.
    pub evm: NewWallet,
    /// The wallet on Solana.
    pub solana: NewWallet,
    /// The agent with its session.
    pub agent: Agent,
}

impl Stage {
    /// From an empty home, with window limits of ten transactions.
    ///
    /// # Errors
    /// When the signer refuses a step.
    pub async fn set_up(home: &Home) -> Result<Self> {
        Self::with_window(home, LIMIT * 10).await
    }

    /// From an empty home, with these window limits in base units.
    ///
    /// # Errors
    /// When the signer refuses a step.
    pub async fn with_window(home: &Home, window: u128) -> Result<Self> {
        let mut owner = Owner::connect(&home.admin_socket()).await?;
        let phrase = owner.initialize().await?;
        ensure!(phrase.split(|byte| *byte == b' ').count() == 24, "24 words");
        owner.enrol(vec![account(EVM, EVM_TO)]).await?;
        let evm = owner.wallet(Family::Evm, EVM).await?;
        let solana_wallet = owner.wallet(Family::Solana, solana()).await?;
        let recipients = [account(EVM, EVM_TO), account(solana(), SOLANA_TO)];
        let rules = vec![rule(EVM, LIMIT, window), rule(solana(), LIMIT, window)];
        owner.adopt(&policy(rules, &recipients)).await?;
        let key = key(22);
        let granted = owner
            .grant(grant(
                &key,
                &[evm, solana_wallet],
                &[EVM, solana()],
                LIMIT,
                u128::MAX,
            ))
            .await?;
        let signer = owner.admin.status().await?.signer.context("a signer")?;
        Ok(Self {
            owner,
            phrase,
            evm,
            solana: solana_wallet,
            agent: Agent {
                signer,
                session: granted,
                key,
            },
        })
    }

    /// A transfer to the listed recipient, in wei.
    ///
    /// # Panics
    /// Never: the address is sound.
    #[must_use]
    pub fn to_evm(&self, amount: u128) -> Transfer {
        Transfer {
            from: self.evm,
            network: EVM,
            to: EVM_TO.parse().expect("an address"),
            amount,
        }
    }

    /// A transfer to the listed recipient, in lamports.
    ///
    /// # Panics
    /// Never: the address is sound.
    #[must_use]
    pub fn to_solana(&self, amount: u128) -> Transfer {
        let to = SOLANA_TO.parse().expect("an address");
        Transfer {
            from: self.solana,
            network: solana(),
            to,
            amount,
        }
    }
}

/// The codes of a refusal.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn codes(error: &ClientError) -> Vec<Code> {
    match error {
        ClientError::Denied(denial) => denial
            .violations()
            .iter()
            .map(|broken| broken.code)
            .collect(),
        other => panic!("not a refusal: {other}"),
    }
}

/// Connects to gateway.sock. Call it inside a `LocalSet`.
///
/// # Errors
/// When the socket cannot be reached.
pub async fn gateway(socket: &Path) -> Result<Client<GatewaySocket>> {
    Ok(Client::connect(socket).await?)
}

/// Runs a scenario on one thread.
///
/// # Panics
/// When it fails: with its error.
pub fn run(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let outcome = tokio::task::LocalSet::new().block_on(&runtime, test);
    outcome.expect("the scenario");
}
