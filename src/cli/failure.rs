//! The edge where errors meet a person and a script: exit codes and hints, in one place.

use crate::error::{About, ConfigError, Error, StoreError, StoreFault};
use crate::profile::check::PLACEHOLDERS;
use crate::profile::environment::has_variable;
use crate::profile::load::ENV_PROFILE;
use crate::terms::StoreKind;

use super::terminal::Terminal;

mod advice;
mod mend;

pub(super) use advice::advice;
pub(super) use mend::move_away;

/// `curl`, `exec` and `sandbox` failed themselves, before or around their child.
pub(super) const WRAPPER: u8 = 125;

/// A usage error, as clap has it too.
pub(super) const USAGE: u8 = 2;

/// The exit code of an error.
#[must_use]
pub(super) fn code(error: &anyhow::Error) -> u8 {
    error.downcast_ref().map_or(1, code_of)
}

/// The exit code of an error that needs no more words.
#[must_use]
pub(super) fn code_of(error: &Error) -> u8 {
    match error {
        Error::Usage(_) => USAGE,
        Error::Config(_) => 3,
        Error::LoginRequired { .. } => 4,
        Error::Refused(_) => 5,
        Error::Network { .. }
        | Error::Unavailable { .. }
        | Error::BadAnswer(_)
        | Error::Busy(_) => 6,
        Error::Store(_) => 7,
        _ => 1,
    }
}

/// Tells a person what went wrong, why, and what to do next; `again` is the command that failed.
pub(super) fn tell(terminal: &Terminal, error: &anyhow::Error, profile: Option<&str>, again: &str) {
    terminal.line("31", "error", &error.to_string());
    for cause in error.chain().skip(1) {
        terminal.line("31", "caused by", &cause.to_string());
    }
    if let Some(hint) = error.downcast_ref().and_then(|error| hint(error, profile, again)) {
        terminal.line("36", "hint", &hint);
    }
}

/// What `doctor` can say about an error that it found; `None` where the hint leads to `doctor` itself.
pub(super) fn remedy(error: &Error) -> Option<String> {
    hint(error, None, "refresh").filter(|hint| !hint.contains("oauthctl doctor"))
}

/// What to do next: a command that can be run, where there is one.
pub(super) fn hint(error: &Error, profile: Option<&str>, again: &str) -> Option<String> {
    let name = profile.unwrap_or("NAME");
    Some(match error {
        Error::Config(ConfigError { missing: Some(key), .. }) => missing(key, name),
        Error::Config(ConfigError { file: Some(_), .. }) => {
            "check every file of the configuration with: oauthctl doctor".to_owned()
        }
        Error::LoginRequired { profile, .. } => format!("oauthctl login --profile {profile}"),
        // There is no such profile yet.
        Error::Refused(_) | Error::BadAnswer(_) if again.starts_with("profile add ") => {
            format!("see what is sent with: oauthctl -vvv {again}")
        }
        Error::Network { .. } | Error::Unavailable { .. } if again.starts_with("profile add ") => {
            "oauthctl doctor".to_owned()
        }
        // The person, or the time, said no; what was sent was right.
        Error::Refused(refusal)
            if again.starts_with("login")
                && matches!(refusal.error.as_deref(), Some("access_denied" | "expired_token")) =>
        {
            format!("to be asked once more: oauthctl login --profile {name}")
        }
        Error::Refused(refusal) if refusal.error.as_deref() == Some("invalid_client") => {
            format!(
                "see which client_id and client_secret are in use with: oauthctl profile show {name}"
            )
        }
        Error::Refused(refusal) if refusal.is_invalid_grant() => {
            format!(
                "log in again, with another username or password: oauthctl login --profile {name}"
            )
        }
        Error::Refused(_) | Error::BadAnswer(_) => {
            format!("see what is sent with: oauthctl -vvv {again} --profile {name}")
        }
        Error::Network { .. } | Error::Unavailable { .. } => {
            format!("oauthctl doctor --profile {name}")
        }
        Error::Store(error) => store_hint(error, name, again),
        _ => return None,
    })
}

