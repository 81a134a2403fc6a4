//! Payments and withdrawals against everything that could forbid them.

use super::model::Model;
use waiaas_shared::amount::Amount;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::session::Operation;

use super::*;
use crate::model::asking::Does;
use crate::model::calls;
use crate::model::policy::Found;

impl<'history> Model<'history> {
    pub(super) fn wallet_bytes(&self, at: u64, spend: &Spend) -> Result<Decoded, Broken> {
        let holder = self.wallets.get(&spend.wallet);
        let holder = holder.ok_or(Broken::Bytes(at, "no such wallet"))?;
        if !holder.networks.contains(&spend.chain) {
            return Err(Broken::Bytes(at, "network not bound"));
        }
        let decoded =
            read(&holder.address, &spend.unsigned).ok_or(Broken::Bytes(at, "not read"))?;
        let chain = match spend.chain {
            ChainId::Evm(id) => Some(id),
            ChainId::Solana(_) => None,
        };
        if decoded.evm.map(|(id, _)| id) != chain || decoded.unsigned != spend.unsigned {
            return Err(Broken::Bytes(at, "another chain or form"));
        }
        Ok(decoded)
    }

    /// A payment: everything that could forbid it.
    pub(super) fn spent(
        &mut self,
        entry: &'history Entry,
        spend: &'history Spend,
    ) -> Result<(), Broken> {
        let at = entry.sequence;
        let decoded = self.wallet_bytes(at, spend)?;
        self.stopped(entry, spend.wallet)?;
        let asked = self.history.asked.get(&spend.body);
        let asked = asked.ok_or(Broken::Bytes(at, "nobody asked"))?;
        let judged = self.judged(spend, asked, &decoded)?;
        let same = (spend.wallet, spend.chain) == (asked.wallet, asked.chain);
        if !same || !decoded.does(&judged) {
            return Err(Broken::Bytes(at, "not what was asked"));
        }
        charged(at, spend, &judged)?;
        if !self.keys.insert(spend.idempotency) {
            return Err(Broken::Twice(at));
        }
        self.within_session(entry, spend, &judged)?;
        self.within_policy(entry, spend, &judged)?;
        if let Some((_, nonce)) = decoded.evm {
            let holder = self.wallets.get_mut(&spend.wallet);
            let nonces = holder.and_then(|holder| holder.nonces.get_mut(&spend.chain));
            let nonces = nonces.ok_or(Broken::Monotone(at, "nonce"))?;
            if nonce != nonces.next || spend.nonce != Some(nonce) {
                return Err(Broken::Monotone(at, "nonce"));
            }
            nonces.next += 1;
        }
        let now = entry.event.clocks.budget.millis();
        self.charges.add(Charge::made_now(&judged, now));
        Ok(())
    }

    fn judged(&self, spend: &Spend, asked: &Judged, decoded: &Decoded) -> Result<Judged, Broken> {
        let session = spend.session.ok_or(Broken::Session(0, "none"))?;
        let granted = self.sessions.get(&session);
        let bearer = granted
            .is_some_and(|granted| matches!(granted.grant.credential, Credential::Bearer(_)));
        Ok(Judged {
            session,
            bearer,
            fee: decoded.fee,
            rent: decoded.rent(),
            submit: spend.submit,
            ..asked.clone()
        })
    }

    pub(super) fn stopped(&self, entry: &Entry, wallet: WalletId) -> Result<(), Broken> {
        let at = entry.sequence;
        if let Some(why) = self.gate.stops(wallet) {
            return Err(Broken::Stopped(at, why));
        }
        if entry.moment.strange && self.stated_in != entry.moment.turn {
            return Err(Broken::Stopped(at, "strange clock"));
        }
        if self.gate.open != Some(entry.moment.life) {
            return Err(Broken::Stopped(at, "locked"));
        }
        Ok(())
    }

