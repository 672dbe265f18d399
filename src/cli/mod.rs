//! The command line: what was typed becomes what was meant, and the end of it an exit code.

#![allow(clippy::doc_markdown, reason = "clap shows these comments to people as they are")]

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use self::args::Global;
use self::context::Context;
use self::terminal::Terminal;
use crate::env::Env;

pub mod args;
mod client_token;
mod complete;
mod completions;
mod context;
mod curl;
mod doctor;
mod dry_run;
mod exec;
mod failure;
mod header;
mod introspect;
mod login;
mod logout;
mod man;
mod names;
mod pace;
mod profile;
mod provider;
mod quick;
mod refresh;
#[cfg(feature = "sandbox")]
mod sandbox;
mod shell;
mod show;
mod store;
mod terminal;
mod token;
mod told;
mod userinfo;

const EXAMPLES: &str = "\
Examples:
  oauthctl login --profile bindeo                        log in, once
  curl -H @<(oauthctl header) https://api.bindeo.com/    a header for a script
  TOKEN=$(oauthctl client-token --profile kabbage)       a machine's token for a CI job
  oauthctl curl -p bindeo -- https://api.bindeo.com/     the token is in no argv and no file
  oauthctl sandbox -- sh                                 try it all out, with no account

Exit codes:
  0 success   1 unexpected   2 usage   3 configuration   4 a person must log in
  5 the server refused   6 network or server trouble   7 the token store
  125 curl, exec, sandbox: oauthctl itself failed   126, 127 the child can't run   128+N signal N";

/// OAuth 2.0 tokens for shells, scripts and CI: always fresh, never leaked, never lost
#[derive(Debug, Parser)]
#[command(name = "oauthctl", version, after_help = EXAMPLES, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Login(login::Args),
    ClientToken(client_token::Args),
    Refresh(refresh::Args),
    Show(show::Args),
    Header(header::Args),
    Token(token::Args),
    Curl(curl::Args),
    Exec(exec::Args),
    Logout(logout::Args),
    Introspect(introspect::Args),
    Userinfo(userinfo::Args),
    Profile(profile::Args),
    Provider(provider::Args),
    Store(store::Args),
    Doctor(doctor::Args),
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// Whether a failure of ours must be told apart from one of a child.
    const fn wraps(&self) -> bool {
        match self {
            Self::Curl(_) | Self::Exec(_) => true,
            #[cfg(feature = "sandbox")]
            Self::Sandbox(args) => args.wraps(),
            _ => false,
        }
    }

    /// Whether a broken config.toml stands in the way.
    const fn needs_settings(&self) -> bool {
        !matches!(self, Self::Doctor(_) | Self::Completions(_) | Self::Man(_))
    }

    /// The command that asks the same of the server and of the store once more.
    fn again(&self) -> String {
        let (words, identity) = match self {
            Self::Login(_) => ("login", None),
            Self::ClientToken(args) => return args.again(),
            Self::Header(args) => ("header", args.identity.identity),
            Self::Token(args) => ("header", args.identity.identity),
            Self::Curl(args) => ("header", args.identity.identity),
            Self::Exec(args) => ("header", args.identity.identity),
            Self::Refresh(args) => ("refresh", args.identity.identity),
            Self::Logout(args) => ("logout", args.identity.identity),
            Self::Introspect(args) => return args.again(),
            Self::Userinfo(_) => ("userinfo", None),
            Self::Profile(args) if args.makes().is_some() => {
                return args.makes().map(|(_, again)| again).unwrap_or_default();
            }
            _ => ("refresh", None),
        };
        match identity {
            Some(identity) => format!("{words} --as {identity}"),
            None => words.to_owned(),
        }
    }

    fn run(&self, context: &Context) -> anyhow::Result<u8> {
        match self {
            Self::Header(args) => args.run(context).map(|()| 0),
            other => other.run_other(context),
        }
    }

    /// Apart, so that the commonest command has no more on its stack than it needs.
    #[inline(never)]
    fn run_other(&self, context: &Context) -> anyhow::Result<u8> {
        match self {
            Self::Login(args) => args.run(context),
            Self::ClientToken(args) => args.run(context),
            Self::Refresh(args) => return args.run(context),
            Self::Show(args) => args.run(context),
            Self::Header(args) => args.run(context),
            Self::Token(args) => args.run(context),
            Self::Curl(args) => return args.run(context),
            Self::Exec(args) => return args.run(context),
            Self::Logout(args) => args.run(context),
            Self::Introspect(args) => args.run(context),
            Self::Userinfo(args) => args.run(context),
            Self::Profile(args) => args.run(context),
            Self::Provider(args) => args.run(context),
            Self::Store(args) => return args.run(context),
            Self::Doctor(args) => args.run(context),
            #[cfg(feature = "sandbox")]
            Self::Sandbox(args) => return args.run(context),
            Self::Completions(args) => args.run(),
            Self::Man(args) => args.run(),
        }
        .map(|()| 0)
    }
}

/// The whole command line, as clap knows it: for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program where nothing was made ready for it.
#[cfg(target_os = "linux")]
#[must_use]
pub fn start(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match crate::start::prepare() {
        Ok(()) => run(arguments),
        // There is nobody to be told.
        Err(_) => 1,
    }
}

/// Runs the program; its exit code.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let env = Env::process();
    if env.os("COMPLETE").is_some() {
        clap_complete::CompleteEnv::with_factory(command).complete();
    }
    no_core_dumps();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match quick::parse(&arguments).map_or_else(|| parse(arguments), Ok) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let wraps = cli.command.wraps();
    // What goes wrong with a profile that is made is nothing of the one in use.
    let made = match &cli.command {
        Command::Profile(args) => args.makes().map(|(name, _)| name.to_owned()),
        _ => None,
    };
    let profile = made.or_else(|| cli.global.profile.clone());
    // Until the settings are read, nothing is known of colours.
    let plain = Terminal::new(cli.global.quiet, cli.global.verbose, false);
    let (result, terminal, profile) =
        match Context::new(cli.global, env, cli.command.needs_settings()) {
            Ok(context) => {
                let result = cli.command.run(&context);
                let profile = profile.or_else(|| context.profile_name().ok());
                (result, context.terminal, profile)
            }
            Err(error) => (Err(error.into()), plain, profile),
        };
    match result {
        Ok(status) => status,
        Err(error) => {
            failure::tell(&terminal, &error, profile.as_deref(), &cli.command.again());
            let code = failure::code(&error);
            if wraps && code != failure::USAGE { failure::WRAPPER } else { code }
        }
    }
}

/// What a command line means; what is to be told of it instead is told.
#[inline(never)]
fn parse(arguments: Vec<OsString>) -> Result<Cli, u8> {
    Cli::try_parse_from(arguments).map_err(|error| usage(&error))
}

/// Help and version go to stdout; what was typed wrongly is told on stderr.
fn usage(error: &clap::Error) -> u8 {
    if error.use_stderr() {
        let _ = error.print();
        return failure::USAGE;
    }
    match context::print(error.render().to_string().as_bytes()) {
        Ok(()) => 0,
        Err(unwritten) => {
            let unwritten = unwritten.into();
            failure::tell(&Terminal::new(false, 0, false), &unwritten, None, "refresh");
            failure::code(&unwritten)
        }
    }
}

/// A crash must not write tokens to a disk.
fn no_core_dumps() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
