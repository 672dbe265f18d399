use clap::Subcommand;
use clap_complete::engine::ArgValueCompleter;

use super::context::{Context, print};
use super::names;
use crate::error::{Error, Result};
use crate::output::json;
use crate::output::table::Table;
use crate::profile::load::Preset;
use crate::profile::{edit, load};

/// List and show the providers that are known
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl provider list
  oauthctl provider show musement")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the presets, built in and your own
    List {
        /// Print an array of objects
        #[arg(long)]
        json: bool,
    },
    /// Print a preset: what to register and where, and which layer each value comes from
    Show {
        /// The preset
        #[arg(add = ArgValueCompleter::new(names::providers))]
        name: String,
    },
}

#[derive(serde::Serialize)]
struct Listed {
    name: String,
    description: String,
    base_url: Option<String>,
    grants: Vec<String>,
    source: String,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        match &self.command {
            Command::List { json } => list(context, *json)?,
            Command::Show { name } => {
                let Preset { layer, notes } = preset(context, name)?;
                let gap = if notes.is_empty() { "" } else { "\n" };
                print(format!("{notes}{gap}{}", edit::annotated(&layer)).as_bytes())?;
            }
        }
        Ok(())
    }
}

fn preset(context: &Context, name: &str) -> Result<Preset> {
    crate::profile::check::check_name(name)
        .map_err(|what| Error::config(format!("a preset's name {what}")))?;
    load::noted_preset(&context.dirs, name)?.ok_or_else(|| {
        let names = load::provider_names(&context.dirs);
        Error::config(format!(
            "there is no provider preset named {name}; there are: {}",
            names.join(", ")
        ))
    })
}

fn list(context: &Context, as_json: bool) -> Result<()> {
    let mut listed = Vec::new();
    for name in load::provider_names(&context.dirs) {
        let Preset { layer, notes } = preset(context, &name)?;
        let path = context.dirs.provider(&name);
        let source = if path.exists() { path.display().to_string() } else { "built in".to_owned() };
        let title = notes.lines().next().unwrap_or_default();
        listed.push(Listed {
            description: title.trim_start_matches(['#', ' ']).to_owned(),
            base_url: layer.text("base_url").map(str::to_owned),
            grants: layer.list("grants").unwrap_or_default().to_vec(),
            name,
            source,
        });
    }
    if as_json {
        return print(json::document(&listed).expose());
    }
    let mut table = Table::new(["PROVIDER", "DESCRIPTION", "SOURCE"]);
    for row in &listed {
        table.row([
            row.name.as_str().into(),
            row.description.as_str().into(),
            row.source.as_str().into(),
        ]);
    }
    print(table.render(context.layout()).as_bytes())
}
