//! What a gateway proposes to sign, or an agent brings: read to the last byte. What is proposed is numbered by
//! the signer; what is brought is signed as it is or not at all. Judges nothing by policy; what was asked for
//! is compared by `Claim::is_done_by`. Called by the decisions over payments and withdrawals.

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::claim::Claim;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::event::Replaces;
use waiaas_shared::evm::EvmError;
use waiaas_shared::request::{Brought, TransferRequest};
use waiaas_shared::solana;
use waiaas_shared::time::Clocks;
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};

use super::command::SpendRequest;
use super::state::{BindingPolicy, State, Wallet};
use super::{decide_replace, decide_token, network, reading, tables};

/// What is asked for, and the bytes that are to do it.
pub(super) struct Proposed {
    pub(super) asked: Claim,
    pub(super) transaction: DecodedTransaction,
    /// The mints that move, as they are registered.
    pub(super) tokens: Vec<solana::Token>,
    pub(super) replaces: Option<Replaces>,
}

/// The transaction of an agent's request: built by the gateway for what the body says, or brought in the body.
pub(super) fn of_request(
    state: &State,
    request: &SpendRequest,
    body: &TransferRequest,
    wallet: &Wallet,
    now: Clocks,
) -> Result<Proposed, Denial> {
    let (asked, bytes) = match &body.brought {
        None => (reading::resolved(state, body, wallet.account, now)?, None),
        // The agent's bytes, and nobody else's.
        Some(brought) if request.unsigned != brought.unsigned => {
            return Err(Code::BodyMismatch.into());
        }
        Some(brought) => {
            let (transaction, asked) = self::brought(state, wallet, body, brought, now)?;
            (asked, Some(transaction))
        }
    };
    reading::calls_no_wallet(state, asked.first())?;
    let replaces = decide_replace::replaces(state, request, body, &asked)?;
    let tokens = decide_token::of_claim(state, &asked, now)?;
    let transaction = match bytes {
        Some(transaction) => transaction,
        None => {
            let function = asked.function();
            let known = Known {
                owners: &asked.owners(),
                tokens: &tokens,
                function: function.as_ref(),
                seed: asked.seed(),
                program: asked.program(),
                network: network::terms(state, body.network, now),
                sponsored: false,
                tables: &[],
            };
            proposed(wallet, body.network, &request.unsigned, known)?
        }
    };
    Ok(Proposed {
        asked,
        transaction,
        tokens,
        replaces,
    })
}

/// The proposed bytes, decoded; on an EVM chain with the signer's own nonce written into them.
pub(super) fn proposed(
    wallet: &Wallet,
    chain: ChainId,
    unsigned: &[u8],
    known: Known<'_>,
) -> Result<DecodedTransaction, Denial> {
    if unsigned.len() > waiaas_schema::BODY_LIMIT_BYTES {
        return Err(Code::BodyTooLarge.into());
    }
    let transaction =
        decode(chain, wallet.account, unsigned, known).map_err(|error| undecodable(&error))?;
    transaction
        .require_zero_nonce()
        .map_err(|_| Code::NonceNotZero)?;
    match chain {
        ChainId::Solana(_) => Ok(transaction),
        ChainId::Evm(_) => {
            let nonce = wallet.nonces.get(&chain).ok_or(Code::NonceNotAttested)?;
            Ok(transaction
                .with_nonce(nonce.due()?)
                .map_err(|_| Code::TransactionUndecodable)?)
        }
    }
}

/// The transaction in the request's own body, and what it does as the binding documents read it. INVARIANT 1: the
/// bytes are no more the agent's to choose than a gateway's; what is not understood is denied. INVARIANT 6: on an
/// EVM chain they carry the very nonce that is issued with them.
fn brought(
    state: &State,
    wallet: &Wallet,
    body: &TransferRequest,
    brought: &Brought,
    now: Clocks,
) -> Result<(DecodedTransaction, Claim), Denial> {
    let (chain, account) = (body.network, wallet.account);
    let terms = network::terms(state, chain, now);
    let binding = state.binding(now.run);
    let read = |policy: &BindingPolicy| brought.decode(chain, account, &policy.document, terms);
    // A void document names nothing.
    let newest = binding.iter().rfind(|one| !one.is_void());
    let (transaction, claim) = read(newest.ok_or(Code::PolicyMissing)?)?;
    // Which account an index is, all agree.
    tables::agreed(state, chain, &brought.unsigned, now)?;
    // A contact of the newest document alone is known to it alone; which arguments of a call are amounts, all agree,
    // void ones too: voiding loosens nothing.
    if claim.function().is_some() || claim.program().is_some() {
        for policy in binding.iter().rev() {
            let (_, other) = read(policy)?;
            if other.function() != claim.function() || other.program() != claim.program() {
                return Err(Code::CallConflict.into());
            }
        }
    }
    if transaction.is_sponsored() && body.submit {
        return Err(Code::BroughtSubmit.into());
    }
    if let Some(nonce) = transaction.account_nonce() {
        let issued = wallet.nonces.get(&chain).ok_or(Code::NonceNotAttested)?;
        if nonce != issued.due()? {
            return Err(Violation {
                observed: Some(Amount::from_base_units(nonce.into())),
                allowed: Some(Amount::from_base_units(issued.next.into())),
                ..Violation::of(Code::BroughtNonce)
            }
            .into());
        }
    }
    Ok((transaction, claim))
}

/// An approval without limit is understood, and refused by a name of its own; so is what policy leaves open.
pub(super) const fn undecodable(error: &DecodeError) -> Code {
    match error {
        DecodeError::Evm(EvmError::UnlimitedApproval) => Code::ApprovalUnlimited,
        DecodeError::Evm(EvmError::DataFee) => Code::DataFeeMissing,
        _ => Code::TransactionUndecodable,
    }
}
