//! A set of tokens, how long it lives, and what it was asked with.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::secret::Secret;
use crate::terms::GrantType;

/// Seconds since 1970, UTC.
pub type UnixTime = i64;

/// What one token answer granted, and the request that it answers.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSet {
    /// The access token.
    pub access_token: Secret,
    /// `token_type` as the server spelled it; absent means Bearer.
    pub token_type: Option<String>,
    /// The refresh token, for a user's tokens.
    pub refresh_token: Option<Secret>,
    /// The ID token of OpenID Connect.
    pub id_token: Option<Secret>,
    /// Whether a key of the issuer's signed the ID token, and its claims were those asked for.
    pub id_token_verified: bool,
    /// The scope granted: as the server said it, else as it was asked for.
    pub scope: Vec<String>,
    /// When it was asked for: its life is counted from there.
    pub obtained_at: UnixTime,
    /// When the access token ends; absent where nobody knows.
    pub expires_at: Option<UnixTime>,
    /// The grant that began this session.
    pub grant_type: GrantType,
    /// Members of the answer that this program doesn't know.
    pub extra: Map<String, Value>,
    /// What the token was asked with.
    pub asked: Asked,
}

/// Tells of the members that nobody knows only their names: they may be secret.
impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field("token_type", &self.token_type)
            .field("refresh_token", &self.refresh_token)
            .field("id_token", &self.id_token)
            .field("id_token_verified", &self.id_token_verified)
            .field("scope", &self.scope)
            .field("obtained_at", &self.obtained_at)
            .field("expires_at", &self.expires_at)
            .field("grant_type", &self.grant_type)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

/// What a token is bound to: whoever asks otherwise must not be given it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The issuer, where the profile knew one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The token endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The audience, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The person, where the profile named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The scope that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
}

impl Asked {
    /// What `now` asks for that a token asked with `self` can't be used for.
    ///
    /// What `now` leaves unset never conflicts; of scope, only more than before does.
    #[must_use]
    pub fn conflict(&self, now: &Self) -> Option<&'static str> {
        fn differs(then: Option<&String>, now: Option<&String>) -> bool {
            now.is_some() && then != now
        }
        let server_differs = match (&self.issuer, &now.issuer) {
            (Some(then), Some(now)) => then != now,
            // An issuer whose token endpoint nobody knows may be anybody.
            (None, Some(_)) if now.token_endpoint.is_none() => true,
            _ => differs(self.token_endpoint.as_ref(), now.token_endpoint.as_ref()),
        };
        if server_differs {
            Some("server")
        } else if differs(self.client_id.as_ref(), now.client_id.as_ref()) {
            Some("client_id")
        } else if differs(self.audience.as_ref(), now.audience.as_ref()) {
            Some("audience")
        } else if differs(self.username.as_ref(), now.username.as_ref()) {
            Some("username")
        } else if now.scope.iter().any(|scope| !self.scope.contains(scope)) {
            Some("scope")
        } else {
            None
        }
    }
}

/// How much life a token must have left to be handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinTtl {
    /// So many seconds, as somebody asked.
    Explicit(i64),
    /// A minute, but never more than half of the token's own life.
    Default,
}

impl MinTtl {
    const DEFAULT: i64 = 60;
}

/// When a token was given and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// When it was asked for.
    pub obtained_at: UnixTime,
    /// When the access token ends; absent where nobody knows.
    pub expires_at: Option<UnixTime>,
}

impl Life {
    /// Seconds by which two clocks that are right may differ.
    const CLOCKS_DIFFER: i64 = 60;

    /// Seconds left at `now`: 0 when past, `None` when no end is known.
    ///
    /// A clock that was set back can't make a token live longer than it was given.
    #[must_use]
    pub fn expires_in(self, now: UnixTime) -> Option<i64> {
        let end = self.expires_at?;
        let whole = end.saturating_sub(self.obtained_at).max(0);
        Some(end.saturating_sub(now).clamp(0, whole))
    }

    /// Whether the token seems to come from the future: a clock was set back, or another machine's is
    /// ahead, and nobody knows what is left of it.
    #[must_use]
    pub const fn is_from_the_future(self, now: UnixTime) -> bool {
        self.obtained_at.saturating_sub(now) > Self::CLOCKS_DIFFER
    }

    /// The least life, in seconds, at which the token needs no renewal.
    #[must_use]
    pub fn wanted(self, min_ttl: MinTtl) -> i64 {
        match (min_ttl, self.expires_at) {
            (MinTtl::Explicit(seconds), _) => seconds,
            (MinTtl::Default, Some(end)) => {
                MinTtl::DEFAULT.min(end.saturating_sub(self.obtained_at) / 2)
            }
            (MinTtl::Default, None) => MinTtl::DEFAULT,
        }
    }

