//! As much of an HTTP/1.1 server as the sandbox needs, on threads.

mod answer;
mod body;
mod connections;
mod exchange;
mod head;

use std::io::{self, BufRead, BufReader};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use answer::Answer;
pub(super) use answer::Length;
use body::Timed;
use connections::Connection;
pub(super) use connections::Connections;
pub(super) use exchange::{Exchange, time};
pub(super) use head::Head;
use head::NoHead;

/// How long a connection may lie idle between two requests.
const IDLE: Duration = Duration::from_secs(60);

/// How long a head may take from its first byte on.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long one write may take.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// How long what a client still sends is read past after the last answer.
const LINGER: Duration = Duration::from_secs(2);

/// Takes connections and answers requests until the server stops.
pub(super) fn serve<H>(listener: &TcpListener, connections: &Arc<Connections>, handler: &Arc<H>)
where
    H: Fn(&mut Exchange) -> io::Result<()> + Send + Sync + 'static,
{
    while !connections.stopping() {
        match listener.accept() {
            Ok((stream, _)) => {
                let Some(connection) = connections.admit(stream) else { return };
                let handler = Arc::clone(handler);
                let answer = move || drop(serve_connection(&connection, &*handler));
                // Without a thread there is no answer: the connection closes.
                let _ = thread::Builder::new().name("sandbox connection".into()).spawn(answer);
            }
            // Out of descriptors, mostly; one will be free soon.
            Err(_) => connections.sleep(Duration::from_millis(50)),
        }
    }
}

fn serve_connection<H>(connection: &Connection, handler: &H) -> io::Result<()>
where
    H: Fn(&mut Exchange) -> io::Result<()>,
{
    let stream = &connection.stream;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_TIME))?;
    let mut reader = BufReader::with_capacity(16 * 1024, Timed::new(Arc::clone(stream)));
    while serve_request(&mut reader, connection, handler)? {}

    // Closing while the client still sends would reset the connection and lose the answer
    // (RFC 9112 section 9.6).
    stream.shutdown(Shutdown::Write)?;
    reader.get_mut().within(LINGER);
    io::copy(&mut reader, &mut io::sink())?;
    Ok(())
}

