//! Flags that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::names;
use crate::duration;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::profile::environment::from_text;
use crate::profile::layer::{Layer, Origin};
use crate::profile::schema::{Kind, Value};
use crate::terms::Identity;

/// Flags that every command takes, before or after its name.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The profile to use [env: OAUTHCTL_PROFILE]
    #[arg(short, long, global = true, value_name = "NAME", add = ArgValueCompleter::new(names::profiles))]
    pub profile: Option<String>,

    /// Where tokens are kept: auto, keychain, kernel (gone at reboot), file, command (the helper that
    /// store_command in config.toml names) or none [env: OAUTHCTL_STORE]
    #[arg(long, global = true, value_name = "KIND", value_parser = clap::builder::PossibleValuesParser::new(crate::profile::schema::STORES), hide_possible_values = true)]
    pub store: Option<String>,

    /// The directory of profiles and settings [env: OAUTHCTL_CONFIG_DIR]
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub config_dir: Option<PathBuf>,

    /// The longest that a request with all its tries, or a call of the store, may take [default: 30s] [env: OAUTHCTL_TIMEOUT]
    #[arg(long, global = true, value_name = "DUR", value_parser = parse_timeout)]
    pub timeout: Option<Duration>,

    /// Ask nothing on the terminal, and let no keychain ask (implied when stdin is no terminal)
    #[arg(long, global = true)]
    pub no_input: bool,

    /// Say errors alone
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Tell the steps; twice: the headers too; three times: the bodies. Secrets never
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Whether to colour what is for people
    #[arg(long, global = true, value_name = "WHEN", value_enum)]
    pub color: Option<When>,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Whose token is meant.
#[derive(Debug, Clone, Default, Args)]
pub struct As {
    /// Whose token is meant: user or client [default: the profile's] [env: OAUTHCTL_AS]
    #[arg(long = "as", value_name = "WHO", value_parser = parse_identity)]
    pub identity: Option<Identity>,
}

impl As {
    /// The flag as the top layer of a profile.
    pub fn lay(&self, layer: &mut Layer) {
        if let Some(identity) = self.identity {
            layer.set("identity", Value::Text(identity.to_string()), Origin::Flag("--as"));
        }
    }

    /// The identity that the flag names, else the environment.
    pub fn named(&self, env: &Env) -> Result<Option<Identity>> {
        let read = |text: String| {
            parse_identity(&text).map_err(|what| Error::config(format!("OAUTHCTL_AS: {what}")))
        };
        match self.identity {
            Some(identity) => Ok(Some(identity)),
            None => env.text("OAUTHCTL_AS")?.map(read).transpose(),
        }
    }
}

/// How long a token must still live.
#[derive(Debug, Clone, Default, Args)]
pub struct MinTtlArg {
    /// Renew a token that has less life left [default: 60s, but never more than half of its life] [env: OAUTHCTL_MIN_TTL]
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub min_ttl: Option<Duration>,
}

impl MinTtlArg {
    /// The flag as the top layer of a profile.
    pub fn lay(&self, layer: &mut Layer) {
        if let Some(ttl) = self.min_ttl {
            layer.set("min_ttl", Value::Text(ttl.as_secs().to_string()), Origin::Flag("--min-ttl"));
        }
    }
}

/// The scope to ask for.
#[derive(Debug, Clone, Default, Args)]
pub struct ScopeArg {
    /// A scope to ask for; may be given more than once [env: OAUTHCTL_SCOPE]
    #[arg(long, value_name = "S")]
    pub scope: Vec<String>,
}

impl ScopeArg {
    /// The flag as the top layer of a profile.
    pub fn lay(&self, layer: &mut Layer) -> Result<()> {
        if !self.scope.is_empty() {
            let value = from_text("scope", &self.scope.join(" "), "--scope")?;
            layer.set("scope", value, Origin::Flag("--scope"));
        }
        Ok(())
    }
}

/// Extra parameters of requests.
#[derive(Debug, Clone, Default, Args)]
pub struct ParamArg {
    /// An extra parameter of the request that begins it, or, as token:NAME=VALUE, of the one to the token endpoint; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_param)]
    param: Vec<Param>,
}

/// An extra parameter, and the endpoint that it is for where that was said.
#[derive(Debug, Clone)]
struct Param {
    table: Option<&'static str>,
    name: String,
    value: String,
}

/// The endpoints that parameters can be for, and where their parameters stand in a profile.
const ENDPOINTS: [(&str, &str); 3] = [
    ("authorization", "authorization.params"),
    ("device", "device.params"),
    ("token", "request.params"),
];

impl ParamArg {
    /// The parameters as the top layer of a profile; those that name no endpoint are for that of
    /// `usual`, a table of the profile.
    pub fn lay(&self, layer: &mut Layer, usual: &'static str) -> Result<()> {
        for Param { table, name, value } in &self.param {
            let value = Kind::Params
                .entry(name, value)
                .map_err(|what| Error::Usage(format!("--param {name} {what}")))?;
            let key = format!("{}.{name}", table.unwrap_or(usual));
            layer.set(key, value, Origin::Flag("--param"));
        }
        Ok(())
    }
}

fn parse_param(text: &str) -> Result<Param, String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let endpoint = name.split_once(':').and_then(|(endpoint, rest)| {
        ENDPOINTS.iter().find(|(known, _)| *known == endpoint).map(|(_, table)| (*table, rest))
    });
    let (table, name) = endpoint.map_or((None, name), |(table, rest)| (Some(table), rest));
    Ok(Param { table, name: name.to_owned(), value: value.to_owned() })
}

/// Reads a length of time.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    duration::parse(text)
        .ok_or_else(|| format!("expected a length of time such as {}", duration::FORMS))
}

/// Reads a time-out, which is more than nothing.
pub fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("expected a length of time of at least 1s".to_owned()),
        timeout => Ok(timeout),
    }
}

fn parse_identity(text: &str) -> Result<Identity, String> {
    Identity::from_word(text).ok_or_else(|| format!("expected {}", Identity::WORDS.join(" or ")))
}
