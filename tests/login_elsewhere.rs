//! Logins in a browser and at another device, against a server that answers what a test says.

mod browser;
mod device;
mod discovery;
mod hostile;
mod id_token;
mod inspection;
mod registration;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::support::Test;
use super::support::raw::{RawServer, answer, host};

/// A server that says of itself what it has, and a profile `x` that names its issuer alone.
struct World {
    test: Test,
    server: RawServer,
    script: Arc<Mutex<Script>>,
}

/// What the server says.
#[derive(Default)]
struct Script {
    /// More of its metadata, or other.
    metadata: Value,
    /// The answers of its token endpoint, the last of them again and again.
    token: Vec<(u16, Value)>,
    /// The answers of other endpoints, by path.
    other: Vec<(&'static str, u16, Value)>,
    /// Whole answers, to the letter, by path.
    raw: Vec<(&'static str, String)>,
}

/// What the token endpoint answers where a test says nothing.
fn tokens() -> Value {
    json!({"access_token": "acce55-token", "refresh_token": "refre5h-token", "expires_in": 3600,
        "token_type": "Bearer"})
}

fn metadata(base: &str, more: &Value) -> Value {
    let mut metadata = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "device_authorization_endpoint": format!("{base}/device"),
        "jwks_uri": format!("{base}/jwks"),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        let text = value.as_str().map(|text| text.replace("BASE", base).into());
        metadata[name] = text.unwrap_or_else(|| value.clone());
    }
    metadata
}

impl World {
    /// With these lines in the profile besides.
    fn with(lines: &str) -> Self {
        let script: Arc<Mutex<Script>> = Arc::default();
        let said = Arc::clone(&script);
        let server = RawServer::start(move |request| {
            let base = format!("http://{}", host(request));
            let target = request.split(' ').nth(1).unwrap_or_default();
            let path = target.split('?').next().unwrap_or_default();
            let mut script = said.lock().unwrap();
            if let Some((_, answer)) = script.raw.iter().find(|(known, _)| *known == path) {
                return answer.clone();
            }
            let (status, body) = match path {
                "/.well-known/openid-configuration" => (200, metadata(&base, &script.metadata)),
                "/token" if script.token.is_empty() => (200, tokens()),
                "/token" if script.token.len() == 1 => script.token[0].clone(),
                "/token" => script.token.remove(0),
                _ => match script.other.iter().find(|(known, ..)| *known == path) {
                    Some((_, status, body)) => (*status, body.clone()),
                    None => (404, json!({})),
                },
            };
            answer(status, "application/json", &body.to_string())
        });
        let issuer = server.url("");
        let secrets = ["acce55-token", "refre5h-token", "c0de-of-a-person", "dev1ce-code"];
        let test = secrets.into_iter().fold(Test::new().browser(), Test::secret);
        let test = test
            .profile("x", &format!("issuer = \"{issuer}\"\nclient_id = \"us\"\n{lines}"))
            .env("OAUTHCTL_PROFILE", "x");
        Self { test, server, script }
    }

    fn new() -> Self {
        Self::with("")
    }

    fn says(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// The bodies of all requests to a path, as pairs.
    fn requests(&self, path: &str) -> Vec<Vec<(String, String)>> {
        let start = format!("POST {path} ");
        let requests = self.server.requests().into_iter();
        let bodies = requests.filter(|request| request.starts_with(&start)).map(|request| {
            let body = request.split_once("\r\n\r\n").unwrap().1.to_owned();
            url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
        });
        bodies.collect()
    }

    /// Nothing is left of a login that was not finished.
    #[track_caller]
    fn assert_nothing_left(&self) {
        for directory in ["index", "tokens", "journals"] {
            let left = std::fs::read_dir(self.test.data().join(directory));
            let left: Vec<_> = left.into_iter().flatten().flatten().map(|e| e.path()).collect();
            assert!(left.is_empty(), "{left:?}");
        }
    }
}

#[track_caller]
fn param<'a>(request: &'a [(String, String)], name: &str) -> &'a str {
    let found = request.iter().find(|(known, _)| known == name);
    found.map_or_else(|| panic!("no {name} in {request:?}"), |(_, value)| value)
}
