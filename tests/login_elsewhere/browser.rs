//! The authorization code grant: a browser, and whoever else sends something to the redirect URI.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use rustix::process::Signal;
use serde_json::json;

use super::{World, param};

const CODE: &str = "code=c0de-of-a-person";

#[test]
fn a_person_logs_in_once_and_scripts_have_a_header() {
    let world = World::new();
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    assert_eq!(visit.param("response_type"), "code");
    assert_eq!(visit.param("client_id"), "us");
    assert_eq!(visit.param("code_challenge_method"), "S256");
    assert_eq!(visit.maybe("nonce"), None);
    let redirect_uri = visit.param("redirect_uri");
    assert!(redirect_uri.starts_with("http://127.0.0.1:") && redirect_uri.ends_with("/callback"));
    let page = visit.comes_back_with(CODE);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("You are logged in") && page.contains("can be closed"), "{page}");
    for secret in ["c0de-of-a-person", "acce55-token", &visit.param("state")] {
        assert!(!page.contains(secret), "{page}");
    }
    login.ends().success().stdout_is("").stderr_has("Logged in to x");
    let requests = world.requests("/token");
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(param(request, "grant_type"), "authorization_code");
    assert_eq!(param(request, "code"), "c0de-of-a-person");
    assert_eq!(param(request, "redirect_uri"), redirect_uri);
    assert_eq!(param(request, "client_id"), "us");
    let verifier = param(request, "code_verifier");
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    assert_eq!(challenge, visit.param("code_challenge"));
    let header = world.test.words("header").prints_secrets().run().success();
    header.stdout_is("Authorization: Bearer acce55-token\n");
}

#[test]
fn each_login_has_a_state_and_a_verifier_of_its_own() {
    let world = World::with("scope = [\"openid\"]\n");
    let visits = [(); 2].map(|()| {
        let login = world.test.words("login").start();
        let visit = world.test.opens();
        visit.comes_back_with("error=access_denied");
        login.ends().fails_with(5);
        visit
    });
    for name in ["state", "code_challenge", "nonce"] {
        assert_ne!(visits[0].param(name), visits[1].param(name));
        assert!(visits[0].param(name).len() >= 32);
    }
}

#[test]
fn whatever_else_comes_is_refused_and_the_login_goes_on() {
    let world = World::new();
    world.says(|script| {
        script.metadata = json!({"authorization_response_iss_parameter_supported": true});
    });
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    let (uri, state) = (visit.redirect_uri(), visit.param("state"));
    let host = format!("127.0.0.1:{}", uri.port().unwrap());
    let iss = format!("iss={}", world.server.url(""));
    // Connections made in advance, one of them with half a request.
    let mut early: Vec<TcpStream> = (0..8).map(|_| visit.connects()).collect();
    early[0].write_all(b"GET /callback?code=").unwrap();
    let request = |line: &str, host: &str| format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let right = format!("{CODE}&state={state}&{iss}");
    let evil = "iss=https://evil.example";
    for (bytes, status) in [
        (request("GET /favicon.ico", &host), "404"),
        (request("GET /", &host), "404"),
        (request(&format!("GET /callback/?{right}"), &host), "404"),
        (request(&format!("POST /callback?{right}"), &host), "405"),
        (request(&format!("HEAD /callback?{right}"), &host), "405"),
        (request("GET /callback", &host), "400"),
        (request(&format!("GET /callback?{CODE}&{iss}"), &host), "400"),
        (request(&format!("GET /callback?{CODE}&{iss}&state=x{state}"), &host), "400"),
        (request(&format!("GET /callback?{right}&code=again"), &host), "400"),
        (request(&format!("GET /callback?{right}&error=access_denied"), &host), "400"),
        (request(&format!("GET /callback?{CODE}&state={state}"), &host), "400"),
        (request(&format!("GET /callback?{CODE}&state={state}&{evil}"), &host), "400"),
        (request(&format!("GET /callback?{right}"), "evil.example"), "400"),
        (request(&format!("GET http://evil.example/callback?{right}"), &host), "400"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "505"),
        ("\u{16}\u{3}\u{1}\u{2}nonsense\r\n\r\n".to_owned(), "400"),
        (request(&format!("GET /callback?{}", "x".repeat(100_000)), &host), "431"),
    ] {
        let answer = visit.sends(&bytes);
        let shown = &bytes[..bytes.len().min(80)];
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {answer:?}");
        assert!(!answer.contains("c0de-of-a-person"), "{answer}");
    }
    let page = visit.get(&format!("{uri}?{right}"));
    assert!(page.contains("You are logged in"), "{page}");
    login.ends().success();
    assert_eq!(world.requests("/token").len(), 1);
}

