//! What a contract or a program is told, as a request says it: a function with its arguments, or data with accounts.

use super::{Action, Transfer};
use crate::address::{Account, SolanaAddress};
use crate::caip::{AccountId, AssetId};
use crate::denial::Code;
use crate::evm;
use crate::evm::abi::{Function, Invocation};
use crate::policy::document::{CallRule, PolicyDocument};
use crate::solana::{ProgramCall, SolanaError};

/// A function and the text of each of its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest {
    /// As Solidity names it.
    pub function: Function,
    /// One text for each parameter.
    pub arguments: Vec<String>,
}

/// The data of an instruction, and its accounts in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramRequest {
    /// The data, whole.
    pub data: Vec<u8>,
    /// The accounts; which of them sign or are writable is the owner's rule.
    pub accounts: Vec<SolanaAddress>,
}

impl CallRequest {
    /// The call with its arguments read, as the document has its function registered.
    pub(super) fn resolve(
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

impl ProgramRequest {
    /// The call, as the document has its method registered.
    pub(super) fn resolve(
        &self,
        asset: AssetId,
        document: &PolicyDocument,
        target: AccountId,
        from: Account,
    ) -> Result<Transfer, Code> {
        let Account::Solana(from) = from else {
            return Err(Code::SolanaOnly);
        };
        let rule = document.call(target, &self.data);
        let method = rule.and_then(CallRule::program_method);
        let method = method.ok_or(Code::CallNotListed)?;
        let told = ProgramCall::read(from, &method, &self.accounts, &self.data);
        let told = told.map_err(|error| match error {
            SolanaError::InstructionAccounts => Code::CallAccounts,
            _ => Code::CallData,
        })?;
        Ok(Transfer {
            action: Action::Call,
            asset,
            to: target.account(),
            amount: told.leaving(asset),
            mint: None,
            call: None,
            stake: None,
            program: Some(Box::new(told)),
        })
    }
}
