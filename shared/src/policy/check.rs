//! What a policy document must hold to beyond its encoding. One flaw refuses the whole, and the entry
//! that has it is named. Called by the document alone.

use super::alarm::{Action, Alarm, Condition, Remedy, may_bring};
use super::authorization;
use super::document::{
    AssetRule, CallRule, MATURITY_LONGEST, PolicyDocument, TokenExtension, VERSION,
};
use super::evaluate::Tier;
pub use super::flaw::{Entry, Flaw, PolicyError};
use super::limits::{Counts, Limits};
use super::scope::{DAY_MINUTES, EVERY_DAY, Hours, Pool, Scope, ScopeRule};
use super::table::TABLES_LIMIT;
use crate::amount::Amount;
use crate::caip::{ChainId, Token};
use crate::network;
use crate::solana::TokenProgram;
use crate::time::Millis;

/// Entries of each list, at most; the size of the whole holds besides.
const ENTRIES_LIMIT: usize = 4096;
/// Scopes and calls, at most.
const RULES_LIMIT: usize = 256;
/// Alarms, cumulative tiers of one entry, and hours of one entry, at most.
const FEW_LIMIT: usize = 16;
/// Owners that an approval can ask for.
const QUORUM_LIMIT: u8 = 16;
/// No wait, lifetime or idle time is longer: a year.
const LONGEST: Millis = Millis::from_hours(366 * 24);
/// The longest window of an alarm over signatures: the signer counts no further back.
const SIGNATURES_LONGEST: Millis = Millis::from_hours(30 * 24);
/// The longest window of an alarm over velocity: what is usual shows in several of them.
const VELOCITY_LONGEST: Millis = Millis::from_hours(7 * 24);
/// Refusals in a row that an alarm may wait for, at most: each one is remembered.
const ROW_LIMIT: u32 = 256;

type Checked = Result<(), Flaw>;

pub(super) const fn require(holds: bool, flaw: Flaw) -> Checked {
    if holds { Ok(()) } else { Err(flaw) }
}

/// Gives a flaw the name of its entry.
fn at(checked: Checked, entry: impl FnOnce() -> Entry) -> Result<(), PolicyError> {
    checked.map_err(|flaw| PolicyError::Flawed {
        entry: entry(),
        flaw,
    })
}

impl PolicyDocument {
    /// Checks what the encoding alone does not.
    ///
    /// # Errors
    /// The first flaw found, with its entry.
    pub fn check(&self) -> Result<(), PolicyError> {
        at(self.check_head(), || Entry::Document)?;
        for (place, rule) in self.assets.iter().enumerate() {
            let follows = follows(&self.assets, place, |one, other| one.asset < other.asset);
            at(follows.and_then(|()| asset(rule)), || {
                Entry::Asset(rule.asset)
            })?;
        }
        self.check_recipients()?;
        self.check_validators()?;
        self.check_tables()?;
        self.check_pools()?;
        for (place, rule) in self.calls.iter().enumerate() {
            let key = |rule: &CallRule| (rule.target, rule.method.clone());
            // A contract cannot tell two functions apart that begin alike.
            let signature = |rule: &CallRule| {
                let function = rule.function.as_ref();
                function.map(|function| function.signature.clone())
            };
            let apart = follows(&self.calls, place, |one, other| {
                key(one) != key(other) || signature(one) == signature(other)
            });
            let apart = apart.map_err(|_| Flaw::Collision);
            let follows = follows(&self.calls, place, |one, other| key(one) < key(other));
            let checked = apart.and(follows).and_then(|()| rule.check(self));
            at(checked, || Entry::Call(rule.target))?;
        }
        let mut names: Vec<&str> = self
            .recipients
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        names.sort_unstable();
        for (place, rule) in self.scopes.iter().enumerate() {
            let follows = follows(&self.scopes, place, |one, other| one.scope < other.scope);
            at(follows.and_then(|()| self.scope_rule(rule, &names)), || {
                Entry::Scope(rule.scope.clone())
            })?;
        }
        for (place, one) in self.alarms.iter().enumerate() {
            let again = self.alarms.iter().skip(place + 1).any(|other| other == one);
            at(
                require(!again, Flaw::Order).and_then(|()| alarm(one)),
                || Entry::Alarm(one.condition.as_str()),
            )?;
        }
        for (place, one) in self.escalations.iter().enumerate() {
            let follows = follows(&self.escalations, place, |one, other| one.code < other.code);
            let flaw = match one.action {
                Action::Ask => Flaw::Ask,
                Action::Tell | Action::SuspendSession => Flaw::Escalation,
            };
            let sound = require(may_bring(one.code, one.action), flaw);
            at(follows.and(sound), || Entry::Escalation(one.code))?;
        }
        let sites = self.sites();
        for (place, site) in sites.iter().enumerate() {
            let follows = follows(sites, place, |one, other| one.domain < other.domain);
            let sound = site.check().and_then(|()| counts(site.counts));
            at(follows.and(sound), || {
                Entry::SignIn(site.domain.as_str().into())
            })?;
        }
        Ok(())
    }

