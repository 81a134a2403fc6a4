//! The policy document, version 1. Its canonical bytes are what an owner adopts; TOML is only its form
//! for people. What a document does not name is denied. `check` says what it must hold to.

use minicbor::{Decode, Encode};

use super::alarm::{Action, Alarm, Escalation};
pub use super::authorization::AuthorizationRule;
pub use super::call::{Accepts, ArgumentRule, CallFunction, CallRule};
pub use super::check::{Entry, Flaw, PolicyError};
use super::evaluate::Tier;
use super::limits::{Counts, Cumulative, Limits};
pub use super::program::{AccountAccepts, AccountRule, CallProgram, FieldAccepts, FieldRule};
use super::scope::{Pool, Scope, ScopeRule};
pub use super::sign_in::SignInRule;
pub use super::table::TableRule;
pub use super::token::TokenExtension;
pub use super::validator::Validator;
use crate::amount::{Amount, Decimals};
use crate::caip::{AccountId, AssetId};
use crate::codec::{from_canonical, to_canonical};
use crate::denial::Code;
use crate::digest::{Digest, Domain, hash};
use crate::evm::Form;
use crate::ids::WalletId;
use crate::solana::TokenProgram;
use crate::time::Millis;

/// The only version so far.
pub const VERSION: u16 = 1;
/// Canonical bytes of a document, at most.
pub const LIMIT_BYTES: usize = 256 * 1024;
/// How long a change waits unless a document says otherwise.
pub const MATURITY_DEFAULT: Millis = Millis::from_hours(24);
/// The longest maturity delay, or any other wait, that a document may demand: 30 days.
pub const MATURITY_LONGEST: Millis = Millis::from_hours(30 * 24);
/// How long DELAY waits unless a document says otherwise.
pub const DELAY_DEFAULT: Millis = Millis::from_secs(15 * 60);
/// How long a payment waits for its approval unless a document says otherwise.
pub const APPROVAL_DEFAULT: Approval = Approval {
    quorum: 1,
    lifetime: Millis::from_hours(12),
};
/// How long a payment may be released after its wait or approval unless a document says otherwise.
pub const RELEASE_DEFAULT: Millis = Millis::from_hours(1);

/// A policy as the owner signs it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PolicyDocument {
    /// [`VERSION`].
    #[n(0)]
    pub version: u16,
    /// One more than the document adopted before.
    #[n(1)]
    pub epoch: u64,
    /// How long later documents wait before this one stops binding, on the DELAY clock.
    #[n(2)]
    pub maturity: Millis,
    /// What may be spent; sorted by asset, each once.
    #[n(3)]
    pub assets: Vec<AssetRule>,
    /// The contacts; sorted by account, each once. Nobody else may receive, unless `recipients_open`.
    #[n(4)]
    pub recipients: Vec<Recipient>,
    /// How long DELAY waits, unless a scope demands longer.
    #[n(5)]
    pub delay: Millis,
    /// What APPROVAL asks for.
    #[n(6)]
    pub approval: Approval,
    /// How long a payment may still be released after it has waited or was approved.
    #[n(7)]
    pub release_within: Millis,
    /// Whether accounts that are no contacts may receive.
    #[n(8)]
    pub recipients_open: bool,
    /// Tier of a wallet's first payment to a recipient, at least; above INSTANT.
    #[n(9)]
    pub first_payment: Option<Tier>,
    /// Who never receives, contact or not; sorted.
    #[n(10)]
    pub denied: Vec<AccountId>,
    /// Wallets under one budget; sorted by name.
    #[n(11)]
    pub pools: Vec<Pool>,
    /// Programs and contracts that may be called; sorted by target and method.
    #[n(12)]
    pub calls: Vec<CallRule>,
    /// What narrows the asset table; sorted by scope, each once.
    #[n(13)]
    pub scopes: Vec<ScopeRule>,
    /// What stops by itself.
    #[n(14)]
    pub alarms: Vec<Alarm>,
    /// What violations bring; sorted by code, each once.
    #[n(15)]
    pub escalations: Vec<Escalation>,
    /// Everything pauses when no owner was heard of for so long.
    #[n(16)]
    pub dead_man: Option<Millis>,
    /// Sites at which agents may sign in; sorted by domain, each once, never empty. Absent: none.
    #[n(17)]
    pub sign_ins: Option<Vec<SignInRule>>,
    /// To whom coins may be delegated; sorted by account, each once, never empty. Nobody if absent.
    #[n(18)]
    pub validators: Option<Vec<Validator>>,
    /// Lookup tables of Solana networks with their content; sorted by account, each once, never empty. None if
    /// absent.
    #[n(20)]
    pub tables: Option<Vec<TableRule>>,
}

