//! What must hold of every answer, callback and JWT, whatever bytes they are made of.

#![allow(clippy::missing_panics_doc, reason = "to panic is all that they do")]

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use url::Url;

use super::HttpResponse;
use super::callback::{Callback, Expected, Verdict};
use super::redact::Redactor;
use super::response::{self, TokenResponse};
use super::{jwt, transcript};
use crate::escape::escape;
use crate::profile::dialect::ResponseDialect;
use crate::secret::Secret;

/// What was sent, and must not be shown though a server repeat it.
const SENT: &str = "hunter2hunter2";

/// When every answer is asked for.
const NOW: i64 = 1_800_000_000;

/// A century, in seconds.
const CENTURY: i64 = 100 * 365 * 24 * 3600;

/// What stands before a line's end, and what behind it.
pub(crate) fn first_line(data: &[u8]) -> (Cow<'_, str>, &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    (String::from_utf8_lossy(&data[..end]), data.get(end + 1..).unwrap_or_default())
}

/// A token endpoint's answer: a line with its status and `Content-Type` (or `Location`), and the body.
pub fn answer(data: &[u8]) {
    let (head, body) = first_line(data);
    let (status, text) = head.split_once(' ').unwrap_or((&head, ""));
    let response = HttpResponse {
        status: status.parse().unwrap_or(200),
        content_type: Some(text.to_owned()).filter(|text| !text.is_empty()),
        location: Some(text.to_owned()),
        body: body.to_vec().into(),
        ..HttpResponse::default()
    };
    let nested = ResponseDialect {
        access_token: Some("/data/0/token".to_owned()),
        expires_in: Some("/data/0/ttl".to_owned()),
        scope: Some("/a~1b".to_owned()),
        scope_separator: Some(",".to_owned()),
        default_expires_in: Some(u64::MAX),
        ..ResponseDialect::default()
    };
    for dialect in [ResponseDialect::default(), nested] {
        decode(&response, &dialect);
    }
    keeps_its_token(&response);
}

fn decode(response: &HttpResponse, dialect: &ResponseDialect) -> String {
    let redactor = Redactor::new([Secret::from(SENT)]);
    let mut shown = transcript::answer(response, &redactor).to_string();
    match response::decode(response, dialect, &redactor) {
        Ok(token) => granted(&token, dialect),
        Err(error) => {
            let error = format!("{}\n{error:?}", error.sentence());
            shown.push_str(&error);
        }
    }
    assert!(shown.lines().all(|line| escape(line) == line), "{shown:?}");
    assert!(!shown.contains(SENT), "{shown}");
    shown
}

fn granted(token: &TokenResponse, dialect: &ResponseDialect) {
    let access_token = token.access_token.expose();
    assert!(!access_token.is_empty());
    assert!(access_token.bytes().all(|byte| byte.is_ascii_graphic()));
    for other in [&token.refresh_token, &token.id_token].into_iter().flatten() {
        assert!(!other.expose().is_empty());
    }
    assert!(token.expires_in.is_none_or(|life| (0..=CENTURY).contains(&life)));
    let end = response::expires_at(token, NOW, dialect);
    assert!(end.is_none_or(|end| (NOW..=NOW + CENTURY).contains(&end)));
    let other = |secret: &Option<Secret>| secret.as_ref().map(|_| Secret::from("other"));
    let others = TokenResponse {
        access_token: Secret::from("other"),
        refresh_token: other(&token.refresh_token),
        id_token: other(&token.id_token),
        extra: token.extra.keys().map(|name| (name.clone(), Value::Null)).collect(),
        ..token.clone()
    };
    assert_eq!(format!("{token:?}"), format!("{others:?}"));
}

/// Where a token is shown, it would be shown without it as well.
fn keeps_its_token(response: &HttpResponse) {
    let Ok(members) = response::members(response) else { return };
    let Some(token) = members.get("access_token").and_then(Value::as_str) else { return };
    if token.len() < 8 {
        return;
    }
    let shown = |token: &str| {
        let mut members = members.clone();
        members.insert("access_token".to_owned(), token.into());
        let body = serde_json::to_vec(&members).expect("an object is JSON");
        let response = HttpResponse { body: body.into(), ..response.clone() };
        decode(&response, &ResponseDialect::default())
    };
    let other = if token.starts_with('Z') { "Y" } else { "Z" }.repeat(token.len());
    assert!(!shown(token).contains(token) || shown(&other).contains(token), "{}", shown(token));
}

/// What a browser sends to the redirect URI, and what a person pastes.
pub fn callback(data: &[u8]) {
    let state = Secret::from("xyz");
    for (redirect_uri, requires_iss) in [
        ("http://127.0.0.1:49152/callback", false),
        ("http://127.0.0.1:49152/callback", true),
        ("urn:ietf:wg:oauth:2.0:oob", false),
    ] {
        let redirect_uri = Url::parse(redirect_uri).expect("a URL");
        let issuer = Some("https://as.example");
        let expected =
            Expected { redirect_uri: &redirect_uri, state: &state, issuer, requires_iss };
        requested(&expected, data);
        pasted(&expected, &String::from_utf8_lossy(data));
    }
}

