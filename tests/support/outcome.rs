//! What a command came to, and what can be said of it.

use std::process::ExitStatus;

use serde_json::Value;

/// A command that has ended.
#[derive(Debug)]
pub struct Outcome {
    /// The status, as a shell has it: 128 and the number for a signal.
    pub status: i32,
    /// What it wrote to stdout; with a terminal, all that was seen there.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Outcome {
    pub fn new(status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> Self {
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&status).map(|n| 128 + n);
        #[cfg(not(unix))]
        let signal = None;
        Self {
            status: status.code().or(signal).unwrap(),
            stdout: String::from_utf8_lossy(stdout).into_owned(),
            stderr: String::from_utf8_lossy(stderr).into_owned(),
        }
    }

    /// It ended with 0.
    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!(self.status, 0, "{self:#?}");
        self
    }

    /// It ended with this status, and as every failure with nothing on stdout.
    #[track_caller]
    pub fn fails_with(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self.stdout_is("")
    }

    /// Its stdout is exactly this.
    #[track_caller]
    pub fn stdout_is(self, text: &str) -> Self {
        assert_eq!(self.stdout, text, "{self:#?}");
        self
    }

    /// Its stdout has this in it.
    #[track_caller]
    pub fn stdout_has(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no {text:?} in {self:#?}");
        self
    }

    /// Its stderr is exactly this.
    #[track_caller]
    pub fn stderr_is(self, text: &str) -> Self {
        assert_eq!(self.stderr, text, "{self:#?}");
        self
    }

    /// Its stderr has this in it.
    #[track_caller]
    pub fn stderr_has(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in {self:#?}");
        self
    }

    /// Nothing of this is on its stderr.
    #[track_caller]
    pub fn stderr_lacks(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "{text:?} in {self:#?}");
        self
    }

    /// The commands that its hints name.
    pub(super) fn hints(&self) -> impl Iterator<Item = &str> {
        let hints = self.stderr.lines().filter_map(|line| line.strip_prefix("hint: "));
        hints.flat_map(|hint| hint.split("; ")).filter_map(|part| {
            Some(
                &part[part
                    .find("oauthctl ")
                    .filter(|&at| at == 0 || part[..at].ends_with(": "))?..],
            )
        })
    }

    /// Its stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}
