use clap::ValueEnum;
use clap_complete::env::Shells;

use super::context;
use crate::error::Error;

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The script asks oauthctl itself, so that profiles and keys are completed as they are now.

Examples:
  oauthctl completions bash >~/.local/share/bash-completion/completions/oauthctl
  oauthctl completions zsh >~/.zfunc/_oauthctl
  oauthctl completions fish >~/.config/fish/completions/oauthctl.fish")]
pub(super) struct Args {
    shell: Shell,
}

/// The shells that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
    /// PowerShell
    #[value(name = "powershell")]
    #[allow(clippy::enum_variant_names, reason = "that is its name")]
    PowerShell,
    /// Elvish
    Elvish,
}

impl Args {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        Ok(context::print(&script(self.shell)?)?)
    }
}

/// The script for a shell.
pub(super) fn script(shell: Shell) -> Result<Vec<u8>, Error> {
    let name =
        shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let completer = shells
        .completer(&name)
        .ok_or_else(|| Error::Usage(format!("no completions for {name}")))?;
    completer
        .write_registration("COMPLETE", "oauthctl", "oauthctl", "oauthctl", &mut script)
        .map_err(|error| Error::io("can't write the script", error))?;
    Ok(script)
}
