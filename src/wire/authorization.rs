//! The authorization request (RFC 6749 section 4.1.1), and the one that is pushed (RFC 9126).

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::client_auth::ClientCredentials;
use super::pkce::{self, PkceVerifier};
use super::redact::Redactor;
use super::request::{form, headers, redactor};
use super::{HttpRequest, HttpResponse, response};
use crate::error::{Error, Result};
use crate::profile::dialect::{AuthorizationDialect, Method, RequestDialect, ResponseDialect};
use crate::secret::Secret;

/// What a person is asked to allow in a browser.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// The client.
    pub client_id: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// The scope to ask for.
    pub scope: Vec<String>,
    /// What tells the answer to this request from any other.
    pub state: Secret,
    /// What an ID token must repeat, where one is to be expected.
    pub nonce: Option<Secret>,
    /// What proves that it was this program that asked.
    pub verifier: PkceVerifier,
}

impl AuthorizationRequest {
    /// All parameters, in the order of sending; whoever sets one in the profile's own table means it.
    fn params(&self, dialect: &AuthorizationDialect) -> Vec<(String, String)> {
        let mut params: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                params.push((name.to_owned(), value.to_owned()));
            }
        };
        add("response_type", Some("code"));
        add("client_id", Some(&self.client_id));
        add("redirect_uri", Some(&self.redirect_uri));
        add("scope", Some(&self.scope.join(&dialect.scope_separator)));
        add("state", Some(self.state.expose()));
        add("code_challenge", Some(&self.verifier.challenge()));
        add("code_challenge_method", Some(pkce::METHOD));
        add("nonce", self.nonce.as_ref().map(|nonce| nonce.expose().as_str()));
        add("prompt", self.prompt(dialect));
        add("login_hint", dialect.login_hint.as_deref());
        add("max_age", dialect.max_age.map(|seconds| seconds.to_string()).as_deref());
        add("acr_values", dialect.acr_values.as_deref());
        add("audience", dialect.audience.as_deref());
        for resource in &dialect.resource {
            add("resource", Some(resource));
        }
        for (name, value) in &dialect.params {
            params.retain(|(known, _)| known != name);
            params.push((name.clone(), value.clone()));
        }
        params
    }

    /// A refresh token that outlives the browser's session is given only with consent (OpenID Connect
    /// Core section 11).
    fn prompt<'a>(&self, dialect: &'a AuthorizationDialect) -> Option<&'a str> {
        let offline = self.scope.iter().any(|scope| scope == "offline_access");
        dialect.prompt.as_deref().or_else(|| offline.then_some("consent"))
    }

    /// The URL that a browser is to open.
    #[must_use]
    pub fn url(&self, endpoint: &Url, dialect: &AuthorizationDialect) -> Url {
        let mut url = endpoint.clone();
        url.query_pairs_mut().extend_pairs(self.params(dialect));
        url
    }

    /// The request that pushes the parameters to the server; the client proves itself as ever, and
    /// is named in the body too, as RFC 9126 section 2.1 has it.
    pub fn pushed(
        &self,
        endpoint: &Url,
        dialect: &AuthorizationDialect,
        request: &RequestDialect,
        credentials: &ClientCredentials,
    ) -> Result<HttpRequest> {
        let auth = credentials.authenticate(request.basic_encoding)?;
        let own = self.params(dialect);
        let mut params: Vec<(&str, &str)> =
            own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        params.extend(auth.params.iter().filter(|(name, _)| *name != "client_id"));
        Ok(HttpRequest {
            method: Method::Post,
            endpoint: endpoint.clone(),
            query: None,
            headers: headers(
                Some("application/x-www-form-urlencoded"),
                auth.authorization,
                request,
            ),
            body: Some(Secret::new(form(&params).into_bytes())),
        })
    }

    /// Knows what the pushed request has of secrets.
    #[must_use]
    pub fn redactor(&self, request: &RequestDialect, credentials: &ClientCredentials) -> Redactor {
        let own = [Some(self.state.clone()), self.nonce.clone()];
        redactor(own.into_iter().flatten(), request, credentials)
    }

    /// The URL that a browser is to open after the parameters were pushed; `response_type` is not
    /// needed there any more, but some servers ask for it.
    #[must_use]
    pub fn pushed_url(&self, endpoint: &Url, request_uri: &str) -> Url {
        let mut url = endpoint.clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.client_id)
            .append_pair("response_type", "code")
            .append_pair("request_uri", request_uri);
        url
    }
}

