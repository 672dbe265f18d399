//! Lengths of time as people write them: `90`, `90s`, `5m`, `2h`, `7d`.

use std::time::Duration;

/// What flags, environment and profiles accept, for their messages.
pub const FORMS: &str = "90, 90s, 5m, 2h or 7d";

/// A century: more can't be meant, and an `Instant` can still be moved by it.
const MAX_SECONDS: u64 = 36_525 * 86_400;

/// The length of time that `text` names; a bare number means seconds.
///
/// `None` for anything else, also for more than a century.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 3_600),
        b'd' => (&text[..text.len() - 1], 86_400),
        _ => (text, 1),
    };
    // `u64::from_str` alone would take a plus sign.
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (seconds <= MAX_SECONDS).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_contract_is_read() {
        for (text, seconds) in
            [("90", 90), ("90s", 90), ("5m", 300), ("2h", 7_200), ("7d", 604_800), ("0", 0)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", "s", "+5", "-5", " 5", "5 m", "5M", "1h30m", "1.5h", "5ms", "1w", "٣", "5µ", "0x10",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn more_than_a_century_is_refused_and_never_overflows() {
        assert!(parse("36525d").is_some());
        for text in ["36526d", "307445734561825861m", "99999999999999999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
