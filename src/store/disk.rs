//! What is wrong with a file below DATA is a fault of a store, and says what must be mended.

use std::fs::{self, DirEntry};
use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use crate::durable::{Unread, forbidding, obstacle};
use crate::error::{About, Error, Result, StoreError, StoreFault};
use crate::terms::StoreKind;

/// The fault of a file that could not be read, written or the like, as `verb` says.
pub(crate) fn failed(store: StoreKind, verb: &str, path: &Path, error: IoError) -> Error {
    let message = format!("can't {verb} {}", path.display());
    let is_denied = error.kind() == ErrorKind::PermissionDenied;
    match obstacle(path).filter(|_| !is_denied) {
        Some((place, what)) => in_the_way(store, &message, &place, what),
        None => by_system(store, message, path, error),
    }
}

fn in_the_way(store: StoreKind, message: &str, place: &Path, what: &str) -> Error {
    let message = format!("{message}: {} {what}", place.display());
    let about = About::File(place.to_owned());
    StoreError::new(StoreFault::Failed, store, message).about(about).into()
}

fn by_system(store: StoreKind, message: String, path: &Path, error: IoError) -> Error {
    let (fault, about) = match error.kind() {
        ErrorKind::PermissionDenied => {
            (StoreFault::Denied, forbidding(path).map_or(About::Store, About::File))
        }
        ErrorKind::ReadOnlyFilesystem => (StoreFault::Denied, About::Store),
        _ => (StoreFault::Failed, About::Store),
    };
    StoreError::new(fault, store, message).about(about).because(error).into()
}

/// What is in a directory; nothing where there is none.
pub(crate) fn list(store: StoreKind, directory: &Path) -> Result<Vec<DirEntry>> {
    match fs::read_dir(directory).and_then(Iterator::collect) {
        Ok(files) => Ok(files),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        // As whoever looks for a file in there would find it.
        Err(error) => Err(failed(store, "list", &directory.join("*"), error)),
    }
}

/// The fault of a file that could not be read; what is no file of ours is broken.
pub(crate) fn unread(store: StoreKind, path: &Path, about: About, unread: Unread) -> Error {
    match unread {
        Unread::Foreign(what) => broken(store, path, about, what),
        Unread::Failed(error) => failed(store, "read", path, error),
    }
}

/// The fault of a file that is not as it was written.
pub(crate) fn broken(store: StoreKind, path: &Path, about: About, what: &str) -> Error {
    let message = format!("{} {what}", path.display());
    StoreError::new(StoreFault::Corrupt, store, message).about(about).into()
}

/// The fault of a file whose form this program doesn't know yet.
pub(crate) fn newer(store: StoreKind, path: &Path, about: About) -> Error {
    let message = format!("{} was written by a newer oauthctl", path.display());
    StoreError::new(StoreFault::Newer, store, message).about(about).into()
}
