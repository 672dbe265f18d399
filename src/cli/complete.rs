//! What a profile lacks is asked for, and what a person typed is kept.

use super::context::Context;
use super::terminal;
use crate::durable;
use crate::error::{ConfigError, Error, Result};
use crate::profile::dirs::read_file;
use crate::profile::environment::from_text;
use crate::profile::layer::{Layer, Origin};
use crate::profile::load::{self, Found};
use crate::profile::schema::{PROFILE, SecretSource, Value};
use crate::profile::{Profile, edit, placeholder};
use crate::secret::Secret;
use crate::session::secrets;
use crate::terms::ClientAuthMethod;

/// What a person typed.
#[derive(Debug, Default)]
pub(super) struct Typed {
    keys: Vec<(&'static str, String)>,
    client_secret: Option<Secret>,
}

impl Typed {
    /// The client secret, where it was typed.
    #[must_use]
    pub(super) fn client_secret(&self) -> Option<Secret> {
        self.client_secret.clone()
    }

    /// Remembers what was typed for a key.
    pub(super) fn key(&mut self, key: &'static str, text: String) {
        self.keys.push((key, text));
    }
}

/// The profile that the layers make.
pub(super) fn profile(context: &Context, found: &Found) -> Result<Profile> {
    Profile::new(&found.name, &found.layer, &context.dirs)
}

/// The profile as far as it is known, with something made up for what is missing: enough to judge
/// what doesn't depend on that, before anybody is asked for it.
pub(super) fn draft(context: &Context, found: &Found) -> Result<Profile> {
    let mut layer = found.layer.clone();
    for key in missing(&layer) {
        let made_up = match key {
            "token_url" | "base_url" => "https://unknown.invalid",
            "client_secret" => continue,
            _ => "unknown",
        };
        layer.set(key, Value::Text(made_up.to_owned()), Origin::Flag("made up"));
    }
    Profile::new(&found.name, &layer, &context.dirs)
}

/// The keys without which nothing can be asked of the token endpoint.
fn missing(layer: &Layer) -> Vec<&'static str> {
    let relative = layer.text("token_url").is_some_and(|url| url.starts_with('/'))
        || layer.text("issuer").is_some_and(|issuer| issuer.starts_with("{base_url}"));
    let auth = layer.text("client_auth");
    let needs_secret = auth.is_some_and(|method| method != ClientAuthMethod::None.as_str());
    let mut keys = Vec::new();
    if layer.text("token_url").is_none() && layer.text("issuer").is_none() {
        keys.push("token_url");
    }
    if relative && layer.text("base_url").is_none() {
        keys.push("base_url");
    }
    keys.extend(placeholder::missing(layer));
    if layer.text("client_id").is_none() {
        keys.push("client_id");
    }
    if needs_secret && layer.secret("client_secret").is_none() {
        keys.push("client_secret");
    }
    keys
}

/// Whether nothing is missing.
pub(super) fn is_whole(found: &Found) -> bool {
    missing(&found.layer).is_empty()
}

/// Where nobody can be asked, an error that names all that is missing, `also` what else is.
pub(super) fn refuse_missing(
    context: &Context,
    found: &Found,
    also: &[&'static str],
) -> Result<()> {
    let mut keys = missing(&found.layer);
    keys.extend(also);
    match keys.first() {
        Some(&first) if !context.may_ask() => Err(Error::Config(ConfigError {
            message: format!("the profile {} lacks {}", found.name, keys.join(", ")),
            missing: Some(first),
            ..ConfigError::default()
        })),
        _ => Ok(()),
    }
}

/// Asks for what is missing; where nobody can be asked, the error names all of it.
pub(super) fn ask_for_missing(context: &Context, found: &mut Found) -> Result<Typed> {
    refuse_missing(context, found, &[])?;
    let mut typed = Typed::default();
    let keys = missing(&found.layer);
    for key in keys {
        if key == "client_secret" {
            typed.client_secret = Some(terminal::ask_secret("client_secret")?);
            // A place is taken, so that the profile is whole; the secret itself goes along by hand.
            found.layer.set(key, Value::Secret(SecretSource::Store), Origin::Flag("typed"));
            continue;
        }
        let text = terminal::ask(key)?;
        found.layer.set(key, from_text(key, &text, key)?, Origin::Flag("typed"));
        typed.key(key, text);
    }
    Ok(typed)
}

/// Keeps what was typed, unless the server says that it is wrong.
pub(super) fn save_unless_refused(
    context: &Context,
    found: &Found,
    typed: &Typed,
    error: Option<&Error>,
) -> Result<()> {
    let keeps = match error {
        None => true,
        // The client was right: only the grant was not.
        Some(Error::Refused(refusal)) => refusal.is_invalid_grant(),
        Some(_) => false,
    };
    let nothing = typed.keys.is_empty() && typed.client_secret.is_none();
    if !keeps || nothing || found.name == load::ENV_PROFILE {
        return Ok(());
    }
    let path = context.dirs.profile(&found.name);
    let mut text = match read_file(&path)? {
        Some(text) => text,
        None => new_text(found)?,
    };
    for (key, value) in &typed.keys {
        text = edit::set(&text, key, &from_text(key, value, key)?)?;
    }
    if let Some(secret) = &typed.client_secret {
        let entry = secrets::client_secret_entry(&found.name);
        context.vault()?.keep_secret(&entry, &Secret::new(secret.expose().clone().into_bytes()))?;
        text = edit::set(&text, "client_secret", &Value::Secret(SecretSource::Store))?;
    }
    write_profile(context, &found.name, &text)
}

/// The beginning of a profile that was a preset's name until now.
fn new_text(found: &Found) -> Result<String> {
    match found.layer.text("provider") {
        Some(provider) => edit::set("", "provider", &Value::Text(provider.to_owned())),
        None => Ok(String::new()),
    }
}

/// Writes a profile's file whole, once it is known to be sound; the first one becomes the default.
pub(super) fn write_profile(context: &Context, name: &str, text: &str) -> Result<()> {
    let path = context.dirs.profile(name);
    let origin = |line| Origin::File(path.clone(), line);
    crate::profile::layer::read(PROFILE, text, &origin, Some(&path))?;
    let is_first = load::profile_names(&context.dirs).is_empty();
    let fault = |error| Error::io(format!("can't write {}", path.display()), error);
    durable::replace(&path, text.as_bytes()).map_err(fault)?;
    if is_first && context.settings.text("default_profile").is_none() {
        set_default(context, Some(name))?;
    }
    Ok(())
}

/// Makes a profile the default, or none.
pub(super) fn set_default(context: &Context, name: Option<&str>) -> Result<()> {
    let path = context.dirs.settings();
    let text = read_file(&path)?.unwrap_or_default();
    let text = match name {
        Some(name) => edit::set(&text, "default_profile", &Value::Text(name.to_owned()))?,
        None => edit::unset(&text, "default_profile")?.0,
    };
    durable::replace(&path, text.as_bytes())
        .map_err(|error| Error::io(format!("can't write {}", path.display()), error))
}
