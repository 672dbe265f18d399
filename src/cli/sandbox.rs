use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::args::parse_duration;
use super::context::{Context, print};
use super::exec;
use crate::durable;
use crate::env;
use crate::error::{Error, Result};
use crate::profile::edit;
use crate::profile::schema::{SecretSource, Value};
use crate::sandbox::{Behaviour, Fault, Options, Provider, Sandbox};

/// Run an authorization server on loopback that speaks every built-in dialect
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Alone it prints its addresses and credentials, and serves until it is interrupted. With a command
it runs that with profiles which point at it, and a configuration and store that go with it.

Examples:
  oauthctl sandbox -- sh -c 'oauthctl login -p bindeo && oauthctl header -p bindeo'
  oauthctl sandbox --expires-in 10s -- bash
  oauthctl sandbox --port 9000")]
pub(super) struct Args {
    /// The port to listen on [default: any that is free]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// How long its access tokens live [default: as documented]
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    expires_in: Option<Duration>,
    /// How long it takes to answer a token request
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    delay: Option<Duration>,
    /// Answer token requests with this status
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(400..600))]
    fail: Option<u16>,
    /// How many token requests fail [default: all]
    #[arg(long, value_name = "N", requires = "fail")]
    fail_times: Option<u64>,
    /// A command to run, and its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Args {
    /// Whether a command is run.
    pub(super) const fn wraps(&self) -> bool {
        !self.command.is_empty()
    }

    pub(super) fn run(&self, context: &Context) -> anyhow::Result<u8> {
        let sandbox = Sandbox::start(Options {
            port: self.port,
            behaviour: self.behaviour(),
            ..Options::default()
        })?;
        if self.command.is_empty() {
            print(introduction(&sandbox).as_bytes())?;
            sandbox.wait();
            return Ok(0);
        }
        let home = temporary_home()
            .map_err(|error| Error::io("can't make a temporary directory", error))?;
        furnish(&sandbox, home.path())?;
        Ok(self.run_child(context, &sandbox, home.path())?)
    }

    fn behaviour(&self) -> Behaviour {
        let fault = self.fail.map(|status| {
            let body = r#"{"error":"temporarily_unavailable","error_description":"the sandbox was told to fail"}"#;
            Fault { times: self.fail_times, ..Fault::answer(status, body) }
        });
        Behaviour {
            expires_in: self.expires_in.map(|life| life.as_secs()),
            delay: self.delay.unwrap_or_default(),
            fault,
            ..Behaviour::default()
        }
    }

    fn run_child(&self, context: &Context, sandbox: &Sandbox, home: &Path) -> Result<u8> {
        let Some((program, arguments)) = self.command.split_first() else { return Ok(0) };
        let mut command = Command::new(program);
        command.args(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(env::PREFIX) {
                command.env_remove(name);
            }
        }
        let path = context.env.os("PATH").unwrap_or_default();
        let path = std::env::join_paths(
            std::iter::once(home.join("bin")).chain(std::env::split_paths(&path)),
        );
        let path = path
            .map_err(|error| Error::io("PATH can't be extended", std::io::Error::other(error)))?;
        command
            .env("PATH", path)
            .env("OAUTHCTL_CONFIG_DIR", home.join("config"))
            .env("OAUTHCTL_DATA_DIR", home.join("data"))
            .env("OAUTHCTL_PASSWORD", sandbox.credentials().password.expose());
        match wait_for(&mut command) {
            Ok(status) => Ok(exec::status(status)),
            Err(error) => Ok(exec::not_run(context, command.get_program(), &error)),
        }
    }
}

