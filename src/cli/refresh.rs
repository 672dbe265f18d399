use std::time::Duration;

use super::args::{As, parse_duration};
use super::context::{Context, now, print};
use super::{dry_run, failure, show};
use crate::error::{Error, Result};
use crate::output::{humane, json};
use crate::profile::Profile;
use crate::profile::layer::Layer;
use crate::secret::Secret;
use crate::session::slot::Slot;
use crate::session::{Obtained, Want, Why, index};
use crate::terms::{GrantType, Identity};
use crate::token::MinTtl;
use crate::wire::request::TokenRequest;

/// Renew a token now
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl refresh --profile bindeo
  oauthctl refresh --all --if-expiring 1h      for a timer, so that no session ends unused")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) identity: As,
    /// Renew only a token that has less life left than this
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    if_expiring: Option<Duration>,
    /// Renew every cached token
    #[arg(long, conflicts_with_all = ["identity", "dry_run"])]
    all: bool,
    /// Print what was obtained, as `show --json` does; an array with --all
    #[arg(long)]
    json: bool,
    /// Print the request, with its secrets masked, and send nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<u8> {
        if self.all {
            return self.run_all(context);
        }
        let mut flags = Layer::default();
        self.identity.lay(&mut flags);
        let profile = context.profile(flags)?;
        let identity = profile.identity();
        if self.dry_run {
            let request = request(&profile, identity)?;
            print(dry_run::text(&profile, &request)?.as_bytes())?;
            return Ok(0);
        }
        let obtained = self.renew(context, &profile, identity)?;
        if self.json {
            print(show::object(&profile, &obtained).expose())?;
        }
        Ok(0)
    }

    fn renew(&self, context: &Context, profile: &Profile, identity: Identity) -> Result<Obtained> {
        if identity == Identity::User {
            profile.require(GrantType::RefreshToken)?;
        }
        let want = match self.if_expiring {
            Some(ttl) => {
                let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
                Want { min_ttl: MinTtl::Explicit(seconds), why: Why::Life, fallback: false }
            }
            None => Want { min_ttl: profile.min_ttl(), why: Why::Forced, fallback: false },
        };
        let obtained =
            context.with_session(profile, None, |session| session.token(identity, want))?;
        let end = humane::expiry(obtained.tokens.life(), now());
        let done = if obtained.made_here { "Renewed" } else { "Fresh already" };
        context.terminal.say(&format!("{done}: the {identity} token of {} {end}.", profile.name));
        Ok(obtained)
    }

    /// Renews whatever is cached; what fails is told, and the rest is renewed all the same.
    ///
    /// The exit code is that of the first failure.
    fn run_all(&self, context: &Context) -> anyhow::Result<u8> {
        let mut renewed = Vec::new();
        let mut failed = None;
        for slot in index::slots(&context.dirs.data)? {
            let named = context.global.profile.as_ref();
            if named.is_some_and(|named| *named != slot.profile) {
                continue;
            }
            match self.renew_slot(context, &slot) {
                Ok(Some(pair)) => renewed.push(pair),
                Ok(None) => {}
                Err(error) => {
                    let Slot { profile, identity, .. } = &slot;
                    let again = again(context, &slot, &error);
                    let error = anyhow::Error::from(error)
                        .context(format!("the {identity} token of {profile} was not renewed"));
                    failure::tell(&context.terminal, &error, Some(profile), &again);
                    failed.get_or_insert(failure::code(&error));
                }
            }
        }
        if let Some(code) = failed {
            return Ok(code);
        }
        if self.json {
            let now = now();
            let objects: Vec<_> = renewed
                .iter()
                .map(|(profile, obtained)| show::Owned::of(profile, obtained))
                .collect();
            let objects: Vec<_> = objects.iter().map(|owned| owned.shown(now)).collect();
            print(json::document(&objects).expose())?;
        }
        Ok(0)
    }

    fn renew_slot(&self, context: &Context, slot: &Slot) -> Result<Option<(Profile, Obtained)>> {
        if index::read(&context.dirs.data, &slot.name())?.is_none_or(|entry| entry.token.is_none())
        {
            return Ok(None);
        }
        let mut profile = context.profile_to_ask(&slot.profile, Layer::default())?;
        if slot.identity == Identity::Client {
            // A machine's token is asked for again as it was asked for before.
            let stored = context.with_session(&profile, None, |session| session.stored(slot))?;
            let Some(stored) = stored else { return Ok(None) };
            let asked = stored.tokens.asked;
            profile.scope = asked.scope;
            profile.ask_for_audience(asked.audience.as_deref());
        }
        let obtained = self.renew(context, &profile, slot.identity)?;
        Ok(Some((profile, obtained)))
    }
}

/// The command that makes a slot's request once more, or that gets rid of what is broken.
fn again(context: &Context, slot: &Slot, error: &Error) -> String {
    let identity = slot.identity;
    let is_own = context.profile_named(&slot.profile, Layer::default()).is_ok_and(|profile| {
        let asked = profile.asked(Identity::Client);
        *slot == Slot::client(&slot.profile, &asked.scope, asked.audience.as_deref())
    });
    // Nobody knows what was asked for: that stood in what is broken.
    if matches!(error, Error::Store(_)) && identity == Identity::Client && !is_own {
        return format!("logout --local --as {identity}");
    }
    format!("refresh --as {identity}")
}

fn request(profile: &Profile, identity: Identity) -> Result<TokenRequest> {
    match identity {
        Identity::User => {
            profile.require(GrantType::RefreshToken)?;
            Ok(TokenRequest::refresh_token(Secret::from("masked"), &[]))
        }
        Identity::Client => {
            profile.require(GrantType::ClientCredentials)?;
            Ok(TokenRequest::client_credentials(&profile.scope))
        }
    }
}
