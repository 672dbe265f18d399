//! Linux keyutils: entries in the memory of the kernel, gone at reboot.

use super::{EntryName, Place, Store, fault};
use crate::error::{Error, Result, StoreFault};
use crate::secret::Secret;
use crate::terms::StoreKind;

/// Not there yet.
#[derive(Debug)]
pub struct KernelStore;

impl KernelStore {
    /// Opens the store; nothing is touched before it is used.
    pub fn open(_: &Place) -> Result<Self> {
        Err(absent())
    }
}

fn absent() -> Error {
    fault(StoreKind::Kernel, StoreFault::Absent, "this store is not there yet", None)
}

impl Store for KernelStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Kernel
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
