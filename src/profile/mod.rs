//! What is known about a provider and a client: layers of TOML, merged into pure data.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use self::dialect::{
    AuthorizationDialect, BasicEncoding, Format, Method, RequestDialect, ResponseDialect,
};
use self::dirs::Dirs;
use self::layer::{Layer, Origin};
use self::schema::SecretSource;
use crate::duration;
use crate::error::{Error, Result};
use crate::terms::{ClientAuthMethod, GrantType, Identity};
use crate::token::{Asked, MinTtl};

pub mod check;
pub mod dialect;
pub mod dirs;
pub mod edit;
pub mod environment;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod layer;
pub mod load;
pub mod placeholder;
pub mod presets;
pub mod schema;

/// A profile, merged from all its layers. Secrets are sources still unopened; endpoints may be absent.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The preset it builds on.
    pub provider: Option<String>,
    /// What relative URLs resolve against.
    pub base_url: Option<Url>,
    /// The issuer, as it was written.
    pub issuer: Option<String>,
    /// Whether a token of the issuer's may go to the token endpoint; not to one that the
    /// environment names, whatever issuer that names too.
    issuer_vouches: bool,
    /// The endpoints, resolved.
    pub endpoints: Endpoints,
    /// The client.
    pub client_id: Option<String>,
    /// Where the client's secret comes from.
    pub client_secret: Option<SecretSource>,
    /// How the client proves itself, where somebody said so.
    pub client_auth: Option<ClientAuthMethod>,
    /// The person.
    pub username: Option<String>,
    /// Where the person's password comes from.
    pub password: Option<SecretSource>,
    /// The scope to ask for.
    pub scope: Vec<String>,
    /// The grants that are allowed, where somebody said so.
    pub grants: Option<Vec<GrantType>>,
    /// The grant that `login` uses, where somebody said so.
    pub login_grant: Option<GrantType>,
    /// Whose token is meant, where somebody said so.
    pub identity: Option<Identity>,
    /// The hosts to which `curl` may send the token, where somebody said so.
    pub api_hosts: Option<Vec<String>>,
    /// The least life of a token that is handed out, where somebody said so.
    pub min_ttl: Option<Duration>,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Where the browser may be sent back to, tried in order.
    pub redirect_uris: Vec<String>,
    /// How the authorization endpoint wants to be spoken to.
    pub authorization: AuthorizationDialect,
    /// Extra parameters of the device authorization endpoint.
    pub device_params: Vec<(String, String)>,
    /// How the token endpoint wants to be spoken to.
    pub request: RequestDialect,
    /// How it answers.
    pub response: ResponseDialect,
}

/// The endpoints of an authorization server.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// RFC 6749 section 3.2.
    pub token: Option<Url>,
    /// RFC 6749 section 3.1.
    pub authorization: Option<Url>,
    /// RFC 8628.
    pub device_authorization: Option<Url>,
    /// RFC 9126.
    pub pushed_authorization_request: Option<Url>,
    /// RFC 7009.
    pub revocation: Option<Url>,
    /// RFC 7662.
    pub introspection: Option<Url>,
    /// OpenID Connect Core section 5.3.
    pub userinfo: Option<Url>,
    /// RFC 7591.
    pub registration: Option<Url>,
    /// RFC 7517.
    pub jwks: Option<Url>,
}

impl Profile {
    /// Makes a profile of its merged layers.
    pub fn new(name: &str, layer: &Layer, dirs: &Dirs) -> Result<Self> {
        let layer = &*placeholder::filled(layer)?;
        let text = |key| layer.text(key).map(str::to_owned);
        let base_url = absolute_url(layer, "base_url")?;
        let endpoint = |key| endpoint(layer, key, base_url.as_ref());
        let request = request_dialect(layer);
        Ok(Self {
            name: name.to_owned(),
            provider: text("provider"),
            issuer: text("issuer"),
            issuer_vouches: !["token_url", "base_url"].iter().any(|key| {
                let origin = layer.get(key).map(|entry| &entry.origin);
                matches!(origin, Some(Origin::Environment(_)))
            }),
            endpoints: Endpoints {
                token: endpoint("token_url")?,
                authorization: endpoint("authorization_url")?,
                device_authorization: endpoint("device_authorization_url")?,
                pushed_authorization_request: endpoint("pushed_authorization_request_url")?,
                revocation: endpoint("revocation_url")?,
                introspection: endpoint("introspection_url")?,
                userinfo: endpoint("userinfo_url")?,
                registration: endpoint("registration_url")?,
                jwks: endpoint("jwks_url")?,
            },
            client_id: text("client_id"),
            client_secret: layer.secret("client_secret").map(|source| located(source, dirs)),
            client_auth: layer.text("client_auth").and_then(ClientAuthMethod::from_word),
            username: text("username"),
            password: layer.secret("password").map(|source| located(source, dirs)),
            scope: layer.list("scope").map(<[String]>::to_vec).unwrap_or_default(),
            grants: layer
                .list("grants")
                .map(|words| words.iter().filter_map(|word| GrantType::from_word(word)).collect()),
            login_grant: layer.text("login_grant").and_then(GrantType::from_word),
            identity: layer.text("identity").and_then(Identity::from_word),
            api_hosts: layer.list("api_hosts").map(<[String]>::to_vec),
            min_ttl: layer.text("min_ttl").and_then(duration::parse),
            ca_file: layer.text("ca_file").map(|path| locate(path, dirs)),
            redirect_uris: redirect_uris(layer),
            authorization: authorization_dialect(layer, &request),
            device_params: layer.table("device.params"),
            request,
            response: response_dialect(layer),
            base_url,
        })
    }

