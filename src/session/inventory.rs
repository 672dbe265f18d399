//! What each store has for this DATA directory, as the store and as the index tell it.
//!
//! No secret is read, nobody is asked, nothing is made.

use std::collections::BTreeMap;
use std::path::Path;

use super::index;
use crate::error::{Error, Result};
use crate::store::keychain::KeychainStore;
use crate::store::{self, EntryName, Place};
use crate::terms::StoreKind;

/// The stores that keep something.
pub const STORES: [StoreKind; 4] =
    [StoreKind::Keychain, StoreKind::Kernel, StoreKind::File, StoreKind::Command];

/// What is remembered: for each store the entries that the index leads to.
#[derive(Debug, Default)]
pub struct Remembered {
    /// The entries by their stores, sorted.
    pub stores: BTreeMap<StoreKind, Vec<EntryName>>,
    /// The entries whose line can't be read.
    pub unreadable: Vec<(EntryName, Error)>,
}

impl Remembered {
    /// Reads the index, or what it has of one profile.
    pub fn read(data_dir: &Path, only: Option<&str>) -> Result<Self> {
        let mut remembered = Self::default();
        for name in index::names(data_dir)? {
            if only.is_some_and(|only| only != name.profile()) {
                continue;
            }
            match index::read(data_dir, &name) {
                Ok(Some(entry)) => {
                    remembered.stores.entry(entry.store).or_default().push(name);
                }
                Ok(None) => {}
                Err(error) => remembered.unreadable.push((name, error)),
            }
        }
        Ok(remembered)
    }
}

/// The entries that a store has, or why it can't be asked now.
pub fn names(kind: StoreKind, place: &Place) -> Result<Vec<EntryName>> {
    let place = Place { person: None, ..place.clone() };
    if kind == StoreKind::Keychain {
        // Where it never had anything, it would not even be asked.
        KeychainStore::probe(&place)?;
    }
    store::open(kind, &place)?.names()
}

/// Where a store is, for a person to look there.
#[must_use]
pub fn location(kind: StoreKind, place: &Place) -> String {
    match kind {
        StoreKind::Keychain if cfg!(windows) => "Credential Manager, names oauthctl:…".to_owned(),
        StoreKind::Keychain if cfg!(target_os = "macos") => {
            "the login keychain, service oauthctl".to_owned()
        }
        StoreKind::Keychain => "Secret Service, service oauthctl".to_owned(),
        StoreKind::Kernel => "memory of the kernel, until the machine stops".to_owned(),
        StoreKind::File => place.data_dir.join("tokens").display().to_string(),
        StoreKind::Command => {
            let program = place.helper.as_ref().and_then(|helper| helper.words.first());
            program.cloned().unwrap_or_default()
        }
        StoreKind::None => String::new(),
    }
}
