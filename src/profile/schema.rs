//! The one schema of profiles, presets and settings: each key, and what may stand there.

use std::fmt;

use super::check::{
    check_host_pattern, check_name, check_part, check_redirect_uri, check_url, check_url_text,
    filled_with_samples, nearest_word,
};
use crate::duration;
use crate::terms::{ClientAuthMethod, GrantType, Identity};

/// A key and what may stand there.
#[derive(Debug)]
pub struct Field {
    /// The key, with its table in front: `request.method`.
    pub key: &'static str,
    /// What may stand there.
    pub kind: Kind,
}

/// What may stand at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// The name of a preset or a profile.
    Name,
    /// What stands for `{KEY}` in URLs.
    Part,
    /// An absolute URL.
    Url,
    /// An absolute URL, or one that begins with `{base_url}`.
    Issuer,
    /// A URL, absolute or resolved against `base_url`.
    Endpoint,
    /// One redirect URI or several, tried in order.
    RedirectUris,
    /// Where a secret comes from.
    Secret,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// Some of a few words.
    Words(&'static [&'static str]),
    /// Scopes.
    Scopes,
    /// Hosts, with a port or without, `*.` for subdomains.
    Hosts,
    /// A length of time, such as `90s`.
    Duration,
    /// A file.
    Path,
    /// A program and its arguments.
    Command,
    /// True or false.
    Flag,
    /// A whole number of seconds.
    Seconds,
    /// A JSON pointer.
    Pointer,
    /// A text that stands between others.
    Separator,
    /// A table of extra parameters.
    Params,
    /// A table of extra headers.
    Headers,
}

/// The stores a person can name.
pub const STORES: &[&str] = &["auto", "keychain", "kernel", "file", "command", "none"];

const LOGIN_GRANTS: &[&str] = &["password", "authorization_code", "device_code"];

macro_rules! fields {
    ($($key:literal: $kind:expr,)*) => { &[$(Field { key: $key, kind: $kind }),*] };
}

/// The keys of a profile or a preset, in the order in which they are shown and written.
pub const PROFILE: &[Field] = fields! {
    "provider": Kind::Name,
    "tenant": Kind::Part,
    "domain": Kind::Part,
    "realm": Kind::Part,
    "base_url": Kind::Url,
    "issuer": Kind::Issuer,
    "token_url": Kind::Endpoint,
    "authorization_url": Kind::Endpoint,
    "device_authorization_url": Kind::Endpoint,
    "revocation_url": Kind::Endpoint,
    "introspection_url": Kind::Endpoint,
    "userinfo_url": Kind::Endpoint,
    "redirect_uri": Kind::RedirectUris,
    "client_id": Kind::Text,
    "client_secret": Kind::Secret,
    "client_auth": Kind::Word(ClientAuthMethod::WORDS),
    "username": Kind::Text,
    "password": Kind::Secret,
    "scope": Kind::Scopes,
    "grants": Kind::Words(GrantType::WORDS),
    "login_grant": Kind::Word(LOGIN_GRANTS),
    "identity": Kind::Word(Identity::WORDS),
    "api_hosts": Kind::Hosts,
    "min_ttl": Kind::Duration,
    "ca_file": Kind::Path,
    "authorization.params": Kind::Params,
    "request.method": Kind::Word(&["POST", "GET"]),
    "request.format": Kind::Word(&["form", "json", "query"]),
    "request.scope_separator": Kind::Separator,
    "request.send_empty_scope": Kind::Flag,
    "request.basic_encoding": Kind::Word(&["rfc6749", "raw"]),
    "request.params": Kind::Params,
    "request.headers": Kind::Headers,
    "response.access_token": Kind::Pointer,
    "response.token_type": Kind::Pointer,
    "response.expires_in": Kind::Pointer,
    "response.refresh_token": Kind::Pointer,
    "response.id_token": Kind::Pointer,
    "response.scope": Kind::Pointer,
    "response.scope_separator": Kind::Separator,
    "response.default_expires_in": Kind::Seconds,
};

/// The keys of config.toml.
pub const SETTINGS: &[Field] = fields! {
    "default_profile": Kind::Name,
    "store": Kind::Word(STORES),
    "store_command": Kind::Command,
    "min_ttl": Kind::Duration,
    "color": Kind::Word(&["auto", "always", "never"]),
};

