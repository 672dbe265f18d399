use super::args::As;
use super::context::Context;
use crate::error::Result;
use crate::profile::Profile;
use crate::profile::layer::Layer;
use crate::session::index;
use crate::session::slot::Slot;
use crate::terms::Identity;

/// Revoke tokens where the provider can, and forget them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl logout --profile bindeo
  oauthctl logout --all --local        forget everything, tell no server")]
pub(super) struct Args {
    #[command(flatten)]
    identity: As,
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
            for name in index::names(&context.dirs.data)? {
                if let Some(slot) = Slot::from_name(&name) {
                    // A profile whose file is gone has tokens that can be forgotten all the same.
                    let profile = context.profile_named(&slot.profile, Layer::default());
                    let profile = profile.or_else(|_| {
                        Profile::new(&slot.profile, &Layer::default(), &context.dirs)
                    })?;
                    self.forget(context, &profile, &[slot])?;
                }
            }
            return Ok(());
        }
        let mut flags = Layer::default();
        self.identity.lay(&mut flags);
        let profile = context.profile(flags)?;
        let slots = match profile.identity() {
            Identity::User => vec![Slot::user(&profile.name)],
            Identity::Client => {
                context.with_session(&profile, None, |session| session.slots(Identity::Client))?
            }
        };
        let forgot = self.forget(context, &profile, &slots)?;
        context.terminal.say(&match forgot {
            true => format!("Logged out of {}.", profile.name),
            false => {
                format!("There was no {} token of {} to forget.", profile.identity(), profile.name)
            }
        });
        Ok(())
    }

    fn forget(&self, context: &Context, profile: &Profile, slots: &[Slot]) -> Result<bool> {
        context.with_session(profile, None, |session| {
            slots.iter().try_fold(false, |forgot, slot| Ok(session.logout(slot)? || forgot))
        })
    }
}
