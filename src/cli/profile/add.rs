use clap_complete::engine::ArgValueCompleter;

use super::set::{keep_client_secret, value};
use super::{checked, register};
use crate::cli::complete::{self, Typed};
use crate::cli::context::Context;
use crate::cli::shell::word;
use crate::cli::{names, terminal};
use crate::error::{Error, Result};
use crate::profile::environment::from_text;
use crate::profile::layer::{Layer, Origin};
use crate::profile::load::{self, Found};
use crate::profile::schema::{PROFILE, SecretSource, Value};
use crate::profile::{Profile, edit};
use crate::report::Report;
use crate::wire::redact::brief;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl profile add id --issuer https://id.example.com --client-id cli --scope openid
  oauthctl profile add id --issuer https://id.example.com --register
  oauthctl profile add work --provider kabbage --base-url https://api.example.com
  oauthctl profile add ci --token-url https://id.example.com/token --set identity=client
  pass ci | oauthctl profile add ci --provider bindeo --client-id ci --client-secret-stdin")]
pub(super) struct Add {
    /// The name of the new profile
    name: String,
    /// The preset to build on
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(names::providers))]
    provider: Option<String>,
    /// What relative URLs resolve against
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The server, which is asked for all URLs that are not set
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The token endpoint
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    /// The client
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Read the client secret from stdin, and keep it in the token store
    #[arg(long)]
    client_secret_stdin: bool,
    /// Have the server make a client for this profile, where it offers that
    #[arg(long, conflicts_with_all = ["client_id", "client_secret_stdin"])]
    register: bool,
    /// Read the token that the server asks for with --register from stdin
    #[arg(long, requires = "register")]
    registration_token_stdin: bool,
    /// The person
    #[arg(long, value_name = "U")]
    username: Option<String>,
    /// A scope to ask for; may be given more than once
    #[arg(long, value_name = "S")]
    scope: Vec<String>,
    /// Any other key; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Make it the default profile
    #[arg(long)]
    default: bool,
}

impl Add {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let name = checked(&self.name)?;
        let path = context.dirs.profile(&name);
        if path.exists() {
            return Err(Error::config(format!(
                "the profile {name} is there already: {}",
                path.display()
            )));
        }
        let mut layer = Layer::default();
        for (key, value) in self.values()? {
            layer.set(key, value, Origin::Flag("profile add"));
        }
        if layer.text("provider").is_none()
            && layer.text("token_url").is_none()
            && layer.text("issuer").is_none()
        {
            let provider = provider(context, &name)?;
            layer.set(
                "provider",
                from_text("provider", &provider, "provider")?,
                Origin::Flag("typed"),
            );
        }
        let text = layer
            .entries(PROFILE)
            .try_fold(String::new(), |text, (key, entry)| edit::set(&text, key, &entry.value))?;
        let mut found = Found { name: name.clone(), layer: whole(context, &layer)? };
        let secret = self
            .client_secret_stdin
            .then(|| terminal::read_secret("the client secret"))
            .transpose()?;
        if secret.is_some() {
            found.layer.set(
                "client_secret",
                Value::Secret(SecretSource::Store),
                Origin::Flag("--client-secret-stdin"),
            );
        }
        if self.register {
            return self.register(context, found, &text);
        }
        // What is still missing may come from the environment later: only a person is asked for it.
        let typed = if context.may_ask() {
            complete::ask_for_missing(context, &mut found)?
        } else {
            Typed::default()
        };
        Profile::new(&name, &found.layer, &context.dirs).map(|_| ()).or_else(incomplete)?;
        complete::write_profile(context, &name, &text)?;
        complete::save_unless_refused(context, &found, &typed, None)?;
        if let Some(secret) = secret {
            keep_client_secret(context, &name, &secret)?;
        }
        self.made(context, &name)
    }

    /// Has the server make a client, and keeps it.
    fn register(&self, context: &Context, mut found: Found, text: &str) -> Result<()> {
        let token = self.registration_token_stdin;
        let token =
            token.then(|| terminal::read_secret("the token to register with")).transpose()?;
        let registered = register::register(context, &mut found, token.as_ref())?;
        register::keep(context, &found.name, text, &registered).inspect_err(|_| {
            context.terminal.warn(&format!(
                "the server has registered the client {} in vain: it could not be kept, and no profile \
                 is made",
                brief(&registered.client_id, 100)
            ));
        })?;
        self.made(context, &found.name)
    }

    /// The profile that is to be made.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The command that asks the same of the server once more.
    pub(super) fn again(&self) -> String {
        let mut words = format!("profile add {}", word(&self.name));
        if self.register {
            words.push_str(" --register");
        }
        let flags = [
            ("--provider", &self.provider),
            ("--base-url", &self.base_url),
            ("--issuer", &self.issuer),
            ("--token-url", &self.token_url),
        ];
        let flags = flags.into_iter().filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
        for (flag, value) in flags.chain(self.set.iter().map(|pair| ("--set", pair))) {
            words.extend([" ", flag, " ", &word(value)]);
        }
        words
    }

    fn made(&self, context: &Context, name: &str) -> Result<()> {
        if self.default {
            complete::set_default(context, Some(name))?;
        }
        let path = context.dirs.profile(name);
        context.terminal.say(&format!("Made the profile {name}: {}", path.display()));
        Ok(())
    }

    fn values(&self) -> Result<Vec<(String, Value)>> {
        let flags = [
            ("provider", &self.provider),
            ("base_url", &self.base_url),
            ("issuer", &self.issuer),
            ("token_url", &self.token_url),
            ("client_id", &self.client_id),
            ("username", &self.username),
        ];
        let mut values = Vec::new();
        for (key, text) in flags {
            if let Some(text) = text {
                values.push((key.to_owned(), from_text(key, text, key)?));
            }
        }
        if !self.scope.is_empty() {
            values
                .push(("scope".to_owned(), from_text("scope", &self.scope.join(" "), "--scope")?));
        }
        for pair in &self.set {
            let Some((key, text)) = pair.split_once('=') else {
                return Err(Error::Usage("--set takes KEY=VALUE".to_owned()));
            };
            values.push((key.to_owned(), value(key, &[text.to_owned()])?));
        }
        Ok(values)
    }
}

fn provider(context: &Context, name: &str) -> Result<String> {
    let known = load::provider_names(&context.dirs);
    if known.iter().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    if !context.may_ask() {
        return Err(Error::Usage("a profile needs --provider, --token-url or --issuer".to_owned()));
    }
    terminal::ask(&format!("provider ({})", known.join(", ")))
}

/// The new profile's own keys over those of its preset.
fn whole(context: &Context, own: &Layer) -> Result<Layer> {
    let mut layer = match own.text("provider") {
        Some(provider) => load::preset(&context.dirs, provider)?.ok_or_else(|| {
            Error::config(format!(
                "there is no provider preset named {provider}; there are: {}",
                load::provider_names(&context.dirs).join(", ")
            ))
        })?,
        None => Layer::default(),
    };
    layer.overlay(own.clone());
    Ok(layer)
}

/// A profile that lacks a key may still be made: the environment can supply it.
fn incomplete(error: Error) -> Result<()> {
    match error {
        Error::Config(fault) if fault.missing.is_some() => Ok(()),
        other => Err(other),
    }
}
