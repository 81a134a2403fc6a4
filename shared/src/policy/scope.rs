//! Rules that narrow the asset table further: for everything, a pool, a wallet, or sessions. Several may
//! hold for one payment; each must be kept.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::document::PolicyDocument;
use super::evaluate::Tier;
use super::limits::Limits;
use crate::caip::{AssetId, ChainId};
use crate::ids::{SessionId, WalletId};
use crate::time::{Millis, WallTime};

/// What a rule holds for, and over what its sums and counts run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Scope {
    /// Every payment; sums over all wallets.
    #[n(0)]
    Global,
    /// Payments of a pool's wallets; sums over them.
    #[n(1)]
    Pool(#[n(0)] String),
    /// Payments of one wallet.
    #[n(2)]
    Wallet(#[n(0)] WalletId),
    /// Payments of any session; each by itself.
    #[n(3)]
    EverySession,
    /// Payments of one session.
    #[n(4)]
    Session(#[n(0)] SessionId),
    /// Payments of any session without an agent's key; each by itself.
    #[n(5)]
    BearerSessions,
}

/// Wallets that share one budget.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Pool {
    /// 1 to 32 of a-z, 0-9, `-`.
    #[n(0)]
    pub name: String,
    /// Sorted, each once, at least one; a wallet is in one pool at most.
    #[n(1)]
    pub wallets: Vec<WalletId>,
}

/// What one scope narrows. What is absent narrows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ScopeRule {
    /// What it holds for.
    #[n(0)]
    pub scope: Scope,
    /// Limits by asset; sorted, each once.
    #[n(1)]
    pub limits: Vec<AssetLimits>,
    /// Limits over all assets together: amounts in millionths of a US dollar, by the ceiling prices of
    /// the same document; counts over payments in whatever asset.
    #[n(2)]
    pub usd: Option<Limits>,
    /// Only these networks; sorted.
    #[n(3)]
    pub networks: Option<Vec<ChainId>>,
    /// Only these assets may move (fees and rent aside); sorted.
    #[n(4)]
    pub assets: Option<Vec<AssetId>>,
    /// Only the contacts of these names may receive; sorted.
    #[n(5)]
    pub recipients: Option<Vec<String>>,
    /// Only at these times of the wall clock.
    #[n(6)]
    pub hours: Option<Vec<Hours>>,
    /// Least time between two payments, on the budget clock.
    #[n(7)]
    pub cool_down: Option<Millis>,
    /// How long DELAY waits; the longest of all that hold counts.
    #[n(8)]
    pub delay: Option<Millis>,
    /// Tier of a wallet's first payment to a recipient, at least; above INSTANT.
    #[n(9)]
    pub first_payment: Option<Tier>,
}

/// Limits of one asset within a scope, in its base units.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AssetLimits {
    /// An asset of the same document.
    #[n(0)]
    pub asset: AssetId,
    /// What is limited.
    #[n(1)]
    pub limits: Limits,
}

/// Whether both sides of the clock lie within the hours.
pub(super) fn are_open(hours: &[Hours], sides: [WallTime; 2]) -> bool {
    sides.into_iter().all(|side| one_contains(hours, side))
}

/// How long until both sides lie within the hours; none if they never do, because they are too far apart.
pub(super) fn until_open(hours: &[Hours], sides: [WallTime; 2]) -> Option<Millis> {
    let mut wait = Millis::default();
    // From one beginning to the next: between two of them no side comes in. A week later everything is the same.
    while wait <= WEEK {
        let later = sides.map(|side| side.after(wait));
        let outside = later.into_iter().filter(|at| !one_contains(hours, *at));
        let Some(begins) = outside.map(|at| next_of(hours, at)).max() else {
            return Some(wait);
        };
        wait = Millis::from_millis(wait.millis().saturating_add(begins.millis()));
    }
    None
}

/// When the next of the hours begins; far away if none ever does.
fn next_of(hours: &[Hours], at: WallTime) -> Millis {
    let waits = hours.iter().filter_map(|hours| hours.wait(at));
    waits.min().unwrap_or(Millis::from_millis(u64::MAX))
}

fn one_contains(hours: &[Hours], at: WallTime) -> bool {
    hours.iter().any(|hours| hours.contain(at))
}

