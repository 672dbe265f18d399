//! One error type, in the RFCs' terms, whose cases callers can branch on.
//!
//! Hints and exit codes are not here: they belong to the edge that talks to a person.

use std::path::PathBuf;

/// The result of everything below the command line.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the cause of an error may be.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command line asks for what can't be.
    #[error("{0}")]
    Usage(String),
    /// A profile, a preset or a setting is missing, wrong or incomplete.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Only a person at a login can help.
    #[error("{because}")]
    LoginRequired {
        /// The profile to log in to.
        profile: String,
        /// What stands in the way of a token.
        because: String,
    },
    /// The authorization server said no (RFC 6749 section 5.2).
    #[error(transparent)]
    Refused(#[from] ErrorResponse),
    /// The server could not be reached, or the way to it broke.
    #[error("{message}")]
    Network {
        /// What was tried.
        message: String,
        /// Whether the request may have reached the server all the same.
        sent: bool,
        /// Whether it may be over in a moment, as where a server starts anew.
        passing: bool,
        /// The transport's own word.
        source: Option<Source>,
    },
    /// The server is there but can't answer now: 429 or 5xx.
    #[error("{message}")]
    Unavailable {
        /// What it said.
        message: String,
        /// The status of its answer.
        status: u16,
        /// Seconds to wait, where the server named them (`Retry-After`).
        retry_after: Option<u64>,
    },
    /// An answer that makes no sense.
    #[error("{0}")]
    BadAnswer(String),
    /// Another process holds a lock for longer than we may wait.
    #[error("{0}")]
    Busy(String),
    /// The token store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system refused something that no other case speaks of.
    #[error("{message}")]
    Io {
        /// What was tried.
        message: String,
        /// The system's word.
        source: std::io::Error,
    },
}

/// A fault in a configuration, and where it stands.
#[derive(Debug, Default, Clone, thiserror::Error)]
#[error("{}{message}", place(.file.as_ref(), *.line))]
pub struct ConfigError {
    /// What is wrong; never a value that could be a secret.
    pub message: String,
    /// The file at fault, where it is one.
    pub file: Option<PathBuf>,
    /// The line at fault, from 1.
    pub line: Option<usize>,
    /// The key that is missing, so that a hint can name the command that sets it.
    pub missing: Option<&'static str>,
}

fn place(file: Option<&PathBuf>, line: Option<usize>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!("{}:{line}: ", file.display()),
        (Some(file), None) => format!("{}: ", file.display()),
        (None, _) => String::new(),
    }
}

/// An error answer of the authorization server, already escaped and redacted.
#[derive(Debug, Default, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct ErrorResponse {
    /// The status of the answer; 200 where an `error` stood in a success.
    pub status: u16,
    /// The `error` code, such as `invalid_grant`.
    pub error: Option<String>,
    /// The `error_description`, for people.
    pub description: Option<String>,
    /// The `error_uri`, a page about the error.
    pub uri: Option<String>,
}

impl ErrorResponse {
    fn sentence(&self) -> String {
        let mut text = match &self.error {
            Some(error) => format!("the server refused: {error}"),
            None => format!("the server refused with status {}", self.status),
        };
        if let Some(description) = &self.description {
            text.push_str(": ");
            text.push_str(description);
        }
        if let Some(uri) = &self.uri {
            text.push_str(" (see ");
            text.push_str(uri);
            text.push(')');
        }
        text
    }

    /// Whether the grant itself is spent, so that asking again with it is of no use.
    #[must_use]
    pub fn is_invalid_grant(&self) -> bool {
        self.error.as_deref() == Some("invalid_grant")
    }
}

/// A fault of a token store.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What kind of fault it is.
    pub fault: StoreFault,
    /// The store it happened in.
    pub store: crate::terms::StoreKind,
    /// What must be mended.
    pub about: About,
    /// What was tried and what came of it.
    pub message: String,
    /// The store's own word.
    pub source: Option<Source>,
}

impl StoreError {
    /// A fault without a cause but itself, of the store as a whole.
    pub fn new(
        fault: StoreFault,
        store: crate::terms::StoreKind,
        message: impl Into<String>,
    ) -> Self {
        Self { fault, store, about: About::Store, message: message.into(), source: None }
    }

    /// The same, where it is known what must be mended.
    #[must_use]
    pub fn about(self, about: About) -> Self {
        Self { about, ..self }
    }

    /// The same, with the store's own word.
    #[must_use]
    pub fn because(self, source: impl Into<Source>) -> Self {
        Self { source: Some(source.into()), ..self }
    }
}

/// What a fault of a store is about, so that a hint can name what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The store as a whole.
    Store,
    /// The entry of this name, such as `bindeo@user`, or what else is kept for it.
    Entry(String),
    /// A file or directory that many entries need, or that is in the way of one.
    File(PathBuf),
}

/// What kind of fault a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFault {
    /// There is no such store on this machine or in this session.
    Absent,
    /// It is locked, and nobody may unlock it now.
    Locked,
    /// It did not answer in time.
    TimedOut,
    /// Access was denied.
    Denied,
    /// An entry is damaged.
    Corrupt,
    /// An entry was sealed with another key.
    WrongKey,
    /// An entry was written by a newer version of this program.
    Newer,
    /// More than one entry answers to one name.
    Ambiguous,
    /// An entry that is remembered is not there any more.
    Missing,
    /// The token is remembered to be in this store, and not in the one that was named.
    Elsewhere(crate::terms::StoreKind),
    /// It takes no more: a limit of its own is reached.
    Full,
    /// Anything else, such as a full disk.
    Failed,
}

impl Error {
    /// A configuration error that has no place in a file.
    pub fn config(message: impl Into<String>) -> Self {
        Self::Config(ConfigError { message: message.into(), ..ConfigError::default() })
    }

    /// A configuration that lacks `key`.
    pub fn missing(key: &'static str, message: impl Into<String>) -> Self {
        Self::Config(ConfigError {
            message: message.into(),
            missing: Some(key),
            ..ConfigError::default()
        })
    }

    /// An error of the operating system, with what was tried.
    pub fn io(message: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { message: message.into(), source }
    }

    /// The error and its causes in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        text
    }

    /// Whether a store does not answer, whichever entry is wanted of it.
    #[must_use]
    pub fn is_of_the_store(&self) -> bool {
        use StoreFault::{Absent, Locked, TimedOut};
        matches!(self, Self::Store(error) if matches!(error.fault, Absent | Locked | TimedOut))
    }

    /// Whether the trouble is the server's or the way's to it, so that waiting may help.
    ///
    /// These are the reasons for which a token that still lives is handed out all the same.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Network { .. } | Self::Unavailable { .. } | Self::BadAnswer(_) | Self::Busy(_)
        )
    }
}
