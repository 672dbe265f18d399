//! A login: the store is tried before anything is spent, and the new session replaces the old one.

use std::time::Duration;

use super::index::{self, IndexEntry};
use super::journal::{self, Found, Intent};
use super::lock::{Attempt, Lock};
use super::record::Record;
use super::recover::{Journaled, Recovered};
use super::slot::Slot;
use super::spend::{Effort, hand_out};
use super::{Held, Obtained, Session, is_broken, is_unreadable};
use crate::error::{Error, Result};
use crate::secret::Secret;
#[cfg(unix)]
use crate::signals::HeldBack;
use crate::store::EntryName;
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
    /// What an ID token must repeat, where it was sent.
    pub nonce: Option<Secret>,
    /// The refresh token that was brought, to be kept where the answer has none.
    pub refresh_token: Option<Secret>,
}

/// How a login comes by its grant.
pub trait Ask {
    /// Brings what the grant spends.
    fn bring(&mut self, session: &Session<'_>) -> Result<Login>;

    /// After a refusal: waits as long as it must, and tells whether to ask once more (RFC 8628
    /// section 3.5).
    fn again(&mut self, refusal: &Error) -> Result<bool>;

    /// Whether a person is waited for who is elsewhere: at a browser, or at another device. Then a
    /// signal is not acted upon before what the login began is removed again; it is for
    /// [`Ask::bring`] and [`Ask::again`] to see that one came.
    fn waits(&self) -> bool;
}

/// Whoever has the grant at hand is asked once.
impl<F: FnMut() -> Result<Login>> Ask for F {
    fn bring(&mut self, _: &Session<'_>) -> Result<Login> {
        self()
    }

    fn again(&mut self, _: &Error) -> Result<bool> {
        Ok(false)
    }

    fn waits(&self) -> bool {
        false
    }
}

/// Asks until the server grants, or refuses for good.
fn until_granted<T>(ask: &mut dyn Ask, mut spend: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match spend() {
            Err(error) if ask.again(&error)? => {}
            result => return result,
        }
    }
}

