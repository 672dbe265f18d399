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
    /// The JWT that it came as, where it did: not verified here.
    pub jwt: Option<Secret>,
}

impl Told {
    /// With members that are fit for a table, which shows no secret: what the request had of them is
    /// left out, should the server repeat it.
    #[must_use]
    pub fn scrubbed(mut self, redactor: &Redactor) -> Self {
        self.members = scrub_members(self.members, redactor);
        self
    }
}

fn scrub_members(members: Map<String, Value>, redactor: &Redactor) -> Map<String, Value> {
    let scrub = |(name, value): (String, Value)| (redactor.scrub(&name), scrub(value, redactor));
    members.into_iter().map(scrub).collect()
}

fn scrub(value: Value, redactor: &Redactor) -> Value {
    match value {
        Value::String(text) => Value::String(redactor.scrub(&text)),
        Value::Array(items) => items.into_iter().map(|item| scrub(item, redactor)).collect(),
        Value::Object(members) => Value::Object(scrub_members(members, redactor)),
        scalar => scalar,
    }
}

/// Reads an answer: an object, or a JWT with its members for claims.
pub fn decode(answer: &HttpResponse, redactor: &Redactor) -> Result<Told> {
    if !answer.is_success() {
        response::decode(answer, &ResponseDialect::default(), redactor)?;
    }
    let body = answer.body.expose().trim_ascii();
    if let Ok(Value::Object(members)) = serde_json::from_slice(body) {
        // Some servers say no with a status that says yes.
        response::refuse_error(&members, answer.status, redactor)?;
        return Ok(Told { members, text: Secret::new(body.to_vec()), jwt: None });
    }
    let jwt = std::str::from_utf8(body).ok();
    let members = jwt.and_then(jwt::claims).ok_or_else(|| {
        Error::BadAnswer("the answer is neither a JSON object nor a JWT".to_owned())
    })?;
    let text = serde_json::to_vec(&members).map_err(|e| Error::BadAnswer(e.to_string()))?;
    Ok(Told { members, text: Secret::new(text), jwt: jwt.map(Secret::from) })
}

/// Reads an answer of RFC 7662 (section 2.2), which tells one thing above all.
pub fn decode_introspection(answer: &HttpResponse, redactor: &Redactor) -> Result<Told> {
    let told = decode(answer, redactor)?;
    match told.members.get("active") {
        Some(Value::Bool(_)) => Ok(told),
        _ => {
            Err(Error::BadAnswer("the answer doesn't tell whether the token is active".to_owned()))
        }
    }
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
        assert!(matches!(decode_text(200, r#"{"error":"x"}"#), Err(Error::Refused(_))));
        assert!(matches!(decode_text(401, ""), Err(Error::Refused(_))));
        assert!(matches!(decode_text(503, ""), Err(Error::Unavailable { .. })));
    }
}
