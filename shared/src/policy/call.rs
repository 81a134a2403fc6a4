//! What a document says of calls: a program of Solana by how the call's data begins, a contract of an EVM
//! chain by its function, with a rule for each argument. What no rule is given for is refused: that an
//! argument may be anything must be said. Owns their form and what they must hold to; `rule::calls` judges.

use minicbor::{Decode, Encode};

use super::check::{Flaw, require};
use super::document::{METHOD_LIMIT, PolicyDocument};
use super::evaluate::Tier;
use super::program::CallProgram;
use crate::address::Account;
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId, Token};
use crate::evm::abi::{Function, Invocation, Kind, Word};
use crate::evm::{is_system_address, reserved};
use crate::solana::ProgramMethod;

/// Values that one argument may be restricted to, at most.
pub(super) const VALUES_LIMIT: usize = 64;

/// A program or contract that may be called.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CallRule {
    /// The program or contract.
    #[n(0)]
    pub target: AccountId,
    /// How the call's data begins: discriminator of 1 to 16 bytes, or the function's selector.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub method: Vec<u8>,
    /// Its tier, at least.
    #[n(2)]
    pub tier: Tier,
    /// Most that one call of a contract may carry away, in base units of the chain's own asset.
    #[n(3)]
    pub value_up_to: Amount,
    /// The function of an EVM chain's contract; of no other target.
    #[n(4)]
    pub function: Option<CallFunction>,
    /// Accounts and data of a Solana program's method; of no other target.
    #[n(5)]
    pub program: Option<CallProgram>,
}

/// A function with the rules of its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CallFunction {
    /// As Solidity names it.
    #[n(0)]
    pub signature: Function,
    /// One for each parameter.
    #[n(1)]
    pub arguments: Vec<ArgumentRule>,
}

/// The rule of one argument.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ArgumentRule {
    /// What it may be.
    #[n(0)]
    pub accepts: Accepts,
    /// The token of which it is an amount: counted as leaving the wallet in full.
    #[n(1)]
    pub spends: Option<AssetId>,
}

/// What an argument may be.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Accepts {
    /// Anything of its type.
    #[n(0)]
    Any,
    /// A number up to this one; of `uint` types.
    #[n(1)]
    Max(#[n(0)] Word),
    /// One of these; sorted, each once, at least one.
    #[n(2)]
    OneOf(#[n(0)] Vec<Word>),
    /// The address of the wallet that calls; of `address`.
    #[n(3)]
    Wallet,
}

impl Accepts {
    /// Whether it may be this, in a call that `told` describes.
    #[must_use]
    pub fn allows(&self, word: &Word, told: &Invocation) -> bool {
        match self {
            Self::Any => true,
            // Big endian: as numbers compare, so do their bytes.
            Self::Max(most) => word <= most,
            Self::OneOf(words) => words.binary_search(word).is_ok(),
            Self::Wallet => *word == crate::evm::abi::address_word(told.from),
        }
    }
}

impl CallRule {
    /// The rule of a function at a contract; its method is the function's selector.
    #[must_use]
    pub fn of_function(target: AccountId, function: CallFunction, tier: Tier) -> Self {
        Self {
            target,
            method: function.signature.selector().to_vec(),
            tier,
            value_up_to: Amount::ZERO,
            function: Some(function),
            program: None,
        }
    }

    /// The rule of a method of a program, which carries nothing but what leaves with it.
    #[must_use]
    pub fn of_program(
        target: AccountId,
        method: Vec<u8>,
        program: CallProgram,
        tier: Tier,
    ) -> Self {
        Self {
            target,
            method,
            tier,
            value_up_to: Amount::ZERO,
            function: None,
            program: Some(program),
        }
    }

    /// The method as its calls are read by, of a program.
    #[must_use]
    pub fn program_method(&self) -> Option<ProgramMethod> {
        match (self.target.account(), &self.program) {
            (Account::Solana(program), Some(rule)) => Some(rule.method(program, &self.method)),
            _ => None,
        }
    }

    /// The function's rules, if it is this very function: another one may begin alike.
    #[must_use]
    pub fn function(&self, signature: &Function) -> Option<&CallFunction> {
        let function = self.function.as_ref();
        function.filter(|known| known.signature == *signature)
    }

    pub(super) fn check(&self, document: &PolicyDocument) -> Result<(), Flaw> {
        require(
            (1..=METHOD_LIMIT).contains(&self.method.len()),
            Flaw::Method,
        )?;
        let native = self.target.chain().native_asset();
        require(document.asset(native).is_some(), Flaw::Unknown)?;
        match (self.target.account(), &self.function, &self.program) {
            (Account::Solana(_), None, Some(program)) => {
                require(self.value_up_to == Amount::ZERO, Flaw::ProgramValue)?;
                program.check(self.target, &self.method, document)
            }
            (Account::Evm(contract), Some(function), None) => {
                require(!is_system_address(contract), Flaw::Target)?;
                let selector = function.signature.selector();
                require(reserved(selector).is_none(), Flaw::Reserved)?;
                require(self.method == selector, Flaw::Method)?;
                function.check(self.target, document)
            }
            _ => Err(Flaw::Function),
        }
    }
}

impl CallFunction {
    /// For each parameter the token of which it is an amount.
    #[must_use]
    pub fn spends(&self) -> Vec<Option<AssetId>> {
        self.arguments.iter().map(|rule| rule.spends).collect()
    }

    fn check(&self, target: AccountId, document: &PolicyDocument) -> Result<(), Flaw> {
        let kinds = self.signature.parameters();
        require(kinds.len() == self.arguments.len(), Flaw::Arguments)?;
        for (kind, rule) in kinds.iter().zip(&self.arguments) {
            let sound = match &rule.accepts {
                Accepts::Any => true,
                Accepts::Max(most) => matches!(kind, Kind::Uint(_)) && kind.holds(most),
                Accepts::OneOf(words) => {
                    (1..=VALUES_LIMIT).contains(&words.len())
                        && words.is_sorted_by(|one, other| one < other)
                        && words.iter().all(|word| kind.holds(word))
                }
                Accepts::Wallet => *kind == Kind::Address,
            };
            require(sound, Flaw::Argument)?;
            if let Some(asset) = rule.spends {
                let amount = matches!(kind, Kind::Uint(_));
                let token = matches!(asset.token(), Token::Erc20(_));
                let here = asset.chain() == target.chain();
                require(amount && token && here, Flaw::Spends)?;
                require(document.asset(asset).is_some(), Flaw::Unknown)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "call_tests.rs"]
pub(crate) mod tests;
