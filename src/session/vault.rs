//! Which store an entry is in: the one that is remembered, the one that is named, or `auto`.

use std::cell::OnceCell;
use std::path::Path;

use super::index::{self, IndexEntry};
use crate::error::{Result, StoreError, StoreFault};
use crate::report::Report;
use crate::secret::Secret;
use crate::store::{self, EntryName, Place, Store};
use crate::terms::StoreKind;

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

    /// The store of this kind.
    pub fn open(&self, kind: StoreKind) -> Result<Box<dyn Store>> {
        store::open(kind, &self.place)
    }

    /// The store that new entries go to.
    pub fn preferred(&self) -> StoreKind {
        self.named.unwrap_or_else(|| {
            *self.automatic.get_or_init(|| {
                let (kind, reason) = store::auto(&self.place);
                if let Some(reason) = reason.filter(|_| !self.knows(kind)) {
                    self.report.note(&format!(
                        "no keychain can be used here ({reason}), so tokens are kept in an encrypted file"
                    ));
                }
                kind
            })
        })
    }

    /// Whether an entry is remembered to be in a store of this kind.
    fn knows(&self, kind: StoreKind) -> bool {
        let names = index::names(self.data_dir()).unwrap_or_default();
        names.iter().any(|name| {
            let entry = index::read(self.data_dir(), name);
            entry.is_ok_and(|entry| entry.is_some_and(|entry| entry.store == kind))
        })
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

    /// A secret that is kept by itself, such as a client's; `None` where there is none.
    pub fn secret(&self, name: &EntryName) -> Result<Option<Secret<Vec<u8>>>> {
        match index::read(self.data_dir(), name)? {
            Some(entry) => self.open(self.remembered(name, &entry)?)?.get(name),
            None => Ok(None),
        }
    }

    /// Keeps a secret by itself.
    pub fn keep_secret(&self, name: &EntryName, value: &Secret<Vec<u8>>) -> Result<()> {
        let kind = match index::read(self.data_dir(), name)? {
            Some(entry) => self.remembered(name, &entry)?,
            None => self.preferred(),
        };
        index::write(self.data_dir(), name, &IndexEntry::new(kind, 1, 0, None))?;
        self.open(kind)?.set(name, value)
    }

    /// Forgets a secret that is kept by itself.
    pub fn forget_secret(&self, name: &EntryName) -> Result<()> {
        let Some(entry) = index::read(self.data_dir(), name)? else { return Ok(()) };
        self.open(entry.store)?.delete(name)?;
        index::remove(self.data_dir(), name)
    }
}
