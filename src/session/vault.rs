//! Which store an entry is in: the one that is remembered, the one that is named, or `auto`.

use std::cell::OnceCell;
use std::path::Path;

use super::index::{self, IndexEntry};
use super::inventory;
use super::lock::{Attempt, Lock};
use super::slot;
use crate::error::{Error, Result, StoreError, StoreFault};
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
    automatic: OnceCell<StoreKind>,
    report: &'a dyn Report,
}

impl<'a> Vault<'a> {
    /// Opens nothing yet.
    #[must_use]
    pub const fn new(place: Place, named: Option<StoreKind>, report: &'a dyn Report) -> Self {
        Self { place, named, automatic: OnceCell::new(), report }
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

    /// The store that new entries go to.
    pub fn preferred(&self) -> StoreKind {
        self.named.unwrap_or_else(|| *self.automatic.get_or_init(|| self.automatic()))
    }

    /// A keychain that has entries already stays the store of choice while it is locked, hangs or is
    /// gone: it says so itself when it is used. Its user has not asked for files.
    fn automatic(&self) -> StoreKind {
        let (kind, reason) = store::auto(&self.place);
        let Some(reason) = reason else { return kind };
        let names = index::names(self.data_dir()).unwrap_or_default();
        let known: Vec<_> =
            names.iter().filter_map(|name| index::read(self.data_dir(), name).ok()?).collect();
        let is_kept = |entry: &IndexEntry| entry.generation > entry.tombstone;
        if known.iter().any(|entry| entry.store == StoreKind::Keychain && is_kept(entry)) {
            return StoreKind::Keychain;
        }
        if known.iter().all(|entry| entry.store != kind) {
            self.report.note(&format!(
                "no keychain can be used here ({reason}), so tokens are kept in an encrypted file"
            ));
        }
        kind
    }

    /// The store that a remembered entry is in; naming another one is an error.
    pub fn remembered(&self, name: &EntryName, entry: &IndexEntry) -> Result<StoreKind> {
        match self.named {
            Some(named) if named != entry.store => Err(StoreError {
                fault: StoreFault::Elsewhere(entry.store),
                store: named,
                message: format!(
                    "the entry {} is kept in the {} store, not in the {named} store",
                    name.as_str(),
                    entry.store
                ),
                source: None,
            }
            .into()),
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
            let bytes = self.open(self.remembered(name, &entry)?)?.get(name)?;
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
        Ok(self.find(name)?.and_then(|(_, bytes)| bytes))
    }

    /// Keeps a secret by itself.
    pub fn keep_secret(&self, name: &EntryName, value: &Bytes) -> Result<()> {
        let _lock = self.lock(name)?;
        let entry = index::read(self.data_dir(), name)?;
        let kind = match &entry {
            Some(entry) => self.remembered(name, entry)?,
            None => self.preferred(),
        };
        index::write(self.data_dir(), name, &IndexEntry::new(kind, 1, 0, None))?;
        self.open(kind)?.set(name, value).inspect_err(|_| {
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
    StoreError { fault: StoreFault::Missing, store, message, source: None }.into()
}
