//! A command at a terminal, and a person who reads and types.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::termios::{LocalModes, tcgetattr};

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
    /// Where the terminal is.
    device: String,
}

impl<'a> Run<'a> {
    /// Starts the command at a terminal so many columns wide; `script` of util-linux lends it.
    pub fn terminal(self, columns: u16) -> Terminal<'a> {
        let words =
            [self.program.as_os_str()].into_iter().chain(self.args.iter().map(|arg| &**arg));
        let words: Vec<_> = words.map(quoted).collect();
        let line = format!("stty rows 50 cols {columns} && tty && exec {}", words.join(" "));
        let mut command = self.command("script");
        command.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
        command.env("TERM", "xterm-256color");
        let mut process = Process::start(command, super::DEADLINE);
        let pieces = read_all(process.child.stdout.take().unwrap());
        let device = String::new();
        let terminal = Terminal { run: self, process, pieces, screen: Vec::new(), read: 0, device };
        terminal.begins()
    }
}

impl Terminal<'_> {
    /// Reads where the terminal is, which is no part of what the command writes.
    fn begins(mut self) -> Self {
        self = self.sees("\r\n");
        let line: Vec<u8> = self.screen.drain(..self.read).collect();
        self.device = String::from_utf8(line).unwrap().trim().into();
        self.read = 0;
        self
    }

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

    /// Types a secret, once the terminal shows no more what is typed.
    #[track_caller]
    pub fn types_unseen(self, line: &str) -> Self {
        let mut open = OpenOptions::new();
        open.read(true).custom_flags(OFlags::NOCTTY.bits().cast_signed());
        let terminal = open.open(&self.device).unwrap();
        while tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO) {
            assert!(Instant::now() < self.process.end, "the terminal shows what is typed");
            thread::sleep(Duration::from_millis(1));
        }
        self.types(line)
    }

    /// Types a line.
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
