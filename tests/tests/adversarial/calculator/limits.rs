//! What one document says of one payment, by this program's own reading of it: whether it may be at
//! all, and what it has to wait for. What it does not know it refuses to judge, so that no rule of a
//! case's policy goes unseen.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::event::Spend;
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_shared::policy::alarm::{Action, Escalation};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::Limits;
use waiaas_shared::policy::scope::{Scope, ScopeRule};
use waiaas_shared::policy::windows::Window;
use waiaas_shared::session::{Credential, SessionGrant};

use super::{Charged, HOUR, account_bytes, calls, programs, tokens};
use crate::bytes::Outflow;

const WINDOWS: [(Window, u64); 4] = [
    (Window::Hour, 1),
    (Window::Day, 24),
    (Window::Week, 168),
    (Window::Month, 720),
];

/// A payment before one document.
pub(super) struct Case<'a> {
    pub(super) document: &'a PolicyDocument,
    pub(super) spend: &'a Spend,
    pub(super) outflow: &'a Outflow,
    /// What the arguments of a call let leave.
    pub(super) tokens: &'a BTreeMap<AssetId, u128>,
    /// The wallet's own address.
    pub(super) account: Account,
    pub(super) grant: &'a SessionGrant,
    pub(super) session: SessionId,
    pub(super) charged: &'a [Charged],
    /// Of the chain's own coin, with this payment.
    pub(super) outstanding: u128,
    /// Below this the owner said that nonces are used.
    pub(super) attested: Option<u64>,
    /// On the budget clock.
    pub(super) now: u64,
}

/// What documents ask of a payment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    pub(super) tier: Tier,
    /// Milliseconds on the waiting clock.
    pub(super) delay: u64,
    pub(super) quorum: u8,
}

impl Default for Demand {
    fn default() -> Self {
        Self {
            tier: Tier::Instant,
            delay: 0,
            quorum: 1,
        }
    }
}

impl Demand {
    pub(super) fn strictest(self, other: Self) -> Self {
        Self {
            tier: self.tier.max(other.tier),
            delay: self.delay.max(other.delay),
            quorum: self.quorum.max(other.quorum),
        }
    }
}

/// The document's word; an error where the payment must not be.
pub(super) fn demand(case: &Case<'_>) -> Result<Demand> {
    let document = case.document;
    let native = case.spend.chain.native_asset();
    // What a refusal brings besides asks nothing of what is signed.
    let asks = |one: &Escalation| one.action == Action::Ask;
    ensure!(
        !document.escalations.iter().any(asks),
        "a rule that is not judged here"
    );
    let outflow = case.outflow;
    let calls = outflow.told.is_some() || outflow.program.is_some();
    let pays = !outflow.transfers.is_empty() || !outflow.moved.is_empty();
    ensure!(calls != pays, "a payment or a call");
    let rule = document.asset(native).context("a rule")?;
    let mut asks = Demand {
        tier: Tier::Instant,
        delay: document.delay.millis(),
        quorum: document.approval.quorum,
    };
    let own = |one: &&Charged| one.wallet == case.spend.wallet;
    for (asset, taken) in assets(case) {
        let rule = document.asset(asset).context("a rule of the asset")?;
        let amounts = |one: &Charged| Ok(one.of(asset));
        Sums::of_asset(case, asset, own, &amounts).judge(
            &of_rule(rule),
            (taken, payments_in(case, asset)),
            &mut asks,
        )?;
        if asset != native && matches!(asset.chain(), ChainId::Evm(_)) {
            token_outstanding(case, rule, taken)?;
        }
    }
    costs(case, rule)?;
    recipients(case, rule, &mut asks)?;
    tokens::recipients(case, &mut asks)?;
    calls::judge(case, &mut asks)?;
    programs::judge(case, &mut asks)?;
    for rule in &document.scopes {
        scope(case, rule, &mut asks)?;
    }
    Ok(asks)
}

