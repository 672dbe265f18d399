use crate::cli::context::Context;
use crate::cli::failure;
use crate::error::{Error, Result};
use crate::profile::layer::Layer;
use crate::session::index;
use crate::session::migrate::{Migration, Moved};
use crate::session::vault::Vault;
use crate::store::EntryName;
use crate::terms::StoreKind;

/// Moves every entry; what fails is told, and the rest is moved all the same.
pub(super) fn run(context: &Context, from: StoreKind, to: StoreKind) -> anyhow::Result<u8> {
    if from == to {
        let message = format!("the entries of the {from} store are there already");
        return Err(Error::Usage(message).into());
    }
    // The stores are named here: what --store or config.toml say is for new tokens.
    let vault = Vault::new(context.place()?, None, &context.terminal);
    let migration = Migration { vault: &vault, from, to };
    super::check_profile(context)?;
    let only = context.global.profile.as_deref();
    let names = index::names(&context.dirs.data)?.into_iter();
    migration.can_begin()?;
    let (mut moved, mut code) = (0, 0);
    for name in names.filter(|name| only.is_none_or(|only| only == name.profile())) {
        let (error, what) = match one(context, &migration, &name) {
            Ok(Moved { moved: newly, old_copy }) => {
                moved += usize::from(newly);
                let Some(error) = old_copy else { continue };
                (error, format!("is in the {to} store, but its old copy could not be removed"))
            }
            Err(error) => (error, "was not moved".to_owned()),
        };
        // Each of the others would only wait for it, too.
        let ends = error.is_of_the_store();
        let error =
            anyhow::Error::from(error).context(format!("the entry {} {what}", name.as_str()));
        failure::tell(&context.terminal, &error, Some(name.profile()), "refresh");
        code = code.max(failure::code(&error));
        if ends {
            break;
        }
    }
    let entries = if moved == 1 { "entry" } else { "entries" };
    context
        .terminal
        .say(&format!("Moved {moved} {entries} from the {from} store to the {to} store."));
    Ok(code)
}

fn one(context: &Context, migration: &Migration<'_>, name: &EntryName) -> Result<Moved> {
    match context.profile_named(name.profile(), Layer::default()) {
        Ok(profile) => context.with_session_in(migration.vault, &profile, None, |session| {
            migration.entry(name, Some(session))
        }),
        Err(_) => migration.entry(name, None),
    }
}