/// The `request_uri` under which the server keeps the parameters (RFC 9126 section 2.2).
pub fn decode_pushed(answer: &HttpResponse, redactor: &Redactor) -> Result<String> {
    #[derive(Deserialize)]
    struct Pushed {
        request_uri: String,
    }
    if !answer.is_success() {
        response::decode(answer, &ResponseDialect::default(), redactor)?;
    }
    // Some servers say no with a status that says yes.
    let members = serde_json::from_slice(answer.body.expose()).unwrap_or_default();
    response::refuse_error(&members, answer.status, redactor)?;
    match Pushed::deserialize(&Value::Object(members)) {
        Ok(Pushed { request_uri }) if !request_uri.is_empty() => Ok(request_uri),
        _ => Err(Error::BadAnswer("the answer to a pushed request has no request_uri".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::ClientAuthMethod;

    fn request(scope: &[&str]) -> AuthorizationRequest {
        AuthorizationRequest {
            client_id: "c".to_owned(),
            redirect_uri: "http://127.0.0.1:7/callback".to_owned(),
            scope: scope.iter().map(|&scope| scope.to_owned()).collect(),
            state: Secret::from("st"),
            nonce: None,
            verifier: PkceVerifier::new([0; 32]),
        }
    }

    const START: &str = "https://a.example/auth?x=1&response_type=code&client_id=c&\
                         redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2Fcallback&";
    const CHALLENGE: &str = "state=st&code_challenge=DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo&\
                             code_challenge_method=S256";

    #[test]
    fn a_plain_request_has_what_rfc_6749_and_7636_ask_for() {
        let endpoint = Url::parse("https://a.example/auth?x=1").unwrap();
        let url = request(&["a", "b"]).url(&endpoint, &AuthorizationDialect::default());
        assert_eq!(url.as_str(), format!("{START}scope=a+b&{CHALLENGE}"));
    }

    #[test]
    fn what_the_profile_sets_is_added_and_its_own_parameters_win() {
        let endpoint = Url::parse("https://a.example/auth?x=1").unwrap();
        let dialect = AuthorizationDialect {
            scope_separator: ",".to_owned(),
            login_hint: Some("me@a.example".to_owned()),
            max_age: Some(60),
            resource: vec!["https://r1".to_owned(), "https://r2".to_owned()],
            params: vec![("prompt".to_owned(), "none".to_owned())],
            ..AuthorizationDialect::default()
        };
        let mut request = request(&["a", "offline_access"]);
        request.nonce = Some(Secret::from("no"));
        let url = request.url(&endpoint, &dialect);
        assert_eq!(
            url.as_str(),
            format!(
                "{START}scope=a%2Coffline_access&{CHALLENGE}&nonce=no&login_hint=me%40a.example&\
                 max_age=60&resource=https%3A%2F%2Fr1&resource=https%3A%2F%2Fr2&prompt=none"
            )
        );
    }

    #[test]
    fn offline_access_asks_for_consent_unless_somebody_settled_the_prompt() {
        let endpoint = Url::parse("https://a.example").unwrap();
        let mut dialect = AuthorizationDialect::default();
        let prompts =
            |url: &Url, value: &str| url.query_pairs().any(|p| p.0 == "prompt" && p.1 == value);
        assert!(prompts(&request(&["offline_access"]).url(&endpoint, &dialect), "consent"));
        dialect.prompt = Some("login".to_owned());
        assert!(prompts(&request(&["offline_access"]).url(&endpoint, &dialect), "login"));
    }

    #[test]
    fn a_pushed_request_names_the_client_once_and_proves_it() {
        let credentials = |method| ClientCredentials {
            client_id: "c".to_owned(),
            secret: Some(Secret::from("s3cret")),
            method,
        };
        let endpoint = Url::parse("https://a.example/par").unwrap();
        let (dialect, request_dialect) = Default::default();
        let body = |method| {
            let pushed = request(&[])
                .pushed(&endpoint, &dialect, &request_dialect, &credentials(method))
                .unwrap();
            String::from_utf8(pushed.body.unwrap().expose().clone()).unwrap()
        };
        let basic = body(ClientAuthMethod::ClientSecretBasic);
        assert_eq!(basic.matches("client_id=c").count(), 1);
        assert!(!basic.contains("s3cret"));
        let post = body(ClientAuthMethod::ClientSecretPost);
        assert_eq!(post.matches("client_id=c").count(), 1);
        assert!(post.ends_with("&client_secret=s3cret"), "{post}");
        let url = request(&[]).pushed_url(&Url::parse("https://a.example/auth").unwrap(), "urn:x");
        assert_eq!(
            url.as_str(),
            "https://a.example/auth?client_id=c&response_type=code&request_uri=urn%3Ax"
        );
    }

    #[test]
    fn a_pushed_requests_answer_is_a_uri_or_an_error() {
        let answer = |status, body: &str| HttpResponse {
            status,
            content_type: Some("application/json".to_owned()),
            body: body.as_bytes().to_vec().into(),
            ..HttpResponse::default()
        };
        let decode = |status, body| decode_pushed(&answer(status, body), &Redactor::default());
        assert_eq!(decode(201, r#"{"request_uri":"urn:x","expires_in":60}"#).unwrap(), "urn:x");
        assert!(matches!(decode(200, "{}"), Err(Error::BadAnswer(_))));
        assert!(matches!(decode(400, r#"{"error":"invalid_request"}"#), Err(Error::Refused(_))));
        assert!(matches!(decode(200, r#"{"error":"invalid_request"}"#), Err(Error::Refused(_))));
        assert!(matches!(decode(302, ""), Err(Error::BadAnswer(_))));
    }
}
