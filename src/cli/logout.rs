use super::args::As;
use super::context::Context;
use crate::error::Result;
use crate::profile::Profile;
use crate::profile::layer::Layer;
use crate::report::Report;
use crate::session::Forgot;
use crate::session::index;
use crate::session::slot::Slot;

/// Revoke tokens where the provider can, and forget them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl logout --profile bindeo
  oauthctl logout --all --local        forget everything, tell no server")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) identity: As,
    /// Forget the tokens of every profile
    #[arg(long, conflicts_with = "identity")]
    all: bool,
    /// Tell the server nothing
    #[arg(long)]
    local: bool,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        if self.all {
            return Ok(self.forget_all(context)?);
        }
        let mut flags = Layer::default();
        self.identity.lay(&mut flags);
        let profile = self.profile(context, &context.profile_name()?, flags)?;
        let identity = profile.identity();
        let forgot = self.forget(context, &profile, |slot| slot.identity == identity)?;
        let name = &profile.name;
        context.terminal.say(&if forgot && !self.local && profile.endpoints.revocation.is_none() {
            format!(
                "Logged out of {name} here; the server was not told: no revocation_url is known."
            )
        } else if forgot {
            format!("Logged out of {name}.")
        } else {
            format!("There was no {identity} token of {name} to forget.")
        });
        Ok(())
    }

    fn forget_all(&self, context: &Context) -> Result<()> {
        let slots = index::slots(&context.dirs.data)?;
        let mut names: Vec<String> = slots.into_iter().map(|slot| slot.profile).collect();
        names.dedup();
        let forget = |name: &String| {
            let (profile, unread) = match self.profile(context, name, Layer::default()) {
                Ok(profile) => (profile, None),
                Err(error) => (context.profile_or_empty(name)?, Some(error)),
            };
            let forgot = self.forget(context, &profile, |_| true)?;
            if let Some(error) = unread.filter(|_| forgot && !self.local) {
                let error = error.sentence();
                context.terminal.warn(&format!("nothing of {name} was revoked: {error}"));
            }
            Ok(forgot)
        };
        first_error(names.iter().map(forget)).map(|_| ())
    }

    /// The profile of this name, with the server's revocation endpoint where that can be learnt.
    fn profile(&self, context: &Context, name: &str, flags: Layer) -> Result<Profile> {
        if self.local {
            return context.profile_named(name, flags);
        }
        match context.profile_to_ask(name, flags.clone()) {
            Err(error) if error.is_transient() => {
                let error = error.sentence();
                context.terminal.warn(&format!("nothing of {name} is revoked: {error}"));
                context.profile_named(name, flags)
            }
            profile => profile,
        }
    }

    /// Forgets the chosen slots of a profile, all of them even where one fails.
    fn forget(
        &self,
        context: &Context,
        profile: &Profile,
        chosen: impl Fn(&Slot) -> bool,
    ) -> Result<bool> {
        context.with_session(profile, None, |session| {
            let slots = session.slots()?;
            let slots = slots.iter().filter(|slot| chosen(slot));
            first_error(slots.map(|slot| match session.logout(slot, !self.local)? {
                Forgot::Nothing => Ok(false),
                // Who forgets everything reads no warning of each; and what could have been revoked was not.
                Forgot::Unread(error) if self.all || profile.endpoints.revocation.is_some() => {
                    Err(error)
                }
                Forgot::Session | Forgot::Unread(_) => Ok(true),
            }))
        })
    }
}

/// Whether anything was forgotten, or the first error once everything has been tried.
fn first_error(results: impl Iterator<Item = Result<bool>>) -> Result<bool> {
    let mut all = Ok(false);
    for one in results {
        all = match (all, one) {
            (Ok(before), Ok(now)) => Ok(before || now),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
        };
    }
    all
}
