//! What a token is good for: protected resources, and some that make a client stumble.

use std::io::{self, Read};

use ring::digest::{Context, SHA256};
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;

use super::Shared;
use super::http::{Answer, Exchange, Head, Length};
use super::issue::hex;
use super::ledger::Session;
use super::provider::Provider;
use crate::secret::Secret;

/// The size of the pieces in which bodies pass through.
const PIECE: usize = 64 * 1024;

/// Answers a request for a resource of a provider.
pub(super) fn serve(
    shared: &Shared,
    provider: Provider,
    path: &str,
    exchange: &mut Exchange,
) -> io::Result<()> {
    shared.lock().record.counts_mut(provider).resource += 1;
    match path {
        "/redirect" => exchange.respond(&redirect(exchange.head)),
        "/status" => exchange.respond(&status(exchange.head)),
        "/whoami" | "/echo" | "/bytes" => protected(shared, provider, path, exchange),
        _ if path == provider.dialect().resource_path => {
            protected(shared, provider, path, exchange)
        }
        _ => exchange.respond(&refuse(404, "there is nothing at this path")),
    }
}

fn protected(
    shared: &Shared,
    provider: Provider,
    path: &str,
    exchange: &mut Exchange,
) -> io::Result<()> {
    let session = match authorize(shared, provider, exchange.head) {
        Ok(session) => session,
        Err(refusal) => {
            shared.lock().record.counts_mut(provider).unauthorized += 1;
            return exchange.respond(&refusal);
        }
    };
    match path {
        "/whoami" => whoami(shared, &session, exchange),
        "/echo" => echo(exchange),
        "/bytes" => bytes(exchange),
        _ => {
            let cities = json!([{"id": 1, "name": "Milan"}, {"id": 2, "name": "Paris"}]);
            exchange.respond(&Answer::new(200).json(cities.to_string()))
        }
    }
}

/// The session of the bearer (RFC 6750), or the answer to one who has none.
fn authorize(shared: &Shared, provider: Provider, head: &Head) -> Result<Session, Answer> {
    let challenge = |status, error: &str, why: &str| {
        let realm = provider.name();
        let value = match error {
            "" => format!("Bearer realm=\"{realm}\""),
            _ => {
                format!("Bearer realm=\"{realm}\", error=\"{error}\", error_description=\"{why}\"")
            }
        };
        refuse(status, why).header("WWW-Authenticate", value)
    };
    let mut headers = head.values("authorization");
    let (first, second) = (headers.next(), headers.next());
    if second.is_some() {
        let why = "this request has more than one Authorization header";
        return Err(challenge(400, "invalid_request", why));
    }
    // The documents spell the scheme so, whatever the case of their token_type.
    let Some(token) = first.and_then(|header| header.strip_prefix("Bearer ")) else {
        let why = "this request has no header that begins with Authorization: Bearer";
        return Err(challenge(401, "", why));
    };
    let state = shared.lock();
    state.ledger.session(provider, &Secret::from(token)).cloned().ok_or_else(|| {
        challenge(401, "invalid_token", "the access token is expired, revoked or unknown")
    })
}

fn refuse(status: u16, why: &str) -> Answer {
    Answer::new(status).json(json!({"error": why}).to_string())
}

/// What `/whoami` answers.
#[derive(Serialize)]
struct Whoami<'a> {
    provider: &'a str,
    identity: &'a str,
    subject: &'a str,
    method: &'a str,
    query: Option<&'a str>,
    body_bytes: u64,
    sha256: String,
}

fn whoami(shared: &Shared, session: &Session, exchange: &mut Exchange) -> io::Result<()> {
    let mut digest = Context::new(&SHA256);
    let mut body_bytes = 0;
    each_piece(&mut exchange.body, |piece| {
        digest.update(piece);
        body_bytes += piece.len() as u64;
        Ok(())
    })?;
    let answer = Whoami {
        provider: session.provider.name(),
        identity: if session.username.is_some() { "user" } else { "client" },
        subject: session.username.as_ref().unwrap_or(&shared.credentials.client_id),
        method: &exchange.head.method,
        query: exchange.head.path_and_query().1,
        body_bytes,
        sha256: hex(digest.finish().as_ref()),
    };
    let text = serde_json::to_string(&answer)?;
    exchange.respond(&Answer::new(200).json(text + "\n"))
}

