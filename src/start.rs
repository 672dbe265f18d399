//! What a program needs done before anything else, where Rust's own runtime doesn't do it.
//!
//! That runtime reads and parses the list of all mappings at each start, to tell a stack overflow in
//! better words: a sixth of all that `header` does. On Linux the program begins without it.

use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Result;
use rustix::stdio::{stderr, stdin, stdout};

/// Makes standard streams of those that are closed, and errors of pipes that nobody reads.
pub(crate) fn prepare() -> std::io::Result<()> {
    open_standard_streams()?;
    // A handler, unlike a signal that is ignored, is not inherited by children.
    signal_hook::flag::register(signal_hook::consts::SIGPIPE, Arc::new(AtomicBool::new(false)))
        .map(drop)
}

/// A file that is opened must not become a standard stream by accident.
fn open_standard_streams() -> Result<()> {
    let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
    let mut streams =
        [&stdin, &stdout, &stderr].map(|stream| PollFd::new(stream, PollFlags::empty()));
    poll(&mut streams, Some(&Timespec::default()))?;
    if !streams.iter().any(|stream| stream.revents().contains(PollFlags::NVAL)) {
        return Ok(());
    }
    loop {
        // The lowest number that is free.
        let null = open("/dev/null", OFlags::RDWR, Mode::empty())?;
        if null.as_raw_fd() > 2 {
            return Ok(());
        }
        std::mem::forget(null);
    }
}
