//! Payments and withdrawals against everything that could forbid them.

use super::model::{Charged, Model};
use super::*;

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
        let claimed = |charge: &waiaas_shared::event::Charge| {
            charge.asset == spend.chain.native_asset()
                && charge.amount.base_units() == decoded.amount + decoded.fee
        };
        if spend.charges.len() != 1 || !spend.charges.iter().all(claimed) {
            return Err(Broken::Bytes(at, "charged something else"));
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
        let does = (spend.wallet, spend.chain, &decoded.to, decoded.amount);
        if does != (asked.wallet, asked.chain, &asked.to, asked.amount) {
            return Err(Broken::Bytes(at, "not what was asked"));
        }
        if !self.keys.insert(spend.idempotency) {
            return Err(Broken::Twice(at));
        }
        let total = decoded.amount + decoded.fee;
        self.within_session(entry, spend, total)?;
        self.within_policy(entry, spend, &decoded)?;
        if let Some((_, nonce)) = decoded.evm {
            let holder = self.wallets.get_mut(&spend.wallet);
            let nonces = holder.and_then(|holder| holder.nonces.get_mut(&spend.chain));
            let nonces = nonces.ok_or(Broken::Monotone(at, "nonce"))?;
            if nonce != nonces.next || spend.nonce != Some(nonce) {
                return Err(Broken::Monotone(at, "nonce"));
            }
            nonces.next += 1;
            nonces.outstanding += total;
        }
        self.charged.push(Charged {
            at: entry.event.clocks.budget.millis(),
            wallet: spend.wallet,
            chain: spend.chain,
            amount: total,
        });
        Ok(())
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
        total: u128,
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
        let native = spend.chain.native_asset();
        let limit = session
            .grant
            .limits
            .iter()
            .find(|limit| limit.asset == native);
        let Some(limit) = limit else {
            return broken("asset");
        };
        let spent = session.spent.entry(spend.chain).or_default();
        *spent += total;
        session.count += 1;
        if total > limit.per_transaction.base_units() {
            return broken("per transaction");
        }
        if *spent > limit.total.base_units() {
            return broken("total");
        }
        if session.count > session.grant.count {
            return broken("count");
        }
        match (&session.grant.credential, &spend.request_nonce) {
            (Credential::Bearer(_), None) => Ok(()),
            (Credential::AgentKey(_), Some(nonce)) => {
                let kept = (id, nonce.nonce.as_str());
                let before = self.request_nonces.insert(kept, nonce.expires.millis());
                if before.is_some_and(|until| until >= entry.event.clocks.wall.millis()) {
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

    pub(super) fn within_policy(
        &self,
        entry: &Entry,
        spend: &Spend,
        decoded: &Decoded,
    ) -> Result<(), Broken> {
        let at = entry.sequence;
        let now = entry.event.clocks;
        let binding = self.gate.binding(now.run.millis());
        let total = decoded.amount + decoded.fee;
        let Some((newest, _)) = binding.last() else {
            return Err(Broken::Limit(at, "no policy"));
        };
        if newest.epoch != spend.policy_epoch {
            return Err(Broken::Monotone(at, "policy epoch of a payment"));
        }
        for (policy, _) in binding {
            by_itself(policy, spend.chain, decoded).map_err(|why| Broken::Limit(at, why))?;
            let Some(limits) = policy.assets.get(&spend.chain) else {
                continue;
            };
            let earlier = |length: u64| {
                let from = now.budget.millis().saturating_sub(length);
                self.charged.iter().filter(move |charged| {
                    charged.at >= from
                        && charged.wallet == spend.wallet
                        && charged.chain == spend.chain
                })
            };
            for ((name, length), limit) in WINDOWS.into_iter().zip(limits.windows) {
                let sum: u128 = earlier(length).map(|charged| charged.amount).sum();
                if sum + total > limit {
                    return Err(Broken::Limit(at, name));
                }
            }
            let most = limits.day_count.map_or(usize::MAX, |most| most as usize);
            if earlier(24 * HOUR).count() >= most {
                return Err(Broken::Limit(at, "day count"));
            }
            let outstanding = self
                .wallets
                .get(&spend.wallet)
                .and_then(|holder| holder.nonces.get(&spend.chain))
                .map_or(0, |nonces| nonces.outstanding);
            if limits
                .outstanding
                .is_some_and(|cap| outstanding + total > cap)
            {
                return Err(Broken::Limit(at, "outstanding"));
            }
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
        let asked = (*wallet, asset.chain(), address(to), amount.base_units());
        if (
            spend.wallet,
            spend.chain,
            decoded.to.clone(),
            decoded.amount,
        ) != asked
            || decoded.fee > fee_ceiling.base_units()
        {
            return Err(Broken::Bytes(at, "not the withdrawal that was signed"));
        }
        let account = AccountId::new(spend.chain, *to).map_err(|_| Broken::Bytes(at, "address"))?;
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
            if issued != nonce.unwrap_or(nonces.next)
                || issued < nonces.attested
                || issued > nonces.next
            {
                return Err(Broken::Monotone(at, "nonce of a withdrawal"));
            }
            nonces.next = nonces.next.max(issued + 1);
        }
        Ok(())
    }
}

/// The rules of one document that look at the payment alone.
pub(super) fn by_itself(
    policy: &PolicyNumbers,
    chain: ChainId,
    decoded: &Decoded,
) -> Result<(), &'static str> {
    let limits = policy.assets.get(&chain).ok_or("asset not listed")?;
    let total = decoded.amount + decoded.fee;
    if total > limits.per_transaction || total > limits.notify_up_to {
        return Err("per transaction");
    }
    if decoded.fee > limits.fee_ceiling.unwrap_or(0) {
        return Err("fee");
    }
    if policy.recipients.contains(&(chain, decoded.to.clone())) {
        Ok(())
    } else {
        Err("recipient")
    }
}
