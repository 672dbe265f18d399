//! What must hold of every text of a profile or of the settings.

#![allow(clippy::missing_panics_doc, reason = "to panic is all that they do")]

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::layer::{self, Layer, Origin};
use super::schema::{self, Field, Value};
use super::{Profile, check, dirs::Dirs, edit};
use crate::error::{Error, Result};
use crate::escape::escape;
use crate::terms::{GrantType, Identity};

/// Stands where a secret might, in the wrong place.
const SECRET: &str = "hunter2hunter2";

const FILE: &str = "/profiles/a.toml";

/// The text of a profile, and the same as that of the settings.
pub fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = read(schema::SETTINGS, text) {
        told(&error, text);
    }
    match read(schema::PROFILE, text) {
        Ok(layer) => {
            merged(&layer);
            loads_again(&layer);
            can_be_edited(&layer, text);
        }
        Err(error) => told(&error, text),
    }
}

fn read(schema: &[Field], text: &str) -> Result<Layer> {
    let file = Path::new(FILE);
    layer::read(schema, text, &|line| Origin::File(file.to_owned(), line), Some(file))
}

/// An error names the file, and never repeats a value.
fn told(error: &Error, text: &str) {
    assert!(matches!(error, Error::Config(_)), "{error:?}");
    let shown = error.to_string();
    assert!(shown.starts_with(FILE) && escape(&shown) == shown, "{shown:?}");
    let is_key = DeTable::parse(text).is_ok_and(|table| names_secret(table.get_ref()));
    assert!(is_key || !shown.contains(SECRET), "{shown}");
}

/// Whether a key, which may be shown, is the secret.
fn names_secret(table: &DeTable<'_>) -> bool {
    table.iter().any(|(name, value)| {
        let inner = match value.get_ref() {
            DeValue::Table(table) => names_secret(table),
            _ => false,
        };
        inner || name.get_ref().contains(SECRET)
    })
}

/// Whatever loads becomes a profile whose secrets go nowhere in clear, or an error of configuration.
fn merged(layer: &Layer) {
    let dirs = Dirs { config: "/config".into(), data: "/data".into() };
    let profile = match Profile::new("a", layer, &dirs) {
        Ok(profile) => profile,
        Err(error) => {
            assert!(matches!(error, Error::Config(_)), "{error:?}");
            return assert_eq!(escape(&error.to_string()), error.to_string());
        }
    };
    let endpoints = &profile.endpoints;
    let all = [
        &endpoints.token,
        &endpoints.authorization,
        &endpoints.device_authorization,
        &endpoints.revocation,
    ];
    for url in all.into_iter().flatten().chain(&profile.base_url) {
        assert!(check::is_protected(url) && url.fragment().is_none(), "{url}");
        assert!(url.username().is_empty() && url.password().is_none(), "{url}");
    }
    for (name, value) in &profile.request.headers {
        assert!(!name.eq_ignore_ascii_case("authorization") && name.is_ascii(), "{name}");
        assert!(!name.contains(|c: char| c.is_control() || ": ".contains(c)), "{name:?}");
        assert!(value.is_ascii() && !value.contains(['\r', '\n', '\0']), "{value:?}");
    }
    let asked = profile.asked(profile.identity());
    assert_eq!(
        asked.conflict(&profile.asked(Identity::User)).filter(|key| *key != "username"),
        None
    );
    assert!(!profile.allows(GrantType::Password) || profile.require(GrantType::Password).is_ok());
    let _ = (profile.login_grant(), profile.client_auth(), profile.min_ttl());
}

fn values(layer: &Layer) -> Vec<(&str, &Value)> {
    layer.entries(schema::PROFILE).map(|(key, entry)| (key, &entry.value)).collect()
}

/// Whatever loads can be shown, and what is shown loads to the same.
fn loads_again(layer: &Layer) {
    let shown = edit::annotated(layer);
    let again = read(schema::PROFILE, &shown).unwrap_or_else(|error| panic!("{error} in\n{shown}"));
    assert_eq!(values(&again), values(layer), "{shown}");
}

/// Each key can be set to what it is and taken out, and the others stay as they are.
fn can_be_edited(layer: &Layer, text: &str) {
    for (key, value) in values(layer) {
        let set = edit::set(text, key, value).unwrap_or_else(|error| panic!("{key}: {error}"));
        let again = read(schema::PROFILE, &set).unwrap_or_else(|error| panic!("{error} in\n{set}"));
        assert_eq!(values(&again), values(layer), "{key} set in\n{set}");
        let (unset, was_there) =
            edit::unset(text, key).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert!(was_there, "{key}");
        let again =
            read(schema::PROFILE, &unset).unwrap_or_else(|error| panic!("{error} in\n{unset}"));
        let others: Vec<_> = values(layer).into_iter().filter(|(other, _)| *other != key).collect();
        assert_eq!(values(&again), others, "{key} taken out of\n{unset}");
    }
}
