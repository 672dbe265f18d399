//! The renewal protocol: of many processes one asks, and what it is given can't be lost.

use std::time::Duration;

use super::answer::adopt;
use super::critical::Critical;
use super::journal::{self, Answer, Found, Intent, Journal};
use super::lock::Attempt;
use super::record::Record;
use super::slot::Slot;
use super::{Held, Obtained, Session, Want, Why, index};
use crate::error::{Error, ErrorResponse, Result};
use crate::terms::{GrantType, Identity};
use crate::token::TokenSet;
use crate::wire::client_auth::ClientCredentials;
use crate::wire::redact::Redactor;
use crate::wire::request::TokenRequest;

/// How long a process that holds a live token waits for another one to renew it.
const COURTESY: Duration = Duration::from_secs(1);

/// What RECOVER left.
pub(super) struct Recovered {
    /// The slot, as new as can be.
    pub(super) held: Option<Held>,
    /// Why the store still won't take it: then the journal has the only copy.
    pub(super) pending: Option<Error>,
}

/// What the server granted, and whether the store took it.
pub(super) struct Granted {
    pub(super) held: Held,
    pub(super) unstored: Option<Error>,
}

impl Session<'_> {
    /// The token of a slot, renewed first when it must be.
    pub(super) fn obtain(&self, slot: &Slot, want: Want<'_>) -> Result<Obtained> {
        let seen = self.read(slot)?;
        if let Some(fresh) = seen.as_ref().and_then(|held| self.fit(slot, held, want, None)) {
            return Ok(fresh);
        }
        let live = seen.as_ref().and_then(|held| self.live(slot, held, want));
        if seen.is_none() && slot.identity == Identity::User && !self.has_index(slot)? {
            return Err(self.login_required("nobody has logged in"));
        }
        let patience = if live.is_some() { COURTESY.min(self.patience()) } else { self.patience() };
        let lock = match (self.lock(slot, patience)?, live) {
            (Attempt::Held(lock), _) => lock,
            (Attempt::Busy(pid), Some(live)) => {
                let who = pid
                    .map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                self.report.warn(&format!(
                    "{who} is renewing the token; until then this one serves, {}",
                    self.life(&live.tokens)
                ));
                return Ok(live);
            }
            (Attempt::Busy(pid), None) => return Err(self.busy(pid)),
        };
        let generation = seen.as_ref().map_or(0, |held| held.record.generation);
        let result = self.renew(slot, want, generation);
        drop(lock);
        result
    }

    /// With the slot's lock: RECOVER, RE-READ, and ask the server if it must be.
    fn renew(&self, slot: &Slot, want: Want<'_>, seen: u64) -> Result<Obtained> {
        let Recovered { held, pending } = self.recover(slot)?;
        if let Some(error) = pending {
            return self.hand_out_pending(slot, held.as_ref(), want, seen, error);
        }
        if let Some(fit) = held.as_ref().and_then(|held| self.fit(slot, held, want, Some(seen))) {
            self.warn_if_short(&fit.tokens, want);
            return Ok(fit);
        }
        let live = held.as_ref().and_then(|held| self.live(slot, held, want));
        let asked = match slot.identity {
            Identity::User => self.refresh(slot, held, live.is_some(), want),
            Identity::Client => self.ask_again(slot, held),
        };
        match (asked, live) {
            (Ok(granted), _) => {
                if let Some(error) = granted.unstored {
                    self.warn_unstored(slot, &error);
                }
                let tokens = granted
                    .held
                    .record
                    .tokens
                    .ok_or_else(|| Error::BadAnswer("no token was granted".to_owned()))?;
                self.warn_if_short(&tokens, want);
                Ok(Obtained { tokens, store: granted.held.store, made_here: true })
            }
            // What still lives is served, whatever became of its renewal.
            (Err(error), Some(live))
                if error.is_transient() || matches!(error, Error::LoginRequired { .. }) =>
            {
                self.report.warn(&format!(
                    "the token could not be renewed: {}; it serves on, {}",
                    error.sentence(),
                    self.life(&live.tokens)
                ));
                Ok(live)
            }
            // Where locks don't reach, another process may have won.
            (Err(error @ Error::LoginRequired { .. }), None) => {
                let again = self.read(slot)?;
                again.and_then(|held| self.fit(slot, &held, want, Some(seen))).ok_or(error)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The token, where it fits what is wanted. `seen` is the generation that was read before the lock.
    fn fit(&self, slot: &Slot, held: &Held, want: Want<'_>, seen: Option<u64>) -> Option<Obtained> {
        let tokens = self.usable(slot, held)?;
        let now = (self.clock)();
        let newer = seen.is_some_and(|seen| held.record.generation > seen) && tokens.lives(now);
        let fits = match want.why {
            Why::Life => newer || tokens.is_fresh(now, want.min_ttl),
            Why::Forced => newer,
            Why::Refused(refused) => tokens.access_token != *refused && tokens.lives(now),
        };
        fits.then(|| Obtained { tokens: tokens.clone(), store: held.store, made_here: false })
    }

    /// The token, where it still lives and may be served although it is due.
    fn live(&self, slot: &Slot, held: &Held, want: Want<'_>) -> Option<Obtained> {
        let tokens = self.usable(slot, held)?;
        let serves = want.fallback && matches!(want.why, Why::Life) && tokens.lives((self.clock)());
        serves.then(|| Obtained { tokens: tokens.clone(), store: held.store, made_here: false })
    }

    /// The tokens, where they were asked for as the profile would ask now.
    fn usable<'h>(&self, slot: &Slot, held: &'h Held) -> Option<&'h TokenSet> {
        held.tokens().filter(|tokens| tokens.asked.conflict(&self.asked(slot)).is_none())
    }

    fn has_index(&self, slot: &Slot) -> Result<bool> {
        Ok(index::read(self.vault.data_dir(), &slot.name())?
            .is_some_and(|entry| entry.generation > entry.tombstone))
    }

    /// RECOVER: puts in place what an earlier process was given and could not store.
    pub(super) fn recover(&self, slot: &Slot) -> Result<Recovered> {
        let held = self.read(slot)?;
        if slot.identity == Identity::Client {
            return Ok(Recovered { held, pending: None });
        }
        let path = self.journal_path(slot);
        let Some(mut held) = held else {
            // Without its record nobody can open a journal any more.
            journal::remove(&path)?;
            return Ok(Recovered { held: None, pending: None });
        };
        let (intent, answer) = match journal::read(&path, &held.record.journal_key)? {
            Found::Nothing => return Ok(Recovered { held: Some(held), pending: None }),
            Found::Unanswered => {
                journal::remove(&path)?;
                return Ok(Recovered { held: Some(held), pending: None });
            }
            Found::Answered(found) => *found,
        };
        let adopted = adopt(&intent, &answer, &self.profile.response, &Redactor::new([]));
        let (Ok(tokens), true) = (adopted, intent.generation > held.newest()) else {
            journal::remove(&path)?;
            return Ok(Recovered { held: Some(held), pending: None });
        };
        held.record = Record { generation: intent.generation, tokens: Some(tokens), ..held.record };
        let pending = self.write(slot, &held).err();
        if pending.is_none() {
            journal::remove(&path)?;
        }
        Ok(Recovered { held: Some(held), pending })
    }

    /// The journal holds the only copy: its token is handed out, and nothing may be asked for.
    fn hand_out_pending(
        &self,
        slot: &Slot,
        held: Option<&Held>,
        want: Want<'_>,
        seen: u64,
        error: Error,
    ) -> Result<Obtained> {
        let fit = held.and_then(|held| {
            self.fit(slot, held, want, Some(seen)).or_else(|| self.live(slot, held, want))
        });
        if fit.is_some() {
            self.warn_unstored(slot, &error);
        }
        fit.ok_or(error)
    }

    /// A user's token is renewed by its refresh token.
    fn refresh(
        &self,
        slot: &Slot,
        held: Option<Held>,
        lives: bool,
        want: Want<'_>,
    ) -> Result<Granted> {
        let conflict = held
            .as_ref()
            .and_then(Held::tokens)
            .and_then(|tokens| tokens.asked.conflict(&self.asked(slot)));
        if let Some(what) = conflict {
            return Err(
                self.login_required(&format!("the stored token was asked for with another {what}"))
            );
        }
        let Some(held) = held else { return Err(self.login_required("nobody has logged in")) };
        let Some(tokens) = held.tokens().cloned() else {
            return Err(self.login_required("nobody has logged in"));
        };
        if matches!(want.why, Why::Forced) {
            self.profile.require(GrantType::RefreshToken)?;
        }
        let Some(refresh_token) =
            tokens.refresh_token.clone().filter(|_| self.profile.allows(GrantType::RefreshToken))
        else {
            return Err(
                self.login_required("the token has ended, and no refresh token came with it")
            );
        };
        let request = TokenRequest::refresh_token(refresh_token.clone(), &[]);
        let intent = Intent {
            generation: held.newest() + 1,
            grant_type: tokens.grant_type,
            asked: tokens.asked,
            scope: tokens.scope,
            refresh_token: Some(refresh_token),
            id_token: tokens.id_token,
        };
        let result = self.exchange_journaled(slot, held, &intent, &request, !lives);
        result.map_err(|error| match error {
            Error::Refused(refusal) if is_spent(&refusal) => {
                self.login_required(&format!("the refresh token no longer works: {refusal}"))
            }
            other => other,
        })
    }

    /// INTENT, SEND, GOT, STORE, CLEAN.
    ///
    /// An answer that is lost on the way is asked for once more where `repeats` allows it: a server
    /// that rotates strictly takes the second use of a refresh token for a theft.
    pub(super) fn exchange_journaled(
        &self,
        slot: &Slot,
        mut held: Held,
        intent: &Intent,
        request: &TokenRequest,
        repeats: bool,
    ) -> Result<Granted> {
        let credentials = self.credentials()?;
        let path = self.journal_path(slot);
        let record_len = held.record.to_bytes()?.expose().len();
        let key = held.record.journal_key.clone();
        let mut journal = Journal::begin(&path, &key, intent, record_len)?;
        let reserved = self
            .vault
            .open(held.store)
            .and_then(|store| store.reserve(&slot.name(), 4 * record_len.max(16 * 1024)));
        if let Err(error) = reserved {
            journal::remove(&path)?;
            return Err(error);
        }
        let critical = Critical::begin();
        let sent = self.send(request, &credentials, repeats);
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => {
                journal::remove(&path)?;
                return Err(error);
            }
        };
        let committed = journal.commit(&key, &answer);
        let redactor = request.redactor(&self.profile.request, &credentials);
        let tokens = match adopt(intent, &answer, &self.profile.response, &redactor) {
            Ok(tokens) => tokens,
            // A grant that can't be read yet may be read once the profile is mended.
            Err(error @ Error::BadAnswer(_)) if answer.response.is_success() => return Err(error),
            Err(error) => {
                journal::remove(&path)?;
                return Err(error);
            }
        };
        held.record = Record { generation: intent.generation, tokens: Some(tokens), ..held.record };
        let unstored = self.write(slot, &held).err();
        if unstored.is_none() {
            journal::remove(&path)?;
        } else if let Err(error) = committed {
            self.report.warn(&format!(
                "the journal {} could not be written either: {error}",
                path.display()
            ));
        }
        drop(critical);
        Ok(Granted { held, unstored })
    }

    /// SEND: once, or once more where the answer was lost.
    fn send(
        &self,
        request: &TokenRequest,
        credentials: &ClientCredentials,
        repeats: bool,
    ) -> Result<Answer> {
        let endpoint = self.profile.token_endpoint()?;
        let once = || self.exchange.send(request, endpoint, &self.profile.request, credentials);
        let response = match once() {
            Err(Error::Network { sent: true, .. }) if repeats => once(),
            other => other,
        }?;
        Ok(Answer { obtained_at: (self.clock)(), response })
    }

    /// A machine's token is asked for anew; where the store fails, only the next process asks again.
    fn ask_again(&self, slot: &Slot, held: Option<Held>) -> Result<Granted> {
        let mut held = match held {
            Some(held) => held,
            None => self.new_held(slot)?,
        };
        let (tokens, generation) = (self.fetch_client_token()?, held.newest() + 1);
        held.record = Record { generation, tokens: Some(tokens), ..held.record };
        let unstored = self.write(slot, &held).err();
        Ok(Granted { held, unstored })
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
        self.profile.require(GrantType::ClientCredentials)?;
        let asked = self.profile.asked(Identity::Client);
        let request = TokenRequest::client_credentials(&asked.scope);
        let credentials = self.credentials()?;
        let answer = self.send(&request, &credentials, true)?;
        let intent = Intent {
            generation: 0,
            grant_type: GrantType::ClientCredentials,
            scope: asked.scope.clone(),
            asked,
            refresh_token: None,
            id_token: None,
        };
        adopt(
            &intent,
            &answer,
            &self.profile.response,
            &request.redactor(&self.profile.request, &credentials),
        )
    }

    pub(super) fn login_required(&self, because: &str) -> Error {
        Error::LoginRequired {
            profile: self.profile.name.clone(),
            because: format!("the profile {} has no usable token: {because}", self.profile.name),
        }
    }

    fn life(&self, tokens: &TokenSet) -> String {
        match tokens.expires_in((self.clock)()) {
            Some(seconds) => format!("for {seconds} s"),
            None => "without a known end".to_owned(),
        }
    }

    fn warn_if_short(&self, tokens: &TokenSet, want: Want<'_>) {
        if !tokens.is_fresh((self.clock)(), want.min_ttl) {
            self.report.warn(&format!(
                "the new token lives {}, less than the {} s that were asked for",
                self.life(tokens),
                tokens.wanted_life(want.min_ttl)
            ));
        }
    }

    pub(super) fn warn_unstored(&self, slot: &Slot, error: &Error) {
        let kept = match slot.identity {
            Identity::User => "it is kept in the journal, and the next run puts it in place",
            Identity::Client => "the next run asks for another",
        };
        self.report
            .warn(&format!("the new token could not be stored: {}; {kept}", error.sentence()));
    }
}

/// Whether a refusal means that the refresh token is dead; some servers say so without a word.
fn is_spent(refusal: &ErrorResponse) -> bool {
    refusal.is_invalid_grant() || (refusal.status == 400 && refusal.error.is_none())
}