/// The command that supplies what a profile lacks.
fn missing(key: &str, profile: &str) -> String {
    match key {
        "profile" => "list what there is with: oauthctl profile list; make one with: oauthctl profile add NAME --provider PROVIDER".to_owned(),
        "store_command" => "add a line such as this one: store_command = [\"docker-credential-pass\"]".to_owned(),
        "password" => "give it in OAUTHCTL_PASSWORD, or with: oauthctl login --password-stdin".to_owned(),
        _ if profile == ENV_PROFILE && PLACEHOLDERS.contains(&key) => {
            format!("a profile says that: oauthctl profile add NAME --provider PROVIDER --set {key}=VALUE")
        }
        _ if profile == ENV_PROFILE && has_variable(key) => {
            format!("set OAUTHCTL_{}", key.to_ascii_uppercase())
        }
        _ if profile == ENV_PROFILE => {
            format!("a profile says that: oauthctl profile add NAME --set {key}=VALUE")
        }
        "registration_url" => format!(
            "where you know it, name it: oauthctl profile add {profile} --register --set registration_url=URL"
        ),
        "client_secret" => format!("oauthctl profile set {profile} client_secret --stdin"),
        _ => format!("oauthctl profile set {profile} {key} VALUE"),
    }
}

fn store_hint(error: &StoreError, name: &str, again: &str) -> String {
    match (error.fault, error.store, &error.about) {
        (StoreFault::Elsewhere(kept), StoreKind::None, _) => {
            format!(
                "name the store that holds it, --store {kept}, or move it first with: oauthctl store migrate"
            )
        }
        (StoreFault::Elsewhere(kept), named, _) => format!("oauthctl store migrate {kept} {named}"),
        (StoreFault::Locked, StoreKind::Keychain, _) => {
            format!(
                "unlock the keychain, or do so when asked at a terminal: oauthctl {again} --profile {name}"
            )
        }
        (_, _, About::File(path)) => mend::file(error.fault, path),
        (StoreFault::Denied, StoreKind::Keychain, _) => {
            format!(
                "where the keychain's prompt can be seen, answer it after: oauthctl {again} --profile {name}"
            )
        }
        (StoreFault::TimedOut, StoreKind::Keychain, _) => {
            "unlock or restart the keychain, and see whether it answers: oauthctl doctor".to_owned()
        }
        (StoreFault::Ambiguous, StoreKind::Keychain, _) => {
            format!(
                "remove the items that aren't oauthctl's, or log in again after: oauthctl logout --local --profile {name}"
            )
        }
        (StoreFault::Absent, StoreKind::Keychain, _) => {
            "where no keychain runs, keep tokens in an encrypted file: oauthctl login --store file"
                .to_owned()
        }
        (StoreFault::Absent | StoreFault::Denied, StoreKind::Kernel, _) => {
            "where the kernel's keys are forbidden, keep tokens in an encrypted file: oauthctl login --store file"
                .to_owned()
        }
        (StoreFault::Full, StoreKind::Kernel, _) => {
            "an administrator can raise the limits in /proc/sys/kernel/keys/; an encrypted file has none: oauthctl login --store file"
                .to_owned()
        }
        (StoreFault::Absent, StoreKind::Command, _) => {
            "install the helper, or name another one as store_command in config.toml".to_owned()
        }
        (StoreFault::TimedOut, StoreKind::Command, _) => {
            "a helper that asks a person needs a terminal, and --no-input forbids it; one that is slow needs a longer --timeout"
                .to_owned()
        }
        (
            fault @ (StoreFault::Corrupt | StoreFault::Newer | StoreFault::WrongKey),
            store,
            About::Entry(entry),
        ) => mend::entry(fault, store, entry, again),
        (StoreFault::Corrupt | StoreFault::Ambiguous | StoreFault::Missing, ..) => {
            "see what can't be read, and what to do about it, with: oauthctl store verify"
                .to_owned()
        }
        _ => "oauthctl doctor".to_owned(),
    }
}
