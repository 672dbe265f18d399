//! Items of the platform's keychain, by way of `keyring`.

use std::collections::HashMap;

use keyring_core::Entry;

use super::bounded::Leave;
use super::fault::{explain, failed};
use super::platform;
use crate::error::Result;
use crate::secret::Secret;
use crate::store::split::Items;

/// Whose items they are, as a keychain shows it.
pub(super) const SERVICE: &str = "oauthctl";

/// The items that answer to these attributes, which every platform names in its own way.
#[cfg(any(windows, target_os = "macos"))]
pub(super) fn search(attributes: &HashMap<&str, &str>) -> Result<Vec<Entry>> {
    keyring::Entry::store_status().as_ref().map_err(|error| explain(SERVICE, error))?;
    Entry::search(attributes).map_err(|error| explain(SERVICE, &error))
}

/// The items of one DATA directory.
pub(super) struct Keyring {
    installation: String,
    pub(super) leave: Leave,
}

impl Keyring {
    pub(super) fn new(installation: &str, leave: &Leave) -> Self {
        Self { installation: installation.to_owned(), leave: leave.clone() }
    }

    /// What tells an item from those of other entries and of other DATA directories.
    fn username(&self, name: &str) -> String {
        format!("{name}:{}", self.installation)
    }

    fn entry(name: &str, username: &str) -> Result<Entry> {
        let modifiers = platform::modifiers(name, username);
        let modifiers: HashMap<_, _> =
            modifiers.iter().map(|(key, value)| (*key, &**value)).collect();
        keyring::Entry::store_status().as_ref().map_err(|error| explain(name, error))?;
        Entry::new_with_modifiers(SERVICE, username, &modifiers)
            .map_err(|error| explain(name, &error))
    }
}

impl Items for Keyring {
    fn get(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>> {
        let username = self.username(name);
        if let Some(answer) = platform::read(name, &username, &self.leave) {
            return answer;
        }
        match Self::entry(name, &username)?.get_secret() {
            Ok(value) => Ok(Some(Secret::new(value))),
            Err(keyring_core::Error::NoEntry) => Ok(None),
            Err(error) => Err(explain(name, &error)),
        }
    }

    /// What was written is read again: some keychains have kept less than they acknowledged.
    fn set(&self, name: &str, value: &Secret<Vec<u8>>) -> Result<()> {
        let username = self.username(name);
        platform::before_set(name, &username, &self.leave)?;
        let entry = Self::entry(name, &username)?;
        self.leave.to_write()?;
        entry.set_secret(value.expose()).map_err(|error| explain(name, &error))?;
        match self.get(name)? {
            Some(kept) if kept == *value => Ok(()),
            _ => Err(failed(format!("the keychain did not keep what was written to {name}"))),
        }
    }

    fn delete(&self, name: &str) -> Result<()> {
        let username = self.username(name);
        platform::before_delete(&username, &self.leave)?;
        let entry = Self::entry(name, &username)?;
        self.leave.to_write()?;
        match entry.delete_credential() {
            Ok(()) | Err(keyring_core::Error::NoEntry) => Ok(()),
            // Who wants an entry gone wants all gone that answers to its name.
            Err(keyring_core::Error::Ambiguous(items)) => items
                .iter()
                .try_for_each(Entry::delete_credential)
                .map_err(|error| explain(name, &error)),
            Err(error) => Err(explain(name, &error)),
        }
    }

    fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<_> = platform::usernames(&self.leave)?
            .iter()
            .filter_map(|username| username.strip_suffix(&self.username("")))
            .map(str::to_owned)
            .collect();
        // That two items have one name is told by who reads it.
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}
