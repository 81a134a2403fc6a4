//! Stage 3, evaluate: names and units by the policy in force, the fee ceiling, and what any document
//! or the session forbids whatever was spent before. What would be denied is denied before a node is
//! asked; the complete list of reasons comes from the signer's own dry run.

use std::sync::Arc;

use waiaas_client::{SpendRequest, WouldAllow};
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::claim::Claim;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::{Now, Payment, charges, evaluate as judge, payments};
use waiaas_shared::policy::history::Nothing;
use waiaas_shared::policy::network::network_terms;
use waiaas_shared::request::Transfer;
use waiaas_shared::session::{Credential, SessionUsage};
use waiaas_shared::solana::Staking;
use waiaas_shared::solana::build::Part;
use waiaas_shared::status::Status;
use waiaas_shared::time::{BudgetTime, WallTime};
use waiaas_shared::view::SessionState;
use waiaas_shared::{evm, solana};

use super::{Asked, Refusal, brought, find};
use crate::app::App;
use crate::chain::Offer;
use crate::signer_client::SignerError;

/// A payment whose names and units are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// The wallet's address.
    pub from: Account,
    /// What moves where.
    pub claim: Claim,
    /// The lowest fee ceiling of all binding documents, in base units of the native asset.
    pub fee_ceiling: Amount,
    /// What they say of an EVM network.
    pub network: NetworkTerms,
}

impl Evaluated {
    /// What is offered for it.
    #[must_use]
    pub const fn offer(&self, asked: &Asked) -> Offer {
        Offer {
            ceiling: Some(self.fee_ceiling),
            speed: asked.body.speed,
        }
    }
}

/// Evaluates.
///
/// # Errors
/// [`Refusal`].
pub async fn evaluate(app: &Arc<App>, asked: &Asked) -> Result<Evaluated, Refusal> {
    if asked.session.state == SessionState::Suspended {
        return Err(Code::SessionSuspended.into());
    }
    let signer = &*app.signer;
    let (documents, wallet) = futures::future::try_join(
        app.views.policy(signer),
        app.views.wallet(signer, asked.body.wallet),
    )
    .await?;
    let wallet = wallet.ok_or(Code::WalletUnknown)?;
    if !wallet.networks.contains(&asked.body.network) {
        return Err(Code::NetworkNotBound.into());
    }
    let newest = documents.last().ok_or(Code::PolicyMissing)?;
    let network = network_terms(&documents[..], asked.body.network);
    let claim = match &asked.body.brought {
        None => asked.body.resolve(newest, wallet.account)?,
        Some(brought) => brought::read(asked, brought, wallet.account, newest, network)?.1,
    };
    let evaluated = Evaluated {
        from: wallet.account,
        claim,
        fee_ceiling: fee_ceiling(&documents, asked.body.network),
        network,
    };
    match static_rules(&documents, asked, &evaluated.claim, app.clock.now()) {
        Ok(()) => Ok(evaluated),
        Err(denial) => {
            let nominal = match &asked.body.brought {
                None => nominal(asked.body.network, wallet.account, &evaluated.claim),
                Some(brought) => Some(brought.unsigned.clone()),
            };
            Err(complete(app, asked, nominal, denial).await)
        }
    }
}

/// Whether the payment that a request replaces has ended unseen, as far as this gateway knows. The signer
/// asks nobody about that; it only charges again. What it alone can tell passes here.
///
/// # Errors
/// [`Refusal::NotEnded`].
pub async fn may_replace(app: &App, asked: &Asked) -> Result<(), Refusal> {
    // An EVM payment never ends unseen; the signer says what to do.
    let (Some(named), ChainId::Solana(_)) = (asked.body.replaces, asked.body.network) else {
        return Ok(());
    };
    let Some(first) = find(app, named).await? else {
        return Ok(());
    };
    // Of one that the agent sends itself only the agent knows.
    let own = !first.facts.submit && first.progress.status == Status::Submitted;
    match first.progress.status {
        _ if first.facts.wallet != asked.body.wallet || own => Ok(()),
        Status::Expired | Status::Failed | Status::Cancelled => Ok(()),
        status => Err(Refusal::NotEnded(status)),
    }
}

/// The signer's dry run over proposed bytes.
///
/// # Errors
/// [`SignerError`].
pub async fn dry_run(
    app: &App,
    asked: &Asked,
    unsigned: Vec<u8>,
) -> Result<WouldAllow, SignerError> {
    app.signer.decide(spend_request(asked, unsigned)).await
}

/// The request as the signer takes it.
#[must_use]
pub fn spend_request(asked: &Asked, unsigned: Vec<u8>) -> SpendRequest {
    let agent = &asked.agent;
    SpendRequest {
        session: asked.session.id,
        method: agent.method.clone(),
        path: agent.path.clone(),
        query: agent.query.clone(),
        idempotency_key: agent.idempotency_key.clone(),
        body: agent.body.to_vec(),
        signature_input: agent.signature_input.clone(),
        signature: agent.signature.clone(),
        unsigned,
    }
}

/// All reasons: those of the signer, whose windows and counts the gateway does not know.
async fn complete(app: &App, asked: &Asked, nominal: Option<Vec<u8>>, known: Denial) -> Refusal {
    let Some(unsigned) = nominal else {
        return Refusal::Denied(known);
    };
    match dry_run(app, asked, unsigned).await {
        Err(SignerError::Denied(complete)) => Refusal::Denied(complete),
        Err(other) => Refusal::Signer(other),
        // The documents changed under our hands; the next try sees the new ones.
        Ok(_) => Refusal::Denied(known),
    }
}

