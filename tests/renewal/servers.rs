//! Servers that are slow, broken or hostile: `--timeout` ends every wait, and no session is lost to them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use oauthctl::sandbox::Provider;

use super::{DUE, counts};
use crate::support::gateway::{Deed, Gateway};
use crate::support::raw::read;
use crate::support::{Outcome, Test};

/// What is told of a server that nothing but the time-out ends.
const LATE: &str = "timed out after 2s";

/// Far more than any command here gives its server, on the slowest machine.
const BOUND: Duration = Duration::from_secs(30);

/// What a server with such manners does, and what is told of it.
type Case = (&'static str, Deed, &'static str);

/// A user who logged in through a gateway that behaved.
fn behind_a_gateway(expired: bool) -> (Test, Gateway) {
    let test = Test::new().sandbox();
    let gateway = Gateway::start(test.server().address());
    let base_url = format!("base_url = \"http://{}/standard\"\n", gateway.address());
    let test = test.variant("behind", Provider::Standard, &base_url);
    let test = test.env("OAUTHCTL_PROFILE", "behind");
    test.server().behave(|behaviour| behaviour.expires_in = expired.then_some(0));
    test.words("login").run().success();
    test.server().behave(|behaviour| behaviour.expires_in = None);
    (test, gateway)
}

/// Runs a command with little memory, and gives its server two seconds; or enough of them on a busy
/// machine, where something else is to end it.
#[track_caller]
fn run(test: &Test, words: &str, told: &str) -> Outcome {
    let begun = Instant::now();
    let timeout = if told.starts_with(LATE) { "2s" } else { "15s" };
    let script = format!("ulimit -v 400000; oauthctl {words} --timeout {timeout}");
    let outcome = test.shell(&script).prints_secrets().run();
    let took = begun.elapsed();
    eprintln!("{}: {took:.1?} of {timeout}", thread::current().name().unwrap_or_default());
    assert!(took < BOUND, "{took:?}: {outcome:#?}");
    outcome
}

/// Every case at once, each in a world of its own.
fn each(cases: &[Case]) {
    thread::scope(|scope| {
        for &(name, deed, told) in cases {
            let case = move || {
                without_a_token(deed, told);
                with_a_token_that_lives(deed, told);
            };
            thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, case).unwrap();
        }
    });
}

/// Exit 6, and the session goes on once the server behaves.
fn without_a_token(deed: Deed, told: &str) {
    let (test, gateway) = behind_a_gateway(true);
    gateway.does(deed);
    run(&test, "header", told).fails_with(6).stderr_has(told);
    // The one time that a lost answer is asked for again.
    let asked = gateway.done();
    assert!((1..=2).contains(&asked), "asked {asked} times");
    gateway.behaves();
    let header = test.words("header").prints_secrets().run().success();
    header.stdout_is(&format!("Authorization: Bearer {}\n", test.access_token()));
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
}

/// The token serves on, the refresh token is sent once, and is not forgotten.
fn with_a_token_that_lives(deed: Deed, told: &str) {
    let (test, gateway) = behind_a_gateway(false);
    let header = format!("Authorization: Bearer {}\n", test.access_token());
    gateway.does(deed);
    for asked in 1..=2 {
        let served = run(&test, &format!("header {DUE}"), told).success();
        served.stdout_is(&header).stderr_has("warning: ").stderr_has("serves on");
        // Once for each command; not at all where the refresh token may be spent already.
        assert!((1..=asked).contains(&gateway.done()), "asked {} times", gateway.done());
    }
    gateway.behaves();
    test.words("refresh").run().success().stderr_has("Renewed");
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
}

/// Reads the request and answers with the beginning of an answer.
fn begin(connection: &mut TcpStream, start: &str) -> io::Result<()> {
    read(connection).ok_or(io::ErrorKind::UnexpectedEof)?;
    connection.write_all(start.as_bytes())
}

/// Waits until the other side is gone.
fn wait(connection: &mut TcpStream) -> io::Result<()> {
    io::copy(connection, &mut io::sink()).map(|_| ())
}

/// Answers, and closes the connection without having read it all: the other side sees a reset.
fn reset_after(connection: &mut TcpStream, start: &str) -> io::Result<()> {
    connection.read_exact(&mut [0])?;
    connection.write_all(start.as_bytes())
}

