//! What happens when the server refuses a token.

use std::fs::{self, File};
use std::io::Read;
use std::process::Command;
use std::thread;

use super::server::{Server, reply};
use super::user::{NEW, OLD, User};

#[test]
fn a_refused_token_is_renewed_and_only_the_second_answer_is_seen() {
    for (args, meters) in [
        (&["-s"][..], 0),
        (&[], 1),
        (&["-sS", "-f"], 0),
        (&["-f"], 1),
        (&["-s", "--fail-with-body"], 0),
        (&["-sN", "--compressed"], 0),
    ] {
        let server = Server::picky();
        let mut user = User::new();
        let seen = user.runs(&[args, &[&server.url("/")]].concat());
        assert_eq!(seen.succeeded().text(), "welcome");
        assert!(!seen.err.contains("401"), "{}", seen.err);
        assert_eq!(seen.err.matches("% Total").count(), meters, "{}", seen.err);
        assert_eq!(server.tokens(), [OLD, NEW]);
        assert_eq!(user.read("renewed"), "1");
    }
}

#[test]
fn heads_that_are_shown_are_those_of_the_second_answer() {
    let server = Server::picky();
    for option in ["-i", "-I", "-iL"] {
        let text = User::new().runs(&["-s", option, &server.url("/")]).succeeded().text();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert_eq!(text.ends_with("\r\n\r\nwelcome"), option != "-I", "{text}");
        assert_eq!(text.matches("HTTP/").count(), 1, "{text}");
    }
}

#[test]
fn files_hold_what_the_second_answer_left() {
    for before in [false, true] {
        let server = Server::picky();
        let mut user = User::new();
        if before {
            user.write("heads", "HTTP/1.1 401 Long ago\r\n\r\nand more than there will be again");
            user.write("body", "something that is longer than either answer");
        }
        let to_files = ["-s", "-D", "heads", "-o", "body", "-w", "%{http_code}"];
        let seen = user.runs(&[&to_files[..], &[&server.url("/")]].concat());
        assert_eq!(seen.succeeded().text(), "200");
        assert_eq!(user.read("body"), "welcome");
        assert!(user.read("heads").starts_with("HTTP/1.1 200 OK\r\n"), "{}", user.read("heads"));
        assert!(!user.read("heads").contains("401"), "{}", user.read("heads"));
        assert_eq!(server.tokens(), [OLD, NEW]);
    }
}

#[test]
fn heads_from_long_ago_renew_nothing() {
    let mut user = User::new();
    user.write("heads", "HTTP/1.1 401 Long ago\r\n\r\n");
    let seen = user.runs(&["-sS", "-m", "nonsense", "-D", "heads", "http://127.0.0.1:1/"]);
    assert_eq!(seen.status.code(), Some(2), "{}", seen.err);
    assert_eq!(user.read("renewed"), "");
}

#[test]
fn a_body_is_sent_again() {
    for (args, body) in [
        (&["-d", "a=b"][..], "a=b"),
        (&["--data-binary", "@body"], "from a file\n"),
        (&["--json", "{}"], "{}"),
        (&["-T", "body"], "from a file\n"),
    ] {
        let server = Server::picky();
        let mut user = User::new();
        user.write("body", "from a file\n");
        let seen = user.runs(&[&["-s"], args, &[&server.url("/put")]].concat());
        assert_eq!(seen.succeeded().text(), "welcome");
        assert_eq!(server.bodies(), [body, body]);
        assert_eq!(server.tokens(), [OLD, NEW]);
    }
}

#[test]
fn standard_input_is_sent_again_if_it_is_a_file() {
    for (option, value, body) in [
        ("-d", "@-", "standard input"),
        ("-T", "-", "standard input"),
        // What is opened by name begins anew, as with curl alone.
        ("--data-binary", "@/dev/stdin", "skipped,standard input"),
    ] {
        let server = Server::picky();
        let mut user = User::new();
        user.write("input", "skipped,standard input");
        let mut input = File::open(user.path("input")).unwrap();
        input.read_exact(&mut [0; 8]).unwrap();
        user.command.stdin(input);
        let seen = user.runs(&["-s", option, value, &server.url("/")]);
        assert_eq!(seen.succeeded().text(), "welcome");
        assert_eq!(server.bodies(), [body, body]);
    }
}

