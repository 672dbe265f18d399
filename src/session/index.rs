//! What is known of a slot without opening its store: where its token is, and nothing secret.
//!
//! One small file a slot, so that a look-up costs the same beside a thousand others. It is written
//! before the secret and outlives it, so that it remembers the store and the end of a session.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fault;
use super::slot::{self, Slot};
use crate::durable;
use crate::error::{Error, Result, StoreError, StoreFault};
use crate::output::summary::Summary;
use crate::secret::Secret;
use crate::store::EntryName;
use crate::terms::StoreKind;
use crate::token::TokenSet;
use crate::wire::jwt;

const VERSION: u32 = 1;
const DIRECTORY: &str = "index";

/// The index's line on one entry of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
    version: u32,
    /// The store that holds it.
    pub store: StoreKind,
    /// The generation that was last written, or was about to be.
    pub generation: u64,
    /// Whatever is no newer than this was logged out.
    #[serde(default)]
    pub tombstone: u64,
    /// The generation that the last login made.
    #[serde(default)]
    pub login: u64,
    /// What `show` tells of the token; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<IndexToken>,
}

/// What `show` tells of a token; nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexToken {
    /// The preset in use when it was obtained.
    pub provider: Option<String>,
    /// The token itself.
    pub summary: Summary,
}

impl IndexToken {
    /// What may be known of a token set.
    #[must_use]
    pub fn of(tokens: &TokenSet, provider: Option<&str>) -> Self {
        let claims = |token: &Secret| jwt::claims(token.expose());
        let id_token_claims = tokens.id_token.as_ref().and_then(claims);
        let summary =
            Summary::new(tokens, id_token_claims.as_ref(), claims(&tokens.access_token).as_ref());
        Self { provider: provider.map(str::to_owned), summary }
    }
}

impl IndexEntry {
    /// A line on an entry that is about to be written.
    #[must_use]
    pub const fn new(
        store: StoreKind,
        generation: u64,
        tombstone: u64,
        token: Option<IndexToken>,
    ) -> Self {
        Self { version: VERSION, store, generation, tombstone, login: 0, token }
    }
}

/// The file of an entry's line.
#[must_use]
pub fn path(data_dir: &Path, name: &EntryName) -> PathBuf {
    slot::file(data_dir, DIRECTORY, name, "json")
}

/// Looks an entry up; `None` where nothing was ever stored.
pub fn read(data_dir: &Path, name: &EntryName) -> Result<Option<IndexEntry>> {
    let path = path(data_dir, name);
    let bytes = super::read_file(&path)
        .map_err(|error| fault(format!("can't read {}", path.display()), error))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let unfit = |fault, what: &str| {
        let message = format!("{} {what}", path.display());
        Error::from(StoreError { fault, store: StoreKind::File, message, source: None })
    };
    let entry: IndexEntry = serde_json::from_slice(&bytes)
        .map_err(|_| unfit(StoreFault::Corrupt, "is damaged; move it away and log in again"))?;
    if entry.version > VERSION {
        return Err(unfit(StoreFault::Newer, "was written by a newer oauthctl"));
    }
    Ok(Some(entry))
}

/// Writes an entry's line.
pub fn write(data_dir: &Path, name: &EntryName, entry: &IndexEntry) -> Result<()> {
    let path = path(data_dir, name);
    let bytes = serde_json::to_vec(entry).map_err(std::io::Error::other);
    bytes
        .and_then(|bytes| durable::replace(&path, &bytes))
        .map_err(|error| fault(format!("can't write {}", path.display()), error))
}

/// Removes an entry's line.
pub fn remove(data_dir: &Path, name: &EntryName) -> Result<()> {
    let path = path(data_dir, name);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(fault(format!("can't remove {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

/// The names of all entries, sorted.
pub fn names(data_dir: &Path) -> Result<Vec<EntryName>> {
    let directory = data_dir.join(DIRECTORY);
    let files = match std::fs::read_dir(&directory) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault(format!("can't list {}", directory.display()), error)),
    };
    let name = |file: std::ffi::OsString| EntryName::parse(file.to_str()?.strip_suffix(".json")?);
    let mut names: Vec<_> = files.flatten().filter_map(|file| name(file.file_name())).collect();
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    Ok(names)
}

/// The slots among all entries, sorted by their names.
pub fn slots(data_dir: &Path) -> Result<Vec<Slot>> {
    Ok(names(data_dir)?.iter().filter_map(Slot::from_name).collect())
}
