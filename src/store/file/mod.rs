//! The file store: each entry a sealed file of its own in DATA/tokens, for machines without a keychain.
//!
//! What it protects: entries without their key are of no use, and none can be altered, cut or put in
//! another's place unnoticed. With the key in `OAUTHCTL_FILE_KEY` and nowhere on disk, that holds for
//! backups, synced folders and lost disks as well.
//!
//! What it does not: by default the key lies beside the entries, in DATA/key, and whoever can read
//! the one can read the others: every program of this user, the administrator, a backup of all of DATA.
//! Against those there are the modes of the files, and nothing else. An old entry that somebody puts
//! back opens as well as it ever did, and the blocks of a deleted one may linger on the disk.
//!
//! A disk that hangs, such as that of a file server which is gone, holds a call up: a thread to give
//! up on would cost more than the read itself.

mod key;

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::disk::{self, failed};
use super::seal::{self, Broken, Key};
use super::{EntryName, Place, Store, fault};
use crate::durable::{self, Links};
use crate::error::{About, Error, Result, StoreError, StoreFault};
use crate::secret::Secret;
use crate::terms::StoreKind;

/// The longest entry, sealed: far above any token, far below what would fill a memory.
const LIMIT: usize = 4 << 20;

/// Entries as encrypted files.
///
/// Reading takes no lock and makes nothing. Whoever writes an entry holds a lock on it: the file that
/// [`FileStore::reserve`] fills and [`FileStore::set`] moves into place has one name for each entry.
#[derive(Debug)]
pub struct FileStore {
    /// DATA/tokens.
    directory: PathBuf,
    /// DATA/key.
    key_file: PathBuf,
    /// Whether the key is the environment's.
    key_is_given: bool,
    key: OnceLock<Key>,
}

impl FileStore {
    /// Opens the store; the key of the environment is checked, nothing else is touched.
    pub fn open(place: &Place) -> Result<Self> {
        let key = place.file_key.as_ref().map(key::from_base64).transpose()?;
        Ok(Self {
            directory: place.data_dir.join("tokens"),
            key_file: place.data_dir.join("key"),
            key_is_given: key.is_some(),
            key: key.map(OnceLock::from).unwrap_or_default(),
        })
    }

    fn key(&self) -> Result<Option<&Key>> {
        if self.key.get().is_none()
            && let Some(key) = key::read(&self.key_file)?
        {
            return Ok(Some(self.key.get_or_init(|| key)));
        }
        Ok(self.key.get())
    }

    /// The key, made where there is nothing yet that another one would have sealed.
    fn key_or_create(&self) -> Result<&Key> {
        if self.key()?.is_none() {
            // Whoever made an entry had made the key before: looked for in this order, it is found.
            let is_used = !self.names()?.is_empty();
            if self.key()?.is_none() {
                if is_used {
                    let kept = format!("no new key is made beside {}", self.directory.display());
                    return Err(self.lost_key(&kept));
                }
                let key = key::create(&self.key_file)?;
                return Ok(self.key.get_or_init(|| key));
            }
        }
        Ok(self.key.get().expect("it was there a line ago"))
    }

    /// The key is gone, and what it sealed is still there: `what` says what comes of it.
    fn lost_key(&self, what: &str) -> Error {
        let message = format!("{what}: its key {} is gone", self.key_file.display());
        let about = About::File(self.directory.clone());
        StoreError::new(StoreFault::WrongKey, StoreKind::File, message).about(about).into()
    }

    fn path(&self, name: &EntryName) -> Result<PathBuf> {
        let name = name.as_str();
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@._-".contains(&byte)) {
            return Ok(self.directory.join(name));
        }
        let message = format!("{name:?} can't be the name of a file");
        Err(fault(StoreKind::File, StoreFault::Failed, message, None))
    }

    fn unopened(&self, path: &Path, name: &EntryName, why: Broken) -> Error {
        let about = about(name);
        match why {
            Broken::Corrupt => disk::broken(StoreKind::File, path, about, "is damaged"),
            Broken::Newer => disk::newer(StoreKind::File, path, about),
            Broken::WrongKey => {
                let key: &dyn std::fmt::Display =
                    if self.key_is_given { &"OAUTHCTL_FILE_KEY" } else { &self.key_file.display() };
                let message = format!("{} was sealed with another key than {key}", path.display());
                StoreError::new(StoreFault::WrongKey, StoreKind::File, message).about(about).into()
            }
        }
    }
}