    /// Whose token is meant when nobody says so; what happens to be cached never decides.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity.unwrap_or(if self.knows_user_grant() {
            Identity::User
        } else {
            Identity::Client
        })
    }

    /// Whether a person can log in at all.
    fn knows_user_grant(&self) -> bool {
        self.grants.iter().flatten().chain(&self.login_grant).any(|grant| grant.is_user())
            || self.endpoints.authorization.is_some()
            || self.endpoints.device_authorization.is_some()
    }

    /// Whether the profile allows this grant: as `grants` lists, else by the endpoints that are known.
    #[must_use]
    pub fn allows(&self, grant: GrantType) -> bool {
        match &self.grants {
            Some(grants) => grants.contains(&grant) || self.login_grant == Some(grant),
            None => match grant {
                GrantType::Password => self.login_grant == Some(grant),
                GrantType::AuthorizationCode => self.endpoints.authorization.is_some(),
                GrantType::DeviceCode => self.endpoints.device_authorization.is_some(),
                GrantType::ClientCredentials | GrantType::RefreshToken => true,
            },
        }
    }

    /// Refuses a grant that the profile doesn't list, before any request is made.
    pub fn require(&self, grant: GrantType) -> Result<()> {
        if self.allows(grant) {
            return Ok(());
        }
        let key = match grant {
            GrantType::Password => "login_grant",
            GrantType::DeviceCode => "device_authorization_url",
            _ => "authorization_url",
        };
        let listed = match &self.grants {
            Some(grants) => {
                let words: Vec<&str> = grants.iter().map(|grant| grant.as_str()).collect();
                format!("its grants are {}", words.join(", "))
            }
            None if grant == GrantType::Password => {
                "neither grants nor login_grant names it".to_owned()
            }
            None => "no endpoint for it is known".to_owned(),
        };
        let message =
            format!("the profile {} doesn't offer the grant {grant}: {listed}", self.name);
        Err(match self.grants {
            Some(_) => Error::config(message),
            None => Error::missing(key, message),
        })
    }

    /// The grant that `login` uses.
    #[must_use]
    pub fn login_grant(&self) -> GrantType {
        self.login_grant.unwrap_or(if self.endpoints.authorization.is_some() {
            GrantType::AuthorizationCode
        } else if self.endpoints.device_authorization.is_some() {
            GrantType::DeviceCode
        } else {
            GrantType::Password
        })
    }

    /// How the client proves itself.
    #[must_use]
    pub fn client_auth(&self) -> ClientAuthMethod {
        match (&self.client_secret, self.client_auth) {
            (_, Some(method)) => method,
            (Some(_), None) => ClientAuthMethod::ClientSecretBasic,
            (None, None) => ClientAuthMethod::None,
        }
    }

    /// The token endpoint, or an error that says which key is missing.
    pub fn token_endpoint(&self) -> Result<&Url> {
        self.endpoints.token.as_ref().ok_or_else(|| self.lacks("token_url"))
    }

    /// The error for a key without which something can't be done.
    #[must_use]
    pub fn lacks(&self, key: &'static str) -> Error {
        Error::missing(key, format!("the profile {} has no {key}", self.name))
    }

    /// The client's id, or an error that says that it is missing.
    pub fn client_id(&self) -> Result<&str> {
        self.client_id.as_deref().ok_or_else(|| self.lacks("client_id"))
    }

    /// The least life of a token that is handed out.
    #[must_use]
    pub fn min_ttl(&self) -> MinTtl {
        self.min_ttl.map_or(MinTtl::Default, |ttl| {
            MinTtl::Explicit(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX))
        })
    }

    /// Asks for the audience that an earlier token was asked for, as [`Profile::asked`] tells it.
    pub fn ask_for_audience(&mut self, audience: Option<&str>) {
        if self.asked(Identity::Client).audience.as_deref() == audience {
            return;
        }
        self.request.audience = None;
        self.request.resource.clear();
        self.request.params.retain(|(name, _)| !names_audience(name));
        let values = audience.unwrap_or_default().lines();
        let params = values.map(|value| ("audience".to_owned(), value.to_owned()));
        self.request.params.extend(params);
    }

    /// What a token that this profile asks for is bound to.
    #[must_use]
    pub fn asked(&self, identity: Identity) -> Asked {
        let extra = self.request.params.iter().filter(|(name, _)| names_audience(name));
        let audience: Vec<&str> = self
            .request
            .audience
            .iter()
            .chain(&self.request.resource)
            .chain(extra.map(|(_, value)| value))
            .map(String::as_str)
            .collect();
        Asked {
            issuer: self.issuer.clone().filter(|_| self.issuer_vouches),
            token_endpoint: self.endpoints.token.as_ref().map(Url::to_string),
            client_id: self.client_id.clone(),
            audience: Some(audience.join("\n")).filter(|text| !text.is_empty()),
            username: if identity == Identity::User { self.username.clone() } else { None },
            scope: self.scope.clone(),
        }
    }
}

