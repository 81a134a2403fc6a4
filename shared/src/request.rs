//! The agent's request body, as gateway and signer both read it: strictly, once, from the raw bytes
//! that the agent signed. Unknown, doubled and missing fields refuse the whole.

use serde::Deserialize;

use crate::address::Account;
use crate::amount::{Amount, Decimals};
use crate::caip::{AccountId, AssetId, ChainId};
use crate::denial::Code;
use crate::ids::{SignerId, TransactionId, WalletId};
use crate::policy::document::{AssetRule, PolicyDocument};
use crate::solana;

/// The agent's reason, at most, in characters.
pub const REASON_LIMIT: usize = 200;
/// A body, at most, in bytes.
pub const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// `POST /v1/transactions`: a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferRequest {
    /// The signer that the agent means; no other may serve the request.
    pub signer: SignerId,
    /// From which wallet.
    pub wallet: WalletId,
    /// On which network.
    pub network: ChainId,
    /// Which asset; the network's native one if absent.
    pub asset: Option<AssetId>,
    /// The receiving address, or a contact of the policy as `@name`.
    pub to: String,
    /// In the asset's unit, with the decimals of the policy's asset table.
    pub amount: Option<String>,
    /// In base units.
    pub amount_base: Option<Amount>,
    /// Why, in the agent's words; shown to the owner as such, never believed.
    pub reason: Option<String>,
    /// `false`: return the signed bytes without sending them.
    #[serde(default = "default_submit")]
    pub submit: bool,
    /// An earlier payment of the same effect whose end nobody saw: this one takes its place. Both are
    /// charged, for both may land.
    pub replaces: Option<TransactionId>,
}

const fn default_submit() -> bool {
    true
}

/// A request that says nothing but which signer is meant: `POST /v1/session/renew`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerRequest {
    /// The signer that the agent means; no other may serve the request.
    pub signer: SignerId,
}

impl SignerRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Code::BodyTooLarge`], or [`Code::BodyMalformed`] for anything that is not exactly this shape.
    pub fn parse(body: &[u8]) -> Result<Self, Code> {
        if body.len() > BODY_LIMIT_BYTES {
            return Err(Code::BodyTooLarge);
        }
        serde_json::from_slice(body).map_err(|_| Code::BodyMalformed)
    }
}

/// What a request asks for, with names and units resolved by a policy document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// What moves.
    pub asset: AssetId,
    /// Who receives.
    pub to: Account,
    /// Base units, above zero.
    pub amount: Amount,
    /// Of a Solana mint: how the document has it registered. Says how bytes are built; what they are
    /// judged by, the signer reads from its documents itself.
    pub mint: Option<solana::Token>,
}

impl Transfer {
    /// Whether both move the same to the same recipient.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.asset, self.to, self.amount) == (other.asset, other.to, other.amount)
    }
}

impl TransferRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Code::BodyTooLarge`], or [`Code::BodyMalformed`] for anything that is not exactly this shape.
    pub fn parse(body: &[u8]) -> Result<Self, Code> {
        if body.len() > BODY_LIMIT_BYTES {
            return Err(Code::BodyTooLarge);
        }
        let request: Self = serde_json::from_slice(body).map_err(|_| Code::BodyMalformed)?;
        let printable = |reason: &str| {
            reason.chars().count() <= REASON_LIMIT && !reason.chars().any(char::is_control)
        };
        if !request.reason.as_deref().is_none_or(printable) {
            return Err(Code::BodyMalformed);
        }
        Ok(request)
    }

    /// Resolves contact and decimals by the document in force.
    ///
    /// # Errors
    /// The code of what does not resolve.
    pub fn resolve(&self, document: &PolicyDocument) -> Result<Transfer, Code> {
        let asset = self.asset.unwrap_or(self.network.native_asset());
        if asset.chain() != self.network {
            return Err(Code::BodyMalformed);
        }
        let to = match self.to.strip_prefix('@') {
            Some(name) => document
                .recipients
                .iter()
                .find(|known| known.name == name && known.account.chain() == self.network)
                .map(|known| known.account.account())
                .ok_or(Code::RecipientNotListed)?,
            None => self.to.parse().map_err(|_| Code::BodyMalformed)?,
        };
        AccountId::new(self.network, to).map_err(|_| Code::BodyMalformed)?;
        let rule = document.asset(asset);
        let decimals = || rule.map(|rule| rule.decimals).ok_or(Code::AssetNotListed);
        Ok(Transfer {
            asset,
            to,
            amount: self.amount_with(decimals)?,
            mint: rule.and_then(AssetRule::mint),
        })
    }

    fn amount_with(
        &self,
        decimals: impl FnOnce() -> Result<Decimals, Code>,
    ) -> Result<Amount, Code> {
        let amount = match (&self.amount, self.amount_base) {
            (Some(text), None) => {
                Amount::parse_decimal(text, decimals()?).map_err(|_| Code::AmountInvalid)?
            }
            (None, Some(base)) => base,
            _ => return Err(Code::AmountInvalid),
        };
        if amount == Amount::ZERO {
            Err(Code::AmountInvalid)
        } else {
            Ok(amount)
        }
    }
}

