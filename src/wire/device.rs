//! The device authorization request (RFC 8628 section 3.1) and its answer.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::client_auth::ClientCredentials;
use super::redact::Redactor;
use super::request::{form, headers};
use super::{HttpRequest, HttpResponse, jwt, response};
use crate::error::{Error, Result};
use crate::profile::dialect::{AuthorizationDialect, Method, RequestDialect, ResponseDialect};
use crate::secret::Secret;

/// How often to ask where the server doesn't say (section 3.2), and by how much less often when it
/// says `slow_down` (section 3.5).
pub const INTERVAL: Duration = Duration::from_secs(5);

/// The life of a code whose server doesn't say it, which it must.
const DEFAULT_LIFE: Duration = Duration::from_secs(15 * 60);

/// The longest that is waited for a person, and between two questions.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What a person types at another device, and what this program asks with meanwhile.
#[derive(Debug, Clone)]
pub struct DeviceAuthorization {
    /// What the token endpoint is asked with.
    pub device_code: Secret,
    /// What the person types.
    pub user_code: String,
    /// Where the person types it.
    pub verification_uri: Url,
    /// The same with the code in it.
    pub verification_uri_complete: Option<Url>,
    /// How long both codes live.
    pub expires_in: Duration,
    /// How often to ask at the most.
    pub interval: Duration,
}

/// The request; the client proves itself as it does at the token endpoint.
pub fn encode(
    endpoint: &Url,
    scope: &[String],
    params: &[(String, String)],
    dialect: &AuthorizationDialect,
    request: &RequestDialect,
    credentials: &ClientCredentials,
) -> Result<HttpRequest> {
    let auth = credentials.authenticate(request.basic_encoding)?;
    let scope = scope.join(&request.scope_separator);
    // RFC 8628 section 3.1 asks for it unless the client proves itself, and many ask for it always.
    let mut own = vec![("client_id", credentials.client_id.as_str())];
    own.extend(auth.params.iter().filter(|(name, _)| *name != "client_id"));
    if !scope.is_empty() {
        own.push(("scope", &scope));
    }
    own.extend(dialect.audience.as_deref().map(|audience| ("audience", audience)));
    own.extend(dialect.resource.iter().map(|resource| ("resource", resource.as_str())));
    for (name, value) in params {
        own.retain(|(known, _)| known != name);
        own.push((name, value));
    }
    Ok(HttpRequest {
        method: Method::Post,
        endpoint: endpoint.clone(),
        query: None,
        headers: headers(Some("application/x-www-form-urlencoded"), auth.authorization, request),
        body: Some(Secret::new(form(&own).into_bytes())),
    })
}

/// Reads the answer; whatever the person is to open must be a page that a browser opens.
pub fn decode(answer: &HttpResponse, redactor: &Redactor) -> Result<DeviceAuthorization> {
    let bad = |what: &str| Error::BadAnswer(format!("the answer to a device authorization {what}"));
    if !answer.is_success() {
        response::decode(answer, &ResponseDialect::default(), redactor)?;
    }
    let members = response::members(answer).map_err(|_| bad("is no JSON object"))?;
    if members.get("error").is_some_and(|error| !error.is_null()) {
        response::decode(answer, &ResponseDialect::default(), redactor)?;
    }
    let text =
        |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let page = |name: &str| text(name).and_then(|text| Url::parse(text).ok()).filter(is_page);
    let seconds = |name: &str, default: Duration| {
        let seconds = members.get(name).and_then(jwt::seconds);
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        seconds.map_or(default, Duration::from_secs).min(LONGEST)
    };
    let user_code = text("user_code").ok_or_else(|| bad("has no user_code"))?;
    if user_code.len() > 64 {
        return Err(bad("has a user_code that nobody could type"));
    }
    Ok(DeviceAuthorization {
        device_code: text("device_code")
            .map(Secret::from)
            .ok_or_else(|| bad("has no device_code"))?,
        user_code: user_code.to_owned(),
        // Google called it verification_url before there was an RFC.
        verification_uri: page("verification_uri")
            .or_else(|| page("verification_url"))
            .ok_or_else(|| bad("has no verification_uri that a browser opens"))?,
        verification_uri_complete: page("verification_uri_complete"),
        expires_in: seconds("expires_in", DEFAULT_LIFE),
        interval: seconds("interval", INTERVAL),
    })
}

fn is_page(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "http") && url.has_host()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::ClientAuthMethod;

    fn decode_text(status: u16, body: &str) -> Result<DeviceAuthorization> {
        let answer = HttpResponse {
            status,
            content_type: Some("application/json".to_owned()),
            body: body.as_bytes().to_vec().into(),
            ..HttpResponse::default()
        };
        decode(&answer, &Redactor::default())
    }

    #[test]
    fn the_request_names_the_client_and_the_scope() {
        let credentials = ClientCredentials {
            client_id: "1406020730".to_owned(),
            secret: None,
            method: ClientAuthMethod::None,
        };
        let request = encode(
            &Url::parse("https://server.example.com/device_authorization").unwrap(),
            &["example_scope".to_owned()],
            &[],
            &AuthorizationDialect::default(),
            &RequestDialect::default(),
            &credentials,
        );
        let body = request.unwrap().body.unwrap();
        assert_eq!(body.expose(), b"client_id=1406020730&scope=example_scope");
    }

    #[test]
    fn an_answer_may_leave_out_what_has_a_default() {
        let whole = decode_text(
            200,
            r#"{"device_code":"d","user_code":"WDJB-MJHT","verification_uri":"https://a.example/device",
            "verification_uri_complete":"https://a.example/device?user_code=WDJB-MJHT",
            "expires_in":"1800","interval":7}"#,
        )
        .unwrap();
        assert_eq!(whole.interval, Duration::from_secs(7));
        assert_eq!(whole.expires_in, Duration::from_secs(1800));
        assert!(whole.verification_uri_complete.is_some());
        let least = decode_text(
            200,
            r#"{"device_code":"d","user_code":"u","verification_url":"https://a.example/device"}"#,
        )
        .unwrap();
        assert_eq!((least.interval, least.expires_in), (INTERVAL, DEFAULT_LIFE));
        assert_eq!(least.verification_uri_complete, None);
    }

    #[test]
    fn what_nobody_could_open_or_type_is_no_answer() {
        for body in [
            "",
            "[]",
            r#"{"device_code":"d","user_code":"u"}"#,
            r#"{"device_code":"d","verification_uri":"https://a.example"}"#,
            r#"{"user_code":"u","verification_uri":"https://a.example"}"#,
            r#"{"device_code":"d","user_code":"u","verification_uri":"javascript:alert(1)"}"#,
            r#"{"device_code":"d","user_code":"u","verification_uri":"file:///etc/passwd"}"#,
        ] {
            assert!(matches!(decode_text(200, body), Err(Error::BadAnswer(_))), "{body}");
        }
        let error = decode_text(400, r#"{"error":"unauthorized_client"}"#).unwrap_err();
        assert!(matches!(error, Error::Refused(_)));
        let error = decode_text(200, r#"{"error":"invalid_scope"}"#).unwrap_err();
        assert!(matches!(error, Error::Refused(_)));
    }
}
