//! Runs curl, and holds its answer back until it is known whether the token was refused.
//!
//! The heads of answers go to a file of our own (`-D`), and curl's output to pipes. curl writes
//! each line of a head before any of the body, so at the first byte of the body, or the end of
//! the output, the last status in that file is the answer's. Where nothing could follow from a
//! 401, this process becomes curl instead.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::fs::{FileType, SeekFrom, fstat, seek};

use super::dump::Dump;
use super::heads::{Heads, Verdict};
use super::launch::Launch;
use super::plan::Requests;
use super::redact::Redactor;
use super::relay::{self, Held, Pipes};
use super::segment::Watch;

use super::{Bearer, Call, Outcome, Tokens, check_token, private};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::signals::Attended;

/// So much of an answer is held back, in bytes; a longer one is passed on, whatever it is.
const HOLD: usize = 1 << 20;

/// So much of curl's progress meter is held back, in bytes: more than two minutes of it make a
/// person ask whether anything happens.
const HOLD_METER: usize = 10 << 10;

/// Turns this process into curl; it only comes back where that can't be.
pub(super) fn become_curl(mut curl: Command) -> Outcome {
    Outcome::NotStarted(curl.exec())
}

/// Runs curl with a token, and a second time where the first token is refused.
pub(super) fn run_requests(
    call: &Call,
    requests: &Requests,
    bearer: &Bearer,
    tokens: &dyn Tokens,
) -> Result<Outcome> {
    let start = if requests.stdin { stdin_offset() } else { None };
    let repeats = !bearer.just_made && (!requests.stdin || start.is_some());
    let Some(watch) = requests.watch.as_ref().filter(|_| repeats) else {
        return run_once(call, requests, &bearer.token);
    };
    let mut gate = match Gate::open(call, requests, watch, &bearer.token)? {
        Ok(gate) => gate,
        Err(error) => return Ok(Outcome::NotStarted(error)),
    };
    if gate.decide().map_err(relaying)? == Verdict::Refused
        && let Some(token) = renew(call, &bearer.token, tokens)
    {
        drop(gate);
        if let Some(start) = start {
            seek(io::stdin(), SeekFrom::Start(start))
                .map_err(|e| Error::io("can't read standard input again", e.into()))?;
        }
        return run_once(call, requests, &token);
    }
    gate.pass().map_err(relaying)
}

/// Runs curl where its answer, whatever it is, is what the user gets.
fn run_once(call: &Call, requests: &Requests, token: &Secret) -> Result<Outcome> {
    let mut launch = Launch::new(call, requests, token, b"")?;
    if !requests.verbose {
        return launch.exec().map_err(handing).map(Outcome::NotStarted);
    }
    launch.command.stderr(Stdio::piped());
    let mut curl = match launch.spawn().map_err(handing)? {
        Ok(curl) => curl,
        Err(error) => return Ok(Outcome::NotStarted(error)),
    };
    let pipes = Pipes { out: None, err: curl.child().stderr.take() };
    relay::run(pipes, Held::default(), Redactor::new(token), false).map_err(relaying)?;
    curl.wait().map(Outcome::from).map_err(relaying)
}

/// A newer token, if one can be had; else the user gets the answer to the old one.
fn renew(call: &Call, refused: &Secret, tokens: &dyn Tokens) -> Option<Secret> {
    call.report.trace(1, &|| "the token was refused (401): renewing it".to_owned());
    let renewed = tokens.renewed(refused);
    // The same once more would be refused once more.
    let newer = renewed.map(|token| token.filter(|token| token != refused));
    let checked = newer.and_then(|token| token.map(|t| check_token(&t).map(|()| t)).transpose());
    checked.unwrap_or_else(|error| {
        call.report.warn(&format!("the token was refused, and could not be renewed: {error}"));
        None
    })
}

fn handing(error: io::Error) -> Error {
    Error::io("can't hand the token to curl", error)
}

