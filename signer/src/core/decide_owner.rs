//! Decisions that need the owner: wallets, enrolment, and statements. What loosens passes only with a
//! signature over the signer's own text (invariants 13, 14); what the password must accompany is
//! refused without it.

use std::collections::BTreeSet;

use waiaas_shared::address::Account;
use waiaas_shared::caip::{AccountId, ChainId, Family};
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{OwnerId, SessionId, StatementId, WalletId};
use waiaas_shared::policy::document::{MATURITY_DEFAULT, PolicyDocument};
use waiaas_shared::statement::text::compose;
use waiaas_shared::statement::verify::{OwnerSignature, verify};
use waiaas_shared::statement::{LIFETIME, OPEN_LIMIT, StatementFacts, StatementHeader};
use waiaas_shared::time::{Clocks, Millis, RunTime};

use super::command::{Context, Outcome, Rehearsal, Submission, WalletRequest};
use super::state::{KillPhase, OpenStatement, State, Wallet};
use super::{Decision, decide_intent, decide_session};

/// Documents that may bind at once; above, only `admin.sock` adopts.
const BINDING_LIMIT: usize = 8;
/// Maturity of a document that came with the password.
const MATURITY_WITH_PASSWORD: Millis = Millis::from_hours(1);
/// How long a later withdrawal address waits.
const WITHDRAWAL_DELAY: Millis = Millis::from_hours(72);
/// Owners who must sign: one in this version.
const QUORUM: usize = 1;

/// A wallet is bound to its networks at creation; a Solana wallet to exactly one (invariant 7).
pub(super) fn create_wallet(
    state: &State,
    request: &WalletRequest,
    context: &Context,
) -> Result<Decision, Denial> {
    let family = request.path.family;
    let account_fits = matches!(
        (family, request.account),
        (Family::Solana, Account::Solana(_)) | (Family::Evm, Account::Evm(_))
    );
    let distinct: BTreeSet<&ChainId> = request.networks.iter().collect();
    let networks_fit = distinct.len() == request.networks.len()
        && request
            .networks
            .iter()
            .all(|network| network.family() == family)
        && match family {
            Family::Solana => request.networks.len() == 1 && request.first_nonce == 0,
            Family::Evm => (1..=16).contains(&request.networks.len()),
        };
    if !account_fits || !networks_fit {
        return Err(Code::NetworkNotBound.into());
    }
    if request.path != state.next_path(family)
        || state
            .wallets
            .values()
            .any(|wallet| wallet.account == request.account)
    {
        return Err(Code::KeyKnown.into());
    }
    let wallet = WalletId::derive(&context.entropy, 0);
    let event = EventBody::WalletCreated {
        wallet,
        path: request.path,
        account: request.account,
        networks: request.networks.clone(),
        first_nonce: request.first_nonce,
    };
    Ok(Decision {
        events: vec![event],
        outcome: Ok(Outcome::Wallet(wallet)),
    })
}

/// Writes a text for an owner to sign.
pub(super) fn draft(
    state: &State,
    facts: &StatementFacts,
    origin: Origin,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let open = state
        .statements
        .values()
        .filter(|open| open.origin == origin && open.expires > now.wall);
    if open.count() >= OPEN_LIMIT {
        return Err(Code::StatementTooMany.into());
    }
    let first_policy =
        matches!(facts, StatementFacts::AdoptPolicy { .. }) && state.policy_epoch == 0;
    let enrols = matches!(facts, StatementFacts::EnrolOwner { .. });
    if origin == Origin::Gateway && (enrols || first_policy) {
        return Err(Code::AdminOnly.into());
    }
    check(state, facts, now)?;
    let statement = StatementId::derive(&context.entropy, 0);
    let header = StatementHeader {
        signer: state.signer.ok_or(Code::NotInitialized)?,
        statement,
        policy_epoch: state.policy_epoch,
        expires: now.wall.after(LIFETIME),
    };
    let text = compose(&header, facts, state)?;
    let event = EventBody::StatementIssued {
        statement,
        facts: facts.clone(),
        policy_epoch: header.policy_epoch,
        expires: header.expires,
        origin,
        text: text.clone(),
    };
    Ok(Decision {
        events: vec![event],
        outcome: Ok(Outcome::Drafted { statement, text }),
    })
}

