//! The head of a browser's request, read as strictly as RFC 9112 lets a server be.

use super::{LONGEST, Refusal, bad};

/// The longest method; the IANA's longest has 17 letters.
const LONGEST_METHOD: usize = 32;

/// The parts of a head that tell whose it is.
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    /// The path of the target, as it came.
    pub(super) path: &'a str,
    /// The query, empty where there is none.
    pub(super) query: &'a str,
    /// The value of the one `Host` header.
    pub(super) host: &'a [u8],
}

/// Reads a head; `None` while it isn't whole.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Head<'_>>, Refusal> {
    // What begins like no request, as TLS does, is not waited for.
    let method = bytes.split(|&byte| byte == b' ').next().unwrap_or_default();
    if method.len() > LONGEST_METHOD || !method.iter().all(|&byte| is_tchar(byte)) {
        return Err(bad("this is no request of HTTP/1.1"));
    }
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    if end.map_or(bytes.len() + 1, |end| end + 4) > LONGEST {
        return Err(Refusal { status: 431, reason: "the request is too long" });
    }
    let Some(end) = end else { return Ok(None) };
    let mut lines = bytes[..end + 2].split_inclusive(|&byte| byte == b'\n');
    let (method, target) = request_line(line(lines.next().unwrap_or_default())?)?;
    let host = host(lines)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Some(Head { method, path, query, host }))
}

/// A line without its end.
fn line(line: &[u8]) -> Result<&[u8], Refusal> {
    line.strip_suffix(b"\r\n").ok_or(bad("a line of the request doesn't end in CRLF"))
}

fn request_line(line: &[u8]) -> Result<(&str, &str), Refusal> {
    let malformed = bad("the request line is malformed");
    let text = std::str::from_utf8(line).map_err(|_| malformed)?;
    let mut words = text.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(malformed);
    };
    match version {
        "HTTP/1.1" | "HTTP/1.0" => {}
        _ if version.starts_with("HTTP/") => {
            return Err(Refusal { status: 505, reason: "only HTTP/1.1 is spoken here" });
        }
        _ => return Err(malformed),
    }
    // Not the absolute form either: nobody is asked to be a proxy (RFC 9112 section 3.2).
    let plain = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if method.is_empty() || !target.starts_with('/') || !plain {
        return Err(malformed);
    }
    Ok((method, target))
}

/// The value of `Host`, which stands there exactly once (RFC 9112 section 3.2).
fn host<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<&'a [u8], Refusal> {
    let mut host = None;
    for header in lines {
        let header = line(header)?;
        let colon = header.iter().position(|&byte| byte == b':').unwrap_or_default();
        let (name, value) = header.split_at(colon);
        let value = value.get(1..).unwrap_or_default();
        let is_text = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
        if name.is_empty() || !name.iter().all(|&b| is_tchar(b)) || !value.iter().all(is_text) {
            return Err(bad("a header is malformed"));
        }
        if name.eq_ignore_ascii_case(b"host") && host.replace(value.trim_ascii()).is_some() {
            return Err(bad("a request has exactly one Host header"));
        }
    }
    host.ok_or(bad("a request has exactly one Host header"))
}

/// Whether a byte may stand in a `token` (RFC 9110 section 5.6.2).
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
