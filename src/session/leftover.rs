//! What is there although nothing leads to it: what a crash, a move or a lost index left over.
//!
//! Whoever is at work has such things too, but also a lock: what is locked is not left over.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::index;
use super::inventory::{self, Remembered};
use super::lock::{Attempt, Lock};
use super::slot;
use super::vault::Vault;
use super::verify::{Finding, Leftover, Verdict};
use crate::store::EntryName;
use crate::terms::StoreKind;

/// The least age of a temporary file that nobody is writing any more: that takes milliseconds.
const OLD: Duration = Duration::from_secs(60);

/// Where to look, and for what.
pub struct Search<'a> {
    /// The stores.
    pub vault: &'a Vault<'a>,
    /// What the index leads to.
    pub remembered: &'a Remembered,
    /// The one profile that is looked at.
    pub only: Option<&'a str>,
    /// The stores that did not answer before: they are not asked again.
    pub silent: &'a [StoreKind],
    /// The time.
    pub now: SystemTime,
}

impl Search<'_> {
    /// Everything that is left over.
    #[must_use]
    pub fn run(&self) -> Vec<Finding> {
        let stores = inventory::STORES.iter().filter(|store| !self.silent.contains(store));
        let mut findings: Vec<_> = stores.flat_map(|&store| self.entries(store)).collect();
        findings.extend(self.journals());
        findings.extend(self.set_aside());
        if self.only.is_none() {
            findings.extend(self.temporary());
        }
        findings
    }

    fn concerns(&self, name: &EntryName) -> bool {
        self.only.is_none_or(|only| only == name.profile())
    }

    /// The entries of a store that the index doesn't lead to.
    fn entries(&self, store: StoreKind) -> Vec<Finding> {
        let remembered = self.remembered.stores.get(&store);
        let names = match self.vault.names(store) {
            Ok(names) => names,
            // A store that can't be used here, and never was.
            Err(_) if remembered.is_none() => return Vec::new(),
            Err(error) => {
                let verdict = Verdict::Unlisted(error);
                return vec![Finding { store: Some(store), name: None, verdict }];
            }
        };
        let known = |name: &EntryName| remembered.is_some_and(|names| names.contains(name));
        let mut strangers: Vec<_> =
            names.into_iter().filter(|name| self.concerns(name) && !known(name)).collect();
        strangers.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        let found = |name| Some(finding(store, self.stranger(store, &name)?, name));
        strangers.into_iter().filter_map(found).collect()
    }

    /// What an entry is that the index did not lead to a moment ago.
    fn stranger(&self, store: StoreKind, name: &EntryName) -> Option<Leftover> {
        // A login into another store has one there, while a person types.
        let login = slot::file(self.vault.data_dir(), "locks", name, "login");
        let login = login.exists().then(|| Lock::acquire(&login, Duration::ZERO));
        if matches!(login, Some(Ok(Attempt::Busy(_)))) {
            return None;
        }
        self.at_rest(name, || {
            let leftover = match index::read(self.vault.data_dir(), name) {
                Ok(Some(line)) if line.store == store => return None,
                Ok(Some(line)) => Leftover::Copy(line.store),
                Ok(None) => Leftover::Entry,
                // Where it should be, nobody knows.
                Err(_) => return None,
            };
            let gone = matches!(self.vault.open(store).and_then(|s| s.get(name)), Ok(None));
            (!gone).then_some(leftover)
        })
    }

    /// The journals that nothing can open.
    fn journals(&self) -> Vec<Finding> {
        let is_lost = |name: &EntryName| match index::read(self.vault.data_dir(), name) {
            Ok(None) => true,
            Ok(Some(line)) if self.silent.contains(&line.store) => false,
            Ok(Some(line)) => {
                let record = self.vault.open(line.store).and_then(|store| store.get(name));
                matches!(record, Ok(None))
            }
            Err(_) => false,
        };
        self.files("journals", ".journal", |name, path| {
            is_lost(name).then_some(Leftover::Journal(path))
        })
    }

    /// What the file store wrote aside, or reserved, and did not move into its place.
    fn set_aside(&self) -> Vec<Finding> {
        self.files("tokens", "~new", |_, path| Some(Leftover::Temporary(path)))
    }

    /// The files of entries in a directory that are there while nobody is at work on the entry.
    fn files(
        &self,
        directory: &str,
        ending: &str,
        what: impl Fn(&EntryName, PathBuf) -> Option<Leftover>,
    ) -> Vec<Finding> {
        let found = |path: PathBuf| {
            let name = EntryName::parse(path.file_name()?.to_str()?.strip_suffix(ending)?)?;
            if !self.concerns(&name) {
                return None;
            }
            let what = || path.exists().then(|| what(&name, path.clone())).flatten();
            Some(finding(StoreKind::File, self.at_rest(&name, what)?, name))
        };
        listed(&self.vault.data_dir().join(directory)).into_iter().filter_map(found).collect()
    }

    /// What was written to replace a file, and was not moved into its place.
    fn temporary(&self) -> Vec<Finding> {
        let is_old = |path: &Path| {
            let written = fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).ok();
            let age = written.and_then(|written| self.now.duration_since(written).ok());
            age.is_some_and(|age| age >= OLD)
        };
        let is_temporary = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_new = path.extension().is_some_and(|ending| ending == "new");
            name.starts_with('.') && is_new && is_old(path)
        };
        let data = self.vault.data_dir();
        let files = ["", "index", "tokens"].map(|directory| listed(&data.join(directory)));
        files
            .into_iter()
            .flatten()
            .filter(is_temporary)
            .map(|path| {
                let verdict = Verdict::LeftOver(Leftover::Temporary(path));
                Finding { store: None, name: None, verdict }
            })
            .collect()
    }

    /// Looks while nobody else is at work on the entry; where somebody is, there is nothing to be seen.
    fn at_rest<T>(&self, name: &EntryName, look: impl FnOnce() -> Option<T>) -> Option<T> {
        let path = slot::file(self.vault.data_dir(), "locks", name, "lock");
        match Lock::acquire(&path, Duration::ZERO) {
            Ok(Attempt::Busy(_)) => None,
            // Where there can be no lock, nobody is at work.
            _held => look(),
        }
    }
}

fn finding(store: StoreKind, leftover: Leftover, name: EntryName) -> Finding {
    Finding { store: Some(store), name: Some(name), verdict: Verdict::LeftOver(leftover) }
}

/// The files of a directory, sorted; none where there is no directory.
fn listed(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    paths.sort();
    paths
}
