//! The text that an owner signs: written by the signer from the facts, its own state and nothing
//! else; no word of an agent or a gateway ever stands in it but the memo of a payment, which is part of
//! what is signed and named as the agent's (invariant 13). Printable ASCII, one field
//! a line, what it does in the first lines, everything in full; what does not fit is refused, never
//! shortened. Called by the signer's core. docs/statements.md lists kinds and fields.

#[cfg(test)]
pub(super) mod agent_samples;
mod agents;
mod broken;
mod call;
#[cfg(test)]
mod call_samples;
mod lines;
#[cfg(test)]
pub(super) mod owner_samples;
mod owners;
mod payment;
mod policy;
mod program;
#[cfg(test)]
mod program_samples;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(super) mod samples;
mod session;
mod stake;
#[cfg(test)]
mod stake_samples;
#[cfg(test)]
mod state_samples;
#[cfg(test)]
mod test_view;
mod unit;

use self::lines::Lines;
use self::session::grant;
use self::unit::Unit;
use super::{StatementFacts, StatementHeader};
use crate::address::Account;
use crate::agent::AgentStage;
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId, ChainId};
use crate::codec::to_canonical;
use crate::denial::Code;
use crate::digest::{Digest, Domain, hash};
use crate::ids::{AgentId, OwnerId, SessionId, SignerId, StatementId, TransactionId, WalletId};
use crate::intent::Intent;
use crate::keys::OwnerKey;
use crate::owner_change::OwnerChange;
use crate::policy::document::PolicyDocument;
use crate::session::SessionGrant;
use crate::time::WallTime;

pub(super) use self::lines::is_statement_text;

/// The text of a statement as the signer wrote it; nothing else makes one.
///
/// The log keeps it: what an owner signs later is what was shown, whatever changed in between.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct StatementText(#[n(0)] String);

impl StatementText {
    /// The text: lines with a single line feed between them and none at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a text tells of a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletFacts {
    /// Its address.
    pub account: Account,
    /// The networks that it is bound to.
    pub networks: Vec<ChainId>,
    /// Its addresses before a rotation: closed, except for withdrawals.
    pub former: Vec<Account>,
}

/// What a text tells of a key's nonces on one chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NonceFacts {
    /// The next one that the signer gives.
    pub next: u64,
    /// What attestations skipped: the first of each gap and the one after its last.
    pub gaps: Vec<(u64, u64)>,
}

impl NonceFacts {
    /// Whether an attestation skipped this one.
    #[must_use]
    pub fn skipped(&self, nonce: u64) -> bool {
        let mut gaps = self.gaps.iter();
        gaps.any(|(first, end)| (*first..*end).contains(&nonce))
    }
}

/// What a text needs to know of the signer's state. The same state and statement give the same text.
pub trait StatementView {
    /// A wallet.
    fn wallet(&self, wallet: WalletId) -> Option<WalletFacts>;
    /// The nonces on an EVM chain of a wallet's key: the present one, or that of a former address.
    fn nonces(&self, wallet: WalletId, from: Option<Account>, chain: ChainId)
    -> Option<NonceFacts>;
    /// The newest adopted policy document, matured or not.
    fn newest_policy(&self) -> Option<&PolicyDocument>;
    /// How many wallets are bound to this chain.
    fn wallets_on(&self, chain: ChainId) -> usize;
    /// The stage of an agent.
    fn agent(&self, agent: AgentId) -> Option<AgentStage>;
    /// The grant of a session, also of a revoked one.
    fn session(&self, session: SessionId) -> Option<&SessionGrant>;
    /// A waiting payment.
    fn intent(&self, transaction: TransactionId) -> Option<&Intent>;
    /// Epoch of the newest adopted policy document, also of a voided one; 0 if there is none.
    fn policy_epoch(&self) -> u64;
    /// How many owners must sign, of how many that may.
    fn quorum(&self) -> Quorum;
    /// The key of an owner, suspended or not.
    fn owner_key(&self, owner: OwnerId) -> Option<OwnerKey>;
    /// The key of a guardian.
    fn guardian_key(&self, guardian: OwnerId) -> Option<OwnerKey>;
    /// The change of owners that this statement asked for, while it waits.
    fn pending(&self, statement: StatementId) -> Option<&OwnerChange>;
    /// Why everything is paused, each reason in words; nothing if it is not.
    fn pauses(&self) -> Vec<&'static str>;
}

