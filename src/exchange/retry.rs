//! When a request is tried again, and how long to wait before.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::http::Limits;
use crate::wire::HttpResponse;

/// Time as it passes between two tries, and chance.
pub trait Pace {
    /// The time since some moment, the same for every call; it never goes back.
    fn now(&self) -> Duration;

    /// Waits.
    fn sleep(&self, time: Duration);

    /// Any number from 0 up to 1.
    fn chance(&self) -> f64;
}

/// How much a request is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Whatever stands in its way is tried again, and an answer that is lost is asked for once more.
    Repeated,
    /// It spends what can't be spent again: it is repeated where it was surely not sent, or where the
    /// server itself says when to come again.
    Once,
    /// One try, and without a long wait for a connection: there is a token that lives.
    ///
    /// A server that rotates strictly takes the second use of a refresh token for a theft, and ends
    /// the living token with it.
    Hurried,
}

impl Effort {
    /// What a renewal is worth, beside a token that lives or without one.
    #[must_use]
    pub const fn of_renewal(lives: bool) -> Self {
        if lives { Self::Hurried } else { Self::Repeated }
    }
}

/// What became of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It never left, and what stood in its way may be gone in a moment.
    Unsent,
    /// The server says that it did nothing, and perhaps in how many seconds to come again.
    Busy(Option<u64>),
    /// It may have been carried out, and its answer is lost; a gateway may tell of that as well.
    Lost,
    /// It may have been carried out, and its answer is none.
    Garbled,
    /// There is nothing more to try.
    Settled,
}

impl Came {
    const fn of(outcome: Result<&HttpResponse, &Error>) -> Self {
        match outcome {
            Ok(HttpResponse { status: 429 | 503, retry_after, .. }) => Self::Busy(*retry_after),
            Ok(HttpResponse { status: 502 | 504, .. }) | Err(Error::Network { sent: true, .. }) => {
                Self::Lost
            }
            Err(Error::Network { sent: false, passing: true, .. }) => Self::Unsent,
            Err(Error::BadAnswer(_)) => Self::Garbled,
            _ => Self::Settled,
        }
    }
}

/// The tries of one request, all within one time-out.
pub struct Tries<'a> {
    pace: &'a dyn Pace,
    effort: Effort,
    end: Duration,
    /// What is kept for an answer: who sends and then has no time to listen may have spent what was
    /// sent.
    reserve: Duration,
    made: u32,
    doubtful: bool,
}

impl<'a> Tries<'a> {
    /// No request is tried more often.
    const MOST: u32 = 4;

    /// The shortest pause; each one is twice the one before, and up to a half longer by chance, so
    /// that those who failed together don't come again together.
    const PAUSE: Duration = Duration::from_millis(200);

    /// Tries that end when `pace` says `end`.
    #[must_use]
    pub fn until(end: Duration, pace: &'a dyn Pace, effort: Effort) -> Self {
        let reserve = end.saturating_sub(pace.now()) / 4;
        Self { pace, effort, end, reserve, made: 0, doubtful: false }
    }