impl Store for FileStore {
    fn kind(&self) -> StoreKind {
        StoreKind::File
    }

    fn get(&self, name: &EntryName) -> Result<Option<Secret<Vec<u8>>>> {
        let path = self.path(name)?;
        let sealed = match durable::read(&path, LIMIT, Links::Refused) {
            Ok(Some(content)) => content.bytes,
            Ok(None) => return Ok(None),
            Err(why) => return Err(disk::unread(StoreKind::File, &path, about(name), why)),
        };
        let Some(key) = self.key()? else {
            return Err(self.lost_key(&format!("{} can't be opened", path.display())));
        };
        seal::open(key, name.as_str().as_bytes(), sealed)
            .map(Some)
            .map_err(|why| self.unopened(&path, name, why))
    }

    /// Fills the very file that the next [`Store::set`] writes over.
    fn reserve(&self, name: &EntryName, len: usize) -> Result<()> {
        self.key_or_create()?;
        let aside = aside(&self.path(name)?);
        attempt(&aside, "reserve room in", || {
            durable::create_dir(&self.directory)?;
            let mut file = durable::open_private(&aside)?;
            durable::allocate(&mut file, bounded(len)?)?;
            file.sync_all()
        })
        .inspect_err(|_| discard(&aside))
    }

    fn set(&self, name: &EntryName, value: &Secret<Vec<u8>>) -> Result<()> {
        let key = self.key_or_create()?;
        let path = self.path(name)?;
        let aside = aside(&path);
        attempt(&aside, "write", || {
            let len = bounded(value.expose().len())?;
            let sealed = seal::seal(key, name.as_str().as_bytes(), value.expose())?;
            durable::create_dir(&self.directory)?;
            let mut file = durable::open_private(&aside)?;
            file.write_all(&sealed)?;
            file.set_len(len)?;
            file.sync_all()
        })
        // Windows moves no open file.
        .and_then(|()| {
            attempt(&path, "write", || {
                fs::rename(&aside, &path)?;
                durable::sync_parent(&path)
            })
        })
        .inspect_err(|_| discard(&aside))
    }

    fn delete(&self, name: &EntryName) -> Result<()> {
        let path = self.path(name)?;
        for path in [aside(&path), path] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                result => attempt(&path, "remove", || {
                    result?;
                    durable::sync_parent(&path)
                })?,
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<EntryName>> {
        let files = disk::list(StoreKind::File, &self.directory)?;
        // What is aside, or was set aside, is no entry.
        let name = |file: fs::DirEntry| file.file_name().into_string().ok();
        let names = files.into_iter().filter_map(name).filter(|name| !name.contains('~'));
        Ok(names.filter_map(|name| EntryName::parse(&name)).collect())
    }

    fn set_aside(&self, name: &EntryName) -> Result<Option<PathBuf>> {
        let path = self.path(name)?;
        attempt(&path, "set aside", || durable::set_aside(&path)).map(Some)
    }
}

/// A fault of one entry.
fn about(name: &EntryName) -> About {
    About::Entry(name.as_str().to_owned())
}

/// Where an entry is written before it is moved into its place; `~` is in no entry's name.
fn aside(path: &Path) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push("~new");
    aside.into()
}

/// Removes what could not be finished; what was never ours stays.
fn discard(aside: &Path) {
    if durable::obstacle(aside).is_none() {
        let _ = fs::remove_file(aside);
    }
}

/// How long a value is when it is sealed, if that can be read again.
fn bounded(len: usize) -> io::Result<u64> {
    match len.checked_add(seal::OVERHEAD) {
        Some(sealed) if sealed <= LIMIT => Ok(sealed as u64),
        _ => Err(io::Error::new(ErrorKind::FileTooLarge, "it is too long for an entry")),
    }
}

fn attempt<T>(path: &Path, verb: &str, work: impl FnOnce() -> io::Result<T>) -> Result<T> {
    work().map_err(|error| failed(StoreKind::File, verb, path, error))
}
