//! How a token may be moved by authorization, in its form.

use serde::{Deserialize, Serialize};

use super::super::TomlError;
use super::super::values::{read_duration, write_duration};
use super::At;
use crate::authorization::TokenDomain;
use crate::policy::document::AuthorizationRule;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AuthorizationForm {
    name: String,
    version: String,
    valid_for: String,
}

impl AuthorizationForm {
    pub(super) fn of(rule: &AuthorizationRule) -> Self {
        Self {
            name: rule.domain.name.clone(),
            version: rule.domain.version.clone(),
            valid_for: write_duration(rule.valid_for),
        }
    }

    pub(super) fn read(&self, at: &At<'_>) -> Result<AuthorizationRule, TomlError> {
        Ok(AuthorizationRule {
            domain: TokenDomain {
                name: self.name.clone(),
                version: self.version.clone(),
            },
            valid_for: at.value("authorization.valid-for", &self.valid_for, read_duration)?,
        })
    }
}
