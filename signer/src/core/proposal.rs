//! What a gateway proposes to sign: read to the last byte, and numbered by the signer. Judges nothing by
//! policy; what was asked for is compared by `Claim::is_done_by`. Called by the decisions over payments and withdrawals.

use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::evm::EvmError;
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};

use super::state::Wallet;

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
                .with_nonce(nonce.next)
                .map_err(|_| Code::TransactionUndecodable)?)
        }
    }
}

/// An approval without limit is understood, and refused by a name of its own; so is what policy leaves open.
pub(super) const fn undecodable(error: &DecodeError) -> Code {
    match error {
        DecodeError::Evm(EvmError::UnlimitedApproval) => Code::ApprovalUnlimited,
        DecodeError::Evm(EvmError::DataFee) => Code::DataFeeMissing,
        _ => Code::TransactionUndecodable,
    }
}
