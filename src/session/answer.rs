//! An answer of the token endpoint becomes a token set.

use super::journal::{Answer, Intent};
use crate::error::Result;
use crate::profile::dialect::ResponseDialect;
use crate::terms::GrantType;
use crate::token::TokenSet;
use crate::wire::redact::Redactor;
use crate::wire::response;

/// Reads an answer; what it leaves out is as the request asked, or as it was before.
pub(super) fn adopt(
    intent: &Intent,
    answer: &Answer,
    dialect: &ResponseDialect,
    redactor: &Redactor,
) -> Result<TokenSet> {
    let granted = response::decode(&answer.response, dialect, redactor)?;
    let expires_at = response::expires_at(&granted, answer.obtained_at, dialect);
    // A machine asks again by its own credentials, and never needs a refresh token.
    let refreshes = intent.grant_type != GrantType::ClientCredentials;
    Ok(TokenSet {
        access_token: granted.access_token,
        token_type: granted.token_type,
        refresh_token: granted
            .refresh_token
            .or_else(|| intent.refresh_token.clone())
            .filter(|_| refreshes),
        // One that comes once more is the one that is known.
        id_token_verified: intent.id_token_verified
            && (granted.id_token.is_none() || granted.id_token == intent.id_token),
        id_token: granted.id_token.or_else(|| intent.id_token.clone()),
        scope: granted.scope.unwrap_or_else(|| intent.scope.clone()),
        obtained_at: answer.obtained_at,
        expires_at,
        grant_type: intent.grant_type,
        extra: granted.extra,
        asked: intent.asked.clone(),
    })
}
