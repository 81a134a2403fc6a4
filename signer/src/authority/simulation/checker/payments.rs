//! Payments and withdrawals against everything that could forbid them.

use super::model::Model;
use waiaas_shared::address::{EvmAddress, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::policy::document::PolicyDocument;

use super::super::history::Asking;
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
        let judged = self.judged(spend, asked, &decoded)?;
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
        let native = spend.chain.native_asset();
        let to = account(spend, asked)?;
        self.charges.add(Charge {
            at: entry.event.clocks.budget.millis(),
            wallet: spend.wallet,
            session: spend.session.ok_or(Broken::Session(at, "none"))?,
            took: vec![(native, total)],
            paid: (native, to, decoded.amount),
            credited: false,
            counted: true,
        });
        Ok(())
    }

    fn judged(&self, spend: &Spend, asked: &Asking, decoded: &Decoded) -> Result<Judged, Broken> {
        let session = spend.session.ok_or(Broken::Session(0, "none"))?;
        let granted = self.sessions.get(&session);
        let bearer = granted
            .is_some_and(|granted| matches!(granted.grant.credential, Credential::Bearer(_)));
        Ok(Judged {
            wallet: spend.wallet,
            session,
            bearer,
            to: account(spend, asked)?,
            amount: decoded.amount,
            fee: decoded.fee,
            submit: spend.submit,
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

/// Who is paid, as the request names it.
fn account(spend: &Spend, asked: &Asking) -> Result<AccountId, Broken> {
    let to = match spend.chain {
        ChainId::Solana(_) => {
            let bytes = asked.to.as_slice().try_into().ok();
            bytes.map(|bytes| Account::Solana(SolanaAddress::from_bytes(bytes)))
        }
        ChainId::Evm(_) => {
            let bytes = asked.to.as_slice().try_into().ok();
            bytes.map(|bytes| Account::Evm(EvmAddress::from_bytes(bytes)))
        }
    };
    let to = to.and_then(|to| AccountId::new(spend.chain, to).ok());
    to.ok_or(Broken::Bytes(0, "recipient"))
}

pub(super) const fn clock(entry: &Entry) -> Clock {
    let clocks = entry.event.clocks;
    Clock {
        wall: clocks.wall.millis(),
        run: clocks.run.millis(),
        budget: clocks.budget.millis(),
    }
}

/// The rules of one document that look at the payment alone.
pub(super) fn by_itself(
    policy: &PolicyDocument,
    chain: ChainId,
    decoded: &Decoded,
) -> Result<(), &'static str> {
    let mut rules = policy.assets.iter();
    let rule = rules.find(|rule| rule.asset == chain.native_asset());
    let rule = rule.ok_or("asset_not_listed")?;
    let total = decoded.amount + decoded.fee;
    if total > rule.per_transaction.base_units() {
        return Err("per_transaction_limit");
    }
    if total > rule.approve_up_to.base_units() {
        return Err("tier_not_available");
    }
    if decoded.fee > rule.fee_ceiling.map_or(0, Amount::base_units) {
        return Err("fee_ceiling");
    }
    let mut contacts = policy.recipients.iter();
    let known = contacts.any(|known| {
        known.account.chain() == chain && address(&known.account.account()) == decoded.to
    });
    if known || policy.recipients_open {
        Ok(())
    } else {
        Err("recipient_not_listed")
    }
}
