use clap::Subcommand;

use super::context::Context;
use crate::error::Result;
use crate::profile::layer::Layer;
use crate::session::index;
use crate::terms::StoreKind;

mod migrate;
mod status;
mod verify;

/// See, check and move what the token stores hold
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl store status                          which store is in use, and what each holds
  oauthctl store verify                          whether every token can be read
  oauthctl store migrate file keychain
  oauthctl store migrate keychain file -p bindeo")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell which store is in use, which can be reached, and what they hold
    #[command(after_help = "\
Nothing is asked, made or changed. A store that is locked or can't be reached is a result, not a failure:
the exit code is 0, and --json has each one's status. What a store can't tell now is told by the index, with a
question mark.")]
    Status {
        /// Print an object
        #[arg(long)]
        json: bool,
    },
    /// Read every entry, and tell what is broken and what is left over
    #[command(after_help = "\
Nothing is changed. Where an entry can't be used the exit code is 7, stdout is empty, and stderr tells of each
one what to do. What is left over does no harm: it is a warning, and the exit code is 0.")]
    Verify {
        /// Print an array of objects
        #[arg(long)]
        json: bool,
    },
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
            Command::Status { json } => status::run(context, json).map(|()| Ok(0))?,
            Command::Verify { json } => verify::run(context, json),
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