/// How many owners must sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    /// How many.
    pub needed: u32,
    /// Of how many that are not suspended.
    pub owners: usize,
}

/// The digest in a statement's last line: [`Domain::Statement`] over the canonical header (an array of
/// signer, statement, policy epoch and expiry) and the canonical facts.
#[must_use]
pub fn digest(header: &StatementHeader, facts: &StatementFacts) -> Digest {
    let StatementHeader {
        signer,
        statement,
        policy_epoch,
        expires,
    } = *header;
    let header = to_canonical(&(signer, statement, policy_epoch, expires));
    hash(Domain::Statement, &[&header, &to_canonical(facts)])
}

/// Writes the text of a statement.
///
/// # Errors
/// The [`Code`] of the refusal: what is unknown, contradictory, or too long to be shown whole.
pub fn compose(
    header: &StatementHeader,
    facts: &StatementFacts,
    view: &dyn StatementView,
) -> Result<StatementText, Code> {
    let waiting = match facts {
        StatementFacts::ApprovePayment { transaction }
        | StatementFacts::RejectPayment { transaction } => view.intent(*transaction),
        _ => None,
    };
    write(header, facts, waiting, view)
}

/// Whether owners could read a payment, to approve or to reject it, if it waited: else it must not wait.
///
/// # Errors
/// The [`Code`] for which no text of it is written; [`Code::StatementMalformed`] if it is too long.
pub fn can_be_read(intent: &Intent, view: &dyn StatementView) -> Result<(), Code> {
    let transaction = intent.transaction;
    // What the header says has the same length in every text.
    let header = StatementHeader {
        signer: SignerId::from_bytes([0; 16]),
        statement: StatementId::from_bytes([0; 16]),
        policy_epoch: view.policy_epoch(),
        expires: intent.expires,
    };
    let approve = StatementFacts::ApprovePayment { transaction };
    let reject = StatementFacts::RejectPayment { transaction };
    for facts in [approve, reject] {
        write(&header, &facts, Some(intent), view)?;
    }
    Ok(())
}

