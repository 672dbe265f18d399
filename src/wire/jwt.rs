//! The claims of a JWT (RFC 7519), read and not verified: what a token says of itself.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The most of a claims set that is looked at, in bytes of base64.
const LONGEST: usize = 256 * 1024;

/// The claims of a signed JWT; `None` for a token that isn't one.
///
/// Nobody checks the signature: fit for showing, not for trusting.
#[must_use]
pub fn claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    if payload.len() > LONGEST {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// When a JWT ends that was given at `now`, by its claim `exp` (RFC 7519 section 4.1.4).
///
/// No server gives a token that has ended, or makes one later than it gives it: where `exp` and `iat`
/// say so, its clock is not ours, and only the life between the two counts.
#[must_use]
pub fn end(token: &str, now: i64) -> Option<i64> {
    let claims = claims(token)?;
    let claim = |name| claims.get(name).and_then(seconds);
    let exp = claim("exp")?;
    Some(match claim("iat") {
        Some(iat) if exp <= now || iat > now => now.saturating_add(exp.saturating_sub(iat).max(0)),
        _ => exp,
    })
}

/// Whole seconds, of a number or of a string that holds one; what is out of range goes to its end.
#[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest i64")]
pub(super) fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|f| f as i64)),
        Value::String(text) => {
            let text = text.trim();
            let float = || text.parse().ok().filter(|f: &f64| f.is_finite()).map(|f| f as i64);
            text.parse().ok().or_else(float)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn claims_are_read_without_verification() {
        let claims = claims(&jwt(r#"{"sub":"1","exp":1459270931}"#)).unwrap();
        assert_eq!(claims["sub"], "1");
        assert_eq!(end(&jwt(r#"{"exp":1459270931.9}"#), 0), Some(1_459_270_931));
    }

    #[test]
    fn a_life_is_that_between_the_claims_where_the_servers_clock_is_not_ours() {
        let end = |claims: &str| end(&jwt(claims), 10_000);
        // Right, or made a while ago; and without a word of when it was made.
        assert_eq!(end(r#"{"iat":10000,"exp":13600}"#), Some(13_600));
        assert_eq!(end(r#"{"iat":9000,"exp":12600}"#), Some(12_600));
        assert_eq!(end(r#"{"exp":5}"#), Some(5));
        // A day behind, a day ahead, and a minute.
        assert_eq!(end(r#"{"iat":-76400,"exp":-72800}"#), Some(13_600));
        assert_eq!(end(r#"{"iat":96400,"exp":100000}"#), Some(13_600));
        assert_eq!(end(r#"{"iat":10060,"exp":13660}"#), Some(13_600));
        // Nonsense.
        assert_eq!(end(r#"{"iat":20000,"exp":15000}"#), Some(10_000));
        assert_eq!(end(r#"{"iat":"-9e99","exp":5}"#), Some(i64::MAX));
        assert_eq!(end(r#"{"iat":9}"#), None);
    }

    #[test]
    fn what_is_no_jwt_has_no_claims() {
        let deep = jwt(&"[".repeat(5000));
        let huge = jwt(&format!(r#"{{"a":"{}"}}"#, "x".repeat(LONGEST)));
        for token in [
            "",
            "..",
            "opaque",
            "a.b",
            "a.b.c",
            "fea6fd89.fds659424jlkr679.fjge9wghsl",
            "e30.W10.sig",
            "e30.e30.x.y.z",
            "e30.e30",
            &deep,
            &huge,
        ] {
            assert_eq!(claims(token), None, "{}", &token[..token.len().min(40)]);
        }
    }
}
