//! Sites at which agents may sign in, in their form.

use serde::{Deserialize, Serialize};

use super::super::TomlError;
use super::super::values::{read_duration, write_duration};
use super::At;
use super::limits::CountsForm;
use crate::caip::ChainId;
use crate::policy::evaluate::Tier;
use crate::policy::sign_in::SignInRule;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SignInForm {
    domain: String,
    networks: Vec<ChainId>,
    uri: Option<String>,
    tier: Tier,
    valid_for: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resources: Vec<String>,
    #[serde(default, skip_serializing_if = "CountsForm::is_empty")]
    count: CountsForm,
}

impl SignInForm {
    pub(super) fn of(rule: &SignInRule) -> Self {
        Self {
            domain: rule.domain.clone(),
            networks: rule.networks.clone(),
            uri: rule.uri.clone(),
            tier: rule.tier,
            valid_for: write_duration(rule.valid_for),
            resources: rule.resources.clone(),
            count: CountsForm::of(rule.counts),
        }
    }

    pub(super) fn read(&self) -> Result<SignInRule, TomlError> {
        let entry = format!("[[sign-in]] {}", self.domain);
        let at = At(&entry);
        Ok(SignInRule {
            domain: self.domain.clone(),
            networks: self.networks.clone(),
            uri: self.uri.clone(),
            tier: self.tier,
            counts: self.count.read(),
            valid_for: at.value("valid-for", &self.valid_for, read_duration)?,
            resources: self.resources.clone(),
        })
    }
}
