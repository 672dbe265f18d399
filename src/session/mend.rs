//! What is broken is set aside by who is to replace it, and under the lock: never by a read.

use super::slot::Slot;
use super::{Held, Session, Want, is_broken};
use crate::error::Result;
use crate::terms::Identity;

impl Session<'_> {
    /// READ, by who may set aside what is broken: a machine's token that is fetched anew for its own
    /// sake needs nothing of the one that was there.
    pub(super) fn read_or_mend(&self, slot: &Slot, want: Want<'_>) -> Result<Option<Held>> {
        match self.read(slot) {
            Err(error)
                if is_broken(&error) && slot.identity == Identity::Client && !want.fallback =>
            {
                let _lock = self.lock_or_fail(slot)?;
                self.mend(slot)
            }
            read => read,
        }
    }

    fn mend(&self, slot: &Slot) -> Result<Option<Held>> {
        let name = slot.name();
        let (store, tombstone) = match self.vault.sound_line(&name)? {
            Some(entry) => (self.vault.remembered(&name, &entry)?, entry.tombstone),
            None => (self.vault.preferred(), 0),
        };
        match self.read_from(store, tombstone, slot) {
            Err(error) if is_broken(&error) => {
                self.vault.set_aside(store, &name, &error)?;
                Ok(None)
            }
            read => read,
        }
    }
}
