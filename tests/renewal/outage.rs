//! Servers that are down, refuse, or lose their answers; and a holder of the lock that never ends.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use oauthctl::sandbox::{Fault, Options, Provider, Sandbox};

use super::{DUE, counts, expired, grant_grace, logged_in};
use crate::support::Test;

/// The token serves on although it is due, with a warning.
#[track_caller]
fn assert_serves(test: &Test, warning: &str) {
    let header = format!("Authorization: Bearer {}\n", test.access_token());
    let outcome = test.words(&format!("header {DUE}")).prints_secrets().run().success();
    outcome.stdout_is(&header).stderr_has("warning: ").stderr_has(warning).stderr_has("serves on");
}

/// A person who logged in at a server that is gone now: the token, and where the server was.
fn left_alone() -> (Test, String, SocketAddr) {
    let server = Sandbox::start(Options::default()).unwrap();
    let test = Test::new();
    let secret = test.secret_file("client_secret", "client/secret:1");
    let profile = format!(
        "token_url = \"{}\"\nclient_id = \"sandbox-client\"\n\
         client_secret = {{ file = \"{}\" }}\nusername = \"user@sandbox\"\nlogin_grant = \"password\"\n",
        server.token_url(Provider::Standard),
        secret.display(),
    );
    let test = test.profile("away", &profile).env("OAUTHCTL_PROFILE", "away");
    test.words("login --password-stdin").stdin("user/password:1").run().success();
    let token = test.words("token").run().success().stdout;
    (test, token, server.address())
}

#[test]
fn a_token_that_lives_is_served_while_its_server_is_down() {
    let (test, token, _) = left_alone();
    let due = test.words(&format!("token {DUE}")).run().success();
    due.stdout_is(&token).stderr_has("refused the connection").stderr_has("serves on");
    test.words("refresh").run().fails_with(6).stderr_has("refused the connection");
}

#[test]
fn a_token_that_lives_does_not_wait_long_for_a_network_that_swallows_everything() {
    let (test, token, address) = left_alone();
    // A listener whose queue is full: the system drops whatever else wants to connect.
    let _listener = TcpListener::bind(address).unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let _queue: Vec<_> = std::iter::from_fn(|| connect().ok()).take(5000).collect();
    // Longer than any test may take.
    let due = test.words(&format!("token {DUE} --timeout 1h")).run().success();
    due.stdout_is(&token)
        .stderr_has("serves on")
        .stderr_has("timed out after 3s, while connecting");
    test.words("refresh --timeout 1s").run().fails_with(6).stderr_has("timed out");
}

#[test]
fn a_token_that_lives_is_served_while_its_server_has_trouble_but_refresh_never_falls_back() {
    let test = logged_in();
    for (status, body) in [(503, "{}"), (429, "{}"), (500, "<html>")] {
        test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(status, body)));
        assert_serves(&test, &status.to_string());
        test.words("refresh").run().fails_with(6);
    }
    test.server().behave(|behaviour| behaviour.fault = None);
    super::assert_session_lives(&test);
}

#[test]
fn a_token_that_has_ended_is_exit_6_while_its_server_has_trouble() {
    let test = expired();
    test.server().behave(|behaviour| behaviour.fault = Some(Fault::answer(503, "{}")));
    test.words("header").run().fails_with(6).stderr_has("503");
    test.server().behave(|behaviour| behaviour.fault = None);
    super::assert_session_lives(&test);
}

#[test]
fn a_refused_refresh_token_takes_no_token_away_that_lives() {
    let test = logged_in();
    test.server().revoke_refresh_tokens(Provider::Standard);
    assert_serves(&test, "invalid_grant");
    test.words("refresh").run().fails_with(4).stderr_has("hint: oauthctl login --profile standard");
    assert_serves(&test, "invalid_grant");
}

#[test]
fn a_refused_refresh_token_of_a_token_that_has_ended_is_exit_4() {
    let test = expired();
    test.server().revoke_refresh_tokens(Provider::Standard);
    for command in ["header", "token", "refresh"] {
        test.words(command).run().fails_with(4).stderr_has("invalid_grant");
    }
}

/// The server carries the next request out, and its answer is lost.
fn lose_an_answer(test: &Test) {
    test.server().behave(|behaviour| {
        behaviour.fault = Some(Fault { times: Some(1), after_grant: true, answer: None });
    });
}

#[test]
fn a_lost_answer_is_asked_for_once_more_when_the_token_has_ended() {
    let test = expired();
    grant_grace(&test);
    lose_an_answer(&test);
    let token = test.words("token").prints_secrets().run().success();
    token.stdout_is(&format!("{}\n", test.access_token()));
    assert_eq!(counts(&test).refresh_token, 2);
}

#[test]
fn a_lost_answer_at_a_strict_server_is_exit_4_and_honest() {
    let test = expired();
    lose_an_answer(&test);
    test.words("token").run().fails_with(4).stderr_has("invalid_grant");
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (2, 1));
}

#[test]
fn a_lost_answer_is_not_asked_for_while_the_token_lives() {
    let test = logged_in();
    let old = format!("Authorization: Bearer {}\n", test.access_token());
    lose_an_answer(&test);
    for _ in 0..3 {
        let header = test.words(&format!("header {DUE}")).prints_secrets().run().success();
        header.stdout_is(&old).stderr_has("serves on");
    }
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
}
