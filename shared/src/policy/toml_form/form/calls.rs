//! Calls in their form: `method` of a program with its accounts, or `function`, and a table for each argument.

use serde::{Deserialize, Serialize};

use super::super::values::{read_amount, read_method, write_method};
use super::super::{TomlError, ValueError};
use super::At;
use super::programs::{AccountForm, OutflowForm, ProgramForm};
use super::rules::DecimalsOf;
use crate::amount::{Amount, Decimals};
use crate::caip::{AccountId, AssetId};
use crate::evm::abi::{Function, Kind};
use crate::policy::document::{Accepts, ArgumentRule, CallFunction, CallRule};
use crate::policy::evaluate::Tier;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CallForm {
    target: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    /// APPROVAL if absent: whoever wants less says so.
    tier: Option<Tier>,
    /// Nothing if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_up_to: Option<String>,
    /// Bytes of any content behind a program's arguments; none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_bytes: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<AccountForm>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<Vec<ArgumentForm>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outflow: Option<Vec<OutflowForm>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ArgumentForm {
    /// Of a program's argument; a function names its own.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) any: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) one_of: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) wallet: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spends: Option<AssetId>,
}

impl CallForm {
    pub(super) fn of(rule: &CallRule, decimals_of: DecimalsOf<'_>) -> Self {
        let native = rule.target.chain().native_asset();
        let decimals = decimals_of(native).unwrap_or(Decimals::ZERO);
        let function = rule.function.as_ref();
        let program = rule.program.as_ref();
        Self {
            target: rule.target,
            method: function.is_none().then(|| write_method(&rule.method)),
            function: function.map(|function| function.signature.to_string()),
            tier: Some(rule.tier),
            value_up_to: program
                .is_none()
                .then(|| rule.value_up_to.format_decimal(decimals)),
            more_bytes: program.map(|it| it.tail).filter(|tail| *tail > 0),
            accounts: program.map(|it| it.accounts.iter().map(AccountForm::of).collect()),
            arguments: match (function, program) {
                (Some(function), _) => {
                    let kinds = function.signature.parameters().iter();
                    let arguments = kinds.zip(&function.arguments);
                    let forms = arguments.map(|(kind, rule)| ArgumentForm::of(*kind, rule));
                    Some(forms.collect())
                }
                (None, Some(it)) => Some(it.fields.iter().map(ArgumentForm::of_field).collect()),
                (None, None) => None,
            },
            outflow: program.map(|it| {
                let leaving = it.outflow.iter();
                leaving
                    .map(|one| OutflowForm::of(one, decimals_of))
                    .collect()
            }),
        }
    }

    pub(super) fn read(&self, decimals_of: DecimalsOf<'_>) -> Result<CallRule, TomlError> {
        let entry = format!("[[call]] {}", self.target);
        let at = At(&entry);
        let native = self.target.chain().native_asset();
        let amount = |text: &str| {
            let decimals = decimals_of(native).ok_or(ValueError::UnknownAsset)?;
            read_amount(text, decimals)
        };
        let value_up_to = at.maybe("value-up-to", self.value_up_to.as_ref(), amount)?;
        let of_program =
            self.accounts.is_some() || self.outflow.is_some() || self.more_bytes.is_some();
        let (method, function, program) = match (&self.method, &self.function) {
            (Some(method), None) if self.value_up_to.is_none() => {
                let form = ProgramForm {
                    accounts: self.accounts.as_deref().unwrap_or_default(),
                    arguments: self.arguments.as_deref().unwrap_or_default(),
                    more_bytes: self.more_bytes.unwrap_or_default(),
                    outflow: self.outflow.as_deref().unwrap_or_default(),
                };
                let method = at.value("method", method, read_method)?;
                (method, None, Some(form.read(&at, decimals_of)?))
            }
            (None, Some(function)) if !of_program => {
                let function = self.function(&at, function)?;
                let selector = function.signature.selector().to_vec();
                (selector, Some(function), None)
            }
            _ => {
                let text = self.function.as_deref().unwrap_or_default();
                return at.value("function", text, |_| Err(ValueError::Call));
            }
        };
        Ok(CallRule {
            target: self.target,
            method,
            tier: self.tier.unwrap_or(Tier::Approval),
            value_up_to: value_up_to.unwrap_or(Amount::ZERO),
            function,
            program,
        })
    }

    fn function(&self, at: &At<'_>, text: &str) -> Result<CallFunction, TomlError> {
        let signature: Function = at.value("function", text, |text| Ok(text.parse()?))?;
        let forms = self.arguments.as_deref().unwrap_or_default();
        let kinds = signature.parameters();
        if forms.len() != kinds.len() {
            return at.value("arguments", text, |_| Err(ValueError::Argument));
        }
        let arguments = kinds.iter().zip(forms);
        let arguments = arguments
            .map(|(kind, form)| form.read(at, *kind))
            .collect::<Result<_, TomlError>>()?;
        Ok(CallFunction {
            signature,
            arguments,
        })
    }
}

impl ArgumentForm {
    pub(super) const fn empty(spends: Option<AssetId>) -> Self {
        Self {
            kind: None,
            any: false,
            max: None,
            one_of: None,
            wallet: false,
            spends,
        }
    }

    fn of(kind: Kind, rule: &ArgumentRule) -> Self {
        let mut form = Self::empty(rule.spends);
        match &rule.accepts {
            Accepts::Any => form.any = true,
            Accepts::Max(most) => form.max = Some(kind.show(most)),
            Accepts::OneOf(words) => {
                form.one_of = Some(words.iter().map(|word| kind.show(word)).collect());
            }
            Accepts::Wallet => form.wallet = true,
        }
        form
    }

    fn read(&self, at: &At<'_>, kind: Kind) -> Result<ArgumentRule, TomlError> {
        if let Some(other) = &self.kind {
            return at.value("type", other, |_| Err(ValueError::Argument));
        }
        let word = |key, text: &str| at.value(key, text, |text| Ok(kind.read(text)?));
        let accepts = match (self.any, &self.max, &self.one_of, self.wallet) {
            (true, None, None, false) => Accepts::Any,
            (false, Some(most), None, false) => Accepts::Max(word("max", most)?),
            (false, None, Some(texts), false) => {
                let words = texts.iter().map(|text| word("one-of", text));
                Accepts::OneOf(words.collect::<Result<_, _>>()?)
            }
            (false, None, None, true) => Accepts::Wallet,
            _ => {
                let text = format!("{self:?}");
                return at.value("arguments", &text, |_| Err(ValueError::Argument));
            }
        };
        Ok(ArgumentRule {
            accepts,
            spends: self.spends,
        })
    }
}
