use crate::cli::context::{Context, print};
use crate::error::{Error, Result, StoreFault};
use crate::output::json;
use crate::output::stores::{NewEntries, Reach, Standing, Status, standings};
use crate::report::Report as _;
use crate::session::inventory::{self, Remembered, STORES};
use crate::store::{EntryName, Place};
use crate::terms::StoreKind;

/// Tells of every store; that one can't be reached is a result, not a failure.
pub(super) fn run(context: &Context, as_json: bool) -> Result<()> {
    let place = context.place()?;
    let only = context.global.profile.as_deref();
    super::check_profile(context)?;
    let remembered = Remembered::read(&context.dirs.data, only)?;
    for (_, error) in &remembered.unreadable {
        context.terminal.warn(&error.sentence());
    }
    let (new_entries, mut fault) = new_entries(context)?;
    let mut stores = Vec::new();
    for kind in STORES {
        let known = remembered.stores.get(&kind).map_or(&[][..], Vec::as_slice);
        let names = match fault.take_if(|_| kind == StoreKind::Keychain) {
            // To ask again could be to wait again.
            Some(error) => Err(error),
            None => inventory::names(kind, &place),
        };
        let has_helper = place.helper.as_ref().is_some_and(|helper| !helper.words.is_empty());
        let configured = kind == StoreKind::Command && has_helper;
        let matters = names.as_ref().map_or_else(is_there, |_| true)
            || !known.is_empty()
            || new_entries.store == kind
            || configured;
        if matters {
            stores.push(standing(kind, &place, names, known, only));
        }
    }
    let status = Status { new_entries, stores };
    if as_json {
        return print(json::document(&status).expose());
    }
    if status.new_entries.store == StoreKind::None {
        let by = status.new_entries.named_by;
        context.terminal.note(&format!("no new token is kept: {by} names the store none"));
    }
    print(standings(&status).render(context.layout()).as_bytes())
}

/// The store that new entries go to, and what is amiss with the keychain where that was asked.
fn new_entries(context: &Context) -> Result<(NewEntries, Option<Error>)> {
    if let Some((store, named_by)) = context.named_store()? {
        return Ok((NewEntries { store, named_by, reason: None }, None));
    }
    let (store, fault) = context.vault()?.automatic();
    // What is amiss with the keychain is told of the keychain.
    let reason = fault.as_ref().filter(|_| store != StoreKind::Keychain);
    let reason = reason.map(|error| format!("no keychain can be used here: {}", error.sentence()));
    Ok((NewEntries { store, named_by: "auto", reason }, fault))
}

/// Whether a store that can't be used now could be used at another time.
fn is_there(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.fault == StoreFault::Locked)
}

fn standing(
    store: StoreKind,
    place: &Place,
    names: Result<Vec<EntryName>>,
    known: &[EntryName],
    only: Option<&str>,
) -> Standing {
    let concerns = |name: &EntryName| only.is_none_or(|only| only == name.profile());
    let (status, message, listed) = match names {
        Ok(names) => {
            (Reach::Ok, None, Some(names.into_iter().filter(concerns).collect::<Vec<_>>()))
        }
        Err(error) => {
            let status = if is_there(&error) { Reach::Locked } else { Reach::Unreachable };
            (status, Some(error.sentence()), None)
        }
    };
    let names = listed.iter().flatten().chain(known);
    let mut profiles: Vec<_> = names.map(|name| name.profile().to_owned()).collect();
    profiles.sort();
    profiles.dedup();
    Standing {
        store,
        status,
        message,
        entries: listed.map(|names| names.len()),
        remembered: known.len(),
        profiles,
        location: inventory::location(store, place),
    }
}
