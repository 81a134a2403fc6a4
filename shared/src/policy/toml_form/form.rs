//! The shape of the TOML form, and the way between it and the document, both ways.

mod authorization;
mod calls;
mod limits;
mod programs;
mod rules;
mod sites;

use serde::{Deserialize, Serialize};

use self::authorization::AuthorizationForm;
use self::calls::CallForm;
use self::limits::{CountsForm, CumulativeForm, LimitsForm};
use self::rules::{AlarmForm, EscalationForm, ScopeForm};
use self::sites::SignInForm;
use super::values::{USD, read_amount, read_duration, write_duration};
use super::{TomlError, ValueError};
use crate::address::SolanaAddress;
use crate::amount::{Amount, Decimals};
use crate::caip::{AccountId, AssetId};
use crate::evm::Form;
use crate::ids::WalletId;
use crate::policy::document::{
    APPROVAL_DEFAULT, Approval, AssetRule, DELAY_DEFAULT, MATURITY_DEFAULT, PolicyDocument,
    RELEASE_DEFAULT, Recipient, TableRule, TokenExtension, UsdPrice, Validator,
};
use crate::policy::evaluate::Tier;
use crate::policy::scope::Pool;
use crate::solana::TokenProgram;
use crate::time::Millis;

/// Reads values of one entry, so that what is wrong is named with it.
struct At<'a>(&'a str);

