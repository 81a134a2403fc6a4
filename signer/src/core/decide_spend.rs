//! The decision over a payment: everything re-derived from its bytes, every binding document, the
//! session, the agent's own signature, idempotency, nonces. Charge, make durable, sign, in that
//! order: a spend's event is the charge, its signature is an effect of it.

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::claim::Claim;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::{Charge, EventBody, Origin, Spend};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::evaluate::{
    Charges, Payment, Tier, Verdict, charges, evaluate, listed_charges, payments,
};
use waiaas_shared::policy::history::{Charged, History, Without};
use waiaas_shared::request::{Action, Transfer, TransferRequest, is_idempotency_key};
use waiaas_shared::request_signature::{Request, SignedRequest};
use waiaas_shared::session::{Credential, SessionGrant, SessionUsage};
use waiaas_shared::solana;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Clocks;
use waiaas_shared::transaction::{DecodedTransaction, Known, decode};

use super::command::{
    Context, Outcome, Prior, Sealed, SigningOrder, SpendRequest, Used, Withdrawal,
};
use super::decide_intent::Opening;
use super::proposal::Proposed;
use super::state::{KillPhase, Session, State};
use super::waited::Behind;
use super::{
    Decision, decide_alarm, decide_intent, decide_owner, decide_session, decide_token,
    decide_variant, network, proof, proposal, recorded, tables, waited,
};

/// Judges an agent's payment; charges and orders the signature if it passes.
pub(super) fn spend(state: &State, request: &SpendRequest, context: &Context) -> Decision {
    match judge(state, request, context) {
        Ok(decision) => decision,
        Err(denial) => {
            let refused = decide_alarm::Asked::payment(request);
            decide_alarm::refusal(state, &refused, denial, context)
        }
    }
}

fn judge(state: &State, request: &SpendRequest, context: &Context) -> Result<Decision, Denial> {
    let now = context.clocks;
    let body = TransferRequest::parse(&request.body)?;
    if Some(body.signer) != state.signer {
        return Err(Code::SignerMismatch.into());
    }
    let session = decide_session::usable(state, request.session, now)?;
    let body_digest = hash(Domain::RequestBody, &[&request.body]);
    let request_nonce = if request.dry_run {
        None
    } else {
        if !is_idempotency_key(&request.idempotency_key) {
            return Err(Code::IdempotencyKeyInvalid.into());
        }
        let signed = signed_request(request);
        let route = proof::of_payment(&body);
        let proof = proof::authenticate(session, request.session, &signed, route, context)?;
        let idempotency = state.idempotency(request.session, &request.idempotency_key);
        let idempotency = idempotency.ok_or(Code::SessionUnknown)?;
        // A payment that already used the key: the same body gives the same bytes again, another
        // body is an error. The index is only a hint; the log's own entry must agree.
        let used = request
            .used
            .as_ref()
            .or_else(|| state.uncommitted(&idempotency));
        if let Some(used) = used.filter(|used| *used.idempotency() == idempotency) {
            if *used.body() != body_digest {
                return Err(Code::IdempotencyConflict.into());
            }
            return match used {
                Used::Paid(prior) => replay(state, prior, Origin::Gateway, context),
                Used::Waited(intent) => decide_intent::again(state, intent, now),
                // No body is read as both.
                Used::SignedIn(_) | Used::Authorized(_) => Err(Code::IdempotencyConflict.into()),
            };
        }
        proof::first_use(state, request.session, proof.as_ref())?;
        Some((idempotency, proof))
    };
    let wallet = state.open_wallet(body.wallet, body.network)?;
    let newest = state.binding(now.run).last().ok_or(Code::PolicyMissing)?;
    let Proposed {
        asked,
        transaction,
        tokens,
        replaces,
    } = proposal::of_request(state, request, &body, wallet, now)?;
    if !asked.is_done_by(&transaction) {
        return Err(Code::BodyMismatch.into());
    }
    let payment = Payment {
        wallet: body.wallet,
        session: request.session,
        bearer: is_bearer(session),
        chain: body.network,
        effects: transaction.effects(),
        submit: body.submit,
    };
    let (grant, usage) = (&session.grant, &session.usage);
    let mut verdict = judge_all(state, grant, usage, &payment, state, context)?;
    let tier = verdict.tier;
    // What waits is built anew, and nobody else signs that.
    if tier > Tier::Notify && transaction.is_sponsored() {
        return Err(Code::BroughtWaits.into());
    }
    tables::may_pass(tier, &transaction)?;
    let Some((idempotency, proof)) = request_nonce else {
        let fee = transaction.fee_max();
        return Ok(Decision {
            events: Vec::new(),
            outcome: Ok(Outcome::WouldSign { tier, fee }),
        });
    };
    if tier > Tier::Notify {
        let fee_ceiling = fee_ceiling(state, body.network, now);
        let rent_ceiling = decide_token::rent_ceiling(state, &asked, &tokens, body.network, now);
        if !verdict.asked.is_empty() {
            let most = (fee_ceiling, rent_ceiling);
            verdict.asked = waited::told(state, session, &payment, most, verdict.asked, context);
        }
        let opening = Opening {
            session: request.session,
            wallet: body.wallet,
            fee_ceiling,
            rent_ceiling,
            claim: asked,
            policy_epoch: newest.document.epoch,
            idempotency,
            body: body_digest,
            kept_until: session.grant.absolute_end(),
            request_nonce: proof,
            submit: body.submit,
            replaces,
        };
        return decide_intent::open(state, opening, &verdict, context);
    }
    let spend = Spend {
        transaction: TransactionId::derive(&context.entropy, 0),
        session: Some(request.session),
        wallet: body.wallet,
        chain: body.network,
        unsigned: transaction.bytes().to_vec(),
        effects: transaction.effects().to_vec(),
        charges: listed(charges(transaction.effects())?),
        tier,
        policy_epoch: newest.document.epoch,
        nonce: transaction.account_nonce(),
        idempotency,
        body: body_digest,
        kept_until: session.grant.absolute_end(),
        request_nonce: proof,
        submit: body.submit,
        from: None,
        fee_ceiling: None,
        replaces,
        waited: None,
        memo: transaction.memo().cloned(),
    };
    Ok(signed(
        wallet.path,
        transaction,
        spend,
        None,
        EventBody::SpendCommitted,
    ))
}

