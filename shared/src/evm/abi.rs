//! The ABI of the calls that an owner registers: a function's signature with static types, the words of
//! its arguments, and one text form of each. Strict: one byte sequence for each call, nothing in front,
//! behind or in the padding. Types whose length varies are not read at all, so the length of a call's
//! data is that of its function. Judges no value: rules stand in the policy.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::U256;
use minicbor::{Decode, Encode};

use super::{EvmError, Registered, keccak256};
use crate::address::EvmAddress;
use crate::caip::AssetId;

/// Parameters of one function, at most: more could not be read by an owner.
pub const PARAMETERS_LIMIT: usize = 12;
/// Characters of a function's name, at most.
const NAME_LIMIT: usize = 64;
/// A number of 256 bits has 78 digits.
const DIGITS_LIMIT: usize = 78;

/// The first four bytes of Keccak-256 over a function's signature.
pub type Selector = [u8; 4];

/// 32 bytes, in which each argument stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Word(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

impl Word {
    /// Of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A number.
    #[must_use]
    pub fn from_number(number: u128) -> Self {
        Self(U256::from(number).to_be_bytes())
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its last 20 bytes, as an address.
    #[must_use]
    pub fn address(&self) -> EvmAddress {
        let mut address = [0; 20];
        let last = self.0.iter().skip(12);
        address
            .iter_mut()
            .zip(last)
            .for_each(|(to, from)| *to = *from);
        EvmAddress::from_bytes(address)
    }

    /// As a number of at most 128 bits.
    #[must_use]
    pub fn number(&self) -> Option<u128> {
        u128::try_from(U256::from_be_bytes(self.0)).ok()
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{}", hex::encode(self.0))
    }
}

/// A type of an argument: those of the ABI that fill exactly one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `uint8` to `uint256`; so many bits.
    Uint(u16),
    /// `int8` to `int256`; so many bits.
    Int(u16),
    /// `address`.
    Address,
    /// `bool`.
    Bool,
    /// `bytes1` to `bytes32`; so many bytes.
    Bytes(u8),
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uint(bits) => write!(formatter, "uint{bits}"),
            Self::Int(bits) => write!(formatter, "int{bits}"),
            Self::Address => formatter.write_str("address"),
            Self::Bool => formatter.write_str("bool"),
            Self::Bytes(bytes) => write!(formatter, "bytes{bytes}"),
        }
    }
}

impl FromStr for Kind {
    type Err = AbiError;

    /// The canonical names alone: a selector is made of `uint256`, never of `uint`.
    fn from_str(text: &str) -> Result<Self, AbiError> {
        let sized = |digits: &str| -> Option<u16> {
            let plain = !digits.starts_with('0') && digits.bytes().all(|one| one.is_ascii_digit());
            digits.parse().ok().filter(|_| plain)
        };
        let bits = |digits: &str| {
            let bits = sized(digits).filter(|bits| (8..=256).contains(bits) && bits % 8 == 0);
            bits.ok_or(AbiError::Kind)
        };
        if let Some(digits) = text.strip_prefix("uint") {
            bits(digits).map(Self::Uint)
        } else if let Some(digits) = text.strip_prefix("int") {
            bits(digits).map(Self::Int)
        } else if let Some(digits) = text.strip_prefix("bytes") {
            let bytes = sized(digits).and_then(|bytes| u8::try_from(bytes).ok());
            let bytes = bytes.filter(|bytes| (1..=32).contains(bytes));
            bytes.map(Self::Bytes).ok_or(AbiError::Kind)
        } else {
            match text {
                "address" => Ok(Self::Address),
                "bool" => Ok(Self::Bool),
                _ => Err(AbiError::Kind),
            }
        }
    }
}

impl Kind {
    /// Whether a word is the one form of a value of this type: no bit stands where none belongs.
    #[must_use]
    pub fn holds(self, word: &Word) -> bool {
        let number = U256::from_be_bytes(word.0);
        match self {
            Self::Uint(bits) => number.bit_len() <= usize::from(bits),
            // Two's complement: above the value's highest bit all bits are as that one.
            Self::Int(bits) => {
                let below = usize::from(bits).saturating_sub(1);
                let high = number >> below;
                high.is_zero() || high == U256::MAX >> below
            }
            Self::Address => number.bit_len() <= 160,
            Self::Bool => number <= U256::from(1),
            Self::Bytes(bytes) => word.0.iter().skip(bytes.into()).all(|byte| *byte == 0),
        }
    }

