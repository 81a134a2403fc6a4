//! The decision over a login at a web site: the session, the agent's own signature, idempotency, every
//! binding document. Counted, made durable, signed, in that order (invariant 4). The request holds fields;
//! the message is written here from them, for the wallet's own address and by the signer's clock, so that
//! nobody brings a text to sign (invariant 1).

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::event::{EventBody, SignedIn};
use waiaas_shared::ids::{MessageId, WalletId};
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::evaluate::Charges;
use waiaas_shared::policy::sign_in::{Allowed, Login};
use waiaas_shared::request::SignInRequest;
use waiaas_shared::session::{Operation, SessionGrant, SessionUsage};
use waiaas_shared::sign_in::{SignIn, SignInMessage};
use waiaas_shared::time::Clocks;

use super::command::{
    Context, MessageRequest, MessageSeal, Outcome, PriorLogin, SigningOrder, Used,
};
use super::decide_message::{Begun, begin};
use super::state::State;
use super::{Decision, decide_alarm, decide_session, proof};

/// Judges a login; counts it and orders its signature if it passes.
pub(super) fn sign_in(state: &State, asked: &MessageRequest, context: &Context) -> Decision {
    match judge(state, asked, context) {
        Ok(decision) => decision,
        Err(denial) => {
            let refused = decide_alarm::Asked::message(asked, &[proof::SIGN_IN]);
            decide_alarm::refusal(state, &refused, denial, context)
        }
    }
}

fn judge(state: &State, asked: &MessageRequest, context: &Context) -> Result<Decision, Denial> {
    let now = context.clocks;
    let request = &asked.request;
    let body = SignInRequest::parse(&request.body)?;
    let (session, digest, proven) = match begin(state, asked, body.signer, proof::SIGN_IN, context)?
    {
        Begun::New {
            session,
            body,
            proven,
        } => (session, body, proven),
        Begun::Again(Used::SignedIn(prior)) => return again(state, prior, now),
        // No body is read as both.
        Begun::Again(_) => return Err(Code::IdempotencyConflict.into()),
    };
    let wallet = state.open_wallet(body.wallet, body.network)?;
    let login = Login {
        domain: &body.domain,
        chain: body.network,
        uri: &body.uri,
        resources: &body.resources,
        valid_for: body.valid_for(),
        earlier: state.logins.get(&(body.wallet, body.domain.clone())),
    };
    let (grant, usage) = (&session.grant, &session.usage);
    let allowed = judge_all(state, (grant, usage), body.wallet, &login, now)?;
    let fields = SignIn {
        chain: body.network,
        account: wallet.account,
        domain: body.domain,
        uri: body.uri,
        nonce: body.nonce,
        statement: body.statement,
        // Of the lower side: sites end it by their own clock.
        issued: context.steady,
        expires: context.steady.after(allowed.valid_for),
        request_id: body.request_id,
        resources: body.resources,
    };
    let message = SignInMessage::compose(&fields)?;
    let Some(proof::Proven { idempotency, nonce }) = proven else {
        return Ok(Decision {
            events: Vec::new(),
            outcome: Ok(Outcome::WouldSignIn(allowed.tier)),
        });
    };
    let newest = state.binding(now.run).last().ok_or(Code::PolicyMissing)?;
    let entry = SignedIn {
        message: MessageId::derive(&context.entropy, 0),
        session: request.session,
        wallet: body.wallet,
        text: message.text().to_owned(),
        fields,
        tier: allowed.tier,
        policy_epoch: newest.document.epoch,
        idempotency,
        body: digest,
        kept_until: grant.absolute_end(),
        request_nonce: nonce,
    };
    let order = order(wallet.path, message, &entry, None);
    Ok(Decision {
        events: vec![EventBody::SignedIn(entry)],
        outcome: Ok(order),
    })
}

/// The session and every binding document: the strictest that they allow, or all that is broken. A login
/// counts as one transaction of its session.
fn judge_all(
    state: &State,
    (grant, usage): (&SessionGrant, &SessionUsage),
    wallet: WalletId,
    login: &Login<'_>,
    now: Clocks,
) -> Result<Allowed, Denial> {
    let binding = state.binding(now.run);
    if binding.is_empty() {
        return Err(Code::PolicyMissing.into());
    }
    let mut violations = grant.violations(wallet, &Charges::new(), 1, usage);
    if !grant.allows(Operation::SignIn) {
        violations.push(Violation::of(Code::SessionOperation));
    }
    let mut strictest: Option<Allowed> = None;
    for policy in binding {
        match policy.document.judge_login(login, now.budget) {
            Ok(allowed) => {
                strictest = Some(strictest.map_or(allowed, |so_far| so_far.strictest(allowed)));
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
    match Denial::from_violations(violations) {
        Some(denial) => Err(denial),
        None => strictest.ok_or(Code::PolicyMissing.into()),
    }
}

/// The same message once more, if kill, pause, session and policy still allow it now. Judged without its
/// own earlier count (invariant 19); nothing is appended.
fn again(state: &State, prior: &PriorLogin, now: Clocks) -> Result<Decision, Denial> {
    let entry = &prior.entry;
    if let Some(code) = state.stopped() {
        return Err(code.into());
    }
    let session = decide_session::usable(state, entry.session, now)?;
    let wallet = state.wallets.get(&entry.wallet);
    let wallet = wallet.ok_or(Code::WalletUnknown)?;
    wallet.may_pay()?;
    // The wallet has another key now: the message names the former one.
    if wallet.account != entry.fields.account {
        return Err(Code::WalletClosed.into());
    }
    let mut usage = session.usage.clone();
    usage.uncharge(&Charges::new(), 1);
    let key = (entry.wallet, entry.fields.domain.clone());
    let mut earlier = state.logins.get(&key).cloned().unwrap_or_default();
    earlier.uncharge(prior.counted_at, Amount::ZERO);
    let login = Login {
        domain: &entry.fields.domain,
        chain: entry.fields.chain,
        uri: &entry.fields.uri,
        resources: &entry.fields.resources,
        valid_for: Some(entry.fields.expires.since(entry.fields.issued)),
        earlier: Some(&earlier),
    };
    judge_all(state, (&session.grant, &usage), entry.wallet, &login, now)?;
    let message = SignInMessage::compose(&entry.fields)?;
    // What the log has is what is signed: a template that writes another text signs nothing of before.
    if message.text() != entry.text {
        return Err(Code::Unsupported.into());
    }
    Ok(Decision {
        events: Vec::new(),
        outcome: Ok(order(wallet.path, message, entry, Some(prior.sequence))),
    })
}

fn order(
    path: KeyPath,
    message: SignInMessage,
    entry: &SignedIn,
    replay_of: Option<u64>,
) -> Outcome {
    let sealed = MessageSeal {
        message: entry.message,
        tier: entry.tier,
        replay_of,
    };
    Outcome::SignMessage(Box::new(SigningOrder::new(path, message, sealed)))
}
