//! Real sockets on this machine, and servers that misbehave.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use url::Url;

use super::*;

const SECRET: &str = "correct-horse-battery";

/// A server that treats each connection as told, and where it listens.
fn serve(each: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(|stream| each(stream.unwrap())));
    port
}

/// A server that answers each request with these bytes, and what it was asked.
fn answering(answer: impl Into<Vec<u8>>) -> (u16, Receiver<String>) {
    let (answer, (asked, requests)) = (answer.into(), mpsc::channel());
    let port = serve(move |mut stream| {
        asked.send(request(&mut stream)).unwrap();
        let _ = stream.write_all(&answer);
    });
    (port, requests)
}

/// One request, with the body that its `Content-Length` promises.
fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut byte = [0];
    let mut left = None;
    while left != Some(0) && stream.read(&mut byte).unwrap() == 1 {
        text.push(byte[0].into());
        left = left.map(|left: usize| left - 1);
        if left.is_none() && text.ends_with("\r\n\r\n") {
            let length = text.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
            });
            left = Some(length.unwrap_or(0));
        }
    }
    text
}

fn post(url: &str) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        endpoint: Url::parse(url).unwrap(),
        query: Some(Secret::new(format!("secret={SECRET}"))),
        headers: vec![("Accept".to_owned(), Secret::from("application/json"))],
        body: Some(format!("secret={SECRET}").into_bytes().into()),
    }
}

fn send_within(timeout: Duration, request: &HttpRequest) -> Result<HttpResponse> {
    let result = UreqTransport::new(timeout, None, &Env::of(&[]), &Trust::default()).send(request);
    if let Err(error) = &result {
        assert_no_secret(error);
    }
    result
}

fn send(request: &HttpRequest) -> Result<HttpResponse> {
    send_within(Duration::from_secs(30), request)
}

fn assert_no_secret(error: &Error) {
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
}

/// The message of a network error, its source, and whether the request may have arrived.
fn network(error: Error) -> (String, String, bool) {
    let Error::Network { message, sent, source, .. } = error else { panic!("{error:?}") };
    (message, source.map(|source| source.to_string()).unwrap_or_default(), sent)
}

/// Whether a network error may be over in a moment.
fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Network { passing: true, .. })
}

fn bad_answer(error: Error) -> String {
    let Error::BadAnswer(message) = error else { panic!("{error:?}") };
    message
}

#[test]
fn the_request_goes_out_as_it_is_and_the_answer_comes_back_whole() {
    let (port, requests) = answering(
        "HTTP/1.1 429 Slow\r\nContent-Type: application/json; charset=x\r\n\
         Date: Fri, 31 Dec 1999 23:58:59 GMT\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\
         Content-Length: 2\r\n\r\n{}",
    );
    let answer = send(&post(&format!("http://127.0.0.1:{port}/t?a=b"))).unwrap();
    assert_eq!(answer.status, 429);
    assert_eq!(answer.content_type.as_deref(), Some("application/json; charset=x"));
    assert_eq!(answer.retry_after, Some(60));
    assert_eq!(answer.body.expose(), b"{}");
    assert_eq!(
        requests.recv().unwrap(),
        format!(
            "POST /t?a=b&secret={SECRET} HTTP/1.1\r\naccept-encoding: gzip\r\n\
             content-length: 28\r\nuser-agent: {USER_AGENT}\r\nhost: 127.0.0.1:{port}\r\n\
             accept: application/json\r\n\r\nsecret={SECRET}"
        )
    );
}

#[test]
fn a_get_has_no_body_and_a_post_without_one_says_so() {
    let (port, requests) = answering("HTTP/1.1 204 No\r\n\r\n");
    let url = format!("http://127.0.0.1:{port}/t");
    send(&HttpRequest { method: Method::Get, body: None, ..post(&url) }).unwrap();
    let get = requests.recv().unwrap();
    assert!(get.starts_with("GET /t?secret=") && !get.contains("content-"), "{get}");
    send(&HttpRequest { body: None, ..post(&url) }).unwrap();
    let empty = requests.recv().unwrap();
    assert!(empty.contains("\r\ncontent-length: 0\r\n") && !empty.contains("type"), "{empty}");
}

