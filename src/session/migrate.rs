//! Moves entries from one store to another; interrupted anywhere, it loses nothing and can be run again.
//!
//! LOCK → RECOVER → copy → read back → index → erase. Until the index names the new store, the old
//! one has the entry; from then on the new one has. A journal stays where it is: its key is in the
//! record, and moves along.

use super::Session;
use super::index::{self, IndexEntry};
use super::record::Record;
use super::recover::Journaled;
use super::slot::Slot;
use super::vault::{Vault, missing};
use crate::error::{Error, Result, StoreError, StoreFault};
use crate::store::EntryName;
use crate::terms::StoreKind;

/// A move of entries between two stores.
pub struct Migration<'a> {
    /// The stores, none of which was named.
    pub vault: &'a Vault<'a>,
    /// The store that has them.
    pub from: StoreKind,
    /// The store that is to have them.
    pub to: StoreKind,
}

/// What became of an entry.
#[derive(Debug)]
pub enum Moved {
    /// There was nothing to move: another store has it, or it is empty.
    Nothing,
    /// It is in the new store, and in no other.
    Whole,
    /// It is in the new store, but what the old one has could not be erased.
    ButOld(Error),
}

impl Migration<'_> {
    /// Whether both stores answer, so that it makes sense to begin.
    pub fn can_begin(&self) -> Result<()> {
        self.vault.reach(self.from)?;
        self.vault.reach(self.to)
    }

    /// Moves one entry. `session` is that of its profile; where the profile can't be read, so can no
    /// answer in the journal, which then waits there.
    pub fn entry(&self, name: &EntryName, session: Option<&Session<'_>>) -> Result<Moved> {
        let _lock = self.vault.lock(name)?;
        let slot = Slot::from_name(name);
        let Some(entry) = index::read(self.vault.data_dir(), name)? else {
            return Ok(Moved::Nothing);
        };
        if entry.store == self.to {
            return self.finish(name, &entry);
        }
        if entry.store != self.from {
            return Ok(Moved::Nothing);
        }
        let journal = match (session, &slot) {
            (Some(session), Some(slot)) => session.recover(slot)?.journal,
            _ => Journaled::Nothing,
        };
        // RECOVER may have written a newer line.
        let Some(mut entry) = index::read(self.vault.data_dir(), name)? else {
            return Ok(Moved::Nothing);
        };
        let moved = self.copy(name, 0)?;
        if !moved && entry.token.is_some() {
            return Err(missing(self.from, name));
        }
        entry.store = self.to;
        index::write(self.vault.data_dir(), name, &entry)?;
        if let (Journaled::Pending(_), Some(session), Some(slot)) = (journal, session, &slot) {
            // What the old store won't take, the new one perhaps does; else the journal keeps it.
            let _ = session.recover(slot);
        }
        Ok(self.erase(name, moved))
    }

    /// An earlier run may have been interrupted before it erased.
    ///
    /// Where the new store has lost the entry since then, as a kernel does when the machine stops, the
    /// old one has its only copy; but what is older than the index belongs to a session that ended.
    fn finish(&self, name: &EntryName, entry: &IndexEntry) -> Result<Moved> {
        let forgotten = entry.generation <= entry.tombstone;
        if forgotten || self.vault.open(self.to)?.get(name)?.is_some() {
            self.vault.open(self.from)?.delete(name)?;
            return Ok(Moved::Nothing);
        }
        let moved = self.copy(name, entry.generation)?;
        Ok(if moved { self.erase(name, moved) } else { Moved::Nothing })
    }

    /// Copies an entry byte for byte, and reads it back; tells whether there was one.
    fn copy(&self, name: &EntryName, oldest: u64) -> Result<bool> {
        let Some(bytes) = self.vault.open(self.from)?.get(name)? else { return Ok(false) };
        if Slot::from_name(name).is_some() {
            let record = Record::from_bytes(&bytes, self.from, name.as_str())?;
            if record.generation < oldest {
                return Err(missing(self.to, name));
            }
        }
        let target = self.vault.open(self.to)?;
        target.set(name, &bytes)?;
        if target.get(name)?.as_ref() == Some(&bytes) {
            return Ok(true);
        }
        let (store, fault) = (self.to, StoreFault::Failed);
        let message = format!(
            "the {store} store gave back another entry {} than it was given",
            name.as_str()
        );
        Err(StoreError { fault, store, message, source: None }.into())
    }

    fn erase(&self, name: &EntryName, moved: bool) -> Moved {
        match self.vault.open(self.from).and_then(|store| store.delete(name)) {
            Ok(()) if moved => Moved::Whole,
            Ok(()) => Moved::Nothing,
            Err(error) => Moved::ButOld(error),
        }
    }
}
