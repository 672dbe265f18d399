use super::context;
use crate::error::{Error, Result};

/// Print a man page
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl man | man -l -
  oauthctl man client-token >~/.local/share/man/man1/oauthctl-client-token.1")]
pub(super) struct Args {
    /// The command to explain [default: all of them, in short]
    command: Option<String>,
}

impl Args {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let wanted = match &self.command {
            Some(command) => format!("oauthctl-{command}"),
            None => "oauthctl".to_owned(),
        };
        let page = pages()?.into_iter().find(|(name, _)| *name == wanted);
        let (_, text) =
            page.ok_or_else(|| Error::Usage(format!("there is no page for {wanted}")))?;
        Ok(context::print(&text)?)
    }
}

/// Every page, by the name of its command.
pub(super) fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    let mut root = super::command();
    root.build();
    let mut pages = vec![page(&root, "oauthctl")?];
    for command in root.get_subcommands().filter(|command| command.get_name() != "help") {
        pages.push(page(command, &format!("oauthctl-{}", command.get_name()))?);
    }
    Ok(pages)
}

fn page(command: &clap::Command, name: &str) -> Result<(String, Vec<u8>)> {
    let mut text = Vec::new();
    // clap wants a name that lives as long as the command; there are some twenty, once.
    let leaked: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let man = clap_mangen::Man::new(command.clone().name(leaked))
        .date("")
        .source(concat!("oauthctl ", env!("CARGO_PKG_VERSION")));
    man.render(&mut text).map_err(|error| Error::io("can't write a page", error))?;
    Ok((name.to_owned(), text))
}
