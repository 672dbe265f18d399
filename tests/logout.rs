//! `logout`: revoked where the provider can, then forgotten.

use oauthctl::sandbox::Provider;

use super::support::Test;
use super::support::raw::{RawServer, answer};

/// The sandbox's client and its secret, as HTTP Basic has them.
const BASIC: &str = "c2FuZGJveC1jbGllbnQ6Y2xpZW50JTJGc2VjcmV0JTNBMQ==";

fn status(test: &Test, profile: &str) -> Vec<String> {
    let show = test.words(&format!("show --json -p {profile}")).run().success().json();
    let objects = show.as_array().unwrap().iter();
    objects.map(|o| format!("{} {}", o["identity"], o["status"]).replace('"', "")).collect()
}

#[test]
fn it_prints_nothing_and_the_token_is_gone() {
    let test = Test::new().sandbox();
    test.words("login -p bindeo").run().success();
    let outcome = test.words("logout -p bindeo").run().success().stdout_is("");
    let untold =
        "Logged out of bindeo here; the server was not told: no revocation_url is known.\n";
    outcome.stderr_is(untold);
    assert_eq!(status(&test, "bindeo"), ["null none"]);
    test.words("header -p bindeo").run().fails_with(4);
    test.words("refresh -p bindeo").run().fails_with(4);
    test.words("login -p bindeo").run().success();
    test.words("header -p bindeo").prints_secrets().run().success();
    let local = test.words("logout -p bindeo --local").run().success();
    local.stderr_is("Logged out of bindeo.\n");
}

#[test]
fn with_nothing_to_forget_it_is_exit_0() {
    let test = Test::new().sandbox();
    let outcome = test.words("logout -p bindeo").run().success();
    outcome.stderr_is("There was no user token of bindeo to forget.\n");
    test.words("logout --all").run().success().stdout_is("").stderr_is("");
    test.words("logout -p nobody").run().fails_with(3);
}

#[test]
fn it_forgets_the_tokens_of_one_identity_alone() {
    let test = Test::new().sandbox();
    test.words("login -p standard").run().success();
    for words in ["client-token -p standard", "client-token -p standard --scope a"] {
        test.words(words).prints_secrets().run().success();
    }
    test.words("logout -p standard --as client").run().success();
    assert_eq!(status(&test, "standard"), ["user valid"]);
    test.words("client-token -p standard").prints_secrets().run().success();
    test.words("logout -p standard").run().success();
    assert_eq!(status(&test, "standard"), ["client valid"]);
    test.words("logout -p standard").env("OAUTHCTL_AS", "client").run().success();
    assert_eq!(status(&test, "standard"), ["null none"]);
}

#[test]
fn all_forgets_the_tokens_of_every_profile_also_of_one_whose_file_is_gone() {
    let test = Test::new().sandbox();
    for words in ["login -p bindeo", "login -p standard"] {
        test.words(words).run().success();
    }
    test.words("client-token -p standard").prints_secrets().run().success();
    std::fs::remove_file(test.config().join("profiles/bindeo.toml")).unwrap();
    test.words("logout --all").run().success().stdout_is("");
    let list = test.words("show --json").run().success().json();
    assert!(list.as_array().unwrap().iter().all(|object| object["status"] == "none"));
    assert_eq!(std::fs::read_dir(test.data().join("tokens")).unwrap().count(), 0);
    test.words("logout --all --as user").run().fails_with(2);
}

/// A profile of the sandbox whose revocation endpoint is elsewhere.
fn revocable(server: &RawServer) -> Test {
    let lines = format!("revocation_url = \"{}\"\n", server.url("/revoke"));
    let test = Test::new().server_alone().variant("x", Provider::Standard, &lines);
    test.words("login -p x").run().success();
    test
}

#[test]
fn it_revokes_the_refresh_token_and_then_the_access_token() {
    let server = RawServer::start(|_| answer(200, "text/plain", ""));
    let test = revocable(&server);
    test.words("logout -p x").run().success();
    let requests = server.requests();
    let sent: Vec<_> = requests.iter().map(|request| request.lines().last().unwrap()).collect();
    let (refresh_token, access_token) = (test.refresh_token(), test.access_token());
    assert_eq!(
        sent,
        [
            format!("token={refresh_token}&token_type_hint=refresh_token"),
            format!("token={access_token}&token_type_hint=access_token")
        ]
    );
    for request in &requests {
        assert!(request.starts_with("POST /revoke HTTP/1.1\r\n"), "{request}");
        assert!(request.to_ascii_lowercase().contains("\r\nauthorization: basic "), "{request}");
    }
    assert_eq!(status(&test, "x"), ["null none"]);
}

#[test]
fn local_skips_the_revocation() {
    let server = RawServer::start(|_| answer(200, "text/plain", ""));
    let test = revocable(&server);
    test.words("logout -p x --local").run().success();
    assert!(server.requests().is_empty());
    assert_eq!(status(&test, "x"), ["null none"]);
}

#[test]
fn a_revocation_that_fails_is_told_and_the_token_is_forgotten_all_the_same() {
    for (reply, code) in [
        (answer(503, "text/plain", "later"), 6),
        (answer(400, "application/json", "{\"error\":\"invalid_request\"}"), 5),
        (String::new(), 6),
    ] {
        let server = RawServer::start(move |_| reply.clone());
        let test = revocable(&server);
        let outcome = test.words("logout -p x").run().fails_with(code);
        outcome.stderr_has("is forgotten here, but not revoked\nerror: ");
        assert_eq!(status(&test, "x"), ["null none"]);
    }
}

#[test]
fn all_says_what_was_not_revoked_because_its_profile_is_broken() {
    for (flag, told) in [("", true), (" --local", false)] {
        let server = RawServer::start(|_| answer(200, "text/plain", ""));
        let test = revocable(&server).profile("x", "no = 1\n");
        let outcome = test.words(&format!("logout --all{flag}")).run().success();
        assert_eq!(outcome.stderr.contains("warning: nothing of x was revoked: "), told);
        assert!(server.requests().is_empty());
        test.words("logout --all").run().success().stderr_is("");
    }
}

#[test]
fn a_refusal_that_repeats_the_request_is_shown_without_its_secrets() {
    let server = RawServer::start(|request| {
        let echo = serde_json::json!({ "error": "x", "error_description": request });
        answer(400, "application/json", &echo.to_string())
    });
    let test = revocable(&server).secret(BASIC);
    assert!(
        test.words("logout -p x").run().fails_with(5).stderr_has("[redacted]").stdout.is_empty()
    );
    assert!(server.requests()[0].contains(BASIC));
}

#[test]
fn a_server_that_revokes_refresh_tokens_alone_is_no_failure() {
    for error in ["unsupported_token_type", "invalid_token"] {
        let server = RawServer::start(move |request| {
            if request.contains("hint=access_token") {
                answer(400, "application/json", &format!("{{\"error\":\"{error}\"}}"))
            } else {
                answer(200, "text/plain", "")
            }
        });
        let test = revocable(&server);
        test.words("logout -p x").run().success();
        assert_eq!(server.requests().len(), 2);
    }
}
