//! What the proxy says no to by itself, in the gateway's own form (RFC 9457, `application/problem+json`): one
//! table of reasons, so that whoever reads the gateway's refusals reads these as well. And what it adds to a
//! refusal of the gateway that only this machine can explain: a clock that is off, a session that has ended.

use reqwest::{Body, StatusCode};
use serde_json::{Value, json};

use crate::duration;

/// The gateway accepts a signature so many seconds around its own time.
const SKEW_SECONDS: u64 = 120;

/// Why the proxy refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Host,
    Origin,
    TokenMissing,
    TokenInvalid,
    Target,
    Header,
    Method,
    NotFound,
    NotForAgents,
    KeyMissing,
    KeyInvalid,
    BodyTooLarge,
    BodyTimeout,
    BodyIncomplete,
    Unsignable,
    GatewayUnreachable,
    GatewayAnswer,
}

impl Reason {
    /// Every reason.
    #[cfg(test)]
    pub(super) const ALL: [Self; 17] = [
        Self::Host,
        Self::Origin,
        Self::TokenMissing,
        Self::TokenInvalid,
        Self::Target,
        Self::Header,
        Self::Method,
        Self::NotFound,
        Self::NotForAgents,
        Self::KeyMissing,
        Self::KeyInvalid,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::BodyIncomplete,
        Self::Unsignable,
        Self::GatewayUnreachable,
        Self::GatewayAnswer,
    ];

    /// Status, code, what to do in a word, what happened, and what to do in a sentence.
    pub(super) const fn told(
        self,
    ) -> (u16, &'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Host => (
                403,
                "proxy_host",
                "stop",
                "The Host header does not name this proxy.",
                "Call it as localhost or 127.0.0.1, with its own port.",
            ),
            Self::Origin => (
                403,
                "proxy_origin",
                "stop",
                "Browsers may not call the proxy.",
                "Call it from a program: without an Origin header.",
            ),
            Self::TokenMissing => (
                401,
                "proxy_token_missing",
                "stop",
                "The request carries no local token.",
                "Send Authorization: Bearer with the line of the proxy's token file.",
            ),
            Self::TokenInvalid => (
                401,
                "proxy_token_invalid",
                "stop",
                "The local token is not this proxy's.",
                "Send Authorization: Bearer with the line of the proxy's token file; a session's token or secret is none.",
            ),
            Self::Target => (
                400,
                "target_malformed",
                "stop",
                "The request target must be a plain path without host, empty or dot segments and percent encoding.",
                "Correct the request; see docs/cli.md, An agent's proxy.",
            ),
            Self::Header => (
                400,
                "header_malformed",
                "stop",
                "A header is doubled, or is not plain ASCII.",
                "Send each header once.",
            ),
            Self::Method => (
                405,
                "method_not_allowed",
                "stop",
                "The proxy takes GET, POST, PUT, PATCH and DELETE.",
                "Correct the request; GET /openapi.json shows every route.",
            ),
            Self::NotFound => (
                404,
                "not_found",
                "stop",
                "The proxy forwards what stands under /v1, and /openapi.json, /health and /ready.",
                "Correct the request; GET /openapi.json shows every route.",
            ),
            Self::NotForAgents => (
                403,
                "proxy_not_for_agents",
                "stop",
                "The proxy speaks for an agent: it forwards no owner's route, and gives no token away.",
                "An owner uses the waiaas command line, or the gateway itself; tokens are the proxy's own business.",
            ),
            Self::KeyMissing => (
                400,
                "idempotency_key_missing",
                "stop",
                "A request that changes something needs an Idempotency-Key of your own.",
                "Send Idempotency-Key: one name for each thing that you mean to do, the same one when you try again. Then it is never done twice.",
            ),
            Self::KeyInvalid => (
                400,
                "idempotency_key_invalid",
                "stop",
                "An Idempotency-Key has 1 to 128 visible ASCII characters.",
                "Send another Idempotency-Key.",
            ),
            Self::BodyTooLarge => (
                413,
                "body_too_large",
                "stop",
                "The body is larger than any request's.",
                "Send at most 64 KiB.",
            ),
            Self::BodyTimeout => (
                408,
                "body_timeout",
                "stop",
                "The body did not arrive in time.",
                "Send the whole body at once.",
            ),
            Self::BodyIncomplete => (
                400,
                "body_incomplete",
                "stop",
                "The body ended early.",
                "Send the request again.",
            ),
            Self::Unsignable => (
                400,
                "request_unsignable",
                "stop",
                "Path or query have no form that can be signed.",
                "Use plain ASCII in path and query, as docs/api.md shows it.",
            ),
            Self::GatewayUnreachable => (
                502,
                "gateway_unreachable",
                "wait",
                "The gateway does not answer the proxy: what became of the request is not known.",
                "Send the same request with the same Idempotency-Key again: it is never carried out twice. On the gateway's machine: waiaas status, waiaas start.",
            ),
            Self::GatewayAnswer => (
                502,
                "gateway_answer",
                "ask_owner",
                "What answers the proxy is not a gateway of this version.",
                "Ask the owner whether gateway-url is right, and whether gateway and command line are of one version.",
            ),
        }
    }

    /// Its code.
    #[cfg(test)]
    pub(super) const fn code(self) -> &'static str {
        self.told().1
    }

    /// The answer.
    pub(super) fn answer(self) -> Refused {
        let (status, code, next, title, hint) = self.told();
        let mut body = json!({
            "type": format!("urn:waiaas:problem:{code}"),
            "title": title,
            "status": status,
            "code": code,
            "violations": [{ "code": code, "message": title, "next": next }],
            "next": next,
            "hint": hint,
        });
        if next == "wait" {
            put(&mut body, "retry_after_seconds", json!(1));
        }
        Refused {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY),
            code: code.to_owned(),
            body: body.to_string().into_bytes(),
        }
    }
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        reason.answer()
    }
}

