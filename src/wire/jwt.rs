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

/// The claim `exp` in seconds since 1970; a fraction is dropped (RFC 7519 section 2).
#[must_use]
pub fn expiry(token: &str) -> Option<i64> {
    seconds(claims(token)?.get("exp")?)
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
        assert_eq!(expiry(&jwt(r#"{"exp":1459270931.9}"#)), Some(1_459_270_931));
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
