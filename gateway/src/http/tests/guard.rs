//! Host, Origin and target: what a browser or a careless proxy could bring along.

use axum::body::Body;
use axum::http::{Method, Request};

use crate::testing::{Call, World, code};

/// N06: a page in a browser reaches nothing, whatever name it resolved to loopback.
#[tokio::test]
async fn only_own_hosts_and_listed_origins_pass() {
    let world = World::new().await;
    let call = |host: &str, origin: Option<&str>| {
        let builder = Request::builder().uri("/health").header("host", host);
        let builder = match origin {
            Some(origin) => builder.header("origin", origin),
            None => builder,
        };
        builder.body(Body::empty()).expect("a request")
    };
    for (host, passes) in [
        ("127.0.0.1:3100", true),
        ("127.0.0.1", true),
        ("localhost:9", true),
        ("LOCALHOST", true),
        ("[::1]:3100", true),
        ("wallet.example.org", true),
        ("wallet.example.org:8443", true),
        ("evil.example", false),
        ("127.0.0.1.evil.example", false),
        ("localhost.evil.example", false),
        ("evil.example:3100", false),
        ("localhost:", false),
        ("localhost:3100:1", false),
        ("localhost@evil.example", false),
        ("0.0.0.0", false),
        ("127.1", false),
        ("2130706433", false),
        ("", false),
        ("x.wallet.example.org", false),
    ] {
        let (status, problem) = world.call(call(host, None)).await;
        assert_eq!(status.as_u16() == 200, passes, "{host}");
        assert!(
            passes || code(&problem) == "host_not_allowed",
            "{host} {problem}"
        );
    }
    for (origin, passes) in [
        ("https://console.example.org", true),
        ("http://console.example.org", false),
        ("https://console.example.org:8443", false),
        ("https://evil.example", false),
        ("http://127.0.0.1:3100", false),
        ("http://localhost", false),
        ("null", false),
        ("", false),
    ] {
        let (status, _) = world.call(call("127.0.0.1", Some(origin))).await;
        assert_eq!(status.as_u16(), if passes { 200 } else { 403 }, "{origin}");
    }
    let no_host = Request::builder()
        .uri("/health")
        .body(Body::empty())
        .expect("a request");
    assert_eq!(world.call(no_host).await.0.as_u16(), 403);
    let twice = Call::new(Method::GET, "/health")
        .header("host", "127.0.0.1")
        .empty();
    assert_eq!(world.call(twice).await.0.as_u16(), 400);
    // No answer invites a browser to call from elsewhere.
    let preflight = Call::new(Method::OPTIONS, "/v1/transactions")
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .empty();
    assert_eq!(world.call(preflight).await.0.as_u16(), 403);
}

/// N07: a path has one form.
#[tokio::test]
async fn other_forms_of_a_path_lead_nowhere() {
    let world = World::new().await;
    for target in [
        "//health",
        "/health/",
        "/./health",
        "/v1/../health",
        "/%68ealth",
        "/v1%2Fstatus",
        "/health%00",
        "/health;x=1",
        "/HEALTH",
        "/v1/transactions/dry-run/",
        "/v1/transactions/%2e%2e/status",
        "/v1//status",
        "/v1/wallets/*/balances",
        "/admin",
        "/metrics",
        "/debug",
        "/v1/policies",
        "/v1/unlock",
    ] {
        let (status, _) = world.call(Call::new(Method::GET, target).empty()).await;
        assert!([400, 404].contains(&status.as_u16()), "{target}: {status}");
    }
    let long = format!("/health?{}", "a".repeat(4000));
    assert_eq!(
        world
            .call(Call::new(Method::GET, &long).empty())
            .await
            .0
            .as_u16(),
        400
    );
    let absolute = Request::builder()
        .uri("http://127.0.0.1/health")
        .header("host", "127.0.0.1")
        .body(Body::empty())
        .expect("a request");
    assert_eq!(world.call(absolute).await.0.as_u16(), 400);
    for (method, target) in [
        (Method::HEAD, "/v1/kill"),
        (Method::OPTIONS, "/v1/kill"),
        (Method::GET, "/v1/kill"),
        (Method::PUT, "/v1/transactions"),
        (Method::DELETE, "/v1/session"),
        (Method::TRACE, "/health"),
        (Method::PATCH, "/v1/pause"),
    ] {
        let (status, _) = world.call(Call::new(method.clone(), target).empty()).await;
        assert_eq!(status.as_u16(), 405, "{method} {target}");
    }
}
