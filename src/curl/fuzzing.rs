//! What must hold of every call of curl, and of whatever curl prints.

#![allow(clippy::missing_panics_doc, reason = "to panic is all that they do")]

use std::cell::RefCell;
use std::io;

use url::Url;

use super::config;
use super::options::{Item, Table};
use super::place::Files;
use super::plan::{Plan, Requests, Surroundings, Word, judge};
use super::redact::Redactor;
use super::targets::ApiHosts;
use crate::secret::Secret;

/// The hosts that may see the token.
const API_HOSTS: [&str; 3] = ["api.bindeo.com", "*.example.com:8443", "localhost"];

/// Every file, in the order in which they are read; the last is read ever again.
struct Contents<'a>(RefCell<Vec<&'a [u8]>>);

impl Files for Contents<'_> {
    fn read(&self, _: &[u8]) -> io::Result<Vec<u8>> {
        let mut contents = self.0.borrow_mut();
        let content = contents.last().copied().ok_or(io::ErrorKind::NotFound)?;
        if contents.len() > 1 {
            contents.pop();
        }
        Ok(content.to_vec())
    }

    fn is_once(&self, name: &[u8]) -> bool {
        name.starts_with(b"/dev/fd/")
    }

    fn is_closed(&self, name: &[u8]) -> bool {
        name == b"/dev/fd/9"
    }
}

/// A line for each argument; behind a NUL each, the user's `.curlrc` and other files.
pub fn curl(data: &[u8]) {
    let mut parts = data.split(|&byte| byte == 0);
    let args = parts.next().unwrap_or_default();
    let args: Vec<_> = args.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let curlrc = parts.next().map(|text| ("/home/.curlrc".into(), text.to_vec()));
    let mut contents: Vec<_> = parts.collect();
    contents.reverse();
    let help = String::new;
    let around = Surroundings {
        table: Table::new(&help),
        files: &Contents(RefCell::new(contents)),
        hosts: &ApiHosts::listed(&API_HOSTS).expect("patterns"),
        curlrc,
        proxied: false,
    };
    if let Ok(Plan::Requests(requests)) = judge(&args, &around) {
        told(&requests, &around.table);
    }
}

/// Whatever curl is told, the token goes nowhere else.
fn told(requests: &Requests, table: &Table<'_>) {
    let (mut urls, mut tokens, mut parts) = (0, 0, 1);
    let mut note = |item: &Item| {
        urls += usize::from(item.name == "url");
        parts += usize::from(item.name == "next");
        harmless(item);
    };
    for word in &requests.words {
        match word {
            Word::Option(item) => note(item),
            Word::Config(lines) => read_back(lines.expose(), table).iter().for_each(&mut note),
            Word::Token => tokens += 1,
        }
    }
    assert_eq!(tokens, parts);
    assert!(urls >= parts);
}

/// The options of a configuration that was written for curl.
fn read_back(text: &[u8], table: &Table<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for line in config::lines(text) {
        let read = table.read(line.option, line.value.as_deref(), &mut items);
        assert_eq!(read.expect("an option that was written is one"), line.value.is_some());
    }
    let mut again = Vec::new();
    for item in &items {
        config::write(&mut again, item);
    }
    assert_eq!(again, text, "{}", text.escape_ascii());
    items
}

fn harmless(item: &Item) {
    let value = item.value.as_deref().unwrap_or_default();
    let name = item.name.as_str();
    let steals = ["config", "netrc", "oauth2-bearer", "trace", "trace-ascii", "user", "variable"];
    assert!(!item.on || !(steals.contains(&name) || name.starts_with("expand-")), "{name}");
    if name == "header" {
        assert!(!value.starts_with(b"@"), "{}", value.escape_ascii());
        let header = value.trim_ascii_start().to_ascii_lowercase();
        let end = header.iter().position(|byte| b":;".contains(byte)).unwrap_or(header.len());
        assert_ne!(header[..end].trim_ascii(), b"authorization");
    }
    // Another parser sees the same host in a URL, where it sees any.
    if name == "url"
        && let Ok(url) = Url::parse(&String::from_utf8_lossy(value))
    {
        let host = url.host_str().unwrap_or_default();
        let admitted = match url.port_or_known_default() {
            Some(8443) if host.ends_with(".example.com") => true,
            _ => ["api.bindeo.com", "localhost"].contains(&host),
        };
        assert!(admitted && url.username().is_empty() && url.password().is_none(), "{url}");
        assert!(
            url.scheme() == "https" || (url.scheme() == "http" && host == "localhost"),
            "{url}"
        );
    }
}

/// A byte that says where the stream is cut, a line with the token, and the stream.
pub fn stream(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else { return };
    let (token, text) = crate::wire::fuzzing::first_line(data);
    let redacted = |pieces: &[&[u8]]| {
        let mut redactor = Redactor::new(&Secret::from(&*token));
        let mut out = Vec::new();
        for piece in pieces {
            redactor.push(piece, &mut out);
        }
        redactor.finish(&mut out);
        out
    };
    let whole = redacted(&[text]);
    let (start, end) = text.split_at(usize::from(cut).min(text.len()));
    assert_eq!(redacted(&[start, b"", end]), whole);
    if token.is_empty() {
        return assert_eq!(whole, text);
    }
    // So much of it is enough to know it by.
    let telling = &token.as_bytes()[..token.len().min(16)];
    let holds = |text: &[u8]| text.windows(telling.len()).any(|window| window == telling);
    assert!(holds(text) || whole == text);
    let clean = whole.split(|&byte| byte == b'[' || byte == b']');
    let brackets = telling.iter().any(|byte| b"[]".contains(byte)) || "redacted".contains(&*token);
    assert!(brackets || !clean.into_iter().any(holds), "{}", whole.escape_ascii());
}
