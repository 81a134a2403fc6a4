//! One more transaction for a nonce that was issued before (invariant 6): the same payment with a higher
//! fee, or a cancellation that the signer builds itself. It needs no new approval, because it pays nothing
//! that was not agreed, and lands instead of the earlier one, never beside it. So it is charged as much as
//! it exceeds what is charged to the nonce still. Whoever reaches the socket may ask: it spends a fee.
//!
//! A payment is judged again by everything, without its own earlier charge, as its replay is. A
//! cancellation pays nobody: it must be possible where the payment would be refused now, or its session
//! has ended, so it is judged as the fee alone. What stops all signing stops it too.

use std::collections::BTreeMap;

use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{Charge, EventBody, Origin, Spend, Variant};
use waiaas_shared::evm::{NetworkTerms, Registered};
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::evaluate::{Charges, Payment, Tier, charges, evaluate_fee, payments};
use waiaas_shared::policy::history::{Charged, Without};
use waiaas_shared::transaction::{
    DecodedTransaction, EvmFees, Known, cancellation, decode, read_cancellation,
};

use super::command::{Change, Context, Prior, Used, VariantRequest};
use super::decide_spend::{self, judge_all, listed, replay, signed};
use super::recorded::key_of;
use super::state::{Session, State, Wallet};
use super::waited::Behind;
use super::{Decision, decide_session, network, proposal};

/// Transactions that one nonce may have, the payment included.
const PAYMENTS_LIMIT: u32 = 16;
/// The same with cancellations: speeding up never uses up the way to cancel.
const NONCE_LIMIT: u32 = 32;

/// Signs the nonce of a payment once more.
pub(super) fn vary(state: &State, request: &VariantRequest, context: &Context) -> Decision {
    match judge(state, request, context) {
        Ok(decision) => decision,
        Err(denial) => {
            let session = request.prior.as_ref().and_then(|prior| prior.spend.session);
            let events = session.map_or_else(Vec::new, |session| {
                decide_session::expired_now(state, session, context.clocks)
            });
            Decision {
                events,
                outcome: Err(denial),
            }
        }
    }
}

/// The transaction that took the place of the named one by an equal request before.
pub(super) fn asked_again<'a>(state: &'a State, request: &'a VariantRequest) -> Option<&'a Prior> {
    let key = Variant::key(request.transaction);
    let known = request.used.as_ref().or_else(|| state.uncommitted(&key));
    match known {
        Some(Used::Paid(prior))
            if prior.spend.idempotency == key && prior.spend.body == body(&request.change) =>
        {
            Some(prior.as_ref())
        }
        _ => None,
    }
}

/// Digest of what was asked for.
fn body(change: &Change) -> Digest {
    match change {
        Change::Pay { unsigned } => hash(Domain::RequestBody, &[b"pay", unsigned]),
        Change::Cancel { fees } => hash(
            Domain::RequestBody,
            &[
                b"cancel",
                &fees.gas_limit.to_be_bytes(),
                &fees.max_fee_per_gas.to_be_bytes(),
                &fees.max_priority_fee_per_gas.to_be_bytes(),
            ],
        ),
    }
}

/// What a variant is made of and judged by.
struct Case<'a> {
    state: &'a State,
    prior: &'a Prior,
    session: SessionId,
    known: &'a Session,
    wallet: &'a Wallet,
    path: KeyPath,
    account: Account,
    context: &'a Context,
}

impl<'a> Case<'a> {
    /// The payment's wallet and session, as far as anything may be signed for them at all.
    fn of(state: &'a State, prior: &'a Prior, context: &'a Context) -> Result<Self, Denial> {
        let spend = &prior.spend;
        if let Some(code) = state.stopped() {
            return Err(code.into());
        }
        let session = spend.session.ok_or(Code::VariantUnsupported)?;
        let known = state.sessions.get(&session).ok_or(Code::SessionUnknown)?;
        let wallet = state
            .wallets
            .get(&spend.wallet)
            .ok_or(Code::WalletUnknown)?;
        wallet.may_pay()?;
        let (path, account) = key_of(wallet, prior)?;
        Ok(Self {
            state,
            prior,
            session,
            known,
            wallet,
            path,
            account,
            context,
        })
    }

