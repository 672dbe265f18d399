//! What a server says of itself (RFC 8414, OpenID Connect Discovery), from bytes.

use serde_json::{Map, Value};
use url::Url;

use super::redact::brief;
use crate::error::{Error, Result};
use crate::profile::check::{check_url, is_loopback};

/// Where the metadata of an issuer may be, in the order in which to ask.
///
/// OpenID's document is appended to the issuer; RFC 8414 section 3.1 puts the well-known part between
/// the host and the path, and section 5 allows that for OpenID's too.
#[must_use]
pub fn locations(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_query(None);
        url.set_path(&path);
        url
    };
    let mut locations = vec![
        at(format!("{path}/.well-known/openid-configuration")),
        at(format!("/.well-known/oauth-authorization-server{path}")),
    ];
    if !path.is_empty() {
        locations.push(at(format!("/.well-known/openid-configuration{path}")));
        // Not by any document, but some servers have it there alone.
        locations.push(at(format!("{path}/.well-known/oauth-authorization-server")));
    }
    locations
}

/// The metadata of an authorization server, as far as this program uses it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerMetadata {
    /// The issuer, as it spells itself: so it stands in its answers and ID tokens.
    pub issuer: String,
    /// Endpoints by the keys of a profile, such as `token_url`.
    pub endpoints: Vec<(&'static str, Url)>,
    /// Where its public keys are.
    pub jwks_uri: Option<Url>,
    /// Where clients register themselves (RFC 7591).
    pub registration_endpoint: Option<Url>,
    /// How a client may prove itself; RFC 8414's default where it is left out.
    pub token_endpoint_auth_methods: Option<Vec<String>>,
    /// The methods of PKCE, where it tells them.
    pub code_challenge_methods: Option<Vec<String>>,
    /// The scopes that it knows, where it tells them.
    pub scopes: Option<Vec<String>>,
    /// The algorithms by which it signs ID tokens, where it tells them.
    pub id_token_signing_algs: Option<Vec<String>>,
    /// Whether every answer names the issuer (RFC 9207).
    pub iss_in_answers: bool,
    /// Whether it takes pushed requests alone (RFC 9126).
    pub requires_pushed_requests: bool,
}

impl ServerMetadata {
    /// Whether it leaves open that a verifier is checked against its S256 challenge (RFC 7636).
    #[must_use]
    pub fn may_check_pkce(&self) -> bool {
        let methods = self.code_challenge_methods.as_ref();
        methods.is_none_or(|methods| methods.iter().any(|method| method == "S256"))
    }

    /// Whether it names none of the endpoints that RFC 8414 has and OpenID Connect Discovery has not:
    /// some servers tell them in the one document alone.
    #[must_use]
    pub fn is_of_openid_alone(&self) -> bool {
        let others = ["device_authorization_url", "revocation_url", "introspection_url"];
        !self.endpoints.iter().any(|(key, _)| others.contains(key))
    }
}

/// The registered names of endpoints, and the keys of a profile that they fill.
const ENDPOINTS: [(&str, &str); 7] = [
    ("token_endpoint", "token_url"),
    ("authorization_endpoint", "authorization_url"),
    ("device_authorization_endpoint", "device_authorization_url"),
    ("pushed_authorization_request_endpoint", "pushed_authorization_request_url"),
    ("revocation_endpoint", "revocation_url"),
    ("introspection_endpoint", "introspection_url"),
    ("userinfo_endpoint", "userinfo_url"),
];

/// Reads the metadata of `issuer`, which must be the one it names: whoever answers for another
/// issuer could have the secrets of its clients sent elsewhere (RFC 8414 section 3.3).
pub fn decode(bytes: &[u8], issuer: &str) -> Result<ServerMetadata> {
    let members: Map<String, Value> = serde_json::from_slice(bytes)
        .map_err(|_| bad("the server's metadata is no JSON object"))?;
    let issuer = match members.get("issuer").and_then(Value::as_str) {
        Some(named) if is_same_issuer(named, issuer) => named.to_owned(),
        Some(named) => {
            let named = brief(named, 200);
            return Err(bad(format!(
                "the server's metadata is that of {named}, not of the issuer {issuer}"
            )));
        }
        None => return Err(bad("the server's metadata names no issuer")),
    };
    // A server elsewhere has nothing on the machines of its clients; whoever says so would have them
    // ask, or send secrets to, whatever listens there.
    let is_here = check_url(&issuer).is_ok_and(|issuer| is_loopback(&issuer));
    let url = |name: &str| match url(&members, name)? {
        Some(url) if is_loopback(&url) && !is_here => {
            Err(bad(format!("the {name} in the server's metadata leads to this machine")))
        }
        url => Ok(url),
    };
    let mut endpoints = Vec::new();
    for (name, key) in ENDPOINTS {
        endpoints.extend(url(name)?.map(|url| (key, url)));
    }
    let flag = |name: &str| members.get(name).and_then(Value::as_bool).unwrap_or(false);
    Ok(ServerMetadata {
        issuer,
        endpoints,
        jwks_uri: url("jwks_uri")?,
        registration_endpoint: url("registration_endpoint")?,
        token_endpoint_auth_methods: texts(&members, "token_endpoint_auth_methods_supported"),
        code_challenge_methods: texts(&members, "code_challenge_methods_supported"),
        scopes: texts(&members, "scopes_supported"),
        id_token_signing_algs: texts(&members, "id_token_signing_alg_values_supported"),
        iss_in_answers: flag("authorization_response_iss_parameter_supported"),
        requires_pushed_requests: flag("require_pushed_authorization_requests"),
    })
}

