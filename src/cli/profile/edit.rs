use std::ffi::OsString;
use std::path::Path;

use super::text_of;
use crate::cli::context::Context;
use crate::cli::{complete, terminal};
use crate::env;
use crate::error::{Error, Result};
use crate::profile::dirs::read_file;
use crate::profile::layer::Origin;
use crate::profile::schema::PROFILE;

pub(super) fn run(context: &Context, name: &str) -> Result<()> {
    let before = text_of(context, name)?;
    let fault = |error| Error::io("can't make a file to edit", error);
    let draft = tempfile::Builder::new().prefix(name).suffix(".toml").tempfile().map_err(fault)?;
    std::fs::write(draft.path(), &before).map_err(fault)?;
    loop {
        run_editor(context, draft.path())?;
        let after = read_file(draft.path())?.unwrap_or_default();
        if after == before {
            context.terminal.say("Nothing was changed.");
            return Ok(());
        }
        let origin = |line| Origin::File(draft.path().to_owned(), line);
        match crate::profile::layer::read(PROFILE, &after, &origin, Some(draft.path())) {
            Ok(_) => return complete::write_profile(context, name, &after),
            Err(error) if context.may_ask() => {
                context.terminal.line("31", "error", &error.to_string());
                if terminal::ask("edit again? (y/n)")? != "y" {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn run_editor(context: &Context, path: &Path) -> Result<()> {
    let fallback = if cfg!(windows) { "notepad" } else { "vi" };
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| context.env.os(name))
        .unwrap_or_else(|| OsString::from(fallback));
    let text = editor.to_string_lossy().into_owned();
    let mut words = text.split_whitespace();
    let mut command = std::process::Command::new(words.next().unwrap_or(fallback));
    command.args(words).arg(path);
    for name in env::SECRETS {
        command.env_remove(name);
    }
    let status = command
        .status()
        .map_err(|error| Error::io(format!("can't run the editor {text}"), error))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::io(
            format!("the editor {text} failed"),
            std::io::Error::other(status.to_string()),
        ))
    }
}
