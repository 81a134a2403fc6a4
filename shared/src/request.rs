//! The agent's request body, as gateway and signer both read it: strictly, once, from the raw bytes
//! that the agent signed. Unknown, doubled and missing fields refuse the whole.

use minicbor::{Decode, Encode};
use serde::Deserialize;

use crate::address::Account;
use crate::amount::{Amount, AmountError, Decimals};
use crate::caip::{AccountId, AssetId, ChainId, Token};
use crate::denial::Code;
use crate::effect::Effect;
use crate::evm;
use crate::ids::{SignerId, TransactionId, WalletId};
use crate::policy::document::{AssetRule, PolicyDocument};
use crate::solana;

/// The agent's reason, at most, in characters.
pub const REASON_LIMIT: usize = 200;
/// A body, at most, in bytes.
pub const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// What a request wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cbor(index_only)]
pub enum Action {
    /// An asset moves to somebody.
    #[default]
    #[n(0)]
    Transfer,
    /// Somebody may take a token later, up to the amount.
    #[n(1)]
    Approve,
}

impl Action {
    /// The name in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Approve => "approve",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Transfer, Self::Approve]
            .into_iter()
            .find(|action| action.as_str() == text)
    }
}

/// `POST /v1/transactions`: a transfer, or an approval of one that somebody makes later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRequest {
    /// What is to be done.
    pub action: Action,
    /// The signer that the agent means; no other may serve the request.
    pub signer: SignerId,
    /// From which wallet.
    pub wallet: WalletId,
    /// On which network.
    pub network: ChainId,
    /// Which asset; the network's native one if absent.
    pub asset: Option<AssetId>,
    /// The receiving address, or the spender's; or a contact of the policy as `@name`.
    pub to: String,
    /// In the asset's unit, with the decimals of the policy's asset table.
    pub amount: Option<String>,
    /// In base units.
    pub amount_base: Option<Amount>,
    /// Why, in the agent's words; shown to the owner as such, never believed.
    pub reason: Option<String>,
    /// `false`: return the signed bytes without sending them.
    pub submit: bool,
    /// An earlier payment of the same effect whose end nobody saw: this one takes its place. Both are
    /// charged, for both may land.
    pub replaces: Option<TransactionId>,
}

/// The body as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(rename = "type", default)]
    action: Action,
    signer: SignerId,
    wallet: WalletId,
    network: ChainId,
    asset: Option<AssetId>,
    /// Of a transfer alone.
    to: Option<String>,
    /// Of an approval alone.
    spender: Option<String>,
    amount: Option<String>,
    amount_base: Option<BaseUnits>,
    reason: Option<String>,
    #[serde(default = "default_submit")]
    submit: bool,
    replaces: Option<TransactionId>,
}

/// Base units as text. A number that no amount holds is told apart from what is no number, because
/// 2^256 - 1 is how people ask for an approval without limit.
enum BaseUnits {
    Exact(Amount),
    Beyond,
}

impl<'de> Deserialize<'de> for BaseUnits {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        match text.parse() {
            Ok(amount) => Ok(Self::Exact(amount)),
            Err(AmountError::TooLarge) => Ok(Self::Beyond),
            Err(error) => Err(serde::de::Error::custom(error)),
        }
    }
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
        object(body)
    }
}

/// What a request asks for, with names and units resolved by a policy document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Whether it moves now or may be taken later.
    pub action: Action,
    /// What moves.
    pub asset: AssetId,
    /// Who receives, or may take.
    pub to: Account,
    /// Base units; above zero, but for an approval that is taken back.
    pub amount: Amount,
    /// Of a Solana mint: how the document has it registered. Says how bytes are built; what they are
    /// judged by, the signer reads from its documents itself.
    pub mint: Option<solana::Token>,
}

