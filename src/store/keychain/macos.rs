//! The macOS Keychain.
//!
//! It may ask whether this program may use an item that another build of it made, as well as to
//! unlock: where nobody may be asked, both are forbidden, for all of the process.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error as StdError;

use keyring_core::Entry;
use security_framework::base::Error as SecurityError;
use security_framework::os::macos::keychain::{KeychainUserInteractionLock, SecKeychain};

use super::bounded::Leave;
use super::fault::{FAILED, because};
use super::items::{Keyring, SERVICE, search};
use crate::error::{Error, Result, StoreFault};
use crate::secret::Secret;
use crate::store::split::Items;

/// What the store uses: items here have no limit worth the name.
pub(super) type Platform = Keyring;

/// The platform's items as the store uses them.
pub(super) const fn platform(items: Keyring) -> Platform {
    items
}

/// The user's own keychain needs none.
pub(super) const fn modifiers(_: &str, _: &str) -> [(&'static str, Cow<'static, str>); 0] {
    []
}

/// Whether there is a keychain that can be read.
pub(super) fn probe(items: &Keyring) -> Result<()> {
    items.get("probe").map(|_| ())
}

/// There is no shorter way than keyring's.
pub(super) fn read(_: &str, _: &str, leave: &Leave) -> Option<Result<Option<Secret<Vec<u8>>>>> {
    quiet(leave).err().map(Err)
}

/// Sees to it that setting doesn't prompt when nobody may be asked.
pub(super) fn before_set(_: &str, _: &str, leave: &Leave) -> Result<()> {
    quiet(leave)
}

/// Sees to it that deleting doesn't prompt when nobody may be asked.
pub(super) fn before_delete(_: &str, leave: &Leave) -> Result<()> {
    quiet(leave)
}

/// The usernames of all items that this program ever made. Their names are no secret to a locked
/// keychain either, and it never prompts.
pub(super) fn usernames(leave: &Leave) -> Result<Vec<String>> {
    let quiet = SecKeychain::disable_user_interaction().map_err(|error| explain(&error))?;
    let items = search(&HashMap::from([("service", SERVICE)]));
    if !leave.may_ask() {
        keep(quiet);
    }
    let items = items?;
    let specifiers = items.iter().filter_map(Entry::get_specifiers);
    Ok(specifiers.map(|(_, username)| username).collect())
}

fn quiet(leave: &Leave) -> Result<()> {
    // Whether the system is going to ask is not known before.
    if !leave.to_ask() {
        keep(SecKeychain::disable_user_interaction().map_err(|error| explain(&error))?);
    }
    Ok(())
}

/// Dropped, it would allow prompts again, also to a call in another thread.
fn keep(quiet: KeychainUserInteractionLock) {
    std::mem::forget(quiet);
}

/// The fault that an error inside of keyring's speaks of, by the codes of `SecBase.h`.
pub(super) fn explain(error: &(dyn StdError + 'static)) -> Error {
    let (kind, message) = match error.downcast_ref::<SecurityError>().map(|error| error.code()) {
        // errSecInteractionNotAllowed
        Some(-25308) => (StoreFault::Locked, "the keychain is locked, or would ask for leave"),
        // errSecUserCanceled, errSecAuthFailed
        Some(-128 | -25293) => (StoreFault::Denied, "access to the keychain was denied"),
        // errSecNotAvailable, errSecNoSuchKeychain, errSecNoDefaultKeychain
        Some(-25291 | -25294 | -25307) => (StoreFault::Absent, "there is no keychain here"),
        _ => (StoreFault::Failed, FAILED),
    };
    because(kind, message, &error)
}