#[test]
fn what_comes_through_a_pipe_is_sent_once() {
    for (option, value) in [("-d", "@-"), ("-T", "-"), ("-d", "@fifo")] {
        let server = Server::picky();
        let mut user = User::new();
        let fifo = user.path("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let writer = (value == "@fifo").then(|| thread::spawn(|| fs::write(fifo, "piped")));
        let seen = user.pipes(b"piped", &["-s", option, value, &server.url("/")]);
        assert_eq!(seen.succeeded().text(), "go away");
        assert_eq!(server.bodies(), ["piped"]);
        assert_eq!(user.read("renewed"), "");
        if let Some(writer) = writer {
            writer.join().unwrap().unwrap();
        }
    }
}

#[test]
fn a_configuration_from_a_pipe_serves_both_requests() {
    let server = Server::picky();
    let told = format!("url = \"{}\"\ndata = \"a b\"", server.url("/"));
    let seen = User::new().pipes(told.as_bytes(), &["-s", "-K", "-"]);
    assert_eq!(seen.succeeded().text(), "welcome");
    assert_eq!(server.bodies(), ["a b", "a b"]);
}

#[test]
fn a_token_is_renewed_once() {
    let server = Server::new(|_, stream| reply(stream, "401 Unauthorized", &[], b"never"));
    let mut user = User::new();
    assert_eq!(user.runs(&["-s", &server.url("/")]).succeeded().text(), "never");
    assert_eq!(server.tokens(), [OLD, NEW]);
    assert_eq!(user.read("renewed"), "1");
    let seen = user.runs(&["-sf", &server.url("/")]);
    assert_eq!((seen.status.code(), &*seen.text()), (Some(22), ""));
}

#[test]
fn without_a_newer_token_the_first_answer_is_seen() {
    for (renewal, warns) in [("none", false), ("same", false), ("fails", true)] {
        let server = Server::picky();
        let mut user = User::new();
        user.write("renewal", renewal);
        let seen = user.runs(&["-sS", &server.url("/")]);
        assert_eq!(seen.succeeded().text(), "go away");
        assert_eq!(seen.err.contains("warning: the token was refused"), warns, "{}", seen.err);
        assert_eq!(seen.err.contains("no network"), warns, "{}", seen.err);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_token_that_was_just_made_is_not_renewed() {
    let server = Server::picky();
    let mut user = User::with_new_token();
    assert_eq!(user.runs(&["-s", &server.url("/")]).succeeded().text(), "go away");
    assert_eq!((server.requests().len(), &*user.read("renewed")), (1, ""));
}

#[test]
fn a_refusal_longer_than_what_is_held_back_is_not_seen_either() {
    let server = Server::new(|request, stream| match request.token() {
        Some(NEW) => reply(stream, "200 OK", &[], b"welcome"),
        _ => reply(stream, "401 Unauthorized", &[], &vec![b'x'; 8 << 20]),
    });
    for args in [&["-s"][..], &["-s", "-i"], &["-so", "file"]] {
        let mut user = User::new();
        let seen = user.runs(&[args, &[&server.url("/")]].concat());
        let text = seen.succeeded().text() + &user.read("file");
        assert!(text.ends_with("welcome") && !text.contains('x'), "{args:?}");
    }
}

#[test]
fn a_refusal_behind_a_redirect_within_the_origin_is_mended() {
    let server = Server::new(|request, stream| match (&*request.line, request.token()) {
        ("GET / HTTP/1.1", _) => reply(stream, "302 Found", &["Location: /there"], b"moved"),
        (_, Some(NEW)) => reply(stream, "200 OK", &[], b"welcome"),
        _ => reply(stream, "401 Unauthorized", &[], b"go away"),
    });
    for option in ["-sL", "-sLi"] {
        server.forget();
        let text = User::new().runs(&[option, &server.url("/")]).succeeded().text();
        assert!(text.ends_with("welcome") && !text.contains("401"), "{text}");
        assert_eq!(server.tokens(), [OLD, OLD, NEW, NEW]);
    }
}
