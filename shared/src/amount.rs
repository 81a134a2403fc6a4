//! Amounts. Inside, every amount is a whole number of base units (lamports, wei, a token's smallest
//! unit) with checked arithmetic only; decimal text exists at the edges, and only together with the
//! decimals that the owner signed for the asset. No float anywhere.

use std::fmt;
use std::str::FromStr;

/// A whole number of base units. 128 bits: larger numbers are refused where they enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u128);

/// Why a text or a sum is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// A sign, exponent, separator, blank, leading zero or other character that a plain number does not have.
    #[error(
        "an amount is plain decimal digits: no sign, exponent, separator, blank or leading zero"
    )]
    Form,
    /// More digits behind the point than the asset has.
    #[error("the amount has more decimals than the asset")]
    TooManyDecimals,
    /// Above 2^128 - 1 base units.
    #[error("the amount is too large")]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount, 2^128 - 1 base units.
    pub const MAX: Self = Self(u128::MAX);

    /// So many base units.
    #[must_use]
    pub const fn from_base_units(units: u128) -> Self {
        Self(units)
    }

    /// The number of base units.
    #[must_use]
    pub const fn base_units(self) -> u128 {
        self.0
    }

    /// The sum, or nothing if it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or nothing if it would be negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, or nothing if it does not fit.
    #[must_use]
    pub fn checked_mul(self, factor: u128) -> Option<Self> {
        self.0.checked_mul(factor).map(Self)
    }

    /// The difference, or zero if it would be negative. For showing what is left, never for judging.
    #[must_use]
    pub fn remaining_after(self, used: Self) -> Self {
        Self(self.0.saturating_sub(used.0))
    }

    /// Reads decimal text such as `12.50` for an asset with `decimals` places.
    ///
    /// # Errors
    /// [`AmountError`]; nothing is ever rounded.
    pub fn parse_decimal(text: &str, decimals: Decimals) -> Result<Self, AmountError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(AmountError::Form),
            Some((whole, fraction)) => (whole, fraction),
            None => (text, ""),
        };
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) {
            return Err(AmountError::Form);
        }
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(AmountError::Form);
        }
        let places = usize::from(decimals.0);
        if fraction.len() > places {
            return Err(AmountError::TooManyDecimals);
        }
        let digits = format!("{whole}{fraction:0<places$}");
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Ok(Self::ZERO);
        }
        digits.parse().map(Self).map_err(|_| AmountError::TooLarge)
    }

    /// Decimal text with every significant digit and no trailing zeros: `12.5`.
    #[must_use]
    pub fn format_decimal(self, decimals: Decimals) -> String {
        let places = usize::from(decimals.0);
        let digits = format!("{:0>width$}", self.0, width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            whole.to_owned()
        } else {
            format!("{whole}.{fraction}")
        }
    }
}

/// Base units as decimal digits.
impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// Base units from decimal digits.
impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::parse_decimal(text, Decimals::ZERO).map_err(|error| match error {
            AmountError::TooManyDecimals => AmountError::Form,
            other => other,
        })
    }
}

impl serde::Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From a string of digits only: a JSON number could have been a float on its way.
impl<'de> serde::Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// RFC 8949 preferred form: an unsigned integer up to 64 bits, a tag-2 bignum above.
impl<C> minicbor::Encode<C> for Amount {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        if let Ok(small) = u64::try_from(self.0) {
            encoder.u64(small)?;
            return Ok(());
        }
        let bytes = self.0.to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        encoder.tag(minicbor::data::IanaTag::PosBignum)?;
        encoder.bytes(bytes.get(zeros..).unwrap_or_default())?;
        Ok(())
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Amount {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        _: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        if decoder.datatype()? != minicbor::data::Type::Tag {
            return decoder.u64().map(|small| Self(small.into()));
        }
        if decoder.tag()? != minicbor::data::IanaTag::PosBignum.tag() {
            return Err(minicbor::decode::Error::message(
                "an amount is an integer or a bignum",
            ));
        }
        let bytes = decoder.bytes()?;
        if bytes.len() > 16 {
            return Err(minicbor::decode::Error::message(
                "an amount has at most 128 bits",
            ));
        }
        Ok(Self(
            bytes
                .iter()
                .fold(0, |value, byte| (value << 8) | u128::from(*byte)),
        ))
    }
}

