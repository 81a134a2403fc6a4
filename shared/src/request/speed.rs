//! How soon a payment should land, as an agent asks for it. A wish, and no more: it moves fees under the ceilings
//! that owners set. The signer reads it, for the agent signs it with the rest of the body, and decides nothing by it.

use serde::Deserialize;

/// How soon a payment should land.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Speed {
    /// When it is cheap.
    Slow,
    /// As most do.
    #[default]
    Normal,
    /// Ahead of most.
    Fast,
}

impl Speed {
    /// All of them, from the cheapest.
    pub const ALL: [Self; 3] = [Self::Slow, Self::Normal, Self::Fast];

    /// The name in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Normal => "normal",
            Self::Fast => "fast",
        }
    }

    /// The speed of this name.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|speed| speed.as_str() == text)
    }
}

impl<'de> Deserialize<'de> for Speed {
    /// Its name, and no other form.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| serde::de::Error::custom("no such speed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::denial::Code;
    use crate::request::TransferRequest;

    fn read(rest: &str) -> Result<Speed, Code> {
        let body = format!(
            r#"{{"signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"solana:localnet","to":"@one","amount":"1"{rest}}}"#
        );
        TransferRequest::parse(body.as_bytes()).map(|request| request.speed)
    }

    #[test]
    fn a_speed_is_one_of_three_names() {
        assert_eq!(read(""), Ok(Speed::Normal));
        for speed in Speed::ALL {
            let said = format!(r#","speed":"{}""#, speed.as_str());
            assert_eq!(read(&said), Ok(speed), "{said}");
        }
        for other in [
            r#","speed":"""#,
            r#","speed":"Fast""#,
            r#","speed":"urgent""#,
            r#","speed":null"#,
            r#","speed":2"#,
            r#","speed":["fast"]"#,
            r#","speed":{"fast":null}"#,
            r#","speed":"fast","speed":"slow""#,
        ] {
            assert_eq!(read(other), Err(Code::BodyMalformed), "{other}");
        }
    }

    #[test]
    fn speeds_are_in_order() {
        assert!(Speed::ALL.is_sorted());
        assert_eq!(Speed::default(), Speed::Normal);
    }
}
