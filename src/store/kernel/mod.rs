//! Linux keyutils: entries as keys in the memory of the kernel, gone at reboot.
//!
//! They are linked to the user's keyring, which all sessions of the user share, also those that do not
//! possess it, such as a service's or cron's: whoever runs as the user may read and change them, and
//! nobody else, not even a process of another user that inherited the session's keyring. No key has an
//! end. Every call is a system call that waits for nothing.

#[cfg(target_os = "linux")]
mod fault;
#[cfg_attr(not(target_os = "linux"), path = "absent.rs")]
mod keys;

use keys::Keys;

use super::split::{Items, Split};
use super::{EntryName, Place, Store, installation};
use crate::error::Result;
use crate::secret::Secret;
use crate::terms::StoreKind;

/// The longest payload of a key of the type `user`.
///
/// The type `big_key` takes more, but not every kernel has it.
const LIMIT: usize = 32_767;

/// Entries as keys of the kernel.
#[derive(Debug)]
pub struct KernelStore {
    place: Place,
}

impl KernelStore {
    /// Opens the store; nothing is touched before it is used.
    pub fn open(place: &Place) -> Result<Self> {
        Ok(Self { place: place.clone() })
    }

    /// The items, where there can be any at all; without, whether there are keys is seen all the same.
    fn existing(&self) -> Result<Option<Split<Keys>>> {
        match installation::existing(&self.place.data_dir)? {
            Some(installation) => Ok(Some(items(&installation)?)),
            None => Keys::open("").map(|_| None),
        }
    }
}

fn items(installation: &str) -> Result<Split<Keys>> {
    Ok(Split::new(Keys::open(installation)?, LIMIT, StoreKind::Kernel))
}

impl Store for KernelStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Kernel
    }

    fn get(&self, name: &EntryName) -> Result<Option<Secret<Vec<u8>>>> {
        match self.existing()? {
            Some(items) => items.get(name.as_str()),
            None => Ok(None),
        }
    }

    /// Sets a present entry to what it is; how much room there will be, nobody can tell.
    fn reserve(&self, name: &EntryName, _: usize) -> Result<()> {
        let Some(items) = self.existing()? else { return Ok(()) };
        match items.get(name.as_str())? {
            Some(value) => items.set(name.as_str(), &value),
            None => Ok(()),
        }
    }

    fn set(&self, name: &EntryName, value: &Secret<Vec<u8>>) -> Result<()> {
        items(&super::installation_id(&self.place.data_dir)?)?.set(name.as_str(), value)
    }

    fn delete(&self, name: &EntryName) -> Result<()> {
        match self.existing()? {
            Some(items) => items.delete(name.as_str()),
            None => Ok(()),
        }
    }

    fn names(&self) -> Result<Vec<EntryName>> {
        let Some(items) = self.existing()? else { return Ok(Vec::new()) };
        Ok(items.names()?.iter().filter_map(|name| EntryName::parse(name)).collect())
    }
}
