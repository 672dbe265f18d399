//! A user, and the process that runs `curl::run` for them: this very test binary.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use oauthctl::curl::{self, ApiHosts, Bearer, Call, Outcome, Tokens};
use oauthctl::error::{Error, Result};
use oauthctl::report::Report;
use oauthctl::secret::Secret;

pub(crate) const OLD: &str = "old-token-0123456789";
pub(crate) const NEW: &str = "new-token-9876543210";

/// Stands in the output where the test harness ends.
const MARK: &[u8] = b"<<<from here on, curl>>>\n";

/// A user with a folder of their own, from which the process is told what to do.
pub(crate) struct User {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) command: Command,
}

/// What a user sees in the end.
pub(crate) struct Seen {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl User {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", "--nocapture", "curl_gate::user::process"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", folder.path())
            .env("CURL_TEST", folder.path())
            .env("OAUTHCTL_CLIENT_SECRET", "client-secret")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let user = Self { folder, command };
        user.write("program", "curl");
        user
    }

    /// Whose token was obtained by the very process.
    pub(crate) fn with_new_token() -> Self {
        let user = Self::new();
        user.write("just made", "");
        user
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn start(&mut self, args: &[&str]) -> Child {
        self.write("args", args.iter().flat_map(|arg| [*arg, "\x1f"]).collect::<String>());
        self.command.spawn().unwrap()
    }

    pub(crate) fn runs(&mut self, args: &[&str]) -> Seen {
        seen(&self.start(args).wait_with_output().unwrap())
    }

    /// Runs it with this on standard input, through a pipe.
    pub(crate) fn pipes(&mut self, input: &[u8], args: &[&str]) -> Seen {
        self.command.stdin(Stdio::piped());
        let mut child = self.start(args);
        child.stdin.take().unwrap().write_all(input).unwrap();
        seen(&child.wait_with_output().unwrap())
    }
}

pub(crate) fn seen(output: &Output) -> Seen {
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    Seen { status: output.status, out: behind_mark(&output.stdout), err }
}

pub(crate) fn behind_mark(output: &[u8]) -> Vec<u8> {
    let at = output.windows(MARK.len()).position(|window| window == MARK).expect("it came to run");
    output[at + MARK.len()..].to_vec()
}

impl Seen {
    pub(crate) fn succeeded(&self) -> &Self {
        assert_eq!(self.status.code(), Some(0), "{}", self.err);
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

#[test]
#[ignore = "it is the process that the other tests run"]
fn process() {
    let Ok(folder) = std::env::var("CURL_TEST") else { return };
    let folder = Path::new(&folder);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let args: Vec<OsString> = read("args").split_terminator('\x1f').map(OsString::from).collect();
    let hosts = match read("hosts") {
        hosts if hosts.is_empty() => ApiHosts::default(),
        hosts => ApiHosts::listed(&hosts.split(' ').collect::<Vec<_>>()).unwrap(),
    };
    let call = Call {
        program: &OsString::from(read("program")),
        args: &args,
        hosts: &hosts,
        environment: &|name| std::env::var_os(name),
        withheld: &["OAUTHCTL_CLIENT_SECRET"],
        terminal: folder.join("terminal").exists(),
        report: &Warnings,
    };
    io::stdout().write_all(MARK).unwrap();
    io::stdout().flush().unwrap();
    let outcome = curl::run(&call, &Cache { folder: folder.to_owned(), renewals: Cell::new(0) });
    fs::write(folder.join("status"), fs::read("/proc/self/status").unwrap()).unwrap();
    let code = match outcome {
        Ok(Outcome::Exited(code)) => code,
        Ok(Outcome::Signaled(signal)) => 128 + signal,
        Ok(Outcome::NotStarted(error)) if error.kind() == io::ErrorKind::NotFound => 127,
        Ok(Outcome::NotStarted(_)) => 126,
        Err(error) => {
            eprintln!("error: {error}");
            if matches!(error, Error::Usage(_)) { 2 } else { 125 }
        }
    };
    #[allow(clippy::exit, reason = "the harness must print nothing more")]
    std::process::exit(code);
}

struct Cache {
    folder: PathBuf,
    renewals: Cell<u32>,
}

impl Tokens for Cache {
    fn current(&self) -> Result<Bearer> {
        fs::write(self.folder.join("fetched"), "").unwrap();
        let just_made = self.folder.join("just made").exists();
        Ok(Bearer { token: Secret::from(OLD), just_made })
    }

    fn renewed(&self, refused: &Secret) -> Result<Option<Secret>> {
        assert_eq!(refused.expose(), OLD);
        self.renewals.set(self.renewals.get() + 1);
        fs::write(self.folder.join("renewed"), self.renewals.get().to_string()).unwrap();
        match &*fs::read_to_string(self.folder.join("renewal")).unwrap_or_default() {
            "none" => Ok(None),
            "same" => Ok(Some(Secret::from(OLD))),
            "fails" => Err(Error::BadAnswer("no network".to_owned())),
            _ => Ok(Some(Secret::from(NEW))),
        }
    }
}

struct Warnings;

impl Report for Warnings {
    fn warn(&self, message: &str) {
        eprintln!("warning: {message}");
    }
    fn note(&self, _: &str) {}
    fn trace(&self, _: u8, _: &dyn Fn() -> String) {}
}
