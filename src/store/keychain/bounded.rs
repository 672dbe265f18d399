//! A call with a deadline: it runs on a thread of its own, which is left behind when it takes too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result, StoreFault};
use crate::store::fault;
use crate::terms::StoreKind;

/// The leave to write, which a call loses when it is given up on.
#[derive(Debug, Clone, Default)]
pub(super) struct Leave(Arc<AtomicBool>);

impl Leave {
    /// Asked right before anything is written: a call that was given up on writes nothing more.
    pub(super) fn to_write(&self) -> Result<()> {
        if self.0.load(Ordering::SeqCst) {
            Err(late("the keychain answered too late"))
        } else {
            Ok(())
        }
    }

    fn withdraw(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The answer of `call`, or a fault when `timeout` passes before it comes.
///
/// The thread of a call that was given up on is not joined: it may wait for a person, or for ever.
pub(super) fn within<T: Send + 'static>(
    timeout: Duration,
    call: impl FnOnce(&Leave) -> Result<T> + Send + 'static,
) -> Result<T> {
    let leave = Leave::default();
    let theirs = leave.clone();
    let (answer, answered) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("keychain".into())
        // Nobody may be left to hear the answer.
        .spawn(move || drop(answer.send(call(&theirs))))
        .map_err(|error| {
            let message = "can't start a thread to ask the keychain";
            fault(StoreKind::Keychain, StoreFault::Failed, message, Some(error.into()))
        })?;
    answered.recv_timeout(timeout).unwrap_or_else(|error| {
        leave.withdraw();
        Err(match error {
            RecvTimeoutError::Timeout => {
                late(format!("the keychain did not answer within {timeout:?}"))
            }
            RecvTimeoutError::Disconnected => {
                let message = "the call to the keychain broke off";
                fault(StoreKind::Keychain, StoreFault::Failed, message, None)
            }
        })
    })
}

fn late(message: impl Into<String>) -> Error {
    fault(StoreKind::Keychain, StoreFault::TimedOut, message, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind<T>(result: Result<T>) -> Option<StoreFault> {
        match result {
            Err(Error::Store(error)) => Some(error.fault),
            _ => None,
        }
    }

    #[test]
    fn an_answer_in_time_is_passed_on() {
        let forever = Duration::MAX;
        assert_eq!(within(forever, |leave| leave.to_write().map(|()| 7)).unwrap(), 7);
    }

    #[test]
    fn a_call_that_is_given_up_on_has_no_leave_to_write() {
        let (go, wait) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let result = within(Duration::from_millis(1), move |leave| {
            wait.recv().unwrap();
            tell.send(kind(leave.to_write())).unwrap();
            Ok(())
        });
        assert_eq!(kind(result), Some(StoreFault::TimedOut));
        go.send(()).unwrap();
        assert_eq!(told.recv().unwrap(), Some(StoreFault::TimedOut));
    }

    #[test]
    fn a_call_that_panics_is_a_fault() {
        let result = within::<()>(Duration::MAX, |_| panic!("on purpose"));
        assert_eq!(kind(result), Some(StoreFault::Failed));
    }
}
