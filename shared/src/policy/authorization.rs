//! Tokens that may be moved by authorization (EIP-3009): what a document says of each. A token whose entry says
//! nothing of it is refused. How much, every limit of the token says: an authorization counts as the transfer that it
//! is. Reads no text.

use minicbor::{Decode, Encode};

use super::document::AssetRule;
use super::flaw::Flaw;
use crate::authorization::{TokenDomain, VALID_LONGEST};
use crate::caip::Token;
use crate::time::Millis;

/// That a token may be moved by authorization, and how.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AuthorizationRule {
    /// What the token calls itself.
    #[n(0)]
    pub domain: TokenDomain,
    /// The longest that an authorization may hold.
    #[n(1)]
    pub valid_for: Millis,
}

/// Checks what the encoding alone does not.
pub(super) fn check(rule: &AssetRule) -> Result<(), Flaw> {
    let Some(authorization) = &rule.authorization else {
        return Ok(());
    };
    let holds = [
        (
            matches!(rule.asset.token(), Token::Erc20(_)),
            Flaw::AuthorizationToken,
        ),
        (authorization.domain.is_sound(), Flaw::AuthorizationDomain),
        (
            (Millis::from_secs(1)..=VALID_LONGEST).contains(&authorization.valid_for),
            Flaw::AuthorizationValidity,
        ),
    ];
    let broken = holds.into_iter().find(|(sound, _)| !sound);
    broken.map_or(Ok(()), |(_, flaw)| Err(flaw))
}

#[cfg(test)]
mod tests {
    use super::super::diff::diff;
    use super::super::document::{PolicyDocument, PolicyError};
    use super::super::toml_form;
    use super::*;
    use crate::amount::Amount;

    const TOKEN: &str = "eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";

    fn rule() -> AuthorizationRule {
        AuthorizationRule {
            domain: TokenDomain {
                name: "USD Coin".to_owned(),
                version: "2".to_owned(),
            },
            valid_for: Millis::from_secs(300),
        }
    }

    fn document(asset: &str, authorization: Option<AuthorizationRule>) -> PolicyDocument {
        let asset: crate::caip::AssetId = asset.parse().expect("an asset");
        let evm = matches!(asset.chain(), crate::caip::ChainId::Evm(_));
        let decimals = crate::amount::Decimals::new(6).expect("six");
        PolicyDocument {
            assets: vec![AssetRule {
                outstanding: evm.then_some(Amount::ZERO),
                authorization,
                ..AssetRule::closed(asset, "USDC", decimals)
            }],
            ..PolicyDocument::closed(1)
        }
    }

    fn flaw(document: &PolicyDocument) -> Option<Flaw> {
        match document.check() {
            Ok(()) => None,
            Err(PolicyError::Flawed { flaw, .. }) => Some(flaw),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn an_entry_is_a_tokens_with_a_readable_name_for_minutes() {
        assert_eq!(flaw(&document(TOKEN, Some(rule()))), None);
        for asset in [
            "eip155:31337/slip44:60",
            "eip155:8453/erc721:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913/1",
            "solana:localnet/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
        ] {
            let refused = flaw(&document(asset, Some(rule())));
            assert_eq!(refused, Some(Flaw::AuthorizationToken), "{asset}");
        }
        let most = "n".repeat(64);
        for (name, sound) in [
            ("USDC", true),
            (most.as_str(), true),
            ("", false),
            (" USDC", false),
            ("USDC\n", false),
            ("USD | to", false),
            ("USD\u{20ae}0", false),
        ] {
            let mut changed = rule();
            changed.domain.version = name.to_owned();
            let expected = (!sound).then_some(Flaw::AuthorizationDomain);
            assert_eq!(flaw(&document(TOKEN, Some(changed))), expected, "{name:?}");
        }
        for (millis, sound) in [
            (999, false),
            (1000, true),
            (900_000, true),
            (900_001, false),
        ] {
            let changed = AuthorizationRule {
                valid_for: Millis::from_millis(millis),
                ..rule()
            };
            let expected = (!sound).then_some(Flaw::AuthorizationValidity);
            assert_eq!(flaw(&document(TOKEN, Some(changed))), expected, "{millis}");
        }
    }

    #[test]
    fn the_form_for_people_says_the_same() {
        for authorization in [None, Some(rule())] {
            let document = document(TOKEN, authorization);
            let text = toml_form::write(&document);
            assert_eq!(toml_form::parse(&text).expect("sound"), document, "{text}");
            assert_eq!(
                text.contains("authorization"),
                document.assets[0].authorization.is_some()
            );
        }
    }

    /// What may be authorized, under another name or for longer loosens; taking it back tightens.
    #[test]
    fn a_change_of_it_is_told() {
        let before = document(TOKEN, None);
        let after = document(TOKEN, Some(rule()));
        let told = diff(&before, &after);
        assert_eq!((told.loosenings.len(), told.tightenings.len()), (1, 0));
        let words = &told.loosenings[0].words;
        assert!(
            words.ends_with(
                "moved by authorization: as USD Coin, version 2, for up to 5 minutes instead of not at all"
            ),
            "{words}"
        );
        let back = diff(&after, &before);
        assert_eq!((back.loosenings.len(), back.tightenings.len()), (0, 1));
        let longer = AuthorizationRule {
            valid_for: Millis::from_secs(301),
            ..rule()
        };
        let told = diff(&after, &document(TOKEN, Some(longer)));
        assert_eq!((told.loosenings.len(), told.tightenings.len()), (1, 0));
    }
}
