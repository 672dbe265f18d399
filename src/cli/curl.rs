use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;

use super::args::{As, MinTtlArg};
use super::context::Context;
use super::{exec, token};
use crate::curl::{self, ApiHosts, Bearer, Call, Outcome, Tokens};
use crate::env;
use crate::error::Result;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::session::{Session, Want, Why};

/// Run the system's curl with the header: in no argv, file or environment
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The token goes only to the profile's api_hosts: to those listed there, else to the host of base_url,
else to the hosts named on this command line. A 401 renews it and repeats the request, once.

Examples:
  oauthctl curl -p bindeo -- -sS https://api.bindeo.com/
  oauthctl curl -- --json '{\"a\":1}' https://api.bindeo.com/items")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) identity: As,
    #[command(flatten)]
    min_ttl: MinTtlArg,
    /// curl's own arguments
    #[arg(last = true, required = true, value_name = "ARGS")]
    arguments: Vec<OsString>,
}

impl Args {
    /// With these arguments for curl, and no others.
    pub(super) fn of(arguments: Vec<OsString>) -> Self {
        Self { identity: As::default(), min_ttl: MinTtlArg::default(), arguments }
    }

    pub(super) fn run(&self, context: &Context) -> anyhow::Result<u8> {
        let profile = token::profile(context, &self.identity, &self.min_ttl)?;
        let hosts = hosts(&profile)?;
        let program = OsStr::new("curl");
        let outcome = context.with_session(&profile, None, |session| {
            let call = Call {
                program,
                args: &self.arguments,
                hosts: &hosts,
                environment: &|name| context.env.os(name),
                withheld: env::SECRETS,
                terminal: std::io::stdout().is_terminal(),
                report: &context.terminal,
            };
            curl::run(&call, &Source { session })
        })?;
        Ok(match outcome {
            Outcome::Exited(code) => exec::code(code),
            Outcome::Signaled(signal) => exec::code(128 + signal),
            Outcome::NotStarted(error) => exec::not_run(context, program, &error),
        })
    }
}

/// The hosts that may see the token.
fn hosts(profile: &Profile) -> Result<ApiHosts> {
    match (&profile.api_hosts, &profile.base_url) {
        (Some(hosts), _) => ApiHosts::listed(hosts),
        (None, Some(base_url)) => ApiHosts::of(base_url.as_str()),
        (None, None) => Ok(ApiHosts::default()),
    }
}

/// The session's token, for curl.
struct Source<'a> {
    session: &'a Session<'a>,
}

impl Source<'_> {
    fn obtain(&self, why: Why<'_>) -> Result<Bearer> {
        let profile = self.session.profile;
        let want = Want { min_ttl: profile.min_ttl(), why, fallback: true };
        let obtained = self.session.token(profile.identity(), want)?;
        Ok(Bearer { token: obtained.tokens.access_token, just_made: obtained.made_here })
    }
}

impl Tokens for Source<'_> {
    fn current(&self) -> Result<Bearer> {
        self.obtain(Why::Life)
    }

    fn renewed(&self, refused: &Secret) -> Result<Option<Secret>> {
        self.obtain(Why::Refused(refused)).map(|bearer| Some(bearer.token))
    }
}
