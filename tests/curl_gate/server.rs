//! A server on loopback that keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::user::NEW;

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) heads: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn token(&self) -> Option<&str> {
        let mut all = self.heads.iter().filter(|h| h.to_lowercase().starts_with("authorization:"));
        let token = all.next()?.strip_prefix("Authorization: Bearer ");
        assert!(all.next().is_none(), "two tokens");
        token
    }
}

pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers the one request of each connection.
    pub(crate) fn new(answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let request = read(&mut stream);
                    seen.lock().unwrap().push(request.clone());
                    answer(&request, &mut stream);
                });
            }
        });
        Self { port, requests }
    }

    /// Takes the new token alone.
    pub(crate) fn picky() -> Self {
        Self::new(|request, stream| match request.token() {
            Some(NEW) => reply(stream, "200 OK", &[], b"welcome"),
            _ => reply(stream, "401 Unauthorized", &["X-Mood: bad"], b"go away"),
        })
    }

    pub(crate) fn friendly() -> Self {
        Self::new(|_, stream| reply(stream, "200 OK", &[], b"welcome"))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.requests.lock().unwrap().clear();
    }

    /// The tokens of all requests; an empty text where there was none.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let requests = self.requests();
        requests.iter().map(|request| request.token().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        let text = |request: Request| String::from_utf8(request.body).unwrap();
        self.requests().into_iter().map(text).collect()
    }
}

pub(crate) fn reply(stream: &mut TcpStream, status: &str, heads: &[&str], body: &[u8]) {
    let heads = heads.iter().flat_map(|head| [*head, "\r\n"]).collect::<String>();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{heads}Connection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    // Whoever asked may be gone already.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

fn read(stream: &mut TcpStream) -> Request {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let line = read_line(&mut reader);
    let mut heads = Vec::new();
    loop {
        match read_line(&mut reader) {
            empty if empty.is_empty() => break,
            head => heads.push(head),
        }
    }
    let find = |name: &str| {
        heads.iter().find_map(|head| head.to_lowercase().strip_prefix(name).map(str::to_owned))
    };
    if find("expect:").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    let mut body = Vec::new();
    if let Some(length) = find("content-length:") {
        reader.take(length.trim().parse().unwrap()).read_to_end(&mut body).unwrap();
    } else if find("transfer-encoding:").is_some() {
        loop {
            let size = u64::from_str_radix(&read_line(&mut reader), 16).unwrap();
            reader.by_ref().take(size).read_to_end(&mut body).unwrap();
            read_line(&mut reader);
            if size == 0 {
                break;
            }
        }
    }
    Request { line, heads, body }
}

fn read_line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
