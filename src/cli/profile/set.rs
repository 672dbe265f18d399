use clap_complete::engine::ArgValueCompleter;

use super::{checked, text_of};
use crate::cli::context::Context;
use crate::cli::{complete, names, terminal};
use crate::error::{Error, Result};
use crate::profile::dirs::read_file;
use crate::profile::edit;
use crate::profile::environment::from_text;
use crate::profile::layer::{field_of, unknown_key};
use crate::profile::schema::{Kind, PROFILE, SecretSource, Value};
use crate::secret::Secret;
use crate::session::secrets;

macro_rules! examples {
    () => {
        "\
Examples:
  oauthctl profile set work scope read write
  oauthctl profile set work request.params.audience https://api.example.com
  oauthctl profile set work client_secret --env WORK_SECRET
  oauthctl profile set work client_secret --command op read op://ci/secret
  oauthctl profile set work scope --unset"
    };
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples!(), after_long_help = concat!(examples!(), "\n\n", include_str!("keys.txt")))]
pub(super) struct Set {
    /// The profile
    #[arg(add = ArgValueCompleter::new(names::profiles))]
    name: String,
    /// The key, such as scope or request.params.audience
    #[arg(add = ArgValueCompleter::new(names::keys))]
    key: String,
    /// The value; a list takes several
    value: Vec<String>,
    /// Read a client secret from stdin, and keep it in the token store
    #[arg(long, conflicts_with_all = ["value", "unset"])]
    stdin: bool,
    /// A secret is in this environment variable
    #[arg(long, value_name = "NAME", conflicts_with_all = ["value", "unset", "stdin"])]
    env: Option<String>,
    /// A secret is in this file
    #[arg(long, value_name = "PATH", conflicts_with_all = ["value", "unset", "stdin", "env"])]
    file: Option<String>,
    /// A secret is what this command prints; its arguments follow as values
    #[arg(long, value_name = "CMD", num_args = 1.., allow_hyphen_values = true, conflicts_with_all = ["value", "unset", "stdin", "env", "file"])]
    command: Vec<String>,
    /// Take the key out
    #[arg(long, conflicts_with = "value")]
    unset: bool,
}

impl Set {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let name = checked(&self.name)?;
        let Some(field) = field_of(PROFILE, &self.key) else {
            return Err(Error::config(unknown_key(PROFILE, &self.key)));
        };
        let text = text_of(context, &name)?;
        if self.unset {
            let (text, removed) = edit::unset(&text, &self.key)?;
            if !removed {
                return Err(Error::config(format!(
                    "{} is not set in the profile {name}",
                    self.key
                )));
            }
            return complete::write_profile(context, &name, &text);
        }
        let value = match field.kind {
            Kind::Secret => self.secret(context, &name)?,
            _ if self.stdin
                || self.env.is_some()
                || self.file.is_some()
                || !self.command.is_empty() =>
            {
                return Err(Error::Usage(format!("{} is no secret: give its value", self.key)));
            }
            _ => value(&self.key, &self.value)?,
        };
        complete::write_profile(context, &name, &edit::set(&text, &self.key, &value)?)
    }

    /// Where the secret comes from; no flag ever takes the secret itself.
    fn secret(&self, context: &Context, name: &str) -> Result<Value> {
        let source = if self.stdin {
            if self.key != "client_secret" {
                return Err(Error::Usage(format!(
                    "{} is never saved; say where it comes from, with --env, --file or --command",
                    self.key
                )));
            }
            let secret = terminal::read_secret("the client secret")?;
            store_client_secret(context, name, &secret)?;
            SecretSource::Store
        } else if let Some(variable) = &self.env {
            SecretSource::Env(variable.clone())
        } else if let Some(path) = &self.file {
            SecretSource::File(path.clone())
        } else if !self.command.is_empty() {
            SecretSource::Command(self.command.clone())
        } else {
            return Err(Error::Usage(format!(
                "a secret is never an argument: set {} with --stdin, --env, --file or --command",
                self.key
            )));
        };
        Ok(Value::Secret(source))
    }
}

/// Reads a value from arguments.
pub(super) fn value(key: &str, words: &[String]) -> Result<Value> {
    let Some(field) = field_of(PROFILE, key) else {
        return Err(Error::config(unknown_key(PROFILE, key)));
    };
    let fault = |what: String| Error::config(format!("{key} {what}"));
    match (field.kind, words) {
        (Kind::Secret, _) => Err(Error::Usage(format!(
            "a secret is never an argument: leave {key} out, and tell where it is with: oauthctl profile set"
        ))),
        (_, []) => Err(Error::Usage(format!("{key} needs a value, or --unset"))),
        (_, [word]) => from_text(key, word, key),
        (
            Kind::Scopes | Kind::Resources | Kind::Words(_) | Kind::Hosts | Kind::RedirectUris,
            words,
        ) => field.kind.list(words.to_vec()).map_err(fault),
        (_, _) => Err(Error::Usage(format!("{key} takes one value"))),
    }
}

pub(super) fn store_client_secret(context: &Context, name: &str, secret: &Secret) -> Result<()> {
    let bytes = Secret::new(secret.expose().clone().into_bytes());
    context.vault()?.keep_secret(&secrets::client_secret_entry(name), &bytes)
}

pub(super) fn keep_client_secret(context: &Context, name: &str, secret: &Secret) -> Result<()> {
    store_client_secret(context, name, secret)?;
    let path = context.dirs.profile(name);
    let text = read_file(&path)?.unwrap_or_default();
    complete::write_profile(
        context,
        name,
        &edit::set(&text, "client_secret", &Value::Secret(SecretSource::Store))?,
    )
}