/// Writes a text; `waiting` is the payment that it decides on, if it decides on one.
fn write(
    header: &StatementHeader,
    facts: &StatementFacts,
    waiting: Option<&Intent>,
    view: &dyn StatementView,
) -> Result<StatementText, Code> {
    // The text is read against this epoch: another one would compare with the wrong document.
    if header.policy_epoch != view.policy_epoch() {
        return Err(Code::StatementMalformed);
    }
    let purpose = match (facts, waiting) {
        (StatementFacts::ApprovePayment { .. }, Some(intent)) => {
            broken::purpose(intent).or(payment::purpose(intent))
        }
        (StatementFacts::AttestNonce { from: Some(_), .. }, _) => Some(agents::OF_FORMER_KEY),
        _ => None,
    }
    .unwrap_or_else(|| purpose(facts));
    let mut lines = Lines::new(facts.heading(), purpose);
    match facts {
        StatementFacts::EnrolOwner { key, withdrawals } => {
            enrol_owner(&mut lines, key, withdrawals)?
        }
        StatementFacts::AdoptPolicy { document } => policy::write(&mut lines, document, view)?,
        StatementFacts::GrantSession { grant: granted } => grant(&mut lines, "", granted, view)?,
        StatementFacts::ReleaseKill { epoch, sessions } => {
            release_kill(&mut lines, *epoch, sessions, view)?
        }
        StatementFacts::ReleasePause { wallet: None } => {
            lines.field("Wallets", "ALL");
            lines.list("Ends", &view.pauses());
        }
        StatementFacts::ReleasePause { wallet: Some(id) } => {
            wallet(&mut lines, *id, view).map(|_| ())?
        }
        StatementFacts::Withdraw {
            wallet,
            asset,
            to,
            amount,
            fee_ceiling,
            nonce,
            from,
        } => {
            let payment = Payment {
                asset: *asset,
                to: *to,
                amount: *amount,
                fee_ceiling: *fee_ceiling,
                from: *from,
            };
            withdraw(&mut lines, *wallet, &payment, *nonce, view)?;
        }
        StatementFacts::AttestNonce {
            wallet,
            chain,
            next,
            from,
        } => {
            agents::attest_nonce(&mut lines, (*wallet, *from), *chain, *next, view)?;
        }
        StatementFacts::StateTime { wall } => {
            lines.field("Stated time", wall);
            lines.field("Unix time", format_args!("{} milliseconds", wall.millis()));
            state_time(&mut lines, *wall, header.drafted());
        }
        StatementFacts::EnrolWithdrawal { account } => {
            lines.field("Address", account.account());
            network(&mut lines, account.chain());
            lines.field("Takes effect", owners::WAITS);
        }
        StatementFacts::RemoveWithdrawal { account } => {
            lines.field("Address", account.account());
            network(&mut lines, account.chain());
            lines.field("Takes effect", owners::WAITS);
            lines.field("Until then", "withdrawals may go to it as before");
        }
        StatementFacts::ApprovePayment { .. } | StatementFacts::RejectPayment { .. } => {
            payment::write(&mut lines, waiting.ok_or(Code::IntentUnknown)?, view)?;
        }
        StatementFacts::ResumeSession { session } => {
            let resumed = view.session(*session).ok_or(Code::SessionUnknown)?;
            lines.field("Session", session);
            grant(&mut lines, "", resumed, view)?;
        }
        StatementFacts::SignOfLife => lines.field("Changes", "nothing else"),
        StatementFacts::AddOwner { .. }
        | StatementFacts::RemoveOwner { .. }
        | StatementFacts::SetQuorum { .. }
        | StatementFacts::CancelOwnerChange { .. }
        | StatementFacts::SuspendOwner { .. }
        | StatementFacts::LiftSuspension { .. }
        | StatementFacts::Credit { .. }
        | StatementFacts::RecoverOwners { .. }
        | StatementFacts::AddGuardian { .. }
        | StatementFacts::RemoveGuardian { .. }
        | StatementFacts::GuardianStop { .. }
        | StatementFacts::Retire => owners::write(&mut lines, facts, view)?,
        StatementFacts::CloseWallet { .. }
        | StatementFacts::RotateWallet { .. }
        | StatementFacts::RegisterAgent { .. }
        | StatementFacts::ActivateAgent { .. } => agents::write(&mut lines, facts, view)?,
    }
    lines.field("Policy epoch", header.policy_epoch);
    lines.field("Signer", header.signer);
    lines.field("Statement", header.statement);
    lines.field("Sign before", header.expires);
    lines.finish(digest(header, facts)).map(StatementText)
}