#[test]
fn an_error_of_the_server_is_shown_and_nothing_is_left() {
    let world = World::new();
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    let page = visit.comes_back_with("error=access_denied&error_description=%1B[2J%3Cb%3Eno");
    assert!(page.starts_with("HTTP/1.1 400 "), "{page}");
    assert!(page.contains("did not work") && page.contains("&#60;b&#62;no"), "{page}");
    login.ends().fails_with(5).stderr_has("access_denied: \\u{1b}[2J<b>no");
    assert_eq!(world.requests("/token").len(), 0);
    world.assert_nothing_left();
}

#[test]
fn a_code_that_the_server_refuses_is_told_in_the_browser_too() {
    let world = World::new();
    world.says(|script| script.token = vec![(400, json!({"error": "invalid_grant"}))]);
    let login = world.test.words("login").start();
    let page = world.test.opens().comes_back_with(CODE);
    assert!(page.contains("did not work") && page.contains("invalid_grant"), "{page}");
    login.ends().fails_with(5).stderr_has("invalid_grant");
    world.assert_nothing_left();
}

#[test]
fn an_interrupted_login_leaves_nothing_behind() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::new();
        let login = world.test.words("login").start();
        let visit = world.test.opens();
        login.signal(signal);
        login.ends().fails_with(128 + signal.as_raw());
        world.assert_nothing_left();
        TcpStream::connect(visit.redirect_uri().socket_addrs(|| None).unwrap()[0]).unwrap_err();
    }
}

#[test]
fn the_browser_is_told_the_url_and_no_secret_of_the_environment() {
    let world = World::new();
    let login = world.test.words("login").env("OAUTHCTL_PASSWORD", "p4ssword-of-env");
    let login = login.env("OAUTHCTL_FILE_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let login = login.start();
    let visit = world.test.opens();
    let file = world.test.home().join("browser.env");
    let environment = std::fs::read_to_string(&file).unwrap();
    assert!(environment.contains("HOME=") && environment.contains("OAUTHCTL_PROFILE=x"));
    assert!(!environment.contains("PASSWORD") && !environment.contains("FILE_KEY"));
    visit.comes_back_with(CODE);
    login.ends().success().stdout_is("");
}

#[test]
fn no_browser_is_opened_where_none_is_wanted_and_the_url_is_printed_all_the_same() {
    let world = World::new();
    let mut login = world.test.words("login --no-browser -q").start();
    let visit = login.shows(&world.server.url("/authorize"));
    visit.comes_back_with(CODE);
    login.ends().success();
    assert!(world.test.opened().is_empty());
}

/// A port that is free, and that nobody is given who asks for any: those are above 32767.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).unwrap() + 10_000;
    std::iter::from_fn(|| Some(start + NEXT.fetch_add(1, Ordering::Relaxed)))
        .find(|&port| {
            ["127.0.0.1", "::1"].iter().all(|host| match TcpListener::bind((*host, port)) {
                Err(error) => error.kind() == std::io::ErrorKind::AddrNotAvailable,
                Ok(_) => true,
            })
        })
        .unwrap()
}

