use clap::Subcommand;
use clap_complete::engine::ArgValueCompleter;

use super::context::{Context, print};
use super::{complete, names};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::output::json;
use crate::output::table::Table;
use crate::profile::check::check_name;
use crate::profile::dirs::read_file;
use crate::profile::layer::Layer;
use crate::profile::schema::Value;
use crate::profile::{self, Profile, load};
use crate::session::secrets;
use crate::terms::Identity;

mod add;
mod edit;
mod register;
mod set;

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
    Add(add::Add),
    /// Set or unset a key of a profile
    Set(set::Set),
    /// Remove a profile, with its tokens
    Remove {
        /// The profile
        #[arg(add = ArgValueCompleter::new(names::profiles))]
        name: String,
    },
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

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        match &self.command {
            Command::List { json } => list(context, *json)?,
            Command::Show(named) => show(context, &named.name(context)?)?,
            Command::Add(add) => add.run(context)?,
            Command::Set(set) => set.run(context)?,
            Command::Remove { name } => remove(context, &checked(name)?)?,
            Command::Edit(named) => edit::run(context, &named.name(context)?)?,
            Command::Path(named) => {
                let path = context.dirs.profile(&named.name(context)?);
                print(format!("{}\n", path.display()).as_bytes())?;
            }
        }
        Ok(())
    }
}

impl Args {
    /// The profile that is about to be made, and the command that makes it.
    pub(super) fn makes(&self) -> Option<(&str, String)> {
        match &self.command {
            Command::Add(add) => Some((add.name(), add.again())),
            _ => None,
        }
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
        let profile = load::find(&context.dirs, &Env::of(&[]), &name).and_then(|mut found| {
            context.recall(&mut found);
            let profile = Profile::new(&name, &found.layer, &context.dirs)?;
            // Before a server was asked what it offers, nobody knows whether a person can log in.
            let is_open = profile.endpoints.token.is_none() && profile.issuer.is_some();
            let is_said = profile.identity.is_some() || profile.identity() == Identity::User;
            let identity = (is_said || !is_open).then(|| profile.identity());
            Ok((found.layer.text("provider").map(str::to_owned), identity))
        });
        let (found, error) = match profile {
            Ok(found) => (Some(found), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let (provider, identity) = found.unwrap_or_default();
        Listed { default: default == Some(name.as_str()), name, provider, identity, error }
    });
    let listed: Vec<Listed> = listed.collect();
    if as_json {
        return print(json::document(&listed).expose());
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
    print(table.render(context.layout()).as_bytes())
}

fn show(context: &Context, name: &str) -> Result<()> {
    let found = context.find(name, Layer::default())?;
    // Shown even when it is not whole yet: that is when one looks.
    print(profile::edit::annotated(&found.layer).as_bytes())
}

fn remove(context: &Context, name: &str) -> Result<()> {
    let path = context.dirs.profile(name);
    if !path.exists() {
        return Err(Error::config(format!("the profile {name} has no file")));
    }
    let profile = context.profile_or_empty(name)?;
    context.with_session(&profile, None, |session| {
        for slot in session.slots()? {
            session.logout(&slot, false)?;
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

fn checked(name: &str) -> Result<String> {
    check_name(name).map_err(|what| Error::config(format!("a profile's name {what}")))?;
    Ok(name.to_owned())
}

/// The text of a profile's file; a preset's name becomes a profile with its first key.
fn text_of(context: &Context, name: &str) -> Result<String> {
    if let Some(text) = read_file(&context.dirs.profile(name))? {
        return Ok(text);
    }
    load::find(&context.dirs, &Env::of(&[]), name)?;
    profile::edit::set("", "provider", &Value::Text(name.to_owned()))
}
