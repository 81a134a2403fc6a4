//! What binds a session, in words and figures: where it may pay from and to whom, what is signed at once, what waits
//! and what asks the owner, what is left of each limit and when more is. Only what the session covers; the figures of
//! what is left are the signer's own, and none of them decides anything.

mod narrow;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AccountId, AssetId};
use waiaas_shared::denial::Code;
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};
use waiaas_shared::policy::evaluate::{Tier, WindowLeft};
use waiaas_shared::policy::limits::Limits;
use waiaas_shared::policy::names::amount_in_words;
use waiaas_shared::policy::scope::{Hours, ScopeRule};
use waiaas_shared::time::{Millis, WallTime};
use waiaas_shared::view::{Remaining, SessionView, WalletView};

use self::narrow::Covered;
use super::auth::Session;
use super::error::{Problem, ProblemBody};
use crate::app::App;
use crate::clock::{rfc3339, up_to_second};

/// What binds this session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PolicyJson {
    /// The session that it is told for.
    session: String,
    /// What may still be spent, asset by asset, in sentences.
    summary: Vec<String>,
    /// What may still be spent, asset by asset, in figures.
    assets: Vec<AssetTerms>,
    /// Who may receive now by every binding policy: `name` or `address` goes into `to`.
    contacts: Vec<Contact>,
    /// Whether anybody else may receive too.
    recipients_open: bool,
    /// The least tier of a wallet's first payment to a recipient: NOTIFY, DELAY or APPROVAL, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_payment: Option<&'static str>,
    /// Times of the week: each of these has to be kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hours: Vec<Open>,
    /// Least time between two payments, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    cool_down_seconds: Option<u64>,
    /// How long a payment of tier DELAY waits at least, in seconds.
    delay_seconds: u64,
    /// How many owners have to sign for a payment of tier APPROVAL.
    approvals_needed: u8,
    /// How long such a payment waits for them, in seconds.
    approval_seconds: u64,
    /// Every binding policy, oldest first; a payment has to keep each of them.
    policies: Vec<Words>,
}

/// One binding policy as far as it binds this session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Words {
    /// Which.
    epoch: u64,
    /// What it says, one entry a line. What no line names is refused.
    words: Vec<String>,
}

/// Who may receive.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Contact {
    /// As a payment names it: `@` and the contact's name. Absent of an account that the session's grant alone names.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// On which network (CAIP-2).
    network: String,
    /// Its address there.
    address: String,
}

/// What may be spent of one asset from one wallet, in base units, the worst-case fee included.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssetTerms {
    /// From which wallet.
    wallet: String,
    /// On which network (CAIP-2).
    network: String,
    /// Which asset (CAIP-19).
    asset: String,
    /// What the policy calls it.
    symbol: String,
    /// Places between its unit and its base unit.
    decimals: u8,
    /// Most in one transaction now: limits and what is left of them together.
    spendable_base: String,
    /// Most in one transaction, whatever was spent before.
    per_transaction_base: String,
    /// Signed at once up to here.
    instant_up_to_base: String,
    /// Signed at once, with the owner told, up to here.
    notify_up_to_base: String,
    /// Signed after a wait up to here.
    delay_up_to_base: String,
    /// Signed if the owner approves up to here; above, never.
    approve_up_to_base: String,
    /// Of the network's own coin: the most that one transaction may pay as fee.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_ceiling_base: Option<String>,
    /// What the session leaves, over its whole life.
    session_left_base: String,
    /// The tightest limit of each rolling window, shortest first.
    windows: Vec<WindowJson>,
}

/// What one rolling limit leaves.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WindowJson {
    /// `hour`, `day` (24 hours), `week` (7 days) or `month` (30 days).
    window: &'static str,
    /// Most in any such time, base units.
    limit_base: String,
    /// What is left of that now.
    left_base: String,
    /// When more is left, if nothing else is spent (RFC 3339); absent if nothing was spent in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_at: Option<String>,
    /// When all of it is left again.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole_at: Option<String>,
}

/// A part of the week in which payments may be made: any of these.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Open {
    /// Whether it is open now.
    open_now: bool,
    /// Its times.
    any_of: Vec<HoursJson>,
}

/// Times of the days of a week.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HoursJson {
    /// On these days: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
    days: Vec<&'static str>,
    /// From this time on, `HH:MM`.
    from: String,
    /// Up to, not including, this time.
    to: String,
    /// Minutes east of UTC in which the times are.
    utc_offset_minutes: i16,
}

impl WindowJson {
    /// With the times of this clock.
    pub(super) fn of(told: &WindowLeft, now: WallTime) -> Self {
        let at = |wait: Option<Millis>| wait.map(|wait| rfc3339(up_to_second(now.after(wait))));
        Self {
            window: told.window.as_str(),
            limit_base: told.limit.to_string(),
            left_base: told.left.to_string(),
            more_at: at(told.more_in),
            whole_at: at(told.whole_in),
        }
    }
}

