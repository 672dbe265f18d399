//! What the environment says of a profile.

use super::layer::{self, Layer, Origin};
use super::schema::{self, Value};
use crate::env::Env;
use crate::error::{Error, Result};

/// The variables that make a profile by themselves, and their keys.
pub(super) const ENDPOINT_VARIABLES: &[(&str, &str)] = &[
    ("OAUTHCTL_PROVIDER", "provider"),
    ("OAUTHCTL_BASE_URL", "base_url"),
    ("OAUTHCTL_ISSUER", "issuer"),
    ("OAUTHCTL_TOKEN_URL", "token_url"),
];

/// The layers of some variables, each with its name.
type Variables = Vec<(&'static str, Layer)>;

/// The layers of those variables that are set.
pub(super) fn variables(
    env: &Env,
    variables: &[(&'static str, &'static str)],
) -> Result<Variables> {
    let mut layers = Vec::new();
    for &(variable, key) in variables {
        let Some(text) = env.text(variable)? else { continue };
        if ENDPOINT_VARIABLES.iter().any(|(known, _)| *known == variable) && text.contains('{') {
            // What stands for a placeholder is the profile's to say: it decides where secrets go.
            return Err(Error::config(format!("{variable} must not hold braces")));
        }
        let mut layer = Layer::default();
        layer.set(key, from_text(key, &text, variable)?, Origin::Environment(variable));
        layers.push((variable, layer));
    }
    Ok(layers)
}

/// Whether the environment can supply a key.
#[must_use]
pub fn has_variable(key: &str) -> bool {
    ENDPOINT_VARIABLES.iter().chain(CREDENTIALS).chain(SECRETS).any(|(_, known)| *known == key)
}

/// The variables that say something of whichever profile, and their keys.
const CREDENTIALS: &[(&str, &str)] = &[
    ("OAUTHCTL_AS", "identity"),
    ("OAUTHCTL_SCOPE", "scope"),
    ("OAUTHCTL_MIN_TTL", "min_ttl"),
    ("OAUTHCTL_CLIENT_ID", "client_id"),
    ("OAUTHCTL_USERNAME", "username"),
];

/// The same, of secrets.
const SECRETS: &[(&str, &str)] =
    &[("OAUTHCTL_CLIENT_SECRET", "client_secret"), ("OAUTHCTL_PASSWORD", "password")];

/// The credentials and choices that the environment supplies for whichever profile.
pub(super) fn credentials(env: &Env) -> Result<Layer> {
    let mut all = Layer::default();
    for (_, layer) in variables(env, CREDENTIALS)? {
        all.overlay(layer);
    }
    for &(variable, key) in SECRETS {
        if env.os(variable).is_some() {
            let source = schema::SecretSource::Env(variable.to_owned());
            all.set(key, Value::Secret(source), Origin::Environment(variable));
        }
    }
    Ok(all)
}

/// Reads the text of a flag or a variable as the value of a key; lists are separated by blanks or commas.
pub fn from_text(key: &str, text: &str, from: &str) -> Result<Value> {
    let Some(field) = layer::field_of(schema::PROFILE, key) else {
        return Err(Error::config(layer::unknown_key(schema::PROFILE, key)));
    };
    let list =
        || text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let value = match field.kind {
        schema::Kind::Scopes => field
            .kind
            .list(text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()),
        schema::Kind::Words(_) | schema::Kind::Hosts => field.kind.list(list()),
        schema::Kind::Flag => match text {
            "true" => field.kind.flag(true),
            "false" => field.kind.flag(false),
            _ => Err("must be true or false".to_owned()),
        },
        schema::Kind::Seconds => match text.parse() {
            Ok(number) => field.kind.number(number),
            Err(_) => Err("must be a whole number of seconds".to_owned()),
        },
        kind if kind.is_table() => {
            let name = key
                .strip_prefix(field.key)
                .and_then(|rest| rest.strip_prefix('.'))
                .unwrap_or_default();
            kind.entry(name, text)
        }
        kind => kind.text(text),
    };
    value.map_err(|what| Error::config(format!("{from} {what}")))
}