impl At<'_> {
    fn value<T>(
        &self,
        key: &'static str,
        text: &str,
        read: impl FnOnce(&str) -> Result<T, ValueError>,
    ) -> Result<T, TomlError> {
        read(text).map_err(|error| TomlError::Value {
            entry: self.0.into(),
            key,
            text: text.into(),
            error,
        })
    }

    fn maybe<T>(
        &self,
        key: &'static str,
        text: Option<&String>,
        read: impl FnOnce(&str) -> Result<T, ValueError>,
    ) -> Result<Option<T>, TomlError> {
        text.map(|text| self.value(key, text, read)).transpose()
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Document {
    version: u16,
    epoch: u64,
    maturity: Option<String>,
    delay: Option<String>,
    approval_quorum: Option<u8>,
    approval_lifetime: Option<String>,
    release_within: Option<String>,
    #[serde(default)]
    recipients_open: bool,
    first_payment: Option<Tier>,
    dead_man: Option<String>,
    #[serde(default)]
    denied: Vec<AccountId>,
    #[serde(default)]
    asset: Vec<Asset>,
    #[serde(default)]
    recipient: Vec<Contact>,
    #[serde(default)]
    pool: Vec<PoolForm>,
    #[serde(default)]
    call: Vec<CallForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    validator: Vec<Contact>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    table: Vec<TableForm>,
    #[serde(default)]
    scope: Vec<ScopeForm>,
    #[serde(default)]
    alarm: Vec<AlarmForm>,
    #[serde(default)]
    escalation: Vec<EscalationForm>,
    #[serde(default)]
    sign_in: Vec<SignInForm>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Asset {
    id: AssetId,
    symbol: String,
    decimals: Decimals,
    instant_up_to: String,
    notify_up_to: String,
    delay_up_to: Option<String>,
    approve_up_to: Option<String>,
    per_transaction: String,
    hour: String,
    day: String,
    week: String,
    month: String,
    #[serde(default, skip_serializing_if = "CountsForm::is_empty")]
    count: CountsForm,
    fee_ceiling: Option<String>,
    rent_ceiling: Option<String>,
    data_fee_ceiling: Option<String>,
    transactions: Option<Form>,
    outstanding: Option<String>,
    #[serde(default)]
    sign_only: bool,
    usd_price: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extensions: Vec<ExtensionForm>,
    token_program: Option<TokenProgram>,
    authorization: Option<AuthorizationForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cumulative: Vec<CumulativeForm>,
    recipient: Option<LimitsForm>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Contact {
    name: String,
    account: AccountId,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TableForm {
    account: AccountId,
    addresses: Vec<SolanaAddress>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PoolForm {
    name: String,
    wallets: Vec<WalletId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ExtensionForm {
    kind: ExtensionKind,
    basis_points: Option<u16>,
    most: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ExtensionKind {
    TransferFee,
    PermanentDelegate,
    InterestBearing,
    Metadata,
    MintCloseAuthority,
    DefaultAccountState,
}

impl Document {
    pub(super) fn of(document: &PolicyDocument) -> Self {
        let decimals = |asset| decimals_of(&document.assets, asset);
        Self {
            version: document.version,
            epoch: document.epoch,
            maturity: Some(write_duration(document.maturity)),
            delay: Some(write_duration(document.delay)),
            approval_quorum: Some(document.approval.quorum),
            approval_lifetime: Some(write_duration(document.approval.lifetime)),
            release_within: Some(write_duration(document.release_within)),
            recipients_open: document.recipients_open,
            first_payment: document.first_payment,
            dead_man: document.dead_man.map(write_duration),
            denied: document.denied.clone(),
            asset: document.assets.iter().map(Asset::of).collect(),
            recipient: document
                .recipients
                .iter()
                .map(|known| Contact {
                    name: known.name.clone(),
                    account: known.account,
                })
                .collect(),
            pool: document
                .pools
                .iter()
                .map(|pool| PoolForm {
                    name: pool.name.clone(),
                    wallets: pool.wallets.clone(),
                })
                .collect(),
            call: document
                .calls
                .iter()
                .map(|rule| CallForm::of(rule, &decimals))
                .collect(),
            validator: document
                .validators()
                .map(|known| Contact {
                    name: known.name.clone(),
                    account: known.account,
                })
                .collect(),
            table: document
                .tables()
                .map(|table| TableForm {
                    account: table.account,
                    addresses: table.addresses.clone(),
                })
                .collect(),
            scope: document
                .scopes
                .iter()
                .map(|rule| ScopeForm::of(rule, &decimals))
                .collect(),
            alarm: document.alarms.iter().map(AlarmForm::of).collect(),
            escalation: document
                .escalations
                .iter()
                .map(EscalationForm::of)
                .collect(),
            sign_in: document.sites().iter().map(SignInForm::of).collect(),
        }
    }

    pub(super) fn read(self) -> Result<PolicyDocument, TomlError> {
        let at = At("the document");
        let duration = |key, text: Option<&String>, default: Millis| {
            let read = at.maybe(key, text, read_duration)?;
            Ok::<_, TomlError>(read.unwrap_or(default))
        };
        let assets: Vec<AssetRule> = self
            .asset
            .iter()
            .map(Asset::read)
            .collect::<Result<_, _>>()?;
        let decimals = |asset| decimals_of(&assets, asset);
        Ok(PolicyDocument {
            version: self.version,
            epoch: self.epoch,
            maturity: duration("maturity", self.maturity.as_ref(), MATURITY_DEFAULT)?,
            recipients: self
                .recipient
                .into_iter()
                .map(|contact| Recipient {
                    account: contact.account,
                    name: contact.name,
                })
                .collect(),
            delay: duration("delay", self.delay.as_ref(), DELAY_DEFAULT)?,
            approval: Approval {
                quorum: self.approval_quorum.unwrap_or(APPROVAL_DEFAULT.quorum),
                lifetime: duration(
                    "approval-lifetime",
                    self.approval_lifetime.as_ref(),
                    APPROVAL_DEFAULT.lifetime,
                )?,
            },
            release_within: duration(
                "release-within",
                self.release_within.as_ref(),
                RELEASE_DEFAULT,
            )?,
            recipients_open: self.recipients_open,
            first_payment: self.first_payment,
            denied: self.denied,
            pools: self
                .pool
                .into_iter()
                .map(|pool| Pool {
                    name: pool.name,
                    wallets: pool.wallets,
                })
                .collect(),
            calls: self
                .call
                .iter()
                .map(|form| form.read(&decimals))
                .collect::<Result<_, _>>()?,
            scopes: self
                .scope
                .iter()
                .map(|form| form.read(&decimals))
                .collect::<Result<_, _>>()?,
            alarms: self
                .alarm
                .iter()
                .map(AlarmForm::read)
                .collect::<Result<_, _>>()?,
            escalations: self
                .escalation
                .iter()
                .map(EscalationForm::read)
                .collect::<Result<_, _>>()?,
            dead_man: at.maybe("dead-man", self.dead_man.as_ref(), read_duration)?,
            sign_ins: if self.sign_in.is_empty() {
                None
            } else {
                let read = self.sign_in.iter().map(SignInForm::read);
                Some(read.collect::<Result<_, _>>()?)
            },
            validators: (!self.validator.is_empty()).then(|| {
                let named = self.validator.into_iter().map(|known| Validator {
                    account: known.account,
                    name: known.name,
                });
                named.collect()
            }),
            tables: (!self.table.is_empty()).then(|| {
                let tables = self.table.into_iter().map(|table| TableRule {
                    account: table.account,
                    addresses: table.addresses,
                });
                tables.collect()
            }),
            assets,
        })
    }
}

/// The decimals of an asset that has an entry.
fn decimals_of(assets: &[AssetRule], asset: AssetId) -> Option<Decimals> {
    let rule = assets.iter().find(|rule| rule.asset == asset)?;
    Some(rule.decimals)
}

impl Asset {
    fn of(rule: &AssetRule) -> Self {
        let decimals = rule.decimals;
        let shown = |amount: Amount| amount.format_decimal(decimals);
        Self {
            id: rule.asset,
            symbol: rule.symbol.clone(),
            decimals,
            instant_up_to: shown(rule.instant_up_to),
            notify_up_to: shown(rule.notify_up_to),
            delay_up_to: Some(shown(rule.delay_up_to)),
            approve_up_to: Some(shown(rule.approve_up_to)),
            per_transaction: shown(rule.per_transaction),
            hour: shown(rule.hour),
            day: shown(rule.day),
            week: shown(rule.week),
            month: shown(rule.month),
            count: CountsForm::of(rule.counts),
            fee_ceiling: rule.fee_ceiling.map(shown),
            rent_ceiling: rule.rent_ceiling.map(shown),
            data_fee_ceiling: rule.data_fee.map(shown),
            transactions: rule.transactions,
            outstanding: rule.outstanding.map(shown),
            sign_only: rule.sign_only,
            usd_price: rule
                .price
                .map(|price| Amount::from_base_units(price.0.into()).format_decimal(USD)),
            extensions: rule
                .extensions
                .iter()
                .map(|extension| ExtensionForm::of(extension, decimals))
                .collect(),
            token_program: rule.program,
            authorization: rule.authorization.as_ref().map(AuthorizationForm::of),
            cumulative: CumulativeForm::list(&rule.cumulative, decimals),
            recipient: rule
                .recipient
                .as_ref()
                .map(|limits| LimitsForm::of(limits, decimals)),
        }
    }

    fn read(&self) -> Result<AssetRule, TomlError> {
        let entry = format!("[[asset]] {}", self.id);
        let at = At(&entry);
        let amount = |text: &str| read_amount(text, self.decimals);
        let read = |key, text: &str| at.value(key, text, amount);
        let maybe = |key, text: Option<&String>| at.maybe(key, text, amount);
        let notify_up_to = read("notify-up-to", &self.notify_up_to)?;
        // Without the tier that waits or asks, nothing above the one before it passes.
        let delay_up_to = maybe("delay-up-to", self.delay_up_to.as_ref())?.unwrap_or(notify_up_to);
        let approve_up_to =
            maybe("approve-up-to", self.approve_up_to.as_ref())?.unwrap_or(delay_up_to);
        Ok(AssetRule {
            asset: self.id,
            symbol: self.symbol.clone(),
            decimals: self.decimals,
            per_transaction: read("per-transaction", &self.per_transaction)?,
            hour: read("hour", &self.hour)?,
            day: read("day", &self.day)?,
            week: read("week", &self.week)?,
            month: read("month", &self.month)?,
            counts: self.count.read(),
            instant_up_to: read("instant-up-to", &self.instant_up_to)?,
            notify_up_to,
            fee_ceiling: maybe("fee-ceiling", self.fee_ceiling.as_ref())?,
            outstanding: maybe("outstanding", self.outstanding.as_ref())?,
            sign_only: self.sign_only,
            delay_up_to,
            approve_up_to,
            cumulative: CumulativeForm::read_list(&self.cumulative, &at, self.decimals)?,
            recipient: self
                .recipient
                .as_ref()
                .map(|form| form.read(&at, self.decimals))
                .transpose()?,
            rent_ceiling: maybe("rent-ceiling", self.rent_ceiling.as_ref())?,
            price: at.maybe("usd-price", self.usd_price.as_ref(), read_price)?,
            extensions: self
                .extensions
                .iter()
                .map(|form| form.read(&at, self.decimals))
                .collect::<Result<_, _>>()?,
            program: self.token_program,
            data_fee: maybe("data-fee-ceiling", self.data_fee_ceiling.as_ref())?,
            transactions: self.transactions,
            authorization: self
                .authorization
                .as_ref()
                .map(|form| form.read(&at))
                .transpose()?,
        })
    }
}

fn read_price(text: &str) -> Result<UsdPrice, ValueError> {
    let micro = Amount::parse_decimal(text, USD).map_err(|_| ValueError::Price)?;
    let price = u64::try_from(micro.base_units()).map_err(|_| ValueError::Price)?;
    Ok(UsdPrice(price))
}

impl ExtensionForm {
    fn of(extension: &TokenExtension, decimals: Decimals) -> Self {
        let kind = match extension {
            TokenExtension::TransferFee { basis_points, most } => {
                return Self {
                    kind: ExtensionKind::TransferFee,
                    basis_points: Some(*basis_points),
                    most: Some(most.format_decimal(decimals)),
                };
            }
            TokenExtension::PermanentDelegate => ExtensionKind::PermanentDelegate,
            TokenExtension::InterestBearing => ExtensionKind::InterestBearing,
            TokenExtension::Metadata => ExtensionKind::Metadata,
            TokenExtension::MintCloseAuthority => ExtensionKind::MintCloseAuthority,
            TokenExtension::DefaultAccountState => ExtensionKind::DefaultAccountState,
        };
        Self {
            kind,
            basis_points: None,
            most: None,
        }
    }

    fn read(&self, at: &At<'_>, decimals: Decimals) -> Result<TokenExtension, TomlError> {
        let most = at.maybe("most", self.most.as_ref(), |text| {
            read_amount(text, decimals)
        })?;
        let read = match (self.kind, self.basis_points, most) {
            (ExtensionKind::TransferFee, Some(basis_points), Some(most)) => {
                Ok(TokenExtension::TransferFee { basis_points, most })
            }
            (ExtensionKind::PermanentDelegate, None, None) => Ok(TokenExtension::PermanentDelegate),
            (ExtensionKind::InterestBearing, None, None) => Ok(TokenExtension::InterestBearing),
            (ExtensionKind::Metadata, None, None) => Ok(TokenExtension::Metadata),
            (ExtensionKind::MintCloseAuthority, None, None) => {
                Ok(TokenExtension::MintCloseAuthority)
            }
            (ExtensionKind::DefaultAccountState, None, None) => {
                Ok(TokenExtension::DefaultAccountState)
            }
            _ => Err(ValueError::Name),
        };
        at.value("extensions", &format!("{:?}", self.kind), |_| read)
    }
}
