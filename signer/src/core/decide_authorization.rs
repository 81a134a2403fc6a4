//! The decision over a transfer authorization (EIP-3009): a payment whose signed thing is no transaction. Session, the
//! agent's own signature, idempotency and every binding document judge it as the transfer that it is; it is charged in
//! full, made durable, then signed, whether anybody ever uses it. Nonce and times are made here, so that nobody brings
//! either (invariants 1 and 3). It never waits: what waits is released with fresh bytes, and nobody would be there to
//! take them.

use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::authorization::{
    AuthorizationMessage, TokenDomain, TransferAuthorization, VALID_AFTER,
};
use waiaas_shared::caip::AssetId;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{EventBody, Spend};
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::evaluate::{Payment, Tier, Verdict, charges, listed_charges, payments};
use waiaas_shared::policy::history::{Charged, History, Without};
use waiaas_shared::request::AuthorizationRequest;
use waiaas_shared::session::{Operation, SessionUsage};
use waiaas_shared::time::{Clocks, Millis, WallTime};

use super::command::{
    Context, MessageRequest, Outcome, PriorAuthorization, Sealed, SigningOrder, Used,
};
use super::decide_message::{Begun, begin};
use super::decide_spend::{is_bearer, judge_all, listed};
use super::state::{Session, State};
use super::waited::Behind;
use super::{Decision, decide_alarm, decide_session, proof, reading, waited};

/// Judges an authorization; charges it and orders its signature if it passes.
pub(super) fn authorize(state: &State, asked: &MessageRequest, context: &Context) -> Decision {
    match judge(state, asked, context) {
        Ok(decision) => decision,
        Err(denial) => {
            let refused = decide_alarm::Asked::message(asked, &[proof::AUTHORIZATION]);
            decide_alarm::refusal(state, &refused, denial, context)
        }
    }
}

fn judge(state: &State, asked: &MessageRequest, context: &Context) -> Result<Decision, Denial> {
    let now = context.clocks;
    let request = &asked.request;
    let body = AuthorizationRequest::parse(&request.body)?;
    let (session, digest, proven) =
        match begin(state, asked, body.signer, proof::AUTHORIZATION, context)? {
            Begun::New {
                session,
                body,
                proven,
            } => (session, body, proven),
            Begun::Again(Used::Authorized(prior)) => return again(state, prior, context),
            // No body is read as both.
            Begun::Again(_) => return Err(Code::IdempotencyConflict.into()),
        };
    let wallet = state.open_wallet(body.wallet, body.network)?;
    let newest = state.binding(now.run).last().ok_or(Code::PolicyMissing)?;
    let claim = reading::resolved(state, &body.transfer(), wallet.account, now)?;
    let terms = terms(state, body.asset, body.valid_for(), now)?;
    let moved = claim.first();
    let (Account::Evm(from), Account::Evm(to)) = (wallet.account, moved.to) else {
        return Err(Code::AuthorizationNotListed.into());
    };
    let authorization = TransferAuthorization {
        asset: body.asset,
        domain: terms.domain,
        from,
        to,
        value: moved.amount,
        valid_after: VALID_AFTER,
        valid_before: seconds(context.steady).saturating_add(terms.valid_for.millis() / 1000),
        nonce: *hash(Domain::AuthorizationNonce, &[&context.entropy]).as_bytes(),
    };
    let message = AuthorizationMessage::compose(&authorization)?;
    let effects = [authorization.effect()];
    let payment = Payment {
        wallet: body.wallet,
        session: request.session,
        bearer: is_bearer(session),
        chain: body.network,
        effects: &effects,
        // Whoever has it brings it to the chain, and policy's leave is the token's entry.
        submit: true,
    };
    let verdict = judged(state, session, &session.usage, &payment, state, context)?;
    let tier = verdict.tier;
    if tier > Tier::Notify {
        return Err(Code::AuthorizationWaits.into());
    }
    let Some(proof::Proven { idempotency, nonce }) = proven else {
        return Ok(Decision {
            events: Vec::new(),
            outcome: Ok(Outcome::WouldSign {
                tier,
                fee: Amount::ZERO,
            }),
        });
    };
    let spend = Spend {
        transaction: TransactionId::derive(&context.entropy, 0),
        session: Some(request.session),
        wallet: body.wallet,
        chain: body.network,
        unsigned: message.payload().to_vec(),
        charges: listed(charges(&effects)?),
        effects: effects.to_vec(),
        tier,
        policy_epoch: newest.document.epoch,
        nonce: None,
        idempotency,
        body: digest,
        kept_until: session.grant.absolute_end(),
        request_nonce: nonce,
        submit: false,
        from: None,
        fee_ceiling: None,
        replaces: None,
        waited: None,
        memo: None,
    };
    let outcome = order(wallet.path, message, &spend, None);
    Ok(Decision {
        events: vec![EventBody::TransferAuthorized {
            spend,
            authorization,
        }],
        outcome: Ok(outcome),
    })
}

/// What every binding document says of authorizations of a token.
struct Terms {
    domain: TokenDomain,
    /// As long as was asked for, or as all of them let.
    valid_for: Millis,
}

