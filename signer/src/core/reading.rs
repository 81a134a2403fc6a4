//! What a request asks for, as the binding documents read it: contacts, units, functions. Compares no
//! bytes and judges nothing else. Called by the decision over a payment.

use waiaas_shared::address::Account;
use waiaas_shared::caip::AssetId;
use waiaas_shared::claim::Claim;
use waiaas_shared::denial::Code;
use waiaas_shared::request::{Action, Transfer, TransferRequest};
use waiaas_shared::time::Clocks;

use super::state::{State, Wallet};

/// What the request asks for, its names and units read as every binding document reads them: a later one
/// that gives a name another meaning waits like everything that loosens. A void document names nothing.
pub(super) fn resolved(
    state: &State,
    body: &TransferRequest,
    from: Account,
    now: Clocks,
) -> Result<Claim, Code> {
    let sound = state.binding(now.run).iter().filter(|one| !one.is_void());
    let mut readings = sound.map(|policy| body.resolve(&policy.document, from));
    let first = readings.next().ok_or(Code::PolicyMissing)??;
    for reading in readings {
        // What they register of a mint is compared where bytes are read.
        let reading = reading?;
        if spends(&reading) != spends(&first) || reading.program() != first.program() {
            return Err(Code::CallConflict);
        }
        if !reading.is_same(&first) {
            return Err(Code::PoliciesDisagree);
        }
    }
    Ok(first)
}

/// Which arguments of a contract's call are amounts, and of what.
fn spends(claim: &Claim) -> Option<&[Option<AssetId>]> {
    let told = claim.first().call.as_deref();
    told.map(|told| told.spends.as_slice())
}

/// No wallet of this signer is a contract, nor should code that its key once agreed to be run on behalf of
/// another: whatever a policy names.
pub(super) fn calls_no_wallet(state: &State, asked: &Transfer) -> Result<(), Code> {
    let own = |wallet: &Wallet| wallet.account == asked.to || wallet.former(asked.to).is_some();
    if asked.action == Action::Call && state.wallets.values().any(own) {
        return Err(Code::CallTarget);
    }
    Ok(())
}
