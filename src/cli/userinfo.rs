use super::args::MinTtlArg;
use super::context::Context;
use super::told::print_told;
use crate::profile::layer::Layer;
use crate::session::Want;

/// Ask the server about the person who is logged in
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl userinfo
  oauthctl userinfo --json | jq -r .email")]
pub(super) struct Args {
    #[command(flatten)]
    min_ttl: MinTtlArg,
    /// Print the server's answer as it is
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let mut flags = Layer::default();
        self.min_ttl.lay(&mut flags);
        let profile = context.profile_discovered(flags)?;
        let want = Want::life(profile.min_ttl());
        let answer = context.with_session(&profile, None, |session| session.userinfo(want))?;
        Ok(print_told(context, &answer, self.json)?)
    }
}