/// Whether a location is one of the document that RFC 8414 defines.
#[must_use]
pub fn is_rfc_8414(location: &Url) -> bool {
    location.path().contains("/.well-known/oauth-authorization-server")
}

/// One document with what another has besides.
#[must_use]
pub fn complete(document: &[u8], other: &[u8]) -> Option<String> {
    let mut members: Map<String, Value> = serde_json::from_slice(other).ok()?;
    members.extend(serde_json::from_slice::<Map<String, Value>>(document).ok()?);
    serde_json::to_string(&members).ok()
}

/// Equal to the letter, but for a slash at the end: people leave it out, and some servers too.
fn is_same_issuer(named: &str, wanted: &str) -> bool {
    named.trim_end_matches('/') == wanted.trim_end_matches('/')
}

/// An endpoint, to which secrets may go; one that is `null` or empty is not there.
fn url(members: &Map<String, Value>, name: &str) -> Result<Option<Url>> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => check_url(text)
            .map(Some)
            .map_err(|what| bad(format!("the {name} in the server's metadata {what}"))),
        Some(_) => Err(bad(format!("the {name} in the server's metadata is no text"))),
    }
}

fn texts(members: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let values = members.get(name)?.as_array()?;
    Some(values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect())
}

fn bad(message: impl Into<String>) -> Error {
    Error::BadAnswer(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(issuer: &str) -> Vec<String> {
        locations(&Url::parse(issuer).unwrap()).iter().map(Url::to_string).collect()
    }

    #[test]
    fn metadata_is_looked_for_where_the_documents_say() {
        assert_eq!(
            located("https://a.example"),
            [
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ]
        );
        assert_eq!(
            located("https://a.example:8443/realms/x/?q"),
            [
                "https://a.example:8443/realms/x/.well-known/openid-configuration",
                "https://a.example:8443/.well-known/oauth-authorization-server/realms/x",
                "https://a.example:8443/.well-known/openid-configuration/realms/x",
                "https://a.example:8443/realms/x/.well-known/oauth-authorization-server",
            ]
        );
    }

    #[test]
    fn what_is_known_is_read_and_the_rest_is_left() {
        let text = br#"{"issuer":"https://a.example/","token_endpoint":"https://a.example/t",
            "jwks_uri":"https://a.example/k","revocation_endpoint":null,"userinfo_endpoint":"",
            "code_challenge_methods_supported":["plain","S256",7],
            "authorization_response_iss_parameter_supported":true,"x":{"y":[]}}"#;
        let metadata = decode(text, "https://a.example").unwrap();
        let endpoint = Url::parse("https://a.example/t").unwrap();
        assert_eq!(metadata.endpoints, [("token_url", endpoint)]);
        assert_eq!(metadata.issuer, "https://a.example/");
        assert_eq!(metadata.code_challenge_methods.unwrap(), ["plain", "S256"]);
        assert!(metadata.iss_in_answers && !metadata.requires_pushed_requests);
        assert_eq!(metadata.scopes, None);
    }

    #[test]
    fn what_is_anothers_or_unsafe_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"issuer":7}"#,
            r#"{"issuer":"https://b.example"}"#,
            r#"{"issuer":"https://a.example.b.example"}"#,
            r#"{"issuer":"https://a.example","token_endpoint":"http://a.example/t"}"#,
            r#"{"issuer":"https://a.example","token_endpoint":"http://127.0.0.1:2375/t"}"#,
            r#"{"issuer":"https://a.example","jwks_uri":"https://localhost/k"}"#,
            r#"{"issuer":"https://a.example","token_endpoint":"/t"}"#,
            r#"{"issuer":"https://a.example","jwks_uri":["https://a.example"]}"#,
            r#"{"issuer":"https://a.example","userinfo_endpoint":"https://u:p@a.example/"}"#,
        ] {
            let error = decode(text.as_bytes(), "https://a.example").unwrap_err();
            assert!(matches!(error, Error::BadAnswer(_)), "{text}: {error}");
        }
    }
}