    fn payment<'b>(&self, effects: &'b [Effect], submit: bool) -> Payment<'b> {
        Payment {
            wallet: self.prior.spend.wallet,
            session: self.session,
            bearer: decide_spend::is_bearer(self.known),
            chain: self.prior.spend.chain,
            effects,
            submit,
        }
    }

    /// Everything that was spent, without what is taken back of the earlier charge.
    fn without(&self, taken: &Charges, effects: &[Effect]) -> Without<'a, State> {
        let spend = &self.prior.spend;
        let charged = Charged {
            at: self.prior.charged_at,
            chain: spend.chain,
            charges: taken,
            effects,
        };
        Without::new(self.state, spend.wallet, self.session, &charged)
    }

    /// The same payment again: everything that was agreed must still hold.
    fn judge_payment(
        &self,
        transaction: &DecodedTransaction,
        taken: &Charges,
    ) -> Result<Tier, Denial> {
        let spend = &self.prior.spend;
        let session = decide_session::usable(self.state, self.session, self.context.clocks)?;
        if let Some(ceiling) = spend.fee_ceiling
            && transaction.fee_max() > ceiling
        {
            let native = spend.chain.native_asset();
            let fee = transaction.fee_max();
            return Err(Violation::limit(Code::FeeCeiling, native, fee, ceiling).into());
        }
        let mut usage = session.usage.clone();
        usage.uncharge(taken, payments(&spend.effects));
        let payment = self.payment(transaction.effects(), spend.submit);
        let history = self.without(taken, &spend.effects);
        let verdict = judge_all(
            self.state,
            &session.grant,
            &usage,
            &payment,
            &history,
            self.context,
        )?;
        Behind::varied(spend).suffices(self.state, &verdict, self.context.clocks)?;
        Ok(spend.tier.max(verdict.tier))
    }

    /// A fee and nothing else. Whether the session still lives is no question: nothing is spent under it
    /// but what using its nonce up costs, and that counts to it.
    fn judge_fee(&self, fee: Amount, taken: &Charges) -> Result<(), Denial> {
        let asset = self.prior.spend.chain.native_asset();
        let effects = [Effect::Fee { asset, max: fee }];
        let payment = self.payment(&effects, true);
        let history = self.without(taken, &[]);
        let now = self.context.rules();
        let binding = self.state.binding(self.context.clocks.run);
        if binding.is_empty() {
            return Err(Code::PolicyMissing.into());
        }
        let mut violations: Vec<Violation> = Vec::new();
        for policy in binding {
            let broken = evaluate_fee(&policy.document, &payment, &history, now);
            for violation in broken.err().unwrap_or_default() {
                if !violations.contains(&violation) {
                    violations.push(violation);
                }
            }
        }
        let mut usage = self.known.usage.clone();
        usage.take(taken);
        let grant = &self.known.grant;
        violations.extend(grant.fee_violations(&charges(&effects)?, &usage));
        Denial::from_violations(violations).map_or(Ok(()), Err)
    }
}

fn judge(state: &State, request: &VariantRequest, context: &Context) -> Result<Decision, Denial> {
    // The same call after a lost answer: the same bytes, nothing appended.
    if let Some(before) = asked_again(state, request) {
        return replay(state, before, Origin::Gateway, context);
    }
    let prior = request
        .prior
        .as_deref()
        .filter(|prior| prior.spend.transaction == request.transaction)
        .ok_or(Code::TransactionUnknown)?;
    let spend = &prior.spend;
    let nonce = match (spend.chain, spend.session, spend.nonce) {
        (ChainId::Evm(_), Some(_), Some(nonce)) => nonce,
        _ => return Err(Code::VariantUnsupported.into()),
    };
    if state.credited.contains(&prior.sequence) {
        return Err(Code::PaymentCredited.into());
    }
    if state.replaced.contains_key(&spend.transaction) {
        return Err(Code::PaymentReplaced.into());
    }
    let case = Case::of(state, prior, context)?;
    if !case.wallet.holds_nonce(spend.chain, nonce) {
        return Err(Code::VariantNonceUsed.into());
    }
    let before = prior.variant.as_ref();
    let number = before.map_or(0, |variant| variant.number).saturating_add(1);
    let limit = match request.change {
        Change::Pay { .. } => PAYMENTS_LIMIT,
        Change::Cancel { .. } => NONCE_LIMIT,
    };
    if number >= limit {
        return Err(Code::VariantTooMany.into());
    }
    let before_it = earlier(prior, case.account)?;
    let terms = network::terms(state, spend.chain, context.clocks);
    let transaction = match &request.change {
        Change::Pay { .. } if prior.cancels() => return Err(Code::VariantCancelled.into()),
        Change::Pay { unsigned } => same_again(spend, (case.account, nonce), unsigned, terms)?,
        Change::Cancel { fees } => {
            // What the network took in one form it takes in the same again.
            let form = before_it.evm_form().ok_or(Code::VariantUnsupported)?;
            cancellation(spend.chain, case.account, nonce, *fees, (form, terms))
                .map_err(|error| proposal::undecodable(&error))?
        }
    };
    let cancels = matches!(request.change, Change::Cancel { .. });
    outbids(spend, &before_it, &transaction, cancels)?;
    let own = charges(transaction.effects())?;
    let Moved { taken, kept } = moved(&spend.charges, &own);
    // A higher fee may be what the owner is to be told of.
    let tier = if cancels {
        case.judge_fee(transaction.fee_max(), &taken)?;
        spend.tier
    } else {
        case.judge_payment(&transaction, &taken)?
    };
    let newest = state.binding(context.clocks.run).last();
    let variant = Variant {
        of: spend.transaction,
        first: before.map_or(spend.transaction, |variant| variant.first),
        number,
        cancels,
        charged_at: prior.charged_at,
        taken: listed(taken),
        kept: listed(kept),
    };
    let varied = Spend {
        transaction: TransactionId::derive(&context.entropy, 0),
        unsigned: transaction.bytes().to_vec(),
        effects: transaction.effects().to_vec(),
        charges: listed(own),
        tier,
        policy_epoch: newest.ok_or(Code::PolicyMissing)?.document.epoch,
        idempotency: Variant::key(spend.transaction),
        body: body(&request.change),
        request_nonce: None,
        submit: spend.submit || cancels,
        ..spend.clone()
    };
    let event = |spend| EventBody::SpendReplaced { spend, variant };
    Ok(signed(case.path, transaction, varied, None, event))
}

