//! The request to the token endpoint (RFC 6749 sections 4 and 6), as bytes.

use url::{Url, form_urlencoded};

use super::HttpRequest;
use super::client_auth::ClientCredentials;
use super::pkce::PkceVerifier;
use super::redact::{MASK, Redactor, is_public};
use crate::error::{Error, Result};
use crate::profile::dialect::{Format, Method, RequestDialect};
use crate::secret::Secret;
use crate::terms::GrantType;

/// A grant and its parameters, before any provider's dialect.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    grant_type: GrantType,
    /// In the order of sending.
    params: Vec<(&'static str, Param)>,
    scope: Vec<String>,
}

/// The value of a parameter.
#[derive(Debug, Clone)]
enum Param {
    Plain(String),
    Secret(Secret),
}

impl Param {
    fn as_str(&self) -> &str {
        match self {
            Self::Plain(value) => value,
            Self::Secret(value) => value.expose(),
        }
    }
}

impl TokenRequest {
    /// A machine asks by its own credentials (RFC 6749 section 4.4.2).
    #[must_use]
    pub fn client_credentials(scope: &[String]) -> Self {
        Self::new(GrantType::ClientCredentials, vec![], scope)
    }

    /// A person's username and password (RFC 6749 section 4.3.2).
    #[must_use]
    pub fn password(username: &str, password: Secret, scope: &[String]) -> Self {
        let params = vec![
            ("username", Param::Plain(username.to_owned())),
            ("password", Param::Secret(password)),
        ];
        Self::new(GrantType::Password, params, scope)
    }

    /// A refresh token (RFC 6749 section 6); without a scope the one once granted stays.
    #[must_use]
    pub fn refresh_token(refresh_token: Secret, scope: &[String]) -> Self {
        let params = vec![("refresh_token", Param::Secret(refresh_token))];
        Self::new(GrantType::RefreshToken, params, scope)
    }

    /// The code that a person's browser brought (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
    #[must_use]
    pub fn authorization_code(code: Secret, redirect_uri: &str, verifier: &PkceVerifier) -> Self {
        let params = vec![
            ("code", Param::Secret(code)),
            ("redirect_uri", Param::Plain(redirect_uri.to_owned())),
            ("code_verifier", Param::Secret(verifier.as_secret().clone())),
        ];
        Self::new(GrantType::AuthorizationCode, params, &[])
    }

    /// The code that a person confirms at another device (RFC 8628 section 3.4).
    #[must_use]
    pub fn device_code(device_code: Secret) -> Self {
        Self::new(GrantType::DeviceCode, vec![("device_code", Param::Secret(device_code))], &[])
    }

    fn new(grant_type: GrantType, params: Vec<(&'static str, Param)>, scope: &[String]) -> Self {
        Self { grant_type, params, scope: scope.to_vec() }
    }

    /// The grant that is asked for.
    #[must_use]
    pub const fn grant_type(&self) -> GrantType {
        self.grant_type
    }

    /// This request with every secret masked, for showing.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mask = |(name, value): &(&'static str, Param)| match value {
            Param::Plain(_) => (*name, value.clone()),
            Param::Secret(_) => (*name, Param::Plain(MASK.to_owned())),
        };
        Self { params: self.params.iter().map(mask).collect(), ..self.clone() }
    }

    /// Knows every secret that [`encode`] puts into a request made of the same.
    #[must_use]
    pub fn redactor(&self, dialect: &RequestDialect, credentials: &ClientCredentials) -> Redactor {
        let own = self.params.iter().filter_map(|(_, value)| match value {
            Param::Plain(_) => None,
            Param::Secret(secret) => Some(secret.clone()),
        });
        redactor(own, dialect, credentials)
    }

    /// The scope as it is sent, where it is sent.
    fn scope(&self, dialect: &RequestDialect) -> Option<String> {
        let empty = self.grant_type == GrantType::Password && dialect.send_empty_scope;
        (!self.scope.is_empty() || empty).then(|| self.scope.join(&dialect.scope_separator))
    }
}

