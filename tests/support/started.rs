//! A command that runs on while the test goes on.

use std::sync::mpsc::Receiver;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::outcome::Outcome;
use super::run::{Process, Run, read_all};

/// A running command, of which stdout is read as it comes.
pub struct Started<'a> {
    run: Run<'a>,
    process: Process,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    printed: Vec<u8>,
    told: Vec<u8>,
}

impl<'a> Run<'a> {
    /// Starts the command.
    pub fn start(self) -> Started<'a> {
        let mut command = self.command(&self.program);
        command.args(&self.args);
        let mut process = Process::start(command, self.deadline);
        let stdout = read_all(process.child.stdout.take().unwrap());
        let stderr = read_all(process.child.stderr.take().unwrap());
        Started { run: self, process, stdout, stderr, printed: Vec::new(), told: Vec::new() }
    }
}

impl Started<'_> {
    /// Waits until this is on its stdout; returns all that is there then.
    #[track_caller]
    pub fn prints(&mut self, text: &str) -> String {
        wait_for(text, &mut self.printed, &self.stdout, self.process.end)
    }

    /// Waits until this is on its stderr; returns all that is there then.
    #[track_caller]
    pub fn tells(&mut self, text: &str) -> String {
        wait_for(text, &mut self.told, &self.stderr, self.process.end)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.child), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ends(mut self) -> Outcome {
        drop(self.process.child.stdin.take());
        let status = self.process.wait();
        self.printed.extend(self.process.rest(&self.stdout));
        self.told.extend(self.process.rest(&self.stderr));
        let Some(status) = status else { panic!("{:?} hangs", self.run.args) };
        self.run.watched(Outcome::new(status, &self.printed, &self.told))
    }
}

#[track_caller]
fn wait_for(text: &str, seen: &mut Vec<u8>, more: &Receiver<Vec<u8>>, end: Instant) -> String {
    loop {
        let so_far = String::from_utf8_lossy(seen);
        if so_far.contains(text) {
            return so_far.into_owned();
        }
        let left = end.saturating_duration_since(Instant::now());
        let Ok(piece) = more.recv_timeout(left) else { panic!("no {text:?} in {so_far:?}") };
        seen.extend(piece);
    }
}
