//! The answer of the token endpoint (RFC 6749 sections 5.1 and 5.2), from bytes.

use std::fmt;

use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::redact::{Redactor, brief};
use super::{HttpResponse, challenge, jwt};
use crate::error::{Error, ErrorResponse, Result};
use crate::profile::dialect::ResponseDialect;
use crate::secret::Secret;
use crate::token::UnixTime;

/// A life that is longer is taken for so long, in seconds: a century.
const LONGEST_LIFE: i64 = 100 * 365 * 24 * 3600;

/// Members of an answer whose values are no secrets.
pub(super) const HARMLESS: [&str; 8] = [
    "token_type",
    "expires_in",
    "scope",
    "error",
    "error_description",
    "error_uri",
    "message",
    "refresh_expires_in",
];

/// What the server granted.
#[derive(Clone)]
pub struct TokenResponse {
    /// The access token: visible ASCII, fit for a header.
    pub access_token: Secret,
    /// `token_type` as the server spelled it; absent means Bearer.
    pub token_type: Option<String>,
    /// Seconds of life; 0 for what is no more than 0, `None` for what is no number.
    pub expires_in: Option<i64>,
    /// The refresh token.
    pub refresh_token: Option<Secret>,
    /// The ID token, where one came along; not verified.
    pub id_token: Option<Secret>,
    /// The scope granted, where the server said.
    pub scope: Option<Vec<String>>,
    /// Every other member, as it came.
    pub extra: Map<String, Value>,
}

/// Tells of the members that nobody knows only their names: they may be secret.
impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("refresh_token", &self.refresh_token)
            .field("id_token", &self.id_token)
            .field("scope", &self.scope)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// What the answer says: tokens, or why there are none.
///
/// An error is fit to be shown: escaped, bounded, and without the redactor's secrets.
pub fn decode(
    response: &HttpResponse,
    dialect: &ResponseDialect,
    redactor: &Redactor,
) -> Result<TokenResponse> {
    match response.status {
        200..=299 => granted(response, dialect, redactor),
        300..=399 => Err(Error::BadAnswer(redirected(response, redactor))),
        // 408 says of the server what our own deadline says of us.
        408 | 429 | 500..=599 => Err(unavailable(response, redactor)),
        400..=499 => Err(refused(response, redactor).into()),
        status => Err(Error::BadAnswer(format!("the server answered with status {status}"))),
    }
}

/// When the access token ends: by `expires_in`, else by the JWT's own `exp`, else by what the
/// dialect presumes; never before `now`, nor more than a century after.
#[must_use]
pub fn expires_at(
    answer: &TokenResponse,
    now: UnixTime,
    dialect: &ResponseDialect,
) -> Option<UnixTime> {
    let latest = now.saturating_add(LONGEST_LIFE);
    let after = |seconds: i64| now.saturating_add(seconds);
    answer
        .expires_in
        .map(after)
        .or_else(|| jwt::end(answer.access_token.expose(), now))
        .or_else(|| dialect.default_expires_in.map(|s| after(i64::try_from(s).unwrap_or(i64::MAX))))
        .map(|end| end.clamp(now, latest))
}

fn granted(
    response: &HttpResponse,
    dialect: &ResponseDialect,
    redactor: &Redactor,
) -> Result<TokenResponse> {
    let members = members(response).map_err(|fault| {
        let what = match fault {
            NoMembers::Empty => return Error::BadAnswer("the answer is empty".to_owned()),
            NoMembers::NotJson(error) => format!("the answer is not valid JSON: {error}"),
            NoMembers::NotAnObject => "the answer is JSON, but no object".to_owned(),
        };
        Error::BadAnswer(format!("{what} ({})", media(response, redactor)))
    })?;
    // Some servers say no with a status that says yes.
    refuse_error(&members, response.status, redactor)?;
    let redactor = redactor.and(perhaps_secret(&members));
    tokens(Value::Object(members), dialect, &redactor)
}