fn relaying(error: io::Error) -> Error {
    Error::io("can't pass on curl's output", error)
}

/// Where standard input stands, if it is a file that can be read again.
fn stdin_offset() -> Option<u64> {
    let file = FileType::from_raw_mode(fstat(io::stdin()).ok()?.st_mode).is_file();
    file.then(|| seek(io::stdin(), SeekFrom::Current(0)).ok())?
}

/// A curl whose answer is held back.
struct Gate<'a> {
    call: &'a Call<'a>,
    watch: &'a Watch,
    dump: Dump,
    curl: Attended,
    pipes: Pipes,
    redactor: Redactor,
    held: Held,
    /// How many bytes of messages to hold back.
    patience: usize,
}

impl<'a> Gate<'a> {
    /// Starts curl, or says why that can't be.
    fn open(
        call: &'a Call,
        requests: &Requests,
        watch: &'a Watch,
        token: &Secret,
    ) -> Result<Result<Self, io::Error>> {
        let dump = Dump::new(watch.dump.as_deref()).map_err(handing)?;
        let mut settings = b"no-buffer\n".to_vec();
        if call.terminal && watch.to_stdout {
            settings.extend_from_slice(b"no-progress-meter\n");
        }
        if !watch.show && watch.dump.is_none() {
            settings.extend_from_slice(b"suppress-connect-headers\n");
        }
        let mut launch = Launch::new(call, requests, token, &settings)?;
        if let Dump::Ours(file) = &dump {
            let file = file.try_clone().map_err(handing)?;
            launch.command.arg("--dump-header").arg(private::path(&file));
            launch.hand(file);
        }
        launch.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(launch.spawn().map_err(handing)?.map(|mut curl| {
            let pipes = Pipes { out: curl.child().stdout.take(), err: curl.child().stderr.take() };
            let redactor = Redactor::new(token);
            let patience = if requests.verbose { HOLD } else { HOLD_METER };
            Self { call, watch, dump, curl, pipes, redactor, held: Held::default(), patience }
        }))
    }

    /// Reads as far as it takes to know whether the token was refused.
    fn decide(&mut self) -> io::Result<Verdict> {
        while let Some((out, err)) = self.pipes.wait()? {
            if let (true, Some(pipe)) = (err, &mut self.pipes.err)
                && relay::read(pipe, &mut self.held.err)?
            {
                self.pipes.err = None;
            }
            if self.held.err.len() > self.patience {
                self.patience = 0;
                relay::show(&mut self.redactor, &self.held.err);
                self.held.err.clear();
            }
            // Without heads on standard output, whatever comes there is of the body.
            let verdict = self.judge(out && !self.watch.show);
            if verdict != Verdict::Wait {
                return Ok(verdict);
            }
            if let (true, Some(pipe)) = (out, &mut self.pipes.out)
                && relay::read(pipe, &mut self.held.out)?
            {
                self.pipes.out = None;
            }
            if self.held.out.len() > HOLD {
                return Ok(Verdict::Pass);
            }
        }
        Ok(self.judge(true))
    }

    fn judge(&self, body: bool) -> Verdict {
        let dump = self.dump.read();
        let body = body || self.held.out.len() > dump.len();
        let heads = Heads::read(&dump, &self.watch.origin);
        heads.judge(self.watch.manners, body, self.pipes.out.is_none())
    }

    /// Passes everything on.
    fn pass(self) -> io::Result<Outcome> {
        let Self { call, watch, mut curl, pipes, redactor, held, .. } = self;
        let screens = call.terminal && watch.to_stdout && !watch.binary;
        let was_binary = relay::run(pipes, held, redactor, screens)?;
        let status = curl.wait()?;
        if was_binary {
            call.report.warn("binary output is kept from the terminal: ask for it with --output -");
            // What curl itself returns then.
            return Ok(Outcome::Exited(23));
        }
        Ok(status.into())
    }
}