/// Limits and thresholds of one asset in each wallet, all in its base units.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AssetRule {
    /// The asset.
    #[n(0)]
    pub asset: AssetId,
    /// What people call it: 1 to 12 of A-Z, a-z, 0-9.
    #[n(1)]
    pub symbol: String,
    /// Places between its unit and its base unit.
    #[n(2)]
    pub decimals: Decimals,
    /// Most in one transaction, fee included.
    #[n(3)]
    pub per_transaction: Amount,
    /// Most in any hour, per wallet.
    #[n(4)]
    pub hour: Amount,
    /// Most in any 24 hours, per wallet.
    #[n(5)]
    pub day: Amount,
    /// Most in any 7 days, per wallet.
    #[n(6)]
    pub week: Amount,
    /// Most in any 30 days, per wallet.
    #[n(7)]
    pub month: Amount,
    /// Most payments, per wallet.
    #[n(8)]
    pub counts: Counts,
    /// Signed at once up to here (INSTANT).
    #[n(9)]
    pub instant_up_to: Amount,
    /// Signed at once and told to the owner up to here (NOTIFY).
    #[n(10)]
    pub notify_up_to: Amount,
    /// Most that one transaction may pay as fee, for a native asset; absent: no fee may be paid.
    #[n(11)]
    pub fee_ceiling: Option<Amount>,
    /// For an asset of an EVM chain: most that is signed since the owner last attested the chain's nonce.
    #[n(12)]
    pub outstanding: Option<Amount>,
    /// For an EVM chain's native asset: whether transactions may be signed without being sent.
    #[n(13)]
    pub sign_only: bool,
    /// Signed after a wait up to here (DELAY).
    #[n(14)]
    pub delay_up_to: Amount,
    /// Signed if the owner approves up to here (APPROVAL); above, never.
    #[n(15)]
    pub approve_up_to: Amount,
    /// What the sum of a window asks for; sorted by window and tier, each pair once.
    #[n(16)]
    pub cumulative: Vec<Cumulative>,
    /// Limits on what one wallet pays to one recipient.
    #[n(17)]
    pub recipient: Option<Limits>,
    /// Most that one transaction may lock up as rent, for a Solana chain's native asset; absent: none.
    #[n(18)]
    pub rent_ceiling: Option<Amount>,
    /// Ceiling price, for sums in USD; absent: no rule in USD lets the asset pass.
    #[n(19)]
    pub price: Option<UsdPrice>,
    /// What a Token-2022 mint was registered with; sorted, each once.
    #[n(20)]
    pub extensions: Vec<TokenExtension>,
    /// Which token program a mint belongs to; absent: Token-2022 if it has extensions, else SPL Token.
    #[n(21)]
    pub program: Option<TokenProgram>,
    /// For an EVM chain's native asset: the most that one transaction pays for its data beside gas, which
    /// counts in every one. Required where a network is known to take that.
    #[n(30)]
    pub data_fee: Option<Amount>,
    /// For an EVM chain's native asset: the form of its transactions; absent: EIP-1559.
    #[n(31)]
    pub transactions: Option<Form>,
    /// For an ERC-20 token: that it may be moved by authorization (EIP-3009), and how; absent: it may not.
    #[n(32)]
    pub authorization: Option<AuthorizationRule>,
}

/// A contact: an account that may receive.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Recipient {
    /// On which chain, and which account.
    #[n(0)]
    pub account: AccountId,
    /// The contact's name, without its `@`: 1 to 32 of a-z, 0-9, `-`.
    #[n(1)]
    pub name: String,
}

/// What APPROVAL asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Approval {
    /// How many different owners, 1 to 16.
    #[n(0)]
    pub quorum: u8,
    /// How long a payment waits for them, on the wall clock.
    #[n(1)]
    pub lifetime: Millis,
}

/// A ceiling price in millionths of a US dollar for one whole unit; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct UsdPrice(#[n(0)] pub u64);

