//! The listener on this machine to which a browser brings the answer (RFC 8252 section 7.3).
//!
//! It is bound before the URL is made and held until the answer came, so that nobody else can take
//! its port. Whatever else comes meanwhile, such as icons, connections made in advance, other pages'
//! guesses or another protocol, is answered or left alone, and never ends the login.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use url::{Host, Url};

use super::page::Page;
use crate::error::{Error, Result};
use crate::wire::callback::{Callback, Expected, LONGEST, Verdict};

/// How often it is looked whether anything came.
const TICK: Duration = Duration::from_millis(10);

/// How long a connection may take to send its request.
const SLOWEST: Duration = Duration::from_secs(10);

/// The most connections at once; the oldest makes room.
const MOST: usize = 64;

/// The most that are accepted at once from each of the two families of addresses: what one of them
/// has sent is looked at before it makes room.
const AT_ONCE: usize = MOST / 2;

/// How long a browser may take to fetch a page.
const DELIVERY: Duration = Duration::from_secs(2);

/// How often a free port is looked for that is free for both families of addresses.
const ATTEMPTS: usize = 16;

/// A redirect URI, and the listener behind it where it leads to this machine.
#[derive(Debug)]
pub struct Redirect {
    /// The redirect URI as the server is told it.
    pub uri: String,
    /// The same, parsed.
    pub url: Url,
    listeners: Vec<TcpListener>,
}

impl Redirect {
    /// Takes the first of these redirect URIs whose port is free, or which a person pastes from.
    pub fn bind(uris: &[String]) -> Result<Self> {
        let mut taken = Vec::new();
        for uri in uris {
            match Self::of(uri) {
                Ok(redirect) => return Ok(redirect),
                Err(Unbound::Config(error)) => return Err(error),
                Err(Unbound::Taken(error)) => taken.push(format!("{uri} ({error})")),
            }
        }
        Err(Error::config(format!(
            "no redirect_uri can be listened on: {}; end what uses its port, or list another one that \
             the server knows",
            taken.join(", ")
        )))
    }

    fn of(uri: &str) -> Result<Self, Unbound> {
        let unfit =
            |what: &str| Unbound::Config(Error::config(format!("redirect_uri {uri} {what}")));
        let url = Url::parse(uri).map_err(|_| unfit("is no URL"))?;
        if url.scheme() != "http" {
            // The browser goes elsewhere: the person brings the answer.
            return Ok(Self { uri: uri.to_owned(), url, listeners: Vec::new() });
        }
        let own = match url.host() {
            Some(Host::Domain("localhost")) => Family::Both,
            Some(Host::Ipv4(Ipv4Addr::LOCALHOST)) => Family::V4,
            Some(Host::Ipv6(Ipv6Addr::LOCALHOST)) => Family::V6,
            _ => return Err(unfit("is http, and neither 127.0.0.1, [::1] nor localhost")),
        };
        if let Some(port) = explicit_port(uri) {
            let listeners = bind(own, port).map_err(Unbound::Taken)?;
            return Ok(Self { uri: uri.to_owned(), url, listeners });
        }
        let (listeners, port) = bind_free(own).map_err(Unbound::Taken)?;
        let uri = with_port(uri, port);
        let url = Url::parse(&uri).map_err(|_| unfit("is no URL"))?;
        Ok(Self { uri, url, listeners })
    }

