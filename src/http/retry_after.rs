//! `Retry-After` (RFC 9110 section 10.2.3), in seconds.

use jiff::fmt::rfc2822;

/// Seconds to wait: as given, or from the server's own `Date` to the date given, so that our
/// clock has no say. A moment that has passed is now, a number beyond all numbers the largest.
pub(super) fn seconds(value: &str, date: Option<&str>) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u64::MAX));
    }
    let until = rfc2822::parse(value).ok()?.timestamp();
    let now = rfc2822::parse(date?.trim()).ok()?.timestamp();
    Some(u64::try_from(until.as_second() - now.as_second()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn seconds_are_taken_as_they_are() {
        assert_eq!(seconds(" 120 ", None), Some(120));
        assert_eq!(seconds("99999999999999999999", None), Some(u64::MAX));
        for nonsense in ["", "-1", "1.5", "soon"] {
            assert_eq!(seconds(nonsense, None), None, "{nonsense}");
        }
    }

    #[test]
    fn a_date_counts_from_the_servers_own_date() {
        let until = "Fri, 31 Dec 1999 23:59:59 GMT";
        assert_eq!(seconds(until, Some("Fri, 31 Dec 1999 23:58:59 GMT")), Some(60));
        assert_eq!(seconds(until, None), None);
        assert_eq!(seconds(until, Some("yesterday")), None);
        assert_eq!(seconds(until, Some("Sat, 01 Jan 2000 00:00:00 GMT")), Some(0));
    }
}
