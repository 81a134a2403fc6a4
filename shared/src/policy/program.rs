//! What a document says of a method of a Solana program: an account rule for each place, a rule for each field of
//! the data, and what leaves at worst. No byte and no account is without a rule. What the program does with the
//! wallet's signature nobody but its code decides, so what it could take must be counted as leaving, by the owner's
//! word. Owns the form and what it must hold to; `rule::programs` judges.

use minicbor::{Decode, Encode};

use super::call::VALUES_LIMIT;
use super::check::{Flaw, require};
use super::document::{METHOD_LIMIT, PolicyDocument};
use crate::address::{Account, SolanaAddress};
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId, Token};
use crate::solana::{
    ACCOUNTS_LIMIT, FIELDS_LIMIT, Field, FieldKind, FieldValue, Leaving, ProgramMethod, TAIL_LIMIT,
    reserved,
};

/// A method of a program with the rules of its accounts and fields.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CallProgram {
    /// One for each account of the instruction.
    #[n(0)]
    pub accounts: Vec<AccountRule>,
    /// One for each field behind the method, without gaps.
    #[n(1)]
    pub fields: Vec<FieldRule>,
    /// How many bytes of any content may follow the fields.
    #[n(2)]
    pub tail: u16,
    /// What leaves at worst in each call, beside what fields say; sorted by asset, each once.
    #[n(3)]
    pub outflow: Vec<Leaving>,
}

/// The rule of one account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AccountRule {
    /// Which it may be.
    #[n(0)]
    pub accepts: AccountAccepts,
    /// Whether the program may write it.
    #[n(1)]
    pub writable: bool,
}

/// Which account may stand at a place.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AccountAccepts {
    /// Any but the wallet, its accounts for tokens of the document, and reserved programs.
    #[n(0)]
    Any,
    /// One of these; sorted, each once, at least one.
    #[n(1)]
    OneOf(#[n(0)] Vec<SolanaAddress>),
    /// The wallet that calls: it signs, and as it pays the fee it is writable.
    #[n(2)]
    Wallet,
    /// The wallet's associated account for this token.
    #[n(3)]
    TokenAccount(#[n(0)] AssetId),
}

/// The rule of one field.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FieldRule {
    /// Its type.
    #[n(0)]
    pub kind: FieldKind,
    /// What it may be.
    #[n(1)]
    pub accepts: FieldAccepts,
    /// The asset of which it is an amount: counted as leaving the wallet in full.
    #[n(2)]
    pub spends: Option<AssetId>,
}

