//! The commonest command lines, read without clap: in a loop or a prompt, its whole grammar would
//! cost more than all the rest of a `header`.
//!
//! Whatever is not plain is left to clap, and what is read here means to clap the same.

use std::ffi::OsString;

use super::args::Global;
use super::{Cli, Command, client_token, curl, header, token};

/// The meaning of a command line such as `header -p NAME`; `None` where clap must be asked.
pub(super) fn parse(arguments: &[OsString]) -> Option<Cli> {
    let mut words = arguments.iter().skip(1);
    let mut global = Global::default();
    let mut name = None;
    let mut no_store = false;
    let mut operands = Vec::new();
    while let Some(word) = words.next() {
        match word.to_str()? {
            "-p" | "--profile" if global.profile.is_none() => {
                let profile = words.next()?.to_str().filter(|text| !text.starts_with('-'))?;
                global.profile = Some(profile.to_owned());
            }
            "--no-store" if name == Some("client-token") => no_store = true,
            "--" if name == Some("curl") => operands.extend(words.by_ref().cloned()),
            word if name.is_none() => name = Some(word),
            _ => return None,
        }
    }
    let command = match (name?, operands.is_empty()) {
        ("header", true) => Command::Header(header::Args::default()),
        ("token", true) => Command::Token(token::Args::default()),
        ("client-token", true) => Command::ClientToken(client_token::Args::with(no_store)),
        ("curl", false) => Command::Curl(curl::Args::of(operands)),
        _ => return None,
    };
    Some(Cli { global, command })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use proptest::prelude::*;

    use super::*;

    const WORDS: [&str; 19] = [
        "header",
        "token",
        "client-token",
        "curl",
        "exec",
        "help",
        "-p",
        "--profile",
        "work",
        "",
        "--",
        "-h",
        "--json",
        "-pwork",
        "--profile=work",
        "-",
        "-q",
        "-ph",
        "--no-store",
    ];

    proptest! {
        #[test]
        fn what_is_read_quickly_means_the_same_to_clap(
            words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..6),
        ) {
            let arguments: Vec<OsString> =
                std::iter::once("oauthctl").chain(words).map(OsString::from).collect();
            if let Some(quick) = parse(&arguments) {
                let clap = Cli::try_parse_from(&arguments).unwrap();
                prop_assert_eq!(format!("{quick:?}"), format!("{clap:?}"));
            }
        }
    }

    #[test]
    fn the_commonest_lines_are_read_quickly() {
        let is_quick = |line: &str| {
            let words = std::iter::once("oauthctl").chain(line.split_whitespace());
            parse(&words.map(OsString::from).collect::<Vec<_>>()).is_some()
        };
        for line in [
            "header",
            "-p work header",
            "header --profile work",
            "token",
            "client-token -p work",
            "client-token --no-store",
            "curl -p work -- -sS https://a.example/ -p x --",
        ] {
            assert!(is_quick(line), "{line}");
        }
        for line in [
            "",
            "header -h",
            "header --no-store",
            "header header",
            "show",
            "-p header",
            "curl --",
            "token --",
        ] {
            assert!(!is_quick(line), "{line}");
        }
    }
}