/// Writes this again and again, at most so often a second, as long as somebody listens.
fn repeat(connection: &mut TcpStream, piece: &[u8], pause: Duration) -> io::Result<()> {
    loop {
        connection.write_all(piece)?;
        thread::sleep(pause);
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const DRIP: Duration = Duration::from_millis(100);
const LARGE: usize = 10 << 20;

#[test]
fn a_server_that_is_silent_is_given_up() {
    each(&[
        ("never answers", |connection| begin(connection, "").and_then(|()| wait(connection)), LATE),
        (
            "answers half",
            |connection| {
                begin(connection, &format!("{OK}Content-Length: 99\r\n\r\n{{"))?;
                wait(connection)
            },
            LATE,
        ),
        ("doesn't even read", |connection| wait_unread(connection), LATE),
    ]);
}

/// Takes nothing, as a process that was stopped.
fn wait_unread(connection: &mut TcpStream) -> io::Result<()> {
    while connection.peek(&mut [0])? > 0 {
        thread::sleep(DRIP);
    }
    Ok(())
}

#[test]
fn a_connection_that_breaks_is_exit_6() {
    const BROKE: &str = "the connection broke before the answer's end";
    each(&[
        ("closes at once", |_| Ok(()), BROKE),
        ("closes after the request", |connection| begin(connection, ""), BROKE),
        ("closes in the head", |connection| begin(connection, OK), BROKE),
        (
            "closes in the body: its length is too long",
            |connection| begin(connection, &format!("{OK}Content-Length: 99\r\n\r\n{{}}")),
            BROKE,
        ),
        ("resets at once", |connection| reset_after(connection, ""), BROKE),
        ("resets in the head", |connection| reset_after(connection, OK), BROKE),
        (
            "resets in the body",
            |connection| reset_after(connection, &format!("{OK}Content-Length: 99\r\n\r\n{{")),
            BROKE,
        ),
        (
            "closes in a chunk",
            |connection| {
                begin(connection, &format!("{OK}Transfer-Encoding: chunked\r\n\r\n9\r\n{{"))
            },
            BROKE,
        ),
    ]);
}

#[test]
fn a_server_that_drips_has_no_more_time_than_any_other() {
    each(&[
        (
            "drips the head",
            |connection| {
                begin(connection, "HTTP/1.1 200 ")?;
                repeat(connection, b"x", DRIP)
            },
            LATE,
        ),
        (
            "drips headers",
            |connection| {
                begin(connection, OK)?;
                repeat(connection, b"X: y\r\n", DRIP)
            },
            LATE,
        ),
        (
            "drips the body",
            |connection| {
                begin(connection, &format!("{OK}Content-Length: 9999\r\n\r\n"))?;
                repeat(connection, b" ", DRIP)
            },
            LATE,
        ),
        (
            "drips chunks",
            |connection| {
                begin(connection, &format!("{OK}Transfer-Encoding: chunked\r\n\r\n"))?;
                repeat(connection, b"1\r\n \r\n", DRIP)
            },
            LATE,
        ),
        (
            "drips the length of a chunk",
            |connection| {
                begin(connection, &format!("{OK}Transfer-Encoding: chunked\r\n\r\n1;"))?;
                repeat(connection, b"x", DRIP)
            },
            LATE,
        ),
        (
            "is always about to continue",
            |connection| {
                begin(connection, "")?;
                repeat(connection, b"HTTP/1.1 100 Continue\r\n\r\n", DRIP)
            },
            LATE,
        ),
        (
            "hints and hints",
            |connection| {
                begin(connection, "")?;
                repeat(connection, b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", DRIP)
            },
            LATE,
        ),
    ]);
}

#[test]
fn a_server_that_spoils_tls_is_sent_nothing() {
    const AGREEING: &str = "timed out after 2s, while agreeing on TLS";
    let cases: [(&str, Deed, &str, usize); 4] = [
        ("is silent", wait, AGREEING, 1),
        (
            "drips",
            |connection| {
                connection.write_all(b"\x16\x03\x03\x40\x00")?;
                repeat(connection, b"\x02", DRIP)
            },
            AGREEING,
            1,
        ),
        (
            "speaks no TLS",
            |connection| {
                connection.write_all(b"HTTP/1.1 400 No\r\n\r\n")?;
                wait(connection)
            },
            "TLS failed",
            1,
        ),
        ("closes at once", |_| Ok(()), "TLS failed", 4),
    ];
    for (name, deed, told, most) in cases {
        let gateway = Gateway::start(([127, 0, 0, 1], 9).into());
        gateway.does(deed);
        let test = Test::new().env("OAUTHCTL_CLIENT_ID", "c").env("OAUTHCTL_CLIENT_SECRET", "s");
        let test = test.env("OAUTHCTL_TOKEN_URL", format!("https://{}/token", gateway.address()));
        run(&test, "client-token --no-store", told).fails_with(6).stderr_has(told);
        assert!((1..=most).contains(&gateway.done()), "{name}: {} times", gateway.done());
    }
}

#[test]
fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    const LARGER: &str = "is too large: more than 1048576 bytes";
    const HEADERS: &str = "answer are too large";
    each(&[
        (
            "10 MB of token",
            |connection| {
                let start = format!("{OK}Content-Length: {LARGE}\r\n\r\n{{\"access_token\":\"");
                begin(connection, &start)?;
                connection.write_all(&vec![b'x'; LARGE])
            },
            LARGER,
        ),
        (
            "a body without end",
            |connection| {
                begin(connection, &format!("{OK}\r\n"))?;
                repeat(connection, &[b' '; 4096], Duration::ZERO)
            },
            LARGER,
        ),
        (
            "chunks without end",
            |connection| {
                begin(connection, &format!("{OK}Transfer-Encoding: chunked\r\n\r\n"))?;
                repeat(connection, &b"1\r\n \r\n".repeat(1000), Duration::ZERO)
            },
            LARGER,
        ),
        (
            "a header of 10 MB",
            |connection| {
                begin(connection, &format!("{OK}X: "))?;
                connection.write_all(&vec![b'x'; LARGE])
            },
            HEADERS,
        ),
        (
            "headers without end",
            |connection| {
                begin(connection, OK)?;
                repeat(connection, &b"X: y\r\n".repeat(1000), Duration::ZERO)
            },
            "the answer of ",
        ),
        (
            "a flood of continuations",
            |connection| {
                begin(connection, "")?;
                repeat(connection, &b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), Duration::ZERO)
            },
            HEADERS,
        ),
        ("a gzip bomb", |connection| gzip(connection, "gzip", &bomb(256)), LARGER),
    ]);
}

/// So many times four mebibytes of zeros, each in four kilobytes of gzip.
fn bomb(times: usize) -> Vec<u8> {
    let mut member = vec![0; 4098];
    member[..18].copy_from_slice(b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xed\xc1\x01\x01\0\0\0\x82");
    member[18..25].copy_from_slice(b"\x20\xff\xaf\x6e\x48\x40\x01");
    member[4088..].copy_from_slice(b"\x7c\x1b\x6a\x40\x47\x11\0\0\x40\0");
    member.repeat(times)
}

/// Nothing at all, in twenty bytes of gzip.
const NOTHING: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\x03\0\0\0\0\0\0\0\0\0";

fn gzip(connection: &mut TcpStream, coding: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    begin(
        connection,
        &format!("{OK}Content-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"),
    )?;
    connection.write_all(body)
}

#[test]
fn what_can_not_be_unpacked_is_exit_6() {
    each(&[
        (
            "gzip in gzip",
            |connection| gzip(connection, "gzip, gzip", &bomb(1)),
            "is not valid JSON",
        ),
        ("a half gzip", |connection| gzip(connection, "gzip", &bomb(1)[..20]), "is not HTTP"),
        ("no gzip", |connection| gzip(connection, "gzip", b"{}"), "is not HTTP"),
        ("deflate", |connection| gzip(connection, "deflate", &bomb(1)), "is not valid JSON"),
        ("brotli", |connection| gzip(connection, "br", b"\x0b\x02\x80{}\x03"), "is not valid JSON"),
        (
            "nothing, packed again and again",
            |connection| {
                begin(connection, &format!("{OK}Content-Encoding: gzip\r\n\r\n"))?;
                repeat(connection, &NOTHING.repeat(100), Duration::from_millis(1))
            },
            LATE,
        ),
    ]);
}

#[test]
fn what_is_no_answer_is_exit_6() {
    const NO_HTTP: &str = "is not HTTP as it should be";
    each(&[
        ("HTTP/0.9", |connection| begin(connection, "{\"access_token\":\"x\"}"), NO_HTTP),
        ("another protocol", |connection| begin(connection, "SSH-2.0-x\r\n\r\n"), NO_HTTP),
        ("HTTP/2", |connection| begin(connection, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), NO_HTTP),
        (
            "bytes",
            |connection| {
                begin(connection, "")?;
                connection.write_all(&(0..=255).cycle().take(4096).collect::<Vec<u8>>())
            },
            NO_HTTP,
        ),
        (
            "a length that is too short",
            |connection| {
                begin(
                    connection,
                    &format!("{OK}Content-Length: 5\r\n\r\n{{\"access_token\":\"x\"}}"),
                )
            },
            "is not valid JSON",
        ),
        (
            "a length that is none",
            |connection| begin(connection, &format!("{OK}Content-Length: -5\r\n\r\n{{}}")),
            NO_HTTP,
        ),
        (
            "chunks that are none",
            |connection| {
                begin(connection, &format!("{OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n"))
            },
            NO_HTTP,
        ),
        (
            "a redirect to itself",
            |connection| {
                let there = connection.local_addr()?;
                let start = "HTTP/1.1 307 Again\r\nContent-Length: 0\r\nLocation: http://";
                begin(connection, &format!("{start}{there}/standard/token\r\n\r\n"))
            },
            "redirect",
        ),
        (
            "another protocol from here on",
            |connection| begin(connection, "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
            "status 101",
        ),
    ]);
}
