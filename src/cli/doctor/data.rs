//! The stores, and what is broken or in the way below DATA.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::context::Context;
use super::super::failure;
use super::Finding;
use crate::durable;
use crate::error::{About, Error, Result, StoreError};
use crate::session::index;
use crate::session::vault::Vault;
use crate::store::{EntryName, Place};
use crate::terms::StoreKind;

/// The store that new tokens go to, and every store that is remembered to hold one.
pub(super) fn stores(context: &Context) -> Result<Vec<Finding>> {
    // Who wants to know what is wrong must not have to unlock anything for it.
    let place = Place { person: None, ..context.place()? };
    let mut findings = Vec::new();
    // The entries of each store, so that a wrong key shows as well.
    let mut entries = BTreeMap::<_, Vec<_>>::new();
    for name in index::names(&context.dirs.data)? {
        match index::read(&context.dirs.data, &name) {
            Ok(Some(entry)) => entries.entry(entry.store).or_default().push(name),
            Ok(None) => {}
            Err(error) => findings.push(broken(&error)),
        }
    }
    let vault = Vault::new(place, None, &context.terminal);
    let preferred = if let Some((kind, _)) = context.named_store()? {
        kind
    } else {
        let (kind, reason) = vault.automatic();
        if let Some(reason) = reason.filter(|_| kind != StoreKind::Keychain) {
            findings.push(Finding::warning(
                "store",
                format!("no keychain can be used: {reason}"),
                "nothing, where an encrypted file is good enough",
            ));
        }
        kind
    };
    // Nothing need be there: the store must say so, and in time.
    entries.entry(preferred).or_insert_with(|| vec![EntryName::new("doctor", "probe")]);
    for (kind, names) in entries {
        findings.extend(store_of(context, &vault, kind, &names));
    }
    Ok(findings)
}

fn store_of(
    context: &Context,
    vault: &Vault<'_>,
    kind: StoreKind,
    names: &[EntryName],
) -> Vec<Finding> {
    // Files are quickly read; of another store, one entry tells enough.
    let count = if kind == StoreKind::File { names.len() } else { 1 };
    let mut findings = Vec::new();
    for name in names.iter().take(count) {
        match vault.get(kind, name) {
            Ok(_) => {}
            Err(Error::Store(error)) if matches!(error.about, About::Entry(_)) => {
                findings.push(broken(&error.into()));
            }
            Err(error) => {
                findings.push(unusable(&error));
                return findings;
            }
        }
    }
    let answers = if kind == StoreKind::None {
        Finding::warning(
            "store",
            "the store is none: no token is kept",
            "name another with --store or in config.toml",
        )
    } else {
        Finding::ok("store", answers(context, kind))
    };
    findings.push(answers);
    findings
}

fn unusable(error: &Error) -> Finding {
    if matches!(error, Error::Store(StoreError { about: About::File(_), .. })) {
        return broken(error);
    }
    let otherwise = || "unlock or start it, or name another with --store".to_owned();
    let advice = failure::remedy(error).unwrap_or_else(otherwise);
    Finding::error("store", error.sentence(), advice)
}

/// That a store answers, and what one should know who relies on it.
fn answers(context: &Context, kind: StoreKind) -> String {
    match kind {
        StoreKind::Kernel => {
            "the kernel store answers; it is empty after the machine was stopped".to_owned()
        }
        StoreKind::Command => {
            let words = context.settings.list("store_command").unwrap_or_default();
            let helper = words.first().map_or("", String::as_str);
            format!("the command store answers by {helper}")
        }
        _ => format!("the {kind} store answers"),
    }
}

/// What is wrong with one entry or file, and what mends it.
fn broken(error: &Error) -> Finding {
    let message = error.to_string();
    let advice = failure::hint(error, None, "refresh").unwrap_or_default();
    Finding::error("store", message, advice)
}

/// What is in the way of a file that would be made or written, and what was set aside.
pub(super) fn files(context: &Context) -> Vec<Finding> {
    let data = &context.dirs.data;
    let mut findings = Vec::new();
    let mut aside = Vec::new();
    for directory in ["tokens", "index", "journals", "locks"] {
        let directory = data.join(directory);
        let files = paths_in(&directory);
        aside.extend(files.iter().filter(|path| is_aside(path)).cloned());
        let looked_at = files.into_iter().filter(|path| !is_aside(path));
        let kept_open = ["journals", "locks"].iter().any(|name| directory.ends_with(name));
        let looked_at = looked_at.filter(|_| kept_open).chain([directory.join("*")]);
        for (place, what) in looked_at.filter_map(|path| durable::obstacle(&path)) {
            let advice = failure::move_away(&place);
            findings.push(Finding::error("store", format!("{} {what}", place.display()), advice));
        }
    }
    aside.extend(paths_in(data).into_iter().filter(|path| is_aside(path)));
    if let Some(first) = aside.first() {
        let message = format!("{} broken, set aside, {} among them", aside.len(), first.display());
        let advice = "remove what nobody misses any more";
        findings.push(Finding::warning("store", message, advice));
    }
    findings
}

fn paths_in(directory: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    paths.sort();
    paths
}

fn is_aside(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("~broken-"))
}
