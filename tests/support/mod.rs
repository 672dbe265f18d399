//! A world for one test: a home of its own, a cleared environment, and the commands run in it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oauthctl::sandbox::Sandbox;
use tempfile::TempDir;

#[cfg(unix)]
pub mod browser;
pub mod child;
#[cfg(target_os = "linux")]
pub mod chromium;
mod files;
pub mod gateway;
#[cfg(target_os = "linux")]
pub mod keyring;
mod outcome;
#[cfg(target_os = "linux")]
pub mod pass;
pub mod raw;
mod run;
mod server;
#[cfg(target_os = "linux")]
pub mod signer;
#[cfg(unix)]
mod started;
#[cfg(target_os = "linux")]
mod terminal;
mod tests;

pub use files::write_private;
pub use outcome::Outcome;
pub use run::Run;
#[cfg(unix)]
pub use started::Started;

/// The longest that a command may take: never reached unless it hangs, so generous to slow machines.
const DEADLINE: Duration = Duration::from_secs(60);

/// Whether a program is there.
pub fn installed(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|path| path.join(program).exists())
}

/// The home of one test; gone when it ends.
pub struct Test {
    program: PathBuf,
    root: TempDir,
    environment: Vec<(OsString, OsString)>,
    secrets: Vec<String>,
    sandbox: Option<Sandbox>,
}

impl Test {
    /// A machine on which oauthctl was never run.
    pub fn new() -> Self {
        // With the widest mask, a file has the right mode only if the program gave it one.
        #[cfg(unix)]
        rustix::process::umask(rustix::fs::Mode::empty());
        let root = TempDir::new().unwrap();
        let home = root.path().join("home");
        let mut test = Self {
            program: env!("CARGO_BIN_EXE_oauthctl").into(),
            root,
            environment: Vec::new(),
            secrets: Vec::new(),
            sandbox: None,
        };
        for name in ["PATH", "SystemRoot"] {
            if let Some(value) = std::env::var_os(name) {
                test.environment.push((name.into(), value));
            }
        }
        for (name, directory) in [
            ("HOME", ""),
            ("TMPDIR", "tmp"),
            // Without it, a bus of the machine could be found where there is no address of one.
            ("XDG_RUNTIME_DIR", "run"),
        ] {
            let directory = home.join(directory);
            files::make_private(&directory);
            test = test.env(name, directory);
        }
        test.env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("OAUTHCTL_CONFIG_DIR", home.join("config"))
            .env("OAUTHCTL_DATA_DIR", home.join("data"))
            // Not every platform's keychain can be hidden from a test by its environment.
            .env("OAUTHCTL_STORE", "file")
            .env("LANG", "C.UTF-8")
    }

    /// With a profile in a file of its own.
    pub fn profile(self, name: &str, toml: &str) -> Self {
        self.config_file(&format!("profiles/{name}.toml"), toml)
    }

    /// With a file below the configuration directory.
    pub fn config_file(self, path: &str, text: &str) -> Self {
        files::write_private(&self.config().join(path), text);
        self
    }

    /// With a variable set for every command.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// With a value that must be seen nowhere: from now on every command is watched for it.
    pub fn secret(mut self, value: &str) -> Self {
        self.secrets.push(value.to_owned());
        self
    }

    /// The path of a new file outside of the home with a secret in it, as a CI system has them.
    pub fn secret_file(&self, name: &str, value: &str) -> PathBuf {
        let path = self.root.path().join("given").join(name);
        files::write_private(&path, value);
        path
    }

    /// A command with these arguments, not yet run.
    pub fn args<I: IntoIterator<Item: Into<OsString>>>(&self, args: I) -> Run<'_> {
        Run::new(self, args.into_iter().map(Into::into).collect())
    }

    /// A command with these words, parted by blanks, as arguments; not yet run.
    pub fn words(&self, words: &str) -> Run<'_> {
        self.args(words.split_whitespace())
    }

    /// A shell's script, not yet run, in which `oauthctl` is a function.
    #[cfg(unix)]
    pub fn shell(&self, script: &str) -> Run<'_> {
        let program = self.program.to_str().unwrap();
        let script = format!("oauthctl() {{ '{program}' \"$@\"; }}\n{script}");
        self.args(["-c", &script]).by("/bin/sh")
    }

    /// The configuration directory; it need not exist.
    pub fn config(&self) -> PathBuf {
        self.home().join("config")
    }

    /// The data directory; it need not exist.
    pub fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    /// The home directory, in which every command runs.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Everything that must be seen nowhere, with what the sandbox has handed out so far.
    fn secrets(&self) -> Vec<String> {
        self.secrets.iter().cloned().chain(self.issued()).collect()
    }

    /// No file of the home holds a secret in clear, and no other user can read what oauthctl keeps.
    #[track_caller]
    pub fn assert_nothing_leaked(&self) {
        let secrets = self.secrets();
        files::walk(&self.home(), &mut |path, kind| {
            if kind.is_file() {
                let bytes = fs::read(path).unwrap();
                let found = secrets.iter().find(|secret| files::holds(&bytes, secret));
                assert!(found.is_none(), "{} holds {found:?}", path.display());
            }
        });
        for directory in [self.config(), self.data()] {
            files::walk(&directory, &mut |path, _| files::assert_private(path));
        }
    }
}

/// Whatever was done in a test with a sandbox, nothing of it may be left where others can read it.
impl Drop for Test {
    fn drop(&mut self) {
        if self.sandbox.is_some() && !std::thread::panicking() {
            self.assert_nothing_leaked();
        }
    }
}

/// The stand-in for oauthctl with which the builder itself is tested.
#[cfg(unix)]
impl Test {
    fn of_shell() -> Self {
        let mut test = Self::new();
        test.program = Path::new("/bin/sh").into();
        test
    }

    fn script(&self, script: &str) -> Run<'_> {
        self.args(["-c", script])
    }
}