    pub(super) fn within_session(
        &mut self,
        entry: &Entry,
        spend: &'history Spend,
        judged: &Judged,
    ) -> Result<(), Broken> {
        let at = entry.sequence;
        let broken = |why| Err(Broken::Session(at, why));
        let Some(id) = spend.session else {
            return broken("none");
        };
        let Some(session) = self.sessions.get_mut(&id) else {
            return broken("unknown");
        };
        if self.gate.dead.contains(&id) || session.grant.expires <= entry.event.clocks.wall {
            return broken("over");
        }
        if !session.grant.wallets.contains(&spend.wallet) {
            return broken("wallet");
        }
        session.count += judged.made();
        for (asset, total) in judged.sums() {
            let mut limits = session.grant.limits.iter();
            let Some(limit) = limits.find(|limit| limit.asset == asset) else {
                return broken("asset");
            };
            let spent = session.spent.entry(asset).or_default();
            *spent += total;
            if total > limit.per_transaction.base_units() {
                return broken("per transaction");
            }
            if *spent > limit.total.base_units() {
                return broken("total");
            }
        }
        let named = session.grant.operations.as_deref();
        if !judged.parts.iter().all(|part| {
            let operation = match part.does {
                Does::Pays if part.asset == judged.native() => Operation::NativeTransfer,
                Does::Pays => Operation::TokenTransfer,
                Does::LetsTake => Operation::TokenApproval,
                Does::Carries => Operation::Call,
            };
            named.map_or(part.does == Does::Pays, |named| named.contains(&operation))
        }) {
            return broken("operation");
        }
        if session.count > session.grant.count {
            return broken("count");
        }
        match (&session.grant.credential, &spend.request_nonce) {
            (Credential::Bearer(_), None) => Ok(()),
            (Credential::AgentKey(_), Some(nonce)) => {
                let kept = (id, nonce.nonce.as_str());
                let end = nonce.expires.millis();
                let before = self.request_nonces.insert(kept, end);
                let wall = entry.event.clocks.wall.millis();
                // Never the same signature, and while it is young no other with its nonce.
                if before.is_some_and(|until| until == end || until >= wall) {
                    return broken("request nonce used twice");
                }
                let signed = (id, spend.idempotency, spend.body);
                if self.history.agents_signed.contains(&signed) {
                    Ok(())
                } else {
                    broken("the agent never signed")
                }
            }
            _ => broken("credential"),
        }
    }

    /// Every binding document, by the second account of the rules: nothing is certainly broken, and the
    /// tier is no lower than they ask for.
    pub(super) fn within_policy(
        &self,
        entry: &Entry,
        spend: &Spend,
        judged: &Judged,
    ) -> Result<(), Broken> {
        let at = entry.sequence;
        let now = clock(entry);
        let bound = binding(&self.gate.policies, now.run);
        let Some(newest) = bound.last() else {
            return Err(Broken::Limit(at, "no policy"));
        };
        if newest.document.epoch != spend.policy_epoch {
            return Err(Broken::Monotone(at, "policy epoch of a payment"));
        }
        let said = judge_all(bound, judged, &self.charges, None, now);
        if let Some(code) = said.must.first() {
            return Err(Broken::Limit(at, code.as_str()));
        }
        if spend.tier.max(Tier::Notify) < said.tier.0 {
            return Err(Broken::Limit(at, "tier"));
        }
        Ok(())
    }

