//! The platform's keychain: the Secret Service, the macOS Keychain, the Windows Credential Manager.
//!
//! An entry is an item of the service `oauthctl`, whose username is the entry's name and the
//! installation id: two DATA directories never share one. Another program of the same user can read
//! it where the platform lets it: on Linux and Windows always, on macOS when the person agrees.

mod bounded;
mod fault;
mod items;
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(not(any(windows, target_os = "macos")), path = "secret_service.rs")]
mod platform;

use items::Keyring;
use platform::Platform;

use super::split::Items;
use super::{EntryName, Place, Store, installation};
use crate::error::Result;
use crate::secret::Secret;
use crate::terms::StoreKind;

/// Entries as items of the keychain.
#[derive(Debug)]
pub struct KeychainStore {
    place: Place,
}

impl KeychainStore {
    /// Opens the store; nothing is touched before it is used.
    pub fn open(place: &Place) -> Result<Self> {
        Ok(Self { place: place.clone() })
    }

    /// Asks whether a keychain answers here and could keep something; a locked one does not count
    /// where nobody may be asked to unlock it. It never prompts.
    pub fn probe(place: &Place) -> Result<()> {
        bounded::within(place, |leave| platform::probe(&Keyring::new("", leave)))
    }

    fn call<T: Send + 'static>(
        &self,
        installation: String,
        call: impl FnOnce(&Platform) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        bounded::within(&self.place, move |leave| {
            call(&platform::platform(Keyring::new(&installation, leave)))
        })
    }

    /// As [`KeychainStore::call`], where there can be items at all; else the keychain must answer.
    fn call_existing<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Platform) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        match installation::existing(&self.place.data_dir)? {
            Some(installation) => self.call(installation, call).map(Some),
            None => Self::probe(&self.place).map(|()| None),
        }
    }
}

impl Store for KeychainStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Keychain
    }

    fn get(&self, name: &EntryName) -> Result<Option<Secret<Vec<u8>>>> {
        let name = name.clone();
        Ok(self.call_existing(move |items| items.get(name.as_str()))?.flatten())
    }

    /// Sets a present entry to what it is; where there is none, only a real one can show.
    fn reserve(&self, name: &EntryName, _: usize) -> Result<()> {
        let name = name.clone();
        let set_again = self.call_existing(move |items| match items.get(name.as_str())? {
            Some(value) => items.set(name.as_str(), &value),
            None => Ok(()),
        });
        set_again.map(|_| ())
    }

    fn set(&self, name: &EntryName, value: &Secret<Vec<u8>>) -> Result<()> {
        let installation = super::installation_id(&self.place.data_dir)?;
        let (name, value) = (name.clone(), value.clone());
        self.call(installation, move |items| items.set(name.as_str(), &value))
    }

    fn delete(&self, name: &EntryName) -> Result<()> {
        let name = name.clone();
        self.call_existing(move |items| items.delete(name.as_str())).map(|_| ())
    }

    fn names(&self) -> Result<Vec<EntryName>> {
        let names = self.call_existing(Items::names)?.unwrap_or_default();
        Ok(names.iter().filter_map(|name| EntryName::parse(name)).collect())
    }
}
