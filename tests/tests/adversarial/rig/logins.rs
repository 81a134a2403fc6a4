//! Logins that a hostile gateway invents: none of them is ever signed.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use waiaas_client::SessionRequest;
use waiaas_shared::caip::ChainId;

use super::{Rig, refusal};

impl Rig {
    /// A login's body at a site, with one field changed or added.
    pub(crate) fn login(&self, network: ChainId, field: &str, value: Value) -> String {
        let wallet = match network {
            ChainId::Evm(_) => self.cast.evm,
            ChainId::Solana(_) => self.cast.solana,
        };
        let mut body = json!({
            "signer": self.cast.agent.signer,
            "wallet": wallet.wallet,
            "network": network,
            "domain": "app.example.org",
            "uri": "https://app.example.org/login",
            "nonce": "oBbLoEldZs",
        });
        if let Some(fields) = body.as_object_mut() {
            fields.insert(field.to_owned(), value);
        }
        body.to_string()
    }

    /// Sends bodies to the door of logins, for the session that the gateway can speak for and for the one that
    /// it cannot: each is refused.
    pub(crate) fn no_login(&mut self, bodies: &[String]) -> Result<usize> {
        let mut attempts = 0;
        for body in bodies {
            for session in [self.cast.bearer, self.cast.agent.session] {
                let asked = SessionRequest {
                    session,
                    method: "POST".to_owned(),
                    path: "/v1/messages/sign-in".to_owned(),
                    query: "?".to_owned(),
                    idempotency_key: self.fresh_key(),
                    body: body.clone().into_bytes(),
                    signature_input: String::new(),
                    signature: String::new(),
                };
                let gateway = self.gateway();
                let answer = self.block(gateway.sign_in(&asked));
                refusal(answer).with_context(|| body.chars().take(200).collect::<String>())?;
                attempts += 1;
            }
        }
        Ok(attempts)
    }
}