/// The document's word on a fee that pays nobody; an error where it must not be.
pub(super) fn fee_within(case: &Case<'_>) -> Result<()> {
    let (document, chain) = (case.document, case.spend.chain);
    let native = chain.native_asset();
    let rule = document.asset(native).context("a rule")?;
    let own = |one: &&Charged| one.wallet == case.spend.wallet && one.chain == chain;
    let amounts = |one: &Charged| Ok(one.amount);
    Sums::new(case, own, &amounts).cap(&of_rule(rule), case.outflow.fee)?;
    costs(case, rule)?;
    for rule in document
        .scopes
        .iter()
        .filter(|rule| holds(case, &rule.scope))
    {
        if let Some(entry) = rule.limits.iter().find(|entry| entry.asset == native) {
            let own = |one: &&Charged| one.chain == chain && counts(case, &rule.scope, one);
            Sums::new(case, own, &amounts).cap(&entry.limits, case.outflow.fee)?;
        }
        if let Some(limits) = &rule.usd {
            let all = |one: &&Charged| counts(case, &rule.scope, one);
            let worth = |one: &Charged| worth(case.document, one.chain, one.amount);
            Sums::new(case, all, &worth).cap(limits, worth_of(case)?)?;
        }
    }
    Ok(())
}

/// What is taken of each asset.
fn assets(case: &Case<'_>) -> Vec<(AssetId, u128)> {
    let taken = case.outflow.taken(case.spend.chain, case.tokens);
    taken.into_iter().collect()
}

/// As how many payments it counts in an asset.
fn payments_in(case: &Case<'_>, asset: AssetId) -> usize {
    tokens::times(case.spend.chain, case.outflow, asset)
}

/// Of a token what was signed with nonces, or may be used, that the owner has not said are used.
fn token_outstanding(case: &Case<'_>, rule: &AssetRule, taken: u128) -> Result<()> {
    let own = case.charged.iter().filter(|one| {
        let unused = one.nonce >= case.attested && one.nonce.is_some();
        // An authorization uses no nonce: it has certainly ended after an hour that the signer lived through.
        let outstands = one.outstands && one.at + HOUR > case.now;
        one.wallet == case.spend.wallet && (unused || outstands)
    });
    let before: u128 = own.map(|one| one.of(rule.asset)).sum();
    let cap = rule.outstanding.context("a cap")?;
    ensure!(before + taken <= cap.base_units(), "outstanding tokens");
    Ok(())
}

fn of_rule(rule: &AssetRule) -> Limits {
    Limits {
        per_transaction: Some(rule.per_transaction),
        hour: Some(rule.hour),
        day: Some(rule.day),
        week: Some(rule.week),
        month: Some(rule.month),
        counts: rule.counts,
        instant_up_to: Some(rule.instant_up_to),
        notify_up_to: Some(rule.notify_up_to),
        delay_up_to: Some(rule.delay_up_to),
        approve_up_to: Some(rule.approve_up_to),
        cumulative: rule.cumulative.clone(),
    }
}

/// Earlier charges that count together, in one unit.
struct Sums<'a> {
    now: u64,
    parts: Vec<&'a Charged>,
    amount: &'a dyn Fn(&Charged) -> Result<u128>,
    times: &'a dyn Fn(&Charged) -> usize,
}

impl<'a> Sums<'a> {
    fn new(
        case: &Case<'a>,
        counts: impl FnMut(&&Charged) -> bool,
        amount: &'a dyn Fn(&Charged) -> Result<u128>,
    ) -> Self {
        Self {
            now: case.now,
            parts: case.charged.iter().filter(counts).collect(),
            amount,
            times: &Charged::payments,
        }
    }

    /// Those that took something of an asset, or were to.
    fn of_asset(
        case: &Case<'a>,
        asset: AssetId,
        mut counts: impl FnMut(&&Charged) -> bool,
        amount: &'a dyn Fn(&Charged) -> Result<u128>,
    ) -> Self {
        let native = asset == asset.chain().native_asset();
        let of = move |one: &&Charged| {
            let named = if native {
                one.native && one.chain == asset.chain()
            } else {
                one.tokens.contains_key(&asset)
            };
            named && counts(one)
        };
        Self::new(case, of, amount)
    }

    fn within(&self, hours: u64) -> impl Iterator<Item = &&Charged> {
        let now = self.now;
        self.parts
            .iter()
            .filter(move |one| one.at + hours * HOUR > now)
    }

