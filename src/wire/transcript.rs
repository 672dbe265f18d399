//! Requests and answers as readable text, for `-vvv` and `--dry-run`, with every secret masked.

use std::fmt::{self, Write};

use serde_json::{Map, Value};
use url::Url;

use super::client_auth::ClientCredentials;
use super::redact::{MASK, Redactor, brief, is_public};
use super::request::{TokenRequest, encode};
use super::response::{HARMLESS, members, page, perhaps_secret};
use super::{HttpRequest, HttpResponse};
use crate::error::Result;
use crate::escape::escape;
use crate::profile::dialect::RequestDialect;

/// A message of HTTP as readable text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// The first line and the headers, each ending in a newline.
    pub head: String,
    /// The body, ending in a newline where there is any.
    pub body: String,
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head)?;
        if !self.body.is_empty() {
            write!(f, "\n{}", self.body)?;
        }
        Ok(())
    }
}

/// The request as it would go out, but with `***` for every secret.
///
/// It is encoded by the very code that encodes the real one, from values that are masked before.
pub fn request(
    request: &TokenRequest,
    endpoint: &Url,
    dialect: &RequestDialect,
    credentials: &ClientCredentials,
) -> Result<Transcript> {
    let dialect = RequestDialect {
        params: masked(&dialect.params),
        headers: masked(&dialect.headers),
        ..dialect.clone()
    };
    let mut endpoint = endpoint.clone();
    if let Some(own) = endpoint.query() {
        endpoint.set_query(Some(&masked_query(own)));
    }
    encode(&request.redacted(), &endpoint, &dialect, &credentials.redacted()).map(|r| plain(&r))
}

fn masked(pairs: &[(String, String)]) -> Vec<(String, String)> {
    let mask = |(name, value): &(String, String)| {
        let shown = if is_public(name) { value } else { MASK };
        (name.clone(), shown.to_owned())
    };
    pairs.iter().map(mask).collect()
}

fn masked_query(query: &str) -> String {
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, _)) => format!("{name}={MASK}"),
        None => MASK.to_owned(),
    };
    query.split('&').map(mask).collect::<Vec<_>>().join("&")
}

/// A request that was made of masked values, as HTTP text.
#[must_use]
pub fn plain(request: &HttpRequest) -> Transcript {
    let target = request.target();
    let mut head = format!("{} {} HTTP/1.1\n", request.method_name(), target.expose());
    let _ = writeln!(head, "Host: {}", authority(&request.endpoint));
    for (name, value) in &request.headers {
        let value = match value.expose().split_once(' ') {
            // Base64 of a mask tells nobody anything.
            Some((scheme, _)) if name == "Authorization" => format!("{scheme} {MASK}"),
            _ => escape(value.expose()).into_owned(),
        };
        let _ = writeln!(head, "{name}: {value}");
    }
    let mut body = String::new();
    if let Some(bytes) = &request.body {
        body = escape(&String::from_utf8_lossy(bytes.expose())).into_owned();
        body.push('\n');
    }
    Transcript { head, body }
}

/// The host and, where it isn't the scheme's own, the port.
#[must_use]
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The answer: its status, the headers that matter, and of its members the harmless ones; of all
/// others the type and the length.
#[must_use]
pub fn answer(response: &HttpResponse, redactor: &Redactor) -> Transcript {
    let mut head = format!("HTTP/1.1 {}\n", response.status);
    let retry_after = response.retry_after.map(|seconds| seconds.to_string());
    for (name, value) in [
        ("Content-Type", response.content_type.as_ref()),
        ("Retry-After", retry_after.as_ref()),
        ("Date", response.date.as_ref()),
    ] {
        if let Some(value) = value {
            let _ = writeln!(head, "{name}: {}", redactor.show(value, 200));
        }
    }
    let body = match members(response) {
        Ok(members) if response.is_success() => {
            object(&members, &redactor.and(perhaps_secret(&members)))
        }
        Ok(members) => object(&members, redactor),
        // It may be a token all the same, of a kind that nobody knows.
        Err(_) if response.is_success() => format!("[{} bytes]", response.body.expose().len()),
        Err(_) => format!("[{}]", page(response, redactor)),
    };
    Transcript { head, body: body + "\n" }
}

fn object(members: &Map<String, Value>, redactor: &Redactor) -> String {
    /// More members than that are not listed.
    const MOST: usize = 50;
    let mut text = String::from("{\n");
    for (name, value) in members.iter().take(MOST) {
        let shown = if HARMLESS.contains(&name.as_str()) {
            brief(&harmless(value, redactor), 500)
        } else {
            kind(value)
        };
        let name = Value::from(redactor.beginning(name)).to_string();
        let _ = writeln!(text, "  {}: {shown}", brief(&name, 100));
    }
    if members.len() > MOST {
        let _ = writeln!(text, "  … {} more", members.len() - MOST);
    }
    text.push('}');
    text
}

/// A value as JSON; what is scrubbed are its texts, before JSON escapes them once more.
fn harmless(value: &Value, redactor: &Redactor) -> String {
    match value {
        Value::String(text) => Value::from(redactor.beginning(text)).to_string(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| harmless(item, redactor)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(_) => kind(value),
        scalar => redactor.scrub(&scalar.to_string()),
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "[boolean]".to_owned(),
        Value::Number(_) => "[number]".to_owned(),
        Value::String(text) => format!("[string of {}]", text.chars().count()),
        Value::Array(items) => format!("[array of {}]", items.len()),
        Value::Object(members) => format!("[object of {}]", members.len()),
    }
}