/// A value that has been checked against its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text of any kind.
    Text(String),
    /// True or false.
    Flag(bool),
    /// A number.
    Number(u64),
    /// Several texts.
    List(Vec<String>),
    /// Where a secret comes from.
    Secret(SecretSource),
}

/// Where a secret comes from. Nothing is opened before a request needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// The contents of a file, without the newline at its end.
    File(String),
    /// What a command prints, without the newline at its end.
    Command(Vec<String>),
    /// The token store.
    Store,
}

/// Parameters that the grants themselves set.
const RESERVED_PARAMS: &[&str] = &[
    "grant_type",
    "client_id",
    "client_secret",
    "username",
    "password",
    "scope",
    "refresh_token",
    "code",
    "code_verifier",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "response_type",
    "state",
    "nonce",
    "device_code",
    "client_assertion",
    "client_assertion_type",
    "assertion",
];

/// Headers that the requests themselves set.
const RESERVED_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "accept",
    "accept-encoding",
    "content-type",
    "content-length",
    "content-encoding",
    "host",
    "connection",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "cookie",
];

impl Kind {
    /// Checks a text that is to stand at a key of this kind; the error says what is expected.
    pub fn text(self, text: &str) -> Result<Value, String> {
        let value = Value::Text(text.to_owned());
        match self {
            // An empty text takes back what a lower layer says.
            Self::Text
            | Self::Path
            | Self::Part
            | Self::Url
            | Self::Issuer
            | Self::Endpoint
            | Self::RedirectUris
                if text.is_empty() =>
            {
                Ok(value)
            }
            Self::Separator if text.is_empty() || text.chars().any(char::is_control) => {
                Err("must be a text of at least one character".to_owned())
            }
            Self::Text | Self::Path | Self::Separator => Ok(value),
            Self::Name => check_name(text).map(|()| value),
            Self::Part => check_part(text).map(|()| value),
            Self::Url | Self::Issuer | Self::Endpoint => self.url(text).map(|()| value),
            Self::RedirectUris => self.list(vec![text.to_owned()]),
            Self::Word(words) if words.contains(&text) => Ok(value),
            Self::Word(words) => {
                Err(format!("must be one of {}{}", words.join(", "), nearest_word(text, words)))
            }
            Self::Duration => match duration::parse(text) {
                Some(_) => Ok(value),
                None => Err("must be a length of time such as 90s, 5m, 2h or 7d".to_owned()),
            },
            Self::Pointer if text.starts_with('/') => Ok(value),
            Self::Pointer => Err("must be a JSON pointer, which begins with /".to_owned()),
            _ => Err(format!("must be {}", self.expected())),
        }
    }

    /// Checks a URL, whatever will stand for its placeholders.
    fn url(self, text: &str) -> Result<(), String> {
        let (text, behind_base) = match (self, text.strip_prefix("{base_url}")) {
            (Self::Issuer, Some(path)) if path.is_empty() || path.starts_with('/') => (path, true),
            _ => (text, self == Self::Endpoint && text.starts_with('/')),
        };
        let text = filled_with_samples(text)?;
        if behind_base {
            return check_url_text(&text);
        }
        if self == Self::Endpoint
            && url::Url::parse(&text) == Err(url::ParseError::RelativeUrlWithoutBase)
        {
            return Err("must be a URL such as https://example.com/path, or begin with / to follow base_url".to_owned());
        }
        check_url(&text).map(|_| ())
    }

    /// Checks a whole number.
    pub fn number(self, number: i64) -> Result<Value, String> {
        match (self, u64::try_from(number)) {
            (Self::Seconds, Ok(number)) => Ok(Value::Number(number)),
            (Self::Duration, Ok(number)) => self.text(&number.to_string()),
            (Self::Seconds | Self::Duration, Err(_)) => Err("must not be negative".to_owned()),
            _ => Err(format!("must be {}", self.expected())),
        }
    }

    /// Checks true or false.
    pub fn flag(self, flag: bool) -> Result<Value, String> {
        match self {
            Self::Flag => Ok(Value::Flag(flag)),
            _ => Err(format!("must be {}", self.expected())),
        }
    }