/// Every binding document must let the token be moved so, and name it alike.
fn terms(
    state: &State,
    asset: AssetId,
    asked: Option<Millis>,
    now: Clocks,
) -> Result<Terms, Denial> {
    let mut all: Option<Terms> = None;
    for policy in state.binding(now.run) {
        let rule = policy.document.asset(asset);
        let rule = rule.and_then(|rule| rule.authorization.as_ref());
        let rule = rule.ok_or(Code::AuthorizationNotListed)?;
        let before = all.get_or_insert_with(|| Terms {
            domain: rule.domain.clone(),
            valid_for: rule.valid_for,
        });
        if before.domain != rule.domain {
            return Err(Code::AuthorizationConflict.into());
        }
        before.valid_for = before.valid_for.min(rule.valid_for);
    }
    let all = all.ok_or(Code::PolicyMissing)?;
    let valid_for = asked.unwrap_or(all.valid_for);
    if valid_for > all.valid_for {
        let shown = |length: Millis| Some(Amount::from_base_units((length.millis() / 1000).into()));
        return Err(Violation {
            observed: shown(valid_for),
            allowed: shown(all.valid_for),
            ..Violation::of(Code::AuthorizationValidity)
        }
        .into());
    }
    Ok(Terms { valid_for, ..all })
}

/// The session and every binding document, as of the transfer that it is; and the operation by its own name.
fn judged(
    state: &State,
    session: &Session,
    usage: &SessionUsage,
    payment: &Payment<'_>,
    history: &dyn History,
    context: &Context,
) -> Result<Verdict, Denial> {
    let verdict = judge_all(state, &session.grant, usage, payment, history, context);
    if session.grant.allows(Operation::TransferAuthorization) {
        return verdict;
    }
    let mut violations = match verdict {
        Ok(_) => Vec::new(),
        Err(denial) => denial.violations().to_vec(),
    };
    let own = Violation::of(Code::SessionOperation);
    if !violations.contains(&own) {
        violations.push(own);
    }
    Err(Denial::from_violations(violations).unwrap_or(Code::SessionOperation.into()))
}

/// The same authorization once more, if kill, pause, session and policy still allow it now and it still holds.
/// Judged without its own earlier charge (invariant 19); nothing is appended.
fn again(state: &State, prior: &PriorAuthorization, context: &Context) -> Result<Decision, Denial> {
    let now = context.clocks;
    let PriorAuthorization {
        spend,
        authorization,
        ..
    } = prior;
    if let Some(code) = state.stopped() {
        return Err(code.into());
    }
    let id = spend.session.ok_or(Code::SessionUnknown)?;
    let session = decide_session::usable(state, id, now)?;
    let wallet = state.wallets.get(&spend.wallet);
    let wallet = wallet.ok_or(Code::WalletUnknown)?;
    wallet.may_pay()?;
    // The wallet has another key now: the authorization names the former one.
    if wallet.account != Account::Evm(authorization.from) {
        return Err(Code::WalletClosed.into());
    }
    // Over as soon as it may be; and as long as it may still hold, every document must let one hold now. Those that
    // let it hold when it was signed are not asked anew: a clock that was set back a little makes it no longer.
    if authorization.valid_before <= seconds(now.wall) {
        return Err(Code::AuthorizationExpired.into());
    }
    let left = authorization.valid_before;
    let left = left.saturating_sub(seconds(context.steady));
    let left = waited::adopted_since(state, spend, now).then_some(Millis::from_secs(left));
    if terms(state, authorization.asset, left, now)?.domain != authorization.domain {
        return Err(Code::AuthorizationConflict.into());
    }
    let verdict = without_itself(state, (session, id), prior, context)?;
    Behind::of(spend).suffices(state, &verdict, now)?;
    let message = AuthorizationMessage::compose(authorization)?;
    // What the log has is what is signed: a type that hashes otherwise signs nothing of before.
    if message.payload() != spend.unsigned {
        return Err(Code::Unsupported.into());
    }
    Ok(Decision {
        events: Vec::new(),
        outcome: Ok(order(wallet.path, message, spend, Some(prior.sequence))),
    })
}

fn without_itself(
    state: &State,
    (session, id): (&Session, SessionId),
    prior: &PriorAuthorization,
    context: &Context,
) -> Result<Verdict, Denial> {
    let spend = &prior.spend;
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
        submit: true,
    };
    let history = Without::authorization(state, spend.wallet, id, &charged);
    judged(state, session, &usage, &payment, &history, context)
}

/// Whole seconds, as the chain counts them. Of the lower side where one is granted, so that it holds no longer than
/// policy says; of the upper side where it has ended.
const fn seconds(time: WallTime) -> u64 {
    time.millis() / 1000
}

fn order(
    path: KeyPath,
    message: AuthorizationMessage,
    spend: &Spend,
    replay_of: Option<u64>,
) -> Outcome {
    let sealed = Sealed {
        transaction: spend.transaction,
        tier: spend.tier,
        replay_of,
    };
    Outcome::Authorize(Box::new(SigningOrder::new(path, message, sealed)))
}
