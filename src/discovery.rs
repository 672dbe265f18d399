//! What a server says of itself, fetched or remembered, as the lowest layer of a profile.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::durable;
use crate::error::{Error, Result};
use crate::http::Transport;
use crate::profile::check::check_url;
use crate::profile::dialect::Method;
use crate::profile::layer::{Layer, Origin};
use crate::profile::schema::Value;
use crate::report::Report;
use crate::secret::Secret;
use crate::terms::ClientAuthMethod;
use crate::token::UnixTime;
use crate::wire::jose::JwkSet;
use crate::wire::metadata::{self, ServerMetadata};
use crate::wire::{HttpRequest, HttpResponse, transcript};

/// Seconds after which metadata is fetched again before the server is asked for a token.
const FRESH: i64 = 24 * 3600;

/// The form of a remembered document.
const VERSION: u32 = 1;

/// No document that is remembered is longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// What is known of a server.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its metadata.
    pub metadata: ServerMetadata,
    /// When it was fetched.
    pub fetched_at: UnixTime,
}

impl Known {
    /// Whether it is old enough to be asked for again, or from a time that has not come yet.
    #[must_use]
    pub const fn is_old(&self, now: UnixTime) -> bool {
        is_old(self.fetched_at, now)
    }

    /// The endpoints as a layer to lie below a profile's own; `upper` is all that lies above it.
    ///
    /// A server that doesn't take the usual way for a client to prove itself is given the first of
    /// its own that there is.
    #[must_use]
    pub fn layer(&self, upper: &Layer) -> Layer {
        let mut layer = Layer::default();
        let origin = || Origin::Discovery(self.metadata.issuer.clone(), self.fetched_at);
        for (key, url) in &self.metadata.endpoints {
            layer.set(*key, Value::Text(url.to_string()), origin());
        }
        let others = [
            ("registration_url", &self.metadata.registration_endpoint),
            ("jwks_url", &self.metadata.jwks_uri),
        ];
        for (key, url) in others {
            if let Some(url) = url {
                layer.set(key, Value::Text(url.to_string()), origin());
            }
        }
        if self.metadata.requires_pushed_requests {
            layer.set("authorization.pushed", Value::Flag(true), origin());
        }
        let methods = self.metadata.token_endpoint_auth_methods.as_deref().unwrap_or_default();
        let usual = ClientAuthMethod::ClientSecretBasic.as_str();
        if upper.secret("client_secret").is_some()
            && !methods.iter().any(|method| method == usual)
            && let Some(method) = methods
                .iter()
                .filter_map(|word| ClientAuthMethod::from_word(word))
                // Whoever has a secret means to use it.
                .find(|&method| method != ClientAuthMethod::None)
        {
            layer.set("client_auth", Value::Text(method.to_string()), origin());
        }
        layer
    }
}

/// Whether what was fetched then is old enough to be fetched again, or from a time that has not come yet.
#[must_use]
pub const fn is_old(fetched_at: UnixTime, now: UnixTime) -> bool {
    !matches!(now.saturating_sub(fetched_at), 0..FRESH)
}

/// A document as it is remembered in DATA/metadata; nothing in it is secret.
#[derive(Serialize, Deserialize)]
struct Remembered {
    version: u32,
    /// The issuer, or the URL of its keys.
    of: String,
    fetched_at: UnixTime,
    document: String,
}

fn path(data_dir: &Path, issuer: &str) -> PathBuf {
    file(data_dir, issuer.trim_end_matches('/'), "json")
}

fn keys_path(data_dir: &Path, jwks_url: &Url) -> PathBuf {
    file(data_dir, jwks_url.as_str(), "keys")
}

fn file(data_dir: &Path, of: &str, ending: &str) -> PathBuf {
    let hash = digest(&SHA256, of.as_bytes());
    let half: [u8; 16] = *hash.as_ref().first_chunk().expect("SHA-256 has 32 bytes");
    let name = u128::from_be_bytes(half);
    data_dir.join("metadata").join(format!("{name:032x}.{ending}"))
}

/// Whatever is wrong with what is remembered, it can be fetched again.
fn read(path: &Path) -> Option<Remembered> {
    let mut text = String::with_capacity(8 << 10);
    File::open(path).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
    let remembered: Remembered = serde_json::from_str(&text).ok()?;
    (remembered.version == VERSION).then_some(remembered)
}

/// What can't be kept is fetched again.
fn write(path: &Path, remembered: &Remembered) {
    let bytes = serde_json::to_vec(remembered).map_err(std::io::Error::other);
    let _ = bytes.and_then(|bytes| durable::replace(path, &bytes));
}

/// What is remembered of an issuer.
#[must_use]
pub fn remembered(data_dir: &Path, issuer: &str) -> Option<Known> {
    let Remembered { fetched_at, document, .. } = read(&path(data_dir, issuer))?;
    let metadata = metadata::decode(document.as_bytes(), issuer).ok()?;
    Some(Known { metadata, fetched_at })
}

