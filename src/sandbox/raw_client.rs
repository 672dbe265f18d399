//! A client for the tests, made of nothing but bytes and a socket.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;

use super::{Provider, Sandbox};

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// A string member of the JSON body; empty where there is none.
    pub(super) fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }

    /// Proves a refusal: its status, its error, and words of its description, with blanks between.
    pub(super) fn assert_refused(&self, expected: &str) {
        let mut words = expected.splitn(3, ' ');
        let status = words.next().and_then(|word| word.parse().ok());
        let error = words.next().unwrap_or_default();
        let described = self.member("error_description");
        let told = format!("{expected}: {}", self.text());
        assert_eq!((Some(self.status), self.member("error").as_str()), (status, error), "{told}");
        assert!(described.contains(words.next().unwrap_or_default()), "{told}");
        // RFC 6749 section 5.2.
        let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
        assert!(described.chars().all(allowed), "{described}");
    }
}

pub(super) fn connect(sandbox: &Sandbox) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(sandbox.address()).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    BufReader::new(stream)
}

/// Reads one answer; nothing where the connection ends instead, which it must do in time.
pub(super) fn read(connection: &mut BufReader<TcpStream>, has_body: bool) -> Option<Reply> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match connection.read_line(&mut head) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => {
                let too_late = [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind());
                assert!(!too_late, "neither an answer nor an end came");
                return None;
            }
        }
    }
    let status = head.get(9..12)?.parse().ok()?;
    let mut reply = Reply { status, head, body: Vec::new() };
    if has_body && let Some(length) = reply.header("content-length") {
        reply.body = vec![0; length.parse().ok()?];
        connection.read_exact(&mut reply.body).ok()?;
    } else if has_body && reply.header("transfer-encoding").is_some() {
        reply.body = read_chunks(connection)?;
    }
    Some(reply)
}

fn read_chunks(connection: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).ok()?;
        let start = body.len();
        body.resize(start + usize::from_str_radix(line.trim_end(), 16).ok()? + 2, 0);
        connection.read_exact(&mut body[start..]).ok()?;
        body.truncate(body.len() - 2);
        if body.len() == start {
            return Some(body);
        }
    }
}

/// Sends bytes and reads the answer, if there is one.
pub(super) fn try_send(sandbox: &Sandbox, request: impl AsRef<[u8]>) -> Option<Reply> {
    let mut connection = connect(sandbox);
    connection.get_mut().write_all(request.as_ref()).ok()?;
    read(&mut connection, !request.as_ref().starts_with(b"HEAD "))
}

/// Sends bytes and reads the answer.
pub(super) fn send(sandbox: &Sandbox, request: impl AsRef<[u8]>) -> Reply {
    try_send(sandbox, request).expect("an answer")
}

/// Sends a body to the token endpoint of a provider.
pub(super) fn post(sandbox: &Sandbox, provider: Provider, headers: &[&str], body: &str) -> Reply {
    let line = format!("POST /{}{}", provider.name(), provider.dialect().token_path);
    send(sandbox, request(&line, headers, body))
}

/// A request with a body, and with these header lines beside `Host` and `Content-Length`.
pub(super) fn request(line: &str, headers: &[&str], body: &str) -> String {
    let mut text = format!("{line} HTTP/1.1\r\nHost: sandbox\r\n");
    for header in headers {
        text += header;
        text += "\r\n";
    }
    if !body.is_empty() {
        let _ = write!(text, "Content-Length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}

pub(super) const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
pub(super) const JSON: &str = "Content-Type: application/json";

/// The client, as it stands among parameters.
const CLIENT: [(&str, &str); 2] =
    [("client_id", "sandbox-client"), ("client_secret", "client/secret:1")];

/// The parameters of each grant.
pub(super) const BY_CLIENT: &[(&str, &str)] = &[("grant_type", "client_credentials")];
pub(super) const BY_PASSWORD: &[(&str, &str)] =
    &[("grant_type", "password"), ("username", "user@sandbox"), ("password", "user/password:1")];

/// A token request of these parameters in the dialect of a provider.
pub(super) fn token_request(provider: Provider, parameters: &[(&str, &str)]) -> String {
    let with_client = || CLIENT.iter().chain(parameters).copied();
    let form = || Serializer::new(String::new()).extend_pairs(with_client()).finish();
    let bare = || Serializer::new(String::new()).extend_pairs(parameters).finish();
    match provider {
        Provider::Bindeo => {
            let object: Map<_, _> =
                with_client().map(|(name, value)| (name.to_owned(), value.into())).collect();
            request("POST /bindeo/access_token", &[JSON], &Value::from(object).to_string())
        }
        Provider::Musement => request(&format!("GET /musement/api/v3/login?{}", form()), &[], ""),
        Provider::Kabbage => {
            let basic = basic("sandbox-client:client/secret:1");
            request("POST /kabbage/auth/token", &[FORM, &basic], &bare())
        }
        Provider::Barapi => {
            let scope = if parameters == BY_PASSWORD { "&scope=" } else { "" };
            request("POST /barapi/oauth/token", &[FORM], &(form() + scope))
        }
        Provider::Standard => {
            let basic = basic("sandbox-client:client%2Fsecret%3A1");
            request("POST /standard/token", &[FORM, &basic], &bare())
        }
    }
}

pub(super) fn basic(pair: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(pair))
}

/// Logs the user in.
pub(super) fn log_in(sandbox: &Sandbox, provider: Provider) -> Reply {
    let reply = send(sandbox, token_request(provider, BY_PASSWORD));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

/// Renews with a refresh token.
pub(super) fn refresh(sandbox: &Sandbox, provider: Provider, token: &str) -> Reply {
    let parameters = [("grant_type", "refresh_token"), ("refresh_token", token)];
    send(sandbox, token_request(provider, &parameters))
}

/// Asks for a resource below a provider's prefix.
pub(super) fn get(sandbox: &Sandbox, provider: Provider, path: &str, token: &str) -> Reply {
    let line = format!("GET /{}{path}", provider.name());
    send(sandbox, request(&line, &[&format!("Authorization: Bearer {token}")], ""))
}
