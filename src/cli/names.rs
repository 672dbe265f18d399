//! Names to complete on the command line: profiles, providers, keys.

use std::ffi::OsStr;

use clap_complete::CompletionCandidate;

use crate::env::Env;
use crate::profile::dirs::Dirs;
use crate::profile::load;
use crate::profile::schema::PROFILE;

/// The profiles, and the presets that can serve as one.
pub(super) fn profiles(current: &OsStr) -> Vec<CompletionCandidate> {
    let Ok(dirs) = Dirs::find(&Env::process(), None) else { return Vec::new() };
    let mut names = load::profile_names(&dirs);
    names.extend(load::provider_names(&dirs));
    names.sort();
    names.dedup();
    candidates(names, current)
}

/// The presets.
pub(super) fn providers(current: &OsStr) -> Vec<CompletionCandidate> {
    let Ok(dirs) = Dirs::find(&Env::process(), None) else { return Vec::new() };
    candidates(load::provider_names(&dirs), current)
}

/// The keys of a profile.
pub(super) fn keys(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(PROFILE.iter().map(|field| field.key.to_owned()).collect(), current)
}

fn candidates(names: Vec<String>, current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    names
        .into_iter()
        .filter(|name| name.starts_with(current.as_ref()))
        .map(CompletionCandidate::new)
        .collect()
}
