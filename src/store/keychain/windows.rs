//! The Windows Credential Manager. It is unlocked by logging in, and never prompts.

// What can't fail here can on other platforms.
#![allow(clippy::unnecessary_wraps)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error as StdError;

use super::bounded::Leave;
use super::fault::{self, FAILED, because};
use super::items::{Keyring, SERVICE, search};
use crate::error::{Error, Result, StoreFault};
use crate::secret::Secret;
use crate::store::split::{Items, Split};
use crate::terms::StoreKind;

/// What one credential can hold (`CRED_MAX_CREDENTIAL_BLOB_SIZE`).
const LIMIT: usize = 2560;

/// What the store uses.
pub(super) type Platform = Split<Keyring>;

/// The platform's items as the store uses them.
pub(super) const fn platform(items: Keyring) -> Platform {
    Split::new(items, LIMIT, StoreKind::Keychain)
}

/// Credentials of the default persistence, Enterprise, would roam to other machines.
pub(super) fn modifiers(_: &str, username: &str) -> [(&'static str, Cow<'static, str>); 2] {
    [("target", format!("{SERVICE}:{username}").into()), ("persistence", "Local".into())]
}

/// Whether credentials can be read.
pub(super) fn probe(items: &Keyring) -> Result<()> {
    items.get("probe").map(|_| ())
}

/// There is no shorter way than keyring's.
pub(super) const fn read(_: &str, _: &str, _: &Leave) -> Option<Result<Option<Secret<Vec<u8>>>>> {
    None
}

/// Setting never prompts.
pub(super) const fn before_set(_: &str, _: &str, _: &Leave) -> Result<()> {
    Ok(())
}

/// Deleting never prompts.
pub(super) const fn before_delete(_: &str, _: &Leave) -> Result<()> {
    Ok(())
}

/// The usernames of all items that this program ever made.
pub(super) fn usernames(_: &Leave) -> Result<Vec<String>> {
    let prefix = format!("{SERVICE}:");
    let items = search(&HashMap::from([("pattern", &*format!("^{prefix}"))]))?;
    let attributes = items.iter().filter_map(|item| match item.get_attributes() {
        // It was removed since it was found.
        Err(keyring_core::Error::NoEntry) => None,
        attributes => Some(attributes.map_err(|error| fault::explain(&prefix, &error))),
    });
    attributes
        .map(|attributes| attributes.map(|all| all["target_name"].replacen(&prefix, "", 1)))
        .collect()
}

/// The fault that an error inside of keyring's speaks of.
pub(super) fn explain(error: &(dyn StdError + 'static)) -> Error {
    because(StoreFault::Failed, FAILED, &error)
}
