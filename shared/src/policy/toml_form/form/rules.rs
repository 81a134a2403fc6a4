//! Scopes, alarms and escalations in their form.

use serde::{Deserialize, Serialize};

use super::super::values::{HoursForm, USD, read_duration, write_duration};
use super::super::{TomlError, ValueError};
use super::At;
use super::limits::LimitsForm;
use crate::amount::Decimals;
use crate::caip::{AssetId, ChainId};
use crate::denial::Code;
use crate::policy::alarm::{Action, Alarm, Condition, Escalation, Remedy};
use crate::policy::evaluate::Tier;
use crate::policy::scope::{AssetLimits, Hours, ScopeRule};

/// The decimals of an asset that has an entry.
pub(super) type DecimalsOf<'a> = &'a dyn Fn(AssetId) -> Option<Decimals>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ScopeForm {
    scope: String,
    networks: Option<Vec<ChainId>>,
    assets: Option<Vec<AssetId>>,
    recipients: Option<Vec<String>>,
    cool_down: Option<String>,
    delay: Option<String>,
    first_payment: Option<Tier>,
    hours: Option<Vec<HoursForm>>,
    usd: Option<LimitsForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    limit: Vec<AssetLimitsForm>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AssetLimitsForm {
    asset: AssetId,
    limits: LimitsForm,
}

impl ScopeForm {
    pub(super) fn of(rule: &ScopeRule, decimals: DecimalsOf<'_>) -> Self {
        Self {
            scope: rule.scope.to_string(),
            networks: rule.networks.clone(),
            assets: rule.assets.clone(),
            recipients: rule.recipients.clone(),
            cool_down: rule.cool_down.map(write_duration),
            delay: rule.delay.map(write_duration),
            first_payment: rule.first_payment,
            hours: rule
                .hours
                .as_ref()
                .map(|list| list.iter().map(HoursForm::of).collect()),
            usd: rule.usd.as_ref().map(|limits| LimitsForm::of(limits, USD)),
            limit: rule
                .limits
                .iter()
                .map(|entry| AssetLimitsForm {
                    asset: entry.asset,
                    limits: LimitsForm::of(
                        &entry.limits,
                        decimals(entry.asset).unwrap_or(Decimals::ZERO),
                    ),
                })
                .collect(),
        }
    }

    pub(super) fn read(&self, decimals: DecimalsOf<'_>) -> Result<ScopeRule, TomlError> {
        let entry = format!("[[scope]] {}", self.scope);
        let at = At(&entry);
        let limits = self.limit.iter().map(|form| {
            let known = |_: &str| decimals(form.asset).ok_or(ValueError::UnknownAsset);
            let decimals = at.value("asset", &form.asset.to_string(), known)?;
            Ok(AssetLimits {
                asset: form.asset,
                limits: form.limits.read(&at, decimals)?,
            })
        });
        Ok(ScopeRule {
            scope: at.value("scope", &self.scope, |text| Ok(text.parse()?))?,
            limits: limits.collect::<Result<_, TomlError>>()?,
            usd: self
                .usd
                .as_ref()
                .map(|form| form.read(&at, USD))
                .transpose()?,
            networks: self.networks.clone(),
            assets: self.assets.clone(),
            recipients: self.recipients.clone(),
            hours: read_hours(&at, self.hours.as_deref())?,
            cool_down: at.maybe("cool-down", self.cool_down.as_ref(), read_duration)?,
            delay: at.maybe("delay", self.delay.as_ref(), read_duration)?,
            first_payment: self.first_payment,
        })
    }
}

fn read_hours(at: &At<'_>, forms: Option<&[HoursForm]>) -> Result<Option<Vec<Hours>>, TomlError> {
    let read = |form: &HoursForm| at.value("hours", &format!("{form:?}"), |_| form.read());
    forms
        .map(|forms| forms.iter().map(read).collect())
        .transpose()
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AlarmForm {
    kind: String,
    count: Option<u32>,
    times: Option<u32>,
    window: Option<String>,
    after: Option<String>,
    hours: Option<Vec<HoursForm>>,
    remedy: Option<String>,
    /// In the place of a remedy: the remedy that is its own. Read, never written.
    severity: Option<String>,
}

impl AlarmForm {
    pub(super) fn of(alarm: &Alarm) -> Self {
        let mut form = Self {
            kind: alarm.condition.as_str().to_owned(),
            count: None,
            times: None,
            window: None,
            after: None,
            hours: None,
            remedy: Some(alarm.remedy.as_str().to_owned()),
            severity: None,
        };
        match &alarm.condition {
            Condition::DenialsInARow { count } | Condition::OpenPayments { count } => {
                form.count = Some(*count);
            }
            Condition::Signatures { count, window } => {
                form.count = Some(*count);
                form.window = Some(write_duration(*window));
            }
            Condition::Velocity { times, window } => {
                form.times = Some(*times);
                form.window = Some(write_duration(*window));
            }
            Condition::OutsideHours { hours } => {
                form.hours = Some(hours.iter().map(HoursForm::of).collect());
            }
            Condition::Idle { after } => form.after = Some(write_duration(*after)),
        }
        form
    }

    pub(super) fn read(&self) -> Result<Alarm, TomlError> {
        let entry = format!("[[alarm]] {}", self.kind);
        let at = At(&entry);
        let window = at.maybe("window", self.window.as_ref(), read_duration)?;
        let after = at.maybe("after", self.after.as_ref(), read_duration)?;
        let hours = read_hours(&at, self.hours.as_deref())?;
        let numbers = (self.count, self.times, window, after, hours);
        let condition = |kind: &str| match (kind, numbers) {
            ("denials-in-a-row", (Some(count), None, None, None, None)) => {
                Ok(Condition::DenialsInARow { count })
            }
            ("signatures", (Some(count), None, Some(window), None, None)) => {
                Ok(Condition::Signatures { count, window })
            }
            ("velocity", (None, Some(times), Some(window), None, None)) => {
                Ok(Condition::Velocity { times, window })
            }
            ("outside-hours", (None, None, None, None, Some(hours))) => {
                Ok(Condition::OutsideHours { hours })
            }
            ("open-payments", (Some(count), None, None, None, None)) => {
                Ok(Condition::OpenPayments { count })
            }
            ("idle", (None, None, None, Some(after), None)) => Ok(Condition::Idle { after }),
            _ => Err(ValueError::Alarm),
        };
        let named = |name: fn(Remedy) -> &'static str| {
            move |text: &str| {
                let known = Remedy::ALL.into_iter().find(|one| name(*one) == text);
                known.ok_or(ValueError::Name)
            }
        };
        let remedy = match (&self.remedy, &self.severity) {
            (Some(remedy), None) => at.value("remedy", remedy, named(Remedy::as_str))?,
            (None, Some(severity)) => at.value("severity", severity, named(Remedy::severity))?,
            (both, _) => {
                let said = both.as_deref().unwrap_or_default();
                return at.value("remedy", said, |_| Err(ValueError::Remedy));
            }
        };
        Ok(Alarm {
            condition: at.value("kind", &self.kind, condition)?,
            remedy,
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct EscalationForm {
    code: String,
    action: String,
}

impl EscalationForm {
    pub(super) fn of(escalation: &Escalation) -> Self {
        Self {
            code: escalation.code.to_string(),
            action: escalation.action.as_str().to_owned(),
        }
    }

    pub(super) fn read(&self) -> Result<Escalation, TomlError> {
        let entry = format!("[[escalation]] {}", self.code);
        let at = At(&entry);
        let code = |text: &str| Code::from_text(text).ok_or(ValueError::Name);
        let action = |text: &str| {
            let known = Action::ALL.into_iter().find(|one| one.as_str() == text);
            known.ok_or(ValueError::Name)
        };
        Ok(Escalation {
            code: at.value("code", &self.code, code)?,
            action: at.value("action", &self.action, action)?,
        })
    }
}
