//! A call with a deadline: it runs on a thread of its own, which is left behind when it takes too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result, StoreFault};
use crate::store::{Place, fault};
use crate::terms::StoreKind;

/// How long nobody wonders what a command waits for.
const MOMENT: Duration = Duration::from_secs(1);

/// What a call may do besides reading: write, until it is given up on, and ask a person, where one is.
#[derive(Clone)]
#[cfg_attr(windows, allow(dead_code, reason = "there nobody is ever asked"))]
pub(super) struct Leave {
    withdrawn: Arc<AtomicBool>,
    asks: Option<Arc<dyn Fn() + Send + Sync>>,
}

#[cfg_attr(windows, allow(dead_code, reason = "there nobody is ever asked"))]
impl Leave {
    /// Asked right before anything is written: a call that was given up on writes nothing more.
    pub(super) fn to_write(&self) -> Result<()> {
        if self.withdrawn.load(Ordering::SeqCst) {
            Err(late("the keychain answered too late"))
        } else {
            Ok(())
        }
    }

    /// Whether there is a person who may be asked.
    pub(super) const fn may_ask(&self) -> bool {
        self.asks.is_some()
    }

    /// Asked right before a person is: from then on the call has the time that a person needs.
    /// False where nobody may be asked.
    pub(super) fn to_ask(&self) -> bool {
        if let Some(asks) = &self.asks {
            asks();
        }
        self.may_ask()
    }
}

/// The answer of `call`, or a fault when its time is over before it comes.
///
/// The thread of a call that was given up on is not joined: it may wait for a person, or for ever.
pub(super) fn within<T: Send + 'static>(
    place: &Place,
    call: impl FnOnce(&Leave) -> Result<T> + Send + 'static,
) -> Result<T> {
    let withdrawn = Arc::new(AtomicBool::new(false));
    // `None` says that a person is asked now.
    let (answer, answered) = mpsc::channel::<Option<Result<T>>>();
    let asks = place.person.as_ref().map(|_| {
        let answer = answer.clone();
        Arc::new(move || drop(answer.send(None))) as Arc<dyn Fn() + Send + Sync>
    });
    let leave = Leave { withdrawn: Arc::clone(&withdrawn), asks };
    thread::Builder::new()
        .name("keychain".into())
        // Nobody may be left to hear the answer.
        .spawn(move || drop(answer.send(Some(call(&leave)))))
        .map_err(|error| {
            let message = "can't start a thread to ask the keychain";
            fault(StoreKind::Keychain, StoreFault::Failed, message, Some(error.into()))
        })?;
    wait(place, &answered).unwrap_or_else(|error| {
        withdrawn.store(true, Ordering::SeqCst);
        Err(error)
    })
}

/// Waits for the answer, and tells a person who is asked in vain that they are.
fn wait<T>(place: &Place, answered: &Receiver<Option<Result<T>>>) -> Result<Result<T>> {
    let begun = Instant::now();
    let mut end = place.timeout;
    let mut asked = None;
    let mut told = false;
    loop {
        let next = asked.filter(|_| !told).map_or(end, |asked| end.min(asked + MOMENT));
        match answered.recv_timeout(next.saturating_sub(begun.elapsed())) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {
                end = place.deadline();
                asked.get_or_insert_with(|| begun.elapsed());
            }
            Err(RecvTimeoutError::Timeout) if begun.elapsed() < end => {
                told = true;
                if let Some(person) = &place.person {
                    person.tell(&format!(
                        "the keychain waits for its prompt to be answered, no longer than {end:?}"
                    ));
                }
            }
            Err(RecvTimeoutError::Timeout) if asked.is_some() => {
                return Err(late(format!("nobody unlocked the keychain within {end:?}")));
            }
            Err(RecvTimeoutError::Timeout) => {
                return Err(late(format!("the keychain did not answer within {end:?}")));
            }
            Err(RecvTimeoutError::Disconnected) => {
                let message = "the call to the keychain broke off";
                return Err(fault(StoreKind::Keychain, StoreFault::Failed, message, None));
            }
        }
    }
}

fn late(message: impl Into<String>) -> Error {
    fault(StoreKind::Keychain, StoreFault::TimedOut, message, None)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::store::Person;

    fn place(timeout: Duration) -> Place {
        Place { data_dir: "/nowhere".into(), timeout, person: None, file_key: None, helper: None }
    }

    fn kind<T>(result: Result<T>) -> Option<StoreFault> {
        match result {
            Err(Error::Store(error)) => Some(error.fault),
            _ => None,
        }
    }

    #[test]
    fn an_answer_in_time_is_passed_on() {
        let answer = within(&place(Duration::MAX), |leave| {
            assert!(!leave.to_ask());
            leave.to_write().map(|()| 7)
        });
        assert_eq!(answer.unwrap(), 7);
    }

    #[test]
    fn a_call_that_is_given_up_on_has_no_leave_to_write() {
        let (go, wait) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let result = within(&place(Duration::from_millis(1)), move |leave| {
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
        let result = within::<()>(&place(Duration::MAX), |_| panic!("on purpose"));
        assert_eq!(kind(result), Some(StoreFault::Failed));
    }

    /// Longer than a thread takes to begin, shorter than the moment after which a person is told.
    const SHORT: Duration = Duration::from_millis(500);

    /// A place with a person of so much patience, and what they are told.
    fn attended(timeout: Duration, patience: Duration) -> (Place, Arc<Mutex<Vec<String>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let mut person = Person::new(move |text| hears.lock().unwrap().push(text.to_owned()));
        person.patience = patience;
        (Place { person: Some(person), ..place(timeout) }, told)
    }

    #[test]
    fn who_is_asked_has_longer_than_any_timeout_and_is_told_once_after_a_moment() {
        let (place, told) = attended(SHORT, Duration::MAX);
        let heard = Arc::clone(&told);
        let result = within(&place, move |leave| {
            assert!(leave.to_ask() && leave.to_ask());
            // Unlocks once it is said what is waited for.
            while heard.lock().unwrap().is_empty() {
                thread::yield_now();
            }
            leave.to_write()
        });
        result.unwrap();
        assert_eq!(told.lock().unwrap().len(), 1);
    }

    #[test]
    fn who_never_answers_is_given_up_on_and_who_is_not_asked_is_not_waited_for() {
        for (asks, patience, expected) in [
            (true, Duration::ZERO, "nobody unlocked"),
            (false, Duration::MAX, "did not answer within 500ms"),
        ] {
            let (place, told) = attended(SHORT, patience);
            let (_never, wait) = mpsc::channel::<()>();
            let result = within(&place, move |leave| {
                if asks {
                    assert!(leave.to_ask());
                }
                let _ = wait.recv();
                Ok(())
            });
            let error = result.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(kind::<()>(Err(error)), Some(StoreFault::TimedOut));
            assert!(told.lock().unwrap().is_empty());
        }
    }
}
