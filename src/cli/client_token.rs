use super::args::{MinTtlArg, ParamArg, ScopeArg};
use super::context::{Context, now, print};
use super::{complete, dry_run, shell};
use crate::error::Result;
use crate::output::{json, raw};
use crate::profile::layer::Layer;
use crate::profile::load::Found;
use crate::session::{Session, Want, Why};
use crate::terms::{GrantType, Identity};
use crate::token::TokenSet;
use crate::wire::request::TokenRequest;

/// Print a machine's token, cached until it nears its end
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  TOKEN=$(oauthctl client-token --profile kabbage) || exit
  oauthctl client-token --scope read --scope write --json
  OAUTHCTL_TOKEN_URL=https://id.example.com/token OAUTHCTL_CLIENT_ID=ci \\
    oauthctl client-token --no-store                     with OAUTHCTL_CLIENT_SECRET set")]
pub(super) struct Args {
    #[command(flatten)]
    scope: ScopeArg,
    #[command(flatten)]
    param: ParamArg,
    #[command(flatten)]
    min_ttl: MinTtlArg,
    /// Fetch anew, whatever is cached
    #[arg(long)]
    force: bool,
    /// Touch no store: fetch, print, forget
    #[arg(long)]
    no_store: bool,
    /// Print an object with the token, its type and its end
    #[arg(long)]
    json: bool,
    /// Print the request, with its secrets masked, and send nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    /// With no other flag than this one.
    pub(super) fn with(no_store: bool) -> Self {
        Self { no_store, ..Self::default() }
    }

    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let mut flags = Layer::default();
        self.scope.lay(&mut flags)?;
        self.min_ttl.lay(&mut flags);
        self.param.lay(&mut flags, "request.params")?;
        let mut found = context.find(&context.profile_name()?, flags)?;
        if self.dry_run {
            if found.layer.text("token_url").is_none() {
                context.discover(&mut found)?;
            }
            let profile = complete::profile(context, &found)?;
            profile.require(GrantType::ClientCredentials)?;
            let request = TokenRequest::client_credentials(&profile.scope);
            return Ok(print(dry_run::text(&profile, &request)?.as_bytes())?);
        }
        let tokens = match self.cached_without_secret(context, &found)? {
            Some(tokens) => tokens,
            None => self.obtain(context, &mut found)?,
        };
        let text = if self.json {
            json::document(&json::TokenObject::new(&tokens, now()))
        } else {
            raw::line(&tokens.access_token)
        };
        Ok(print(text.expose())?)
    }

    /// The command that asks for the same token once more, whatever is cached.
    pub(super) fn again(&self) -> String {
        let scope = self.scope.scope.iter().map(|scope| format!(" --scope {}", shell::word(scope)));
        format!("client-token --force{}", scope.collect::<String>())
    }

    /// A fresh token, where what only a request would need is missing or old.
    fn cached_without_secret(&self, context: &Context, found: &Found) -> Result<Option<TokenSet>> {
        let is_ready = complete::is_whole(found) && !Context::is_outdated(found);
        if is_ready || self.force || self.no_store {
            return Ok(None);
        }
        let Ok(profile) = complete::profile(context, found) else { return Ok(None) };
        let want = Want::life(profile.min_ttl());
        let cached = context
            .with_session(&profile, None, |session| session.cached(Identity::Client, want))?;
        Ok(cached.map(|obtained| obtained.tokens))
    }

    fn obtain(&self, context: &Context, found: &mut Found) -> Result<TokenSet> {
        if Context::is_outdated(found) {
            context.discover(found)?;
        }
        // As at a login: nobody is asked for anything that can't be of use.
        if !complete::is_whole(found)
            && let Ok(profile) = complete::draft(context, found)
        {
            profile.require(GrantType::ClientCredentials)?;
        }
        let typed = complete::ask_for_missing(context, found)?;
        let profile = complete::profile(context, found)?;
        let result =
            context.with_session(&profile, typed.client_secret(), |session| self.fetch(session));
        if !self.no_store {
            complete::save_unless_refused(context, found, &typed, result.as_ref().err())?;
        }
        result
    }

    fn fetch(&self, session: &Session<'_>) -> Result<TokenSet> {
        if self.no_store {
            return session.fetch_client_token();
        }
        let why = if self.force { Why::Forced } else { Why::Life };
        let want = Want { min_ttl: session.profile.min_ttl(), why, fallback: !self.force };
        Ok(session.token(Identity::Client, want)?.tokens)
    }
}
