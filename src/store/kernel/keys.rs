//! The keys of one DATA directory.

use std::fs;

use linux_keyutils::{
    Key, KeyError, KeyPermissions, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission,
};
use zeroize::Zeroizing;

use super::LIMIT;
use super::fault::{explain, unlisted};
use crate::error::Result;
use crate::secret::Secret;
use crate::store::split::Items;

/// Whose keys they are, as `keyctl show` shows it.
const SERVICE: &str = "oauthctl";

/// Where the kernel lists the keys that this process may see.
const LIST: &str = "/proc/keys";

/// The keys of one DATA directory, in the user's keyring.
#[derive(Debug)]
pub(super) struct Keys {
    ring: KeyRing,
    /// What the descriptions of all of them begin with.
    prefix: String,
}

impl Keys {
    /// Finds the user's keyring, which there always is where there are keys at all.
    pub(super) fn open(installation: &str) -> Result<Self> {
        let ring = KeyRing::from_special_id(KeyRingIdentifier::User, false)
            .map_err(|error| explain(None, error))?;
        Ok(Self { ring, prefix: format!("{SERVICE}:{installation}:") })
    }

    fn description(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Makes a key in the place of one that may be there. It shows when it has its permissions.
    fn make(&self, name: &str, value: &[u8]) -> Result<(), KeyError> {
        let aside = KeyRing::from_special_id(KeyRingIdentifier::Thread, true)?;
        let key = aside.add_key(&self.description(name), value)?;
        let shown = key.set_perms(permissions()).and_then(|()| self.ring.link_key(key));
        // With this thread it would go as well.
        let _ = aside.unlink_key(key);
        shown
    }
}

/// All for the user's processes, whether they possess the key or not, and nothing for others.
fn permissions() -> KeyPermissions {
    KeyPermissionsBuilder::builder().user(Permission::ALL).build()
}

impl Items for Keys {
    fn get(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>> {
        match self.ring.search(&self.description(name)).and_then(read) {
            // Also one that was taken away just now.
            Err(KeyError::KeyDoesNotExist) => Ok(None),
            read => read.map(Some).map_err(|error| explain(Some(name), error)),
        }
    }

    fn set(&self, name: &str, value: &Secret<Vec<u8>>) -> Result<()> {
        let (description, value) = (self.description(name), value.expose());
        // What is there is updated in its place, and kept from others should it just have gone.
        let update = |_| self.ring.add_key(&description, value)?.set_perms(permissions());
        match self.ring.search(&description).and_then(update) {
            Err(KeyError::KeyDoesNotExist | KeyError::KeyRevoked | KeyError::KeyExpired) => {
                self.make(name, value)
            }
            set => set,
        }
        .map_err(|error| explain(Some(name), error))
    }

    fn delete(&self, name: &str) -> Result<()> {
        let found = self.ring.search(&self.description(name));
        match found.and_then(|key| self.ring.unlink_key(key)) {
            // What is revoked or has expired, the kernel itself removes.
            Err(
                KeyError::KeyDoesNotExist
                | KeyError::MissingFileOrDirectory
                | KeyError::KeyRevoked
                | KeyError::KeyExpired,
            ) => Ok(()),
            deleted => deleted.map_err(|error| explain(Some(name), error)),
        }
    }

    /// What the kernel lists; where that is hidden, nobody is told that there is nothing.
    fn names(&self) -> Result<Vec<String>> {
        let list = fs::read(LIST).map_err(|error| unlisted(LIST, Some(error)))?;
        let list = String::from_utf8_lossy(&list);
        // At least the user's keyring is in it.
        if list.trim().is_empty() {
            return Err(unlisted(LIST, None));
        }
        let listed = list.lines().filter_map(|line| name_in(line, &self.prefix));
        // A key that was taken away is listed a moment longer.
        Ok(listed.filter(|name| self.ring.search(&self.description(name)).is_ok()).collect())
    }
}

/// The name in a line of `/proc/keys`, at whose end are the description, a colon and the payload's length.
fn name_in(line: &str, prefix: &str) -> Option<String> {
    let (_, named) = line.split_once(prefix)?;
    Some(named.split_once(": ")?.0.to_owned())
}

fn read(key: Key) -> Result<Secret<Vec<u8>>, KeyError> {
    let mut payload = Zeroizing::new(vec![0; LIMIT]);
    let length = key.read(&mut *payload)?;
    // None is longer.
    Ok(Secret::new(payload[..length.min(LIMIT)].to_vec()))
}