/// What the agent signed, if it did.
pub(super) fn signed_request(request: &SpendRequest) -> SignedRequest<'_> {
    SignedRequest {
        request: Request {
            method: &request.method,
            path: &request.path,
            query: &request.query,
            body: &request.body,
            idempotency_key: &request.idempotency_key,
        },
        signature_input: &request.signature_input,
        signature: &request.signature,
    }
}

/// One committed payment and the order to sign it.
pub(super) fn signed(
    path: KeyPath,
    transaction: DecodedTransaction,
    spend: Spend,
    replay_of: Option<u64>,
    event: impl FnOnce(Spend) -> EventBody,
) -> Decision {
    let sealed = Sealed {
        transaction: spend.transaction,
        tier: spend.tier,
        replay_of,
    };
    let order = SigningOrder::new(path, transaction, sealed);
    let events = if replay_of.is_some() {
        Vec::new()
    } else {
        vec![event(spend)]
    };
    Decision {
        events,
        outcome: Ok(Outcome::Sign(Box::new(order))),
    }
}

pub(super) const fn is_bearer(session: &Session) -> bool {
    matches!(session.grant.credential, Credential::Bearer(_))
}

/// The lowest fee ceiling of all binding documents, base units of the chain's native asset.
fn fee_ceiling(state: &State, chain: ChainId, now: Clocks) -> Amount {
    let native = chain.native_asset();
    let ceilings = state.binding(now.run).iter().map(|policy| {
        let rule = policy.document.asset(native);
        rule.and_then(|rule| rule.fee_ceiling).unwrap_or_default()
    });
    ceilings.min().unwrap_or_default()
}

/// Every binding document and the session: the strictest verdict, or all that is broken.
pub(super) fn judge_all(
    state: &State,
    grant: &SessionGrant,
    usage: &SessionUsage,
    payment: &Payment<'_>,
    history: &dyn History,
    context: &Context,
) -> Result<Verdict, Denial> {
    let sums = charges(payment.effects)?;
    let now = context.rules();
    let mut violations: Vec<Violation> = Vec::new();
    let mut strictest: Option<Verdict> = None;
    let binding = state.binding(context.clocks.run);
    if binding.is_empty() {
        return Err(Code::PolicyMissing.into());
    }
    for policy in binding {
        match evaluate(&policy.document, payment, history, now) {
            Ok(verdict) => {
                strictest = Some(match strictest {
                    Some(so_far) => so_far.strictest(verdict),
                    None => verdict,
                });
            }
            Err(broken) => {
                for violation in broken {
                    if !violations.contains(&violation) {
                        violations.push(violation);
                    }
                }
            }
        }
    }
    let made = payments(payment.effects);
    violations.extend(grant.violations(payment.wallet, &sums, made, usage));
    let documents = binding.iter().map(|policy| policy.document.as_ref());
    violations.extend(grant.narrowed(payment.chain, payment.effects, documents));
    match Denial::from_violations(violations) {
        Some(denial) => Err(denial),
        None => strictest.ok_or(Code::PolicyMissing.into()),
    }
}