/// A directory for its owner alone, whatever the umask.
fn temporary_home() -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("oauthctl-sandbox-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}

/// Writes a configuration whose profiles point at the sandbox, and puts this program first on PATH.
fn furnish(sandbox: &Sandbox, home: &Path) -> Result<()> {
    let config = home.join("config");
    let write = |path: &Path, text: &str| {
        durable::replace(path, text.as_bytes())
            .map_err(|error| Error::io(format!("can't write {}", path.display()), error))
    };
    write(&config.join("config.toml"), "default_profile = \"bindeo\"\nstore = \"file\"\n")?;
    let secret = config.join("client_secret");
    write(&secret, sandbox.credentials().client_secret.expose())?;
    for provider in Provider::ALL {
        write(
            &config.join("profiles").join(format!("{}.toml", provider.name())),
            &profile(sandbox, provider, &secret)?,
        )?;
    }
    link_self(&home.join("bin"))
}

/// The profile of a provider: its preset, where it has one, and the sandbox's addresses and credentials.
fn profile(sandbox: &Sandbox, provider: Provider, secret: &Path) -> Result<String> {
    let text = |text: &str| Value::Text(text.to_owned());
    let words = |words: &[&str]| Value::List(words.iter().map(|&word| word.to_owned()).collect());
    let mut values = Vec::new();
    if crate::profile::presets::find(provider.name()).is_some() {
        values.push(("provider", text(provider.name())));
    } else {
        values.push(("token_url", text("/token")));
        values.push(("grants", words(&["client_credentials", "password", "refresh_token"])));
    }
    let credentials = sandbox.credentials();
    values.push(("base_url", text(&sandbox.base_url(provider))));
    values.push(("client_id", text(&credentials.client_id)));
    values.push(("client_secret", Value::Secret(SecretSource::File(secret.display().to_string()))));
    values.push(("username", text(&credentials.username)));
    values.iter().try_fold(String::new(), |text, (key, value)| edit::set(&text, key, value))
}

fn link_self(bin: &Path) -> Result<()> {
    let link = bin.join(format!("oauthctl{}", std::env::consts::EXE_SUFFIX));
    let linked = durable::create_dir(bin).and_then(|()| {
        let this = std::env::current_exe()?;
        #[cfg(unix)]
        return std::os::unix::fs::symlink(this, &link);
        #[cfg(not(unix))]
        return std::fs::copy(this, &link).map(|_| ());
    });
    linked.map_err(|error| Error::io(format!("can't make {}", link.display()), error))
}

/// Runs a child to its end. The terminal's signals reach it by themselves; others are passed on.
#[cfg(unix)]
fn wait_for(command: &mut Command) -> std::io::Result<ExitStatus> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    let received = Arc::new(AtomicUsize::new(0));
    for signal in [SIGTERM, SIGHUP] {
        signal_hook::flag::register_usize(
            signal,
            Arc::clone(&received),
            usize::try_from(signal).unwrap_or_default(),
        )?;
    }
    // The child of a terminal is interrupted with us: the sandbox stays until it has ended.
    for signal in [SIGINT, SIGQUIT] {
        signal_hook::flag::register_usize(signal, Arc::new(AtomicUsize::new(0)), 0)?;
    }
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let signal = i32::try_from(received.swap(0, Ordering::SeqCst)).unwrap_or_default();
        let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let (Some(pid), Some(signal)) = (pid, rustix::process::Signal::from_named_raw(signal)) {
            let _ = rustix::process::kill_process(pid, signal);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(not(unix))]
fn wait_for(command: &mut Command) -> std::io::Result<ExitStatus> {
    command.status()
}

/// The addresses and the credentials.
fn introduction(sandbox: &Sandbox) -> String {
    let credentials = sandbox.credentials();
    let addresses = Provider::ALL.map(|provider| (provider.name(), sandbox.base_url(provider)));
    let credentials = [
        ("client_id", credentials.client_id.clone()),
        ("client_secret", credentials.client_secret.expose().clone()),
        ("username", credentials.username.clone()),
        ("password", credentials.password.expose().clone()),
    ];
    let lines = addresses.into_iter().chain(credentials);
    let lines: Vec<String> = lines.map(|(name, value)| format!("{name:<14} {value}\n")).collect();
    lines.concat()
}
