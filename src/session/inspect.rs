//! What the server tells of a token, and of the person behind it.

use super::{Session, Want, Why};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::terms::Identity;
use crate::token::TokenSet;
use crate::wire::redact::Redactor;
use crate::wire::request::redactor;
use crate::wire::userinfo::{self, Told};
use crate::wire::{jwt, management};

impl Session<'_> {
    /// Asks the server about a token (RFC 7662).
    pub fn introspect(&self, token: &Secret, hint: Option<&str>) -> Result<Told> {
        let endpoint = self.profile.endpoints.introspection.as_ref();
        let endpoint = endpoint.ok_or_else(|| self.profile.lacks("introspection_url"))?;
        let credentials = self.credentials()?;
        let dialect = &self.profile.request;
        let request = management::encode(token, hint, endpoint, dialect, &credentials)?;
        let redactor = redactor([token.clone()], dialect, &credentials);
        let answer = self.exchange.call(&request, "introspection", &redactor)?;
        Ok(userinfo::decode_introspection(&answer, &redactor)?.scrubbed(&redactor))
    }

    /// Asks the server about the person; a token that it refuses is renewed once.
    pub fn userinfo(&self, want: Want<'_>) -> Result<Told> {
        let endpoint = self.profile.endpoints.userinfo.as_ref();
        let endpoint = endpoint.ok_or_else(|| self.profile.lacks("userinfo_url"))?;
        let mut tokens = self.token(Identity::User, want)?.tokens;
        let ask = |token: &Secret| {
            let redactor = Redactor::new([token.clone()]);
            let request = userinfo::encode(endpoint, token);
            let answer = self.exchange.call(&request, "userinfo", &redactor)?;
            Ok::<_, Error>((answer, redactor))
        };
        let (mut answer, mut redactor) = ask(&tokens.access_token)?;
        if answer.status == 401 {
            let refused = tokens.access_token.clone();
            tokens =
                self.token(Identity::User, Want { why: Why::Refused(&refused), ..want })?.tokens;
            (answer, redactor) = ask(&tokens.access_token)?;
        }
        let person = userinfo::decode(&answer, &redactor)?;
        if let Some(jwt) = &person.jwt {
            self.believe(jwt)?;
        }
        // OpenID Connect Core section 5.3.2: of another person nothing may be used.
        let known = tokens.id_token.as_ref().and_then(|token| jwt::claims(token.expose()));
        match known.as_ref().and_then(|claims| claims.get("sub")) {
            Some(sub) if person.members.get("sub") != Some(sub) => Err(Error::BadAnswer(
                "the server tells of another person than the ID token does".to_owned(),
            )),
            _ => Ok(person.scrubbed(&redactor)),
        }
    }

    /// The token that is kept, to be asked about: also one that has ended, or that would be asked for
    /// otherwise now; but none of another server's, to which it would be shown.
    pub fn to_inspect(&self, identity: Identity) -> Result<Option<TokenSet>> {
        let Some(stored) = self.stored(&self.slot(identity))? else { return Ok(None) };
        match stored.tokens.asked.conflict(&self.profile.asked(identity)) {
            Some("server") => Err(self.asked_for_otherwise("server")),
            _ => Ok(Some(stored.tokens)),
        }
    }
}