/// The same bytes once more, if kill, pause, session and policy still allow them now. Judged without
/// the payment's own earlier charge (invariant 19); nothing is appended.
pub(super) fn replay(
    state: &State,
    prior: &Prior,
    origin: Origin,
    context: &Context,
) -> Result<Decision, Denial> {
    if prior.cancels() {
        return decide_variant::again(state, prior, context);
    }
    let now = context.clocks;
    let spend = &prior.spend;
    let wallet = state
        .wallets
        .get(&spend.wallet)
        .ok_or(Code::WalletUnknown)?;
    if spend.session.is_some() {
        if let Some(code) = state.stopped() {
            return Err(code.into());
        }
        if wallet.paused {
            return Err(Code::WalletPaused.into());
        }
    } else {
        recorded::may_withdraw_again(state, spend, origin, now)?;
    }
    let (path, account) = recorded::key_of(wallet, prior)?;
    let transaction = recorded::read(state, account, spend, now)?;
    if let Some(id) = spend.session {
        wallet.may_pay()?;
        let session = decide_session::usable(state, id, now)?;
        let sums = listed_charges(&spend.charges);
        let mut usage = session.usage.clone();
        usage.uncharge(&sums, payments(&spend.effects));
        let charged = Charged {
            at: prior.charged_at,
            chain: spend.chain,
            charges: &sums,
            effects: &spend.effects,
        };
        let payment = Payment {
            wallet: spend.wallet,
            session: id,
            bearer: is_bearer(session),
            chain: spend.chain,
            effects: &spend.effects,
            submit: spend.submit,
        };
        let history = Without::new(state, spend.wallet, id, &charged);
        let verdict = judge_all(state, &session.grant, &usage, &payment, &history, context)?;
        Behind::of(spend).suffices(state, &verdict, now)?;
    }
    Ok(signed(
        path,
        transaction,
        spend.clone(),
        Some(prior.sequence),
        EventBody::SpendCommitted,
    ))
}

/// The owner's way out (invariant 17): outside limits and delays, also frozen and recovering, only to
/// an enrolled address, exactly what was signed.
pub(super) fn withdraw(
    state: &State,
    withdrawal: &Withdrawal,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let open = decide_owner::open(state, withdrawal.statement, now)?;
    let StatementFacts::Withdraw {
        wallet: id,
        asset,
        to,
        amount,
        fee_ceiling,
        nonce,
        from,
    } = &open.facts
    else {
        return Err(Code::StatementMismatch.into());
    };
    let signers = decide_owner::quorum(state, open, &withdrawal.signatures)?;
    if state.kill.phase == KillPhase::Activated {
        return Err(Code::Killed.into());
    }
    let wallet = state.wallets.get(id).ok_or(Code::WalletUnknown)?;
    let chain = asset.chain();
    if !wallet.networks.contains(&chain) {
        return Err(Code::NetworkNotBound.into());
    }
    decide_owner::withdrawal_open(state, chain, *to, now)?;
    let (path, account, nonces) = match from {
        None => (wallet.path, wallet.account, &wallet.nonces),
        Some(account) => {
            let former = wallet.former(*account).ok_or(Code::WalletUnknown)?;
            (former.path, former.account, &former.nonces)
        }
    };
    let network = network::of_withdrawal(state, chain, now);
    let read = |token: Option<solana::Token>| {
        let known = Known::of(to, &token).on(network);
        let transaction = decode(chain, account, &withdrawal.unsigned, known).ok()?;
        Some((token, transaction))
    };
    let tokens = decide_token::registrations(state, *asset, now)?;
    let mut readable = tokens.into_iter().filter_map(read);
    let (token, mut transaction) = readable.next().ok_or(Code::TransactionUndecodable)?;
    transaction
        .require_zero_nonce()
        .map_err(|_| Code::NonceNotZero)?;
    if matches!(chain, ChainId::Evm(_)) {
        let known = nonces.get(&chain).ok_or(Code::NonceNotAttested)?;
        let issued = nonce.map_or_else(|| known.due(), Ok)?;
        if !known.for_withdrawal(issued) {
            return Err(Code::NonceLower.into());
        }
        transaction = transaction
            .with_nonce(issued)
            .map_err(|_| Code::TransactionUndecodable)?;
    }
    let asked = Transfer {
        action: Action::Transfer,
        asset: *asset,
        to: *to,
        amount: *amount,
        mint: token,
        call: None,
        stake: None,
        program: None,
    };
    // Whatever sending costs, rent as well, keeps to the ceiling that the owner signed.
    let cost = decide_token::rent(transaction.effects()).checked_add(transaction.fee_max());
    if !Claim::of(asked).is_done_by(&transaction) || cost.is_none_or(|cost| cost > *fee_ceiling) {
        return Err(Code::StatementMismatch.into());
    }
    let unsigned_digest: Digest = hash(Domain::RequestBody, &[&withdrawal.unsigned]);
    let spend = Spend {
        transaction: TransactionId::derive(&context.entropy, 0),
        session: None,
        wallet: *id,
        chain,
        unsigned: transaction.bytes().to_vec(),
        effects: transaction.effects().to_vec(),
        charges: listed(charges(transaction.effects())?),
        tier: Tier::Notify,
        policy_epoch: 0,
        nonce: transaction.account_nonce(),
        idempotency: hash(Domain::Idempotency, &[withdrawal.statement.as_bytes()]),
        body: unsigned_digest,
        kept_until: open.expires,
        request_nonce: None,
        submit: false,
        from: *from,
        fee_ceiling: None,
        replaces: None,
        waited: None,
        memo: None,
    };
    let statement = withdrawal.statement;
    Ok(signed(path, transaction, spend, None, |spend| {
        EventBody::Withdrawn {
            statement,
            signers,
            spend,
        }
    }))
}

pub(super) fn listed(sums: Charges) -> Vec<Charge> {
    sums.into_iter()
        .map(|(asset, amount): (_, Amount)| Charge { asset, amount })
        .collect()
}
