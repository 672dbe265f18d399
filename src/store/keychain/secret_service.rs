//! The Secret Service: the keychain of Linux and the BSDs.
//!
//! Reading goes around `keyring`, which always begins with an exchange of keys that takes longer than
//! all the rest, and which asks a person to unlock what is locked, wanted or not. Over a Unix socket
//! a secret needs no encryption: whoever can listen there can ask for it as well.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error as StdError;
use std::os::unix::net::UnixStream;

use secret_service::blocking::{Item, SecretService};
use secret_service::{EncryptionType, Error as ServiceError, SearchItemsResult};
use zbus::address::transport::{Transport, UnixSocket};
use zbus::blocking::connection::Builder;
use zbus::{Address, DBusError};

use super::fault::{FAILED, ambiguous, because, plain};
use super::items::{Keyring, SERVICE};
use crate::error::{Error, Result, StoreFault};
use crate::secret::Secret;

/// The alias of the collection in which items are made.
const DEFAULT: &str = "default";

/// What the store uses: items here have no limit worth the name.
pub(super) type Platform = Keyring;

/// The platform's items as the store uses them.
pub(super) const fn platform(items: Keyring) -> Platform {
    items
}

/// `target` is the collection in which an item is made, and an attribute by which it is found.
pub(super) fn modifiers(name: &str, _: &str) -> [(&'static str, Cow<'static, str>); 2] {
    [("target", DEFAULT.into()), ("label", format!("{SERVICE}: {name}").into())]
}

/// Whether there is a collection to keep items in, and nobody needs to unlock it who isn't there.
pub(super) fn probe(items: &Keyring) -> Result<()> {
    let service = connect().map_err(|error| explain(&error))?;
    writable(&service, items.may_prompt)
}

/// Reads an item the short way; `None` leaves it to keyring.
pub(super) fn read(
    name: &str,
    username: &str,
    may_prompt: bool,
) -> Option<Result<Option<Secret<Vec<u8>>>>> {
    match try_read(name, username, may_prompt) {
        // Nobody is told that there is nothing before keyring has looked, too.
        Ok(None) => None,
        Err(Error::Store(error)) if error.fault == StoreFault::Failed => {
            // Keyring could prompt. But an item that is made anew meanwhile is found at the second try.
            (!may_prompt).then(|| try_read(name, username, may_prompt))
        }
        answer => Some(answer),
    }
}

fn try_read(name: &str, username: &str, may_prompt: bool) -> Result<Option<Secret<Vec<u8>>>> {
    let service = connect().map_err(|error| explain(&error))?;
    let found = find(&service, username)?;
    let item = match (&found.unlocked[..], &found.locked[..]) {
        ([], []) => return Ok(None),
        ([item], []) => item,
        ([], [item]) if may_prompt => {
            item.unlock().map_err(|error| explain(&error))?;
            item
        }
        ([], [_]) => return Err(locked()),
        _ => return Err(ambiguous(name)),
    };
    match item.get_secret() {
        Ok(secret) => Ok(Some(Secret::new(secret))),
        Err(error) => Err(explain(&error)),
    }
}

/// Refuses to set an item for which keyring would prompt when nobody may be asked.
pub(super) fn before_set(username: &str, may_prompt: bool) -> Result<()> {
    if may_prompt {
        return Ok(());
    }
    let service = connect().map_err(|error| explain(&error))?;
    let found = find(&service, username)?;
    if !found.locked.is_empty() {
        return Err(locked());
    }
    if found.unlocked.is_empty() { writable(&service, may_prompt) } else { Ok(()) }
}

/// Refuses to delete an item for which keyring would prompt when nobody may be asked.
pub(super) fn before_delete(username: &str, may_prompt: bool) -> Result<()> {
    if may_prompt {
        return Ok(());
    }
    let service = connect().map_err(|error| explain(&error))?;
    if find(&service, username)?.locked.is_empty() { Ok(()) } else { Err(locked()) }
}

