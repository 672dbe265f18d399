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

use super::bounded::Leave;
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
    let service = connect()?;
    let is_locked = service.get_collection_by_alias(DEFAULT)?.is_locked()?;
    if is_locked && !items.leave.may_ask() { Err(ServiceError::Locked.into()) } else { Ok(()) }
}

/// Reads an item the short way; `None` leaves it to keyring.
pub(super) fn read(
    name: &str,
    username: &str,
    leave: &Leave,
) -> Option<Result<Option<Secret<Vec<u8>>>>> {
    match try_read(name, username, leave) {
        // Nobody is told that there is nothing before keyring has looked, too.
        Ok(None) => None,
        Err(Error::Store(error)) if error.fault == StoreFault::Failed => {
            // Keyring could prompt. But an item that is made anew meanwhile is found at the second try.
            (!leave.may_ask()).then(|| try_read(name, username, leave))
        }
        answer => Some(answer),
    }
}

fn try_read(name: &str, username: &str, leave: &Leave) -> Result<Option<Secret<Vec<u8>>>> {
    let service = connect()?;
    let item = find_unlocked(&service, name, username, leave)?;
    Ok(item.map(|item| item.get_secret()).transpose()?.map(Secret::new))
}

/// Sees to it that keyring can set an item without a prompt, of which nobody here would know.
pub(super) fn before_set(name: &str, username: &str, leave: &Leave) -> Result<()> {
    find_unlocked(&connect()?, name, username, leave).map(|_| ())
}

/// Sees to it that items to delete show, and that keyring can delete them without a prompt.
pub(super) fn before_delete(username: &str, leave: &Leave) -> Result<()> {
    let service = connect()?;
    for item in search(&service, username, leave)?.locked {
        ask(leave)?;
        item.unlock()?;
    }
    Ok(())
}

/// The usernames of all items that this program ever made, for whichever DATA directory. It never prompts.
pub(super) fn usernames(_: &Leave) -> Result<Vec<String>> {
    let service = connect()?;
    let found = service.search_items(HashMap::from([("service", SERVICE), ("target", DEFAULT)]))?;
    if !found.locked.is_empty() {
        return Err(ServiceError::Locked.into());
    }
    if found.unlocked.is_empty() {
        // Keychains other than GNOME's show none while they are locked.
        if service.get_collection_by_alias(DEFAULT)?.is_locked()? {
            return Err(ServiceError::Locked.into());
        }
    }
    let attributes = found.unlocked.iter().filter_map(|item| match item.get_attributes() {
        Err(error) if is_gone(&error) => None,
        attributes => Some(attributes),
    });
    let usernames = attributes.map(|attributes| attributes.map(|mut all| all.remove("username")));
    Ok(usernames.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

/// Whether an item was removed since it was found.
fn is_gone(error: &ServiceError) -> bool {
    use zbus::fdo::Error as Standard;
    let error = match error {
        ServiceError::Zbus(zbus::Error::FDO(error)) => &**error,
        ServiceError::ZbusFdo(error) => error,
        _ => return false,
    };
    matches!(error, Standard::UnknownMethod(_) | Standard::UnknownObject(_))
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

/// The item of this name, if there is one; where it is locked, a person is asked to unlock it.
fn find_unlocked<'a>(
    service: &'a SecretService<'a>,
    name: &str,
    username: &str,
    leave: &Leave,
) -> Result<Option<Item<'a>>> {
    let mut found = search(service, username, leave)?;
    match (found.unlocked.pop(), found.locked.pop()) {
        _ if !(found.unlocked.is_empty() && found.locked.is_empty()) => Err(ambiguous(name)),
        (Some(_), Some(_)) => Err(ambiguous(name)),
        (None, Some(item)) => {
            ask(leave)?;
            item.unlock()?;
            Ok(Some(item))
        }
        (unlocked, None) => Ok(unlocked),
    }
}

/// All items of this name, in a keychain that could hold one.
fn search<'a>(
    service: &'a SecretService<'a>,
    username: &str,
    leave: &Leave,
) -> Result<SearchItemsResult<Item<'a>>> {
    let found = find(service, username)?;
    if !(found.unlocked.is_empty() && found.locked.is_empty()) {
        return Ok(found);
    }
    let collection = service.get_collection_by_alias(DEFAULT)?;
    if !collection.is_locked()? {
        return Ok(found);
    }
    // Keychains other than GNOME's show none while they are locked.
    ask(leave)?;
    collection.unlock()?;
    find(service, username)
}

/// All items of this name that show, by the very attributes that keyring gives them. It never prompts.
fn find<'a>(service: &'a SecretService<'a>, username: &str) -> Result<SearchItemsResult<Item<'a>>> {
    let attributes =
        HashMap::from([("service", SERVICE), ("username", username), ("target", DEFAULT)]);
    Ok(service.search_items(attributes)?)
}

/// Refuses to ask for unlocking where nobody is there to be asked.
fn ask(leave: &Leave) -> Result<(), ServiceError> {
    if leave.to_ask() { Ok(()) } else { Err(ServiceError::Locked) }
}

impl From<ServiceError> for Error {
    fn from(error: ServiceError) -> Self {
        explain(&error)
    }
}

/// The fault that an error inside of keyring's speaks of.
pub(super) fn explain(error: &(dyn StdError + 'static)) -> Error {
    let Some(service) = error.downcast_ref::<ServiceError>() else {
        return because(StoreFault::Failed, FAILED, &error);
    };
    let (kind, message) = match service {
        ServiceError::Locked => return plain(StoreFault::Locked, LOCKED),
        ServiceError::Prompt => return plain(StoreFault::Denied, DISMISSED),
        ServiceError::NoResult => (StoreFault::Absent, "the keychain has no default collection"),
        ServiceError::Unavailable => (StoreFault::Absent, NO_BUS),
        ServiceError::Zbus(bus) => of_bus(bus),
        ServiceError::ZbusFdo(standard) => of_standard(standard),
        _ => (StoreFault::Failed, FAILED),
    };
    because(kind, message, &service)
}

const LOCKED: &str = "the keychain is locked";
const DISMISSED: &str =
    "the prompt to unlock the keychain was dismissed, or nothing here can show it";
const NO_BUS: &str = "no session bus can be reached, and so no keychain";

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
        return (StoreFault::Locked, LOCKED);
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