impl UsdPrice {
    /// What an amount is worth at most, in millionths of a US dollar, rounded up; the largest amount
    /// where it does not fit.
    #[must_use]
    pub fn of(self, amount: Amount, decimals: Decimals) -> Amount {
        let price = u128::from(self.0);
        let unit = 10_u128.pow(decimals.places().into());
        let whole = (amount.base_units() / unit).checked_mul(price);
        let part = amount.base_units() % unit;
        let exact = part.checked_mul(price).map(|worth| worth.div_ceil(unit));
        // Where a part of a unit has too many digits, the last eighteen are rounded up first: it has
        // more than that, or the product would have fitted.
        let worth = exact.unwrap_or_else(|| {
            let coarse = part.div_ceil(COARSE).saturating_mul(price);
            coarse.div_ceil((unit / COARSE).max(1))
        });
        whole
            .and_then(|whole| whole.checked_add(worth))
            .map_or(Amount::MAX, Amount::from_base_units)
    }
}

const COARSE: u128 = 1_000_000_000_000_000_000;

impl PolicyDocument {
    /// A document that lets nothing pass.
    #[must_use]
    pub const fn closed(epoch: u64) -> Self {
        Self {
            version: VERSION,
            epoch,
            maturity: MATURITY_DEFAULT,
            assets: Vec::new(),
            recipients: Vec::new(),
            delay: DELAY_DEFAULT,
            approval: APPROVAL_DEFAULT,
            release_within: RELEASE_DEFAULT,
            recipients_open: false,
            first_payment: None,
            denied: Vec::new(),
            pools: Vec::new(),
            calls: Vec::new(),
            scopes: Vec::new(),
            alarms: Vec::new(),
            escalations: Vec::new(),
            dead_man: None,
            sign_ins: None,
            validators: None,
            tables: None,
        }
    }

    /// Reads and checks a document.
    ///
    /// # Errors
    /// [`PolicyError`]: one flaw refuses the whole.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PolicyError> {
        let document = Self::adopted(bytes)?;
        document.check()?;
        Ok(document)
    }

    /// Reads a document that owners adopted, which was checked then. What a later program would not let
    /// them adopt any more binds all the same: else an earlier document would bind in its place.
    ///
    /// # Errors
    /// [`PolicyError`]: these are not the bytes of a document.
    pub fn adopted(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > LIMIT_BYTES {
            return Err(PolicyError::TooLarge);
        }
        Ok(from_canonical(bytes)?)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_canonical(self)
    }

    /// The digest that the owner's text states.
    #[must_use]
    pub fn digest(&self) -> Digest {
        hash(Domain::Policy, &[&self.to_bytes()])
    }

    /// The rule of an asset.
    #[must_use]
    pub fn asset(&self, asset: AssetId) -> Option<&AssetRule> {
        find(&self.assets, |rule| rule.asset.cmp(&asset))
    }

    /// The contact with this account.
    #[must_use]
    pub fn recipient(&self, account: AccountId) -> Option<&Recipient> {
        find(&self.recipients, |known| known.account.cmp(&account))
    }

    /// Whether an account never receives.
    #[must_use]
    pub fn denies(&self, account: AccountId) -> bool {
        self.denied.binary_search(&account).is_ok()
    }

    /// A pool.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        find(&self.pools, |pool| pool.name.as_str().cmp(name))
    }

    /// The pool of a wallet.
    #[must_use]
    pub fn pool_of(&self, wallet: WalletId) -> Option<&Pool> {
        self.pools
            .iter()
            .find(|pool| pool.wallets.binary_search(&wallet).is_ok())
    }

    /// The rule of a call: the one that says most of how its data begins.
    #[must_use]
    pub fn call(&self, target: AccountId, data: &[u8]) -> Option<&CallRule> {
        (1..=METHOD_LIMIT.min(data.len()))
            .rev()
            .filter_map(|length| data.get(..length))
            .find_map(|method| {
                find(&self.calls, |rule| {
                    (rule.target, rule.method.as_slice()).cmp(&(target, method))
                })
            })
    }

    /// What a violation brings.
    #[must_use]
    pub fn action(&self, code: Code) -> Option<Action> {
        find(&self.escalations, |entry| entry.code.cmp(&code)).map(|entry| entry.action)
    }

    /// The most that a session's grant may allow of an asset in one transaction; none if it may not
    /// name the asset.
    #[must_use]
    pub fn session_ceiling(&self, asset: AssetId, bearer: bool) -> Option<Amount> {
        let mut ceiling = self.asset(asset)?.per_transaction;
        let of_sessions = |scope: &Scope| match scope {
            Scope::Global | Scope::EverySession => true,
            Scope::BearerSessions => bearer,
            Scope::Pool(_) | Scope::Wallet(_) | Scope::Session(_) => false,
        };
        for rule in self.scopes.iter().filter(|rule| of_sessions(&rule.scope)) {
            let limit = rule.limits(asset).and_then(|limits| limits.per_transaction);
            ceiling = limit.map_or(ceiling, |limit| limit.min(ceiling));
        }
        Some(ceiling)
    }

    /// Puts every list into its canonical order.
    pub fn sort(&mut self) {
        self.assets.sort_by_key(|rule| rule.asset);
        for rule in &mut self.assets {
            rule.extensions.sort_unstable();
            sort_cumulative(&mut rule.cumulative);
            if let Some(limits) = &mut rule.recipient {
                sort_cumulative(&mut limits.cumulative);
            }
        }
        self.recipients.sort_by_key(|known| known.account);
        if let Some(validators) = &mut self.validators {
            validators.sort_by_key(|known| known.account);
        }
        if let Some(tables) = &mut self.tables {
            tables.sort_by_key(|table| table.account);
        }
        self.denied.sort_unstable();
        self.pools.sort_by(|one, other| one.name.cmp(&other.name));
        for pool in &mut self.pools {
            pool.wallets.sort_unstable();
        }
        self.calls
            .sort_by(|one, other| (one.target, &one.method).cmp(&(other.target, &other.method)));
        let functions = self
            .calls
            .iter_mut()
            .filter_map(|rule| rule.function.as_mut());
        for rule in functions.flat_map(|function| &mut function.arguments) {
            if let Accepts::OneOf(words) = &mut rule.accepts {
                words.sort_unstable();
            }
        }
        let programs = self
            .calls
            .iter_mut()
            .filter_map(|rule| rule.program.as_mut());
        programs.for_each(CallProgram::sort);
        self.scopes
            .sort_by(|one, other| one.scope.cmp(&other.scope));
        self.scopes.iter_mut().for_each(sort_scope);
        self.escalations.sort_by_key(|entry| entry.code);
        if let Some(sites) = &mut self.sign_ins {
            sites.sort_by(|one, other| one.domain.cmp(&other.domain));
            sites.iter_mut().for_each(SignInRule::sort);
        }
    }
}

