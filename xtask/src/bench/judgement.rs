//! The judgement of one payment by a policy of 1,000 contacts and 100 assets, with scopes and a full
//! history: the mean of many, on one core.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AccountId, AssetId, ChainId, Token};
use waiaas_shared::effect::Effect;
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient};
use waiaas_shared::policy::evaluate::{Now, Payment, charges, evaluate};
use waiaas_shared::policy::history::{Charged, History, SessionHistory, WalletHistory};
use waiaas_shared::policy::limits::Limits;
use waiaas_shared::policy::scope::{AssetLimits, Scope, ScopeRule};
use waiaas_shared::time::{BudgetTime, Millis, WallTime};

use super::effort::Effort;

pub(super) const CHAIN: ChainId = ChainId::Evm(31_337);
const ROUNDS: u32 = 100_000;

/// One wallet and one session.
struct Past(WalletHistory, SessionHistory);

impl History for Past {
    fn wallet(&self, _: WalletId) -> Option<&WalletHistory> {
        Some(&self.0)
    }

    fn session(&self, _: SessionId) -> Option<&SessionHistory> {
        Some(&self.1)
    }

    fn wallets(&self) -> Box<dyn Iterator<Item = (WalletId, &WalletHistory)> + '_> {
        Box::new(std::iter::once((WalletId::from_bytes([1; 16]), &self.0)))
    }
}

pub(super) fn address(number: u16) -> EvmAddress {
    let mut bytes = [0; 20];
    let [high, low] = number.to_be_bytes();
    (bytes[0], bytes[1]) = (high, low);
    EvmAddress::from_bytes(bytes)
}

pub(super) fn token(number: u16) -> Option<AssetId> {
    AssetId::new(CHAIN, Token::Erc20(address(number))).ok()
}

fn rule(asset: AssetId) -> AssetRule {
    let units = Amount::from_base_units;
    AssetRule {
        per_transaction: units(1_000_000),
        hour: units(1 << 60),
        day: units(1 << 61),
        week: units(1 << 62),
        month: units(1 << 63),
        instant_up_to: units(1_000_000),
        notify_up_to: units(1_000_000),
        delay_up_to: units(1_000_000),
        approve_up_to: units(1_000_000),
        fee_ceiling: (asset.token() == Token::Native).then(|| units(1000)),
        outstanding: Some(Amount::MAX),
        recipient: Some(Limits {
            day: Some(units(1 << 61)),
            ..Limits::default()
        }),
        ..AssetRule::closed(asset, "COIN", Decimals::ZERO)
    }
}

pub(super) fn document(paid: AssetId) -> PolicyDocument {
    let limits = Limits {
        day: Some(Amount::from_base_units(1 << 61)),
        ..Limits::default()
    };
    let scope = |scope| ScopeRule {
        limits: vec![AssetLimits {
            asset: paid,
            limits: limits.clone(),
        }],
        ..ScopeRule::new(scope)
    };
    let tokens = (0..99).filter_map(token).map(rule);
    let contacts = (0..1000_u16).filter_map(|number| {
        Some(Recipient {
            account: AccountId::new(CHAIN, Account::Evm(address(number))).ok()?,
            name: format!("contact-{number}"),
        })
    });
    let mut document = PolicyDocument {
        assets: tokens.chain([rule(CHAIN.native_asset())]).collect(),
        recipients: contacts.collect(),
        scopes: vec![scope(Scope::Global), scope(Scope::EverySession)],
        ..PolicyDocument::closed(1)
    };
    document.sort();
    document
}

/// The mean of one judgement.
pub(super) fn measure(effort: Effort) -> Result<Duration> {
    let rounds = effort.rounds(ROUNDS);
    let paid = token(50).context("a token")?;
    let effects = [
        Effect::Transfer {
            asset: paid,
            to: Account::Evm(address(500)),
            amount: Amount::from_base_units(1000),
        },
        Effect::Fee {
            asset: CHAIN.native_asset(),
            max: Amount::from_base_units(10),
        },
    ];
    let document = document(paid);
    let mut past = Past(WalletHistory::default(), SessionHistory::default());
    let mut now = BudgetTime::default();
    let sums = charges(&effects).unwrap_or_default();
    // A payment a minute for a month: every bucket of every window is in use.
    for _ in 0..30 * 24 * 60 {
        now = now.after(Millis::from_secs(60));
        let charged = Charged {
            at: now,
            chain: CHAIN,
            charges: &sums,
            effects: &effects,
        };
        past.0.charge(&charged);
        past.1.charge(&charged);
    }
    let payment = Payment {
        wallet: WalletId::from_bytes([1; 16]),
        session: SessionId::from_bytes([1; 16]),
        bearer: false,
        chain: CHAIN,
        effects: &effects,
        submit: true,
    };
    let now = Now {
        budget: now,
        wall: WallTime::from_millis(1_800_000_000_000),
        steady: WallTime::from_millis(1_800_000_000_000),
    };
    let begun = super::usage::own()?;
    let mut passed = 0;
    for _ in 0..rounds {
        let verdict = evaluate(black_box(&document), black_box(&payment), &past, now);
        passed += u32::from(verdict.is_ok());
    }
    let spent = super::usage::own()?.saturating_sub(begun);
    let each = spent.checked_div(rounds).unwrap_or_default();
    ensure!(passed == rounds, "{passed} of {rounds} judgements passed");
    Ok(each)
}