/// Sends the body back while it still comes, so that its size doesn't matter.
fn echo(exchange: &mut Exchange) -> io::Result<()> {
    let media_type = exchange.head.values("content-type").next();
    let media_type = media_type.unwrap_or("application/octet-stream").to_owned();
    let answer = Answer::new(200).header("Content-Type", media_type);
    let mut outflow = exchange.begin(&answer, exchange.length())?;
    each_piece(&mut exchange.body, |piece| outflow.send(piece))?;
    outflow.end()
}

fn bytes(exchange: &mut Exchange) -> io::Result<()> {
    let Some(mut left) = parameter(exchange.head, "n").and_then(|n| n.parse::<u64>().ok()) else {
        return exchange.respond(&refuse(400, "the parameter n is to be a number of bytes"));
    };
    let answer = Answer::new(200).header("Content-Type", "application/octet-stream");
    let mut outflow = exchange.begin(&answer, Length::Known(left))?;
    let piece: Vec<u8> = (b'a'..=b'z').cycle().take(PIECE).collect();
    while left > 0 && !outflow.is_silent() {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
        outflow.send(&piece[..most])?;
        left -= most as u64;
    }
    outflow.end()
}

fn redirect(head: &Head) -> Answer {
    match parameter(head, "to") {
        Some(to) if !to.is_empty() && to.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Answer::new(302).header("Location", to)
        }
        _ => refuse(400, "the parameter to is to be a URL"),
    }
}

fn status(head: &Head) -> Answer {
    match parameter(head, "code").and_then(|code| code.parse().ok()) {
        // RFC 9110 section 15.5.2 wants a challenge.
        Some(401) => Answer::new(401).header("WWW-Authenticate", "Bearer"),
        Some(code @ 200..=599) => Answer::new(code),
        _ => refuse(400, "the parameter code is to be a status from 200 to 599"),
    }
}