    /// Reads a value from its one text form: plain decimal digits, an address with its checksum, `true`
    /// or `false`, `0x` and lower-case digits of exactly so many bytes.
    ///
    /// # Errors
    /// [`AbiError::Value`].
    pub fn read(self, text: &str) -> Result<Word, AbiError> {
        let number = |digits: &str| {
            let plain = !digits.is_empty()
                && digits.len() <= DIGITS_LIMIT
                && digits.bytes().all(|one| one.is_ascii_digit());
            plain
                .then(|| U256::from_str_radix(digits, 10).ok())
                .flatten()
        };
        let word = match self {
            Self::Uint(_) => number(text).map(|number| number.to_be_bytes()),
            Self::Int(_) => match text.strip_prefix('-') {
                // Nothing below zero is as large as its opposite: what overflows reads as positive.
                Some(digits) => number(digits).map(|number| number.wrapping_neg().to_be_bytes()),
                None => number(text).map(|number| number.to_be_bytes()),
            },
            Self::Address => text.parse().ok().map(|address| address_word(address).0),
            Self::Bool => match text {
                "true" => Some(Word::from_number(1).0),
                "false" => Some(Word::from_number(0).0),
                _ => None,
            },
            Self::Bytes(bytes) => text.strip_prefix("0x").and_then(|digits| {
                let mut word = [0; 32];
                let place = word.get_mut(..bytes.into())?;
                hex::decode_to_slice(digits, place).ok()?;
                Some(word)
            }),
        };
        // One text for each value: no leading zeros, no other case, nothing out of range.
        let word = word.map(Word).filter(|word| self.holds(word));
        word.filter(|word| self.show(word) == text)
            .ok_or(AbiError::Value)
    }

    /// The text form of a word that [`Kind::holds`].
    #[must_use]
    pub fn show(self, word: &Word) -> String {
        let number = U256::from_be_bytes(word.0);
        match self {
            Self::Uint(_) => number.to_string(),
            Self::Int(_) if number.bit(255) => format!("-{}", number.wrapping_neg()),
            Self::Int(_) => number.to_string(),
            Self::Address => word.address().to_string(),
            Self::Bool => (!number.is_zero()).to_string(),
            Self::Bytes(bytes) => {
                let value = word.0.get(..bytes.into()).unwrap_or_default();
                format!("0x{}", hex::encode(value))
            }
        }
    }
}

/// An address as an argument.
#[must_use]
pub fn address_word(address: EvmAddress) -> Word {
    let mut word = [0; 32];
    word.iter_mut()
        .skip(12)
        .zip(address.as_bytes())
        .for_each(|(to, from)| *to = *from);
    Word(word)
}

/// What is no function, or no value of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AbiError {
    /// Not a signature.
    #[error(
        "a function is written as name(type,type), without blanks and names of parameters, with at most 12 of them"
    )]
    Function,
    /// A type that is not read.
    #[error(
        "types are uint8 to uint256, int8 to int256, address, bool, bytes1 to bytes32, in these very names; nothing whose length varies"
    )]
    Kind,
    /// A value of another type, or in another form.
    #[error(
        "a value is plain decimal digits, an address with its checksum, true or false, or 0x and lower-case digits of the type's length"
    )]
    Value,
}

/// A function as Solidity names it: `deposit(uint256,address)`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Function {
    name: Box<str>,
    parameters: Box<[Kind]>,
}

impl Function {
    /// Its types, in order.
    #[must_use]
    pub fn parameters(&self) -> &[Kind] {
        &self.parameters
    }

    /// How its calls begin.
    #[must_use]
    pub fn selector(&self) -> Selector {
        selector(&self.to_string())
    }

    /// How long the data of its calls is.
    #[must_use]
    pub fn data_length(&self) -> usize {
        self.parameters.len().saturating_mul(32).saturating_add(4)
    }
}

/// How the calls of a function with this signature begin.
pub(crate) fn selector(signature: &str) -> Selector {
    let [one, two, three, four, ..] = keccak256(signature.as_bytes());
    [one, two, three, four]
}