#[test]
fn a_redirect_is_handed_back_and_not_followed() {
    let (elsewhere, never) = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for status in [301, 302, 303, 307, 308] {
        let target = format!("http://127.0.0.1:{elsewhere}/");
        let (port, _requests) = answering(format!(
            "HTTP/1.1 {status} Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        ));
        let answer = send(&post(&format!("http://127.0.0.1:{port}/t"))).unwrap();
        assert_eq!((answer.status, answer.location), (status, Some(target)));
    }
    assert!(never.try_recv().is_err());
    let (port, _requests) = answering("HTTP/1.1 302 Nowhere\r\nContent-Length: 2\r\n\r\nhm");
    let answer = send(&post(&format!("http://127.0.0.1:{port}/t"))).unwrap();
    assert_eq!((answer.status, answer.location), (302, None));
}

#[test]
fn a_server_that_drips_is_given_up_at_the_deadline() {
    for head in
        ["HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"]
    {
        let port = serve(move |mut stream| {
            request(&mut stream);
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let slow =
            send_within(Duration::from_millis(300), &post(&format!("http://127.0.0.1:{port}/t")));
        let (message, _, sent) = network(slow.unwrap_err());
        assert_eq!(
            message,
            format!("127.0.0.1:{port}: timed out after 300ms, while waiting for the answer")
        );
        assert!(sent);
    }
}

#[test]
fn a_server_that_says_nothing_to_tls_is_given_up_at_the_deadline() {
    let port = serve(|stream| {
        thread::sleep(Duration::from_secs(600));
        drop(stream);
    });
    let mute =
        send_within(Duration::from_millis(300), &post(&format!("https://127.0.0.1:{port}/t")));
    let (message, _, sent) = network(mute.unwrap_err());
    assert_eq!(message, format!("127.0.0.1:{port}: timed out after 300ms, while agreeing on TLS"));
    assert!(!sent);
}

#[test]
fn no_time_at_all_is_a_time_out_too() {
    let late = send_within(Duration::ZERO, &post("http://127.0.0.1:9/t"));
    assert!(!network(late.unwrap_err()).2);
    let (port, _requests) = answering("HTTP/1.1 204 No\r\n\r\n");
    send_within(Duration::MAX, &post(&format!("http://127.0.0.1:{port}/t"))).unwrap();
}

#[test]
fn an_answer_is_read_up_to_a_bound() {
    let limit = usize::try_from(LONGEST_BODY).unwrap();
    let whole = |body: Vec<u8>, head: &str| {
        let (port, _requests) = answering([head.as_bytes(), b"\r\n\r\n", &body].concat());
        send(&post(&format!("http://127.0.0.1:{port}/t")))
    };
    let largest = whole(vec![b' '; limit], "HTTP/1.1 200 OK").unwrap();
    assert_eq!(largest.body.expose().len(), limit);
    let message = bad_answer(whole(vec![b' '; limit + 1], "HTTP/1.1 200 OK").unwrap_err());
    assert!(message.ends_with("is too large: more than 1048576 bytes"), "{message}");

    let endless = serve(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b' '; 4096]).is_ok() {}
    });
    bad_answer(send(&post(&format!("http://127.0.0.1:{endless}/t"))).unwrap_err());

    // Four mebibytes of zeros in four kilobytes.
    let mut bomb = vec![0; 4098];
    bomb[..18].copy_from_slice(b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xed\xc1\x01\x01\0\0\0\x82");
    bomb[18..25].copy_from_slice(b"\x20\xff\xaf\x6e\x48\x40\x01");
    bomb[4088..].copy_from_slice(b"\x7c\x1b\x6a\x40\x47\x11\0\0\x40\0");
    let message = bad_answer(whole(bomb, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip").unwrap_err());
    assert!(message.ends_with("is too large: more than 1048576 bytes"), "{message}");

    let head = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(LONGEST_HEAD));
    let message = bad_answer(whole(vec![], &head).unwrap_err());
    assert!(message.starts_with("the headers of 127.0.0.1:"), "{message}");
}

#[test]
fn what_is_no_http_is_a_bad_answer() {
    for nonsense in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        let (port, _requests) = answering(nonsense);
        let error = send(&post(&format!("http://127.0.0.1:{port}/t"))).unwrap_err();
        let message = bad_answer(error);
        assert!(message.contains(&format!("127.0.0.1:{port}")), "{nonsense}: {message}");
    }
}

#[test]
fn a_connection_that_breaks_after_the_request_may_have_delivered_it() {
    let closed = serve(|mut stream| drop(request(&mut stream)));
    // Closing with something unread resets the connection.
    let reset = serve(|mut stream| stream.read_exact(&mut [0]).unwrap());
    let (cut_off, _requests) = answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{");
    for port in [closed, reset, cut_off] {
        let error = send(&post(&format!("http://127.0.0.1:{port}/t"))).unwrap_err();
        assert!(!is_passing(&error));
        let (message, source, sent) = network(error);
        assert!(message.ends_with("the connection broke before the answer's end"), "{message}");
        assert!(!source.is_empty());
        assert!(sent);
    }
}

#[test]
fn a_closed_port_is_told_by_its_name_and_nothing_was_sent() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = send(&post(&format!("http://127.0.0.1:{port}/t"))).unwrap_err();
    assert!(is_passing(&error));
    assert_eq!(
        network(error),
        (format!("127.0.0.1:{port} refused the connection"), String::new(), false)
    );
}

#[test]
fn a_connection_that_breaks_before_the_request_may_stand_in_a_moment() {
    let closes = serve(drop);
    let resets = serve(|stream| stream.peek(&mut [0]).map(drop).unwrap());
    for port in [closes, resets] {
        let error = send(&post(&format!("https://127.0.0.1:{port}/t"))).unwrap_err();
        assert!(is_passing(&error), "{error:?}");
        assert!(!network(error).2);
    }
    let (port, _requests) = answering("HTTP/1.1 204 No\r\n\r\n");
    let error = send(&post(&format!("https://127.0.0.1:{port}/t"))).unwrap_err();
    assert!(!is_passing(&error), "{error:?}");
}

#[test]
fn a_name_that_nobody_has_was_sent_nothing() {
    let error = send_within(Duration::from_secs(5), &post("https://nobody.invalid/t"));
    let (message, _, sent) = network(error.unwrap_err());
    assert!(message.starts_with("nobody.invalid:443: "), "{message}");
    assert!(message.contains("name"), "{message}");
    assert!(!sent);
}

#[test]
fn localhost_is_tried_on_both_addresses() {
    let listener = match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return,
        listener => listener.unwrap(),
    };
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        request(&mut stream);
        stream.write_all(b"HTTP/1.1 204 No\r\n\r\n").unwrap();
    });
    assert_eq!(send(&post(&format!("http://localhost:{port}/t"))).unwrap().status, 204);
}

