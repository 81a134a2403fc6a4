//! Transfers by authorization through the rig: what is asked for, and what came of it noted for the checks.

use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use waiaas_client::{ClientError, SessionRequest, SignedTransfer};
use waiaas_tests::stage::{EVM, EVM_TO};

use super::{Authorized, Rig};
use crate::stand::token;

/// The route of an authorization.
pub(crate) const AUTHORIZATION: &str = "/v1/messages/transfer-authorization";

impl Rig {
    /// The body of an honest one, with these fields changed or added; null takes one away.
    pub(crate) fn authorization(&self, amount: u128, fields: &[(&str, Value)]) -> Result<String> {
        let mut body = json!({
            "signer": self.cast.agent.signer,
            "wallet": self.cast.evm.wallet,
            "network": EVM,
            "asset": token(),
            "to": EVM_TO,
            "amount_base": amount.to_string(),
        });
        let known = body.as_object_mut().context("an object")?;
        for (field, value) in fields {
            if value.is_null() {
                known.remove(*field);
            } else {
                known.insert((*field).to_owned(), value.clone());
            }
        }
        Ok(body.to_string())
    }

    /// A request for one under the bearer session, which the gateway can speak for.
    pub(crate) fn asks_to_authorize(&self, body: &str, key: &str) -> SessionRequest {
        SessionRequest {
            session: self.cast.bearer,
            method: "POST".to_owned(),
            path: AUTHORIZATION.to_owned(),
            query: "?".to_owned(),
            idempotency_key: key.to_owned(),
            body: body.as_bytes().to_vec(),
            signature_input: String::new(),
            signature: String::new(),
        }
    }

    /// Sends a request and notes what comes.
    pub(crate) fn authorize(
        &mut self,
        asked: &SessionRequest,
    ) -> Result<SignedTransfer, ClientError> {
        let requested = Instant::now();
        let gateway = self.gateway();
        let answer = self.block(gateway.authorize_transfer(asked));
        match &answer {
            Ok(signed) => {
                self.record.paid += u64::from(!signed.replay);
                self.record.authorized.push(Authorized {
                    signed: signed.clone(),
                    requested,
                });
            }
            Err(ClientError::Denied(_)) => {}
            Err(error) => self.lost(error),
        }
        answer
    }
}