/// A part of the week at a fixed distance from UTC. A night is two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Hours {
    /// Minutes east of UTC, from -840 to 840; without daylight saving.
    #[n(0)]
    pub utc_offset: i16,
    /// One bit a day, Monday the lowest.
    #[n(1)]
    pub days: u8,
    /// From this minute of the day on.
    #[n(2)]
    pub from: u16,
    /// Up to, not including, this minute of the day; at most 1440.
    #[n(3)]
    pub to: u16,
}

/// Minutes of a day.
pub(super) const DAY_MINUTES: u16 = 24 * 60;
/// One bit for each day of a week.
pub(super) const EVERY_DAY: u8 = 0x7f;
/// The hours are the same in every one.
const WEEK: Millis = Millis::from_hours(7 * 24);
const MINUTE_MILLIS: u64 = 60_000;

impl ScopeRule {
    /// A rule that narrows nothing yet.
    #[must_use]
    pub const fn new(scope: Scope) -> Self {
        Self {
            scope,
            limits: Vec::new(),
            usd: None,
            networks: None,
            assets: None,
            recipients: None,
            hours: None,
            cool_down: None,
            delay: None,
            first_payment: None,
        }
    }

    /// The limits of an asset.
    #[must_use]
    pub fn limits(&self, asset: AssetId) -> Option<&Limits> {
        let place = self
            .limits
            .binary_search_by(|entry| entry.asset.cmp(&asset))
            .ok()?;
        self.limits.get(place).map(|entry| &entry.limits)
    }
}

impl Hours {
    /// Whether the time lies in it.
    #[must_use]
    pub fn contain(&self, now: WallTime) -> bool {
        let (day, minute) = self.local(now);
        self.on(day) && (self.from..self.to).contains(&minute)
    }

    /// How long until it next begins; none if it never does.
    fn wait(&self, now: WallTime) -> Option<Millis> {
        let (today, minute) = self.local(now);
        let into_minute = now.millis() % MINUTE_MILLIS;
        let minutes = (0..=7_u16).find_map(|later| {
            let day = (u64::from(today) + u64::from(later)) % 7;
            let begins = u32::from(later) * u32::from(DAY_MINUTES) + u32::from(self.from);
            let ahead = begins.checked_sub(u32::from(minute))?;
            let on = self.on(u8::try_from(day).ok()?);
            (on && ahead > 0).then_some(ahead)
        })?;
        let whole = u64::from(minutes) * MINUTE_MILLIS;
        Some(Millis::from_millis(whole.saturating_sub(into_minute)))
    }

    const fn on(&self, day: u8) -> bool {
        self.days & (1 << day) != 0
    }

    /// Day of the week, Monday 0, and minute of the day.
    fn local(&self, now: WallTime) -> (u8, u16) {
        let minutes = i128::from(now.millis() / MINUTE_MILLIS) + i128::from(self.utc_offset);
        let day_length = i128::from(DAY_MINUTES);
        // 1970-01-01 was a Thursday.
        let day = (minutes.div_euclid(day_length) + 3).rem_euclid(7);
        let minute = minutes.rem_euclid(day_length);
        (
            u8::try_from(day).unwrap_or_default(),
            u16::try_from(minute).unwrap_or_default(),
        )
    }
}

impl Scope {
    /// Whether a rule of this scope in `document` holds for payments of this wallet under this session.
    #[must_use]
    pub fn holds(
        &self,
        document: &PolicyDocument,
        wallet: WalletId,
        session: SessionId,
        bearer: bool,
    ) -> bool {
        match self {
            Self::Global | Self::EverySession => true,
            Self::Pool(name) => document
                .pool_of(wallet)
                .is_some_and(|pool| pool.name == *name),
            Self::Wallet(own) => *own == wallet,
            Self::Session(own) => *own == session,
            Self::BearerSessions => bearer,
        }
    }
}

