//! The keychain of the platform.
use super::*;
/// x
pub struct KeychainStore;
impl KeychainStore {
    /// x
    pub fn open(_: &Place) -> Result<Self> {
        todo!()
    }
}
impl Store for KeychainStore {
    fn kind(&self) -> StoreKind {
        todo!()
    }
    fn get(&self, _: &EntryName) -> Result<Option<Secret<Vec<u8>>>> {
        todo!()
    }
    fn reserve(&self, _: &EntryName, _: usize) -> Result<()> {
        todo!()
    }
    fn set(&self, _: &EntryName, _: &Secret<Vec<u8>>) -> Result<()> {
        todo!()
    }
    fn delete(&self, _: &EntryName) -> Result<()> {
        todo!()
    }
}
