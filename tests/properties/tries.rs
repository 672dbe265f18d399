//! Tries of a request, whatever each of them meets and however long it takes.

use std::cell::Cell;
use std::time::Duration;

use oauthctl::error::Error;
use oauthctl::exchange::retry::{Effort, Pace, Tries};
use oauthctl::wire::HttpResponse;
use proptest::prelude::*;

use super::cases;

/// A time that only sleeping moves.
struct Still {
    now: Cell<Duration>,
    chance: f64,
}

impl Pace for Still {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn sleep(&self, time: Duration) {
        self.now.set(self.now.get().saturating_add(time));
    }

    fn chance(&self) -> f64 {
        self.chance
    }
}

/// What one try meets: no connection, a lost answer, or a status with a time to wait.
#[derive(Debug, Clone)]
enum Met {
    Unsent,
    Lost,
    Status(u16, Option<u64>),
}

fn met() -> impl Strategy<Value = Met> {
    let status = prop_oneof![Just(429), Just(502), Just(503), Just(504), 100..600_u16];
    let wait = prop_oneof![0..40_u64, any::<u64>()];
    prop_oneof![
        Just(Met::Unsent),
        Just(Met::Lost),
        (status, proptest::option::of(wait)).prop_map(|(status, wait)| Met::Status(status, wait)),
    ]
}

proptest! {
    #![proptest_config(cases(2048))]

    #[test]
    fn all_tries_and_pauses_are_within_one_time_out(
        effort in prop_oneof![Just(Effort::Repeated), Just(Effort::Once), Just(Effort::Hurried)],
        timeout in prop_oneof![(0..60_000_u64).prop_map(Duration::from_millis), Just(Duration::MAX)],
        chance in 0.0..1.0,
        meets in prop::collection::vec((met(), 0..20_000_u64), 9),
    ) {
        let pace = Still { now: Cell::new(Duration::from_secs(7)), chance };
        let end = pace.now().saturating_add(timeout);
        let mut tries = Tries::until(end, &pace, effort);
        let (mut made, mut lost) = (0, 0);
        for (met, takes) in meets {
            let limit = tries.limits().whole;
            prop_assert!(pace.now() + limit <= end);
            prop_assert!(made == 0 || limit > Duration::ZERO);
            pace.sleep(Duration::from_millis(takes).min(limit));
            made += 1;
            let network = |sent| {
                Err(Error::Network { message: String::new(), sent, passing: !sent, source: None })
            };
            let outcome = match met {
                Met::Unsent => network(false),
                Met::Lost => network(true),
                Met::Status(status, retry_after) => {
                    Ok(HttpResponse { status, retry_after, ..HttpResponse::default() })
                }
            };
            lost += u32::from(matches!(met, Met::Lost | Met::Status(502 | 504, _)));
            let Some(pause) = tries.again(outcome.as_ref()) else { break };
            prop_assert!(effort != Effort::Hurried);
            prop_assert!(lost <= u32::from(effort == Effort::Repeated), "sent twice too often");
            if let Met::Status(_, Some(seconds)) = met {
                prop_assert!(pause >= Duration::from_secs(seconds) || !matches!(met, Met::Status(429 | 503, _)));
            }
            pace.sleep(pause);
        }
        prop_assert!(made <= 4);
        prop_assert!(pace.now() <= end);
    }
}
