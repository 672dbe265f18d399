//! One command, from its arguments to its end.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::outcome::Outcome;
use super::{DEADLINE, Test};

/// A command about to be run in the world of a test.
pub struct Run<'a> {
    pub(super) test: &'a Test,
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    stdin: Option<Vec<u8>>,
    prints_secrets: bool,
    pub(super) deadline: Duration,
}

impl<'a> Run<'a> {
    pub(super) fn new(test: &'a Test, args: Vec<OsString>) -> Self {
        Self {
            test,
            program: test.program.clone(),
            args,
            environment: Vec::new(),
            stdin: None,
            prints_secrets: false,
            deadline: DEADLINE,
        }
    }

    /// With a variable set, for this command alone.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// With one more argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With more arguments.
    pub fn args<I: IntoIterator<Item: Into<OsString>>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// With this to read; without it, stdin is empty.
    pub fn stdin(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { stdin: Some(bytes.into()), ..self }
    }

    /// A command whose purpose is to print a secret to stdout, such as `token`.
    pub fn prints_secrets(self) -> Self {
        Self { prints_secrets: true, ..self }
    }

    /// By another program than the test's.
    #[cfg(unix)]
    pub(super) fn by(self, program: &str) -> Self {
        Self { program: program.into(), ..self }
    }

    pub(super) fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Runs the command to its end and watches for secrets in what it says.
    #[track_caller]
    pub fn run(mut self) -> Outcome {
        let mut command = self.command(&self.program);
        command.args(&self.args);
        let mut process = Process::start(command, self.deadline);
        let mut pipe = process.child.stdin.take().unwrap();
        let input = self.stdin.take().unwrap_or_default();
        // A command that doesn't read its input may end before it is written.
        thread::spawn(move || pipe.write_all(&input));
        let stdout = read_all(process.child.stdout.take().unwrap());
        let stderr = read_all(process.child.stderr.take().unwrap());
        let Some(status) = process.wait() else {
            let (stdout, stderr) = (process.rest(&stdout), process.rest(&stderr));
            let (stdout, stderr) =
                (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
            panic!("{:?} hangs\nstdout: {stdout}\nstderr: {stderr}", self.args);
        };
        self.watched(Outcome::new(status, &process.rest(&stdout), &process.rest(&stderr)))
    }

    /// The program in the environment of the test and in no other.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.test.environment.iter().chain(&self.environment).cloned())
            .current_dir(self.test.home());
        command
    }

    /// The outcome, if no secret is seen where none may be.
    #[track_caller]
    pub(super) fn watched(&self, outcome: Outcome) -> Outcome {
        for secret in &self.test.secrets() {
            assert!(!outcome.stderr.contains(secret), "{secret:?} on stderr: {outcome:#?}");
            // A signal may come when all is printed.
            let may_have_ended_well = outcome.status == 0 || outcome.status > 128;
            let allowed = self.prints_secrets && may_have_ended_well;
            assert!(
                allowed || !outcome.stdout.contains(secret),
                "{secret:?} on stdout: {outcome:#?}"
            );
        }
        outcome.hints().for_each(|hint| self.assert_can_be_run(hint));
        outcome
    }

    /// The command that a hint names is one that there is.
    #[track_caller]
    fn assert_can_be_run(&self, hint: &str) {
        let mut command = self.command(&self.test.program);
        command.args(hint.split_whitespace().skip(1)).arg("--help");
        let output = command.output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{hint:?} can't be run");
    }
}

/// A child in a process group of its own, which doesn't outlive its deadline.
pub(super) struct Process {
    pub child: Child,
    pub end: Instant,
}

impl Process {
    pub fn start(mut command: Command, deadline: Duration) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Self { child: command.spawn().unwrap(), end: Instant::now() + deadline }
    }

    /// The status, or `None` when the time is up.
    pub fn wait(&mut self) -> Option<ExitStatus> {
        while Instant::now() < self.end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.kill();
        None
    }

    /// Ends the child and the children that it left behind.
    fn kill(&mut self) {
        #[cfg(unix)]
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::KILL,
        );
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What is left to read; a child of the command that keeps the pipe open can't hold us.
    pub fn rest(&self, from: &Receiver<Vec<u8>>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let grace = self.end.max(Instant::now() + Duration::from_secs(1));
        while let Ok(more) = from.recv_timeout(grace.saturating_duration_since(Instant::now())) {
            bytes.extend(more);
        }
        bytes
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.kill();
        }
    }
}

/// Reads in a thread of its own, piece by piece, to the end.
pub(super) fn read_all(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (to, pieces) = channel();
    thread::spawn(move || {
        let mut piece = [0; 4096];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return,
                Ok(length) => {
                    if to.send(piece[..length].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A terminal whose last program is gone ends with an error.
                Err(_) => return,
            }
        }
    });
    pieces
}
