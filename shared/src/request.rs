//! The agent's request body, as gateway and signer both read it: strictly, once, from the raw bytes
//! that the agent signed. Unknown, doubled and missing fields refuse the whole.

mod authorization;
mod body;
mod brought;
mod call;
mod sign_in;
mod speed;
mod staking;

use minicbor::{Decode, Encode};
use serde::Deserialize;

use self::body::{Body, object};
use crate::address::Account;
use crate::amount::{Amount, AmountError, Decimals};
use crate::caip::{AccountId, AssetId, ChainId, Token};
use crate::claim::Claim;
use crate::denial::Code;
use crate::effect::Effect;
use crate::evm::abi::Invocation;
use crate::evm::{self, Registered};
use crate::ids::{SignerId, TransactionId, WalletId};
use crate::memo::Memo;
use crate::policy::document::{AssetRule, PolicyDocument};
use crate::solana::{self, ProgramCall, StakeAccount, StakeSeed, Staking};

pub use self::authorization::AuthorizationRequest;
pub use self::brought::{Brought, RECIPIENT_LIMIT};
pub use self::call::{CallRequest, ProgramRequest};
pub use self::sign_in::SignInRequest;
pub use self::speed::Speed;

/// The agent's reason, at most, in characters.
pub const REASON_LIMIT: usize = 200;
/// A body, at most, in bytes.
pub const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// What a request wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Action {
    /// An asset moves to somebody.
    #[default]
    #[n(0)]
    Transfer,
    /// Somebody may take a token later, up to the amount.
    #[n(1)]
    Approve,
    /// A contract or program is called, by a function or method that the owner registered.
    #[n(2)]
    Call,
    /// Coins go into a new stake account of the wallet's own, delegated to a validator.
    #[n(3)]
    Stake,
    /// A stake account is deactivated.
    #[n(4)]
    Unstake,
    /// What lies in a stake account comes back to the wallet.
    #[n(5)]
    WithdrawStake,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Transfer,
        Self::Approve,
        Self::Call,
        Self::Stake,
        Self::Unstake,
        Self::WithdrawStake,
    ];

    /// The name in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Approve => "approve",
            Self::Call => "call",
            Self::Stake => "stake",
            Self::Unstake => "unstake",
            Self::WithdrawStake => "withdraw_stake",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|action| action.as_str() == text)
    }

    /// Whether it is about a stake account.
    #[must_use]
    pub const fn is_of_stake(self) -> bool {
        matches!(self, Self::Stake | Self::Unstake | Self::WithdrawStake)
    }
}

impl<'de> Deserialize<'de> for Action {
    /// Its name, and no other form.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| serde::de::Error::custom("no such type"))
    }
}

/// `POST /v1/transactions`: a transfer, several in one transaction, an approval of one that somebody makes
/// later, the call of a contract, or something about a stake account. `POST /v1/transactions/sign`: a
/// transaction that the agent brings. No body is read as both.
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
    /// What moves to whom, or may be taken by whom: one of them, or several transfers in order. Empty where a
    /// transaction is brought.
    pub items: Vec<Item>,
    /// The transaction that the agent brings, in place of all that.
    pub brought: Option<Box<Brought>>,
    /// What stands on the chain beside it.
    pub memo: Option<Memo>,
    /// Why, in the agent's words; shown to the owner as such, never believed.
    pub reason: Option<String>,
    /// `false`: return the signed bytes without sending them. Of what is brought that is so unless it says
    /// otherwise.
    pub submit: bool,
    /// An earlier payment of the same effect whose end nobody saw: this one takes its place. Both are
    /// charged, for both may land.
    pub replaces: Option<TransactionId>,
    /// How soon it should land: moves the fee under its ceilings, and nothing else.
    pub speed: Speed,
}

