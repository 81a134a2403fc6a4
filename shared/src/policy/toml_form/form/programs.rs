//! Methods of programs in their form: `accounts`, `arguments` with a type each, `more-bytes` and `outflow`.

use serde::{Deserialize, Serialize};

use super::super::values::read_amount;
use super::super::{TomlError, ValueError};
use super::At;
use super::calls::ArgumentForm;
use super::rules::DecimalsOf;
use crate::address::SolanaAddress;
use crate::amount::Decimals;
use crate::caip::AssetId;
use crate::policy::document::{AccountAccepts, AccountRule, CallProgram, FieldAccepts, FieldRule};
use crate::solana::{FieldKind, Leaving};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AccountForm {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    any: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<SolanaAddress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<SolanaAddress>>,
    /// It signs and is writable, so neither is said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    wallet: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_account: Option<AssetId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    writable: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct OutflowForm {
    asset: AssetId,
    up_to: String,
}

/// What stands in a `[[call]]` of a program beside its method.
#[derive(Debug)]
pub(super) struct ProgramForm<'a> {
    pub(super) accounts: &'a [AccountForm],
    pub(super) arguments: &'a [ArgumentForm],
    pub(super) more_bytes: u16,
    pub(super) outflow: &'a [OutflowForm],
}

impl ProgramForm<'_> {
    pub(super) fn read(
        &self,
        at: &At<'_>,
        decimals: DecimalsOf<'_>,
    ) -> Result<CallProgram, TomlError> {
        let accounts = self.accounts.iter().map(|form| form.read(at));
        let fields = self.arguments.iter().map(|form| form.read_field(at));
        let outflow = self.outflow.iter().map(|form| {
            let amount = |text: &str| {
                let decimals = decimals(form.asset).ok_or(ValueError::UnknownAsset)?;
                read_amount(text, decimals)
            };
            Ok(Leaving {
                asset: form.asset,
                up_to: at.value("outflow", &form.up_to, amount)?,
            })
        });
        Ok(CallProgram {
            accounts: accounts.collect::<Result<_, TomlError>>()?,
            fields: fields.collect::<Result<_, TomlError>>()?,
            tail: self.more_bytes,
            outflow: outflow.collect::<Result<_, TomlError>>()?,
        })
    }
}

impl AccountForm {
    pub(super) fn of(rule: &AccountRule) -> Self {
        let mut form = Self {
            any: false,
            address: None,
            one_of: None,
            wallet: false,
            token_account: None,
            writable: rule.writable,
        };
        match &rule.accepts {
            AccountAccepts::Any => form.any = true,
            AccountAccepts::OneOf(accounts) => match accounts.as_slice() {
                [one] => form.address = Some(*one),
                several => form.one_of = Some(several.to_vec()),
            },
            AccountAccepts::Wallet => (form.wallet, form.writable) = (true, false),
            AccountAccepts::TokenAccount(asset) => form.token_account = Some(*asset),
        }
        form
    }

    fn read(&self, at: &At<'_>) -> Result<AccountRule, TomlError> {
        let mut said = Vec::new();
        if self.any {
            said.push(AccountAccepts::Any);
        }
        said.extend(self.address.map(|one| AccountAccepts::OneOf(vec![one])));
        said.extend(self.one_of.clone().map(AccountAccepts::OneOf));
        if self.wallet {
            said.push(AccountAccepts::Wallet);
        }
        said.extend(self.token_account.map(AccountAccepts::TokenAccount));
        match (said.pop(), said.as_slice()) {
            (Some(AccountAccepts::Wallet), []) if !self.writable => Ok(AccountRule {
                accepts: AccountAccepts::Wallet,
                writable: true,
            }),
            (Some(accepts), []) if accepts != AccountAccepts::Wallet => Ok(AccountRule {
                accepts,
                writable: self.writable,
            }),
            _ => at.value("accounts", &format!("{self:?}"), |_| {
                Err(ValueError::Account)
            }),
        }
    }
}

impl OutflowForm {
    pub(super) fn of(leaving: &Leaving, decimals: DecimalsOf<'_>) -> Self {
        let decimals = decimals(leaving.asset).unwrap_or(Decimals::ZERO);
        Self {
            asset: leaving.asset,
            up_to: leaving.up_to.format_decimal(decimals),
        }
    }
}

impl ArgumentForm {
    pub(super) fn of_field(rule: &FieldRule) -> Self {
        let show = |value: &[u8]| rule.kind.show(value);
        let mut form = Self::empty(rule.spends);
        form.kind = Some(rule.kind.to_string());
        match &rule.accepts {
            FieldAccepts::Any => form.any = true,
            FieldAccepts::Max(most) => form.max = Some(most.to_string()),
            FieldAccepts::OneOf(values) => {
                let shown = values.iter().map(|value| show(value.as_bytes()));
                form.one_of = Some(shown.collect());
            }
            FieldAccepts::Wallet => form.wallet = true,
        }
        form
    }

    fn read_field(&self, at: &At<'_>) -> Result<FieldRule, TomlError> {
        let kind = self.kind.as_deref().unwrap_or_default();
        let kind: FieldKind = at.value("type", kind, |text| Ok(text.parse()?))?;
        let value = |key, text: &str| at.value(key, text, |text| Ok(kind.read(text)?));
        let accepts = match (self.any, &self.max, &self.one_of, self.wallet) {
            (true, None, None, false) => FieldAccepts::Any,
            (false, Some(most), None, false) => {
                FieldAccepts::Max(at.value("max", most, |text| Ok(text.parse()?))?)
            }
            (false, None, Some(texts), false) => {
                let values = texts.iter().map(|text| value("one-of", text));
                FieldAccepts::OneOf(values.collect::<Result<_, _>>()?)
            }
            (false, None, None, true) => FieldAccepts::Wallet,
            _ => {
                let text = format!("{self:?}");
                return at.value("arguments", &text, |_| Err(ValueError::Argument));
            }
        };
        Ok(FieldRule {
            kind,
            accepts,
            spends: self.spends,
        })
    }
}
