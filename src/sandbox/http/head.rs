//! The head of a request, parsed as strictly as RFC 9112 lets a server be.

use std::io::{self, BufRead, Read};

use crate::secret::Secret;

/// The longest head: room for a large token in a header or a query string.
const LONGEST: u64 = 128 * 1024;

/// The longest method; the IANA's longest has 17 letters.
const LONGEST_METHOD: usize = 32;

/// A request's head. A secret may stand anywhere in it.
pub(in crate::sandbox) struct Head {
    /// The method, made of token characters.
    pub method: String,
    /// The target as it was received.
    pub target: Secret,
    /// The whole head, up to and with the empty line.
    pub raw: Secret,
    /// How the body is delimited.
    pub framing: Framing,
    minor: u8,
}

/// How a body is delimited (RFC 9112 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Framing {
    /// By `Content-Length`; zero where there is none.
    Length(u64),
    /// By chunks.
    Chunked,
}

/// Why there is no head.
#[derive(Debug)]
pub(super) enum NoHead {
    /// The connection ended or failed: nobody is there to be answered.
    Lost,
    /// What came is refused, with this status and reason.
    Refused(u16, &'static str),
}

impl From<io::Error> for NoHead {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Self::Refused(408, "the head of the request took too long")
            }
            _ => Self::Lost,
        }
    }
}

const fn bad(reason: &'static str) -> NoHead {
    NoHead::Refused(400, reason)
}

impl Head {
    /// Reads one head.
    pub(super) fn read(reader: &mut impl BufRead) -> Result<Self, NoHead> {
        let raw = read_lines(reader)?;
        let text = std::str::from_utf8(raw.expose()).map_err(|_| bad("the head is not UTF-8"))?;
        let mut lines = text.split_terminator("\r\n");
        let (method, target, minor) = request_line(lines.next().unwrap_or_default())?;
        lines.take_while(|line| !line.is_empty()).try_for_each(header_line)?;
        let mut head = Self {
            method: method.to_owned(),
            target: target.into(),
            raw: text.into(),
            framing: Framing::Length(0),
            minor,
        };
        // RFC 9112 section 3.2.
        if head.values("host").count() != 1 && minor == 1 {
            return Err(bad("a request has exactly one Host header"));
        }
        head.framing = head.read_framing()?;
        Ok(head)
    }

    /// The values of a header, one for each line of its name.
    pub(in crate::sandbox) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.raw.expose().split("\r\n").skip(1).filter_map(move |line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim_matches([' ', '\t']))
        })
    }

    /// The path of the target, and its query string.
    pub(in crate::sandbox) fn path_and_query(&self) -> (&str, Option<&str>) {
        let target = self.target.expose().as_str();
        // The absolute form, which a client sends to a proxy (RFC 9112 section 3.2.2).
        let origin = match target.strip_prefix("http://") {
            Some(rest) => rest.find(['/', '?']).map_or("/", |start| &rest[start..]),
            None => target,
        };
        origin.split_once('?').map_or((origin, None), |(path, query)| (path, Some(query)))
    }

    /// Whether the client lets the connection go on.
    pub(super) fn keep_alive(&self) -> bool {
        self.minor == 1 && !self.lists("connection", "close")
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(super) fn expects_continue(&self) -> bool {
        self.minor == 1 && self.lists("expect", "100-continue")
    }

    fn lists(&self, name: &str, word: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(word))
    }

    /// One way to tell the length, told once: two are how requests are smuggled.
    fn read_framing(&self) -> Result<Framing, NoHead> {
        let codings: Vec<_> = self.values("transfer-encoding").collect();
        let lengths: Vec<_> = self.values("content-length").collect();
        match (codings.as_slice(), lengths.as_slice()) {
            ([], []) => Ok(Framing::Length(0)),
            ([], [length]) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().map(Framing::Length).map_err(|_| bad("Content-Length is no length"))
            }
            ([coding], []) if self.minor == 1 && coding.eq_ignore_ascii_case("chunked") => {
                Ok(Framing::Chunked)
            }
            ([_], []) => Err(NoHead::Refused(501, "chunked is the only coding known here")),
            _ => Err(bad("the length of the body is told badly or twice")),
        }
    }
}

