//! Opens the sources of secrets, when a request needs them and not before.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use super::vault::Vault;
use crate::env::Env;
use crate::error::{ConfigError, Error, Result};
use crate::profile::schema::SecretSource;
use crate::program::{self, Ended, Fault, Program};
use crate::report::Report;
use crate::secret::Secret;
use crate::store::EntryName;

/// No secret is longer; whatever is, is none.
const MAX_SECRET: usize = 64 * 1024;

/// The entry of a store in which a profile's client secret is kept.
#[must_use]
pub fn client_secret_entry(profile: &str) -> EntryName {
    EntryName::new(profile, "secret")
}

/// Whether an entry is that of a client secret.
#[must_use]
pub fn is_client_secret(name: &EntryName) -> bool {
    *name == client_secret_entry(name.profile())
}

/// Whether these bytes can be a secret, or what keeps them from it.
pub(super) fn check(bytes: &Secret<Vec<u8>>) -> Result<(), &'static str> {
    line(bytes.expose().clone()).map(drop)
}

/// Opens the source of the secret that stands at `key` of a profile.
pub fn open(
    source: &SecretSource,
    key: &'static str,
    profile: &str,
    env: &Env,
    vault: &Vault<'_>,
    timeout: Duration,
) -> Result<Secret> {
    let missing = |what: String| {
        Error::Config(ConfigError { message: what, missing: Some(key), ..ConfigError::default() })
    };
    match source {
        SecretSource::Env(name) => env.secret(name)?.ok_or_else(|| {
            missing(format!(
                "the {key} of the profile {profile} is in the variable {name}, which is not set"
            ))
        }),
        SecretSource::File(path) => {
            let path = Path::new(path);
            let fault = |what: String| {
                missing(format!(
                    "the {key} of the profile {profile} can't be read from {}: {what}",
                    path.display()
                ))
            };
            let mut bytes = Vec::new();
            std::fs::File::open(path)
                .and_then(|file| file.take(MAX_SECRET as u64 + 1).read_to_end(&mut bytes))
                .map_err(|error| fault(error.to_string()))?;
            line(bytes).map_err(|what| fault(what.to_owned()))
        }
        SecretSource::Command(words) => command(words, timeout, vault.report()).map_err(|what| {
            missing(format!("the command for the {key} of the profile {profile} {what}"))
        }),
        SecretSource::Store => {
            let stored = vault.secret(&client_secret_entry(profile))?;
            let stored = stored.ok_or_else(|| {
                missing(format!("the {key} of the profile {profile} is not in the token store"))
            })?;
            line(stored.expose().clone()).map_err(|what| {
                missing(format!("the stored {key} of the profile {profile} {what}"))
            })
        }
    }
}

/// The secret in these bytes, without the one newline at their end.
fn line(mut bytes: Vec<u8>) -> Result<Secret, &'static str> {
    if bytes.len() > MAX_SECRET {
        return Err("is longer than 64 KiB");
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not valid UTF-8")?;
    if text.is_empty() { Err("is empty") } else { Ok(Secret::new(text)) }
}

/// Runs a command for what it prints; its own complaints go to the person.
fn command(words: &[String], timeout: Duration, report: &dyn Report) -> Result<Secret, String> {
    let Some(name) = words.first() else { return Err("is empty".to_owned()) };
    // What asks for a password may do so where it always does.
    let program = Program { words, input: None, limit: MAX_SECRET, timeout, may_prompt: true };
    match program.run(&mut |line| report.note(&format!("{}: {line}", program::name(name)))) {
        Ok(Ended { status, printed }) if status.success() => {
            line(printed.expose().clone()).map_err(|what| format!("printed a secret that {what}"))
        }
        Ok(Ended { status, .. }) => Err(format!("failed: {name}: {status}")),
        Err(Fault::NotStarted(error)) => Err(format!("can't be run: {name}: {error}")),
        Err(Fault::Broken(error)) => Err(format!("failed: {name}: {error}")),
        Err(Fault::Flooded) => Err("printed a secret that is longer than 64 KiB".to_owned()),
        Err(Fault::TimedOut) => Err(format!("did not end within {} s: {name}", timeout.as_secs())),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::report::Silent;

    fn run(script: &str) -> Result<String, String> {
        let words = ["sh", "-c", script].map(str::to_owned);
        command(&words, Duration::from_secs(1), &Silent).map(|secret| secret.expose().clone())
    }

    #[test]
    fn a_commands_secret_loses_one_newline_and_nothing_else() {
        assert_eq!(run("printf ' a b \\n\\n'"), Ok(" a b \n".to_owned()));
        assert_eq!(run("printf x"), Ok("x".to_owned()));
    }

    #[test]
    fn a_command_that_fails_hangs_or_floods_is_an_error_without_its_output() {
        assert!(run("echo hunter2; exit 3").unwrap_err().contains("exit status: 3"));
        assert!(run("exec sleep 60").unwrap_err().contains("did not end"));
        let flood = run("yes hunter2").unwrap_err();
        assert!(flood.contains("longer than 64 KiB") && !flood.contains("hunter2"), "{flood}");
        assert!(run("true").unwrap_err().contains("is empty"));
        assert!(
            command(&["/no/such/program".to_owned()], Duration::from_secs(1), &Silent)
                .unwrap_err()
                .contains("can't be run")
        );
    }
}
