//! Calls of programs that an owner registered, by method: the bytes with which the instruction's data begins,
//! fields of fixed length behind them, the number of accounts and which of them are writable. Only with one of
//! these do the bytes of such a call read as anything (`transaction::Known`). A message that calls the program is
//! that one instruction beside settings of the fee. What leaves is the owner's word, and what a field says.
//!
//! What the program itself does, no decoder sees. It reaches the accounts of its instruction and no other; with
//! the wallet among them it has the wallet's signature, for whatever it calls in turn. Judges no value.

use minicbor::{Decode, Encode};

use super::field::FieldKind;
use super::message::{AccountUse, Instruction, Role};
use super::{Outflow, SolanaError, Understood, compute_budget, reserved};
use crate::address::{Account, SolanaAddress};
use crate::amount::Amount;
use crate::caip::{AssetId, ChainId};
use crate::effect::Effect;

/// Fields of one method, at most: more could not be read by an owner.
pub const FIELDS_LIMIT: usize = 16;
/// Accounts of one method, at most.
pub const ACCOUNTS_LIMIT: usize = 32;
/// Bytes of any content behind the fields, at most.
pub const TAIL_LIMIT: u16 = 256;

/// A method that an owner registered at a program.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ProgramMethod {
    /// The program.
    #[n(0)]
    pub program: SolanaAddress,
    /// How the data begins.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub begins: Vec<u8>,
    /// What follows, in order and without gaps.
    #[n(2)]
    pub fields: Vec<Field>,
    /// How many bytes of any content may follow these.
    #[n(3)]
    pub tail: u16,
    /// For each account whether it is writable.
    #[n(4)]
    pub accounts: Vec<bool>,
    /// What leaves at worst in each call, whatever its fields say: the owner's word.
    #[n(5)]
    pub outflow: Vec<Leaving>,
}

/// A field of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Field {
    /// Its type.
    #[n(0)]
    pub kind: FieldKind,
    /// The asset of which it is an amount, if it is one: counted as leaving the wallet in full.
    #[n(1)]
    pub spends: Option<AssetId>,
}

/// What leaves of one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Leaving {
    /// The asset.
    #[n(0)]
    pub asset: AssetId,
    /// Base units at worst.
    #[n(1)]
    pub up_to: Amount,
}

/// A call of a registered method: who makes it, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ProgramCall {
    /// Who calls: the wallet's address.
    #[n(0)]
    pub from: SolanaAddress,
    /// What is called, as the owner registered it.
    #[n(1)]
    pub method: ProgramMethod,
    /// The accounts, in order.
    #[n(2)]
    pub accounts: Vec<SolanaAddress>,
    /// The data, whole.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub data: Vec<u8>,
}

impl ProgramMethod {
    /// The method of a call that was judged before, as its effects name it.
    #[must_use]
    pub fn of_effects(effects: &[Effect]) -> Option<&Self> {
        effects.iter().find_map(|effect| match effect {
            Effect::Program { told, .. } => Some(&told.method),
            _ => None,
        })
    }

    /// The values of data's fields, and what follows; nothing if the data is no call of this method.
    fn read<'a>(&self, data: &'a [u8]) -> Option<(Vec<&'a [u8]>, &'a [u8])> {
        let mut rest = data.strip_prefix(self.begins.as_slice())?;
        let mut values = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let (value, behind) = rest.split_at_checked(field.kind.length())?;
            if !field.kind.holds(value) {
                return None;
            }
            values.push(value);
            rest = behind;
        }
        (rest.len() <= usize::from(self.tail)).then_some((values, rest))
    }
}

impl ProgramCall {
    /// A call with this data and these accounts, if it is one of the method.
    ///
    /// # Errors
    /// [`SolanaError::ProgramData`], [`SolanaError::InstructionAccounts`].
    pub fn read(
        from: SolanaAddress,
        method: &ProgramMethod,
        accounts: &[SolanaAddress],
        data: &[u8],
    ) -> Result<Self, SolanaError> {
        method.read(data).ok_or(SolanaError::ProgramData)?;
        if accounts.len() != method.accounts.len() {
            return Err(SolanaError::InstructionAccounts);
        }
        Ok(Self {
            from,
            method: method.clone(),
            accounts: accounts.to_vec(),
            data: data.to_vec(),
        })
    }