/// Finds the error among the members of what should be a success.
pub(super) fn refuse_error(
    members: &Map<String, Value>,
    status: u16,
    redactor: &Redactor,
) -> Result<()> {
    match ErrorMembers::of(members).filter(|error| error.is_error) {
        Some(error) => Err(error.shown(status, redactor).into()),
        None => Ok(()),
    }
}

/// The texts of a success that may be secret: all but those that are known to be harmless.
///
/// What is too short to be a token is left out, and so is what nobody would grant at once.
pub(super) fn perhaps_secret(members: &Map<String, Value>) -> Vec<Secret> {
    const SHORTEST: usize = 8;
    const MOST: usize = 20;
    let mut texts = Vec::new();
    let mut rest: Vec<&Value> = members
        .iter()
        .filter(|(name, _)| !HARMLESS.contains(&name.as_str()))
        .map(|(_, value)| value)
        .collect();
    while let Some(value) = rest.pop() {
        match value {
            Value::String(text) if text.len() >= SHORTEST && texts.len() < MOST => {
                texts.push(Secret::from(text.as_str()));
            }
            Value::Array(items) => rest.extend(items),
            Value::Object(members) => rest.extend(members.values()),
            _ => {}
        }
    }
    texts
}

fn tokens(
    mut answer: Value,
    dialect: &ResponseDialect,
    redactor: &Redactor,
) -> Result<TokenResponse> {
    let mut member = |pointer: &Option<String>, usual: &str| {
        take(&mut answer, pointer.as_deref().unwrap_or(usual)).filter(|value| !value.is_null())
    };
    let access_token = access_token(member(&dialect.access_token, "/access_token"), dialect)?;
    let token_type = token_type(member(&dialect.token_type, "/token_type"), redactor)?;
    let expires_in = member(&dialect.expires_in, "/expires_in").as_ref().and_then(jwt::seconds);
    let refresh_token = member(&dialect.refresh_token, "/refresh_token").and_then(secret);
    let id_token = member(&dialect.id_token, "/id_token").and_then(secret);
    let scope = member(&dialect.scope, "/scope")
        .and_then(|value| scopes(&value, dialect.scope_separator.as_deref()));
    let extra = answer.as_object_mut().map(std::mem::take).unwrap_or_default();
    Ok(TokenResponse {
        access_token,
        token_type,
        expires_in: expires_in.map(|life| life.clamp(0, LONGEST_LIFE)),
        refresh_token,
        id_token,
        scope,
        extra,
    })
}

/// Any visible ASCII passes: RFC 6750 section 2.1 is narrower, but not every server keeps to it.
fn access_token(value: Option<Value>, dialect: &ResponseDialect) -> Result<Secret> {
    let token = value.and_then(secret).ok_or_else(|| {
        let at = match &dialect.access_token {
            Some(pointer) => format!(" at {pointer}"),
            None => String::new(),
        };
        Error::BadAnswer(format!("the answer has no access token{at}"))
    })?;
    if token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token)
    } else {
        Err(Error::BadAnswer(
            "the access token has characters that can't stand in a header".to_owned(),
        ))
    }
}

fn token_type(value: Option<Value>, redactor: &Redactor) -> Result<Option<String>> {
    match value {
        None => Ok(None),
        Some(Value::String(kind)) if kind.is_empty() => Ok(None),
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("Bearer") => Ok(Some(kind)),
        Some(Value::String(kind)) => Err(Error::BadAnswer(format!(
            "the token is of type {}, and only Bearer is known",
            redactor.show(&kind, 50)
        ))),
        Some(_) => Err(Error::BadAnswer("the token_type is no string".to_owned())),
    }
}

fn secret(value: Value) -> Option<Secret> {
    match value {
        Value::String(text) if !text.is_empty() => Some(Secret::new(text)),
        _ => None,
    }
}