fn read_lines(reader: &mut impl BufRead) -> Result<Secret<Vec<u8>>, NoHead> {
    let mut bytes = Vec::new();
    let mut limited = reader.take(LONGEST);
    loop {
        let start = bytes.len();
        limited.read_until(b'\n', &mut bytes)?;
        let line = &bytes[start..];
        if line == b"\r\n" {
            return Ok(bytes.into());
        }
        if !line.ends_with(b"\n") {
            return Err(match limited.limit() {
                0 => NoHead::Refused(431, "the head is too long"),
                _ => NoHead::Lost,
            });
        }
        if !line.ends_with(b"\r\n") {
            return Err(bad("a line of the head does not end in CRLF"));
        }
    }
}

fn request_line(line: &str) -> Result<(&str, &str, u8), NoHead> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad("the first line is no request line"));
    };
    let minor = match version {
        "HTTP/1.1" => 1,
        "HTTP/1.0" => 0,
        _ if version.starts_with("HTTP/") => {
            return Err(NoHead::Refused(505, "this server speaks HTTP/1.1"));
        }
        _ => return Err(bad("the first line is no request line")),
    };
    if !is_token(method) || method.len() > LONGEST_METHOD {
        return Err(bad("the method is malformed"));
    }
    let starts_well = target.starts_with('/') || target.starts_with("http://") || target == "*";
    if !starts_well || !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(bad("the target is malformed"));
    }
    Ok((method, target, minor))
}

fn header_line(line: &str) -> Result<(), NoHead> {
    let well_formed = line.split_once(':').is_some_and(|(name, value)| {
        is_token(name) && !value.chars().any(|c| c.is_control() && c != '\t')
    });
    if well_formed { Ok(()) } else { Err(bad("a header is malformed")) }
}

/// Whether a word is a `token` (RFC 9110 section 5.6.2).
fn is_token(word: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !word.is_empty() && word.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Head, u16> {
        Head::read(&mut text.as_bytes()).map_err(|fault| match fault {
            NoHead::Refused(status, _) => status,
            NoHead::Lost => 0,
        })
    }

    #[test]
    fn a_head_tells_its_target_headers_and_framing() {
        let head = read(
            "POST /a/b?x=1?2 HTTP/1.1\r\nHost: h\r\nX-A: 1 \r\nx-a:2\r\ncontent-length: 12\r\n\r\n",
        )
        .expect("well-formed");
        assert_eq!(head.path_and_query(), ("/a/b", Some("x=1?2")));
        assert_eq!(head.values("x-A").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(head.framing, Framing::Length(12));
        assert!(head.keep_alive() && !head.expects_continue());
    }

    #[test]
    fn the_absolute_form_of_a_target_is_understood() {
        for (target, path, query) in [
            ("http://h:1/a?b", "/a", Some("b")),
            ("http://h", "/", None),
            ("http://h?b", "", Some("b")),
        ] {
            let head = read(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")).expect(target);
            assert_eq!(head.path_and_query(), (path, query), "{target}");
        }
    }

    #[test]
    fn malformed_heads_are_refused() {
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(200_000));
        for (text, status) in [
            ("\r\n", 400),
            ("\x16\x03\x01\x02\r\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: h\n\n", 400),
            ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            ("GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            ("GET /#f HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            ("GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            ("G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nX : 1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nX: 1\r\n folded\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
            (
                "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\
                 Transfer-Encoding: chunked\r\n\r\n",
                400,
            ),
            ("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
            ("GET / HTTP/1.1\r\nHost", 0),
            ("", 0),
            (&long, 431),
        ] {
            assert_eq!(read(text).err(), Some(status), "{text:.60}");
        }
    }

    proptest! {
        #[test]
        fn no_head_makes_it_panic(
            bytes: Vec<u8>, line in "[ -~]*", rest in "([ -~]*\r\n){0,4}\r\n"
        ) {
            let _ = Head::read(&mut bytes.as_slice());
            let text = format!("GET /{line} HTTP/1.1\r\nHost: h\r\n{rest}");
            if let Ok(head) = Head::read(&mut text.as_bytes()) {
                let _ = head.path_and_query();
            }
        }
    }
}