#[test]
fn the_redirect_uri_is_what_the_profile_says() {
    let free = free_port();
    for (uri, expected) in [
        ("http://127.0.0.1/some/path".to_owned(), "http://127.0.0.1:PORT/some/path".to_owned()),
        ("http://localhost/callback".to_owned(), "http://localhost:PORT/callback".to_owned()),
        ("http://127.0.0.1".to_owned(), "http://127.0.0.1:PORT".to_owned()),
        (format!("http://localhost:{free}/cb"), format!("http://localhost:{free}/cb")),
    ] {
        let world = World::with(&format!("redirect_uri = \"{uri}\"\n"));
        let login = world.test.words("login").start();
        let visit = world.test.opens();
        let port = visit.redirect_uri().port().unwrap().to_string();
        assert_eq!(visit.param("redirect_uri"), expected.replace("PORT", &port));
        let page = visit.comes_back_with(CODE);
        assert!(page.contains("You are logged in"), "{uri}: {page}");
        login.ends().success();
    }
}

#[test]
fn nobody_else_can_listen_where_the_browser_goes() {
    let world = World::with("redirect_uri = \"http://localhost/callback\"\n");
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    let port = visit.redirect_uri().port().unwrap();
    TcpListener::bind(("127.0.0.1", port)).unwrap_err();
    if TcpListener::bind("[::1]:0").is_ok() {
        TcpListener::bind(("::1", port)).unwrap_err();
    }
    visit.comes_back_with(CODE);
    login.ends().success();
}

#[test]
fn of_several_redirect_uris_the_first_whose_port_is_free_is_used() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = free_port();
    let taken_port = taken.local_addr().unwrap().port();
    let uris = |second: u16| {
        format!(
            "redirect_uri = [\"http://127.0.0.1:{taken_port}/a\", \"http://127.0.0.1:{second}/b\"]\n"
        )
    };
    let world = World::with(&uris(free));
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    assert_eq!(visit.param("redirect_uri"), format!("http://127.0.0.1:{free}/b"));
    visit.comes_back_with(CODE);
    login.ends().success();
    let world = World::with(&uris(taken_port));
    let outcome = world.test.words("login").run().fails_with(3);
    outcome.stderr_has(&format!("http://127.0.0.1:{taken_port}/a"));
    world.assert_nothing_left();
}

#[test]
fn the_redirected_url_can_be_pasted() {
    let world = World::new();
    let mut login = world.test.words("login --paste").start();
    let visit = login.shows(&world.server.url("/authorize"));
    login.types(&format!(" '{}' ", visit.answer(CODE)));
    login.ends().success();
    assert!(world.test.opened().is_empty());
    let mut login = world.test.words("login --paste").start();
    let visit = login.shows(&world.server.url("/authorize"));
    login.types(&visit.answer(CODE).replace("state=", "state=x"));
    login.ends().fails_with(6).stderr_has("state");
    let mut login = world.test.words("login --paste").start();
    login.shows(&world.server.url("/authorize"));
    login.types("c0de-of-a-person");
    login.ends().fails_with(6).stderr_has("no whole URL");
}

#[test]
fn a_code_that_is_shown_out_of_band_is_pasted_alone() {
    let world = World::with("redirect_uri = \"urn:ietf:wg:oauth:2.0:oob\"\n");
    let mut login = world.test.words("login --paste").start();
    let visit = login.shows(&world.server.url("/authorize"));
    assert_eq!(visit.param("redirect_uri"), "urn:ietf:wg:oauth:2.0:oob");
    login.types("c0de-of-a-person");
    login.ends().success();
    world.test.words("login").run().fails_with(3).stderr_has("--paste");
}

#[test]
fn where_no_browser_can_be_found_a_terminal_offers_to_paste() {
    let world = World::new();
    let terminal = world.test.words("login").env("BROWSER", "").terminal(200);
    drop(terminal.sees("Open this URL in a browser").sees("paste the URL"));
}