/// What signing does, in one sentence.
const fn purpose(facts: &StatementFacts) -> &'static str {
    match facts {
        StatementFacts::EnrolOwner { .. } => {
            "Signing this makes the key below an owner of this signer, who may adopt policies, grant sessions and withdraw."
        }
        StatementFacts::AdoptPolicy { .. } => {
            "Signing this adopts a policy. Agents then spend within it."
        }
        StatementFacts::GrantSession { .. } => {
            "Signing this lets an agent spend from your wallets up to the limits below without asking you."
        }
        StatementFacts::ReleaseKill { .. } => {
            "Signing this ends the kill, and gives the sessions below back to their agents once you resume."
        }
        StatementFacts::ReleasePause { .. } => {
            "Signing this resumes what was paused. Agents can spend again."
        }
        StatementFacts::Withdraw { .. } => {
            "Signing this pays from your wallet at once, outside all limits and delays."
        }
        StatementFacts::AttestNonce { .. } => {
            "Signing this states the wallet's next nonce, and starts its cap on outstanding value afresh, but for authorizations, which end by themselves."
        }
        StatementFacts::StateTime { .. } => {
            "Signing this states what time it is now, and opens signing that a step of the clock has closed."
        }
        StatementFacts::EnrolWithdrawal { .. } => {
            "Signing this lets owners withdraw to the address below, outside all limits and delays."
        }
        StatementFacts::RemoveWithdrawal { .. } => {
            "Signing this lets nobody withdraw to the address below any more."
        }
        StatementFacts::ApprovePayment { .. } => {
            "Signing this makes the payment below, once, within your policy."
        }
        StatementFacts::RejectPayment { .. } => {
            "Signing this ends the payment below for good. Nothing is paid."
        }
        StatementFacts::AddOwner { .. } => {
            "Signing this makes the key below an owner, who may sign with you or, if one is enough, alone. The key itself signs this too."
        }
        StatementFacts::RemoveOwner { .. } => {
            "Signing this removes an owner, whose key then signs nothing any more."
        }
        StatementFacts::SetQuorum { .. } => {
            "Signing this changes how many owners must sign together."
        }
        StatementFacts::CancelOwnerChange { .. } => {
            "Signing this cancels the change below before it takes effect."
        }
        StatementFacts::SuspendOwner { .. } => {
            "Signing this suspends an owner's key, ends the sessions it granted, and voids what it signed that still waits."
        }
        StatementFacts::LiftSuspension { .. } => {
            "Signing this lets a suspended owner's key sign again."
        }
        StatementFacts::Credit { .. } => {
            "Signing this gives an agent back what a payment was charged. Sign only if it never took place and never can."
        }
        StatementFacts::RecoverOwners { .. } => {
            "Signing this makes the key below the only owner of this signer and suspends every other."
        }
        StatementFacts::AddGuardian { .. } => {
            "Signing this makes the key below a guardian, who may pause, kill, cancel changes of owners and witness a recovery."
        }
        StatementFacts::RemoveGuardian { .. } => {
            "Signing this removes a guardian, whose key then signs nothing any more."
        }
        StatementFacts::GuardianStop { .. } => {
            "Signing this stops what is named below, as a guardian. It starts and loosens nothing."
        }
        StatementFacts::Retire => {
            "Signing this ends this signer and its log for good. Nothing is signed afterwards."
        }
        StatementFacts::CloseWallet { .. } => {
            "Signing this closes a wallet for good. No agent pays from it any more; what it holds stays yours to withdraw."
        }
        StatementFacts::RotateWallet { .. } => {
            "Signing this moves a wallet to a new key, and closes the old one for good."
        }
        StatementFacts::RegisterAgent { .. } => {
            "Signing this registers an agent, to which sessions can then be granted."
        }
        StatementFacts::ActivateAgent { .. } => {
            "Signing this lets the agent below spend again, within the sessions that were granted to it."
        }
        StatementFacts::ResumeSession { .. } => {
            "Signing this lets the suspended session below spend again."
        }
        StatementFacts::SignOfLife => {
            "Signing this says that you are there, so that nothing pauses for want of a word from you."
        }
    }
}

fn enrol_owner(lines: &mut Lines, key: &OwnerKey, withdrawals: &[AccountId]) -> Result<(), Code> {
    owners::new_key(lines, key);
    let mut sorted = withdrawals.to_vec();
    sorted.sort_unstable();
    if !sorted.is_sorted_by(|one, other| one < other) {
        return Err(Code::StatementMalformed);
    }
    if withdrawals.is_empty() {
        lines.field("Withdrawal addresses", "none");
    }
    lines.list("Withdrawal address", withdrawals);
    Ok(())
}

fn release_kill(
    lines: &mut Lines,
    epoch: u64,
    sessions: &[SessionId],
    view: &dyn StatementView,
) -> Result<(), Code> {
    if !sessions.is_sorted_by(|one, other| one < other) {
        return Err(Code::StatementMalformed);
    }
    lines.field("Kill epoch", epoch);
    lines.field("Sessions restored", sessions.len());
    for (place, session) in (1_usize..).zip(sessions) {
        let granted = view.session(*session).ok_or(Code::SessionUnknown)?;
        lines.field(&format!("Session {place}"), session);
        grant(lines, &format!("Session {place} "), granted, view)?;
    }
    Ok(())
}

