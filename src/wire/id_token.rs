//! The claims of an ID token (OpenID Connect Core 3.1.3.7), once its signature is known to be right.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, SHA512, digest};
use serde_json::{Map, Value};

use super::jwt;
use crate::secret::Secret;
use crate::token::UnixTime;

/// Seconds by which the server's clock and ours may differ.
const CLOCKS_DIFFER: i64 = 60;

/// What an ID token must agree with.
#[derive(Debug)]
pub struct Expected<'a> {
    /// The issuer, as its metadata spells it.
    pub issuer: &'a str,
    /// The client.
    pub client_id: &'a str,
    /// The nonce that was sent; none where none was.
    pub nonce: Option<&'a Secret>,
    /// The longest that the person's login may be ago, in seconds, where that was asked for.
    pub max_age: Option<u64>,
    /// The access token that came along.
    pub access_token: &'a Secret,
    /// The time now.
    pub now: UnixTime,
}

/// What is wrong with these claims, as the end of a sentence; nothing where they are as they should be.
#[must_use]
pub fn fault(claims: &Map<String, Value>, expected: &Expected<'_>) -> Option<String> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Some(format!("is not issued by {}", expected.issuer));
    }
    if text("sub").is_none_or(str::is_empty) {
        return Some("names nobody: it has no sub".to_owned());
    }
    let (for_us, others) = audience(claims, expected.client_id);
    if !for_us {
        return Some("is meant for another client".to_owned());
    }
    match claims.get("azp").filter(|azp| !azp.is_null()) {
        Some(azp) if azp != expected.client_id => {
            return Some("was given to another client".to_owned());
        }
        None if others => return Some("is meant for others too, and names no azp".to_owned()),
        _ => {}
    }
    let time = |name: &str| claims.get(name).and_then(jwt::seconds);
    match time("exp") {
        Some(end) if expected.now < end.saturating_add(CLOCKS_DIFFER) => {}
        Some(_) => return Some("has ended".to_owned()),
        None => return Some("tells no end".to_owned()),
    }
    match time("iat") {
        Some(begin) if begin <= expected.now.saturating_add(CLOCKS_DIFFER) => {}
        Some(_) => return Some("is of the future: compare the clocks".to_owned()),
        None => return Some("tells no beginning".to_owned()),
    }
    if let Some(max_age) = expected.max_age {
        let oldest = i64::try_from(max_age).unwrap_or(i64::MAX).saturating_add(CLOCKS_DIFFER);
        match time("auth_time") {
            Some(login) if expected.now.saturating_sub(login) <= oldest => {}
            Some(_) => return Some("is of a login that is longer ago than max_age".to_owned()),
            None => return Some("tells no auth_time, which max_age asks for".to_owned()),
        }
    }
    if let Some(nonce) = expected.nonce
        && text("nonce").map(Secret::from).as_ref() != Some(nonce)
    {
        return Some(OF_ANOTHER.to_owned());
    }
    match claims.get("at_hash").filter(|hash| !hash.is_null()) {
        Some(hash)
            if !hash.as_str().is_some_and(|hash| is_hash_of(hash, expected.access_token)) =>
        {
            Some("belongs to another access token".to_owned())
        }
        _ => None,
    }
}

/// What is wrong with a token that has another nonce, as the end of a sentence.
pub const OF_ANOTHER: &str = "answers another login: its nonce is not ours";

/// Whether these claims have a nonce, and another one than was sent.
#[must_use]
pub fn is_of_another(claims: &Map<String, Value>, sent: Option<&Secret>) -> bool {
    let nonce = claims.get("nonce").and_then(Value::as_str).map(Secret::from);
    nonce.is_some_and(|nonce| sent.is_some_and(|sent| *sent != nonce))
}

/// Whether the client is among those that the token is meant for, and whether there are others.
fn audience(claims: &Map<String, Value>, client_id: &str) -> (bool, bool) {
    match claims.get("aud") {
        Some(Value::String(audience)) => (audience == client_id, false),
        Some(Value::Array(list)) => {
            let is_ours = |value: &Value| value.as_str() == Some(client_id);
            (list.iter().any(is_ours), list.iter().any(|value| !is_ours(value)))
        }
        _ => (false, false),
    }
}

