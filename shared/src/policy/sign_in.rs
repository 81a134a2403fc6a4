//! Sites at which agents may sign in: what a document says of each, and the judgement of one login by it.
//! A site that no entry names is refused. Reads fields, counts and time; never text.

use minicbor::{Decode, Encode};

use super::document::PolicyDocument;
use super::evaluate::Tier;
use super::flaw::Flaw;
use super::limits::Counts;
use super::windows::{Usage, Window};
use crate::amount::Amount;
use crate::caip::ChainId;
use crate::denial::{Code, Violation};
use crate::sign_in::{self, RESOURCES_LIMIT};
use crate::time::{BudgetTime, Millis};

/// The longest that a document may let a message hold: a login is used at once.
pub const VALID_LONGEST: Millis = Millis::from_hours(24);

/// A site at which agents may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignInRule {
    /// Host in lower-case ASCII, and its port if it is not the usual one.
    #[n(0)]
    pub domain: String,
    /// On which networks; sorted, each once, at least one.
    #[n(1)]
    pub networks: Vec<ChainId>,
    /// Where the message's URI must lie, at it or below; absent: `https://` and the domain.
    #[n(2)]
    pub uri: Option<String>,
    /// INSTANT, or NOTIFY to be told.
    #[n(3)]
    pub tier: Tier,
    /// Most logins of one wallet; one for the day at least.
    #[n(4)]
    pub counts: Counts,
    /// The longest that a message may hold.
    #[n(5)]
    pub valid_for: Millis,
    /// Resources that a message may name; sorted, each once.
    #[n(6)]
    pub resources: Vec<String>,
}

/// What is asked of a site's entry.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// At which site.
    pub domain: &'a str,
    /// On which network.
    pub chain: ChainId,
    /// The message's URI.
    pub uri: &'a str,
    /// The resources that it names.
    pub resources: &'a [String],
    /// For how long it is to hold; absent: as long as it may.
    pub valid_for: Option<Millis>,
    /// Earlier logins of the wallet at this site.
    pub earlier: Option<&'a Usage>,
}

/// How a login passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// INSTANT or NOTIFY.
    pub tier: Tier,
    /// How long the message may hold.
    pub valid_for: Millis,
}

impl Allowed {
    /// What both documents allow.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        Self {
            tier: self.tier.max(other.tier),
            valid_for: self.valid_for.min(other.valid_for),
        }
    }
}

impl PolicyDocument {
    /// The sites at which agents may sign in.
    #[must_use]
    pub fn sites(&self) -> &[SignInRule] {
        self.sign_ins.as_deref().unwrap_or_default()
    }

    /// The entry of a site.
    #[must_use]
    pub fn site(&self, domain: &str) -> Option<&SignInRule> {
        let sites = self.sites();
        let place = sites.binary_search_by(|rule| rule.domain.as_str().cmp(domain));
        sites.get(place.ok()?)
    }

    /// Judges one login.
    ///
    /// # Errors
    /// Every rule that it breaks; never an empty list.
    pub fn judge_login(
        &self,
        login: &Login<'_>,
        now: BudgetTime,
    ) -> Result<Allowed, Vec<Violation>> {
        match self.site(login.domain) {
            Some(rule) => rule.judge(login, now),
            None => Err(vec![Violation::of(Code::SignInNotListed)]),
        }
    }
}

impl SignInRule {
    fn judge(&self, login: &Login<'_>, now: BudgetTime) -> Result<Allowed, Vec<Violation>> {
        let mut broken = Vec::new();
        if !self.networks.contains(&login.chain) {
            broken.push(Violation::of(Code::SignInNetwork));
        }
        let usual = format!("https://{}", self.domain);
        let above = self.uri.as_deref().unwrap_or(&usual);
        if !sign_in::is_within(login.uri, above) {
            broken.push(Violation::of(Code::SignInUri));
        }
        if !login
            .resources
            .iter()
            .all(|uri| self.resources.contains(uri))
        {
            broken.push(Violation::of(Code::SignInResource));
        }
        let valid_for = login.valid_for.unwrap_or(self.valid_for);
        if valid_for > self.valid_for {
            let seconds =
                |length: Millis| Some(Amount::from_base_units((length.millis() / 1000).into()));
            broken.push(Violation {
                observed: seconds(valid_for),
                allowed: seconds(self.valid_for),
                ..Violation::of(Code::SignInValidity)
            });
        }
        for window in Window::ALL {
            broken.extend(self.counted(window, login.earlier, now));
        }
        if broken.is_empty() {
            Ok(Allowed {
                tier: self.tier,
                valid_for,
            })
        } else {
            Err(broken)
        }
    }

    fn counted(
        &self,
        window: Window,
        earlier: Option<&Usage>,
        now: BudgetTime,
    ) -> Option<Violation> {
        let most = self.counts.window(window)?;
        let count = |at| earlier.map_or(0, |usage| usage.count(window, at));
        let before = count(now);
        if before < most {
            return None;
        }
        let mut leaving = earlier
            .into_iter()
            .flat_map(|usage| usage.leaving(window, now));
        Some(Violation {
            observed: Some(Amount::from_base_units(u128::from(before) + 1)),
            allowed: Some(Amount::from_base_units(most.into())),
            retry_after: leaving.find(|wait| count(now.after(*wait)) < most),
            ..Violation::of(Code::SignInCount)
        })
    }

    /// Checks what the encoding alone does not.
    pub(super) fn check(&self) -> Result<(), Flaw> {
        let holds = [
            (sign_in::is_domain(&self.domain), Flaw::SiteDomain),
            (
                !self.networks.is_empty() && self.networks.is_sorted_by(|one, other| one < other),
                Flaw::SiteNetworks,
            ),
            (
                self.uri.as_deref().is_none_or(sign_in::is_web_uri),
                Flaw::SiteUri,
            ),
            (self.tier <= Tier::Notify, Flaw::SiteTier),
            (self.counts.day.is_some(), Flaw::SiteCount),
            (
                self.valid_for >= Millis::from_secs(1) && self.valid_for <= VALID_LONGEST,
                Flaw::SiteValidity,
            ),
            (
                self.resources.len() <= RESOURCES_LIMIT
                    && self.resources.is_sorted_by(|one, other| one < other)
                    && self.resources.iter().all(|uri| sign_in::is_uri(uri)),
                Flaw::SiteResources,
            ),
        ];
        holds
            .into_iter()
            .find(|(sound, _)| !sound)
            .map_or(Ok(()), |(_, flaw)| Err(flaw))
    }

    /// Puts every list into its canonical order.
    pub(super) fn sort(&mut self) {
        self.networks.sort_unstable();
        self.resources.sort_unstable();
    }
}

#[cfg(test)]
#[path = "sign_in_tests.rs"]
mod tests;
