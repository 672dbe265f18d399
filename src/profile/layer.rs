//! One layer of a profile: the keys that somebody set, each with where it was set.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::nearest_word;
use super::schema::{Field, Kind, SecretSource, Value};
use crate::error::{ConfigError, Error, Result};
use crate::token::UnixTime;

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The metadata of an issuer, and when that was fetched.
    Discovery(String, UnixTime),
    /// A preset in the source of this program.
    Preset(String),
    /// A file of the user's, and the line in it.
    File(PathBuf, usize),
    /// An environment variable.
    Environment(&'static str),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discovery(issuer, _) => write!(f, "discovery of {issuer}"),
            Self::Preset(name) => write!(f, "preset {name}"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value and where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value, which fits its key.
    pub value: Value,
    /// Where it was set.
    pub origin: Origin,
}

/// The keys that one layer sets, or several laid over each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer(BTreeMap<String, Entry>);

impl Layer {
    /// Sets a key.
    pub fn set(&mut self, key: impl Into<String>, value: Value, origin: Origin) {
        self.0.insert(key.into(), Entry { value, origin });
    }

    /// The entry at a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.0.get(key)
    }

    /// Lays another layer over this one: what it sets wins, key by key.
    pub fn overlay(&mut self, upper: Self) {
        self.0.extend(upper.0);
    }

    /// Takes away what an issuer's metadata set.
    pub fn forget_discovered(&mut self) {
        self.0.retain(|_, entry| !matches!(entry.origin, Origin::Discovery(..)));
    }

    /// Every entry, in the order of the schema.
    pub fn entries<'a>(
        &'a self,
        schema: &'a [Field],
    ) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        schema.iter().flat_map(move |field| {
            self.0
                .iter()
                .filter(move |(key, _)| belongs(key, field))
                .map(|(key, entry)| (key.as_str(), entry))
        })
    }

    /// The text at a key; an empty one counts as unset.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The list at a key.
    #[must_use]
    pub fn list(&self, key: &str) -> Option<&[String]> {
        match &self.get(key)?.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The number at a key.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        match self.get(key)?.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Whether the flag at a key is set.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Entry { value: Value::Flag(true), .. }))
    }

    /// The source of the secret at a key.
    #[must_use]
    pub fn secret(&self, key: &str) -> Option<&SecretSource> {
        match &self.get(key)?.value {
            Value::Secret(source) => Some(source),
            _ => None,
        }
    }

    /// The entries of the table at a key, with their bare names.
    #[must_use]
    pub fn table(&self, key: &str) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter_map(|(full, entry)| {
                let name = full.strip_prefix(key)?.strip_prefix('.')?;
                match &entry.value {
                    Value::Text(text) => Some((name.to_owned(), text.clone())),
                    _ => None,
                }
            })
            .collect()
    }
}

fn belongs(key: &str, field: &Field) -> bool {
    match key.strip_prefix(field.key) {
        Some("") => true,
        Some(rest) => field.kind.is_table() && rest.starts_with('.'),
        None => false,
    }
}

/// Finds the field for a full key, such as `request.params.audience`.
#[must_use]
pub fn field_of<'a>(schema: &'a [Field], key: &str) -> Option<&'a Field> {
    schema.iter().find(|field| belongs(key, field) && (field.key != key || !field.kind.is_table()))
}

/// An error for a key that the schema doesn't know, with the nearest that it knows.
#[must_use]
pub fn unknown_key(schema: &[Field], key: &str) -> String {
    let known: Vec<&str> = schema.iter().map(|field| field.key).collect();
    let mut hint = nearest_word(key, &known);
    if hint.is_empty() {
        // The right name may have been written in the wrong table.
        let last = |key: &str| key.rsplit('.').next().map(str::to_owned);
        if let Some(elsewhere) = known.iter().find(|known| last(known) == last(key)) {
            hint = format!("; did you mean {elsewhere}?");
        }
    }
    format!("unknown key {}{hint}", shown_key(key))
}

/// A key as it may be shown: bounded, and without control characters.
fn shown_key(key: &str) -> String {
    let mut shown: String = key.escape_debug().take(80).collect();
    if shown.len() < key.len() {
        shown.push('…');
    }
    shown
}

/// Reads a layer from TOML. `origin` tells where the line of each key is.
pub fn read(
    schema: &[Field],
    text: &str,
    origin: &dyn Fn(usize) -> Origin,
    file: Option<&Path>,
) -> Result<Layer> {
    let mut reader = Reader { schema, text, origin, file, layer: Layer::default() };
    // The parser's own display quotes the source, in which a secret could stand: only its message is used.
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| span.start);
        reader.error(line, format!("not valid TOML: {}", plain(error.message())))
    })?;
    reader.table("", document.get_ref())?;
    Ok(reader.layer)
}

