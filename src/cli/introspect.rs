use super::args::As;
use super::context::Context;
use super::terminal;
use super::told::print_told;
use crate::error::{Error, Result};
use crate::profile::Profile;
use crate::profile::layer::Layer;
use crate::secret::Secret;
use crate::session::{Session, Want};
use crate::terms::Identity;

/// Ask the server about a token
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The answer is the result, also where it says that the token is not active.

Examples:
  oauthctl introspect --profile bindeo
  oauthctl introspect --refresh-token --json | jq .active
  oauthctl introspect --token-stdin <token.txt")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) identity: As,
    /// Ask about the refresh token
    #[arg(long, conflicts_with = "token_stdin")]
    refresh_token: bool,
    /// Ask about a token on stdin
    #[arg(long)]
    token_stdin: bool,
    /// Print the server's answer as it is
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let mut flags = Layer::default();
        self.identity.lay(&mut flags);
        let profile = context.profile_discovered(flags)?;
        let given = self.token_stdin.then(|| terminal::read_secret("the token")).transpose()?;
        let answer = context.with_session(&profile, None, |session| {
            let (token, hint) = match given {
                Some(token) => (token, None),
                None => self.cached(session, &profile)?,
            };
            session.introspect(&token, hint)
        })?;
        Ok(print_told(context, &answer, self.json)?)
    }

    /// The command that asks the same once more.
    pub(super) fn again(&self) -> String {
        let mut words = "introspect".to_owned();
        for (given, flag) in
            [(self.refresh_token, " --refresh-token"), (self.token_stdin, " --token-stdin")]
        {
            words.push_str(if given { flag } else { "" });
        }
        match self.identity.identity {
            Some(identity) => format!("{words} --as {identity}"),
            None => words,
        }
    }

    /// The token as it is cached: also one that has ended can be asked about.
    fn cached(
        &self,
        session: &Session<'_>,
        profile: &Profile,
    ) -> Result<(Secret, Option<&'static str>)> {
        let identity = profile.identity();
        let none = |what: &str| Error::LoginRequired {
            profile: profile.name.clone(),
            because: format!("there is no {what} of {} to ask about", profile.name),
        };
        let mut tokens = session.to_inspect(identity)?;
        if tokens.is_none() && identity == Identity::Client && !self.refresh_token {
            // No person is needed for one.
            let want = Want::life(profile.min_ttl());
            tokens = Some(session.token(identity, want)?.tokens);
        }
        let tokens = tokens.ok_or_else(|| none(&format!("{identity} token")))?;
        if self.refresh_token {
            let token = tokens.refresh_token.ok_or_else(|| none("refresh token"))?;
            return Ok((token, Some("refresh_token")));
        }
        Ok((tokens.access_token, Some("access_token")))
    }
}