/// Whether a text may serve as an idempotency key: 1 to 128 visible ASCII characters.
#[must_use]
pub fn is_idempotency_key(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::document::tests::sample;

    const BODY: &str = r#"{"signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"eip155:31337","to":"@hosting","amount":"0.00000001"}"#;

    #[test]
    fn contacts_and_units_come_from_the_policy() {
        let request = TransferRequest::parse(BODY.as_bytes()).expect("a sound body");
        let transfer = request.resolve(&sample()).expect("all names known");
        assert_eq!(
            transfer.to.to_string(),
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        );
        assert_eq!(transfer.amount, Amount::from_base_units(10));
        assert!(request.submit);
    }

    #[test]
    fn loose_bodies_are_refused_whole() {
        for (case, from, to) in [
            ("unknown field", "\"to\"", "\"tier\":\"INSTANT\",\"to\""),
            ("doubled field", "\"to\":", "\"to\":\"@x\",\"to\":"),
            ("number for amount", "\"0.00000001\"", "1"),
            (
                "missing wallet",
                "\"wallet\":\"wallet_00000000000000000000000001\",",
                "",
            ),
            ("wrong id", "wallet_0", "owner_0"),
            ("trailing", "}", "} x"),
            ("control in reason", "\"to\"", "\"reason\":\"a\\nb\",\"to\""),
            ("lone surrogate", "@hosting", "\\ud800"),
        ] {
            let body = BODY.replacen(from, to, 1);
            assert_ne!(body, BODY, "{case}");
            assert_eq!(
                TransferRequest::parse(body.as_bytes()),
                Err(Code::BodyMalformed),
                "{case}"
            );
        }
        let deep = format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(
            TransferRequest::parse(deep.as_bytes()),
            Err(Code::BodyMalformed)
        );
        assert_eq!(
            TransferRequest::parse(&vec![b' '; BODY_LIMIT_BYTES + 1]),
            Err(Code::BodyTooLarge)
        );
    }

    #[test]
    fn unresolvable_requests_are_refused_by_code() {
        for (from, to, code) in [
            ("@hosting", "@nobody", Code::RecipientNotListed),
            (
                "@hosting",
                "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
                Code::BodyMalformed,
            ),
            (
                "@hosting",
                "11111111111111111111111111111111",
                Code::BodyMalformed,
            ),
            ("0.00000001", "0.0000000001", Code::AmountInvalid),
            ("0.00000001", "0", Code::AmountInvalid),
            (
                "\"amount\"",
                "\"amount_base\":\"1\",\"amount\"",
                Code::AmountInvalid,
            ),
            (",\"amount\":\"0.00000001\"", "", Code::AmountInvalid),
            ("eip155:31337", "eip155:1", Code::RecipientNotListed),
            (
                "\"to\"",
                "\"asset\":\"eip155:1/slip44:60\",\"to\"",
                Code::BodyMalformed,
            ),
        ] {
            let body = BODY.replacen(from, to, 1);
            let request = TransferRequest::parse(body.as_bytes()).expect("the shape is right");
            assert_eq!(request.resolve(&sample()), Err(code), "{from} -> {to}");
        }
    }
}
