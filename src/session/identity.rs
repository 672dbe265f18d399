//! Whether the ID token of an answer is to be believed (OpenID Connect Core 3.1.3.7).

use std::time::Duration;

use super::Session;
use super::journal::Intent;
use crate::discovery::{self, Known};
use crate::error::{Error, Result};
use crate::http::Limits;
use crate::secret::Secret;
use crate::token::TokenSet;
use crate::wire::id_token::{self, Expected};
use crate::wire::jose::{self, JwkSet, Unverified};
use crate::wire::{HttpRequest, jwt};
use serde_json::{Map, Value};

/// What became of an ID token.
enum Judged {
    /// A key of the server's signed it, and it is what was asked for.
    Verified,
    /// Nobody can tell, for this reason.
    Unknown(String),
    /// It is not what it claims to be.
    Wrong(String),
}

impl Session<'_> {
    /// Verifies the ID token that an answer brought; one that was kept from before is left as it is.
    ///
    /// At a login a wrong one is an error: the tokens may be another person's. At a renewal it is
    /// left out with a warning, since the answer has spent a refresh token.
    pub(super) fn identify(&self, tokens: &mut TokenSet, intent: &Intent) -> Result<()> {
        let Some(id_token) = tokens.id_token.clone().filter(|_| tokens.id_token != intent.id_token)
        else {
            return Ok(());
        };
        match self.judge(&id_token, &tokens.access_token, intent) {
            Judged::Verified => tokens.id_token_verified = true,
            // Once is enough: scripts renew every hour.
            Judged::Unknown(_) if intent.id_token.is_some() && !intent.id_token_verified => {}
            Judged::Unknown(why) => {
                self.report.warn(&format!("the ID token could not be verified: {why}"));
            }
            Judged::Wrong(why) if intent.refresh_token.is_some() => {
                tokens.id_token.clone_from(&intent.id_token);
                tokens.id_token_verified = intent.id_token_verified;
                self.report.warn(&format!("the new ID token is not kept: {why}"));
            }
            Judged::Wrong(why) => {
                return Err(Error::BadAnswer(format!("the ID token is not to be believed: {why}")));
            }
        }
        Ok(())
    }

    /// Refuses a JWT of the server's that none of its keys signed (OpenID Connect Core section 5.3.2).
    pub(super) fn believe(&self, jwt: &Secret) -> Result<()> {
        match self.signed(jwt, self.timeout) {
            Err(Judged::Wrong(why)) => {
                Err(Error::BadAnswer(format!("what the server tells is not to be believed: {why}")))
            }
            Err(Judged::Unknown(why)) => {
                self.report.warn(&format!("what the server tells could not be verified: {why}"));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn judge(&self, id_token: &Secret, access_token: &Secret, intent: &Intent) -> Judged {
        // Neither a terminal nor a header may be given more than a token.
        if !id_token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Judged::Wrong(Unverified::NotJws.to_string());
        }
        let Some(issuer) = self.issuer() else {
            // What it should be is not known, but of which login it is.
            let claims = jwt::claims(id_token.expose());
            return match claims
                .filter(|claims| id_token::is_of_another(claims, intent.nonce.as_ref()))
            {
                Some(_) => Judged::Wrong(format!("it {}", id_token::OF_ANOTHER)),
                None => Judged::Unknown("the profile has no issuer".to_owned()),
            };
        };
        // A renewal has its tokens already, and others wait for them.
        let is_renewal = intent.refresh_token.is_some();
        let patience = if is_renewal { self.timeout.min(Limits::HURRIED) } else { self.timeout };
        let (claims, unknown) = match self.signed(id_token, patience) {
            Ok(claims) => (Some(claims), None),
            // Whoever signed it, what it says must fit: else a server whose signatures nobody here
            // can verify could be answered in the name of another login.
            Err(Judged::Unknown(why)) => (jwt::claims(id_token.expose()), Some(why)),
            Err(judged) => return judged,
        };
        let Some(claims) = claims else {
            return Judged::Wrong(Unverified::NotJws.to_string());
        };
        if let Some(fault) = self.fault(&claims, &issuer, access_token, intent) {
            return Judged::Wrong(fault);
        }
        unknown.map_or(Judged::Verified, Judged::Unknown)
    }

    /// What is wrong with the claims.
    fn fault(
        &self,
        claims: &Map<String, Value>,
        issuer: &str,
        access_token: &Secret,
        intent: &Intent,
    ) -> Option<String> {
        let expected = Expected {
            issuer,
            client_id: self.profile.client_id.as_deref().unwrap_or_default(),
            nonce: intent.nonce.as_ref(),
            access_token,
            max_age: self.profile.authorization.max_age.filter(|_| intent.nonce.is_some()),
            now: (self.clock)(),
        };
        if let Some(fault) = id_token::fault(claims, &expected) {
            return Some(format!("it {fault}"));
        }
        // OpenID Connect Core section 12.2: a renewal is of the same person.
        let before = intent.id_token.as_ref().and_then(|token| jwt::claims(token.expose()));
        let before = before.as_ref().and_then(|before| before.get("sub"));
        let is_another = before.is_some_and(|sub| claims.get("sub") != Some(sub));
        is_another.then(|| "it is of another person than before".to_owned())
    }

    /// The claims, where a key of the server's signed them; for a key that is not known, and where the
    /// keys are old, the server is asked once more, within this time.
    fn signed(&self, id_token: &Secret, patience: Duration) -> Result<Map<String, Value>, Judged> {
        let Some(jwks_url) = &self.profile.endpoints.jwks else {
            return Err(Judged::Unknown("the profile has no jwks_url".to_owned()));
        };
        let data_dir = self.vault.data_dir();
        let verify = |keys: &JwkSet| jose::verify(id_token.expose(), keys);
        let now = (self.clock)();
        let known = discovery::remembered_keys(data_dir, jwks_url, now);
        let may_be_of_another_key =
            |verified: &_| matches!(verified, Err(Unverified::UnknownKey | Unverified::Signature));
        let known = known
            .map(|(keys, is_old)| (verify(&keys), is_old))
            .filter(|(verified, _)| !may_be_of_another_key(verified));
        let verified = match known {
            Some((verified, false)) => verified,
            known => {
                let (transport, report) = (self.exchange.transport, self.exchange.report);
                let limits = Limits { whole: patience, connect: None };
                let transport = |request: &HttpRequest| transport.send_within(request, limits);
                let keys = discovery::fetch_keys(&transport, report, data_dir, jwks_url, now);
                match (keys, known) {
                    (Ok(keys), _) => verify(&keys),
                    // What was right a day ago will do where no better can be had.
                    (Err(error), Some((verified, _))) if error.is_transient() => verified,
                    (Err(error), _) => return Err(Judged::Unknown(error.sentence())),
                }
            }
        };
        verified.map_err(|unverified| match unverified {
            // What is only not known here may be right.
            Unverified::Algorithm(ref alg) if self.may_sign_by(alg) => {
                Judged::Unknown(unverified.to_string())
            }
            _ => Judged::Wrong(unverified.to_string()),
        })
    }

    /// Whether the server could mean an algorithm that is not verified here: by a secret only where
    /// it shares one with this client, and none that it doesn't name where it names any.
    fn may_sign_by(&self, alg: &str) -> bool {
        let shared = alg.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("HS"));
        let named = self.known().and_then(|known| known.metadata.id_token_signing_algs);
        !alg.eq_ignore_ascii_case("none")
            && (!shared || self.profile.client_secret.is_some())
            && named.is_none_or(|named| named.iter().any(|one| one == alg))
    }

    /// The issuer as it spells itself.
    fn issuer(&self) -> Option<String> {
        let named = self.profile.issuer.as_deref()?;
        Some(self.known().map_or_else(|| named.to_owned(), |known| known.metadata.issuer))
    }

    /// What is remembered of the server.
    fn known(&self) -> Option<Known> {
        discovery::remembered(self.vault.data_dir(), self.profile.issuer.as_deref()?)
    }
}
