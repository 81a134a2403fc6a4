//! A second try that an agent really asks for, in a hostile gateway's hands: a part of T10.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::TransactionId;
use waiaas_tests::agent::Transfer;

use crate::rig::{Rig, refusal};

/// On Solana an agent may try again: by a request of its own that names the first, is of the same
/// payment, and is charged. What the gateway says of the first changes nothing.
pub(super) fn on_solana(rig: &mut Rig) -> Result<()> {
    let transfer = rig.to_solana(11);
    let request = rig.request(&transfer)?;
    let first = rig.send(&request)?;
    let unknown = TransactionId::from_bytes([9; 16]);
    let named = naming(rig, &transfer, unknown, 1)?;
    rig.refuse("nobody's payment", named, &[Code::ReplacesUnknown])?;
    let more = rig.to_solana(12);
    let named = naming(rig, &more, first.transaction, 2)?;
    rig.refuse("another amount", named, &[Code::ReplacesOther])?;
    let sequence = rig.status()?.sequence;
    let named = naming(rig, &transfer, first.transaction, 3)?;
    let second = rig.send(&named)?;
    ensure!(
        !second.replay && second.raw != first.raw && second.sequence > sequence,
        "the second try is not a payment of its own"
    );
    let named = naming(rig, &transfer, first.transaction, 4)?;
    rig.refuse("the first again", named, &[Code::ReplacesTaken])?;
    let gateway = rig.gateway();
    let by_name = rig.block(gateway.signed_transaction(first.transaction));
    let code = refusal(by_name)?;
    ensure!(code == Code::PaymentReplaced, "{code}");
    Ok(())
}

/// A signed request for a transfer that says which payment it replaces; on Solana over another blockhash.
pub(super) fn naming(
    rig: &mut Rig,
    transfer: &Transfer,
    earlier: TransactionId,
    salt: u8,
) -> Result<SpendRequest> {
    let request = rig.request(transfer)?;
    let mut body: Value = serde_json::from_slice(&request.body)?;
    body["replaces"] = json!(earlier);
    let mut unsigned = request.unsigned.clone();
    let blockhash = unsigned.windows(32).position(|window| window == [7; 32]);
    if let Some(byte) = blockhash.and_then(|place| unsigned.get_mut(place)) {
        *byte = 200 + salt;
    }
    rig.agent().sign(SpendRequest {
        body: body.to_string().into_bytes(),
        unsigned,
        ..request
    })
}
