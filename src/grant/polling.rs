//! How often a device asks whether its person has confirmed the code (RFC 8628 section 3.5).

use std::time::Duration;

use crate::error::Error;
use crate::wire::device::INTERVAL;

/// The longest pause between two questions.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The pace of the questions.
#[derive(Debug, Clone, Copy)]
pub struct Polling {
    interval: Duration,
}

impl Polling {
    /// Asks no more often than the server allows; never without a pause.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval: interval.max(Duration::from_millis(100)) }
    }

    /// The pause before the next question.
    #[must_use]
    pub const fn pause(self) -> Duration {
        self.interval
    }

    /// Whether the person may still confirm the code after this answer; the pace is the one that it
    /// asks for.
    pub fn goes_on(&mut self, answer: &Error) -> bool {
        match answer {
            Error::Refused(refusal) => match refusal.error.as_deref() {
                Some("authorization_pending") => true,
                Some("slow_down") => {
                    self.interval += INTERVAL;
                    true
                }
                _ => false,
            },
            // What is only late is asked for again, less and less often.
            Error::Network { .. } => {
                self.interval = (self.interval * 2).min(LONGEST_PAUSE.max(self.interval));
                true
            }
            Error::Unavailable { retry_after, .. } => {
                let wanted = Duration::from_secs(retry_after.unwrap_or_default());
                self.interval = (self.interval * 2).min(LONGEST_PAUSE.max(self.interval));
                self.interval = self.interval.max(wanted.min(LONGEST_PAUSE));
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorResponse;

    fn refused(error: &str) -> Error {
        ErrorResponse { status: 400, error: Some(error.to_owned()), ..ErrorResponse::default() }
            .into()
    }

    #[test]
    fn the_pace_is_the_servers() {
        let mut polling = Polling::new(Duration::from_secs(5));
        assert!(polling.goes_on(&refused("authorization_pending")));
        assert_eq!(polling.pause(), Duration::from_secs(5));
        assert!(polling.goes_on(&refused("slow_down")));
        assert!(polling.goes_on(&refused("slow_down")));
        assert_eq!(polling.pause(), Duration::from_secs(15));
        assert!(Polling::new(Duration::ZERO).pause() > Duration::ZERO);
    }

    #[test]
    fn a_network_that_fails_is_asked_less_often() {
        let mut polling = Polling::new(Duration::from_secs(5));
        for expected in [10, 20, 40, 60, 60] {
            let lost =
                Error::Network { message: String::new(), sent: true, passing: true, source: None };
            assert!(polling.goes_on(&lost));
            assert_eq!(polling.pause(), Duration::from_secs(expected));
        }
    }

    #[test]
    fn a_refusal_for_good_ends_it() {
        for error in ["access_denied", "expired_token", "invalid_grant", "invalid_client"] {
            assert!(!Polling::new(INTERVAL).goes_on(&refused(error)), "{error}");
        }
        assert!(!Polling::new(INTERVAL).goes_on(&Error::BadAnswer(String::new())));
    }
}
