//! Spends a grant: from INTENT over SEND and GOT to STORE and CLEAN.

use super::answer::adopt;
use super::journal::{self, Answer, Intent, Journal};
use super::record::Record;
use super::slot::Slot;
use super::{Held, Obtained, Session};
use crate::error::{Error, Result};
#[cfg(unix)]
use crate::signals::HeldBack;
use crate::token::TokenSet;
use crate::wire::client_auth::ClientCredentials;
use crate::wire::request::TokenRequest;

/// What becomes of a token that the store did not take.
pub(super) const IN_JOURNAL: &str = "it is kept in the journal, and the next run puts it in place";

/// How much a request is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// An answer that is lost on the way is asked for once more.
    Repeated,
    /// Once: what is spent can't be spent again.
    Once,
    /// Once, and without a long wait for a connection: there is a token that lives.
    ///
    /// A server that rotates strictly takes the second use of a refresh token for a theft, and ends
    /// the living token with it.
    Hurried,
}

impl Effort {
    /// What a renewal is worth, beside a token that lives or without one.
    pub(super) const fn of_renewal(lives: bool) -> Self {
        if lives { Self::Hurried } else { Self::Repeated }
    }
}

impl Session<'_> {
    /// INTENT, SEND, GOT, STORE, CLEAN.
    pub(super) fn exchange_journaled(
        &self,
        slot: &Slot,
        mut held: Held,
        intent: &Intent,
        request: &TokenRequest,
        effort: Effort,
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
        let answer = self.send(request, &credentials, effort).inspect_err(|error| {
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
        effort: Effort,
    ) -> Result<Answer> {
        let endpoint = self.profile.token_endpoint()?;
        let once = || {
            // The server counts a token's life from when it answers, which is no earlier.
            let obtained_at = (self.clock)();
            self.exchange
                .send(
                    effort == Effort::Hurried,
                    request,
                    endpoint,
                    &self.profile.request,
                    credentials,
                )
                .map(|response| Answer { obtained_at, response })
        };
        match once() {
            Err(Error::Network { sent: true, .. }) if effort == Effort::Repeated => once(),
            other => other,
        }
    }

    /// SEND alone, where nothing is to be kept.
    pub(super) fn exchange_unstored(
        &self,
        intent: &Intent,
        request: &TokenRequest,
        effort: Effort,
    ) -> Result<TokenSet> {
        let credentials = self.credentials()?;
        let answer = self.send(request, &credentials, effort)?;
        self.exchange.tell(&answer.response, request, &self.profile.request, &credentials);
        let redactor = request.redactor(&self.profile.request, &credentials);
        adopt(intent, &answer, &self.profile.response, &redactor)
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
