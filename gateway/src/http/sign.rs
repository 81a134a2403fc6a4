//! The signing page: one static file, the same for everybody, which is as good when it is opened as a
//! local file. Owners sign on it with a browser wallet; it sends nothing and decides nothing. What a
//! gateway serves counts as hostile, this page included: what protects is the text that the wallet shows.

use std::sync::OnceLock;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::auth::Public;

/// The whole page.
const PAGE: &str = include_str!("../../../pages/sign.html");
/// Where the page states its own content security policy, which holds for a local file as well.
const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"";

/// The page for owners who sign with a browser wallet.
#[utoipa::path(get, path = "/sign", tag = "owner", security(()),
    responses((status = 200, description = "The signing page", body = String, content_type = "text/html")))]
pub(super) async fn signing_page(_: Public) -> Response {
    static HEADERS: OnceLock<[(HeaderName, HeaderValue); 7]> = OnceLock::new();
    let fixed = HeaderValue::from_static;
    let headers = HEADERS.get_or_init(|| {
        [
            (header::CONTENT_TYPE, fixed("text/html; charset=utf-8")),
            (header::CONTENT_SECURITY_POLICY, content_security_policy()),
            (header::REFERRER_POLICY, fixed("no-referrer")),
            (header::X_FRAME_OPTIONS, fixed("DENY")),
            // Whoever opened the page keeps no hand on it.
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                fixed("same-origin"),
            ),
            (
                HeaderName::from_static("cross-origin-resource-policy"),
                fixed("same-origin"),
            ),
            (
                HeaderName::from_static("permissions-policy"),
                fixed("camera=(), geolocation=(), microphone=(), payment=()"),
            ),
        ]
    });
    (headers.clone(), PAGE).into_response()
}

/// The page's own, and what a page cannot say of itself: that no frame may hold it. A page without one
/// would load nothing at all.
fn content_security_policy() -> HeaderValue {
    let own = PAGE
        .split_once(POLICY)
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("default-src 'none'", |(own, _)| own);
    HeaderValue::from_str(&format!("{own}; frame-ancestors 'none'"))
        .unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// What stands between the only two of these tags.
    fn inside(tag: &str) -> &'static str {
        let (_, rest) = PAGE.split_once(&format!("<{tag}>")).expect("its beginning");
        let (inside, rest) = rest.split_once(&format!("</{tag}>")).expect("its end");
        assert!(!rest.contains(&format!("<{tag}")), "a second {tag}");
        inside
    }

    /// To repair after a change of the page: put the digests that this shows into its policy.
    #[test]
    fn the_policy_admits_the_pages_own_script_and_style_and_nothing_else() {
        let digest = |tag| STANDARD.encode(Sha256::digest(inside(tag)));
        let expected = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            digest("script"),
            digest("style")
        );
        assert_eq!(content_security_policy(), expected.as_str());
    }

    /// It loads nothing, keeps nothing, runs no text as a program or as markup, and logs nothing.
    #[test]
    fn the_page_reaches_nothing() {
        assert!(PAGE.is_ascii() || PAGE.contains("한국어"));
        for absent in [
            "http://",
            "https://",
            "//cdn",
            "<img",
            "<link",
            "<iframe",
            "<form",
            "@import",
            "url(",
            "fetch(",
            "XMLHttpRequest",
            "WebSocket",
            "sendBeacon",
            "EventSource",
            "import(",
            "cookie",
            "localStorage",
            "sessionStorage",
            "indexedDB",
            "console.",
            "eval(",
            "Function(",
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "postMessage",
            "window.open",
            "style=\"",
            " onclick",
        ] {
            assert!(!PAGE.contains(absent), "{absent}");
        }
    }

    /// Both languages say everything.
    #[test]
    fn no_word_is_missing_in_either_language() {
        let script = inside("script");
        let (english, rest) = script
            .split_once("    en: {")
            .and_then(|(_, rest)| rest.split_once("    ko: {"))
            .expect("English, then Korean");
        let (korean, _) = rest.split_once("\n  };").expect("an end");
        let names = |part: &str| -> Vec<String> {
            part.split([',', '{', '\n'])
                .filter_map(|piece| piece.trim().split_once(": "))
                .map(|(name, _)| name.to_owned())
                .filter(|name| name.chars().all(|letter| letter.is_ascii_alphabetic()))
                .collect()
        };
        let (english, korean) = (names(english), names(korean));
        for used in PAGE.split("data-t=\"").skip(1) {
            let (name, _) = used.split_once('"').expect("a name");
            assert!(
                english.iter().any(|known| known == name),
                "{name} in English"
            );
            assert!(korean.iter().any(|known| known == name), "{name} in Korean");
        }
    }
}
