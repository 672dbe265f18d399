use std::ffi::OsString;
use std::path::Path;

use clap::Subcommand;
use clap_complete::engine::ArgValueCompleter;

use super::complete::{self, Typed};
use super::context::Context;
use super::{names, terminal};

use crate::env;
use crate::error::{Error, Result};
use crate::output::json;
use crate::output::table::Table;
use crate::profile::layer::{Layer, Origin, field_of, unknown_key};
use crate::profile::load::{self, Found};
use crate::profile::schema::{Kind, PROFILE, SecretSource, Value, check_name};
use crate::profile::{Profile, edit};
use crate::secret::Secret;
use crate::session::slot::Slot;
use crate::session::{index, secrets};
use crate::terms::Identity;

/// List, show, make and change profiles
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl profile add work --provider kabbage --base-url https://api.example.com
  oauthctl profile set work scope read write
  op read op://ci/secret | oauthctl profile set work client_secret --stdin
  oauthctl profile show work                   every value, and where it comes from")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the profiles
    List {
        /// Print an array of objects
        #[arg(long)]
        json: bool,
    },
    /// Print the resolved profile, and which layer each value comes from
    Show(Named),
    /// Make a profile; on a terminal what is missing is asked for
    Add(Add),
    /// Set or unset a key of a profile
    Set(Set),
    /// Remove a profile, with its tokens
    Remove(Named),
    /// Edit a profile's file; it is replaced only when it is sound
    Edit(Named),
    /// Print the path of a profile's file
    Path(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The profile [default: the one in use]
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(names::profiles))]
    name: Option<String>,
}

impl Named {
    fn name(&self, context: &Context) -> Result<String> {
        match &self.name {
            Some(name) => checked(name),
            None => context.profile_name(),
        }
    }
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The name of the new profile
    name: String,
    /// The preset to build on
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(names::providers))]
    provider: Option<String>,
    /// What relative URLs resolve against
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The issuer
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The token endpoint
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    /// The client
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Read the client secret from stdin, and keep it in the token store
    #[arg(long)]
    client_secret_stdin: bool,
    /// The person
    #[arg(long, value_name = "U")]
    username: Option<String>,
    /// A scope to ask for; may be given more than once
    #[arg(long, value_name = "S")]
    scope: Vec<String>,
    /// Any other key; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Make it the default profile
    #[arg(long)]
    default: bool,
}

#[derive(Debug, clap::Args)]
struct Set {
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

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        match &self.command {
            Command::List { json } => list(context, *json)?,
            Command::Show(named) => show(context, &named.name(context)?)?,
            Command::Add(add) => add.run(context)?,
            Command::Set(set) => set.run(context)?,
            Command::Remove(named) => remove(context, &named.name(context)?)?,
            Command::Edit(named) => edit_file(context, &named.name(context)?)?,
            Command::Path(named) => {
                let path = context.dirs.profile(&named.name(context)?);
                context.print(format!("{}\n", path.display()).as_bytes())?;
            }
        }
        Ok(())
    }
}

#[derive(serde::Serialize)]
struct Listed {
    name: String,
    provider: Option<String>,
    identity: Option<Identity>,
    default: bool,
    error: Option<String>,
}