/// Answers one request: whether another may follow.
fn serve_request<H>(
    reader: &mut BufReader<Timed>,
    connection: &Connection,
    handler: &H,
) -> io::Result<bool>
where
    H: Fn(&mut Exchange) -> io::Result<()>,
{
    reader.get_mut().within(IDLE);
    if reader.fill_buf()?.is_empty() {
        return Ok(false);
    }
    reader.get_mut().within(HEAD_TIME);
    let head = match Head::read(reader) {
        Ok(head) => head,
        Err(NoHead::Lost) => return Ok(false),
        Err(NoHead::Refused(status, reason)) => {
            exchange::refuse(&connection.stream, status, reason)?;
            return Ok(false);
        }
    };
    let mut exchange = Exchange::new(&head, reader, &connection.stream);
    let outcome = handler(&mut exchange);
    Ok(exchange.finish(outcome))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::thread;

    use super::super::raw_client::{
        BY_CLIENT, connect, get, log_in, read, request, send, token_request, try_send,
    };
    use super::super::{Options, Provider, Sandbox};

    fn sandbox() -> (Sandbox, String) {
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        let token = log_in(&sandbox, Provider::Standard).member("access_token");
        (sandbox, format!("Authorization: Bearer {token}"))
    }

    /// A request to `/whoami` with a body of chunks.
    fn chunked(bearer: &str, body: &str) -> String {
        let headers = [bearer, "Transfer-Encoding: chunked"];
        request("POST /standard/whoami", &headers, "") + body
    }

    #[test]
    fn a_connection_serves_many_requests_even_sent_at_once() {
        let (sandbox, bearer) = sandbox();
        let mut connection = connect(&sandbox);
        let one = request("POST /standard/whoami", &[&bearer], "abc");
        let two = chunked(&bearer, "3;x=y\r\nabc\r\n0\r\nTrailer: z\r\n\r\n");
        // A refusal that leaves a small body unread.
        let three = request("POST /standard/nothing", &[], "abc");
        connection.get_mut().write_all((one + &two + &three).as_bytes()).expect("sent");
        let head_only = request("HEAD /standard/whoami", &[&bearer], "");
        connection.get_mut().write_all(head_only.as_bytes()).expect("sent");
        for status in [200, 200, 404] {
            let reply = read(&mut connection, true).expect("an answer");
            assert_eq!(reply.status, status);
            assert!(status == 404 || reply.json()["body_bytes"] == 3);
        }
        assert_eq!(read(&mut connection, false).map(|reply| reply.status), Some(200));
        let last = request("GET /standard/nothing", &["Connection: close"], "");
        connection.get_mut().write_all(last.as_bytes()).expect("sent");
        let reply = read(&mut connection, true).expect("an answer");
        assert_eq!(reply.header("connection"), Some("close"));
        assert!(read(&mut connection, true).is_none());
    }

    #[test]
    fn a_client_that_waits_for_leave_to_send_is_given_it_unless_it_is_refused() {
        let (sandbox, bearer) = sandbox();
        let mut connection = connect(&sandbox);
        let head = |bearer: &str| {
            let headers = [bearer, "Expect: 100-continue", "Content-Length: 3"];
            request("POST /standard/whoami", &headers, "")
        };
        connection.get_mut().write_all(head(&bearer).as_bytes()).expect("sent");
        assert_eq!(read(&mut connection, false).map(|reply| reply.status), Some(100));
        connection.get_mut().write_all(b"abc").expect("sent");
        assert_eq!(read(&mut connection, true).expect("an answer").json()["body_bytes"], 3);
        connection.get_mut().write_all(head("X: y").as_bytes()).expect("sent");
        let refused = read(&mut connection, true).expect("an answer");
        assert_eq!((refused.status, refused.header("connection")), (401, Some("close")));
    }

    #[test]
    fn a_refusal_reaches_a_client_that_is_still_sending() {
        let (sandbox, _) = sandbox();
        let large = "x".repeat(20_000_000);
        for body in [&large, &large[..100_000]] {
            assert_eq!(send(&sandbox, request("PUT /standard/echo", &[], body)).status, 401);
        }
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let (sandbox, bearer) = sandbox();
        for body in [
            "x\r\n",
            "+3\r\nabc\r\n0\r\n\r\n",
            "\r\n",
            "3\nabc\r\n0\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "fffffffffffffffff\r\n",
            &format!("0\r\n{}", "a: b\r\n".repeat(100)),
            &format!("{}\r\n", "0".repeat(2000)),
        ] {
            assert_eq!(send(&sandbox, chunked(&bearer, body)).status, 400, "{body:.20}");
        }
    }

    #[test]
    fn garbage_is_refused_and_harms_nobody() {
        let (sandbox, _) = sandbox();
        let noise: Vec<u8> =
            (0..100_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
        for piece in noise.chunks(5000) {
            assert!(
                try_send(&sandbox, [piece, b"\r\n\r\n"].concat()).is_none_or(|r| r.status == 400)
            );
        }
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(200_000));
        assert!(try_send(&sandbox, endless).is_none_or(|reply| reply.status == 431));
        assert!(try_send(&sandbox, "GET / HTTP/3\r\n\r\n").is_some_and(|r| r.status == 505));
        log_in(&sandbox, Provider::Bindeo);
    }

    #[test]
    fn three_hundred_idle_connections_leave_room_for_fifty_busy_ones() {
        let (sandbox, _) = sandbox();
        let idle: Vec<_> = (0..300).map(|_| connect(&sandbox)).collect();
        thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    for provider in [Provider::Bindeo, Provider::Musement, Provider::Kabbage] {
                        let reply = send(&sandbox, token_request(provider, BY_CLIENT));
                        let token = reply.member("access_token");
                        assert_eq!(get(&sandbox, provider, "/whoami", &token).status, 200);
                    }
                });
            }
        });
        assert_eq!(sandbox.counts(Provider::Musement).client_credentials, 50);
        drop(idle);
    }
}
