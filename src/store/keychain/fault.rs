//! What went wrong with a keychain, in words that a person understands.

use std::fmt::Display;

use super::platform;
use crate::error::{Error, StoreFault};
use crate::store::fault;
use crate::terms::StoreKind;

/// What is said when nobody knows more.
pub(super) const FAILED: &str = "the keychain failed";

/// A fault of the keychain, with the library's word as its cause.
///
/// The cause is text: as values, some of keyring's errors hold the bytes of a secret.
pub(super) fn because(kind: StoreFault, message: impl Into<String>, cause: &dyn Display) -> Error {
    fault(StoreKind::Keychain, kind, message, Some(cause.to_string().into()))
}

/// A fault of the keychain that has no cause but itself.
pub(super) fn plain(kind: StoreFault, message: impl Into<String>) -> Error {
    fault(StoreKind::Keychain, kind, message, None)
}

/// A fault that no other kind speaks of.
pub(super) fn failed(message: impl Into<String>) -> Error {
    plain(StoreFault::Failed, message)
}

/// More than one item answers to a name: who made the others is unknown.
pub(super) fn ambiguous(name: &str) -> Error {
    plain(StoreFault::Ambiguous, format!("the keychain has more than one item for {name}"))
}

/// The fault that keyring's error speaks of, over the item of this name.
pub(super) fn explain(name: &str, error: &keyring_core::Error) -> Error {
    use keyring_core::Error as Keyring;
    match error {
        Keyring::PlatformFailure(inner) | Keyring::NoStorageAccess(inner) => {
            platform::explain(&**inner)
        }
        Keyring::Ambiguous(_) => ambiguous(name),
        Keyring::NoDefaultStore => plain(StoreFault::Absent, "this system has no keychain"),
        Keyring::BadEncoding(_) | Keyring::BadDataFormat(..) => {
            plain(StoreFault::Corrupt, format!("the keychain's item for {name} is damaged"))
        }
        other => because(StoreFault::Failed, FAILED, &other),
    }
}
