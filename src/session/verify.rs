//! Reads every entry of the index from its store, and tells which can't be used.
//!
//! Reading takes no lock. What looks wrong is looked at again under the entry's lock, so that nobody
//! who is at work is taken for a fault. No entry and no line is changed.

use std::path::PathBuf;

use super::index::{self, IndexEntry};
use super::inventory::Remembered;
use super::journal::{self, Found};
use super::record::Record;
use super::secrets;
use super::slot::Slot;
use super::vault::{Vault, missing};
use super::{about, kept};
use crate::error::{Error, Result, StoreError, StoreFault};
use crate::secret::Secret;
use crate::store::EntryName;
use crate::terms::StoreKind;

/// What was looked at, and what is to be said of it.
#[derive(Debug)]
pub struct Finding {
    /// The store; none where that is unknown.
    pub store: Option<StoreKind>,
    /// The entry; none where it is about a whole store, or about a file of no entry.
    pub name: Option<EntryName>,
    /// How it stands.
    pub verdict: Verdict,
}

/// How an entry stands.
#[derive(Debug)]
pub enum Verdict {
    /// It can be read.
    Sound,
    /// There is nothing to be read, and rightly so.
    Empty,
    /// The index's line on it can't be read.
    Line(Error),
    /// What the store has of it can't be used, or has gone.
    Broken(Error),
    /// The store does not answer, and so many entries were not read.
    Unread(usize, Error),
    /// The store can't tell what else it has.
    Unlisted(Error),
    /// It is of no use to anybody.
    LeftOver(Leftover),
}

/// What is left over.
#[derive(Debug)]
pub enum Leftover {
    /// An entry that no line of the index leads to.
    Entry,
    /// An entry that this other store has by the index.
    Copy(StoreKind),
    /// An entry that was logged out.
    Forgotten,
    /// A journal without the record that has its key.
    Journal(PathBuf),
    /// A file that was to replace another one.
    Temporary(PathBuf),
}

/// Every entry that is remembered.
#[must_use]
pub fn entries(vault: &Vault<'_>, remembered: &Remembered) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, _) in &remembered.unreadable {
        findings.extend(entry(vault, name).unwrap_or_else(|error| {
            let (name, verdict) = (Some(name.clone()), Verdict::Broken(error));
            Some(Finding { store: None, name, verdict })
        }));
    }
    for (&store, names) in &remembered.stores {
        for (at, name) in names.iter().enumerate() {
            match entry(vault, name) {
                Ok(finding) => findings.extend(finding),
                // Each of the others would only wait for it, too.
                Err(error) => {
                    let verdict = Verdict::Unread(names.len() - at, error);
                    findings.push(Finding { store: Some(store), name: None, verdict });
                    break;
                }
            }
        }
    }
    findings
}

/// One entry; none where its line has gone. A store that does not answer is an error.
fn entry(vault: &Vault<'_>, name: &EntryName) -> Result<Option<Finding>> {
    let finding = look(vault, name)?;
    let wrong = |finding: &Finding| !matches!(finding.verdict, Verdict::Sound | Verdict::Empty);
    if !finding.as_ref().is_some_and(wrong) {
        return Ok(finding);
    }
    let lock = vault.lock(name);
    let store = finding.and_then(|finding| finding.store);
    match lock {
        Err(error @ Error::Busy(_)) => {
            let (name, verdict) = (Some(name.clone()), Verdict::Broken(error));
            Ok(Some(Finding { store, name, verdict }))
        }
        // Where there can be no lock, nobody is at work.
        _held => look(vault, name),
    }
}

fn look(vault: &Vault<'_>, name: &EntryName) -> Result<Option<Finding>> {
    let (store, verdict) = match index::read(vault.data_dir(), name) {
        Ok(None) => return Ok(None),
        Err(error) => (None, Verdict::Line(error)),
        Ok(Some(line)) => {
            let verdict = match vault.get(line.store, name) {
                Ok(Some(bytes)) => {
                    readable(vault, name, &line, &bytes).unwrap_or_else(Verdict::Broken)
                }
                Ok(None) if is_awaited(name, &line) => Verdict::Broken(missing(line.store, name)),
                Ok(None) => Verdict::Empty,
                // One that isn't set up right answers no other entry either.
                Err(error) if error.is_of_the_store() || matches!(error, Error::Config(_)) => {
                    return Err(error);
                }
                Err(error) => Verdict::Broken(error),
            };
            (Some(line.store), verdict)
        }
    };
    Ok(Some(Finding { store, name: Some(name.clone()), verdict }))
}

/// Whether the index tells that there is something.
fn is_awaited(name: &EntryName, line: &IndexEntry) -> bool {
    line.token.is_some() || secrets::is_client_secret(name)
}

/// What is to be said of an entry whose bytes were read.
fn readable(
    vault: &Vault<'_>,
    name: &EntryName,
    line: &IndexEntry,
    bytes: &Secret<Vec<u8>>,
) -> Result<Verdict> {
    let Some(slot) = Slot::from_name(name) else {
        if secrets::is_client_secret(name) {
            let secret = kept::decode(bytes, line.store, name)?;
            secrets::check(&secret).map_err(|what| {
                let message = format!("the entry {} {what}", name.as_str());
                StoreError::new(StoreFault::Corrupt, line.store, message).about(about(name))
            })?;
        }
        return Ok(Verdict::Sound);
    };
    let record = Record::from_bytes(bytes, line.store, name.as_str())?;
    // One that can't be read is in the way of every renewal; one that is broken may be missed.
    let journal = slot.file(vault.data_dir(), "journals", "journal");
    let journal = match journal::read(&journal, name, &record.journal_key)? {
        Found::Broken(error) => return Err(error),
        journal => journal,
    };
    if record.tokens.is_some() {
        let forgotten = record.generation <= line.tombstone;
        return Ok(if forgotten { Verdict::LeftOver(Leftover::Forgotten) } else { Verdict::Sound });
    }
    match journal {
        // The next command puts it in place.
        Found::Answered(_) => Ok(Verdict::Sound),
        _ if line.token.is_some() => Err(missing(line.store, name)),
        _ => Ok(Verdict::Empty),
    }
}