/// Whether a hash is that of the access token (3.1.3.6): the left half of SHA-256, or, as with
/// Ed25519, of SHA-512.
fn is_hash_of(hash: &str, token: &Secret) -> bool {
    [&SHA256, &SHA512].iter().any(|algorithm| {
        let whole = digest(algorithm, token.expose().as_bytes());
        let half = &whole.as_ref()[..algorithm.output_len() / 2];
        hash == BASE64_URL_SAFE_NO_PAD.encode(half)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: UnixTime = 1_700_000_000;

    fn right() -> Map<String, Value> {
        let claims = json!({
            "iss": "https://a.example", "sub": "me", "aud": "us", "exp": NOW + 300, "iat": NOW,
            "nonce": "n0nce",
        });
        claims.as_object().unwrap().clone()
    }

    fn fault_with(change: impl FnOnce(&mut Map<String, Value>)) -> Option<String> {
        fault_within(None, change)
    }

    fn fault_within(
        max_age: Option<u64>,
        change: impl FnOnce(&mut Map<String, Value>),
    ) -> Option<String> {
        let mut claims = right();
        change(&mut claims);
        let (nonce, token) =
            (Secret::from("n0nce"), Secret::from("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"));
        let expected = Expected {
            issuer: "https://a.example",
            client_id: "us",
            nonce: Some(&nonce),
            access_token: &token,
            max_age,
            now: NOW,
        };
        fault(&claims, &expected)
    }

    #[test]
    fn right_claims_have_no_fault() {
        assert_eq!(fault_with(|_| ()), None);
        let several = |azp: &'static str| {
            move |claims: &mut Map<String, Value>| {
                claims.insert("aud".into(), json!(["us", "them"]));
                claims.insert("azp".into(), json!(azp));
            }
        };
        assert_eq!(fault_with(several("us")), None);
        assert!(fault_with(several("them")).is_some());
        let hash = |hash: &'static str| {
            move |claims: &mut Map<String, Value>| {
                drop(claims.insert("at_hash".into(), json!(hash)));
            }
        };
        // The example of OpenID Connect Core, appendix A.3.
        assert_eq!(fault_with(hash("77QmUPtjPfzWtF2AnpK9RQ")), None);
        assert!(fault_with(hash("77QmUPtjPfzWtF2AnpK9RR")).is_some());
        // Clocks differ a little.
        assert_eq!(fault_with(|claims| drop(claims.insert("exp".into(), json!(NOW - 59)))), None);
        assert_eq!(fault_with(|claims| drop(claims.insert("iat".into(), json!(NOW + 60)))), None);
    }

    #[test]
    fn every_claim_that_is_missing_or_wrong_is_a_fault() {
        for name in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
            assert!(fault_with(|claims| drop(claims.remove(name))).is_some(), "{name}");
        }
        for (name, wrong) in [
            ("iss", json!("https://a.example/")),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("aud", json!("them")),
            ("aud", json!([])),
            ("aud", json!(["us", "them"])),
            ("aud", json!({"us": true})),
            ("azp", json!("them")),
            ("exp", json!(NOW - 60)),
            ("exp", json!("soon")),
            ("iat", json!(NOW + 61)),
            ("nonce", json!("n0nc3")),
            ("nonce", json!(null)),
        ] {
            let fault = fault_with(|claims| drop(claims.insert(name.into(), wrong.clone())));
            assert!(fault.is_some(), "{name} {wrong}");
        }
    }

    #[test]
    fn a_login_that_was_to_be_recent_is_recent() {
        let login = |seconds: i64| {
            move |claims: &mut Map<String, Value>| {
                claims.insert("auth_time".into(), json!(NOW - seconds));
            }
        };
        assert_eq!(fault_within(Some(300), login(360)), None);
        assert!(fault_within(Some(300), login(361)).is_some());
        assert!(fault_within(Some(300), |_| ()).is_some());
    }
}