    /// Whether there is at least the life that is wanted, for sure.
    ///
    /// A token from the future is renewed: once, since the new one is from now.
    #[must_use]
    pub fn is_fresh(self, now: UnixTime, min_ttl: MinTtl) -> bool {
        match self.expires_in(now) {
            Some(left) => left > 0 && left >= self.wanted(min_ttl) && !self.is_from_the_future(now),
            None => true,
        }
    }
}

impl TokenSet {
    /// When the access token was given and when it ends.
    #[must_use]
    pub const fn life(&self) -> Life {
        Life { obtained_at: self.obtained_at, expires_at: self.expires_at }
    }

    /// Seconds of life left at `now`: 0 when past, `None` when no end is known.
    #[must_use]
    pub fn expires_in(&self, now: UnixTime) -> Option<i64> {
        self.life().expires_in(now)
    }

    /// Whether the access token may still be used at `now`, as far as anyone knows.
    #[must_use]
    pub fn lives(&self, now: UnixTime) -> bool {
        self.expires_in(now) != Some(0)
    }

    /// The least life, in seconds, at which this token needs no renewal.
    #[must_use]
    pub fn wanted_life(&self, min_ttl: MinTtl) -> i64 {
        self.life().wanted(min_ttl)
    }

    /// Whether the token has at least the life that is wanted of it.
    #[must_use]
    pub fn is_fresh(&self, now: UnixTime, min_ttl: MinTtl) -> bool {
        self.life().is_fresh(now, min_ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(obtained_at: UnixTime, expires_at: Option<UnixTime>) -> TokenSet {
        TokenSet {
            access_token: Secret::from("a"),
            token_type: None,
            refresh_token: None,
            id_token: None,
            id_token_verified: false,
            scope: vec![],
            obtained_at,
            expires_at,
            grant_type: GrantType::Password,
            extra: Map::new(),
            asked: Asked::default(),
        }
    }

    #[test]
    fn the_default_leeway_is_a_minute_but_never_more_than_half_of_the_life() {
        let long = token(0, Some(3600));
        assert!(long.is_fresh(3540, MinTtl::Default));
        assert!(!long.is_fresh(3541, MinTtl::Default));
        let short = token(0, Some(10));
        assert!(short.is_fresh(5, MinTtl::Default));
        assert!(!short.is_fresh(6, MinTtl::Default));
    }

    #[test]
    fn an_explicit_leeway_is_taken_at_its_word() {
        assert!(!token(0, Some(3600)).is_fresh(0, MinTtl::Explicit(7200)));
        assert!(token(0, Some(3600)).is_fresh(3599, MinTtl::Explicit(0)));
        assert!(!token(0, Some(3600)).is_fresh(3600, MinTtl::Explicit(0)));
    }

    #[test]
    fn a_token_without_an_end_is_fresh() {
        assert!(token(0, None).is_fresh(1 << 40, MinTtl::Explicit(60)));
    }

    #[test]
    fn a_clock_set_back_gives_no_extra_life() {
        assert_eq!(token(1000, Some(4600)).expires_in(0), Some(3600));
        assert!(!token(1000, Some(4600)).is_fresh(939, MinTtl::Explicit(0)));
        assert!(token(1000, Some(4600)).is_fresh(940, MinTtl::Explicit(0)));
    }

    #[test]
    fn what_is_asked_otherwise_conflicts_and_what_is_unset_does_not() {
        let then = Asked {
            token_endpoint: Some("https://a/t".into()),
            client_id: Some("c".into()),
            username: Some("alice".into()),
            scope: vec!["a".into(), "b".into()],
            ..Asked::default()
        };
        assert_eq!(then.conflict(&Asked::default()), None);
        assert_eq!(then.conflict(&then.clone()), None);
        let less = Asked { scope: vec!["b".into()], ..then.clone() };
        assert_eq!(then.conflict(&less), None);
        let more = Asked { scope: vec!["c".into()], ..then.clone() };
        assert_eq!(then.conflict(&more), Some("scope"));
        let other = Asked { username: Some("bob".into()), ..then.clone() };
        assert_eq!(then.conflict(&other), Some("username"));
        let moved = Asked { token_endpoint: Some("https://b/t".into()), ..then.clone() };
        assert_eq!(then.conflict(&moved), Some("server"));
        let named = Asked { issuer: Some("https://b".into()), ..then.clone() };
        assert_eq!(then.conflict(&named), None);
        let unknown = Asked { token_endpoint: None, ..named.clone() };
        assert_eq!(then.conflict(&unknown), Some("server"));
        assert_eq!(named.conflict(&unknown), None);
    }
}
