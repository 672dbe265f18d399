//! Points in time as people speak of them.

use crate::token::{Life, UnixTime};

/// The end of a token's life, seen from `now`: `expires in 58 min`, `expired 5 min ago`.
#[must_use]
pub fn expiry(life: Life, now: UnixTime) -> String {
    match life.expires_in(now) {
        None => "no end known".to_owned(),
        Some(0) => format!("expired {}", end(life, now)),
        Some(_) => format!("expires {}", end(life, now)),
    }
}

/// The end of a token's life, seen from `now`: `in 58 min`, `5 min ago`; empty where none is known,
/// and `in at most 60 min` where a clock was set back.
#[must_use]
pub fn end(life: Life, now: UnixTime) -> String {
    match (life.expires_in(now), life.expires_at) {
        (Some(left @ 1..), _) if life.is_from_the_future(now) => {
            format!("in at most {}", span(left.unsigned_abs()))
        }
        (Some(left @ 1..), _) => from_now(left),
        (_, Some(end)) => from_now(end.saturating_sub(now).min(0)),
        (_, None) => String::new(),
    }
}

/// A moment so many seconds away: `in 58 min`, `now`, `12 s ago`.
#[must_use]
pub fn from_now(seconds: i64) -> String {
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("in {}", span(seconds.unsigned_abs())),
        _ => format!("{} ago", span(seconds.unsigned_abs())),
    }
}

/// A length of time in its largest unit of which there are two, rounded down.
///
/// Down, because nobody is hurt by a token that lives longer than was said.
fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let unit = UNITS.into_iter().find(|(length, _)| seconds >= 2 * length);
    let (length, name) = unit.unwrap_or((1, "s"));
    format!("{} {name}", seconds / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        for (seconds, words) in [
            (0, "now"),
            (1, "in 1 s"),
            (119, "in 119 s"),
            (120, "in 2 min"),
            (3_599, "in 59 min"),
            (7_199, "in 119 min"),
            (7_200, "in 2 h"),
            (172_799, "in 47 h"),
            (366 * 86_400, "in 366 d"),
            (-12, "12 s ago"),
            (-300, "5 min ago"),
            (i64::MIN, "106751991167300 d ago"),
        ] {
            assert_eq!(from_now(seconds), words);
        }
    }

    #[test]
    fn the_end_of_a_life_is_told_from_both_sides() {
        let life = Life { obtained_at: 1_000, expires_at: Some(4_600) };
        assert_eq!(expiry(life, 1_100), "expires in 58 min");
        assert_eq!(expiry(life, 4_600), "expired now");
        assert_eq!(expiry(life, 4_900), "expired 5 min ago");
        assert_eq!(expiry(Life { expires_at: None, ..life }, 0), "no end known");
    }

    #[test]
    fn a_clock_set_back_promises_no_more_life_than_was_given() {
        let life = Life { obtained_at: 1_000, expires_at: Some(4_600) };
        assert_eq!(expiry(life, -999_999), "expires in at most 60 min");
        assert_eq!(expiry(life, 999), "expires in 60 min");
        let stillborn = Life { obtained_at: 1_000, expires_at: Some(900) };
        assert_eq!(expiry(stillborn, 0), "expired now");
    }
}