/// What binds this session, in words and figures, and what may still be spent, when.
#[utoipa::path(get, path = "/v1/policy", tag = "session",
    responses((status = 200, description = "What binds the session", body = PolicyJson),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = [])))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Session(session): Session,
) -> Result<Json<PolicyJson>, Problem> {
    // Asked for afresh: what is left changes with every payment.
    let view = app
        .signer
        .remaining(session.id)
        .await?
        .ok_or(Code::SessionUnknown)?;
    let documents = app.views.policy(&*app.signer).await?;
    let all = app.views.wallets(&*app.signer).await?;
    let wallets: Vec<&WalletView> = all
        .iter()
        .filter(|known| session.grant.wallets.contains(&known.wallet))
        .collect();
    let covered = Covered {
        session: &session,
        wallets: &wallets,
        documents: &documents,
    };
    Ok(Json(told(&covered, &view, app.clock.now())))
}

fn told(covered: &Covered<'_>, view: &SessionView, now: WallTime) -> PolicyJson {
    let documents = covered.documents;
    let newest = documents.last();
    let terms = view.remaining.iter().filter_map(|left| {
        let wallet = covered
            .wallets
            .iter()
            .find(|known| known.wallet == left.wallet)?;
        let rule = newest?.asset(left.asset)?;
        Some(terms(covered, wallet, rule, left, now))
    });
    let (summary, assets) = terms.unzip();
    // Rules of a scope hold for a wallet; the strictest of all wallets is told.
    let scopes = move || {
        documents.iter().flat_map(move |document| {
            let scopes = document.scopes.iter();
            scopes.filter(move |rule| {
                let mut wallets = covered.wallets.iter();
                wallets.any(|wallet| covered.holds(&rule.scope, document, wallet))
            })
        })
    };
    let first = documents
        .iter()
        .filter_map(|document| document.first_payment);
    let first = first
        .chain(scopes().filter_map(|rule| rule.first_payment))
        .max();
    let delays = documents.iter().map(|document| document.delay);
    let delay = delays.chain(scopes().filter_map(|rule| rule.delay)).max();
    let approvals = || documents.iter().map(|document| document.approval);
    let whole_seconds = |wait: Millis| wait.millis().div_ceil(1000);
    PolicyJson {
        session: view.session.to_string(),
        summary,
        assets,
        contacts: contacts(covered),
        recipients_open: view.grant.recipients.is_none()
            && !documents.is_empty()
            && documents.iter().all(|document| document.recipients_open),
        first_payment: first.map(Tier::as_str),
        hours: scopes().filter_map(|rule| open(rule, now)).collect(),
        cool_down_seconds: scopes()
            .filter_map(|rule| rule.cool_down)
            .max()
            .map(whole_seconds),
        delay_seconds: whole_seconds(delay.unwrap_or_default()),
        approvals_needed: approvals()
            .map(|approval| approval.quorum)
            .max()
            .unwrap_or(1),
        approval_seconds: whole_seconds(
            approvals()
                .map(|approval| approval.lifetime)
                .min()
                .unwrap_or_default(),
        ),
        policies: documents
            .iter()
            .map(|document| Words {
                epoch: document.epoch,
                words: covered.words(document),
            })
            .collect(),
    }
}

/// What may be spent of an asset from a wallet: a sentence, and figures.
fn terms(
    covered: &Covered<'_>,
    wallet: &WalletView,
    newest: &AssetRule,
    left: &Remaining,
    now: WallTime,
) -> (String, AssetTerms) {
    let asset = left.asset;
    let limits = |document: &PolicyDocument| -> Vec<Limits> {
        let scopes = document.scopes.iter();
        let held = scopes.filter(|rule| covered.holds(&rule.scope, document, wallet));
        let of_scopes = held.filter_map(|rule| rule.limits(asset).cloned());
        let of_asset = document.asset(asset).map(AssetRule::limits);
        of_asset.into_iter().chain(of_scopes).collect()
    };
    let all: Vec<Limits> = covered.documents.iter().flat_map(limits).collect();
    let lowest = |which: fn(&Limits) -> Option<Amount>| {
        let most = all.iter().filter_map(which).min().unwrap_or_default();
        most.min(left.per_transaction)
    };
    let thresholds = [
        lowest(|limits| limits.instant_up_to),
        lowest(|limits| limits.notify_up_to),
        lowest(|limits| limits.delay_up_to),
        lowest(|limits| limits.approve_up_to),
    ];
    let [instant, notify, delay, approve] = thresholds.map(|most| most.to_string());
    let spendable = left.per_transaction.min(left.window).min(left.session);
    let fees = covered.documents.iter();
    let fee_ceiling = fees
        .map(|document| document.asset(asset)?.fee_ceiling)
        .min();
    let terms = AssetTerms {
        wallet: left.wallet.to_string(),
        network: asset.chain().to_string(),
        asset: asset.to_string(),
        symbol: newest.symbol.clone(),
        decimals: newest.decimals.places(),
        spendable_base: spendable.to_string(),
        per_transaction_base: left.per_transaction.to_string(),
        instant_up_to_base: instant,
        notify_up_to_base: notify,
        delay_up_to_base: delay,
        approve_up_to_base: approve,
        fee_ceiling_base: fee_ceiling.flatten().map(|most| most.to_string()),
        session_left_base: left.session.to_string(),
        windows: left
            .windows
            .iter()
            .map(|told| WindowJson::of(told, now))
            .collect(),
    };
    let sentence = sentence(covered, left, thresholds, now);
    (sentence, terms)
}