    /// A withdrawal: exactly what the owner signed, outside of limits and pauses.
    pub(super) fn withdrawn(
        &mut self,
        entry: &'history Entry,
        statement: StatementId,
        spend: &'history Spend,
    ) -> Result<(), Broken> {
        let at = entry.sequence;
        let decoded = self.wallet_bytes(at, spend)?;
        let (facts, _) = self.said(entry, statement, false)?;
        let StatementFacts::Withdraw {
            wallet,
            asset,
            to,
            amount,
            fee_ceiling,
            nonce,
            ..
        } = facts
        else {
            return Err(Broken::Authority(at, "not a withdrawal"));
        };
        let coins = Some((address(to), amount.base_units()));
        let same = (spend.wallet, spend.chain) == (*wallet, asset.chain());
        if !same || decoded.coins() != coins || decoded.fee > fee_ceiling.base_units() {
            return Err(Broken::Bytes(at, "not the withdrawal that was signed"));
        }
        let account = AccountId::new(spend.chain, *to).map_err(|_| Broken::Bytes(at, "address"))?;
        let payer = (spend.wallet, SessionId::from_bytes([0; 16]), false);
        let sum = Judged::coins(payer, account, amount.base_units(), decoded.fee);
        charged(at, spend, &sum)?;
        let enrolled = self.withdrawals.get(&account);
        if enrolled.is_none_or(|effective| *effective > entry.event.clocks.run.millis()) {
            return Err(Broken::Authority(at, "address not enrolled"));
        }
        if self.gate.killed || self.gate.open != Some(entry.moment.life) {
            return Err(Broken::Stopped(at, "withdrawal"));
        }
        if let Some((_, issued)) = decoded.evm {
            let holder = self.wallets.get_mut(&spend.wallet);
            let nonces = holder.and_then(|holder| holder.nonces.get_mut(&spend.chain));
            let nonces = nonces.ok_or(Broken::Monotone(at, "nonce"))?;
            let left_out = nonces.left_out.iter().any(|gap| gap.contains(&issued));
            let issuable = (nonces.attested..=nonces.next).contains(&issued);
            if issued != nonce.unwrap_or(nonces.next) || !(issuable || left_out) {
                return Err(Broken::Monotone(at, "nonce of a withdrawal"));
            }
            nonces.next = nonces.next.max(issued + 1);
        }
        Ok(())
    }
}

/// What was charged is what it takes.
fn charged(at: u64, spend: &Spend, judged: &Judged) -> Result<(), Broken> {
    let charges = spend.charges.iter();
    let charges = charges.map(|charge| (charge.asset, charge.amount.base_units()));
    if charges.eq(judged.sums()) {
        Ok(())
    } else {
        Err(Broken::Bytes(at, "charged something else"))
    }
}

pub(super) const fn clock(entry: &Entry) -> Clock {
    let clocks = entry.event.clocks;
    Clock {
        wall: clocks.wall.millis(),
        run: clocks.run.millis(),
        budget: clocks.budget.millis(),
        // No event has it: what the upper side alone forbids is forbidden.
        steady: clocks.wall.millis(),
    }
}

/// The rules of one document that look at the payment alone.
pub(super) fn by_itself(policy: &PolicyDocument, judged: &Judged) -> Result<(), &'static str> {
    for (asset, total) in judged.sums() {
        let mut rules = policy.assets.iter();
        let rule = rules.find(|rule| rule.asset == asset);
        let rule = rule.ok_or("asset_not_listed")?;
        if total > rule.per_transaction.base_units() {
            return Err("per_transaction_limit");
        }
        if total > rule.approve_up_to.base_units() {
            return Err("tier_not_available");
        }
        let native = asset == judged.native();
        if native && judged.fee > rule.fee_ceiling.map_or(0, Amount::base_units) {
            return Err("fee_ceiling");
        }
        if native && judged.rent > rule.rent_ceiling.map_or(0, Amount::base_units) {
            return Err("rent_ceiling");
        }
    }
    let known = |to: AccountId| policy.recipients.iter().any(|known| known.account == to);
    let mut receive = judged.received().into_keys();
    if !policy.recipients_open && !receive.all(|(_, to)| known(to)) {
        return Err("recipient_not_listed");
    }
    let mut found = Found::nothing(0);
    calls::judge(policy, judged, &mut found);
    found
        .certain
        .first()
        .map_or(Ok(()), |code| Err(code.as_str()))
}
