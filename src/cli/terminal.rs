//! The person at the terminal: what is told on stderr, and what is asked.

use std::io::{self, BufRead, IsTerminal, Read as _, Write};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::env::Env;
use crate::error::{Error, Result};
use crate::escape::escape;
use crate::http::{Limits, Transport};
use crate::report::Report;
use crate::secret::Secret;
use crate::store::Person;
use crate::wire::{HttpRequest, HttpResponse};

use super::args::When;

/// How long nobody wonders whether anything happens.
const PATIENCE: Duration = Duration::from_secs(1);

/// The person's end of stderr.
#[derive(Debug)]
pub(super) struct Terminal {
    quiet: bool,
    verbose: u8,
    color: bool,
    /// Each warning is told once, however often it comes up.
    told: Mutex<Vec<String>>,
}

impl Terminal {
    /// Speaks as loud and as colourful as was asked.
    #[must_use]
    pub(super) fn new(quiet: bool, verbose: u8, color: bool) -> Self {
        Self { quiet, verbose, color, told: Mutex::default() }
    }

    /// Who sits there, as the stores see them.
    #[must_use]
    pub(super) fn person(&self) -> Person {
        let teller = self.another();
        Person::new(move |message| teller.note(message))
    }

    /// The same end of stderr, for somebody who keeps it longer.
    pub(super) fn another(&self) -> Self {
        Self { told: Mutex::default(), ..*self }
    }

    /// A line that begins with a coloured word.
    pub(super) fn line(&self, color: &str, word: &str, message: &str) {
        let message = escape(message);
        // Nobody is left to be told that stderr is gone.
        let _ = if self.color {
            writeln!(io::stderr(), "\x1b[{color}m{word}:\x1b[0m {message}")
        } else {
            writeln!(io::stderr(), "{word}: {message}")
        };
    }

    /// Shows a person that something takes its time, until what this returns is dropped.
    pub(super) fn spin(&self, what: &str) -> Option<Spinner> {
        let spins = !self.quiet && self.verbose == 0 && io::stderr().is_terminal();
        spins.then(|| Spinner::start(what.to_owned()))
    }

    /// A line about what was done.
    pub(super) fn say(&self, message: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{}", escape(message));
        }
    }
}

impl Report for Terminal {
    fn warn(&self, message: &str) {
        if self.quiet {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !told.iter().any(|before| before == message) {
            told.push(message.to_owned());
            self.line("33", "warning", message);
        }
    }

    fn note(&self, message: &str) {
        if !self.quiet {
            self.line("36", "note", message);
        }
    }

    fn trace(&self, level: u8, message: &dyn Fn() -> String) {
        if self.verbose < level {
            return;
        }
        for line in message().lines() {
            let _ = writeln!(io::stderr(), "* {}", escape(line));
        }
    }
}

/// What a person must see to go on, however quiet it was meant to be.
pub(super) fn tell(message: &str) {
    for line in message.split('\n') {
        let _ = writeln!(io::stderr(), "{}", escape(line));
    }
}

/// A picture made of characters.
pub(super) fn picture(picture: &str) {
    let _ = writeln!(io::stderr(), "{picture}\n");
}

/// A line that the next one takes the place of; an empty one takes it away.
///
/// What is wider than the terminal is cut: of two lines only the second could be taken away.
pub(super) fn status(message: &str) {
    let room = columns().map_or(usize::MAX, |columns| columns.saturating_sub(1));
    let message: String = escape(message).chars().take(room).collect();
    let _ = write!(io::stderr(), "\r\x1b[K{message}");
}

/// The columns of the terminal on stderr.
#[cfg(unix)]
pub(super) fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

#[cfg(not(unix))]
pub(super) fn columns() -> Option<usize> {
    None
}

/// Whether stdin is a terminal; nothing is made ready for reading it.
pub(super) fn may_type() -> bool {
    #[cfg(unix)]
    return rustix::termios::isatty(rustix::stdio::stdin());
    #[cfg(not(unix))]
    io::stdin().is_terminal()
}

/// Whether to colour what goes to a stream.
#[must_use]
pub(super) fn colors(when: When, env: &Env, is_terminal: bool) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            is_terminal
                && env.os("NO_COLOR").is_none()
                && env.os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

/// A transport that shows a person that it waits.
pub(super) struct Patient<'a> {
    /// The transport itself.
    pub transport: &'a dyn Transport,
    /// Whom to show it.
    pub terminal: &'a Terminal,
}