/// Fetches the metadata of an issuer, and remembers it where that can be.
pub fn fetch(
    transport: &dyn Transport,
    report: &dyn Report,
    data_dir: &Path,
    issuer: &str,
    now: UnixTime,
) -> Result<Known> {
    let url = check_url(issuer).map_err(|what| Error::config(format!("issuer {what}")))?;
    let mut said = Vec::new();
    for location in metadata::locations(&url) {
        let answer = get(transport, report, &location)?;
        if !answer.is_success() {
            said.push(format!("{} says {}", location.path(), answer.status));
            continue;
        }
        let mut document = String::from_utf8_lossy(answer.body.expose()).into_owned();
        let mut metadata = metadata::decode(document.as_bytes(), issuer)?;
        if metadata.is_of_openid_alone()
            && !metadata::is_rfc_8414(&location)
            && let Some((more, whole)) = completed(transport, report, &document, issuer)
        {
            (document, metadata) = (more, whole);
        }
        write(
            &path(data_dir, issuer),
            &Remembered { version: VERSION, of: issuer.to_owned(), fetched_at: now, document },
        );
        return Ok(Known { metadata, fetched_at: now });
    }
    Err(Error::BadAnswer(format!(
        "{} has no metadata: {}",
        transcript::authority(&url),
        said.join(", ")
    )))
}

/// A document with what the server's other document, which RFC 8414 defines, has besides.
///
/// One that is not there, or is nonsense or another's, takes nothing from the one that is.
fn completed(
    transport: &dyn Transport,
    report: &dyn Report,
    document: &str,
    issuer: &str,
) -> Option<(String, ServerMetadata)> {
    let url = check_url(issuer).ok()?;
    let others = metadata::locations(&url).into_iter();
    others.filter(metadata::is_rfc_8414).find_map(|other| {
        let answer = get(transport, report, &other).ok().filter(HttpResponse::is_success)?;
        metadata::decode(answer.body.expose(), issuer).ok()?;
        let document = metadata::complete(document.as_bytes(), answer.body.expose())?;
        let metadata = metadata::decode(document.as_bytes(), issuer).ok()?;
        Some((document, metadata))
    })
}

/// The public keys of a server that are remembered, and whether they are old: a key that the server
/// has withdrawn since may be among them.
#[must_use]
pub fn remembered_keys(data_dir: &Path, jwks_url: &Url, now: UnixTime) -> Option<(JwkSet, bool)> {
    let Remembered { fetched_at, document, .. } = read(&keys_path(data_dir, jwks_url))?;
    Some((JwkSet::decode(document.as_bytes()).ok()?, is_old(fetched_at, now)))
}

/// Fetches the public keys of a server, and remembers them where that can be.
pub fn fetch_keys(
    transport: &dyn Transport,
    report: &dyn Report,
    data_dir: &Path,
    jwks_url: &Url,
    now: UnixTime,
) -> Result<JwkSet> {
    let answer = get(transport, report, jwks_url)?;
    if !answer.is_success() {
        let authority = transcript::authority(jwks_url);
        let status = answer.status;
        return Err(Error::BadAnswer(format!("{authority} has no keys (status {status})")));
    }
    let keys = JwkSet::decode(answer.body.expose())?;
    let document = String::from_utf8_lossy(answer.body.expose()).into_owned();
    write(
        &keys_path(data_dir, jwks_url),
        &Remembered { version: VERSION, of: jwks_url.to_string(), fetched_at: now, document },
    );
    Ok(keys)
}