/// Not the name of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is global, pool:NAME, wallet_..., every-session, session_... or bearer-sessions")]
pub struct ScopeError;

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => formatter.write_str("global"),
            Self::Pool(name) => write!(formatter, "pool:{name}"),
            Self::Wallet(wallet) => write!(formatter, "{wallet}"),
            Self::EverySession => formatter.write_str("every-session"),
            Self::Session(session) => write!(formatter, "{session}"),
            Self::BearerSessions => formatter.write_str("bearer-sessions"),
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text {
            "global" => Ok(Self::Global),
            "every-session" => Ok(Self::EverySession),
            "bearer-sessions" => Ok(Self::BearerSessions),
            _ => {
                if let Some(name) = text.strip_prefix("pool:") {
                    return Ok(Self::Pool(name.to_owned()));
                }
                let wallet = text.parse().map(Self::Wallet);
                wallet.or_else(|_| text.parse().map(Self::Session).map_err(|_| ScopeError))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    /// Monday to Friday, nine to five, in Seoul.
    const OFFICE: Hours = Hours {
        utc_offset: 540,
        days: 0x1f,
        from: 9 * 60,
        to: 17 * 60,
    };

    #[test]
    fn hours_are_judged_at_their_own_place() {
        // 2026-11-23 was a Monday; 00:00 UTC is 09:00 there.
        let monday = WallTime::from_millis(1_795_392_000_000);
        assert!(monday.to_string().starts_with("2026-11-23 00:00:00"));
        assert!(OFFICE.contain(monday));
        let before = WallTime::from_millis(monday.millis() - 1);
        assert!(!OFFICE.contain(before));
        assert_eq!(OFFICE.wait(before), Some(Millis::from_millis(1)));
        let evening = monday.after(Millis::from_hours(8));
        assert!(!OFFICE.contain(evening));
        assert_eq!(OFFICE.wait(evening), Some(Millis::from_hours(16)));
        let friday_evening = evening.after(Millis::from_hours(4 * 24));
        assert_eq!(
            OFFICE.wait(friday_evening),
            Some(Millis::from_hours(16 + 48))
        );
        let saturday = monday.after(Millis::from_hours(5 * 24));
        assert!(!OFFICE.contain(saturday));
    }

    #[test]
    fn a_wait_ends_where_the_hours_begin() {
        for start in 0..400_u64 {
            let now = WallTime::from_millis(start * HOUR / 2 + 17);
            if !OFFICE.contain(now) {
                let wait = OFFICE.wait(now).expect("they begin every week");
                assert!(OFFICE.contain(now.after(wait)), "{start}");
                assert!(!OFFICE.contain(now.after(Millis::from_millis(wait.millis() - 1))));
            }
        }
    }

    /// Both sides of the clock must be in, to the millisecond, and where they will be is foretold.
    #[test]
    fn invariant_11_hours_are_those_of_both_sides() {
        let hours = [OFFICE];
        for gap in [0, 1, 17 * HOUR / 60, HOUR, 3 * HOUR, 40 * HOUR, 24 * HOUR] {
            for start in 0..400_u64 {
                let steady = WallTime::from_millis(start * HOUR / 2 + 17);
                let sides = [steady, steady.after(Millis::from_millis(gap))];
                let both = |wait: Millis| sides.iter().all(|side| OFFICE.contain(side.after(wait)));
                let open = are_open(&hours, sides);
                assert_eq!(open, both(Millis::default()), "{start} {gap}");
                let Some(wait) = until_open(&hours, sides) else {
                    // Monday 9:00 and Tuesday 17:00 or later: never.
                    assert_eq!(gap, 40 * HOUR, "{start}");
                    continue;
                };
                assert!(both(wait), "{start} {gap}");
                let before = wait.millis().checked_sub(1);
                assert!(before.is_none_or(|wait| !both(Millis::from_millis(wait))));
                // Nor at any half hour before.
                let halves = (0..wait.millis() / (HOUR / 2)).map(|half| half * HOUR / 2);
                assert!(
                    halves
                        .into_iter()
                        .all(|wait| !both(Millis::from_millis(wait)))
                );
            }
        }
        assert_eq!(until_open(&[], [WallTime::default(); 2]), None);
    }

    #[test]
    fn scopes_have_one_text_form() {
        let scopes = [
            Scope::Global,
            Scope::Pool("ops".to_owned()),
            Scope::Wallet(WalletId::from_bytes([1; 16])),
            Scope::EverySession,
            Scope::Session(SessionId::from_bytes([1; 16])),
            Scope::BearerSessions,
        ];
        for scope in scopes {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        for wrong in [
            "",
            "Global",
            "pool",
            "sessions",
            "owner_00000000000000000000000001",
        ] {
            assert_eq!(wrong.parse::<Scope>(), Err(ScopeError), "{wrong}");
        }
    }
}
