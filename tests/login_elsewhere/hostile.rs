//! Whoever else is on this machine, and any page that the browser shows, while a login waits.

use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::World;
use crate::renewal::clocks::shifter;
use crate::support::browser::Visit;

const CODE: &str = "code=c0de-of-a-person";

fn host(visit: &Visit) -> String {
    let uri = visit.redirect_uri();
    uri[url::Position::BeforeHost..url::Position::AfterPort].to_owned()
}

/// What a browser sends that brings the right answer.
fn right(visit: &Visit) -> String {
    let answer = url::Url::parse(&visit.answer(CODE)).unwrap();
    let target = &answer[url::Position::BeforePath..];
    format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", host(visit))
}

fn rest(mut stream: &TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn hundreds_of_idle_connections_keep_nobody_from_logging_in() {
    let world = World::new();
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    let idle: Vec<TcpStream> = (0..200).map(|_| visit.connects()).collect();
    let page = visit.comes_back_with(CODE);
    assert!(page.contains("You are logged in"), "{page}");
    login.ends().success();
    drop(idle);
}

#[test]
fn an_answer_that_a_crowd_follows_is_read_all_the_same() {
    let world = World::new();
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    // Nobody accepts meanwhile: the answer and all others wait in one queue.
    login.signal(Signal::STOP);
    let mut browser = visit.connects();
    browser.write_all(right(&visit).as_bytes()).unwrap();
    let crowd: Vec<TcpStream> = (0..100).map(|_| visit.connects()).collect();
    login.signal(Signal::CONT);
    let page = rest(&browser);
    assert!(page.contains("You are logged in"), "{page}");
    login.ends().success();
    drop(crowd);
}

#[test]
fn somebody_who_trickles_holds_nobody_up() {
    let world = World::new();
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    let over = Arc::new(AtomicBool::new(false));
    let tricklers: Vec<_> = (0..10)
        .map(|_| {
            let (mut stream, over) = (visit.connects(), Arc::clone(&over));
            thread::spawn(move || {
                let _ = stream.write_all(b"GET /callback?code=");
                while !over.load(Ordering::Relaxed) && stream.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(5));
                }
            })
        })
        .collect();
    // The right answer may come in pieces too.
    let mut browser = visit.connects();
    for piece in right(&visit).as_bytes().chunks(7) {
        browser.write_all(piece).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    let page = rest(&browser);
    assert!(page.contains("You are logged in"), "{page}");
    over.store(true, Ordering::Relaxed);
    login.ends().success();
    for trickler in tricklers {
        trickler.join().unwrap();
    }
}