/// The scopes of a string or of an array of strings.
fn scopes(value: &Value, separator: Option<&str>) -> Option<Vec<String>> {
    let split = |text: &str| -> Vec<String> {
        let parts: Vec<&str> = match separator {
            Some(separator) if !separator.trim().is_empty() => text.split(separator).collect(),
            _ => text.split_whitespace().collect(),
        };
        let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    match value {
        Value::String(text) => Some(split(text)),
        Value::Array(items) => {
            Some(items.iter().filter_map(Value::as_str).flat_map(split).collect())
        }
        _ => None,
    }
}

/// Takes what a JSON pointer (RFC 6901) names out of a value, so that no secret stays behind.
fn take(value: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, last) = pointer.rsplit_once('/')?;
    match value.pointer_mut(parent)? {
        Value::Object(members) => members.remove(&last.replace("~1", "/").replace("~0", "~")),
        Value::Array(items) => items.get_mut(last.parse::<usize>().ok()?).map(Value::take),
        _ => None,
    }
}

/// Why an answer has no members.
#[derive(Debug)]
pub(super) enum NoMembers {
    Empty,
    NotJson(serde_json::Error),
    NotAnObject,
}

/// The members of an answer, whatever its `Content-Type` says: JSON, or a form as GitHub's.
///
/// Of a name that stands there twice the last counts, as it does for nearly every reader of JSON.
pub(super) fn members(response: &HttpResponse) -> Result<Map<String, Value>, NoMembers> {
    let body = response.body.expose();
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(NoMembers::Empty);
    }
    let parsed = match std::str::from_utf8(body) {
        // An error in Latin-1 is still an error; a token in it would be damaged.
        Err(_) if !response.is_success() => serde_json::from_str(&String::from_utf8_lossy(body)),
        _ => serde_json::from_slice(body),
    };
    match parsed {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(NoMembers::NotAnObject),
        Err(error) => form_members(response, body).ok_or(NoMembers::NotJson(error)),
    }
}

/// The members of a form; one that isn't called a form must look like one.
fn form_members(response: &HttpResponse, body: &[u8]) -> Option<Map<String, Value>> {
    let kind = media_type(response.content_type.as_deref().unwrap_or_default());
    let called_so = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    if !called_so && !kind.is_empty() && !kind.eq_ignore_ascii_case("text/plain") {
        return None;
    }
    let members: Map<String, Value> = form_urlencoded::parse(body.trim_ascii())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    let telling = ["access_token", "error"].iter().any(|name| members.contains_key(*name));
    (called_so || telling).then_some(members)
}

/// The members of an error (RFC 6749 section 5.2), and what others use for them.
struct ErrorMembers {
    /// Whether there is an `error`, and not just a text.
    is_error: bool,
    error: Option<String>,
    description: Option<String>,
    uri: Option<String>,
}

impl ErrorMembers {
    fn of(members: &Map<String, Value>) -> Option<Self> {
        let error = members.get("error").filter(|value| match value {
            Value::Null => false,
            Value::Bool(is_error) => *is_error,
            Value::String(code) => !code.is_empty(),
            _ => true,
        });
        // Facebook and Google put the whole error into an object.
        let inner = error.and_then(Value::as_object).unwrap_or(members);
        let text = |of: &Map<String, Value>, names: &[&str]| {
            let texts = names.iter().filter_map(|name| of.get(*name)?.as_str());
            texts.map(str::to_owned).find(|text| !text.is_empty())
        };
        let found = Self {
            is_error: error.is_some(),
            error: match error {
                Some(Value::String(code)) => Some(code.clone()),
                Some(Value::Object(inner)) => text(inner, &["status", "type", "code"]),
                _ => None,
            },
            description: text(inner, &["error_description", "message", "detail", "title"]),
            uri: text(inner, &["error_uri"]),
        };
        (found.is_error || found.description.is_some()).then_some(found)
    }

