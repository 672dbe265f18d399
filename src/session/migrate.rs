//! Moves entries from one store to another; interrupted anywhere, it loses nothing and can be run again.

use std::time::Duration;

use super::index::{self, IndexEntry};
use super::lock::{Attempt, Lock};
use super::slot;
use super::vault::Vault;
use crate::error::{Error, Result, StoreError, StoreFault};
use crate::store::EntryName;
use crate::terms::StoreKind;

/// Moves an entry that is kept in `from`; tells whether it was there to be moved.
///
/// The copy is written and read back before the index names it, and only then the old one goes. A
/// journal stays where it is: its key moves along with the record.
pub fn migrate(
    vault: &Vault<'_>,
    name: &EntryName,
    from: StoreKind,
    to: StoreKind,
    patience: Duration,
) -> Result<bool> {
    let path = slot::file(vault.data_dir(), "locks", name, "lock");
    let Attempt::Held(_lock) = Lock::acquire(&path, patience)? else {
        return Err(Error::Busy(format!(
            "another oauthctl is at work on the entry {}",
            name.as_str()
        )));
    };
    let Some(entry) = index::read(vault.data_dir(), name)? else { return Ok(false) };
    let moves = entry.store == from;
    if moves {
        copy(vault, name, from, to)?;
        index::write(
            vault.data_dir(),
            name,
            &IndexEntry::new(to, entry.generation, entry.tombstone, entry.token),
        )?;
    } else if entry.store != to {
        return Ok(false);
    }
    // An earlier run may have been interrupted right here.
    vault.open(from)?.delete(name)?;
    Ok(moves)
}

fn copy(vault: &Vault<'_>, name: &EntryName, from: StoreKind, to: StoreKind) -> Result<()> {
    let Some(bytes) = vault.open(from)?.get(name)? else { return Ok(()) };
    let target = vault.open(to)?;
    target.set(name, &bytes)?;
    if target.get(name)?.as_ref() == Some(&bytes) {
        return Ok(());
    }
    let message =
        format!("the {to} store gave back another entry {} than it was given", name.as_str());
    Err(StoreError { fault: StoreFault::Failed, store: to, message, source: None }.into())
}
