//! Passes curl's output on, in constant memory.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdout};

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

/// What passes curl's output on to where this process writes.
pub(super) struct Relay {
    pub(super) pipes: Pipes,
    pub(super) redactor: Redactor,
    /// How much more is looked at before it may go to a terminal, where it goes to one.
    screened: usize,
    /// Whether output that is no text was kept from a terminal.
    pub(super) was_binary: bool,
    splices: bool,
}

impl Relay {
    /// `screens` what goes to a terminal.
    pub(super) fn new(pipes: Pipes, redactor: Redactor, screens: bool) -> Self {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(out) = &pipes.out {
            // A larger pipe means fewer turns; where it isn't allowed, the usual size does.
            let _ = rustix::pipe::fcntl_setpipe_size(out, 16 * CHUNK);
        }
        let screened = if screens { LOOKED_AT } else { 0 };
        let splices = cfg!(any(target_os = "linux", target_os = "android"));
        Self { pipes, redactor, screened, was_binary: false, splices }
    }

    /// Passes on what was held back, and then everything else.
    pub(super) fn run(&mut self, out: &[u8], err: &[u8]) -> io::Result<()> {
        self.show(err);
        self.write(out);
        let mut chunk = Vec::with_capacity(CHUNK);
        while let Some((out, err)) = self.pipes.wait()? {
            if let (true, Some(pipe)) = (err, &mut self.pipes.err) {
                chunk.clear();
                if read(pipe, &mut chunk)? {
                    self.pipes.err = None;
                }
                self.show(&chunk);
            }
            if out {
                self.pass(&mut chunk)?;
            }
        }
        let mut rest = Vec::new();
        self.redactor.finish(&mut rest);
        let _ = write_all(io::stderr(), &rest);
        Ok(())
    }

    /// Passes on what is there of the output.
    fn pass(&mut self, chunk: &mut Vec<u8>) -> io::Result<()> {
        let Some(pipe) = &mut self.pipes.out else { return Ok(()) };
        if self.splices && self.screened == 0 {
            match splice(pipe) {
                Ok(1..) | Err(Errno::INTR) => {}
                // The far end can't take it so: a terminal, or a file that is appended to.
                Err(Errno::INVAL) => self.splices = false,
                Err(Errno::AGAIN) => wait_to_write(io::stdout())?,
                Ok(0) | Err(_) => self.pipes.out = None,
            }
            return Ok(());
        }
        chunk.clear();
        if read(pipe, chunk)? {
            self.pipes.out = None;
        }
        self.write(chunk);
        Ok(())
    }

    /// Writes to standard output; where that fails, curl finds its pipe closed and says so.
    fn write(&mut self, bytes: &[u8]) {
        if self.screened > 0 {
            if bytes.contains(&0) {
                self.was_binary = true;
                self.pipes.out = None;
                return;
            }
            self.screened = self.screened.saturating_sub(bytes.len());
        }
        if write_all(io::stdout(), bytes).is_err() {
            self.pipes.out = None;
        }
    }

    /// Writes to standard error; whether anyone reads that makes no difference to a transfer.
    fn show(&mut self, bytes: &[u8]) {
        let mut clean = Vec::with_capacity(bytes.len());
        self.redactor.push(bytes, &mut clean);
        let _ = write_all(io::stderr(), &clean);
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

/// Moves what is in a pipe to standard output within the kernel.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn splice(pipe: &ChildStdout) -> rustix::io::Result<usize> {
    use rustix::pipe::SpliceFlags;
    rustix::pipe::splice(pipe, None, io::stdout(), None, 16 * CHUNK, SpliceFlags::MOVE)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn splice(_: &ChildStdout) -> rustix::io::Result<usize> {
    Err(Errno::INVAL)
}
