//! The signing page, for owners whose key is in a browser wallet: the same file that the gateway serves
//! at `/sign`, and the link that carries a text to it. The text stands behind the `#`, which a browser
//! sends to nobody.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The whole page: one file, which loads nothing.
pub(crate) const PAGE: &str = include_str!("../../pages/sign.html");

/// Opens the gateway's page with this text in it; decides nothing.
pub(crate) fn link(gateway_url: &str, text: &str) -> String {
    format!(
        "{}/sign#text={}",
        gateway_url.trim_end_matches('/'),
        URL_SAFE_NO_PAD.encode(text)
    )
}

#[cfg(test)]
mod tests {
    use waiaas_shared::address::SolanaAddress;
    use waiaas_shared::keys::OwnerKey;
    use waiaas_shared::statement::StatementFacts;

    use super::*;

    #[test]
    fn the_text_stands_behind_the_fragment() {
        let link = link("http://127.0.0.1:3100/", "WAIaaS ?\n");
        assert_eq!(link, "http://127.0.0.1:3100/sign#text=V0FJYWFTID8K");
    }

    /// The page says of these alone that they are not handed in by `statement submit`.
    #[test]
    fn the_page_knows_which_kinds_are_pasted() {
        let key = OwnerKey::Ed25519(SolanaAddress::from_bytes([1; 32]));
        let pasted = [
            StatementFacts::EnrolOwner {
                key,
                withdrawals: Vec::new(),
            }
            .heading(),
            StatementFacts::AddOwner { key }.heading(),
            StatementFacts::AddGuardian { key }.heading(),
            StatementFacts::RecoverOwners { key }.heading(),
            "WITHDRAW",
        ];
        let list: Vec<_> = pasted
            .iter()
            .map(|heading| format!("\"{heading}\""))
            .collect();
        let line = format!("const PASTED_ONLY = [{}];", list.join(", "));
        assert!(PAGE.contains(&line), "{line}");
    }
}
