//! The signing page as a browser meets it.

use axum::body::to_bytes;
use axum::http::Method;
use tower::ServiceExt as _;

use crate::testing::{Call, World};

#[tokio::test]
async fn the_page_is_the_file_under_strict_headers() {
    let world = World::new().await;
    let request = Call::new(Method::GET, "/sign").empty();
    let response = world
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("infallible");
    assert_eq!(response.status().as_u16(), 200);
    let headers = response.headers().clone();
    let header = |name: &str| -> String {
        let mut values = headers.get_all(name).iter();
        let value = values.next().unwrap_or_else(|| panic!("{name} is missing"));
        assert!(values.next().is_none(), "{name} stands twice");
        value.to_str().expect("text").to_owned()
    };
    let policy = header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(policy.ends_with("; frame-ancestors 'none'"), "{policy}");
    for loose in [
        "unsafe",
        "*",
        "http",
        "data:",
        "blob:",
        "'self'",
        "connect-src",
    ] {
        assert!(!policy.contains(loose), "{loose} in {policy}");
    }
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(header(name), value, "{name}");
    }
    for absent in [
        "set-cookie",
        "access-control-allow-origin",
        "link",
        "location",
    ] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
    let body = to_bytes(response.into_body(), 1 << 20)
        .await
        .expect("a body");
    let file = include_bytes!("../../../../pages/sign.html");
    assert_eq!(body[..], file[..], "the same bytes as the local file");
}

/// No session, no signer, no query: there is nothing that a request could change.
#[tokio::test]
async fn invariant_15_nothing_in_a_request_changes_the_page() {
    let world = World::new().await;
    for target in ["/sign?text=V0FJYWFT", "/sign?lang=ko"] {
        let request = Call::new(Method::GET, target).empty();
        let response = world
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        assert_eq!(response.status().as_u16(), 200, "{target}");
        let body = to_bytes(response.into_body(), 1 << 20)
            .await
            .expect("a body");
        let file = include_bytes!("../../../../pages/sign.html");
        assert_eq!(body[..], file[..], "{target}");
    }
    for (method, target, status) in [
        (Method::POST, "/sign", 405),
        (Method::GET, "/sign/", 400),
        (Method::GET, "/sign.html", 404),
        (Method::GET, "/pages/sign.html", 404),
    ] {
        let request = Call::new(method, target).empty();
        assert_eq!(world.call(request).await.0.as_u16(), status, "{target}");
    }
}