/// Connects to the keychain; over anything but a Unix socket, with encryption.
fn connect() -> Result<SecretService<'static>, ServiceError> {
    let address = Address::session()?;
    if let Transport::Unix(unix) = address.transport()
        && let UnixSocket::File(path) = unix.path()
    {
        // Left to zbus, this would start a thread.
        let stream = UnixStream::connect(path).map_err(zbus::Error::from)?;
        let connection = Builder::async_io_unix_stream(stream).build()?;
        // Where a plain session is refused, the keychain perhaps insists on encryption.
        return SecretService::connect_with_existing(EncryptionType::Plain, connection.clone())
            .or_else(|_| SecretService::connect_with_existing(EncryptionType::Dh, connection));
    }
    let connection = Builder::address(address)?.build()?;
    SecretService::connect_with_existing(EncryptionType::Dh, connection)
}

/// All items of this name, by the very attributes that keyring gives them. It never prompts.
fn find<'a>(service: &'a SecretService<'a>, username: &str) -> Result<SearchItemsResult<Item<'a>>> {
    let attributes =
        HashMap::from([("service", SERVICE), ("username", username), ("target", DEFAULT)]);
    service.search_items(attributes).map_err(|error| explain(&error))
}

/// Whether an item can be made.
fn writable<'a>(service: &'a SecretService<'a>, may_prompt: bool) -> Result<()> {
    let locked_now = service
        .get_collection_by_alias(DEFAULT)
        .and_then(|collection| collection.is_locked())
        .map_err(|error| explain(&error))?;
    if locked_now && !may_prompt { Err(locked()) } else { Ok(()) }
}

fn locked() -> Error {
    plain(StoreFault::Locked, "the keychain is locked")
}

/// The fault that an error inside of keyring's speaks of.
pub(super) fn explain(error: &(dyn StdError + 'static)) -> Error {
    let Some(service) = error.downcast_ref::<ServiceError>() else {
        return because(StoreFault::Failed, FAILED, &error);
    };
    let (kind, message) = match service {
        ServiceError::Locked => return locked(),
        ServiceError::NoResult => (StoreFault::Absent, "the keychain has no default collection"),
        ServiceError::Prompt => (
            StoreFault::Denied,
            "the prompt to unlock the keychain was dismissed, or nothing here can show it",
        ),
        ServiceError::Unavailable => (StoreFault::Absent, NO_BUS),
        ServiceError::Zbus(bus) => of_bus(bus),
        ServiceError::ZbusFdo(standard) => of_standard(standard),
        _ => (StoreFault::Failed, FAILED),
    };
    because(kind, message, &service)
}

const NO_BUS: &str = "there is no session bus here, and so no keychain";

fn of_bus(error: &zbus::Error) -> (StoreFault, &'static str) {
    use zbus::Error as Bus;
    match error {
        Bus::Address(_) | Bus::Connection(..) | Bus::InputOutput(_) | Bus::Handshake(_) => {
            (StoreFault::Absent, NO_BUS)
        }
        Bus::MethodError(name, ..) => of_name(name.as_str()),
        Bus::FDO(standard) => of_standard(standard),
        _ => (StoreFault::Failed, FAILED),
    }
}

fn of_standard(error: &zbus::fdo::Error) -> (StoreFault, &'static str) {
    match error {
        zbus::fdo::Error::ZBus(error) => of_bus(error),
        error => of_name(error.name().as_str()),
    }
}

/// The fault that a D-Bus error of this name speaks of.
fn of_name(name: &str) -> (StoreFault, &'static str) {
    if name == "org.freedesktop.Secret.Error.IsLocked" {
        return (StoreFault::Locked, "the keychain is locked");
    }
    match name.strip_prefix("org.freedesktop.DBus.Error.").unwrap_or_default() {
        "ServiceUnknown" | "NameHasNoOwner" => {
            (StoreFault::Absent, "no keychain answers on the session bus")
        }
        "AccessDenied" | "AuthFailed" => (StoreFault::Denied, "the keychain denies access"),
        "NoReply" | "TimedOut" | "Timeout" => (StoreFault::TimedOut, "the keychain did not answer"),
        name if name.starts_with("Spawn.") => {
            (StoreFault::Absent, "the keychain's service can't be started")
        }
        _ => (StoreFault::Failed, FAILED),
    }
}