    fn check_head(&self) -> Checked {
        require(self.version == VERSION, Flaw::Version)?;
        require(self.epoch > 0, Flaw::Epoch)?;
        require(self.maturity <= MATURITY_LONGEST, Flaw::Wait)?;
        require(self.delay <= MATURITY_LONGEST, Flaw::Wait)?;
        require(
            (1..=QUORUM_LIMIT).contains(&self.approval.quorum),
            Flaw::Quorum,
        )?;
        let lengths = [
            Some(self.approval.lifetime),
            Some(self.release_within),
            self.dead_man,
        ];
        lengths.into_iter().flatten().try_for_each(duration)?;
        first_payment(self.first_payment)?;
        let sites = self.sign_ins.as_ref();
        require(sites.is_none_or(|sites| !sites.is_empty()), Flaw::Empty)?;
        let few = [
            (self.assets.len(), ENTRIES_LIMIT),
            (self.recipients.len(), ENTRIES_LIMIT),
            (self.denied.len(), ENTRIES_LIMIT),
            (self.pools.len(), RULES_LIMIT),
            (self.calls.len(), RULES_LIMIT),
            (self.validators().count(), RULES_LIMIT),
            (self.tables().count(), TABLES_LIMIT),
            (self.scopes.len(), RULES_LIMIT),
            (self.alarms.len(), FEW_LIMIT),
            (self.sites().len(), RULES_LIMIT),
        ];
        require(few.iter().all(|(count, most)| count <= most), Flaw::TooMany)
    }