fn requested(expected: &Expected<'_>, data: &[u8]) {
    let verdict = expected.request(data);
    for end in (0..data.len()).step_by(data.len() / 16 + 1) {
        let early = expected.request(&data[..end]);
        assert!(early == Verdict::NeedMore || early == verdict, "{end}: {early:?}, {verdict:?}");
    }
    match &verdict {
        Verdict::NeedMore => {}
        Verdict::Ignore(refusal) => assert!((400..600).contains(&refusal.status)),
        Verdict::Answer(callback) => {
            let target = data.split(|&byte| byte == b' ').nth(1).expect("a target");
            let target = std::str::from_utf8(target).expect("ASCII");
            let url = expected.redirect_uri.join(target).expect("a target in origin form");
            assert!(data.starts_with(b"GET ") && url.origin() == expected.redirect_uri.origin());
            answered(expected, callback, &url);
            assert_eq!(expected.pasted(&format!(" <{url}> ")).as_ref().ok(), Some(callback));
        }
    }
}

fn pasted(expected: &Expected<'_>, text: &str) {
    let Ok(callback) = expected.pasted(text) else { return };
    if expected.redirect_uri.has_host() {
        let url =
            Url::parse(text.trim_matches(|c: char| c.is_whitespace() || "\"'`<>".contains(c)));
        answered(expected, &callback, &url.expect("what was pasted is a URL"));
    } else {
        let Callback::Code(code) = callback else { panic!("{callback:?}") };
        assert!(!code.expose().is_empty() && text.contains(code.expose().as_str()));
    }
}

/// Another parser finds the same answer in the URL.
fn answered(expected: &Expected<'_>, callback: &Callback, url: &Url) {
    let all = |wanted: &str| -> Vec<String> {
        let values = url.query_pairs().filter(|(name, value)| name == wanted && !value.is_empty());
        values.map(|(_, value)| value.into_owned()).collect()
    };
    assert_eq!(url.path(), expected.redirect_uri.path());
    assert_eq!(all("state"), [expected.state.expose().as_str()]);
    match all("iss").as_slice() {
        [] => assert!(!expected.requires_iss || matches!(callback, Callback::Error(_))),
        issuers => assert_eq!(issuers, [expected.issuer.unwrap_or_default()]),
    }
    match callback {
        Callback::Code(code) => {
            assert_eq!(all("code"), [code.expose().as_str()]);
            assert!(all("error").is_empty());
        }
        Callback::Error(error) => {
            assert!(all("code").is_empty());
            assert_eq!(all("error").len(), 1);
            assert!(error.error.is_some());
            let shown = error.to_string();
            assert_eq!(escape(&shown), shown);
        }
    }
}

/// The claims of a token, and of a JWT that has the bytes as its claims.
pub fn claims(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(claims) = jwt::claims(&text) {
        assert_eq!(text.matches('.').count(), 2);
        let _ = claims.get("exp").and_then(jwt::seconds);
    }
    let token = format!("e30.{}.", BASE64_URL_SAFE_NO_PAD.encode(data));
    let read: Option<Map<String, Value>> = serde_json::from_slice(data).ok();
    assert_eq!(jwt::claims(&token), read);
    for now in [i64::MIN, 0, i64::MAX] {
        let _ = jwt::end(&token, now);
    }
}

/// A line with a secret, and a text in which it may stand.
pub fn redaction(data: &[u8]) {
    const GAP: &str = "[redacted]";
    let (secret, text) = first_line(data);
    let text = String::from_utf8_lossy(text);
    let redactor = Redactor::new([Secret::from(&*secret)]);
    let clean = redactor.scrub(&text);
    if secret.chars().count() >= 4 {
        assert!(!clean.split(GAP).any(|piece| piece.contains(&*secret)), "{clean}");
        assert_eq!(redactor.scrub(&format!("\n{secret}\n")), "\n[redacted]\n");
        for escaped in disguises(&secret) {
            assert!(!redactor.scrub(&format!("{text} {escaped} {text}")).contains(&escaped));
        }
    }
    assert!(clean == text || clean.contains(GAP) || clean.starts_with("[withheld"), "{clean}");
    let shown = redactor.show(&text, 50);
    assert_eq!(escape(&shown), shown);
    assert!(shown.len() <= 51 * "\\u{10ffff}".len());
}

/// A secret as servers may repeat it: as in a URL, in JSON and in HTML.
fn disguises(secret: &str) -> [String; 3] {
    let percent: Vec<_> = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let json: Vec<_> = secret.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    let html: Vec<_> = secret.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect();
    [percent.concat(), json.concat(), html.concat()]
}
