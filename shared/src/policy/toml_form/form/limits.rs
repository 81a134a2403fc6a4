//! Limits in their form.

use serde::{Deserialize, Serialize};

use super::super::values::read_amount;
use super::super::{TomlError, ValueError};
use super::At;
use crate::amount::{Amount, Decimals};
use crate::policy::evaluate::Tier;
use crate::policy::limits::{Counts, Cumulative, Limits};
use crate::policy::windows::Window;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LimitsForm {
    instant_up_to: Option<String>,
    notify_up_to: Option<String>,
    delay_up_to: Option<String>,
    approve_up_to: Option<String>,
    per_transaction: Option<String>,
    hour: Option<String>,
    day: Option<String>,
    week: Option<String>,
    month: Option<String>,
    #[serde(default, skip_serializing_if = "CountsForm::is_empty")]
    count: CountsForm,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cumulative: Vec<CumulativeForm>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CountsForm {
    hour: Option<u32>,
    day: Option<u32>,
    week: Option<u32>,
    month: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CumulativeForm {
    window: String,
    above: String,
    tier: Tier,
}

impl LimitsForm {
    pub(super) fn of(limits: &Limits, decimals: Decimals) -> Self {
        let shown = |amount: Option<Amount>| amount.map(|amount| amount.format_decimal(decimals));
        Self {
            instant_up_to: shown(limits.instant_up_to),
            notify_up_to: shown(limits.notify_up_to),
            delay_up_to: shown(limits.delay_up_to),
            approve_up_to: shown(limits.approve_up_to),
            per_transaction: shown(limits.per_transaction),
            hour: shown(limits.hour),
            day: shown(limits.day),
            week: shown(limits.week),
            month: shown(limits.month),
            count: CountsForm::of(limits.counts),
            cumulative: CumulativeForm::list(&limits.cumulative, decimals),
        }
    }

    pub(super) fn read(&self, at: &At<'_>, decimals: Decimals) -> Result<Limits, TomlError> {
        let read = |key, text: &Option<String>| {
            at.maybe(key, text.as_ref(), |text| read_amount(text, decimals))
        };
        Ok(Limits {
            per_transaction: read("per-transaction", &self.per_transaction)?,
            hour: read("hour", &self.hour)?,
            day: read("day", &self.day)?,
            week: read("week", &self.week)?,
            month: read("month", &self.month)?,
            counts: self.count.read(),
            instant_up_to: read("instant-up-to", &self.instant_up_to)?,
            notify_up_to: read("notify-up-to", &self.notify_up_to)?,
            delay_up_to: read("delay-up-to", &self.delay_up_to)?,
            approve_up_to: read("approve-up-to", &self.approve_up_to)?,
            cumulative: CumulativeForm::read_list(&self.cumulative, at, decimals)?,
        })
    }
}

impl CountsForm {
    pub(super) const fn of(counts: Counts) -> Self {
        Self {
            hour: counts.hour,
            day: counts.day,
            week: counts.week,
            month: counts.month,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) const fn read(self) -> Counts {
        Counts {
            hour: self.hour,
            day: self.day,
            week: self.week,
            month: self.month,
        }
    }
}

impl CumulativeForm {
    pub(super) fn list(list: &[Cumulative], decimals: Decimals) -> Vec<Self> {
        list.iter()
            .map(|entry| Self {
                window: entry.window.as_str().to_owned(),
                above: entry.above.format_decimal(decimals),
                tier: entry.tier,
            })
            .collect()
    }

    pub(super) fn read_list(
        list: &[Self],
        at: &At<'_>,
        decimals: Decimals,
    ) -> Result<Vec<Cumulative>, TomlError> {
        let window = |text: &str| {
            let known = Window::ALL.into_iter().find(|one| one.as_str() == text);
            known.ok_or(ValueError::Name)
        };
        list.iter()
            .map(|form| {
                Ok(Cumulative {
                    window: at.value("window", &form.window, window)?,
                    above: at.value("above", &form.above, |text| read_amount(text, decimals))?,
                    tier: form.tier,
                })
            })
            .collect()
    }
}
