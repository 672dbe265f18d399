//! What to do about each thing that `store verify` finds.

use super::hint;
use crate::cli::shell::word;
use crate::error::{About, Error, StoreError, StoreFault};
use crate::session::secrets;
use crate::session::slot::Slot;
use crate::session::verify::{Finding, Leftover, Verdict};
use crate::store::EntryName;
use crate::terms::{Identity, StoreKind};

/// What to do about what `store verify` found; none where nothing need be done.
pub(in crate::cli) fn advice(finding: &Finding) -> Option<String> {
    let profile = finding.name.as_ref().map_or("NAME", EntryName::profile);
    let store = finding.store.map_or("", StoreKind::as_str);
    Some(match (&finding.verdict, &finding.name) {
        (Verdict::Sound | Verdict::Empty, _) => return None,
        (Verdict::Line(error) | Verdict::Broken(error), Some(name)) => broken(error, name),
        (Verdict::Unread(_, error), _) => as_ever(error, profile),
        (Verdict::LeftOver(Leftover::Entry), Some(name)) if !is_ours(name) => {
            "leave it to the oauthctl that knows what it is".to_owned()
        }
        (Verdict::LeftOver(Leftover::Entry), Some(name)) => {
            format!("{} --store {store}", renewed_by(name))
        }
        (Verdict::LeftOver(Leftover::Copy(kept)), _) => {
            format!("oauthctl store migrate {store} {kept} --profile {profile}")
        }
        (Verdict::LeftOver(Leftover::Forgotten), Some(name)) => forgotten_by(name),
        (Verdict::LeftOver(Leftover::Journal(path) | Leftover::Temporary(path)), _) => {
            let path = path.to_string_lossy();
            format!("{} {}", if cfg!(windows) { "del" } else { "rm" }, word(&path))
        }
        _ => "oauthctl doctor".to_owned(),
    })
}

/// What is told wherever this error comes up.
fn as_ever(error: &Error, profile: &str) -> String {
    hint(error, Some(profile), "store verify").unwrap_or_else(|| "oauthctl doctor".to_owned())
}

/// What to do about an entry that can't be used.
fn broken(error: &Error, name: &EntryName) -> String {
    let fault = match error {
        // More than this entry needs that file.
        Error::Store(StoreError { about: About::File(_), .. }) => {
            return as_ever(error, name.profile());
        }
        Error::Store(StoreError { fault, .. }) => fault,
        _ => return "try again later: oauthctl store verify".to_owned(),
    };
    let forget = match Slot::from_name(name) {
        Some(Slot { identity: Identity::User, .. }) => {
            format!("log in again after: {}", forgotten_by(name))
        }
        Some(_) => format!("fetch it anew after: {}", forgotten_by(name)),
        None => format!("set it again: {}", renewed_by(name)),
    };
    match fault {
        StoreFault::WrongKey => {
            format!("check OAUTHCTL_FILE_KEY; where the key is lost, {forget}")
        }
        StoreFault::Newer => format!("use the newer oauthctl; or {forget}"),
        StoreFault::Corrupt | StoreFault::Missing => match Slot::from_name(name) {
            Some(Slot { identity: Identity::Client, .. }) => forget,
            _ => renewed_by(name),
        },
        StoreFault::Ambiguous => format!(
            "keep one of the items, with the keychain's own program; or use another store: {} --store file",
            renewed_by(name)
        ),
        _ => as_ever(error, name.profile()),
    }
}

/// Whether an entry is of a kind that this program makes.
fn is_ours(name: &EntryName) -> bool {
    Slot::from_name(name).is_some() || secrets::is_client_secret(name)
}

/// The command that makes an entry anew.
fn renewed_by(name: &EntryName) -> String {
    let profile = name.profile();
    match Slot::from_name(name) {
        Some(Slot { identity: Identity::User, .. }) => {
            format!("oauthctl login --profile {profile}")
        }
        Some(_) => format!("oauthctl client-token --profile {profile}"),
        None => format!("oauthctl profile set {profile} client_secret --stdin"),
    }
}

/// The command that forgets a token here.
fn forgotten_by(name: &EntryName) -> String {
    let identity = Slot::from_name(name).map_or(Identity::User, |slot| slot.identity);
    format!("oauthctl logout --local --as {identity} --profile {}", name.profile())
}
