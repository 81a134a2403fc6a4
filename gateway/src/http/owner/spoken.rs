//! The language of an answer to an owner, by `Accept-Language` (RFC 9110 section 12.5.4): English or Korean, English
//! where neither is asked for. Titles of refusals in Korean, for what owners meet.

use std::convert::Infallible;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use crate::notify::Language;

/// Bytes of a refusal at most.
const PROBLEM_LIMIT: usize = 256 * 1024;

/// What the request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spoken(pub(super) Language);

impl<S: Sync> FromRequestParts<S> for Spoken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(asked(&parts.headers)))
    }
}

/// Of the two languages the one that is wanted more, and the earlier of two that are wanted alike.
fn asked(headers: &HeaderMap) -> Language {
    let values = headers.get_all(header::ACCEPT_LANGUAGE).iter();
    let ranges = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut best = (0, Language::English);
    for range in ranges {
        let (tag, quality) = range.split_once(';').unwrap_or((range, "q=1"));
        let quality = quality.trim().strip_prefix("q=").map_or(0, thousandths);
        let primary = tag.trim().split('-').next().unwrap_or_default();
        let language = match primary.to_ascii_lowercase().as_str() {
            "en" => Language::English,
            "ko" => Language::Korean,
            _ => continue,
        };
        if quality > best.0 {
            best = (quality, language);
        }
    }
    best.1
}

/// A weight from 0 to 1; 0 if it is none.
fn thousandths(text: &str) -> u16 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = part.chars().chain("000".chars()).take(3).collect();
    let part: u16 = digits.parse().unwrap_or(0);
    match whole {
        "1" => 1000,
        "0" => part,
        _ => 0,
    }
}

/// Gives refusals their Korean titles where they are asked for. Codes and hints stay: programs read them.
pub(super) async fn titles(request: Request, next: Next) -> Response {
    let language = asked(request.headers());
    let response = next.run(request).await;
    let is_problem = response.headers().get(header::CONTENT_TYPE)
        == Some(&HeaderValue::from_static("application/problem+json"));
    if language == Language::English || !is_problem {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, PROBLEM_LIMIT).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let Some(translated) = translated(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts
        .headers
        .insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("ko"));
    Response::from_parts(parts, Body::from(translated))
}

fn translated(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut problem: Value = serde_json::from_slice(bytes).ok()?;
    let code = problem.get("code")?.as_str()?.to_owned();
    *problem.get_mut("title")? = Value::from(korean(&code)?);
    if let Some(violations) = problem.get_mut("violations").and_then(Value::as_array_mut) {
        for broken in violations {
            let words = broken.get("code").and_then(Value::as_str).and_then(korean);
            if let (Some(words), Some(message)) = (words, broken.get_mut("message")) {
                *message = Value::from(words);
            }
        }
    }
    serde_json::to_vec(&problem).ok()
}

/// The Korean title of a code; none of what owners do not meet.
pub(super) fn korean(code: &str) -> Option<&'static str> {
    Some(match code {
        "owner_token_missing" => "요청에 소유자 로그인 토큰이 없습니다.",
        "owner_token_invalid" => "이 게이트웨이의 소유자 토큰이 아니거나 만료되었습니다.",
        "owner_only" => "소유자만 사용할 수 있는 경로입니다.",
        "login_invalid" => {
            "로그인할 수 없습니다: 다른 문장이거나, 이미 사용되었거나, 시간이 지났거나, 로그인할 수 있는 소유자의 키가 아닙니다."
        }
        "login_ended" => "로그인이 종료되었습니다: 로그아웃했거나 키가 정지 또는 제거되었습니다.",
        "login_unavailable" => "이 게이트웨이에는 소유자가 로그인할 주소가 설정되지 않았습니다.",
        "channel_unknown" => "그런 이름의 알림 채널이 없습니다.",
        "channel_failed" => "알림 채널이 시험 메시지를 받지 않았습니다.",
        "policy_unknown" => "그 에포크의 정책은 채택된 적이 없습니다.",
        "body_malformed" => "요청 본문이 올바르지 않습니다.",
        "query_malformed" => "질의 매개변수가 올바르지 않습니다.",
        "signer_unreachable" => "서명기에 연결할 수 없습니다: 아무것도 서명되지 않았습니다.",
        "signer_interrupted" => "요청 도중 서명기와의 연결이 끊겼습니다: 실행되었을 수 있습니다.",
        "log_rolled_back" => "서명기의 로그가 이 게이트웨이가 따라온 로그가 아닙니다.",
        "projection_behind" => "게이트웨이가 아직 서명기의 로그를 여기까지 읽지 못했습니다.",
        "locked" => "서명기가 잠겨 있습니다.",
        "killed" => "킬 스위치가 작동했습니다.",
        "frozen" => "모든 동작이 일시 중지되어 있습니다.",
        "clock_closed" => "시간이 확인될 때까지 서명이 닫혀 있습니다.",
        "intent_unknown" => "그런 대기 중인 결제가 없습니다.",
        "intent_closed" => "그 결제는 더 이상 기다리지 않습니다.",
        "intent_expired" => "그 결제의 대기 시간이 지났습니다.",
        "statement_unknown" => "그런 진술이 없거나 더 이상 유효하지 않습니다.",
        "statement_expired" => "진술에 서명할 수 있는 시간이 지났습니다.",
        "statement_signature" => "서명이 진술의 정확한 문장에 대한 것이 아닙니다.",
        "statement_too_many" => "서명을 기다리는 진술이 너무 많습니다.",
        "agent_unknown" => "그런 에이전트가 없습니다.",
        "session_unknown" => "그런 세션이 없습니다.",
        "wallet_unknown" => "그런 지갑이 없습니다.",
        "policy_malformed" => "올바른 정책이 아닙니다.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use waiaas_shared::denial::Code;

    use super::*;
    use crate::http::error::GatewayCode;

    fn of(value: &'static str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(value));
        asked(&headers)
    }

    #[test]
    fn the_language_is_the_one_that_is_wanted_more() {
        for korean in [
            "ko",
            "ko-KR",
            "KO",
            "fr, ko;q=0.5",
            "en;q=0.8, ko",
            "ko, en",
            "ko;q=0.9,en;q=0.8",
        ] {
            assert_eq!(of(korean), Language::Korean, "{korean}");
        }
        for english in [
            "",
            "en",
            "fr",
            "*",
            "ko;q=0",
            "en, ko",
            "ko;q=0.5, en;q=0.75",
            "ko;level=1",
            "korean",
        ] {
            assert_eq!(of(english), Language::English, "{english}");
        }
        assert_eq!(asked(&HeaderMap::new()), Language::English);
    }

    /// No title is of a code that nobody has.
    #[test]
    fn every_korean_title_is_of_a_code() {
        let source = include_str!("spoken.rs");
        let table = source
            .split("fn korean(")
            .nth(1)
            .and_then(|rest| rest.split("_ => return None").next());
        let codes: Vec<&str> = table
            .expect("the table")
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => "))
            .map(|(code, _)| code)
            .collect();
        assert!(codes.len() > 25, "{codes:?}");
        for code in codes {
            let own = GatewayCode::ALL.iter().any(|known| known.as_str() == code);
            assert!(own || Code::from_text(code).is_some(), "{code}");
        }
    }
}
