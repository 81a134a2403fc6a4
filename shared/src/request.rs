//! The agent's request body, as gateway and signer both read it: strictly, once, from the raw bytes
//! that the agent signed. Unknown, doubled and missing fields refuse the whole.

use minicbor::{Decode, Encode};
use serde::Deserialize;

use crate::address::Account;
use crate::amount::{Amount, AmountError, Decimals};
use crate::caip::{AccountId, AssetId, ChainId, Token};
use crate::denial::Code;
use crate::effect::Effect;
use crate::evm::abi::{Function, Invocation};
use crate::evm::{self, Registered};
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
    /// A contract is called, by a function that the owner registered.
    #[n(2)]
    Call,
}

impl Action {
    /// The name in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Approve => "approve",
            Self::Call => "call",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Transfer, Self::Approve, Self::Call]
            .into_iter()
            .find(|action| action.as_str() == text)
    }
}

/// `POST /v1/transactions`: a transfer, an approval of one that somebody makes later, or the call of a
/// contract.
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
    /// The receiving address, the spender's, or the contract's; or a contact of the policy as `@name`.
    pub to: String,
    /// What the contract is told, in a call; its value is the amount.
    pub call: Option<CallRequest>,
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

/// A function and the text of each of its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest {
    /// As Solidity names it.
    pub function: Function,
    /// One text for each parameter.
    pub arguments: Vec<String>,
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
    /// The next four of a call alone.
    contract: Option<String>,
    function: Option<String>,
    args: Option<Vec<String>>,
    value: Option<Amount>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Whether it moves now, may be taken later, or goes with a call.
    pub action: Action,
    /// What moves.
    pub asset: AssetId,
    /// Who receives, may take, or is called.
    pub to: Account,
    /// Base units; above zero, but for an approval that is taken back, and for a call.
    pub amount: Amount,
    /// Of a Solana mint: how the document has it registered. Says how bytes are built; what they are
    /// judged by, the signer reads from its documents itself.
    pub mint: Option<solana::Token>,
    /// What the contract is told; of a call alone.
    pub call: Option<Box<Invocation>>,
}

impl Transfer {
    /// Whether both do the same, to the same account, however a mint is registered.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.effects() == other.effects()
    }

    /// The effects that a transaction must have, beside what sending it costs. A call without what it
    /// tells, or with an amount that nobody can count, has none, so that nothing is equal to it.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        let Self {
            asset, to, amount, ..
        } = *self;
        match (self.action, &self.call, to) {
            (Action::Transfer, None, _) => vec![Effect::Transfer { asset, to, amount }],
            (Action::Approve, None, _) => vec![Effect::Approval {
                asset,
                spender: to,
                amount,
            }],
            (Action::Call, Some(told), Account::Evm(contract)) => {
                evm::call_effects(asset.chain(), contract, amount, told).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The function that is called, as its bytes are read by.
    #[must_use]
    pub fn function(&self) -> Option<Registered> {
        match (&self.call, self.to) {
            (Some(told), Account::Evm(contract)) => Some(Registered::of(contract, told)),
            _ => None,
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
        let to = match (body.action, body.to, body.spender, body.contract) {
            (Action::Transfer, Some(to), None, None) => to,
            // A chain's own coin is approved to nobody.
            (Action::Approve, None, Some(spender), None) if body.asset.is_some() => spender,
            (Action::Call, None, None, Some(contract)) => contract,
            _ => return Err(Code::BodyMalformed),
        };
        let amount_base = match (body.amount_base, body.action) {
            (None, Action::Call) => Some(body.value.unwrap_or_default()),
            (None, _) => None,
            (Some(BaseUnits::Exact(amount)), Action::Transfer | Action::Approve) => Some(amount),
            (Some(BaseUnits::Beyond), Action::Approve) => return Err(Code::ApprovalUnlimited),
            _ => return Err(Code::BodyMalformed),
        };
        let plain = body.asset.is_none() && body.amount.is_none();
        let call = match (body.action, body.function, body.args) {
            (Action::Call, Some(function), Some(arguments)) if plain => Some(CallRequest {
                function: function.parse().map_err(|_| Code::BodyMalformed)?,
                arguments,
            }),
            (Action::Transfer | Action::Approve, None, None) if body.value.is_none() => None,
            _ => return Err(Code::BodyMalformed),
        };
        Ok(Self {
            action: body.action,
            signer: body.signer,
            wallet: body.wallet,
            network: body.network,
            asset: body.asset,
            to,
            call,
            amount: body.amount,
            amount_base,
            reason: body.reason,
            submit: body.submit,
            replaces: body.replaces,
        })
    }

    /// Resolves contact, decimals and function by the document in force, for a wallet of this address.
    ///
    /// # Errors
    /// The code of what does not resolve.
    pub fn resolve(&self, document: &PolicyDocument, from: Account) -> Result<Transfer, Code> {
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
        let receiver = AccountId::new(self.network, to).map_err(|_| Code::BodyMalformed)?;
        let call = match &self.call {
            None => None,
            Some(call) => Some(Box::new(call.resolve(document, receiver, from)?)),
        };
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
            call,
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
        // An approval of nothing takes one back, and most calls carry nothing.
        if amount == Amount::ZERO && self.action == Action::Transfer {
            Err(Code::AmountInvalid)
        } else {
            Ok(amount)
        }
    }
}

impl CallRequest {
    /// The call with its arguments read, as the document has its function registered.
    fn resolve(
        &self,
        document: &PolicyDocument,
        target: AccountId,
        from: Account,
    ) -> Result<Invocation, Code> {
        let Account::Evm(from) = from else {
            return Err(Code::Unsupported);
        };
        let told = Invocation::read(from, self.function.clone(), &self.arguments)
            .map_err(|_| Code::BodyMalformed)?;
        let rule = document.call(target, &self.function.selector());
        let function = rule.and_then(|rule| rule.function(&self.function));
        let told = Invocation {
            spends: function.ok_or(Code::CallNotListed)?.spends(),
            ..told
        };
        // What is an amount is one that can be counted.
        evm::outflows(&told).map_err(|_| Code::AmountInvalid)?;
        Ok(told)
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
#[path = "request_tests.rs"]
mod tests;
