//! One request and its answer.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};

use super::answer::{Answer, Length};
use super::body::{Body, Timed};
use super::head::{Framing, Head};
use crate::secret::Secret;

/// What is read past for the sake of the next request: this much, for this long.
const LITTLE: u64 = 256 * 1024;
const SHORTLY: Duration = Duration::from_secs(1);

/// A request that came, and the one chance to answer it.
pub(in crate::sandbox) struct Exchange<'a> {
    /// The request's head.
    pub head: &'a Head,
    /// The request's body.
    pub body: Body<'a>,
    /// Seconds by which the server's clock is ahead.
    pub clock_skew: i64,
    stream: &'a TcpStream,
    keep_alive: bool,
    answered: bool,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        head: &'a Head,
        reader: &'a mut BufReader<Timed>,
        stream: &'a TcpStream,
    ) -> Self {
        let body = Body::new(head, reader, stream);
        let keep_alive = head.keep_alive();
        Self { head, body, clock_skew: 0, stream, keep_alive, answered: false }
    }

    /// Sends an answer.
    pub(in crate::sandbox) fn respond(&mut self, answer: &Answer) -> io::Result<()> {
        self.keep_alive &= self.body.skip(LITTLE, SHORTLY);
        self.answered = true;
        let silent = self.head.method == "HEAD";
        transmit(self.stream, answer, &date(self.clock_skew), self.keep_alive, silent)
    }

    /// Sends the head of an answer whose body follows while the request's is still read.
    pub(in crate::sandbox) fn begin(
        &mut self,
        answer: &Answer,
        length: Length,
    ) -> io::Result<Outflow<'a>> {
        // An interim answer can't come after the final one has begun.
        self.body.proceed()?;
        self.answered = true;
        self.stream.write_all(&answer.head(&date(self.clock_skew), length, self.keep_alive))?;
        Ok(Outflow { stream: self.stream, length, silent: self.head.method == "HEAD" })
    }

    /// The length that an answer has which repeats the request's body.
    pub(in crate::sandbox) const fn length(&self) -> Length {
        match self.head.framing {
            Framing::Length(bytes) => Length::Known(bytes),
            Framing::Chunked => Length::Chunked,
        }
    }

    /// Ends the exchange: whether another may follow on the connection.
    pub(super) fn finish(mut self, outcome: io::Result<()>) -> bool {
        if let Err(error) = outcome {
            self.keep_alive = false;
            let status = match error.kind() {
                io::ErrorKind::InvalidData => 400,
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => 408,
                _ => return false,
            };
            if !self.answered {
                let _ = refuse(self.stream, status, "the body is malformed or came too slowly");
            }
        }
        self.keep_alive && self.answered && self.body.skip(LITTLE, SHORTLY)
    }
}

/// Refuses what is no request, or none that could be read.
pub(super) fn refuse(stream: &TcpStream, status: u16, reason: &str) -> io::Result<()> {
    let text = format!(r#"{{"error":"invalid_request","error_description":"{reason}"}}"#);
    transmit(stream, &Answer::new(status).json(text), &date(0), false, false)
}

fn transmit(
    mut stream: &TcpStream,
    answer: &Answer,
    date: &str,
    keep_alive: bool,
    silent: bool,
) -> io::Result<()> {
    let body = answer.body.expose();
    let head = answer.head(date, Length::Known(body.len() as u64), keep_alive);
    let body = if silent || !answer.may_have_body() { &[] } else { body.as_slice() };
    stream.write_all(Secret::new([&head, body].concat()).expose())
}

/// The body of an answer, on its way.
pub(in crate::sandbox) struct Outflow<'a> {
    stream: &'a TcpStream,
    length: Length,
    silent: bool,
}

impl Outflow<'_> {
    /// Whether there is nothing to send, because only the head was asked for.
    pub(in crate::sandbox) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// Sends a piece.
    pub(in crate::sandbox) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.silent || bytes.is_empty() {
            return Ok(());
        }
        if self.length != Length::Chunked {
            return self.stream.write_all(bytes);
        }
        self.stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        self.stream.write_all(bytes)?;
        self.stream.write_all(b"\r\n")
    }

    /// Sends the end.
    pub(in crate::sandbox) fn end(mut self) -> io::Result<()> {
        if self.length == Length::Chunked && !self.silent {
            self.stream.write_all(b"0\r\n\r\n")?;
        }
        Ok(())
    }
}

/// The time by a clock that is so many seconds ahead, as far as the calendar goes.
pub(in crate::sandbox) fn time(ahead: i64) -> Timestamp {
    let now = Timestamp::now();
    now.saturating_add(SignedDuration::from_secs(ahead)).unwrap_or(now)
}

/// That time, as `Date` tells it (RFC 9110 section 5.6.7).
fn date(ahead: i64) -> String {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time(ahead)).unwrap_or_default()
}
