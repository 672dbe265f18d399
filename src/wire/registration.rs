//! A client that registers itself (RFC 7591).

use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::redact::Redactor;
use super::{HttpRequest, HttpResponse, jwt, response};
use crate::error::{Error, Result};
use crate::profile::dialect::{Method, ResponseDialect};
use crate::secret::Secret;
use crate::terms::{ClientAuthMethod, GrantType};
use crate::token::UnixTime;

/// What a client says of itself (section 2).
#[derive(Debug, Clone)]
pub struct ClientMetadata<'a> {
    /// How people know it.
    pub client_name: &'a str,
    /// Where the browser may be sent back to.
    pub redirect_uris: &'a [String],
    /// The grants that it will use.
    pub grant_types: &'a [GrantType],
    /// How it will prove itself.
    pub auth_method: ClientAuthMethod,
    /// The scope that it may ask for.
    pub scope: &'a [String],
}

/// What the server made of it (section 3.2.1).
#[derive(Debug, Clone)]
pub struct Registered {
    /// The client.
    pub client_id: String,
    /// Its secret, where it was given one.
    pub client_secret: Option<Secret>,
    /// How it is to prove itself, where the server said so.
    pub auth_method: Option<ClientAuthMethod>,
    /// Where the browser may be sent back to, where the server said so.
    pub redirect_uris: Option<Vec<String>>,
    /// When the secret ends, where it does.
    pub secret_expires_at: Option<UnixTime>,
}

/// The request; some servers let only those register who were given a token for it (section 3).
#[must_use]
pub fn encode(
    endpoint: &Url,
    metadata: &ClientMetadata<'_>,
    initial_access_token: Option<&Secret>,
) -> HttpRequest {
    // Section 2.1: response types go with the grants.
    let redirects = metadata.grant_types.contains(&GrantType::AuthorizationCode);
    let mut document = json!({
        "client_name": metadata.client_name,
        "application_type": "native",
        "grant_types": metadata.grant_types.iter().map(|g| g.wire_name()).collect::<Vec<_>>(),
        "response_types": if redirects { &["code"][..] } else { &[] },
        "token_endpoint_auth_method": metadata.auth_method.as_str(),
    });
    if redirects {
        document["redirect_uris"] = metadata.redirect_uris.into();
    }
    if !metadata.scope.is_empty() {
        document["scope"] = metadata.scope.join(" ").into();
    }
    let mut headers = vec![
        ("Accept".to_owned(), Secret::from("application/json")),
        ("Content-Type".to_owned(), Secret::from("application/json")),
    ];
    headers.extend(initial_access_token.map(|token| {
        ("Authorization".to_owned(), Secret::new(format!("Bearer {}", token.expose())))
    }));
    HttpRequest {
        method: Method::Post,
        endpoint: endpoint.clone(),
        query: None,
        headers,
        body: Some(Secret::new(document.to_string().into_bytes())),
    }
}

/// Reads the answer.
pub fn decode(answer: &HttpResponse, redactor: &Redactor) -> Result<Registered> {
    #[derive(Deserialize)]
    struct Document {
        client_id: String,
        client_secret: Option<Secret>,
        client_secret_expires_at: Option<Value>,
        token_endpoint_auth_method: Option<String>,
        redirect_uris: Option<Value>,
    }
    if !answer.is_success() {
        response::decode(answer, &ResponseDialect::default(), redactor)?;
    }
    let bad = |what: String| Err(Error::BadAnswer(what));
    let members: Map<String, Value> =
        serde_json::from_slice(answer.body.expose()).unwrap_or_default();
    // Some servers say no with a status that says yes.
    response::refuse_error(&members, answer.status, redactor)?;
    // RFC 6749 appendix A.1.
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let document = Document::deserialize(&Value::Object(members)).ok();
    let Some(document) = document.filter(|document| is_id(&document.client_id)) else {
        return bad("the answer to a registration has no client_id".to_owned());
    };
    let method = document.token_endpoint_auth_method.as_deref();
    let auth_method = method.and_then(ClientAuthMethod::from_word);
    if let (Some(method), None) = (method, auth_method) {
        let method = super::redact::brief(method, 60);
        return bad(format!(
            "the server registered a client that must prove itself by {method}, which is not known here"
        ));
    }
    let client_secret = document.client_secret.filter(|secret| !secret.expose().is_empty());
    if let (Some(method), None) =
        (auth_method.filter(|&m| m != ClientAuthMethod::None), &client_secret)
    {
        return bad(format!(
            "the server registered a client that must prove itself by {method}, and gave it no secret"
        ));
    }
    Ok(Registered {
        client_id: document.client_id,
        client_secret,
        auth_method,
        redirect_uris: document
            .redirect_uris
            .as_ref()
            .and_then(Value::as_array)
            .map(|uris| uris.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        // 0 is for one that doesn't end.
        secret_expires_at: document
            .client_secret_expires_at
            .as_ref()
            .and_then(jwt::seconds)
            .filter(|&end| end > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_says_what_the_client_is() {
        let redirect_uris = ["http://127.0.0.1/callback".to_owned()];
        let metadata = ClientMetadata {
            client_name: "oauthctl",
            redirect_uris: &redirect_uris,
            grant_types: &[GrantType::AuthorizationCode, GrantType::DeviceCode],
            auth_method: ClientAuthMethod::None,
            scope: &[],
        };
        let endpoint = Url::parse("https://a.example/register").unwrap();
        let request = encode(&endpoint, &metadata, Some(&Secret::from("t0ken")));
        let body: serde_json::Value =
            serde_json::from_slice(request.body.unwrap().expose()).unwrap();
        assert_eq!(
            body,
            json!({
                "client_name": "oauthctl",
                "application_type": "native",
                "redirect_uris": ["http://127.0.0.1/callback"],
                "grant_types":
                    ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
            })
        );
        assert_eq!(request.headers[2].1.expose(), "Bearer t0ken");
    }

    #[test]
    fn an_answer_is_a_client_or_an_error() {
        let decode_text = |status, body: &str| {
            let body = body.as_bytes().to_vec().into();
            decode(&HttpResponse { status, body, ..HttpResponse::default() }, &Redactor::default())
        };
        let whole = r#"{"client_id":"c","client_secret":"s","token_endpoint_auth_method":"client_secret_post"}"#;
        let registered = decode_text(201, whole).unwrap();
        assert_eq!(registered.client_id, "c");
        assert_eq!(registered.client_secret.unwrap(), Secret::from("s"));
        assert_eq!(registered.auth_method, Some(ClientAuthMethod::ClientSecretPost));
        assert!(decode_text(201, r#"{"client_id":"c"}"#).unwrap().client_secret.is_none());
        for body in [
            "",
            "{}",
            r#"{"client_id":""}"#,
            r#"{"client_id":"\u001b[2J"}"#,
            r#"{"client_id":7}"#,
            r#"{"client_id":"c","token_endpoint_auth_method":"client_secret_basic"}"#,
            r#"{"client_id":"c","token_endpoint_auth_method":"tls_client_auth"}"#,
        ] {
            assert!(matches!(decode_text(201, body), Err(Error::BadAnswer(_))), "{body}");
        }
        let refused = decode_text(400, r#"{"error":"invalid_redirect_uri"}"#).unwrap_err();
        assert!(matches!(refused, Error::Refused(_)));
    }
}