#[test]
fn the_last_gate_lets_nothing_out_unprotected() {
    for url in [
        "http://api.example/t",
        "http://127.0.0.1.example/t",
        "ftp://localhost/t",
        "https://user:pass@api.example/t",
        "http://user@localhost/t",
    ] {
        let error = send(&post(url)).unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{url}: {error:?}");
    }
    let mut split = post("http://127.0.0.1:9/t");
    split.headers.push(("X".to_owned(), Secret::new(format!("{SECRET}\r\nY: z"))));
    assert!(matches!(send(&split).unwrap_err(), Error::Config(_)));
}

/// Sends to a server that is known to none but the proxy.
fn send_by_proxy(port: u16, timeout: Duration) -> Error {
    let proxy = format!("http://user:hunter2@127.0.0.1:{port}");
    let env = Env::of(&[("https_proxy", &proxy)]);
    let trust = Trust::default();
    let transport = UreqTransport::new(timeout, None, &env, &trust);
    let error = transport.send(&post("https://api.example/t")).unwrap_err();
    assert_no_secret(&error);
    assert!(!format!("{error:?}").contains("hunter2"));
    error
}

#[test]
fn a_proxy_is_told_the_server_and_nothing_of_the_request() {
    let (port, requests) = answering("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    let (message, source, sent) = network(send_by_proxy(port, Duration::from_secs(30)));
    let asked = requests.recv().unwrap();
    assert!(asked.starts_with("CONNECT api.example:443 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nProxy-Authorization: Basic dXNlcjpodW50ZXIy\r\n"), "{asked}");
    assert!(!asked.contains(SECRET), "{asked}");
    assert_eq!(message, format!("the proxy 127.0.0.1:{port} did not connect to api.example:443"));
    assert!(source.contains("407"), "{source}");
    assert!(!sent);
}

#[test]
fn a_proxy_is_held_to_the_deadline_as_well() {
    let drips = serve(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 ");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
    });
    let (message, _, sent) = network(send_by_proxy(drips, Duration::from_millis(300)));
    assert_eq!(
        message,
        format!("the proxy 127.0.0.1:{drips}: timed out after 300ms, while connecting")
    );
    assert!(!sent);
}

