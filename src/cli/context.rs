//! The world of one command: flags, environment, directories, stores, the way to a server.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::args::{Global, When, parse_timeout};
use super::pace::Clock;
use super::terminal::{self, Patient, Terminal, colors};
use crate::discovery::{self, Known};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::http::{Limits, Transport, Trust, UreqTransport};
use crate::output::table::Layout;
use crate::profile::Profile;
use crate::profile::dirs::Dirs;
use crate::profile::layer::{Layer, Origin};
use crate::profile::load::{self, Found};
use crate::profile::placeholder;
use crate::report::Report;
use crate::secret::Secret;
use crate::session::Session;
use crate::session::vault::Vault;
use crate::store::{Helper, Place};
use crate::terms::StoreKind;
use crate::token::UnixTime;

const TIMEOUT: Duration = Duration::from_secs(30);

/// The world of one command.
pub(super) struct Context {
    /// The flags that every command takes.
    pub global: Global,
    /// The environment.
    pub env: Env,
    /// Where configuration and data live.
    pub dirs: Dirs,
    /// config.toml.
    pub settings: Layer,
    /// The person.
    pub terminal: Terminal,
    /// The longest that a request or a call of the store may take.
    pub timeout: Duration,
    when: When,
    trust: Trust,
}

impl Context {
    /// Finds the directories and reads the settings, or does without them where that is tolerable.
    pub(super) fn new(global: Global, env: Env, needs_settings: bool) -> Result<Self> {
        let dirs = Dirs::find(&env, global.config_dir.as_deref())?;
        let settings = match load::settings(&dirs) {
            Err(_) if !needs_settings => Layer::default(),
            settings => settings?,
        };
        let timeout = match (global.timeout, env.text("OAUTHCTL_TIMEOUT")?) {
            (Some(timeout), _) => timeout,
            (None, Some(text)) => parse_timeout(&text)
                .map_err(|what| Error::config(format!("OAUTHCTL_TIMEOUT: {what}")))?,
            (None, None) => TIMEOUT,
        };
        let when = global.color.unwrap_or(match settings.text("color") {
            Some("always") => When::Always,
            Some("never") => When::Never,
            _ => When::Auto,
        });
        let color = colors(when, &env, io::stderr().is_terminal());
        let terminal = Terminal::new(global.quiet, global.verbose, color);
        Ok(Self { global, env, dirs, settings, terminal, timeout, when, trust: Trust::default() })
    }

    /// The name of the profile in use.
    pub(super) fn profile_name(&self) -> Result<String> {
        load::choose(&self.dirs, &self.env, self.global.profile.as_deref(), &self.settings)
    }

    /// The layers of the profile in use, with those of the command's flags on top.
    pub(super) fn find(&self, name: &str, flags: Layer) -> Result<Found> {
        let mut found = load::find(&self.dirs, &self.env, name)?;
        if let (None, Some(settled)) = (found.layer.get("min_ttl"), self.settings.get("min_ttl")) {
            found.layer.set("min_ttl", settled.value.clone(), settled.origin.clone());
        }
        found.layer.overlay(flags);
        self.recall(&mut found);
        Ok(found)
    }

    /// Lays below a profile what is remembered of its issuer.
    pub(super) fn recall(&self, found: &mut Found) {
        if let Some(known) = self.remembered(found) {
            lay_below(&known, found);
        }
    }

    /// What is remembered of the issuer of a profile, however old.
    pub(super) fn remembered(&self, found: &Found) -> Option<Known> {
        discovery::remembered(&self.dirs.data, &placeholder::issuer(&found.layer)?)
    }

    /// Whether the token endpoint is unknown, or known only from what the issuer said long ago.
    pub(super) fn is_outdated(found: &Found) -> bool {
        found.layer.text("issuer").is_some()
            && match found.layer.get("token_url").map(|entry| &entry.origin) {
                None => true,
                Some(&Origin::Discovery(_, fetched_at)) => discovery::is_old(fetched_at, now()),
                Some(_) => false,
            }
    }

