//! Which store an entry is in: the one that is remembered, the one that is named, or `auto`.

use std::cell::OnceCell;
use std::path::Path;

use super::index::{self, IndexEntry};
use super::inventory;
use super::lock::{Attempt, Lock};
use super::{about, is_broken, is_unreadable, kept, slot};
use crate::error::{About, Error, Result, StoreError, StoreFault};
use crate::report::Report;
use crate::secret::Secret;
use crate::store::keychain::KeychainStore;
use crate::store::{self, EntryName, Place, Store};
use crate::terms::StoreKind;

/// What a store has for an entry.
type Bytes = Secret<Vec<u8>>;

/// The stores of this machine, and which one somebody named.
pub struct Vault<'a> {
    place: Place,
    /// The store that was named explicitly; none for `auto`.
    named: Option<StoreKind>,
    chosen: OnceCell<StoreKind>,
    report: &'a dyn Report,
}

impl<'a> Vault<'a> {
    /// Opens nothing yet.
    #[must_use]
    pub const fn new(place: Place, named: Option<StoreKind>, report: &'a dyn Report) -> Self {
        Self { place, named, chosen: OnceCell::new(), report }
    }

    /// The directory of this program's data.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.place.data_dir
    }

    /// The ear of the person.
    pub(super) const fn report(&self) -> &'a dyn Report {
        self.report
    }

    /// Whether a store answers; nothing is made in it.
    pub fn reach(&self, kind: StoreKind) -> Result<()> {
        match kind {
            StoreKind::Keychain => KeychainStore::probe(&self.place),
            _ => self.open(kind)?.get(&EntryName::new("oauthctl", "probe")).map(drop),
        }
    }

    /// The entries that a store has for this DATA directory; nobody is asked to unlock it.
    pub fn names(&self, kind: StoreKind) -> Result<Vec<EntryName>> {
        inventory::names(kind, &self.place)
    }

    /// The store of this kind.
    pub fn open(&self, kind: StoreKind) -> Result<Box<dyn Store>> {
        store::open(kind, &self.place)
    }

    /// What a store holds under a name; an item that can't be read is a fault of that entry.
    pub fn get(&self, kind: StoreKind, name: &EntryName) -> Result<Option<Bytes>> {
        use StoreFault::{Ambiguous, Corrupt, Newer, WrongKey};
        self.open(kind)?.get(name).map_err(|error| match error {
            Error::Store(error)
                if error.about == About::Store
                    && matches!(error.fault, Ambiguous | Corrupt | Newer | WrongKey) =>
            {
                error.about(about(name)).into()
            }
            other => other,
        })
    }

    /// As [`index::read`], for who holds the entry's lock: a broken line is set aside.
    pub fn sound_line(&self, name: &EntryName) -> Result<Option<IndexEntry>> {
        match index::read(self.data_dir(), name) {
            Err(error) if is_broken(&error) => {
                let place = index::set_aside(self.data_dir(), name)?;
                self.warn_aside(&error, Some(&place));
                Ok(None)
            }
            other => other,
        }
    }

    /// Moves an entry that can't be read, for the reason `why`, out of the way; the caller holds its lock.
    pub fn set_aside(&self, kind: StoreKind, name: &EntryName, why: &Error) -> Result<()> {
        let place = self.open(kind)?.set_aside(name)?;
        self.warn_aside(why, place.as_deref());
        Ok(())
    }

    /// Says what is broken, and where it is now; without a place it is about to be replaced.
    pub(super) fn warn_aside(&self, why: &Error, place: Option<&Path>) {
        let done = place.map_or_else(
            || "it is replaced".to_owned(),
            |place| format!("it is set aside as {}", place.display()),
        );
        self.report.warn(&format!("{}; {done}", why.sentence()));
    }

    /// The store that new entries go to.
    pub fn preferred(&self) -> StoreKind {
        self.named.unwrap_or_else(|| {
            *self.chosen.get_or_init(|| {
                let (kind, amiss) = self.automatic();
                let is_new = || self.lines().all(|entry| entry.store != kind);
                if let Some(reason) = amiss.filter(|_| kind != StoreKind::Keychain && is_new()) {
                    self.report.note(&format!(
                        "no keychain can be used here ({reason}), so tokens are kept in an encrypted file"
                    ));
                }
                kind
            })
        })
    }

    /// The store for somebody who named none, and what is amiss with the keychain.
    ///
    /// One that has entries stays the store of choice while it is locked, hangs or is gone, and says
    /// so itself when it is used: its user has not asked for files.
    pub fn automatic(&self) -> (StoreKind, Option<Error>) {
        let (kind, amiss) = store::auto(&self.place);
        let has_entries = || {
            let is_kept = |entry: &IndexEntry| entry.generation > entry.tombstone;
            self.lines().any(|entry| entry.store == StoreKind::Keychain && is_kept(&entry))
        };
        let stays = amiss.is_some() && has_entries();
        (if stays { StoreKind::Keychain } else { kind }, amiss)
    }

    /// The lines of the index that can be read.
    fn lines(&self) -> impl Iterator<Item = IndexEntry> {
        let names = index::names(self.data_dir()).unwrap_or_default();
        names.into_iter().filter_map(|name| index::read(self.data_dir(), &name).ok()?)
    }

    /// The store that a remembered entry is in; naming another one is an error.
    pub fn remembered(&self, name: &EntryName, entry: &IndexEntry) -> Result<StoreKind> {
        match self.named {
            Some(named) if named != entry.store => {
                let message = format!(
                    "the entry {} is kept in the {} store, not in the {named} store",
                    name.as_str(),
                    entry.store
                );
                Err(StoreError::new(StoreFault::Elsewhere(entry.store), named, message).into())
            }
            _ => Ok(entry.store),
        }
    }

    /// Whether nothing is to be kept.
    #[must_use]
    pub const fn keeps_nothing(&self) -> bool {
        matches!(self.named, Some(StoreKind::None))
    }

    /// The store that a login writes to: the one that is named, else the one that is remembered.
    #[must_use]
    pub fn target(&self, entry: Option<&IndexEntry>) -> StoreKind {
        match (self.named, entry) {
            (None, Some(entry)) => entry.store,
            _ => self.preferred(),
        }
    }

    /// The index's line on an entry, and what its store has for it; needs no lock.
    ///
    /// What another process moves to another store meanwhile is found there.
    pub fn find(&self, name: &EntryName) -> Result<Option<(IndexEntry, Option<Bytes>)>> {
        let mut line = index::read(self.data_dir(), name)?;
        while let Some(entry) = line {
            let bytes = self.get(self.remembered(name, &entry)?, name)?;
            line = match bytes {
                Some(_) => None,
                None => index::read(self.data_dir(), name)?,
            };
            if line.as_ref().is_none_or(|now| now.store == entry.store) {
                return Ok(Some((entry, bytes)));
            }
        }
        Ok(None)
    }

    /// The lock of an entry, which whoever writes it holds.
    pub(super) fn lock(&self, name: &EntryName) -> Result<Lock> {
        let patience = self.place.timeout.saturating_mul(2);
        match Lock::acquire(&slot::file(self.data_dir(), "locks", name, "lock"), patience)? {
            Attempt::Held(lock) => Ok(lock),
            Attempt::Busy(pid) => {
                let who = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
                Err(Error::Busy(format!(
                    "another oauthctl{who} has been at work on the entry {} for longer than {} s",
                    name.as_str(),
                    patience.as_secs()
                )))
            }
        }
    }

    /// A secret that is kept by itself, such as a client's; `None` where there is none.
    pub fn secret(&self, name: &EntryName) -> Result<Option<Bytes>> {
        let Some((IndexEntry { store, .. }, Some(bytes))) = self.find(name)? else {
            return Ok(None);
        };
        kept::decode(&bytes, store, name).map(Some)
    }

    /// Keeps a secret by itself; what can't be read of an earlier one is set aside.
    pub fn keep_secret(&self, name: &EntryName, value: &Bytes) -> Result<()> {
        let _lock = self.lock(name)?;
        let entry = self.sound_line(name)?;
        let kind = match &entry {
            Some(entry) => self.remembered(name, entry)?,
            None => self.preferred(),
        };
        let present = self
            .get(kind, name)
            .and_then(|bytes| bytes.map(|bytes| kept::decode(&bytes, kind, name)).transpose());
        match present {
            // Whatever it was, it is of no use once there is a new secret.
            Err(error) if is_unreadable(&error) => self.set_aside(kind, name, &error)?,
            present => drop(present?),
        }
        index::write(self.data_dir(), name, &IndexEntry::new(kind, 1, 0, None))?;
        self.open(kind)?.set(name, &kept::encode(value)).inspect_err(|_| {
            // Nothing is remembered to be where nothing ever was.
            if entry.is_none() {
                let _ = index::remove(self.data_dir(), name);
            }
        })
    }

    /// Forgets a secret that is kept by itself.
    pub fn forget_secret(&self, name: &EntryName) -> Result<()> {
        if index::read(self.data_dir(), name)?.is_none() {
            return Ok(());
        }
        let _lock = self.lock(name)?;
        let Some(entry) = index::read(self.data_dir(), name)? else { return Ok(()) };
        self.open(entry.store)?.delete(name)?;
        index::remove(self.data_dir(), name)
    }
}

/// The fault of a store that has no entry where the index tells of one.
pub(super) fn missing(store: StoreKind, name: &EntryName) -> Error {
    let message = format!("the {store} store has lost the entry {}", name.as_str());
    StoreError::new(StoreFault::Missing, store, message).about(about(name)).into()
}
