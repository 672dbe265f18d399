//! What may be told of a token by whoever doesn't hold it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::terms::GrantType;
use crate::token::{Life, TokenSet};

/// The claims of a JWT (RFC 7519 section 4), not verified.
pub type Claims = Map<String, Value>;

/// What may be told of a token without looking into the store: nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The grant that began the session.
    pub grant_type: GrantType,
    /// `token_type` as the server spelled it; absent means Bearer.
    pub token_type: Option<String>,
    /// The scope granted.
    pub scope: Vec<String>,
    /// When the token was given and when it ends.
    pub life: Life,
    /// Whether the session can be renewed without a person.
    pub has_refresh_token: bool,
    /// Whose token it is, where that is known.
    pub subject: Option<String>,
}

impl Summary {
    /// The summary of `tokens`, given the claims that their JWTs hold.
    #[must_use]
    pub fn new(
        tokens: &TokenSet,
        id_token_claims: Option<&Claims>,
        claims: Option<&Claims>,
    ) -> Self {
        let sub = |claims: &Claims| Some(claims.get("sub")?.as_str()?.to_owned());
        Self {
            grant_type: tokens.grant_type,
            token_type: tokens.token_type.clone(),
            scope: tokens.scope.clone(),
            life: tokens.life(),
            has_refresh_token: tokens.refresh_token.is_some(),
            subject: id_token_claims
                .and_then(sub)
                .or_else(|| claims.and_then(sub))
                .or_else(|| tokens.asked.username.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secret::Secret;
    use crate::token::Asked;

    fn tokens(username: Option<&str>) -> TokenSet {
        TokenSet {
            access_token: Secret::from("a"),
            token_type: None,
            refresh_token: Some(Secret::from("r")),
            id_token: None,
            id_token_verified: false,
            scope: vec!["read".to_owned()],
            obtained_at: 1,
            expires_at: Some(2),
            grant_type: GrantType::Password,
            extra: Map::new(),
            asked: Asked { username: username.map(str::to_owned), ..Asked::default() },
        }
    }

    fn claims(value: Value) -> Claims {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_subject_is_the_id_tokens_else_the_access_tokens_else_the_username() {
        let tokens = tokens(Some("alice"));
        let (id, access) = (claims(json!({"sub": "id"})), claims(json!({"sub": "access"})));
        let subject = |id, access| Summary::new(&tokens, id, access).subject;
        assert_eq!(subject(Some(&id), Some(&access)).as_deref(), Some("id"));
        assert_eq!(subject(None, Some(&access)).as_deref(), Some("access"));
        assert_eq!(subject(Some(&claims(json!({"sub": 7}))), None).as_deref(), Some("alice"));
    }

    #[test]
    fn a_token_of_nobody_has_no_subject() {
        assert_eq!(Summary::new(&tokens(None), None, None).subject, None);
    }

    #[test]
    fn a_summary_holds_nothing_secret() {
        let summary = Summary::new(&tokens(None), None, None);
        assert!(summary.has_refresh_token);
        assert!(!format!("{summary:?}").contains("[redacted]"));
    }
}