/// A refusal on its way to the caller: the proxy's own, or one of the gateway's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    /// For the log; empty if the gateway gave none.
    pub(super) code: String,
    pub(super) body: Vec<u8>,
}

impl Refused {
    /// As HTTP.
    pub(super) fn response(self) -> hyper::Response<Body> {
        use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
        let mut response = hyper::Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Who is refused, for what only this machine knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) session: &'a str,
    /// The public half of its key, if it has one.
    pub(super) key: Option<&'a str>,
    /// This machine's clock.
    pub(super) now_seconds: u64,
}

/// A refusal of the gateway, with what only this machine can say about it.
pub(super) fn explained(status: StatusCode, body: Vec<u8>, known: Known<'_>) -> Refused {
    let Ok(mut problem) = serde_json::from_slice::<Value>(&body) else {
        return Refused {
            status,
            code: String::new(),
            body,
        };
    };
    let code = problem.get("code").and_then(Value::as_str);
    // The log takes no words of a stranger's.
    let plain = |code: &&str| {
        code.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let code = code.filter(plain).unwrap_or_default().to_owned();
    let hint = clock_hint(&problem, known).or_else(|| session_hint(&code, known));
    let body = match hint {
        Some(hint) if problem.is_object() => {
            put(&mut problem, "hint", json!(hint));
            problem.to_string().into_bytes()
        }
        _ => body,
    };
    Refused { status, code, body }
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

fn clock_hint(problem: &Value, known: Known<'_>) -> Option<String> {
    let theirs = problem.get("server_time_seconds")?.as_u64()?;
    let apart = theirs.abs_diff(known.now_seconds);
    if apart <= SKEW_SECONDS {
        return None;
    }
    let way = if known.now_seconds > theirs {
        "ahead of"
    } else {
        "behind"
    };
    Some(format!(
        "The clock of this machine is {} {way} the gateway's, whose Unix time is {theirs}: one of the two is wrong. \
         Set it and send the request again; signatures are taken within {SKEW_SECONDS} seconds.",
        duration::words(apart.saturating_mul(1000))
    ))
}

fn session_hint(code: &str, known: Known<'_>) -> Option<String> {
    let session = known.session;
    let again = match known.key {
        Some(key) => format!("waiaas session grant ... --agent-key {key}"),
        None => "waiaas session grant ... --bearer".to_owned(),
    };
    match code {
        "session_expired" | "session_revoked" | "session_unknown" => Some(format!(
            "The session {session} has ended. Ask the owner for another one ({again}), and start the proxy anew with it."
        )),
        "credential_invalid" => Some(format!(
            "The gateway knows no session {session} with this key or secret. Ask the owner for one ({again}), and start \
             the proxy anew with it."
        )),
        "session_suspended" => Some(format!(
            "The session {session} is suspended. Ask the owner to look, and to resume it: waiaas session resume {session}"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known<'_> = Known {
        session: "session_x",
        key: Some("KEY"),
        now_seconds: 1_000_000,
    };

    fn hint(status: u16, problem: &Value) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let refused = explained(status, problem.to_string().into_bytes(), KNOWN);
        let told: Value = serde_json::from_slice(&refused.body).unwrap();
        told["hint"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_clock_that_is_off_is_told_with_the_way_and_the_distance() {
        for (theirs, words) in [
            (996_400_u64, "1 hour ahead of the gateway's"),
            (1_003_600, "1 hour behind the gateway's"),
        ] {
            let problem = json!({ "code": "request_time_skew", "hint": "old", "server_time_seconds": theirs });
            let told = hint(401, &problem);
            assert!(
                told.contains(words) && told.contains(&theirs.to_string()),
                "{told}"
            );
        }
        // The clocks agree: the gateway's own words stay.
        let problem = json!({ "code": "request_signature_invalid", "hint": "old", "server_time_seconds": 1_000_050 });
        assert_eq!(hint(401, &problem), "old");
    }

    #[test]
    fn an_ended_session_says_what_to_ask_the_owner() {
        for code in [
            "session_expired",
            "session_revoked",
            "session_unknown",
            "credential_invalid",
        ] {
            let told = hint(401, &json!({ "code": code, "hint": "old" }));
            assert!(
                told.contains("session_x") && told.contains("--agent-key KEY"),
                "{told}"
            );
        }
        let told = hint(403, &json!({ "code": "session_suspended", "hint": "old" }));
        assert!(told.contains("waiaas session resume session_x"), "{told}");
        assert_eq!(
            hint(403, &json!({ "code": "hour_limit", "hint": "old" })),
            "old"
        );
    }

    #[test]
    fn a_refusal_that_is_none_passes_as_it_is_and_leaves_no_words_in_the_log() {
        let refused = explained(StatusCode::FORBIDDEN, b"<html>".to_vec(), KNOWN);
        assert_eq!(
            (refused.code.as_str(), refused.body.as_slice()),
            ("", b"<html>".as_slice())
        );
        let spoilt = json!({ "code": "a\nb" }).to_string().into_bytes();
        assert_eq!(explained(StatusCode::FORBIDDEN, spoilt, KNOWN).code, "");
    }

    #[test]
    fn every_reason_is_told_apart_and_stands_in_the_manual() {
        let manual = include_str!("../../../docs/cli.md");
        for (place, reason) in Reason::ALL.iter().enumerate() {
            let (status, code, next, title, hint) = reason.told();
            assert!(
                Reason::ALL
                    .iter()
                    .skip(place + 1)
                    .all(|other| other.code() != code)
            );
            assert!((400..600).contains(&status) && title.ends_with('.') && hint.len() > 10);
            assert!(["stop", "wait", "ask_owner"].contains(&next), "{code}");
            assert!(
                manual.contains(&format!("`{code}` {status}")),
                "docs/cli.md lacks `{code}` {status}"
            );
            let told: Value = serde_json::from_slice(&reason.answer().body).unwrap();
            assert_eq!(told["violations"][0]["next"], told["next"]);
        }
    }
}