    /// Each field with its value, in order.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &[u8])> {
        let values = self.method.read(&self.data);
        let values = values.map(|(values, _)| values).unwrap_or_default();
        self.method.fields.iter().copied().zip(values)
    }

    /// What follows the fields.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        self.method
            .read(&self.data)
            .map_or(&[], |(_, behind)| behind)
    }

    /// Each account, and whether it is writable.
    pub fn uses(&self) -> impl Iterator<Item = (SolanaAddress, bool)> {
        let writable = self.method.accounts.iter().copied();
        self.accounts.iter().copied().zip(writable)
    }

    /// Whether the program has the wallet's signature.
    #[must_use]
    pub fn signs(&self) -> bool {
        self.accounts.contains(&self.from)
    }

    /// What leaves: first what leaves in each call, then what the fields say, in their order.
    #[must_use]
    pub fn outflows(&self) -> Vec<(AssetId, Amount)> {
        let fixed = self.method.outflow.iter();
        let mut outflows: Vec<_> = fixed.map(|one| (one.asset, one.up_to)).collect();
        for (field, value) in self.fields() {
            if let Some(asset) = field.spends {
                // What is an amount and no number is more than any limit.
                let amount = field.kind.number(value).unwrap_or(u128::MAX);
                outflows.push((asset, Amount::from_base_units(amount)));
            }
        }
        outflows
    }

    /// What leaves of one asset in all.
    #[must_use]
    pub fn leaving(&self, asset: AssetId) -> Amount {
        let of_asset = self.outflows().into_iter().filter(|(of, _)| *of == asset);
        of_asset.fold(Amount::ZERO, |sum, (_, amount)| {
            sum.checked_add(amount).unwrap_or(Amount::MAX)
        })
    }

    /// What leaves beside the chain's own coin, in order.
    #[must_use]
    pub fn tokens_leaving(&self, chain: ChainId) -> Vec<(AssetId, Amount)> {
        let native = chain.native_asset();
        let mut outflows = self.outflows();
        outflows.retain(|(asset, _)| *asset != native);
        outflows
    }
}

/// Everything that a call does beside its fee: first the call with the lamports that leave, then what leaves
/// of tokens.
#[must_use]
pub fn effects(chain: ChainId, told: &ProgramCall) -> Vec<Effect> {
    let native = chain.native_asset();
    let mut effects = vec![Effect::Program {
        asset: native,
        value: told.leaving(native),
        told: Box::new(told.clone()),
    }];
    for (asset, value) in told.tokens_leaving(chain) {
        effects.push(Effect::Call {
            target: Account::Solana(told.method.program),
            method: told.method.begins.clone(),
            asset,
            value,
            told: None,
        });
    }
    effects
}

/// Whether a message calls the program of a registered method: then all of it must be that call.
pub(super) fn is_called(instructions: &[Instruction<'_>], known: Option<&ProgramMethod>) -> bool {
    known.is_some_and(|method| {
        let program = method.program;
        reserved::reserved(program).is_none()
            && instructions
                .iter()
                .any(|instruction| instruction.program == program)
    })
}

/// Reads the instructions of a message that calls the program: the one call, and settings of its fee.
pub(super) fn parse(
    wallet: SolanaAddress,
    instructions: &[Instruction<'_>],
    mut budget: compute_budget::Request,
    method: &ProgramMethod,
) -> Result<Understood, SolanaError> {
    let mut others = Vec::new();
    for instruction in instructions {
        if instruction.program == compute_budget::PROGRAM {
            budget.add(compute_budget::parse(instruction)?)?;
        } else {
            others.push(instruction);
        }
    }
    let [call] = others.as_slice() else {
        return Err(SolanaError::ProgramSequence);
    };
    let accounts: Vec<SolanaAddress> = call.accounts.iter().map(|one| one.address).collect();
    let told = ProgramCall::read(wallet, method, &accounts, call.data)?;
    // Rights belong to the message: an account that stands at two places has them at both.
    let agrees = |(account, (_, writable)): (&AccountUse, (_, bool))| account.writable == writable;
    if !call.accounts.iter().zip(told.uses()).all(agrees) {
        return Err(SolanaError::ProgramAccounts);
    }
    Ok(Understood {
        fee_max: budget.fee_max(1)?,
        outflows: vec![Outflow::Program(Box::new(told))],
        memo: None,
        role: Role::Payer,
    })
}