    /// What the next try may take.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let limits = Limits { whole: self.left(), connect: None };
        if self.effort == Effort::Hurried { limits.hurried() } else { limits }
    }

    /// How long to wait for the next try, after one that came to this; `None` after the last.
    pub fn again(&mut self, outcome: Result<&HttpResponse, &Error>) -> Option<Duration> {
        self.made += 1;
        let came = Came::of(outcome);
        let worth = match (self.effort, came) {
            (Effort::Hurried, _) | (_, Came::Settled | Came::Garbled) => false,
            (_, Came::Unsent) | (Effort::Repeated, Came::Busy(_)) => true,
            (Effort::Once, Came::Busy(named)) => named.is_some(),
            (effort, Came::Lost) => effort == Effort::Repeated && !self.doubtful,
        };
        self.doubtful |= matches!(came, Came::Lost | Came::Garbled);
        if !worth || self.made == Self::MOST {
            return None;
        }
        let named = match came {
            Came::Busy(Some(seconds)) => Duration::from_secs(seconds),
            _ => Duration::ZERO,
        };
        let own = Self::PAUSE * 2_u32.pow(self.made - 1);
        let pause = named.saturating_add(own.mul_f64(1.0 + self.pace.chance() / 2.0));
        (pause.saturating_add(self.reserve) <= self.left()).then_some(pause)
    }

    /// Whether a try may have been carried out although nobody has its answer.
    #[must_use]
    pub const fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    fn left(&self) -> Duration {
        self.end.saturating_sub(self.pace.now())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A time that only sleeping moves, and a chance that is no chance.
    struct Still {
        now: Cell<Duration>,
        chance: f64,
    }

    impl Pace for Still {
        fn now(&self) -> Duration {
            self.now.get()
        }

        fn sleep(&self, time: Duration) {
            self.now.set(self.now.get() + time);
        }

        fn chance(&self) -> f64 {
            self.chance
        }
    }

    fn unsent() -> Result<HttpResponse> {
        Err(Error::Network { message: String::new(), sent: false, passing: true, source: None })
    }

    fn lost() -> Result<HttpResponse> {
        Err(Error::Network { message: String::new(), sent: true, passing: false, source: None })
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what a try comes to, as the others are")]
    fn status(status: u16, retry_after: Option<u64>) -> Result<HttpResponse> {
        Ok(HttpResponse { status, retry_after, ..HttpResponse::default() })
    }

    /// The pauses in milliseconds of a request that meets these, one after the other, in `seconds`.
    fn pauses(
        effort: Effort,
        seconds: u64,
        chance: f64,
        met: &[Result<HttpResponse>],
    ) -> Vec<u128> {
        let pace = Still { now: Cell::new(Duration::from_secs(1000)), chance };
        let mut tries = Tries::until(pace.now() + Duration::from_secs(seconds), &pace, effort);
        let mut pauses = Vec::new();
        for outcome in met {
            let Some(pause) = tries.again(outcome.as_ref()) else { break };
            pace.sleep(pause);
            pauses.push(pause.as_millis());
        }
        pauses
    }

    fn always(outcome: fn() -> Result<HttpResponse>) -> Vec<Result<HttpResponse>> {
        std::iter::repeat_with(outcome).take(9).collect()
    }

    #[test]
    fn there_are_four_tries_with_pauses_that_double_and_differ() {
        assert_eq!(pauses(Effort::Repeated, 30, 0.0, &always(unsent)), [200, 400, 800]);
        assert_eq!(pauses(Effort::Repeated, 30, 1.0, &always(unsent)), [300, 600, 1200]);
        assert_eq!(
            pauses(Effort::Repeated, 30, 0.5, &always(|| status(503, None))),
            [250, 500, 1000]
        );
    }

    #[test]
    fn no_try_begins_that_has_no_time_for_its_answer() {
        // A quarter of the time is kept: of two seconds, half a second.
        assert_eq!(pauses(Effort::Repeated, 2, 0.0, &always(unsent)), [200, 400, 800]);
        assert_eq!(pauses(Effort::Repeated, 2, 1.0, &always(unsent)), [300, 600]);
        assert_eq!(pauses(Effort::Repeated, 1, 0.0, &always(unsent)), [200, 400]);
        assert_eq!(pauses(Effort::Repeated, 0, 0.0, &always(unsent)), []);
    }

    #[test]
    fn a_server_that_names_a_time_is_not_asked_before() {
        let named = |seconds| status(429, Some(seconds));
        assert_eq!(pauses(Effort::Repeated, 30, 0.0, &[named(3), named(0)]), [3200, 400]);
        assert_eq!(pauses(Effort::Repeated, 30, 0.0, &[named(22)]), [22_200]);
        for too_long in [23, 30, 3600, u64::MAX] {
            assert_eq!(pauses(Effort::Repeated, 30, 0.0, &[named(too_long)]), [], "{too_long}");
        }
        // All pauses together have the one time-out.
        assert_eq!(pauses(Effort::Repeated, 30, 0.0, &[named(12), named(12)]), [12_200]);
    }

    #[test]
    fn what_can_be_spent_once_is_repeated_where_it_was_surely_not_spent() {
        assert_eq!(pauses(Effort::Once, 30, 0.0, &always(unsent)), [200, 400, 800]);
        assert_eq!(pauses(Effort::Once, 30, 0.0, &[status(503, Some(1))]), [1200]);
        for spent in [status(503, None), status(429, None), status(502, None), lost()] {
            assert_eq!(pauses(Effort::Once, 30, 0.0, &[spent]), []);
        }
    }

    #[test]
    fn whoever_has_a_token_that_lives_tries_once() {
        for met in [unsent(), lost(), status(503, Some(1)), status(429, None)] {
            assert_eq!(pauses(Effort::Hurried, 30, 0.0, &[met]), []);
        }
    }

    #[test]
    fn a_lost_answer_is_asked_for_once_more_and_no_more() {
        assert_eq!(pauses(Effort::Repeated, 30, 0.0, &[lost(), lost(), unsent()]), [200]);
        assert_eq!(pauses(Effort::Repeated, 30, 0.0, &[status(504, None), lost()]), [200]);
        let between = [unsent(), lost(), status(503, None), lost()];
        assert_eq!(pauses(Effort::Repeated, 30, 0.0, &between), [200, 400, 800]);
    }

    #[test]
    fn what_waiting_can_not_change_is_not_tried_again() {
        let no_name =
            Error::Network { message: String::new(), sent: false, passing: false, source: None };
        let garbled = Error::BadAnswer(String::new());
        let others = [200, 302, 400, 401, 408, 500].map(|code| status(code, Some(1)));
        for met in [Err(no_name), Err(garbled)].into_iter().chain(others) {
            assert_eq!(pauses(Effort::Repeated, 30, 0.0, &[met]), []);
        }
    }

    #[test]
    fn a_lost_answer_leaves_a_doubt_that_no_later_try_removes() {
        let doubt = |met: &[Result<HttpResponse>]| {
            let pace = Still { now: Cell::default(), chance: 0.0 };
            let mut tries = Tries::until(Duration::from_secs(30), &pace, Effort::Repeated);
            for outcome in met {
                tries.again(outcome.as_ref());
            }
            tries.is_doubtful()
        };
        for met in [lost(), status(502, None), Err(Error::BadAnswer(String::new()))] {
            assert!(doubt(&[met, unsent(), status(503, None)]));
        }
        for met in [unsent(), status(503, None), status(400, None), status(500, None)] {
            assert!(!doubt(&[met]));
        }
    }

    #[test]
    fn a_try_has_what_the_others_left_of_the_time() {
        let pace = Still { now: Cell::new(Duration::from_secs(5)), chance: 0.0 };
        let tries = Tries::until(Duration::from_secs(15), &pace, Effort::Repeated);
        assert_eq!(tries.limits(), Limits { whole: Duration::from_secs(10), connect: None });
        pace.sleep(Duration::from_secs(4));
        assert_eq!(tries.limits().whole, Duration::from_secs(6));
        pace.sleep(Duration::from_secs(40));
        assert_eq!(tries.limits().whole, Duration::ZERO);
        assert!(Tries::until(Duration::MAX, &pace, Effort::Hurried).limits().connect.is_some());
    }
}
