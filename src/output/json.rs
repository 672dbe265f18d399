//! Objects for programs.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::secret::Secret;
use crate::token::{TokenSet, UnixTime};

/// A token for a machine: what `token --json` and `client-token --json` print.
#[derive(Debug, Serialize)]
pub struct TokenObject<'a> {
    access_token: Exposed<'a>,
    token_type: &'a str,
    expires_at: Option<String>,
    expires_in: Option<i64>,
}

impl<'a> TokenObject<'a> {
    /// The object of `tokens`, as seen from `now`.
    #[must_use]
    pub fn new(tokens: &'a TokenSet, now: UnixTime) -> Self {
        Self {
            access_token: Exposed(&tokens.access_token),
            token_type: tokens.token_type.as_deref().unwrap_or("Bearer"),
            expires_at: tokens.expires_at.and_then(rfc3339),
            expires_in: tokens.expires_in(now),
        }
    }
}

/// A secret that somebody asked to see: the only way in which one is serialized.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exposed<'a>(pub(super) &'a Secret);

impl Serialize for Exposed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

/// An object or an array as indented JSON and a newline.
///
/// # Panics
///
/// When `value` has maps whose keys are no strings, as no type of [`super`] has.
#[must_use]
pub fn document(value: &impl Serialize) -> Secret<Vec<u8>> {
    super::measured(|to| {
        serde_json::to_writer_pretty(&mut *to, value)?;
        to.write_all(b"\n")
    })
}

/// A moment as RFC 3339 has it, in UTC; `None` where its four-digit years end.
#[must_use]
pub fn rfc3339(time: UnixTime) -> Option<String> {
    const YEAR_0: UnixTime = -62_167_219_200;
    let moment = Timestamp::from_second(time).ok().filter(|_| time >= YEAR_0)?;
    Some(moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::GrantType;
    use crate::token::Asked;

    fn tokens(expires_at: Option<UnixTime>) -> TokenSet {
        TokenSet {
            access_token: Secret::from("s3cr\"et"),
            token_type: Some("bearer".to_owned()),
            refresh_token: None,
            id_token: None,
            id_token_verified: false,
            scope: vec![],
            obtained_at: 1_767_225_600,
            expires_at,
            grant_type: GrantType::ClientCredentials,
            extra: serde_json::Map::new(),
            asked: Asked::default(),
        }
    }

    fn text(value: &impl Serialize) -> String {
        String::from_utf8(document(value).expose().clone()).unwrap()
    }

    #[test]
    fn a_token_is_told_with_its_type_as_sent_and_its_end() {
        let tokens = tokens(Some(1_767_229_200));
        assert_eq!(
            text(&TokenObject::new(&tokens, 1_767_225_700)),
            "{\n  \"access_token\": \"s3cr\\\"et\",\n  \"token_type\": \"bearer\",\n  \
             \"expires_at\": \"2026-01-01T01:00:00Z\",\n  \"expires_in\": 3500\n}\n"
        );
    }

    #[test]
    fn a_token_without_type_or_end_is_bearer_and_null() {
        let tokens = TokenSet { token_type: None, ..tokens(None) };
        assert_eq!(
            text(&TokenObject::new(&tokens, 0)),
            "{\n  \"access_token\": \"s3cr\\\"et\",\n  \"token_type\": \"Bearer\",\n  \
             \"expires_at\": null,\n  \"expires_in\": null\n}\n"
        );
    }

    #[test]
    fn debugging_an_object_shows_no_token() {
        let tokens = tokens(None);
        assert!(!format!("{:?}", TokenObject::new(&tokens, 0)).contains("s3cr"));
    }

    #[test]
    fn the_buffer_holds_the_document_exactly() {
        let tokens = tokens(None);
        let buffer = document(&TokenObject::new(&tokens, 0));
        assert_eq!(buffer.expose().len(), buffer.expose().capacity());
    }

    #[test]
    fn moments_beyond_the_calendar_are_none() {
        assert_eq!(rfc3339(0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(rfc3339(-62_167_219_200).as_deref(), Some("0000-01-01T00:00:00Z"));
        for time in [i64::MIN, -62_167_219_201, 253_402_300_800, i64::MAX] {
            assert_eq!(rfc3339(time), None, "{time}");
        }
    }
}
