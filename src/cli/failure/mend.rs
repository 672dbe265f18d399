//! What mends an entry that can't be read, or a file that many entries need.

use std::path::Path;

use crate::cli::shell::{MOVE, word};
use crate::durable;
use crate::error::StoreFault;
use crate::terms::StoreKind;

/// What mends a single entry, whose name is a profile's and what of it the entry holds.
pub(super) fn entry(fault: StoreFault, store: StoreKind, entry: &str, again: &str) -> String {
    let (profile, part) = entry.split_once('@').unwrap_or((entry, "user"));
    let (by, anew) = match part {
        "user" => ("logging in again", format!("oauthctl login --profile {profile}")),
        "secret" => {
            ("giving it again", format!("oauthctl profile set {profile} client_secret --stdin"))
        }
        // Tokens of other scopes than the profile's are named by the command that asked for them.
        _ if again.starts_with("client-token") || again.starts_with("logout") => {
            ("fetching another", format!("oauthctl {again} --profile {profile}"))
        }
        _ => ("fetching another", format!("oauthctl client-token --force --profile {profile}")),
    };
    let identity = if part.starts_with("client-") { " --as client" } else { "" };
    let forget = format!("oauthctl logout --local{identity} --profile {profile}");
    match (fault, part) {
        (StoreFault::Newer, "secret") => {
            format!("use the newer oauthctl, or give the secret again: {anew}")
        }
        (StoreFault::Newer, _) => {
            format!("use the newer oauthctl, or log in again after: {forget}")
        }
        (StoreFault::WrongKey, "secret") => {
            format!("check OAUTHCTL_FILE_KEY; where the key is lost, give the secret again: {anew}")
        }
        (StoreFault::WrongKey, _) => format!(
            "check OAUTHCTL_FILE_KEY; see which entries can be read with: oauthctl store verify; where the key is lost, log in again after: {forget}"
        ),
        _ if anew.contains(" logout ") => format!("forget it with: {anew}"),
        _ if store == StoreKind::File => format!("set it aside by {by}: {anew}"),
        // Other stores have no place beside it.
        _ => format!("replace it by {by}: {anew}"),
    }
}

/// What mends a file or directory that many entries need, or that is in the way of one.
pub(super) fn file(fault: StoreFault, path: &Path) -> String {
    let away = move_away(path);
    match fault {
        StoreFault::Denied => allow(path),
        StoreFault::Newer => "use the newer oauthctl".to_owned(),
        StoreFault::WrongKey => format!(
            "restore the key from a backup, or set OAUTHCTL_FILE_KEY where that was the key; to give up what it sealed: {away}"
        ),
        StoreFault::Corrupt => {
            format!("restore it from a backup; to go on without it, and log in again: {away}")
        }
        _ => format!("move it away: {away}"),
    }
}

/// The command that moves a file to a name beside its own that nothing has.
pub(in crate::cli) fn move_away(path: &Path) -> String {
    let (from, to) = (path.to_string_lossy(), durable::name_aside(path));
    format!("{MOVE} {} {}", word(&from), word(&to.to_string_lossy()))
}

/// What lets its owner at a file again.
fn allow(path: &Path) -> String {
    let shown = path.to_string_lossy();
    let file = word(&shown);
    let metadata = std::fs::metadata(path);
    #[cfg(unix)]
    if let Ok(metadata) = &metadata
        && std::os::unix::fs::MetadataExt::uid(metadata) != rustix::process::geteuid().as_raw()
    {
        return format!(
            "it belongs to another user; make it yours: sudo chown \"$(id -u)\" {file}"
        );
    }
    let mode = if metadata.is_ok_and(|metadata| metadata.is_dir()) { "700" } else { "600" };
    format!("chmod {mode} {file}")
}
