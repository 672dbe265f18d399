use std::path::PathBuf;

use super::context;
use crate::error::{Error, Result};

/// Print a man page
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl man | man -l -
  oauthctl man client-token >~/.local/share/man/man1/oauthctl-client-token.1")]
pub(super) struct Args {
    /// The command to explain, such as login or profile add [default: all of them, in short]
    command: Vec<String>,
    /// Write every page into this directory instead
    #[arg(long, value_name = "DIR", conflicts_with = "command", value_hint = clap::ValueHint::DirPath)]
    write: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        if let Some(directory) = &self.write {
            for (name, text) in pages()? {
                let path = directory.join(format!("{name}.1"));
                std::fs::write(&path, text)
                    .map_err(|error| Error::io(format!("can't write {}", path.display()), error))?;
            }
            return Ok(());
        }
        let wanted = std::iter::once("oauthctl").chain(self.command.iter().map(String::as_str));
        let wanted = wanted.collect::<Vec<_>>().join("-");
        let page = pages()?.into_iter().find(|(name, _)| *name == wanted);
        let (_, text) =
            page.ok_or_else(|| Error::Usage(format!("there is no page for {wanted}")))?;
        Ok(context::print(&text)?)
    }
}

/// Every page, by the name of its command.
fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    let mut root = super::command();
    root.build();
    let mut pages = Vec::new();
    let mut waiting = vec![("oauthctl".to_owned(), root)];
    while let Some((name, command)) = waiting.pop() {
        let below = command.get_subcommands().filter(|command| command.get_name() != "help");
        waiting.extend(
            below.map(|command| (format!("{name}-{}", command.get_name()), command.clone())),
        );
        pages.push((name.clone(), page(command, &name)?));
    }
    Ok(pages)
}

fn page(command: clap::Command, name: &str) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .title(name)
        .date("")
        .source(concat!("oauthctl ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands")
        .render(&mut text)
        .map_err(|error| Error::io("can't write a page", error))?;
    Ok(text)
}
