//! The policy document's form for people: TOML with kebab-case keys, amounts in each asset's own unit,
//! durations such as `15m`. Only clients read it; the signer takes canonical bytes.

mod form;
mod values;

use self::form::Document;
use super::document::{PolicyDocument, PolicyError};
use crate::amount::AmountError;

/// Why a TOML text is not a policy document.
#[derive(Debug, thiserror::Error)]
pub enum TomlError {
    /// Not TOML of this shape.
    #[error("{0}")]
    Shape(#[from] toml::de::Error),
    /// A value in a wrong form.
    #[error("{entry}: {key} = {text:?}: {error}")]
    Value {
        /// Whose entry.
        entry: Box<str>,
        /// Which key.
        key: &'static str,
        /// What stands there.
        text: Box<str>,
        /// What is wrong with it.
        error: ValueError,
    },
    /// A document that would be refused.
    #[error(transparent)]
    Document(#[from] PolicyError),
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// An amount.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// A duration.
    #[error("a duration is a whole number with ms, s, m, h or d behind it, such as 15m or 24h")]
    Duration,
    /// An amount of an asset that has no entry.
    #[error("the asset has no [[asset]] entry, so its decimals are not known")]
    UnknownAsset,
    /// A price.
    #[error("a price has at most six decimals and is below 18 million million")]
    Price,
    /// A name out of a fixed list.
    #[error("it is none of the known names")]
    Name,
    /// A scope.
    #[error(transparent)]
    Scope(#[from] super::scope::ScopeError),
    /// A method.
    #[error("a method is written as 0x and an even number of lower-case hexadecimal digits")]
    Method,
    /// A function, or a value of an argument.
    #[error(transparent)]
    Abi(#[from] crate::evm::abi::AbiError),
    /// A type of a program's argument, or a value of it.
    #[error(transparent)]
    Field(#[from] crate::solana::FieldError),
    /// Which account may stand at a place, said twice or not at all.
    #[error(
        "each account needs exactly one of wallet = true, token-account, address, one-of, any = true; writable = true belongs to all but the wallet"
    )]
    Account,
    /// Both or neither of what names a call, or what belongs to the other.
    #[error(
        "a call is named by its function, with arguments and value-up-to, or by a program's method, with accounts, arguments, more-bytes and outflow"
    )]
    Call,
    /// Rules of an argument that contradict each other, or none.
    #[error(
        "each argument of the function needs exactly one of max, one-of, wallet = true, any = true"
    )]
    Argument,
    /// A time of the day, or a distance from UTC.
    #[error("a time is written as 09:30, up to 24:00; a distance from UTC as +09:00")]
    Time,
    /// A number that belongs to the kind of alarm, or does not.
    #[error("this kind of alarm needs exactly its own numbers")]
    Alarm,
    /// Both of remedy and severity, or neither.
    #[error("an alarm needs exactly one of remedy and severity")]
    Remedy,
}

/// Reads a policy document from its TOML form.
///
/// # Errors
/// [`TomlError`] naming the entry; unknown keys refuse the whole.
pub fn parse(text: &str) -> Result<PolicyDocument, TomlError> {
    let form: Document = toml::from_str(text)?;
    let mut document = form.read()?;
    document.sort();
    document.check()?;
    Ok(document)
}

/// Writes a checked document in its TOML form.
#[must_use]
pub fn write(document: &PolicyDocument) -> String {
    // Every value of the form is a text, a number, a table or a list of them: all can be written.
    toml::to_string(&Document::of(document)).unwrap_or_default()
}

#[cfg(test)]
#[path = "toml_form/tests.rs"]
mod tests;
