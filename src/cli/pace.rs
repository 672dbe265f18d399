//! Time as it passes, and chance.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use super::terminal::Terminal;
use crate::exchange::retry::Pace;

/// The machine's own time. A person at the terminal sees that it passes.
pub(super) struct Clock<'a> {
    begun: Instant,
    terminal: &'a Terminal,
}

impl<'a> Clock<'a> {
    pub(super) fn new(terminal: &'a Terminal) -> Self {
        Self { begun: Instant::now(), terminal }
    }
}

impl Pace for Clock<'_> {
    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn sleep(&self, time: Duration) {
        let _spinner = self.terminal.spin("waiting to try again");
        std::thread::sleep(time);
    }

    /// By the keys that the standard library makes for its hashes: nothing secret hangs on it.
    fn chance(&self) -> f64 {
        let random = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or(0);
        f64::from(random) / 2_f64.powi(32)
    }
}