    fn check_recipients(&self) -> Result<(), PolicyError> {
        for (place, known) in self.recipients.iter().enumerate() {
            let follows = follows(&self.recipients, place, |one, other| {
                one.account < other.account
            });
            at(follows.and_then(|()| name(&known.name)), || {
                Entry::Recipient(known.account)
            })?;
        }
        let mut names: Vec<_> = self
            .recipients
            .iter()
            .map(|known| (known.account.chain(), known.name.as_str(), known.account))
            .collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            if let [one, other] = pair {
                let distinct = (one.0, one.1) != (other.0, other.1);
                at(require(distinct, Flaw::Order), || Entry::Recipient(other.2))?;
            }
        }
        for (place, account) in self.denied.iter().enumerate() {
            let follows = follows(&self.denied, place, |one, other| one < other);
            at(follows, || Entry::Denied(*account))?;
        }
        Ok(())
    }

    fn check_validators(&self) -> Result<(), PolicyError> {
        let list = self.validators.as_deref();
        // Absent and empty would be two ways to say the same.
        let some = require(list.is_none_or(|list| !list.is_empty()), Flaw::Empty);
        at(some, || Entry::Document)?;
        let list = list.unwrap_or_default();
        for (place, known) in list.iter().enumerate() {
            let follows = follows(list, place, |one, other| one.account < other.account);
            let checked = follows
                .and_then(|()| name(&known.name))
                .and_then(|()| known.check(self));
            at(checked, || Entry::Validator(known.account))?;
        }
        Ok(())
    }

    fn check_tables(&self) -> Result<(), PolicyError> {
        let list = self.tables.as_deref();
        let some = require(list.is_none_or(|list| !list.is_empty()), Flaw::Empty);
        at(some, || Entry::Document)?;
        let list = list.unwrap_or_default();
        for (place, table) in list.iter().enumerate() {
            let follows = follows(list, place, |one, other| one.account < other.account);
            let checked = follows.and_then(|()| table.check());
            at(checked, || Entry::Table(table.account))?;
        }
        Ok(())
    }

    fn check_pools(&self) -> Result<(), PolicyError> {
        let mut members = std::collections::BTreeSet::new();
        for (place, pool) in self.pools.iter().enumerate() {
            let follows = follows(&self.pools, place, |one, other| one.name < other.name);
            let sound = |pool: &Pool| {
                name(&pool.name)?;
                sorted_list(&pool.wallets)
            };
            let mut checked = follows.and_then(|()| sound(pool));
            for wallet in &pool.wallets {
                let alone = require(members.insert(*wallet), Flaw::TwoPools);
                checked = checked.and(alone);
            }
            at(checked, || Entry::Pool(pool.name.as_str().into()))?;
        }
        Ok(())
    }

    /// `names`: those of all contacts, sorted.
    fn scope_rule(&self, rule: &ScopeRule, names: &[&str]) -> Checked {
        require(*rule != ScopeRule::new(rule.scope.clone()), Flaw::Empty)?;
        if let Scope::Pool(name) = &rule.scope {
            require(self.pool(name).is_some(), Flaw::Unknown)?;
        }
        sorted(&rule.limits, |one, other| one.asset < other.asset)?;
        for entry in &rule.limits {
            require(self.asset(entry.asset).is_some(), Flaw::Unknown)?;
            limits(&entry.limits)?;
        }
        rule.usd.as_ref().map_or(Ok(()), limits)?;
        rule.networks.as_deref().map_or(Ok(()), sorted_list)?;
        if let Some(assets) = &rule.assets {
            sorted_list(assets)?;
            let known = assets.iter().all(|asset| self.asset(*asset).is_some());
            require(known, Flaw::Unknown)?;
        }
        if let Some(recipients) = &rule.recipients {
            sorted_list(recipients)?;
            let known = |name: &String| names.binary_search(&name.as_str()).is_ok();
            require(recipients.iter().all(known), Flaw::Unknown)?;
        }
        if let Some(list) = &rule.hours {
            hours(list)?;
        }
        rule.cool_down.map_or(Ok(()), duration)?;
        require(
            rule.delay.is_none_or(|delay| delay <= MATURITY_LONGEST),
            Flaw::Wait,
        )?;
        first_payment(rule.first_payment)
    }
}

/// Whether an entry comes after the one before it.
fn follows<T>(list: &[T], place: usize, rises: impl Fn(&T, &T) -> bool) -> Checked {
    let before = place.checked_sub(1).and_then(|before| list.get(before));
    let holds = before
        .zip(list.get(place))
        .is_none_or(|(before, here)| rises(before, here));
    require(holds, Flaw::Order)
}

fn sorted<T>(list: &[T], rises: impl Fn(&T, &T) -> bool) -> Checked {
    require(list.len() <= ENTRIES_LIMIT, Flaw::TooMany)?;
    require(list.is_sorted_by(rises), Flaw::Order)
}

fn sorted_list<T: Ord>(list: &[T]) -> Checked {
    require(!list.is_empty(), Flaw::Empty)?;
    sorted(list, |one, other| one < other)
}

fn name(name: &str) -> Checked {
    let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    require(
        (1..=32).contains(&name.len()) && name.bytes().all(plain),
        Flaw::Name,
    )
}

fn duration(duration: Millis) -> Checked {
    require(
        duration > Millis::default() && duration <= LONGEST,
        Flaw::Duration,
    )
}

fn first_payment(tier: Option<Tier>) -> Checked {
    require(tier != Some(Tier::Instant), Flaw::FirstPayment)
}