    /// Amounts alone.
    fn cap(&self, limits: &Limits, amount: u128) -> Result<()> {
        let above = |most: Option<Amount>| most.is_some_and(|most| amount > most.base_units());
        ensure!(!above(limits.per_transaction), "per transaction");
        for (window, hours) in WINDOWS {
            let mut sum = amount;
            for one in self.within(hours) {
                sum = sum.checked_add((self.amount)(one)?).context("a sum")?;
            }
            let most = limits.window(window);
            ensure!(
                most.is_none_or(|most| sum <= most.base_units()),
                "{hours} hours: {sum}"
            );
        }
        Ok(())
    }

    fn judge(
        &self,
        limits: &Limits,
        (amount, payments): (u128, usize),
        asks: &mut Demand,
    ) -> Result<()> {
        let above = |most: Option<Amount>| most.is_some_and(|most| amount > most.base_units());
        ensure!(!above(limits.per_transaction), "per transaction");
        ensure!(!above(limits.approve_up_to), "above every threshold");
        for (tier, threshold) in [
            (Tier::Notify, limits.instant_up_to),
            (Tier::Delay, limits.notify_up_to),
            (Tier::Approval, limits.delay_up_to),
        ] {
            if above(threshold) {
                asks.tier = asks.tier.max(tier);
            }
        }
        for (window, hours) in WINDOWS {
            let mut sum = amount;
            for one in self.within(hours) {
                sum = sum.checked_add((self.amount)(one)?).context("a sum")?;
            }
            let most = limits.window(window);
            ensure!(
                most.is_none_or(|most| sum <= most.base_units()),
                "{hours} hours: {sum}"
            );
            let count: usize = self.within(hours).map(|one| (self.times)(one)).sum();
            let most = limits.counts.window(window);
            ensure!(
                most.is_none_or(|most| {
                    count + payments <= usize::try_from(most).unwrap_or(usize::MAX)
                }),
                "{count} in {hours} hours"
            );
            let entries = limits.cumulative.iter();
            for entry in entries.filter(|entry| entry.window == window) {
                if sum > entry.above.base_units() {
                    asks.tier = asks.tier.max(entry.tier);
                }
            }
        }
        Ok(())
    }
}

fn costs(case: &Case<'_>, rule: &AssetRule) -> Result<()> {
    let ceiling = rule.fee_ceiling.context("a fee ceiling")?;
    ensure!(
        case.outflow.fee <= ceiling.base_units(),
        "the fee's ceiling"
    );
    // What somebody else pays for takes no nonce and is nobody's here to send.
    if case.outflow.sponsored {
        return Ok(());
    }
    let rent = rule.rent_ceiling.unwrap_or_default();
    ensure!(
        case.outflow.rent <= rent.base_units(),
        "the ceiling of rent"
    );
    if let Some(cap) = rule.outstanding {
        ensure!(case.outstanding <= cap.base_units(), "outstanding");
    }
    if matches!(case.spend.chain, ChainId::Evm(_)) && !case.spend.submit {
        ensure!(rule.sign_only, "signed without being sent");
    }
    Ok(())
}

fn recipients(case: &Case<'_>, rule: &AssetRule, asks: &mut Demand) -> Result<()> {
    let (document, spend) = (case.document, case.spend);
    for (to, (amount, times)) in case.outflow.received() {
        let is = |account: &waiaas_shared::caip::AccountId| {
            account.chain() == spend.chain && account_bytes(account.account()) == to
        };
        ensure!(!document.denied.iter().any(is), "a denied recipient");
        let listed = document.recipients.iter().any(|known| is(&known.account));
        ensure!(listed || document.recipients_open, "an unlisted recipient");
        let paid = |one: &&Charged| {
            one.wallet == spend.wallet
                && one.chain == spend.chain
                && one.transfers.iter().any(|(paid, _)| paid == to)
        };
        // On an EVM chain whoever was sent tokens is known as well.
        let sent = |one: &Charged| {
            one.wallet == spend.wallet
                && one.chain == spend.chain
                && one.moved.iter().any(|moved| moved.to == to)
        };
        let mut earlier = case.charged.iter();
        if !earlier.any(|one| paid(&one) || sent(one)) {
            let scopes = document.scopes.iter();
            let of_scopes = scopes
                .filter(|rule| holds(case, &rule.scope))
                .filter_map(|rule| rule.first_payment);
            for tier in of_scopes.chain(document.first_payment) {
                asks.tier = asks.tier.max(tier);
            }
        }
        if let Some(limits) = &rule.recipient {
            let received = |one: &Charged| {
                let received = one.transfers.iter().filter(|(paid, _)| paid == to);
                Ok(received.map(|(_, amount)| amount).sum())
            };
            let in_each = |one: &Charged| {
                let received = one.transfers.iter().filter(|(paid, _)| paid == to);
                received.count()
            };
            let sums = Sums {
                times: &in_each,
                ..Sums::new(case, paid, &received)
            };
            sums.judge(limits, (amount, times), asks)?;
        }
    }
    Ok(())
}