impl Session<'_> {
    /// Logs in with what `ask` brings, once the store is known to take a token.
    ///
    /// Of two logins at once the second waits for the first, and uses its result.
    pub fn login(&self, ask: &mut dyn Ask) -> Result<Obtained> {
        let slot = self.slot(Identity::User);
        if self.vault.keeps_nothing() {
            let login = ask.bring(self)?;
            let intent = self.intent(&slot, &login, 0);
            let tokens = until_granted(ask, || {
                self.exchange_unstored(&intent, &login.request, Effort::Once)
            })?;
            return Ok(Obtained { tokens, store: StoreKind::None, made_here: true });
        }
        let before = self.generation(&slot);
        let _login = self.login_lock(&slot)?;
        // A renewal makes a new generation as well, but nobody's login.
        if self.last_login(&slot) > before
            && let Some(theirs) = self.joined(&slot)
        {
            self.report.note("another login for this profile has just ended; its token is used");
            return Ok(theirs);
        }
        #[cfg(unix)]
        let _waiting = ask.waits().then(HeldBack::begin);
        let lock = self.lock_or_fail(&slot)?;
        self.prepare(&slot)?;
        drop(lock);
        let login = ask.bring(self);
        let granted = login.and_then(|login| {
            // While nobody has confirmed a code yet, others may renew the session that there is.
            until_granted(ask, || {
                let _lock = self.lock_or_fail(&slot)?;
                self.spend(&slot, &login)
            })
        });
        granted.inspect_err(|_| {
            if let Ok(_lock) = self.lock_or_fail(&slot) {
                self.undo(&slot);
            }
        })
    }

    /// What another login got, where it asked for what this one would.
    fn joined(&self, slot: &Slot) -> Option<Obtained> {
        let held = self.read(slot).ok()??;
        self.usable(slot, &held).map(|tokens| held.cached(tokens))
    }

    /// The newest generation, as far as it is known.
    fn generation(&self, slot: &Slot) -> u64 {
        let entry = index::read(self.vault.data_dir(), &slot.name());
        entry.ok().flatten().map_or(0, |entry| entry.generation)
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

    /// Proves that the store takes a record: the present one once more, or one without tokens.
    ///
    /// In another store than the present one, that record has the journal's key in common with the
    /// present one; and nobody looks there before there are new tokens.
    fn prepare(&self, slot: &Slot) -> Result<Held> {
        let name = slot.name();
        let entry = self.vault.sound_line(&name)?;
        let target = self.vault.target(entry.as_ref());
        let is_new = entry.is_none();
        // Whose line was lost may have a record all the same, and what is made must be newer.
        let home = entry.as_ref().map_or(target, |entry| entry.store);
        let moves = home != target;
        let tombstone = entry.as_ref().map_or(0, |entry| entry.tombstone);
        let present = self.present(slot, home, entry.as_ref(), moves)?;
        let newest = present.as_ref().map_or(0, |held| held.generations().newest());
        let newest = entry.map_or(newest, |entry| newest.max(entry.generation)).max(tombstone);
        let record = match present {
            Some(held) if !moves => held.record,
            Some(held) => Record { generation: newest, tokens: None, ..held.record },
            None => Record::placeholder(newest)?,
        };
        // A journal that no request could be written to is told before a person types.
        journal::read(&self.journal_path(slot), &name, &record.journal_key)?;
        let held = Held { store: target, tombstone, record };
        if moves {
            self.vault.open(target)?.set(&name, &held.record.to_bytes()?)?;
        } else {
            self.write(slot, &held).inspect_err(|_| {
                // Nothing is remembered to be where nothing ever was.
                if is_new {
                    let _ = index::remove(self.vault.data_dir(), &name);
                }
            })?;
        }
        Ok(held)
    }

    /// The session that is there, with what its journal had.
    ///
    /// What is damaged is set aside, and so is what can't be read and stands in no index. What can't
    /// be opened now may be opened at another time, so it is given up only by who moves to another store.
    fn present(
        &self,
        slot: &Slot,
        store: StoreKind,
        entry: Option<&IndexEntry>,
        moves: bool,
    ) -> Result<Option<Held>> {
        let tombstone = entry.map_or(0, |entry| entry.tombstone);
        let is_lost = |error: &Error| entry.is_none() && is_unreadable(error);
        let held = match self.read_from(store, tombstone, slot) {
            Ok(Some(held)) => held,
            Ok(None) => return Ok(None),
            Err(error) if moves => {
                let error = error.sentence();
                self.report.warn(&format!("the session in the {store} store is given up: {error}"));
                return Ok(None);
            }
            Err(error) if is_broken(&error) || is_lost(&error) => {
                self.vault.set_aside(store, &slot.name(), &error)?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        match self.recover_journal(slot, held)? {
            Recovered { journal: Journaled::Pending(error), .. } => Err(error),
            Recovered { held, .. } => Ok(held),
        }
    }

    /// What a login asks for.
    fn intent(&self, slot: &Slot, login: &Login, generation: u64) -> Intent {
        let mut asked = self.asked(slot);
        asked.username = login.username.clone().or(asked.username);
        Intent {
            generation,
            grant_type: login.grant_type,
            scope: asked.scope.clone(),
            asked,
            refresh_token: login.refresh_token.clone(),
            id_token: None,
            id_token_verified: false,
            nonce: login.nonce.clone(),
        }
    }

    /// Spends what the person brought.
    fn spend(&self, slot: &Slot, login: &Login) -> Result<Obtained> {
        let entry = index::read(self.vault.data_dir(), &slot.name())?;
        let held = self.prepare(slot)?;
        let intent = self.intent(slot, login, held.generations().next());
        let granted = self.exchange_journaled(slot, held, &intent, &login.request, Effort::Once)?;
        self.leave(slot, entry.map(|entry| entry.store), granted.store);
        self.note_login(slot);
        hand_out(granted)
    }

    /// Tells a login that waits that there is nothing left to do; should that fail, it logs in itself.
    fn note_login(&self, slot: &Slot) {
        let name = slot.name();
        if let Ok(Some(mut entry)) = index::read(self.vault.data_dir(), &name) {
            entry.login = entry.generation;
            let _ = index::write(self.vault.data_dir(), &name, &entry);
        }
    }

    /// After a login into another store: the old entry must not shadow the new one.
    fn leave(&self, slot: &Slot, old: Option<StoreKind>, new: StoreKind) {
        let name = slot.name();
        let Some(old) = old.filter(|&old| old != new) else { return };
        let entry = index::read(self.vault.data_dir(), &name);
        // As long as the index names the old store, that has the session.
        if !matches!(entry, Ok(Some(entry)) if entry.store == new) {
            return;
        }
        if let Err(error) = self.give_up(old, &name) {
            self.report.warn(&format!(
                "the old entry in the {old} store could not be removed: {}",
                error.sentence()
            ));
        }
    }

    /// Removes an entry that nobody needs any more; one that can't be read is set aside, where it can be.
    fn give_up(&self, kind: StoreKind, name: &EntryName) -> Result<()> {
        let unread = self.vault.get(kind, name).err();
        let store = self.vault.open(kind)?;
        if let Some(error) = unread.filter(is_unreadable)
            && let Some(place) = store.set_aside(name)?
        {
            self.vault.warn_aside(&error, Some(&place));
            return Ok(());
        }
        store.delete(name)
    }

    /// After a login that failed: a record that was made only for it goes again.
    fn undo(&self, slot: &Slot) {
        if let Err(error) = self.forget_placeholder(slot) {
            self.report
                .warn(&format!("what the login began could not be removed: {}", error.sentence()));
        }
    }

    fn forget_placeholder(&self, slot: &Slot) -> Result<()> {
        let name = slot.name();
        let entry = index::read(self.vault.data_dir(), &name)?;
        let target = self.vault.target(entry.as_ref());
        let Some(held) = self.read_from(target, 0, slot)? else { return Ok(()) };
        // An answer that can't be read yet needs the key of its journal.
        let key = &held.record.journal_key;
        let journal = journal::read(&self.journal_path(slot), &name, key)?;
        if held.record.tokens.is_some() || matches!(journal, Found::Answered(_)) {
            return Ok(());
        }
        self.vault.open(target)?.delete(&name)?;
        match entry {
            Some(entry) if entry.store == target && entry.generation == 0 => {
                index::remove(self.vault.data_dir(), &name)
            }
            _ => Ok(()),
        }
    }
}
