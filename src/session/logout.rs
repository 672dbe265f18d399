//! A logout: the end of a session is written down before anything is removed.

use super::index::{self, IndexEntry};
use super::renew::Recovered;
use super::slot::Slot;
use super::{Session, sentence};
use crate::error::Result;
use crate::terms::Identity;

impl Session<'_> {
    /// Forgets a slot; tells whether there was anything to forget.
    pub fn logout(&self, slot: &Slot) -> Result<bool> {
        let name = slot.name();
        if index::read(self.vault.data_dir(), &name)?.is_none() {
            return Ok(false);
        }
        let _lock = self.lock_or_fail(slot)?;
        let held = match self.recover(slot)? {
            Recovered::Clean(held) => held,
            Recovered::Pending(held, error) => {
                self.report
                    .trace(1, &|| format!("the journal's token is dropped: {}", sentence(&error)));
                Some(*held)
            }
        };
        let Some(entry) = index::read(self.vault.data_dir(), &name)? else { return Ok(false) };
        let newest = held
            .as_ref()
            .map_or(0, |held| held.newest())
            .max(entry.generation)
            .max(entry.tombstone);
        let had_tokens = held.as_ref().is_some_and(|held| held.tokens().is_some());
        let tombstone = IndexEntry::new(entry.store, newest, newest, None);
        index::write(self.vault.data_dir(), &name, &tombstone)?;
        self.drop_journal(slot)?;
        self.vault.open(entry.store)?.delete(&name)?;
        // A machine's slot has no journal that could bring its token back.
        if slot.identity == Identity::Client {
            index::remove(self.vault.data_dir(), &name)?;
        }
        Ok(had_tokens)
    }

    /// Every slot of this profile and identity that was ever filled.
    pub fn slots(&self, identity: Identity) -> Result<Vec<Slot>> {
        let slots = index::names(self.vault.data_dir())?;
        let slots = slots.iter().filter_map(|name| Slot::from_name(name));
        Ok(slots
            .filter(|slot| slot.profile == self.profile.name && slot.identity == identity)
            .collect())
    }
}
