//! A transaction that the agent brings: read as the signer will read it, and joined with the signatures that came
//! with it. Nothing of it is changed, its role least of all: what the wallet signs and who else must sign
//! follows from its bytes, and the signer derives it again. Called by the stages evaluate and sign.

use waiaas_client::SignedPayment;
use waiaas_shared::address::Account;
use waiaas_shared::caip::ChainId;
use waiaas_shared::claim::Claim;
use waiaas_shared::denial::Code;
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::request::{Action, Brought, Transfer};
use waiaas_shared::solana::WireTransaction;
use waiaas_shared::transaction::{DecodedTransaction, Known};

use super::evaluate::Evaluated;
use super::sign::Names;
use super::{Asked, Refusal};
use crate::app::App;
use crate::chain::{ChainTransactionId, Prepared, Validity};
use crate::payment::OwnSignature;
use crate::signer_client::SignerError;

/// Blocks by which a brought blockhash may be newer than the newest that a node of ours tells.
const BLOCKS_AHEAD: u64 = 150;

/// What it does, as the newest document reads it.
///
/// # Errors
/// [`Refusal::Denied`].
pub(super) fn read(
    asked: &Asked,
    brought: &Brought,
    from: Account,
    newest: &PolicyDocument,
    network: NetworkTerms,
) -> Result<(DecodedTransaction, Claim), Refusal> {
    let body = &asked.body;
    if let (Some(wire), Account::Solana(wallet)) = (&brought.wire, from)
        && !wire.holds(wallet)
    {
        // A signature that is not its signer's would make a whole transaction of one that never lands.
        return Err(Code::BroughtMalformed.into());
    }
    let (transaction, claim) = brought.decode(body.network, from, newest, network)?;
    if transaction.is_sponsored() && body.submit {
        return Err(Code::BroughtSubmit.into());
    }
    Ok((transaction, claim))
}

/// The brought bytes as they are, and until when the chain accepts them at the latest.
///
/// # Errors
/// [`Refusal`].
pub(super) async fn prepare(
    app: &App,
    asked: &Asked,
    brought: &Brought,
    evaluated: &Evaluated,
    submit: bool,
) -> Result<Prepared, Refusal> {
    let documents = app.views.policy(&*app.signer).await?;
    let newest = documents.last().ok_or(Code::PolicyMissing)?;
    let (from, network) = (evaluated.from, evaluated.network);
    let (transaction, claim) = read(asked, brought, from, newest, network)?;
    let chain = app.chain(asked.body.network)?;
    if submit {
        let function = claim.function();
        let known = Known::NOTHING.calling(function.as_ref()).on(network);
        chain.simulate(&brought.unsigned, from, known).await?;
    }
    let validity = match asked.body.network {
        ChainId::Evm(_) => Validity::Unlimited,
        ChainId::Solana(_) => {
            // Any payment that is built now has the newest blockhash. Nothing can have landed before: the wallet's
            // signature is not there yet.
            let any = Transfer {
                action: Action::Transfer,
                asset: asked.body.network.native_asset(),
                mint: None,
                call: None,
                stake: None,
                program: None,
                ..claim.first().clone()
            };
            let newest = chain
                .prepare_transfer(from, &any, None.into(), network)
                .await?;
            match newest.validity {
                Validity::Unlimited => Validity::Unlimited,
                Validity::UntilBlockHeight {
                    last_valid,
                    fetched_at_slot,
                } => Validity::UntilBlockHeight {
                    last_valid: last_valid.saturating_add(BLOCKS_AHEAD),
                    fetched_at_slot,
                },
            }
        }
    };
    Ok(Prepared {
        unsigned: brought.unsigned.clone(),
        fee_max: transaction.fee_max(),
        data_fee: None,
        validity,
    })
}

/// Puts the signatures that came with it beside the wallet's. What the chain calls it, if the first is there; and
/// the wallet's own, if that is not the first.
///
/// # Errors
/// [`SignerError::Version`] for an answer that is not this transaction.
pub(super) fn join(
    brought: &Brought,
    from: Account,
    signed: &mut SignedPayment,
) -> Result<Names, Refusal> {
    let (Some(theirs), Account::Solana(wallet)) = (&brought.wire, from) else {
        return Names::of(signed);
    };
    let ours = WireTransaction::parse(&signed.raw).map_err(|_| SignerError::Version)?;
    if ours.message() != brought.unsigned {
        // It had to wait, was built anew, and is signed by the wallet alone.
        return Names::of(signed);
    }
    let sponsored = ours.name().is_none();
    let own = ours.signature_of(wallet).filter(|_| sponsored);
    let whole = ours.joined(theirs).ok_or(SignerError::Version)?;
    signed.raw = whole.encode();
    Ok(Names {
        name: whole.name().map(ChainTransactionId::Solana),
        own_signature: own.map(|own| OwnSignature {
            id: ChainTransactionId::Solana(own),
            signer: wallet,
        }),
    })
}