impl Transfer {
    /// Whether both do the same, to the same account, however a mint is registered.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.effect() == other.effect()
    }

    /// The effect that a transaction must have, beside what sending it costs.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        let Self {
            action,
            asset,
            to,
            amount,
            mint: _,
        } = *self;
        match action {
            Action::Transfer => Effect::Transfer { asset, to, amount },
            Action::Approve => Effect::Approval {
                asset,
                spender: to,
                amount,
            },
        }
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
        let body: Body = object(body)?;
        let printable = |reason: &str| {
            reason.chars().count() <= REASON_LIMIT && !reason.chars().any(char::is_control)
        };
        if !body.reason.as_deref().is_none_or(printable) {
            return Err(Code::BodyMalformed);
        }
        let to = match (body.action, body.to, body.spender) {
            (Action::Transfer, Some(to), None) => to,
            // A chain's own coin is approved to nobody.
            (Action::Approve, None, Some(spender)) if body.asset.is_some() => spender,
            _ => return Err(Code::BodyMalformed),
        };
        let amount_base = match (body.amount_base, body.action) {
            (None, _) => None,
            (Some(BaseUnits::Exact(amount)), _) => Some(amount),
            (Some(BaseUnits::Beyond), Action::Approve) => return Err(Code::ApprovalUnlimited),
            (Some(BaseUnits::Beyond), Action::Transfer) => return Err(Code::BodyMalformed),
        };
        Ok(Self {
            action: body.action,
            signer: body.signer,
            wallet: body.wallet,
            network: body.network,
            asset: body.asset,
            to,
            amount: body.amount,
            amount_base,
            reason: body.reason,
            submit: body.submit,
            replaces: body.replaces,
        })
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
        let amount = self.amount_with(decimals)?;
        if self.action == Action::Approve {
            match asset.token() {
                Token::Erc20(_) if evm::is_unlimited(amount) => {
                    return Err(Code::ApprovalUnlimited);
                }
                Token::Erc20(_) => {}
                Token::Mint(_) => return Err(Code::Unsupported),
                // Neither a coin nor a piece is approved.
                _ => return Err(Code::BodyMalformed),
            }
        }
        Ok(Transfer {
            action: self.action,
            asset,
            to,
            amount,
            mint: rule.and_then(AssetRule::mint),
        })
    }

    fn amount_with(
        &self,
        decimals: impl FnOnce() -> Result<Decimals, Code>,
    ) -> Result<Amount, Code> {
        let amount = match (&self.amount, self.amount_base) {
            (Some(text), None) => {
                Amount::parse_decimal(text, decimals()?).map_err(|error| {
                    match (error, self.action) {
                        (AmountError::TooLarge, Action::Approve) => Code::ApprovalUnlimited,
                        _ => Code::AmountInvalid,
                    }
                })?
            }
            (None, Some(base)) => base,
            _ => return Err(Code::AmountInvalid),
        };
        // An approval of nothing takes one back.
        if amount == Amount::ZERO && self.action != Action::Approve {
            Err(Code::AmountInvalid)
        } else {
            Ok(amount)
        }
    }
}