/// Proposed bytes with the nonce of the payment written into them: they must do exactly what it did, and
/// differ in nothing but the fee.
fn same_again(
    spend: &Spend,
    (account, nonce): (Account, u64),
    unsigned: &[u8],
    network: NetworkTerms,
) -> Result<DecodedTransaction, Denial> {
    if unsigned.len() > waiaas_schema::BODY_LIMIT_BYTES {
        return Err(Code::BodyTooLarge.into());
    }
    let function = Registered::of_effects(&spend.effects);
    let known = Known::NOTHING.calling(function.as_ref()).on(network);
    let proposed = decode(spend.chain, account, unsigned, known)
        .map_err(|error| proposal::undecodable(&error))?;
    proposed
        .require_zero_nonce()
        .map_err(|_| Code::NonceNotZero)?;
    let transaction = proposed
        .with_nonce(nonce)
        .map_err(|_| Code::TransactionUndecodable)?;
    let does = |effects: &[Effect]| -> Vec<Effect> {
        let done = effects.iter();
        done.filter(|effect| !matches!(effect, Effect::Fee { .. }))
            .cloned()
            .collect()
    };
    if does(transaction.effects()) == does(&spend.effects) {
        Ok(transaction)
    } else {
        Err(Code::BodyMismatch.into())
    }
}

/// Nodes take one transaction in the place of another only for a higher fee; a payment's worst case must
/// rise too, so that its newest transaction is the one that was charged the most.
fn outbids(
    spend: &Spend,
    before: &DecodedTransaction,
    transaction: &DecodedTransaction,
    cancels: bool,
) -> Result<(), Denial> {
    let fees = |transaction: &DecodedTransaction| -> Result<EvmFees, Code> {
        transaction.evm_fees().ok_or(Code::VariantUnsupported)
    };
    let rises = cancels || transaction.fee_max() > fee(&spend.effects);
    if rises && fees(transaction)?.outbid(&fees(before)?) {
        Ok(())
    } else {
        Err(Code::VariantFee.into())
    }
}

/// The fee that was charged with these effects: that of the gas, and what counted for data then.
fn fee(effects: &[Effect]) -> Amount {
    let mut fees = effects.iter().filter_map(|effect| match effect {
        Effect::Fee { max, .. } => Some(*max),
        _ => None,
    });
    fees.next().unwrap_or(Amount::MAX)
}

/// The bytes that the log has, read as what they are. Their fee is that of the gas.
fn earlier(prior: &Prior, account: Account) -> Result<DecodedTransaction, Code> {
    let spend = &prior.spend;
    let read = if prior.cancels() {
        read_cancellation(spend.chain, account, &spend.unsigned)
    } else {
        let function = Registered::of_effects(&spend.effects);
        let known = Known::NOTHING
            .calling(function.as_ref())
            .on(NetworkTerms::RECORDED);
        decode(spend.chain, account, &spend.unsigned, known)
    };
    read.map_err(|_| Code::TransactionUndecodable)
}

/// What of an earlier charge is counted again with the new one, and what stays where it is.
struct Moved {
    taken: Charges,
    kept: Charges,
}

fn moved(before: &[Charge], own: &Charges) -> Moved {
    let mut moved = Moved {
        taken: BTreeMap::new(),
        kept: BTreeMap::new(),
    };
    for Charge { asset, amount } in before {
        let counted_again = own.get(asset);
        let taken = counted_again.copied().unwrap_or_default().min(*amount);
        let kept = amount.remaining_after(taken);
        // Nothing of an asset counts as a payment in it as well, and moves like any other.
        if counted_again.is_some() {
            moved.taken.insert(*asset, taken);
        }
        if kept > Amount::ZERO {
            moved.kept.insert(*asset, kept);
        }
    }
    moved
}

/// The bytes of a cancellation once more, if they may still leave. Nothing is appended.
pub(super) fn again(state: &State, prior: &Prior, context: &Context) -> Result<Decision, Denial> {
    let case = Case::of(state, prior, context)?;
    let transaction = earlier(prior, case.account)?;
    let spend = prior.spend.clone();
    let own = charges(&spend.effects)?;
    case.judge_fee(fee(&spend.effects), &own)?;
    Ok(signed(
        case.path,
        transaction,
        spend,
        Some(prior.sequence),
        EventBody::SpendCommitted,
    ))
}
