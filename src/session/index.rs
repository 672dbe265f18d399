//! What is known of a slot without opening its store: where its token is, and nothing secret.
//!
//! One small file a slot, so that a look-up costs the same beside a thousand others. It is written
//! before the secret and outlives it, so that it remembers the store and the end of a session.
//!
//! | form | content of DATA/index/NAME.json |
//! | --- | --- |
//! | 1 | the line as JSON, `version` among its members |
//! | 2 | the same, and as its last member `check`: the beginning of the SHA-256 of all before it |
//!
//! Nothing seals it: without the check, a bit that has changed could log somebody out in silence.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::slot::{self, Slot};
use super::{about, form_of, read_file};
use crate::durable;
use crate::error::Result;
use crate::output::summary::Summary;
use crate::secret::Secret;
use crate::store::seal::Broken;
use crate::store::{EntryName, disk, line};
use crate::terms::StoreKind;
use crate::token::TokenSet;
use crate::wire::jwt;

/// The version of the line's form that is written.
const VERSION: u32 = 2;
const DIRECTORY: &str = "index";

/// The index's line on one entry of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
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
        Self { store, generation, tombstone, login: 0, token }
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
    let Some(bytes) = read_file(&path, name)? else { return Ok(None) };
    decode(&bytes).map(Some).map_err(|broken| match broken {
        Broken::Newer => disk::newer(StoreKind::File, &path, about(name)),
        _ => disk::broken(StoreKind::File, &path, about(name), "is damaged"),
    })
}

/// The line that the bytes of a file are.
pub(super) fn decode(bytes: &[u8]) -> Result<IndexEntry, Broken> {
    // A newer form need not be like ours in anything but its version.
    let is_whole = match form_of(bytes) {
        Some(1) => true,
        // An editor may have left a newline.
        Some(VERSION) => is_checked(bytes.trim_ascii_end()),
        Some(version) if version > VERSION => return Err(Broken::Newer),
        _ => false,
    };
    let entry = is_whole.then(|| serde_json::from_slice(bytes).ok()).flatten();
    entry.ok_or(Broken::Corrupt)
}

/// Writes an entry's line.
pub fn write(data_dir: &Path, name: &EntryName, entry: &IndexEntry) -> Result<()> {
    let path = path(data_dir, name);
    encode(entry)
        .and_then(|bytes| durable::replace(&path, &bytes))
        .map_err(|error| disk::failed(StoreKind::File, "write", &path, error))
}

/// The bytes of the file of a line.
pub(super) fn encode(entry: &IndexEntry) -> io::Result<Vec<u8>> {
    Ok(with_check(serde_json::to_vec(&Written { version: VERSION, entry })?))
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    entry: &'a IndexEntry,
}

/// An object with its check as one member more.
pub(super) fn with_check(mut json: Vec<u8>) -> Vec<u8> {
    json.pop();
    let check = check(&json);
    json.extend_from_slice(check.as_bytes());
    json
}

fn is_checked(json: &[u8]) -> bool {
    let (checked, end) = json.split_at(json.len().saturating_sub(check(b"").len()));
    check(checked).as_bytes() == end
}

/// The end of an object that begins with these bytes.
fn check(bytes: &[u8]) -> String {
    format!(",\"check\":\"{}\"}}", line::check(bytes))
}

/// Removes an entry's line.
pub fn remove(data_dir: &Path, name: &EntryName) -> Result<()> {
    super::remove_file(&path(data_dir, name))
}

/// Moves a broken line out of the way, and tells where it is now; the caller holds the entry's lock.
pub fn set_aside(data_dir: &Path, name: &EntryName) -> Result<PathBuf> {
    super::set_aside(&path(data_dir, name))
}

/// The names of all entries, sorted.
pub fn names(data_dir: &Path) -> Result<Vec<EntryName>> {
    let files = disk::list(StoreKind::File, &data_dir.join(DIRECTORY))?;
    let name = |file: std::ffi::OsString| EntryName::parse(file.to_str()?.strip_suffix(".json")?);
    let mut names: Vec<_> = files.iter().filter_map(|file| name(file.file_name())).collect();
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    Ok(names)
}

/// The slots among all entries, sorted by their names.
pub fn slots(data_dir: &Path) -> Result<Vec<Slot>> {
    Ok(names(data_dir)?.iter().filter_map(Slot::from_name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, StoreFault};
    use crate::terms::GrantType;
    use crate::token::Life;

    /// A line with all that a line can have.
    fn full() -> IndexEntry {
        let summary = Summary {
            grant_type: GrantType::Password,
            token_type: Some("Bearer".into()),
            scope: vec!["read".into(), "write".into()],
            life: Life { obtained_at: 1_750_000_000, expires_at: Some(4_102_444_800) },
            has_refresh_token: true,
            subject: Some("alice".into()),
        };
        IndexEntry {
            store: StoreKind::File,
            generation: 7,
            tombstone: 3,
            login: 5,
            token: Some(IndexToken { provider: Some("bindeo".into()), summary }),
        }
    }

    fn read_of(bytes: &[u8]) -> Result<Option<IndexEntry>> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(DIRECTORY)).unwrap();
        let name = EntryName::new("work", "user");
        std::fs::write(path(home.path(), &name), bytes).unwrap();
        read(home.path(), &name)
    }

    const GOLDEN: &[u8] = include_bytes!("../../tests/golden/index-2.json");

    #[test]
    fn every_form_is_read_and_the_newest_is_written() {
        let home = tempfile::tempdir().unwrap();
        let name = EntryName::new("work", "user");
        write(home.path(), &name, &full()).unwrap();
        assert_eq!(std::fs::read(path(home.path(), &name)).unwrap(), GOLDEN);
        for form in [&include_bytes!("../../tests/golden/index-1.json")[..], GOLDEN] {
            assert_eq!(read_of(form).unwrap(), Some(full()));
        }
    }

    #[test]
    fn no_byte_can_be_changed_and_none_cut() {
        for at in 0..GOLDEN.len() {
            let mut flipped = GOLDEN.to_vec();
            flipped[at] ^= 1;
            let version_told = flipped.starts_with(b"{\"version\":3,");
            match (read_of(&flipped), read_of(&GOLDEN[..at])) {
                (Err(Error::Store(flipped)), Err(Error::Store(cut))) => {
                    assert_eq!(flipped.fault == StoreFault::Newer, version_told, "{at}");
                    assert_eq!(cut.fault, StoreFault::Corrupt, "{at}");
                }
                other => panic!("{at}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_newer_form_is_told_whatever_else_is_there() {
        match read_of(b"{\"sessions\":[],\"version\":3}") {
            Err(Error::Store(error)) => assert_eq!(error.fault, StoreFault::Newer),
            other => panic!("{other:?}"),
        }
    }
}