#[test]
fn behind_a_proxy_nothing_is_sent_before_tls_stands() {
    let (port, _requests) = answering("no HTTP\r\n\r\n");
    let (message, _, sent) = network(send_by_proxy(port, Duration::from_secs(30)));
    assert_eq!(message, format!("the proxy 127.0.0.1:{port}: no connection"));
    assert!(!sent);

    let (port, _requests) = answering("HTTP/1.1 200 OK\r\n\r\nthis is no TLS at all");
    let (message, source, sent) = network(send_by_proxy(port, Duration::from_secs(30)));
    let by = format!("api.example:443 (by the proxy 127.0.0.1:{port})");
    assert_eq!(message, format!("{by}: TLS failed"));
    assert!(!source.is_empty());
    assert!(!sent);
}

#[test]
fn this_machine_is_reached_without_the_proxy() {
    let (port, _requests) = answering("HTTP/1.1 204 No\r\n\r\n");
    let env = Env::of(&[("http_proxy", "http://127.0.0.1:9"), ("ALL_PROXY", "http://127.0.0.1:9")]);
    let trust = Trust::default();
    let transport = UreqTransport::new(Duration::from_secs(30), None, &env, &trust);
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}/t");
        assert_eq!(transport.send(&post(&url)).unwrap().status, 204);
    }
}

mod tls {
    use std::fs;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    use tempfile::TempDir;

    use super::*;

