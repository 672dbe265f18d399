//! Where the token goes, and where it shows.

use std::fs;
use std::sync::{Arc, Mutex};

use super::server::{Server, reply};
use super::user::{OLD, User};

/// What the curl with this port on its command line shows to others.
fn shown_by_curl(port: u16) -> Vec<[String; 2]> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let words = text(&fs::read(path.join("cmdline")).ok()?);
        let ours = words.starts_with("curl\0") && words.contains(&format!(":{port}/"));
        ours.then(|| [words, text(&fs::read(path.join("environ")).unwrap())])
    });
    processes.collect()
}

fn the_token_shows_nowhere(mut user: User) {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&shown);
    let server = Server::new(move |_, stream| {
        let port = stream.local_addr().unwrap().port();
        record.lock().unwrap().extend(shown_by_curl(port));
        reply(stream, "200 OK", &[], b"welcome");
    });
    user.write("heads", "X-Key: key-in-a-file");
    let seen = user.runs(&["-s", "-H", "X: y", "-H", "@heads", &server.url("/a?b=c")]);
    assert_eq!(seen.succeeded().text(), "welcome");
    assert_eq!(server.requests()[0].line, "GET /a?b=c HTTP/1.1");
    assert!(server.requests()[0].heads.contains(&"X-Key: key-in-a-file".to_owned()));
    assert_eq!(server.tokens(), [OLD]);
    let shown = shown.lock().unwrap();
    assert_eq!(shown.len(), 1, "one curl");
    assert!(shown[0][0].contains("X: y") && shown[0][1].contains("PATH="), "{shown:?}");
    for text in &shown[0] {
        assert!(!text.contains("token") && !text.contains("key-in"), "{text}");
        assert!(!text.contains("client-secret"), "{text}");
    }
}

#[test]
fn the_token_arrives_and_shows_nowhere() {
    the_token_shows_nowhere(User::new());
}

#[test]
fn the_token_arrives_and_shows_nowhere_when_this_process_becomes_curl() {
    the_token_shows_nowhere(User::with_new_token());
}

#[test]
fn with_v_the_token_is_taken_out_of_standard_error() {
    for (mut user, status) in
        [(User::new(), "200 OK"), (User::with_new_token(), "401 Unauthorized")]
    {
        let seen = user.runs(&["-svv", &Server::picky().url("/")]);
        assert!(seen.err.contains("> Authorization: Bearer [redacted]"), "{}", seen.err);
        assert!(!seen.err.contains("token"), "{}", seen.err);
        let heads: Vec<_> = seen.err.lines().filter(|line| line.starts_with("< HTTP")).collect();
        assert_eq!(heads, [format!("< HTTP/1.1 {status}")]);
    }
}

#[test]
fn with_v_the_token_is_taken_out_of_what_was_held_back() {
    let mut user = User::new();
    user.write("renewal", "none");
    let seen = user.runs(&["-sv", &Server::picky().url("/")]);
    assert!(seen.err.contains("> Authorization: Bearer [redacted]"), "{}", seen.err);
    assert!(seen.err.contains("< HTTP/1.1 401") && !seen.err.contains(OLD), "{}", seen.err);
}

#[test]
fn nothing_leaves_and_no_token_is_fetched_where_it_may_not_go() {
    let server = Server::friendly();
    for (file, text, args) in [
        (".curlrc", "location-trusted", &["-s"][..]),
        (".curlrc", "url = http://127.0.0.1:1/", &["-s"]),
        ("conf", "config = conf2", &["-K", "conf"]),
        ("hosts", "api.bindeo.com", &["-s"]),
        ("none", "", &["-u", "a:b"]),
        ("none", "", &["--trace", "t"]),
        ("none", "", &["http://example.com/"]),
    ] {
        let mut user = User::new();
        user.write("conf2", "header = \"Authorization: x\"");
        user.write(file, text);
        let seen = user.runs(&[args, &[&server.url("/")]].concat());
        assert_eq!(seen.status.code(), Some(125), "{file} {text} {}", seen.err);
        assert!(seen.out.is_empty() && seen.err.starts_with("error: "), "{}", seen.err);
        assert!(!user.path("fetched").exists() && !user.path("t").exists());
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_harmless_curlrc_is_heeded() {
    let server = Server::friendly();
    let mut user = User::new();
    user.write(".curlrc", "silent\nuser-agent = \"mine 1.0\"\nheader = \"X-Key: k\"\n");
    let seen = user.runs(&[&server.url("/")]);
    assert_eq!((&*seen.succeeded().text(), &*seen.err), ("welcome", ""));
    let heads = &server.requests()[0].heads;
    assert!(heads.contains(&"User-Agent: mine 1.0".to_owned()), "{heads:?}");
    // Once: curl itself has not read the file as well.
    assert_eq!(heads.iter().filter(|head| *head == "X-Key: k").count(), 1, "{heads:?}");
}

#[test]
fn a_redirect_to_another_origin_takes_no_token_along() {
    let other = Server::new(|_, stream| reply(stream, "401 Unauthorized", &[], b"who are you?"));
    let location = format!("Location: {}", other.url("/there"));
    let server =
        Server::new(move |_, stream| reply(stream, "307 Temporary Redirect", &[&location], b""));
    let mut user = User::new();
    assert_eq!(user.runs(&["-sL", &server.url("/")]).succeeded().text(), "who are you?");
    assert_eq!((server.tokens(), other.tokens()), (vec![OLD.to_owned()], vec![String::new()]));
    assert_eq!(user.read("renewed"), "");
}

#[test]
fn no_proxy_sees_plain_http_to_this_machine() {
    let (server, proxy) = (Server::friendly(), Server::friendly());
    let mut user = User::new();
    user.command.env("http_proxy", proxy.url("")).env("ALL_PROXY", proxy.url(""));
    user.runs(&["-s", &server.url("/")]).succeeded();
    user.runs(&["-s", "-x", &proxy.url(""), &server.url("/")]).succeeded();
    assert_eq!(server.tokens(), [OLD, OLD]);
    assert!(proxy.requests().is_empty());
}

#[test]
fn several_requests_all_get_the_token() {
    let server = Server::friendly();
    let seen = User::new().runs(&["-s", &server.url("/{1,2}"), "--next", "-s", &server.url("/3")]);
    assert_eq!(seen.succeeded().text(), "welcome".repeat(3));
    assert_eq!(server.tokens(), [OLD, OLD, OLD]);
}

#[test]
fn help_fetches_no_token() {
    let mut user = User::new();
    assert!(user.runs(&["--version"]).succeeded().text().starts_with("curl "));
    assert!(!user.path("fetched").exists());
}
