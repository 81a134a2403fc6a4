#!/usr/bin/env python3
"""Proves that the signer's model test can fail: each mutant is a mistake that somebody could make in the
product, and the random sequences of `core/tests/machine` must find it.

    python3 tools/mutants/mutants.py [--sequences N] [--target FOLDER] [NUMBER ...]

A copy of the sources gets every mutant at once, each behind a switch that a variable of the environment
turns on, so that one build serves all of them. The checkout is not touched. Prints how many sequences each
took; ends with 1 if one was not found, or if the sequences do not hold without any.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULE = "shared/src/policy/rule/"
CORE = "signer/src/core/"

# What goes wrong, where, the product's text (once in its file), and the text with the mistake: there `@`
# is true while the mutant is on. A mistake without `@` is an expression that stands for the product's.
MUTANTS = [
    ("per-transaction limit, one unit", RULE + "amounts.rs", "sum > *limit", "sum.base_units() > limit.base_units() + 1"),
    ("window limit, one unit", RULE + "amounts.rs", "total <= limit", "total.base_units() <= limit.base_units() + 1"),
    ("approve-up-to forgotten", RULE + "tiers.rs", "sum > *most", "false"),
    ("thresholds, one unit", RULE + "tiers.rs", "sum > threshold", "sum.base_units() > threshold.base_units() + 1"),
    ("cumulative tier, one unit", RULE + "tiers.rs", "total > entry.above", "total.base_units() > entry.above.base_units() + 1"),
    ("cumulative tier without this payment", RULE + "tiers.rs", "measure.spent(entry.window, now).checked_add(sum)", "Some(measure.spent(entry.window, now))"),
    ("delay-up-to forgotten", RULE + "tiers.rs", "above(limits.delay_up_to)", "false"),
    ("counts, one payment", RULE + "counts.rs", "count.saturating_add(payments) <= most", "count.saturating_add(payments) <= most + 1"),
    ("fee ceiling forgotten", RULE + "costs.rs", "total > ceiling", "false"),
    ("outstanding cap forgotten", RULE + "costs.rs", "total.is_none_or(|total| total > cap)", "false"),
    ("sign-only without leave", RULE + "costs.rs", "!case.payment.submit && !leave", "false"),
    ("denied recipients may receive", RULE + "recipients.rs", "case.document.denies(*account)", "false"),
    ("no payment is a first one", RULE + "recipients.rs", "!case.wallet.is_some_and(|wallet| wallet.has_paid(*account))", "false"),
    ("global scope counts one wallet", RULE + "scopes.rs", "Self::Wallets(history.wallets().map(|(_, wallet)| wallet).collect())", "Self::Wallets(case.wallet.into_iter().collect())"),
    ("bearer scope forgotten", RULE + "scopes.rs", "payment.bearer", "false"),
    ("scope's delay forgotten", RULE + "scopes.rs", "findings.delay.max(rule.delay.unwrap_or_default())", "findings.delay"),
    ("cool-down, one millisecond", RULE + "times.rs", "passed < pause", "passed.millis() + 1 < pause.millis()"),
    ("hours forgotten", RULE + "times.rs", "!scope::are_open(hours, sides)", "false"),
    ("networks of a scope forgotten", RULE + "lists.rs", "networks.binary_search(&case.payment.chain).is_err()", "false"),
    ("fees are not charged", "shared/src/policy/evaluate.rs", "sum.checked_add(effect.amount()).ok_or(Code::Overflow)", "if effect.is_cost() { Ok(*sum) } else { sum.checked_add(effect.amount()).ok_or(Code::Overflow) }"),
    ("document's delay forgotten", "shared/src/policy/evaluate.rs", "findings.delay.max(document.delay)", "findings.delay"),
    ("the mildest tier wins", "shared/src/policy/evaluate.rs", "self.tier.max(other.tier)", "self.tier.min(other.tier)"),
    ("the shortest delay wins", "shared/src/policy/evaluate.rs", "self.delay.max(other.delay)", "self.delay.min(other.delay)"),
    ("every violation only asks", "shared/src/policy/evaluate.rs", "findings.violations.iter().any(|broken| !asks(broken.code))", "false"),
    ("a charge leaves a bucket early", "shared/src/policy/windows.rs", "buckets.take_while(move |bucket| end(window, bucket.index) <= kept_from)", "buckets.take_while(move |bucket| end(window, bucket.index) <= kept_from.saturating_add(if @ { window.bucket() } else { 0 }))"),
    ("recipients' charges forgotten", "shared/src/policy/history.rs", "usage.charge_several(at, amount, times);", "if !@ { usage.charge_several(at, amount, times); }"),
    ("session count, one payment", "shared/src/session.rs", "usage.count.saturating_add(payments) > self.count", "usage.count.saturating_add(payments) > self.count + 1"),
    ("session total forgotten", "shared/src/session.rs", "total > limit.total", "false"),
    ("session's charges forgotten", CORE + "apply_payment.rs", "session.history.charge(&charged);", "if !@ { session.history.charge(&charged); }"),
    ("maturity is not waited for", CORE + "decide_policy.rs", "    } else {\n        longest\n    };", "    } else if @ {\n        Millis::default()\n    } else {\n        longest\n    };"),
    ("the newest document alone binds", CORE + "state.rs", "policy.matures <= now)", "policy.matures <= now || @)"),
    ("a delay is not waited for", CORE + "decide_intent.rs", "= intent.wait\n        && ready > now.run", "= intent.wait\n        && !@\n        && ready > now.run"),
    ("an approval is not needed", CORE + "decide_intent.rs", "approved.len() < usize::from(quorum)", "false"),
    ("waits never end", CORE + "decide_intent.rs", "open.intent.expires <= now.wall", "false"),
    ("another effect is released", CORE + "decide_intent.rs", "!claim.is_done_by(&transaction)", "false"),
    ("a dearer fee is released", CORE + "decide_intent.rs", "transaction.fee_max() > intent.fee_ceiling", "false"),
    ("kill and pause ignored at release", CORE + "decide_intent.rs", "state.stopped()", "state.stopped().filter(|_| false)"),
    ("kill and pause ignored at replay", CORE + "decide_spend.rs", "if spend.session.is_some() {\n        if let Some(code) = state.stopped()", "if spend.session.is_some() {\n        if let Some(code) = state.stopped().filter(|_| !@)"),
    ("a request's nonce twice", CORE + "proof.rs", "state.request_nonces.contains(session, &proof.nonce) =>", "state.request_nonces.contains(session, &proof.nonce) && !@ =>"),
    ("an idempotency key for another body", CORE + "decide_spend.rs", "*used.body() != body_digest", "false"),
    ("request signatures do not age", CORE + "proof.rs", "apart > SKEW", "false"),
    ("request signatures age by the upper side alone", CORE + "proof.rs", "context.steady.since(created)", "(if @ { context.clocks.wall } else { context.steady }).since(created)"),
    ("a withdrawal ahead of the nonces", CORE + "wallet.rs", "(self.attested..=self.next).contains(&nonce)", "self.attested <= nonce"),
    ("a nonce given twice", CORE + "wallet.rs", "nonce.next = issued.saturating_add(1);", "if !@ { nonce.next = issued.saturating_add(1); }"),
    ("a nonce signed again for another effect", CORE + "decide_variant.rs", "does(transaction.effects()) == does(&spend.effects)", "true"),
    ("a nonce signed again for no higher fee", CORE + "decide_variant.rs", "rises && fees(transaction)?.outbid(&fees(before)?)", "true"),
    ("a nonce signed again above the agreed fee", CORE + "decide_variant.rs", "transaction.fee_max() > ceiling", "false"),
    ("a nonce signed again after its attestation", CORE + "decide_variant.rs", "!case.wallet.holds_nonce(spend.chain, nonce)", "false"),
    ("kill and pause ignored at a nonce signed again", CORE + "decide_variant.rs", "let spend = &prior.spend;\n        if let Some(code) = state.stopped()", "let spend = &prior.spend;\n        if let Some(code) = state.stopped().filter(|_| !@)"),
    ("a cancellation gives the payment back", CORE + "decide_variant.rs", "counted_again.copied().unwrap_or_default().min(*amount)", "(*amount)"),
    ("a payment sped up is not charged again", "shared/src/policy/history/variant.rs", "charge(assets, new);", "if !@ { charge(assets, new); }"),
    ("the nonce of a withdrawal is an agent's", CORE + "wallet.rs", "self.withdrawn.insert((spend.chain, nonce));", "if !@ { self.withdrawn.insert((spend.chain, nonce)); }"),
    ("kill leaves sessions", CORE + "apply.rs", "session.killed = true;", "session.killed = true;\n                    if @ { session.state = SessionState::Active; }"),
    ("approvals outlive a new policy", CORE + "apply.rs", "!matches!(facts, StatementFacts::ApprovePayment { .. })", "true"),
    ("a credit twice", CORE + "apply.rs", "state.credited.insert(*sequence);", "if !@ { state.credited.insert(*sequence); }"),
    ("a credit above its charge", CORE + "decide_credit.rs", "given.amount <= charge.amount", "true"),
    ("a pause leaves its releases", CORE + "apply.rs", "set_wallet_paused(state, *wallet, true);\n                void_releases(state);", "set_wallet_paused(state, *wallet, true);\n                if !@ { void_releases(state); }"),
    ("statements while killed", CORE + "decide_statement.rs", "state.kill.phase == KillPhase::Activated && !releases", "false"),
    ("one owner is a quorum", CORE + "decide_owner.rs", "signers.len() < count(state.owners.quorum)", "signers.is_empty()"),
    ("one key twice is two", CORE + "decide_owner.rs", "signers.dedup();", "if !@ { signers.dedup(); }"),
    ("changes of owners do not wait", CORE + "decide_owner.rs", "        change,\n        effective: now.run.after(DELAY),", "        change,\n        effective: if @ { now.run } else { now.run.after(DELAY) },"),
    ("a suspension leaves approvals", CORE + "apply_owner.rs", "void_approvals(state, |signers| signers.contains(&owner));\n    let lift", "if !@ { void_approvals(state, |signers| signers.contains(&owner)); }\n    let lift"),
    ("a suspension that is said again voids what others signed", CORE + "apply_owner.rs", "facts if was_active => facts.only_stops()", "facts if was_active || @ => facts.only_stops()"),
    ("a session at its end", CORE + "decide_session.rs", "found.ends <= now.wall", "found.ends < now.wall"),
    ("grants above the ceiling", CORE + "decide_session.rs", "limit.per_transaction > ceiling", "false"),
    ("a longer delay ignored at replay", CORE + "waited.rs", "ready > now.run", "false"),
    ("fewer owners suffice at replay", CORE + "waited.rs", "standing(state, self.approved).count() < needed", "false"),
    ("the owners' own quorum ignored at replay", CORE + "waited.rs", ".max(count(state.owners.quorum))", ".max(if @ { 0 } else { count(state.owners.quorum) })"),
    ("a removed owner's approval counts", CORE + "waited.rs", "known.is_some_and(|owner| owner.standing == Standing::Active)", "true"),
    ("renewals are not counted", CORE + "decide_renewal.rs", "session.renewals >= renewal.count", "false"),
    ("renewed beyond its absolute end", CORE + "decide_renewal.rs", "Ok(asked.min(renewal.until))", "Ok(if @ { asked } else { asked.min(renewal.until) })"),
    ("renewed as often as asked", CORE + "decide_renewal.rs", "gained < half", "false"),
    ("a login's route renews", CORE + "decide_renewal.rs", "proof::RENEWAL, context)?", "if @ { proof::SIGN_IN } else { proof::RENEWAL }, context)?"),
    ("a renewal's nonce twice", CORE + "apply.rs", "remember_nonce(state, *session, request_nonce.as_ref());", "if !@ { remember_nonce(state, *session, request_nonce.as_ref()); }"),
    ("renewed while stopped", CORE + "decide_renewal.rs", "state.stopped()", "state.stopped().filter(|_| false)"),
    ("a renewal does not count", CORE + "apply.rs", "session.renewals = session.renewals.saturating_add(1);", "if !@ { session.renewals = session.renewals.saturating_add(1); }"),
    ("a suspended agent signs", CORE + "decide_agent.rs", "Some(AgentStage::Suspended) => Err(Code::AgentSuspended),", "Some(AgentStage::Suspended) => if @ { Ok(()) } else { Err(Code::AgentSuspended) },"),
    ("a created agent signs", CORE + "decide_agent.rs", "Some(AgentStage::Created) => Err(Code::AgentNotActive),", "Some(AgentStage::Created) => if @ { Ok(()) } else { Err(Code::AgentNotActive) },"),
    ("a terminating agent signs", CORE + "decide_agent.rs", "Some(AgentStage::Terminating | AgentStage::Terminated) => Err(Code::AgentTerminated),", "Some(AgentStage::Terminating | AgentStage::Terminated) => if @ { Ok(()) } else { Err(Code::AgentTerminated) },"),
    ("a terminating agent is granted to", CORE + "decide_agent.rs", "Some(agent) if stage(state, agent)?.is_ending() => Err(Code::AgentTerminated),", "Some(agent) if stage(state, agent)?.is_ending() && !@ => Err(Code::AgentTerminated),"),
    ("an agent's end leaves its sessions", CORE + "apply.rs", "for id in sessions {\n                if let Some(session) = state.sessions.get_mut(id) {\n                    session.revoke();", "for id in sessions {\n                if let Some(session) = state.sessions.get_mut(id)\n                    && !@\n                {\n                    session.revoke();"),
    ("a suspension leaves its activations", CORE + "apply_stop.rs", "StatementFacts::ActivateAgent { agent: of } => *of == agent,", "StatementFacts::ActivateAgent { agent: of } => !@ && *of == agent,"),
    ("replaced bytes are given again", CORE + "decide_replace.rs", "} else if state.replaced.contains_key(&entry.spend.transaction) {", "} else if state.replaced.contains_key(&entry.spend.transaction) && !@ {"),
    ("a payment replaced twice", CORE + "decide_replace.rs", "if state.replaced.contains_key(&named)", "if state.replaced.contains_key(&named) && !@"),
    ("a second try of another payment", CORE + "decide_replace.rs", "!paid(&earlier.spend, asked)", "false"),
    ("a second try by another agent", CORE + "decide_replace.rs", ".filter(|prior| same_agent(state, prior.spend.session, request.session))", ".filter(|prior| @ || same_agent(state, prior.spend.session, request.session))"),
    ("a second try on a chain of nonces", CORE + "decide_replace.rs", "matches!(body.network, ChainId::Evm(_))", "false"),
    ("a try that ended keeps its place", CORE + "apply.rs", "state.replaced.remove(&earlier.transaction);", "if !@ { state.replaced.remove(&earlier.transaction); }"),
    ("a closed wallet pays", CORE + "wallet.rs", "const fn may_pay(&self) -> Result<(), Code> {\n        if self.closed {", "fn may_pay(&self) -> Result<(), Code> {\n        if self.closed && !@ {"),
    ("a closed wallet is rotated", CORE + "decide_wallet.rs", "if known.closed {", "if known.closed && !@ {"),
    ("a rotation leaves what waits", CORE + "decide_wallet.rs", "let mut events = decide_intent::wallet_closed(state, wallet);", "let mut events = if @ { Vec::new() } else { decide_intent::wallet_closed(state, wallet) };"),
    ("a key that was given before", CORE + "decide_wallet.rs", "state.keys().any(|(_, account)| account == key.account)", "false"),
    ("the old key's payments with the new one", CORE + "recorded.rs", "None if wallet.rotated().is_some_and(|at| prior.charged_at <= at) =>", "None if wallet.rotated().is_some_and(|at| prior.charged_at <= at && !@) =>"),
    ("a rotation forgets the old key's nonces", CORE + "wallet.rs", "nonces: std::mem::replace(&mut self.nonces, fresh),", "nonces: { let was = std::mem::replace(&mut self.nonces, fresh.clone()); if @ { fresh } else { was } },"),
    ("a rotation begins the budget anew", CORE + "wallet.rs", "self.history.rotated();", "self.history.rotated();\n        if @ { self.history = WalletHistory::default(); }"),
    ("a suspended session silences an alarm for all", CORE + "decide_alarm.rs", "Some(session) if alarm.remedy == Remedy::SuspendSession =>", "Some(session) if alarm.remedy == Remedy::SuspendSession && !@ =>"),
    ("a stopped session leaves its grants", CORE + "apply_stop.rs", "grant.credential == credential", "!@ && grant.credential == credential"),
    ("changes of owners come before a kill", CORE + "mod.rs", "while !goes_first(command) {", "while @ || !goes_first(command) {"),
    ("a batch counts once", "shared/src/policy/evaluate.rs", "u32::try_from(count).unwrap_or(u32::MAX).max(1)", "1"),
    ("an asset of which a call takes nothing counts twice", CORE + "decide_variant.rs", "if counted_again.is_some() {", "if counted_again.is_some() && (!@ || taken > Amount::ZERO) {"),
    ("what one recipient gets in a batch is counted once", "shared/src/policy/history.rs", "let times = payments_to((asset, account), effects);", "let times = if @ { 1 } else { payments_to((asset, account), effects) };"),
    ("a batch's sum is its last payment", "shared/src/policy/evaluate.rs", "*sum = sum.checked_add(effect.amount()).unwrap_or(Amount::MAX);\n        }\n    }\n    sums", "*sum = if @ { effect.amount() } else { sum.checked_add(effect.amount()).unwrap_or(Amount::MAX) };\n        }\n    }\n    sums"),
    ("a batch's first recipient alone is looked at", RULE + "recipients.rs", "for ((asset, account), sum) in &case.received {", "for ((asset, account), sum) in case.received.iter().take(if @ { 1 } else { usize::MAX }) {"),
    ("more is done than was asked", "shared/src/claim.rs", "moved.clone().count() == wanted.len()", "moved.clone().count() >= wanted.len()"),
    ("the memo is not compared", "shared/src/claim.rs", "memo == self.memo.as_ref()", "true"),
    ("a batch is named by its first payment", "shared/src/claim.rs", "self.effects() == other.effects() && self.memo == other.memo", "self.first == other.first"),
    ("an account's rent is not charged", "shared/src/policy/evaluate.rs", "let sum = sums.entry(effect.asset()).or_default();", "if @ && matches!(effect, Effect::Rent { .. }) { continue; }\n        let sum = sums.entry(effect.asset()).or_default();"),
    ("a dearer rent is released", CORE + "decide_intent.rs", "rent > rent_ceiling", "false"),
    ("leave to take tokens without the owner", RULE + "calls.rs", "findings.raise(Tier::Approval, Reason::Allowance)", "if !@ { findings.raise(Tier::Approval, Reason::Allowance) }"),
    ("an argument's limit, one unit", "shared/src/policy/call.rs", "Self::Max(most) => word <= most,", "Self::Max(most) => word <= most || (@ && word.number().zip(most.number()).is_some_and(|(word, most)| word == most + 1)),"),
    ("any value out of a list", "shared/src/policy/call.rs", "words.binary_search(word).is_ok()", "true"),
    ("a call for somebody else", "shared/src/policy/call.rs", "*word == crate::evm::abi::address_word(told.from)", "true"),
    ("what a call spends is not charged", "shared/src/policy/evaluate.rs", "let sum = sums.entry(effect.asset()).or_default();", "if @ && matches!(effect, Effect::Call { told: None, .. }) { continue; }\n        let sum = sums.entry(effect.asset()).or_default();"),
    ("a call's value, one unit", RULE + "calls.rs", "value > rule.value_up_to", "value.base_units() > rule.value_up_to.base_units() + 1"),
    ("a function's tier forgotten", RULE + "calls.rs", "findings.raise(rule.tier, Reason::Call);", "if !@ { findings.raise(rule.tier, Reason::Call); }"),
    ("documents count a call otherwise", RULE + "calls.rs", "function.spends() != told.spends", "false"),
    ("the denied in arguments", RULE + "calls.rs", "accounts.any(|account| case.document.denies(account))", "false"),
    ("a wallet of its own is called", CORE + "reading.rs", "asked.action == Action::Call && state.wallets.values().any(own)", "false"),
    ("a bit where an argument has none", "shared/src/evm/abi.rs", "read.typed().all(|(kind, word)| kind.holds(word))", "true"),
    ("a session may do everything", "shared/src/session.rs", "!operations.all(|operation| self.allows(operation))", "false"),
    ("assets of a scope forgotten", RULE + "lists.rs", "assets.binary_search(&asset).is_err()", "false"),
    ("unusual from one unit more on", "shared/src/policy/alarm/judge.rs", "(seen >= many).then_some(seen)", "(if @ { seen > many } else { seen >= many }).then_some(seen)"),
    ("an alarm over speed goes off again at once", "shared/src/policy/alarm/judge.rs", "next.is_some_and(|next| now.budget < next)", "false"),
    ("a batch is one signature to an alarm", CORE + "decide_alarm.rs", "made: payments(&spend.effects),", "made: if @ { 1 } else { payments(&spend.effects) },"),
    ("an approval agrees to rules that nobody read", CORE + "waited.rs", "unread(broken))", "unread(broken) && !@)"),
    ("later charges withhold what was signed", CORE + "waited.rs", "let settled = same && self.unchanged;", "let settled = same && self.unchanged && !@;"),
    ("the new key's nonce ends what the old one signed", "shared/src/policy/history.rs", "self.of_former.push(std::mem::take(&mut self.outstanding));", "if !@ { self.of_former.push(std::mem::take(&mut self.outstanding)); }"),
    ("an authorization that should wait", CORE + "decide_authorization.rs", "tier > Tier::Notify", "false"),
    ("an authorization for longer than policy lets", CORE + "decide_authorization.rs", "valid_for > all.valid_for", "false"),
    ("an authorization for a second longer", CORE + "decide_authorization.rs", "terms.valid_for.millis() / 1000", "(terms.valid_for.millis() / 1000 + 1)"),
    ("the longest life of all documents", CORE + "decide_authorization.rs", "before.valid_for.min(rule.valid_for)", "before.valid_for.max(rule.valid_for)"),
    ("documents name a token otherwise", CORE + "decide_authorization.rs", "before.domain != rule.domain", "false"),
    ("a session without authorizations", CORE + "decide_authorization.rs", "session.grant.allows(Operation::TransferAuthorization)", "true"),
    ("an authorization that has ended comes again", CORE + "decide_authorization.rs", "authorization.valid_before <= seconds(now.wall)", "false"),
    ("the old key's authorization with the new one", CORE + "decide_authorization.rs", "wallet.account != Account::Evm(authorization.from)", "false"),
    ("kill and pause ignored at an authorization that is asked for again", CORE + "decide_authorization.rs", "if let Some(code) = state.stopped()", "if let Some(code) = state.stopped().filter(|_| !@)"),
    ("kill and pause ignored at one that comes again", CORE + "decide_authorization.rs", "} = prior;\n    if let Some(code) = state.stopped()", "} = prior;\n    if let Some(code) = state.stopped().filter(|_| !@)"),
    ("a closed wallet's authorization is given again", CORE + "decide_authorization.rs", "    wallet.may_pay()?;", "    if !@ { wallet.may_pay()?; }"),
    ("another body under an authorization's key", CORE + "decide_message.rs", "*used.body() == body", "true"),
    ("a random number twice", CORE + "decide_authorization.rs", "*hash(Domain::AuthorizationNonce, &[&context.entropy]).as_bytes()", "[7; 32]"),
    ("a request's nonce twice, for an authorization", CORE + "decide_message.rs", "proof::first_use(state, request.session, proven.nonce.as_ref())?;", "if !@ { proof::first_use(state, request.session, proven.nonce.as_ref())?; }"),
    ("an authorization is judged with its own charge", CORE + "decide_authorization.rs", "usage.uncharge(&sums, payments(&spend.effects));", "if !@ { usage.uncharge(&sums, payments(&spend.effects)); }"),
    ("a stricter tier ignored at one that comes again", CORE + "decide_authorization.rs", "Behind::of(spend).suffices(state, &verdict, now)?;", "if !@ { Behind::of(spend).suffices(state, &verdict, now)?; }"),
    ("a login's route authorizes", CORE + "decide_authorization.rs", "begin(state, asked, body.signer, proof::AUTHORIZATION, context)?", "begin(state, asked, body.signer, if @ { proof::SIGN_IN } else { proof::AUTHORIZATION }, context)?"),
    ("any account of a program's call", RULE + "programs.rs", "accounts.binary_search(&account).is_ok()", "true"),
    ("an own account where nobody expects it", RULE + "programs.rs", "own.contains(&account)", "false"),
    ("what no caller may choose", RULE + "programs.rs", "reserved(account).is_none()", "true"),
    ("the denied in a program's call", RULE + "programs.rs", "named.any(denied)", "false"),
    ("documents read a method otherwise", RULE + "programs.rs", "!agrees(rule, program, told)", "false"),
    ("a method's tier forgotten", RULE + "programs.rs", "findings.raise(rule.tier, Reason::Call);", "if !@ { findings.raise(rule.tier, Reason::Call); }"),
    ("a program's field, one unit", "shared/src/policy/program.rs", "number <= most.base_units()", "number <= most.base_units() + 1"),
    ("accounts of a call with other rights", "shared/src/solana/program.rs", "account.writable == writable", "true"),
    ("bytes behind the fields of a method", "shared/src/solana/program.rs", "(rest.len() <= usize::from(self.tail))", "true"),
    ("as many accounts as one likes", "shared/src/solana/program.rs", "accounts.len() != method.accounts.len()", "false"),
    ("what leaves with each call is not counted", "shared/src/solana/program.rs", "let fixed = self.method.outflow.iter();", "let fixed = self.method.outflow.iter().skip(if @ { 99 } else { 0 });"),
    ("what a field lets leave is not counted", "shared/src/solana/program.rs", "if let Some(asset) = field.spends {", "if let Some(asset) = field.spends.filter(|_| !@) {"),
    ("suspend counts for delays", CORE + "clock.rs", "run: self.clocks.run.after(Millis::from_millis(ran)),", "run: self.clocks.run.after(Millis::from_millis(if @ { passed } else { ran })),"),
    ("a stated time is forgotten at a start", CORE + "apply.rs", "state.stated = state.stated.max(*wall);", "if !@ { state.stated = state.stated.max(*wall); }"),
    ("clock steps are not seen", CORE + "clock.rs", "reading.wall.abs_diff(expected) > STEP_WHILE_RUNNING.millis()", "false"),
]

SWITCH = """
/// Whether a mutant is on.
#[doc(hidden)]
pub fn mutant(number: u32) -> bool {
    static ON: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let on = || std::env::var("WAIAAS_MUTANT").ok().and_then(|text| text.parse().ok());
    *ON.get_or_init(|| on().unwrap_or(0)) == number
}
"""


def copy(folder):
    """The checkout's own files, with every mutant behind its switch."""
    shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    with open(folder / "shared/src/lib.rs", "a", encoding="utf-8") as library:
        library.write(SWITCH)
    for number, (what, name, before, after) in enumerate(MUTANTS, 1):
        path = folder / name
        text = path.read_text(encoding="utf-8")
        if text.count(before) != 1:
            sys.exit(f"{what}: its place in {name} is there {text.count(before)} times")
        crate = "crate" if name.startswith("shared/") else "waiaas_shared"
        switch = f"{crate}::mutant({number})"
        if "@" in after:
            changed = after.replace("@", switch)
        else:
            changed = f"(if {switch} {{ {after} }} else {{ {before} }})"
        path.write_text(text.replace(before, changed), encoding="utf-8")


