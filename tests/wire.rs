//! What goes over the wire, byte by byte: each file under `vectors/` is a provider's dialect or a
//! subject, with the requests that must go out and what their answers must be taken for.

use std::fmt::Write as _;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use oauthctl::error::Error;
use oauthctl::profile::dialect::{BasicEncoding, Format, Method, RequestDialect, ResponseDialect};
use oauthctl::secret::Secret;
use oauthctl::terms::{ClientAuthMethod, GrantType};
use oauthctl::wire::client_auth::ClientCredentials;
use oauthctl::wire::pkce::PkceVerifier;
use oauthctl::wire::redact::Redactor;
use oauthctl::wire::request::{TokenRequest, encode};
use oauthctl::wire::response::{TokenResponse, decode, expires_at};
use oauthctl::wire::{HttpRequest, HttpResponse, transcript};
use serde::Deserialize;
use url::Url;

mod properties;

/// The moment of every answer.
const NOW: i64 = 1_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What the documents or standards are that the vectors come from.
    #[expect(dead_code, reason = "for whoever reads the file")]
    source: String,
    endpoint: Option<String>,
    #[serde(default)]
    client: Client,
    #[serde(default)]
    request: Request,
    #[serde(default)]
    response: Response,
    vector: Vec<Vector>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
struct Client {
    id: String,
    secret: Option<String>,
    auth: Option<String>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
struct Request {
    method: Option<String>,
    format: Option<String>,
    scope_separator: Option<String>,
    send_empty_scope: bool,
    basic_encoding: Option<String>,
    audience: Option<String>,
    resource: Vec<String>,
    params: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
struct Response {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<String>,
    refresh_token: Option<String>,
    id_token: Option<String>,
    scope: Option<String>,
    scope_separator: Option<String>,
    default_expires_in: Option<u64>,
}

/// One exchange; what stands here beats what stands for the whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    endpoint: Option<String>,
    client: Option<Client>,
    request: Option<Request>,
    response: Option<Response>,
    grant: Option<Grant>,
    /// The request: its first line, its headers, a blank line, its body.
    sends: Option<String>,
    /// The same as a person is shown it.
    shows: Option<String>,
    /// Why no request can be made.
    refuses: Option<String>,
    answer: Option<Answer>,
    token: Option<Token>,
    error: Option<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    #[serde(rename = "type")]
    kind: GrantType,
    #[serde(default)]
    scope: Vec<String>,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    refresh_token: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    /// What the PKCE verifier is made of.
    #[serde(default)]
    random: [u8; 32],
    #[serde(default)]
    device_code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: Option<u16>,
    content_type: Option<String>,
    location: Option<String>,
    retry_after: Option<u64>,
    #[serde(default)]
    body: String,
    /// For a body that is no text: base64.
    bytes: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names are the RFC's")]
struct Token {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<i64>,
    /// Seconds after the answer.
    ends_after: Option<i64>,
    refresh_token: Option<String>,
    id_token: Option<String>,
    scope: Option<Vec<String>>,
    #[serde(default = "nothing")]
    extra: String,
}

fn nothing() -> String {
    "{}".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    kind: String,
    message: String,
    status: Option<u16>,
    error: Option<String>,
    retry_after: Option<u64>,
}

impl Client {
    fn credentials(&self) -> ClientCredentials {
        let method = self.auth.as_deref().unwrap_or("client_secret_basic");
        ClientCredentials {
            client_id: self.id.clone(),
            secret: self.secret.as_deref().map(Secret::from),
            method: ClientAuthMethod::from_word(method).expect("a method of IANA's"),
        }
    }
}

impl Request {
    fn dialect(&self) -> RequestDialect {
        let usual = RequestDialect::default();
        RequestDialect {
            method: match self.method.as_deref() {
                None | Some("POST") => Method::Post,
                Some("GET") => Method::Get,
                Some(other) => panic!("method {other}"),
            },
            format: match self.format.as_deref() {
                None | Some("form") => Format::Form,
                Some("json") => Format::Json,
                Some("query") => Format::Query,
                Some(other) => panic!("format {other}"),
            },
            basic_encoding: match self.basic_encoding.as_deref() {
                None | Some("rfc6749") => BasicEncoding::Rfc6749,
                Some("raw") => BasicEncoding::Raw,
                Some(other) => panic!("basic_encoding {other}"),
            },
            scope_separator: self.scope_separator.clone().unwrap_or(usual.scope_separator),
            send_empty_scope: self.send_empty_scope,
            audience: self.audience.clone(),
            resource: self.resource.clone(),
            params: self.params.clone(),
            headers: self.headers.clone(),
        }
    }
}

impl Response {
    fn dialect(&self) -> ResponseDialect {
        let own = self.clone();
        ResponseDialect {
            access_token: own.access_token,
            token_type: own.token_type,
            expires_in: own.expires_in,
            refresh_token: own.refresh_token,
            id_token: own.id_token,
            scope: own.scope,
            scope_separator: own.scope_separator,
            default_expires_in: own.default_expires_in,
        }
    }
}

impl Grant {
    fn request(&self) -> TokenRequest {
        match self.kind {
            GrantType::ClientCredentials => TokenRequest::client_credentials(&self.scope),
            GrantType::Password => {
                TokenRequest::password(&self.username, Secret::from(&*self.password), &self.scope)
            }
            GrantType::RefreshToken => {
                TokenRequest::refresh_token(Secret::from(&*self.refresh_token), &self.scope)
            }
            GrantType::AuthorizationCode => TokenRequest::authorization_code(
                Secret::from(&*self.code),
                &self.redirect_uri,
                &PkceVerifier::new(self.random),
            ),
            GrantType::DeviceCode => TokenRequest::device_code(Secret::from(&*self.device_code)),
        }
    }
}

impl Answer {
    fn response(&self) -> HttpResponse {
        use base64::Engine;
        let body = match &self.bytes {
            Some(bytes) => base64::prelude::BASE64_STANDARD.decode(bytes).expect("base64"),
            None => self.body.clone().into_bytes(),
        };
        HttpResponse {
            status: self.status.unwrap_or(200),
            content_type: self.content_type.clone(),
            location: self.location.clone(),
            retry_after: self.retry_after,
            body: body.into(),
            ..HttpResponse::default()
        }
    }
}

/// The very bytes that matter of a request, as text.
fn bytes(request: &HttpRequest) -> String {
    let mut text = format!("{} {}\n", request.method_name(), request.target().expose());
    for (name, value) in &request.headers {
        writeln!(text, "{name}: {}", value.expose()).unwrap();
    }
    if let Some(body) = &request.body {
        writeln!(text, "\n{}", std::str::from_utf8(body.expose()).unwrap()).unwrap();
    }
    text
}

fn check_request(file: &File, vector: &Vector, grant: &Grant) -> Redactor {
    let request = grant.request();
    let dialect = vector.request.as_ref().unwrap_or(&file.request).dialect();
    let credentials = vector.client.as_ref().unwrap_or(&file.client).credentials();
    let endpoint = vector.endpoint.as_ref().or(file.endpoint.as_ref()).expect("an endpoint");
    let endpoint = Url::parse(endpoint).unwrap();
    let encoded = encode(&request, &endpoint, &dialect, &credentials);
    if let Some(expected) = &vector.refuses {
        let error = encoded.expect_err("no request can be made");
        assert!(matches!(error, Error::Config(_)), "{error:?}");
        assert_eq!(error.to_string(), *expected);
    } else {
        let encoded = encoded.unwrap();
        assert_eq!(encoded.endpoint.origin(), endpoint.origin());
        assert_eq!(bytes(&encoded), *vector.sends.as_ref().expect("the bytes of the request"));
    }
    if let Some(expected) = &vector.shows {
        let shown = transcript::request(&request, &endpoint, &dialect, &credentials).unwrap();
        assert_eq!(shown.to_string(), *expected);
    }
    request.redactor(&dialect, &credentials)
}

fn check_token(got: &TokenResponse, expected: &Token, dialect: &ResponseDialect) {
    fn text(secret: Option<&Secret>) -> Option<&str> {
        secret.map(|secret| secret.expose().as_str())
    }
    assert_eq!(got.access_token.expose(), &expected.access_token);
    assert_eq!(got.token_type, expected.token_type);
    assert_eq!(got.expires_in, expected.expires_in);
    assert_eq!(expires_at(got, NOW, dialect).map(|end| end - NOW), expected.ends_after);
    assert_eq!(text(got.refresh_token.as_ref()), expected.refresh_token.as_deref());
    assert_eq!(text(got.id_token.as_ref()), expected.id_token.as_deref());
    assert_eq!(got.scope, expected.scope);
    assert_eq!(serde_json::to_string(&got.extra).unwrap(), expected.extra);
}

fn check_error(got: &Error, expected: &Expected) {
    let (kind, status, error, retry_after) = match got {
        Error::Refused(refusal) => ("Refused", Some(refusal.status), refusal.error.clone(), None),
        Error::Unavailable { status, retry_after, .. } => {
            ("Unavailable", Some(*status), None, *retry_after)
        }
        Error::BadAnswer(_) => ("BadAnswer", None, None, None),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind, expected.kind, "{got}");
    assert_eq!(got.to_string(), expected.message);
    assert_eq!(error, expected.error);
    assert_eq!(retry_after, expected.retry_after);
    assert!(expected.status.is_none() || expected.status == status, "{status:?}");
}

fn check(file: &File, vector: &Vector) {
    let redactor = match &vector.grant {
        Some(grant) => check_request(file, vector, grant),
        None => Redactor::default(),
    };
    let Some(answer) = &vector.answer else { return };
    let dialect = vector.response.as_ref().unwrap_or(&file.response).dialect();
    let decoded = decode(&answer.response(), &dialect, &redactor);
    match (decoded, &vector.token, &vector.error) {
        (Ok(got), Some(expected), None) => check_token(&got, expected, &dialect),
        (Err(got), None, Some(expected)) => check_error(&got, expected),
        (got, ..) => panic!("unexpected: {got:?}"),
    }
}

/// Checks every vector of a file; those that fail are named after what each has said.
fn check_file(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/{name}.toml"));
    let file: File = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let fails =
        |vector: &&Vector| panic::catch_unwind(AssertUnwindSafe(|| check(&file, vector))).is_err();
    let failed: Vec<_> = file.vector.iter().filter(fails).map(|vector| &vector.name).collect();
    assert!(failed.is_empty(), "in tests/vectors/{name}.toml: {failed:#?}");
}

macro_rules! vectors {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check_file(stringify!($name)); })*

        #[test]
        fn every_file_of_vectors_is_checked() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
            let mut found: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| {
                entry.unwrap().file_name().into_string().unwrap().replace(".toml", "")
            }).collect();
            found.sort();
            assert_eq!(found, [$(stringify!($name)),*]);
        }
    };
}

vectors! { answers barapi bindeo codes encodings errors kabbage lifetimes musement rfc6749 }