/// Reads an object with its fields by name: a list of their values in order would be read as well.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Code> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Err(Code::BodyMalformed);
    }
    serde_json::from_slice(body).map_err(|_| Code::BodyMalformed)
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
        // The values in the order of the fields, without their names.
        let listed = r#"["signer_00000000000000000000000001","wallet_00000000000000000000000001","eip155:31337",null,"@hosting","0.00000001",null,null,true,null]"#;
        for list in [listed, &format!(" {listed}"), "null", "\"x\"", "7"] {
            assert_eq!(
                TransferRequest::parse(list.as_bytes()),
                Err(Code::BodyMalformed)
            );
        }
        let signer = r#"{"signer":"signer_00000000000000000000000001"}"#;
        assert!(SignerRequest::parse(signer.as_bytes()).is_ok());
        assert_eq!(
            SignerRequest::parse(br#"["signer_00000000000000000000000001"]"#),
            Err(Code::BodyMalformed)
        );
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

    const APPROVAL: &str = r#"{"type":"approve","signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"eip155:31337","asset":"eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913","spender":"@hosting","amount_base":"12500000"}"#;

    fn of_token() -> PolicyDocument {
        let mut document = sample();
        let asset = APPROVAL
            .split('"')
            .find(|part| part.contains("erc20"))
            .and_then(|part| part.parse().ok())
            .expect("a token");
        let decimals = Decimals::new(6).expect("six");
        document
            .assets
            .push(crate::policy::document::AssetRule::closed(
                asset, "USDC", decimals,
            ));
        document.sort();
        document
    }

    fn asked(from: &str, to: &str) -> Result<Transfer, Code> {
        let body = APPROVAL.replacen(from, to, 1);
        assert!(from == to || body != APPROVAL, "{from}");
        TransferRequest::parse(body.as_bytes())?.resolve(&of_token())
    }

    #[test]
    fn an_approval_says_so_and_names_its_spender() {
        let approval = asked("", "").expect("sound");
        assert!(matches!(
            approval.effect(),
            Effect::Approval { amount, .. } if amount == Amount::from_base_units(12_500_000)
        ));
        let in_units = asked("\"amount_base\":\"12500000\"", "\"amount\":\"12.5\"");
        assert_eq!(in_units, Ok(approval));
        // Nothing is what takes an approval back.
        let none = asked("12500000", "0").expect("sound");
        assert_eq!(none.effect().amount(), Amount::ZERO);
        // A transfer may say what it is, and is what it was without saying so.
        let named = BODY.replacen('{', "{\"type\":\"transfer\",", 1);
        assert_eq!(
            TransferRequest::parse(named.as_bytes()),
            TransferRequest::parse(BODY.as_bytes())
        );
    }

    #[test]
    fn approvals_without_limit_have_a_code_of_their_own() {
        for amount in [
            "115792089237316195423570985008687907853269984665640564039457584007913129639935",
            "340282366920938463463374607431768211456",
            "340282366920938463463374607431768211455",
            "79228162514264337593543950335",
        ] {
            assert_eq!(
                asked("12500000", amount),
                Err(Code::ApprovalUnlimited),
                "{amount}"
            );
            let in_units = format!("\"amount\":\"{amount}\"");
            let told = asked("\"amount_base\":\"12500000\"", &in_units);
            let fits = amount.len() < 30;
            let expected = (!fits).then_some(Code::ApprovalUnlimited);
            assert_eq!(told.err(), expected, "{amount}");
        }
        assert!(asked("12500000", "79228162514264337593543950334").is_ok());
        // Of a transfer such a number is no amount.
        let body = APPROVAL
            .replace("\"type\":\"approve\",", "")
            .replace("spender", "to")
            .replace("12500000", "340282366920938463463374607431768211456");
        assert_eq!(
            TransferRequest::parse(body.as_bytes()),
            Err(Code::BodyMalformed)
        );
    }

    #[test]
    fn approvals_of_another_form_are_refused() {
        for (from, to) in [
            ("\"approve\"", "\"transfer\""),
            ("\"approve\"", "\"Approve\""),
            ("\"approve\"", "\"permit\""),
            ("\"approve\"", "\"increase-allowance\""),
            ("\"approve\"", "null"),
            ("\"approve\"", "1"),
            ("\"spender\"", "\"to\""),
            ("\"spender\"", "\"to\":\"@hosting\",\"spender\""),
            ("\"type\":\"approve\",", ""),
            (
                "\"asset\":\"eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913\",",
                "",
            ),
            (
                "eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
                "eip155:31337/slip44:60",
            ),
            ("\"12500000\"", "\"-1\""),
            ("\"12500000\"", "\"0x1\""),
            ("\"12500000\"", "\"unlimited\""),
            (
                "\"type\":\"approve\"",
                "\"type\":\"approve\",\"type\":\"approve\"",
            ),
        ] {
            assert_eq!(asked(from, to), Err(Code::BodyMalformed), "{from} -> {to}");
        }
        assert_eq!(
            asked("\"amount_base\":\"12500000\"", "\"reason\":\"x\""),
            Err(Code::AmountInvalid)
        );
    }
}
