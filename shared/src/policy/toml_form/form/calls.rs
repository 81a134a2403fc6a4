//! Calls in their form: `method` of a program, or `function` with a table for each argument.

use serde::{Deserialize, Serialize};

use super::super::values::{read_amount, read_method, write_method};
use super::super::{TomlError, ValueError};
use super::At;
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
    value_up_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<Vec<ArgumentForm>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ArgumentForm {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    any: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    wallet: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    spends: Option<AssetId>,
}

impl CallForm {
    pub(super) fn of(rule: &CallRule, decimals: DecimalsOf<'_>) -> Self {
        let native = rule.target.chain().native_asset();
        let decimals = decimals(native).unwrap_or(Decimals::ZERO);
        let function = rule.function.as_ref();
        Self {
            target: rule.target,
            method: function.is_none().then(|| write_method(&rule.method)),
            function: function.map(|function| function.signature.to_string()),
            tier: Some(rule.tier),
            value_up_to: Some(rule.value_up_to.format_decimal(decimals)),
            arguments: function.map(|function| {
                let kinds = function.signature.parameters().iter();
                kinds
                    .zip(&function.arguments)
                    .map(|(kind, rule)| ArgumentForm::of(*kind, rule))
                    .collect()
            }),
        }
    }

    pub(super) fn read(&self, decimals: DecimalsOf<'_>) -> Result<CallRule, TomlError> {
        let entry = format!("[[call]] {}", self.target);
        let at = At(&entry);
        let native = self.target.chain().native_asset();
        let amount = |text: &str| {
            let decimals = decimals(native).ok_or(ValueError::UnknownAsset)?;
            read_amount(text, decimals)
        };
        let value_up_to = at.maybe("value-up-to", self.value_up_to.as_ref(), amount)?;
        let (method, function) = match (&self.method, &self.function) {
            (Some(method), None) if self.arguments.is_none() => {
                (at.value("method", method, read_method)?, None)
            }
            (None, Some(function)) => {
                let function = self.function(&at, function)?;
                (function.signature.selector().to_vec(), Some(function))
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
    fn of(kind: Kind, rule: &ArgumentRule) -> Self {
        let mut form = Self {
            any: false,
            max: None,
            one_of: None,
            wallet: false,
            spends: rule.spends,
        };
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
