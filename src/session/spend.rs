//! Spends a grant: from INTENT over SEND and GOT to STORE and CLEAN.

use std::io;
use std::time::Duration;

use super::answer::adopt;
use super::journal::{Answer, Intent, Journal};
use super::record::Record;
use super::slot::Slot;
use super::{Held, Obtained, Session, remove_file};
use crate::error::{Error, Result};
pub(super) use crate::exchange::retry::Effort;
use crate::exchange::retry::Tries;
#[cfg(unix)]
use crate::signals::HeldBack;
use crate::token::TokenSet;
use crate::wire::HttpResponse;
use crate::wire::client_auth::ClientCredentials;
use crate::wire::request::TokenRequest;

/// What becomes of a token that the store did not take.
pub(super) const IN_JOURNAL: &str = "it is kept in the journal, and the next run puts it in place";

/// A try under way: its INTENT is on the disk, and no signal ends it half-way.
struct Try {
    journal: Journal,
    #[cfg(unix)]
    _held_back: HeldBack,
}

impl Try {
    fn begin(journal: Journal) -> Self {
        Self {
            journal,
            #[cfg(unix)]
            _held_back: HeldBack::begin(),
        }
    }
}

impl Session<'_> {
    /// INTENT, SEND, GOT, STORE, CLEAN.
    ///
    /// Signals wait while a request is out, and from its answer to its place; not in the pauses
    /// between two tries, in which nothing is on its way.
    pub(super) fn exchange_journaled(
        &self,
        slot: &Slot,
        mut held: Held,
        intent: &Intent,
        request: &TokenRequest,
        effort: Effort,
    ) -> Result<Held> {
        let credentials = self.credentials()?;
        let (path, key) = (self.journal_path(slot), held.record.journal_key.clone());
        // What RECOVER leaves has no answer: its refresh token may be spent, until this is granted.
        let unanswered = path.symlink_metadata().is_ok();
        self.clear_journal(slot, &key)?;
        // An intent that can't be removed is overwritten by the next.
        let forget = || drop(remove_file(&path));
        let record_len = held.record.to_bytes()?.expose().len();
        let begin = || Journal::begin(&path, &key, intent, record_len);
        let mut journal = begin()?;
        self.vault
            .open(held.store)
            .and_then(|store| store.reserve(&slot.name(), 4 * record_len.max(16 * 1024)))
            .inspect_err(|_| {
                if !unanswered {
                    forget();
                }
            })?;
        let mut tries = self.exchange.tries(self.timeout, effort);
        let (mut under_way, answer) = loop {
            let under_way = Try::begin(journal);
            let outcome = self.send(request, &credentials, &tries);
            let pause = tries.again(response(&outcome));
            // What a person brought is not tried by the next run: of that there is no doubt to keep.
            let in_doubt = unanswered || tries.is_doubtful() && intent.refresh_token.is_some();
            if !in_doubt && !is_success(&outcome) {
                forget();
            }
            let Some(pause) = pause else { break (under_way, outcome?) };
            drop(under_way);
            self.wait(pause, &outcome, request, &credentials);
            journal = begin()?;
        };
        let success = answer.response.is_success();
        // Nothing else can hold a token; a refusal must not stand for the answer to an earlier try.
        let committed = if success { under_way.journal.commit(&key, &answer) } else { Ok(()) };
        self.exchange.tell(&answer.response, request, &self.profile.request, &credentials);
        let redactor = request.redactor(&self.profile.request, &credentials);
        let mut tokens =
            adopt(intent, &answer, &self.profile.response, &redactor).inspect_err(|error| {
                // A grant that can't be read yet may be read once the profile is mended.
                if let Error::Refused(refusal) = error
                    && (success || refusal.is_invalid_grant())
                {
                    forget();
                }
            })?;
        // Without this answer there is no session yet, and with it there shall be none.
        self.identify(&mut tokens, intent).inspect_err(|_| forget())?;
        held.record = Record { generation: intent.generation, tokens: Some(tokens), ..held.record };
        self.keep(slot, &held, committed);
        Ok(held)
    }

    /// STORE, and CLEAN: what the store does not take may be in the journal.
    fn keep(&self, slot: &Slot, held: &Held, committed: io::Result<()>) {
        match (self.write(slot, held), committed) {
            (Ok(()), _) => drop(remove_file(&self.journal_path(slot))),
            (Err(error), Ok(())) => self.warn_unstored(&error, IN_JOURNAL),
            (Err(error), Err(journal)) => {
                let lost =
                    format!("nor could the journal be written ({journal}): this is its only copy");
                self.warn_unstored(&error, &lost);
            }
        }
    }

    /// SEND, once.
    fn send(
        &self,
        request: &TokenRequest,
        credentials: &ClientCredentials,
        tries: &Tries<'_>,
    ) -> Result<Answer> {
        let endpoint = self.profile.token_endpoint()?;
        // The server counts a token's life from when it answers, which is no earlier.
        let obtained_at = (self.clock)();
        self.exchange
            .send(tries.limits(), request, endpoint, &self.profile.request, credentials)
            .map(|response| Answer { obtained_at, response })
    }

    /// Between two tries.
    fn wait(
        &self,
        pause: Duration,
        outcome: &Result<Answer>,
        request: &TokenRequest,
        credentials: &ClientCredentials,
    ) {
        if let Ok(answer) = outcome {
            self.exchange.tell(&answer.response, request, &self.profile.request, credentials);
        }
        self.exchange.wait(pause, response(outcome));
    }

    /// SEND alone, where nothing is to be kept.
    pub(super) fn exchange_unstored(
        &self,
        intent: &Intent,
        request: &TokenRequest,
        effort: Effort,
    ) -> Result<TokenSet> {
        let credentials = self.credentials()?;
        let mut tries = self.exchange.tries(self.timeout, effort);
        let answer = loop {
            let outcome = self.send(request, &credentials, &tries);
            let Some(pause) = tries.again(response(&outcome)) else { break outcome? };
            self.wait(pause, &outcome, request, &credentials);
        };
        self.exchange.tell(&answer.response, request, &self.profile.request, &credentials);
        let redactor = request.redactor(&self.profile.request, &credentials);
        let mut tokens = adopt(intent, &answer, &self.profile.response, &redactor)?;
        self.identify(&mut tokens, intent)?;
        Ok(tokens)
    }
}

/// The answer itself, or why there is none.
fn response(outcome: &Result<Answer>) -> Result<&HttpResponse, &Error> {
    outcome.as_ref().map(|answer| &answer.response)
}

fn is_success(outcome: &Result<Answer>) -> bool {
    outcome.as_ref().is_ok_and(|answer| answer.response.is_success())
}

/// What this process was granted just now.
pub(super) fn hand_out(granted: Held) -> Result<Obtained> {
    let Held { store, record, .. } = granted;
    let tokens = record.tokens;
    let tokens = tokens.ok_or_else(|| Error::BadAnswer("no token was granted".to_owned()))?;
    Ok(Obtained { tokens, store, made_here: true })
}
