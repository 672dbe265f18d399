//! Runs the system's curl with a token that no other process sees.
//!
//! The user's arguments are judged first (`plan`): they and the files they name must not lead
//! the token anywhere but to the hosts that may see it, nor write it down. Only then is the token
//! fetched, and handed to curl as a configuration that it reads from a private descriptor. Where
//! the answer is a 401 and the request can be made again, the token is renewed once and the
//! request repeated, before the user sees anything (`gate`).
//!
//! With certificates verified it doesn't matter which way a connection takes: `--resolve`,
//! `--connect-to`, proxies and sockets may be used with https. On plain http, which is for this
//! machine alone, and with `--insecure`, which is so too, they may not.

mod config;
mod curlrc;
#[cfg(unix)]
mod dump;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(unix)]
mod gate;
mod heads;
#[cfg(unix)]
mod launch;
mod operands;
mod options;
mod place;
mod plan;
#[cfg(unix)]
mod private;
mod redact;
#[cfg(unix)]
mod relay;
mod segment;
#[cfg(any(not(unix), test))]
mod standard_input;
mod targets;

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

pub use targets::ApiHosts;

use crate::error::{Error, Result};
use crate::report::Report;
use crate::secret::Secret;
#[cfg(unix)]
use gate::{become_curl, run_requests};
use options::Table;
use place::Files;
use plan::{Plan, Surroundings};
#[cfg(not(unix))]
use standard_input::{become_curl, run_requests};

/// So much of a configuration or a list of headers is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// Longer tokens no server takes, and curl reads no line much longer, in bytes.
const LONGEST: usize = 64 << 10;

/// Where tokens come from.
pub trait Tokens {
    /// The token to send.
    fn current(&self) -> Result<Bearer>;

    /// A newer token than the one that was refused, if one can be had.
    fn renewed(&self, refused: &Secret) -> Result<Option<Secret>>;
}

/// A token to send.
#[derive(Debug)]
pub struct Bearer {
    /// The access token.
    pub token: Secret,
    /// Whether this very process obtained it, so that renewing it after a 401 would be of no use.
    pub just_made: bool,
}

/// A call of curl.
pub struct Call<'a> {
    /// The program, such as `curl`.
    pub program: &'a OsStr,
    /// The user's arguments.
    pub args: &'a [OsString],
    /// The hosts that may see the token.
    pub hosts: &'a ApiHosts,
    /// The environment, of which curl's own variables and those of proxies are read.
    pub environment: &'a dyn Fn(&str) -> Option<OsString>,
    /// The variables that curl doesn't get.
    pub withheld: &'a [&'a str],
    /// Whether standard output is a terminal.
    pub terminal: bool,
    /// Who hears of what is done.
    pub report: &'a dyn Report,
}

/// What became of curl.
#[derive(Debug)]
pub enum Outcome {
    /// It ended with this status.
    Exited(i32),
    /// It was ended by this signal.
    Signaled(i32),
    /// It could not be started: it was not found, or is no program.
    NotStarted(io::Error),
}

impl From<ExitStatus> for Outcome {
    fn from(status: ExitStatus) -> Self {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Self::Signaled(signal);
        }
        Self::Exited(status.code().unwrap_or(1))
    }
}

/// Runs curl with a token.
///
/// On Unix this process may become curl, and then never comes back. Whatever may not be sent is
/// refused before the token is asked for.
pub fn run(call: &Call, tokens: &dyn Tokens) -> Result<Outcome> {
    let help = || ask(call, &["--help", "all"]).unwrap_or_default();
    let proxies = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let around = Surroundings {
        table: Table::new(&help),
        files: &System { stdin_ended: Cell::new(false) },
        hosts: call.hosts,
        curlrc: curlrc::find(call.environment),
        proxied: proxies.iter().any(|name| (call.environment)(name).is_some()),
    };
    let args: Vec<_> = call.args.iter().map(|arg| arg.as_encoded_bytes().to_vec()).collect();
    let requests = match plan::judge(&args, &around)? {
        Plan::Bare => {
            let mut curl = command(call);
            curl.args(call.args);
            return Ok(become_curl(curl));
        }
        Plan::Requests(requests) => requests,
    };
    if requests.follow {
        match ask(call, &["--version"]) {
            Ok(text) => check_version(&text)?,
            Err(error) => return Ok(Outcome::NotStarted(error)),
        }
    }
    let bearer = tokens.current()?;
    check_token(&bearer.token)?;
    run_requests(call, &requests, &bearer, tokens)
}

/// The program with its environment, without arguments.
fn command(call: &Call) -> Command {
    let mut command = Command::new(call.program);
    for name in call.withheld {
        command.env_remove(name);
    }
    command
}

/// Has the installed curl say something about itself.
fn ask(call: &Call, args: &[&str]) -> io::Result<String> {
    // Without `-q` first, a `.curlrc` could have it do more.
    let mut curl = command(call);
    curl.arg("-q").args(args).stdin(Stdio::null()).stderr(Stdio::null());
    Ok(String::from_utf8_lossy(&curl.output()?.stdout).into_owned())
}

/// A curl before 7.83 follows redirects to another port or protocol with the token.
fn check_version(text: &str) -> Result<()> {
    let mut version = text.split(' ').nth(1).unwrap_or_default().split('.');
    let mut number = || version.next().and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
    if (number(), number()) >= (7, 83) {
        return Ok(());
    }
    Err(Error::config(
        "this curl is older than 7.83 and could carry the token along a redirect to another port: \
         leave --location out",
    ))
}

