use std::time::Duration;

use super::args::{ParamArg, ScopeArg};
use super::complete::{self, Typed};
use super::context::{Context, now, print};
use super::{dry_run, show, terminal};
use crate::discovery::Known;
use crate::error::{Error, Result};
use crate::grant::loopback::Browser;
use crate::grant::page::Page;
use crate::output::humane;
use crate::profile::Profile;
use crate::profile::layer::{Layer, Origin};
use crate::profile::load::Found;
use crate::profile::placeholder;
use crate::profile::schema::Value;
use crate::report::Report;
use crate::secret::Secret;
use crate::session::{Ask, Login, Obtained, Session};
use crate::terms::{GrantType, StoreKind};
use crate::wire::redact::brief;
use crate::wire::request::TokenRequest;

mod browser;
mod device;

/// How long a person is waited for who is elsewhere.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Log in, and cache the tokens
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl login --profile bindeo                          asks for what is missing
  oauthctl login --grant device_code                       shows a code to enter elsewhere
  oauthctl login --paste                                   where the browser is on another machine
  pass bindeo | oauthctl login --username alice --password-stdin
  oauthctl login --refresh-token-stdin <token.txt          take over a session from elsewhere")]
pub(super) struct Args {
    /// How to log in [default: the profile's login_grant; else authorization_code where the
    /// server has it, else device_code, else password]
    #[arg(long, value_name = "GRANT", value_parser = ["password", "authorization_code", "device_code"])]
    grant: Option<String>,
    #[command(flatten)]
    scope: ScopeArg,
    #[command(flatten)]
    param: ParamArg,
    /// Who logs in [env: OAUTHCTL_USERNAME]
    #[arg(long, value_name = "U")]
    username: Option<String>,
    /// Read the password from stdin
    #[arg(long, conflicts_with = "refresh_token_stdin")]
    password_stdin: bool,
    /// Import a refresh token from stdin instead of logging in
    #[arg(long)]
    refresh_token_stdin: bool,
    /// Print the URL and open no browser
    #[arg(long)]
    no_browser: bool,
    /// Open no browser; paste the URL at which one elsewhere ends
    #[arg(long)]
    paste: bool,
    /// Print the object of `show --json`
    #[arg(long)]
    json: bool,
    /// Print the request, with its secrets masked, and send nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let mut flags = Layer::default();
        self.scope.lay(&mut flags)?;
        if let Some(username) = &self.username {
            flags.set("username", Value::Text(username.clone()), Origin::Flag("--username"));
        }
        let mut found = context.find(&context.profile_name()?, flags)?;
        let mut known = self.discover(context, &mut found)?;
        let mut params = Layer::default();
        self.param.lay(&mut params, self.first_table(context, &found))?;
        found.layer.overlay(params);
        if self.dry_run {
            return Ok(self.show_request(&complete::profile(context, &found)?)?);
        }
        let layer = &found.layer;
        let awaits = layer.text("issuer").is_some() && placeholder::issuer(layer).is_none();
        // A grant that isn't allowed is refused before anybody is asked for anything.
        if let Ok(profile) = complete::draft(context, &found)
            && (!awaits || profile.grants.is_some())
        {
            self.grant(&profile)?;
        }
        complete::refuse_missing(context, &found, &self.missing(context, &found))?;
        let mut typed = complete::ask_for_missing(context, &mut found)?;
        // What was typed may be what the issuer's name was waiting for.
        if awaits {
            known = self.discover(context, &mut found)?;
        }
        let profile = complete::profile(context, &found)?;
        let grant = self.grant(&profile)?;
        let client_secret = typed.client_secret();
        let mut person = Person {
            args: self,
            context,
            grant,
            known: known.as_ref(),
            typed: &mut typed,
            browser: None,
            device: None,
        };
        let result =
            context.with_session(&profile, client_secret, |session| session.login(&mut person));
        if let Some(browser) = person.browser.take() {
            browser.show(&match &result {
                Ok(_) => Page::Done,
                Err(error) => Page::Failed(error.to_string()),
            });
        }
        complete::save_unless_refused(context, &found, &typed, result.as_ref().err())?;
        if let (Err(error), Some(known)) = (&result, &known) {
            tell_scopes(context, error, known);
        }
        let obtained = result?;
        summary(context, &profile, &obtained);
        if self.json {
            print(show::object(&profile, &obtained).expose())?;
        }
        Ok(())
    }

    /// What the server says of itself, where the profile leaves out what this login needs.
    fn discover(&self, context: &Context, found: &mut Found) -> Result<Option<Known>> {
        let layer = &found.layer;
        let has = |key| layer.text(key).is_some();
        let named = self.grant.as_deref().or_else(|| layer.text("login_grant"));
        let grant_is_whole = match named {
            Some("password") => true,
            Some("device_code") => has("device_authorization_url"),
            Some(_) => has("authorization_url"),
            None => {
                self.refresh_token_stdin
                    || has("authorization_url")
                    || layer.list("grants").is_some()
            }
        };
        if !has("token_url") || !grant_is_whole {
            return context.discover(found);
        }
        // An ID token that nobody can verify is better than no login.
        let is_openid =
            layer.list("scope").is_some_and(|scope| scope.iter().any(|scope| scope == "openid"));
        if is_openid
            && !has("jwks_url")
            && let Err(error) = context.discover(found)
        {
            context
                .terminal
                .warn(&format!("the server's keys are not known: {}", error.sentence()));
        }
        Ok(context.remembered(found))
    }

    /// Where the parameters of the request stand that begins the login.
    fn first_table(&self, context: &Context, found: &Found) -> &'static str {
        let profile = complete::draft(context, found).ok();
        match profile.and_then(|profile| self.grant(&profile).ok()) {
            Some(GrantType::AuthorizationCode) => "authorization.params",
            Some(GrantType::DeviceCode) => "device.params",
            _ => "request.params",
        }
    }

    /// What the person would be asked for.
    fn missing(&self, context: &Context, found: &Found) -> Vec<&'static str> {
        let is_password = complete::profile(context, found).is_ok_and(|profile| {
            self.grant(&profile).is_ok_and(|grant| grant == GrantType::Password)
        });
        if !is_password {
            return Vec::new();
        }
        let username = found.layer.text("username").is_none().then_some("username");
        let password = !self.password_stdin && found.layer.secret("password").is_none();
        username.into_iter().chain(password.then_some("password")).collect()
    }

    /// The grant to log in with.
    fn grant(&self, profile: &Profile) -> Result<GrantType> {
        if self.refresh_token_stdin {
            profile.require(GrantType::RefreshToken)?;
            return Ok(GrantType::RefreshToken);
        }
        let named = self.grant.as_deref().and_then(GrantType::from_word);
        let grant = named.unwrap_or_else(|| profile.login_grant());
        profile.require(grant)?;
        Ok(grant)
    }

    fn show_request(&self, profile: &Profile) -> Result<()> {
        let masked = || Secret::from("masked");
        let request = match self.grant(profile)? {
            GrantType::AuthorizationCode => return browser::show_request(profile),
            GrantType::DeviceCode => return device::show_request(profile),
            GrantType::RefreshToken => TokenRequest::refresh_token(masked(), &[]),
            _ => TokenRequest::password(
                profile.username.as_deref().unwrap_or("USERNAME"),
                masked(),
                &profile.scope,
            ),
        };
        print(dry_run::text(profile, &request)?.as_bytes())
    }
}

