//! The body of a request, read as it comes, in constant memory.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::head::{Framing, Head};
use crate::secret::Secret;

/// How long one read may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest line around a chunk, and the most lines of a trailer.
const LONGEST_LINE: u64 = 1024;
const MOST_TRAILERS: usize = 64;

/// A stream whose reads end in time.
pub(super) struct Timed {
    stream: Arc<TcpStream>,
    deadline: Option<Instant>,
}

impl Timed {
    pub(super) const fn new(stream: Arc<TcpStream>) -> Self {
        Self { stream, deadline: None }
    }

    /// Bounds all reads from here on together, or each by itself where there is no bound.
    pub(super) fn within(&mut self, limit: impl Into<Option<Duration>>) {
        self.deadline = limit.into().map(|limit| Instant::now() + limit);
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.map_or(PATIENCE, |deadline| {
            deadline.saturating_duration_since(Instant::now()).min(PATIENCE)
        });
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        (&*self.stream).read(buffer)
    }
}

/// What is left of a request's body.
pub(in crate::sandbox) struct Body<'a> {
    reader: &'a mut BufReader<Timed>,
    stream: &'a TcpStream,
    framing: Framing,
    /// Bytes left of the body, or of the present chunk.
    left: u64,
    begun: bool,
    done: bool,
    owes_continue: bool,
}

impl<'a> Body<'a> {
    pub(super) fn new(
        head: &Head,
        reader: &'a mut BufReader<Timed>,
        stream: &'a TcpStream,
    ) -> Self {
        reader.get_mut().within(None);
        let left = match head.framing {
            Framing::Length(bytes) => bytes,
            Framing::Chunked => 0,
        };
        Self {
            reader,
            stream,
            framing: head.framing,
            left,
            begun: false,
            done: head.framing == Framing::Length(0),
            owes_continue: head.expects_continue(),
        }
    }

    /// The whole body, within 30 seconds; nothing where it is longer than `most` bytes.
    pub(in crate::sandbox) fn collect(&mut self, most: u64) -> io::Result<Option<Secret<Vec<u8>>>> {
        if matches!(self.framing, Framing::Length(bytes) if bytes > most) {
            return Ok(None);
        }
        self.reader.get_mut().within(PATIENCE);
        let mut bytes = Vec::new();
        let read = self.take(most + 1).read_to_end(&mut bytes);
        let bytes = Secret::new(bytes);
        self.reader.get_mut().within(None);
        Ok((read? as u64 <= most).then_some(bytes))
    }

    /// Reads past what is left, so that the next request can follow; whether it was possible.
    pub(super) fn skip(&mut self, most: u64, limit: Duration) -> bool {
        if !self.done && self.owes_continue {
            // The client may never send it (RFC 9110 section 10.1.1).
            return false;
        }
        self.reader.get_mut().within(limit);
        let skipped = io::copy(&mut self.take(most), &mut io::sink());
        self.reader.get_mut().within(None);
        skipped.is_ok() && self.done
    }

    /// Lets a client go on that waits for leave to send the body.
    pub(super) fn proceed(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.owes_continue) && !self.done {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        Ok(())
    }

    /// A line of the chunked coding, without its end.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(line.to_vec()),
            None => Err(malformed()),
        }
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) && !self.line()?.is_empty() {
            return Err(malformed());
        }
        let line = self.line()?;
        let size = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        self.left = std::str::from_utf8(size)
            .ok()
            .filter(|size| size.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|size| u64::from_str_radix(size, 16).ok())
            .ok_or_else(malformed)?;
        if self.left > 0 {
            return Ok(());
        }
        for _ in 0..MOST_TRAILERS {
            if self.line()?.is_empty() {
                self.done = true;
                return Ok(());
            }
        }
        Err(malformed())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.proceed()?;
        if self.left == 0 && !self.done && self.framing == Framing::Chunked {
            self.next_chunk()?;
        }
        if self.done || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.reader.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        self.done = self.left == 0 && self.framing != Framing::Chunked;
        Ok(read)
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the chunks of the body are malformed")
}