fn list(context: &Context, as_json: bool) -> Result<()> {
    let default = context.settings.text("default_profile");
    let listed = load::profile_names(&context.dirs).into_iter().map(|name| {
        let profile = load::find(&context.dirs, &env::Env::of(&[]), &name).and_then(|found| {
            Ok((
                found.layer.text("provider").map(str::to_owned),
                Profile::new(&name, &found.layer, &context.dirs)?.identity(),
            ))
        });
        let (found, error) = match profile {
            Ok(found) => (Some(found), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let (provider, identity) =
            found.map_or((None, None), |(provider, identity)| (provider, Some(identity)));
        Listed { default: default == Some(name.as_str()), name, provider, identity, error }
    });
    let listed: Vec<Listed> = listed.collect();
    if as_json {
        return context.print(json::document(&listed).expose());
    }
    let mut table = Table::new(["PROFILE", "PROVIDER", "IDENTITY", "DEFAULT", "PROBLEM"]);
    for row in &listed {
        table.row([
            row.name.as_str().into(),
            row.provider.as_deref().unwrap_or_default().into(),
            row.identity.map_or("", Identity::as_str).into(),
            if row.default { "yes".into() } else { "".into() },
            row.error.as_deref().unwrap_or_default().into(),
        ]);
    }
    context.print(table.render(context.layout()).as_bytes())
}

fn show(context: &Context, name: &str) -> Result<()> {
    let found = context.find(name, Layer::default())?;
    // Shown even when it is not whole yet: that is when one looks.
    context.print(edit::annotated(&found.layer).as_bytes())
}

impl Add {
    fn run(&self, context: &Context) -> Result<()> {
        let name = checked(&self.name)?;
        let path = context.dirs.profile(&name);
        if path.exists() {
            return Err(Error::config(format!(
                "the profile {name} is there already: {}",
                path.display()
            )));
        }
        let mut layer = Layer::default();
        for (key, value) in self.values()? {
            layer.set(key, value, Origin::Flag("profile add"));
        }
        if layer.text("provider").is_none()
            && layer.text("token_url").is_none()
            && layer.text("issuer").is_none()
        {
            let provider = self.provider(context, &name)?;
            layer.set(
                "provider",
                load::from_text("provider", &provider, "provider")?,
                Origin::Flag("typed"),
            );
        }
        let text = layer
            .entries(PROFILE)
            .try_fold(String::new(), |text, (key, entry)| edit::set(&text, key, &entry.value))?;
        let mut found =
            Found { name: name.clone(), file: None, layer: self.whole(context, &layer)? };
        let secret = self
            .client_secret_stdin
            .then(|| terminal::read_secret("the client secret"))
            .transpose()?;
        if secret.is_some() {
            found.layer.set(
                "client_secret",
                Value::Secret(SecretSource::Store),
                Origin::Flag("--client-secret-stdin"),
            );
        }
        // What is still missing may come from the environment later: only a person is asked for it.
        let typed = if context.may_ask() {
            complete::ask_for_missing(context, &mut found)?
        } else {
            Typed::default()
        };
        Profile::new(&name, &found.layer, &context.dirs).map(|_| ()).or_else(incomplete)?;
        complete::write_profile(context, &name, &text)?;
        complete::save_unless_refused(context, &found, &typed, None)?;
        if let Some(secret) = secret {
            keep_client_secret(context, &name, &secret)?;
        }
        if self.default {
            complete::set_default(context, Some(&name))?;
        }
        context.terminal.say(&format!("Made the profile {name}: {}", path.display()));
        Ok(())
    }

    fn values(&self) -> Result<Vec<(String, Value)>> {
        let flags = [
            ("provider", &self.provider),
            ("base_url", &self.base_url),
            ("issuer", &self.issuer),
            ("token_url", &self.token_url),
            ("client_id", &self.client_id),
            ("username", &self.username),
        ];
        let mut values = Vec::new();
        for (key, text) in flags {
            if let Some(text) = text {
                values.push((key.to_owned(), load::from_text(key, text, key)?));
            }
        }
        if !self.scope.is_empty() {
            values.push((
                "scope".to_owned(),
                load::from_text("scope", &self.scope.join(" "), "--scope")?,
            ));
        }
        for pair in &self.set {
            let Some((key, text)) = pair.split_once('=') else {
                return Err(Error::Usage("--set takes KEY=VALUE".to_owned()));
            };
            values.push((key.to_owned(), value(key, &[text.to_owned()])?));
        }
        Ok(values)
    }

    fn provider(&self, context: &Context, name: &str) -> Result<String> {
        let known = load::provider_names(&context.dirs);
        if known.iter().any(|known| known == name) {
            return Ok(name.to_owned());
        }
        if !context.may_ask() {
            return Err(Error::Usage(
                "a profile needs --provider, --token-url or --issuer".to_owned(),
            ));
        }
        terminal::ask(&format!("provider ({})", known.join(", ")))
    }

    /// The new profile's own keys over those of its preset.
    fn whole(&self, context: &Context, own: &Layer) -> Result<Layer> {
        let mut layer = match own.text("provider") {
            Some(provider) => load::preset(&context.dirs, provider)?.ok_or_else(|| {
                Error::config(format!(
                    "there is no provider preset named {provider}; there are: {}",
                    load::provider_names(&context.dirs).join(", ")
                ))
            })?,
            None => Layer::default(),
        };
        layer.overlay(own.clone());
        Ok(layer)
    }
}

/// A profile that lacks a key may still be made: the environment can supply it.
fn incomplete(error: Error) -> Result<()> {
    match error {
        Error::Config(fault) if fault.missing.is_some() => Ok(()),
        other => Err(other),
    }
}

impl Set {
    fn run(&self, context: &Context) -> Result<()> {
        let name = checked(&self.name)?;
        let Some(field) = field_of(PROFILE, &self.key) else {
            return Err(Error::config(unknown_key(PROFILE, &self.key)));
        };
        let path = context.dirs.profile(&name);
        let text = match load::read_file(&path)? {
            Some(text) => text,
            // A preset's name becomes a profile with its first key.
            None => {
                load::find(&context.dirs, &env::Env::of(&[]), &name)?;
                edit::set("", "provider", &Value::Text(name.clone()))?
            }
        };
        if self.unset {
            let (text, removed) = edit::unset(&text, &self.key)?;
            if !removed {
                return Err(Error::config(format!(
                    "{} is not set in {}",
                    self.key,
                    path.display()
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
fn value(key: &str, words: &[String]) -> Result<Value> {
    let Some(field) = field_of(PROFILE, key) else {
        return Err(Error::config(unknown_key(PROFILE, key)));
    };
    let fault = |what: String| Error::config(format!("{key} {what}"));
    match (field.kind, words) {
        (Kind::Secret, _) => Err(Error::Usage(format!(
            "a secret is never an argument: set {key} with --stdin, --env, --file or --command"
        ))),
        (_, []) => Err(Error::Usage(format!("{key} needs a value, or --unset"))),
        (_, [word]) => load::from_text(key, word, key),
        (Kind::Scopes | Kind::Words(_) | Kind::Hosts | Kind::RedirectUris, words) => {
            field.kind.list(words.to_vec()).map_err(fault)
        }
        (_, _) => Err(Error::Usage(format!("{key} takes one value"))),
    }
}

fn store_client_secret(context: &Context, name: &str, secret: &Secret) -> Result<()> {
    let bytes = Secret::new(secret.expose().clone().into_bytes());
    context.vault()?.keep_secret(&secrets::client_secret_entry(name), &bytes)
}

fn keep_client_secret(context: &Context, name: &str, secret: &Secret) -> Result<()> {
    store_client_secret(context, name, secret)?;
    let path = context.dirs.profile(name);
    let text = load::read_file(&path)?.unwrap_or_default();
    complete::write_profile(
        context,
        name,
        &edit::set(&text, "client_secret", &Value::Secret(SecretSource::Store))?,
    )
}

fn remove(context: &Context, name: &str) -> Result<()> {
    let path = context.dirs.profile(name);
    if !path.exists() {
        return Err(Error::config(format!("the profile {name} has no file")));
    }
    let profile = context.profile_named(name, Layer::default());
    let profile = profile.or_else(|_| Profile::new(name, &Layer::default(), &context.dirs))?;
    context.with_session(&profile, None, |session| {
        for entry in index::names(&context.dirs.data)? {
            if let Some(slot) = Slot::from_name(&entry).filter(|slot| slot.profile == name) {
                session.logout(&slot)?;
            }
        }
        session.vault.forget_secret(&secrets::client_secret_entry(name))
    })?;
    std::fs::remove_file(&path)
        .map_err(|error| Error::io(format!("can't remove {}", path.display()), error))?;
    if context.settings.text("default_profile") == Some(name) {
        complete::set_default(context, None)?;
    }
    context.terminal.say(&format!("Removed the profile {name} and its tokens."));
    Ok(())
}

fn edit_file(context: &Context, name: &str) -> Result<()> {
    let path = context.dirs.profile(name);
    let before = match load::read_file(&path)? {
        Some(text) => text,
        None => {
            load::find(&context.dirs, &env::Env::of(&[]), name)?;
            edit::set("", "provider", &Value::Text(name.to_owned()))?
        }
    };
    let fault = |error| Error::io("can't make a file to edit", error);
    let draft = tempfile::Builder::new().prefix(name).suffix(".toml").tempfile().map_err(fault)?;
    std::fs::write(draft.path(), &before).map_err(fault)?;
    loop {
        run_editor(context, draft.path())?;
        let after = load::read_file(draft.path())?.unwrap_or_default();
        if after == before {
            context.terminal.say("Nothing was changed.");
            return Ok(());
        }
        let origin = |line| Origin::File(draft.path().to_owned(), line);
        match crate::profile::layer::read(PROFILE, &after, &origin, Some(draft.path())) {
            Ok(_) => return complete::write_profile(context, name, &after),
            Err(error) if context.may_ask() => {
                context.terminal.line("31", "error", &error.to_string());
                if terminal::ask("edit again? (y/n)")? != "y" {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn run_editor(context: &Context, path: &Path) -> Result<()> {
    let fallback = if cfg!(windows) { "notepad" } else { "vi" };
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| context.env.os(name))
        .unwrap_or_else(|| OsString::from(fallback));
    let text = editor.to_string_lossy().into_owned();
    let mut words = text.split_whitespace();
    let mut command = std::process::Command::new(words.next().unwrap_or(fallback));
    command.args(words).arg(path);
    for name in env::SECRETS {
        command.env_remove(name);
    }
    let status = command
        .status()
        .map_err(|error| Error::io(format!("can't run the editor {text}"), error))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::io(
            format!("the editor {text} failed"),
            std::io::Error::other(status.to_string()),
        ))
    }
}

fn checked(name: &str) -> Result<String> {
    check_name(name).map_err(|what| Error::config(format!("a profile's name {what}")))?;
    Ok(name.to_owned())
}
