use clap::Subcommand;

use super::context::Context;
use crate::error::Result;
use crate::profile::layer::Layer;
use crate::session::index;
use crate::terms::StoreKind;

mod migrate;

/// See, check and move what the token stores hold
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
    #[command(after_help = "\
Each entry is copied, read back, and only then removed where it was. A run that is interrupted loses
nothing: run it again.")]
    Migrate {
        /// The store that holds them now: keychain, kernel, file or command
        #[arg(value_parser = parse_store)]
        from: StoreKind,
        /// The store that is to hold them
        #[arg(value_parser = parse_store)]
        to: StoreKind,
    },
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<u8> {
        match self.command {
            Command::Migrate { from, to } => migrate::run(context, from, to),
        }
    }
}

/// A name that is nothing at all is an error, not an empty list; what is kept of a profile that has
/// gone is still there.
fn check_profile(context: &Context) -> Result<()> {
    let Some(only) = &context.global.profile else { return Ok(()) };
    let names = index::names(&context.dirs.data)?;
    if names.iter().any(|name| name.profile() == only) {
        return Ok(());
    }
    context.find(only, Layer::default()).map(drop)
}

fn parse_store(text: &str) -> Result<StoreKind, String> {
    match StoreKind::from_word(text) {
        Some(kind) if kind != StoreKind::None => Ok(kind),
        _ => Err("expected keychain, kernel, file or command".to_owned()),
    }
}
