//! Where no secret may be seen: in children, in what a server repeats, in Debug.
#![cfg(unix)]

use std::fs;
use std::path::PathBuf;

use oauthctl::profile::dialect::{RequestDialect, ResponseDialect};
use oauthctl::sandbox::{Fault, Options, Provider, Sandbox};
use oauthctl::secret::Secret;
use oauthctl::session::Obtained;
use oauthctl::store::Place;
use oauthctl::terms::{ClientAuthMethod, GrantType, StoreKind};
use oauthctl::token::{Asked, TokenSet};
use oauthctl::wire::client_auth::ClientCredentials;
use oauthctl::wire::request::{TokenRequest, encode};
use oauthctl::wire::{HttpResponse, response};

use super::support::Test;

/// The environment's own secrets, which are those of the sandbox.
const GIVEN: [(&str, &str); 3] = [
    ("OAUTHCTL_CLIENT_SECRET", "client/secret:1"),
    ("OAUTHCTL_PASSWORD", "user/password:1"),
    ("OAUTHCTL_FILE_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
];

/// A machine whose secrets are in the environment, and on whose PATH `names` tell what they are given.
fn watched(names: &[&str]) -> Test {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard").secret(GIVEN[2].1);
    let test = GIVEN.iter().fold(test, |test, (name, value)| test.env(*name, *value));
    let told = told(&test);
    fs::create_dir_all(&told).unwrap();
    for name in names {
        let script = format!(
            "#!/bin/sh\ncat /proc/$$/cmdline /proc/$$/environ >{}/$$ || exit\necho told\n",
            told.display()
        );
        let path = test.secret_file(&format!("bin/{name}"), &script);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(path, mode).unwrap();
    }
    let bin = test.secret_file("bin/none", "").parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap();
    test.env("PATH", format!("{}:{path}", bin.display()))
}

/// Where they tell it: outside of the home, which has other watchers.
fn told(test: &Test) -> PathBuf {
    test.secret_file("none", "").parent().unwrap().join("told")
}

/// So many children were run, and none was given a secret; `but` may be given once to each.
#[track_caller]
fn assert_children_saw_nothing(test: &Test, children: usize, but: &[String]) {
    let files: Vec<_> =
        fs::read_dir(told(test)).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), children, "{files:?}");
    for file in files {
        let given = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
        assert!(given.contains("HOME="), "{given:?}");
        let given = but.iter().fold(given, |given, allowed| given.replacen(allowed, "", 1));
        for (name, value) in GIVEN {
            assert!(!given.contains(value) && !given.contains(name), "{given:?}");
        }
        let issued = [test.access_token(), test.refresh_token()];
        let found = issued.iter().find(|secret| given.contains(*secret));
        assert!(found.is_none(), "{given:?}");
    }
}

#[test]
fn curl_finds_no_secret_in_its_arguments_and_environment() {
    let test = watched(&["curl"]);
    test.words("login").run().success();
    let url = test.server().resource_url(Provider::Standard);
    // What a curl that is none makes of it doesn't matter: it is asked first what it knows.
    test.words("curl -- -sS").arg(url).prints_secrets().run();
    let children = fs::read_dir(told(&test)).unwrap().count();
    assert!(children > 0);
    assert_children_saw_nothing(&test, children, &[]);
}

#[test]
fn a_command_that_is_run_finds_the_access_token_and_nothing_else() {
    let test = watched(&["tool"]);
    test.words("login").run().success();
    test.words("exec -- tool with arguments").run().success().stdout_is("told\n");
    let token = format!("OAUTHCTL_TOKEN={}", test.access_token());
    assert_children_saw_nothing(&test, 1, &[token]);
}

#[test]
fn a_command_that_gives_a_secret_finds_none() {
    let test = watched(&["ask"]).env("OAUTHCTL_PASSWORD", "");
    let line = "password = { command = [\"ask\", \"for\", \"it\"] }\n";
    let test = test.variant("asking", Provider::Standard, line).env("OAUTHCTL_PROFILE", "asking");
    test.words("client-token").prints_secrets().run().success();
    test.words("login").run().fails_with(5);
    let file = fs::read_dir(told(&test)).unwrap().next().unwrap().unwrap().path();
    let given = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
    assert!(given.contains("HOME=") && !given.contains(&test.access_token()), "{given:?}");
    for (name, value) in GIVEN {
        assert!(!given.contains(name) && !given.contains(value), "{given:?}");
    }
}

#[test]
fn a_refresh_token_that_a_server_repeats_is_not_shown() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "bindeo");
    test.words("login").run().success();
    let token = test.refresh_token();
    for body in [
        serde_json::json!({"error": "invalid_request", "error_description": token}),
        serde_json::json!({"error": token, "error_uri": format!("https://x/?{token}")}),
        serde_json::json!({"access_token": {"nested": token}}),
        serde_json::json!([token]),
    ] {
        for status in [200, 400, 503] {
            let fault = Fault::answer(status, body.to_string());
            test.server().behave(|behaviour| behaviour.fault = Some(fault));
            let outcome = test.words("refresh -vvv").run();
            assert!([4, 5, 6].contains(&outcome.status), "{outcome:?}");
        }
    }
}

#[test]
fn debug_shows_no_secret() {
    const MARK: &str = "hunter2";
    let secret = || Secret::from(MARK);
    let credentials = ClientCredentials {
        client_id: "c".to_owned(),
        secret: Some(secret()),
        method: ClientAuthMethod::ClientSecretBasic,
    };
    let request = TokenRequest::password("alice", secret(), &[]);
    let renewal = TokenRequest::refresh_token(secret(), &[]);
    let endpoint = url::Url::parse("https://as.example/token").unwrap();
    let http = encode(&request, &endpoint, &RequestDialect::default(), &credentials).unwrap();
    let body = format!(
        "{{\"access_token\":\"{MARK}\",\"refresh_token\":\"{MARK}\",\"id_token\":\"{MARK}\",\"x\":\"{MARK}\"}}"
    );
    let answer =
        HttpResponse { status: 200, body: body.into_bytes().into(), ..HttpResponse::default() };
    let granted = response::decode(
        &answer,
        &ResponseDialect::default(),
        &request.redactor(&RequestDialect::default(), &credentials),
    )
    .unwrap();
    let tokens = TokenSet {
        access_token: secret(),
        token_type: None,
        refresh_token: Some(secret()),
        id_token: Some(secret()),
        scope: Vec::new(),
        obtained_at: 0,
        expires_at: None,
        grant_type: GrantType::Password,
        extra: granted.extra.clone(),
        asked: Asked::default(),
    };
    let place = Place {
        data_dir: "/data".into(),
        timeout: std::time::Duration::ZERO,
        person: None,
        file_key: Some(secret()),
        helper: None,
    };
    let obtained = Obtained { tokens: tokens.clone(), store: StoreKind::File, made_here: true };
    let options = Options::default();
    let sandbox = Sandbox::start(Options::default()).unwrap();
    for shown in [
        format!("{credentials:?} {request:?} {renewal:?} {http:?} {answer:?} {granted:?}"),
        format!("{tokens:#?} {obtained:?} {place:?} {:?}", Secret::new(MARK.as_bytes().to_vec())),
    ] {
        assert!(shown.contains("redacted") && !shown.contains(MARK), "{shown}");
    }
    let shown = format!("{options:?} {sandbox:?}");
    for secret in [&options.credentials.client_secret, &options.credentials.password] {
        assert!(!shown.contains(secret.expose()), "{shown}");
    }
}
