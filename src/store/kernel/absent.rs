//! Where the system is not Linux.

use crate::error::{Result, StoreFault};
use crate::secret::Secret;
use crate::store::fault;
use crate::store::split::Items;
use crate::terms::StoreKind;

/// Keys that no kernel but Linux has.
#[derive(Debug)]
pub(super) enum Keys {}

impl Keys {
    pub(super) fn open(_: &str) -> Result<Self> {
        let message = "the kernel store needs Linux";
        Err(fault(StoreKind::Kernel, StoreFault::Absent, message, None))
    }
}

impl Items for Keys {
    fn get(&self, _: &str) -> Result<Option<Secret<Vec<u8>>>> {
        match *self {}
    }

    fn set(&self, _: &str, _: &Secret<Vec<u8>>) -> Result<()> {
        match *self {}
    }

    fn delete(&self, _: &str) -> Result<()> {
        match *self {}
    }

    fn names(&self) -> Result<Vec<String>> {
        match *self {}
    }
}