fn parameter(head: &Head, name: &str) -> Option<String> {
    let query = head.path_and_query().1?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn each_piece(
    body: &mut impl Read,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match body.read(&mut buffer)? {
            0 => return Ok(()),
            read => take(&buffer[..read])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output, Stdio};

    use super::super::raw_client::{BY_CLIENT, get, log_in, request, send, token_request};
    use super::super::{Options, Sandbox};
    use super::*;

    fn sandbox() -> (Sandbox, String) {
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        let token = log_in(&sandbox, Provider::Standard).member("access_token");
        (sandbox, token)
    }

    fn curl(token: &str, arguments: &[&str]) -> Output {
        let header = format!("Authorization: Bearer {token}");
        let fixed = ["-q", "-sS", "--noproxy", "*", "--max-time", "60", "-H", &header];
        let mut command = Command::new("curl");
        command.args(fixed).args(arguments).stdin(Stdio::null()).output().expect("curl")
    }

    #[test]
    fn whoami_tells_user_and_client_apart() {
        let (sandbox, _) = sandbox();
        for provider in Provider::ALL {
            let token = log_in(&sandbox, provider).member("access_token");
            let user = get(&sandbox, provider, "/whoami?a=1", &token).json();
            assert_eq!(user["provider"], provider.name());
            assert_eq!(
                (&user["identity"], &user["subject"]),
                (&"user".into(), &"user@sandbox".into())
            );
            assert_eq!((&user["method"], &user["query"]), (&"GET".into(), &"a=1".into()));
        }
        let token =
            send(&sandbox, token_request(Provider::Bindeo, BY_CLIENT)).member("access_token");
        let client = get(&sandbox, Provider::Bindeo, "/whoami", &token).json();
        assert_eq!(
            (&client["identity"], &client["subject"]),
            (&"client".into(), &"sandbox-client".into())
        );
    }

    #[test]
    fn whoami_tells_what_the_body_was() {
        let (sandbox, token) = sandbox();
        let bearer = format!("Authorization: Bearer {token}");
        let reply = send(&sandbox, request("PUT /standard/whoami", &[&bearer], "abc")).json();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((&reply["body_bytes"], &reply["sha256"]), (&3.into(), &abc.into()));
        let head = send(&sandbox, request("HEAD /standard/whoami", &[&bearer], ""));
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_ne!(head.header("content-length"), Some("0"));
    }

    #[test]
    fn a_resource_wants_a_live_token_of_its_provider_spelled_as_documented() {
        let (sandbox, token) = sandbox();
        let ask = |header: &str| {
            let reply = send(&sandbox, request("GET /standard/whoami", &[header], ""));
            let challenge = reply.header("www-authenticate").unwrap_or_default();
            format!("{} {challenge}", reply.status)
        };
        assert!(ask(&format!("Authorization: Bearer {token}")).starts_with("200"));
        for (header, expected) in [
            ("X: y".to_owned(), "401 Bearer realm=\"standard\""),
            (format!("Authorization: bearer {token}"), "401 Bearer realm=\"standard\""),
            (
                "Authorization: Bearer x".to_owned(),
                "401 Bearer realm=\"standard\", error=\"invalid_token\"",
            ),
            (
                format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}"),
                "400 Bearer realm=\"standard\", error=\"invalid_request\"",
            ),
        ] {
            let refusal = ask(&header);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
        assert_eq!(get(&sandbox, Provider::Kabbage, "/whoami", &token).status, 401);
        let counts = sandbox.counts(Provider::Standard);
        assert_eq!((counts.resource, counts.unauthorized), (5, 4));
        assert_eq!(sandbox.counts(Provider::Kabbage).unauthorized, 1);
    }

    #[test]
    fn musements_cities_are_there_and_only_there() {
        let (sandbox, _) = sandbox();
        let token = log_in(&sandbox, Provider::Musement).member("access_token");
        let cities = get(&sandbox, Provider::Musement, "/api/v3/cities", &token);
        assert_eq!(cities.json()[0]["name"], "Milan");
        assert_eq!(get(&sandbox, Provider::Bindeo, "/api/v3/cities", &token).status, 404);
    }

    #[test]
    fn redirect_and_status_answer_what_they_are_told() {
        let (sandbox, _) = sandbox();
        let ask = |path: &str| get(&sandbox, Provider::Standard, path, "");
        let reply = ask("/redirect?to=http%3A%2F%2Flocalhost%2Fa%3Fb");
        assert_eq!((reply.status, reply.header("location")), (302, Some("http://localhost/a?b")));
        assert_eq!(ask("/redirect?to=x%0d%0aSet-Cookie:%20a").status, 400);
        assert_eq!(ask("/redirect").status, 400);
        for code in [200, 204, 304, 401, 404, 500, 599] {
            assert_eq!(ask(&format!("/status?code={code}")).status, code);
        }
        for code in ["", "abc", "100", "600", "65737"] {
            assert_eq!(ask(&format!("/status?code={code}")).status, 400);
        }
        assert_eq!(ask("/nothing").status, 404);
        assert_eq!(ask("").status, 404);
    }

    #[test]
    fn curl_gets_its_upload_back_whatever_its_size_and_coding() {
        let (sandbox, token) = sandbox();
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let bytes: Vec<u8> = (0..=250).cycle().take(9_000_001).collect();
        io::Write::write_all(&mut file, &bytes).expect("room");
        let url = sandbox.base_url(Provider::Standard) + "/echo";
        let data = format!("@{}", file.path().display());
        let path = data.trim_start_matches('@');
        for arguments in [
            vec!["--data-binary", &data, &url],
            vec!["-T", path, &url],
            vec!["-H", "Transfer-Encoding: chunked", "-T", path, &url],
            vec!["-H", "Expect: 100-continue", "--data-binary", &data, &url],
            vec!["-0", "--data-binary", &data, &url],
        ] {
            let output = curl(&token, &arguments);
            assert!(output.stdout == bytes, "{arguments:?} {}", output.status);
        }
        let refused = ["-o", "/dev/null", "-w", "%{http_code}", "--data-binary", &data, &url];
        assert_eq!(curl("wrong", &refused).stdout, b"401");
    }

    #[test]
    fn bytes_sends_as_many_as_were_asked_for() {
        let (sandbox, token) = sandbox();
        for n in [0, 1, 65_536, 1_000_003] {
            let reply = get(&sandbox, Provider::Standard, &format!("/bytes?n={n}"), &token);
            assert_eq!((reply.status, reply.body.len()), (200, n));
        }
        assert_eq!(get(&sandbox, Provider::Standard, "/bytes?n=-1", &token).status, 400);
    }
}
