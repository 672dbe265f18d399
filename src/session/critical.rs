//! A stretch of work that no signal ends half-way: from sending a grant to having stored its answer.

/// While it lives, interrupting signals wait; what came meanwhile takes effect when it is dropped.
#[derive(Debug)]
pub(super) struct Critical(());

#[cfg(unix)]
mod signals {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, Once, OnceLock};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGXFSZ};
    use signal_hook::{flag, low_level};

    struct Signals {
        /// Outside of the stretch, signals do what they always do.
        outside: Arc<AtomicBool>,
        /// The last signal that came inside, 0 for none.
        pending: Arc<AtomicUsize>,
    }

    fn signals() -> &'static Signals {
        static SIGNALS: OnceLock<Signals> = OnceLock::new();
        SIGNALS.get_or_init(|| {
            let signals = Signals {
                outside: Arc::new(AtomicBool::new(true)),
                pending: Arc::new(AtomicUsize::new(0)),
            };
            for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP] {
                // Should the system refuse, the signal keeps its usual effect: nothing is worse than before.
                let _ = flag::register_conditional_default(signal, Arc::clone(&signals.outside));
                let number = usize::try_from(signal).unwrap_or_default();
                let _ = flag::register_usize(signal, Arc::clone(&signals.pending), number);
            }
            signals
        })
    }

    pub(super) fn outlive_file_limits() {
        static ONCE: Once = Once::new();
        // Should the system refuse, the signal kills as it always does.
        ONCE.call_once(|| drop(flag::register(SIGXFSZ, Arc::default())));
    }

    pub(super) fn begin() {
        signals().outside.store(false, Ordering::SeqCst);
    }

    pub(super) fn end() {
        let signals = signals();
        signals.outside.store(true, Ordering::SeqCst);
        let pending = signals.pending.swap(0, Ordering::SeqCst);
        if let Some(signal) = i32::try_from(pending).ok().filter(|&signal| signal != 0) {
            let _ = low_level::emulate_default_handler(signal);
        }
    }
}

impl Critical {
    /// Begins the stretch.
    #[must_use]
    pub(super) fn begin() -> Self {
        #[cfg(unix)]
        signals::begin();
        Self(())
    }
}

impl Drop for Critical {
    fn drop(&mut self) {
        #[cfg(unix)]
        signals::end();
    }
}

/// From here on a write past a limit on the size of files fails, as on a full disk, and doesn't kill.
pub(super) fn outlive_file_limits() {
    #[cfg(unix)]
    signals::outlive_file_limits();
}
