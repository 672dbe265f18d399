//! Passes curl's output on, in constant memory.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdout};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::redact::Redactor;

/// So much is read, or held by a pipe, at a time, in bytes.
const CHUNK: usize = 64 << 10;

/// So much of what goes to a terminal is looked at for being binary, in bytes, as curl would.
const LOOKED_AT: usize = 2000;

/// The ends of pipes that curl writes to.
pub(super) struct Pipes {
    pub(super) out: Option<ChildStdout>,
    pub(super) err: Option<ChildStderr>,
}

impl Pipes {
    /// Waits until either can be read, and says which; nothing once both have ended.
    pub(super) fn wait(&self) -> io::Result<Option<(bool, bool)>> {
        let out = self.out.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        let err = self.err.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        let has_out = out.is_some();
        let mut fds: Vec<_> = out.into_iter().chain(err).collect();
        if fds.is_empty() {
            return Ok(None);
        }
        while let Err(error) = poll(&mut fds, None) {
            if error != Errno::INTR {
                return Err(error.into());
            }
        }
        let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        Ok(Some(if has_out { (ready(0), ready(1)) } else { (false, ready(0)) }))
    }
}

/// What curl wrote so far.
#[derive(Default)]
pub(super) struct Held {
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
}

/// Appends what a pipe has to `held`; whether it has ended.
pub(super) fn read(pipe: &mut impl Read, held: &mut Vec<u8>) -> io::Result<bool> {
    let start = held.len();
    held.resize(start + CHUNK, 0);
    let read = loop {
        match pipe.read(&mut held[start..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other,
        }
    };
    held.truncate(start + *read.as_ref().unwrap_or(&0));
    Ok(read? == 0)
}

/// Passes on what was held back and what is still to come; whether that was no text, and so was
/// kept from a terminal, which `screens` it.
///
/// The two streams go their ways at once: neither waits for whoever reads the other.
pub(super) fn run(pipes: Pipes, held: Held, redactor: Redactor, screens: bool) -> io::Result<bool> {
    thread::scope(|scope| {
        let showing = || show_all(pipes.err, &held.err, redactor);
        thread::Builder::new().name("stderr".to_owned()).spawn_scoped(scope, showing)?;
        pass(pipes.out, held.out, screens)
    })
}

/// Passes all of curl's messages on.
fn show_all(pipe: Option<ChildStderr>, held: &[u8], mut redactor: Redactor) {
    show(&mut redactor, held);
    let mut chunk = Vec::new();
    if let Some(mut pipe) = pipe {
        while let Ok(false) = read(&mut pipe, &mut chunk) {
            show(&mut redactor, &chunk);
            chunk.clear();
        }
    }
    let mut rest = Vec::new();
    redactor.finish(&mut rest);
    let _ = write_all(io::stderr(), &rest);
}

/// Passes messages on without the token; whether anyone reads them makes no difference.
pub(super) fn show(redactor: &mut Redactor, messages: &[u8]) {
    let mut clean = Vec::with_capacity(messages.len());
    redactor.push(messages, &mut clean);
    let _ = write_all(io::stderr(), &clean);
}

/// Passes curl's output on.
///
/// Where it can't be written, curl finds its pipe closed, and says so itself.
fn pass(mut pipe: Option<ChildStdout>, held: Vec<u8>, screens: bool) -> io::Result<bool> {
    let mut chunk = held;
    let mut looked_at = 0;
    let mut moves = !screens;
    loop {
        if screens && looked_at < LOOKED_AT && chunk.contains(&0) {
            return Ok(true);
        }
        looked_at += chunk.len();
        let written = write_all(io::stdout(), &chunk);
        let Some(pipe) = pipe.as_mut().filter(|_| written.is_ok()) else { return Ok(false) };
        if moves && move_all(pipe) {
            return Ok(false);
        }
        moves = false;
        chunk.clear();
        if read(pipe, &mut chunk)? {
            return Ok(false);
        }
    }
}

/// Writes without the buffers of the standard library, whose content a splice would overtake.
fn write_all(to: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait_to_write(&to)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait_to_write(to: impl AsFd) -> io::Result<()> {
    match poll(&mut [PollFd::new(&to, PollFlags::OUT)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Moves everything from a pipe to standard output within the kernel; whether that was possible,
/// which it isn't to a file that is appended to.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn move_all(pipe: &ChildStdout) -> bool {
    use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, splice};
    // A larger pipe means fewer turns; where it isn't allowed, the usual size does.
    let _ = fcntl_setpipe_size(pipe, 16 * CHUNK);
    let _ = fcntl_setpipe_size(io::stdout(), 16 * CHUNK);
    loop {
        match splice(pipe, None, io::stdout(), None, 16 * CHUNK, SpliceFlags::MOVE) {
            Ok(1..) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if wait_to_write(io::stdout()).is_ok() => {}
            Err(Errno::INVAL) => return false,
            Ok(0) | Err(_) => return true,
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn move_all(_: &ChildStdout) -> bool {
    false
}
