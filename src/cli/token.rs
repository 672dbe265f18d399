use super::args::{As, MinTtlArg};
use super::context::{Context, now, print};
use crate::error::{Error, Result};
use crate::output::{json, raw};
use crate::profile::Profile;
use crate::profile::layer::Layer;
use crate::report::Report;
use crate::session::{Obtained, Want};
use crate::token::MinTtl;

/// Print the bare access token, renewed first when it must be
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  TOKEN=$(oauthctl token) || exit
  oauthctl token --json | jq .expires_in")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) identity: As,
    #[command(flatten)]
    min_ttl: MinTtlArg,
    /// Print an object with the token, its type and its end
    #[arg(long)]
    json: bool,
    /// Print the ID token instead
    #[arg(long, conflicts_with = "json")]
    id: bool,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let tokens = obtain(context, &self.identity, &self.min_ttl)?.tokens;
        if self.id {
            let id_token = tokens.id_token.as_ref().ok_or_else(|| Error::LoginRequired {
                profile: context.profile_name().unwrap_or_default(),
                because: "there is no ID token: log in with openid among the scopes".to_owned(),
            })?;
            if !tokens.id_token_verified {
                context.terminal.warn("the ID token was not verified");
            }
            return Ok(print(raw::line(id_token).expose())?);
        }
        let text = if self.json {
            json::document(&json::TokenObject::new(&tokens, now()))
        } else {
            raw::line(&tokens.access_token)
        };
        Ok(print(text.expose())?)
    }
}

/// These flags as the top layer of a profile.
fn layer(identity: &As, min_ttl: &MinTtlArg) -> Layer {
    let mut flags = Layer::default();
    identity.lay(&mut flags);
    min_ttl.lay(&mut flags);
    flags
}

/// The profile with these flags on top, ready for its server to be asked should its token be due.
pub(super) fn profile(context: &Context, identity: &As, min_ttl: &MinTtlArg) -> Result<Profile> {
    let (profile, outdated) = context.profile_as_known(layer(identity, min_ttl))?;
    if !outdated || cached(context, &profile, profile.min_ttl())?.is_some() {
        return Ok(profile);
    }
    context.profile(layer(identity, min_ttl))
}

/// The token that these flags mean, renewed first when it must be.
pub(super) fn obtain(context: &Context, identity: &As, min_ttl: &MinTtlArg) -> Result<Obtained> {
    let (mut profile, outdated) = context.profile_as_known(layer(identity, min_ttl))?;
    if outdated {
        if let Some(fresh) = cached(context, &profile, profile.min_ttl())? {
            return Ok(fresh);
        }
        profile = match context.profile(layer(identity, min_ttl)) {
            Ok(profile) => profile,
            Err(error) => return serve_on(context, &profile, error),
        };
    }
    let want = Want::life(profile.min_ttl());
    context.with_session(&profile, None, |session| session.token(profile.identity(), want))
}

/// The token as it is cached, where it has this much life left.
fn cached(context: &Context, profile: &Profile, min_ttl: MinTtl) -> Result<Option<Obtained>> {
    let want = Want::life(min_ttl);
    context.with_session(profile, None, |session| session.cached(profile.identity(), want))
}

/// A token that is due but lives, where nobody says how it could be renewed.
fn serve_on(context: &Context, profile: &Profile, error: Error) -> Result<Obtained> {
    if !error.is_transient() {
        return Err(error);
    }
    let Some(live) = cached(context, profile, MinTtl::Explicit(0))? else { return Err(error) };
    let why = error.sentence();
    context
        .terminal
        .warn(&format!("the token could not be renewed: {why}; the present one serves on"));
    Ok(live)
}
