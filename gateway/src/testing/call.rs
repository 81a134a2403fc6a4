//! Requests as they are made, and refusals as they are read.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::Value;

/// A request being made.
pub(crate) struct Call(axum::http::request::Builder);

impl Call {
    pub(crate) fn new(method: Method, target: &str) -> Self {
        Self(
            Request::builder()
                .method(method)
                .uri(target)
                .header("host", "127.0.0.1:3100"),
        )
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn empty(self) -> Request<Body> {
        self.0.body(Body::empty()).expect("a request")
    }

    pub(crate) fn json(self, body: &str) -> Request<Body> {
        self.header("content-type", "application/json")
            .0
            .body(Body::from(body.to_owned()))
            .expect("a request")
    }
}

/// The code of a problem.
pub(crate) fn code(value: &Value) -> &str {
    value["code"].as_str().unwrap_or_default()
}