/// What must hold for the facts, when drafted and again when carried out.
fn check(state: &State, facts: &StatementFacts, now: Clocks) -> Result<(), Denial> {
    match facts {
        StatementFacts::EnrolOwner { key, withdrawals } => {
            if state.owners.values().any(|owner| owner.key == *key) {
                return Err(Code::OwnerKnown.into());
            }
            // Later owners come by quorum, password and 72 hours: not in this version. Addresses
            // enrolled here would not wait: only with the first owner.
            if !state.owners.is_empty() {
                return Err(Code::Unsupported.into());
            }
            if withdrawals.len() > waiaas_shared::session::ENTRIES_LIMIT {
                return Err(Code::StatementMalformed.into());
            }
        }
        StatementFacts::AdoptPolicy { document } => {
            let document =
                PolicyDocument::from_bytes(document).map_err(|_| Code::PolicyMalformed)?;
            if Some(document.epoch) != state.policy_epoch.checked_add(1) {
                return Err(Code::PolicyEpoch.into());
            }
        }
        StatementFacts::GrantSession { grant } => decide_session::grant_fits(state, grant, now)?,
        StatementFacts::ReleaseKill { epoch, sessions } => {
            if state.kill.phase != KillPhase::Activated || state.kill.epoch != *epoch {
                return Err(Code::KillNotActive.into());
            }
            let restorable =
                |id: &SessionId| state.sessions.get(id).is_some_and(|session| session.killed);
            if !sessions.is_sorted_by(|one, other| one < other) || !sessions.iter().all(restorable)
            {
                return Err(Code::SessionUnknown.into());
            }
        }
        StatementFacts::ReleasePause { wallet } => {
            let paused = match wallet {
                None => state.frozen,
                Some(wallet) => state
                    .wallets
                    .get(wallet)
                    .is_some_and(|wallet| wallet.paused),
            };
            if !paused {
                return Err(Code::NotPaused.into());
            }
        }
        StatementFacts::Withdraw {
            wallet,
            asset,
            to,
            nonce,
            ..
        } => {
            let found = state.wallets.get(wallet).ok_or(Code::WalletUnknown)?;
            if !found.networks.contains(&asset.chain()) {
                return Err(Code::NetworkNotBound.into());
            }
            if nonce.is_some() && asset.chain().family() != Family::Evm {
                return Err(Code::StatementMalformed.into());
            }
            withdrawal_open(state, asset.chain(), *to, now)?;
        }
        StatementFacts::AttestNonce {
            wallet,
            chain,
            next,
        } => {
            let found = state.wallets.get(wallet).ok_or(Code::WalletUnknown)?;
            if !found.networks.contains(chain) || chain.family() != Family::Evm {
                return Err(Code::NetworkNotBound.into());
            }
            if found
                .nonces
                .get(chain)
                .is_some_and(|nonce| *next < nonce.next)
            {
                return Err(Code::NonceLower.into());
            }
        }
        StatementFacts::StateTime { wall } => {
            if !state.clock_closed || *wall < now.wall {
                return Err(Code::TimeNotClosed.into());
            }
        }
        StatementFacts::EnrolWithdrawal { account } => {
            if state.withdrawals.contains_key(account) {
                return Err(Code::WithdrawalAddress.into());
            }
        }
        StatementFacts::ApprovePayment { transaction } => {
            decide_intent::check(state, *transaction, true, now)?;
        }
        StatementFacts::RejectPayment { transaction } => {
            decide_intent::check(state, *transaction, false, now)?;
        }
    }
    Ok(())
}

/// Whether withdrawals may go to `to` now.
pub(super) fn withdrawal_open(
    state: &State,
    chain: ChainId,
    to: Account,
    now: Clocks,
) -> Result<(), Denial> {
    let account = AccountId::new(chain, to).map_err(|_| Code::WithdrawalAddress)?;
    match state.withdrawals.get(&account) {
        Some(effective) if *effective <= now.run => Ok(()),
        _ => Err(Code::WithdrawalAddress.into()),
    }
}

/// An open statement.
pub(super) fn open(
    state: &State,
    statement: StatementId,
    now: Clocks,
) -> Result<&OpenStatement, Denial> {
    let open = state
        .statements
        .get(&statement)
        .ok_or(Code::StatementUnknown)?;
    if open.expires <= now.wall {
        Err(Code::StatementExpired.into())
    } else {
        Ok(open)
    }
}

/// The distinct owners whose signatures over the statement's exact text verify. One bad signature
/// refuses the whole: nobody attaches it by accident.
pub(super) fn quorum(
    state: &State,
    open: &OpenStatement,
    signatures: &[OwnerSignature],
) -> Result<Vec<OwnerId>, Denial> {
    let mut signers = BTreeSet::new();
    for given in signatures {
        let owner = state.owners.get(&given.owner).ok_or(Code::OwnerUnknown)?;
        verify(&open.text, &owner.key, given.envelope, &given.signature)
            .map_err(|_| Code::StatementSignature)?;
        signers.insert(given.owner);
    }
    if signers.len() < needed(state, &open.facts) {
        return Err(Code::QuorumMissing.into());
    }
    Ok(signers.into_iter().collect())
}

