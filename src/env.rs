//! The environment, as a parameter.

use std::ffi::OsString;

use crate::error::{Error, Result};
use crate::secret::Secret;

/// What every variable of this program begins with.
pub const PREFIX: &str = "OAUTHCTL_";

/// The variables that hold a secret: no child process ever inherits them.
pub const SECRETS: &[&str] = &["OAUTHCTL_CLIENT_SECRET", "OAUTHCTL_PASSWORD", "OAUTHCTL_FILE_KEY"];

type Lookup = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// A way to look up environment variables; an empty one counts as unset.
pub struct Env(Box<Lookup>);

impl Env {
    /// The environment of this process.
    #[must_use]
    pub fn process() -> Self {
        Self(Box::new(|name| std::env::var_os(name)))
    }

    /// An environment of exactly these variables.
    #[must_use]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let variables: Vec<(String, OsString)> =
            variables.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
        Self(Box::new(move |name| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        }))
    }

    /// The value as the system holds it.
    #[must_use]
    pub fn os(&self, name: &str) -> Option<OsString> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// The value as text; what is not Unicode is an error that names the variable.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        self.os(name)
            .map(OsString::into_string)
            .transpose()
            .map_err(|_| Error::config(format!("the variable {name} is not valid Unicode")))
    }

    /// The value as a secret.
    pub fn secret(&self, name: &str) -> Result<Option<Secret>> {
        Ok(self.text(name)?.map(Secret::new))
    }
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Env")
    }
}
