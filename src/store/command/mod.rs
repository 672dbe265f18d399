//! An external helper that speaks the protocol of docker-credential-helpers.
//!
//! `docker-credential-pass`, `-secretservice`, `-osxkeychain`, `-wincred` and vendors' own work as they
//! are: `get`, `store`, `erase` or `list` is appended to what `store_command` says, what is asked for is
//! on stdin, the answer on stdout, and a fault is an exit code with words on stdout. Secrets pass through
//! pipes alone. What the helper says on stderr is shown.
//!
//! A helper runs with the rights of its user, and is trusted with the secrets that it keeps.

mod helper;
pub mod protocol;

use helper::Call;

use super::split::{Items, Split};
use super::{EntryName, Helper, Place, Store, installation};
use crate::error::{ConfigError, Error, Result};
use crate::secret::Secret;
use crate::terms::StoreKind;

/// The longest value of an item.
///
/// Written as text it fits into the 32 KiB of a key of the Linux kernel, and so into the line of 64 KiB that
/// helpers in Go read at most; on Windows into the 2,560 bytes of a credential.
const LIMIT: usize = if cfg!(windows) { 1_800 } else { 24_000 };

/// Entries as items of a helper.
#[derive(Debug)]
pub struct CommandStore {
    place: Place,
    helper: Helper,
}

impl CommandStore {
    /// Opens the store; nothing is run before it is used.
    pub fn open(place: &Place) -> Result<Self> {
        match &place.helper {
            Some(helper) if !helper.words.is_empty() => {
                Ok(Self { place: place.clone(), helper: helper.clone() })
            }
            helper => Err(Error::Config(ConfigError {
                message: "store_command is missing: it names the helper of the command store"
                    .into(),
                file: helper.as_ref().map(|helper| helper.settings.clone()),
                missing: Some("store_command"),
                line: None,
            })),
        }
    }

    fn call<'a>(&'a self, installation: &'a str) -> Call<'a> {
        Call::begin(&self.helper, installation, &self.place)
    }

    fn items<'a>(&'a self, installation: &'a str) -> Split<Call<'a>> {
        Split::new(self.call(installation), LIMIT, StoreKind::Command).sparing()
    }

    /// What `work` finds among the items, where there can be any; the helper is asked for something even
    /// where there can be none, as else nobody would know that it doesn't work.
    fn existing<T: Default>(&self, work: impl FnOnce(&Split<Call<'_>>) -> Result<T>) -> Result<T> {
        match installation::existing(&self.place.data_dir)? {
            Some(installation) => work(&self.items(&installation)),
            None => self.call("none").get("probe@none").map(|_| T::default()),
        }
    }
}

impl Store for CommandStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Command
    }

    fn get(&self, name: &EntryName) -> Result<Option<Secret<Vec<u8>>>> {
        self.existing(|items| items.get(name.as_str()))
    }

    /// Writes a present entry beside itself; where there is none, only a real one can show.
    fn reserve(&self, name: &EntryName, _: usize) -> Result<()> {
        match installation::existing(&self.place.data_dir)? {
            Some(installation) => self.call(&installation).rehearse(name.as_str()),
            None => Ok(()),
        }
    }

    fn set(&self, name: &EntryName, value: &Secret<Vec<u8>>) -> Result<()> {
        let installation = super::installation_id(&self.place.data_dir)?;
        self.items(&installation).set(name.as_str(), value)
    }

    fn delete(&self, name: &EntryName) -> Result<()> {
        self.existing(|items| items.delete(name.as_str()))
    }

    fn names(&self) -> Result<Vec<EntryName>> {
        let names = self.existing(|items| items.names())?;
        Ok(names.iter().filter_map(|name| EntryName::parse(name)).collect())
    }
}