fn asset(rule: &AssetRule) -> Checked {
    let plain = rule.symbol.bytes().all(|byte| byte.is_ascii_alphanumeric());
    require((1..=12).contains(&rule.symbol.len()) && plain, Flaw::Name)?;
    limits(&rule.limits())?;
    rule.recipient.as_ref().map_or(Ok(()), limits)?;
    require(rule.price.is_none_or(|price| price.0 > 0), Flaw::Price)?;
    let native = rule.asset.token() == Token::Native;
    let evm_native = native && matches!(rule.asset.chain(), ChainId::Evm(_));
    let belongs = (rule.fee_ceiling.is_none() || native)
        && (rule.rent_ceiling.is_none() || (native && !evm_native))
        && rule.outstanding.is_some() == matches!(rule.asset.chain(), ChainId::Evm(_))
        && (!rule.sign_only || evm_native);
    require(belongs, Flaw::NativeOnly)?;
    network(rule, evm_native)?;
    authorization::check(rule)?;
    let mint = matches!(rule.asset.token(), Token::Mint(_));
    let kinds: Vec<_> = rule.extensions.iter().map(std::mem::discriminant).collect();
    let once = (1..kinds.len()).all(|place| kinds.get(place) != kinds.get(place - 1));
    let parts = rule.extensions.iter().all(|extension| match extension {
        TokenExtension::TransferFee { basis_points, .. } => *basis_points <= 10_000,
        _ => true,
    });
    require(rule.extensions.is_empty() || mint, Flaw::Extensions)?;
    let of_program = match rule.program {
        None => true,
        Some(TokenProgram::Token) => mint && rule.extensions.is_empty(),
        Some(TokenProgram::Token2022) => mint,
    };
    require(of_program, Flaw::TokenProgram)?;
    require(
        rule.extensions.is_sorted() && once && parts,
        Flaw::Extensions,
    )
}

/// What a document says of a whole network with its coin, and what is known of the network.
fn network(rule: &AssetRule, evm_native: bool) -> Checked {
    let said = rule.data_fee.is_some() || rule.transactions.is_some();
    require(evm_native || !said, Flaw::Network)?;
    let chain = rule.asset.chain();
    if rule.asset.token() != Token::Native {
        return Ok(());
    }
    let agrees = network::of(chain)
        .is_none_or(|known| known.symbol == rule.symbol && known.decimals() == rule.decimals);
    require(agrees, Flaw::NativeCoin)?;
    let counted = rule.data_fee.is_some_and(|most| most > Amount::ZERO);
    require(counted || !network::takes_data_fee(chain), Flaw::DataFee)
}

fn limits(limits: &Limits) -> Checked {
    require(*limits != Limits::default(), Flaw::Empty)?;
    let present: Vec<Amount> = limits.rising().into_iter().flatten().collect();
    require(present.is_sorted(), Flaw::LimitOrder)?;
    counts(limits.counts)?;
    let list = &limits.cumulative;
    require(list.len() <= FEW_LIMIT, Flaw::TooMany)?;
    let rises = list.is_sorted_by(|one, other| {
        (one.window, one.tier) < (other.window, other.tier)
            && (one.window != other.window || one.above <= other.above)
    });
    let asks = list.iter().all(|entry| entry.tier > Tier::Instant);
    require(rises && asks, Flaw::Cumulative)
}

fn counts(counts: Counts) -> Checked {
    let all = [counts.hour, counts.day, counts.week, counts.month];
    let present: Vec<u32> = all.into_iter().flatten().collect();
    require(!present.contains(&0), Flaw::ZeroCount)?;
    require(present.is_sorted(), Flaw::LimitOrder)
}

fn hours(list: &[Hours]) -> Checked {
    require(!list.is_empty(), Flaw::Empty)?;
    require(list.len() <= FEW_LIMIT, Flaw::TooMany)?;
    let sound = |hours: &Hours| {
        hours.days != 0
            && hours.days <= EVERY_DAY
            && hours.from < hours.to
            && hours.to <= DAY_MINUTES
            && (-14 * 60..=14 * 60).contains(&hours.utc_offset)
    };
    require(list.iter().all(sound), Flaw::Hours)
}

fn alarm(alarm: &Alarm) -> Checked {
    let some = |count: u32| require(count > 0, Flaw::ZeroCount);
    match &alarm.condition {
        Condition::DenialsInARow { count } => {
            some(*count)?;
            require(*count <= ROW_LIMIT, Flaw::Row)?;
            require(alarm.remedy <= Remedy::SuspendSession, Flaw::Remedy)
        }
        Condition::Signatures { count, window } => {
            some(*count)?;
            duration(*window)?;
            require(*window <= SIGNATURES_LONGEST, Flaw::Duration)
        }
        Condition::Velocity { times, window } => {
            some(*times)?;
            duration(*window)?;
            require(*window <= VELOCITY_LONGEST, Flaw::Duration)
        }
        Condition::OutsideHours { hours: list } => hours(list),
        Condition::OpenPayments { count } => some(*count),
        Condition::Idle { after } => {
            require(alarm.remedy != Remedy::SuspendSession, Flaw::Remedy)?;
            duration(*after)
        }
    }
}