/// One transfer or approval of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which asset; the network's native one if absent.
    pub asset: Option<AssetId>,
    /// The receiving address, the spender's, the contract's, or the validator's vote account; or a contact or
    /// validator of the policy as `@name`. Empty where the seed says all.
    pub to: String,
    /// What the contract is told, in a call; its value is the amount.
    pub call: Option<CallRequest>,
    /// What the program is told, in a call of one.
    pub program: Option<ProgramRequest>,
    /// Which stake account of the wallet's is meant.
    pub seed: Option<StakeSeed>,
    /// In the asset's unit, with the decimals of the policy's asset table.
    pub amount: Option<String>,
    /// In base units.
    pub amount_base: Option<Amount>,
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

/// One transfer, approval, call or stake that a request asks for, with names and units resolved by a policy
/// document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Whether it moves now, may be taken later, or goes with a call.
    pub action: Action,
    /// What moves.
    pub asset: AssetId,
    /// Who receives, may take, is called, or is delegated to; else the stake account itself.
    pub to: Account,
    /// Base units; above zero, but for an approval that is taken back, for a call, and for what is asked of a
    /// stake account that is there.
    pub amount: Amount,
    /// Of a Solana mint: how the document has it registered. Says how bytes are built; what they are
    /// judged by, the signer reads from its documents itself.
    pub mint: Option<solana::Token>,
    /// What the contract is told; of a call alone.
    pub call: Option<Box<Invocation>>,
    /// The stake account with which something is done.
    pub stake: Option<StakeAccount>,
    /// What the program is told; of a call of one alone.
    pub program: Option<Box<ProgramCall>>,
}

impl Transfer {
    /// What would ask for an effect; none for what sending costs, and for what goes with a call.
    pub(crate) fn done_by(effect: &Effect) -> Option<Self> {
        let (action, asset, to, amount) = match *effect {
            Effect::Transfer { asset, to, amount } => (Action::Transfer, asset, to, amount),
            Effect::Approval {
                asset,
                spender,
                amount,
            } => (Action::Approve, asset, spender, amount),
            Effect::Call {
                target,
                asset,
                value,
                told: Some(_),
                ..
            } => (Action::Call, asset, target, value),
            Effect::Stake {
                asset,
                ref account,
                ref staking,
            } => {
                let own = Account::Solana(account.address());
                match *staking {
                    Staking::Delegate { validator, amount } => {
                        (Action::Stake, asset, Account::Solana(validator), amount)
                    }
                    Staking::Deactivate => (Action::Unstake, asset, own, Amount::ZERO),
                    Staking::Withdraw { amount } => (Action::WithdrawStake, asset, own, amount),
                }
            }
            Effect::Program {
                asset,
                value,
                ref told,
            } => {
                let program = Account::Solana(told.method.program);
                (Action::Call, asset, program, value)
            }
            Effect::Call { told: None, .. } | Effect::Fee { .. } | Effect::Rent { .. } => {
                return None;
            }
        };
        let (call, stake, program) = match effect {
            Effect::Call { told, .. } => (told.clone(), None, None),
            Effect::Stake { account, .. } => (None, Some(account.clone()), None),
            Effect::Program { told, .. } => (None, None, Some(told.clone())),
            _ => (None, None, None),
        };
        Some(Self {
            action,
            asset,
            to,
            amount,
            mint: None,
            call,
            stake,
            program,
        })
    }

