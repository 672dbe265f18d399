use super::args::{As, MinTtlArg};
use super::context::{Context, print};
use super::token;

/// Print the header line, renewed first when it must be
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  curl -H @<(oauthctl header) https://api.bindeo.com/     the token stays out of curl's argv
  curl -H \"$(oauthctl header)\" https://api.bindeo.com/    where argv may be seen
  oauthctl header --as client --min-ttl 10m")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) identity: As,
    #[command(flatten)]
    min_ttl: MinTtlArg,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let tokens = token::obtain(context, &self.identity, &self.min_ttl)?.tokens;
        Ok(print(crate::output::header::line(&tokens.access_token).expose())?)
    }
}
