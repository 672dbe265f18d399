//! An answer, and how it goes over the wire.

use std::fmt::Write as _;

use crate::secret::Secret;

/// An answer of the server, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status, from 200 on.
    pub status: u16,
    /// Headers beside those of the message itself (`Date`, `Content-Length`, `Connection`).
    pub headers: Vec<(String, String)>,
    /// The body; often a token is in it.
    pub body: Secret<Vec<u8>>,
}

/// How long the body of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Length {
    /// Known beforehand.
    Known(u64),
    /// Told chunk by chunk (RFC 9112 section 7.1).
    Chunked,
}

impl Answer {
    /// An answer without a body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Secret::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Gives it a body of JSON.
    #[must_use]
    pub fn json(mut self, text: impl Into<String>) -> Self {
        self.body = text.into().into_bytes().into();
        self.header("Content-Type", "application/json")
    }

    /// Whether an answer of this status has a body at all (RFC 9110 section 6.4.1).
    pub(super) const fn may_have_body(&self) -> bool {
        !matches!(self.status, 204 | 304)
    }

    /// The head, ready to be sent.
    pub(super) fn head(&self, date: &str, length: Length, keep_alive: bool) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} {}\r\nDate: {date}\r\n", self.status, self.reason());
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if self.may_have_body() {
            let _ = match length {
                Length::Known(bytes) => write!(text, "Content-Length: {bytes}\r\n"),
                Length::Chunked => write!(text, "Transfer-Encoding: chunked\r\n"),
            };
        }
        text.push_str(if keep_alive { "\r\n" } else { "Connection: close\r\n\r\n" });
        text.into_bytes()
    }

    /// The phrase that goes with the status, where it is one this server sends by itself.
    pub(in crate::sandbox) const fn reason(&self) -> &'static str {
        match self.status {
            200 => "OK",
            302 => "Found",
            400 => "Bad Request",
            401 => "Unauthorized",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            413 => "Content Too Large",
            429 => "Too Many Requests",
            431 => "Request Header Fields Too Large",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            505 => "HTTP Version Not Supported",
            _ => "",
        }
    }
}
