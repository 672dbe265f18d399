//! A login: the store is tried before anything is spent, and the new session replaces the old one.

use std::time::Duration;

use super::journal::{self, Intent};
use super::lock::{Attempt, Lock};
use super::record::Record;
use super::renew::Recovered;
use super::slot::Slot;
use super::{Held, Obtained, Session, index};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::terms::{GrantType, Identity, StoreKind};
use crate::wire::request::TokenRequest;

/// How long a login waits for another one of the same profile: as long as a person may take.
const PERSON: Duration = Duration::from_secs(5 * 60);

/// What a person brought along.
pub struct Login {
    /// The grant of the session, which is that of the request but for an imported refresh token.
    pub grant_type: GrantType,
    /// The request that spends it.
    pub request: TokenRequest,
    /// Who the person is, where that is known.
    pub username: Option<String>,
    /// The refresh token that was brought, to be kept where the answer has none.
    pub refresh_token: Option<Secret>,
}

/// The place that a login writes to, and how to leave it should the login fail.
struct Prepared {
    before: Option<index::IndexEntry>,
    /// The store that held the session before, where that is another one.
    left: Option<StoreKind>,
    /// Whether the record was made only for this login.
    made: bool,
}

impl Session<'_> {
    /// Logs in with what `ask` brings, once the store is known to take a token.
    ///
    /// Of two logins at once the second waits for the first, and uses its result.
    pub fn login(&self, ask: &mut dyn FnMut() -> Result<Login>) -> Result<Obtained> {
        let slot = self.slot(Identity::User);
        let before = self.generation(&slot)?;
        let _login = self.login_lock(&slot)?;
        if self.generation(&slot)? > before
            && let Some(theirs) = self.stored(&slot)?
        {
            self.report.note("another login for this profile has just ended; its token is used");
            return Ok(theirs);
        }
        let lock = self.lock_or_fail(&slot)?;
        let prepared = self.prepare(&slot)?;
        drop(lock);
        let login = ask();
        let lock = self.lock_or_fail(&slot)?;
        let result = login.and_then(|login| self.spend(&slot, login));
        match &result {
            Ok(_) => self.leave(&slot, prepared.left),
            Err(_) => self.undo(&slot, &prepared),
        }
        drop(lock);
        result
    }

    fn generation(&self, slot: &Slot) -> Result<u64> {
        Ok(index::read(self.vault.data_dir(), &slot.name())?.map_or(0, |entry| entry.generation))
    }

    fn login_lock(&self, slot: &Slot) -> Result<Lock> {
        let path = slot.file(self.vault.data_dir(), "locks", "login");
        if let Attempt::Held(lock) = Lock::acquire(&path, Duration::ZERO)? {
            return Ok(lock);
        }
        self.report.note("another login for this profile is under way; waiting for it");
        match Lock::acquire(&path, PERSON)? {
            Attempt::Held(lock) => Ok(lock),
            Attempt::Busy(pid) => {
                let who = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
                Err(Error::Busy(format!(
                    "another login for this profile{who} did not end within {} s",
                    PERSON.as_secs()
                )))
            }
        }
    }

    /// Writes a record where there is none, or the present one once more: the store can be written.
    fn prepare(&self, slot: &Slot) -> Result<Prepared> {
        let name = slot.name();
        let before = index::read(self.vault.data_dir(), &name)?;
        let tombstone = before.as_ref().map_or(0, |entry| entry.tombstone);
        let target = self.vault.target(before.as_ref());
        let left = before.as_ref().map(|entry| entry.store).filter(|&store| store != target);
        let mut held = match left {
            None => self.recovered(slot)?,
            Some(old) => self.read_from(old, tombstone, slot).unwrap_or_else(|error| {
                self.report.warn(&format!(
                    "the session in the {old} store can't be read, and is left there: {}",
                    error.sentence()
                ));
                None
            }),
        };
        let made = held.is_none() || left.is_some();
        if let Some(held) = &mut held {
            held.store = target;
        }
        let newest = before.as_ref().map_or(0, |entry| entry.generation).max(tombstone);
        let held = match held {
            Some(held) => held,
            None => Held { store: target, tombstone, record: Record::placeholder(newest)? },
        };
        self.write(slot, &held)?;
        Ok(Prepared { before, left, made })
    }

    /// What the slot holds; a store that still won't take an earlier answer is an error.
    fn recovered(&self, slot: &Slot) -> Result<Option<Held>> {
        let Recovered { held, pending } = self.recover(slot)?;
        pending.map_or(Ok(held), Err)
    }

    /// Spends what the person brought.
    fn spend(&self, slot: &Slot, login: Login) -> Result<Obtained> {
        let held = self
            .recovered(slot)?
            .ok_or_else(|| Error::Busy("the session was removed while you logged in".to_owned()))?;
        let mut asked = self.asked(slot);
        asked.username = login.username.or(asked.username);
        let intent = Intent {
            generation: held.newest() + 1,
            grant_type: login.grant_type,
            scope: asked.scope.clone(),
            asked,
            refresh_token: login.refresh_token,
            id_token: None,
        };
        let granted = self.exchange_journaled(slot, held, &intent, &login.request, false)?;
        if let Some(error) = granted.unstored {
            self.warn_unstored(slot, &error);
        }
        let tokens = granted
            .held
            .record
            .tokens
            .ok_or_else(|| Error::BadAnswer("no token was granted".to_owned()))?;
        Ok(Obtained { tokens, store: granted.held.store, made_here: true })
    }

    /// After a login into another store: the old entry must not shadow the new one.
    fn leave(&self, slot: &Slot, left: Option<StoreKind>) {
        let Some(old) = left else { return };
        if let Err(error) = self.vault.open(old).and_then(|store| store.delete(&slot.name())) {
            self.report.warn(&format!(
                "the old entry in the {old} store could not be removed: {}",
                error.sentence()
            ));
        }
    }

    /// After a login that failed: everything is as it was before.
    fn undo(&self, slot: &Slot, prepared: &Prepared) {
        if !prepared.made || self.journal_path(slot).exists() {
            return;
        }
        let name = slot.name();
        let target = self.vault.target(prepared.before.as_ref());
        let undone = self.vault.open(target).and_then(|store| store.delete(&name)).and_then(|()| {
            match &prepared.before {
                Some(before) => index::write(self.vault.data_dir(), &name, before),
                None => index::remove(self.vault.data_dir(), &name),
            }
        });
        if let Err(error) = undone {
            self.report
                .warn(&format!("what the login began could not be removed: {}", error.sentence()));
        }
    }

    /// Removes the journal of a slot that is being forgotten.
    pub(super) fn drop_journal(&self, slot: &Slot) -> Result<()> {
        journal::remove(&self.journal_path(slot))
    }
}