/// Reads a public document of a server: its metadata, or its keys.
pub fn get(transport: &dyn Transport, report: &dyn Report, url: &Url) -> Result<HttpResponse> {
    let authority = transcript::authority(url);
    report.trace(1, &|| format!("GET {authority} {}", url.path()));
    let answer = transport.send(&HttpRequest {
        method: Method::Get,
        endpoint: url.clone(),
        query: None,
        headers: vec![("Accept".to_owned(), Secret::from("application/json"))],
        body: None,
    })?;
    report.trace(1, &|| format!("status {}, {} bytes", answer.status, answer.body.expose().len()));
    match answer.status {
        408 | 429 | 500..=599 => Err(Error::Unavailable {
            message: format!("{authority} can't answer now (status {})", answer.status),
            status: answer.status,
            retry_after: answer.retry_after,
        }),
        _ => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::profile::schema::SecretSource;
    use crate::report::Silent;

    const ISSUER: &str = "https://a.example/x";

    fn document(extra: &str) -> String {
        format!(r#"{{"issuer":"{ISSUER}","token_endpoint":"https://a.example/t"{extra}}}"#)
    }

    /// A server that has one document at one path.
    fn server<'a>(
        path: &'a str,
        document: &'a str,
        asked: &'a RefCell<Vec<String>>,
    ) -> impl Fn(&HttpRequest) -> Result<HttpResponse> + 'a {
        move |request| {
            asked.borrow_mut().push(request.endpoint.path().to_owned());
            let found = request.endpoint.path() == path;
            Ok(HttpResponse {
                status: if found { 200 } else { 404 },
                body: document.as_bytes().to_vec().into(),
                ..HttpResponse::default()
            })
        }
    }

    #[test]
    fn what_is_fetched_is_remembered_until_it_is_old() {
        let data = tempfile::tempdir().unwrap();
        assert!(remembered(data.path(), ISSUER).is_none());
        let (text, asked) = (document(""), RefCell::default());
        let transport = server("/.well-known/oauth-authorization-server/x", &text, &asked);
        fetch(&transport, &Silent, data.path(), ISSUER, 1000).unwrap();
        assert_eq!(asked.borrow().len(), 2);
        let known = remembered(data.path(), ISSUER).unwrap();
        assert!(!known.is_old(1000 + FRESH - 1));
        assert!(known.is_old(1000 + FRESH) && known.is_old(999));
        assert!(remembered(data.path(), "https://a.example/y").is_none());
    }

    #[test]
    fn a_document_of_another_issuer_is_neither_used_nor_remembered() {
        let data = tempfile::tempdir().unwrap();
        let (text, asked) = (document("").replace("/x", "/y"), RefCell::default());
        let transport = server("/x/.well-known/openid-configuration", &text, &asked);
        let error = fetch(&transport, &Silent, data.path(), ISSUER, 0).unwrap_err();
        assert!(matches!(error, Error::BadAnswer(_)), "{error}");
        assert!(data.path().read_dir().unwrap().next().is_none());
    }

    #[test]
    fn what_the_document_of_openid_leaves_out_is_taken_from_the_other_one() {
        let openid = document(r#","userinfo_endpoint":"https://a.example/u""#);
        for (other, expected) in [
            (document(r#","revocation_endpoint":"https://a.example/r""#), true),
            (
                document(r#","revocation_endpoint":"https://a.example/r""#).replace("/x", "/y"),
                false,
            ),
            (document(r#","revocation_endpoint":"http://a.example/r""#), false),
            ("nonsense".to_owned(), false),
        ] {
            let other = other.replace("https://a.example/t", "https://a.example/other");
            let data = tempfile::tempdir().unwrap();
            let transport = |request: &HttpRequest| {
                let (status, text) = match request.endpoint.path() {
                    "/x/.well-known/openid-configuration" => (200, &openid),
                    "/.well-known/oauth-authorization-server/x" => (200, &other),
                    _ => (404, &openid),
                };
                let body = text.as_bytes().to_vec().into();
                Ok(HttpResponse { status, body, ..HttpResponse::default() })
            };
            let fetched = fetch(&transport, &Silent, data.path(), ISSUER, 0).unwrap();
            let kept = remembered(data.path(), ISSUER).unwrap();
            assert_eq!(fetched.metadata, kept.metadata);
            let known = |key| kept.metadata.endpoints.iter().find(|(name, _)| *name == key);
            assert_eq!(known("revocation_url").is_some(), expected, "{other}");
            assert_eq!(known("token_url").unwrap().1.path(), "/t");
            assert!(known("userinfo_url").is_some());
        }
    }

    #[test]
    fn a_server_without_metadata_is_told_with_all_that_was_tried() {
        let data = tempfile::tempdir().unwrap();
        let asked = RefCell::default();
        let transport = server("/nowhere", "", &asked);
        let error = fetch(&transport, &Silent, data.path(), ISSUER, 0).unwrap_err();
        assert_eq!(asked.borrow().len(), 4);
        assert!(error.to_string().contains("/x/.well-known/openid-configuration says 404"));
    }

    #[test]
    fn the_way_to_prove_itself_is_the_usual_one_unless_the_server_does_not_take_it() {
        let method = |methods: &str, has_secret: bool| {
            let text = document(&format!(r#","token_endpoint_auth_methods_supported":{methods}"#));
            let metadata = metadata::decode(text.as_bytes(), ISSUER).unwrap();
            let mut upper = Layer::default();
            if has_secret {
                let source = Value::Secret(SecretSource::Store);
                upper.set("client_secret", source, Origin::Flag("x"));
            }
            let layer = Known { metadata, fetched_at: 0 }.layer(&upper);
            layer.text("client_auth").map(str::to_owned)
        };
        let post = r#"["private_key_jwt","client_secret_post","none"]"#;
        assert_eq!(method(post, true).as_deref(), Some("client_secret_post"));
        assert_eq!(method(post, false), None);
        assert_eq!(method(r#"["none","client_secret_basic"]"#, true), None);
        assert_eq!(method(r#"["private_key_jwt","none"]"#, true), None);
    }
}
