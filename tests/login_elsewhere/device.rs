//! The device grant: a code that a person confirms elsewhere.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{World, param, tokens};

fn pending(error: &str) -> (u16, Value) {
    (400, json!({"error": error}))
}

/// A server that hands out a code; this is what its token endpoint answers.
fn world(token: Vec<(u16, Value)>) -> World {
    let world = World::with("login_grant = \"device_code\"\nscope = [\"a\"]\n");
    world.says(|script| {
        script.token = token;
        script.other.push((
            "/device",
            200,
            json!({"device_code": "dev1ce-code", "user_code": "WDJB-MJHT", "interval": 0,
                "verification_uri": "https://a.example/device", "expires_in": 600,
                "verification_uri_complete": "https://a.example/device?user_code=WDJB-MJHT"}),
        ));
    });
    world
}

#[test]
fn a_code_is_shown_and_asked_about_until_it_is_confirmed() {
    let pending = || pending("authorization_pending");
    let world = world(vec![pending(), pending(), (200, tokens())]);
    let login = world.test.words("login").run().success().stdout_is("");
    login
        .stderr_has("\n  https://a.example/device\n")
        .stderr_has("\n  WDJB-MJHT\n")
        .stderr_has("\n  https://a.example/device?user_code=WDJB-MJHT\n")
        .stderr_has("Logged in to x");
    let devices = world.requests("/device");
    assert_eq!((param(&devices[0], "client_id"), param(&devices[0], "scope")), ("us", "a"));
    let requests = world.requests("/token");
    assert_eq!(requests.len(), 3);
    for request in &requests {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        assert_eq!(param(request, "grant_type"), grant);
        assert_eq!(param(request, "device_code"), "dev1ce-code");
    }
    let token = world.test.words("token").prints_secrets().run().success();
    token.stdout_is("acce55-token\n");
    assert!(world.test.opened().is_empty());
}

#[test]
fn a_person_who_says_no_and_a_code_that_ended_are_told_and_nothing_is_left() {
    for error in ["access_denied", "expired_token", "invalid_grant"] {
        let world = world(vec![pending("authorization_pending"), pending(error)]);
        let refused = world.test.words("login").run().fails_with(5).stderr_has(error);
        let is_final = error == "invalid_grant";
        let once_more = "hint: to be asked once more: oauthctl login --profile x";
        assert_ne!(refused.stderr.contains(once_more), is_final, "{}", refused.stderr);
        assert_eq!(world.requests("/token").len(), 2);
        world.assert_nothing_left();
    }
}

#[test]
fn a_code_that_nobody_confirms_in_time_is_exit_4() {
    let world = world(vec![pending("authorization_pending")]);
    world.says(|script| script.other[0].2["expires_in"] = json!(1));
    let outcome = world.test.words("login").run().fails_with(4);
    outcome.stderr_has("nobody has confirmed").stderr_has("hint: oauthctl login --profile x");
    world.assert_nothing_left();
}

#[test]
fn an_interrupted_login_leaves_nothing_behind() {
    let world = world(vec![pending("authorization_pending")]);
    let mut login = world.test.words("login").start();
    login.tells("WDJB-MJHT");
    while world.requests("/token").is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    login.signal(Signal::INT);
    login.ends().fails_with(130);
    world.assert_nothing_left();
}

#[test]
fn a_session_that_is_there_serves_on_while_a_code_waits() {
    let world = world(vec![(200, tokens())]);
    world.test.words("login").run().success();
    world.says(|script| script.token = vec![pending("authorization_pending")]);
    let mut login = world.test.words("login").start();
    login.tells("WDJB-MJHT");
    world.test.words("header").prints_secrets().run().success();
    login.signal(Signal::INT);
    login.ends().fails_with(130);
    let token = world.test.words("token").prints_secrets().run().success();
    token.stdout_is("acce55-token\n");
}

#[test]
fn a_terminal_shows_a_picture_of_the_url_and_the_time_that_is_left() {
    let world = world(vec![pending("authorization_pending")]);
    let terminal = world.test.words("login").terminal(120);
    drop(terminal.sees("WDJB-MJHT").sees("\u{2580}").sees("waiting for you"));
}

#[test]
fn a_narrow_terminal_is_not_flooded() {
    let world = world(vec![(200, tokens())]);
    world.says(|script| script.other[0].2["interval"] = json!(2));
    let login = world.test.words("login").terminal(36).ends().success();
    let lines: Vec<_> = login.stdout.split("\r\u{1b}[K").collect();
    assert!(lines.len() > 2 && lines.len() < 8, "{lines:?}");
    let waiting = lines.iter().filter(|line| line.starts_with("waiting"));
    assert!(
        waiting.clone().count() > 0 && waiting.clone().all(|line| line.len() < 36),
        "{lines:?}"
    );
    assert!(!login.stdout.contains('\u{2580}'), "{}", login.stdout);
}

#[test]
fn dry_run_shows_both_requests_and_sends_none() {
    let world = world(vec![]);
    let shown = world.test.words("login --dry-run").run().success();
    shown.stdout_has("POST /device HTTP/1.1").stdout_has("device_code=***");
    assert!(world.requests("/device").is_empty());
}
