//! Where secrets rest: one small trait, and the stores that implement it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result, Source, StoreError, StoreFault};
use crate::report::Report;
use crate::secret::Secret;
use crate::terms::StoreKind;

pub mod command;
pub(crate) mod disk;
pub mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod installation;
pub mod kernel;
pub mod keychain;
pub(crate) mod line;
pub(crate) mod seal;
pub mod split;

pub use installation::installation_id;
pub use seal::random;

/// A place for named entries, each a few kilobytes of bytes that must not be seen.
///
/// Entries are set in place: a reader finds the old value or the new one, never none.
/// Every call ends within the deadline that the store was opened with.
pub trait Store {
    /// Which store this is.
    fn kind(&self) -> StoreKind;

    /// The entry of this name; `None` where there is none.
    fn get(&self, name: &EntryName) -> Result<Option<Secret<Vec<u8>>>>;

    /// Makes as sure as the store can that a following [`Store::set`] of `len` bytes will succeed.
    fn reserve(&self, name: &EntryName, len: usize) -> Result<()>;

    /// Writes an entry durably, making it where there is none.
    fn set(&self, name: &EntryName, value: &Secret<Vec<u8>>) -> Result<()>;

    /// Removes an entry; one that is not there is no error.
    fn delete(&self, name: &EntryName) -> Result<()>;

    /// The names of all entries of this DATA directory, in any order; nothing secret.
    fn names(&self) -> Result<Vec<EntryName>>;

    /// Moves an entry that can't be read out of the way, and tells where it is now; `None` where the
    /// store has no such place, so that the next [`Store::set`] replaces it.
    fn set_aside(&self, _: &EntryName) -> Result<Option<PathBuf>> {
        Ok(None)
    }
}

/// The name of an entry, such as `bindeo@user`; fit for a file name on every platform.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntryName(String);

impl EntryName {
    /// A name made of a profile's name and what of it the entry holds.
    #[must_use]
    pub fn new(profile: &str, part: &str) -> Self {
        Self(format!("{profile}@{part}"))
    }

    /// The name that this text is, if it is one: others may make files and items of any name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"@._-".contains(&byte);
        let (profile, part) = text.split_once('@').filter(|_| text.bytes().all(fit))?;
        Some(Self::new(profile, part))
    }

    /// What of the profile the entry holds.
    #[must_use]
    pub fn part(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, part)| part)
    }

    /// The profile that the entry belongs to.
    #[must_use]
    pub fn profile(&self) -> &str {
        self.0.split_once('@').map_or(&self.0, |(profile, _)| profile)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the stores need to know of the world.
#[derive(Debug, Clone)]
pub struct Place {
    /// The directory of this program's data.
    pub data_dir: PathBuf,
    /// The longest that one call may take, but for the time that a person takes of it.
    pub timeout: Duration,
    /// Who may be asked to unlock a store; nobody where no person is there, or wants to be asked.
    pub person: Option<Person>,
    /// The key of the file store, where the environment gives it (base64 of 32 bytes).
    pub file_key: Option<Secret>,
    /// The external helper of the command store.
    pub helper: Option<Helper>,
}

impl Place {
    /// The longest that a call may take in which a person is asked: a timeout is for programs.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.person.as_ref().map_or(self.timeout, |person| self.timeout.max(person.patience))
    }
}

/// Somebody who can unlock a store.
#[derive(Clone)]
pub struct Person {
    /// The longest that a call waits for them; 60 s unless set.
    pub patience: Duration,
    tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Person {
    /// Somebody who hears what `tell` is called with: that something waits for them.
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { patience: Duration::from_secs(60), tell: Arc::new(tell) }
    }

    fn tell(&self, message: &str) {
        (self.tell)(message);
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// The external helper of the command store, and who hears what it says.
#[derive(Clone)]
pub struct Helper {
    /// The program and its arguments; empty where none is configured.
    pub words: Vec<String>,
    /// The file that says so.
    pub settings: PathBuf,
    /// Who hears what it complains about.
    pub report: Arc<dyn Report + Send + Sync>,
}

impl fmt::Debug for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Helper").field("words", &self.words).finish_non_exhaustive()
    }
}

/// Opens the store of this kind; nothing is touched before it is used.
pub fn open(kind: StoreKind, place: &Place) -> Result<Box<dyn Store>> {
    Ok(match kind {
        StoreKind::Keychain => Box::new(keychain::KeychainStore::open(place)?),
        StoreKind::Kernel => Box::new(kernel::KernelStore::open(place)?),
        StoreKind::File => Box::new(file::FileStore::open(place)?),
        StoreKind::Command => Box::new(command::CommandStore::open(place)?),
        StoreKind::None => Box::new(NoStore),
    })
}

/// The store for somebody who named none, and what keeps it from being the keychain.
///
/// A keychain counts where it answers and could keep something.
#[must_use]
pub fn auto(place: &Place) -> (StoreKind, Option<Error>) {
    match keychain::KeychainStore::probe(place) {
        Ok(()) => (StoreKind::Keychain, None),
        Err(error) => (StoreKind::File, Some(error)),
    }
}

/// The store that keeps nothing.
struct NoStore;

impl Store for NoStore {
    fn kind(&self) -> StoreKind {
        StoreKind::None
    }

    fn get(&self, _: &EntryName) -> Result<Option<Secret<Vec<u8>>>> {
        Ok(None)
    }

    fn reserve(&self, _: &EntryName, _: usize) -> Result<()> {
        Ok(())
    }

    fn set(&self, _: &EntryName, _: &Secret<Vec<u8>>) -> Result<()> {
        Ok(())
    }

    fn delete(&self, _: &EntryName) -> Result<()> {
        Ok(())
    }

    fn names(&self) -> Result<Vec<EntryName>> {
        Ok(Vec::new())
    }
}

/// A fault of `store`, with the store's own word where it has one.
fn fault(
    store: StoreKind,
    fault: StoreFault,
    message: impl Into<String>,
    source: Option<Source>,
) -> Error {
    StoreError { source, ..StoreError::new(fault, store, message) }.into()
}
