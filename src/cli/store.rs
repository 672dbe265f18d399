use clap::Subcommand;

use super::context::Context;
use crate::error::{Error, Result};
use crate::session::vault::Vault;
use crate::session::{index, migrate};
use crate::terms::StoreKind;

/// Move tokens between stores
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl store migrate file keychain
  oauthctl store migrate keychain file -p bindeo")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Move every entry, or those of one profile, from one store to another
    Migrate {
        /// The store that holds them now: keychain or file
        #[arg(value_parser = parse_store)]
        from: StoreKind,
        /// The store that is to hold them
        #[arg(value_parser = parse_store)]
        to: StoreKind,
    },
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self.command {
            Command::Migrate { from, to } => Ok(run(context, from, to)?),
        }
    }
}

fn run(context: &Context, from: StoreKind, to: StoreKind) -> Result<()> {
    if from == to {
        return Err(Error::Usage(format!("the entries of the {from} store are there already")));
    }
    // The stores are named here: what --store or config.toml say is for new tokens.
    let vault = Vault::new(context.place()?, None, &context.terminal);
    let only = context.global.profile.as_deref();
    let mut moved = 0;
    for name in index::names(&context.dirs.data)? {
        if only.is_none_or(|only| only == name.profile()) {
            moved += usize::from(migrate::migrate(&vault, &name, from, to, context.timeout)?);
        }
    }
    let entries = if moved == 1 { "entry" } else { "entries" };
    context
        .terminal
        .say(&format!("Moved {moved} {entries} from the {from} store to the {to} store."));
    Ok(())
}

fn parse_store(text: &str) -> Result<StoreKind, String> {
    match StoreKind::from_word(text) {
        Some(kind) if kind != StoreKind::None => Ok(kind),
        _ => Err("expected keychain or file".to_owned()),
    }
}
