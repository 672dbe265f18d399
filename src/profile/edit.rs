//! Changes a profile's text, keeping its comments and its order, and writes values as TOML.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table};

use super::layer::Layer;
use super::schema::{PROFILE, SecretSource, Value};
use crate::error::{Error, Result};

/// Sets a key in a profile's text.
pub fn set(text: &str, key: &str, value: &Value) -> Result<String> {
    let mut document = parse(text)?;
    let (tables, name) = path(key);
    let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
    for part in tables {
        let item = table.entry(part).or_insert_with(|| {
            // One that leads to another table only needs no line of its own.
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        table =
            item.as_table_like_mut().ok_or_else(|| Error::config(format!("{part} is no table")))?;
    }
    let new = toml_edit::Value::from(Toml(value));
    match table.get_mut(name).and_then(Item::as_value_mut) {
        // What stood around the old value, such as a comment behind it, stays.
        Some(old) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(name, Item::Value(new));
        }
    }
    Ok(document.to_string())
}

/// Takes a key out of a profile's text; tells whether it was there.
pub fn unset(text: &str, key: &str) -> Result<(String, bool)> {
    let mut document = parse(text)?;
    let (tables, name) = path(key);
    let mut table: Option<&mut dyn toml_edit::TableLike> = Some(document.as_table_mut());
    for part in tables {
        table = table.and_then(|table| table.get_mut(part)).and_then(Item::as_table_like_mut);
    }
    let removed = table.is_some_and(|table| table.remove(name).is_some());
    Ok((document.to_string(), removed))
}

fn parse(text: &str) -> Result<DocumentMut> {
    text.parse().map_err(|_| Error::config("not valid TOML"))
}

/// The tables that lead to a key, and its own name: that of a parameter or header may hold dots.
fn path(key: &str) -> (Vec<&str>, &str) {
    for field in PROFILE.iter().filter(|field| field.kind.is_table()) {
        if let Some(name) = key.strip_prefix(field.key).and_then(|rest| rest.strip_prefix('.')) {
            return (field.key.split('.').collect(), name);
        }
    }
    match key.split_once('.') {
        Some((table, name)) => (vec![table], name),
        None => (Vec::new(), key),
    }
}

/// Writes a layer as TOML, each key with where it was set.
#[must_use]
pub fn annotated(layer: &Layer) -> String {
    let lines: Vec<(String, String, String)> = layer
        .entries(PROFILE)
        .map(|(key, entry)| {
            let (tables, name) = path(key);
            let line = format!(
                "{} = {}",
                toml_edit::Key::new(name),
                toml_edit::Value::from(Toml(&entry.value))
            );
            (tables.join("."), line, entry.origin.to_string())
        })
        .collect();
    let width = lines.iter().map(|(_, line, _)| line.chars().count()).max().unwrap_or(0).min(60);
    let mut text = String::new();
    let mut current = "";
    for (table, line, origin) in &lines {
        if table != current {
            text.extend(["\n[", table.as_str(), "]\n"]);
            current = table;
        }
        text.extend([format!("{line:width$}  # {origin}\n")]);
    }
    text
}

/// A value, to be written as TOML.
struct Toml<'a>(&'a Value);

impl From<Toml<'_>> for toml_edit::Value {
    fn from(Toml(value): Toml<'_>) -> Self {
        let list = |list: &[String]| -> Array { list.iter().map(String::as_str).collect() };
        match value {
            Value::Text(text) => text.as_str().into(),
            Value::Flag(flag) => (*flag).into(),
            Value::Number(number) => i64::try_from(*number).unwrap_or(i64::MAX).into(),
            Value::List(items) => list(items).into(),
            Value::Secret(source) => {
                let mut table = InlineTable::new();
                match source {
                    SecretSource::Env(name) => table.insert("env", name.as_str().into()),
                    SecretSource::File(path) => table.insert("file", path.as_str().into()),
                    SecretSource::Command(words) => table.insert("command", list(words).into()),
                    SecretSource::Store => table.insert("store", true.into()),
                };
                table.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_a_key_keeps_comments_and_order() {
        let text = "# mine\nclient_id = \"a\" # the old one\n\n[request]\nmethod = \"GET\"\n";
        let changed = set(text, "client_id", &Value::Text("b".into())).unwrap();
        assert_eq!(
            changed,
            "# mine\nclient_id = \"b\" # the old one\n\n[request]\nmethod = \"GET\"\n"
        );
        let changed = set(&changed, "request.params.audience", &Value::Text("x".into())).unwrap();
        assert_eq!(
            changed,
            "# mine\nclient_id = \"b\" # the old one\n\n[request]\nmethod = \"GET\"\n\n[request.params]\naudience = \"x\"\n"
        );
        let (changed, removed) = unset(&changed, "client_id").unwrap();
        assert!(removed && !changed.contains("client_id"));
    }

    #[test]
    fn every_kind_of_value_is_written_as_it_is_read() {
        let values = [
            ("client_id", Value::Text("a \"quoted\"\nü".into())),
            ("request.send_empty_scope", Value::Flag(true)),
            ("response.default_expires_in", Value::Number(3600)),
            ("scope", Value::List(vec!["a".into(), "b".into()])),
            (
                "client_secret",
                Value::Secret(SecretSource::Command(vec!["op".into(), "read it".into()])),
            ),
            ("password", Value::Secret(SecretSource::File("a file".into()))),
            ("request.headers.X-A", Value::Text("b".into())),
        ];
        let text =
            values.iter().fold(String::new(), |text, (key, value)| set(&text, key, value).unwrap());
        let layer = crate::profile::load::read_preset("x", &text).unwrap();
        for (key, value) in &values {
            assert_eq!(&layer.get(key).unwrap().value, value, "{key}");
        }
    }
}
