//! The body of a payment request as it is written: every field by its name, each kind of request with what
//! it needs and nothing else. Reads forms; resolves no name and no unit.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Action, Brought, CallRequest, Item, ProgramRequest, Speed};
use crate::address::{Account, SolanaAddress};
use crate::amount::{Amount, AmountError};
use crate::caip::{AssetId, ChainId};
use crate::claim::BATCH_LIMIT;
use crate::denial::Code;
use crate::ids::{SignerId, TransactionId, WalletId};

/// The body as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    #[serde(rename = "type", default)]
    pub(super) action: Action,
    pub(super) signer: SignerId,
    pub(super) wallet: WalletId,
    pub(super) network: ChainId,
    asset: Option<AssetId>,
    /// Of a transfer alone.
    to: Option<String>,
    /// Of an approval alone.
    spender: Option<String>,
    /// Of a stake alone.
    validator: Option<String>,
    /// Of everything about a stake account.
    seed: Option<String>,
    /// The next four of a call alone.
    contract: Option<String>,
    function: Option<String>,
    args: Option<Vec<String>>,
    value: Option<Amount>,
    /// The next three of a call of a program alone.
    program: Option<String>,
    data: Option<String>,
    accounts: Option<Vec<SolanaAddress>>,
    amount: Option<String>,
    amount_base: Option<BaseUnits>,
    /// In place of recipient, asset and amount.
    pub(super) transfers: Option<Vec<Named<ItemBody>>>,
    pub(super) memo: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) submit: Option<bool>,
    pub(super) replaces: Option<TransactionId>,
    #[serde(default)]
    pub(super) speed: Speed,
    /// In place of all that is asked for: a transaction that is brought.
    transaction: Option<String>,
    /// Of one that is brought alone.
    recipients: Option<Vec<Account>>,
}

/// One transfer of several as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemBody {
    asset: Option<AssetId>,
    to: String,
    amount: Option<String>,
    amount_base: Option<BaseUnits>,
}

/// An object with its fields by name: derived readers also take a list of their values in order.
pub(super) struct Named<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for ByName<T> {
            type Value = Named<T>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Named<T>, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Named)
            }
        }

        deserializer.deserialize_map(ByName(std::marker::PhantomData))
    }
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

impl Body {
    /// The transaction that is brought, beside which nothing is asked for.
    pub(super) fn take_brought(&mut self) -> Result<Option<Brought>, Code> {
        let recipients = self.recipients.take();
        let Some(transaction) = self.transaction.take() else {
            return match recipients {
                None => Ok(None),
                Some(_) => Err(Code::BodyMalformed),
            };
        };
        let whom = self.to.is_some() || self.spender.is_some() || self.contract.is_some();
        let of_stake = self.validator.is_some() || self.seed.is_some();
        let more = self.transfers.is_some() || self.memo.is_some() || self.replaces.is_some();
        let plain = self.names_no_amount() && self.takes_no_call();
        if self.action != Action::default() || whom || of_stake || more || !plain {
            return Err(Code::BodyMalformed);
        }
        Brought::read(self.network, &transaction, recipients.unwrap_or_default()).map(Some)
    }

    /// What is asked for, by what its kind needs and nothing else.
    pub(super) fn take_items(&mut self) -> Result<Vec<Item>, Code> {
        if self.is_of_program() {
            return self.take_program();
        }
        if self.action.is_of_stake() {
            return self.take_stake();
        }
        if self.validator.is_some() || self.seed.is_some() {
            return Err(Code::BodyMalformed);
        }
        let whom = (self.to.take(), self.spender.take(), self.contract.take());
        let to = match (self.action, whom, self.transfers.take()) {
            (Action::Transfer, (None, None, None), Some(transfers)) => {
                let alone = self.names_no_amount() && self.takes_no_call();
                return if alone {
                    several(transfers)
                } else {
                    Err(Code::BodyMalformed)
                };
            }
            (Action::Transfer, (Some(to), None, None), None) => to,
            // A chain's own coin is approved to nobody.
            (Action::Approve, (None, Some(spender), None), None) if self.asset.is_some() => spender,
            (Action::Call, (None, None, Some(contract)), None) => contract,
            _ => return Err(Code::BodyMalformed),
        };
        let (call, amount_base) = if self.action == Action::Call {
            (
                Some(self.take_call()?),
                Some(self.value.unwrap_or_default()),
            )
        } else if self.takes_no_call() {
            (None, exact(self.amount_base.take(), self.action)?)
        } else {
            return Err(Code::BodyMalformed);
        };
        Ok(vec![Item {
            asset: self.asset,
            to,
            call,
            program: None,
            seed: None,
            amount: self.amount.take(),
            amount_base,
        }])
    }

