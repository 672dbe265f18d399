//! Placeholders in URLs: `{tenant}`, `{domain}` and `{realm}` stand for the keys of their names.

use std::borrow::Cow;

use super::check::{PLACEHOLDERS, fill};
use super::layer::Layer;
use super::schema::{Kind, PROFILE, Value};
use crate::error::{Error, Result};

/// The keys that stand in a URL and have no value.
#[must_use]
pub fn missing(layer: &Layer) -> Vec<&'static str> {
    let wanted = |key: &str| urls(layer).any(|(_, url)| url.contains(&format!("{{{key}}}")));
    PLACEHOLDERS.iter().filter(|key| layer.text(key).is_none() && wanted(key)).copied().collect()
}

/// The issuer with a value in the place of each placeholder; none where one has none yet.
#[must_use]
pub fn issuer(layer: &Layer) -> Option<Cow<'_, str>> {
    let issuer = layer.text("issuer")?;
    if !issuer.contains('{') {
        return Some(Cow::Borrowed(issuer));
    }
    Some(Cow::Owned(filled(layer).ok()?.text("issuer")?.to_owned()))
}

/// The layer with a value in the place of each placeholder.
pub(super) fn filled(layer: &Layer) -> Result<Cow<'_, Layer>> {
    let mut whole = Cow::Borrowed(layer);
    // base_url comes before whatever begins with it.
    for (key, url) in urls(layer).filter(|(_, url)| url.contains('{')) {
        let text = fill(url, |name| value_of(&whole, key, name))?;
        let origin = layer.get(key).map(|entry| entry.origin.clone());
        if let Some(origin) = origin {
            whole.to_mut().set(key, Value::Text(text), origin);
        }
    }
    Ok(whole)
}

fn value_of(layer: &Layer, key: &str, name: &str) -> Result<String> {
    let base_url = || Some(layer.text("base_url")?.trim_end_matches('/').to_owned());
    let (name, value) = match PLACEHOLDERS.iter().find(|known| **known == name) {
        Some(name) => (*name, layer.text(name).map(str::to_owned)),
        None => ("base_url", base_url()),
    };
    value.ok_or_else(|| Error::missing(name, format!("{key} needs {name}, which is not known")))
}

/// Every URL that may hold placeholders, in the order of the schema.
fn urls(layer: &Layer) -> impl Iterator<Item = (&'static str, &str)> {
    let urls = PROFILE
        .iter()
        .filter(|field| matches!(field.kind, Kind::Url | Kind::Issuer | Kind::Endpoint));
    urls.filter_map(|field| Some((field.key, layer.text(field.key)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::load::read_preset;

    fn layer(text: &str) -> Layer {
        read_preset("x", text).unwrap()
    }

    #[test]
    fn every_url_gets_the_values_of_its_placeholders() {
        let layer = layer(
            "domain = \"a.example\"\nrealm = \"r\"\nbase_url = \"https://{domain}/x/\"\n\
             issuer = \"{base_url}/{realm}\"\ntoken_url = \"/{realm}/token\"\n",
        );
        let filled = filled(&layer).unwrap();
        assert_eq!(filled.text("base_url"), Some("https://a.example/x/"));
        assert_eq!(filled.text("issuer"), Some("https://a.example/x/r"));
        assert_eq!(filled.text("token_url"), Some("/r/token"));
        assert_eq!(missing(&layer), [""; 0]);
    }

    #[test]
    fn what_is_missing_is_named_once_and_only_where_a_url_needs_it() {
        let layer = layer(
            "tenant = \"\"\ntoken_url = \"https://a.example/{tenant}\"\n\
             authorization_url = \"https://{realm}.a.example/{tenant}\"\n",
        );
        assert_eq!(missing(&layer), ["tenant", "realm"]);
        let Err(Error::Config(error)) = filled(&layer) else { panic!("it is filled") };
        assert_eq!(error.missing, Some("tenant"));
    }
}
