//! The renewal protocol: of many processes one asks, and what it is given can't be lost.

use std::time::Duration;

use super::answer::adopt;
use super::journal::{self, Answer, Found, Intent, Journal};
use super::lock::Attempt;
use super::record::Record;
use super::slot::Slot;
use super::{Held, Obtained, Session, Want, Why, index};
use crate::error::{Error, ErrorResponse, Result};
#[cfg(unix)]
use crate::signals::HeldBack;
use crate::terms::{GrantType, Identity, StoreKind};
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
    /// What there was to recover.
    pub(super) journal: Journaled,
}

/// What an earlier process had left in the journal.
pub(super) enum Journaled {
    /// Nothing of use.
    Nothing,
    /// A request whose answer nobody has, or can read: its refresh token may be spent.
    Unanswered,
    /// An answer, which is in its place now.
    Replayed,
    /// An answer that the store still won't take: the journal has the only copy.
    Pending(Error),
}

/// What becomes of a token that the store did not take.
const IN_JOURNAL: &str = "it is kept in the journal, and the next run puts it in place";

impl Session<'_> {
    /// The token of a slot, renewed first when it must be.
    pub(super) fn obtain(&self, slot: &Slot, want: Want<'_>) -> Result<Obtained> {
        let seen = self.read(slot)?;
        if self.vault.keeps_nothing() && slot.identity == Identity::Client {
            let tokens = self.fetch_client_token()?;
            return Ok(Obtained { tokens, store: StoreKind::None, made_here: true });
        }
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
                return Ok(self.serve_on(&live, &format!("{who} is still renewing the token")));
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
        let Recovered { held, journal } = self.recover(slot)?;
        // An answer that waited in the journal may be old: it is judged as if it had been read.
        let seen = match (&journal, &held) {
            (Journaled::Replayed | Journaled::Pending(_), Some(held)) => held.record.generation,
            _ => seen,
        };
        let fit = held.as_ref().and_then(|held| self.fit(slot, held, want, Some(seen)));
        let live = held.as_ref().and_then(|held| self.live(slot, held, want));
        match (journal, fit, &live) {
            // Nothing may be asked for before the only copy has found its place.
            (Journaled::Pending(error), fit, _) => {
                let Some(serves) = fit.or(live) else { return Err(error) };
                self.warn_unstored(&error, IN_JOURNAL);
                return Ok(serves);
            }
            (_, Some(fit), _) => {
                self.warn_if_short(&fit.tokens, want);
                return Ok(fit);
            }
            // A strict server takes the second use of a refresh token for a theft, and ends the
            // access token with it: that waits until there is nothing to lose.
            (Journaled::Unanswered, None, Some(live)) => {
                return Ok(
                    self.serve_on(live, "an earlier renewal got no answer that could be read")
                );
            }
            _ => {}
        }
        let asked = match slot.identity {
            Identity::User => self.refresh(slot, held, live.is_some(), want),
            Identity::Client => self.ask_again(slot, held),
        };
        match asked {
            Ok(granted) => {
                let obtained = hand_out(granted)?;
                self.warn_if_short(&obtained.tokens, want);
                Ok(obtained)
            }
            Err(error) => self.fall_back(slot, want, seen, live, error),
        }
    }

    /// After a renewal that failed: what another process has won, or what still lives.
    fn fall_back(
        &self,
        slot: &Slot,
        want: Want<'_>,
        seen: u64,
        live: Option<Obtained>,
        error: Error,
    ) -> Result<Obtained> {
        let refused = matches!(error, Error::LoginRequired { .. });
        // Locks don't reach everywhere.
        if refused
            && let Ok(Some(held)) = self.read(slot)
            && let Some(fit) = self.fit(slot, &held, want, Some(seen))
        {
            return Ok(fit);
        }
        match live {
            Some(live) if refused || error.is_transient() => {
                let why = format!("the token could not be renewed: {}", error.sentence());
                Ok(self.serve_on(&live, &why))
            }
            _ => Err(error),
        }
    }

    /// A token that is due, but lives.
    fn serve_on(&self, live: &Obtained, why: &str) -> Obtained {
        self.report
            .warn(&format!("{why}; the present token serves on, {}", self.life(&live.tokens)));
        live.clone()
    }

    /// The token, where it fits what is wanted. `seen` is the generation that was read before the lock.
    fn fit(&self, slot: &Slot, held: &Held, want: Want<'_>, seen: Option<u64>) -> Option<Obtained> {
        let tokens = self.usable(slot, held)?;
        let now = (self.clock)();
        // Whatever its life: to ask once more would bring no more of it.
        let newer = seen.is_some_and(|seen| held.record.generation > seen);
        let fits = match want.why {
            Why::Life => newer || tokens.is_fresh(now, want.min_ttl),
            Why::Forced => newer,
            Why::Refused(refused) => {
                tokens.access_token != *refused && (newer || tokens.lives(now))
            }
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
    pub(super) fn usable<'h>(&self, slot: &Slot, held: &'h Held) -> Option<&'h TokenSet> {
        held.tokens().filter(|tokens| tokens.asked.conflict(&self.asked(slot)).is_none())
    }

    fn has_index(&self, slot: &Slot) -> Result<bool> {
        Ok(index::read(self.vault.data_dir(), &slot.name())?
            .is_some_and(|entry| entry.generation > entry.tombstone))
    }

    /// RECOVER: puts in place what an earlier process was given and could not store.
    pub(super) fn recover(&self, slot: &Slot) -> Result<Recovered> {
        match self.read(slot)? {
            Some(held) if slot.identity == Identity::User => self.recover_journal(slot, held),
            // A machine has no journal, and without its record nobody can open one.
            held => Ok(Recovered { held, journal: Journaled::Nothing }),
        }
    }

    /// RECOVER, for a record that was read.
    ///
    /// A journal that can't be removed is no error: its generation says that it is old.
    pub(super) fn recover_journal(&self, slot: &Slot, mut held: Held) -> Result<Recovered> {
        let path = self.journal_path(slot);
        let (intent, answer) = match journal::read(&path, &held.record.journal_key)? {
            Found::Nothing => {
                return Ok(Recovered { held: Some(held), journal: Journaled::Nothing });
            }
            Found::Unanswered => {
                return Ok(Recovered { held: Some(held), journal: Journaled::Unanswered });
            }
            Found::Answered(found) => *found,
        };
        let adopted = adopt(&intent, &answer, &self.profile.response, &Redactor::new([]));
        let journal = match adopted {
            _ if intent.generation <= held.newest() => Journaled::Nothing,
            Ok(tokens) => {
                let (generation, tokens) = (intent.generation, Some(tokens));
                held.record = Record { generation, tokens, ..held.record };
                self.write(slot, &held).map_or_else(Journaled::Pending, |()| Journaled::Replayed)
            }
            // It may be read once the profile is mended.
            Err(Error::BadAnswer(_)) => Journaled::Unanswered,
            Err(_) => Journaled::Nothing,
        };
        if matches!(journal, Journaled::Nothing | Journaled::Replayed) {
            let _ = journal::remove(&path);
        }
        Ok(Recovered { held: Some(held), journal })
    }

    /// A user's token is renewed by its refresh token.
    fn refresh(
        &self,
        slot: &Slot,
        held: Option<Held>,
        lives: bool,
        want: Want<'_>,
    ) -> Result<Held> {
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
            return Err(self.login_required("there is no refresh token to renew its token with"));
        };
        let request = TokenRequest::refresh_token(refresh_token.clone(), &[]);
        let intent = Intent {
            generation: held.newest().saturating_add(1),
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
    ) -> Result<Held> {
        let credentials = self.credentials()?;
        let path = self.journal_path(slot);
        let record_len = held.record.to_bytes()?.expose().len();
        let key = held.record.journal_key.clone();
        let mut journal = Journal::begin(&path, &key, intent, record_len)?;
        // An intent that can't be removed is overwritten by the next.
        let forget = || drop(journal::remove(&path));
        self.vault
            .open(held.store)
            .and_then(|store| store.reserve(&slot.name(), 4 * record_len.max(16 * 1024)))
            .inspect_err(|_| forget())?;
        #[cfg(unix)]
        let held_back = HeldBack::begin();
        let answer = self.send(request, &credentials, repeats).inspect_err(|error| {
            if intent.refresh_token.is_none() || !may_have_arrived(error) {
                forget();
            }
        })?;
        let committed = journal.commit(&key, &answer);
        self.exchange.tell(&answer.response, request, &self.profile.request, &credentials);
        let redactor = request.redactor(&self.profile.request, &credentials);
        let tokens =
            adopt(intent, &answer, &self.profile.response, &redactor).inspect_err(|error| {
                // A grant that can't be read yet may be read once the profile is mended.
                if !(matches!(error, Error::BadAnswer(_)) && answer.response.is_success()) {
                    forget();
                }
            })?;
        held.record = Record { generation: intent.generation, tokens: Some(tokens), ..held.record };
        match (self.write(slot, &held), committed) {
            (Ok(()), _) => forget(),
            (Err(error), Ok(())) => self.warn_unstored(&error, IN_JOURNAL),
            (Err(error), Err(journal)) => {
                let lost =
                    format!("nor could the journal be written ({journal}): this is its only copy");
                self.warn_unstored(&error, &lost);
            }
        }
        #[cfg(unix)]
        drop(held_back);
        Ok(held)
    }

    /// SEND: once, or once more where the answer was lost.
    fn send(
        &self,
        request: &TokenRequest,
        credentials: &ClientCredentials,
        repeats: bool,
    ) -> Result<Answer> {
        let endpoint = self.profile.token_endpoint()?;
        let once = || {
            // The server counts a token's life from when it answers, which is no earlier.
            let obtained_at = (self.clock)();
            self.exchange
                .send(request, endpoint, &self.profile.request, credentials)
                .map(|response| Answer { obtained_at, response })
        };
        match once() {
            Err(Error::Network { sent: true, .. }) if repeats => once(),
            other => other,
        }
    }

    /// A machine's token is asked for anew; where the store fails, only the next process asks again.
    fn ask_again(&self, slot: &Slot, held: Option<Held>) -> Result<Held> {
        let mut held = match held {
            Some(held) => held,
            None => self.new_held(slot)?,
        };
        let (tokens, generation) = (self.fetch_client_token()?, held.newest().saturating_add(1));
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
        };
        self.exchange_unstored(&intent, &request, true)
    }

    /// SEND alone, where nothing is to be kept.
    pub(super) fn exchange_unstored(
        &self,
        intent: &Intent,
        request: &TokenRequest,
        repeats: bool,
    ) -> Result<TokenSet> {
        let credentials = self.credentials()?;
        let answer = self.send(request, &credentials, repeats)?;
        self.exchange.tell(&answer.response, request, &self.profile.request, &credentials);
        let redactor = request.redactor(&self.profile.request, &credentials);
        adopt(intent, &answer, &self.profile.response, &redactor)
    }

    pub(super) fn login_required(&self, because: &str) -> Error {
        Error::LoginRequired {
            profile: self.profile.name.clone(),
            because: format!("the profile {} needs a login: {because}", self.profile.name),
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

    fn warn_unstored(&self, error: &Error, kept: &str) {
        let error = error.sentence();
        self.report.warn(&format!("the new token could not be stored: {error}; {kept}"));
    }
}

/// What this process was granted just now.
pub(super) fn hand_out(granted: Held) -> Result<Obtained> {
    let Held { store, record, .. } = granted;
    let tokens = record.tokens;
    let tokens = tokens.ok_or_else(|| Error::BadAnswer("no token was granted".to_owned()))?;
    Ok(Obtained { tokens, store, made_here: true })
}

/// Whether the server may have carried out a request whose answer is lost.
const fn may_have_arrived(error: &Error) -> bool {
    matches!(error, Error::Network { sent: true, .. } | Error::BadAnswer(_))
}

/// Whether a refusal means that the refresh token is dead; some servers say so without a word.
fn is_spent(refusal: &ErrorResponse) -> bool {
    refusal.is_invalid_grant() || (refusal.status == 400 && refusal.error.is_none())
}
