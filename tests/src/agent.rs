//! An agent whose requests go straight to `gateway.sock`, as a gateway would forward them: honest
//! bytes, so that a test can spoil exactly what it means to.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use waiaas_client::{NewWallet, SessionRequest, SpendRequest};
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::ids::{SessionId, SignerId};
use waiaas_shared::keys::AgentKey;
use waiaas_shared::request_signature::{self, Parameters};
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit};
use waiaas_shared::time::{Millis, WallTime};
use waiaas_shared::{evm, solana};
use xtask::agent::fresh;

/// A key of its own and a session bound to it.
#[derive(Debug, Clone)]
pub struct Agent {
    /// The signer that it means.
    pub signer: SignerId,
    /// Its session.
    pub session: SessionId,
    /// Its key.
    pub key: SigningKey,
}

/// A transfer to ask for.
#[derive(Debug, Clone, Copy)]
pub struct Transfer {
    /// From which wallet.
    pub from: NewWallet,
    /// On which network.
    pub network: ChainId,
    /// To whom.
    pub to: Account,
    /// Base units.
    pub amount: u128,
}

/// An agent's key.
#[must_use]
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// A grant bound to `key` over these wallets and networks, with limits in base units.
#[must_use]
pub fn grant(
    key: &SigningKey,
    wallets: &[NewWallet],
    networks: &[ChainId],
    per_transaction: u128,
    total: u128,
) -> SessionGrant {
    let mut wallets: Vec<_> = wallets.iter().map(|wallet| wallet.wallet).collect();
    wallets.sort();
    let mut limits: Vec<_> = networks
        .iter()
        .map(|network| SessionLimit {
            asset: network.native_asset(),
            per_transaction: Amount::from_base_units(per_transaction),
            total: Amount::from_base_units(total),
        })
        .collect();
    limits.sort_by_key(|limit| limit.asset);
    SessionGrant {
        wallets,
        limits,
        count: 100_000,
        expires: now().after(Millis::from_hours(24)),
        credential: Credential::AgentKey(AgentKey::from_bytes(key.verifying_key().to_bytes())),
        recipients: None,
        operations: None,
        renewal: None,
        agent: None,
    }
}

/// The wall clock.
#[must_use]
pub fn now() -> WallTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Agent {
    /// A signed request for a transfer, with bytes that do it.
    ///
    /// # Errors
    /// When the transfer cannot be built.
    pub fn request(&self, transfer: &Transfer, idempotency_key: &str) -> Result<SpendRequest> {
        let body = json!({
            "signer": self.signer,
            "wallet": transfer.from.wallet,
            "network": transfer.network,
            "to": transfer.to,
            "amount_base": transfer.amount.to_string(),
            "submit": false,
        });
        let request = SpendRequest {
            session: self.session,
            method: "POST".to_owned(),
            path: "/v1/transactions".to_owned(),
            query: "?".to_owned(),
            idempotency_key: idempotency_key.to_owned(),
            body: body.to_string().into_bytes(),
            signature_input: String::new(),
            signature: String::new(),
            unsigned: unsigned(transfer)?,
        };
        self.sign(request)
    }

    /// A signed request that carries no transaction, for a route.
    ///
    /// # Errors
    /// As [`Agent::sign`].
    pub fn session_request(
        &self,
        path: &str,
        body: &[u8],
        idempotency_key: &str,
    ) -> Result<SessionRequest> {
        let signed = self.sign(SpendRequest {
            session: self.session,
            method: "POST".to_owned(),
            path: path.to_owned(),
            query: "?".to_owned(),
            idempotency_key: idempotency_key.to_owned(),
            body: body.to_vec(),
            signature_input: String::new(),
            signature: String::new(),
            unsigned: Vec::new(),
        })?;
        Ok(SessionRequest {
            session: signed.session,
            method: signed.method,
            path: signed.path,
            query: signed.query,
            idempotency_key: signed.idempotency_key,
            body: signed.body,
            signature_input: signed.signature_input,
            signature: signed.signature,
        })
    }

    /// Signs a request as it stands, with a fresh nonce.
    ///
    /// # Errors
    /// When a part of it has no canonical form.
    pub fn sign(&self, request: SpendRequest) -> Result<SpendRequest> {
        let parts = request_signature::Request {
            method: &request.method,
            path: &request.path,
            query: &request.query,
            body: &request.body,
            idempotency_key: &request.idempotency_key,
        };
        let parameters = Parameters::new(now().millis() / 1000, fresh()?.parse()?, self.session)?;
        let fields = request_signature::sign_request(&parts, &parameters, |base| {
            self.key.sign(base).to_bytes()
        })?;
        Ok(SpendRequest {
            signature_input: fields.signature_input,
            signature: fields.signature,
            ..request
        })
    }
}

/// Unsigned bytes of a transfer: on an EVM chain 21,000 gas at 1 gwei, on Solana a made-up blockhash.
///
/// # Errors
/// When wallet, network and recipient are not of one family, or the transfer cannot be built.
pub fn unsigned(transfer: &Transfer) -> Result<Vec<u8>> {
    Ok(
        match (transfer.network, transfer.from.account, transfer.to) {
            (ChainId::Evm(chain_id), Account::Evm(from), Account::Evm(to)) => {
                evm::build::transfer(&evm::build::TransferRequest {
                    chain_id,
                    from,
                    to,
                    value: transfer.amount,
                    gas_limit: 21_000,
                    max_fee_per_gas: 1_000_000_000,
                    max_priority_fee_per_gas: 1_000_000_000,
                })?
            }
            (ChainId::Solana(_), Account::Solana(from), Account::Solana(to)) => {
                solana::build::transfer(&solana::build::TransferRequest {
                    from,
                    to,
                    lamports: u64::try_from(transfer.amount)?,
                    blockhash: [7; 32],
                    compute_unit_limit: 450,
                    micro_lamports_per_compute_unit: 0,
                })?
            }
            _ => bail!("wallet, network and recipient are not of one family"),
        },
    )
}