    /// What the issuer of a profile says of itself now, laid below the profile; none where it names
    /// no issuer.
    ///
    /// What is known already will do where no better can be had soon.
    pub(super) fn discover(&self, found: &mut Found) -> Result<Option<Known>> {
        let Some(issuer) = placeholder::issuer(&found.layer) else { return Ok(None) };
        let issuer = issuer.into_owned();
        let remembered = self.remembered(found);
        if let Some(known) = remembered.as_ref().filter(|known| !known.is_old(now())) {
            // A profile that is about to be made has nothing below it yet.
            relay_below(known, found);
            return Ok(Some(known.clone()));
        }
        let timeout = match remembered {
            Some(_) => self.timeout.min(Limits::HURRIED),
            None => self.timeout,
        };
        let fetched = self.fetch(found, &issuer, timeout);
        match (fetched, remembered) {
            (Ok(known), _) => {
                relay_below(&known, found);
                Ok(Some(known))
            }
            (Err(error), Some(known)) if error.is_transient() => {
                let error = error.sentence();
                self.terminal
                    .warn(&format!("what {issuer} says of itself is not up to date: {error}"));
                relay_below(&known, found);
                Ok(Some(known))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The same, though it be known already; nothing that was remembered stands in for it.
    pub(super) fn discover_anew(&self, found: &mut Found) -> Result<Option<Known>> {
        let Some(issuer) = placeholder::issuer(&found.layer) else { return Ok(None) };
        let known = self.fetch(found, &issuer, self.timeout)?;
        relay_below(&known, found);
        Ok(Some(known))
    }

    fn fetch(&self, found: &Found, issuer: &str, timeout: Duration) -> Result<Known> {
        let profile = Profile::new(&found.name, &found.layer, &self.dirs)?;
        self.within(timeout, &profile, |transport| {
            discovery::fetch(transport, &self.terminal, &self.dirs.data, issuer, now())
        })
    }

    /// The profile in use, to ask its server something.
    pub(super) fn profile(&self, flags: Layer) -> Result<Profile> {
        self.profile_to_ask(&self.profile_name()?, flags)
    }

    /// The profile of this name, to ask its server something.
    pub(super) fn profile_to_ask(&self, name: &str, flags: Layer) -> Result<Profile> {
        let mut found = self.find(name, flags)?;
        if Self::is_outdated(&found) {
            self.discover(&mut found)?;
        }
        Profile::new(&found.name, &found.layer, &self.dirs)
    }

    /// The profile in use as far as it is known, and whether its server's metadata must be asked for
    /// before its server is asked for a token.
    pub(super) fn profile_as_known(&self, flags: Layer) -> Result<(Profile, bool)> {
        let found = self.find(&self.profile_name()?, flags)?;
        let profile = Profile::new(&found.name, &found.layer, &self.dirs)?;
        Ok((profile, Self::is_outdated(&found)))
    }

    /// The profile in use, with all that its issuer says of itself.
    pub(super) fn profile_discovered(&self, flags: Layer) -> Result<Profile> {
        let mut found = self.find(&self.profile_name()?, flags)?;
        self.discover(&mut found)?;
        Profile::new(&found.name, &found.layer, &self.dirs)
    }

    /// The profile of this name, as far as it is known.
    pub(super) fn profile_named(&self, name: &str, flags: Layer) -> Result<Profile> {
        let found = self.find(name, flags)?;
        Profile::new(&found.name, &found.layer, &self.dirs)
    }

    /// The profile of this name, empty where it can't be read: what is kept for it is still there.
    pub(super) fn profile_or_empty(&self, name: &str) -> Result<Profile> {
        self.profile_named(name, Layer::default())
            .or_else(|_| Profile::new(name, &Layer::default(), &self.dirs))
    }

    /// The store that was named explicitly, and by what; none for `auto`.
    pub(super) fn named_store(&self) -> Result<Option<(StoreKind, &'static str)>> {
        let text = match (&self.global.store, self.env.text("OAUTHCTL_STORE")?) {
            (Some(flag), _) => Some((flag.clone(), "--store")),
            (None, Some(variable)) => Some((variable, "OAUTHCTL_STORE")),
            (None, None) => {
                self.settings.text("store").map(|text| (text.to_owned(), "config.toml"))
            }
        };
        match text {
            Some((text, _)) if text == "auto" => Ok(None),
            Some((text, from)) => match StoreKind::from_word(&text) {
                Some(kind) => Ok(Some((kind, from))),
                None => Err(Error::config(format!(
                    "{from} names no store: {}",
                    crate::profile::schema::STORES.join(", ")
                ))),
            },
            None => Ok(None),
        }
    }

    /// What stores need to know.
    pub(super) fn place(&self) -> Result<Place> {
        Ok(Place {
            data_dir: self.dirs.data.clone(),
            timeout: self.timeout,
            person: self.may_ask().then(|| self.terminal.person()),
            file_key: self.env.secret("OAUTHCTL_FILE_KEY")?,
            helper: Some(Helper {
                words: self.settings.list("store_command").unwrap_or_default().to_vec(),
                settings: self.dirs.settings(),
                report: Arc::new(self.terminal.another()),
            }),
        })
    }

    /// The stores of this machine.
    pub(super) fn vault(&self) -> Result<Vault<'_>> {
        let named = self.named_store()?.map(|(kind, _)| kind);
        Ok(Vault::new(self.place()?, named, &self.terminal))
    }

    /// Whether a person is at the terminal and may be asked.
    #[must_use]
    pub(super) fn may_ask(&self) -> bool {
        !self.global.no_input && terminal::may_type()
    }

    /// Runs `work` with the profile's session.
    pub(super) fn with_session<T>(
        &self,
        profile: &Profile,
        typed_secret: Option<Secret>,
        work: impl FnOnce(&Session<'_>) -> Result<T>,
    ) -> Result<T> {
        self.with_session_in(&self.vault()?, profile, typed_secret, work)
    }

    /// As [`Context::with_session`], with these stores.
    pub(super) fn with_session_in<T>(
        &self,
        vault: &Vault<'_>,
        profile: &Profile,
        typed_secret: Option<Secret>,
        work: impl FnOnce(&Session<'_>) -> Result<T>,
    ) -> Result<T> {
        self.with_transport(profile, |transport| {
            let pace = Clock::new(&self.terminal);
            let exchange = Exchange { transport, report: &self.terminal, pace: &pace };
            work(&Session {
                profile,
                vault,
                exchange: &exchange,
                env: &self.env,
                report: &self.terminal,
                clock: &now,
                timeout: self.timeout,
                typed_secret,
            })
        })
    }

    /// Runs `work` with the way to the profile's server; nothing of TLS is loaded before it is needed.
    pub(super) fn with_transport<T>(
        &self,
        profile: &Profile,
        work: impl FnOnce(&dyn Transport) -> T,
    ) -> T {
        self.within(self.timeout, profile, work)
    }

    fn within<T>(
        &self,
        timeout: Duration,
        profile: &Profile,
        work: impl FnOnce(&dyn Transport) -> T,
    ) -> T {
        let transport =
            UreqTransport::new(timeout, profile.ca_file.clone(), &self.env, &self.trust);
        work(&Patient { transport: &transport, terminal: &self.terminal })
    }

    /// The layout of tables on stdout.
    #[must_use]
    pub(super) fn layout(&self) -> Layout {
        let stdout = io::stdout();
        let width = stdout.is_terminal().then(|| width().unwrap_or(80));
        Layout { width, color: colors(self.when, &self.env, width.is_some()) }
    }
}

fn lay_below(known: &Known, found: &mut Found) {
    let mut layer = known.layer(&found.layer);
    layer.overlay(std::mem::take(&mut found.layer));
    found.layer = layer;
}

/// The same, in the place of what lay there before.
fn relay_below(known: &Known, found: &mut Found) {
    found.layer.forget_discovered();
    lay_below(known, found);
}

/// Writes a result to stdout. A closed pipe ends the program quietly.
pub(super) fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            // As any program that writes to a closed pipe: the reader has what it wanted.
            #[cfg(unix)]
            let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
            Ok(())
        }
        Err(error) => Err(Error::io("can't write to stdout", error)),
        Ok(()) => Ok(()),
    }
}

/// The time now.
#[must_use]
pub(super) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The columns of the terminal on stdout.
#[cfg(unix)]
fn width() -> Option<u16> {
    rustix::termios::tcgetwinsize(io::stdout())
        .ok()
        .map(|size| size.ws_col)
        .filter(|&columns| columns > 0)
}

#[cfg(not(unix))]
fn width() -> Option<u16> {
    None
}