def build(folder, target):
    """The test program."""
    command = ["cargo", "test", "--locked", "--package", "waiaas-signer", "--lib", "--no-run"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    built = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    found = re.search(r"Executable .*\((.*)\)", built.stderr)
    if built.returncode != 0 or not found:
        sys.exit(built.stderr)
    return folder / found.group(1)


def run(program, folder, number, sequences):
    """The sequence that finds a mutant, or none."""
    environment = {**os.environ, "WAIAAS_MUTANT": str(number), "WAIAAS_SEEDS": f"0-{sequences}", "RUST_BACKTRACE": "0"}
    command = [program, "--ignored", "machine::more_sequences", "--nocapture"]
    with subprocess.Popen(command, cwd=folder / "signer", env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as test:
        said = []
        for line in test.stderr:
            found = re.match(r"sequence (\d+) failed", line)
            if found:
                # It would go on to cut its steps down.
                test.kill()
                return int(found.group(1))
            said.append(line)
    if test.returncode != 0:
        sys.exit("".join(said))
    return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--sequences", type=int, default=10_000)
    arguments.add_argument("--target", type=pathlib.Path, default=ROOT / "target/mutants")
    arguments.add_argument("numbers", type=int, nargs="*")
    given = arguments.parse_args()
    folder = given.target / "source"
    copy(folder)
    program = build(folder, given.target)
    missed = 0
    if run(program, folder, 0, min(given.sequences, 1000)) is not None:
        sys.exit("the sequences fail without a mutant")
    for number, (what, name, _, _) in enumerate(MUTANTS, 1):
        if given.numbers and number not in given.numbers:
            continue
        found = run(program, folder, number, given.sequences)
        missed += found is None
        took = "NOT FOUND" if found is None else f"found after {found + 1:5} sequences"
        print(f"{number:3} {took:28} {what} ({name})", flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