/// The lowest fee ceiling of all binding documents, in base units of the network's coin.
pub(crate) fn fee_ceiling(documents: &[PolicyDocument], chain: ChainId) -> Amount {
    let native = chain.native_asset();
    let ceilings = documents.iter().map(|document| {
        document
            .asset(native)
            .and_then(|rule| rule.fee_ceiling)
            .unwrap_or_default()
    });
    ceilings.min().unwrap_or_default()
}

/// Every document and the session, `wall` by the gateway's clock, as if nothing had been spent and the fee were nothing.
fn static_rules(
    documents: &[PolicyDocument],
    asked: &Asked,
    claim: &Claim,
    wall: WallTime,
) -> Result<(), Denial> {
    let effects = claim.effects();
    let session = &asked.session;
    let payment = Payment {
        wallet: asked.body.wallet,
        session: session.id,
        bearer: matches!(session.grant.credential, Credential::Bearer(_)),
        chain: asked.body.network,
        effects: &effects,
        submit: asked.body.submit,
    };
    let now = Now {
        budget: BudgetTime::default(),
        wall,
        steady: wall,
    };
    let mut violations: Vec<Violation> = Vec::new();
    for document in documents {
        let broken = judge(document, &payment, &Nothing, now)
            .err()
            .unwrap_or_default();
        // By the hour only the signer's clock refuses.
        if broken.iter().all(|one| one.code != Code::OutsideHours) {
            violations.extend(broken);
        }
    }
    let sums = charges(&effects)?;
    let unused = SessionUsage::default();
    let made = payments(&effects);
    let broken = session
        .grant
        .violations(asked.body.wallet, &sums, made, &unused);
    violations.extend(broken);
    let narrowed = session
        .grant
        .narrowed(asked.body.network, &effects, documents.iter());
    violations.extend(narrowed);
    Denial::from_violations(violations).map_or(Ok(()), Err)
}

/// Bytes that do what is asked with the least fee, made without asking a node: only ever judged,
/// never signed.
#[must_use]
pub fn nominal(chain: ChainId, from: Account, claim: &Claim) -> Option<Vec<u8>> {
    match (claim.single(), from) {
        (Some(transfer), _) => nominal_of_one(chain, from, transfer),
        (None, Account::Solana(from)) => {
            let parts = claim.transfers().map(|transfer| part(chain, transfer));
            let parts: Vec<Part> = parts.collect::<Option<_>>()?;
            solana::build::batch(&solana::build::BatchRequest {
                from,
                parts: &parts,
                memo: claim.memo(),
                blockhash: [0; 32],
                compute_unit_limit: 0,
                micro_lamports_per_compute_unit: 0,
            })
            .ok()
        }
        (None, Account::Evm(_)) => None,
    }
}

/// One transfer of several, into an account that exists.
fn part(chain: ChainId, transfer: &Transfer) -> Option<Part> {
    let Account::Solana(to) = transfer.to else {
        return None;
    };
    let amount = u64::try_from(transfer.amount.base_units()).ok()?;
    match transfer.mint {
        Some(token) => Some(Part::Tokens {
            to,
            token,
            amount,
            create: false,
        }),
        None => (transfer.asset == chain.native_asset()).then_some(Part::Lamports {
            to,
            lamports: amount,
        }),
    }
}

fn nominal_of_one(chain: ChainId, from: Account, transfer: &Transfer) -> Option<Vec<u8>> {
    match (chain, from, transfer.to) {
        (ChainId::Solana(_), Account::Solana(from), Account::Solana(to)) => {
            if let (Some(staking), Some(account)) = (transfer.staking(), &transfer.stake) {
                // What comes back is judged the same, however much it is.
                let staking = match staking {
                    Staking::Withdraw { .. } => Staking::Withdraw {
                        amount: Amount::from_base_units(1),
                    },
                    other => other,
                };
                return solana::build::staking(&solana::build::StakingRequest {
                    from,
                    account,
                    staking,
                    blockhash: [0; 32],
                    compute_unit_limit: 0,
                    micro_lamports_per_compute_unit: 0,
                })
                .ok();
            }
            if let Some(told) = &transfer.program {
                return solana::build::call(&solana::build::CallRequest {
                    told,
                    blockhash: [0; 32],
                    compute_unit_limit: 0,
                    micro_lamports_per_compute_unit: 0,
                })
                .ok();
            }
            if let Some(token) = transfer.mint {
                return solana::build::token_transfer(&solana::build::TokenTransferRequest {
                    from,
                    to,
                    token,
                    amount: u64::try_from(transfer.amount.base_units()).ok()?,
                    create: false,
                    blockhash: [0; 32],
                    compute_unit_limit: 0,
                    micro_lamports_per_compute_unit: 0,
                })
                .ok();
            }
            if transfer.asset != chain.native_asset() {
                return None;
            }
            solana::build::transfer(&solana::build::TransferRequest {
                from,
                to,
                lamports: u64::try_from(transfer.amount.base_units()).ok()?,
                blockhash: [0; 32],
                compute_unit_limit: 450,
                micro_lamports_per_compute_unit: 0,
            })
            .ok()
        }
        (ChainId::Evm(chain_id), Account::Evm(from), Account::Evm(_)) => {
            let terms = evm::build::Terms {
                chain_id,
                from,
                gas_limit: evm::MIN_GAS_LIMIT,
                max_fee_per_gas: 1,
                max_priority_fee_per_gas: 0,
            };
            let message = evm::build::message(from, transfer.effects().first()?)?;
            let function = transfer.function();
            evm::build::transaction(&terms, message, function.as_ref()).ok()
        }
        _ => None,
    }
}
