//! Signals that would end this process: they wait while a session's tokens are on their way, and
//! they end a child as well.
//!
//! A person who interrupts, or a supervisor who terminates, means the child's work too. A terminal's
//! signals reach both processes; others reach this one alone, and a thread hands them on, then lets
//! them do here what they do by default. Signals are a process's, hence the static.

use std::fs::File;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

static STATE: Mutex<State> = Mutex::new(State { child: None, held_back: 0, pending: None });

struct State {
    child: Option<Pid>,
    /// Signals wait while it is not 0, because what is being done must not be cut off.
    held_back: u32,
    pending: Option<i32>,
}

impl State {
    fn lock() -> MutexGuard<'static, Self> {
        // Each change is a single assignment: a panic elsewhere leaves nothing half done.
        STATE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&mut self, signal: i32) {
        if self.held_back > 0 {
            self.pending = Some(signal);
            return;
        }
        // A child that only this process stopped, nobody would wake.
        let named = Signal::from_named_raw(signal).filter(|_| signal != SIGTSTP);
        if let (Some(child), Some(named)) = (self.child, named) {
            let _ = kill_process(child, named);
        }
        let _ = emulate_default_handler(signal);
    }
}

/// A child that is ended when this process is told to end.
pub(crate) struct Attended(Child);

impl Attended {
    /// Starts a child.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        listen();
        let mut state = State::lock();
        let child = command.spawn()?;
        state.child = Some(Pid::from_child(&child));
        Ok(Self(child))
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Waits until it ends.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        let pid = State::lock().child;
        if let Some(pid) = pid {
            // Only looks: until it is reaped its number stays its own, and may be signalled.
            let looks = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), looks), Err(rustix::io::Errno::INTR)) {}
        }
        State::lock().child = None;
        self.0.wait()
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        // Neither does anything to a child that was waited for.
        let _ = self.0.kill();
        let _ = self.wait();
    }
}

/// A stretch of work that no signal ends half-way; one that comes meanwhile acts when the last of
/// them is dropped.
#[derive(Debug)]
pub(crate) struct HeldBack(());

impl HeldBack {
    /// Begins the stretch.
    pub(crate) fn begin() -> Self {
        listen();
        State::lock().held_back += 1;
        Self(())
    }
}

/// Whether a signal waits that will end this process.
pub(crate) fn is_told_to_end() -> bool {
    State::lock().pending.is_some_and(|signal| signal != SIGTSTP)
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        let mut state = State::lock();
        state.held_back = state.held_back.saturating_sub(1);
        if state.held_back > 0 {
            return;
        }
        if let Some(signal) = state.pending.take() {
            state.receive(signal);
        }
    }
}

/// From now on a write past a limit on the size of files fails; by default it kills.
pub(crate) fn survive_full_files() {
    static SURVIVING: Once = Once::new();
    SURVIVING.call_once(|| {
        let _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    });
}

/// Without its thread, signals do at once what they do by default.
fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let ignored = ignored();
        let wanted = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];
        let wanted = wanted.into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
        let Ok(mut signals) = Signals::new(wanted) else { return };
        let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                State::lock().receive(signal);
            }
        });
    });
}

/// The signals that were ignored when this process began, as under nohup: they stay so.
fn ignored() -> u64 {
    let mut status = [0; 8 << 10];
    let read = File::open("/proc/self/status").and_then(|mut file| file.read(&mut status));
    let status = String::from_utf8_lossy(&status[..read.unwrap_or(0)]);
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
