//! RECOVER: what an earlier process was given and could not store finds its place.

use super::answer::adopt;
use super::journal::{self, Found};
use super::record::Record;
use super::slot::Slot;
use super::{Held, Session, remove_file, set_aside};
use crate::error::{Error, Result};
use crate::store::seal::Key;
use crate::terms::Identity;
use crate::wire::redact::Redactor;

/// What RECOVER left.
pub(super) struct Recovered {
    /// The slot, as new as can be.
    pub(super) held: Option<Held>,
    /// What there was to recover.
    pub(super) journal: Journaled,
}

/// What an earlier process had left in the journal.
pub(super) enum Journaled {
    /// Nothing of use.
    Nothing,
    /// A request whose answer nobody has, or can read: its refresh token may be spent.
    Unanswered,
    /// An answer, which is in its place now.
    Replayed,
    /// An answer that the store still won't take: the journal has the only copy.
    Pending(Error),
}

impl Session<'_> {
    /// RECOVER: puts in place what an earlier process was given and could not store.
    pub(super) fn recover(&self, slot: &Slot) -> Result<Recovered> {
        match self.read(slot)? {
            Some(held) if slot.identity == Identity::User => self.recover_journal(slot, held),
            // A machine has no journal, and without its record nobody can open one.
            held => Ok(Recovered { held, journal: Journaled::Nothing }),
        }
    }

    /// RECOVER, for a record that was read.
    ///
    /// A journal that can't be removed is no error: its generation says that it is old.
    pub(super) fn recover_journal(&self, slot: &Slot, mut held: Held) -> Result<Recovered> {
        let path = self.journal_path(slot);
        let found = journal::read(&path, &slot.name(), &held.record.journal_key)?;
        let (intent, answer) = match found {
            Found::Nothing => {
                return Ok(Recovered { held: Some(held), journal: Journaled::Nothing });
            }
            Found::Unanswered | Found::Broken(_) => {
                return Ok(Recovered { held: Some(held), journal: Journaled::Unanswered });
            }
            Found::Answered(found) => *found,
        };
        let adopted = adopt(&intent, &answer, &self.profile.response, &Redactor::new([]));
        let journal = match adopted {
            _ if !held.generations().lacks(intent.generation) => Journaled::Nothing,
            Ok(mut tokens) => match self.identify(&mut tokens, &intent) {
                Ok(()) => {
                    let (generation, tokens) = (intent.generation, Some(tokens));
                    held.record = Record { generation, tokens, ..held.record };
                    let written = self.write(slot, &held);
                    written.map_or_else(Journaled::Pending, |()| Journaled::Replayed)
                }
                // As at the login itself: there is no such session.
                Err(error) => {
                    self.report.warn(&error.sentence());
                    Journaled::Nothing
                }
            },
            // It may be read once the profile is mended.
            Err(Error::BadAnswer(_)) => Journaled::Unanswered,
            Err(_) => Journaled::Nothing,
        };
        if matches!(journal, Journaled::Nothing | Journaled::Replayed) {
            let _ = remove_file(&path);
        }
        Ok(Recovered { held: Some(held), journal })
    }

    /// Before a new INTENT: what is there and can't be read is set aside, not overwritten.
    pub(super) fn clear_journal(&self, slot: &Slot, key: &Key) -> Result<()> {
        let path = self.journal_path(slot);
        if let Found::Broken(why) = journal::read(&path, &slot.name(), key)? {
            self.vault.warn_aside(&why, Some(&set_aside(&path)?));
        }
        Ok(())
    }
}