#[test]
fn a_url_that_a_terminal_cuts_is_told_with_what_helps() {
    let world = World::new();
    let login = world.test.words("login").env("BROWSER", "").terminal(200);
    let login = login.sees("which begins with http://127.0.0.1:").types(&"x".repeat(5000));
    let cut = login.ends();
    assert!(cut.status == 2 && cut.stdout.contains("run stty -icanon"), "{}", cut.status);
}

#[test]
fn only_login_opens_a_browser() {
    let world = World::new();
    for command in ["header", "token", "refresh", "exec -- true", "curl -- https://a.example"] {
        let status = if command.contains("--") { 125 } else { 4 };
        let outcome = world.test.words(command).run().fails_with(status);
        outcome.stderr_has("hint: oauthctl login --profile x");
    }
    assert!(world.test.opened().is_empty());
}

#[test]
fn of_two_logins_at_once_the_second_uses_what_the_first_got() {
    let world = World::new();
    let first = world.test.words("login").start();
    let visit = world.test.opens();
    let mut second = world.test.words("login").start();
    second.tells("another login for this profile is under way");
    visit.comes_back_with(CODE);
    first.ends().success();
    second.ends().success();
    assert!(world.test.opened().is_empty());
    assert_eq!(world.requests("/token").len(), 1);
}

#[test]
fn what_is_asked_for_is_pushed_where_the_server_wants_it_so() {
    let world = World::with("scope = [\"a\"]\nresource = [\"https://api.example\"]\n");
    world.says(|script| {
        script.metadata = json!({
            "require_pushed_authorization_requests": true,
            "pushed_authorization_request_endpoint": "BASE/par",
        });
        script.other.push(("/par", 201, json!({"request_uri": "urn:x:1", "expires_in": 60})));
    });
    let login = world.test.words("login").start();
    let visit = world.test.opens_alone();
    assert_eq!(visit.param("request_uri"), "urn:x:1");
    assert_eq!((visit.param("client_id"), visit.maybe("state")), ("us".to_owned(), None));
    login.signal(Signal::INT);
    login.ends().fails_with(130);
    let requests = world.requests("/par");
    let [pushed] = &requests[..] else { panic!("{requests:?}") };
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "us"),
        ("scope", "a"),
        ("resource", "https://api.example"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(param(pushed, name), value);
    }
    world.says(|script| script.other = vec![("/par", 400, json!({"error": "invalid_request"}))]);
    world.test.words("login").run().fails_with(5).stderr_has("invalid_request");
    assert!(world.test.opened().is_empty());
}

#[test]
fn what_else_is_asked_comes_from_the_profile_and_the_command_line() {
    let world = World::with(
        "scope = [\"a\", \"offline_access\"]\naudience = \"api\"\n\n[authorization]\n\
         login_hint = \"me@a.example\"\nmax_age = 60\nacr_values = \"high\"\nparams = { x = \"1\" }\n",
    );
    let login = world.test.words("login --param x=2 --param token:y=3").start();
    let visit = world.test.opens();
    for (name, value) in [
        ("scope", "a offline_access"),
        ("prompt", "consent"),
        ("audience", "api"),
        ("login_hint", "me@a.example"),
        ("max_age", "60"),
        ("acr_values", "high"),
        ("x", "2"),
    ] {
        assert_eq!(visit.param(name), value);
    }
    assert_eq!(visit.maybe("y"), None);
    visit.comes_back_with(CODE);
    login.ends().success();
    let requests = world.requests("/token");
    assert_eq!((param(&requests[0], "y"), param(&requests[0], "audience")), ("3", "api"));
    world.test.words("login --param state=1").run().fails_with(2).stderr_has("reserved");
}

#[test]
fn dry_run_shows_what_would_be_asked_and_opens_nothing() {
    let world = World::new();
    let shown = world.test.words("login --dry-run").run().success();
    shown.stdout_has("&state=***&code_challenge=***&").stdout_has("&code=***&");
    assert!(world.test.opened().is_empty());
    assert!(world.requests("/token").is_empty());
}