/// Hides these secrets, and what every request of this client carries besides.
pub(crate) fn redactor(
    own: impl IntoIterator<Item = Secret>,
    dialect: &RequestDialect,
    credentials: &ClientCredentials,
) -> Redactor {
    // What is shorter is a switch such as `v=1`, and would hide whatever has a 1 in it.
    let extra = dialect.params.iter().chain(&dialect.headers);
    let extra = extra
        .filter(|(name, value)| value.len() >= 8 && !is_public(name))
        .map(|(_, value)| Secret::from(value.as_str()));
    // The scheme is no part of the secret: a server may well repeat "Basic".
    let basic = credentials.authenticate(dialect.basic_encoding).ok().and_then(|auth| {
        auth.authorization?.expose().split_once(' ').map(|(_, pair)| Secret::from(pair))
    });
    Redactor::new(own.into_iter().chain(credentials.secret.clone()).chain(extra).chain(basic))
}

/// The request as a provider wants it: `grant_type`, the client, the grant's own parameters, the
/// scope, the dialect's; in this order whatever the format.
pub fn encode(
    request: &TokenRequest,
    endpoint: &Url,
    dialect: &RequestDialect,
    credentials: &ClientCredentials,
) -> Result<HttpRequest> {
    let auth = credentials.authenticate(dialect.basic_encoding)?;
    let scope = request.scope(dialect);
    let mut params = vec![("grant_type", request.grant_type.wire_name())];
    params.extend(&auth.params);
    params.extend(request.params.iter().map(|(name, value)| (*name, value.as_str())));
    params.extend(scope.as_deref().map(|scope| ("scope", scope)));
    params.extend(dialect.audience.as_deref().map(|audience| ("audience", audience)));
    params.extend(dialect.resource.iter().map(|resource| ("resource", resource.as_str())));
    for (name, value) in &dialect.params {
        params.retain(|(known, _)| known != name);
        params.push((name, value));
    }

    let (query, body) = match (dialect.format, dialect.method) {
        (Format::Query, _) | (Format::Form, Method::Get) => (Some(form(&params)), None),
        (Format::Form, Method::Post) => {
            (None, Some((form(&params), "application/x-www-form-urlencoded")))
        }
        (Format::Json, Method::Post) => (None, Some((json(&params), "application/json"))),
        (Format::Json, Method::Get) => {
            return Err(Error::config(
                "request.method = \"GET\" has no body, and request.format = \"json\" needs one",
            ));
        }
    };
    let (body, content_type) = body.unzip();

    Ok(HttpRequest {
        method: dialect.method,
        endpoint: endpoint.clone(),
        query: query.map(Secret::new),
        headers: headers(content_type, auth.authorization, dialect),
        body: body.map(|text| Secret::new(text.into_bytes())),
    })
}

/// The headers of a request to any endpoint of the server; the schema has checked the dialect's.
pub(super) fn headers(
    content_type: Option<&str>,
    authorization: Option<Secret>,
    dialect: &RequestDialect,
) -> Vec<(String, Secret)> {
    let mut headers = vec![("Accept".to_owned(), Secret::from("application/json"))];
    headers.extend(content_type.map(|kind| ("Content-Type".to_owned(), Secret::from(kind))));
    headers.extend(authorization.map(|value| ("Authorization".to_owned(), value)));
    headers
        .extend(dialect.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
    headers
}

/// The parameters as `application/x-www-form-urlencoded` (RFC 6749 appendix B).
pub(super) fn form(params: &[(&str, &str)]) -> String {
    // Three bytes for one at the most: the buffer never moves, and so leaves no copy of a secret.
    let room = params.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let mut text = form_urlencoded::Serializer::new(String::with_capacity(room));
    text.extend_pairs(params);
    text.finish()
}

/// The parameters as a JSON object of strings; of a name that stands there twice, as an array of them.
fn json(params: &[(&str, &str)]) -> String {
    // Six bytes for one at the most, as in `\u0000`.
    let room = params.iter().map(|(name, value)| 6 * (name.len() + value.len()) + 8).sum::<usize>();
    let mut text = Vec::with_capacity(room + 2);
    text.push(b'{');
    for (at, (name, value)) in params.iter().enumerate() {
        if params[..at].iter().any(|(before, _)| before == name) {
            continue;
        }
        if at > 0 {
            text.push(b',');
        }
        quote(name, &mut text);
        text.push(b':');
        let more: Vec<&str> =
            params[at + 1..].iter().filter(|(other, _)| other == name).map(|(_, v)| *v).collect();
        if more.is_empty() {
            quote(value, &mut text);
            continue;
        }
        text.push(b'[');
        quote(value, &mut text);
        for value in more {
            text.push(b',');
            quote(value, &mut text);
        }
        text.push(b']');
    }
    text.push(b'}');
    String::from_utf8(text).expect("serde_json writes UTF-8")
}

fn quote(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string into memory can't fail");
}