    /// The effects that a transaction must have, beside what sending it costs. A call without what it
    /// tells, or with an amount that nobody can count, has none, so that nothing is equal to it.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        let Self {
            asset, to, amount, ..
        } = *self;
        if let Some(told) = &self.program {
            let alone = self.action == Action::Call && self.call.is_none();
            let named = Account::Solana(told.method.program) == to;
            let counted = asset == asset.chain().native_asset() && told.leaving(asset) == amount;
            return if alone && named && counted {
                solana::program_effects(asset.chain(), told)
            } else {
                Vec::new()
            };
        }
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
            _ => match (self.staking(), &self.stake) {
                (Some(staking), Some(account)) => vec![Effect::Stake {
                    asset,
                    account: account.clone(),
                    staking,
                }],
                _ => Vec::new(),
            },
        }
    }

    /// What is asked for of a stake account.
    #[must_use]
    pub const fn staking(&self) -> Option<Staking> {
        match (self.action, self.to) {
            (Action::Stake, Account::Solana(validator)) => Some(Staking::Delegate {
                validator,
                amount: self.amount,
            }),
            (Action::Unstake, Account::Solana(_)) => Some(Staking::Deactivate),
            (Action::WithdrawStake, Account::Solana(_)) => Some(Staking::Withdraw {
                amount: self.amount,
            }),
            _ => None,
        }
    }

    /// The seed of the stake account that is meant.
    #[must_use]
    pub fn seed(&self) -> Option<&StakeSeed> {
        self.stake.as_ref().map(StakeAccount::seed)
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
        let mut body: Body = object(body)?;
        let printable = |reason: &str| {
            reason.chars().count() <= REASON_LIMIT && !reason.chars().any(char::is_control)
        };
        if !body.reason.as_deref().is_none_or(printable) {
            return Err(Code::BodyMalformed);
        }
        let of_stake = body.action.is_of_stake();
        let of_program = body.is_of_program();
        let of_solana = body.transfers.is_some() || body.memo.is_some() || of_stake || of_program;
        if (of_stake || of_program) && body.memo.is_some() {
            return Err(Code::BodyMalformed);
        }
        let brought = body.take_brought()?.map(Box::new);
        let items = match brought {
            Some(_) => Vec::new(),
            None => body.take_items()?,
        };
        let memo = body.memo.map(|memo| memo.parse());
        let memo = memo.transpose().map_err(|_| Code::MemoMalformed)?;
        if of_solana && !matches!(body.network, ChainId::Solana(_)) {
            return Err(Code::SolanaOnly);
        }
        Ok(Self {
            action: body.action,
            signer: body.signer,
            wallet: body.wallet,
            network: body.network,
            items,
            submit: body.submit.unwrap_or(brought.is_none()),
            brought,
            memo,
            reason: body.reason,
            replaces: body.replaces,
            speed: body.speed,
        })
    }

    /// Resolves contacts, decimals and functions by the document in force, for a wallet of this address.
    ///
    /// # Errors
    /// The code of what does not resolve.
    pub fn resolve(&self, document: &PolicyDocument, from: Account) -> Result<Claim, Code> {
        let (first, more) = self.items.split_first().ok_or(Code::BodyMalformed)?;
        let more = more
            .iter()
            .map(|item| self.resolve_one(item, document, from));
        Ok(Claim::new(
            self.resolve_one(first, document, from)?,
            more.collect::<Result<_, _>>()?,
            self.memo.clone(),
        ))
    }

    fn resolve_one(
        &self,
        item: &Item,
        document: &PolicyDocument,
        from: Account,
    ) -> Result<Transfer, Code> {
        let asset = item.asset.unwrap_or(self.network.native_asset());
        if asset.chain() != self.network {
            return Err(Code::BodyMalformed);
        }
        if self.action.is_of_stake() {
            return self.resolve_staking(item, asset, document, from);
        }
        let to = match item.to.strip_prefix('@') {
            Some(name) => document
                .recipients
                .iter()
                .find(|known| known.name == name && known.account.chain() == self.network)
                .map(|known| known.account.account())
                .ok_or(Code::RecipientNotListed)?,
            None => item.to.parse().map_err(|_| Code::BodyMalformed)?,
        };
        let receiver = AccountId::new(self.network, to).map_err(|_| Code::BodyMalformed)?;
        let call = match &item.call {
            None => None,
            Some(call) => Some(Box::new(call.resolve(document, receiver, from)?)),
        };
        if let Some(program) = &item.program {
            return program.resolve(asset, document, receiver, from);
        }
        let rule = document.asset(asset);
        let decimals = || rule.map(|rule| rule.decimals).ok_or(Code::AssetNotListed);
        let amount = self.amount_with(item, decimals)?;
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
            stake: None,
            program: None,
        })
    }

    fn amount_with(
        &self,
        item: &Item,
        decimals: impl FnOnce() -> Result<Decimals, Code>,
    ) -> Result<Amount, Code> {
        let amount = match (&item.amount, item.amount_base) {
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
        if amount == Amount::ZERO && matches!(self.action, Action::Transfer | Action::Stake) {
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
mod program_tests;
#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