    fn shown(&self, status: u16, redactor: &Redactor) -> ErrorResponse {
        let show = |text: &Option<String>, max| text.as_ref().map(|t| redactor.show(t, max));
        ErrorResponse {
            status,
            error: match &self.error {
                // A registered code can't be a leak, even where a secret happens to be part of it.
                Some(code) if REGISTERED.contains(&code.as_str()) => Some(code.clone()),
                other => show(other, 100),
            },
            description: show(&self.description, 500),
            uri: show(&self.uri, 300),
        }
    }
}

/// IANA's error codes that a token endpoint may send.
const REGISTERED: [&str; 15] = [
    "access_denied",
    "authorization_pending",
    "expired_token",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "use_dpop_nonce",
];

fn refused(response: &HttpResponse, redactor: &Redactor) -> ErrorResponse {
    let error = members(response).ok().and_then(|members| ErrorMembers::of(&members));
    let challenge = response.challenge.as_deref().map(challenge::members);
    match error.or_else(|| ErrorMembers::of(&challenge?)) {
        Some(error) => error.shown(response.status, redactor),
        None => ErrorResponse {
            status: response.status,
            description: Some(page(response, redactor)),
            ..ErrorResponse::default()
        },
    }
}

fn unavailable(response: &HttpResponse, redactor: &Redactor) -> Error {
    let ErrorResponse { status, error, description, uri } = refused(response, redactor);
    let uri = uri.map(|uri| format!("see {uri}"));
    let said: Vec<String> = [error, description, uri].into_iter().flatten().collect();
    let wait = response.retry_after.filter(|&seconds| seconds > 0);
    let wait = wait.map_or_else(String::new, |seconds| format!("; it asks to wait {seconds} s"));
    Error::Unavailable {
        message: format!(
            "the server can't answer now (status {status}{wait}): {}",
            said.join(": ")
        ),
        status,
        retry_after: response.retry_after,
    }
}

fn redirected(response: &HttpResponse, redactor: &Redactor) -> String {
    let location = response.location.as_deref().map(|location| redactor.beginning(location));
    let url = location.and_then(|location| Url::parse(&location).ok());
    let to = match url.as_ref().and_then(Url::host_str) {
        // In a host, a secret may be what it became by being read: in other letters, or decoded.
        Some(host) => redactor.show(host, 100),
        None => "another place".to_owned(),
    };
    format!(
        "the server redirects to {to} (status {}), and a redirect from a token endpoint is never \
         followed",
        response.status
    )
}

/// A page that is no answer, in a few words: type, size, and its title or first line.
pub(super) fn page(response: &HttpResponse, redactor: &Redactor) -> String {
    let body = redactor.beginning(&String::from_utf8_lossy(response.body.expose()));
    let body = body.trim();
    let line = match body.bytes().next() {
        None => return "an empty answer".to_owned(),
        Some(b'<') => title(body),
        // JSON without an error may hold anything.
        Some(b'{' | b'[') => None,
        Some(_) => body.lines().next(),
    };
    let line = line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let media = media(response, redactor);
    if line.is_empty() { media } else { format!("{media}: {}", brief(&line, 120)) }
}

/// The text of the first `<title>`.
fn title(page: &str) -> Option<&str> {
    let lower = page.to_ascii_lowercase();
    let tag = lower.find("<title")?;
    let from = tag + lower[tag..].find('>')? + 1;
    let to = from + lower[from..].find("</title")?;
    Some(&page[from..to])
}

/// `Content-Type` without its parameters.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// An answer's type and size.
fn media(response: &HttpResponse, redactor: &Redactor) -> String {
    let content_type = redactor.beginning(response.content_type.as_deref().unwrap_or_default());
    let kind = match media_type(&content_type) {
        "" => "no content type".to_owned(),
        kind => brief(kind, 60),
    };
    format!("{kind}, {} bytes", response.body.expose().len())
}