/// What a field may be.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FieldAccepts {
    /// Anything of its type.
    #[n(0)]
    Any,
    /// A number up to this one.
    #[n(1)]
    Max(#[n(0)] Amount),
    /// One of these; sorted, each once, at least one.
    #[n(2)]
    OneOf(#[n(0)] Vec<FieldValue>),
    /// The address of the wallet that calls.
    #[n(3)]
    Wallet,
}

impl FieldRule {
    /// Whether it may be this, in a call by this wallet.
    #[must_use]
    pub fn allows(&self, value: &[u8], wallet: SolanaAddress) -> bool {
        match &self.accepts {
            FieldAccepts::Any => true,
            FieldAccepts::Max(most) => self
                .kind
                .number(value)
                .is_some_and(|number| number <= most.base_units()),
            FieldAccepts::OneOf(values) => values.iter().any(|known| known.as_bytes() == value),
            FieldAccepts::Wallet => value == wallet.as_bytes(),
        }
    }

    fn check(&self, target: AccountId, document: &PolicyDocument) -> Result<(), Flaw> {
        let largest = self.kind.largest();
        let sound = match &self.accepts {
            FieldAccepts::Any => true,
            FieldAccepts::Max(most) => largest.is_some_and(|largest| most.base_units() <= largest),
            FieldAccepts::OneOf(values) => {
                (1..=VALUES_LIMIT).contains(&values.len())
                    && values.is_sorted_by(|one, other| one < other)
                    && values.iter().all(|value| self.kind.holds(value.as_bytes()))
            }
            FieldAccepts::Wallet => self.kind == FieldKind::Address,
        };
        require(sound, Flaw::Field)?;
        let Some(asset) = self.spends else {
            return Ok(());
        };
        // Lamports and tokens are numbers of 64 bits.
        let amount = largest.is_some_and(|largest| largest <= u64::MAX.into());
        require(amount, Flaw::Outflow)?;
        leaves(asset, target, document)
    }
}

impl CallProgram {
    /// The method as its calls are read by.
    #[must_use]
    pub fn method(&self, program: SolanaAddress, begins: &[u8]) -> ProgramMethod {
        let field = |rule: &FieldRule| Field {
            kind: rule.kind,
            spends: rule.spends,
        };
        ProgramMethod {
            program,
            begins: begins.to_vec(),
            fields: self.fields.iter().map(field).collect(),
            tail: self.tail,
            accounts: self.accounts.iter().map(|rule| rule.writable).collect(),
            outflow: self.outflow.clone(),
        }
    }

    pub(super) fn sort(&mut self) {
        for rule in &mut self.accounts {
            if let AccountAccepts::OneOf(accounts) = &mut rule.accepts {
                accounts.sort_unstable();
            }
        }
        for rule in &mut self.fields {
            if let FieldAccepts::OneOf(values) = &mut rule.accepts {
                values.sort_unstable();
            }
        }
        self.outflow.sort_by_key(|one| one.asset);
    }

    /// Whether the wallet stands among the accounts, so that the program has its signature.
    #[must_use]
    pub fn signs(&self) -> bool {
        let mut accounts = self.accounts.iter();
        accounts.any(|rule| rule.accepts == AccountAccepts::Wallet)
    }

    pub(super) fn check(
        &self,
        target: AccountId,
        begins: &[u8],
        document: &PolicyDocument,
    ) -> Result<(), Flaw> {
        let Account::Solana(program) = target.account() else {
            return Err(Flaw::Function);
        };
        require((1..=METHOD_LIMIT).contains(&begins.len()), Flaw::Method)?;
        require(reserved(program).is_none(), Flaw::ReservedProgram)?;
        let few = self.accounts.len() <= ACCOUNTS_LIMIT
            && self.fields.len() <= FIELDS_LIMIT
            && self.tail <= TAIL_LIMIT;
        require(few, Flaw::TooMany)?;
        self.accounts
            .iter()
            .try_for_each(|rule| self.check_account(rule, target, document))?;
        self.fields
            .iter()
            .try_for_each(|rule| rule.check(target, document))?;
        let sorted = self
            .outflow
            .is_sorted_by(|one, other| one.asset < other.asset);
        let numbers = self
            .outflow
            .iter()
            .all(|one| one.up_to.base_units() <= u64::MAX.into());
        require(sorted && numbers, Flaw::Outflow)?;
        self.outflow
            .iter()
            .try_for_each(|one| leaves(one.asset, target, document))?;
        self.check_exposed(target)
    }

    fn check_account(
        &self,
        rule: &AccountRule,
        target: AccountId,
        document: &PolicyDocument,
    ) -> Result<(), Flaw> {
        match &rule.accepts {
            // Beside the wallet's signature it could be anything of the wallet's that no document knows.
            AccountAccepts::Any => require(!(rule.writable && self.signs()), Flaw::Exposed),
            AccountAccepts::OneOf(accounts) => {
                let sound = (1..=VALUES_LIMIT).contains(&accounts.len())
                    && accounts.is_sorted_by(|one, other| one < other);
                require(sound, Flaw::Places)
            }
            // Whoever pays the fee is writable wherever it stands.
            AccountAccepts::Wallet => require(rule.writable, Flaw::Places),
            AccountAccepts::TokenAccount(asset) => {
                let mint = matches!(asset.token(), Token::Mint(_));
                require(mint && asset.chain() == target.chain(), Flaw::Places)?;
                require(document.asset(*asset).is_some(), Flaw::Unknown)
            }
        }
    }

    /// With the wallet's signature a program may take all of its coin, and whatever lies in an account for a
    /// token that it may write: of each of them it must be said how much leaves.
    fn check_exposed(&self, target: AccountId) -> Result<(), Flaw> {
        if !self.signs() {
            return Ok(());
        }
        let counted = |asset: AssetId| {
            let fixed = self.outflow.iter().map(|one| one.asset);
            let spent = self.fields.iter().filter_map(|rule| rule.spends);
            fixed.chain(spent).any(|known| known == asset)
        };
        let tokens = self.accounts.iter().filter_map(|rule| match rule.accepts {
            AccountAccepts::TokenAccount(asset) if rule.writable => Some(asset),
            _ => None,
        });
        let mut exposed = std::iter::once(target.chain().native_asset()).chain(tokens);
        require(exposed.all(counted), Flaw::Exposed)
    }
}

/// Whether an asset can leave with a call of the program: coin or token of its chain, known to the document.
fn leaves(asset: AssetId, target: AccountId, document: &PolicyDocument) -> Result<(), Flaw> {
    let moves = matches!(asset.token(), Token::Native | Token::Mint(_));
    require(moves && asset.chain() == target.chain(), Flaw::Outflow)?;
    require(document.asset(asset).is_some(), Flaw::Unknown)
}

#[cfg(test)]
#[path = "program_tests.rs"]
pub(crate) mod tests;