impl Transport for Patient<'_> {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse> {
        self.spinning(request, &|| self.transport.send(request))
    }

    fn send_within(&self, request: &HttpRequest, limits: Limits) -> Result<HttpResponse> {
        self.spinning(request, &|| self.transport.send_within(request, limits))
    }
}

impl Patient<'_> {
    fn spinning(
        &self,
        request: &HttpRequest,
        send: &dyn Fn() -> Result<HttpResponse>,
    ) -> Result<HttpResponse> {
        let host = request.endpoint.host_str().unwrap_or_default();
        let _spinner = self.terminal.spin(&format!("waiting for {host}"));
        send()
    }
}

/// Turns on stderr from the first second on, until it is dropped.
pub(super) struct Spinner {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Spinner {
    fn start(what: String) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut pause = PATIENCE;
            for frame in ['|', '/', '-', '\\'].iter().cycle() {
                if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                let _ = write!(io::stderr(), "\r\x1b[K{frame} {}", escape(&what));
                pause = Duration::from_millis(120);
            }
            if pause != PATIENCE {
                let _ = write!(io::stderr(), "\r\x1b[K");
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Asks for a text; empty answers are asked again.
pub(super) fn ask(question: &str) -> Result<String> {
    loop {
        let _ = write!(io::stderr(), "{question}: ");
        let mut answer = String::new();
        match io::stdin().read_line(&mut answer) {
            Ok(0) => return Err(Error::config(format!("{question} was not given"))),
            Ok(_) => {}
            Err(error) => return Err(Error::io(format!("can't ask for {question}"), error)),
        }
        let answer = answer.trim();
        if !answer.is_empty() {
            return Ok(answer.to_owned());
        }
    }
}

/// The lines of stdin, read in a thread of its own while something else is waited for.
pub(super) fn lines() -> Receiver<Result<String>> {
    lines_of(|| io::stdin().lock())
}

/// Whoever writes without end is read no further than one line ahead, and no line without end.
fn lines_of<R: BufRead>(open: impl FnOnce() -> R + Send + 'static) -> Receiver<Result<String>> {
    const LONGEST: u64 = 128 * 1024;
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut input = open();
        loop {
            let mut text = String::new();
            let read = input.by_ref().take(LONGEST).read_line(&mut text);
            let line = match read {
                Ok(0) => return,
                Ok(_) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => Err(Error::io("can't read what was pasted", error)),
            };
            if sender.send(line).is_err() || !text.ends_with('\n') {
                return;
            }
        }
    });
    receiver
}

/// Asks for a secret, which is not shown while it is typed.
pub(super) fn ask_secret(question: &str) -> Result<Secret> {
    let answer = rpassword::prompt_password(format!("{question}: "));
    let answer = answer.map_err(|error| Error::io(format!("can't ask for {question}"), error))?;
    if answer.is_empty() {
        return Err(Error::config(format!("{question} was not given")));
    }
    Ok(Secret::new(answer))
}

/// Reads a secret from stdin, without the newline at its end.
pub(super) fn read_secret(what: &str) -> Result<Secret> {
    const MAX: u64 = 64 * 1024;
    let mut bytes = Vec::new();
    io::stdin()
        .take(MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io(format!("can't read {what} from stdin"), error))?;
    let fault = |how: &str| Error::Usage(format!("{what} on stdin {how}"));
    if bytes.len() as u64 > MAX {
        return Err(fault("is longer than 64 KiB"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| fault("is not valid UTF-8"))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() { Err(fault("is empty")) } else { Ok(Secret::new(text)) }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    #[test]
    fn what_has_no_end_is_not_read_to_its_end() {
        let lines = lines_of(|| BufReader::new(io::repeat(b'x')));
        assert!(lines.recv().unwrap().unwrap().len() < 1 << 20);
        assert!(lines.recv().is_err());
    }

    #[test]
    fn lines_come_one_by_one_and_the_last_needs_no_end() {
        let lines = lines_of(|| Cursor::new("a\r\n\nb"));
        let lines: Vec<String> = lines.into_iter().map(|line| line.unwrap()).collect();
        assert_eq!(lines, ["a", "", "b"]);
        assert!(lines_of(|| Cursor::new(b"\xff\n")).recv().unwrap().is_err());
    }
}
