use std::ffi::OsString;

use super::args::{As, MinTtlArg};
use super::context::Context;

/// Run the system's curl with the header
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    identity: As,
    #[command(flatten)]
    min_ttl: MinTtlArg,
    /// curl's own arguments
    #[arg(last = true, required = true, value_name = "ARGS")]
    arguments: Vec<OsString>,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<u8> {
        let _ = (context, &self.identity, &self.min_ttl, &self.arguments);
        anyhow::bail!("soon")
    }
}
