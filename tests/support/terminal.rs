//! A command at a terminal, and a person who reads and types.

use std::ffi::OsStr;
use std::io::Write;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use super::outcome::Outcome;
use super::run::{Process, Run, read_all};

/// A running command whose stdin, stdout, stderr and controlling terminal are one terminal.
pub struct Terminal<'a> {
    run: Run<'a>,
    process: Process,
    pieces: Receiver<Vec<u8>>,
    screen: Vec<u8>,
    /// How much of the screen the person has read.
    read: usize,
}

impl<'a> Run<'a> {
    /// Starts the command at a terminal so many columns wide; `script` of util-linux lends it.
    pub fn terminal(self, columns: u16) -> Terminal<'a> {
        let words =
            [self.program.as_os_str()].into_iter().chain(self.args.iter().map(|arg| &**arg));
        let words: Vec<_> = words.map(quoted).collect();
        let line = format!("stty rows 50 cols {columns} && exec {}", words.join(" "));
        let mut command = self.command("script");
        command.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
        command.env("TERM", "xterm-256color");
        let mut process = Process::start(command, super::DEADLINE);
        let pieces = read_all(process.child.stdout.take().unwrap());
        Terminal { run: self, process, pieces, screen: Vec::new(), read: 0 }
    }
}

impl Terminal<'_> {
    /// Waits until this is seen, after what was waited for before.
    #[track_caller]
    pub fn sees(mut self, text: &str) -> Self {
        loop {
            let unread = &self.screen[self.read..];
            if let Some(at) = unread.windows(text.len()).position(|seen| seen == text.as_bytes()) {
                self.read += at + text.len();
                return self;
            }
            let left = self.process.end.saturating_duration_since(Instant::now());
            let Ok(piece) = self.pieces.recv_timeout(left) else {
                panic!("no {text:?} in {:?}", String::from_utf8_lossy(&self.screen));
            };
            self.screen.extend(piece);
        }
    }

    /// Types a line. Wait for a prompt first: what is typed before echo is off is seen.
    pub fn types(mut self, line: &str) -> Self {
        let keyboard = self.process.child.stdin.as_mut().unwrap();
        keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
        self
    }

    /// Waits for the end; stdout is the screen, with the line ends of a file.
    #[track_caller]
    pub fn ends(mut self) -> Outcome {
        let status = self.process.wait();
        self.screen.extend(self.process.rest(&self.pieces));
        let screen = String::from_utf8_lossy(&self.screen).replace("\r\n", "\n");
        let Some(status) = status else { panic!("{:?} hangs: {screen}", self.run.args) };
        self.run.watched(Outcome::new(status, screen.as_bytes(), b""))
    }
}

/// A word that a shell leaves as it is.
fn quoted(word: &OsStr) -> String {
    format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"))
}
