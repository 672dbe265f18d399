use std::ffi::{OsStr, OsString};
use std::process::Command;

use super::args::{As, MinTtlArg};
use super::context::Context;
use super::token;
use crate::env;
use crate::error::Error;

/// Run a command with the token in its environment
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The token is in OAUTHCTL_TOKEN, where the command and its children can read it.

Examples:
  oauthctl exec -- sh -c 'http --auth-type bearer --auth \"$OAUTHCTL_TOKEN\" api.example.com'
  oauthctl exec --env GITHUB_TOKEN -- ./release.sh")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) identity: As,
    #[command(flatten)]
    min_ttl: MinTtlArg,
    /// The variable that holds the token
    #[arg(long, value_name = "NAME", default_value = "OAUTHCTL_TOKEN", value_parser = variable)]
    env: String,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<u8> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Error::Usage("no command is given".to_owned()).into());
        };
        let tokens = token::obtain(context, &self.identity, &self.min_ttl)?.tokens;
        let mut command = Command::new(program);
        command.args(arguments);
        for name in env::SECRETS {
            command.env_remove(name);
        }
        command.env(&self.env, tokens.access_token.expose());
        Ok(run(context, command))
    }
}

/// Becomes the command where the platform can, and ends as it ends.
#[cfg(unix)]
fn run(context: &Context, mut command: Command) -> u8 {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    not_run(context, command.get_program(), &error)
}

#[cfg(not(unix))]
fn run(context: &Context, mut command: Command) -> u8 {
    match command.status() {
        Ok(status) => super::exec::status(status),
        Err(error) => not_run(context, command.get_program(), &error),
    }
}

/// The status of a child as ours: its own code, or 128 and the signal that ended it.
#[cfg(any(not(unix), feature = "sandbox"))]
pub(super) fn status(status: std::process::ExitStatus) -> u8 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let code = status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(1);
    self::code(code)
}

/// An exit code as the system keeps it: its lowest byte.
pub(super) fn code(code: i32) -> u8 {
    u8::try_from(code & 0xff).unwrap_or(1)
}

/// As a shell has it: 127 for what was not found, 126 for what can't be executed.
pub(super) fn not_run(context: &Context, program: &OsStr, error: &std::io::Error) -> u8 {
    let program = program.to_string_lossy();
    context.terminal.line("31", "error", &format!("can't run {program}: {error}"));
    if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 }
}

fn variable(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fits)
    {
        return Err("expected the name of an environment variable".to_owned());
    }
    if env::SECRETS.contains(&name) {
        return Err("that variable is never handed to a child".to_owned());
    }
    Ok(name.to_owned())
}