/// The person who logs in, as far as the session needs one.
struct Person<'a> {
    args: &'a Args,
    context: &'a Context,
    grant: GrantType,
    /// What the server says of itself.
    known: Option<&'a Known>,
    typed: &'a mut Typed,
    /// The browser that waits for its page.
    browser: Option<Browser>,
    /// The code that is to be confirmed at another device.
    device: Option<device::Waiting>,
}

impl Ask for Person<'_> {
    fn bring(&mut self, session: &Session<'_>) -> Result<Login> {
        match self.grant {
            GrantType::RefreshToken => {
                let refresh_token = terminal::read_secret("the refresh token")?;
                Ok(Login {
                    grant_type: self.grant,
                    request: TokenRequest::refresh_token(refresh_token.clone(), &[]),
                    username: None,
                    nonce: None,
                    refresh_token: Some(refresh_token),
                })
            }
            GrantType::AuthorizationCode => self.browse(session),
            GrantType::DeviceCode => self.show_code(session),
            _ => self.type_password(session),
        }
    }

    fn again(&mut self, refusal: &Error) -> Result<bool> {
        match &mut self.device {
            Some(waiting) => waiting.again(refusal, self.context),
            None => Ok(false),
        }
    }

    fn waits(&self) -> bool {
        matches!(self.grant, GrantType::AuthorizationCode | GrantType::DeviceCode)
    }
}

impl Person<'_> {
    fn type_password(&mut self, session: &Session<'_>) -> Result<Login> {
        let profile = session.profile;
        let username = if let Some(username) = &profile.username {
            username.clone()
        } else {
            // Where nobody can be asked, that was refused before.
            let username = terminal::ask("username")?;
            self.typed.key("username", username.clone());
            username
        };
        let password = if self.args.password_stdin {
            terminal::read_secret("the password")?
        } else if let Some(source) = &profile.password {
            session.open_secret(source, "password")?
        } else {
            terminal::ask_secret("password")?
        };
        Ok(Login {
            grant_type: self.grant,
            request: TokenRequest::password(&username, password, &profile.scope),
            username: Some(username),
            nonce: None,
            refresh_token: None,
        })
    }
}

/// Where a scope was refused: those that the server lists.
fn tell_scopes(context: &Context, error: &Error, known: &Known) {
    let Error::Refused(refusal) = error else { return };
    let Some(scopes) = &known.metadata.scopes else { return };
    if refusal.error.as_deref() == Some("invalid_scope") {
        let scopes = brief(&scopes.join(" "), 1000);
        context.terminal.warn(&format!("{} lists these scopes: {scopes}", known.metadata.issuer));
    }
}

/// An error for a login that nobody finished.
fn unfinished(session: &Session<'_>, because: &str) -> Error {
    Error::LoginRequired { profile: session.profile.name.clone(), because: because.to_owned() }
}

/// Whether this process was told to end while it waited for a person.
fn is_interrupted() -> bool {
    #[cfg(unix)]
    return crate::signals::is_told_to_end();
    #[cfg(not(unix))]
    false
}

/// What a person is told of a login.
fn summary(context: &Context, profile: &Profile, obtained: &Obtained) {
    let tokens = &obtained.tokens;
    let who = tokens.asked.username.clone().or_else(|| show::subject(profile, obtained));
    let who = who.map_or_else(String::new, |name| format!(" as {}", brief(&name, 100)));
    let end = humane::expiry(tokens.life(), now());
    let kept = match tokens.refresh_token {
        _ if obtained.store == StoreKind::None => "it is kept nowhere",
        Some(_) => "it is renewed by itself",
        None => "no refresh token came with it",
    };
    context.terminal.say(&format!(
        "Logged in to {}{who}: the token {end}, {kept} (store: {}).",
        profile.name, obtained.store
    ));
}