/// How many different owners must sign.
fn needed(state: &State, facts: &StatementFacts) -> usize {
    match facts {
        StatementFacts::ApprovePayment { transaction } => {
            decide_intent::quorum(state, *transaction).max(QUORUM)
        }
        // It tightens: one owner is enough.
        StatementFacts::RejectPayment { .. } => 1,
        _ => QUORUM,
    }
}

/// Enrols a key that rehearsed: it signed the text that names it.
pub(super) fn enrol(
    state: &State,
    rehearsal: &Rehearsal,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let open = open(state, rehearsal.statement, now)?;
    let StatementFacts::EnrolOwner { key, withdrawals } = &open.facts else {
        return Err(Code::StatementMismatch.into());
    };
    check(state, &open.facts, now)?;
    verify(&open.text, key, rehearsal.envelope, &rehearsal.signature)
        .map_err(|_| Code::StatementSignature)?;
    let owner = OwnerId::derive(&context.entropy, 0);
    let event = EventBody::OwnerEnrolled {
        owner,
        key: *key,
        envelope: rehearsal.envelope,
        withdrawals: withdrawals.clone(),
        statement: rehearsal.statement,
    };
    Ok(Decision {
        events: vec![event],
        outcome: Ok(Outcome::Owner(owner)),
    })
}

/// Carries out what owners signed. Withdrawals and enrolments have doors of their own.
pub(super) fn submit(
    state: &State,
    submission: &Submission,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let statement = submission.statement;
    let open = open(state, statement, now)?;
    let signers = quorum(state, open, &submission.signatures)?;
    check(state, &open.facts, now)?;
    let password_on_admin = submission.with_password && submission.origin == Origin::Admin;
    // Killed: only the release passes.
    let releases = matches!(open.facts, StatementFacts::ReleaseKill { .. });
    if state.kill.phase == KillPhase::Activated && !releases {
        return Err(Code::Killed.into());
    }
    let event = match &open.facts {
        StatementFacts::AdoptPolicy { document } => {
            adopt(state, statement, document, signers, submission, now)?
        }
        StatementFacts::GrantSession { .. } => {
            let session = SessionId::derive(&context.entropy, 0);
            let event = EventBody::SessionGranted {
                session,
                statement,
                signers,
            };
            return Ok(Decision {
                events: vec![event],
                outcome: Ok(Outcome::Session(session)),
            });
        }
        StatementFacts::ReleaseKill { epoch, sessions } => {
            if !password_on_admin {
                return Err(Code::AdminOnly.into());
            }
            EventBody::KillReleased {
                epoch: *epoch,
                sessions: sessions.clone(),
                statement,
                signers,
            }
        }
        StatementFacts::ReleasePause { wallet } => EventBody::PauseReleased {
            wallet: *wallet,
            statement,
            signers,
        },
        StatementFacts::AttestNonce {
            wallet,
            chain,
            next,
        } => EventBody::NonceAttested {
            wallet: *wallet,
            chain: *chain,
            next: *next,
            statement,
            signers,
        },
        StatementFacts::StateTime { wall } => EventBody::TimeStated {
            wall: *wall,
            statement,
            signers,
        },
        StatementFacts::EnrolWithdrawal { account } => {
            if !password_on_admin {
                return Err(Code::AdminOnly.into());
            }
            EventBody::WithdrawalEnrolled {
                account: *account,
                effective: now.run.after(WITHDRAWAL_DELAY),
                statement,
                signers,
            }
        }
        StatementFacts::ApprovePayment { transaction } => {
            decide_intent::approved(state, *transaction, statement, signers, now)?
        }
        StatementFacts::RejectPayment { transaction } => {
            decide_intent::rejected(*transaction, statement, signers)
        }
        StatementFacts::EnrolOwner { .. } | StatementFacts::Withdraw { .. } => {
            return Err(Code::StatementMismatch.into());
        }
    };
    Ok(Decision::event(event))
}

/// When a document matures (invariant 10): what tightens holds at once, because every binding
/// document must pass; what loosens waits for the earlier ones to stop binding.
fn adopt(
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
    if first && !(on_admin && submission.with_password) {
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
    } else if on_admin && submission.with_password {
        MATURITY_WITH_PASSWORD
    } else {
        longest
    };
    let matures: RunTime = now.run.after(delay);
    Ok(EventBody::PolicyAdopted {
        statement,
        signers,
        epoch: document.epoch,
        digest: document.digest(),
        matures,
    })
}
