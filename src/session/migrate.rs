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
use crate::secret::Secret;
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
#[derive(Debug, Default)]
pub struct Moved {
    /// Whether it is in the new store now, and was not before.
    pub moved: bool,
    /// Why the old store still has a copy, which nobody reads any more.
    pub old_copy: Option<Error>,
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
            return Ok(Moved::default());
        };
        if entry.store == self.to {
            return self.finish(name, &entry);
        }
        if entry.store != self.from {
            return Ok(Moved::default());
        }
        let journal = match (session, &slot) {
            (Some(session), Some(slot)) => session.recover(slot)?.journal,
            _ => Journaled::Nothing,
        };
        // RECOVER may have written a newer line.
        let Some(mut entry) = index::read(self.vault.data_dir(), name)? else {
            return Ok(Moved::default());
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
        if forgotten || self.read(self.to, name)?.is_some() {
            return Ok(self.erase(name, false));
        }
        let moved = self.copy(name, entry.generation)?;
        Ok(self.erase(name, moved))
    }

    /// An entry's bytes and its generation; what can't be used is an error.
    fn read(&self, store: StoreKind, name: &EntryName) -> Result<Option<(Secret<Vec<u8>>, u64)>> {
        let Some(bytes) = self.vault.open(store)?.get(name)? else { return Ok(None) };
        let generation = match Slot::from_name(name) {
            Some(_) => Record::from_bytes(&bytes, store, name.as_str())?.generation,
            None => u64::MAX,
        };
        Ok(Some((bytes, generation)))
    }

    /// Copies an entry byte for byte, and reads it back; tells whether there was one.
    fn copy(&self, name: &EntryName, oldest: u64) -> Result<bool> {
        let Some((bytes, generation)) = self.read(self.from, name)? else { return Ok(false) };
        if generation < oldest {
            return Err(missing(self.to, name));
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
        Err(StoreError::new(fault, store, message).into())
    }

    fn erase(&self, name: &EntryName, moved: bool) -> Moved {
        let erased = self.vault.open(self.from).and_then(|store| store.delete(name));
        Moved { moved, old_copy: erased.err() }
    }
}
