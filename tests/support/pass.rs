//! A real password store of `pass`, with a key of its own: nothing of the user's is touched.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{child, installed};

const PROGRAMS: [&str; 4] = ["pass", "gpg", "gpgconf", "docker-credential-pass"];

/// A password store, and its key, which has no passphrase.
pub struct Pass {
    home: PathBuf,
}

impl Pass {
    /// A new one in this directory; where the programs for it are not installed, none, and it says so.
    pub fn start(home: &Path) -> Option<Self> {
        if !PROGRAMS.iter().all(|program| installed(program)) {
            // Not captured: that a test was skipped must be seen.
            let _ = writeln!(
                io::stderr(),
                "skipped: it needs pass, gnupg and golang-docker-credential-helpers"
            );
            return None;
        }
        let pass = Self { home: home.to_owned() };
        super::files::make_private(&home.join("gnupg"));
        let no_passphrase = ["--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase="];
        let user = "test@example.com";
        let key = ["--quick-generate-key", user, "future-default", "default", "never"];
        pass.run("gpg", &[&no_passphrase[..], &key].concat());
        pass.run("pass", &["init", user]);
        Some(pass)
    }

    /// Where it is found, as variables.
    pub fn environment(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("HOME", self.home.clone()),
            ("GNUPGHOME", self.home.join("gnupg")),
            ("PASSWORD_STORE_DIR", self.home.join("passwords")),
        ]
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(program);
        command.args(arguments).envs(self.environment());
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The agent that holds the key outlives every command.
impl Drop for Pass {
    fn drop(&mut self) {
        self.run("gpgconf", &["--kill", "gpg-agent"]);
    }
}

/// Runs `body`, a closure in a test, in a process that finds such a password store.
pub fn with<F: FnOnce()>(body: F) {
    let home = tempfile::tempdir().unwrap();
    let prepare = |_, child: &mut Command| {
        let pass = Pass::start(home.path())?;
        child.envs(pass.environment());
        Some(pass)
    };
    if PROGRAMS.iter().all(|program| installed(program)) {
        child::run(1, prepare, body);
    } else {
        Pass::start(home.path());
    }
}