    /// Whether a browser can bring the answer by itself.
    #[must_use]
    pub const fn listens(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Waits until `until` for the answer, which may not come; `pasted` is asked now and then whether
    /// a person has brought it instead, and can end the waiting.
    ///
    /// The browser that brought it waits for its page until [`Browser::show`] is called.
    pub fn wait(
        &self,
        expected: &Expected<'_>,
        until: Instant,
        pasted: &mut dyn FnMut() -> Result<Option<Callback>>,
    ) -> Result<Option<(Callback, Browser)>> {
        let mut connections: Vec<Connection> = Vec::new();
        loop {
            for listener in &self.listeners {
                for connection in (0..AT_ONCE).map_while(|_| accept(listener)) {
                    if connections.len() == MOST {
                        connections.remove(0);
                    }
                    connections.push(connection);
                }
            }
            let mut at = 0;
            while at < connections.len() {
                match connections[at].judge(expected) {
                    Progress::Waits => at += 1,
                    Progress::Over => drop(connections.remove(at)),
                    Progress::Answered(callback) => {
                        let browser = Browser(Some(connections.remove(at).stream));
                        return Ok(Some((callback, browser)));
                    }
                }
            }
            if let Some(callback) = pasted()? {
                return Ok(Some((callback, Browser(None))));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            thread::sleep(TICK);
        }
    }
}

/// The browser that brought the answer; none where a person pasted it.
#[derive(Debug)]
pub struct Browser(Option<TcpStream>);

impl Browser {
    /// Shows the page; whether the browser is still there doesn't matter to the login.
    pub fn show(self, page: &Page) {
        if let Some(stream) = self.0 {
            deliver(stream, page);
        }
    }
}

enum Unbound {
    Config(Error),
    Taken(io::Error),
}

/// The families of addresses that the redirect URI's host stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
    Both,
}

/// Binds a port on 127.0.0.1 and `[::1]` alike: what the browser doesn't use, nobody else can either.
///
/// A machine without one of the families does without it, unless the redirect URI needs that one.
fn bind(family: Family, port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut port = port;
    let addresses = [
        (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Family::V4),
        (SocketAddr::from((Ipv6Addr::LOCALHOST, 0)), Family::V6),
    ];
    for (mut address, own) in addresses {
        address.set_port(port);
        match TcpListener::bind(address) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) if family != own && is_missing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    if listeners.is_empty() {
        return Err(ErrorKind::AddrNotAvailable.into());
    }
    Ok(listeners)
}

fn bind_free(family: Family) -> io::Result<(Vec<TcpListener>, u16)> {
    let mut last = ErrorKind::AddrInUse.into();
    for _ in 0..ATTEMPTS {
        match bind(family, 0) {
            Ok(listeners) => {
                let port = listeners.first().map_or(Ok(0), |l| l.local_addr().map(|a| a.port()))?;
                return Ok((listeners, port));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether the machine has no such family of addresses.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::Unsupported)
        || error.raw_os_error() == Some(97)
}

/// The port that stands in the text, also where it is the usual one.
fn explicit_port(uri: &str) -> Option<u16> {
    let authority = authority(uri);
    let (_, port) = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'))?;
    port.parse().ok()
}

/// The text with a port after its host.
fn with_port(uri: &str, port: u16) -> String {
    let authority = authority(uri);
    let end = uri.find("://").map_or(0, |at| at + 3) + authority.len();
    format!("{}:{port}{}", &uri[..end], &uri[end..])
}

fn authority(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// A browser's connection, or somebody else's.
struct Connection {
    stream: TcpStream,
    since: Instant,
    received: Vec<u8>,
}

enum Progress {
    Waits,
    Over,
    Answered(Callback),
}

fn accept(listener: &TcpListener) -> Option<Connection> {
    let (stream, _) = listener.accept().ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(Connection { stream, since: Instant::now(), received: Vec::new() })
}

impl Connection {
    /// Reads what is there, and judges all that came so far.
    fn judge(&mut self, expected: &Expected<'_>) -> Progress {
        let mut buffer = [0; 8 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                // Gone: what is not whole by now never will be.
                Ok(0) => return self.verdict(expected, true),
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Progress::Over,
            }
            if self.received.len() > LONGEST {
                break;
            }
        }
        let late = self.since.elapsed() > SLOWEST;
        self.verdict(expected, late)
    }

    fn verdict(&mut self, expected: &Expected<'_>, is_last: bool) -> Progress {
        match expected.request(&self.received) {
            Verdict::NeedMore if is_last => Progress::Over,
            Verdict::NeedMore => Progress::Waits,
            Verdict::Answer(callback) => Progress::Answered(callback),
            Verdict::Ignore(refusal) => {
                if let Ok(stream) = self.stream.try_clone() {
                    let page = Page::Refused { status: refusal.status, reason: refusal.reason };
                    // Whoever reads slowly must not hold up the one who is waited for.
                    let _ = thread::Builder::new().spawn(move || deliver(stream, &page));
                }
                Progress::Over
            }
        }
    }
}

/// Sends a page, and waits until it arrived: a connection that is closed before all of a request was
/// read takes its answer with it.
fn deliver(mut stream: TcpStream, page: &Page) {
    let until = Instant::now() + DELIVERY;
    let sent = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_write_timeout(Some(DELIVERY)))
        .and_then(|()| stream.set_read_timeout(Some(Duration::from_millis(100))))
        .and_then(|()| stream.write_all(&page.to_http()))
        .and_then(|()| stream.shutdown(Shutdown::Write));
    let mut rest = [0; 4096];
    while sent.is_ok() && Instant::now() < until {
        match stream.read(&mut rest) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}
