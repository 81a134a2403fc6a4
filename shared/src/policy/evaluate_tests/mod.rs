//! Every code of a rule, once broken and once kept to the unit.

mod amounts;
mod batch;
mod calls;
mod programs;
mod properties;
mod recipients;
mod scopes;
mod stakes;
mod verdicts;

use super::super::alarm::Escalation;
use super::super::document::tests::{full, sample};
use super::super::document::{Recipient, UsdPrice};
use super::super::history::{Charged, Nothing, SessionHistory, WalletHistory};
use super::super::limits::{Counts, Cumulative, Limits};
use super::super::scope::{AssetLimits, Hours, Pool, Scope, ScopeRule};
use super::super::windows::Window;
use super::*;
use crate::address::Account;

const LISTED: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const STRANGER: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const PAYER: WalletId = WalletId::from_bytes([1; 16]);
const OTHER: WalletId = WalletId::from_bytes([2; 16]);
const SESSION: SessionId = SessionId::from_bytes([1; 16]);
const NOW: Now = Now {
    budget: BudgetTime::from_millis(1_000_000),
    // A Monday, 00:00 UTC.
    wall: WallTime::from_millis(1_795_392_000_000),
    steady: WallTime::from_millis(1_795_392_000_000),
};

fn chain() -> ChainId {
    ChainId::Evm(31_337)
}

fn native() -> AssetId {
    chain().native_asset()
}

fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

fn to(text: &str) -> Account {
    text.parse().expect("an address")
}

fn transfer(amount: u128, recipient: &str) -> Effect {
    Effect::Transfer {
        asset: native(),
        to: to(recipient),
        amount: units(amount),
    }
}

fn fee(amount: u128) -> Effect {
    Effect::Fee {
        asset: native(),
        max: units(amount),
    }
}

fn payment(amount: u128, of_fee: u128) -> Vec<Effect> {
    vec![transfer(amount, LISTED), fee(of_fee)]
}

/// Two wallets and one session.
#[derive(Debug, Default, Clone)]
struct Past {
    payer: WalletHistory,
    other: WalletHistory,
    session: SessionHistory,
}

impl History for Past {
    fn wallet(&self, wallet: WalletId) -> Option<&WalletHistory> {
        match wallet {
            PAYER => Some(&self.payer),
            OTHER => Some(&self.other),
            _ => None,
        }
    }

    fn session(&self, session: SessionId) -> Option<&SessionHistory> {
        (session == SESSION).then_some(&self.session)
    }

    fn wallets(&self) -> Box<dyn Iterator<Item = (WalletId, &WalletHistory)> + '_> {
        Box::new([(PAYER, &self.payer), (OTHER, &self.other)].into_iter())
    }
}

impl Past {
    /// The payer, in the session, paid `amount` to the listed recipient at so many milliseconds.
    fn paid(mut self, at: u64, amount: u128) -> Self {
        let effects = [transfer(amount, LISTED)];
        let charges = charges(&effects).expect("fits");
        let charged = Charged {
            at: BudgetTime::from_millis(at),
            chain: chain(),
            charges: &charges,
            effects: &effects,
        };
        self.payer.charge(&charged);
        self.session.charge(&charged);
        self
    }

    /// The other wallet did.
    fn other_paid(mut self, at: u64, amount: u128) -> Self {
        let effects = [transfer(amount, LISTED)];
        self.other.charge(&Charged {
            at: BudgetTime::from_millis(at),
            chain: chain(),
            charges: &charges(&effects).expect("fits"),
            effects: &effects,
        });
        self
    }

    fn attested(mut self) -> Self {
        self.payer.attested(chain(), None);
        self
    }
}

fn request(effects: &[Effect]) -> Payment<'_> {
    Payment {
        wallet: PAYER,
        session: SESSION,
        bearer: false,
        chain: chain(),
        effects,
        submit: true,
    }
}

fn codes(violations: &[Violation]) -> Vec<Code> {
    violations.iter().map(|violation| violation.code).collect()
}

fn judge(document: &PolicyDocument, effects: &[Effect], past: &Past) -> Result<Tier, Vec<Code>> {
    assert_eq!(document.check(), Ok(()));
    evaluate(document, &request(effects), past, NOW)
        .map(|verdict| verdict.tier)
        .map_err(|violations| codes(&violations))
}

/// The sample with a scope of its own.
fn scoped(scope: Scope, fill: impl FnOnce(&mut ScopeRule)) -> PolicyDocument {
    let mut document = sample();
    let mut rule = ScopeRule::new(scope);
    fill(&mut rule);
    document.scopes = vec![rule];
    document.pools = vec![Pool {
        name: "ops".to_owned(),
        wallets: vec![PAYER, OTHER],
    }];
    document
}

fn limited(scope: Scope, limits: Limits) -> PolicyDocument {
    scoped(scope, |rule| {
        rule.limits = vec![AssetLimits {
            asset: native(),
            limits,
        }];
    })
}

fn some(amount: u128) -> Option<Amount> {
    Some(units(amount))
}

/// One unit of the sample's assets is 10^9 base units: at this price one base unit is one dollar.
const DOLLAR_EACH: UsdPrice = UsdPrice(1_000_000 * 1_000_000_000);