/// What a withdrawal pays.
struct Payment {
    asset: AssetId,
    to: Account,
    amount: Amount,
    fee_ceiling: Amount,
    /// A former address of the wallet.
    from: Option<Account>,
}

fn withdraw(
    lines: &mut Lines,
    from: WalletId,
    payment: &Payment,
    nonce: Option<u64>,
    view: &dyn StatementView,
) -> Result<(), Code> {
    let chain = payment.asset.chain();
    let on_evm = matches!(chain, ChainId::Evm(_));
    if AccountId::new(chain, payment.to).is_err()
        || payment.amount == Amount::ZERO
        || (nonce.is_some() && !on_evm)
    {
        return Err(Code::StatementMalformed);
    }
    let policy = view.newest_policy();
    lines.field(
        "Amount",
        Unit::of(payment.asset, policy).amount_of_asset(payment.amount),
    );
    lines.field("To", payment.to);
    network(lines, chain);
    lines.field(
        "Fee at most",
        Unit::of(chain.native_asset(), policy).amount_of_asset(payment.fee_ceiling),
    );
    let known = view.nonces(from, payment.from, chain).unwrap_or_default();
    match nonce {
        Some(nonce) if known.skipped(nonce) => {
            lines.field(
                "Nonce",
                format_args!("{nonce}, which an attestation skipped"),
            );
        }
        Some(nonce) => lines.field("Nonce", format_args!("{nonce}, used again")),
        None if on_evm => lines.field("Nonce", "the next one"),
        None => {}
    }
    let facts = wallet_by_key(lines, (from, payment.from), "From its old address", view)?;
    require_network(&facts, chain)
}

/// How far the signer's own time moves. It expires what owners sign, so it is never taken back.
fn state_time(lines: &mut Lines, stated: WallTime, now: WallTime) {
    lines.field("Signer's own time so far", now);
    let seconds = stated.since(now).millis().div_ceil(1000);
    let ahead = "Moves it ahead";
    if seconds == 0 {
        lines.field(ahead, "not at all, and nothing moves it back");
        return;
    }
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let seconds = seconds % 60;
    lines.field(
        ahead,
        format_args!("{days} days {hours} hours {minutes} minutes {seconds} seconds, and nothing takes this back"),
    );
}

/// What becomes of nonces below the one that is named.
fn skipped(lines: &mut Lines, from: u64, to: u64) {
    if let Some(last) = to.checked_sub(1).filter(|last| *last >= from) {
        lines.field(
            "Skips",
            format_args!("{from} to {last}, never signed here: if the chain has not used them, nothing from this address lands again"),
        );
    }
}

/// A wallet with its address, or with one that it had before under the name `former`.
fn wallet_by_key(
    lines: &mut Lines,
    (id, from): (WalletId, Option<Account>),
    former: &str,
    view: &dyn StatementView,
) -> Result<WalletFacts, Code> {
    let Some(from) = from else {
        return wallet(lines, id, view);
    };
    let facts = view.wallet(id).ok_or(Code::WalletUnknown)?;
    lines.field("Wallet", id);
    lines.field(former, from);
    let known = facts.former.contains(&from);
    known.then_some(facts).ok_or(Code::WalletUnknown)
}

fn wallet(lines: &mut Lines, id: WalletId, view: &dyn StatementView) -> Result<WalletFacts, Code> {
    let facts = view.wallet(id).ok_or(Code::WalletUnknown)?;
    lines.field("Wallet", id);
    lines.field("Wallet address", facts.account);
    Ok(facts)
}

fn network(lines: &mut Lines, chain: ChainId) {
    let worth = if chain.is_test_network() {
        "a test network"
    } else {
        "real value"
    };
    lines.field("Network", format_args!("{chain}, {worth}"));
}

fn require_network(wallet: &WalletFacts, chain: ChainId) -> Result<(), Code> {
    if wallet.networks.contains(&chain) {
        Ok(())
    } else {
        Err(Code::NetworkNotBound)
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
pub(super) mod tests;