fn bearer(grant: &SessionGrant) -> bool {
    matches!(grant.credential, Credential::Bearer(_))
}

fn pool<'a>(document: &'a PolicyDocument, name: &str) -> &'a [WalletId] {
    let named = document.pools.iter().find(|pool| pool.name == name);
    named.map_or(&[], |pool| &pool.wallets)
}

pub(super) fn holds(case: &Case<'_>, scope: &Scope) -> bool {
    match scope {
        Scope::Global | Scope::EverySession => true,
        Scope::Pool(name) => pool(case.document, name).contains(&case.spend.wallet),
        Scope::Wallet(wallet) => *wallet == case.spend.wallet,
        Scope::Session(session) => *session == case.session,
        Scope::BearerSessions => bearer(case.grant),
    }
}

/// Whether an earlier charge counts towards a scope's sums.
fn counts(case: &Case<'_>, scope: &Scope, one: &Charged) -> bool {
    match scope {
        Scope::Global => true,
        Scope::Pool(name) => pool(case.document, name).contains(&one.wallet),
        Scope::Wallet(wallet) => *wallet == one.wallet,
        Scope::EverySession | Scope::Session(_) | Scope::BearerSessions => {
            one.session == case.session
        }
    }
}

fn scope(case: &Case<'_>, rule: &ScopeRule, asks: &mut Demand) -> Result<()> {
    if !holds(case, &rule.scope) {
        return Ok(());
    }
    if rule.networks.is_some()
        || rule.assets.is_some()
        || rule.recipients.is_some()
        || rule.hours.is_some()
        || rule.cool_down.is_some()
    {
        bail!("a rule that is not judged here");
    }
    asks.delay = asks.delay.max(rule.delay.map_or(0, |delay| delay.millis()));
    for (asset, taken) in assets(case) {
        if let Some(entry) = rule.limits.iter().find(|entry| entry.asset == asset) {
            let own = |one: &&Charged| counts(case, &rule.scope, one);
            let amounts = |one: &Charged| Ok(one.of(asset));
            Sums::of_asset(case, asset, own, &amounts).judge(
                &entry.limits,
                (taken, payments_in(case, asset)),
                asks,
            )?;
        }
    }
    if let Some(limits) = &rule.usd {
        let all = |one: &&Charged| counts(case, &rule.scope, one);
        let worth = |one: &Charged| {
            ensure!(one.tokens.is_empty(), "a token that is not priced here");
            worth(case.document, one.chain, one.amount)
        };
        let amount = worth_of(case)?;
        let all = Sums::new(case, all, &worth);
        all.judge(limits, (amount, case.outflow.payments()), asks)?;
    }
    Ok(())
}

fn worth_of(case: &Case<'_>) -> Result<u128> {
    ensure!(case.tokens.is_empty(), "a token that is not priced here");
    worth(case.document, case.spend.chain, case.outflow.total())
}

/// Millionths of a US dollar by the document's own ceiling price, rounded down: never more than the
/// product may count.
fn worth(document: &PolicyDocument, chain: ChainId, amount: u128) -> Result<u128> {
    let rule = document.asset(chain.native_asset()).context("a rule")?;
    let price = rule.price.context("a price")?.0;
    let unit = 10_u128.pow(rule.decimals.places().into());
    let whole = (amount / unit).checked_mul(price.into());
    let part = (amount % unit)
        .checked_mul(price.into())
        .map_or(0, |part| part / unit);
    whole
        .and_then(|whole| whole.checked_add(part))
        .context("a worth")
}
