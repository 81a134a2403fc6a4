//! Single values of the form, each with its one way to be written.

use super::ValueError;
use crate::amount::{Amount, Decimals};
use crate::policy::items::{DAYS, clock, offset};
use crate::policy::scope::Hours;
use crate::time::Millis;

/// Decimals of a US dollar in millionths.
pub(super) const USD: Decimals = match Decimals::new(6) {
    Ok(decimals) => decimals,
    Err(_) => panic!("at most 36 places"),
};

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

pub(super) fn read_duration(text: &str) -> Result<Millis, ValueError> {
    let unit_begins = text.find(|character: char| !character.is_ascii_digit());
    let (digits, unit) = text.split_at(unit_begins.ok_or(ValueError::Duration)?);
    let known = UNITS.into_iter().find(|(name, _)| *name == unit);
    let (_, length) = known.ok_or(ValueError::Duration)?;
    let count: u64 = digits.parse().map_err(|_| ValueError::Duration)?;
    let millis = count.checked_mul(length).ok_or(ValueError::Duration)?;
    Ok(Millis::from_millis(millis))
}

/// In the largest unit up to hours that has no remainder.
pub(super) fn write_duration(duration: Millis) -> String {
    let millis = duration.millis();
    let whole = UNITS
        .into_iter()
        .skip(1)
        .find(|(_, length)| millis.is_multiple_of(*length));
    let (name, length) = whole.unwrap_or(("ms", 1));
    format!("{}{name}", millis / length)
}

pub(super) fn read_amount(text: &str, decimals: Decimals) -> Result<Amount, ValueError> {
    Ok(Amount::parse_decimal(text, decimals)?)
}

pub(super) fn read_method(text: &str) -> Result<Vec<u8>, ValueError> {
    let digits = text.strip_prefix("0x").ok_or(ValueError::Method)?;
    let bytes = hex::decode(digits).map_err(|_| ValueError::Method)?;
    if write_method(&bytes) == text {
        Ok(bytes)
    } else {
        Err(ValueError::Method)
    }
}

pub(super) fn write_method(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// Hours in their form.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct HoursForm {
    days: Vec<String>,
    from: String,
    to: String,
    utc_offset: String,
}

impl HoursForm {
    pub(super) fn of(hours: &Hours) -> Self {
        let days = (0..7_u8).zip(DAYS);
        Self {
            days: days
                .filter(|(day, _)| hours.days & (1 << day) != 0)
                .map(|(_, name)| name.to_owned())
                .collect(),
            from: clock(hours.from),
            to: clock(hours.to),
            utc_offset: offset(hours.utc_offset),
        }
    }

    pub(super) fn read(&self) -> Result<Hours, ValueError> {
        let mut days = 0;
        for name in &self.days {
            let known = (0..7_u8).zip(DAYS).find(|(_, known)| known == name);
            let (day, _) = known.ok_or(ValueError::Name)?;
            days |= 1 << day;
        }
        let (sign, distance) = self
            .utc_offset
            .split_at_checked(1)
            .ok_or(ValueError::Time)?;
        let distance = i16::try_from(read_clock(distance)?).map_err(|_| ValueError::Time)?;
        let utc_offset = match sign {
            "+" => distance,
            "-" => -distance,
            _ => return Err(ValueError::Time),
        };
        Ok(Hours {
            utc_offset,
            days,
            from: read_clock(&self.from)?,
            to: read_clock(&self.to)?,
        })
    }
}

fn read_clock(text: &str) -> Result<u16, ValueError> {
    let (hours, minutes) = text.split_once(':').ok_or(ValueError::Time)?;
    let number = |part: &str| {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        let number = if plain {
            part.parse::<u16>().ok()
        } else {
            None
        };
        number.ok_or(ValueError::Time)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if minutes < 60 && hours * 60 + minutes <= 24 * 60 {
        Ok(hours * 60 + minutes)
    } else {
        Err(ValueError::Time)
    }
}
