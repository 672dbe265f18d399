//! An external helper that speaks the protocol of docker-credential-helpers.

use super::{EntryName, Place, Store, fault};
use crate::error::{Error, Result, StoreFault};
use crate::secret::Secret;
use crate::terms::StoreKind;

/// Not there yet.
#[derive(Debug)]
pub struct CommandStore;

impl CommandStore {
    /// Opens the store; nothing is touched before it is used.
    pub fn open(_: &Place) -> Result<Self> {
        Err(absent())
    }
}

fn absent() -> Error {
    fault(StoreKind::Command, StoreFault::Absent, "this store is not there yet", None)
}

impl Store for CommandStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Command
    }

    fn get(&self, _: &EntryName) -> Result<Option<Secret<Vec<u8>>>> {
        Err(absent())
    }

    fn reserve(&self, _: &EntryName, _: usize) -> Result<()> {
        Err(absent())
    }

    fn set(&self, _: &EntryName, _: &Secret<Vec<u8>>) -> Result<()> {
        Err(absent())
    }

    fn delete(&self, _: &EntryName) -> Result<()> {
        Err(absent())
    }

    fn names(&self) -> Result<Vec<EntryName>> {
        Err(absent())
    }
}
