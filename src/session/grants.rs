//! The grants by which a token is renewed: a refresh token for a person, credentials for a machine.

use super::journal::Intent;
use super::record::Record;
use super::slot::Slot;
use super::spend::Effort;
use super::{Held, Session, index};
use crate::error::{Error, ErrorResponse, Result};
use crate::terms::{GrantType, Identity};
use crate::token::TokenSet;
use crate::wire::request::TokenRequest;

impl Session<'_> {
    /// A user's token is renewed by its refresh token.
    pub(super) fn refresh(&self, slot: &Slot, held: Option<Held>, lives: bool) -> Result<Held> {
        let conflict = held
            .as_ref()
            .and_then(Held::tokens)
            .and_then(|tokens| tokens.asked.conflict(&self.asked(slot)));
        if let Some(what) = conflict {
            return Err(self.asked_for_otherwise(what));
        }
        let Some(held) = held else {
            return Err(self.login_required("its entry is gone from the token store"));
        };
        let Some(tokens) = held.tokens().cloned() else {
            return Err(self.login_required("nobody has logged in"));
        };
        let Some(refresh_token) =
            tokens.refresh_token.clone().filter(|_| self.profile.allows(GrantType::RefreshToken))
        else {
            return Err(self.login_required("there is no refresh token to renew its token with"));
        };
        let request = TokenRequest::refresh_token(refresh_token.clone(), &[]);
        let intent = Intent {
            generation: held.generations().next(),
            grant_type: tokens.grant_type,
            asked: tokens.asked,
            scope: tokens.scope,
            refresh_token: Some(refresh_token),
            id_token: tokens.id_token,
            id_token_verified: tokens.id_token_verified,
            nonce: None,
        };
        let result =
            self.exchange_journaled(slot, held, &intent, &request, Effort::of_renewal(lives));
        result.map_err(|error| match error {
            Error::Refused(refusal) if is_spent(&refusal) => {
                self.login_required(&format!("the refresh token no longer works: {refusal}"))
            }
            other => other,
        })
    }

    /// A machine's token is asked for anew; where the store fails, only the next process asks again.
    pub(super) fn ask_again(&self, slot: &Slot, held: Option<Held>, lives: bool) -> Result<Held> {
        let mut held = match held {
            Some(held) => held,
            None => self.new_held(slot)?,
        };
        let (tokens, generation) =
            (self.fetch(Effort::of_renewal(lives))?, held.generations().next());
        held.record = Record { generation, tokens: Some(tokens), ..held.record };
        if let Err(error) = self.write(slot, &held) {
            self.warn_unstored(&error, "the next run asks for another");
        }
        Ok(held)
    }

    /// A place in the remembered store, else in the preferred one, for a slot without a record.
    fn new_held(&self, slot: &Slot) -> Result<Held> {
        let entry = index::read(self.vault.data_dir(), &slot.name())?;
        let (store, tombstone) = match entry {
            Some(entry) => (self.vault.remembered(&slot.name(), &entry)?, entry.tombstone),
            None => (self.vault.preferred(), 0),
        };
        // A store that can't even be read will not keep anything: better told before the request.
        self.vault.open(store)?.get(&slot.name())?;
        Ok(Held { store, tombstone, record: Record::placeholder(tombstone)? })
    }

    /// A machine token straight from the server, past every store.
    pub fn fetch_client_token(&self) -> Result<TokenSet> {
        self.fetch(Effort::Repeated)
    }

    fn fetch(&self, effort: Effort) -> Result<TokenSet> {
        self.profile.require(GrantType::ClientCredentials)?;
        let asked = self.profile.asked(Identity::Client);
        let request = TokenRequest::client_credentials(&asked.scope);
        let intent = Intent {
            generation: 0,
            grant_type: GrantType::ClientCredentials,
            scope: asked.scope.clone(),
            asked,
            refresh_token: None,
            id_token: None,
            id_token_verified: false,
            nonce: None,
        };
        self.exchange_unstored(&intent, &request, effort)
    }
}

/// Whether a refusal means that the refresh token is dead; some servers say so without a word.
fn is_spent(refusal: &ErrorResponse) -> bool {
    refusal.is_invalid_grant() || (refusal.status == 400 && refusal.error.is_none())
}
