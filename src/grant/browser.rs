//! Opens a URL in the person's browser.

use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use url::Url;

use crate::env::{self, Env};

/// How long a program may take to say that it can't open anything.
const HONESTY: Duration = Duration::from_secs(1);

/// Opens the URL; tells whether anything took it.
///
/// What `$BROWSER` names is run whatever the display; else there must be one to show a browser on.
#[must_use]
pub fn open(url: &Url, environment: &Env) -> bool {
    if let Some(named) = environment.os("BROWSER").filter(|named| !named.is_empty()) {
        return named.to_str().is_some_and(|list| {
            list.split(':').filter_map(|entry| named_command(entry, url)).any(is_taken)
        });
    }
    has_display(environment) && open::commands(url.as_str()).into_iter().any(is_taken)
}

/// The command of one entry of `$BROWSER`, whose `%s` is the URL; else that comes last.
fn named_command(entry: &str, url: &Url) -> Option<Command> {
    let mut words = entry.split_whitespace();
    let mut command = Command::new(words.next()?);
    let mut placed = false;
    for word in words {
        placed |= word.contains("%s");
        command.arg(word.replace("%s", url.as_str()));
    }
    if !placed {
        command.arg(url.as_str());
    }
    Some(command)
}

/// Whether a window could be shown.
fn has_display(environment: &Env) -> bool {
    let is_set = |name| environment.os(name).is_some_and(|value| value != OsStr::new(""));
    cfg!(any(windows, target_os = "macos"))
        || ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].into_iter().any(is_set)
}

/// Starts a program and leaves it alone, unless it fails at once.
fn is_taken(mut command: Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    for name in env::SECRETS {
        command.env_remove(name);
    }
    // A Ctrl-C in the terminal is not meant for the browser.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().is_ok_and(stays)
}

fn stays(mut child: Child) -> bool {
    let until = Instant::now() + HONESTY;
    while Instant::now() < until {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(Duration::from_millis(10)),
            Err(_) => return false,
        }
    }
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_is_named_is_told_the_url_where_it_wants_it() {
        let url = Url::parse("https://a.example/?a=b&c=d").unwrap();
        let words = |entry: &str| {
            let command = named_command(entry, &url).unwrap();
            let args = command.get_args().map(|arg| arg.to_str().unwrap().to_owned());
            args.collect::<Vec<_>>()
        };
        assert_eq!(words("firefox"), ["https://a.example/?a=b&c=d"]);
        assert_eq!(words("x --url=%s -n"), ["--url=https://a.example/?a=b&c=d", "-n"]);
        assert!(named_command(" ", &url).is_none());
    }

    #[test]
    fn of_several_browsers_the_first_that_takes_the_url_is_the_one() {
        let url = Url::parse("https://a.example/").unwrap();
        let named = |list: &str| open(&url, &Env::of(&[("BROWSER", list), ("DISPLAY", ":0")]));
        assert!(named("/no/such/program:false:true"));
        assert!(!named("/no/such/program:false"));
        assert!(!open(&url, &Env::of(&[])));
    }
}
