//! Everything about one token, a line each: `show` with `--reveal` or `--claims`, for people.

use std::io::{self, Write};

use serde_json::Value;

use super::show::Shown;
use super::summary::Claims;
use crate::escape::escape;
use crate::secret::Secret;
use crate::terms::{GrantType, Identity, StoreKind};

/// The members of every token, as lines of `name: value`; a blank line between two tokens.
///
/// Nothing is wrapped or aligned, so that a token can be copied and a line be found.
#[must_use]
pub fn lines(tokens: &[Shown<'_>]) -> Secret<Vec<u8>> {
    super::measured(|to| {
        for (index, token) in tokens.iter().enumerate() {
            if index > 0 {
                writeln!(to)?;
            }
            token.write_to(to)?;
        }
        Ok(())
    })
}

impl Shown<'_> {
    fn write_to(&self, to: &mut dyn Write) -> io::Result<()> {
        let expires_at = self.expires_at.as_ref().map(|time| format!("{time} ({})", self.ends));
        let scope = self.scope.map(|scope| scope.join(" "));
        let has_refresh_token = self.has_refresh_token.map(|has| if has { "yes" } else { "no" });
        for (name, value) in [
            ("profile", Some(self.profile)),
            ("provider", self.provider),
            ("identity", self.identity.map(Identity::as_str)),
            ("status", Some(self.status.as_str())),
            ("grant_type", self.grant_type.map(GrantType::as_str)),
            ("token_type", self.token_type),
            ("scope", scope.as_deref()),
            ("obtained_at", self.obtained_at.as_deref()),
            ("expires_at", expires_at.as_deref()),
            ("has_refresh_token", has_refresh_token),
            ("subject", self.subject),
            ("store", self.store.map(StoreKind::as_str)),
        ] {
            line(to, name, value)?;
        }
        if let Some(revealed) = &self.revealed {
            for (name, secret) in [
                ("access_token", revealed.access_token),
                ("refresh_token", revealed.refresh_token),
                ("id_token", revealed.id_token),
            ] {
                line(to, name, secret.map(|secret| secret.0.expose().as_str()))?;
            }
        }
        if let Some(decoded) = &self.decoded {
            claims(to, "claims", decoded.claims.as_ref())?;
            let verified = decoded.id_token_verified;
            let verified = verified.map(|verified| if verified { "yes" } else { "no" });
            line(to, "id_token_verified", verified)?;
            claims(to, "id_token_claims", decoded.id_token_claims.as_ref())?;
        }
        Ok(())
    }
}

fn line(to: &mut dyn Write, name: &str, value: Option<&str>) -> io::Result<()> {
    match value {
        Some(value) => writeln!(to, "{name}: {}", escape(value)),
        None => Ok(()),
    }
}

fn claims(to: &mut dyn Write, of: &str, claims: Option<&Claims>) -> io::Result<()> {
    for (name, value) in claims.into_iter().flatten() {
        let name = escape(name);
        match value {
            Value::String(text) => writeln!(to, "{of}.{name}: {}", escape(text))?,
            other => writeln!(to, "{of}.{name}: {}", escape(&other.to_string()))?,
        }
    }
    Ok(())
}
