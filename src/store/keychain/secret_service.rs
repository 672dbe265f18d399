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
    let service = connect()?;
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
    let service = connect()?;
    let found = search(&service, username, may_prompt)?;
    let item = match (&found.unlocked[..], &found.locked[..]) {
        ([], []) => return Ok(None),
        ([item], []) => item,
        ([], [item]) if may_prompt => {
            item.unlock()?;
            item
        }
        ([], [_]) => return Err(ServiceError::Locked.into()),
        _ => return Err(ambiguous(name)),
    };
    Ok(Some(Secret::new(item.get_secret()?)))
}

/// Refuses to set an item for which keyring would prompt when nobody may be asked.
pub(super) fn before_set(username: &str, may_prompt: bool) -> Result<()> {
    if may_prompt {
        return Ok(());
    }
    let service = connect()?;
    let found = find(&service, username)?;
    match (&found.unlocked[..], &found.locked[..]) {
        ([], []) => writable(&service, may_prompt),
        (_, []) => Ok(()),
        _ => Err(ServiceError::Locked.into()),
    }
}

/// Sees to it that an item to delete shows, and that keyring would not prompt when nobody may be asked.
pub(super) fn before_delete(username: &str, may_prompt: bool) -> Result<()> {
    let service = connect()?;
    let found = search(&service, username, may_prompt)?;
    if found.locked.is_empty() || may_prompt { Ok(()) } else { Err(ServiceError::Locked.into()) }
}

/// The usernames of all items that this program ever made, for whichever DATA directory. It never prompts.
pub(super) fn usernames(_: bool) -> Result<Vec<String>> {
    let service = connect()?;
    let found = service.search_items(HashMap::from([("service", SERVICE), ("target", DEFAULT)]))?;
    if !found.locked.is_empty() {
        return Err(ServiceError::Locked.into());
    }
    if found.unlocked.is_empty() {
        // Keychains other than GNOME's show none while they are locked.
        unlock(&service, false)?;
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

/// All items of this name. Keychains other than GNOME's show none while they are locked.
fn search<'a>(
    service: &'a SecretService<'a>,
    username: &str,
    may_prompt: bool,
) -> Result<SearchItemsResult<Item<'a>>> {
    let found = find(service, username)?;
    let none = found.unlocked.is_empty() && found.locked.is_empty();
    if none && unlock(service, may_prompt)? { find(service, username) } else { Ok(found) }
}

/// All items of this name that show, by the very attributes that keyring gives them. It never prompts.
fn find<'a>(service: &'a SecretService<'a>, username: &str) -> Result<SearchItemsResult<Item<'a>>> {
    let attributes =
        HashMap::from([("service", SERVICE), ("username", username), ("target", DEFAULT)]);
    Ok(service.search_items(attributes)?)
}

/// Unlocks the default collection; tells whether it was locked.
fn unlock<'a>(service: &'a SecretService<'a>, may_prompt: bool) -> Result<bool> {
    let collection = match service.get_collection_by_alias(DEFAULT) {
        Err(ServiceError::NoResult) => return Ok(false),
        collection => collection?,
    };
    let was_locked = collection.is_locked()?;
    if was_locked {
        if !may_prompt {
            return Err(ServiceError::Locked.into());
        }
        collection.unlock()?;
    }
    Ok(was_locked)
}

/// Whether an item can be made.
fn writable<'a>(service: &'a SecretService<'a>, may_prompt: bool) -> Result<()> {
    let is_locked = service.get_collection_by_alias(DEFAULT)?.is_locked()?;
    if is_locked && !may_prompt { Err(ServiceError::Locked.into()) } else { Ok(()) }
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

const LOCKED: &str = "the keychain is locked";
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