/// The part of a parser's message that names no value.
fn plain(message: &str) -> String {
    message
        .lines()
        .next()
        .unwrap_or("syntax error")
        .chars()
        .take_while(|c| !matches!(c, '`' | '"'))
        .collect::<String>()
        .trim_end_matches([' ', ',', ':'])
        .trim_end_matches(", expected")
        .to_owned()
}

struct Reader<'a> {
    schema: &'a [Field],
    text: &'a str,
    origin: &'a dyn Fn(usize) -> Origin,
    file: Option<&'a Path>,
    layer: Layer,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) -> Result<()> {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let at = name.span();
            match self.schema.iter().find(|field| field.key == key) {
                Some(field) if field.kind.is_table() => self.free_table(field, &at, value)?,
                Some(field) => {
                    let checked = self.value(field, value)?;
                    self.put(key, checked, &at);
                }
                None if self
                    .schema
                    .iter()
                    .any(|field| field.key.starts_with(&format!("{key}."))) =>
                {
                    match value.get_ref() {
                        DeValue::Table(inner) => self.table(&format!("{key}."), inner)?,
                        _ => {
                            return Err(
                                self.error(Some(at.start), format!("{key} must be a table"))
                            );
                        }
                    }
                }
                None => return Err(self.error(Some(at.start), unknown_key(self.schema, &key))),
            }
        }
        Ok(())
    }

    fn put(&mut self, key: String, value: Value, at: &Range<usize>) {
        let origin = (self.origin)(self.line(at.start));
        self.layer.set(key, value, origin);
    }

    /// A table of free names: extra parameters or headers.
    fn free_table(
        &mut self,
        field: &Field,
        at: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<()> {
        let expected = || format!("{} must be {}", field.key, field.kind.expected());
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.error(Some(at.start), expected()));
        };
        for (name, value) in table {
            let start = name.span().start;
            let Some(text) = value.get_ref().as_str() else {
                return Err(self.error(Some(start), expected()));
            };
            let key = format!("{}.{}", field.key, name.get_ref());
            let checked = field.kind.entry(name.get_ref(), text);
            let checked = checked
                .map_err(|what| self.error(Some(start), format!("{} {what}", shown_key(&key))))?;
            self.put(key, checked, &name.span());
        }
        Ok(())
    }

    fn value(&self, field: &Field, value: &Spanned<DeValue<'_>>) -> Result<Value> {
        let checked = match value.get_ref() {
            DeValue::Table(table) if field.kind == Kind::Secret => match secret_source(table) {
                // What the store keeps for a profile is its client secret.
                Ok(Value::Secret(SecretSource::Store)) if field.key != "client_secret" => {
                    Err("is never in the store: say where it comes from".to_owned())
                }
                source => source,
            },
            DeValue::String(text) => field.kind.text(text),
            DeValue::Boolean(flag) => field.kind.flag(*flag),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => field.kind.number(number),
                    Err(_) => Err("is too large".to_owned()),
                }
            }
            DeValue::Array(array) => {
                let texts: Option<Vec<String>> =
                    array.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
                match texts {
                    Some(texts) => field.kind.list(texts),
                    None => Err(format!("must be {}", field.kind.expected())),
                }
            }
            _ => Err(format!("must be {}", field.kind.expected())),
        };
        checked
            .map_err(|what| self.error(Some(value.span().start), format!("{} {what}", field.key)))
    }

    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
    }

    fn error(&self, at: Option<usize>, message: String) -> Error {
        Error::Config(ConfigError {
            message,
            file: self.file.map(Path::to_owned),
            line: at.map(|at| self.line(at)),
            missing: None,
        })
    }
}

/// Reads `{ env = … }`, `{ file = … }`, `{ command = … }` or `{ store = true }`.
fn secret_source(table: &DeTable<'_>) -> Result<Value, String> {
    let expected = || format!("must be {}", Kind::Secret.expected());
    let mut members = table.iter();
    let (Some((name, value)), None) = (members.next(), members.next()) else {
        return Err(expected());
    };
    let text = || value.get_ref().as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let source = match name.get_ref().as_ref() {
        "env" => text().map(SecretSource::Env),
        "file" => text().map(SecretSource::File),
        "command" => value.get_ref().as_array().and_then(|words| {
            let words: Option<Vec<String>> =
                words.iter().map(|word| word.get_ref().as_str().map(str::to_owned)).collect();
            words
                .filter(|words| words.first().is_some_and(|word| !word.is_empty()))
                .map(SecretSource::Command)
        }),
        "store" => value.get_ref().as_bool().filter(|&stored| stored).map(|_| SecretSource::Store),
        other => {
            return Err(format!(
                "has an unknown key {}{}",
                shown_key(other),
                nearest_word(other, SecretSource::KEYS)
            ));
        }
    };
    source.map(Value::Secret).ok_or_else(expected)
}
