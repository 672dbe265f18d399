//! A client that registers itself (RFC 7591).

use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::redact::Redactor;
use super::{HttpRequest, HttpResponse, response};
use crate::error::{Error, Result};
use crate::profile::dialect::{Method, ResponseDialect};
use crate::secret::Secret;
use crate::terms::{ClientAuthMethod, GrantType};

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
}

/// The request; some servers let only those register who were given a token for it (section 3).
#[must_use]
pub fn encode(
    endpoint: &Url,
    metadata: &ClientMetadata<'_>,
    initial_access_token: Option<&Secret>,
) -> HttpRequest {
    let mut document = json!({
        "client_name": metadata.client_name,
        "application_type": "native",
        "redirect_uris": metadata.redirect_uris,
        "grant_types": metadata.grant_types.iter().map(|g| g.wire_name()).collect::<Vec<_>>(),
        "response_types": ["code"],
        "token_endpoint_auth_method": metadata.auth_method.as_str(),
    });
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
        token_endpoint_auth_method: Option<String>,
    }
    if !answer.is_success() {
        response::decode(answer, &ResponseDialect::default(), redactor)?;
    }
    let document: Document = serde_json::from_slice(answer.body.expose())
        .ok()
        .filter(|document: &Document| !document.client_id.is_empty())
        .ok_or_else(|| {
            Error::BadAnswer("the answer to a registration has no client_id".to_owned())
        })?;
    let method = document.token_endpoint_auth_method.as_deref();
    let auth_method = method.and_then(ClientAuthMethod::from_word);
    if let (Some(method), None) = (method, auth_method) {
        let method = super::redact::brief(method, 60);
        return Err(Error::BadAnswer(format!(
            "the server registered a client that must prove itself by {method}, which is not known here"
        )));
    }
    Ok(Registered {
        client_id: document.client_id,
        client_secret: document.client_secret.filter(|secret| !secret.expose().is_empty()),
        auth_method,
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
            r#"{"client_id":"c","token_endpoint_auth_method":"tls_client_auth"}"#,
        ] {
            assert!(matches!(decode_text(201, body), Err(Error::BadAnswer(_))), "{body}");
        }
        let refused = decode_text(400, r#"{"error":"invalid_redirect_uri"}"#).unwrap_err();
        assert!(matches!(refused, Error::Refused(_)));
    }
}