    /// A server of OpenSSL's that answers any GET, with a certificate for `localhost`.
    struct Server {
        child: Child,
        port: u16,
        folder: TempDir,
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn openssl(folder: &Path, line: &str) {
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    impl Server {
        /// `None` on a machine without OpenSSL.
        #[expect(clippy::print_stderr, reason = "what is not tested must not look tested")]
        fn start() -> Option<Self> {
            if Command::new("openssl").arg("version").output().is_err() {
                eprintln!("skipped: there is no openssl on this machine");
                return None;
            }
            let folder = tempfile::tempdir().unwrap();
            let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
            for ca in ["ca", "other"] {
                openssl(
                    folder.path(),
                    &format!(
                        "req -x509 {key} -keyout {ca}.key -out {ca}.pem -days 2 -subj /CN={ca}"
                    ),
                );
            }
            openssl(folder.path(), &format!("req {key} -keyout s.key -out s.csr -subj /CN=s"));
            fs::write(folder.path().join("ext"), "subjectAltName=DNS:localhost\n").unwrap();
            openssl(
                folder.path(),
                "x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext \
                 -days 2 -out s.pem",
            );
            // A port that was free a moment ago: OpenSSL doesn't tell which one it took.
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address: SocketAddr = free.local_addr().unwrap();
            drop(free);
            let child = Command::new("openssl")
                .args(["s_server", "-quiet", "-www", "-cert", "s.pem", "-key", "s.key"])
                .args(["-accept", &address.to_string()])
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            while TcpStream::connect(address).is_err() {
                thread::sleep(Duration::from_millis(10));
            }
            Some(Self { child, port: address.port(), folder })
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn get(
            &self,
            host: &str,
            ca_file: Option<&str>,
            cert_file: Option<&str>,
        ) -> Result<HttpResponse> {
            let cert_file = cert_file.map(|name| self.path(name).to_str().unwrap().to_owned());
            let env = Env::of(&[("SSL_CERT_FILE", cert_file.as_deref().unwrap_or_default())]);
            let ca_file = ca_file.map(|name| self.path(name));
            UreqTransport::new(Duration::from_secs(30), ca_file, &env, &Trust::default()).send(
                &HttpRequest {
                    method: Method::Get,
                    body: None,
                    ..post(&format!("https://{host}:{}/", self.port))
                },
            )
        }
    }

    #[test]
    fn a_server_is_believed_by_the_lists_that_are_named() {
        let Some(server) = Server::start() else { return };
        for (ca_file, cert_file) in [
            (Some("ca.pem"), None),
            (None, Some("ca.pem")),
            (Some("ca.pem"), Some("other.pem")),
            (Some("other.pem"), Some("ca.pem")),
        ] {
            let answer = server.get("localhost", ca_file, cert_file).unwrap();
            assert_eq!(answer.status, 200, "{ca_file:?} {cert_file:?}");
        }
        for (ca_file, cert_file) in
            [(None, None), (Some("other.pem"), None), (None, Some("other.pem"))]
        {
            let error = server.get("localhost", ca_file, cert_file).unwrap_err();
            assert!(!is_passing(&error));
            let (message, source, sent) = network(error);
            assert_eq!(
                message,
                format!("localhost:{}: the certificate is not trusted", server.port)
            );
            assert!(source.contains("UnknownIssuer"), "{source}");
            assert!(!sent);
        }
        let (message, source, sent) =
            network(server.get("127.0.0.1", Some("ca.pem"), None).unwrap_err());
        assert!(message.contains("certificate"), "{message}");
        assert!(source.contains("127.0.0.1"), "{source}");
        assert!(!sent);
    }

    #[test]
    fn where_the_systems_list_can_only_be_asked_the_own_list_is_asked_first() {
        let Some(server) = Server::start() else { return };
        let list = |name: &str| {
            let path = server.path(name);
            let env = Env::of(&[("SSL_CERT_FILE", path.to_str().unwrap())]);
            Trust::default().roots(&env, None).unwrap().swap_remove(0)
        };
        for (lists, is_believed) in [
            (vec![list("ca.pem"), RootCerts::WebPki], true),
            (vec![RootCerts::WebPki, list("ca.pem")], true),
            (vec![list("other.pem"), RootCerts::WebPki], false),
        ] {
            let (env, trust) = (Env::of(&[]), Trust::of(lists));
            let transport = UreqTransport::new(Duration::from_secs(30), None, &env, &trust);
            let request = HttpRequest {
                method: Method::Get,
                body: None,
                ..post(&format!("https://localhost:{}/", server.port))
            };
            assert_eq!(transport.send(&request).is_ok(), is_believed);
        }
    }
}