/// RFC 6750 section 2.1 allows fewer characters still.
fn check_token(token: &Secret) -> Result<()> {
    let token = token.expose();
    if token.is_empty() || token.len() > LONGEST || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::BadAnswer("the token can't be sent in a header".to_owned()));
    }
    Ok(())
}

/// The line of a configuration that sends the token.
fn header(token: &Secret) -> Secret<Vec<u8>> {
    let token = token.expose().as_bytes();
    // Room for all, so that growing leaves no copy behind.
    let mut line = Vec::with_capacity(2 * token.len() + 64);
    line.extend_from_slice(b"header = \"Authorization: Bearer ");
    for &byte in token {
        if matches!(byte, b'"' | b'\\') {
            line.push(b'\\');
        }
        line.push(byte);
    }
    line.extend_from_slice(b"\"\n");
    Secret::new(line)
}

/// An argument from its bytes.
#[cfg(unix)]
fn os(bytes: &[u8]) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

/// An argument from its bytes, which elsewhere must be Unicode.
#[cfg(not(unix))]
fn os(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// The files of this machine.
struct System {
    stdin_ended: Cell<bool>,
}

impl Files for System {
    fn read(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        if name != b"-" {
            return read_all(File::open(os(name))?);
        }
        if self.stdin_ended.replace(true) {
            return Ok(Vec::new());
        }
        read_all(io::stdin().lock())
    }

    fn is_once(&self, name: &[u8]) -> bool {
        if name == b"/dev/null" {
            return false;
        }
        is_descriptor(name)
            || std::fs::metadata(os(name)).is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
    }

    fn is_closed(&self, name: &[u8]) -> bool {
        is_descriptor(name) && std::fs::metadata(os(name)).is_err()
    }
}

/// Whether a name leads to a descriptor of a process, by whatever way: through links, `..` or the
/// working directory too.
fn is_descriptor(name: &[u8]) -> bool {
    /// So many links in a row no system follows.
    const LINKS: usize = 40;
    let mut path = PathBuf::from(os(name));
    for _ in 0..LINKS {
        let (Some(folder), Some(file)) = (path.parent(), path.file_name()) else { return false };
        let Ok(folder) = Path::new(".").join(folder).canonicalize() else { return false };
        if folder == Path::new("/dev/fd") || (folder.starts_with("/proc") && folder.ends_with("fd"))
        {
            return true;
        }
        let Ok(target) = std::fs::read_link(folder.join(file)) else { return false };
        path = folder.join(target);
    }
    false
}

fn read_all(source: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    source.take(LIMIT + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too long"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_curl_may_not_follow_redirects() {
        assert!(check_version("curl 7.83.0 (x86_64-pc-linux-gnu) libcurl/7.83.0").is_ok());
        assert!(check_version("curl 8.16.0-DEV (x) y").is_ok());
        assert!(check_version("curl 10.0 (x) y").is_ok());
        for text in ["curl 7.82.0 (x)", "curl 7.9.8 (x)", "", "busybox"] {
            assert!(check_version(text).is_err(), "{text}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_descriptor_is_read_once_if_it_is_open() {
        let system = System { stdin_ended: Cell::new(false) };
        assert!(system.is_once(b"/dev/fd/0") && !system.is_closed(b"/dev/fd/0"));
        assert!(system.is_closed(b"/dev/fd/98765") && system.is_closed(b"/proc/self/fd/98765"));
        assert!(!system.is_once(b"/dev/null") && !system.is_once(b"/") && !system.is_once(b"/no"));
        assert!(system.is_once(b"/dev/zero") && !system.is_closed(b"/no"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_descriptor_is_known_by_every_way_to_it() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        symlink("/dev/fd/98765", home.path().join("file")).unwrap();
        symlink("file", home.path().join("link")).unwrap();
        symlink("/proc/self/fd", home.path().join("folder")).unwrap();
        symlink("loop", home.path().join("loop")).unwrap();
        let at = |name: &str| home.path().join(name).display().to_string();
        let own = format!("/proc/{}/fd/98765", std::process::id());
        let relative = format!("{}dev/fd/98765", "../".repeat(40));
        let system = System { stdin_ended: Cell::new(false) };
        for name in [
            "//dev/fd/98765",
            "/dev/./fd//98765",
            "/dev/fd/../fd/98765",
            "/proc/thread-self/fd/98765",
            &own,
            &relative,
            &at("file"),
            &at("link"),
            &at("folder/98765"),
        ] {
            assert!(system.is_closed(name.as_bytes()), "{name}");
        }
        for name in ["fd/98765", "98765", "/", "..", "", &at("loop"), &at("none")] {
            assert!(!system.is_closed(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_token_that_could_break_out_of_its_header_is_refused() {
        assert!(check_token(&Secret::from("abc.DEF-_~+/=\"\\")).is_ok());
        for token in
            ["", "a b", "a\r\nHost: evil", "a\u{0}", "t\u{f6}ken", &"x".repeat(LONGEST + 1)]
        {
            assert!(check_token(&Secret::from(token)).is_err(), "{token}");
        }
        let line = header(&Secret::from("a\"b\\c"));
        assert_eq!(line.expose(), b"header = \"Authorization: Bearer a\\\"b\\\\c\"\n");
    }
}