#[test]
fn what_no_browser_sends_is_refused_and_the_login_goes_on() {
    let world = World::new();
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    let (host, right) = (host(&visit), right(&visit));
    let target = right.split(' ').nth(1).unwrap();
    let preflight = format!(
        "OPTIONS {target} HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\
         Access-Control-Request-Method: GET\r\nAccess-Control-Request-Private-Network: true\r\n\r\n"
    );
    let hello = "\u{16}\u{3}\u{1}\0\u{1}\0";
    for (bytes, status) in [
        (preflight, "405"),
        (right.replacen("GET", "PUT", 1), "405"),
        (right.replacen("GET", "DELETE", 1), "405"),
        (format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"), "400"),
        (right.replace("\r\n\r\n", &format!("\r\nCookie: {}\r\n\r\n", "x".repeat(1 << 20))), "431"),
        (format!("GET {}", "/".repeat(1 << 20)), "431"),
        (hello.repeat(40), "400"),
        (right.replace("HTTP/1.1", "HTTP/2.0"), "505"),
        (right.replace("Host: ", "Host: evil.example\r\nHost: "), "400"),
        (right.replace(&format!("Host: {host}"), "Host: localhost"), "400"),
        (right.replace(&format!("Host: {host}"), "X: y"), "400"),
        (right.replace("\r\n", "\n"), ""),
        (right.replace("/callback", "/callback%2f.."), "404"),
        (right.replace("/callback", "/x/../callback"), "404"),
        (right.replace("state=", "State="), "400"),
        (right.replace("state=", "state[]="), "400"),
        (right.replace("code=", "code=x&code="), "400"),
        (right.replace("code=", "iss=https://evil.example&code="), "400"),
        (right.replace("code=", "c%00ode="), "400"),
        (right.replace("?code=", "#code="), "400"),
    ] {
        let stream = visit.connects();
        let _ = (&stream).write_all(bytes.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answer = rest(&stream);
        let shown = &bytes[..bytes.len().min(80)];
        if status.is_empty() {
            assert_eq!(answer, "", "{shown:?}");
            continue;
        }
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {answer:?}");
        let head = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        assert!(!head.contains("access-control"), "{head}");
        assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
        assert!(!answer.contains("c0de-of-a-person"), "{answer}");
    }
    assert!(world.requests("/token").is_empty());
    assert!(visit.sends(&right).contains("You are logged in"));
    login.ends().success();
}

#[test]
fn nobody_but_the_server_ends_a_login_with_an_error() {
    let world = World::new();
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    let uri = visit.redirect_uri();
    for query in [
        "error=access_denied".to_owned(),
        "error=access_denied&state=".to_owned(),
        format!("error=access_denied&state={}", "0".repeat(32)),
        format!("error=access_denied&state={}&iss=https://evil.example", visit.param("state")),
    ] {
        let page = visit.get(&format!("{uri}?{query}"));
        assert!(page.starts_with("HTTP/1.1 400 "), "{query}: {page}");
        assert!(page.contains("This is not the answer to a login"), "{page}");
    }
    assert!(visit.comes_back_with(CODE).contains("You are logged in"));
    login.ends().success();
}

#[test]
fn an_answer_that_comes_twice_is_spent_once() {
    let world = World::new();
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    login.signal(Signal::STOP);
    let browsers = [(); 2].map(|()| {
        let mut browser = visit.connects();
        browser.write_all(right(&visit).as_bytes()).unwrap();
        browser
    });
    login.signal(Signal::CONT);
    login.ends().success();
    assert_eq!(world.requests("/token").len(), 1);
    let pages = browsers.each_ref().map(rest);
    assert!(pages.iter().any(|page| page.contains("You are logged in")), "{pages:?}");
}

#[test]
fn what_an_error_brings_along_is_text_on_the_page_and_in_the_terminal() {
    let world = World::new();
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    let page = visit.comes_back_with(
        "error=%3Cscript%3Ealert(1)%3C/script%3E&error_description=%22%20onload=x%20%27%9B%1B]0;x%07%0D%0A\
         Set-Cookie:%20a=b&error_uri=javascript:alert(1)",
    );
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("Set-Cookie"), "{head}");
    // The page's own is the only one.
    assert_eq!(body.matches("<script").count(), 1, "{body}");
    assert!(!body.contains("href") && !body.contains("\" onload"), "{body}");
    assert!(body.contains("&#60;script&#62;") && body.contains("javascript:alert(1)"), "{body}");
    assert!(body.chars().all(|c| c == '\n' || !c.is_control()), "{body:?}");
    let outcome = login.ends().fails_with(5).stderr_has("<script>alert(1)</script>");
    assert!(outcome.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{outcome:?}");
    world.assert_nothing_left();
}

#[test]
fn the_answer_may_come_by_either_family_of_addresses() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: it needs IPv6");
        return;
    }
    for uri in ["http://[::1]/callback", "http://localhost/callback"] {
        let world = World::with(&format!("redirect_uri = \"{uri}\"\n"));
        let login = world.test.words("login").start();
        let visit = world.test.opens();
        let port = visit.redirect_uri().port().unwrap();
        assert_eq!(
            visit.param("redirect_uri"),
            uri.replace("/callback", &format!(":{port}/callback"))
        );
        let mut browser = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        browser.write_all(right(&visit).as_bytes()).unwrap();
        let page = rest(&browser);
        assert!(page.contains("You are logged in"), "{page}");
        login.ends().success();
    }
}

#[test]
fn a_browser_that_never_comes_back_is_exit_4_and_leaves_nothing() {
    let Some(library) = shifter() else { return };
    let world = World::new();
    // Five minutes are three seconds.
    let login = world.test.words("login --timeout 20m").env("LD_PRELOAD", library);
    let login = login.env("FAKETIME", "+0 x100").env("BROWSER", "").start();
    let outcome = login.ends().fails_with(4);
    outcome
        .stderr_has("nobody came back from the browser within 5 minutes")
        .stderr_has("hint: oauthctl login --profile x");
    world.assert_nothing_left();
}

#[test]
fn who_waited_for_a_login_that_came_to_nothing_logs_in_itself() {
    let world = World::new();
    let first = world.test.words("login").start();
    let lost = world.test.opens();
    let mut second = world.test.words("login").start();
    second.tells("another login for this profile is under way");
    lost.comes_back_with("error=access_denied");
    first.ends().fails_with(5);
    let visit = world.test.opens();
    assert_ne!(visit.param("state"), lost.param("state"));
    visit.comes_back_with(CODE);
    second.ends().success();
    assert_eq!(world.requests("/token").len(), 1);
}

#[test]
fn a_login_whose_server_promises_iss_and_leaves_it_out_goes_on_waiting() {
    let world = World::new();
    world.says(|script| {
        script.metadata = json!({"authorization_response_iss_parameter_supported": true});
    });
    let mut login = world.test.words("login --paste").start();
    let visit = login.shows(&world.server.url("/authorize"));
    login.types(&visit.answer(CODE));
    login.ends().fails_with(6).stderr_has("doesn't name its issuer");
    let login = world.test.words("login").start();
    let visit = world.test.opens();
    assert!(visit.comes_back_with(CODE).starts_with("HTTP/1.1 400 "));
    let iss = world.server.url("");
    let page = visit.comes_back_with(&format!("error=access_denied&iss={iss}"));
    assert!(page.contains("access_denied"), "{page}");
    login.ends().fails_with(5);
}
