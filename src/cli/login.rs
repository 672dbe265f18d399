use super::args::ScopeArg;
use super::complete::{self, Typed};
use super::context::{Context, now, print};
use super::{dry_run, show, terminal};
use crate::error::{Error, Result};
use crate::output::humane;
use crate::profile::Profile;
use crate::profile::layer::{Layer, Origin};
use crate::profile::schema::Value;
use crate::secret::Secret;
use crate::session::{Login, Obtained};
use crate::terms::{GrantType, StoreKind};
use crate::wire::request::TokenRequest;

/// Log in, and cache the tokens
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl login --profile bindeo                          asks for what is missing
  pass bindeo | oauthctl login --username alice --password-stdin
  oauthctl login --refresh-token-stdin <token.txt          take over a session from elsewhere")]
pub(super) struct Args {
    /// How to log in [default: the profile's login_grant]
    #[arg(long, value_name = "GRANT", value_parser = ["password", "authorization_code", "device_code"])]
    grant: Option<String>,
    #[command(flatten)]
    scope: ScopeArg,
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
    /// Paste the URL to which the browser was redirected
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
        if self.dry_run {
            return Ok(self.show_request(&complete::profile(context, &found)?)?);
        }
        // A grant that isn't allowed is refused before anybody is asked for anything.
        if let Ok(profile) = complete::draft(context, &found) {
            self.grant(&profile)?;
        }
        complete::refuse_missing(context, &found, &self.missing(&found.layer))?;
        let mut typed = complete::ask_for_missing(context, &mut found)?;
        let profile = complete::profile(context, &found)?;
        let grant = self.grant(&profile)?;
        let result = context.with_session(&profile, typed.client_secret(), |session| {
            session.login(&mut || self.ask(context, &profile, grant, &mut typed))
        });
        complete::save_unless_refused(context, &found, &typed, result.as_ref().err())?;
        let obtained = result?;
        summary(context, &profile, &obtained);
        if self.json {
            print(show::object(&profile, &obtained).expose())?;
        }
        Ok(())
    }

    /// What the person would be asked for.
    fn missing(&self, layer: &Layer) -> Vec<&'static str> {
        if self.refresh_token_stdin {
            return Vec::new();
        }
        let username = layer.text("username").is_none().then_some("username");
        let password = !self.password_stdin && layer.secret("password").is_none();
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
        if grant != GrantType::Password {
            return Err(Error::config(format!(
                "this version of oauthctl can't log in by {grant} yet"
            )));
        }
        Ok(grant)
    }

    /// Brings what the grant spends.
    fn ask(
        &self,
        context: &Context,
        profile: &Profile,
        grant: GrantType,
        typed: &mut Typed,
    ) -> Result<Login> {
        if grant == GrantType::RefreshToken {
            let refresh_token = terminal::read_secret("the refresh token")?;
            return Ok(Login {
                grant_type: grant,
                request: TokenRequest::refresh_token(refresh_token.clone(), &[]),
                username: None,
                refresh_token: Some(refresh_token),
            });
        }
        let username = if let Some(username) = &profile.username {
            username.clone()
        } else {
            // Where nobody can be asked, that was refused before.
            let username = terminal::ask("username")?;
            typed.key("username", username.clone());
            username
        };
        let password = self.password(context, profile)?;
        Ok(Login {
            grant_type: grant,
            request: TokenRequest::password(&username, password, &profile.scope),
            username: Some(username),
            refresh_token: None,
        })
    }

    fn password(&self, context: &Context, profile: &Profile) -> Result<Secret> {
        if self.password_stdin {
            return terminal::read_secret("the password");
        }
        if let Some(source) = &profile.password {
            return context
                .with_session(profile, None, |session| session.open_secret(source, "password"));
        }
        terminal::ask_secret("password")
    }

    fn show_request(&self, profile: &Profile) -> Result<()> {
        let masked = || Secret::from("masked");
        let request = match self.grant(profile)? {
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

/// What a person is told of a login.
fn summary(context: &Context, profile: &Profile, obtained: &Obtained) {
    let who = obtained
        .tokens
        .asked
        .username
        .as_ref()
        .map_or_else(String::new, |name| format!(" as {name}"));
    let end = humane::expiry(obtained.tokens.life(), now());
    let kept = match obtained.tokens.refresh_token {
        _ if obtained.store == StoreKind::None => "it is kept nowhere",
        Some(_) => "it is renewed by itself",
        None => "no refresh token came with it",
    };
    context.terminal.say(&format!(
        "Logged in to {}{who}: the token {end}, {kept} (store: {}).",
        profile.name, obtained.store
    ));
}
