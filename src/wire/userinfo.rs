//! What a server tells of the person (OpenID Connect Core section 5.3).

use serde_json::{Map, Value};
use url::Url;

use super::redact::Redactor;
use super::{HttpRequest, HttpResponse, jwt, response};
use crate::error::{Error, Result};
use crate::profile::dialect::{Method, ResponseDialect};
use crate::secret::Secret;

/// The request, with the token in its header (RFC 6750 section 2.1).
#[must_use]
pub fn encode(endpoint: &Url, access_token: &Secret) -> HttpRequest {
    let bearer = format!("Bearer {}", access_token.expose());
    HttpRequest {
        method: Method::Get,
        endpoint: endpoint.clone(),
        query: None,
        headers: vec![
            ("Accept".to_owned(), Secret::from("application/json")),
            ("Authorization".to_owned(), Secret::new(bearer)),
        ],
        body: None,
    }
}

/// What a server told, by whatever endpoint that answers with an object.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its members.
    pub members: Map<String, Value>,
    /// The object as the server wrote it, without blanks around it.
    pub text: Secret<Vec<u8>>,
}

/// Reads an answer; the claims of a JWT, which nobody verifies, came from the server itself.
pub fn decode(answer: &HttpResponse, redactor: &Redactor) -> Result<Told> {
    if !answer.is_success() {
        response::decode(answer, &ResponseDialect::default(), redactor)?;
    }
    let body = answer.body.expose().trim_ascii();
    if let Ok(Value::Object(members)) = serde_json::from_slice(body) {
        return Ok(Told { members, text: Secret::new(body.to_vec()) });
    }
    let claims = std::str::from_utf8(body).ok().and_then(jwt::claims);
    let members = claims.ok_or_else(|| {
        Error::BadAnswer("the answer is neither a JSON object nor a JWT".to_owned())
    })?;
    let text = serde_json::to_vec(&members).map_err(|e| Error::BadAnswer(e.to_string()))?;
    Ok(Told { members, text: Secret::new(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_text(status: u16, body: &str) -> Result<Told> {
        let body = body.as_bytes().to_vec().into();
        decode(&HttpResponse { status, body, ..HttpResponse::default() }, &Redactor::default())
    }

    #[test]
    fn an_object_or_a_jwt_is_an_answer() {
        assert_eq!(decode_text(200, r#"{"sub":"me"}"#).unwrap().members["sub"], "me");
        assert_eq!(decode_text(200, "e30.eyJzdWIiOiJtZSJ9.x\n").unwrap().members["sub"], "me");
        let as_it_was = decode_text(200, " {\"b\": 1,  \"a\":2}\n").unwrap();
        assert_eq!(as_it_was.text.expose(), b"{\"b\": 1,  \"a\":2}");
        assert!(matches!(decode_text(200, "[]"), Err(Error::BadAnswer(_))));
        assert!(matches!(decode_text(401, ""), Err(Error::Refused(_))));
        assert!(matches!(decode_text(503, ""), Err(Error::Unavailable { .. })));
    }
}