    /// What is asked of a stake account. One that is there is named by its seed, and everything else follows.
    fn take_stake(&mut self) -> Result<Vec<Item>, Code> {
        let others = self.to.is_some() || self.spender.is_some() || self.contract.is_some();
        if others || self.transfers.is_some() || !self.takes_no_call() {
            return Err(Code::BodyMalformed);
        }
        let to = match (self.action, self.validator.take()) {
            (Action::Stake, Some(validator)) => validator,
            (Action::Unstake | Action::WithdrawStake, None) if self.names_no_amount() => {
                String::new()
            }
            _ => return Err(Code::BodyMalformed),
        };
        let seed = self.seed.take().ok_or(Code::BodyMalformed)?;
        Ok(vec![Item {
            asset: self.asset,
            to,
            call: None,
            program: None,
            seed: Some(seed.parse().map_err(|_| Code::BodyMalformed)?),
            amount: self.amount.take(),
            amount_base: exact(self.amount_base.take(), self.action)?,
        }])
    }

    /// Whether a program is called, or something is said that belongs to that alone.
    pub(super) const fn is_of_program(&self) -> bool {
        self.program.is_some() || self.data.is_some() || self.accounts.is_some()
    }

    /// The call of a program: its data and its accounts, whole.
    fn take_program(&mut self) -> Result<Vec<Item>, Code> {
        let others = self.to.is_some()
            || self.spender.is_some()
            || self.contract.is_some()
            || self.validator.is_some()
            || self.seed.is_some()
            || self.transfers.is_some();
        if self.action != Action::Call || others || !self.names_no_amount() || !self.takes_no_call()
        {
            return Err(Code::BodyMalformed);
        }
        let taken = (self.program.take(), self.data.take(), self.accounts.take());
        let (Some(program), Some(data), Some(accounts)) = taken else {
            return Err(Code::BodyMalformed);
        };
        Ok(vec![Item {
            asset: None,
            to: program,
            call: None,
            program: Some(ProgramRequest {
                data: bytes(&data)?,
                accounts,
            }),
            seed: None,
            amount: None,
            amount_base: Some(Amount::ZERO),
        }])
    }

    const fn names_no_amount(&self) -> bool {
        self.asset.is_none() && self.amount.is_none() && self.amount_base.is_none()
    }

    const fn takes_no_call(&self) -> bool {
        self.function.is_none() && self.args.is_none() && self.value.is_none()
    }

    fn take_call(&mut self) -> Result<CallRequest, Code> {
        let plain = self.names_no_amount();
        match (self.function.take(), self.args.take()) {
            (Some(function), Some(arguments)) if plain => Ok(CallRequest {
                function: function.parse().map_err(|_| Code::BodyMalformed)?,
                arguments,
            }),
            _ => Err(Code::BodyMalformed),
        }
    }
}

/// Transfers in place of one.
fn several(transfers: Vec<Named<ItemBody>>) -> Result<Vec<Item>, Code> {
    if transfers.is_empty() {
        return Err(Code::BodyMalformed);
    }
    if transfers.len() > BATCH_LIMIT {
        return Err(Code::BatchTooLarge);
    }
    let items = transfers.into_iter().map(|Named(one)| {
        Ok(Item {
            asset: one.asset,
            to: one.to,
            call: None,
            program: None,
            seed: None,
            amount: one.amount,
            amount_base: exact(one.amount_base, Action::Transfer)?,
        })
    });
    items.collect()
}

/// Bytes as `0x` and lower-case digits.
fn bytes(text: &str) -> Result<Vec<u8>, Code> {
    let digits = text.strip_prefix("0x").ok_or(Code::BodyMalformed)?;
    let bytes = hex::decode(digits).map_err(|_| Code::BodyMalformed)?;
    if hex::encode(&bytes) == digits {
        Ok(bytes)
    } else {
        Err(Code::BodyMalformed)
    }
}

fn exact(units: Option<BaseUnits>, action: Action) -> Result<Option<Amount>, Code> {
    match (units, action) {
        (None, _) => Ok(None),
        (Some(BaseUnits::Exact(amount)), _) => Ok(Some(amount)),
        (Some(BaseUnits::Beyond), Action::Approve) => Err(Code::ApprovalUnlimited),
        (Some(BaseUnits::Beyond), _) => Err(Code::BodyMalformed),
    }
}

/// Reads an object with its fields by name: a list of their values in order would be read as well.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Code> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Err(Code::BodyMalformed);
    }
    serde_json::from_slice(body).map_err(|_| {
        if asks_for_typed_data(body) {
            Code::TypedDataUnsupported
        } else {
            Code::BodyMalformed
        }
    })
}

/// Whether a body that is none asks for a permit, or for typed data of its own to be signed: there is no request for
/// that, and whoever makes one should hear what to ask for in its place.
fn asks_for_typed_data(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Asks {
        #[serde(rename = "type")]
        kind: Option<serde_json::Value>,
        #[serde(rename = "primaryType", alias = "primary_type")]
        primary_type: Option<IgnoredAny>,
        types: Option<IgnoredAny>,
        typed_data: Option<IgnoredAny>,
    }
    let Ok(asks) = serde_json::from_slice::<Asks>(body) else {
        return false;
    };
    let kind = asks.kind.as_ref().and_then(serde_json::Value::as_str);
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("permit"))
        || asks.primary_type.is_some()
        || asks.types.is_some()
        || asks.typed_data.is_some()
}