    /// Checks a list of texts.
    pub fn list(self, list: Vec<String>) -> Result<Value, String> {
        let check: &dyn Fn(&String) -> Result<(), String> = match self {
            Self::Words(words) => &|word| {
                if words.contains(&word.as_str()) {
                    return Ok(());
                }
                Err(format!("may hold {}{}", words.join(", "), nearest_word(word, words)))
            },
            Self::Scopes => &|scope| {
                if scope.is_empty() || scope.chars().any(|c| c.is_whitespace() || c.is_control()) {
                    return Err("must hold one scope in each text, without blanks".to_owned());
                }
                Ok(())
            },
            Self::Hosts => &|host| check_host_pattern(host),
            Self::RedirectUris => &|uri| check_redirect_uri(uri),
            Self::Command if list.first().is_none_or(String::is_empty) => {
                return Err("must begin with the program to run".to_owned());
            }
            Self::Command => &|word| {
                if word.contains('\0') {
                    return Err("must hold texts that can be arguments of a program".to_owned());
                }
                Ok(())
            },
            _ => return Err(format!("must be {}", self.expected())),
        };
        list.iter().try_for_each(check)?;
        Ok(Value::List(list))
    }

    /// Checks one entry of a table of parameters or headers.
    pub fn entry(self, name: &str, text: &str) -> Result<Value, String> {
        let lower = name.to_ascii_lowercase();
        match self {
            Self::Params if name.is_empty() || name.chars().any(char::is_control) => {
                return Err("has a parameter without a proper name".to_owned());
            }
            Self::Params if RESERVED_PARAMS.contains(&name) => {
                return Err("is reserved: the grants set it themselves".to_owned());
            }
            Self::Headers if RESERVED_HEADERS.contains(&lower.as_str()) => {
                return Err("is reserved: the requests set it themselves".to_owned());
            }
            Self::Headers if name.is_empty() || !name.bytes().all(is_header_name_byte) => {
                return Err("is no name of a header".to_owned());
            }
            Self::Headers if text.bytes().any(|byte| !matches!(byte, b'\t' | b' '..=b'~')) => {
                return Err("must be printable ASCII".to_owned());
            }
            _ => {}
        }
        Ok(Value::Text(text.to_owned()))
    }

    /// What is expected at a key of this kind, for an error.
    #[must_use]
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Text | Self::Path | Self::Separator | Self::Pointer => "a text in quotes",
            Self::Name | Self::Part => "a name in quotes",
            Self::Url | Self::Issuer | Self::Endpoint => "a URL in quotes",
            Self::RedirectUris => "a URL in quotes, or an array of them",
            Self::Secret => {
                "where to find the secret, never the secret itself: { env = \"NAME\" }, { file = \"PATH\" }, { command = [\"CMD\", \"ARG\"] } or { store = true }"
            }
            Self::Word(_) => "a word in quotes",
            Self::Words(_) | Self::Scopes | Self::Hosts | Self::Command => {
                "an array of texts in quotes"
            }
            Self::Duration => "a length of time such as \"90s\"",
            Self::Flag => "true or false",
            Self::Seconds => "a whole number of seconds",
            Self::Params | Self::Headers => "a table of texts in quotes",
        }
    }

    /// Whether the values stand in a table of free names below the key.
    #[must_use]
    pub const fn is_table(self) -> bool {
        matches!(self, Self::Params | Self::Headers)
    }
}

impl SecretSource {
    /// The keys by which a source is written.
    pub const KEYS: &'static [&'static str] = &["env", "file", "command", "store"];
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the variable {name}"),
            Self::File(path) => write!(f, "the file {path}"),
            Self::Command(command) => {
                write!(f, "the command {}", command.first().map_or("", String::as_str))
            }
            Self::Store => f.write_str("the token store"),
        }
    }
}

const fn is_header_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_parameters_and_headers_are_refused() {
        assert!(Kind::Params.entry("audience", "x").is_ok());
        assert!(Kind::Params.entry("client_secret", "x").is_err());
        assert!(Kind::Headers.entry("Origin", "https://x").is_ok());
        assert!(Kind::Headers.entry("AUTHORIZATION", "x").is_err());
        assert!(Kind::Headers.entry("X", "a\r\nb: c").is_err());
        assert!(Kind::Headers.entry("X y", "a").is_err());
    }
}
