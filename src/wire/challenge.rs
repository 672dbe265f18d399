//! What a resource server says of a token in its header `WWW-Authenticate` (RFC 6750 section 3).

use serde_json::{Map, Value};

const SCHEME: &str = "Bearer ";

/// Whether a challenge begins with one of the scheme Bearer.
#[must_use]
pub fn is_bearer(challenge: &str) -> bool {
    challenge.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// Its parameters, as far as they are well formed; of another scheme none.
pub(super) fn members(challenge: &str) -> Map<String, Value> {
    let mut members = Map::new();
    if !is_bearer(challenge) {
        return members;
    }
    let mut rest = &challenge[SCHEME.len()..];
    while let Some((name, value, after)) = parameter(rest) {
        // Of a name that stands there twice the first counts: a second scheme may follow.
        members.entry(name.to_ascii_lowercase()).or_insert(Value::String(value));
        rest = after;
    }
    members
}

/// One parameter (RFC 9110 section 11.2), and what follows it.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches([' ', '\t', ',']);
    let (name, rest) = text.split_once('=')?;
    let name = name.trim_end();
    if name.is_empty()
        || name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
    {
        return None;
    }
    let rest = rest.trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find([',', ' ', '\t']).unwrap_or(rest.len());
        return Some((name, rest[..end].to_owned(), &rest[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((name, value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_a_challenge_are_read() {
        let text = |challenge: &str, name: &str| {
            members(challenge).get(name).and_then(Value::as_str).map(str::to_owned)
        };
        // RFC 6750 section 3.
        let challenge = r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#;
        assert_eq!(text(challenge, "error").unwrap(), "invalid_token");
        assert_eq!(text(challenge, "error_description").unwrap(), "The access token expired");
        let challenge = "bearer realm=\"a, error=\\\"no\\\"\",ERROR = insufficient_scope , x=y";
        assert_eq!(text(challenge, "error").unwrap(), "insufficient_scope");
        assert_eq!(text(challenge, "realm").unwrap(), "a, error=\"no\"");
        assert_eq!(text("Bearer error=a, Basic realm=x, error=b", "error").unwrap(), "a");
    }

    #[test]
    fn what_is_no_challenge_has_none() {
        for challenge in [
            "",
            "Bearer",
            "Bearer ",
            "Basic error=x",
            "Bearer =x",
            "Bearer error=\"x",
            "Bearer \"",
            "Bearé error=x",
            "Bearer error=\"\\",
        ] {
            assert!(members(challenge).is_empty(), "{challenge}");
        }
    }
}
