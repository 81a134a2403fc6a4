//! The body of a transfer authorization: `POST /v1/messages/transfer-authorization`. It holds what is to be paid, and
//! no typed data, nonce, time or bytes to sign: the signer makes those (invariant 1).

use serde::Deserialize;

use super::body::object;
use super::{Action, BODY_LIMIT_BYTES, Item, Speed, TransferRequest};
use crate::amount::Amount;
use crate::caip::{AssetId, ChainId};
use crate::denial::Code;
use crate::ids::{SignerId, WalletId};
use crate::time::Millis;

/// What an agent asks to let be paid.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizationRequest {
    /// The signer that the agent means; no other may serve the request.
    pub signer: SignerId,
    /// From which wallet.
    pub wallet: WalletId,
    /// On which network.
    pub network: ChainId,
    /// Which token.
    pub asset: AssetId,
    /// Who receives: an address, or a contact of the policy as `@name`.
    to: String,
    /// In the token's unit.
    amount: Option<String>,
    /// In base units.
    amount_base: Option<Amount>,
    /// Seconds for which it may be used; as long as policy lets if absent.
    expires_in: Option<u64>,
}

impl AuthorizationRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Code::BodyTooLarge`], [`Code::BodyMalformed`] for anything that is not exactly this shape, or
    /// [`Code::AmountInvalid`].
    pub fn parse(body: &[u8]) -> Result<Self, Code> {
        if body.len() > BODY_LIMIT_BYTES {
            return Err(Code::BodyTooLarge);
        }
        let request: Self = object(body)?;
        if request.asset.chain() != request.network || request.expires_in == Some(0) {
            return Err(Code::BodyMalformed);
        }
        if request.amount.is_some() == request.amount_base.is_some() {
            return Err(Code::AmountInvalid);
        }
        Ok(request)
    }

    /// For how long it is to hold.
    #[must_use]
    pub fn valid_for(&self) -> Option<Millis> {
        self.expires_in.map(Millis::from_secs)
    }

    /// The payment that it is, with names and units as they stand in it.
    #[must_use]
    pub fn transfer(&self) -> TransferRequest {
        TransferRequest {
            action: Action::Transfer,
            signer: self.signer,
            wallet: self.wallet,
            network: self.network,
            items: vec![Item {
                asset: Some(self.asset),
                to: self.to.clone(),
                call: None,
                program: None,
                seed: None,
                amount: self.amount.clone(),
                amount_base: self.amount_base,
            }],
            memo: None,
            reason: None,
            submit: true,
            replaces: None,
            speed: Speed::default(),
            brought: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"{"signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"eip155:1","asset":"eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48","to":"@hosting","amount":"0.01"}"#;

    fn with(from: &str, to: &str) -> Result<AuthorizationRequest, Code> {
        assert!(LEAST.contains(from), "{from}");
        AuthorizationRequest::parse(LEAST.replacen(from, to, 1).as_bytes())
    }

    fn and(more: &str) -> Result<AuthorizationRequest, Code> {
        with("{", &format!("{{{more},"))
    }

    #[test]
    fn fields_are_read_and_nothing_else() {
        let least = AuthorizationRequest::parse(LEAST.as_bytes()).expect("enough");
        assert_eq!(least.valid_for(), None);
        let transfer = least.transfer();
        assert_eq!(transfer.items[0].asset, Some(least.asset));
        assert_eq!((transfer.action, transfer.submit), (Action::Transfer, true));
        let most = and(r#""expires_in":60"#).expect("everything");
        assert_eq!(most.valid_for(), Some(Millis::from_secs(60)));
        // What would be typed data, a nonce or a time of the caller's choice is no field.
        for field in [
            "domain",
            "message",
            "digest",
            "raw",
            "from",
            "nonce",
            "validAfter",
            "valid_after",
            "validBefore",
            "valid_before",
            "name",
            "version",
            "spender",
            "submit",
            "replaces",
        ] {
            let broken = and(&format!(r#""{field}":"1""#));
            assert_eq!(broken, Err(Code::BodyMalformed), "{field}");
        }
        // And typed data is told what to ask for in its place.
        for field in ["types", "primaryType", "primary_type", "typed_data"] {
            let broken = and(&format!(r#""{field}":"1""#));
            assert_eq!(broken, Err(Code::TypedDataUnsupported), "{field}");
        }
        assert_eq!(
            AuthorizationRequest::parse(&[LEAST.as_bytes(), b" {}"].concat()),
            Err(Code::BodyMalformed)
        );
        assert_eq!(
            AuthorizationRequest::parse(&vec![b' '; BODY_LIMIT_BYTES + 1]),
            Err(Code::BodyTooLarge)
        );
    }

    #[test]
    fn a_body_that_contradicts_itself_is_refused() {
        for (from, to, code) in [
            ("eip155:1\"", "eip155:10\"", Code::BodyMalformed),
            (r#""amount":"0.01""#, r#""amount":1"#, Code::BodyMalformed),
            (r#","amount":"0.01""#, "", Code::AmountInvalid),
            (
                r#""amount":"0.01""#,
                r#""amount":"0.01","amount_base":"1""#,
                Code::AmountInvalid,
            ),
            ("{", r#"{"expires_in":0,"#, Code::BodyMalformed),
            ("{", r#"{"expires_in":"60","#, Code::BodyMalformed),
            ("{", r#"{"expires_in":-1,"#, Code::BodyMalformed),
            (
                r#""to":"@hosting""#,
                r#""to":["@hosting"]"#,
                Code::BodyMalformed,
            ),
            ("{", r#"{"to":"@other","#, Code::BodyMalformed),
        ] {
            assert_eq!(with(from, to), Err(code), "{to}");
        }
    }
}
