//! The decision over a policy document that owners signed: when it matures (invariant 10). What it
//! says is `shared`'s business; that it was signed, `decide_statement`'s.

use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::policy::document::{MATURITY_DEFAULT, PolicyDocument};
use waiaas_shared::time::{Clocks, Millis, RunTime};

use super::command::Submission;
use super::state::{State, Wallet};

/// Documents that may bind at once; above, only `admin.sock` adopts.
const BINDING_LIMIT: usize = 8;
/// Bytes of the documents that bind, together: with what stands around them, one answer carries them.
pub(super) const BINDING_BYTES: usize = 380 * 1024;
/// Of those, what is left for a document that comes with the password: it finds room where no other does.
pub(super) const BINDING_RESERVED: usize = 32 * 1024;
/// Maturity of a document that came with the password.
const MATURITY_WITH_PASSWORD: Millis = Millis::from_hours(1);

/// When a document matures (invariant 10): what tightens holds at once, because every binding
/// document must pass; what loosens waits for the earlier ones to stop binding.
pub(super) fn adopt(
    state: &State,
    statement: StatementId,
    bytes: &[u8],
    signers: Vec<OwnerId>,
    submission: &Submission,
    now: Clocks,
) -> Result<EventBody, Denial> {
    let document = PolicyDocument::from_bytes(bytes).map_err(|_| Code::PolicyMalformed)?;
    let on_admin = submission.origin == Origin::Admin;
    let binding = state.binding(now.run);
    let first = state.policy_epoch == 0;
    let with_password = on_admin && submission.with_password;
    if first && !with_password {
        return Err(Code::AdminOnly.into());
    }
    if binding.len() >= BINDING_LIMIT && !on_admin {
        return Err(Code::PolicyTooMany.into());
    }
    let wallets = &state.wallets;
    let on_test_networks = |wallet: &Wallet| wallet.networks.iter().all(ChainId::is_test_network);
    let only_test_networks = !wallets.is_empty() && wallets.values().all(on_test_networks);
    let longest = binding
        .iter()
        .map(|policy| policy.document.maturity)
        .max()
        .unwrap_or(MATURITY_DEFAULT);
    let delay = if first || only_test_networks {
        Millis::default()
    } else if with_password {
        MATURITY_WITH_PASSWORD
    } else {
        longest
    };
    let matures: RunTime = now.run.after(delay);
    // What binds is read in one answer: whoever cannot read it cannot judge, and cannot withdraw tokens.
    let beside = binding.iter().filter(|_| matures > now.run);
    let sizes = beside.map(|policy| policy.document.to_bytes().len());
    let total = sizes.fold(bytes.len(), usize::saturating_add);
    let reserved = if with_password { 0 } else { BINDING_RESERVED };
    if total.saturating_add(reserved) > BINDING_BYTES {
        return Err(Code::PoliciesTooLarge.into());
    }
    Ok(EventBody::PolicyAdopted {
        statement,
        signers,
        epoch: document.epoch,
        digest: document.digest(),
        matures,
    })
}