fn sentence(
    covered: &Covered<'_>,
    left: &Remaining,
    thresholds: [Amount; 4],
    now: WallTime,
) -> String {
    let words = |amount| amount_in_words(covered.documents.last(), left.asset, amount);
    let [instant, notify, delay, approve] = thresholds.map(words);
    let spendable = left.per_transaction.min(left.window).min(left.session);
    let mut sentence = format!(
        "From {}: at most {} in one transaction now, its worst-case fee included. Signed at once up to {instant}, with \
         the owner told up to {notify}, after a wait up to {delay}, with the owner's approval up to {approve}.",
        left.wallet,
        words(spendable),
    );
    for told in &left.windows {
        let window = told.window.as_str();
        let (rest, limit) = (words(told.left), words(told.limit));
        sentence.push_str(&format!(" {rest} of {limit} left in any {window}"));
        match told.more_in {
            Some(wait) => {
                let at = rfc3339(up_to_second(now.after(wait)));
                sentence.push_str(&format!(", more at {at}."));
            }
            None => sentence.push('.'),
        }
    }
    sentence.push_str(&format!(" The session leaves {}.", words(left.session)));
    sentence
}

/// Who may receive now; the newest document alone says who is a contact.
fn contacts(covered: &Covered<'_>) -> Vec<Contact> {
    let networks = covered.networks();
    let newest = covered.documents.last();
    let listed = newest.into_iter().flat_map(|document| &document.recipients);
    let known = listed.map(|known| (known.account, Some(format!("@{}", known.name))));
    let granted = covered.session.grant.recipients.as_ref();
    let named = granted.into_iter().flat_map(|named| &named.accounts);
    let strangers = named
        .filter(|account| newest.is_none_or(|document| document.recipient(**account).is_none()));
    let strangers = strangers.map(|account| (*account, None));
    known
        .chain(strangers)
        .filter(|(account, _)| networks.contains(&account.chain()) && covered.may_receive(*account))
        .map(|(account, name): (AccountId, _)| Contact {
            name,
            network: account.chain().to_string(),
            address: account.account().to_string(),
        })
        .collect()
}

fn open(rule: &ScopeRule, now: WallTime) -> Option<Open> {
    let hours = rule.hours.as_ref()?;
    Some(Open {
        open_now: hours.iter().any(|part| part.contain(now)),
        any_of: hours.iter().map(HoursJson::from).collect(),
    })
}

impl From<&Hours> for HoursJson {
    fn from(hours: &Hours) -> Self {
        const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let days = DAYS.iter().enumerate();
        Self {
            days: days
                .filter(|(place, _)| hours.days & (1 << place) != 0)
                .map(|(_, day)| *day)
                .collect(),
            from: clock(hours.from),
            to: clock(hours.to),
            utc_offset_minutes: hours.utc_offset,
        }
    }
}

/// An asset that may be spent, as a wallet lists it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Spendable {
    /// On which network (CAIP-2).
    network: String,
    /// Which asset (CAIP-19).
    asset: String,
    /// What the policy calls it.
    symbol: String,
    /// Places between its unit and its base unit.
    decimals: u8,
}

impl Spendable {
    /// The assets that both the grant and the newest policy name, on a wallet's networks.
    pub(super) fn of(
        wallet: &WalletView,
        granted: impl Iterator<Item = AssetId>,
        newest: Option<&PolicyDocument>,
    ) -> Vec<Self> {
        let here = granted.filter(|asset| wallet.networks.contains(&asset.chain()));
        let rules = here.filter_map(|asset| newest?.asset(asset));
        rules
            .map(|rule| Self {
                network: rule.asset.chain().to_string(),
                asset: rule.asset.to_string(),
                symbol: rule.symbol.clone(),
                decimals: rule.decimals.places(),
            })
            .collect()
    }
}