/// RFC 8707's parameter, and the one that served before it.
fn names_audience(name: &str) -> bool {
    matches!(name, "audience" | "resource")
}

/// A URL that the schema has checked already; what it can't check is whether two layers fit together.
fn absolute_url(layer: &Layer, key: &'static str) -> Result<Option<Url>> {
    layer
        .text(key)
        .map(|text| check::check_url(text).map_err(|what| Error::config(format!("{key} {what}"))))
        .transpose()
}

/// Resolves an endpoint: a relative one is put behind `base_url`, whose path is kept.
fn endpoint(layer: &Layer, key: &'static str, base: Option<&Url>) -> Result<Option<Url>> {
    let Some(text) = layer.text(key) else { return Ok(None) };
    let whole = match (text.strip_prefix('/'), base) {
        (None, _) => text.to_owned(),
        (Some(path), Some(base)) => {
            let mut base = base.clone();
            base.set_query(None);
            format!("{}/{path}", base.as_str().trim_end_matches('/'))
        }
        (Some(_), None) => {
            return Err(Error::missing(
                "base_url",
                format!("{key} is {text}, but the profile has no base_url to put before it"),
            ));
        }
    };
    check::check_url(&whole).map(Some).map_err(|what| Error::config(format!("{key} {what}")))
}

/// The source with its path made whole.
fn located(source: &SecretSource, dirs: &Dirs) -> SecretSource {
    match source {
        SecretSource::File(path) => {
            SecretSource::File(locate(path, dirs).to_string_lossy().into_owned())
        }
        other => other.clone(),
    }
}

/// A path as a configuration file means it: `~/` is the home, others start at the configuration's directory.
fn locate(path: &str, dirs: &Dirs) -> PathBuf {
    if let (Some(rest), Some(home)) = (path.strip_prefix("~/"), directories::BaseDirs::new()) {
        return home.home_dir().join(rest);
    }
    dirs.config.join(path)
}

/// Any free port of this machine, where nobody said anything (RFC 8252 section 7.3).
const REDIRECT_URI: &str = "http://127.0.0.1/callback";

fn redirect_uris(layer: &Layer) -> Vec<String> {
    let one = layer.text("redirect_uri").map(|uri| vec![uri.to_owned()]);
    let several = || layer.list("redirect_uri").map(<[String]>::to_vec);
    let uris = one.or_else(several).filter(|uris| !uris.is_empty());
    uris.unwrap_or_else(|| vec![REDIRECT_URI.to_owned()])
}

fn authorization_dialect(layer: &Layer, request: &RequestDialect) -> AuthorizationDialect {
    let text = |key| layer.text(key).map(str::to_owned);
    AuthorizationDialect {
        scope_separator: request.scope_separator.clone(),
        prompt: text("authorization.prompt"),
        login_hint: text("authorization.login_hint"),
        max_age: layer.number("authorization.max_age"),
        acr_values: text("authorization.acr_values"),
        audience: request.audience.clone(),
        resource: request.resource.clone(),
        pushed: layer.flag("authorization.pushed"),
        params: layer.table("authorization.params"),
    }
}

fn request_dialect(layer: &Layer) -> RequestDialect {
    let default = RequestDialect::default();
    RequestDialect {
        method: match layer.text("request.method") {
            Some("GET") => Method::Get,
            _ => default.method,
        },
        format: match layer.text("request.format") {
            Some("json") => Format::Json,
            Some("query") => Format::Query,
            _ => default.format,
        },
        scope_separator: layer
            .text("request.scope_separator")
            .map_or(default.scope_separator, str::to_owned),
        send_empty_scope: layer.flag("request.send_empty_scope"),
        basic_encoding: match layer.text("request.basic_encoding") {
            Some("raw") => BasicEncoding::Raw,
            _ => default.basic_encoding,
        },
        audience: layer.text("audience").map(str::to_owned),
        resource: layer.list("resource").map(<[String]>::to_vec).unwrap_or_default(),
        params: layer.table("request.params"),
        headers: layer.table("request.headers"),
    }
}

fn response_dialect(layer: &Layer) -> ResponseDialect {
    let text = |key| layer.text(key).map(str::to_owned);
    ResponseDialect {
        access_token: text("response.access_token"),
        token_type: text("response.token_type"),
        expires_in: text("response.expires_in"),
        refresh_token: text("response.refresh_token"),
        id_token: text("response.id_token"),
        scope: text("response.scope"),
        scope_separator: text("response.scope_separator"),
        default_expires_in: layer.number("response.default_expires_in"),
    }
}