/// Bytes of a call's data that a rule may name, at most.
pub(super) const METHOD_LIMIT: usize = 16;

pub(super) fn find<T>(sorted: &[T], order: impl FnMut(&T) -> std::cmp::Ordering) -> Option<&T> {
    let place = sorted.binary_search_by(order).ok()?;
    sorted.get(place)
}

fn sort_scope(rule: &mut ScopeRule) {
    rule.limits.sort_by_key(|entry| entry.asset);
    let limits = rule.limits.iter_mut().map(|entry| &mut entry.limits);
    for limits in limits.chain(&mut rule.usd) {
        sort_cumulative(&mut limits.cumulative);
    }
    if let Some(networks) = &mut rule.networks {
        networks.sort_unstable();
    }
    if let Some(assets) = &mut rule.assets {
        assets.sort_unstable();
    }
    if let Some(recipients) = &mut rule.recipients {
        recipients.sort_unstable();
    }
}

fn sort_cumulative(list: &mut [Cumulative]) {
    list.sort_by_key(|entry| (entry.window, entry.tier));
}

impl AssetRule {
    /// An asset of which nothing may be spent.
    #[must_use]
    pub fn closed(asset: AssetId, symbol: &str, decimals: Decimals) -> Self {
        Self {
            asset,
            symbol: symbol.to_owned(),
            decimals,
            per_transaction: Amount::ZERO,
            hour: Amount::ZERO,
            day: Amount::ZERO,
            week: Amount::ZERO,
            month: Amount::ZERO,
            counts: Counts::default(),
            instant_up_to: Amount::ZERO,
            notify_up_to: Amount::ZERO,
            fee_ceiling: None,
            outstanding: None,
            sign_only: false,
            delay_up_to: Amount::ZERO,
            approve_up_to: Amount::ZERO,
            cumulative: Vec::new(),
            recipient: None,
            rent_ceiling: None,
            price: None,
            extensions: Vec::new(),
            program: None,
            data_fee: None,
            transactions: None,
            authorization: None,
        }
    }

    /// What holds for each wallet.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            per_transaction: Some(self.per_transaction),
            hour: Some(self.hour),
            day: Some(self.day),
            week: Some(self.week),
            month: Some(self.month),
            counts: self.counts,
            instant_up_to: Some(self.instant_up_to),
            notify_up_to: Some(self.notify_up_to),
            delay_up_to: Some(self.delay_up_to),
            approve_up_to: Some(self.approve_up_to),
            cumulative: self.cumulative.clone(),
        }
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
pub(crate) mod tests;