impl fmt::Display for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}(", self.name)?;
        for (place, kind) in self.parameters.iter().enumerate() {
            let before = if place == 0 { "" } else { "," };
            write!(formatter, "{before}{kind}")?;
        }
        formatter.write_str(")")
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Function {
    type Err = AbiError;

    fn from_str(text: &str) -> Result<Self, AbiError> {
        let (name, rest) = text.split_once('(').ok_or(AbiError::Function)?;
        let inside = rest.strip_suffix(')').ok_or(AbiError::Function)?;
        let begins = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$');
        let sound = (1..=NAME_LIMIT).contains(&name.len())
            && name.bytes().next().is_some_and(begins)
            && name
                .bytes()
                .all(|byte| begins(byte) || byte.is_ascii_digit());
        if !sound {
            return Err(AbiError::Function);
        }
        let kinds: Vec<&str> = match inside {
            "" => Vec::new(),
            // One more than may be: what is longer is never read.
            _ => inside.split(',').take(PARAMETERS_LIMIT + 1).collect(),
        };
        if kinds.len() > PARAMETERS_LIMIT {
            return Err(AbiError::Function);
        }
        let parameters: Result<_, _> = kinds.into_iter().map(Kind::from_str).collect();
        Ok(Self {
            name: name.into(),
            parameters: parameters?,
        })
    }
}

impl<C> Encode<C> for Function {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.str(&self.to_string())?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Function {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        _: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        decoder
            .str()?
            .parse()
            .map_err(minicbor::decode::Error::custom)
    }
}

/// A call of a function: who makes it, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Invocation {
    /// Who calls: the wallet's address.
    #[n(0)]
    pub from: EvmAddress,
    /// What is called.
    #[n(1)]
    pub function: Function,
    /// One word for each parameter.
    #[n(2)]
    pub arguments: Vec<Word>,
    /// For each parameter the asset of which it is an amount, as the owner registered it.
    #[n(3)]
    pub spends: Vec<Option<AssetId>>,
}

impl Invocation {
    /// With arguments in their text form, of which none is an amount of an asset.
    ///
    /// # Errors
    /// [`AbiError::Value`]: too few or too many, or one that is none of its type.
    pub fn read(
        from: EvmAddress,
        function: Function,
        arguments: &[String],
    ) -> Result<Self, AbiError> {
        if arguments.len() != function.parameters.len() {
            return Err(AbiError::Value);
        }
        let words = function.parameters.iter().zip(arguments);
        let words: Result<_, _> = words.map(|(kind, text)| kind.read(text)).collect();
        Ok(Self {
            from,
            arguments: words?,
            spends: vec![None; function.parameters.len()],
            function,
        })
    }

    /// Reads the data of a call of a registered function, and no other form of it.
    ///
    /// # Errors
    /// [`EvmError::UnknownMethod`], [`EvmError::CallDataLength`], [`EvmError::CallDataPadding`].
    pub fn parse(from: EvmAddress, known: &Registered, data: &[u8]) -> Result<Self, EvmError> {
        let function = &known.function;
        let (selector, rest) = data
            .split_first_chunk::<4>()
            .ok_or(EvmError::UnknownMethod)?;
        if *selector != function.selector() {
            return Err(EvmError::UnknownMethod);
        }
        let (words, behind) = rest.as_chunks::<32>();
        if words.len() != function.parameters.len() || !behind.is_empty() {
            return Err(EvmError::CallDataLength);
        }
        let arguments: Vec<Word> = words.iter().map(|word| Word(*word)).collect();
        let read = Self {
            from,
            function: function.clone(),
            arguments,
            spends: known.spends.clone(),
        };
        // INVARIANT 2: what the words hold back in their padding would be another call to some contracts.
        let sound = read.typed().all(|(kind, word)| kind.holds(word));
        if sound && read.data() == data {
            Ok(read)
        } else {
            Err(EvmError::CallDataPadding)
        }
    }

    /// What the contract is told.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.function.data_length());
        data.extend_from_slice(&self.function.selector());
        for word in &self.arguments {
            data.extend_from_slice(&word.0);
        }
        data
    }

    /// Each argument with its type.
    pub fn typed(&self) -> impl Iterator<Item = (Kind, &Word)> {
        let kinds = self.function.parameters.iter().copied();
        kinds.zip(&self.arguments)
    }

    /// Each argument in its text form.
    #[must_use]
    pub fn shown(&self) -> Vec<String> {
        self.typed().map(|(kind, word)| kind.show(word)).collect()
    }
}

#[cfg(test)]
#[path = "abi_tests.rs"]
mod tests;
