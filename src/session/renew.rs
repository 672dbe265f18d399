//! The renewal protocol: of many processes one asks, and what it is given can't be lost.

use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

use super::lock::Attempt;
use super::protocol::{self, Next};
use super::recover::{Journaled, Recovered};
use super::slot::Slot;
use super::spend::{IN_JOURNAL, hand_out};
use super::{Held, Obtained, Session, Want, Why, index};
use crate::error::{Error, Result};
use crate::terms::{Identity, StoreKind};
use crate::token::TokenSet;

/// How long a process that holds a live token waits for another one to renew it.
const COURTESY: Duration = Duration::from_secs(1);

impl Session<'_> {
    /// The token of this identity, where it fits as it is cached.
    pub fn cached(&self, identity: Identity, want: Want<'_>) -> Result<Option<Obtained>> {
        let slot = self.slot(identity);
        Ok(self.as_read(&slot, self.read(&slot)?, want).break_value())
    }

    /// The token of a slot, renewed first when it must be.
    pub(super) fn obtain(&self, slot: &Slot, want: Want<'_>) -> Result<Obtained> {
        let seen = self.read_or_mend(slot, want)?;
        if self.vault.keeps_nothing() && slot.identity == Identity::Client {
            let tokens = self.fetch_client_token()?;
            return Ok(Obtained { tokens, store: StoreKind::None, made_here: true });
        }
        let seen = match self.as_read(slot, seen, want) {
            Break(fresh) => return Ok(fresh),
            Continue(seen) => seen,
        };
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
            (journal, None, Some(live)) => {
                let unanswered = matches!(journal, Journaled::Unanswered);
                if protocol::next(unanswered, true) == Next::Serve {
                    let why = "an earlier renewal got no answer that could be read";
                    return Ok(self.serve_on(live, why));
                }
            }
            _ => {}
        }
        let asked = match slot.identity {
            Identity::User => self.refresh(slot, held, live.is_some()),
            Identity::Client => self.ask_again(slot, held, live.is_some()),
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

    /// The token as it was read, where it fits what is wanted; else all that was read.
    fn as_read(
        &self,
        slot: &Slot,
        read: Option<Held>,
        want: Want<'_>,
    ) -> ControlFlow<Obtained, Option<Held>> {
        if read.as_ref().is_some_and(|held| self.fits(slot, held, want, None)) {
            return read.and_then(Held::into_cached).map_or(Continue(None), Break);
        }
        Continue(read)
    }

    /// The token, where it fits what is wanted. `seen` is the generation that was read before the lock.
    fn fit(&self, slot: &Slot, held: &Held, want: Want<'_>, seen: Option<u64>) -> Option<Obtained> {
        let tokens = held.tokens().filter(|_| self.fits(slot, held, want, seen))?;
        Some(held.cached(tokens))
    }

    /// Whether it does.
    fn fits(&self, slot: &Slot, held: &Held, want: Want<'_>, seen: Option<u64>) -> bool {
        let Some(tokens) = self.usable(slot, held) else { return false };
        let now = (self.clock)();
        // Whatever its life: to ask once more would bring no more of it.
        let newer = seen.is_some_and(|seen| held.generations().is_newer_than(seen));
        match want.why {
            Why::Life => newer || tokens.is_fresh(now, want.min_ttl),
            Why::Forced => newer,
            Why::Refused(refused) => {
                tokens.access_token != *refused && (newer || tokens.lives(now))
            }
        }
    }

    /// The token, where it still lives and may be served although it is due.
    fn live(&self, slot: &Slot, held: &Held, want: Want<'_>) -> Option<Obtained> {
        let tokens = self.usable(slot, held)?;
        let serves = want.fallback && matches!(want.why, Why::Life) && tokens.lives((self.clock)());
        serves.then(|| held.cached(tokens))
    }

    /// The tokens, where they were asked for as the profile would ask now.
    pub(super) fn usable<'h>(&self, slot: &Slot, held: &'h Held) -> Option<&'h TokenSet> {
        held.tokens().filter(|tokens| tokens.asked.conflict(&self.asked(slot)).is_none())
    }

    pub(super) fn has_index(&self, slot: &Slot) -> Result<bool> {
        Ok(index::read(self.vault.data_dir(), &slot.name())?
            .is_some_and(|entry| entry.generation > entry.tombstone))
    }

    pub(super) fn login_required(&self, because: &str) -> Error {
        Error::LoginRequired {
            profile: self.profile.name.clone(),
            because: format!("the profile {} needs a login: {because}", self.profile.name),
        }
    }

    /// Whose profile says otherwise now than when the token was asked for.
    pub(super) fn asked_for_otherwise(&self, what: &str) -> Error {
        self.login_required(&format!("the stored token was asked for with another {what}"))
    }

    fn life(&self, tokens: &TokenSet) -> String {
        let now = (self.clock)();
        match tokens.expires_in(now) {
            Some(seconds) if tokens.life().is_from_the_future(now) => {
                format!("for at most {seconds} s: it is from the future by this clock")
            }
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

    pub(super) fn warn_unstored(&self, error: &Error, kept: &str) {
        let error = error.sentence();
        self.report.warn(&format!("the new token could not be stored: {error}; {kept}"));
    }
}
