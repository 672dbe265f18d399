//! What went wrong on the way, in words that name the server and never the URL's query.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use ureq::Proxy;
use url::Url;

use super::connect::Phase;
use crate::error::Error;
use crate::wire::redact::brief;

/// A failed request, and how far it came.
#[derive(Debug)]
pub(super) struct Failure {
    error: ureq::Error,
    phase: Phase,
    server: String,
    proxy: Option<String>,
}

impl Failure {
    pub(super) fn new(error: ureq::Error, phase: Phase, url: &Url, proxy: Option<&Proxy>) -> Self {
        let port = url.port_or_known_default().unwrap_or_default();
        let server = format!("{}:{port}", url.host_str().unwrap_or_default());
        let proxy = proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port()));
        Self { error, phase, server, proxy }
    }

    /// Whether the server's certificate was not believed.
    pub(super) fn is_untrusted(&self) -> bool {
        self.phase != Phase::Sent && self.word().starts_with("invalid peer certificate")
    }

    /// The error for a person; `timeout` is what the request was given in all, `connect` what it was
    /// given for the connection alone.
    pub(super) fn explain(self, timeout: Duration, connect: Option<Duration>) -> Error {
        if matches!(self.error, ureq::Error::Http(_) | ureq::Error::BadUri(_)) {
            // Their own words may quote what they complain about.
            let server = &self.server;
            return Error::config(format!("the request to {server} can't be written as HTTP"));
        }
        if let Some(message) = self.bad_answer() {
            return Error::BadAnswer(message);
        }
        let timeout = match (connect, self.phase) {
            (Some(connect), Phase::Lookup | Phase::Connect) => timeout.min(connect),
            _ => timeout,
        };
        let (message, tells) = self.message(timeout);
        let source = tells.then(|| self.word().into());
        let sent = self.phase == Phase::Sent;
        Error::Network { message, sent, passing: !sent && self.is_passing(), source }
    }

    /// Whether what stood in the way of a connection may be gone in a moment.
    ///
    /// Not so a name that nobody has, or a certificate that nobody trusts; and after a time-out there
    /// is no time left.
    fn is_passing(&self) -> bool {
        let ureq::Error::Io(error) = &self.error else { return false };
        match (self.phase, error.kind()) {
            (Phase::Lookup, _) => is_passing_lookup(error),
            (
                Phase::Connect | Phase::Secure,
                ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::NetworkDown,
            ) => true,
            _ => false,
        }
    }

    /// What is wrong with an answer that came.
    fn bad_answer(&self) -> Option<String> {
        use ureq::Error as U;
        let server = &self.server;
        match &self.error {
            _ if self.phase != Phase::Sent => None,
            U::BodyExceedsLimit(limit) => {
                Some(format!("the answer of {server} is too large: more than {limit} bytes"))
            }
            U::LargeResponseHeader(..) => {
                Some(format!("the headers of {server}'s answer are too large"))
            }
            U::Protocol(_) | U::Decompress(..) | U::BodyStalled => {
                let word = self.word();
                Some(format!("the answer of {server} is not HTTP as it should be: {word}"))
            }
            _ => None,
        }
    }

    /// What was tried, and whether the transport's own word adds anything.
    fn message(&self, timeout: Duration) -> (String, bool) {
        let Self { error, phase, server, .. } = self;
        let peer = self.peer();
        if let ureq::Error::Timeout(_) = error {
            let during = match phase {
                Phase::Lookup => "looking up its name",
                Phase::Connect => "connecting",
                Phase::Secure => "agreeing on TLS",
                Phase::Sent => "waiting for the answer",
            };
            return (format!("{peer}: timed out after {timeout:?}, while {during}"), false);
        }
        if let ureq::Error::ConnectProxyFailed(_) = error {
            return (format!("{peer} did not connect to {server}"), true);
        }
        match phase {
            Phase::Lookup => (format!("{peer}: the name can't be found"), true),
            Phase::Connect if self.kind() == Some(ErrorKind::ConnectionRefused) => {
                (format!("{peer} refused the connection"), false)
            }
            Phase::Connect => (format!("{peer}: no connection"), true),
            Phase::Secure if self.is_untrusted() => {
                (format!("{peer}: the certificate is not trusted"), true)
            }
            Phase::Secure => (format!("{peer}: TLS failed"), true),
            Phase::Sent => (format!("{peer}: the connection broke before the answer's end"), true),
        }
    }

    /// Whom the trouble is with: up to the connection, that is the proxy.
    fn peer(&self) -> Peer<'_> {
        let is_far = matches!(self.phase, Phase::Secure | Phase::Sent);
        Peer { server: &self.server, proxy: self.proxy.as_deref(), is_far }
    }

    fn kind(&self) -> Option<ErrorKind> {
        match &self.error {
            ureq::Error::Io(error) => Some(error.kind()),
            _ => None,
        }
    }

    /// The transport's own word, escaped: a certificate's names are the server's choice.
    fn word(&self) -> String {
        let text = match &self.error {
            ureq::Error::Io(error) => error.to_string(),
            error => error.to_string(),
        };
        brief(&text, 300)
    }
}

/// Whether the resolver could not say at the time (`EAI_AGAIN`): it tells so in words alone.
fn is_passing_lookup(error: &std::io::Error) -> bool {
    /// `WSATRY_AGAIN`.
    const TRY_AGAIN: i32 = 11_002;
    let word = error.to_string().to_ascii_lowercase();
    error.raw_os_error() == Some(TRY_AGAIN)
        || ["temporary failure", "try again"].iter().any(|text| word.contains(text))
}

struct Peer<'a> {
    server: &'a str,
    proxy: Option<&'a str>,
    is_far: bool,
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.proxy, self.is_far) {
            (None, _) => f.write_str(self.server),
            (Some(proxy), true) => write!(f, "{} (by the proxy {proxy})", self.server),
            (Some(proxy), false) => write!(f, "the proxy {proxy}"),
        }
    }
}