/// How many decimal places an asset has between its unit and its base unit; at most 36.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "u8", into = "u8")]
pub struct Decimals(u8);

/// More than 36 decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an asset has at most 36 decimals")]
pub struct DecimalsError;

impl Decimals {
    /// The base unit itself.
    pub const ZERO: Self = Self(0);

    /// So many places.
    ///
    /// # Errors
    /// More than 36: no 128-bit amount could hold one whole unit with headroom.
    pub const fn new(places: u8) -> Result<Self, DecimalsError> {
        if places <= 36 {
            Ok(Self(places))
        } else {
            Err(DecimalsError)
        }
    }

    /// The number of places.
    #[must_use]
    pub const fn places(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Decimals {
    type Error = DecimalsError;

    fn try_from(places: u8) -> Result<Self, DecimalsError> {
        Self::new(places)
    }
}

impl From<Decimals> for u8 {
    fn from(decimals: Decimals) -> Self {
        decimals.0
    }
}

impl<C> minicbor::Encode<C> for Decimals {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.u8(self.0)?;
        Ok(())
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Decimals {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        _: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        Self::new(decoder.u8()?).map_err(minicbor::decode::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{from_canonical, to_canonical};

    fn six() -> Decimals {
        Decimals::new(6).expect("six is below 36")
    }

    #[test]
    fn number_forms_are_refused_never_rounded() {
        for text in [
            "", " ", ".", "1.", ".5", "1e3", "1E3", "+1", "-1", "-0", " 1", "1 ", "01", "00",
            "1_000", "1,0", "1,000.0", "１", "0x10", "0b1", "0o7", "1.0.0", "NaN", "inf", "1.5e1",
            "1.+5", "1.-5", "1. 5", "१", "1\n", "\t1", "1\0", "½", "1/2", "1f", "1u64", "$1", "1$",
            "--1", "0x", "1'000",
        ] {
            assert_eq!(
                Amount::parse_decimal(text, six()),
                Err(AmountError::Form),
                "{text:?}"
            );
            assert_eq!(text.parse::<Amount>(), Err(AmountError::Form), "{text:?}");
        }
        assert_eq!(
            Amount::parse_decimal("1.0000000000000000001", six()),
            Err(AmountError::TooManyDecimals)
        );
        assert_eq!(
            Amount::parse_decimal("0.0000001", six()),
            Err(AmountError::TooManyDecimals)
        );
        assert_eq!("1.5".parse::<Amount>(), Err(AmountError::Form));
        let above = "340282366920938463463374607431768211456";
        assert_eq!(above.parse::<Amount>(), Err(AmountError::TooLarge));
        assert_eq!(
            Amount::parse_decimal(above, six()),
            Err(AmountError::TooLarge)
        );
    }

    #[test]
    fn plain_forms_are_read_exactly() {
        for (text, units, shown) in [
            ("0", 0, "0"),
            ("0.0", 0, "0"),
            ("12.50", 12_500_000, "12.5"),
            ("0.000001", 1, "0.000001"),
            ("1000000", 1_000_000_000_000, "1000000"),
        ] {
            let amount = Amount::parse_decimal(text, six()).expect(text);
            assert_eq!(amount, Amount(units));
            assert_eq!(amount.format_decimal(six()), shown);
        }
    }

    proptest! {
        #[test]
        fn text_and_bytes_round_trip(units: u128, places in 0_u8..=36) {
            let decimals = Decimals::new(places).expect("in range");
            let amount = Amount(units);
            prop_assert_eq!(Amount::parse_decimal(&amount.format_decimal(decimals), decimals), Ok(amount));
            prop_assert_eq!(from_canonical::<Amount>(&to_canonical(&amount)), Ok(amount));
        }

        #[test]
        fn no_text_panics(text: String, places in 0_u8..=36) {
            let _unused = Amount::parse_decimal(&text, Decimals::new(places).expect("in range"));
        }
    }

    #[test]
    fn bignum_has_one_form() {
        // 1 as a bignum, and a bignum with a leading zero.
        assert!(from_canonical::<Amount>(&[0xc2, 0x41, 0x01]).is_err());
        assert!(from_canonical::<Amount>(&[0xc2, 0x4a, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(from_canonical::<Amount>(&[0x20]).is_err());
    }
}
